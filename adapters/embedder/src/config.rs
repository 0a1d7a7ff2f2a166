//! The encoder's shape, from its `config.json`.

use std::path::Path;

use serde::Deserialize;

use crate::Error;

/// The fields of a BERT configuration that decide the computation.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(crate) struct Config {
    pub(crate) hidden_size: usize,
    pub(crate) intermediate_size: usize,
    pub(crate) num_hidden_layers: usize,
    pub(crate) num_attention_heads: usize,
    pub(crate) vocab_size: usize,
    pub(crate) max_position_embeddings: usize,
    pub(crate) type_vocab_size: usize,
    pub(crate) layer_norm_eps: f32,
    hidden_act: String,
    #[serde(default)]
    position_embedding_type: Option<String>,
}

impl Config {
    pub(crate) fn read(path: &Path) -> Result<Self, Error> {
        let text = std::fs::read(path).map_err(|source| Error::Io {
            path: path.to_owned(),
            source,
        })?;
        let config: Self = serde_json::from_slice(&text).map_err(|error| Error::Format {
            path: path.to_owned(),
            expected: "BERT configuration",
            reason: error.to_string(),
        })?;
        match config.obstacle() {
            None => Ok(config),
            Some(reason) => Err(Error::Unsupported {
                path: path.to_owned(),
                reason,
            }),
        }
    }

    fn obstacle(&self) -> Option<String> {
        let positions = self.position_embedding_type.as_deref().unwrap_or("absolute");
        let sizes = [
            self.hidden_size,
            self.intermediate_size,
            self.num_hidden_layers,
            self.num_attention_heads,
            self.vocab_size,
            self.max_position_embeddings,
            self.type_vocab_size,
        ];
        if self.hidden_act != "gelu" {
            Some(format!("activation `{}`", self.hidden_act))
        } else if positions != "absolute" {
            Some(format!("position embeddings `{positions}`"))
        } else if sizes.contains(&0) {
            Some("a size of zero".to_owned())
        } else if !self.hidden_size.is_multiple_of(self.num_attention_heads) {
            Some(format!(
                "{} states in {} heads",
                self.hidden_size, self.num_attention_heads
            ))
        } else {
            None
        }
    }

    /// States a head.
    pub(crate) fn head_size(&self) -> usize {
        self.hidden_size / self.num_attention_heads
    }

    #[cfg(test)]
    pub(crate) fn tiny() -> Self {
        Self {
            hidden_size: 24,
            intermediate_size: 40,
            num_hidden_layers: 2,
            num_attention_heads: 3,
            vocab_size: 50,
            max_position_embeddings: 64,
            type_vocab_size: 2,
            layer_norm_eps: 1e-12,
            hidden_act: "gelu".to_owned(),
            position_embedding_type: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_be_computed_wrongly_is_refused() {
        assert_eq!(Config::tiny().obstacle(), None);
        let act = Config {
            hidden_act: "relu".into(),
            ..Config::tiny()
        };
        let relative = Config {
            position_embedding_type: Some("relative_key".into()),
            ..Config::tiny()
        };
        let heads = Config {
            num_attention_heads: 5,
            ..Config::tiny()
        };
        let none = Config {
            num_attention_heads: 0,
            ..Config::tiny()
        };
        for config in [act, relative, heads, none] {
            assert!(config.obstacle().is_some(), "{config:?}");
        }
    }
}
