//! What a worker needs to work on one run.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use gristmill_domain::answer::label::Labels;
use gristmill_domain::chat::Price;
use gristmill_domain::id::RunId;
use gristmill_domain::job::Filter;
use gristmill_ports::model::{ChatModel, Embedder};
use gristmill_ports::sql::SqlEngine;
use tokio::sync::Semaphore;

/// The tools of one run: its models by name, and what answers are examined with.
pub struct Kit {
    /// The run.
    pub run: RunId,
    /// Chat models by the name that tasks carry.
    pub models: HashMap<String, Model>,
    /// The embedding model, unless it is off.
    pub embedder: Option<Arc<dyn Embedder>>,
    /// Databases, for the validator `sql`.
    pub sql: Option<Arc<dyn SqlEngine>>,
    /// The labels, for the validator `label`.
    pub labels: Option<Labels>,
    /// What is let through.
    pub filter: Filter,
}

/// A chat model, its price and its limits in this worker.
pub struct Model {
    /// The model.
    pub chat: Arc<dyn ChatModel>,
    /// Its price.
    pub price: Price,
    /// Requests that may be open at once.
    pub slots: Arc<Semaphore>,
    /// Time after which a request is given up.
    pub timeout: Duration,
}
