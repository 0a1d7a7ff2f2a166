//! Reads the seed files into seeds.

use std::path::Path;

use anyhow::{Context, bail};
use gristmill_coordinator::{Intake, SeedStore};
use gristmill_domain::answer::label::Labels;
use gristmill_domain::answer::number;
use gristmill_domain::job::{Documents, Fields, Job, TableFormat, Validator};
use gristmill_domain::seed::{Place, Seed};
use gristmill_tables::{Format, Options, Reader, Record};
use serde_json::{Map, Value};

use crate::dropped::DroppedText;

/// Bad rows that are shown one by one.
const SHOWN: usize = 10;
/// Characters of a text in a row's error.
const SHOWN_CHARS: usize = 40;

/// Rows that could not be used.
#[derive(Debug, Default)]
pub(crate) struct BadRows {
    pub(crate) count: u64,
    shown: Vec<String>,
}

impl BadRows {
    fn add(&mut self, what: String) {
        self.count += 1;
        if self.shown.len() < SHOWN {
            self.shown.push(what);
        }
    }

    /// The first of them, a line each.
    pub(crate) fn lines(&self) -> &[String] {
        &self.shown
    }
}

/// What reading the documents brought beside passages.
#[derive(Default)]
pub(crate) struct DocumentsRead {
    /// Files that could not be read.
    pub(crate) skipped: BadRows,
    /// What of the others is in no passage.
    pub(crate) dropped: DroppedText,
}

/// Reads all seeds and documents and draws the splits; more bad rows than allowed are refused.
pub(crate) fn read_seeds(job: &Job, base: &Path) -> anyhow::Result<(SeedStore, BadRows, DocumentsRead)> {
    let format = match job.seeds.format {
        None => Format::Auto,
        Some(TableFormat::Jsonl) => Format::Jsonl,
        Some(TableFormat::Csv) => Format::Csv,
        Some(TableFormat::Parquet) => Format::Parquet,
    };
    let options = Options {
        format,
        base: Some(base.to_owned()),
        ..Options::default()
    };
    let reader = Reader::open_with(&job.seeds.path, &options).context("the seeds cannot be read")?;
    let reference = Reference::of(&job.filter.validator)?;
    let mut intake = Intake::new(&job.holdout)?;
    let mut bad = BadRows::default();
    let mut rows = 0u64;
    for row in reader {
        rows += 1;
        match row {
            Ok(record) => match seed(&record, &job.seeds.fields).and_then(|seed| reference.checked(seed)) {
                Ok(seed) => intake.push(&seed)?,
                Err(reason) => bad.add(format!("{}:{}: {reason}", record.file.display(), record.line)),
            },
            Err(row) => bad.add(row.to_string()),
        }
    }
    let share = bad.count as f64 / rows.max(1) as f64;
    if share > job.seeds.max_bad_share {
        bail!(
            "{} of {rows} seed rows cannot be used, more than the {:.1} % that `seeds.max_bad_share` allows:\n  {}{}",
            bad.count,
            100.0 * job.seeds.max_bad_share,
            bad.shown.join("\n  "),
            if bad.count as usize > SHOWN {
                format!("\n  … and {} more", bad.count as usize - SHOWN)
            } else {
                String::new()
            }
        );
    }
    let mut documents_read = DocumentsRead::default();
    if let Some(documents) = &job.seeds.documents {
        documents_read = read_documents(documents, base, &mut intake)?;
    }
    let skipped = &documents_read.skipped;
    let store = intake.finish(&job.holdout)?;
    if store.is_empty() {
        bail!("the seed files hold no row: generation needs real examples to start from");
    }
    if job.seeds.documents.is_some() && store.passages().is_empty() {
        bail!(
            "`seeds.documents` gives no passage to ask about: {} passages are left to held-out rows, and {} files were skipped{}",
            store.summary().held_out_passages,
            skipped.count,
            skipped
                .lines()
                .iter()
                .map(|line| format!("\n  {line}"))
                .collect::<String>()
        );
    }
    Ok((store, bad, documents_read))
}

/// Cuts documents into passages. A file that cannot be read is skipped with its reason, and ends nothing.
#[cfg(feature = "documents")]
fn read_documents(documents: &Documents, base: &Path, intake: &mut Intake) -> anyhow::Result<DocumentsRead> {
    use gristmill_documents::{Cut, Event, Options, Reader};
    let options = Options {
        cut: Cut {
            target: documents.words as usize,
            most: documents.words_max as usize,
            overlap: documents.overlap as usize,
            ..Cut::default()
        },
        base: Some(base.to_owned()),
        ..Options::default()
    };
    let mut reader = Reader::open(&documents.path, &options).context("the documents cannot be read")?;
    let mut skipped = BadRows::default();
    for event in reader.by_ref() {
        match event {
            Event::Passage(passage) => intake.push_passage(&passage)?,
            Event::Skipped(file) => skipped.add(format!("{}: {}", file.file.display(), file.reason)),
            Event::Document(_) => {}
        }
    }
    Ok(DocumentsRead {
        skipped,
        dropped: DroppedText::of(&reader.summary().dropped),
    })
}

