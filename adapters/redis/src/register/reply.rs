//! What the register's scripts return.

use std::fmt::Display;

use gristmill_domain::id::RunId;
use gristmill_ports::register::{Dead, DeadLetter, Ending, Run, Submitted, Worker};
use redis::{FromRedisValue, Value};

use crate::error::Error;

/// A run as `shown` in the scripts returns it.
type RunRow = (
    String,
    String,
    u64,
    Option<u64>,
    Option<String>,
    Option<String>,
    Option<String>,
    Vec<u8>,
    u64,
    u64,
);
/// A dead letter as `shown_letter` returns it.
type DeadLetterRow = (u64, String, Option<String>, String, Vec<u8>, u64, Option<u64>);
/// A worker: name, report, since when, last beat, for how long silent, draining.
type WorkerRow = (String, Vec<u8>, u64, u64, u64, bool);

/// Some of the workers.
pub(super) struct Page {
    /// Whether others come after them.
    pub(super) more: bool,
    /// The last name that was looked at.
    pub(super) last: Vec<u8>,
    pub(super) workers: Vec<Worker>,
}

/// Some of the names of drained workers.
pub(super) struct DrainedPage {
    /// Whether others come after them.
    pub(super) more: bool,
    /// The last name that was looked at.
    pub(super) last: String,
    pub(super) names: Vec<String>,
}

fn unreadable(detail: impl Display) -> Error {
    Error::Reply {
        what: "a script of the register",
        detail: detail.to_string(),
    }
}

fn read<T: FromRedisValue>(reply: Value) -> Result<T, Error> {
    redis::from_redis_value(reply).map_err(unreadable)
}

fn id(text: &str) -> Result<RunId, Error> {
    text.parse().map_err(unreadable)
}

pub(super) fn number(reply: Value) -> Result<u64, Error> {
    read(reply)
}

pub(super) fn bytes(reply: Value) -> Result<Option<Vec<u8>>, Error> {
    read(reply)
}

pub(super) fn ids(reply: Value) -> Result<Vec<RunId>, Error> {
    let texts: Vec<String> = read(reply)?;
    texts.iter().map(|text| id(text)).collect()
}

pub(super) fn submitted(reply: Value) -> Result<Submitted, Error> {
    match reply {
        Value::Int(1) => Ok(Submitted::Created),
        Value::Int(0) => Ok(Submitted::Known),
        other => {
            let text: String = read(other)?;
            id(&text).map(Submitted::KeyTaken)
        }
    }
}

/// How an ending is written: what it is, and why.
pub(super) fn ending_words(ending: Ending) -> (&'static str, String) {
    match ending {
        Ending::Finished => ("finished", String::new()),
        Ending::Cancelled => ("cancelled", String::new()),
        Ending::Failed { reason } => ("failed", reason),
    }
}

fn ending(word: &str, reason: Option<String>) -> Result<Ending, Error> {
    match word {
        "finished" => Ok(Ending::Finished),
        "cancelled" => Ok(Ending::Cancelled),
        "failed" => Ok(Ending::Failed {
            reason: reason.unwrap_or_default(),
        }),
        other => Err(unreadable(format_args!("`{other}` is no way to end"))),
    }
}

/// Runs, each with its place in the order.
pub(super) fn runs(reply: Value) -> Result<Vec<(u64, Run)>, Error> {
    let rows: Vec<RunRow> = read(reply)?;
    rows.into_iter()
        .map(
            |(run, name, submitted_ms, ended_ms, word, reason, holder, report, reported_ms, place)| {
                let run = Run {
                    run: id(&run)?,
                    name,
                    submitted_ms,
                    ended_ms,
                    ending: word.map(|word| ending(&word, reason)).transpose()?,
                    holder,
                    report,
                    reported_ms,
                };
                Ok((place, run))
            },
        )
        .collect()
}

pub(super) fn workers(reply: Value) -> Result<Page, Error> {
    let (more, last, rows): (bool, Vec<u8>, Vec<WorkerRow>) = read(reply)?;
    let workers = rows
        .into_iter()
        .map(
            |(worker, report, since_ms, beat_ms, silent_ms, draining)| Worker {
                worker,
                report,
                since_ms,
                beat_ms,
                silent_ms,
                draining,
            },
        )
        .collect();
    Ok(Page { more, last, workers })
}

pub(super) fn drained(reply: Value) -> Result<DrainedPage, Error> {
    let (more, last, names): (bool, String, Vec<String>) = read(reply)?;
    Ok(DrainedPage { more, last, names })
}

pub(super) fn dead_letters(reply: Value) -> Result<Vec<DeadLetter>, Error> {
    let rows: Vec<DeadLetterRow> = read(reply)?;
    rows.into_iter()
        .map(|(number, stage, run, reason, envelope, buried_ms, retried_ms)| {
            let dead = Dead {
                stage: stage.parse().map_err(unreadable)?,
                run: run.as_deref().map(id).transpose()?,
                reason,
                envelope,
            };
            Ok(DeadLetter {
                number,
                dead,
                buried_ms,
                retried_ms,
            })
        })
        .collect()
}
