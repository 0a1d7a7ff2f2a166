//! The model behind the port: a handle, and the thread that answers.

use std::num::NonZeroU32;

use async_trait::async_trait;
use gristmill_domain::chat::sampler::Sampler;
use gristmill_domain::chat::{Prompt, Request, Response, Usage};
use gristmill_ports::model::{CallError, ChatModel, Scope, ScoreError, Scores};
use tokio::sync::{mpsc, oneshot};

use crate::Error;
use crate::batch::{Answered, Asked, Batch};
use crate::student::Student;

/// Tokens that a text begins with as a document.
const DOCUMENT_BEGINNING: usize = 1;

/// How a model is asked.
#[derive(Debug, Clone)]
pub struct Options {
    /// Name and version that answers go under.
    pub version: String,
    /// Requests that are worked on at once.
    pub slots: NonZeroU32,
    /// Tokens of prompt and answer together, at most; those that the model was made for when left out.
    pub context_tokens: Option<NonZeroU32>,
}

/// A model in this process. Dropping it ends its thread; dropping a call frees the call's slot at the next step.
#[derive(Debug)]
pub struct NativeModel {
    version: String,
    jobs: mpsc::Sender<Job>,
}

/// Where an answer goes; closed when nobody waits any more.
type Reply<T> = oneshot::Sender<Result<T, CallError>>;

/// What is asked.
#[derive(Debug)]
enum Job {
    Complete {
        request: Box<Request>,
        reply: Reply<Response>,
    },
    Score {
        prompt: Prompt,
        continuations: Vec<String>,
        reply: Reply<Scores>,
    },
}

impl NativeModel {
    /// Has a loaded model answer, on a thread of its own.
    ///
    /// # Errors
    /// [`Error::Unsupported`] for a context that is longer than the model was made for; [`Error::Thread`].
    pub fn start(student: Student, options: Options) -> Result<Self, Error> {
        let Options {
            version,
            slots,
            context_tokens,
        } = options;
        let made_for = student.context_tokens();
        let context = context_tokens.map_or(made_for, |tokens| tokens.get() as usize);
        if context > made_for {
            return Err(Error::Unsupported(format!(
                "{version}: a context of {context} tokens exceeds the {made_for} that the model was made for: lower `context_tokens`, or leave it \
                 out"
            )));
        }
        // As many may wait as are worked on: whoever comes then waits in their own `send`.
        let (jobs, queue) = mpsc::channel(slots.get() as usize);
        let desk = Desk {
            student,
            version: version.clone(),
            context,
            slots: slots.get() as usize,
            batch: Batch::new(),
        };
        std::thread::Builder::new()
            .name("native-model".to_owned())
            .spawn(move || desk.work(queue))
            .map_err(Error::Thread)?;
        Ok(Self { version, jobs })
    }

    async fn ask<T>(
        &self,
        job: Job,
        answer: oneshot::Receiver<Result<T, CallError>>,
    ) -> Result<T, CallError> {
        let ended = || CallError::NotBilled {
            reason: format!("the thread of the local model {} has ended", self.version),
            retry_after: None,
            scope: Scope::Endpoint,
        };
        self.jobs.send(job).await.map_err(|_| ended())?;
        answer.await.map_err(|_| ended())?
    }
}

#[async_trait]
impl ChatModel for NativeModel {
    async fn complete(&self, request: &Request) -> Result<Response, CallError> {
        let (reply, answer) = oneshot::channel();
        let request = Box::new(request.clone());
        self.ask(Job::Complete { request, reply }, answer).await
    }

    async fn score(&self, prompt: &Prompt, continuations: &[String]) -> Result<Scores, ScoreError> {
        let (reply, answer) = oneshot::channel();
        let job = Job::Score {
            prompt: prompt.clone(),
            continuations: continuations.to_vec(),
            reply,
        };
        Ok(self.ask(job, answer).await?)
    }
}

/// What the thread has.
struct Desk {
    student: Student,
    version: String,
    context: usize,
    slots: usize,
    batch: Batch<Reply<Response>>,
}

impl Desk {
    /// Works until the queue is closed.
    fn work(mut self, mut queue: mpsc::Receiver<Job>) {
        loop {
            while let Some(job) = self.next_job(&mut queue) {
                let holds_up = matches!(job, Job::Score { .. });
                self.take(job);
                // Answers in the making go on between likelihoods, however many are asked for.
                if holds_up && self.batch.len() > 0 {
                    break;
                }
            }
            if self.batch.len() == 0 {
                return;
            }
            self.step();
        }
    }

    /// A job for a free slot. Waits for one when there is nothing else to do; `None` then means that the queue is closed.
    fn next_job(&self, queue: &mut mpsc::Receiver<Job>) -> Option<Job> {
        match self.batch.len() {
            0 => queue.blocking_recv(),
            busy if busy < self.slots => queue.try_recv().ok(),
            _ => None,
        }
    }

    /// Takes a request in, or answers it at once: likelihoods, and what cannot be done.
    fn take(&mut self, job: Job) {
        match job {
            Job::Complete { request, reply } => {
                if reply.is_closed() {
                    return;
                }
                match self.asked(&request) {
                    Err(reason) => answer(reply, Err(self.refused(reason))),
                    Ok(asked) => self.batch.admit(reply, asked),
                }
            }
            Job::Score {
                prompt,
                continuations,
                reply,
            } => {
                if !reply.is_closed() {
                    answer(reply, self.scores(&prompt, &continuations));
                }
            }
        }
    }

