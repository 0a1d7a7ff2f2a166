//! Asking a model through its provider's batch API: slower, and cheaper.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use crate::chat::Price;

/// How a model is asked in batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Batching {
    /// Requests of one batch at most. On a cluster, a worker's slots bound it too.
    pub requests: u32,
    /// Seconds between the first looks at a batch that is worked on; they become rarer, up to ten times that.
    pub poll_s: u32,
}

impl Default for Batching {
    fn default() -> Self {
        Self {
            requests: 1_000,
            poll_s: 30,
        }
    }
}

/// What [`Batching`] is read from.
#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only its schema is used")]
pub(super) enum SwitchOrBatching {
    /// Whether the model is asked in batches.
    Switch(bool),
    /// How.
    Batching(Batching),
}

/// Reads `true`, `false`, or settings.
pub(super) fn switch<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Batching>, D::Error> {
    struct Visitor;

    impl<'de> serde::de::Visitor<'de> for Visitor {
        type Value = Option<Batching>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("`true`, `false`, or the settings of batches")
        }

        fn visit_bool<E: serde::de::Error>(self, on: bool) -> Result<Self::Value, E> {
            Ok(on.then(Batching::default))
        }

        fn visit_unit<E: serde::de::Error>(self) -> Result<Self::Value, E> {
            Ok(None)
        }

        fn visit_map<A: serde::de::MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
            Batching::deserialize(serde::de::value::MapAccessDeserializer::new(map)).map(Some)
        }
    }

    deserializer.deserialize_any(Visitor)
}

/// Price of requests in batches, in US dollars a million tokens.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BatchPrice {
    /// Prompt tokens.
    pub input: f64,
    /// Prompt tokens read from the provider's cache; the same as `input` when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached_input: Option<f64>,
    /// Prompt tokens written to the provider's cache, where it bills that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_write: Option<f64>,
    /// Completion tokens.
    pub output: f64,
}

/// What batches cost where nobody says otherwise: half the price, rounded up.
///
/// OpenAI (its guide "Batch API") and Anthropic ("Batch processing") both give half of the price of single calls.
pub(super) fn half(price: Price) -> Price {
    Price {
        input: price.input.div_ceil(2),
        cached_input: price.cached_input.div_ceil(2),
        output: price.output.div_ceil(2),
        cache_write: price.cache_write.map(|write| write.div_ceil(2)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::ModelSpec;

    fn spec(batch: serde_json::Value, price: serde_json::Value) -> ModelSpec {
        let spec =
            serde_json::json!({"base_url": "http://h/v1", "model": "m", "batch": batch, "price": price});
        serde_json::from_value(spec).unwrap()
    }

    #[test]
    fn a_switch_or_settings_are_read() {
        let price = serde_json::json!({"input": 1.0, "output": 2.0});
        let read = |batch: serde_json::Value| spec(batch, price.clone()).batch;
        assert_eq!(read(true.into()), Some(Batching::default()));
        assert_eq!(read(false.into()), None);
        let own = serde_json::json!({"poll_s": 5});
        let expected = Batching {
            poll_s: 5,
            ..Batching::default()
        };
        assert_eq!(read(own), Some(expected));
        let wrong = serde_json::json!({"base_url": "u", "model": "m", "batch": {"pol_s": 5}});
        assert!(serde_json::from_value::<ModelSpec>(wrong).is_err());
    }

    #[test]
    fn a_batch_costs_half_unless_its_price_is_known() {
        let own = serde_json::json!({"input": 3.0, "output": 15.0});
        let priced = |batch: bool, price: serde_json::Value| spec(batch.into(), price).price().unwrap();
        let full = priced(false, own.clone());
        assert_eq!((full.input, full.output), (3_000_000, 15_000_000));
        let halved = priced(true, own);
        assert_eq!(
            (halved.input, halved.cached_input, halved.output),
            (1_500_000, 1_500_000, 7_500_000)
        );
        let known =
            serde_json::json!({"input": 3.0, "output": 15.0, "batch": {"input": 2.0, "output": 10.0}});
        assert_eq!(priced(false, known.clone()).input, 3_000_000);
        assert_eq!(priced(true, known).output, 10_000_000);
    }

    #[test]
    fn cache_writes_have_a_price_where_the_job_states_one() {
        let price = |batch: bool, price| spec(batch.into(), price).price().unwrap().cache_write;
        let stated = serde_json::json!({"input": 3.0, "cache_write": 3.75, "output": 15.0});
        assert_eq!(price(false, stated.clone()), Some(3_750_000));
        assert_eq!(price(true, stated), Some(1_875_000));
        let own = serde_json::json!({"input": 3.0, "cache_write": 6.0, "output": 15.0, "batch": {"input": 1.5, "output": 7.5}});
        assert_eq!(price(true, own), None, "the price of batches states none");
        assert_eq!(
            price(false, serde_json::json!({"input": 3.0, "output": 15.0})),
            None
        );
        let absurd = spec(
            false.into(),
            serde_json::json!({"input": 3.0, "cache_write": -1.0, "output": 15.0}),
        );
        assert!(!absurd.price.unwrap().is_sane());
    }
}
