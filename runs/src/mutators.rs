//! What each mutator brought: candidates by what their questions were varied by.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use gristmill_domain::mutation::Mutation;
use gristmill_domain::row::Row;
use gristmill_domain::strategy::Strategy;

use crate::assemble::Yield;

/// Candidates whose question was asked for and not varied: what the others are held against.
const PLAIN: &str = "unvaried";
/// Personas that tables list.
const PERSONAS_SHOWN: usize = 20;

/// Counts a decided row under each of its mutators.
pub(crate) fn see(counts: &mut BTreeMap<String, Yield>, row: &Row) {
    let names = match &row.mutation {
        Some(mutation) => mutation.names(),
        None if row.strategy == Strategy::AnswerAugmentation => return,
        None => vec![PLAIN.to_owned()],
    };
    for name in names {
        counts.entry(name).or_default().add(row);
    }
}

/// The mutators that a table lists: all but the personas past the commonest, and how many these are.
pub(crate) fn shown(counts: &BTreeMap<String, Yield>) -> (Vec<(&String, &Yield)>, usize) {
    let (mut personas, mut listed): (Vec<_>, Vec<_>) =
        counts.iter().partition(|(name, _)| Mutation::names_persona(name));
    personas.sort_by_key(|(_, part)| Reverse(part.candidates));
    let left = personas.len().saturating_sub(PERSONAS_SHOWN);
    personas.truncate(PERSONAS_SHOWN);
    listed.extend(personas);
    // What the others are held against comes first.
    listed.sort_by_key(|(name, _)| *name != PLAIN);
    (listed, left)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_list_the_commonest_personas_and_all_else() {
        let part = |candidates| Yield {
            candidates,
            ..Yield::default()
        };
        let mut counts: BTreeMap<String, Yield> =
            (0..30).map(|n| (format!("persona:{n}"), part(n))).collect();
        counts.insert("style:plain".into(), part(1));
        counts.insert("evolution:breadth".into(), part(1));
        counts.insert(PLAIN.into(), part(9));
        let (listed, left) = shown(&counts);
        let names: Vec<&str> = listed.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(
            names[..4],
            [PLAIN, "evolution:breadth", "style:plain", "persona:29"]
        );
        assert_eq!((names.len(), left, names[22]), (23, 10, "persona:10"));
    }
}
