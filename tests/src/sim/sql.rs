//! SQL answers: the databases that queries are checked on, other queries that run and give something else, and questions made up
//! over a table with a known query.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex, PoisonError};

use rusqlite::Connection;
use rusqlite::types::ValueRef;

use super::draw::Draw;
use super::pattern::{Pattern, Values};
use super::wording::Canon;

/// A database could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The dump cannot be read.
    #[error("cannot read the database dump {}", path.display())]
    Read {
        /// The dump.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The dump does not run.
    #[error("the database dump {} does not run in SQLite", path.display())]
    Load {
        /// The dump.
        path: PathBuf,
        /// Why.
        source: rusqlite::Error,
    },
}

/// Rows beyond which a result is taken as runaway.
const ROWS_MAX: usize = 20_000;
/// Virtual-machine steps, in thousands, after which a query is stopped.
const KILO_STEPS_MAX: u32 = 20_000;

/// A result as the multiset of its cells: two results with different cells differ under every order of rows and columns.
type Cells = Vec<String>;

#[derive(Debug, Clone)]
struct Column {
    table: String,
    name: String,
    /// Smallest and largest value of a numeric column.
    range: Option<(i64, i64)>,
}

/// One database, in memory.
#[derive(Debug)]
pub(crate) struct Database {
    connection: Mutex<Connection>,
    columns: Vec<Column>,
}

/// Databases by name.
#[derive(Debug, Default)]
pub(crate) struct Databases {
    by_name: BTreeMap<String, Database>,
}

/// Queries for one question: right ones, and plausible ones that give another result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Queries {
    pub(crate) right: Vec<String>,
    pub(crate) wrong: Vec<String>,
}

impl Database {
    fn load(path: &Path) -> Result<Self, Error> {
        let dump = std::fs::read_to_string(path).map_err(|source| Error::Read {
            path: path.into(),
            source,
        })?;
        let build = || -> rusqlite::Result<Self> {
            let connection = Connection::open_in_memory()?;
            connection.execute_batch(&dump)?;
            connection.execute_batch("PRAGMA query_only = ON")?;
            let columns = columns(&connection)?;
            Ok(Self {
                connection: Mutex::new(connection),
                columns,
            })
        };
        build().map_err(|source| Error::Load {
            path: path.into(),
            source,
        })
    }

    /// A query's result; `None` when it fails or takes too long.
    pub(crate) fn run(&self, query: &str) -> Option<Cells> {
        let connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let mut left = KILO_STEPS_MAX;
        let stop = move || {
            left = left.saturating_sub(1);
            left == 0
        };
        connection.progress_handler(1000, Some(stop)).ok()?;
        let mut statement = connection.prepare(query.trim().trim_end_matches(';')).ok()?;
        let width = statement.column_count();
        let mut rows = statement.query([]).ok()?;
        let mut cells = Vec::new();
        while let Some(row) = rows.next().ok()? {
            for i in 0..width {
                cells.push(cell(row.get_ref(i).ok()?));
            }
            if cells.len() > ROWS_MAX * width.max(1) {
                return None;
            }
        }
        cells.sort_unstable();
        Some(cells)
    }
}

/// A value's text; 2 and 2.0 are the same value.
fn cell(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Null => "null".to_owned(),
        ValueRef::Integer(i) => format!("n{:.6}", i as f64),
        ValueRef::Real(r) => format!("n{r:.6}"),
        ValueRef::Text(t) => format!("t{}", String::from_utf8_lossy(t)),
        ValueRef::Blob(b) => format!("b{b:02x?}"),
    }
}

