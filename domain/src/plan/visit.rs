//! Which seed each candidate starts from: every seed once before any seed twice, in an order that no list is kept for.
//!
//! Candidates that are aimed at a concept start from its own seeds, and from any where it has none. Where a plan says how many rephrasings
//! each seed gets, the visit follows it: full seeds are not visited. Plans of older versions do not say.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use super::per_seed::PerSeed;
use crate::plan::Plan;
use crate::strategy::Strategy;

/// What a candidate is, before anything is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spec {
    /// Candidate within the round.
    pub index: u64,
    /// How it is made.
    pub strategy: Strategy,
    /// Which candidate of its strategy it is within the run, from 0; of its strategy and concept where it is aimed at one.
    pub turn: u64,
    /// Where it starts.
    pub start: Start,
    /// Number of the concept that it is aimed at.
    pub concept: Option<u32>,
    /// It is a seed's own question by which the teacher is measured, and no candidate for a row.
    pub calibrates: bool,
    /// Which of the plan's recipes makes it; `None` in plans of older versions.
    pub recipe: Option<usize>,
    /// With whom it shares the reply to its first step, where its recipe has it shared.
    pub shared: Option<Shared>,
}

/// The candidates that share a reply, and which of them one is. They have the seed, the concept and the turn of the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shared {
    /// The first of them: number of a candidate within the round.
    pub leader: u64,
    /// Which of them it is, from 0.
    pub place: u32,
    /// How many they are.
    pub of: u32,
}

/// Candidates that share a reply, while more of them come.
#[derive(Debug, Clone, Copy)]
struct Sharing {
    shared: Shared,
    turn: u64,
    start: Start,
}

/// The seed that a candidate starts from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// An anchor seed, as a number below the count of anchor seeds.
    Anchor(u64),
    /// A seed of the concept aimed at, as a number below the count of its seeds.
    Own(u64),
}

/// Candidates of one strategy, and of one concept where they are aimed.
#[derive(Debug, Clone)]
struct Group {
    strategy: Strategy,
    concept: Option<u32>,
    candidates: u64,
    given: u64,
    visited: u64,
    /// Seeds of the concept's own.
    own: u64,
    /// The seed of each candidate, where the plan says how often each is visited.
    places: Option<Vec<u32>>,
    calibrates: bool,
}

impl Group {
    /// How far it is behind its share: the smallest goes next.
    fn place(&self) -> u128 {
        behind(self.given, self.candidates)
    }

    /// Where the candidate of a turn starts.
    fn start(&self, turn: u64, seeds: u64) -> Start {
        if self.own > 0 {
            return Start::Own(permute(turn, self.own));
        }
        // Concepts without seeds of their own begin at different ones.
        let begins = u64::from(self.concept.unwrap_or(0));
        Start::Anchor(permute(turn + begins, seeds))
    }
}

/// Walks through a plan's candidates in order, its strategies and concepts evenly interleaved.
#[derive(Debug, Clone)]
pub struct Visit {
    groups: Vec<Group>,
    /// Groups with candidates left, the furthest behind first; of equals the earlier.
    next: BinaryHeap<Reverse<(u128, usize)>>,
    given: u64,
    seeds: u64,
    recipes: Vec<Share>,
    /// Candidates that come of each group and recipe that has replies shared: so many share the last reply as are left.
    left: BTreeMap<(usize, usize), u64>,
    /// Those that share a reply now, by group and recipe.
    sharing: BTreeMap<(usize, usize), Sharing>,
}

/// The candidates of one recipe.
#[derive(Debug, Clone)]
struct Share {
    strategy: Strategy,
    candidates: u64,
    given: u64,
    shared_by: u32,
}

impl Visit {
    /// The candidates of a plan over so many anchor seeds.
    pub fn new(plan: &Plan, seeds: u64) -> Self {
        let aimed = plan.aims.iter().flat_map(|aim| {
            Strategy::ALL.map(|strategy| Group {
                strategy,
                concept: Some(aim.concept),
                candidates: aim.candidates[strategy],
                given: 0,
                visited: aim.visited[strategy],
                own: aim.seeds,
                places: places(strategy, &aim.rephrasings, aim.seeds),
                calibrates: false,
            })
        });
        let free = Strategy::ALL.map(|strategy| Group {
            strategy,
            concept: None,
            candidates: plan.free()[strategy],
            given: 0,
            visited: plan.visited[strategy],
            own: 0,
            places: places(strategy, &plan.rephrasings, seeds),
            calibrates: false,
        });
        let calibration = Group {
            strategy: Strategy::AnswerAugmentation,
            concept: None,
            candidates: plan.calibration,
            given: 0,
            visited: plan.visited[Strategy::AnswerAugmentation],
            own: 0,
            places: None,
            calibrates: true,
        };
        let groups = [calibration].into_iter().chain(free).chain(aimed);
        let shares = plan.recipes.iter().map(|planned| Share {
            strategy: planned.strategy,
            candidates: planned.candidates,
            given: 0,
            shared_by: planned.shared_by,
        });
        let mut visit = Self {
            recipes: shares.collect(),
            ..Self::over(groups.collect(), seeds)
        };
        visit.count_shared();
        visit
    }

