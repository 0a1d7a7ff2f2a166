//! From characters on a page to lines in the order in which they are read.
//!
//! Characters that follow each other make segments, segments of one height make rows. Where a strip of white runs down
//! between text on both sides, the rows beside it are columns and are read one column after the other.

use std::ops::Range;

use super::glyphs::Glyph;
use crate::clean;
use crate::format::notation::{self, Shift};

/// Space between characters, in heights of the font, that is a space between words. TeX shrinks spaces to 0.22; kerning
/// stays under 0.1.
const WORD_GAP: f64 = 0.15;
/// Space that separates segments: cells, columns.
const SEGMENT_GAP: f64 = 1.0;
/// Rows that text beside a gutter has at least, on both sides.
const COLUMN_ROWS_MIN: usize = 3;
/// Characters a row of a column has on average; cells of tables have fewer.
const COLUMN_CHARACTERS_MIN: usize = 16;
/// Share of a column's width that its rows fill, in the middle.
const COLUMN_FILL_MIN: f64 = 0.55;
/// Space over the whole width, in sizes, above which columns end: what comes below is read after both.
const BAND_GAP: f64 = 2.8;
/// Columns inside of columns.
const COLUMNS_DEPTH_MAX: usize = 3;

/// A line as it is read.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) text: String,
    pub(super) x: f64,
    pub(super) end: f64,
    pub(super) baseline: f64,
    pub(super) size: f64,
    /// All characters are equally wide.
    pub(super) mono: bool,
    /// Byte ranges of what stands apart in it; more than one in rows of tables.
    pub(super) cells: Vec<Range<usize>>,
    /// Lines of one column of one page have the same number.
    pub(super) column: usize,
}

/// Size of raised and lowered characters beside those on the line, at most.
const SHIFTED_SIZE: f64 = 0.85;
/// How far they are from the line at least, in sizes of the line; TeX lowers by 0.15 and raises by 0.36.
const SHIFTED_BY: f64 = 0.08;

/// Characters side by side.
#[derive(Debug, Clone)]
struct Segment {
    text: String,
    x: f64,
    end: f64,
    baseline: f64,
    size: f64,
    mono: bool,
}

#[derive(Debug, Clone)]
struct Row {
    baseline: f64,
    segments: Vec<Segment>,
}

/// The lines of a page.
pub(super) fn lines(glyphs: Vec<Glyph>) -> Vec<Line> {
    let rows = rows(segments(glyphs));
    let mut found = Vec::new();
    let mut column = 0;
    read(rows, 0, &mut column, &mut found);
    found
}

/// Splits the stream of characters where the next one is not beside the last.
fn segments(glyphs: Vec<Glyph>) -> Vec<Segment> {
    let mut segments = Vec::new();
    let mut run: Vec<Glyph> = Vec::new();
    for glyph in glyphs {
        let follows = run.last().is_some_and(|last| {
            let size = last.size.max(glyph.size);
            let gap = glyph.x - last.end;
            // A character raised or lowered belongs to the word that it stands at.
            let shift = (glyph.baseline - run[0].baseline).abs();
            let same_line = shift < 0.2 * size || shift < 0.5 * size && glyph.size < 0.85 * run[0].size;
            let back = (glyph.baseline - last.baseline).abs() < 0.2 * size;
            (same_line || back)
                && gap < SEGMENT_GAP * size
                && gap > -0.4 * size
                && (glyph.size < 1.6 * last.size && last.size < 1.6 * glyph.size)
        });
        if !follows && !run.is_empty() {
            segments.extend(segment(&run));
            run.clear();
        }
        run.push(glyph);
    }
    segments.extend(segment(&run));
    segments
}

