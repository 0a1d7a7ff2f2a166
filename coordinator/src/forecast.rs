//! What a run is expected to cost before anything is asked: from the prompts it would send and the prices in force.

use std::collections::BTreeMap;
use std::sync::Arc;

use gristmill_domain::amount::{Amount, Limit};
use gristmill_domain::chat::{Prompt, Request};
use gristmill_domain::concept::Outlook;
use gristmill_domain::evidence::{Costs, Measured, Rule, TYPICAL_REACHED, Terms};
use gristmill_domain::job::{Assign, Concept, Concepts, Job, JudgeWhen, ModelSpec, PromptKind};
use gristmill_domain::plan::{Estimate, Policy, Snapshot, StageCost, Steering, Tries};
use gristmill_domain::row::Position;
use gristmill_domain::strategy::{ByStrategy, Strategy};
use gristmill_domain::work::{Address, Answer, Step, Work};

use crate::Error;
use crate::recipe::{Brief, Recipe, judge_use};
use crate::seeds::SeedStore;

/// Seeds whose prompts are measured.
const SAMPLE: u64 = 12;
/// Bytes of a token of English text, roughly.
const BYTES_A_TOKEN: f64 = 4.0;
/// Share of candidates that become rows, believed before a pilot: further answers, and rephrasings.
const PRIOR_ACCEPTANCE: [f64; 2] = [0.78, 0.74];
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
pub fn policy(recipe: &Recipe, seeds: &SeedStore) -> Result<Policy, Error> {
    let job = &recipe.job;
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
    let terms = terms(recipe, seeds)?;
    let rule = Rule::typical(&terms);
    let prior = |strategy: Strategy, acceptance: f64| -> Result<Estimate, Error> {
        let asks = Asks {
            strategy,
            acceptance,
            rule: &rule,
        };
        Ok(Estimate {
            fall: prior_fall(strategy),
            ..estimate(recipe, seeds, &asks)?
        })
    };
    let [answers, rephrasings] = PRIOR_ACCEPTANCE;
    let answers = if job.answers_repeat() { 0.0 } else { answers };
    let new = TYPICAL_REACHED * rule.expected.accepted;
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
            .and_then(|concepts| steering(recipe, concepts)),
        calibrates: recipe.measures(),
        evidence: Some(terms),
    })
}

