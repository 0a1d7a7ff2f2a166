//! Which concepts a round aims at, by which strategy, and when aiming ends.
//!
//! Every concept under its target would get as many candidates as are expected to fill it, the cheapest row that counts first: rephrasings
//! where it has seeds with room for more, then new questions. What a candidate brings is learned by concept, shrunk towards what its
//! strategy brought over all concepts ([`shrink`]). Of these concepts, a run aims at those that what is left of its budget can fill
//! ([`reach`]). A further answer to a seed's question is not another question, and fills nothing.
//!
//! A way of filling a concept is given up when it is proven to bring less than the least gain: when the 95 % Wilson interval of its share of
//! candidates that count lies below it. With a least gain of 5 % that is after none of 73. A concept is given up with its last way.

mod reach;

use serde::{Deserialize, Serialize};

use super::estimate::PRIOR_STRENGTH;
use super::tries::Room;
use super::{BARREN_CANDIDATES, Estimate, PerSeed, Policy, Snapshot};
use crate::concept::{self, GivenUp, Outlook};
use crate::job::StrategyChoice;
use crate::stats;
use crate::strategy::{ByStrategy, Mix, Strategy, shrink};
use crate::words::many;

use reach::{Wish, within_reach};

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
    /// Candidates by strategy.
    pub candidates: ByStrategy<u64>,
    /// Candidates by strategy that earlier rounds aimed at it.
    pub visited: ByStrategy<u64>,
    /// How many of the rephrasings start from each of its seeds; in plans of older versions, the visit says.
    #[serde(default, skip_serializing_if = "PerSeed::is_empty")]
    pub rephrasings: PerSeed,
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
    /// Candidates that are expected to fill the targets that what is left can fill.
    Aims(Vec<Aim>),
}

/// Share of accepted new questions that count for the concept they were aimed at, believed before any is seen.
const PRIOR_ON_TARGET: f64 = 0.7;
/// Least share of candidates that is planned with: a concept with worse luck is told apart by its observations.
const RATE_MIN: f64 = 0.02;
/// The strategies that fill concepts.
const WAYS: [Strategy; 2] = [Strategy::Rephrasing, Strategy::NewQuestion];

/// What a round would aim at if it could afford everything.
pub(super) fn wanted(snapshot: &Snapshot, policy: &Policy, estimates: &ByStrategy<Estimate>) -> Wanted {
    let Some(steering) = &policy.steering else {
        return Wanted::Nothing;
    };
    if snapshot
        .concepts
        .iter()
        .all(|concept| concept.progress.target == 0)
    {
        return Wanted::Nothing;
    }
    let open = |concept: &&(u32, &Outlook)| concept.1.progress.open() > 0;
    let numbered: Vec<(u32, &Outlook)> = (0..).zip(&snapshot.concepts).collect();
    if !numbered.iter().any(|concept| open(&concept)) {
        return Wanted::Met;
    }
    let (aimed, counted) = snapshot.last.map_or((0, 0), |last| (last.aimed, last.counted));
    if aimed >= BARREN_CANDIDATES && (counted as f64) < steering.min_gain * aimed as f64 {
        return Wanted::OutOfReach { aimed, counted };
    }
    let ways = Ways::new(snapshot, policy, steering, estimates);
    let wishes: Vec<Wish> = numbered
        .iter()
        .filter(open)
        .filter_map(|(number, concept)| {
            let (candidates, cost) = ways.fill(concept);
            (!candidates.is_none()).then(|| Wish {
                aim: Aim {
                    concept: *number,
                    name: concept.progress.concept.clone(),
                    open: concept.progress.open(),
                    seeds: concept.seeds,
                    candidates,
                    visited: concept.yields.map(|y| y.tally.candidates),
                    rephrasings: PerSeed::default(),
                },
                share: ways.share_of_rest(cost),
            })
        })
        .collect();
    let aims = within_reach(wishes);
    if aims.is_empty() {
        let yields = || {
            numbered
                .iter()
                .filter(open)
                .flat_map(|(_, concept)| concept.yields.values())
        };
        return Wanted::OutOfReach {
            aimed: yields().map(|y| y.tally.candidates).sum(),
            counted: yields().map(|y| y.counted).sum(),
        };
    }
    Wanted::Aims(aims)
}

