//! Batches at OpenAI and Anthropic.
//!
//! | | OpenAI | Anthropic |
//! |---|---|---|
//! | submit | a file of lines to `/files`, then `/batches` | `/messages/batches` |
//! | poll | `/batches/ID`: completed, expired and cancelled have results | `/messages/batches/ID`: ended has results |
//! | results | the files of answers and of errors, one after the other | `/messages/batches/ID/results` |
//! | not billed | errors, requests out of time or cancelled | the same |

mod anthropic;
mod lines;
mod openai;

use std::time::Duration;

use async_trait::async_trait;
use futures::stream::BoxStream;
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

    /// Refuses what no provider would take.
    fn check(&self, requests: &[BatchRequest]) -> Result<(), CallError> {
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
        match requests.iter().find(|request| !good(&request.custom_id)) {
            Some(wrong) => {
                let what = format!("`{}` cannot name a request", wrong.custom_id);
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

    async fn submit(&self, requests: &[BatchRequest]) -> Result<BatchId, CallError> {
        self.check(requests)?;
        let named = match self.wire.api {
            Api::Openai => openai::submit(self, requests).await?,
            Api::Anthropic => anthropic::submit(self, requests).await?,
        };
        Ok(BatchId(named.id))
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
