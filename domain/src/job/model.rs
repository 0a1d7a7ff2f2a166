//! Models as a job names them: an endpoint or a file in this process, with prices and limits.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use super::address::Address;
use super::api::Api;
use super::batch::{self, BatchPrice, Batching, SwitchOrBatching};
use super::local::{Engine, LocalModel, NameOrModel};
use crate::amount::{Amount, MicroUsd};
use crate::chat::{Price, Usage};
use crate::rate::Limits;

/// One value, or a list of them.
#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only its schema is used")]
pub(super) enum OneOrMany<T> {
    /// A single value.
    One(T),
    /// A list.
    Many(Vec<T>),
}

pub(super) fn one_or_many<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    /// Looks at the first token only, so that errors inside keep their own words instead of "matched no variant".
    struct Visitor<T>(std::marker::PhantomData<T>);

    impl<'de, T: Deserialize<'de>> serde::de::Visitor<'de> for Visitor<T> {
        type Value = Vec<T>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("one value or a list of values")
        }

        fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Vec<T>, E> {
            T::deserialize(serde::de::value::StrDeserializer::new(text)).map(|value| vec![value])
        }

        fn visit_map<A: serde::de::MapAccess<'de>>(self, map: A) -> Result<Vec<T>, A::Error> {
            T::deserialize(serde::de::value::MapAccessDeserializer::new(map)).map(|value| vec![value])
        }

        fn visit_seq<A: serde::de::SeqAccess<'de>>(self, seq: A) -> Result<Vec<T>, A::Error> {
            Vec::deserialize(serde::de::value::SeqAccessDeserializer::new(seq))
        }
    }

    deserializer.deserialize_any(Visitor(std::marker::PhantomData))
}

/// A chat model: exactly one of `base_url` with `model`, or `local`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ModelSpec {
    /// Base URL of an endpoint, up to and including `/v1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_url: Option<String>,
    /// What the endpoint speaks; `openai` when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api: Option<Api>,
    /// Model name as the endpoint knows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// A model in this process: a name of the catalogue, a GGUF file, or a folder; with settings, also with an adapter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<NameOrModel>")]
    pub local: Option<LocalModel>,
    /// Environment variable that holds the key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_env: Option<String>,
    /// File that holds the key; relative to the job file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_file: Option<PathBuf>,
    /// Headers sent with every request. What may be a secret in them is never stored or shown, and is not sent to a cluster.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// Headers sent with every request, each with the environment variable that holds its value, such as `{api-key: AZURE_KEY}`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub header_env: BTreeMap<String, String>,
    /// Members added to every request's body; with `null`, members left out of it.
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub body: serde_json::Map<String, serde_json::Value>,
    /// Price in US dollars a million tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<ModelPrice>,
    /// Asks through the provider's batch API (OpenAI's or Anthropic's): answers within a day, at half the price. `true`, or its settings.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "batch::switch"
    )]
    #[schemars(with = "Option<SwitchOrBatching>")]
    pub batch: Option<Batching>,
    /// Requests open at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<u32>,
    /// Requests a minute at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests_per_minute: Option<u32>,
    /// Prompt tokens a minute at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_tokens_per_minute: Option<u64>,
    /// Completion tokens a minute at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_tokens_per_minute: Option<u64>,
    /// Seconds after which a request is given up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_s: Option<u32>,
    /// How structured answers are asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub structured: Option<Structured>,
    /// Name of the body's member that bounds completion tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_limit_key: Option<TokenLimitKey>,
    /// Whether a request that the endpoint fails (5xx) may be billed all the same. `false` books nothing for it; left out, the worst case is
    /// booked, except where the provider documents that it bills no failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub billed_on_error: Option<bool>,
    /// Form of the prompts; `raw` few-shot text suits small base models.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt_form: Option<PromptForm>,
}

/// Hosts of providers that document that they bill no failed request: OpenRouter ("zero completion insurance") and Google ("Gemini API
/// billing FAQs": none that fails with a 400 or 500 error).
const NOT_BILLED_ON_ERROR: [&str; 2] = ["openrouter.ai", "generativelanguage.googleapis.com"];

/// Where a model runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModelSource<'a> {
    /// An endpoint.
    Endpoint {
        /// Base URL.
        base_url: &'a str,
        /// Model name.
        model: &'a str,
    },
    /// In this process.
    Local(&'a LocalModel),
}

impl ModelSpec {
    /// Requests open at once when the job does not say.
    pub const DEFAULT_CONCURRENCY: u32 = 64;

