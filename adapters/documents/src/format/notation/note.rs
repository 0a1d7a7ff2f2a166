//! Marks that refer to notes, and not exponents.

use super::{number_before, word_before};

/// Words of a unit or a chemical element are this short; a raised number behind a longer word is a footnote mark.
const SYMBOL_CHARS_MAX: usize = 2;
/// Units and functions of more letters that have powers.
const LONG_SYMBOLS: [&str; 18] = [
    "mol", "sin", "cos", "tan", "cot", "sec", "csc", "log", "sinh", "cosh", "tanh", "min", "rad", "feet",
    "inch", "mile", "km", "kcal",
];
/// Characters of raised text that can be an exponent; longer text is a note.
const EXPONENT_CHARS_MAX: usize = 24;

/// A number, letter or sign behind a word, a year, the end of a sentence or a number refers to a note.
pub(super) fn is_mark(before: &str, inner: &str) -> bool {
    let bracketed = inner.starts_with('[') && inner.ends_with(']');
    if inner.chars().count() > EXPONENT_CHARS_MAX || bracketed {
        return true;
    }
    if inner.chars().all(is_sign) {
        return takes_sign(before);
    }
    let listed = inner
        .chars()
        .all(|c| c.is_ascii_digit() || ",-–; []()".contains(c) || is_sign(c));
    let lettered = is_lettered(inner) || is_letters_of_decimal(before, inner);
    if !(listed || lettered) || inner.starts_with(['-', '–', '(']) {
        return false;
    }
    let Some(last) = before.chars().last() else {
        // A letter begins the note itself; a number may be that of an isotope.
        return is_early(inner);
    };
    // A minus at the end is an ion's charge.
    let is_range = inner.trim_end_matches('-').chars().skip(1).any(|c| c == '-');
    let list = is_range || inner.contains([',', ';', ' ', '–']);
    if last.is_ascii_digit() {
        return if lettered {
            takes_letter(before, inner)
        } else {
            list || is_year(before) && inner.chars().all(|c| c.is_ascii_digit())
        };
    }
    if last.is_alphabetic() {
        let word = word_before(before);
        let symbol = word.chars().count() <= SYMBOL_CHARS_MAX || LONG_SYMBOLS.contains(&word);
        return !symbol || list && !lettered;
    }
    // A closing bracket or a prime ends a term as well as a clause: (x+1)², (see above)².
    match last {
        ')' | ']' | '}' => list || brackets_prose(before),
        '.' | ',' | ';' | ':' | '!' | '?' | '"' | '”' | '’' | '»' => true,
        '%' | '‰' | '€' | '£' => true,
        _ => false,
    }
}

fn is_sign(c: char) -> bool {
    "*†‡§¶‖#".contains(c)
}

/// One small letter, or several with commas in between.
fn is_lettered(inner: &str) -> bool {
    let parts = || inner.split([',', ';', ' ']).filter(|part| !part.is_empty());
    parts().count() > 0
        && parts().all(|part| part.chars().count() == 1 && part.starts_with(|c: char| c.is_ascii_lowercase()))
}

/// Letters beside each other behind a decimal number, as tables mark groups that do not differ.
fn is_letters_of_decimal(before: &str, inner: &str) -> bool {
    number_before(before).contains('.') && inner.len() <= 4 && inner.chars().all(|c| matches!(c, 'a'..='g'))
}

/// A letter that was taken for a note's is an exponent where a factor or an equals sign follows: `2^a × 3^b`.
pub(super) fn reconsider(text: &mut String, next: &str) {
    let letter = text.strip_suffix(']').and_then(|open| open.rsplit_once(" ["));
    let Some((number, letter)) = letter else {
        return;
    };
    let is_letter = letter.len() == 1 && letter.chars().all(|c| c.is_ascii_lowercase());
    let goes_on = next.trim_start().starts_with(['×', '·', '⋅', '=', '÷']);
    if is_letter && goes_on && number.ends_with(|c: char| c.is_ascii_digit()) {
        *text = format!("{number}^{letter}");
    }
}

/// A sign behind a word or number refers to a note; `x*` has a star of its own.
fn takes_sign(before: &str) -> bool {
    match before.chars().last() {
        None => true,
        Some(last) if last.is_whitespace() => true,
        Some(last) if last.is_ascii_digit() => !is_index(before),
        Some(last) if last.is_alphabetic() => word_before(before).chars().count() > 1,
        Some(')' | ']' | '}') => brackets_prose(before),
        Some(last) => ".,;:!?\"”’»%‰€£$°′″".contains(last),
    }
}

/// The first letters of the alphabet behind a number refer to notes, the others are exponents, and so are all in a formula.
fn takes_letter(before: &str, inner: &str) -> bool {
    let ahead = before[..before.len() - number_before(before).len()].trim_end();
    is_early(inner)
        && !is_index(before)
        && !ahead.ends_with(['=', '×', '·', '⋅', '*', '+', '−', '/', '^', '<', '>', '÷'])
}

/// Letters from the alphabet's beginning. Hours, minutes and seconds are others.
fn is_early(inner: &str) -> bool {
    inner
        .chars()
        .all(|c| matches!(c, 'a'..='g') || !c.is_alphanumeric())
}

/// The number at the end belongs to a term: `x_1`, `H2`.
fn is_index(before: &str) -> bool {
    let ahead = &before[..before.len() - number_before(before).len()];
    ahead.ends_with(|c: char| c == '_' || c.is_alphabetic())
}

/// Four digits by themselves, from 1500 to 2100.
fn is_year(before: &str) -> bool {
    let digits = before.len() - before.trim_end_matches(|c: char| c.is_ascii_digit()).len();
    let year = before[before.len() - digits..].parse().unwrap_or(0_u32);
    let apart = !before[..before.len() - digits].ends_with(['.', ',', '^', '-', '/']);
    digits == 4 && apart && (1500..=2100).contains(&year)
}

/// What stands in the brackets that have just been closed holds words.
fn brackets_prose(before: &str) -> bool {
    let inner = before.rfind(['(', '[', '{']).map_or("", |at| &before[at..]);
    inner
        .split_whitespace()
        .filter(|word| word.chars().filter(|c| c.is_alphabetic()).count() > 3)
        .count()
        > 1
}
