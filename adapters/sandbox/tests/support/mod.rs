//! A sandbox over a small database, with the crate's own child program.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use gristmill_domain::answer::sql::{Cell, Table};
use gristmill_ports::sql::{SqlEngine, SqlError};
use gristmill_sandbox::{Error, Limits, Options, Sandbox, Source};

/// Ten authors with a name and an age, and a view.
pub(crate) const DUMP: &str = "PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE author (id INTEGER PRIMARY KEY, name TEXT, age REAL);
INSERT INTO author VALUES(1,'Ada',36.5),(2,'Béla',NULL),(3,'it''s; a name',40),(4,'D',1),(5,'E',2),(6,'F',3),
 (7,'G',4),(8,'H',5),(9,'I',6),(10,'J',7);
CREATE VIEW old AS SELECT name FROM author WHERE age > 36;
COMMIT;
";

pub(crate) fn options(folder: &Path, slots: usize, limits: Limits) -> Options {
    let path = folder.join("small.sql");
    std::fs::write(&path, DUMP).unwrap();
    let databases = BTreeMap::from([("small".to_owned(), Source::Dump(path))]);
    Options {
        limits,
        slots: NonZeroUsize::new(slots).unwrap(),
        program: Some(env!("CARGO_BIN_EXE_gristmill-sandbox-child").into()),
        ..Options::new(databases)
    }
}

pub(crate) struct Bed {
    /// The dump lies here for as long as the test runs.
    _folder: tempfile::TempDir,
    pub(crate) sandbox: Sandbox,
}

impl Bed {
    pub(crate) async fn new(slots: usize, limits: Limits) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let sandbox = Sandbox::open(options(folder.path(), slots, limits))
            .await
            .unwrap();
        Self {
            _folder: folder,
            sandbox,
        }
    }

    pub(crate) async fn run(&self, query: &str) -> Result<Table, SqlError> {
        self.sandbox.run("small", query).await
    }

    /// The engine still answers rightly.
    #[allow(dead_code, reason = "each test file uses its part")]
    pub(crate) async fn assert_alive(&self) {
        // Another text each time: results of the same query are known.
        static ASKED: AtomicUsize = AtomicUsize::new(0);
        let number = ASKED.fetch_add(1, Ordering::Relaxed);
        let query = format!("SELECT count(*) FROM author -- {number}");
        let table = self.run(&query).await.unwrap();
        assert_eq!(table.rows, [[Cell::Integer(10)]]);
    }
}

#[allow(dead_code, reason = "each test file uses its part")]
pub(crate) async fn open_error(options: Options) -> Error {
    Sandbox::open(options).await.map(|_| ()).unwrap_err()
}
