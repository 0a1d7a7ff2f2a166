//! From started to gone: settle, void, burn, fail, absorb.

use super::Transition;
use super::account::{Account, AccountState, Books};
use super::begin::find;
use super::task::{Attempt, AttemptState, Decision, Remnant, Task};
use super::words::{Ending, Fence, Outcome, Settle, VoidProof};
use crate::amount::Amount;
use crate::stage::Stage;

/// Bytes of a reason that are kept in the attempt log.
const NOTE_BYTES_MAX: usize = 500;

/// What is said about an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Word {
    /// It cost this and came to that.
    Settle {
        /// What it cost.
        actual: Amount,
        /// What it came to.
        outcome: Outcome,
    },
    /// It provably cost nothing.
    Void {
        /// Why that is certain.
        proof: VoidProof,
        /// Time before the next attempt, in milliseconds.
        wait_ms: u64,
    },
    /// Nobody knows what it cost.
    Burn {
        /// What happened.
        reason: String,
        /// Time before the next attempt, in milliseconds.
        wait_ms: u64,
    },
}

/// What a word did to an attempt's money.
enum Money {
    /// First word: booked as said.
    Booked,
    /// First word after the burn.
    Corrected,
    /// Not the first word.
    Already,
    /// First word after the burn, in a closed run.
    Audited,
}

impl Account {
    /// Takes a word about an attempt of a task that is still there.
    pub fn resolve(&mut self, now_ms: u64, task: &mut Task, fence: Fence, word: Word) -> Transition<Settle> {
        let now_ms = self.tick(now_ms);
        let (stage, model) = (task.stage, task.model.clone());
        let Some(attempt) = find(task, fence) else {
            return Transition::plain(Settle::Unknown);
        };
        let money = self.book(now_ms, attempt, fence, (stage, &model), &word);
        let decision = match money {
            Money::Booked => self.follow(now_ms, task, word),
            Money::Corrected => self.follow_late(task, word),
            Money::Already | Money::Audited => None,
        };
        self.archive_if_over(task);
        let decided = decision.is_some();
        Transition {
            reply: match money {
                Money::Booked => Settle::Booked { decided },
                Money::Corrected => Settle::Corrected { decided },
                Money::Already => Settle::Already,
                Money::Audited => Settle::Audited,
            },
            decision,
        }
    }

    /// Takes a word about a burned attempt whose task is absorbed: money only.
    pub fn resolve_remnant(
        &mut self,
        now_ms: u64,
        remnant: &mut Remnant,
        fence: Fence,
        word: &Word,
    ) -> Settle {
        let now_ms = self.tick(now_ms);
        if remnant.attempt.fence(remnant.task) != fence {
            return Settle::Unknown;
        }
        let burned = remnant.attempt.burned();
        let line = (remnant.stage, remnant.model.as_str());
        match self.book(now_ms, &mut remnant.attempt, fence, line, word) {
            Money::Booked | Money::Already => Settle::Already,
            Money::Audited => Settle::Audited,
            Money::Corrected => {
                let subtotal = self.subtotal(remnant.stage, &remnant.model, remnant.ending);
                let balanced = take(&mut subtotal.burned, burned);
                subtotal.spent += remnant.attempt.spent();
                self.balance(balanced, now_ms);
                Settle::Corrected { decided: false }
            }
        }
    }

    /// Burns the running attempt if its lease has run out; whether it had.
    pub fn expire(&mut self, now_ms: u64, task: &mut Task) -> Transition<bool> {
        let now_ms = self.tick(now_ms);
        if task.lease_until_ms().is_none_or(|until_ms| until_ms > now_ms) {
            return Transition::plain(false);
        }
        let decision = self.lapse(now_ms, task);
        self.archive_if_over(task);
        Transition {
            reply: true,
            decision,
        }
    }

    /// Burns the running attempt, unless it was lent: the process that made the call is known to be gone. Whether it burned.
    ///
    /// A lease that lasts longer than any renewal made it last is one that was lent: somebody else works on that attempt.
    pub fn orphan(&mut self, now_ms: u64, task: &mut Task, reason: &str) -> Transition<bool> {
        let now_ms = self.tick(now_ms);
        let renewed_ms = now_ms.saturating_add(self.lease_ms);
        if task
            .lease_until_ms()
            .is_some_and(|until_ms| until_ms > renewed_ms)
        {
            return Transition::plain(false);
        }
        let Some(fence) = task.running().map(|attempt| attempt.fence(task.id)) else {
            return Transition::plain(false);
        };
        let word = Word::Burn {
            reason: reason.to_owned(),
            wait_ms: 0,
        };
        let step = self.resolve(now_ms, task, fence, word);
        Transition {
            reply: true,
            decision: step.decision,
        }
    }

    /// Fails a task by order of the coordinator, unless it is decided.
    pub fn fail(&mut self, now_ms: u64, task: &mut Task, reason: &str) -> Transition<bool> {
        self.tick(now_ms);
        let decision = self.decide(
            task,
            Decision::Failed {
                reason: clip(reason.to_owned()),
            },
        );
        Transition {
            reply: decision.is_some(),
            decision,
        }
    }

