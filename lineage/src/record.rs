//! `lineage.json`: what holds for all generations of a lineage, and which there are.

use std::path::Path;

use gristmill_dataset::{Layout, Split};
use gristmill_domain::id::ContentId;
use gristmill_domain::job::Anchor;
use serde::{Deserialize, Serialize};

use crate::digest;
use crate::error::Error;
use crate::generation::{FileDigest, Made};
use crate::stored;

/// What holds for all generations of a lineage, and which there are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LineageFile {
    /// Version of this format.
    pub format: u32,
    /// Settings in force.
    pub settings: Settings,
    /// Rows that the student is measured on while it is trained, and to choose between students.
    pub validation: Locked,
    /// Rows that the gate alone reads.
    pub test: Locked,
    /// The generations, the first one first.
    pub generations: Vec<Entry>,
}

/// Settings of a lineage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// Largest share of synthetic rows in a generation, 0 to 1.
    pub max_synthetic_share: f64,
    /// Most synthetic ancestors of a row, itself included.
    pub max_depth: u8,
    /// Columns for trainers.
    pub layout: Layout,
    /// Seed of the sample that the ceiling asks for.
    pub seed: u64,
}

impl Default for Settings {
    fn default() -> Self {
        let anchor = Anchor::default();
        Self {
            max_synthetic_share: anchor.max_synthetic_share,
            max_depth: anchor.max_depth,
            layout: Layout::default(),
            seed: 0,
        }
    }
}

/// Held-out rows that never change.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Locked {
    /// Rows.
    pub rows: u64,
    /// Hash over their content hashes.
    pub digest: String,
    /// The files of the first generation that hold them.
    pub files: Vec<FileDigest>,
    /// Content hash of each row, rising.
    pub hashes: Vec<ContentId>,
}

impl Locked {
    /// Locks rows.
    pub(crate) fn new(mut hashes: Vec<ContentId>, files: Vec<FileDigest>) -> Self {
        hashes.sort_unstable();
        Self {
            rows: hashes.len() as u64,
            digest: digest::of_rows(hashes.iter().copied()),
            files,
            hashes,
        }
    }
}

/// A generation of a lineage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its number, from 1; its folder is `generations/NUMBER`.
    pub number: u32,
    /// Its hash, as its `generation.json` states it.
    pub hash: String,
    /// BLAKE3 of its `manifest.json`, by which a student names the dataset that it was trained on.
    pub manifest: String,
    /// How it was made.
    pub made: Made,
}

impl LineageFile {
    /// The format that this program writes.
    pub(crate) const FORMAT: u32 = 1;
    /// Its name in the lineage's folder.
    pub const NAME: &'static str = "lineage.json";

    /// Reads a lineage's file; `None` where there is none.
    pub(crate) fn read(folder: &Path) -> Result<Option<Self>, Error> {
        let path = folder.join(Self::NAME);
        if !path.exists() {
            return Ok(None);
        }
        stored::read(&path, Self::FORMAT).map(Some)
    }

    /// The locked rows of a split that is held out.
    pub(crate) fn locked(&self, split: Split) -> &Locked {
        match split {
            Split::Test => &self.test,
            _ => &self.validation,
        }
    }

    /// Replaces the lineage's file in one step, safe against a power cut.
    pub(crate) fn write(&self, folder: &Path) -> Result<(), Error> {
        let path = folder.join(Self::NAME);
        let part = folder.join(format!(".{}.part", Self::NAME));
        let written = || -> std::io::Result<()> {
            let mut text = serde_json::to_vec_pretty(self)?;
            text.push(b'\n');
            std::fs::write(&part, text)?;
            std::fs::File::open(&part)?.sync_all()?;
            std::fs::rename(&part, &path)?;
            std::fs::File::open(folder)?.sync_all()
        };
        written().map_err(Error::io(&path))
    }
}
