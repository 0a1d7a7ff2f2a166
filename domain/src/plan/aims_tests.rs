use proptest::prelude::{prop, prop_assert, prop_assert_eq, proptest};

use super::super::{End, LastRound, Next, Plan, Purpose, StageCost, Start, Tries, Visit, next};
use super::*;
use crate::amount::{Amount, Limit};
use crate::concept::ConceptProgress;
use crate::evidence::Measured;
use crate::strategy::{ByStrategy, Strategy};

fn estimate(calls: f64) -> Estimate {
    let stage = StageCost {
        calls,
        ..StageCost::default()
    };
    Estimate {
        acceptance: 0.6,
        stages: [stage, StageCost::default(), StageCost::default()],
        fixed_calls: false,
        fall: 0.0,
    }
}

fn policy() -> Policy {
    Policy {
        strategy: StrategyChoice::Auto,
        rows_max: 10_000,
        rows_max_reason: "the ceiling".into(),
        pilot: 0.05,
        rounds: 4,
        rephrasings_per_seed: 4,
        prior: [estimate(1.0), estimate(2.0), estimate(5.0)].into(),
        steering: Some(Steering {
            min_gain: 0.02,
            new_questions: true,
            seedless: true,
            beyond: false,
        }),
        calibrates: false,
        evidence: None,
        recipes: Vec::new(),
    }
}

fn concept(name: &str, target: u64, there: u64, seeds: u64) -> Outlook {
    Outlook {
        progress: ConceptProgress {
            concept: name.into(),
            target,
            real: there,
            ..ConceptProgress::default()
        },
        seeds,
        ..Outlook::default()
    }
}

fn snapshot(concepts: Vec<Outlook>) -> Snapshot {
    Snapshot {
        rounds_done: 1,
        seeds: 50,
        uncovered_share: 0.0,
        limit: Limit {
            usd: None,
            calls: Some(100_000),
        },
        used: Amount::ZERO,
        tallies: Default::default(),
        tries: Tries::new(50),
        barren: Default::default(),
        last: None,
        concepts,
        measured: Measured::default(),
        teacher_checks: Vec::new(),
    }
}

fn plan(snapshot: &Snapshot, policy: &Policy) -> Plan {
    match next(snapshot, policy) {
        Next::Round(plan) => *plan,
        Next::End(end) => panic!("ended: {end}"),
    }
}

fn last(aimed: u64, counted: u64) -> LastRound {
    LastRound {
        candidates: aimed,
        accepted: aimed / 2,
        unfunded: 0,
        limit: None,
        mix: Mix::only(Strategy::NewQuestion),
        aimed,
        counted,
    }
}

#[test]
fn gaps_are_aimed_at_where_they_are_by_what_fills_them() {
    let concepts = vec![
        concept("met", 20, 30, 30),
        concept("seeded", 20, 12, 12),
        concept("empty", 20, 0, 0),
        concept("counted only", 0, 3, 3),
    ];
    let plan = plan(&snapshot(concepts), &policy());
    let aims: Vec<(&str, u64, [u64; 3])> = plan
        .aims
        .iter()
        .map(|aim| (aim.name.as_str(), aim.open, aim.candidates.into()))
        .collect();
    // 8 rows at .6 by rephrasing; 20 rows at .6 × .7 by new questions.
    assert_eq!(aims, [("seeded", 8, [0, 14, 0]), ("empty", 20, [0, 0, 48])]);
    assert_eq!(
        (plan.purpose, plan.candidates, plan.free()),
        (Purpose::Production, [0, 14, 48].into(), ByStrategy::default())
    );
    assert!(
        plan.reason.contains("1 of 3 concepts") && plan.reason.contains("\"empty\" 0/20"),
        "{}",
        plan.reason
    );
}

#[test]
fn a_pilot_tries_both_ways() {
    let mut first = snapshot(vec![concept("seeded", 20, 12, 12)]);
    first.rounds_done = 0;
    let plan = plan(&first, &policy());
    assert_eq!(
        (plan.purpose, plan.candidates),
        (Purpose::Pilot, [0, 7, 7].into())
    );
}

#[test]
fn a_concept_whose_rephrasings_are_used_up_gets_new_questions() {
    let mut used = concept("few seeds", 20, 2, 2);
    used.rephrased = 5;
    let aim = &plan(&snapshot(vec![used]), &policy()).aims[0];
    // Room for three more rephrasings, at .6 each; the rest by new questions.
    assert_eq!(
        aim.candidates,
        [0, 3, ((18.0 - 3.0 * 0.6) / 0.42f64).ceil() as u64]
    );
}