fn segment(run: &[Glyph]) -> Option<Segment> {
    // Most of the run is of one size: raised characters are not.
    let mut sizes: Vec<f64> = run.iter().map(|glyph| glyph.size).collect();
    sizes.sort_by(f64::total_cmp);
    let size = *sizes.get(sizes.len() / 2)?;
    let mut gaps: Vec<f64> = run.windows(2).map(|pair| pair[1].x - pair[0].end).collect();
    gaps.sort_by(f64::total_cmp);
    let middle = gaps.get(gaps.len() / 2).copied().unwrap_or(0.0);
    // Letters set apart on purpose: only more than that separates words.
    let word_gap = if middle > 0.08 * size && gaps.len() > 3 {
        1.8 * middle
    } else {
        WORD_GAP * size
    };
    let mut text = String::new();
    let mut before: Option<&Glyph> = None;
    let mut shifted: Option<(Shift, usize)> = None;
    let mut ended: Option<usize> = None;
    let largest = run.iter().map(|glyph| glyph.size).fold(0.0, f64::max);
    let level = run.iter().find(|glyph| glyph.size > 0.9 * largest)?.baseline;
    for glyph in run {
        if let Some(last) = before {
            // The same character in the same place, to look bold.
            if last.text == glyph.text && (last.x - glyph.x).abs() < 0.1 * size {
                continue;
            }
            if glyph.x - last.end > word_gap && !text.ends_with(' ') {
                text.push(' ');
            }
        }
        let shift = shift(glyph.size, glyph.baseline, largest, level);
        if shifted.map(|(shift, _)| shift) != shift && !glyph.text.trim().is_empty() {
            if let Some((shift, from)) = shifted.take() {
                ended = settle(&mut text, shift, from);
            }
            shifted = shift.map(|shift| (shift, text.len()));
        }
        if shifted.is_none() {
            notation::follow(&mut text, ended.take(), &glyph.text);
        }
        text.push_str(&glyph.text);
        before = Some(glyph);
    }
    if let Some((shift, from)) = shifted {
        settle(&mut text, shift, from);
    }
    // Where the line is, and not what is raised above it.
    let on_line = run
        .iter()
        .find(|glyph| (glyph.size - size).abs() < 0.1 * size)
        .or(run.first())?;
    let text = clean::harmless(&text).replace(['\n', '\t'], " ");
    let is_blank = text.trim().is_empty();
    let first = run
        .iter()
        .find(|glyph| !glyph.text.trim().is_empty())
        .or(run.first())?;
    let last = run
        .iter()
        .rfind(|glyph| !glyph.text.trim().is_empty())
        .or(run.last())?;
    (!is_blank).then(|| Segment {
        text: text.trim().to_owned(),
        x: first.x,
        end: last.end.max(first.x),
        baseline: on_line.baseline,
        size,
        mono: is_mono(run),
    })
}

/// Whether characters of this size and height are raised or lowered from a line.
fn shift(size: f64, baseline: f64, line_size: f64, level: f64) -> Option<Shift> {
    let is_shifted = size < SHIFTED_SIZE * line_size && (baseline - level).abs() > SHIFTED_BY * line_size;
    // Heights are counted from the top of the page.
    is_shifted.then_some(if baseline < level {
        Shift::Raised
    } else {
        Shift::Lowered
    })
}

/// Ends raised or lowered text. Where it begins a line it is the mark of the note that follows.
fn settle(text: &mut String, shift: Shift, from: usize) -> Option<usize> {
    let ended = notation::shift(text, from, shift, from == 0);
    if from == 0 {
        text.push(' ');
    }
    ended
}

/// Whether characters that differ in width in other fonts are equally wide.
fn is_mono(run: &[Glyph]) -> bool {
    let is_narrow = |c: char| {
        matches!(
            c,
            'i' | 'j'
                | 'l'
                | 't'
                | 'f'
                | 'r'
                | 'I'
                | '.'
                | ','
                | ':'
                | ';'
                | '\''
                | '|'
                | '!'
                | '('
                | ')'
                | '-'
                | '['
                | ']'
        )
    };
    let widths = run.iter().filter_map(|glyph| {
        let c = glyph.text.chars().next().filter(|c| !c.is_whitespace())?;
        Some((glyph.advance, is_narrow(c)))
    });
    let (mut narrow, mut wide, mut all) = (None, None, 0_usize);
    for (width, is_narrow) in widths {
        all += 1;
        let kept = if is_narrow { &mut narrow } else { &mut wide };
        match kept {
            None => *kept = Some(width),
            Some(known) if (*known - width).abs() > 1.0 => return false,
            Some(_) => {}
        }
    }
    all >= 3 && matches!((narrow, wide), (Some(a), Some(b)) if (a - b).abs() <= 1.0)
}

