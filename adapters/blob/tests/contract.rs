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
use gristmill_ports::blob::Blobs;
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

    /// Runs against a real service where the environment names one, such as `s3://bucket` with its keys.
    struct Named(String);

    #[async_trait]
    impl Harness for Named {
        async fn start(&self) -> Rig {
            let folder = tempfile::tempdir().unwrap();
            // A name that no other run of the test has.
            let scope = folder
                .path()
                .file_name()
                .unwrap()
                .to_string_lossy()
                .replace('.', "");
            let blobs = gristmill_blob::open(&format!("{}/contract/{scope}", self.0)).unwrap();
            Rig {
                blobs,
                keep: Box::new(folder),
            }
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn the_store_that_the_environment_names_keeps_the_contract() {
        use gristmill_ports::contract::blob as scenario;
        let Ok(url) = std::env::var("GRISTMILL_TEST_BLOBS") else {
            println!("passed over: `GRISTMILL_TEST_BLOBS` names no bucket");
            return;
        };
        let harness = Named(url);
        scenario::the_first_create_wins(&harness).await;
        scenario::one_of_many_creators_wins_and_nobody_sees_a_part(&harness).await;
        scenario::names_are_listed_in_order_by_prefix(&harness).await;
        scenario::what_is_not_there_is_missing(&harness).await;
        scenario::a_file_replaces_what_was_there(&harness).await;
        scenario::names_that_lead_out_are_refused(&harness).await;
    }

    mod memory {
        gristmill_ports::blob_contract!(super::Memory);
    }

    mod files {
        gristmill_ports::blob_contract!(super::Files);
    }
}
