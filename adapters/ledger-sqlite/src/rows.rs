//! Rows to domain values and back.

use gristmill_domain::id::{RunId, TaskId};
use gristmill_domain::ledger::{Account, Attempt, Decision, Ending, Fence, Remnant, Settled, Task};
use rusqlite::{Connection, OptionalExtension, params};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::Fault;

/// SQLite's integers are signed; a time beyond them is never reached.
pub(crate) fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn parse<T: DeserializeOwned>(what: &'static str, body: &str) -> Result<T, Fault> {
    serde_json::from_str(body).map_err(|error| Fault::Row {
        what,
        detail: error.to_string(),
    })
}

fn print<T: Serialize>(what: &'static str, value: &T) -> Result<String, Fault> {
    serde_json::to_string(value).map_err(|error| Fault::Row {
        what,
        detail: error.to_string(),
    })
}

/// Every account with its key.
pub(crate) fn accounts(conn: &Connection) -> Result<Vec<(i64, Account)>, Fault> {
    let mut statement = conn.prepare_cached("SELECT key, body FROM account ORDER BY key")?;
    let mut rows = statement.query([])?;
    let mut accounts = Vec::new();
    while let Some(row) = rows.next()? {
        accounts.push((
            row.get(0)?,
            parse("account", row.get_ref(1)?.as_str().map_err(from_sql)?)?,
        ));
    }
    Ok(accounts)
}

/// One account with its key.
pub(crate) fn account(conn: &Connection, run: RunId) -> Result<Option<(i64, Account)>, Fault> {
    conn.prepare_cached("SELECT key, body FROM account WHERE run = ?1")?
        .query_row([run.as_bytes()], |row| {
            Ok((row.get(0)?, row.get::<_, String>(1)?))
        })
        .optional()?
        .map(|(key, body)| Ok((key, parse("account", &body)?)))
        .transpose()
}

pub(crate) fn insert_account(conn: &Connection, account: &Account) -> Result<i64, Fault> {
    conn.prepare_cached("INSERT INTO account (run, body) VALUES (?1, ?2)")?
        .execute(params![account.run.as_bytes(), print("account", account)?])?;
    Ok(conn.last_insert_rowid())
}

pub(crate) fn update_account(conn: &Connection, key: i64, account: &Account) -> Result<(), Fault> {
    conn.prepare_cached("UPDATE account SET body = ?2 WHERE key = ?1")?
        .execute(params![key, print("account", account)?])?;
    Ok(())
}

/// A task and its key.
pub(crate) fn task(conn: &Connection, account: i64, id: TaskId) -> Result<Option<(i64, Task)>, Fault> {
    let mut statement = conn.prepare_cached("SELECT key, body FROM task WHERE account = ?1 AND id = ?2")?;
    let mut rows = statement.query(params![account, id.as_bytes()])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let body = row.get_ref(1)?.as_str().map_err(from_sql)?;
    Ok(Some((row.get(0)?, parse("task", body)?)))
}

pub(crate) fn insert_task(conn: &Connection, account: i64, task: &Task, payload: &[u8]) -> Result<(), Fault> {
    conn.prepare_cached("INSERT INTO task (account, id, ready_at, body) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![
            account,
            task.id.as_bytes(),
            task.ready_at_ms().map(signed),
            print("task", task)?
        ])?;
    conn.prepare_cached("INSERT INTO payload (task, bytes) VALUES (?1, ?2)")?
        .execute(params![conn.last_insert_rowid(), payload])?;
    Ok(())
}

/// Writes a task back after a transition, with the decision it brought; a task that is gone leaves its remnants only.
pub(crate) fn save_task(
    conn: &Connection,
    account: i64,
    key: i64,
    task: &Task,
    decision: Option<&Decision>,
) -> Result<(), Fault> {
    if task.archived {
        for remnant in task.remnants() {
            put_remnant(conn, account, &remnant)?;
        }
        conn.prepare_cached("DELETE FROM payload WHERE task = ?1")?
            .execute([key])?;
        conn.prepare_cached("DELETE FROM result WHERE task = ?1")?
            .execute([key])?;
        conn.prepare_cached("DELETE FROM task WHERE key = ?1")?
            .execute([key])?;
        return Ok(());
    }
    if let Some(decision) = decision {
        let bytes = match decision {
            Decision::Done(result) => result.as_slice(),
            Decision::Failed { reason } => reason.as_bytes(),
        };
        conn.prepare_cached("INSERT INTO result (task, bytes) VALUES (?1, ?2)")?
            .execute(params![key, bytes])?;
    }
    conn.prepare_cached(
        "UPDATE task SET ready_at = ?2, lease_until = ?3, decided = ?4, body = ?5 WHERE key = ?1",
    )?
    .execute(params![
        key,
        task.ready_at_ms().map(signed),
        task.lease_until_ms().map(signed),
        task.decided.map(|(position, _)| signed(position)),
        print("task", task)?
    ])?;
    Ok(())
}

