mod checks;
mod concepts;
mod teacher;

use proptest::prelude::*;
use teacher::{GOOD, Random, Teacher};

use super::*;

const CALLS: Costs = Costs {
    ask: 1.0,
    verify: 1.0,
    answer: 1.0,
    judge: 1.0,
};

fn terms() -> Terms {
    Terms {
        target: 0.99,
        required: false,
        lead: None,
        max_samples: 10,
        verify: true,
        judge: None,
        wrong_answers: None,
        answered: false,
        verified_with_answer: false,
        costs: CALLS,
    }
}

fn at(votes: &[u8], verified: Option<bool>, judged: Option<bool>) -> Situation {
    Situation {
        votes: votes.to_vec(),
        verified,
        judged,
    }
}

fn fixed(lead: u32) -> Rule {
    let terms = Terms {
        lead: Some(lead),
        max_samples: 6,
        ..terms()
    };
    Rule::new(&Measured::default(), &terms)
}

/// What the rule is for: right as often as a fixed lead of three at less cost and with more rows kept, and learned on the way.
#[test]
fn the_target_is_met_for_fewer_calls_and_with_more_rows_than_by_a_fixed_lead() {
    let mut none = Measured::default();
    let two = GOOD.questions(&fixed(2), 20_000, &mut none);
    let three = GOOD.questions(&fixed(3), 20_000, &mut none);
    assert!((0.97..0.985).contains(&two.accuracy()), "{two:?}");
    assert!(three.accuracy() > 0.99 && three.kept() < 0.8, "{three:?}");
    // Everything learned in the runs themselves, from the seeds' own questions and from the answers that come with new ones.
    let learned = Teacher {
        answers: true,
        calibration: (24, 4),
        ..GOOD
    };
    let learned = learned.runs(
        8,
        &Terms {
            answered: true,
            verified_with_answer: true,
            ..terms()
        },
    );
    assert!(learned.accuracy() >= 0.989, "{learned:?} {}", learned.accuracy());
    assert!(learned.kept() > 0.9, "{learned:?} {}", learned.kept());
    assert!(
        learned.price() < 0.86 * three.price(),
        "{} {}",
        learned.price(),
        three.price()
    );
    // No measurement and no answer with the question: dearer, and hardly less right.
    let bare = GOOD.runs(8, &terms());
    assert!(
        bare.accuracy() >= 0.988 && bare.kept() > 0.9,
        "{bare:?} {}",
        bare.accuracy()
    );
    assert!(
        bare.price() < 0.97 * three.price(),
        "{} {}",
        bare.price(),
        three.price()
    );
    // With the teacher known.
    let mut measured = Measured::default();
    GOOD.questions(&Rule::typical(&terms()), 3_000, &mut measured);
    let rule = Rule::new(&measured, &terms());
    let known = GOOD.questions(&rule, 20_000, &mut none);
    assert!(
        known.accuracy() >= 0.989 && known.kept() > 0.9,
        "{known:?} {}",
        known.accuracy()
    );
    assert!(
        known.price() < 0.87 * three.price(),
        "{} {}",
        known.price(),
        three.price()
    );
}

#[test]
fn what_is_expected_is_what_comes_true() {
    for teacher in [
        GOOD,
        Teacher {
            right: 0.8,
            repeat: 0.3,
            ..GOOD
        },
        Teacher {
            right: 0.9,
            repeat: 0.1,
            ..GOOD
        },
    ] {
        let mut measured = Measured::default();
        teacher.questions(&Rule::typical(&terms()), 3_000, &mut measured);
        let rule = Rule::new(&measured, &terms());
        let expected = rule.expected;
        let seen = teacher.questions(&rule, 20_000, &mut Measured::default());
        let off = (seen.accuracy() - expected.accuracy.mean).abs();
        assert!(
            off < 0.006,
            "{} expected, {} seen",
            expected.accuracy.mean,
            seen.accuracy()
        );
        let price = seen.price() / expected.calls_per_right_row;
        assert!((0.9..1.1).contains(&price), "{price} of the expected price");
    }
}

