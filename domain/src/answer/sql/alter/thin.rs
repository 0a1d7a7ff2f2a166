//! Copies with fewer rows: every relation within a row holds, and no row refers to one that is gone.

use std::collections::HashSet;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::Relation;
use super::role::Role;
use super::roles::Roles;
use crate::answer::sql::table::{Cell, Key};

/// The share of rows that a copy keeps.
const KEPT: f64 = 0.6;

pub(super) fn thinned(database: &[Relation], roles: &Roles, draw: &mut ChaCha8Rng) -> Vec<Vec<Vec<Cell>>> {
    let mut kept: Vec<Vec<bool>> = database
        .iter()
        .map(|relation| {
            let mut kept: Vec<bool> = relation.rows.iter().map(|_| draw.random_bool(KEPT)).collect();
            if !kept.contains(&true)
                && let Some(first) = kept.first_mut()
            {
                *first = true;
            }
            kept
        })
        .collect();
    // Parents come first, so that one pass reaches rows that refer to rows that refer to one that is gone.
    for &t in &roles.order {
        for (c, role) in roles.tables[t].columns.iter().enumerate() {
            if let Role::Link { to, .. } = role {
                drop_orphans(database, &mut kept, (t, c), *to);
            }
        }
    }
    let tables = database.iter().zip(kept);
    tables
        .map(|(relation, kept)| {
            let rows = relation.rows.iter().zip(kept);
            rows.filter(|(_, kept)| *kept)
                .map(|(row, _)| row.clone())
                .collect()
        })
        .collect()
}

/// Drops the rows whose parent was there and is not any more; those that never had one stay.
fn drop_orphans(database: &[Relation], kept: &mut [Vec<bool>], (t, c): (usize, usize), to: (usize, usize)) {
    let values = |kept: Option<&[bool]>| -> HashSet<Key<'_>> {
        let rows = database[to.0].rows.iter().enumerate();
        rows.filter(|(row, _)| kept.is_none_or(|kept| kept[*row]))
            .map(|(_, row)| Key::of(&row[to.1]))
            .collect()
    };
    let (before, after) = (values(None), values(Some(&kept[to.0])));
    let gone: Vec<bool> = database[t]
        .rows
        .iter()
        .map(|row| Key::of(&row[c]))
        .map(|key| key != Key::Null && before.contains(&key) && !after.contains(&key))
        .collect();
    for (kept, gone) in kept[t].iter_mut().zip(gone) {
        *kept &= !gone;
    }
}
