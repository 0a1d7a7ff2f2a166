//! Two models on the same items.

use std::collections::{BTreeMap, HashMap, HashSet};

use gristmill_domain::stats::{
    ClusteredMean, Interval, clustered_mean, paired_score, paired_score_interval, sign_flip,
};
use serde::{Deserialize, Serialize};

use crate::answer::{GradedAnswer, GradedSet};
use crate::confidence::{Confidence, normal_cdf};
use crate::proportion::effective;
use crate::resolution::z_power;

/// Everything that a change can be.
const UNKNOWN: Interval = Interval { low: -1.0, high: 1.0 };

/// The power that numbers of needed items are for.
const POWER: f64 = 0.8;

/// Two models, `before` and `after`, on the same items in the same formats.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PairedComparison {
    /// Answers that both models gave.
    pub pairs: u64,
    /// Different items of these.
    pub items: u64,
    /// Clusters that these come in.
    pub clusters: u64,
    /// Formats that these were asked in.
    pub formats: u64,
    /// Answers that only one of the models gave, and that are not compared.
    pub unpaired: u64,
    /// How many independent answers the pairs are worth.
    pub effective: f64,
    /// Answers that turned wrong.
    pub lost: u64,
    /// Answers that turned right.
    pub gained: u64,
    /// Accuracy before, 0 to 1.
    pub before: f64,
    /// Accuracy after.
    pub after: f64,
    /// `after − before`.
    pub change: f64,
    /// Standard error of the change, clustered by item and document; without clusters it is √((b+c−(b−c)²/n)/(n−1))/√n. `None` with fewer
    /// than two clusters.
    pub standard_error: Option<f64>,
    /// Tango's score interval of the change (Tango 1998), for as many items as the pairs are worth. It has a width also where no answer
    /// differs.
    pub interval: Interval,
    /// Exact two-sided p-value of no change: McNemar's test where no two answers share a cluster, else the sign-flip test of the clusters.
    pub p_value: f64,
    /// Mean score after minus mean score before, such as of token F1.
    pub score_change: f64,
    /// Standard error of `score_change`, clustered.
    pub score_standard_error: Option<f64>,
    /// Interval of `score_change`: Student's t with clusters − 1 degrees of freedom, and never narrower than that of as many answers of which
    /// none differs. Where all scores are 0 or 1 it is `interval`.
    pub score_interval: Interval,
    /// Share of the answers in the form that was asked for, before.
    pub form_before: f64,
    /// The same after.
    pub form_after: f64,
    /// Exact two-sided p-value of no change of form.
    pub form_p_value: f64,
}

impl PairedComparison {
    /// Compares two sets of answers; `None` where no answer was given by both models.
    pub fn of(before: &GradedSet, after: &GradedSet, confidence: Confidence) -> Option<Self> {
        let pairs = Pairs::of(before, after);
        let correct = |answer: &GradedAnswer| f64::from(u8::from(answer.grade.is_correct()));
        let changes = pairs.differences(correct);
        let forms = pairs.differences(|answer| f64::from(u8::from(answer.form.kept)));
        let score_changes = pairs.differences(|answer| answer.grade.score());
        let scores = clustered_mean(&score_changes, &pairs.clusters)?;
        let found = clustered_mean(&changes, &pairs.clusters)?;
        let worth = effective(&found, confidence);
        let count = |sign: f64| changes.iter().filter(|&&change| change == sign).count() as u64;
        let (lost, gained) = (count(-1.0), count(1.0));
        let scale = worth / changes.len() as f64;
        let interval =
            paired_score_interval(worth, lost as f64 * scale, gained as f64 * scale, confidence.z())
                .unwrap_or(UNKNOWN)
                .including(found.mean);
        let items: HashSet<&str> = pairs.rows.iter().map(|(answer, _)| &*answer.item).collect();
        let formats: HashSet<&str> = pairs.rows.iter().map(|(answer, _)| &*answer.format).collect();
        let mean = |of: &dyn Fn(&(&GradedAnswer, &GradedAnswer)) -> f64| {
            pairs.rows.iter().map(of).sum::<f64>() / pairs.rows.len() as f64
        };
        Some(Self {
            pairs: changes.len() as u64,
            items: items.len() as u64,
            clusters: found.clusters as u64,
            formats: formats.len() as u64,
            unpaired: pairs.unpaired,
            effective: worth,
            lost,
            gained,
            before: mean(&|(before, _)| correct(before)),
            after: mean(&|(_, after)| correct(after)),
            change: found.mean,
            standard_error: found.standard_error,
            interval,
            p_value: sign_flip(&pairs.net(&changes)),
            score_change: scores.mean,
            score_standard_error: scores.standard_error,
            score_interval: if score_changes == changes {
                interval
            } else {
                score_interval(&scores, confidence)
            },
            form_before: mean(&|(before, _)| f64::from(u8::from(before.form.kept))),
            form_after: mean(&|(_, after)| f64::from(u8::from(after.form.kept))),
            form_p_value: sign_flip(&pairs.net(&forms)),
        })
    }

