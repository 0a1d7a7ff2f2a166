//! Laws of the forecast, and its parts against tables.

use proptest::prelude::{ProptestConfig, prop_assert, proptest};

use super::super::{Estimate, LastRound, StageCost, Tries};
use super::*;
use crate::amount::{Amount, Limit, MicroUsd};
use crate::evidence::{Costs, Known, Measured, Seen, Terms};
use crate::job::StrategyChoice;
use crate::strategy::Strategy;

fn estimate(acceptance: f64, calls: f64, fall: f64) -> Estimate {
    let mut estimate = Estimate {
        acceptance,
        fall,
        ..Estimate::default()
    };
    estimate.stages[0] = StageCost {
        calls,
        usd_micros: 200.0 * calls,
        ..StageCost::default()
    };
    estimate
}

fn policy(strategy: StrategyChoice, rows_max: u64) -> Policy {
    Policy {
        strategy,
        rows_max,
        rows_max_reason: String::new(),
        pilot: 0.05,
        rounds: 4,
        rephrasings_per_seed: 4,
        prior: [
            estimate(0.7, 1.0, 0.05),
            estimate(0.6, 2.0, 0.05),
            estimate(0.5, 5.0, 0.05),
        ]
        .into(),
        steering: None,
        calibrates: false,
        evidence: None,
        recipes: Vec::new(),
    }
}

fn before(seeds: u64, limit: Limit) -> Snapshot {
    Snapshot {
        rounds_done: 0,
        seeds,
        uncovered_share: 0.0,
        limit,
        used: Amount::ZERO,
        tallies: Default::default(),
        tries: Tries::new(seeds),
        barren: Default::default(),
        last: None,
        concepts: Vec::new(),
        measured: Measured::default(),
        teacher_checks: Vec::new(),
    }
}

fn calls(calls: u64) -> Limit {
    Limit {
        usd: None,
        calls: Some(calls),
    }
}

/// Adds candidates of a strategy in turn over the seeds, of which so many in ten are accepted, at so many calls each.
fn tried(snapshot: &mut Snapshot, strategy: Strategy, candidates: u64, of_ten: u64, cost: u64) {
    for n in 0..candidates {
        let accepted = n % 10 < of_ten;
        let amount = Amount {
            calls: cost,
            usd: MicroUsd(200 * cost),
            ..Amount::ZERO
        };
        snapshot.tries.keep(strategy, n % snapshot.seeds, accepted);
        snapshot.tallies[strategy].count(accepted, false, &[(crate::stage::Stage::Generate, amount)]);
        snapshot.used += amount;
    }
    snapshot.rounds_done = 1;
    snapshot.last = Some(LastRound {
        candidates,
        accepted: candidates * of_ten / 10,
        unfunded: 0,
        limit: Some(snapshot.limit),
        mix: Mix::only(strategy),
        aimed: 0,
        counted: 0,
    });
}

fn half_width(range: Range) -> f64 {
    (range.high - range.low) / 2.0 / range.expected
}

#[test]
fn a_pilot_narrows_the_interval_to_a_quarter() {
    let policy = policy(StrategyChoice::NewQuestion, 1_000_000);
    let mut snapshot = before(300, calls(4_000));
    let first = forecast(&snapshot, &policy);
    assert!(half_width(first.rows) > 0.4, "nothing is known yet: {first:?}");
    tried(&mut snapshot, Strategy::NewQuestion, 100, 5, 5);
    let second = forecast(&snapshot, &policy);
    assert!(half_width(second.rows) < 0.25, "{second:?}");
    assert!(
        first.rows.low < second.rows.expected && second.rows.expected < first.rows.high,
        "{first:?} {second:?}"
    );
    tried(&mut snapshot, Strategy::NewQuestion, 400, 5, 5);
    assert!(half_width(forecast(&snapshot, &policy).rows) < 0.12);
}

#[test]
fn a_budget_in_dollars_that_pays_for_no_call_comes_to_none() {
    let policy = policy(StrategyChoice::NewQuestion, 1_000_000);
    let cent = Limit {
        usd: Some(MicroUsd(100)),
        calls: None,
    };
    let calls = forecast(&before(300, cent), &policy).calls;
    assert!(calls.high < 2.0, "{calls:?}");
}

#[test]
fn a_run_that_its_budget_ends_may_spend_all_of_it() {
    let policy = policy(StrategyChoice::NewQuestion, 1_000_000);
    let both = Limit {
        usd: Some(MicroUsd(10_000_000)),
        calls: Some(3_000),
    };
    let forecast = forecast(&before(300, both), &policy);
    assert_eq!(forecast.calls.high, 3_000.0);
    assert!(
        forecast.usd_micros.high < 9_000_000.0,
        "calls are the nearer limit: {forecast:?}"
    );
}

/// Up to 24 questions, each answered four times, and no more than 3 % of the budget.
#[test]
fn measuring_the_teacher_is_in_the_forecast() {
    let alone = policy(StrategyChoice::NewQuestion, 1_000_000);
    let measures = Policy {
        calibrates: true,
        ..alone.clone()
    };
    let rows = |policy: &Policy| forecast(&before(300, calls(3_200)), policy).rows.expected;
    let share = rows(&measures) / rows(&alone);
    assert!((share - 0.97).abs() < 0.003, "{share}");
}

