//! The map: rows as points, near ones alike. A picture without script, a canvas with it, and tables that say the same.

use axum::extract::{Path, Query};
use axum::http::StatusCode;
use axum::response::Response;
use gristmill_domain::words::{many, thousands};
use gristmill_rowindex::{Cursor, Filter, Listed, Sort};
use maud::{Markup, html};

use super::map_asked::{BY, Found, Layer, Wanted, read};
use super::map_files::SIDE;
use super::map_marks::marks;
use super::map_tables::{chosen, fields, growth, legend};
use super::rows::reading;
use super::rows_asked::Pairs;
use super::rows_chosen::chips;
use crate::indexes::ask;
use crate::layout;
use crate::link;
use crate::live::Asked;
use crate::page::{Page, Part};
use crate::source::Refusal;

/// Rows of the table of those that are chosen.
const CHOSEN: usize = 20;

pub(super) async fn map(asked: Asked, Path(run): Path<String>, Query(pairs): Query<Pairs>) -> Response {
    let made = async {
        let (indexed, wanted, found) = read(&asked, &run, Wanted::read(&pairs)?).await?;
        let rows = first(&indexed, &wanted.rows.filter, found.as_ref()).await?;
        let page = page(&run, &wanted, found.as_ref(), &rows);
        Ok::<_, Refusal>(page.with("reading", reading(indexed.progress())))
    };
    asked.answer(made.await)
}

/// The rows in an outline as a part of a page, for a selection that is drawn.
pub(super) async fn selection(asked: Asked, Path(run): Path<String>, Query(pairs): Query<Pairs>) -> Response {
    let made = async {
        let (indexed, wanted, found) = read(&asked, &run, Wanted::read(&pairs)?).await?;
        let rows = first(&indexed, &wanted.rows.filter, found.as_ref()).await?;
        Ok::<_, Refusal>(html! {
            @if let Some(points) = found.as_ref().and_then(|found| found.chosen.as_ref()) { (chosen(&run, &wanted, points, &rows)) }
        })
    };
    match made.await {
        Ok(part) => layout::answer(StatusCode::OK, part),
        Err(refusal) => layout::answer(refusal.status, html! { p.verdict { (refusal.text) } }),
    }
}

/// The first rows of those that are chosen.
async fn first(
    indexed: &std::sync::Arc<crate::indexes::Indexed>,
    filter: &Filter,
    found: Option<&Found>,
) -> Result<Vec<Listed>, Refusal> {
    if found.is_none_or(|found| found.chosen.is_none()) {
        return Ok(Vec::new());
    }
    let filter = filter.clone();
    let page = ask(indexed, move |indexed| {
        indexed
            .index
            .page(&filter, Sort::Newest, Cursor::default(), CHOSEN)
    });
    Ok(page.await?.rows)
}

fn page(run: &str, wanted: &Wanted, found: Option<&Found>, rows: &[Listed]) -> Page {
    let page = Page::new(format!("Map of {run}"), Part::Runs).still().of_run(run);
    let Some(found) = found.filter(|found| found.all.of > 0) else {
        return page
            .with("controls", controls(run, wanted, None))
            .with("map", html! {
                (chips(run, "map", &wanted.rows))
                p { "No row that was read so far has a place on the map. Rows get one when their questions are embedded." }
            });
    };
    let told = found.told();
    page.with("controls", controls(run, wanted, found.all.last_round))
        .with("map", drawing(run, wanted, found))
        .with("selection", html! {
            section #chosen aria-live="polite" aria-labelledby="chosen-title" hidden[found.chosen.is_none()] {
                h2 #chosen-title { "Chosen rows" }
                div #chosen-rows { @if let Some(points) = &found.chosen { (chosen(run, wanted, points, rows)) } }
            }
        })
        .with("legend", html! { section { h2 { "Points by " (wanted.by.label()) } (legend(run, wanted, told)) } })
        .with("growth", html! { section { h2 { "Points by round" } (growth(run, wanted, told)) } })
        .with("fields", html! { section { h2 { "Points by place" } (fields(run, wanted, told)) } })
}

fn drawing(run: &str, wanted: &Wanted, found: &Found) -> Markup {
    let all = &found.all;
    // The canvas has the points of all rounds and places, and shows some of them.
    let filter = Filter {
        through: None,
        ..wanted.around()
    };
    html! {
        (chips(run, "map", &wanted.rows))
        p.quiet {
            "Near points are questions alike; distances across the map mean little. " (many(all.points.len() as u64, "point"))
            @if (all.points.len() as u64) < all.of { ", drawn evenly from " (thousands(all.of)) " rows" }
            @if all.nowhere > 0 { "; " (thousands(all.nowhere)) " more rows have no place" @if !all.placing.is_done() { " yet" } }
            ". Real rows are squares, and the others dots. Rows at one place, such as answers to one question, are drawn around it."
        }
        div.rows-map.(if wanted.shows(Layer::Points) { "" } else { "bare" })
            data-points=(wanted.address(run, "map.bin", &filter)) data-rows=(link::of_run(run, "rows"))
            data-selection=(link::of_run(run, "map/selection")) {
            img src=(wanted.address(run, "map.png", &wanted.rows.filter)) width=(SIDE) height=(SIDE) alt="The map as a picture. The tables below say the same.";
            (marks(wanted, found.told()))
        }
        p.quiet.lasso hidden { "Draw around points to choose their rows; press Esc to choose nothing; choose a point to see its row." }
    }
}

fn controls(run: &str, wanted: &Wanted, last_round: Option<u32>) -> Markup {
    let filter = &wanted.rows.filter;
    let mine = ["q", "through"];
    html! {
        form.search.map-controls method="get" action=(link::of_run(run, "map")) {
            @for (name, value) in filter.parameters().into_iter().filter(|(name, _)| !mine.contains(name)) {
                input type="hidden" name=(name) value=(value);
            }
            label.hidden for="q" { "Search" }
            input #q type="search" name="q" value=(filter.search) placeholder="words";
            label for="by" { "colour by" }
            select #by name="by" { @for facet in BY { option value=(facet.name()) selected[facet == wanted.by] { (facet.label()) } } }
            @if let Some(last) = last_round.filter(|last| *last > 0) {
                @let through = filter.through.unwrap_or(last).min(last);
                span.through {
                    label for="through" { "up to round" }
                    input #through type="range" name="through" min="0" max=(last) value=(through);
                    output #through-shown for="through" { (through) }
                }
            }
            @for layer in Layer::ALL {
                label.check { input type="checkbox" name="show" value=(layer.name()) checked[wanted.shows(layer)]; " " (layer.name()) }
            }
            button { "Show" }
            a.button href=(wanted.rows.address(run, "rows", filter)) { "As rows" }
        }
    }
}
