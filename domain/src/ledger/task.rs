//! A task and its attempts, as the ledger keeps them.

use serde::{Deserialize, Serialize};

use super::words::{Ending, Fence, Nonce};
use crate::amount::Amount;
use crate::id::TaskId;
use crate::stage::Stage;

/// Where an attempt stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttemptState {
    /// Its worst case is reserved and its request may be on the way.
    Started {
        /// Ledger time at which it burns unless renewed, in milliseconds.
        lease_until_ms: u64,
    },
    /// It cost what it said.
    Settled {
        /// What it cost.
        actual: Amount,
    },
    /// It provably cost nothing.
    Voided,
    /// Its cost is unknown: the worst case counts.
    Burned,
    /// It burned and said later, once, what it cost.
    LateSettled {
        /// What it cost.
        actual: Amount,
    },
}

/// One try at a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// From 1, voided ones included.
    pub number: u32,
    /// The nonce it was granted to.
    pub nonce: Nonce,
    /// What it may cost at worst.
    pub worst: Amount,
    /// Where it stands.
    pub state: AttemptState,
    /// Ledger time of its begin, in milliseconds.
    pub begun_ms: u64,
    /// Ledger time of its end; 0 while it runs.
    pub ended_ms: u64,
    /// Why it was retried, voided or burned, or why it failed; empty when there is nothing to say.
    pub note: String,
    /// What it said it had cost when the run was closed already: the audit record, in no book.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audited: Option<Amount>,
}

impl Attempt {
    /// The fence that was granted for it.
    pub fn fence(&self, task: TaskId) -> Fence {
        Fence {
            task,
            attempt: self.number,
            nonce: self.nonce,
        }
    }

    /// What counts against the budget as reserved.
    pub fn started(&self) -> Amount {
        match self.state {
            AttemptState::Started { .. } => self.worst,
            AttemptState::Settled { .. }
            | AttemptState::Voided
            | AttemptState::Burned
            | AttemptState::LateSettled { .. } => Amount::ZERO,
        }
    }

    /// What counts against the budget as spent.
    pub fn spent(&self) -> Amount {
        match self.state {
            AttemptState::Settled { actual } | AttemptState::LateSettled { actual } => actual,
            AttemptState::Started { .. } | AttemptState::Voided | AttemptState::Burned => Amount::ZERO,
        }
    }

    /// What counts against the budget as burned.
    pub fn burned(&self) -> Amount {
        match self.state {
            AttemptState::Burned => self.worst,
            AttemptState::Started { .. }
            | AttemptState::Settled { .. }
            | AttemptState::Voided
            | AttemptState::LateSettled { .. } => Amount::ZERO,
        }
    }
}

/// How a task ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// With this result.
    Done(Vec<u8>),
    /// Without a result.
    Failed {
        /// Why.
        reason: String,
    },
}

impl Decision {
    /// The kind of ending.
    pub const fn ending(&self) -> Ending {
        match self {
            Self::Done(_) => Ending::Done,
            Self::Failed { .. } => Ending::Failed,
        }
    }
}

/// A task as the state machine sees it: without its payload and its result, which only the store needs to hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// The task.
    pub id: TaskId,
    /// What it asks for.
    pub stage: Stage,
    /// The model it is booked under.
    pub model: String,
    /// Attempts that may cost something, after which it fails.
    pub max_attempts: u32,
    /// Voided attempts after which it fails.
    pub max_voids: u32,
    /// Attempts that were not voided, the running one included.
    pub tries: u32,
    /// Attempts that were voided.
    pub voids: u32,
    /// Ledger time before which it does not begin, in milliseconds.
    pub due_at_ms: u64,
    /// Ledger time before which it is not handed out again, in milliseconds.
    pub handed_until_ms: u64,
    /// Its attempts, in order. At most one of them is started.
    pub attempts: Vec<Attempt>,
    /// How it ended, and its position in the results stream.
    pub decided: Option<(u64, Ending)>,
    /// Its result is safe elsewhere: it goes as soon as nothing runs.
    pub absorbed: bool,
    /// It is gone: the store deletes it and keeps its remnants.
    pub archived: bool,
}

impl Task {
    /// The attempt in flight.
    pub fn running(&self) -> Option<&Attempt> {
        self.attempts
            .iter()
            .find(|attempt| matches!(attempt.state, AttemptState::Started { .. }))
    }

    /// Ledger time at which the attempt in flight burns.
    pub fn lease_until_ms(&self) -> Option<u64> {
        self.attempts.iter().find_map(|attempt| match attempt.state {
            AttemptState::Started { lease_until_ms } => Some(lease_until_ms),
            AttemptState::Settled { .. }
            | AttemptState::Voided
            | AttemptState::Burned
            | AttemptState::LateSettled { .. } => None,
        })
    }

    /// Ledger time from which it may be handed out; `None` while it runs and once it is decided.
    pub fn ready_at_ms(&self) -> Option<u64> {
        (self.decided.is_none() && self.running().is_none()).then(|| self.due_at_ms.max(self.handed_until_ms))
    }

    /// What its resolved attempts count for.
    pub fn cost(&self) -> Amount {
        self.attempts
            .iter()
            .map(|attempt| attempt.spent() + attempt.burned())
            .sum()
    }

    /// What must outlive the task: its burned attempts, since their money may still be corrected, once.
    pub fn remnants(&self) -> Vec<Remnant> {
        let Some((_, ending)) = self.decided else {
            return Vec::new();
        };
        self.attempts
            .iter()
            .filter(|attempt| attempt.state == AttemptState::Burned)
            .map(|attempt| Remnant {
                task: self.id,
                stage: self.stage,
                model: self.model.clone(),
                ending,
                attempt: attempt.clone(),
            })
            .collect()
    }
}

/// A burned attempt of an absorbed task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remnant {
    /// The task that is gone.
    pub task: TaskId,
    /// What it asked for.
    pub stage: Stage,
    /// The model it was booked under.
    pub model: String,
    /// How it ended.
    pub ending: Ending,
    /// The attempt.
    pub attempt: Attempt,
}

/// A task that is to be published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenTask {
    /// The task.
    pub id: TaskId,
    /// What it asks for.
    pub stage: Stage,
    /// Name of the model that will be asked.
    pub model: String,
    /// What the worker needs.
    pub payload: Vec<u8>,
    /// Attempts so far, voided ones included.
    pub attempts: u32,
}

/// An entry of a run's results stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    /// Position in the stream: grows, with gaps where tasks were absorbed.
    pub seq: u64,
    /// The task.
    pub task: TaskId,
    /// What it asked for.
    pub stage: Stage,
    /// The model it was booked under.
    pub model: String,
    /// How it ended.
    pub decision: Decision,
    /// What its resolved attempts count for, burned ones at their worst case; one that still runs is not in it.
    pub cost: Amount,
    /// The log of its attempts, in order.
    pub attempts: Vec<Attempt>,
}
