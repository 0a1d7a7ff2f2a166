//! The answer key: what is right, for every question the service may meet, in any of its wordings.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::config::KeyFiles;
use super::draw::Draw;
use super::sql::{self, Databases};
use super::wording::{Canon, canon};
use super::{arithmetic, incomplete, key_file, statement};

/// The key could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file cannot be read.
    #[error("cannot read the answer key {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A line has none of the known layouts.
    #[error("{}, line {line}: {reason}; expected {{question, answer}} ending in `#### N`, {{question, final_decision}} or {{question, db, accepted_queries}}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What is wrong.
        reason: String,
    },
    /// A database dump does not load.
    #[error(transparent)]
    Database(#[from] sql::Error),
}

/// What an answer is checked by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Domain {
    /// The final number.
    Number,
    /// One of a set of labels.
    Label,
    /// A query's result.
    Sql,
}

/// The truth about one question.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Truth {
    Number(f64),
    Label {
        label: String,
        others: Vec<String>,
    },
    Sql {
        database: String,
        right: Vec<String>,
        wrong: Vec<String>,
    },
}

/// A question that the key knows.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Item {
    /// Shared by all wordings.
    pub(crate) id: u64,
    pub(crate) question: String,
    pub(crate) truth: Truth,
    /// How the answer comes about, without the final answer's line.
    pub(crate) solution: String,
    pub(crate) concepts: Vec<String>,
}

impl Item {
    pub(crate) fn domain(&self) -> Domain {
        match self.truth {
            Truth::Number(_) => Domain::Number,
            Truth::Label { .. } => Domain::Label,
            Truth::Sql { .. } => Domain::Sql,
        }
    }
}

/// Accepted queries of a question, and what they run on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqlTruth {
    /// Name of the database: the stem of its dump's file name.
    pub database: String,
    /// Queries whose results are right.
    pub accepted: Vec<String>,
}

/// Everything the service knows. Immutable once loaded.
#[derive(Debug, Default)]
pub struct AnswerKey {
    items: Vec<Arc<Item>>,
    by_key: HashMap<u64, usize>,
    /// Held-back items.
    pool: Vec<usize>,
    databases: Databases,
    concepts: BTreeMap<Domain, Vec<String>>,
    ambiguous: Vec<String>,
}

impl AnswerKey {
    /// Loads all files of the key.
    ///
    /// # Errors
    /// An unreadable file, a line of an unknown layout, or a dump that does not run, each by name.
    pub fn load(files: &KeyFiles) -> Result<Self, Error> {
        let mut key = Self::default();
        for (paths, held_back) in [
            (&files.new_from, true),
            (&files.gsm8k, false),
            (&files.pubmedqa, false),
            (&files.sql_questions, false),
        ] {
            for path in paths {
                key.add_file(path, held_back)?;
            }
        }
        key.find_wrong_queries();
        Ok(key)
    }

    fn add_file(&mut self, path: &Path, held_back: bool) -> Result<(), Error> {
        let folder = path.parent().unwrap_or(Path::new("."));
        for line in key_file::read(path)? {
            if let Truth::Sql { database, .. } = &line.truth {
                self.databases.load(folder, database)?;
            }
            self.add(line, held_back);
        }
        Ok(())
    }

    fn add(&mut self, line: key_file::Line, held_back: bool) {
        let id = canon(&line.question).key();
        if let Some(&at) = self.by_key.get(&id) {
            if self.items[at].truth != line.truth {
                self.ambiguous.push(line.question);
            }
            return;
        }
        let index = self.items.len();
        self.by_key.insert(id, index);
        for alias in &line.aliases {
            self.by_key.entry(canon(alias).key()).or_insert(index);
        }
        if held_back {
            self.pool.push(index);
        }
        let item = Item {
            id,
            question: line.question,
            truth: line.truth,
            solution: line.solution,
            concepts: line.concepts,
        };
        let known = self.concepts.entry(item.domain()).or_default();
        for concept in &item.concepts {
            if let Err(place) = known.binary_search(concept) {
                known.insert(place, concept.clone());
            }
        }
        self.items.push(Arc::new(item));
    }

    /// For each SQL item, other questions' queries of the same database that run and give other results.
    fn find_wrong_queries(&mut self) {
        let mut results = Vec::new();
        for item in &self.items {
            if let Truth::Sql { database, right, .. } = &item.truth
                && let Some(loaded) = self.databases.get(database)
            {
                let own: Vec<_> = right.iter().map(|query| loaded.run(query)).collect();
                results.push((item.id, database.clone(), right.clone(), own));
            }
        }
        for item in &mut self.items {
            let Some((_, _, _, own)) = results.iter().find(|(id, ..)| *id == item.id) else {
                continue;
            };
            let Item {
                id: own_id,
                truth:
                    Truth::Sql {
                        database,
                        right,
                        wrong,
                    },
                ..
            } = Arc::make_mut(item)
            else {
                continue;
            };
            *wrong = results
                .iter()
                .filter(|(id, db, ..)| id != own_id && db == database)
                .filter_map(|(.., queries, cells)| Some((queries.first()?, cells.first()?.as_ref()?)))
                .filter(|(_, cells)| !own.iter().any(|r| r.as_ref() == Some(*cells)))
                .map(|(query, _)| query.clone())
                .collect();
            // Only what runs is given out as right.
            let mut ran = own.iter().map(Option::is_some);
            if own.iter().any(Option::is_some) {
                right.retain(|_| ran.next().unwrap_or(true));
            }
        }
    }

