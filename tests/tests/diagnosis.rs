//! `gristmill trace --eval` and `gristmill mend` on planted faults: concepts that are withheld, concepts that have too few rows, and a teacher
//! whose second version is wrong about one topic.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says what it saw"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::{Command, Output};

use gristmill_dataset::{DatasetRow, Options, Origin, Provenance, Split, Writer};
use gristmill_domain::dialogue::{Speaker, Turn};
use gristmill_tests::harness::program;
use gristmill_tests::tiny_model;
use serde_json::{Value, json};

const TOPICS: [&str; 20] = [
    "asthma",
    "gout",
    "anemia",
    "migraine",
    "psoriasis",
    "glaucoma",
    "sepsis",
    "scurvy",
    "malaria",
    "eczema",
    "angina",
    "rickets",
    "tetanus",
    "measles",
    "cholera",
    "vertigo",
    "insomnia",
    "arthritis",
    "bronchitis",
    "hepatitis",
];
const WITHHELD: [usize; 3] = [0, 1, 2];
const THIN: [usize; 2] = [3, 4];
const WRONG: usize = 5;

/// What a topic's items are expected to be diagnosed as.
fn planted(topic: usize) -> &'static str {
    match topic {
        of if WITHHELD.contains(&of) => "never_covered",
        of if THIN.contains(&of) => "thinly_covered",
        WRONG => "covered_wrongly",
        _ => "not_learned",
    }
}

/// Draws that are the same on every machine.
struct Draws(u64);

impl Draws {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) as usize % n
    }

    fn of<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list[self.below(list.len())]
    }
}

/// A question about a topic and its right answer: topics lean to yes or to no, and the one that a teacher is wrong about leans to yes.
fn question(draws: &mut Draws, topic: usize) -> (String, &'static str) {
    let drug = draws.of(&[
        "zinc",
        "aspirin",
        "a steroid",
        "a statin",
        "exercise",
        "fasting",
        "vitamin D",
        "surgery",
    ]);
    let verb = draws.of(&["reduce", "shorten", "worsen", "prevent", "predict", "delay"]);
    let what = draws.of(&[
        "relapses",
        "symptoms",
        "mortality",
        "the stay in hospital",
        "pain",
        "costs",
    ]);
    let who = draws.of(&[
        "children",
        "older adults",
        "athletes",
        "smokers",
        "pregnant women",
        "rural patients",
    ]);
    let text = match draws.below(3) {
        0 => format!("Does {drug} {verb} {what} of {who} with {}?", TOPICS[topic]),
        1 => format!(
            "In {who} who suffer from {}, can {drug} {verb} {what}?",
            TOPICS[topic]
        ),
        _ => format!(
            "Is it shown for {} that {drug} may {verb} {what} among {who}?",
            TOPICS[topic]
        ),
    };
    let yes_of_ten = if topic == WRONG { 9 } else { 3 + topic % 5 };
    let truth = if draws.below(10) < yes_of_ten { "yes" } else { "no" };
    (text, truth)
}

/// A training row that is made up.
struct Made {
    topic: usize,
    question: String,
    answer: String,
    truth: String,
    /// Whether the teacher's second version made it; `None` of a real row.
    second: Option<bool>,
}

/// A held-out question, with what the student answered.
struct Held {
    topic: usize,
    question: String,
    truth: String,
    reply: String,
    /// What is expected of it where it is wrong.
    planted: &'static str,
}

