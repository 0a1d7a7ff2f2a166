//! Concepts by their names.

use std::collections::{BTreeSet, HashMap};

use gristmill_domain::concept::Catalogue;
use gristmill_domain::job::folded;

/// Concepts by their names; labels that name none are concepts of their own.
pub(crate) struct Names<'a> {
    pub(crate) catalogue: &'a Catalogue,
}

impl Names<'_> {
    pub(crate) fn of(&self, labels: &[String]) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        for label in labels {
            let known = self.catalogue.by_labels(std::slice::from_ref(label));
            let known = known.iter().filter_map(|number| self.catalogue.get(*number));
            let before = names.len();
            names.extend(known.map(|concept| concept.name.clone()));
            if names.len() == before && !label.trim().is_empty() {
                names.insert(label.trim().to_owned());
            }
        }
        names
    }
}

pub(crate) fn concept_numbers(numbers: &HashMap<String, u32>, names: &BTreeSet<String>) -> Vec<u32> {
    let found = names.iter().filter_map(|name| numbers.get(&folded(name)));
    found.copied().collect()
}
