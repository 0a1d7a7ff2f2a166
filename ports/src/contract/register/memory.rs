//! The register with nothing but maps beneath: what its rules are, in one place, and a register for unit tests.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use gristmill_domain::id::RunId;
use tokio::time::Instant;

use super::START_MS;
use crate::register::{
    Beat, DEAD_LETTERS_BYTES_MAX, DEAD_LETTERS_MAX, Dead, DeadLetter, ENDED_RUNS_MAX, Ending, Error, KEPT,
    NewRun, REPORT_BYTES_MAX, Register, Run, SPEC_BYTES_MAX, Submitted, Worker, check_size,
};

struct Entry {
    run: Run,
    order: u64,
    /// Who holds the run until when.
    lease: Option<(String, u64)>,
    /// What it was started with, until when once it has ended.
    spec: Vec<u8>,
    spec_until_ms: Option<u64>,
    /// Its place among the ended ones.
    ended: Option<u64>,
}

impl Entry {
    fn holds(&self, holder: &str, now_ms: u64) -> bool {
        self.holder(now_ms) == Some(holder)
    }

    fn holder(&self, now_ms: u64) -> Option<&str> {
        let (holder, _) = self.lease.as_ref().filter(|(_, until)| *until > now_ms)?;
        Some(holder)
    }

    fn spec(&self, now_ms: u64) -> Option<&[u8]> {
        let there = self.spec_until_ms.is_none_or(|until| until > now_ms);
        there.then_some(&self.spec)
    }

    fn view(&self, now_ms: u64) -> Run {
        Run {
            holder: self.holder(now_ms).map(ToOwned::to_owned),
            ..self.run.clone()
        }
    }
}

#[derive(Default)]
struct State {
    runs: BTreeMap<RunId, Entry>,
    order: BTreeMap<u64, RunId>,
    ended: BTreeMap<u64, RunId>,
    requests: BTreeMap<String, (RunId, u64)>,
    workers: BTreeMap<String, (Worker, u64)>,
    drained: BTreeMap<String, u64>,
    dead_letters: BTreeMap<u64, DeadLetter>,
    buried: HashMap<Dead, u64>,
    buried_bytes: usize,
    counted: u64,
}

impl State {
    fn count(&mut self) -> u64 {
        self.counted += 1;
        self.counted
    }

    fn submit(&mut self, now_ms: u64, new: NewRun, reopens: bool) -> Submitted {
        self.requests.retain(|_, (_, until)| *until > now_ms);
        let until = after(now_ms, KEPT);
        let (named, kept) = self.requests.entry(new.request_id).or_insert((new.run, until));
        if *named != new.run {
            return Submitted::KeyTaken(*named);
        }
        *kept = until;
        if let Some(entry) = self.runs.get_mut(&new.run) {
            let stays = match entry.run.ending {
                Some(Ending::Finished | Ending::Cancelled) => !reopens,
                Some(Ending::Failed { .. }) | None => false,
            };
            if stays {
                return Submitted::Known;
            }
            if matches!(entry.run.ending, Some(Ending::Finished | Ending::Cancelled)) {
                // It said how the run had ended.
                (entry.run.report, entry.run.reported_ms) = (Vec::new(), 0);
            }
            (entry.run.name, entry.spec) = (new.name, new.spec);
            (entry.run.ending, entry.run.ended_ms, entry.spec_until_ms) = (None, None, None);
            if let Some(place) = entry.ended.take() {
                self.ended.remove(&place);
            }
            return Submitted::Known;
        }
        let order = self.count();
        let run = Run {
            run: new.run,
            name: new.name,
            submitted_ms: new.submitted_ms.unwrap_or(now_ms),
            ended_ms: None,
            ending: None,
            holder: None,
            report: Vec::new(),
            reported_ms: 0,
        };
        let entry = Entry {
            run,
            order,
            lease: None,
            spec: new.spec,
            spec_until_ms: None,
            ended: None,
        };
        self.order.insert(order, new.run);
        self.runs.insert(new.run, entry);
        Submitted::Created
    }

    fn end(&mut self, now_ms: u64, run: RunId, holder: &str, ending: Ending) -> bool {
        let place = self.count();
        let Some(entry) = self.runs.get_mut(&run) else {
            return false;
        };
        if entry.run.ending.is_some() {
            return entry.run.ending == Some(ending);
        }
        if !entry.holds(holder, now_ms) {
            return false;
        }
        entry.run.ending = Some(ending);
        entry.run.ended_ms = Some(now_ms);
        entry.spec_until_ms = Some(after(now_ms, KEPT));
        entry.ended = Some(place);
        entry.lease = None;
        self.ended.insert(place, run);
        while self.ended.len() > ENDED_RUNS_MAX {
            let oldest = self.ended.pop_first().and_then(|(_, run)| self.runs.remove(&run));
            if let Some(oldest) = oldest {
                self.order.remove(&oldest.order);
            }
        }
        true
    }

