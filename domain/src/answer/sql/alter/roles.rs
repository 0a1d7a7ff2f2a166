//! What the columns of a database are for, as far as its schema declares it or its rows show it.

use std::collections::HashSet;

use super::Relation;
use super::dependence;
use super::role::{Role, RolePosition};
use crate::answer::sql::table::{Cell, Key};

/// What is known of one table.
#[derive(Debug, Clone)]
pub(super) struct TableRoles {
    pub(super) columns: Vec<Role>,
    /// Columns whose values depend on each other and so move together; each column but the keys is in exactly one block.
    pub(super) blocks: Vec<Vec<usize>>,
    /// Pairs of columns that together identify a row, in a table without a key.
    pub(super) pairs: Vec<(usize, usize)>,
    /// No row occurs twice.
    pub(super) distinct: bool,
    /// A quotient or sum within rows ties several amounts, so that added rows would repeat or break it.
    pub(super) tied: bool,
}

/// What is known of a database.
#[derive(Debug, Clone)]
pub(super) struct Roles {
    pub(super) tables: Vec<TableRoles>,
    /// Tables so that those that others refer to come first.
    pub(super) order: Vec<usize>,
}

/// What the values of a column show.
struct Seen<'a> {
    distinct: HashSet<Key<'a>>,
    filled: usize,
    rows: usize,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Integer,
    Real,
    Text,
    /// Dates, times and numbers that are stored as text.
    Figures,
    Other,
}

impl Roles {
    pub(super) fn of(database: &[Relation]) -> Self {
        let seen: Vec<Vec<Seen<'_>>> = database
            .iter()
            .map(|relation| {
                let columns = 0..relation.columns.len();
                columns.map(|c| Seen::of(relation, c)).collect()
            })
            .collect();
        let unique = |(t, c): RolePosition| identifies(database, &seen, (t, c));
        let keys: Vec<RolePosition> = places(database).filter(|&place| unique(place)).collect();
        let mut tables: Vec<TableRoles> = Vec::with_capacity(database.len());
        for (t, relation) in database.iter().enumerate() {
            let columns: Vec<Role> = (0..relation.columns.len())
                .map(|c| role(database, &seen, &keys, (t, c)))
                .collect();
            let columns = once_where_alone(without_loose_amounts(columns, &seen[t]), relation);
            tables.push(TableRoles {
                pairs: pairs(relation, &columns),
                distinct: distinct_rows(relation),
                tied: dependence::tied(relation, &columns),
                blocks: dependence::blocks(relation, &columns),
                columns,
            });
        }
        let order = parents_first(&tables);
        Self { tables, order }
    }
}

fn places(database: &[Relation]) -> impl Iterator<Item = RolePosition> {
    let tables = database.iter().enumerate();
    tables.flat_map(|(t, relation)| (0..relation.columns.len()).map(move |c| (t, c)))
}

impl<'a> Seen<'a> {
    fn of(relation: &'a Relation, column: usize) -> Self {
        let cells = || relation.rows.iter().map(move |row| &row[column]);
        let filled = || cells().filter(|cell| !matches!(cell, Cell::Null));
        let kind = if filled().all(|cell| matches!(cell, Cell::Integer(_))) {
            Kind::Integer
        } else if filled().all(|cell| cell.number().is_some()) {
            Kind::Real
        } else if filled().all(|cell| matches!(cell, Cell::Text(text) if figures(text))) {
            Kind::Figures
        } else if filled().all(|cell| matches!(cell, Cell::Text(_))) {
            Kind::Text
        } else {
            Kind::Other
        };
        Self {
            distinct: filled().map(Key::of).collect(),
            filled: filled().count(),
            rows: relation.rows.len(),
            kind,
        }
    }

    /// No value occurs twice.
    fn no_repeats(&self) -> bool {
        self.filled > 1 && self.distinct.len() == self.filled
    }
}

/// `2020-05-01`, `14:30`, `3.5`, `-86 m`.
fn figures(text: &str) -> bool {
    let text = text.trim_start_matches(['-', '+', '$', '€', '£']);
    text.starts_with(|c: char| c.is_ascii_digit()) && text.chars().filter(|c| c.is_alphabetic()).count() <= 3
}