/// Puts segments of one height together.
fn rows(mut segments: Vec<Segment>) -> Vec<Row> {
    segments.sort_by(|a, b| a.baseline.total_cmp(&b.baseline).then(a.x.total_cmp(&b.x)));
    let mut rows: Vec<(Row, f64)> = Vec::new();
    for segment in segments {
        // Only the last rows can be near; raised characters come before the line they belong to.
        let near = rows.iter_mut().rev().take(3).find(|(row, size)| {
            let larger = size.max(segment.size);
            let alike = size.min(segment.size) > 0.8 * larger;
            let shift = (row.baseline - segment.baseline).abs();
            shift < if alike { 0.25 } else { 0.42 } * larger
        });
        match near {
            Some((row, size)) => {
                if segment.size > *size {
                    row.baseline = segment.baseline;
                    *size = segment.size;
                }
                row.segments.push(segment);
            }
            None => rows.push((
                Row {
                    baseline: segment.baseline,
                    segments: vec![segment.clone()],
                },
                segment.size,
            )),
        }
    }
    let mut rows: Vec<Row> = rows.into_iter().map(|(row, _)| merged(row)).collect();
    rows.sort_by(|a, b| a.baseline.total_cmp(&b.baseline));
    rows
}

/// Joins segments that are no further apart than words.
fn merged(mut row: Row) -> Row {
    row.segments.sort_by(|a, b| a.x.total_cmp(&b.x));
    let mut segments: Vec<Segment> = Vec::new();
    let mut ended: Option<usize> = None;
    for segment in row.segments {
        if let Some(last) = segments.last_mut() {
            let size = last.size.max(segment.size);
            let gap = segment.x - last.end;
            if last.text == segment.text && (last.x - segment.x).abs() < 0.1 * size {
                continue;
            }
            if gap < SEGMENT_GAP * size {
                let shift = shift(segment.size, segment.baseline, last.size, last.baseline);
                // One drawn over the other, or beside it.
                if gap > WORD_GAP * size {
                    last.text.push(' ');
                }
                match shift {
                    Some(shift) => {
                        let from = last.text.len();
                        last.text.push_str(&segment.text);
                        ended = settle(&mut last.text, shift, from);
                    }
                    None => {
                        notation::follow(&mut last.text, ended.take(), &segment.text);
                        last.text.push_str(&segment.text);
                    }
                }
                last.end = last.end.max(segment.end);
                last.mono &= segment.mono || segment.text.chars().count() < 3;
                if segment.size > last.size {
                    last.size = segment.size;
                }
                continue;
            }
        }
        ended = None;
        segments.push(segment);
    }
    Row {
        baseline: row.baseline,
        segments,
    }
}

/// Emits rows, columns one after the other.
fn read(rows: Vec<Row>, depth: usize, column: &mut usize, into: &mut Vec<Line>) {
    let gutter = (depth < COLUMNS_DEPTH_MAX).then(|| gutter(&rows)).flatten();
    let Some(gutter) = gutter else {
        *column += 1;
        into.extend(rows.into_iter().map(|row| line(row, *column)));
        return;
    };
    let crosses = |row: &Row| {
        row.segments
            .iter()
            .any(|segment| segment.x < gutter - 1.0 && segment.end > gutter + 1.0)
    };
    let mut band: Vec<Row> = Vec::new();
    let mut wide: Vec<Row> = Vec::new();
    let mut rows = rows.into_iter().peekable();
    while let Some(row) = rows.next() {
        let is_wide = crosses(&row);
        if is_wide {
            wide.push(row)
        } else {
            band.push(row)
        }
        let baseline = band.last().map_or(0.0, |row| row.baseline);
        let ends = rows.peek().is_none_or(|next| {
            crosses(next) != is_wide || !is_wide && next.baseline - baseline > BAND_GAP * size_of(next)
        });
        if !ends {
            continue;
        }
        if is_wide {
            continue;
        }
        let (left, right) = split(&band, gutter);
        if is_column(&left) && is_column(&right) {
            flush(&mut wide, column, into);
            read(left, depth + 1, column, into);
            read(right, depth + 1, column, into);
            band.clear();
        } else {
            wide.append(&mut band);
        }
    }
    flush(&mut wide, column, into);
}

fn size_of(row: &Row) -> f64 {
    row.segments
        .iter()
        .map(|segment| segment.size)
        .fold(0.0, f64::max)
}

