//! What situations say about the truth, and which situations may follow.

use super::fit::Fit;
use super::likelihood::verdict;
use super::situation::{Action, Situation};

/// The likelihoods of a situation by what the truth is, verdicts included.
pub(super) struct Odds {
    leader: f64,
    other: f64,
    unanswerable: f64,
}

impl Odds {
    pub(super) fn of(fit: &Fit, situation: &Situation) -> Self {
        let mass = fit.mass(&situation.votes);
        let (answerable, not) = verdict(situation.verified, fit.verify);
        let (right, wrong) = verdict(situation.judged, fit.judge);
        Self {
            leader: mass.leader * answerable * right,
            other: mass.other * answerable * wrong,
            unanswerable: mass.unanswerable * not * wrong,
        }
    }

    fn total(&self) -> f64 {
        (self.leader + self.other + self.unanswerable).max(f64::MIN_POSITIVE)
    }

    /// Chance that the leader is right.
    pub(super) fn right(&self) -> f64 {
        self.leader / self.total()
    }

    /// Chance that the question will be found answerable.
    pub(super) fn verified(&self, fit: &Fit) -> f64 {
        let (yes, no) = verdict(Some(true), fit.verify);
        ((self.leader + self.other) * yes + self.unanswerable * no) / self.total()
    }

    /// Chance that the judge will pass the leader.
    pub(super) fn judged(&self, fit: &Fit) -> f64 {
        let (yes, no) = verdict(Some(true), fit.judge);
        (self.leader * yes + (self.other + self.unanswerable) * no) / self.total()
    }
}

/// Where the next usable answer leads: it joins one of the classes, or is new. The judge's verdict is about the leader, and is
/// put aside when another answer takes the lead.
pub(super) fn next_votes(fit: &Fit, situation: &Situation) -> Vec<(f64, Situation)> {
    let total = Odds::of(fit, situation).total();
    let mut left = 1.0;
    let mut next: Vec<(f64, Situation)> = Vec::new();
    let mut add = |chance: f64, situation: Situation| match next.iter_mut().find(|(_, s)| *s == situation) {
        Some((sum, _)) => *sum += chance,
        None => next.push((chance, situation)),
    };
    for class in 0..situation.votes.len() {
        let chance = (Odds::of(fit, &situation.grown(class)).total() / total).min(left);
        left -= chance;
        add(chance, situation.joined(class));
    }
    add(left.max(0.0), situation.joined(situation.votes.len()));
    next
}

/// Where a verification leads. One that finds the question answerable may bring an answer, as long as fewer than `most` were drawn.
pub(super) fn next_verified(fit: &Fit, situation: &Situation, most: u32) -> Vec<(f64, Situation)> {
    let yes = Odds::of(fit, situation).verified(fit);
    let [passed, failed] = [true, false].map(|verdict| situation.verdict(Action::Verify, verdict));
    let brings = if situation.drawn() < most {
        fit.verified_with_answer
    } else {
        0.0
    };
    let mut next = vec![(1.0 - yes, failed)];
    if brings > 0.0 {
        let voted = next_votes(fit, &passed).into_iter();
        next.extend(voted.map(|(chance, voted)| (yes * brings * chance, voted)));
    }
    next.push((yes * (1.0 - brings), passed));
    next
}

/// Where the judge's verdict leads.
pub(super) fn next_judged(fit: &Fit, situation: &Situation) -> Vec<(f64, Situation)> {
    let yes = Odds::of(fit, situation).judged(fit);
    let [passed, failed] = [true, false].map(|verdict| situation.verdict(Action::Judge, verdict));
    vec![(yes, passed), (1.0 - yes, failed)]
}