fn columns(connection: &Connection) -> rusqlite::Result<Vec<Column>> {
    let mut list = connection.prepare(
        "SELECT m.name, c.name, lower(c.type) FROM sqlite_master m, pragma_table_info(m.name) c \
         WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' ORDER BY m.name, c.cid",
    )?;
    let named = list
        .query_map([], |row| {
            Ok((
                row.get::<_, String>(0)?,
                row.get::<_, String>(1)?,
                row.get::<_, String>(2)?,
            ))
        })?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    let mut columns = Vec::new();
    for (table, name, kind) in named {
        let numeric = ["int", "double", "real", "num"]
            .iter()
            .any(|part| kind.contains(part));
        let range = if numeric {
            range(connection, &table, &name)
        } else {
            None
        };
        columns.push(Column { table, name, range });
    }
    Ok(columns)
}

fn range(connection: &Connection, table: &str, column: &str) -> Option<(i64, i64)> {
    let query = format!("SELECT min(\"{column}\"), max(\"{column}\") FROM \"{table}\"");
    let (lo, hi): (f64, f64) = connection
        .query_row(&query, [], |row| Ok((row.get(0)?, row.get(1)?)))
        .ok()?;
    (lo < hi && hi < 1e15).then_some((lo.floor() as i64, hi.ceil() as i64))
}

/// A kind of made-up question: over table t and column c, with column d and number a where it uses them.
struct Family {
    concept: &'static str,
    text: &'static str,
    /// Whether c must be numeric.
    numeric: bool,
    right: &'static str,
    wrong: &'static [&'static str],
}

const COUNTS: [&str; 2] = [
    "SELECT COUNT(*) FROM \"{t}\"",
    "SELECT COUNT(DISTINCT \"{c}\") FROM \"{t}\"",
];

