//! A bounded number of rows of a table of any length, drawn evenly.

use gristmill_domain::seed::RowLocation;
use gristmill_measure::sample::Drawn;
use gristmill_measure::{UnitVectors, Vectors};

use super::fields::{self, Object};
use super::source::Source;
use super::task::Task;
use super::vectors::{BATCH, Vectorizer};

/// A row as far as it is measured.
#[derive(Debug, Clone)]
pub(crate) struct Item {
    pub(crate) place: RowLocation,
    pub(crate) text: String,
    /// Values of the fields that rows are counted by, in the order of these.
    pub(crate) labels: Vec<Vec<String>>,
    own: Option<Vec<f32>>,
}

/// Rows of a source with their vectors.
pub(crate) struct Sample {
    pub(crate) items: Vec<Item>,
    pub(crate) vectors: UnitVectors,
    /// Rows there were to draw from.
    pub(crate) of: u64,
    /// Where the text was found, in words.
    pub(crate) field: String,
    /// Rows have texts, not only vectors.
    pub(crate) worded: bool,
    /// What to say of rows that were left out.
    pub(crate) warning: Option<String>,
}

/// How rows are drawn.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Draw<'a> {
    /// Rows at most.
    pub(crate) most: usize,
    pub(crate) seed: u64,
    /// Fields that rows are counted by.
    pub(crate) by: &'a [String],
}

impl Sample {
    /// Reads all rows, draws, and embeds what was drawn. `None` where there is no row.
    pub(crate) fn read(
        source: &Source,
        draw: Draw<'_>,
        vectorizer: &mut Vectorizer,
        task: &Task,
    ) -> anyhow::Result<Option<Self>> {
        let mut rows = source.open()?;
        let mut drawn = Drawn::new(draw.most, draw.seed);
        let mut counter = task.counting("rows");
        let labels = |row: &Object| draw.by.iter().map(|field| fields::labels(row, field)).collect();
        while let Some((row, own)) = rows.next_with(|row| {
            let own = vectorizer.take(&row.object)?;
            Ok((row, own))
        })? {
            drawn.see(|| Item {
                labels: labels(&row.object),
                place: row.place,
                text: row.text,
                own,
            });
            counter.at(rows.read(), None)?;
        }
        drop(counter);
        let of = drawn.seen();
        let mut items = drawn.into_drawn();
        if items.is_empty() {
            return Ok(None);
        }
        let values = embed(&mut items, vectorizer, task)?;
        let dimensions = values.len() / items.len();
        Ok(Some(Self {
            vectors: Vectors::new(vectorizer.model(), dimensions, values)?.normalized()?,
            items,
            of,
            field: rows.fields(),
            worded: rows.worded(),
            warning: rows.bad().warning(),
        }))
    }

    /// Rows, and of how many they were drawn where that is more.
    pub(crate) fn counted(&self) -> String {
        let n = gristmill_domain::words::thousands(self.items.len() as u64);
        if self.of > self.items.len() as u64 {
            format!(
                "{n} drawn evenly of {}",
                gristmill_domain::words::thousands(self.of)
            )
        } else {
            n
        }
    }
}

/// Components of all vectors, one row after the other.
fn embed(items: &mut [Item], vectorizer: &mut Vectorizer, task: &Task) -> anyhow::Result<Vec<f32>> {
    let total = items.len() as u64;
    let (mut values, mut done) = (Vec::new(), 0u64);
    let mut counter = task.counting("embedding rows");
    for batch in items.chunks_mut(BATCH) {
        let texts: Vec<String> = batch.iter().map(|item| item.text.clone()).collect();
        let own = batch.iter_mut().map(|item| item.own.take()).collect();
        for vector in vectorizer.vectors(&texts, own, task)? {
            values.extend_from_slice(&vector);
        }
        done += batch.len() as u64;
        counter.at(done, Some(total))?;
    }
    Ok(values)
}
