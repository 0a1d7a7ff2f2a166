//! How much of a short answer stands in the passage it was asked about.
//!
//! A cheap, one-sided check for document-grounded answers: words, numbers and names that the passage does not have are
//! evidence of invention. What passes may still combine the passage's words into something false; a judge sees it later.

use std::collections::BTreeSet;

use super::number::Number;
use super::token::{Token, tokens};

/// What an answer has in common with its passage.
#[derive(Debug, Clone, PartialEq)]
pub struct Grounding {
    /// Share of the answer's distinct content words, numbers and names that the passage has; 0 where there is nothing to
    /// check ("Yes.").
    pub score: f64,
    /// How many distinct items were looked for.
    pub checked: usize,
    /// Content words the passage lacks, in any inflection.
    pub missing_words: Vec<String>,
    /// Numbers the passage lacks, in any spelling, in words up to twenty included.
    pub missing_numbers: Vec<String>,
    /// Proper names and acronyms the passage lacks.
    pub missing_names: Vec<String>,
}

impl Grounding {
    /// Every number and every name stands in the passage, and so does at least this share of all items.
    pub fn holds(&self, share_min: f64) -> bool {
        self.missing_numbers.is_empty() && self.missing_names.is_empty() && self.score >= share_min
    }
}

/// Compares an answer with its passage. Words are compared by a light English stem, numbers by value without their sign.
pub fn check(answer: &str, passage: &str) -> Grounding {
    let mut stems = BTreeSet::new();
    let mut numbers = BTreeSet::new();
    for token in tokens(passage) {
        let word = token.text.to_lowercase();
        numbers.extend(value(&word));
        stems.insert(stem(&word));
    }
    let mut seen = BTreeSet::new();
    let mut grounding = Grounding {
        score: 0.0,
        checked: 0,
        missing_words: vec![],
        missing_numbers: vec![],
        missing_names: vec![],
    };
    let tokens = tokens(answer);
    for (index, token) in tokens.iter().enumerate() {
        let item = item(answer, &tokens, index);
        let (there, missing) = match &item {
            Item::Nothing => continue,
            Item::Number(value) => (numbers.contains(value), &mut grounding.missing_numbers),
            Item::Name(stem) => (stems.contains(stem), &mut grounding.missing_names),
            Item::Word(stem) => (stems.contains(stem), &mut grounding.missing_words),
        };
        if seen.insert(item) {
            grounding.checked += 1;
            if !there {
                missing.push(token.text.to_owned());
            }
        }
    }
    let missing =
        grounding.missing_words.len() + grounding.missing_numbers.len() + grounding.missing_names.len();
    if grounding.checked > 0 {
        grounding.score = (grounding.checked - missing) as f64 / grounding.checked as f64;
    } else if is_code(answer.trim()) && stands_whole(answer.trim(), passage) {
        (grounding.checked, grounding.score) = (1, 1.0);
    }
    grounding
}

/// An option, a path or an operator (`-i`, `/etc`, `~/.x`): what it is, its signs say.
fn is_code(text: &str) -> bool {
    text.starts_with(|c: char| !c.is_alphanumeric() && !c.is_whitespace() && !"\"'(“‘".contains(c))
        && !text.contains(char::is_whitespace)
}

