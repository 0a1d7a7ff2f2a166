//! How a student is trained: the training file, the order of its rows, the learning rate of each step, and when it has learned enough.
//!
//! The defaults are where TRL, Axolotl and Unsloth meet for small models. Trainers of both backends read the same settings and take the same
//! rows in the same order.

mod order;
mod schedule;
mod stopping;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use order::{Order, steps};
pub use schedule::learning_rate;
pub use stopping::{Stopping, Verdict};

/// How a student is trained: the training file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Training {
    /// The model that training begins with: the name of a built-in model, a `.gguf` file, or a folder in Hugging Face layout. `--base` names it
    /// where the file does not.
    pub base: Option<String>,
    /// Who computes; `native` when left out.
    pub backend: Backend,
    /// What is trained of the model; `lora` when left out.
    pub method: Method,
    /// What it learns from: answers, or pairs of a better and a worse one; `sft` when left out.
    pub objective: Objective,
    /// The size of the adapter.
    pub lora: Lora,
    /// How pairs are learned from, where the objective is `dpo`.
    pub dpo: Option<Dpo>,
    /// Of the highest step; 2e-4 for adapters and 2e-5 for a whole model when left out.
    pub learning_rate: Option<f64>,
    /// Decay of the weights (AdamW); 0 when left out.
    pub weight_decay: f64,
    /// Share of the steps over which the learning rate rises to its highest; 0.03 when left out. It falls to 0 by a cosine behind them.
    pub warmup: f64,
    /// Gradients are scaled down to this norm; 1 when left out.
    pub max_grad_norm: f64,
    /// Rows of a step; 16 when left out.
    pub batch_rows: u32,
    /// Rows that go through the model at once; 4 when left out, or `batch_rows` where that is less. It changes memory and speed; what is learned only by the draws of dropout.
    pub micro_batch_rows: u32,
    /// Times that each row is seen; 2 when left out.
    pub epochs: f64,
    /// Steps at most, whatever the epochs come to.
    pub max_steps: Option<u64>,
    /// Tokens of a row at most; 1,024 when left out. Longer ones are left out, and counted.
    pub max_tokens: u32,
    /// Draws the order of the rows, the adapter's first values and dropout; 0 when left out.
    pub seed: u32,
    /// How the student is watched on the dataset's validation rows.
    pub validation: Validation,
    /// What is kept so that training can resume.
    pub checkpoints: Checkpoints,
    /// 32-bit floats, or bfloat16 where the backend can (`trl` on a GPU); `f32` when left out.
    pub precision: Precision,
    /// What an hour of the machine costs, in dollars; 0 when left out.
    pub usd_per_hour: f64,
    /// Training ends, with the best of what there is, once it has cost so many dollars.
    pub max_usd: Option<f64>,
}

/// Who computes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Backend {
    /// This program: small models, on any machine.
    #[default]
    Native,
    /// The Python trainer (`deploy/trainer`): transformers, PEFT and TRL, for GPUs.
    Trl,
}

/// What is trained of a model.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// Low-rank adapters of all linear layers but the output layer (Hu et al. 2021, arXiv 2106.09685).
    #[default]
    Lora,
    /// Every weight.
    Full,
}

/// What a student learns from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Objective {
    /// Answers to imitate.
    #[default]
    Sft,
    /// Pairs of a better and a worse answer (Rafailov et al. 2023, arXiv 2305.18290). Needs `backend: trl`.
    Dpo,
}

/// How numbers are held while computing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// 32 bits.
    #[default]
    F32,
    /// Brain floating point, 16 bits. Needs `backend: trl`.
    Bf16,
}

/// The size of an adapter.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Lora {
    /// Rank of what is added to each layer; 16 when left out. 64 and more pay off past 50,000 rows.
    pub rank: u32,
    /// What is added is scaled by `alpha / rank`; 32 when left out.
    pub alpha: f64,
    /// Probability that an input of the adapter is dropped in a step; 0.05 when left out.
    pub dropout: f64,
}

impl Lora {
    /// What an adapter's output is multiplied by.
    pub fn scale(&self) -> f64 {
        self.alpha / f64::from(self.rank.max(1))
    }
}

