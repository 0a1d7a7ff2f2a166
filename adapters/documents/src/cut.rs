//! Cuts a document's blocks into passages: by headings first, then paragraphs, then sentences.
//!
//! Sections too small to ask about are put together with their neighbours under the same heading; sections too large are
//! cut between paragraphs where that leaves neither side small, else between sentences. A passage never mixes what stands
//! under different top headings, and never exceeds [`Cut::most`].

use std::ops::Range;

use gristmill_domain::passage::{Passage, PassageLocation, Source};
use serde::{Deserialize, Serialize};
use unicode_segmentation::UnicodeSegmentation as _;

use crate::block::{Block, Kind};
use crate::measure::{RUN_MAX, Unit};
use crate::sentence::sentences;

/// How passages are cut. Sizes are in `unit`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Cut {
    /// Words or characters.
    pub unit: Unit,
    /// The size aimed at.
    pub target: usize,
    /// The size never exceeded.
    pub most: usize,
    /// How much of the end of a passage the next one of the same section begins with: as many whole sentences as fit.
    pub overlap: usize,
    /// Passages smaller than this are dropped as fragments.
    pub least: usize,
}

impl Default for Cut {
    /// 200 words, never over 320, 30 words of overlap, fragments under 10 words dropped.
    fn default() -> Self {
        Self {
            unit: Unit::Words,
            target: 200,
            most: 320,
            overlap: 30,
            least: 10,
        }
    }
}

impl Cut {
    /// What is wrong with these sizes, with the way out.
    pub(crate) fn fault(&self) -> Option<String> {
        let (floor, unit) = match self.unit {
            Unit::Words => (24, "words"),
            Unit::Characters => (120, "characters"),
        };
        if self.target < floor {
            return Some(format!(
                "a target size of {} {unit} is below {floor}; 200 words are usual",
                self.target
            ));
        }
        if self.most < self.target {
            return Some(format!(
                "the maximum size {} is below the target {}; raise it",
                self.most, self.target
            ));
        }
        if 2 * self.overlap > self.target {
            return Some(format!(
                "an overlap of {} is more than half of the target {}; lower it",
                self.overlap, self.target
            ));
        }
        (self.least > self.target).then(|| {
            format!(
                "passages of the target size {} would be dropped as smaller than {}",
                self.target, self.least
            )
        })
    }
}

/// A stretch of a section that is not cut any more.
#[derive(Debug)]
struct Piece {
    text: String,
    /// What comes before it, unless it is a passage's first.
    glue: &'static str,
    size: usize,
    /// Index of its block, to cut between paragraphs.
    block: usize,
    first: u32,
    last: u32,
}

/// What stands under one heading.
#[derive(Debug)]
struct Section {
    path: Vec<String>,
    pieces: Vec<Piece>,
}

impl Section {
    fn size(&self) -> usize {
        self.pieces.iter().map(|piece| piece.size).sum()
    }
}

/// Cuts blocks into passages, in order. Fragments are among them: their dropping is the caller's to count.
pub(crate) fn cut(source: &Source, title: Option<&str>, blocks: &[Block], how: &Cut) -> Vec<Passage> {
    let mut passages = Vec::new();
    let mut sections = sections(title, blocks, how).into_iter().peekable();
    while let Some(mut section) = sections.next() {
        let mut size = section.size();
        while size < how.target.div_ceil(2)
            && let Some(next) = sections.peek()
            && let Some(joined) = joined_size(&section, next, how)
            && joined <= how.target
            && let Some(next) = sections.next()
        {
            join(&mut section, next, how);
            size = section.size();
        }
        emit(source, section, how, &mut passages);
    }
    passages
}

/// Groups blocks by the headings above them and cuts each block into pieces.
fn sections(title: Option<&str>, blocks: &[Block], how: &Cut) -> Vec<Section> {
    let mut sections: Vec<Section> = Vec::new();
    let title = title.filter(|title| !title.is_empty());
    // Levels of the headings in force, beside their texts.
    let mut path: Vec<(u8, &str)> = Vec::new();
    let mut fresh = true;
    for (index, block) in blocks.iter().enumerate() {
        if let Kind::Heading(level) = block.kind {
            path.retain(|(above, _)| *above < level);
            path.push((level, &block.text));
            fresh = true;
            continue;
        }
        if fresh {
            let headings = path.iter().map(|(_, text)| *text);
            // A title that also is, or names, the first heading is said once.
            let title = title.filter(|title| path.first().is_none_or(|(_, first)| !says(title, first)));
            sections.push(Section {
                path: title.into_iter().chain(headings).map(str::to_owned).collect(),
                pieces: vec![],
            });
            fresh = false;
        }
        if let Some(section) = sections.last_mut() {
            let after = index
                .checked_sub(1)
                .and_then(|before| blocks.get(before))
                .map(|block| block.kind);
            pieces(index, block, after, how, &mut section.pieces);
        }
    }
    sections.retain(|section| !section.pieces.is_empty());
    sections
}

