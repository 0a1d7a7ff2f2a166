//! What a run is expected to cost before anything is asked: from the prompts it would send and the prices in force.

mod cost;

use std::collections::BTreeMap;

use gristmill_domain::amount::{Amount, Limit};
use gristmill_domain::concept::Outlook;
use gristmill_domain::evidence::{Costs, Measured, Rule, TYPICAL_REACHED, Terms};
use gristmill_domain::job::{Assign, Concepts, Job};
use gristmill_domain::plan::{Estimate, Policy, RecipeShare, Snapshot, Steering, Tries};
use gristmill_domain::recipe::{Need, Recipe};
use gristmill_domain::share::synthetic_ceiling;
use gristmill_domain::strategy::{ByStrategy, Strategy};

use crate::Error;
use crate::seeds::SeedStore;
use crate::setup::{Setup, UsedRecipe, judge_use};
pub(crate) use cost::step_cost;
use cost::{SAMPLE, estimate};

/// Share of candidates that become rows, believed before a pilot: further answers, and rephrasings.
const PRIOR_ACCEPTANCE: [f64; 2] = [0.78, 0.74];
/// The same of new questions and texts whose answers do not vote: what the gate and one check leave.
const PRIOR_ACCEPTANCE_UNVOTED: f64 = 0.6;
/// How fast acceptance falls a lap over the seeds, believed before a pilot: by as much as a stock of twenty wordings of an answer, ten of a
/// question and twenty new questions a seed would have it.
const fn prior_fall(strategy: Strategy) -> f64 {
    match strategy {
        Strategy::AnswerAugmentation | Strategy::NewQuestion => 0.05,
        Strategy::Rephrasing => 0.1,
    }
}

/// Examples of a concept from which the seeds cover it.
const COVERED_FROM: u64 = 5;

/// The policy of a run: what is decided before it and stays.
pub fn policy(setup: &Setup, seeds: &SeedStore) -> Result<Policy, Error> {
    let job = &setup.job;
    let share = job.anchor.max_synthetic_share;
    let real = seeds.anchors() * u64::from(job.anchor.max_repeats);
    let ceiling = synthetic_ceiling(share, real);
    let (rows_max, rows_max_reason) = match job.generate.rows {
        Some(rows) if rows <= ceiling => (rows, format!("the job wants {rows} rows")),
        Some(_) | None => {
            let percent = 100.0 * share;
            (
                ceiling,
                format!(
                    "{real} real rows allow {ceiling} synthetic ones under the ceiling of {percent:.0} %"
                ),
            )
        }
    };
    check_passages(setup, seeds)?;
    let terms = terms(setup, seeds)?;
    let rule = Rule::typical(&terms);
    let prior = |strategy: Strategy, acceptance: f64| -> Result<Estimate, Error> {
        Ok(Estimate {
            fall: prior_fall(strategy),
            ..estimate(setup, seeds, strategy, acceptance, &rule)?
        })
    };
    let [answers, rephrasings] = PRIOR_ACCEPTANCE;
    let answers = if job.answers_repeat() { 0.0 } else { answers };
    let new = match setup.new_questions_vote() {
        true => TYPICAL_REACHED * rule.expected.accepted,
        false => PRIOR_ACCEPTANCE_UNVOTED,
    };
    let prior = [
        prior(Strategy::AnswerAugmentation, answers)?,
        prior(Strategy::Rephrasing, rephrasings)?,
        prior(Strategy::NewQuestion, new)?,
    ]
    .into();
    Ok(Policy {
        strategy: job.generate.strategy,
        rows_max,
        rows_max_reason,
        pilot: job.generate.pilot,
        rounds: job.generate.rounds,
        rephrasings_per_seed: job.generate.rephrasings_per_seed,
        prior,
        steering: job
            .concepts
            .as_ref()
            .and_then(|concepts| steering(setup, concepts)),
        calibrates: setup.measures(),
        // Where no recipe has answers that agree, nothing is decided by how they do.
        evidence: setup.has_ballots().then_some(terms),
        recipes: setup
            .recipes()
            .iter()
            .map(|UsedRecipe { recipe, weight }| RecipeShare {
                recipe: recipe.name().to_owned(),
                strategy: recipe.kind(),
                weight: *weight,
                ruled: recipe.file().counts_as.is_some(),
                shared_by: recipe.shared_by(),
            })
            .collect(),
    })
}

/// Refuses recipes that need passages where there are none.
fn check_passages(setup: &Setup, seeds: &SeedStore) -> Result<(), Error> {
    let needs = |recipe: &Recipe| recipe.file().needs.contains(&Need::Passage);
    let Some(used) = setup.recipes().iter().find(|used| needs(&used.recipe)) else {
        return Ok(());
    };
    let mut there = !seeds.passages().is_empty();
    for n in 0..seeds.anchors().min(SAMPLE) {
        there |= seeds.read(seeds.anchor(n))?.context.is_some();
    }
    if there {
        return Ok(());
    }
    Err(Error::Roles {
        message: format!(
            "the recipe `{}` needs passages, and there are none: name documents in `seeds.documents`, or the column with each seed's passage in \
             `seeds.fields.context`",
            used.recipe.name()
        ),
    })
}