/// Whether the text stands in the passage by itself, not inside of something longer.
fn stands_whole(text: &str, passage: &str) -> bool {
    let inside = |c: char| c.is_alphanumeric() || "-_/".contains(c);
    passage.match_indices(text).any(|(at, found)| {
        !passage[..at].ends_with(inside) && !passage[at + found.len()..].starts_with(inside)
    })
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Item {
    Nothing,
    Number(String),
    Name(String),
    Word(String),
}

fn item(text: &str, tokens: &[Token<'_>], index: usize) -> Item {
    let token = tokens[index];
    let before = &text[index.checked_sub(1).map_or(0, |i| tokens[i].end)..token.start];
    let after = &text[token.end..];
    let word = token.text.to_lowercase();
    let starts_line = index == 0 || before.contains('\n');
    if word.starts_with(|c: char| c.is_ascii_digit()) {
        // "1. Install …" counts steps; it states nothing.
        let counts =
            starts_line && word.len() <= 2 && [". ", ") "].iter().any(|mark| after.starts_with(mark));
        return if counts {
            Item::Nothing
        } else {
            value(&word).map_or(Item::Word(word), Item::Number)
        };
    }
    if word != "one"
        && let Some(value) = value(&word)
    {
        return Item::Number(value);
    }
    if STOP_WORDS.contains(&word.replace('’', "'").as_str()) {
        return Item::Nothing;
    }
    let capitals = token.text.chars().filter(|c| c.is_uppercase()).count();
    let starts_sentence = starts_line || before.contains(['.', '!', '?', ':', '"', '“', '(']);
    let capitalised = token.text.starts_with(char::is_uppercase);
    if capitals >= 2 || (capitalised && !starts_sentence) {
        Item::Name(stem(&word))
    } else {
        Item::Word(stem(&word))
    }
}

/// A token's value in canonical spelling, from digits or from an English number word; dotted versions are kept as written.
fn value(word: &str) -> Option<String> {
    const WORDS: [&str; 21] = [
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
        "twenty",
    ];
    if word.starts_with(|c: char| c.is_ascii_digit()) {
        return Some(Number::parse(word).map_or_else(|| word.to_owned(), |number| number.to_string()));
    }
    WORDS
        .iter()
        .position(|name| *name == word)
        .map(|value| value.to_string())
}

/// Strips the commonest English endings, so that "installs", "installed" and "installing" meet. It need not be right,
/// only the same on both sides.
fn stem(word: &str) -> String {
    let word = word
        .strip_suffix("'s")
        .or_else(|| word.strip_suffix("’s"))
        .unwrap_or(word);
    let shorter = ["ies", "ied"]
        .iter()
        .find_map(|ending| Some(format!("{}y", word.strip_suffix(ending)?)))
        .or_else(|| {
            ["ing", "ed", "es", "s"]
                .iter()
                .find_map(|e| word.strip_suffix(e))
                .map(str::to_owned)
        })
        .filter(|short| short.chars().count() >= 3 && !word.ends_with("ss"))
        .unwrap_or_else(|| word.to_owned());
    let bare = match shorter.strip_suffix('e') {
        Some(bare) if bare.chars().count() >= 3 => bare,
        _ => &shorter,
    };
    // "running" and "run", and so "install", too.
    let mut ends = bare.chars().rev();
    match (ends.next(), ends.next()) {
        (Some(last), Some(twin)) if last == twin && bare.chars().count() > 3 => {
            bare[..bare.len() - last.len_utf8()].to_owned()
        }
        _ => bare.to_owned(),
    }
}

/// English words that say nothing about a passage.
const STOP_WORDS: [&str; 133] = [
    "a",
    "about",
    "above",
    "after",
    "again",
    "all",
    "also",
    "am",
    "an",
    "and",
    "any",
    "are",
    "as",
    "at",
    "be",
    "because",
    "been",
    "before",
    "being",
    "below",
    "between",
    "both",
    "but",
    "by",
    "can",
    "can't",
    "cannot",
    "could",
    "did",
    "do",
    "does",
    "doesn't",
    "doing",
    "don't",
    "down",
    "during",
    "each",
    "either",
    "else",
    "etc",
    "few",
    "for",
    "from",
    "further",
    "had",
    "has",
    "have",
    "having",
    "he",
    "her",
    "here",
    "hers",
    "him",
    "his",
    "how",
    "i",
    "if",
    "in",
    "into",
    "is",
    "isn't",
    "it",
    "it's",
    "its",
    "itself",
    "just",
    "may",
    "me",
    "might",
    "more",
    "most",
    "must",
    "my",
    "no",
    "nor",
    "not",
    "now",
    "of",
    "off",
    "on",
    "once",
    "one",
    "only",
    "or",
    "other",
    "otherwise",
    "our",
    "out",
    "over",
    "own",
    "same",
    "she",
    "should",
    "so",
    "some",
    "such",
    "than",
    "that",
    "the",
    "their",
    "them",
    "then",
    "there",
    "these",
    "they",
    "this",
    "those",
    "through",
    "to",
    "too",
    "under",
    "until",
    "up",
    "us",
    "very",
    "was",
    "we",
    "were",
    "what",
    "when",
    "where",
    "which",
    "while",
    "who",
    "whom",
    "why",
    "will",
    "with",
    "would",
    "yes",
    "you",
    "your",
    "yours",
];

#[cfg(test)]
mod tests {
    use super::*;

    const PASSAGE: &str = "Restart the daemon after installing a package. Since version 2.4, released by Maria Lopez in \
        1998, it keeps three copies of the 1,024 byte header and retries 5 times.";

    #[test]
    fn grounded_answers_hold_in_other_inflections_and_spellings() {
        for answer in [
            "The daemon must be restarted when packages are installed.",
            "It retries five times and keeps 3 copies.",
            "Maria Lopez released it in 1998.",
            "1. Install the package\n2. Restart the daemon",
            "A header of 1024 bytes",
        ] {
            let grounding = check(answer, PASSAGE);
            assert!(grounding.holds(1.0), "{answer}: {grounding:?}");
        }
    }

    #[test]
    fn options_and_paths_are_looked_for_as_they_stand() {
        let passage = "Call it with `-i`, or --inline, and it writes to /etc/mill.";
        for (answer, stands) in [
            ("-i", true),
            ("/etc/mill", true),
            ("-o", false),
            ("-in", false),
            ("/etc", false),
            ("It.", false),
        ] {
            assert_eq!(check(answer, passage).holds(0.5), stands, "{answer}");
        }
    }

    #[test]
    fn inventions_are_named() {
        let grounding = check(
            "In 1999 Maria Chavez rebooted the NAS twice, with 2.4 copies.",
            PASSAGE,
        );
        assert_eq!(grounding.missing_numbers, ["1999"]);
        assert_eq!(grounding.missing_names, ["Chavez", "NAS"]);
        assert_eq!(grounding.missing_words, ["rebooted", "twice"]);
        assert_eq!(grounding.checked, 8);
        assert!((grounding.score - 3.0 / 8.0).abs() < 1e-12);
        assert!(
            !grounding.holds(0.1),
            "a wrong number or name is never made up for"
        );
    }

    #[test]
    fn an_answer_with_nothing_to_check_is_not_grounded() {
        let grounding = check("Yes, it is.", PASSAGE);
        assert_eq!((grounding.checked, grounding.score), (0, 0.0));
        assert!(!grounding.holds(0.5));
    }

    #[test]
    fn repeating_a_word_does_not_raise_the_share() {
        let once = check("daemon zebra", PASSAGE);
        assert_eq!(once.score, check("daemon daemon daemon zebra", PASSAGE).score);
        assert_eq!(once.score, 0.5);
    }
}
