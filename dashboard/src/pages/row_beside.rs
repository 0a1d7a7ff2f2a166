//! Two rows side by side.

use axum::extract::{Path, Query};
use axum::response::Response;
use maud::{Markup, html};

use super::row_found::{indexed, one};
use super::row_parts::{OneRow, facts, texts};
use super::row_words::{row_address, verdict};
use super::rows_asked::Pairs;
use crate::live::Asked;
use crate::page::{Page, Part};
use crate::source::Refusal;
use crate::text::Shown;

/// Two rows side by side.
pub(super) async fn compare(asked: Asked, Path(run): Path<String>, Query(pairs): Query<Pairs>) -> Response {
    let made = async {
        let id = |name: &str| {
            let found = pairs.iter().find(|(known, _)| known == name);
            found.map(|(_, id)| id.clone()).ok_or_else(|| {
                Refusal::bad_request(
                    "Two rows are compared by their ids: give `a` and `b`, or choose “Compare” beside a row.",
                )
            })
        };
        let (first, second) = (id("a")?, id("b")?);
        let indexed = indexed(&asked, &run).await?;
        let (a, b) = (
            one(&indexed, &run, &first).await?,
            one(&indexed, &run, &second).await?,
        );
        Ok(Page::new("Two rows", Part::Runs)
            .still()
            .of_run(&run)
            .with("compare", beside(&a, &b)))
    };
    asked.answer(made.await)
}

fn beside(a: &OneRow, b: &OneRow) -> Markup {
    let (of_a, of_b) = (facts(a), facts(b));
    let mut names: Vec<&str> = of_a
        .iter()
        .chain(&of_b)
        .map(|(name, _, _)| *name)
        .filter(|name| !name.is_empty())
        .collect();
    let mut seen = std::collections::HashSet::new();
    names.retain(|name| seen.insert(*name));
    let value = |facts: &[(&'static str, String, _)], name: &str| {
        let values = facts.iter().filter(|(known, _, _)| *known == name);
        values
            .map(|(_, value, _): &(_, String, Option<_>)| value.as_str())
            .collect::<Vec<_>>()
            .join(", ")
    };
    let link = |row: &OneRow| html! { a href=(row_address(&row.run, row.listed.id)) { (&row.listed.id.to_string()[..12]) } " " (verdict(&row.listed)) };
    html! {
        div.scroll { table.left.wrap {
            caption.hidden { "Facts of two rows; those that differ are marked" }
            thead { tr { th scope="col" { "" } th scope="col" { (link(a)) } th scope="col" { (link(b)) } } }
            tbody { @for name in names {
                @let (left, right) = (value(&of_a, name), value(&of_b, name));
                tr {
                    th scope="row" { (name) @if left != right { " " span.differs { "≠" span.hidden { " differs" } } } }
                    td { (Shown(&left)) } td { (Shown(&right)) }
                }
            } }
        } }
        div.beside {
            section { h2 { (link(a)) } (texts(a)) }
            section { h2 { (link(b)) } (texts(b)) }
        }
    }
}
