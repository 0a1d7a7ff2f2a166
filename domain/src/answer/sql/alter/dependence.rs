//! Columns of one table whose values depend on each other, which a right query may rely on.

use std::collections::{HashMap, HashSet};

use super::Relation;
use super::role::Role;
use crate::answer::sql::table::{Cell, Key};

/// Chance below which a dependence that the rows show is believed.
const CHANCE_MAX: f64 = 0.02;
/// Columns among which sums and quotients are looked for.
const MEASURES_MAX: usize = 12;

/// The columns that move together, keys left out; a column that depends on no other is a block of its own.
pub(super) fn blocks(relation: &Relation, columns: &[Role]) -> Vec<Vec<usize>> {
    let width = columns.len();
    let mut leader: Vec<usize> = (0..width).collect();
    let mut unite = |a: usize, b: usize| {
        let (from, to) = (leader[b], leader[a]);
        for one in &mut leader {
            if *one == from {
                *one = to;
            }
        }
    };
    let free: Vec<usize> = (0..width).filter(|&c| !fixed(&columns[c])).collect();
    for &a in &free {
        for &b in &free {
            if a != b && determines(relation, a, b) {
                unite(a, b);
            }
        }
    }
    for [a, b, c] in formulas(relation, columns) {
        unite(a, b);
        unite(a, c);
    }
    let mut blocks: Vec<Vec<usize>> = vec![];
    for &c in &free {
        match blocks.iter_mut().find(|block| leader[block[0]] == leader[c]) {
            Some(block) => block.push(c),
            None => blocks.push(vec![c]),
        }
    }
    blocks
}

/// Some columns are computed from others.
pub(super) fn tied(relation: &Relation, columns: &[Role]) -> bool {
    !formulas(relation, columns).is_empty()
}

fn fixed(role: &Role) -> bool {
    matches!(role, Role::Key | Role::Link { once: true, .. })
}

/// Equal values of `a` come with equal values of `b`, and more often than they would by chance.
fn determines(relation: &Relation, a: usize, b: usize) -> bool {
    let mut images: HashMap<Key<'_>, Key<'_>> = HashMap::new();
    let mut counts: HashMap<Key<'_>, usize> = HashMap::new();
    let mut repeats = 0_i32;
    for row in &relation.rows {
        let (from, to) = (Key::of(&row[a]), Key::of(&row[b]));
        if from == Key::Null {
            continue;
        }
        *counts.entry(Key::of(&row[b])).or_default() += 1;
        match images.insert(from, to) {
            Some(before) if before != Key::of(&row[b]) => return false,
            Some(_) => repeats = repeats.saturating_add(1),
            None => {}
        }
    }
    let rows = counts.values().sum::<usize>().max(1) as f64;
    let agreement: f64 = counts.values().map(|&n| (n as f64 / rows).powi(2)).sum();
    counts.len() > 1 && agreement.powi(repeats) < CHANCE_MAX
}

/// Triples of amounts of which one is the quotient, product, sum or difference of the others in every row that has all three.
fn formulas(relation: &Relation, columns: &[Role]) -> Vec<[usize; 3]> {
    let amounts: Vec<usize> = (0..columns.len())
        .filter(|&c| matches!(columns[c], Role::Measure { .. }))
        .take(MEASURES_MAX)
        .collect();
    let mut found = vec![];
    for &a in &amounts {
        for &b in &amounts {
            for &c in &amounts {
                if HashSet::from([a, b, c]).len() == 3 && b < c && holds(relation, [a, b, c]) {
                    found.push([a, b, c]);
                }
            }
        }
    }
    found
}

/// `a = b·c` or `a = b + c`; quotients and differences are these with their parts renamed.
fn holds(relation: &Relation, [a, b, c]: [usize; 3]) -> bool {
    let rows: Vec<[f64; 3]> = relation
        .rows
        .iter()
        .filter_map(|row| Some([row[a].number()?, row[b].number()?, row[c].number()?]))
        .collect();
    // Rounded results are common: a density with one decimal.
    let near = |x: f64, y: f64| (x - y).abs() <= 0.01 * x.abs().max(y.abs());
    let enough = rows
        .iter()
        .filter(|row| row.iter().all(|value| *value != 0.0))
        .count()
        >= 3;
    enough && (rows.iter().all(|&[a, b, c]| near(a, b * c)) || rows.iter().all(|&[a, b, c]| near(a, b + c)))
}

/// The cells of a block in a row.
pub(super) fn cells(row: &[Cell], block: &[usize]) -> Vec<Cell> {
    block.iter().map(|&c| row[c].clone()).collect()
}
