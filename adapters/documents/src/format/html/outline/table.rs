//! Rows of tables.

use super::{Reader, Row};
use crate::block::{Kind, Why};
use crate::clean;

/// Share of links above which a table's row is one of an index.
const ROW_LINKS_MAX: f64 = 0.8;
/// A cell with more words than this belongs to a table that only lays out.
const CELL_WORDS_MAX: usize = 80;

impl Reader {
    pub(super) fn end_cell(&mut self) {
        if let Some(row) = self.rows.last_mut() {
            let cell = clean::line(&std::mem::take(&mut self.text));
            row.linked += std::mem::take(&mut self.linked);
            if !cell.is_empty() {
                row.cells.push(cell);
            }
        } else {
            self.flush_text();
        }
    }

    /// Ends a table's row.
    pub(super) fn flush_cells(&mut self) {
        if self.rows.is_empty() {
            self.flush_text();
            return;
        }
        self.end_cell();
        let Some(Row { cells, linked }) = self.rows.last_mut().map(std::mem::take) else {
            return;
        };
        // Links in a table name things as well as they lead somewhere: only a row of nothing else is an index.
        let characters: usize = cells
            .iter()
            .flat_map(|cell| cell.chars())
            .filter(|c| !c.is_whitespace())
            .count();
        if linked as f64 > ROW_LINKS_MAX * characters as f64 {
            self.paragraph += 1;
            self.content.dropped.count(Why::Links, &cells.join(" "));
            return;
        }
        let lays_out = cells.len() < 2
            || cells
                .iter()
                .any(|cell| cell.split_whitespace().count() > CELL_WORDS_MAX);
        if lays_out {
            cells
                .into_iter()
                .for_each(|cell| self.emit(Kind::Paragraph, cell));
        } else {
            self.emit(Kind::Row, cells.join(" | "));
        }
    }
}