#[test]
fn what_a_concept_yielded_is_learned() {
    let mut poor = concept("poor", 20, 0, 0);
    poor.yields[Strategy::NewQuestion].tally.candidates = 60;
    poor.yields[Strategy::NewQuestion].tally.stages[0].calls = 300.0;
    poor.yields[Strategy::NewQuestion].counted = 6;
    let aims = plan(&snapshot(vec![poor, concept("unknown", 20, 0, 0)]), &policy()).aims;
    let names: Vec<&str> = aims.iter().map(|aim| aim.name.as_str()).collect();
    assert_eq!(names, ["unknown", "poor"], "the cheaper to complete comes first");
    assert!(
        aims[1].candidates[Strategy::NewQuestion] > 120,
        "a tenth counts: {aims:?}"
    );
    assert!(
        aims[0].candidates[Strategy::NewQuestion] > 60,
        "others are believed to be poor too: {aims:?}"
    );
    assert!(aims[0].candidates[Strategy::NewQuestion] < aims[1].candidates[Strategy::NewQuestion]);
}

#[test]
fn runs_end_when_targets_are_met_or_nothing_more_is_gained() {
    let ended = |snapshot: &Snapshot, policy: &Policy| match next(snapshot, policy) {
        Next::End(end) => Some(end),
        Next::Round(_) => None,
    };
    let met = snapshot(vec![concept("met", 20, 20, 3)]);
    assert_eq!(ended(&met, &policy()), Some(End::TargetsMet));
    let mut beyond = policy();
    beyond.steering.as_mut().unwrap().beyond = true;
    assert_eq!(ended(&met, &beyond), None, "the job wants rows besides");
    let mut stuck = snapshot(vec![concept("open", 20, 0, 0)]);
    stuck.last = Some(last(400, 7));
    assert_eq!(
        ended(&stuck, &policy()),
        Some(End::GainTooSmall {
            aimed: 400,
            counted: 7
        })
    );
    stuck.last = Some(last(400, 8));
    assert_eq!(ended(&stuck, &policy()), None);
    let mut hopeless = concept("hopeless", 20, 0, 0);
    hopeless.yields[Strategy::NewQuestion].tally.candidates = 300;
    let end = ended(&snapshot(vec![hopeless.clone()]), &policy());
    assert_eq!(
        end,
        Some(End::GainTooSmall {
            aimed: 300,
            counted: 0
        })
    );
    let others = plan(&snapshot(vec![hopeless, concept("open", 20, 0, 0)]), &policy());
    assert_eq!(others.aims.len(), 1, "the others are still aimed at");
}

#[test]
fn rounds_too_small_to_be_judged_by_are_judged_together() {
    let one = last(20, 0);
    assert_eq!(one.aimed_so_far(), (20, 0));
    let two = last(one.aimed_so_far().0 + 31, 0);
    let mut stuck = snapshot(vec![concept("open", 20, 0, 0)]);
    stuck.last = Some(one);
    assert!(matches!(next(&stuck, &policy()), Next::Round(_)));
    stuck.last = Some(two);
    assert!(matches!(
        next(&stuck, &policy()),
        Next::End(End::GainTooSmall {
            aimed: 51,
            counted: 0
        })
    ));
    assert_eq!(two.aimed_so_far(), (0, 0), "and the next is counted anew");
}

#[test]
fn an_answer_that_must_stand_in_a_passage_needs_seeds_or_passages() {
    let mut grounded = policy();
    grounded.steering.as_mut().unwrap().seedless = false;
    let told = Outlook {
        passages: 3,
        ..concept("told", 20, 0, 0)
    };
    let concepts = vec![concept("empty", 20, 0, 0), concept("seeded", 20, 1, 1), told];
    let aims = plan(&snapshot(concepts), &grounded).aims;
    assert_eq!(
        aims.iter().map(|aim| aim.name.as_str()).collect::<Vec<_>>(),
        ["seeded", "told"]
    );
}

/// What there is to aim at as text: a line each, `name open/seeds: rephrasings + new questions`.
fn told(snapshot: &Snapshot, policy: &Policy) -> String {
    let line = |aim: Aim| {
        let [_, rephrased, new] = aim.candidates.into();
        format!("{} {}/{}: {rephrased} + {new}\n", aim.name, aim.open, aim.seeds)
    };
    match wanted(snapshot, policy, &policy.prior) {
        Wanted::Aims(aims) => aims.into_iter().map(line).collect(),
        other => format!("{other:?}"),
    }
}

