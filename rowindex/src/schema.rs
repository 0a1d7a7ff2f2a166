//! The file: opened, or thrown away and begun anew.

use std::path::{Path, PathBuf};
use std::time::Duration;

use gristmill_domain::id::RunId;
use rusqlite::{Connection, OpenFlags, OptionalExtension, params};

use crate::error::Error;

/// Version of the file. One of another version is thrown away: everything in it is in the journal.
pub(crate) const VERSION: i64 = 2;
/// Bytes of a page of the file.
pub(crate) const PAGE_BYTES: i64 = 16_384;

const TABLES: &str = "
CREATE TABLE facts (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE columns (place INTEGER PRIMARY KEY, packed BLOB NOT NULL);
CREATE TABLE costs (block INTEGER PRIMARY KEY, least INTEGER NOT NULL, most INTEGER NOT NULL);
CREATE TABLE names (facet INTEGER NOT NULL, code INTEGER NOT NULL, value TEXT NOT NULL, PRIMARY KEY (facet, code)) WITHOUT ROWID;
CREATE TABLE rows (
    row INTEGER PRIMARY KEY, id BLOB NOT NULL, segment INTEGER, at INTEGER NOT NULL,
    question TEXT NOT NULL, answer TEXT NOT NULL, detail TEXT NOT NULL
);
CREATE UNIQUE INDEX rows_by_id ON rows (id);
CREATE TABLE segments (number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE tasks (segment INTEGER PRIMARY KEY, round INTEGER NOT NULL, ids BLOB NOT NULL);
CREATE INDEX tasks_by_round ON tasks (round);
CREATE TABLE vectors (block INTEGER PRIMARY KEY, owners BLOB NOT NULL, scales BLOB NOT NULL, packed BLOB NOT NULL);
CREATE TABLE places (block INTEGER PRIMARY KEY, packed BLOB NOT NULL);
CREATE TABLE landmarks (number INTEGER PRIMARY KEY, x REAL NOT NULL, y REAL NOT NULL, scale REAL NOT NULL, packed BLOB NOT NULL);
CREATE VIRTUAL TABLE words USING fts5(text, content='', columnsize=0, tokenize='unicode61 remove_diacritics 2');
";

/// The file of a run in a folder.
pub(crate) fn file(folder: &Path, run: RunId) -> PathBuf {
    folder.join(format!("{run}.rows.sqlite"))
}

/// Opens the file for writing, having made it anew where it cannot be used.
pub(crate) fn open(path: &Path, run: RunId) -> Result<Connection, Error> {
    match existing(path, run) {
        Ok(Some(connection)) => return Ok(connection),
        Ok(None) => {}
        Err(error) if error.of_file() => {}
        Err(error) => return Err(error),
    }
    remove(path)?;
    let mut connection = connect(path)?;
    let transaction = connection.transaction()?;
    transaction.execute_batch(TABLES)?;
    set(&transaction, "run", run.to_string())?;
    transaction.pragma_update(None, "user_version", VERSION)?;
    transaction.commit()?;
    Ok(connection)
}

/// The file, if it is one of this version and of this run.
fn existing(path: &Path, run: RunId) -> Result<Option<Connection>, Error> {
    if !path.exists() {
        return Ok(None);
    }
    let connection = connect(path)?;
    let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if version != VERSION {
        return Ok(None);
    }
    let of: Option<String> = get(&connection, "run")?;
    Ok((of == Some(run.to_string())).then_some(connection))
}

fn connect(path: &Path) -> Result<Connection, Error> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(Duration::from_secs(10))?;
    // Set before the first table is made; a file that has one keeps its own.
    connection.pragma_update(None, "page_size", PAGE_BYTES)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.pragma_update(None, "cache_size", -65_536)?;
    Ok(connection)
}

/// Opens the file for reading.
pub(crate) fn reader(path: &Path) -> Result<Connection, Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(Duration::from_secs(10))?;
    connection.pragma_update(None, "query_only", true)?;
    connection.pragma_update(None, "mmap_size", 2_i64 << 30)?;
    Ok(connection)
}

/// Removes the file with what SQLite keeps beside it.
pub(crate) fn remove(path: &Path) -> Result<(), Error> {
    for ending in ["", "-wal", "-shm"] {
        let mut name = path.as_os_str().to_owned();
        name.push(ending);
        match std::fs::remove_file(&name) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                return Err(Error::Folder {
                    path: name.into(),
                    source,
                });
            }
            Ok(()) | Err(_) => {}
        }
    }
    Ok(())
}

/// A fact of the file itself.
pub(crate) fn get<T: rusqlite::types::FromSql>(
    connection: &Connection,
    name: &str,
) -> Result<Option<T>, Error> {
    let mut statement = connection.prepare_cached("SELECT value FROM facts WHERE name = ?1")?;
    Ok(statement.query_row([name], |row| row.get(0)).optional()?)
}

/// Sets a fact of the file itself.
pub(crate) fn set(connection: &Connection, name: &str, value: impl rusqlite::ToSql) -> Result<(), Error> {
    connection
        .prepare_cached("INSERT OR REPLACE INTO facts (name, value) VALUES (?1, ?2)")?
        .execute(params![name, value])?;
    Ok(())
}

/// Rows that are indexed.
pub(crate) fn rows(connection: &Connection) -> Result<u64, Error> {
    Ok(get::<i64>(connection, "rows")?.unwrap_or_default() as u64)
}
