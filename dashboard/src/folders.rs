//! Runs in folders of this machine, to look at.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use async_trait::async_trait;
use gristmill_blob::LocalBlobs;
use gristmill_coordinator::Start;
use gristmill_domain::id::RunId;
use gristmill_lineage::LineageFile;
use gristmill_ports::blob::Blobs;
use gristmill_proto::v1;
use gristmill_runs::evaluation::{EVALUATION_FILE, store_vote};
use gristmill_runs::served::SeenRun;
use gristmill_runs::{Manifest, RunFolder};

use crate::source::{Act, BELOW_MAX, Evaluated, Looked, Refusal, Role, Source, Who};
use crate::tallies::Tallies;

/// Runs that are looked at for those that go on, the newest first: a folder must be read to know.
const ACTIVE_MAX: u32 = 100;
/// Entries of a folder that are looked at when no run was found in it.
const ENTRIES_MAX: usize = 1_000;
/// Lineages that are shown.
const LINEAGES_MAX: usize = 20;

/// Evaluations that are looked at beside lineages, the newest.
const EVALUATED_MAX: usize = 500;

/// Runs in folders: each is a run's, or holds runs' folders. They are looked for at each request, so that a run that starts is seen.
pub struct Folders {
    roots: Vec<PathBuf>,
    tallies: Tallies,
}

impl Folders {
    /// Runs in and below these folders.
    pub fn new(roots: Vec<PathBuf>) -> Self {
        Self {
            roots,
            tallies: Tallies::default(),
        }
    }

    /// A run as a coordinator would show it, with why it does not go on and the way out.
    async fn seen(&self, folder: &RunFolder, start: Start, begun_ms: u64) -> anyhow::Result<v1::Run> {
        let tally = self.tallies.of(folder, start.run).await;
        let counted = tally.is_some();
        let tally = tally.unwrap_or_default();
        let SeenRun { mut run, state } = folder.seen(start, &tally, begun_ms).await?;
        let counted = counted || !run.dataset.is_empty();
        // Rows that are not counted yet are not none.
        run.progress.take_if(|progress| !counted && !progress.evaluates);
        let told = [state.why, state.way_out]
            .into_iter()
            .filter(|part| !part.is_empty());
        run.reason = told.collect::<Vec<_>>().join("; ");
        Ok(run)
    }

    /// The folders of runs that there are now, by their runs' ids, the newest first.
    fn found(&self) -> Vec<(RunFolder, Start, u64)> {
        let paths = self.roots.iter().flat_map(|root| {
            let below = std::fs::read_dir(root)
                .map(|entries| entries.flatten().map(|entry| entry.path()).collect())
                .unwrap_or_else(|_| Vec::new());
            below.into_iter().chain([root.clone()])
        });
        runs_at(paths)
    }

    async fn folder(&self, run: &str) -> Result<(RunFolder, Start, u64), Refusal> {
        let found = self
            .found()
            .into_iter()
            .find(|(_, start, _)| start.run.to_string() == run);
        found.ok_or_else(|| {
            let places: Vec<String> = self.roots.iter().map(|root| root.display().to_string()).collect();
            Refusal::not_found(format!("there is no run {run} in {}", places.join(", ")))
        })
    }
}

/// The runs at paths, the newest first, each once.
fn runs_at(paths: impl Iterator<Item = PathBuf>) -> Vec<(RunFolder, Start, u64)> {
    let mut all = Vec::new();
    for path in paths {
        let Ok(folder) = RunFolder::open(&path) else {
            continue;
        };
        // One that is damaged is no run that could be shown; naming it says what is wrong with it.
        if let Ok(start) = folder.start() {
            let begun = start.submitted_ms.unwrap_or_else(|| begun_ms(&path));
            all.push((folder, start, begun));
        }
    }
    all.sort_by_key(|(_, start, begun)| (std::cmp::Reverse(*begun), start.run));
    all.dedup_by_key(|(_, start, _)| start.run);
    all
}

/// Folders below another one, by their names; nothing where it cannot be read.
fn below(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> = entries
        .take(ENTRIES_MAX)
        .map(|entry| entry.path())
        .filter(|path| path.is_dir())
        .collect();
    folders.sort();
    folders
}

/// Whether a folder is that of a lineage.
fn is_lineage(folder: &Path) -> bool {
    folder.join(LineageFile::NAME).is_file()
}

/// Whether a folder holds runs' folders.
fn holds_runs(folder: &Path) -> bool {
    below(folder).iter().any(|run| RunFolder::open(run).is_ok())
}

/// When a run of this machine was started, Unix milliseconds: its first file was written then.
fn begun_ms(path: &Path) -> u64 {
    let written =
        |name: &str| std::fs::metadata(path.join("state").join(name)).and_then(|file| file.modified());
    let began = written("owner.json").or_else(|_| written("run.json"));
    let since = began.map(|time| time.duration_since(std::time::UNIX_EPOCH).unwrap_or_default());
    since.map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(0))
}

#[async_trait]
impl Source for Folders {
    fn who(&self, _token: Option<&str>) -> Option<Who> {
        Some(Who::new(Role::Viewer))
    }

    fn still(&self, who: Who) -> Option<Who> {
        Some(who)
    }

