//! `gristmill watch`: a run followed to its end, over the comings and goings of coordinators.

use std::time::Duration;

use anyhow::{Context, anyhow};
use backoff::backoff::Backoff;
use gristmill_coordinator::Progress;
use gristmill_domain::amount::Amount;
use gristmill_domain::words::duration;
use gristmill_proto::v1;
use gristmill_runs::served;
use tokio::sync::watch;
use tonic::{Code, Status};

use super::remote::{Remote, connect, refused};
use super::verbs::show;
use crate::args::{OutputStyle, RemoteRunArgs};
use crate::failure::Failure;
use crate::view::{Head, View};

/// Time for which a watcher waits for a coordinator to answer again: more than a roll-out of a new version takes.
const AWAY_MAX: Duration = Duration::from_secs(120);

/// Watches a run to its end.
pub(crate) async fn watch(args: &RemoteRunArgs, view: View, output: OutputStyle) -> Result<(), Failure> {
    let mut remote = connect(&args.server).await?;
    follow(&mut remote, &args.run, view, output).await
}

/// Shows a run whenever it changes, and how it ended. A coordinator that goes away is asked again, or another in its place.
pub(crate) async fn follow(
    remote: &mut Remote,
    run: &str,
    view: View,
    output: OutputStyle,
) -> Result<(), Failure> {
    let (progress, seen) = watch::channel(Progress::default());
    let watching = tokio::spawn(view.clone().watch(Head::of(run, None), seen));
    let looked = look(remote, run, &view, &progress).await;
    drop(progress);
    // The view ends with its channel.
    let _ended = watching.await;
    let last = looked?;
    show(&last, output);
    match last.state() {
        v1::RunState::Paused | v1::RunState::Frozen | v1::RunState::Failed | v1::RunState::Cancelled => {
            Err(Failure::Stopped(format!("run {run} is {}", served::state(&last))))
        }
        v1::RunState::Unspecified
        | v1::RunState::Waiting
        | v1::RunState::Running
        | v1::RunState::Assembling => Ok(()),
        v1::RunState::Finished => match last.progress {
            Some(progress) if !progress.short.is_empty() => {
                Err(Failure::short(&progress.short, progress.accepted, &progress.end))
            }
            Some(_) | None => Ok(()),
        },
    }
}

/// Looks at a run until it ends or stands still.
async fn look(
    remote: &mut Remote,
    run: &str,
    view: &View,
    progress: &watch::Sender<Progress>,
) -> Result<v1::Run, Failure> {
    let mut pauses = backoff::ExponentialBackoffBuilder::new()
        .with_max_elapsed_time(Some(AWAY_MAX))
        .build();
    let mut look = Look {
        view,
        progress,
        told: Vec::new(),
        reason: String::new(),
        last: None,
        away: None,
    };
    loop {
        let gone = match look.once(remote, run).await {
            Ok(()) => {
                let last = look.last.context("the coordinator said nothing about the run");
                return last.map_err(Failure::Other);
            }
            Err(status) => status,
        };
        let Some(away) = Away::of(&gone) else {
            return Err(refused(&gone));
        };
        if look.away != Some(away) {
            if look.away.is_none() {
                pauses.reset();
            }
            look.away(away, gone.message());
        }
        match pauses.next_backoff() {
            Some(pause) => tokio::time::sleep(pause).await,
            None => {
                let long = duration(AWAY_MAX.as_secs());
                let what = match away {
                    Away::Coordinator => "no coordinator has answered",
                    Away::Behind => "the coordinator answers, and has not shown the run",
                };
                return Err(Failure::Other(anyhow!(
                    "{what} for about {long}: {}",
                    gone.message()
                )));
            }
        }
    }
}

/// What does not answer a watcher.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Away {
    /// The coordinator.
    Coordinator,
    /// What it needs, as it says itself.
    Behind,
}

impl Away {
    /// `None` of a refusal: asking again would not help.
    fn of(gone: &Status) -> Option<Self> {
        // A connection that broke has its reason as source; what the coordinator says has none.
        match std::error::Error::source(gone) {
            Some(_) => Some(Self::Coordinator),
            None => (gone.code() == Code::Unavailable).then_some(Self::Behind),
        }
    }
}

