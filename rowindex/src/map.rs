//! Placing rows on the map.
//!
//! Some rows, drawn evenly, are the *landmarks*: `gristmill_measure::map` lays them out, as it does for reports. Every other row is
//! placed amid the landmarks that it is nearest to. So a row is placed as it comes, in a fraction of a millisecond, and stays where it is
//! until the landmarks are drawn again, which happens each time the run has four times the rows, up to [`LANDMARKS`] landmarks.

use gristmill_measure::map::{MapSettings, map};
use gristmill_measure::{Vectors, cores, sample};
use rusqlite::{Connection, params};

use crate::error::Error;
use crate::places::{self, BLOCK, NOWHERE, SIDE};
use crate::schema;
use crate::vectors::{self, Packed, Query, Stored};

/// Landmarks, at most.
const LANDMARKS: usize = 1_000;
/// Landmarks that a row is placed amid.
const AMID: usize = 3;
/// Rows are few enough to be laid out one and all below this.
const FEW: u64 = 4;
/// Blocks that are placed in one step.
const BLOCKS: u64 = 8;

/// How far placing has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Placing {
    /// Vectors that have a place.
    pub placed: u64,
    /// Vectors there are.
    pub of: u64,
}

impl Placing {
    /// True where nothing is left to place.
    pub fn is_done(self) -> bool {
        self.placed >= self.of
    }
}

struct Landmark {
    place: [f32; 2],
    vector: Query,
}

pub(crate) fn placing(connection: &Connection) -> Result<Placing, Error> {
    Ok(Placing {
        placed: schema::get::<i64>(connection, "placed")?.unwrap_or_default() as u64,
        of: vectors::count(connection)?,
    })
}

/// Places some of the rows that have no place yet.
pub(crate) fn place(connection: &Connection) -> Result<Placing, Error> {
    let before = placing(connection)?;
    let laid_out = schema::get::<i64>(connection, "laid_out")?.unwrap_or_default() as u64;
    let few = (LANDMARKS as u64).min(laid_out) < LANDMARKS as u64;
    if before.of > laid_out && few && before.of >= laid_out * FEW {
        lay_out(connection, before.of)?;
    } else if before.is_done() {
        return Ok(before);
    }
    let landmarks = landmarks(connection)?;
    // The last block may have been placed when it was shorter.
    let from = placing(connection)?.placed / BLOCK;
    let end = before.of.div_ceil(BLOCK);
    for number in from..end.min(from + BLOCKS) {
        let numbers = number * BLOCK..((number + 1) * BLOCK).min(before.of);
        let mut placed = vec![NOWHERE; (numbers.end - numbers.start) as usize];
        vectors::each(connection, numbers.clone(), |stored| {
            if let Some(place) = placed.get_mut((stored.number - numbers.start) as usize) {
                *place = amid(&landmarks, &stored);
            }
        })?;
        places::store(connection, number, &placed)?;
        let placed = ((number + 1) * BLOCK).min(before.of);
        schema::set(connection, "placed", placed as i64)?;
    }
    placing(connection)
}

/// Draws landmarks and lays them out. Whatever had a place loses it.
fn lay_out(connection: &Connection, of: u64) -> Result<(), Error> {
    let dimensions = vectors::dimensions(connection)?;
    let (mut values, mut chosen) = (Vec::new(), Vec::new());
    for number in sample::drawn(of as usize, LANDMARKS) {
        if let Some(vector) = vectors::one(connection, u32::try_from(number).unwrap_or(u32::MAX))? {
            values.extend(vector.floats());
            chosen.push(vector);
        }
    }
    connection.execute("DELETE FROM landmarks", [])?;
    if !chosen.is_empty() {
        let vectors = Vectors::new("stored", dimensions, values)?;
        let laid_out = map(&vectors, MapSettings::default(), cores())?;
        let mut statement = connection.prepare_cached(
            "INSERT INTO landmarks (number, x, y, scale, packed) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?;
        for (number, ([x, y], vector)) in (0_i64..).zip(laid_out.points.iter().zip(&chosen)) {
            let bytes: Vec<u8> = vector
                .packed
                .iter()
                .map(|number| number.cast_unsigned())
                .collect();
            statement.execute(params![number, x, y, vector.scale, bytes])?;
        }
    }
    connection.execute("DELETE FROM places", [])?;
    schema::set(connection, "placed", 0)?;
    schema::set(connection, "laid_out", of as i64)?;
    Ok(())
}

fn landmarks(connection: &Connection) -> Result<Vec<Landmark>, Error> {
    let mut statement =
        connection.prepare_cached("SELECT x, y, scale, packed FROM landmarks ORDER BY number")?;
    let landmarks = statement.query_map([], |row| {
        let packed = row.get_ref(3)?.as_blob()?;
        Ok(Landmark {
            place: [row.get(0)?, row.get(1)?],
            vector: Query::of(&Packed {
                scale: row.get(2)?,
                packed: packed.iter().map(|byte| byte.cast_signed()).collect(),
            }),
        })
    })?;
    Ok(landmarks.collect::<Result<_, _>>()?)
}

/// Amid the nearest landmarks, the nearer the closer, and a little aside, so that rows of one landmark are not one point.
fn amid(landmarks: &[Landmark], stored: &Stored<'_>) -> [u16; 2] {
    let mut nearest: [(f32, [f32; 2]); AMID] = [(f32::NEG_INFINITY, [0.0; 2]); AMID];
    // Widened once for all landmarks: that is half of the time that a product of bytes takes.
    let wide = stored.wide();
    for landmark in landmarks {
        let cosine = landmark.vector.cosine_of_wide(stored.scale, &wide);
        if let Some(place) = nearest.iter().position(|(known, _)| cosine > *known) {
            nearest[place..].rotate_right(1);
            nearest[place] = (cosine, landmark.place);
        }
    }
    if nearest[0].0 == f32::NEG_INFINITY {
        return NOWHERE;
    }
    let (mut sum, mut at) = (0.0, [0.0, 0.0]);
    for (cosine, [x, y]) in nearest.iter().filter(|(cosine, _)| cosine.is_finite()) {
        // One that is a landmark stands on it.
        let weight = 1.0 / (1.0 - cosine).max(1e-3).powi(2);
        sum += weight;
        at = [at[0] + weight * x, at[1] + weight * y];
    }
    let aside = 0.004 * (1.0 - nearest[0].0).clamp(0.0, 1.0);
    let turn = stored.number as f32 * 2.399_963;
    let shift = [aside * turn.cos(), aside * turn.sin()];
    [0, 1].map(|axis| ((at[axis] / sum + shift[axis]).clamp(0.0, 1.0) * f32::from(SIDE)) as u16)
}
