//! What money earned: points of accuracy for each unit that was spent.

use gristmill_domain::stats::Interval;
use serde::{Deserialize, Serialize};

/// Points of accuracy (hundredths) for each dollar, or whatever else a cost is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PointsPerUnit {
    /// Points for each unit.
    pub value: f64,
    /// Where it lies: the interval of the change, divided by the cost. The cost is known exactly.
    pub interval: Interval,
}

impl PointsPerUnit {
    /// The least cost, in units, that a change is divided by: a cent of a dollar, ten of a thousand calls. A few points divided by less make
    /// thousands a unit, which nobody would get for a whole one.
    pub const UNITS_MIN: f64 = 0.01;

    /// Of a change of accuracy (−1 to 1) with its interval; `None` where less than [`Self::UNITS_MIN`] was spent.
    pub fn of(change: f64, interval: Interval, units: f64) -> Option<Self> {
        let per_unit = |change: f64| 100.0 * change / units;
        (units >= Self::UNITS_MIN).then(|| Self {
            value: per_unit(change),
            interval: Interval {
                low: per_unit(interval.low),
                high: per_unit(interval.high),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_hundredths_and_nothing_is_earned_for_nothing() {
        let interval = Interval {
            low: -0.01,
            high: 0.05,
        };
        let earned = PointsPerUnit::of(0.02, interval, 0.5).unwrap();
        assert!((earned.value - 4.0).abs() < 1e-12);
        assert!((earned.interval.low + 2.0).abs() < 1e-12 && (earned.interval.high - 10.0).abs() < 1e-12);
        assert_eq!(PointsPerUnit::of(0.02, interval, 0.0), None);
        assert_eq!(PointsPerUnit::of(0.02, interval, 0.009), None, "under a cent");
    }
}
