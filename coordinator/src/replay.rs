//! Goes through a run that has ended once more, from what is stored: for its dataset, when that is lost.

use std::sync::Arc;

use gristmill_domain::ledger::Account;
use gristmill_ports::blob::Blobs;
use gristmill_ports::trace::Untraced;
use gristmill_proto::SegmentKind;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::closed::Closed;
use crate::engine::Options;
use crate::journal::Journal;
use crate::{Coordinator, Error, Finished, Progress, RunGauges, SeedStore, Start, Window};

/// How a run that has ended went. Nothing is asked, and nothing is written.
///
/// # Errors
/// [`Error::Unfinished`] and [`Error::ResultsMissing`] where its rows or what they rest on are not all stored; [`Error::Segment`] for
/// what is damaged.
pub async fn replay(
    start: &Start,
    seeds: &SeedStore,
    state: &dyn Blobs,
    account: &Account,
) -> Result<Finished, Error> {
    let setup = start.setup()?;
    let closed = Closed(account.clone());
    let (progress, _unseen) = watch::channel(Progress::default());
    let coordinator = Coordinator {
        setup: &setup,
        seeds,
        ledger: &closed,
        upkeep: None,
        batch_jobs: None,
        queue: &closed,
        blobs: state,
        account: start.account(),
        holder: account.epoch.holder.clone(),
        prices: start.prices(),
        options: Options {
            window: Window::new(1),
            max_attempts: start.job.budget.max_attempts,
            at_risk: start.job.budget.at_risk,
            sweep_every: std::time::Duration::from_secs(1),
            propagator: Arc::new(Untraced),
            gauges: RunGauges::default(),
        },
        rounds: None,
        progress,
        stop: CancellationToken::new(),
    };
    coordinator.run().await
}

/// Reads every segment that a dataset rests on, so that damage is found before anything is written.
///
/// # Errors
/// [`Error::Segment`] for the first that does not match its digest.
pub async fn verify(state: &dyn Blobs) -> Result<(), Error> {
    let journal = Journal::new(state);
    for kind in [SegmentKind::Plans, SegmentKind::Results, SegmentKind::Rows] {
        for name in journal.all_segments(kind).await? {
            journal.check(&name).await?;
        }
    }
    Ok(())
}
