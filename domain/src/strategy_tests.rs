use proptest::prelude::{Strategy as Generator, any, prop_assert, prop_assert_eq, proptest};

use super::*;

const ALL_COVERED: Situation = Situation {
    seeds: 1_000,
    uncovered_share: 0.0,
    worth: ByStrategy::all(true),
};

#[track_caller]
fn near(got: f64, want: f64, tolerance: f64) {
    assert!(
        (got - want).abs() <= tolerance,
        "got {got}, want {want} ± {tolerance}"
    );
}

#[test]
fn thresholds_of_the_published_table() {
    let table = [
        (50, 27.0, 51.0),
        (100, 27.0, 51.0),
        (300, 19.84, 35.06),
        (1_000, 12.0, 17.6),
        (3_000, 12.0, 16.92),
        (10_000, 12.0, 16.4),
    ];
    for (seeds, want_lo, want_hi) in table {
        near(lo(seeds), want_lo, 0.005);
        near(hi(seeds), want_hi, 0.005);
    }
    near(lo(0), 27.0, 0.0);
}

#[test]
fn the_three_stretches_of_the_rule() {
    let situation = Situation {
        uncovered_share: 0.25,
        ..ALL_COVERED
    };
    assert_eq!(mix(12.0, &situation).0, Mix::only(Strategy::AnswerAugmentation));
    let half = mix(14.8, &situation).0;
    near(half.answer_augmentation, 0.5, 1e-12);
    near(half.rephrasing, 0.375, 1e-12);
    near(half.new_question, 0.125, 1e-12);
    let at_hi = mix(17.6, &situation).0;
    near(at_hi.rephrasing, 0.75, 1e-12);
    near(at_hi.new_question, 0.25, 1e-12);
    near(mix(23.2, &situation).0.new_question, 1.0, 1e-12);
    assert_eq!(mix(f64::INFINITY, &situation).0, Mix::only(Strategy::NewQuestion));
    assert_eq!(
        mix(f64::NAN, &situation).0,
        Mix::only(Strategy::AnswerAugmentation)
    );
}

#[test]
fn a_weak_teacher_rephrases_instead() {
    let situation = Situation {
        worth: [true, true, false].into(),
        uncovered_share: 0.5,
        ..ALL_COVERED
    };
    assert_eq!(mix(100.0, &situation).0, Mix::only(Strategy::Rephrasing));
    assert_eq!(mix(15.0, &situation).0.new_question, 0.0);
    let (_, reason) = mix(100.0, &situation);
    assert!(reason.to_string().contains("too weak"), "{reason}");
}

#[test]
fn answers_that_repeat_the_seeds_give_way_to_new_prompts() {
    let situation = Situation {
        worth: [false, true, true].into(),
        uncovered_share: 0.5,
        ..ALL_COVERED
    };
    let (few, reason) = mix(2.0, &situation);
    assert_eq!(few, Mix::only(Strategy::Rephrasing));
    let told = "further answers are hardly ever kept. So 0 % answer augmentation, 100 % rephrasing";
    assert!(reason.to_string().contains(told), "{reason}");
    let more = mix(17.6, &situation).0;
    near(more.rephrasing, 0.5, 1e-12);
    near(more.new_question, 0.5, 1e-12);
    let mixed = Mix {
        answer_augmentation: 0.5,
        rephrasing: 0.3,
        new_question: 0.2,
    };
    assert_eq!(
        mixed.given_to(&ByStrategy::all(false)),
        mixed,
        "somewhere it must go"
    );
    let only_new = Mix::only(Strategy::NewQuestion);
    assert_eq!(mixed.given_to(&[false, false, true].into()), only_new);
}

#[test]
fn the_reason_names_its_numbers() {
    let (_, few) = mix(5.0, &ALL_COVERED);
    assert_eq!(
        few.to_string(),
        "The budget affords 5.0 samples a seed over 1000 seeds; up to 12.0 for this many seeds, further answers to the \
         seeds' own questions teach most per call. So 100 % answer augmentation, 0 % rephrasing, 0 % new questions."
    );
    let (_, some) = mix(
        14.8,
        &Situation {
            uncovered_share: 0.2,
            ..ALL_COVERED
        },
    );
    assert_eq!(
        some.to_string(),
        "The budget affords 14.8 samples a seed over 1000 seeds, between 12.0 (further answers are best) and 17.6 (new \
         questions are best). So 50 % answer augmentation, 40 % rephrasing, 10 % new questions, these for the 20 % of \
         concepts that the seeds leave uncovered."
    );
}

