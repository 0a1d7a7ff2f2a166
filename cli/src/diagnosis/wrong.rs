//! The wrong answers of a result, and the dataset that they are held against.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};
use gristmill_diagnosis::Question;
use gristmill_domain::job::{HeldOut, Job};
use gristmill_domain::near::nearest;
use gristmill_domain::words::many;
use gristmill_lineage::{Lineage, LineageFile};
use gristmill_runs::evaluation::{
    Evaluation, RESULT_FOLDER, StoredItem, read_answers, read_evaluation, read_items,
};
use gristmill_runs::{Manifest, RunFolder};

/// A result of one model.
pub(super) struct WrongAnswers {
    /// The result, as it was named.
    pub(super) named: PathBuf,
    /// The model.
    pub(super) model: String,
    /// Questions that it was asked.
    pub(super) asked: u64,
    evaluation: Evaluation,
    items: Vec<StoredItem>,
    /// By item: its answers, how many of them are right, and the wrong ones.
    answers: HashMap<String, (usize, usize, Vec<String>)>,
}

impl WrongAnswers {
    /// Reads a result.
    pub(super) fn read(result: &Path, model: Option<&str>) -> anyhow::Result<Self> {
        let evaluation = read_evaluation(result)?;
        let model = chosen(&evaluation, model)?;
        let mut answers: HashMap<String, (usize, usize, Vec<String>)> = HashMap::new();
        for answer in read_answers(result)?
            .into_iter()
            .filter(|answer| answer.model == model)
        {
            let (all, right, wrong) = answers.entry(answer.graded.item.clone()).or_default();
            *all += 1;
            match answer.graded.grade.is_correct() {
                true => *right += 1,
                false if wrong.contains(&answer.reply) => {}
                false => wrong.push(answer.reply),
            }
        }
        let items = read_items(result)?;
        let asked = items
            .iter()
            .filter(|item| answers.contains_key(&item.item))
            .count() as u64;
        if asked == 0 {
            bail!("`{model}` answered no question of {}", result.display());
        }
        Ok(Self {
            named: result.to_owned(),
            model,
            asked,
            evaluation,
            items,
            answers,
        })
    }

    /// What to know where replies were cut off: what is called wrong may only be unfinished.
    pub(super) fn cut(&self) -> Option<String> {
        let mut models = self.evaluation.models.iter();
        let cut = models.find(|figures| figures.model == self.model)?.cut;
        (cut > 0).then(|| {
            format!(
                "{} of `{}` cut off at the most tokens allowed: what is called wrong may only be unfinished. Evaluate again with a larger \
                 `--max-tokens`",
                many(cut, "answer"),
                self.model
            )
        })
    }

    /// All items that were answered. Those are wrong of which no more than half of the answers are right.
    pub(super) fn all(&self) -> Vec<Question> {
        let of = |item: &StoredItem| {
            let (all, right, _) = self.answers.get(&item.item)?;
            Some(Question {
                wrong: 2 * right <= *all,
                ..self.question(item)
            })
        };
        self.items.iter().filter_map(of).collect()
    }

    /// An item by its id or first digits.
    pub(super) fn one(&self, digits: &str) -> anyhow::Result<Question> {
        let answered = self
            .items
            .iter()
            .filter(|item| self.answers.contains_key(&item.item));
        let id = by_digits(answered.map(|item| item.item.as_str()), digits)?;
        let item = self.items.iter().find(|item| item.item == id);
        let item = item.ok_or_else(|| anyhow!("the result has no item `{id}`"))?;
        if let Some((all, right, _)) = self.answers.get(id)
            && all == right
        {
            bail!(
                "`{}` answered item {id} right in {}: there is nothing to explain",
                self.model,
                match all {
                    1 => "its only format".to_owned(),
                    formats => format!("all of its {formats} formats"),
                }
            );
        }
        Ok(self.question(item))
    }

    fn question(&self, item: &StoredItem) -> Question {
        let replies = self.answers.get(&item.item);
        Question {
            item: item.item.clone(),
            question: item.question.clone(),
            references: match item.references.is_empty() {
                true => vec![item.answer.clone()],
                false => item.references.clone(),
            },
            replies: replies.map(|(_, _, wrong)| wrong.clone()).unwrap_or_default(),
            concepts: item.concepts.clone(),
            wrong: true,
        }
    }

    /// Refuses a result on test rows.
    pub(super) fn refuse_test(&self) -> anyhow::Result<()> {
        match self.evaluation.split {
            HeldOut::Validation => Ok(()),
            HeldOut::Test => bail!(
                "{} was asked test rows, which only a gate may decide by: a job made from their errors would spoil them\n\
                 help: evaluate on validation rows first (`evaluate.split: validation`), and mend that result; `gristmill trace --eval` works on both",
                self.named.display()
            ),
        }
    }
}

/// The model whose answers are looked at.
fn chosen(evaluation: &Evaluation, named: Option<&str>) -> anyhow::Result<String> {
    let names = || evaluation.models.iter().map(|model| model.model.as_str());
    let list = || {
        names()
            .map(|name| format!("`{name}`"))
            .collect::<Vec<_>>()
            .join(", ")
    };
    match named {
        Some(name) if names().any(|other| other == name) => Ok(name.to_owned()),
        Some(name) => bail!(
            "the result has no model `{name}`{}: it has {}",
            nearest(name, names()).map_or_else(String::new, |near| format!(" (`{near}` is like it)")),
            list()
        ),
        None => match evaluation.student() {
            Some(student) => Ok(student.model.clone()),
            None => bail!(
                "no model of the result is the student: name one with `--model`: {}",
                list()
            ),
        },
    }
}