/// The column names rows: declared so, or no value repeats or is missing and it is a name or an identifier, not an amount or a kind.
fn identifies(database: &[Relation], seen: &[Vec<Seen<'_>>], (t, c): RolePosition) -> bool {
    let (column, seen) = (&database[t].columns[c], &seen[t][c]);
    if column.unique {
        return seen.distinct.len() == seen.filled;
    }
    let named = match seen.kind {
        Kind::Text => names_row(&database[t], c),
        Kind::Integer => identifier(&column.name),
        Kind::Real | Kind::Figures | Kind::Other => false,
    };
    named && seen.no_repeats() && seen.filled == seen.rows
}

/// Text that names its row by what the column is called, or is too long to say of what kind the row is. In a small table no kind
/// may occur twice, which says nothing.
fn names_row(relation: &Relation, column: usize) -> bool {
    const NAMES: [&str; 12] = [
        "name", "title", "code", "key", "number", "mail", "url", "page", "abbr", "symbol", "text", "label",
    ];
    let name = plain(&relation.columns[column].name);
    let texts = relation.rows.iter().filter_map(|row| match &row[column] {
        Cell::Text(text) => Some(text.chars().count()),
        _ => None,
    });
    let long = texts.sum::<usize>() > 24 * relation.rows.len();
    let table = plain(&relation.name);
    long || identifier(&name)
        || name.contains(singular(&table))
        || NAMES.iter().any(|part| name.contains(part))
}

fn identifier(name: &str) -> bool {
    let name = plain(name);
    name.ends_with("id") || ["key", "no", "nr", "code", "number"].contains(&name.as_str())
}

fn plain(name: &str) -> String {
    let kept = name.chars().filter(|c| c.is_alphanumeric());
    kept.flat_map(char::to_lowercase).collect()
}

fn role(database: &[Relation], seen: &[Vec<Seen<'_>>], keys: &[RolePosition], place: RolePosition) -> Role {
    let own = &seen[place.0][place.1];
    if let Some(to) = parent(database, seen, keys, place) {
        return Role::Link {
            to,
            once: own.no_repeats(),
        };
    }
    match own.kind {
        _ if keys.contains(&place) => Role::Key,
        Kind::Integer | Kind::Real if identifier(&database[place.0].columns[place.1].name) => Role::Category,
        // Two values are a flag: other amounts than these would mean nothing.
        Kind::Integer | Kind::Real if own.distinct.len() > 2 => Role::Measure {
            distinct: own.no_repeats(),
        },
        _ => Role::Category,
    }
}

/// The key that a column's values come from: the declared one, or the likeliest among those that hold its values.
fn parent(
    database: &[Relation],
    seen: &[Vec<Seen<'_>>],
    keys: &[RolePosition],
    place: RolePosition,
) -> Option<RolePosition> {
    let column = &database[place.0].columns[place.1];
    if let Some((table, key)) = &column.parent {
        let same = |a: &str, b: &str| a.eq_ignore_ascii_case(b);
        let t = database.iter().position(|relation| same(&relation.name, table))?;
        let c = database[t].columns.iter().position(|c| same(&c.name, key))?;
        return ((t, c) != place).then_some((t, c));
    }
    let own_rank = rank(database, seen, place);
    keys.iter()
        .copied()
        .filter(|&key| key.0 != place.0 && holds(database, seen, key, place))
        // Among keys that hold each other's values only the leading one is referred to, so that there is no circle.
        .filter(|&key| !keys.contains(&place) || rank(database, seen, key) > own_rank)
        .max_by_key(|&key| rank(database, seen, key))
}

/// How likely a key is the one that others refer to: its table is called like it, it has more values, it comes first.
fn rank(
    database: &[Relation],
    seen: &[Vec<Seen<'_>>],
    (t, c): RolePosition,
) -> (bool, usize, std::cmp::Reverse<RolePosition>) {
    let named = plain(&database[t].columns[c].name).contains(singular(&plain(&database[t].name)));
    (named, seen[t][c].distinct.len(), std::cmp::Reverse((t, c)))
}

fn singular(name: &str) -> &str {
    name.strip_suffix('s').unwrap_or(name)
}

/// Names tell for integers, which are in each other's range by chance; words are not.
fn holds(database: &[Relation], seen: &[Vec<Seen<'_>>], key: RolePosition, place: RolePosition) -> bool {
    let (keys, own) = (&seen[key.0][key.1], &seen[place.0][place.1]);
    if keys.kind != own.kind || own.distinct.is_empty() {
        return false;
    }
    let shared = own
        .distinct
        .iter()
        .filter(|&value| keys.distinct.contains(value))
        .count();
    let (column, name) = (
        plain(&database[place.0].columns[place.1].name),
        plain(&database[key.0].columns[key.1].name),
    );
    let table = plain(&database[key.0].name);
    // Every table has an `id`.
    let is_own = !["id", "name", "code", "key", "no", "number", "title"].contains(&name.as_str());
    let related = is_own && (column.ends_with(&name) || name.ends_with(&column))
        || (table.len() > 2 && column.contains(singular(&table)));
    match own.kind {
        Kind::Text => shared >= 2 && shared * if related { 2 } else { 1 } >= own.distinct.len(),
        Kind::Integer => related && 10 * shared >= 9 * own.distinct.len(),
        Kind::Real | Kind::Figures | Kind::Other => false,
    }
}

/// A table of nothing but integers, without a key, is a list of pairs (who cites whom): they are identifiers, not amounts.
fn without_loose_amounts(columns: Vec<Role>, seen: &[Seen<'_>]) -> Vec<Role> {
    let pairs = columns.len() < 4
        && seen.iter().all(|column| column.kind == Kind::Integer)
        && columns
            .iter()
            .all(|role| matches!(role, Role::Measure { .. } | Role::Category));
    match pairs {
        true => columns.iter().map(|_| Role::Category).collect(),
        false => columns,
    }
}

/// A reference that is not repeated extends the row that it names where the table has nothing else to name its rows by; elsewhere
/// the table is too small to say that it is never repeated.
fn once_where_alone(mut columns: Vec<Role>, relation: &Relation) -> Vec<Role> {
    let naming = |role: &&Role| matches!(role, Role::Key | Role::Link { .. });
    let alone = columns.iter().filter(naming).count() == 1;
    for (role, column) in columns.iter_mut().zip(&relation.columns) {
        if let Role::Link { once, .. } = role {
            *once &= alone || column.unique;
        }
    }
    columns
}

fn pairs(relation: &Relation, columns: &[Role]) -> Vec<(usize, usize)> {
    let once = |role: &Role| matches!(role, Role::Key | Role::Link { once: true, .. });
    if columns.iter().any(once) || relation.rows.len() < 2 {
        return vec![];
    }
    let named: Vec<usize> = (0..columns.len())
        .filter(|&c| matches!(columns[c], Role::Link { .. } | Role::Category))
        .collect();
    let mut found = vec![];
    for (i, &a) in named.iter().enumerate() {
        for &b in &named[i + 1..] {
            let tuples: HashSet<_> = relation
                .rows
                .iter()
                .map(|row| (Key::of(&row[a]), Key::of(&row[b])))
                .collect();
            if tuples.len() == relation.rows.len() {
                found.push((a, b));
            }
        }
    }
    found
}

fn distinct_rows(relation: &Relation) -> bool {
    let rows: HashSet<Vec<Key<'_>>> = relation
        .rows
        .iter()
        .map(|row| row.iter().map(Key::of).collect())
        .collect();
    rows.len() == relation.rows.len()
}

/// Tables that refer to none but earlier ones come first; circles are cut where they are met.
fn parents_first(tables: &[TableRoles]) -> Vec<usize> {
    fn visit(t: usize, tables: &[TableRoles], seen: &mut Vec<bool>, order: &mut Vec<usize>) {
        if std::mem::replace(&mut seen[t], true) {
            return;
        }
        for role in &tables[t].columns {
            if let Role::Link { to, .. } = role {
                visit(to.0, tables, seen, order);
            }
        }
        order.push(t);
    }
    let (mut seen, mut order) = (vec![false; tables.len()], vec![]);
    for t in 0..tables.len() {
        visit(t, tables, &mut seen, &mut order);
    }
    order
}
