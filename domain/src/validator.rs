//! Validators: how an answer is read, brought into one canonical form and compared with a reference.
//!
//! A validator is one implementation of [`Validator`], in one file of this module, on the type that its settings are read into
//! (`filter.validator` of a job). The trait says everything that the rest of the program may know of it: its name, how its settings
//! are checked, what sort of text its answers are, how several answers are compared, which files it needs. [`Validator::open`] makes
//! its [`Checker`], which reads references and answers. Nothing outside this module matches on a validator's kind.
//!
//! To add one: write its file with its tests, and register it in `registry.rs`. `docs/validators.md` walks through it.
//!
//! Refused here: to open a file, a database or a process. What a validator needs of those is a [`Need`]; whoever opens it hands over
//! what answers the need, a [`Given`].

mod command;
mod comparison;
pub(crate) mod json_schema;
mod label;
mod number;
mod number_with_unit;
mod open;
mod regex;
mod registry;
mod sql;
mod text;

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;

use crate::answer::Unreadable;
use crate::filter::{Kind, Reason, Rejection};
use crate::job::{Job, Report};

pub use command::Command;
pub use comparison::Comparison;
pub use json_schema::JsonSchema;
pub use label::Label;
pub use number::Number;
pub use number_with_unit::NumberWithUnit;
pub use open::Open;
pub use regex::Regex;
pub use registry::Settings;
pub use sql::Sql;
pub use text::Text;

/// What a job's `filter.validator` says, and what follows from it before anything is opened.
pub trait Validator: Debug {
    /// The name that a job gives as `kind`; prompts see it as `kind`, too.
    fn name(&self) -> &'static str;

    /// What sort of text an answer is: which rules on texts apply to it.
    fn answers(&self) -> Kind;

    /// A sentence that tells a model what the final answer must look like; for names that the built-in prompts know, they say it.
    fn form(&self) -> Option<String> {
        None
    }

    /// The only answers that there can be, where there is such a list.
    fn choices(&self) -> &[String] {
        &[]
    }

    /// False for the validator that verifies nothing.
    fn verifies(&self) -> bool {
        true
    }

    /// Whether answers are compared with a reference, where there is one.
    fn compares_references(&self) -> bool {
        true
    }

    /// How answers to one question are compared with each other, so that they can vote.
    fn comparison(&self) -> Comparison {
        Comparison::Canonical
    }

    /// True where two right answers to one question say the same thing, so that, without reasoning, further answers are worth nothing.
    fn right_answers_repeat(&self) -> bool {
        true
    }

    /// What it needs beside the answer, for [`Validator::open`]. A cluster sends the files to its workers.
    fn need(&self) -> Option<Need<'_>> {
        None
    }

    /// A short file that holds a part of the settings. [`Validator::take_in`] takes its place once it is read.
    fn settings_file(&self) -> Option<SettingsFile<'_>> {
        None
    }

    /// Takes the text of [`Validator::settings_file`] into the settings. The error says what is wrong with it.
    fn take_in(&mut self, _text: &str) -> Result<(), String> {
        Ok(())
    }

    /// Files beside the job that it needs on every machine, apart from those of [`Need::Databases`].
    fn files(&self) -> Vec<NeededFile> {
        Vec::new()
    }

    /// What else of its settings may name a file beside the job: one that does belongs among its files.
    fn arguments(&self) -> Vec<NeededFile> {
        Vec::new()
    }

    /// Takes in the hash of each of [`Validator::files`], by its name: they are a part of what a run is.
    fn pin(&mut self, _hashes: BTreeMap<String, String>) {}

    /// Leaves out the settings that only say where files are or how long they may take: a run is the same run without them.
    fn forget_places(&mut self) {}

    /// Reports what is wrong with the settings, at key paths such as `filter.validator.labels`.
    fn check_settings(&self, _job: &Job, _report: &mut Report) {}

    /// Makes the checker. The error is a clause that says what is wrong and where, such as "`filter.validator.labels` …".
    fn open(&self, given: Given) -> Result<Box<dyn Checker>, String>;
}

/// A validator that is ready to check answers.
///
/// Calls are independent of each other: the same answer gets the same verdict every time.
#[async_trait]
pub trait Checker: Send + Sync {
    /// Whether a text is a reference that an answer could equal. The error is a clause that continues "its reference `…`": it says what
    /// is wrong, and the way out.
    fn reference(&self, text: &str) -> Result<(), String>;