/// What a job wants of rows without a reference, and what each call costs for it: money where that is limited, else calls.
fn terms(recipe: &Recipe, seeds: &SeedStore) -> Result<Terms, Error> {
    let job = &recipe.job;
    let usd = |step| -> Result<f64, Error> {
        let cost = step_cost(recipe, seeds, Strategy::NewQuestion, 0, step)?;
        Ok(cost.usd_micros)
    };
    let samples = job.judge.as_ref().map_or(0, |judge| judge.samples);
    let mut costs = UNIT_COSTS;
    costs.judge *= f64::from(samples);
    if job.budget.usd.is_some() && seeds.anchors() > 0 && usd(Step::Answer(0))? > 0.0 {
        let judge = match samples {
            0 => 0.0,
            samples => f64::from(samples) * usd(Step::Judge(0))?,
        };
        costs = Costs {
            ask: usd(Step::Ask)?,
            verify: usd(Step::Verify)?,
            answer: usd(Step::Answer(0))?,
            judge,
        };
    }
    let answered = |kind| {
        let mut teachers = job.teacher.iter();
        teachers.all(|teacher| recipe.answers_beside(kind, &teacher.spec))
    };
    Ok(Terms {
        answered: answered(PromptKind::NewQuestion),
        verified_with_answer: answered(PromptKind::Verify),
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
fn steering(recipe: &Recipe, concepts: &Concepts) -> Option<Steering> {
    concepts.steers().then(|| Steering {
        min_gain: concepts.min_gain,
        new_questions: concepts.assign != Assign::Labels,
        // An answer that must stand in a passage needs one that is about the concept: a seed's, or a document's.
        seedless: recipe.job.filter.grounding.is_none(),
        beyond: recipe.job.generate.rows.is_some(),
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
    }
}

/// What an estimate is of.
struct Asks<'a> {
    strategy: Strategy,
    acceptance: f64,
    rule: &'a Rule,
}

fn estimate(recipe: &Recipe, seeds: &SeedStore, asks: &Asks<'_>) -> Result<Estimate, Error> {
    let Asks {
        strategy,
        acceptance,
        rule,
    } = *asks;
    let job = &recipe.job;
    let votes = recipe.votes(strategy);
    let asks = strategy != Strategy::AnswerAugmentation;
    let new = strategy == Strategy::NewQuestion;
    let reached = if new { TYPICAL_REACHED } else { 1.0 };
    let answers = match strategy {
        _ if votes => reached * rule.expected.answers,
        Strategy::Rephrasing if rule.retries > 0 => ANSWERS_A_REPHRASING,
        Strategy::AnswerAugmentation | Strategy::Rephrasing | Strategy::NewQuestion => 1.0,
    };
    let verifies = match new && job.generate.verify {
        true if votes => reached * rule.expected.verifications,
        verifies => f64::from(u8::from(verifies)),
    };
    let mut steps = vec![(Step::Answer(0), answers)];
    steps.extend(asks.then_some((Step::Ask, 1.0)));
    steps.extend((verifies > 0.0).then_some((Step::Verify, verifies)));
    let judged = job.judge.as_ref().map_or(0.0, |judge| {
        let share = match judge.when {
            _ if votes => reached * rule.expected.judgements,
            JudgeWhen::Unverified if recipe.has_reference(strategy) => 0.0,
            JudgeWhen::Always | JudgeWhen::Unverified => JUDGED_SHARE,
        };
        f64::from(judge.samples) * share
    });
    steps.extend((judged > 0.0).then_some((Step::Judge(0), judged)));
    if strategy == Strategy::NewQuestion && job.concepts.as_ref().is_some_and(Concepts::by_model) {
        steps.push((Step::Assign, acceptance));
    }
    let mut stages = [StageCost::default(); 3];
    let sample = seeds.anchors().min(SAMPLE);
    for n in 0..sample {
        for (step, times) in &steps {
            let cost = step_cost(recipe, seeds, strategy, n, *step)?;
            let stage = &mut stages[step.stage() as usize];
            let weight = times / sample as f64;
            stage.calls += weight * cost.calls;
            stage.usd_micros += weight * cost.usd_micros;
            stage.input_tokens += weight * cost.input_tokens;
            stage.output_tokens += weight * cost.output_tokens;
        }
    }
    let fixed_calls = steps.len() == 1 && !votes;
    Ok(Estimate {
        acceptance,
        stages,
        fixed_calls,
        fall: 0.0,
    })
}

/// Mean cost of one call of a step, on one seed.
fn step_cost(
    recipe: &Recipe,
    seeds: &SeedStore,
    strategy: Strategy,
    n: u64,
    step: Step,
) -> Result<StageCost, Error> {
    let seed = seeds.read(seeds.anchor(n * (seeds.anchors() / SAMPLE).max(1) % seeds.anchors().max(1)))?;
    let passages = seeds.passages();
    let passage = if strategy == Strategy::NewQuestion && !passages.is_empty() {
        let number = n * (passages.len() / SAMPLE).max(1) % passages.len();
        Some(passages.read(number)?)
    } else {
        None
    };
    // As many as a model will be shown; clusters that are found have no names yet.
    let choices: Vec<Arc<Concept>> = match (&recipe.job.concepts, step) {
        (Some(concepts), Step::Assign) => concepts
            .leaves()
            .take(concepts.choices as usize)
            .cloned()
            .map(Arc::new)
            .collect(),
        _ => Vec::new(),
    };
    // As many of the sample are varied as will be; a second passage is left out of the reckoning.
    let row = Position { round: 0, index: n }.row_id(recipe.run);
    let mutation = recipe.mutation(row, strategy, 0, false);
    let brief = Brief {
        strategy,
        seed: &seed,
        teacher: 0,
        question: &seed.question,
        topic: None,
        borrowed: false,
        peers: None,
        passage: passage.as_ref().map(|passage| passage.text.as_str()),
        choices: &choices,
        second: None,
        again: &[],
        mutation: mutation.as_ref(),
        blind: false,
    };
    let human = Answer {
        reasoning: seed.reasoning.clone().unwrap_or_default(),
        answer: seed.answer.clone(),
        canonical: String::new(),
        correct: None,
        detail: String::new(),
    };
    let address = Address {
        round: 0,
        index: n,
        step,
    };
    let (task, _) = recipe.task(address, &brief, Some(&human), seeds)?;
    let answered = matches!(
        &task.work,
        Work::Ask { subject: Some(_), .. } | Work::Verify { subject: Some(_), .. }
    );
    let (Work::Ask { request, .. }
    | Work::Verify { request, .. }
    | Work::Judge { request }
    | Work::Assign { request, .. }
    | Work::Answer { request, .. }) = task.work
    else {
        return Ok(StageCost::default());
    };
    let answer = match recipe.job.generate.reasoning {
        true => 1.5 * seed.answer.len() as f64 / BYTES_A_TOKEN + 60.0,
        false => seed.answer.len() as f64 / BYTES_A_TOKEN + 10.0,
    };
    let said = match step {
        Step::Ask => seed.question.len() as f64 / BYTES_A_TOKEN + 10.0,
        Step::Verify | Step::VerifyAgain | Step::Judge(_) => 60.0,
        Step::Assign => 10.0,
        Step::Answer(_) | Step::Embed => answer,
    };
    let said = said + if answered { answer } else { 0.0 };
    let output_tokens = said.min(f64::from(request.max_tokens));
    let input_tokens = prompt_bytes(&request) / BYTES_A_TOKEN;
    let mean_price = |of: fn(gristmill_domain::chat::Price) -> u64| -> f64 {
        let price = |spec: &ModelSpec| spec.price().map_or(0.0, |price| of(price) as f64);
        match (step, &recipe.job.judge) {
            (Step::Judge(_), None) => 0.0,
            (Step::Judge(_) | Step::Assign, Some(judge)) => price(&judge.spec),
            (Step::Ask | Step::Verify | Step::VerifyAgain | Step::Answer(_) | Step::Embed, _)
            | (Step::Assign, None) => {
                let weights: f64 = recipe.job.teacher.iter().map(|t| t.weight).sum();
                recipe
                    .job
                    .teacher
                    .iter()
                    .map(|t| t.weight * price(&t.spec))
                    .sum::<f64>()
                    / weights
            }
        }
    };
    let usd_micros =
        (input_tokens * mean_price(|p| p.input) + output_tokens * mean_price(|p| p.output)) / 1.0e6;
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
