//! Whether a text states all that another does, in other words, and nothing else.

use std::collections::BTreeSet;

use super::lexicon::stem;
use super::read::Quantity;
use super::{Difference, Facts, compare, same_number};

/// Currencies, each with the words for it.
const CURRENCIES: [(char, &[&str]); 5] = [
    ('$', &["dollar", "dollars", "usd"]),
    ('€', &["euro", "euros", "eur"]),
    ('£', &["sterling", "gbp", "quid"]),
    ('¥', &["yen", "jpy", "yuan", "cny", "renminbi"]),
    ('₹', &["rupee", "rupees", "inr"]),
];

impl Facts {
    /// The first fact of `self` that `other`, which says the same in its own words, has lost, changed or added.
    ///
    /// Stricter than [`Self::contradict`]: two texts that state something are held against each other in both directions, with their
    /// units, their code and every negation. A figure may be repeated, which adds nothing. Where it cannot be sure it finds a difference:
    /// a right rewording that is thrown away costs a call, and a wrong one that is kept teaches an error.
    pub fn altered_in(&self, other: &Self) -> Option<Difference> {
        let either = |missing: fn(&Self, &Self) -> Option<String>| {
            missing(self, other).or_else(|| missing(other, self))
        };
        self.figures_differ(other)
            .or_else(|| either(Self::quantity_missing).map(Difference::Unit))
            .or_else(|| either(Self::currency_missing).map(Difference::Unit))
            .or_else(|| either(Self::name_lost).map(Difference::Name))
            .or_else(|| either(Self::subject_missing).map(Difference::Name))
            .or_else(|| either(Self::code_missing).map(Difference::Code))
            .or_else(|| self.letters_differ(other))
            .or_else(|| self.operators_differ(other))
            .or_else(|| compare::meanings(self, other, compare::Care::Statement))
    }

    /// Numbers that only one of the two states, however often.
    fn figures_differ(&self, other: &Self) -> Option<Difference> {
        let missing = |of: &Self, there: &Self| -> Vec<f64> {
            let mut numbers = of.numbers.clone();
            numbers.retain(|number| !there.numbers.iter().any(|other| same_number(*number, *other)));
            numbers.dedup();
            numbers
        };
        let (lost, added) = (missing(self, other), missing(other, self));
        (!lost.is_empty() || !added.is_empty()).then_some(Difference::Numbers(lost, added))
    }

    fn quantity_missing(&self, other: &Self) -> Option<String> {
        let same = |a: &Quantity, b: &Quantity| a.unit == b.unit && same_number(a.value, b.value);
        let missing = |quantity: &&Quantity| !other.quantities.iter().any(|there| same(quantity, there));
        self.quantities
            .iter()
            .find(missing)
            .map(|quantity| quantity.surface.clone())
    }

    fn currency_missing(&self, other: &Self) -> Option<String> {
        let (own, there) = (self.money(), other.money());
        own.difference(&there).next().map(char::to_string)
    }

    /// Currencies, be they signs or words.
    fn money(&self) -> BTreeSet<char> {
        let worded = CURRENCIES
            .iter()
            .filter(|(_, words)| words.iter().any(|word| self.mentions.contains(*word)));
        let worded = worded.map(|(sign, _)| *sign);
        worded.chain(self.currencies.iter().copied()).collect()
    }

    /// A name that the other does not mention. The `C` of 100 °C is a unit.
    fn name_lost(&self, other: &Self) -> Option<String> {
        let in_unit = |name: &str, quantity: &Quantity| {
            let surface = quantity.surface.to_lowercase();
            surface
                .split(|c: char| !c.is_alphanumeric())
                .any(|word| word == name)
        };
        let counts = |name: &&String| {
            !other.mentions.contains(*name) && !self.quantities.iter().any(|quantity| in_unit(name, quantity))
        };
        self.names.iter().find(counts).cloned()
    }

    /// What a sentence of `self` is about, and `other` does not mention in any form.
    fn subject_missing(&self, other: &Self) -> Option<String> {
        let mentioned = |subject: &str| {
            other.mentions.contains(subject) || {
                let stem_of_it = stem(subject);
                other.mentions.iter().any(|word| stem(word) == stem_of_it)
            }
        };
        self.subjects.iter().find(|subject| !mentioned(subject)).cloned()
    }

