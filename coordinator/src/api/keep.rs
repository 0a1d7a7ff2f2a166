//! What is submitted, kept in the run's state.
//!
//! Seeds make up the run's id, so those of a submission whose id is right may take the place of whatever an earlier one left that broke off. Once rounds
//! are planned, nothing that they rest on is replaced.

use std::io::Write;

use gristmill_ports::blob::Blobs;
use gristmill_proto::SegmentKind;
use tonic::Status;

use super::spool::Spool;
use super::{run_status, told};
use crate::identity::{is_run_of, run_id};
use crate::owner::{START, read};
use crate::{Error, Journal, SeedStore, Start};

/// Written after the last segment of seeds.
const COMPLETE: &str = "seeds/complete.json";

/// Refuses seeds that do not make up the run that they are submitted as.
pub(super) async fn check_seeds(files: &dyn Blobs, start: &Start) -> Result<(), Status> {
    let seeds = SeedStore::load(files)
        .await
        .map_err(|error| match error {
            Error::Blob(_) => run_status(&error),
            damaged => Status::invalid_argument(told(&damaged)),
        })?
        .ok_or_else(|| Status::invalid_argument("the submission holds no seeds"))?;
    if is_run_of(start, seeds.digest()) {
        return Ok(());
    }
    let meant = run_id(&start.job, seeds.digest(), &start.prompts);
    Err(Status::invalid_argument(format!(
        "job, seeds and prompts make up run {meant}, not {}: nothing was stored",
        start.run
    )))
}

/// Stores the files of a submission whose seeds were checked.
pub(super) async fn keep(
    state: &dyn Blobs,
    spool: &Spool,
    start: &Start,
    folder: &str,
) -> Result<(), Status> {
    let kept = async {
        let planned = !Journal::new(state)
            .all_segments(SegmentKind::Plans)
            .await?
            .is_empty();
        if !has_seeds(state, start).await {
            if planned {
                return Ok(Some("seeds"));
            }
            keep_seeds(state, spool).await?;
        }
        for folder in ["databases", "validator"] {
            for (name, path) in spool.files(&format!("{folder}/")) {
                match read(state, name).await? {
                    Some(there) if there == spool.read(name).await? => {}
                    Some(_) if planned => return Ok(Some(folder)),
                    Some(_) | None => state.put_file(name, path).await?,
                }
            }
        }
        Ok(None)
    };
    match kept.await.map_err(|error: Error| run_status(&error))? {
        None => Ok(()),
        Some(what) => Err(Status::failed_precondition(format!(
            "the {what} of run {run} in {folder}/state/{what} are not those that its rounds were planned with: restore that folder from a copy",
            run = start.run
        ))),
    }
}

/// True where the seeds that are stored are the run's.
async fn has_seeds(state: &dyn Blobs, start: &Start) -> bool {
    // What cannot be read is not there.
    matches!(SeedStore::load(state).await, Ok(Some(seeds)) if is_run_of(start, seeds.digest()))
}

/// Puts seeds into the place of what a submission left that broke off, whole at the end or not at all.
async fn keep_seeds(state: &dyn Blobs, spool: &Spool) -> Result<(), Error> {
    state.remove(COMPLETE).await?;
    for name in state.list("seeds/").await? {
        if spool.files(&name).next().is_none() {
            state.remove(&name).await?;
        }
    }
    let (last, segments): (Vec<_>, Vec<_>) = spool.files("seeds/").partition(|(name, _)| *name == COMPLETE);
    for (name, path) in segments.into_iter().chain(last) {
        state.put_file(name, path).await?;
    }
    Ok(())
}

/// Stores what a run is started with, in place of what it was started with before: the addresses and keys that it goes on by.
pub(super) async fn keep_start(state: &dyn Blobs, spec: &[u8]) -> Result<(), Status> {
    let stored = async {
        let mut file = tempfile::NamedTempFile::new().map_err(|source| Error::Scratch { source })?;
        file.write_all(spec).map_err(|source| Error::Scratch { source })?;
        Ok(state.put_file(START, file.path()).await?)
    };
    stored.await.map_err(|error: Error| run_status(&error))
}
