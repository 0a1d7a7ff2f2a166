//! Text without markup: paragraphs by blank lines, headings by underlines, numbers and capitals, lists by their marks.

use std::collections::HashMap;

use crate::block::{Block, Content, Kind, Why};
use crate::clean;
use crate::format::contents;

/// A line of prose is hardly longer; a longer one is a paragraph by itself.
const WRAPPED_MAX: usize = 160;
/// Longest heading, in characters.
const HEADING_MAX: usize = 90;
/// Running heads repeat on at least so many pages.
const PAGES_MIN: usize = 3;

struct Line<'t> {
    number: u32,
    text: &'t str,
}

/// Reads text. Line numbers are those of the file.
pub(super) fn read(text: &str) -> Content {
    // A form feed begins a page and no line of its own.
    let text = clean::harmless(&overstruck(text).replace('\u{c}', " ")).into_owned();
    let mut content = Content::default();
    let lines: Vec<Line<'_>> = text
        .split('\n')
        .zip(1..)
        .map(|(text, number)| Line {
            number,
            text: text.trim_end(),
        })
        .collect();
    let running = running_heads(&lines);
    let mut reader = Reader::default();
    let mut paragraph: Vec<&Line<'_>> = Vec::new();
    for line in &lines {
        if !line.text.is_empty() && running.contains_key(&line.number) {
            // A paragraph may go on behind it.
            content.dropped.count(Why::RunningHead, line.text);
            continue;
        }
        if line.text.trim().is_empty() {
            reader.paragraph(&paragraph, &mut content);
            paragraph.clear();
        } else {
            paragraph.push(line);
        }
    }
    reader.paragraph(&paragraph, &mut content);
    content
}

/// Bold and underline of old manuals: a character, a backspace, a character. Terminal colours go, too.
fn overstruck(text: &str) -> String {
    if !text.contains(['\u{8}', '\u{1b}']) {
        return text.to_owned();
    }
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\u{8}' => {
                plain.pop();
            }
            '\u{1b}' => {
                for c in chars.by_ref() {
                    if c.is_ascii_alphabetic() || c == '\n' {
                        break;
                    }
                }
            }
            c => plain.push(c),
        }
    }
    plain
}

/// Lines of paginated text (as RFCs are) that repeat on page after page, or hold nothing but the page's number in
/// brackets, by their line numbers.
fn running_heads(lines: &[Line<'_>]) -> HashMap<u32, ()> {
    let ends_page = |line: &Line<'_>| {
        let text = line.text.trim_end();
        text.ends_with(']')
            && text.rfind('[').is_some_and(|at| {
                let inside = text[at + 1..text.len() - 1].to_lowercase();
                inside.strip_prefix("page ").is_some_and(contents::is_page_number)
            })
    };
    let mut found = HashMap::new();
    let mut heads: HashMap<String, Vec<u32>> = HashMap::new();
    let mut after_page = false;
    for line in lines.iter().filter(|line| !line.text.trim().is_empty()) {
        if ends_page(line) {
            found.insert(line.number, ());
            after_page = true;
        } else if after_page {
            heads
                .entry(contents::running_key(line.text))
                .or_default()
                .push(line.number);
            after_page = false;
        }
    }
    for numbers in heads.into_values().filter(|numbers| numbers.len() >= PAGES_MIN) {
        found.extend(numbers.into_iter().map(|number| (number, ())));
    }
    found
}

#[derive(Default)]
struct Reader {
    /// Characters that underline headings, in the order in which they were met: the first is the outermost (as in
    /// reStructuredText).
    underlines: Vec<(char, bool)>,
}

