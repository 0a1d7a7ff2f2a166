//! Held-out rows, asked of a loop's students.

use std::collections::HashSet;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use gristmill_dataset::{DatasetRow, Origin, Split, each_row};
use gristmill_domain::amount::{Limit, MicroUsd};
use gristmill_domain::dialogue::Speaker;
use gristmill_domain::id::ContentId;
use gristmill_domain::job::EvaluatedRole;
use gristmill_evaluation::{PairedComparison, Proportion};
use gristmill_improvement::{Cost, Student};
use gristmill_runs::RunFolder;
use gristmill_runs::evaluation::{Evaluation, StoredItem, read_answers, read_items};
use serde_json::json;

use crate::args::{AskingArgs, EvalArgs, FormatArg};
use crate::eval::EvalInputs;
use crate::failure::Failure;
use crate::view::View;
use crate::{diagnosis, eval};

/// How rows are asked, and where the answers go.
pub(super) struct Questions<'a> {
    pub(super) asking: &'a AskingArgs,
    /// Whether a judge grades, who costs money; students and validators cost none.
    pub(super) judged: bool,
    pub(super) out: PathBuf,
    pub(super) view: View,
}

/// A student on rows that decided nothing before.
pub(super) struct Tested {
    pub(super) evaluation: PathBuf,
    /// False where the job holds out no test rows, and validation rows were asked.
    pub(super) test: bool,
    pub(super) accuracy: Proportion,
    /// Against its base.
    pub(super) change: Option<PairedComparison>,
    pub(super) cost: Cost,
}

impl Questions<'_> {
    /// Asks a student, or the base, the validation rows of a run, for so much at most.
    pub(super) async fn validation(
        &self,
        run: &Path,
        student: &str,
        left: Limit,
    ) -> Result<Student, Failure> {
        let args = EvalArgs {
            validation: true,
            ..self.args(run, student, left)
        };
        let (evaluation, folder) = eval::evaluated(args, EvalInputs::default(), self.view.clone()).await?;
        Ok(Student {
            model: student.to_owned(),
            accuracy: accuracy(&evaluation, &folder)?,
            wrong: diagnosis::wrong(folder.root()).map_err(Failure::Input)?,
            cost: self.cost(&evaluation),
            evaluation: folder.root().to_owned(),
        })
    }

    /// Asks a student and its base the test rows of a run; the validation rows where it has none.
    pub(super) async fn test(&self, run: &Path, student: &Student, left: Limit) -> Result<Tested, Failure> {
        let manifest = RunFolder::open(run).and_then(|folder| folder.manifest());
        let manifest = manifest.map_err(Failure::Input)?.unwrap_or_default();
        let test = manifest["rows"]["test"].as_u64().is_some_and(|rows| rows > 0);
        let args = EvalArgs {
            validation: !test,
            no_base: false,
            ..self.args(run, &student.model, left)
        };
        let (evaluation, folder) = eval::evaluated(args, EvalInputs::default(), self.view.clone()).await?;
        let of_base = evaluation
            .comparisons
            .iter()
            .find(|comparison| comparison.role == EvaluatedRole::Base);
        Ok(Tested {
            test,
            accuracy: accuracy(&evaluation, &folder)?,
            change: of_base.and_then(|comparison| comparison.overall),
            cost: self.cost(&evaluation),
            evaluation: folder.root().to_owned(),
        })
    }

    /// Asks a student the new rows of a run, as they are put in its dataset, and writes those that it has right to `known`, by their ids. Returns how many
    /// these are.
    pub(super) async fn known(
        &self,
        run: &Path,
        (student, trained_on): (&str, &Path),
        known: &Path,
    ) -> Result<u64, Failure> {
        let rows = known.with_extension("asked.jsonl");
        let ids = write_questions(&run.join("dataset"), trained_on, &rows).map_err(Failure::Other)?;
        if ids.is_empty() {
            return Ok(0);
        }
        let asking = AskingArgs {
            formats: vec![FormatArg::Plain],
            questions: None,
            ..self.asking.clone()
        };
        let args = EvalArgs::of(run.to_owned(), student.to_owned(), asking, self.out.clone());
        let (_, folder) = eval::evaluated_on(args, &rows, ids.len() as u64, self.view.clone()).await?;
        let right = right_lines(folder.root()).map_err(Failure::Input)?;
        let right: Vec<&String> = right.iter().filter_map(|line| ids.get(line - 1)).collect();
        let text: String = right.iter().map(|id| format!("{id}\n")).collect();
        std::fs::write(known, text).with_context(|| format!("{} cannot be written", known.display()))?;
        Ok(right.len() as u64)
    }

    fn args(&self, run: &Path, student: &str, left: Limit) -> EvalArgs {
        let (asking, out) = (self.asking.clone(), self.out.clone());
        EvalArgs {
            budget: self.judged.then(|| budget(left)),
            ..EvalArgs::of(run.to_owned(), student.to_owned(), asking, out)
        }
    }

    /// What asking cost. Where no judge grades, all that answers is on this machine, and counts against no budget.
    fn cost(&self, evaluation: &Evaluation) -> Cost {
        match self.judged {
            false => Cost::default(),
            true => Cost {
                usd: MicroUsd(evaluation.spend.iter().map(|part| part.usd_micros).sum()),
                calls: evaluation.spend.iter().map(|part| part.calls).sum(),
            },
        }
    }
}

