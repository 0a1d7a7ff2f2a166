//! Datasets in a cluster's store, beside the state of their runs.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use async_trait::async_trait;
use gristmill_blob::Prefixed;
use gristmill_coordinator::{Assembler, Finished, SeedStore, Start};
use gristmill_domain::id::RunId;
use gristmill_domain::ledger::Account;
use gristmill_ports::blob::Blobs;

use crate::assemble::{self, Manifest};
use crate::evaluation::{EVALUATION_FILE, RESULT_FOLDER, evaluation};
use crate::report::{REPORT_FILE, report};

/// The file that says that a dataset is whole.
const MANIFEST_FILE: &str = "manifest.json";

/// Puts datasets into the store. In a folder of a disk a dataset takes its place in one step; in object storage, which has none, its manifest goes
/// first and comes last, so that a dataset without one is not whole.
pub struct DatasetStore {
    /// The store.
    pub store: Arc<dyn Blobs>,
    /// As it was given.
    place: String,
    /// The store's folder, where it is one of a disk.
    folder: Option<PathBuf>,
}

impl DatasetStore {
    /// Into the store behind a URL.
    ///
    /// # Errors
    /// What names no store.
    pub fn open(place: &str) -> anyhow::Result<Self> {
        let folder = match place.split_once("://") {
            None => Some(PathBuf::from(place)),
            Some((scheme, path)) if scheme.eq_ignore_ascii_case("file") => Some(PathBuf::from(path)),
            Some(_) => None,
        };
        Ok(Self {
            store: gristmill_blob::open(place)?,
            place: place.trim_end_matches('/').to_owned(),
            folder,
        })
    }

    /// Where a run's dataset is stored, in words.
    pub fn dataset(&self, run: RunId) -> String {
        format!("{}/{run}/dataset", self.place)
    }

    /// The folder of a run in the store; `None` where the store is not one of a disk.
    pub fn run_folder(&self, run: RunId) -> Option<PathBuf> {
        Some(self.folder.as_ref()?.join(run.to_string()))
    }

    /// The run's place in the store, in words.
    pub fn run_place(&self, run: RunId) -> String {
        format!("{}/{run}", self.place)
    }

    /// Puts the run's report beside its dataset. The dataset is there: a report that cannot be made takes nothing from it.
    async fn report(&self, state: &dyn Blobs, start: &Start, seeds: &SeedStore, manifest: &Manifest) {
        let written = async {
            let scratch = tempfile::tempdir()?;
            let path = scratch.path().join(REPORT_FILE);
            let page = report(state, start, seeds, manifest).await?;
            let file = path.clone();
            let written =
                tokio::task::spawn_blocking(move || anyhow::Ok(std::fs::write(file, page.html()?)?));
            written.await.context("the report's thread ended early")??;
            let name = format!("{}/{REPORT_FILE}", start.run);
            anyhow::Ok(self.store.put_file(&name, &path).await?)
        };
        if let Err(error) = written.await {
            tracing::warn!(run = %start.run, error = format!("{error:#}"), "no report was written");
        }
    }

    /// Puts a dataset that was written elsewhere into the place of what is stored.
    async fn put(&self, from: &Path, run: RunId, manifest: &Manifest) -> anyhow::Result<()> {
        let before: Option<Manifest> = match self.store.read(&format!("{run}/dataset/{MANIFEST_FILE}")).await
        {
            Ok(bytes) => serde_json::from_slice(&bytes).ok(),
            Err(gristmill_ports::blob::Error::Missing { .. }) => None,
            Err(error) => return Err(error.into()),
        };
        assemble::refuse_worse(before.as_ref(), manifest, &self.dataset(run))?;
        self.put_folder(from, &format!("{run}/dataset"), MANIFEST_FILE)
            .await
    }

    /// Puts a folder's files into the place of what is stored below a name. The file that says that the others are whole goes first and comes
    /// last.
    async fn put_folder(&self, from: &Path, root: &str, head: &str) -> anyhow::Result<()> {
        self.store.remove(&format!("{root}/{head}")).await?;
        let mut files = files(from)?;
        files.sort_by_key(|file| (file == head, file.clone()));
        // Shards of a dataset that had another number of them would be read beside these.
        for name in self.store.list(&format!("{root}/")).await? {
            if !files.iter().any(|file| name == format!("{root}/{file}")) {
                self.store.remove(&name).await?;
            }
        }
        for file in files {
            self.store
                .put_file(&format!("{root}/{file}"), &from.join(&file))
                .await?;
        }
        Ok(())
    }

    /// Grades what an evaluation brought, and stores its result.
    async fn evaluate(
        &self,
        start: &Start,
        seeds: &SeedStore,
        finished: &Finished,
        account: &Account,
    ) -> anyhow::Result<()> {
        let state = Prefixed::state(Arc::clone(&self.store), start.run);
        let scratch = tempfile::tempdir()?;
        let target = match &self.folder {
            Some(folder) => folder.join(start.run.to_string()).join(RESULT_FOLDER),
            None => scratch.path().join(RESULT_FOLDER),
        };
        evaluation(&state, &target, start, seeds, finished, account).await?;
        if self.folder.is_none() {
            let root = format!("{}/{RESULT_FOLDER}", start.run);
            self.put_folder(&target, &root, EVALUATION_FILE).await?;
        }
        Ok(())
    }
}

#[async_trait]
impl Assembler for DatasetStore {
    async fn assemble(
        &self,
        start: &Start,
        seeds: &SeedStore,
        finished: &Finished,
        account: &Account,
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        if start.job.evaluate.is_some() {
            return Ok(self.evaluate(start, seeds, finished, account).await?);
        }
        let state = Prefixed::state(Arc::clone(&self.store), start.run);
        let scratch = tempfile::tempdir()?;
        let target = match &self.folder {
            Some(folder) => folder.join(start.run.to_string()).join("dataset"),
            None => scratch.path().join("dataset"),
        };
        let manifest = assemble::assemble(&state, &target, start, seeds, finished, account).await?;
        if self.folder.is_none() {
            self.put(&target, start.run, &manifest).await?;
        }
        self.report(&state, start, seeds, &manifest).await;
        Ok(())
    }
}

/// Files below a folder, by their paths in it.
fn files(root: &Path) -> anyhow::Result<Vec<String>> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path
                    .strip_prefix(root)?
                    .to_str()
                    .context("a file's name is not text")?;
                found.push(name.to_owned());
            }
        }
    }
    Ok(found)
}
