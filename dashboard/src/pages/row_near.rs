//! Rows that are similar to one, beside it.

use gristmill_rowindex::{Error, Filter, Listed};
use maud::{Markup, html};

use super::row_parts::OneRow;
use super::row_words::{row_address, similar_address, verdict};
use super::rows_asked::address;
use crate::indexes::Indexed;
use crate::text::Shown;

/// Rows beside one.
const NEAR: usize = 8;

/// A row that is like another, and how much.
pub(super) type Near = (Listed, f32);

/// The rows that are most similar to one.
pub(super) fn near(indexed: &Indexed, number: u64) -> Result<Vec<Near>, Error> {
    let near = indexed.index.neighbours(number, NEAR)?;
    let numbers: Vec<u64> = near.iter().map(|near| near.number).collect();
    let listed = indexed.index.listed(&numbers)?;
    Ok(listed
        .into_iter()
        .zip(near.iter().map(|near| near.cosine))
        .collect())
}

/// The rows that are most similar to one.
pub(super) fn neighbours(row: &OneRow, near: &[Near]) -> Markup {
    let id = row.listed.id.to_string();
    html! {
        @if near.is_empty() {
            p { "Its question was not embedded. “All similar rows” compares its words." }
        } @else {
            div.scroll { table.cards.left.rows {
                caption.hidden { "Most similar rows" }
                thead { tr { th scope="col" { "Row" } th scope="col" { "Verdict" } th.number scope="col" { "Cosine" } th scope="col" { "Beside" } } }
                tbody { @for (other, cosine) in near { tr {
                    th scope="row" { a href=(row_address(&row.run, other.id)) data-pane=(row_address(&row.run, format!("{}/pane", other.id))) { (Shown(&other.question)) } }
                    td data-head="Verdict" { (verdict(other)) }
                    td.number data-head="Cosine" { (format!("{cosine:.3}")) }
                    td data-head="Beside" {
                        a href=(address(&row.run, "compare", &[("a", id.clone()), ("b", other.id.to_string())])) { "Compare" }
                    }
                } } }
            } }
            p.quiet { "Of rows that ask the very same question, one is shown: “All similar rows” has each of them." }
        }
        p.acts {
            a.button href=(similar_address(&row.run, &Filter::default(), &id)) { "All similar rows" }
            a.button href=(row_address(&row.run, format!("{id}/json"))) { "Download its history as JSON" }
        }
    }
}
