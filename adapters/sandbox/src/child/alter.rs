//! Makes altered copies of a database: reads it, has the domain alter it, writes each copy to a file of its own.
//!
//! Copies have no keys, constraints or indexes. What the schema declares was respected when rows were made, and SQLite stores a
//! table with an integer primary key in the key's order, which would hide that a query depends on the order of rows.

use gristmill_domain::answer::sql::Cell;
use gristmill_domain::answer::sql::alter::{self, Column, ROWS_MAX, Relation};
use rusqlite::config::DbConfig;
use rusqlite::types::{Null, ToSqlOutput, Value, ValueRef};
use rusqlite::{Connection, OpenFlags, ToSql, params_from_iter};

use super::engine;
use crate::wire::Targets;

/// Bytes of a table that copies are made from; later rows are left out.
const TABLE_BYTES_MAX: usize = 4 << 20;

/// A table that is read, and what it takes to create it again.
struct Read {
    relation: Relation,
    create: String,
    whole: bool,
}

/// Writes every copy; true when the reordered original was written, which takes a database that was read whole.
pub(super) fn alter(source: &str, targets: &Targets) -> Result<bool, String> {
    let told = |error: rusqlite::Error| engine::message(&error);
    let (tables, views) = read(source).map_err(told)?;
    let whole = tables.iter().all(|table| table.whole);
    let (relations, creates): (Vec<Relation>, Vec<String>) = tables
        .into_iter()
        .map(|table| (table.relation, table.create))
        .unzip();
    let write = |target: &str, rows: &[Vec<Vec<Cell>>]| {
        let tables = relations.iter().zip(&creates).zip(rows);
        write(target, tables, &views).map_err(told)
    };
    if whole {
        let rows: Vec<_> = relations.iter().map(|relation| relation.rows.clone()).collect();
        write(&targets.reordered, &alter::reordered(&rows))?;
    }
    for (number, [straight, reordered]) in targets.altered.iter().enumerate() {
        let rows = alter::altered(&relations, number);
        write(straight, &rows)?;
        write(reordered, &alter::reordered(&rows))?;
    }
    Ok(whole)
}

fn read(source: &str) -> rusqlite::Result<(Vec<Read>, Vec<String>)> {
    let uri = format!("file:{}?mode=ro&immutable=1", engine::escaped(source));
    let flags =
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(uri, flags)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    // Virtual tables are computed by modules, and SQLite's own tables cannot be created.
    let names = texts(
        &connection,
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' \
         AND sql NOT LIKE 'CREATE VIRTUAL%' ORDER BY rowid",
    )?;
    let tables = names.iter().map(|name| table(&connection, name));
    let views = texts(
        &connection,
        "SELECT sql FROM sqlite_schema WHERE type = 'view' ORDER BY rowid",
    )?;
    Ok((tables.collect::<rusqlite::Result<_>>()?, views))
}

fn texts(connection: &Connection, query: &str) -> rusqlite::Result<Vec<String>> {
    let mut statement = connection.prepare(query)?;
    let rows = statement.query_map([], |row| row.get(0))?;
    rows.collect()
}

fn table(connection: &Connection, name: &str) -> rusqlite::Result<Read> {
    let (columns, definitions) = columns(connection, name)?;
    let list: Vec<String> = columns.iter().map(|column| quoted(&column.name)).collect();
    let query = format!("SELECT {} FROM {}", list.join(", "), quoted(name));
    let mut statement = connection.prepare(&query)?;
    let mut cursor = statement.query([])?;
    let (mut rows, mut bytes, mut whole) = (Vec::new(), 0, true);
    while let Some(row) = cursor.next()? {
        if rows.len() == ROWS_MAX || bytes > TABLE_BYTES_MAX {
            whole = false;
            break;
        }
        let cells = (0..columns.len()).map(|column| row.get_ref(column).map(engine::cell));
        let cells: Vec<Cell> = cells.collect::<rusqlite::Result<_>>()?;
        bytes += cells.iter().map(Cell::bytes).sum::<usize>();
        rows.push(cells);
    }
    Ok(Read {
        relation: Relation {
            name: name.to_owned(),
            columns,
            rows,
        },
        create: format!("CREATE TABLE {} ({})", quoted(name), definitions.join(", ")),
        whole,
    })
}

