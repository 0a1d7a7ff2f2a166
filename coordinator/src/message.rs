//! What a run can be seen to do, as a message: the same of a cluster's run and of one in a folder.

use std::collections::BTreeMap;

use gristmill_domain::by_recipe::{RecipeYield, told};
use gristmill_domain::concept::ConceptProgress;
use gristmill_domain::self_improvement::TeacherCheck;
use gristmill_domain::stage::Stage;
use gristmill_proto::v1;

use crate::Progress;

/// What a run can be seen to do, as the service shows it.
pub fn progress_message(progress: &Progress) -> v1::Progress {
    // Older versions wrote down of an ended run what it had expected and had not stored.
    let closed = progress.has_ended().then(|| {
        let mut closed = progress.clone();
        closed.close();
        closed
    });
    let progress = closed.as_ref().unwrap_or(progress);
    let stages = |counts: &BTreeMap<Stage, u64>| {
        counts
            .iter()
            .map(|(stage, count)| (stage.to_string(), *count))
            .collect()
    };
    v1::Progress {
        phase: progress.phase.clone(),
        evaluates: progress.evaluates,
        taken_up: progress.taken_up,
        accepted: progress.accepted,
        decided: progress.decided,
        expected_rows: progress.expected_rows,
        expected_rows_low: progress.expected_between.0,
        expected_rows_high: progress.expected_between.1,
        expected_calls: progress.expected_calls,
        settled: progress.settled,
        settled_accepted: progress.settled_accepted,
        rejected: progress
            .rejected
            .iter()
            .map(|(reason, count)| (reason.as_str().to_owned(), *count))
            .collect(),
        running: stages(&progress.running),
        open: stages(&progress.open),
        ready_since_ms: stages(&progress.ready_since),
        concepts_met: progress.concepts.0,
        concepts_wanted: progress.concepts.1,
        concepts_all: progress.concepts_all,
        concepts: progress.furthest.iter().cloned().map(concept).collect(),
        in_batches: progress.in_batches,
        held_back: progress.held_back,
        embedded: progress.embedded.0,
        embedded_all: progress.embedded.1,
        end: progress.end.clone(),
        short: progress.short.clone(),
        alerts: progress.alerts.clone(),
        teacher_checks: progress.teacher_checks.iter().map(teacher_check).collect(),
        cancelled_tasks: progress.cancelled,
        unfunded_tasks: stages(&progress.unfunded),
        recipes: told(&progress.recipes, progress.recipes_named)
            .iter()
            .map(recipe_yield)
            .collect(),
    }
}

fn recipe_yield(recipe: &RecipeYield) -> v1::RecipeYield {
    let RecipeYield {
        made,
        brought,
        rejected,
    } = recipe;
    v1::RecipeYield {
        recipe: made.recipe.clone(),
        version: made.version,
        digest: made.digest.clone(),
        candidates: brought.candidates,
        accepted: brought.accepted,
        calls: brought.calls,
        usd_micros: brought.usd_micros,
        rejected: rejected
            .iter()
            .map(|(reason, loss)| v1::Loss {
                reason: reason.as_str().to_owned(),
                rows: loss.rows,
                calls: loss.calls,
                usd_micros: loss.usd_micros,
                unasked: loss.unasked,
            })
            .collect(),
    }
}

fn teacher_check(check: &TeacherCheck) -> v1::TeacherCheck {
    v1::TeacherCheck {
        teacher: check.teacher.clone(),
        right: check.right,
        wrong: check.wrong,
        failed: check.failed,
        min_accuracy: check.min_accuracy,
    }
}

fn concept(concept: ConceptProgress) -> v1::Concept {
    v1::Concept {
        name: concept.concept,
        parent: concept.parent,
        target: concept.target,
        real: concept.real,
        synthetic: concept.synthetic,
        given_up: concept.given_up.map(|tried| v1::GivenUp {
            aimed: tried.aimed,
            counted: tried.counted,
        }),
    }
}

#[cfg(test)]
mod tests {
    use gristmill_domain::by_recipe::{Loss, Yield};
    use gristmill_domain::concept::GivenUp;
    use gristmill_domain::filter::Reason;
    use gristmill_domain::recipe::Made;

    use super::*;

    #[test]
    fn a_run_tells_what_its_recipes_brought_where_they_are_told_apart() {
        let made = |recipe: &str| {
            let made = Made {
                recipe: recipe.to_owned(),
                version: 1,
                digest: "00112233".to_owned(),
            };
            RecipeYield {
                brought: Yield {
                    candidates: 40,
                    accepted: 12,
                    calls: 96,
                    usd_micros: 31_000,
                },
                rejected: vec![(Reason::Wrong, Loss::default())],
                ..RecipeYield::new(made)
            }
        };
        let mut progress = Progress {
            recipes: vec![made("mine")],
            ..Progress::default()
        };
        assert!(
            progress_message(&progress).recipes.is_empty(),
            "one, which nobody named"
        );
        progress.recipes_named = true;
        let told = progress_message(&progress).recipes.remove(0);
        assert_eq!(
            (told.recipe.as_str(), told.candidates, told.accepted, told.calls),
            ("mine", 40, 12, 96)
        );
        assert_eq!(told.rejected[0].reason, Reason::Wrong.as_str());
    }

    #[test]
    fn a_run_that_ended_under_an_older_version_tells_what_is_stored() {
        let progress = Progress {
            phase: "ended".to_owned(),
            accepted: 2,
            decided: 3,
            settled: 9,
            settled_accepted: 7,
            expected_rows: 50,
            expected_between: (40, 60),
            ..Progress::default()
        };
        let told = progress_message(&progress);
        assert_eq!((told.settled, told.settled_accepted), (3, 2));
        assert_eq!((told.expected_rows, told.expected_rows_high), (2, 0));
    }

    #[test]
    fn a_run_tells_where_its_concepts_stand() {
        let progress = Progress {
            concepts: (7, 40),
            concepts_all: 41,
            furthest: vec![ConceptProgress {
                concept: "renal dosing".to_owned(),
                parent: Some("kidney".to_owned()),
                target: 20,
                real: 3,
                synthetic: 4,
                given_up: Some(GivenUp {
                    aimed: 80,
                    counted: 0,
                }),
            }],
            ..Progress::default()
        };
        let told = progress_message(&progress);
        assert_eq!(
            (told.concepts_met, told.concepts_wanted, told.concepts_all),
            (7, 40, 41)
        );
        let concept = &told.concepts[0];
        assert_eq!(
            (concept.name.as_str(), concept.parent.as_deref()),
            ("renal dosing", Some("kidney"))
        );
        assert_eq!((concept.target, concept.real, concept.synthetic), (20, 3, 4));
        assert_eq!(concept.given_up.map(|tried| tried.aimed), Some(80));
    }
}
