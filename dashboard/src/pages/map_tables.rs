//! What the map shows, as tables: points by class, by place and by round, and the rows that are chosen.

use std::collections::BTreeMap;

use gristmill_domain::words::thousands;
use gristmill_rowindex::{Filter, Listed, Points};
use maud::{Markup, html};

use super::map_asked::{Wanted, colours};
use super::row_words::named;
use super::rows_table::table;
use crate::text::{Shown, percent};

/// Fields of the table of places, along each side.
const FIELDS: usize = 4;
/// Fields that are counted as reached or not, along each side.
const REACHED: usize = 32;
/// Classes of the legend.
const CLASSES_MAX: usize = 60;

/// Rows by class, with the colours.
pub(super) fn legend(run: &str, wanted: &Wanted, points: &Points) -> Markup {
    html! {
        div.scroll { table.left {
            caption.hidden { "Rows on the map by " (wanted.by.label()) }
            thead { tr { th scope="col" { (wanted.by.label()) } th.number scope="col" { "Rows" } } }
            tbody { @for ((name, rows), colour) in points.classes.iter().zip(colours(points)).take(CLASSES_MAX) {
                @let known = wanted.rows.filter.toggled(wanted.by, name);
                tr {
                    th scope="row" {
                        svg.key.{ "c" (colour) } viewBox="0 0 10 10" aria-hidden="true" { rect.fill width="10" height="10" {} }
                        @if name == "none" { "none" } @else { a href=(wanted.rows.address(run, "rows", &known)) { (Shown(&named(wanted.by, name))) } }
                    }
                    td.number { (thousands(*rows)) }
                }
            } }
        } }
    }
}

fn field(share: f32, fields: usize) -> usize {
    ((share * fields as f32) as usize).min(fields - 1)
}

/// Fields of the map with what is in them: the same as the picture, for those who do not see it.
pub(super) fn fields(run: &str, wanted: &Wanted, points: &Points) -> Markup {
    let mut counts = vec![vec![0_u64; points.classes.len()]; FIELDS * FIELDS];
    for point in &points.points {
        let place = field(point.at[1], FIELDS) * FIELDS + field(point.at[0], FIELDS);
        if let Some(count) = counts
            .get_mut(place)
            .and_then(|counts| counts.get_mut(point.class as usize))
        {
            *count += 1;
        }
    }
    let inside = |x: usize, y: usize| {
        let (left, top) = (x as f32 / FIELDS as f32, y as f32 / FIELDS as f32);
        let (right, bottom) = (left + 1.0 / FIELDS as f32, top + 1.0 / FIELDS as f32);
        Filter {
            outline: vec![[left, top], [right, top], [right, bottom], [left, bottom]],
            ..wanted.rows.filter.clone()
        }
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
                    td {
                        @if all == 0 { "0" } @else {
                            a href=(wanted.rows.address(run, "rows", &inside(x, y))) { (thousands(all)) }
                            p.quiet { (Shown(&named(wanted.by, &most(counted)))) }
                            p.quiet { a href=(wanted.address(run, "map", &inside(x, y))) { "choose" span.hidden { " row " (y + 1) ", column " (x + 1) } } }
                        }
                    }
                }
            } } }
        } }
    }
}

/// What the rows up to a round reached of the map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Reach {
    /// The round; nothing for the real rows, which are there before the first.
    round: Option<u32>,
    /// Points of the round itself.
    points: u64,
    /// Fields that have a point of this round or of one before.
    fields: u64,
    /// Those of them that had none before.
    new: u64,
}

/// What each round added to the map, in their order.
fn reach(points: &Points) -> Vec<Reach> {
    let mut first: BTreeMap<usize, Option<u32>> = BTreeMap::new();
    let mut rounds: BTreeMap<Option<u32>, Reach> = BTreeMap::new();
    for point in &points.points {
        let place = field(point.at[1], REACHED) * REACHED + field(point.at[0], REACHED);
        let round = point.round;
        first
            .entry(place)
            .and_modify(|known| *known = round.min(*known))
            .or_insert(round);
        let reach = rounds.entry(round).or_insert(Reach {
            round,
            points: 0,
            fields: 0,
            new: 0,
        });
        reach.points += 1;
    }
    for round in first.values() {
        if let Some(reach) = rounds.get_mut(round) {
            reach.new += 1;
        }
    }
    let mut fields = 0;
    let mut rounds: Vec<Reach> = rounds.into_values().collect();
    for reach in &mut rounds {
        fields += reach.new;
        reach.fields = fields;
    }
    rounds
}

/// How the map grew, round by round.
pub(super) fn growth(run: &str, wanted: &Wanted, points: &Points) -> Markup {
    let rounds = reach(points);
    let all = rounds.last().map_or(0, |reach| reach.fields);
    let through = |round: u32| Filter {
        through: Some(round),
        ..wanted.rows.filter.clone()
    };
    html! {
        div.scroll.tall { table.cards.words {
            caption { "What each round added, of the points that are drawn. The map is cut into " (thousands((REACHED * REACHED) as u64)) " fields; one is reached by its first point." }
            thead { tr {
                th scope="col" { "Round" } th.number scope="col" { "Points" } th.number scope="col" { "New fields" }
                th.number scope="col" { "Fields reached" } th.number scope="col" { "Share" }
            } }
            tbody { @for reach in &rounds { tr {
                th scope="row" { @match reach.round {
                    Some(round) => a href=(wanted.address(run, "map", &through(round))) { "up to round " (round) },
                    None => "real rows",
                } }
                td.number data-head="Points" { (thousands(reach.points)) }
                td.number data-head="New fields" { (thousands(reach.new)) }
                td.number data-head="Fields reached" { (thousands(reach.fields)) }
                td.number data-head="Share" { (percent(reach.fields, all)) }
            } } }
        } }
    }
}

/// The first of the rows that are chosen.
pub(super) fn chosen(run: &str, wanted: &Wanted, points: &Points, rows: &[Listed]) -> Markup {
    let filter = &wanted.rows.filter;
    html! {
        p {
            (thousands(points.of)) " rows in the outline. "
            a href=(wanted.rows.address(run, "rows", filter)) { "All of them as a list" }
        }
        @if !rows.is_empty() { (table(run, &wanted.rows, rows)) }
        p.acts { a.button href=(wanted.address(run, "map", &wanted.around())) { "Choose nothing" } }
    }
}

#[cfg(test)]
mod tests {
    use gristmill_rowindex::{Placing, Point};

    use super::*;

    #[test]
    fn a_field_is_reached_by_its_first_point() {
        let point = |x: f32, round: Option<u32>| Point {
            number: 0,
            at: [x, 0.5],
            class: 0,
            round,
        };
        let points = Points {
            points: vec![
                point(0.9, Some(1)),
                point(0.1, None),
                point(0.1, Some(0)),
                point(0.5, Some(1)),
                point(0.9, Some(0)),
            ],
            of: 5,
            nowhere: 0,
            classes: vec![("accepted".into(), 5)],
            ranks: vec![0],
            last_round: Some(1),
            placing: Placing::default(),
        };
        let told: Vec<(Option<u32>, u64, u64, u64)> = reach(&points)
            .into_iter()
            .map(|reach| (reach.round, reach.points, reach.new, reach.fields))
            .collect();
        assert_eq!(told, [(None, 1, 1, 1), (Some(0), 2, 1, 2), (Some(1), 2, 1, 3)]);
    }
}
