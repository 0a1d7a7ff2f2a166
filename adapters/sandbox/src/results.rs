//! Results that are known: references run again for every candidate, on every copy.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use gristmill_domain::answer::sql::{Cell, Table};
use gristmill_ports::sql::SqlError;

/// Bytes of all results together; then all are forgotten.
const BYTES_MAX: usize = 32 << 20;
/// Bytes of a result that is kept.
const RESULT_BYTES_MAX: usize = 256 << 10;
/// What a result takes beside its cells.
const OVERHEAD_BYTES: usize = 256;
/// Words of queries whose result changes with time.
const CLOCK: [&str; 6] = ["now", "current_", "date(", "time(", "julianday(", "unixepoch("];

/// Results by file and query.
#[derive(Debug, Default)]
pub(crate) struct Results(Mutex<Shelf>);

#[derive(Debug, Default)]
struct Shelf {
    known: HashMap<usize, HashMap<String, Result<Table, SqlError>>>,
    bytes: usize,
}

impl Results {
    pub(crate) fn get(&self, file: usize, query: &str) -> Option<Result<Table, SqlError>> {
        let shelf = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        shelf.known.get(&file)?.get(query).cloned()
    }

    /// Keeps a result that is the same whenever the query runs.
    pub(crate) fn keep(&self, file: usize, query: &str, result: &Result<Table, SqlError>) {
        let bytes = match result {
            Ok(table) => table.rows.iter().flatten().map(cell_bytes).sum(),
            Err(SqlError::Failed { .. } | SqlError::Refused { .. }) => 0,
            // Limits of time and memory depend on the machine's load.
            Err(_) => return,
        };
        let lower = query.to_ascii_lowercase();
        if bytes > RESULT_BYTES_MAX || CLOCK.iter().any(|word| lower.contains(word)) {
            return;
        }
        let bytes = bytes + query.len() + OVERHEAD_BYTES;
        let mut shelf = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if shelf.bytes + bytes > BYTES_MAX {
            *shelf = Shelf::default();
        }
        shelf.bytes += bytes;
        let of_file = shelf.known.entry(file).or_default();
        of_file.insert(query.to_owned(), result.clone());
    }
}

fn cell_bytes(cell: &Cell) -> usize {
    cell.bytes() + size_of::<Cell>()
}
