//! What the training rows around a question say about why a student got it wrong.

use gristmill_domain::stats::fisher_at_least;
use gristmill_domain::words::many;
use serde::{Deserialize, Serialize};

use crate::stance::Stances;

/// Level of the test that synthetic rows give a label less often than real ones.
const LEVEL: f64 = 0.01;

/// Why an answer is wrong, as far as the training rows tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// No training row is about it.
    NeverCovered,
    /// Fewer rows are about it than the minimum.
    ThinlyCovered,
    /// Synthetic rows about it contradict the right answer more than they support it.
    CoveredWrongly,
    /// Real rows that answer the same question contradict the right answer: either they or the item are wrong, and a person must look.
    ContradictedByRealData,
    /// Enough rows are about it, and nothing speaks against them: the training did not take it in.
    NotLearned,
}

impl Verdict {
    /// All of them, in the order of the decision table.
    pub const ALL: [Self; 5] = [
        Self::ContradictedByRealData,
        Self::CoveredWrongly,
        Self::NeverCovered,
        Self::ThinlyCovered,
        Self::NotLearned,
    ];

    /// In words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::NeverCovered => "never covered",
            Self::ThinlyCovered => "thinly covered",
            Self::CoveredWrongly => "covered wrongly",
            Self::ContradictedByRealData => "contradicted by real data",
            Self::NotLearned => "covered and not learned",
        }
    }

    /// True where more rows are the remedy.
    pub const fn is_gap(self) -> bool {
        matches!(
            self,
            Self::NeverCovered | Self::ThinlyCovered | Self::CoveredWrongly
        )
    }
}

/// What is known of the training rows around a question.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// Real rows.
    pub real: Stances,
    /// Synthetic rows.
    pub synthetic: Stances,
    /// Rows about it, real and synthetic: of its concept, or near it where a concept is not known.
    pub covering: u64,
    /// Rows from which it counts as covered.
    pub minimum: u64,
    /// Where answers are labels: real rows with the right answer's label, and with another one, that synthetic rows are held against.
    pub real_labels: Option<(u64, u64)>,
}

/// The verdict on a question that was answered wrongly: the first line of this table that holds.
///
/// | condition | verdict |
/// |---|---|
/// | more real rows disagree than agree | contradicted by real data |
/// | more synthetic rows disagree than agree; or as many, and labels contradict | covered wrongly |
/// | no row is about it | never covered |
/// | fewer rows than the minimum are about it | thinly covered |
/// | otherwise | covered and not learned |
///
/// *Labels contradict* where more synthetic rows about the same thing have another label than have the right answer's, and they have it
/// less often than real rows do: Fisher's exact test, one-sided, at 1 %. Real rows about the same thing that have another label do not
/// contradict: topics may lean to one label, and the item may be an exception.
pub fn verdict(evidence: &Evidence) -> Verdict {
    let Evidence { real, synthetic, .. } = evidence;
    if real.disagree > real.agree {
        return Verdict::ContradictedByRealData;
    }
    let labels = || labels_contradict(synthetic, evidence.real_labels);
    if synthetic.disagree > synthetic.agree || (synthetic.disagree == synthetic.agree && labels()) {
        return Verdict::CoveredWrongly;
    }
    match evidence.covering {
        0 => Verdict::NeverCovered,
        some if some < evidence.minimum => Verdict::ThinlyCovered,
        _ => Verdict::NotLearned,
    }
}

fn labels_contradict(rows: &Stances, real: Option<(u64, u64)>) -> bool {
    let Some((right, other)) = real else { return false };
    rows.other_label > rows.same_label
        && fisher_at_least(right, other, rows.same_label, rows.other_label) <= LEVEL
}

