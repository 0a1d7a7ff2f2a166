//! Models that are trained whole, as folders in Hugging Face layout.

use std::path::Path;

use serde_json::json;

use crate::Error;
use crate::model::Model;
use crate::shape::{Family, Shape};
use crate::text::Text;

/// Files of the base model that describe it and its vocabulary.
const COPIED: [&str; 7] = [
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "chat_template.jinja",
    "added_tokens.json",
];

/// Writes the model, with what describes it: copied from the base model's folder, or made where the base is a GGUF file.
///
/// # Errors
/// [`Error::Io`], [`Error::Compute`].
pub(crate) fn write(model: &Model, text: &Text, base: &Path, folder: &Path) -> Result<(), Error> {
    std::fs::create_dir_all(folder).map_err(Error::io(folder))?;
    model.save_trained(&folder.join("model.safetensors"))?;
    if base.is_dir() {
        for name in COPIED {
            let (from, to) = (base.join(name), folder.join(name));
            if from.exists() {
                std::fs::copy(&from, &to).map_err(Error::io(&to))?;
            }
        }
        return Ok(());
    }
    let path = folder.join("config.json");
    let described =
        serde_json::to_vec_pretty(&config(&model.shape)).map_err(|error| Error::model(&path, error))?;
    std::fs::write(&path, described).map_err(Error::io(&path))?;
    text.write(folder)
}

/// `config.json` of a shape whose rotary speeds are not slowed down: the others are refused before they are trained.
fn config(shape: &Shape) -> serde_json::Value {
    let (kind, class) = match shape.family {
        Family::Llama => ("llama", "LlamaForCausalLM"),
        Family::Qwen2 => ("qwen2", "Qwen2ForCausalLM"),
        Family::Qwen3 => ("qwen3", "Qwen3ForCausalLM"),
    };
    json!({
        "architectures": [class],
        "model_type": kind,
        "hidden_size": shape.hidden,
        "intermediate_size": shape.intermediate,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.kv_heads,
        "head_dim": shape.head_size,
        "vocab_size": shape.vocabulary,
        "max_position_embeddings": shape.context,
        "rms_norm_eps": shape.norm_epsilon,
        "rope_theta": shape.rope_theta,
        "tie_word_embeddings": shape.tied,
        "hidden_act": "silu",
        "torch_dtype": "float32",
    })
}
