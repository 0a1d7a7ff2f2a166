//! The contexts of the runs that a worker meets.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context;
use async_trait::async_trait;
use gristmill_coordinator::{Start, States};
use gristmill_domain::id::{ContentId, RunId};
use gristmill_domain::stage::Stage;
use gristmill_domain::validator::{Need, Settings};
use gristmill_ports::register::{REFUSED_MAX, Register, SILENT_FROM, WorkerReport};
use gristmill_sandbox::{FOLDERS, Files, Opened};
use gristmill_worker::{NoContext, RunContext, RunContexts, Silence};
use tempfile::TempDir;
use tokio::sync::OnceCell;

use crate::workshop::Workshop;

/// Runs whose contexts are kept; of more, those that were not asked for longest go.
const KEPT: usize = 64;
/// Time between two looks whether a run is reached by other ways now: a submitter may have sent it again.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// The same while an endpoint refuses what is asked: whoever mends the job and resumes the run is not to be refused once more.
const LOOK_EVERY_DOUBTED: Duration = Duration::from_millis(100);
/// Time for which it is said that a run was refused: its tasks come again sooner while it lives.
const REFUSAL_HOLDS: Duration = Duration::from_secs(60);
/// Time for which a run that cannot be worked on is not tried again: its tasks come back many times a second where no other worker has room.
const REFUSAL_STANDS: Duration = Duration::from_secs(2);
/// Time between two looks at what other workers say of themselves.
const OTHERS_EVERY: Duration = Duration::from_secs(1);
/// Characters of the reason.
const REASON_CHARS_MAX: usize = 400;

/// Builds a context when the first task of its run comes, from what the run was started with.
pub(crate) struct ClusterContexts {
    register: Arc<dyn Register>,
    states: States,
    workshop: Workshop,
    /// Programs that jobs bring along may run here.
    allow_commands: bool,
    /// This worker's name.
    worker: String,
    kept: Mutex<HashMap<RunId, Kept>>,
    refused: Mutex<BTreeMap<RunId, Refusal>>,
    others: tokio::sync::Mutex<Others>,
}

/// What the other workers said of themselves.
#[derive(Default)]
struct Others {
    looked: Option<Instant>,
    reports: Vec<WorkerReport>,
}

struct Kept {
    asked: Instant,
    looked: Instant,
    /// An endpoint refused what is asked by it.
    doubted: bool,
    built: Arc<OnceCell<Built>>,
}

/// A run that could not be worked on.
struct Refusal {
    reason: String,
    at: Instant,
    /// When its context was last tried in vain; `None` where it is single tasks that cannot be worked on.
    tried: Option<Instant>,
}

struct Built {
    context: Arc<RunContext>,
    /// What it was built from.
    spec: ContentId,
    /// The files that the validator needs, for as long as it checks answers.
    _files: TempDir,
}

impl ClusterContexts {
    /// RunContexts of the register's runs.
    pub(crate) fn new(
        register: Arc<dyn Register>,
        states: States,
        workshop: Workshop,
        allow_commands: bool,
        worker: String,
    ) -> Self {
        Self {
            register,
            states,
            workshop,
            allow_commands,
            worker,
            kept: Mutex::default(),
            refused: Mutex::default(),
            others: tokio::sync::Mutex::default(),
        }
    }

