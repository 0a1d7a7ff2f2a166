//! `gristmill loop` with a tiny student: generations that follow its errors, one budget for all of it, and a loop that goes on where it was killed.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says what it saw"
)]

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use gristmill_tests::facts::World;
use gristmill_tests::harness::Bench;
use gristmill_tests::study::Study;
use serde_json::{Value, json};

/// Calls that the whole loop may make.
const CALLS: u64 = 400;

/// A teacher of a world of facts, seeds with concepts, and a base to train.
fn bench(calls: u64) -> Study {
    let world = World::new(3, 1);
    let (real, pool) = (world.zipf(0, 8, 6), world.zipf(10, 40, 40));
    let study = Study::new(&real, &pool, 1).unwrap();
    let model = format!(
        "{{base_url: {}, model: t, price: {{input: 0, output: 0}}}}",
        study.bench.url()
    );
    let job = format!(
        "seeds: {{path: seeds.jsonl, fields: {{concept: concept}}}}\nholdout: {{validation: 0.2, test: 0.2}}\nteacher: {model}\njudge: {model}\n\
         embed: {{model: off}}\ngenerate: {{recipes: [./asked.yaml], reasoning: false, pilot: 0, rounds: 1, max_tokens: 64}}\n\
         filter: {{validator: {{kind: text}}}}\nbudget: {{calls: {calls}}}\n"
    );
    study.bench.write("job.yaml", &job).unwrap();
    study
}

/// The command of a loop, quick.
fn command<'a>(more: &[&'a str]) -> Vec<&'a str> {
    let training = [
        "max_steps=2",
        "batch_rows=4",
        "validation.rows=1",
        "max_tokens=4096",
        "learning_rate=0.05",
    ];
    let mut args = vec![
        "loop",
        "job.yaml",
        "--base",
        "./base",
        "--max-tokens",
        "4",
        "--formats",
        "plain",
    ];
    args.extend(["--progress", "none", "--patience", "9"]);
    for setting in training {
        args.extend(["--train", setting]);
    }
    args.extend(more);
    args
}

fn generations(told: &Value) -> &Vec<Value> {
    told["record"]["generations"].as_array().unwrap()
}

fn calls(cost: &Value) -> u64 {
    cost["calls"].as_u64().unwrap()
}

#[test]
fn generations_follow_the_errors_within_one_budget() {
    let Study { bench } = bench(CALLS);
    let output = bench.gristmill(&command(&["--output", "json"])).unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    let made = generations(&told);
    assert!(made.len() >= 2, "{told:#}");
    // What holds for all generations is said once, with the way out that a loop has.
    assert_eq!(said.matches("were not looked for").count(), 1, "{said}");
    assert!(said.contains("`embed.model` in the job of a loop"), "{said}");
    let used = calls(&told["used"]);
    assert_eq!(
        used,
        bench.sim.bill().total.calls,
        "every call is in the loop's books"
    );
    assert!(used <= CALLS, "{used}");
    assert!(made[0]["grant"]["aims"].as_array().unwrap().is_empty());
    for (number, generation) in made.iter().enumerate().skip(1) {
        let aims = generation["grant"]["aims"].as_array().unwrap();
        assert!(!aims.is_empty(), "generation {} aims at nothing", number + 1);
        let before = made[number - 1]["student"]["wrong"].as_u64().unwrap();
        // A question has several concepts.
        assert!(
            aims.iter()
                .all(|aim| (1..=before).contains(&aim["wrong"].as_u64().unwrap())),
            "{aims:?}"
        );
        assert!(
            generation["synthetic"].as_u64() >= made[number - 1]["synthetic"].as_u64(),
            "nothing is lost"
        );
        assert!(generation["change"]["pairs"].as_u64().unwrap() > 0);
    }
    let headline = &told["record"]["headline"];
    assert_eq!(
        (&headline["test"], &headline["unit"]),
        (&json!(true), &json!("thousand calls"))
    );
    let run = made[0]["run"].as_str().unwrap();
    let manifest = std::fs::read(Path::new(run).join("dataset/manifest.json")).unwrap();
    let manifest: Value = serde_json::from_slice(&manifest).unwrap();
    assert_eq!(
        headline["change"]["pairs"], manifest["rows"]["test"],
        "{headline:#}"
    );
    the_gate_knows_the_training_set(&bench, headline);
    let picture = std::fs::read_to_string(bench.folder.path().join("loop/accuracy.svg")).unwrap();
    assert!(picture.contains("accuracy on validation rows"), "{picture}");
    // Nothing is left to do.
    assert_eq!(bench.json(&command(&[])).unwrap(), told);
    assert_eq!(bench.sim.bill().total.calls, used);
    // A larger budget makes more, and what is there stays.
    let larger = bench.json(&command(&["--set", "budget.calls=600"])).unwrap();
    assert!(generations(&larger).len() > made.len(), "{larger:#}");
    assert_eq!(&generations(&larger)[..made.len()], &made[..]);
    assert!(calls(&larger["used"]) <= 600);
}

