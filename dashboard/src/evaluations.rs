//! Which runs are evaluations: their jobs say so, and never change.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use gristmill_coordinator::Start;

use crate::page::Kind;
use crate::source::{Source, Who};

/// Runs that are remembered.
const RUNS_MAX: usize = 4_096;

/// What runs are for, as far as somebody asked.
#[derive(Default)]
pub(crate) struct Evaluations(Mutex<HashMap<String, Kind>>);

impl Evaluations {
    /// What a run is for. A run whose job cannot be read counts as one that makes rows: its pages say what is wrong with it.
    pub(crate) async fn kind(&self, source: &dyn Source, who: Who, run: &str) -> Kind {
        // An insert leaves the map whole.
        let known = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(kind) = known().get(run) {
            return *kind;
        }
        let Some(kind) = read(source, who, run).await else {
            return Kind::Rows;
        };
        let mut known = known();
        if known.len() >= RUNS_MAX {
            known.clear();
        }
        known.insert(run.to_owned(), kind);
        kind
    }
}

async fn read(source: &dyn Source, who: Who, run: &str) -> Option<Kind> {
    let state = source.state(who, run).await.ok()?;
    let start: Start = serde_json::from_slice(&state.read("run.json").await.ok()?).ok()?;
    Some(match start.job.evaluate {
        Some(_) => Kind::Evaluation,
        None => Kind::Rows,
    })
}