/// On questions without a reference, a good teacher whose errors scatter looks like a worse one whose errors repeat.
#[test]
fn a_few_questions_with_a_reference_tell_repeating_errors_from_others() {
    let repeating = Teacher {
        right: 0.8,
        repeat: 0.3,
        ..GOOD
    };
    let repeat = |teacher: Teacher, calibration: (u64, u64)| {
        let mut measured = Measured::default();
        teacher.calibrate(calibration.0, calibration.1, &mut Random(5), &mut measured);
        Rule::new(&measured, &terms()).basis.repeat.mean
    };
    let (prior, scattered) = (repeat(GOOD, (0, 0)), repeat(GOOD, (24, 4)));
    assert!(
        repeat(repeating, (24, 4)) > 2.0 * prior,
        "{}",
        repeat(repeating, (24, 4))
    );
    assert!(scattered < prior, "{scattered} {prior}");
}

#[test]
fn an_answer_that_comes_with_the_question_is_the_first_vote() {
    let terms = Terms {
        answered: true,
        ..terms()
    };
    let (alone, with) = (Rule::typical(&self::terms()), Rule::typical(&terms));
    assert!(with.case(&at(&[1], None, None)).is_some());
    assert!(with.expected.calls_per_right_row < alone.expected.calls_per_right_row - 0.6);
    assert!(with.expected.accuracy.mean > 0.99, "{:?}", with.expected);
    // A fixed lead verifies first, as ever, with the answer in hand.
    let lead = Rule::typical(&Terms {
        lead: Some(2),
        ..terms
    });
    assert_eq!(lead.decide(&at(&[1], None, None), 1), Action::Verify);
    assert_eq!(lead.decide(&at(&[1], Some(true), None), 1), Action::Draw);
}

#[test]
fn a_verdict_that_comes_with_an_answer_saves_a_call() {
    let answered = Terms {
        answered: true,
        ..terms()
    };
    let with_answer = Terms {
        verified_with_answer: true,
        ..answered
    };
    let (alone, with) = (Rule::typical(&answered), Rule::typical(&with_answer));
    assert!(with.expected.calls_per_right_row < alone.expected.calls_per_right_row - 0.7);
    assert!(with.expected.accuracy.mean > 0.99, "{:?}", with.expected);
    assert!(with.case(&at(&[2], Some(true), None)).is_some());
    // A fixed lead counts it, too.
    let lead = Rule::typical(&Terms {
        lead: Some(2),
        ..with_answer
    });
    assert_eq!(lead.decide(&at(&[2], Some(true), None), 2), Action::Accept);
    // Whatever a verdict brings, something comes of it; no more votes are joined than may be drawn.
    let fit = Fit::new(&Measured::default(), &with_answer);
    for votes in [&[][..], &[1], &[2, 1], &[4, 3, 1, 1, 1]] {
        let next = odds::next_verified(&fit, &at(votes, None, None), 10);
        let sum: f64 = next.iter().map(|(chance, _)| chance).sum();
        assert!((sum - 1.0).abs() < 1e-9, "{votes:?}: {sum}");
        assert!(
            next.iter()
                .all(|(_, at)| at.verified.is_some() && at.drawn() <= 10)
        );
    }
}

#[test]
fn before_anything_is_counted_a_teacher_is_what_teachers_are() {
    let nothing = Fit::new(&Measured::default(), &terms());
    let mean = |prior: &[(f64, f64)]| {
        let all: f64 = prior.iter().map(|(_, weight)| weight).sum();
        prior.iter().map(|(value, weight)| value * weight).sum::<f64>() / all
    };
    for (found, prior) in [
        (nothing.right().mean, &fit::RIGHT[..]),
        (nothing.repeat().mean, &fit::REPEAT),
        (nothing.unanswerable().mean, &fit::UNANSWERABLE),
    ] {
        let wanted = mean(prior);
        assert!((found - wanted).abs() < 0.01 * wanted, "{found} for {wanted}");
    }
}

/// The less is known of a teacher, the more a table leaves to chance; it says how much.
#[test]
fn the_expected_accuracy_counts_everything_that_the_teacher_may_be() {
    let unknown = Rule::new(&Measured::default(), &terms());
    let known = Rule::new(&known(70, 6, false), &terms());
    assert!(known.meets_target, "{:?}", known.expected);
    assert!(known.expected.accuracy.mean > unknown.expected.accuracy.mean);
    let width = |rule: &Rule| rule.expected.accuracy.high - rule.expected.accuracy.low;
    assert!(width(&known) < width(&unknown));
}

