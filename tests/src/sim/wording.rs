//! Other words for the same text, and one canonical reading of all of them.
//!
//! A rewording replaces phrases by members of the same class, spells small numbers, wraps the text in a frame, inserts phrases
//! that carry no meaning and moves the question to the front. [`canon`] undoes all of it: it maps every class to one token, drops frames
//! and fillers, turns number words into digits and forgets the order of sentences. So a rewording of a rewording still leads back
//! to the original without any record of what was said before. [`reword`] proves that for each text before it returns it.

use super::draw::{Draw, hash64};
use super::lexicon::{LEXICON, Sense};

/// Opens a sentence that names a topic without belonging to the question: "A problem on X: …".
pub(crate) const TOPIC: &str = "a problem on ";

const NUMBERS: [&str; 13] = [
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
];
const TENS: [(&str, &str); 11] = [
    ("twenty", "20"),
    ("thirty", "30"),
    ("forty", "40"),
    ("fifty", "50"),
    ("sixty", "60"),
    ("seventy", "70"),
    ("eighty", "80"),
    ("ninety", "90"),
    ("fifteen", "15"),
    ("eighteen", "18"),
    ("sixteen", "16"),
];
/// Words that lose their capital when something is put in front of them.
const OPENERS: [&str; 34] = [
    "the",
    "a",
    "an",
    "if",
    "how",
    "what",
    "he",
    "she",
    "they",
    "it",
    "there",
    "on",
    "in",
    "at",
    "each",
    "every",
    "all",
    "does",
    "is",
    "are",
    "can",
    "do",
    "which",
    "who",
    "when",
    "after",
    "before",
    "his",
    "her",
    "their",
    "calculate",
    "find",
    "give",
    "return",
];
const ASKING: [&str; 13] = [
    "how",
    "what",
    "which",
    "if",
    "calculate",
    "find",
    "who",
    "when",
    "does",
    "is",
    "are",
    "in",
    "compute",
];

/// A word of the text and where it stands.
#[derive(Debug)]
struct Token {
    start: usize,
    end: usize,
    lower: String,
    /// Inside double quotes: taken literally.
    quoted: bool,
    sentence: usize,
}

/// One or more tokens with one sense; `None` is a plain word.
#[derive(Debug)]
struct Segment {
    first: usize,
    last: usize,
    sense: Option<Sense>,
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Cuts a text into words with their sentences.
fn tokens(text: &str) -> Vec<Token> {
    let mut tokens: Vec<Token> = Vec::new();
    let (mut sentence, mut quoted) = (0, false);
    let mut chars = text.char_indices().peekable();
    while let Some((start, c)) = chars.next() {
        if is_word(c) {
            let mut end = start + c.len_utf8();
            while let Some(&(at, next)) = chars.peek() {
                let follows = text[at + next.len_utf8()..].chars().next();
                let before_digit = text[..at].ends_with(|c: char| c.is_ascii_digit());
                let inside = match next {
                    '\'' | '’' => follows.is_some_and(char::is_alphabetic),
                    '.' | ',' => before_digit && follows.is_some_and(|c| c.is_ascii_digit()),
                    other => is_word(other),
                };
                if !inside {
                    break;
                }
                end = at + next.len_utf8();
                chars.next();
            }
            tokens.push(Token {
                start,
                end,
                lower: lower(&text[start..end]),
                quoted,
                sentence,
            });
        } else {
            let next = chars.peek().map(|&(_, c)| c);
            match c {
                '"' => quoted = !quoted && text[start + 1..].contains('"'),
                '\n' => sentence += 1,
                '.' | '?' | '!' | ':' if !quoted && next.is_none_or(char::is_whitespace) => sentence += 1,
                _ => {}
            }
        }
    }
    tokens
}

fn lower(word: &str) -> String {
    let numeric = word.starts_with(|c: char| c.is_ascii_digit());
    word.chars()
        .filter(|c| !(numeric && *c == ','))
        .flat_map(char::to_lowercase)
        .map(|c| if c == '’' { '\'' } else { c })
        .collect()
}

/// Groups tokens into known phrases, the longest first.
fn segments(tokens: &[Token]) -> Vec<Segment> {
    let mut segments = Vec::with_capacity(tokens.len());
    let mut at = 0;
    while at < tokens.len() {
        let found = LEXICON
            .phrases
            .get(tokens[at].lower.as_str())
            .into_iter()
            .flatten()
            .find(|(words, _)| {
                at + words.len() <= tokens.len()
                    && tokens[at..at + words.len()]
                        .iter()
                        .zip(words)
                        .all(|(t, w)| !t.quoted && t.lower == *w && t.sentence == tokens[at].sentence)
            });
        let (length, sense) = found.map_or((1, None), |(words, sense)| (words.len(), Some(*sense)));
        segments.push(Segment {
            first: at,
            last: at + length - 1,
            sense,
        });
        at += length;
    }
    segments
}

/// A text reduced to what its rewordings share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Canon {
    /// Canonical tokens by sentence, in the order of the text, without empty sentences.
    pub(crate) sentences: Vec<Vec<String>>,
}

