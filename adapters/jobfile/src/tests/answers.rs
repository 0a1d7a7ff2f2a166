//! What `init` makes of answers: labels, texts of a passage, and choices that do not fit their options.

use std::collections::BTreeMap;

use super::Folder;
use super::written::round_trip;
use crate::{Check, Sample};

/// A yes or no is no part of its passage, and a rule that looks for it there would reject every answer.
#[test]
fn verdicts_are_labels_and_never_grounded() {
    let folder = Folder::new();
    let row = |i: usize, answer: &str| {
        format!(
            "{{\"question\": \"is it q{i}\", \"passage\": \"Rain fell on hill {i}.\", \"answer\": {answer}}}\n"
        )
    };
    for (answers, labels) in [
        (["true", "false"], ["false", "true"]),
        (["\"Yes\"", "\"no.\""], ["Yes", "no."]),
        (["\"ja\"", "\"nein\""], ["ja", "nein"]),
    ] {
        let rows: String = (0..12).map(|i| row(i, answers[i % 2])).collect();
        folder.write("bool.jsonl", rows);
        let sample = round_trip("bool.jsonl", folder.0.path());
        assert!(!sample.grounded, "{answers:?}");
        assert_eq!(sample.check, Check::Label(labels.map(str::to_owned).to_vec()));
    }
    // Other answers that their passages do not say, and answers that they do.
    for (answer, grounded) in [("\"about the weather\"", false), ("\"on the hill\"", true)] {
        let rows: String = (0..12).map(|i| row(i, answer)).collect();
        folder.write("texts.jsonl", rows);
        let sample = round_trip("texts.jsonl", folder.0.path());
        assert_eq!(sample.grounded, grounded, "{answer}");
        assert_eq!(
            sample
                .notes
                .iter()
                .any(|note| note.contains("0 of 12 stand there")),
            !grounded
        );
    }
}

/// Columns that a person named are never answered with the request to name them.
#[test]
fn named_choices_that_do_not_fit_are_shown() {
    let told = |rows: &str| {
        let folder = Folder::new();
        folder.write("choices.jsonl", rows.repeat(20));
        let named = [("choices", "options"), ("answer", "answer")];
        let named = BTreeMap::from(named.map(|(field, column)| (field.to_owned(), column.to_owned())));
        let error = Sample::read("choices.jsonl", folder.0.path(), &named).unwrap_err();
        error.to_string()
    };
    for (row, shown) in [
        (
            r#"{"question": "q", "options": "iron, tin, lead", "answer": "iron"}"#,
            [
                "column `options` holds `iron, tin, lead`",
                "a list of texts",
                "Options fit",
            ],
        ),
        (
            r#"{"question": "q", "options": ["iron", "tin"], "answer": "ب"}"#,
            [
                "the answer `ب` in column `answer`",
                "none of the options `A) iron B) tin`",
                "option's label",
            ],
        ),
        (
            r#"{"question": "q", "options": ["iron", "tin"], "answer": 7}"#,
            ["the answer `7`", "`A) iron B) tin`", "its number"],
        ),
    ] {
        let error = told(&format!("{row}\n"));
        assert!(error.contains("choices.jsonl:1: "), "{error}");
        assert!(error.contains("20 of 20 rows"), "{error}");
        for part in shown {
            assert!(error.contains(part), "{part} is not in: {error}");
        }
        assert!(!error.contains("cannot be told"), "{error}");
    }
}

/// A dataset of ours as seeds: what a model wrote is left out and counted.
#[test]
fn rows_that_a_model_wrote_are_no_seeds() {
    let folder = Folder::new();
    let row = |i: usize, origin: &str| {
        format!(
            "{{\"id\": \"{i}\", \"messages\": [{{\"role\": \"user\", \"content\": \"q {i}?\"}}, {{\"role\": \"assistant\", \"content\": \"{i}\"}}], \
             \"provenance\": {{\"origin\": \"{origin}\"}}{}}}\n",
            if origin == "human" {
                ""
            } else {
                ", \"reasoning\": \"r\""
            }
        )
    };
    let mixed: String = (0..12)
        .map(|i| row(i, if i < 9 { "human" } else { "synthetic" }))
        .collect();
    folder.write("mixed.jsonl", mixed);
    let sample = round_trip("mixed.jsonl", folder.0.path());
    assert_eq!(sample.fields.reasoning, None, "only left-out rows have it");
    assert!(
        sample
            .notes
            .iter()
            .any(|note| note.starts_with("3 of 12 rows looked at are left out")),
        "{:?}",
        sample.notes
    );
    folder.write("made.jsonl", row(1, "synthetic"));
    let error = Sample::read("made.jsonl", folder.0.path(), &BTreeMap::new()).unwrap_err();
    assert!(error.to_string().contains("only real rows are seeds"), "{error}");
    let rejected = "{\"id\": \"1\", \"reason\": \"refusal\", \"stage\": \"rules\", \"question\": \"Why?\", \"answer\": \"Because.\", \
                    \"seed_id\": \"2\", \"cost_usd_micros\": 5, \"calls\": 1, \"task_ids\": []}\n";
    folder.write("rejected.jsonl", rejected);
    let error = Sample::read("rejected.jsonl", folder.0.path(), &BTreeMap::new()).unwrap_err();
    assert!(error.to_string().contains("a run's rejected rows"), "{error}");
}
