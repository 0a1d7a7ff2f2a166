//! A file of rows, a piece at a time.

use gristmill_coordinator::Journal;
use rusqlite::Connection;

use crate::columns::{BLOCK, Block};
use crate::error::Error;
use crate::export::{self, Export, Form};
use crate::facet::Facet;
use crate::located::{self, Located, Place};
use crate::names::Names;
use crate::readers::Readers;
use crate::schema;
use crate::selection::{Selection, Wanted, blocks};
use crate::source::Source;

/// Rows of one piece, at most.
const ROWS: usize = 500;

/// The next piece of an export, and where it then stands; `None` when all is written.
pub(crate) fn next(
    readers: &Readers,
    source: &Source<'_>,
    wanted: Wanted<'_>,
    (form, at): (Form, Export),
) -> Result<Option<(String, Export)>, Error> {
    let (rows, next) = readers.read(|connection| from(connection, wanted, at.next))?;
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

/// A row of an export, with its concepts and whether its cost is unknown.
type Exported = (Located, (Vec<String>, bool));

/// Rows that fit from a number on, at most [`ROWS`], and the number to go on from.
fn from(connection: &Connection, wanted: Wanted<'_>, next: u64) -> Result<(Vec<Exported>, u64), Error> {
    let names = Names::load(connection)?;
    let selection = Selection::new(connection, &names, wanted)?;
    let mut found = Vec::new();
    let all = schema::rows(connection)?;
    for number in next / BLOCK..blocks(all) {
        let mut block = Block::new(connection, number);
        for row in selection.rows(&mut block)?.into_iter().filter(|row| *row >= next) {
            let facts = block.facts(row)?;
            let located = located::by_number(connection, row)?.ok_or(Error::Damaged("a row's number"))?;
            let concepts = names.values(Facet::Concept, facts.code(Facet::Concept)).to_vec();
            found.push((located, (concepts, facts.spent().unpriced > 0)));
            if found.len() >= ROWS {
                return Ok((found, row + 1));
            }
        }
    }
    Ok((found, all))
}