/// Writes a run's synthetic rows with a question and an answer as JSON lines, without those that the student was trained on already; returns their
/// ids, line by line.
fn write_questions(dataset: &Path, trained_on: &Path, file: &Path) -> anyhow::Result<Vec<String>> {
    let mut there = HashSet::new();
    each_row::<anyhow::Error>(trained_on, Split::Train, |row| {
        there.extend(said(&row).map(|(question, answer)| content(question, answer)));
        Ok(())
    })?;
    let mut ids = Vec::new();
    let created = File::create(file).with_context(|| format!("{} cannot be written", file.display()))?;
    let mut out = BufWriter::new(created);
    each_row::<anyhow::Error>(dataset, Split::Train, |row| {
        if let Some((question, answer)) = said(&row).filter(|_| row.provenance.origin == Origin::Synthetic)
            && there.insert(content(question, answer))
        {
            serde_json::to_writer(&mut out, &json!({"question": question, "answer": answer}))?;
            out.write_all(b"\n")?;
            ids.push(row.id.clone());
        }
        Ok(())
    })?;
    out.flush()?;
    Ok(ids)
}

/// A row's question and final answer: reasoning that is trained on stands before it.
fn said(row: &DatasetRow) -> Option<(&str, &str)> {
    let by = |speaker| row.messages.iter().find(|turn| turn.role == speaker);
    let (question, whole) = (&by(Speaker::User)?.content, &by(Speaker::Assistant)?.content);
    let reasoning = row.reasoning.as_deref().unwrap_or_default();
    Some((question, whole.strip_prefix(reasoning).unwrap_or(whole).trim()))
}

fn content(question: &str, answer: &str) -> ContentId {
    ContentId::of(&[question.as_bytes(), answer.as_bytes()])
}

/// Lines of the questions that were answered right, counted from 1.
fn right_lines(result: &Path) -> anyhow::Result<Vec<usize>> {
    let answers = read_answers(result)?.into_iter();
    let right: HashSet<String> = answers
        .filter(|answer| answer.graded.grade.is_correct())
        .map(|answer| answer.graded.item)
        .collect();
    let line = |item: StoredItem| {
        let (_, line) = item.place.rsplit_once(':')?;
        line.parse().ok().filter(|_| right.contains(&item.item))
    };
    Ok(read_items(result)?.into_iter().filter_map(line).collect())
}

/// A limit as `gristmill eval` takes it.
fn budget(limit: Limit) -> String {
    let usd = limit.usd.map(|usd| format!("{}usd", usd.as_usd()));
    let calls = limit.calls.map(|calls| format!("{calls}calls"));
    [usd, calls].into_iter().flatten().collect::<Vec<_>>().join(",")
}

fn accuracy(evaluation: &Evaluation, folder: &RunFolder) -> anyhow::Result<Proportion> {
    let student = evaluation.student().and_then(|model| model.scorecard.as_ref());
    let card = student.with_context(|| format!("no question was answered in {}", folder.root().display()))?;
    Ok(card.accuracy)
}
