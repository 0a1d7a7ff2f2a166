//! What a run must not forget besides its rounds: that it ended, that it was reopened, what its budget was set to.
//!
//! The ledger and the register say so too while they last. A cluster's are in Redis, which can be lost as a whole, and what is
//! written here is all that is left then. Events are numbered blobs, `events/N.json`, each created once and never changed: the same on a disk
//! and in object storage, whoever writes them.

use gristmill_domain::amount::Limit;
use gristmill_domain::ledger::{Account, AccountState};
use gristmill_domain::plan::End;
use gristmill_ports::blob::{Blobs, Create};
use gristmill_proto::FormatVersion;
use serde::{Deserialize, Serialize};

use crate::owner::read;
use crate::{Error, Progress};

/// What the names of events begin with.
const PREFIX: &str = "events/";
/// The account of a run that ended under a version that wrote no events.
const ACCOUNT: &str = "account.json";

/// Something that happened to a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum RunEvent {
    /// Its limit was set to this.
    LimitSet {
        /// The limit, absolute.
        limit: Limit,
    },
    /// A person paused it.
    Paused {
        /// Why.
        reason: String,
    },
    /// A person lifted the pause, or a driver saw that it is lifted.
    Resumed,
    /// It stands still, paused or frozen: no call is in flight, what was paid for is stored, and its account was this.
    Settled(Box<Account>),
    /// It ended, and its books were closed.
    Ended(Box<Ended>),
    /// It was reopened: it is planned further from the round after those that it had.
    Reopened {
        /// The limit from then on, absolute.
        limit: Limit,
        /// Rounds that were planned before.
        rounds: u32,
    },
    /// A coordinator took it up whose register knew nothing of it.
    Adopted,
    /// A person cancelled it, and wants the rows that it had accepted as a dataset.
    RowsKept,
}

/// An event as it is stored.
#[derive(Serialize, Deserialize)]
struct Stored<E> {
    #[serde(default)]
    format: FormatVersion<1>,
    #[serde(flatten)]
    event: E,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ended {
    /// Why; `None` when it was cancelled.
    pub end: Option<End>,
    /// Its account, closed.
    pub account: Account,
    /// What could be seen of it last.
    pub progress: Progress,
}

impl Ended {
    /// What could be seen of the run last, as it is to be shown of one that has ended, whichever version wrote it down.
    pub fn last_seen(&self) -> Progress {
        let mut progress = self.progress.clone();
        progress.close();
        progress.end = self.end.as_ref().unwrap_or(&End::Cancelled).to_string();
        progress
    }
}

/// What happened to a run, in order.
#[derive(Debug, Clone, Default)]
pub struct Events {
    list: Vec<RunEvent>,
    /// The account of a run that ended before events were written.
    archived: Option<Box<Account>>,
}

impl Events {
    /// Reads what is stored.
    ///
    /// # Errors
    /// [`Error::Blob`], and [`Error::Event`] for one that cannot be read.
    pub async fn load(state: &dyn Blobs) -> Result<Self, Error> {
        let mut events = Self::default();
        for name in state.list(PREFIX).await? {
            let bytes = state.read(&name).await?;
            let stored: Stored<RunEvent> =
                serde_json::from_slice(&bytes).map_err(|source| Error::Event { name, source })?;
            events.list.push(stored.event);
        }
        let says = |event: &RunEvent| matches!(event, RunEvent::Ended(_) | RunEvent::Reopened { .. });
        if !events.list.iter().any(says)
            && let Some(bytes) = read(state, ACCOUNT).await?
        {
            let name = ACCOUNT.to_owned();
            events.archived =
                Some(serde_json::from_slice(&bytes).map_err(|source| Error::Event { name, source })?);
        }
        Ok(events)
    }

    /// Writes an event down after those that are there.
    ///
    /// # Errors
    /// [`Error::Blob`].
    pub async fn append(&mut self, state: &dyn Blobs, event: RunEvent) -> Result<(), Error> {
        let bytes = serde_json::to_vec(&Stored {
            format: FormatVersion,
            event: &event,
        })?;
        loop {
            let name = format!("{PREFIX}{:08}.json", self.list.len());
            match state.create(&name, bytes.clone()).await? {
                Create::Created => {
                    self.list.push(event);
                    return Ok(());
                }
                // Written by another since: it comes after that one.
                Create::Exists => {
                    let archived = self.archived.take();
                    *self = Self::load(state).await?;
                    self.archived = archived;
                }
            }
        }
    }

