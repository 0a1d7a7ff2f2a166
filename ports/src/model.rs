//! Models: chat completion and sentence embedding.

use std::time::Duration;

use async_trait::async_trait;
use gristmill_domain::chat::{Likelihood, Prompt, Reported, Request, Response};

/// A chat model: an endpoint or a model in this process.
#[async_trait]
pub trait ChatModel: Send + Sync {
    /// Sends *one* request and never repeats it by itself: each attempt is a reservation of its own.
    ///
    /// The call may be dropped at any time (deadline, shutdown); what it cost is then unknown.
    async fn complete(&self, request: &Request) -> Result<Response, CallError>;

    /// How likely the model is to go on from the prompt with each of these texts: for messages, to begin its answer with them, which is what multiple
    /// choice by likelihood compares. An empty raw prompt is the beginning of a document, and a text behind it that is longer than the context is
    /// read in windows (`loglikelihood_rolling` of lm-evaluation-harness).
    ///
    /// One call, as [`Self::complete`] is: it may be dropped, and is never repeated. Endpoints do not tell likelihoods of texts that are given,
    /// so that this is [`ScoreError::Unsupported`] wherever an implementation does not say otherwise. Whoever wraps a model forwards it.
    async fn score(&self, prompt: &Prompt, continuations: &[String]) -> Result<Scores, ScoreError> {
        let _asked = (prompt, continuations);
        Err(ScoreError::Unsupported)
    }
}

/// The likelihoods of one call, and what it cost.
#[derive(Debug, Clone, PartialEq)]
pub struct Scores {
    /// One for each continuation, in their order.
    pub likelihoods: Vec<Likelihood>,
    /// Tokens that were read, of the prompt and of all continuations; none are generated.
    pub usage: Reported,
    /// The exact model, as [`Response::model_version`].
    pub model_version: String,
}

/// Why there are no likelihoods.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScoreError {
    /// The model gives none, whatever it is asked.
    #[error("this model tells no likelihoods: name a model of this process (`local`, with `engine: native`)")]
    Unsupported,
    /// The call failed.
    #[error(transparent)]
    Call(#[from] CallError),
}

/// Why a call brought no answer, told apart by what it may have cost.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// Nothing was sent, or the provider provably refused before billing: connection refused, 401, 403, 404, a closed port.
    /// The same request may be tried again later.
    #[error("{reason}")]
    NotBilled {
        /// What happened, naming the endpoint.
        reason: String,
        /// How long to stay away, where the provider said so.
        retry_after: Option<Duration>,
        /// What it means for further calls.
        scope: Scope,
    },
    /// The outcome, and so the cost, is unknown: a reset, a time-out, a 5xx after the request was taken.
    #[error("{reason}")]
    Unknown {
        /// What happened, naming the endpoint.
        reason: String,
        /// How long to stay away, where the provider said so.
        retry_after: Option<Duration>,
    },
    /// An answer of success that cannot be read: it was billed, and nobody knows at what. One may be an accident; several in a row mean that
    /// the endpoint speaks another language than the job says, and a person has to look.
    #[error("{reason}")]
    Unreadable {
        /// What is wrong with it, naming the endpoint, with the beginning of what came.
        reason: String,
    },
}

/// Why a call failed that an endpoint answered with this HTTP status, in words that [`status_in`] reads.
pub fn answered_with(place: &str, status: u16, message: &str) -> String {
    format!("{place}{ANSWERED}{status}: {message}")
}

/// The HTTP status that a failed call was answered with, by its reason; `None` where nothing was answered.
pub fn status_in(reason: &str) -> Option<u16> {
    let (status, _) = reason.split_once(ANSWERED)?.1.split_once(':')?;
    let status: u16 = status.parse().ok()?;
    (100..=999).contains(&status).then_some(status)
}

const ANSWERED: &str = " answered ";

/// How far a refusal reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Too fast or overloaded (429, 529, connection refused): every caller of the endpoint should slow down.
    Throttled,
    /// The endpoint failed (5xx), and is known not to bill that.
    Failed,
    /// This request can never succeed (400, 413, 422): trying again is pointless.
    Request,
    /// No request can succeed until a person acts (401, 403, 404, unknown model): stop asking.
    Endpoint,
    /// The account's quota is used up: pause the run.
    Quota,
}

/// A sentence-embedding model.
#[async_trait]
pub trait Embedder: Send + Sync {
    /// Name and version of the model: vectors of different models are never compared.
    fn model(&self) -> &str;

    /// Length of each vector.
    fn dimensions(&self) -> usize;

    /// One L2-normalised vector a text, in order.
    ///
    /// A text's vector does not depend, to the last bit, on the texts beside it: the batch shape is fixed.
    async fn embed(&self, texts: &[String]) -> Result<Embedded, CallError>;
}

/// Vectors and what they cost.
#[derive(Debug, Clone, PartialEq)]
pub struct Embedded {
    /// One unit vector a text.
    pub vectors: Vec<Vec<f32>>,
    /// Tokens read.
    pub input_tokens: u64,
}
