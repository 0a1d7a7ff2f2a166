//! What the seeds show about themselves: which column holds what, and how an answer can be checked.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use gristmill_tables::{Column, Kind, Options, Reader, sniff};
use serde_json::Value;

use crate::near::list;

/// Rows whose answers are looked at.
const ROWS_MAX: usize = 1_000;
/// More different answers than this are no set of labels.
const LABELS_MAX: usize = 12;
/// Fewer rows than this say nothing about a set of labels.
const LABEL_ROWS_MIN: u64 = 20;
/// Answers up to this mean length are compared as short texts.
const SHORT_CHARS: f64 = 60.0;

/// Names by which columns are known, the likeliest first.
const QUESTION: &[&str] = &[
    "question",
    "instruction",
    "problem",
    "query",
    "prompt",
    "input",
    "text",
];
const ANSWER: &[&str] = &[
    "answer",
    "final_answer",
    "output",
    "response",
    "completion",
    "solution",
    "target",
    "final_decision",
    "label",
    "accepted_queries",
    "sql",
    "answers",
];
const REFERENCES: &[&str] = &[
    "references",
    "reference",
    "accepted_queries",
    "accepted_answers",
    "gold",
];
const REASONING: &[&str] = &["reasoning", "rationale", "chain_of_thought", "cot"];
const CONTEXT: &[&str] = &[
    "context", "contexts", "passage", "passages", "document", "abstract",
];
const CONCEPT: &[&str] = &[
    "concept",
    "concepts",
    "meshes",
    "topic",
    "topics",
    "category",
    "categories",
    "tags",
];
const SOURCE: &[&str] = &[
    "source",
    "pmid",
    "doc_id",
    "document_id",
    "source_id",
    "article_id",
    "doi",
    "url",
];
const DATABASE: &[&str] = &["database", "db", "db_id", "database_id"];

/// How an answer can be checked, as far as the seeds show.
#[derive(Debug, Clone, PartialEq)]
pub enum Check {
    /// Answers end in a number.
    Number,
    /// Answers are queries, on databases in this folder (relative to the job file).
    Sql(String),
    /// Answers are one of these.
    Label(Vec<String>),
    /// Answers are short texts.
    Text,
    /// Nothing that a program could check.
    Open,
}

/// What the seeds show about themselves.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// The seeds' path or glob, relative to the job file.
    pub path: String,
    /// Rows looked at.
    pub rows: u64,
    /// True when these are all the rows there are.
    pub complete: bool,
    /// Column of the question.
    pub question: String,
    /// Column of the answer.
    pub answer: String,
    /// Column of reasoning that stands apart from the answer.
    pub reasoning: Option<String>,
    /// Column of reference answers.
    pub references: Option<String>,
    /// Column of the passage.
    pub context: Option<String>,
    /// Column of concept labels.
    pub concept: Option<String>,
    /// Column of the source document.
    pub source: Option<String>,
    /// Column of the database's name.
    pub database: Option<String>,
    /// How an answer can be checked.
    pub check: Check,
}

/// Why no job can be written from the seeds.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The seeds cannot be read.
    #[error(transparent)]
    Seeds(#[from] gristmill_tables::Error),
    /// The seeds have no good row.
    #[error("`{path}` holds no row that can be read{first_bad}")]
    NoRows {
        /// The seeds.
        path: String,
        /// The first bad row's reason, after a colon; empty where there is none.
        first_bad: String,
    },
    /// A column that every job needs cannot be told from the names.
    #[error(
        "which column of `{path}` holds the {what} cannot be told: the columns are {columns}; name it with `--field {what}=COLUMN`"
    )]
    NoColumn {
        /// The seeds.
        path: String,
        /// `question` or `answer`.
        what: &'static str,
        /// The columns' names.
        columns: String,
    },
    /// A column that was named is not there.
    #[error("`{path}` has no column `{column}` for the {what}: the columns are {columns}")]
    NoSuchColumn {
        /// The seeds.
        path: String,
        /// The field that it was named for.
        what: String,
        /// The name.
        column: String,
        /// The columns' names.
        columns: String,
    },
    /// A field that no seed has.
    #[error("there is no field `{0}` of a seed: they are {fields}", fields = list(FIELDS, "and"))]
    NoSuchField(String),
}

/// What a seed may have.
const FIELDS: [&str; 8] = [
    "question",
    "answer",
    "reasoning",
    "references",
    "context",
    "concept",
    "source",
    "database",
];

