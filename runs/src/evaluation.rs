//! What an evaluation came to: the journal's answers graded, as figures with intervals, as files and as text.
//!
//! ```text
//! result/evaluation.json   every figure, for programs and for `gristmill gate`
//! result/items.jsonl       the questions, with their right answers and the parts of the set that they belong to
//! result/answers.jsonl     every answer with its grade, its form and what it cost
//! result/evaluation.html   the same for people
//! result/gate.json         what the last gate said of it
//! votes.jsonl              what people said of answers side by side
//! ```

mod arena;
mod changes;
mod decided;
mod figures;
mod gate;
mod grading;
mod items;
mod page;
mod preferences;
mod students;
mod text;
mod votes;
pub(crate) mod words;

use std::io::BufRead;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use gristmill_coordinator::{Finished, SeedStore, Start, evaluation_plan};
use gristmill_domain::ledger::Account;
use gristmill_picture::evaluation::EvaluationPage;
use gristmill_ports::blob::Blobs;
use serde::de::DeserializeOwned;

pub use arena::{Arena, Asked, Contest, MODELS_MAX, Queue};
pub use decided::{StoredGate, read_gate, store_gate};
pub use figures::{Comparison, Evaluation, ModelFigures, ModelSpend};
pub use gate::{EvaluatedStudent, gate_inputs, stages};

pub use grading::{StoredAnswer, StoredChoice};
pub use items::StoredItem;
pub use preferences::{PairPreference, Preferences, preferences};
pub use students::students_against;
pub use text::told;
pub use votes::{Choice, StoredVotes, VOTES_FILE, Vote, answer_hash, read_votes, store_vote};

/// Folder of a result within the run's.
pub const RESULT_FOLDER: &str = "result";
/// The file of the figures.
pub const EVALUATION_FILE: &str = "evaluation.json";
/// The page of an evaluation.
pub const PAGE_FILE: &str = "evaluation.html";
const ITEMS_FILE: &str = "items.jsonl";
const ANSWERS_FILE: &str = "answers.jsonl";

/// Grades what an evaluation brought, and writes its result; what was there before is replaced whole.
///
/// # Errors
/// State that cannot be read, and a folder that cannot be written.
pub async fn evaluation(
    state: &dyn Blobs,
    target: &Path,
    start: &Start,
    seeds: &SeedStore,
    finished: &Finished,
    account: &Account,
) -> anyhow::Result<Evaluation> {
    let Some(evaluate) = &start.job.evaluate else {
        bail!(
            "run {} is no evaluation: its job has no section `evaluate`",
            start.run
        );
    };
    let setup = start.setup()?;
    let plan = evaluation_plan(&setup, evaluate, seeds)?;
    let part = target.with_extension("part");
    std::fs::create_dir_all(&part)
        .with_context(|| format!("the folder {} cannot be made", part.display()))?;
    let items = items::items(start, &plan, seeds)?;
    items::write(&part.join(ITEMS_FILE), &items)?;
    let asked = grading::Asked {
        start,
        plan: &plan,
        items: &items,
        seeds,
    };
    let graded = grading::grade(state, &asked, &part.join(ANSWERS_FILE)).await?;
    let evaluation = figures::of(&asked, graded, finished, account)?;
    let file = part.join(EVALUATION_FILE);
    std::fs::write(&file, serde_json::to_vec_pretty(&evaluation)?)
        .with_context(|| format!("{} cannot be written", file.display()))?;
    let wrong = page::some_wrong(&evaluation, lines(&part, ANSWERS_FILE)?)?;
    let html = page::page(&evaluation, &items, &wrong).html()?;
    let file = part.join(PAGE_FILE);
    std::fs::write(&file, html).with_context(|| format!("{} cannot be written", file.display()))?;
    replace(&part, target).with_context(|| format!("{} cannot be written", target.display()))?;
    Ok(evaluation)
}

