//! The facts that a question turns on: what must be the same for two alike texts to be one.
//!
//! No cosine separates a duplicate from a new question: GSM8K questions that differ in their numbers only, and so in their
//! answers, have a median cosine of .94, and a sentence encoder hardly tells "safe" from "unsafe" or who did what to whom. So what an
//! index finds alike is compared once more, by what these texts say: [`Facts`].
//!
//! | fact | read as |
//! |---|---|
//! | numbers | values, in digits of any script, in English words, in Chinese numerals; percentages and cents as parts of one |
//! | names | capitalised words inside sentences |
//! | code | flags, identifiers, letters by themselves, what stands between backticks: with its case where case counts |
//! | signs | arithmetic and comparison between operands, currencies |
//! | polarity | negation, and pairs of opposites ([`lexicon`]) |
//! | order | which word stands in whose place: "the cat to the dog", "5 miles to kilometres" |
//! | words | what takes the place of a word in an otherwise equal text, unless the two are known to mean the same |
//! | units | the unit behind a number, and currencies, in symbols and words |
//! | subjects | the capitalised word that opens a sentence, where a verb or another such word follows |
//!
//! Of two questions it is asked, from the strictest to the most lenient, whether they are two ([`Facts::differ`]), whether one cannot be
//! a rephrasing of the other ([`Facts::contradict`]), and whether one cannot be a disguise of the other ([`Facts::apart`]). Of two texts
//! that state something it is asked whether one says all that the other does, and nothing else ([`Facts::altered_in`]); units and subjects
//! count for that alone.
//!
//! One-sided where it cannot know: in languages that capitalise every noun, paraphrases tend to differ, and both are kept.

mod compare;
mod lexicon;
pub(super) mod numerals;
mod read;
mod spelled;
#[cfg(test)]
mod tests;
mod tokens;
mod wording;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt;

/// What a text says, as far as it decides whether two alike texts are one.
///
/// Reading takes some microseconds a sentence, so it is left for texts that an index has found alike.
#[derive(Debug, Clone, PartialEq)]
pub struct Facts {
    /// Values of its numbers, sorted; ones are left out, since "one of them" counts nothing and a change from 1 to anything else
    /// still shows.
    numbers: Vec<f64>,
    /// Capitalised words inside sentences, in lower case without a possessive ending.
    names: BTreeSet<String>,
    /// What is written like code.
    codes: Vec<read::Code>,
    /// Letters by themselves, as they are written and in their order; none where the whole text is in capitals or a title.
    letters: Vec<String>,
    /// All words in lower case, and as they are written.
    mentions: HashSet<String>,
    surfaces: HashSet<String>,
    /// Letters and digits of the whole text, in lower case.
    squeezed: String,
    /// Arithmetic and comparison signs between operands, sorted.
    signs: Vec<String>,
    currencies: BTreeSet<char>,
    /// How often it says not, no, never, without.
    negations: usize,
    /// Numbers with a unit, in the order of the text.
    quantities: Vec<read::Quantity>,
    /// Capitalised words that open a sentence about them, in lower case; none where the text is a title.
    subjects: BTreeSet<String>,
    /// Sides of pairs of opposites that decide wherever they stand: (upper, lower) by pair.
    poles: BTreeMap<usize, (bool, bool)>,
    /// Words that carry meaning, in order.
    words: Vec<read::Word>,
}

/// A fact in which two texts differ: how it stands in the first and in the second.
#[derive(Debug, Clone, PartialEq)]
pub enum Difference {
    /// Their numbers.
    Numbers(Vec<f64>, Vec<f64>),
    /// A name that one of them does not mention.
    Name(String),
    /// An identifier, a flag or other code.
    Code(String),
    /// Signs or currencies.
    Signs(String, String),
    /// One is negated.
    Negation,
    /// Opposites.
    Opposites(String, String),
    /// Two words that changed places.
    Order(String, String),
    /// A word in the place of another.
    Word(String, String),
    /// A number with its unit, or a currency, that one of them does not state.
    Unit(String),
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |numbers: &[f64]| match numbers {
            [] => "none".to_owned(),
            some => some.iter().map(f64::to_string).collect::<Vec<_>>().join(", "),
        };
        match self {
            Self::Numbers(a, b) => write!(f, "numbers {} against {}", list(a), list(b)),
            Self::Name(name) => write!(f, "only one of them names `{name}`"),
            Self::Code(code) => write!(f, "only one of them has `{code}`"),
            Self::Signs(a, b) => write!(f, "signs `{a}` against `{b}`"),
            Self::Negation => f.write_str("only one of them is negated"),
            Self::Opposites(a, b) => write!(f, "`{a}` against `{b}`"),
            Self::Order(a, b) => write!(f, "`{a}` and `{b}` changed places"),
            Self::Word(a, b) => write!(f, "`{a}` in the place of `{b}`"),
            Self::Unit(quantity) => write!(f, "only one of them states `{quantity}`"),
        }
    }
}

