//! Which strategies a round samples, and how many samples what is left pays for.

use super::{Estimate, Policy, Snapshot};
use crate::amount::Amount;
use crate::job::StrategyChoice;
use crate::strategy::{self, Mix, Situation, Strategy};

/// The mix, the budget ratio behind it, and the reason in words.
pub(super) fn choose(snapshot: &Snapshot, policy: &Policy, estimates: &[Estimate; 3]) -> (Mix, f64, String) {
    let total = Snapshot {
        used: Amount::ZERO,
        ..snapshot.clone()
    };
    let forced = match policy.strategy {
        StrategyChoice::Auto => None,
        StrategyChoice::AnswerAugmentation => Some(Strategy::AnswerAugmentation),
        StrategyChoice::Rephrasing => Some(Strategy::Rephrasing),
        StrategyChoice::NewQuestion => Some(Strategy::NewQuestion),
    };
    if let Some(strategy) = forced {
        let mix = Mix::only(strategy);
        let ratio = affordable(&total, estimates, &mix) / snapshot.seeds.max(1) as f64;
        let reason = format!(
            "The job forces {strategy}; the budget affords {ratio:.1} samples a seed over {} seeds.",
            snapshot.seeds
        );
        return (mix, ratio, reason);
    }
    let situation = Situation {
        seeds: snapshot.seeds,
        uncovered_share: snapshot.uncovered_share,
        worth: worth(snapshot, policy, estimates),
    };
    // What the strategies cost is a property of the whole budget, not of what is left of it.
    let (mix, reason) = strategy::solve_mix(|mix| affordable(&total, estimates, mix), &situation);
    (mix, reason.budget_ratio, reason.to_string())
}

/// Acceptance under which a strategy gives its share to others, in the order of [`Strategy::ALL`]: a new question costs several calls.
const FLOORS: [f64; 3] = [0.1, 0.1, 0.3];

/// Whether each strategy is worth sampling: something may come of it by what is known before, and by what came of it so far.
fn worth(snapshot: &Snapshot, policy: &Policy, estimates: &[Estimate; 3]) -> [bool; 3] {
    let possible = |i: usize| policy.prior[i].acceptance > 0.0;
    let worth: [bool; 3] = std::array::from_fn(|i| {
        let tally = &snapshot.tallies[i];
        let observed = strategy::Observed {
            samples: tally.candidates - tally.undecided,
            accepted: tally.accepted,
            spent: 0.0,
        };
        possible(i) && strategy::worth_sampling(&observed, FLOORS[i])
    });
    if worth != [false; 3] {
        return worth;
    }
    // Something must be tried: what has been kept most often of what may be kept at all.
    let best = (0..3)
        .filter(|i| possible(*i))
        .max_by(|a, b| estimates[*a].acceptance.total_cmp(&estimates[*b].acceptance));
    std::array::from_fn(|i| best == Some(i))
}

/// A pilot measures what might be used: the even mix, unless the budget is far from anything but further answers.
pub(super) fn pilot_mix(
    policy: &Policy,
    mix: &Mix,
    ratio: f64,
    snapshot: &Snapshot,
    estimates: &[Estimate; 3],
) -> Mix {
    if policy.strategy != StrategyChoice::Auto || ratio < strategy::lo(snapshot.seeds) / 2.0 {
        return *mix;
    }
    let third = 1.0 / 3.0;
    let even = Mix {
        answer_augmentation: third,
        rephrasing: third,
        new_question: third,
    };
    even.given_to(worth(snapshot, policy, estimates))
}

/// Candidates that what is left pays for, by a mix.
pub(super) fn affordable(snapshot: &Snapshot, estimates: &[Estimate; 3], mix: &Mix) -> f64 {
    let mean = |cost: fn(&Estimate) -> f64| -> f64 {
        mix.shares()
            .iter()
            .zip(estimates)
            .map(|(share, estimate)| share * cost(estimate))
            .sum()
    };
    let axis = |limit: Option<u64>, used: u64, cost: f64| match limit {
        Some(limit) if cost > 0.0 => limit.saturating_sub(used) as f64 / cost,
        Some(_) | None => f64::INFINITY,
    };
    let usd = axis(
        snapshot.limit.usd.map(|usd| usd.0),
        snapshot.used.usd.0,
        mean(Estimate::usd_micros),
    );
    let calls = axis(snapshot.limit.calls, snapshot.used.calls, mean(Estimate::calls));
    // Free models under a limit of money alone: only the wanted rows bound the run.
    usd.min(calls).min(1.0e12)
}

/// True when every candidate costs the same number of calls and calls are all that is limited.
pub(super) fn certain(snapshot: &Snapshot, policy: &Policy, mix: &Mix) -> bool {
    snapshot.limit.usd.is_none()
        && mix
            .shares()
            .iter()
            .zip(&policy.prior)
            .all(|(share, estimate)| *share == 0.0 || estimate.fixed_calls)
}

pub(super) fn cap_rephrasings(
    snapshot: &Snapshot,
    policy: &Policy,
    estimates: &[Estimate; 3],
    mut candidates: [u64; 3],
) -> [u64; 3] {
    let cap = snapshot.seeds.saturating_mul(policy.rephrasings_per_seed.into());
    let room = cap.saturating_sub(snapshot.tallies[1].accepted);
    let excess = candidates[1].saturating_sub(room);
    candidates[1] -= excess;
    if policy.strategy == StrategyChoice::Auto {
        // Prompts run out before answers do: what the excess would have cost goes where the mix already goes most.
        let other = match worth(snapshot, policy, estimates) {
            [true, _, true] if candidates[2] > candidates[0] => 2,
            [true, _, _] => 0,
            [false, _, true] => 2,
            [false, _, false] => return candidates,
        };
        let [ours, theirs] = [&estimates[1], &estimates[other]];
        let ratio = |ours: f64, theirs: f64| if theirs > 0.0 { ours / theirs } else { 1.0 };
        let mut share = 1.0f64;
        if snapshot.limit.usd.is_some() {
            share = share.min(ratio(ours.usd_micros(), theirs.usd_micros()));
        }
        if snapshot.limit.calls.is_some() {
            share = share.min(ratio(ours.calls(), theirs.calls()));
        }
        candidates[other] += (excess as f64 * share) as u64;
    }
    candidates
}
