//! A run's folder: what lies where.
//!
//! `dataset/` is what a run is for, and uploads to a hub as it stands; `state/` is what the run needs to go on: ledger and journal.

mod served;
mod state;

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use gristmill_blob::LocalBlobs;
use gristmill_coordinator::{Error, Events, Owner, Start, is_of_last_end};
use gristmill_domain::id::RunId;

use crate::evaluation::{EVALUATION_FILE, RESULT_FOLDER};

/// A run's folder.
#[derive(Debug, Clone)]
pub struct RunFolder {
    root: PathBuf,
}

impl RunFolder {
    /// The folder of a run below the job's output folder.
    pub fn of(output: &Path, run: RunId) -> Self {
        Self {
            root: output.join(run.to_string()),
        }
    }

    /// An existing run's folder, as a user names it.
    ///
    /// # Errors
    /// A folder that is no run's.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        let folder = Self {
            root: path.to_owned(),
        };
        if !folder.start_file().is_file() {
            bail!(
                "{} is no run's folder: it has no `state/run.json`; name a folder such as out/7f3a01c2d3e4",
                path.display()
            );
        }
        Ok(folder)
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Ledger and journal.
    pub fn state(&self) -> PathBuf {
        self.root.join("state")
    }

    /// The dataset.
    pub fn dataset(&self) -> PathBuf {
        self.root.join("dataset")
    }

    /// The result of an evaluation.
    pub fn result(&self) -> PathBuf {
        self.root.join(RESULT_FOLDER)
    }

    /// Where the dataset is, or the result of an evaluation; `None` where neither was written yet.
    fn written(&self) -> Option<PathBuf> {
        let (dataset, result) = (self.dataset(), self.result());
        if dataset.join("manifest.json").exists() {
            return Some(dataset);
        }
        result.join(EVALUATION_FILE).exists().then_some(result)
    }

    fn start_file(&self) -> PathBuf {
        self.state().join("run.json")
    }

    /// What the run was started with.
    ///
    /// # Errors
    /// A file that is damaged, of a newer format, or cannot be read.
    pub fn start(&self) -> anyhow::Result<Start> {
        let path = self.start_file();
        let text = std::fs::read(&path).with_context(|| format!("{} cannot be read", path.display()))?;
        serde_json::from_slice(&text).with_context(|| format!("{} is damaged", path.display()))
    }

    /// Makes the run one of this machine's, unless a cluster keeps its books. Nothing is written where it does.
    ///
    /// # Errors
    /// A cluster's run, with the command that resumes it; state that cannot be read or written.
    pub async fn claim(&self, job: &str) -> anyhow::Result<()> {
        match gristmill_coordinator::claim(&LocalBlobs::new(self.state()), Owner::Machine).await {
            Ok(()) => Ok(()),
            Err(Error::Owned { .. }) => bail!(
                "{} is a cluster's run, with its books there: `gristmill run` would spend its budget a second time\n\
                 help: resume it with `gristmill submit {job} --server URL`, or name another `output.dir` to make a run of this machine",
                self.root.display()
            ),
            Err(error) => Err(error).with_context(|| format!("{} cannot be used", self.state().display())),
        }
    }

    /// True for a run whose books a cluster keeps.
    ///
    /// # Errors
    /// State that cannot be read.
    pub async fn of_a_cluster(&self) -> anyhow::Result<bool> {
        let owner = gristmill_coordinator::owner(&LocalBlobs::new(self.state())).await;
        let owner = owner.with_context(|| format!("{} cannot be read", self.state().display()))?;
        Ok(owner == Some(Owner::Cluster))
    }

    /// What happened to the run besides its rounds.
    ///
    /// # Errors
    /// State that cannot be read.
    pub async fn events(&self) -> anyhow::Result<Events> {
        let events = Events::load(&LocalBlobs::new(self.state())).await;
        events.with_context(|| format!("{} cannot be read", self.state().display()))
    }

    /// True when an earlier start got as far as storing what the run is started with.
    pub fn begun(&self) -> bool {
        self.start_file().exists()
    }

    /// Stores what the run is started with, unless an earlier start did.
    ///
    /// # Errors
    /// A folder that cannot be written.
    pub fn begin(&self, start: &Start) -> anyhow::Result<()> {
        let state = self.state();
        std::fs::create_dir_all(&state)
            .with_context(|| format!("the folder {} cannot be made", state.display()))?;
        if self.start_file().exists() {
            return Ok(());
        }
        self.replace_start(start)
    }

    /// Stores what the run is started with now.
    ///
    /// # Errors
    /// A folder that cannot be written.
    pub fn replace_start(&self, start: &Start) -> anyhow::Result<()> {
        let (state, path) = (self.state(), self.start_file());
        let part = state.join("run.json.part");
        let write = || -> std::io::Result<()> {
            std::fs::write(&part, serde_json::to_vec_pretty(start)?)?;
            std::fs::File::open(&part)?.sync_all()?;
            std::fs::rename(&part, &path)
        };
        write().with_context(|| format!("{} cannot be written", path.display()))
    }

    /// The run of a result that is named by the run's folder, by its own, or by a file in it; `None` where there is no run above it.
    pub fn of_result(result: &Path) -> Option<Self> {
        let root = result.canonicalize().ok()?;
        let mut above = root.ancestors().take(3);
        above.find_map(|folder| Self::open(folder).ok())
    }

    /// The manifest of the dataset that the run's last end brought; `None` where there is none, also where the one that is there is from before the
    /// run was last resumed.
    ///
    /// # Errors
    /// A manifest or state that is damaged or cannot be read.
    pub async fn last_manifest(&self) -> anyhow::Result<Option<serde_json::Value>> {
        let Some(manifest) = self.manifest()? else {
            return Ok(None);
        };
        let events = self.events().await?;
        Ok(Some(manifest).filter(|manifest| is_of_last_end(manifest, &events)))
    }

    /// The manifest of the dataset that is there; `None` before the run's first end.
    ///
    /// # Errors
    /// A manifest that is damaged or cannot be read.
    pub fn manifest(&self) -> anyhow::Result<Option<serde_json::Value>> {
        let path = self.dataset().join("manifest.json");
        match std::fs::read(&path) {
            Ok(text) => Ok(Some(
                serde_json::from_slice(&text).with_context(|| format!("{} is damaged", path.display()))?,
            )),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("{} cannot be read", path.display())),
        }
    }
}

/// Paths relative to the working folder read better.
pub fn shown(path: &Path) -> String {
    let here = std::env::current_dir().ok();
    let path = here
        .as_ref()
        .and_then(|here| path.strip_prefix(here).ok())
        .unwrap_or(path);
    path.strip_prefix(".").unwrap_or(path).display().to_string()
}