#[test]
fn answers_that_are_known_to_be_right_are_told_from_the_wrong_ones() {
    for (right, votes, wrong) in [
        (2, &[2, 1, 1][..], &[1, 1][..]),
        (0, &[3], &[3]),
        (4, &[4], &[]),
        // Two forms of the right answer.
        (3, &[2, 1, 1], &[1]),
    ] {
        let known = Known {
            right,
            wrong: wrong.to_vec(),
        };
        assert_eq!(Known::of(right, votes), known);
    }
}

#[test]
fn errors_that_repeat_are_found_and_answered_with_care() {
    let repeating = Teacher {
        right: 0.8,
        repeat: 0.3,
        ..GOOD
    };
    let mut measured = Measured::default();
    repeating.questions(&Rule::typical(&terms()), 3_000, &mut measured);
    let rule = Rule::new(&measured, &terms());
    assert!(rule.basis.repeat.mean > 0.15, "{:?}", rule.basis);
    let seen = repeating.questions(&rule, 20_000, &mut Measured::default());
    let three = repeating.questions(&fixed(3), 20_000, &mut Measured::default());
    assert!(seen.accuracy() > 0.985, "{}", seen.accuracy());
    assert!(
        three.accuracy() < seen.accuracy(),
        "a fixed lead of three does not see it: {}",
        three.accuracy()
    );
}

#[test]
fn a_target_out_of_reach_is_said_and_what_comes_closest_is_done() {
    let few = Terms {
        max_samples: 3,
        ..terms()
    };
    let rule = Rule::assuming(0.6, &few);
    assert!(!rule.meets_target && rule.expected.accuracy.mean < 0.99);
    assert!(
        rule.expected.accepted > 0.05,
        "it still brings rows: {:?}",
        rule.expected
    );
    assert!(Rule::assuming(0.9, &terms()).meets_target);
    // A fixed lead says what it is worth, too.
    let lead = Rule::assuming(
        0.6,
        &Terms {
            lead: Some(2),
            ..terms()
        },
    );
    assert!(
        !lead.meets_target && lead.expected.accuracy.mean < 0.93,
        "{:?}",
        lead.expected
    );
}

#[test]
fn a_table_reads_as_one_would_decide() {
    let rule = Rule::typical(&terms());
    let says = |votes: &[u8], verified| rule.decide(&at(votes, verified, None), 0);
    let yes = Some(true);
    let first = says(&[], None);
    assert!(matches!(first, Action::Draw | Action::Verify), "{first:?}");
    for (votes, verified, action) in [
        (&[][..], yes, Action::Draw),
        (&[], Some(false), Action::Reject),
        (&[1], yes, Action::Draw),
        (&[2], yes, Action::Draw),
        (&[3], yes, Action::Accept),
        (&[2, 1], yes, Action::Draw),
        (&[3, 1], yes, Action::Draw),
        (&[4, 1], yes, Action::Accept),
        (&[5, 2], yes, Action::Accept),
        (&[1, 1, 1, 1, 1, 1], yes, Action::Reject),
        (&[2, 1, 1, 1], yes, Action::Draw),
        (&[5, 5], yes, Action::Reject),
    ] {
        assert_eq!(says(votes, verified), action, "{votes:?} {verified:?}");
    }
    // What no more can be drawn for is kept only where it is sure by itself.
    assert_eq!(
        rule.decide(&at(&[1], yes, None), rule.max_samples),
        Action::Reject
    );
    // Two answers are needed whatever they say.
    assert!(rule.sure_draws(&at(&[], yes, None)) >= 2);
    // A situation that the table does not lead to is given up rather than guessed about.
    assert_eq!(rule.decide(&at(&[9, 9, 9], None, None), 0), Action::Reject);
}

#[test]
fn a_fixed_lead_keeps_its_vetoes() {
    let rule = fixed(2);
    for (votes, verified, action) in [
        (&[][..], None, Action::Verify),
        (&[], Some(false), Action::Reject),
        (&[2], Some(true), Action::Accept),
        (&[2, 1], Some(true), Action::Draw),
        (&[3, 1], Some(true), Action::Accept),
        (&[2, 2, 1], Some(true), Action::Reject),
    ] {
        assert_eq!(rule.decide(&at(votes, verified, None), 0), action, "{votes:?}");
    }
    assert_eq!(rule.sure_draws(&at(&[], Some(true), None)), 2);
    let judged = Rule::new(
        &Measured::default(),
        &Terms {
            lead: Some(2),
            judge: Some(JudgeUse::Always),
            ..terms()
        },
    );
    let says = |judged_so: Option<bool>| judged.decide(&at(&[2], Some(true), judged_so), 2);
    assert_eq!(
        [None, Some(true), Some(false)].map(says),
        [Action::Judge, Action::Accept, Action::Reject]
    );
}

