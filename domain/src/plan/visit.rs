//! Which seed each candidate starts from: every seed once before any seed twice, in an order that no list is kept for.

use crate::plan::Plan;
use crate::strategy::Strategy;

/// What a candidate is, before anything is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spec {
    /// Candidate within the round.
    pub index: u64,
    /// How it is made.
    pub strategy: Strategy,
    /// Which candidate of its strategy it is within the run, from 0.
    pub turn: u64,
    /// The anchor seed it starts from, as a number below the count of anchor seeds.
    pub seed: u64,
}

/// Walks through a plan's candidates in order, its strategies evenly interleaved.
#[derive(Debug, Clone)]
pub struct Visit {
    candidates: [u64; 3],
    visited: [u64; 3],
    given: [u64; 3],
    seeds: u64,
}

impl Visit {
    /// The candidates of a plan over so many anchor seeds.
    pub fn new(plan: &Plan, seeds: u64) -> Self {
        Self {
            candidates: plan.candidates,
            visited: plan.visited,
            given: [0; 3],
            seeds: seeds.max(1),
        }
    }
}

impl Iterator for Visit {
    type Item = Spec;

    fn next(&mut self) -> Option<Spec> {
        // The strategy that is furthest behind its share goes next.
        let behind =
            |i: usize| (u128::from(self.given[i]) * 2 + 1) * 1_000_000 / u128::from(self.candidates[i]);
        let i = (0..3)
            .filter(|i| self.given[*i] < self.candidates[*i])
            .min_by_key(|i| behind(*i))?;
        let index = self.given.iter().sum();
        let turn = self.visited[i] + self.given[i];
        self.given[i] += 1;
        Some(Spec {
            index,
            strategy: Strategy::ALL[i],
            turn,
            seed: permute(turn, self.seeds),
        })
    }
}

/// The seed of a turn: each run of `seeds` turns visits every seed once, each time in another order.
fn permute(turn: u64, seeds: u64) -> u64 {
    let (lap, place) = (turn / seeds, turn % seeds);
    let mut stride = (0x9E37_79B9_7F4A_7C15_u64.wrapping_mul(lap + 1) % seeds).max(1);
    while gcd(stride, seeds) != 1 {
        stride = stride % seeds + 1;
    }
    let offset = 0xD1B5_4A32_D192_ED03_u64.wrapping_mul(lap + 1) % seeds;
    ((u128::from(place) * u128::from(stride) + u128::from(offset)) % u128::from(seeds)) as u64
}

fn gcd(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop_assert, prop_assert_eq, proptest};

    use super::*;

    proptest! {
        #[test]
        fn every_seed_is_visited_once_a_lap(seeds in 1u64..500, lap in 0u64..50) {
            let mut seen: Vec<u64> = (lap * seeds..(lap + 1) * seeds).map(|turn| permute(turn, seeds)).collect();
            seen.sort_unstable();
            prop_assert_eq!(seen, (0..seeds).collect::<Vec<_>>());
        }

        #[test]
        fn counts_are_met_and_interleaved(a in 0u64..200, b in 0u64..200, c in 0u64..200) {
            let visit = Visit { candidates: [a, b, c], visited: [7, 0, 3], given: [0; 3], seeds: 10 };
            let specs: Vec<Spec> = visit.collect();
            prop_assert_eq!(specs.len() as u64, a + b + c);
            for (i, count) in [a, b, c].into_iter().enumerate() {
                let of = |part: &[Spec]| part.iter().filter(|s| s.strategy == Strategy::ALL[i]).count() as f64;
                prop_assert_eq!(of(&specs) as u64, count);
                let half = of(&specs[..specs.len() / 2]);
                prop_assert!((half - count as f64 / 2.0).abs() <= 2.0, "{} of {} in the first half", half, count);
            }
            prop_assert!(specs.iter().enumerate().all(|(i, spec)| spec.index == i as u64));
        }
    }
}