    /// Where the model runs; `None` when the job names both or neither, which [`Job::check`](super::Job::check) reports.
    pub fn source(&self) -> Option<ModelSource<'_>> {
        match (&self.base_url, &self.model, &self.local) {
            (Some(base_url), Some(model), None) => Some(ModelSource::Endpoint { base_url, model }),
            (None, None, Some(local)) => Some(ModelSource::Local(local)),
            _ => None,
        }
    }

    /// The name that books and provenance carry: the endpoint's model, or the local model's name.
    pub fn name(&self) -> String {
        match self.source() {
            Some(ModelSource::Endpoint { model, .. }) => model.to_owned(),
            Some(ModelSource::Local(local)) => local.name(),
            None => String::from("unnamed"),
        }
    }

    /// The price in force: the job's, that of batches where the model is asked in them, or nothing for a local model; `None` is unknown, never
    /// zero.
    pub fn price(&self) -> Option<Price> {
        match (&self.price, &self.local) {
            (Some(price), _) if self.batch.is_some() => price.to_batch_price(),
            (Some(price), _) => price.to_price(),
            (None, Some(_)) => Some(Price::FREE),
            (None, None) => None,
        }
    }

    /// What single calls with the same tokens would have cost more than the batches that were paid; cached tokens are taken for fresh ones.
    pub fn saved_by_batches(&self, paid: Amount) -> MicroUsd {
        let full = self.price.and_then(ModelPrice::to_price);
        let (Some(full), Some(price), Some(_)) = (full, self.price(), self.batch) else {
            return MicroUsd::default();
        };
        let usage = Usage {
            input_tokens: paid.input_tokens,
            cached_input_tokens: 0,
            output_tokens: paid.output_tokens,
        };
        MicroUsd(full.cost(usage).usd.0.saturating_sub(price.cost(usage).usd.0))
    }

    /// Form of the prompts: raw for llama.cpp and chat for others, unless the job says otherwise.
    pub fn prompt_form(&self) -> PromptForm {
        let engine = self.local.as_ref().map(LocalModel::engine);
        self.prompt_form.unwrap_or(match engine {
            Some(Engine::LlamaCpp) => PromptForm::Raw,
            Some(Engine::Native) | None => PromptForm::Chat,
        })
    }

    /// How structured answers are asked for: by JSON Schema at endpoints, not at all in this process.
    pub fn structured(&self) -> Structured {
        self.structured.unwrap_or(if self.local.is_some() {
            Structured::None
        } else {
            Structured::JsonSchema
        })
    }

    /// Requests open at once, or in one batch.
    pub fn concurrency(&self) -> u32 {
        self.concurrency.unwrap_or(match (&self.local, &self.batch) {
            (Some(local), _) => local.slots,
            (None, Some(batch)) => batch.requests,
            (None, None) => Self::DEFAULT_CONCURRENCY,
        })
    }

    /// What the endpoint speaks.
    pub fn api(&self) -> Api {
        self.api.unwrap_or_default()
    }

    /// What the provider allows in a minute.
    pub fn limits(&self) -> Limits {
        Limits {
            requests: self.requests_per_minute,
            input_tokens: self.input_tokens_per_minute,
            output_tokens: self.output_tokens_per_minute,
        }
    }

    /// Whether a request that the endpoint fails may be billed: what the job says, else what the provider documents, else yes.
    pub fn billed_on_error(&self) -> bool {
        let documented_free = || {
            let address = Address::parse(self.base_url.as_deref()?, self.api()).ok()?;
            let host = address.host();
            Some(
                NOT_BILLED_ON_ERROR
                    .iter()
                    .any(|known| host == *known || host.ends_with(&format!(".{known}"))),
            )
        };
        self.billed_on_error
            .unwrap_or_else(|| !documented_free().unwrap_or(false))
    }

    /// Seconds after which a request is given up.
    pub fn timeout_s(&self) -> u32 {
        self.timeout_s.unwrap_or(120)
    }
}

/// Price in US dollars a million tokens.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ModelPrice {
    /// Prompt tokens.
    pub input: f64,
    /// Prompt tokens read from the provider's cache; the same as `input` when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached_input: Option<f64>,
    /// Prompt tokens written to the provider's cache, where it bills that: at Anthropic 1.25 × `input` for five minutes, 2 × for an hour. The
    /// worst case of a request then counts every prompt token as written; left out, none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_write: Option<f64>,
    /// Completion tokens.
    pub output: f64,
    /// The price in batches; half of the others when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch: Option<BatchPrice>,
}

impl ModelPrice {
    /// In integers; `None` for a negative, infinite or absurd price.
    pub fn to_price(self) -> Option<Price> {
        let micros = |usd: f64| crate::amount::MicroUsd::from_usd_ceil(usd).map(|micros| micros.0);
        let cache_write = match self.cache_write {
            Some(usd) => Some(micros(usd)?),
            None => None,
        };
        Some(Price {
            input: micros(self.input)?,
            cached_input: micros(self.cached_input.unwrap_or(self.input))?,
            output: micros(self.output)?,
            cache_write,
        })
    }

