//! Refuses to ask a student what it was trained on: its answers would show what it remembers, and not what it knows.

use std::path::{Path, PathBuf};

use gristmill_coordinator::evaluation_plan;
use gristmill_dataset::Split;
use gristmill_domain::job::{Evaluate, HeldOut};
use gristmill_lineage::{Error, LeakOptions, Question, leaks_of};
use gristmill_runs::Prepared;
use gristmill_students::Folder;

use crate::failure::Failure;
use crate::generation;
use crate::view::View;

/// What a leak calls a validation row.
const VALIDATION: &str = "validation";
const WAY_OUT: &str = "\na student that was trained on a question shows nothing by answering it: ask it the held-out rows of the dataset that it was \
                       trained on, or train it on a dataset without these rows (`gristmill decontaminate`)";

/// Refuses an evaluation of students that were trained on one of its questions, as far as this machine has their folders; test rows may not
/// have chosen their weights either. The students that a student was trained from count with it.
///
/// # Errors
/// The pairs of rows, and files of a student that cannot be read.
pub(super) async fn refuse_taught(prepared: &Prepared, view: &View) -> Result<(), Failure> {
    let Some(evaluate) = &prepared.start.job.evaluate else {
        return Ok(());
    };
    let students = students(evaluate, &prepared.start.base).map_err(Failure::Input)?;
    if students.is_empty() {
        return Ok(());
    }
    let questions = questions(prepared, evaluate).map_err(Failure::Input)?;
    let options = LeakOptions::same_question(&prepared.start.job.filter.decontaminate);
    let of_test = evaluate.split == HeldOut::Test;
    for student in students {
        let (folder, questions, options) = (student.clone(), questions.clone(), options.clone());
        let looked = generation::work(view.clone(), move |task| {
            let learned = folder.learned_rows().map_err(anyhow::Error::from)?;
            let Some(rows) = learned else { return Ok(false) };
            let rows = rows.map(|row| row.map_err(anyhow::Error::from));
            // Validation rows choose weights, and students are compared by them.
            let validation = |row: &anyhow::Result<(Split, _)>| matches!(row, Ok((Split::Validation, _)));
            let rows = rows.filter(|row| of_test || !validation(row));
            let named = folder.path().display().to_string();
            let mut leaks = leaks_of(rows, &named, &questions, &options, task)?;
            // Of what a trainer took, nobody knows who wrote it.
            let trained = leaks.pairs.iter_mut().filter(|pair| pair.kind != VALIDATION);
            trained.for_each(|pair| pair.kind = "training");
            Error::refuse_leaks(folder.path(), leaks, WAY_OUT)?;
            Ok(true)
        });
        if !looked.await? {
            view.warn(&format!(
                "the rows that {} was trained on are not there any more: whether it is asked one of them is not known",
                student.path().display()
            ));
        }
    }
    Ok(())
}

/// The questions that are asked.
fn questions(prepared: &Prepared, evaluate: &Evaluate) -> anyhow::Result<Vec<Question>> {
    let split = match evaluate.split {
        HeldOut::Test => Split::Test,
        HeldOut::Validation => Split::Validation,
    };
    let setup = prepared.start.setup()?;
    let plan = evaluation_plan(&setup, evaluate, &prepared.seeds)?;
    let question = |row: &u64| {
        let seed = prepared.seeds.read(*row)?;
        Ok(Question {
            split,
            place: seed.place.to_string(),
            question: seed.question,
        })
    };
    plan.rows.iter().map(question).collect()
}

/// The folders of the students that are asked, and of those that they were trained from, each once.
fn students(evaluate: &Evaluate, base: &Path) -> anyhow::Result<Vec<Folder>> {
    let mut found: Vec<Folder> = Vec::new();
    let models = evaluate
        .models
        .iter()
        .filter_map(|model| model.spec.local.as_ref());
    let named = models.flat_map(|local| {
        let name = PathBuf::from(&local.name);
        local.adapter.iter().cloned().chain([name]).collect::<Vec<_>>()
    });
    let mut open: Vec<PathBuf> = named.map(|path| base.join(path)).collect();
    while let Some(path) = open.pop() {
        let Some(folder) = Folder::holding(&path) else {
            continue;
        };
        if found.contains(&folder) {
            continue;
        }
        open.extend(folder.settings()?.map(|settings| settings.request.base));
        found.push(folder);
    }
    Ok(found)
}
