//! The model's thread: takes requests into slots, reads their prompts, and generates for all of them step by step.
//!
//! A slot is a sequence of llama.cpp with a cache stream of its own. A prompt is read in blocks of [`BLOCK_TOKENS`] from its
//! beginning, one prompt at a time; the whole blocks stay in the slot's cache, so that a later prompt with the same beginning
//! (few-shot examples, a passage asked about twice) reads only what differs. A token's block and place in it never depend on
//! that, and neither does what is computed for it.

use std::num::NonZeroU32;
use std::sync::mpsc::SyncSender;

use gristmill_domain::chat::sampler::Sampler;
use gristmill_domain::chat::{Finish, Request, Response, Usage};
use gristmill_ports::model::{CallError, Scope};
use llama_cpp_2::context::LlamaContext;
use llama_cpp_2::context::params::LlamaContextParams;
use llama_cpp_2::llama_backend::LlamaBackend;
use llama_cpp_2::llama_batch::LlamaBatch;
use llama_cpp_2::model::LlamaModel;
use llama_cpp_2::model::params::LlamaModelParams;
use llama_cpp_2::token::LlamaToken;
use tokio::sync::{mpsc, oneshot};

use crate::constraint::Constraint;
use crate::output::Output;
use crate::prompt::Tokenizer;
use crate::{Error, Options};

/// Prompt tokens read at once. Smaller keeps more of a shared beginning, larger reads faster.
const BLOCK_TOKENS: usize = 64;

/// A request, and where its answer goes; closed when nobody waits any more.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) request: Request,
    pub(crate) reply: oneshot::Sender<Result<Response, CallError>>,
}

/// The thread's life: loads, says how that went, and works until the queue is closed.
pub(crate) fn run(
    backend: &'static LlamaBackend,
    options: &Options,
    mut queue: mpsc::Receiver<Job>,
    ready: &SyncSender<Result<(), Error>>,
) {
    let model = match load(backend, options) {
        Ok(model) => model,
        Err(error) => return tell_ready(ready, Err(error)),
    };
    match Engine::new(backend, &model, options) {
        Ok(mut engine) => {
            tell_ready(ready, Ok(()));
            engine.work(&mut queue);
        }
        Err(error) => tell_ready(ready, Err(error)),
    }
}

fn tell_ready(ready: &SyncSender<Result<(), Error>>, outcome: Result<(), Error>) {
    // Whoever loads the model waits for exactly this; when he is gone, the closed queue ends the thread.
    if ready.send(outcome).is_err() {
        tracing::debug!("nobody waits for the model any more");
    }
}

fn load(backend: &LlamaBackend, options: &Options) -> Result<LlamaModel, Error> {
    let model = LlamaModel::load_from_file(backend, &options.path, &LlamaModelParams::default());
    model.map_err(|error| Error::Format {
        path: options.path.clone(),
        reason: format!(
            "{error}; it may be cut off, or of an architecture that this build of llama.cpp does not know"
        ),
    })
}

/// One sequence of the context.
struct Slot {
    sequence: u32,
    /// Tokens of the whole blocks in its cache.
    kept: Vec<LlamaToken>,
    work: Option<Work>,
}

/// A request in a slot.
struct Work {
    reply: oneshot::Sender<Result<Response, CallError>>,
    sampler: Sampler,
    constraint: Option<Constraint>,
    output: Output,
    /// The token that the next step reads, and where it stands.
    next: LlamaToken,
    position: usize,
    tokens_max: u64,
    usage: Usage,
}

struct Engine<'a> {
    model: &'a LlamaModel,
    context: LlamaContext<'a>,
    tokenizer: Tokenizer<'a>,
    batch: LlamaBatch<'static>,
    slots: Vec<Slot>,
    context_tokens: usize,
    version: &'a str,
}

impl<'a> Engine<'a> {
    fn new(backend: &LlamaBackend, model: &'a LlamaModel, options: &'a Options) -> Result<Self, Error> {
        let wrong = |reason: String| Error::Settings {
            path: options.path.clone(),
            reason,
        };
        let (slots, context, trained) = (options.slots, options.context_tokens, model.n_ctx_train());
        if context.get() > trained {
            return Err(wrong(format!(
                "a context of {context} tokens exceeds the {trained} that it was trained for"
            )));
        }
        let too_large = || {
            wrong(format!(
                "{slots} slots of {context} tokens are more than can be addressed"
            ))
        };
        // llama.cpp rounds a slot's share up to this anyway.
        let total = context
            .get()
            .checked_next_multiple_of(256)
            .and_then(|slot| slot.checked_mul(slots.get()))
            .and_then(NonZeroU32::new)
            .ok_or_else(too_large)?;
        let threads =
            i32::try_from(options.threads.get()).map_err(|_| wrong("too many threads".to_owned()))?;
        let batch = BLOCK_TOKENS.max(slots.get() as usize);
        let params = LlamaContextParams::default()
            .with_n_ctx(Some(total))
            .with_n_seq_max(slots.get())
            // A stream a slot: what one holds does not move what another computes.
            .with_kv_unified(false)
            // With flash attention on, a lone sequence takes another path from 512 tokens on and sums in another order.
            .with_flash_attention_policy(llama_cpp_sys_2::LLAMA_FLASH_ATTN_TYPE_DISABLED)
            .with_n_batch(batch as u32)
            .with_n_ubatch(batch as u32)
            .with_n_threads(threads)
            .with_n_threads_batch(threads);
        let context = model.new_context(backend, params).map_err(|error| {
            wrong(format!(
                "no memory for {slots} slots of {context} tokens, or {error}"
            ))
        })?;
        Ok(Self {
            model,
            context,
            tokenizer: Tokenizer::new(model),
            batch: LlamaBatch::new(batch, 1),
            slots: (0..slots.get())
                .map(|sequence| Slot {
                    sequence,
                    kept: Vec::new(),
                    work: None,
                })
                .collect(),
            context_tokens: options.context_tokens.get() as usize,
            version: &options.model,
        })
    }