    /// Share of the pairs in which one model is right and the other wrong.
    pub fn discordance(&self) -> f64 {
        (self.lost + self.gained) as f64 / self.pairs as f64
    }

    /// One-sided p-value of the hypothesis that the accuracy fell by `margin` at most: small where it clearly fell by more.
    pub fn p_of_at_most(&self, margin: f64) -> f64 {
        let scale = self.effective / self.pairs as f64;
        paired_score(
            self.effective,
            self.lost as f64 * scale,
            self.gained as f64 * scale,
            -margin,
        )
        .map_or(1.0, normal_cdf)
    }

    /// The items, asked in the same formats, that would show on which side of `-margin` the change lies, with a power of 80 %, were the shares
    /// of lost and gained answers to stay as they are. Without a margin this is Connor's formula (1987); with one, the same formula on Tango's
    /// statistic, which grows with the square root of the items. `None` where no number would: the change is just at the margin, or all
    /// answers are about one document.
    pub fn items_to_settle(&self, margin: f64, confidence: Confidence) -> Option<u64> {
        let distance = (self.change + margin).abs();
        let worth_of_item = self.effective / self.items as f64;
        if distance < 1e-9 || worth_of_item <= 0.0 {
            return None;
        }
        let share = |count: u64| count as f64 / self.pairs as f64;
        // Of a single item: its distance in standard deviations as the margin has them, and as they are.
        let statistic = paired_score(1.0, share(self.lost), share(self.gained), -margin)?.abs();
        let at_margin = distance / statistic;
        let as_it_is = (self.discordance() - self.change * self.change).max(0.0).sqrt();
        let root = (confidence.z() * at_margin + z_power(POWER) * as_it_is) / distance;
        let items = (root * root / worth_of_item).ceil();
        // Beyond that nobody asks.
        (items < 1e9).then_some((items as u64).max(self.items + 1))
    }
}

/// The interval of a mean change of scores.
fn score_interval(found: &ClusteredMean, confidence: Confidence) -> Interval {
    let half = || {
        let error = found.standard_error? * confidence.t(found.clusters as f64 - 1.0)?;
        let nothing_differs = paired_score_interval(effective(found, confidence), 0.0, 0.0, confidence.z())?;
        Some(error.max(nothing_differs.high))
    };
    half().map_or(UNKNOWN, |half| Interval {
        low: (found.mean - half).max(-1.0),
        high: (found.mean + half).min(1.0),
    })
}

/// Answers of two models to the same items in the same formats.
struct Pairs<'a> {
    rows: Vec<(&'a GradedAnswer, &'a GradedAnswer)>,
    clusters: Vec<usize>,
    unpaired: u64,
}

impl<'a> Pairs<'a> {
    fn of(before: &'a GradedSet, after: &'a GradedSet) -> Self {
        let mut left: HashMap<(&str, &str), &GradedAnswer> = after
            .answers()
            .iter()
            .map(|answer| ((&*answer.item, &*answer.format), answer))
            .collect();
        let mut pairs = Self {
            rows: Vec::new(),
            clusters: Vec::new(),
            unpaired: 0,
        };
        for (first, cluster) in before.answers().iter().zip(before.clusters()) {
            match left.remove(&(&*first.item, &*first.format)) {
                Some(second) => {
                    pairs.rows.push((first, second));
                    pairs.clusters.push(*cluster);
                }
                None => pairs.unpaired += 1,
            }
        }
        pairs.unpaired += left.len() as u64;
        pairs
    }

    fn differences(&self, of: impl Fn(&GradedAnswer) -> f64) -> Vec<f64> {
        self.rows
            .iter()
            .map(|(before, after)| of(after) - of(before))
            .collect()
    }

    /// Sums of whole differences by cluster.
    fn net(&self, differences: &[f64]) -> Vec<i64> {
        let mut sums: BTreeMap<usize, i64> = BTreeMap::new();
        for (difference, cluster) in differences.iter().zip(&self.clusters) {
            *sums.entry(*cluster).or_default() += *difference as i64;
        }
        sums.into_values().collect()
    }
}

#[cfg(test)]
pub(crate) mod tests;
