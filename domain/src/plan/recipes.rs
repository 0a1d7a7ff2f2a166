//! How the candidates of a round are shared out over the job's recipes.
//!
//! The budget rule chooses between what recipes count as; among those that count as the same, weights choose. A recipe that counts as nothing
//! gets the share of all candidates that its weight has of all weights, and the rule decides on the rest.

use serde::{Deserialize, Serialize};

use super::{PlannedRecipe, Policy};
use crate::strategy::{ByStrategy, Mix, Strategy};

/// A recipe as the planner sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RecipeShare {
    /// Its name.
    pub recipe: String,
    /// What its rows are compared as.
    pub strategy: Strategy,
    /// Its weight.
    pub weight: f64,
    /// It counts as its strategy, so that the budget rule decides how often it is used.
    pub ruled: bool,
    /// Candidates that share the reply to its first step.
    #[serde(default = "super::one", skip_serializing_if = "super::is_one")]
    pub shared_by: u32,
}

impl Policy {
    /// True where the job has a recipe whose rows are compared as those of a strategy. Policies of older versions name no recipe, and have all.
    pub(super) fn offers(&self, strategy: Strategy) -> bool {
        self.recipes.is_empty() || self.recipes.iter().any(|share| share.strategy == strategy)
    }

    /// Shares of all candidates that weights alone decide.
    fn fixed(&self) -> ByStrategy<f64> {
        let all: f64 = self.recipes.iter().map(|share| share.weight).sum();
        let mut fixed = ByStrategy::default();
        for share in self.recipes.iter().filter(|share| !share.ruled) {
            fixed[share.strategy] += share.weight / all;
        }
        fixed
    }

    /// True where weights alone decide on some of the candidates.
    pub(super) fn has_fixed(&self) -> bool {
        self.recipes.iter().any(|share| !share.ruled)
    }

    /// The rule's mix with the shares that weights alone decide.
    pub(super) fn blended(&self, rule: &Mix) -> Mix {
        let fixed = self.fixed();
        let rest = (1.0 - fixed.total()).max(0.0);
        let rest = if self.recipes.iter().any(|share| share.ruled) || self.recipes.is_empty() {
            rest
        } else {
            0.0
        };
        Mix::of(&ByStrategy::of(|strategy| {
            fixed[strategy] + rest * rule.share(strategy)
        }))
    }

    /// The candidates of each recipe, where a round has so many of each strategy by this mix.
    pub(super) fn planned(&self, mix: &Mix, candidates: ByStrategy<u64>) -> Vec<PlannedRecipe> {
        let all: f64 = self.recipes.iter().map(|share| share.weight).sum();
        let fixed = self.fixed();
        let ruled_weight = |strategy| -> f64 {
            let of = |share: &&RecipeShare| share.ruled && share.strategy == strategy;
            self.recipes.iter().filter(of).map(|share| share.weight).sum()
        };
        let part = |share: &RecipeShare| {
            if share.ruled {
                let left = (mix.share(share.strategy) - fixed[share.strategy]).max(0.0);
                left * share.weight / ruled_weight(share.strategy)
            } else {
                share.weight / all
            }
        };
        let mut planned = Vec::with_capacity(self.recipes.len());
        for (strategy, number) in candidates.iter() {
            let of = self.recipes.iter().filter(|share| share.strategy == strategy);
            let mut parts: Vec<(&RecipeShare, f64)> = of.map(|share| (share, part(share))).collect();
            if parts.iter().all(|(_, part)| *part <= 0.0) {
                // What another strategy has no room for came here.
                parts.iter_mut().for_each(|(share, part)| *part = share.weight);
            }
            let whole: f64 = parts.iter().map(|(_, part)| part).sum();
            let mut given = 0;
            let mut along = 0.0;
            for (share, part) in parts {
                along += part / whole;
                let upto = ((along * *number as f64).round() as u64).min(*number);
                planned.push(PlannedRecipe {
                    recipe: share.recipe.clone(),
                    strategy,
                    candidates: upto - given,
                    shared_by: share.shared_by,
                });
                given = upto;
            }
        }
        planned
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop_assert_eq, proptest};

    use super::*;
    use crate::job::StrategyChoice;

    fn policy(recipes: &[(&str, Strategy, f64, bool)]) -> Policy {
        Policy {
            strategy: StrategyChoice::Auto,
            rows_max: 100,
            rows_max_reason: String::new(),
            pilot: 0.05,
            rounds: 4,
            rephrasings_per_seed: 4,
            prior: ByStrategy::default(),
            steering: None,
            calibrates: false,
            evidence: None,
            recipes: recipes
                .iter()
                .map(|(recipe, strategy, weight, ruled)| RecipeShare {
                    recipe: (*recipe).to_owned(),
                    strategy: *strategy,
                    weight: *weight,
                    ruled: *ruled,
                    shared_by: 1,
                })
                .collect(),
        }
    }

    const ANSWERS: Strategy = Strategy::AnswerAugmentation;
    const NEW: Strategy = Strategy::NewQuestion;

    #[test]
    fn weights_choose_among_recipes_that_count_as_the_same() {
        let policy = policy(&[
            ("a", ANSWERS, 1.0, true),
            ("b", NEW, 1.0, true),
            ("c", NEW, 3.0, true),
        ]);
        let mix = policy.blended(&Mix::of(&[0.6, 0.0, 0.4].into()));
        assert_eq!(mix.shares(), [0.6, 0.0, 0.4]);
        let planned = policy.planned(&mix, [60, 0, 40].into());
        let numbers: Vec<u64> = planned.iter().map(|planned| planned.candidates).collect();
        assert_eq!(numbers, [60, 10, 30]);
        assert!(!policy.offers(Strategy::Rephrasing) && policy.offers(NEW));
    }

    #[test]
    fn a_recipe_that_counts_as_nothing_gets_its_share_of_all() {
        let policy = policy(&[("a", ANSWERS, 1.0, true), ("pairs", ANSWERS, 1.0, false)]);
        let mix = policy.blended(&Mix::only(ANSWERS));
        assert_eq!(mix.share(ANSWERS), 1.0);
        let planned = policy.planned(&mix, [50, 0, 0].into());
        assert_eq!((planned[0].candidates, planned[1].candidates), (25, 25));
        let alone = self::policy(&[("pairs", ANSWERS, 2.0, false)]);
        assert_eq!(
            alone.blended(&Mix::only(NEW)),
            Mix::only(ANSWERS),
            "the rule has nothing to choose"
        );
    }

    proptest! {
        #[test]
        fn recipes_make_all_candidates_of_their_strategy(a in 0u64..500, c in 0u64..500, w in 0.1f64..9.0, share in 0.0f64..1.0) {
            let policy = policy(&[("a", ANSWERS, 1.0, true), ("b", NEW, w, true), ("c", NEW, 2.0, false)]);
            let mix = policy.blended(&Mix::of(&[share, 0.0, 1.0 - share].into()));
            let planned = policy.planned(&mix, [a, 0, c].into());
            let of = |strategy| planned.iter().filter(|p| p.strategy == strategy).map(|p| p.candidates).sum::<u64>();
            prop_assert_eq!((of(ANSWERS), of(NEW)), (a, c));
        }
    }
}
