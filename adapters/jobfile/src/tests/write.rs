//! Jobs written as files are read back as they were.

use std::fs;

use crate::{Keys, load, write};

const JOB: &str = r##"
seeds:
  path: [data/a.jsonl, "data/b*.jsonl"]
  fields: {question: "What: it asks", concept: concept}
  documents: {path: docs, words: 100}
teacher:
  - {base_url: "http://127.0.0.1:1/v1", model: one, price: {input: 0.5, output: 1.5}, key_file: key.txt}
  - {base_url: "http://127.0.0.1:1/v1", model: "yes", price: {input: 0.5, output: 1.5}, weight: 2}
judge: {base_url: "http://127.0.0.1:1/v1", model: j, price: {input: 0.5, output: 1.5}}
concepts:
  list: [{name: "iron: a metal", target: 5, labels: ["- Fe", "#2"]}, plain]
  accept: narrow
generate: {rounds: 2, subject: "null", prompts: {rephrase: prompts/rephrase.txt}}
filter:
  validator: {kind: label, labels: ["yes", "no"]}
budget: {usd: 0.5, calls: 100}
"##;

#[test]
fn a_moved_job_is_the_same_job() {
    let folder = tempfile::tempdir().unwrap();
    let base = folder.path().canonicalize().unwrap();
    for name in ["data", "docs", "prompts", "deep/er"] {
        fs::create_dir_all(base.join(name)).unwrap();
    }
    let row = r#"{"What: it asks": "Why?", "answer": "yes", "concept": "plain"}"#;
    for (name, text) in [
        ("data/a.jsonl", row),
        ("data/b1.jsonl", row),
        ("docs/a.md", "# A\n\nText."),
        ("prompts/rephrase.txt", "{{ question }}"),
        ("key.txt", "key"),
        ("job.yaml", JOB),
    ] {
        fs::write(base.join(name), text).unwrap();
    }
    let read = |file: &str| {
        let read = load(&base.join(file), &[], Keys::Elsewhere);
        read.unwrap_or_else(|errors| panic!("{file}: {}", crate::render(&errors, false)))
    };
    let first = read("job.yaml");
    let text = write(&first.job, &base, &base.join("deep/er")).unwrap();
    fs::write(base.join("deep/er/job.yaml"), &text).unwrap();
    let second = read("deep/er/job.yaml");
    assert!(!text.contains("top_p") && !text.contains("refusals"), "{text}");
    assert!(text.contains("- ../../data/a.jsonl\n"), "{text}");
    assert_eq!(
        second.job.seeds.path,
        ["../../data/a.jsonl", "../../data/b*.jsonl"]
    );
    assert_eq!(second.job.output.dir.to_str(), Some("../../out"));
    // Back again, it is what it was, to the last setting.
    let back = write(&second.job, &base.join("deep/er"), &base).unwrap();
    fs::write(base.join("back.yaml"), &back).unwrap();
    assert_eq!(read("back.yaml").job, first.job, "{back}");
}