    fn work(&mut self, queue: &mut mpsc::Receiver<Job>) {
        loop {
            while let Some(job) = self.next_job(queue) {
                self.admit(job);
            }
            if self.slots.iter().all(|slot| slot.work.is_none()) {
                return;
            }
            self.step();
        }
    }

    /// A job for a free slot. Waits for one when there is nothing else to do; `None` then means that the queue is closed.
    fn next_job(&self, queue: &mut mpsc::Receiver<Job>) -> Option<Job> {
        let busy = self.slots.iter().filter(|slot| slot.work.is_some()).count();
        match busy {
            0 => queue.blocking_recv(),
            busy if busy < self.slots.len() => queue.try_recv().ok(),
            _ => None,
        }
    }

    /// Reads a job's prompt into a free slot and chooses its first token; answers at once what cannot be done.
    fn admit(&mut self, job: Job) {
        let Job { request, reply } = job;
        if reply.is_closed() {
            return;
        }
        let prepared = self.prepare(&request);
        let (tokens, constraint) = match prepared {
            Ok(prepared) => prepared,
            Err(reason) => {
                let reason = format!("local model {}: {reason}", self.version);
                return answer(reply, Err(refusal(reason)));
            }
        };
        let Some((index, cached)) = self.best_slot(&tokens) else {
            return answer(
                reply,
                Err(unknown(format!("local model {}: no free slot", self.version))),
            );
        };
        let cached = match self.read_prompt(index, &tokens, cached, &reply) {
            Ok(Some(cached)) => cached,
            Ok(None) => return,
            Err(reason) => {
                return answer(
                    reply,
                    Err(unknown(format!("local model {}: {reason}", self.version))),
                );
            }
        };
        self.slots[index].work = Some(Work {
            reply,
            sampler: Sampler::new(request.temperature, request.top_p, request.seed),
            constraint,
            output: Output::new(&request.stop),
            next: LlamaToken(0),
            position: tokens.len(),
            tokens_max: request.max_tokens.into(),
            usage: Usage {
                input_tokens: tokens.len() as u64,
                cached_input_tokens: cached as u64,
                output_tokens: 0,
            },
        });
        self.advance(index, self.batch.n_tokens() - 1);
    }

    fn prepare(&self, request: &Request) -> Result<(Vec<LlamaToken>, Option<Constraint>), String> {
        if request.max_tokens == 0 {
            return Err("max_tokens is 0".to_owned());
        }
        if !(request.temperature >= 0.0 && (0.0..=1.0).contains(&request.top_p)) {
            let (temperature, top_p) = (request.temperature, request.top_p);
            return Err(format!(
                "temperature {temperature} must be at least 0 and top_p {top_p} within 0 and 1"
            ));
        }
        let tokens = self.tokenizer.tokens(&request.prompt)?;
        if tokens.is_empty() {
            return Err("the prompt is empty".to_owned());
        }
        if tokens.len() >= self.context_tokens {
            return Err(format!(
                "the prompt has {} tokens and a slot holds {} with the answer: shorten it, or raise context_tokens",
                tokens.len(),
                self.context_tokens
            ));
        }
        let constraint = request
            .schema
            .as_ref()
            .map(|schema| Constraint::new(self.model, &schema.schema));
        Ok((tokens, constraint.transpose()?))
    }

    /// The free slot that holds most of this prompt's beginning, and how many tokens of it. The last token is always read
    /// anew: the first choice needs what is computed there.
    fn best_slot(&self, tokens: &[LlamaToken]) -> Option<(usize, usize)> {
        let free = self
            .slots
            .iter()
            .enumerate()
            .filter(|(_, slot)| slot.work.is_none());
        let shared = |slot: &Slot| {
            let same = slot
                .kept
                .iter()
                .zip(&tokens[..tokens.len() - 1])
                .take_while(|(a, b)| a == b)
                .count();
            same / BLOCK_TOKENS * BLOCK_TOKENS
        };
        // Of equals the one that holds least: others may be wanted by those who share with them.
        free.map(|(index, slot)| (index, shared(slot)))
            .max_by_key(|(index, shared)| (*shared, std::cmp::Reverse(self.slots[*index].kept.len())))
    }