/// Whether a title has all of a heading's letters, one after the other.
fn says(title: &str, heading: &str) -> bool {
    let letters = |text: &str| -> String {
        text.chars()
            .filter(|c| c.is_alphanumeric())
            .flat_map(char::to_lowercase)
            .collect()
    };
    letters(title).contains(&letters(heading))
}

fn pieces(index: usize, block: &Block, after: Option<Kind>, how: &Cut, into: &mut Vec<Piece>) {
    let close = matches!(
        (after, block.kind),
        (Some(Kind::Item), Kind::Item) | (Some(Kind::Row), Kind::Row) | (Some(Kind::Code), Kind::Code)
    );
    let mut glue = if close { "\n" } else { "\n\n" };
    let mut push = |text: &str, glue: &'static str| {
        let glue_size = if how.unit == Unit::Characters {
            glue.len()
        } else {
            0
        };
        into.push(Piece {
            text: text.to_owned(),
            glue,
            size: how.unit.size(text) + glue_size,
            block: index,
            first: block.first,
            last: block.last,
        });
    };
    for whole in units(block) {
        // Lines of code keep their indentation.
        let text = if block.kind == Kind::Code {
            whole.trim_end()
        } else {
            whole.trim()
        };
        let mut end = 0;
        for part in fitting(text, how) {
            if end > 0 {
                // What was cut in the middle of a word is put together without a space.
                glue = if part.start > end { " " } else { "" };
            }
            end = part.end;
            push(&text[part], glue);
        }
        glue = match whole {
            whole if whole.ends_with("\n\n") => "\n\n",
            whole if whole.ends_with('\n') => "\n",
            _ => " ",
        };
    }
}

/// What of a block is not cut unless it is too long: sentences, and lines of code with the blank lines behind them.
fn units(block: &Block) -> Vec<&str> {
    if block.kind != Kind::Code {
        let sentences = sentences(&block.text).into_iter().map(|range| &block.text[range]);
        return sentences.filter(|sentence| !sentence.trim().is_empty()).collect();
    }
    let mut units: Vec<Range<usize>> = Vec::new();
    let mut at = 0;
    for line in block.text.split_inclusive('\n') {
        let range = at..at + line.len();
        at = range.end;
        match units.last_mut() {
            Some(last) if line.trim().is_empty() => last.end = range.end,
            _ if line.trim().is_empty() => {}
            _ => units.push(range),
        }
    }
    units.into_iter().map(|range| &block.text[range]).collect()
}

/// A sentence as it is, or cut into parts of at most the target size: after a clause, else a word, else a character.
fn fitting(text: &str, how: &Cut) -> Vec<Range<usize>> {
    // In characters, the glue counts too.
    let glue = if how.unit == Unit::Characters { 2 } else { 0 };
    if how.unit.size(text) + glue <= how.most {
        return std::iter::once(0..text.len()).collect();
    }
    let room = how.target - glue;
    let mut parts = Vec::new();
    let (mut start, mut size) = (0, 0);
    // Where a part may end, best first: after a clause and after a word.
    let (mut clause, mut word) = (None, None);
    for token in tokens(text) {
        // In characters, the space before it counts too.
        let from = if how.unit == Unit::Characters {
            text[..token.start].trim_end().len().max(start)
        } else {
            token.start
        };
        let more = how.unit.size(&text[from..token.end]);
        if size + more > room && token.start > start {
            let end = clause.or(word).unwrap_or(token.start);
            parts.push(trimmed(text, start..end));
            start = trimmed(text, end..text.len()).start;
            size = if token.start > start {
                how.unit.size(&text[start..token.start])
            } else {
                0
            };
            (clause, word) = (None, None);
        }
        size += more;
        if text[token.end..].starts_with(char::is_whitespace) {
            word = Some(token.end);
            if size > room / 2
                && text[..token.end].ends_with([';', ':', ',', '—', '–', ')', '，', '、', '；'])
            {
                clause = Some(token.end);
            }
        }
    }
    parts.push(trimmed(text, start..text.len()));
    parts.retain(|part| !part.is_empty());
    parts
}

fn trimmed(text: &str, range: Range<usize>) -> Range<usize> {
    let part = &text[range.clone()];
    let start = range.start + (part.len() - part.trim_start().len());
    start..(start + part.trim().len())
}

/// Words, and runs of at most 24 characters of what is longer; not inside of what is seen as one character, unless
/// that alone is longer.
fn tokens(text: &str) -> impl Iterator<Item = Range<usize>> + '_ {
    let words = text.split_word_bound_indices();
    words
        .filter(|(_, word)| !word.trim().is_empty())
        .flat_map(|(start, word)| {
            let mut ranges = Vec::new();
            let (mut from, mut length) = (start, 0);
            let mut step = |at: usize, characters: usize| {
                if length > 0 && length + characters > RUN_MAX {
                    ranges.push(from..at);
                    (from, length) = (at, 0);
                }
                length += characters;
            };
            for (at, grapheme) in word.grapheme_indices(true) {
                match grapheme.chars().count() {
                    characters @ ..=RUN_MAX => step(start + at, characters),
                    _ => grapheme
                        .char_indices()
                        .for_each(|(inner, _)| step(start + at + inner, 1)),
                }
            }
            ranges.push(from..start + word.len());
            ranges
        })
}

