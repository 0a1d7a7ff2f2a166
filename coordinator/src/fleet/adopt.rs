//! Runs that the store holds and the register has lost.
//!
//! All that the register and the ledger know is found again in the store: what a run was started with, what was paid, how it ended. Whoever
//! drives an adopted run rebuilds its books from what is stored, as after any other loss.

use std::time::Duration;

use gristmill_domain::id::RunId;
use gristmill_ports::blob::Blobs;
use gristmill_ports::register::{Ending, Submitted};

use super::Services;
use crate::error::told;
use crate::events::{Events, RunEvent};
use crate::last_end::is_of_last_end;
use crate::owner::{self, Owner, START, read};
use crate::{Error, Progress, Start, meter};

/// What an adopted run says of itself, until it has stored results again.
const ALERT: &str = "the register had lost this run: it was found in the store and taken up again, its books rebuilt from what is stored";
/// In the store while its runs are adopted: the first of them makes the register one that is not empty.
const UNDER_WAY: &str = "adopting";
/// Written once all seeds of a run are stored.
const SEEDS: &str = "seeds/complete.json";

/// What is to be seen of a run that is taken up: of what was seen last, that which it has not got over yet.
pub(super) fn taken_up(events: &Events, last: Option<Progress>) -> Progress {
    let adopted = events.just_adopted().then(|| ALERT.to_owned());
    let last = last.unwrap_or_else(|| Progress {
        alerts: adopted.into_iter().collect(),
        ..Progress::default()
    });
    let told_before = (last.decided.max(last.settled) > 0).then(|| Box::new(last.clone()));
    Progress {
        alerts: last.alerts,
        stopped: last.stopped,
        cancelled: last.cancelled,
        told_before,
        ..Progress::default()
    }
}

/// What became of a run that the store holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Adoption {
    /// The register knows it.
    Known,
    /// It was entered, and goes on.
    GoesOn,
    /// It was entered as ended.
    Ended(Ending),
    /// It cannot be entered.
    Refused(String),
}

impl Adoption {
    /// True when the register did not know it before.
    pub(crate) fn is_new(&self) -> bool {
        matches!(self, Self::GoesOn | Self::Ended(_))
    }
}

impl std::fmt::Display for Adoption {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Known => f.write_str("known"),
            Self::GoesOn => f.write_str("adopted"),
            Self::Ended(Ending::Finished) => f.write_str("adopted as finished"),
            Self::Ended(Ending::Cancelled) => f.write_str("adopted as cancelled"),
            Self::Ended(Ending::Failed { reason }) => write!(f, "adopted as failed: {reason}"),
            Self::Refused(reason) => write!(f, "not adopted: {reason}"),
        }
    }
}

