//! Facts of rows, in columns of 32-bit numbers, a block of rows at a time.

use rusqlite::{Connection, OptionalExtension, params};

use crate::amounts::Spent;
use crate::error::Error;
use crate::facet::Facet;

/// Rows of a block.
pub(crate) const BLOCK: u64 = 4_096;

/// Columns after those of facets.
pub(crate) const VECTOR: usize = Facet::ALL.len();
pub(crate) const SEED: usize = VECTOR + 1;
const CALLS: usize = VECTOR + 2;
const USD_LOW: usize = VECTOR + 3;
const USD_HIGH: usize = VECTOR + 4;
const UNPRICED: usize = VECTOR + 5;
/// Columns of a row.
pub(crate) const COLUMNS: usize = VECTOR + 6;

/// In the columns [`VECTOR`] and [`SEED`]: the row has none.
pub(crate) const NONE: u32 = u32::MAX;

/// The facts of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Facts(pub(crate) [u32; COLUMNS]);

impl Facts {
    /// From codes by facet, the number of its vector, and the ordinal of the seed that it was made from.
    pub(crate) fn new(
        codes: [u32; Facet::ALL.len()],
        (vector, seed): (Option<u32>, Option<u32>),
        spent: Spent,
    ) -> Self {
        let mut facts = [0; COLUMNS];
        for (column, code) in facts.iter_mut().zip(codes) {
            *column = code;
        }
        facts[VECTOR] = vector.unwrap_or(NONE);
        facts[SEED] = seed.unwrap_or(NONE);
        facts[CALLS] = u32::try_from(spent.calls).unwrap_or(u32::MAX);
        facts[USD_LOW] = spent.usd.0 as u32;
        facts[USD_HIGH] = (spent.usd.0 >> 32) as u32;
        facts[UNPRICED] = u32::from(spent.unpriced > 0);
        Self(facts)
    }

    pub(crate) fn code(&self, facet: Facet) -> u32 {
        self.0.get(facet.column()).copied().unwrap_or_default()
    }

    pub(crate) fn vector(&self) -> Option<u32> {
        Some(self.0[VECTOR]).filter(|vector| *vector != NONE)
    }

    pub(crate) fn spent(&self) -> Spent {
        spent(self.0[CALLS], self.0[USD_LOW], self.0[USD_HIGH], self.0[UNPRICED])
    }
}

fn spent(calls: u32, low: u32, high: u32, unpriced: u32) -> Spent {
    Spent {
        usd: gristmill_domain::amount::MicroUsd(u64::from(high) << 32 | u64::from(low)),
        calls: calls.into(),
        unpriced: unpriced.into(),
    }
}

fn place(column: usize, block: u64) -> i64 {
    ((column as i64) << 40) | block as i64
}

/// One block of rows, of which columns are read when they are asked for.
pub(crate) struct Block<'c> {
    connection: &'c Connection,
    number: u64,
    read: [Option<Vec<u32>>; COLUMNS],
}

impl<'c> Block<'c> {
    pub(crate) fn new(connection: &'c Connection, number: u64) -> Self {
        Self {
            connection,
            number,
            read: Default::default(),
        }
    }

    /// The number of its first row.
    pub(crate) fn first(&self) -> u64 {
        self.number * BLOCK
    }

    /// A column of the block; empty past the last row.
    pub(crate) fn column(&mut self, column: usize) -> Result<&[u32], Error> {
        let held = self.read.get_mut(column).ok_or(Error::Damaged("a column"))?;
        if held.is_none() {
            *held = Some(read(self.connection, column, self.number)?);
        }
        Ok(held.as_deref().unwrap_or_default())
    }

    /// What each row cost.
    pub(crate) fn spent(&mut self) -> Result<Vec<Spent>, Error> {
        let calls = self.column(CALLS)?.to_vec();
        let low = self.column(USD_LOW)?.to_vec();
        let high = self.column(USD_HIGH)?.to_vec();
        let unpriced = self.column(UNPRICED)?;
        let money = low.into_iter().zip(high).zip(unpriced);
        Ok(calls
            .into_iter()
            .zip(money)
            .map(|(calls, ((low, high), unpriced))| spent(calls, low, high, *unpriced))
            .collect())
    }

