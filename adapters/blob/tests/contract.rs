//! The contract of blob stores: on a disk, below a prefix, over an object store.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "tests fail by panicking"
)]

use std::sync::Arc;

use async_trait::async_trait;
use gristmill_blob::{LocalBlobs, Prefixed};
use gristmill_domain::id::RunId;
use gristmill_ports::contract::blob::{Harness, Rig};

struct Local;

#[async_trait]
impl Harness for Local {
    async fn start(&self) -> Rig {
        let folder = tempfile::tempdir().unwrap();
        Rig {
            blobs: Arc::new(LocalBlobs::new(folder.path())),
            keep: Box::new(folder),
        }
    }
}

struct Scope;

#[async_trait]
impl Harness for Scope {
    async fn start(&self) -> Rig {
        let Rig { blobs, keep } = Local.start().await;
        // Neighbours that must not show.
        for name in ["runs/1", "runs/10/rows/1", "runs/2/x"] {
            blobs.create(name, b"a neighbour's".to_vec()).await.unwrap();
        }
        Rig {
            blobs: Arc::new(Prefixed::new(blobs, "runs/3").unwrap()),
            keep,
        }
    }
}

#[tokio::test]
async fn a_run_has_its_state_where_its_id_says() {
    let Rig { blobs, keep: _keep } = Local.start().await;
    let run = RunId::of(&[b"a run"]);
    let state = Prefixed::state(Arc::clone(&blobs), run);
    state.create("plans/1.seg", b"x".to_vec()).await.unwrap();
    assert_eq!(
        blobs.list("").await.unwrap(),
        [format!("{run}/state/plans/1.seg")]
    );
}

mod local {
    gristmill_ports::blob_contract!(super::Local);
}

mod prefixed {
    gristmill_ports::blob_contract!(super::Scope);
}

#[cfg(feature = "object-storage")]
mod object {
    use gristmill_blob::ObjectBlobs;
    use object_store::local::LocalFileSystem;
    use object_store::memory::InMemory;

    use super::*;

    struct Memory;

    #[async_trait]
    impl Harness for Memory {
        async fn start(&self) -> Rig {
            let blobs = ObjectBlobs::new(Arc::new(InMemory::new()), "memory");
            Rig {
                blobs: Arc::new(Prefixed::new(Arc::new(blobs), "a/b").unwrap()),
                keep: Box::new(()),
            }
        }
    }

    struct Files;

    #[async_trait]
    impl Harness for Files {
        async fn start(&self) -> Rig {
            let folder = tempfile::tempdir().unwrap();
            let store = LocalFileSystem::new_with_prefix(folder.path()).unwrap();
            Rig {
                blobs: Arc::new(ObjectBlobs::new(Arc::new(store), "files")),
                keep: Box::new(folder),
            }
        }
    }

    mod memory {
        gristmill_ports::blob_contract!(super::Memory);
    }

    mod files {
        gristmill_ports::blob_contract!(super::Files);
    }
}
