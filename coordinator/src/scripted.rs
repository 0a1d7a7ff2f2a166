//! A model by a script, for tests: every reply follows from the task's id alone, so that it does not matter when or by whom a task is done.

use std::collections::BTreeMap;

use gristmill_domain::filter::{Reason, Rejection};
use gristmill_domain::id::{ContentId, RunId};
use gristmill_domain::job::{Holdout, Job};
use gristmill_domain::reply::{Fields, Holds, Record, Value};
use gristmill_domain::row::Row;
use gristmill_domain::seed::{RowLocation, Seed};
use gristmill_domain::work::{Answer, Output, Task, Work};
use serde_json::json;

use crate::seeds::{Intake, SeedStore};
use crate::setup::{Setup, StoredRecipe, usual_recipes};

/// A setup with six seeds, of which none is held out unless `job` says so. Its job has numbers for answers, unless `job` says otherwise.
pub(crate) fn setup(job: serde_json::Value) -> (Setup, SeedStore) {
    setup_with(job, &usual_recipes())
}

/// The same with recipes that the job names.
pub(crate) fn setup_with(job: serde_json::Value, recipes: &[StoredRecipe]) -> (Setup, SeedStore) {
    let mut whole = json!({
        "seeds": {"path": "s.jsonl"},
        "teacher": {"base_url": "http://h/v1", "model": "teacher"},
        "embed": {"model": "off", "batch": 4},
        "filter": {"validator": {"kind": "number"}},
        "budget": {"calls": 1_000},
    });
    let holds_out = job.get("holdout").is_some();
    if let (serde_json::Value::Object(whole), serde_json::Value::Object(job)) = (&mut whole, job) {
        whole.extend(job);
    }
    let job: Job = serde_json::from_value(whole).unwrap();
    let setup = Setup::new(RunId::of(&[]), job, recipes, &BTreeMap::new(), BTreeMap::new()).unwrap();
    let nothing = Holdout {
        validation: 0.0,
        test: 0.0,
        ..Holdout::default()
    };
    let holdout = if holds_out {
        setup.job.holdout.clone()
    } else {
        nothing
    };
    let mut intake = Intake::new(&holdout).unwrap();
    for n in 0..6 {
        intake.push(&seed(n)).unwrap();
    }
    (setup, intake.finish(&holdout).unwrap())
}

pub(crate) fn seed(n: u64) -> Seed {
    const WORDS: [&str; 10] = [
        "pears", "nails", "stamps", "bricks", "candles", "tickets", "ropes", "lamps", "spoons", "maps",
    ];
    let question = format!(
        "A shop has {} {} and sells two. How many are left?",
        10 + n,
        WORDS[n as usize]
    );
    Seed {
        id: ContentId::of(&[question.as_bytes()]),
        question,
        answer: (8 + n).to_string(),
        reasoning: None,
        references: vec![(8 + n).to_string()],
        context: None,
        concepts: vec!["fruit".into()],
        source: None,
        database: None,
        place: RowLocation {
            file: "s.jsonl".into(),
            line: n + 1,
        },
    }
}

pub(crate) fn answer(value: u64, correct: Option<bool>) -> Answer {
    Answer {
        reasoning: String::new(),
        answer: value.to_string(),
        canonical: value.to_string(),
        correct,
        detail: format!("it is {value}"),
    }
}

/// Fields by name.
pub(crate) fn fields(fields: &[(&str, Value)]) -> Output {
    let named = fields
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.clone()));
    Output::Fields(named.collect())
}

/// A reply that is an answer.
pub(crate) fn answered(answer: Answer) -> Output {
    fields(&[("answer", Value::Answer(Some(answer)))])
}

/// A reply that is a question, with an answer to it.
pub(crate) fn asked(question: &str, answer: Option<Answer>) -> Output {
    fields(&[
        ("question", Value::text(question)),
        ("answer", Value::Answer(answer)),
    ])
}