    /// That of requests in batches, in integers; `None` as above.
    pub fn to_batch_price(self) -> Option<Price> {
        match self.batch {
            None => self.to_price().map(batch::half),
            Some(BatchPrice {
                input,
                cached_input,
                cache_write,
                output,
            }) => Self {
                input,
                cached_input,
                cache_write,
                output,
                batch: None,
            }
            .to_price(),
        }
    }

    /// True when every part of it is an amount that somebody may ask.
    pub fn is_sane(self) -> bool {
        let sane = |usd: f64| (0.0..=100_000.0).contains(&usd);
        let batch = self.batch.is_none_or(|batch| {
            sane(batch.input)
                && sane(batch.output)
                && batch.cached_input.is_none_or(sane)
                && batch.cache_write.is_none_or(sane)
        });
        sane(self.input)
            && sane(self.output)
            && self.cached_input.is_none_or(sane)
            && self.cache_write.is_none_or(sane)
            && batch
    }
}

/// How structured answers are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Structured {
    /// The API's output format with a JSON Schema.
    JsonSchema,
    /// A tool that the model must call, with the JSON Schema as its input: for models without an output format.
    Tool,
    /// `response_format` for any JSON object; the prompt names the members.
    JsonObject,
    /// Plain text, parsed by its last line.
    None,
}

/// Name of the body's member that bounds completion tokens.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TokenLimitKey {
    /// What most servers know.
    #[default]
    MaxTokens,
    /// What reasoning models want.
    MaxCompletionTokens,
}

/// Form of a prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PromptForm {
    /// Messages through the model's chat template.
    Chat,
    /// Text that the model continues.
    Raw,
}

/// A model that generates.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Teacher {
    /// The model.
    #[serde(flatten)]
    pub spec: ModelSpec,
    /// Share of the work among several teachers, relative to the others' weights; 0 for a model that is only asked in the role that
    /// `generate.roles` gives to it.
    #[serde(default = "Teacher::default_weight")]
    pub weight: f64,
    /// Whether it is the student, or descends from it; left out, names decide: that of `student.model`, or of its family.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub related_to_student: Option<bool>,
    /// Most synthetic ancestors of the rows that it was trained on: 0 for a model that no lineage of yours made, else the `depth` of the
    /// generation that it is the student of. Its own rows are one deeper.
    #[serde(default, skip_serializing_if = "Teacher::is_surface")]
    pub lineage_depth: u8,
}

impl Teacher {
    /// Synthetic ancestors of its rows, themselves included.
    pub fn row_depth(&self) -> u8 {
        self.lineage_depth.saturating_add(1)
    }

    /// True where rows are drawn for it; false where it is only asked in a role.
    pub fn makes_rows(&self) -> bool {
        self.weight > 0.0
    }

    fn is_surface(depth: &u8) -> bool {
        *depth == 0
    }

    fn default_weight() -> f64 {
        1.0
    }
}

/// A model that grades.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Judge {
    /// The model.
    #[serde(flatten)]
    pub spec: ModelSpec,
    /// Which rows are graded.
    #[serde(default)]
    pub when: JudgeWhen,
    /// Points of five from which a row is accepted, averaged over the judgements.
    #[serde(default = "Judge::default_accept_at")]
    pub accept_at: f64,
    /// Judgements of one row.
    #[serde(default = "Judge::default_samples")]
    pub samples: u32,
}

impl Judge {
    fn default_accept_at() -> f64 {
        4.0
    }

    fn default_samples() -> u32 {
        1
    }
}

/// Which rows are graded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum JudgeWhen {
    /// Those that neither a reference nor the agreement of several answers has settled.
    #[default]
    Unverified,
    /// Every row that reached the judge.
    Always,
}

/// The sentence-embedding model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Embed {
    /// `off`, a name of the catalogue (`all-minilm-l6-v2`), or a folder with the model's files, relative to the job file.
    pub model: String,
    /// Texts in one call.
    pub batch: u32,
}

/// Where embeddings come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EmbedSource<'a> {
    /// Nothing is embedded: no semantic check, no embedding decontamination.
    Off,
    /// A catalogue name or a folder.
    Local(&'a str),
}

impl Embed {
    /// Where embeddings come from.
    pub fn source(&self) -> EmbedSource<'_> {
        match self.model.as_str() {
            "off" => EmbedSource::Off,
            name => EmbedSource::Local(name),
        }
    }
}

impl Default for Embed {
    fn default() -> Self {
        Self {
            model: "all-minilm-l6-v2".into(),
            batch: 32,
        }
    }
}