    fn bury(&mut self, now_ms: u64, dead: Dead) -> u64 {
        if let Some(dead_letter) = self.buried.get(&dead).and_then(|n| self.dead_letters.get_mut(n)) {
            if dead_letter.retried_ms.take().is_some() {
                dead_letter.buried_ms = now_ms;
            }
            return dead_letter.number;
        }
        let number = self.count();
        self.buried_bytes += dead.envelope.len();
        self.buried.insert(dead.clone(), number);
        let dead_letter = DeadLetter {
            number,
            dead,
            buried_ms: now_ms,
            retried_ms: None,
        };
        self.dead_letters.insert(number, dead_letter);
        let full = |state: &Self| {
            state.dead_letters.len() > DEAD_LETTERS_MAX || state.buried_bytes > DEAD_LETTERS_BYTES_MAX
        };
        while self.dead_letters.len() > 1 && full(self) {
            let oldest = self.dead_letters.first_key_value().map(|(number, _)| *number);
            oldest.map(|number| self.drop_grave(number));
        }
        number
    }

    fn drop_grave(&mut self, number: u64) -> bool {
        let Some(dead_letter) = self.dead_letters.remove(&number) else {
            return false;
        };
        self.buried_bytes -= dead_letter.dead.envelope.len();
        self.buried.remove(&dead_letter.dead);
        true
    }
}

/// A register without a store: what it holds ends with it. Its clock is tokio's, so that a test can stop it.
pub struct MemoryRegister {
    state: Mutex<State>,
    start: Instant,
}

impl Default for MemoryRegister {
    fn default() -> Self {
        Self {
            state: Mutex::default(),
            start: Instant::now(),
        }
    }
}

impl MemoryRegister {
    /// What there is, and what time it is.
    fn look(&self) -> (MutexGuard<'_, State>, u64) {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now_ms = after(START_MS, self.start.elapsed());
        (state, now_ms)
    }
}

fn after(now_ms: u64, span: Duration) -> u64 {
    now_ms.saturating_add(u64::try_from(span.as_millis()).unwrap_or(u64::MAX))
}

#[async_trait]
impl Register for MemoryRegister {
    async fn submit(&self, new: NewRun) -> Result<Submitted, Error> {
        check_size("entered a run", new.spec.len(), SPEC_BYTES_MAX)?;
        let (mut state, now_ms) = self.look();
        Ok(state.submit(now_ms, new, false))
    }

    async fn reopen(&self, new: NewRun) -> Result<Submitted, Error> {
        check_size("entered a run", new.spec.len(), SPEC_BYTES_MAX)?;
        let (mut state, now_ms) = self.look();
        Ok(state.submit(now_ms, new, true))
    }

    async fn spec(&self, run: RunId) -> Result<Option<Vec<u8>>, Error> {
        let (state, now_ms) = self.look();
        let entry = state.runs.get(&run);
        Ok(entry.and_then(|entry| entry.spec(now_ms)).map(ToOwned::to_owned))
    }

    async fn get(&self, run: RunId) -> Result<Option<Run>, Error> {
        let (state, now_ms) = self.look();
        Ok(state.runs.get(&run).map(|entry| entry.view(now_ms)))
    }

    async fn list(&self, skip: usize, limit: usize) -> Result<Vec<Run>, Error> {
        let (state, now_ms) = self.look();
        let newest = state.order.values().rev().skip(skip).take(limit);
        let entries = newest.filter_map(|run| state.runs.get(run));
        Ok(entries.map(|entry| entry.view(now_ms)).collect())
    }

    async fn active(&self) -> Result<Vec<Run>, Error> {
        let (state, now_ms) = self.look();
        let entries = state.order.values().filter_map(|run| state.runs.get(run));
        let active = entries.filter(|entry| entry.run.ending.is_none());
        Ok(active.map(|entry| entry.view(now_ms)).collect())
    }

    async fn claim(&self, run: RunId, holder: &str, lease: Duration) -> Result<bool, Error> {
        let (mut state, now_ms) = self.look();
        let Some(entry) = state.runs.get_mut(&run) else {
            return Ok(false);
        };
        let free = entry.holder(now_ms).is_none_or(|now| now == holder);
        if entry.run.ending.is_some() || !free {
            return Ok(false);
        }
        entry.lease = Some((holder.to_owned(), after(now_ms, lease)));
        Ok(true)
    }

    async fn renew(&self, holder: &str, runs: &[RunId], lease: Duration) -> Result<Vec<RunId>, Error> {
        let (mut state, now_ms) = self.look();
        let mut held = Vec::new();
        for run in runs {
            if let Some(entry) = state.runs.get_mut(run).filter(|e| e.holds(holder, now_ms)) {
                entry.lease = Some((holder.to_owned(), after(now_ms, lease)));
                held.push(*run);
            }
        }
        Ok(held)
    }

