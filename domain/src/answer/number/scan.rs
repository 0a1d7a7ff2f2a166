//! Reading numbers out of running text.

use super::exact::Number;
use crate::filter::text::is_unspaced;

const CURRENCY: [char; 4] = ['$', '€', '£', '¥'];
/// Markdown and LaTeX that may stand around a number without being part of it.
const AROUND: [char; 8] = [' ', '\t', '\n', '\r', '*', '_', '`', '\\'];

/// A number and where it stands.
#[derive(Debug)]
pub(super) struct Spot {
    pub(super) number: Number,
    /// Byte offset after its last character.
    end: usize,
}

/// All numbers of a text in order.
pub(super) fn numbers(text: &str) -> impl Iterator<Item = Spot> {
    let mut at = 0;
    std::iter::from_fn(move || {
        while at < text.len() {
            match starts_number(text, at).then(|| read(text, at)).flatten() {
                Some(spot) => {
                    at = spot.end;
                    return Some(spot);
                }
                None => at += text[at..].chars().next().map_or(1, char::len_utf8),
            }
        }
        None
    })
}

/// The first number of the part before a blank line.
pub(super) fn first_number(text: &str) -> Option<Number> {
    let line = text.trim_start().lines().next()?;
    numbers(line).next().map(|spot| spot.number)
}

/// The last number of a text.
pub(super) fn last_number(text: &str) -> Option<Spot> {
    numbers(text).last()
}

/// Numbers in `\boxed{…}`, in order.
pub(super) fn boxed(text: &str) -> impl Iterator<Item = Number> {
    const MARK: &str = "\\boxed{";
    text.match_indices(MARK).filter_map(|(at, _)| {
        let inside = &text[at + MARK.len()..];
        let mut depth = 1;
        let close = inside.find(|c| {
            depth += i32::from(c == '{') - i32::from(c == '}');
            depth == 0
        })?;
        whole(&inside[..close]).or_else(|| numbers(&inside[..close]).last().map(|spot| spot.number))
    })
}

/// The number after the last "answer is", "answer:" or "answer =" of a text; behind an equation, its right-hand side.
pub(super) fn stated(text: &str) -> Option<Number> {
    // ASCII lower-casing keeps byte offsets.
    let lower = text.to_ascii_lowercase();
    let after = lower
        .match_indices("answer")
        .filter_map(|(at, word)| {
            let rest = &lower[at + word.len()..];
            let bare = rest.trim_start_matches(|c| AROUND.contains(&c));
            let mark = ["is:", "is", ":", "="]
                .into_iter()
                .find(|mark| bare.starts_with(mark))?;
            Some(at + word.len() + (rest.len() - bare.len()) + mark.len())
        })
        .last()?;
    let rest = text[after..].trim_start_matches(|c| AROUND.contains(&c));
    let sentence = rest.lines().next().unwrap_or(rest);
    let sentence = &sentence[..sentence.find(". ").unwrap_or(sentence.len())];
    let value = sentence.rsplit('=').next().unwrap_or(sentence);
    numbers(value).next().map(|spot| spot.number)
}

impl Number {
    /// Reads a text that is nothing but a number: sign, currency, thousands groups, decimals, exponent, percent,
    /// fractions (`3/4`, `\frac{3}{4}`) and mixed numbers (`1 1/2`); blanks and Markdown emphasis around it are ignored.
    ///
    /// `None` for anything else, a zero denominator, or more than 400 digits.
    pub fn parse(text: &str) -> Option<Self> {
        whole(text)
    }
}

/// A text that is one number and nothing else.
fn whole(text: &str) -> Option<Number> {
    let text = text.trim_matches(|c| AROUND.contains(&c));
    if let Some(fraction) = latex_fraction(text) {
        return Some(fraction);
    }
    let spot = read(text, 0)?;
    text[spot.end..]
        .trim_end_matches('.')
        .is_empty()
        .then_some(spot.number)
}

/// `\frac{a}{b}` with an optional sign; the leading backslash may have been trimmed.
fn latex_fraction(text: &str) -> Option<Number> {
    let bare = text.strip_prefix('-').unwrap_or(text);
    let bare = bare.trim_start_matches('\\');
    let inside = bare
        .strip_prefix("dfrac{")
        .or_else(|| bare.strip_prefix("frac{"))?
        .strip_suffix('}')?;
    let (above, below) = inside.split_once("}{")?;
    let fraction = whole(above)?.over(&whole(below)?)?;
    Some(if text.starts_with('-') {
        fraction.negated()
    } else {
        fraction
    })
}

