//! Rows as a table.

use gristmill_rowindex::{Facet, Listed};
use maud::{Markup, html};

use super::row_words::{cost, named, row_address, similar_address, verdict};
use super::rows_asked::RowsAsked;
use crate::text::Shown;

/// A line a row; with how similar each is, where they are compared with something.
pub(super) fn table(run: &str, wanted: &RowsAsked, rows: &[Listed]) -> Markup {
    html! {
        div.scroll { table.cards.left.rows {
            caption.hidden { "Rows" }
            thead { tr {
                th scope="col" { "Row" } th scope="col" { "Verdict" } th scope="col" { "Made by" } th.number scope="col" { "Cost" }
                @if !wanted.filter.like.is_empty() { th.number scope="col" { "Similarity" } }
            } }
            tbody { @for row in rows { (line(run, wanted, row)) } }
        } }
    }
}

fn line(run: &str, wanted: &RowsAsked, row: &Listed) -> Markup {
    let question = match row.question.trim() {
        "" => "(no question)",
        question => question,
    };
    let real = row.value(Facet::Kind) == "real";
    html! {
        tr {
            th scope="row" {
                a #{ "row-" (row.id) } href=(row_address(run, row.id)) data-pane=(row_address(run, format!("{}/pane", row.id))) { (Shown(question)) }
                @if !row.answer.trim().is_empty() { p.quiet { (Shown(&row.answer)) } }
            }
            td data-head="Verdict" { (verdict(row)) @if !row.detail.is_empty() { p.quiet { (Shown(&row.detail)) } } }
            td data-head="Made by" {
                @if real { "–" } @else {
                    (Shown(&named(Facet::Recipe, &row.value(Facet::Recipe)))) p.quiet { "round " (row.value(Facet::Round)) }
                }
                p.quiet { a href=(similar_address(run, &wanted.filter, row.id)) { "similar rows" span.hidden { " to row " (&row.id.to_string()[..12]) } } }
            }
            td.number data-head="Cost" { @if real { "–" } @else { (cost(&row.spent)) } }
            @if let Some(similarity) = row.similarity { td.number data-head="Similarity" { (format!("{similarity:.3}")) } }
        }
    }
}
