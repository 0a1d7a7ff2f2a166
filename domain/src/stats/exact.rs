//! Fisher's exact test of a 2×2 table.

/// ln n!, for n = 0, 1, … up to a largest one.
struct LnFactorials(Vec<f64>);

impl LnFactorials {
    fn up_to(most: u64) -> Self {
        let mut sum = 0.0;
        let ln = (0..=most).map(|n| {
            sum += (n.max(1) as f64).ln();
            sum
        });
        Self(ln.collect())
    }

    /// ln C(n, k); minus infinity where k > n.
    fn choose(&self, n: u64, k: u64) -> f64 {
        let of = |n: u64| self.0.get(n as usize).copied().unwrap_or(f64::INFINITY);
        match n.checked_sub(k) {
            Some(rest) => of(n) - of(k) - of(rest),
            None => f64::NEG_INFINITY,
        }
    }
}

/// One-sided p-value of Fisher's exact test (Fisher 1935): the probability that, all margins of the table fixed, at least `with_event` of
/// the events fall into the first group, where
///
/// | | event | no event |
/// |---|---|---|
/// | first group | `with_event` | `with_none` |
/// | second group | `without_event` | `without_none` |
pub fn fisher_at_least(with_event: u64, with_none: u64, without_event: u64, without_none: u64) -> f64 {
    let (group, events) = (with_event + with_none, with_event + without_event);
    let all = group + without_event + without_none;
    let ln = LnFactorials::up_to(all);
    let whole = ln.choose(all, events);
    let term = |k: u64| (ln.choose(group, k) + ln.choose(all - group, events - k) - whole).exp();
    (with_event..=group.min(events)).map(term).sum::<f64>().min(1.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn near(got: f64, want: f64) {
        assert!((got - want).abs() < 1e-9, "got {got}, want {want}");
    }

    #[test]
    fn the_lady_tasting_tea() {
        // Fisher 1935: all 4 of 8 cups right has 1/70; 3 right or more has 17/70.
        near(fisher_at_least(4, 0, 0, 4), 1.0 / 70.0);
        near(fisher_at_least(3, 1, 1, 3), 17.0 / 70.0);
        near(fisher_at_least(0, 0, 0, 0), 1.0);
        near(fisher_at_least(0, 5, 3, 2), 1.0);
    }

    proptest! {
        #[test]
        fn p_values_are_probabilities_that_fall_with_the_evidence(
            a in 0_u64..60, b in 0_u64..60, c in 0_u64..60, d in 0_u64..60,
        ) {
            let p = fisher_at_least(a, b, c, d);
            prop_assert!((0.0..=1.0).contains(&p));
            if b > 0 && c > 0 {
                // The same margins, one more event in the group.
                prop_assert!(fisher_at_least(a + 1, b - 1, c - 1, d + 1) <= p + 1e-12);
            }
        }
    }
}