    /// Writes an event down if it is the next one; whether it was. Another writer's, which this one knows nothing of, stays the last.
    ///
    /// # Errors
    /// [`Error::Blob`].
    pub(crate) async fn append_next(&mut self, state: &dyn Blobs, event: RunEvent) -> Result<bool, Error> {
        let bytes = serde_json::to_vec(&Stored {
            format: FormatVersion,
            event: &event,
        })?;
        let name = format!("{PREFIX}{:08}.json", self.list.len());
        let created = state.create(&name, bytes).await? == Create::Created;
        if created {
            self.list.push(event);
        }
        Ok(created)
    }

    /// Writes down how a run has ended, unless that is there already. True where it was not: each end is written down once.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub async fn record_end(state: &dyn Blobs, ended: Ended) -> Result<bool, Error> {
        let mut events = Self::load(state).await?;
        if events.ended().is_some() {
            return Ok(false);
        }
        events.append(state, RunEvent::Ended(Box::new(ended))).await?;
        Ok(true)
    }

    /// How the run ended, unless it was reopened since.
    pub fn ended(&self) -> Option<&Ended> {
        self.list.iter().rev().find_map(|event| match event {
            RunEvent::Ended(ended) => Some(Some(&**ended)),
            RunEvent::Reopened { .. } => Some(None),
            _ => None,
        })?
    }

    /// The limit with which the run was reopened and the rounds that it had, until it ends again.
    pub fn reopened(&self) -> Option<(Limit, u32)> {
        self.list.iter().rev().find_map(|event| match event {
            RunEvent::Reopened { limit, rounds } => Some(Some((*limit, *rounds))),
            RunEvent::Ended(_) => Some(None),
            _ => None,
        })?
    }

    /// Each time that the run was reopened: the rounds that it had, and the limit from then on.
    pub fn reopenings(&self) -> impl Iterator<Item = (u32, Limit)> {
        self.list.iter().filter_map(|event| match event {
            RunEvent::Reopened { limit, rounds } => Some((*rounds, *limit)),
            _ => None,
        })
    }

    /// The account of an ended run, as it was closed; also of one that ended under a version that wrote no events.
    pub fn account(&self) -> Option<&Account> {
        let archived = self.archived.as_deref();
        self.ended().map(|ended| &ended.account).or(archived)
    }

    /// The account of a run as it was last closed, also where it was reopened since.
    #[cfg(feature = "api")]
    pub(crate) fn last_account(&self) -> Option<&Account> {
        let ended = self.list.iter().rev().find_map(|event| match event {
            RunEvent::Ended(ended) => Some(&ended.account),
            _ => None,
        });
        ended.or(self.archived.as_deref())
    }

    /// The account of a run that was reopened, as it is until its books are: as they were closed, under the new limit.
    #[cfg(feature = "api")]
    pub(crate) fn reopened_account(&self) -> Option<Account> {
        let (limit, _) = self.reopened()?;
        Some(Account {
            limit,
            state: AccountState::Active,
            ..self.last_account()?.clone()
        })
    }

    /// True for a run that has ended and was not reopened.
    pub fn over(&self) -> bool {
        self.account().is_some()
    }

    /// True for a run that has ended, also where it was reopened since.
    #[cfg(feature = "api")]
    pub(crate) fn has_ended(&self) -> bool {
        self.over() || self.reopened().is_some()
    }

    /// The limit that the run was last given, where that was after its start.
    pub fn limit(&self) -> Option<Limit> {
        self.list.iter().rev().find_map(|event| match event {
            RunEvent::LimitSet { limit } | RunEvent::Reopened { limit, .. } => Some(*limit),
            _ => None,
        })
    }

    /// Why a person has paused the run, until it is resumed.
    pub fn paused(&self) -> Option<&str> {
        self.list.iter().rev().find_map(|event| match event {
            RunEvent::Paused { reason } => Some(Some(reason.as_str())),
            RunEvent::Resumed => Some(None),
            _ => None,
        })?
    }

    /// The largest limit that the run ever had, on each axis; it began with `first`.
    pub(crate) fn largest_limit(&self, first: Limit) -> Limit {
        let set = self.list.iter().filter_map(|event| match event {
            RunEvent::LimitSet { limit } | RunEvent::Reopened { limit, .. } => Some(*limit),
            _ => None,
        });
        // No limit is more than any.
        set.fold(first, |largest, limit| Limit {
            usd: largest.usd.zip(limit.usd).map(|(a, b)| a.max(b)),
            calls: largest.calls.zip(limit.calls).map(|(a, b)| a.max(b)),
        })
    }

