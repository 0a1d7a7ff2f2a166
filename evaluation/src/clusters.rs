//! Which answers depend on each other.

use std::collections::HashMap;

/// A number for each answer, given its item and its document: two answers have the same number where they share an item or a document,
/// directly or through others. Numbers count up from 0 in the order of the answers.
pub(crate) fn clusters<'a>(answers: impl Iterator<Item = (&'a str, Option<&'a str>)>) -> Vec<usize> {
    let mut parents: Vec<usize> = Vec::new();
    let mut items: HashMap<&str, usize> = HashMap::new();
    let mut documents: HashMap<&str, usize> = HashMap::new();
    for (at, (item, document)) in answers.enumerate() {
        parents.push(at);
        let item = *items.entry(item).or_insert(at);
        join(&mut parents, item, at);
        if let Some(document) = document {
            let document = *documents.entry(document).or_insert(at);
            join(&mut parents, document, at);
        }
    }
    let mut numbers: HashMap<usize, usize> = HashMap::new();
    (0..parents.len())
        .map(|at| {
            let root = root(&mut parents, at);
            let next = numbers.len();
            *numbers.entry(root).or_insert(next)
        })
        .collect()
}

fn root(parents: &mut [usize], mut at: usize) -> usize {
    while parents[at] != at {
        parents[at] = parents[parents[at]];
        at = parents[at];
    }
    at
}

fn join(parents: &mut [usize], a: usize, b: usize) {
    let (a, b) = (root(parents, a), root(parents, b));
    parents[a.max(b)] = a.min(b);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_and_documents_join_answers() {
        let found = clusters(
            [
                ("a", Some("x")),
                ("b", Some("y")),
                ("a", Some("x")),
                ("c", Some("x")),
                ("d", None),
                ("d", None),
                ("e", None),
                // An item that two documents are named for joins both.
                ("b", Some("z")),
                ("f", Some("z")),
            ]
            .into_iter(),
        );
        assert_eq!(found, [0, 1, 0, 0, 2, 2, 3, 1, 1]);
        assert!(clusters(std::iter::empty()).is_empty());
    }
}
