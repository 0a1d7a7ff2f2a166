//! Concepts as a run works with them: which there are, which a row's labels name, and where each stands.

mod assigned;

use std::collections::HashMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::job::{Concept, Concepts, folded};
use crate::plan::Tally;
use crate::row::Row;
use crate::strategy::{ByStrategy, Strategy};

pub use assigned::Assigned;

/// The concepts that rows are assigned to, in their order; a concept's number is its place.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Catalogue {
    concepts: Vec<Concept>,
    targets: Vec<u64>,
    by_label: HashMap<String, Vec<u32>>,
}

/// Where a concept stands.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ConceptProgress {
    /// Its name.
    pub concept: String,
    /// The concept that it is a part of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// Rows wanted; 0 when it is only counted.
    pub target: u64,
    /// Real rows of the anchor that count.
    pub real: u64,
    /// Accepted synthetic rows that count.
    pub synthetic: u64,
    /// Why it is not aimed at any more, where it was given up short of its target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub given_up: Option<GivenUp>,
}

/// What was tried for a concept before it was given up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GivenUp {
    /// Candidates that were aimed at it.
    pub aimed: u64,
    /// Those of them that count towards it.
    pub counted: u64,
}

impl std::fmt::Display for GivenUp {
    /// `none of 80 candidates counts`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.counted {
            0 => write!(f, "none of {} candidates counts", self.aimed),
            some => write!(f, "only {some} of {} candidates count", self.aimed),
        }
    }
}

impl ConceptProgress {
    /// Rows that are still wanted.
    pub fn open(&self) -> u64 {
        self.target.saturating_sub(self.real + self.synthetic)
    }
}

/// What the candidates that were aimed at a concept by one strategy brought.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Yield {
    /// Candidates, accepted rows and costs.
    pub tally: Tally,
    /// Rows that count towards the concept.
    pub counted: u64,
}

/// All that planning looks at of a concept.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Outlook {
    /// Where it stands.
    pub progress: ConceptProgress,
    /// Anchor seeds that belong to it.
    pub seeds: u64,
    /// Their numbers in the anchor.
    #[serde(skip)]
    pub anchors: Arc<[u64]>,
    /// Passages of documents that are about it.
    #[serde(default)]
    pub passages: u64,
    /// Rephrasings of these seeds that are kept.
    pub rephrased: u64,
    /// What was aimed at it so far.
    pub yields: ByStrategy<Yield>,
}

impl Catalogue {
    /// The concepts of a list, each with the rows wanted of it.
    pub fn new(concepts: &Concepts) -> Self {
        Self::of(
            concepts
                .leaves()
                .map(|concept| (concept.clone(), concepts.target_of(concept)))
                .collect(),
        )
    }

    /// Concepts with their targets.
    pub fn of(list: Vec<(Concept, u64)>) -> Self {
        let mut by_label: HashMap<String, Vec<u32>> = HashMap::new();
        for (number, (concept, _)) in (0..).zip(&list) {
            for label in std::iter::once(&concept.name).chain(&concept.labels) {
                let known = by_label.entry(folded(label)).or_default();
                if !known.contains(&number) {
                    known.push(number);
                }
            }
        }
        let (concepts, targets) = list.into_iter().unzip();
        Self {
            concepts,
            targets,
            by_label,
        }
    }

    /// Concepts.
    pub fn len(&self) -> usize {
        self.concepts.len()
    }

    /// True without a concept.
    pub fn is_empty(&self) -> bool {
        self.concepts.is_empty()
    }

    /// The concepts in their order.
    pub fn concepts(&self) -> &[Concept] {
        &self.concepts
    }

    /// A concept by its number.
    pub fn get(&self, number: u32) -> Option<&Concept> {
        self.concepts.get(number as usize)
    }

    /// The numbers of the concepts that labels name, ascending.
    pub fn by_labels(&self, labels: &[String]) -> Vec<u32> {
        let mut found: Vec<u32> = labels
            .iter()
            .filter_map(|label| self.by_label.get(&folded(label)))
            .flatten()
            .copied()
            .collect();
        found.sort_unstable();
        found.dedup();
        found
    }

    /// Where each concept stands before anything is counted.
    pub fn outlooks(&self) -> Vec<Outlook> {
        let progress = |(concept, target): (&Concept, &u64)| Outlook {
            progress: ConceptProgress {
                concept: concept.name.clone(),
                parent: concept.parent.clone(),
                target: *target,
                ..ConceptProgress::default()
            },
            ..Outlook::default()
        };
        self.concepts.iter().zip(&self.targets).map(progress).collect()
    }

