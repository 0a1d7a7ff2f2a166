//! What a run is expected to cost before anything is asked: from the prompts it would send and the prices in force.

use std::collections::BTreeMap;
use std::sync::Arc;

use gristmill_domain::amount::{Amount, Limit};
use gristmill_domain::chat::{Price, Prompt, Request};
use gristmill_domain::concept::Outlook;
use gristmill_domain::evidence::{Costs, Measured, Rule, TYPICAL_REACHED, Terms};
use gristmill_domain::job::{Assign, Concept, Concepts, Job, JudgeWhen};
use gristmill_domain::plan::{Estimate, Policy, RecipeShare, Snapshot, StageCost, Steering, Tries};
use gristmill_domain::recipe::machine::{Call, State};
use gristmill_domain::recipe::{Does, JudgeStep, Need, Recipe, Samples};
use gristmill_domain::reply::Holds;
use gristmill_domain::row::Position;
use gristmill_domain::strategy::{ByStrategy, Strategy};
use gristmill_domain::work::{Address, Work};

use crate::Error;
use crate::seeds::SeedStore;
use crate::setup::{Brief, Setup, UsedRecipe, judge_use, starts_from_passage};

/// Seeds whose prompts are measured.
const SAMPLE: u64 = 12;
/// Bytes of a token of English text, roughly.
const BYTES_A_TOKEN: f64 = 4.0;
/// Questions with their answers in a dialogue, believed before a pilot.
const DIALOGUE_TURNS: f64 = 3.0;
/// Tokens of a reply that holds tools, believed before a pilot.
const TOOLS_TOKENS: f64 = 400.0;
/// Share of candidates that become rows, believed before a pilot: further answers, and rephrasings.
const PRIOR_ACCEPTANCE: [f64; 2] = [0.78, 0.74];
/// The same of new questions and texts whose answers do not vote: what the gate and one check leave.
const PRIOR_ACCEPTANCE_UNVOTED: f64 = 0.6;
/// Answers to a rephrasing whose wrong ones are asked for again.
const ANSWERS_A_REPHRASING: f64 = 1.2;
/// How fast acceptance falls a lap over the seeds, believed before a pilot: by as much as a stock of twenty wordings of an answer, ten of a
/// question and twenty new questions a seed would have it.
const fn prior_fall(strategy: Strategy) -> f64 {
    match strategy {
        Strategy::AnswerAugmentation | Strategy::NewQuestion => 0.05,
        Strategy::Rephrasing => 0.1,
    }
}

/// Share of candidates that reach the judge when nothing cheaper settles them.
const JUDGED_SHARE: f64 = 0.8;
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

/// Share of synthetic rows beside real ones.
pub fn synthetic_share(rows: u64, real: u64) -> f64 {
    rows as f64 / rows.saturating_add(real).max(1) as f64
}

