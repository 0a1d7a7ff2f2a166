//! What a candidate of a strategy costs and brings: believed at first, then measured.

use serde::{Deserialize, Serialize};

use crate::amount::Amount;
use crate::row::Row;
use crate::stage::Stage;
use crate::strategy::shrink;

/// Candidates that a prior weighs: 64 rows of a pilot over three strategies outweigh it, five do not.
pub(super) const PRIOR_STRENGTH: f64 = 12.0;

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
        let mean = |prior, total| shrink(prior, PRIOR_STRENGTH, total, trials);
        Self {
            acceptance: mean(self.acceptance, tally.accepted as f64).clamp(0.0, 1.0),
            stages: std::array::from_fn(|i| self.stages[i].zip(tally.stages[i], mean)),
            fixed_calls: self.fixed_calls,
        }
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
}

impl Tally {
    /// Adds one decided candidate.
    pub fn add(&mut self, row: &Row) {
        self.count(row.accepted(), row.unseen(), &row.costs);
    }

    pub(super) fn count(&mut self, accepted: bool, unseen: bool, costs: &[(Stage, Amount)]) {
        self.candidates += 1;
        self.accepted += u64::from(accepted);
        self.undecided += u64::from(unseen);
        for (stage, amount) in costs {
            if let Some(i) = Stage::ALL.iter().position(|s| s == stage) {
                self.stages[i] = self.stages[i].zip(StageCost::of(*amount), |a, b| a + b);
            }
        }
    }
}
