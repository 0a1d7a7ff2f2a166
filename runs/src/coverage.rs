//! Where concepts stand against their targets, in words.

use gristmill_domain::concept::{self, ConceptProgress};
use gristmill_domain::words::one_line;

/// `231/240 concepts at target; furthest: "renal dosing" 12/40`; nothing where no concept has a target.
pub(crate) fn coverage(concepts: &[ConceptProgress]) -> Option<String> {
    let wanted = concepts.iter().filter(|concept| concept.target > 0);
    let furthest = wanted.reduce(|a, b| if b.open() > a.open() { b } else { a })?;
    Some(coverage_of(concept::at_target(concepts), Some(furthest)))
}

/// The same of concepts at their target and those that have one, and of the one that is furthest from it.
pub(crate) fn coverage_of((met, wanted): (u64, u64), furthest: Option<&ConceptProgress>) -> String {
    let mut text = format!("{met}/{wanted} concepts at target");
    if let Some(furthest) = furthest.filter(|furthest| furthest.open() > 0) {
        let there = furthest.real + furthest.synthetic;
        text.push_str(&format!(
            "; furthest: \"{}\" {there}/{}",
            one_line(&furthest.concept),
            furthest.target
        ));
    }
    text
}
