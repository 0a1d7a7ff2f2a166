//! `generation.json`: what a generation is made of.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::rule::Rule;
use crate::stored;

/// A training set of a lineage: what it is made of, and how it was made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Generation {
    /// Version of this format.
    pub format: u32,
    /// Its number, from 1.
    pub number: u32,
    /// Hash of all that is said here, the hashes of its files included.
    pub hash: String,
    /// The generation that it follows.
    pub parent: Option<Parent>,
    /// How it was made.
    pub made: Made,
    /// The datasets that it was made from, besides its parent.
    pub datasets: Vec<DatasetRef>,
    /// Its real rows.
    pub anchor: Anchor,
    /// Its synthetic rows.
    pub synthetic: Synthetic,
    /// Most synthetic ancestors of any of its rows, itself included.
    pub depth: u8,
    /// A teacher of some of its rows is the student, or descends from it.
    pub self_improvement: bool,
    /// Validation rows.
    pub validation: u64,
    /// Test rows.
    pub test: u64,
    /// What may not be in it, with the rules of earlier generations.
    pub quarantine: Vec<Quarantine>,
    /// The ceiling on the synthetic share.
    pub ceiling: Ceiling,
    /// How held-out rows were looked for.
    pub leak_check: LeakCheck,
    /// What people should know of it.
    pub warnings: Vec<String>,
    /// Its files with their hashes, but for the card and the manifest.
    pub files: Vec<FileDigest>,
}

/// The generation that another follows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parent {
    /// Its number.
    pub number: u32,
    /// Its hash.
    pub hash: String,
}

/// How a generation was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Made {
    /// From datasets alone.
    First,
    /// Its parent's rows and those of datasets.
    Accumulate,
    /// Its parent's real rows, and the rows of datasets in place of its synthetic ones.
    Replace,
    /// Its parent's rows without those of some cause.
    Quarantine,
}

impl fmt::Display for Made {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::First => "first",
            Self::Accumulate => "accumulate",
            Self::Replace => "replace",
            Self::Quarantine => "quarantine",
        })
    }
}

/// A dataset that a generation was made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatasetRef {
    /// Its folder, as it was named.
    pub folder: PathBuf,
    /// BLAKE3 of its manifest; none where it has none.
    pub manifest: Option<String>,
    /// The run that made it.
    pub run: Option<String>,
    /// Real training rows.
    pub real: u64,
    /// Synthetic rows.
    pub synthetic: u64,
}

/// The real rows of a generation. They are in every later generation, too.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Anchor {
    /// Different rows.
    pub rows: u64,
    /// Rows with all their repetitions, as they are trained on.
    pub with_repeats: u64,
    /// Hash over the content hashes of the rows, which are in `rows.csv`.
    pub digest: String,
    /// Rows that no earlier generation has.
    pub added: u64,
    /// Rows of the parent that none of the datasets has.
    pub carried: u64,
    /// Files that hold them, beside synthetic rows.
    pub files: Vec<FileDigest>,
}

/// The synthetic rows of a generation.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Synthetic {
    /// Rows.
    pub rows: u64,
    /// Their share of all training rows.
    pub share: f64,
    /// Rows by the generation in which they entered the lineage.
    pub by_generation: BTreeMap<u32, u64>,
    /// Rows by who made them.
    pub by_teacher: Vec<ByTeacher>,
    /// Rows that are the same as another, and are in it once.
    pub duplicates: u64,
}

/// Rows of one teacher.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ByTeacher {
    /// Its name.
    pub teacher: String,
    /// The exact model that answered.
    pub version: String,
    /// Rows.
    pub rows: u64,
}

/// A rule by which rows may not be in a generation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quarantine {
    /// The rule, as it is written on the command line.
    pub rule: String,
    /// Why.
    pub cause: String,
    /// The generation that it came with; it holds for all later ones.
    pub since: u32,
    /// Rows that it kept out of this generation.
    pub rows: u64,
}

/// What the ceiling on the synthetic share came to.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Ceiling {
    /// Largest share of synthetic rows, 0 to 1.
    pub max_synthetic_share: f64,
    /// Synthetic rows that were left out.
    pub left_out: u64,
    /// The same by concept; rows without one are under the empty name.
    pub by_concept: BTreeMap<String, u64>,
    /// Synthetic rows that could be added before the ceiling is reached.
    pub room: u64,
}

/// How held-out rows were looked for.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct LeakCheck {
    /// Words of a compared sequence.
    pub ngram: u32,
    /// Share of a held-out row that shared sequences must cover.
    pub coverage: f64,
    /// The embedding model; without one, nothing was compared by meaning.
    pub embedder: Option<String>,
    /// Cosine from which a synthetic row counts as a held-out one.
    pub cosine: Option<f64>,
    /// The same of a real row.
    pub cosine_real: Option<f64>,
}

/// A file by its hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileDigest {
    /// Path in the dataset's folder, with `/`.
    pub path: String,
    /// SHA-256 in lower-case hexadecimal.
    pub sha256: String,
}

impl ByTeacher {
    /// What stands for a name that rows do not have.
    pub(crate) const UNKNOWN: &'static str = "unknown";

    /// The rule of quarantine that names these rows, where one does: none names rows of a teacher that they do not name.
    pub(crate) fn rule(&self) -> Option<Rule> {
        let Self { teacher, version, .. } = self;
        match (teacher.as_str(), version.as_str()) {
            (Self::UNKNOWN, _) => None,
            (_, Self::UNKNOWN) => Some(Rule::Teacher(teacher.clone())),
            _ => Some(Rule::Teacher(format!("{teacher}@{version}"))),
        }
    }
}

impl Generation {
    /// The format that this program writes.
    pub(crate) const FORMAT: u32 = 1;
    /// Its name in the generation's folder.
    pub(crate) const NAME: &'static str = "generation.json";

    /// The hash of all that it says.
    pub(crate) fn hash_of(&self) -> String {
        let unnamed = Self {
            hash: String::new(),
            ..self.clone()
        };
        // A struct of these members is always JSON.
        let text = serde_json::to_vec(&unnamed).unwrap_or_default();
        blake3::hash(&text).to_hex().to_string()
    }

    /// Whether another is the same, whatever its datasets' folders are called from where it was made.
    pub(crate) fn is_again(&self, other: &Self) -> bool {
        let nameless = |generation: &Self| {
            let mut nameless = generation.clone();
            nameless.hash.clear();
            for dataset in &mut nameless.datasets {
                dataset.folder = PathBuf::new();
            }
            nameless
        };
        nameless(self) == nameless(other)
    }

    /// Reads what a generation's folder says of it.
    pub(crate) fn read(folder: &Path) -> Result<Self, Error> {
        stored::read(&folder.join(Self::NAME), Self::FORMAT)
    }

    /// Training rows.
    pub fn rows(&self) -> u64 {
        self.anchor.with_repeats + self.synthetic.rows
    }
}
