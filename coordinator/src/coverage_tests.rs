use gristmill_domain::id::ContentId;
use gristmill_domain::job::{Assign, Concepts, Holdout};
use serde_json::json;

use super::*;
use crate::seeds::Intake;

/// Twelve seeds with passages: of each four, three are about pumps, about wells, and about both, and one is about neither.
fn seeds() -> SeedStore {
    let holdout = Holdout {
        validation: 0.0,
        test: 0.0,
        ..Holdout::default()
    };
    let mut intake = Intake::new(&holdout).unwrap();
    for n in 0..12 {
        let question = format!(
            "Number {n} wants to know about {} things, and which of them is it?",
            n * n
        );
        let labels: &[&str] = [&["pump"][..], &["well"], &["pump", "well"], &["sky"]][n % 4];
        let seed = json!({
            "id": ContentId::of(&[question.as_bytes()]), "question": question, "answer": "a", "reasoning": null, "references": ["a"],
            "context": format!("A passage of its own, the one with number {n}."), "concepts": labels, "source": null, "database": null,
            "place": {"file": "s", "line": n + 1},
        });
        intake.push(&serde_json::from_value(seed).unwrap()).unwrap();
    }
    intake.finish(&holdout).unwrap()
}

fn settings(assign: Assign) -> Concepts {
    let concept = |name: &str| Concept {
        name: name.into(),
        ..Concept::default()
    };
    Concepts {
        list: vec![concept("pump"), concept("well")],
        target: Some(20),
        assign,
        ..Concepts::default()
    }
}

/// Coverage by embedding: a question's vector says pump, well, or neither.
fn coverage(seeds: &SeedStore) -> Coverage {
    let known = vec![vec![1.0, 0.0, 0.0], vec![0.0, 1.0, 0.0]];
    let assigner = Assigner::new(&settings(Assign::Embedding), "m", known).unwrap();
    Coverage::new(assigner, seeds, &[], &Filter::default()).unwrap()
}

/// The first anchor seed with these labels.
fn anchor(seeds: &SeedStore, labels: &[&str]) -> u64 {
    (0..seeds.anchors())
        .find(|n| seeds.read(seeds.anchor(*n)).unwrap().concepts == labels)
        .unwrap()
}

const PUMP: [f32; 3] = [0.5, 0.1, 0.86];
const VAGUE: [f32; 3] = [0.235, 0.222, 0.946];
const WELL: [f32; 3] = [0.0, 0.8, 0.6];

fn asked<'a>(anchor: u64, question: &'a str, vector: &'a [f32]) -> Decided<'a> {
    Decided {
        strategy: Strategy::NewQuestion,
        anchor,
        topic: Some("pump"),
        of_passage: true,
        question,
        vector: Some(vector),
        model: None,
        accepted: true,
    }
}

fn names(assessed: &Assessed) -> Vec<(&str, bool)> {
    let named = assessed.assigned.iter();
    named
        .map(|assigned| (assigned.concept.as_str(), assigned.counted))
        .collect()
}

#[test]
fn a_question_counts_for_the_label_of_its_passage_though_its_words_say_little() {
    let seeds = seeds();
    let of_pump = anchor(&seeds, &["pump"]);
    let mut coverage = coverage(&seeds);
    let question = "Does the older one last longer than its owner had hoped?";
    let vague = coverage.assess(&asked(of_pump, question, &VAGUE)).unwrap();
    assert_eq!(names(&vague), [("pump", true)], "{vague:?}");
    let copy = coverage.assess(&asked(of_pump, question, &VAGUE)).unwrap();
    assert_eq!(names(&copy), [("pump", false)], "the same words count once");
    let borrowed = Decided {
        of_passage: false,
        ..asked(
            of_pump,
            "How often is it oiled in a cold winter by the sea?",
            &VAGUE,
        )
    };
    let borrowed = coverage.assess(&borrowed).unwrap();
    assert!(names(&borrowed).is_empty(), "it was only asked for: {borrowed:?}");
    let other = asked(of_pump, "How deep is it dug where the ground is dry?", &WELL);
    assert_eq!(
        names(&coverage.assess(&other).unwrap()),
        [("well", true)],
        "its words say something else, and clearly"
    );
    let rejected = Decided {
        accepted: false,
        ..asked(
            of_pump,
            "Which of the three parts wears out before the others?",
            &PUMP,
        )
    };
    assert_eq!(names(&coverage.assess(&rejected).unwrap()), [("pump", false)]);
}