/// The headings that two sections share; `None` when they share none though they have some.
fn common(a: &[String], b: &[String]) -> Option<usize> {
    let shared = a.iter().zip(b).take_while(|(a, b)| a == b).count();
    (shared > 0 || a.is_empty() && b.is_empty()).then_some(shared)
}

/// The inner headings of a section, in a line of text.
fn inner(path: &[String], shared: usize) -> String {
    path.get(shared..).unwrap_or_default().join(" – ")
}

/// The size of two sections together with the headings that then stand in the text.
fn joined_size(section: &Section, next: &Section, how: &Cut) -> Option<usize> {
    let shared = common(&section.path, &next.path)?;
    let glue = if how.unit == Unit::Characters { 4 } else { 0 };
    let headings = how.unit.size(&inner(&section.path, shared)) + how.unit.size(&inner(&next.path, shared));
    Some(section.size() + next.size() + headings + glue)
}

fn join(section: &mut Section, mut next: Section, how: &Cut) {
    let Some(shared) = common(&section.path, &next.path) else {
        return;
    };
    prefix(&mut section.pieces, &inner(&section.path, shared), how);
    prefix(&mut next.pieces, &inner(&next.path, shared), how);
    section.path.truncate(shared);
    section.pieces.append(&mut next.pieces);
}

/// Puts a heading before the first piece.
fn prefix(pieces: &mut [Piece], heading: &str, how: &Cut) {
    if let Some(first) = pieces.first_mut()
        && !heading.is_empty()
    {
        first.size += how.unit.size(heading) + usize::from(how.unit == Unit::Characters);
        first.text = format!("{heading}\n{}", first.text);
    }
}

fn emit(source: &Source, section: Section, how: &Cut, passages: &mut Vec<Passage>) {
    let pieces = &section.pieces;
    let mut before = 0;
    for range in ranges(pieces, how) {
        let mut start = range.start;
        let size: usize = pieces[range.clone()].iter().map(|piece| piece.size).sum();
        let mut repeated = 0;
        while start > before
            && let Some(piece) = pieces[..start].last()
            && repeated + piece.size <= how.overlap
            && size + repeated + piece.size <= how.most
        {
            repeated += piece.size;
            start -= 1;
        }
        before = range.start;
        passages.push(passage(source, &section.path, &pieces[start..range.end]));
    }
}

fn passage(source: &Source, path: &[String], pieces: &[Piece]) -> Passage {
    let mut text = String::new();
    for piece in pieces {
        if !text.is_empty() {
            text.push_str(piece.glue);
        }
        text.push_str(&piece.text);
    }
    let first = pieces.iter().map(|piece| piece.first).min().unwrap_or(1);
    let last = pieces.iter().map(|piece| piece.last).max().unwrap_or(first);
    Passage {
        id: Passage::content_id(&text),
        text,
        headings: path.to_vec(),
        source: source.clone(),
        place: PassageLocation::of(source.media, first, last),
    }
}

/// Where a section is cut. The ranges follow each other and leave nothing out.
fn ranges(pieces: &[Piece], how: &Cut) -> Vec<Range<usize>> {
    // From each piece to the end of its block.
    let mut rest: Vec<usize> = pieces.iter().map(|piece| piece.size).collect();
    for at in (1..pieces.len()).rev() {
        if pieces[at].block == pieces[at - 1].block {
            rest[at - 1] += rest[at];
        }
    }
    let mut ranges: Vec<Range<usize>> = Vec::new();
    let (mut start, mut size) = (0, 0);
    for (at, piece) in pieces.iter().enumerate() {
        // What is repeated of the passage before comes on top.
        let repeated = if start > 0 { how.overlap } else { 0 };
        let (target, most) = (how.target - repeated, how.most - repeated);
        let whole = size + rest[at];
        let begins_block = at > 0 && pieces[at - 1].block != piece.block;
        let full = size >= target
            || size + piece.size > most
            || size + piece.size > target && whole > most
            || begins_block && size >= target / 2 && whole > target;
        if at > start && full {
            ranges.push(start..at);
            (start, size) = (at, 0);
        }
        size += piece.size;
    }
    if start < pieces.len() {
        // A small tail goes with what it belongs to.
        let tail = ranges.last_mut().filter(|last| {
            let before: usize = pieces[(*last).clone()].iter().map(|piece| piece.size).sum();
            let repeated = if last.start > 0 { how.overlap } else { 0 };
            size < how.target / 4 && before + size + repeated <= how.most
        });
        match tail {
            Some(last) => last.end = pieces.len(),
            None => ranges.push(start..pieces.len()),
        }
    }
    ranges
}

#[cfg(test)]
mod tests;
