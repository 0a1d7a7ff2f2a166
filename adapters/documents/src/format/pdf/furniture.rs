//! Running heads, running feet and page numbers: what stands at the same place of page after page.

use std::collections::HashMap;

use super::PageLines;
use super::layout::Line;
use crate::block::{Dropped, Why};
use crate::format::contents::{is_page_number, running_key};

/// Lines at the upper and at the lower end of a page that are looked at.
const EDGE_LINES: usize = 3;
/// A line is a running head when its text stands at the same edge of so many pages, numbers apart.
const PAGES_MIN: usize = 3;
/// A place near the edge is one of running heads when so large a share of the pages has a line right there, set off.
const PLACE_SHARE: f64 = 0.5;
/// Space to the next line, in heights of its font, that sets a line off.
const SET_OFF: f64 = 1.7;

/// Takes furniture off the pages and counts it.
pub(super) fn remove(pages: &mut [PageLines], dropped: &mut Dropped) {
    let mut texts: HashMap<(String, i64), usize> = HashMap::new();
    let mut places: HashMap<i64, usize> = HashMap::new();
    for page in pages.iter() {
        let mut keys: Vec<(String, i64)> = edges(&page.lines)
            .into_iter()
            .map(|at| key(&page.lines[at]))
            .collect();
        keys.sort();
        keys.dedup();
        keys.into_iter()
            .for_each(|key| *texts.entry(key).or_default() += 1);
        for at in set_off(&page.lines) {
            *places.entry(place(&page.lines[at])).or_default() += 1;
        }
    }
    let common_places = (PLACE_SHARE * pages.len() as f64).max(4.0);
    for page in pages.iter_mut() {
        let mut drop = vec![false; page.lines.len()];
        for at in edges(&page.lines) {
            let line = &page.lines[at];
            let repeats = texts.get(&key(line)).is_some_and(|count| *count >= PAGES_MIN);
            // A sentence that happens to stand at the edge of three pages has letters of its own.
            drop[at] = repeats && line.text.len() < 200 && line.text.chars().any(char::is_alphabetic)
                || is_page_number(&line.text);
        }
        for at in set_off(&page.lines) {
            let line = &page.lines[at];
            let near: usize = (-1..=1).filter_map(|by| places.get(&(place(line) + by))).sum();
            drop[at] |= near as f64 >= common_places;
        }
        let mut at = 0;
        page.lines.retain(|line| {
            at += 1;
            if drop[at - 1] {
                dropped.count(Why::RunningHead, &line.text);
            }
            !drop[at - 1]
        });
    }
}

/// Lines by height, uppermost first.
fn by_height(lines: &[Line]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..lines.len()).collect();
    order.sort_by(|a, b| lines[*a].baseline.total_cmp(&lines[*b].baseline));
    order
}

/// The uppermost and lowest lines.
fn edges(lines: &[Line]) -> Vec<usize> {
    let order = by_height(lines);
    let mut edges: Vec<usize> = order.iter().take(EDGE_LINES).copied().collect();
    edges.extend(order.iter().skip(EDGE_LINES).rev().take(EDGE_LINES));
    edges
}

/// The uppermost line and the lowest, where space sets them off from what is next, with what stands on the same height.
fn set_off(lines: &[Line]) -> Vec<usize> {
    let order = by_height(lines);
    let mut found = Vec::new();
    let mut look = |order: &mut dyn Iterator<Item = &usize>| {
        let mut level: Vec<usize> = Vec::new();
        for at in order {
            let Some(first) = level.first() else {
                level.push(*at);
                continue;
            };
            let gap = (lines[*at].baseline - lines[*first].baseline).abs();
            if gap < 0.5 * lines[*first].size {
                level.push(*at);
                continue;
            }
            if gap > SET_OFF * lines[*first].size.max(lines[*at].size) {
                found.append(&mut level);
            }
            return;
        }
    };
    look(&mut order.iter());
    look(&mut order.iter().rev());
    found
}

/// What stands there, and about where.
fn key(line: &Line) -> (String, i64) {
    (running_key(&line.text), (line.baseline / 10.0).round() as i64)
}

/// Height on the page, in points.
fn place(line: &Line) -> i64 {
    line.baseline.round() as i64
}
