//! Makes a database file from a dump.

use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::fallible_iterator::FallibleIterator;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::{Batch, Connection, ErrorCode, OpenFlags};

use super::{confine, engine};
use crate::wire::LoadLimits;

/// Runs the dump's statements into a new file. A dump may create and fill, but not reach other files; its PRAGMAs are
/// skipped, since they set up the program that wrote it.
///
/// The error names the statement by its number.
pub(super) fn load(dump: &str, target: &str, limits: LoadLimits) -> Result<(), String> {
    let bytes = std::fs::read(dump).map_err(|error| format!("cannot read it: {error}"))?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        format!("it is not UTF-8 text (byte {at}); convert the dump first")
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let connection = open(target, limits).map_err(|error| engine::message(&error))?;
    let mut batch = Batch::new(&connection, text);
    for number in 1_usize.. {
        let step = batch.next().and_then(|statement| match statement {
            Some(mut statement) => run(&mut statement).map(|()| true),
            None => Ok(false),
        });
        match step {
            Ok(true) => {}
            Ok(false) => break,
            Err(error) => return Err(format!("statement {number}: {}", explain(&error))),
        }
    }
    if !connection.is_autocommit() {
        return Err("it ends inside a transaction: the dump is cut off, or lacks its COMMIT".into());
    }
    connection.close().map_err(|(_, error)| engine::message(&error))
}

fn explain(error: &rusqlite::Error) -> String {
    match error.sqlite_error_code() {
        Some(ErrorCode::AuthorizationForStatementDenied) => {
            "it reaches for another file (ATTACH, VACUUM INTO), which a dump may not".into()
        }
        Some(ErrorCode::OperationInterrupted) => "loading took too long".into(),
        _ => engine::message(error),
    }
}

fn open(target: &str, limits: LoadLimits) -> rusqlite::Result<Connection> {
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(target, flags)?;
    // A crash leaves a file that is never renamed into place, so that durability would be paid for nothing.
    connection.pragma_update_and_check(None, "journal_mode", "OFF", |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "OFF")?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    // Dumps list tables by name, not by who refers to whom.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_FKEY, false)?;
    let until = confine::cpu_used() + Duration::from_secs(limits.cpu_seconds);
    connection.progress_handler(100_000, Some(move || confine::cpu_used() >= until))?;
    connection.authorizer(Some(|context: AuthContext<'_>| match context.action {
        AuthAction::Attach { .. } | AuthAction::Detach { .. } => Authorization::Deny,
        AuthAction::Pragma { .. } => Authorization::Ignore,
        AuthAction::Function { function_name } if function_name.eq_ignore_ascii_case("load_extension") => {
            Authorization::Deny
        }
        _ => Authorization::Allow,
    }))?;
    Ok(connection)
}

/// A dump may hold statements that return rows (`SELECT setval(…)` of others); they are run to their end.
fn run(statement: &mut rusqlite::Statement<'_>) -> rusqlite::Result<()> {
    let mut rows = statement.raw_query();
    while rows.next()?.is_some() {}
    Ok(())
}
