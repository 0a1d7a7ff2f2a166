//! Long work on this machine: what it needs of the program around it, and how it stops.

use std::sync::Arc;

use async_trait::async_trait;
use gristmill_domain::job::LocalModel;
use gristmill_ports::model::{ChatModel, Embedder};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

/// What an operation asks of the program that runs it.
#[async_trait]
pub trait Host: Send + Sync {
    /// Begins to show counts of some part of the work, such as `embedding rows`.
    fn counting(&self, what: &str) -> Box<dyn Counting>;

    /// Loads an embedding model: a name of the catalogue, or a folder with its files.
    ///
    /// # Errors
    /// A model that cannot be fetched or loaded.
    async fn embedder(&self, name: &str) -> anyhow::Result<Arc<dyn Embedder>>;

    /// Loads a model of this machine that tells likelihoods.
    ///
    /// # Errors
    /// A model that cannot be fetched or loaded, and a program that has none.
    async fn scorer(&self, model: &LocalModel) -> anyhow::Result<Arc<dyn ChatModel>>;
}

/// Counts of some part of the work, shown until they are dropped.
pub trait Counting: Send {
    /// So many are done, of so many where that is known.
    fn at(&mut self, done: u64, total: Option<u64>);
}

/// What an operation's work has at hand: its host, a way to wait for a model, and the signal to stop.
#[derive(Clone)]
pub struct Task {
    pub(crate) host: Arc<dyn Host>,
    pub(crate) runtime: Handle,
    stop: CancellationToken,
}

/// The work was stopped by a signal; what it had begun to write is gone.
#[derive(Debug)]
pub struct Interrupted;

impl std::fmt::Display for Interrupted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("interrupted; nothing was written")
    }
}

impl std::error::Error for Interrupted {}

impl Task {
    /// Work that ends with [`Interrupted`] once `stop` is cancelled.
    pub fn new(host: Arc<dyn Host>, runtime: Handle, stop: CancellationToken) -> Self {
        Self { host, runtime, stop }
    }

    /// Begins to show counts of some part of the work.
    pub fn counting(&self, what: &str) -> Counter<'_> {
        Counter {
            counting: self.host.counting(what),
            task: self,
        }
    }

    /// An error once a signal has come.
    ///
    /// # Errors
    /// [`Interrupted`].
    pub fn check(&self) -> anyhow::Result<()> {
        if self.stop.is_cancelled() {
            return Err(Interrupted.into());
        }
        Ok(())
    }
}

/// Counts, and the signal to stop.
pub struct Counter<'a> {
    counting: Box<dyn Counting>,
    task: &'a Task,
}

impl std::fmt::Debug for Counter<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Counter").finish_non_exhaustive()
    }
}

impl Counter<'_> {
    /// So many are done; an error once a signal has come.
    ///
    /// # Errors
    /// [`Interrupted`].
    pub fn at(&mut self, done: u64, total: Option<u64>) -> anyhow::Result<()> {
        self.counting.at(done, total);
        self.task.check()
    }
}