    /// Counts how many candidates of each group a recipe makes whose replies are shared, by going through them once.
    fn count_shared(&mut self) {
        if self.recipes.iter().all(|share| share.shared_by <= 1) {
            return;
        }
        let mut ahead = self.clone();
        let mut left: BTreeMap<(usize, usize), u64> = BTreeMap::new();
        while let Some((group, recipe)) = ahead.advance() {
            if let Some(recipe) = recipe.filter(|recipe| ahead.shared_by(*recipe) > 1) {
                *left.entry((group, recipe)).or_default() += 1;
            }
        }
        self.left = left;
    }

    fn shared_by(&self, recipe: usize) -> u32 {
        self.recipes.get(recipe).map_or(1, |share| share.shared_by)
    }

    /// The group of the next candidate, and its recipe.
    fn advance(&mut self) -> Option<(usize, Option<usize>)> {
        let Reverse((_, i)) = self.next.pop()?;
        let (strategy, calibrates) = self
            .groups
            .get(i)
            .map(|group| (group.strategy, group.calibrates))?;
        let recipe = if calibrates { None } else { self.recipe(strategy) };
        let group = self.groups.get_mut(i)?;
        group.given += 1;
        if group.given < group.candidates {
            self.next.push(Reverse((group.place(), i)));
        }
        Some((i, recipe))
    }

    /// Has a candidate share a reply, if its recipe says so: with those before it, or as the first of the next ones. The reply has a turn of
    /// its own, so that each seed and passage has its turn however many share one.
    fn share(&mut self, i: usize, spec: &mut Spec) {
        let Some(recipe) = spec.recipe.filter(|recipe| self.shared_by(*recipe) > 1) else {
            return;
        };
        let most = self.shared_by(recipe);
        let left = self.left.entry((i, recipe)).or_insert(1);
        let joined = self
            .sharing
            .get_mut(&(i, recipe))
            .filter(|sharing| sharing.shared.place + 1 < sharing.shared.of);
        if let Some(sharing) = joined {
            sharing.shared.place += 1;
            (spec.shared, spec.turn, spec.start) = (Some(sharing.shared), sharing.turn, sharing.start);
        } else {
            let shared = Shared {
                leader: spec.index,
                place: 0,
                of: u32::try_from(*left).unwrap_or(most).clamp(1, most),
            };
            let turn = spec.turn.div_ceil(u64::from(most));
            let start = self
                .groups
                .get(i)
                .map_or(spec.start, |group| group.start(turn, self.seeds));
            (spec.shared, spec.turn, spec.start) = (Some(shared), turn, start);
            self.sharing.insert((i, recipe), Sharing { shared, turn, start });
        }
        *left = left.saturating_sub(1);
    }

    /// The recipe of the next candidate of a strategy: the one that is furthest behind its share.
    fn recipe(&mut self, strategy: Strategy) -> Option<usize> {
        let left = |share: &&mut Share| share.strategy == strategy && share.given < share.candidates;
        let places = self.recipes.iter_mut().enumerate();
        let (place, share) = places
            .filter(|(_, share)| left(share))
            .min_by_key(|(_, share)| behind(share.given, share.candidates))?;
        share.given += 1;
        Some(place)
    }

    fn over(groups: Vec<Group>, seeds: u64) -> Self {
        let next = (0..)
            .zip(&groups)
            .filter(|(_, group)| group.candidates > 0)
            .map(|(i, group)| Reverse((group.place(), i)))
            .collect();
        Self {
            groups,
            next,
            given: 0,
            seeds: seeds.max(1),
            recipes: Vec::new(),
            left: BTreeMap::new(),
            sharing: BTreeMap::new(),
        }
    }
}

impl Iterator for Visit {
    type Item = Spec;

    fn next(&mut self) -> Option<Spec> {
        let (i, recipe) = self.advance()?;
        let group = self.groups.get(i)?;
        let before = group.given - 1;
        let turn = group.visited + before;
        let planned = group
            .places
            .as_ref()
            .and_then(|places| places.get(before as usize))
            .map(|place| u64::from(*place));
        let mut spec = Spec {
            index: self.given,
            strategy: group.strategy,
            turn,
            start: match (planned, group.own > 0) {
                (Some(planned), true) => Start::Own(planned),
                (Some(planned), false) => Start::Anchor(planned),
                (None, _) => group.start(turn, self.seeds),
            },
            concept: group.concept,
            calibrates: group.calibrates,
            recipe,
            shared: None,
        };
        self.given += 1;
        self.share(i, &mut spec);
        Some(spec)
    }
}

