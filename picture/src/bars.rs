//! Bars in files of their own. In a page bars stand in a table, whose text is the page's.

use std::fmt::Write;

use crate::style::COLOURS;
use crate::text::{cut, escape};

const WIDTH: f64 = 900.0;
const NAMES: f64 = 280.0;
const ROW: f64 = 26.0;
const NUMBERS: f64 = 110.0;

/// A part of a bar.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Part {
    /// Share of the scale, from 0 to 1.
    pub share: f64,
    /// Number of its colour.
    pub colour: usize,
    /// Drawn faintly: what is lost, or only held.
    pub faint: bool,
}

/// A row of bars.
#[derive(Debug, Clone, PartialEq)]
pub struct BarRow {
    /// What it is for.
    pub name: String,
    /// Bars below each other; the parts of one beside each other.
    pub bars: Vec<Vec<Part>>,
    /// Where the goal is, from 0 to 1.
    pub goal: Option<f64>,
    /// The number behind it.
    pub number: String,
}

/// A file of bars.
pub fn svg(title: &str, rows: &[BarRow]) -> String {
    let height = 44.0 + ROW * rows.len() as f64;
    let wide = WIDTH - NAMES - NUMBERS;
    let mut text = format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img"><title>{title}</title><style>{COLOURS}</style><rect class="ground" width="{WIDTH}" height="{height}"/><text class="label" x="12" y="24">{title}</text>"#,
        title = escape(title)
    );
    for (number, row) in rows.iter().enumerate() {
        let top = 40.0 + ROW * number as f64;
        let middle = top + ROW / 2.0 + 4.0;
        // Writing to a text cannot fail.
        let _written = write!(
            text,
            r#"<text class="label" x="{}" y="{middle}" text-anchor="end">{}</text>"#,
            NAMES - 10.0,
            escape(&cut(&row.name, 44))
        );
        let thick = (ROW - 6.0) / row.bars.len().max(1) as f64;
        for (place, bar) in row.bars.iter().enumerate() {
            let mut x = NAMES;
            for part in bar {
                let width = wide * part.share.clamp(0.0, 1.0);
                let class = if part.faint { "faint" } else { "fill" };
                let _written = write!(
                    text,
                    r#"<g class="c{}"><rect class="{class}" x="{x:.1}" y="{:.1}" width="{width:.1}" height="{:.1}"/></g>"#,
                    part.colour,
                    top + 3.0 + thick * place as f64,
                    (thick - 1.0).max(1.0)
                );
                x += width;
            }
        }
        if let Some(goal) = row.goal {
            let x = NAMES + wide * goal.clamp(0.0, 1.0);
            let _written = write!(
                text,
                r#"<line class="goal" x1="{x:.1}" x2="{x:.1}" y1="{:.1}" y2="{:.1}"/>"#,
                top + 1.0,
                top + ROW - 1.0
            );
        }
        let _written = write!(
            text,
            r#"<text class="small" x="{}" y="{middle}">{}</text>"#,
            WIDTH - NUMBERS + 10.0,
            escape(&row.number)
        );
    }
    text.push_str("</svg>\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_escaped_and_shares_bounded() {
        let row = BarRow {
            name: "<i>renal dosing".to_owned(),
            bars: vec![
                vec![Part {
                    share: 2.0,
                    colour: 0,
                    faint: false,
                }],
                vec![],
            ],
            goal: Some(0.5),
            number: "12/40".to_owned(),
        };
        let svg = svg("Concepts", &[row]);
        assert!(
            svg.contains("&lt;i&gt;renal dosing") && svg.contains(r#"width="510.0""#),
            "{svg}"
        );
        assert!(svg.contains("class=\"goal\""));
    }
}
