//! What people prefer: votes on the answers of two models to the same questions, and whether they agree with the grades.

use std::collections::BTreeMap;

use gristmill_domain::stats::{Interval, clustered_mean, kappa, paired_score_interval, sign_flip};
use serde::{Deserialize, Serialize};

use crate::clusters::clusters;
use crate::confidence::Confidence;
use crate::proportion::{Proportion, effective};

/// Everything that a share can be.
const UNKNOWN: Interval = Interval { low: 0.0, high: 1.0 };

/// What a vote says of two answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Preferred {
    /// The first answer is better.
    First,
    /// The second answer is better.
    Second,
    /// They are equally good.
    Tie,
    /// Both are bad.
    BothBad,
}

/// A vote on the answers of two models to one question.
#[derive(Debug, Clone, PartialEq)]
pub struct PairVote {
    /// Id of the item. Votes on one item, of several people or on answers in several formats, are a cluster.
    pub item: String,
    /// Id of the document that the item is about, where there is one. Items about one document are a cluster.
    pub source: Option<String>,
    /// Which answer is better.
    pub preferred: Preferred,
    /// Whether the grade calls the first and the second answer right.
    pub correct: [bool; 2],
}

/// How often people prefer the answers of the first of two models.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Preference {
    /// Votes.
    pub votes: u64,
    /// How many clusters these come in.
    pub clusters: u64,
    /// How many independent votes they are worth.
    pub effective: f64,
    /// Votes for the first model.
    pub wins: u64,
    /// Votes for the second model.
    pub losses: u64,
    /// Votes that call both equally good.
    pub ties: u64,
    /// Votes that call both bad.
    pub both_bad: u64,
    /// (wins + ½ · (ties + both bad)) / votes: above ½ where the first model is preferred.
    pub share: f64,
    /// ½ + ½ · Tango's score interval of (wins − losses) / votes (Tango 1998), for as many votes as these are worth. Where nobody votes for a tie
    /// and no two votes share a cluster, this is Wilson's interval of the wins. It has a width also where all votes are ties. With a single
    /// cluster of several votes it is all of 0 to 1.
    pub interval: Interval,
    /// Exact two-sided p-value of no preference: the sign test of wins and losses where no two votes share a cluster, else the sign-flip test of the
    /// clusters.
    pub p_value: f64,
}

impl Preference {
    /// What votes come to; `None` without any.
    pub fn of(votes: &[PairVote], confidence: Confidence) -> Option<Self> {
        let clusters = of_votes(votes);
        let values: Vec<f64> = votes.iter().map(|vote| vote.preferred.for_first()).collect();
        let found = clustered_mean(&values, &clusters)?;
        let worth = effective(&found, confidence);
        let count = |wanted| votes.iter().filter(|vote| vote.preferred == wanted).count() as u64;
        let (wins, losses) = (count(Preferred::First), count(Preferred::Second));
        let scale = worth / votes.len() as f64;
        let half = |difference: f64| 0.5 + 0.5 * difference;
        let share = half(found.mean);
        let interval =
            paired_score_interval(worth, losses as f64 * scale, wins as f64 * scale, confidence.z());
        Some(Self {
            votes: votes.len() as u64,
            clusters: found.clusters as u64,
            effective: worth,
            wins,
            losses,
            ties: count(Preferred::Tie),
            both_bad: count(Preferred::BothBad),
            share,
            interval: interval
                .map_or(UNKNOWN, |found| Interval {
                    low: half(found.low),
                    high: half(found.high),
                })
                .including(share),
            p_value: sign_flip(&net(&values, &clusters)),
        })
    }
}

impl Preferred {
    /// 1 for the first, −1 for the second, 0 for neither.
    fn for_first(self) -> f64 {
        match self {
            Self::First => 1.0,
            Self::Second => -1.0,
            Self::Tie | Self::BothBad => 0.0,
        }
    }

    /// Its place in a table of agreement.
    fn class(self) -> usize {
        match self {
            Self::First => 0,
            Self::Tie | Self::BothBad => 1,
            Self::Second => 2,
        }
    }
}

/// Whether votes and grades say the same of two answers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct GradeAgreement {
    /// Votes by what they say (rows: for the first, for neither, for the second) and by which answer alone is graded right (columns: the first, both or
    /// neither, the second).
    pub table: [[u64; 3]; 3],
    /// Of the votes for one of two answers of which one alone is graded right, those for the right one; `None` without any.
    pub decided: Option<Proportion>,
    /// Cohen's κ of votes and grades over the three classes of the table; `None` where both use one single class.
    pub kappa: Option<f64>,
}

impl GradeAgreement {
    /// How votes agree with the grades of the answers that they are on.
    pub fn of(votes: &[PairVote], confidence: Confidence) -> Self {
        let mut table = [[0; 3]; 3];
        for vote in votes {
            table[vote.preferred.class()][graded(vote)] += 1;
        }
        let is_decided = |vote: &&PairVote| vote.preferred.class() != 1 && graded(vote) != 1;
        let decided: Vec<PairVote> = votes.iter().filter(is_decided).cloned().collect();
        let hits: Vec<bool> = decided
            .iter()
            .map(|vote| vote.preferred.class() == graded(vote))
            .collect();
        Self {
            table,
            decided: Proportion::of(&hits, &of_votes(&decided), confidence),
            kappa: kappa(&table),
        }
    }
}