impl Default for Lora {
    fn default() -> Self {
        Self {
            rank: 16,
            alpha: 32.0,
            dropout: 0.05,
        }
    }
}

/// How pairs are learned from.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Dpo {
    /// How strongly the student is held to the base model; 0.1 when left out.
    pub beta: f64,
}

impl Default for Dpo {
    fn default() -> Self {
        Self { beta: 0.1 }
    }
}

/// How the student is watched on the validation rows. They are real and stop the training; they are never trained on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Validation {
    /// Steps between two measurements; a tenth of the training when left out.
    pub every: Option<u64>,
    /// Measurements without a lower loss after which training stops; 3 when left out, and 0 never stops it.
    pub patience: u32,
    /// Rows that are measured, evenly over those there are; 200 when left out.
    pub rows: u32,
}

impl Default for Validation {
    fn default() -> Self {
        Self {
            every: None,
            patience: 3,
            rows: 200,
        }
    }
}

/// What is kept so that training can resume.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Checkpoints {
    /// Steps between two checkpoints; as often as validation when left out.
    pub every: Option<u64>,
    /// The newest so many are kept; 2 when left out.
    pub keep: u32,
}

impl Default for Checkpoints {
    fn default() -> Self {
        Self { every: None, keep: 2 }
    }
}

impl Default for Training {
    fn default() -> Self {
        Self {
            base: None,
            backend: Backend::default(),
            method: Method::default(),
            objective: Objective::default(),
            lora: Lora::default(),
            dpo: None,
            learning_rate: None,
            weight_decay: 0.0,
            warmup: 0.03,
            max_grad_norm: 1.0,
            batch_rows: 16,
            micro_batch_rows: 4,
            epochs: 2.0,
            max_steps: None,
            max_tokens: 1024,
            seed: 0,
            validation: Validation::default(),
            checkpoints: Checkpoints::default(),
            precision: Precision::default(),
            usd_per_hour: 0.0,
            max_usd: None,
        }
    }
}

/// What is wrong with a setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The setting: `lora.rank`.
    pub at: &'static str,
    /// What is wrong with it, as the end of a sentence that begins with its name.
    pub message: &'static str,
    /// The way out.
    pub help: &'static str,
}

impl Training {
    /// Rows that go through the model at once: never more than those of a step.
    pub fn micro_batch(&self) -> u32 {
        self.micro_batch_rows.min(self.batch_rows)
    }

    /// Nobody asked for the default.
    fn asks_for_a_larger_micro_batch(&self) -> bool {
        self.micro_batch_rows > self.batch_rows.max(1)
            && self.micro_batch_rows != Self::default().micro_batch_rows
    }

    /// The learning rate of the highest step.
    pub fn peak_learning_rate(&self) -> f64 {
        self.learning_rate.unwrap_or(match self.method {
            Method::Lora => 2e-4,
            Method::Full => 2e-5,
        })
    }

