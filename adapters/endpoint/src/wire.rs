//! The two wire formats: what a request looks like, what an answer says.

pub(crate) mod anthropic;
pub(crate) mod openai;

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

    /// Reads an answer; the error says what is missing.
    pub(crate) fn response(&self, bytes: &[u8]) -> Result<Response, String> {
        match self.api {
            Api::Openai => openai::response(bytes, &self.model),
            Api::Anthropic => anthropic::response(bytes, &self.model),
        }
    }
}

/// .8 as .8, not as the nearest f32 spelled out.
fn rounded(value: f32) -> f64 {
    (f64::from(value) * 1e4).round() / 1e4
}
