//! A run in a folder as the coordinator's service would show it, so that one page shows both.

use gristmill_coordinator::{Progress, Start, progress_message};
use gristmill_domain::ledger::{Account, Counts};
use gristmill_domain::stage::Stage;
use gristmill_proto::v1;

use super::RunFolder;
use crate::evaluation::EVALUATION_FILE;
use crate::served::SeenRun;
use crate::status::{RunState, RunStatus};
use crate::tally::RowTally;

impl RunFolder {
    /// A run with its state. `tally` holds the counts of its rows, `begun_ms` is when it was started, Unix milliseconds.
    ///
    /// # Errors
    /// State that is damaged or cannot be read.
    pub async fn seen(&self, start: Start, tally: &RowTally, begun_ms: u64) -> anyhow::Result<SeenRun> {
        let cluster = self.of_a_cluster().await?;
        let named = !start.job.generate.recipes.is_empty();
        let wanted = start.job.generate.rows;
        let evaluates = start.job.evaluate.is_some();
        let (status, state, concepts) = self.status(start, cluster, tally).await?;
        let ended = self.events().await?.ended().cloned();
        let mut progress = match ended {
            Some(ended) => ended.last_seen(),
            None => progress(&status, wanted),
        };
        if progress.decided < tally.decided {
            progress.accepted = tally.accepted;
            progress.decided = tally.decided;
            progress.rejected = tally.rejected.clone();
            progress.recipes = tally.recipes.clone();
        }
        progress.recipes_named |= named;
        if evaluates && !progress.evaluates {
            // Nobody wrote down yet how many answers there are: those that are paid for are known from the books.
            progress.evaluates = true;
            progress.decided = status.account.as_ref().map_or(0, answered);
        }
        if !status.recipes.is_empty() {
            (progress.recipes, progress.recipes_named) = (status.recipes.clone(), true);
        }
        if concepts.all > 0 {
            (progress.concepts, progress.concepts_all) = (concepts.at_target, concepts.all);
            progress.furthest = concepts.list;
        }
        let books = status.account.as_ref().map(Account::total).unwrap_or_default();
        let limit = status
            .account
            .as_ref()
            .map_or(status.limit, |account| account.limit);
        let run = v1::Run {
            run: status.run.clone(),
            name: status.name.clone(),
            state: kind(&state).into(),
            reason: state.why.clone(),
            submitted_ms: begun_ms,
            ended_ms: matches!(state.word, "finished" | "cancelled")
                .then(|| self.written_ms())
                .flatten(),
            coordinator: String::new(),
            progress: Some(progress_message(&progress)),
            limit: Some(limit.into()),
            spent: Some(books.spent.into()),
            burned: Some(books.burned.into()),
            held: Some(books.started.into()),
            obstacles: Vec::new(),
            failures: Vec::new(),
            dataset: status.dataset.clone().unwrap_or_default(),
            account: status.account.as_ref().map(v1::Account::from),
        };
        Ok(SeenRun { run, state })
    }

    /// When the dataset, or the result of an evaluation, was written, Unix milliseconds.
    fn written_ms(&self) -> Option<u64> {
        let file = std::fs::metadata(self.dataset().join("manifest.json"))
            .or_else(|_| std::fs::metadata(self.result().join(EVALUATION_FILE)))
            .ok()?;
        let since = file.modified().ok()?.duration_since(std::time::UNIX_EPOCH).ok()?;
        u64::try_from(since.as_millis()).ok()
    }
}

/// What can be seen of a run that goes on or was stopped, besides its rows.
fn progress(status: &RunStatus, wanted: Option<u64>) -> Progress {
    let by_stage = |of: fn(&Counts) -> u64| {
        let counts = status.account.iter().flat_map(|account| &account.counts);
        counts.map(|(stage, counts)| (*stage, of(counts))).collect()
    };
    let (expected, between) = status.expected.unwrap_or_default();
    // Of a run that has ended, the manifest beside its dataset says it; of one that has not, `seen` counts what is stored.
    let counted = |name: &str| {
        status
            .rows
            .as_ref()
            .and_then(|rows| rows.get(name)?.as_u64())
            .unwrap_or(0)
    };
    let accepted = counted("train_synthetic");
    Progress {
        accepted,
        decided: accepted + counted("rejected"),
        // The goal is what the job asks for, until a forecast says that it will not be reached.
        expected_rows: match wanted {
            Some(wanted) if between.1 >= wanted || between.1 == 0 => wanted,
            Some(_) | None => expected,
        },
        expected_between: between,
        running: by_stage(|counts| counts.running),
        open: by_stage(|counts| counts.open),
        in_batches: status.in_batches,
        end: status.end.clone(),
        teacher_checks: status.teacher_checks.clone(),
        alerts: status.alerts.clone(),
        ..Progress::default()
    }
}

/// Answers that an evaluation was given so far.
fn answered(account: &Account) -> u64 {
    account
        .counts
        .get(&Stage::Generate)
        .map_or(0, |counts| counts.done)
}

/// The state nearest to what a folder says; the words are those of [`RunState`].
fn kind(state: &RunState) -> v1::RunState {
    match state.word {
        "running" => v1::RunState::Running,
        "assembling" => v1::RunState::Assembling,
        "finished" => v1::RunState::Finished,
        "cancelled" => v1::RunState::Cancelled,
        "frozen" => v1::RunState::Frozen,
        "paused" => v1::RunState::Paused,
        "ended without a dataset" => v1::RunState::Failed,
        // Not started, or stopped: nobody works on it, and it can go on.
        _ => v1::RunState::Waiting,
    }
}
