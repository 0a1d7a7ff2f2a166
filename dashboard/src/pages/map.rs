//! The map: rows as points, near ones alike. A picture without script, a canvas with it, and a table that says the same.

use std::sync::Arc;

use axum::extract::{Path, Query};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use gristmill_domain::words::{many, thousands};
use gristmill_picture::points as picture;
use gristmill_rowindex::{Error, Facet, Points};
use maud::{Markup, html};

use super::row_words::named;
use super::rows::reading;
use super::rows_asked::{Pairs, RowsAsked, address};
use super::rows_chosen::chips;
use crate::indexes::{Indexed, ask};
use crate::layout;
use crate::link;
use crate::live::Asked;
use crate::page::{Page, Part};
use crate::source::Refusal;
use crate::text::Shown;

/// Points that a canvas gets, and that a picture is made of.
const POINTS: usize = 100_000;
/// Pixels of a picture's side.
const SIDE: u32 = 900;
/// Fields of the table, along each side.
const FIELDS: usize = 4;
/// What points can be coloured by.
const BY: [Facet; 8] = [
    Facet::Verdict,
    Facet::Reason,
    Facet::Recipe,
    Facet::Round,
    Facet::Concept,
    Facet::Strategy,
    Facet::Teacher,
    Facet::Kind,
];

/// What is asked of the map.
struct Wanted {
    rows: RowsAsked,
    by: Facet,
}

impl Wanted {
    fn read(pairs: &Pairs) -> Result<Self, Refusal> {
        let rows = RowsAsked::read(pairs, &["by"])?;
        let by = match rows.other("by").filter(|by| !by.is_empty()) {
            None => Facet::Verdict,
            Some(name) => Facet::named(name)
                .filter(|facet| BY.contains(facet))
                .ok_or_else(|| {
                    Refusal::bad_request(format!(
                        "`{name}` is nothing that points are coloured by: choose {}.",
                        BY.map(Facet::name).join(", ")
                    ))
                })?,
        };
        Ok(Self { rows, by })
    }

    /// The address of a page or file with the same filter and colours.
    fn address(&self, run: &str, page: &str) -> String {
        let mut pairs = self.rows.filter.parameters();
        pairs.push(("by", self.by.name().to_owned()));
        address(run, page, &pairs)
    }
}

/// Points; `None` where a value is not known yet, since not all is read.
fn found(indexed: &Indexed, wanted: &Wanted) -> Result<Option<Points>, Error> {
    match indexed.index.points(&wanted.rows.filter, wanted.by, POINTS) {
        Err(Error::Unknown { .. }) if !indexed.is_whole() => Ok(None),
        Err(error) => Err(error),
        Ok(points) => Ok(Some(points)),
    }
}

async fn read(
    asked: &Asked,
    run: &str,
    pairs: &Pairs,
) -> Result<(Arc<Indexed>, Arc<Wanted>, Option<Points>), Refusal> {
    let wanted = Arc::new(Wanted::read(pairs)?);
    let app = &asked.app;
    let indexed = app
        .indexes
        .of(app.source.as_ref(), asked.visitor.session.who, run)
        .await?;
    let of = Arc::clone(&wanted);
    let points = ask(&indexed, move |indexed| found(indexed, &of)).await?;
    Ok((indexed, wanted, points))
}

pub(super) async fn map(asked: Asked, Path(run): Path<String>, Query(pairs): Query<Pairs>) -> Response {
    match read(&asked, &run, &pairs).await {
        Err(refusal) => asked.refused(&refusal),
        Ok((indexed, wanted, points)) => {
            let page = page(&run, &wanted, points.as_ref()).with("reading", reading(indexed.progress()));
            layout::answer(
                axum::http::StatusCode::OK,
                layout::whole(&page, &asked.frame(), &asked.path),
            )
        }
    }
}