/// Share of each strategy's candidates that count, over all concepts.
fn overall(snapshot: &Snapshot, estimates: &ByStrategy<Estimate>) -> ByStrategy<f64> {
    ByStrategy::of(|way| {
        let yields = || snapshot.concepts.iter().map(|concept| &concept.yields[way]);
        let counted: u64 = yields().map(|y| y.counted).sum();
        let candidates: u64 = yields().map(|y| y.tally.candidates).sum();
        let on_target = match way {
            Strategy::NewQuestion => PRIOR_ON_TARGET,
            Strategy::AnswerAugmentation | Strategy::Rephrasing => 1.0,
        };
        let prior = estimates[way].acceptance * on_target;
        shrink(prior, PRIOR_STRENGTH, counted as f64, candidates as f64).max(RATE_MIN)
    })
}

/// Marks the concepts that are given up: none of the ways in which they could be filled is worth its cost.
pub(super) fn give_up(snapshot: &mut Snapshot, policy: &Policy, estimates: &ByStrategy<Estimate>) {
    let Some(steering) = &policy.steering else {
        return;
    };
    let ways = Ways::new(snapshot, policy, steering, estimates);
    let given_up = |concept: &Outlook| {
        let (candidates, _) = ways.fill(concept);
        let closed = Strategy::ALL.into_iter().any(|way| ways.closed(concept, way));
        let stuck = concept.progress.open() > 0 && closed && candidates.is_none();
        stuck.then(|| GivenUp {
            aimed: concept.yields.values().map(|y| y.tally.candidates).sum(),
            counted: concept.yields.values().map(|y| y.counted).sum(),
        })
    };
    let marks: Vec<Option<GivenUp>> = snapshot.concepts.iter().map(given_up).collect();
    for (concept, mark) in snapshot.concepts.iter_mut().zip(marks) {
        concept.progress.given_up = mark;
    }
}

/// In which ways concepts can be filled, and what these cost.
struct Ways<'a> {
    snapshot: &'a Snapshot,
    policy: &'a Policy,
    steering: &'a Steering,
    estimates: &'a ByStrategy<Estimate>,
    /// Share of each strategy's candidates that count, over all concepts.
    overall: ByStrategy<f64>,
    /// Rephrasings that each seed has room for.
    room: Room,
}

impl<'a> Ways<'a> {
    fn new(
        snapshot: &'a Snapshot,
        policy: &'a Policy,
        steering: &'a Steering,
        estimates: &'a ByStrategy<Estimate>,
    ) -> Self {
        Self {
            overall: overall(snapshot, estimates),
            room: snapshot.tries.room(
                policy.rephrasings_per_seed,
                estimates[Strategy::Rephrasing].acceptance,
            ),
            snapshot,
            policy,
            steering,
            estimates,
        }
    }

    /// True when it is proven that a way of filling a concept brings less than the least gain.
    fn closed(&self, concept: &Outlook, way: Strategy) -> bool {
        let seen = &concept.yields[way];
        stats::wilson(seen.counted, seen.tally.candidates, stats::Z_95)
            .is_some_and(|share| share.high < self.steering.min_gain)
    }

    /// True when the job allows a way.
    fn allowed(&self, way: Strategy) -> bool {
        let chosen = match self.policy.strategy {
            StrategyChoice::Auto => true,
            StrategyChoice::AnswerAugmentation => false,
            StrategyChoice::Rephrasing => way == Strategy::Rephrasing,
            StrategyChoice::NewQuestion => way == Strategy::NewQuestion,
        };
        chosen && self.policy.offers(way) && (way == Strategy::Rephrasing || self.steering.new_questions)
    }

