//! What the journals of runs add up to: rejects by reason with their cost, rounds, yields. The first count reads a whole journal, so counting is
//! done in the background, and pages show the last count with its time. Later counts read what came since.

use std::sync::Arc;

use anyhow::Context;
use gristmill_coordinator::{SeedStore, Start};
use gristmill_domain::ledger::Account;
use gristmill_proto::v1;
use gristmill_runs::{Manifest, SoFar};

use crate::background::Background;
use crate::journal_counts::{journal_is_whole, of_journal};
use crate::source::{Source, Who};
use crate::text::now_ms;

/// Between two counts of a run that goes on, so many times the time that the last one took.
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
        let make = |before: Option<Arc<Counted>>| {
            let (source, run) = (Arc::clone(source), run.clone());
            async move { count(source.as_ref(), &run, before).await }
        };
        of_journal(&self.0, run, PAUSE_TIMES, |counted| counted.last, make).await
    }
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
