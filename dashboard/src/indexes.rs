//! Indexes of the rows of runs: opened when a page of rows is first asked for, and kept up with the journal while such pages are looked at.
//!
//! They lie in a scratch folder of this process, at most [`OPEN_MAX`] of them open, and are worth nothing beyond it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context;
use gristmill_coordinator::{SeedStore, Start};
use gristmill_ports::blob::{Blobs, Error as BlobError};
use gristmill_rowindex::{Counts, Error, Facet, Filter, Points, Progress, RowIndex, Source as Journal};
use tokio::runtime::Handle;
use tokio::sync::{OnceCell, watch};

use crate::source::{Refusal, Source, Who};

/// Indexes that are open.
const OPEN_MAX: usize = 16;
/// How long a page waits for the journal to be read: that of a small run is there by then.
const WAIT: Duration = Duration::from_millis(400);
/// Sets of points that are kept: all of a map, and those that are chosen. 2.4 MB each, for 100,000.
const POINTS_MAX: usize = 2;
/// Between two looks for what is new.
const PAUSE: Duration = Duration::from_secs(1);

/// The rows of a run.
pub(crate) struct Indexed {
    pub(crate) index: RowIndex,
    pub(crate) start: Start,
    seeds: SeedStore,
    state: Arc<dyn Blobs>,
    progress: watch::Sender<Option<Progress>>,
    busy: AtomicBool,
    looked: Mutex<Option<Instant>>,
    failed: Mutex<Option<String>>,
    /// The last counts: a page that stays open asks for the same ones again and again.
    counts: Mutex<Option<(Filter, u64, Arc<Counts>)>>,
    /// The last points: a page of the map asks for them, and its picture or canvas does again.
    points: Mutex<Vec<(PointsAsked, u64, Arc<Points>)>>,
}

/// A filter, what points are classed by, and how many there may be.
type PointsAsked = (Filter, Facet, usize);

impl Indexed {
    /// The journal, for calls from a blocking thread.
    pub(crate) fn journal(&self) -> Journal<'_> {
        Journal {
            state: self.state.as_ref(),
            start: &self.start,
            seeds: &self.seeds,
            runtime: Handle::current(),
        }
    }

    /// How far the journal is read; `None` before the first step.
    pub(crate) fn progress(&self) -> Option<Progress> {
        *self.progress.borrow()
    }

    /// True where all that the journal had at the last look is read.
    pub(crate) fn is_whole(&self) -> bool {
        self.progress().is_some_and(Progress::is_done)
    }

    /// Counts of a filter's rows.
    pub(crate) fn counts(&self, filter: &Filter) -> Result<Arc<Counts>, Error> {
        let rows = self.index.rows()?;
        let held = || self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, of, counts)) = held().as_ref()
            && (known, *of) == (filter, rows)
        {
            return Ok(Arc::clone(counts));
        }
        let counts = Arc::new(self.index.counts(filter)?);
        *held() = Some((filter.clone(), counts.of, Arc::clone(&counts)));
        Ok(counts)
    }

    /// At most `most` points of the rows that a filter finds, classed by a facet.
    pub(crate) fn points(&self, filter: &Filter, facet: Facet, most: usize) -> Result<Arc<Points>, Error> {
        let (asked, rows) = ((filter.clone(), facet, most), self.index.rows()?);
        let held = || self.points.lock().unwrap_or_else(PoisonError::into_inner);
        let same = |(known, of, _): &&(PointsAsked, u64, Arc<Points>)| (known, *of) == (&asked, rows);
        if let Some((_, _, points)) = held().iter().find(same) {
            return Ok(Arc::clone(points));
        }
        let points = Arc::new(self.index.points(filter, facet, most)?);
        // Rows without a place may get one at any moment.
        if points.placing.is_done() {
            let mut kept = held();
            kept.insert(0, (asked, rows, Arc::clone(&points)));
            kept.truncate(POINTS_MAX);
        }
        Ok(points)
    }

    /// Reads what is new, on a thread of its own, unless that is under way or was done a moment ago.
    fn follow(self: &Arc<Self>) {
        let rested = |looked: &Option<Instant>| looked.is_none_or(|looked| looked.elapsed() >= PAUSE);
        let old = rested(&self.looked.lock().unwrap_or_else(PoisonError::into_inner));
        if !old || self.busy.swap(true, Ordering::AcqRel) {
            return;
        }
        let indexed = Arc::clone(self);
        tokio::task::spawn_blocking(move || {
            let failed = indexed
                .read()
                .err()
                .map(|error| format!("{:#}", anyhow::Error::from(error)));
            *indexed.failed.lock().unwrap_or_else(PoisonError::into_inner) = failed;
            *indexed.looked.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
            indexed.busy.store(false, Ordering::Release);
        });
    }

    fn read(&self) -> Result<(), Error> {
        let journal = self.journal();
        loop {
            let progress = self.index.update(&journal)?;
            self.progress.send_replace(Some(progress));
            if progress.is_done() {
                break;
            }
        }
        while !self.index.place()?.is_done() {}
        Ok(())
    }
}