fn page(run: &str, wanted: &Wanted, points: Option<&Points>) -> Page {
    let page = Page::new(format!("Map of {run}"), Part::Runs)
        .still()
        .of_run(run)
        .with("controls", controls(run, wanted));
    let Some(points) = points.filter(|points| points.of > 0) else {
        return page.with("map", html! { p { "No row that was read so far has a place on the map. Rows get one when their questions are embedded." } });
    };
    page.with("map", html! {
        (chips(run, "map", &wanted.rows))
        p.quiet {
            "Near points are questions alike; distances across the map mean little. " (many(points.points.len() as u64, "point"))
            @if (points.points.len() as u64) < points.of { ", drawn evenly from " (thousands(points.of)) " rows" }
            @if points.nowhere > 0 { "; " (thousands(points.nowhere)) " more rows have no place" @if !points.placing.is_done() { " yet" } }
            "."
        }
        div.rows-map data-points=(wanted.address(run, "map.bin")) data-rows=(link::of_run(run, "rows")) data-here=(link::of_run(run, "map")) {
            img src=(wanted.address(run, "map.png")) width=(SIDE) height=(SIDE) alt="The map as a picture. The tables below say the same.";
        }
        p.quiet.lasso hidden { "Draw around points to see the rows in the outline; choose a point to see its row." }
    })
    .with("legend", html! { section { h2 { "Points by " (wanted.by.label()) } (legend(run, wanted, points)) } })
    .with("fields", html! { section { h2 { "Points by place" } (fields(run, wanted, points)) } })
}

fn controls(run: &str, wanted: &Wanted) -> Markup {
    html! {
        form.search method="get" action=(link::of_run(run, "map")) {
            @for (name, value) in wanted.rows.filter.parameters().into_iter().filter(|(name, _)| *name != "q") {
                input type="hidden" name=(name) value=(value);
            }
            label.hidden for="q" { "Search" }
            input #q type="search" name="q" value=(wanted.rows.filter.search) placeholder="words";
            label for="by" { "colour by" }
            select #by name="by" { @for facet in BY { option value=(facet.name()) selected[facet == wanted.by] { (facet.label()) } } }
            button { "Show" }
            a.button href=(wanted.rows.address(run, "rows", &wanted.rows.filter)) { "As rows" }
        }
    }
}

/// The number of a class's colour: real rows have the first.
fn colour(name: &str, place: usize) -> usize {
    if name == "real" {
        0
    } else {
        (place + 1).min(picture::CLASSES)
    }
}

fn legend(run: &str, wanted: &Wanted, points: &Points) -> Markup {
    html! {
        div.scroll { table.left {
            caption.hidden { "Rows on the map by " (wanted.by.label()) }
            thead { tr { th scope="col" { (wanted.by.label()) } th.number scope="col" { "Rows" } } }
            tbody { @for (place, (name, rows)) in points.classes.iter().enumerate().take(60) {
                @let known = wanted.rows.filter.toggled(wanted.by, name);
                tr {
                    th scope="row" {
                        svg.key.{ "c" (colour(name, place)) } viewBox="0 0 10 10" aria-hidden="true" { rect.fill width="10" height="10" {} }
                        @if name == "none" { "none" } @else { a href=(wanted.rows.address(run, "rows", &known)) { (Shown(&named(wanted.by, name))) } }
                    }
                    td.number { (thousands(*rows)) }
                }
            } }
        } }
    }
}

