//! What is in a batch: its tasks and their attempts, in the run's blobs, where any worker finds them.

use std::time::Duration;

use gristmill_domain::work::Task;
use gristmill_ports::blob::{self, Blobs};
use gristmill_ports::ledger::Fence;
use gristmill_proto::{Record, Segment, SegmentKind};
use serde::{Deserialize, Serialize};

/// Time after which writing is given up.
const GIVE_UP_AFTER: Duration = Duration::from_secs(20);

/// One request of a batch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Item {
    /// The attempt that it is.
    pub(super) fence: Fence,
    /// What is asked, and what the answer is held against.
    pub(super) task: Task,
}

/// The contents cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error(transparent)]
    Blob(#[from] blob::Error),
    #[error(transparent)]
    Segment(#[from] gristmill_proto::Error),
    #[error("packing them was cut off")]
    CutOff(#[source] tokio::task::JoinError),
}

fn name(tag: &str) -> String {
    format!("batches/{tag}.seg")
}

/// Writes down what is in a batch.
pub(super) async fn write(blobs: &dyn Blobs, tag: &str, items: &[Item]) -> Result<(), Error> {
    use backoff::backoff::Backoff;
    let records: Vec<Record<Item>> = items.iter().cloned().map(Record::plain).collect();
    let bytes = tokio::task::spawn_blocking(move || Segment::encode(SegmentKind::Batches, &records))
        .await
        .map_err(Error::CutOff)??;
    let mut pauses = backoff::ExponentialBackoffBuilder::new()
        .with_initial_interval(Duration::from_millis(100))
        .with_max_elapsed_time(Some(GIVE_UP_AFTER))
        .build();
    loop {
        match blobs.create(&name(tag), bytes.clone()).await {
            Ok(_there) => return Ok(()),
            Err(error) => match pauses.next_backoff() {
                Some(pause) => tokio::time::sleep(pause).await,
                None => return Err(error.into()),
            },
        }
    }
}

/// Reads what is in a batch.
pub(super) async fn read(blobs: &dyn Blobs, tag: &str) -> Result<Vec<Item>, Error> {
    let bytes = blobs.read(&name(tag)).await?;
    let records = tokio::task::spawn_blocking(move || Segment::decode(SegmentKind::Batches, &bytes))
        .await
        .map_err(Error::CutOff)??;
    Ok(records.into_iter().map(|record| record.value).collect())
}