/// A verdict on a question, with an answer to it.
pub(crate) fn verified(answerable: bool, reason: &str, answer: Option<Answer>) -> Output {
    fields(&[
        ("answerable", Value::YesNo(answerable)),
        ("reason", Value::text(reason)),
        ("answer", Value::Answer(answer)),
    ])
}

pub(crate) fn unreadable() -> Output {
    Output::Rejected {
        rejection: Rejection::new(Reason::Format, "no JSON object"),
        text: "Well,".into(),
    }
}

/// A unit vector that follows from a text alone; those of two texts are nearly at right angles.
pub(crate) fn vector(text: &str) -> Vec<f32> {
    let id = ContentId::of(&[text.as_bytes()]);
    let values: Vec<f32> = id
        .as_bytes()
        .iter()
        .map(|byte| f32::from(*byte) - 127.5)
        .collect();
    let length = values.iter().map(|value| value * value).sum::<f32>().sqrt();
    values.into_iter().map(|value| value / length).collect()
}

/// A draw below `bound` that follows from a task alone.
pub(crate) fn draw(task: &Task, bound: u64) -> u64 {
    u64::from(task.id.request_seed()) % bound
}

/// A teacher that is mostly right, asks some questions twice, and cannot always be read.
pub(crate) fn teacher(task: &Task) -> Output {
    let index = task.address.index;
    // Neighbours ask the same, so that it shows who comes first.
    let question = format!(
        "What is left of {} beans after three were eaten?",
        100 + index / 2
    );
    let right = draw(task, 5) > 0;
    let given = || answer(if right { 7 } else { 1 }, None);
    if draw(task, 11) == 0 {
        return unreadable();
    }
    let (reply, subject) = match &task.work {
        Work::Chat { reply, subject, .. } => (reply, subject),
        Work::HeldOut { .. } | Work::Score { .. } => return unreadable(),
        Work::Embed { texts } => return Output::Vectors(texts.iter().map(|text| vector(text)).collect()),
    };
    let referenced = subject
        .as_ref()
        .is_some_and(|subject| !subject.references.is_empty());
    let correct = referenced.then_some(right);
    let comes = |odds| Value::Answer((draw(task, odds) > 0).then(|| Answer { correct, ..given() }));
    let mut fields = Fields::new();
    for member in &reply.members {
        let value = match member.holds {
            Holds::Question => Value::Text(question.clone()),
            Holds::YesNo => Value::YesNo(draw(task, 13) > 0),
            Holds::Text => Value::text("as it stands"),
            Holds::Answer if reply.question().is_some() => comes(7),
            Holds::Answer => Value::Answer(Some(Answer { correct, ..given() })),
            Holds::Reasoning => continue,
            // Some questions twice, one record that cannot be read, and now and then a list that is too short.
            Holds::List { .. } => {
                let listed = if draw(task, 4) == 0 { 3 } else { 5 };
                Value::Records((0..listed).map(|n| record(index, n)).collect())
            }
            Holds::Number { .. }
            | Holds::Texts { .. }
            | Holds::OneOf { .. }
            | Holds::Messages
            | Holds::ToolMessages
            | Holds::Tools => return unreadable(),
        };
        fields.insert(member.name.clone(), value);
    }
    Output::Fields(fields)
}

/// A record with a question of a list: two lists that follow each other have some in common.
fn record(index: u64, n: u64) -> Record {
    if n == 1 && index.is_multiple_of(3) {
        return Record::Rejected(Rejection::new(Reason::Format, "the reply has no `question`"));
    }
    let question = format!(
        "What is left of {} beans after three were eaten?",
        200 + index / 2 + n / 2
    );
    Record::Fields(Fields::from([
        ("question".into(), Value::Text(question)),
        ("probability".into(), Value::Number(0.05)),
    ]))
}

/// A row without what depends on who was faster: the order in which its calls were paid.
pub(crate) fn settled(rows: &[Row]) -> Vec<Row> {
    let mut rows = rows.to_vec();
    for row in &mut rows {
        row.costs.sort_by_key(|(stage, _)| *stage);
    }
    rows
}