    /// Questions loaded from files.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// True when no file was loaded; made-up word problems are known all the same.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Questions whose canonical wording was taken already, with another answer; the first one counts.
    pub fn ambiguous(&self) -> &[String] {
        &self.ambiguous
    }

    /// What the question's answer is checked by; `None` for a question nobody knows.
    pub fn domain(&self, question: &str) -> Option<Domain> {
        self.find(question).map(|item| item.domain())
    }

    /// The question as it stands in the key, for a rephrasing or near-copy of it; made-up questions have no other original.
    pub fn original(&self, question: &str) -> Option<String> {
        let key = canon(question).key();
        self.by_key.get(&key).map(|&at| self.items[at].question.clone())
    }

    /// Whether a final answer is right, for originals, rephrasings, near-copies and new questions; `None` for a question nobody knows.
    ///
    /// Numbers are read from the last number in the text, labels from a whole-word match. SQL is compared as text with the accepted
    /// queries and else by its result (rows as a bag; order and column order are not checked).
    pub fn is_right(&self, question: &str, final_answer: &str) -> Option<bool> {
        self.find(question).map(|item| self.agrees(&item, final_answer))
    }

    /// Whether a question is about a concept, known by its name or one of its labels: by the labels of the question that it is, or rewords;
    /// by its words where it was made up. `None` for a question nobody knows.
    pub fn is_about(&self, question: &str, names: &[&str]) -> Option<bool> {
        let item = self.find(question)?;
        if self.by_key.contains_key(&item.id) {
            let labelled = |name: &&str| item.concepts.iter().any(|c| c.eq_ignore_ascii_case(name));
            return Some(names.iter().any(labelled));
        }
        let words = canon(question).sentences.concat();
        let named = |name: &&str| {
            let name = canon(&statement::plain(name)).sentences.concat();
            !name.is_empty() && words.windows(name.len()).any(|part| part == name)
        };
        Some(names.iter().any(named))
    }

    /// Accepted queries of an SQL question.
    pub fn sql(&self, question: &str) -> Option<SqlTruth> {
        match &self.find(question)?.truth {
            Truth::Sql { database, right, .. } => Some(SqlTruth {
                database: database.clone(),
                accepted: right.clone(),
            }),
            _ => None,
        }
    }

    pub(crate) fn find(&self, question: &str) -> Option<Arc<Item>> {
        if incomplete::whole(question).is_some() {
            return None;
        }
        let text = canon(question);
        let id = text.key();
        match self.by_key.get(&id) {
            Some(&at) => self.items.get(at).cloned(),
            None => self.made_up(&text, id, question).map(Arc::new),
        }
    }

    fn made_up(&self, text: &Canon, id: u64, question: &str) -> Option<Item> {
        let item = |truth, solution, concepts| Item {
            id,
            question: question.to_owned(),
            truth,
            solution,
            concepts,
        };
        if let Some(problem) = arithmetic::read(text) {
            let concepts = vec![problem.concept.to_owned()];
            return Some(item(
                Truth::Number(problem.answer as f64),
                problem.steps,
                concepts,
            ));
        }
        if let Some(label) = statement::read(text) {
            let others = statement::LABELS
                .iter()
                .filter(|l| **l != label)
                .map(|l| (*l).to_owned())
                .collect();
            let solution =
                "The report gives a p-value, which decides how far the finding is supported.".to_owned();
            return Some(item(
                Truth::Label {
                    label: label.to_owned(),
                    others,
                },
                solution,
                Vec::new(),
            ));
        }
        let (database, queries) = self.databases.read(text)?;
        let truth = Truth::Sql {
            database: database.to_owned(),
            right: queries.right,
            wrong: queries.wrong,
        };
        let solution =
            "The question names the table and the column, so one SELECT over that table answers it.";
        Some(item(truth, solution.to_owned(), Vec::new()))
    }

    /// Whether an answer agrees with what an item says.
    pub(crate) fn agrees(&self, item: &Item, answer: &str) -> bool {
        match &item.truth {
            Truth::Number(right) => {
                last_number(answer).is_some_and(|n| (n - right).abs() <= (1e-12 * right.abs()).max(1e-6))
            }
            Truth::Label { label, others } => stated_label(answer, label, others).as_deref() == Some(label),
            Truth::Sql { database, right, .. } => {
                let query = bare_query(answer);
                right.iter().any(|accepted| sql::same_text(accepted, query))
                    || self.databases.get(database).is_some_and(|database| {
                        let result = database.run(query);
                        result.is_some() && right.iter().any(|accepted| database.run(accepted) == result)
                    })
            }
        }
    }

