//! The two languages that the service speaks.

use serde_json::Value;

use super::books::Amounts;
use super::config::Config;
use super::reply::Reply;
use super::wire::{self, Chat, Refusal};
use super::{messages, service};

/// A wire format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Speech {
    Openai,
    Anthropic,
}

impl Speech {
    pub(crate) fn read(self, body: &[u8], config: &Config) -> Result<Chat, Refusal> {
        match self {
            Self::Openai => wire::chat(body, config),
            Self::Anthropic => messages::chat(body, config),
        }
    }

    pub(crate) fn answer(
        self,
        model: &str,
        request: u64,
        reply: &Reply,
        tool: Option<&str>,
        usage: Option<Amounts>,
    ) -> Value {
        match self {
            Self::Openai => service::completion(model, request, reply, tool, usage),
            Self::Anthropic => messages::answer(model, request, reply, tool, usage),
        }
    }

    /// Status and body of a refusal.
    pub(crate) fn refusal(self, refusal: &Refusal) -> (u16, Value) {
        match self {
            Self::Openai => (refusal.status, refusal.body()),
            Self::Anthropic => messages::refusal(refusal),
        }
    }
}
