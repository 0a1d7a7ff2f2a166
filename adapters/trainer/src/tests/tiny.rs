//! Models of two layers with drawn weights, as folders in Hugging Face layout.

use std::collections::HashMap;
use std::path::Path;

use candle_core::{Device, Tensor};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Map, Value, json};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Llama,
    Qwen2,
    Qwen3,
}

const TEMPLATE: &str = "{% for message in messages %}{{ '<|im_start|>' + message['role'] + ':' + message['content'] + '<|im_end|>' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant:' }}{% endif %}";
const SPECIAL: [&str; 2] = ["<|im_start|>", "<|im_end|>"];

/// Writes a model into a folder.
pub(super) fn write(folder: &Path, kind: Kind) {
    std::fs::create_dir_all(folder).unwrap();
    let vocabulary = vocabulary();
    let tokens = vocabulary.len();
    let config = json!({
        "model_type": format!("{kind:?}").to_lowercase(),
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 8,
        "vocab_size": tokens,
        "max_position_embeddings": 128,
        "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0,
        "tie_word_embeddings": kind == Kind::Llama,
    });
    let save = |name: &str, value: &Value| std::fs::write(folder.join(name), value.to_string()).unwrap();
    save("config.json", &config);
    save("tokenizer.json", &tokenizer(vocabulary));
    save(
        "tokenizer_config.json",
        &json!({"chat_template": TEMPLATE, "eos_token": SPECIAL[1]}),
    );
    candle_core::safetensors::save(&weights(kind, tokens), folder.join("model.safetensors")).unwrap();
}

/// One token for each byte, and those that mark turns.
fn vocabulary() -> Map<String, Value> {
    let letters = tokenizers::pre_tokenizers::byte_level::ByteLevel::alphabet();
    let mut letters: Vec<char> = letters.into_iter().collect();
    letters.sort_unstable();
    let texts = letters
        .into_iter()
        .map(String::from)
        .chain(SPECIAL.map(str::to_owned));
    texts.enumerate().map(|(id, text)| (text, json!(id))).collect()
}

fn tokenizer(vocabulary: Map<String, Value>) -> Value {
    let bytes =
        json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true});
    let special: Vec<Value> = SPECIAL
        .iter()
        .map(|text| {
            json!({"id": vocabulary[*text], "content": text, "special": true, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false})
        })
        .collect();
    json!({
        "version": "1.0",
        "added_tokens": special,
        "pre_tokenizer": bytes,
        "decoder": bytes,
        "model": {"type": "BPE", "vocab": vocabulary, "merges": []},
    })
}

fn weights(kind: Kind, tokens: usize) -> HashMap<String, Tensor> {
    let mut draws = ChaCha8Rng::seed_from_u64(11);
    let mut drawn = |dims: &[usize], size: f32, middle: f32| {
        let count = dims.iter().product();
        let values: Vec<f32> = (0..count)
            .map(|_| middle + draws.random_range(-size..size))
            .collect();
        Tensor::from_vec(values, dims, &Device::Cpu).unwrap()
    };
    let mut weights = HashMap::new();
    weights.insert(
        "model.embed_tokens.weight".to_owned(),
        drawn(&[tokens, 32], 0.5, 0.0),
    );
    weights.insert("model.norm.weight".to_owned(), drawn(&[32], 0.1, 1.0));
    if kind != Kind::Llama {
        weights.insert("lm_head.weight".to_owned(), drawn(&[tokens, 32], 0.3, 0.0));
    }
    for layer in 0..2 {
        let mut add =
            |name: &str, tensor: Tensor| weights.insert(format!("model.layers.{layer}.{name}"), tensor);
        for norm in ["input_layernorm", "post_attention_layernorm"] {
            add(&format!("{norm}.weight"), drawn(&[32], 0.1, 1.0));
        }
        for (name, out, input) in [
            ("self_attn.q_proj", 32, 32),
            ("self_attn.k_proj", 16, 32),
            ("self_attn.v_proj", 16, 32),
            ("self_attn.o_proj", 32, 32),
            ("mlp.gate_proj", 48, 32),
            ("mlp.up_proj", 48, 32),
            ("mlp.down_proj", 32, 48),
        ] {
            add(&format!("{name}.weight"), drawn(&[out, input], 0.3, 0.0));
            if kind == Kind::Qwen2 && name.contains("self_attn") && !name.contains("o_proj") {
                add(&format!("{name}.bias"), drawn(&[out], 0.1, 0.0));
            }
        }
        if kind == Kind::Qwen3 {
            add("self_attn.q_norm.weight", drawn(&[8], 0.1, 1.0));
            add("self_attn.k_norm.weight", drawn(&[8], 0.1, 1.0));
        }
    }
    weights
}
