//! Batches at half price: taken in at once, worked on after a while, read when they have ended.
//!
//! | | OpenAI | Anthropic |
//! |---|---|---|
//! | submit | `POST /v1/files` (multipart), then `POST /v1/batches` | `POST /v1/messages/batches` |
//! | list | `GET /v1/batches`, in pages, the newest first | `GET /v1/messages/batches`, the same |
//! | look | `GET /v1/batches/ID` | `GET /v1/messages/batches/ID` |
//! | read | `GET /v1/files/ID/content`, answers and errors apart | `GET /v1/messages/batches/ID/results` |
//! | stop | `POST /v1/batches/ID/cancel` | `POST /v1/messages/batches/ID/cancel` |
//!
//! A batch is worked on, and billed, when it or the bill is first looked at after `Faults::batch_ms`: no clock of its own. Results come in
//! another order than the requests, as providers warn.

use std::collections::{BTreeMap, HashSet};
use std::sync::{MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::{Value, json};

use super::books::{Amounts, Bill, Delivery, Entry};
use super::config::Faults;
use super::draw::{Draw, hash64};
use super::service::{Service, limit};
use super::speech::Speech;
use super::wire::Refusal;

/// All batches, and the files they were made from.
#[derive(Debug, Default)]
pub(crate) struct Batches {
    files: BTreeMap<String, String>,
    batches: BTreeMap<String, Batch>,
    named: u64,
}

#[derive(Debug)]
struct Batch {
    id: String,
    speech: Speech,
    requests: Vec<Line>,
    submitted: Instant,
    cancelled: bool,
    /// Why OpenAI's check of the file failed: nothing is worked on then.
    invalid: Option<String>,
    metadata: Value,
    ended: Option<Vec<(String, Fate)>>,
}

#[derive(Debug, Clone, Deserialize)]
struct Line {
    custom_id: String,
    #[serde(alias = "params")]
    body: Value,
}

/// How one request of a batch ended.
#[derive(Debug)]
enum Fate {
    Answered(Value),
    Errored(Refusal),
    Expired,
    Cancelled,
}

/// What goes back.
#[derive(Debug)]
pub(crate) enum Reply {
    Json(u16, Value),
    /// One JSON value a line.
    Lines(String),
    /// The connection is reset instead.
    Reset,
}

impl Batches {
    fn name(&mut self, prefix: &str) -> String {
        self.named += 1;
        format!("{prefix}{:08}", self.named)
    }
}

impl Service {
    /// Answers what concerns batches; `None` for any other path.
    pub(crate) fn batch(
        &self,
        method: &str,
        path: &str,
        query: &str,
        content_type: &str,
        body: &[u8],
    ) -> Option<Reply> {
        if !self.config.batches {
            return None;
        }
        let speech = if path.starts_with("/v1/messages/") {
            Speech::Anthropic
        } else {
            Speech::Openai
        };
        let parts: Vec<&str> = path.trim_start_matches("/v1/").split('/').collect();
        let reply = match (method, parts.as_slice()) {
            ("POST", ["files"]) => self.take_file(content_type, body),
            ("GET", ["files", id, "content"]) => self.file(id),
            ("POST", ["batches"]) => self.take_openai(body),
            ("POST", ["messages", "batches"]) => self.take_anthropic(body),
            ("GET", ["batches"]) => Ok(self.list(Speech::Openai, query)),
            ("GET", ["messages", "batches"]) => Ok(self.list(Speech::Anthropic, query)),
            ("GET", ["batches", id] | ["messages", "batches", id]) => self.look(id, |_| {}),
            ("POST", ["batches", id, "cancel"] | ["messages", "batches", id, "cancel"]) => {
                self.look(id, |batch| batch.cancelled |= batch.ended.is_none())
            }
            ("GET", ["messages", "batches", id, "results"]) => self.results(id),
            _ => return None,
        };
        Some(reply.unwrap_or_else(|refusal| {
            let (status, body) = speech.refusal(&refusal);
            Reply::Json(status, body)
        }))
    }

    fn shelf(&self) -> MutexGuard<'_, Batches> {
        // A panicking holder leaves at worst a batch that is not worked on yet.
        self.batches.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take_file(&self, content_type: &str, body: &[u8]) -> Result<Reply, Refusal> {
        let parts = multipart(content_type, body).ok_or_else(|| invalid("the form cannot be read"))?;
        if parts.get("purpose").map(String::as_str) != Some("batch") {
            return Err(invalid("`purpose` must be `batch`"));
        }
        let text = parts.get("file").ok_or_else(|| invalid("`file` is missing"))?;
        let mut shelf = self.shelf();
        let id = shelf.name("file-");
        shelf.files.insert(id.clone(), text.clone());
        let file =
            json!({ "id": id, "object": "file", "purpose": "batch", "bytes": text.len(), "created_at": 0 });
        Ok(Reply::Json(200, file))
    }

    fn take_openai(&self, body: &[u8]) -> Result<Reply, Refusal> {
        #[derive(Deserialize)]
        struct Wanted {
            input_file_id: String,
            endpoint: String,
            completion_window: String,
            #[serde(default)]
            metadata: Value,
        }
        let wanted: Wanted = serde_json::from_slice(body).map_err(|e| invalid(e.to_string()))?;
        if wanted.endpoint != "/v1/chat/completions" || wanted.completion_window != "24h" {
            return Err(invalid("there are /v1/chat/completions and a window of 24h"));
        }
        let mut shelf = self.shelf();
        let text = shelf.files.get(&wanted.input_file_id);
        let text = text.ok_or_else(|| Refusal::new(404, "not_found", "No such file."))?;
        let lines: Result<Vec<Line>, String> = text
            .lines()
            .enumerate()
            .map(|(at, line)| serde_json::from_str(line).map_err(|e| format!("line {}: {e}", at + 1)))
            .collect();
        let (requests, invalid) = match lines {
            Ok(lines) => (lines.clone(), twice(&lines)),
            Err(error) => (Vec::new(), Some(error)),
        };
        let id = shelf.name("batch_");
        let batch = Batch::new(id, Speech::Openai, requests, invalid, wanted.metadata);
        Ok(self.put(&mut shelf, batch))
    }

    fn take_anthropic(&self, body: &[u8]) -> Result<Reply, Refusal> {
        #[derive(Deserialize)]
        struct Wanted {
            requests: Vec<Line>,
        }
        let wanted: Wanted = serde_json::from_slice(body).map_err(|e| invalid(e.to_string()))?;
        let letter = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        let good = |id: &str| (1..=64).contains(&id.len()) && id.chars().all(letter);
        if wanted.requests.is_empty() || !wanted.requests.iter().all(|line| good(&line.custom_id)) {
            return Err(invalid("requests: custom_id must match ^[a-zA-Z0-9_-]{1,64}$"));
        }
        if let Some(wrong) = twice(&wanted.requests) {
            return Err(invalid(wrong));
        }
        let mut shelf = self.shelf();
        let id = shelf.name("msgbatch_");
        let batch = Batch::new(id, Speech::Anthropic, wanted.requests, None, Value::Null);
        Ok(self.put(&mut shelf, batch))
    }

    /// Takes a batch in, and says so unless the reply is lost.
    fn put(&self, shelf: &mut Batches, batch: Batch) -> Reply {
        let (id, object) = (batch.id.clone(), batch.object());
        let drawn = Draw::new(hash64(&[id.as_bytes()]) ^ self.config.seed)
            .of("lost")
            .unit();
        shelf.batches.insert(id, batch);
        if drawn < self.faults().batch_lost {
            self.books().count("batch", "lost");
            Reply::Reset
        } else {
            self.books().count("batch", "taken");
            Reply::Json(200, object)
        }
    }

    fn list(&self, speech: Speech, query: &str) -> Reply {
        let word = |name: &str| {
            let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
            pairs.find(|(n, _)| *n == name).map(|(_, value)| value.to_owned())
        };
        let limit = word("limit").and_then(|n| n.parse().ok()).unwrap_or(20);
        let after = word("after").or_else(|| word("after_id"));
        let shelf = self.shelf();
        let mut found = shelf
            .batches
            .iter()
            .rev()
            .filter(|(_, batch)| batch.speech == speech)
            .skip_while(|(id, _)| after.as_ref().is_some_and(|after| *id >= after));
        let data: Vec<Value> = found
            .by_ref()
            .take(limit)
            .map(|(_, batch)| batch.object())
            .collect();
        let more = found.next().is_some();
        Reply::Json(200, json!({ "object": "list", "data": data, "has_more": more }))
    }

    /// What was billed so far, in batches too.
    pub(crate) fn bill(&self) -> Bill {
        self.shelf()
            .batches
            .values_mut()
            .for_each(|batch| self.work(batch));
        self.books().bill()
    }

    /// Shows a batch after a change, worked on if its time has come.
    fn look(&self, id: &str, change: impl Fn(&mut Batch)) -> Result<Reply, Refusal> {
        let mut shelf = self.shelf();
        let batch = shelf.batches.get_mut(id).ok_or_else(no_batch)?;
        change(batch);
        self.work(batch);
        self.books().count("batch", "looked");
        Ok(Reply::Json(200, batch.object()))
    }

    fn results(&self, id: &str) -> Result<Reply, Refusal> {
        let mut shelf = self.shelf();
        let batch = shelf.batches.get_mut(id).ok_or_else(no_batch)?;
        self.work(batch);
        let ended = batch
            .ended
            .as_ref()
            .ok_or_else(|| invalid("the batch has not ended"))?;
        let lines = ended.iter().map(|(custom_id, fate)| {
            let result = match fate {
                Fate::Answered(message) => json!({ "type": "succeeded", "message": message }),
                Fate::Errored(refusal) => {
                    json!({ "type": "errored", "error": Speech::Anthropic.refusal(refusal).1 })
                }
                Fate::Expired => json!({ "type": "expired" }),
                Fate::Cancelled => json!({ "type": "canceled" }),
            };
            json!({ "custom_id": custom_id, "result": result })
        });
        Ok(Reply::Lines(lines.map(|line| format!("{line}\n")).collect()))
    }

    /// OpenAI's output: `batch_N-answers` and `batch_N-errors`.
    fn file(&self, id: &str) -> Result<Reply, Refusal> {
        let missing = || Refusal::new(404, "not_found", "No such file.");
        let (batch, kind) = id.rsplit_once('-').ok_or_else(missing)?;
        let shelf = self.shelf();
        let batch = shelf.batches.get(batch).ok_or_else(missing)?;
        let ended = batch.ended.as_ref().ok_or_else(missing)?;
        let lines = ended.iter().filter_map(|(custom_id, fate)| {
            let (response, error) = match fate {
                Fate::Answered(body) => (json!({ "status_code": 200, "body": body }), Value::Null),
                Fate::Errored(refusal) => {
                    let (status, body) = Speech::Openai.refusal(refusal);
                    (json!({ "status_code": status, "body": body }), Value::Null)
                }
                Fate::Expired => (Value::Null, json!({ "code": "batch_expired", "message": "This request could not be executed before the completion window expired." })),
                Fate::Cancelled => (Value::Null, json!({ "code": "batch_cancelled", "message": "The batch was cancelled." })),
            };
            let answered = matches!(fate, Fate::Answered(_));
            (answered == (kind == "answers"))
                .then(|| json!({ "id": "batch_req", "custom_id": custom_id, "response": response, "error": error }))
        });
        Ok(Reply::Lines(lines.map(|line| format!("{line}\n")).collect()))
    }

    /// Works on a batch whose time has come, once, and bills what it answers.
    fn work(&self, batch: &mut Batch) {
        let faults = self.faults();
        let due = batch.submitted.elapsed() >= Duration::from_millis(faults.batch_ms);
        if batch.ended.is_some() || batch.invalid.is_some() || !(due || batch.cancelled) {
            return;
        }
        let mut ended: Vec<(String, Fate)> = batch
            .requests
            .iter()
            .map(|line| {
                let fate = if batch.cancelled {
                    Fate::Cancelled
                } else {
                    self.fate(batch, line, &faults)
                };
                (line.custom_id.clone(), fate)
            })
            .collect();
        ended.reverse();
        batch.ended = Some(ended);
    }

    fn fate(&self, batch: &Batch, line: &Line, faults: &Faults) -> Fate {
        let speech = batch.speech;
        let body = line.body.to_string();
        // By batch: what failed in one may succeed in another.
        let base =
            hash64(&[batch.id.as_bytes(), line.custom_id.as_bytes(), body.as_bytes()]) ^ self.config.seed;
        let drawn = Draw::new(base).of("batch").unit();
        if drawn < faults.batch_errored {
            return Fate::Errored(Refusal::new(500, "internal_error", "Internal server error"));
        }
        if drawn < faults.batch_errored + faults.batch_expired {
            return Fate::Expired;
        }
        let chat = match speech.read(body.as_bytes(), &self.config) {
            Ok(chat) => chat,
            Err(refusal) => return Fate::Errored(refusal),
        };
        let sample = self.sample(&chat);
        let request = hash64(&[chat.text.as_bytes(), &sample.to_le_bytes()]);
        let mut reply = self.model.reply(&chat.text, sample, chat.schema.as_ref());
        limit(&mut reply, chat.max_tokens);
        let full = self.price(&chat, &reply, 1.0);
        let amounts = Amounts {
            micro_usd: full.micro_usd.div_ceil(2),
            ..full
        };
        let answer = speech.answer(
            &self.config.model,
            request,
            &reply,
            chat.tool.as_deref(),
            Some(amounts),
        );
        let mut books = self.books();
        let attempt = books.attempt(request);
        books.charge(Entry {
            request,
            kind: reply.kind,
            sample,
            attempt,
            amounts,
            delivery: Delivery::Answered,
            outcome: reply.outcome.name(),
        });
        books.count("batch", "answered");
        Fate::Answered(answer)
    }
}

impl Batch {
    fn new(
        id: String,
        speech: Speech,
        requests: Vec<Line>,
        invalid: Option<String>,
        metadata: Value,
    ) -> Self {
        Self {
            id,
            speech,
            requests,
            submitted: Instant::now(),
            cancelled: false,
            invalid,
            metadata,
            ended: None,
        }
    }

    fn count(&self, is: impl Fn(&Fate) -> bool) -> usize {
        self.ended.iter().flatten().filter(|(_, fate)| is(fate)).count()
    }

    /// The batch as its API shows it.
    fn object(&self) -> Value {
        let id = &self.id;
        let answered = self.count(|fate| matches!(fate, Fate::Answered(_)));
        let expired = self.count(|fate| matches!(fate, Fate::Expired));
        match self.speech {
            Speech::Openai => {
                let status = match (&self.invalid, &self.ended) {
                    (Some(_), _) => "failed",
                    (None, None) => "in_progress",
                    (None, Some(_)) if self.cancelled => "cancelled",
                    (None, Some(_)) if expired > 0 => "expired",
                    (None, Some(_)) => "completed",
                };
                let failed = self.ended.as_ref().map_or(0, Vec::len) - answered;
                let file = |some: bool, kind: &str| some.then(|| format!("{id}-{kind}"));
                let errors = self.invalid.as_ref().map(|message| {
                    json!({ "object": "list", "data": [{ "code": "invalid_file", "message": message }] })
                });
                json!({
                    "id": id, "object": "batch", "endpoint": "/v1/chat/completions", "status": status, "errors": errors,
                    "output_file_id": file(answered > 0, "answers"), "error_file_id": file(failed > 0, "errors"),
                    "request_counts": { "total": self.requests.len(), "completed": answered, "failed": failed },
                    "metadata": self.metadata, "created_at": 0,
                })
            }
            Speech::Anthropic => {
                let processing = if self.ended.is_some() {
                    0
                } else {
                    self.requests.len()
                };
                let results = self
                    .ended
                    .is_some()
                    .then(|| format!("/v1/messages/batches/{id}/results"));
                json!({
                    "id": id, "type": "message_batch", "results_url": results,
                    "processing_status": if self.ended.is_some() { "ended" } else { "in_progress" },
                    "request_counts": {
                        "processing": processing, "succeeded": answered, "expired": expired,
                        "errored": self.count(|fate| matches!(fate, Fate::Errored(_))),
                        "canceled": self.count(|fate| matches!(fate, Fate::Cancelled)),
                    },
                })
            }
        }
    }
}

fn twice(lines: &[Line]) -> Option<String> {
    let mut seen = HashSet::new();
    lines
        .iter()
        .find(|line| !seen.insert(&line.custom_id))
        .map(|line| format!("custom_id `{}` stands twice", line.custom_id))
}

fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::new(400, "invalid_request", message)
}

fn no_batch() -> Refusal {
    Refusal::new(404, "not_found", "No such batch.")
}

/// The parts of a form by name.
fn multipart(content_type: &str, body: &[u8]) -> Option<BTreeMap<String, String>> {
    let boundary = content_type
        .strip_prefix("multipart/form-data")?
        .split_once("boundary=")?
        .1;
    let text = std::str::from_utf8(body).ok()?;
    let mark = format!("--{}", boundary.trim_matches('"'));
    let inner = text
        .strip_prefix(&mark)?
        .strip_suffix("--\r\n")?
        .strip_suffix(&mark)?;
    inner
        .split(&format!("{mark}\r\n"))
        .map(|part| {
            let (head, content) = part.trim_start_matches("\r\n").split_once("\r\n\r\n")?;
            let name = head.split_once("name=\"")?.1.split_once('"')?.0;
            Some((name.to_owned(), content.strip_suffix("\r\n")?.to_owned()))
        })
        .collect()
}
