//! A paragraph while it is being read.

use crate::format::notation::{self, Shift};

/// What is known of a paragraph so far.
#[derive(Default)]
pub(super) struct Paragraph {
    pub(super) text: String,
    pub(super) style: Option<String>,
    pub(super) level: Option<u8>,
    /// The list that it is in, where it says so itself; `0` is none.
    pub(super) list: Option<String>,
    /// Its level in the list.
    pub(super) list_level: Option<usize>,
    /// Its end was deleted under tracked changes.
    pub(super) deleted: bool,
    /// Raised or lowered text that has not ended, and where it begins.
    shifted: Option<(Shift, usize)>,
    /// Where an index or exponent has ended that what follows must not run into.
    ended: Option<usize>,
    /// A formula was the last thing in it.
    after_formula: bool,
}

impl Paragraph {
    /// Ends raised or lowered text.
    pub(super) fn settle(&mut self) {
        if let Some((shift, from)) = self.shifted.take() {
            self.ended = notation::shift(&mut self.text, from, shift, false);
        }
    }

    pub(super) fn push(&mut self, text: &str, shift: Option<Shift>) {
        if self.shifted.map(|(shift, _)| shift) != shift {
            self.settle();
            self.shifted = shift.map(|shift| (shift, self.text.len()));
        }
        if shift.is_none() {
            notation::follow(&mut self.text, self.ended.take(), text);
        }
        if std::mem::take(&mut self.after_formula) && text.starts_with(char::is_alphanumeric) {
            self.text.push(' ');
        }
        self.text.push_str(text);
    }

    pub(super) fn push_formula(&mut self, formula: &str) {
        self.settle();
        if self.text.ends_with(char::is_alphanumeric) || self.after_formula {
            self.text.push(' ');
        }
        self.text.push_str(formula);
        self.after_formula = true;
    }
}
