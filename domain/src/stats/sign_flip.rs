//! An exact paired test for items that come in clusters.

use super::mcnemar;

/// Exact two-sided p-value of the sign-flip test (Fisher 1935; Pitman 1937): how often the sum of the clusters' net changes is at least as
/// far from zero as it is, when each cluster's change is as likely to have the other sign.
///
/// A net change is the number of a cluster's items that turned right minus those that turned wrong. Items of one cluster may depend on each
/// other in any way. Where every cluster has one item, this is the exact McNemar test. Takes time and memory in proportion to clusters ×
/// items and items.
pub fn sign_flip(net_changes: &[i64]) -> f64 {
    let sizes: Vec<u64> = net_changes
        .iter()
        .map(|change| change.unsigned_abs())
        .filter(|&size| size > 0)
        .collect();
    let gained: u64 = net_changes
        .iter()
        .filter(|&&change| change > 0)
        .map(|c| c.unsigned_abs())
        .sum();
    let total: u64 = sizes.iter().sum();
    let smaller = gained.min(total - gained);
    if sizes.iter().all(|&size| size == 1) {
        return mcnemar(smaller, total - smaller);
    }
    if 2 * smaller == total {
        return 1.0;
    }
    // Probabilities that the flipped changes add up to 0, 1, … `smaller` gained items.
    let Ok(most) = usize::try_from(smaller) else {
        return 1.0;
    };
    let mut gained_by = vec![0.0_f64; most + 1];
    gained_by[0] = 1.0;
    for size in sizes {
        let step = usize::try_from(size).unwrap_or(usize::MAX);
        for at in (0..=most).rev() {
            let before = at.checked_sub(step).map_or(0.0, |from| gained_by[from]);
            gained_by[at] = 0.5 * (gained_by[at] + before);
        }
    }
    (2.0 * gained_by.iter().sum::<f64>()).min(1.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// All 2ⁿ flips, one by one.
    fn by_enumeration(changes: &[i64]) -> f64 {
        let observed = changes.iter().sum::<i64>().abs();
        let flips = 1_u32 << changes.len();
        let far = (0..flips).filter(|flip| {
            let sum: i64 = changes
                .iter()
                .enumerate()
                .map(|(i, change)| if (flip >> i) & 1 == 1 { -change } else { *change })
                .sum();
            sum.abs() >= observed
        });
        far.count() as f64 / f64::from(flips)
    }

    #[test]
    fn clusters_of_one_are_mcnemar() {
        let changes: Vec<i64> = [vec![-1; 25], vec![1; 12], vec![0; 40]].concat();
        assert_eq!(sign_flip(&changes), mcnemar(25, 12));
        assert_eq!(sign_flip(&[]), 1.0);
        // Three items that fell together are one piece of evidence, not three.
        assert_eq!(sign_flip(&[-3]), 1.0);
        assert!((sign_flip(&[-3, -3, -3, -3, -3]) - 0.0625).abs() < 1e-12);
    }

    #[test]
    fn many_clusters_do_not_underflow() {
        let changes: Vec<i64> = (0..3_000).map(|i| if i % 3 == 0 { -2 } else { 1 }).collect();
        assert_eq!(sign_flip(&changes), 1.0);
        let shifted = [changes, vec![-2; 120]].concat();
        let p = sign_flip(&shifted);
        // The sum is 240 with a variance of 1,120·4 + 2,000.
        assert!((p - 0.0029).abs() < 2e-4, "{p}");
    }

    proptest! {
        #[test]
        fn equals_the_enumeration_and_is_symmetric(changes in prop::collection::vec(-4_i64..=4, 0..11)) {
            let p = sign_flip(&changes);
            prop_assert!((p - by_enumeration(&changes)).abs() < 1e-12);
            let flipped: Vec<i64> = changes.iter().map(|change| -change).collect();
            prop_assert_eq!(p, sign_flip(&flipped));
        }
    }
}
