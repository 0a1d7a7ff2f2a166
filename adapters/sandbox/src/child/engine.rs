//! SQLite with everything closed but reading.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use gristmill_domain::answer::sql::{Cell, Table};
use rusqlite::config::DbConfig;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::limits::Limit;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, ErrorCode, OpenFlags, Statement};

use super::confine;
use crate::options::Limits;
use crate::wire::{Query, Reply};

/// Steps of SQLite's machine between two looks at the limits: some 100 µs.
const PERIOD: i32 = 10_000;
/// Connections kept open, each with one file, below the limit on files; opening one costs well under a millisecond.
const OPEN_MAX: usize = 48;
/// Page cache a connection, in KiB: all of them together leave most of the memory limit to the query.
const CACHE_KIB: i64 = 1024;
/// Functions whose result is chance, or that reach out of the database.
const REFUSED_FUNCTIONS: [&str; 4] = ["random", "randomblob", "load_extension", "fts3_tokenizer"];

/// What the hooks and the engine tell each other.
#[derive(Debug, Default)]
struct Watch {
    steps_left: AtomicU64,
    /// Processor time, in microseconds since the process began, at which the query is interrupted.
    cpu_until: AtomicU64,
    /// Why the authorizer said no.
    refusal: Mutex<Option<String>>,
}