/// Why something of an index is not shown.
pub(crate) fn refusal(error: Error) -> Refusal {
    match error {
        Error::Unknown { .. } | Error::Parameter { .. } | Error::Search(_) | Error::Text { .. } => {
            Refusal::bad_request(error.to_string())
        }
        other => anyhow::Error::from(other).into(),
    }
}

/// Asks an index on a thread that may block.
pub(crate) async fn ask<T: Send + 'static>(
    indexed: &Arc<Indexed>,
    what: impl FnOnce(&Indexed) -> Result<T, Error> + Send + 'static,
) -> Result<T, Refusal> {
    let indexed = Arc::clone(indexed);
    let asked = tokio::task::spawn_blocking(move || what(&indexed)).await;
    asked
        .map_err(|error| anyhow::Error::from(error).into())
        .and_then(|answer| answer.map_err(refusal))
}

/// An index, once it is opened, and when it was last asked for.
type Slot = (Arc<OnceCell<Arc<Indexed>>>, Instant);

/// The indexes of runs.
#[derive(Default)]
pub(crate) struct Indexes {
    scratch: OnceCell<tempfile::TempDir>,
    open: Mutex<HashMap<String, Slot>>,
}

impl Indexes {
    /// The rows of a run. Waits a moment for what is new.
    ///
    /// # Errors
    /// An unknown run; one that has not stored its seeds yet; a journal that cannot be read.
    pub(crate) async fn of(&self, source: &dyn Source, who: Who, run: &str) -> Result<Arc<Indexed>, Refusal> {
        // Asked each time: it is the source that says who may look.
        let state = source.state(who, run).await?;
        let slot = self.slot(run);
        let indexed = Arc::clone(slot.get_or_try_init(|| self.open(state, run)).await?);
        indexed.follow();
        let mut progress = indexed.progress.subscribe();
        let read = progress.wait_for(|progress| progress.is_some_and(Progress::is_done));
        let _late = tokio::time::timeout(WAIT, read).await;
        let failed = indexed
            .failed
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        match failed.filter(|_| indexed.progress().is_none()) {
            Some(failed) => Err(anyhow::anyhow!(failed).into()),
            None => Ok(indexed),
        }
    }

    fn slot(&self, run: &str) -> Arc<OnceCell<Arc<Indexed>>> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.len() >= OPEN_MAX && !open.contains_key(run) {
            let oldest = open
                .iter()
                .min_by_key(|(_, (_, asked))| *asked)
                .map(|(run, _)| run.clone());
            oldest.and_then(|oldest| open.remove(&oldest));
        }
        let slot = open
            .entry(run.to_owned())
            .or_insert_with(|| (Arc::default(), Instant::now()));
        slot.1 = Instant::now();
        Arc::clone(&slot.0)
    }

    async fn open(&self, state: Arc<dyn Blobs>, run: &str) -> Result<Arc<Indexed>, Refusal> {
        let none = || Refusal::not_found(format!("Run {run} has no rows yet: it has not stored its seeds."));
        let start = match state.read("run.json").await {
            Ok(start) => start,
            Err(BlobError::Missing { .. }) => return Err(none()),
            Err(error) => return Err(anyhow::Error::from(error).into()),
        };
        let start: Start = serde_json::from_slice(&start).context("run.json is damaged")?;
        let seeds = SeedStore::load(state.as_ref())
            .await
            .map_err(anyhow::Error::from)?
            .ok_or_else(none)?;
        let scratch = self.scratch.get_or_try_init(async || tempfile::tempdir()).await;
        let folder = scratch
            .context("no scratch folder for indexes of rows can be made")?
            .path()
            .to_owned();
        let opened = start.run;
        let index = tokio::task::spawn_blocking(move || RowIndex::open(&folder, opened)).await;
        Ok(Arc::new(Indexed {
            index: index.map_err(anyhow::Error::from)?.map_err(refusal)?,
            start,
            seeds,
            state,
            progress: watch::channel(None).0,
            busy: AtomicBool::new(false),
            looked: Mutex::default(),
            failed: Mutex::default(),
            counts: Mutex::default(),
            points: Mutex::default(),
        }))
    }
}