impl Canon {
    /// A hash that all rewordings share.
    pub(crate) fn key(&self) -> u64 {
        let mut sorted: Vec<String> = self.sentences.iter().map(|s| s.join(" ")).collect();
        sorted.sort_unstable();
        hash64(&[sorted.join("\n").as_bytes()])
    }
}

/// The canonical reading of a text.
pub(crate) fn canon(text: &str) -> Canon {
    let text = without_topic(text);
    let tokens = tokens(&text);
    let mut sentences: Vec<Vec<String>> = Vec::new();
    let mut current = usize::MAX;
    for segment in segments(&tokens) {
        let token = &tokens[segment.first];
        let word = match segment.sense {
            Some(Sense::Nothing) => continue,
            Some(Sense::Class(class)) => format!("#{class}"),
            None if token.quoted => format!("\"{}", token.lower),
            None => digits(&token.lower).map_or_else(|| token.lower.clone(), str::to_owned),
        };
        if token.sentence != current || sentences.is_empty() {
            sentences.push(Vec::new());
            current = token.sentence;
        }
        if let Some(sentence) = sentences.last_mut() {
            sentence.push(word);
        }
    }
    Canon { sentences }
}

/// Cuts out "a problem on X: ", wherever it stands.
fn without_topic(text: &str) -> std::borrow::Cow<'_, str> {
    let ascii = text.to_ascii_lowercase();
    let cut = ascii
        .find(TOPIC)
        .and_then(|start| Some((start, start + ascii[start..].find(": ")? + 2)));
    match cut {
        Some((start, end)) => format!("{}{}", &text[..start], &text[end..]).into(),
        None => text.into(),
    }
}

fn digits(word: &str) -> Option<&'static str> {
    const DIGITS: [&str; 13] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12"];
    NUMBERS
        .iter()
        .position(|n| *n == word)
        .map(|i| DIGITS[i])
        .or_else(|| TENS.iter().find(|(n, _)| *n == word).map(|(_, d)| *d))
}

/// How much a rewording changes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Strength {
    /// Share of known phrases replaced.
    swaps: f64,
    /// Whether a frame, fillers and a change of order are allowed.
    frames: bool,
}

impl Strength {
    /// A rephrasing that shares few word triples with its source.
    pub(crate) const FULL: Self = Self {
        swaps: 0.8,
        frames: true,
    };
    /// Variation of wording within the same structure, for reasoning.
    pub(crate) const WORDS: Self = Self {
        swaps: 0.6,
        frames: false,
    };
}

/// The text in other words; its canonical key is that of the text.
pub(crate) fn reword(text: &str, strength: Strength, draw: Draw) -> String {
    let key = canon(text).key();
    for attempt in 0..4 {
        let draw = draw.at(attempt);
        // A replacement may form a longer phrase with its neighbours; each new try replaces less.
        let strength = Strength {
            swaps: strength.swaps / (attempt + 1) as f64,
            ..strength
        };
        let mut new = swap(text, strength.swaps, draw.of("swap"));
        if strength.frames {
            new = frame(&new, attempt < 2, draw.of("frame"));
        }
        if new != text && canon(&new).key() == key {
            return new;
        }
    }
    if !strength.frames {
        return text.to_owned();
    }
    let framed = frame(text, false, draw.of("plain"));
    if canon(&framed).key() == key {
        framed
    } else {
        text.to_owned()
    }
}

/// The text as the simulated teacher rephrases it; another number, another wording.
pub fn rephrased(text: &str, number: u64) -> String {
    reword(text, Strength::FULL, Draw::new(number))
}

