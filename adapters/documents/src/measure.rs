//! How long a text is, in words or characters.

use serde::{Deserialize, Serialize};

/// What sizes of passages are counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Words. Chinese and Japanese characters count one each, and other unbroken runs one for each 24 characters begun, so
    /// that the size is bounded in any script.
    Words,
    /// Unicode characters.
    Characters,
}

/// Longest run of characters that counts as one word.
pub(crate) const RUN_MAX: usize = 24;

impl Unit {
    /// The size of a text.
    pub fn size(self, text: &str) -> usize {
        match self {
            Self::Words => text.split_whitespace().map(words_of_run).sum(),
            Self::Characters => text.chars().count(),
        }
    }
}

/// Scripts written without spaces, in which a character is about a word.
pub(crate) const fn is_ideographic(c: char) -> bool {
    matches!(c, '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}

fn words_of_run(run: &str) -> usize {
    if run.is_ascii() {
        return run.len().div_ceil(RUN_MAX);
    }
    let (mut ideographs, mut others) = (0, 0_usize);
    for c in run.chars() {
        if is_ideographic(c) {
            ideographs += 1;
        } else {
            others += 1;
        }
    }
    // Rounded up, so that no text is larger than its parts together.
    ideographs + others.div_ceil(RUN_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_counted_in_any_script() {
        assert_eq!(Unit::Words.size("two words, or four."), 4);
        assert_eq!(Unit::Words.size("中文没有空格。"), 7, "and a stop");
        assert_eq!(Unit::Words.size(&"x".repeat(100)), 5);
        assert_eq!(Unit::Characters.size("é中"), 2);
    }
}
