//! The numbers of ordered lists.

use html5ever::tokenizer::Tag;

use crate::format::html::elements::attribute;
use crate::format::numeral::{ROMAN_MAX, letters, roman};

/// How the items of a list are numbered.
pub(super) struct Numbering {
    next: i64,
    step: i64,
    kind: char,
}

impl Numbering {
    /// As the list says; `None` for a list that counts down from a number that only its end shows.
    pub(super) fn of(tag: &Tag) -> Option<Self> {
        let start = attribute(tag, "start").and_then(|start| start.trim().parse().ok());
        let reversed = attribute(tag, "reversed").is_some();
        Some(Self {
            next: match (start, reversed) {
                (None, true) => return None,
                (start, _) => start.unwrap_or(1),
            },
            step: if reversed { -1 } else { 1 },
            kind: attribute(tag, "type")
                .and_then(|kind| kind.chars().next())
                .unwrap_or('1'),
        })
    }

    /// The mark of the next item, which may set its own number.
    pub(super) fn next(&mut self, item: &Tag) -> String {
        if let Some(value) = attribute(item, "value").and_then(|value| value.trim().parse().ok()) {
            self.next = value;
        }
        let number = self.next;
        self.next = self.next.saturating_add(self.step);
        format!("{}. ", written(number, self.kind))
    }
}

/// `4`, `d`, `D`, `iv` or `IV`.
fn written(number: i64, kind: char) -> String {
    let small = match (kind.to_ascii_lowercase(), u32::try_from(number)) {
        ('a', Ok(number @ 1..)) => letters(number),
        ('i', Ok(number @ 1..=ROMAN_MAX)) => roman(number),
        _ => return number.to_string(),
    };
    if kind.is_ascii_uppercase() {
        small.to_uppercase()
    } else {
        small
    }
}