    /// The texts that a concept is known by: its name, what it covers, its other names and its examples.
    pub fn texts(concept: &Concept) -> Vec<String> {
        let described =
            (!concept.description.is_empty()).then(|| format!("{}: {}", concept.name, concept.description));
        let mut texts = vec![concept.name.clone()];
        texts.extend(described);
        texts.extend(concept.labels.iter().cloned());
        texts.extend(concept.examples.iter().cloned());
        texts
    }
}

/// Concepts at their target, and concepts that have one: the one count that plan, status, card, report and manifest give.
pub fn at_target<'a>(standings: impl IntoIterator<Item = &'a ConceptProgress>) -> (u64, u64) {
    let wanted = standings.into_iter().filter(|progress| progress.target > 0);
    wanted.fold((0, 0), |(met, wanted), progress| {
        (met + u64::from(progress.open() == 0), wanted + 1)
    })
}

/// Where the concepts stand that are furthest from their targets, the furthest first; at most so many.
pub fn furthest(outlooks: &[Outlook], most: usize) -> Vec<ConceptProgress> {
    let mut places: Vec<usize> = (0..outlooks.len()).collect();
    let filled = |place: &usize| {
        let progress = &outlooks[*place].progress;
        let there = progress.real + progress.synthetic;
        (std::cmp::Reverse(progress.open()), there, *place)
    };
    if places.len() > most {
        places.select_nth_unstable_by_key(most, filled);
        places.truncate(most);
    }
    places.sort_unstable_by_key(filled);
    places
        .into_iter()
        .map(|place| outlooks[place].progress.clone())
        .collect()
}

/// Adds a decided row to what is known of its concepts; `number` tells a concept's place by its name. True and true when it was aimed at
/// one, and counts for that one.
pub fn note(outlooks: &mut [Outlook], number: impl Fn(&str) -> Option<u32>, row: &Row) -> (bool, bool) {
    let place = |name: &str| number(name).map(|number| number as usize);
    for assigned in &row.assigned {
        if let Some(outlook) = place(&assigned.concept).and_then(|at| outlooks.get_mut(at)) {
            outlook.progress.synthetic += u64::from(assigned.counted);
            outlook.rephrased += u64::from(row.accepted() && row.strategy == Strategy::Rephrasing);
        }
    }
    let aim = row.concept.as_deref();
    let Some(outlook) = aim.and_then(place).and_then(|at| outlooks.get_mut(at)) else {
        return (false, false);
    };
    let counted = row
        .assigned
        .iter()
        .any(|assigned| assigned.counted && Some(assigned.concept.as_str()) == aim);
    let seen = &mut outlook.yields[row.strategy];
    seen.tally.add(row);
    seen.counted += u64::from(counted);
    (true, counted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_filled_come_first() {
        let outlook = |name: &str, target, real| Outlook {
            progress: ConceptProgress {
                concept: name.into(),
                target,
                real,
                ..ConceptProgress::default()
            },
            ..Outlook::default()
        };
        let outlooks = [
            outlook("met", 5, 9),
            outlook("empty", 5, 0),
            outlook("half", 8, 4),
            outlook("counted", 0, 2),
        ];
        let names = |most| -> Vec<String> {
            let found = furthest(&outlooks, most);
            found.into_iter().map(|progress| progress.concept).collect()
        };
        assert_eq!(names(2), ["empty", "half"]);
        assert_eq!(names(9), ["empty", "half", "counted", "met"]);
        assert_eq!(
            at_target(outlooks.iter().map(|outlook| &outlook.progress)),
            (1, 3)
        );
    }

    #[test]
    fn labels_name_concepts_whatever_their_case() {
        let concept = |name: &str, labels: &[&str]| Concept {
            name: name.into(),
            labels: labels.iter().map(|label| (*label).to_owned()).collect(),
            ..Concept::default()
        };
        let concepts = Concepts {
            list: vec![
                concept("heart", &["Angina"]),
                concept("pain", &["angina", "PAIN"]),
            ],
            target: Some(4),
            ..Concepts::default()
        };
        let catalogue = Catalogue::new(&concepts);
        assert_eq!(catalogue.by_labels(&["ANGINA ".into(), "Humans".into()]), [0, 1]);
        assert_eq!(catalogue.by_labels(&["Pain".into(), "pain".into()]), [1]);
        assert_eq!(catalogue.outlooks()[1].progress.open(), 4);
    }
}