/// With so many calls left.
fn with_left(concepts: Vec<Outlook>, calls: u64) -> Snapshot {
    let mut snapshot = snapshot(concepts);
    snapshot.limit.calls = Some(calls);
    snapshot
}

#[test]
fn a_budget_that_fills_one_concept_fills_the_cheapest_and_not_a_part_of_each() {
    let concepts = || {
        vec![
            concept("far", 30, 2, 1),
            concept("near", 30, 26, 8),
            concept("middle", 30, 13, 20),
        ]
    };
    // Four rows at .6 take seven rephrasings; seventeen take twenty-nine; twenty-eight take new questions, of five calls each.
    assert_eq!(
        told(&with_left(concepts(), 80), &policy()),
        "near 4/8: 7 + 0\nmiddle 17/20: 29 + 0\nfar 28/1: 1 + 0\n"
    );
    assert_eq!(
        told(&with_left(concepts(), 41), &policy()),
        "near 4/8: 7 + 0\nmiddle 17/20: 13 + 0\n"
    );
    assert_eq!(told(&with_left(concepts(), 11), &policy()), "near 4/8: 5 + 0\n");
    let plan = plan(&with_left(concepts(), 41), &policy());
    assert!(
        plan.reason.contains("1 more cost more than is left"),
        "{}",
        plan.reason
    );
}

#[test]
fn the_cheapest_row_is_bought_first_in_every_round() {
    // A quarter of the budget a round: room for all rephrasings, and for some of the new questions.
    let mut early = snapshot(vec![concept("a", 30, 5, 5), concept("b", 30, 5, 5)]);
    early.limit.calls = Some(800);
    let aims = plan(&early, &policy()).aims;
    let [_, rephrased, new] = total(&aims).into();
    assert_eq!(rephrased, 40, "all twenty of either concept: {aims:?}");
    assert!(new > 0, "and the rest of the round: {aims:?}");
}

#[test]
fn the_dearer_way_comes_first_once_it_brings_more_for_its_cost() {
    let mut stale = concept("stale", 20, 10, 5);
    stale.yields[Strategy::Rephrasing].tally.candidates = 60;
    stale.yields[Strategy::Rephrasing].tally.stages[0].calls = 120.0;
    stale.yields[Strategy::Rephrasing].counted = 3;
    assert_eq!(
        told(&with_left(vec![stale], 1_000), &policy()),
        "stale 10/5: 0 + 24\n"
    );
}

#[test]
fn a_way_and_then_a_concept_is_given_up_after_none_of_so_many() {
    let mut careful = policy();
    careful.steering.as_mut().unwrap().min_gain = 0.05;
    let after = |new: u64, rephrased: u64| {
        let mut barren = concept("barren", 20, 4, 4);
        barren.yields[Strategy::NewQuestion].tally.candidates = new;
        barren.yields[Strategy::Rephrasing].tally.candidates = rephrased;
        let mut state = snapshot(vec![barren, concept("open", 20, 0, 0)]);
        super::super::give_up(&mut state, &careful);
        state
    };
    // z²/(n + z²) < .05 from n = 73 on.
    let tried = after(72, 0);
    assert!(
        plan(&tried, &careful)
            .aims
            .iter()
            .any(|aim| aim.candidates[Strategy::Rephrasing] > 0 && aim.candidates[Strategy::NewQuestion] > 0)
    );
    let one_way = after(73, 0);
    let of_barren = plan(&one_way, &careful)
        .aims
        .into_iter()
        .find(|aim| aim.name == "barren");
    assert_eq!(
        of_barren.map(|aim| aim.candidates[Strategy::NewQuestion]),
        Some(0),
        "no new questions any more"
    );
    assert_eq!(one_way.concepts[0].progress.given_up, None);
    let both = after(73, 73);
    let why = both.concepts[0].progress.given_up.unwrap();
    assert_eq!((why.aimed, why.counted), (146, 0));
    let plan = plan(&both, &careful);
    assert_eq!(plan.aims.len(), 1, "{:?}", plan.aims);
    assert!(
        plan.reason
            .contains("\"barren\" is given up: none of 146 candidates counts."),
        "{}",
        plan.reason
    );
    assert!(
        plan.concepts[0].given_up.is_some(),
        "and it is stored with the plan"
    );
}

