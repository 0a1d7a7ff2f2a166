//! What has to hold for any run: it ends, and it ends for the right reason.

use proptest::prelude::{prop_assert, prop_assert_ne, proptest};

use super::*;
use crate::stage::Stage;

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
        prior: ByStrategy::all(prior),
        steering: None,
        calibrates: false,
        evidence: None,
        recipes: Vec::new(),
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
        tallies: ByStrategy::default(),
        tries: Tries::new(100),
        barren: BTreeMap::new(),
        last: None,
        concepts: Vec::new(),
        measured: Measured::default(),
        teacher_checks: Vec::new(),
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
    for _ in 0..plan.candidates.total() {
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
        snapshot.tallies[Strategy::AnswerAugmentation].count(accepted, !funded, &[(Stage::Generate, paid)]);
        if funded {
            let seed = last.candidates % snapshot.seeds;
            snapshot.tries.keep(Strategy::AnswerAugmentation, seed, accepted);
        }
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
        prop_assert!(end != End::BudgetSpent || rest < worst_micros + 8 * worst_micros.max(prior), "{rest} left over");
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
        policy.prior[Strategy::NewQuestion].stages[0] = StageCost { calls: calls as f64, usd_micros: (200 * dearer) as f64, ..StageCost::default() };
        let mut snapshot = at_first(limit);
        snapshot.seeds = seeds;
        snapshot.tries = Tries::new(seeds);
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
        Next::Round(plan) => (<[u64; 3]>::from(plan.candidates), plan.reason),
        Next::End(end) => panic!("ended: {end}"),
    };
    // Five samples a seed: further answers, until they are proven to be thrown away.
    let mut snapshot = at_first(50_000);
    snapshot.rounds_done = 1;
    let (candidates, _) = planned(&snapshot, &auto);
    assert!(candidates[0] > 0 && candidates[1..] == [0, 0], "{candidates:?}");
    snapshot.tallies[Strategy::AnswerAugmentation].candidates = 60;
    snapshot.tries.spread(Strategy::AnswerAugmentation, 60, 0);
    let (candidates, reason) = planned(&snapshot, &auto);
    assert_eq!(candidates[0], 0, "{reason}");
    assert!(
        candidates[1] > 0 && reason.contains("hardly ever kept"),
        "{reason}"
    );
    // Calls that failed say nothing of what would be kept.
    snapshot.tallies[Strategy::AnswerAugmentation].undecided = 60;
    snapshot.tries = Tries::new(100);
    assert!(planned(&snapshot, &auto).0[0] > 0);
    // Where nothing is worth it, what was kept most often is tried, and never what is known to bring nothing.
    let mut poor = at_first(50_000);
    poor.rounds_done = 1;
    for (strategy, accepted) in Strategy::ALL.into_iter().zip([0, 4, 20]) {
        let tally = &mut poor.tallies[strategy];
        (tally.candidates, tally.accepted) = (200, accepted);
        poor.tries.spread(strategy, 200, accepted);
    }
    let mut hopeless = auto.clone();
    hopeless.prior[Strategy::AnswerAugmentation].acceptance = 0.0;
    let (candidates, _) = planned(&poor, &hopeless);
    assert!(candidates[..2] == [0, 0] && candidates[2] > 0, "{candidates:?}");
    // What is known before needs no proof.
    let mut known = auto.clone();
    known.prior[Strategy::AnswerAugmentation].acceptance = 0.0;
    assert_eq!(planned(&at_first(50_000), &known).0[0], 0);
    // Once every rephrasing that may be kept is there, new questions take over, not the answers.
    let mut full = at_first(500_000);
    full.rounds_done = 1;
    full.tallies[Strategy::Rephrasing].accepted = 400;
    full.tallies[Strategy::Rephrasing].candidates = 500;
    full.tries.spread(Strategy::Rephrasing, 500, 400);
    let (candidates, _) = planned(&full, &known);
    assert!(candidates[..2] == [0, 0] && candidates[2] > 0, "{candidates:?}");
}

