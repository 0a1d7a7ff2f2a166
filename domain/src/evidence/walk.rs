//! What comes of following a table.

use std::collections::BTreeMap;

use super::fit::Fit;
use super::odds::{Odds, next_judged, next_verified, next_votes};
use super::situation::{Action, Situation};

/// What is expected of one question that comes to be answered.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Walk {
    /// Chance that its row is accepted, and right.
    pub(super) right: f64,
    /// Chance that its row is accepted, and wrong.
    pub(super) wrong: f64,
    /// Usable answers that are drawn.
    pub(super) answers: f64,
    /// Verifications.
    pub(super) verifications: f64,
    /// Judgements.
    pub(super) judgements: f64,
}

impl Walk {
    /// Follows a table through everything that may happen. A situation without an action is given up.
    pub(super) fn of(fit: &Fit, max_samples: u32, action: impl Fn(&Situation) -> Option<Action>) -> Self {
        let mut walk = Self::default();
        // The order of the situations: fewer answers first, and of equals those with fewer verdicts.
        let mut open: BTreeMap<(u32, usize, Situation), f64> = BTreeMap::new();
        let place = |at: Situation| {
            let verdicts = usize::from(at.verified.is_some()) + usize::from(at.judged.is_some());
            (at.drawn(), verdicts, at)
        };
        open.insert(place(Situation::default()), 1.0);
        while let Some(((_, _, at), chance)) = open.pop_first() {
            let outcomes = match action(&at) {
                Some(Action::Accept) => {
                    let right = Odds::of(fit, &at).right();
                    walk.right += chance * right;
                    walk.wrong += chance * (1.0 - right);
                    continue;
                }
                Some(Action::Draw) => {
                    // The first answer to a new question may have come with it.
                    let came = if at.drawn() == 0 { fit.answered } else { 0.0 };
                    walk.answers += chance * (1.0 - came);
                    next_votes(fit, &at)
                }
                Some(Action::Verify) => {
                    walk.verifications += chance;
                    next_verified(fit, &at, max_samples)
                }
                Some(Action::Judge) => {
                    walk.judgements += chance;
                    next_judged(fit, &at)
                }
                Some(Action::Reject) | None => continue,
            };
            for (share, to) in outcomes {
                *open.entry(place(to)).or_default() += chance * share;
            }
        }
        walk
    }

    /// Share of the accepted rows that are right.
    pub(super) fn accuracy(&self) -> f64 {
        self.right / (self.right + self.wrong).max(f64::MIN_POSITIVE)
    }
}
