//! Copies with more rows, which refer to other rows than before and, where values are mixed, hold each other's values.

use std::collections::HashSet;

use rand::RngExt;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::dependence::cells;
use super::role::Role;
use super::roles::{Roles, TableRoles};
use super::{ROWS_MAX, Relation};
use crate::answer::sql::table::{Cell, Key};

/// Added rows a row, and at most so many in all.
const FACTOR: usize = 2;
const ADDED_MAX: usize = 60;
/// The share of references that are drawn anew.
const RELINKED: f64 = 0.75;
/// The share of amounts that get a value close by.
const NUDGED: f64 = 0.5;
/// The share of values that are removed from a column that has gaps.
const GAPS: f64 = 0.15;

pub(super) fn grown(
    database: &[Relation],
    roles: &Roles,
    mixed: bool,
    draw: &mut ChaCha8Rng,
) -> Vec<Vec<Vec<Cell>>> {
    let mut tables: Vec<Vec<Vec<Cell>>> = database.iter().map(|relation| relation.rows.clone()).collect();
    for &t in &roles.order {
        let (relation, own) = (&database[t], &roles.tables[t]);
        let mut rows = with_clones(relation, own);
        for (c, role) in own.columns.iter().enumerate() {
            match role {
                Role::Key => renew(&mut rows, c, relation.rows.len()),
                Role::Link { to, once } => {
                    let pool: Vec<Cell> = tables[to.0].iter().map(|row| row[to.1].clone()).collect();
                    if *once {
                        assign_once(&mut rows, c, relation.rows.len(), pool, draw);
                    } else if own.blocks.iter().any(|block| block == &[c]) {
                        relink(&mut rows, c, &pool, draw);
                    }
                }
                Role::Measure { .. } | Role::Category => {}
            }
        }
        if mixed {
            mix(&mut rows, relation, own, draw);
        }
        for (c, role) in own.columns.iter().enumerate() {
            if *role == (Role::Measure { distinct: true }) {
                part(&mut rows, c);
            }
        }
        keep_identified(&mut rows, own);
        tables[t] = rows;
    }
    tables
}

/// The rows, and further ones like them.
fn with_clones(relation: &Relation, own: &TableRoles) -> Vec<Vec<Cell>> {
    let n = relation.rows.len();
    let added = match own.tied {
        true => 0,
        false => (FACTOR * n).min(ADDED_MAX).min(ROWS_MAX.saturating_sub(n)),
    };
    let clones = relation.rows.iter().cycle().take(added);
    relation.rows.iter().chain(clones).cloned().collect()
}

/// Gives added rows keys that no row has.
fn renew(rows: &mut [Vec<Cell>], column: usize, from: usize) {
    let top = rows.iter().filter_map(|row| match row[column] {
        Cell::Integer(value) => Some(value),
        _ => None,
    });
    let mut next = top.max().unwrap_or(0);
    for (number, row) in rows.iter_mut().enumerate().skip(from) {
        next = next.saturating_add(1);
        row[column] = match &row[column] {
            // Backwards, so that a pattern that fits the name does not fit this one.
            Cell::Text(text) => Cell::Text(format!("{}{number}", text.chars().rev().collect::<String>())),
            Cell::Null => Cell::Null,
            _ => Cell::Integer(next),
        };
    }
}

/// Gives each added row a key that no other row refers to; where none is left, the row goes.
fn assign_once(
    rows: &mut Vec<Vec<Cell>>,
    column: usize,
    from: usize,
    mut pool: Vec<Cell>,
    draw: &mut ChaCha8Rng,
) {
    let used: HashSet<Key<'_>> = rows[..from].iter().map(|row| Key::of(&row[column])).collect();
    pool.retain(|value| !used.contains(&Key::of(value)));
    drop(used);
    pool.shuffle(draw);
    rows.truncate(from + pool.len());
    for row in rows.iter_mut().skip(from) {
        if let Some(value) = pool.pop() {
            row[column] = value;
        }
    }
}

/// Has rows refer to others. Some keys are drawn often and some never: groups of one row and of none tell queries apart.
fn relink(rows: &mut [Vec<Cell>], column: usize, pool: &[Cell], draw: &mut ChaCha8Rng) {
    if pool.is_empty() {
        return;
    }
    for row in rows {
        if row[column] != Cell::Null && draw.random_bool(RELINKED) {
            row[column] = pool[draw.random_range(0..pool.len())].clone();
        }
    }
}

