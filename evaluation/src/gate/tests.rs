use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;
use crate::answer::GradedSet;
use crate::answer::tests::set;
use crate::collapse::detect;
use crate::collapse::tests::{Drawn, four_way};
use crate::confidence::Confidence;
use crate::slices::{SliceKey, compare_slices};

/// All that is known of a student with so many right items before and after.
fn inputs(items: usize, before: usize, after: usize) -> GateInputs {
    let drawn = |right: usize| {
        Drawn {
            items,
            right,
            formed: items,
        }
        .set()
    };
    let (first, second) = (drawn(before), drawn(after));
    let confidence = Confidence::default();
    let key = SliceKey::Named("tier".into());
    GateInputs {
        scorecard: Scorecard::of(&second, confidence),
        judge: None,
        comparison: PairedComparison::of(&first, &second, confidence),
        slices: compare_slices(&first, &second, &key, confidence),
        not_compared: Vec::new(),
        regression: None,
        unanswered: 0,
        collapse: detect(&first, &[("1", &second)], Some(&key), &four_way()).pop(),
        anchor: Some(AnchorRows {
            expected: 700,
            present: 700,
        }),
        leaks: Some(0),
    }
}

fn policy() -> GatePolicy {
    GatePolicy {
        min_accuracy: Some(0.75),
        ..GatePolicy::default()
    }
}

#[track_caller]
fn says(inputs: &GateInputs, text: Expect) {
    // A line a sentence, to be read.
    let paragraph = decide(&policy(), inputs).explain();
    text.assert_eq(&(paragraph.replace(". ", ".\n") + "\n"));
}

