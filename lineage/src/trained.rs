//! Held-out rows in what a student is trained on, in a lineage or without one: those of a dataset before it is trained on, and the questions that
//! a student is asked, among the rows that it was trained on.

use std::path::Path;

use gristmill_dataset::{DatasetRow, Split, rows_of};
use gristmill_datasets::Task;
use gristmill_domain::dialogue::{Speaker, Turn};
use gristmill_domain::job::Decontaminate;

use crate::checker::{Checker, LeakOptions, told};
use crate::error::Error;
use crate::folder::Lineage;
use crate::identity::content;
use crate::leaks::Leaks;
use crate::source::{Source, each_held_out};

/// A real question with what it serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// Its split.
    pub split: Split,
    /// What messages call it: its file and line.
    pub place: String,
    /// The question, without its passage.
    pub question: String,
}

impl LeakOptions {
    /// How rows are looked for that ask a held-out question again: by their origin, and by its words ([`Decontaminate::same_question`]). Whether a
    /// lineage takes rows that share fewer, its own check says.
    pub fn same_question(job: &Decontaminate) -> Self {
        let Decontaminate { ngram, coverage, .. } = job.same_question();
        Self {
            ngram,
            coverage,
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
    let source = [Source::open(dataset)?];
    let [of] = &source;
    let options = LeakOptions::same_question(&of.said.decontaminate());
    let mut checker = Checker::open(&options, task, &mut |split, take| {
        each_held_out(&source, split, take)
    })?;
    let name = of.named.display().to_string();
    let (mut counter, mut read) = (task.counting("rows"), 0);
    of.each_trained(|split, row| {
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
         seeds hold the row twice, leave one out and make the run again. Where the two ask different things, a higher \
         `filter.decontaminate.coverage` in the job tells them apart",
    )
}

/// Looks for held-out questions among the rows that a student is trained on; `named` is what messages call these. Validation rows among them are
/// looked at as well: they choose its weights. Held-out validation questions are compared with test questions.
///
/// # Errors
/// Rows that cannot be read ([`Error::Compare`]).
pub fn leaks_of(
    trained: impl Iterator<Item = anyhow::Result<(Split, DatasetRow)>>,
    named: &str,
    held_out: &[Question],
    options: &LeakOptions,
    task: &Task,
) -> Result<Leaks, Error> {
    let mut checker = Checker::open(options, task, &mut |split, take| {
        let mut of_split = held_out.iter().filter(|question| question.split == split);
        of_split.try_for_each(|question| take(&question.row(), named))
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
        questions: &[Question],
        options: &LeakOptions,
        task: &Task,
    ) -> Result<Leaks, Error> {
        let entry = self.entry(Some(number))?;
        let rows = rows_of(&self.dataset(entry.number), &Split::TRAINED)?;
        let rows = rows.map(|row| row.map_err(anyhow::Error::from));
        leaks_of(rows, &format!("generation {number}"), questions, options, task)
    }
}

impl Question {
    /// The row that it is compared as.
    pub fn row(&self) -> DatasetRow {
        DatasetRow {
            id: self.place.clone(),
            messages: vec![Turn::new(Speaker::User, self.question.as_str())],
            tools: Vec::new(),
            rejected: None,
            reasoning: None,
            provenance: Default::default(),
        }
    }
}
