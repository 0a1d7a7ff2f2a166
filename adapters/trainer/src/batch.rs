//! Answers to several prompts at a time: who has come is taken in, who has ended leaves, and the others go on.

use candle_core::Result;
use gristmill_domain::chat::Finish;
use gristmill_domain::chat::sampler::Sampler;

use crate::model::Model;
use crate::pass::{Logits, Part, Sequence, next_piece, pass};
use crate::text::Text;

/// Prompt tokens of all prompts that a pass reads at most, the first one's piece always: this bounds the memory of a pass, and how long answers
/// in the making wait for a newcomer's prompt.
const PROMPT_TOKENS: usize = 1024;
/// Tokens of an answer that room is made for at once.
const LIKELY_ANSWER: usize = 256;

/// A prompt, and how it is answered.
#[derive(Debug)]
pub(crate) struct Asked {
    /// At least one token.
    pub(crate) prompt: Vec<u32>,
    pub(crate) max_tokens: u32,
    pub(crate) sampler: Sampler,
    /// Texts that end the answer.
    pub(crate) stops: Vec<String>,
}

/// What a prompt was answered with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// Its text, without what ended it.
    pub text: String,
    /// Why it ended.
    pub finish: Finish,
    /// Tokens of the prompt.
    pub prompt_tokens: u32,
    /// Tokens of the answer, its end included.
    pub completion_tokens: u32,
}

/// The prompts in work, each with what its asker is known by.
#[derive(Debug)]
pub(crate) struct Batch<T> {
    rows: Vec<Row<T>>,
}

#[derive(Debug)]
struct Row<T> {
    asker: T,
    asked: Asked,
    sequence: Sequence,
    answer: Vec<u32>,
}

impl<T> Batch<T> {
    pub(crate) fn new() -> Self {
        Self { rows: Vec::new() }
    }

    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(crate) fn admit(&mut self, asker: T, asked: Asked) {
        let likely = (asked.max_tokens as usize).min(LIKELY_ANSWER);
        self.rows.push(Row {
            asker,
            sequence: Sequence::new(asked.prompt.len() + likely),
            answer: Vec::new(),
            asked,
        });
    }

    /// Drops those whose asker no longer waits.
    pub(crate) fn keep(&mut self, waits: impl Fn(&T) -> bool) {
        self.rows.retain(|row| waits(&row.asker));
    }

    /// Drops all; returns who asked.
    pub(crate) fn give_up(&mut self) -> Vec<T> {
        self.rows.drain(..).map(|row| row.asker).collect()
    }

    /// One pass: pieces of the prompts that are not read yet, and the newest token of each of the others. Returns the answers that ended with it,
    /// or why their tokens make no text.
    pub(crate) fn step(
        &mut self,
        model: &Model,
        text: &Text,
    ) -> Result<Vec<(T, std::result::Result<Answered, String>)>> {
        let mut of_prompts = 0;
        let mut parts = Vec::with_capacity(self.rows.len());
        let mut advanced = Vec::with_capacity(self.rows.len());
        for (number, row) in self.rows.iter_mut().enumerate() {
            let Row {
                asked,
                sequence,
                answer,
                ..
            } = row;
            let prompt = asked.prompt.len();
            let tokens = match sequence.read() < prompt {
                true => next_piece(&asked.prompt, sequence.read()),
                false => answer.last().map(std::slice::from_ref).unwrap_or_default(),
            };
            let after = sequence.read() + tokens.len();
            if after <= prompt {
                if of_prompts > 0 && of_prompts + tokens.len() > PROMPT_TOKENS {
                    continue;
                }
                of_prompts += tokens.len();
            }
            let logits = match after < prompt {
                true => Logits::None,
                false => Logits::Last,
            };
            if logits == Logits::Last {
                advanced.push(number);
            }
            parts.push(Part {
                sequence,
                tokens,
                logits,
            });
        }
        let logits = match pass(model, &mut parts)? {
            None => Vec::new(),
            Some(logits) => logits.to_vec2::<f32>()?,
        };
        let mut ended = Vec::new();
        for (number, logits) in advanced.into_iter().zip(&logits) {
            let row = self.rows.get_mut(number);
            if let Some(finish) = row.and_then(|row| row.advance(logits, text)) {
                ended.push((number, finish));
            }
        }
        let mut answers = Vec::with_capacity(ended.len());
        // From behind, so that the numbers before stay what they are.
        for (number, finish) in ended.into_iter().rev() {
            let row = self.rows.remove(number);
            let answered = row.answered(finish, text);
            answers.push((row.asker, answered));
        }
        Ok(answers)
    }
}

impl<T> Row<T> {
    /// Chooses the next token; why the answer ends with it, if it does.
    fn advance(&mut self, logits: &[f32], text: &Text) -> Option<Finish> {
        let Some(token) = self.asked.sampler.choose(logits) else {
            return Some(Finish::Other);
        };
        self.answer.push(token as u32);
        if text.is_end(token as u32) || text.has_stop(&self.answer, &self.asked.stops) {
            return Some(Finish::Stop);
        }
        (self.answer.len() >= self.asked.max_tokens as usize).then_some(Finish::Length)
    }

    fn answered(&self, finish: Finish, text: &Text) -> std::result::Result<Answered, String> {
        Ok(Answered {
            text: text.answer(&self.answer, &self.asked.stops)?,
            finish,
            prompt_tokens: self.asked.prompt.len() as u32,
            completion_tokens: self.answer.len() as u32,
        })
    }
}