/// What the page of a result shows, and its answers to vote on, by the folder of the result or of its run.
///
/// # Errors
/// A result that is missing or damaged.
pub fn read_result(path: &Path) -> anyhow::Result<(EvaluationPage, Arena)> {
    let evaluation = read_evaluation(path)?;
    let (items, answers) = (read_items(path)?, read_answers(path)?);
    let wrong = page::some_wrong(&evaluation, answers.iter().cloned().map(Ok))?;
    let page = page::page(&evaluation, &items, &wrong);
    Ok((page, Arena::of(evaluation, items, answers)))
}

/// Puts a folder in the place of another.
fn replace(part: &Path, target: &Path) -> std::io::Result<()> {
    if target.exists() {
        std::fs::remove_dir_all(target)?;
    }
    std::fs::rename(part, target)
}

/// Reads the figures of a result, by its folder, the folder of its run, or its file.
///
/// # Errors
/// A path that holds no result, and a file that is damaged or of a newer format.
pub fn read_evaluation(path: &Path) -> anyhow::Result<Evaluation> {
    let file = figures_file(path)?;
    let text = std::fs::read(&file).with_context(|| format!("{} cannot be read", file.display()))?;
    serde_json::from_slice(&text).with_context(|| format!("{} is damaged", file.display()))
}

/// Where the figures of a result lie; its other files lie beside them.
fn figures_file(path: &Path) -> anyhow::Result<PathBuf> {
    let candidates = [
        path.to_owned(),
        path.join(EVALUATION_FILE),
        path.join(RESULT_FOLDER).join(EVALUATION_FILE),
    ];
    match candidates.into_iter().find(|candidate| candidate.is_file()) {
        Some(file) => Ok(file),
        None => bail!(
            "{} holds no result of an evaluation: name the folder that `gristmill eval` wrote",
            path.display()
        ),
    }
}

/// Reads the answers of a result, those of each model in the order of the models.
///
/// # Errors
/// A file that is missing or damaged, with its line.
pub fn read_answers(path: &Path) -> anyhow::Result<Vec<StoredAnswer>> {
    read_lines(path, ANSWERS_FILE)
}

/// Reads the items of a result.
///
/// # Errors
/// A file that is missing or damaged, with its line.
pub fn read_items(path: &Path) -> anyhow::Result<Vec<StoredItem>> {
    read_lines(path, ITEMS_FILE)
}

fn read_lines<T: DeserializeOwned>(path: &Path, name: &str) -> anyhow::Result<Vec<T>> {
    lines(path, name)?.collect()
}

/// The lines of a result's file, one by one.
fn lines<T: DeserializeOwned>(
    path: &Path,
    name: &str,
) -> anyhow::Result<impl Iterator<Item = anyhow::Result<T>> + use<T>> {
    let file = figures_file(path)?.with_file_name(name);
    let opened = std::fs::File::open(&file).with_context(|| format!("{} cannot be read", file.display()))?;
    let lines = std::io::BufReader::new(opened).lines().enumerate();
    Ok(lines.map(move |(number, line)| {
        serde_json::from_str(&line?).with_context(|| format!("{}:{} is damaged", file.display(), number + 1))
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_from_beside_the_figures() {
        let folder = tempfile::tempdir().unwrap();
        let (own, inner) = (folder.path(), folder.path().join(RESULT_FOLDER));
        std::fs::create_dir(&inner).unwrap();
        for (place, number) in [(own, "1"), (&inner, "2")] {
            std::fs::write(place.join(ANSWERS_FILE), number).unwrap();
        }
        let read = |path: &Path| read_lines::<u64>(path, ANSWERS_FILE);
        assert!(read(own).unwrap_err().to_string().contains("holds no result"));
        std::fs::write(inner.join(EVALUATION_FILE), "{}").unwrap();
        assert_eq!(read(own).unwrap(), [2]);
        assert_eq!(read(&inner).unwrap(), [2]);
        std::fs::write(own.join(EVALUATION_FILE), "{}").unwrap();
        assert_eq!(read(own).unwrap(), [1]);
        assert_eq!(read(&own.join(EVALUATION_FILE)).unwrap(), [1]);
        assert_eq!(read(&inner).unwrap(), [2]);
    }
}