/// Whether a number may begin here: not inside a word (`H2O`) and not inside another number. In scripts without spaces it stands
/// right behind a word.
fn starts_number(text: &str, at: usize) -> bool {
    let before = text[..at].chars().next_back();
    let inside = before.is_some_and(|c| (c.is_alphanumeric() && !is_unspaced(c)) || c == '_');
    match text[at..].chars().next() {
        // A minus right behind a word, a number or a bracket is an operator or a range.
        Some('-' | '−' | '+') => !inside && before != Some(')'),
        Some(_) => !inside,
        None => false,
    }
}

/// Reads one number with its units, beginning exactly here.
fn read(text: &str, at: usize) -> Option<Spot> {
    let mut cursor = Cursor { text, at };
    let mut negative = cursor.sign();
    if cursor.currency() {
        negative |= cursor.sign();
    }
    let first = cursor.decimal()?;
    let mut number = first.clone();
    if let Some(divisor) = cursor.divisor() {
        number = first.over(&divisor)?;
    } else if let Some(fraction) = cursor.mixed_fraction() {
        number = first.and(&fraction, false)?;
    }
    cursor.units();
    Some(Spot {
        number: if negative { number.negated() } else { number },
        end: cursor.at,
    })
}

struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn eat(&mut self, wanted: impl Fn(char) -> bool) -> bool {
        match self.rest().chars().next() {
            Some(c) if wanted(c) => {
                self.at += c.len_utf8();
                true
            }
            _ => false,
        }
    }

    fn digits(&mut self) -> &'a str {
        let rest = self.rest();
        let length = super::run(rest, |b| b.is_ascii_digit());
        self.at += length;
        &rest[..length]
    }

    fn sign(&mut self) -> bool {
        let minus = self.rest().starts_with(['-', '−']);
        self.eat(|c| matches!(c, '-' | '−' | '+'));
        minus
    }

    fn currency(&mut self) -> bool {
        let start = self.at;
        self.eat(|c| c == '\\');
        let found = self.eat(|c| CURRENCY.contains(&c));
        if found {
            self.eat(|c| c == ' ');
        } else {
            self.at = start;
        }
        found
    }

    /// Digits with thousands groups, decimals and an exponent.
    fn decimal(&mut self) -> Option<Number> {
        let mut whole = self.digits().to_owned();
        while let Some(group) = self.group(&whole) {
            whole.push_str(group);
            self.at += 1 + group.len();
        }
        let mut fraction = "";
        if self.rest().starts_with('.') && self.rest()[1..].starts_with(|c: char| c.is_ascii_digit()) {
            self.at += 1;
            fraction = self.digits();
        }
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let exponent = self.exponent();
        Number::decimal(false, &whole, fraction, exponent)
    }

    /// The next `,123`, where more than one to three digits do not stand before it.
    fn group(&self, before: &str) -> Option<&'a str> {
        let rest = self.rest().strip_prefix(',')?;
        let length = super::run(rest, |b| b.is_ascii_digit());
        let grouped = self.text[..self.at]
            .bytes()
            .rev()
            .take_while(u8::is_ascii_digit)
            .count()
            <= 3;
        // `1,00,000` is grouped the Indian way: a pair is a group when another group follows.
        let pair = length == 2 && rest[2..].starts_with(',');
        (grouped && !before.is_empty() && (length == 3 || pair)).then(|| &rest[..length])
    }

    /// `e3`, `E-3`, `× 10^3`-free: only the plain programming form, and never a word's first letter.
    fn exponent(&mut self) -> i32 {
        let start = self.at;
        if self.eat(|c| matches!(c, 'e' | 'E')) {
            let negative = self.sign();
            let digits = self.digits();
            if let (Ok(size), false) = (
                digits.parse::<i32>(),
                self.rest().starts_with(char::is_alphanumeric),
            ) {
                return if negative { -size } else { size };
            }
        }
        self.at = start;
        0
    }

    /// `/ 4`, unless a second slash makes it a date.
    fn divisor(&mut self) -> Option<Number> {
        let start = self.at;
        self.eat(|c| c == ' ');
        let slash = self.eat(|c| matches!(c, '/' | '⁄'));
        self.eat(|c| c == ' ');
        let divisor = if slash { self.decimal() } else { None };
        if divisor.is_none() || self.rest().starts_with('/') {
            self.at = start;
            return None;
        }
        divisor
    }

    /// ` 1/2` behind a whole number.
    fn mixed_fraction(&mut self) -> Option<Number> {
        let start = self.at;
        let fraction = self
            .eat(|c| c == ' ')
            .then(|| self.decimal())
            .flatten()
            .and_then(|above| self.divisor().and_then(|below| above.over(&below)));
        if fraction.is_none() {
            self.at = start;
        }
        fraction
    }

    fn units(&mut self) {
        let start = self.at;
        self.eat(|c| c == ' ');
        self.eat(|c| c == '\\');
        if !self.eat(|c| c == '%' || CURRENCY.contains(&c)) {
            self.at = start;
        }
    }
}
