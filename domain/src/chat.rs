//! What is said to a chat model and what comes back, free of any provider's wire format.

mod bill;
pub mod sampler;
pub mod template;

use serde::{Deserialize, Serialize};

use crate::amount::Amount;

pub use bill::Reported;

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Instructions that frame the conversation.
    System,
    /// The asking side.
    User,
    /// The answering side.
    Assistant,
}

/// One message of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// What is said.
    pub content: String,
}

/// A prompt: a conversation, or raw text for the model to continue (what small base models need).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Prompt {
    /// Sent through the model's chat template.
    Chat(Vec<Message>),
    /// Continued as it stands.
    Raw(String),
}

impl Prompt {
    /// Bytes of text in the prompt.
    pub fn text_bytes(&self) -> usize {
        match self {
            Self::Chat(messages) => messages.iter().map(|m| m.content.len()).sum(),
            Self::Raw(text) => text.len(),
        }
    }

    /// Its messages; a raw prompt is one.
    fn messages(&self) -> usize {
        match self {
            Self::Chat(messages) => messages.len(),
            Self::Raw(_) => 1,
        }
    }
}

/// One request to a chat model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// What is said.
    pub prompt: Prompt,
    /// Upper bound on completion tokens, reasoning included: mandatory, since the worst case is priced by it.
    pub max_tokens: u32,
    /// Sampling temperature; 0 is greedy.
    pub temperature: f32,
    /// Nucleus sampling mass.
    pub top_p: f32,
    /// Sampling seed, for endpoints that honour one.
    pub seed: u32,
    /// Texts that end the completion.
    pub stop: Vec<String>,
    /// JSON Schema that the answer must satisfy, with a name, where the endpoint supports structured output.
    pub schema: Option<OutputSchema>,
}

/// A named JSON Schema for structured output.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OutputSchema {
    /// Name sent along with the schema.
    pub name: String,
    /// The schema.
    pub schema: serde_json::Value,
}

/// The schema of an object, strict as endpoints want it: every member required, none beside them.
pub(crate) fn strict_object(properties: serde_json::Map<String, serde_json::Value>) -> serde_json::Value {
    let names: Vec<String> = properties.keys().cloned().collect();
    serde_json::json!({"type": "object", "properties": properties, "required": names, "additionalProperties": false})
}

/// Why a completion ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Finish {
    /// The model ended by itself, or at a stop text.
    Stop,
    /// `max_tokens` was reached.
    Length,
    /// The provider's filter cut the answer.
    ContentFilter,
    /// Anything else a provider may say.
    Other,
}

/// A completion that was paid for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Response {
    /// The completion.
    pub text: String,
    /// The model's thinking, where its provider hands it out apart from the completion; empty otherwise.
    #[serde(default)]
    pub thinking: String,
    /// Why it ended.
    pub finish: Finish,
    /// Tokens as the provider reported them: [`Price::booked`] says what of it is believed.
    #[serde(default)]
    pub usage: Reported,
    /// The exact model that answered, as the provider names it.
    pub model_version: String,
}

/// How likely a text is to a model.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Likelihood {
    /// Sum of the natural logarithms of its tokens' probabilities, in nats: 0 for what is certain, negative for the rest.
    pub log_likelihood: f64,
    /// Its tokens. What ends an answer is not one of them.
    pub tokens: u32,
}

impl Likelihood {
    /// Perplexity: `exp(-LL / tokens)` (Jelinek et al. 1977), 1 for what is certain. Comes of the model's own tokens. Not a number without any.
    pub fn perplexity(&self) -> f64 {
        (-self.log_likelihood / f64::from(self.tokens)).exp()
    }

    /// `-LL / (ln 2 * bytes)`: bits that the model needs for a byte of a text of so many (Gao et al. 2020, arXiv 2101.00027). Models with different
    /// vocabularies can be compared by it. Not a number for a text of none.
    pub fn bits_per_byte(&self, bytes: u64) -> f64 {
        -self.log_likelihood / (std::f64::consts::LN_2 * bytes as f64)
    }
}

/// Tokens of one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Prompt tokens, cached ones included.
    pub input_tokens: u64,
    /// Of those, read from the provider's cache.
    pub cached_input_tokens: u64,
    /// Completion tokens.
    pub output_tokens: u64,
}

/// Prices of one model in micro-dollars per million tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Price {
    /// Prompt tokens.
    pub input: u64,
    /// Prompt tokens read from the provider's cache.
    pub cached_input: u64,
    /// Completion tokens.
    pub output: u64,
    /// Prompt tokens that are written to the provider's cache, where the provider bills that and the job states its price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_write: Option<u64>,
}

impl Price {
    /// The explicit price of a local model.
    pub const FREE: Self = Self {
        input: 0,
        cached_input: 0,
        output: 0,
        cache_write: None,
    };

    /// Cost of one call, rounded up to a micro-dollar.
    pub fn cost(self, usage: Usage) -> Amount {
        let fresh = usage.input_tokens.saturating_sub(usage.cached_input_tokens);
        let cached = usage.cached_input_tokens.min(usage.input_tokens);
        let scaled = u128::from(fresh) * u128::from(self.input)
            + u128::from(cached) * u128::from(self.cached_input)
            + u128::from(usage.output_tokens) * u128::from(self.output);
        Amount {
            usd: crate::amount::MicroUsd(u64::try_from(scaled.div_ceil(1_000_000)).unwrap_or(u64::MAX)),
            calls: 1,
            input_tokens: usage.input_tokens,
            output_tokens: usage.output_tokens,
        }
    }

