//! Which kinds of request each model has answered, and what becomes of one that it refuses.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use gristmill_domain::id::RunId;
use gristmill_domain::trial::{Trial, Verdict};
use gristmill_domain::work::{Task, Work};

/// Trials that are kept; beyond them all are forgotten, and models are untried again, which costs a refused request a second try.
const KEPT_MAX: usize = 4_096;

/// A run, a model of it, and a kind of request: the judge's form may be refused where questions are answered.
type Key = (RunId, String, String);

/// The trials of this worker.
#[derive(Default)]
pub(crate) struct Trials(Mutex<HashMap<Key, Trial>>);

impl Trials {
    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Trial>> {
        // Each change leaves a trial whole: a panic elsewhere leaves nothing half-done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The model has answered a task.
    pub(crate) fn answered(&self, run: RunId, task: &Task) {
        self.lock().entry(key(run, task)).or_default().answered();
    }

    /// The model has refused a task at this attempt, in these words.
    pub(crate) fn refused(&self, run: RunId, task: &Task, attempt: u32, words: &str) -> Verdict {
        let mut trials = self.lock();
        if trials.len() >= KEPT_MAX {
            trials.clear();
        }
        trials
            .entry(key(run, task))
            .or_default()
            .refused(task.id, attempt, words)
    }
}

fn key(run: RunId, task: &Task) -> Key {
    let kind = match &task.work {
        Work::Chat { reply, .. } => reply.name.clone(),
        Work::HeldOut { .. } => "held_out".to_owned(),
        Work::Score { .. } => "score".to_owned(),
        Work::Embed { .. } => "embed".to_owned(),
    };
    (run, task.model.clone(), kind)
}

/// Why a run pauses after such a verdict.
pub(crate) fn refused_alike(words: &str, tasks: usize) -> String {
    match tasks {
        1 => format!("no request of this kind was answered yet, and this one was refused each time: {words}"),
        tasks => format!("{tasks} requests were refused alike and none was answered: {words}"),
    }
}
