//! A model in this process: its name, or its settings.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

/// A local model's name, or its settings: what [`LocalModel`] is read from.
#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only its schema is used")]
pub(super) enum NameOrModel {
    /// A name of the catalogue, or the path of a GGUF file or of a folder.
    Name(String),
    /// Name and settings.
    Model(LocalModel),
}

/// A model in this process.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LocalModel {
    /// A name of the catalogue (`smollm2-135m-instruct`), or a path, relative to the job file: of a GGUF file, of a folder in Hugging Face layout, or
    /// of a student that `gristmill train` trained whole. A path has a `/` in it, or ends in `.gguf`.
    pub name: String,
    /// A folder with an adapter to put on the model, relative to the job file: in the layout of PEFT, or the folder of a student as
    /// `gristmill train` writes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adapter: Option<PathBuf>,
    /// What computes it. Left out: `native` with an adapter or for a folder, else `llama_cpp`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine: Option<Engine>,
    /// Sequences decoded at once.
    #[serde(default = "LocalModel::default_slots")]
    pub slots: u32,
    /// Tokens of context for each of them, prompt and answer together. Left out: 1024 with `llama_cpp`, which takes memory for them all at the
    /// start, and what the model was made for with `native`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context_tokens: Option<u32>,
    /// Threads, with `llama_cpp`; left out, one for each core.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threads: Option<u32>,
}

/// What computes a local model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Engine {
    /// The program's own: Llama and Qwen models in 32 bits, with adapters, from GGUF or Hugging Face layout. It answers through the model's chat
    /// template and knows likelihoods.
    Native,
    /// llama.cpp: GGUF models of any kind, with their weights as small as they are in the file.
    LlamaCpp,
}

/// True of a model's name that is a path: a `.gguf` file, or a folder. Others are names of the catalogue.
pub fn is_model_path(name: &str) -> bool {
    name.ends_with(".gguf") || name.contains('/')
}

impl LocalModel {
    /// Tokens of context with llama.cpp when the job does not say.
    const LLAMA_CPP_CONTEXT: u32 = 1024;

    fn default_slots() -> u32 {
        8
    }

    /// A model with default settings.
    pub fn of(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            adapter: None,
            engine: None,
            slots: Self::default_slots(),
            context_tokens: None,
            threads: None,
        }
    }

    /// The name that books and provenance carry: that of the base, and with an adapter `+` and its student's name.
    pub fn name(&self) -> String {
        match &self.adapter {
            None => self.base_name(),
            Some(adapter) => format!("{}+{}", self.base_name(), folder_name(adapter, "adapter")),
        }
    }

    /// The model without its adapter: the name itself of the catalogue, else a file's name without its ending, or a folder's.
    pub fn base_name(&self) -> String {
        let path = Path::new(&self.name);
        if !self.is_path() {
            return self.name.clone();
        }
        if self.is_folder() {
            return folder_name(path, "model");
        }
        let stem = path.file_stem();
        stem.map_or_else(|| self.name.clone(), |stem| stem.to_string_lossy().into_owned())
    }

    /// True for a path, false for a name of the catalogue.
    pub fn is_path(&self) -> bool {
        is_model_path(&self.name)
    }

    /// True for the path of a folder. What llama.cpp is to compute is a file, whatever it is called.
    fn is_folder(&self) -> bool {
        self.is_path() && !self.name.ends_with(".gguf") && self.engine != Some(Engine::LlamaCpp)
    }

    /// What computes it. It follows from the job alone, so that a job means the same wherever it runs.
    pub fn engine(&self) -> Engine {
        self.engine
            .unwrap_or(match self.adapter.is_some() || self.is_folder() {
                true => Engine::Native,
                false => Engine::LlamaCpp,
            })
    }

    /// Tokens of context in force; `None` is what the model was made for.
    pub fn context_tokens(&self) -> Option<u32> {
        self.context_tokens.or(match self.engine() {
            Engine::Native => None,
            Engine::LlamaCpp => Some(Self::LLAMA_CPP_CONTEXT),
        })
    }
}

/// A folder's own name; that of the folder around it where it is called as the part of a student's folder that holds the weights.
fn folder_name(path: &Path, part: &str) -> String {
    let last = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned());
    let own = last(path);
    let around = || path.parent().and_then(last);
    match own {
        Some(own) if own == part => around().unwrap_or(own),
        Some(own) => own,
        None => path.display().to_string(),
    }
}

impl<'de> Deserialize<'de> for LocalModel {
    /// A bare name stands for a model with default settings.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Full {
            name: String,
            #[serde(default)]
            adapter: Option<PathBuf>,
            #[serde(default)]
            engine: Option<Engine>,
            #[serde(default = "LocalModel::default_slots")]
            slots: u32,
            #[serde(default)]
            context_tokens: Option<u32>,
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
                Ok(LocalModel::of(name))
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(self, map: A) -> Result<LocalModel, A::Error> {
                let Full {
                    name,
                    adapter,
                    engine,
                    slots,
                    context_tokens,
                    threads,
                } = Full::deserialize(serde::de::value::MapAccessDeserializer::new(map))?;
                Ok(LocalModel {
                    name,
                    adapter,
                    engine,
                    slots,
                    context_tokens,
                    threads,
                })
            }
        }

        deserializer.deserialize_any(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(written: serde_json::Value) -> LocalModel {
        serde_json::from_value(written).unwrap()
    }

    #[test]
    fn a_model_and_its_students_have_names_of_their_own() {
        let name = |written| read(written).name();
        assert_eq!(name(json!("smollm2-135m-instruct")), "smollm2-135m-instruct");
        assert_eq!(name(json!("models/mine.gguf")), "mine");
        let with = |base: &str, adapter: &str| name(json!({"name": base, "adapter": adapter}));
        let base = "smollm2-135m-instruct";
        assert_eq!(with(base, "out/student"), "smollm2-135m-instruct+student");
        assert_eq!(with(base, "out/student/"), "smollm2-135m-instruct+student");
        assert_eq!(with(base, "out/student/adapter"), "smollm2-135m-instruct+student");
        assert_eq!(
            with("m.gguf", "adapter"),
            "m+adapter",
            "a folder with no other around it"
        );
        // A folder's name has no ending, whatever is behind its last point.
        assert_eq!(name(json!("models/Qwen2.5-0.5B")), "Qwen2.5-0.5B");
        assert_eq!(name(json!("students/whole/model")), "whole");
        assert_eq!(name(json!("./whole")), "whole");
    }

    #[test]
    fn the_engine_follows_from_the_job() {
        let engine = |written| read(written).engine();
        assert_eq!(engine(json!("smollm2-135m-instruct")), Engine::LlamaCpp);
        assert_eq!(engine(json!("models/mine.gguf")), Engine::LlamaCpp);
        assert_eq!(engine(json!("models/mine")), Engine::Native);
        assert_eq!(
            engine(json!({"name": "m.gguf", "adapter": "student"})),
            Engine::Native
        );
        assert_eq!(
            engine(json!({"name": "m.gguf", "engine": "native"})),
            Engine::Native
        );
        let file = read(json!({"name": "models/mine.bin", "engine": "llama_cpp"}));
        assert_eq!((file.engine(), file.name().as_str()), (Engine::LlamaCpp, "mine"));
        assert_eq!(file.context_tokens(), Some(1024));
        assert_eq!(read(json!("models/mine")).context_tokens(), None);
    }
}