    /// Upper bound on the cost of a request: every prompt byte a token (byte-level tokenizers never emit more), plus a
    /// fixed allowance for the chat template and for what providers add to explain an output format (about 350 tokens for a
    /// forced tool at Anthropic), at the dearest input price, that of cache writes included where it is stated; `max_tokens` at the
    /// output price.
    pub fn worst_case(self, request: &Request) -> Amount {
        self.at_its_dearest(Self::worst_usage(request))
    }

    /// Upper bound on the cost of scoring texts behind a prompt, which generates nothing: the [`worst_case`](Self::worst_case) of one request
    /// that says all of them.
    pub fn worst_case_of_score(self, prompt: &Prompt, continuations: &[String]) -> Amount {
        let texts: usize = continuations.iter().map(String::len).sum();
        self.at_its_dearest(Usage {
            input_tokens: prompt_tokens(
                prompt.text_bytes() + texts,
                prompt.messages() + continuations.len(),
            ),
            cached_input_tokens: 0,
            output_tokens: 0,
        })
    }

    /// The cost of these tokens where all of the prompt has the dearest input price.
    fn at_its_dearest(self, usage: Usage) -> Amount {
        let input = self
            .input
            .max(self.cached_input)
            .max(self.cache_write.unwrap_or(0));
        let dearest = Self {
            cached_input: input,
            input,
            ..self
        };
        dearest.cost(usage)
    }

    /// The tokens of the worst case.
    fn worst_usage(request: &Request) -> Usage {
        const SCHEMA_TOKENS: u64 = 512;
        let schema = request
            .schema
            .as_ref()
            .map_or(0, |s| SCHEMA_TOKENS + s.schema.to_string().len() as u64);
        Usage {
            input_tokens: prompt_tokens(request.prompt.text_bytes(), request.prompt.messages()) + schema,
            cached_input_tokens: 0,
            output_tokens: request.max_tokens.into(),
        }
    }
}

/// Upper bound on the tokens of a prompt of so many bytes of text in so many messages, with what a chat template adds.
fn prompt_tokens(bytes: usize, messages: usize) -> u64 {
    const TEMPLATE_TOKENS: u64 = 64;
    const TEMPLATE_TOKENS_A_MESSAGE: u64 = 16;
    bytes as u64 + TEMPLATE_TOKENS + TEMPLATE_TOKENS_A_MESSAGE * messages as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cost_rounds_up_and_worst_case_bounds_it() {
        let price = Price {
            input: 150_000,
            cached_input: 75_000,
            output: 600_000,
            cache_write: None,
        };
        let usage = Usage {
            input_tokens: 10,
            cached_input_tokens: 4,
            output_tokens: 3,
        };
        // (6·150000 + 4·75000 + 3·600000) / 10^6 = 3.0
        assert_eq!(price.cost(usage).usd.0, 3);
        assert_eq!(
            price
                .cost(Usage {
                    output_tokens: 4,
                    ..usage
                })
                .usd
                .0,
            4,
            "3.6 rounds up"
        );
        let request = Request {
            prompt: Prompt::Raw("ten bytes!".into()),
            max_tokens: 3,
            temperature: 0.0,
            top_p: 1.0,
            seed: 0,
            stop: vec![],
            schema: None,
        };
        assert!(price.cost(usage).fits_in(price.worst_case(&request)));
        let writing = Price {
            cache_write: Some(187_500),
            ..price
        };
        // 90 tokens of prompt at 0.1875, and 3 of completion at 0.6.
        assert_eq!(
            price.worst_case(&request).usd.0,
            (90 * 150_000 + 3 * 600_000_u64).div_ceil(1_000_000)
        );
        assert_eq!(
            writing.worst_case(&request).usd.0,
            (90 * 187_500 + 3 * 600_000_u64).div_ceil(1_000_000)
        );
        let cheaper = Price {
            cache_write: Some(1),
            ..price
        };
        assert_eq!(cheaper.worst_case(&request), price.worst_case(&request));
    }

    #[test]
    fn scoring_texts_costs_at_most_what_a_request_that_says_them_costs() {
        let price = Price {
            input: 150_000,
            cached_input: 75_000,
            output: 600_000,
            cache_write: Some(187_500),
        };
        let said = |role, content: &str| Message {
            role,
            content: content.to_owned(),
        };
        let user = said(Role::User, "Is it so?");
        let texts = ["yes".to_owned(), "nö".to_owned()];
        let all = vec![
            user.clone(),
            said(Role::Assistant, &texts[0]),
            said(Role::Assistant, &texts[1]),
        ];
        let request = Request {
            prompt: Prompt::Chat(all),
            max_tokens: 0,
            temperature: 0.0,
            top_p: 1.0,
            seed: 0,
            stop: vec![],
            schema: None,
        };
        for prompt in [Prompt::Raw(user.content.clone()), Prompt::Chat(vec![user])] {
            assert_eq!(
                price.worst_case_of_score(&prompt, &texts),
                price.worst_case(&request)
            );
        }
    }
}
