//! Choosing the next token: greedy at temperature 0, else nucleus sampling (Holtzman et al. 2020), from a seed alone.

use std::cmp::Ordering;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// Below e^-30 of the likeliest token a token is left out: all of them together weigh less than 1e-8.
const NEGLIGIBLE_LOG: f32 = -30.0;

/// One request's choices. The n-th choice depends on settings, seed, n and the logits, and on nothing else.
#[derive(Debug)]
pub struct Sampler {
    temperature: f32,
    top_p: f64,
    random: ChaCha8Rng,
    weights: Vec<(f64, usize)>,
}

impl Sampler {
    /// Begins the draws of a request: its temperature, the mass of its nucleus (0 to 1) and its seed.
    pub fn new(temperature: f32, top_p: f32, seed: u32) -> Self {
        Self {
            temperature,
            top_p: f64::from(top_p),
            random: ChaCha8Rng::seed_from_u64(u64::from(seed)),
            weights: Vec::new(),
        }
    }

    /// Index of the chosen token; `None` when no logit is finite.
    pub fn choose(&mut self, logits: &[f32]) -> Option<usize> {
        let (best, top) = largest(logits)?;
        if self.temperature <= 0.0 {
            return Some(best);
        }
        self.weights.clear();
        for (token, logit) in logits.iter().enumerate() {
            let log = (logit - top) / self.temperature;
            if log > NEGLIGIBLE_LOG {
                self.weights.push((f64::from(log).exp(), token));
            }
        }
        let mut total: f64 = self.weights.iter().map(|(weight, _)| weight).sum();
        if self.top_p < 1.0 {
            total = keep_nucleus(&mut self.weights, self.top_p * total);
        }
        // 53 random bits make every double in [0, 1) on a grid of 2^-53.
        let mut rest = (self.random.next_u64() >> 11) as f64 / (1_u64 << 53) as f64 * total;
        for (weight, token) in &self.weights {
            rest -= weight;
            if rest < 0.0 {
                return Some(*token);
            }
        }
        // Rounding may leave a crumb after the last one.
        self.weights.last().map(|(_, token)| *token)
    }
}

/// First index of the largest finite logit.
fn largest(logits: &[f32]) -> Option<(usize, f32)> {
    let mut best: Option<(usize, f32)> = None;
    for (token, logit) in logits.iter().enumerate() {
        if logit.is_finite() && best.is_none_or(|(_, top)| *logit > top) {
            best = Some((token, *logit));
        }
    }
    best
}

/// Keeps the heaviest weights until they reach `mass`, at least one; their sum. Equal weights keep the order of tokens.
fn keep_nucleus(weights: &mut Vec<(f64, usize)>, mass: f64) -> f64 {
    weights.sort_unstable_by(|a, b| {
        b.0.partial_cmp(&a.0)
            .unwrap_or(Ordering::Equal)
            .then(a.1.cmp(&b.1))
    });
    let mut sum = 0.0;
    let mut kept = 0;
    for (weight, _) in weights.iter() {
        sum += weight;
        kept += 1;
        if sum >= mass {
            break;
        }
    }
    weights.truncate(kept);
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shares(temperature: f32, top_p: f32, logits: &[f32]) -> Vec<f64> {
        const DRAWS: u32 = 4000;
        let mut counts = vec![0.0; logits.len()];
        for seed in 0..DRAWS {
            counts[Sampler::new(temperature, top_p, seed).choose(logits).unwrap()] += 1.0 / f64::from(DRAWS);
        }
        counts
    }

    #[test]
    fn shares_follow_the_softmax() {
        // Weights 1 : 2 : 4 : 1 at temperature 1; with 4000 draws a share's standard deviation is below 0.008.
        let logits = [0.0, 2_f32.ln(), 4_f32.ln(), 0.0];
        for (found, expected) in shares(1.0, 1.0, &logits)
            .into_iter()
            .zip([0.125, 0.25, 0.5, 0.125])
        {
            assert!((found - expected).abs() < 0.035, "{found} {expected}");
        }
        // Temperature ½ squares the weights: 1 : 4 : 16 : 1.
        assert!((shares(0.5, 1.0, &logits)[2] - 16.0 / 22.0).abs() < 0.035);
        // The nucleus of 0.6 holds the two heaviest, 2 : 4.
        let nucleus = shares(1.0, 0.6, &logits);
        assert_eq!((nucleus[0], nucleus[3]), (0.0, 0.0));
        assert!((nucleus[2] - 2.0 / 3.0).abs() < 0.035);
    }

    #[test]
    fn a_tie_goes_to_the_first_and_nothing_finite_to_nobody() {
        assert_eq!(Sampler::new(0.0, 1.0, 7).choose(&[1.0, 3.0, 3.0]), Some(1));
        assert_eq!(Sampler::new(1.0, 0.0, 7).choose(&[1.0, 3.0, 3.0]), Some(1));
        assert_eq!(
            Sampler::new(1.0, 1.0, 7).choose(&[f32::NAN, f32::NEG_INFINITY]),
            None
        );
        assert_eq!(
            Sampler::new(1.0, 1.0, 7).choose(&[f32::NEG_INFINITY, -5.0]),
            Some(1)
        );
    }

    proptest! {
        #[test]
        fn choices_repeat_and_stay_in_the_nucleus(
            logits in prop::collection::vec(-10.0_f32..10.0, 1..50), seed: u32, temperature in 0.1_f32..2.0, top_p in 0.0_f32..=1.0,
        ) {
            let mut first = Sampler::new(temperature, top_p, seed);
            let mut second = Sampler::new(temperature, top_p, seed);
            for _ in 0..8 {
                let choice = first.choose(&logits);
                prop_assert_eq!(choice, second.choose(&logits));
                // What outweighs the choice must weigh less than the mass asked for, or the choice would be outside.
                let chosen = logits[choice.unwrap()];
                let weight = |x: &f32| f64::from(x / temperature).exp();
                let heavier: f64 = logits.iter().filter(|x| **x > chosen).map(weight).sum();
                let total: f64 = logits.iter().map(weight).sum();
                prop_assert!(heavier <= f64::from(top_p) * total * (1.0 + 1e-5));
            }
        }
    }
}
