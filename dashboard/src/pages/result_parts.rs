//! Parts of an evaluation's pages: verdicts, headlines, tables with intervals, as its file `evaluation.html` draws them.

use gristmill_domain::words::thousands;
use gristmill_picture::parts::{Headline, IntervalRow, Intervals, Severity, Table};
use maud::{Markup, html};

use crate::link;
use crate::text::Shown;

/// Rows of a table with intervals that are shown.
const ROWS_MAX: usize = 60;
/// Width of the mark of a figure, as a share of the scale.
const MARK: f64 = 0.01;

/// What is known, in a sentence.
pub(super) fn verdict(severity: Severity, text: &str) -> Markup {
    let (class, sign) = match severity {
        Severity::Good => ("good", "✓"),
        Severity::Warn => ("warn", "!"),
        Severity::Bad => ("bad", "✗"),
    };
    html! { p class={ "verdict " (class) } { span.sign aria-hidden="true" { (sign) } (Shown(text)) } }
}

/// Where to vote, while nobody has.
pub(super) fn no_votes(run: &str) -> Markup {
    html! {
        p { "Nobody has voted yet. " a href=(link::of_run(run, "arena")) { "The blind arena" } " shows the models' answers side by side, without their names." }
    }
}

/// Numbers that stand for the whole.
pub(super) fn headlines(all: &[Headline]) -> Markup {
    html! {
        dl.headlines { @for line in all {
            div { dt { (Shown(&line.name)) } dd { strong { (Shown(&line.value)) } span.quiet { (Shown(&line.note)) } } }
        } }
    }
}

/// A table with an interval a row; `head` names its first column.
pub(super) fn intervals(rows: &Intervals, label: &str, head: &str, colour: usize) -> Markup {
    html! {
        p.quiet { (Shown(&rows.of)) }
        div.scroll { table.bars.intervals {
            caption.hidden { (Shown(label)) }
            thead { tr {
                th scope="col" { (Shown(head)) } th.bar scope="col" { span.hidden { "interval" } }
                @for head in &rows.heads { th scope="col" { (Shown(head)) } }
            } }
            tbody { @for row in rows.rows.iter().take(ROWS_MAX) { tr {
                th scope="row" { (Shown(&row.name)) }
                td.bar { (drawn(row, rows.zero, colour)) }
                @for cell in &row.cells { td { (Shown(cell)) } }
            } } }
        } }
        @if rows.rows.len() > ROWS_MAX {
            p.quiet { "The first " (ROWS_MAX) " of " (thousands(rows.rows.len() as u64)) "; all are in the files of the result." }
        }
    }
}

/// An interval with its figure and the scale's zero. The numbers stand beside it, so it is hidden from those who hear the page.
fn drawn(row: &IntervalRow, zero: f64, colour: usize) -> Markup {
    let at = |share: f64| format!("{:.4}", share.clamp(0.0, 1.0));
    html! {
        svg viewBox="0 0 1 1" preserveAspectRatio="none" aria-hidden="true" {
            rect.axis height="1" width="0.004" x=(at(zero)) {}
            g class={ "c" (colour) } {
                rect.faint y="0.3" height="0.4" x=(at(row.low)) width=(at(row.high - row.low)) {}
                rect.fill y="0.1" height="0.8" x=(at(row.value.min(1.0 - MARK))) width=(MARK) {}
            }
        }
    }
}

/// A plain table; `class` says how its cells are laid out.
pub(super) fn table(table: &Table, label: &str, class: &str) -> Markup {
    html! {
        div.scroll { table class={ "plain " (class) } {
            caption.hidden { (Shown(label)) }
            @if !table.heads.is_empty() {
                thead { tr { @for head in &table.heads { th scope="col" { (Shown(head)) } } } }
            }
            tbody { @for row in &table.rows { tr {
                @for (number, cell) in row.iter().enumerate() {
                    @if number == 0 { th scope="row" { (Shown(cell)) } } @else { td { (Shown(cell)) } }
                }
            } } }
        } }
    }
}
