//! What a candidate is expected to cost: a fold over its recipe's steps, each measured by its prompt.

use std::sync::Arc;

use gristmill_domain::chat::{Price, Prompt, Request};
use gristmill_domain::evidence::{Rule, TYPICAL_REACHED};
use gristmill_domain::job::{Concept, Concepts, JudgeWhen};
use gristmill_domain::plan::{Estimate, StageCost};
use gristmill_domain::recipe::machine::{Call, State};
use gristmill_domain::recipe::{Does, JudgeStep, Recipe, Samples};
use gristmill_domain::reply::Holds;
use gristmill_domain::row::Position;
use gristmill_domain::strategy::Strategy;
use gristmill_domain::work::{Address, Work};

use crate::Error;
use crate::seeds::SeedStore;
use crate::setup::{Brief, Setup, UsedRecipe, starts_from_passage};

/// Seeds whose prompts are measured.
pub(super) const SAMPLE: u64 = 12;
/// Bytes of a token of English text, roughly.
const BYTES_A_TOKEN: f64 = 4.0;
/// Questions with their answers in a dialogue, believed before a pilot.
const DIALOGUE_TURNS: f64 = 3.0;
/// Tokens of a reply that holds tools, believed before a pilot.
const TOOLS_TOKENS: f64 = 400.0;
/// Answers to a rephrasing whose wrong ones are asked for again.
const ANSWERS_A_REPHRASING: f64 = 1.2;
/// Share of candidates that reach the judge when nothing cheaper settles them.
const JUDGED_SHARE: f64 = 0.8;

/// What a candidate of a strategy is expected to cost: the mean over the recipes whose rows are compared as those of the strategy.
pub(super) fn estimate(
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
        teacher: setup.drawn_teachers().next().unwrap_or_default(),
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