#[test]
fn wrong_answers_are_asked_for_again_as_long_as_that_is_cheaper_than_a_new_question() {
    assert!(Rule::assuming(0.8, &terms()).retries >= 2);
    // A teacher that errs the same way every time is not asked again and again.
    let mut stubborn = Measured::default();
    for _ in 0..60 {
        stubborn.all.know(Known {
            right: 0,
            wrong: vec![5],
        });
        stubborn.all.know(Known {
            right: 5,
            wrong: vec![],
        });
    }
    assert!(Rule::new(&stubborn, &terms()).retries <= 1);
}

#[test]
fn a_rule_is_read_back_as_it_was_stored() {
    let rule = Rule::typical(&terms());
    let text = serde_json::to_string(&rule).unwrap();
    assert!(text.len() < 16_000, "{} bytes", text.len());
    assert_eq!(serde_json::from_str::<Rule>(&text).unwrap(), rule);
}

#[test]
fn votes_do_not_depend_on_the_order_in_which_answers_came() {
    assert_eq!(tally(["b", "a", "a"]), [("a", 2), ("b", 1)]);
    assert_eq!(tally(["a", "b", "a"]), tally(["b", "a", "a"]));
    // Of equals the one with the earlier sample number leads.
    assert_eq!(tally(["b", "a"]), [("b", 1), ("a", 1)]);
}

fn known(right: u64, wrong: u64, agreeing: bool) -> Measured {
    let mut measured = Measured::default();
    for _ in 0..right {
        measured.all.know(Known {
            right: 2,
            wrong: vec![],
        });
    }
    for _ in 0..wrong {
        let values = if agreeing { vec![2] } else { vec![1, 1] };
        measured.all.know(Known {
            right: 0,
            wrong: values,
        });
        measured.all.know(Known {
            right: 1,
            wrong: vec![1],
        });
    }
    measured
}

/// Agreeing answers that the rule asks for before it keeps them, where nothing contradicts and the question is answerable.
fn unanimous(rule: &Rule) -> u32 {
    let kept = |votes: &u8| rule.decide(&at(&[*votes], Some(true), None), 0) == Action::Accept;
    (1..=10).find(kept).map_or(99, u32::from)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// For a teacher that is mostly right. One whose wrong answers always agree is less to be believed the more it repeats itself.
    #[test]
    fn more_agreeing_votes_never_make_it_less_sure(right in 20u64..80, wrong in 0u64..10, others in 0usize..3) {
        let fit = Fit::new(&known(right, wrong, true), &terms());
        let mut before = 0.0;
        for votes in 3u8..9 {
            let mut all = vec![votes];
            all.extend(std::iter::repeat_n(1, others));
            all.sort_unstable_by(|a, b| b.cmp(a));
            let sure = odds::Odds::of(&fit, &at(&all, Some(true), None)).right();
            prop_assert!(sure >= before - 1e-3, "{votes} votes: {sure} after {before}");
            before = sure;
        }
    }

    #[test]
    fn a_higher_target_or_errors_that_agree_never_ask_for_fewer_votes(right in 20u64..80, wrong in 2u64..12) {
        let asks = |measured: &Measured, target| unanimous(&Rule::new(measured, &Terms { target, ..terms() }));
        let (scattered, agreeing) = (known(right, wrong, false), known(right, wrong, true));
        prop_assert!(asks(&scattered, 0.9) <= asks(&scattered, 0.99));
        prop_assert!(asks(&scattered, 0.95) <= asks(&agreeing, 0.95));
    }

    #[test]
    fn an_accepted_row_is_sure_enough_on_the_average(right in 5u64..80, wrong in 0u64..10, target in 0.9f64..0.995) {
        let rule = Rule::new(&known(right, wrong, true), &Terms { target, ..terms() });
        prop_assert!(!rule.meets_target || rule.expected.accuracy.mean >= target);
        prop_assert!(rule.cases.iter().all(|case| (0.0..=1.0).contains(&case.right)));
    }
}
