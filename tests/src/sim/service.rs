//! The service without sockets: what each request gets, what it costs, and how it fails.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::batch::Batches;
use super::books::{Amounts, Books, Delivery, Entry};
use super::config::{Config, Faults};
use super::draw::{Draw, hash64};
use super::embed::embed;
use super::key::AnswerKey;
use super::prompt::Kind;
use super::reply::{Model, Reply};
use super::speech::Speech;
use super::wire::{self, Chat, Refusal};

/// The window of the real rate limit.
const WINDOW: Duration = Duration::from_secs(60);

/// What goes back to the caller, after a while.
#[derive(Debug)]
pub(crate) enum Outcome {
    Json {
        status: u16,
        body: Value,
        retry_after_ms: Option<u64>,
    },
    /// The body ends in the middle.
    Cut(Value),
    /// The connection is reset.
    Reset,
    /// Nothing, for as long as the delay.
    Hang,
}

/// An outcome and how long it takes.
#[derive(Debug)]
pub(crate) struct Planned {
    pub(crate) delay: Duration,
    pub(crate) outcome: Outcome,
}

/// All state of a running service.
#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) config: Config,
    pub(crate) key: Arc<AnswerKey>,
    pub(crate) model: Model,
    faults: RwLock<Faults>,
    books: Mutex<Books>,
    /// When the chat requests of the last window were let in.
    window: Mutex<VecDeque<Instant>>,
    pub(crate) batches: Mutex<Batches>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    TooMany,
    Overloaded,
    ServerError,
    Hang,
    Reset,
    Cut,
}

impl Service {
    pub(crate) fn new(config: Config, key: Arc<AnswerKey>) -> Self {
        Self {
            model: Model::new(Arc::clone(&key), config.clone()),
            key,
            faults: RwLock::new(config.faults.clone()),
            config,
            books: Mutex::default(),
            window: Mutex::default(),
            batches: Mutex::default(),
        }
    }