impl Watch {
    fn arm(&self, limits: &Limits) {
        self.steps_left.store(limits.steps_max, Ordering::Relaxed);
        let until = confine::cpu_used() + limits.cpu;
        self.cpu_until.store(micros(until), Ordering::Relaxed);
        *self.refusal.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn out_of_steps(&self) -> bool {
        self.steps_left.load(Ordering::Relaxed) == 0
    }

    /// The progress handler: true interrupts.
    fn tick(&self) -> bool {
        let left = self
            .steps_left
            .load(Ordering::Relaxed)
            .saturating_sub(PERIOD.unsigned_abs().into());
        self.steps_left.store(left, Ordering::Relaxed);
        left == 0 || micros(confine::cpu_used()) >= self.cpu_until.load(Ordering::Relaxed)
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// Answers queries on a fixed list of database files.
pub(super) struct Engine {
    limits: Limits,
    files: Vec<String>,
    open: HashMap<usize, Connection>,
    watch: Arc<Watch>,
}

impl Engine {
    pub(super) fn new(limits: Limits, files: Vec<String>) -> Self {
        Self {
            limits,
            files,
            open: HashMap::new(),
            watch: Arc::default(),
        }
    }

    /// Runs one query; every outcome is a reply.
    pub(super) fn answer(&mut self, query: &Query) -> Reply {
        self.watch.arm(&self.limits);
        if let Err(error) = confine::allow_cpu(self.limits.cpu) {
            return Reply::Broken(format!("cannot limit processor time: {error}"));
        }
        if !self.open.contains_key(&query.file) {
            if self.open.len() >= OPEN_MAX {
                self.open.clear();
            }
            let Some(file) = self.files.get(query.file) else {
                return Reply::Broken(format!("no file {}", query.file));
            };
            match connect(file, &self.limits, &self.watch) {
                Ok(connection) => self.open.insert(query.file, connection),
                Err(error) => return Reply::Broken(format!("cannot open {file}: {error}")),
            };
        }
        let Some(connection) = self.open.get(&query.file) else {
            return Reply::Broken(format!("no connection {}", query.file));
        };
        match run(connection, &query.text, &self.limits) {
            Ok(reply) => reply,
            Err(error) => self.explain(error),
        }
    }

    fn explain(&self, error: rusqlite::Error) -> Reply {
        let code = error.sqlite_error_code();
        let refusal = self
            .watch
            .refusal
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        // Where the authorizer said no, that is the reason, whatever code SQLite gives it.
        if let Some(reason) = refusal {
            return Reply::Refused(reason);
        }
        match (code, error) {
            (Some(ErrorCode::OperationInterrupted), _) if self.watch.out_of_steps() => {
                Reply::TooLarge(format!("it took more than {} steps", self.limits.steps_max))
            }
            (Some(ErrorCode::OperationInterrupted), _) => Reply::TimedOut,
            (Some(ErrorCode::OutOfMemory), _) => Reply::TooLarge(format!(
                "it needed more than {} MiB of memory",
                self.limits.memory_bytes_max >> 20
            )),
            (Some(ErrorCode::TooBig), _) => Reply::TooLarge(format!(
                "a value of more than {} bytes",
                self.limits.result_bytes_max
            )),
            (_, rusqlite::Error::MultipleStatement) => Reply::Refused("it is more than one statement".into()),
            (_, error) => Reply::Failed(message(&error)),
        }
    }
}

/// SQLite's words, without the query's text that some errors repeat.
pub(super) fn message(error: &rusqlite::Error) -> String {
    match error {
        rusqlite::Error::SqlInputError { msg, offset, .. } if *offset >= 0 => {
            format!("{msg} at byte {offset}")
        }
        rusqlite::Error::SqlInputError { msg, .. } => msg.clone(),
        rusqlite::Error::SqliteFailure(_, Some(msg)) => msg.clone(),
        other => other.to_string(),
    }
}

fn connect(file: &str, limits: &Limits, watch: &Arc<Watch>) -> rusqlite::Result<Connection> {
    // Immutable: no locks, no journal, no file beside the database is looked at.
    let uri = format!("file:{}?mode=ro&immutable=1", escaped(file));
    let flags =
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(uri, flags)?;
    // Sorters and temporary tables stay in memory, where they count; the heap limit is the whole process's.
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
    connection.pragma_update(None, "query_only", true)?;
    let heap = i64::try_from(limits.memory_bytes_max).unwrap_or(i64::MAX);
    connection.query_row(&format!("PRAGMA hard_heap_limit={heap}"), [], |_| Ok(()))?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    let bytes = |value: usize| i32::try_from(value).unwrap_or(i32::MAX);
    for (limit, value) in [
        (Limit::SQLITE_LIMIT_LENGTH, bytes(limits.result_bytes_max)),
        (Limit::SQLITE_LIMIT_SQL_LENGTH, bytes(limits.query_bytes_max)),
        (Limit::SQLITE_LIMIT_COLUMN, 256),
        (Limit::SQLITE_LIMIT_EXPR_DEPTH, 250),
        (Limit::SQLITE_LIMIT_COMPOUND_SELECT, 100),
        (Limit::SQLITE_LIMIT_VDBE_OP, 250_000),
        (Limit::SQLITE_LIMIT_ATTACHED, 0),
        // Matching is exponential in the number of wildcards, within one step.
        (Limit::SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 1000),
        (Limit::SQLITE_LIMIT_WORKER_THREADS, 0),
    ] {
        connection.set_limit(limit, value)?;
    }
    // The schema is read here, before the authorizer could take its own queries for the stranger's.
    connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
    let (ticking, judging) = (Arc::clone(watch), Arc::clone(watch));
    connection.progress_handler(PERIOD, Some(move || ticking.tick()))?;
    connection.authorizer(Some(move |context: AuthContext<'_>| {
        match refusal(&context.action) {
            None => Authorization::Allow,
            Some(reason) => {
                *judging.refusal.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason);
                Authorization::Deny
            }
        }
    }))?;
    Ok(connection)
}

/// Escapes what a URI gives a meaning to.
pub(super) fn escaped(path: &str) -> String {
    path.replace('%', "%25").replace('?', "%3f").replace('#', "%23")
}

/// Why an action is not allowed; reading and computing are.
fn refusal(action: &AuthAction<'_>) -> Option<String> {
    let reason = match action {
        AuthAction::Select | AuthAction::Read { .. } | AuthAction::Recursive => return None,
        AuthAction::Function { function_name } => {
            let known = REFUSED_FUNCTIONS
                .iter()
                .find(|name| name.eq_ignore_ascii_case(function_name))?;
            format!("it calls {known}()")
        }
        AuthAction::Attach { .. } | AuthAction::Detach { .. } => "it attaches or detaches a database".into(),
        AuthAction::Pragma { pragma_name, .. } => format!("it uses PRAGMA {pragma_name}"),
        AuthAction::Insert { table_name } | AuthAction::Delete { table_name } => {
            format!("it writes to {table_name}")
        }
        AuthAction::Update { table_name, .. } => format!("it writes to {table_name}"),
        AuthAction::Transaction { .. } | AuthAction::Savepoint { .. } => "it controls transactions".into(),
        _ => "it changes the schema".into(),
    };
    Some(reason)
}

fn run(connection: &Connection, text: &str, limits: &Limits) -> rusqlite::Result<Reply> {
    let mut statement = connection.prepare(text)?;
    if let Some(reason) = unfit(&statement) {
        return Ok(Reply::Refused(reason.into()));
    }
    let columns: Vec<String> = statement.column_names().into_iter().map(str::to_owned).collect();
    let mut bytes: usize = columns.iter().map(|name| name.len() + 4).sum();
    let mut rows = Vec::new();
    let mut cursor = statement.query([])?;
    while let Some(row) = cursor.next()? {
        if rows.len() == limits.rows_max {
            return Ok(Reply::TooLarge(format!(
                "its result has more than {} rows",
                limits.rows_max
            )));
        }
        let mut cells = Vec::with_capacity(columns.len());
        for column in 0..columns.len() {
            let cell = cell(row.get_ref(column)?);
            // The allowance covers type and length on the wire.
            bytes += cell.bytes() + 4;
            cells.push(cell);
        }
        if bytes > limits.result_bytes_max {
            return Ok(Reply::TooLarge(format!(
                "its result has more than {} bytes",
                limits.result_bytes_max
            )));
        }
        rows.push(cells);
    }
    Ok(Reply::Table(Table { columns, rows }))
}

fn unfit(statement: &Statement<'_>) -> Option<&'static str> {
    if statement.column_count() == 0 {
        return Some("it is no statement that returns rows");
    }
    if !statement.readonly() {
        return Some("it does more than read");
    }
    if statement.is_explain() != 0 {
        return Some("it explains a query instead of running it");
    }
    (statement.parameter_count() > 0).then_some("it has parameters that nothing is bound to")
}

pub(super) fn cell(value: ValueRef<'_>) -> Cell {
    match value {
        ValueRef::Null => Cell::Null,
        ValueRef::Integer(value) => Cell::Integer(value),
        ValueRef::Real(value) => Cell::Real(value),
        ValueRef::Text(text) => Cell::Text(String::from_utf8_lossy(text).into_owned()),
        ValueRef::Blob(bytes) => Cell::Blob(bytes.to_vec()),
    }
}
