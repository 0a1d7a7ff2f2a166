//! The facts that a question turns on: its numbers and its names.
//!
//! No cosine separates a duplicate from a new question: GSM8K questions that differ in their numbers only, and so in their
//! answers, have a median cosine of .94. What differs in a fact is another question.

use std::collections::HashSet;

/// The numbers and names of a text.
#[derive(Debug, Clone, PartialEq)]
pub struct Facts {
    /// Values of its numbers, in digits or in English words, sorted; ones are left out, since "one of them" counts nothing and
    /// a change from 1 to anything else still shows.
    numbers: Vec<f64>,
    /// Capitalised words inside sentences, in lower case without a possessive ending.
    names: HashSet<String>,
    /// All words in the same form.
    words: HashSet<String>,
}

impl Facts {
    /// Reads a text once, to compare it with many.
    pub fn of(text: &str) -> Self {
        let mut facts = Self {
            numbers: vec![],
            names: HashSet::new(),
            words: HashSet::new(),
        };
        let mut spelled = Spelled::default();
        let mut starts_sentence = true;
        for piece in text.split_whitespace() {
            let inner = piece.trim_matches(|c: char| !c.is_alphanumeric());
            let at = piece.find(inner).unwrap_or(0);
            let (before, after) = (&piece[..at], &piece[at + inner.len()..]);
            if before.contains(['"', '“', '(', '«']) {
                starts_sentence = true;
            }
            for (n, part) in inner.split(['-', '–', '—', '/']).enumerate() {
                facts.read(
                    part,
                    starts_sentence && n == 0,
                    before.ends_with('-') && n == 0,
                    &mut spelled,
                );
            }
            if after.contains([',', '.', ';', ':', '?', '!']) {
                facts.numbers.extend(spelled.take());
            }
            starts_sentence = if inner.is_empty() {
                starts_sentence || !piece.contains(char::is_alphanumeric)
            } else {
                after.contains(['.', ':', '?', '!'])
            };
        }
        facts.numbers.extend(spelled.take());
        facts.numbers.retain(|number| *number != 1.0);
        facts.numbers.sort_by(f64::total_cmp);
        facts
    }

    fn read(&mut self, part: &str, starts_sentence: bool, negative: bool, spelled: &mut Spelled) {
        let word = part.trim_matches(|c: char| !c.is_alphanumeric());
        if word.is_empty() {
            return;
        }
        if let Some(value) = digits(word) {
            // "3 million", "2.5 thousand": the word that follows multiplies.
            self.numbers.extend(spelled.take());
            spelled.start(if negative { -value } else { value });
            return;
        }
        let lower = word.to_lowercase().replace('’', "'");
        let bare = lower.strip_suffix("'s").unwrap_or(&lower).to_owned();
        if !spelled.add(&bare) {
            self.numbers.extend(spelled.take());
            let capitalised = word.starts_with(char::is_uppercase)
                && !matches!(bare.as_str(), "i" | "i'm" | "i've" | "i'd" | "i'll");
            if capitalised && !starts_sentence {
                self.names.insert(bare.clone());
            }
        }
        self.words.insert(bare);
    }

    /// Whether the two texts differ in a fact: in the multiset of their numbers, or in a name that one of them has and the other
    /// does not mention at all.
    pub fn differ(&self, other: &Self) -> bool {
        self.numbers != other.numbers
            || self.names.iter().any(|name| !other.words.contains(name))
            || other.names.iter().any(|name| !self.words.contains(name))
    }
}

/// Whether two questions differ in a number or a name, so that they are different questions however alike they sound.
///
/// One-sided where it cannot know: in languages that capitalise every noun, paraphrases tend to differ, and both are kept.
pub fn distinct_facts(a: &str, b: &str) -> bool {
    Facts::of(a).differ(&Facts::of(b))
}

/// The value of "1,200", "$3.50", "25%", "12th" or "7kg"; `None` for words and for names such as "B12".
fn digits(word: &str) -> Option<f64> {
    if !word.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let end = word
        .find(|c: char| !c.is_ascii_digit() && !matches!(c, '.' | ','))
        .unwrap_or(word.len());
    word[..end]
        .trim_end_matches(['.', ','])
        .replace(',', "")
        .parse()
        .ok()
}

/// An English number that is being read word by word: "two hundred and twenty-five thousand".
#[derive(Debug, Default)]
struct Spelled {
    /// Thousands and above, finished.
    large: f64,
    /// What is below the next thousand.
    small: f64,
    reading: bool,
    /// Began in digits: only a multiplier may follow.
    from_digits: bool,
    /// What the last word leaves room for, so that "two three" is two numbers: below 10 after tens, below 100 after hundreds.
    room: f64,
    /// A number that a following one pushed out.
    finished: Vec<f64>,
}

impl Spelled {
    fn start(&mut self, value: f64) {
        *self = Self {
            small: value,
            reading: true,
            from_digits: true,
            ..Self::default()
        };
    }

    /// Takes a word; false when it does not belong to a number.
    fn add(&mut self, word: &str) -> bool {
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
        if let Some(value) = UNITS.iter().position(|unit| *unit == word) {
            return self.put(value as f64, if value < 10 { 10.0 } else { 100.0 }, 1.0);
        }
        if let Some(tens) = TENS.iter().position(|ten| *ten == word) {
            return self.put(10.0 * (tens + 2) as f64, 100.0, 10.0);
        }
        match word {
            "hundred" | "hundreds" => self.times(100.0),
            "thousand" | "thousands" => self.times(1e3),
            "million" | "millions" => self.times(1e6),
            "billion" | "billions" => self.times(1e9),
            "dozen" => self.times(12.0),
            "twice" | "double" | "doubled" => self.alone(2.0),
            "thrice" | "triple" | "tripled" => self.alone(3.0),
            "half" => self.alone(0.5),
            "and" => self.reading && !self.from_digits && self.room >= 100.0,
            _ => false,
        }
    }

