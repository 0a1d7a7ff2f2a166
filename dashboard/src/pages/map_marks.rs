//! What is drawn over the points of the map: how dense they are, the names of classes, and the outline around those that are chosen.

use gristmill_picture::points::{SIDE, place};
use gristmill_rowindex::{Facet, Point, Points};
use maud::{Markup, html};

use super::map_asked::{Layer, Wanted};
use super::row_words::named;
use crate::text::Shown;

/// Fields of the density, along each side.
const FIELDS: usize = 22;
/// Classes that have a label.
const LABELS: usize = 12;
/// Characters of a label.
const LABEL_CHARS: usize = 28;

/// The drawing that lies over the points.
pub(super) fn marks(wanted: &Wanted, points: &Points) -> Markup {
    let off = |layer: Layer| if wanted.shows(layer) { "" } else { "off" };
    html! {
        svg.marks viewBox={ "0 0 " (SIDE) " " (SIDE) } aria-hidden="true" {
            g.density.(off(Layer::Density)) { (density(&points.points)) }
            @if !wanted.rows.filter.outline.is_empty() { (outline(&wanted.rows.filter.outline)) }
            g.labels.(off(Layer::Labels)) { (labels(wanted.by, points)) }
        }
    }
}

fn field(share: f32) -> usize {
    ((share * FIELDS as f32) as usize).min(FIELDS - 1)
}

/// The field of the map that a point lies in, by number.
fn field_of(point: &Point) -> usize {
    field(point.at[1]) * FIELDS + field(point.at[0])
}

/// A square a field, the darker the more points are in it.
fn density(points: &[Point]) -> Markup {
    let mut counts = vec![0_u64; FIELDS * FIELDS];
    for point in points {
        if let Some(count) = counts.get_mut(field_of(point)) {
            *count += 1;
        }
    }
    let most = counts.iter().copied().max().unwrap_or_default();
    let shade = |count: u64| 0.6 * (1.0 + count as f64).ln() / (1.0 + most as f64).ln();
    let left = |field: usize| place(field as f32 / FIELDS as f32);
    let side = format!("{:.1}", left(1) - left(0));
    html! {
        @for (number, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
            rect x=(format!("{:.1}", left(number % FIELDS))) y=(format!("{:.1}", left(number / FIELDS)))
                width=(side) height=(side) fill-opacity=(format!("{:.2}", shade(*count))) {}
        }
    }
}

fn outline(corners: &[[f32; 2]]) -> Markup {
    let corners: Vec<String> = corners
        .iter()
        .map(|[x, y]| format!("{:.1},{:.1}", place(*x), place(*y)))
        .collect();
    html! { polygon.outline points=(corners.join(" ")) {} }
}

/// The name of a class stands amid its points in the field that holds most of them: the middle of all would be where there may be none.
fn labels(by: Facet, points: &Points) -> Markup {
    let mut counts = vec![vec![0_u32; FIELDS * FIELDS]; points.classes.len().min(LABELS)];
    for point in &points.points {
        let count = counts.get_mut(usize::from(point.class));
        if let Some(count) = count.and_then(|counts| counts.get_mut(field_of(point))) {
            *count += 1;
        }
    }
    let mut sums = vec![([0.0_f64; 2], 0.0_f64); counts.len()];
    let fullest: Vec<usize> = counts.iter().map(|counts| fullest(counts)).collect();
    for point in &points.points {
        let class = usize::from(point.class);
        if fullest.get(class) == Some(&field_of(point))
            && let Some((sum, count)) = sums.get_mut(class)
        {
            *sum = [sum[0] + place(point.at[0]), sum[1] + place(point.at[1])];
            *count += 1.0;
        }
    }
    let labelled = points.classes.iter().zip(&sums);
    html! {
        @for ((name, _), ([x, y], count)) in labelled.filter(|(_, (_, count))| *count > 0.0) {
            text x=(format!("{:.0}", x / count)) y=(format!("{:.0}", y / count)) text-anchor="middle" {
                (Shown(&cut(&named(by, name))))
            }
        }
    }
}

fn fullest(counts: &[u32]) -> usize {
    let fullest = counts.iter().enumerate().max_by_key(|(_, count)| **count);
    fullest.map_or(0, |(field, _)| field)
}

fn cut(text: &str) -> String {
    match text.chars().count() > LABEL_CHARS {
        true => text.chars().take(LABEL_CHARS - 1).chain(['…']).collect(),
        false => text.to_owned(),
    }
}
