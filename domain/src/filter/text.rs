//! One reading of a text for everything that compares texts: normal form, tokens, words.

use std::borrow::Cow;

use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfkc_quick};

use super::facts::numerals;
use crate::id::ContentId;

/// Compatibility normal form (NFKC), lower case, typographic apostrophes as `'`, digits of every script as ASCII ones, white
/// space as single spaces.
///
/// Punctuation stays: "x > 1" and "x < 1" are different texts. So does case where it is meant: in flags (`ls -a`, `ls -A`) and
/// between backticks. Raised digits stay apart from those before them: `10²` is not `102`.
pub fn normalise(text: &str) -> String {
    let composed: Cow<'_, str> = match is_nfkc_quick(text.chars()) {
        IsNormalized::Yes => Cow::Borrowed(text),
        _ => Cow::Owned(raised_apart(text).nfkc().collect()),
    };
    let mut normal = String::with_capacity(composed.len());
    // Only where every backtick that opens also closes.
    let mut ticks = composed.matches('`').count();
    ticks -= ticks % 2;
    let mut quoted = false;
    for word in composed.split_whitespace() {
        if !normal.is_empty() {
            normal.push(' ');
        }
        let flag = is_flag(word);
        for c in word.chars() {
            match c {
                '’' | '‘' | 'ʼ' => normal.push('\''),
                '`' => {
                    quoted = ticks > 0 && !quoted;
                    ticks = ticks.saturating_sub(1);
                    normal.push(c);
                }
                c if flag || quoted => normal.push(c),
                c if c.is_ascii() => normal.push(c.to_ascii_lowercase()),
                c => match numerals::digit(c) {
                    Some(digit) => normal.push(char::from(b'0' + digit)),
                    None => normal.extend(c.to_lowercase()),
                },
            }
        }
    }
    normal
}

/// The text with the digits of every script as ASCII ones, and their decimal and thousands marks with them; borrowed where it has
/// none.
pub(crate) fn ascii_digits(text: &str) -> Cow<'_, str> {
    let ascii = |c: char| match c {
        '\u{66B}' | '．' => Some('.'),
        '\u{66C}' | '，' => Some(','),
        '－' => Some('-'),
        c => numerals::digit(c).map(|digit| char::from(b'0' + digit)),
    };
    if text.is_ascii()
        || !text
            .chars()
            .any(|c| !c.is_ascii() && numerals::digit(c).is_some())
    {
        return Cow::Borrowed(text);
    }
    text.chars()
        .map(|c| ascii(c).unwrap_or(c))
        .collect::<String>()
        .into()
}

/// `-a` and `--hard`, but not a dash in a list or in a sentence.
fn is_flag(word: &str) -> bool {
    let name = word.trim_start_matches(['`', '"', '\'', '(']);
    let letters = name.strip_prefix("--").or_else(|| name.strip_prefix('-'));
    letters.is_some_and(|letters| letters.starts_with(|c: char| c.is_ascii_alphabetic()))
}

/// Symbols and units of up to three letters, of which one after the first is a capital: `CO` is no `Co`, 5 `MW` are no `mW`. What
/// people write in any case is left out.
pub(super) fn case_counts(word: &str) -> bool {
    const ANY_CASE: [&str; 12] = [
        "am", "pm", "ok", "id", "tv", "pc", "km", "kg", "cm", "dna", "rna", "usa",
    ];
    let short = (2..=3).contains(&word.len()) && word.bytes().all(|b| b.is_ascii_alphabetic());
    short
        && word.bytes().skip(1).any(|b| b.is_ascii_uppercase())
        && !ANY_CASE.contains(&word.to_ascii_lowercase().as_str())
}

/// With `^` before digits that are written as superscripts.
fn raised_apart(text: &str) -> String {
    let mut apart = String::with_capacity(text.len() + 8);
    let mut before = false;
    for c in text.chars() {
        let raised = matches!(
            c,
            '\u{b2}' | '\u{b3}' | '\u{b9}' | '\u{2070}' | '\u{2074}'..='\u{207e}'
        );
        if raised && !before {
            apart.push('^');
        }
        before = raised;
        apart.push(c);
    }
    apart
}

/// The key under which equal texts meet: a hash of their normal forms, each part for itself.
pub fn exact_key(parts: &[&str]) -> ContentId {
    let normal: Vec<String> = parts.iter().map(|part| normalise(part)).collect();
    let bytes: Vec<&[u8]> = normal.iter().map(String::as_bytes).collect();
    ContentId::of(&bytes)
}

/// Tokens of a text in normal form: runs of letters and digits; one character each in scripts that put no spaces between words.
pub fn tokens(normal: &str) -> impl Iterator<Item = &str> {
    pieces(normal, |c| !c.is_alphanumeric())
}

