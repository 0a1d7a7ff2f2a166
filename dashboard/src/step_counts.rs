//! What steps, models and teachers of runs came to, counted from their journals in the background and kept up with them while somebody looks.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context;
use gristmill_coordinator::Start;
use gristmill_domain::stage::Stage;
use gristmill_proto::v1;
use gristmill_runs::{ModelCost, RecipeSteps, StepTally, TeacherCount};
use tokio::sync::{Notify, Semaphore};
use tokio::time::Instant;

use crate::source::{Source, Who};
use crate::text::now_ms;

/// How long a page waits for the first count of a run: that of a small one is there by then.
const WAIT: Duration = Duration::from_millis(250);
/// Between two counts of a run that goes on, at least; and so many times the time that the last one took.
const PAUSE: Duration = Duration::from_secs(2);
const PAUSE_TIMES: u32 = 10;
/// Runs whose counts are kept.
const RUNS_MAX: usize = 32;

/// What a run's journal held.
#[derive(Debug)]
pub(crate) struct Steps {
    /// Recipes that made candidates.
    pub(crate) recipes: Vec<RecipeSteps>,
    /// What each model cost, by stage.
    pub(crate) models: BTreeMap<(Stage, String), ModelCost>,
    /// What became of each teacher's candidates.
    pub(crate) teachers: BTreeMap<String, TeacherCount>,
    /// When it was counted, Unix milliseconds.
    pub(crate) at_ms: u64,
    /// It is of a run that has ended.
    pub(crate) last: bool,
}

/// The last count of a run, or why there is none.
pub(crate) type StepFacts = Result<Option<Arc<Steps>>, String>;

#[derive(Default)]
struct Entry {
    /// Away while it is being caught up.
    tally: StepTally,
    steps: Option<Arc<Steps>>,
    failed: Option<String>,
    under_way: bool,
    took: Duration,
    ended: Option<Instant>,
    state: i32,
}

/// The last counts of runs.
pub(crate) struct StepCounts {
    entries: Arc<Mutex<HashMap<String, Entry>>>,
    /// One at a time: a coordinator has more to do.
    turn: Arc<Semaphore>,
    news: Arc<Notify>,
}

impl Default for StepCounts {
    fn default() -> Self {
        Self {
            entries: Arc::default(),
            turn: Arc::new(Semaphore::new(1)),
            news: Arc::default(),
        }
    }
}

/// Each change under the lock leaves an entry whole.
fn locked(entries: &Mutex<HashMap<String, Entry>>) -> MutexGuard<'_, HashMap<String, Entry>> {
    entries.lock().unwrap_or_else(PoisonError::into_inner)
}

impl StepCounts {
    /// The last count of a run; starts another where that one is old. `Err`: why it cannot be counted.
    pub(crate) async fn of(&self, source: &Arc<dyn Source>, run: &v1::Run) -> StepFacts {
        let deadline = Instant::now() + WAIT;
        loop {
            // Asked for before the look, so that news in between is not missed.
            let news = self.news.notified();
            self.count_if_old(source, run);
            {
                let entries = locked(&self.entries);
                let entry = entries.get(&run.run);
                if let Some(steps) = entry.and_then(|entry| entry.steps.clone()) {
                    return Ok(Some(steps));
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
        let pause = PAUSE.max(entry.took * PAUSE_TIMES);
        let rested = entry.ended.is_none_or(|ended| ended.elapsed() >= pause);
        let same = entry.state == run.state;
        let done = same && entry.steps.as_ref().is_some_and(|steps| steps.last);
        if entry.under_way || done || (same && !rested) {
            return;
        }
        (entry.under_way, entry.state) = (true, run.state);
        let mut tally = std::mem::take(&mut entry.tally);
        drop(entries);
        let (entries, turn, news) = (
            Arc::clone(&self.entries),
            Arc::clone(&self.turn),
            Arc::clone(&self.news),
        );
        let (source, name, last) = (Arc::clone(source), run.run.clone(), is_over(run));
        tokio::spawn(async move {
            let _turn = turn.acquire().await;
            let began = Instant::now();
            let run = name.clone();
            // A journal is decoded for seconds: not on a thread that answers requests.
            let runtime = tokio::runtime::Handle::current();
            let counting = tokio::task::spawn_blocking(move || {
                let counted = runtime.block_on(catch_up(&mut tally, source.as_ref(), &run));
                (tally, counted)
            });
            let (tally, counted) = match counting.await {
                Ok((tally, counted)) => (tally, counted),
                Err(error) => (StepTally::default(), Err(error.into())),
            };
            {
                let mut entries = locked(&entries);
                let entry = entries.entry(name).or_default();
                (entry.under_way, entry.took, entry.ended) = (false, began.elapsed(), Some(Instant::now()));
                entry.failed = counted.as_ref().err().map(|error| format!("{error:#}"));
                if matches!(counted, Ok(true)) {
                    entry.steps = Some(Arc::new(shown(&tally, last)));
                }
                entry.tally = tally;
            }
            news.notify_waiters();
        });
    }
}

fn is_over(run: &v1::Run) -> bool {
    matches!(
        run.state(),
        v1::RunState::Finished | v1::RunState::Cancelled | v1::RunState::Failed
    )
}

fn shown(tally: &StepTally, last: bool) -> Steps {
    Steps {
        recipes: tally.recipes().cloned().collect(),
        models: tally.models(),
        teachers: tally.teachers().clone(),
        at_ms: now_ms(),
        last,
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

/// Counts what is new; false before a run has stored what it is started with.
async fn catch_up(tally: &mut StepTally, source: &dyn Source, run: &str) -> anyhow::Result<bool> {
    let state = source.state(Who::itself(), run).await;
    let state = state.map_err(|refusal| anyhow::anyhow!(refusal.text))?;
    let start = match state.read("run.json").await {
        Ok(start) => start,
        Err(gristmill_ports::blob::Error::Missing { .. }) => return Ok(false),
        Err(error) => return Err(error.into()),
    };
    let start: Start = serde_json::from_slice(&start).context("run.json is damaged")?;
    tally.catch_up(state.as_ref(), &start).await?;
    Ok(true)
}
