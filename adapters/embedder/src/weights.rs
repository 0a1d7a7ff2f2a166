//! The encoder's weights, read from a safetensors file and packed for this machine.

use std::path::Path;

use pulp::Arch;
use safetensors::{Dtype, SafeTensors};

use crate::Error;
use crate::config::Config;
use crate::kernel::Packed;

/// y = x·Wᵀ + b.
#[derive(Debug)]
pub(crate) struct Linear {
    pub(crate) weight: Packed,
    pub(crate) bias: Vec<f32>,
}

/// Gain and bias of a layer normalisation.
#[derive(Debug)]
pub(crate) struct Norm {
    pub(crate) gain: Vec<f32>,
    pub(crate) bias: Vec<f32>,
}

/// One layer of the encoder.
#[derive(Debug)]
pub(crate) struct Layer {
    /// Queries, keys and values side by side.
    pub(crate) attention_in: Linear,
    pub(crate) attention_out: Linear,
    pub(crate) attention_norm: Norm,
    pub(crate) up: Linear,
    pub(crate) down: Linear,
    pub(crate) norm: Norm,
}

/// The whole encoder.
#[derive(Debug)]
pub(crate) struct Network {
    pub(crate) config: Config,
    pub(crate) arch: Arch,
    /// One row a token of the vocabulary.
    pub(crate) words: Vec<f32>,
    /// One row a position, the embedding of the first segment added: there is no second one.
    pub(crate) positions: Vec<f32>,
    pub(crate) norm: Norm,
    pub(crate) layers: Vec<Layer>,
}

impl Network {
    pub(crate) fn read(path: &Path, config: Config) -> Result<Self, Error> {
        let bytes = std::fs::read(path).map_err(|source| Error::Io {
            path: path.to_owned(),
            source,
        })?;
        Self::parse(&bytes, config, Arch::new()).map_err(|reason| Error::Format {
            path: path.to_owned(),
            expected: "safetensors file of this encoder",
            reason,
        })
    }

    pub(crate) fn parse(bytes: &[u8], config: Config, arch: Arch) -> Result<Self, String> {
        let tensors = SafeTensors::deserialize(bytes).map_err(|error| error.to_string())?;
        let source = Source {
            arch,
            // Checkpoints of a task model carry the encoder under this name.
            prefix: if tensors.names().iter().any(|name| name.starts_with("bert.")) {
                "bert."
            } else {
                ""
            },
            tensors,
        };
        let hidden = config.hidden_size;
        let mut positions = source.tensor(
            "embeddings.position_embeddings.weight",
            &[config.max_position_embeddings, hidden],
        )?;
        let segments = source.tensor(
            "embeddings.token_type_embeddings.weight",
            &[config.type_vocab_size, hidden],
        )?;
        for row in positions.chunks_exact_mut(hidden) {
            row.iter_mut()
                .zip(&segments)
                .for_each(|(position, segment)| *position += segment);
        }
        Ok(Self {
            words: source.tensor("embeddings.word_embeddings.weight", &[config.vocab_size, hidden])?,
            positions,
            norm: source.norm("embeddings.LayerNorm", hidden)?,
            layers: (0..config.num_hidden_layers)
                .map(|index| source.layer(&format!("encoder.layer.{index}"), &config))
                .collect::<Result<_, _>>()?,
            arch,
            config,
        })
    }
}

struct Source<'a> {
    arch: Arch,
    prefix: &'static str,
    tensors: SafeTensors<'a>,
}

impl Source<'_> {
    fn tensor(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, String> {
        let name = format!("{}{name}", self.prefix);
        let tensor = self
            .tensors
            .tensor(&name)
            .map_err(|error| format!("tensor `{name}`: {error}"))?;
        if tensor.dtype() != Dtype::F32 || tensor.shape() != shape {
            let found = (tensor.dtype(), tensor.shape());
            return Err(format!(
                "tensor `{name}` is {found:?}, where its configuration wants F32 {shape:?}"
            ));
        }
        let (numbers, _) = tensor.data().as_chunks::<4>();
        Ok(numbers.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())
    }

    fn norm(&self, name: &str, size: usize) -> Result<Norm, String> {
        Ok(Norm {
            gain: self.tensor(&format!("{name}.weight"), &[size])?,
            bias: self.tensor(&format!("{name}.bias"), &[size])?,
        })
    }

    /// Several layers of the same input side by side as one.
    fn linear(&self, names: &[String], outputs: usize, inputs: usize) -> Result<Linear, String> {
        let (mut weight, mut bias) = (Vec::new(), Vec::new());
        for name in names {
            weight.extend(self.tensor(&format!("{name}.weight"), &[outputs, inputs])?);
            bias.extend(self.tensor(&format!("{name}.bias"), &[outputs])?);
        }
        Ok(Linear {
            weight: Packed::of_linear(self.arch, &weight, names.len() * outputs, inputs),
            bias,
        })
    }

    fn layer(&self, name: &str, config: &Config) -> Result<Layer, String> {
        let (hidden, wide) = (config.hidden_size, config.intermediate_size);
        let projections = ["query", "key", "value"].map(|part| format!("{name}.attention.self.{part}"));
        let one = |part: &str| [format!("{name}.{part}")];
        Ok(Layer {
            attention_in: self.linear(&projections, hidden, hidden)?,
            attention_out: self.linear(&one("attention.output.dense"), hidden, hidden)?,
            attention_norm: self.norm(&format!("{name}.attention.output.LayerNorm"), hidden)?,
            up: self.linear(&one("intermediate.dense"), wide, hidden)?,
            down: self.linear(&one("output.dense"), hidden, wide)?,
            norm: self.norm(&format!("{name}.output.LayerNorm"), hidden)?,
        })
    }
}
