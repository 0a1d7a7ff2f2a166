//! Long work on this machine: what it shows, and how it stops.

use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use super::out::Unwritable;
use crate::failure::Failure;
use crate::launch::signal;
use crate::view::{Counting, View};

/// What a verb's work has at hand: the screen, a way to wait for a model, and the word to stop.
#[derive(Debug, Clone)]
pub(crate) struct Task {
    pub(crate) view: View,
    pub(crate) runtime: Handle,
    stop: CancellationToken,
}

/// The work was stopped by a signal; what it had begun to write is gone.
#[derive(Debug)]
pub(crate) struct Interrupted;

impl std::fmt::Display for Interrupted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("interrupted; nothing was written")
    }
}

impl std::error::Error for Interrupted {}

impl Task {
    /// Work that nothing stops.
    pub(crate) fn new(view: View) -> Self {
        Self {
            view,
            runtime: Handle::current(),
            stop: CancellationToken::new(),
        }
    }

    /// Does work that blocks, until it is done or a signal comes.
    pub(crate) async fn carry_out<T: Send + 'static>(
        view: View,
        work: impl FnOnce(&Self) -> anyhow::Result<T> + Send + 'static,
    ) -> Result<T, Failure> {
        let task = Self::new(view);
        let stop = task.stop.clone();
        let watching = tokio::spawn(async move {
            signal().await;
            stop.cancel();
            // Whoever asks twice means it.
            signal().await;
            crate::leave(130)
        });
        let done = tokio::task::spawn_blocking(move || work(&task)).await;
        watching.abort();
        let result = done.map_err(|error| Failure::Other(anyhow::anyhow!(error)))?;
        result.map_err(|error| {
            if error.is::<Interrupted>() {
                Failure::Interrupted(Interrupted.to_string())
            } else if error.is::<Unwritable>() {
                Failure::Other(error)
            } else {
                Failure::Input(error)
            }
        })
    }

    /// Counts of some part of the work.
    pub(crate) fn counting(&self, what: &str) -> Counter<'_> {
        Counter {
            counting: self.view.counting(what),
            task: self,
        }
    }

    /// An error once a signal has come.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        if self.stop.is_cancelled() {
            return Err(Interrupted.into());
        }
        Ok(())
    }
}

/// Counts, and the word to stop.
pub(crate) struct Counter<'a> {
    counting: Counting,
    task: &'a Task,
}

impl Counter<'_> {
    /// So many are done; an error once a signal has come.
    pub(crate) fn at(&mut self, done: u64, total: Option<u64>) -> anyhow::Result<()> {
        self.counting.at(done, total);
        self.task.check()
    }
}
