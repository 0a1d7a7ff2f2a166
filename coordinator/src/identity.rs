//! What decides a run: the settings that its id is a hash of.
//!
//! [`Identity`] lists them one by one. The parts of a job that hold other settings too are taken apart here without a rest, so that a new
//! setting of theirs does not compile until somebody has said whether it decides a run. The id must not change for a job that says
//! nothing of a new setting: leave the setting out of the hash where it has its default.
//!
//! The bytes that are hashed are those of version 1. They bear no number, and hold a few constants where versions before this list wrote
//! settings that decide nothing. Another version would hash its number first, and `is_run_of` would know both.

use std::collections::BTreeMap;
use std::path::Path;

use gristmill_domain::id::{ContentId, RunId};
use gristmill_domain::job::{self, Engine, Job, PromptForm, Structured};
use serde::Serialize;
use serde_json::{Map, Value};

/// What decides a run besides its seeds and its prompts, version 1.
#[derive(Serialize)]
struct Identity<'a> {
    seeds: Seeds<'a>,
    holdout: &'a job::Holdout,
    teacher: Vec<Teacher<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    judge: Option<Judge<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    student: Option<&'a job::Student>,
    #[serde(skip_serializing_if = "Option::is_none")]
    evaluate: Option<Evaluate<'a>>,
    embed: &'a job::Embed,
    #[serde(skip_serializing_if = "Option::is_none")]
    concepts: Option<Concepts<'a>>,
    generate: Generate<'a>,
    filter: Filter<'a>,
    budget: NoBudget,
    anchor: &'a job::Anchor,
    output: NoOutput,
}

#[derive(Serialize)]
struct Seeds<'a> {
    path: NoPath,
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<job::TableFormat>,
    fields: &'a job::Fields,
    #[serde(skip_serializing_if = "Option::is_none")]
    documents: Option<Documents>,
    max_bad_share: f64,
}

#[derive(Serialize)]
struct Documents {
    path: NoPath,
    words: u32,
    words_max: u32,
    overlap: u32,
}

#[derive(Serialize)]
struct Teacher<'a> {
    #[serde(flatten)]
    spec: Model<'a>,
    weight: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    related_to_student: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lineage_depth: Option<u8>,
}

#[derive(Serialize)]
struct Judge<'a> {
    #[serde(flatten)]
    spec: Model<'a>,
    when: job::JudgeWhen,
    accept_at: f64,
    samples: u32,
}

/// A model: what is asked of which one, and for how much, not how it is reached or how fast.
#[derive(Serialize)]
struct Model<'a> {
    /// Only whether there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    base_url: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    api: Option<job::Api>,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    local: Option<Local<'a>>,
    /// What a member is set to may decide the answers; that it is left out follows from what the endpoint takes.
    #[serde(skip_serializing_if = "Map::is_empty")]
    body: Map<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    price: Option<Price>,
    /// The prompts are the same whether the form of a JSON answer is asked for by schema, by tool or in words alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    structured: Option<Structured>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt_form: Option<PromptForm>,
}

#[derive(Serialize)]
struct Evaluate<'a> {
    models: Vec<EvaluatedModel<'a>>,
    split: job::HeldOut,
    formats: &'a [job::PromptFormat],
    #[serde(skip_serializing_if = "Option::is_none")]
    questions: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    grade: Option<job::GradedBy>,
    #[serde(skip_serializing_if = "Option::is_none")]
    min_f1: Option<f64>,
    max_tokens: u32,
    /// Whether rows to show were read from files of their own.
    #[serde(skip_serializing_if = "Option::is_none")]
    shots_path: Option<NoPath>,
}

#[derive(Serialize)]
struct EvaluatedModel<'a> {
    #[serde(flatten)]
    spec: Model<'a>,
    role: job::EvaluatedRole,
    #[serde(skip_serializing_if = "Option::is_none")]
    weights: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    shots: Option<u32>,
}

#[derive(Serialize)]
struct Local<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    adapter: Option<&'a Path>,
    /// That in force, where it is not llama.cpp.
    #[serde(skip_serializing_if = "Option::is_none")]
    engine: Option<Engine>,
    /// Always 1.
    slots: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    context_tokens: Option<u32>,
}

#[derive(Serialize)]
struct Price {
    input: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    cached_input: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_write: Option<f64>,
    output: f64,
}

#[derive(Serialize)]
struct Concepts<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<&'a std::path::Path>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    list: &'a [job::Concept],
    #[serde(skip_serializing_if = "Option::is_none")]
    found: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<u64>,
    assign: job::Assign,
    choices: u32,
    confidence: f64,
    steer: bool,
    min_gain: f64,
    covered_from: u64,
    max_uncovered: f64,
}

#[derive(Serialize)]
struct Generate<'a> {
    strategy: job::StrategyChoice,
    #[serde(skip_serializing_if = "Option::is_none")]
    rows: Option<u64>,
    subject: &'a str,
    reasoning: bool,
    examples: u32,
    verify: bool,
    agreement: &'a job::Agreement,
    rephrasings_per_seed: u32,
    max_tokens: u32,
    temperature: f32,
    top_p: f32,
    pilot: f64,
    rounds: u32,
    #[serde(skip_serializing_if = "is_zero")]
    seed: u64,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    roles: &'a BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mutators: Option<&'a job::Mutators>,
}