/// Fields of the map with what is in them: the same as the picture, for those who do not see it.
fn fields(run: &str, wanted: &Wanted, points: &Points) -> Markup {
    let mut counts = vec![vec![0_u64; points.classes.len()]; FIELDS * FIELDS];
    let field = |share: f32| ((share * FIELDS as f32) as usize).min(FIELDS - 1);
    for point in &points.points {
        let place = field(point.at[1]) * FIELDS + field(point.at[0]);
        if let Some(count) = counts
            .get_mut(place)
            .and_then(|counts| counts.get_mut(point.class as usize))
        {
            *count += 1;
        }
    }
    let outline = |x: usize, y: usize| {
        let (left, top) = (x as f32 / FIELDS as f32, y as f32 / FIELDS as f32);
        let (right, bottom) = (left + 1.0 / FIELDS as f32, top + 1.0 / FIELDS as f32);
        let mut filter = wanted.rows.filter.clone();
        filter.outline = vec![[left, top], [right, top], [right, bottom], [left, bottom]];
        wanted.rows.address(run, "rows", &filter)
    };
    let most = |counts: &[u64]| {
        let class = (0..counts.len()).max_by_key(|class| counts.get(*class).copied());
        class
            .and_then(|class| points.classes.get(class))
            .map_or("", |(name, _)| name.as_str())
            .to_owned()
    };
    html! {
        div.scroll { table.words {
            caption { "Points in each field of the map, and what most of them are. A number leads to its rows." }
            thead { tr { th scope="col" { "" } @for x in 0..FIELDS { th scope="col" { "column " (x + 1) } } } }
            tbody { @for y in 0..FIELDS { tr {
                th scope="row" { "row " (y + 1) }
                @for x in 0..FIELDS {
                    @let counted = &counts[y * FIELDS + x];
                    @let all = counted.iter().sum::<u64>();
                    td { @if all == 0 { "0" } @else { a href=(outline(x, y)) { (thousands(all)) } p.quiet { (Shown(&named(wanted.by, &most(counted)))) } } }
                }
            } } }
        } }
    }
}

/// The picture for pages without script.
pub(super) async fn png(asked: Asked, Path(run): Path<String>, Query(pairs): Query<Pairs>) -> Response {
    let made = async {
        let (_, _, points) = read(&asked, &run, &pairs).await?;
        let drawn = tokio::task::spawn_blocking(move || draw(points.as_ref()));
        Ok::<_, Refusal>(drawn.await.map_err(anyhow::Error::from)??)
    };
    match made.await {
        Ok(bytes) => ([(header::CONTENT_TYPE, "image/png")], bytes).into_response(),
        Err(refusal) => asked.refused(&refusal),
    }
}

fn draw(points: Option<&Points>) -> anyhow::Result<Vec<u8>> {
    let mut drawn = picture::Points::default();
    for (place, (name, _)) in points.iter().flat_map(|points| &points.classes).enumerate() {
        drawn
            .classes
            .push(picture::Class::new(name, colour(name, place), name == "real"));
    }
    drawn.points.extend(
        points
            .iter()
            .flat_map(|points| &points.points)
            .map(|point| picture::Point {
                x: point.at[0],
                y: point.at[1],
                class: point.class.into(),
            }),
    );
    drawn.count();
    Ok(drawn.png(SIDE)?)
}

/// The points for the canvas, 10 bytes each, little endian: x and y from 0 to 65,535, the number of a colour, and that of the row.
pub(super) async fn bin(asked: Asked, Path(run): Path<String>, Query(pairs): Query<Pairs>) -> Response {
    match read(&asked, &run, &pairs).await {
        Ok((_, _, points)) => {
            let bytes = points.as_ref().map(packed).unwrap_or_default();
            ([(header::CONTENT_TYPE, "application/octet-stream")], bytes).into_response()
        }
        Err(refusal) => asked.refused(&refusal),
    }
}

fn packed(points: &Points) -> Vec<u8> {
    let colours: Vec<u16> = points
        .classes
        .iter()
        .enumerate()
        .map(|(place, (name, _))| colour(name, place) as u16)
        .collect();
    let mut bytes = Vec::with_capacity(points.points.len() * 10);
    for point in &points.points {
        let [x, y] = point.at.map(|share| (share * 65_535.0) as u16);
        let colour = colours.get(point.class as usize).copied().unwrap_or_default();
        for number in [x, y, colour] {
            bytes.extend(number.to_le_bytes());
        }
        bytes.extend(u32::try_from(point.number).unwrap_or(u32::MAX).to_le_bytes());
    }
    bytes
}
