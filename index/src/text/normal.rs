//! The normal form, one pass over the characters.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// A text in its normal form for matching: words and signs, each followed by one space but the last.
///
/// - NFKC and lower case, with superscripts (`x²` as `x ^ 2`) and fractions (`5½` as `5 1 / 2`) kept apart from the
///   digits before them, which plain NFKC would run together (`10²` into `102`).
/// - A word is a run of letters and digits, with what joins its inside: an apostrophe (all its variants become `'`), an
///   underscore, a decimal point. Thousands separators go (`1,000` is `1000`); `.5` is `0.5`; `c#` keeps its `#`.
/// - `+ = < > % ^ & !=`, currencies and other symbols are words of their own. `- / *` are only where they calculate: before a
///   number (but not in `covid-19`), or between single letters and numbers; else they separate, as other punctuation does.
/// - Each character of a script written without spaces (Chinese, Japanese, Thai …) is a word.
///
/// Normalizing twice changes nothing. A text without any word or sign becomes empty.
pub fn normalize(text: &str) -> String {
    let chars: Vec<char> = if text.is_ascii() {
        text.bytes()
            .map(|byte| char::from(byte.to_ascii_lowercase()))
            .collect()
    } else {
        fold(text)
    };
    Scanner::new(&chars, text.len()).run()
}

/// Compatibility form and lower case of a text that is more than ASCII.
fn fold(text: &str) -> Vec<char> {
    let mut parted = String::with_capacity(text.len() + 8);
    let mut raised = false;
    for c in text.chars() {
        let raises = is_superscript(c);
        if raises && !raised {
            parted.push('^');
        }
        if is_fraction(c) || (raised && !raises) {
            parted.push(' ');
        }
        parted.push(c);
        raised = raises;
    }
    // Lower-casing can leave a sequence that composes again, so the form is taken on both sides of it.
    parted
        .nfkc()
        .flat_map(char::to_lowercase)
        .nfkc()
        .map(plain_variant)
        .collect()
}

/// One spelling for characters that differ only typographically.
fn plain_variant(c: char) -> char {
    match c {
        '\u{2018}' | '\u{2019}' | '\u{201b}' | '\u{2bc}' | '\u{2032}' | '\u{b4}' | '`' => '\'',
        '\u{2010}'..='\u{2015}' | '\u{2212}' => '-',
        '\u{d7}' | '\u{2217}' | '\u{22c5}' => '*',
        '\u{f7}' | '\u{2044}' | '\u{2215}' => '/',
        'ς' => 'σ',
        _ => c,
    }
}

/// What stood before, as far as it decides whether a sign calculates.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    /// Nothing, or a symbol.
    Other,
    /// A word that starts with a digit, or a single letter.
    Operand,
    /// Any other word.
    Word,
}

/// Reads characters and writes words.
struct Scanner<'a> {
    chars: &'a [char],
    at: usize,
    out: String,
    before: Before,
    /// A `-`, `/` or `*` that waits for what follows, and whether it touches the word before.
    sign: Option<(char, bool)>,
}

impl<'a> Scanner<'a> {
    fn new(chars: &'a [char], bytes: usize) -> Self {
        Self {
            chars,
            at: 0,
            out: String::with_capacity(bytes + 8),
            before: Before::Other,
            sign: None,
        }
    }

    fn run(mut self) -> String {
        while let Some(&c) = self.chars.get(self.at) {
            if is_unspaced(c) {
                self.unspaced(c);
            } else if c.is_alphanumeric() || self.opens_decimal(c) {
                self.word();
            } else {
                self.mark(c);
            }
        }
        self.out
    }

    fn peek(&self, ahead: usize) -> Option<char> {
        self.chars.get(self.at + ahead).copied()
    }

    fn previous(&self) -> Option<char> {
        self.chars.get(self.at.wrapping_sub(1)).copied()
    }

    /// A point that starts a number, as in `.5`.
    fn opens_decimal(&self, c: char) -> bool {
        c == '.'
            && self.peek(1).is_some_and(|next| next.is_ascii_digit())
            && self.previous().is_none_or(|p| p != '.' && !p.is_alphanumeric())
    }

    /// One character of a script without spaces, with the marks on it.
    fn unspaced(&mut self, c: char) {
        self.sign = None;
        self.space();
        self.out.push(c);
        self.at += 1;
        while let Some(mark) = self.peek(0).filter(|&m| is_combining_mark(m) && !is_unspaced(m)) {
            self.out.push(mark);
            self.at += 1;
        }
        self.before = Before::Word;
    }

