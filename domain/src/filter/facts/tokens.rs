//! A text cut into words, numbers and signs, in any script.
//!
//! One reading for all of [`super::Facts`]: digits of every script become ASCII digits, scripts without spaces give one token a
//! character, and what is written like code keeps its case.

use unicode_normalization::UnicodeNormalization;

use super::super::text::{case_counts, is_unspaced};
use super::numerals;

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Kind {
    /// A word, or one character of a script without spaces.
    Word,
    /// A number with its value.
    Number(f64),
    /// An arithmetic or comparison sign, or a currency.
    Sign,
    /// A comma or what stands for one.
    Comma,
    /// The end of a sentence or of a clause that stands for one.
    Break,
}

/// A piece of a text.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    /// As written, in the compatibility form.
    pub(super) surface: String,
    /// In lower case, without a possessive ending.
    pub(super) lower: String,
    /// Written like code: a flag, between backticks, with an underscore or a digit inside.
    pub(super) code: bool,
    /// No space before it.
    pub(super) touches: bool,
    /// The first word of a sentence, or behind an opening quote or bracket: its capital tells nothing.
    pub(super) opens: bool,
    /// A letter by itself that names something, so that its case counts: the key `g` is not the key `G`.
    pub(super) letter: bool,
}

/// Cuts a text.
pub(super) fn tokens(text: &str) -> Vec<Token> {
    let chars = folded(text);
    let mut scanner = Scanner {
        ticks: chars.iter().filter(|c| **c == '`').count(),
        chars: &chars,
        at: 0,
        out: Vec::with_capacity(chars.len() / 4 + 1),
        opens: true,
        quoted: false,
        shouted: !chars.iter().any(|c| c.is_lowercase()),
    };
    scanner.run();
    scanner.out
}

/// Compatibility form with one spelling for digits, signs and apostrophes. Raised digits keep their distance (`10²` is not `102`).
fn folded(text: &str) -> Vec<char> {
    if text.is_ascii() {
        return text.chars().collect();
    }
    let mut parted = String::with_capacity(text.len() + 8);
    let mut raised = false;
    let mut previous = ' ';
    for c in text.chars() {
        let raises = matches!(
            c,
            '\u{b2}' | '\u{b3}' | '\u{b9}' | '\u{2070}' | '\u{2074}'..='\u{207e}'
        );
        if raises && !raised {
            parted.push('^');
        }
        if (raised && !raises) || matches!(c, '\u{bc}'..='\u{be}' | '\u{2150}'..='\u{215e}') {
            parted.push(' ');
        }
        match c {
            // Full-width commas only separate; narrow spaces part thousands.
            '，' | '、' => parted.push_str(", "),
            '\u{a0}' | '\u{2009}' | '\u{202f}' if previous.is_numeric() => parted.push('\u{2009}'),
            '≤' | '⩽' => parted.push_str("<="),
            '≥' | '⩾' => parted.push_str(">="),
            '≠' => parted.push_str("!="),
            '\u{66b}' => parted.push('.'),
            '\u{66c}' => parted.push(','),
            '\u{2009}' => parted.push(' '),
            _ => parted.push(c),
        }
        raised = raises;
        previous = c;
    }
    let thin = |c: char| c == '\u{2009}';
    let mut out: Vec<char> = Vec::with_capacity(parted.len());
    for part in parted.split_inclusive(thin) {
        let ends = part.ends_with(thin);
        out.extend(part.trim_end_matches(thin).nfkc().map(one_spelling));
        if ends {
            out.push('\u{2009}');
        }
    }
    out
}

fn one_spelling(c: char) -> char {
    match c {
        '\u{2018}' | '\u{2019}' | '\u{201b}' | '\u{2bc}' | '\u{2032}' | '\u{b4}' => '\'',
        '\u{2212}' => '-',
        '\u{2010}' | '\u{2011}' => '-',
        '\u{d7}' | '\u{2217}' | '\u{22c5}' => '*',
        '\u{f7}' | '\u{2044}' | '\u{2215}' => '/',
        '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}' => ' ',
        _ => numerals::digit(c).map_or(c, |digit| char::from(b'0' + digit)),
    }
}

