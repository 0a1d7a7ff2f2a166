//! In which order rows are trained on.

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

/// Steps of a training over `rows` rows: as many as its epochs fill, begun ones included, and at most `max_steps`.
pub fn steps(rows: u64, epochs: f64, batch_rows: u32, max_steps: Option<u64>) -> u64 {
    if rows == 0 {
        return 0;
    }
    let filled = (rows as f64 * epochs / f64::from(batch_rows.max(1)))
        .ceil()
        .max(1.0) as u64;
    filled.min(max_steps.unwrap_or(u64::MAX))
}

/// Numbers of rows without end, epoch after epoch, each in an order of its own. The last batch of an epoch takes its missing rows from the
/// next one.
#[derive(Debug, Clone)]
pub struct Order {
    rows: u32,
    seed: u64,
    epoch: u64,
    /// What is left of the epoch, from the back.
    left: Vec<u32>,
}

impl Order {
    /// The order of so many rows.
    pub fn new(rows: u32, seed: u64) -> Self {
        Self {
            rows,
            seed,
            epoch: 0,
            left: Vec::new(),
        }
    }
}

impl Iterator for Order {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        if self.left.is_empty() {
            let mut draws = ChaCha8Rng::seed_from_u64(self.seed);
            draws.set_stream(self.epoch);
            self.left = (0..self.rows).collect();
            self.left.shuffle(&mut draws);
            self.epoch += 1;
        }
        self.left.pop()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn begun_steps_count_and_the_most_is_kept() {
        assert_eq!(steps(100, 2.0, 16, None), 13);
        assert_eq!(steps(100, 2.0, 16, Some(5)), 5);
        assert_eq!(steps(3, 0.1, 16, None), 1);
        assert_eq!(steps(0, 2.0, 16, None), 0);
        assert_eq!(Order::new(0, 1).next(), None);
    }

    proptest! {
        #[test]
        fn each_epoch_holds_each_row_once(rows in 1u32..60, seed: u64) {
            let taken: Vec<u32> = Order::new(rows, seed).take(3 * rows as usize).collect();
            for epoch in taken.chunks(rows as usize) {
                let mut sorted = epoch.to_vec();
                sorted.sort_unstable();
                prop_assert_eq!(sorted, (0..rows).collect::<Vec<_>>());
            }
            if rows > 20 {
                prop_assert_ne!(&taken[..rows as usize], &taken[rows as usize..2 * rows as usize]);
            }
        }
    }
}
