//! What every blob store must do.
//!
//! An implementation gives a [`Harness`] and writes one line, `gristmill_ports::blob_contract!(MyHarness)`, in a test file; it needs
//! `tokio` with its macros there.

use std::any::Any;
use std::io::Write;
use std::sync::Arc;

use async_trait::async_trait;

use crate::blob::{Blobs, Create, Error};

/// Bytes beyond what a store would send in one piece.
const LARGE: usize = (17 << 20) + 3;

/// Starts empty stores.
#[async_trait]
pub trait Harness: Send + Sync {
    /// A new, empty store.
    async fn start(&self) -> Rig;
}

/// One store under test.
pub struct Rig {
    /// The store.
    pub blobs: Arc<dyn Blobs>,
    /// What must live as long as the store: a temporary folder, a server.
    pub keep: Box<dyn Any + Send + Sync>,
}

/// One test a scenario.
#[macro_export]
macro_rules! blob_contract {
    ($harness:expr) => {
        $crate::blob_contract!(@async $harness,
            the_first_create_wins
            one_of_many_creators_wins_and_nobody_sees_a_part
            names_are_listed_in_order_by_prefix
            what_is_not_there_is_missing
            a_file_replaces_what_was_there
            folders_are_the_first_parts_of_names
            what_is_removed_is_gone
            names_that_lead_out_are_refused
        );
    };
    (@async $harness:expr, $($scenario:ident)*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $scenario() {
            $crate::contract::blob::$scenario(&$harness).await;
        }
    )*};
}

async fn fill(blobs: &dyn Blobs, names: &[&str]) {
    for name in names {
        let created = blobs.create(name, name.as_bytes().to_vec()).await.unwrap();
        assert_eq!(created, Create::Created, "{name}");
    }
}

pub async fn folders_are_the_first_parts_of_names(harness: &dyn Harness) {
    let rig = harness.start().await;
    assert_eq!(rig.blobs.folders().await.unwrap(), Vec::<String>::new());
    fill(&*rig.blobs, &["b/state/run.json", "a/1", "a/2/x", "alone"]).await;
    assert_eq!(rig.blobs.folders().await.unwrap(), ["a", "b"]);
}

pub async fn what_is_removed_is_gone(harness: &dyn Harness) {
    let rig = harness.start().await;
    fill(&*rig.blobs, &["a/1", "a/2"]).await;
    rig.blobs.remove("a/1").await.unwrap();
    rig.blobs.remove("a/1").await.unwrap();
    rig.blobs.remove("b/1").await.unwrap();
    assert_eq!(rig.blobs.list("").await.unwrap(), ["a/2"]);
    let again = rig.blobs.create("a/1", b"new".to_vec()).await.unwrap();
    assert_eq!(again, Create::Created);
    assert!(matches!(rig.blobs.remove("../a").await, Err(Error::Name { .. })));
}

pub async fn the_first_create_wins(harness: &dyn Harness) {
    let rig = harness.start().await;
    let create = |bytes: &'static [u8]| rig.blobs.create("plans/1.seg", bytes.to_vec());
    assert_eq!(create(b"first").await.unwrap(), Create::Created);
    assert_eq!(create(b"other").await.unwrap(), Create::Exists);
    assert_eq!(
        create(b"first").await.unwrap(),
        Create::Exists,
        "with the same bytes, too"
    );
    assert_eq!(rig.blobs.read("plans/1.seg").await.unwrap(), b"first");
    assert_eq!(
        rig.blobs.create("empty", Vec::new()).await.unwrap(),
        Create::Created
    );
    assert_eq!(rig.blobs.read("empty").await.unwrap(), b"");
}

pub async fn one_of_many_creators_wins_and_nobody_sees_a_part(harness: &dyn Harness) {
    const SIZE: usize = 1 << 20;
    let rig = harness.start().await;
    let mut creators = tokio::task::JoinSet::new();
    for creator in 0..16_u8 {
        let blobs = Arc::clone(&rig.blobs);
        creators.spawn(async move {
            (
                creator,
                blobs.create("rows/1", vec![creator; SIZE]).await.unwrap(),
            )
        });
    }
    let whole = |bytes: &[u8]| bytes.len() == SIZE && bytes.iter().all(|byte| byte == &bytes[0]);
    loop {
        match rig.blobs.read("rows/1").await {
            Ok(bytes) => {
                assert!(whole(&bytes), "a part was seen");
                break;
            }
            Err(Error::Missing { .. }) => tokio::task::yield_now().await,
            Err(error) => panic!("{error:?}"),
        }
    }
    let winners: Vec<u8> = creators
        .join_all()
        .await
        .into_iter()
        .filter(|(_, create)| *create == Create::Created)
        .map(|(creator, _)| creator)
        .collect();
    assert_eq!(winners.len(), 1, "{winners:?}");
    assert_eq!(rig.blobs.read("rows/1").await.unwrap(), vec![winners[0]; SIZE]);
    assert_eq!(
        rig.blobs.list("").await.unwrap(),
        ["rows/1"],
        "nothing else is left behind"
    );
}