    /// The account of a run that stands still with nothing in flight, as it was written down then; `None` once a call may have begun since.
    pub(crate) fn settled(&self) -> Option<&Account> {
        let (at, account) = self
            .list
            .iter()
            .enumerate()
            .rev()
            .find_map(|(at, event)| match event {
                RunEvent::Settled(account) => Some((at, &**account)),
                _ => None,
            })?;
        let may_begin = |event: &RunEvent| match event {
            RunEvent::Resumed | RunEvent::Ended(_) | RunEvent::Reopened { .. } => true,
            // A person who sets a limit lifts a freeze by it, and no pause.
            RunEvent::LimitSet { .. } => matches!(account.state, AccountState::Frozen { .. }),
            RunEvent::Paused { .. } | RunEvent::Settled(_) | RunEvent::Adopted | RunEvent::RowsKept => false,
        };
        (!self.list[at + 1..].iter().any(may_begin)).then_some(account)
    }

    /// True where a person wants the accepted rows of the run as a dataset, though it is cancelled.
    pub fn keeps_rows(&self) -> bool {
        self.list.contains(&RunEvent::RowsKept)
    }

    /// True where the run was found in the store by a coordinator whose register knew nothing of it.
    pub fn adopted(&self) -> bool {
        self.list.contains(&RunEvent::Adopted)
    }

    /// True where that was the last thing that happened to it.
    pub fn just_adopted(&self) -> bool {
        self.list.last() == Some(&RunEvent::Adopted)
    }
}

#[cfg(test)]
mod tests {
    use gristmill_blob::LocalBlobs;
    use gristmill_domain::id::RunId;
    use gristmill_ports::ledger::NewAccount;

    use super::*;

    fn calls(calls: u64) -> Limit {
        Limit {
            usd: None,
            calls: Some(calls),
        }
    }

    fn ended(limit: u64, end: Option<End>) -> RunEvent {
        let account = Account::new(NewAccount {
            run: RunId::of(&[b"run"]),
            limit: calls(limit),
            price_hash: "p".to_owned(),
            lease_ms: 1,
            republish_ms: 1,
        });
        RunEvent::Ended(Box::new(Ended {
            end,
            account,
            progress: Progress::default(),
        }))
    }

    #[tokio::test]
    async fn events_bear_their_format_and_those_of_a_newer_one_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let state = LocalBlobs::new(folder.path());
        let first = br#"{"event":"limit_set","limit":{"usd_micros":null,"calls":5}}"#;
        state
            .create("events/00000000.json", first.to_vec())
            .await
            .unwrap();
        let mut events = Events::load(&state).await.unwrap();
        assert_eq!(events.limit(), Some(calls(5)), "an event of the first versions");
        events.append(&state, RunEvent::Resumed).await.unwrap();
        let stored = state.read("events/00000001.json").await.unwrap();
        assert_eq!(stored, br#"{"format":1,"event":"resumed"}"#);
        let newer = br#"{"format":2,"event":"resumed"}"#;
        state
            .create("events/00000002.json", newer.to_vec())
            .await
            .unwrap();
        let refused = Events::load(&state).await.unwrap_err();
        assert!(matches!(refused, Error::Event { .. }), "{refused}");
    }

