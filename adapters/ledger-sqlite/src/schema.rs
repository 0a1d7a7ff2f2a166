//! The file's layout and how it is opened.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use crate::error::{Error, Fault};

/// Name of the ledger's file in the run folder.
pub(crate) const FILE: &str = "ledger.sqlite";
/// Marks the file as a ledger of Gristmill ("GMLG").
const APPLICATION_ID: i64 = 0x474d_4c47;
/// Version of the layout below.
const VERSION: i64 = 1;

/// Payloads and results stand apart from the task's row, which is rewritten at each step. `ready_at` is set while a task is idle,
/// `lease_until` while it runs, `decided` once it has an outcome (its position in the results stream), so that each partial
/// index holds just the rows its question is about.
const TABLES: &str = "
    CREATE TABLE account (key INTEGER PRIMARY KEY, run BLOB NOT NULL UNIQUE, body TEXT NOT NULL);
    CREATE TABLE task (
        key INTEGER PRIMARY KEY,
        account INTEGER NOT NULL,
        id BLOB NOT NULL,
        ready_at INTEGER,
        lease_until INTEGER,
        decided INTEGER,
        body TEXT NOT NULL
    );
    CREATE UNIQUE INDEX task_by_id ON task (account, id);
    CREATE INDEX task_ready ON task (account, ready_at, key) WHERE ready_at IS NOT NULL;
    CREATE INDEX task_running ON task (account, lease_until, key) WHERE lease_until IS NOT NULL;
    CREATE INDEX task_decided ON task (account, decided) WHERE decided IS NOT NULL;
    CREATE TABLE payload (task INTEGER PRIMARY KEY, bytes BLOB NOT NULL);
    CREATE TABLE result (task INTEGER PRIMARY KEY, bytes BLOB NOT NULL);
    CREATE TABLE remnant (
        account INTEGER NOT NULL,
        task BLOB NOT NULL,
        attempt INTEGER NOT NULL,
        nonce BLOB NOT NULL,
        body TEXT NOT NULL,
        PRIMARY KEY (account, task, attempt, nonce)
    );
";

/// The batch jobs: makes the table where it is missing, and takes all batch jobs out of the hands they were in. Kept apart from the layout's version: a file without the table is one without batches.
const BATCH_JOBS: &str = "
    CREATE TABLE IF NOT EXISTS docket (
        tag TEXT PRIMARY KEY,
        run BLOB NOT NULL,
        model TEXT NOT NULL,
        tasks INTEGER NOT NULL,
        batch TEXT,
        holder TEXT NOT NULL,
        until INTEGER NOT NULL
    );
    UPDATE docket SET holder = '', until = 0 WHERE until > 0;
";

/// Opens the writer's connection, creating the file when there is none.
pub(crate) fn open_writer(folder: &Path) -> Result<Connection, Error> {
    let path = folder.join(FILE);
    let failed = |error: rusqlite::Error| store_error(&path, error);
    let conn = Connection::open(&path).map_err(failed)?;
    conn.busy_timeout(Duration::from_secs(5)).map_err(failed)?;
    conn.set_prepared_statement_cache_capacity(64);
    let empty: bool = conn
        .query_row("SELECT NOT EXISTS (SELECT 1 FROM sqlite_schema)", [], |row| {
            row.get(0)
        })
        .map_err(failed)?;
    if !empty {
        check_version(&conn, &path)?;
    }
    conn.pragma_update(None, "journal_mode", "wal").map_err(failed)?;
    conn.pragma_update(None, "synchronous", "full").map_err(failed)?;
    conn.pragma_update(None, "wal_autocheckpoint", 4_000)
        .map_err(failed)?;
    conn.pragma_update(None, "journal_size_limit", 64 << 20)
        .map_err(failed)?;
    if empty {
        conn.execute_batch(&format!(
            "BEGIN; {TABLES} PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {VERSION}; COMMIT;"
        ))
        .map_err(failed)?;
    }
    conn.execute_batch(BATCH_JOBS).map_err(failed)?;
    Ok(conn)
}

/// Opens a connection that cannot write.
pub(crate) fn open_reader(folder: &Path) -> Result<Connection, Error> {
    let path = folder.join(FILE);
    if !path.exists() {
        return Err(Error::Missing { path });
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(&path, flags).map_err(|error| store_error(&path, error))?;
    conn.busy_timeout(Duration::from_secs(5))
        .map_err(|error| store_error(&path, error))?;
    check_version(&conn, &path)?;
    Ok(conn)
}

fn check_version(conn: &Connection, path: &Path) -> Result<(), Error> {
    let pragma = |name| {
        conn.pragma_query_value(None, name, |row| row.get::<_, i64>(0))
            .map_err(|error| store_error(path, error))
    };
    let (application, version) = (pragma("application_id")?, pragma("user_version")?);
    if (application, version) == (APPLICATION_ID, VERSION) {
        return Ok(());
    }
    Err(Error::Foreign {
        path: path.to_owned(),
        found: if application == APPLICATION_ID {
            format!("layout {version}, expected {VERSION}")
        } else {
            "a database of another program".to_owned()
        },
    })
}

fn store_error(path: &Path, error: rusqlite::Error) -> Error {
    if error.sqlite_error_code() == Some(rusqlite::ErrorCode::NotADatabase) {
        return Error::Foreign {
            path: path.to_owned(),
            found: "a file that is no database".to_owned(),
        };
    }
    Error::Store {
        path: path.to_owned(),
        source: Fault::from(error),
    }
}