/// Words as they stand, between white space; one character each in scripts that put no spaces between words.
pub(super) fn words(text: &str) -> impl Iterator<Item = &str> {
    pieces(text, char::is_whitespace)
}

/// Words of a text, up to `enough`. In scripts without spaces two characters count as one, which is about their words' length.
pub fn count_words(text: &str, enough: usize) -> usize {
    let (mut spaced, mut single) = (0, 0_usize);
    for word in words(text) {
        let unspaced = word.chars().next().is_some_and(is_unspaced);
        if unspaced {
            single += 1;
        } else if word.contains(char::is_alphanumeric) || !word.chars().all(is_cjk_mark) {
            spaced += 1;
        }
        if spaced + single.div_ceil(2) >= enough {
            break;
        }
    }
    spaced + single.div_ceil(2)
}

/// Punctuation that stands without a space: no word of its own.
fn is_cjk_mark(c: char) -> bool {
    matches!(c, '\u{3000}'..='\u{303F}' | '\u{FF01}'..='\u{FF0F}' | '\u{FF1A}'..='\u{FF20}')
}

fn pieces(text: &str, separates: impl Fn(char) -> bool) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        rest = rest.trim_start_matches(&separates);
        let first = rest.chars().next()?;
        let end = if is_unspaced(first) {
            first.len_utf8()
        } else {
            rest.find(|c| separates(c) || is_unspaced(c))
                .unwrap_or(rest.len())
        };
        let (piece, after) = rest.split_at(end);
        rest = after;
        Some(piece)
    })
}

/// Letters of scripts written without spaces: Thai, Lao, Myanmar, Khmer, kana and Han.
pub(crate) fn is_unspaced(c: char) -> bool {
    c >= '\u{0E01}'
        && matches!(c,
            '\u{0E01}'..='\u{0EFF}' | '\u{1000}'..='\u{109F}' | '\u{1780}'..='\u{17FF}' | '\u{3041}'..='\u{30FF}'
            | '\u{3400}'..='\u{4DBF}' | '\u{4E00}'..='\u{9FFF}' | '\u{F900}'..='\u{FAFF}' | '\u{20000}'..='\u{3FFFF}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn spellings_of_one_text_meet() {
        assert_eq!(normalise("  Ｄon’t\u{a0}use\n ﬁre "), "don't use fire");
        assert_eq!(exact_key(&["Is it 5 ?"]), exact_key(&["is  it 5 ?"]));
        assert_ne!(exact_key(&["x > 1"]), exact_key(&["x < 1"]));
        assert_ne!(exact_key(&["ab", "c"]), exact_key(&["a", "bc"]));
        assert_eq!(exact_key(&["٣ كتب"]), exact_key(&["3 كتب"]));
        assert_ne!(exact_key(&["10² cm"]), exact_key(&["102 cm"]));
    }

    #[test]
    fn case_counts_in_flags_and_between_backticks() {
        assert_ne!(
            exact_key(&["What does ls -a show?"]),
            exact_key(&["What does ls -A show?"])
        );
        assert_ne!(
            exact_key(&["Is `List` a type?"]),
            exact_key(&["Is `list` a type?"])
        );
        assert_eq!(exact_key(&["Run `ls` NOW"]), exact_key(&["run `ls` now"]));
        assert_eq!(
            exact_key(&["IT`S - Well, FINE"]),
            exact_key(&["it`s - well, fine"]),
            "a stray backtick and a dash"
        );
    }

    #[test]
    fn tokens_and_words_of_spaced_and_unspaced_scripts() {
        assert_eq!(
            tokens("don't pay $3.50!").collect::<Vec<_>>(),
            ["don", "t", "pay", "3", "50"]
        );
        assert_eq!(tokens("用gpt4写").collect::<Vec<_>>(), ["用", "gpt4", "写"]);
        assert_eq!(
            words("a  b,c\n日本").collect::<Vec<_>>(),
            ["a", "b,c", "日", "本"]
        );
        assert_eq!(tokens("… — !").count(), 0);
    }

    proptest! {
        #[test]
        fn case_and_spacing_never_matter(words in proptest::collection::vec("[a-zA-Z0-9éÜßñ'<>.]{1,8}", 0..12)) {
            let spread: String = words.iter().map(|word| format!("{word}\n \t")).collect();
            prop_assert_eq!(normalise(&words.join(" ")), normalise(&spread));
            prop_assert_eq!(normalise(&normalise(&spread)), normalise(&spread));
        }

        #[test]
        fn tokens_are_the_text_without_its_separators(text in "\\PC{0,60}") {
            let kept: String = text.chars().filter(|c| c.is_alphanumeric()).collect();
            let joined: String = tokens(&text).flat_map(str::chars).filter(|c| c.is_alphanumeric()).collect();
            prop_assert_eq!(joined, kept);
        }
    }
}