    #[tokio::test]
    async fn what_is_written_last_holds_and_two_writers_lose_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let state = LocalBlobs::new(folder.path());
        let mut one = Events::load(&state).await.unwrap();
        let mut other = one.clone();
        assert!(!one.over() && one.limit().is_none() && one.paused().is_none());
        one.append(&state, RunEvent::LimitSet { limit: calls(5) })
            .await
            .unwrap();
        let paused = RunEvent::Paused {
            reason: "lunch".to_owned(),
        };
        other.append(&state, paused).await.unwrap();
        assert_eq!((other.limit(), other.paused()), (Some(calls(5)), Some("lunch")));
        other.append(&state, RunEvent::Resumed).await.unwrap();
        assert_eq!(other.paused(), None);
        other
            .append(&state, ended(5, Some(End::BudgetSpent)))
            .await
            .unwrap();
        assert_eq!(other.ended().unwrap().end, Some(End::BudgetSpent));
        let reopened = RunEvent::Reopened {
            limit: calls(9),
            rounds: 3,
        };
        other.append(&state, reopened).await.unwrap();
        assert!(!other.over());
        assert_eq!(
            (other.reopened(), other.limit()),
            (Some((calls(9), 3)), Some(calls(9)))
        );
        other.append(&state, ended(9, None)).await.unwrap();
        let read = Events::load(&state).await.unwrap();
        assert_eq!((read.reopened(), read.reopenings().count()), (None, 1));
        assert_eq!(read.account().unwrap().limit, calls(9));
        assert_eq!(read.ended().unwrap().end, None, "cancelled");
        assert_eq!(read.largest_limit(calls(7)), calls(9));
        assert_eq!(read.largest_limit(calls(12)), calls(12));
    }

    #[tokio::test]
    async fn each_end_is_written_down_once_whoever_comes_to_it() {
        let folder = tempfile::tempdir().unwrap();
        let state = LocalBlobs::new(folder.path());
        let end = |limit, end| match ended(limit, end) {
            RunEvent::Ended(ended) => *ended,
            _ => unreachable!(),
        };
        let record = async |ended| Events::record_end(&state, ended).await.unwrap();
        assert!(record(end(5, Some(End::BudgetSpent))).await);
        assert!(
            !record(end(5, Some(End::BudgetSpent))).await,
            "another coordinator"
        );
        let mut events = Events::load(&state).await.unwrap();
        let reopened = RunEvent::Reopened {
            limit: calls(9),
            rounds: 1,
        };
        events.append(&state, reopened).await.unwrap();
        assert!(record(end(9, None)).await, "it has ended once more");
        assert!(!record(end(9, Some(End::BudgetSpent))).await);
        let events = Events::load(&state).await.unwrap();
        assert_eq!(events.ended().unwrap().end, None, "the first word holds");
    }

    #[tokio::test]
    async fn a_run_that_stands_still_is_settled_until_a_call_may_begin() {
        let folder = tempfile::tempdir().unwrap();
        let state = LocalBlobs::new(folder.path());
        let RunEvent::Ended(ended) = ended(5, None) else {
            unreachable!()
        };
        let settled = |stands: AccountState| {
            RunEvent::Settled(Box::new(Account {
                state: stands,
                ..ended.account.clone()
            }))
        };
        let paused = || AccountState::Paused {
            reason: "lunch".to_owned(),
        };
        let frozen = || AccountState::Frozen {
            reason: "dear".to_owned(),
            shaken: false,
            paused: None,
        };
        let mut events = Events::default();
        assert!(events.settled().is_none());
        assert!(events.append_next(&state, settled(paused())).await.unwrap());
        let limit = || RunEvent::LimitSet { limit: calls(9) };
        for harmless in [limit(), RunEvent::Adopted, RunEvent::RowsKept] {
            events.append(&state, harmless).await.unwrap();
            assert!(Events::load(&state).await.unwrap().settled().is_some());
        }
        let mut behind = events.clone();
        events.append(&state, RunEvent::Resumed).await.unwrap();
        assert!(events.settled().is_none(), "calls may begin");
        assert!(
            !behind.append_next(&state, settled(paused())).await.unwrap(),
            "whoever has not seen that it was resumed does not say that it stands still"
        );
        assert!(Events::load(&state).await.unwrap().settled().is_none());
        events.append(&state, settled(frozen())).await.unwrap();
        assert!(events.settled().is_some());
        events.append(&state, limit()).await.unwrap();
        assert!(events.settled().is_none(), "a limit that is set lifts a freeze");
    }

    #[tokio::test]
    async fn a_run_that_ended_before_events_were_written_is_known_by_its_account() {
        let folder = tempfile::tempdir().unwrap();
        let state = LocalBlobs::new(folder.path());
        let RunEvent::Ended(old) = ended(7, None) else {
            unreachable!()
        };
        let account = serde_json::to_vec(&old.account).unwrap();
        state.create(ACCOUNT, account).await.unwrap();
        let mut events = Events::load(&state).await.unwrap();
        assert!(events.over() && events.ended().is_none());
        events.append(&state, RunEvent::Adopted).await.unwrap();
        let mut events = Events::load(&state).await.unwrap();
        assert!(
            events.over() && events.adopted(),
            "other events do not open its books"
        );
        let reopened = RunEvent::Reopened {
            limit: calls(8),
            rounds: 1,
        };
        events.append(&state, reopened).await.unwrap();
        assert!(!Events::load(&state).await.unwrap().over(), "reopened since");
    }
}