#[derive(Serialize)]
struct Filter<'a> {
    validator: gristmill_domain::validator::Settings,
    rules: &'a gristmill_domain::filter::Rules,
    near_duplicates: &'a job::NearDuplicates,
    semantic_duplicates: &'a job::SemanticDuplicates,
    decontaminate: &'a job::Decontaminate,
    #[serde(skip_serializing_if = "Option::is_none")]
    grounding: Option<&'a job::Grounding>,
    /// Whether rows of earlier datasets were read.
    #[serde(skip_serializing_if = "Option::is_none")]
    existing: Option<NoPath>,
}

/// Where files lie decides nothing: what was read in them is hashed with the seeds.
type NoPath = [(); 0];

/// A budget may be raised, and prices are those of the models.
#[derive(Serialize)]
struct NoBudget {
    max_attempts: u32,
}

/// How rows are written decides nothing.
#[derive(Serialize)]
struct NoOutput {
    dir: &'static str,
    layout: &'static str,
    jsonl: bool,
    context: bool,
    shard_rows: u64,
}

/// The order of an object's members decides nothing.
fn sorted(mut members: Map<String, Value>) -> Map<String, Value> {
    members.values_mut().for_each(Value::sort_all_objects);
    members.sort_keys();
    members
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl<'a> Identity<'a> {
    /// What decides a run of a job whose secrets are redacted: whether one is written in a job or stands in a variable changes nothing
    /// that is asked.
    fn of(job: &'a Job) -> Self {
        let Job {
            seeds,
            holdout,
            teacher,
            judge,
            student,
            evaluate,
            embed,
            concepts,
            generate,
            filter,
            budget: _,
            anchor,
            output: _,
        } = job;
        Self {
            seeds: Seeds::of(seeds),
            holdout,
            teacher: teacher.iter().map(Teacher::of).collect(),
            judge: judge.as_ref().map(Judge::of),
            student: student.as_ref(),
            evaluate: evaluate.as_ref().map(Evaluate::of),
            embed,
            concepts: concepts.as_ref().map(Concepts::of),
            generate: Generate::of(generate),
            filter: Filter::of(filter),
            budget: NoBudget { max_attempts: 1 },
            anchor,
            output: NoOutput {
                dir: "out",
                layout: "messages",
                jsonl: true,
                context: true,
                shard_rows: 100_000,
            },
        }
    }
}

impl<'a> Seeds<'a> {
    fn of(seeds: &'a job::Seeds) -> Self {
        let job::Seeds {
            path: _,
            format,
            fields,
            documents,
            max_bad_share,
        } = seeds;
        Self {
            path: [],
            format: *format,
            fields,
            documents: documents.as_ref().map(Documents::of),
            max_bad_share: *max_bad_share,
        }
    }
}

impl Documents {
    fn of(documents: &job::Documents) -> Self {
        let job::Documents {
            path: _,
            words,
            words_max,
            overlap,
        } = documents;
        Self {
            path: [],
            words: *words,
            words_max: *words_max,
            overlap: *overlap,
        }
    }
}

impl<'a> Teacher<'a> {
    fn of(teacher: &'a job::Teacher) -> Self {
        let job::Teacher {
            spec,
            weight,
            related_to_student,
            lineage_depth,
        } = teacher;
        Self {
            spec: Model::of(spec),
            weight: *weight,
            related_to_student: *related_to_student,
            lineage_depth: Some(*lineage_depth).filter(|depth| *depth > 0),
        }
    }
}

impl<'a> Judge<'a> {
    fn of(judge: &'a job::Judge) -> Self {
        let job::Judge {
            spec,
            when,
            accept_at,
            samples,
        } = judge;
        Self {
            spec: Model::of(spec),
            when: *when,
            accept_at: *accept_at,
            samples: *samples,
        }
    }
}

impl<'a> Evaluate<'a> {
    fn of(evaluate: &'a job::Evaluate) -> Self {
        let job::Evaluate {
            models,
            split,
            formats,
            questions,
            grade,
            min_f1,
            max_tokens,
            shots_path,
        } = evaluate;
        let model = |model: &'a job::EvaluatedModel| {
            let job::EvaluatedModel {
                spec,
                role,
                weights,
                // Which dataset that was follows from the weights.
                trained_on: _,
                shots,
            } = model;
            EvaluatedModel {
                spec: Model::of(spec),
                role: *role,
                weights: weights.as_deref(),
                shots: Some(*shots).filter(|shots| *shots > 0),
            }
        };
        Self {
            models: models.iter().map(model).collect(),
            split: *split,
            formats,
            questions: *questions,
            grade: *grade,
            min_f1: *min_f1,
            max_tokens: *max_tokens,
            shots_path: (!shots_path.is_empty()).then_some([]),
        }
    }
}

