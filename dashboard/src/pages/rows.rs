//! The rows of a run: searched, filtered, counted, a page at a time.

use std::sync::Arc;

use axum::extract::{Path, Query};
use axum::response::Response;
use gristmill_domain::words::{many, thousands};
use gristmill_rowindex::{Counts, Error, Facet, FacetCounts, Page as Rows, Progress, Sort};
use maud::{Markup, html};

use super::row_words::{cost, heading, named};
use super::rows_asked::{Pairs, RowsAsked};
use super::rows_chosen::chips;
use super::rows_table::table;
use crate::app::App;
use crate::indexes::{Indexed, ask};
use crate::link;
use crate::live::{Asked, show};
use crate::page::{Page, Part};
use crate::source::{Refusal, Who};
use crate::text::Shown;

/// Rows on a page.
const PAGE: usize = 50;
/// Values of a facet that are shown before one asks for more.
const VALUES: usize = 8;
/// Values of a facet that are shown at all; the others are found by search.
const VALUES_MAX: usize = 200;

pub(super) async fn rows(asked: Asked, Path(run): Path<String>, Query(pairs): Query<Pairs>) -> Response {
    let wanted = match RowsAsked::read(&pairs, &[]) {
        Ok(wanted) => Arc::new(wanted),
        Err(refusal) => return asked.refused(&refusal),
    };
    let (app, who) = (Arc::clone(&asked.app), asked.visitor.session.who);
    show(asked, move || {
        page(Arc::clone(&app), who, run.clone(), Arc::clone(&wanted))
    })
    .await
}

async fn page(app: Arc<App>, who: Who, run: String, wanted: Arc<RowsAsked>) -> Result<Page, Refusal> {
    let indexed = app.indexes.of(app.source.as_ref(), who, &run).await?;
    let asked = Arc::clone(&wanted);
    let found = ask(&indexed, move |indexed| found(indexed, &asked)).await?;
    let page = Page::new(format!("Rows of {run}"), Part::Runs).of_run(&run);
    Ok(page
        .with("reading", reading(indexed.progress()))
        .with(
            "rows",
            html! {
                div.browse {
                    section.listed aria-labelledby="found" {
                        (search(&run, &wanted))
                        @match &found {
                            Some((counts, rows)) => (list(&run, &wanted, counts, rows)),
                            None => p #found { "No row that was read so far has these values." },
                        }
                    }
                    @if let Some((counts, _)) = &found {
                        aside.facets #filters aria-label="Filters" {
                            @for facet in &counts.facets { (values(&run, &wanted, facet)) }
                        }
                    }
                }
            },
        )
        .with(
            "side",
            html! { aside #pane .pane aria-live="polite" aria-label="Row" hidden {} },
        ))
}

/// Counts and a page; `None` where a value is not known yet, since not all is read.
fn found(indexed: &Indexed, wanted: &RowsAsked) -> Result<Option<(Arc<Counts>, Rows)>, Error> {
    let both = || {
        let counts = indexed.counts(&wanted.filter)?;
        Ok((
            counts,
            indexed
                .index
                .page(&wanted.filter, wanted.sort(), wanted.at, PAGE)?,
        ))
    };
    match both() {
        Err(Error::Unknown { .. }) if !indexed.is_whole() => Ok(None),
        Err(error) => Err(error),
        Ok(found) => Ok(Some(found)),
    }
}

/// What is not there yet.
pub(super) fn reading(progress: Option<Progress>) -> Markup {
    html! {
        @match progress {
            Some(progress) if progress.is_done() => {}
            Some(progress) => p.banner role="status" {
                "The journal is being read: " (thousands(progress.rows)) " rows so far, "
                (thousands(progress.read)) " of " (many(progress.of, "segment")) "."
            },
            None => p.banner role="status" { "The journal is being read." },
        }
    }
}

fn search(run: &str, wanted: &RowsAsked) -> Markup {
    let others = wanted
        .filter
        .parameters()
        .into_iter()
        .filter(|(name, _)| *name != "q");
    html! {
        form.search method="get" action=(link::of_run(run, "rows")) role="search" {
            @for (name, value) in others { input type="hidden" name=(name) value=(value); }
            label.hidden for="q" { "Search" }
            input #q type="search" name="q" value=(wanted.filter.search) placeholder="words, \"in order\", begin*, -without";
            label.hidden for="sort" { "Order" }
            select #sort name="sort" {
                @for sort in Sort::ALL.into_iter().filter(|sort| *sort != Sort::Similar || !wanted.filter.like.is_empty()) {
                    option value=(sort.name()) selected[sort == wanted.sort()] { @if sort == Sort::Similar { "most " } (sort.name()) " first" }
                }
            }
            button { "Search" }
            a.jump href="#filters" { "Filters" }
        }
    }
}

fn list(run: &str, wanted: &RowsAsked, counts: &Counts, rows: &Rows) -> Markup {
    html! {
        div.chosen {
            h2 #found { (thousands(counts.rows)) @if counts.rows != counts.of { " of " (thousands(counts.of)) } " rows" }
            p.quiet { (cost(&counts.spent)) ", " (many(counts.spent.calls, "call")) }
        }
        (chips(run, "rows", wanted))
        @if rows.rows.is_empty() {
            p { @if wanted.filter.is_empty() { "No row is decided yet." } @else { "No row is like that. Take a filter away, or search for fewer words." } }
        } @else {
            (table(run, wanted, &rows.rows))
        }
        nav.paging aria-label="Pages" {
            @if let Some(at) = rows.previous { a rel="prev" href=(wanted.at(run, "rows", at)) { "← Previous" } }
            @if let Some(at) = rows.next { a rel="next" href=(wanted.at(run, "rows", at)) { "Next →" } }
        }
        p.acts {
            a.button href=(wanted.address(run, "rows.jsonl", &wanted.filter)) { "Download as JSONL" }
            a.button href=(wanted.address(run, "rows.csv", &wanted.filter)) { "Download as CSV" }
            a.button href=(wanted.address(run, "map", &wanted.filter)) { "On the map" }
        }
    }
}

fn values(run: &str, wanted: &RowsAsked, facet: &FacetCounts) -> Markup {
    let value = |value: &gristmill_rowindex::ValueCount| {
        let chosen = wanted.filter.names(facet.facet, &value.value);
        html! {
            li {
                a href=(wanted.address(run, "rows", &wanted.filter.toggled(facet.facet, &value.value))) aria-current=[chosen.then_some("true")] {
                    span { @if chosen { span aria-hidden="true" { "✓ " } } (Shown(&named(facet.facet, &value.value))) }
                    span.count { (thousands(value.rows)) }
                }
            }
        }
    };
    let (first, more) = facet.values.split_at(facet.values.len().min(VALUES));
    html! {
        @if !facet.values.is_empty() {
            details #{ "facet-" (facet.facet.name()) } open[facet.facet != Facet::Counted && facet.facet != Facet::Kind] {
                summary { (heading(facet.facet)) }
                ul { @for one in first { (value(one)) } }
                @if !more.is_empty() {
                    details #{ "more-" (facet.facet.name()) } {
                        summary { (thousands(more.len() as u64)) " more" }
                        ul { @for one in more.iter().take(VALUES_MAX) { (value(one)) } }
                        @if more.len() > VALUES_MAX { p.quiet { "The rarest are left out here; a link to one still works." } }
                    }
                }
            }
        }
    }
}
