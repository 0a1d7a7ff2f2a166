//! How far a judge and a verifier are believed.

use std::collections::BTreeMap;

use super::teacher::Random;
use super::*;

#[test]
fn a_judge_that_must_be_asked_is_evidence_and_has_no_veto() {
    let rule = Rule::typical(&Terms {
        judge: Some(JudgeUse::Always),
        ..terms()
    });
    let accepted = rule.cases.iter().filter(|case| case.action == Action::Accept);
    assert!(accepted.clone().all(|case| case.at.judged.is_some()));
    assert!(rule.cases.iter().any(|case| case.action == Action::Judge));
    let doubted = rule.cases.iter().filter(|case| case.at.judged == Some(false));
    assert!(
        doubted.clone().any(|case| case.action == Action::Draw),
        "one more answer is drawn"
    );
}

#[test]
fn a_judge_is_believed_as_far_as_it_was_measured() {
    let judged = |failed_bad| {
        let mut measured = known(60, 6, false);
        measured.judge = Check {
            passed_good: 38,
            good: 40,
            failed_bad,
            bad: 40,
        };
        let terms = Terms {
            judge: Some(JudgeUse::Optional),
            ..terms()
        };
        Rule::new(&measured, &terms)
    };
    let (sharp, blind) = (judged(40), judged(2));
    let seen = |rule: &Rule| rule.basis.judge.unwrap();
    assert_eq!(seen(&sharp).verdicts, 80);
    assert!(seen(&sharp).specificity > 0.9 && seen(&blind).specificity < 0.35);
    assert!(sharp.expected.judgements > 0.1, "{:?}", sharp.expected);
    assert_eq!(blind.expected.judgements, 0.0, "it is not worth a call");
    assert!(sharp.expected.calls_per_right_row < blind.expected.calls_per_right_row);
    assert_eq!(Rule::new(&Measured::default(), &terms()).basis.judge, None);
}

/// Questions without a reference that were verified with such rates: answers to those that have none scatter.
fn verified(sensitivity: f64, specificity: f64) -> Measured {
    let mut measured = Measured::default();
    let mut random = Random(7);
    for _ in 0..600 {
        let answerable = !random.chance(0.1);
        let passes = if answerable {
            sensitivity
        } else {
            1.0 - specificity
        };
        let votes = if answerable { vec![3] } else { vec![1, 1, 1] };
        measured.all.see(Seen {
            votes,
            verified: Some(random.chance(passes)),
        });
    }
    measured
}

#[test]
fn a_verifier_is_believed_as_far_as_the_answers_bear_it_out() {
    let of = |sensitivity, specificity| {
        let rule = Rule::new(&verified(sensitivity, specificity), &terms());
        rule.basis.verifier.unwrap()
    };
    let (good, poor) = (of(0.98, 0.9), of(0.92, 0.5));
    assert!(
        good.specificity > 0.8 && poor.specificity < 0.65,
        "{good:?} / {poor:?}"
    );
    assert!(
        good.sensitivity > 0.97 && poor.sensitivity < 0.94,
        "{good:?} / {poor:?}"
    );
    assert_eq!(good.verdicts, 600);
    let unverified = Terms {
        verify: false,
        ..terms()
    };
    assert_eq!(Rule::new(&Measured::default(), &unverified).basis.verifier, None);
}

#[test]
fn kept_rows_are_as_right_as_the_whole_run_has_shown_and_not_as_was_believed_when_they_were_kept() {
    let kept = BTreeMap::from([(at(&[3], Some(true), None), 40)]);
    let rule = Rule::typical(&terms());
    let (before, basis) = kept_accuracy(&Measured::default(), &rule, None, &kept);
    assert_eq!((basis.with_reference, basis.judge), (0, None));
    assert!(before.mean > 0.97, "{before:?}");
    // A teacher that errs every other time, and then always in the same way.
    let mut measured = Measured::default();
    for i in 0..30 {
        measured.all.know(Known {
            right: if i % 2 == 0 { 4 } else { 0 },
            wrong: if i % 2 == 0 { Vec::new() } else { vec![4] },
        });
    }
    let (after, basis) = kept_accuracy(&measured, &rule, None, &kept);
    assert_eq!(basis.with_reference, 30);
    assert!(after.mean < 0.75 && after.high < 0.9, "{after:?}");
    assert!(after.low <= after.mean && after.mean <= after.high);
}

#[test]
fn no_row_is_kept_that_is_likelier_wrong_than_right() {
    let mut measured = Measured::default();
    for i in 0..60 {
        measured.all.know(Known {
            right: if i % 5 == 0 { 4 } else { 0 },
            wrong: if i % 5 == 0 { Vec::new() } else { vec![3, 1] },
        });
    }
    let rule = Rule::new(&measured, &terms());
    assert!(!rule.meets_target);
    let accepted = rule.cases.iter().filter(|case| case.action == Action::Accept);
    assert!(
        accepted.clone().all(|case| case.right >= 0.5),
        "{:?}",
        accepted.collect::<Vec<_>>()
    );
}