#[test]
fn a_round_is_shared_out_evenly_and_to_the_last_candidate() {
    let aim = |concept, candidates: [u64; 3]| Aim {
        concept,
        name: String::new(),
        open: 1,
        seeds: 1,
        candidates: candidates.into(),
        visited: ByStrategy::default(),
        rephrasings: PerSeed::default(),
    };
    let aims = || vec![aim(0, [0, 6, 9]), aim(1, [0, 3, 30]), aim(2, [0, 0, 3])];
    let shares = |size| -> Vec<(u32, [u64; 3])> {
        let aims = limited(aims(), size).into_iter();
        aims.map(|aim| (aim.concept, aim.candidates.into())).collect()
    };
    assert_eq!(shares(100).len(), 3);
    assert_eq!(shares(23), [(0, [0, 6, 3]), (1, [0, 3, 10]), (2, [0, 0, 1])]);
    assert_eq!(shares(5), [(0, [0, 3, 0]), (1, [0, 2, 0])]);
    assert_eq!(shares(0), []);
}

proptest! {
    #[test]
    fn a_full_concept_is_never_planned_for_and_the_aims_fit_what_is_left(
        gaps in prop::collection::vec((0u64..60, 0u64..60, 0u64..9, 0u64..80), 1..40), calls in 20u64..4_000, money in 0u64..3,
    ) {
        let concepts = gaps.iter().enumerate().map(|(i, (target, there, seeds, tried))| {
            let mut concept = concept(&i.to_string(), *target, *there, *seeds);
            concept.yields[Strategy::NewQuestion].tally.candidates = *tried;
            concept.yields[Strategy::NewQuestion].tally.stages[0].calls = 5.0 * *tried as f64;
            concept
        });
        let mut snapshot = snapshot(concepts.collect());
        snapshot.limit.calls = Some(calls);
        snapshot.limit.usd = (money > 0).then(|| crate::amount::MicroUsd(money * 1_000));
        let policy = policy();
        super::super::give_up(&mut snapshot, &policy);
        let estimates = ByStrategy::of(|strategy| policy.prior[strategy].after(&snapshot.tallies[strategy]));
        if let Wanted::Aims(aims) = wanted(&snapshot, &policy, &estimates) {
            let mut calls_needed = 0.0;
            for aim in &aims {
                let concept = &snapshot.concepts[aim.concept as usize];
                prop_assert!(concept.progress.open() > 0, "{} is full", aim.name);
                prop_assert!(concept.progress.given_up.is_none(), "{} is given up", aim.name);
                prop_assert!(aim.candidates[Strategy::Rephrasing] <= 4 * concept.seeds);
                calls_needed += 2.0 * aim.candidates[Strategy::Rephrasing] as f64;
                calls_needed += 5.0 * aim.candidates[Strategy::NewQuestion] as f64;
            }
            prop_assert!(calls_needed <= calls as f64 + 5.0, "{} of {}", calls_needed, calls);
        }
    }

    #[test]
    fn a_plan_never_exceeds_its_size_and_its_visit_is_its_aims(
        gaps in prop::collection::vec((0u64..60, 0u64..40, 0u64..9), 1..40), calls in 1u64..4_000,
    ) {
        let concepts = gaps.iter().enumerate().map(|(i, (target, there, seeds))| concept(&i.to_string(), *target, *there, *seeds));
        let mut snapshot = snapshot(concepts.collect());
        snapshot.limit.calls = Some(calls);
        if let Next::Round(plan) = next(&snapshot, &policy()) {
            let total: u64 = plan.candidates.total();
            prop_assert!(plan.expected.calls.iter().sum::<f64>() <= calls as f64 + 1.0);
            if !plan.aims.is_empty() {
                prop_assert_eq!(plan.free(), ByStrategy::default());
            }
            let specs: Vec<_> = Visit::new(&plan, 50).collect();
            prop_assert_eq!(specs.len() as u64, total);
            for aim in &plan.aims {
                prop_assert!(aim.open > 0);
                let own = specs.iter().filter(|spec| spec.concept == Some(aim.concept));
                prop_assert_eq!(own.clone().count() as u64, aim.candidates.total());
                for spec in own {
                    match spec.start {
                        Start::Own(place) => prop_assert!(place < aim.seeds),
                        Start::Anchor(place) => prop_assert!(aim.seeds == 0 && place < 50),
                    }
                }
            }
        }
    }
}