    /// Everything that no training can be done with.
    pub fn problems(&self) -> Vec<Problem> {
        let positive = |value: f64| value.is_finite() && value > 0.0;
        let not_negative = |value: f64| value.is_finite() && value >= 0.0;
        let native = self.backend == Backend::Native;
        const OVER_NOTHING: &str = "must be over 0";
        const NOT_NEGATIVE: &str = "must not be negative";
        const ONE: &str = "must be at least 1";
        let checks = [
            (
                self.lora.rank == 0,
                "lora.rank",
                "is 0, and such an adapter learns nothing",
                "8 to 64 are usual",
            ),
            (
                !positive(self.lora.alpha),
                "lora.alpha",
                OVER_NOTHING,
                "twice the rank is usual",
            ),
            (
                !(0.0..1.0).contains(&self.lora.dropout),
                "lora.dropout",
                "is a probability",
                "give a number of at least 0 and under 1",
            ),
            (
                !positive(self.peak_learning_rate()),
                "learning_rate",
                OVER_NOTHING,
                "2e-4 is usual for adapters",
            ),
            (
                !not_negative(self.weight_decay),
                "weight_decay",
                NOT_NEGATIVE,
                "0 to 0.1 are usual",
            ),
            (
                !(0.0..=1.0).contains(&self.warmup),
                "warmup",
                "is a share of the steps",
                "give a number from 0 to 1",
            ),
            (
                !positive(self.max_grad_norm),
                "max_grad_norm",
                OVER_NOTHING,
                "1 is usual",
            ),
            (self.batch_rows == 0, "batch_rows", ONE, "16 are usual"),
            (
                self.micro_batch_rows == 0 || self.asks_for_a_larger_micro_batch(),
                "micro_batch_rows",
                "must be at least 1 and at most `batch_rows`",
                "lower it, or raise `batch_rows`",
            ),
            (!positive(self.epochs), "epochs", OVER_NOTHING, "2 to 3 are usual"),
            (
                self.max_steps == Some(0),
                "max_steps",
                ONE,
                "leave it out for as many steps as the epochs have",
            ),
            (
                self.max_tokens < 2,
                "max_tokens",
                "must be at least 2",
                "a row has a prompt's token and an answer's",
            ),
            (
                self.validation.every == Some(0),
                "validation.every",
                ONE,
                "leave it out to measure ten times",
            ),
            (self.validation.rows == 0, "validation.rows", ONE, "200 are usual"),
            (
                self.checkpoints.every == Some(0),
                "checkpoints.every",
                ONE,
                "leave it out for one at each validation",
            ),
            (self.checkpoints.keep == 0, "checkpoints.keep", ONE, "2 are usual"),
            (
                !not_negative(self.usd_per_hour),
                "usd_per_hour",
                NOT_NEGATIVE,
                "give the price of an hour in dollars",
            ),
            (
                self.max_usd.is_some() && self.usd_per_hour == 0.0,
                "max_usd",
                "limits nothing while an hour costs nothing",
                "set `usd_per_hour`, or limit the steps with `max_steps`",
            ),
            (
                self.max_usd.is_some_and(|usd| !positive(usd)),
                "max_usd",
                OVER_NOTHING,
                "give dollars",
            ),
            (
                self.dpo.is_some() && self.objective == Objective::Sft,
                "dpo",
                "does nothing while `objective` is `sft`",
                "set `objective: dpo`, or leave it out",
            ),
            (
                self.dpo.is_some_and(|dpo| !positive(dpo.beta)),
                "dpo.beta",
                OVER_NOTHING,
                "0.1 is usual",
            ),
            (
                native && self.objective == Objective::Dpo,
                "objective",
                "is `dpo`, and the native backend learns from answers only",
                "pairs need `backend: trl`",
            ),
            (
                native && self.precision == Precision::Bf16,
                "precision",
                "is `bf16`, and the native backend computes in 32 bits",
                "16 bits need `backend: trl`",
            ),
        ];
        let found = checks.into_iter().filter(|(wrong, ..)| *wrong);
        found
            .map(|(_, at, message, help)| Problem { at, message, help })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_can_be_trained_with() {
        assert_eq!(Training::default().problems(), []);
        assert_eq!(Training::default().lora.scale(), 2.0);
        let read: Training = serde_json::from_str("{}").unwrap();
        assert_eq!(read, Training::default());
    }

    #[test]
    fn settings_that_do_nothing_are_refused_where_they_stand() {
        let at = |text: &str| {
            let training: Training = serde_json::from_str(text).unwrap();
            training
                .problems()
                .iter()
                .map(|problem| problem.at)
                .collect::<Vec<_>>()
        };
        assert_eq!(at(r#"{"max_usd": 3}"#), ["max_usd"]);
        assert_eq!(at(r#"{"objective": "dpo"}"#), ["objective"]);
        assert_eq!(at(r#"{"objective": "dpo", "backend": "trl"}"#), [""; 0]);
        assert_eq!(at(r#"{"micro_batch_rows": 32}"#), ["micro_batch_rows"]);
        assert_eq!(at(r#"{"batch_rows": 2}"#), [""; 0], "the default follows");
        assert_eq!(
            at(r#"{"lora": {"rank": 0, "dropout": 1}}"#),
            ["lora.rank", "lora.dropout"]
        );
        assert!(serde_json::from_str::<Training>(r#"{"epoch": 3}"#).is_err());
    }
}