    fn read_only(&self) -> Option<&'static str> {
        Some(
            "These are runs of this machine: Ctrl-C stops one, the same `gristmill run` resumes it, and `gristmill budget FOLDER --raise` sets its limit.",
        )
    }

    fn is_cluster(&self) -> bool {
        false
    }

    fn looked(&self) -> Looked {
        // Runs are looked for directly below a root: those further down are one folder, or two, too deep.
        let holding = |root: &PathBuf| {
            let near = below(root);
            let far: Vec<PathBuf> = near.iter().flat_map(|path| below(path)).collect();
            let both = near.into_iter().chain(far);
            both.filter(|path| holds_runs(path))
                .take(BELOW_MAX)
                .collect::<Vec<_>>()
        };
        let mut found: Vec<String> = self
            .roots
            .iter()
            .flat_map(holding)
            .map(|path| path.display().to_string())
            .collect();
        found.truncate(BELOW_MAX);
        Looked {
            folders: self.roots.iter().map(|root| root.display().to_string()).collect(),
            below: found,
        }
    }

    fn lineages(&self) -> Vec<PathBuf> {
        let near = self.roots.iter().flat_map(|root| {
            let inside = below(root);
            std::iter::once(root.clone()).chain(inside)
        });
        let mut found: Vec<PathBuf> = near.filter(|folder| is_lineage(folder)).collect();
        found.sort();
        found.dedup();
        found.truncate(LINEAGES_MAX);
        found
    }

    fn evaluated(&self) -> Vec<Evaluated> {
        let listed: HashSet<RunId> = self.found().iter().map(|(_, start, _)| start.run).collect();
        // Those of a loop lie a folder deeper than runs are looked for.
        let near = self.roots.iter().flat_map(|root| below(root));
        let deep = near.flat_map(|folder| below(&folder));
        let direct = self.roots.iter().flat_map(|root| below(root));
        let ended = |folder: &RunFolder| folder.result().join(EVALUATION_FILE).is_file();
        let found = runs_at(self.roots.iter().cloned().chain(direct).chain(deep));
        let evaluations = found
            .into_iter()
            .filter(|(folder, start, _)| start.job.evaluate.is_some() && ended(folder));
        let evaluated = evaluations.map(|(folder, start, _)| Evaluated {
            run: start.run.to_string(),
            folder: folder.root().to_owned(),
            listed: listed.contains(&start.run),
        });
        evaluated.take(EVALUATED_MAX).collect()
    }

    async fn runs(&self, _who: Who, skip: u32, limit: u32) -> Result<Vec<v1::Run>, Refusal> {
        let mut runs = Vec::new();
        for (folder, start, begun) in self.found().into_iter().skip(skip as usize).take(limit as usize) {
            let name = start.run;
            match self.seen(&folder, start, begun).await {
                Ok(run) => runs.push(run),
                // One run that cannot be read leaves the rest.
                Err(error) => runs.push(v1::Run {
                    run: name.to_string(),
                    name: folder.root().display().to_string(),
                    reason: format!("{error:#}"),
                    submitted_ms: begun,
                    ..v1::Run::default()
                }),
            }
        }
        Ok(runs)
    }

    async fn active(&self) -> Result<Vec<v1::Run>, Refusal> {
        self.runs(Who::itself(), 0, ACTIVE_MAX).await
    }

    async fn run(&self, _who: Who, run: &str) -> Result<v1::Run, Refusal> {
        let (folder, start, begun) = self.folder(run).await?;
        Ok(self.seen(&folder, start, begun).await?)
    }

    async fn workers(&self, _who: Who) -> Result<v1::ListWorkersResponse, Refusal> {
        Ok(v1::ListWorkersResponse::default())
    }

    async fn dead_letters(
        &self,
        _who: Who,
        _before: u64,
        _limit: u32,
    ) -> Result<Vec<v1::DeadLetter>, Refusal> {
        Ok(Vec::new())
    }

    async fn run_folder(&self, _who: Who, run: &str) -> Result<PathBuf, Refusal> {
        let (folder, _, _) = self.folder(run).await?;
        Ok(folder.root().to_owned())
    }

    /// Whoever uses this machine may write to its folders.
    fn check_voter(&self, _who: Who) -> Result<(), Refusal> {
        Ok(())
    }

    async fn act(&self, _who: Who, act: Act) -> Result<(), Refusal> {
        let Act::Vote { run, vote } = act else {
            return Err(Refusal::forbidden(self.read_only().unwrap_or_default()));
        };
        let (folder, _, _) = self.folder(&run).await?;
        let stored = tokio::task::spawn_blocking(move || store_vote(folder.root(), &vote)).await;
        Ok(stored.context("the thread that stores the vote ended early")??)
    }

    async fn state(&self, _who: Who, run: &str) -> Result<Arc<dyn Blobs>, Refusal> {
        let (folder, _, _) = self.folder(run).await?;
        Ok(Arc::new(LocalBlobs::new(folder.state())))
    }

    async fn manifest(&self, _who: Who, run: &str) -> Result<Option<Manifest>, Refusal> {
        let (folder, _, _) = self.folder(run).await?;
        let manifest = folder.last_manifest().await?;
        let typed = manifest.map(serde_json::from_value).transpose();
        Ok(typed
            .with_context(|| format!("{} is damaged", folder.dataset().join("manifest.json").display()))?)
    }
}