    /// Runs whose tasks are put off here, and why: they cannot be worked on, or one of their models does not answer.
    pub(crate) fn put_off(&self, silences: &[Silence]) -> BTreeMap<RunId, String> {
        let silent = |context: &RunContext| {
            let lines = || context.models.values().map(|model| model.line.id);
            silences
                .iter()
                .find(|silence| lines().any(|line| line == silence.line))
        };
        let mut put_off = BTreeMap::new();
        if !silences.is_empty() {
            let kept = locked(&self.kept);
            let built = kept
                .iter()
                .filter_map(|(run, kept)| Some((run, silent(&kept.built.get()?.context)?)));
            put_off.extend(
                built.map(|(run, silence)| (*run, format!("no call is answered: {}", silence.reason))),
            );
        }
        let mut refused = locked(&self.refused);
        refused.retain(|_, refusal| refusal.at.elapsed() < REFUSAL_HOLDS);
        put_off.extend(
            refused
                .iter()
                .map(|(run, refusal)| (*run, refusal.reason.clone())),
        );
        put_off
            .into_iter()
            .take(REFUSED_MAX)
            .map(|(run, reason)| (run, reason.chars().take(REASON_CHARS_MAX).collect()))
            .collect()
    }

    fn refuse(&self, run: RunId, why: &NoContext, tried: Option<Instant>) {
        let (NoContext::NotYet(reason) | NoContext::Never(reason)) = why;
        let refusal = Refusal {
            reason: reason.clone(),
            at: Instant::now(),
            tried,
        };
        let before = locked(&self.refused).insert(run, refusal);
        // Each of its tasks meets the same.
        if before.is_none_or(|before| before.reason != *reason || before.at.elapsed() >= REFUSAL_HOLDS) {
            tracing::warn!(%run, reason, "its tasks are left to other workers");
        }
    }

    /// Why a run could not be worked on a moment ago, with when that was tried.
    fn refused_lately(&self, run: RunId) -> Option<(NoContext, Instant)> {
        let refused = locked(&self.refused);
        let refusal = refused.get(&run)?;
        let tried = refusal.tried.filter(|tried| tried.elapsed() < REFUSAL_STANDS)?;
        Some((NoContext::NotYet(refusal.reason.clone()), tried))
    }

    /// The context's place; and whether it is time to look if it is still the right one.
    fn cell(&self, run: RunId) -> (Arc<OnceCell<Built>>, bool) {
        let mut kept = locked(&self.kept);
        if kept.len() >= KEPT
            && !kept.contains_key(&run)
            && let Some(oldest) = kept
                .iter()
                .min_by_key(|(_, kept)| kept.asked)
                .map(|(run, _)| *run)
        {
            kept.remove(&oldest);
        }
        let entry = kept.entry(run).or_insert_with(|| Kept {
            asked: Instant::now(),
            looked: Instant::now(),
            doubted: false,
            built: Arc::default(),
        });
        entry.asked = Instant::now();
        let every = if entry.doubted {
            LOOK_EVERY_DOUBTED
        } else {
            LOOK_EVERY
        };
        let look = entry.looked.elapsed() >= every;
        if look {
            entry.looked = entry.asked;
        }
        (Arc::clone(&entry.built), look)
    }

    /// Forgets a context whose run was sent again with other addresses or keys. A register that does not answer changes nothing.
    async fn look_again(&self, run: RunId, cell: &Arc<OnceCell<Built>>) {
        let Some(built) = cell.get() else {
            return;
        };
        if let Ok(Some(spec)) = self.register.spec(run).await
            && ContentId::of(&[&spec]) != built.spec
        {
            let mut kept = locked(&self.kept);
            if kept.get(&run).is_some_and(|kept| Arc::ptr_eq(&kept.built, cell)) {
                tracing::info!(%run, "it was sent again, and is worked on by what it says now");
                kept.remove(&run);
            }
        }
    }

