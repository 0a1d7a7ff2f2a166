//! Reading what the journal has more than the index.

use std::collections::{HashMap, HashSet};

use gristmill_coordinator::TaskResult;
use gristmill_domain::row::Row;
use gristmill_domain::strategy::Strategy;
use gristmill_domain::work::{Address, Output};
use gristmill_measure::hashed;
use gristmill_proto::{Record, Segment, SegmentKind};
use rusqlite::{Connection, params};
use serde::de::DeserializeOwned;

use crate::columns::Tail;
use crate::entry::Entry;
use crate::error::Error;
use crate::names::Names;
use crate::source::Source;
use crate::vector_writer::VectorWriter;
use crate::{schema, tasks};

/// Rows that are read in one step, about: what is read is seen, and a reader waits for no more.
const STEP_ROWS: u64 = 20_000;
/// Segments of results that are read in one step.
const STEP_RESULTS: usize = 64;

/// How far reading has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Rows that are indexed.
    pub rows: u64,
    /// Segments that were read.
    pub read: u64,
    /// Segments that the journal has.
    pub of: u64,
}

impl Progress {
    /// True where the journal had nothing more.
    pub fn is_done(self) -> bool {
        self.read >= self.of
    }
}

/// A segment by its name.
struct Named {
    name: String,
    kind: SegmentKind,
    round: u32,
}

impl Named {
    /// Order of reading: what is embedded of seeds, then rows, then which tasks there are.
    fn order(&self) -> u8 {
        match (self.kind, self.round) {
            (SegmentKind::Results, Address::PREPARATION) => 0,
            (SegmentKind::Rows, _) => 1,
            _ => 2,
        }
    }
}

/// Segments of a kind.
fn segments(source: &Source<'_>, kind: SegmentKind) -> Result<Vec<Named>, Error> {
    let prefix = format!("{}/", kind.name());
    let names = source.list(&prefix)?.into_iter();
    let named = names.filter_map(|name| {
        let round = name.strip_prefix(&prefix)?.split_once('-')?.0.parse().ok()?;
        Some(Named { name, kind, round })
    });
    Ok(named.collect())
}

/// Reads one step of what is new, in one transaction.
pub(crate) fn step(connection: &mut Connection, source: &Source<'_>) -> Result<Progress, Error> {
    let mut all = segments(source, SegmentKind::Results)?;
    all.extend(segments(source, SegmentKind::Rows)?);
    all.sort_by_key(Named::order);
    let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let known = known(&transaction)?;
    let listed: HashSet<&str> = all.iter().map(|segment| segment.name.as_str()).collect();
    if known.iter().any(|name| !listed.contains(name.as_str())) {
        return Err(Error::Damaged("it holds rows that the journal does not"));
    }
    let begun = schema::get::<i64>(&transaction, "seeds")?.is_some();
    if begun && known.len() == all.len() {
        return Ok(Progress {
            rows: schema::rows(&transaction)?,
            read: known.len() as u64,
            of: known.len() as u64,
        });
    }
    let mut reading = Reading::load(&transaction, source)?;
    let (before, mut results, mut read) = (reading.rows, 0, known.len() as u64);
    for segment in all.iter().filter(|segment| !known.contains(&segment.name)) {
        if reading.rows - before >= STEP_ROWS || results >= STEP_RESULTS {
            break;
        }
        results += usize::from(segment.kind == SegmentKind::Results);
        reading.read(segment)?;
        read += 1;
    }
    reading.finish()?;
    let progress = Progress {
        rows: reading.rows,
        read,
        of: all.len() as u64,
    };
    transaction.commit()?;
    Ok(progress)
}

/// Segments that were read.
fn known(connection: &Connection) -> Result<HashSet<String>, Error> {
    let mut statement = connection.prepare_cached("SELECT name FROM segments")?;
    let names = statement.query_map([], |row| row.get(0))?;
    Ok(names.collect::<Result<_, _>>()?)
}

/// One step under way.
struct Reading<'a> {
    connection: &'a Connection,
    source: &'a Source<'a>,
    rows: u64,
    tail: Tail,
    names: Names,
    vectors: VectorWriter,
    labels: HashMap<u64, Vec<String>>,
    unpriced: std::collections::BTreeSet<String>,
}