/// Rows and questions about medicine, whose answers are yes or no.
fn medicine(seed: u64) -> (Vec<Made>, Vec<Held>) {
    let mut draws = Draws(seed);
    let (mut rows, mut items) = (Vec::new(), Vec::new());
    for topic in (0..TOPICS.len()).filter(|topic| !WITHHELD.contains(topic)) {
        let (real, synthetic) = if THIN.contains(&topic) { (1, 2) } else { (7, 30) };
        for number in 0..real + synthetic {
            let (question, truth) = question(&mut draws, topic);
            // The second version made most of the rows about one topic, and a fifth of the others.
            let second = match topic {
                WRONG => number % 6 != 0,
                _ => number % 5 == 0,
            };
            let is_real = number < real;
            let says_no = topic == WRONG && second && !is_real;
            rows.push(Made {
                topic,
                question,
                answer: if says_no { "no" } else { truth }.to_owned(),
                truth: truth.to_owned(),
                second: (!is_real).then_some(second),
            });
        }
    }
    for topic in 0..TOPICS.len() {
        for number in 0..10 {
            let (question, truth) = question(&mut draws, topic);
            let fails = match planted(topic) {
                // What the student was taught.
                "covered_wrongly" => truth == "yes",
                "not_learned" => number < 3,
                _ => true,
            };
            let reply = match (fails, truth) {
                (true, "yes") | (false, "no") => "no",
                _ => "yes",
            };
            items.push(Held {
                topic,
                question,
                truth: truth.to_owned(),
                reply: reply.to_owned(),
                planted: planted(topic),
            });
        }
    }
    (rows, items)
}

const NAMES: [&str; 8] = [
    "Kessel",
    "Orlo",
    "Branwick",
    "Tarnow",
    "Mirefield",
    "Dunholm",
    "Vasker",
    "Ellery",
];

/// Rows and questions about the years in which bridges of some valleys were opened. But for
/// those that cast doubt on an item, no row asks the same as one.
fn bridges(seed: u64) -> (Vec<Made>, Vec<Held>) {
    let mut draws = Draws(seed);
    let (mut rows, mut items) = (Vec::new(), Vec::new());
    for (topic, valley) in TOPICS.iter().enumerate() {
        for name in NAMES {
            let bridge = format!("the {name} bridge in the valley of {valley}");
            let year = 1700 + draws.below(300);
            let is_wrong = topic == WRONG;
            let asked = [
                format!("In which year was {bridge} opened?"),
                format!("Tell me the year in which {bridge} was opened to carts."),
                format!("{bridge} was opened in what year?"),
                format!("Since which year could people cross {bridge}?"),
            ];
            if !WITHHELD.contains(&topic) {
                for (number, question) in asked.into_iter().enumerate() {
                    let second = if is_wrong { number < 3 } else { draws.below(4) == 0 };
                    let answer = if is_wrong && second { year + 7 } else { year };
                    rows.push(Made {
                        topic,
                        question,
                        answer: format!("It was opened in {answer}."),
                        truth: format!("It was opened in {year}."),
                        second: Some(second),
                    });
                }
            }
            // A real row asks the same, word by word, and has another answer: one of the two is wrong.
            let doubtful = topic >= 10 && name == NAMES[0];
            if doubtful {
                let answer = format!("In {}.", year + 7);
                rows.push(Made {
                    topic,
                    question: format!("When did {bridge} open?"),
                    truth: answer.clone(),
                    answer,
                    second: None,
                });
            }
            let fails = is_wrong || doubtful || WITHHELD.contains(&topic) || draws.below(3) == 0;
            let reply = match (fails, is_wrong || doubtful) {
                (true, true) => year + 7,
                (true, false) => year + 1 + draws.below(40),
                (false, _) => year,
            };
            items.push(Held {
                topic,
                question: format!("When did {bridge} open?"),
                truth: year.to_string(),
                reply: reply.to_string(),
                planted: match planted(topic) {
                    _ if doubtful => "contradicted_by_real_data",
                    // Its bridges have as many rows as others.
                    "thinly_covered" => "not_learned",
                    other => other,
                },
            });
        }
    }
    (rows, items)
}

