//! The English words that numbers are spelled with. How words combine, and which of them count, is the reader's business.
//!
//! No crate does this part alone: those that read spelled numbers rewrite whole texts, and take "one" and "second" for numbers wherever they
//! stand, where the readers here decide that by what stands around them.

const UNITS: [&str; 20] = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
];
const TENS: [&str; 8] = [
    "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety",
];
/// From the third on: "first" and "second" have other meanings as well.
const ORDINALS: [&str; 10] = [
    "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth", "eleventh", "twelfth",
];

/// A number below a hundred that is one word, in lower case: 0 to 20, and the tens.
pub(crate) fn cardinal(word: &str) -> Option<u8> {
    let units = UNITS.into_iter().zip(0..);
    let tens = TENS.into_iter().zip((20..).step_by(10));
    units
        .chain(tens)
        .find_map(|(name, value)| (name == word).then_some(value))
}

/// "third" to "twelfth".
pub(crate) fn ordinal(word: &str) -> Option<u8> {
    ORDINALS
        .into_iter()
        .zip(3..)
        .find_map(|(name, value)| (name == word).then_some(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_have_their_values() {
        for (word, value) in [
            ("zero", 0),
            ("nineteen", 19),
            ("twenty", 20),
            ("thirty", 30),
            ("ninety", 90),
        ] {
            assert_eq!(cardinal(word), Some(value));
        }
        assert_eq!((ordinal("third"), ordinal("twelfth")), (Some(3), Some(12)));
        assert_eq!(
            (cardinal("third"), cardinal("hundred"), ordinal("first")),
            (None, None, None)
        );
    }
}
