//! Text made harmless: one kind of white space, no control characters, nothing that changes the direction of what is shown.

use std::borrow::Cow;

/// True for characters that show nothing by themselves and change how others are shown or read: controls, bidirectional
/// overrides and isolates (Trojan Source, CVE-2021-42574), invisible operators, tags, byte order marks. Joiners
/// (U+200C, U+200D) and variation selectors stay: scripts and emoji need them.
const fn is_hidden(c: char) -> bool {
    matches!(c,
        '\u{0}'..='\u{8}' | '\u{b}' | '\u{e}'..='\u{1f}' | '\u{7f}'..='\u{84}' | '\u{86}'..='\u{9f}'
        | '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}'
        | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e007f}' | '\u{1d173}'..='\u{1d17a}')
        // Not characters at all.
        || matches!(c as u32 & 0xffff, 0xfffe | 0xffff) || matches!(c, '\u{fdd0}'..='\u{fdef}')
}

/// What a presentation form stands for: Latin ligatures, which fonts ask for and texts should not hold.
const fn ligature(c: char) -> Option<&'static str> {
    Some(match c {
        '\u{fb00}' => "ff",
        '\u{fb01}' => "fi",
        '\u{fb02}' => "fl",
        '\u{fb03}' => "ffi",
        '\u{fb04}' => "ffl",
        '\u{fb05}' | '\u{fb06}' => "st",
        _ => return None,
    })
}

fn is_plain(c: char) -> bool {
    matches!(c, '\n' | ' '..='~')
        || (c > '\u{9f}' && !is_hidden(c) && ligature(c).is_none() && !c.is_whitespace())
}

/// The text without hidden characters, with `\n` at line ends and one kind of space; runs of spaces stay as they are.
pub(crate) fn harmless(text: &str) -> Cow<'_, str> {
    if text.chars().all(is_plain) {
        return Cow::Borrowed(text);
    }
    let mut clean = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\r' if chars.peek() == Some(&'\n') => {}
            '\r' | '\u{85}' | '\u{2028}' | '\u{2029}' | '\u{c}' => clean.push('\n'),
            '\t' => clean.push('\t'),
            c if is_hidden(c) => {}
            c if c.is_whitespace() && c != '\n' => clean.push(' '),
            c => match ligature(c) {
                Some(letters) => clean.push_str(letters),
                None => clean.push(c),
            },
        }
    }
    Cow::Owned(clean)
}

/// One line: hidden characters gone, every run of white space one space, none at the ends.
pub(crate) fn line(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    for word in harmless(text).split_whitespace() {
        if !clean.is_empty() {
            clean.push(' ');
        }
        clean.push_str(word);
    }
    clean
}

/// Several lines that stay apart: hidden characters gone, tabs as four spaces, blank lines at both ends gone, at most
/// one between others. Common indentation is taken away.
pub(crate) fn lines(text: &str) -> String {
    let clean = harmless(text).replace('\t', "    ");
    let indent = clean
        .lines()
        .filter(|line| !line.trim().is_empty())
        .map(|line| line.len() - line.trim_start_matches(' ').len())
        .min()
        .unwrap_or(0);
    let mut kept = String::with_capacity(clean.len());
    let mut blank = false;
    for line in clean.lines() {
        let line = line.get(indent..).unwrap_or_default().trim_end();
        if line.is_empty() {
            blank = !kept.is_empty();
            continue;
        }
        if !kept.is_empty() {
            kept.push_str(if blank { "\n\n" } else { "\n" });
        }
        blank = false;
        kept.push_str(line);
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_and_directional_characters_go_and_joiners_stay() {
        assert_eq!(line("a\u{202e}b\u{2066}c\u{0}\u{feff}\u{ad}d\u{e0041}"), "abcd");
        assert_eq!(line("می\u{200c}خواهم"), "می\u{200c}خواهم");
        assert_eq!(line("  one\u{a0}\ttwo\u{2003}\r\n three "), "one two three");
    }

    #[test]
    fn ligatures_are_letters() {
        assert_eq!(line("e\u{fb03}cient \u{fb01}le"), "efficient file");
    }

    #[test]
    fn lines_keep_their_shape_and_lose_what_they_share() {
        assert_eq!(
            lines("\r\n    if x:\r\n\ty = 1\n\n\n\n    end  \n"),
            "if x:\ny = 1\n\nend"
        );
    }
}