struct Scanner<'a> {
    chars: &'a [char],
    at: usize,
    out: Vec<Token>,
    /// The next word opens a sentence.
    opens: bool,
    /// Backticks that are still to come.
    ticks: usize,
    /// Between backticks.
    quoted: bool,
    /// The whole text is in capitals, which then tell nothing.
    shouted: bool,
}

impl Scanner<'_> {
    fn peek(&self, ahead: usize) -> char {
        self.chars.get(self.at + ahead).copied().unwrap_or('\0')
    }

    fn before(&self) -> char {
        match self.at {
            0 => ' ',
            at => self.chars[at - 1],
        }
    }

    fn run(&mut self) {
        while self.at < self.chars.len() {
            let c = self.peek(0);
            if c.is_ascii_digit()
                || (c == '.' && self.peek(1).is_ascii_digit() && !self.before().is_alphanumeric())
            {
                self.number();
            } else if numerals::is_han_numeral(c) && self.han_number() {
            } else if is_unspaced(c) {
                self.push(Kind::Word, c.to_string(), false);
                self.at += 1;
            } else if c.is_alphanumeric() || (c == '_' && is_word(self.peek(1))) {
                self.word();
            } else if c == '-' && self.opens_flag() {
                self.flag();
            } else if c == '\\' && self.peek(1).is_ascii_alphabetic() && !self.peek(2).is_alphabetic() {
                let escape = self.chars[self.at..self.at + 2].iter().collect();
                self.push(Kind::Word, escape, true);
                self.at += 2;
            } else {
                self.mark(c);
            }
        }
    }

    fn push(&mut self, kind: Kind, surface: String, code: bool) {
        let lower = surface.to_lowercase();
        let lower = lower
            .strip_suffix("'s")
            .unwrap_or(&lower)
            .trim_end_matches('\'')
            .to_owned();
        let start = self.at;
        let touches = start > 0 && !self.chars[start - 1].is_whitespace();
        self.out.push(Token {
            kind,
            surface,
            lower,
            code: code || self.quoted,
            touches,
            opens: self.opens,
            letter: false,
        });
        if matches!(kind, Kind::Word | Kind::Number(_)) {
            self.opens = false;
        }
    }

    /// Digits with what belongs to them; `2x2` and `3d_model` are names.
    fn number(&mut self) {
        let end = (self.at..self.chars.len())
            .find(|&i| !is_word(self.chars[i]) || is_unspaced(self.chars[i]))
            .unwrap_or(self.chars.len());
        let run = &self.chars[self.at..end];
        let letter = run.iter().position(|c| c.is_alphabetic());
        let named = run.contains(&'_') || letter.is_some_and(|at| run[at..].iter().any(char::is_ascii_digit));
        // 1e6 is a number all the same.
        let (value, length) = numerals::digits(&self.chars[self.at..]);
        if named && letter.is_some() && length < run.len() {
            let surface: String = run.iter().collect();
            self.push(Kind::Word, surface, true);
            self.at = end;
            return;
        }
        let before = self.before();
        let negative = before == '-'
            && (self.at < 2
                || matches!(
                    self.chars[self.at - 2],
                    ' ' | '\n' | '\t' | '(' | '=' | ',' | '[' | '<' | '>'
                ));
        let start = self.at;
        let mut value = if negative { -value } else { value };
        self.at += length;
        let suffix: String = self.chars[self.at..end.max(self.at)].iter().collect();
        let mut unit = String::new();
        match suffix.to_lowercase().as_str() {
            "" | "st" | "nd" | "rd" | "th" | "s" => self.at += suffix.chars().count(),
            "k" => {
                value *= 1e3;
                self.at += 1;
            }
            "bn" => {
                value *= 1e9;
                self.at += 2;
            }
            _ => unit = suffix,
        }
        if let Some((factor, length)) = numerals::han_multiplier(&self.chars[self.at..]) {
            value *= factor;
            self.at += length;
        }
        let end = std::mem::replace(&mut self.at, start);
        let surface: String = self.chars[start..end].iter().collect();
        self.push(Kind::Number(value), surface, false);
        self.at = end;
        if !unit.is_empty() {
            let length = unit.chars().count();
            self.push(Kind::Word, unit, false);
            self.at += length;
        }
    }

    /// Chinese numerals that count something; false where the character is part of another word.
    fn han_number(&mut self) -> bool {
        let Some((value, length)) = numerals::han(&self.chars[self.at..], self.before()) else {
            return false;
        };
        let surface: String = self.chars[self.at..self.at + length].iter().collect();
        self.push(Kind::Number(value), surface, false);
        self.at += length;
        true
    }

    fn word(&mut self) {
        let start = self.at;
        let mut end = start;
        while end < self.chars.len() {
            let c = self.chars[end];
            let next = self.chars.get(end + 1).copied().unwrap_or('\0');
            // Arabic joins "and" to what follows: و١٢ is a word and a number.
            let number = c.is_ascii_digit() && end > start && !self.chars[end - 1].is_ascii();
            let inside = (is_word(c) && !is_unspaced(c) && !number)
                || (c == '\'' && end > start && next.is_alphabetic())
                || (c == '.' && end > start && is_word(next) && !is_unspaced(next))
                || (c == ':' && next == ':' && end > start)
                || (c == ':' && self.chars[end - 1] == ':' && is_word(next));
            if !inside {
                break;
            }
            end += 1;
        }
        // C#, F#, C++
        let tail: &[char] = &self.chars[end..(end + 2).min(self.chars.len())];
        if tail.first() == Some(&'#') && !tail.get(1).is_some_and(|c| c.is_alphanumeric()) {
            end += 1;
        } else if end == start + 1 && tail == ['+', '+'] {
            end += 2;
        } else if is_element(&self.chars[start..end])
            && matches!(tail.first(), Some('+' | '-'))
            && !tail
                .get(1)
                .is_some_and(|c| c.is_alphanumeric() || matches!(c, '+' | '-'))
        {
            // Na+, Cl-: a charge, or a grade.
            end += 1;
        }
        let run = &self.chars[start..end];
        let initials = run.contains(&'.')
            && run.iter().all(|c| *c == '.' || c.is_alphabetic())
            && run.split(|c| *c == '.').all(|part| part.len() <= 1);
        let camel = run
            .windows(2)
            .any(|pair| pair[0].is_lowercase() && pair[1].is_uppercase());
        let code = camel
            || run
                .iter()
                .any(|c| c.is_ascii_digit() || matches!(c, '_' | ':' | '#' | '+' | '-'))
            || (run.contains(&'.') && !initials)
            || (self.chars.get(end) == Some(&'(') && self.chars.get(end + 1) == Some(&')'));
        let surface: String = run.iter().collect();
        let code = code || (!self.shouted && case_counts(&surface));
        let letter = end == start + 1 && self.is_letter(start);
        self.push(Kind::Word, surface, code);
        if let Some(token) = self.out.last_mut() {
            token.letter = letter && !token.opens;
        }
        self.at = end;
    }

    /// A letter by itself whose case counts. Left out is what people write in any case: the article and the pronoun, a part of a compound
    /// (`x-ray`), an initial (`W. Bush`), a label (`B)`), and units behind a number (`5 l`).
    fn is_letter(&self, at: usize) -> bool {
        let (c, before, next) = (self.chars[at], self.before(), self.peek(1));
        let after = (at + 2..self.chars.len())
            .map(|at| self.chars[at])
            .find(|c| !c.is_whitespace());
        let cased = c.is_lowercase() || c.is_uppercase();
        let in_any_case = matches!(c.to_ascii_lowercase(), 'a' | 'i');
        let joined = matches!(before, '-' | '\'' | '.' | '/' | '&' | '@')
            || matches!(next, '-' | '\'' | '/' | '&' | ')' | ':')
            || (next == '.' && after.is_some_and(char::is_alphanumeric));
        let counted = self
            .out
            .last()
            .is_some_and(|token| matches!(token.kind, Kind::Number(_)));
        let unit = counted && matches!(c.to_ascii_lowercase(), 'l' | 'v' | 'w' | 'c' | 'f' | 'h' | 's');
        cased && !self.shouted && !in_any_case && !joined && !unit
    }

    /// A dash before a letter that starts a word of its own: `-a`, `--hard`.
    fn opens_flag(&self) -> bool {
        let letter = if self.peek(1) == '-' {
            self.peek(2)
        } else {
            self.peek(1)
        };
        letter.is_ascii_alphabetic()
            && (self.before().is_whitespace() || matches!(self.before(), '`' | '"' | '\'' | '(' | '['))
    }

    fn flag(&mut self) {
        let length = self.chars[self.at..]
            .iter()
            .position(|c| !(c.is_alphanumeric() || matches!(c, '-' | '_')))
            .unwrap_or(self.chars.len() - self.at);
        let surface: String = self.chars[self.at..self.at + length].iter().collect();
        self.push(Kind::Word, surface, true);
        self.at += length;
    }

    fn mark(&mut self, c: char) {
        let next = self.peek(1);
        match c {
            '`' => {
                self.ticks -= 1;
                self.quoted = !self.quoted && self.ticks > 0;
            }
            '"' | '“' | '(' | '«' | '„' | '「' | '『' => self.opens = true,
            ',' => self.push(Kind::Comma, ",".into(), false),
            '!' if next == '=' => self.sign(c, next),
            // A point inside a word separates nothing.
            '.' if is_word(next) => {}
            '.' | '?' | '!' | ':' | ';' | '\n' | '。' | '।' | '؟' | '۔' | '…' => {
                self.push(Kind::Break, c.to_string(), false);
                self.opens = true;
            }
            '<' | '>' | '=' => match self.tag() {
                Some(end) => {
                    self.at = end;
                    return;
                }
                None => self.sign(c, next),
            },
            '-' if self.hyphenates() => {}
            // Between sets, statements and nodes; the arrow's dash is part of it.
            '∈' | '∉' | '∋' | '⊂' | '⊃' | '⊆' | '⊇' | '∪' | '∩' | '∧' | '∨' | '→' | '←' | '⇒' | '⇐' =>
            {
                self.push(Kind::Sign, c.to_string(), false);
            }
            '-' if next == '>' => self.pair("→"),
            '&' | '|' if next == c => self.pair(if c == '&' { "∧" } else { "∨" }),
            '+' | '*' | '/' | '^' | '%' | '-' | '&' | '|' | '$' | '€' | '£' | '¥' | '₹' | '¢' | '~' => {
                self.push(Kind::Sign, c.to_string(), false);
            }
            _ => {}
        }
        self.at += 1;
    }

    /// A dash inside a compound, which calculates nothing: "twenty-one", "covid-19"; but `x-5` does.
    fn hyphenates(&self) -> bool {
        let before = self
            .out
            .last()
            .is_some_and(|token| token.kind == Kind::Word && token.surface.chars().count() > 1);
        let after = self.peek(1).is_alphabetic() && self.peek(2).is_alphabetic();
        self.before().is_alphanumeric() && is_word(self.peek(1)) && (before || after)
    }

    /// A sign of two characters; the second is left to the caller.
    fn pair(&mut self, sign: &str) {
        self.push(Kind::Sign, sign.to_owned(), false);
        self.at += 1;
    }

    /// A comparison of one character or two.
    fn sign(&mut self, c: char, next: char) {
        if (c, next) == ('<', '-') && !self.peek(2).is_ascii_digit() {
            return self.pair("←");
        }
        let two = matches!((c, next), ('<' | '>' | '=' | '!', '=') | ('<', '>') | ('=', '>'));
        let sign = if two {
            [c, next].iter().collect()
        } else {
            c.to_string()
        };
        self.push(Kind::Sign, sign, false);
        self.at += usize::from(two);
    }

    /// The end of a mark-up tag that begins here.
    fn tag(&self) -> Option<usize> {
        let rest = &self.chars[self.at..];
        let named = matches!(rest, ['<', c, ..] if c.is_ascii_alphabetic() || *c == '/');
        if !named {
            return None;
        }
        let end = rest.iter().take(40).position(|c| *c == '>')?;
        let inside: String = rest[1..end].iter().collect();
        let plain = !inside.contains(char::is_whitespace) || inside.contains('=');
        plain.then_some(self.at + end + 1)
    }
}

/// The symbol of a chemical element, or a grade.
fn is_element(run: &[char]) -> bool {
    match run {
        [first] => first.is_ascii_uppercase(),
        [first, second] => first.is_ascii_uppercase() && second.is_ascii_lowercase(),
        _ => false,
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || unicode_normalization::char::is_combining_mark(c)
}