const FAMILIES: [Family; 10] = [
    Family {
        concept: "filter",
        text: "How many rows of the table \"{t}\" hold a value above {a} in the column \"{c}\"?",
        numeric: true,
        right: "SELECT COUNT(*) FROM \"{t}\" WHERE \"{c}\" > {a}",
        wrong: &[
            "SELECT COUNT(*) FROM \"{t}\" WHERE \"{c}\" <= {a}",
            COUNTS[0],
            COUNTS[1],
        ],
    },
    Family {
        concept: "filter",
        text: "In the table \"{t}\", count the entries with \"{c}\" below {a}. What is that count?",
        numeric: true,
        right: "SELECT COUNT(*) FROM \"{t}\" WHERE \"{c}\" < {a}",
        wrong: &[
            "SELECT COUNT(*) FROM \"{t}\" WHERE \"{c}\" >= {a}",
            COUNTS[0],
            COUNTS[1],
        ],
    },
    Family {
        concept: "aggregate",
        text: "Which value of \"{c}\" in the table \"{t}\" is the top one?",
        numeric: true,
        right: "SELECT MAX(\"{c}\") FROM \"{t}\"",
        wrong: &[
            "SELECT MIN(\"{c}\") FROM \"{t}\"",
            "SELECT AVG(\"{c}\") FROM \"{t}\"",
            COUNTS[0],
        ],
    },
    Family {
        concept: "aggregate",
        text: "Which value of \"{c}\" in the table \"{t}\" is the bottom one?",
        numeric: true,
        right: "SELECT MIN(\"{c}\") FROM \"{t}\"",
        wrong: &[
            "SELECT MAX(\"{c}\") FROM \"{t}\"",
            "SELECT AVG(\"{c}\") FROM \"{t}\"",
            COUNTS[0],
        ],
    },
    Family {
        concept: "aggregate",
        text: "Taken over the whole table \"{t}\", what does \"{c}\" come to on average?",
        numeric: true,
        right: "SELECT AVG(\"{c}\") FROM \"{t}\"",
        wrong: &[
            "SELECT SUM(\"{c}\") FROM \"{t}\"",
            "SELECT AVG(DISTINCT \"{c}\") FROM \"{t}\"",
            "SELECT MAX(\"{c}\") FROM \"{t}\"",
        ],
    },
    Family {
        concept: "aggregate",
        text: "Adding up \"{c}\" over every row of \"{t}\", what sum results?",
        numeric: true,
        right: "SELECT SUM(\"{c}\") FROM \"{t}\"",
        wrong: &[
            "SELECT AVG(\"{c}\") FROM \"{t}\"",
            "SELECT SUM(DISTINCT \"{c}\") FROM \"{t}\"",
            COUNTS[0],
        ],
    },
    Family {
        concept: "order_by",
        text: "List each value of \"{c}\" found in the table \"{t}\" once, in alphabetical order and without empty ones.",
        numeric: false,
        right: "SELECT DISTINCT \"{c}\" FROM \"{t}\" WHERE \"{c}\" IS NOT NULL ORDER BY \"{c}\"",
        wrong: &[
            "SELECT \"{c}\" FROM \"{t}\" ORDER BY \"{c}\" LIMIT 1",
            "SELECT \"{c}\", COUNT(*) FROM \"{t}\" GROUP BY \"{c}\"",
            COUNTS[1],
        ],
    },
    Family {
        concept: "group_by",
        text: "Break the table \"{t}\" down by \"{c}\": how many rows fall on each value?",
        numeric: false,
        right: "SELECT \"{c}\", COUNT(*) FROM \"{t}\" GROUP BY \"{c}\"",
        wrong: &[
            "SELECT \"{c}\" FROM \"{t}\" GROUP BY \"{c}\"",
            "SELECT \"{c}\", COUNT(*) FROM \"{t}\"",
            COUNTS[1],
        ],
    },
    Family {
        concept: "group_by",
        text: "For every \"{d}\" in the table \"{t}\", what is the top \"{c}\"?",
        numeric: true,
        right: "SELECT \"{d}\", MAX(\"{c}\") FROM \"{t}\" GROUP BY \"{d}\"",
        wrong: &[
            "SELECT \"{d}\", MIN(\"{c}\") FROM \"{t}\" GROUP BY \"{d}\"",
            "SELECT \"{d}\", MAX(\"{c}\") FROM \"{t}\"",
            "SELECT \"{d}\", COUNT(*) FROM \"{t}\" GROUP BY \"{d}\"",
        ],
    },
    Family {
        concept: "ratio",
        text: "What share of all rows of \"{t}\", as a fraction of 1, holds \"{c}\" above {a}?",
        numeric: true,
        right: "SELECT CAST(COUNT(CASE WHEN \"{c}\" > {a} THEN 1 END) AS REAL) / COUNT(*) FROM \"{t}\"",
        wrong: &[
            "SELECT CAST(COUNT(CASE WHEN \"{c}\" < {a} THEN 1 END) AS REAL) / COUNT(*) FROM \"{t}\"",
            "SELECT COUNT(CASE WHEN \"{c}\" > {a} THEN 1 END) FROM \"{t}\"",
            COUNTS[0],
        ],
    },
];

static PATTERNS: LazyLock<Vec<Pattern>> =
    LazyLock::new(|| FAMILIES.iter().map(|family| Pattern::new(family.text)).collect());

