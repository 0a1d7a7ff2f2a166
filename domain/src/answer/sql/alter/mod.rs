//! Altered copies of a database, on which queries that mean different things return different results.
//!
//! On a small database a wrong query often returns the right result: the sum over groups of one row is their average. Test-suite
//! evaluation (Zhong, Yu, Klein 2020, arXiv 2010.02840) therefore runs both queries on further databases as well. The copies made
//! here keep what a right query may rely on, whether the schema declares it or the rows only show it: keys, references between
//! tables, columns without repeats or without NULLs, columns that determine others, sums and quotients within a row. Everything
//! else changes: which rows exist, which rows belong together, and which values they hold.
//!
//! A copy depends on the database's content alone, so that every process makes the same ones.

mod dependence;
mod grow;
mod role;
mod roles;
mod thin;

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::table::Cell;
use roles::Roles;

/// Altered copies of each database.
pub const COPIES: usize = 6;

/// Rows of a table that copies are made from; later rows are left out, and no copy adds rows to a table of that size.
pub const ROWS_MAX: usize = 2_000;

/// A table of a database: its rows, and what its schema declares about them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Relation {
    /// Its name.
    pub name: String,
    /// Its columns, in order.
    pub columns: Vec<Column>,
    /// Its rows; each has a cell a column.
    pub rows: Vec<Vec<Cell>>,
}

/// A column of a [`Relation`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Declared as the only column of a primary key or a unique index.
    pub unique: bool,
    /// The table and column that a declared foreign key refers to.
    pub parent: Option<(String, String)>,
}

/// The rows of every table in altered copy `number`, of [`COPIES`].
pub fn altered(database: &[Relation], number: usize) -> Vec<Vec<Vec<Cell>>> {
    let roles = Roles::of(database);
    let mut draw = draws(database, number);
    match number {
        0 | 1 => thin::thinned(database, &roles, &mut draw),
        2 | 3 => grow::grown(database, &roles, false, &mut draw),
        _ => grow::grown(database, &roles, true, &mut draw),
    }
}

/// Puts the rows of each table in another order. A query whose result follows the order in which rows are stored has a result by
/// chance, such as `LIMIT 1` among equals.
pub fn reordered(tables: &[Vec<Vec<Cell>>]) -> Vec<Vec<Vec<Cell>>> {
    let mut draw = ChaCha8Rng::seed_from_u64(tables.len() as u64);
    let mut tables: Vec<Vec<Vec<Cell>>> = tables.to_vec();
    for rows in &mut tables {
        rows.reverse();
        // Two rows are always swapped, which a shuffle would do only half of the time.
        if rows.len() > 2 {
            rows.shuffle(&mut draw);
        }
    }
    tables
}

fn draws(database: &[Relation], number: usize) -> ChaCha8Rng {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&(number as u64).to_le_bytes());
    for relation in database {
        hasher.update(relation.name.as_bytes());
        hasher.update(&(relation.rows.len() as u64).to_le_bytes());
        for cell in relation.rows.iter().flatten() {
            cell.hash_into(&mut hasher);
        }
    }
    ChaCha8Rng::from_seed(*hasher.finalize().as_bytes())
}

#[cfg(test)]
mod tests;
