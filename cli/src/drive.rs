//! Carries a run out in this process, coordinator and worker together, until it has ended.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow};
use gristmill_blob::LocalBlobs;
use gristmill_coordinator::{
    Coordinator, Ended, Error, Events, Finished, LEASE_MS, Options, Progress, RunGauges, Start, Window,
    specs, verify,
};
use gristmill_domain::amount::{Amount, MicroUsd};
use gristmill_domain::job::EmbedSource;
use gristmill_domain::ledger::Account;
use gristmill_domain::stage::Stage;
use gristmill_domain::words::{duration, many};
use gristmill_ledger_sqlite::SqliteLedger;
use gristmill_limiter_local::LocalLimiter;
use gristmill_ports::batch::BatchJobs;
use gristmill_ports::ledger::Ledger;
use gristmill_ports::trace::Untraced;
use gristmill_queue_memory::Queues;
use gristmill_runs::RunFolder;
use gristmill_worker::{Fixed, Handle, Source, Worker};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::asked::{Asked, Noted};
use crate::failure::Failure;
use crate::prepare::Ready;
use crate::resume;
use crate::view::{Head, View};
use crate::workshop::{self, JobAccess, Workshop};

/// Time that requests in flight get after Ctrl-C before they are given up.
const GRACE: Duration = Duration::from_secs(20);
/// Time between two looks whether models answer.
const SILENCE_LOOK: Duration = Duration::from_secs(1);

/// Begins a run in its folder, or goes on with it, until it has ended; what it rests on is read once more.
pub(crate) async fn to_its_end(
    ready: &Ready,
    folder: &RunFolder,
    blobs: &LocalBlobs,
    view: &View,
) -> Result<(Finished, Account), Failure> {
    let start = &ready.prepared.start;
    folder.begin(start).map_err(Failure::Input)?;
    let published = ready.prepared.seeds.publish(blobs).await;
    published.map_err(|error| Failure::Other(error.into()))?;
    let opened = {
        let state = folder.state();
        tokio::task::spawn_blocking(move || SqliteLedger::open(&state))
            .await
            .map_err(|e| Failure::Other(anyhow!(e)))?
    };
    let ledger = Arc::new(opened.map_err(|e| Failure::Input(e.into()))?);
    let burned = ledger.burned_on_open(start.run);
    if burned != Amount::ZERO {
        view.warn(&format!(
            "{} under way when the run was stopped; {}",
            were(burned.calls),
            at_worst_case(burned)
        ));
    }
    resume::follow_budget(folder, &ledger, start, view)
        .await
        .map_err(Failure::Input)?;
    let stop = CancellationToken::new();
    let stopping = tokio::spawn(stop_on_signal(stop.clone(), view.clone(), ready.resume.clone()));
    let watched = Watched::default();
    let ended = carry_out(ready, folder, blobs, ledger, view.clone(), stop, &watched).await;
    // A signal that comes later is for what comes later.
    stopping.abort();
    let ended = ended?;
    verify(blobs)
        .await
        .map_err(|error| Failure::Input(error.into()))?;
    Ok(ended)
}

/// How a run is watched from outside.
#[derive(Debug, Default)]
pub(crate) struct Watched {
    /// Rounds after which it ends; `None` leaves that to the planner.
    pub(crate) rounds: Option<u32>,
    /// Where its tasks are written down.
    pub(crate) asked: Option<Asked>,
}

/// Carries a run out in this process, coordinator and worker together.
pub(crate) async fn carry_out(
    ready: &Ready,
    folder: &RunFolder,
    blobs: &LocalBlobs,
    ledger: Arc<SqliteLedger>,
    view: View,
    stop: CancellationToken,
    watched: &Watched,
) -> Result<(Finished, Account), Failure> {
    let prepared = &ready.prepared;
    let Start { run, base, .. } = &prepared.start;
    let job = &ready.live;
    let run = *run;
    let workshop = Workshop::new(
        JobAccess::Own(base.clone()),
        workshop::endpoints_here().map_err(Failure::Input)?,
        view.clone(),
    );
    let context = workshop
        .context(
            run,
            job,
            Arc::clone(&ready.checker),
            Arc::new(LocalBlobs::new(folder.state())),
        )
        .await
        .map_err(Failure::Input)?;
    let limiter = Arc::new(LocalLimiter::default());
    let (generate, judge) = workshop::slots(job);
    // Twice the slots keep workers fed while results are stored.
    let window = 2 * (generate + judge) + 256;
    let queues = Queues::new(window);
    let embed = if job.embed.source() == EmbedSource::Off {
        0
    } else {
        4
    };
    let sources = [
        (Stage::Generate, generate),
        (Stage::Judge, judge),
        (Stage::Embed, embed),
    ]
    .into_iter()
    .filter(|(_, slots)| *slots > 0)
    .filter_map(|(stage, slots)| {
        Some(Source {
            stage,
            consumer: queues.consumer(stage)?,
            slots,
        })
    })
    .collect();
    let worker_options = gristmill_worker::Options {
        renew_every: Duration::from_millis(LEASE_MS / 4),
        grace: GRACE,
    };
    let worker = Worker::new(
        Arc::new(Fixed::new(context)),
        Arc::clone(&ledger) as Arc<dyn Ledger>,
        limiter,
        Arc::clone(&ledger) as Arc<dyn BatchJobs>,
        worker_options,
    )
    .stopping_quietly();
    let worker_stop = CancellationToken::new();
    let ended = CancellationToken::new();
    let telling = tokio::spawn(tell_silences(worker.handle(), view.clone(), ended.clone()));
    let working = tokio::spawn(worker.run(sources, worker_stop.clone()));
    let (progress, seen) = watch::channel(Progress::default());
    let last = seen.clone();
    let shown = view.clone();
    let watching = tokio::spawn(view.watch(Head::of(run, Some(&prepared.start.job_file)), seen));
    let coordinator = Coordinator {
        setup: &prepared.setup,
        seeds: &prepared.seeds,
        ledger: ledger.as_ref(),
        // SQLite keeps what it confirmed.
        upkeep: None,
        batch_jobs: Some(ledger.as_ref()),
        queue: &Noted {
            queues: &queues,
            asked: watched.asked.as_ref(),
        },
        blobs,
        account: prepared.start.account(),
        holder: format!("embedded-{:016x}", rand::random::<u64>()),
        prices: prepared.start.prices(),
        options: Options {
            window: Window::new(window),
            max_attempts: job.budget.max_attempts,
            at_risk: job.budget.at_risk,
            sweep_every: Duration::from_millis(500),
            propagator: Arc::new(Untraced),
            gauges: RunGauges::default(),
        },
        rounds: watched.rounds,
        progress,
        stop,
    };
    // Starting a paused run again is the word to go on.
    ledger
        .create(prepared.start.account())
        .await
        .map_err(|error| stopped(error.into(), ready, folder))?;
    ledger
        .resume(run)
        .await
        .map_err(|error| stopped(error.into(), ready, folder))?;
    let result = coordinator.run().await;
    worker_stop.cancel();
    // Neither task panics by itself; what they were cut off from burns when its lease ends.
    let _ended = working.await;
    let _ended = watching.await;
    ended.cancel();
    let _ended = telling.await;
    if matches!(result, Err(Error::Interrupted)) && specs(job).all(|spec| spec.batch.is_none()) {
        let account = ledger.account(run).await.context("the ledger cannot be read")?;
        let held = account.total().started;
        if held != Amount::ZERO {
            shown.warn(&format!(
                "{} not answered within {}; {}",
                were(held.calls),
                duration(GRACE.as_secs()),
                at_worst_case(held)
            ));
        }
    }
    let finished = result.map_err(|error| stopped(error, ready, folder))?;
    let account = ledger.account(run).await.context("the ledger cannot be read")?;
    let ended = Ended {
        end: Some(finished.end.clone()),
        account: account.clone(),
        progress: last.borrow().clone(),
    };
    let recorded = Events::record_end(blobs, ended).await;
    recorded.map_err(|error| stopped(error, ready, folder))?;
    Ok((finished, account))
}

