//! What a round of a given size consists of.

use super::aims::{self, Aim};
use super::choice::within;
use super::ground::Ground;
use super::per_seed::PerSeed;
use crate::strategy::{ByStrategy, Mix, Strategy};

/// The candidates of a round.
pub(super) struct Filled {
    pub(super) aims: Vec<Aim>,
    pub(super) candidates: ByStrategy<u64>,
    /// Rephrasings that are aimed at nothing, by their seeds.
    pub(super) rephrasings: PerSeed,
}

/// Fills a round of at most `size` candidates. What seeds have no room for goes to another strategy, which may be kept more often or cost
/// more: the round is made smaller until it is expected to bring no more rows than are wanted and to cost no more than is left. `None` when
/// nothing fits.
pub(super) fn fill_within(ground: &Ground<'_>, aims: &[Aim], size: u64, mix: &Mix) -> Option<Filled> {
    let mut size = size;
    loop {
        let filled = fill(ground, aims.to_vec(), size, mix);
        let share = ground.fitting_share(&ground.expect(filled.candidates));
        if share >= 1.0 {
            return Some(filled);
        }
        size = ((size as f64 * share) as u64).min(size - 1);
        if size == 0 {
            return None;
        }
    }
}

/// Fills a round of `size` candidates: with those that are aimed, and beside them by a mix. No seed is asked for more rephrasings than may
/// be kept of it.
pub(super) fn fill(ground: &Ground<'_>, aims: Vec<Aim>, size: u64, mix: &Mix) -> Filled {
    let snapshot = ground.snapshot;
    let steered = !aims.is_empty();
    let mut room = snapshot.tries.room(
        ground.policy.rephrasings_per_seed,
        ground.estimates[Strategy::Rephrasing].acceptance,
    );
    let mut aims = aims::limited(aims, size);
    let left = size - aims::total(&aims).total();
    for aim in &mut aims {
        let concept = snapshot.concepts.get(aim.concept as usize);
        if let Some(concept) = concept.filter(|concept| !concept.anchors.is_empty()) {
            let wanted = &mut aim.candidates[Strategy::Rephrasing];
            aim.rephrasings = room.take_of(&concept.anchors, *wanted);
            *wanted = aim.rephrasings.total();
        }
    }
    aims.retain(|aim| !aim.candidates.is_none());
    let mut free = if steered && !ground.beyond() {
        // What filling the gaps leaves of the round goes on only where more rows are wanted.
        ByStrategy::default()
    } else {
        let mut most = ByStrategy::all(u64::MAX);
        most[Strategy::Rephrasing] = room.total();
        within(ground, mix.split(left), most)
    };
    let rephrasings = room.take(free[Strategy::Rephrasing]);
    free[Strategy::Rephrasing] = rephrasings.total();
    let aimed = aims::total(&aims);
    Filled {
        candidates: aimed + free,
        aims,
        rephrasings,
    }
}
