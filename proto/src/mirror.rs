//! Messages that mirror types stored as JSON: what serde needs to carry values from one to the other.
//!
//! `Start`, `Job` and `Trace` have the members of what a run's folder holds, so their conversion is one for all of them: through the
//! stored form. `build.rs` says which messages do so. A member that only one side knows is an error, never left out.

use gristmill_domain::amount::Amount;
use gristmill_domain::stage::Stage;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::{Error, v1};

/// The message of a value, or the value of a message.
///
/// # Errors
/// [`Error::Mirror`] where one has a member that the other has no place for.
pub fn mirrored<A: Serialize, B: DeserializeOwned>(what: &'static str, value: &A) -> Result<B, Error> {
    let wrong = |source| Error::Mirror { what, source };
    let stored = serde_json::to_vec(value).map_err(wrong)?;
    serde_json::from_slice(&stored).map_err(wrong)
}

/// A recipe that a job names, as it is stored: by its name alone, or with a weight.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Chosen {
    Name(String),
    Weighed { recipe: String, weight: f64 },
}

impl From<Chosen> for v1::job::ChosenRecipe {
    fn from(chosen: Chosen) -> Self {
        let (recipe, weight) = match chosen {
            Chosen::Name(recipe) => (recipe, None),
            Chosen::Weighed { recipe, weight } => (recipe, Some(weight)),
        };
        Self { recipe, weight }
    }
}

impl From<v1::job::ChosenRecipe> for Chosen {
    fn from(v1::job::ChosenRecipe { recipe, weight }: v1::job::ChosenRecipe) -> Self {
        match weight {
            None => Self::Name(recipe),
            Some(weight) => Self::Weighed { recipe, weight },
        }
    }
}

impl From<(u32, u32)> for v1::trace::Votes {
    fn from((votes, of): (u32, u32)) -> Self {
        Self { votes, of }
    }
}

impl From<v1::trace::Votes> for (u32, u32) {
    fn from(v1::trace::Votes { votes, of }: v1::trace::Votes) -> Self {
        (votes, of)
    }
}

/// What a stage cost, as it is stored: a pair.
#[derive(Serialize, Deserialize)]
pub(crate) struct StageCost(#[serde(with = "stage")] i32, v1::Amount);

impl From<StageCost> for v1::trace::StageCost {
    fn from(StageCost(stage, amount): StageCost) -> Self {
        Self {
            stage,
            amount: Some(amount),
        }
    }
}

impl From<v1::trace::StageCost> for StageCost {
    fn from(v1::trace::StageCost { stage, amount }: v1::trace::StageCost) -> Self {
        Self(stage, amount.unwrap_or_else(|| Amount::ZERO.into()))
    }
}

/// A stage, stored by its name.
pub(crate) mod stage {
    use serde::{Deserializer, Serializer};

    use super::*;

    pub(crate) fn serialize<S: Serializer>(stage: &i32, serializer: S) -> Result<S::Ok, S::Error> {
        let stage = crate::stage_of(*stage).map_err(serde::ser::Error::custom)?;
        stage.serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i32, D::Error> {
        Stage::deserialize(deserializer).map(|stage| v1::Stage::from(stage).into())
    }
}

/// A JSON document, on the wire as its text.
pub(crate) mod document {
    use serde::{Deserializer, Serializer};
    use serde_json::Value;

    use super::*;

    pub(crate) fn serialize<S: Serializer>(text: &str, serializer: S) -> Result<S::Ok, S::Error> {
        let value: Value = serde_json::from_str(text).map_err(serde::ser::Error::custom)?;
        value.serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
        Value::deserialize(deserializer).map(|value| value.to_string())
    }
}

/// A JSON document that may be left out.
pub(crate) mod optional_document {
    use serde::{Deserializer, Serializer};

    use super::*;

    pub(crate) fn serialize<S: Serializer>(text: &Option<String>, serializer: S) -> Result<S::Ok, S::Error> {
        match text {
            Some(text) => document::serialize(text, serializer),
            None => serializer.serialize_none(),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<String>, D::Error> {
        document::deserialize(deserializer).map(Some)
    }
}

/// JSON documents by name.
pub(crate) mod documents {
    use std::collections::{BTreeMap, HashMap};

    use serde::{Deserializer, Serializer};
    use serde_json::Value;

    use super::*;

    pub(crate) fn serialize<S: Serializer>(
        texts: &HashMap<String, String>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let read = |(name, text): (&String, &String)| {
            let value: Value = serde_json::from_str(text)?;
            Ok((name.clone(), value))
        };
        let values: Result<BTreeMap<String, Value>, serde_json::Error> = texts.iter().map(read).collect();
        values
            .map_err(|error| serde::ser::Error::custom(format!("`body`: {error}")))?
            .serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<HashMap<String, String>, D::Error> {
        let values = BTreeMap::<String, Value>::deserialize(deserializer)?;
        Ok(values
            .into_iter()
            .map(|(name, value)| (name, value.to_string()))
            .collect())
    }
}
