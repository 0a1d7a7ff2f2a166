//! Which concepts a round aims at, by which strategy, and when aiming ends.
//!
//! Every concept under its target gets as many candidates as are expected to fill it, by the strategy that fills most for its cost:
//! rephrasings where it has seeds with room for more, new questions elsewhere. What a candidate brings is learned by concept,
//! shrunk towards what its strategy brought over all concepts ([`shrink`]). Where the round cannot hold them all, each concept
//! gets its even part. A further answer to a seed's question is not another question, and fills nothing.

use serde::{Deserialize, Serialize};

use super::estimate::PRIOR_STRENGTH;
use super::{BARREN_CANDIDATES, Estimate, Policy, Snapshot};
use crate::concept::Outlook;
use crate::job::StrategyChoice;
use crate::stats;
use crate::strategy::{Mix, shrink};

/// How rounds aim, decided before a run.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Steering {
    /// Share of aimed candidates that must count towards a target for another round to be worth its cost.
    pub min_gain: f64,
    /// New questions can be assigned to concepts, and so count.
    pub new_questions: bool,
    /// A concept without seeds and passages can be aimed at: an answer needs no passage to stand in.
    pub seedless: bool,
    /// The job wants rows beyond the targets.
    pub beyond: bool,
}

/// Candidates that are aimed at one concept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Aim {
    /// Number of the concept.
    pub concept: u32,
    /// Its name.
    pub name: String,
    /// Rows that it is short of.
    pub open: u64,
    /// Anchor seeds that belong to it; with none, candidates start from any seed's form.
    pub seeds: u64,
    /// Candidates by strategy, in the order of [`Strategy::ALL`](crate::strategy::Strategy::ALL).
    pub candidates: [u64; 3],
    /// Candidates by strategy that earlier rounds aimed at it.
    pub visited: [u64; 3],
}

/// What there is to aim at.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Wanted {
    /// No targets, or none that steer.
    Nothing,
    /// Every target is met.
    Met,
    /// What is open is not worth its cost any more: so many candidates were aimed, so many counted.
    OutOfReach { aimed: u64, counted: u64 },
    /// Candidates that would be expected to fill every target.
    Aims(Vec<Aim>),
}

/// Share of accepted new questions that count for the concept they were aimed at, believed before any is seen.
const PRIOR_ON_TARGET: f64 = 0.7;
/// Least share of candidates that is planned with: a concept with worse luck is told apart by its observations.
const RATE_MIN: f64 = 0.02;
/// Places of rephrasing and new questions in the order of the strategies.
const REPHRASING: usize = 1;
const NEW_QUESTION: usize = 2;

/// What a round would aim at if it could afford everything.
pub(super) fn wanted(snapshot: &Snapshot, policy: &Policy, estimates: &[Estimate; 3]) -> Wanted {
    let Some(steering) = &policy.steering else {
        return Wanted::Nothing;
    };
    if snapshot
        .concepts
        .iter()
        .all(|concept| concept.standing.target == 0)
    {
        return Wanted::Nothing;
    }
    let open = |concept: &&(u32, &Outlook)| concept.1.standing.open() > 0;
    let numbered: Vec<(u32, &Outlook)> = (0..).zip(&snapshot.concepts).collect();
    if !numbered.iter().any(|concept| open(&concept)) {
        return Wanted::Met;
    }
    let (aimed, counted) = snapshot.last.map_or((0, 0), |last| (last.aimed, last.counted));
    if aimed >= BARREN_CANDIDATES && (counted as f64) < steering.min_gain * aimed as f64 {
        return Wanted::OutOfReach { aimed, counted };
    }
    let overall = overall(snapshot, estimates);
    let aims: Vec<Aim> = numbered
        .iter()
        .filter(open)
        .filter(|(_, concept)| worth_it(concept, steering.min_gain))
        .filter_map(|(number, concept)| {
            let candidates = candidates(concept, snapshot, policy, steering, estimates, &overall);
            (candidates.iter().sum::<u64>() > 0).then(|| Aim {
                concept: *number,
                name: concept.standing.concept.clone(),
                open: concept.standing.open(),
                seeds: concept.seeds,
                candidates,
                visited: concept.yields.each_ref().map(|y| y.tally.candidates),
            })
        })
        .collect();
    if aims.is_empty() {
        let yields = || {
            numbered
                .iter()
                .filter(open)
                .flat_map(|(_, concept)| &concept.yields)
        };
        return Wanted::OutOfReach {
            aimed: yields().map(|y| y.tally.candidates).sum(),
            counted: yields().map(|y| y.counted).sum(),
        };
    }
    Wanted::Aims(aims)
}

/// Share of each strategy's candidates that count, over all concepts.
fn overall(snapshot: &Snapshot, estimates: &[Estimate; 3]) -> [f64; 3] {
    std::array::from_fn(|i| {
        let yields = || snapshot.concepts.iter().map(|concept| &concept.yields[i]);
        let counted: u64 = yields().map(|y| y.counted).sum();
        let candidates: u64 = yields().map(|y| y.tally.candidates).sum();
        let on_target = if i == NEW_QUESTION { PRIOR_ON_TARGET } else { 1.0 };
        let prior = estimates[i].acceptance * on_target;
        shrink(prior, PRIOR_STRENGTH, counted as f64, candidates as f64).max(RATE_MIN)
    })
}

/// False when it is proven that aiming at a concept brings less than the least gain.
fn worth_it(concept: &Outlook, min_gain: f64) -> bool {
    let counted = concept.yields.iter().map(|y| y.counted).sum();
    let aimed = concept.yields.iter().map(|y| y.tally.candidates).sum();
    stats::wilson(counted, aimed, stats::Z_95).is_none_or(|share| share.high >= min_gain)
}

