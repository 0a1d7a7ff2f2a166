//! How similar rows are to one of them, or to a text.
//!
//! Rows whose questions have vectors are compared by them. A text has none, and neither has a row that was rejected before it was embedded:
//! these are compared by their words, of which rare ones say most.

use rusqlite::{Connection, params};

use crate::columns::{BLOCK, Block, VECTOR};
use crate::error::Error;
use crate::located::{self, Located};
use crate::readers::Readers;
use crate::vectors::{self, Query};
use crate::{schema, search};

/// Of things that are the same. A similarity is counted in millionths of that, so that it can be a part of a key.
pub(crate) const SAME: u32 = 1_000_000;
/// Words of a text that rows are searched for, the longest first: long words are rare ones.
const WORDS_MAX: usize = 12;
/// A word says nothing of a row where more than one row in so many has it, in a run with more rows than [`FEW`].
const ONE_IN: u64 = 8;
const FEW: u64 = 1_000;
/// Digits of a row's id that are taken for one, and not for a text.
const ID_DIGITS: usize = 12;

/// How similar each row is: from 0 for nothing in common to [`SAME`].
#[derive(Debug)]
pub(crate) struct Similarities {
    by: By,
    /// The row that others are compared with.
    not: Option<u64>,
}

#[derive(Debug)]
enum By {
    /// By the numbers of vectors.
    Vector(Vec<u32>),
    /// By the numbers of rows.
    Row(Vec<u32>),
}

/// What rows are compared with.
enum With {
    Vector(Query),
    Words(Vec<String>),
}

impl Similarities {
    /// Compares all rows with the row of an id, or with a text.
    ///
    /// # Errors
    /// [`Error::Text`] for an id that no row has; [`Error::Search`] for a text without a word.
    pub(crate) fn with(readers: &Readers, like: &str) -> Result<Self, Error> {
        let (with, not) = readers.read(|connection| match id(connection, like)? {
            Some(row) => Ok((of_row(connection, row.number)?, Some(row.number))),
            None => match search::words(like) {
                words if words.is_empty() => Err(Error::Search(like.to_owned())),
                words => Ok((With::Words(words), None)),
            },
        })?;
        let by = match with {
            With::Vector(query) => By::Vector(by_vector(readers, &query)?),
            With::Words(words) => By::Row(readers.read(|connection| by_words(connection, words))?),
        };
        Ok(Self { by, not })
    }

    /// How similar each row of a block is.
    pub(crate) fn of_block(&self, block: &mut Block<'_>) -> Result<Vec<u32>, Error> {
        let first = block.first();
        let column = block.column(VECTOR)?;
        let mut similar: Vec<u32> = match &self.by {
            By::Vector(similar) => {
                let of = |vector: &u32| similar.get(*vector as usize).copied();
                column
                    .iter()
                    .map(|vector| of(vector).unwrap_or_default())
                    .collect()
            }
            By::Row(similar) => {
                let of = |row: u64| similar.get(row as usize).copied();
                let rows = (first..).take(column.len());
                rows.map(|row| of(row).unwrap_or_default()).collect()
            }
        };
        let own = self.not.filter(|row| row / BLOCK == first / BLOCK);
        if let Some(own) = own.and_then(|row| similar.get_mut((row % BLOCK) as usize)) {
            *own = 0;
        }
        Ok(similar)
    }
}

/// The row of an id; `None` for a text.
fn id(connection: &Connection, like: &str) -> Result<Option<Located>, Error> {
    let digits = like.len() >= ID_DIGITS && like.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !digits {
        return Ok(None);
    }
    match located::by_id(connection, like)? {
        Some(row) => Ok(Some(row)),
        None => Err(Error::Text {
            text: like.chars().take(80).collect(),
            what: "the id of a row that others are compared with",
            help: "give a row's id as lists and pages show it, or some words",
        }),
    }
}

/// A row's vector, or else the words of its question.
fn of_row(connection: &Connection, number: u64) -> Result<With, Error> {
    let facts = Block::new(connection, number / BLOCK).facts(number)?;
    let vector = facts.vector();
    if let Some(vector) = vector.map_or(Ok(None), |vector| vectors::one(connection, vector))? {
        return Ok(With::Vector(Query::of(&vector)));
    }
    let question: String = connection
        .prepare_cached("SELECT question FROM rows WHERE row = ?1")?
        .query_row(params![number as i64], |row| row.get(0))?;
    Ok(With::Words(search::words(&question)))
}

fn by_vector(readers: &Readers, query: &Query) -> Result<Vec<u32>, Error> {
    let count = readers.read(vectors::count)?;
    let parts = readers.in_parts(count, |connection, numbers| {
        let mut similar = vec![0; (numbers.end - numbers.start) as usize];
        vectors::each(connection, numbers.clone(), |stored| {
            if let Some(place) = similar.get_mut((stored.number - numbers.start) as usize) {
                let cosine = query.cosine(stored.scale, stored.packed);
                *place = ((cosine * SAME as f32).round() as u32).min(SAME);
            }
        })?;
        Ok(similar)
    })?;
    Ok(parts.concat())
}

/// The share of the words that each row has, by how much they say: the logarithm of how rare they are.
fn by_words(connection: &Connection, mut words: Vec<String>) -> Result<Vec<u32>, Error> {
    let rows = schema::rows(connection)?;
    words.sort_by_key(|word| std::cmp::Reverse(word.chars().count()));
    words.truncate(WORDS_MAX);
    let most = if rows > FEW { rows / ONE_IN } else { rows };
    let (mut sums, mut all) = (vec![0.0_f32; rows as usize], 0.0);
    for word in &words {
        let Some(found) = search::having(connection, word, most)?.filter(|found| !found.is_empty()) else {
            continue;
        };
        let says = (1.0 + rows as f32 / found.len() as f32).ln();
        all += says;
        for row in found {
            if let Some(sum) = sums.get_mut(row as usize) {
                *sum += says;
            }
        }
    }
    // Without a word that says something, all sums are 0.
    let share = |sum: f32| if all > 0.0 { sum / all } else { 0.0 };
    let similar = sums
        .into_iter()
        .map(|sum| (share(sum) * SAME as f32).round() as u32);
    Ok(similar.map(|similar| similar.min(SAME)).collect())
}
