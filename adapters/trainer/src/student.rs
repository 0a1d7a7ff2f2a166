//! A model that answers: the base, or the base with an adapter.

use std::path::Path;

use candle_core::Device;
use gristmill_domain::chat::sampler::Sampler;
use gristmill_domain::chat::{Likelihood, Message};
use gristmill_domain::training::{Lora, Method};

use crate::Error;
use crate::batch::{Answered, Asked, Batch};
use crate::likelihood::{likelihoods, of_document};
use crate::load::{Trained, load};
use crate::model::Model;
use crate::peft;
use crate::text::Text;
use crate::weights::Base;

/// A model in memory that generates and scores. Computes on the thread that calls it.
#[derive(Debug)]
pub struct Student {
    pub(crate) model: Model,
    pub(crate) text: Text,
}

impl Student {
    /// Loads a base model, with an adapter in PEFT layout where one is named, whose weights are added into the base's. Blocks while it reads the
    /// files.
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
        let mut model = load(base, trained, device)?;
        if let Some(folder) = adapter {
            peft::read(&model, folder)?;
        }
        model.settle()?;
        Ok(Self { model, text })
    }

    /// Its vocabulary and template.
    pub fn text(&self) -> &Text {
        &self.text
    }

    /// Tokens that the model was made for, prompt and answer together.
    pub fn context_tokens(&self) -> usize {
        self.model.shape.context
    }

    /// Answers prompts, taking the likeliest token each time, with at most `max_tokens` each.
    ///
    /// # Errors
    /// [`Error::Unsupported`] for messages that the template refuses or that are no token; [`Error::Compute`].
    pub fn answer(&self, prompts: &[&[Message]], max_tokens: u32) -> Result<Vec<Answered>, Error> {
        let mut batch = Batch::new();
        for (number, messages) in prompts.iter().enumerate() {
            let prompt = self.prompt(messages)?;
            let asked = Asked {
                prompt,
                max_tokens,
                sampler: Sampler::new(0.0, 1.0, 0),
                stops: Vec::new(),
            };
            batch.admit(number, asked);
        }
        let mut answers = Vec::with_capacity(prompts.len());
        while batch.len() > 0 {
            for (number, answered) in batch.step(&self.model, &self.text)? {
                answers.push((number, answered.map_err(Error::Unsupported)?));
            }
        }
        answers.sort_by_key(|(number, _)| *number);
        Ok(answers.into_iter().map(|(_, answered)| answered).collect())
    }

    /// How likely it is that the answer to the messages begins with each of these texts. The end of an answer is not counted in.
    ///
    /// # Errors
    /// [`Error::Unsupported`] for messages that the template refuses, and for a text that is no token; [`Error::Compute`].
    pub fn likelihoods(
        &self,
        messages: &[Message],
        continuations: &[String],
    ) -> Result<Vec<Likelihood>, Error> {
        let prompt = self.prompt(messages)?;
        let continuations = self.continuations(continuations)?;
        self.likelihoods_of(&prompt, &continuations)
    }

    /// The same of tokens, at least one each.
    pub(crate) fn likelihoods_of(
        &self,
        prompt: &[u32],
        continuations: &[Vec<u32>],
    ) -> Result<Vec<Likelihood>, Error> {
        Ok(likelihoods(&self.model, prompt, continuations)?)
    }

    /// How likely texts are by themselves, as documents, of tokens: each behind the one token that a document begins with. Those longer than `context`
    /// tokens are read in windows.
    pub(crate) fn document_likelihoods(
        &self,
        texts: &[Vec<u32>],
        context: usize,
    ) -> Result<Vec<Likelihood>, Error> {
        let beginning = self.text.document_beginning().map_err(Error::Unsupported)?;
        let scored = texts
            .iter()
            .map(|text| of_document(&self.model, beginning, text, context));
        Ok(scored.collect::<Result<_, _>>()?)
    }

    /// The tokens of a prompt, at least one.
    pub(crate) fn prompt(&self, messages: &[Message]) -> Result<Vec<u32>, Error> {
        let prompt = self.text.prompt(messages).map_err(Error::Unsupported)?;
        match prompt.is_empty() {
            false => Ok(prompt),
            true => Err(Error::Unsupported("the prompt is empty".to_owned())),
        }
    }

    /// The tokens of texts that go on from a prompt, at least one each.
    pub(crate) fn continuations(&self, texts: &[String]) -> Result<Vec<Vec<u32>>, Error> {
        let tokens = texts.iter().enumerate().map(|(number, text)| {
            let tokens = self.text.raw_continuation(text).map_err(Error::Unsupported)?;
            match tokens.is_empty() {
                false => Ok(tokens),
                true => Err(Error::Unsupported(format!("the continuation {number} is empty"))),
            }
        });
        tokens.collect()
    }
}
