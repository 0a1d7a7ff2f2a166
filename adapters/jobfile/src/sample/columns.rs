//! Which column holds what, by its name and by what is in it.

use std::collections::BTreeMap;

use gristmill_domain::job::Fields;
use gristmill_domain::seed::conversation::turns;
use gristmill_domain::seed::row;
use gristmill_tables::Column;
use serde_json::Value;

use super::{Error, Row};
use crate::near::list;

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
pub(super) const ANSWER: &[&str] = &[
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
/// Names of what a question is about, where it stands apart.
const INPUT: &[&str] = &["input", "inputs"];
/// Questions that an input may belong to.
const INSTRUCTIONS: &[&str] = &["instruction", "prompt", "question", "task", "query"];
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
/// Members of an object that hold its text, as in `answers.text`.
const TEXTS: &[&str] = &["text", "answer", "value", "content", "contexts", "full_text"];

/// The columns of a table, and what a person said about them.
pub(super) struct Columns<'a> {
    pub(super) path: &'a str,
    pub(super) all: &'a [Column],
    pub(super) rows: &'a [Row],
    /// Where each row stands: its file and line.
    pub(super) places: &'a [String],
    /// Columns that a person named, by field.
    pub(super) named: &'a BTreeMap<String, String>,
}

impl Columns<'_> {
    /// Which column holds what, and what there is to say about it.
    pub(super) fn fields(&self) -> Result<(Fields, Vec<String>), Error> {
        let mut notes = Vec::new();
        let (
            question,
            Chosen {
                columns: choices,
                answer,
                first,
            },
        ) = self.asked_and_answered(&mut notes)?;
        let mut taken: Vec<String> = [&question, &answer]
            .into_iter()
            .chain(&choices)
            .cloned()
            .collect();
        let input = match self.told("input")? {
            Some(column) => Some(column),
            None if INSTRUCTIONS
                .iter()
                .any(|name| question.eq_ignore_ascii_case(name)) =>
            {
                self.guessed(INPUT, &taken)
            }
            None => None,
        };
        taken.extend(input.clone());
        let mut field = |name: &str, names: &[&str]| -> Result<Option<String>, Error> {
            let found = match self.told(name)? {
                Some(column) => Some(column),
                None => self.guessed(names, &taken),
            };
            taken.extend(found.clone());
            Ok(found)
        };
        let reasoning = field("reasoning", REASONING)?;
        let context = field("context", CONTEXT)?;
        let concept = field("concept", CONCEPT)?;
        let source = field("source", SOURCE)?;
        let database = field("database", DATABASE)?;
        let references = match self.told("references")? {
            Some(column) => Some(column),
            None if choices.is_empty() => self
                .by_name(REFERENCES)
                .filter(|column| column.name != question && column.null_share() == 0.0)
                .map(|column| self.path_of(&column.name, "references")),
            None => None,
        };
        let provenance = |name: &str| {
            let path = format!("provenance.{name}");
            self.rows
                .iter()
                .any(|row| row::value(row, &path).is_some_and(|value| !is_empty(&value)))
                .then_some(path)
        };
        self.note_conversations(&question, &mut notes);
        Ok((
            Fields {
                concept: concept.or_else(|| provenance("concepts")),
                source: source.or_else(|| provenance("seed_source")),
                question,
                answer,
                input,
                choices,
                choices_from: first,
                reasoning,
                references,
                context,
                database,
            },
            notes,
        ))
    }

    /// The columns of question, answer and options.
    fn asked_and_answered(&self, notes: &mut Vec<String>) -> Result<(String, Chosen), Error> {
        let missing = |what| Error::NoColumn {
            path: self.path.to_owned(),
            what,
            columns: self.names(),
        };
        let (told_question, told_answer) = (self.told("question")?, self.told("answer")?);
        let whole = |names: &[&str]| {
            self.all
                .iter()
                .any(|column| names.iter().any(|name| column.name.eq_ignore_ascii_case(name)))
        };
        let chat = self.conversation().filter(|_| {
            told_question.is_none() && told_answer.is_none() && !(whole(QUESTION) && whole(ANSWER))
        });
        if let Some(chat) = chat {
            return Ok((format!("{chat}.user"), Chosen::none(format!("{chat}.assistant"))));
        }
        let question = told_question
            .or_else(|| {
                self.by_name(QUESTION)
                    .map(|column| self.path_of(&column.name, "question"))
            })
            .ok_or_else(|| missing("question"))?;
        if let Some(chosen) = self.choices(&question, told_answer.as_deref(), notes)? {
            return Ok((question, chosen));
        }
        let answer = told_answer
            .or_else(|| {
                let column = self.by_name(ANSWER).filter(|column| column.name != question)?;
                Some(self.path_of(&column.name, "answer"))
            })
            .ok_or_else(|| missing("answer"))?;
        Ok((question, Chosen::none(answer)))
    }

    /// The path of a column that a person named for a field.
    fn told(&self, field: &str) -> Result<Option<String>, Error> {
        match self.named.get(field) {
            None => Ok(None),
            Some(name) => {
                self.known(field, name)?;
                Ok(Some(self.path_of(name, field)))
            }
        }
    }

    pub(super) fn known(&self, field: &str, name: &str) -> Result<(), Error> {
        let there = self.all.iter().any(|column| column.name == name)
            || self.rows.iter().any(|row| row::value(row, name).is_some());
        if there {
            return Ok(());
        }
        Err(Error::NoSuchColumn {
            path: self.path.to_owned(),
            what: field.to_owned(),
            column: name.to_owned(),
            columns: self.names(),
        })
    }

    /// A column's path to its texts: into a conversation by the part that the field wants, into an object by the member that holds its text.
    pub(super) fn path_of(&self, name: &str, field: &str) -> String {
        let first = self
            .rows
            .iter()
            .filter_map(|row| row::value(row, name))
            .find(|value| !is_empty(value));
        let Some(value) = first else {
            return name.to_owned();
        };
        if turns(&value).is_some() {
            let part = if field == "answer" || field == "references" {
                "assistant"
            } else {
                "user"
            };
            return format!("{name}.{part}");
        }
        let members = match value.as_ref() {
            Value::Object(members) => Some(members),
            Value::Array(items) => items.first().and_then(Value::as_object),
            _ => None,
        };
        let text = members.and_then(|members| TEXTS.iter().find(|text| members.contains_key(**text)));
        text.map_or_else(|| name.to_owned(), |text| format!("{name}.{text}"))
    }

    /// A column by its name that is not taken and not empty.
    fn guessed(&self, names: &[&str], taken: &[String]) -> Option<String> {
        let is_taken = |name: &str| {
            taken
                .iter()
                .any(|path| path == name || path.starts_with(&format!("{name}.")))
        };
        let column = self.by_name(names)?;
        let path = self.path_of(&column.name, "context");
        // A column may be in rows alone that are left out.
        if !self.rows.iter().any(|row| row::value(row, &path).is_some()) {
            return None;
        }
        let is_text = |value: &Value| !matches!(value, Value::Object(_) | Value::Array(_));
        let readable = self
            .rows
            .iter()
            .filter_map(|row| row::value(row, &path))
            .all(|value| match value.as_ref() {
                Value::Array(items) => items.iter().all(is_text),
                value => is_text(value),
            });
        (!is_taken(&column.name) && column.null_share() < 1.0 && readable).then_some(path)
    }

    /// The column that has one of these names; or else the only one with such a word in its name (`Clinical question`).
    pub(super) fn by_name(&self, names: &[&str]) -> Option<&Column> {
        let whole = |name: &&str| {
            self.all
                .iter()
                .find(|column| column.name.eq_ignore_ascii_case(name))
        };
        let part = |name: &&str| {
            let mut with = self.all.iter().filter(|column| {
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

    pub(super) fn names(&self) -> String {
        list(self.all.iter().map(|column| column.name.as_str()), "and")
    }
}

pub(super) fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.trim().is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Where the answer is, and the options that it names.
pub(super) struct Chosen {
    /// The columns of the options.
    pub(super) columns: Vec<String>,
    /// The column that says which of them is the answer.
    pub(super) answer: String,
    /// The number of the first option.
    pub(super) first: u32,
}

impl Chosen {
    /// An answer that is no choice.
    pub(super) fn none(answer: String) -> Self {
        Self {
            columns: Vec::new(),
            answer,
            first: 0,
        }
    }
}
