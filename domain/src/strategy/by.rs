//! Values that there is one of for each strategy.

use std::fmt;
use std::iter::Sum;
use std::marker::PhantomData;
use std::ops::{Add, Index, IndexMut};

use serde::de::{Error, MapAccess, SeqAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Strategy;

/// A value for each strategy, stored by its name. Lists in the order of [`Strategy::ALL`], which earlier versions stored, are still read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ByStrategy<T>([T; Strategy::ALL.len()]);

impl<T> ByStrategy<T> {
    /// What a function says of each strategy.
    pub fn of(value: impl FnMut(Strategy) -> T) -> Self {
        Self(Strategy::ALL.map(value))
    }

    /// Every strategy with its value.
    pub fn iter(&self) -> impl Iterator<Item = (Strategy, &T)> {
        Strategy::ALL.into_iter().zip(&self.0)
    }

    /// The values, in the order of [`Strategy::ALL`].
    pub fn values(&self) -> impl Iterator<Item = &T> {
        self.0.iter()
    }

    /// The same with another value made of each.
    pub fn map<U>(&self, mut value: impl FnMut(&T) -> U) -> ByStrategy<U> {
        ByStrategy::of(|strategy| value(&self[strategy]))
    }
}

impl<T: Copy> ByStrategy<T> {
    /// The same value for all.
    pub const fn all(value: T) -> Self {
        Self([value; Strategy::ALL.len()])
    }
}

impl<T: Copy + Default + PartialEq> ByStrategy<T> {
    /// A value for one strategy, and none for the others.
    pub fn only(strategy: Strategy, value: T) -> Self {
        let mut only = Self::default();
        only[strategy] = value;
        only
    }

    /// True where no strategy has anything.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

impl<T: Copy + Sum> ByStrategy<T> {
    /// The sum over all strategies.
    pub fn total(&self) -> T {
        self.0.iter().copied().sum()
    }
}

/// `39 answer_augmentation, 61 rephrasing`: what is not zero.
impl<T: fmt::Display + Default + PartialEq> fmt::Display for ByStrategy<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let none = T::default();
        for (at, (strategy, value)) in self.iter().filter(|(_, value)| **value != none).enumerate() {
            let gap = if at == 0 { "" } else { ", " };
            write!(f, "{gap}{value} {strategy}")?;
        }
        Ok(())
    }
}

/// Values in the order of [`Strategy::ALL`].
impl<T> From<[T; Strategy::ALL.len()]> for ByStrategy<T> {
    fn from(values: [T; Strategy::ALL.len()]) -> Self {
        Self(values)
    }
}

/// The values in the order of [`Strategy::ALL`].
impl<T> From<ByStrategy<T>> for [T; Strategy::ALL.len()] {
    fn from(values: ByStrategy<T>) -> Self {
        values.0
    }
}

/// Equal to values in the order of [`Strategy::ALL`].
impl<T: PartialEq> PartialEq<[T; Strategy::ALL.len()]> for ByStrategy<T> {
    fn eq(&self, values: &[T; Strategy::ALL.len()]) -> bool {
        self.0 == *values
    }
}

impl<T> Index<Strategy> for ByStrategy<T> {
    type Output = T;

    fn index(&self, strategy: Strategy) -> &T {
        let [answers, rephrasings, new_questions] = &self.0;
        match strategy {
            Strategy::AnswerAugmentation => answers,
            Strategy::Rephrasing => rephrasings,
            Strategy::NewQuestion => new_questions,
        }
    }
}

impl<T> IndexMut<Strategy> for ByStrategy<T> {
    fn index_mut(&mut self, strategy: Strategy) -> &mut T {
        let [answers, rephrasings, new_questions] = &mut self.0;
        match strategy {
            Strategy::AnswerAugmentation => answers,
            Strategy::Rephrasing => rephrasings,
            Strategy::NewQuestion => new_questions,
        }
    }
}

impl<T: Copy + Add<Output = T>> Add for ByStrategy<T> {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self::of(|strategy| self[strategy] + other[strategy])
    }
}

impl<T: Serialize> Serialize for ByStrategy<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(Strategy::ALL.len()))?;
        for (strategy, value) in self.iter() {
            map.serialize_entry(strategy.as_str(), value)?;
        }
        map.end()
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for ByStrategy<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Values(PhantomData))
    }
}

struct Values<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Values<T> {
    type Value = ByStrategy<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value for each strategy, by name, or a list of them as earlier versions wrote it")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ByStrategy<T>, A::Error> {
        let mut found: ByStrategy<Option<T>> = ByStrategy::of(|_| None);
        while let Some((strategy, value)) = map.next_entry::<Strategy, T>()? {
            found[strategy] = Some(value);
        }
        let [answers, rephrasings, new_questions] = found.0;
        let missing = |strategy: Strategy| A::Error::missing_field(strategy.as_str());
        Ok(ByStrategy([
            answers.ok_or_else(|| missing(Strategy::AnswerAugmentation))?,
            rephrasings.ok_or_else(|| missing(Strategy::Rephrasing))?,
            new_questions.ok_or_else(|| missing(Strategy::NewQuestion))?,
        ]))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<ByStrategy<T>, A::Error> {
        let mut next = |place| {
            seq.next_element()?
                .ok_or_else(|| A::Error::invalid_length(place, &"three values"))
        };
        let values = ByStrategy([next(0)?, next(1)?, next(2)?]);
        match seq.next_element::<serde::de::IgnoredAny>()? {
            None => Ok(values),
            Some(_) => Err(A::Error::invalid_length(4, &"three values")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_stored_by_name_and_older_lists_are_read() {
        let values = ByStrategy::of(|strategy| strategy.as_str().len());
        let text = serde_json::to_string(&values).unwrap();
        assert_eq!(
            text,
            r#"{"answer_augmentation":19,"rephrasing":10,"new_question":12}"#
        );
        assert_eq!(serde_json::from_str::<ByStrategy<usize>>(&text).unwrap(), values);
        assert_eq!(
            serde_json::from_str::<ByStrategy<usize>>("[19,10,12]").unwrap(),
            values
        );
        for (bad, why) in [
            ("[1,2]", "three values"),
            ("[1,2,3,4]", "three values"),
            (r#"{"rephrasing":1,"new_question":2}"#, "answer_augmentation"),
            (r#"{"rephrase":1}"#, "rephrase"),
        ] {
            let error = serde_json::from_str::<ByStrategy<usize>>(bad)
                .unwrap_err()
                .to_string();
            assert!(error.contains(why), "{bad}: {error}");
        }
    }

    #[test]
    fn every_value_is_found_under_its_strategy() {
        let mut values = ByStrategy::of(|strategy| strategy);
        for (strategy, value) in values.iter() {
            assert_eq!((strategy, values[strategy]), (*value, *value));
        }
        values[Strategy::Rephrasing] = Strategy::NewQuestion;
        assert_eq!(values[Strategy::Rephrasing], Strategy::NewQuestion);
        let one = ByStrategy::only(Strategy::NewQuestion, 3);
        assert_eq!((one.total(), one.is_none(), (one + one).total()), (3, false, 6));
        assert!(ByStrategy::<u64>::default().is_none());
    }
}