impl Facts {
    fn negated(&self) -> bool {
        self.negations > 0
    }

    /// The first fact in which the two differ so that, however alike they sound, they are two questions.
    pub fn differ(&self, other: &Self) -> Option<Difference> {
        self.numbers_differ(other)
            .or_else(|| {
                self.name_missing(other)
                    .or_else(|| other.name_missing(self))
                    .map(Difference::Name)
            })
            .or_else(|| {
                self.code_missing(other)
                    .or_else(|| other.code_missing(self))
                    .map(Difference::Code)
            })
            .or_else(|| self.letters_differ(other))
            .or_else(|| self.signs_differ(other))
            .or_else(|| compare::meanings(self, other, compare::Care::Two))
    }

    /// The first fact that a rephrasing of `self` cannot have as `other` has it.
    ///
    /// Asks less than [`Self::differ`], since a rephrasing replaces words on purpose: other words in the place of known ones, and
    /// code that only one of the two spells out, are let through.
    pub fn contradict(&self, other: &Self) -> Option<Difference> {
        self.numbers_differ(other)
            .or_else(|| {
                self.name_missing(other)
                    .or_else(|| other.name_missing(self))
                    .map(Difference::Name)
            })
            .or_else(|| self.both_miss(other, Self::code_missing).map(Difference::Code))
            .or_else(|| self.letters_differ(other))
            .or_else(|| self.signs_differ(other))
            .or_else(|| compare::meanings(self, other, compare::Care::Contradiction))
    }

    /// True where each text states a number, a name or code that the other does not, or states the opposite, so that
    /// neither can be the other in disguise.
    ///
    /// The most lenient of the three: what only one of the two states may have been added or left out to hide the other.
    pub fn apart(&self, other: &Self) -> bool {
        self.both_miss(other, Self::number_missing).is_some()
            || self.both_miss(other, Self::name_missing).is_some()
            || self.both_miss(other, Self::code_missing).is_some()
            || self.signs_differ(other).is_some()
            || compare::meanings(self, other, compare::Care::Contradiction).is_some()
    }

    fn both_miss<T>(&self, other: &Self, missing: impl Fn(&Self, &Self) -> Option<T>) -> Option<T> {
        missing(other, self).and_then(|_| missing(self, other))
    }

    fn numbers_differ(&self, other: &Self) -> Option<Difference> {
        let same = self.numbers.len() == other.numbers.len()
            && self
                .numbers
                .iter()
                .zip(&other.numbers)
                .all(|(a, b)| same_number(*a, *b));
        (!same).then(|| Difference::Numbers(self.numbers.clone(), other.numbers.clone()))
    }

    /// A number of `self` that the other has in no format: not as a share of a hundred either.
    fn number_missing(&self, other: &Self) -> Option<f64> {
        let there = |number: f64| {
            [1.0, 100.0, 0.01]
                .iter()
                .any(|by| other.numbers.iter().any(|n| same_number(*n * by, number)))
        };
        self.numbers.iter().copied().find(|number| !there(*number))
    }

    fn name_missing(&self, other: &Self) -> Option<String> {
        self.names
            .iter()
            .find(|name| !other.mentions.contains(*name))
            .cloned()
    }

    fn code_missing(&self, other: &Self) -> Option<String> {
        self.codes
            .iter()
            .find(|code| !code.is_in(other))
            .map(|code| code.surface.clone())
    }

    /// The same letters stand by themselves in the same order, and one of them in another case: `g` and `G` are two keys.
    ///
    /// Of longer words the case is no fact by itself. Where nothing else differs, `List` for `list` can be another type, and `France` for
    /// `france` is the same country; people write the second kind far more often.
    fn letters_differ(&self, other: &Self) -> Option<Difference> {
        let pairs = || self.letters.iter().zip(&other.letters);
        let same = self.letters.len() == other.letters.len()
            && pairs().all(|(a, b)| a.to_lowercase() == b.to_lowercase());
        let (a, _) = pairs().find(|(a, b)| a != b).filter(|_| same)?;
        Some(Difference::Code(a.clone()))
    }

    fn signs_differ(&self, other: &Self) -> Option<Difference> {
        // A side without signs may say it in words.
        if !self.signs.is_empty() && !other.signs.is_empty() && self.signs != other.signs {
            return Some(Difference::Signs(self.signs.join(" "), other.signs.join(" ")));
        }
        let currencies = |facts: &Self| facts.currencies.iter().collect::<String>();
        let other_money = !self.currencies.is_empty()
            && !other.currencies.is_empty()
            && self.currencies.is_disjoint(&other.currencies);
        other_money.then(|| Difference::Signs(currencies(self), currencies(other)))
    }
}

/// Equal but for rounding: a third is read from 1/3 and from .3333.
fn same_number(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-3 * a.abs().min(b.abs()).min(1.0)
}

/// The fact, if any, in which two alike questions differ, so that they are two questions.
pub fn distinct_facts(a: &str, b: &str) -> Option<Difference> {
    Facts::of(a).differ(&Facts::of(b))
}
