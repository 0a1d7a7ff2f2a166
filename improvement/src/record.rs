//! What a loop has done, as the file `loop.json` that it goes on from.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use gristmill_domain::amount::Limit;
use gristmill_evaluation::{PairedComparison, PointsPerUnit, Proportion};
use gristmill_proto::FormatVersion;
use serde::{Deserialize, Serialize};

use crate::cost::Cost;
use crate::error::Error;

/// The file in a loop's folder.
const FILE: &str = "loop.json";

/// What a loop has done so far.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Version of this format.
    pub format: FormatVersion<1>,
    /// What the loop began with.
    pub settings: Settings,
    /// The base before any training; `None` until it was asked.
    pub base: Option<Student>,
    /// The generations that are done, in their order.
    pub generations: Vec<Generation>,
    /// What the generation under way may do.
    pub granted: Option<Grant>,
    /// What asking test rows has cost.
    pub tested: Cost,
    /// The last result on test rows.
    pub headline: Option<Headline>,
}

/// What stays the same from a loop's first generation to its last. Its budget and what ends it may change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// Hash of the job, without its budget.
    pub job: String,
    /// Hash of the training's settings.
    pub training: String,
    /// The model that each training begins with.
    pub base: String,
    /// Hash of how validation rows are asked.
    pub asking: String,
}

/// A model that was asked the validation rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Student {
    /// The folder of the student; of the base, its name.
    pub model: String,
    /// The folder of the evaluation's run.
    pub evaluation: PathBuf,
    /// Its accuracy.
    pub accuracy: Proportion,
    /// Questions that it has wrong: no more than half of the answers to one are right.
    pub wrong: u64,
    /// What asking and grading cost.
    pub cost: Cost,
}

/// What a generation may do; stored before it begins, so that a loop that was stopped goes on with the same.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Grant {
    /// Number of the generation, from 1.
    pub generation: u32,
    /// What its rows may cost.
    pub limit: Limit,
    /// What its rows are about; empty for the first generation, and where wrong answers name no concept.
    pub aims: Vec<Aim>,
    /// Documents that its rows are about; empty for those of the job.
    pub documents: Vec<String>,
    /// Teachers that were shown to be behind wrong rows, and make none any more.
    pub without_teachers: Vec<String>,
    /// The file with the rows that are taken out, where there are any.
    pub quarantine: Option<PathBuf>,
}

/// A concept that rows are made for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Aim {
    /// Its name.
    pub concept: String,
    /// Questions about it that the student has wrong.
    pub wrong: u64,
    /// Real training rows that it has.
    pub real: u64,
    /// Rows to make.
    pub wanted: u64,
}

/// A generation that is done: its rows are made, and its student is trained and evaluated.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Generation {
    /// What it was allowed to do.
    pub grant: Grant,
    /// The folder of the run that made its rows.
    pub run: PathBuf,
    /// Rows that the run accepted.
    pub accepted: u64,
    /// Of these, rows that were left out because the student before had them right.
    pub known: u64,
    /// Training rows of the generation: real ones, and synthetic ones.
    pub real: u64,
    /// See `real`.
    pub synthetic: u64,
    /// Synthetic rows that could be added before the ceiling on their share is reached.
    pub room: u64,
    /// What it cost.
    pub costs: Costs,
    /// Its student.
    pub student: Student,
    /// The student against the best one before it, or the base, on the same validation rows.
    pub change: Option<PairedComparison>,
}

/// What a generation cost besides asking its student.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Costs {
    /// Making rows.
    pub rows: Cost,
    /// Training, at the price of the machine.
    pub training: Cost,
}

impl Generation {
    /// All that it cost.
    pub fn cost(&self) -> Cost {
        self.costs.rows + self.measuring()
    }

    /// What training and asking a student cost, however many rows were made.
    pub fn measuring(&self) -> Cost {
        self.costs.training + self.student.cost
    }
}

/// The best student on rows that decided nothing before.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Headline {
    /// Its generation.
    pub generation: u32,
    /// The folder of the evaluation's run.
    pub evaluation: PathBuf,
    /// Whether test rows were asked; a job that holds none out has validation rows only, which the loop has aimed at.
    pub test: bool,
    /// Its accuracy.
    pub accuracy: Proportion,
    /// The student against its base.
    pub change: Option<PairedComparison>,
    /// What the loop had cost by then, this evaluation included.
    pub cost: Cost,
    /// Points of accuracy above the base for each unit of the cost; `None` where there is no change to tell, or the cost is under
    /// [`PointsPerUnit::UNITS_MIN`].
    pub earned: Option<PointsPerUnit>,
    /// The unit: `dollar`, or `thousand calls` where nothing cost money.
    pub unit: String,
}

