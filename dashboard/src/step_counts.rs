//! What steps, models and teachers of runs came to, counted from their journals in the background and kept up with them while somebody looks.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Context;
use gristmill_coordinator::Start;
use gristmill_domain::stage::Stage;
use gristmill_proto::v1;
use gristmill_runs::{ModelCost, RecipeSteps, StepTally, TeacherCount};

use crate::background::Background;
use crate::journal_counts::{journal_is_whole, of_journal};
use crate::source::{Source, Who};
use crate::text::now_ms;

/// Between two counts of a run that goes on, so many times the time that the last one took.
const PAUSE_TIMES: u32 = 10;
/// Runs whose counts are kept.
const RUNS_MAX: usize = 32;
/// Counts at once: a coordinator has more to do.
const AT_ONCE: usize = 1;

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
    /// Where the next count goes on from.
    tally: StepTally,
}

/// The last count of a run, or why there is none.
pub(crate) type StepFacts = Result<Option<Arc<Steps>>, String>;

/// The last counts of runs.
pub(crate) struct StepCounts(Background<Steps>);

impl Default for StepCounts {
    fn default() -> Self {
        Self(Background::new(RUNS_MAX, AT_ONCE))
    }
}

impl StepCounts {
    /// The last count of a run; starts another where that one is old. `Err`: why it cannot be counted.
    pub(crate) async fn of(&self, source: &Arc<dyn Source>, run: &v1::Run) -> StepFacts {
        let make = |before: Option<Arc<Steps>>| {
            let (source, run) = (Arc::clone(source), run.clone());
            async move { count(source.as_ref(), &run, before).await }
        };
        of_journal(&self.0, run, PAUSE_TIMES, |steps| steps.last, make).await
    }
}

/// Counts what is new of a run; `None` before it has stored what it is started with.
async fn count(
    source: &dyn Source,
    run: &v1::Run,
    before: Option<Arc<Steps>>,
) -> anyhow::Result<Option<Steps>> {
    let state = source.state(Who::itself(), &run.run).await;
    let state = state.map_err(|refusal| anyhow::anyhow!(refusal.text))?;
    let start = match state.read("run.json").await {
        Ok(start) => start,
        Err(gristmill_ports::blob::Error::Missing { .. }) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let start: Start = serde_json::from_slice(&start).context("run.json is damaged")?;
    let mut tally = before.map_or_else(StepTally::default, |before| before.tally.clone());
    tally.catch_up(state.as_ref(), &start).await?;
    Ok(Some(Steps {
        recipes: tally.recipes().cloned().collect(),
        models: tally.models(),
        teachers: tally.teachers().clone(),
        at_ms: now_ms(),
        last: journal_is_whole(run),
        tally,
    }))
}
