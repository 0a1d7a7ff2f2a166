//! What a set of items can show at all.

use std::fmt;

use gristmill_domain::stats::{detectable_change, needed_items};
use gristmill_domain::words::thousands;
use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, Normal};

use crate::confidence::Confidence;

/// How small a difference between two models a set of items can show.
///
/// Two models that are compared on the same items differ only in items that one of them has right and the other wrong. Their share is the
/// discordance: 0.1 is usual for a student and its predecessor.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Resolution {
    /// Independent items of the set.
    pub items: u64,
    /// Share of the items on which the models differ, 0 to 1.
    pub discordance: f64,
    /// Probability that a difference is found where it is that large, 0.5 to 1.
    pub power: f64,
    /// Confidence of the comparison.
    pub confidence: Confidence,
}

impl Resolution {
    /// Of so many independent items, with a discordance of 0.1 and a power of 0.8.
    pub fn of(items: u64) -> Self {
        Self {
            items,
            discordance: 0.1,
            power: 0.8,
            confidence: Confidence::default(),
        }
    }

    /// The smallest change of accuracy that the set shows (Connor 1987). `None` where even all differences on one side would not show.
    pub fn smallest_change(self) -> Option<f64> {
        detectable_change(
            self.items,
            self.discordance,
            self.confidence.z(),
            z_power(self.power),
        )
    }

    /// The items that show a change of accuracy (Connor 1987): 1,960 for 0.02. `None` where no number does: the change is zero, or larger than
    /// the discordance.
    pub fn items_for(self, change: f64) -> Option<u64> {
        needed_items(self.discordance, change, self.confidence.z(), z_power(self.power))
    }
}

/// One-sided quantile of the standard normal distribution for a power.
pub(crate) fn z_power(power: f64) -> f64 {
    Normal::standard().inverse_cdf(power.clamp(0.5, 0.9999))
}

impl fmt::Display for Resolution {
    /// `500 items show a change of accuracy of 4.0 points or more (with a power of 80 %, where the models differ on 10 % of the items)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let items = thousands(self.items);
        let (power, discordance) = (100.0 * self.power, 100.0 * self.discordance);
        match self.smallest_change() {
            Some(change) => write!(
                f,
                "{items} items show a change of accuracy of {:.1} points or more",
                100.0 * change
            )?,
            None => write!(f, "{items} items are too few to show any change of accuracy")?,
        }
        write!(
            f,
            " (with a power of {power:.0} %, where the models differ on {discordance:.0} % of the items)"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vector_and_its_inverse() {
        let set = Resolution::of(1_960);
        assert_eq!(set.items_for(0.02), Some(1_960));
        assert_eq!(set.items_for(0.2), None);
        assert!((set.smallest_change().unwrap() - 0.02).abs() < 1e-5);
    }

    #[test]
    fn a_set_that_is_too_small_says_so() {
        assert_eq!(
            Resolution::of(500).to_string(),
            "500 items show a change of accuracy of 4.0 points or more (with a power of 80 %, where the models differ on 10 % of the items)"
        );
        assert_eq!(
            Resolution::of(20).to_string(),
            "20 items are too few to show any change of accuracy (with a power of 80 %, where the models differ on 10 % of the items)"
        );
    }
}
