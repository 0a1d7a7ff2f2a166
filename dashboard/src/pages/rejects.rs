//! Rejected rows by why, and what they cost.

use std::sync::Arc;

use axum::extract::Path;
use axum::response::Response;
use gristmill_domain::words::thousands;
use gristmill_rowindex::{Counts, Error, Facet, Filter};
use maud::{Markup, html};

use super::row_words::{cost, named};
use super::rows::reading;
use crate::app::App;
use crate::indexes::ask;
use crate::link;
use crate::live::{Asked, show};
use crate::page::{Page, Part};
use crate::source::{Refusal, Who};
use crate::text::percent;

pub(super) async fn rejects(asked: Asked, Path(run): Path<String>) -> Response {
    let (app, who) = (Arc::clone(&asked.app), asked.visitor.session.who);
    show(asked, move || page(Arc::clone(&app), who, run.clone())).await
}

async fn page(app: Arc<App>, who: Who, run: String) -> Result<Page, Refusal> {
    let indexed = app.indexes.of(app.source.as_ref(), who, &run).await?;
    let counts = ask(&indexed, |indexed| {
        let rejected = Filter::default().toggled(Facet::Verdict, "rejected");
        match indexed.counts(&rejected) {
            Err(Error::Unknown { .. }) => Ok(None),
            counts => counts.map(Some),
        }
    });
    let counts = counts.await?;
    Ok(Page::new(format!("Rejects of {run}"), Part::Runs)
        .of_run(&run)
        .with("reading", reading(indexed.progress()))
        .with(
            "rejects",
            match &counts {
                None => html! { p { "No row was rejected so far." } },
                Some(counts) => table(&run, counts),
            },
        ))
}

fn table(run: &str, counts: &Counts) -> Markup {
    let reasons = counts.facets.iter().find(|facet| facet.facet == Facet::Reason);
    let reasons = reasons.map_or(&[][..], |facet| facet.values.as_slice());
    let most = reasons.iter().map(|reason| reason.rows).max().unwrap_or(1);
    html! {
        p {
            a href=(link::rows(run, &[("verdict", "rejected")])) { (thousands(counts.rows)) " rejected rows" }
            " cost " (cost(&counts.spent)) " and " (thousands(counts.spent.calls)) " calls. A row has one reason: the first test that it failed."
        }
        div.scroll { table.cards.left.words {
            caption.hidden { "Rejected rows by reason" }
            thead { tr {
                th scope="col" { "Reason" } th scope="col" { "Rows" } th scope="col" { "Share" } th scope="col" { "Cost" } th scope="col" { "Calls" }
            } }
            tbody { @for reason in reasons {
                tr {
                    th scope="row" { a href=(link::rows(run, &[("reason", &reason.value)])) { (named(Facet::Reason, &reason.value)) } }
                    td.metered data-head="Rows" {
                        (thousands(reason.rows))
                        progress max=(most) value=(reason.rows) aria-label={ "rows: " (named(Facet::Reason, &reason.value)) } {}
                    }
                    td data-head="Share" { (percent(reason.rows, counts.rows)) }
                    td data-head="Cost" { (cost(&reason.spent)) }
                    td data-head="Calls" { (thousands(reason.spent.calls)) }
                }
            } }
        } }
    }
}
