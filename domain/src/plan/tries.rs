//! What finished rounds tried with each seed: who has room for another rephrasing, and how acceptance falls from try to try.

use serde::{Deserialize, Serialize};

use super::per_seed::{self, PerSeed};
use super::saturation::{Laps, Outcome};
use super::visit::permute;
use crate::filter::Reason;
use crate::row::Row;
use crate::strategy::{ByStrategy, Strategy, shrink};

/// Share of rephrasings kept under which a seed is given up.
const GIVEN_UP: f64 = 0.1;
/// Tries that the share over all seeds weighs against what one seed brought: at .6, a seed is given up after ten tries in vain.
const SEED_STRENGTH: f64 = 2.0;

/// Rephrasings of one seed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
struct Rephrased {
    tried: u16,
    kept: u16,
}

/// Candidates of finished rounds, by their seeds.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Tries {
    /// Anchor seeds.
    seeds: u64,
    rephrasings: Vec<Rephrased>,
    /// Further answers to each seed's question.
    answers: Vec<u16>,
    /// Candidates by strategy.
    all: ByStrategy<u64>,
    laps: ByStrategy<Laps>,
}

impl Tries {
    /// No tries yet, over so many anchor seeds.
    pub fn new(seeds: u64) -> Self {
        let places = usize::try_from(seeds).unwrap_or(0);
        Self {
            seeds,
            rephrasings: vec![Rephrased::default(); places],
            answers: vec![0; places],
            ..Self::default()
        }
    }

    /// Adds a decided row. Those that were never tried are left out: no money was left, their calls failed, or their seed was full.
    pub fn note(&mut self, row: &Row) {
        let full = |reason| reason == Reason::ParentCap;
        if row.unseen() || row.rejection.as_ref().is_some_and(|r| full(r.reason)) {
            return;
        }
        let outcome = match &row.rejection {
            _ if row.accepted() || row.surplus() => Outcome::Kept,
            Some(rejection) if rejection.reason.is_duplicate() => Outcome::Repeated,
            Some(_) | None => Outcome::Rejected,
        };
        self.add(row.strategy, u64::from(row.family), outcome);
    }

    /// Counts a rephrasing of an earlier dataset: its seed has room for one less. How often such tries are kept is not known.
    pub fn remember_rephrasing(&mut self, seed: u64) {
        let place = usize::try_from(seed).unwrap_or(usize::MAX);
        if let Some(seed) = self.rephrasings.get_mut(place) {
            seed.tried = seed.tried.saturating_add(1);
            seed.kept = seed.kept.saturating_add(1);
        }
    }

    /// Adds a try.
    pub(super) fn add(&mut self, strategy: Strategy, seed: u64, outcome: Outcome) {
        let place = usize::try_from(seed).unwrap_or(usize::MAX);
        let lap = match strategy {
            Strategy::AnswerAugmentation => self.answers.get_mut(place).map_or(0.0, |tried| {
                let lap = f64::from(*tried);
                *tried = tried.saturating_add(1);
                lap
            }),
            Strategy::Rephrasing => self.rephrasings.get_mut(place).map_or(0.0, |seed| {
                let lap = f64::from(seed.tried);
                seed.tried = seed.tried.saturating_add(1);
                seed.kept = seed.kept.saturating_add(u16::from(outcome == Outcome::Kept));
                lap
            }),
            // Any seed may bring any new question: they share one stock.
            Strategy::NewQuestion => self.lap(Strategy::NewQuestion),
        };
        self.all[strategy] += 1;
        self.laps[strategy].note(lap, outcome);
    }

    /// Adds a try that is kept, or was there already.
    #[cfg(test)]
    pub(super) fn keep(&mut self, strategy: Strategy, seed: u64, kept: bool) {
        let outcome = if kept { Outcome::Kept } else { Outcome::Repeated };
        self.add(strategy, seed, outcome);
    }

    /// Adds tries that are spread evenly over the seeds, and so are those of them that are kept.
    #[cfg(test)]
    pub(super) fn spread(&mut self, strategy: Strategy, candidates: u64, accepted: u64) {
        for n in 0..candidates {
            let kept = accepted * (n + 1) / candidates > accepted * n / candidates;
            self.keep(strategy, (n + n / self.seeds) % self.seeds, kept);
        }
    }

    /// Laps that a strategy has made: its tries over the seeds.
    pub(super) fn lap(&self, strategy: Strategy) -> f64 {
        self.all[strategy] as f64 / self.seeds.max(1) as f64
    }

    /// What came of a strategy's tries, by lap.
    pub(super) fn laps(&self, strategy: Strategy) -> &Laps {
        &self.laps[strategy]
    }

    /// Rephrasings that a round may ask of each seed: as many as may still be kept, and none of a seed whose rephrasings hardly ever are.
    /// `kept` is the share kept over all seeds.
    pub(super) fn room(&self, per_seed: u32, kept: f64) -> Room {
        let room = |seed: &Rephrased| {
            let believed = shrink(kept, SEED_STRENGTH, seed.kept.into(), seed.tried.into());
            // Where hardly any rephrasing is kept at all, that is not one seed's fault.
            if believed < GIVEN_UP && kept >= 2.0 * GIVEN_UP {
                return 0;
            }
            let room = per_seed.saturating_sub(seed.kept.into());
            u8::try_from(room).unwrap_or(u8::MAX).min(per_seed::MOST)
        };
        Room {
            of: self.rephrasings.iter().map(room).collect(),
            tried: self.rephrasings.iter().map(|seed| seed.tried).collect(),
        }
    }
}