#[test]
fn a_pilot_moves_the_belief_by_its_weight() {
    let prior = Belief {
        acceptance: 0.8,
        cost_per_sample: 100.0,
        strength: 20.0,
    };
    let after = prior.after(Observed {
        samples: 20,
        accepted: 8,
        spent: 3_000.0,
    });
    near(after.acceptance, 0.6, 1e-12);
    near(after.cost_per_sample, 125.0, 1e-12);
    near(after.cost_per_accepted().unwrap(), 125.0 / 0.6, 1e-9);
    near(after.strength, 40.0, 0.0);
    // Nothing accepted: dear, but finite.
    let none = prior.after(Observed {
        samples: 64,
        accepted: 0,
        spent: 6_400.0,
    });
    assert!(none.cost_per_accepted().unwrap().is_finite());
    assert_eq!(prior.after(Observed::default()), prior);
}

#[test]
fn distrust_needs_evidence() {
    let observed = |accepted, samples| Observed {
        samples,
        accepted,
        spent: 0.0,
    };
    assert!(worth_sampling(&observed(0, 0), 0.5));
    assert!(worth_sampling(&observed(8, 21), 0.5), "8 of 21 may well be half");
    assert!(!worth_sampling(&observed(4, 21), 0.5));
}

#[test]
fn the_mix_pays_for_itself() {
    // One call an answer, two a rephrasing, three a new question.
    let cost = |mix: &Mix| mix.answer_augmentation + 2.0 * mix.rephrasing + 3.0 * mix.new_question;
    let (chosen, reason) = solve_mix(|mix| 20_000.0 / cost(mix), &ALL_COVERED);
    // By answers alone the ratio would be 20, past hi; by new questions alone 6.7, under lo: the truth is between.
    assert!(
        chosen.answer_augmentation > 0.0 && chosen.rephrasing > 0.0,
        "{chosen:?}"
    );
    near(reason.budget_ratio, 20.0 / cost(&chosen), 1e-9);
    let (direct, _) = mix(reason.budget_ratio, &ALL_COVERED);
    near(direct.rephrasing, chosen.rephrasing, 1e-9);
    // A budget without bound and one of nothing.
    assert_eq!(
        solve_mix(|_| f64::INFINITY, &ALL_COVERED).0,
        Mix::only(Strategy::NewQuestion)
    );
    assert_eq!(
        solve_mix(|_| 0.0, &ALL_COVERED).0,
        Mix::only(Strategy::AnswerAugmentation)
    );
}

fn situation() -> impl Generator<Value = Situation> {
    (0_u64..30_000, 0.0..=1.0_f64, any::<[bool; 3]>()).prop_map(|(seeds, uncovered_share, worth)| Situation {
        seeds,
        uncovered_share,
        worth: worth.into(),
    })
}

proptest! {
    #[test]
    fn shares_sum_to_one(situation in situation(), ratio in 0.0..200.0_f64) {
        let (mix, _) = mix(ratio, &situation);
        prop_assert!((mix.shares().total() - 1.0).abs() < 1e-12);
        prop_assert!(mix.shares().values().all(|share| (0.0..=1.0).contains(share)), "{mix:?}");
    }

    #[test]
    fn no_jump_anywhere(situation in situation(), ratio in 0.0..200.0_f64) {
        // The steepest slope is one over the narrowest band, 4.4 ratios wide.
        let (a, b) = (mix(ratio, &situation).0, mix(ratio + 1e-6, &situation).0);
        for (x, y) in a.shares().values().zip(b.shares().values()) {
            prop_assert!((x - y).abs() < 1e-6, "{a:?} {b:?}");
        }
    }

    #[test]
    fn more_budget_never_means_fewer_new_prompts(
        situation in situation(), ratio in 0.0..100.0_f64, more in 0.0..100.0_f64,
    ) {
        let (a, b) = (mix(ratio, &situation).0, mix(ratio + more, &situation).0);
        prop_assert!(b.answer_augmentation <= a.answer_augmentation + 1e-12);
        prop_assert!(b.new_question >= a.new_question - 1e-12);
    }

    #[test]
    fn the_fixed_point_is_one(
        situation in situation(), budget in 0.0..1.0e6_f64, dearer in 1.0..5.0_f64, dearest in 1.0..5.0_f64,
    ) {
        let cost = |m: &Mix| m.answer_augmentation + dearer * m.rephrasing + dearer * dearest * m.new_question;
        let (chosen, reason) = solve_mix(|m| budget / cost(m), &situation);
        let (again, _) = mix(reason.budget_ratio, &situation);
        for (x, y) in chosen.shares().values().zip(again.shares().values()) {
            prop_assert!((x - y).abs() < 1e-6, "{chosen:?} {again:?}");
        }
    }

    #[test]
    fn splitting_loses_no_sample(situation in situation(), ratio in 0.0..100.0_f64, samples in 0_u64..1_000_000) {
        let (mix, _) = mix(ratio, &situation);
        let parts = mix.split(samples);
        prop_assert_eq!(parts.total(), samples);
        for (part, share) in parts.values().zip(mix.shares().values()) {
            prop_assert!((*part as f64 - share * samples as f64).abs() <= 1.0);
        }
    }
}
