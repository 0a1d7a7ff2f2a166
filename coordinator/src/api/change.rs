//! Orders that change a run: paused, resumed, cancelled, its rows kept.

use gristmill_domain::id::RunId;
use gristmill_ports::ledger::Error as LedgerError;
use gristmill_proto::v1;
use tonic::{Response, Status};

use super::{Api, ledger_status, run_status};
use crate::{Events, RunEvent};

impl Api {
    /// Changes the account of a run that is known and not over, writes the order down, and shows the run after it.
    pub(super) async fn change<F>(
        &self,
        run: &str,
        act: impl FnOnce(RunId) -> F,
    ) -> Result<Response<v1::Run>, Status>
    where
        F: Future<Output = Result<Option<RunEvent>, LedgerError>>,
    {
        let run = self.id_of(run).await?;
        refuse_over(&self.one(run).await?)?;
        match act(run).await {
            Ok(Some(event)) => self.write_down(run, event).await?,
            Ok(None) => {}
            Err(error) => return Err(not_changed(run, &error)),
        }
        self.one(run).await.map(Response::new)
    }

    /// Lets a paused run go on. That is written down before a call may begin: a run that is known to stand still loses nothing by a lost ledger.
    pub(super) async fn lift_pause(&self, run: &str) -> Result<Response<v1::Run>, Status> {
        let id = self.id_of(run).await?;
        let state = (self.services.states)(id);
        let settled = async || {
            let events = Events::load(state.as_ref()).await;
            Ok::<_, Status>(events.map_err(|error| run_status(&error))?.settled().is_some())
        };
        if settled().await? {
            refuse_over(&self.one(id).await?)?;
            self.write_down(id, RunEvent::Resumed).await?;
        }
        let resumed = self
            .change(run, async |run| {
                self.services.ledger.resume(run).await?;
                Ok(Some(RunEvent::Resumed))
            })
            .await?;
        Ok(resumed)
    }

    /// Ends a run, and has its accepted rows assembled, also of one that was cancelled before.
    pub(super) async fn cancel_and_keep(&self, run: &str) -> Result<Response<v1::Run>, Status> {
        let run = self.id_of(run).await?;
        let before = self.one(run).await?;
        let cancelled = before.state() == v1::RunState::Cancelled;
        if !cancelled {
            refuse_over(&before)?;
        }
        let has_dataset = !before.dataset.is_empty();
        if cancelled && before.ended_ms.is_some() && self.folder_deleted(run).await? {
            return Err(Status::failed_precondition(format!(
                "nothing of run {run} can be kept: it is cancelled, and {}",
                self.deleted(run)
            )));
        }
        let state = (self.services.states)(run);
        let events = Events::load(state.as_ref()).await;
        if !has_dataset && !events.map_err(|error| run_status(&error))?.keeps_rows() {
            // Before it is cancelled: who ends it then looks.
            self.write_down(run, RunEvent::RowsKept).await?;
        }
        if cancelled && before.ended_ms.is_some() {
            return match has_dataset {
                true => Ok(Response::new(before)),
                false => self.take_up(run).await,
            };
        }
        let cancelled = self.services.ledger.cancel(run).await;
        cancelled.map_err(|error| not_changed(run, &error))?;
        self.one(run).await.map(Response::new)
    }

    /// Keeps an order with the run's state, where it outlasts the ledger.
    pub(super) async fn write_down(&self, run: RunId, event: RunEvent) -> Result<(), Status> {
        let state = (self.services.states)(run);
        let written = async {
            let mut events = Events::load(state.as_ref()).await?;
            events.append(state.as_ref(), event).await
        };
        written.await.map_err(|error| run_status(&error))
    }
}

/// Refuses to change a run that is over.
fn refuse_over(run: &v1::Run) -> Result<(), Status> {
    let over = match run.state() {
        v1::RunState::Finished => "is finished",
        v1::RunState::Assembling => "has ended, and its dataset is being written",
        v1::RunState::Cancelled => "is cancelled",
        v1::RunState::Failed => "has failed; submitting it again takes it up",
        v1::RunState::Unspecified
        | v1::RunState::Waiting
        | v1::RunState::Running
        | v1::RunState::Paused
        | v1::RunState::Frozen => return Ok(()),
    };
    Err(Status::failed_precondition(format!(
        "nothing about run {} can be changed: it {over}",
        run.run
    )))
}

/// Why the ledger did not change a run.
fn not_changed(run: RunId, error: &LedgerError) -> Status {
    match error {
        // Entered a moment ago: its first driver opens the account.
        LedgerError::UnknownRun(_) => {
            Status::unavailable(format!("run {run} has not begun yet: try again in a moment"))
        }
        error => ledger_status(error),
    }
}