/// The columns that a query can name, with what is declared of them, and their definitions without constraints.
fn columns(connection: &Connection, table: &str) -> rusqlite::Result<(Vec<Column>, Vec<String>)> {
    let unique = declared_unique(connection, table)?;
    let parents = declared_parents(connection, table)?;
    let mut statement =
        connection.prepare("SELECT name, type FROM pragma_table_xinfo(?1) WHERE hidden <> 1 ORDER BY cid")?;
    let found = statement.query_map([table], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let (mut columns, mut definitions) = (vec![], vec![]);
    for column in found {
        let (name, kind): (String, String) = column?;
        let (_, collation, ..) = connection.column_metadata(None, table, name.as_str())?;
        let collation = collation.map_or("BINARY".into(), |name| name.to_string_lossy());
        definitions.push(format!(
            "{} {} COLLATE {}",
            quoted(&name),
            affinity(&kind),
            quoted(&collation)
        ));
        columns.push(Column {
            unique: unique.contains(&name),
            parent: parents
                .iter()
                .find(|(from, ..)| *from == name)
                .map(|(_, table, key)| (table.clone(), key.clone())),
            name,
        });
    }
    Ok((columns, definitions))
}

/// Columns that alone are the primary key or a unique index over all rows.
fn declared_unique(connection: &Connection, table: &str) -> rusqlite::Result<Vec<String>> {
    let mut statement = connection.prepare(
        "SELECT min(i.name) FROM pragma_index_list(?1) AS l, pragma_index_info(l.name) AS i \
         WHERE l.\"unique\" AND NOT l.partial GROUP BY l.name HAVING count(*) = 1 AND min(i.name) IS NOT NULL \
         UNION SELECT min(name) FROM pragma_table_info(?1) WHERE pk > 0 HAVING count(*) = 1",
    )?;
    let names = statement.query_map([table], |row| row.get(0))?;
    names.collect()
}

/// Columns that alone are a foreign key, with the table and column that they refer to.
fn declared_parents(connection: &Connection, table: &str) -> rusqlite::Result<Vec<(String, String, String)>> {
    let mut statement = connection.prepare(
        "SELECT min(f.\"from\"), min(f.\"table\"), coalesce(min(f.\"to\"), \
         (SELECT min(t.name) FROM pragma_table_info(f.\"table\") AS t WHERE t.pk = 1)) \
         FROM pragma_foreign_key_list(?1) AS f GROUP BY f.id HAVING count(*) = 1",
    )?;
    let found = statement.query_map([table], |row| {
        let key: Option<String> = row.get(2)?;
        Ok(key.map(|key| Ok((row.get(0)?, row.get(1)?, key))))
    })?;
    found
        .filter_map(Result::transpose)
        .map(|row| row.and_then(|row| row))
        .collect()
}

/// SQLite's rules for the affinity of a declared type.
fn affinity(kind: &str) -> &'static str {
    let kind = kind.to_ascii_uppercase();
    let has = |parts: &[&str]| parts.iter().any(|part| kind.contains(part));
    match () {
        () if has(&["INT"]) => "INTEGER",
        () if has(&["CHAR", "CLOB", "TEXT"]) => "TEXT",
        () if kind.is_empty() || has(&["BLOB"]) => "BLOB",
        () if has(&["REAL", "FLOA", "DOUB"]) => "REAL",
        () => "NUMERIC",
    }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn write<'a>(
    target: &str,
    tables: impl Iterator<Item = ((&'a Relation, &'a String), &'a Vec<Vec<Cell>>)>,
    views: &[String],
) -> rusqlite::Result<()> {
    let connection = Connection::open(target)?;
    // A crash leaves files that nobody opens, so that durability would be paid for nothing.
    connection.pragma_update_and_check(None, "journal_mode", "OFF", |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "OFF")?;
    connection.execute_batch("BEGIN")?;
    for ((relation, create), rows) in tables {
        connection.execute(create, [])?;
        let marks = vec!["?"; relation.columns.len()].join(", ");
        let insert = format!("INSERT INTO {} VALUES ({marks})", quoted(&relation.name));
        let mut insert = connection.prepare(&insert)?;
        for row in rows {
            insert.execute(params_from_iter(row.iter().map(Bound)))?;
        }
    }
    for view in views {
        // A view over what was left out fails, and so do the queries that read it.
        if let Err(error) = connection.execute(view, []) {
            tracing::debug!(%error, "a view cannot be created on an altered copy");
        }
    }
    connection.execute_batch("COMMIT")?;
    connection.close().map_err(|(_, error)| error)
}

/// A cell as a parameter.
struct Bound<'a>(&'a Cell);

impl ToSql for Bound<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self.0 {
            Cell::Null => Null.to_sql()?,
            Cell::Integer(value) => ToSqlOutput::Owned(Value::Integer(*value)),
            Cell::Real(value) => ToSqlOutput::Owned(Value::Real(*value)),
            Cell::Text(text) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
            Cell::Blob(bytes) => ToSqlOutput::Borrowed(ValueRef::Blob(bytes)),
        })
    }
}
