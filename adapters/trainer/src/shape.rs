//! The shape of a model: how many layers of what size, and what tells its family from the others.

use std::path::Path;

use candle_core::quantized::gguf_file::{Content, Value};
use serde::Deserialize;

use crate::Error;

/// A family of decoders that this crate computes: all have RMS norms, rotary positions, grouped-query attention and gated feed-forward
/// layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Family {
    /// Llama 2 and 3, SmolLM2 and others of the same layers.
    Llama,
    /// Qwen2 and Qwen2.5: query, key and value have biases.
    Qwen2,
    /// Qwen3: queries and keys are normalised head by head.
    Qwen3,
}

impl Family {
    fn of(name: &str) -> Option<Self> {
        match name {
            "llama" => Some(Self::Llama),
            "qwen2" => Some(Self::Qwen2),
            "qwen3" => Some(Self::Qwen3),
            _ => None,
        }
    }
}

/// The shape of a model.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Shape {
    /// Its family.
    pub(crate) family: Family,
    /// Layers.
    pub(crate) layers: usize,
    /// Width of the residual stream.
    pub(crate) hidden: usize,
    /// Width of the feed-forward layers.
    pub(crate) intermediate: usize,
    /// Query heads.
    pub(crate) heads: usize,
    /// Key and value heads.
    pub(crate) kv_heads: usize,
    /// Width of a head.
    pub(crate) head_size: usize,
    /// Tokens in the vocabulary.
    pub(crate) vocabulary: usize,
    /// Tokens that the model was made for.
    pub(crate) context: usize,
    /// Added to the mean square in a norm.
    pub(crate) norm_epsilon: f64,
    /// Angular speed of the rotary positions, one for each pair of a head's dimensions, in radians a token.
    pub(crate) rope_speeds: Vec<f32>,
    /// The base that the angular speeds are powers of, but for those that were slowed down.
    pub(crate) rope_theta: f64,
    /// The output layer is the embedding.
    pub(crate) tied: bool,
}

/// `config.json` of a folder in Hugging Face layout, as far as it is read.
#[derive(Debug, Deserialize)]
struct Config {
    model_type: String,
    hidden_size: usize,
    intermediate_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    #[serde(default)]
    num_key_value_heads: Option<usize>,
    #[serde(default)]
    head_dim: Option<usize>,
    vocab_size: usize,
    #[serde(default)]
    max_position_embeddings: Option<usize>,
    rms_norm_eps: f64,
    #[serde(default = "rope_theta")]
    rope_theta: f64,
    #[serde(default)]
    rope_scaling: Option<Scaling>,
    #[serde(default)]
    rope_parameters: Option<Scaling>,
    #[serde(default)]
    tie_word_embeddings: bool,
    #[serde(default)]
    use_sliding_window: bool,
}

fn rope_theta() -> f64 {
    10_000.0
}

/// How a model stretches its positions past the context that it was first trained with.
#[derive(Debug, Deserialize)]
struct Scaling {
    #[serde(alias = "type", default)]
    rope_type: Option<String>,
    #[serde(default)]
    rope_theta: Option<f64>,
    #[serde(default)]
    factor: Option<f64>,
    #[serde(default)]
    low_freq_factor: Option<f64>,
    #[serde(default)]
    high_freq_factor: Option<f64>,
    #[serde(default)]
    original_max_position_embeddings: Option<f64>,
}