    pub(crate) fn books(&self) -> MutexGuard<'_, Books> {
        // A panicking holder leaves counters at worst one call behind; the log itself stays whole.
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn faults(&self) -> Faults {
        self.faults.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn set_faults(&self, faults: Faults) {
        *self.faults.write().unwrap_or_else(PoisonError::into_inner) = faults;
    }

    /// Plans the outcome of a chat request and bills it, before any of the waiting: what a provider has taken in it charges, whether or not the
    /// caller is still there at the end.
    pub(crate) fn chat(&self, speech: Speech, body: &[u8]) -> Planned {
        match self.try_chat(speech, body) {
            Ok(planned) => planned,
            Err(refusal) => self.refused(speech, refusal),
        }
    }

    /// The request's sample: what it says, or how often its text came before.
    pub(crate) fn sample(&self, chat: &Chat) -> u64 {
        chat.sample.unwrap_or_else(|| {
            self.books()
                .attempt(hash64(&[b"unseeded", chat.text.as_bytes()]))
                .into()
        })
    }

    fn try_chat(&self, speech: Speech, body: &[u8]) -> Result<Planned, Refusal> {
        let chat = speech.read(body, &self.config)?;
        let faults = self.faults();
        self.admit(&faults)?;
        let sample = self.sample(&chat);
        let request = hash64(&[chat.text.as_bytes(), &sample.to_le_bytes()]);
        let attempt = self.books().attempt(request);
        let draw = Draw::new(request ^ self.config.seed.rotate_left(17)).at(u64::from(attempt));
        let fault = drawn(&faults, draw.of("fault"));
        let refusal = match fault {
            Fault::TooMany => Some((429, "rate_limit_exceeded", "Rate limit reached, try again later.")),
            Fault::Overloaded => Some((529, "overloaded", "The service is overloaded, try again later.")),
            _ => None,
        };
        if let Some((status, code, message)) = refusal {
            return Err(Refusal {
                retry_after_ms: Some(faults.retry_after_ms),
                ..Refusal::new(status, code, message)
            });
        }
        let mut reply = self.model.reply(&chat.text, sample, chat.schema.as_ref());
        limit(&mut reply, chat.max_tokens);
        let factor = if draw.of("over").chance(faults.over_report) {
            faults.over_report_factor
        } else {
            1.0
        };
        let amounts = self.price(&chat, &reply, factor);
        let with_usage = !draw.of("usage").chance(faults.missing_usage);
        let usage = with_usage.then_some(amounts);
        let body = speech.answer(&self.config.model, request, &reply, chat.tool.as_deref(), usage);
        let (delivery, outcome) = deliver(speech, fault, body);
        if delivery != Delivery::ServerError || faults.bill_server_errors {
            let outcome = reply.outcome.name();
            let kind = reply.kind;
            if self.config.keep_prompts {
                self.books().keep(kind, &chat.text);
            }
            self.books().charge(Entry {
                request,
                kind,
                sample,
                attempt,
                amounts,
                delivery,
                outcome,
            });
        }
        let latency_ms = draw
            .of("latency")
            .log_normal(faults.latency_ms_mean, faults.latency_ms_spread);
        let delay_ms = if fault == Fault::Hang {
            faults.hang_ms as f64
        } else {
            latency_ms
        };
        self.books().count("delivery", delivery_name(delivery));
        Ok(Planned {
            delay: Duration::from_secs_f64(delay_ms / 1000.0),
            outcome,
        })
    }

    pub(crate) fn price(&self, chat: &Chat, reply: &Reply, factor: f64) -> Amounts {
        let scale = |tokens: u64| {
            if factor == 1.0 {
                tokens
            } else {
                (tokens as f64 * factor).ceil() as u64
            }
        };
        let (input_tokens, output_tokens) = (scale(chat.input_tokens), scale(wire::tokens(&reply.content)));
        let price = self.config.price;
        let scaled = u128::from(input_tokens) * u128::from(price.input)
            + u128::from(output_tokens) * u128::from(price.output);
        let micro_usd = u64::try_from(scaled.div_ceil(1_000_000)).unwrap_or(u64::MAX);
        Amounts {
            calls: 1,
            input_tokens,
            output_tokens,
            micro_usd,
        }
    }

    /// The quota, then the real limit: at most so many requests let in within any window.
    fn admit(&self, faults: &Faults) -> Result<(), Refusal> {
        if faults
            .quota_calls
            .is_some_and(|quota| self.books().chat_calls() >= quota)
        {
            let message = "You exceeded your current quota, please check your plan and billing details.";
            return Err(Refusal::new(429, "insufficient_quota", message));
        }
        let Some(limit) = faults.requests_per_minute else {
            return Ok(());
        };
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        while window.front().is_some_and(|t| now.duration_since(*t) >= WINDOW) {
            window.pop_front();
        }
        if window.len() < limit as usize {
            window.push_back(now);
            return Ok(());
        }
        // The place that frees next, were the limit lowered meanwhile too.
        let frees = window
            .get(window.len() - limit as usize)
            .map_or(WINDOW, |t| WINDOW.saturating_sub(now.duration_since(*t)));
        Err(Refusal {
            retry_after_ms: Some(frees.as_millis() as u64 + 1),
            ..Refusal::new(
                429,
                "rate_limit_exceeded",
                format!("Limit of {limit} requests a minute reached."),
            )
        })
    }

    /// Embeds texts; billed by their tokens, never drawn into faults other than the latency.
    pub(crate) fn embeddings(&self, body: &[u8]) -> Planned {
        let texts = match wire::embeddings(body, &self.config) {
            Ok(texts) => texts,
            Err(refusal) => return self.refused(Speech::Openai, refusal),
        };
        let input_tokens = texts.iter().map(|text| wire::tokens(text)).sum::<u64>();
        let micro_usd = (input_tokens * self.config.price.embedding).div_ceil(1_000_000);
        let parts: Vec<&[u8]> = texts.iter().map(|text| text.as_bytes()).collect();
        let request = hash64(&parts);
        self.books().charge(Entry {
            request,
            kind: Kind::Embed,
            sample: 0,
            attempt: 0,
            amounts: Amounts {
                calls: 1,
                input_tokens,
                output_tokens: 0,
                micro_usd,
            },
            delivery: Delivery::Answered,
            outcome: "vectors",
        });
        let faults = self.faults();
        let latency_ms = Draw::new(request)
            .of("latency")
            .log_normal(faults.latency_ms_mean, faults.latency_ms_spread);
        let data: Vec<Value> = texts
            .iter()
            .enumerate()
            .map(|(index, text)| json!({ "object": "embedding", "index": index, "embedding": embed(text, self.config.dimensions) }))
            .collect();
        let usage = json!({ "prompt_tokens": input_tokens, "total_tokens": input_tokens });
        let body = json!({ "object": "list", "model": self.config.model, "data": data, "usage": usage });
        Planned {
            delay: Duration::from_secs_f64(latency_ms / 1000.0),
            outcome: answered(body),
        }
    }

    /// Counts a refusal and turns it into a reply.
    pub(crate) fn refused(&self, speech: Speech, refusal: Refusal) -> Planned {
        let name = match (refusal.status, refusal.code) {
            (429, "insufficient_quota") => "quota",
            (429, _) => "429",
            (529, _) => "529",
            (401, _) => "401",
            (404, _) => "404",
            _ => "400",
        };
        self.books().count("status", name);
        let (status, body) = speech.refusal(&refusal);
        Planned {
            delay: Duration::ZERO,
            outcome: Outcome::Json {
                status,
                body,
                retry_after_ms: refusal.retry_after_ms,
            },
        }
    }
}

/// The fault a request meets, if any: one draw, so that the shares add up.
fn drawn(faults: &Faults, draw: Draw) -> Fault {
    let mut left = draw.unit();
    for (share, fault) in [
        (faults.too_many, Fault::TooMany),
        (faults.overloaded, Fault::Overloaded),
        (faults.server_error, Fault::ServerError),
        (faults.hang, Fault::Hang),
        (faults.reset, Fault::Reset),
        (faults.cut, Fault::Cut),
    ] {
        if left < share {
            return fault;
        }
        left -= share;
    }
    Fault::None
}

fn answered(body: Value) -> Outcome {
    Outcome::Json {
        status: 200,
        body,
        retry_after_ms: None,
    }
}

fn deliver(speech: Speech, fault: Fault, body: Value) -> (Delivery, Outcome) {
    match fault {
        // Refusals have left by now.
        Fault::None | Fault::TooMany | Fault::Overloaded => (Delivery::Answered, answered(body)),
        Fault::ServerError => {
            let refusal = Refusal::new(
                500,
                "internal_error",
                "The server had an error while processing your request.",
            );
            (
                Delivery::ServerError,
                Outcome::Json {
                    status: 500,
                    body: speech.refusal(&refusal).1,
                    retry_after_ms: None,
                },
            )
        }
        Fault::Hang => (Delivery::Hang, Outcome::Hang),
        Fault::Reset => (Delivery::Reset, Outcome::Reset),
        Fault::Cut => (Delivery::Cut, Outcome::Cut(body)),
    }
}

fn delivery_name(delivery: Delivery) -> &'static str {
    match delivery {
        Delivery::Answered => "answered",
        Delivery::ServerError => "server_error",
        Delivery::Hang => "hang",
        Delivery::Reset => "reset",
        Delivery::Cut => "cut",
    }
}

