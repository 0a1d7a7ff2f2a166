//! What counts as a duplicate in meaning, by the strategy that made the row.
//!
//! Finding neighbours is the indexes' work; here they are judged. No single threshold serves all strategies: an augmented answer has its
//! question in common with its siblings by design, a rephrasing its meaning.
//!
//! | strategy | equal | alike in words | alike in meaning | besides |
//! |---|---|---|---|---|
//! | answer augmentation | answers to one question | answers to one question | – | |
//! | rephrasing | questions | questions | questions, except its parent's | at most so many a seed |
//! | new question | questions | questions | questions | |
//!
//! Questions that are alike are still two questions when they differ in a fact: [`Facts`]. Only a rephrasing that repeats the words
//! of its own family is a duplicate whatever it changed, since it was asked for other words.

pub use super::facts::{Difference, Facts, distinct_facts};
use crate::strategy::Strategy;

/// Whether a row made by `strategy` is a duplicate of a neighbour that is alike in words, whatever the facts of the two are.
///
/// `related` says that the neighbour is the row's parent, or was made from it too.
pub fn same_words(strategy: Strategy, related: bool) -> bool {
    strategy == Strategy::Rephrasing && related
}

/// Whether a row made by `strategy` is compared with a neighbour that is alike in meaning. Facts then decide.
///
/// `related` says that the neighbour is the row's parent, or was made from it too.
pub fn compares_meaning(strategy: Strategy, related: bool) -> bool {
    match strategy {
        // Its question is its seed's, and meant to be.
        Strategy::AnswerAugmentation => false,
        // It says the same as its parent on purpose; how many may is capped by the seed.
        Strategy::Rephrasing => !related,
        Strategy::NewQuestion => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_strategy_has_its_exemption() {
        for (strategy, related, words, meaning) in [
            (Strategy::AnswerAugmentation, true, false, false),
            (Strategy::AnswerAugmentation, false, false, false),
            (Strategy::Rephrasing, true, true, false),
            (Strategy::Rephrasing, false, false, true),
            (Strategy::NewQuestion, true, false, true),
            (Strategy::NewQuestion, false, false, true),
        ] {
            assert_eq!(same_words(strategy, related), words, "{strategy} {related}");
            assert_eq!(
                compares_meaning(strategy, related),
                meaning,
                "{strategy} {related}"
            );
        }
    }
}
