//! What a whole run is expected to come to, and how sure that is.
//!
//! The expected figures follow from what is believed of each strategy: the mix that the planner would choose, as many candidates as the
//! budget pays for and the wanted rows need. The interval says how far off they may be. It holds nine of ten out of [`SCENARIOS`] cases,
//! in each of which everything uncertain takes a value drawn from what is believed of it: acceptance by strategy from a Beta posterior
//! (as a normal distribution of its logit), how fast acceptance falls, and costs, from lognormal ones, and the chance that remains when all
//! rates are known. The draws are the points of a Halton sequence, which fill the space evenly and are the same each time.

use serde::{Deserialize, Serialize};

use super::choice::{affordable, choose, within};
use super::ground::follows;
use super::ground::{Belief, Ground};
use super::{End, Expected, Policy, Snapshot, aims, next_rule};
use crate::evidence::Rule;
use crate::job::StrategyChoice;
use crate::strategy::{ByStrategy, Mix, Strategy};

/// A figure with the interval that it lies in nine times in ten.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Range {
    /// The lower end: one in twenty runs comes out below.
    pub low: f64,
    /// What is expected.
    pub expected: f64,
    /// The upper end: one in twenty runs comes out above.
    pub high: f64,
}

/// What keeps a run from making more rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    /// The budget.
    #[default]
    Budget,
    /// The rows that the job wants or that its ceiling allows.
    Rows,
    /// Every seed has the rephrasings that may be kept of it, or the seeds bring nothing new any more.
    Seeds,
    /// Every concept has the rows that are wanted of it.
    Targets,
}

/// What a whole run comes to, with what it has done so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Forecast {
    /// Accepted rows.
    pub rows: Range,
    /// Calls.
    pub calls: Range,
    /// Micro-dollars.
    pub usd_micros: Range,
    /// What keeps it from making more.
    pub bound: Bound,
}

/// Cases that an interval is taken from.
const SCENARIOS: u32 = 128;
/// Share of the cases below and above the interval.
const TAIL: f64 = 0.05;
/// Standard deviation of what the model leaves out: rounds that re-fit the mix, a rest that pays for no further call.
const MODEL_ERROR: f64 = 0.05;

/// What all that is left of the budget is expected to bring, by the mix in force.
pub fn outlook(snapshot: &Snapshot, policy: &Policy) -> Expected {
    let rule = followed(snapshot, policy);
    let snapshot = once_measured(snapshot, policy);
    let (ground, _) = Ground::new(&snapshot, policy, rule.as_ref());
    to_the_end(&ground).0
}

/// The next round's rule, where the forecast depends on it.
fn followed(snapshot: &Snapshot, policy: &Policy) -> Option<Rule> {
    follows(&snapshot.measured)
        .then(|| next_rule(snapshot, policy))
        .flatten()
}

/// The snapshot as it will be when the pilot has measured the teacher: no row comes of that.
fn once_measured(snapshot: &Snapshot, policy: &Policy) -> Snapshot {
    let mut after = snapshot.clone();
    let new = matches!(
        policy.strategy,
        StrategyChoice::Auto | StrategyChoice::NewQuestion
    );
    if snapshot.rounds_done == 0 && policy.pilot > 0.0 && new {
        let (ground, _) = Ground::new(snapshot, policy, None);
        let answers = ground.answers_to_measure(ground.calibration());
        let answer = &policy.prior[Strategy::AnswerAugmentation];
        after.used.calls += (answers * answer.calls()).round() as u64;
        after.used.usd.0 += (answers * answer.usd_micros()).round() as u64;
    }
    after
}

/// What the whole run comes to.
pub fn forecast(snapshot: &Snapshot, policy: &Policy) -> Forecast {
    by_rule(snapshot, policy, followed(snapshot, policy).as_ref())
}