/// Candidates by strategy that are expected to fill a concept.
fn candidates(
    concept: &Outlook,
    snapshot: &Snapshot,
    policy: &Policy,
    steering: &Steering,
    estimates: &[Estimate; 3],
    overall: &[f64; 3],
) -> [u64; 3] {
    let may = |i: usize| {
        let chosen = match policy.strategy {
            StrategyChoice::Auto => true,
            StrategyChoice::AnswerAugmentation => false,
            StrategyChoice::Rephrasing => i == REPHRASING,
            StrategyChoice::NewQuestion => i == NEW_QUESTION,
        };
        chosen && (i == REPHRASING || steering.new_questions)
    };
    let room = concept
        .seeds
        .saturating_mul(policy.rephrasings_per_seed.into())
        .saturating_sub(concept.rephrased);
    let rate = |i: usize| {
        let seen = &concept.yields[i];
        let trials = seen.tally.candidates as f64;
        shrink(overall[i], PRIOR_STRENGTH, seen.counted as f64, trials).max(RATE_MIN)
    };
    let in_money = snapshot.limit.usd.is_some() && estimates.iter().any(|e| e.usd_micros() > 0.0);
    let cost = |i: usize| {
        let learned = estimates[i].after(&concept.yields[i].tally);
        let cost = if in_money {
            learned.usd_micros()
        } else {
            learned.calls()
        };
        cost.max(f64::MIN_POSITIVE)
    };
    let mut order = [REPHRASING, NEW_QUESTION];
    if rate(NEW_QUESTION) / cost(NEW_QUESTION) > rate(REPHRASING) / cost(REPHRASING) {
        order.reverse();
    }
    let mut left = concept.standing.open() as f64;
    let mut planned = [0; 3];
    for i in order.into_iter().filter(|i| may(*i)) {
        let most = match i {
            REPHRASING => room,
            _ if concept.seeds > 0 || concept.passages > 0 || steering.seedless => u64::MAX,
            _ => 0,
        };
        let needed = ((left / rate(i)).ceil().max(0.0) as u64).min(most);
        planned[i] = needed;
        left -= needed as f64 * rate(i);
        if left <= 0.0 {
            break;
        }
    }
    planned
}

/// The aims of a pilot, which measures what might be used: where seeds could be rephrased, half of the candidates ask new questions, so
/// that a teacher who fails at one thing is not given up for all.
pub(super) fn explored(mut aims: Vec<Aim>, policy: &Policy) -> Vec<Aim> {
    let asks = policy.steering.is_some_and(|steering| steering.new_questions);
    if asks && policy.strategy == StrategyChoice::Auto {
        for aim in &mut aims {
            let [_, rephrased, new] = &mut aim.candidates;
            let half = *rephrased / 2;
            (*rephrased, *new) = (*rephrased - half, *new + half);
        }
    }
    aims
}

/// Candidates of all aims by strategy.
pub(super) fn total(aims: &[Aim]) -> [u64; 3] {
    aims.iter().fold([0; 3], |sum, aim| {
        std::array::from_fn(|i| sum[i] + aim.candidates[i])
    })
}

/// The mix that aims come to.
pub(super) fn mix(aims: &[Aim]) -> Mix {
    let total = total(aims);
    let all = total.iter().sum::<u64>().max(1) as f64;
    Mix {
        answer_augmentation: total[0] as f64 / all,
        rephrasing: total[1] as f64 / all,
        new_question: total[2] as f64 / all,
    }
}

/// The aims as far as a round of `size` candidates holds them, each concept with its even part; those left with none are dropped.
pub(super) fn limited(mut aims: Vec<Aim>, size: u64) -> Vec<Aim> {
    let all: u64 = total(&aims).iter().sum();
    if all > size {
        let mut left = size;
        // The fraction that each cell loses, the largest first; of equals the earlier.
        let mut lost: Vec<(u128, usize, usize)> = Vec::new();
        for (at, aim) in aims.iter_mut().enumerate() {
            for (i, candidates) in aim.candidates.iter_mut().enumerate() {
                let exact = u128::from(*candidates) * u128::from(size);
                *candidates = (exact / u128::from(all)) as u64;
                left = left.saturating_sub(*candidates);
                lost.push((exact % u128::from(all), at, i));
            }
        }
        lost.sort_by(|a, b| b.0.cmp(&a.0).then((a.1, a.2).cmp(&(b.1, b.2))));
        for (_, at, i) in lost.into_iter().take(left as usize) {
            aims[at].candidates[i] += 1;
        }
    }
    aims.retain(|aim| aim.candidates.iter().sum::<u64>() > 0);
    aims
}

/// Why a round aims as it does, in words.
pub(super) fn reason(snapshot: &Snapshot, aims: &[Aim]) -> String {
    let with_target = || {
        let concepts = snapshot.concepts.iter().map(|concept| &concept.standing);
        concepts.filter(|standing| standing.target > 0)
    };
    let met = with_target().filter(|standing| standing.open() == 0).count();
    let missing: u64 = with_target().map(|standing| standing.open()).sum();
    let [_, rephrased, new] = total(aims);
    let furthest = with_target().max_by(|a, b| a.open().cmp(&b.open()).then(b.concept.cmp(&a.concept)));
    let furthest = furthest.map_or_else(String::new, |standing| {
        let there = standing.real + standing.synthetic;
        format!("; furthest: \"{}\" {there}/{}", standing.concept, standing.target)
    });
    format!(
        "{met} of {} concepts are at their target, {missing} rows are missing{furthest}. {} concepts are aimed at: {rephrased} rephrasings where \
         they have seeds, {new} new questions elsewhere.",
        with_target().count(),
        aims.len()
    )
}

#[cfg(test)]
#[path = "aims_tests.rs"]
mod tests;