    /// A held-back question of the domain, about the concept where one is wanted.
    pub(crate) fn held_back(&self, domain: Domain, concept: Option<&str>, draw: Draw) -> Option<&str> {
        let fitting: Vec<&Arc<Item>> = self
            .pool
            .iter()
            .filter_map(|&at| self.items.get(at))
            .filter(|item| item.domain() == domain)
            .filter(|item| concept.is_none_or(|w| item.concepts.iter().any(|c| c.eq_ignore_ascii_case(w))))
            .collect();
        draw.pick(&fitting).map(|item| item.question.as_str())
    }

    /// Concepts named in the files, sorted.
    pub(crate) fn concepts(&self, domain: Domain) -> &[String] {
        self.concepts.get(&domain).map_or(&[], Vec::as_slice)
    }

    /// The domain of most items; numbers for an empty key.
    pub(crate) fn main_domain(&self) -> Domain {
        let mut counts: BTreeMap<Domain, usize> = BTreeMap::new();
        self.items
            .iter()
            .for_each(|item| *counts.entry(item.domain()).or_default() += 1);
        counts
            .into_iter()
            .max_by_key(|(_, n)| *n)
            .map_or(Domain::Number, |(domain, _)| domain)
    }

    pub(crate) fn databases(&self) -> &Databases {
        &self.databases
    }
}

/// The last number in a text, without thousands separators.
pub(crate) fn last_number(text: &str) -> Option<f64> {
    let keep: String = text
        .chars()
        .map(|c| {
            if c.is_ascii_digit() || ".,-".contains(c) {
                c
            } else {
                ' '
            }
        })
        .collect();
    keep.split_whitespace().rev().find_map(|word| {
        let word = word.trim_matches([',', '.']).replace(',', "");
        let word = word.trim_end_matches('-');
        // "3-4" states 4 last; a leading minus belongs to the number.
        let start = word.rfind('-').filter(|at| *at > 0).map_or(0, |at| at + 1);
        word[start..].parse::<f64>().ok()
    })
}

/// The label an answer states: the whole text, else the last label in it.
fn stated_label(answer: &str, label: &str, others: &[String]) -> Option<String> {
    let words: Vec<String> = answer
        .split(|c: char| !c.is_alphanumeric())
        .filter(|w| !w.is_empty())
        .map(str::to_lowercase)
        .collect();
    words
        .into_iter()
        .rev()
        .find(|w| w == &label.to_lowercase() || others.iter().any(|other| *w == other.to_lowercase()))
        .and_then(|word| {
            std::iter::once(label)
                .chain(others.iter().map(String::as_str))
                .find(|l| l.to_lowercase() == word)
        })
        .map(str::to_owned)
}

/// The query in an answer: after a final "Answer:", without a code fence; or the last line, below lines of reasoning.
fn bare_query(answer: &str) -> &str {
    let tail = answer
        .rsplit_once("Answer:")
        .map_or(answer, |(_, tail)| tail)
        .trim();
    let inner = tail
        .split_once("```")
        .map_or(tail, |(_, rest)| rest.split("```").next().unwrap_or(rest));
    let inner = inner.trim().strip_prefix("sql").unwrap_or(inner).trim();
    let query = |text: &str| {
        let word = text.split_whitespace().next().unwrap_or_default();
        ["select", "with"]
            .iter()
            .any(|first| word.eq_ignore_ascii_case(first))
    };
    match inner.rsplit_once('\n') {
        Some((reasoning, last)) if query(last) && !query(reasoning) => last.trim(),
        _ => inner,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn final_answers_are_read_as_people_write_them() {
        assert_eq!(last_number("The answer is $1,234."), Some(1234.0));
        assert_eq!(last_number("between 3-4"), Some(4.0));
        assert_eq!(last_number("-7 degrees"), Some(-7.0));
        assert_eq!(last_number("none"), None);
        let million = Item {
            id: 0,
            question: String::new(),
            truth: Truth::Number(3_500_000.0),
            solution: String::new(),
            concepts: Vec::new(),
        };
        let key = AnswerKey::default();
        assert!(
            key.agrees(&million, "3,500,000.00") && !key.agrees(&million, "3499999"),
            "large numbers exactly"
        );
        let others = ["no".to_owned(), "maybe".to_owned()];
        assert_eq!(
            stated_label("Answer: Yes.", "yes", &others).as_deref(),
            Some("yes")
        );
        assert_eq!(stated_label("not known", "yes", &others), None);
        assert_eq!(bare_query("…\nAnswer: ```sql\nSELECT 1\n```"), "SELECT 1");
        assert_eq!(bare_query("One row is asked for.\nSELECT 1"), "SELECT 1");
        assert_eq!(
            bare_query("SELECT 1\nUNION\nSELECT 2"),
            "SELECT 1\nUNION\nSELECT 2"
        );
    }
}
