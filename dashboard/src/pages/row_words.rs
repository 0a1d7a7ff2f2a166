//! What is said of rows in the same words wherever they are shown.

use gristmill_domain::filter::Reason;
use gristmill_rowindex::{Facet, Filter, Listed, Spent};
use maud::{Markup, html};

use super::rows_asked::RowsAsked;
use crate::link;

/// A value in words.
pub(super) fn named(facet: Facet, value: &str) -> String {
    match facet {
        Facet::Reason => value
            .parse()
            .map_or_else(|_| value.to_owned(), |reason: Reason| reason.label().to_owned()),
        Facet::Strategy | Facet::Recipe => value.replace('_', " "),
        Facet::Verdict | Facet::Round | Facet::Concept | Facet::Counted | Facet::Teacher | Facet::Kind => {
            value.to_owned()
        }
    }
}

/// What rows cost. What has no price is not free.
pub(super) fn cost(spent: &Spent) -> String {
    match (spent.unpriced, spent.usd.0) {
        (0, _) => spent.usd.to_string(),
        (_, 0) => "price unknown".to_owned(),
        (_, _) => format!("{} and calls whose price is unknown", spent.usd),
    }
}

/// A row's verdict as sign and word.
pub(super) fn verdict(row: &Listed) -> Markup {
    let reason = named(Facet::Reason, &row.value(Facet::Reason));
    let (class, sign, word) = match row.value(Facet::Verdict).as_str() {
        "accepted" => ("good", "✓", "accepted".to_owned()),
        "real" => ("quiet", "◆", "real".to_owned()),
        _ => ("bad", "✗", reason),
    };
    html! { span.state.(class) { span.sign aria-hidden="true" { (sign) } (word) } }
}

/// The address of a row's page.
pub(super) fn row_address(run: &str, id: impl std::fmt::Display) -> String {
    link::of_run(run, &format!("rows/{id}"))
}

/// The heading of a facet's values.
pub(super) fn heading(facet: Facet) -> &'static str {
    match facet {
        Facet::Verdict => "Verdict",
        Facet::Reason => "Reason of rejection",
        Facet::Recipe => "Recipe",
        Facet::Round => "Round",
        Facet::Concept => "Concept",
        Facet::Counted => "Counts for the concept",
        Facet::Strategy => "Strategy",
        Facet::Teacher => "Teacher",
        Facet::Kind => "Kind",
    }
}

/// The address of the rows that are similar to one, among those that a filter finds.
pub(super) fn similar_address(run: &str, filter: &Filter, id: impl std::fmt::Display) -> String {
    let mut filter = filter.clone();
    filter.like = id.to_string();
    RowsAsked::of(filter.clone()).address(run, "rows", &filter)
}