/// What the whole run comes to, with the rule that the next round will follow.
pub(super) fn by_rule(snapshot: &Snapshot, policy: &Policy, rule: Option<&Rule>) -> Forecast {
    let snapshot = &once_measured(snapshot, policy);
    let (ground, beliefs) = Ground::new(snapshot, policy, rule);
    let (expected, bound) = to_the_end(&ground);
    let point = figures(&expected);
    let cases: Vec<[f64; 3]> = (1..=SCENARIOS)
        .map(|n| scenario(&ground, &beliefs, n, bound))
        .collect();
    let done = [
        ground.accepted() as f64,
        snapshot.used.calls as f64,
        snapshot.used.usd.0 as f64,
    ];
    let most = [
        policy.rows_max as f64,
        snapshot.limit.calls.map_or(f64::INFINITY, |calls| calls as f64),
        snapshot.limit.usd.map_or(f64::INFINITY, |usd| usd.0 as f64),
    ];
    // A run that its budget ends may well spend all of it.
    let nearly = |i: usize| match most[i].is_finite() {
        true => (done[i] + point[i]) / most[i],
        false => f64::NEG_INFINITY,
    };
    let spent = (bound == Bound::Budget).then(|| if nearly(1) >= nearly(2) { 1 } else { 2 });
    let range = |i: usize| {
        let mut values: Vec<f64> = cases.iter().map(|case| case[i]).collect();
        values.sort_by(f64::total_cmp);
        let within = |value: f64| (done[i] + value).clamp(done[i], most[i].max(done[i]));
        Range {
            low: within(quantile(&values, TAIL).min(point[i])),
            expected: within(point[i]),
            high: match spent {
                Some(figure) if figure == i => most[i].max(done[i]),
                Some(_) | None => within(quantile(&values, 1.0 - TAIL).max(point[i])),
            },
        }
    };
    Forecast {
        rows: range(0),
        calls: range(1),
        usd_micros: range(2),
        bound,
    }
}

fn figures(expected: &Expected) -> [f64; 3] {
    [
        expected.rows,
        expected.calls.iter().sum(),
        expected.usd_micros.iter().sum(),
    ]
}

