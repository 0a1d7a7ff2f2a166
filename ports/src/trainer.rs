//! Training: a batch job that outlives messages, with checkpoints instead of deliveries.
//!
//! The request is a file, and so are the rows: both backends read the same ones, and the Python trainer (`deploy/trainer`) reads them in
//! another process. Rows stand in the order in which they are trained on, so that order, repetition and selection are decided once, by the
//! caller.

use std::path::PathBuf;

use async_trait::async_trait;
use gristmill_domain::chat::Message;
use gristmill_domain::training::{Dpo, Lora, Method, Objective, Precision};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio::sync::watch;

/// What is to be trained, on what, and how.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// Version of this format: [`Request::FORMAT`].
    pub format: u32,
    /// What the student learns from.
    pub objective: Objective,
    /// What is trained of the model.
    pub method: Method,
    /// The base model: a `.gguf` file, or a folder in Hugging Face layout.
    pub base: PathBuf,
    /// The size of the adapter.
    pub lora: Lora,
    /// An adapter in PEFT layout to begin with, instead of a new one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initial_adapter: Option<PathBuf>,
    /// How strongly pairs are held to the base model, where the objective is `dpo`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dpo: Option<Dpo>,
    /// Of the highest step.
    pub learning_rate: f64,
    /// AdamW's decay.
    pub weight_decay: f64,
    /// Share of the steps over which the learning rate rises.
    pub warmup: f64,
    /// How it falls behind them.
    pub schedule: Schedule,
    /// Gradients are scaled down to this norm.
    pub max_grad_norm: f64,
    /// Rows of a step.
    pub batch_rows: u32,
    /// Rows that go through the model at once.
    pub micro_batch_rows: u32,
    /// Tokens of a row at most: longer rows are an error.
    pub max_tokens: u32,
    /// Steps.
    pub steps: u64,
    /// Draws the adapter's first values and dropout.
    pub seed: u64,
    /// How numbers are held while computing.
    pub precision: Precision,
    /// JSON lines, each a [`Row`] (a [`Pair`] where the objective is `dpo`), in the order in which they are trained on: `steps × batch_rows` of
    /// them.
    pub rows: PathBuf,
    /// JSON lines, each a [`Row`], measured as they stand.
    pub validation: Option<PathBuf>,
    /// Steps between two measurements; the start and the end are measured as well.
    pub validate_every: u64,
    /// Measurements without a lower loss after which training stops; `None` never stops it.
    pub patience: Option<u32>,
    /// Steps between two checkpoints.
    pub checkpoint_every: u64,
    /// The newest so many are kept.
    pub keep_checkpoints: u32,
    /// Folder for `checkpoints/` and what is trained: `adapter/` in PEFT layout, or `model/`.
    pub out: PathBuf,
}

impl Request {
    /// The format that this program writes and reads.
    pub const FORMAT: u32 = 1;
}

/// How a learning rate falls.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Schedule {
    /// By half a cosine, to 0.
    #[default]
    Cosine,
}

/// A row to train on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Its name in the dataset.
    pub id: String,
    /// What the model is shown.
    pub prompt: Vec<Message>,
    /// What it is to answer: the loss is taken of this alone.
    pub completion: Vec<Message>,
}

/// A pair to learn from, where the objective is `dpo`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pair {
    /// Its name in the dataset.
    pub id: String,
    /// What the model is shown.
    pub prompt: Vec<Message>,
    /// The better answer.
    pub chosen: Vec<Message>,
    /// The worse one.
    pub rejected: Vec<Message>,
}

/// Counts tokens as a base model has them.
pub trait RowTokens {
    /// Tokens of a row, its prompt included.
    ///
    /// # Errors
    /// Why the model's chat template refuses the row.
    fn count(&self, row: &Row) -> Result<u64, String>;
}

/// What happens while a student is trained. Losses are in nats a token of the answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "lowercase")]
pub enum Event {
    /// The model is loaded.
    Start {
        /// Steps in all.
        steps: u64,
        /// The step that training resumes behind; 0 for a new one.
        #[serde(default)]
        resumed: u64,
        /// Numbers that are trained.
        trainable: u64,
        /// Answers' tokens of all rows; 0 where the backend does not count them beforehand.
        #[serde(default)]
        tokens: u64,
    },
    /// A step is done.
    Step {
        /// From 1.
        step: u64,
        /// Of the step's rows, before its update.
        loss: f64,
        /// The step's learning rate.
        learning_rate: f64,
        /// Norm of the gradients before they were scaled down.
        grad_norm: f64,
        /// Answers' tokens of the step.
        tokens: u64,
        /// Seconds that it took.
        seconds: f64,
    },
    /// The validation rows were measured.
    Validation {
        /// After this step; 0 before the first.
        step: u64,
        /// Mean over the answers' tokens.
        loss: f64,
        /// Those tokens.
        tokens: u64,
    },
    /// A checkpoint is whole on the disk.
    Checkpoint {
        /// After this step.
        step: u64,
    },
    /// Training has ended, and what it made is on the disk.
    Done {
        /// The step whose weights were kept: that of the lowest validation loss, or the last.
        best_step: u64,
        /// Why it ended.
        reason: End,
        /// Seconds since its start, without those before it was resumed.
        seconds: f64,
        /// Most memory that the process held.
        peak_memory_bytes: u64,
    },
}

/// Why training ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// All steps are done.
    Steps,
    /// The validation loss fell no further.
    EarlyStopping,
}

/// Trains students.
#[async_trait]
pub trait Trainer: Send + Sync {
    /// Trains until the steps are done, the validation loss falls no further, or `stop` becomes true: then a checkpoint is written and
    /// [`Error::Stopped`] returned. The same request in the same folder resumes from the newest whole checkpoint, and comes to what an unbroken
    /// training would have.
    ///
    /// Who no longer reads `events` does not hold it up.
    ///
    /// # Errors
    /// See [`Error`].
    async fn train(
        &self,
        request: &Request,
        events: mpsc::Sender<Event>,
        stop: watch::Receiver<bool>,
    ) -> Result<(), Error>;
}

/// Why a training did not end.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The model, the rows or the settings cannot be trained with: the same request fails again.
    #[error("{0}")]
    Refused(String),
    /// Something failed on the way; the same request may resume.
    #[error("{0}")]
    Failed(String),
    /// It was told to stop, and can resume behind this step.
    #[error("training was stopped behind step {step}")]
    Stopped {
        /// The step of the checkpoint that was written.
        step: u64,
    },
}
