//! Which strategies a round samples, and how many samples what is left pays for.

use super::ground::{SMALL, last_rows};
use super::{Estimate, Ground, Plan, Purpose, Snapshot};
use crate::amount::Amount;
use crate::job::StrategyChoice;
use crate::strategy::{self, ByStrategy, Mix, Situation, Strategy};

/// The mix, the budget ratio behind it, and the reason in words.
pub(super) fn choose(ground: &Ground<'_>) -> (Mix, f64, String) {
    let Ground {
        snapshot,
        policy,
        estimates,
        ..
    } = ground;
    // What the strategies cost is a property of the whole budget, not of what is left of it.
    let in_all = |mix: &Mix| affordable_of(snapshot, Amount::ZERO, estimates, mix);
    if let Some(strategy) = policy.strategy.forced() {
        let mix = Mix::only(strategy);
        let ratio = in_all(&mix) / snapshot.seeds.max(1) as f64;
        let reason = format!(
            "The job forces {strategy}; the budget affords {ratio:.1} samples a seed over {} seeds.",
            snapshot.seeds
        );
        return (mix, ratio, reason);
    }
    let situation = Situation {
        seeds: snapshot.seeds,
        uncovered_share: snapshot.uncovered_share,
        worth: ground.worth,
    };
    let (rule, mut reason) = strategy::solve_mix(|rule| in_all(&policy.blended(rule)), &situation);
    for strategy in Strategy::ALL {
        // What the job has no recipe for is not given up.
        reason.worth[strategy] |= !policy.offers(strategy);
    }
    let mix = policy.blended(&rule);
    let reason_of_weights = policy
        .has_fixed()
        .then_some(" The weights of the job's recipes decide on the others.");
    let in_words = format!("{reason}{}", reason_of_weights.unwrap_or_default());
    (mix, reason.budget_ratio, in_words)
}

/// A pilot measures what might be used: the even mix, unless the budget is far from anything but further answers.
pub(super) fn pilot_mix(ground: &Ground<'_>, mix: &Mix, ratio: f64) -> Mix {
    let far = ratio < strategy::lo(ground.snapshot.seeds) / 2.0;
    if ground.policy.strategy != StrategyChoice::Auto || ground.policy.has_fixed() || far {
        return *mix;
    }
    let even = ByStrategy::all(1.0 / Strategy::ALL.len() as f64);
    Mix::of(&even).given_to(&ground.worth)
}

/// Candidates that what is left pays for, by a mix.
pub(super) fn affordable(ground: &Ground<'_>, mix: &Mix) -> f64 {
    affordable_of(ground.snapshot, ground.snapshot.used, &ground.estimates, mix)
}

fn affordable_of(snapshot: &Snapshot, used: Amount, estimates: &ByStrategy<Estimate>, mix: &Mix) -> f64 {
    let mean = |cost: fn(&Estimate) -> f64| mix.mean(|strategy| cost(&estimates[strategy]));
    let axis = |limit: Option<u64>, used: u64, cost: f64| match limit {
        Some(limit) if cost > 0.0 => limit.saturating_sub(used) as f64 / cost,
        Some(_) | None => f64::INFINITY,
    };
    let usd = axis(
        snapshot.limit.usd.map(|usd| usd.0),
        used.usd.0,
        mean(Estimate::usd_micros),
    );
    let calls = axis(snapshot.limit.calls, used.calls, mean(Estimate::calls));
    // Free models under a limit of money alone: only the wanted rows bound the run.
    usd.min(calls).min(1.0e12)
}

/// Rounds beyond the planned ones that use up what estimates left over.
const EXTRA_ROUNDS: u32 = 32;
/// Share of what is affordable that a round of uncertain cost plans: the rest is for the next, better informed one.
const CAUTION: f64 = 0.95;

