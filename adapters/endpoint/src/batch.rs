//! Batches at OpenAI and Anthropic.
//!
//! | | OpenAI | Anthropic |
//! |---|---|---|
//! | submit | a file of lines to `/files`, then `/batches` | `/messages/batches` |
//! | find | `/batches`, by a name in its metadata | cannot be found by name |
//! | poll | `/batches/ID`: completed, expired and cancelled have results | `/messages/batches/ID`: ended has results |
//! | results | the files of answers and of errors, one after the other | `/messages/batches/ID/results` |
//! | not billed | errors, requests out of time or cancelled | the same |

mod anthropic;
mod lines;
mod openai;

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use futures::stream::BoxStream;
use gristmill_domain::chat::Response;
use gristmill_domain::job::Api;
use gristmill_ports::batch::{BatchId, BatchLimits, BatchModel, BatchRequest, BatchResult, BatchState};
use gristmill_ports::model::{CallError, Scope};
use reqwest::RequestBuilder;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::connection::{Connection, Error};
use crate::options::Options;
use crate::wire::Wire;

/// Longest wait for an answer to a look or a cancel.
const LOOK: Duration = Duration::from_secs(60);
/// Longest wait for a batch to be taken in.
const SUBMIT: Duration = Duration::from_secs(600);

/// The results of a batch, as they are read.
type Results = BoxStream<'static, Result<BatchResult, CallError>>;

/// A batch API: everything in which it differs from the others.
#[async_trait]
pub(crate) trait BatchProtocol: fmt::Debug + Send + Sync {
    /// What one batch holds.
    fn limits(&self) -> BatchLimits;

    /// The path that lists the newest batch.
    fn newest(&self) -> &'static str;

    /// The path that cancels a batch.
    fn cancel(&self, id: &str) -> String;

    /// Hands in requests that were checked.
    async fn submit(
        &self,
        endpoint: &BatchEndpoint,
        tag: &str,
        requests: &[BatchRequest],
    ) -> Result<BatchId, CallError>;

    /// The batch that was submitted under this name, where batches have names.
    async fn find(&self, endpoint: &BatchEndpoint, tag: &str) -> Result<Option<BatchId>, CallError>;

    /// How far a batch is.
    async fn poll(&self, endpoint: &BatchEndpoint, id: &str) -> Result<BatchState, CallError>;

    /// What came of the requests of a batch that has ended.
    async fn results(&self, endpoint: &BatchEndpoint, id: &str) -> Result<Results, CallError>;
}

/// The batch API that belongs to what an endpoint speaks, where it has one that is spoken here.
fn protocol(api: Api) -> Option<&'static dyn BatchProtocol> {
    match api {
        Api::Openai => Some(&openai::OpenaiBatches),
        Api::Anthropic => Some(&anthropic::AnthropicBatches),
        Api::Gemini => None,
    }
}

/// A model that is asked in batches.
#[derive(Debug, Clone)]
pub struct BatchEndpoint {
    connection: Connection,
    wire: Wire,
    batches: &'static dyn BatchProtocol,
}

impl BatchEndpoint {
    /// A client; nothing is sent yet.
    pub fn new(options: Options) -> Result<Self, Error> {
        let (connection, wire) = options.open()?;
        let Some(batches) = protocol(wire.api) else {
            return Err(Error::NoBatches {
                place: connection.place,
            });
        };
        Ok(Self {
            connection,
            wire,
            batches,
        })
    }

    /// Asks for the newest batch: free, and proof that the endpoint is there, knows the key and takes batches.
    pub async fn probe(&self) -> Result<(), CallError> {
        let newest = self.connection.get(self.batches.newest());
        let request = newest.timeout(Duration::from_secs(15));
        self.json::<serde::de::IgnoredAny>(request).await.map(drop)
    }

    /// A refusal that cost nothing.
    fn refused(&self, scope: Scope, what: impl std::fmt::Display) -> CallError {
        CallError::NotBilled {
            reason: format!("{}: {what}", self.connection.place),
            retry_after: None,
            scope,
        }
    }

    /// Sends once and reads a JSON answer.
    async fn json<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, CallError> {
        let bytes = self.connection.fetch(request).await?;
        serde_json::from_slice(&bytes).map_err(|e| {
            self.connection
                .unknown(format_args!("its answer cannot be read: {e}"))
        })
    }

    /// Reads an answer of a batch, as that of a single call.
    fn read(&self, body: &serde_json::Value) -> Result<Response, CallError> {
        let bytes = body.to_string();
        self.wire
            .response(bytes.as_bytes())
            .map_err(|unread| self.connection.unread(unread, bytes.as_bytes()))
    }

    /// Refuses what no provider would take.
    fn check(&self, tag: &str, requests: &[BatchRequest]) -> Result<(), CallError> {
        let limits = self.limits();
        if requests.is_empty() || requests.len() > limits.requests {
            let what = format!(
                "a batch holds 1 to {} requests, not {}",
                limits.requests,
                requests.len()
            );
            return Err(self.refused(Scope::Request, what));
        }
        let letter = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        let good = |id: &str| (1..=64).contains(&id.len()) && id.chars().all(letter);
        let names = requests.iter().map(|request| request.custom_id.as_str());
        match names.chain([tag]).find(|name| !good(name)) {
            Some(wrong) => {
                let what = format!("`{wrong}` can name neither a request nor a batch");
                Err(self.refused(Scope::Request, what))
            }
            None => Ok(()),
        }
    }

    fn check_bytes(&self, bytes: usize) -> Result<(), CallError> {
        let most = self.limits().bytes;
        if bytes > most {
            let what = format!("a batch holds at most {most} bytes, not {bytes}");
            return Err(self.refused(Scope::Request, what));
        }
        Ok(())
    }

    /// An id becomes part of a path: it is the provider's, and still must not lead elsewhere.
    fn id<'a>(&self, id: &'a str) -> Result<&'a str, CallError> {
        let letter = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if !id.is_empty() && id.chars().all(letter) {
            Ok(id)
        } else {
            Err(self.refused(
                Scope::Request,
                format_args!("`{id}` is no id of a batch or a file"),
            ))
        }
    }
}

/// The name of a thing just made.
#[derive(Deserialize)]
struct Named {
    id: String,
}

#[async_trait]
impl BatchModel for BatchEndpoint {
    fn limits(&self) -> BatchLimits {
        self.batches.limits()
    }

    async fn submit(&self, tag: &str, requests: &[BatchRequest]) -> Result<BatchId, CallError> {
        self.check(tag, requests)?;
        self.batches.submit(self, tag, requests).await
    }

    async fn find(&self, tag: &str) -> Result<Option<BatchId>, CallError> {
        self.batches.find(self, tag).await
    }

    async fn poll(&self, batch: &BatchId) -> Result<BatchState, CallError> {
        self.batches.poll(self, self.id(&batch.0)?).await
    }

    async fn results(&self, batch: &BatchId) -> Result<Results, CallError> {
        self.batches.results(self, self.id(&batch.0)?).await
    }

    async fn cancel(&self, batch: &BatchId) -> Result<(), CallError> {
        let path = self.batches.cancel(self.id(&batch.0)?);
        let request = self.connection.post(&path).timeout(LOOK);
        self.json::<serde::de::IgnoredAny>(request).await.map(drop)
    }
}
