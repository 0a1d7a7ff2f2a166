//! Which generation strategy a budget calls for, and how observed acceptance and cost re-fit that choice.
//!
//! The rule follows Chan et al. 2024 (arXiv 2409.19759), who compare three strategies by the budget ratio BR = Q / |S|, samples
//! over seeds. Q is what the budget affords *by the strategy in question*, after asking, verifying, embedding and judging, so
//! the ratio depends on the mix that it decides: [`solve_mix`] finds the point where both agree.
//!
//! | budget ratio | mix |
//! |---|---|
//! | ≤ [`lo`] | answer augmentation only |
//! | between | a share w = (BR − lo)/(hi − lo) of new prompts: rephrasings, and new questions for the share that the seeds leave uncovered |
//! | [`hi`] and above | new questions rise linearly from that mix to everything, over a stretch as wide as hi − lo |
//!
//! Below `hi` the paper gives a crossing, not a slope; the ramp above it is this project's choice: as wide as the band in which the
//! strategies change places, so that the mix has no jump and a small change of budget never turns the plan over.
//! A strategy whose samples are proven to be thrown away gives its share to another ([`worth_sampling`]): new questions that the teacher
//! is too weak for to rephrasings, answers that only repeat the seeds' to new prompts.

mod by;

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::stats;

pub use by::ByStrategy;

/// How a row is made from the seeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// The same question, another sampled answer.
    AnswerAugmentation,
    /// The same meaning and answer in other words.
    Rephrasing,
    /// A new question with an answer of its own.
    NewQuestion,
}

impl Strategy {
    /// Every strategy, from the one nearest to the seeds to the one furthest from them.
    pub const ALL: [Self; 3] = [Self::AnswerAugmentation, Self::Rephrasing, Self::NewQuestion];

    /// The others, the most alike first: an answer is replaced by other words for its question rather than by another question.
    const fn nearest(self) -> [Self; 2] {
        match self {
            Self::AnswerAugmentation => [Self::Rephrasing, Self::NewQuestion],
            Self::Rephrasing => [Self::NewQuestion, Self::AnswerAugmentation],
            Self::NewQuestion => [Self::Rephrasing, Self::AnswerAugmentation],
        }
    }

    /// Why it is given up.
    const fn given_up(self) -> &'static str {
        match self {
            Self::AnswerAugmentation => "further answers are hardly ever kept",
            Self::Rephrasing => "rephrasings are hardly ever kept",
            Self::NewQuestion => "the teacher is too weak for new questions",
        }
    }

    /// The stable name, as stored with each row.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AnswerAugmentation => "answer_augmentation",
            Self::Rephrasing => "rephrasing",
            Self::NewQuestion => "new_question",
        }
    }
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Shares of the samples by strategy; they sum to one.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Mix {
    /// Share of answer augmentation.
    pub answer_augmentation: f64,
    /// Share of rephrased questions.
    pub rephrasing: f64,
    /// Share of new questions.
    pub new_question: f64,
}

impl Mix {
    /// All samples by one strategy: what a user forces.
    pub fn only(strategy: Strategy) -> Self {
        Self::of(&ByStrategy::only(strategy, 1.0))
    }

    /// These shares.
    pub fn of(shares: &ByStrategy<f64>) -> Self {
        Self {
            answer_augmentation: shares[Strategy::AnswerAugmentation],
            rephrasing: shares[Strategy::Rephrasing],
            new_question: shares[Strategy::NewQuestion],
        }
    }

    /// The share of one strategy.
    pub fn share(&self, strategy: Strategy) -> f64 {
        match strategy {
            Strategy::AnswerAugmentation => self.answer_augmentation,
            Strategy::Rephrasing => self.rephrasing,
            Strategy::NewQuestion => self.new_question,
        }
    }

    /// The shares by strategy.
    pub fn shares(&self) -> ByStrategy<f64> {
        ByStrategy::of(|strategy| self.share(strategy))
    }

    /// A mean over the samples of what each strategy has.
    pub fn mean(&self, mut of: impl FnMut(Strategy) -> f64) -> f64 {
        Strategy::ALL
            .into_iter()
            .map(|strategy| self.share(strategy) * of(strategy))
            .sum()
    }

    /// The mix with the shares of strategies that are not worth sampling given to those that are: first to the nearest kind of new prompt.
    /// Where none is, it stays as it is.
    pub fn given_to(&self, worth: &ByStrategy<bool>) -> Self {
        let mut shares = self.shares();
        for strategy in Strategy::ALL {
            let taker = strategy.nearest().into_iter().find(|other| worth[*other]);
            if let (false, Some(taker)) = (worth[strategy], taker) {
                let share = std::mem::take(&mut shares[strategy]);
                shares[taker] += share;
            }
        }
        Self::of(&shares)
    }