    /// Checks an answer.
    async fn check(&self, asked: &Asked<'_>) -> Result<Verdict, Fault>;
}

/// A file that holds a part of a validator's settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SettingsFile<'a> {
    /// Key of the job that names it.
    pub key: &'static str,
    /// What it holds, as errors call it: `JSON Schema`.
    pub what: &'static str,
    /// Its path, relative to the job file.
    pub path: &'a Path,
}

/// A file that a validator needs on every machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NeededFile {
    /// Key of the job that names it.
    pub key: String,
    /// Its path below the job's folder, parts joined by `/`.
    pub name: String,
}

/// What a validator needs beside the answer. Paths are as the job gives them: relative to the job file.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Need<'a> {
    /// The SQLite databases in a folder.
    Databases {
        /// The folder.
        folder: &'a Path,
        /// Key of the job that names it.
        key: &'static str,
        /// Seconds after which a query is stopped.
        timeout_s: u32,
    },
    /// A program that is run on each answer.
    Program(&'a Command),
}

/// What answers a [`Need`].
#[derive(Clone, Default)]
pub enum Given {
    /// Nothing was needed.
    #[default]
    Nothing,
    /// The databases, ready to be queried.
    Databases(Arc<dyn Queries>),
    /// The program, ready to be run.
    Program(Arc<dyn Program>),
}

/// An answer, and what it answers.
#[derive(Debug, Clone, Copy, Default)]
pub struct Asked<'a> {
    /// The question.
    pub question: &'a str,
    /// The answer, without the reasoning that leads to it.
    pub answer: &'a str,
    /// References; empty where none is known.
    pub references: &'a [String],
    /// The passage that the question is about.
    pub passage: Option<&'a str>,
    /// The database that a query runs on.
    pub database: Option<&'a str>,
}

/// What a validator says of an answer that it could read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The answer in its canonical form: two answers say the same when theirs are equal.
    pub canonical: String,
    /// Whether it is right; `None` where nothing says so.
    pub correct: Option<bool>,
    /// Why, in words.
    pub detail: String,
}

/// Why there is no verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The answer is at fault: it is rejected.
    Answer(Rejection),
    /// What verifies is broken, or the reference is: the answer can be called neither right nor wrong.
    Unverifiable(String),
}

impl Fault {
    /// The answer is not in the form that was asked for.
    fn form(detail: impl Into<String>) -> Self {
        Self::Answer(Rejection::new(Reason::Format, detail))
    }
}

impl From<Unreadable> for Fault {
    fn from(unreadable: Unreadable) -> Self {
        Self::form(unreadable.to_string())
    }
}

/// A query held against its references on a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JudgedQuery {
    /// The same for queries that mean the same.
    pub canonical: String,
    /// Whether it means what a reference means; `None` without references.
    pub correct: Option<bool>,
    /// Why, in words.
    pub detail: String,
    /// It returned no row.
    pub is_empty: bool,
}

/// Why a query could not be judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum QueryFault {
    /// The query does not run, or not within its limits.
    Query(String),
    /// A reference does not run, or the engine is broken.
    Engine(String),
}

/// Runs queries on databases under limits.
#[async_trait]
pub trait Queries: Send + Sync {
    /// Runs a query and its references on a database and compares the results.
    async fn judge(
        &self,
        database: &str,
        query: &str,
        references: &[String],
    ) -> Result<JudgedQuery, QueryFault>;
}

/// Why a program brought no output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProgramFault {
    /// It was stopped at a limit on what one answer may take.
    Limit(String),
    /// It does not run, or it failed.
    Broken(String),
}

/// Runs a program under limits.
#[async_trait]
pub trait Program: Send + Sync {
    /// Starts it, gives it the input, and returns what it wrote.
    async fn run(&self, input: Vec<u8>) -> Result<Vec<u8>, ProgramFault>;
}

impl Settings {
    /// Whether it runs queries on databases, so that each row has to name its own.
    pub fn queries_databases(&self) -> bool {
        matches!(self.need(), Some(Need::Databases { .. }))
    }
}

/// Whether a canonical form is one of the references', and a sentence that names them; `None` without references.
fn among(found: &str, references: &[String]) -> (Option<bool>, String) {
    if references.is_empty() {
        return (None, format!("{found}, no reference"));
    }
    let correct = references.iter().any(|reference| reference == found);
    (
        Some(correct),
        format!("{found}, reference {}", references.join(" or ")),
    )
}

/// The default of a setting that is on where a job does not say.
fn yes() -> bool {
    true
}

/// Leaves such a setting out of what is written where it is on.
fn is_yes(value: &bool) -> bool {
    *value
}

#[cfg(test)]
mod tests;