/// What a verdict rests on.
pub(crate) fn why(verdict: Verdict, evidence: &Evidence) -> String {
    let Evidence {
        real,
        synthetic,
        covering,
        minimum,
        real_labels,
    } = evidence;
    match verdict {
        Verdict::ContradictedByRealData => format!(
            "{} to the same question {} with the reference, {} agree",
            many(real.disagree, "real answer"),
            if real.disagree == 1 {
                "disagrees"
            } else {
                "disagree"
            },
            real.agree
        ),
        Verdict::CoveredWrongly if synthetic.disagree > synthetic.agree => format!(
            "{} of the same question or with the student's answer contradict the reference, {} support it",
            many(synthetic.disagree, "synthetic row"),
            synthetic.agree
        ),
        Verdict::CoveredWrongly => format!(
            "{} of {} about the same thing have the right answer's label, and {} of {}",
            synthetic.same_label,
            many(synthetic.same_label + synthetic.other_label, "synthetic row"),
            real_labels.map_or(0, |(right, _)| right),
            many(real_labels.map_or(0, |(right, other)| right + other), "real row")
        ),
        Verdict::NeverCovered => "no training row is about it".to_owned(),
        Verdict::ThinlyCovered => {
            format!(
                "{} about it, fewer than {minimum}",
                many(*covering, "training row")
            )
        }
        Verdict::NotLearned => {
            let (agree, disagree) = (
                real.agree + real.same_label + synthetic.agree + synthetic.same_label,
                real.disagree + real.other_label + synthetic.disagree + synthetic.other_label,
            );
            format!(
                "{} about it; of those that say something about the answer, {agree} agree and {disagree} do not",
                many(*covering, "training row")
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn evidence(real: [u64; 4], synthetic: [u64; 4], covering: u64, labels: Option<(u64, u64)>) -> Evidence {
        let stances = |[agree, disagree, same_label, other_label]: [u64; 4]| Stances {
            agree,
            disagree,
            same_label,
            other_label,
        };
        Evidence {
            real: stances(real),
            synthetic: stances(synthetic),
            covering,
            minimum: 5,
            real_labels: labels,
        }
    }

    #[test]
    fn the_decision_table() {
        use Verdict::*;
        for (real, synthetic, covering, labels, expected) in [
            // Rows that answer the same question.
            ([0, 1, 0, 0], [9, 0, 0, 0], 20, None, ContradictedByRealData),
            ([0, 1, 0, 0], [0, 9, 0, 0], 20, None, ContradictedByRealData),
            ([1, 1, 0, 0], [0, 0, 0, 0], 20, None, NotLearned),
            ([1, 0, 0, 0], [1, 2, 0, 0], 20, None, CoveredWrongly),
            ([0, 0, 0, 0], [0, 1, 0, 0], 1, None, CoveredWrongly),
            ([0, 0, 0, 0], [2, 2, 0, 0], 20, None, NotLearned),
            // Coverage.
            ([0, 0, 0, 0], [0, 0, 0, 0], 0, None, NeverCovered),
            ([0, 0, 0, 0], [1, 0, 0, 0], 4, None, ThinlyCovered),
            ([0, 0, 0, 0], [1, 0, 0, 0], 5, None, NotLearned),
            // Labels: 6 of 7 real rows against 4 of 30 synthetic ones (p = 0.0006), and against 2 of 5 (p = 0.15).
            ([0, 0, 6, 1], [0, 0, 4, 26], 37, Some((6, 1)), CoveredWrongly),
            ([0, 0, 6, 1], [0, 0, 2, 3], 12, Some((6, 1)), NotLearned),
            // An exception in a topic whose real rows lean the other way, too.
            ([0, 0, 0, 9], [0, 0, 0, 9], 20, Some((0, 9)), NotLearned),
            // Less often than real rows, but not rarely.
            ([0, 0, 9, 0], [0, 0, 11, 10], 40, Some((90, 10)), NotLearned),
            // Rows on the question itself say more than those about the topic.
            ([0, 0, 6, 1], [1, 0, 4, 26], 38, Some((6, 1)), NotLearned),
        ] {
            let evidence = evidence(real, synthetic, covering, labels);
            assert_eq!(verdict(&evidence), expected, "{evidence:?}");
        }
    }

    fn some_evidence() -> impl Strategy<Value = Evidence> {
        let side = || prop::array::uniform4(0_u64..12);
        (
            side(),
            side(),
            0_u64..30,
            prop::option::of((0_u64..40, 0_u64..40)),
        )
            .prop_map(|(real, synthetic, more, labels)| {
                let covering = more + synthetic.iter().sum::<u64>() + real.iter().sum::<u64>();
                evidence(real, synthetic, covering, labels)
            })
    }

    proptest! {
        /// A row more that agrees never makes an item less covered, nor its rows wrong, held against the same real labels.
        #[test]
        fn support_never_lowers_coverage(before in some_evidence(), real: bool, label: bool) {
            let mut after = before;
            let side = if real { &mut after.real } else { &mut after.synthetic };
            *(if label { &mut side.same_label } else { &mut side.agree }) += 1;
            after.covering += 1;
            let (before, after) = (verdict(&before), verdict(&after));
            if before == Verdict::NotLearned {
                prop_assert_eq!(after, Verdict::NotLearned);
            }
            prop_assert!(after != Verdict::NeverCovered);
            if after == Verdict::CoveredWrongly {
                prop_assert!(matches!(before, Verdict::CoveredWrongly | Verdict::ContradictedByRealData));
            }
        }

        /// A row more that disagrees never clears rows of the suspicion.
        #[test]
        fn contradiction_never_acquits(before in some_evidence()) {
            let mut after = before;
            after.synthetic.disagree += 1;
            if verdict(&before) == Verdict::CoveredWrongly {
                prop_assert_eq!(verdict(&after), Verdict::CoveredWrongly);
            }
            after.real.disagree += 100;
            prop_assert_eq!(verdict(&after), Verdict::ContradictedByRealData);
        }
    }
}