    /// Splits a number of samples by largest remainders; the parts sum to `samples`.
    pub fn split(&self, samples: u64) -> ByStrategy<u64> {
        let exact = self.shares().map(|share| share * samples as f64);
        let mut parts = exact.map(|part| part.floor() as u64);
        let mut by_remainder = Strategy::ALL;
        by_remainder.sort_by(|a, b| exact[*b].fract().total_cmp(&exact[*a].fract()));
        let mut left = samples.saturating_sub(parts.total());
        // Two rounds are enough for remainders; a third guards against rounding of very large counts.
        for strategy in by_remainder.into_iter().cycle().take(9) {
            if left == 0 {
                break;
            }
            parts[strategy] += 1;
            left -= 1;
        }
        parts
    }
}

/// Why the rule chose a mix, with the numbers it rests on. [`fmt::Display`] says it in plain sentences.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Reason {
    /// Samples a seed that the budget affords by this mix.
    pub budget_ratio: f64,
    /// Seeds to generate from.
    pub seeds: u64,
    /// Ratio up to which answer augmentation alone is best for this many seeds.
    pub lo: f64,
    /// Ratio from which new questions are best.
    pub hi: f64,
    /// Share of the concepts that the seeds leave uncovered.
    pub uncovered_share: f64,
    /// Whether each strategy is worth sampling.
    pub worth: ByStrategy<bool>,
    /// The mix chosen.
    pub mix: Mix,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            budget_ratio,
            seeds,
            lo,
            hi,
            ..
        } = self;
        write!(
            f,
            "The budget affords {budget_ratio:.1} samples a seed over {seeds} seeds"
        )?;
        if budget_ratio <= lo {
            write!(
                f,
                "; up to {lo:.1} for this many seeds, further answers to the seeds' own questions teach most per call."
            )?;
        } else if budget_ratio < hi {
            write!(
                f,
                ", between {lo:.1} (further answers are best) and {hi:.1} (new questions are best)."
            )?;
        } else {
            write!(
                f,
                ", at or above {hi:.1}, from where new questions teach more than further answers."
            )?;
        }
        let given_up: Vec<&str> = self
            .worth
            .iter()
            .filter_map(|(strategy, worth)| (!worth).then_some(strategy.given_up()))
            .collect();
        if !given_up.is_empty() {
            write!(f, " But {}.", given_up.join(", and "))?;
        }
        let Mix {
            answer_augmentation,
            rephrasing,
            new_question,
        } = self.mix;
        write!(
            f,
            " So {:.0} % answer augmentation, {:.0} % rephrasing, {:.0} % new questions",
            100.0 * answer_augmentation,
            100.0 * rephrasing,
            100.0 * new_question
        )?;
        if given_up.is_empty() && new_question > 0.0 && budget_ratio > lo && budget_ratio < hi {
            let uncovered = 100.0 * self.uncovered_share;
            write!(
                f,
                ", these for the {uncovered:.0} % of concepts that the seeds leave uncovered"
            )?;
        }
        write!(f, ".")
    }
}

/// Piecewise linear in log10 of the seed count, clamped at both ends; the points are in rising order.
fn interpolate(seeds: u64, points: &[(f64, f64)]) -> f64 {
    let x = (seeds.max(1) as f64).log10();
    let mut value = points.first().map_or(0.0, |&(_, y)| y);
    for pair in points.windows(2) {
        let ((x0, y0), (x1, y1)) = (pair[0], pair[1]);
        let part = (x - x0.log10()) / (x1.log10() - x0.log10());
        if part <= 0.0 {
            break;
        }
        value = y0 + (y1 - y0) * part.min(1.0);
    }
    value
}

/// The budget ratio up to which answer augmentation alone is best.
pub fn lo(seeds: u64) -> f64 {
    interpolate(seeds, &[(100.0, 27.0), (1_000.0, 12.0), (7_000.0, 12.0)])
}

/// The budget ratio from which new questions are best; always above [`lo`].
pub fn hi(seeds: u64) -> f64 {
    interpolate(seeds, &[(100.0, 51.0), (1_000.0, 17.6), (7_000.0, 16.4)])
}

/// What the rule looks at besides the budget.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Situation {
    /// Seeds to generate from.
    pub seeds: u64,
    /// Share of the concepts that the seeds leave uncovered, 0 to 1.
    pub uncovered_share: f64,
    /// Whether each strategy is worth sampling: see [`worth_sampling`].
    pub worth: ByStrategy<bool>,
}

impl Situation {
    fn uncovered(&self) -> f64 {
        if self.uncovered_share.is_nan() {
            0.0
        } else {
            self.uncovered_share.clamp(0.0, 1.0)
        }
    }

    /// The mix at a place on the way from answers (0) over the mix at `hi` (1) to new questions (2).
    fn mix_at(&self, place: f64) -> Mix {
        let new_prompts = place.clamp(0.0, 1.0);
        let beyond = (place - 1.0).clamp(0.0, 1.0);
        let new_question = new_prompts * (self.uncovered() + (1.0 - self.uncovered()) * beyond);
        let mix = Mix {
            answer_augmentation: 1.0 - new_prompts,
            rephrasing: new_prompts - new_question,
            new_question,
        };
        mix.given_to(&self.worth)
    }