impl<'a> Model<'a> {
    fn of(spec: &'a job::ModelSpec) -> Self {
        let job::ModelSpec {
            base_url,
            api,
            model,
            local,
            body,
            price,
            structured,
            prompt_form,
            // Which key opens it, and how fast it goes.
            key_env: _,
            key_file: _,
            concurrency: _,
            requests_per_minute: _,
            input_tokens_per_minute: _,
            output_tokens_per_minute: _,
            timeout_s: _,
            // Slower and cheaper, with the same answers; the account's prices tell the two apart.
            batch: _,
            // How a request is put to an endpoint and what it costs to fail: a job whose requests were all refused is mended here, and
            // stays the same run.
            headers: _,
            header_env: _,
            token_limit_key: _,
            billed_on_error: _,
        } = spec;
        let set = body.iter().filter(|(_, value)| !value.is_null());
        Self {
            base_url: base_url.as_ref().map(|_| ""),
            api: *api,
            model: model.as_deref(),
            local: local.as_ref().map(Local::of),
            body: sorted(set.map(|(name, value)| (name.clone(), value.clone())).collect()),
            price: price.as_ref().map(Price::of),
            structured: structured.filter(|structured| *structured == Structured::None),
            prompt_form: *prompt_form,
        }
    }
}

impl<'a> Local<'a> {
    fn of(local: &'a job::LocalModel) -> Self {
        let job::LocalModel {
            name,
            adapter,
            engine: _,
            slots: _,
            context_tokens: _,
            threads: _,
        } = local;
        Self {
            name,
            adapter: adapter.as_deref(),
            engine: Some(local.engine()).filter(|engine| *engine != Engine::LlamaCpp),
            slots: 1,
            context_tokens: local.context_tokens(),
        }
    }
}

impl Price {
    fn of(price: &job::ModelPrice) -> Self {
        let job::ModelPrice {
            input,
            cached_input,
            cache_write,
            output,
            batch: _,
        } = price;
        Self {
            input: *input,
            cached_input: *cached_input,
            cache_write: *cache_write,
            output: *output,
        }
    }
}

impl<'a> Concepts<'a> {
    fn of(concepts: &'a job::Concepts) -> Self {
        let job::Concepts {
            file,
            list,
            found,
            target,
            assign,
            choices,
            confidence,
            steer,
            min_gain,
            covered_from,
            max_uncovered,
            // Whether narrow seeds are accepted decides only whether the run starts.
            accept: _,
        } = concepts;
        Self {
            file: file.as_deref(),
            list,
            found: *found,
            target: *target,
            assign: *assign,
            choices: *choices,
            confidence: *confidence,
            steer: *steer,
            min_gain: *min_gain,
            covered_from: *covered_from,
            max_uncovered: *max_uncovered,
        }
    }
}

impl<'a> Generate<'a> {
    fn of(generate: &'a job::Generate) -> Self {
        let job::Generate {
            strategy,
            rows,
            subject,
            reasoning,
            examples,
            verify,
            agreement,
            rephrasings_per_seed,
            max_tokens,
            temperature,
            top_p,
            pilot,
            rounds,
            seed,
            roles,
            mutators,
            // The versions of prompts and recipes stand beside the job.
            prompts: _,
            recipes: _,
        } = generate;
        Self {
            strategy: *strategy,
            rows: *rows,
            subject,
            reasoning: *reasoning,
            examples: *examples,
            verify: *verify,
            agreement,
            rephrasings_per_seed: *rephrasings_per_seed,
            max_tokens: *max_tokens,
            temperature: *temperature,
            top_p: *top_p,
            pilot: *pilot,
            rounds: *rounds,
            seed: *seed,
            roles,
            mutators: mutators.as_ref(),
        }
    }
}

impl<'a> Filter<'a> {
    fn of(filter: &'a job::Filter) -> Self {
        let job::Filter {
            validator,
            rules,
            near_duplicates,
            semantic_duplicates,
            decontaminate,
            grounding,
            existing,
        } = filter;
        let mut validator = validator.clone();
        // Where its files lie decides nothing.
        validator.forget_places();
        Self {
            validator,
            rules,
            near_duplicates,
            semantic_duplicates,
            decontaminate,
            grounding: grounding.as_ref(),
            existing: existing.as_ref().map(|_| []),
        }
    }
}

/// The run's id: a hash of everything that decides what it asks and keeps. Its budget may be raised, and where things lie, how fast they
/// go and with which key they are opened may change from start to start.
pub fn run_id(job: &Job, seeds: ContentId, prompts: &[String]) -> RunId {
    let job = job.redacted();
    let decisive = serde_json::to_vec(&Identity::of(&job)).unwrap_or_default();
    RunId::of(&[&decisive, seeds.as_bytes(), prompts.join("\n").as_bytes()])
}

/// True where a run's id is that of its job, its prompts and these seeds.
#[cfg(any(test, feature = "api"))]
pub(crate) fn is_run_of(start: &crate::Start, seeds: ContentId) -> bool {
    run_id(&start.job, seeds, &start.prompts) == start.run
}

#[cfg(test)]
mod tests;
