//! Jobs from a page that were checked and wait to be confirmed.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::intake::CheckedJob;
use crate::session::same;

/// Time for which a checked job waits to be confirmed.
pub(crate) const HOLDS: Duration = Duration::from_secs(15 * 60);
/// Checked jobs that wait at once; the oldest makes room.
const WAITING_MAX: usize = 8;

struct Waiting {
    id: String,
    session: String,
    since: Instant,
    job: Arc<CheckedJob>,
}

/// Checked jobs that wait to be confirmed, in memory: they end with the process.
#[derive(Default)]
pub(crate) struct CheckedJobs {
    waiting: Mutex<VecDeque<Waiting>>,
}

impl CheckedJobs {
    /// Each change under the lock is a single insert or remove.
    fn waiting(&self) -> MutexGuard<'_, VecDeque<Waiting>> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.retain(|job| job.since.elapsed() < HOLDS);
        waiting
    }

    /// Keeps a job for a session, by an id that nobody can guess.
    pub(crate) fn keep(&self, id: String, session: &str, job: CheckedJob) -> Arc<CheckedJob> {
        let job = Arc::new(job);
        let mut waiting = self.waiting();
        // One job a session: a person who uploads again means the new one.
        waiting.retain(|other| other.session != session);
        while waiting.len() >= WAITING_MAX {
            waiting.pop_front();
        }
        waiting.push_back(Waiting {
            id,
            session: session.to_owned(),
            since: Instant::now(),
            job: Arc::clone(&job),
        });
        job
    }

    /// The job of an id, for the session that uploaded it.
    pub(crate) fn get(&self, id: &str, session: &str) -> Option<Arc<CheckedJob>> {
        let waiting = self.waiting();
        let mut of_session = waiting.iter().filter(|job| job.session == session);
        let found = of_session.find(|job| same(&job.id, id));
        found.map(|found| Arc::clone(&found.job))
    }

    /// Forgets a session's job.
    pub(crate) fn forget(&self, session: &str) {
        self.waiting().retain(|job| job.session != session);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(run: &str) -> CheckedJob {
        CheckedJob {
            run: run.to_owned(),
            name: String::new(),
            warnings: Vec::new(),
            plan: String::new(),
            parts: Vec::new(),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_checked_job_waits_for_its_own_session_for_a_while() {
        let jobs = CheckedJobs::default();
        jobs.keep("one".into(), "ann", job("1"));
        assert_eq!(jobs.get("one", "ann").unwrap().run, "1");
        assert!(jobs.get("one", "bob").is_none() && jobs.get("two", "ann").is_none());
        jobs.keep("two".into(), "ann", job("2"));
        assert!(jobs.get("one", "ann").is_none(), "the new one replaces it");
        jobs.forget("ann");
        assert!(jobs.get("two", "ann").is_none());
        for number in 0..20 {
            jobs.keep(format!("{number}"), &format!("session {number}"), job("3"));
        }
        assert_eq!(jobs.waiting().len(), WAITING_MAX);
        tokio::time::advance(HOLDS).await;
        assert!(jobs.get("19", "session 19").is_none());
    }
}
