//! What a model at an endpoint is opened with.

use std::collections::BTreeMap;

use gristmill_domain::job::{Api, Structured, TokenLimitKey};

use crate::key::Key;

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
