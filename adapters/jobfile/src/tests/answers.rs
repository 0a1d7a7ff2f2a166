//! What `init` makes of answers: labels, and texts of a passage.

use super::Folder;
use super::written::round_trip;
use crate::Check;

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