    async fn release(&self, run: RunId, holder: &str) -> Result<(), Error> {
        let (mut state, now_ms) = self.look();
        if let Some(entry) = state.runs.get_mut(&run).filter(|e| e.holds(holder, now_ms)) {
            entry.lease = None;
        }
        Ok(())
    }

    async fn report(&self, run: RunId, holder: &str, report: Vec<u8>) -> Result<(), Error> {
        check_size("took a run's report", report.len(), REPORT_BYTES_MAX)?;
        let (mut state, now_ms) = self.look();
        if let Some(entry) = state.runs.get_mut(&run).filter(|e| e.holds(holder, now_ms)) {
            (entry.run.report, entry.run.reported_ms) = (report, now_ms);
        }
        Ok(())
    }

    async fn end(&self, run: RunId, holder: &str, ending: Ending) -> Result<bool, Error> {
        let (mut state, now_ms) = self.look();
        Ok(state.end(now_ms, run, holder, ending))
    }

    async fn beat(&self, beat: Beat, ttl: Duration) -> Result<bool, Error> {
        check_size("took a worker's beat", beat.report.len(), REPORT_BYTES_MAX)?;
        let (mut state, now_ms) = self.look();
        state.workers.retain(|_, (_, until)| *until > now_ms);
        state.drained.retain(|_, until| *until > now_ms);
        let drained = state.drained.get_mut(&beat.worker);
        let draining = drained.map(|until| *until = after(now_ms, KEPT)).is_some();
        let since_ms = state
            .workers
            .get(&beat.worker)
            .map_or(now_ms, |(worker, _)| worker.since_ms);
        let worker = Worker {
            worker: beat.worker.clone(),
            report: beat.report,
            since_ms,
            beat_ms: now_ms,
            silent_ms: 0,
            draining,
        };
        state.workers.insert(beat.worker, (worker, after(now_ms, ttl)));
        Ok(draining)
    }

    async fn workers(&self) -> Result<Vec<Worker>, Error> {
        let (state, now_ms) = self.look();
        let there = state.workers.values().filter(|(_, until)| *until > now_ms);
        let told = |worker: &Worker| Worker {
            silent_ms: now_ms.saturating_sub(worker.beat_ms),
            ..worker.clone()
        };
        Ok(there.map(|(worker, _)| told(worker)).collect())
    }

    async fn drain(&self, worker: &str) -> Result<bool, Error> {
        let (mut state, now_ms) = self.look();
        let found = state.workers.get_mut(worker);
        let Some((known, _)) = found.filter(|(_, until)| *until > now_ms) else {
            return Ok(false);
        };
        known.draining = true;
        state.drained.insert(worker.to_owned(), after(now_ms, KEPT));
        Ok(true)
    }

    async fn undrain(&self, worker: &str) -> Result<bool, Error> {
        let (mut state, now_ms) = self.look();
        if let Some((known, _)) = state.workers.get_mut(worker) {
            known.draining = false;
        }
        let until = state.drained.remove(worker);
        Ok(until.is_some_and(|until| until > now_ms))
    }

    async fn drained(&self) -> Result<Vec<String>, Error> {
        let (state, now_ms) = self.look();
        let holds = state.drained.iter().filter(|(_, until)| **until > now_ms);
        Ok(holds.map(|(name, _)| name.clone()).collect())
    }

    async fn bury(&self, dead: Dead) -> Result<u64, Error> {
        let (mut state, now_ms) = self.look();
        Ok(state.bury(now_ms, dead))
    }

    async fn dead_letters(&self, before: Option<u64>, limit: usize) -> Result<Vec<DeadLetter>, Error> {
        let (state, _) = self.look();
        let below = state.dead_letters.range(..before.unwrap_or(u64::MAX));
        Ok(below
            .rev()
            .take(limit)
            .map(|(_, dead_letter)| dead_letter.clone())
            .collect())
    }

    async fn dead_letter(&self, number: u64) -> Result<Option<DeadLetter>, Error> {
        Ok(self.look().0.dead_letters.get(&number).cloned())
    }

    async fn retried(&self, number: u64) -> Result<(), Error> {
        let (mut state, now_ms) = self.look();
        if let Some(dead_letter) = state.dead_letters.get_mut(&number) {
            dead_letter.retried_ms = Some(now_ms);
        }
        Ok(())
    }

    async fn drop_graves(&self, numbers: &[u64]) -> Result<u64, Error> {
        let (mut state, _) = self.look();
        let dropped = numbers.iter().filter(|number| state.drop_grave(**number));
        Ok(dropped.count() as u64)
    }
}