impl Databases {
    /// Loads `<name>.sql` from a folder, once; a missing dump is no error: queries are then compared as text.
    pub(crate) fn load(&mut self, folder: &Path, name: &str) -> Result<(), Error> {
        let path = folder.join(format!("{name}.sql"));
        if !self.by_name.contains_key(name) && path.is_file() {
            self.by_name.insert(name.to_owned(), Database::load(&path)?);
        }
        Ok(())
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Database> {
        self.by_name.get(name)
    }

    /// Makes up a question over one database; `None` when it has no table to ask about.
    pub(crate) fn make(&self, database: Option<&str>, concept: Option<&str>, draw: Draw) -> Option<String> {
        let names: Vec<&String> = self.by_name.keys().collect();
        let name = match database {
            Some(name) if self.by_name.contains_key(name) => name,
            _ => draw.of("database").pick(&names)?.as_str(),
        };
        let columns = &self.by_name.get(name)?.columns;
        let wanted: Vec<&Family> = FAMILIES
            .iter()
            .filter(|f| concept.is_some_and(|c| c.contains(f.concept)))
            .collect();
        let family = match draw.of("family").pick(&wanted) {
            Some(family) => family,
            None => &FAMILIES[draw.of("family").below(FAMILIES.len())],
        };
        let fitting: Vec<&Column> = columns
            .iter()
            .filter(|c| c.range.is_some() == family.numeric)
            .collect();
        let column = draw.of("column").pick(&fitting)?;
        let others: Vec<&Column> = columns
            .iter()
            .filter(|c| c.table == column.table && c.name != column.name)
            .collect();
        let other = draw
            .of("other")
            .pick(&others)
            .map_or("rowid", |c| c.name.as_str());
        let (lo, hi) = column.range.unwrap_or((0, 1));
        let mut values = Values::default();
        values.set('t', &column.table);
        values.set('c', &column.name);
        values.set('d', other);
        values.set('a', draw.of("number").between(lo, hi - 1).max(0).to_string());
        Some(values.fill(family.text))
    }

    /// The queries of a made-up question in any of its wordings, and the database they run on.
    pub(crate) fn read(&self, text: &Canon) -> Option<(&str, Queries)> {
        let (family, values) = FAMILIES
            .iter()
            .zip(PATTERNS.iter())
            .find_map(|(family, pattern)| Some((family, pattern.read(text)?)))?;
        let right = values.fill(family.right);
        self.by_name.iter().find_map(|(name, database)| {
            let result = database.run(&right)?;
            let candidates = family.wrong.iter().map(|query| values.fill(query));
            let wrong = candidates
                .filter(|q| database.run(q).is_some_and(|r| r != result))
                .collect();
            Some((
                name.as_str(),
                Queries {
                    right: vec![right.clone()],
                    wrong,
                },
            ))
        })
    }
}

/// White space and a final semicolon do not matter.
pub(crate) fn same_text(a: &str, b: &str) -> bool {
    let words = |text: &str| -> Vec<String> {
        text.trim()
            .trim_end_matches(';')
            .split_whitespace()
            .map(str::to_owned)
            .collect()
    };
    words(a) == words(b)
}

#[cfg(test)]
mod tests {
    use super::super::wording::{Strength, canon, reword};
    use super::*;

    const DUMP: &str = "CREATE TABLE lake (name text, area double precision, state text);\
        INSERT INTO lake VALUES('Erie',257.5,'Ohio'),('Huron',596,'Michigan'),('Saint Clair',11,'Michigan');";

    fn databases() -> Databases {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("water.sql"), DUMP).unwrap();
        let mut databases = Databases::default();
        databases.load(folder.path(), "water").unwrap();
        databases.load(folder.path(), "absent").unwrap();
        databases
    }

    #[test]
    fn made_up_questions_are_read_back_with_queries_that_differ() {
        let databases = databases();
        let water = databases.get("water").unwrap();
        for seed in 0..300 {
            let text = databases.make(Some("water"), None, Draw::new(seed)).unwrap();
            let reworded = reword(&text, Strength::FULL, Draw::new(seed));
            let (name, queries) = databases
                .read(&canon(&reworded))
                .unwrap_or_else(|| panic!("lost: {reworded}"));
            assert_eq!(name, "water");
            let right = water.run(&queries.right[0]);
            assert!(right.is_some(), "{:?}", queries.right);
            assert!(
                queries
                    .wrong
                    .iter()
                    .all(|q| water.run(q) != right && water.run(q).is_some()),
                "{queries:?}"
            );
        }
    }

    #[test]
    fn runaway_and_writing_queries_give_nothing() {
        let databases = databases();
        let water = databases.get("water").unwrap();
        assert_eq!(water.run("DELETE FROM lake"), None);
        assert_eq!(
            water.run("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT SUM(i) FROM n"),
            None
        );
        assert_eq!(
            water.run("SELECT COUNT(*) FROM lake"),
            Some(vec!["n3.000000".to_owned()])
        );
    }
}
