//! Raised and lowered text in a normal form: `10^6`, `10^-4`, `m^2`, `x^(n+1)`, `H_2O`, and footnote marks apart, `note [12]`.
//!
//! Without a sign for them, layout is lost and another number stays: 10⁶ becomes 106.

/// Words of a unit or a chemical element are this short; a raised number behind a longer word is a footnote mark.
const SYMBOL_CHARS_MAX: usize = 2;
/// Units and functions of more letters that have powers.
const LONG_SYMBOLS: [&str; 18] = [
    "mol", "sin", "cos", "tan", "cot", "sec", "csc", "log", "sinh", "cosh", "tanh", "min", "rad", "feet",
    "inch", "mile", "km", "kcal",
];
/// Characters of raised text that can be an exponent; longer text is a note.
const EXPONENT_CHARS_MAX: usize = 24;

/// How text stands to the line that it is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shift {
    Raised,
    Lowered,
}

/// Puts the text behind `start` into its normal form. `is_note` where the document says that it is a reference to a note.
pub(crate) fn shift(text: &mut String, start: usize, shift: Shift, is_note: bool) {
    if !text.is_char_boundary(start) || start >= text.len() {
        return;
    }
    let inner = text.split_off(start);
    let spaces_after = inner.ends_with(char::is_whitespace);
    let inner = inner.trim();
    if inner.is_empty() {
        text.push_str(if spaces_after { " " } else { "" });
        return;
    }
    let marked = match shift {
        Shift::Raised => raised(text, inner, is_note),
        Shift::Lowered => lowered(text, inner),
    };
    text.push_str(&marked);
    if spaces_after {
        text.push(' ');
    }
}

fn raised(before: &str, inner: &str, is_note: bool) -> String {
    if let Some(plain) = sign(before, inner) {
        return plain.to_owned();
    }
    let last = before.chars().last();
    if is_note || is_note_mark(before, inner) {
        let inner = inner.trim_start_matches(['[', '(']).trim_end_matches([']', ')']);
        let space = last.is_some_and(|c| !c.is_whitespace());
        return format!("{}[{inner}]", if space { " " } else { "" });
    }
    let exponent = inner.replace(['−', '–'], "-");
    match bare(&exponent) {
        true => format!("^{exponent}"),
        false => format!("^({exponent})"),
    }
}

fn lowered(before: &str, inner: &str) -> String {
    let index = inner.replace(['−', '–'], "-");
    let joins = before.ends_with(|c: char| c.is_alphanumeric() || ")]}′'".contains(c));
    match (joins, bare(&index)) {
        (false, _) => index,
        (true, true) => format!("_{index}"),
        (true, false) => format!("_({index})"),
    }
}

/// One term, which needs no brackets: a number with its sign, letters, an ion's charge.
fn bare(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let charge = text.strip_suffix(['-', '+']).unwrap_or(text);
    let term = |text: &str| {
        text.chars()
            .all(|c| c.is_alphanumeric() || c == '.' || c == '*' || c == '′' || c == '\'')
    };
    term(unsigned) || term(charge) || (text.starts_with('(') && text.ends_with(')'))
}

/// Raised text that is written on the line as well: the ending of an ordinal, a degree, a trademark.
fn sign(before: &str, inner: &str) -> Option<&'static str> {
    let after_digit = before.ends_with(|c: char| c.is_ascii_digit());
    let lower = inner.to_lowercase();
    let ending = [
        "st", "nd", "rd", "th", "er", "re", "ère", "e", "ème", "ª", "º", "a",
    ];
    match lower.as_str() {
        "tm" | "™" => Some("™"),
        "sm" | "℠" => Some("℠"),
        "®" => Some("®"),
        "°" | "o" | "∘" | "◦" if after_digit => Some("°"),
        "'" | "′" | "’" => Some("′"),
        "\"" | "″" | "”" => Some("″"),
        _ if after_digit => ending.iter().find(|ending| **ending == lower).copied(),
        _ => None,
    }
}

