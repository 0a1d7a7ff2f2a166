//! The rows of a run: searched, filtered, counted, a page at a time.

use std::sync::Arc;

use axum::extract::{Path, Query};
use axum::response::Response;
use gristmill_domain::filter::Reason;
use gristmill_domain::words::{many, thousands};
use gristmill_rowindex::{
    Counts, Error, Facet, FacetCounts, Filter, Listed, Page as Rows, Progress, Sort, Spent,
};
use maud::{Markup, html};

use super::rows_asked::{Pairs, RowsAsked};
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
            indexed.index.page(&wanted.filter, wanted.sort, wanted.at, PAGE)?,
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
                @for sort in Sort::ALL {
                    option value=(sort.name()) selected[sort == wanted.sort] { (sort.name()) " first" }
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
        (chips(run, wanted))
        @if rows.rows.is_empty() {
            p { @if wanted.filter.is_empty() { "No row is decided yet." } @else { "No row is like that. Take a filter away, or search for fewer words." } }
        } @else {
            div.scroll { table.cards.left.rows {
                caption.hidden { "Rows" }
                thead { tr { th scope="col" { "Row" } th scope="col" { "Verdict" } th scope="col" { "Made by" } th.number scope="col" { "Cost" } } }
                tbody { @for row in &rows.rows { (line(run, row)) } }
            } }
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

/// What is filtered by, each with a way to take it back.
pub(super) fn chips(run: &str, wanted: &RowsAsked) -> Markup {
    let values = wanted.filter.values.iter();
    let pairs = values.flat_map(|(facet, values)| values.iter().map(move |value| (*facet, value)));
    let without = |change: fn(&mut Filter)| {
        let mut filter = wanted.filter.clone();
        change(&mut filter);
        wanted.address(run, "rows", &filter)
    };
    html! {
        @if !wanted.filter.is_empty() {
            ul.chips aria-label="Chosen" {
                @for (facet, value) in pairs {
                    li { a href=(wanted.address(run, "rows", &wanted.filter.toggled(facet, value))) {
                        (facet.name()) ": " (Shown(&named(facet, value))) span aria-hidden="true" { " ×" } span.hidden { ", take away" }
                    } }
                }
                @if !wanted.filter.search.is_empty() {
                    li { a href=(without(|filter| filter.search.clear())) { "words: " (Shown(&wanted.filter.search)) span aria-hidden="true" { " ×" } } }
                }
                @if !wanted.filter.seed.is_empty() {
                    li { a href=(without(|filter| filter.seed.clear())) { "made from " (Shown(&wanted.filter.seed)) span aria-hidden="true" { " ×" } } }
                }
                @if !wanted.filter.outline.is_empty() {
                    li { a href=(without(|filter| filter.outline.clear())) { "in an outline on the map" span aria-hidden="true" { " ×" } } }
                }
                li { a href=(link::of_run(run, "rows")) { "all rows" } }
            }
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

fn heading(facet: Facet) -> &'static str {
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
        (0, 0) => spent.usd.to_string(),
        // Four decimals would make nothing of it.
        (0, 1..50) => "under $0.0001".to_owned(),
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

fn line(run: &str, row: &Listed) -> Markup {
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
            }
            td.number data-head="Cost" { @if real { "–" } @else { (cost(&row.spent)) } }
        }
    }
}
