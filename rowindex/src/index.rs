//! The index of a run's rows.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gristmill_coordinator::Trace;
use gristmill_domain::id::RunId;
use rusqlite::Connection;

use crate::columns::{BLOCK, Block};
use crate::error::Error;
use crate::export::{Export, Form};
use crate::facet::Facet;
use crate::facets::{self, Counts};
use crate::filter::Filter;
use crate::located::{self, Located};
use crate::map::{self, Placing};
use crate::names::Names;
use crate::neighbours::{self, Neighbour};
use crate::order::{Cursor, Sort};
use crate::page::{self, Listed, Page};
use crate::points::{self, Points};
use crate::readers::Readers;
use crate::selection::Wanted;
use crate::similar::Similarities;
use crate::source::Source;
use crate::update::{self, Progress};
use crate::vectors::{self, Query};
use crate::{history, pieces, schema};

/// Comparisons with all rows that are kept: 4 MB each, for 1,000,000 rows.
const SIMILAR_MAX: usize = 4;

/// The index of one run's rows: a file, which one thread writes while others read. Every function blocks.
pub struct RowIndex {
    path: PathBuf,
    run: RunId,
    writer: Mutex<Connection>,
    readers: Readers,
    /// How similar rows are, by what they were compared with and how many rows there were; the last one first.
    similar: Mutex<Vec<SimilarTo>>,
}

type SimilarTo = ((String, u64), Arc<Similarities>);

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
            readers: Readers::new(&path),
            path,
            run,
            writer: Mutex::new(writer),
            similar: Mutex::default(),
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
        self.readers.close();
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

    /// A filter, with how similar rows are to what it names. All rows are compared for that, so it is kept for the next question.
    fn wanted<'f>(&self, filter: &'f Filter) -> Result<Wanted<'f>, Error> {
        if filter.like.is_empty() {
            return Ok(Wanted {
                filter,
                similar: None,
            });
        }
        let of = (filter.like.clone(), self.rows()?);
        let known = held(&self.similar)
            .iter()
            .find(|(known, _)| *known == of)
            .cloned();
        let similar = match known {
            Some((_, similar)) => similar,
            None => {
                let similar = Arc::new(Similarities::with(&self.readers, &filter.like)?);
                let mut kept = held(&self.similar);
                kept.retain(|((like, _), _)| *like != of.0);
                kept.truncate(SIMILAR_MAX - 1);
                kept.insert(0, (of, Arc::clone(&similar)));
                similar
            }
        };
        Ok(Wanted {
            filter,
            similar: Some(similar),
        })
    }

    /// Rows that are indexed.
    pub fn rows(&self) -> Result<u64, Error> {
        self.readers.read(schema::rows)
    }

    /// A page of at most `most` rows.
    ///
    /// # Errors
    /// [`Error::Unknown`] for a value that no row has, with the nearest; [`Error::Search`] for a search without a word.
    pub fn page(&self, filter: &Filter, sort: Sort, cursor: Cursor, most: usize) -> Result<Page, Error> {
        let wanted = self.wanted(filter)?;
        if sort == Sort::Similar && wanted.similar.is_none() {
            return Err(Error::Text {
                text: sort.name().to_owned(),
                what: "an order of these rows",
                help: "name what they are compared with, by `like`",
            });
        }
        self.readers
            .read(|connection| page::page(connection, wanted, (sort, cursor), most))
    }

    /// Counts of the rows that a filter finds: exact, whatever is combined.
    ///
    /// # Errors
    /// As [`Self::page`].
    pub fn counts(&self, filter: &Filter) -> Result<Counts, Error> {
        let wanted = self.wanted(filter)?;
        self.readers.read(|connection| facets::counts(connection, wanted))
    }

    /// At most `most` points of the rows that a filter finds, classed by a facet.
    ///
    /// # Errors
    /// As [`Self::page`].
    pub fn points(&self, filter: &Filter, facet: Facet, most: usize) -> Result<Points, Error> {
        let wanted = self.wanted(filter)?;
        self.readers
            .read(|connection| points::points(connection, wanted, (facet, most)))
    }

    /// The row of an id, or of its first digits where no other row's id begins so.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn one(&self, id: &str) -> Result<Option<Located>, Error> {
        self.readers.read(|connection| located::by_id(connection, id))
    }

    /// Rows by their numbers, as lists show them; numbers that no row has are left out.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn listed(&self, numbers: &[u64]) -> Result<Vec<Listed>, Error> {
        self.readers.read(|connection| {
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
        let query = self.readers.read(|connection| {
            let vector = Block::new(connection, number / BLOCK).facts(number)?.vector();
            vector.map_or(Ok(None), |vector| vectors::one(connection, vector))
        })?;
        let Some(query) = query else {
            return Ok(Vec::new());
        };
        neighbours::nearest(&self.readers, &Query::of(&query), number, most)
    }

    /// A row's whole history: as [`Journal::trace`](gristmill_coordinator::Journal::trace) tells it, from the segments that hold it alone.
    ///
    /// # Errors
    /// A journal that cannot be read.
    pub fn trace(&self, source: &Source<'_>, row: &Located) -> Result<Trace, Error> {
        history::trace(&self.readers, source, row)
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
        pieces::next(&self.readers, source, self.wanted(filter)?, (form, at))
    }
}
