//! From opened to started: open, hand out, defer, begin, renew, lend.

use super::Transition;
use super::account::{Account, AccountState, Books};
use super::task::{Attempt, AttemptState, Task};
use super::words::{Begin, Ending, Fence, NewTask, Nonce, Open, Purse};
use crate::amount::{Amount, Limit};

impl Account {
    /// Whether tasks may be opened now; `Opened` with nothing fresh when they may.
    pub fn may_open(&self) -> Open {
        match self.state {
            AccountState::Active => Open::Opened { fresh: 0 },
            AccountState::Paused { .. } => Open::Paused,
            AccountState::Frozen { .. } => Open::Frozen,
            AccountState::Cancelled => Open::Cancelled,
            AccountState::Closed => Open::Closed,
        }
    }

    /// Opens a task that the store does not know; see [`Self::may_open`].
    pub fn open(&mut self, task: &NewTask) -> Task {
        let counts = self.counts.entry(task.stage).or_default();
        counts.planned += 1;
        counts.open += 1;
        Task {
            id: task.id,
            stage: task.stage,
            model: task.model.clone(),
            max_attempts: task.max_attempts,
            max_voids: task.max_voids,
            tries: 0,
            voids: 0,
            due_at_ms: 0,
            handed_until_ms: 0,
            attempts: Vec::new(),
            decided: None,
            absorbed: false,
            archived: false,
        }
    }

    /// Hands a task out for publishing, if it is ready; then not again within the republish interval.
    pub fn hand_out(&mut self, now_ms: u64, task: &mut Task) -> bool {
        let now_ms = self.tick(now_ms);
        let ready = self.state == AccountState::Active && task.ready_at_ms().is_some_and(|at| at <= now_ms);
        if ready {
            task.handed_until_ms = now_ms.saturating_add(self.republish_ms);
        }
        ready
    }

    /// Puts an idle, undecided task off: it is neither begun nor handed out before, and is handed out then.
    pub fn defer(&mut self, now_ms: u64, task: &mut Task, wait_ms: u64) {
        let now_ms = self.tick(now_ms);
        if task.ready_at_ms().is_some() {
            task.due_at_ms = task.due_at_ms.max(now_ms.saturating_add(wait_ms));
            task.handed_until_ms = 0;
        }
    }

    /// Reserves the worst case and starts an attempt, or says why not.
    ///
    /// A halted account answers before a nonce is recognised: after a cancel is acknowledged no grant is handed out, not even one
    /// whose first reply was lost. That attempt burns with its lease.
    pub fn begin(&mut self, now_ms: u64, task: &mut Task, nonce: Nonce, worst: Amount) -> Transition<Begin> {
        let now_ms = self.tick(now_ms);
        if let Some(refusal) = self.refuses(task) {
            return Transition::plain(refusal);
        }
        let mut decision = None;
        if let Some(running) = task.running() {
            let until_ms = task.lease_until_ms().unwrap_or(now_ms);
            if until_ms > now_ms {
                return Transition::plain(if running.nonce == nonce {
                    Begin::Granted {
                        fence: running.fence(task.id),
                        lease_until_ms: until_ms,
                    }
                } else {
                    Begin::Busy { until_ms }
                });
            }
            decision = self.lapse(now_ms, task);
        }
        let reply = match self.refuses(task) {
            Some(refusal) => refusal,
            None => self.start(now_ms, task, nonce, worst),
        };
        Transition { reply, decision }
    }

    /// Extends an attempt's lease. `false` when it is no longer in flight.
    pub fn renew(&mut self, now_ms: u64, task: &mut Task, fence: Fence) -> bool {
        self.lend(now_ms, task, fence, self.lease_ms)
    }

    /// Extends an attempt's lease to this long from now, if it does not last longer already. `false` when it is no longer in flight.
    pub fn lend(&mut self, now_ms: u64, task: &mut Task, fence: Fence, lease_ms: u64) -> bool {
        let now_ms = self.tick(now_ms);
        let Some(attempt) = find(task, fence) else {
            return false;
        };
        match &mut attempt.state {
            AttemptState::Started { lease_until_ms } => {
                *lease_until_ms = (*lease_until_ms).max(now_ms.saturating_add(lease_ms));
                true
            }
            AttemptState::Settled { .. }
            | AttemptState::Voided
            | AttemptState::Burned
            | AttemptState::LateSettled { .. } => false,
        }
    }

    /// Why nothing of this task may begin, whoever asks.
    fn refuses(&self, task: &Task) -> Option<Begin> {
        if self.state == AccountState::Closed {
            return Some(Begin::Closed);
        }
        match task.decided {
            Some((_, Ending::Done)) => return Some(Begin::AlreadySettled),
            Some((_, Ending::Failed)) => return Some(Begin::Failed),
            None => {}
        }
        match self.state {
            AccountState::Active => None,
            AccountState::Paused { .. } => Some(Begin::Paused),
            AccountState::Frozen { .. } => Some(Begin::Frozen),
            AccountState::Cancelled => Some(Begin::Cancelled),
            AccountState::Closed => Some(Begin::Closed),
        }
    }

    /// Starts an attempt of an idle, undecided task.
    fn start(&mut self, now_ms: u64, task: &mut Task, nonce: Nonce, worst: Amount) -> Begin {
        // A nonce that had its attempt gets no second one: its holder is late, and the task is due for another delivery.
        let worn = task.attempts.iter().any(|attempt| attempt.nonce == nonce);
        if worn || task.due_at_ms > now_ms {
            return Begin::NotDue {
                until_ms: task.due_at_ms.max(now_ms),
            };
        }
        if let Some(refusal) = self.shortage(task, worst) {
            return refusal;
        }
        let lease_until_ms = now_ms.saturating_add(self.lease_ms);
        let attempt = Attempt {
            number: task.attempts.last().map_or(1, |last| last.number + 1),
            nonce,
            worst,
            state: AttemptState::Started { lease_until_ms },
            begun_ms: now_ms,
            ended_ms: 0,
            note: String::new(),
            audited: None,
        };
        let fence = attempt.fence(task.id);
        task.attempts.push(attempt);
        task.tries += 1;
        self.counts.entry(task.stage).or_default().running += 1;
        self.line(task.stage, &task.model).started += worst;
        Begin::Granted {
            fence,
            lease_until_ms,
        }
    }

    /// Why the budget does not cover this worst case: never beats not now, the run beats the stage.
    fn shortage(&self, task: &Task, worst: Amount) -> Option<Begin> {
        let stage = self.stage_limits.get(&task.stage).copied().unwrap_or_default();
        let purses = [
            (Purse::Run, self.limit, self.total()),
            (Purse::Stage, stage, self.stage_total(task.stage)),
        ];
        let lacking = |held: fn(&Books) -> Amount| {
            purses
                .iter()
                .find(|(_, limit, books): &&(Purse, Limit, Books)| !limit.covers(held(books) + worst))
                .map(|(purse, _, _)| *purse)
        };
        lacking(Books::gone)
            .map(Begin::NoBudget)
            .or_else(|| lacking(Books::used).map(Begin::NoBudgetNow))
    }
}

/// The attempt that a fence was granted for.
pub(super) fn find(task: &mut Task, fence: Fence) -> Option<&mut Attempt> {
    if task.id != fence.task {
        return None;
    }
    task.attempts
        .iter_mut()
        .find(|attempt| attempt.number == fence.attempt && attempt.nonce == fence.nonce)
}
