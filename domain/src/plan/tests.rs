//! What has to hold for any run: it ends, and it ends for the right reason.

use proptest::prelude::{prop_assert, prop_assert_ne, proptest};

use super::*;

/// A service whose calls each cost the same, less than the worst case that is reserved for them.
#[derive(Debug, Clone, Copy)]
struct Service {
    worst_micros: u64,
    cost_micros: u64,
    accepted_of_ten: u64,
}

fn policy(rounds: u32, pilot: f64, prior_micros: u64) -> Policy {
    let mut prior = Estimate {
        acceptance: 0.5,
        ..Estimate::default()
    };
    prior.stages[0] = StageCost {
        calls: 1.0,
        usd_micros: prior_micros as f64,
        ..StageCost::default()
    };
    Policy {
        strategy: StrategyChoice::AnswerAugmentation,
        rows_max: u64::MAX,
        rows_max_reason: "no bound".to_owned(),
        pilot,
        rounds,
        rephrasings_per_seed: 1,
        prior: [prior; 3],
        steering: None,
        evidence: None,
    }
}

fn at_first(limit: u64) -> Snapshot {
    Snapshot {
        rounds_done: 0,
        seeds: 100,
        uncovered_share: 0.0,
        limit: Limit {
            usd: Some(MicroUsd(limit)),
            calls: None,
        },
        used: Amount::ZERO,
        tallies: std::array::from_fn(|_| Tally::default()),
        last: None,
        concepts: Vec::new(),
        measured: Measured::default(),
    }
}

/// Carries a round out as the coordinator does: a candidate begins when its worst case is covered.
fn carry_out(plan: &Plan, snapshot: &mut Snapshot, service: Service) {
    let mut last = LastRound {
        candidates: 0,
        accepted: 0,
        unfunded: 0,
        limit: plan.limit,
        mix: plan.mix,
        aimed: 0,
        counted: 0,
    };
    for _ in 0..plan.candidates.iter().sum::<u64>() {
        let mut paid = Amount {
            usd: MicroUsd(service.worst_micros),
            calls: 1,
            ..Amount::ZERO
        };
        let funded = snapshot.limit.covers(snapshot.used + paid);
        last.candidates += 1;
        if funded {
            paid.usd = MicroUsd(service.cost_micros);
            snapshot.used += paid;
        } else {
            paid = Amount::ZERO;
            last.unfunded += 1;
        }
        let accepted = funded && last.candidates % 10 < service.accepted_of_ten;
        last.accepted += u64::from(accepted);
        snapshot.tallies[0].count(accepted, false, &[(Stage::Generate, paid)]);
    }
    snapshot.rounds_done += 1;
    snapshot.last = Some(last);
}

/// Goes on to the end; returns it with the candidates that found no money.
fn run(snapshot: &mut Snapshot, policy: &Policy, service: Service) -> (End, u64) {
    let mut unfunded = 0;
    for _ in 0..200 {
        match next(snapshot, policy) {
            Next::End(end) => return (end, unfunded),
            Next::Round(plan) => carry_out(&plan, snapshot, service),
        }
        unfunded += snapshot.last.map_or(0, |last| last.unfunded);
    }
    panic!("no end in sight after 200 rounds: {snapshot:?}");
}

proptest! {
    #[test]
    fn every_run_ends(
        limit in 1u64..2_000_000, worst_micros in 1u64..50_000, share in 1u64..=100, prior in 1u64..50_000,
        accepted_of_ten in 0u64..=10, rounds in 1u32..12, pilot in 0.0f64..=0.05,
    ) {
        let cost_micros = (worst_micros * share / 100).max(1);
        let service = Service { worst_micros, cost_micros, accepted_of_ten };
        let mut snapshot = at_first(limit);
        let (end, _) = run(&mut snapshot, &policy(rounds, pilot, prior), service);
        prop_assert_ne!(end.clone(), End::SeedsUsedUp);
        let rest = limit - snapshot.used.usd.0;
        prop_assert!(end != End::BudgetSpent || rest < worst_micros + worst_micros.max(prior) , "{rest} left over");
    }
}

