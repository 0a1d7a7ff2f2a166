//! The kits of the runs that a worker meets.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use anyhow::Context;
use async_trait::async_trait;
use gristmill_coordinator::{Start, States};
use gristmill_domain::id::RunId;
use gristmill_domain::job::Validator;
use gristmill_ports::register::Register;
use gristmill_sandbox::Sandbox;
use gristmill_worker::{Kit, Kits, NoKit};
use tempfile::TempDir;
use tokio::sync::OnceCell;

use crate::workshop::{self, Workshop};

/// Runs whose kits are kept; of more, those that were not asked for longest go.
const KEPT: usize = 64;

/// Builds a kit when the first task of its run comes, from what the run was started with.
pub(crate) struct ClusterKits {
    register: Arc<dyn Register>,
    states: States,
    workshop: Workshop,
    kept: Mutex<HashMap<RunId, Kept>>,
}

struct Kept {
    asked: Instant,
    built: Arc<OnceCell<Built>>,
}

struct Built {
    kit: Arc<Kit>,
    /// The run's databases, for as long as they are queried.
    _databases: Option<TempDir>,
}

impl ClusterKits {
    /// Kits of the register's runs.
    pub(crate) fn new(register: Arc<dyn Register>, states: States, workshop: Workshop) -> Self {
        Self {
            register,
            states,
            workshop,
            kept: Mutex::default(),
        }
    }

    fn cell(&self, run: RunId) -> Arc<OnceCell<Built>> {
        // Each change is a single insert or remove: a panic elsewhere leaves nothing half-done.
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
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
            built: Arc::default(),
        });
        entry.asked = Instant::now();
        Arc::clone(&entry.built)
    }

    async fn build(&self, run: RunId) -> Result<Built, NoKit> {
        let not_yet = |error: anyhow::Error| NoKit::NotYet(format!("{error:#}"));
        let spec = self
            .register
            .spec(run)
            .await
            .map_err(|error| not_yet(error.into()))?
            .ok_or_else(|| NoKit::Never(format!("run {run} is not in the register")))?;
        let start: Start = serde_json::from_slice(&spec).map_err(|error| {
            NoKit::Never(format!("what run {run} was started with cannot be read: {error}"))
        })?;
        let databases = match &start.job.filter.validator {
            Validator::Sql { timeout_s, .. } => Some(self.databases(run, *timeout_s).await.map_err(not_yet)?),
            Validator::None | Validator::Number | Validator::Label { .. } | Validator::Text { .. } => None,
        };
        let (folder, sandbox) = databases.unzip();
        let kit = self
            .workshop
            .kit(run, &start.job, sandbox, (self.states)(run))
            .await
            .map_err(not_yet)?;
        tracing::info!(%run, job = start.job_file, "ready to work on it");
        Ok(Built {
            kit: Arc::new(kit),
            _databases: folder,
        })
    }

    /// Copies the run's databases here and opens them.
    async fn databases(&self, run: RunId, timeout_s: u32) -> anyhow::Result<(TempDir, Arc<Sandbox>)> {
        let folder = tempfile::tempdir().context("a temporary folder cannot be made")?;
        let state = (self.states)(run);
        for name in state.list("databases/").await? {
            let file = Path::new(&name)
                .file_name()
                .context("a database without a name")?;
            let bytes = state.read(&name).await?;
            tokio::fs::write(folder.path().join(file), bytes)
                .await
                .with_context(|| format!("the database `{name}` cannot be copied"))?;
        }
        let sandbox = workshop::sandbox(folder.path(), timeout_s).await?;
        Ok((folder, sandbox))
    }
}

#[async_trait]
impl Kits for ClusterKits {
    async fn kit(&self, run: RunId) -> Result<Arc<Kit>, NoKit> {
        let cell = self.cell(run);
        let built = cell.get_or_try_init(|| self.build(run)).await?;
        Ok(Arc::clone(&built.kit))
    }
}
