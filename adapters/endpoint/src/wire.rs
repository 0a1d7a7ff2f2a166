//! The two wire formats: what a request looks like, what an answer says.

mod anthropic;
mod anthropic_answer;
mod events;
mod lenient;
mod openai;
mod openai_answer;
#[cfg(test)]
mod tests;

use gristmill_domain::chat::{Request, Response};
use gristmill_domain::job::{Api, Structured, TokenLimitKey};
use gristmill_ports::model::{CallError, Scope};
use serde_json::{Map, Value};

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
    /// The path below the base URL, and the body.
    pub(crate) fn request(&self, request: &Request, place: &str) -> Result<(&'static str, Value), CallError> {
        let (path, mut body) = match self.api {
            Api::Openai => openai::body(self, request),
            Api::Anthropic => anthropic::body(self, request).ok_or_else(|| CallError::NotBilled {
                reason: format!("{place}: Anthropic's API takes messages only, no raw text"),
                retry_after: None,
                scope: Scope::Request,
            })?,
        };
        // A user's own members come last: they may replace any of the others, or with `null` take it out.
        for (name, value) in &self.body {
            if value.is_null() {
                body.remove(name);
            } else {
                body.insert(name.clone(), value.clone());
            }
        }
        Ok((path, Value::Object(body)))
    }

    /// Reads an answer of success.
    pub(crate) fn response(&self, bytes: &[u8]) -> Result<Response, Unread> {
        match self.api {
            Api::Openai => openai_answer::response(bytes, &self.model),
            Api::Anthropic => anthropic_answer::response(bytes, &self.model),
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