/// Moves values between rows, block by block, changes amounts that nothing depends on, and makes gaps where there are some.
fn mix(rows: &mut [Vec<Cell>], relation: &Relation, own: &TableRoles, draw: &mut ChaCha8Rng) {
    for block in &own.blocks {
        let linked = block.iter().any(|&c| matches!(own.columns[c], Role::Link { .. }));
        if linked && block.len() == 1 {
            continue;
        }
        let mut tuples: Vec<Vec<Cell>> = rows.iter().map(|row| cells(row, block)).collect();
        tuples.shuffle(draw);
        for (row, tuple) in rows.iter_mut().zip(tuples) {
            for (&c, cell) in block.iter().zip(tuple) {
                row[c] = cell;
            }
        }
        if let (&[c], false) = (block.as_slice(), own.tied)
            && matches!(own.columns[c], Role::Measure { .. })
        {
            nudge(rows, c, draw);
        }
    }
    for c in 0..own.columns.len() {
        let gaps = relation.rows.iter().any(|row| row[c] == Cell::Null);
        if gaps && !matches!(own.columns[c], Role::Key) {
            for row in rows.iter_mut() {
                if draw.random_bool(GAPS) {
                    row[c] = Cell::Null;
                }
            }
        }
    }
}

/// Changes amounts within the range that the column has: to a neighbour, or to a round number, which questions ask for.
fn nudge(rows: &mut [Vec<Cell>], column: usize, draw: &mut ChaCha8Rng) {
    let numbers = || rows.iter().filter_map(|row| row[column].number());
    let (low, high) = (
        numbers().fold(f64::INFINITY, f64::min),
        numbers().fold(f64::NEG_INFINITY, f64::max),
    );
    let step = ((high - low) / 20.0).max(1.0);
    for row in rows {
        if !draw.random_bool(NUDGED) {
            continue;
        }
        let change = f64::from(draw.random_range(-2_i8..=2));
        let rounded = draw.random_bool(0.4);
        let changed = |value: f64, step: f64| {
            let moved = (value + change * step).clamp(low, high);
            match rounded {
                true => round(moved).clamp(low, high),
                false => moved,
            }
        };
        match &mut row[column] {
            // A range of a few values is a scale: its steps are ones.
            Cell::Integer(value) => *value = changed(*value as f64, step.floor()) as i64,
            Cell::Real(value) => *value = changed(*value, (high - low) / 20.0),
            Cell::Null | Cell::Text(_) | Cell::Blob(_) => {}
        }
    }
}

/// To one digit and a half: 1.2, 1.5 or 3 times a power of ten; small numbers stay whole.
fn round(value: f64) -> f64 {
    if value.abs() < 100.0 {
        return value.round();
    }
    let unit = 10_f64.powf(value.abs().log10().floor()) / 2.0;
    (value / unit).round() * unit
}

/// Moves amounts apart in a column where no value occurs twice.
fn part(rows: &mut [Vec<Cell>], column: usize) {
    let mut used: HashSet<u64> = HashSet::new();
    for row in rows {
        while let Some(number) = row[column].number()
            && !used.insert(number.to_bits())
        {
            match &mut row[column] {
                Cell::Integer(value) if *value < i64::MAX => *value += 1,
                Cell::Real(value) if value.is_finite() && value.abs() < 1e15 => {
                    *value += (value.abs() / 64.0).max(0.25);
                }
                _ => break,
            }
        }
    }
}

/// Drops rows that the table would not hold twice.
fn keep_identified(rows: &mut Vec<Vec<Cell>>, own: &TableRoles) {
    let mut pairs: Vec<HashSet<(Key<'_>, Key<'_>)>> = vec![HashSet::new(); own.pairs.len()];
    let mut whole: HashSet<Vec<Key<'_>>> = HashSet::new();
    let mut kept = Vec::with_capacity(rows.len());
    for row in rows.iter() {
        let keys = own
            .pairs
            .iter()
            .map(|&(a, b)| (Key::of(&row[a]), Key::of(&row[b])));
        let known = pairs
            .iter()
            .zip(keys.clone())
            .any(|(seen, key)| seen.contains(&key));
        let fresh = !known && (whole.insert(row.iter().map(Key::of).collect()) || !own.distinct);
        if fresh {
            for (seen, key) in pairs.iter_mut().zip(keys) {
                seen.insert(key);
            }
        }
        kept.push(fresh);
    }
    let mut kept = kept.into_iter();
    rows.retain(|_| kept.next().unwrap_or(true));
}
