//! How preference pairs lean in length: how often the preferred answer is the longer one, and by how much.
//!
//! Judges like long answers, and a model that is trained on pairs that lean so learns to write long rather than well (Singhal et al. 2023,
//! arXiv 2310.03716: much of what reward models and their students gain is length). So what a rule that looks at nothing but length would
//! score on the pairs is measured and shown.

use gristmill_domain::row::{Row, completion};
use gristmill_domain::stats::{Z_95, wilson};
use gristmill_domain::words::{many, thousands};
use serde::{Deserialize, Serialize};

/// How far from one half the whole interval must lie for a warning.
const CLEARLY: f64 = 0.1;

/// Sums over pairs while rows go by.
#[derive(Debug, Clone, Default)]
pub(crate) struct Lengths {
    pairs: u64,
    longer: u64,
    shorter: u64,
    chars: i64,
    words: i64,
}

/// How the pairs of a run lean in length. Lengths are those of what is trained on: the answer with its reasoning.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LengthBias {
    /// Pairs.
    pub pairs: u64,
    /// Pairs whose preferred answer has more characters.
    pub chosen_longer: u64,
    /// Pairs whose preferred answer has fewer.
    pub chosen_shorter: u64,
    /// Share of the pairs of unlike length whose preferred answer is the longer one, 0 to 1.
    pub longer_share: f64,
    /// Lower end of its 95 % interval (Wilson).
    pub longer_share_low: f64,
    /// Upper end of it.
    pub longer_share_high: f64,
    /// Characters that the preferred answer has more than the other, on average.
    pub mean_chars: f64,
    /// Words that it has more.
    pub mean_words: f64,
    /// Share of the pairs that a rule which prefers the longer answer gets right; of two equally long it gets half.
    pub longer_wins: f64,
}

impl Lengths {
    /// Counts an accepted row, if it is a pair.
    pub(crate) fn see(&mut self, row: &Row) {
        let Some(worse) = &row.worse else {
            return;
        };
        let chosen = completion(&row.reasoning, &row.answer);
        let rejected = completion(&worse.reasoning, &worse.answer);
        let more = |count: fn(&str) -> usize| count(&chosen) as i64 - count(&rejected) as i64;
        let chars = more(|text| text.chars().count());
        self.pairs += 1;
        self.longer += u64::from(chars > 0);
        self.shorter += u64::from(chars < 0);
        self.chars += chars;
        self.words += more(|text| text.split_whitespace().count());
    }

    /// How the pairs lean; `None` where no two answers differ in length.
    pub(crate) fn bias(&self) -> Option<LengthBias> {
        let unlike = self.longer + self.shorter;
        let interval = wilson(self.longer, unlike, Z_95)?;
        let pairs = self.pairs as f64;
        let even = (self.pairs - unlike) as f64;
        Some(LengthBias {
            pairs: self.pairs,
            chosen_longer: self.longer,
            chosen_shorter: self.shorter,
            longer_share: self.longer as f64 / unlike as f64,
            longer_share_low: interval.low,
            longer_share_high: interval.high,
            mean_chars: self.chars as f64 / pairs,
            mean_words: self.words as f64 / pairs,
            longer_wins: (self.longer as f64 + even / 2.0) / pairs,
        })
    }
}

impl LengthBias {
    /// `the preferred answer is the longer one in 31 of 40 pairs of unlike length (77.5 %, 95 % interval 62.5 to 87.7 %)`.
    fn share_in_words(&self) -> String {
        format!(
            "the preferred answer is the longer one in {} of {} of unlike length ({:.1} %, 95 % interval {:.1} to {:.1} %)",
            thousands(self.chosen_longer),
            many(self.chosen_longer + self.chosen_shorter, "pair"),
            100.0 * self.longer_share,
            100.0 * self.longer_share_low,
            100.0 * self.longer_share_high
        )
    }

    /// In whole sentences.
    pub fn in_words(&self) -> String {
        format!(
            "Of {}, {}. On average it has {:+.1} characters and {:+.1} words more than the other. A rule that prefers the longer answer \
             would be right in {:.1} % of all pairs.",
            many(self.pairs, "preference pair"),
            self.share_in_words(),
            self.mean_chars,
            self.mean_words,
            100.0 * self.longer_wins
        )
    }

    /// What a reader should know before training, where the pairs clearly lean to one side.
    pub(crate) fn warning(&self) -> Option<String> {
        let learnt = match (
            self.longer_share_low > 0.5 + CLEARLY,
            self.longer_share_high < 0.5 - CLEARLY,
        ) {
            (true, _) => "to write long",
            (_, true) => "to write short",
            (false, false) => return None,
        };
        Some(format!(
            "{}: what is trained on them learns {learnt}; set `max_length_ratio` in the `row` of the recipe, such as 1.5",
            self.share_in_words()
        ))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lengths(longer: u64, shorter: u64, even: u64) -> Lengths {
        Lengths {
            pairs: longer + shorter + even,
            longer,
            shorter,
            chars: 12 * longer as i64 - 12 * shorter as i64,
            words: 2 * longer as i64 - 2 * shorter as i64,
        }
    }

    #[test]
    fn pairs_that_clearly_lean_are_warned_of() {
        let warned = |longer, shorter| lengths(longer, shorter, 0).bias().and_then(|bias| bias.warning());
        assert!(
            warned(90, 10)
                .unwrap()
                .contains("learns to write long; set `max_length_ratio`")
        );
        assert!(warned(10, 90).unwrap().contains("learns to write short"));
        for (longer, shorter) in [(50, 50), (60, 40), (4, 1), (65, 35)] {
            assert_eq!(warned(longer, shorter), None, "{longer} against {shorter}");
        }
        assert_eq!(lengths(0, 0, 5).bias(), None, "equally long pairs say nothing");
    }

    #[test]
    fn what_is_measured_is_said() {
        let bias = lengths(30, 10, 10).bias().unwrap();
        assert_eq!((bias.longer_share, bias.longer_wins), (0.75, 0.7));
        assert_eq!(
            bias.in_words(),
            "Of 50 preference pairs, the preferred answer is the longer one in 30 of 40 pairs of unlike length (75.0 %, 95 % interval \
             59.8 to 85.8 %). On average it has +4.8 characters and +0.8 words more than the other. A rule that prefers the longer \
             answer would be right in 70.0 % of all pairs."
        );
    }

    proptest! {
        /// Pairs the other way round lean the other way, by as much.
        #[test]
        fn turned_pairs_lean_the_other_way(longer in 0u64..200, shorter in 1u64..200, even in 0u64..50) {
            let bias = lengths(longer, shorter, even).bias().unwrap();
            let turned = lengths(shorter, longer, even).bias().unwrap();
            prop_assert!((bias.longer_share + turned.longer_share - 1.0).abs() < 1e-9);
            prop_assert!((bias.longer_wins + turned.longer_wins - 1.0).abs() < 1e-9);
            prop_assert!((bias.longer_share_low + turned.longer_share_high - 1.0).abs() < 1e-9);
            prop_assert!((bias.mean_chars + turned.mean_chars).abs() < 1e-9);
            prop_assert_eq!(bias.warning().is_some(), turned.warning().is_some());
        }
    }
}
