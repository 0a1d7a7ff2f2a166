//! The plan of a preview: a few candidates of every recipe, without a word of the budget rule.

use gristmill_domain::amount::Limit;
use gristmill_domain::evidence::Rule;
use gristmill_domain::plan::{Expected, PerSeed, Plan, PlannedRecipe, Policy, Purpose};
use gristmill_domain::strategy::{ByStrategy, Mix};

use crate::setup::Setup;

/// The one round of a preview: so many candidates over the job's recipes, at least one of each. Answers vote as a typical teacher's would,
/// since nothing is measured yet.
pub fn preview(setup: &Setup, policy: &Policy, limit: Limit, candidates: u64) -> Plan {
    let used = setup.recipes();
    let number = used.len().max(1) as u64;
    let candidates = candidates.max(number);
    let recipes: Vec<PlannedRecipe> = (0..)
        .zip(used)
        .map(|(place, used)| PlannedRecipe {
            recipe: used.recipe.name().to_owned(),
            strategy: used.recipe.kind(),
            candidates: candidates / number + u64::from(place < candidates % number),
            shared_by: used.recipe.shared_by(),
        })
        .collect();
    let mut by_strategy = ByStrategy::<u64>::default();
    for planned in &recipes {
        by_strategy[planned.strategy] += planned.candidates;
    }
    let share = |strategy| by_strategy[strategy] as f64 / candidates as f64;
    Plan {
        round: 0,
        purpose: Purpose::Production,
        candidates: by_strategy,
        recipes,
        calibration: 0,
        visited: ByStrategy::default(),
        rephrasings: PerSeed::default(),
        rows_wanted: None,
        forecast: None,
        aims: Vec::new(),
        concepts: Vec::new(),
        rule: policy.evidence.as_ref().map(Rule::typical),
        concept_rules: std::collections::BTreeMap::new(),
        teacher_checks: Vec::new(),
        mix: Mix::of(&ByStrategy::of(share)),
        limit: Some(limit),
        budget_ratio: 0.0,
        reason: "A preview tries every recipe of the job.".into(),
        change: String::new(),
        expected: Expected::default(),
        generate_limit: limit,
    }
}
