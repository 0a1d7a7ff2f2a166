//! Whether two tables hold the same answer.

use std::cmp::Ordering;
use std::collections::HashMap;

use super::table::{Cell, Key, Table};

/// Cells looked at before a comparison is given up; a wide table of equal columns could otherwise be tried for ever.
const CELLS_MAX: usize = 50_000_000;

/// How a result differs from the gold result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Difference {
    /// Another number of columns.
    #[error("{got} columns where the reference has {gold}")]
    Columns {
        /// Columns of the reference.
        gold: usize,
        /// Columns of the result.
        got: usize,
    },
    /// Another number of rows.
    #[error("{got} rows where the reference has {gold}")]
    Rows {
        /// Rows of the reference.
        gold: usize,
        /// Rows of the result.
        got: usize,
    },
    /// The same shape with other values.
    #[error("other values than the reference")]
    Values,
    /// The same rows in another order, where the reference orders them.
    #[error("the reference's rows in another order")]
    Order,
    /// No pairing of columns was found within the limit on work; counted as different.
    #[error("too many equal columns to compare")]
    Undecided,
}

/// Compares a result with the gold result: rows as a bag, or in their order where `ordered`; columns up to a permutation;
/// cells by [`Cell::same`]. Two empty results are the same when they have as many columns.
pub fn same(gold: &Table, got: &Table, ordered: bool) -> Result<(), Difference> {
    let (columns, rows) = (gold.columns.len(), gold.rows.len());
    if columns != got.columns.len() {
        let got = got.columns.len();
        return Err(Difference::Columns { gold: columns, got });
    }
    if rows != got.rows.len() {
        let got = got.rows.len();
        return Err(Difference::Rows { gold: rows, got });
    }
    match Search::new(gold, got, ordered).run()? {
        true => Ok(()),
        false if ordered && Search::new(gold, got, false).run()? => Err(Difference::Order),
        false => Err(Difference::Values),
    }
}

/// Depth-first over column pairings: a prefix of pairs lives as long as the tables cut down to it are equal.
struct Search<'a> {
    gold: &'a Table,
    got: &'a Table,
    ordered: bool,
    pairs: Vec<(usize, usize)>,
    cells_left: usize,
}

impl<'a> Search<'a> {
    fn new(gold: &'a Table, got: &'a Table, ordered: bool) -> Self {
        Self {
            gold,
            got,
            ordered,
            pairs: vec![],
            cells_left: CELLS_MAX,
        }
    }

    fn run(&mut self) -> Result<bool, Difference> {
        let column = self.pairs.len();
        if column == self.gold.columns.len() {
            return Ok(true);
        }
        let mut tried: Vec<usize> = vec![];
        for candidate in 0..self.got.columns.len() {
            let used = self.pairs.iter().any(|&(_, got)| got == candidate);
            // A twin of a column that failed here fails here, too.
            if used || tried.iter().any(|&twin| self.twins(twin, candidate)) {
                continue;
            }
            tried.push(candidate);
            self.pairs.push((column, candidate));
            if self.equal_so_far()? && self.run()? {
                return Ok(true);
            }
            self.pairs.pop();
        }
        Ok(false)
    }

    fn twins(&self, one: usize, other: usize) -> bool {
        self.got.rows.iter().all(|row| row[one] == row[other])
    }

    fn equal_so_far(&mut self) -> Result<bool, Difference> {
        let cost = self.pairs.len() * self.gold.rows.len().max(1);
        self.cells_left = self.cells_left.checked_sub(cost).ok_or(Difference::Undecided)?;
        if self.ordered {
            let mut rows = self.gold.rows.iter().zip(&self.got.rows);
            // Earlier pairs were checked on the way here.
            let (a, b) = self.pairs[self.pairs.len() - 1];
            return Ok(rows.all(|(gold, got)| gold[a].same(&got[b])));
        }
        let (approximate, exact): (Vec<_>, Vec<_>) = self.pairs.iter().partition(|pair| self.has_reals(pair));
        let mut groups: HashMap<Vec<Key<'_>>, (Vec<usize>, Vec<usize>)> = HashMap::new();
        for (index, row) in self.gold.rows.iter().enumerate() {
            let key = exact.iter().map(|&(a, _)| Key::of(&row[a])).collect();
            groups.entry(key).or_default().0.push(index);
        }
        for (index, row) in self.got.rows.iter().enumerate() {
            let key: Vec<_> = exact.iter().map(|&(_, b)| Key::of(&row[b])).collect();
            match groups.get_mut(&key) {
                Some(group) => group.1.push(index),
                None => return Ok(false),
            }
        }
        Ok(groups
            .into_values()
            .all(|(gold, got)| self.group_matches(gold, got, &approximate)))
    }