    /// A word from here to its end.
    fn word(&mut self) {
        let start = self.at;
        let mut word = String::new();
        if self.chars[start] == '.' {
            word.push_str("0.");
            self.at += 1;
        }
        while let Some(c) = self.peek(0) {
            let inside = (c.is_alphanumeric() && !is_unspaced(c)) || is_combining_mark(c) || self.joins(c);
            if inside {
                word.push(c);
            } else if !self.groups_thousands(start) {
                break;
            }
            self.at += 1;
        }
        if self.peek(0) == Some('#') && !self.peek(1).is_some_and(char::is_alphanumeric) {
            word.push('#');
            self.at += 1;
        }
        let number = word.starts_with(|c: char| c.is_ascii_digit());
        let letter = word.chars().count() == 1;
        if let Some((sign, touches)) = self.sign.take() {
            let calculates = if number {
                !(touches && self.before == Before::Word)
            } else {
                letter && self.before == Before::Operand
            };
            if calculates {
                self.space();
                self.out.push(sign);
            }
        }
        self.space();
        self.out.push_str(&word);
        self.before = if number || letter {
            Before::Operand
        } else {
            Before::Word
        };
    }

    /// True for a character here that belongs to the word around it.
    fn joins(&self, c: char) -> bool {
        let (Some(before), Some(after)) = (self.previous(), self.peek(1)) else {
            return false;
        };
        match c {
            '\'' | '_' => before.is_alphanumeric() && after.is_alphanumeric() && !is_unspaced(after),
            '.' => after.is_ascii_digit() && !before.is_alphabetic() && before != '.',
            _ => false,
        }
    }

    /// True for a comma here that parts thousands in the number that began at `start`.
    fn groups_thousands(&self, start: usize) -> bool {
        let digit = |ahead: usize| self.peek(ahead).is_some_and(|c| c.is_ascii_digit());
        let lead = &self.chars[start..self.at];
        self.peek(0) == Some(',')
            && digit(1)
            && digit(2)
            && digit(3)
            && !digit(4)
            && lead.iter().all(|&c| c.is_ascii_digit() || c == ',')
            && lead.iter().take_while(|&&c| c != ',').count() <= 3
    }

    /// A character outside words: a symbol, a sign that may calculate, or what only separates.
    fn mark(&mut self, c: char) {
        let touches = self.previous().is_some_and(char::is_alphanumeric);
        self.at += 1;
        match c {
            '-' | '/' | '*' => self.sign = Some((c, touches)),
            '!' if self.peek(0) == Some('=') => {
                self.at += 1;
                self.symbol("!=");
            }
            '+' | '=' | '<' | '>' | '%' | '^' | '&' | '$' => self.symbol(c.encode_utf8(&mut [0; 4])),
            _ if c.is_ascii() || separates(c) => {
                // A dash or star next to other punctuation is decoration, except before an opening bracket.
                if !c.is_whitespace() && c != '(' {
                    self.sign = None;
                }
            }
            _ => self.symbol(c.encode_utf8(&mut [0; 4])),
        }
    }

    fn symbol(&mut self, symbol: &str) {
        self.sign = None;
        self.space();
        self.out.push_str(symbol);
        self.before = Before::Other;
    }

    fn space(&mut self) {
        if !self.out.is_empty() {
            self.out.push(' ');
        }
    }
}

const fn is_superscript(c: char) -> bool {
    matches!(
        c,
        '\u{b2}' | '\u{b3}' | '\u{b9}' | '\u{2070}' | '\u{2071}' | '\u{2074}'..='\u{207f}'
    )
}

const fn is_fraction(c: char) -> bool {
    matches!(c, '\u{bc}'..='\u{be}' | '\u{2150}'..='\u{215f}' | '\u{2189}')
}

