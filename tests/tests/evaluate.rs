//! Evaluations: real runs that ask held-out questions, what they write, and the gate that reads it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking, and says what it saw"
)]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use gristmill_tests::browser::Browser;
use gristmill_tests::cluster::{Cluster, LONG, balanced};
use gristmill_tests::desk::{BY_NUMBER, Desk, FORMATS, QUESTIONS};
use gristmill_tests::harness::Bench;
use gristmill_tests::sim::{Config, Faults};
use gristmill_tests::tiny_model;
use gristmill_tests::ui::Ui;
use serde_json::Value;

fn lines(path: &std::path::Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Answers of a result by model, item and format, without what a call cost.
fn answers(result: &std::path::Path) -> BTreeMap<[String; 3], Value> {
    let key =
        |answer: &Value| ["model", "item", "format"].map(|name| answer[name].as_str().unwrap().to_owned());
    lines(&result.join("answers.jsonl"))
        .into_iter()
        .map(|answer| (key(&answer), answer["grade"].clone()))
        .collect()
}

/// Micro-dollars that all models of an evaluation cost.
fn spent(told: &Value) -> u64 {
    let models = told["spend"].as_array().unwrap().iter();
    models.map(|spend| spend["usd_micros"].as_u64().unwrap()).sum()
}

#[test]
fn every_question_is_asked_once_and_every_figure_follows_from_the_answers() {
    let desk = Desk::new(0.5, Faults::default());
    desk.job("eval.yaml", BY_NUMBER);
    let told = desk.run("eval.yaml");
    assert_eq!(desk.billed(), 2 * FORMATS * QUESTIONS, "the services' own books");
    let result = desk.result(&told);
    let answers = answers(&result);
    assert_eq!(answers.len() as u64, 2 * FORMATS * QUESTIONS);
    assert_eq!(lines(&result.join("items.jsonl")).len() as u64, QUESTIONS);
    for (place, model) in ["weak", "strong"].into_iter().enumerate() {
        let figures = &told["models"][place];
        let grades = answers.iter().filter(|(key, _)| key[0] == model);
        let right = grades.filter(|(_, grade)| grade["result"] == "correct").count() as u64;
        assert_eq!(figures["model"], model);
        assert_eq!(figures["scorecard"]["accuracy"]["count"], right, "{figures}");
        let interval = &figures["scorecard"]["accuracy"]["interval"];
        let value = figures["scorecard"]["accuracy"]["value"].as_f64().unwrap();
        let (low, high) = (
            interval["low"].as_f64().unwrap(),
            interval["high"].as_f64().unwrap(),
        );
        assert!(low < value && value < high && high - low > 0.02, "{figures}");
    }
    let comparison = &told["comparisons"][0];
    assert_eq!(
        (&comparison["before"], &comparison["after"]),
        (&"strong".into(), &"weak".into())
    );
    assert!(
        comparison["overall"]["change"].as_f64().unwrap() < -0.2,
        "{comparison}"
    );
    assert!(
        comparison["overall"]["p_value"].as_f64().unwrap() < 0.001,
        "{comparison}"
    );
    // The money of the services, of the ledger and of the answers is one sum.
    let of_answers: u64 = lines(&result.join("answers.jsonl"))
        .iter()
        .map(|answer| answer["cost_usd_micros"].as_u64().unwrap())
        .sum();
    assert_eq!(spent(&told), of_answers);
    // Started again, it is told and asks nothing.
    assert_eq!(desk.run("eval.yaml"), told);
    assert_eq!(desk.billed(), 2 * FORMATS * QUESTIONS);
}

#[test]
fn an_evaluation_that_was_killed_goes_on_and_comes_to_the_same() {
    let slow = Faults {
        latency_ms_mean: 20.0,
        ..Faults::default()
    };
    let desk = Desk::new(0.5, slow);
    desk.job("eval.yaml", BY_NUMBER);
    let mut child = desk.student.start_job("eval.yaml").unwrap();
    let began = Instant::now();
    while desk.student.sim.bill().total.calls < 60 {
        assert!(began.elapsed() < Duration::from_secs(60), "it asks nothing");
        assert!(child.try_wait().unwrap().is_none(), "it has ended");
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let told = desk.run("eval.yaml");
    let asked_again = desk.billed() - 2 * FORMATS * QUESTIONS;
    assert!(
        asked_again <= 16,
        "{asked_again} calls were asked again, and 16 were open at most"
    );
    let unbroken = Desk::new(0.5, Faults::default());
    unbroken.job("eval.yaml", BY_NUMBER);
    let other = unbroken.run("eval.yaml");
    assert_eq!(answers(&desk.result(&told)), answers(&unbroken.result(&other)));
    assert_eq!(told["comparisons"], other["comparisons"]);
}

#[test]
fn a_judge_grades_where_nothing_else_can_and_its_errors_are_carried() {
    let desk = Desk::new(0.5, Faults::default());
    let judge = format!(
        "judge: {{base_url: {}, model: strong, price: {{input: 0.5, output: 1.5}}}}\nbudget: {{calls: 2000}}",
        desk.teacher.url()
    );
    desk.job("eval.yaml", &judge);
    let told = desk.run("eval.yaml");
    assert_eq!(told["graded_by"], "judge");
    let quality = &told["judge"];
    let of = |part: &str, all: &str| quality[part].as_f64().unwrap() / quality[all].as_f64().unwrap();
    // What the simulated judge is set to: 0.85 and 0.8.
    assert!(
        (of("right_called_right", "right") - 0.85).abs() < 0.15,
        "{quality}"
    );
    assert!(
        (of("wrong_called_wrong", "wrong") - 0.8).abs() < 0.16,
        "{quality}"
    );
    // Of the student: the teacher's ends at 100 %.
    let student = &told["models"][0];
    let width = |interval: &Value| interval["high"].as_f64().unwrap() - interval["low"].as_f64().unwrap();
    let (seen, corrected) = (&student["scorecard"]["accuracy"], &student["corrected"]);
    assert!(
        width(&corrected["interval"]) > 1.2 * width(&seen["interval"]),
        "{student}"
    );
    let first = &lines(&desk.result(&told).join("answers.jsonl"))[0];
    assert!(
        !first["detail"].as_str().unwrap().is_empty(),
        "the judge's reason: {first}"
    );
}

#[test]
fn a_gate_passes_fails_or_says_that_it_does_not_know() {
    let desk = Desk::new(0.9, Faults::default());
    desk.job("good.yaml", BY_NUMBER);
    let good = desk.run("good.yaml");
    let worse = Desk::new(0.3, Faults::default());
    worse.job("worse.yaml", BY_NUMBER);
    let bad = worse.run("worse.yaml");
    let [good, bad] = [desk.result(&good), worse.result(&bad)].map(|path| path.display().to_string());
    let alone = ["--set", "anchor_kept=false", "--set", "no_leaks=false"];
    let gate = |result: &str, more: &[&str]| {
        let args = [&["gate", result, "--output", "json"], more, &alone[..]].concat();
        let (code, told, why) = desk.said(&args);
        let told: Value = serde_json::from_str(&told).unwrap_or_else(|_| panic!("{why}"));
        (code, told["told"].as_str().unwrap().to_owned())
    };
    // Far better than before.
    let wide = [
        "--before",
        &bad,
        "--set",
        "no_collapse=false",
        "--set",
        "min_accuracy=0.6",
    ];
    let (code, told) = gate(&good, &wide);
    assert_eq!(code, Some(0), "{told}");
    assert!(told.starts_with("The student passes"), "{told}");
    // Far worse.
    let (code, told) = gate(&bad, &["--before", &good]);
    assert_eq!(code, Some(7), "{told}");
    assert!(
        told.contains("Knowledge is lost") && told.contains("accuracy changed by −"),
        "{told}"
    );
    // The same student: too little is known to show that nothing was lost.
    let (code, told) = gate(&good, &["--before", &good]);
    assert_eq!(code, Some(8), "{told}");
    assert!(told.contains("items in all would decide"), "{told}");
    // Nothing to be held against.
    let (code, told) = gate(&good, &[]);
    assert_eq!(code, Some(8), "{told}");
    assert!(told.contains("not compared with the model before it"), "{told}");
    // Nor is a model that was evaluated alone held against itself.
    let text = std::fs::read_to_string(desk.student.folder.path().join("good.yaml")).unwrap();
    let alone = text.lines().filter(|line| !line.contains("role: teacher"));
    let alone = alone.collect::<Vec<_>>().join("\n");
    desk.student
        .write("alone.yaml", &alone.replace("role: student", "role: base"))
        .unwrap();
    let base = desk.result(&desk.run("alone.yaml")).display().to_string();
    let (code, told) = gate(&base, &["--set", "no_collapse=false"]);
    assert_eq!(code, Some(8), "{told}");
    assert!(told.contains("not compared with the model before it"), "{told}");
    // Parts that cannot be looked at are not passed over.
    let (_, told) = gate(&good, &["--before", &bad, "--set", "slices=[format,known]"]);
    assert!(
        told.contains("by `known` were not compared: the student's evaluation did not ask its base"),
        "{told}"
    );
    let (code, _, why) = desk.said(&["gate", &good, "--set", "slices=[teir]"]);
    assert_eq!(code, Some(3), "{why}");
    assert!(
        why.contains("no parts by `teir`") && why.contains("did you mean `tier`?"),
        "{why}"
    );
    // A question without an answer may be one that the student cannot answer.
    let file = std::path::Path::new(&good).join("answers.jsonl");
    let answers = std::fs::read_to_string(&file).unwrap();
    let of_student = answers
        .split_inclusive('\n')
        .find(|line| line.contains(r#""model":"weak""#));
    std::fs::write(&file, answers.replacen(of_student.unwrap(), "", 1)).unwrap();
    let (code, told) = gate(&good, &wide);
    assert_eq!(code, Some(8), "{told}");
    assert!(told.contains("1 question is without an answer"), "{told}");
}

#[test]
fn what_cannot_be_evaluated_is_told_before_anything_is_asked() {
    let desk = Desk::new(0.5, Faults::default());
    let refused = |name: &str, more: &str, set: &[&str], told: &[&str]| {
        desk.job(name, more);
        let set: Vec<&str> = set.iter().flat_map(|set| ["--set", *set]).collect();
        let args = [&["run", name, "--progress", "none"], &set[..]].concat();
        let (code, _, why) = desk.said(&args);
        assert!(code.is_some_and(|code| code != 0), "{name}: {why}");
        for part in told {
            assert!(why.contains(part), "{name}: {why}");
        }
    };
    refused(
        "budget.yaml",
        BY_NUMBER,
        &["budget.calls=100"],
        &["takes up to 360 calls", "evaluate.questions"],
    );
    refused(
        "format.yaml",
        BY_NUMBER,
        &["evaluate.formats=[plain, labeled]"],
        &["labeled", "did you mean `labelled`?"],
    );
    refused(
        "teacher.yaml",
        &format!(
            "teacher: {{base_url: {}, model: other, price: {{input: 1, output: 1}}}}\n{BY_NUMBER}",
            desk.teacher.url()
        ),
        &[],
        &["an evaluation makes no rows", "role: teacher"],
    );
    refused(
        "judge.yaml",
        "budget: {calls: 400}",
        &["evaluate.grade=judge"],
        &["a judge is to grade, and the job has none"],
    );
    refused(
        "validator.yaml",
        "budget: {calls: 400}",
        &["evaluate.grade=validator"],
        &["compares nothing with a reference"],
    );
    assert_eq!(desk.billed(), 0);
    let (code, _, why) = desk.said(&["gate", "nowhere"]);
    assert_eq!(code, Some(3), "{why}");
    assert!(why.contains("nowhere holds no result of an evaluation"), "{why}");
    desk.student.write("gate.yaml", "min_accuracy: 80\n").unwrap();
    let (code, _, why) = desk.said(&["gate", "nowhere", "--policy", "gate.yaml"]);
    assert_eq!(code, Some(3), "{why}");
    assert!(
        why.contains("gate.yaml:1") && why.contains("0.8 for 80 %"),
        "{why}"
    );
}

#[test]
fn a_cluster_evaluates_as_one_machine_does() {
    let desk = Desk::new(0.5, Faults::default());
    desk.job("eval.yaml", BY_NUMBER);
    let told = desk.run("eval.yaml");
    let asked_alone = desk.billed();
    let mut cluster = Cluster::start().unwrap();
    cluster.coordinator(&[]).unwrap();
    cluster.worker(&[]).unwrap();
    let run = cluster
        .submit(&desk.student.folder.path().join("eval.yaml"))
        .unwrap();
    let status = cluster.finished(&run, LONG).unwrap();
    balanced(&status, desk.billed() - asked_alone, 400).unwrap();
    let result = cluster.store().join(&run).join("result");
    assert_eq!(answers(&result), answers(&desk.result(&told)));
}

/// A tiny base in `base`, and a student of it in `student`, trained on the dataset of a stored run.
fn with_student(steps: &str) -> (Bench, String) {
    let bench = Bench::new(Config::default()).unwrap();
    tiny_model::write(&bench.folder.path().join("base")).unwrap();
    tiny_model::train(&bench, "student", &[steps]).unwrap();
    let dataset = tiny_model::stored_run().display().to_string();
    (bench, dataset)
}

fn json_of(bench: &Bench, args: &[&str]) -> Value {
    bench.json(&[args, &["--progress", "none"]].concat()).unwrap()
}

#[test]
fn a_student_and_its_base_answer_the_test_rows_of_the_run_that_it_was_trained_on() {
    let (bench, dataset) = with_student("max_steps=2");
    let ask = [
        "eval",
        &dataset,
        "--student",
        "student",
        "--max-tokens",
        "6",
        "--formats",
        "plain,labelled",
    ];
    let told = json_of(&bench, &ask);
    let names: Vec<&str> = told["models"]
        .as_array()
        .unwrap()
        .iter()
        .map(|model| model["model"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["base+student", "base"]);
    assert_eq!(told["split"], "test");
    let questions = told["questions"].as_u64().unwrap();
    for model in told["models"].as_array().unwrap() {
        assert_eq!(model["scorecard"]["answers"], 2 * questions, "{model}");
        assert_eq!(model["weights"].as_str().unwrap().len(), 64, "{model}");
        assert_eq!(model["failed"], 0);
    }
    assert_ne!(told["models"][0]["weights"], told["models"][1]["weights"]);
    assert_eq!(told["comparisons"][0]["role"], "base");
    // The run knows the references of its rows, which its dataset does not.
    let result = bench.folder.path().join(told["result"].as_str().unwrap());
    assert!(
        lines(&result.join("items.jsonl"))
            .iter()
            .all(|item| !item["references"][0].as_str().unwrap().is_empty())
    );
    // The same again asks nothing; other weights are another evaluation.
    assert_eq!(json_of(&bench, &ask), told);
    std::fs::remove_dir_all(bench.folder.path().join("student")).unwrap();
    let set = [
        "batch_rows=4",
        "validation.rows=1",
        "max_tokens=4096",
        "learning_rate=0.01",
        "max_steps=1",
    ];
    let set = set.iter().flat_map(|setting| ["--set", *setting]);
    let train: Vec<&str> = ["train", &dataset, "--base", "base", "--out", "student"]
        .into_iter()
        .chain(set)
        .collect();
    assert!(bench.gristmill(&train).unwrap().status.success());
    assert_ne!(json_of(&bench, &ask)["run"], told["run"]);
}

#[test]
fn who_cannot_be_evaluated_is_told_how() {
    let bench = Bench::new(Config::default()).unwrap();
    let dataset = tiny_model::stored_run();
    let dataset = dataset.to_str().unwrap();
    for (args, told) in [
        (vec!["eval", "nowhere", "--student", "x"], "nowhere is no dataset"),
        (vec!["eval", dataset], "nobody is named to answer"),
        (
            vec!["eval", dataset, "--student", "http://127.0.0.1:9/v1"],
            "name one with `--model`",
        ),
        (
            vec![
                "eval",
                dataset,
                "--student",
                "http://127.0.0.1:9/v1",
                "--model",
                "m",
                "--price",
                "1,1",
            ],
            "--budget 2usd",
        ),
        (
            vec!["eval", dataset, "--student", "./missing.gguf"],
            "missing.gguf",
        ),
    ] {
        let output = bench.gristmill(&args).unwrap();
        let why = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "{args:?}: {why}");
        assert!(why.contains(told), "{args:?}: {why}");
    }
}

#[test]
fn an_ablation_trains_a_student_for_each_arm_and_does_nothing_twice() {
    let (bench, dataset) = with_student("max_steps=1");
    let plan = json_of(&bench, &["ablate", &dataset, "--base", "base", "--dry-run"]);
    let arms: Vec<&str> = plan["arms"]
        .as_array()
        .unwrap()
        .iter()
        .map(|arm| arm["arm"].as_str().unwrap_or("other"))
        .collect();
    assert_eq!(
        arms[..5],
        ["base", "few_shot_base", "anchor", "unfiltered", "filtered"]
    );
    let [anchor, unfiltered, filtered] =
        [2, 3, 4].map(|arm| plan["arms"][arm]["synthetic"].as_u64().unwrap());
    assert!(anchor == 0 && filtered > 0 && unfiltered >= filtered, "{plan}");
    let ablate = [
        "ablate",
        &dataset,
        "--base",
        "base",
        "--arms",
        "base,anchor",
        "--shots",
        "2",
        "--trainings",
        "2",
        "--formats",
        "plain",
        "--max-tokens",
        "4",
        "--set",
        "max_steps=2",
        "--set",
        "batch_rows=4",
        "--set",
        "validation.rows=1",
        "--set",
        "max_tokens=4096",
    ];
    let told = json_of(&bench, &ablate);
    let results = told["arms"].as_array().unwrap();
    let arms: Vec<&str> = results
        .iter()
        .map(|result| result["arm"].as_str().unwrap())
        .collect();
    assert_eq!(
        arms,
        ["majority_class", "base", "few_shot_base", "anchor", "filtered"]
    );
    // The most frequent of the labels is right where it is the reference.
    let items = lines(&evaluation_of(&bench, "ablation/base").join("items.jsonl"));
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for item in &items {
        *counts.entry(item["references"][0].as_str().unwrap()).or_default() += 1;
    }
    assert_eq!(
        results[0]["students"][0]["accuracy"]["count"].as_u64(),
        counts.values().max().copied()
    );
    let figures = read_json(&evaluation_of(&bench, "ablation/few-shot-base").join("evaluation.json"));
    assert_eq!(figures["models"][0]["model"], "base 2-shot");
    for result in results {
        let students = result["students"].as_array().unwrap();
        let trained = ["anchor", "filtered"].map(|arm| arm.into());
        assert_eq!(
            students.len(),
            1 + usize::from(trained.contains(&result["arm"])),
            "{result}"
        );
        for student in students {
            assert!(student["accuracy"]["of"].as_u64().unwrap() > 0, "{result}");
        }
        assert_eq!(
            result["change"].is_null(),
            result["arm"] == "filtered",
            "{result}"
        );
    }
    let of_trainings = &results[3]["change"]["of_trainings"];
    assert!(of_trainings.as_f64().unwrap() >= 0.0, "{of_trainings}");
    let began = |arm: &str| {
        let file = bench
            .folder
            .path()
            .join("ablation")
            .join(arm)
            .join("student/events.jsonl");
        std::fs::metadata(file).unwrap().modified().unwrap()
    };
    let before = began("anchor");
    assert_eq!(json_of(&bench, &ablate), told);
    assert_eq!(began("anchor"), before, "nothing is trained twice");
    // What is there is not taken for a student of another training, or of another run.
    let other = [&ablate[..], &["--set", "max_steps=1"]].concat();
    let refused = bench.gristmill(&other).unwrap();
    let why = String::from_utf8_lossy(&refused.stderr);
    assert!(
        refused.status.code() == Some(3) && why.contains("anchor"),
        "{why}"
    );
    let file = bench.folder.path().join("ablation/anchor/dataset/manifest.json");
    let mut manifest: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    manifest["run"] = "0123456789ab".into();
    std::fs::write(&file, manifest.to_string()).unwrap();
    let refused = bench.gristmill(&ablate).unwrap();
    let why = String::from_utf8_lossy(&refused.stderr);
    assert!(
        refused.status.code() == Some(3)
            && why.contains("was made from run 0123456789ab")
            && why.contains("`--out`"),
        "{why}"
    );
    let output = bench
        .gristmill(&["ablate", &dataset, "--base", "base", "--arms", "jugde"])
        .unwrap();
    let why = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.code() == Some(3) && why.contains("no arm of this run is called `jugde`"),
        "{why}"
    );
}

#[test]
fn a_gate_looks_at_the_generation_that_a_student_was_trained_on() {
    let (bench, dataset) = with_student("max_steps=1");
    // Two of the stored run's real rows share half of their words with a test row.
    let looked_for = ["--embed", "off", "--coverage", "0.6"];
    json_of(
        &bench,
        &[&["generation", "add", "lineage", &dataset], &looked_for[..]].concat(),
    );
    let generation = "lineage/generations/1";
    tiny_model::train_on(&bench, generation, "taught", &["max_steps=1"]).unwrap();
    let result = |student: &str| {
        let ask = [
            "eval",
            generation,
            "--student",
            student,
            "--max-tokens",
            "4",
            "--formats",
            "plain,labelled",
        ];
        json_of(&bench, &ask)["result"].as_str().unwrap().to_owned()
    };
    let gate_of = |result: &str, more: &[&str]| {
        let args = [&["gate", result, "--output", "json"], &looked_for[..], more].concat();
        let output = bench.gristmill(&args).unwrap();
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        (
            output.status.code(),
            told,
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )
    };
    // The run's own dataset has the same rows, and is no generation.
    let (code, _, why) = gate_of(&result("student"), &["--lineage", "lineage"]);
    assert_eq!(code, Some(3), "{why}");
    assert!(why.contains("is no generation of lineage"), "{why}");
    let taught = result("taught");
    let gate = |more: &[&str]| gate_of(&taught, more);
    let (code, without, way_out) = gate(&[]);
    assert_eq!(code, Some(8));
    assert!(without.contains("not searched for its real rows"), "{without}");
    assert!(way_out.contains("help: `--lineage DIR`"), "{way_out}");
    let (code, with, why) = gate(&["--lineage", "lineage"]);
    assert_eq!(code, Some(8), "a model of random weights shows nothing: {with}");
    assert!(!why.contains("--lineage"), "{why}");
    assert!(
        with.contains("The training set holds all of its")
            && with.contains("No held-out item is in the training set")
            && with.contains("The training set is that of generation 1."),
        "{with}"
    );
    // The dashboard shows the student with its generation, and what its gate wanted and found.
    let ui = Ui::start(&bench, bench.folder.path());
    let page = Browser::open(&ui.address).get("/generations").body;
    for wanted in [
        "1 · base+taught",
        "Students minus their base",
        "The gate of 1 · base+taught",
        "not decided",
        "The training set holds all of its",
    ] {
        assert!(page.contains(wanted), "{wanted}: {page}");
    }
    assert!(
        !page.contains("base+student"),
        "the student of another dataset is none of this lineage's: {page}"
    );
    // A file of the generation that was changed is no training set that a gate may trust.
    let file = std::fs::read_dir(bench.folder.path().join(generation).join("data")).unwrap();
    let file = file
        .map(|file| file.unwrap().path())
        .find(|file| file.to_str().unwrap().contains("train-"))
        .unwrap();
    let mut bytes = std::fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    let (code, _, why) = gate(&["--lineage", "lineage"]);
    assert_eq!(code, Some(3), "{why}");
}

#[test]
fn an_evaluation_is_shown_as_what_it_is() {
    let desk = Desk::new(0.5, Faults::default());
    desk.job("eval.yaml", BY_NUMBER);
    let told = desk.run("eval.yaml");
    let folder = desk.result(&told).parent().unwrap().display().to_string();
    let (code, status, why) = desk.said(&["status", &folder]);
    assert_eq!(code, Some(0), "{why}");
    let right: u64 = [0, 1]
        .map(|model| {
            told["models"][model]["scorecard"]["accuracy"]["count"]
                .as_u64()
                .unwrap()
        })
        .iter()
        .sum();
    assert!(
        status.contains("finished") && status.contains(&format!("{right} right, 360 answered")),
        "{status}"
    );
    assert!(
        status.contains("result ") && !status.contains("dataset"),
        "{status}"
    );
    let (code, _, why) = desk.said(&["report", &folder]);
    assert_eq!(code, Some(3), "{why}");
    assert!(
        why.contains("is an evaluation") && why.contains("evaluation.html"),
        "{why}"
    );
    // The result is made again from what is stored.
    std::fs::remove_dir_all(desk.result(&told)).unwrap();
    let (code, again, why) = desk.said(&["assemble", &folder, "--output", "json"]);
    assert_eq!(code, Some(0), "{why}");
    let again: Value = serde_json::from_str(&again).unwrap();
    assert_eq!(
        (&again["models"], &again["comparisons"]),
        (&told["models"], &told["comparisons"])
    );
}

fn read_json(path: &std::path::Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// The result of the only evaluation of an arm.
fn evaluation_of(bench: &Bench, arm: &str) -> PathBuf {
    let folder = bench.folder.path().join(arm).join("evaluations");
    let mut runs = std::fs::read_dir(folder).unwrap();
    runs.next().unwrap().unwrap().path().join("result")
}

#[test]
fn an_evaluation_whose_budget_ran_out_resumes_with_a_larger_one() {
    let unbroken = Desk::new(0.5, Faults::default());
    let by_usd = |usd: f64| format!("filter: {{validator: {{kind: number}}}}\nbudget: {{usd: {usd}}}");
    unbroken.job("eval.yaml", &by_usd(5.0));
    let whole = unbroken.run("eval.yaml");
    let half = spent(&whole) as f64 / 2e6;
    let desk = Desk::new(0.5, Faults::default());
    desk.job("eval.yaml", &by_usd(half));
    let short = desk.run("eval.yaml");
    let failed = |told: &Value| -> u64 {
        [0, 1]
            .map(|model| told["models"][model]["failed"].as_u64().unwrap())
            .iter()
            .sum()
    };
    let asked = desk.billed();
    assert!(
        failed(&short) > 0 && (1..2 * FORMATS * QUESTIONS).contains(&asked),
        "{short}"
    );
    let early = answers(&desk.result(&short));
    assert_eq!(early.len() as u64, asked);
    // The same budget changes nothing.
    assert_eq!(desk.run("eval.yaml"), short);
    assert_eq!(desk.billed(), asked);
    // A little more answers a little more, and enough answers all of it; nothing is paid for twice.
    desk.job("eval.yaml", &by_usd(1.3 * half));
    let longer = desk.run("eval.yaml");
    assert_eq!(longer["run"], short["run"]);
    assert!(
        failed(&longer) > 0 && failed(&longer) < failed(&short),
        "{longer}"
    );
    desk.job("eval.yaml", &by_usd(5.0));
    let full = desk.run("eval.yaml");
    assert_eq!(failed(&full), 0, "{full}");
    assert_eq!(desk.billed(), 2 * FORMATS * QUESTIONS, "the services' own books");
    let late = answers(&desk.result(&full));
    assert_eq!(late, answers(&unbroken.result(&whole)));
    assert!(early.iter().all(|(key, grade)| late.get(key) == Some(grade)));
    assert_eq!(full["comparisons"], whole["comparisons"]);
    assert_eq!(full["end"], whole["end"]);
    // What is stored tells the same again.
    let folder = desk.result(&full).parent().unwrap().display().to_string();
    std::fs::remove_dir_all(desk.result(&full)).unwrap();
    let (code, again, why) = desk.said(&["assemble", &folder, "--output", "json"]);
    assert_eq!(code, Some(0), "{why}");
    let again: Value = serde_json::from_str(&again).unwrap();
    assert_eq!(again["models"], full["models"]);
}

#[test]
fn a_clusters_evaluation_goes_on_when_its_budget_is_raised() {
    let desk = Desk::new(0.5, Faults::default());
    desk.job(
        "eval.yaml",
        "filter: {validator: {kind: number}}\nbudget: {usd: 0.01}",
    );
    let mut cluster = Cluster::start().unwrap();
    cluster.coordinator(&[]).unwrap();
    cluster.worker(&[]).unwrap();
    let run = cluster
        .submit(&desk.student.folder.path().join("eval.yaml"))
        .unwrap();
    cluster.finished(&run, LONG).unwrap();
    let result = cluster.store().join(&run).join("result");
    let early = answers(&result);
    assert!(
        !early.is_empty() && (early.len() as u64) < 2 * FORMATS * QUESTIONS,
        "{} answers",
        early.len()
    );
    cluster.ask(&["budget", &run, "--raise", "5usd"]).unwrap();
    let all = |status: &Value| status["state"] == "finished" && status["limit"]["usd_micros"] == 5_000_000;
    cluster.wait(&run, LONG, all).unwrap();
    let late = answers(&result);
    assert_eq!(late.len() as u64, 2 * FORMATS * QUESTIONS);
    assert!(early.iter().all(|(key, grade)| late.get(key) == Some(grade)));
    assert_eq!(
        desk.billed(),
        2 * FORMATS * QUESTIONS,
        "nothing is paid for twice"
    );
}

#[test]
fn a_base_is_shown_training_rows_and_fluency_stands_beside_the_facts() {
    let (bench, dataset) = with_student("max_steps=2");
    let usual = [
        "--student",
        "student",
        "--max-tokens",
        "4",
        "--formats",
        "plain,json",
    ];
    let told = |dataset: &str| json_of(&bench, &[&["eval", dataset, "--shots", "3"], &usual[..]].concat());
    let result = told(&dataset);
    let folder = bench.folder.path().join(result["result"].as_str().unwrap());
    let models = result["models"].as_array().unwrap();
    let names: Vec<&str> = models
        .iter()
        .map(|model| model["model"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["base+student", "base", "base 3-shot"]);
    let shots: Vec<&str> = models[2]["shots"]
        .as_array()
        .unwrap()
        .iter()
        .map(|id| id.as_str().unwrap())
        .collect();
    let items = lines(&folder.join("items.jsonl"));
    let questions = result["questions"].as_u64().unwrap();
    assert_eq!((shots.len(), items.len() as u64), (3, questions));
    assert!(
        items
            .iter()
            .all(|item| !shots.contains(&item["item"].as_str().unwrap()))
    );
    assert!(models[1]["shots"].is_null());
    // What the base knows is what it knows without help, and the comparison with it, too.
    assert_eq!(result["comparisons"][0]["before"], "base");
    for model in models {
        let found = &model["perplexity"];
        let number = |name: &str| found[name].as_f64().unwrap();
        assert_eq!(found["texts"].as_u64(), Some(questions), "{model}");
        // A token of this model is a byte.
        assert_eq!(found["tokens"], found["bytes"]);
        assert!(
            (number("per_token").log2() - number("bits_per_byte")).abs() < 1e-9,
            "{found}"
        );
        // Weights that were drawn know nothing yet: about as many bits as a byte has.
        assert!((5.0..9.0).contains(&number("bits_per_byte")), "{found}");
        assert_eq!(model["scorecard"]["answers"].as_u64(), Some(2 * questions));
    }
    assert_eq!(
        models[1]["perplexity"], models[2]["perplexity"],
        "the same weights"
    );
    assert_ne!(models[0]["perplexity"], models[1]["perplexity"]);
    let page = std::fs::read_to_string(folder.join("evaluation.html")).unwrap();
    assert!(page.contains("Fluency") && page.contains("bits a byte"), "{page}");
    // A dataset alone has its real training rows.
    let alone = std::path::Path::new(&dataset)
        .join("dataset")
        .display()
        .to_string();
    let of_dataset = told(&alone);
    let shown = of_dataset["models"][2]["shots"].as_array().unwrap();
    assert_eq!(shown.len(), 3);
    // There are not as many as that.
    let many = [&["eval", &dataset, "--shots", "9999"], &usual[..]].concat();
    let output = bench.gristmill(&many).unwrap();
    let why = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{why}");
    assert!(
        why.contains("may be shown") && why.contains("lower `shots`"),
        "{why}"
    );
}

#[test]
fn the_likeliest_label_is_taken_and_who_tells_no_likelihoods_is_refused() {
    let (bench, dataset) = with_student("max_steps=2");
    let by_likelihood = ["--set", "evaluate.grade=likelihood", "--formats", "plain,json"];
    let ask = [
        &["eval", &dataset, "--student", "student", "--shots", "2"][..],
        &by_likelihood,
    ]
    .concat();
    let told = json_of(&bench, &ask);
    assert_eq!(told["graded_by"], "likelihood");
    let result = bench.folder.path().join(told["result"].as_str().unwrap());
    let gold: BTreeMap<String, String> = lines(&result.join("items.jsonl"))
        .iter()
        .map(|item| {
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            (text(&item["item"]), text(&item["references"][0]))
        })
        .collect();
    let answers = lines(&result.join("answers.jsonl"));
    assert_eq!(answers.len(), gold.len() * 2 * 3);
    let mut right: BTreeMap<&str, [u64; 2]> = BTreeMap::new();
    for answer in &answers {
        let choices = answer["choices"].as_array().unwrap();
        let labels: Vec<&str> = choices
            .iter()
            .map(|choice| choice["text"].as_str().unwrap())
            .collect();
        assert_eq!(labels, ["yes", "no", "maybe"]);
        let best = |a_character: bool| {
            let score = |choice: &Value| {
                let sum = choice["log_likelihood"].as_f64().unwrap();
                let length = choice["text"].as_str().unwrap().chars().count() as f64;
                if a_character { sum / length } else { sum }
            };
            let greatest = choices.iter().max_by(|a, b| score(a).total_cmp(&score(b)));
            greatest.unwrap()["text"].as_str().unwrap()
        };
        let reference = &gold[answer["item"].as_str().unwrap()];
        assert_eq!(answer["reply"], best(false), "{answer}");
        let hits = [false, true].map(|a_character| best(a_character) == reference);
        assert_eq!(answer["grade"]["result"] == "correct", hits[0], "{answer}");
        assert_eq!(answer["correct_normalized"], hits[1], "{answer}");
        let counted = right.entry(answer["model"].as_str().unwrap()).or_default();
        counted[0] += u64::from(hits[0]);
        counted[1] += u64::from(hits[1]);
    }
    for model in told["models"].as_array().unwrap() {
        let [plain, normalized] = right[model["model"].as_str().unwrap()];
        assert_eq!(model["scorecard"]["accuracy"]["count"], plain, "{model}");
        assert_eq!(model["accuracy_normalized"]["count"], normalized, "{model}");
        assert_eq!(model["scorecard"]["not_attempted"]["count"], 0);
    }
    // An endpoint is refused before anything is asked, by `doctor` as well; its perplexity is not known, and it is said why.
    let desk = Desk::new(0.5, Faults::default());
    let labels = "filter: {validator: {kind: label, labels: ['1', '2']}}\nbudget: {calls: 400}";
    desk.job("labels.yaml", labels);
    for verb in ["run", "doctor"] {
        let set = ["--set", "evaluate.grade=likelihood"];
        let (code, told, why) = desk.said(&[&[verb, "labels.yaml", "--progress", "none"][..], &set].concat());
        assert!(code.is_some_and(|code| code != 0), "{verb}: {told}{why}");
        assert!(
            format!("{told}{why}").contains("`weak` tells no likelihoods"),
            "{verb}: {told}{why}"
        );
    }
    assert_eq!(desk.billed(), 0);
    desk.job("eval.yaml", BY_NUMBER);
    let told = desk.run("eval.yaml");
    for model in told["models"].as_array().unwrap() {
        assert!(model["perplexity"].is_null(), "{model}");
        let why = model["perplexity_missing"].as_str().unwrap();
        assert!(why.contains("tells no likelihoods"), "{why}");
    }
}

#[test]
fn two_students_at_two_endpoints_are_compared_in_one_command() {
    let desk = Desk::new(0.5, Faults::default());
    let dataset = tiny_model::stored_run().display().to_string();
    let (student, previous) = (desk.student.url(), desk.teacher.url());
    let mut ask = vec![
        "eval",
        &dataset,
        "--student",
        &student,
        "--model",
        "weak",
        "--previous",
        &previous,
    ];
    let price = [
        "--price",
        "0.5,1.5",
        "--budget",
        "1usd",
        "--formats",
        "plain",
        "--progress",
        "none",
    ];
    ask.extend(price);
    // One name for both is no way to tell them apart.
    let (code, _, why) = desk.said(&ask);
    assert_eq!(code, Some(3), "{why}");
    assert!(why.contains("two models are called `weak`"), "{why}");
    ask.extend(["--previous-model", "strong", "--output", "json"]);
    let (code, told, why) = desk.said(&ask);
    assert_eq!(code, Some(0), "{why}");
    let told: Value = serde_json::from_str(&told).unwrap();
    let roles: Vec<(&str, &str)> = told["models"]
        .as_array()
        .unwrap()
        .iter()
        .map(|model| (model["model"].as_str().unwrap(), model["role"].as_str().unwrap()))
        .collect();
    assert_eq!(roles, [("weak", "student"), ("strong", "previous")]);
    assert_eq!(told["comparisons"][0]["role"], "previous");
    assert!(desk.teacher.bill().total.calls > 0 && desk.student.sim.bill().total.calls > 0);
}
