//! Tables as text: names left, numbers right.

use unicode_width::UnicodeWidthStr;

/// A table that is printed when it is full.
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these heads; the first column holds names.
    pub(crate) fn new<const N: usize>(heads: [&str; N]) -> Self {
        Self {
            rows: vec![heads.map(str::to_owned).to_vec()],
        }
    }

    /// The same, where the number of columns is known only when it runs.
    pub(crate) fn of(heads: Vec<String>) -> Self {
        Self { rows: vec![heads] }
    }

    /// Adds a row.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// The lines, each indented by two.
    pub(crate) fn text(&self) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.width()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let mut text = String::new();
        for row in &self.rows {
            let mut line = String::from(" ");
            for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
                let padding = " ".repeat(width - cell.width());
                line.push(' ');
                if column == 0 {
                    line.push_str(cell);
                    line.push_str(&padding);
                } else {
                    line.push(' ');
                    line.push_str(&padding);
                    line.push_str(cell);
                }
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let mut table = Table::new(["set", "n", "τ=1"]);
        table.row(["alles über Mühlen".to_owned(), "12".to_owned(), "1.75".to_owned()]);
        table.row(["b".to_owned(), "1,234".to_owned(), "-".to_owned()]);
        let wanted = "  set                    n   τ=1\n  alles über Mühlen     12  1.75\n  b                  1,234     -\n";
        assert_eq!(table.text(), wanted);
    }
}
