//! Answers of success that cannot be read, counted by line: each is paid for, so a person looks before many are.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use gristmill_domain::id::LineId;

/// Unreadable answers in a row, at one line, at which the run waits for a person.
const IN_A_ROW: u32 = 3;

/// How many of a line's last answers could not be read. There are as many lines as there are endpoints and keys.
#[derive(Debug, Default)]
pub(crate) struct Unreadable(Mutex<HashMap<LineId, u32>>);

impl Unreadable {
    /// An answer was read.
    pub(crate) fn read(&self, line: LineId) {
        self.lines().remove(&line);
    }

    /// An answer could not be read; whether the run waits for a person now. Then the count begins anew.
    pub(crate) fn unread(&self, line: LineId) -> bool {
        let mut lines = self.lines();
        let count = lines.entry(line).or_default();
        *count += 1;
        let enough = *count >= IN_A_ROW;
        if enough {
            lines.remove(&line);
        }
        enough
    }

    fn lines(&self) -> MutexGuard<'_, HashMap<LineId, u32>> {
        // Each change is a single step: a panic elsewhere leaves nothing half-done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the person is told.
pub(crate) fn told(reason: &str) -> String {
    format!("{IN_A_ROW} answers in a row could not be read, and were paid for; the last: {reason}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_in_a_row_at_one_line_are_enough() {
        let (unreadable, line, other) = (Unreadable::default(), LineId::of(&[b"a"]), LineId::of(&[b"b"]));
        assert!(!unreadable.unread(line));
        assert!(!unreadable.unread(line));
        assert!(!unreadable.unread(other));
        unreadable.read(line);
        assert!(!unreadable.unread(line));
        assert!(!unreadable.unread(line));
        assert!(unreadable.unread(line));
        assert!(!unreadable.unread(line), "counted anew");
    }
}
