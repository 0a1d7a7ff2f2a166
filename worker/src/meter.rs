//! What a worker counts. The names are those of [`gristmill_ports::metric`]; a label is a stage, a model's name or a word of a short list.

use std::time::Duration;

use gristmill_domain::chat::Usage;
use gristmill_domain::stage::Stage;
use gristmill_ports::metric;
use metrics::{counter, gauge, histogram};

/// How an attempt is booked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Booked {
    Settled,
    Void,
    Burned,
}

/// What became of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Batched {
    HandedIn,
    Refused,
    /// Nobody knows whether it was taken in.
    Unknown,
    /// It was never found again.
    Lost,
    Ended,
}

pub(crate) fn batch(model: &str, batched: Batched) {
    let outcome = match batched {
        Batched::HandedIn => "handed_in",
        Batched::Refused => "refused",
        Batched::Unknown => "unknown",
        Batched::Lost => "lost",
        Batched::Ended => "ended",
    };
    counter!(metric::BATCHES, "model" => model.to_owned(), "outcome" => outcome).increment(1);
}

pub(crate) fn in_batches(model: &str, tasks: u64) {
    gauge!(metric::BATCH_TASKS, "model" => model.to_owned()).set(tasks as f64);
}

pub(crate) fn attempt(stage: Stage, model: &str, booked: Booked, took: Option<Duration>) {
    let outcome = match booked {
        Booked::Settled => "settled",
        Booked::Void => "void",
        Booked::Burned => "burned",
    };
    let stage = stage.name();
    counter!(metric::ATTEMPTS, "stage" => stage, "model" => model.to_owned(), "outcome" => outcome)
        .increment(1);
    if let Some(took) = took {
        histogram!(metric::ATTEMPT_SECONDS, "stage" => stage, "model" => model.to_owned())
            .record(took.as_secs_f64());
    }
}

pub(crate) fn tokens(model: &str, usage: Usage) {
    for (direction, tokens) in [("input", usage.input_tokens), ("output", usage.output_tokens)] {
        counter!(metric::TOKENS, "model" => model.to_owned(), "direction" => direction).increment(tokens);
    }
}

pub(crate) fn throttled(model: &str) {
    counter!(metric::THROTTLED, "model" => model.to_owned()).increment(1);
}

/// A call that was given up because no answer had come within the model's time.
pub(crate) fn timed_out(model: &str) {
    counter!(metric::CALL_ERRORS, "model" => model.to_owned(), "code" => "timeout").increment(1);
}

pub(crate) fn waited_in_queue(stage: Stage, wait: Duration) {
    histogram!(metric::QUEUE_WAIT_SECONDS, "stage" => stage.name()).record(wait.as_secs_f64());
}

pub(crate) fn limiter_wait(model: &str, wait: Duration) {
    histogram!(metric::LIMITER_WAIT_SECONDS, "model" => model.to_owned()).record(wait.as_secs_f64());
}

pub(crate) fn breaker(model: &str, open: bool) {
    gauge!(metric::BREAKER_OPEN, "model" => model.to_owned()).set(if open { 1.0 } else { 0.0 });
}

pub(crate) fn in_flight(stage: Stage, by: f64) {
    gauge!(metric::IN_FLIGHT, "stage" => stage.name()).increment(by);
}

pub(crate) fn slots(stage: Stage, slots: usize) {
    gauge!(metric::SLOTS, "stage" => stage.name()).set(slots as f64);
}