    /// Absorbs a decided task; `false` when it has no outcome yet. [`Task::archived`] tells whether it is gone already.
    pub fn absorb(&mut self, now_ms: u64, task: &mut Task) -> bool {
        self.tick(now_ms);
        if task.decided.is_none() {
            return false;
        }
        task.absorbed = true;
        self.archive_if_over(task);
        true
    }

    /// Burns the running attempt because of its lease.
    pub(super) fn lapse(&mut self, now_ms: u64, task: &mut Task) -> Option<Decision> {
        let fence = task.running()?.fence(task.id);
        let (stage, model) = (task.stage, task.model.clone());
        let word = Word::Burn {
            reason: "the lease ran out: its worker died, or lost touch".to_owned(),
            wait_ms: 0,
        };
        let attempt = find(task, fence)?;
        self.book(now_ms, attempt, fence, (stage, &model), &word);
        self.follow(now_ms, task, word)
    }

    /// The attempt's row of the table in the module's documentation.
    fn book(
        &mut self,
        now_ms: u64,
        attempt: &mut Attempt,
        fence: Fence,
        (stage, model): (Stage, &str),
        word: &Word,
    ) -> Money {
        let worst = attempt.worst;
        match (&attempt.state, word) {
            (AttemptState::Started { .. }, Word::Settle { actual, .. }) => {
                let balanced = self.move_money(stage, model, |books| {
                    books.spent += *actual;
                    take(&mut books.started, worst)
                });
                self.balance(balanced, now_ms);
                attempt.state = AttemptState::Settled { actual: *actual };
                self.stop(stage);
                self.watch(now_ms, fence, worst, *actual);
            }
            (AttemptState::Started { .. }, Word::Void { .. }) => {
                let balanced = self.move_money(stage, model, |books| take(&mut books.started, worst));
                self.balance(balanced, now_ms);
                attempt.state = AttemptState::Voided;
                self.stop(stage).voided += 1;
            }
            (AttemptState::Started { .. }, Word::Burn { .. }) => {
                let balanced = self.move_money(stage, model, |books| {
                    books.burned += worst;
                    take(&mut books.started, worst)
                });
                self.balance(balanced, now_ms);
                attempt.state = AttemptState::Burned;
                self.stop(stage).burned += 1;
            }
            (AttemptState::Burned, Word::Settle { .. } | Word::Void { .. }) => {
                return self.book_late(now_ms, attempt, fence, (stage, model), word);
            }
            (AttemptState::Voided, Word::Settle { actual, .. }) => {
                if *actual != Amount::ZERO {
                    self.alert(
                        now_ms,
                        format!("{} was voided, and now says that it cost something", name(fence)),
                    );
                }
                return Money::Already;
            }
            (AttemptState::Voided, Word::Void { .. } | Word::Burn { .. })
            | (AttemptState::Burned, Word::Burn { .. })
            | (AttemptState::Settled { .. } | AttemptState::LateSettled { .. }, _) => return Money::Already,
        }
        attempt.ended_ms = now_ms;
        attempt.note = note(word);
        Money::Booked
    }

    /// The first word after a burn.
    fn book_late(
        &mut self,
        now_ms: u64,
        attempt: &mut Attempt,
        fence: Fence,
        (stage, model): (Stage, &str),
        word: &Word,
    ) -> Money {
        let worst = attempt.worst;
        let actual = match word {
            Word::Settle { actual, .. } => *actual,
            Word::Void { .. } | Word::Burn { .. } => Amount::ZERO,
        };
        if attempt.audited.is_some() {
            return Money::Already;
        }
        if self.state == AccountState::Closed {
            attempt.audited = Some(actual);
            self.audited += 1;
            return Money::Audited;
        }
        let balanced = self.move_money(stage, model, |books| {
            books.spent += actual;
            take(&mut books.burned, worst)
        });
        self.balance(balanced, now_ms);
        attempt.state = AttemptState::LateSettled { actual };
        attempt.note = clip(format!("{}; late: {}", attempt.note, note(word)));
        self.watch(now_ms, fence, worst, actual);
        Money::Corrected
    }

    /// What the first word about an attempt means for its task.
    fn follow(&mut self, now_ms: u64, task: &mut Task, word: Word) -> Option<Decision> {
        match word {
            Word::Settle { outcome, .. } => match outcome {
                Outcome::Done(result) => self.decide(task, Decision::Done(result)),
                Outcome::Failed { reason } => self.decide(task, Decision::Failed { reason: clip(reason) }),
                Outcome::Retry { reason, wait_ms } => self.retry(now_ms, task, &reason, wait_ms),
            },
            Word::Void { proof, wait_ms } => {
                task.tries = task.tries.saturating_sub(1);
                task.voids += 1;
                self.retry(now_ms, task, &proof.reason, wait_ms)
            }
            Word::Burn { reason, wait_ms } => self.retry(now_ms, task, &reason, wait_ms),
        }
    }