pub async fn names_are_listed_in_order_by_prefix(harness: &dyn Harness) {
    let rig = harness.start().await;
    fill(
        &*rig.blobs,
        &[
            "rows/2",
            "rows/10",
            "rows/deep/er/x",
            "rows2/a",
            "plans/1",
            "rows/1",
            "rows/deep=1",
        ],
    )
    .await;
    let list = async |prefix: &str| rig.blobs.list(prefix).await.unwrap();
    assert_eq!(
        list("rows/").await,
        ["rows/1", "rows/10", "rows/2", "rows/deep/er/x", "rows/deep=1"]
    );
    assert_eq!(list("rows/1").await, ["rows/1", "rows/10"]);
    assert_eq!(list("rows/deep").await, ["rows/deep/er/x", "rows/deep=1"]);
    assert_eq!(list("rows2").await, ["rows2/a"]);
    assert_eq!(list("row").await.len(), 6);
    assert_eq!(list("").await.len(), 7);
    assert_eq!(
        list("plans/1").await,
        ["plans/1"],
        "a whole name is a prefix of itself"
    );
    assert_eq!(list("none/").await, Vec::<String>::new());
}

pub async fn what_is_not_there_is_missing(harness: &dyn Harness) {
    let rig = harness.start().await;
    fill(&*rig.blobs, &["rows/1"]).await;
    for name in ["rows/2", "none/1", "rows"] {
        match rig.blobs.read(name).await {
            Err(Error::Missing { .. }) => {}
            other => panic!("{name}: {other:?}"),
        }
    }
    assert!(
        rig.blobs
            .put_file("rows/2", "no/such/file".as_ref())
            .await
            .is_err()
    );
    assert!(matches!(
        rig.blobs.read("rows/2").await,
        Err(Error::Missing { .. })
    ));
}

pub async fn a_file_replaces_what_was_there(harness: &dyn Harness) {
    let rig = harness.start().await;
    let large: Vec<u8> = (0..LARGE).map(|at| (at / 7) as u8).collect();
    for bytes in [&b"small"[..], &large, b"", b"small again"] {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(bytes).unwrap();
        rig.blobs
            .put_file("dataset/train.parquet", file.path())
            .await
            .unwrap();
        assert!(
            rig.blobs.read("dataset/train.parquet").await.unwrap() == bytes,
            "{} bytes",
            bytes.len()
        );
        assert_eq!(rig.blobs.list("").await.unwrap(), ["dataset/train.parquet"]);
    }
    assert_eq!(
        rig.blobs
            .create("dataset/train.parquet", b"late".to_vec())
            .await
            .unwrap(),
        Create::Exists
    );
}

pub async fn names_that_lead_out_are_refused(harness: &dyn Harness) {
    let rig = harness.start().await;
    let file = tempfile::NamedTempFile::new().unwrap();
    for name in [
        "../x",
        "a/../../x",
        "/etc/x",
        "",
        "a//b",
        "a/",
        ".hidden",
        "a\\..\\x",
        "a%2e%2e/x",
    ] {
        let refused = |result: Result<(), Error>| {
            assert!(matches!(result, Err(Error::Name { .. })), "{name}: {result:?}")
        };
        refused(rig.blobs.create(name, b"x".to_vec()).await.map(drop));
        refused(rig.blobs.put_file(name, file.path()).await);
        refused(rig.blobs.read(name).await.map(drop));
    }
    for prefix in ["../", "/", "a/../b"] {
        assert!(
            matches!(rig.blobs.list(prefix).await, Err(Error::Name { .. })),
            "{prefix}"
        );
    }
    assert_eq!(rig.blobs.list("").await.unwrap(), Vec::<String>::new());
}
