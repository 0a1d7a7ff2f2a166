//! From which cosine on a question counts as a held-out one in other words.
//!
//! A leak costs more than a candidate, so the threshold is as low as the domain allows. What it may not do is to take questions for
//! leaks that only are about the same things. How alike those are, the real data says: seeds to generate from and held-out ones
//! are distinct questions of one domain. So the threshold is lowered from [`SAFE`] to where more than [`FALSE_ALARMS`] of the seeds
//! would be taken for held-out ones, and to [`FLOOR`] at the lowest. Pairs that [`super::dedup_policy::Facts::apart`] tells
//! apart do not count on either side.
//!
//! Measured with all-MiniLM-L6-v2 on the three kinds of question of the benchmark `leaks`: of 800 arithmetic, 500 medical and 80 SQL
//! questions 0, 0 and 4 have another one at .88 or more, and 0, 0 and 10 at .85 or more.

use serde::{Deserialize, Serialize};

/// The threshold where nothing is known of the domain, and the highest that is ever chosen.
pub const SAFE: f64 = 0.88;
/// The lowest threshold that is chosen: below it, sentence encoders put questions together that share no more than a subject.
pub const FLOOR: f64 = 0.8;
/// Share of real questions that may be taken for held-out ones.
pub const FALSE_ALARMS: f64 = 0.02;
/// Fewer seeds say too little about a domain.
const SEEDS_MIN: usize = 50;

/// The threshold for a domain whose seeds have these cosines to their closest held-out question, pairs that are apart by their facts
/// left out; seeds without any such question count as below [`FLOOR`].
///
/// It lies just above the cosine that as many as [`FALSE_ALARMS`] of the seeds reach, and between [`FLOOR`] and [`SAFE`].
pub fn threshold(closest: &[f64]) -> f64 {
    if closest.len() < SEEDS_MIN {
        return SAFE;
    }
    let mut sorted = closest.to_vec();
    sorted.sort_by(|a, b| b.total_cmp(a));
    let allowed = (FALSE_ALARMS * sorted.len() as f64) as usize;
    let reached = sorted.get(allowed).copied().unwrap_or(FLOOR);
    // Rounded up, so that the seed that decides stays below.
    ((reached * 1000.0).floor() / 1000.0 + 0.001).clamp(FLOOR, SAFE)
}

/// Whether a rephrasing would have been recognised, had the seed that it was made from been held out.
///
/// A run's own rephrasings are paraphrases of real questions: they measure what decontamination misses.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// Cosine from which a question counts as a held-out one.
    pub cosine: f64,
    /// It was recognised.
    pub found: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_seeds_say_nothing() {
        assert_eq!(threshold(&[]), SAFE);
        assert_eq!(threshold(&[0.3; 49]), SAFE);
    }

    #[test]
    fn it_is_as_low_as_real_questions_allow() {
        assert_eq!(threshold(&[0.6; 100]), FLOOR);
        // Two of a hundred may be taken for held-out ones, three may not.
        let with = |alike: usize| [vec![0.845; alike], vec![0.5; 100 - alike]].concat();
        assert_eq!(threshold(&with(2)), FLOOR);
        assert!((threshold(&with(3)) - 0.846).abs() < 1e-9);
        assert_eq!(threshold(&[0.97; 100]), SAFE, "never laxer than the safe one");
    }
}
