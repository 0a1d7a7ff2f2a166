//! Reports that are too large for the ledger go to the run's blobs before they settle.

use std::time::Duration;

use gristmill_domain::id::{ContentId, TaskId};
use gristmill_ports::blob::{Blobs, Error};
use gristmill_proto::encode_pointer;

/// Bytes above which a report is not kept in the ledger, whose memory is the window times the largest result.
pub(crate) const LARGE_BYTES: usize = 64 * 1024;
/// Time after which storing is given up. The attempt's lease is renewed meanwhile.
const GIVE_UP_AFTER: Duration = Duration::from_secs(60);

/// What the task settles with: the report itself, or the name of the blob that holds it.
pub(crate) async fn put_away(blobs: &dyn Blobs, task: TaskId, report: Vec<u8>) -> Result<Vec<u8>, Error> {
    use backoff::backoff::Backoff;
    if report.len() <= LARGE_BYTES {
        return Ok(report);
    }
    // Another attempt at the task may have brought another report: the name says which this is.
    let name = format!("results-large/{task}-{}", ContentId::of(&[&report]));
    let mut pauses = backoff::ExponentialBackoffBuilder::new()
        .with_initial_interval(Duration::from_millis(100))
        .with_max_elapsed_time(Some(GIVE_UP_AFTER))
        .build();
    loop {
        match blobs.create(&name, report.clone()).await {
            Ok(_there) => return Ok(encode_pointer(&name)),
            Err(error) => match pauses.next_backoff() {
                Some(pause) => {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "a large report is stored again"
                    );
                    tokio::time::sleep(pause).await;
                }
                None => return Err(error),
            },
        }
    }
}
