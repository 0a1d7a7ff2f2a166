//! One row: every step, where it comes from, and what is like it.

use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use gristmill_coordinator::{RealRow, Trace};
use gristmill_domain::words::thousands;
use gristmill_rowindex::Filter;
use maud::{Markup, html};

use super::long_text;
use super::prompts::prompts;
use super::row_found::{indexed, one};
use super::row_near::{Near, near, neighbours};
use super::row_parts::{OneRow, head, provenance, texts};
use super::row_steps::{reply_text, steps};
use super::row_words::{row_address, similar_address};
use super::rows_asked::address;
use crate::indexes::ask;
use crate::layout;
use crate::live::Asked;
use crate::page::{Page, Part};
use crate::source::Refusal;
use crate::text::Shown;

pub(super) async fn row(asked: Asked, Path((run, id)): Path<(String, String)>) -> Response {
    let made = async {
        let indexed = indexed(&asked, &run).await?;
        let row = one(&indexed, &run, &id).await?;
        let number = row.listed.number;
        let near = ask(&indexed, move |indexed| near(indexed, number)).await?;
        let prompts = prompts(&indexed, &row).await;
        Ok::<_, Refusal>(whole(&row, &near).with("prompts", prompts))
    };
    asked.answer(made.await)
}

fn whole(row: &OneRow, near: &[Near]) -> Page {
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
    page.with("near", html! { section aria-labelledby="near-title" { h2 #near-title { "Most similar rows" } (neighbours(row, near)) } })
}

fn made_from(row: &OneRow, real: &RealRow) -> Markup {
    let id = row.listed.id.to_string();
    let count = |verdict: &str, rows: u64| {
        let pairs = [("verdict", verdict.to_owned()), ("seed", id.clone())];
        html! { @if rows > 0 { a href=(address(&row.run, "rows", &pairs)) { (thousands(rows)) " " (verdict) } } @else { "0 " (verdict) } }
    };
    html! { p { (count("accepted", real.accepted)) ", " (count("rejected", real.rejected)) " rows." } }
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
                @if let Trace::Made(history) = &row.trace {
                    h2 { "Steps" }
                    (steps(&row, history))
                    p.quiet { "The row's own page shows its prompts." }
                }
                p.acts { a.button href=(similar_address(&run, &Filter::default(), row.listed.id)) { "Similar rows" } }
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
