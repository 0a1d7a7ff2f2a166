//! The map as a picture, for pages without script, and as points, for the canvas.

use axum::extract::{Path, Query};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use gristmill_picture::points as picture;
use gristmill_rowindex::Points;

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

/// Where points are chosen, all are drawn pale first.
fn draw(found: Option<&Found>) -> anyhow::Result<Vec<u8>> {
    let mut drawn = picture::Points::default();
    if let Some(found) = found {
        if found.chosen.is_some() {
            let mut others = picture::Class::new("others", picture::CLASSES, false);
            others.pale = true;
            drawn.classes.push(others);
            drawn
                .points
                .extend(found.all.points.iter().map(|point| picture::Point {
                    x: point.at[0],
                    y: point.at[1],
                    class: 0,
                }));
        }
        let told = found.told();
        let first = drawn.classes.len();
        for ((name, _), colour) in told.classes.iter().zip(colours(told)) {
            let class = picture::Class::new(name, colour, name == "real");
            drawn.classes.push(class);
        }
        drawn
            .points
            .extend(told.points.iter().map(|point| picture::Point {
                x: point.at[0],
                y: point.at[1],
                class: first + usize::from(point.class),
            }));
    }
    drawn.count();
    Ok(drawn.png(SIDE)?)
}

/// The points for the canvas, 12 bytes each, little endian: x and y from 0 to 65,535, the number of a colour, one more than the round (0 for a real
/// row), and the number of the row in 4 bytes.
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
    let colours = colours(points);
    let mut bytes = Vec::with_capacity(points.points.len() * 12);
    for point in &points.points {
        let [x, y] = point.at.map(|share| (share * 65_535.0) as u16);
        let colour = colours.get(point.class as usize).copied().unwrap_or_default();
        let round = point.round.map_or(0, |round| {
            u16::try_from(round).unwrap_or(u16::MAX).saturating_add(1)
        });
        for number in [x, y, colour as u16, round] {
            bytes.extend(number.to_le_bytes());
        }
        bytes.extend(u32::try_from(point.number).unwrap_or(u32::MAX).to_le_bytes());
    }
    bytes
}