/// A copy with an edit so small that any duplicate filter should see it.
pub(crate) fn near_copy(text: &str, draw: Draw) -> String {
    let key = canon(text).key();
    let small = LEXICON.frame("small");
    let copy = match draw.of("edit").below(4) {
        0 => format!("{}, {}", capital(draw.of("word").text(small)), uncapital(text)),
        1 => format!("{} Please.", text.trim_end()),
        2 => match text.strip_suffix('?') {
            Some(stem) => format!("{stem} ?"),
            None => format!("{} ", text.trim_end_matches('.')),
        },
        _ => text.to_owned(),
    };
    if canon(&copy).key() == key {
        copy
    } else {
        text.to_owned()
    }
}

/// Replaces a share of the known phrases by other members of their classes.
fn swap(text: &str, share: f64, draw: Draw) -> String {
    let tokens = tokens(text);
    let mut new = String::with_capacity(text.len() + text.len() / 4);
    let mut copied = 0;
    for (i, segment) in segments(&tokens).iter().enumerate() {
        let (start, end) = (tokens[segment.first].start, tokens[segment.last].end);
        let draw = draw.at(i as u64);
        if tokens[segment.first].quoted || !draw.of("do").chance(share) {
            continue;
        }
        let replacement = match segment.sense {
            Some(Sense::Class(class)) => draw.of("which").pick(&LEXICON.classes[class]).copied(),
            Some(Sense::Nothing) => None,
            None => spelled(text, &tokens[segment.first]),
        };
        if let Some(replacement) = replacement {
            new.push_str(&text[copied..start]);
            let opens = text[start..].starts_with(char::is_uppercase);
            new.push_str(&if opens {
                capital(replacement)
            } else {
                replacement.to_owned()
            });
            copied = end;
        }
    }
    new.push_str(&text[copied..]);
    new
}

/// A small number that stands free in running text, in the other spelling; not inside a calculation.
fn spelled(text: &str, token: &Token) -> Option<&'static str> {
    let (before, after) = (&text[..token.start], &text[token.end..]);
    let free = before.chars().next_back().is_none_or(char::is_whitespace)
        && after.chars().next().is_none_or(|c| c.is_whitespace() || c == ',');
    let sign = |c: Option<char>| c.is_some_and(|c| "+-*/=x×÷<>".contains(c));
    let calculated = sign(before.trim_end().chars().next_back()) || sign(after.trim_start().chars().next());
    let value: usize = token.lower.parse().ok()?;
    (free && !calculated && value >= 2 && !token.lower.starts_with('0'))
        .then(|| NUMBERS.get(value).copied())
        .flatten()
}

/// Puts a text into a frame, adds fillers, and moves the question to the front where it can.
fn frame(text: &str, may_move: bool, draw: Draw) -> String {
    let mut sentences = split(text);
    let question = sentences.last().is_some_and(|last| {
        ASKING.contains(&first_word(last).as_str()) && last.trim_end().ends_with(['?', '.'])
    });
    for (i, sentence) in sentences.iter_mut().enumerate() {
        let draw = draw.of("filler").at(i as u64);
        let asks = sentence.trim_end().ends_with('?') || ASKING.contains(&first_word(sentence).as_str());
        if draw.of("do").chance(0.45) {
            let statement = !asks && draw.of("kind").chance(0.6);
            let filler = if statement {
                format!("{} ", draw.text(LEXICON.frame("statement")))
            } else {
                format!("{}, ", draw.text(LEXICON.frame("neutral")))
            };
            *sentence = capital(&format!("{filler}{}", uncapital(sentence)));
        }
    }
    let moved = may_move && question && sentences.len() > 1 && draw.of("move").chance(0.5);
    if moved && let Some(last) = sentences.pop() {
        let link = capital(draw.of("link").text(LEXICON.frame("link")));
        let first = sentences
            .first()
            .map(|s| s.trim_start().to_owned())
            .unwrap_or_default();
        if let Some(slot) = sentences.first_mut() {
            *slot = format!("{} {link}: {first}", last.trim());
        }
    }
    let mut new = sentences.join(" ");
    // A short text has little else to differ in.
    let short = text.len() < 100;
    if draw.of("open").chance(if short { 0.95 } else { 0.75 }) {
        new = format!(
            "{}: {new}",
            capital(
                draw.of("opener")
                    .pick(&LEXICON.openers)
                    .map_or("", String::as_str)
            )
        );
    }
    if draw.of("close").chance(0.4) {
        new = format!(
            "{} {}",
            new.trim_end(),
            draw.of("closer").text(LEXICON.frame("closer"))
        );
    }
    new
}

