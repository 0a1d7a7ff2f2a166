//! What something cost, and what is left of a budget.

use std::iter::Sum;
use std::ops::{Add, AddAssign};

use gristmill_domain::amount::{Limit, MicroUsd};
use serde::{Deserialize, Serialize};

/// Money, and calls that count against a budget.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cost {
    /// Micro-dollars.
    #[serde(rename = "usd_micros")]
    pub usd: MicroUsd,
    /// Calls.
    pub calls: u64,
}

impl Cost {
    /// How often this fits into a limit: the smaller number of the two that are limited. `None` where nothing that is limited was spent.
    pub fn times_in(self, limit: Limit) -> Option<f64> {
        let times = |limit: Option<u64>, cost: u64| {
            let limit = limit.filter(|_| cost > 0)?;
            Some(limit as f64 / cost as f64)
        };
        let by_usd = times(limit.usd.map(|usd| usd.0), self.usd.0);
        let by_calls = times(limit.calls, self.calls);
        match (by_usd, by_calls) {
            (Some(usd), Some(calls)) => Some(usd.min(calls)),
            (one, other) => one.or(other),
        }
    }

    /// What a limit leaves after this.
    pub fn left_of(self, limit: Limit) -> Limit {
        Limit {
            usd: limit.usd.map(|usd| MicroUsd(usd.0.saturating_sub(self.usd.0))),
            calls: limit.calls.map(|calls| calls.saturating_sub(self.calls)),
        }
    }

    /// The unit that gains are told by, and how many of it this is: dollars, or thousands of calls where nothing cost money.
    pub fn in_units(self) -> (f64, &'static str) {
        match self.usd {
            MicroUsd(0) => (self.calls as f64 / 1000.0, "thousand calls"),
            usd => (usd.as_usd(), "dollar"),
        }
    }
}

impl Add for Cost {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            usd: MicroUsd(self.usd.0.saturating_add(other.usd.0)),
            calls: self.calls.saturating_add(other.calls),
        }
    }
}

impl AddAssign for Cost {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sum for Cost {
    fn sum<I: Iterator<Item = Self>>(iter: I) -> Self {
        iter.fold(Self::default(), Add::add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scarcer_of_two_limits_says_how_often_a_cost_fits() {
        let cost = |usd, calls| Cost {
            usd: MicroUsd(usd),
            calls,
        };
        let limit = |usd: Option<u64>, calls| Limit {
            usd: usd.map(MicroUsd),
            calls,
        };
        assert_eq!(cost(10, 5).times_in(limit(Some(100), Some(20))), Some(4.0));
        assert_eq!(cost(10, 5).times_in(limit(Some(100), None)), Some(10.0));
        assert_eq!(cost(0, 5).times_in(limit(Some(100), Some(20))), Some(4.0));
        assert_eq!(cost(0, 5).times_in(limit(Some(100), None)), None);
        assert_eq!(
            cost(30, 50).left_of(limit(Some(20), Some(70))),
            limit(Some(0), Some(20))
        );
    }
}
