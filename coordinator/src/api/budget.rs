//! A run's limit set by a person, also of a run that has ended: that takes it up again.

use gristmill_domain::amount::{Amount, Limit};
use gristmill_domain::id::RunId;
use gristmill_domain::ledger::Account;
use gristmill_ports::ledger::{Error as LedgerError, Raise};
use gristmill_ports::register::Ending;
use gristmill_proto::v1;
use tonic::{Response, Status};

use super::{Api, ledger_status, register_status, run_status};
use crate::owner::START;
use crate::reopen::{more_may_help, reopen};
use crate::{Events, RunEvent, Start};

impl Api {
    /// Sets a run's limit, absolute, if the present one is as expected.
    pub(super) async fn set_limit(
        &self,
        wanted: v1::RaiseBudgetRequest,
    ) -> Result<Response<v1::Run>, Status> {
        let run = self.id_of(&wanted.run).await?;
        if wanted.request_id.is_empty() {
            return Err(Status::invalid_argument(
                "`request_id` is missing: it makes a raise safe to send again",
            ));
        }
        let limit_of = |limit: Option<v1::Limit>| Limit::from(limit.unwrap_or_default());
        let (expected, limit) = (limit_of(wanted.expected), limit_of(wanted.limit));
        self.refuse_ended(run).await?;
        let state = (self.services.states)(run);
        let events = Events::load(state.as_ref()).await.map_err(|e| run_status(&e))?;
        if let Some(account) = events.account() {
            let current = account.clone();
            return self.reopen(run, events, &current, expected, limit).await;
        }
        let ledger = &self.services.ledger;
        match ledger.raise(run, &wanted.request_id, expected, limit).await {
            Ok(Raise::Raised | Raise::Already) => {}
            Ok(Raise::Mismatch { .. }) => return Err(another_limit()),
            Ok(Raise::BelowUsed { used }) => return Err(below_used(used)),
            // Reopened with this limit a moment ago: its driver opens the books.
            Ok(Raise::Closed) | Err(LedgerError::UnknownRun(_))
                if events.reopened().is_some() && events.limit() == Some(limit) =>
            {
                return self.take_up(run).await;
            }
            Ok(Raise::Closed) => {
                return Err(Status::unavailable(format!(
                    "the books of run {run} are being opened or closed: try again in a moment"
                )));
            }
            Err(error) => return Err(ledger_status(&error)),
        }
        self.write_down(run, RunEvent::LimitSet { limit }).await?;
        // Setting a limit is a person's word that the books were looked at.
        ledger
            .unfreeze(run)
            .await
            .map_err(|error| ledger_status(&error))?;
        self.one(run).await.map(Response::new)
    }

    /// Refuses a run that no budget takes up again: one that was cancelled, or whose folder is gone.
    async fn refuse_ended(&self, run: RunId) -> Result<(), Status> {
        let entry = self.services.register.get(run).await;
        let entry = entry.map_err(|error| register_status(&error))?;
        match entry.and_then(|entry| entry.ending) {
            Some(Ending::Cancelled) => Err(cancelled(run)),
            Some(Ending::Finished) if self.folder_deleted(run).await? => {
                Err(Status::failed_precondition(format!(
                    "nothing about run {run} can be changed: it is finished, and {}",
                    self.deleted(run)
                )))
            }
            Some(Ending::Finished | Ending::Failed { .. }) | None => Ok(()),
        }
    }

    /// Takes a run up again that has ended, with a larger limit.
    async fn reopen(
        &self,
        run: RunId,
        mut events: Events,
        account: &Account,
        expected: Limit,
        limit: Limit,
    ) -> Result<Response<v1::Run>, Status> {
        let ended = events.ended();
        if ended.is_some_and(|ended| ended.end.is_none()) {
            return Err(cancelled(run));
        }
        if let Some(end) = ended.and_then(|ended| ended.end.as_ref())
            && !more_may_help(Some(end))
        {
            return Err(Status::failed_precondition(format!(
                "run {run} has ended, and a larger budget would bring no further row: {end}"
            )));
        }
        let used = account.total().used();
        if account.limit != expected {
            return Err(another_limit());
        }
        if !limit.covers(used) {
            return Err(below_used(used));
        }
        if limit == account.limit {
            return self.one(run).await.map(Response::new);
        }
        let state = (self.services.states)(run);
        let reopened = reopen(state.as_ref(), &mut events, limit).await;
        reopened.map_err(|error| run_status(&error))?;
        tracing::info!(%run, %limit, "reopened with a larger limit");
        self.take_up(run).await
    }

    /// Has a run driven again that has ended, because there is more to do for it.
    pub(super) async fn take_up(&self, run: RunId) -> Result<Response<v1::Run>, Status> {
        let spec = match self.services.register.spec(run).await {
            Ok(Some(spec)) => spec,
            Ok(None) => {
                let state = (self.services.states)(run);
                state.read(START).await.map_err(|e| run_status(&e.into()))?
            }
            Err(error) => return Err(register_status(&error)),
        };
        let start: Start =
            serde_json::from_slice(&spec).map_err(|error| Status::internal(error.to_string()))?;
        let entered = self.services.register.reopen(start.entry(spec)).await;
        entered.map_err(|error| register_status(&error))?;
        self.one(run).await.map(Response::new)
    }
}

fn cancelled(run: RunId) -> Status {
    Status::failed_precondition(format!("run {run} is cancelled: nothing about it can be changed"))
}

fn another_limit() -> Status {
    Status::aborted("the limit is another one by now: look again with `gristmill budget`")
}

fn below_used(used: Amount) -> Status {
    Status::failed_precondition(format!(
        "{} are used already: a limit cannot go below that",
        used.in_words()
    ))
}
