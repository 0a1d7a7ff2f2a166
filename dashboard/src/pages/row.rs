//! One row: every step, where it comes from, and what is like it; and two rows side by side.

use std::sync::Arc;

use axum::extract::{Path, Query};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use gristmill_coordinator::{RealRow, Trace};
use gristmill_domain::words::thousands;
use gristmill_rowindex::{Error, Listed};
use gristmill_runs::history::step_name;
use maud::{Markup, html};

use super::long_text;
use super::row_parts::{OneRow, facts, head, provenance, reply_text, steps, texts};
use super::rows::{row_address, verdict};
use super::rows_asked::{Pairs, RowsAsked, address};
use crate::indexes::{Indexed, ask};
use crate::layout;
use crate::live::Asked;
use crate::page::{Page, Part};
use crate::source::Refusal;
use crate::text::Shown;

/// Neighbours beside a row, and where one asks for what is similar.
const NEAR: usize = 8;
const SIMILAR: usize = 100;

pub(super) async fn row(
    asked: Asked,
    Path((run, id)): Path<(String, String)>,
    Query(pairs): Query<Pairs>,
) -> Response {
    let similar = match RowsAsked::read(&pairs, &["similar"]) {
        Ok(wanted) => wanted.other("similar").is_some(),
        Err(refusal) => return asked.refused(&refusal),
    };
    let most = if similar { SIMILAR } else { NEAR };
    let made = async {
        let indexed = indexed(&asked, &run).await?;
        let row = one(&indexed, &run, &id).await?;
        let number = row.listed.number;
        let near = ask(&indexed, move |indexed| near(indexed, number, most)).await?;
        Ok::<_, Refusal>(whole(&row, &near, similar))
    };
    answer(&asked, made.await)
}

fn answer(asked: &Asked, made: Result<Page, Refusal>) -> Response {
    match made {
        Ok(page) => layout::answer(StatusCode::OK, layout::whole(&page, &asked.frame(), &asked.path)),
        Err(refusal) => asked.refused(&refusal),
    }
}

async fn indexed(asked: &Asked, run: &str) -> Result<Arc<Indexed>, Refusal> {
    asked
        .app
        .indexes
        .of(asked.app.source.as_ref(), asked.visitor.session.who, run)
        .await
}

/// Finds a row and reads its history.
async fn one(indexed: &Arc<Indexed>, run: &str, id: &str) -> Result<OneRow, Refusal> {
    let wanted = id.to_owned();
    let found = ask(indexed, move |indexed| {
        let Some(located) = indexed.index.one(&wanted)? else {
            return Ok(None);
        };
        let trace = indexed.index.trace(&indexed.journal(), &located)?;
        let listed = indexed.index.listed(&[located.number])?.into_iter().next();
        Ok(listed.map(|listed| (listed, trace)))
    });
    let (listed, trace) = found.await?.ok_or_else(|| {
        let so_far = if indexed.is_whole() {
            ""
        } else {
            " The journal is still being read."
        };
        Refusal::not_found(format!(
            "Run {run} has no row {id} among its anchor and decided rows.{so_far}"
        ))
    })?;
    let steps = match &trace {
        Trace::Made(history) => history
            .tasks
            .iter()
            .map(|result| step_name(&history.row, result))
            .collect(),
        Trace::Real(_) => Vec::new(),
    };
    Ok(OneRow {
        run: run.to_owned(),
        listed,
        trace,
        steps,
    })
}

/// A row that is like another, and how much.
type Near = (Listed, f32);

fn near(indexed: &Indexed, number: u64, most: usize) -> Result<Vec<Near>, Error> {
    let near = indexed.index.neighbours(number, most)?;
    let numbers: Vec<u64> = near.iter().map(|near| near.number).collect();
    let listed = indexed.index.listed(&numbers)?;
    Ok(listed
        .into_iter()
        .zip(near.iter().map(|near| near.cosine))
        .collect())
}

