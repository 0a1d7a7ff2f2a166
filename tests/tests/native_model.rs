//! Models that the program computes itself, through the program: a base, and the same base with a trained adapter.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking, and says what it saw"
)]

use std::collections::BTreeMap;
use std::process::Output;
use std::time::{Duration, Instant};

use gristmill_tests::harness::Bench;
use gristmill_tests::sim::Config;
use gristmill_tests::tiny_model;
use serde_json::{Value, json};

/// Longest wait for something that a run does.
const PATIENCE: Duration = Duration::from_secs(120);
const CALLS: u64 = 40;

/// Asks for texts of a few tokens, and takes what comes.
const RECIPE: &str = "recipe: words\nversion: 1\nabout: A few words about a seed's question.\nsteps:\n  - ask: text\n    prompt: words.txt\n    reply:\n      - text: text\n  - distinct: text\nrow: {form: text, text: text}\n";

struct Desk {
    bench: Bench,
}

impl Desk {
    /// A tiny base in `base`.
    fn new() -> Self {
        let bench = Bench::new(Config::default()).unwrap();
        tiny_model::write(&bench.folder.path().join("base")).unwrap();
        let seeds: String = (0..12)
            .map(|n| {
                format!(
                    "{{\"question\": \"What is {n} and {n}?\", \"answer\": \"{}\"}}\n",
                    2 * n
                )
            })
            .collect();
        bench.write("seeds.jsonl", &seeds).unwrap();
        bench.write("words.yaml", RECIPE).unwrap();
        bench
            .write(
                "words.txt",
                "version: 1\n=== user\nSay something about this: {{ seed_question }}\n",
            )
            .unwrap();
        Self { bench }
    }

    /// Trains a student of the base on the dataset of a real run.
    fn train(&self, out: &str, method: &str) {
        tiny_model::train(&self.bench, out, &[method, "max_steps=2"]).unwrap();
    }

    fn job(&self, name: &str, teacher: &str) {
        let job = format!(
            "seeds: {{path: seeds.jsonl}}\nteacher: {{local: {teacher}}}\nembed: {{model: off}}\n\
             generate: {{recipes: [./words.yaml], max_tokens: 150, pilot: 0, rounds: 2}}\nfilter: {{validator: {{kind: number}}}}\n\
             budget: {{calls: {CALLS}}}\n"
        );
        self.bench.write(name, &job).unwrap();
    }

    fn gristmill(&self, args: &[&str]) -> Output {
        self.bench.gristmill(args).unwrap()
    }

    /// What a job's model replied in a preview: the seed, the reply's text and the model's version, by candidate.
    fn replies(&self, job: &str, more: &[&str]) -> Vec<(String, String, String)> {
        let args = [
            "preview",
            job,
            "--output",
            "json",
            "--progress",
            "none",
            "--set",
            "generate.max_tokens=16",
        ];
        let output = self.gristmill(&[&args, more].concat());
        assert!(output.status.success(), "{}", said(&output));
        let shown: Value = serde_json::from_slice(&output.stdout).unwrap();
        let candidates = shown["candidates"].as_array().unwrap().iter();
        let replies = candidates.map(|candidate| {
            let brought = &candidate["tasks"][0]["brought"]["Ok"];
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            (
                text(&candidate["row"]["seed_id"]),
                brought["output"].to_string(),
                text(&brought["model_version"]),
            )
        });
        replies.collect()
    }

    /// The accepted texts of a run, by the row's id.
    fn texts(&self, out: &str) -> BTreeMap<String, String> {
        let run = std::fs::read_dir(self.bench.folder.path().join(out)).unwrap();
        let run = run.map(|entry| entry.unwrap().path()).next().unwrap();
        let file = run.join("dataset/jsonl/text.jsonl");
        let text = std::fs::read_to_string(&file).unwrap_or_else(|error| {
            let there = std::fs::read_dir(run.join("dataset/jsonl")).unwrap();
            panic!(
                "{error}: {:?}",
                there.map(|entry| entry.unwrap().path()).collect::<Vec<_>>()
            )
        });
        let rows = text
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap());
        rows.map(|row| (row["id"].to_string(), row["text"].to_string()))
            .collect()
    }
}

/// The base's description, with something in it that nothing reads.
fn changed_config(desk: &Desk) -> String {
    let file = desk.bench.folder.path().join("base/config.json");
    let text = std::fs::read_to_string(file).unwrap();
    text.replacen('{', "{\"remark\": \"another\", ", 1)
}

fn said(output: &Output) -> String {
    let both = [output.stderr.as_slice(), &output.stdout].concat();
    String::from_utf8_lossy(&both).into_owned()
}

