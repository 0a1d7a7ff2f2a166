//! The learning rate of each step.

use std::f64::consts::PI;

/// The learning rate of a step, from 1: it rises evenly over the first `warmup` share of the steps and falls to 0 by half a cosine (Loshchilov
/// and Hutter 2016, arXiv 1608.03983), as `get_cosine_schedule_with_warmup` of transformers computes it.
pub fn learning_rate(peak: f64, warmup: f64, step: u64, steps: u64) -> f64 {
    let rising = (warmup * steps as f64).ceil();
    // The optimiser's first step has the schedule's value at 0.
    let done = step.saturating_sub(1) as f64;
    if done < rising {
        return peak * done / rising.max(1.0);
    }
    let progress = (done - rising) / (steps as f64 - rising).max(1.0);
    peak * 0.5 * (1.0 + (PI * progress.min(1.0)).cos())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn it_rises_to_the_peak_and_falls_towards_nothing() {
        let rate = |step| learning_rate(1.0, 0.1, step, 100);
        assert_eq!(rate(1), 0.0);
        assert_eq!(rate(6), 0.5);
        assert_eq!(rate(11), 1.0);
        assert!((rate(56) - 0.5).abs() < 1e-12);
        assert!(rate(100) < 1e-3);
        assert_eq!(learning_rate(1.0, 0.0, 1, 10), 1.0);
    }

    proptest! {
        #[test]
        fn it_stays_between_nothing_and_the_peak(steps in 1u64..500, warmup in 0.0..=1.0f64, share in 0.0..1.0f64) {
            let step = 1 + (share * steps as f64) as u64;
            let rate = learning_rate(2e-4, warmup, step, steps);
            prop_assert!((0.0..=2e-4).contains(&rate), "{}", rate);
        }
    }
}
