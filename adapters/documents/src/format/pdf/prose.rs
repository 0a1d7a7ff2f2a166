//! From lines to headings, paragraphs, list items, code and rows of tables.

use std::collections::BTreeMap;

use super::PageLines;
use super::layout::Line;
use super::outline::Titles;
use crate::block::{Block, Content, Kind, Why};
use crate::clean;
use crate::format::{contents, plain};

/// A font this much larger than that of the text is one of headings.
const HEADING_SIZE: f64 = 1.12;
/// Longest heading, in characters.
const HEADING_MAX: usize = 150;
/// A page of which so many lines are entries is one of contents, or of an index.
const CONTENTS_SHARE: f64 = 0.4;
/// Fewer bookmarks than this say nothing about headings.
const TITLES_MIN: usize = 3;

/// Measures of the document.
struct Measures {
    /// Size of the font that most of the text is set in.
    body: f64,
    /// Distance of lines of a paragraph, in sizes.
    leading: f64,
    /// Sizes of headings, largest first, in tenths of a point.
    headings: Vec<i64>,
}

/// Puts lines together to blocks.
pub(super) fn blocks(pages: Vec<PageLines>, titles: &Titles, content: &mut Content) {
    let measures = measure(&pages);
    let mut writer = Writer {
        measures,
        titles,
        content,
        open: None,
    };
    for page in pages {
        let kept = writer.without_contents(page.lines);
        let columns = columns(&kept);
        let mut at = 0;
        while at < kept.len() {
            at += writer.line(&kept, at, page.number, columns.get(&kept[at].column).copied());
        }
    }
    writer.flush();
}

fn tenths(size: f64) -> i64 {
    (size * 10.0).round() as i64
}

fn measure(pages: &[PageLines]) -> Measures {
    let mut sizes: BTreeMap<i64, usize> = BTreeMap::new();
    let mut leadings: BTreeMap<i64, usize> = BTreeMap::new();
    for page in pages {
        for line in &page.lines {
            *sizes.entry(tenths(line.size)).or_default() += line.text.len();
        }
        for pair in page.lines.windows(2) {
            let gap = (pair[1].baseline - pair[0].baseline) / pair[0].size;
            if pair[0].column == pair[1].column
                && (0.8..2.5).contains(&gap)
                && tenths(pair[0].size) == tenths(pair[1].size)
            {
                *leadings.entry((gap * 20.0).round() as i64).or_default() += pair[1].text.len();
            }
        }
    }
    let most = |counts: &BTreeMap<i64, usize>| {
        counts
            .iter()
            .max_by_key(|(_, count)| **count)
            .map(|(value, _)| *value)
    };
    let body = most(&sizes).map_or(10.0, |size| size as f64 / 10.0);
    let headings = sizes
        .keys()
        .rev()
        .copied()
        .filter(|size| *size as f64 / 10.0 > HEADING_SIZE * body)
        .collect();
    Measures {
        body,
        leading: most(&leadings).map_or(1.2, |leading| leading as f64 / 20.0),
        headings,
    }
}

/// The left and right end of each column.
fn columns(lines: &[Line]) -> BTreeMap<usize, (f64, f64)> {
    let mut columns: BTreeMap<usize, (f64, f64)> = BTreeMap::new();
    for line in lines {
        let (left, right) = columns.entry(line.column).or_insert((f64::INFINITY, 0.0));
        *left = left.min(line.x);
        *right = right.max(line.end);
    }
    columns
}

/// A block that may go on with the next line.
struct Open {
    kind: Kind,
    text: String,
    first: u32,
    last: u32,
    /// Its last line.
    line: Line,
    /// Where its lines begin: that of its second line once there is one.
    margin: f64,
    /// Its last line reaches to the right end of its column.
    full: bool,
}

struct Writer<'c> {
    measures: Measures,
    titles: &'c Titles,
    content: &'c mut Content,
    open: Option<Open>,
}