    /// Candidates that a way has room for in a concept.
    fn room(&self, concept: &Outlook, way: Strategy) -> u64 {
        match way {
            Strategy::Rephrasing if !concept.anchors.is_empty() => self.room.total_of(&concept.anchors),
            Strategy::Rephrasing => concept
                .seeds
                .saturating_mul(self.policy.rephrasings_per_seed.into())
                .saturating_sub(concept.rephrased),
            _ if concept.seeds > 0 || concept.passages > 0 || self.steering.seedless => u64::MAX,
            _ => 0,
        }
    }

    /// Share of a way's candidates that are expected to count for a concept.
    fn rate(&self, concept: &Outlook, way: Strategy) -> f64 {
        let seen = &concept.yields[way];
        let trials = seen.tally.candidates as f64;
        shrink(self.overall[way], PRIOR_STRENGTH, seen.counted as f64, trials).max(RATE_MIN)
    }

    /// Micro-dollars and calls of one candidate.
    fn cost(&self, concept: &Outlook, way: Strategy) -> [f64; 2] {
        let learned = self.estimates[way].after(&concept.yields[way].tally);
        [learned.usd_micros(), learned.calls()]
    }

    /// What is left of each limit, in micro-dollars and calls; `None` without one, or where nothing costs anything by it.
    fn rest(&self) -> [Option<f64>; 2] {
        let (limit, used) = (self.snapshot.limit, self.snapshot.used);
        let costs_money = self.estimates.values().any(|e| e.usd_micros() > 0.0);
        let usd = limit.usd.filter(|_| costs_money);
        [
            usd.map(|usd| usd.0.saturating_sub(used.usd.0) as f64),
            limit.calls.map(|calls| calls.saturating_sub(used.calls) as f64),
        ]
    }

    /// What a cost takes of what is left, by the limit that it takes most of.
    fn share_of_rest(&self, cost: [f64; 2]) -> f64 {
        let shares = self.rest().into_iter().zip(cost);
        shares
            .filter_map(|(rest, cost)| Some(if cost > 0.0 { cost / rest? } else { 0.0 }))
            .fold(0.0, f64::max)
    }

    /// Candidates by strategy that are expected to fill a concept, and what they cost: the cheapest row that counts first.
    fn fill(&self, concept: &Outlook) -> (ByStrategy<u64>, [f64; 2]) {
        let in_money = self.rest()[0].is_some();
        let price = |way: Strategy| {
            let [usd_micros, calls] = self.cost(concept, way);
            let cost = if in_money { usd_micros } else { calls };
            cost.max(f64::MIN_POSITIVE) / self.rate(concept, way)
        };
        let mut order = WAYS;
        order.sort_by(|a, b| price(*a).total_cmp(&price(*b)));
        let mut left = concept.progress.open() as f64;
        let (mut planned, mut costs) = (ByStrategy::default(), [0.0; 2]);
        for way in order
            .into_iter()
            .filter(|way| self.allowed(*way) && !self.closed(concept, *way))
        {
            if left <= 0.0 {
                break;
            }
            let rate = self.rate(concept, way);
            let needed = ((left / rate).ceil().max(0.0) as u64).min(self.room(concept, way));
            planned[way] = needed;
            left -= needed as f64 * rate;
            let cost = self.cost(concept, way);
            costs = std::array::from_fn(|i| costs[i] + needed as f64 * cost[i]);
        }
        (planned, costs)
    }
}

/// The aims of a pilot, which measures what might be used: where seeds could be rephrased, half of the candidates ask new questions, so
/// that a teacher who fails at one thing is not given up for all.
pub(super) fn explored(mut aims: Vec<Aim>, policy: &Policy) -> Vec<Aim> {
    let asks = policy.steering.is_some_and(|steering| steering.new_questions);
    if asks && policy.strategy == StrategyChoice::Auto {
        for aim in &mut aims {
            let half = aim.candidates[Strategy::Rephrasing] / 2;
            aim.candidates[Strategy::Rephrasing] -= half;
            aim.candidates[Strategy::NewQuestion] += half;
        }
    }
    aims
}