/// A careful pilot kept half of the new questions, at five calls each; it showed a teacher of whom much less has to be asked.
#[test]
fn after_a_pilot_new_questions_are_expected_to_come_to_what_the_next_rule_makes_of_them() {
    let mut snapshot = before(300, calls(4_000));
    tried(&mut snapshot, Strategy::NewQuestion, 60, 5, 5);
    let blind = policy(StrategyChoice::NewQuestion, 1_000_000);
    let terms = Terms {
        target: 0.99,
        required: false,
        lead: None,
        max_samples: 10,
        verify: true,
        judge: None,
        wrong_answers: None,
        answered: true,
        verified_with_answer: true,
        costs: Costs {
            ask: 1.0,
            verify: 1.0,
            answer: 1.0,
            judge: 1.0,
        },
    };
    let seeing = Policy {
        evidence: Some(terms),
        recipes: Vec::new(),
        ..blind.clone()
    };
    assert_eq!(
        forecast(&snapshot, &seeing),
        forecast(&snapshot, &blind),
        "nothing was measured"
    );
    let measured = &mut snapshot.measured;
    for n in 0..50 {
        measured.all.see(Seen {
            votes: if n % 10 == 0 { vec![2, 1] } else { vec![3] },
            verified: Some(true),
        });
        measured.all.know(Known {
            right: 4,
            wrong: Vec::new(),
        });
    }
    (measured.asked, measured.reached, measured.answered) = (60, 50, 48);
    (measured.answers, measured.usable) = (150, 148);
    let (seen, unseen) = (
        forecast(&snapshot, &seeing).rows,
        forecast(&snapshot, &blind).rows,
    );
    assert!(seen.expected > 1.5 * unseen.expected, "{seen:?} {unseen:?}");
}

#[test]
fn what_keeps_a_run_from_more_rows_is_named() {
    let bound =
        |strategy, rows_max, seeds, limit| forecast(&before(seeds, limit), &policy(strategy, rows_max)).bound;
    let auto = StrategyChoice::Auto;
    assert_eq!(bound(auto, 1_000_000, 300, calls(3_000)), Bound::Budget);
    assert_eq!(bound(auto, 500, 300, calls(30_000)), Bound::Rows);
    assert_eq!(
        bound(StrategyChoice::Rephrasing, 1_000_000, 20, calls(30_000)),
        Bound::Seeds
    );
}

#[test]
fn a_bounded_run_leaves_money_and_says_so_in_one_figure() {
    let limit = Limit {
        usd: Some(MicroUsd(1_000_000)),
        calls: None,
    };
    let forecast = forecast(&before(96, limit), &policy(StrategyChoice::Auto, 700));
    assert_eq!((forecast.bound, forecast.rows.expected), (Bound::Rows, 700.0));
    assert!(forecast.usd_micros.expected < 900_000.0, "{forecast:?}");
}

#[test]
fn a_stock_that_runs_out_is_in_the_forecast() {
    let policy = policy(StrategyChoice::AnswerAugmentation, 1_000_000);
    let mut snapshot = before(100, calls(1_500));
    // A fifth is kept of the second lap, and less of what follows.
    tried(&mut snapshot, Strategy::AnswerAugmentation, 100, 6, 1);
    tried(&mut snapshot, Strategy::AnswerAugmentation, 100, 2, 1);
    let rows = forecast(&snapshot, &policy).rows;
    assert!(
        rows.expected < 160.0,
        "80 are there, and hardly as many come: {rows:?}"
    );
}

#[test]
fn quantiles_are_those_of_the_tables() {
    for (share, z) in [
        (0.5, 0.0),
        (0.95, 1.6449),
        (0.05, -1.6449),
        (0.975, 1.96),
        (0.999, 3.0902),
    ] {
        assert!((normal(share) - z).abs() < 1e-3, "{share}");
    }
    let first: Vec<f64> = (1..=5).map(|n| halton(n, 2)).collect();
    assert_eq!(first, [0.5, 0.25, 0.75, 0.125, 0.625]);
    assert_eq!(quantile(&[1.0, 2.0, 3.0], 0.25), 1.5);
    // Beta(6, 4): 5 % below .345, 5 % above .831.
    assert!((beta(0.6, 10.0, -1.645) - 0.345).abs() < 0.04);
    assert!((beta(0.6, 10.0, 1.645) - 0.831).abs() < 0.04);
}

proptest! {
    // Each case is a hundred and more forecasts.
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn an_interval_holds_its_point_and_never_more_than_may_be(
        seeds in 1u64..400, limit in 1u64..50_000, rows_max in 1u64..5_000, strategy in 0usize..4, pilot in 0u64..200, of_ten in 0u64..=10,
    ) {
        let choice = [
            StrategyChoice::Auto, StrategyChoice::AnswerAugmentation, StrategyChoice::Rephrasing, StrategyChoice::NewQuestion,
        ][strategy];
        let policy = policy(choice, rows_max);
        let mut snapshot = before(seeds, calls(limit));
        let tries = pilot.min(limit / 2);
        if tries > 0 {
            tried(&mut snapshot, Strategy::ALL[strategy % 3], tries, of_ten, 1);
        }
        let forecast = forecast(&snapshot, &policy);
        let accepted: u64 = snapshot.tallies.values().map(|tally| tally.accepted).sum();
        for (range, least, most) in [
            (forecast.rows, accepted, rows_max.max(accepted)),
            (forecast.calls, snapshot.used.calls, limit),
        ] {
            prop_assert!(range.low <= range.expected && range.expected <= range.high, "{:?}", range);
            prop_assert!(range.low >= least as f64 && range.high <= most as f64, "{:?} of {}..{}", range, least, most);
        }
        prop_assert!(outlook(&snapshot, &policy).rows <= rows_max.saturating_sub(accepted) as f64 + 1e-6);
    }
}
