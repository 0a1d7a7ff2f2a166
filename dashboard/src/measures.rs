//! Diversity and coverage by round, as the report measures them. It takes seconds of a processor, so it is done in the background, for runs that
//! somebody looks at, and again only when a round has ended.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Context;
use gristmill_coordinator::{SeedStore, Start};
use gristmill_picture::lines::Chart;
use gristmill_proto::v1;
use tokio::sync::Semaphore;

use crate::journal_facts::Counted;
use crate::source::{Refusal, Source, Who};

/// Runs whose measures are kept; beyond, measuring starts anew.
const RUNS_MAX: usize = 64;

/// What was measured of a run.
#[derive(Debug)]
pub(crate) struct Measured {
    /// A chart of each measure, by round.
    pub(crate) charts: Vec<Chart>,
    /// What the measures depend on.
    pub(crate) note: String,
}

#[derive(Default)]
struct Entry {
    measured: Option<Result<Arc<Measured>, String>>,
    /// What was, or is being, measured: rounds, and whether the run has ended.
    of: Option<(usize, bool)>,
}

/// The last measures of runs.
pub(crate) struct Measures {
    entries: Arc<Mutex<HashMap<String, Entry>>>,
    /// One at a time: a coordinator has more to do.
    turn: Arc<Semaphore>,
}

impl Default for Measures {
    fn default() -> Self {
        Self {
            entries: Arc::default(),
            turn: Arc::new(Semaphore::new(1)),
        }
    }
}

/// Each change under the lock leaves an entry whole.
fn locked(entries: &Mutex<HashMap<String, Entry>>) -> MutexGuard<'_, HashMap<String, Entry>> {
    entries.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Measures {
    /// What was measured last, `None` before the first time; measures again where a round has ended since.
    pub(crate) fn of(
        &self,
        source: &Arc<dyn Source>,
        run: &v1::Run,
        counted: &Arc<Counted>,
    ) -> Option<Result<Arc<Measured>, String>> {
        let of = Some((counted.manifest.rounds.len(), counted.last));
        let mut entries = locked(&self.entries);
        if entries.len() >= RUNS_MAX && !entries.contains_key(&run.run) {
            entries.clear();
        }
        let entry = entries.entry(run.run.clone()).or_default();
        let known = entry.measured.clone();
        if entry.of == of {
            return known;
        }
        entry.of = of;
        drop(entries);
        let (entries, turn) = (Arc::clone(&self.entries), Arc::clone(&self.turn));
        let (source, name, counted) = (Arc::clone(source), run.run.clone(), Arc::clone(counted));
        tokio::spawn(async move {
            let _turn = turn.acquire().await;
            let runtime = tokio::runtime::Handle::current();
            let run = name.clone();
            let measuring = tokio::task::spawn_blocking(move || {
                runtime.block_on(measure(source.as_ref(), &run, &counted))
            });
            let measured = measuring.await.unwrap_or_else(|error| Err(error.into()));
            let measured = measured.map(Arc::new).map_err(|error| format!("{error:#}"));
            locked(&entries).entry(name).or_default().measured = Some(measured);
        });
        known
    }
}

async fn measure(source: &dyn Source, run: &str, counted: &Counted) -> anyhow::Result<Measured> {
    let state = source.state(Who::itself(), run).await;
    let state = state.map_err(|refusal: Refusal| anyhow::anyhow!(refusal.text))?;
    let start: Start =
        serde_json::from_slice(&state.read("run.json").await?).context("run.json is damaged")?;
    let seeds = SeedStore::load(state.as_ref())
        .await?
        .context("the run has no seeds yet")?;
    let report = gristmill_runs::report(state.as_ref(), &start, &seeds, &counted.manifest).await?;
    Ok(Measured {
        charts: report.charts,
        note: report.rounds_note,
    })
}
