//! A model in this process: its name, or its settings.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

/// A local model's name, or its settings: what [`LocalModel`] is read from.
#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only its schema is used")]
pub(super) enum NameOrModel {
    /// A name of the catalogue, or the path of a GGUF file.
    Name(String),
    /// Name and settings.
    Model(LocalModel),
}

/// A model in this process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LocalModel {
    /// A name of the catalogue (`smollm2-135m-instruct`), or the path of a GGUF file, relative to the job file.
    pub name: String,
    /// Sequences decoded at once.
    #[serde(default = "LocalModel::default_slots")]
    pub slots: u32,
    /// Tokens of context for each of them.
    #[serde(default = "LocalModel::default_context")]
    pub context_tokens: u32,
    /// Threads; left out, one for each core.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threads: Option<u32>,
}

impl LocalModel {
    fn default_slots() -> u32 {
        8
    }

    fn default_context() -> u32 {
        1024
    }

    /// The file's stem for a path, the name itself otherwise.
    pub fn name(&self) -> String {
        std::path::Path::new(&self.name).file_stem().map_or_else(
            || self.name.clone(),
            |stem| {
                if self.is_path() {
                    stem.to_string_lossy().into_owned()
                } else {
                    self.name.clone()
                }
            },
        )
    }

    /// True for the path of a file, false for a name of the catalogue.
    pub fn is_path(&self) -> bool {
        self.name.ends_with(".gguf") || self.name.contains('/')
    }
}

impl<'de> Deserialize<'de> for LocalModel {
    /// A bare name stands for a model with default settings.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Full {
            name: String,
            #[serde(default = "LocalModel::default_slots")]
            slots: u32,
            #[serde(default = "LocalModel::default_context")]
            context_tokens: u32,
            #[serde(default)]
            threads: Option<u32>,
        }

        struct Visitor;

        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = LocalModel;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("the name of a local model, or its settings")
            }

            fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<LocalModel, E> {
                Ok(LocalModel {
                    name: name.to_owned(),
                    slots: LocalModel::default_slots(),
                    context_tokens: LocalModel::default_context(),
                    threads: None,
                })
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(self, map: A) -> Result<LocalModel, A::Error> {
                let Full {
                    name,
                    slots,
                    context_tokens,
                    threads,
                } = Full::deserialize(serde::de::value::MapAccessDeserializer::new(map))?;
                Ok(LocalModel {
                    name,
                    slots,
                    context_tokens,
                    threads,
                })
            }
        }

        deserializer.deserialize_any(Visitor)
    }
}
