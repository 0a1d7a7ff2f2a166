//! Speaks to the ledger, and says the same again while its store fails.

use std::time::Duration;

use backoff::backoff::Backoff;
use backoff::{ExponentialBackoff, ExponentialBackoffBuilder};
use gristmill_ports::ledger::Error;

/// Time after which an operation is given up. The lease runs out then and the worst case is booked: late, never wrong.
const GIVE_UP_AFTER: Duration = Duration::from_secs(20);
/// The same for an operation that would be paid for again: a late settle corrects what was booked when the lease ran out, and still brings its result.
const PAID_GIVE_UP_AFTER: Duration = Duration::from_secs(60 * 60);
/// The longest pause before the same is sent again.
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// Pauses before the same is sent again, until so much time has gone by.
pub(crate) fn pauses(give_up_after: Duration) -> ExponentialBackoff {
    ExponentialBackoffBuilder::new()
        .with_initial_interval(Duration::from_millis(50))
        .with_max_interval(PAUSE_MAX)
        .with_max_elapsed_time(Some(give_up_after))
        .build()
}

/// Sends one ledger operation, and the same again while the store fails; `None` when it was given up or refused.
pub(crate) async fn tell<T, F>(verb: &'static str, operation: impl Fn() -> F) -> Option<T>
where
    F: Future<Output = Result<T, Error>>,
{
    tell_for(GIVE_UP_AFTER, verb, operation).await
}

/// The same for what a call has cost. A network that is cut for minutes costs no answer then: meanwhile there is nothing else that the slot could do.
pub(crate) async fn tell_paid<T, F>(verb: &'static str, operation: impl Fn() -> F) -> Option<T>
where
    F: Future<Output = Result<T, Error>>,
{
    tell_for(PAID_GIVE_UP_AFTER, verb, operation).await
}

async fn tell_for<T, F>(give_up_after: Duration, verb: &'static str, operation: impl Fn() -> F) -> Option<T>
where
    F: Future<Output = Result<T, Error>>,
{
    let mut pauses = pauses(give_up_after);
    loop {
        match operation().await {
            Ok(value) => return Some(value),
            Err(error @ Error::Store { .. }) => match pauses.next_backoff() {
                Some(pause) => {
                    tracing::warn!(
                        verb,
                        error = &error as &dyn std::error::Error,
                        "the ledger failed; the same is sent again"
                    );
                    tokio::time::sleep(pause).await;
                }
                None => {
                    tracing::error!(
                        verb,
                        error = &error as &dyn std::error::Error,
                        "the ledger keeps failing; this is given up"
                    );
                    return None;
                }
            },
            Err(
                error @ (Error::UnknownRun(_)
                | Error::StaleEpoch { .. }
                | Error::PricesChanged { .. }
                | Error::Invalid(_)),
            ) => {
                tracing::error!(
                    verb,
                    error = &error as &dyn std::error::Error,
                    "the ledger refused"
                );
                return None;
            }
        }
    }
}