proptest! {
    /// Rephrasings run out by the number of seeds, and what takes their place may cost several times as much.
    #[test]
    fn nothing_is_expected_to_cost_more_than_there_is(
        limit in 10_000u64..5_000_000, seeds in 1u64..500, per_seed in 1u32..8, dearer in 1u64..8, calls in 1u64..4,
    ) {
        let mut policy = policy(4, 0.05, 200);
        policy.strategy = StrategyChoice::Auto;
        policy.rephrasings_per_seed = per_seed;
        policy.prior[2].stages[0] = StageCost { calls: calls as f64, usd_micros: (200 * dearer) as f64, ..StageCost::default() };
        let mut snapshot = at_first(limit);
        snapshot.seeds = seeds;
        let usd: f64 = outlook(&snapshot, &policy).usd_micros.iter().sum();
        prop_assert!(usd <= limit as f64 + 1_600.0, "{usd} of {limit}");
        if let Next::Round(plan) = next(&snapshot, &policy) {
            let usd: f64 = plan.expected.usd_micros.iter().sum();
            prop_assert!(usd <= limit as f64 + 1_600.0, "{usd} of {limit}");
        }
    }
}

/// A tenth of the worst case is what calls cost: what is left over seems to pay for ten of them, and pays for none.
#[test]
fn a_rest_that_covers_no_worst_case_ends_the_run() {
    let service = Service {
        worst_micros: 10_000,
        cost_micros: 1_000,
        accepted_of_ten: 5,
    };
    let policy = policy(4, 0.05, 1_000);
    let mut snapshot = at_first(1_000_000);
    let (end, unfunded) = run(&mut snapshot, &policy, service);
    assert_eq!(end, End::BudgetSpent);
    assert!(unfunded <= 30, "{unfunded} candidates were planned for nothing");

    snapshot.limit.usd = Some(MicroUsd(1_100_000));
    assert!(
        matches!(next(&snapshot, &policy), Next::Round(_)),
        "a raised budget pays for more"
    );
    assert_eq!(run(&mut snapshot, &policy, service).0, End::BudgetSpent);
}

#[test]
fn a_strategy_whose_rows_are_not_kept_is_given_up() {
    let auto = Policy {
        strategy: StrategyChoice::Auto,
        rephrasings_per_seed: 4,
        ..policy(4, 0.0, 100)
    };
    let planned = |snapshot: &Snapshot, policy: &Policy| match next(snapshot, policy) {
        Next::Round(plan) => (plan.candidates, plan.reason),
        Next::End(end) => panic!("ended: {end}"),
    };
    // Five samples a seed: further answers, until they are proven to be thrown away.
    let mut snapshot = at_first(50_000);
    snapshot.rounds_done = 1;
    let (candidates, _) = planned(&snapshot, &auto);
    assert!(candidates[0] > 0 && candidates[1..] == [0, 0], "{candidates:?}");
    snapshot.tallies[0].candidates = 60;
    let (candidates, reason) = planned(&snapshot, &auto);
    assert_eq!(candidates[0], 0, "{reason}");
    assert!(
        candidates[1] > 0 && reason.contains("hardly ever kept"),
        "{reason}"
    );
    // Calls that failed say nothing of what would be kept.
    snapshot.tallies[0].undecided = 60;
    assert!(planned(&snapshot, &auto).0[0] > 0);
    // Where nothing is worth it, what was kept most often is tried, and never what is known to bring nothing.
    let mut poor = at_first(50_000);
    poor.rounds_done = 1;
    for (tally, accepted) in poor.tallies.iter_mut().zip([0, 4, 20]) {
        (tally.candidates, tally.accepted) = (200, accepted);
    }
    let mut hopeless = auto.clone();
    hopeless.prior[0].acceptance = 0.0;
    let (candidates, _) = planned(&poor, &hopeless);
    assert!(candidates[..2] == [0, 0] && candidates[2] > 0, "{candidates:?}");
    // What is known before needs no proof.
    let mut known = auto.clone();
    known.prior[0].acceptance = 0.0;
    assert_eq!(planned(&at_first(50_000), &known).0[0], 0);
    // Once every rephrasing that may be kept is there, new questions take over, not the answers.
    let mut full = at_first(500_000);
    full.rounds_done = 1;
    full.tallies[1].accepted = 400;
    full.tallies[1].candidates = 500;
    let (candidates, _) = planned(&full, &known);
    assert!(candidates[..2] == [0, 0] && candidates[2] > 0, "{candidates:?}");
}