/// The best student is not the newest: its folder says what it was trained on.
fn the_gate_knows_the_training_set(bench: &Bench, headline: &Value) {
    let number = headline["generation"].as_u64().unwrap();
    let result = headline["evaluation"].as_str().unwrap();
    let gate = |more: &[&str]| {
        let args = [
            "gate",
            result,
            "--lineage",
            "loop/lineage",
            "--embed",
            "off",
            "--output",
            "json",
        ];
        bench.gristmill(&[&args, more].concat()).unwrap()
    };
    let told: Value = serde_json::from_slice(&gate(&[]).stdout).unwrap();
    assert_eq!(told["generation"], number, "{told:#}");
    let other = (number + 1).to_string();
    let refused = gate(&["--generation", &other]);
    let error = String::from_utf8_lossy(&refused.stderr);
    let why = format!("was trained on generation {number}, and not on generation {other}");
    assert!(
        refused.status.code() == Some(3) && error.contains(&why),
        "{error}"
    );
}

#[test]
fn a_loop_that_is_killed_goes_on_and_spends_no_more() {
    let Study { bench } = bench(CALLS);
    let mut killed = bench
        .command(&command(&[]))
        .unwrap()
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // In the middle of its second generation: its run has begun.
    let second = bench.folder.path().join("loop/runs/2");
    while !second.exists() {
        assert!(
            killed.try_wait().unwrap().is_none(),
            "the loop ended before its second generation"
        );
        std::thread::sleep(Duration::from_millis(2));
    }
    killed.kill().unwrap();
    killed.wait().unwrap();
    let granted = record(bench.folder.path())["granted"].clone();
    assert_eq!(granted["generation"], 2);
    let told = bench.json(&command(&[])).unwrap();
    assert_eq!(generations(&told)[1]["grant"], granted);
    assert!(calls(&told["used"]) <= CALLS);
    assert!(bench.sim.bill().total.calls <= CALLS);
}

fn record(folder: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(folder.join("loop/loop.json")).unwrap()).unwrap()
}

#[test]
fn rows_that_the_student_knows_are_left_out() {
    let study = bench(160);
    // Few steps: some facts are learned, and some are not.
    let told = study
        .bench
        .json(&[
            "loop",
            "job.yaml",
            "--base",
            "./base",
            "--only-unknown",
            "--generations",
            "2",
            "--formats",
            "plain",
            "--max-tokens",
            "8",
            "--progress",
            "none",
            "--train",
            "method=full",
            "--train",
            "learning_rate=0.003",
            "--train",
            "epochs=99",
            "--train",
            "max_steps=35",
            "--train",
            "validation.patience=0",
        ])
        .unwrap();
    let second = &generations(&told)[1];
    let known = second["known"].as_u64().unwrap();
    println!(
        "known {known}, accepted {}, wrong {}",
        second["accepted"],
        generations(&told)[0]["student"]["wrong"]
    );
    assert!(
        known > 0 && known < second["accepted"].as_u64().unwrap(),
        "{told:#}"
    );
    let left_out = study
        .lines("loop/lineage/generations/2/quarantined.jsonl")
        .unwrap();
    assert_eq!(left_out.len() as u64, known, "{left_out:?}");
}

#[test]
fn all_of_the_budget_at_once_is_one_generation() {
    let Study { bench } = bench(CALLS);
    let told = bench
        .json(&command(&["--pilot", "1", "--set", "budget.calls=120"]))
        .unwrap();
    assert_eq!(generations(&told).len(), 1);
    assert_eq!(told["ended"], "budget");
}

#[test]
fn what_cannot_be_improved_is_told_before_anything_is_spent() {
    let Study { bench } = bench(CALLS);
    let refused = |args: &[&str], told: &str| {
        let output = bench.gristmill(args).unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "{error}");
        assert!(error.contains(told), "{error}");
    };
    refused(
        &command(&["--set", "holdout.validation=0"]),
        "holds out no validation rows",
    );
    refused(
        &command(&["--set", "seeds.fields.references=none"]),
        "nothing says which answers",
    );
    refused(&command(&["--train", "max_stepz=2"]), "max_stepz");
    // No row is bought for a base that cannot be had.
    let all = command(&[]);
    for (base, told) in [("nosuch", "no base model `nosuch`"), ("./job.yaml", "job.yaml")] {
        let other = |arg: &&'static str| if *arg == "./base" { base } else { *arg };
        refused(&all.iter().map(other).collect::<Vec<_>>(), told);
    }
    assert_eq!(bench.sim.bill().total.calls, 0);
    bench
        .json(&command(&["--pilot", "1", "--set", "budget.calls=60"]))
        .unwrap();
    refused(&command(&["--train", "max_steps=3"]), "another training");
    refused(&command(&["--set", "holdout.seed=5"]), "another job");
}
