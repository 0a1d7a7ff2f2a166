//! The wire formats: what a request looks like, what an answer says.
//!
//! Each API is one [`Protocol`], and [`protocol`] is the only place that names them all; which of them
//! can be asked in batches is said in `batch.rs`.

mod anthropic;
mod anthropic_answer;
mod events;
mod gemini;
mod gemini_answer;
mod lenient;
mod models;
mod openai;
mod openai_answer;
#[cfg(test)]
mod tests;

use std::fmt;

use gristmill_domain::chat::{Request, Response};
use gristmill_domain::job::{Api, Structured, TokenLimitKey};
use gristmill_ports::model::{CallError, Scope};
use reqwest::header::HeaderName;
use serde_json::{Map, Value};

use crate::key::Key;

pub(crate) use models::{Listed, Page};

/// An API: everything in which it differs from the others.
pub(crate) trait Protocol: fmt::Debug + Send + Sync {
    /// Its provider's name in traces.
    fn provider(&self) -> &'static str;

    /// Headers of every request, unless the job's headers replace them.
    fn headers(&self) -> &'static [(&'static str, &'static str)] {
        &[]
    }

    /// The header that carries the key, and its value.
    fn key(&self, key: &Key) -> (HeaderName, String);

    /// The path below the base URL, and the body.
    ///
    /// # Errors
    /// Why the API cannot take such a request.
    fn request(&self, wire: &Wire, request: &Request) -> Result<(String, Map<String, Value>), &'static str>;

    /// Members of the body that hold settings of their own. A job's members are put into them one by one, and do not replace them whole.
    fn sections(&self) -> &'static [&'static str] {
        &[]
    }

    /// Reads an answer of success to a request for this model.
    fn response(&self, bytes: &[u8], model: &str) -> Result<Response, Unread>;

    /// Where the models are listed, below the base URL, as many on a page as the API allows.
    fn models_path(&self) -> &'static str {
        "/models"
    }

    /// Reads a page of the list of models.
    fn models(&self, bytes: &[u8]) -> Result<Page, Unread> {
        models::data(bytes)
    }
}

/// What an endpoint speaks.
pub(crate) fn protocol(api: Api) -> &'static dyn Protocol {
    match api {
        Api::Openai => &openai::Openai,
        Api::Anthropic => &anthropic::Anthropic,
        Api::Gemini => &gemini::Gemini,
    }
}

/// Reads what an API says of one model.
pub(crate) fn model(bytes: &[u8]) -> Result<Listed, Unread> {
    models::one(bytes)
}

/// How one model is asked.
#[derive(Debug, Clone)]
pub(crate) struct Wire {
    pub(crate) api: Api,
    pub(crate) model: String,
    pub(crate) structured: Structured,
    pub(crate) token_limit_key: TokenLimitKey,
    /// Members of a user's own.
    pub(crate) body: Map<String, Value>,
}

impl Wire {
    /// What the endpoint speaks.
    pub(crate) fn protocol(&self) -> &'static dyn Protocol {
        protocol(self.api)
    }

    /// The path below the base URL, and the body.
    pub(crate) fn request(&self, request: &Request, place: &str) -> Result<(String, Value), CallError> {
        let asked = self.protocol().request(self, request);
        let (path, mut body) = asked.map_err(|reason| CallError::NotBilled {
            reason: format!("{place}: {reason}"),
            retry_after: None,
            scope: Scope::Request,
        })?;
        // A user's own members come last.
        replace(&mut body, &self.body, self.protocol().sections());
        Ok((path, Value::Object(body)))
    }

    /// Reads an answer of success.
    pub(crate) fn response(&self, bytes: &[u8]) -> Result<Response, Unread> {
        self.protocol().response(bytes, &self.model)
    }
}

/// Replaces members of a body by others, or with `null` takes them out; in sections, member by member.
fn replace(body: &mut Map<String, Value>, own: &Map<String, Value>, sections: &[&str]) {
    for (name, value) in own {
        match (value, body.get_mut(name)) {
            (Value::Null, _) => {
                body.remove(name);
            }
            (Value::Object(own), Some(Value::Object(section))) if sections.contains(&name.as_str()) => {
                replace(section, own, &[]);
            }
            _ => {
                body.insert(name.clone(), value.clone());
            }
        }
    }
}

/// Why an answer of success cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unread {
    /// What is wrong with it, or what it says instead.
    pub(crate) what: String,
    /// The status of the failure that it states, where it does: some gateways answer 200 and put the failure into the body.
    pub(crate) status: Option<u16>,
}

impl Unread {
    /// It is not what it should be at all.
    fn garbled(what: &str, error: &str) -> Self {
        format!("its answer is not a {what}: {error}").into()
    }
}

impl From<String> for Unread {
    fn from(what: String) -> Self {
        Self { what, status: None }
    }
}

impl From<&str> for Unread {
    fn from(what: &str) -> Self {
        what.to_owned().into()
    }
}

/// The failure that an object states in its member `error`.
fn stated_error(object: &Value) -> Option<Unread> {
    let error = object.get("error").filter(|error| !error.is_null())?;
    let message = error.get("message").unwrap_or(error);
    let said = message
        .as_str()
        .map_or_else(|| message.to_string(), str::to_owned);
    let status = ["code", "status"]
        .iter()
        .filter_map(|name| error.get(*name).and_then(lenient::count))
        .find_map(|code| u16::try_from(code).ok().filter(|code| (400..600).contains(code)));
    Some(Unread {
        what: match status {
            Some(_) => said,
            None => format!("its answer is an error: {said}"),
        },
        status,
    })
}

/// .8 as .8, not as the nearest f32 spelled out.
fn rounded(value: f32) -> f64 {
    (f64::from(value) * 1e4).round() / 1e4
}
