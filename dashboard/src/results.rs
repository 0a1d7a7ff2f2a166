//! Results of evaluations, read from their folders when somebody looks at them, and what the votes on their answers come to.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use gristmill_picture::evaluation::EvaluationPage;
use gristmill_runs::evaluation::{
    Arena, EVALUATION_FILE, Preferences, RESULT_FOLDER, VOTES_FILE, preferences, read_result, read_votes,
};

use crate::background::{Background, Known, Last, Wait};
use crate::source::Refusal;

/// How long a page waits for a result to be read, or for votes to be counted: those of a small evaluation are there by then.
const WAIT: Duration = Duration::from_secs(2);
/// Evaluations whose answers are kept in memory.
const RUNS_MAX: usize = 8;
/// Results that are read at once.
const AT_ONCE: usize = 2;

/// A finished evaluation.
pub(crate) struct EvaluationResult {
    /// What is shown of it.
    pub(crate) page: EvaluationPage,
    /// Its answers.
    pub(crate) arena: Arc<Arena>,
    /// Another number once the result was made again.
    version: u64,
}

/// What there is of a result.
pub(crate) enum Found<T> {
    /// Nothing yet: the evaluation has not ended.
    Nothing,
    /// It is being read.
    Reading,
    /// The result.
    Result(Arc<T>),
}

/// The last results.
pub(crate) struct Results {
    results: Background<EvaluationResult>,
    preferences: Background<Preferences>,
}

impl Default for Results {
    fn default() -> Self {
        Self {
            results: Background::new(RUNS_MAX, AT_ONCE),
            preferences: Background::new(RUNS_MAX, AT_ONCE),
        }
    }
}

impl Results {
    /// The result of an evaluation in a folder.
    ///
    /// # Errors
    /// A result that is damaged or cannot be read.
    pub(crate) async fn of(&self, run: &str, folder: &Path) -> Result<Found<EvaluationResult>, Refusal> {
        let result = folder.join(RESULT_FOLDER);
        let Some(version) = written(&result.join(EVALUATION_FILE)) else {
            return Ok(Found::Nothing);
        };
        let make = |_| async move {
            let (page, arena) = read_result(&result)?;
            let arena = Arc::new(arena);
            Ok(Some(EvaluationResult { page, arena, version }))
        };
        let due = |known: &Known<EvaluationResult>| known.version != Some(version);
        let last = self.results.of(run, (version, Wait::Next(WAIT)), due, make).await;
        found(last)
    }

    /// What the votes in a folder on the answers of its evaluation come to.
    ///
    /// # Errors
    /// Votes that cannot be read.
    pub(crate) async fn preferences(
        &self,
        run: &str,
        folder: &Path,
        result: &EvaluationResult,
    ) -> Result<Found<Preferences>, Refusal> {
        // Without a file there is no vote, and that is counted, too.
        let votes = written(&folder.join(VOTES_FILE)).unwrap_or(0);
        let version = result.version.rotate_left(1) ^ votes;
        let (folder, arena) = (folder.to_owned(), Arc::clone(&result.arena));
        let make = |_| async move { Ok(Some(preferences(&arena, &read_votes(&folder)?))) };
        let due = |known: &Known<Preferences>| known.version != Some(version);
        let last = self.preferences.of(run, (version, Wait::Next(WAIT)), due, make);
        found(last.await)
    }
}

fn found<T>(last: Last<T>) -> Result<Found<T>, Refusal> {
    match (last.failed, last.value) {
        (Some(failed), _) => Err(anyhow::anyhow!(failed).into()),
        (None, Some(value)) => Ok(Found::Result(value)),
        (None, None) => Ok(Found::Reading),
    }
}

/// A number that is another one when a file was written again; `None` where there is none.
fn written(file: &Path) -> Option<u64> {
    let about = std::fs::metadata(file).ok()?;
    let modified = about.modified().unwrap_or(SystemTime::UNIX_EPOCH);
    let since = modified
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    // The lowest bits of nanoseconds are all that is needed to tell two apart.
    Some((since.as_nanos() as u64) ^ about.len().rotate_left(32))
}
