//! A model of two layers whose weights are drawn here, as a folder in Hugging Face layout.

use std::path::{Path, PathBuf};

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use serde_json::{Map, Value, json};

use crate::harness::Bench;

/// The folder of the stored run whose dataset students are trained on.
pub fn stored_run() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data/runs/0.1/run")
}

/// Trains a student of the model in `base` on the stored run's dataset, with settings besides those that make it quick.
///
/// # Errors
/// A training that does not succeed.
pub fn train(bench: &Bench, out: &str, settings: &[&str]) -> anyhow::Result<()> {
    train_on(bench, &stored_run().display().to_string(), out, settings)
}

/// The same on another dataset.
///
/// # Errors
/// A training that does not succeed.
pub fn train_on(bench: &Bench, dataset: &str, out: &str, settings: &[&str]) -> anyhow::Result<()> {
    let quick = [
        "batch_rows=4",
        "validation.rows=1",
        "max_tokens=4096",
        "learning_rate=0.05",
    ];
    let mut args = vec!["train", dataset, "--base", "base", "--out", out];
    for setting in quick.iter().chain(settings) {
        args.extend(["--set", setting]);
    }
    bench.json(&args).map(drop)
}

/// Writes the model: a token for each byte, two layers, always the same weights.
///
/// # Errors
/// A folder that cannot be written.
pub fn write(folder: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    const SPECIAL: [&str; 2] = ["<|im_start|>", "<|im_end|>"];
    // The letters that stand for bytes in byte-level vocabularies: those that can be seen for themselves, the others by a higher one.
    let seen = (33u32..=126).chain(161..=172).chain(174..=255);
    let unseen = (0u32..=32).chain(127..=160).chain([173]).enumerate();
    let letters = seen.chain(unseen.map(|(number, _)| 256 + number as u32));
    let texts = letters.filter_map(char::from_u32).map(String::from);
    let texts = texts.chain(SPECIAL.map(str::to_owned));
    let vocabulary: Map<String, Value> = texts.enumerate().map(|(id, text)| (text, json!(id))).collect();
    let tokens = vocabulary.len();
    let special: Vec<Value> = SPECIAL
        .iter()
        .map(|text| json!({"id": vocabulary[*text], "content": text, "special": true, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false}))
        .collect();
    let bytes =
        json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true});
    let save = |name: &str, value: &Value| std::fs::write(folder.join(name), value.to_string());
    save(
        "tokenizer.json",
        &json!({
            "version": "1.0",
            "added_tokens": special,
            "pre_tokenizer": bytes,
            "decoder": bytes,
            "model": {"type": "BPE", "vocab": vocabulary, "merges": []},
        }),
    )?;
    let template = "{% for message in messages %}{{ '<|im_start|>' + message['role'] + ':' + message['content'] + '<|im_end|>' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant:' }}{% endif %}";
    save(
        "tokenizer_config.json",
        &json!({"chat_template": template, "eos_token": SPECIAL[1]}),
    )?;
    // Wide draws: without training, its answers differ from question to question.
    write_weights(
        folder,
        &Shape {
            hidden: 16,
            inner: 24,
            layers: 2,
            heads: 2,
            key_heads: 1,
            tokens,
        },
        4,
        |_| 0.5,
    )
}

/// The shape of a Llama model whose output layer is its embedding.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// Width of the residual stream.
    pub hidden: usize,
    /// Width of the feed-forward layers.
    pub inner: usize,
    /// Layers.
    pub layers: usize,
    /// Query heads.
    pub heads: usize,
    /// Key and value heads.
    pub key_heads: usize,
    /// Tokens in the vocabulary.
    pub tokens: usize,
}

/// Writes `config.json` and `model.safetensors`. Weights are drawn evenly between `-reach` and `reach`, which may depend on how many numbers
/// a tensor takes in; norms begin at 1.
///
/// # Errors
/// A folder that cannot be written.
pub fn write_weights(
    folder: &Path,
    shape: &Shape,
    seed: u64,
    reach: impl Fn(usize) -> f32,
) -> std::io::Result<()> {
    let Shape {
        hidden,
        inner,
        layers,
        heads,
        key_heads,
        tokens,
    } = *shape;
    let keys = hidden / heads * key_heads;
    let config = json!({
        "model_type": "llama", "hidden_size": hidden, "intermediate_size": inner, "num_hidden_layers": layers,
        "num_attention_heads": heads, "num_key_value_heads": key_heads, "vocab_size": tokens, "max_position_embeddings": 4096,
        "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "tie_word_embeddings": true,
    });
    std::fs::write(folder.join("config.json"), config.to_string())?;
    let mut tensors = vec![
        ("model.embed_tokens.weight".to_owned(), vec![tokens, hidden]),
        ("model.norm.weight".to_owned(), vec![hidden]),
    ];
    for layer in 0..layers {
        let parts = [
            ("input_layernorm", vec![hidden]),
            ("post_attention_layernorm", vec![hidden]),
            ("self_attn.q_proj", vec![hidden, hidden]),
            ("self_attn.k_proj", vec![keys, hidden]),
            ("self_attn.v_proj", vec![keys, hidden]),
            ("self_attn.o_proj", vec![hidden, hidden]),
            ("mlp.gate_proj", vec![inner, hidden]),
            ("mlp.up_proj", vec![inner, hidden]),
            ("mlp.down_proj", vec![hidden, inner]),
        ];
        tensors.extend(parts.map(|(name, dims)| (format!("model.layers.{layer}.{name}.weight"), dims)));
    }
    let mut draws = ChaCha8Rng::seed_from_u64(seed);
    let value = |name: &str, dims: &[usize]| {
        let drawn = draws.next_u32() as f32 / u32::MAX as f32 - 0.5;
        match name.contains("norm") {
            true => 1.0,
            false => drawn * 2.0 * reach(dims.last().copied().unwrap_or(1)),
        }
    };
    write_safetensors(&folder.join("model.safetensors"), &tensors, value)
}

/// The format of safetensors: the header's length, the header, the numbers.
fn write_safetensors(
    path: &Path,
    tensors: &[(String, Vec<usize>)],
    mut value: impl FnMut(&str, &[usize]) -> f32,
) -> std::io::Result<()> {
    let (mut header, mut data) = (Map::new(), Vec::<u8>::new());
    for (name, dims) in tensors {
        let begin = data.len();
        for _ in 0..dims.iter().product::<usize>() {
            data.extend(value(name, dims).to_le_bytes());
        }
        header.insert(
            name.clone(),
            json!({"dtype": "F32", "shape": dims, "data_offsets": [begin, data.len()]}),
        );
    }
    let mut header = Value::from(header).to_string().into_bytes();
    header.resize(header.len().next_multiple_of(8), b' ');
    let length = (header.len() as u64).to_le_bytes();
    std::fs::write(path, [length.as_slice(), &header, &data].concat())
}
