//! What the seeds show about themselves: which column holds what, what is left out, and how an answer can be checked.

mod chat;
mod check;
mod columns;
mod options;

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use gristmill_domain::job::Fields;
use gristmill_domain::seed::row::{self, SeedRow};
use gristmill_tables::{Column, Kind, Options, Reader, sniff};
use serde_json::{Map, Value};

use crate::near::list;
use columns::Columns;

pub use check::Check;

/// Rows whose answers are looked at.
const ROWS_MAX: usize = 1_000;
/// Mean length in characters from which a column that no field uses may be a part of the question.
const TEXT_CHARS: f64 = 12.0;

/// A row of a table.
type Row = Map<String, Value>;

/// What the seeds show about themselves.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// The seeds' path or glob, relative to the job file.
    pub path: String,
    /// Rows looked at.
    pub rows: u64,
    /// True when these are all the rows there are.
    pub complete: bool,
    /// Which column holds what.
    pub fields: Fields,
    /// How an answer can be checked.
    pub check: Check,
    /// True where most answers are a number and nothing else.
    pub bare_numbers: bool,
    /// True where there are passages and most answers stand in theirs, so that `filter.grounding` would keep answers like them.
    pub grounded: bool,
    /// Columns that no field uses, in the order of the file.
    pub unused: Vec<String>,
    /// What a person should decide or know, a sentence each.
    pub notes: Vec<String>,
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
    /// Columns of options and of the answer were named or found, and do not fit together.
    #[error("{place}: {reason}; {misfits} of {rows} rows looked at are like that. {fits}")]
    Misfit {
        /// The first such row: its file and line.
        place: String,
        /// What was found there.
        reason: String,
        /// How many rows are like that.
        misfits: usize,
        /// How many were looked at.
        rows: usize,
        /// What would fit.
        fits: &'static str,
    },
    /// A field that no seed has.
    #[error("there is no field `{0}` of a seed: they are {fields}", fields = list(FIELDS, "and"))]
    NoSuchField(String),
    /// The columns that were found give no seed.
    #[error(
        "no row of `{path}` can be used as a seed: {reason}; name other columns with `--field FIELD=COLUMN`"
    )]
    NoSeed {
        /// The seeds.
        path: String,
        /// What is wrong with the first.
        reason: String,
    },
    /// The same question is asked again and again, and a column that could tell the rows apart is left out.
    #[error(
        "{rows} rows of `{path}` ask the same question as another and answer it differently, for instance `{question}`: what tells them apart is in {columns}; \
         say what it is with `--field input=COLUMN` (it belongs to the question), `--field context=COLUMN` (a passage) or, to leave it out, \
         `--field question={column}`"
    )]
    Undecided {
        /// The seeds.
        path: String,
        /// How many rows.
        rows: usize,
        /// One such question.
        question: String,
        /// The question's column.
        column: String,
        /// The columns that are left out.
        columns: String,
    },
}

/// What a seed may have.
pub(crate) const FIELDS: [&str; 10] = [
    "question",
    "input",
    "choices",
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
    /// Unreadable or empty seeds, seeds in which no question or no answer can be found, named columns that are not there, and rows that
    /// contradict each other because a column is left out.
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
        let mut synthetic = 0;
        let (places, rows): (Vec<String>, Vec<Row>) = Reader::open_with(&[path], &options)?
            .take(ROWS_MAX)
            .flatten()
            .inspect(|record| synthetic += usize::from(row::is_synthetic(&record.value)))
            .filter(|record| !row::is_synthetic(&record.value))
            .map(|record| (format!("{}:{}", record.file.display(), record.line), record.value))
            .unzip();
        let left_out = format!(
            "{synthetic} of {} rows looked at are left out because a model wrote what they hold (`provenance.origin`, or the columns of a run's rejected rows): only \
             real rows are seeds",
            rows.len() + synthetic
        );
        if rows.is_empty() && synthetic > 0 {
            return Err(Error::NoSeed {
                path: path.to_owned(),
                reason: left_out,
            });
        }
        let columns = Columns {
            path,
            all: &profile.columns,
            rows: &rows,
            places: &places,
            named,
        };
        let (fields, mut notes) = columns.fields()?;
        if synthetic > 0 {
            notes.push(left_out);
        }
        let read: Vec<Result<SeedRow, String>> = rows.iter().map(|row| row::read(row, &fields)).collect();
        let seeds: Vec<&SeedRow> = read.iter().flatten().collect();
        if seeds.is_empty() {
            let reason = read.into_iter().find_map(Result::err).unwrap_or_default();
            return Err(Error::NoSeed {
                path: path.to_owned(),
                reason,
            });
        }
        let unused = unused(&profile.columns, &fields);
        contradictions(path, &seeds, &fields, &unused, named)?;
        notes.extend(decisions(&unused, &fields));
        let databases = fields
            .database
            .as_ref()
            .and_then(|_| check::databases_beside(path, base));
        let check = match databases {
            Some(folder) => Check::Sql(folder),
            None => check::of(&seeds),
        };
        let bare_numbers = check == Check::Number && check::bare_numbers(&seeds);
        let grounded = check::grounded(&seeds, &check, &mut notes);
        let mut fields = fields;
        // Without databases to run on, the column would do nothing.
        fields.database = fields.database.filter(|_| matches!(check, Check::Sql(_)));
        Ok(Self {
            path: path.to_owned(),
            rows: profile.rows,
            complete: profile.complete,
            check,
            bare_numbers,
            grounded,
            unused: unused.iter().map(|column| column.name.clone()).collect(),
            notes,
            fields,
        })
    }
}