#[test]
fn a_student_that_knows_what_it_knew_passes() {
    let known = inputs(3_000, 2_400, 2_410);
    assert_eq!(decide(&policy(), &known).decision, GateDecision::Pass);
    says(
        &known,
        expect![[r#"
        The student passes: every rule is shown to hold.
        Accuracy is 80.3 % (78.9 % to 81.7 %) on 3,000 items; at least 75.0 % is wanted.
        Against the model before it, accuracy changed by +0.3 points (+0.2 to +0.6) on 3,000 items, and may fall by at most 2.0 points.
        Knowledge is kept (stage A).
        The training set holds all of its 700 real rows.
        No held-out item is in the training set.
        In `head`, accuracy changed by +0.3 points (+0.2 to +0.7) on 2,400 items, and may fall by at most 5.0 points.
        In `tail`, accuracy changed by +0.3 points (−0.3 to +1.2) on 600 items, and may fall by at most 5.0 points.
    "#]],
    );
}

#[test]
fn too_few_items_do_not_decide() {
    says(
        &inputs(100, 80, 80),
        expect![[r#"
        The student does not pass yet, because the data do not decide.
        Accuracy is 80.0 % (71.0 % to 86.7 %) on 100 items; at least 75.0 % is wanted.
        Against the model before it, accuracy changed by 0.0 points (−3.8 to +3.8) on 100 items, and may fall by at most 2.0 points.
        In `tail`, accuracy changed by 0.0 points (−17.4 to +17.4) on 20 items, and may fall by at most 5.0 points.
        Whether knowledge is kept is not known: over all items, inconclusive: 192 items would settle it; in `head`, inconclusive: 193 items would settle it; in `tail`, inconclusive: 206 items would settle it.
        About 1,030 items in all would decide, were the figures to stay as they are.
        This much holds: The training set holds all of its 700 real rows.
        No held-out item is in the training set.
        In `head`, accuracy changed by 0.0 points (−4.7 to +4.7) on 80 items, and may fall by at most 5.0 points.
    "#]],
    );
}

#[test]
fn the_example_in_the_docs_is_what_the_gate_says() {
    let docs = include_str!("../../../docs/evaluation.md");
    let quoted: Vec<&str> = docs.lines().filter_map(|line| line.strip_prefix("> ")).collect();
    assert_eq!(
        quoted.join(" "),
        decide(&policy(), &inputs(100, 80, 80)).explain()
    );
}

#[test]
fn a_student_that_lost_ten_points_fails() {
    says(
        &inputs(3_000, 2_600, 2_200),
        expect![[r#"
        The student fails.
        Accuracy is 73.3 % (71.7 % to 74.9 %) on 3,000 items; at least 75.0 % is wanted.
        Against the model before it, accuracy changed by −13.3 points (−14.6 to −12.2) on 3,000 items, and may fall by at most 2.0 points.
        In `head`, accuracy changed by −13.3 points (−14.8 to −12.0) on 2,400 items, and may fall by at most 5.0 points.
        In `tail`, accuracy changed by −13.3 points (−16.3 to −10.8) on 600 items, and may fall by at most 5.0 points.
        Knowledge is lost: over all items, stage B, confidently wrong; in `head`, stage B, confidently wrong; in `tail`, stage B, confidently wrong.
        This much holds: The training set holds all of its 700 real rows.
        No held-out item is in the training set.
    "#]],
    );
}

#[test]
fn a_training_set_that_lost_real_rows_fails_whatever_the_figures() {
    let mut known = inputs(3_000, 2_400, 2_410);
    known.anchor = Some(AnchorRows {
        expected: 700,
        present: 699,
    });
    known.leaks = Some(2);
    says(
        &known,
        expect![[r#"
        The student fails.
        The training set holds 699 of its 700 real rows.
        2 held-out items are in the training set.
        This much holds: Accuracy is 80.3 % (78.9 % to 81.7 %) on 3,000 items; at least 75.0 % is wanted.
        Against the model before it, accuracy changed by +0.3 points (+0.2 to +0.6) on 3,000 items, and may fall by at most 2.0 points.
        Knowledge is kept (stage A).
        In `head`, accuracy changed by +0.3 points (+0.2 to +0.7) on 2,400 items, and may fall by at most 5.0 points.
        In `tail`, accuracy changed by +0.3 points (−0.3 to +1.2) on 600 items, and may fall by at most 5.0 points.
    "#]],
    );
}

#[test]
fn what_was_not_measured_is_not_a_pass() {
    says(
        &GateInputs::default(),
        expect![[r#"
        The student does not pass yet, because the data do not decide.
        The accuracy was not measured.
        The student was not compared with the model before it.
        No slices were compared.
        Collapse was not looked for.
        The training set was not searched for its real rows.
        The training set was not searched for held-out items.
        More items alone would not decide it.
    "#]],
    );
}

#[test]
fn a_judges_errors_are_carried_into_the_decision() {
    let mut known = inputs(3_000, 2_400, 2_410);
    known.judge = Some(JudgeQuality {
        right: 60,
        right_called_right: 55,
        wrong: 60,
        wrong_called_wrong: 40,
    });
    says(
        &known,
        expect![[r#"
        The student does not pass yet, because the data do not decide.
        Accuracy is 80.6 % (71.0 % to 94.3 %) on 3,000 items, corrected for the judge's errors; at least 75.0 % is wanted.
        Measure the judge on more rows.
        More items alone would not decide it.
        This much holds: Against the model before it, accuracy changed by +0.6 points (+0.3 to +1.1) on 3,000 items, and may fall by at most 2.0 points.
        Knowledge is kept (stage A).
        The training set holds all of its 700 real rows.
        No held-out item is in the training set.
        In `head`, accuracy changed by +0.6 points (+0.3 to +1.1) on 2,400 items, and may fall by at most 5.0 points.
        In `tail`, accuracy changed by +0.6 points (−0.5 to +2.1) on 600 items, and may fall by at most 5.0 points.
    "#]],
    );
    known.judge = Some(JudgeQuality {
        right: 60,
        right_called_right: 30,
        wrong: 60,
        wrong_called_wrong: 30,
    });
    let report = decide(&policy(), &known);
    assert!(
        matches!(
            report.decision,
            GateDecision::Inconclusive {
                items_needed: None,
                ..
            }
        ),
        "{report:?}"
    );
}

#[test]
fn an_answer_that_one_model_did_not_give_leaves_it_open() {
    let mut known = inputs(3_000, 2_400, 2_410);
    if let Some(comparison) = &mut known.comparison {
        comparison.unpaired = 12;
    }
    says(
        &known,
        expect![[r#"
        The student does not pass yet, because the data do not decide.
        Against the model before it, accuracy changed by +0.3 points (+0.2 to +0.6) on 3,000 items, and may fall by at most 2.0 points; 12 answers given by one of the two only.
        More items alone would not decide it.
        This much holds: Accuracy is 80.3 % (78.9 % to 81.7 %) on 3,000 items; at least 75.0 % is wanted.
        Knowledge is kept (stage A).
        The training set holds all of its 700 real rows.
        No held-out item is in the training set.
        In `head`, accuracy changed by +0.3 points (+0.2 to +0.7) on 2,400 items, and may fall by at most 5.0 points.
        In `tail`, accuracy changed by +0.3 points (−0.3 to +1.2) on 600 items, and may fall by at most 5.0 points.
    "#]],
    );
}

#[test]
fn a_policy_without_rules_passes_nobody() {
    let nothing = GatePolicy {
        min_accuracy: None,
        margin: None,
        slice_margin: None,
        slices: Vec::new(),
        regression_margin: None,
        regression_asked: false,
        no_collapse: false,
        anchor_kept: false,
        no_leaks: false,
        confidence: Confidence::default(),
    };
    let report = decide(&nothing, &inputs(3_000, 2_400, 2_410));
    assert!(
        matches!(report.decision, GateDecision::Inconclusive { .. }),
        "{report:?}"
    );
}

#[test]
fn one_bad_slice_of_many_fails_only_when_that_is_shown() {
    let mut known = inputs(3_000, 2_400, 2_410);
    let slice = |items: usize, lost: usize| {
        let (before, after) = crate::paired::tests::sets(items, lost, 0);
        PairedComparison::of(&before, &after, Confidence::default()).unwrap()
    };
    let named = |name: &str, comparison: PairedComparison| SliceComparison {
        name: name.to_owned(),
        p_adjusted: comparison.p_value,
        comparison: Some(comparison),
    };
    let fine = slice(500, 0);
    known.slices = (0..40).map(|i| named(&format!("slice-{i}"), fine)).collect();
    assert_eq!(decide(&policy(), &known).decision, GateDecision::Pass);
    // Alone this is broken; as one of 41 slices it is not known.
    let doubtful = named("doubtful", slice(100, 13));
    known.slices.push(doubtful.clone());
    assert!(matches!(
        decide(&policy(), &known).decision,
        GateDecision::Inconclusive { .. }
    ));
    known.slices = vec![doubtful];
    assert!(matches!(
        decide(&policy(), &known).decision,
        GateDecision::Fail { .. }
    ));
}

#[test]
fn a_slice_without_answers_or_with_a_senseless_margin_is_not_a_pass() {
    let mut known = inputs(3_000, 2_400, 2_410);
    known.slices.push(SliceComparison {
        name: "forgotten".into(),
        comparison: None,
        p_adjusted: 1.0,
    });
    let GateDecision::Inconclusive {
        items_needed: None,
        reasons,
    } = decide(&policy(), &known).decision
    else {
        panic!("a slice was not compared")
    };
    assert_eq!(
        reasons,
        ["In `forgotten`, no question was answered by both models."]
    );
    known.slices.pop();
    for wrong in [
        GatePolicy {
            margin: Some(2.0),
            ..policy()
        },
        GatePolicy {
            slice_margin: Some(5.0),
            slices: Vec::new(),
            ..policy()
        },
        GatePolicy {
            min_accuracy: Some(f64::NAN),
            ..policy()
        },
    ] {
        let decision = decide(&wrong, &known).decision;
        assert!(
            matches!(decision, GateDecision::Inconclusive { .. }),
            "{decision:?}"
        );
    }
}

fn accuracy_only(least: f64) -> GatePolicy {
    GatePolicy {
        min_accuracy: Some(least),
        margin: None,
        slice_margin: None,
        slices: Vec::new(),
        regression_margin: None,
        regression_asked: false,
        no_collapse: false,
        anchor_kept: false,
        no_leaks: false,
        confidence: Confidence::default(),
    }
}

fn by_accuracy(least: f64, right: usize, items: usize) -> GateDecision {
    let scorecard = Scorecard::of(&set((0..items).map(|item| item < right)), Confidence::default());
    decide(
        &accuracy_only(least),
        &GateInputs {
            scorecard,
            ..GateInputs::default()
        },
    )
    .decision
}

#[test]
fn the_items_that_would_decide_do_decide() {
    let GateDecision::Inconclusive {
        items_needed: Some(needed),
        ..
    } = by_accuracy(0.75, 80, 100)
    else {
        panic!("100 items do not decide")
    };
    assert!((500..800).contains(&needed), "{needed}");
    let needed = usize::try_from(needed).unwrap();
    assert_eq!(by_accuracy(0.75, needed * 4 / 5, needed), GateDecision::Pass);
    assert!(matches!(
        by_accuracy(0.8, 80, 100),
        GateDecision::Inconclusive {
            items_needed: None,
            ..
        }
    ));
}

fn everything_but(part: usize, known: &GateInputs) -> GateInputs {
    let mut less = known.clone();
    match part {
        0 => less.scorecard = None,
        1 => less.comparison = None,
        2 => less.slices.clear(),
        3 => less.collapse = None,
        4 => less.anchor = None,
        5 => less.leaks = None,
        6 => less.unanswered = 1,
        _ => less
            .not_compared
            .push(("concept".to_owned(), NotCompared::TooMany)),
    }
    less
}

#[test]
fn no_part_of_what_a_policy_wants_may_be_missing() {
    let known = inputs(3_000, 2_400, 2_410);
    for part in 0..8 {
        let decision = decide(&policy(), &everything_but(part, &known)).decision;
        assert!(
            matches!(decision, GateDecision::Inconclusive { .. }),
            "{part}: {decision:?}"
        );
    }
}

proptest! {
    #[test]
    fn no_gate_passes_without_items(least in 0.0..=1.0_f64, margin in 0.0..=1.0_f64, slice_margin in 0.0..=1.0_f64) {
        let policy = GatePolicy {
            min_accuracy: Some(least),
            margin: Some(margin),
            slice_margin: Some(slice_margin),
            slices: Vec::new(),
            ..GatePolicy::default()
        };
        let nothing = GradedSet::default();
        let confidence = Confidence::default();
        let inputs = GateInputs {
            scorecard: Scorecard::of(&nothing, confidence),
            comparison: PairedComparison::of(&nothing, &nothing, confidence),
            slices: compare_slices(&nothing, &nothing, &SliceKey::Format, confidence),
            collapse: detect(&nothing, &[("1", &nothing)], None, &four_way()).pop(),
            anchor: Some(AnchorRows { expected: 10, present: 10 }),
            leaks: Some(0),
            judge: None,
            not_compared: Vec::new(),
            regression: Some(RegressionFigures {
                comparison: PairedComparison::of(&nothing, &nothing, confidence),
                judge: None,
                unanswered: 0,
            }),
            unanswered: 0,
        };
        let decision = decide(&policy, &inputs).decision;
        let open = matches!(decision, GateDecision::Inconclusive { .. });
        prop_assert!(open, "{decision:?}");
    }

    /// More items with the same share of right ones never make a decision less sure, and never turn it.
    #[test]
    fn more_of_the_same_only_settles(least in 0.05..0.95_f64, items in 1_usize..200, part in 0.0..=1.0_f64, more in 2_usize..6) {
        let right = (part * items as f64) as usize;
        let (few, many) = (by_accuracy(least, right, items), by_accuracy(least, more * right, more * items));
        match few {
            GateDecision::Pass => prop_assert_eq!(many, GateDecision::Pass),
            GateDecision::Fail { .. } => prop_assert!(matches!(many, GateDecision::Fail { .. }), "{many:?}"),
            GateDecision::Inconclusive { .. } => {}
        }
    }

    /// Wrong answers that come to a student that is shown to be too weak do not help it.
    #[test]
    fn a_proven_fail_stays_one_when_wrong_answers_come(least in 0.05..0.95_f64, items in 1_usize..200, part in 0.0..=1.0_f64, wrong in 1_usize..100) {
        let right = (part * items as f64) as usize;
        if matches!(by_accuracy(least, right, items), GateDecision::Fail { .. }) {
            let decision = by_accuracy(least, right, items + wrong);
            prop_assert!(matches!(decision, GateDecision::Fail { .. }), "{decision:?}");
        }
    }

    /// Better grades never make a gate on accuracy harder to pass.
    #[test]
    fn a_further_right_answer_never_costs_a_pass(least in 0.05..0.95_f64, items in 1_usize..200, part in 0.0..1.0_f64) {
        let right = (part * items as f64) as usize;
        if by_accuracy(least, right, items) == GateDecision::Pass {
            prop_assert_eq!(by_accuracy(least, right + 1, items + 1), GateDecision::Pass);
        }
    }
}

/// A student that passes, with so many right of a regression set before and after.
fn with_regression(items: usize, before: usize, after: usize) -> GateInputs {
    let asked = inputs(items, before, after);
    GateInputs {
        regression: Some(RegressionFigures {
            comparison: asked.comparison,
            judge: None,
            unanswered: 0,
        }),
        ..inputs(3_000, 2_400, 2_410)
    }
}

fn regression_check(policy: &GatePolicy, inputs: &GateInputs) -> Option<GateCheck> {
    let mut checks = decide(policy, inputs).checks.into_iter();
    checks.find(|check| check.rule == GateRule::NoRegression)
}

#[test]
fn a_student_that_has_unlearned_what_its_base_knew_fails() {
    let policy = policy();
    let kept = with_regression(3_000, 2_400, 2_400);
    assert_eq!(decide(&policy, &kept).decision, GateDecision::Pass);
    let unlearned = with_regression(3_000, 2_400, 2_100);
    let GateDecision::Fail { reasons } = decide(&policy, &unlearned).decision else {
        panic!("{unlearned:?}")
    };
    assert!(
        reasons.len() == 1
            && reasons[0].starts_with("On the regression set, against the base, accuracy changed by"),
        "{reasons:?}"
    );
    // The accuracy on the task is no part of it, nor is it a part of that.
    assert_eq!(
        decide(&policy, &unlearned).checks.len(),
        decide(&policy, &inputs(3_000, 2_400, 2_410)).checks.len() + 1
    );
}

#[test]
fn too_few_questions_of_a_regression_set_decide_nothing_and_the_number_needed_is_told() {
    let few = with_regression(60, 40, 40);
    let GateDecision::Inconclusive {
        items_needed,
        reasons,
    } = decide(&policy(), &few).decision
    else {
        panic!("{few:?}")
    };
    assert!(items_needed.is_some_and(|items| items > 60), "{items_needed:?}");
    assert!(
        reasons[0].contains("questions of that set would decide"),
        "{reasons:?}"
    );
    let mut missing = with_regression(3_000, 2_400, 2_400);
    if let Some(asked) = &mut missing.regression {
        asked.unanswered = 3;
    }
    let check = regression_check(&policy(), &missing).unwrap();
    assert_eq!(
        check.outcome,
        CheckOutcome::Open { items_needed: None },
        "{check:?}"
    );
}

#[test]
fn a_policy_can_want_a_regression_set_and_one_that_is_not_asked_is_not_passed_over_then() {
    let known = inputs(3_000, 2_400, 2_410);
    assert_eq!(regression_check(&policy(), &known), None);
    let wanted = GatePolicy {
        regression_asked: true,
        ..policy()
    };
    let check = regression_check(&wanted, &known).unwrap();
    assert_eq!(check.outcome, CheckOutcome::Open { items_needed: None });
    assert!(matches!(
        decide(&wanted, &known).decision,
        GateDecision::Inconclusive { .. }
    ));
    let unbounded = GatePolicy {
        regression_margin: None,
        ..policy()
    };
    let check = regression_check(&unbounded, &with_regression(3_000, 2_400, 2_400)).unwrap();
    assert!(check.detail.contains("regression_margin"), "{check:?}");
}
