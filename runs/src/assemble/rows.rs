//! Rows of the journal as rows of the dataset, with all that is known of where they came from.

use gristmill_coordinator::{SeedStore, Start};
use gristmill_dataset::{Origin, Provenance, Rejected, RejectedAnswer, Split, Verdict};
use gristmill_domain::concept::Assigned;
use gristmill_domain::dialogue::{Speaker, Turn};
use gristmill_domain::filter::Reason;
use gristmill_domain::mutation::Mutation;
use gristmill_domain::passage::{RestsOn, Second};
use gristmill_domain::recipe::Form;
use gristmill_domain::row::{Row, completion};
use gristmill_domain::seed::Seed;

fn messages(
    start: &Start,
    context: Option<&str>,
    question: &str,
    reasoning: &str,
    answer: &str,
) -> Vec<Turn> {
    let output = &start.job.output;
    let system = output.system.iter().map(|text| Turn::new(Speaker::System, text));
    let question = format!("{}{question}", output.before(context));
    let answer = completion(reasoning, answer);
    system
        .chain([
            Turn::new(Speaker::User, question),
            Turn::new(Speaker::Assistant, answer),
        ])
        .collect()
}

/// The split of a synthetic row, by its form.
pub(super) fn split_of(form: Form) -> Split {
    match form {
        Form::Instruction => Split::Train,
        Form::Preference => Split::Preference,
        Form::Text => Split::Text,
        Form::Dialogue => Split::Dialogue,
        Form::ToolUse => Split::ToolUse,
    }
}

pub(super) fn human(start: &Start, seed: Seed) -> gristmill_dataset::DatasetRow {
    let reasoning = seed.reasoning.clone().unwrap_or_default();
    let passage_chars = start.job.output.before(seed.context.as_deref()).chars().count() as u64;
    gristmill_dataset::DatasetRow {
        id: seed.id.to_string(),
        messages: messages(
            start,
            seed.context.as_deref(),
            &seed.question,
            &reasoning,
            &seed.answer,
        ),
        tools: Vec::new(),
        rejected: None,
        reasoning: seed.reasoning,
        provenance: Provenance {
            origin: Origin::Human,
            seed_id: Some(seed.id.to_string()),
            seed_source: seed.source,
            source_place: Some(seed.place.to_string()),
            run: Some(start.run.to_string()),
            concepts: seed.concepts,
            passage_chars,
            ..Provenance::default()
        },
    }
}

pub(super) fn synthetic(
    start: &Start,
    row: Row,
    seeds: &SeedStore,
) -> anyhow::Result<gristmill_dataset::DatasetRow> {
    let seed = seeds.read(row.seed)?;
    let judge = start
        .job
        .judge
        .as_ref()
        .map(|judge| judge.spec.name())
        .unwrap_or_default();
    let mut verdicts: Vec<Verdict> = row
        .checks
        .judgements
        .iter()
        .map(|j| Verdict {
            judge: judge.clone(),
            score: f64::from(j.points()),
            reason: j.reason.clone(),
        })
        .collect();
    if let Some((votes, of)) = row.checks.votes {
        let reason = format!("{votes} of {of} answers agree");
        verdicts.push(Verdict {
            judge: "agreement".into(),
            score: f64::from(votes) / f64::from(of.max(1)),
            reason,
        });
    }
    if let Some(correct) = row.checks.correct {
        let reason = row.checks.details.join("; ");
        verdicts.push(Verdict {
            judge: "validator".into(),
            score: f64::from(u8::from(correct)),
            reason,
        });
    }
    let cost = row.cost().usd.0;
    // What it was asked about, where that is no part of its seed.
    let passage = match &row.passage {
        Some(cited) => Some(seeds.passages().read(cited.number)?),
        None => None,
    };
    let first = passage
        .as_ref()
        .map(|passage| passage.text.as_str())
        // A seed that lends its form alone lends no passage.
        .or(seed.context.as_deref().filter(|_| !row.borrowed));
    let (source, mut place) = match &row.passage {
        Some(cited) => (Some(cited.source.clone()), cited.to_string()),
        None => (seed.source, seed.place.to_string()),
    };
    let second = match &row.second {
        Some(second) => Some(second_passage(second, seeds)?),
        None => None,
    };
    if let Some((_, beside)) = &second {
        place.push_str("; ");
        place.push_str(beside);
    }
    let context = first.map(|first| {
        let second = second.as_ref().map(|(text, _)| text.as_str());
        let first = Some(first);
        RestsOn { first, second }.text()
    });
    let context = context.as_deref();
    let judged = start.job.concepts.is_some() || row.passage.is_some();
    let concepts = concepts(&row.assigned, judged, seed.concepts);
    let passage_chars = match row.form {
        Form::Instruction | Form::Preference | Form::Text => {
            start.job.output.before(context).chars().count() as u64
        }
        Form::Dialogue | Form::ToolUse => 0,
    };
    Ok(gristmill_dataset::DatasetRow {
        id: row.id.to_string(),
        messages: match row.form {
            Form::Instruction | Form::Preference => {
                messages(start, context, &row.question, &row.reasoning, &row.answer)
            }
            Form::Text => vec![Turn::new(Speaker::Assistant, &row.answer)],
            // What was checked is what is trained on: nothing is added to it.
            Form::Dialogue | Form::ToolUse => row.messages,
        },
        tools: row.tools,
        rejected: row.worse.map(|worse| RejectedAnswer {
            content: completion(&worse.reasoning, &worse.answer),
            margin: worse.margin,
        }),
        reasoning: (!row.reasoning.is_empty()).then(|| row.reasoning.clone()),
        provenance: Provenance {
            origin: Origin::Synthetic,
            seed_id: Some(row.seed_id.to_string()),
            seed_source: source,
            source_place: Some(place),
            strategy: Some(row.strategy.to_string()),
            recipe: row.made.as_ref().map(ToString::to_string),
            mutators: row.mutation.iter().flat_map(Mutation::names).collect(),
            prompt_versions: row.prompts,
            teacher: Some(row.teacher),
            teacher_version: Some(row.teacher_version),
            run: Some(start.run.to_string()),
            task_ids: row.tasks.iter().map(ToString::to_string).collect(),
            parents: Vec::new(),
            concepts,
            verdicts,
            cost_usd_micros: cost,
            depth: row.depth,
            passage_chars,
        },
    })
}

