//! Pages of rows, from a key on.
//!
//! A page is named by the key of the row beside it, never by a number of rows to skip: a deep page costs what the first does, and
//! rows that come meanwhile neither repeat nor hide one.

use gristmill_domain::id::ContentId;
use rusqlite::Connection;

use crate::amounts::Spent;
use crate::columns::{BLOCK, Block};
use crate::error::Error;
use crate::facet::Facet;
use crate::names::Names;
use crate::order::{Cursor, From, Key, Sort};
use crate::selection::{Selection, Wanted};
use crate::walk::Walk;

/// A row in a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Listed {
    /// Its number in the index.
    pub number: u64,
    /// Identity.
    pub id: ContentId,
    /// The beginning of its question.
    pub question: String,
    /// The beginning of its answer.
    pub answer: String,
    /// Of a rejected row, particulars of its rejection; of a real one, where it was read.
    pub detail: String,
    /// Its values by facet, in the order of [`Facet::ALL`].
    pub values: Vec<Vec<String>>,
    /// What it cost.
    pub spent: Spent,
    /// How similar it is to what the filter names, from 0 to 1; nothing where the filter names nothing.
    pub similarity: Option<f32>,
}

impl Listed {
    /// Its values of a facet, joined; empty for none.
    pub fn value(&self, facet: Facet) -> String {
        self.values
            .get(facet.column())
            .map(|values| values.join(", "))
            .unwrap_or_default()
    }
}

/// A page of rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// Its rows, in their order.
    pub rows: Vec<Listed>,
    /// The page before it, where there is one.
    pub previous: Option<Cursor>,
    /// The page behind it, where there is one.
    pub next: Option<Cursor>,
}

/// A page of at most `most` rows.
pub(crate) fn page(
    connection: &Connection,
    wanted: Wanted<'_>,
    (sort, cursor): (Sort, Cursor),
    most: usize,
) -> Result<Page, Error> {
    let names = Names::load(connection)?;
    let selection = Selection::new(connection, &names, wanted)?;
    let most = most.max(1);
    let backward = matches!(cursor.0, From::End | From::Before { .. });
    let from = match cursor.0 {
        From::Start | From::End => None,
        From::Behind { weight, row } | From::Before { weight, row } => Some(Key::of(sort, row, weight)),
    };
    let walk = Walk {
        connection,
        selection: &selection,
        sort,
        ascends: sort.ascends() != backward,
        from,
        // One more than shown says that there is a page beyond.
        most: most + 1,
    };
    let mut keys = walk.keys()?;
    let more = keys.len() > most;
    keys.truncate(most);
    if backward {
        keys.reverse();
    }
    let before = |key: &Key| {
        Cursor(From::Before {
            weight: key.weight,
            row: key.row,
        })
    };
    let behind = |key: &Key| {
        Cursor(From::Behind {
            weight: key.weight,
            row: key.row,
        })
    };
    let started = cursor.0 != From::Start;
    let (has_previous, has_next) = match backward {
        true => (more, cursor.0 != From::End),
        false => (started, more),
    };
    let rows = keys.iter().map(|key| key.row).collect::<Vec<_>>();
    let mut rows = listed(connection, &names, &rows)?;
    for (row, key) in rows.iter_mut().zip(&keys) {
        row.similarity = selection.similarity(connection, key.row)?;
    }
    Ok(Page {
        rows,
        previous: keys.first().filter(|_| has_previous).map(before),
        next: keys.last().filter(|_| has_next).map(behind),
    })
}

/// Rows of these numbers, in this order.
pub(crate) fn listed(connection: &Connection, names: &Names, rows: &[u64]) -> Result<Vec<Listed>, Error> {
    let mut statement =
        connection.prepare_cached("SELECT id, question, answer, detail FROM rows WHERE row = ?1")?;
    let mut block: Option<(u64, Block<'_>)> = None;
    rows.iter()
        .map(|&number| {
            let of = number / BLOCK;
            let block = match &mut block {
                Some((held, block)) if *held == of => block,
                other => &mut other.insert((of, Block::new(connection, of))).1,
            };
            let facts = block.facts(number)?;
            let values = Facet::ALL.map(|facet| names.values(facet, facts.code(facet)).to_vec());
            let (id, question, answer, detail) = statement.query_row([number as i64], |row| {
                Ok((row.get::<_, Vec<u8>>(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
            })?;
            Ok(Listed {
                number,
                id: ContentId::from_bytes(&id).ok_or(Error::Damaged("a row's id"))?,
                question,
                answer,
                detail,
                values: values.to_vec(),
                spent: facts.spent(),
                similarity: None,
            })
        })
        .collect()
}