/// Tasks whose attempt's lease ends at or before a time, the longest overdue first.
pub(crate) fn running(conn: &Connection, account: i64, until_ms: u64) -> Result<Vec<(i64, Task)>, Fault> {
    let mut statement = conn.prepare_cached(
        "SELECT key, body FROM task WHERE account = ?1 AND lease_until <= ?2 ORDER BY lease_until, key",
    )?;
    let mut rows = statement.query(params![account, signed(until_ms)])?;
    let mut tasks = Vec::new();
    while let Some(row) = rows.next()? {
        tasks.push((
            row.get(0)?,
            parse("task", row.get_ref(1)?.as_str().map_err(from_sql)?)?,
        ));
    }
    Ok(tasks)
}

/// Tasks ready for publishing with their payloads, the longest ready first.
pub(crate) fn ready(
    conn: &Connection,
    account: i64,
    now_ms: u64,
    limit: usize,
) -> Result<Vec<(i64, Task, Vec<u8>)>, Fault> {
    let mut statement = conn.prepare_cached(
        "SELECT task.key, task.body, payload.bytes FROM task JOIN payload ON payload.task = task.key
         WHERE task.account = ?1 AND task.ready_at <= ?2 ORDER BY task.ready_at, task.key LIMIT ?3",
    )?;
    let mut rows = statement.query(params![account, signed(now_ms), signed(limit as u64)])?;
    let mut tasks = Vec::new();
    while let Some(row) = rows.next()? {
        let task = parse("task", row.get_ref(1)?.as_str().map_err(from_sql)?)?;
        tasks.push((row.get(0)?, task, row.get(2)?));
    }
    Ok(tasks)
}

/// The results stream after a position.
pub(crate) fn results(
    conn: &Connection,
    account: i64,
    after: u64,
    limit: usize,
) -> Result<Vec<Settled>, Fault> {
    let mut statement = conn.prepare_cached(
        "SELECT task.body, result.bytes FROM task JOIN result ON result.task = task.key
         WHERE task.account = ?1 AND task.decided > ?2 ORDER BY task.decided LIMIT ?3",
    )?;
    let mut rows = statement.query(params![account, signed(after), signed(limit as u64)])?;
    let mut settled = Vec::new();
    while let Some(row) = rows.next()? {
        let task: Task = parse("task", row.get_ref(0)?.as_str().map_err(from_sql)?)?;
        settled.push(settle(task, row.get(1)?)?);
    }
    Ok(settled)
}

fn settle(task: Task, bytes: Vec<u8>) -> Result<Settled, Fault> {
    let (seq, ending) = task.decided.ok_or_else(|| Fault::Row {
        what: "result",
        detail: format!("task {} has one without a decision", task.id),
    })?;
    Ok(Settled {
        seq,
        task: task.id,
        stage: task.stage,
        cost: task.cost(),
        decision: match ending {
            Ending::Done => Decision::Done(bytes),
            Ending::Failed => Decision::Failed {
                reason: String::from_utf8_lossy(&bytes).into_owned(),
            },
        },
        model: task.model,
        attempts: task.attempts,
    })
}

/// The burned attempt of an absorbed task that a fence was granted for.
pub(crate) fn remnant(conn: &Connection, account: i64, fence: Fence) -> Result<Option<Remnant>, Fault> {
    conn.prepare_cached(
        "SELECT body FROM remnant WHERE account = ?1 AND task = ?2 AND attempt = ?3 AND nonce = ?4",
    )?
    .query_row(
        params![
            account,
            fence.task.as_bytes(),
            fence.attempt,
            fence.nonce.0.to_be_bytes()
        ],
        |row| row.get::<_, String>(0),
    )
    .optional()?
    .map(|body| parse("remnant", &body))
    .transpose()
}

pub(crate) fn put_remnant(conn: &Connection, account: i64, remnant: &Remnant) -> Result<(), Fault> {
    conn.prepare_cached(
        "INSERT OR REPLACE INTO remnant (account, task, attempt, nonce, body) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?
    .execute(params![
        account,
        remnant.task.as_bytes(),
        remnant.attempt.number,
        remnant.attempt.nonce.0.to_be_bytes(),
        print("remnant", remnant)?
    ])?;
    Ok(())
}

/// The attempts of a task: all of them while it is there, the burned ones once it is absorbed.
pub(crate) fn attempts(conn: &Connection, account: i64, id: TaskId) -> Result<Vec<Attempt>, Fault> {
    if let Some((_, task)) = task(conn, account, id)? {
        return Ok(task.attempts);
    }
    let mut statement =
        conn.prepare_cached("SELECT body FROM remnant WHERE account = ?1 AND task = ?2 ORDER BY attempt")?;
    let mut rows = statement.query(params![account, id.as_bytes()])?;
    let mut attempts = Vec::new();
    while let Some(row) = rows.next()? {
        let remnant: Remnant = parse("remnant", row.get_ref(0)?.as_str().map_err(from_sql)?)?;
        attempts.push(remnant.attempt);
    }
    Ok(attempts)
}

fn from_sql(error: rusqlite::types::FromSqlError) -> Fault {
    Fault::Row {
        what: "column",
        detail: error.to_string(),
    }
}
