//! Who keeps a run's books: one machine, in a ledger beside the run's state, or a cluster, in Redis.
//!
//! Each would count the same calls against a budget of its own, so a run belongs to one of them for good. The first that writes to
//! a run's state leaves a mark there, `owner.json`, and whoever comes later reads it. The mark names no process, so a crash leaves no stale
//! lock, and it is created conditionally, so it works the same on a disk and in object storage. A copy of a folder carries its mark.
//!
//! Runs of versions that left no mark are told apart by what stands in their state.

use std::fmt;

use gristmill_ports::blob::{Blobs, Create};
use serde::{Deserialize, Serialize};

use crate::{Error, Start};

/// Name of the mark in a run's state.
const MARK: &str = "owner.json";
/// What a run is started with, beside its state.
pub(crate) const START: &str = "run.json";

/// Who keeps a run's books.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Owner {
    /// One machine: `gristmill run`.
    Machine,
    /// A cluster: `gristmill submit`.
    Cluster,
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Machine => "one machine",
            Self::Cluster => "a cluster",
        })
    }
}

#[derive(Serialize, Deserialize)]
struct Mark {
    owner: Owner,
}

/// The run's owner; `None` where nothing is stored yet.
///
/// # Errors
/// [`Error::Blob`] where the state cannot be read, [`Error::Json`] where the mark is damaged.
pub async fn owner(state: &dyn Blobs) -> Result<Option<Owner>, Error> {
    match marked(state).await? {
        Some(owner) => Ok(Some(owner)),
        None => evident(state).await,
    }
}

/// Makes the run `wanted`'s, unless it is somebody else's.
///
/// # Errors
/// [`Error::Owned`] where it is; otherwise as [`owner`].
pub async fn claim(state: &dyn Blobs, wanted: Owner) -> Result<(), Error> {
    let found = match marked(state).await? {
        Some(owner) => owner,
        None => match evident(state).await? {
            Some(owner) if owner != wanted => owner,
            Some(_) | None => mark(state, wanted).await?,
        },
    };
    if found == wanted {
        Ok(())
    } else {
        Err(Error::Owned { owner: found })
    }
}

/// Leaves the mark, and says whose it is: another may have been faster.
async fn mark(state: &dyn Blobs, owner: Owner) -> Result<Owner, Error> {
    match state.create(MARK, serde_json::to_vec(&Mark { owner })?).await? {
        Create::Created => Ok(owner),
        Create::Exists => Ok(marked(state).await?.unwrap_or(owner)),
    }
}

async fn marked(state: &dyn Blobs) -> Result<Option<Owner>, Error> {
    match read(state, MARK).await? {
        Some(bytes) => Ok(Some(serde_json::from_slice::<Mark>(&bytes)?.owner)),
        None => Ok(None),
    }
}

/// What the state of a run without a mark says: a ledger stands only beside the state of a run that works alone, and a job that was
/// submitted carries no folder of the machine that read it.
async fn evident(state: &dyn Blobs) -> Result<Option<Owner>, Error> {
    if !state.list("account.json").await?.is_empty() {
        return Ok(Some(Owner::Cluster));
    }
    if !state.list("ledger.").await?.is_empty() {
        return Ok(Some(Owner::Machine));
    }
    let Some(start) = read(state, START).await? else {
        return Ok(None);
    };
    let start: Start = serde_json::from_slice(&start)?;
    Ok(Some(if start.base.as_os_str().is_empty() {
        Owner::Cluster
    } else {
        Owner::Machine
    }))
}

/// A blob, if it is there.
pub(crate) async fn read(state: &dyn Blobs, name: &str) -> Result<Option<Vec<u8>>, Error> {
    match state.read(name).await {
        Ok(bytes) => Ok(Some(bytes)),
        Err(gristmill_ports::blob::Error::Missing { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
