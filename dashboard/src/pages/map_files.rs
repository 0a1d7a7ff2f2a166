//! The map as a picture, for pages without script, and as points, for the canvas.

use std::collections::HashSet;

use axum::extract::{Path, Query};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use gristmill_picture::points as picture;
use gristmill_rowindex::{Point, Points};

use super::map_asked::{Found, Wanted, colours, read};
use super::rows_asked::Pairs;
use crate::live::Asked;
use crate::source::Refusal;

/// Pixels of a picture's side.
pub(super) const SIDE: u32 = 900;

/// The picture.
pub(super) async fn png(asked: Asked, Path(run): Path<String>, Query(pairs): Query<Pairs>) -> Response {
    let made = async {
        let (_, _, points) = read(&asked, &run, Wanted::read(&pairs)?).await?;
        let drawn = tokio::task::spawn_blocking(move || draw(points.as_ref()));
        Ok::<_, Refusal>(drawn.await.map_err(anyhow::Error::from)??)
    };
    match made.await {
        Ok(bytes) => ([(header::CONTENT_TYPE, "image/png")], bytes).into_response(),
        Err(refusal) => asked.refused(&refusal),
    }
}

/// Where points are chosen, the others are drawn pale.
fn draw(found: Option<&Found>) -> anyhow::Result<Vec<u8>> {
    let Some(found) = found else {
        return Ok(picture::Points::default().png(SIDE)?);
    };
    let Some(chosen) = &found.chosen else {
        return Ok(pictured(&found.all).0.png(SIDE)?);
    };
    let (mut drawn, order) = pictured(chosen);
    let mut others = picture::Class::new("others", picture::CLASSES, false);
    others.pale = true;
    drawn.classes.insert(0, others);
    let inside: HashSet<u64> = order.iter().map(|point| point.number).collect();
    let beside = found
        .all
        .points
        .iter()
        .filter(|point| !inside.contains(&point.number));
    let beside: Vec<picture::Point> = beside.map(|point| mark(point, 0)).collect();
    drawn.points.iter_mut().for_each(|point| point.class += 1);
    drawn.points.splice(0..0, beside);
    Ok(drawn.png(SIDE)?)
}

/// The points in the order in which they are drawn, and their rows in the same order: real rows first, as squares, then the others by class, the
/// rarest last, so that none hides another.
fn pictured(points: &Points) -> (picture::Points, Vec<&Point>) {
    let classes = points.classes.iter().zip(colours(points));
    let class = |square| {
        let class =
            move |((name, _), colour): (&(String, u64), usize)| picture::Class::new(name, colour, square);
        classes.clone().map(class)
    };
    let place = |point: &Point| match point.round {
        None => usize::from(point.class),
        Some(_) => points.classes.len() + usize::from(point.class),
    };
    let mut rows: Vec<&Point> = points.points.iter().collect();
    rows.sort_by_key(|point| place(point));
    let mut drawn = picture::Points {
        classes: class(true).chain(class(false)).collect(),
        points: rows.iter().map(|point| mark(point, place(point))).collect(),
    };
    drawn.count();
    drawn.drop_empty();
    (drawn, rows)
}

fn mark(point: &Point, class: usize) -> picture::Point {
    picture::Point {
        x: point.at[0],
        y: point.at[1],
        class,
    }
}

/// The points for the canvas in the order in which they are drawn, 16 bytes each, little endian: where the row is, x and y from 0 to 65,535 within
/// the margin; where its mark is drawn, the same over the whole picture; the number of a colour; one more than the round (0 for a real row); and
/// the number of the row in 4 bytes.
pub(super) async fn bin(asked: Asked, Path(run): Path<String>, Query(pairs): Query<Pairs>) -> Response {
    let made = async { read(&asked, &run, Wanted::read(&pairs)?).await };
    match made.await {
        Ok((_, _, found)) => {
            let bytes = found.map(|found| packed(found.told())).unwrap_or_default();
            ([(header::CONTENT_TYPE, "application/octet-stream")], bytes).into_response()
        }
        Err(refusal) => asked.refused(&refusal),
    }
}

fn packed(points: &Points) -> Vec<u8> {
    let (pictured, rows) = pictured(points);
    let mut bytes = Vec::with_capacity(rows.len() * 16);
    for ((point, mark), drawn) in rows.into_iter().zip(&pictured.points).zip(pictured.drawn()) {
        let share = |share: f64| (share * 65_535.0) as u16;
        let [x, y] = point.at.map(|at| share(f64::from(at)));
        let [drawn_x, drawn_y] = [drawn.0, drawn.1].map(|at| share(at / picture::SIDE));
        let colour = pictured.classes.get(mark.class).map_or(0, |class| class.colour);
        let round = point.round.map_or(0, |round| {
            u16::try_from(round).unwrap_or(u16::MAX).saturating_add(1)
        });
        for number in [x, y, drawn_x, drawn_y, colour as u16, round] {
            bytes.extend(number.to_le_bytes());
        }
        bytes.extend(u32::try_from(point.number).unwrap_or(u32::MAX).to_le_bytes());
    }
    bytes
}