/// `67 calls were`.
fn were(calls: u64) -> String {
    let was = if calls == 1 { "was" } else { "were" };
    format!("{} {was}", many(calls, "call"))
}

/// How calls are booked of which nobody knows what they cost.
fn at_worst_case(calls: Amount) -> String {
    let (they_count, their) = match calls.calls {
        1 => ("it counts", "its"),
        _ => ("they count", "their"),
    };
    match calls.usd {
        MicroUsd(0) => format!("{they_count} against the budget as if answered"),
        usd => format!("{they_count} at {their} worst case: {usd}"),
    }
}

/// Tells people when nothing is answered at a line any more, and when something is again.
async fn tell_silences(worker: Handle, view: View, ended: CancellationToken) {
    let mut told = BTreeSet::new();
    let mut last = false;
    while !last {
        tokio::select! {
            () = ended.cancelled() => last = true,
            () = tokio::time::sleep(SILENCE_LOOK) => {}
        }
        let silences = worker.silences();
        for silence in silences.iter().filter(|silence| told.insert(silence.line)) {
            let lasts = duration(silence.lasts.as_secs());
            view.warn(&format!(
                "tasks wait: no call has been answered for {lasts}: {}",
                silence.reason
            ));
        }
        let before = told.len();
        told.retain(|line| silences.iter().any(|silence| silence.line == *line));
        if told.len() < before {
            view.say("calls are answered again");
        }
    }
}

fn stopped(error: Error, ready: &Ready, folder: &RunFolder) -> Failure {
    let resume = format!("go on with `{}`", ready.resume);
    let folder = folder.root().display();
    match error {
        Error::Interrupted => Failure::Interrupted(format!(
            "interrupted; nothing that was paid for is lost\nhelp: {resume}"
        )),
        Error::Paused { reason } => Failure::Stopped(format!(
            "the run is paused: {reason}\nhelp: mend that, then {resume}"
        )),
        Error::Frozen { reason } => Failure::Stopped(format!(
            "the account is frozen: {reason}\nhelp: look at `gristmill budget {folder}`, then raise or keep the limit with `--raise`, and {resume}"
        )),
        Error::Cancelled => Failure::Stopped("the run was cancelled for good".into()),
        other => Failure::Other(other.into()),
    }
}

/// Waits for Ctrl-C or SIGTERM.
pub(crate) async fn signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}

/// The first signal lets requests in flight finish; the second ends at once.
async fn stop_on_signal(stop: CancellationToken, view: View, resume: String) {
    signal().await;
    view.say(&format!(
        "stopping: requests in flight get {} to finish; press Ctrl-C again to end at once",
        duration(GRACE.as_secs())
    ));
    stop.cancel();
    signal().await;
    view.clear();
    view.say(&format!(
        "interrupted; requests in flight count at their worst case\nhelp: go on with `{resume}`"
    ));
    crate::leave(130)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_that_were_cut_off_are_told_with_what_they_count_at() {
        let told = |calls, usd| {
            let amount = Amount {
                calls,
                usd: MicroUsd(usd),
                ..Amount::ZERO
            };
            format!("{} under way; {}", were(calls), at_worst_case(amount))
        };
        assert_eq!(
            told(67, 55_200),
            "67 calls were under way; they count at their worst case: $0.0552"
        );
        assert_eq!(
            told(1, 0),
            "1 call was under way; it counts against the budget as if answered"
        );
    }
}