/// Letters of scripts that put no space between words.
const fn is_unspaced(c: char) -> bool {
    matches!(c,
        '\u{0e00}'..='\u{0eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}' | '\u{3040}'..='\u{30ff}'
        | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{323af}')
}

/// Non-ASCII characters that only separate: spaces, controls, punctuation, and marks with nothing to stand on.
fn separates(c: char) -> bool {
    c.is_whitespace()
        || c.is_control()
        || is_combining_mark(c)
        || matches!(c,
            '\u{a1}' | '\u{a7}' | '\u{a8}' | '\u{ab}' | '\u{ad}' | '\u{b6}'..='\u{b8}' | '\u{bb}' | '\u{bf}'
            | '\u{37e}' | '\u{387}' | '\u{55a}'..='\u{55f}' | '\u{589}' | '\u{5be}' | '\u{5c0}' | '\u{5c3}'
            | '\u{5f3}' | '\u{5f4}' | '\u{60c}' | '\u{61b}' | '\u{61f}' | '\u{66a}'..='\u{66d}' | '\u{6d4}'
            | '\u{964}' | '\u{965}' | '\u{1361}'..='\u{1368}' | '\u{2000}'..='\u{206f}' | '\u{2e00}'..='\u{2e7f}'
            | '\u{3000}'..='\u{303f}' | '\u{feff}' | '\u{fff9}'..='\u{fffd}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_does_not_change_a_question_is_forgotten() {
        for (text, expected) in [
            ("  What's\tthe — “Answer”?!\n", "what's the answer"),
            ("What’s the answer", "what's the answer"),
            ("the students’ 'own' book…", "the students own book"),
            ("Cost: $1,000.", "cost $ 1000"),
            ("**Bold**, well-known and/or _new_", "bold well known and or new"),
            ("COVID-19", "covid 19"),
            ("Straße ﬁne ＦＵＬＬ", "straße fine full"),
            ("ΟΔΟΣ", "οδοσ"),
            ("- first\n- second", "first second"),
            ("(see p. 3)", "see p 3"),
            ("student_name", "student_name"),
            ("?!…", ""),
            ("", ""),
        ] {
            assert_eq!(normalize(text), expected, "{text:?}");
        }
    }

    #[test]
    fn what_changes_a_question_is_kept() {
        for (text, expected) in [
            ("3.14 and 3,14 and 314", "3.14 and 3 14 and 314"),
            ("1,234,567.5 but 1,2345", "1234567.5 but 1 2345"),
            ("x = -5, not 5", "x = - 5 not 5"),
            ("3*4, 3×4, 3-4, 3÷4, a/b", "3 * 4 3 * 4 3 - 4 3 / 4 a / b"),
            ("10² is not 102", "10 ^ 2 is not 102"),
            ("5½ cups", "5 1 / 2 cups"),
            ("a != b", "a != b"),
            ("C# or C++ or C", "c# or c + + or c"),
            (".5 l...5", "0.5 l 5"),
            ("version 1.2.3.", "version 1.2.3"),
            ("5 > 3 %", "5 > 3 %"),
            ("3 * (4)", "3 * 4"),
            ("good 🙂 day", "good 🙂 day"),
            ("東京はどこ?", "東 京 は ど こ"),
            ("हिन्दी", "हिन्दी"),
        ] {
            assert_eq!(normalize(text), expected, "{text:?}");
        }
    }

    /// Texts that mix everything the form treats specially.
    fn tricky() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            Just("-"),
            Just("/"),
            Just("*"),
            Just("."),
            Just(","),
            Just("'"),
            Just("’"),
            Just("#"),
            Just("_"),
            Just("("),
            Just("1"),
            Just("234"),
            Just("000"),
            Just("a"),
            Just("word"),
            Just("²"),
            Just("½"),
            Just("!"),
            Just("="),
            Just("東"),
            Just("ก"),
            Just("\u{301}"),
            Just("İ"),
            Just("Σ"),
            Just(" "),
            Just("\u{200d}"),
            Just("🙂"),
            Just("+"),
        ];
        prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn normalizing_twice_changes_nothing(text in prop_oneof![tricky(), any::<String>()]) {
            let once = normalize(&text);
            prop_assert_eq!(normalize(&once), once.as_str());
            prop_assert!(!once.contains("  ") && once.trim() == once, "single spaces inside only");
        }

        #[test]
        fn case_and_spacing_never_matter(words in prop::collection::vec("[a-z]{2,6}|[0-9]{1,4}", 1..9)) {
            let plain = words.join(" ");
            prop_assert_eq!(normalize(&plain), plain.as_str());
            prop_assert_eq!(normalize(&format!(" {}?", words.join(" \n").to_uppercase())), plain.as_str());
        }
    }
}