fn flush(rows: &mut Vec<Row>, column: &mut usize, into: &mut Vec<Line>) {
    *column += 1;
    into.extend(rows.drain(..).map(|row| line(row, *column)));
}

fn split(rows: &[Row], gutter: f64) -> (Vec<Row>, Vec<Row>) {
    let side = |is_left: bool| {
        let of = |row: &Row| Row {
            baseline: row.baseline,
            segments: row
                .segments
                .iter()
                .filter(|segment| (segment.x < gutter) == is_left)
                .cloned()
                .collect(),
        };
        rows.iter()
            .map(of)
            .filter(|row: &Row| !row.segments.is_empty())
            .collect()
    };
    (side(true), side(false))
}

/// Whether rows are a column of text, and not of a table.
fn is_column(rows: &[Row]) -> bool {
    if rows.len() < COLUMN_ROWS_MIN {
        return false;
    }
    let start = |row: &Row| row.segments.first().map_or(0.0, |segment| segment.x);
    let end = |row: &Row| row.segments.last().map_or(0.0, |segment| segment.end);
    let left = rows.iter().map(start).fold(f64::INFINITY, f64::min);
    let right = rows.iter().map(end).fold(0.0, f64::max);
    let characters: usize = rows
        .iter()
        .flat_map(|row| &row.segments)
        .map(|segment| segment.text.chars().count())
        .sum();
    let mut fills: Vec<f64> = rows
        .iter()
        .map(|row| (end(row) - start(row)) / (right - left).max(1.0))
        .collect();
    fills.sort_by(f64::total_cmp);
    characters >= COLUMN_CHARACTERS_MIN * rows.len() && fills[fills.len() / 2] >= COLUMN_FILL_MIN
}

/// The place between two columns: the strip inside of the text that the fewest rows cross.
fn gutter(rows: &[Row]) -> Option<f64> {
    let segments = || rows.iter().flat_map(|row| &row.segments);
    let left = segments().map(|segment| segment.x).fold(f64::INFINITY, f64::min);
    let right = segments().map(|segment| segment.end).fold(0.0, f64::max);
    let width = right - left;
    if rows.len() < 2 * COLUMN_ROWS_MIN || !(50.0..20_000.0).contains(&width) {
        return None;
    }
    let bins = width as usize + 1;
    let mut starts = vec![0_i64; bins + 1];
    for segment in segments() {
        starts[(segment.x - left).max(0.0) as usize] += 1;
        starts[((segment.end - left).ceil().max(0.0) as usize + 1).min(bins)] -= 1;
    }
    let mut coverage = Vec::with_capacity(bins);
    let mut count = 0;
    for change in &starts[..bins] {
        count += change;
        coverage.push(count);
    }
    let middle = bins / 5..bins - bins / 5;
    let least = *coverage.get(middle.clone())?.iter().min()?;
    // The widest strip of those that the fewest cross.
    let (mut best, mut from) = (0..0, None);
    for at in middle.start..=middle.end {
        let is_least = at < middle.end && coverage.get(at) == Some(&least);
        match (is_least, from) {
            (true, None) => from = Some(at),
            (false, Some(start)) => {
                if at - start > best.len() {
                    best = start..at;
                }
                from = None;
            }
            _ => {}
        }
    }
    let is_gutter = best.len() >= 6 && least as usize * 2 < rows.len();
    is_gutter.then(|| left + (best.start + best.end) as f64 / 2.0)
}

fn line(row: Row, column: usize) -> Line {
    let mut text = String::new();
    let mut cells = Vec::new();
    let size = row
        .segments
        .iter()
        .map(|segment| segment.size)
        .fold(0.0, f64::max);
    let longest = row.segments.iter().max_by_key(|segment| segment.text.len());
    let line_size = longest.map_or(size, |segment| segment.size);
    for segment in &row.segments {
        if !text.is_empty() {
            text.push(' ');
        }
        let start = text.len();
        text.push_str(&segment.text);
        cells.push(start..text.len());
    }
    Line {
        text,
        x: row.segments.first().map_or(0.0, |segment| segment.x),
        end: row.segments.last().map_or(0.0, |segment| segment.end),
        baseline: row.baseline,
        size: line_size,
        mono: row
            .segments
            .iter()
            .all(|segment| segment.mono || segment.text.chars().count() < 3)
            && row.segments.iter().any(|segment| segment.mono),
        cells,
        column,
    }
}
