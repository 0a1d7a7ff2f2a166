//! What endpoints speak.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What an endpoint speaks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Api {
    /// OpenAI's chat completions, which vLLM, llama.cpp, Ollama and most others speak, too.
    #[default]
    Openai,
    /// Anthropic's Messages. It knows no sampling seed, temperatures up to 1, and either a temperature or `top_p`: `generate.top_p` is
    /// sent at temperature 1 only.
    Anthropic,
    /// Google's Gemini API in its own form (`generateContent`), with the base URL up to and including `/v1beta`. It takes no raw text
    /// (`prompt_form: raw`), five stop texts at most, and no batches here. What a job adds under `body.generationConfig`, such as
    /// `thinkingConfig`, is put beside the usual members. Thinking counts against `generate.max_tokens`.
    Gemini,
}

impl Api {
    /// As a job names it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Openai => "openai",
            Self::Anthropic => "anthropic",
            Self::Gemini => "gemini",
        }
    }

    /// How messages of the client say which API an endpoint speaks, behind its address: nothing for the usual one.
    pub fn mark(self) -> String {
        match self {
            Self::Openai => String::new(),
            Self::Anthropic | Self::Gemini => format!(" (api: {})", self.word()),
        }
    }

    /// Whose API it is, for messages.
    pub fn owner(self) -> &'static str {
        match self {
            Self::Openai => "OpenAI",
            Self::Anthropic => "Anthropic",
            Self::Gemini => "Gemini",
        }
    }
}
