//! What counts as a duplicate in meaning, by the strategy that made the row.
//!
//! Finding neighbours is the indexes' work; here they are judged. No single threshold serves all strategies: an augmented answer has its
//! question in common with its siblings by design, a rephrasing its meaning.
//!
//! | strategy | equal or alike in words | alike in meaning | besides |
//! |---|---|---|---|
//! | answer augmentation | answers to one question | – | |
//! | rephrasing | questions | questions, except its parent's | at most so many a seed |
//! | new question | questions | questions | |
//!
//! Questions that are alike in meaning to the embedding are still two questions when they differ in a fact: [`Facts`].

pub use super::facts::{Facts, distinct_facts};
use crate::strategy::Strategy;

/// Whether a row made by `strategy` is a duplicate of a neighbour whose question's embedding is as close as the threshold.
///
/// `related` says that the neighbour is the row's parent, or was made from it too. `row` and `neighbour` are their questions' facts.
pub fn same_meaning(strategy: Strategy, related: bool, row: &Facts, neighbour: &Facts) -> bool {
    match strategy {
        // Its question is its seed's, and meant to be.
        Strategy::AnswerAugmentation => false,
        // It says the same as its parent on purpose; how many may is capped by the seed.
        Strategy::Rephrasing => !related && !row.differ(neighbour),
        Strategy::NewQuestion => !row.differ(neighbour),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_strategy_has_its_exemption() {
        let weng = Facts::of(
            "Weng earns $12 an hour for babysitting. Yesterday, she did 50 minutes of it. How much did she earn?",
        );
        let again = Facts::of(
            "At $12 an hour for babysitting, what did Weng earn for the 50 minutes that she did yesterday?",
        );
        let other = Facts::of(
            "Weng earns $14 an hour for babysitting. Yesterday, she did 50 minutes of it. How much did she earn?",
        );
        let named = Facts::of(
            "Yesterday Betty earned $12 an hour for babysitting 50 minutes. How much did Betty earn?",
        );
        for (strategy, related, neighbour, same) in [
            (Strategy::AnswerAugmentation, true, &weng, false),
            (Strategy::AnswerAugmentation, false, &weng, false),
            (Strategy::Rephrasing, true, &weng, false),
            (Strategy::Rephrasing, false, &weng, true),
            (Strategy::Rephrasing, false, &other, false),
            (Strategy::NewQuestion, true, &weng, true),
            (Strategy::NewQuestion, false, &weng, true),
            (Strategy::NewQuestion, false, &other, false),
            (Strategy::NewQuestion, false, &named, false),
        ] {
            assert_eq!(
                same_meaning(strategy, related, &again, neighbour),
                same,
                "{strategy} {related} {neighbour:?}"
            );
        }
    }
}