impl Shape {
    /// Reads `config.json`.
    ///
    /// # Errors
    /// [`Error::Model`] for a file that cannot be read or describes another kind of model.
    pub(crate) fn of_folder(folder: &Path) -> Result<Self, Error> {
        let path = folder.join("config.json");
        let wrong = |reason: String| Error::model(&path, reason);
        let text = std::fs::read(&path).map_err(|error| wrong(error.to_string()))?;
        let config: Config = serde_json::from_slice(&text).map_err(|error| wrong(error.to_string()))?;
        let family = Family::of(&config.model_type).ok_or_else(|| wrong(other_kind(&config.model_type)))?;
        if config.use_sliding_window {
            return Err(wrong("sliding-window attention is not supported".to_owned()));
        }
        let head_size = config
            .head_dim
            .unwrap_or(config.hidden_size / config.num_attention_heads.max(1));
        let scaling = config.rope_parameters.or(config.rope_scaling);
        let theta = scaling
            .as_ref()
            .and_then(|scaling| scaling.rope_theta)
            .unwrap_or(config.rope_theta);
        let mut speeds = speeds(theta, head_size);
        if let Some(scaling) = scaling {
            scaling.apply(&mut speeds).map_err(wrong)?;
        }
        Self {
            family,
            layers: config.num_hidden_layers,
            hidden: config.hidden_size,
            intermediate: config.intermediate_size,
            heads: config.num_attention_heads,
            kv_heads: config.num_key_value_heads.unwrap_or(config.num_attention_heads),
            head_size,
            vocabulary: config.vocab_size,
            context: config.max_position_embeddings.unwrap_or(2048),
            norm_epsilon: config.rms_norm_eps,
            rope_speeds: speeds,
            rope_theta: theta,
            tied: config.tie_word_embeddings,
        }
        .checked()
        .map_err(|reason| Error::model(&path, reason))
    }

    /// Reads the metadata of a GGUF file. `factors` divide the rotary speeds, where the file has a tensor of them.
    pub(crate) fn of_gguf(content: &Content, factors: Option<Vec<f32>>) -> Result<Self, String> {
        let text = |key: &str| content.metadata.get(key).and_then(|value| value.to_string().ok());
        let name = text("general.architecture").ok_or("it does not name its architecture")?;
        let family = Family::of(name).ok_or_else(|| other_kind(name))?;
        let number = |key: &str| {
            let value = content.metadata.get(&format!("{name}.{key}"));
            value
                .and_then(whole)
                .ok_or_else(|| format!("`{name}.{key}` is missing"))
        };
        let real = |key: &str| {
            let value = content.metadata.get(&format!("{name}.{key}"));
            value.and_then(|value| value.to_f32().ok())
        };
        let (hidden, heads) = (number("embedding_length")?, number("attention.head_count")?);
        let head_size = number("attention.key_length").unwrap_or(hidden / heads.max(1));
        let theta = f64::from(real("rope.freq_base").unwrap_or(10_000.0));
        let mut speeds = speeds(theta, head_size);
        for (speed, factor) in speeds.iter_mut().zip(factors.iter().flatten()) {
            *speed /= factor;
        }
        let embedding = content.tensor_infos.get("token_embd.weight");
        Self {
            family,
            layers: number("block_count")?,
            hidden,
            intermediate: number("feed_forward_length")?,
            heads,
            kv_heads: number("attention.head_count_kv").unwrap_or(heads),
            head_size,
            vocabulary: embedding
                .and_then(|info| info.shape.dims().first().copied())
                .ok_or("the tensor `token_embd.weight` is missing")?,
            context: number("context_length").unwrap_or(2048),
            norm_epsilon: f64::from(
                real("attention.layer_norm_rms_epsilon")
                    .ok_or_else(|| format!("`{name}.attention.layer_norm_rms_epsilon` is missing"))?,
            ),
            rope_speeds: speeds,
            rope_theta: theta,
            tied: !content.tensor_infos.contains_key("output.weight"),
        }
        .checked()
    }

    /// The rotary speeds are the powers of their base, none slowed down.
    pub(crate) fn turns_plainly(&self) -> bool {
        self.rope_speeds == speeds(self.rope_theta, self.head_size)
    }