/// Rephrasings over a few seeds, each accepted three times in five: as a run goes that once spent a third of its calls on full seeds.
#[test]
fn seeds_that_are_full_are_not_visited() {
    let policy = Policy {
        strategy: StrategyChoice::Rephrasing,
        rephrasings_per_seed: 4,
        ..policy(4, 0.05, 100)
    };
    let mut snapshot = at_first(10_000_000);
    let (mut rounds, mut asked) = (Vec::new(), 0);
    let end = loop {
        let plan = match next(&snapshot, &policy) {
            Next::End(end) => break end,
            Next::Round(plan) => plan,
        };
        let before = snapshot.tries.room(4, 0.6);
        let mut last = LastRound {
            candidates: 0,
            accepted: 0,
            unfunded: 0,
            limit: plan.limit,
            mix: plan.mix,
            aimed: 0,
            counted: 0,
        };
        for spec in Visit::new(&plan, snapshot.seeds) {
            let Start::Anchor(seed) = spec.start else {
                panic!("aimed at nothing: {spec:?}");
            };
            asked += 1;
            let kept = (asked * 7) % 5 < 3;
            last.candidates += 1;
            last.accepted += u64::from(kept);
            snapshot.tallies[Strategy::Rephrasing].count(kept, false, &[]);
            snapshot.tries.keep(Strategy::Rephrasing, seed, kept);
        }
        assert!(last.candidates <= before.total(), "never more than there is room");
        rounds.push(last.candidates);
        snapshot.rounds_done += 1;
        snapshot.last = Some(last);
        assert!(rounds.len() < 30, "{rounds:?}");
    };
    assert_eq!(end, End::SeedsUsedUp);
    // Four of each of a hundred seeds, but for what is not worth another round.
    let kept = snapshot.tallies[Strategy::Rephrasing].accepted;
    assert!((393..=400).contains(&kept), "{kept} in {rounds:?}");
    // 400 / .6, and no more: nothing is asked of a full seed.
    assert!((640..=690).contains(&asked), "{asked} in {rounds:?}");
    assert!(rounds.len() <= 8, "{rounds:?}");
}

#[test]
fn rows_are_there_in_a_few_rounds_and_never_more_than_wanted() {
    let policy = Policy {
        rows_max: 1_000,
        ..policy(4, 0.05, 100)
    };
    let service = Service {
        worst_micros: 100,
        cost_micros: 100,
        accepted_of_ten: 5,
    };
    let mut snapshot = at_first(10_000_000);
    let (end, _) = run(&mut snapshot, &policy, service);
    assert!(matches!(end, End::RowsReached(_)), "{end}");
    assert!(snapshot.rounds_done <= 8, "{} rounds", snapshot.rounds_done);
}

#[test]
fn one_cause_ends_a_run_and_several_do_not() {
    let policy = policy(4, 0.05, 100);
    let after = |barren: &[(Reason, u64)]| {
        let mut snapshot = at_first(1_000_000);
        let tried = barren.iter().map(|(_, rejected)| rejected).sum();
        snapshot.barren = barren.iter().copied().collect();
        snapshot.rounds_done = 1;
        snapshot.tallies[Strategy::AnswerAugmentation].candidates = tried;
        snapshot.last = Some(LastRound {
            candidates: tried,
            accepted: 0,
            unfunded: 0,
            limit: None,
            mix: Mix::only(Strategy::AnswerAugmentation),
            aimed: 0,
            counted: 0,
        });
        match next(&snapshot, &policy) {
            Next::End(end) => Some(end),
            Next::Round(_) => None,
        }
    };
    let cut = |rejected, tried| {
        Some(End::OneCause {
            reason: Reason::Truncated,
            rejected,
            tried,
        })
    };
    assert_eq!(after(&[(Reason::Truncated, 41)]), cut(41, 41));
    assert_eq!(
        after(&[(Reason::Truncated, 38), (Reason::Format, 3)]),
        cut(38, 41)
    );
    assert_eq!(after(&[(Reason::Truncated, 19)]), None, "too few to tell");
    assert_eq!(after(&[(Reason::Truncated, 30), (Reason::Wrong, 11)]), None);
    assert_eq!(
        after(&[(Reason::Truncated, 30), (Reason::Wrong, 30)]),
        Some(End::NothingGained)
    );
    // What no money was left for says nothing of the rest.
    assert_eq!(
        after(&[(Reason::Truncated, 22), (Reason::Unfunded, 9)]),
        cut(22, 22)
    );
    let words = cut(41, 41).map(|end| end.to_string()).unwrap_or_default();
    assert!(
        words.contains("41 of 41")
            && words.contains("`truncated`")
            && words.contains("`generate.max_tokens`"),
        "{words}"
    );
}
