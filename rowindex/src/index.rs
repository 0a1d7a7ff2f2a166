//! The index of a run's rows.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use gristmill_coordinator::{History, Journal, RealRow, SeedStore, Trace};
use gristmill_domain::id::RunId;
use rusqlite::Connection;

use crate::columns::{BLOCK, Block};
use crate::error::Error;
use crate::export::{self, Export, Form};
use crate::facet::Facet;
use crate::facets::{self, Counts};
use crate::filter::Filter;
use crate::located::{self, Located, Place};
use crate::map::{self, Placing};
use crate::names::Names;
use crate::neighbours::{self, Neighbour};
use crate::order::{Cursor, Sort};
use crate::page::{self, Listed, Page};
use crate::points::{self, Points};
use crate::selection::{Selection, blocks};
use crate::source::Source;
use crate::update::{self, Progress};
use crate::{schema, tasks, vectors};

/// Connections for reading that are kept open.
const READERS_MAX: usize = 4;
/// Threads that look through vectors.
const THREADS_MAX: usize = 8;
/// Rows of one piece of an export, at most.
const EXPORT_ROWS: usize = 500;

/// The index of one run's rows: a file, which one thread writes while others read. Every function blocks.
pub struct RowIndex {
    path: PathBuf,
    run: RunId,
    writer: Mutex<Connection>,
    readers: Mutex<Vec<Connection>>,
}

fn held<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    // A thread that panicked left a transaction, which SQLite rolls back.
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

impl RowIndex {
    /// The index of a run in a scratch folder, which is made when there is none. A file of another version, of another run, or one that
    /// cannot be read is thrown away.
    ///
    /// # Errors
    /// A folder that cannot be written.
    pub fn open(folder: &Path, run: RunId) -> Result<Self, Error> {
        std::fs::create_dir_all(folder).map_err(|source| Error::Folder {
            path: folder.to_owned(),
            source,
        })?;
        let path = schema::file(folder, run);
        let writer = schema::open(&path, run)?;
        Ok(Self {
            path,
            run,
            writer: Mutex::new(writer),
            readers: Mutex::new(Vec::new()),
        })
    }

    /// Reads one step of what the journal has more than the index, and commits it. Call it until it says that it is done, and again when the
    /// run may have gone on. A file that turns out damaged, or that holds what the journal does not, is begun anew.
    ///
    /// # Errors
    /// A journal that cannot be read; a file that cannot be written.
    pub fn update(&self, source: &Source<'_>) -> Result<Progress, Error> {
        let mut writer = held(&self.writer);
        match update::step(&mut writer, source) {
            Err(error) if error.of_file() => {
                self.begin_anew(&mut writer)?;
                update::step(&mut writer, source)
            }
            done => done,
        }
    }

    fn begin_anew(&self, writer: &mut Connection) -> Result<(), Error> {
        let mut readers = held(&self.readers);
        readers.clear();
        *writer = Connection::open_in_memory()?;
        schema::remove(&self.path)?;
        *writer = schema::open(&self.path, self.run)?;
        Ok(())
    }

    /// Places some rows on the map that have no place yet. Call it until it says that it is done, when nothing else is to be read.
    ///
    /// # Errors
    /// A file that cannot be read or written.
    pub fn place(&self) -> Result<Placing, Error> {
        let mut writer = held(&self.writer);
        let transaction = writer.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        let placing = map::place(&transaction)?;
        transaction.commit()?;
        Ok(placing)
    }

    /// Reads in one transaction, so that all that is answered is of one moment.
    fn read<T>(&self, what: impl FnOnce(&Connection) -> Result<T, Error>) -> Result<T, Error> {
        let kept = held(&self.readers).pop();
        let mut connection = match kept {
            Some(connection) => connection,
            None => schema::reader(&self.path)?,
        };
        let answer = {
            let transaction = connection.transaction()?;
            what(&transaction)
        };
        let keep = answer.as_ref().err().is_none_or(|error| !error.of_file());
        let mut readers = held(&self.readers);
        if keep && readers.len() < READERS_MAX {
            readers.push(connection);
        }
        answer
    }

    /// Rows that are indexed.
    pub fn rows(&self) -> Result<u64, Error> {
        self.read(schema::rows)
    }

    /// A page of at most `most` rows.
    ///
    /// # Errors
    /// [`Error::Unknown`] for a value that no row has, with the nearest; [`Error::Search`] for a search without a word.
    pub fn page(&self, filter: &Filter, sort: Sort, cursor: Cursor, most: usize) -> Result<Page, Error> {
        self.read(|connection| page::page(connection, filter, (sort, cursor), most))
    }

    /// Counts of the rows that a filter finds: exact, whatever is combined.
    ///
    /// # Errors
    /// As [`Self::page`].
    pub fn counts(&self, filter: &Filter) -> Result<Counts, Error> {
        self.read(|connection| facets::counts(connection, filter))
    }

    /// At most `most` points of the rows that a filter finds, classed by a facet.
    ///
    /// # Errors
    /// As [`Self::page`].
    pub fn points(&self, filter: &Filter, facet: Facet, most: usize) -> Result<Points, Error> {
        self.read(|connection| points::points(connection, filter, (facet, most)))
    }

