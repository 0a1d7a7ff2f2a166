//! Words of a text with their places, for the readers that look at what stands around a word.

/// A word, number or identifier in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token<'a> {
    /// Its text.
    pub(super) text: &'a str,
    /// Byte offset of its first character.
    pub(super) start: usize,
    /// Byte offset after its last.
    pub(super) end: usize,
}

/// Runs of letters, digits and `_`; an apostrophe between letters and a `.` or `,` between digits belong to the word.
/// A run that starts with a digit ends where its letters start, so that `10MB` reads as `10 MB`.
pub(super) fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        if !is_word(c) {
            at += c.len_utf8();
            continue;
        }
        let end = word_end(text, at);
        found.push(Token {
            text: &text[at..end],
            start: at,
            end,
        });
        at = end;
    }
    found
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn word_end(text: &str, start: usize) -> usize {
    let numeric = text[start..].starts_with(|c: char| c.is_ascii_digit());
    let mut end = start;
    let mut previous = ' ';
    let mut chars = text[start..].char_indices().peekable();
    while let Some((offset, c)) = chars.next() {
        let next = chars.peek().map_or(' ', |&(_, next)| next);
        let inner = match c {
            '\'' | '’' => previous.is_alphabetic() && next.is_alphabetic(),
            '.' | ',' => previous.is_ascii_digit() && next.is_ascii_digit(),
            c => is_word(c) && !(numeric && c.is_alphabetic()),
        };
        if !inner {
            break;
        }
        previous = c;
        end = start + offset + c.len_utf8();
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_numbers_and_units_part_where_they_should() {
        let words: Vec<_> = tokens("Don't use 1,024.5MB, v1.2 or H2O-x_y.")
            .iter()
            .map(|t| t.text)
            .collect();
        assert_eq!(
            words,
            ["Don't", "use", "1,024.5", "MB", "v1.2", "or", "H2O", "x_y"]
        );
        assert!(tokens("… — !").is_empty());
    }
}
