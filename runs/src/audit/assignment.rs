//! How good assigning rows to concepts by embedding is, by the seeds whose labels say what they are about.

use gristmill_coordinator::Hits;
use gristmill_domain::words::{many, thousands};

use super::seen::{Assignment, OfConcept};
use crate::survey::Survey;

/// Seeds that labels must put under a concept for figures of its own: of fewer, one seed more or less changes them by over ten points.
const ENOUGH: u64 = 8;
/// Pairs that must be assigned for their precision to be judged.
const JUDGED_FROM: u64 = 10;
/// Precision and recall under which the assignment is worth a warning: a tenth wrong is what a threshold of .7 gives at best, and of new
/// questions that are aimed at nothing no more than the recall is counted.
const PRECISION_LOW: f64 = 0.75;
const RECALL_LOW: f64 = 0.3;

/// What the trial on labelled seeds came to.
pub(super) fn look(survey: &Survey) -> Option<Assignment> {
    let trial = survey.by_seeds.trial.as_ref()?;
    let of_concept = |(name, hits): (&str, &Hits)| OfConcept {
        concept: name.to_owned(),
        labelled: hits.labelled,
        assigned: hits.assigned,
        right: hits.right,
        precision: hits.precision(),
        recall: hits.recall(),
    };
    let names = survey.by_seeds.concepts.iter();
    let mut concepts: Vec<OfConcept> = names
        .map(|concept| concept.progress.concept.as_str())
        .zip(&trial.concepts)
        .filter(|(_, hits)| hits.labelled >= ENOUGH)
        .map(of_concept)
        .collect();
    // The worst found first; the order of equals is that of the concepts.
    concepts.sort_by(|a, b| a.recall.unwrap_or(0.0).total_cmp(&b.recall.unwrap_or(0.0)));
    Some(Assignment {
        seeds: trial.seeds,
        confidence: trial.confidence,
        labelled: trial.all.labelled,
        assigned: trial.all.assigned,
        right: trial.all.right,
        precision: trial.all.precision(),
        recall: trial.all.recall(),
        concepts,
    })
}

/// `41 of 46 assignments right (precision 89 %), 41 of 61 labels found (recall 67 %), on 160 labelled seeds held out in turn`.
pub(super) fn told(found: &Assignment) -> String {
    let right = match found.precision {
        Some(precision) => format!(
            "{} of {} right (precision {:.0} %)",
            thousands(found.right),
            many(found.assigned, "assignment"),
            100.0 * precision
        ),
        None => "nothing is assigned with confidence".to_owned(),
    };
    format!(
        "by embedding, from {} on: {right}, {} of {} found (recall {:.0} %), on {} held out in turn",
        found.confidence,
        thousands(found.right),
        many(found.labelled, "label"),
        100.0 * found.recall.unwrap_or(0.0),
        many(found.seeds, "labelled seed"),
    )
}

/// `12 labelled, 9 assigned, 8 right`.
pub(super) fn told_of(concept: &OfConcept) -> String {
    format!(
        "{} labelled, {} assigned, {} right",
        thousands(concept.labelled),
        thousands(concept.assigned),
        thousands(concept.right)
    )
}

/// Why the assignment is not to be relied on, if it is not.
pub(super) fn poor(found: &Assignment) -> Option<String> {
    let wrong = found
        .precision
        .filter(|precision| found.assigned >= JUDGED_FROM && *precision < PRECISION_LOW)
        .map(|precision| {
            format!(
                "of the seeds that embedding puts under a concept, labels confirm {:.0} %: rows will be counted for concepts that they are \
                 not about; raise `concepts.confidence`, describe the concepts, or use `concepts.assign: model`",
                100.0 * precision
            )
        });
    let missed = || {
        let recall = found
            .recall
            .filter(|recall| found.labelled >= JUDGED_FROM && *recall < RECALL_LOW)?;
        Some(format!(
            "embedding finds {:.0} % of what the seeds' labels say: new questions will count mostly where a seed's label or a model speaks for \
             their concept; give the concepts descriptions and examples, or use `concepts.assign: model`",
            100.0 * recall
        ))
    };
    wrong.or_else(missed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(labelled: u64, assigned: u64, right: u64) -> Assignment {
        let hits = Hits {
            labelled,
            assigned,
            right,
        };
        Assignment {
            seeds: 160,
            confidence: 0.7,
            labelled,
            assigned,
            right,
            precision: hits.precision(),
            recall: hits.recall(),
            concepts: Vec::new(),
        }
    }

    #[test]
    fn a_poor_assignment_is_warned_of_before_anything_is_spent() {
        assert_eq!(poor(&found(60, 46, 41)), None);
        assert!(poor(&found(60, 46, 30)).unwrap().contains("confirm 65 %"));
        assert!(poor(&found(60, 9, 9)).unwrap().contains("finds 15 %"));
        assert_eq!(poor(&found(6, 4, 1)), None, "too few to judge by");
        assert_eq!(
            told(&found(61, 46, 41)),
            "by embedding, from 0.7 on: 41 of 46 assignments right (precision 89 %), 41 of 61 labels found (recall 67 %), on 160 labelled \
             seeds held out in turn"
        );
        assert!(told(&found(61, 0, 0)).contains("nothing is assigned with confidence, 0 of 61 labels"));
    }
}
