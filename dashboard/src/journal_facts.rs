//! What the journals of runs add up to: rejects by reason with their cost, rounds, yields. The first count reads a whole journal, so counting is
//! done in the background, and pages show the last count with its time. Later counts read what came since.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use gristmill_coordinator::{SeedStore, Start};
use gristmill_domain::ledger::Account;
use gristmill_proto::v1;
use gristmill_runs::{Manifest, SoFar};

use crate::background::{Background, Wait};
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
pub(crate) struct Counted {
    /// The run's manifest, or what it would be now.
    pub(crate) manifest: Manifest,
    /// When it was counted, Unix milliseconds.
    pub(crate) at_ms: u64,
    /// It is of a run that has ended: nothing will be added.
    pub(crate) last: bool,
    /// Where the next count goes on from.
    so_far: SoFar,
}

/// The last counts of runs.
pub(crate) struct JournalFacts(Background<Counted>);

impl Default for JournalFacts {
    fn default() -> Self {
        Self(Background::new(RUNS_MAX, AT_ONCE))
    }
}

impl JournalFacts {
    /// The last count of a run; starts another where that one is old. `Err`: why it cannot be counted.
    pub(crate) async fn of(
        &self,
        source: &Arc<dyn Source>,
        run: &v1::Run,
    ) -> Result<Option<Arc<Counted>>, String> {
        let version = journal_version(run);
        let make = |before: Option<Arc<Counted>>| {
            let (source, run) = (Arc::clone(source), run.clone());
            async move { count(source.as_ref(), &run, before).await }
        };
        let last = self.0.of(
            &run.run,
            (version, Wait::First(WAIT)),
            |known| {
                let done = known.last.value.as_ref().is_some_and(|counted| counted.last);
                known.version != Some(version) || (!done && known.rested(PAUSE, PAUSE_TIMES))
            },
            make,
        );
        let last = last.await;
        match (last.value, last.failed) {
            (None, Some(failed)) => Err(failed),
            (counted, _) => Ok(counted),
        }
    }
}

/// Whether nothing is added to a run's journal any more. A run that is cancelled stores the rows that are paid for before its books are closed.
pub(crate) fn journal_is_whole(run: &v1::Run) -> bool {
    match run.state() {
        v1::RunState::Finished | v1::RunState::Failed => true,
        v1::RunState::Cancelled => is_closed(run),
        v1::RunState::Unspecified
        | v1::RunState::Waiting
        | v1::RunState::Running
        | v1::RunState::Paused
        | v1::RunState::Frozen
        | v1::RunState::Assembling => false,
    }
}

/// Whether a run's books are closed: no call begins.
pub(crate) fn is_closed(run: &v1::Run) -> bool {
    let state = run.account.as_ref().and_then(|account| account.state.as_ref());
    matches!(
        state.and_then(|state| state.state.as_ref()),
        Some(v1::account_state::State::Closed(_))
    )
}

/// A number that is another one when a run has changed so that what was counted last of its journal is not the last count.
pub(crate) fn journal_version(run: &v1::Run) -> u64 {
    let flags = [is_closed(run), !run.dataset.is_empty()];
    let state = u64::from(run.state.unsigned_abs());
    flags
        .iter()
        .fold(state, |version, flag| 2 * version + u64::from(*flag))
}

/// Counts a run; `None` before it has anything to count.
async fn count(
    source: &dyn Source,
    run: &v1::Run,
    before: Option<Arc<Counted>>,
) -> anyhow::Result<Option<Counted>> {
    let readable = |refusal: crate::source::Refusal| anyhow::anyhow!(refusal.text);
    let over = journal_is_whole(run);
    if over && let Some(manifest) = source.manifest(Who::itself(), &run.run).await.map_err(readable)? {
        return Ok(Some(Counted {
            manifest,
            at_ms: now_ms(),
            last: true,
            so_far: SoFar::default(),
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
    let mut so_far = before.map_or_else(SoFar::default, |before| before.so_far.clone());
    so_far.catch_up(state.as_ref(), &start).await?;
    Ok(Some(Counted {
        manifest: so_far.manifest(&start, &seeds, &account, end),
        at_ms: now_ms(),
        last: over,
        so_far,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_count_of_a_cancelled_run_is_the_last_one_once_its_books_are_closed() {
        let run = |closed: bool, dataset: &str| v1::Run {
            state: v1::RunState::Cancelled.into(),
            dataset: dataset.to_owned(),
            account: Some(v1::Account {
                state: Some(v1::AccountState {
                    state: Some(match closed {
                        true => v1::account_state::State::Closed(v1::account_state::Closed {}),
                        false => v1::account_state::State::Cancelled(v1::account_state::Cancelled {}),
                    }),
                }),
                ..v1::Account::default()
            }),
            ..v1::Run::default()
        };
        let (ending, ended, kept) = (run(false, ""), run(true, ""), run(true, "store/27d5/dataset"));
        assert!(!journal_is_whole(&ending) && journal_is_whole(&ended));
        let versions = [&ending, &ended, &kept].map(journal_version);
        assert!(
            versions[0] != versions[1] && versions[1] != versions[2],
            "{versions:?}"
        );
    }
}
