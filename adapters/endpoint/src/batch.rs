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

use crate::client::Options;
use crate::connection::{Connection, Error};
use crate::wire::Wire;

/// Longest wait for an answer to a look or a cancel.
const LOOK: Duration = Duration::from_secs(60);
/// Longest wait for a batch to be taken in.
const SUBMIT: Duration = Duration::from_secs(600);

/// A model that is asked in batches.
#[derive(Debug, Clone)]
pub struct BatchEndpoint {
    connection: Connection,
    wire: Wire,
}

impl BatchEndpoint {
    /// A client; nothing is sent yet.
    pub fn new(options: Options) -> Result<Self, Error> {
        let (connection, wire) = options.open()?;
        Ok(Self { connection, wire })
    }

    /// Asks for the newest batch: free, and proof that the endpoint is there, knows the key and takes batches.
    pub async fn probe(&self) -> Result<(), CallError> {
        let path = match self.wire.api {
            Api::Openai => "/batches?limit=1",
            Api::Anthropic => "/messages/batches?limit=1",
        };
        let request = self.connection.get(path).timeout(Duration::from_secs(15));
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
        match self.wire.api {
            Api::Openai => openai::LIMITS,
            Api::Anthropic => anthropic::LIMITS,
        }
    }

    async fn submit(&self, tag: &str, requests: &[BatchRequest]) -> Result<BatchId, CallError> {
        self.check(tag, requests)?;
        let named = match self.wire.api {
            Api::Openai => openai::submit(self, tag, requests).await?,
            Api::Anthropic => anthropic::submit(self, requests).await?,
        };
        Ok(BatchId(named.id))
    }

    async fn find(&self, tag: &str) -> Result<Option<BatchId>, CallError> {
        match self.wire.api {
            Api::Openai => openai::find(self, tag).await,
            // Its batches carry no name of the caller's.
            Api::Anthropic => Ok(None),
        }
    }

    async fn poll(&self, batch: &BatchId) -> Result<BatchState, CallError> {
        let id = self.id(&batch.0)?;
        match self.wire.api {
            Api::Openai => Ok(openai::look(self, id).await?.state()),
            Api::Anthropic => Ok(anthropic::look(self, id).await?.state()),
        }
    }

    async fn results(
        &self,
        batch: &BatchId,
    ) -> Result<BoxStream<'static, Result<BatchResult, CallError>>, CallError> {
        let id = self.id(&batch.0)?;
        match self.wire.api {
            Api::Openai => openai::results(self, id).await,
            Api::Anthropic => anthropic::results(self, id).await,
        }
    }

    async fn cancel(&self, batch: &BatchId) -> Result<(), CallError> {
        let id = self.id(&batch.0)?;
        let path = match self.wire.api {
            Api::Openai => format!("/batches/{id}/cancel"),
            Api::Anthropic => format!("/messages/batches/{id}/cancel"),
        };
        let request = self.connection.post(&path).timeout(LOOK);
        self.json::<serde::de::IgnoredAny>(request).await.map(drop)
    }
}