    /// What a late word means for its task: its result, if it has none. A late failure means nothing, the task is due anyway.
    fn follow_late(&mut self, task: &mut Task, word: Word) -> Option<Decision> {
        match word {
            Word::Settle {
                outcome: Outcome::Done(result),
                ..
            } => self.decide(task, Decision::Done(result)),
            Word::Settle {
                outcome: Outcome::Retry { .. } | Outcome::Failed { .. },
                ..
            }
            | Word::Void { .. }
            | Word::Burn { .. } => None,
        }
    }

    /// Makes the task due again, or fails it when its attempts are used up.
    fn retry(&mut self, now_ms: u64, task: &mut Task, reason: &str, wait_ms: u64) -> Option<Decision> {
        let spent = if task.tries >= task.max_attempts {
            format!("{} attempts used up", task.tries)
        } else if task.voids >= task.max_voids {
            format!("{} attempts refused before they cost anything", task.voids)
        } else {
            task.due_at_ms = now_ms.saturating_add(wait_ms);
            task.handed_until_ms = 0;
            return None;
        };
        let reason = clip(format!("{spent}; the last: {reason}"));
        self.decide(task, Decision::Failed { reason })
    }

    /// Decides the task, if nothing has decided it before.
    fn decide(&mut self, task: &mut Task, decision: Decision) -> Option<Decision> {
        if task.decided.is_some() {
            return None;
        }
        self.last_seq += 1;
        let ending = decision.ending();
        task.decided = Some((self.last_seq, ending));
        let counts = self.counts.entry(task.stage).or_default();
        counts.open = counts.open.saturating_sub(1);
        match ending {
            Ending::Done => counts.done += 1,
            Ending::Failed => counts.failed += 1,
        }
        Some(decision)
    }

    /// Moves an absorbed task of which nothing runs to the archived subtotals.
    fn archive_if_over(&mut self, task: &mut Task) {
        let Some((_, ending)) = task.decided else { return };
        if !task.absorbed || task.archived || task.running().is_some() {
            return;
        }
        task.archived = true;
        self.counts.entry(task.stage).or_default().archived += 1;
        let subtotal = self.subtotal(task.stage, &task.model, ending);
        subtotal.tasks += 1;
        subtotal.attempts += task.attempts.len() as u64;
        for attempt in &task.attempts {
            subtotal.spent += attempt.spent();
            subtotal.burned += attempt.burned();
        }
    }

    fn stop(&mut self, stage: Stage) -> &mut super::Counts {
        let counts = self.counts.entry(stage).or_default();
        counts.running = counts.running.saturating_sub(1);
        counts
    }

    fn move_money(&mut self, stage: Stage, model: &str, change: impl FnOnce(&mut Books) -> bool) -> bool {
        change(self.line(stage, model))
    }

    /// Freezes when an attempt cost more than it could: the price table or the provider is not to be trusted.
    fn watch(&mut self, now_ms: u64, fence: Fence, worst: Amount, actual: Amount) {
        if !actual.fits_in(worst) {
            let text = format!(
                "{} cost {}, {} calls, {} + {} tokens, above its worst case of {}, {} calls, {} + {} tokens",
                name(fence),
                actual.usd,
                actual.calls,
                actual.input_tokens,
                actual.output_tokens,
                worst.usd,
                worst.calls,
                worst.input_tokens,
                worst.output_tokens,
            );
            self.freeze(now_ms, &text);
        }
    }

    /// Freezes when books would have fallen below zero, which no sequence of words can do: the store was tampered with.
    fn balance(&mut self, balanced: bool, now_ms: u64) {
        if !balanced {
            self.freeze(
                now_ms,
                "the books do not balance: the ledger's store was changed from outside",
            );
        }
    }
}

/// Takes an amount out of a sum; `false`, and the sum at zero, when it is not in there.
fn take(sum: &mut Amount, amount: Amount) -> bool {
    let rest = sum.checked_sub(amount);
    *sum = rest.unwrap_or_default();
    rest.is_some()
}

fn name(fence: Fence) -> String {
    format!("attempt {} of task {}", fence.attempt, fence.task)
}

/// What the attempt log says about a word.
fn note(word: &Word) -> String {
    clip(match word {
        Word::Settle { outcome, .. } => match outcome {
            Outcome::Done(_) => String::new(),
            Outcome::Retry { reason, .. } | Outcome::Failed { reason } => reason.clone(),
        },
        Word::Void { proof, .. } => proof.reason.clone(),
        Word::Burn { reason, .. } => reason.clone(),
    })
}

/// Cuts a reason to what the log keeps.
fn clip(mut reason: String) -> String {
    if reason.len() > NOTE_BYTES_MAX {
        let end = (0..=NOTE_BYTES_MAX)
            .rev()
            .find(|end| reason.is_char_boundary(*end));
        reason.truncate(end.unwrap_or(0));
    }
    reason
}
