//! What the journals of runs add up to: rejects by reason with their cost, rounds, yields. Counting reads a whole journal, so it is done in the
//! background, and pages show the last count with its time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context;
use gristmill_coordinator::{SeedStore, Start};
use gristmill_domain::ledger::Account;
use gristmill_proto::v1;
use gristmill_runs::{Manifest, manifest_so_far};
use tokio::sync::{Notify, Semaphore};
use tokio::time::Instant;

use crate::source::{Source, Who};
use crate::text::now_ms;

/// How long a page waits for the first count of a run: that of a small one is there by then.
const WAIT: Duration = Duration::from_millis(250);
/// Between two counts of a run that goes on, at least; and so many times the time that the last one took.
const PAUSE: Duration = Duration::from_secs(2);
const PAUSE_TIMES: u32 = 20;
/// Runs whose counts are kept.
const RUNS_MAX: usize = 64;
/// Counts at once.
const AT_ONCE: usize = 2;

/// What a journal added up to.
#[derive(Debug)]
pub(crate) struct Counted {
    /// The run's manifest, or what it would be now.
    pub(crate) manifest: Manifest,
    /// When it was counted, Unix milliseconds.
    pub(crate) at_ms: u64,
    /// It is of a run that has ended: nothing will be added.
    pub(crate) last: bool,
}

#[derive(Default)]
struct Entry {
    counted: Option<Arc<Counted>>,
    failed: Option<String>,
    under_way: bool,
    took: Duration,
    ended: Option<Instant>,
    /// State of the run that was counted: when it has changed, the count is not the last one.
    state: i32,
}

/// The last counts of runs.
pub(crate) struct JournalFacts {
    entries: Arc<Mutex<HashMap<String, Entry>>>,
    at_once: Arc<Semaphore>,
    news: Arc<Notify>,
}

impl Default for JournalFacts {
    fn default() -> Self {
        Self {
            entries: Arc::default(),
            at_once: Arc::new(Semaphore::new(AT_ONCE)),
            news: Arc::default(),
        }
    }
}

/// Each change under the lock leaves an entry whole.
fn locked(entries: &Mutex<HashMap<String, Entry>>) -> MutexGuard<'_, HashMap<String, Entry>> {
    entries.lock().unwrap_or_else(PoisonError::into_inner)
}

impl JournalFacts {
    /// The last count of a run; starts another where that one is old. `Err`: why it cannot be counted.
    pub(crate) async fn of(
        &self,
        source: &Arc<dyn Source>,
        run: &v1::Run,
    ) -> Result<Option<Arc<Counted>>, String> {
        let deadline = Instant::now() + WAIT;
        loop {
            // Asked for before the look, so that news in between is not missed.
            let news = self.news.notified();
            self.count_if_old(source, run);
            {
                let entries = locked(&self.entries);
                let entry = entries.get(&run.run);
                if let Some(counted) = entry.and_then(|entry| entry.counted.clone()) {
                    return Ok(Some(counted));
                }
                if let Some(failed) = entry.and_then(|entry| entry.failed.clone()) {
                    return Err(failed);
                }
            }
            if tokio::time::timeout_at(deadline, news).await.is_err() {
                return Ok(None);
            }
        }
    }

    fn count_if_old(&self, source: &Arc<dyn Source>, run: &v1::Run) {
        let mut entries = locked(&self.entries);
        make_room(&mut entries, &run.run);
        let entry = entries.entry(run.run.clone()).or_default();
        let rested = entry
            .ended
            .is_none_or(|ended| ended.elapsed() >= PAUSE.max(entry.took * PAUSE_TIMES));
        let same = entry.state == run.state;
        let done = same && entry.counted.as_ref().is_some_and(|counted| counted.last);
        if entry.under_way || done || (same && !rested) {
            return;
        }
        (entry.under_way, entry.state) = (true, run.state);
        drop(entries);
        let (entries, at_once, news) = (
            Arc::clone(&self.entries),
            Arc::clone(&self.at_once),
            Arc::clone(&self.news),
        );
        let (source, run) = (Arc::clone(source), run.clone());
        tokio::spawn(async move {
            let _turn = at_once.acquire().await;
            let began = Instant::now();
            let name = run.run.clone();
            // A journal is decoded for seconds: not on a thread that answers requests.
            let runtime = tokio::runtime::Handle::current();
            let counting =
                tokio::task::spawn_blocking(move || runtime.block_on(count(source.as_ref(), &run)));
            let counted = counting.await.unwrap_or_else(|error| Err(error.into()));
            {
                let mut entries = locked(&entries);
                let entry = entries.entry(name).or_default();
                entry.under_way = false;
                entry.took = began.elapsed();
                entry.ended = Some(Instant::now());
                match counted {
                    Ok(counted) => (entry.counted, entry.failed) = (counted.map(Arc::new), None),
                    Err(error) => entry.failed = Some(format!("{error:#}")),
                }
            }
            news.notify_waiters();
        });
    }
}

/// Drops the count that is oldest, where there are too many.
fn make_room(entries: &mut HashMap<String, Entry>, for_run: &str) {
    if entries.len() < RUNS_MAX || entries.contains_key(for_run) {
        return;
    }
    let idle = entries.iter().filter(|(_, entry)| !entry.under_way);
    let oldest = idle
        .min_by_key(|(_, entry)| entry.ended)
        .map(|(run, _)| run.clone());
    oldest.and_then(|oldest| entries.remove(&oldest));
}

/// Counts a run; `None` before it has anything to count.
async fn count(source: &dyn Source, run: &v1::Run) -> anyhow::Result<Option<Counted>> {
    let readable = |refusal: crate::source::Refusal| anyhow::anyhow!(refusal.text);
    let over = matches!(
        run.state(),
        v1::RunState::Finished | v1::RunState::Cancelled | v1::RunState::Failed
    );
    if over && let Some(manifest) = source.manifest(Who::itself(), &run.run).await.map_err(readable)? {
        return Ok(Some(Counted {
            manifest,
            at_ms: now_ms(),
            last: true,
        }));
    }
    let Some(account) = run.account.clone() else {
        return Ok(None);
    };
    let account = Account::try_from(account).context("the run's account cannot be read")?;
    let state = source.state(Who::itself(), &run.run).await.map_err(readable)?;
    let start: Start =
        serde_json::from_slice(&state.read("run.json").await?).context("run.json is damaged")?;
    let Some(seeds) = SeedStore::load(state.as_ref()).await? else {
        return Ok(None);
    };
    let end = run
        .progress
        .as_ref()
        .map(|progress| progress.end.clone())
        .unwrap_or_default();
    let manifest = manifest_so_far(state.as_ref(), &start, &seeds, &account, end).await?;
    Ok(Some(Counted {
        manifest,
        at_ms: now_ms(),
        last: over,
    }))
}
