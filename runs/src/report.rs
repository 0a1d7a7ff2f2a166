//! The report of a run: what its journal, books and manifest say, as one page and as pictures.
//!
//! Everything is read from what is stored, so that a report can be made again at any time, and is the same each time. Of a large run a stated
//! number of rows is drawn; counts are of all rows.

mod gather;
mod measured;
mod rounds;
mod so_far;
mod tell;

use anyhow::Context;
use gristmill_coordinator::{SeedStore, Start};
use gristmill_picture::report::Report;
use gristmill_ports::blob::Blobs;

use crate::assemble::Manifest;
pub use so_far::{SoFar, manifest_so_far};

/// A run's page, by its name in the run's folder.
pub const REPORT_FILE: &str = "report.html";

/// Makes a run's report.
///
/// # Errors
/// State that cannot be read.
pub async fn report(
    state: &dyn Blobs,
    start: &Start,
    seeds: &SeedStore,
    manifest: &Manifest,
) -> anyhow::Result<Report> {
    let mut gathered = gather::gather(state, start, seeds).await?;
    let (start, manifest) = (start.clone(), manifest.clone());
    let made = tokio::task::spawn_blocking(move || {
        gathered.fill_in_vectors();
        let measured = measured::measure(&gathered);
        tell::report(&start, &manifest, &gathered, &measured)
    });
    made.await.context("the report's thread ended early")
}