impl Sample {
    /// Looks at the first 1,000 rows of the seeds; `base` is the folder of the job file to be written, `named` the columns that are known, by
    /// field. The others are told by their names.
    ///
    /// # Errors
    /// Unreadable or empty seeds, seeds in which no question or no answer can be found, and named columns that are not there.
    pub fn read(path: &str, base: &Path, named: &BTreeMap<String, String>) -> Result<Self, Error> {
        if let Some(unknown) = named.keys().find(|field| !FIELDS.contains(&field.as_str())) {
            return Err(Error::NoSuchField(unknown.clone()));
        }
        let options = Options {
            base: Some(base.to_owned()),
            ..Options::default()
        };
        let profile = sniff(&[path], &options)?;
        if profile.rows == 0 {
            let first_bad = profile
                .bad
                .first()
                .map_or_else(String::new, |row| format!(": {row}"));
            return Err(Error::NoRows {
                path: path.to_owned(),
                first_bad,
            });
        }
        let columns = &profile.columns;
        let all = || list(columns.iter().map(|column| column.name.as_str()), "and");
        let told = |field: &str| -> Result<Option<&Column>, Error> {
            let Some(name) = named.get(field) else {
                return Ok(None);
            };
            let found = columns.iter().find(|column| column.name == *name);
            found.map(Some).ok_or_else(|| Error::NoSuchColumn {
                path: path.to_owned(),
                what: field.to_owned(),
                column: name.clone(),
                columns: all(),
            })
        };
        let missing = |what| Error::NoColumn {
            path: path.to_owned(),
            what,
            columns: all(),
        };
        let question = told("question")?
            .or_else(|| by_name(columns, QUESTION))
            .ok_or_else(|| missing("question"))?;
        let answer = told("answer")?
            .or_else(|| by_name(columns, ANSWER).filter(|column| column.name != question.name))
            .ok_or_else(|| missing("answer"))?;
        let name = |field: &str, names: &[&str]| -> Result<Option<String>, Error> {
            let guessed = || {
                by_name(columns, names).filter(|column| {
                    ![&question.name, &answer.name].contains(&&column.name) && column.null_share() < 0.5
                })
            };
            Ok(told(field)?.or_else(guessed).map(|column| column.name.clone()))
        };
        let references = told("references")?
            .or_else(|| by_name(columns, REFERENCES).filter(|column| column.name != question.name))
            .map(|column| column.name.clone());
        let answers = answers(path, &options, &answer.name)?;
        let database = name("database", DATABASE)?;
        let databases = database.as_ref().and_then(|_| databases_beside(path, base));
        let check = match databases {
            Some(folder) => Check::Sql(folder),
            None => check(answer, profile.rows, &answers),
        };
        Ok(Self {
            path: path.to_owned(),
            rows: profile.rows,
            complete: profile.complete,
            question: question.name.clone(),
            answer: answer.name.clone(),
            reasoning: name("reasoning", REASONING)?,
            references,
            context: name("context", CONTEXT)?,
            concept: name("concept", CONCEPT)?,
            source: name("source", SOURCE)?,
            // Without databases to run on, the column would do nothing.
            database: database.filter(|_| matches!(check, Check::Sql(_))),
            check,
        })
    }
}

/// The column that has one of these names; or else the only one with such a word in its name (`Clinical question`).
fn by_name<'a>(columns: &'a [Column], names: &[&str]) -> Option<&'a Column> {
    let whole = |name: &&str| {
        columns
            .iter()
            .find(|column| column.name.eq_ignore_ascii_case(name))
    };
    let part = |name: &&str| {
        let mut with = columns.iter().filter(|column| {
            let mut words = column.name.split(|c: char| !c.is_alphanumeric());
            words.any(|word| word.eq_ignore_ascii_case(name))
        });
        with.next().filter(|_| with.next().is_none())
    };
    names
        .iter()
        .find_map(whole)
        .or_else(|| names.iter().find_map(part))
}

/// The first answers, whole; a list counts as its first item.
fn answers(path: &str, options: &Options, column: &str) -> Result<Vec<String>, gristmill_tables::Error> {
    let rows = Reader::open_with(&[path], options)?.take(ROWS_MAX).flatten();
    let text = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Array(items) => items.first().and_then(Value::as_str).map(str::to_owned),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    Ok(rows
        .filter_map(|row| row.value.get(column).and_then(text))
        .collect())
}

fn check(column: &Column, rows: u64, answers: &[String]) -> Check {
    let most = |count: usize| count > 0 && count * 20 >= answers.len() * 19;
    let marked = answers
        .iter()
        .filter(|answer| ends_in_marked_number(answer))
        .count();
    let numeric = usize::try_from(column.numeric).unwrap_or(0);
    let labels: BTreeSet<&str> = answers.iter().map(|answer| answer.trim()).collect();
    let texts = column.kinds.get(&Kind::Text).copied().unwrap_or(0);
    let repeated = labels.len() >= 2
        && labels.len() <= LABELS_MAX
        && rows >= LABEL_ROWS_MIN
        && rows >= 5 * labels.len() as u64;
    if most(marked) {
        Check::Number
    } else if repeated && texts > 0 && column.chars_mean <= SHORT_CHARS && !labels.contains("") {
        Check::Label(labels.into_iter().map(str::to_owned).collect())
    } else if most(numeric) {
        Check::Number
    } else if column.chars_mean <= SHORT_CHARS && texts > 0 {
        Check::Text
    } else {
        Check::Open
    }
}

/// The last line is `#### 72`, as in GSM8K (Cobbe et al. 2021).
fn ends_in_marked_number(answer: &str) -> bool {
    answer
        .trim_end()
        .rsplit_once("####")
        .is_some_and(|(_, number)| number.trim().replace([',', '$'], "").parse::<f64>().is_ok())
}

/// The folder of databases: that of the seeds, or one in it, as a path relative to the job file.
fn databases_beside(path: &str, base: &Path) -> Option<String> {
    let beside = Path::new(path)
        .parent()
        .map(|parent| parent.to_string_lossy().into_owned())
        .unwrap_or_default();
    let beside = if beside.is_empty() { ".".to_owned() } else { beside };
    let inside = ["databases", "database", "db"].map(|name| format!("{beside}/{name}"));
    let holds = |folder: &str| {
        std::fs::read_dir(base.join(folder))
            .into_iter()
            .flatten()
            .flatten()
            .any(|entry| {
                Path::new(&entry.file_name())
                    .extension()
                    .is_some_and(|end| end == "sql" || end == "sqlite")
            })
    };
    std::iter::once(beside).chain(inside).find(|folder| holds(folder))
}
