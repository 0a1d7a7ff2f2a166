//! The embedder behind the port: texts in a bounded queue, threads of its own that take them in batches.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use gristmill_ports::model::{CallError, Embedded, Embedder, Scope};
use tokenizers::{Tokenizer, TruncationParams};
use tokio::sync::mpsc;

use crate::Error;
use crate::config::Config;
use crate::forward::{self, Scratch};
use crate::weights::Network;

/// Texts that may wait; who brings more waits himself.
const QUEUE_TEXTS: usize = 1024;
/// Texts that a thread takes at once, to sort them by length.
const TAKE_TEXTS: usize = 64;
/// Token rows of one forward pass: enough to read the weights seldom, few enough to stay in the cache (3 MB at 384 wide).
const PASS_ROWS: usize = 512;

/// Where the model lies and how it is run.
#[derive(Debug, Clone)]
pub struct Options {
    /// Weights, 32-bit safetensors.
    pub weights: PathBuf,
    /// Tokenizer, `tokenizer.json`.
    pub tokenizer: PathBuf,
    /// Shape, `config.json`.
    pub config: PathBuf,
    /// Name and version that the vectors go under; vectors of different models are never compared.
    pub model: String,
    /// Longer texts are cut after so many tokens, the two special ones included. Sentence-BERT publishes 256 for MiniLM-L6.
    pub tokens_max: usize,
    /// Threads that compute.
    pub threads: NonZeroUsize,
}

/// A BERT encoder with mean pooling. Dropping it ends its threads after the pass in hand.
#[derive(Debug)]
pub struct MiniLm {
    model: String,
    dimensions: usize,
    queue: mpsc::Sender<Item>,
}

/// One text on its way, and whom to tell. An answer that nobody waits for any more is not computed.
#[derive(Debug)]
struct Item {
    index: usize,
    text: String,
    reply: mpsc::Sender<Answer>,
}

#[derive(Debug)]
struct Answer {
    index: usize,
    outcome: Result<(Vec<f32>, usize), String>,
}

impl MiniLm {
    /// Loads the model and starts its threads. Blocks while it reads the files: call it off the async threads.
    ///
    /// Errors when a file is missing, damaged, or describes another kind of model: see [`Error`].
    pub fn load(options: &Options) -> Result<Self, Error> {
        let config = Config::read(&options.config)?;
        let tokenizer = tokenizer(options, &config)?;
        let network = Network::read(&options.weights, config)?;
        let dimensions = network.config.hidden_size;
        let (queue, items) = mpsc::channel(QUEUE_TEXTS);
        let shared = Arc::new(Shared {
            network,
            tokenizer,
            items: Mutex::new(items),
            threads: options.threads.get(),
        });
        for index in 0..options.threads.get() {
            let shared = Arc::clone(&shared);
            let thread = std::thread::Builder::new().name(format!("embed-{index}"));
            let work = move || {
                give_way();
                shared.work();
            };
            thread.spawn(work).map_err(Error::Thread)?;
        }
        Ok(Self {
            model: options.model.clone(),
            dimensions,
            queue,
        })
    }

    fn ended(&self) -> CallError {
        CallError::NotBilled {
            reason: format!("the threads of embedding model {} have ended", self.model),
            retry_after: None,
            scope: Scope::Endpoint,
        }
    }
}

fn tokenizer(options: &Options, config: &Config) -> Result<Tokenizer, Error> {
    let wrong = |reason: String| Error::Format {
        path: options.tokenizer.clone(),
        expected: "tokenizer of this encoder",
        reason,
    };
    let mut tokenizer = Tokenizer::from_file(&options.tokenizer).map_err(|error| wrong(error.to_string()))?;
    let largest = tokenizer
        .get_vocab(true)
        .into_values()
        .max()
        .map_or(0, |id| id as usize);
    if largest >= config.vocab_size {
        return Err(wrong(format!(
            "it has token {largest} and the model {} tokens",
            config.vocab_size
        )));
    }
    // The file may pad and cut as its last user wished: neither is wanted here.
    tokenizer.with_padding(None);
    let truncation = TruncationParams {
        max_length: options.tokens_max.min(config.max_position_embeddings),
        ..TruncationParams::default()
    };
    tokenizer
        .with_truncation(Some(truncation))
        .map_err(|error| wrong(error.to_string()))?;
    Ok(tokenizer)
}

#[async_trait]
impl Embedder for MiniLm {
    fn model(&self) -> &str {
        &self.model
    }

    fn dimensions(&self) -> usize {
        self.dimensions
    }