fn whole(row: &OneRow, near: &[Near], similar: bool) -> Page {
    let id = row.listed.id.to_string();
    let page = Page::new(format!("Row {}", &id[..12]), Part::Runs)
        .still()
        .of_run(&row.run)
        .with(
            "row",
            html! {
                section { (head(row)) (texts(row)) }
            },
        );
    let page = match &row.trace {
        Trace::Made(history) => page
            .with("steps", html! { section aria-labelledby="steps-title" { h2 #steps-title { "Steps" } (steps(row, history)) } })
            .with("provenance", html! { section aria-labelledby="from-title" { h2 #from-title { "Where it comes from" } (provenance(row, history)) } }),
        Trace::Real(real) => page.with("made", html! { section { h2 { "Made from it" } (made_from(row, real)) } }),
    };
    page.with("near", html! { section aria-labelledby="near-title" { h2 #near-title { "Most similar rows" } (neighbours(row, near, similar)) } })
}

fn made_from(row: &OneRow, real: &RealRow) -> Markup {
    let id = row.listed.id.to_string();
    let count = |verdict: &str, rows: u64| {
        let pairs = [("verdict", verdict.to_owned()), ("seed", id.clone())];
        html! { @if rows > 0 { a href=(address(&row.run, "rows", &pairs)) { (thousands(rows)) " " (verdict) } } @else { "0 " (verdict) } }
    };
    html! { p { (count("accepted", real.accepted)) ", " (count("rejected", real.rejected)) " rows." } }
}

fn neighbours(row: &OneRow, near: &[Near], similar: bool) -> Markup {
    let id = row.listed.id.to_string();
    html! {
        @if near.is_empty() {
            p { "Its question was not embedded, so nothing is known to be similar." }
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
        }
        p.acts {
            @if !similar && near.len() >= NEAR {
                a.button href={ (row_address(&row.run, &id)) "?similar=more#near" } { "Find more that are similar" }
            }
            a.button href=(row_address(&row.run, format!("{id}/json"))) { "Download its history as JSON" }
        }
    }
}

/// The row as the pane beside a list shows it: a part of a page.
pub(super) async fn pane(asked: Asked, Path((run, id)): Path<(String, String)>) -> Response {
    let made = async {
        let indexed = indexed(&asked, &run).await?;
        one(&indexed, &run, &id).await
    };
    match made.await {
        Ok(row) => layout::answer(
            StatusCode::OK,
            html! {
                h2 { a href=(row_address(&run, row.listed.id)) { "Row " (&row.listed.id.to_string()[..12]) } }
                (head(&row)) (texts(&row))
                @if let Trace::Made(history) = &row.trace { h2 { "Steps" } (steps(&row, history)) }
            },
        ),
        Err(refusal) => layout::answer(refusal.status, html! { p.verdict { (Shown(&refusal.text)) } }),
    }
}

/// A text of the row, or of a reply, as a file; or all of its history.
pub(super) async fn text(asked: Asked, Path((run, id, part)): Path<(String, String, String)>) -> Response {
    let made = async {
        let indexed = indexed(&asked, &run).await?;
        let row = one(&indexed, &run, &id).await?;
        let texts = row.texts();
        let found = texts.into_iter().find(|(known, _, _)| *known == part);
        let (part, _, text) = found.ok_or_else(|| no_text(&part))?;
        Ok::<_, Refusal>(long_text::file(&format!("{}-{part}", row.listed.id), text))
    };
    made.await.unwrap_or_else(|refusal| asked.refused(&refusal))
}

fn no_text(part: &str) -> Refusal {
    Refusal::not_found(format!("The row has no text `{part}`."))
}

/// A text of a reply as a file.
pub(super) async fn reply(
    asked: Asked,
    Path((run, id, task, part)): Path<(String, String, String, String)>,
) -> Response {
    let made = async {
        let indexed = indexed(&asked, &run).await?;
        let row = one(&indexed, &run, &id).await?;
        let text = match &row.trace {
            Trace::Made(history) => reply_text(history, &task, &part),
            Trace::Real(_) => None,
        };
        let text = text.ok_or_else(|| no_text(&part))?;
        Ok::<_, Refusal>(long_text::file(&format!("{}-reply", row.listed.id), text))
    };
    made.await.unwrap_or_else(|refusal| asked.refused(&refusal))
}

/// The row's history as JSON, as `gristmill trace --output json` prints it.
pub(super) async fn json(asked: Asked, Path((run, id)): Path<(String, String)>) -> Response {
    let made = async {
        let indexed = indexed(&asked, &run).await?;
        let row = one(&indexed, &run, &id).await?;
        Ok::<_, Refusal>(gristmill_runs::history::json(&run, &row.trace))
    };
    match made.await {
        Ok(json) => axum::Json(json).into_response(),
        Err(refusal) => asked.refused(&refusal),
    }
}

/// From a number in the index, as points of the map have it, to the row.
pub(super) async fn by_number(asked: Asked, Path((run, number)): Path<(String, u64)>) -> Response {
    let made = async {
        let indexed = indexed(&asked, &run).await?;
        let listed = ask(&indexed, move |indexed| indexed.index.listed(&[number])).await?;
        let row = listed.into_iter().next();
        row.ok_or_else(|| Refusal::not_found(format!("There is no row number {number}.")))
    };
    match made.await {
        Ok(row) => Redirect::to(&row_address(&run, row.id)).into_response(),
        Err(refusal) => asked.refused(&refusal),
    }
}

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
    answer(&asked, made.await)
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
