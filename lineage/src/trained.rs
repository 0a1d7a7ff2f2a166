//! Held-out rows in what a student is trained on, in a lineage or without one: those of a dataset before it is trained on, and the questions that
//! a student is asked, among the rows that it was trained on.

use std::path::Path;

use gristmill_dataset::{DatasetRow, Split, rows_of};
use gristmill_datasets::Task;
use gristmill_domain::dialogue::{Speaker, Turn};

use crate::checker::{Checker, LeakOptions, told};
use crate::error::Error;
use crate::folder::Lineage;
use crate::identity::content;
use crate::leaks::Leaks;
use crate::source::{Source, each_held_out};

/// Words of a held-out row that a row must share to be taken for it where only this refuses it. Real rows of one subject share half of their
/// words at times; whether a lineage takes such rows, its own check says.
const SAME_QUESTION: f64 = 0.8;

/// A question that a student is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AskedQuestion {
    /// What messages call it: its file and line.
    pub place: String,
    /// The question, without its passage.
    pub question: String,
}

impl LeakOptions {
    /// How rows are looked for that ask a held-out question again: by their origin, and by four fifths of its words.
    pub fn same_question() -> Self {
        Self {
            coverage: SAME_QUESTION,
            ..Self::default()
        }
    }
}

/// Refuses a dataset that must not be trained on: its files are not those that its manifest names, one of its training rows asks what a
/// held-out row asks or was made from one, or one of its validation rows does so of a test row.
///
/// # Errors
/// [`Error::Leaks`], [`Error::Damaged`], [`Error::Unusable`] for what is not a dataset, [`Error::Dataset`], [`Error::Io`], [`Error::Compare`].
pub fn check_dataset(dataset: &Path, task: &Task) -> Result<(), Error> {
    let options = LeakOptions::same_question();
    let source = [Source::open(dataset)?];
    let mut checker = Checker::open(&options, task, &mut |split, take| {
        each_held_out(&source, split, take)
    })?;
    let [source] = &source;
    let name = source.named.display().to_string();
    let (mut counter, mut read) = (task.counting("rows"), 0);
    source.each_trained(|split, row| {
        read += 1;
        checker.look(split, &row, content(split, &row), &name)?;
        counter.at(read, None)?;
        Ok(())
    })?;
    let (found, _) = checker.finish()?;
    Error::refuse_leaks(
        dataset,
        told(&found),
        "\na row serves one purpose: take it out of one of the two splits. `gristmill assemble RUN` writes a run's dataset as it was; where the \
         seeds hold the row twice, leave one out and make the run again",
    )
}

/// Looks for questions that a student is asked among the rows that it was trained on; `named` is what messages call these. Its validation rows
/// are looked at where they are given: they chose its weights.
///
/// # Errors
/// Rows that cannot be read ([`Error::Compare`]).
pub fn asked_leaks(
    trained: impl Iterator<Item = anyhow::Result<(Split, DatasetRow)>>,
    named: &str,
    (split, questions): (Split, &[AskedQuestion]),
    options: &LeakOptions,
    task: &Task,
) -> Result<Leaks, Error> {
    let mut checker = Checker::open(options, task, &mut |of, take| match of == split {
        true => questions
            .iter()
            .try_for_each(|asked| take(&row(asked), "the questions")),
        false => Ok(()),
    })?;
    let (mut counter, mut read) = (task.counting("rows"), 0);
    for row in trained {
        let (split, row) = row?;
        read += 1;
        checker.look(split, &row, content(split, &row), named)?;
        counter.at(read, None)?;
    }
    let (found, _) = checker.finish()?;
    Ok(told(&found))
}

impl Lineage {
    /// Looks for questions that a student is asked in the generation that it was trained on.
    ///
    /// # Errors
    /// [`Error::Unusable`] where there is no such generation, and rows that cannot be read.
    pub fn asked_leaks(
        &self,
        number: u32,
        questions: (Split, &[AskedQuestion]),
        options: &LeakOptions,
        task: &Task,
    ) -> Result<Leaks, Error> {
        let entry = self.entry(Some(number))?;
        let rows = rows_of(&self.dataset(entry.number), &Split::TRAINED)?;
        let rows = rows.map(|row| row.map_err(anyhow::Error::from));
        asked_leaks(rows, &format!("generation {number}"), questions, options, task)
    }
}

/// A question as the row that it is compared as.
fn row(asked: &AskedQuestion) -> DatasetRow {
    DatasetRow {
        id: asked.place.clone(),
        messages: vec![Turn::new(Speaker::User, asked.question.as_str())],
        tools: Vec::new(),
        rejected: None,
        reasoning: None,
        provenance: Default::default(),
    }
}