    fn has_reals(&self, &(a, b): &(usize, usize)) -> bool {
        let real = |cell: &Cell| matches!(cell, Cell::Real(_));
        self.gold.rows.iter().any(|row| real(&row[a])) || self.got.rows.iter().any(|row| real(&row[b]))
    }

    /// Pairs rows that agree in their exact cells by their approximate ones: both sides sorted, each gold row takes the first
    /// free row within tolerance.
    fn group_matches(&self, mut gold: Vec<usize>, mut got: Vec<usize>, by: &[(usize, usize)]) -> bool {
        if gold.len() != got.len() {
            return false;
        }
        let Some(&(first_gold, first_got)) = by.first() else {
            return true;
        };
        let (gold_rows, got_rows) = (&self.gold.rows, &self.got.rows);
        gold.sort_by(|&x, &y| order(by.iter().map(|&(a, _)| (&gold_rows[x][a], &gold_rows[y][a]))));
        got.sort_by(|&x, &y| order(by.iter().map(|&(_, b)| (&got_rows[x][b], &got_rows[y][b]))));
        let mut free: Vec<bool> = vec![true; got.len()];
        let mut start = 0;
        for &x in &gold {
            while !free.get(start).copied().unwrap_or(true) {
                start += 1;
            }
            let target = &gold_rows[x][first_gold];
            let found = (start..got.len())
                .take_while(|&i| !beyond(&got_rows[got[i]][first_got], target))
                .find(|&i| {
                    free[i]
                        && by
                            .iter()
                            .all(|&(a, b)| gold_rows[x][a].same(&got_rows[got[i]][b]))
                });
            match found {
                Some(i) => free[i] = false,
                None => return false,
            }
        }
        true
    }
}

/// Lexicographic, numbers before everything else.
fn order<'a>(mut cells: impl Iterator<Item = (&'a Cell, &'a Cell)>) -> Ordering {
    cells
        .find_map(|(a, b)| Some(cell_order(a, b)).filter(|o| o.is_ne()))
        .unwrap_or(Ordering::Equal)
}

fn cell_order(a: &Cell, b: &Cell) -> Ordering {
    match (a, b) {
        (Cell::Text(a), Cell::Text(b)) => a.cmp(b),
        (Cell::Blob(a), Cell::Blob(b)) => a.cmp(b),
        _ => match (a.number(), b.number()) {
            (Some(x), Some(y)) => x.total_cmp(&y),
            _ => rank(a).cmp(&rank(b)),
        },
    }
}

fn rank(cell: &Cell) -> u8 {
    match cell {
        Cell::Integer(_) | Cell::Real(_) => 0,
        Cell::Null => 1,
        Cell::Text(_) => 2,
        Cell::Blob(_) => 3,
    }
}

