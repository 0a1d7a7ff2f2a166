//! Numbers in English words, and what follows a number and changes its value: "two hundred and six", "3 million", "two thirds",
//! "25 percent", "50 cents".

use super::tokens::{Kind, Token};
use crate::number_words::{cardinal, ordinal};

/// Replaces the tokens of each number by one that holds its value.
pub(super) fn read(tokens: Vec<Token>) -> Vec<Token> {
    let mut out: Vec<Token> = Vec::with_capacity(tokens.len());
    let mut at = 0;
    while at < tokens.len() {
        let rest = &tokens[at..];
        let before = out.last().map(|token| token.lower.as_str());
        match number(rest, before) {
            Some((value, length)) => {
                // "a third", "one half": the article or the one was part of it.
                if fraction(&rest[0].lower).is_some()
                    && matches!(out.last(), Some(last) if matches!(last.lower.as_str(), "a" | "an") && last.kind == Kind::Word)
                {
                    out.pop();
                }
                let mut token = rest[0].clone();
                token.kind = Kind::Number(value);
                out.push(token);
                at += length;
            }
            None => {
                out.push(rest[0].clone());
                at += 1;
            }
        }
    }
    out
}

/// The number that starts here, and how many tokens it takes.
fn number(tokens: &[Token], before: Option<&str>) -> Option<(f64, usize)> {
    let (mut value, mut length) = whole(tokens, before)?;
    let word = |at: usize| match tokens.get(at) {
        Some(token) if token.kind == Kind::Word && !token.code => token.lower.as_str(),
        _ => "",
    };
    let sign = |at: usize| match tokens.get(at) {
        Some(token) if token.kind == Kind::Sign => token.lower.as_str(),
        _ => "",
    };
    // 1/2, and 5 1/2 with a space before the fraction.
    let divided = |at: usize| match (tokens.get(at), tokens.get(at + 1), tokens.get(at + 2)) {
        (Some(a), Some(slash), Some(b))
            if slash.kind == Kind::Sign && slash.lower == "/" && slash.touches && b.touches =>
        {
            let chained = sign(at + 3) == "/" && tokens.get(at + 3).is_some_and(|slash| slash.touches);
            match (a.kind, b.kind) {
                (Kind::Number(a), Kind::Number(b)) if b != 0.0 && !chained => Some(a / b),
                _ => None,
            }
        }
        _ => None,
    };
    if let Some(fraction) = divided(0).filter(|_| length == 1) {
        (value, length) = (fraction, 3);
    } else if let Some(fraction) = divided(length).filter(|fraction| *fraction < 1.0 && value.fract() == 0.0)
    {
        if !tokens[length].touches {
            (value, length) = (value + fraction, length + 3);
        }
    } else if let Some(part) = fraction(word(length)).filter(|_| value >= 1.0 && value.fract() == 0.0) {
        (value, length) = (value * part, length + 1);
    } else if word(length) == "and" {
        // "two and a half"
        let article = usize::from(matches!(word(length + 1), "a" | "one"));
        if let Some(part) = fraction(word(length + 1 + article)).filter(|_| article == 1) {
            (value, length) = (value + part, length + 3);
        }
    }
    if sign(length) == "%" || word(length) == "percent" || word(length) == "percentage" {
        (value, length) = (value / 100.0, length + 1);
    } else if word(length) == "per" && word(length + 1) == "cent" {
        (value, length) = (value / 100.0, length + 2);
    } else if sign(length) == "¢" || matches!(word(length), "cent" | "cents") {
        (value, length) = (value / 100.0, length + 1);
    }
    Some((value, length))
}

/// Part of one that a word names.
fn fraction(word: &str) -> Option<f64> {
    let word = word.strip_suffix('s').unwrap_or(word);
    match word {
        "half" | "halve" => Some(0.5),
        "quarter" => Some(0.25),
        _ => ordinal(word).map(|value| f64::from(value).recip()),
    }
}

fn factor(word: &str) -> Option<f64> {
    match word {
        "hundred" | "hundreds" => Some(100.0),
        "thousand" | "thousands" => Some(1e3),
        "million" | "millions" => Some(1e6),
        "billion" | "billions" => Some(1e9),
        "dozen" | "dozens" => Some(12.0),
        "lakh" | "lakhs" => Some(1e5),
        "crore" | "crores" => Some(1e7),
        _ => None,
    }
}

/// A whole number in digits or words, or a word that stands for one.
fn whole(tokens: &[Token], before: Option<&str>) -> Option<(f64, usize)> {
    let first = tokens.first()?;
    let word = |at: usize| match tokens.get(at) {
        Some(token) if token.kind == Kind::Word && !token.code => token.lower.as_str(),
        _ => "",
    };
    if let Kind::Number(value) = first.kind {
        let multiplier = factor(word(1));
        return Some(multiplier.map_or((value, 1), |by| (value * by, 2)));
    }
    let lower = word(0);
    match lower {
        "twice" | "double" | "doubled" | "doubles" => return Some((2.0, 1)),
        "thrice" | "triple" | "tripled" | "triples" => return Some((3.0, 1)),
        "half" | "quarter" => {
            // "half a dozen"
            let article = usize::from(word(1) == "a");
            let part = fraction(lower)?;
            return Some(match factor(word(1 + article)) {
                Some(by) => (part * by, 2 + article),
                None => (part, 1),
            });
        }
        "second" => {
            let follows = matches!(
                before,
                Some("the" | "his" | "her" | "its" | "their" | "our" | "my" | "your")
            );
            return follows.then_some((2.0, 1));
        }
        "first" => return Some((1.0, 1)),
        _ => {}
    }
    if let Some(value) = ordinal(lower).map(f64::from) {
        let part = matches!(before, Some("a" | "an"));
        return Some((if part { value.recip() } else { value }, 1));
    }
    spelled(tokens)
}

/// "two hundred and twenty-five thousand".
fn spelled(tokens: &[Token]) -> Option<(f64, usize)> {
    // What the last word leaves room for, so that "two three" is two numbers: below 10 after tens, below 100 after hundreds.
    let (mut large, mut small, mut room, mut length) = (0.0, 0.0, 1e12, 0);
    let word = |at: usize| match tokens.get(at) {
        Some(token) if token.kind == Kind::Word && !token.code => token.lower.as_str(),
        _ => "",
    };
    loop {
        let lower = word(length);
        if let Some((value, wants, leaves)) = small_word(lower) {
            if room < wants {
                break;
            }
            small += value;
            room = leaves;
            length += 1;
        } else if let Some(by) = factor(lower) {
            if by == 12.0 && length > 0 {
                return Some(((large + small) * by, length + 1));
            }
            let value = if small == 0.0 { 1.0 } else { small };
            if by >= 1e3 {
                large += value * by;
                small = 0.0;
                room = 1e3;
            } else {
                small = value * by;
                room = 100.0;
            }
            length += 1;
        } else if lower == "and"
            && length > 0
            && room >= 100.0
            && small_word(word(length + 1)).is_some_and(|(_, wants, _)| room >= wants)
        {
            length += 1;
        } else {
            break;
        }
    }
    (length > 0).then_some((large + small, length))
}

/// A number below a hundred in one word: its value, the room that it wants, and the room that it leaves.
fn small_word(word: &str) -> Option<(f64, f64, f64)> {
    let value = cardinal(word)?;
    let (wants, leaves) = match value {
        0..10 => (10.0, 1.0),
        10..20 => (100.0, 1.0),
        _ => (100.0, 10.0),
    };
    Some((value.into(), wants, leaves))
}