/// The most synthetic rows s beside `real` ones that are at most `share` of all: s ≤ share·(s + real).
pub fn synthetic_ceiling(share: f64, real: u64) -> u64 {
    // By the very comparison that the assembled rows are held to: .95 / (1 - .95) · 160 is 3,040 but for the last bit.
    let fits = |rows: u64| synthetic_share(rows, real) <= share;
    let near = (share / (1.0 - share) * real as f64) as u64;
    let (below, above) = (near.saturating_sub(1), near.saturating_add(1));
    [above, near]
        .into_iter()
        .find(|rows| fits(*rows))
        .unwrap_or(below)
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

/// What a candidate of a strategy is expected to cost: the mean over the recipes whose rows are compared as those of the strategy.
fn estimate(
    setup: &Setup,
    seeds: &SeedStore,
    strategy: Strategy,
    acceptance: f64,
    rule: &Rule,
) -> Result<Estimate, Error> {
    let recipes: Vec<&UsedRecipe> = setup.recipes_of(strategy).map(|(_, used)| used).collect();
    let weights: f64 = recipes.iter().map(|used| used.weight).sum();
    let mut stages = [StageCost::default(); 3];
    let mut fixed_calls = true;
    for UsedRecipe { recipe, weight } in &recipes {
        let calls = calls(setup, recipe, acceptance, rule);
        fixed_calls &= calls.len() == 1 && !setup.votes(recipe) && recipe.shared_by() == 1;
        let sample = seeds.anchors().min(SAMPLE);
        for n in 0..sample {
            for (step, times) in &calls {
                let cost = step_cost(setup, recipe, seeds, n, *step)?;
                let stage = &mut stages[recipe.stage(*step) as usize];
                let weight = times / sample as f64 * weight / weights;
                stage.calls += weight * cost.calls;
                stage.usd_micros += weight * cost.usd_micros;
                stage.input_tokens += weight * cost.input_tokens;
                stage.output_tokens += weight * cost.output_tokens;
            }
        }
    }
    Ok(Estimate {
        // Nothing is kept of what nothing makes.
        acceptance: if recipes.is_empty() { 0.0 } else { acceptance },
        stages,
        fixed_calls,
        fall: 0.0,
    })
}

/// Calls that a candidate of a recipe is expected to take, by step: a fold over the steps.
fn calls(setup: &Setup, recipe: &Recipe, acceptance: f64, rule: &Rule) -> Vec<(usize, f64)> {
    let job = &setup.job;
    let votes = setup.votes(recipe);
    let (verdict, judge) = recipe.evidence();
    let reached = if recipe.kind() == Strategy::NewQuestion {
        TYPICAL_REACHED
    } else {
        1.0
    };
    let gate = recipe.question_gate().unwrap_or(0);
    let (mut samples, mut passes) = (1.0, 1.0);
    let mut calls = Vec::new();
    for (number, step) in recipe.steps().iter().enumerate() {
        // What is asked after the gate is asked of those that pass it.
        let comes = if number > gate { reached } else { 1.0 };
        let times = match &step.does {
            Does::Repeat { end } => {
                if let Some(Does::Again { at_most, .. }) = recipe.step(*end).map(|step| &step.does) {
                    passes = f64::midpoint(1.0, f64::from(*at_most));
                }
                continue;
            }
            Does::Again { .. } => {
                passes = 1.0;
                continue;
            }
            Does::Choose { .. } => {
                samples = 1.0;
                continue;
            }
            Does::Ask(_) if verdict == Some(number) => match job.generate.verify {
                true if votes => reached * rule.expected.verifications,
                verifies => f64::from(u8::from(verifies)),
            },
            Does::Ask(ask) => match ask.samples {
                Samples::Agreement { .. } if votes => reached * rule.expected.answers,
                Samples::Agreement { .. } if recipe.rewords() && rule.retries > 0 => ANSWERS_A_REPHRASING,
                Samples::Agreement { .. } => 1.0,
                Samples::One => comes / f64::from(ask.shared_by),
                Samples::Several(number) => {
                    samples = f64::from(number);
                    comes * samples
                }
            },
            Does::Judge(JudgeStep { own: Some(_), .. }) => comes * samples,
            Does::Judge(_) => job.judge.as_ref().map_or(0.0, |of_job| {
                let share = match of_job.when {
                    _ if votes && judge == Some(number) => reached * rule.expected.judgements,
                    JudgeWhen::Unverified if setup.has_reference(recipe) && samples <= 1.0 => 0.0,
                    JudgeWhen::Always | JudgeWhen::Unverified => JUDGED_SHARE * samples,
                };
                f64::from(of_job.samples) * share
            }),
            Does::TagConcept if job.concepts.as_ref().is_some_and(Concepts::by_model) => acceptance,
            Does::TagConcept | Does::Check(_) | Does::Distinct { .. } => 0.0,
        };
        if times > 0.0 {
            calls.push((number, passes * times));
        }
    }
    calls
}

/// Mean cost of one call of a step, on one seed.
pub(crate) fn step_cost(
    setup: &Setup,
    recipe: &Recipe,
    seeds: &SeedStore,
    n: u64,
    step: usize,
) -> Result<StageCost, Error> {
    let seed = seeds.read(seeds.anchor(n * (seeds.anchors() / SAMPLE).max(1) % seeds.anchors().max(1)))?;
    let passages = seeds.passages();
    let passage = if starts_from_passage(recipe) && !passages.is_empty() {
        let number = n * (passages.len() / SAMPLE).max(1) % passages.len();
        Some(passages.read(number)?)
    } else {
        None
    };
    let tags = matches!(recipe.step(step).map(|step| &step.does), Some(Does::TagConcept));
    // As many as a model will be shown; clusters that are found have no names yet.
    let choices: Vec<Arc<Concept>> = match &setup.job.concepts {
        Some(concepts) if tags => concepts
            .leaves()
            .take(concepts.choices as usize)
            .cloned()
            .map(Arc::new)
            .collect(),
        Some(_) | None => Vec::new(),
    };
    // As many of the sample are varied as will be; a second passage is left out of the reckoning.
    let row = Position { round: 0, index: n }.row_id(setup.run);
    let mutation = setup.mutation(row, recipe, 0, false);
    let state = State::imagined(recipe, &seed);
    let brief = Brief {
        recipe,
        row,
        state: &state,
        seed: &seed,
        teacher: 0,
        topic: None,
        borrowed: false,
        peers: None,
        passage: passage.as_ref().map(|passage| passage.text.as_str()),
        choices: &choices,
        second: None,
        again: &[],
        mutation: mutation.as_ref(),
        measures: false,
        shows_reference: false,
        siblings: recipe.shared_by(),
    };
    let call = Call {
        step,
        pass: 0,
        sample: 0,
    };
    let address = Address {
        round: 0,
        index: n,
        step: setup.step(recipe, call),
    };
    let (task, _) = setup.task(address, &brief, seeds)?;
    let Work::Chat { request, reply, .. } = task.work else {
        return Ok(StageCost::default());
    };
    let answer = match setup.job.generate.reasoning {
        true => 1.5 * seed.answer.len() as f64 / BYTES_A_TOKEN + 60.0,
        false => seed.answer.len() as f64 / BYTES_A_TOKEN + 10.0,
    };
    let records = f64::from(recipe.shared_by());
    let said = reply.filled().map(|member| match member.holds {
        Holds::Question => seed.question.len() as f64 / BYTES_A_TOKEN + 10.0,
        Holds::Answer | Holds::Text if !reply.decides() || member.holds == Holds::Answer => answer,
        Holds::Texts { .. } => answer,
        Holds::OneOf { .. } => 10.0,
        Holds::Messages | Holds::ToolMessages => {
            DIALOGUE_TURNS * (seed.question.len() as f64 / BYTES_A_TOKEN + answer)
        }
        Holds::Tools => TOOLS_TOKENS,
        Holds::Answer
        | Holds::Text
        | Holds::Reasoning
        | Holds::YesNo
        | Holds::Number { .. }
        | Holds::List { .. } => 0.0,
    });
    let said = said.sum::<f64>();
    // Names of members, quotation marks and brackets of each record.
    let said = match reply.list() {
        Some((_, of)) => records * (said + 8.0 * of.len() as f64),
        None => said,
    };
    let verdict = reply.verdict().is_some()
        || reply
            .first(|holds| matches!(holds, Holds::Number { .. }))
            .is_some();
    let said = said + if verdict { 60.0 } else { 0.0 };
    let output_tokens = said.min(f64::from(request.max_tokens));
    let input_tokens = prompt_bytes(&request) / BYTES_A_TOKEN;
    let prices = setup.prices(recipe, step);
    let mean = |of: fn(Price) -> u64| -> f64 {
        let weights: f64 = prices.iter().map(|(weight, _)| weight).sum();
        prices
            .iter()
            .map(|(weight, price)| weight * of(*price) as f64)
            .sum::<f64>()
            / weights.max(f64::MIN_POSITIVE)
    };
    let usd_micros = (input_tokens * mean(|p| p.input) + output_tokens * mean(|p| p.output)) / 1.0e6;
    Ok(StageCost {
        calls: 1.0,
        usd_micros,
        input_tokens,
        output_tokens,
    })
}

fn prompt_bytes(request: &Request) -> f64 {
    let overhead = match &request.prompt {
        Prompt::Chat(messages) => 16 * messages.len(),
        Prompt::Raw(_) => 0,
    };
    (request.prompt.text_bytes() + overhead) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ceiling_is_reached_and_never_passed() {
        assert_eq!(synthetic_ceiling(0.95, 160), 3_040);
        assert_eq!(synthetic_ceiling(0.5, 7), 7);
        assert_eq!(synthetic_ceiling(0.0, 100), 0);
        let many_digits = 0.666_666_666_6;
        assert_eq!(synthetic_ceiling(many_digits, 1_000), 1_999);
        assert!(synthetic_share(1_999, 1_000) <= many_digits);
        // Shares next to one, and one itself, bound hardly anything, and are told at once.
        assert!(synthetic_ceiling(0.999_999_999_9, 1_000) > 9_000_000_000_000);
        assert_eq!(synthetic_ceiling(1.0, 1_000), u64::MAX);
        for (percent, real) in (1..100).flat_map(|percent| (1..60).map(move |real| (percent, real))) {
            let rows = synthetic_ceiling(f64::from(percent) / 100.0, real);
            // In whole numbers: 100·s ≤ percent·(s + real).
            let fits = |rows: u64| 100 * rows <= percent as u64 * (rows + real);
            assert!(fits(rows) && !fits(rows + 1), "{percent} % beside {real}: {rows}");
        }
    }
}