/// What a job wants of rows without a reference, and what each call costs for it: money where that is limited, else calls.
fn terms(setup: &Setup, seeds: &SeedStore) -> Result<Terms, Error> {
    let job = &setup.job;
    let samples = job.judge.as_ref().map_or(0, |judge| judge.samples);
    let mut costs = UNIT_COSTS;
    costs.judge *= f64::from(samples);
    let voting = |recipe: &&Recipe| setup.votes(recipe);
    let new = setup
        .recipes_of(Strategy::NewQuestion)
        .map(|(_, used)| &used.recipe);
    let others = setup.recipes().iter().map(|used| &used.recipe);
    let Some(recipe) = new.chain(others).find(voting) else {
        return Ok(terms_at(job, costs));
    };
    let (verdict, judge) = recipe.evidence();
    let usd = |step: Option<usize>| -> Result<Option<f64>, Error> {
        let cost = step
            .map(|step| step_cost(setup, recipe, seeds, 0, step))
            .transpose()?;
        Ok(cost.map(|cost| cost.usd_micros))
    };
    if job.budget.usd.is_some() && seeds.anchors() > 0 {
        let answer = usd(recipe.ballot())?.unwrap_or_default();
        if answer > 0.0 {
            let judge = match samples {
                0 => 0.0,
                samples => f64::from(samples) * usd(judge)?.unwrap_or(answer),
            };
            costs = Costs {
                ask: usd(Some(0))?.unwrap_or(answer),
                verify: usd(verdict)?.unwrap_or(answer),
                answer,
                judge,
            };
        }
    }
    let asks = recipe.ask(0).filter(|_| recipe.asks_question()).map(|_| 0);
    // A reply that several share costs each of them its part.
    costs.ask /= f64::from(recipe.shared_by());
    Ok(Terms {
        answered: setup.always_brings(recipe, asks),
        verified_with_answer: setup.always_brings(recipe, verdict),
        ..terms_at(job, costs)
    })
}

/// A call of each kind costs one call.
const UNIT_COSTS: Costs = Costs {
    ask: 1.0,
    verify: 1.0,
    answer: 1.0,
    judge: 1.0,
};

fn terms_at(job: &Job, costs: Costs) -> Terms {
    let agreement = &job.generate.agreement;
    Terms {
        target: agreement.accuracy(),
        required: agreement.required,
        lead: agreement.lead,
        max_samples: agreement.max_samples(),
        verify: job.generate.verify,
        judge: judge_use(job),
        wrong_answers: job.wrong_answers(),
        answered: false,
        verified_with_answer: false,
        costs,
    }
}

/// Plans of older versions do not carry their rule: it was a lead of two votes, unless the job named another.
pub(crate) fn rule_of_older_plans(job: &Job) -> Rule {
    let terms = Terms {
        lead: Some(job.generate.agreement.lead.unwrap_or(2)),
        ..terms_at(job, UNIT_COSTS)
    };
    Rule::new(&Measured::default(), &terms)
}

/// True where passages are told apart by the concept that each is about.
pub(crate) fn places_passages(concepts: &Concepts) -> bool {
    concepts.assign != Assign::Labels && concepts.steers()
}

/// How rounds aim at the concepts of a job, where it wants rows of them.
fn steering(setup: &Setup, concepts: &Concepts) -> Option<Steering> {
    concepts.steers().then(|| Steering {
        min_gain: concepts.min_gain,
        new_questions: concepts.assign != Assign::Labels,
        // An answer that must stand in a passage needs one that is about the concept: a seed's, or a document's.
        seedless: setup.job.filter.grounding.is_none(),
        beyond: setup.job.generate.rows.is_some(),
    })
}

/// Share of concepts that fewer than `covered_from` seeds belong to.
pub fn uncovered_share(outlooks: &[Outlook], covered_from: u64) -> f64 {
    let uncovered = outlooks
        .iter()
        .filter(|concept| concept.seeds < covered_from)
        .count();
    uncovered as f64 / outlooks.len().max(1) as f64
}

/// The state of a run before its first round.
pub fn snapshot_before(seeds: &SeedStore, limit: Limit) -> Snapshot {
    let concepts = &seeds.summary().concepts;
    let uncovered = concepts.values().filter(|rows| **rows < COVERED_FROM).count();
    Snapshot {
        rounds_done: 0,
        seeds: seeds.anchors(),
        uncovered_share: if concepts.is_empty() {
            0.0
        } else {
            uncovered as f64 / concepts.len() as f64
        },
        limit,
        used: Amount::ZERO,
        tallies: ByStrategy::default(),
        tries: Tries::new(seeds.anchors()),
        barren: BTreeMap::new(),
        last: None,
        concepts: Vec::new(),
        measured: Measured::default(),
        teacher_checks: Vec::new(),
    }
}