    async fn build(&self, run: RunId) -> Result<Built, NoContext> {
        let not_yet = |error: anyhow::Error| NoContext::NotYet(format!("{error:#}"));
        let spec = self
            .register
            .spec(run)
            .await
            .map_err(|error| not_yet(error.into()))?
            .ok_or_else(|| NoContext::Never(format!("run {run} is not in the register")))?;
        let start: Start = serde_json::from_slice(&spec).map_err(|error| {
            NoContext::Never(format!("what run {run} was started with cannot be read: {error}"))
        })?;
        let validator = &start.job.filter.validator;
        if matches!(validator.need(), Some(Need::Program(_))) && !self.allow_commands {
            return Err(NoContext::NotYet(
                "its validator runs a program, and this worker was not started with `--allow-commands`"
                    .to_owned(),
            ));
        }
        let files = self.files(run, validator).await.map_err(not_yet)?;
        let Opened { checker, .. } = gristmill_sandbox::open(validator, Files::Sent(files.path()))
            .await
            .map_err(|error| not_yet(error.into()))?;
        let context = self
            .workshop
            .context(run, &start.job, checker, (self.states)(run))
            .await
            .map_err(not_yet)?;
        tracing::info!(%run, job = start.job_file, "ready to work on it");
        Ok(Built {
            context: Arc::new(context),
            spec: ContentId::of(&[&spec]),
            _files: files,
        })
    }

    /// Copies the files that the run's validator needs here.
    async fn files(&self, run: RunId, validator: &Settings) -> anyhow::Result<TempDir> {
        let folder = tempfile::tempdir().context("a temporary folder cannot be made")?;
        if validator.need().is_none() {
            return Ok(folder);
        }
        let state = (self.states)(run);
        for prefix in FOLDERS {
            for name in state.list(prefix).await? {
                let bytes = state.read(&name).await?;
                let path = folder.path().join(&name);
                let written = async {
                    if let Some(parent) = path.parent() {
                        tokio::fs::create_dir_all(parent).await?;
                    }
                    tokio::fs::write(&path, bytes).await
                };
                written
                    .await
                    .with_context(|| format!("the run's file `{name}` cannot be copied"))?;
            }
        }
        Ok(folder)
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Each change under these locks is a single insert or remove: a panic elsewhere leaves nothing half-done.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[async_trait]
impl RunContexts for ClusterContexts {
    async fn context(&self, run: RunId) -> Result<Arc<RunContext>, NoContext> {
        let (mut cell, look) = self.cell(run);
        if look {
            self.look_again(run, &cell).await;
            (cell, _) = self.cell(run);
        }
        let built = cell
            .get_or_try_init(|| async {
                // Looked up here: whoever waited for another's try in vain goes by that one.
                match self.refused_lately(run) {
                    Some(lately) => Err(lately),
                    None => self.build(run).await.map_err(|why| (why, Instant::now())),
                }
            })
            .await;
        match built {
            Ok(built) => {
                locked(&self.refused).remove(&run);
                Ok(Arc::clone(&built.context))
            }
            Err((why, tried)) => {
                self.refuse(run, &why, Some(tried));
                Err(why)
            }
        }
    }

    fn lacks(&self, run: RunId, need: &str) {
        let reason = format!(
            "this worker cannot do `{need}`, and leaves such tasks to others: is it of an older version?"
        );
        self.refuse(run, &NoContext::NotYet(reason), None);
    }

    /// Says so when it is not known: a message that is put back is lost to nobody.
    async fn others(&self, run: RunId, stage: Stage) -> bool {
        let mut others = self.others.lock().await;
        if others
            .looked
            .is_none_or(|looked| looked.elapsed() >= OTHERS_EVERY)
        {
            let Ok(workers) = self.register.workers().await else {
                return true;
            };
            others.looked = Some(Instant::now());
            others.reports = workers
                .into_iter()
                .filter(|worker| {
                    let there = worker.silent_ms < millis(SILENT_FROM) && !worker.draining;
                    there && worker.worker != self.worker
                })
                // One that says what this version cannot read may do anything.
                .map(|worker| serde_json::from_slice(&worker.report).unwrap_or_default())
                .collect();
        }
        others.reports.iter().any(|report| {
            let takes = report.stages.is_empty() || report.stages.contains(&stage);
            takes && !report.stopping && !report.refused.contains_key(&run)
        })
    }

    fn doubt(&self, run: RunId) {
        if let Some(kept) = locked(&self.kept).get_mut(&run) {
            kept.doubted = true;
        }
    }
}