    fn step(&mut self) {
        self.batch.keep(|reply| !reply.is_closed());
        match self.batch.step(&self.student.model, &self.student.text) {
            Ok(ended) => {
                for (reply, answered) in ended {
                    let outcome = match answered {
                        Ok(answered) => Ok(self.response(answered)),
                        Err(reason) => Err(self.unknown(&reason)),
                    };
                    answer(reply, outcome);
                }
            }
            Err(error) => self.failed(&error),
        }
    }

    /// What is asked of the model, or why it is not asked.
    fn asked(&self, request: &Request) -> Result<Asked, String> {
        if request.max_tokens == 0 {
            return Err("`max_tokens` is 0".to_owned());
        }
        if !(request.temperature >= 0.0 && (0.0..=1.0).contains(&request.top_p)) {
            return Err(format!(
                "temperature {} must be at least 0 and top_p {} within 0 and 1",
                request.temperature, request.top_p
            ));
        }
        if request.schema.is_some() {
            return Err("the native engine has no structured output: ask in words".to_owned());
        }
        let prompt = self.prompt(&request.prompt)?;
        let (more, help) = (
            request.max_tokens as usize,
            "lower `max_tokens` or shorten the prompt",
        );
        self.fits(prompt.len(), more, "tokens of answer", help)?;
        Ok(Asked {
            prompt,
            max_tokens: request.max_tokens,
            sampler: Sampler::new(request.temperature, request.top_p, request.seed),
            stops: request.stop.clone(),
        })
    }

    /// The tokens of a prompt, at least one.
    fn prompt(&self, prompt: &Prompt) -> Result<Vec<u32>, String> {
        let tokens = match prompt {
            Prompt::Chat(messages) => self.student.prompt(messages).map_err(|error| error.to_string())?,
            Prompt::Raw(text) => self.student.text.raw(text)?,
        };
        match tokens.is_empty() {
            true => Err("the prompt is empty".to_owned()),
            false => Ok(tokens),
        }
    }

    fn scores(&self, prompt: &Prompt, continuations: &[String]) -> Result<Scores, CallError> {
        let refused = |error: Error| self.refused(error.to_string());
        let continuations = self.student.continuations(continuations).map_err(refused)?;
        let (scored, before) = match prompt {
            Prompt::Raw(text) if text.is_empty() => {
                let scored = self.student.document_likelihoods(&continuations, self.context);
                (scored, DOCUMENT_BEGINNING)
            }
            prompt => {
                let prompt = self.prompt(prompt).map_err(|reason| self.refused(reason))?;
                let longest = continuations.iter().map(Vec::len).max().unwrap_or_default();
                let (what, help) = (
                    "tokens of the longest continuation",
                    "shorten prompt or continuation",
                );
                self.fits(prompt.len(), longest, what, help)
                    .map_err(|reason| self.refused(reason))?;
                let scored = self.student.likelihoods_of(&prompt, &continuations);
                (scored, prompt.len())
            }
        };
        let likelihoods = scored.map_err(|error| self.unknown(&error.to_string()))?;
        let read = before + continuations.iter().map(Vec::len).sum::<usize>();
        let usage = Usage {
            input_tokens: read as u64,
            cached_input_tokens: 0,
            output_tokens: 0,
        };
        Ok(Scores {
            likelihoods,
            usage: usage.into(),
            model_version: self.version.clone(),
        })
    }

    fn fits(&self, prompt: usize, more: usize, what: &str, shorter: &str) -> Result<(), String> {
        if prompt + more <= self.context {
            return Ok(());
        }
        let made_for = self.student.context_tokens();
        let help = match self.context < made_for {
            true => format!("raise `context_tokens` ({made_for} at most), or "),
            false => String::new(),
        };
        Err(format!(
            "{prompt} tokens of prompt and {more} {what} exceed the context of {}: {help}{shorter}",
            self.context
        ))
    }

    fn response(&self, answered: Answered) -> Response {
        let usage = Usage {
            input_tokens: answered.prompt_tokens.into(),
            cached_input_tokens: 0,
            output_tokens: answered.completion_tokens.into(),
        };
        Response {
            text: answered.text,
            thinking: String::new(),
            finish: answered.finish,
            usage: usage.into(),
            model_version: self.version.clone(),
        }
    }

    /// Nobody in work can be answered any more.
    fn failed(&mut self, error: &candle_core::Error) {
        for reply in self.batch.give_up() {
            answer(reply, Err(self.unknown(&error.to_string())));
        }
    }

    fn refused(&self, reason: String) -> CallError {
        CallError::NotBilled {
            reason: format!("local model {}: {reason}", self.version),
            retry_after: None,
            scope: Scope::Request,
        }
    }

    fn unknown(&self, reason: &str) -> CallError {
        CallError::Unknown {
            reason: format!("local model {}: {reason}", self.version),
            retry_after: None,
        }
    }
}

fn answer<T>(reply: Reply<T>, outcome: Result<T, CallError>) {
    // Who no longer waits is told nothing.
    let _gone = reply.send(outcome);
}
