//! What a candidate of a strategy costs and brings: believed at first, then measured.

use serde::{Deserialize, Serialize};

use super::saturation::Curve;
use crate::amount::Amount;
use crate::row::Row;
use crate::stage::Stage;
use crate::strategy::shrink;

/// Candidates that a prior weighs: 64 rows of a pilot over three strategies outweigh it, five do not.
pub(super) const PRIOR_STRENGTH: f64 = 12.0;
/// Candidates that the acceptance believed before a run weighs. It is a guess: nine times in ten the truth is within 30 points of it.
const ACCEPTANCE_STRENGTH: f64 = 6.0;
/// Candidates that the cost believed before a run weighs: tokens are guessed from bytes, and every candidate's cost is then known exactly.
const COST_STRENGTH: f64 = 2.0;
/// Relative variance of the cost of one candidate, believed before any is known. By [`COST_STRENGTH`], the mean is believed to be within a
/// factor of two nine times in ten.
const COST_VARIANCE: f64 = 0.4;

/// Mean cost of one candidate in one stage.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct StageCost {
    /// Calls.
    pub calls: f64,
    /// Micro-dollars.
    pub usd_micros: f64,
    /// Prompt tokens.
    pub input_tokens: f64,
    /// Completion tokens.
    pub output_tokens: f64,
}

impl StageCost {
    /// A sum as floats.
    pub fn of(amount: Amount) -> Self {
        Self {
            calls: amount.calls as f64,
            usd_micros: amount.usd.0 as f64,
            input_tokens: amount.input_tokens as f64,
            output_tokens: amount.output_tokens as f64,
        }
    }

    /// So many times as much of everything.
    pub(super) fn times(self, factor: f64) -> Self {
        self.zip(self, |one, _| factor * one)
    }

    fn zip(self, other: Self, f: impl Fn(f64, f64) -> f64) -> Self {
        Self {
            calls: f(self.calls, other.calls),
            usd_micros: f(self.usd_micros, other.usd_micros),
            input_tokens: f(self.input_tokens, other.input_tokens),
            output_tokens: f(self.output_tokens, other.output_tokens),
        }
    }
}

/// What one candidate of a strategy is expected to cost and bring.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// Share of candidates that become rows.
    pub acceptance: f64,
    /// Cost by stage, in the order of [`Stage::ALL`].
    pub stages: [StageCost; 3],
    /// Every candidate takes the same number of calls.
    pub fixed_calls: bool,
    /// How fast acceptance falls as the same seeds are tried again: by the factor e^−`fall` a lap.
    #[serde(default)]
    pub fall: f64,
}

impl Estimate {
    /// Calls of one candidate.
    pub fn calls(&self) -> f64 {
        self.stages.iter().map(|stage| stage.calls).sum()
    }

    /// Micro-dollars of one candidate.
    pub fn usd_micros(&self) -> f64 {
        self.stages.iter().map(|stage| stage.usd_micros).sum()
    }

    /// The estimate after what was observed, shrunk towards itself ([`shrink`]).
    pub fn after(&self, tally: &Tally) -> Self {
        let trials = tally.candidates as f64;
        let cost = |prior, total| shrink(prior, COST_STRENGTH, total, trials);
        // What was never seen says nothing of what would be kept.
        let seen = tally.candidates.saturating_sub(tally.undecided) as f64;
        let accepted = tally.accepted as f64;
        Self {
            acceptance: shrink(self.acceptance, ACCEPTANCE_STRENGTH, accepted, seen).clamp(0.0, 1.0),
            stages: std::array::from_fn(|i| self.stages[i].zip(tally.stages[i], cost)),
            ..*self
        }
    }

    /// The share accepted by lap, as this estimate has it before a run.
    pub(super) fn curve(&self) -> Curve {
        Curve::prior(self.acceptance, self.fall, ACCEPTANCE_STRENGTH)
    }
}

/// What the candidates of a strategy came to in finished rounds.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Tally {
    /// Candidates that were decided.
    pub candidates: u64,
    /// Those of them of which nothing was seen: their calls failed, or no money was left for them.
    #[serde(default)]
    pub undecided: u64,
    /// Rows that were accepted.
    pub accepted: u64,
    /// What they cost by stage, in the order of [`Stage::ALL`], settled.
    pub stages: [StageCost; 3],
    /// Sums of the squares of what each cost: calls, and micro-dollars.
    #[serde(default)]
    pub squares: [f64; 2],
}

impl Tally {
    /// Relative standard deviation of the mean cost of a candidate, in calls and in micro-dollars: the posterior of a mean with unknown
    /// variance, each with the weight of [`COST_STRENGTH`] candidates before any is known.
    pub(super) fn cost_deviations(&self) -> [f64; 2] {
        let candidates = self.candidates as f64;
        let sums = [
            self.stages.iter().map(|stage| stage.calls).sum::<f64>(),
            self.stages.iter().map(|stage| stage.usd_micros).sum::<f64>(),
        ];
        std::array::from_fn(|i| {
            let mean = sums[i] / candidates.max(1.0);
            let scatter = if mean > 0.0 {
                (self.squares[i] / (mean * mean) - candidates).max(0.0)
            } else {
                0.0
            };
            let weight = COST_STRENGTH + candidates;
            let variance = (COST_STRENGTH * COST_VARIANCE + scatter) / weight;
            (variance / weight).sqrt()
        })
    }

    /// Adds one decided candidate.
    pub fn add(&mut self, row: &Row) {
        self.count(row.accepted(), row.unseen(), &row.costs);
    }

    pub(super) fn count(&mut self, accepted: bool, unseen: bool, costs: &[(Stage, Amount)]) {
        self.candidates += 1;
        self.accepted += u64::from(accepted);
        self.undecided += u64::from(unseen);
        let cost: Amount = costs.iter().map(|(_, amount)| *amount).sum();
        let squares = [cost.calls as f64, cost.usd.0 as f64].map(|cost| cost * cost);
        self.squares = std::array::from_fn(|i| self.squares[i] + squares[i]);
        for (stage, amount) in costs {
            if let Some(i) = Stage::ALL.iter().position(|s| s == stage) {
                self.stages[i] = self.stages[i].zip(StageCost::of(*amount), |a, b| a + b);
            }
        }
    }
}
