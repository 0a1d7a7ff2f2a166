//! Dropout whose draws depend on the seed, the step and the layer alone, so that training that resumes draws the same.

use candle_core::{Device, Result, Tensor};
use rand::Rng;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// The draws of one pass through the model.
#[derive(Debug)]
pub(crate) struct Dropout {
    /// Probability that an input is dropped, 0 to 1.
    probability: f64,
    draws: ChaCha8Rng,
}

impl Dropout {
    /// The draws of a pass: of a step, and of a part of its batch.
    pub(crate) fn new(probability: f64, seed: u64, step: u64, part: u64) -> Self {
        let mut draws = ChaCha8Rng::seed_from_u64(seed);
        // A stream of its own for each pass: 2⁳² parts a step are out of reach.
        draws.set_stream((step << 24) | part);
        Self { probability, draws }
    }

    /// What an input of this size is multiplied by: 0 with the probability, else what keeps the mean. `None` without dropout.
    pub(crate) fn mask(
        &mut self,
        (rows, columns): (usize, usize),
        device: &Device,
    ) -> Result<Option<Tensor>> {
        if self.probability <= 0.0 {
            return Ok(None);
        }
        let kept = (1.0 / (1.0 - self.probability)) as f32;
        // Four draws of 16 bits from each of 64.
        let threshold = (self.probability * 65_536.0) as u16;
        let mut mask = Vec::with_capacity(rows * columns + 3);
        while mask.len() < rows * columns {
            let bits = self.draws.next_u64();
            mask.extend([0, 16, 32, 48].map(|at| match (bits >> at) as u16 >= threshold {
                true => kept,
                false => 0.0,
            }));
        }
        mask.truncate(rows * columns);
        Tensor::from_vec(mask, (rows, columns), device).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mask(step: u64, part: u64) -> Vec<f32> {
        let mut dropout = Dropout::new(0.1, 7, step, part);
        let mask = dropout.mask((100, 99), &Device::Cpu).unwrap().unwrap();
        mask.flatten_all().unwrap().to_vec1().unwrap()
    }

    #[test]
    fn the_share_is_dropped_and_the_mean_kept() {
        let mask = mask(3, 0);
        let dropped = mask.iter().filter(|value| **value == 0.0).count() as f64 / mask.len() as f64;
        assert!((dropped - 0.1).abs() < 0.015, "{dropped}");
        let mean = mask.iter().sum::<f32>() / mask.len() as f32;
        assert!((mean - 1.0).abs() < 0.02, "{mean}");
    }

    #[test]
    fn a_pass_draws_the_same_again_and_others_differ() {
        assert_eq!(mask(3, 1), mask(3, 1));
        assert_ne!(mask(3, 1), mask(3, 2));
        assert_ne!(mask(3, 1), mask(4, 1));
    }
}