/// Candidates of all aims by strategy.
pub(super) fn total(aims: &[Aim]) -> ByStrategy<u64> {
    aims.iter()
        .fold(ByStrategy::default(), |sum, aim| sum + aim.candidates)
}

/// The mix that aims come to.
pub(super) fn mix(aims: &[Aim]) -> Mix {
    let total = total(aims);
    let all = total.total().max(1) as f64;
    Mix::of(&total.map(|candidates| *candidates as f64 / all))
}

/// The aims as far as a round of `size` candidates holds them: rephrasings first, which are only planned where they are the cheapest row that
/// counts, then new questions, each concept with its even part. Those left with none are dropped.
pub(super) fn limited(mut aims: Vec<Aim>, size: u64) -> Vec<Aim> {
    let mut left = size;
    for way in WAYS {
        left -= share_out(&mut aims, way, left);
    }
    aims.retain(|aim| !aim.candidates.is_none());
    aims
}

/// Cuts the candidates of one strategy to `size` in all, each aim to its even part; says how many there are now.
fn share_out(aims: &mut [Aim], way: Strategy, size: u64) -> u64 {
    let all: u64 = aims.iter().map(|aim| aim.candidates[way]).sum();
    if all <= size {
        return all;
    }
    let mut left = size;
    // The fraction that each aim loses, the largest first; of equals the earlier.
    let mut lost: Vec<(u128, usize)> = Vec::new();
    for (at, aim) in aims.iter_mut().enumerate() {
        let candidates = &mut aim.candidates[way];
        let exact = u128::from(*candidates) * u128::from(size);
        *candidates = (exact / u128::from(all)) as u64;
        left = left.saturating_sub(*candidates);
        lost.push((exact % u128::from(all), at));
    }
    lost.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
    for (_, at) in lost.into_iter().take(left as usize) {
        aims[at].candidates[way] += 1;
    }
    size
}

/// Why a round aims as it does, in words.
pub(super) fn reason(snapshot: &Snapshot, aims: &[Aim]) -> String {
    let with_target = || {
        let concepts = snapshot.concepts.iter().map(|concept| &concept.progress);
        concepts.filter(|progress| progress.target > 0)
    };
    let (met, wanted) = concept::at_target(with_target());
    let missing: u64 = with_target().map(|progress| progress.open()).sum();
    let total = total(aims);
    let [rephrased, new] = WAYS.map(|way| total[way]);
    let furthest = with_target().max_by(|a, b| a.open().cmp(&b.open()).then(b.concept.cmp(&a.concept)));
    let furthest = furthest.map_or_else(String::new, |progress| {
        let there = progress.real + progress.synthetic;
        format!("; furthest: \"{}\" {there}/{}", progress.concept, progress.target)
    });
    let open = |concept: &&Outlook| concept.progress.open() > 0;
    let given_up = |concept: &&Outlook| concept.progress.given_up.is_some();
    let open: Vec<&Outlook> = snapshot.concepts.iter().filter(open).collect();
    let later = open
        .iter()
        .filter(|concept| !given_up(concept))
        .filter(|concept| !aims.iter().any(|aim| aim.name == concept.progress.concept))
        .count();
    let mut words = format!(
        "{met} of {} concepts are at their target, {missing} rows are missing{furthest}. The round aims at {} of them, with {} and {} in \
         all that fill them.",
        wanted,
        aims.len(),
        many(rephrased, "rephrasing"),
        many(new, "new question")
    );
    if later > 0 {
        words.push_str(&format!(
            " {later} more cost more than is left: those that are cheapest to complete come first."
        ));
    }
    for concept in open.into_iter().filter(given_up) {
        if let Some(why) = &concept.progress.given_up {
            words.push_str(&format!(" \"{}\" is given up: {why}.", concept.progress.concept));
        }
    }
    words
}

#[cfg(test)]
#[path = "aims_tests.rs"]
mod tests;