    async fn embed(&self, texts: &[String]) -> Result<Embedded, CallError> {
        if texts.is_empty() {
            return Ok(Embedded {
                vectors: Vec::new(),
                input_tokens: 0,
            });
        }
        let (reply, mut answers) = mpsc::channel(texts.len());
        for (index, text) in texts.iter().enumerate() {
            let item = Item {
                index,
                text: text.clone(),
                reply: reply.clone(),
            };
            self.queue.send(item).await.map_err(|_| self.ended())?;
        }
        drop(reply);
        let mut vectors = vec![Vec::new(); texts.len()];
        let mut input_tokens = 0;
        for _ in texts {
            let Answer { index, outcome } = answers.recv().await.ok_or_else(|| self.ended())?;
            let (vector, tokens) = outcome.map_err(|reason| CallError::NotBilled {
                reason: format!("embedding model {}: text {index}: {reason}", self.model),
                retry_after: None,
                scope: Scope::Request,
            })?;
            vectors[index] = vector;
            input_tokens += tokens as u64;
        }
        Ok(Embedded {
            vectors,
            input_tokens,
        })
    }
}

/// What the threads share.
struct Shared {
    network: Network,
    tokenizer: Tokenizer,
    items: Mutex<mpsc::Receiver<Item>>,
    threads: usize,
}

/// Lets the process's other threads, which send calls and renew leases, go first wherever processors are short.
fn give_way() {
    // Of 19 steps; on Linux a thread's own, elsewhere the whole process's.
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::nice(10) {
        tracing::debug!(
            error = &error as &dyn std::error::Error,
            "embedding goes as fast as all else"
        );
    }
}

impl Shared {
    /// A thread's life: until the queue is closed and empty.
    fn work(&self) {
        let mut scratch = Scratch::new();
        loop {
            let items = self.take();
            if items.is_empty() {
                return;
            }
            let mut tokenized: Vec<(Item, Vec<u32>)> =
                items.into_iter().filter_map(|item| self.tokenize(item)).collect();
            // Texts of similar length together make passes of similar size; the vectors do not depend on it.
            tokenized.sort_by_key(|(_, ids)| ids.len());
            for pass in passes(&tokenized) {
                let ids: Vec<&[u32]> = pass.iter().map(|(_, ids)| ids.as_slice()).collect();
                let vectors = forward::embed(&self.network, &ids, &mut scratch);
                for ((item, ids), vector) in pass.iter().zip(vectors) {
                    tell(item, Ok((vector, ids.len())));
                }
            }
        }
    }

    /// Waits for a text, then takes this thread's share of what waits. Empty when the queue is closed.
    fn take(&self) -> Vec<Item> {
        let mut queue = self.items.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(first) = queue.blocking_recv() else {
            return Vec::new();
        };
        let share = queue.len().div_ceil(self.threads).min(TAKE_TEXTS);
        let mut items = vec![first];
        while items.len() < share {
            match queue.try_recv() {
                Ok(item) => items.push(item),
                Err(_) => break,
            }
        }
        items
    }

    fn tokenize(&self, item: Item) -> Option<(Item, Vec<u32>)> {
        if item.reply.is_closed() {
            return None;
        }
        match self.tokenizer.encode_fast(item.text.as_str(), true) {
            Ok(encoding) if !encoding.is_empty() => Some((item, encoding.get_ids().to_vec())),
            Ok(_) => {
                tell(&item, Err("its tokenizer gives no token".to_owned()));
                None
            }
            Err(error) => {
                tell(&item, Err(error.to_string()));
                None
            }
        }
    }
}

fn tell(item: &Item, outcome: Result<(Vec<f32>, usize), String>) {
    let answer = Answer {
        index: item.index,
        outcome,
    };
    // The channel has room for every text of its call, so this fails only when the caller is gone.
    if item.reply.try_send(answer).is_err() {
        tracing::trace!("an embedding came after its caller had gone");
    }
}

/// Cuts sorted texts into runs of at most [`PASS_ROWS`] tokens, or of one text.
fn passes(texts: &[(Item, Vec<u32>)]) -> Vec<&[(Item, Vec<u32>)]> {
    let mut passes = Vec::new();
    let (mut start, mut rows) = (0, 0);
    for (i, (_, ids)) in texts.iter().enumerate() {
        if i > start && rows + ids.len() > PASS_ROWS {
            passes.push(&texts[start..i]);
            (start, rows) = (i, 0);
        }
        rows += ids.len();
    }
    if start < texts.len() {
        passes.push(&texts[start..]);
    }
    passes
}