    /// Reads a prompt, of which the slot already holds `cached` tokens; the tokens that were reused in the end. `None` when
    /// the caller went away meanwhile.
    fn read_prompt(
        &mut self,
        index: usize,
        tokens: &[LlamaToken],
        cached: usize,
        reply: &oneshot::Sender<Result<Response, CallError>>,
    ) -> Result<Option<usize>, String> {
        let sequence = self.slots[index].sequence;
        let mut cached = cached;
        let cut = self
            .context
            .clear_kv_cache_seq(Some(sequence), Some(cached as u32), None);
        if !cut.map_err(|error| error.to_string())? {
            // Models with a running state cannot go back to a place; they start over.
            cached = 0;
            let cleared = self.context.clear_kv_cache_seq(Some(sequence), None, None);
            cleared.map_err(|error| error.to_string())?;
        }
        self.slots[index].kept.truncate(cached);
        for (number, block) in tokens[cached..].chunks(BLOCK_TOKENS).enumerate() {
            if reply.is_closed() {
                return Ok(None);
            }
            let first = cached + number * BLOCK_TOKENS;
            self.batch.clear();
            for (offset, token) in block.iter().enumerate() {
                let position = first + offset;
                let last = position + 1 == tokens.len();
                let added = self.batch.add(*token, position as i32, &[sequence as i32], last);
                added.map_err(|error| error.to_string())?;
            }
            self.context
                .decode(&mut self.batch)
                .map_err(|error| error.to_string())?;
            if block.len() == BLOCK_TOKENS {
                self.slots[index].kept.extend_from_slice(block);
            }
        }
        Ok(Some(cached))
    }

    /// One more token for every request in work.
    fn step(&mut self) {
        self.batch.clear();
        let mut read = Vec::with_capacity(self.slots.len());
        for (index, slot) in self.slots.iter_mut().enumerate() {
            slot.work.take_if(|work| work.reply.is_closed());
            let Some(work) = &mut slot.work else {
                continue;
            };
            let added = self
                .batch
                .add(work.next, work.position as i32, &[slot.sequence as i32], true);
            if added.is_ok() {
                work.position += 1;
                read.push(index);
            }
        }
        if read.is_empty() {
            return;
        }
        if let Err(error) = self.context.decode(&mut self.batch) {
            let reason = format!("local model {}: {error}", self.version);
            for index in read {
                if let Some(work) = self.slots[index].work.take() {
                    answer(work.reply, Err(unknown(reason.clone())));
                }
            }
            return;
        }
        for (row, index) in read.into_iter().enumerate() {
            self.advance(index, row as i32);
        }
    }

    /// Chooses a slot's next token from a row of the last batch, and ends its request when that was the last one.
    fn advance(&mut self, index: usize, row: i32) {
        let Some(work) = &mut self.slots[index].work else {
            return;
        };
        let finish = work.choose(self.model, self.context.get_logits_ith(row), self.context_tokens);
        let Some(finish) = finish else {
            return;
        };
        if let Some(work) = self.slots[index].work.take() {
            let response = Response {
                text: work.output.into_text(),
                thinking: String::new(),
                finish,
                usage: work.usage.into(),
                model_version: self.version.to_owned(),
            };
            answer(work.reply, Ok(response));
        }
    }
}

impl Work {
    /// Chooses and books a token; why the completion ends with it, if it does.
    fn choose(&mut self, model: &LlamaModel, logits: &[f32], context_tokens: usize) -> Option<Finish> {
        let chosen = match &mut self.constraint {
            Some(constraint) => constraint.choose(&mut self.sampler, logits),
            None => self.sampler.choose(logits),
        };
        let Some(chosen) = chosen else {
            return Some(Finish::Other);
        };
        let token = LlamaToken(chosen as i32);
        // The token that ends the text was computed like any other, and counts.
        self.usage.output_tokens += 1;
        let vocab = model.vocab();
        if vocab.is_eog(token) || self.output.push(&vocab.token_to_piece(token, false, None)) {
            return Some(Finish::Stop);
        }
        self.next = token;
        let full = self.usage.output_tokens >= self.tokens_max || self.position >= context_tokens;
        full.then_some(Finish::Length)
    }
}

fn answer(reply: oneshot::Sender<Result<Response, CallError>>, outcome: Result<Response, CallError>) {
    if reply.send(outcome).is_err() {
        tracing::trace!("an answer came after its caller had gone");
    }
}

fn refusal(reason: String) -> CallError {
    CallError::NotBilled {
        reason,
        retry_after: None,
        scope: Scope::Request,
    }
}

fn unknown(reason: String) -> CallError {
    CallError::Unknown {
        reason,
        retry_after: None,
    }
}
