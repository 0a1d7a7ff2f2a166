//! A map: rows as points in the plane, near ones near each other.
//!
//! 1. Principal components, fitted on at most 20,000 rows, take rows to at most [`COMPONENTS`] numbers each.
//! 2. The first two are the points' places to start from, so that the large picture is that of the data.
//! 3. Each row's nearest rows, found exactly (past 20,000 rows by their components), pull; rows drawn at random push (after UMAP: McInnes,
//!    Healy, Melville, arXiv 1802.03426).
//! 4. Rows past [`MapSettings::laid_out_max`] are placed amid their nearest rows of those laid out.
//!
//! The same for the same rows and seed, on any number of threads. Near points are near rows; distances across the map, and sizes of its
//! patches, mean little.

mod layout;
mod pca;

use std::num::NonZeroUsize;

use serde::{Deserialize, Serialize};

use crate::draw::Draw;
use crate::neighbors::{Neighbors, nearest, neighbors};
use crate::{Error, Vectors};

/// Numbers a row is reduced to, at most.
pub const COMPONENTS: usize = 50;
/// Rows up to which neighbors are found by all numbers of a row: past it that takes minutes.
const WHOLE: usize = 20_000;
/// Laid-out rows that a later one is placed amid.
const AMID: usize = 3;

/// How a map is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct MapSettings {
    /// Nearest rows that pull, at least 1: few keep small groups, many the large picture.
    pub neighbors: usize,
    /// Rows laid out by their neighbors, at least 1; the rest is placed amid them.
    pub laid_out_max: usize,
    /// Chooses the rows to fit on, and those that push.
    pub seed: u64,
}

impl Default for MapSettings {
    /// 15 neighbors, 100,000 rows laid out.
    fn default() -> Self {
        Self {
            neighbors: 15,
            laid_out_max: 100_000,
            seed: 0,
        }
    }
}

/// Points of rows, in the rows' order.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Map {
    /// Each between 0 and 1; the wider direction fills that.
    pub points: Vec<[f32; 2]>,
    /// Rows laid out by their neighbors.
    pub laid_out: usize,
    /// How it was made.
    #[serde(flatten)]
    pub settings: MapSettings,
    /// Name of the embedding model.
    pub model: String,
}

/// Makes a map, on up to `threads` threads.
///
/// # Errors
/// [`Error::Setting`]; [`Error::TooMany`] past 2³² rows.
pub fn map(vectors: &Vectors, settings: MapSettings, threads: NonZeroUsize) -> Result<Map, Error> {
    for (name, value) in [
        ("neighbors", settings.neighbors),
        ("rows laid out", settings.laid_out_max),
    ] {
        if value == 0 {
            return Err(Error::Setting {
                name,
                value: 0.0,
                must: "at least 1",
            });
        }
    }
    let mut draw = Draw::new(settings.seed);
    let n = vectors.len();
    let (mut points, laid_out) = if n < 4 {
        // Too few for directions to mean anything: side by side.
        ((0..n).map(|row| [row as f32, 0.0]).collect(), n)
    } else {
        let reduced = pca::reduce(vectors, COMPONENTS, &mut draw, threads)?;
        if n <= settings.laid_out_max {
            let near = near(vectors, &reduced, settings.neighbors, threads)?;
            (settled(&reduced, near, &mut draw), n)
        } else {
            let chosen = draw.sample(n, settings.laid_out_max);
            let some = reduced.select(&chosen)?;
            let near = near(&vectors.select(&chosen)?, &some, settings.neighbors, threads)?;
            let places = settled(&some, near, &mut draw);
            (amid(&reduced, &some, &places, threads)?, chosen.len())
        }
    };
    into_unit_square(&mut points);
    Ok(Map {
        points,
        laid_out,
        settings,
        model: vectors.model().to_string(),
    })
}

/// The neighbors of rows to lay out: by all their numbers, or by their components where there are many. None for fewer than four rows.
fn near(
    vectors: &Vectors,
    reduced: &Vectors,
    wanted: usize,
    threads: NonZeroUsize,
) -> Result<Option<Neighbors>, Error> {
    let n = vectors.len();
    if n < 4 {
        return Ok(None);
    }
    let by = if n > WHOLE { reduced } else { vectors };
    neighbors(by, wanted.min(n - 1), threads).map(Some)
}

fn settled(reduced: &Vectors, near: Option<Neighbors>, draw: &mut Draw) -> Vec<[f32; 2]> {
    let start = start(reduced);
    match near {
        Some(near) => layout::settle(start, &layout::pulls(&near), draw),
        None => start,
    }
}

/// The first two components, ten units across.
fn start(reduced: &Vectors) -> Vec<[f32; 2]> {
    let two = |row: &[f32]| {
        [
            row.first().copied().unwrap_or(0.0),
            row.get(1).copied().unwrap_or(0.0),
        ]
    };
    let mut points: Vec<[f32; 2]> = reduced.rows().map(two).collect();
    let largest = points.iter().flatten().fold(0.0f32, |most, x| most.max(x.abs()));
    if largest > 0.0 {
        points.iter_mut().flatten().for_each(|x| *x *= 10.0 / largest);
    }
    points
}

/// Every row at the mean of its nearest laid-out rows, nearer ones counting more; a laid-out row is at its own place.
fn amid(
    reduced: &Vectors,
    some: &Vectors,
    places: &[[f32; 2]],
    threads: NonZeroUsize,
) -> Result<Vec<[f32; 2]>, Error> {
    let near = nearest(reduced, some, AMID.min(some.len()), threads)?;
    let place = |row: usize| {
        let (mut sum, mut weights) = ([0.0f32; 2], 0.0f32);
        for (other, distance) in near.of(row) {
            let weight = (distance + 1e-6).recip().powi(2);
            let [x, y] = places[other as usize];
            sum[0] += weight * x;
            sum[1] += weight * y;
            weights += weight;
        }
        sum.map(|x| x / weights)
    };
    Ok((0..reduced.len()).map(place).collect())
}

fn into_unit_square(points: &mut [[f32; 2]]) {
    let (mut low, mut high) = ([f32::INFINITY; 2], [f32::NEG_INFINITY; 2]);
    for point in &*points {
        for axis in 0..2 {
            low[axis] = low[axis].min(point[axis]);
            high[axis] = high[axis].max(point[axis]);
        }
    }
    let wide = (high[0] - low[0]).max(high[1] - low[1]);
    for point in points {
        for axis in 0..2 {
            let from_middle = point[axis] - (low[axis] + high[axis]) / 2.0;
            let scaled = if wide > 0.0 { from_middle / wide } else { 0.0 };
            point[axis] = (scaled + 0.5).clamp(0.0, 1.0);
        }
    }
}
