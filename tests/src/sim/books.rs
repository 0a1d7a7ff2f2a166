//! What the service billed, call by call, kept apart from whatever its callers believe.

use std::collections::{BTreeMap, HashMap};
use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::prompt::Kind;

/// Consumption as billed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amounts {
    /// Calls billed.
    pub calls: u64,
    /// Prompt or embedded tokens.
    pub input_tokens: u64,
    /// Completion tokens.
    pub output_tokens: u64,
    /// Money in millionths of a US dollar, rounded up call by call.
    pub micro_usd: u64,
}

impl Amounts {
    fn add(&mut self, other: Self) {
        self.calls += other.calls;
        self.input_tokens += other.input_tokens;
        self.output_tokens += other.output_tokens;
        self.micro_usd += other.micro_usd;
    }
}

/// Totals of everything billed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bill {
    /// Over all kinds.
    pub total: Amounts,
    /// By the kind of call.
    pub by_kind: BTreeMap<String, Amounts>,
    /// Chat calls billed for a request that had been billed before: 0 unless something was paid twice.
    pub repeated_calls: u64,
}

/// How a billed call was delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Delivery {
    /// Answered, or given up by the caller while it waited for the answer.
    Answered,
    /// Failed with 500 after the work was done.
    ServerError,
    /// Never answered.
    Hang,
    /// The connection was reset.
    Reset,
    /// The answer's body was cut.
    Cut,
}

/// One billed call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) request: u64,
    pub(crate) kind: Kind,
    pub(crate) sample: u64,
    pub(crate) attempt: u32,
    pub(crate) amounts: Amounts,
    pub(crate) delivery: Delivery,
    pub(crate) outcome: &'static str,
}

/// One billed call, as listed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BilledCall {
    /// Place in the log, from 0.
    pub number: u64,
    /// Hash of the request's text and sample index: equal requests have equal hashes.
    pub request: String,
    /// What was asked for.
    pub kind: Kind,
    /// The request's `seed` field.
    pub sample: u64,
    /// How often this very request had been let in before.
    pub attempt: u32,
    /// What it cost.
    pub amounts: Amounts,
    /// How it was delivered.
    pub delivery: Delivery,
    /// What the answer was like: a name of [`super::Outcome`], "vectors" for embeddings.
    pub outcome: String,
}

/// A page of the log.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BillPage {
    /// Calls in the whole log.
    pub total: u64,
    /// The calls asked for.
    pub calls: Vec<BilledCall>,
}

/// Counts of what happened, billed or not.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stats {
    /// Requests for completions and embeddings, refused ones included.
    pub requests: u64,
    /// Requests being worked on now.
    pub open: u64,
    /// Most requests ever open at once.
    pub open_max: u64,
    /// "answer.right", "judge.wrong", "status.429" … and how often.
    pub counts: BTreeMap<String, u64>,
}

impl Stats {
    /// How often something happened; 0 for a name that never did.
    pub fn count(&self, name: &str) -> u64 {
        self.counts.get(name).copied().unwrap_or_default()
    }
}

/// The service's own books.
#[derive(Debug, Default)]
pub(crate) struct Books {
    entries: Vec<Entry>,
    bill: Bill,
    /// Times each request was let in, and was billed.
    seen: HashMap<u64, (u32, u32)>,
    requests: u64,
    open: u64,
    open_max: u64,
    /// What was said, where it is kept.
    prompts: Vec<(Kind, String)>,
    /// When each request came.
    arrivals: Vec<Instant>,
    /// Keyed by static names, so that counting allocates nothing.
    counts: BTreeMap<(&'static str, &'static str), u64>,
}

impl Books {
    pub(crate) fn arrivals(&self) -> Vec<Instant> {
        self.arrivals.clone()
    }

    pub(crate) fn prompts(&self) -> Vec<(Kind, String)> {
        self.prompts.clone()
    }

    pub(crate) fn keep(&mut self, kind: Kind, text: &str) {
        self.prompts.push((kind, text.to_owned()));
    }

    pub(crate) fn opened(&mut self) {
        self.arrivals.push(Instant::now());
        self.requests += 1;
        self.open += 1;
        self.open_max = self.open_max.max(self.open);
    }

    pub(crate) fn closed(&mut self) {
        self.open = self.open.saturating_sub(1);
    }

    /// Numbers the attempts of one request from 0.
    pub(crate) fn attempt(&mut self, request: u64) -> u32 {
        let seen = self.seen.entry(request).or_default();
        seen.0 += 1;
        seen.0 - 1
    }

    pub(crate) fn count(&mut self, group: &'static str, name: &'static str) {
        *self.counts.entry((group, name)).or_default() += 1;
    }

    pub(crate) fn charge(&mut self, entry: Entry) {
        self.bill.total.add(entry.amounts);
        self.bill
            .by_kind
            .entry(entry.kind.name().to_owned())
            .or_default()
            .add(entry.amounts);
        if entry.kind != Kind::Embed {
            let seen = self.seen.entry(entry.request).or_default();
            seen.1 += 1;
            self.bill.repeated_calls += u64::from(seen.1 > 1);
        }
        self.count(entry.kind.name(), entry.outcome);
        self.entries.push(entry);
    }

    /// Chat calls billed so far.
    pub(crate) fn chat_calls(&self) -> u64 {
        self.bill.total.calls
            - self
                .bill
                .by_kind
                .get(Kind::Embed.name())
                .map_or(0, |amounts| amounts.calls)
    }

    pub(crate) fn bill(&self) -> Bill {
        self.bill.clone()
    }

    pub(crate) fn page(&self, offset: usize, limit: usize) -> BillPage {
        let calls = self.entries.iter().enumerate().skip(offset).take(limit);
        BillPage {
            total: self.entries.len() as u64,
            calls: calls
                .map(|(i, entry)| BilledCall {
                    number: i as u64,
                    request: format!("{:016x}", entry.request),
                    kind: entry.kind,
                    sample: entry.sample,
                    attempt: entry.attempt,
                    amounts: entry.amounts,
                    delivery: entry.delivery,
                    outcome: entry.outcome.to_owned(),
                })
                .collect(),
        }
    }

    pub(crate) fn stats(&self) -> Stats {
        Stats {
            requests: self.requests,
            open: self.open,
            open_max: self.open_max,
            counts: self
                .counts
                .iter()
                .map(|((group, name), n)| (format!("{group}.{name}"), *n))
                .collect(),
        }
    }

    /// Forgets everything but what is open.
    pub(crate) fn reset(&mut self) {
        *self = Self {
            open: self.open,
            open_max: self.open,
            ..Self::default()
        };
    }
}
