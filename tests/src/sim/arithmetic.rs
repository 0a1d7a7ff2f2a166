//! Word problems made up on the spot, with known answers: without state, and readable back from any of their wordings.

use std::sync::LazyLock;

use super::draw::Draw;
use super::pattern::{Pattern, Values};
use super::problems::{FAMILIES, Family};
use super::wording::Canon;

/// A problem and its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) answer: i64,
    pub(crate) steps: String,
    pub(crate) concept: &'static str,
}

const NAMES: [&str; 48] = [
    "Amina", "Bjorn", "Carla", "Dmitri", "Elena", "Farid", "Greta", "Hiro", "Ines", "Jonas", "Kavita",
    "Lars", "Mina", "Nils", "Olga", "Pavel", "Quinn", "Rosa", "Sven", "Tariq", "Uma", "Viktor", "Wanda",
    "Xenia", "Yusuf", "Zelda", "Anouk", "Bashir", "Celine", "Dario", "Esther", "Felix", "Giulia", "Hassan",
    "Ivana", "Jorge", "Katya", "Leon", "Maren", "Noor", "Oscar", "Priya", "Rafael", "Selma", "Tomas",
    "Ursula", "Walid", "Yara",
];
const THINGS: [&str; 48] = [
    "lemons",
    "pencils",
    "tulips",
    "candles",
    "bricks",
    "magnets",
    "buttons",
    "seashells",
    "notebooks",
    "lanterns",
    "acorns",
    "ribbons",
    "peaches",
    "teacups",
    "kites",
    "badges",
    "stamps",
    "walnuts",
    "dumplings",
    "bottles",
    "scarves",
    "pumpkins",
    "puzzles",
    "figs",
    "bracelets",
    "tiles",
    "baskets",
    "postcards",
    "melons",
    "spoons",
    "rulers",
    "beads",
    "carrots",
    "muffins",
    "planks",
    "whistles",
    "batteries",
    "feathers",
    "pillows",
    "onions",
    "radishes",
    "marbles",
    "posters",
    "erasers",
    "screws",
    "saplings",
    "waffles",
    "mugs",
];

static PATTERNS: LazyLock<Vec<Pattern>> =
    LazyLock::new(|| FAMILIES.iter().map(|family| Pattern::new(family.text)).collect());

/// Whether a wanted concept has the name of a family among its words.
pub(crate) fn names(concept: &str, family: &str) -> bool {
    concept
        .split(|c: char| !c.is_alphanumeric())
        .any(|word| word.eq_ignore_ascii_case(family))
}

/// Makes up a problem, of the wanted concept where there is a family for it.
pub(crate) fn make(concept: Option<&str>, draw: Draw) -> String {
    let wanted: Vec<&Family> = FAMILIES
        .iter()
        .filter(|f| concept.is_some_and(|concept| names(concept, f.concept)))
        .collect();
    let family = match draw.of("family").pick(&wanted) {
        Some(family) => family,
        None => &FAMILIES[draw.of("family").below(FAMILIES.len())],
    };
    let mut values = Values::default();
    let first = draw.of("n").below(NAMES.len());
    values.set('n', NAMES[first]);
    values.set(
        'm',
        NAMES[(first + 1 + draw.of("m").below(NAMES.len() - 1)) % NAMES.len()],
    );
    values.set('o', draw.of("o").text(&THINGS));
    for (i, (slot, (lo, hi, step))) in ('a'..='z').zip(family.ranges).enumerate() {
        let steps = draw.of("number").at(i as u64).between(0, (hi - lo) / step);
        values.set(slot, (lo + steps * step).to_string());
    }
    values.fill(family.text)
}

/// Reads a problem back from any of its wordings.
pub(crate) fn read(text: &Canon) -> Option<Problem> {
    FAMILIES
        .iter()
        .zip(PATTERNS.iter())
        .find_map(|(family, pattern)| {
            let numbers = pattern.read(text)?.numbers(family.ranges.len())?;
            let (answer, steps) = (family.solve)(&numbers);
            Some(Problem {
                answer,
                steps,
                concept: family.concept,
            })
        })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::super::wording::{Strength, canon, reword};
    use super::*;

    #[test]
    fn every_family_is_read_back_as_itself_through_rewordings() {
        for (i, family) in FAMILIES.iter().enumerate() {
            for seed in 0..40 {
                let draw = Draw::new(seed).at(i as u64);
                let mut text = make(Some(family.concept), draw);
                text = reword(&text, Strength::FULL, draw.of("again"));
                let read =
                    read(&canon(&text)).unwrap_or_else(|| panic!("{} is lost: {text}", family.concept));
                assert_eq!(read.concept, family.concept, "{text}");
                assert!(read.answer > 0, "{text}");
            }
        }
    }

    #[test]
    fn problems_hardly_repeat() {
        let made: HashSet<u64> = (0..5000)
            .map(|seed| canon(&make(None, Draw::new(seed))).key())
            .collect();
        assert!(made.len() > 4990, "{}", made.len());
    }

    #[test]
    fn a_worked_example() {
        let text = "Maren keeps 100 dollars in a tin, adds five dollars on each of 4 Saturdays, and takes 20 dollars out for a lamp. \
                    What sum in dollars lies in the tin?";
        assert_eq!(read(&canon(text)).map(|p| p.answer), Some(100));
        assert_eq!(read(&canon("How many apples does Maren have?")), None);
    }
}