    /// Signs of both, where both have some: one of them may say it in words.
    fn operators_differ(&self, other: &Self) -> Option<Difference> {
        let kinds = |facts: &Self| facts.signs.iter().cloned().collect::<BTreeSet<String>>();
        let (own, there) = (kinds(self), kinds(other));
        let listed = |signs: BTreeSet<String>| signs.into_iter().collect::<Vec<_>>().join(" ");
        (!own.is_empty() && !there.is_empty() && own != there)
            .then(|| Difference::Signs(listed(own), listed(there)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn altered(a: &str, b: &str) -> Option<Difference> {
        Facts::of(a).altered_in(&Facts::of(b))
    }

    const DOSE: &str =
        "Adults take 5 mg of Warfarin once a day, and never more than 10 mg. It is not safe in pregnancy.";

    #[test]
    fn a_text_in_other_words_keeps_its_facts() {
        for (text, reworded) in [
            (
                DOSE,
                "For grown-ups the dose of Warfarin is five milligrams, taken once a day; one should never go beyond 10 mg. While pregnant, it is \
                 not a safe choice.",
            ),
            (
                "Paris is the capital of France, and 2.1 million people live there.",
                "The capital city of France is Paris: 2.1 million call it home.",
            ),
            (
                "The train runs at 90 km/h for 2 hours.",
                "For two hours, the speed of the train is 90 kilometers per hour.",
            ),
            ("A ticket costs $12.", "You pay 12 dollars for a ticket."),
            (
                "Water boils at 100 °C.",
                "When water reaches 100 degrees Celsius it boils.",
            ),
            (
                "The bill is 3 * 4 = 12, so 12.",
                "Three times 4 makes 12: the bill comes to 12, and 12 it stays.",
            ),
            ("The drug is not safe.", "The drug is unsafe."),
        ] {
            assert_eq!(altered(text, reworded), None, "{text} | {reworded}");
        }
    }

    #[test]
    fn what_is_lost_changed_or_added_is_found() {
        for (text, reworded, said) in [
            // Numbers, each way.
            (
                DOSE,
                "Adults take 5 mg of Warfarin once a day. It is not safe in pregnancy, and never was.",
                "numbers 10 against none",
            ),
            ("Take 5 tablets.", "Take 50 tablets.", "numbers 5 against 50"),
            (
                "He sold some of the 12 pears.",
                "Of the 12 pears he sold 7.",
                "numbers none against 7",
            ),
            // Units.
            (
                "Give 5 mg of it.",
                "Give 5 g of it.",
                "only one of them states `5 mg`",
            ),
            (
                "Give 5 mg of it.",
                "Of it, give 5.",
                "only one of them states `5 mg`",
            ),
            (
                "A run of 5 takes an hour.",
                "A run of 5 km takes an hour.",
                "only one of them states `5 km`",
            ),
            (
                "Give 5 mg/kg of it.",
                "Of it, give 5 mg.",
                "only one of them states `5 mg/kg`",
            ),
            ("It costs $12.", "It costs 12.", "only one of them states `$`"),
            (
                "It costs $12.",
                "It costs 12 euros.",
                "only one of them states `$`",
            ),
            // Names, inside a sentence and at its beginning.
            (
                "The capital of France is Paris.",
                "Lyon is the capital of France.",
                "only one of them names `paris`",
            ),
            (
                "Paris is the capital.",
                "Lyon is the capital.",
                "only one of them names `paris`",
            ),
            (
                "They met in Rome.",
                "They met in Rome, and Kepler came along.",
                "only one of them names `kepler`",
            ),
            // Negations: of several, one.
            (
                "It is not safe. It is not legal either.",
                "It is safe, and it is not legal either.",
                "only one of them is negated",
            ),
            (
                "The students passed.",
                "The students did not pass.",
                "only one of them is negated",
            ),
            (
                "The valve is open at night.",
                "The valve is closed at night.",
                "`open` against `closed`",
            ),
            (
                "Run it with --force once.",
                "Run it once.",
                "only one of them has `--force`",
            ),
            (
                "Run it once.",
                "Run it with --force once.",
                "only one of them has `--force`",
            ),
        ] {
            let found = altered(text, reworded).map(|difference| difference.to_string());
            assert_eq!(found.as_deref(), Some(said), "{text} | {reworded}");
            assert!(altered(reworded, text).is_some(), "{reworded} | {text}");
        }
    }

    proptest! {
        #[test]
        fn a_text_keeps_its_own_facts_and_loses_a_changed_number(
            words in prop::collection::vec("[a-z]{3,9}", 3..12), number in 2u32..9000, by in 1u32..9000, unit in 0usize..4,
        ) {
            let unit = ["mg", "km", "hours", "pears"][unit];
            let text = format!("{} {number} {unit}.", words.join(" "));
            prop_assert_eq!(altered(&text, &text), None);
            prop_assert_eq!(altered(&text, &format!("{text} {text}")), None);
            let other = format!("{} {} {unit}.", words.join(" "), number + by);
            prop_assert!(altered(&text, &other).is_some(), "{}", other);
            prop_assert!(altered(&text, &words.join(" ")).is_some());
        }
    }
}
