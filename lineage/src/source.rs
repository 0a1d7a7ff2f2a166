//! A dataset that a generation is made from: where it is, what its manifest says, and whether its files are as they were written.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use gristmill_dataset::{DatasetRow, Layout, Split, dataset_folder, each_row};
use gristmill_domain::job::Decontaminate;
use serde::Deserialize;

use crate::digest;
use crate::error::Error;
use crate::generation::Generation;

/// Takes a held-out row, with the dataset that it is from.
pub(crate) type TakeHeldOut<'a> = dyn FnMut(&DatasetRow, &str) -> Result<(), Error> + 'a;

/// A dataset that a generation is made from.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    /// Its folder, as it was named.
    pub(crate) named: PathBuf,
    /// The folder that holds `data/`.
    pub(crate) folder: PathBuf,
    /// BLAKE3 of its manifest.
    pub(crate) manifest: Option<String>,
    /// What its manifest says.
    pub(crate) said: Said,
    /// The job that it was made by, as its manifest holds it.
    pub(crate) job: Option<serde_json::Value>,
    /// It is the generation before, not a new dataset.
    pub(crate) is_parent: bool,
}

/// What the manifest of a run's dataset, or of a generation's, says of it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Said {
    /// The run that made it.
    pub(crate) run: Option<String>,
    job: Option<Job>,
    files: Vec<File>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Job {
    anchor: Anchor,
    output: Output,
    filter: Filter,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Filter {
    decontaminate: Decontaminate,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Anchor {
    max_synthetic_share: Option<f64>,
    max_depth: Option<u8>,
    self_improvement: bool,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Output {
    layout: Option<Layout>,
}

#[derive(Debug, Clone, Deserialize)]
struct File {
    path: String,
    sha256: String,
}

impl Said {
    /// The ceiling on the synthetic share of its job.
    pub(crate) fn max_synthetic_share(&self) -> Option<f64> {
        self.job.as_ref()?.anchor.max_synthetic_share
    }

    /// The depth limit of its job; a job that does not say has the default.
    pub(crate) fn max_depth(&self) -> Option<u8> {
        let default = gristmill_domain::job::Anchor::MAX_DEPTH;
        Some(self.job.as_ref()?.anchor.max_depth.unwrap_or(default))
    }

    /// How its job looks for held-out rows.
    pub(crate) fn decontaminate(&self) -> Decontaminate {
        let job = self.job.as_ref();
        job.map(|job| job.filter.decontaminate.clone())
            .unwrap_or_default()
    }

    /// Its columns.
    pub(crate) fn layout(&self) -> Option<Layout> {
        self.job.as_ref()?.output.layout
    }

    /// Whether its job allows teachers that descend from the student.
    pub(crate) fn self_improvement(&self) -> bool {
        self.job.as_ref().is_some_and(|job| job.anchor.self_improvement)
    }
}

impl Source {
    /// A dataset, or that of a run's folder.
    ///
    /// # Errors
    /// [`Error::Unusable`] for a folder that is not a dataset's; [`Error::Damaged`] for files that are not those of the manifest.
    pub(crate) fn open(named: &Path) -> Result<Self, Error> {
        let folder = dataset_folder(named);
        if !folder.join("data").is_dir() {
            return Err(Error::unusable(
                named,
                "this is not a dataset, since it has no folder `data`: name the folder of a run that has ended, or of its dataset",
            ));
        }
        let source = Self::read(named, folder)?;
        if let Some(fault) = source.faults()?.into_iter().next() {
            let way_out = match source.folder.join(Generation::NAME).is_file() {
                true => "a generation is never changed: put back what was written",
                false => "`gristmill assemble RUN` writes the dataset of a run again",
            };
            return Err(Error::damaged(&source.folder, format!("{fault}; {way_out}")));
        }
        Ok(source)
    }

    /// A generation of the lineage.
    pub(crate) fn parent(folder: PathBuf) -> Result<Self, Error> {
        Ok(Self {
            is_parent: true,
            ..Self::read(&folder, folder.clone())?
        })
    }

    /// A generation of the lineage whose manifest cannot be read.
    pub(crate) fn without_manifest(folder: PathBuf) -> Self {
        Self {
            named: folder.clone(),
            folder,
            manifest: None,
            said: Said::default(),
            job: None,
            is_parent: true,
        }
    }

    fn read(named: &Path, folder: PathBuf) -> Result<Self, Error> {
        let path = folder.join("manifest.json");
        let (manifest, said, job) = match path.exists() {
            false => (None, Said::default(), None),
            true => {
                let text = std::fs::read(&path).map_err(Error::io(&path))?;
                let damaged = |error: serde_json::Error| Error::damaged(&path, error.to_string());
                let whole: serde_json::Value = serde_json::from_slice(&text).map_err(damaged)?;
                let job = whole.get("job").cloned();
                let said = serde_json::from_value(whole).map_err(damaged)?;
                (Some(digest::blake3(&text)), said, job)
            }
        };
        Ok(Self {
            named: named.to_owned(),
            folder,
            manifest,
            said,
            job,
            is_parent: false,
        })
    }

    /// What is not as the manifest says, a sentence each: files that are missing or were changed, and files of rows that it does not name.
    /// Without a manifest nothing is known, and nothing is wrong.
    pub(crate) fn faults(&self) -> Result<Vec<String>, Error> {
        let mut faults = Vec::new();
        if self.manifest.is_none() {
            return Ok(faults);
        }
        let mut known = HashSet::new();
        for File { path, sha256 } in &self.said.files {
            known.insert(path.as_str());
            let file = self.folder.join(path);
            if !file.is_file() {
                faults.push(format!("`{path}` is missing"));
            } else if digest::sha256(&file)? != *sha256 {
                faults.push(format!("`{path}` was changed after it was written"));
            }
        }
        for folder in ["data", "jsonl"] {
            let at = self.folder.join(folder);
            let Ok(entries) = std::fs::read_dir(&at) else {
                continue;
            };
            for entry in entries {
                let name = entry.map_err(Error::io(&at))?.file_name();
                let path = format!("{folder}/{}", name.to_string_lossy());
                if !known.contains(path.as_str()) {
                    faults.push(format!("`{path}` is not a file of the dataset"));
                }
            }
        }
        faults.sort();
        Ok(faults)
    }

    /// Calls `take` with each row of a split.
    pub(crate) fn each(
        &self,
        split: Split,
        take: impl FnMut(DatasetRow) -> Result<(), Error>,
    ) -> Result<(), Error> {
        each_row(&self.folder, split, take)
    }

    /// Calls `take` with each row that is trained on.
    pub(crate) fn each_trained(
        &self,
        mut take: impl FnMut(Split, DatasetRow) -> Result<(), Error>,
    ) -> Result<(), Error> {
        for split in Split::TRAINED {
            self.each(split, |row| take(split, row))?;
        }
        Ok(())
    }
}

/// Calls `take` with each held-out row of a split, and the dataset that it is from.
pub(crate) fn each_held_out(
    sources: &[Source],
    split: Split,
    take: &mut TakeHeldOut<'_>,
) -> Result<(), Error> {
    for source in sources {
        let name = source.named.display().to_string();
        source.each(split, |row| take(&row, &name))?;
    }
    Ok(())
}
