//! The client of one model at one endpoint.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use gristmill_domain::chat::{Request, Response};
use gristmill_domain::job::{Structured, TokenLimitKey};
use gristmill_ports::model::{CallError, ChatModel};
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};

use crate::key::Key;
use crate::{failure, wire};

/// Bytes of an answer that are read at most: far beyond any completion, far below what hurts.
const ANSWER_BYTES_MAX: usize = 32 << 20;
/// Characters of a provider's error message that are kept.
const MESSAGE_CHARS: usize = 300;

/// A model at an endpoint.
#[derive(Debug, Clone)]
pub struct Options {
    /// Base URL, up to and including `/v1`.
    pub base_url: String,
    /// Model name.
    pub model: String,
    /// The key, sent as a bearer token.
    pub key: Option<Key>,
    /// Headers sent with every request.
    pub headers: BTreeMap<String, String>,
    /// Members added to every request's body.
    pub body: serde_json::Map<String, serde_json::Value>,
    /// How structured answers are asked for.
    pub structured: Structured,
    /// Name of the member that bounds completion tokens.
    pub token_limit_key: TokenLimitKey,
}

/// The options cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A header's name or value is not allowed in HTTP.
    #[error(
        "the header `{name}` cannot be sent: names are letters, digits and `-`, values are visible characters"
    )]
    Header {
        /// Its name.
        name: String,
    },
    /// The key has characters that no header can carry.
    #[error(
        "the key for `{base_url}` has characters that cannot be sent: is the right file or variable named?"
    )]
    Key {
        /// The endpoint.
        base_url: String,
    },
    /// The HTTP client could not be built.
    #[error("the HTTP client cannot be started")]
    Client(#[source] reqwest::Error),
}

/// A chat model behind an OpenAI-compatible endpoint.
#[derive(Debug, Clone)]
pub struct Endpoint {
    client: reqwest::Client,
    options: Options,
    place: String,
}

impl Endpoint {
    /// A client; nothing is sent yet.
    pub fn new(mut options: Options) -> Result<Self, Error> {
        let mut headers = HeaderMap::new();
        for (name, value) in &options.headers {
            let wrong = || Error::Header { name: name.clone() };
            let header: HeaderName = name.parse().map_err(|_| wrong())?;
            let mut value: HeaderValue = value.parse().map_err(|_| wrong())?;
            // Headers carry keys at some providers.
            value.set_sensitive(true);
            headers.insert(header, value);
        }
        if let Some(key) = options.key.as_ref().filter(|key| !key.is_empty()) {
            let mut value =
                HeaderValue::try_from(format!("Bearer {}", key.expose())).map_err(|_| Error::Key {
                    base_url: options.base_url.clone(),
                })?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        let client = reqwest::Client::builder()
            .default_headers(headers)
            .connect_timeout(Duration::from_secs(10))
            .tcp_nodelay(true)
            .pool_idle_timeout(Duration::from_secs(60))
            // A redirect would send the key to another host.
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(Error::Client)?;
        options.base_url = options.base_url.trim_end_matches('/').to_owned();
        let place = format!("`{}` at {}", options.model, options.base_url);
        Ok(Self {
            client,
            options,
            place,
        })
    }

    /// Asks the endpoint for its models: free, and proof that it is there and knows the key. Endpoints without such a list pass.
    pub async fn probe(&self) -> Result<(), CallError> {
        let url = format!("{}/models", self.options.base_url);
        let answer = self.client.get(url).timeout(Duration::from_secs(15)).send().await;
        let answer = answer.map_err(|e| failure::transport(&e, &self.place))?;
        match answer.status().as_u16() {
            401 | 403 => Err(self.refused(answer).await),
            _ => Ok(()),
        }
    }

    async fn refused(&self, answer: reqwest::Response) -> CallError {
        let status = answer.status().as_u16();
        let headers = answer.headers().clone();
        let bytes = read(answer).await.unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        let said = serde_json::from_slice::<serde_json::Value>(&bytes).ok();
        let member = |name: &str| {
            said.as_ref()?
                .get("error")?
                .get(name)?
                .as_str()
                .map(str::to_owned)
        };
        // The code tells a used-up quota from a rate limit; the message is for people.
        let message = match (member("message"), member("code").or_else(|| member("type"))) {
            (Some(message), Some(code)) => format!("{message} ({code})"),
            (Some(message), None) => message,
            (None, _) => text.into_owned(),
        };
        let message: String = message.chars().take(MESSAGE_CHARS).collect();
        let message = self
            .options
            .key
            .as_ref()
            .map_or_else(|| message.clone(), |key| key.redact(&message));
        failure::status(status, &headers, message.trim(), &self.place)
    }
}

/// Reads a body up to the bound; `None` when it breaks off or is larger.
async fn read(mut answer: reqwest::Response) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    while let Some(chunk) = answer.chunk().await.ok()? {
        if bytes.len() + chunk.len() > ANSWER_BYTES_MAX {
            return None;
        }
        bytes.extend_from_slice(&chunk);
    }
    Some(bytes)
}

#[async_trait]
impl ChatModel for Endpoint {
    async fn complete(&self, request: &Request) -> Result<Response, CallError> {
        let Options {
            model,
            structured,
            token_limit_key,
            body,
            base_url,
            ..
        } = &self.options;
        let (path, body) = wire::body(request, model, *structured, *token_limit_key, body);
        let answer = self
            .client
            .post(format!("{base_url}{path}"))
            .json(&body)
            .send()
            .await;
        let answer = answer.map_err(|e| failure::transport(&e, &self.place))?;
        if !answer.status().is_success() {
            return Err(self.refused(answer).await);
        }
        let unknown = |what: String| CallError::Unknown {
            reason: format!("{}: {what}", self.place),
            retry_after: None,
        };
        let bytes = read(answer)
            .await
            .ok_or_else(|| unknown("its answer broke off or was too large".into()))?;
        wire::response(&bytes, model).map_err(unknown)
    }
}
