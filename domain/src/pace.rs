//! How many calls a worker keeps open at a line: one more when all places were taken and nothing was refused, fewer when something was.
//!
//! Additive increase, multiplicative decrease (Chiu and Jain 1989): workers that share a line without knowing of each other come to
//! equal shares of what it carries. The decrease is that of CUBIC (RFC 9438, section 4.6), 0.7, and comes once for each wave of
//! refusals: those to calls that began before the last decrease say nothing new.

use std::time::Duration;

/// What is left of the places after a refusal.
const DECREASE: f64 = 0.7;

/// The places of one line in one worker.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pace {
    places: f64,
    cut_at: Option<Duration>,
}

impl Pace {
    /// Starts at the most that is allowed: what the line carries is its provider's to say.
    pub fn new(most: u32) -> Self {
        Self {
            places: f64::from(most.max(1)),
            cut_at: None,
        }
    }

    /// Calls that may be open, from 1 to `most`.
    pub fn places(self, most: u32) -> u32 {
        // From 1 to 2^32: the cast cuts the fraction off and nothing else.
        (self.places as u32).clamp(1, most.max(1))
    }

    /// A call was answered while `open` calls were open, itself included.
    #[must_use]
    pub fn answered(self, open: u32, most: u32) -> Self {
        // Places that nobody needs prove nothing.
        let most_places = f64::from(most.max(1));
        if open < self.places(most) || self.places >= most_places {
            return self;
        }
        Self {
            places: (self.places + 1.0 / self.places).min(most_places),
            ..self
        }
    }

    /// A call that began at `began` was refused as too many, or for overload (times since any fixed start).
    #[must_use]
    pub fn refused(self, began: Duration, now: Duration) -> Self {
        if self.cut_at.is_some_and(|cut| began < cut) {
            return self;
        }
        Self {
            places: (self.places * DECREASE).max(1.0),
            cut_at: Some(now),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_wave_of_refusals_counts_once() {
        let mut pace = Pace::new(64);
        for _ in 0..64 {
            pace = pace.refused(at(1), at(2));
        }
        assert_eq!(pace.places(64), 44);
        assert_eq!(pace.refused(at(3), at(4)).places(64), 31);
    }

    #[test]
    fn a_round_of_full_answers_brings_one_place_and_idle_ones_none() {
        let mut pace = Pace::new(10).refused(at(1), at(1));
        assert_eq!(pace.places(10), 7);
        for _ in 0..100 {
            pace = pace.answered(6, 10);
        }
        assert_eq!(pace.places(10), 7);
        for _ in 0..8 {
            pace = pace.answered(pace.places(10), 10);
        }
        assert_eq!(pace.places(10), 8);
        for _ in 0..100 {
            pace = pace.answered(10, 10);
        }
        assert_eq!(pace.places(10), 10, "never above the most");
    }

    #[test]
    fn one_place_always_stays() {
        let mut pace = Pace::new(4);
        for round in 0..20 {
            pace = pace.refused(at(2 * round), at(2 * round + 1));
        }
        assert_eq!(pace.places(4), 1);
        assert_eq!(Pace::new(0).places(0), 1);
    }

    /// Two workers that share a line of 40 places end within a fifth of equal shares, whatever they began with.
    #[test]
    fn workers_come_to_equal_shares() {
        let mut paces = [Pace::new(64), Pace::new(64)];
        paces[1] = (0..8).fold(paces[1], |pace, round| {
            pace.refused(at(2 * round), at(2 * round + 1))
        });
        for round in 20..400 {
            let open: u32 = paces.iter().map(|pace| pace.places(64)).sum();
            for pace in &mut paces {
                if open > 40 {
                    *pace = pace.refused(at(2 * round), at(2 * round + 1));
                } else {
                    let places = pace.places(64);
                    *pace = (0..places).fold(*pace, |pace, _| pace.answered(pace.places(64), 64));
                }
            }
        }
        let [a, b] = paces.map(|pace| f64::from(pace.places(64)));
        assert!((a - b).abs() / (a + b) < 0.1, "{a} and {b}");
    }
}