/// Rephrasings that a round may still ask of each seed.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Room {
    of: Vec<u8>,
    tried: Vec<u16>,
}

impl Room {
    /// Rephrasings that all seeds have room for.
    pub(super) fn total(&self) -> u64 {
        self.of.iter().copied().map(u64::from).sum()
    }

    /// Seeds with room.
    pub(super) fn open(&self) -> u64 {
        self.of.iter().filter(|room| **room > 0).count() as u64
    }

    /// Rephrasings that some seeds have room for, by their numbers in the anchor.
    pub(super) fn total_of(&self, seeds: &[u64]) -> u64 {
        let room = |seed: &u64| self.of.get(*seed as usize).copied().map_or(0, u64::from);
        seeds.iter().map(room).sum()
    }

    /// Takes at most `wanted` rephrasings from all seeds, those that were tried least first; the numbers are by seed.
    pub(super) fn take(&mut self, wanted: u64) -> PerSeed {
        let all: Vec<u64> = (0..self.of.len() as u64).collect();
        self.take_of(&all, wanted)
    }

    /// Takes at most `wanted` rephrasings from some seeds, those that were tried least first; the numbers are by place among these.
    pub(super) fn take_of(&mut self, seeds: &[u64], wanted: u64) -> PerSeed {
        let mut taken = vec![0u8; seeds.len()];
        let mut left = wanted;
        let has = |of: &[u8], seed: u64| of.get(seed as usize).is_some_and(|room| *room > 0);
        // Each turn gives one to every seed with room that was tried least, so that no seed is tried twice before another was once.
        while left > 0 {
            let open = seeds.iter().zip(&taken).filter(|(seed, _)| has(&self.of, **seed));
            let level_of = |seed: u64, taken: u8| u64::from(self.tried[seed as usize]) + u64::from(taken);
            let Some(level) = open.map(|(seed, taken)| level_of(*seed, *taken)).min() else {
                break;
            };
            let places = seeds.len() as u64;
            for turn in 0..places {
                // Another order each time, so that no seed is always the one that is left out.
                let place = permute(level * places + turn, places) as usize;
                let seed = seeds[place];
                if left > 0 && has(&self.of, seed) && level_of(seed, taken[place]) == level {
                    self.of[seed as usize] -= 1;
                    taken[place] += 1;
                    left -= 1;
                }
            }
        }
        // What is taken here is tried before it is taken for another purpose again.
        for (seed, taken) in seeds.iter().zip(&taken) {
            if let Some(tried) = self.tried.get_mut(*seed as usize) {
                *tried = tried.saturating_add((*taken).into());
            }
        }
        PerSeed::new(taken)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop, prop_assert, prop_assert_eq, proptest};

    use super::*;

    fn tries(seeds: &[(u16, u16)]) -> Tries {
        let mut tries = Tries::new(seeds.len() as u64);
        for (place, (tried, kept)) in seeds.iter().enumerate() {
            for n in 0..*tried {
                tries.keep(Strategy::Rephrasing, place as u64, n < *kept);
            }
        }
        tries
    }

    #[test]
    fn full_seeds_and_hopeless_ones_have_no_room() {
        let tries = tries(&[(0, 0), (4, 2), (9, 4), (9, 0), (11, 0), (20, 2)]);
        assert_eq!(tries.room(4, 0.6).of, [4, 2, 0, 4, 0, 2]);
        // Where rephrasings are hardly ever kept at all, that is for the strategy to be given up by.
        assert_eq!(tries.room(4, 0.05).of, [4, 2, 0, 4, 4, 2]);
    }

    #[test]
    fn those_tried_least_come_first() {
        let mut room = tries(&[(3, 1), (1, 1), (0, 0), (2, 1)]).room(4, 0.6);
        let taken = room.take(4);
        // Level 0: the third; level 1: the second and the third; level 2: one of three.
        assert_eq!((taken.of(0), taken.total()), (0, 4));
        assert!(taken.of(2) >= 2 && taken.of(1) >= 1, "{taken:?}");
        assert_eq!(room.total(), 3 + 3 + 4 + 3 - 4);
    }

    #[test]
    fn concepts_that_share_a_seed_share_its_room() {
        let mut room = tries(&[(0, 0), (0, 0), (0, 0)]).room(2, 0.6);
        assert_eq!(room.take_of(&[0, 2], 10).total(), 4);
        assert_eq!(room.total_of(&[1, 2]), 2);
        assert_eq!(room.take_of(&[1, 2], 10), PerSeed::new(vec![2, 0]));
        assert_eq!((room.total(), room.open()), (0, 0));
    }

    proptest! {
        #[test]
        fn never_more_than_there_is_room(
            seeds in prop::collection::vec((0u16..12, 0u16..6), 1..60), per_seed in 1u32..7, wanted in 0u64..400,
        ) {
            let seeds: Vec<(u16, u16)> = seeds.into_iter().map(|(tried, kept)| (tried.max(kept), kept)).collect();
            let before = tries(&seeds).room(per_seed, 0.6);
            let mut room = before.clone();
            let taken = room.take(wanted);
            prop_assert_eq!(taken.total(), wanted.min(before.total()));
            for (place, (_, kept)) in seeds.iter().enumerate() {
                prop_assert!(u32::from(taken.of(place as u64)) + u32::from(*kept) <= per_seed.max((*kept).into()));
            }
        }
    }
}