/// What comes to the end of the run, and what ends it.
fn to_the_end(ground: &Ground<'_>) -> (Expected, Bound) {
    let wanted = ground.wanted() as f64;
    let aims = match ground.aims() {
        Ok(aims) => aims,
        Err(End::TargetsMet) => return (Expected::default(), Bound::Targets),
        Err(_) => return (Expected::default(), Bound::Seeds),
    };
    let mut aimed = ByStrategy::default();
    if !aims.is_empty() {
        let mix = aims::mix(&aims);
        let affordable = affordable(ground, &mix);
        let all = aims::total(&aims).total();
        aimed = aims::total(&aims::limited(aims, affordable as u64));
        if !ground.beyond() {
            let expected = bounded(ground.expect(aimed), wanted);
            let bound = if affordable < all as f64 {
                Bound::Budget
            } else {
                Bound::Targets
            };
            return (expected, bound);
        }
    }
    let (mix, _, _) = choose(ground);
    let most = (affordable(ground, &mix) as u64).saturating_sub(aimed.total());
    let usable = ground.usable();
    let usable = ByStrategy::of(|strategy| usable[strategy].saturating_sub(aimed[strategy]));
    let candidates = |number: u64| aimed + within(ground, mix.split(number), usable);
    let brings = |number: u64| ground.expect(candidates(number)).rows;
    if brings(most) >= wanted {
        // The fewest candidates that bring what is wanted: more bring no fewer rows.
        let (mut low, mut high) = (0, most);
        while low < high {
            let middle = low + (high - low) / 2;
            if brings(middle) >= wanted {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        return (bounded(ground.expect(candidates(low)), wanted), Bound::Rows);
    }
    let planned = candidates(most);
    let bound = if affordable_beyond(ground, &mix, planned, aimed, most) {
        Bound::Seeds
    } else {
        Bound::Budget
    };
    (ground.expect(planned), bound)
}

/// True when the budget would have paid for clearly more candidates than can be used.
fn affordable_beyond(
    ground: &Ground<'_>,
    mix: &Mix,
    planned: ByStrategy<u64>,
    aimed: ByStrategy<u64>,
    most: u64,
) -> bool {
    let free = ByStrategy::of(|strategy| planned[strategy] - aimed[strategy]);
    let paid = figures(&ground.expect(free));
    let possible = figures(&ground.expect(mix.split(most)));
    let limit = ground.snapshot.limit;
    let under = |i: usize| paid[i] < 0.97 * possible[i];
    limit.calls.is_none_or(|_| under(1)) && limit.usd.is_none_or(|_| under(2))
}

fn bounded(expected: Expected, wanted: f64) -> Expected {
    Expected {
        rows: expected.rows.min(wanted),
        ..expected
    }
}

/// One case: rows, calls and micro-dollars from here on.
fn scenario(ground: &Ground<'_>, beliefs: &ByStrategy<Belief>, n: u32, bound: Bound) -> [f64; 3] {
    let draw = |dimension: usize| normal(halton(n, PRIMES[dimension]));
    let mut dimensions = 0..;
    let estimates = ByStrategy::of(|strategy| {
        let belief = &beliefs[strategy];
        let estimate = &ground.estimates[strategy];
        let own = dimensions.next().unwrap_or_default();
        // What makes one strategy dearer than was believed, such as longer answers, makes all of them dearer.
        let calls = lognormal(1.0, belief.cost_deviations[0], draw(4));
        let usd = lognormal(1.0, belief.cost_deviations[1], draw(5));
        let mut drawn = *estimate;
        drawn.acceptance = beta(estimate.acceptance, belief.curve.weight, draw(own));
        drawn.fall = estimate.fall * (belief.curve.fall_deviation * draw(3)).exp();
        for stage in &mut drawn.stages {
            stage.calls *= calls;
            stage.usd_micros *= usd;
        }
        drawn
    });
    let case = ground.were(estimates);
    let (expected, ended) = to_the_end(&case);
    let [rows, calls, usd] = figures(&expected);
    let share = (rows / expected.candidates.max(1.0)).clamp(0.0, 1.0);
    let chance = (rows * (1.0 - share)).sqrt() + MODEL_ERROR * rows;
    // Chance moves the rows where the budget ends a run, and the costs where the rows do.
    let luck = draw(6);
    if ended == Bound::Rows {
        let relative = luck * chance / rows.max(1.0);
        [
            rows,
            calls * (1.0 + relative).max(0.0),
            usd * (1.0 + relative).max(0.0),
        ]
    } else {
        let rows = (rows + luck * chance).clamp(0.0, ground.wanted() as f64);
        // Nothing of the budget is left but what pays for no further call.
        let spare = if ended == Bound::Budget && bound == Bound::Budget {
            1.0 - MODEL_ERROR * luck.abs()
        } else {
            1.0
        };
        [rows, calls * spare, usd * spare]
    }
}

/// The bases of the sequence: one for each thing that is uncertain.
const PRIMES: [u32; 7] = [2, 3, 5, 7, 11, 13, 17];

/// The n-th number of the van der Corput sequence in a base, between 0 and 1 (Halton 1960).
fn halton(mut n: u32, base: u32) -> f64 {
    let (mut value, mut place) = (0.0, 1.0);
    while n > 0 {
        place /= f64::from(base);
        value += place * f64::from(n % base);
        n /= base;
    }
    value
}

/// The quantile of the standard normal distribution, by a rational approximation with an error below 4.5e-4 (Abramowitz and Stegun 1964,
/// 26.2.23).
fn normal(share: f64) -> f64 {
    let tail = share.min(1.0 - share).max(1.0e-9);
    let t = (-2.0 * tail.ln()).sqrt();
    let above = 0.010_328_f64.mul_add(t, 0.802_853).mul_add(t, 2.515_517);
    let below = 0.001_308_f64
        .mul_add(t, 0.189_269)
        .mul_add(t, 1.432_788)
        .mul_add(t, 1.0);
    let z = t - above / below;
    if share < 0.5 { -z } else { z }
}

/// A share with a Beta posterior of this mean and weight: its logit is about normal, with the variance 1/α + 1/β.
fn beta(mean: f64, weight: f64, z: f64) -> f64 {
    if mean <= 0.0 || mean >= 1.0 {
        return mean;
    }
    let (a, b) = (mean * weight, (1.0 - mean) * weight);
    // Half a success on either side keeps a share near an end from being all but certain.
    let deviation = (1.0 / (a + 0.5) + 1.0 / (b + 0.5)).sqrt();
    let logit = (mean / (1.0 - mean)).ln() + z * deviation;
    1.0 / (1.0 + (-logit).exp())
}

/// A positive number with this mean and standard deviation.
fn lognormal(mean: f64, deviation: f64, z: f64) -> f64 {
    if mean <= 0.0 {
        return 0.0;
    }
    let variance = (1.0 + (deviation / mean).powi(2)).ln();
    mean * (variance.sqrt() * z - variance / 2.0).exp()
}

/// A quantile of ascending numbers, interpolated.
fn quantile(values: &[f64], share: f64) -> f64 {
    let place = share * values.len().saturating_sub(1) as f64;
    let (below, part) = (place.floor() as usize, place.fract());
    let at = |i: usize| values.get(i).or(values.last()).copied().unwrap_or(0.0);
    at(below) + part * (at(below + 1) - at(below))
}

#[cfg(test)]
#[path = "forecast_tests.rs"]
mod tests;