impl Record {
    /// A loop that has done nothing.
    pub fn new(settings: Settings) -> Self {
        Self {
            format: FormatVersion,
            settings,
            base: None,
            generations: Vec::new(),
            granted: None,
            tested: Cost::default(),
            headline: None,
        }
    }

    /// Reads the record in a loop's folder, of a loop that began with the same settings; a new one where there is none.
    ///
    /// # Errors
    /// A file that cannot be read, and [`Error::Other`] for one of a loop with other settings.
    pub fn open(folder: &Path, settings: Settings) -> Result<Self, Error> {
        let path = folder.join(FILE);
        let text = match std::fs::read(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self::new(settings)),
            read => read.map_err(Error::io(&path))?,
        };
        let record: Self = serde_json::from_slice(&text).map_err(|error| Error::Damaged {
            path,
            reason: error.to_string(),
        })?;
        let (there, given) = (&record.settings, &settings);
        let differs = [
            ("job (the file, or `--set`)", there.job != given.job),
            (
                "training (`--recipe`, `--train`)",
                there.training != given.training,
            ),
            ("base model", there.base != given.base),
            (
                "way of asking (`--formats`, `--questions`, `--max-tokens`, `--only-unknown`)",
                there.asking != given.asking,
            ),
        ];
        match differs.into_iter().find(|(_, differs)| *differs) {
            Some((what, _)) => Err(Error::Other {
                folder: folder.to_owned(),
                what,
            }),
            None => Ok(record),
        }
    }

    /// Writes the record; it is replaced whole, or stays as it was.
    ///
    /// # Errors
    /// A folder that cannot be written.
    pub fn write(&self, folder: &Path) -> Result<(), Error> {
        let path = folder.join(FILE);
        let part = folder.join("loop.json.part");
        let write = || -> std::io::Result<()> {
            std::fs::create_dir_all(folder)?;
            let mut file = File::create(&part)?;
            file.write_all(&serde_json::to_vec_pretty(self)?)?;
            file.sync_all()?;
            std::fs::rename(&part, &path)?;
            File::open(folder)?.sync_all()
        };
        write().map_err(Error::io(&path))
    }

    /// What all that is done cost, asking the base and test rows included. A generation under way is not in it.
    pub fn used(&self) -> Cost {
        let base = self.base.as_ref().map_or_else(Cost::default, |base| base.cost);
        let made: Cost = self.generations.iter().map(Generation::cost).sum();
        base + made + self.tested
    }

    /// The generation with the most accurate student on validation rows; the earliest of equals.
    pub fn best(&self) -> Option<&Generation> {
        let value = |generation: &Generation| generation.student.accuracy.value;
        let of = self.generations.iter();
        of.reduce(|best, next| if value(next) > value(best) { next } else { best })
    }

    /// The student that the next one is held against: the best so far, or the base.
    pub fn standard(&self) -> Option<&Student> {
        self.best()
            .map(|generation| &generation.student)
            .or(self.base.as_ref())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use gristmill_domain::stats::{Z_95, wilson};

    use super::*;

    pub(crate) fn settings() -> Settings {
        Settings {
            job: "a".into(),
            training: "b".into(),
            base: "small".into(),
            asking: "c".into(),
        }
    }

    pub(crate) fn student(right: u64, of: u64) -> Student {
        Student {
            model: "student".into(),
            evaluation: "evaluations/1".into(),
            accuracy: Proportion {
                count: right,
                of,
                clusters: of,
                effective: of as f64,
                value: right as f64 / of as f64,
                interval: wilson(right, of, Z_95).unwrap(),
            },
            wrong: of - right,
            cost: Cost::default(),
        }
    }

    #[test]
    fn a_record_is_read_as_it_was_written_and_by_its_own_loop_alone() {
        let folder = tempfile::tempdir().unwrap();
        let mut record = Record::open(folder.path(), settings()).unwrap();
        record.base = Some(student(3, 10));
        record.write(folder.path()).unwrap();
        assert_eq!(Record::open(folder.path(), settings()).unwrap(), record);
        let other = Settings {
            training: "z".into(),
            ..settings()
        };
        let error = Record::open(folder.path(), other).unwrap_err().to_string();
        assert!(
            error.contains("another training") && error.contains("--out"),
            "{error}"
        );
        std::fs::write(folder.path().join(FILE), "{").unwrap();
        let error = Record::open(folder.path(), settings()).unwrap_err().to_string();
        assert!(error.contains("is damaged"), "{error}");
    }
}