/// Candidates of the next round; 0 when nothing more can be paid for.
pub(super) fn size(ground: &Ground<'_>, purpose: Purpose, mix: &Mix) -> u64 {
    let policy = ground.policy;
    let affordable = affordable(ground, mix);
    let size = match purpose {
        // Too few to know what is accepted: as many as could all be.
        Purpose::Pilot => (affordable * policy.pilot)
            .floor()
            .max(1.0)
            .min(ground.wanted() as f64),
        Purpose::Production => {
            let done = ground.snapshot.rounds_done - Plan::first_production(policy);
            let left = policy.rounds.saturating_sub(done).max(1);
            let last = left == 1 && done < policy.rounds + EXTRA_ROUNDS;
            let cautious = if last && affordable > SMALL && !certain(ground, mix) {
                affordable * CAUTION
            } else {
                affordable
            };
            let share = (cautious / f64::from(left)).ceil().max(SMALL);
            share.min(candidates_for(ground, mix))
        }
    };
    size.min(affordable).floor().max(0.0) as u64
}

/// Candidates that bring the rows that are still wanted. While those are many, so few that hardly more than those are accepted: what is
/// accepted beyond is paid for and dropped. The last of them are asked for at once, by as many as nine times in ten are enough: a few rows to
/// drop cost less than another round.
fn candidates_for(ground: &Ground<'_>, mix: &Mix) -> f64 {
    let wanted = ground.wanted() as f64;
    let acceptance = mix.mean(|strategy| ground.estimates[strategy].acceptance);
    let acceptance = acceptance.clamp(0.01, 1.0);
    if wanted <= SMALL {
        return (last_rows(wanted) / acceptance).ceil();
    }
    let tallies = ground.snapshot.tallies.values();
    let seen: u64 = tallies.map(|tally| tally.candidates).sum();
    // Two standard deviations: of the share, and of what it makes of as many candidates.
    let variance = acceptance * (1.0 - acceptance) * (1.0 / (seen as f64 + 1.0) + acceptance / wanted);
    let most = (acceptance + 2.0 * variance.sqrt()).min(1.0);
    (wanted / most).floor()
}

/// True when every candidate costs the same number of calls and calls are all that is limited.
fn certain(ground: &Ground<'_>, mix: &Mix) -> bool {
    ground.snapshot.limit.usd.is_none()
        && mix
            .shares()
            .iter()
            .all(|(strategy, share)| *share == 0.0 || ground.policy.prior[strategy].fixed_calls)
}

/// Candidates within what each strategy can use. Where the job leaves the choice, what a strategy cannot use goes to the one of the others
/// that is sampled most: as many candidates as cost the same.
pub(super) fn within(
    ground: &Ground<'_>,
    mut candidates: ByStrategy<u64>,
    most: ByStrategy<u64>,
) -> ByStrategy<u64> {
    for strategy in Strategy::ALL {
        let excess = candidates[strategy].saturating_sub(most[strategy]);
        candidates[strategy] -= excess;
        if excess == 0 || ground.policy.strategy != StrategyChoice::Auto {
            continue;
        }
        let open = |other: &Strategy| ground.worth[*other] && candidates[*other] < most[*other];
        let mut others = Vec::from(Strategy::ALL);
        others.retain(|other| *other != strategy && open(other));
        others.sort_by_key(|other| std::cmp::Reverse(candidates[*other]));
        let Some(other) = others.first().copied() else {
            continue;
        };
        let moved = excess as f64 * cost_ratio(ground, strategy, other);
        candidates[other] = candidates[other].saturating_add(moved as u64).min(most[other]);
    }
    candidates
}

/// Candidates of another strategy that cost as much as one of this, but one at most.
fn cost_ratio(ground: &Ground<'_>, ours: Strategy, theirs: Strategy) -> f64 {
    let [ours, theirs] = [&ground.estimates[ours], &ground.estimates[theirs]];
    let ratio = |ours: f64, theirs: f64| if theirs > 0.0 { ours / theirs } else { 1.0 };
    let limit = ground.snapshot.limit;
    let mut share = 1.0f64;
    if limit.usd.is_some() {
        share = share.min(ratio(ours.usd_micros(), theirs.usd_micros()));
    }
    if limit.calls.is_some() {
        share = share.min(ratio(ours.calls(), theirs.calls()));
    }
    share
}
