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
    let dataset = stored_run().display().to_string();
    let quick = [
        "batch_rows=4",
        "validation.rows=1",
        "max_tokens=4096",
        "learning_rate=0.05",
    ];
    let mut args = vec!["train", &dataset, "--base", "base", "--out", out];
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
    save(
        "config.json",
        &json!({
            "model_type": "llama", "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2,
            "num_key_value_heads": 1, "vocab_size": tokens, "max_position_embeddings": 4096, "rms_norm_eps": 1e-5,
            "rope_theta": 10000.0, "tie_word_embeddings": true,
        }),
    )?;
    let mut tensors = vec![
        ("model.embed_tokens.weight".to_owned(), vec![tokens, 16]),
        ("model.norm.weight".to_owned(), vec![16]),
    ];
    for layer in 0..2 {
        let parts = [
            ("input_layernorm", vec![16]),
            ("post_attention_layernorm", vec![16]),
            ("self_attn.q_proj", vec![16, 16]),
            ("self_attn.k_proj", vec![8, 16]),
            ("self_attn.v_proj", vec![8, 16]),
            ("self_attn.o_proj", vec![16, 16]),
            ("mlp.gate_proj", vec![24, 16]),
            ("mlp.up_proj", vec![24, 16]),
            ("mlp.down_proj", vec![16, 24]),
        ];
        tensors.extend(parts.map(|(name, dims)| (format!("model.layers.{layer}.{name}.weight"), dims)));
    }
    write_safetensors(&folder.join("model.safetensors"), &tensors)
}

/// The format of safetensors: the header's length, the header, the numbers. Norms begin at 1, the rest is drawn around 0.
fn write_safetensors(path: &Path, tensors: &[(String, Vec<usize>)]) -> std::io::Result<()> {
    let mut draws = ChaCha8Rng::seed_from_u64(4);
    let (mut header, mut data) = (Map::new(), Vec::<u8>::new());
    for (name, dims) in tensors {
        let begin = data.len();
        for _ in 0..dims.iter().product::<usize>() {
            let drawn = draws.next_u32() as f32 / u32::MAX as f32 - 0.5;
            let value = if name.contains("norm") { 1.0 } else { drawn };
            data.extend(value.to_le_bytes());
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
