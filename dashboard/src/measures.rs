//! Diversity and coverage by round, as the report measures them. It takes seconds of a processor, so it is done in the background, for runs that
//! somebody looks at, and again only when a round has ended.

use std::sync::Arc;

use anyhow::Context;
use gristmill_coordinator::{SeedStore, Start};
use gristmill_picture::lines::Chart;
use gristmill_proto::v1;

use crate::background::{Background, Wait};
use crate::journal_facts::Counted;
use crate::source::{Refusal, Source, Who};

/// Runs whose measures are kept.
const RUNS_MAX: usize = 64;
/// One at a time: a coordinator has more to do.
const AT_ONCE: usize = 1;

/// What was measured of a run.
pub(crate) struct Measured {
    /// A chart of each measure, by round.
    pub(crate) charts: Vec<Chart>,
    /// What the measures depend on.
    pub(crate) note: String,
}

/// The last measures of runs.
pub(crate) struct Measures(Background<Measured>);

impl Default for Measures {
    fn default() -> Self {
        Self(Background::new(RUNS_MAX, AT_ONCE))
    }
}

impl Measures {
    /// What was measured last, `None` before the first time; measures again where a round has ended since.
    pub(crate) async fn of(
        &self,
        source: &Arc<dyn Source>,
        run: &v1::Run,
        counted: &Arc<Counted>,
    ) -> Option<Result<Arc<Measured>, String>> {
        // The last count of a run is not that of a round more.
        let of = 2 * counted.manifest.rounds.len() as u64 + u64::from(counted.last);
        let make = |_| {
            let (source, name, counted) = (Arc::clone(source), run.run.clone(), Arc::clone(counted));
            async move { measure(source.as_ref(), &name, &counted).await.map(Some) }
        };
        let due = |known: &crate::background::Known<Measured>| known.version != Some(of);
        let last = self.0.of(&run.run, (of, Wait::No), due, make).await;
        match last.failed {
            Some(failed) => Some(Err(failed)),
            None => last.value.map(Ok),
        }
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
