//! Pages of rows, from a key on.
//!
//! A page is named by the key of the row beside it, never by a number of rows to skip: a deep page costs what the first does, and
//! rows that come meanwhile neither repeat nor hide one.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use gristmill_domain::id::ContentId;
use rusqlite::Connection;

use crate::amounts::Spent;
use crate::columns::{BLOCK, Block};
use crate::error::Error;
use crate::facet::Facet;
use crate::filter::Filter;
use crate::names::Names;
use crate::order::{Cursor, From, Key, Sort};
use crate::schema;
use crate::selection::{Selection, blocks};

/// A row in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
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
#[derive(Debug, Clone, PartialEq, Eq)]
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
    filter: &Filter,
    (sort, cursor): (Sort, Cursor),
    most: usize,
) -> Result<Page, Error> {
    let names = Names::load(connection)?;
    let selection = Selection::new(connection, &names, filter)?;
    let most = most.max(1);
    let backward = matches!(cursor.0, From::End | From::Before { .. });
    let from = match cursor.0 {
        From::Start | From::End => None,
        From::Behind { usd_micros, row } | From::Before { usd_micros, row } => {
            let usd = gristmill_domain::amount::MicroUsd(usd_micros);
            Some(Key::of(
                sort,
                row,
                Spent {
                    usd,
                    ..Spent::default()
                },
            ))
        }
    };
    let walk = Walk {
        connection,
        selection: &selection,
        ascends: sort.ascends() != backward,
        from,
        // One more than shown says that there is a page beyond.
        wanted: most + 1,
    };
    let mut keys = match sort.by_cost() {
        true => walk.by_cost(sort)?,
        false => walk.by_number()?,
    };
    let more = keys.len() > most;
    keys.truncate(most);
    if backward {
        keys.reverse();
    }
    let before = |key: &Key| {
        Cursor(From::Before {
            usd_micros: key.usd_micros,
            row: key.row,
        })
    };
    let behind = |key: &Key| {
        Cursor(From::Behind {
            usd_micros: key.usd_micros,
            row: key.row,
        })
    };
    let started = cursor.0 != From::Start;
    let (has_previous, has_next) = match backward {
        true => (more, cursor.0 != From::End),
        false => (started, more),
    };
    let rows = keys.iter().map(|key| key.row).collect::<Vec<_>>();
    Ok(Page {
        rows: listed(connection, &names, &rows)?,
        previous: keys.first().filter(|_| has_previous).map(before),
        next: keys.last().filter(|_| has_next).map(behind),
    })
}

/// A walk over rows that fit, from a key on.
struct Walk<'a> {
    connection: &'a Connection,
    selection: &'a Selection,
    ascends: bool,
    from: Option<Key>,
    wanted: usize,
}

impl Walk<'_> {
    /// True for what lies beyond where the walk begins.
    fn beyond(&self, key: &Key) -> bool {
        self.from.is_none_or(|from| match self.ascends {
            true => *key > from,
            false => *key < from,
        })
    }

    fn by_number(&self) -> Result<Vec<Key>, Error> {
        let blocks = blocks(schema::rows(self.connection)?);
        let mut keys = Vec::new();
        let start = self.from.map(|from| from.row / BLOCK);
        let mut numbers: Box<dyn Iterator<Item = u64>> = match self.ascends {
            true => Box::new(start.unwrap_or(0)..blocks),
            false => Box::new((0..start.map_or(blocks, |start| (start + 1).min(blocks))).rev()),
        };
        while let (true, Some(number)) = (keys.len() < self.wanted, numbers.next()) {
            let mut block = Block::new(self.connection, number);
            let mut rows = self.selection.rows(&mut block)?;
            if !self.ascends {
                rows.reverse();
            }
            let found = rows
                .into_iter()
                .map(|row| Key::of(Sort::Oldest, row, Spent::default()));
            keys.extend(
                found
                    .filter(|key| self.beyond(key))
                    .take(self.wanted - keys.len()),
            );
        }
        Ok(keys)
    }

    fn by_cost(&self, sort: Sort) -> Result<Vec<Key>, Error> {
        let mut kept = BinaryHeap::new();
        for number in 0..blocks(schema::rows(self.connection)?) {
            let mut block = Block::new(self.connection, number);
            let rows = self.selection.rows(&mut block)?;
            if rows.is_empty() {
                continue;
            }
            let costs = block.spent()?;
            for row in rows {
                let Some(spent) = costs.get((row % BLOCK) as usize) else {
                    return Err(Error::Damaged("the length of a column"));
                };
                let key = Key::of(sort, row, *spent);
                if self.beyond(&key) {
                    kept.push(Candidate {
                        key,
                        ascends: self.ascends,
                    });
                    if kept.len() > self.wanted {
                        kept.pop();
                    }
                }
            }
        }
        Ok(kept
            .into_sorted_vec()
            .into_iter()
            .map(|candidate| candidate.key)
            .collect())
    }
}

/// A key by the direction of a walk: the last of it is the greatest.
#[derive(PartialEq, Eq)]
struct Candidate {
    key: Key,
    ascends: bool,
}

impl Ord for Candidate {
    fn cmp(&self, other: &Self) -> Ordering {
        match self.ascends {
            true => self.key.cmp(&other.key),
            false => other.key.cmp(&self.key),
        }
    }
}

impl PartialOrd for Candidate {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
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
            })
        })
        .collect()
}