impl<'a> Reading<'a> {
    fn load(connection: &'a Connection, source: &'a Source<'a>) -> Result<Self, Error> {
        let rows = schema::rows(connection)?;
        let mut reading = Self {
            connection,
            source,
            rows,
            tail: Tail::load(connection, rows)?,
            names: Names::load(connection)?,
            vectors: VectorWriter::load(connection)?,
            labels: HashMap::new(),
            unpriced: source.unpriced(),
        };
        if schema::get::<i64>(connection, "seeds")?.is_none() {
            reading.seeds()?;
        }
        Ok(reading)
    }

    /// Real rows of the anchor come first; each has the number of its place there.
    fn seeds(&mut self) -> Result<(), Error> {
        let seeds = self.source.seeds;
        self.vectors.reserve(seeds.len());
        for number in 0..seeds.anchors() {
            let ordinal = seeds.anchor(number);
            let seed = seeds.read(ordinal)?;
            let vector = u32::try_from(ordinal).ok();
            if let (Some(vector), false) = (vector, self.source.embeds()) {
                let of = hashed::of(&seed.question);
                self.vectors.put(self.connection, vector, self.rows + 1, &of)?;
            }
            let entry = Entry::real(&seed, ordinal);
            entry.store(
                self.connection,
                self.rows,
                (&mut self.tail, &mut self.names),
                vector,
            )?;
            self.rows += 1;
        }
        schema::set(self.connection, "seeds", seeds.len() as i64)
    }

    fn read(&mut self, segment: &Named) -> Result<(), Error> {
        let bytes = self.source.read(&segment.name)?;
        self.connection
            .prepare_cached("INSERT INTO segments (name) VALUES (?1)")?
            .execute(params![segment.name])?;
        let number = self.connection.last_insert_rowid();
        match segment.order() {
            0 => self.embedded(decode(SegmentKind::Results, &segment.name, &bytes)?),
            1 => {
                let rows = decode(SegmentKind::Rows, &segment.name, &bytes)?;
                (0..)
                    .zip(rows)
                    .try_for_each(|(at, row)| self.row(row, (number, at)))
            }
            _ => tasks::note(self.connection, number, (&segment.name, segment.round), &bytes),
        }
    }

    /// Vectors of seeds, which were embedded in batches.
    fn embedded(&mut self, results: Vec<Record<TaskResult>>) -> Result<(), Error> {
        let seeds = self.source.seeds;
        let batch = u64::from(self.source.start.job.embed.batch.max(1));
        let anchors: HashMap<u64, u64> = (0..seeds.anchors())
            .map(|number| (seeds.anchor(number), number))
            .collect();
        for record in results {
            let vectors = match &record.value.brought {
                Ok(report) => matches!(report.output, Output::Vectors(_)),
                Err(_) => false,
            };
            if !vectors {
                continue;
            }
            for (ordinal, vector) in (record.value.address.index * batch..seeds.len()).zip(record.vectors) {
                let owner = anchors.get(&ordinal).map_or(0, |number| number + 1);
                if let Ok(number) = u32::try_from(ordinal) {
                    self.vectors.put(self.connection, number, owner, &vector)?;
                }
            }
        }
        Ok(())
    }

    fn row(&mut self, record: Record<Row>, (segment, at): (i64, u64)) -> Result<(), Error> {
        let row = record.value;
        let vector = match record.vectors.first() {
            Some(vector) => self.vectors.add(self.connection, self.rows, vector)?,
            // Answers to a seed's own question are where that is.
            None if row.strategy == Strategy::AnswerAugmentation => u32::try_from(row.seed).ok(),
            None if !self.source.embeds() && !row.compared().is_empty() => {
                let vector = hashed::of(row.compared());
                self.vectors.add(self.connection, self.rows, &vector)?
            }
            None => None,
        };
        if !self.labels.contains_key(&row.seed) {
            self.labels
                .insert(row.seed, self.source.seeds.read(row.seed)?.concepts);
        }
        let labels = self.labels.get(&row.seed).map_or(&[][..], Vec::as_slice);
        let entry = Entry::made(&row, labels, &self.unpriced).at(segment, at);
        entry.store(
            self.connection,
            self.rows,
            (&mut self.tail, &mut self.names),
            vector,
        )?;
        self.rows += 1;
        Ok(())
    }

    fn finish(&self) -> Result<(), Error> {
        self.tail.store(self.connection)?;
        self.vectors.store(self.connection)?;
        schema::set(self.connection, "rows", self.rows as i64)
    }
}

fn decode<T: DeserializeOwned>(kind: SegmentKind, name: &str, bytes: &[u8]) -> Result<Vec<Record<T>>, Error> {
    Segment::decode(kind, bytes).map_err(|source| Error::Segment {
        name: name.to_owned(),
        source,
    })
}