impl Writer<'_> {
    /// Drops entries of contents and indexes, and whole pages of them.
    fn without_contents(&mut self, lines: Vec<Line>) -> Vec<Line> {
        let entries = lines.iter().filter(|line| contents::is_entry(&line.text)).count();
        let indexed = lines
            .iter()
            .filter(|line| contents::is_index_entry(&line.text))
            .count();
        let most = |count: usize| lines.len() >= 8 && count as f64 > CONTENTS_SHARE * lines.len() as f64;
        let whole_page = most(entries) || most(indexed) || lines.len() >= 8 && is_listing(&lines);
        let mut kept = Vec::new();
        for line in lines {
            let is_sentence =
                line.text.len() > 60 && line.text.ends_with(['.', ',']) && !line.text.ends_with("..");
            if contents::is_entry(&line.text) || whole_page && !is_sentence {
                self.content.dropped.count(Why::Contents, &line.text);
            } else {
                kept.push(line);
            }
        }
        kept
    }

    /// Takes the line at `at`, with the next when both are one heading; returns how many.
    fn line(&mut self, lines: &[Line], at: usize, page: u32, column: Option<(f64, f64)>) -> usize {
        let line = &lines[at];
        let (left, right) = column.unwrap_or((line.x, line.end));
        if let Some((level, taken)) = self.heading(lines, at) {
            self.flush();
            let text = lines[at..at + taken]
                .iter()
                .fold(String::new(), |mut text, line| {
                    plain::append_line(&mut text, &clean::line(&line.text));
                    text
                });
            self.content.blocks.push(Block {
                kind: Kind::Heading(level),
                text,
                first: page,
                last: page,
            });
            return taken;
        }
        let kind = self.kind(lines, at);
        let full = line.end > right - (0.08 * (right - left)).max(line.size);
        if self.goes_on(line, kind, (left, right), page) {
            self.append(line, left, page, full);
        } else {
            self.begin(line, kind, left, page, full);
        }
        1
    }

    fn kind(&self, lines: &[Line], at: usize) -> Kind {
        let line = &lines[at];
        let is_cells = |line: Option<&Line>| line.is_some_and(|line| line.cells.len() > 1);
        let is_row = is_cells(Some(line))
            && (is_cells(lines.get(at + 1)) || at > 0 && is_cells(lines.get(at - 1)) || line.cells.len() > 2);
        if line.mono {
            Kind::Code
        } else if is_item(&line.text) {
            Kind::Item
        } else if is_row {
            Kind::Row
        } else {
            Kind::Paragraph
        }
    }

    /// Level and number of lines of a heading.
    fn heading(&self, lines: &[Line], at: usize) -> Option<(u8, usize)> {
        let line = &lines[at];
        if line.text.chars().count() > HEADING_MAX || !line.text.chars().any(char::is_alphabetic) || line.mono
        {
            return None;
        }
        let next = lines.get(at + 1).filter(|next| {
            next.column == line.column
                && tenths(next.size) == tenths(line.size)
                && next.baseline - line.baseline < 2.0 * line.size
        });
        let large = line.size > HEADING_SIZE * self.measures.body;
        if self.titles.len() >= TITLES_MIN {
            // A title is set off from what is above it, or larger.
            let before = at
                .checked_sub(1)
                .map(|before| &lines[before])
                .filter(|before| before.column == line.column);
            let set_off = before.is_none_or(|before| {
                line.baseline - before.baseline > 1.15 * self.measures.leading * before.size
                    || tenths(before.size) != tenths(line.size)
            });
            if set_off || large {
                if let Some(level) = self.titles.level(&line.text) {
                    return Some((level, 1));
                }
                if let Some(next) = next
                    && let Some(level) = self.titles.level(&format!("{} {}", line.text, next.text))
                {
                    return Some((level, 2));
                }
            }
        }
        if !large || line.text.ends_with(['.', ',', ';']) && line.text.split_whitespace().count() > 6 {
            return None;
        }
        let rank = self
            .measures
            .headings
            .iter()
            .position(|size| *size == tenths(line.size))
            .unwrap_or(0);
        // Beside bookmarks, what is large without one is a chapter's number or the title page's.
        let level = if self.titles.len() >= TITLES_MIN {
            1
        } else {
            1 + rank.min(5) as u8
        };
        let more = lines[at + 1..]
            .iter()
            .zip(&lines[at..])
            .take(3)
            .take_while(|(next, line)| {
                next.column == line.column
                    && tenths(next.size) == tenths(line.size)
                    && next.baseline > line.baseline
                    && next.baseline - line.baseline < 1.6 * line.size
                    && self.titles.level(&next.text).is_none()
            })
            .count();
        Some((level, 1 + more))
    }

    /// Whether a line belongs to the block before it.
    fn goes_on(&self, line: &Line, kind: Kind, (left, right): (f64, f64), page: u32) -> bool {
        let Some(open) = &self.open else {
            return false;
        };
        let unfinished = !open.text.ends_with(['.', '!', '?', ':', '”', '"']) || open.text.ends_with("e.g.");
        let begins_low = line
            .text
            .chars()
            .next()
            .is_some_and(|c| c.is_lowercase() || c.is_ascii_digit() || matches!(c, '(' | ','));
        let same_place = open.last == page && open.line.column == line.column;
        let alike = (open.line.size - line.size).abs() < 0.08 * open.line.size.max(line.size);
        match (open.kind, kind) {
            (Kind::Code, Kind::Code) => {
                same_place
                    && line.baseline - open.line.baseline < 2.6 * line.size
                    && line.baseline > open.line.baseline
            }
            (Kind::Paragraph | Kind::Item, Kind::Paragraph | Kind::Code)
                if kind == Kind::Paragraph || line.text.len() < 4 =>
            {
                if !same_place {
                    // Over to the next column or page.
                    return alike && open.full && unfinished
                        || alike && open.text.ends_with('-') && begins_low;
                }
                // A line is full, too, where the next one's first word had no more room.
                let full = open.full || open.line.end + first_word(line) > right - 0.02 * (right - left);
                let gap = (line.baseline - open.line.baseline) / open.line.size.max(line.size);
                if !alike || gap <= 0.0 || gap > 1.3 * self.measures.leading.max(1.0) {
                    return false;
                }
                if open.kind == Kind::Item {
                    // A list's next paragraph begins further left than the item's text.
                    return full
                        || unfinished
                        || line.x > left + 0.5 * line.size && (line.x - open.margin).abs() < line.size;
                }
                let indented =
                    line.x > open.margin + 0.6 * line.size && line.x < open.margin + 5.0 * line.size;
                if full && unfinished {
                    return true;
                }
                full && !indented || unfinished && begins_low
            }
            _ => false,
        }
    }

    fn begin(&mut self, line: &Line, kind: Kind, left: f64, page: u32, full: bool) {
        self.flush();
        let text = match kind {
            Kind::Code => indented(line, left),
            Kind::Row => line
                .cells
                .iter()
                .map(|cell| clean::line(&line.text[cell.clone()]))
                .collect::<Vec<_>>()
                .join(" | "),
            _ => clean::line(&line.text),
        };
        self.open = Some(Open {
            kind,
            text,
            first: page,
            last: page,
            line: line.clone(),
            // A first line is often indented: its column's left end is nearer to the truth.
            margin: if line.x < left + 3.0 * line.size {
                left
            } else {
                line.x
            },
            full,
        });
    }

    fn append(&mut self, line: &Line, left: f64, page: u32, full: bool) {
        let Some(open) = &mut self.open else {
            return;
        };
        if open.kind == Kind::Code {
            open.text.push('\n');
            open.text.push_str(&indented(line, left));
        } else {
            plain::append_line(&mut open.text, &clean::line(&line.text));
            open.margin = line.x;
        }
        open.last = page;
        open.line = line.clone();
        open.full = full;
    }

    fn flush(&mut self) {
        let Some(open) = self.open.take() else {
            return;
        };
        let text = if open.kind == Kind::Code {
            clean::lines(&open.text)
        } else {
            open.text
        };
        if !text.trim().is_empty() {
            self.content.blocks.push(Block {
                kind: open.kind,
                text,
                first: open.first,
                last: open.last,
            });
        }
    }
}

