//! Answers said in other words that do not say the same: a number is lost or changed, or something is added.

use super::draw::Draw;

/// What stands in the place of a number that is lost.
const LOST: &str = "ever so many";
/// Put before a number that is changed.
const CHANGED: &str = "7919";
/// What is added, each with a fact that no answer of the simulation states.
const ADDED: [&str; 3] = [
    "Nobody at Zanzibar would do it otherwise.",
    "It took 7919 minutes to find out.",
    "Never trust a step that is missing here.",
];

/// A text with one fact lost, changed or added.
pub(crate) fn unfaithful(text: &str, draw: Draw) -> String {
    let other = match draw.of("kind").below(3) {
        0 => large_number(text).map(|number| text.replace(number, LOST)),
        1 => large_number(text).map(|number| text.replace(number, &format!("{CHANGED}{number}"))),
        _ => None,
    };
    other.unwrap_or_else(|| format!("{text} {}", draw.of("added").text(&ADDED)))
}

/// A number of three figures or more: no rewording spells it, and none of fewer is a part of it.
fn large_number(text: &str) -> Option<&str> {
    let numbers = text.split(|c: char| !c.is_ascii_digit());
    numbers
        .max_by_key(|number| number.len())
        .filter(|number| number.len() >= 3)
}

/// True where a text bears the mark of one that says something else than its original.
pub fn is_unfaithful(text: &str) -> bool {
    [LOST, CHANGED, "Zanzibar", "Never trust"]
        .iter()
        .any(|mark| text.contains(mark))
}
