//! The base model's tensors, by their names in Hugging Face layout: from a GGUF file, dequantised, or from a folder of safetensors.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::path::{Path, PathBuf};

use candle_core::quantized::gguf_file::Content;
use candle_core::{DType, Device, Tensor};
use serde::Deserialize;

use crate::Error;
use crate::shape::{Family, Shape};

/// An opened base model.
pub(crate) struct Base {
    pub(crate) path: PathBuf,
    pub(crate) shape: Shape,
    tensors: Tensors,
}

impl std::fmt::Debug for Base {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Base")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

enum Tensors {
    Gguf {
        content: Box<Content>,
        file: File,
    },
    /// Loaded file by file; taken out as they are used.
    Folder(HashMap<String, Tensor>),
}

/// `model.safetensors.index.json`: which file holds which tensor.
#[derive(Debug, Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

impl Base {
    /// Opens a model: a `.gguf` file, or a folder with `config.json` and safetensors.
    ///
    /// # Errors
    /// [`Error::Model`] for what cannot be read or is of another kind.
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        if path.is_dir() {
            return Self::folder(path);
        }
        let wrong = |reason: String| Error::model(path, reason);
        let mut file = File::open(path).map_err(|error| wrong(error.to_string()))?;
        let content =
            Content::read(&mut file).map_err(|error| wrong(format!("it is not a GGUF file: {error}")))?;
        let factors = match content.tensor_infos.contains_key("rope_freqs.weight") {
            false => None,
            true => Some(
                content
                    .tensor(&mut file, "rope_freqs.weight", &Device::Cpu)
                    .and_then(|tensor| tensor.dequantize(&Device::Cpu)?.to_vec1())
                    .map_err(|error| wrong(error.to_string()))?,
            ),
        };
        let shape = Shape::of_gguf(&content, factors).map_err(wrong)?;
        let content = Box::new(content);
        Ok(Self {
            path: path.to_owned(),
            shape,
            tensors: Tensors::Gguf { content, file },
        })
    }

    fn folder(path: &Path) -> Result<Self, Error> {
        let shape = Shape::of_folder(path)?;
        let index = path.join("model.safetensors.index.json");
        let files: Vec<PathBuf> = match index.exists() {
            false => vec![path.join("model.safetensors")],
            true => {
                let text = std::fs::read(&index).map_err(Error::io(&index))?;
                let index: Index =
                    serde_json::from_slice(&text).map_err(|error| Error::model(&index, error))?;
                let mut names: Vec<String> = index.weight_map.into_values().collect();
                names.sort();
                names.dedup();
                // A name with a folder in it could lead out of the model's.
                let plain = names.iter().find(|name| name.contains(['/', '\\']));
                if let Some(name) = plain {
                    return Err(Error::model(
                        path,
                        format!("its index names `{name}`, which is not in the folder"),
                    ));
                }
                names.iter().map(|name| path.join(name)).collect()
            }
        };
        let mut tensors = HashMap::new();
        for file in &files {
            let bytes = std::fs::read(file).map_err(Error::io(file))?;
            let loaded = candle_core::safetensors::load_buffer(&bytes, &Device::Cpu);
            tensors.extend(loaded.map_err(|error| Error::model(file, error))?);
        }
        Ok(Self {
            path: path.to_owned(),
            shape,
            tensors: Tensors::Folder(tensors),
        })
    }

    /// The metadata of a GGUF file.
    pub(crate) fn gguf(&self) -> Option<&Content> {
        match &self.tensors {
            Tensors::Gguf { content, .. } => Some(content),
            Tensors::Folder(_) => None,
        }
    }

    /// Takes a tensor by its name in Hugging Face layout, as 32-bit floats on the device.
    ///
    /// # Errors
    /// [`Error::Model`] where the model does not have it.
    pub(crate) fn take(&mut self, name: &str, device: &Device) -> Result<Tensor, Error> {
        self.take_if_there(name, device)?
            .ok_or_else(|| Error::model(&self.path, format!("the tensor `{name}` is missing")))
    }

    /// As [`Self::take`], of a tensor that not every model has.
    pub(crate) fn take_if_there(&mut self, name: &str, device: &Device) -> Result<Option<Tensor>, Error> {
        let tensor = match &mut self.tensors {
            Tensors::Folder(tensors) => tensors.remove(name),
            Tensors::Gguf { content, file } => {
                let stored = gguf_name(name);
                match content.tensor_infos.contains_key(&stored) {
                    false => None,
                    true => {
                        let tensor = content.tensor(file, &stored, device)?.dequantize(device)?;
                        Some(in_halves(&self.shape, name, tensor)?)
                    }
                }
            }
        };
        let on_device = |tensor: Tensor| tensor.to_dtype(DType::F32)?.to_device(device)?.contiguous();
        Ok(tensor.map(on_device).transpose()?)
    }
}

/// The name that llama.cpp gives a tensor.
fn gguf_name(name: &str) -> String {
    let (stem, ending) = name.rsplit_once('.').unwrap_or((name, "weight"));
    let outside = match stem {
        "model.embed_tokens" => Some("token_embd"),
        "model.norm" => Some("output_norm"),
        "lm_head" => Some("output"),
        _ => None,
    };
    if let Some(outside) = outside {
        return format!("{outside}.{ending}");
    }
    let inside = stem.strip_prefix("model.layers.").unwrap_or(stem);
    let (layer, part) = inside.split_once('.').unwrap_or((inside, ""));
    let part = match part {
        "input_layernorm" => "attn_norm",
        "post_attention_layernorm" => "ffn_norm",
        "self_attn.q_proj" => "attn_q",
        "self_attn.k_proj" => "attn_k",
        "self_attn.v_proj" => "attn_v",
        "self_attn.o_proj" => "attn_output",
        "self_attn.q_norm" => "attn_q_norm",
        "self_attn.k_norm" => "attn_k_norm",
        "mlp.gate_proj" => "ffn_gate",
        "mlp.up_proj" => "ffn_up",
        "mlp.down_proj" => "ffn_down",
        other => other,
    };
    format!("blk.{layer}.{part}.{ending}")
}

/// GGUF files of Llama models hold the rows of queries and keys pair by pair; here, as in Hugging Face layout, the first half of a head's
/// rows are its pairs' left sides. An adapter trained on the other order would not fit the model elsewhere.
fn in_halves(shape: &Shape, name: &str, tensor: Tensor) -> candle_core::Result<Tensor> {
    let heads = match name {
        _ if shape.family != Family::Llama => return Ok(tensor),
        _ if name.contains("self_attn.q_proj") => shape.heads,
        _ if name.contains("self_attn.k_proj") => shape.kv_heads,
        _ => return Ok(tensor),
    };
    let dims = tensor.dims().to_vec();
    let width = tensor.elem_count() / (heads * shape.head_size).max(1);
    tensor
        .reshape((heads, shape.head_size / 2, 2, width))?
        .transpose(1, 2)?
        .contiguous()?
        .reshape(dims)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tensors_are_found_under_the_names_of_llama_cpp() {
        assert_eq!(gguf_name("model.embed_tokens.weight"), "token_embd.weight");
        assert_eq!(gguf_name("lm_head.weight"), "output.weight");
        assert_eq!(
            gguf_name("model.layers.7.self_attn.q_proj.bias"),
            "blk.7.attn_q.bias"
        );
        assert_eq!(
            gguf_name("model.layers.0.mlp.down_proj.weight"),
            "blk.0.ffn_down.weight"
        );
        assert_eq!(
            gguf_name("model.layers.11.post_attention_layernorm.weight"),
            "blk.11.ffn_norm.weight"
        );
    }
}