/// The class of the grades: which answer alone is right.
fn graded(vote: &PairVote) -> usize {
    match vote.correct {
        [true, false] => 0,
        [true, true] | [false, false] => 1,
        [false, true] => 2,
    }
}

fn of_votes(votes: &[PairVote]) -> Vec<usize> {
    clusters(votes.iter().map(|vote| (&*vote.item, vote.source.as_deref())))
}

/// Sums by cluster.
fn net(values: &[f64], clusters: &[usize]) -> Vec<i64> {
    let mut sums: BTreeMap<usize, i64> = BTreeMap::new();
    for (value, cluster) in values.iter().zip(clusters) {
        *sums.entry(*cluster).or_default() += *value as i64;
    }
    sums.into_values().collect()
}

#[cfg(test)]
mod tests {
    use gristmill_domain::stats::{Z_95, mcnemar, wilson};
    use proptest::prelude::*;

    use super::*;

    /// Votes on as many items as there are votes, or on `items` of them in turn.
    fn votes(counts: [usize; 4], items: usize) -> Vec<PairVote> {
        let kinds = [
            Preferred::First,
            Preferred::Second,
            Preferred::Tie,
            Preferred::BothBad,
        ];
        let each = kinds
            .into_iter()
            .zip(counts)
            .flat_map(|(kind, count)| std::iter::repeat_n(kind, count));
        each.enumerate()
            .map(|(number, preferred)| PairVote {
                item: format!("item-{}", number % items),
                source: None,
                preferred,
                correct: [true, false],
            })
            .collect()
    }

    fn usual(counts: [usize; 4]) -> Preference {
        Preference::of(&votes(counts, usize::MAX), Confidence::default()).unwrap()
    }

    #[test]
    fn without_ties_it_is_wilsons_interval_and_the_sign_test() {
        for (wins, losses) in [(30, 20), (1, 0), (12, 0), (3, 40)] {
            let found = usual([wins, losses, 0, 0]);
            let wanted = wilson(wins as u64, (wins + losses) as u64, Z_95).unwrap();
            assert!(
                (found.interval.low - wanted.low).abs() < 1e-9,
                "{found:?} {wanted:?}"
            );
            assert!(
                (found.interval.high - wanted.high).abs() < 1e-9,
                "{found:?} {wanted:?}"
            );
            assert_eq!(found.p_value, mcnemar(losses as u64, wins as u64));
        }
    }

    #[test]
    fn ties_count_a_half_to_each_and_prove_nothing_by_themselves() {
        let found = usual([3, 1, 4, 2]);
        assert_eq!((found.votes, found.ties, found.both_bad), (10, 4, 2));
        assert!((found.share - 0.6).abs() < 1e-12);
        let ties = usual([0, 0, 6, 0]);
        assert_eq!((ties.share, ties.p_value), (0.5, 1.0));
        assert!(ties.interval.half_width() > 0.15, "{ties:?}");
        assert_eq!(Preference::of(&[], Confidence::default()), None);
    }

    #[test]
    fn many_votes_on_few_items_know_less() {
        let found = |items| Preference::of(&votes([40, 10, 10, 0], items), Confidence::default()).unwrap();
        let width = |items| found(items).interval.half_width();
        assert!(width(60) < width(10) && width(10) < width(3));
        assert_eq!(found(1).interval, UNKNOWN, "one item says nothing of others");
        assert_eq!(found(1).p_value, 1.0);
    }

    #[test]
    fn votes_agree_with_grades_where_both_choose_the_same_answer() {
        let mut all = votes([6, 2, 1, 1], usize::MAX);
        // Answers that are graded alike say nothing of who votes right.
        all.push(PairVote {
            correct: [true, true],
            ..all[0].clone()
        });
        let found = GradeAgreement::of(&all, Confidence::default());
        assert_eq!(found.table, [[6, 1, 0], [2, 0, 0], [2, 0, 0]]);
        let decided = found.decided.unwrap();
        assert_eq!((decided.count, decided.of), (6, 8));
        let perfect: Vec<PairVote> = [Preferred::First, Preferred::Second]
            .into_iter()
            .enumerate()
            .map(|(number, preferred)| PairVote {
                item: number.to_string(),
                source: None,
                preferred,
                correct: [number == 0, number == 1],
            })
            .collect();
        assert_eq!(
            GradeAgreement::of(&perfect, Confidence::default()).kappa,
            Some(1.0)
        );
        assert_eq!(GradeAgreement::of(&[], Confidence::default()).decided, None);
    }

    proptest! {
        #[test]
        fn the_interval_holds_the_share_and_turns_with_the_sides(
            counts in [0_usize..30, 0_usize..30, 0_usize..30, 0_usize..30], items in 1_usize..40,
        ) {
            let all = votes(counts, items);
            prop_assume!(!all.is_empty());
            let found = Preference::of(&all, Confidence::default()).unwrap();
            prop_assert!(found.interval.contains(found.share));
            prop_assert!(found.interval.low >= -1e-12 && found.interval.high <= 1.0 + 1e-12);
            let turned: Vec<PairVote> = all
                .into_iter()
                .map(|vote| PairVote {
                    preferred: match vote.preferred {
                        Preferred::First => Preferred::Second,
                        Preferred::Second => Preferred::First,
                        other => other,
                    },
                    ..vote
                })
                .collect();
            let turned = Preference::of(&turned, Confidence::default()).unwrap();
            prop_assert!((turned.interval.low + found.interval.high - 1.0).abs() < 1e-9);
            prop_assert!((turned.p_value - found.p_value).abs() < 1e-12);
        }
    }
}
