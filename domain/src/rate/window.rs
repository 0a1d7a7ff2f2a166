//! Tokens of the last minute, by the second in which they were charged.

use std::collections::VecDeque;

use super::SECOND_US;

/// Seconds that a charge is held: those that a minute and a permit's time to lie can touch.
const HELD_S: u64 = 62;
/// How long after its wait a refused demand's claim stands.
const CLAIM_GRACE_US: u64 = 5 * SECOND_US;
/// When to come back for room that calls under way may give back.
const SOON_US: u64 = SECOND_US;

/// Charges of the last 62 seconds. Any sliding minute of uses lies within what one grant looked at, so it never exceeds the limit as
/// long as charges are upper bounds; and at most a thirtieth of the limit waits for its second to pass.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Window {
    /// What is charged, oldest first.
    pub charges: VecDeque<Charge>,
    /// Room that is kept for a large demand, so that small ones cannot starve it.
    pub claim: Option<Claim>,
}

/// What is charged to one second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Charge {
    /// The second.
    pub second: u64,
    /// Tokens.
    pub tokens: u64,
    /// Of those, bounds of calls that have not said yet what they used.
    pub open: u64,
}

/// Room kept for a demand that was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    /// Tokens.
    pub tokens: u64,
    /// When it lapses, microseconds.
    pub until_us: u64,
}

impl Window {
    /// How long a demand must wait; nothing when there is room now. One above the limit is let through when nothing else is charged.
    pub(super) fn wait(&self, limit: u64, tokens: u64, now_us: u64) -> Option<u64> {
        let limit = limit.max(1);
        let need = self.needed(limit, tokens, now_us);
        let sum = |tokens: fn(&Charge) -> u64| self.held(now_us).map(tokens).sum::<u64>();
        let (mut held, open) = (sum(|charge| charge.tokens), sum(|charge| charge.open));
        if held + need <= limit {
            return None;
        }
        if held.saturating_sub(open) + need <= limit {
            return Some(SOON_US);
        }
        self.held(now_us)
            .find_map(|charge| {
                held -= charge.tokens;
                (held + need <= limit).then(|| (charge.second + HELD_S) * SECOND_US - now_us)
            })
            // With nothing held every need fits.
            .or(Some(SOON_US))
    }

    /// Tokens that must be free: the demand's, and those that a larger one claims.
    fn needed(&self, limit: u64, tokens: u64, now_us: u64) -> u64 {
        let claimed = self
            .claim
            .filter(|claim| claim.until_us > now_us && claim.tokens > tokens)
            .map_or(0, |claim| claim.tokens);
        tokens.saturating_add(claimed).min(limit)
    }

    /// Charges a demand that is let through.
    pub(super) fn charge(&mut self, tokens: u64, now_us: u64) {
        let second = now_us / SECOND_US;
        self.charges.retain(|charge| charge.second + HELD_S > second);
        if self
            .claim
            .is_some_and(|claim| claim.until_us <= now_us || claim.tokens <= tokens)
        {
            self.claim = None;
        }
        match self.charges.iter_mut().find(|charge| charge.second == second) {
            Some(charge) => {
                charge.tokens += tokens;
                charge.open += tokens;
            }
            None => {
                let at = self.charges.partition_point(|charge| charge.second < second);
                let open = tokens;
                self.charges.insert(at, Charge { second, tokens, open });
            }
        }
    }

    /// Keeps room for a demand that was refused and is larger than what a second frees in a full window.
    pub(super) fn claim(&mut self, limit: u64, tokens: u64, until_us: u64, now_us: u64) {
        let tokens = tokens.min(limit.max(1));
        let larger = self
            .claim
            .is_some_and(|claim| claim.until_us > now_us && claim.tokens > tokens);
        if tokens.saturating_mul(HELD_S) > limit && !larger {
            let until_us = until_us + CLAIM_GRACE_US;
            self.claim = Some(Claim { tokens, until_us });
        }
    }

    /// Replaces a charge by what was used, where it still counts.
    pub(super) fn correct(&mut self, at_us: u64, charged: u64, used: u64) {
        let second = at_us / SECOND_US;
        if let Some(charge) = self.charges.iter_mut().find(|charge| charge.second == second) {
            charge.tokens = charge.tokens.saturating_sub(charged) + used;
            charge.open = charge.open.saturating_sub(charged);
        }
    }

    /// Moves everything into the past by a step of the clock, charges by whole seconds only: they are held a little longer.
    pub(super) fn rewind(&mut self, by_us: u64) {
        for charge in &mut self.charges {
            charge.second = charge.second.saturating_sub(by_us / SECOND_US);
        }
        if let Some(claim) = &mut self.claim {
            claim.until_us = claim.until_us.saturating_sub(by_us);
        }
    }

    fn held(&self, now_us: u64) -> impl Iterator<Item = &Charge> {
        let second = now_us / SECOND_US;
        self.charges
            .iter()
            .filter(move |charge| charge.second + HELD_S > second)
    }
}