/// Sentences with their punctuation.
fn split(text: &str) -> Vec<String> {
    let mut sentences: Vec<String> = Vec::new();
    let mut start = 0;
    let bytes = text.as_bytes();
    for (i, c) in text.char_indices() {
        let ends = matches!(c, '.' | '?' | '!') && bytes.get(i + 1).is_some_and(u8::is_ascii_whitespace);
        // Only where a capital follows: "vs. placebo" and "approx. 3" go on.
        let opens = text[i + usize::from(ends)..]
            .trim_start()
            .starts_with(|c: char| c.is_uppercase() || c == '"');
        if ends && opens {
            sentences.push(text[start..=i].trim().to_owned());
            start = i + 1;
        }
    }
    sentences.push(text[start..].trim().to_owned());
    sentences.retain(|s| !s.is_empty());
    sentences
}

fn first_word(text: &str) -> String {
    text.split_whitespace()
        .next()
        .unwrap_or_default()
        .trim_matches(|c: char| !is_word(c))
        .to_lowercase()
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars
        .next()
        .map_or_else(String::new, |c| c.to_uppercase().chain(chars).collect())
}

/// Without the capital of its first word, where that word is no name.
fn uncapital(text: &str) -> String {
    let first = first_word(text);
    if !OPENERS.contains(&first.as_str()) && !LEXICON.phrases.contains_key(&first) {
        return text.to_owned();
    }
    let mut chars = text.chars();
    chars
        .next()
        .map_or_else(String::new, |c| c.to_lowercase().chain(chars).collect())
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    const CLIPS: &str = "Natalia sold clips to 48 of her friends in April, and then she sold half as many clips in May. \
                         How many clips did Natalia sell altogether in April and May?";

    fn triples(text: &str) -> HashSet<Vec<String>> {
        let words: Vec<String> = tokens(text).into_iter().map(|t| t.lower).collect();
        words.windows(3).map(<[String]>::to_vec).collect()
    }

    fn jaccard(a: &str, b: &str) -> f64 {
        let (a, b) = (triples(a), triples(b));
        a.intersection(&b).count() as f64 / a.union(&b).count().max(1) as f64
    }

    #[test]
    fn rewordings_differ_clearly_and_near_copies_hardly() {
        let n = 400;
        let far = (0..n)
            .filter(|i| jaccard(CLIPS, &reword(CLIPS, Strength::FULL, Draw::new(*i))) < 0.7)
            .count();
        assert!(far > 380, "{far} of {n} rewordings are clear of the original");
        let near = (0..n)
            .filter(|i| jaccard(CLIPS, &near_copy(CLIPS, Draw::new(*i))) > 0.8)
            .count();
        assert_eq!(near, n as usize);
        let texts: HashSet<String> = (0..n)
            .map(|i| reword(CLIPS, Strength::FULL, Draw::new(i)))
            .collect();
        assert!(texts.len() > 390, "{} texts", texts.len());
    }

    #[test]
    fn other_numbers_or_names_are_other_questions() {
        let key = |text: &str| canon(text).key();
        assert_ne!(key(CLIPS), key(&CLIPS.replace("48", "49")));
        assert_ne!(key(CLIPS), key(&CLIPS.replace("Natalia", "Nora")));
        assert_eq!(
            key(CLIPS),
            key(&CLIPS
                .replace("How many", "What number of")
                .replace("then", "subsequently"))
        );
    }

    proptest! {
        #[test]
        fn any_text_survives_two_rewordings(text in "([A-Za-z]{1,9}|how many|[0-9]{1,4}|each|as well|[.?!,:\"]){1,2}( ([a-z]{1,9}|in all|the|two|so|in the|[0-9]{1,2}|[.?!,:\"])){0,30}", seed: u64) {
            let key = canon(&text).key();
            let once = reword(&text, Strength::FULL, Draw::new(seed));
            prop_assert_eq!(canon(&once).key(), key);
            prop_assert_eq!(canon(&reword(&once, Strength::FULL, Draw::new(!seed))).key(), key);
            prop_assert_eq!(canon(&near_copy(&text, Draw::new(seed))).key(), key);
        }
    }
}