    /// The row of an id, or of its first digits where no other row's id begins so.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn one(&self, id: &str) -> Result<Option<Located>, Error> {
        self.read(|connection| located::by_id(connection, id))
    }

    /// Rows by their numbers, as lists show them; numbers that no row has are left out.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn listed(&self, numbers: &[u64]) -> Result<Vec<Listed>, Error> {
        self.read(|connection| {
            let rows = schema::rows(connection)?;
            let known: Vec<u64> = numbers.iter().copied().filter(|number| *number < rows).collect();
            page::listed(connection, &Names::load(connection)?, &known)
        })
    }

    /// The `most` rows whose questions are nearest to a row's, the nearest first. None where nothing of the row was embedded.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn neighbours(&self, number: u64, most: usize) -> Result<Vec<Neighbour>, Error> {
        let query = self.read(|connection| {
            let vector = Block::new(connection, number / BLOCK).facts(number)?.vector();
            vector.map_or(Ok(None), |vector| vectors::one(connection, vector))
        })?;
        let Some(query) = query else {
            return Ok(Vec::new());
        };
        let threads = gristmill_measure::cores().get().min(THREADS_MAX);
        let mut connections = (0..threads)
            .map(|_| schema::reader(&self.path))
            .collect::<Result<Vec<_>, Error>>()?;
        neighbours::nearest(&mut connections, &query, number, most)
    }

    /// A row's whole history: as [`Journal::trace`] tells it, from the segments that hold it alone.
    ///
    /// # Errors
    /// A journal that cannot be read.
    pub fn trace(&self, source: &Source<'_>, row: &Located) -> Result<Trace, Error> {
        let (segment, at) = match &row.place {
            Place::Real(ordinal) => return self.real(source.seeds, *ordinal, row),
            Place::Made { segment, at } => (segment, *at),
        };
        let journal = Journal::new(source.state);
        let rows = source.runtime.block_on(journal.rows(segment))?;
        let record = rows
            .into_iter()
            .nth(at as usize)
            .ok_or(Error::Damaged("a row's place"))?;
        let row = record.value;
        let names = self.read(|connection| tasks::segments(connection, row.position.round, &row.tasks))?;
        let mut results = Vec::new();
        for name in names {
            let segment = source.runtime.block_on(journal.results(&name))?;
            results.extend(tasks::among(segment, &row.tasks));
        }
        results.sort_by_key(|result| result.address);
        let seed = source.seeds.read(row.seed)?;
        Ok(Trace::Made(Box::new(History {
            row,
            seed,
            tasks: results,
        })))
    }

    fn real(&self, seeds: &SeedStore, ordinal: u64, row: &Located) -> Result<Trace, Error> {
        let filter = Filter {
            seed: row.id.to_string(),
            ..Filter::default()
        };
        let counts = self.counts(&filter)?;
        let verdicts = counts.facets.iter().find(|facet| facet.facet == Facet::Verdict);
        let of = |verdict: &str| {
            let values = verdicts.map_or(&[][..], |facet| facet.values.as_slice());
            values
                .iter()
                .find(|value| value.value == verdict)
                .map_or(0, |value| value.rows)
        };
        Ok(Trace::Real(Box::new(RealRow {
            seed: seeds.read(ordinal)?,
            split: seeds.split(ordinal),
            accepted: of("accepted"),
            rejected: of("rejected"),
        })))
    }

    /// The next piece of an export, and where it then stands; `None` when all is written. Pieces are some hundred kilobytes.
    ///
    /// # Errors
    /// As [`Self::page`]; a journal that cannot be read.
    pub fn export(
        &self,
        source: &Source<'_>,
        filter: &Filter,
        form: Form,
        at: Export,
    ) -> Result<Option<(String, Export)>, Error> {
        let (rows, next) = self.read(|connection| from(connection, filter, at.next))?;
        let mut text = match at.begun {
            true => String::new(),
            false => export::head(form),
        };
        if rows.is_empty() && text.is_empty() {
            return Ok(None);
        }
        let journal = Journal::new(source.state);
        let mut segment = (String::new(), Vec::new());
        for (located, facts) in rows {
            match &located.place {
                Place::Real(ordinal) => text.push_str(&export::real(form, &source.seeds.read(*ordinal)?)),
                Place::Made { segment: name, at } => {
                    if segment.0 != *name {
                        segment = (name.clone(), source.runtime.block_on(journal.rows(name))?);
                    }
                    let record = segment
                        .1
                        .get(*at as usize)
                        .ok_or(Error::Damaged("a row's place"))?;
                    let (concepts, unpriced) = &facts;
                    text.push_str(&export::made(form, &record.value, concepts, *unpriced));
                }
            }
        }
        Ok(Some((text, Export { next, begun: true })))
    }
}

/// A row of an export, with its concepts and whether its cost is unknown.
type Exported = (Located, (Vec<String>, bool));

/// Rows that fit from a number on, at most [`EXPORT_ROWS`], and the number to go on from.
fn from(connection: &Connection, filter: &Filter, next: u64) -> Result<(Vec<Exported>, u64), Error> {
    let names = Names::load(connection)?;
    let selection = Selection::new(connection, &names, filter)?;
    let mut found = Vec::new();
    let all = schema::rows(connection)?;
    for number in next / BLOCK..blocks(all) {
        let mut block = Block::new(connection, number);
        for row in selection.rows(&mut block)?.into_iter().filter(|row| *row >= next) {
            let facts = block.facts(row)?;
            let located = located::by_number(connection, row)?.ok_or(Error::Damaged("a row's number"))?;
            let concepts = names.values(Facet::Concept, facts.code(Facet::Concept)).to_vec();
            found.push((located, (concepts, facts.spent().unpriced > 0)));
            if found.len() >= EXPORT_ROWS {
                return Ok((found, row + 1));
            }
        }
    }
    Ok((found, all))
}