#[cfg(not(feature = "documents"))]
fn read_documents(_: &Documents, _: &Path, _: &mut Intake) -> anyhow::Result<DocumentsRead> {
    bail!(
        "`seeds.documents` cannot be read: this program was built without documents; build it with `--features documents`"
    )
}

fn seed(record: &Record, fields: &Fields) -> Result<Seed, String> {
    let row = &record.value;
    let question = required(row, &fields.question, "question")?;
    let answer = required(row, &fields.answer, "answer")?;
    let context = texts(row, fields.context.as_deref())?
        .map(|parts| parts.join("\n\n"))
        .filter(|text| !text.is_empty());
    let database = texts(row, fields.database.as_deref())?.and_then(|parts| parts.into_iter().next());
    let references = match texts(row, fields.references.as_deref())? {
        Some(references) if !references.is_empty() => references,
        Some(_) => {
            return Err(format!(
                "`{}` is empty",
                fields.references.as_deref().unwrap_or_default()
            ));
        }
        None => vec![answer.clone()],
    };
    Ok(Seed {
        id: Seed::content_id(&question, context.as_deref(), &answer, database.as_deref()),
        reasoning: texts(row, fields.reasoning.as_deref())?.map(|parts| parts.join("\n")),
        references,
        context,
        concepts: texts(row, fields.concept.as_deref())?.unwrap_or_default(),
        source: texts(row, fields.source.as_deref())?.and_then(|parts| parts.into_iter().next()),
        database,
        place: Place {
            file: record.file.display().to_string(),
            line: record.line,
        },
        question,
        answer,
    })
}

/// What the validator must be able to read in a seed's reference: else no answer would ever equal it.
enum Reference {
    Any,
    Number,
    Label(Labels),
}

impl Reference {
    fn of(validator: &Validator) -> anyhow::Result<Self> {
        Ok(match validator {
            Validator::Number => Self::Number,
            Validator::Label { labels } => {
                Self::Label(Labels::new(labels).context("`filter.validator.labels` cannot be used")?)
            }
            Validator::None | Validator::Sql { .. } | Validator::Text { .. } => Self::Any,
        })
    }

    /// The seed, unless all of its references are unreadable.
    fn checked(&self, seed: Seed) -> Result<Seed, String> {
        let readable = |text: &String| match self {
            Self::Any => true,
            Self::Number => number::reference(text).is_some(),
            Self::Label(labels) => labels.exact(text).is_some(),
        };
        if seed.references.iter().any(readable) {
            return Ok(seed);
        }
        let first: String = seed
            .references
            .iter()
            .flat_map(|text| text.chars())
            .take(SHOWN_CHARS)
            .collect();
        Err(match self {
            Self::Label(labels) => format!(
                "its reference `{first}` is none of `filter.validator.labels` ({})",
                labels.names().collect::<Vec<_>>().join(", ")
            ),
            Self::Any | Self::Number => format!(
                "its reference `{first}` is no number, as `filter.validator` wants: name a column of numbers in `seeds.fields.references`, or end answers with `#### 42`"
            ),
        })
    }
}

/// The first text of a column that must be there and must not be empty.
fn required(row: &Map<String, Value>, column: &str, what: &str) -> Result<String, String> {
    let first = texts(row, Some(column))?
        .and_then(|parts| parts.into_iter().next())
        .unwrap_or_default();
    if first.trim().is_empty() {
        return Err(format!("the {what} in column `{column}` is empty"));
    }
    Ok(first)
}

/// The texts of a column; `None` when the job names no column. A column that is named must be there.
fn texts(row: &Map<String, Value>, column: Option<&str>) -> Result<Option<Vec<String>>, String> {
    let Some(column) = column else { return Ok(None) };
    let value = row.get(column).ok_or_else(|| {
        let names: Vec<&str> = row.keys().map(String::as_str).take(12).collect();
        format!("there is no column `{column}`; the row has {}", names.join(", "))
    })?;
    let one = |value: &Value| match value {
        Value::String(text) => Ok(Some(text.trim().to_owned())),
        Value::Number(number) => Ok(Some(number.to_string())),
        Value::Bool(truth) => Ok(Some(truth.to_string())),
        Value::Null => Ok(None),
        Value::Array(_) | Value::Object(_) => Err(format!(
            "column `{column}` holds neither a text nor a list of texts"
        )),
    };
    let found: Vec<Option<String>> = match value {
        Value::Array(items) => items.iter().map(one).collect::<Result<_, _>>()?,
        single => vec![one(single)?],
    };
    Ok(Some(
        found
            .into_iter()
            .flatten()
            .filter(|text| !text.is_empty())
            .collect(),
    ))
}