impl Reader {
    /// A run of lines without a blank one.
    fn paragraph(&mut self, lines: &[&Line<'_>], content: &mut Content) {
        let mut lines = self.headings(lines, content);
        while let Some((first, _)) = lines.split_first() {
            if is_ruler(first.text) {
                lines = &lines[1..];
                continue;
            }
            if contents::is_entry(first.text) {
                content.dropped.count(Why::Contents, first.text);
                lines = &lines[1..];
                continue;
            }
            let mut end = 1;
            let is_item = bullet(first.text).is_some();
            // An item goes on with lines that are indented deeper or at least are none by themselves.
            while end < lines.len() {
                let next = lines[end].text;
                if is_ruler(next)
                    || contents::is_entry(next)
                    || (is_item || bullet_in_run(lines, end)) && bullet(next).is_some()
                {
                    break;
                }
                end += 1;
            }
            emit(&lines[..end], is_item, content);
            lines = &lines[end..];
        }
    }

    /// Takes headings off the front and returns what is left.
    fn headings<'a, 'l, 't>(
        &mut self,
        lines: &'a [&'l Line<'t>],
        content: &mut Content,
    ) -> &'a [&'l Line<'t>] {
        let mut rest = lines;
        loop {
            match rest {
                [over, title, under, ..]
                    if is_ruler(over.text)
                        && is_underline(title.text, under.text)
                        && first_char(over.text) == first_char(under.text) =>
                {
                    let level = self.level(under.text, true);
                    heading(title, level, content);
                    rest = &rest[3..];
                }
                [title, under, ..] if is_underline(title.text, under.text) => {
                    let level = self.level(under.text, false);
                    heading(title, level, content);
                    rest = &rest[2..];
                }
                _ => break,
            }
        }
        if let [only] = rest
            && !contents::is_entry(only.text)
            && let Some(level) = heading_level(only.text)
        {
            // Below the underlined ones.
            heading(only, level + self.underlines.len() as u8, content);
            return &[];
        }
        rest
    }

    fn level(&mut self, underline: &str, over: bool) -> u8 {
        let style = (first_char(underline), over);
        let at = self
            .underlines
            .iter()
            .position(|known| *known == style)
            .unwrap_or_else(|| {
                self.underlines.push(style);
                self.underlines.len() - 1
            });
        (at + 1).min(200) as u8
    }
}

fn first_char(text: &str) -> char {
    text.trim_start().chars().next().unwrap_or(' ')
}

/// A line of one repeated mark.
fn is_ruler(text: &str) -> bool {
    let text = text.trim();
    let c = first_char(text);
    text.len() >= 3
        && matches!(c, '=' | '-' | '~' | '^' | '"' | '*' | '#' | '+' | '_' | '.' | '`')
        && text.chars().all(|d| d == c || d == ' ')
}

fn is_underline(title: &str, line: &str) -> bool {
    let (title, line) = (title.trim(), line.trim());
    let length = title.chars().count();
    is_ruler(line)
        && !is_ruler(title)
        && !line.contains(' ')
        && length <= HEADING_MAX
        && line.len() + 3 >= length
        && line.len() <= length + 12
        && title.chars().any(char::is_alphanumeric)
}

/// The level of a line that stands alone and looks like a heading: `3.2 Title`, `Chapter 3. Title`, `== Title`, `TITLE`.
fn heading_level(line: &str) -> Option<u8> {
    if line.starts_with([' ', '\t'])
        || line.chars().count() > HEADING_MAX
        || line.ends_with(['.', ',', ';', ':'])
        || line.contains("  |")
    {
        return None;
    }
    let mut words = line.split_whitespace();
    let first = words.next()?;
    // AsciiDoc and Org.
    if first.len() <= 6
        && (first.chars().all(|c| c == '=') || first.chars().all(|c| c == '*') && first.len() > 1)
    {
        return words.next().map(|_| first.len() as u8);
    }
    if matches!(first, "Chapter" | "Appendix" | "Part") && line.split_whitespace().count() <= 12 {
        let number = words.next()?.trim_end_matches(['.', ':']);
        let is_number =
            number.chars().all(|c| c.is_ascii_digit()) || number.len() == 1 || contents::is_roman(number);
        return is_number.then_some(1);
    }
    let number = first.trim_end_matches(['.', ')']);
    let is_number = number
        .split('.')
        .all(|part| !part.is_empty() && part.len() <= 3 && part.chars().all(|c| c.is_ascii_digit()));
    if is_number {
        // A list item ends like a sentence, or goes on in lower case.
        let title = words.next()?;
        return (first.contains('.') && title.chars().next()?.is_uppercase())
            .then(|| number.split('.').count().min(9) as u8);
    }
    let letters = line.chars().filter(|c| c.is_alphabetic()).count();
    let is_shouted = letters >= 4 && line.chars().filter(|c| c.is_alphabetic()).all(char::is_uppercase);
    (is_shouted && letters * 2 > line.chars().count() && line.split_whitespace().count() <= 10).then_some(1)
}