/// Why a run could not be looked at.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AdoptError {
    #[error(transparent)]
    State(#[from] Error),
    #[error(transparent)]
    Register(#[from] gristmill_ports::register::Error),
}

impl From<gristmill_ports::blob::Error> for AdoptError {
    fn from(error: gristmill_ports::blob::Error) -> Self {
        Self::State(error.into())
    }
}

impl Services {
    /// Runs that the store holds.
    pub(crate) async fn stored_runs(&self) -> Result<Vec<RunId>, AdoptError> {
        let folders = self.root.folders().await?;
        Ok(folders.iter().filter_map(|name| name.parse().ok()).collect())
    }

    /// True where a run's dataset is whole and of the run's last end: its manifest is written last.
    pub(crate) async fn assembled(&self, run: RunId) -> Result<bool, Error> {
        // A dataset, or the result of an evaluation.
        for name in [
            format!("{run}/dataset/manifest.json"),
            format!("{run}/result/evaluation.json"),
        ] {
            let Some(made) = read(self.root.as_ref(), &name).await? else {
                continue;
            };
            let events = Events::load((self.states)(run).as_ref()).await?;
            // One that cannot be read is damaged, and was written whole: it is not replaced unasked.
            let made = serde_json::from_slice(&made).ok();
            if made.is_none_or(|made| is_of_last_end(&made, &events)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Enters a run that the store holds, unless the register knows it.
    pub(crate) async fn adopt(
        &self,
        run: RunId,
        holder: &str,
        lease: Duration,
    ) -> Result<Adoption, AdoptError> {
        if self.register.get(run).await?.is_some() {
            return Ok(Adoption::Known);
        }
        let state = (self.states)(run);
        let start = match startable(state.as_ref(), run).await? {
            Ok(start) => start,
            Err(reason) => return Ok(Adoption::Refused(reason)),
        };
        let (spec, start) = start;
        match self.register.submit(start.entry(spec)).await? {
            Submitted::Created => {}
            // Another coordinator was faster.
            Submitted::Known => return Ok(Adoption::Known),
            Submitted::KeyTaken(other) => {
                return Ok(Adoption::Refused(format!(
                    "its id is the request id of run {other}"
                )));
            }
        }
        let mut events = Events::load(state.as_ref()).await?;
        events.append(state.as_ref(), RunEvent::Adopted).await?;
        meter::adopted();
        tracing::error!(%run, "the register had lost a run that the store holds: it is adopted");
        Ok(match self.end_adopted(run, &events, holder, lease).await? {
            Some(ending) => Adoption::Ended(ending),
            None => Adoption::GoesOn,
        })
    }

    /// Registers a run as ended whose store says so; without a dataset it is left to a driver, which assembles it.
    async fn end_adopted(
        &self,
        run: RunId,
        events: &Events,
        holder: &str,
        lease: Duration,
    ) -> Result<Option<Ending>, AdoptError> {
        let Some(ended) = events.ended() else {
            return Ok(None);
        };
        let ending = match ended.end {
            None if events.keeps_rows() && !self.assembled(run).await? => return Ok(None),
            None => Ending::Cancelled,
            Some(_) if self.assembled(run).await? => Ending::Finished,
            Some(_) => return Ok(None),
        };
        if !self.register.claim(run, holder, lease).await? {
            return Ok(None);
        }
        let report = ended.last_seen().report().map_err(Error::from)?;
        self.register.report(run, holder, report).await?;
        let ended = self.register.end(run, holder, ending.clone()).await?;
        Ok(ended.then_some(ending))
    }

    /// Enters the runs of the store where the register knows none: it was lost with all of Redis. `unfinished`: also where an adoption broke off
    /// half-way.
    pub(crate) async fn adopt_forgotten(
        &self,
        holder: &str,
        lease: Duration,
        unfinished: bool,
    ) -> Result<Vec<(RunId, Adoption)>, AdoptError> {
        let empty = self.register.list(0, 1).await?.is_empty();
        let broken = unfinished && !self.root.list(UNDER_WAY).await?.is_empty();
        if !empty && !broken || self.stored_runs().await?.is_empty() {
            return Ok(Vec::new());
        }
        self.root.create(UNDER_WAY, Vec::new()).await?;
        let adopted = self.adopt_all(holder, lease).await?;
        self.root.remove(UNDER_WAY).await?;
        Ok(adopted)
    }

    /// Enters all runs that the store holds and the register does not know. One that cannot be looked at does not keep the others.
    pub(crate) async fn adopt_all(
        &self,
        holder: &str,
        lease: Duration,
    ) -> Result<Vec<(RunId, Adoption)>, AdoptError> {
        let mut adopted = Vec::new();
        for run in self.stored_runs().await? {
            let adoption = match self.adopt(run, holder, lease).await {
                Ok(adoption) => adoption,
                Err(AdoptError::State(error)) => Adoption::Refused(told(&error)),
                Err(error) => return Err(error),
            };
            adopted.push((run, adoption));
        }
        Ok(adopted)
    }
}

/// What a run of the store is started with, in bytes and read; or why it cannot be driven.
async fn startable(state: &dyn Blobs, run: RunId) -> Result<Result<(Vec<u8>, Start), String>, Error> {
    let refused = |reason: &str| Ok(Err(reason.to_owned()));
    let Some(spec) = read(state, START).await? else {
        return refused("it was never submitted whole: submit its job again");
    };
    let start: Start = match serde_json::from_slice(&spec) {
        Ok(start) => start,
        Err(error) => {
            return refused(&format!(
                "`{START}` cannot be read: {error}: submit its job again"
            ));
        }
    };
    if start.run != run {
        return refused(&format!(
            "its folder holds run {}: name the folder by that",
            start.run
        ));
    }
    if owner::owner(state).await? != Some(Owner::Cluster) {
        return refused("one machine keeps its books: resume it there with `gristmill run`");
    }
    if state.list(SEEDS).await?.is_empty() {
        return refused("its seeds are not all stored: submit its job again");
    }
    Ok(Ok((spec, start)))
}

#[cfg(test)]
mod tests {
    use gristmill_blob::LocalBlobs;

    use super::*;

    #[tokio::test]
    async fn an_adopted_run_says_so_until_it_has_got_over_it() {
        let folder = tempfile::tempdir().unwrap();
        let state = LocalBlobs::new(folder.path());
        let mut events = Events::default();
        assert_eq!(taken_up(&events, None), Progress::default());
        events.append(&state, RunEvent::Adopted).await.unwrap();
        let mut seen = taken_up(&events, None);
        assert_eq!(seen.alerts, [ALERT]);
        assert_eq!(
            taken_up(&events, Some(seen.clone())).alerts,
            [ALERT],
            "its driver has changed"
        );
        assert!(seen.recover() && !seen.recover());
        assert_eq!(taken_up(&events, Some(seen)), Progress::default());
    }
}