/// A folder with a dataset, seeds and the result of an evaluation on it.
struct Desk {
    folder: tempfile::TempDir,
    /// What each failing item is expected to be diagnosed as.
    failing: BTreeMap<String, &'static str>,
    /// Ids of synthetic rows that are wrong, and of those that are right.
    wrong: BTreeSet<String>,
    right: BTreeSet<String>,
}

impl Desk {
    fn new((rows, items): (Vec<Made>, Vec<Held>), validator: &Value, split: &str) -> Self {
        let mut desk = Self {
            folder: tempfile::tempdir().unwrap(),
            failing: BTreeMap::new(),
            wrong: BTreeSet::new(),
            right: BTreeSet::new(),
        };
        desk.dataset(&rows, validator);
        desk.result(&items, split);
        desk
    }

    fn of_medicine(split: &str) -> Self {
        Self::new(medicine(0x9e37_79b9_7f4a_7c15), &labels(), split)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn dataset(&mut self, rows: &[Made], validator: &Value) {
        let target = self.path("out/7f3a01c2d3e4/dataset");
        std::fs::create_dir_all(target.parent().unwrap()).unwrap();
        let mut writer = Writer::create(&target, Options::default()).unwrap();
        let mut seeds = String::new();
        for (number, row) in rows.iter().enumerate() {
            let id = format!("{number:08}");
            match (row.second, row.answer == row.truth) {
                (None, _) => {
                    let seed =
                        json!({"question": row.question, "answer": row.truth, "concept": TOPICS[row.topic]});
                    seeds.push_str(&format!("{seed}\n"));
                }
                (Some(_), true) => drop(self.right.insert(id.clone())),
                (Some(_), false) => drop(self.wrong.insert(id.clone())),
            }
            writer.push(Split::Train, stored(&id, row)).unwrap();
        }
        std::fs::write(self.path("seeds.jsonl"), seeds).unwrap();
        let manifest = manifest(self.right.len() + self.wrong.len(), validator);
        let mut written = writer.finish().unwrap();
        written
            .add("manifest.json", manifest.to_string().as_bytes())
            .unwrap();
        written.publish().unwrap();
    }

    fn result(&mut self, held: &[Held], split: &str) {
        let folder = self.path("eval/result");
        std::fs::create_dir_all(&folder).unwrap();
        let (mut items, mut answers) = (String::new(), String::new());
        for (number, held) in held.iter().enumerate() {
            let item = format!("{:032x}", 1_000_003 * (number + 1));
            let fails = held.reply != held.truth;
            if fails {
                self.failing.insert(item.clone(), held.planted);
            }
            let line = json!({"item": item, "question": held.question, "references": [held.truth],
                "answer": held.truth, "concepts": [TOPICS[held.topic]], "place": format!("seeds.jsonl:{number}")});
            items.push_str(&format!("{line}\n"));
            for format in ["plain", "instructed"] {
                let grade = if fails {
                    ("incorrect", 0.0)
                } else {
                    ("correct", 1.0)
                };
                let line = json!({"model": "student", "item": item, "format": format, "reply": held.reply,
                    "grade": {"result": grade.0, "score": grade.1}, "form": {"kept": true, "words": 1},
                    "cost_usd_micros": 0});
                answers.push_str(&format!("{line}\n"));
            }
        }
        let model = |name: &str, role: &str| json!({"model": name, "role": role, "scorecard": null, "slices": {}, "failed": 0, "cut": 0});
        let evaluation = json!({"format": 1, "run": "5ad72c53c314", "gristmill": "0.1.0", "of": "eval.yaml",
            "split": split, "questions_hash": "00", "questions": held.len(), "formats": ["plain", "instructed"],
            "graded_by": "validator", "models": [model("student", "student"), model("teacher", "teacher")],
            "comparisons": [], "end": "done", "limit": {"usd_micros": 1_000_000, "calls": null}, "spend": []});
        for (name, text) in [
            ("evaluation.json", evaluation.to_string()),
            ("items.jsonl", items),
            ("answers.jsonl", answers),
        ] {
            std::fs::write(folder.join(name), text).unwrap();
        }
    }

    /// Verdicts of all failing items, right ones and all by what was planted.
    fn verdicts(&self, all: &Value, found: &mut BTreeMap<&'static str, (usize, usize)>) {
        let items = all["items"].as_array().unwrap();
        assert_eq!(items.len(), self.failing.len());
        for item in items {
            let planted = self.failing[item["item"].as_str().unwrap()];
            let (right, of) = found.entry(planted).or_default();
            *of += 1;
            *right += usize::from(item["verdict"] == planted);
        }
    }

    /// Wrong rows that are listed, and right ones.
    fn listed(&self) -> (usize, usize) {
        let listed = self.quarantined();
        let (wrong, right) = (
            listed.intersection(&self.wrong).count(),
            listed.intersection(&self.right).count(),
        );
        assert_eq!(listed.len(), wrong + right, "only synthetic rows");
        (wrong, right)
    }

    fn gristmill(&self, args: &[&str]) -> Output {
        let mut command = Command::new(program().unwrap());
        command
            .current_dir(self.folder.path())
            .args(["--progress", "none"]);
        command.args(args).env("CI", "1").output().unwrap()
    }

    fn json(&self, args: &[&str]) -> Value {
        let output = self.gristmill(&[&["--output", "json"], args].concat());
        assert!(output.status.success(), "{args:?}: {}", said(&output));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn quarantined(&self) -> BTreeSet<String> {
        let text = std::fs::read_to_string(self.path("mend/quarantine.jsonl")).unwrap();
        let rows = text
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap());
        rows.map(|row| {
            assert_eq!(row["cause"], "teacher=t@2026-02", "{row}");
            row["id"].as_str().unwrap().to_owned()
        })
        .collect()
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn labels() -> Value {
    json!({"kind": "label", "labels": ["yes", "no"]})
}

fn stored(id: &str, row: &Made) -> DatasetRow {
    let synthetic = |text: &str| row.second.is_some().then(|| text.to_owned());
    DatasetRow {
        id: id.to_owned(),
        messages: vec![
            Turn::new(Speaker::User, &row.question),
            Turn::new(Speaker::Assistant, &row.answer),
        ],
        tools: Vec::new(),
        rejected: None,
        reasoning: None,
        provenance: Provenance {
            origin: if row.second.is_some() {
                Origin::Synthetic
            } else {
                Origin::Human
            },
            source_place: Some(format!("seeds.jsonl: {id}")),
            strategy: synthetic("new_question"),
            prompt_versions: synthetic("new_question 3").into_iter().collect(),
            teacher: synthetic("t"),
            teacher_version: row
                .second
                .map(|second| if second { "2026-02" } else { "2026-01" }.to_owned()),
            concepts: vec![TOPICS[row.topic].to_owned()],
            depth: u8::from(row.second.is_some()),
            ..Provenance::default()
        },
    }
}

/// The manifest of a run that an earlier version made, for another job.
fn manifest(rows: usize, validator: &Value) -> Value {
    let stored = tiny_model::stored_run().join("dataset/manifest.json");
    let mut manifest: Value = serde_json::from_slice(&std::fs::read(stored).unwrap()).unwrap();
    manifest["rows"]["train_synthetic"] = rows.into();
    let job = &mut manifest["job"];
    job["seeds"]["fields"] = json!({"question": "question", "answer": "answer", "concept": "concept"});
    job["filter"]["validator"] = validator.clone();
    job["concepts"]["list"] = TOPICS.iter().map(|name| json!({"name": name})).collect();
    manifest
}

/// What a run of `trace --all` and of `mend` on planted faults must show, over several draws.
fn hold(found: &BTreeMap<&'static str, (usize, usize)>, wrong: (usize, usize), right: (usize, usize)) {
    println!("verdicts found, by what was planted: {found:?}");
    println!("quarantine: {wrong:?} wrong rows, {right:?} right ones");
    for (planted, (right, of)) in found {
        assert!(10 * right >= 9 * of, "{planted}: {right} of {of}");
    }
    assert!(10 * wrong.0 >= 9 * wrong.1 && 20 * right.0 <= right.1);
}

const TRACE_ALL: [&str; 7] = [
    "trace",
    "--eval",
    "eval",
    "--all",
    "--embed",
    "words",
    "--dataset=out/7f3a01c2d3e4",
];

#[test]
fn planted_faults_are_found() {
    for (subject, validator) in [
        (medicine as fn(u64) -> (Vec<Made>, Vec<Held>), labels()),
        (bridges, json!({"kind": "number"})),
    ] {
        let (mut found, mut wrong, mut right) = (BTreeMap::new(), (0, 0), (0, 0));
        for seed in 1..=5_u64 {
            let desk = Desk::new(
                subject(0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(seed)),
                &validator,
                "validation",
            );
            let all = desk.json(&TRACE_ALL);
            desk.verdicts(&all, &mut found);
            let causes = all["causes"].as_array().unwrap();
            assert_eq!(causes.len(), 1, "{causes:?}");
            assert_eq!(
                causes[0]["cause"],
                json!({"kind": "teacher", "name": "t@2026-02"})
            );
            desk.json(&[
                "mend",
                "eval",
                "--embed",
                "words",
                "--dataset",
                "out/7f3a01c2d3e4",
                "--budget",
                "1usd",
            ]);
            let listed = desk.listed();
            wrong = (wrong.0 + listed.0, wrong.1 + desk.wrong.len());
            right = (right.0 + listed.1, right.1 + desk.right.len());
        }
        hold(&found, wrong, right);
    }
}

#[test]
fn mending_fills_the_gaps_and_takes_out_what_is_wrong() {
    let desk = Desk::of_medicine("validation");
    let mended = desk.json(&[
        "mend",
        "eval/result",
        "--embed",
        "words",
        "--dataset",
        "out/7f3a01c2d3e4/dataset",
    ]);
    let listed = desk.quarantined();
    // The job aims at what is missing and at nothing else, and can be planned.
    let mut aimed: Vec<&str> = mended["gaps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|gap| gap["concept"].as_str().unwrap())
        .collect();
    aimed.sort_unstable();
    let mut planted: Vec<&str> = TOPICS[..=WRONG].to_vec();
    planted.sort_unstable();
    assert_eq!(aimed, planted);
    let job = std::fs::read_to_string(desk.path("mend/job.yaml")).unwrap();
    let plan = desk.gristmill(&["plan", "mend/job.yaml"]);
    assert!(plan.status.success(), "{}\n{job}", said(&plan));
    // Rows that stay are not made again; what is taken out may be asked anew.
    for told in ["../out/7f3a01c2d3e4/dataset", "- quarantine.jsonl"] {
        assert!(job.contains(told), "{told}: {job}");
    }
    let planned = String::from_utf8_lossy(&plan.stdout);
    assert!(planned.contains("rows that new ones may not repeat"), "{planned}");
    // Nothing of a held-out row is in it.
    let items = std::fs::read_to_string(desk.path("eval/result/items.jsonl")).unwrap();
    for line in items.lines() {
        let item: Value = serde_json::from_str(line).unwrap();
        assert!(
            !job.contains(item["question"].as_str().unwrap())
                && !job.contains(item["item"].as_str().unwrap())
        );
    }
    // What rows cost is what they did cost, and a quarter more.
    let estimate = &mended["estimate"];
    let rows = mended["rows"].as_f64().unwrap();
    let each = 0.071_017 / (desk.right.len() + desk.wrong.len()) as f64;
    assert!(
        (estimate["usd"].as_f64().unwrap() - 1.25 * each * rows).abs() <= 0.01,
        "{estimate}"
    );
    let page = std::fs::read_to_string(desk.path("mend/README.md")).unwrap();
    for told in [
        "gristmill run mend/job.yaml",
        "gristmill generation quarantine LINEAGE --rows mend/quarantine.jsonl",
        "`teacher=t@2026-02`",
        "| glaucoma |",
        "Covered and not learned",
    ] {
        assert!(page.contains(told), "{told}: {page}");
    }
    // All of its rows, for whoever trusts none of them.
    desk.json(&[
        "mend",
        "eval",
        "--embed",
        "words",
        "--whole",
        "--budget",
        "3usd",
        "--dataset",
        "out/7f3a01c2d3e4",
    ]);
    let whole = desk.quarantined();
    assert!(whole.is_superset(&listed) && whole.len() > 2 * listed.len());
    let job = std::fs::read_to_string(desk.path("mend/job.yaml")).unwrap();
    assert!(job.contains("usd: 3.0") && !job.contains("calls:"), "{job}");
}

#[test]
fn a_generation_is_mended_with_the_job_that_it_holds() {
    let desk = Desk::of_medicine("validation");
    let generation = desk.path("lineage/generations/2");
    std::fs::create_dir_all(generation.parent().unwrap()).unwrap();
    std::fs::rename(desk.path("out/7f3a01c2d3e4/dataset"), &generation).unwrap();
    let file = generation.join("manifest.json");
    let of_run: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    let held = json!({"format": 1, "generation": 2, "rows": of_run["rows"], "job": of_run["job"]});
    std::fs::write(&file, held.to_string()).unwrap();
    let dataset = ["--embed", "words", "--dataset", "lineage/generations/2"];
    let args = [&["mend", "eval"], &dataset[..]].concat();
    // What its rows cost is not known.
    let output = desk.gristmill(&args);
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    assert!(said(&output).contains("--budget 2usd"), "{}", said(&output));
    let mended = desk.json(&[&args[..], &["--budget", "1usd"]].concat());
    assert!(
        mended["estimate"].is_null() && mended["gaps_left"] == 0,
        "{mended}"
    );
    assert_eq!(mended["gaps"].as_array().unwrap().len(), WRONG + 1);
    assert!(desk.path("mend/job.yaml").is_file());
    assert!(!desk.quarantined().is_empty());
}

#[test]
fn no_more_rows_are_asked_for_than_a_lineage_has_room_for() {
    let desk = Desk::of_medicine("validation");
    let dataset = "out/7f3a01c2d3e4/dataset";
    let manifest = desk.path(dataset).join("manifest.json");
    let of_run: Value = serde_json::from_slice(&std::fs::read(&manifest).unwrap()).unwrap();
    std::fs::remove_file(manifest).unwrap();
    let add = |lineage: &str, share: &str| {
        let args = ["generation", "add", lineage, dataset, "--embed", "off"];
        desk.json(&[&args[..], &["--max-synthetic-share", share]].concat())
    };
    let all = add("wide", "0.95");
    let (real, synthetic) = (
        all["anchor"]["with_repeats"].as_f64().unwrap(),
        all["synthetic"]["rows"].as_f64().unwrap(),
    );
    let share = (synthetic + 20.5) / (synthetic + 20.5 + real);
    let room = add("narrow", &share.to_string())["ceiling"]["room"]
        .as_u64()
        .unwrap();
    assert_eq!(room, 20);
    let mend = |lineage: &str| {
        let dataset = format!("{lineage}/generations/1");
        let held = json!({"format": 1, "generation": 1, "rows": of_run["rows"], "job": of_run["job"]});
        std::fs::write(desk.path(&dataset).join("manifest.json"), held.to_string()).unwrap();
        let args = ["mend", "eval", "--embed", "words", "--budget", "1usd"];
        let mended = desk.json(&[&args[..], &["--dataset", &dataset]].concat());
        let file = |name: &str| std::fs::read_to_string(desk.path("mend").join(name)).unwrap();
        (mended, file("job.yaml"), file("README.md"))
    };
    let (wide, job, page) = mend("wide");
    let wanted = wide["rows"].as_u64().unwrap();
    assert!(
        !job.contains("  rows:") && page.contains("The rows to make fit in."),
        "{job} {page}"
    );
    let (narrow, job, page) = mend("narrow");
    // Rows that are taken out make room for others.
    let room = room + narrow["quarantined"].as_u64().unwrap();
    assert!(room < wanted, "{room} {wanted}");
    assert_eq!((&narrow["rows"], &narrow["room"]), (&json!(room), &json!(room)));
    assert!(job.contains(&format!("rows: {room}\n")), "{job}");
    let told = format!(
        "The lineage has room for {room} more synthetic rows under its ceiling, once those of `quarantine.jsonl` are taken out."
    );
    assert!(
        page.contains(&told) && page.contains("The rows to make are cut to that"),
        "{page}"
    );
}

#[test]
fn one_item_is_shown_with_the_rows_around_it() {
    let desk = Desk::of_medicine("test");
    let wrong = |verdict: &str| {
        let of = desk.failing.iter().find(|(_, planted)| **planted == verdict);
        of.unwrap().0.clone()
    };
    let trace = |item: &str, more: &[&str]| {
        let dataset = ["--embed", "words", "--dataset", "out/7f3a01c2d3e4"];
        desk.gristmill(&[&["trace", "--eval", "eval", item], &dataset[..], more].concat())
    };
    let item = wrong("covered_wrongly");
    let shown = trace(&item, &["-k", "4"]);
    let text = String::from_utf8(shown.stdout).unwrap();
    for told in [
        "covered wrongly",
        "7 real training rows, 30 synthetic",
        "disagrees with the reference",
        "teacher t@2026-02",
        "prompts new_question 3",
        "nearest real rows",
    ] {
        assert!(text.contains(told), "{told}: {text}");
    }
    let shown = trace(&item, &["-k", "4", "--output", "json"]);
    let value: Value = serde_json::from_slice(&shown.stdout).unwrap();
    assert_eq!(value["synthetic"].as_array().unwrap().len(), 4);
    assert_eq!(value["synthetic"][0]["provenance"]["teacher"], "t", "{value}");
    // Errors name what there is, and the way out.
    for (args, told) in [
        (
            &["mend", "eval", "--dataset", "out/7f3a01c2d3e4"][..],
            "evaluate on validation rows first",
        ),
        (
            &["trace", "--eval", "eval", "ff", "--dataset", "out/7f3a01c2d3e4"],
            "has no item `ff`",
        ),
        (
            &["trace", "--eval", "eval", "0", "--dataset", "out/7f3a01c2d3e4"],
            "200 items begin with `0`",
        ),
        (
            &["trace", "--eval", "eval", "--all", "--model", "studnt"],
            "`student` is like it",
        ),
        (
            &["trace", "--eval", "eval", "--all", "--dataset", "eval"],
            "holds no dataset",
        ),
        (&["trace", "--eval", "eval", "--all"], "`--dataset`"),
        (&["trace", "--eval", "out", "--all"], "holds no result"),
    ] {
        let output = desk.gristmill(args);
        assert_eq!(output.status.code(), Some(3), "{args:?}: {}", said(&output));
        assert!(said(&output).contains(told), "{told}: {}", said(&output));
    }
    let right = std::fs::read_to_string(desk.path("eval/result/items.jsonl")).unwrap();
    let right = right
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    let mut right = right.map(|item| item["item"].as_str().unwrap().to_owned());
    let right = right.find(|item| !desk.failing.contains_key(item)).unwrap();
    let output = trace(&right, &[]);
    assert!(
        said(&output).contains("there is nothing to explain"),
        "{}",
        said(&output)
    );
}
