//! Who keeps a run's books: one machine, in a ledger beside the run's state, or a cluster, in Redis.
//!
//! Each would count the same calls against a budget of its own, so a run belongs to one of them for good. The first that writes to
//! a run's state leaves a mark there, `owner.json`, and whoever comes later reads it. The mark names no process, so a crash leaves no stale
//! lock, and it is created conditionally, so it works the same on a disk and in object storage. A copy of a folder carries its mark.
//!
//! Runs of versions that left no mark are told apart by what stands in their state.

mod kind;

use gristmill_ports::blob::{Blobs, Create};
use gristmill_proto::FormatVersion;
use serde::{Deserialize, Serialize};

use crate::{Error, Start};

pub use kind::Owner;

/// Name of the mark in a run's state.
const MARK: &str = "owner.json";
/// What a run is started with, beside its state.
pub(crate) const START: &str = "run.json";

#[derive(Serialize, Deserialize)]
struct Mark {
    #[serde(default)]
    format: FormatVersion<1>,
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
    match state
        .create(
            MARK,
            serde_json::to_vec(&Mark {
                format: FormatVersion,
                owner,
            })?,
        )
        .await?
    {
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

#[cfg(test)]
mod tests {
    use gristmill_blob::LocalBlobs;

    use super::*;

    async fn state_with(files: &[(&str, &str)]) -> (tempfile::TempDir, LocalBlobs) {
        let folder = tempfile::tempdir().unwrap();
        let state = LocalBlobs::new(folder.path());
        for (name, text) in files {
            state.create(name, text.as_bytes().to_vec()).await.unwrap();
        }
        (folder, state)
    }

    fn start(base: &str) -> String {
        serde_json::json!({
            "run": gristmill_domain::id::RunId::of(&[b"run"]), "version": "0.1.0", "job_file": "job.yaml", "base": base,
            "job": {"seeds": {"path": "s"}, "teacher": {"base_url": "http://x/v1", "model": "m"}, "budget": {"calls": 1}},
            "limit": {"usd": null, "calls": 1}, "prompts": [], "bad_rows": 0,
        })
        .to_string()
    }

    #[tokio::test]
    async fn the_first_that_claims_a_run_keeps_it() {
        for (first, second) in [(Owner::Machine, Owner::Cluster), (Owner::Cluster, Owner::Machine)] {
            let (_folder, state) = state_with(&[]).await;
            assert_eq!(owner(&state).await.unwrap(), None);
            claim(&state, first).await.unwrap();
            claim(&state, first).await.unwrap();
            let refused = claim(&state, second).await;
            assert!(
                matches!(refused, Err(Error::Owned { owner }) if owner == first),
                "{refused:?}"
            );
            assert_eq!(owner(&state).await.unwrap(), Some(first));
        }
    }

    #[tokio::test]
    async fn runs_of_versions_without_a_mark_are_told_apart() {
        let (submitted, began) = (start(""), start("/jobs"));
        let cases = [
            // Submitted, not begun; begun; ended.
            (vec![("run.json", submitted.as_str())], Owner::Cluster),
            (
                vec![("run.json", &submitted), ("plans/00000000.seg", "")],
                Owner::Cluster,
            ),
            (
                vec![("run.json", &submitted), ("account.json", "{}")],
                Owner::Cluster,
            ),
            // A second ledger was opened beside a cluster's run.
            (
                vec![
                    ("run.json", &submitted),
                    ("account.json", "{}"),
                    ("ledger.sqlite", ""),
                ],
                Owner::Cluster,
            ),
            // Of one machine: killed before its ledger was there, and begun.
            (vec![("run.json", began.as_str())], Owner::Machine),
            (
                vec![("run.json", &began), ("ledger.sqlite", ""), ("ledger.lock", "")],
                Owner::Machine,
            ),
        ];
        for (files, expected) in cases {
            let (_folder, state) = state_with(&files).await;
            assert_eq!(owner(&state).await.unwrap(), Some(expected), "{files:?}");
            let other = match expected {
                Owner::Machine => Owner::Cluster,
                Owner::Cluster => Owner::Machine,
            };
            assert!(
                matches!(claim(&state, other).await, Err(Error::Owned { .. })),
                "{files:?}"
            );
            assert!(
                state.list(MARK).await.unwrap().is_empty(),
                "a refusal writes nothing"
            );
            claim(&state, expected).await.unwrap();
        }
    }

    #[tokio::test]
    async fn of_many_that_claim_at_once_one_kind_wins() {
        let (_folder, state) = state_with(&[]).await;
        let mut claims = tokio::task::JoinSet::new();
        for number in 0..16 {
            let state = state.clone();
            claims.spawn(async move {
                let wanted = if number % 2 == 0 {
                    Owner::Machine
                } else {
                    Owner::Cluster
                };
                (wanted, claim(&state, wanted).await.is_ok())
            });
        }
        let winner = owner(&state).await.unwrap();
        let ended = claims.join_all().await;
        let winner = winner.or(owner(&state).await.unwrap()).unwrap();
        assert!(
            ended.iter().all(|(wanted, won)| *won == (*wanted == winner)),
            "{ended:?}"
        );
    }
}