    /// Refuses shapes that no computation fits.
    fn checked(self) -> Result<Self, String> {
        let sizes = [
            self.layers,
            self.hidden,
            self.intermediate,
            self.heads,
            self.kv_heads,
        ];
        if sizes.contains(&0) || self.head_size == 0 || self.vocabulary == 0 {
            return Err("one of its sizes is 0".to_owned());
        }
        if !self.heads.is_multiple_of(self.kv_heads) {
            return Err(format!(
                "{} query heads do not divide into {} key heads",
                self.heads, self.kv_heads
            ));
        }
        match self.head_size % 2 {
            0 => Ok(self),
            _ => Err(format!(
                "heads of {} dimensions have no rotary pairs",
                self.head_size
            )),
        }
    }
}

impl Scaling {
    /// Slows the rotations down as Llama 3.1 does (`llama3`); other ways are refused.
    fn apply(&self, speeds: &mut [f32]) -> Result<(), String> {
        match self.rope_type.as_deref() {
            None | Some("default") => return Ok(()),
            Some("llama3") => {}
            Some(other) => return Err(format!("rotary positions of type `{other}` are not supported")),
        }
        let (Some(factor), Some(low), Some(high), Some(original)) = (
            self.factor,
            self.low_freq_factor,
            self.high_freq_factor,
            self.original_max_position_embeddings,
        ) else {
            return Err("`rope_scaling` lacks a number that the type `llama3` needs".to_owned());
        };
        for speed in speeds {
            let turn = std::f64::consts::TAU / f64::from(*speed);
            let smooth = ((original / turn - low) / (high - low)).clamp(0.0, 1.0);
            *speed = (f64::from(*speed) * ((1.0 - smooth) / factor + smooth)) as f32;
        }
        Ok(())
    }
}

/// Radians a token for each pair of dimensions (Su et al. 2021, arXiv 2104.09864).
fn speeds(theta: f64, head_size: usize) -> Vec<f32> {
    let pairs = 0..head_size / 2;
    pairs
        .map(|pair| theta.powf(-2.0 * pair as f64 / head_size as f64) as f32)
        .collect()
}

fn whole(value: &Value) -> Option<usize> {
    let wide = value.to_u32().map(u64::from).or_else(|_| value.to_u64());
    wide.ok().and_then(|number| usize::try_from(number).ok())
}

fn other_kind(name: &str) -> String {
    format!(
        "it is a model of the kind `{name}`: `llama`, `qwen2` and `qwen3` can be trained in this process; other kinds with `backend: trl`"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(config: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("config.json"), config).unwrap();
        folder
    }

    const LLAMA: &str = r#"{"model_type": "llama", "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 300, "rms_norm_eps": 1e-5, "rope_theta": 500000.0,
        "max_position_embeddings": 131072, "rope_scaling": {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0,
        "high_freq_factor": 4.0, "original_max_position_embeddings": 8192}}"#;

    #[test]
    fn long_waves_are_slowed_down_and_short_ones_are_not() {
        let shape = Shape::of_folder(folder(LLAMA).path()).unwrap();
        let plain = speeds(500_000.0, 16);
        assert_eq!(shape.rope_speeds[0], plain[0], "a wave of six tokens");
        let slowed = plain[7] / shape.rope_speeds[7];
        assert!(
            (slowed - 8.0).abs() < 1e-4,
            "a wave longer than the old context: {slowed}"
        );
        let between = plain[4] / shape.rope_speeds[4];
        assert!(between > 1.0 && between < 8.0, "{between}");
    }

    #[test]
    fn other_kinds_are_refused_by_name() {
        let other = LLAMA.replace("\"llama\"", "\"gpt2\"");
        let told = Shape::of_folder(folder(&other).path()).unwrap_err().to_string();
        assert!(told.contains("`gpt2`") && told.contains("trl"), "{told}");
        let uneven = LLAMA.replace("\"num_key_value_heads\": 2", "\"num_key_value_heads\": 3");
        let told = Shape::of_folder(folder(&uneven).path()).unwrap_err().to_string();
        assert!(told.contains("4 query heads"), "{told}");
    }
}
