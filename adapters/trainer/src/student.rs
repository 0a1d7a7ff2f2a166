//! A model that answers: the base, or the base with an adapter.

use std::path::Path;

use candle_core::{D, Device, Tensor};
use gristmill_domain::chat::Message;
use gristmill_domain::training::{Lora, Method};

use crate::Error;
use crate::load::{Trained, load};
use crate::model::{Model, Tokens};
use crate::peft;
use crate::text::Text;
use crate::weights::Base;

/// A model in memory that generates and scores. Computes on the thread that calls it.
#[derive(Debug)]
pub struct Student {
    model: Model,
    text: Text,
}

/// What was generated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Generated {
    /// Its text, without what ends a turn.
    pub text: String,
    /// Tokens of the prompt.
    pub prompt_tokens: u32,
    /// Tokens of the answer, its end included.
    pub completion_tokens: u32,
    /// It was cut at the most tokens allowed.
    pub cut: bool,
}

/// How likely an answer is to a model.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Likelihood {
    /// Sum of the logarithms of its tokens' probabilities, in nats.
    pub log_likelihood: f64,
    /// Its tokens, the end of the turn included.
    pub tokens: u32,
}

impl Student {
    /// Loads a base model, with an adapter in PEFT layout where one is named. Blocks while it reads the files.
    ///
    /// # Errors
    /// [`Error::Model`] for files that are missing, damaged, of another kind, or that do not fit together.
    pub fn load(base: &Path, adapter: Option<&Path>, device: &Device) -> Result<Self, Error> {
        let base = Base::open(base)?;
        let text = Text::of(&base)?;
        let trained = match adapter {
            None => Trained::Nothing,
            Some(folder) => {
                let size: Lora = peft::size(folder)?;
                Trained::of(Method::Lora, size, 0)
            }
        };
        let model = load(base, trained, device)?;
        if let Some(folder) = adapter {
            peft::read(&model, folder)?;
        }
        Ok(Self { model, text })
    }

    /// Its vocabulary and template.
    pub fn text(&self) -> &Text {
        &self.text
    }

    /// Answers prompts, taking the likeliest token each time, with at most `max_tokens` each.
    ///
    /// # Errors
    /// [`Error::Unsupported`] for messages that the template refuses; [`Error::Compute`].
    pub fn answer(&self, prompts: &[&[Message]], max_tokens: u32) -> Result<Vec<Generated>, Error> {
        let prompts = prompts.iter().map(|messages| self.text.prompt(messages));
        let prompts: Vec<Vec<u32>> = prompts.collect::<Result<_, _>>().map_err(Error::Unsupported)?;
        if prompts.is_empty() {
            return Ok(Vec::new());
        }
        let parts: Vec<&[u32]> = prompts.iter().map(Vec::as_slice).collect();
        let (mut logs, mut generation) = self.model.read(&parts)?;
        let mut answers: Vec<Vec<u32>> = vec![Vec::new(); prompts.len()];
        let mut ended = vec![false; prompts.len()];
        for _ in 0..max_tokens {
            let chosen: Vec<u32> = logs.argmax(D::Minus1)?.to_vec1()?;
            for ((answer, ended), token) in answers.iter_mut().zip(&mut ended).zip(&chosen) {
                if !*ended {
                    answer.push(*token);
                    *ended = self.text.ends.contains(token);
                }
            }
            if ended.iter().all(|ended| *ended) {
                break;
            }
            logs = self.model.read_next(&chosen, &mut generation)?;
        }
        let answers = prompts.iter().zip(answers).zip(ended);
        answers
            .map(|((prompt, answer), ended)| {
                Ok(Generated {
                    text: self.text.decode(&answer).map_err(Error::Unsupported)?,
                    prompt_tokens: prompt.len() as u32,
                    completion_tokens: answer.len() as u32,
                    cut: !ended,
                })
            })
            .collect()
    }

    /// How likely each answer is behind its prompt.
    ///
    /// # Errors
    /// As [`Self::answer`].
    pub fn score(&self, rows: &[(&[Message], &[Message])]) -> Result<Vec<Likelihood>, Error> {
        let tokens = rows.iter().map(|(prompt, answer)| self.text.row(prompt, answer));
        let tokens: Vec<Tokens> = tokens.collect::<Result<_, _>>().map_err(Error::Unsupported)?;
        if tokens.is_empty() {
            return Ok(Vec::new());
        }
        let rows: Vec<&Tokens> = tokens.iter().collect();
        let losses: Tensor = self.model.losses(&rows, None)?;
        let losses: Vec<f32> = losses.to_vec1()?;
        let mut losses = losses.into_iter().map(f64::from);
        let scored = tokens.iter().map(|row| Likelihood {
            log_likelihood: -losses.by_ref().take(row.completion()).sum::<f64>(),
            tokens: row.completion() as u32,
        });
        Ok(scored.collect())
    }
}