/// Keeps a reply within the caller's limit.
pub(crate) fn limit(reply: &mut Reply, max_tokens: Option<u64>) {
    let bytes = max_tokens.map_or(usize::MAX, |tokens| {
        usize::try_from(tokens.saturating_mul(4)).unwrap_or(usize::MAX)
    });
    if reply.content.len() > bytes {
        let mut end = bytes;
        while !reply.content.is_char_boundary(end) {
            end -= 1;
        }
        reply.content.truncate(end);
        reply.cut = true;
        reply.outcome = super::reply::Outcome::Truncated;
    }
}

/// The body of an OpenAI completion.
pub(crate) fn completion(
    model: &str,
    request: u64,
    reply: &Reply,
    tool: Option<&str>,
    usage: Option<Amounts>,
) -> Value {
    let (message, natural) = match tool {
        Some(name) => {
            let function = json!({ "name": name, "arguments": reply.content });
            let call =
                json!({ "id": format!("call_{request:016x}"), "type": "function", "function": function });
            let message = json!({ "role": "assistant", "content": null, "tool_calls": [call] });
            (message, "tool_calls")
        }
        None => (json!({ "role": "assistant", "content": reply.content }), "stop"),
    };
    let finish = if reply.cut { "length" } else { natural };
    let mut body = json!({
        "id": format!("chatcmpl-{request:016x}"),
        "object": "chat.completion",
        // No clock: equal requests get equal bytes.
        "created": 0,
        "model": model,
        "choices": [{
            "index": 0,
            "message": message,
            "finish_reason": finish,
        }],
    });
    if let Some(usage) = usage {
        body["usage"] = json!({
            "prompt_tokens": usage.input_tokens,
            "completion_tokens": usage.output_tokens,
            "total_tokens": usage.input_tokens + usage.output_tokens,
        });
    }
    body
}
