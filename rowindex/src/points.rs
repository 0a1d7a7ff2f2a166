//! Points of the map.

use rusqlite::Connection;

use crate::columns::{BLOCK, Block, VECTOR};
use crate::error::Error;
use crate::facet::Facet;
use crate::filter::Filter;
use crate::map::{self, Placing};
use crate::names::Names;
use crate::places::{self, NOWHERE};
use crate::schema;
use crate::selection::{Selection, blocks};

/// A row on the map.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// Its number in the index.
    pub number: u64,
    /// From 0 to 1, left to right and top to bottom.
    pub at: [f32; 2],
    /// What it is, by number: of [`Points::classes`].
    pub class: u16,
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
    /// How far placing has come.
    pub placing: Placing,
}

/// At most `most` points of the rows that a filter finds, drawn evenly, classed by a facet.
pub(crate) fn points(
    connection: &Connection,
    filter: &Filter,
    (facet, most): (Facet, usize),
) -> Result<Points, Error> {
    let names = Names::load(connection)?;
    let selection = Selection::new(connection, &names, filter)?;
    let places = places::all(connection)?;
    let (mut found, mut nowhere) = (Vec::new(), 0);
    let mut by_code = vec![0_u64; names.lists(facet).len()];
    for number in 0..blocks(schema::rows(connection)?) {
        let mut block = Block::new(connection, number);
        let rows = selection.rows(&mut block)?;
        let vectors = block.column(VECTOR)?.to_vec();
        let codes = block.column(facet.column())?;
        for row in rows {
            let within = (row % BLOCK) as usize;
            let vector = vectors.get(within).copied().unwrap_or(u32::MAX);
            let code = codes.get(within).copied().unwrap_or_default();
            match places.get(vector as usize).filter(|place| **place != NOWHERE) {
                Some(place) => {
                    found.push((row, *place, code));
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
    let (classes, class_of) = classes(&names, facet, &by_code);
    let points = drawn
        .into_iter()
        .filter_map(|place| found.get(place))
        .map(|(row, place, code)| Point {
            number: *row,
            at: place.map(places::share),
            class: class_of.get(*code as usize).copied().unwrap_or_default(),
        });
    Ok(Points {
        points: points.collect(),
        of,
        nowhere,
        classes,
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
    let place: std::collections::HashMap<&str, u16> =
        classes.iter().map(|(value, _)| value.as_str()).zip(0..).collect();
    let class_of = values
        .iter()
        .map(|value| place.get(value.as_str()).copied().unwrap_or_default())
        .collect();
    (classes, class_of)
}
