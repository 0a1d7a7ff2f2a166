//! How much of a short answer stands in the passage it was asked about.
//!
//! A cheap, one-sided check for document-grounded answers: words, numbers and names that the passage does not have are
//! evidence of invention. What passes may still combine the passage's words into something false; a judge sees it later.

mod figure;
mod stop;

use std::collections::BTreeSet;

use super::number::Number;
use super::token::{Token, tokens};
use crate::number_words::cardinal;
use figure::{Figure, Figures, plain};
use stop::STOP_WORDS;

/// Above it numbers are spelled with several words, which are compared one by one.
const WORD_MAX: u8 = 20;

/// Words that judge, in the languages that such data sets are mostly in.
const VERDICTS: [&str; 24] = [
    "yes",
    "no",
    "true",
    "false",
    "maybe",
    "ja",
    "nein",
    "wahr",
    "falsch",
    "oui",
    "non",
    "vrai",
    "faux",
    "sí",
    "si",
    "verdadero",
    "falso",
    "да",
    "нет",
    "是",
    "否",
    "不是",
    "はい",
    "いいえ",
];

/// True where an answer is a bare verdict: `yes`, `No.`, `FALSE`. A passage can support one, and never says it word by word.
pub fn is_verdict(answer: &str) -> bool {
    let word = answer.trim().trim_end_matches(['.', '!', '。']).to_lowercase();
    VERDICTS.contains(&word.as_str())
}

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

/// Compares an answer with its passage. Words are compared by a light English stem, numbers by value without their sign: `3 × 10^6`
/// is three million and neither 3 nor 106.
pub fn check(answer: &str, passage: &str) -> Grounding {
    let (answer, passage) = (&*plain(answer), &*plain(passage));
    let (stems, numbers) = known(passage);
    let mut seen = BTreeSet::new();
    let mut grounding = Grounding {
        score: 0.0,
        checked: 0,
        missing_words: vec![],
        missing_numbers: vec![],
        missing_names: vec![],
    };
    let tokens = tokens(answer);
    let figures = Figures::of(answer);
    for (index, token) in tokens.iter().enumerate() {
        let figure = figures.at(token.start);
        let (item, text) = match figure {
            Some(figure) if figure.start != token.start => continue,
            Some(figure) => (figure_item(figure), &answer[figure.start..figure.end]),
            None => (item(answer, &tokens, index), token.text),
        };
        let parts = || figure.and_then(|figure| figure.parts.as_ref());
        let (there, missing) = match &item {
            Item::Nothing => continue,
            // Three million, where the three is a word.
            Item::Number(value) if !numbers.contains(value) && parts().is_some() => (
                parts()
                    .is_some_and(|(number, scale)| numbers.contains(number) && stems.contains(&stem(scale))),
                &mut grounding.missing_numbers,
            ),
            Item::Number(value) => (numbers.contains(value), &mut grounding.missing_numbers),
            Item::Name(stem) => (stems.contains(stem), &mut grounding.missing_names),
            Item::Word(stem) => (stems.contains(stem), &mut grounding.missing_words),
        };
        if seen.insert(item) {
            grounding.checked += 1;
            if !there {
                missing.push(text.to_owned());
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

/// The stems and the values that a passage has.
fn known(passage: &str) -> (BTreeSet<String>, BTreeSet<String>) {
    let (mut stems, mut numbers) = (BTreeSet::new(), BTreeSet::new());
    let figures = Figures::of(passage);
    for token in tokens(passage) {
        let word = bare(&token.text.to_lowercase());
        match figures.at(token.start) {
            Some(figure) if figure.is_number && figure.parts.is_none() => {
                numbers.insert(figure.value.clone());
                continue;
            }
            Some(figure) if figure.is_number => {
                numbers.insert(figure.value.clone());
            }
            // The unit by itself is in it, its exponent is no number.
            Some(figure) => {
                stems.insert(figure.value.clone());
                if figure.start == token.start {
                    stems.insert(stem(&word));
                }
                continue;
            }
            None => {}
        }
        numbers.extend(value(&word));
        stems.insert(stem(&word));
    }
    (stems, numbers)
}

fn figure_item(figure: &Figure) -> Item {
    match figure.is_number {
        true => Item::Number(figure.value.clone()),
        false => Item::Word(figure.value.clone()),
    }
}

/// A word without marks of indices: `H_2O` is written `H2O` as well.
fn bare(word: &str) -> String {
    let bare: String = word.chars().filter(|c| *c != '_').collect();
    if bare.is_empty() { word.to_owned() } else { bare }
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
    let word = bare(&token.text.to_lowercase());
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
    if word.starts_with(|c: char| c.is_ascii_digit()) {
        return Some(Number::parse(word).map_or_else(|| word.to_owned(), |number| number.to_string()));
    }
    cardinal(word)
        .filter(|value| *value <= WORD_MAX)
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

#[cfg(test)]
mod tests;