/// What a watcher has seen.
struct Look<'a> {
    view: &'a View,
    progress: &'a watch::Sender<Progress>,
    /// What the run was last said to wait for.
    told: Vec<v1::Obstacle>,
    /// Why it was last said to stand still.
    reason: String,
    last: Option<v1::Run>,
    /// What does not answer, as the watcher was told; `None` while the run is shown.
    away: Option<Away>,
}

impl Look<'_> {
    /// Says what is gone, in the coordinator's words where it answers: what was seen last is no progress any more.
    fn away(&mut self, away: Away, says: &str) {
        let long = duration(AWAY_MAX.as_secs());
        let (text, phase) = match away {
            Away::Coordinator => (
                format!(
                    "the coordinator does not answer, and is asked again for {long}; another one shows the run as well (`--server`)"
                ),
                "coordinator away",
            ),
            Away::Behind => (
                format!(
                    "the coordinator answers, and does not show the run now; it is asked again for {long}: {says}"
                ),
                "as last seen",
            ),
        };
        self.view.warn(&text);
        self.progress
            .send_modify(|progress| phase.clone_into(&mut progress.phase));
        self.told.clear();
        self.away = Some(away);
    }

    /// Watches by one stream, until the run ends or stands still, or the stream breaks.
    async fn once(&mut self, remote: &mut Remote, run: &str) -> Result<(), Status> {
        let request = v1::WatchRunRequest { run: run.to_owned() };
        let mut states = remote.watch_run(request).await?.into_inner();
        while let Some(state) = states.message().await? {
            self.away = None;
            self.progress.send_replace(progress_of(&state));
            if state.obstacles != self.told {
                self.told.clone_from(&state.obstacles);
                for one in &self.told {
                    self.view.warn(&served::obstacle(one));
                }
            }
            if state.reason != self.reason {
                self.reason.clone_from(&state.reason);
                if !self.reason.is_empty() {
                    self.view.warn(&self.reason);
                }
            }
            let waits = matches!(state.state(), v1::RunState::Paused | v1::RunState::Frozen);
            self.last = Some(state);
            if waits {
                break;
            }
        }
        Ok(())
    }
}

fn progress_of(run: &v1::Run) -> Progress {
    let shown = run.progress.clone().unwrap_or_default();
    let amount = |amount: &Option<v1::Amount>| Amount::from(amount.unwrap_or_default());
    let stages = |counts: &std::collections::HashMap<String, u64>| {
        counts
            .iter()
            .filter_map(|(stage, count)| Some((stage.parse().ok()?, *count)))
            .collect()
    };
    Progress {
        phase: match run.state() {
            v1::RunState::Assembling => "assembling".to_owned(),
            // It has no rate, and no time that is left.
            v1::RunState::Paused | v1::RunState::Frozen => served::state(run).word.to_owned(),
            _ if shown.phase.is_empty() => served::state(run).to_string(),
            _ => shown.phase,
        },
        accepted: shown.accepted,
        decided: shown.decided,
        expected_rows: shown.expected_rows,
        expected_between: (shown.expected_rows_low, shown.expected_rows_high),
        expected_calls: shown.expected_calls,
        settled: shown.settled,
        settled_accepted: shown.settled_accepted,
        rejected: shown
            .rejected
            .iter()
            .filter_map(|(reason, count)| Some((reason.parse().ok()?, *count)))
            .collect(),
        limit: served::limit(run),
        gone: amount(&run.spent) + amount(&run.burned),
        held: amount(&run.held),
        running: stages(&shown.running),
        open: stages(&shown.open),
        concepts: (shown.concepts_met, shown.concepts_wanted),
        concepts_all: shown.concepts_all,
        in_batches: shown.in_batches,
        held_back: shown.held_back,
        embedded: (shown.embedded, shown.embedded_all),
        ..Progress::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_away_is_told_apart() {
        let broken = Status::from_error(Box::new(std::io::Error::other("connection reset")));
        assert_eq!(Away::of(&broken), Some(Away::Coordinator));
        let redis = Status::unavailable("Redis cannot be reached");
        assert_eq!(Away::of(&redis), Some(Away::Behind));
        assert_eq!(Away::of(&Status::not_found("no such run")), None);
    }
}
