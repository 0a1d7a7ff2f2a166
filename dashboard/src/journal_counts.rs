//! Counts of runs' journals, made in the background: when another one is due, and what a page is shown.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use gristmill_proto::v1;

use crate::background::{Background, Wait};

/// How long a page waits for the first count of a run: that of a small one is there by then.
const WAIT: Duration = Duration::from_millis(250);
/// Between two counts of a run that goes on, at least.
const PAUSE: Duration = Duration::from_secs(2);

/// The last count of a run's journal; starts another where that one is old: where the run has changed, and, until `is_last` says that nothing
/// is added any more, after a pause of so many times what the last one took. `Err`: why it cannot be counted.
pub(crate) async fn of_journal<T, F>(
    counts: &Background<T>,
    run: &v1::Run,
    pause_times: u32,
    is_last: impl Fn(&T) -> bool,
    count: impl FnOnce(Option<Arc<T>>) -> F,
) -> Result<Option<Arc<T>>, String>
where
    T: Send + Sync + 'static,
    F: Future<Output = anyhow::Result<Option<T>>> + Send + 'static,
{
    let version = journal_version(run);
    let last = counts.of(
        &run.run,
        (version, Wait::First(WAIT)),
        |known| {
            let done = known.last.value.as_deref().is_some_and(&is_last);
            known.version != Some(version) || (!done && known.rested(PAUSE, pause_times))
        },
        count,
    );
    let last = last.await;
    match (last.value, last.failed) {
        (None, Some(failed)) => Err(failed),
        (counted, _) => Ok(counted),
    }
}

/// Whether nothing is added to a run's journal any more. A run that is cancelled stores the rows that are paid for before its books are closed.
pub(crate) fn journal_is_whole(run: &v1::Run) -> bool {
    match run.state() {
        v1::RunState::Finished | v1::RunState::Failed => true,
        v1::RunState::Cancelled => is_closed(run),
        v1::RunState::Unspecified
        | v1::RunState::Waiting
        | v1::RunState::Running
        | v1::RunState::Paused
        | v1::RunState::Frozen
        | v1::RunState::Assembling => false,
    }
}

/// Whether a run's books are closed: no call begins.
pub(crate) fn is_closed(run: &v1::Run) -> bool {
    let state = run.account.as_ref().and_then(|account| account.state.as_ref());
    matches!(
        state.and_then(|state| state.state.as_ref()),
        Some(v1::account_state::State::Closed(_))
    )
}

/// A number that is another one when a run has changed so that what was counted last of its journal is not the last count. One that was taken up
/// again and has ended once more is told apart by when that was.
fn journal_version(run: &v1::Run) -> u64 {
    let mut hasher = DefaultHasher::new();
    (run.state, is_closed(run), run.dataset.is_empty(), run.ended_ms).hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_count_of_a_cancelled_run_is_the_last_one_once_its_books_are_closed() {
        let run = |closed: bool, dataset: &str| v1::Run {
            state: v1::RunState::Cancelled.into(),
            dataset: dataset.to_owned(),
            account: Some(v1::Account {
                state: Some(v1::AccountState {
                    state: Some(match closed {
                        true => v1::account_state::State::Closed(v1::account_state::Closed {}),
                        false => v1::account_state::State::Cancelled(v1::account_state::Cancelled {}),
                    }),
                }),
                ..v1::Account::default()
            }),
            ..v1::Run::default()
        };
        let (ending, ended, kept) = (run(false, ""), run(true, ""), run(true, "store/27d5/dataset"));
        assert!(!journal_is_whole(&ending) && journal_is_whole(&ended));
        let versions = [&ending, &ended, &kept].map(journal_version);
        assert!(
            versions[0] != versions[1] && versions[1] != versions[2],
            "{versions:?}"
        );
        let again = v1::Run {
            ended_ms: Some(7),
            ..kept.clone()
        };
        assert_ne!(journal_version(&again), versions[2], "it has ended once more");
    }
}
