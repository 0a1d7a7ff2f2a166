//! HTTP to one endpoint: its address, its key, and what its refusals mean.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use gristmill_domain::job::{Address, Api, WrongAddress};
use gristmill_domain::secret::is_open_header;
use gristmill_ports::model::{CallError, Scope};
use reqwest::RequestBuilder;
use reqwest::header::{DATE, HeaderMap, HeaderName, HeaderValue, LOCATION};

use crate::failure::{self, Refused};
use crate::key::Key;
use crate::meter;
use crate::options::Options;
use crate::resolve::NoLinkLocal;
use crate::stated::{shortened, stated};
use crate::wait;
use crate::wire::{self, Protocol, Unread};

/// Bytes of an answer that are read at most: far beyond any completion, far below what hurts.
const ANSWER_BYTES_MAX: usize = 32 << 20;
/// Characters of an unreadable answer that are shown.
const SHOWN_CHARS: usize = 200;

/// The client cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address cannot be one of an endpoint.
    #[error("the endpoint cannot be reached: {0}")]
    Address(#[from] WrongAddress),
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
    /// The API has no batches, or none that is spoken here.
    #[error("{place} is not asked in batches: its API has none that Gristmill speaks")]
    NoBatches {
        /// The model at the endpoint.
        place: String,
    },
    /// The HTTP client could not be built.
    #[error("the HTTP client cannot be started")]
    Client(#[source] reqwest::Error),
}

/// What an endpoint answered to a request that costs nothing.
pub(crate) struct Looked {
    pub(crate) status: u16,
    /// The endpoint's clock, and this machine's when its answer came.
    pub(crate) clock: Option<(SystemTime, SystemTime)>,
    /// The answer, or what the refusal means.
    pub(crate) answer: Result<Vec<u8>, CallError>,
}

/// A connection to an endpoint, for one model.
#[derive(Debug, Clone)]
pub(crate) struct Connection {
    client: reqwest::Client,
    address: Address,
    /// What a provider may repeat of what it was sent, and nobody is to see.
    secrets: Vec<Key>,
    billed_on_error: bool,
    api: Api,
    /// The model at the endpoint, for messages: no secret is in it.
    pub(crate) place: String,
    model: String,
}

impl Connection {
    /// A client; nothing is sent yet.
    pub(crate) fn new(options: &Options) -> Result<Self, Error> {
        let Options {
            api, model, headers, ..
        } = options;
        let address = Address::parse(&options.base_url, *api)?;
        let key = options.key.as_ref().filter(|key| !key.is_empty());
        let client = reqwest::Client::builder()
            .default_headers(self::headers(wire::protocol(*api), &address, key, headers)?)
            .connect_timeout(Duration::from_secs(10))
            .tcp_nodelay(true)
            .pool_idle_timeout(Duration::from_secs(60))
            // A redirect would send the key to another host.
            .redirect(reqwest::redirect::Policy::none());
        let client = if options.link_local {
            client
        } else {
            client.dns_resolver(Arc::new(NoLinkLocal))
        };
        let client = client.build().map_err(Error::Client)?;
        Ok(Self {
            client,
            place: format!("`{model}` at {address}{}", api.mark()),
            model: model.clone(),
            api: *api,
            secrets: secrets(key, headers, &address),
            address,
            billed_on_error: options.billed_on_error,
        })
    }

    /// Host name or IP address.
    pub(crate) fn host(&self) -> String {
        self.address.host()
    }

    pub(crate) fn get(&self, path: &str) -> RequestBuilder {
        self.client.get(self.address.operation(path))
    }

    pub(crate) fn post(&self, path: &str) -> RequestBuilder {
        self.client.post(self.address.operation(path))
    }

    /// Sends a request once; fails where nobody answers.
    async fn ask(&self, request: RequestBuilder) -> Result<reqwest::Response, CallError> {
        request.send().await.map_err(|error| {
            meter::no_answer(&self.model, &error);
            failure::transport(&error, &self.place)
        })
    }

    /// Sends a request once, and returns the answer if it is one of success.
    pub(crate) async fn send(&self, request: RequestBuilder) -> Result<reqwest::Response, CallError> {
        let answer = self.ask(request).await?;
        let status = answer.status();
        if status.is_success() {
            return Ok(answer);
        }
        meter::status(&self.model, status.as_u16());
        Err(self.refused(answer).await)
    }

    /// Sends a request once; fails where nobody answers or the caller is not known, which Google says with 400, and takes any other answer.
    pub(crate) async fn probe(&self, request: RequestBuilder) -> Result<(), CallError> {
        let answer = self.ask(request).await?;
        let status = answer.status().as_u16();
        let refused = match status {
            401 | 403 => self.refused(answer).await,
            400 => match self.refused(answer).await {
                refused @ CallError::NotBilled {
                    scope: Scope::Endpoint,
                    ..
                } => refused,
                _ => return Ok(()),
            },
            _ => return Ok(()),
        };
        meter::status(&self.model, status);
        Err(refused)
    }

    /// Sends a request that costs nothing once, and takes any answer; fails where nobody answers.
    pub(crate) async fn look(&self, request: RequestBuilder) -> Result<Looked, CallError> {
        let answer = self.ask(request).await?;
        let told = answer.headers().get(DATE).and_then(|date| date.to_str().ok());
        let told = told.and_then(|date| httpdate::parse_http_date(date).ok());
        let status = answer.status();
        Ok(Looked {
            status: status.as_u16(),
            clock: told.map(|told| (told, SystemTime::now())),
            answer: match status.is_success() {
                true => read(answer)
                    .await
                    .ok_or_else(|| self.unknown("its answer broke off or was too large")),
                false => Err(self.refused(answer).await),
            },
        })
    }

    /// The address with a version, where it has none and needs one.
    pub(crate) fn with_version(&self) -> Option<String> {
        Some(self.address.with_version(self.api)?.to_string())
    }

    /// Sends a request once, and reads the whole answer.
    pub(crate) async fn fetch(&self, request: RequestBuilder) -> Result<Vec<u8>, CallError> {
        let answer = self.send(request).await?;
        read(answer).await.ok_or_else(|| {
            meter::broken(&self.model);
            self.unknown("its answer broke off or was too large")
        })
    }

    /// An answer that says nothing about what was billed.
    pub(crate) fn unknown(&self, what: impl std::fmt::Display) -> CallError {
        CallError::Unknown {
            reason: format!("{}: {what}", self.place),
            retry_after: None,
        }
    }

    /// An answer of success that cannot be read, with its beginning; or the failure that it states.
    pub(crate) fn unread(&self, unread: Unread, bytes: &[u8]) -> CallError {
        let Unread { what, status } = unread;
        let what = self.redact(what);
        if let Some(status) = status {
            meter::status(&self.model, status);
            let message = shortened(&what);
            let refused = Refused {
                status,
                retry_after: wait::told(&HeaderMap::new(), bytes, SystemTime::now()),
                message: &message,
                // Its status was one of success: nobody said that such answers are free.
                billed_on_error: true,
            };
            return failure::refused(refused, &self.place);
        }
        meter::unreadable(&self.model);
        let text = self.redact(String::from_utf8_lossy(bytes).into_owned());
        let words: Vec<&str> = text.split_whitespace().take(SHOWN_CHARS).collect();
        let beginning: String = words.join(" ").chars().take(SHOWN_CHARS).collect();
        let begins = if beginning.is_empty() {
            "it is empty".to_owned()
        } else {
            format!("it begins `{beginning}`")
        };
        CallError::Unreadable {
            reason: format!("{}: {what}; {begins}", self.place),
        }
    }

    /// A text without what nobody is to see.
    fn redact(&self, text: String) -> String {
        self.secrets
            .iter()
            .fold(text, |text, secret| secret.redact(&text))
    }

    /// What an answer other than success means.
    pub(crate) async fn refused(&self, answer: reqwest::Response) -> CallError {
        let status = answer.status().as_u16();
        let headers = answer.headers().clone();
        let leads_to = answer.status().is_redirection().then(|| redirection(&answer));
        let bytes = read(answer).await.unwrap_or_default();
        let mut message = match leads_to {
            Some(told) => self.redact(told),
            None => stated(&bytes, |text| self.redact(text)),
        };
        if let Some(whole) = self.address.with_version(self.api).filter(|_| status == 404) {
            message.push_str(&format!(
                "; the address lacks a version: write `base_url: {whole}`"
            ));
        }
        let told = wait::told(&headers, &bytes, SystemTime::now());
        let refused = Refused {
            status,
            retry_after: told,
            message: &message,
            billed_on_error: self.billed_on_error,
        };
        failure::refused(refused, &self.place)
    }
}

/// Where a redirect leads, and that nobody follows it. What follows a `?` may be a secret, and is left out.
fn redirection(answer: &reqwest::Response) -> String {
    let location = answer.headers().get(LOCATION);
    let target = location
        .and_then(|location| location.to_str().ok())
        .and_then(|location| answer.url().join(location).ok());
    let Some(mut target) = target else {
        return "a redirect that does not say where to: redirects are not followed, since one could take the key \
                to another host"
            .to_owned();
    };
    target.set_query(None);
    target.set_fragment(None);
    // An address of HTTP takes both.
    let _taken = (target.set_username(""), target.set_password(None));
    format!(
        "a redirect to {target}: redirects are not followed, since one could take the key to another host; write the \
         address that answers as `base_url`"
    )
}

/// The key, and values of headers and of the address that may be secrets, the longest first: one may be a part of another.
fn secrets(key: Option<&Key>, headers: &BTreeMap<String, String>, address: &Address) -> Vec<Key> {
    /// Shorter texts are no secrets, and stand in any message.
    const LENGTH_MIN: usize = 4;
    let of_headers = headers
        .iter()
        .filter(|(name, value)| !is_open_header(name, value))
        .map(|(_, value)| Key::new(value));
    let of_address = address.secrets().into_iter().map(|value| Key::new(&value));
    let mut secrets: Vec<Key> = key
        .cloned()
        .into_iter()
        .chain(of_headers)
        .chain(of_address)
        .collect();
    secrets.retain(|secret| secret.expose().len() >= LENGTH_MIN);
    secrets.sort_by_key(|secret| std::cmp::Reverse(secret.expose().len()));
    secrets
}

fn headers(
    protocol: &dyn Protocol,
    address: &Address,
    key: Option<&Key>,
    own: &BTreeMap<String, String>,
) -> Result<HeaderMap, Error> {
    let mut headers = HeaderMap::new();
    for (name, value) in protocol.headers() {
        headers.insert(*name, HeaderValue::from_static(value));
    }
    for (name, value) in own {
        let wrong = || Error::Header { name: name.clone() };
        let header: HeaderName = name.parse().map_err(|_| wrong())?;
        let mut value: HeaderValue = value.parse().map_err(|_| wrong())?;
        // Headers carry keys at some providers.
        value.set_sensitive(true);
        headers.insert(header, value);
    }
    if let Some(key) = key {
        let (name, text) = protocol.key(key);
        let mut value = HeaderValue::try_from(text).map_err(|_| Error::Key {
            base_url: address.to_string(),
        })?;
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    Ok(headers)
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