    fn place(&self, budget_ratio: f64) -> f64 {
        let (lo, hi) = (lo(self.seeds), hi(self.seeds));
        ((budget_ratio - lo) / (hi - lo)).clamp(0.0, 2.0)
    }

    fn reason(&self, budget_ratio: f64, mix: Mix) -> Reason {
        Reason {
            budget_ratio,
            seeds: self.seeds,
            lo: lo(self.seeds),
            hi: hi(self.seeds),
            uncovered_share: self.uncovered(),
            worth: self.worth,
            mix,
        }
    }
}

/// The rule for a known budget ratio (samples a seed). A ratio that is not a number counts as zero.
pub fn mix(budget_ratio: f64, situation: &Situation) -> (Mix, Reason) {
    let budget_ratio = if budget_ratio.is_nan() { 0.0 } else { budget_ratio };
    let mix = situation.mix_at(situation.place(budget_ratio));
    (mix, situation.reason(budget_ratio, mix))
}

/// The mix whose own budget ratio leads the rule to that same mix.
///
/// `samples_affordable` says how many samples the budget affords by a mix, all stages paid. Richer mixes are further along the way
/// from answers to new questions and cost more a sample, so what is affordable falls along the way while what the rule
/// demands rises: they cross once, and bisection finds the place to 2⁻⁵⁰. Should a richer mix be cheaper, several places may
/// fit; the answer is then one of them, and the same each time.
pub fn solve_mix(samples_affordable: impl Fn(&Mix) -> f64, situation: &Situation) -> (Mix, Reason) {
    let seeds = situation.seeds.max(1) as f64;
    let ratio = |mix: &Mix| {
        let ratio = samples_affordable(mix) / seeds;
        if ratio.is_nan() { 0.0 } else { ratio.max(0.0) }
    };
    // Positive while the budget affords more than the place demands.
    let surplus = |place: f64| situation.place(ratio(&situation.mix_at(place))) - place;
    let (mut low, mut high) = (0.0, 2.0);
    let place = if surplus(low) <= 0.0 {
        low
    } else if surplus(high) >= 0.0 {
        high
    } else {
        for _ in 0..50 {
            let middle = f64::midpoint(low, high);
            if surplus(middle) > 0.0 {
                low = middle;
            } else {
                high = middle;
            }
        }
        f64::midpoint(low, high)
    };
    let mix = situation.mix_at(place);
    (mix, situation.reason(ratio(&mix), mix))
}

/// What one strategy brought, in a pilot or in all finished rounds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Observed {
    /// Samples that reached a verdict.
    pub samples: u64,
    /// Samples accepted.
    pub accepted: u64,
    /// What they cost, in whichever unit the prior's cost is in (micro-dollars or calls).
    pub spent: f64,
}

/// What is believed of a strategy: before anything is observed, or after.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Belief {
    /// Share of samples that are accepted, 0 to 1.
    pub acceptance: f64,
    /// Cost of one sample, all stages included, in the unit of [`Observed::spent`].
    pub cost_per_sample: f64,
    /// How many samples this belief weighs.
    pub strength: f64,
}

impl Belief {
    /// The belief after an observation: both rates shrink towards what was believed, by [`shrink`], and the weight grows.
    pub fn after(self, observed: Observed) -> Self {
        let samples = observed.samples as f64;
        Self {
            acceptance: shrink(self.acceptance, self.strength, observed.accepted as f64, samples)
                .clamp(0.0, 1.0),
            cost_per_sample: shrink(self.cost_per_sample, self.strength, observed.spent, samples),
            strength: self.strength + samples,
        }
    }

    /// Expected cost of one accepted row; `None` while nothing suggests that any would be accepted.
    ///
    /// The ratio of both shrunk rates, so that a pilot without acceptance still gives a finite cost under a prior that has one.
    pub fn cost_per_accepted(self) -> Option<f64> {
        (self.acceptance > 0.0).then(|| self.cost_per_sample / self.acceptance)
    }
}

/// A rate shrunk towards a prior that weighs as much as `prior_strength` trials: (m·s + k)/(s + n).
///
/// For counts of successes it is the posterior mean of a Beta(m·s, (1 − m)·s) prior under binomial trials; for amounts (cost
/// a sample, new coverage a call) that of the gamma prior with the same weight. Without any weight it is the prior's mean.
pub fn shrink(prior_mean: f64, prior_strength: f64, successes: f64, trials: f64) -> f64 {
    let weight = prior_strength + trials;
    if weight > 0.0 {
        (prior_mean * prior_strength + successes) / weight
    } else {
        prior_mean
    }
}

/// Whether a strategy is worth further samples, by the share of them that was accepted so far.
///
/// The doubt must be proven: only when even the upper end of the 95 % Wilson interval is below `floor` is it given up, since a pilot of a
/// few dozen rows is ± 16 points wide. Without observations it is worth them.
pub fn worth_sampling(observed: &Observed, floor: f64) -> bool {
    stats::wilson(observed.accepted, observed.samples, stats::Z_95).is_none_or(|share| share.high >= floor)
}

#[cfg(test)]
#[path = "strategy_tests.rs"]
mod tests;
