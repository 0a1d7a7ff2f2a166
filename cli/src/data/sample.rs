//! A bounded number of rows of a table of any length, drawn evenly.

use std::collections::BinaryHeap;

use gristmill_domain::seed::Place;
use gristmill_measure::{UnitVectors, Vectors};

use super::fields::{self, Object};
use super::source::Source;
use super::task::Task;
use super::vectors::{BATCH, Vectorizer};

/// A number for a row by which rows are drawn: the rows with the smallest numbers are an even draw, and the same for the same seed however the
/// rows come.
pub(crate) fn lot(seed: u64, row: u64) -> u64 {
    // SplitMix64 (Steele, Lea, Flood 2014), once for the seed and once for the row.
    let mix = |word: u64| {
        let mut z = word.wrapping_add(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    };
    mix(mix(seed) ^ row)
}

/// At most so many of the numbers below `n`, drawn evenly, in order.
pub(crate) fn drawn(n: usize, most: usize) -> Vec<usize> {
    let mut numbers: Vec<usize> = (0..n).collect();
    numbers.sort_by_key(|&number| lot(0, number as u64));
    numbers.truncate(most);
    numbers.sort_unstable();
    numbers
}

/// At most so many of all things seen.
pub(crate) struct Drawn<T> {
    most: usize,
    seed: u64,
    seen: u64,
    held: BinaryHeap<Held<T>>,
}

struct Held<T> {
    lot: u64,
    number: u64,
    thing: T,
}

impl<T> PartialEq for Held<T> {
    fn eq(&self, other: &Self) -> bool {
        (self.lot, self.number) == (other.lot, other.number)
    }
}

impl<T> Eq for Held<T> {}

impl<T> PartialOrd for Held<T> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Held<T> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.lot, self.number).cmp(&(other.lot, other.number))
    }
}

impl<T> Drawn<T> {
    pub(crate) fn new(most: usize, seed: u64) -> Self {
        Self {
            most,
            seed,
            seen: 0,
            held: BinaryHeap::new(),
        }
    }

    /// Sees a thing, which is made only where it is drawn.
    pub(crate) fn see(&mut self, make: impl FnOnce() -> T) {
        let number = self.seen;
        self.seen += 1;
        let lot = lot(self.seed, number);
        if self.held.len() >= self.most && self.held.peek().is_none_or(|last| last.lot <= lot) {
            return;
        }
        self.held.push(Held {
            lot,
            number,
            thing: make(),
        });
        if self.held.len() > self.most {
            self.held.pop();
        }
    }

    /// Things seen.
    pub(crate) fn seen(&self) -> u64 {
        self.seen
    }

    /// What was drawn, in the order in which it was seen.
    pub(crate) fn into_drawn(self) -> Vec<T> {
        let mut held = self.held.into_vec();
        held.sort_unstable_by_key(|held| held.number);
        held.into_iter().map(|held| held.thing).collect()
    }
}

/// A row as far as it is measured.
#[derive(Debug, Clone)]
pub(crate) struct Item {
    pub(crate) place: Place,
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
        let n = crate::view::thousands(self.items.len() as u64);
        if self.of > self.items.len() as u64 {
            format!("{n} drawn evenly of {}", crate::view::thousands(self.of))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_are_even_bounded_and_the_same_again() {
        let draw = |seed: u64| {
            let mut drawn = Drawn::new(100, seed);
            (0..10_000u64).for_each(|number| drawn.see(|| number));
            assert_eq!(drawn.seen(), 10_000);
            drawn.into_drawn()
        };
        let drawn = draw(1);
        assert_eq!(drawn, draw(1));
        assert_ne!(drawn, draw(2));
        assert_eq!(drawn.len(), 100);
        assert!(drawn.is_sorted());
        // 5,000 expected, standard deviation of the mean 290.
        let mean = drawn.iter().sum::<u64>() / 100;
        assert!((4_000..6_000).contains(&mean), "{mean}");
        let mut few = Drawn::new(100, 0);
        (0..3).for_each(|number| few.see(|| number));
        assert_eq!(few.into_drawn(), [0, 1, 2]);
    }
}
