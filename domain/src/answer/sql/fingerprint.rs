//! One value for all tables that are the same answer, so that several queries can be counted as votes.

use std::fmt;

use super::table::{Cell, Table};

/// A hash of a table that does not change with the order of rows or columns, nor with rounding in the last digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint([u8; 16]);

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Hashes a table by colour refinement (Weisfeiler and Leman 1968) over rows, columns and cells.
///
/// Tables that [`super::same`] finds equal without regard to order have one fingerprint, but for reals that straddle a
/// rounding edge at the ninth digit (about one pair in 10^7 of those that differ in their last bits). The reverse holds
/// unless the tables are so regular that no refinement tells their rows apart, such as a permuted Latin square: where a
/// false agreement would be costly, confirm with `same`.
pub fn fingerprint(table: &Table) -> Fingerprint {
    const ROUNDS: usize = 3;
    let cells: Vec<Vec<u64>> = table
        .rows
        .iter()
        .map(|row| row.iter().map(colour).collect())
        .collect();
    let width = table.columns.len();
    let mut columns = vec![0_u64; width];
    let mut rows = vec![0_u64; cells.len()];
    for _ in 0..ROUNDS {
        columns = (0..width)
            .map(|c| {
                refined(
                    columns[c],
                    rows.iter().zip(&cells).map(|(row, cells)| (*row, cells[c])),
                )
            })
            .collect();
        rows = rows
            .iter()
            .zip(&cells)
            .map(|(row, cells)| refined(*row, columns.iter().copied().zip(cells.iter().copied())))
            .collect();
    }
    columns.sort_unstable();
    rows.sort_unstable();
    let mut hasher = blake3::Hasher::new();
    for number in [width as u64, rows.len() as u64]
        .iter()
        .chain(&columns)
        .chain(&rows)
    {
        hasher.update(&number.to_le_bytes());
    }
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    Fingerprint(bytes)
}

/// One value for the fingerprints of a query's results on several databases; `None` where it has no result of its own.
pub fn fingerprints(parts: &[Option<Fingerprint>]) -> Fingerprint {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        match part {
            Some(Fingerprint(bytes)) => hasher.update(b"s").update(bytes),
            None => hasher.update(b"n"),
        };
    }
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    Fingerprint(bytes)
}

/// A colour from the one before and the bag of (other side's colour, cell).
fn refined(colour: u64, seen: impl Iterator<Item = (u64, u64)>) -> u64 {
    let mut seen: Vec<(u64, u64)> = seen.collect();
    seen.sort_unstable();
    let mut hasher = blake3::Hasher::new();
    hasher.update(&colour.to_le_bytes());
    for (other, cell) in seen {
        hasher.update(&other.to_le_bytes());
        hasher.update(&cell.to_le_bytes());
    }
    first_eight(&hasher)
}

fn first_eight(hasher: &blake3::Hasher) -> u64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
    u64::from_le_bytes(bytes)
}

/// A cell's value without its spelling: a real that is whole but for rounding counts as the integer, others keep nine
/// digits.
fn colour(cell: &Cell) -> u64 {
    let mut hasher = blake3::Hasher::new();
    match cell {
        Cell::Null => hasher.update(b"n"),
        Cell::Integer(value) => hasher.update(b"i").update(&value.to_le_bytes()),
        Cell::Real(value) => {
            let whole = value.round();
            let rounding = 1e-9_f64.min(1e-12 * value.abs().max(1.0)).max(f64::EPSILON * 8.0);
            if (value - whole).abs() <= rounding && whole.abs() < 9.0e15 {
                hasher.update(b"i").update(&(whole as i64).to_le_bytes())
            } else if value.abs() <= 1e-9 {
                hasher.update(b"i").update(&0_i64.to_le_bytes())
            } else {
                hasher.update(b"r").update(format!("{value:.8e}").as_bytes())
            }
        }
        Cell::Text(text) => hasher.update(b"t").update(text.as_bytes()),
        Cell::Blob(bytes) => hasher.update(b"b").update(bytes),
    };
    first_eight(&hasher)
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand::seq::SliceRandom;

    use super::super::compare::tests::any_table;
    use super::super::same;
    use super::super::table::tests::table;
    use super::*;

    /// The same table with rows and columns in another order.
    pub(in crate::answer::sql) fn shuffled(table: &Table, seed: u64) -> Table {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
        let mut columns: Vec<usize> = (0..table.columns.len()).collect();
        columns.shuffle(&mut rng);
        let mut rows: Vec<Vec<Cell>> = table
            .rows
            .iter()
            .map(|row| columns.iter().map(|&c| row[c].clone()).collect())
            .collect();
        rows.shuffle(&mut rng);
        Table {
            columns: columns.iter().map(|&c| table.columns[c].clone()).collect(),
            rows,
        }
    }

    #[test]
    fn rounding_and_types_do_not_show() {
        let one = table(&[&[
            Cell::Real(0.1 + 0.2),
            Cell::Real(3.000_000_000_000_000_4),
            Cell::Real(1e-17),
        ]]);
        let two = table(&[&[Cell::Real(0.3), Cell::Integer(3), Cell::Integer(0)]]);
        assert_eq!(fingerprint(&one), fingerprint(&two));
        let text = table(&[&[Cell::Real(0.3), Cell::Text("3".into()), Cell::Integer(0)]]);
        assert_ne!(fingerprint(&two), fingerprint(&text));
    }

    #[test]
    fn shape_counts() {
        let empty = |columns| Table {
            columns: vec![String::new(); columns],
            rows: vec![],
        };
        assert_ne!(fingerprint(&empty(1)), fingerprint(&empty(2)));
        let row: &[Cell] = &[Cell::Null];
        assert_ne!(fingerprint(&table(&[row])), fingerprint(&table(&[row, row])));
    }

    #[test]
    fn regular_tables_are_where_only_the_comparison_can_tell() {
        // An 8-cycle and two 4-cycles as incidence tables: every row and column looks like every other.
        let rows = |ones: [[usize; 2]; 4]| Table {
            columns: vec![String::new(); 4],
            rows: ones
                .iter()
                .map(|ones| {
                    (0..4)
                        .map(|c| Cell::Integer(i64::from(ones.contains(&c))))
                        .collect()
                })
                .collect(),
        };
        let one = rows([[0, 1], [1, 2], [2, 3], [3, 0]]);
        let two = rows([[0, 1], [0, 1], [2, 3], [2, 3]]);
        assert_eq!(fingerprint(&one), fingerprint(&two));
        assert!(same(&one, &two, false).is_err());
    }

    proptest! {
        #[test]
        fn order_of_rows_and_columns_does_not_show(table in any_table(), seed: u64) {
            prop_assert_eq!(fingerprint(&table), fingerprint(&shuffled(&table, seed)));
        }

        #[test]
        fn agrees_with_the_comparison_on_small_tables(a in any_table(), b in any_table()) {
            prop_assert_eq!(fingerprint(&a) == fingerprint(&b), same(&a, &b, false).is_ok());
        }
    }
}
