//! The client of one model at one endpoint.

use std::time::Duration;

use async_trait::async_trait;
use gristmill_domain::chat::{Request, Response};
use gristmill_ports::model::{CallError, ChatModel};
use tracing::Instrument;

use crate::connection::{Connection, Error};
use crate::options::Options;
use crate::span;
use crate::wire::Wire;

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
