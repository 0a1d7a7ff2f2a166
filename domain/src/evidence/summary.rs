//! What is said of a quantity that is not known exactly.

use serde::{Deserialize, Serialize};

use crate::stats::rounded;

/// A parameter's posterior mean with its central 90 % interval.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Mean.
    pub mean: f64,
    /// 5th percentile.
    pub low: f64,
    /// 95th percentile.
    pub high: f64,
}

impl Summary {
    /// Mean and percentiles of weighted values; the weights sum to one.
    pub(super) fn of(mut values: Vec<(f64, f64)>) -> Self {
        values.sort_by(|a, b| a.0.total_cmp(&b.0));
        let at = |share: f64| {
            let mut sum = 0.0;
            let reached = |(_, weight): &&(f64, f64)| {
                sum += weight;
                sum >= share
            };
            let found = values.iter().find(reached).or(values.last());
            found.map_or(0.0, |(value, _)| rounded(*value))
        };
        Self {
            mean: rounded(values.iter().map(|(value, weight)| value * weight).sum()),
            low: at(0.05),
            high: at(0.95),
        }
    }
}