/// A line of code with the spaces that stand before and inside of it.
fn indented(line: &Line, left: f64) -> String {
    // A character of a fixed-width font is about 0.6 of its size wide.
    let spaces = ((line.x - left) / (0.6 * line.size.max(1.0)))
        .round()
        .clamp(0.0, 60.0) as usize;
    format!("{}{}", " ".repeat(spaces), line.text)
}

/// About the width of a line's first word, with a space.
fn first_word(line: &Line) -> f64 {
    let characters = line.text.chars().count().max(1) as f64;
    let word = line.text.split(' ').next().unwrap_or_default().chars().count() as f64;
    (word + 1.0) * (line.end - line.x) / characters
}

/// A line that begins with the mark of a list.
fn is_item(text: &str) -> bool {
    let text = text.trim_start();
    let Some((mark, rest)) = text.split_once(' ') else {
        return false;
    };
    if rest.trim().is_empty() {
        return false;
    }
    match mark {
        "•" | "◦" | "▪" | "■" | "–" | "-" | "*" | "·" | "∙" | "○" | "●" | "‣" | "➢" | "✓" | "o" => {
            true
        }
        _ => {
            let number = mark
                .trim_start_matches(['(', '['])
                .trim_end_matches(['.', ')', ']']);
            let is_marked = number.len() < mark.len() && !mark.starts_with('[');
            is_marked
                && (number.len() <= 2 && !number.is_empty() && number.chars().all(|c| c.is_ascii_digit())
                    || number.len() == 1 && number.chars().all(|c| c.is_ascii_lowercase()))
        }
    }
}

/// A page of titles with page numbers at the right that grow from line to line: contents without dots.
fn is_listing(lines: &[Line]) -> bool {
    let numbers: Vec<u32> = lines
        .iter()
        .filter(|line| line.cells.len() > 1 || line.text.split_whitespace().count() < 14)
        .filter_map(|line| line.text.rsplit(' ').next()?.parse().ok())
        .collect();
    let growing = numbers
        .windows(2)
        .filter(|pair| pair[0] <= pair[1] && pair[1] - pair[0] < 100)
        .count();
    numbers.len() * 10 >= lines.len() * 6 && growing * 10 >= numbers.len().saturating_sub(1) * 9
}
