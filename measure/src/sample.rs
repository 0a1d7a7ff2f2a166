//! A bounded number of things out of any number of them, drawn evenly.

use std::collections::BinaryHeap;

/// A number for a row by which rows are drawn: the rows with the smallest numbers are an even draw, and the same for the same seed however the
/// rows come.
fn lot(seed: u64, row: u64) -> u64 {
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
pub fn drawn(n: usize, most: usize) -> Vec<usize> {
    let mut numbers: Vec<usize> = (0..n).collect();
    numbers.sort_by_key(|&number| lot(0, number as u64));
    numbers.truncate(most);
    numbers.sort_unstable();
    numbers
}

/// At most so many of all things seen.
pub struct Drawn<T> {
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
    /// At most `most` things; the same seed draws the same ones.
    pub fn new(most: usize, seed: u64) -> Self {
        Self {
            most,
            seed,
            seen: 0,
            held: BinaryHeap::new(),
        }
    }

    /// Sees a thing, which is made only where it is drawn.
    pub fn see(&mut self, make: impl FnOnce() -> T) {
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
    pub fn seen(&self) -> u64 {
        self.seen
    }

    /// What was drawn, in the order in which it was seen.
    pub fn into_drawn(self) -> Vec<T> {
        let mut held = self.held.into_vec();
        held.sort_unstable_by_key(|held| held.number);
        held.into_iter().map(|held| held.thing).collect()
    }
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