/// The text of a second passage, and where it stands.
fn second_passage(second: &Second, seeds: &SeedStore) -> anyhow::Result<(String, String)> {
    Ok(match second {
        Second::Document(cited) => (seeds.passages().read(cited.number)?.text, cited.to_string()),
        Second::Seed { ordinal, .. } => {
            let seed = seeds.read(*ordinal)?;
            let place = seed.place.to_string();
            (seed.context.unwrap_or_default(), place)
        }
    })
}

/// A synthetic row's concepts: those that it was found to belong to. Else its seed's labels, where nobody looked.
fn concepts(assigned: &[Assigned], judged: bool, of_seed: Vec<String>) -> Vec<String> {
    if assigned.is_empty() && !judged {
        return of_seed;
    }
    assigned.iter().map(|assigned| assigned.concept.clone()).collect()
}

pub(super) fn rejected(row: Row) -> Rejected {
    let cost = row.cost();
    let stage = row.tasks.len();
    let (reason, detail) = row
        .rejection
        .map_or((String::new(), None), |r| (r.reason.to_string(), Some(r.detail)));
    Rejected {
        id: row.id.to_string(),
        stage: if stage == 0 {
            "plan".into()
        } else {
            stage_of(&reason).to_owned()
        },
        reason,
        detail,
        question: row.question,
        answer: row.answer,
        strategy: Some(row.strategy.to_string()),
        mutators: row.mutation.iter().flat_map(Mutation::names).collect(),
        teacher: Some(row.teacher),
        seed_id: Some(row.seed_id.to_string()),
        cost_usd_micros: cost.usd.0,
        calls: cost.calls,
        task_ids: row.tasks.iter().map(ToString::to_string).collect(),
    }
}

/// The kind of test that a reason belongs to.
fn stage_of(reason: &str) -> &'static str {
    match reason.parse::<Reason>() {
        Ok(Reason::CallFailed | Reason::Unfunded) => "call",
        Ok(
            Reason::Refusal
            | Reason::OutOfTokens
            | Reason::Truncated
            | Reason::Format
            | Reason::Repetition
            | Reason::Length
            | Reason::Quality
            | Reason::Language,
        ) => "rules",
        Ok(
            Reason::ExactDuplicate
            | Reason::NearDuplicate
            | Reason::SemanticDuplicate
            | Reason::DuplicateOfSeed
            | Reason::DuplicateOfExisting
            | Reason::ParentCap,
        ) => "duplicates",
        Ok(Reason::Contaminated) => "decontamination",
        Ok(
            Reason::Changed
            | Reason::Wrong
            | Reason::Ungrounded
            | Reason::Disagreement
            | Reason::Unanswerable,
        ) => "validators",
        Ok(Reason::JudgedLow) => "judge",
        Ok(Reason::Recipe) => "recipe",
        Ok(Reason::Surplus | Reason::Calibration) => "planner",
        Err(_) => "unknown",
    }
}