#[test]
fn a_base_and_its_students_answer_each_in_its_own_way_and_always_the_same() {
    let desk = Desk::new();
    desk.train("student", "method=lora");
    desk.train("whole", "method=full");
    desk.job("base.yaml", "./base");
    desk.job("student.yaml", "{name: ./base, adapter: student}");
    desk.job("alone.yaml", "{name: ./base, adapter: student/adapter, slots: 1}");
    desk.job("whole.yaml", "./whole");
    // Sampled replies follow from the requests alone, whatever they are batched with.
    let sampled = desk.replies("student.yaml", &[]);
    assert!(sampled.len() >= 4, "{sampled:?}");
    assert_eq!(sampled, desk.replies("student.yaml", &[]));
    // Without sampling, what differs is the model.
    let greedy = ["--set", "generate.temperature=0"];
    let of = |job: &str| desk.replies(job, &greedy);
    let (base, student, whole) = (of("base.yaml"), of("student.yaml"), of("whole.yaml"));
    let texts = |replies: &[(String, String, String)]| -> BTreeMap<String, String> {
        replies
            .iter()
            .map(|(seed, text, _)| (seed.clone(), text.clone()))
            .collect()
    };
    assert_ne!(texts(&base), texts(&student));
    assert_ne!(texts(&base), texts(&whole));
    // One at a time, by the path of the adapter itself: the same model.
    assert_eq!(texts(&student), texts(&of("alone.yaml")));
    // Provenance tells them apart, and says which base the adapter is on.
    let version = |replies: &[(String, String, String)]| replies[0].2.clone();
    let (base, student) = (version(&base), version(&student));
    assert!(base.starts_with("base@"), "{base}");
    assert!(student.starts_with(&format!("{base}+student@")), "{student}");
    assert!(version(&whole).starts_with("whole@"), "{whole:?}");
    // A base that is no longer what the adapter was trained on.
    desk.bench
        .write("base/config.json", &changed_config(&desk))
        .unwrap();
    let output = desk.gristmill(&["preview", "student.yaml", "--output", "json"]);
    assert!(
        said(&output).contains("was trained on `base` with other files"),
        "{}",
        said(&output)
    );
}

#[test]
fn a_run_that_is_killed_resumes_and_gets_the_same_answers() {
    let desk = Desk::new();
    desk.job("base.yaml", "{name: ./base, slots: 4}");
    let whole = desk.gristmill(&[
        "run",
        "base.yaml",
        "--output",
        "json",
        "--set",
        "output.dir=whole",
    ]);
    assert!(whole.status.success(), "{}", said(&whole));
    let summary: Value = serde_json::from_slice(&whole.stdout).unwrap();
    let spend = &summary["spend"][0];
    assert_eq!(
        (&spend["model"], &spend["calls"]),
        (&json!("base"), &json!(CALLS))
    );
    assert!(spend["output_tokens"].as_u64() > Some(CALLS), "{spend}");

    let mut killed = desk.bench.start_job("base.yaml").unwrap();
    let begun = Instant::now();
    let calls = || -> u64 {
        let Ok(run) = desk.bench.run_folder() else {
            return 0;
        };
        let output = desk.gristmill(&["budget", run.to_str().unwrap(), "--output", "json"]);
        let budget: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        budget["total"]["spent"]["calls"].as_u64().unwrap_or(0)
    };
    while calls() == 0 {
        assert!(begun.elapsed() < PATIENCE, "no call was made");
        std::thread::sleep(Duration::from_millis(10));
    }
    killed.kill().unwrap();
    killed.wait().unwrap();
    let before = calls();
    assert!(before < CALLS, "it ended before it was killed");
    let resumed = desk.bench.run_job("base.yaml", &["--progress", "none"]).unwrap();
    let total = resumed["spend"][0]["calls"].as_u64().unwrap();
    assert!(total >= before && total <= CALLS, "{resumed}");
    // What was in flight was asked again, and answered as it is in a run that nobody killed.
    let (unbroken, resumed) = (desk.texts("whole"), desk.texts("out"));
    let both: Vec<&String> = resumed.keys().filter(|id| unbroken.contains_key(*id)).collect();
    assert!(both.len() >= 5, "{unbroken:?} {resumed:?}");
    for id in both {
        assert_eq!(unbroken[id], resumed[id]);
    }
}

#[test]
fn what_a_local_model_lacks_is_told_before_anything_is_asked() {
    let desk = Desk::new();
    let refused = |teacher: &str, words: &[&str]| {
        desk.job("job.yaml", teacher);
        let output = desk.gristmill(&["run", "job.yaml", "--progress", "none"]);
        assert_eq!(output.status.code(), Some(3), "{}", said(&output));
        for word in words {
            assert!(said(&output).contains(word), "{word}: {}", said(&output));
        }
    };
    refused(
        "{name: ./base, adapter: student}",
        &["job.yaml:2:42", "no folder `student` with an adapter"],
    );
    std::fs::create_dir(desk.bench.folder.path().join("student")).unwrap();
    refused(
        "{name: ./base, adapter: student, engine: llama_cpp}",
        &[
            "job.yaml:2",
            "llama.cpp does not take adapters",
            "leave `engine` out",
        ],
    );
    refused(
        "{name: ./base, threads: 2}",
        &["`threads` does nothing", "RAYON_NUM_THREADS"],
    );
    refused("{name: ./base, adaptor: student}", &["adaptor", "`adapter`"]);
    refused("{name: ./base, engine: llamacpp}", &["llamacpp", "llama_cpp"]);
    refused("./bas", &["no model file", "base"]);
    refused(
        "./seeds.jsonl",
        &["is a file", "end in `.gguf`", "engine: llama_cpp"],
    );
    // What is in the folders is looked at when they are read, and by the doctor.
    desk.job("job.yaml", "{name: ./base, adapter: student}");
    let output = desk.gristmill(&["run", "job.yaml", "--progress", "none"]);
    assert!(!output.status.success());
    assert!(
        said(&output).contains("`adapter_config.json`"),
        "{}",
        said(&output)
    );
    let doctor = desk.gristmill(&["doctor", "job.yaml"]);
    assert!(said(&doctor).contains("FAILED      adapter"), "{}", said(&doctor));
    // A context that is too small for prompt and answer refuses each request, and costs nothing.
    desk.job("job.yaml", "{name: ./base, context_tokens: 64}");
    let output = desk.gristmill(&["run", "job.yaml", "--progress", "none"]);
    assert!(!output.status.success());
    assert!(said(&output).contains("context of 64"), "{}", said(&output));
}