/// A number, letter or sign behind a word, a year or the end of a sentence refers to a note.
fn is_note_mark(before: &str, inner: &str) -> bool {
    let marks = |c: char| "*†‡§¶‖#".contains(c);
    let listed = inner
        .chars()
        .all(|c| c.is_ascii_digit() || ",-–; []()".contains(c) || marks(c));
    let lettered = inner.chars().count() == 1 && inner.starts_with(|c: char| c.is_ascii_lowercase());
    let bracketed = inner.starts_with(['[']) && inner.ends_with([']']);
    if inner.chars().count() > EXPONENT_CHARS_MAX || bracketed {
        return true;
    }
    if !(listed || lettered) || inner.starts_with(['-', '–', '(']) {
        return false;
    }
    let Some(last) = before.chars().last() else {
        return false;
    };
    if inner.chars().all(marks) && (last.is_alphanumeric() || ".,;:!?\"”’)".contains(last)) {
        // `x*` has a star of its own.
        return word_before(before).chars().count() > 1;
    }
    let list = inner.contains([',', ';', ' ']) || inner.contains('–') || inner[1..].contains('-');
    if last.is_ascii_digit() {
        return list || is_year(before) && inner.chars().all(|c| c.is_ascii_digit());
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
        _ => false,
    }
}

fn word_before(before: &str) -> &str {
    let start = before
        .char_indices()
        .rev()
        .take_while(|(_, c)| c.is_alphabetic())
        .last()
        .map_or(before.len(), |(at, _)| at);
    &before[start..]
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

#[cfg(test)]
mod tests {
    use super::*;

    fn shifted(before: &str, inner: &str, how: Shift) -> String {
        let mut text = format!("{before}{inner}");
        shift(&mut text, before.len(), how, false);
        text
    }

    #[test]
    fn exponents_keep_their_numbers() {
        for (before, inner, text) in [
            ("3 × 10", "6", "3 × 10^6"),
            ("10", "−4", "10^-4"),
            ("5 m", "2", "5 m^2"),
            ("kg m", "-3", "kg m^-3"),
            ("x", "n+1", "x^(n+1)"),
            ("(a + b)", "2", "(a + b)^2"),
            ("e", "-kt", "e^-kt"),
            ("Ca", "2+", "Ca^2+"),
            ("2", "10", "2^10"),
            ("sin", "2", "sin^2"),
            ("", "14", "^14"),
        ] {
            assert_eq!(shifted(before, inner, Shift::Raised), text);
        }
    }

    #[test]
    fn marks_of_notes_stand_apart() {
        for (before, inner, text) in [
            ("note", "12", "note [12]"),
            ("in 1998", "3", "in 1998 [3]"),
            ("the end.", "4", "the end. [4]"),
            ("as shown", "1,2", "as shown [1,2]"),
            ("at 45", "3–5", "at 45 [3–5]"),
            ("the rate", "a", "the rate [a]"),
            ("they said", "[7]", "they said [7]"),
            ("a term", "*", "a term [*]"),
            ("(see the part above)", "9", "(see the part above) [9]"),
        ] {
            assert_eq!(shifted(before, inner, Shift::Raised), text);
        }
        let mut text = "10 6".to_owned();
        shift(&mut text, 3, Shift::Raised, true);
        assert_eq!(text, "10 [6]", "where the document says so");
    }

    #[test]
    fn what_is_as_well_written_on_the_line_is() {
        for (before, inner, text) in [
            ("the 1", "st", "the 1st"),
            ("20", "o", "20°"),
            ("Mill", "TM", "Mill™"),
            ("f", "′", "f′"),
        ] {
            assert_eq!(shifted(before, inner, Shift::Raised), text);
        }
    }

    #[test]
    fn indices_are_marked() {
        for (before, inner, text) in [
            ("H", "2", "H_2"),
            ("x", "i+1", "x_(i+1)"),
            ("SO", "4", "SO_4"),
            ("log", "10 ", "log_10 "),
            ("", "small print", "small print"),
        ] {
            assert_eq!(shifted(before, inner, Shift::Lowered), text);
        }
    }
}