/// Sorted past the target by more than the tolerance, so that no later row can match it.
fn beyond(cell: &Cell, target: &Cell) -> bool {
    cell_order(cell, target).is_gt() && !cell.same(target)
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::super::table::tests::table;
    use super::*;
    use Cell::{Integer as I, Null as N, Real as R};

    fn t(text: &str) -> Cell {
        Cell::Text(text.into())
    }

    #[test]
    fn rows_are_a_bag_and_columns_are_unnamed() {
        let gold = table(&[&[I(1), t("a")], &[I(1), t("a")], &[I(2), N]]);
        let moved = table(&[&[N, I(2)], &[t("a"), I(1)], &[t("a"), I(1)]]);
        assert_eq!(same(&gold, &moved, false), Ok(()));
        assert_eq!(same(&gold, &moved, true), Err(Difference::Order));
        let fewer = table(&[&[N, I(2)], &[N, I(2)], &[t("a"), I(1)]]);
        assert_eq!(
            same(&gold, &fewer, false),
            Err(Difference::Values),
            "as often as in the gold"
        );
        assert_eq!(
            same(&gold, &table(&[&[I(1)]]), false),
            Err(Difference::Columns { gold: 2, got: 1 })
        );
        assert_eq!(
            same(&gold, &table(&[&[I(1), t("a")]]), false),
            Err(Difference::Rows { gold: 3, got: 1 })
        );
    }

    #[test]
    fn columns_move_as_a_whole() {
        // Each row has the same values, but no single permutation of columns makes the tables equal.
        let gold = table(&[&[I(1), I(2)], &[I(1), I(2)], &[I(2), I(1)]]);
        let got = table(&[&[I(1), I(2)], &[I(2), I(1)], &[I(2), I(1)]]);
        assert_eq!(same(&gold, &got, false), Ok(()), "swapped");
        let gold = table(&[&[I(1), I(2), I(0)], &[I(2), I(1), I(1)]]);
        let got = table(&[&[I(1), I(2), I(0)], &[I(1), I(2), I(1)]]);
        assert_eq!(same(&gold, &got, false), Err(Difference::Values));
    }

    #[test]
    fn reals_match_within_tolerance_beside_ties() {
        let gold = table(&[&[R(0.3), t("a")], &[R(0.3), t("b")], &[I(4), t("c")]]);
        let got = table(&[&[t("b"), R(0.1 + 0.2)], &[t("c"), R(4.0)], &[t("a"), R(0.3)]]);
        assert_eq!(same(&gold, &got, false), Ok(()));
        let pairs = table(&[&[R(0.3), R(1.0)], &[R(0.1 + 0.2), R(0.5)]]);
        let swapped = table(&[&[R(0.1 + 0.2), R(1.0)], &[R(0.3), R(0.5)]]);
        assert_eq!(
            same(&pairs, &swapped, false),
            Ok(()),
            "near ties in the first column"
        );
        let off = table(&[&[R(0.3), R(1.0)], &[R(0.3), R(0.501)]]);
        assert_eq!(same(&pairs, &off, false), Err(Difference::Values));
    }

    #[test]
    fn empty_results_need_the_same_width() {
        let empty = |columns| Table {
            columns: vec![String::new(); columns],
            rows: vec![],
        };
        assert_eq!(same(&empty(2), &empty(2), true), Ok(()));
        assert!(same(&empty(2), &empty(1), false).is_err());
    }

    #[test]
    fn wide_tables_of_like_columns_end() {
        // 24 columns, each with a single 1, in a pattern that no permutation repairs.
        let cell = |row: usize, column: usize| I(i64::from(row == column || (row, column) == (0, 1)));
        let row = |r: usize| (0..24).map(|c| cell(r, c)).collect::<Vec<_>>();
        let gold = Table {
            columns: vec![String::new(); 24],
            rows: (0..24).map(row).collect(),
        };
        let mut got = gold.clone();
        got.rows[5][6] = I(1);
        got.rows[0][1] = I(0);
        got.rows[5][7] = I(0);
        assert_eq!(same(&gold, &got, false), Ok(()));
        got.rows[5][6] = I(0);
        assert!(same(&gold, &got, false).is_err());
    }

    pub(in crate::answer::sql) fn any_table() -> impl Strategy<Value = Table> {
        let cell = prop_oneof![
            Just(N),
            (0_i64..3).prop_map(I),
            (0_u8..3).prop_map(|n| R(f64::from(n) / 3.0)),
            "[ab]".prop_map(Cell::Text)
        ];
        (1_usize..4, 0_usize..5).prop_flat_map(move |(columns, rows)| {
            proptest::collection::vec(proptest::collection::vec(cell.clone(), columns), rows).prop_map(
                move |rows| Table {
                    columns: vec![String::new(); columns],
                    rows,
                },
            )
        })
    }

    proptest! {
        #[test]
        fn permuted_tables_are_the_same_and_edited_ones_are_not(
            gold in any_table(), seed: u64, place: (prop::sample::Index, prop::sample::Index),
        ) {
            let mut got = super::super::fingerprint::tests::shuffled(&gold, seed);
            prop_assert_eq!(same(&gold, &got, false), Ok(()));
            prop_assert_eq!(same(&gold, &gold, true), Ok(()));
            if !got.rows.is_empty() {
                let row = place.0.index(got.rows.len());
                let column = place.1.index(got.columns.len());
                got.rows[row][column] = Cell::Integer(77);
                prop_assert_eq!(same(&gold, &got, false), Err(Difference::Values));
            }
        }
    }
}