#[test]
fn a_models_word_is_weighed_with_the_rest() {
    let seeds = seeds();
    let of_pump = anchor(&seeds, &["pump"]);
    let mut coverage = coverage(&seeds);
    let shown: Vec<Arc<Concept>> = settings(Assign::Model).list.into_iter().map(Arc::new).collect();
    let mut assess = |question: &str, vector: &[f32], concept| {
        let assessed = coverage.assess(&Decided {
            model: Some(Heard {
                concept,
                shown: &shown,
            }),
            ..asked(of_pump, question, vector)
        });
        let assigned = assessed.unwrap().assigned;
        assigned
            .into_iter()
            .map(|assigned| assigned.concept)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        assess("Is one enough for two gardens?", &VAGUE, Some("pump")),
        ["pump"]
    );
    assert_eq!(assess("Is two enough for one garden?", &VAGUE, None), [""; 0]);
    assert_eq!(
        assess("Must it be cleaned in spring?", &VAGUE, Some("well")),
        ["well"]
    );
    assert_eq!(
        assess("What does it cost to run all day?", &PUMP, None),
        ["pump"],
        "words and passage agree, and a model errs"
    );
}

#[test]
fn a_rephrasing_counts_for_each_concept_that_its_seeds_labels_name() {
    let seeds = seeds();
    let mut coverage = coverage(&seeds);
    let rephrased = Decided {
        strategy: Strategy::Rephrasing,
        topic: None,
        vector: None,
        ..asked(
            anchor(&seeds, &["pump", "well"]),
            "In other words altogether, what is it that one would like to know here?",
            &[],
        )
    };
    let assessed = coverage.assess(&rephrased).unwrap();
    assert_eq!(names(&assessed), [("pump", true), ("well", true)]);
    assert_eq!(assessed.on_topic, None);
    let augmented = Decided {
        strategy: Strategy::AnswerAugmentation,
        ..rephrased
    };
    assert_eq!(
        names(&coverage.assess(&augmented).unwrap()),
        [("pump", false), ("well", false)]
    );
}

#[test]
fn by_labels_alone_a_new_question_belongs_to_nothing() {
    let seeds = seeds();
    let assigner = Assigner::by_labels(&settings(Assign::Labels));
    let mut coverage = Coverage::new(assigner, &seeds, &[], &Filter::default()).unwrap();
    let question = asked(
        anchor(&seeds, &["pump"]),
        "Whose is the new one over there?",
        &PUMP,
    );
    let assessed = coverage.assess(&question).unwrap();
    assert_eq!(assessed, Assessed::default());
}

#[test]
fn what_was_learned_of_how_questions_are_asked_outlives_a_restart() {
    let seeds = seeds();
    let of_pump = anchor(&seeds, &["pump"]);
    let mut running = coverage(&seeds);
    let mut restarted = coverage(&seeds);
    for n in 0..30 {
        let question = format!("Question {n} is about {} other things, is it not?", n * 7);
        let decided = asked(of_pump, &question, &WELL);
        let assessed = running.assess(&decided).unwrap();
        let id = ContentId::of(&[b"x"]);
        let row: Row = serde_json::from_value(json!({
            "id": id, "position": {"round": 0, "index": n}, "seed": seeds.anchor(of_pump), "family": of_pump, "seed_id": id,
            "strategy": "new_question", "concept": "pump", "assigned": assessed.assigned, "on_topic": assessed.on_topic, "question": question,
            "reasoning": "", "answer": "a", "teacher": "t", "teacher_version": "", "prompts": [], "tasks": [], "costs": [],
            "checks": {"correct": null, "votes": null, "judgements": [], "details": []}, "depth": 1, "rejection": null,
        }))
        .unwrap();
        restarted.recall(&row).unwrap();
    }
    let next = asked(
        of_pump,
        "Does the older one last longer than its owner had hoped?",
        &VAGUE,
    );
    let (one, other) = (running.assess(&next).unwrap(), restarted.assess(&next).unwrap());
    assert_eq!(one, other);
    let fresh = coverage(&seeds).assess(&next).unwrap();
    assert!(
        one.on_topic.unwrap() < fresh.on_topic.unwrap(),
        "thirty questions about something else are remembered: {one:?} and {fresh:?}"
    );
}
