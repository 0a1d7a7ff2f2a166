//! A row's whole history, from the segments of the journal that hold it alone.

use gristmill_coordinator::{History, Journal, RealRow, Trace};

use crate::error::Error;
use crate::facet::Facet;
use crate::facets;
use crate::filter::Filter;
use crate::located::{Located, Place};
use crate::readers::Readers;
use crate::selection::Wanted;
use crate::source::Source;
use crate::tasks;

/// As [`Journal::trace`] tells it.
pub(crate) fn trace(readers: &Readers, source: &Source<'_>, row: &Located) -> Result<Trace, Error> {
    let (segment, at) = match &row.place {
        Place::Real(ordinal) => return real(readers, source, (*ordinal, row)),
        Place::Made { segment, at } => (segment, *at),
    };
    let journal = Journal::new(source.state);
    let rows = source.runtime.block_on(journal.rows(segment))?;
    let record = rows
        .into_iter()
        .nth(at as usize)
        .ok_or(Error::Damaged("a row's place"))?;
    let row = record.value;
    let names = readers.read(|connection| tasks::segments(connection, row.position.round, &row.tasks))?;
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

fn real(readers: &Readers, source: &Source<'_>, (ordinal, row): (u64, &Located)) -> Result<Trace, Error> {
    let filter = Filter {
        seed: row.id.to_string(),
        ..Filter::default()
    };
    let wanted = Wanted {
        filter: &filter,
        similar: None,
    };
    let counts = readers.read(|connection| facets::counts(connection, wanted))?;
    let verdicts = counts.facets.iter().find(|facet| facet.facet == Facet::Verdict);
    let of = |verdict: &str| {
        let values = verdicts.map_or(&[][..], |facet| facet.values.as_slice());
        values
            .iter()
            .find(|value| value.value == verdict)
            .map_or(0, |value| value.rows)
    };
    Ok(Trace::Real(Box::new(RealRow {
        seed: source.seeds.read(ordinal)?,
        split: source.seeds.split(ordinal),
        accepted: of("accepted"),
        rejected: of("rejected"),
    })))
}
