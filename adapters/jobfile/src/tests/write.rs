//! Jobs written as files are read back as they were.

use std::fs;
use std::path::Path;

use crate::{Keys, Loaded, load, write};

const JOB: &str = r##"
seeds:
  path: [data/a.jsonl, "data/b*.jsonl"]
  fields: {question: "What: it asks", concept: concept}
  documents: {path: docs, words: 100}
teacher:
  - {base_url: "http://127.0.0.1:1/v1", model: one, price: {input: 0.5, output: 1.5}, key_file: key.txt}
  - {base_url: "http://127.0.0.1:1/v1", model: "yes", price: {input: 0.5, output: 1.5}, weight: 2}
  - {local: {name: models/base.gguf, adapter: students/one}}
judge: {base_url: "http://127.0.0.1:1/v1", model: j, price: {input: 0.5, output: 1.5}}
concepts:
  list: [{name: "iron: a metal", target: 5, labels: ["- Fe", "#2"]}, plain]
  accept: narrow
generate: {rounds: 2, subject: "null", prompts: {rephrase: prompts/rephrase.txt}}
filter:
  validator: {kind: label, labels: ["yes", "no"]}
budget: {usd: 0.5, calls: 100}
"##;

const EVALUATION: &str = r#"
seeds: {path: data/a.jsonl}
judge: {local: smollm2-135m-instruct}
evaluate:
  models:
    - {role: student, local: models/mine.gguf}
    - {role: base, local: models/base, shots: 2}
    - {role: previous, local: {name: smollm2-135m-instruct, adapter: students/last/adapter}}
    - {role: other, base_url: "http://127.0.0.1:1/v1", model: one, key_file: keys/one.txt}
  shots_path: data/b.jsonl
budget: {calls: 100}
"#;

#[test]
fn a_moved_job_is_the_same_job() {
    let folder = tempfile::tempdir().unwrap();
    let base = folder.path().canonicalize().unwrap();
    for name in ["data", "docs", "models", "prompts", "students/one", "deep/er"] {
        fs::create_dir_all(base.join(name)).unwrap();
    }
    let row = r#"{"What: it asks": "Why?", "answer": "yes", "concept": "plain"}"#;
    for (name, text) in [
        ("data/a.jsonl", row),
        ("data/b1.jsonl", row),
        ("docs/a.md", "# A\n\nText."),
        ("models/base.gguf", "GGUF"),
        ("prompts/rephrase.txt", "{{ question }}"),
        ("key.txt", "key"),
        ("job.yaml", JOB),
    ] {
        fs::write(base.join(name), text).unwrap();
    }
    let first = read(&base, "job.yaml");
    let text = write(&first.job, &base, &base.join("deep/er")).unwrap();
    fs::write(base.join("deep/er/job.yaml"), &text).unwrap();
    let second = read(&base, "deep/er/job.yaml");
    assert!(!text.contains("top_p") && !text.contains("refusals"), "{text}");
    assert!(text.contains("- ../../data/a.jsonl\n"), "{text}");
    assert_eq!(
        second.job.seeds.path,
        ["../../data/a.jsonl", "../../data/b*.jsonl"]
    );
    assert_eq!(second.job.output.dir.to_str(), Some("../../out"));
    let local = second.job.teacher[2].spec.local.as_ref().unwrap();
    assert_eq!(local.name, "../../models/base.gguf");
    assert_eq!(local.adapter, Some("../../students/one".into()));
    // Back again, it is what it was, to the last setting.
    let back = write(&second.job, &base.join("deep/er"), &base).unwrap();
    fs::write(base.join("back.yaml"), &back).unwrap();
    assert_eq!(read(&base, "back.yaml").job, first.job, "{back}");
}

#[test]
fn the_files_of_evaluated_models_move_too() {
    let folder = tempfile::tempdir().unwrap();
    let base = folder.path().canonicalize().unwrap();
    for name in ["data", "keys", "models/base", "students/last/adapter"] {
        fs::create_dir_all(base.join(name)).unwrap();
    }
    for (name, text) in [
        ("data/a.jsonl", r#"{"question": "Why?", "answer": "So."}"#),
        ("data/b.jsonl", r#"{"question": "Who?", "answer": "He."}"#),
        ("keys/one.txt", "key"),
        ("models/mine.gguf", "GGUF"),
        ("job.yaml", EVALUATION),
    ] {
        fs::write(base.join(name), text).unwrap();
    }
    let first = read(&base, "job.yaml");
    let text = write(&first.job, &base, &base.join("models")).unwrap();
    fs::write(base.join("models/job.yaml"), &text).unwrap();
    let second = read(&base, "models/job.yaml");
    let evaluate = second.job.evaluate.as_ref().unwrap();
    assert_eq!(evaluate.shots_path, ["../data/b.jsonl"]);
    let models = &evaluate.models;
    let local = |number: usize| models[number].spec.local.as_ref().unwrap();
    assert_eq!(models[3].spec.key_file, Some("../keys/one.txt".into()));
    assert_eq!(local(0).name, "mine.gguf");
    assert_eq!(local(1).name, "./base", "a path, and no name of the catalogue");
    assert_eq!(local(2).name, "smollm2-135m-instruct");
    assert_eq!(local(2).adapter, Some("../students/last/adapter".into()));
    let back = write(&second.job, &base.join("models"), &base).unwrap();
    fs::write(base.join("back.yaml"), &back).unwrap();
    assert_eq!(read(&base, "back.yaml").job, first.job, "{back}");
}

fn read(base: &Path, file: &str) -> Loaded {
    let read = load(&base.join(file), &[], Keys::Elsewhere);
    read.unwrap_or_else(|errors| panic!("{file}: {}", crate::render(&errors, false)))
}
