//! Raised text that is written on the line as well: the ending of an ordinal or an abbreviation, a degree, a trademark.

use super::{number_before, word_before};

/// Endings of ordinals in English, French, Spanish, Italian and Dutch.
const ORDINALS: [&str; 24] = [
    "st", "nd", "rd", "th", "e", "er", "ers", "re", "res", "es", "ère", "ères", "ème", "èmes", "eme", "emes",
    "ième", "ièmes", "nde", "nds", "ste", "de", "ª", "º",
];
/// Endings of English ordinals, which stand behind letters, too: the nth, the kth.
const ENGLISH: [&str; 4] = ["st", "nd", "rd", "th"];
/// Words that are shortened to their first letter and their end.
const ABBREVIATIONS: [&str; 13] = [
    "Mme", "Mmes", "Mlle", "Mlles", "Mgr", "Mrs", "Mr", "Dr", "Drs", "Cie", "Vve", "Ste", "nos",
];

/// The raised text as it is written on the line; `None` where it means something else there.
pub(super) fn plain<'t>(before: &str, inner: &'t str) -> Option<&'t str> {
    let after_digit = before.ends_with(|c: char| c.is_ascii_digit());
    let lower = inner.to_lowercase();
    match lower.as_str() {
        "tm" | "™" => Some("™"),
        "sm" | "℠" => Some("℠"),
        "®" => Some("®"),
        "°" | "o" | "∘" | "◦" if after_digit => Some("°"),
        "°" | "o" | "º" if matches!(word_before(before), "N" | "n") => Some("°"),
        "'" | "′" | "’" => Some("′"),
        "\"" | "″" | "”" => Some("″"),
        lower if is_ordinal(before, lower) || is_abbreviation(before, inner) => Some(inner),
        _ => None,
    }
}

fn is_ordinal(before: &str, ending: &str) -> bool {
    let number = number_before(before);
    // A decimal number is no ordinal, nor is one in an index or exponent.
    let whole = !number.is_empty() && !number.contains('.');
    let apart = !before[..before.len() - number.len()].ends_with(['.', '^', '_']);
    let counted = whole && apart || is_roman(word_before(before));
    counted && ORDINALS.contains(&ending) || ENGLISH.contains(&ending) && is_variable(before)
}

/// Roman numbers of centuries and chapters; a single letter other than these is a variable.
fn is_roman(word: &str) -> bool {
    matches!(word, "I" | "V" | "X") || word.len() > 1 && word.chars().all(|c| "IVXLC".contains(c))
}

/// One small letter, or brackets around a term.
fn is_variable(before: &str) -> bool {
    let word = word_before(before);
    before.ends_with(')') || word.len() == 1 && word.starts_with(|c: char| c.is_ascii_lowercase())
}

fn is_abbreviation(before: &str, ending: &str) -> bool {
    let word = word_before(before);
    let ahead = &before[..before.len() - word.len()];
    let is_first =
        word.chars().count() == 1 && !ahead.ends_with(|c: char| c.is_alphanumeric() || "^_".contains(c));
    is_first && ABBREVIATIONS.contains(&format!("{word}{ending}").as_str())
}