/// The columns that no field uses.
fn unused<'a>(columns: &'a [Column], fields: &Fields) -> Vec<&'a Column> {
    let optional = row::optional(fields);
    let used: Vec<&str> = [fields.question.as_str(), fields.answer.as_str()]
        .into_iter()
        .chain(fields.references.as_deref())
        .chain(fields.choices.iter().map(String::as_str))
        .chain(optional.into_iter().map(|(_, column)| column))
        .collect();
    let is_used = |name: &str| {
        used.iter().any(|path| {
            path.strip_prefix(name)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        })
    };
    columns.iter().filter(|column| !is_used(&column.name)).collect()
}

/// Refuses rows that contradict each other because of what is left out, unless a person named the question's columns.
fn contradictions(
    path: &str,
    seeds: &[&SeedRow],
    fields: &Fields,
    unused: &[&Column],
    named: &BTreeMap<String, String>,
) -> Result<(), Error> {
    let decided = ["question", "input", "context", "choices"]
        .iter()
        .any(|field| named.contains_key(*field));
    let named = |of: fn(&Column) -> bool| -> Vec<&str> {
        let columns = unused.iter().filter(|column| of(column));
        columns.map(|column| column.name.as_str()).collect()
    };
    // Where no column holds prose, what tells the rows apart is shorter: a line of code, an operand.
    let left_out = match named(is_text) {
        texts if texts.is_empty() => named(may_be_asked_about),
        texts => texts,
    };
    if decided || left_out.is_empty() {
        return Ok(());
    }
    let mut answers: HashMap<(&str, Option<&str>), Vec<&str>> = HashMap::new();
    for seed in seeds {
        let asked = (seed.question.as_str(), seed.context.as_deref());
        answers.entry(asked).or_default().push(&seed.answer);
    }
    let contradict = |given: &&Vec<&str>| given.iter().any(|answer| *answer != given[0]);
    let rows: usize = answers.values().filter(contradict).map(Vec::len).sum();
    if 2 * rows < seeds.len() {
        return Ok(());
    }
    let question = seeds
        .iter()
        .find(|seed| contradict(&&answers[&(seed.question.as_str(), seed.context.as_deref())]))
        .map(|seed| seed.question.chars().take(60).collect());
    Err(Error::Undecided {
        path: path.to_owned(),
        rows,
        question: question.unwrap_or_default(),
        column: fields.question.clone(),
        columns: list(left_out, "and"),
    })
}

/// What a question may be about, though it is no prose: short texts, and numbers under a name of one letter. What names a row is not.
fn may_be_asked_about(column: &Column) -> bool {
    let name = column.name.to_ascii_lowercase();
    let names_a_row = [
        "id", "uid", "uuid", "index", "idx", "url", "link", "hash", "split", "source",
    ]
    .contains(&name.as_str())
        || name.ends_with("_id")
        || name.ends_with("_url");
    let texts = column.kinds.get(&Kind::Text).copied().unwrap_or(0);
    let short_texts = texts > 0 && 2 * column.numeric < texts;
    column.distinct > 1 && !names_a_row && (short_texts || name.chars().count() == 1)
}

/// Texts that differ from row to row, and are neither numbers nor addresses.
fn is_text(column: &Column) -> bool {
    let of = |kind| column.kinds.get(&kind).copied().unwrap_or(0);
    let texts = of(Kind::Text) + of(Kind::List);
    let address = |text: &String| text.starts_with("http://") || text.starts_with("https://");
    texts > 0
        && column.distinct > 1
        && column.chars_mean >= TEXT_CHARS
        && 2 * column.numeric < texts
        && !column.examples.iter().all(address)
        && column
            .examples
            .iter()
            .any(|text| text.trim().contains(char::is_whitespace))
}

/// What is asked about columns that hold texts and that no field uses.
fn decisions(unused: &[&Column], fields: &Fields) -> Vec<String> {
    let uses = [
        ("input", fields.input.is_none(), "a part of the question"),
        ("context", fields.context.is_none(), "a passage"),
        ("reasoning", fields.reasoning.is_none(), "the reasoning"),
    ];
    let free: Vec<String> = uses
        .iter()
        .filter(|(_, free, _)| *free)
        .map(|(field, _, what)| format!("{what} (`{field}`)"))
        .collect();
    let ask = |column: &&Column| {
        let shown: String = column
            .examples
            .first()
            .into_iter()
            .flat_map(|text| text.chars())
            .take(40)
            .collect();
        let shown = shown.replace(['\n', '\r'], " ");
        format!(
            "decide: column `{}` holds texts (`{shown}`) that no field uses; if they are {}, name the column there",
            column.name,
            if free.is_empty() {
                "needed".to_owned()
            } else {
                free.join(", ")
            }
        )
    };
    unused.iter().filter(|column| is_text(column)).map(ask).collect()
}