    /// What each row cost, in millionths of a dollar.
    pub(crate) fn usd_micros(&mut self) -> Result<Vec<u64>, Error> {
        let low = self.column(USD_LOW)?.to_vec();
        let high = self.column(USD_HIGH)?.iter().zip(low);
        Ok(high
            .map(|(high, low)| u64::from(*high) << 32 | u64::from(low))
            .collect())
    }

    /// All facts of a row.
    pub(crate) fn facts(&mut self, row: u64) -> Result<Facts, Error> {
        let at = (row % BLOCK) as usize;
        let mut facts = [0; COLUMNS];
        for (number, fact) in facts.iter_mut().enumerate() {
            let column = self.column(number)?;
            *fact = *column.get(at).ok_or(Error::Damaged("the length of a column"))?;
        }
        Ok(Facts(facts))
    }
}

fn read(connection: &Connection, column: usize, block: u64) -> Result<Vec<u32>, Error> {
    let mut statement = connection.prepare_cached("SELECT packed FROM columns WHERE place = ?1")?;
    let unpack = |row: &rusqlite::Row<'_>| {
        let bytes = row.get_ref(0)?.as_blob()?;
        Ok(bytes
            .as_chunks::<4>()
            .0
            .iter()
            .map(|word| u32::from_le_bytes(*word))
            .collect())
    };
    let read: Option<Vec<u32>> = statement.query_row([place(column, block)], unpack).optional()?;
    Ok(read.unwrap_or_default())
}

/// What the rows of a block cost, in millionths of a dollar.
pub(crate) struct CostBounds {
    pub(crate) block: u64,
    pub(crate) least: u64,
    pub(crate) most: u64,
}

/// What the rows of each block cost.
pub(crate) fn costs(connection: &Connection) -> Result<Vec<CostBounds>, Error> {
    let mut statement = connection.prepare_cached("SELECT block, least, most FROM costs")?;
    let bounds = statement.query_map([], |row| {
        let number = |column| row.get::<_, i64>(column).map(i64::cast_unsigned);
        Ok(CostBounds {
            block: number(0)?,
            least: number(1)?,
            most: number(2)?,
        })
    })?;
    Ok(bounds.collect::<Result<_, _>>()?)
}

/// The block that rows are added to.
pub(crate) struct Tail {
    number: u64,
    columns: Vec<Vec<u32>>,
}

impl Tail {
    /// The last block of so many rows.
    pub(crate) fn load(connection: &Connection, rows: u64) -> Result<Self, Error> {
        let number = rows / BLOCK;
        let columns = (0..COLUMNS)
            .map(|column| {
                let column = read(connection, column, number)?;
                match column.len() as u64 == rows % BLOCK {
                    true => Ok(column),
                    false => Err(Error::Damaged("the length of a column")),
                }
            })
            .collect::<Result<_, Error>>()?;
        Ok(Self { number, columns })
    }

    /// Adds a row, and stores the block when it is full.
    pub(crate) fn push(&mut self, connection: &Connection, facts: Facts) -> Result<(), Error> {
        for (column, fact) in self.columns.iter_mut().zip(facts.0) {
            column.push(fact);
        }
        if self
            .columns
            .first()
            .is_some_and(|column| column.len() as u64 == BLOCK)
        {
            self.store(connection)?;
            self.number += 1;
            self.columns.iter_mut().for_each(Vec::clear);
        }
        Ok(())
    }

    /// Stores what there is of the block.
    pub(crate) fn store(&self, connection: &Connection) -> Result<(), Error> {
        let mut statement =
            connection.prepare_cached("INSERT OR REPLACE INTO columns (place, packed) VALUES (?1, ?2)")?;
        for (number, column) in self.columns.iter().enumerate() {
            let bytes: Vec<u8> = column.iter().flat_map(|word| word.to_le_bytes()).collect();
            if !bytes.is_empty() {
                statement.execute(params![place(number, self.number), bytes])?;
            }
        }
        let usd = |(low, high): (&u32, &u32)| u64::from(*high) << 32 | u64::from(*low);
        let costs = self.columns[USD_LOW].iter().zip(&self.columns[USD_HIGH]).map(usd);
        if let (Some(least), Some(most)) = (costs.clone().min(), costs.max()) {
            connection
                .prepare_cached("INSERT OR REPLACE INTO costs (block, least, most) VALUES (?1, ?2, ?3)")?
                .execute(params![
                    self.number as i64,
                    least.cast_signed(),
                    most.cast_signed()
                ])?;
        }
        Ok(())
    }
}
