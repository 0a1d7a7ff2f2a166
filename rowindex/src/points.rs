//! Points of the map.

use std::collections::HashMap;

use rusqlite::Connection;

use crate::columns::{BLOCK, Block, VECTOR};
use crate::error::Error;
use crate::facet::Facet;
use crate::map::{self, Placing};
use crate::names::Names;
use crate::places::{self, NOWHERE};
use crate::schema;
use crate::selection::{Selection, Wanted, blocks};

/// A row on the map.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// Its number in the index.
    pub number: u64,
    /// From 0 to 1, left to right and top to bottom.
    pub at: [f32; 2],
    /// What it is, by number: of [`Points::classes`].
    pub class: u16,
    /// The round that it was made in; of a real row, none.
    pub round: Option<u32>,
}

/// Rows on the map.
#[derive(Debug, Clone, PartialEq)]
pub struct Points {
    /// The points, in the order of their rows. Several rows may lie on one place: answers to one question do.
    pub points: Vec<Point>,
    /// Rows that the filter finds and that have a place; more than points where only some are drawn.
    pub of: u64,
    /// Rows that the filter finds and that have no place: nothing of them was embedded, or they are not placed yet.
    pub nowhere: u64,
    /// Values of the facet that points are classed by, the most frequent first, each with its rows.
    pub classes: Vec<(String, u64)>,
    /// For each class, its place among all values of the facet that the run has, the most frequent first: it is the same whatever the filter
    /// finds.
    pub ranks: Vec<u16>,
    /// The last round of the run that a row is of, whatever the filter finds.
    pub last_round: Option<u32>,
    /// How far placing has come.
    pub placing: Placing,
}

/// At most `most` points of the rows that a filter finds, drawn evenly, classed by a facet.
pub(crate) fn points(
    connection: &Connection,
    wanted: Wanted<'_>,
    (facet, most): (Facet, usize),
) -> Result<Points, Error> {
    let names = Names::load(connection)?;
    let selection = Selection::new(connection, &names, wanted)?;
    let places = places::all(connection)?;
    let (mut found, mut nowhere) = (Vec::new(), 0);
    let mut by_code = vec![0_u64; names.lists(facet).len()];
    let mut of_run = by_code.clone();
    for number in 0..blocks(schema::rows(connection)?) {
        let mut block = Block::new(connection, number);
        let rows = selection.rows(&mut block)?;
        let vectors = block.column(VECTOR)?.to_vec();
        let codes = block.column(facet.column())?.to_vec();
        for code in &codes {
            if let Some(count) = of_run.get_mut(*code as usize) {
                *count += 1;
            }
        }
        let made_in = block.column(Facet::Round.column())?;
        for row in rows {
            let within = (row % BLOCK) as usize;
            let vector = vectors.get(within).copied().unwrap_or(u32::MAX);
            let code = codes.get(within).copied().unwrap_or_default();
            match places.get(vector as usize).filter(|place| **place != NOWHERE) {
                Some(place) => {
                    found.push((
                        row,
                        *place,
                        [code, made_in.get(within).copied().unwrap_or_default()],
                    ));
                    if let Some(count) = by_code.get_mut(code as usize) {
                        *count += 1;
                    }
                }
                None => nowhere += 1,
            }
        }
    }
    let of = found.len() as u64;
    let drawn = gristmill_measure::sample::drawn(found.len(), most);
    let rounds: Vec<Option<u32>> = names
        .lists(Facet::Round)
        .iter()
        .map(|list| list.first().and_then(|round| round.parse().ok()))
        .collect();
    let (all, _) = classes(&names, facet, &of_run);
    let (classes, class_of) = classes(&names, facet, &by_code);
    let place: HashMap<&str, u16> = all.iter().map(|(value, _)| value.as_str()).zip(0..).collect();
    let ranks = classes
        .iter()
        .map(|(value, _)| place.get(value.as_str()).copied());
    let ranks = ranks.map(Option::unwrap_or_default).collect();
    let points = drawn
        .into_iter()
        .filter_map(|place| found.get(place))
        .map(|(row, place, [code, round])| Point {
            number: *row,
            at: place.map(places::share),
            class: class_of.get(*code as usize).copied().unwrap_or_default(),
            round: rounds.get(*round as usize).copied().flatten(),
        });
    Ok(Points {
        points: points.collect(),
        of,
        nowhere,
        classes,
        ranks,
        last_round: rounds.iter().copied().max().flatten(),
        placing: map::placing(connection)?,
    })
}

/// Classes by frequency, and the class of each code. A row of several values is of the first.
fn classes(names: &Names, facet: Facet, by_code: &[u64]) -> (Vec<(String, u64)>, Vec<u16>) {
    let value = |list: &Vec<String>| list.first().cloned().unwrap_or_else(|| "none".to_owned());
    let values: Vec<String> = names.lists(facet).iter().map(value).collect();
    let mut rows = std::collections::BTreeMap::<&str, u64>::new();
    for (value, count) in values.iter().zip(by_code) {
        *rows.entry(value).or_default() += count;
    }
    let mut classes: Vec<(String, u64)> = rows
        .into_iter()
        .filter(|(_, rows)| *rows > 0)
        .map(|(value, rows)| (value.to_owned(), rows))
        .collect();
    classes.sort_by_key(|(_, rows)| std::cmp::Reverse(*rows));
    let place: HashMap<&str, u16> = classes.iter().map(|(value, _)| value.as_str()).zip(0..).collect();
    let class_of = values
        .iter()
        .map(|value| place.get(value.as_str()).copied().unwrap_or_default())
        .collect();
    (classes, class_of)
}