/// How far a part of the candidates is behind its share, when so many of them were given: the smallest goes next.
fn behind(given: u64, candidates: u64) -> u128 {
    (u128::from(given) * 2 + 1) * 1_000_000 / u128::from(candidates)
}

/// The seeds that a plan's rephrasings start from: all that get any, then those that get a second, and so on.
fn places(strategy: Strategy, rephrasings: &PerSeed, seeds: u64) -> Option<Vec<u32>> {
    if strategy != Strategy::Rephrasing || rephrasings.is_empty() {
        return None;
    }
    let mut places = Vec::new();
    for lap in 0..rephrasings.most() {
        let order = (0..seeds).map(|turn| permute(u64::from(lap) * seeds + turn, seeds));
        places.extend(
            order
                .filter(|seed| rephrasings.of(*seed) > lap)
                .filter_map(|seed| u32::try_from(seed).ok()),
        );
    }
    Some(places)
}

/// The seed of a turn: each run of `seeds` turns visits every seed once, each time in another order.
pub(super) fn permute(turn: u64, seeds: u64) -> u64 {
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

    #[test]
    fn seeds_are_visited_as_often_as_the_plan_says() {
        let numbers = PerSeed::new(vec![0, 2, 0, 3, 1]);
        let places = places(Strategy::Rephrasing, &numbers, 40).unwrap();
        assert_eq!(places.len() as u64, numbers.total());
        for seed in 0..6 {
            let visits = places.iter().filter(|place| **place == seed).count();
            assert_eq!(visits, numbers.of(seed.into()) as usize, "seed {seed}");
        }
        // All that get any come before any comes twice.
        let mut first = places[..3].to_vec();
        first.sort_unstable();
        assert_eq!((first, places[5]), (vec![1, 3, 4], 3));
    }

    proptest! {
        #[test]
        fn candidates_that_share_a_reply_stand_in_whole_groups(
            shared in 0u64..120, alone in 0u64..60, aimed in 0u64..40, by in 2u32..9, skip in 0usize..60,
        ) {
            let new = Strategy::NewQuestion;
            let group = |candidates, concept: Option<u32>| Group {
                strategy: new, concept, candidates, given: 0, visited: 3, own: 0, places: None, calibrates: false,
            };
            let recipes = [(shared + aimed, by), (alone, 1)];
            let visit = || {
                let mut visit = Visit::over(vec![group(shared + alone, None), group(aimed, Some(1))], 10);
                visit.recipes = recipes
                    .map(|(candidates, shared_by)| Share { strategy: new, candidates, given: 0, shared_by })
                    .to_vec();
                visit.count_shared();
                visit
            };
            let specs: Vec<Spec> = visit().collect();
            prop_assert_eq!(specs.len() as u64, shared + alone + aimed);
            let mut groups: BTreeMap<u64, Vec<Spec>> = BTreeMap::new();
            for spec in &specs {
                prop_assert_eq!(spec.shared.is_some(), spec.recipe == Some(0));
                if let Some(shared) = spec.shared {
                    groups.entry(shared.leader).or_default().push(*spec);
                }
            }
            for (leader, members) in &groups {
                let of = members[0].shared.unwrap().of;
                prop_assert_eq!((members[0].index, members.len() as u32), (*leader, of));
                prop_assert!(of <= by);
                for (place, member) in (0..).zip(members) {
                    prop_assert_eq!(member.shared.unwrap().place, place);
                    prop_assert_eq!((member.start, member.turn, member.concept), (members[0].start, members[0].turn, members[0].concept));
                }
            }
            // Fewer than `by` share a reply at most once for what is aimed at each concept.
            let partial = groups.values().filter(|members| (members.len() as u32) < by).count();
            prop_assert!(partial <= 2, "{} groups are not whole", partial);
            // What is left of a round is what the whole of it ends with.
            let rest: Vec<Spec> = visit().skip(skip).collect();
            prop_assert_eq!(&rest[..], specs.get(skip..).unwrap_or_default());
        }

        #[test]
        fn every_seed_is_visited_once_a_lap(seeds in 1u64..500, lap in 0u64..50) {
            let mut seen: Vec<u64> = (lap * seeds..(lap + 1) * seeds).map(|turn| permute(turn, seeds)).collect();
            seen.sort_unstable();
            prop_assert_eq!(seen, (0..seeds).collect::<Vec<_>>());
        }

        #[test]
        fn counts_are_met_and_interleaved(a in 0u64..200, b in 0u64..200, c in 0u64..200) {
            let group = |i: usize, candidates, visited| Group {
                strategy: Strategy::ALL[i], concept: None, candidates, given: 0, visited, own: 0, places: None,
                calibrates: false,
            };
            let visit = Visit::over(vec![group(0, a, 7), group(1, b, 0), group(2, c, 3)], 10);
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