    /// Adds to the number being read if that leaves at least `room`; begins another if not. `leaves` is what is left after it.
    fn put(&mut self, value: f64, room: f64, leaves: f64) -> bool {
        if self.reading && (self.from_digits || self.room < room) {
            self.finish();
        }
        self.small += value;
        self.reading = true;
        self.room = leaves;
        true
    }

    fn times(&mut self, factor: f64) -> bool {
        let value = if self.reading && (self.small != 0.0 || self.from_digits) {
            self.small
        } else {
            1.0
        };
        if factor >= 1e3 {
            self.large += value * factor;
            self.small = 0.0;
            self.room = 1e3;
        } else {
            self.small = value * factor;
            self.room = 100.0;
        }
        self.reading = true;
        self.from_digits = false;
        true
    }

    fn alone(&mut self, value: f64) -> bool {
        self.finish();
        self.finished.push(value);
        true
    }

    fn finish(&mut self) {
        if self.reading {
            self.finished.push(self.large + self.small);
        }
        *self = Self {
            finished: std::mem::take(&mut self.finished),
            ..Self::default()
        };
    }

    /// The numbers that are complete now that no further word belongs to them.
    fn take(&mut self) -> Vec<f64> {
        self.finish();
        std::mem::take(&mut self.finished)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_are_read_in_digits_and_words() {
        for (text, numbers) in [
            (
                "48 friends, 1,200 clips for $3.50 (25%) on the 12th",
                &[3.5, 12.0, 25.0, 48.0, 1200.0][..],
            ),
            ("twenty-five hens and two hundred and six geese", &[25.0, 206.0]),
            ("three thousand four hundred and twenty", &[3420.0]),
            ("2.5 million of them, a hundred here", &[100.0, 2.5e6]),
            ("a dozen, two dozen, twice, half as many", &[0.5, 2.0, 12.0, 24.0]),
            ("two, three or four; ten six", &[2.0, 3.0, 4.0, 6.0, 10.0]),
            ("five and six", &[5.0, 6.0]),
            ("-4 degrees, 1/2 cup, 8-hour days", &[-4.0, 2.0, 8.0]),
            ("one of them and 1 more, vitamin B12", &[]),
        ] {
            assert_eq!(Facts::of(text).numbers, numbers, "{text}");
        }
    }

    #[test]
    fn questions_with_other_numbers_or_names_are_other_questions() {
        let natalia = "Natalia sold clips to 48 of her friends in April, and then she sold half as many clips in May. How many \
                       clips did Natalia sell altogether in April and May?";
        for other in [
            &natalia.replace("48", "52"),
            &natalia.replace("half", "twice"),
            &natalia.replace("May", "June"),
            "Natalia sold clips to forty of her friends in April, and then half as many in May. How many altogether?",
        ] {
            assert!(distinct_facts(natalia, other), "{other}");
        }
        assert!(distinct_facts(
            "Who is the head of Apple?",
            "Who is the head of Google?"
        ));
        assert!(distinct_facts(
            "Weng earns $12 an hour for 50 minutes.",
            "Weng earns $12 an hour for fifty-five minutes."
        ));
    }

    #[test]
    fn other_words_for_the_same_facts_are_the_same_question() {
        for (a, b) in [
            (
                "Weng earns $12 an hour for babysitting. Yesterday, she just did 50 minutes. How much did she earn?",
                "For babysitting, Weng is paid twelve dollars an hour. If she worked fifty minutes, what did she earn?",
            ),
            (
                "Janet’s ducks lay 16 eggs per day.",
                "Every day sixteen eggs are laid by the ducks of Janet.",
            ),
            ("He bought 1 apple.", "He bought an apple."),
            (
                "They paid $1,000.00 in all.",
                "In all, they paid one thousand dollars.",
            ),
            ("How tall is the tower?", "What is the height of the tower?"),
        ] {
            assert!(
                !distinct_facts(a, b),
                "{a} | {b}: {:?} {:?}",
                Facts::of(a),
                Facts::of(b)
            );
        }
    }

    proptest! {
        #[test]
        fn spelling_a_number_keeps_it(n in 2_u32..100) {
            const UNITS: [&str; 20] = [
                "", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen",
                "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
            ];
            const TENS: [&str; 8] = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];
            let below_100 = |n: u32| match n {
                0..20 => UNITS[n as usize].to_owned(),
                _ => format!("{}-{}", TENS[n as usize / 10 - 2], UNITS[n as usize % 10]).trim_end_matches('-').to_owned(),
            };
            let words = below_100(n);
            let plain = format!("He has {words} hens.");
            let digits = format!("He has {n} hens.");
            prop_assert!(!distinct_facts(&plain, &digits), "{}", plain);
            let hundreds = format!("He has {words} thousand three hundred and {words} hens.");
            let digits = format!("He has {} hens.", n * 1000 + 300 + n);
            prop_assert!(!distinct_facts(&hundreds, &digits), "{}", hundreds);
            let more = format!("He has {} hens.", n + 1);
            prop_assert!(distinct_facts(&plain, &more));
        }

        #[test]
        fn a_difference_is_mutual_and_nothing_differs_from_itself(a in "[A-Za-z0-9 .,'-]{0,40}", b in "[A-Za-z0-9 .,'-]{0,40}") {
            prop_assert_eq!(distinct_facts(&a, &b), distinct_facts(&b, &a));
            prop_assert!(!distinct_facts(&a, &a));
        }
    }
}
