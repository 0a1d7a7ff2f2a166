//! The score interval of a paired difference, which stays honest where hardly any items differ.

use super::Interval;

/// Halvings of an interval of length 2: down to the last bit.
const HALVINGS: u32 = 60;

/// Tango's score statistic of the hypothesis that accuracy changed by `delta` (Tango 1998, Stat Med 17:891–908): standard normal where the
/// hypothesis holds. `items`, `lost` and `gained` need not be whole. `None` without items, or with more discordant items than items.
pub fn paired_score(items: f64, lost: f64, gained: f64, delta: f64) -> Option<f64> {
    let possible = items > 0.0 && lost >= 0.0 && gained >= 0.0 && lost + gained <= items * (1.0 + 1e-12);
    (possible && delta.abs() <= 1.0).then(|| statistic(items, lost, gained, delta))
}

/// Tango's score interval of a change of accuracy on the same `items`, of which `lost` turned wrong and `gained` turned right.
///
/// Unlike `change ± z·SE` it has a width where no item differs: with 0 of n it is ± z²/(n + z²). So a handful of unchanged answers proves
/// nothing. The counts need not be whole. `None` without items, or with more discordant items than items.
pub fn paired_score_interval(items: f64, lost: f64, gained: f64, z: f64) -> Option<Interval> {
    let change = (gained - lost) / items;
    paired_score(items, lost, gained, change.clamp(-1.0, 1.0))?;
    let end = |toward: f64| {
        let (mut inside, mut outside) = (change, toward);
        for _ in 0..HALVINGS {
            let middle = f64::midpoint(inside, outside);
            if statistic(items, lost, gained, middle).abs() <= z {
                inside = middle;
            } else {
                outside = middle;
            }
        }
        inside
    };
    Some(Interval {
        low: end(-1.0),
        high: end(1.0),
    })
}

/// (gained − lost − nδ) / √(n(2q + δ(1 − δ))), with q the likeliest probability that an item turns wrong, given δ.
fn statistic(items: f64, lost: f64, gained: f64, delta: f64) -> f64 {
    let linear = -gained - lost + (2.0 * items - gained + lost) * delta;
    let constant = -lost * delta * (1.0 - delta);
    let root = (linear * linear - 8.0 * items * constant).max(0.0).sqrt();
    let turns_wrong = (root - linear) / (4.0 * items);
    let variance = items * (2.0 * turns_wrong + delta * (1.0 - delta));
    let distance = gained - lost - items * delta;
    if variance > 0.0 {
        distance / variance.sqrt()
    } else if distance == 0.0 {
        0.0
    } else {
        distance.signum() * f64::INFINITY
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::stats::{Z_95, paired_change};

    #[test]
    fn items_that_do_not_differ_prove_nothing_by_themselves() {
        let z2 = Z_95 * Z_95;
        for n in [5.0, 100.0, 2_000.0] {
            let interval = paired_score_interval(n, 0.0, 0.0, Z_95).unwrap();
            assert!((interval.high - z2 / (n + z2)).abs() < 1e-9, "{interval:?}");
            assert!((interval.low + interval.high).abs() < 1e-9);
        }
        assert_eq!(paired_score_interval(0.0, 0.0, 0.0, Z_95), None);
        assert_eq!(paired_score_interval(10.0, 8.0, 3.0, Z_95), None);
    }

    #[test]
    fn at_no_change_the_statistic_is_mcnemars() {
        let z = paired_score(500.0, 25.0, 12.0, 0.0).unwrap();
        assert!((z + 13.0 / 37.0_f64.sqrt()).abs() < 1e-12, "{z}");
    }

    #[test]
    fn it_is_close_to_the_plain_interval_where_much_differs() {
        let score = paired_score_interval(5_000.0, 600.0, 400.0, Z_95).unwrap();
        let plain = paired_change(5_000, 600, 400, Z_95).unwrap().interval;
        assert!((score.low - plain.low).abs() < 1e-3 && (score.high - plain.high).abs() < 1e-3);
    }

    proptest! {
        #[test]
        fn it_holds_the_change_and_turns_with_the_sides(n in 1_u64..2_000, lost in 0.0..1.0_f64, gained in 0.0..1.0_f64) {
            let items = n as f64;
            let lost = (lost * items).floor();
            let gained = (gained * (items - lost)).floor();
            let interval = paired_score_interval(items, lost, gained, Z_95).unwrap();
            prop_assert!(interval.contains((gained - lost) / items));
            prop_assert!(interval.low >= -1.0 && interval.high <= 1.0);
            let turned = paired_score_interval(items, gained, lost, Z_95).unwrap();
            prop_assert!((turned.low + interval.high).abs() < 1e-9);
        }
    }
}
