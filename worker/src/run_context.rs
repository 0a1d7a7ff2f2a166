//! What a worker needs to work on a run, and where it has it from.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use gristmill_domain::chat::Price;
use gristmill_domain::id::RunId;
use gristmill_domain::job::Filter;
use gristmill_domain::stage::Stage;
use gristmill_domain::validator::Checker;
use gristmill_ports::batch::BatchModel;
use gristmill_ports::blob::Blobs;
use gristmill_ports::limiter::ModelLine;
use gristmill_ports::model::{ChatModel, Embedder};

/// The tools of one run: its models by name, and what answers are examined with.
pub struct RunContext {
    /// The run.
    pub run: RunId,
    /// Chat models by the name that tasks carry.
    pub models: HashMap<String, Model>,
    /// The embedding model, unless it is off.
    pub embedder: Option<Arc<dyn Embedder>>,
    /// The validator, ready to check answers.
    pub checker: Arc<dyn Checker>,
    /// What is let through.
    pub filter: Filter,
    /// The run's blobs, for reports that are too large for the ledger: where its coordinator reads.
    pub blobs: Arc<dyn Blobs>,
}

/// A chat model, its price and its limits in this worker.
pub struct Model {
    /// The model.
    pub chat: Arc<dyn ChatModel>,
    /// Its price.
    pub price: Price,
    /// The endpoint, key and model that it stands for, with the provider's limits: models of one line share its places.
    pub line: ModelLine,
    /// Requests that this worker may have open at once; fewer while the endpoint turns some away.
    pub concurrency: u32,
    /// Time after which a request is given up.
    pub timeout: Duration,
    /// How it is asked in batches, where it is: then no request is made alone.
    pub batch: Option<BatchLine>,
}

/// A model that is asked in batches.
pub struct BatchLine {
    /// Its provider's batch API.
    pub model: Arc<dyn BatchModel>,
    /// Requests of one batch at most.
    pub requests: usize,
    /// Time between the first looks at a batch that is worked on.
    pub poll_every: Duration,
}

/// Why there is no context for a run. Each has one answer at the queue.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoContext {
    /// The run cannot be worked on here yet: it is unknown so far, or cannot be read. The task is left to others.
    #[error("the run cannot be worked on yet: {0}")]
    NotYet(String),
    /// The run can never be worked on here: its messages are dead letters.
    #[error("the run can never be worked on here: {0}")]
    Never(String),
}

/// Where a worker has the contexts of its runs from.
#[async_trait]
pub trait RunContexts: Send + Sync {
    /// The context of a run. It is asked for with every delivery, by many at once: an implementation keeps what it has built, and
    /// builds each context once however many wait for it.
    async fn context(&self, run: RunId) -> Result<Arc<RunContext>, NoContext>;

    /// An endpoint refuses what the run asks by this context: a person may send the run's job again, and the next context is to be that job's.
    fn doubt(&self, _run: RunId) {}

    /// Tasks of the run need what this worker cannot do: people who wonder why it leaves them should know.
    fn lacks(&self, _run: RunId, _need: &str) {}

    /// True where another worker may do what this one cannot do of the run's tasks in this stage.
    async fn others(&self, _run: RunId, _stage: Stage) -> bool {
        true
    }
}

/// The context of the one run that a process works on.
pub struct Fixed(Arc<RunContext>);

impl Fixed {
    /// Only this context.
    pub fn new(context: RunContext) -> Self {
        Self(Arc::new(context))
    }
}

#[async_trait]
impl RunContexts for Fixed {
    async fn context(&self, run: RunId) -> Result<Arc<RunContext>, NoContext> {
        if run == self.0.run {
            Ok(Arc::clone(&self.0))
        } else {
            Err(NoContext::Never(format!(
                "this process works on run {} only",
                self.0.run
            )))
        }
    }
}
