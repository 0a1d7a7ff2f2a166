//! The lines at the bottom of a terminal that are drawn again and again, and the text that scrolls above them.
//!
//! The cursor rests below the picture, at the start of a line: what the terminal echoes there (`^C`) breaks nothing, and is cleared
//! with the picture.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use console::Term;

/// Standard error as a place to draw. Copies share it.
#[derive(Debug, Clone)]
pub(super) struct Screen {
    term: Term,
    drawn: Arc<Mutex<String>>,
}

impl Screen {
    pub(super) fn new() -> Self {
        Self {
            term: Term::stderr(),
            drawn: Arc::default(),
        }
    }

    /// Columns of the terminal; 80 when it does not say.
    pub(super) fn width(&self) -> u16 {
        self.term.size().1
    }

    /// Draws a picture in the place of the last one; an empty one only clears.
    pub(super) fn draw(&self, picture: String) {
        let mut drawn = self.drawn.lock().unwrap_or_else(PoisonError::into_inner);
        let mut bytes = clearing(&drawn, self.width());
        bytes.push_str(&shown(&picture));
        *drawn = picture;
        self.put(bytes.as_bytes());
    }

    /// Writes above the picture.
    pub(super) fn above(&self, text: &[u8]) {
        let drawn = self.drawn.lock().unwrap_or_else(PoisonError::into_inner);
        let mut bytes = clearing(&drawn, self.width()).into_bytes();
        bytes.extend_from_slice(text);
        bytes.extend_from_slice(shown(&drawn).as_bytes());
        self.put(&bytes);
    }

    /// One write, so that nothing of another thread comes between.
    fn put(&self, bytes: &[u8]) {
        let mut out = io::stderr().lock();
        // The terminal may be gone; there is nobody to tell then.
        let _gone = out.write_all(bytes).and_then(|()| out.flush());
    }
}

fn shown(picture: &str) -> String {
    if picture.is_empty() {
        String::new()
    } else {
        format!("{picture}\n")
    }
}

/// Goes up over what was drawn and clears from there. A terminal that became narrower has broken lines in two.
fn clearing(drawn: &str, width: u16) -> String {
    let width = usize::from(width.max(1));
    let rows: usize = drawn
        .lines()
        .map(|line| console::measure_text_width(line).div_ceil(width).max(1))
        .sum();
    match rows {
        0 => String::new(),
        rows => format!("\r\x1b[{rows}A\x1b[J"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clearing_goes_up_as_many_rows_as_the_picture_takes_now() {
        assert_eq!(clearing("", 80), "");
        assert_eq!(clearing("rows ━━── 1/2\nbudget", 80), "\r\x1b[2A\x1b[J");
        assert_eq!(clearing("rows ━━── 1/2\nbudget", 10), "\r\x1b[3A\x1b[J");
    }
}
