//! The client of one model at one endpoint.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use gristmill_domain::chat::{Request, Response};
use gristmill_domain::job::{Api, Structured, TokenLimitKey};
use gristmill_ports::model::{CallError, ChatModel};
use tracing::Instrument;

use crate::connection::{Connection, Error};
use crate::key::Key;
use crate::span;
use crate::wire::Wire;

/// A model at an endpoint.
#[derive(Debug, Clone)]
pub struct Options {
    /// What the endpoint speaks.
    pub api: Api,
    /// Base URL, up to and including `/v1`.
    pub base_url: String,
    /// Model name.
    pub model: String,
    /// The key, sent as a bearer token, as `x-api-key` to Anthropic's API, or as `x-goog-api-key` to Gemini's.
    pub key: Option<Key>,
    /// Headers sent with every request. Their values are taken for secrets, except those of headers that are known to be harmless.
    pub headers: BTreeMap<String, String>,
    /// Members added to every request's body; with `null`, members left out of it.
    pub body: serde_json::Map<String, serde_json::Value>,
    /// How structured answers are asked for.
    pub structured: Structured,
    /// Name of the member that bounds completion tokens; Anthropic's and Gemini's APIs have one name only.
    pub token_limit_key: TokenLimitKey,
    /// Whether a request that the endpoint fails (5xx) may be billed all the same.
    pub billed_on_error: bool,
    /// Whether the host may stand for a link-local address.
    pub link_local: bool,
}

impl Options {
    /// The connection and the way of asking.
    pub(crate) fn open(self) -> Result<(Connection, Wire), Error> {
        let connection = Connection::new(&self)?;
        let wire = Wire {
            api: self.api,
            model: self.model,
            structured: self.structured,
            token_limit_key: self.token_limit_key,
            body: self.body,
        };
        Ok((connection, wire))
    }
}

/// A chat model behind an endpoint.
#[derive(Debug, Clone)]
pub struct Endpoint {
    connection: Connection,
    wire: Wire,
    host: String,
}

impl Endpoint {
    /// A client; nothing is sent yet.
    pub fn new(options: Options) -> Result<Self, Error> {
        let (connection, wire) = options.open()?;
        let host = connection.host();
        Ok(Self {
            connection,
            wire,
            host,
        })
    }

    /// Asks the endpoint for its models: free, and proof that it is there and knows the key. Endpoints without such a list pass.
    pub async fn probe(&self) -> Result<(), CallError> {
        let request = self.connection.get("/models").timeout(Duration::from_secs(15));
        self.connection.probe(request).await
    }

    async fn call(&self, request: &Request) -> Result<Response, CallError> {
        let (path, body) = self.wire.request(request, &self.connection.place)?;
        let bytes = self
            .connection
            .fetch(self.connection.post(&path).json(&body))
            .await?;
        self.wire
            .response(&bytes)
            .map_err(|unread| self.connection.unread(unread, &bytes))
    }
}

#[async_trait]
impl ChatModel for Endpoint {
    async fn complete(&self, request: &Request) -> Result<Response, CallError> {
        let span = span::open(
            self.wire.protocol().provider(),
            &self.wire.model,
            &self.host,
            request,
        );
        let result = self.call(request).instrument(span.clone()).await;
        span::close(&span, &result);
        result
    }
}