/// The text behind a list item's mark.
fn bullet(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let rest = match line.chars().next()? {
        c @ ('-' | '*' | '•' | '+' | '◦' | '▪' | '–' | '·') => &line[c.len_utf8()..],
        'o' => line.strip_prefix("o ")?,
        c if c.is_ascii_alphanumeric() || c == '(' => {
            let inner = line.trim_start_matches('(');
            let mark = inner.find(|c: char| !c.is_ascii_alphanumeric())?;
            let is_short = mark == 1 || mark <= 3 && inner[..mark].chars().all(|c| c.is_ascii_digit());
            if !is_short || mark == 0 {
                return None;
            }
            inner[mark..].strip_prefix(['.', ')'])?
        }
        _ => return None,
    };
    rest.starts_with([' ', '\t'])
        .then(|| rest.trim_start())
        .filter(|rest| !rest.is_empty())
}

/// Whether a line with a mark begins an item though the lines before it are none: the line before introduces a list.
fn bullet_in_run(lines: &[&Line<'_>], at: usize) -> bool {
    let before = lines[at - 1].text.trim_end();
    before.ends_with(':') || lines.get(at + 1).is_some_and(|next| bullet(next.text).is_some())
}

fn heading(line: &Line<'_>, level: u8, content: &mut Content) {
    content.blocks.push(Block {
        kind: Kind::Heading(level),
        text: clean::line(line.text),
        first: line.number,
        last: line.number,
    });
}

fn emit(lines: &[&Line<'_>], is_item: bool, content: &mut Content) {
    let (Some(first), Some(last)) = (lines.first(), lines.last()) else {
        return;
    };
    let whole = || lines.iter().map(|line| line.text).collect::<Vec<_>>().join("\n");
    let (kind, text) = if is_item {
        (Kind::Item, clean::line(&whole()))
    } else if is_prose(lines) {
        (Kind::Paragraph, rejoined(lines))
    } else {
        (Kind::Code, clean::lines(&whole()))
    };
    if !text.is_empty() {
        content.blocks.push(Block {
            kind,
            text,
            first: first.number,
            last: last.number,
        });
    }
}

/// Lines put together again; a word cut by a hyphen at a line's end is one word.
fn rejoined(lines: &[&Line<'_>]) -> String {
    let mut text = String::new();
    for line in lines {
        super::plain::append_line(&mut text, &clean::line(line.text));
    }
    text
}

/// Appends a line of prose to the lines before it.
pub(super) fn append_line(text: &mut String, line: &str) {
    if line.is_empty() {
        return;
    }
    let goes_on = line.chars().next().is_some_and(char::is_lowercase);
    let stem = text.strip_suffix('-').and_then(|stem| stem.chars().last());
    match stem {
        Some(c) if goes_on && c.is_lowercase() => {
            text.pop();
        }
        // `multi-` and `Smith-` keep their hyphen, and need no space.
        Some(c) if c.is_alphanumeric() => {}
        _ if text.is_empty() => {}
        _ => text.push(' '),
    }
    text.push_str(line);
}

/// Whether lines are a wrapped paragraph and no table, code, verse or address.
fn is_prose(lines: &[&Line<'_>]) -> bool {
    let lengths: Vec<usize> = lines
        .iter()
        .map(|line| line.text.trim().chars().count())
        .collect();
    let longest = lengths.iter().copied().max().unwrap_or(0);
    if lines.len() == 1 {
        return !lines[0].text.trim().contains("    ");
    }
    if longest > WRAPPED_MAX {
        return false;
    }
    let gaps = lines
        .iter()
        .filter(|line| line.text.trim().contains("   "))
        .count();
    if gaps * 4 > lines.len() {
        return false;
    }
    // All but the last line are full.
    let full = &lengths[..lengths.len() - 1];
    let short = full.iter().filter(|length| **length * 10 < longest * 6).count();
    let letters = lines
        .iter()
        .flat_map(|line| line.text.chars())
        .filter(|c| !c.is_whitespace());
    let (mut all, mut marks) = (0_usize, 0_usize);
    for c in letters {
        all += 1;
        marks += usize::from(matches!(
            c,
            '{' | '}' | ';' | '=' | '<' | '>' | '|' | '$' | '\\' | '_' | '#' | '/'
        ));
    }
    short * 4 <= full.len() && longest >= 30 && marks * 12 <= all
}

#[cfg(test)]
mod tests;
