//! A small number for each seed, stored as a short text.
//!
//! A plan names how many rephrasings each seed gets. Most neighbours get the same number, so that runs are stored: `12c` is twelve seeds
//! with two each (`a` is none), `bcb` are three seeds with one, two and one. A hundred thousand seeds take at most two bytes each.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The largest number that a seed can have.
pub(super) const MOST: u8 = 25;

/// A number from 0 to 25 for each seed. Seeds beyond the last have none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PerSeed(Vec<u8>);

impl PerSeed {
    /// The numbers of the seeds, in their order.
    pub(super) fn new(mut numbers: Vec<u8>) -> Self {
        let used = numbers.iter().rposition(|number| *number > 0);
        numbers.truncate(used.map_or(0, |last| last + 1));
        Self(numbers)
    }

    /// True where no seed has any.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The sum over all seeds.
    pub fn total(&self) -> u64 {
        self.0.iter().copied().map(u64::from).sum()
    }

    /// The number of a seed.
    pub fn of(&self, seed: u64) -> u8 {
        usize::try_from(seed)
            .ok()
            .and_then(|seed| self.0.get(seed))
            .copied()
            .unwrap_or(0)
    }

    /// The largest number of any seed.
    pub(super) fn most(&self) -> u8 {
        self.0.iter().copied().max().unwrap_or(0)
    }

    fn text(&self) -> String {
        let mut text = String::new();
        for run in self.0.chunk_by(|a, b| a == b) {
            if run.len() > 1 {
                text.push_str(&run.len().to_string());
            }
            text.push(char::from(b'a' + run[0].min(MOST)));
        }
        text
    }

    /// `None` where it is not such a text.
    fn parse(text: &str) -> Option<Self> {
        let (mut numbers, mut digits) = (Vec::new(), String::new());
        for character in text.chars() {
            if character.is_ascii_digit() {
                digits.push(character);
                continue;
            }
            let number = u8::try_from(character).ok()?.checked_sub(b'a')?;
            let run: usize = if digits.is_empty() {
                1
            } else {
                digits.parse().ok()?
            };
            if number > MOST || run > SEEDS_MAX.saturating_sub(numbers.len()) {
                return None;
            }
            numbers.extend(std::iter::repeat_n(number, run));
            digits.clear();
        }
        digits.is_empty().then(|| Self::new(numbers))
    }
}

/// Seeds that a text may speak of: what is stored may be damaged.
const SEEDS_MAX: usize = 1 << 28;

impl Serialize for PerSeed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text())
    }
}

impl<'de> Deserialize<'de> for PerSeed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| de::Error::custom("numbers of seeds are written as in `12c3ab`"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop, prop_assert, prop_assert_eq, proptest};

    use super::*;

    #[test]
    fn runs_are_short() {
        let numbers = [vec![2; 12], vec![0; 3], vec![1, 2, 1], vec![0; 99_000]].concat();
        let per_seed = PerSeed::new(numbers);
        assert_eq!(serde_json::to_string(&per_seed).unwrap(), "\"12c3abcb\"");
        assert_eq!((per_seed.of(3), per_seed.of(16), per_seed.of(1 << 40)), (2, 2, 0));
        assert_eq!(per_seed.total(), 28);
    }

    #[test]
    fn what_is_not_such_a_text_is_refused() {
        for text in ["\"12\"", "\"aA\"", "\"4_\"", "\"99999999999a\"", "3"] {
            assert!(serde_json::from_str::<PerSeed>(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn numbers_come_back_and_take_two_bytes_at_most(numbers in prop::collection::vec(0..=MOST, 0..300)) {
            let per_seed = PerSeed::new(numbers.clone());
            let text = serde_json::to_string(&per_seed).unwrap();
            prop_assert!(text.len() <= 2 + 2 * numbers.len());
            let back: PerSeed = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(&back, &per_seed);
            for (seed, number) in numbers.into_iter().enumerate() {
                prop_assert_eq!(back.of(seed as u64), number);
            }
        }
    }
}
