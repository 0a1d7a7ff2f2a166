//! How far a judge and a verifier are believed.

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