/// What the student was trained on.
pub(super) struct Trained {
    /// The dataset's folder.
    pub(super) folder: PathBuf,
    /// The manifest of the run that made it; `None` for a dataset of another kind, such as a generation's.
    pub(super) manifest: Option<Manifest>,
    /// The job that its manifest holds; a generation's, too, holds one.
    pub(super) job: Option<Job>,
    /// Where it is a generation of a lineage: synthetic rows that may be added to the newest one.
    pub(super) room: Option<u64>,
    /// The job of the run that asked.
    asked_by: Option<Job>,
}

impl Trained {
    /// The dataset that is named, or that the questions came from.
    pub(super) fn find(named: Option<&Path>, answers: &WrongAnswers) -> anyhow::Result<Self> {
        let asking = RunFolder::of_result(&answers.named);
        let folder = match named {
            Some(named) => dataset_in(named).with_context(|| {
                format!(
                    "{} holds no dataset: name a run's folder, or a folder with `data/train-….parquet`",
                    named.display()
                )
            })?,
            None => {
                let of = Path::new(&answers.evaluation.of);
                let beside = asking.as_ref().and_then(|run| run.root().parent());
                let beside = beside.map(|runs| runs.join(of));
                let found = [Some(of.to_owned()), beside].into_iter().flatten();
                let found = found.filter_map(|folder| dataset_in(&folder)).next();
                found.ok_or_else(|| {
                    anyhow!(
                        "the questions came from {}, beside which there is no dataset: name what the student was trained on with `--dataset`",
                        answers.evaluation.of
                    )
                })?
            }
        };
        let manifest = std::fs::read(folder.join("manifest.json")).unwrap_or_default();
        let (manifest, job) = said_by(&manifest);
        Ok(Self {
            manifest,
            job,
            room: room(&folder)?,
            asked_by: asking.and_then(|run| run.start().ok()).map(|start| start.job),
            folder,
        })
    }

    /// The job that says how answers are compared, and which concepts there are: the dataset's, or else the evaluation's.
    pub(super) fn judged_by(&self) -> Option<&Job> {
        self.job.as_ref().or(self.asked_by.as_ref())
    }
}

/// The room for synthetic rows in the lineage that a dataset is a generation of; `None` for any other dataset.
fn room(folder: &Path) -> anyhow::Result<Option<u64>> {
    // `LINEAGE/generations/NUMBER`
    let number = folder
        .file_name()
        .and_then(|name| name.to_str()?.parse::<u32>().ok());
    let lineage = folder.parent().and_then(Path::parent);
    let Some((lineage, _)) = lineage.zip(number).filter(|(lineage, _)| is_lineage(lineage)) else {
        return Ok(None);
    };
    Ok(Some(Lineage::open(lineage)?.generation(None)?.ceiling.room))
}

fn is_lineage(folder: &Path) -> bool {
    folder.join(LineageFile::NAME).is_file()
}

/// What the text of a manifest says: all of it where it is a run's, and the job.
fn said_by(text: &[u8]) -> (Option<Manifest>, Option<Job>) {
    if let Ok(manifest) = serde_json::from_slice::<Manifest>(text) {
        let job = manifest.job.clone();
        return (Some(manifest), Some(job));
    }
    let other: serde_json::Value = serde_json::from_slice(text).unwrap_or_default();
    let job = other.get("job").cloned();
    (None, job.and_then(|job| serde_json::from_value(job).ok()))
}

/// The dataset in a run's folder, or in the folder itself.
fn dataset_in(folder: &Path) -> Option<PathBuf> {
    let candidates = [folder.join("dataset"), folder.to_owned()];
    let is_one = |folder: &PathBuf| folder.join("data").is_dir() && !folder.join(RESULT_FOLDER).is_dir();
    candidates.into_iter().find(is_one)
}

/// Names something by its first digits.
fn by_digits<'a>(all: impl Iterator<Item = &'a str>, digits: &str) -> anyhow::Result<&'a str> {
    let mut found: Vec<&str> = all.filter(|id| id.starts_with(digits)).collect();
    found.sort_unstable();
    found.dedup();
    match found.as_slice() {
        [one] => Ok(one),
        [] => bail!(
            "the result has no item `{digits}`: `gristmill trace --eval RESULT --all` lists the wrong answers"
        ),
        several => {
            let exact = several.iter().find(|id| **id == digits);
            match exact {
                Some(one) => Ok(one),
                None => bail!(
                    "{} items begin with `{digits}`: {}{}; give more digits",
                    several.len(),
                    several.iter().take(5).copied().collect::<Vec<_>>().join(", "),
                    if several.len() > 5 { " …" } else { "" }
                ),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generation_holds_a_job() {
        let text = br#"{"format": 1, "generation": 2, "job": {"seeds": {"path": "seeds.jsonl"}, "budget": {"usd": 5},
            "teacher": [{"base_url": "http://a/v1", "model": "a"}]}}"#;
        let (manifest, job) = said_by(text);
        assert!(manifest.is_none());
        assert_eq!(job.unwrap().teacher.len(), 1);
        for none in [&b""[..], b"{", br#"{"format": 1, "generation": 2, "job": null}"#] {
            assert!(said_by(none).1.is_none());
        }
    }

    #[test]
    fn items_are_named_by_their_first_digits() {
        let all = ["ab12", "ab34", "cd", "cde"];
        let named = |digits: &str| by_digits(all.into_iter(), digits).map_err(|error| error.to_string());
        assert_eq!(named("ab1"), Ok("ab12"));
        assert_eq!(named("cd"), Ok("cd"));
        assert!(named("ab").unwrap_err().contains("ab12, ab34"));
        assert!(named("x").unwrap_err().contains("no item `x`"));
    }
}
