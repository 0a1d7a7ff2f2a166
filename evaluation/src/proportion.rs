//! Shares and means of answers that may depend on each other, with their intervals.

use gristmill_domain::stats::{ClusteredMean, Interval, clustered_mean, wilson_share};
use serde::{Deserialize, Serialize};

use crate::confidence::Confidence;

/// Everything that a share can be.
const UNKNOWN: Interval = Interval { low: 0.0, high: 1.0 };

/// A share of answers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Proportion {
    /// How many there are.
    pub count: u64,
    /// Out of how many.
    pub of: u64,
    /// How many clusters these come in.
    pub clusters: u64,
    /// How many independent answers they are worth.
    pub effective: f64,
    /// `count / of`.
    pub value: f64,
    /// Wilson's interval (Wilson 1927) for the effective number of answers, as surveys compute it (Korn and Graubard 1998; Franco et al. 2019):
    /// answers / design effect · (t_{n−1}/t_{clusters−1})². Where no two answers share a cluster it is the plain Wilson interval. With a
    /// single cluster of several answers it is all of 0 to 1.
    pub interval: Interval,
}

impl Proportion {
    /// The share of the answers that are `true`, the i-th of which belongs to cluster `clusters[i]`. `None` without answers.
    pub(crate) fn of(hits: &[bool], clusters: &[usize], confidence: Confidence) -> Option<Self> {
        let values: Vec<f64> = hits.iter().map(|&hit| f64::from(u8::from(hit))).collect();
        let found = clustered_mean(&values, clusters)?;
        let effective = effective(&found, confidence);
        Some(Self {
            count: hits.iter().filter(|&&hit| hit).count() as u64,
            of: hits.len() as u64,
            clusters: found.clusters as u64,
            effective,
            value: found.mean,
            interval: wilson_share(found.mean, effective, confidence.z()).unwrap_or(UNKNOWN),
        })
    }
}

/// How many independent answers they are worth in an interval: fewer where few clusters leave it unsure how much they differ.
pub(crate) fn effective(found: &ClusteredMean, confidence: Confidence) -> f64 {
    if found.clusters == found.values {
        return found.values as f64;
    }
    let t = |count: usize| confidence.t(count as f64 - 1.0);
    match (t(found.values), t(found.clusters)) {
        (Some(many), Some(few)) => found.effective_values() * (many / few).powi(2),
        _ => 0.0,
    }
}

/// A mean of scores between 0 and 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct MeanScore {
    /// The mean.
    pub value: f64,
    /// Its standard error, clustered by item and document. `None` with fewer than two clusters.
    pub standard_error: Option<f64>,
    /// Student's t interval with clusters − 1 degrees of freedom, cut at 0 and 1. Where all scores are the same, or whole, it is that of a
    /// [`Proportion`]: a standard error of zero would make two answers a certainty.
    pub interval: Interval,
}

impl MeanScore {
    /// The mean of scores, the i-th of which belongs to cluster `clusters[i]`. `None` without scores.
    pub(crate) fn of(scores: &[f64], clusters: &[usize], confidence: Confidence) -> Option<Self> {
        let found = clustered_mean(scores, clusters)?;
        let whole = scores.iter().all(|&score| score == 0.0 || score == 1.0);
        let half = found
            .standard_error
            .filter(|&error| error > 0.0 && !whole)
            .and_then(|error| Some(error * confidence.t(found.clusters as f64 - 1.0)?));
        let interval = match half {
            Some(half) => Interval {
                low: (found.mean - half).max(0.0),
                high: (found.mean + half).min(1.0),
            },
            None => {
                let share = found.mean.clamp(0.0, 1.0);
                wilson_share(share, effective(&found, confidence), confidence.z()).unwrap_or(UNKNOWN)
            }
        };
        Some(Self {
            value: found.mean,
            standard_error: found.standard_error,
            interval,
        })
    }
}

#[cfg(test)]
mod tests {
    use gristmill_domain::stats::{Z_95, wilson};
    use proptest::prelude::*;

    use super::*;

    fn usual(hits: &[bool], clusters: &[usize]) -> Proportion {
        Proportion::of(hits, clusters, Confidence::default()).unwrap()
    }

    #[test]
    fn independent_answers_have_wilsons_interval() {
        let hits: Vec<bool> = (0..50).map(|i| i < 45).collect();
        let clusters: Vec<usize> = (0..50).collect();
        let found = usual(&hits, &clusters);
        let wilson = wilson(45, 50, Z_95).unwrap();
        assert!((found.interval.low - wilson.low).abs() < 1e-12, "{found:?}");
        assert!((found.interval.low - 0.7864).abs() < 5e-5);
        let none = usual(&[false; 20], &clusters[..20]);
        assert!((none.interval.high - 0.1611).abs() < 5e-5);
        assert_eq!(Proportion::of(&[], &[], Confidence::default()), None);
    }

    #[test]
    fn questions_about_few_documents_know_less() {
        let hits = [true; 100];
        let width = |documents: usize| {
            let clusters: Vec<usize> = (0..100).map(|i| i % documents).collect();
            usual(&hits, &clusters).interval.half_width()
        };
        assert!(width(100) < width(50) && width(50) < width(10) && width(10) < width(2));
        assert_eq!(
            usual(&hits, &[0; 100]).interval,
            UNKNOWN,
            "one document says nothing of others"
        );
        assert_eq!(usual(&[true], &[0]).of, 1);
        assert!(
            usual(&[true], &[0]).interval.low < 0.21,
            "one answer is one answer"
        );
    }

    #[test]
    fn a_mean_of_equal_scores_is_not_a_certainty() {
        let mean = MeanScore::of(&[1.0, 1.0], &[0, 1], Confidence::default()).unwrap();
        assert_eq!(mean.standard_error, Some(0.0));
        assert!(mean.interval.low < 0.4, "{mean:?}");
        let half = MeanScore::of(&[0.5; 8], &[0, 1, 2, 3, 4, 5, 6, 7], Confidence::default()).unwrap();
        assert!(half.interval.half_width() > 0.2);
    }

    proptest! {
        #[test]
        fn the_interval_holds_the_share_and_clusters_only_widen_it(
            rows in prop::collection::vec((any::<bool>(), 0_usize..20), 1..120),
        ) {
            let (hits, clusters): (Vec<bool>, Vec<usize>) = rows.into_iter().unzip();
            let found = usual(&hits, &clusters);
            prop_assert!(found.interval.contains(found.value));
            let apart: Vec<usize> = (0..hits.len()).collect();
            prop_assert!(found.interval.half_width() >= usual(&hits, &apart).interval.half_width() - 1e-12);
        }
    }
}
