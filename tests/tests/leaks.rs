//! Held-out rows planted at every stage at which they could be trained on or shown, and students that are asked what they were trained on.
//!
//! Stages that have tests elsewhere:
//!
//! | stage | test |
//! |---|---|
//! | `generation add`: anchor and synthetic rows, by origin, words and vector | `generations.rs`, `leaks_are_refused_wherever_they_are_planted` |
//! | a later dataset that holds out other rows than its lineage | `generations.rs`, `generations_accumulate_and_the_anchor_only_grows` |
//! | a dataset or generation whose files were changed | `generations.rs`, `a_file_that_was_changed_is_refused_and_named` |
//! | passages of documents of held-out rows | `documents.rs`, `nothing_is_asked_about_documents_of_held_out_rows` |
//! | passages that hold a held-out question | `coordinator/src/passages.rs` |
//! | a teacher's question in other words | `coordinator/src/corpus.rs` |
//! | the arms of an ablation | `runs/src/ablation.rs` |
//! | `decontaminate` | `tables.rs`, `rows_that_hold_test_items_go` and `test_items_in_other_words_go_and_other_numbers_stay` |
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking, and says what it saw"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use gristmill_dataset::{DatasetRow, Options, Split, Writer, read_rows, split_files};
use gristmill_tests::desk::{BY_NUMBER, Desk};
use gristmill_tests::facts::World;
use gristmill_tests::harness::Bench;
use gristmill_tests::questions::{self, sums};
use gristmill_tests::sim::{Config, Faults};
use gristmill_tests::study::Study;
use gristmill_tests::tiny_model;
use serde_json::{Value, json};

/// Sums as seeds, a service that answers them, and a model to train.
fn bench() -> Bench {
    let config = Config {
        seed: 5,
        ..Config::default()
    };
    let bench = Bench::with_numbers(&sums(2..42), config).unwrap();
    tiny_model::write(&bench.folder.path().join("base")).unwrap();
    bench
}

/// Writes the job of a run with these seeds, whose runs go to the folder `NAME/`.
fn job(bench: &Bench, name: &str, seeds: &str) -> String {
    let text = format!(
        "seeds: {{path: {seeds}}}\nholdout: {{validation: 0.2, test: 0.3}}\nteacher: {{base_url: {}, model: sim}}\nembed: {{model: off}}\n\
         generate: {{strategy: rephrasing, rows: 4, pilot: 0, rounds: 1}}\nfilter: {{validator: {{kind: number}}}}\nbudget: {{calls: 200}}\n\
         output: {{dir: {name}}}\n",
        bench.url()
    );
    let file = format!("{name}.yaml");
    bench.write(&file, &text).unwrap();
    file
}

/// Runs such a job on the sums; returns the folder of the run.
fn run(bench: &Bench, name: &str, more: &[&str]) -> PathBuf {
    let file = job(bench, name, "seeds.jsonl");
    bench
        .run_job(&file, &[more, &["--progress", "none"]].concat())
        .unwrap();
    only_run(&bench.folder.path().join(name))
}

fn only_run(folder: &Path) -> PathBuf {
    let runs = std::fs::read_dir(folder).unwrap();
    let runs: Vec<PathBuf> = runs.map(|entry| entry.unwrap().path()).collect();
    assert_eq!(runs.len(), 1, "{runs:?}");
    runs[0].clone()
}

/// The exit code of a command, and what it said.
fn said(bench: &Bench, args: &[&str]) -> (Option<i32>, String) {
    let output = bench
        .gristmill(&[args, &["--progress", "none"]].concat())
        .unwrap();
    (
        output.status.code(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    )
}

/// Why a command with wrong input is refused.
fn refused(bench: &Bench, args: &[&str]) -> String {
    let (code, why) = said(bench, args);
    assert_eq!(code, Some(3), "{args:?}: {why}");
    why
}

fn holds(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "{word}: {text}");
    }
}

fn rows(dataset: &Path, split: Split) -> Vec<DatasetRow> {
    let files = split_files(dataset, split).unwrap();
    let rows = files.iter().flat_map(|file| read_rows(file).unwrap());
    rows.map(|row| row.unwrap()).collect()
}

/// A dataset with these rows besides those of a run; without a manifest, as one that somebody else made.
fn planted(bench: &Bench, run: &Path, name: &str, more: &[(Split, &DatasetRow)]) -> String {
    let dataset = run.join("dataset");
    let target = bench.folder.path().join(name);
    let mut writer = Writer::create(&target, Options::default()).unwrap();
    for split in Split::ALL {
        for row in rows(&dataset, split) {
            writer.push(split, row).unwrap();
        }
        for (_, row) in more.iter().filter(|(of, _)| *of == split) {
            writer.push(split, (*row).clone()).unwrap();
        }
    }
    writer.finish().unwrap().publish().unwrap();
    name.to_owned()
}

fn train<'a>(dataset: &'a str, base: &'a str, out: &'a str) -> Vec<&'a str> {
    let mut args = vec!["train", dataset, "--base", base, "--out", out];
    for setting in [
        "max_steps=40",
        "batch_rows=4",
        "validation.rows=1",
        "max_tokens=4096",
    ] {
        args.extend(["--set", setting]);
    }
    args
}

fn ask<'a>(dataset: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let args = ["eval", dataset, "--max-tokens", "4", "--formats", "plain"];
    [&args[..], more].concat()
}

#[test]
fn a_question_that_stands_in_the_seeds_twice_serves_one_purpose() {
    let bench = bench();
    let file = questions::folder().unwrap().join("gsm8k/train.jsonl");
    let text = questions::first_lines(&file, 40).unwrap();
    let seeds: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let of = |change: &dyn Fn(&str) -> String| -> String {
        let changed = seeds.iter().map(|seed| {
            let question = change(seed["question"].as_str().unwrap());
            format!("{}\n", json!({"question": question, "answer": seed["answer"]}))
        });
        changed.collect()
    };
    // In two files, in other case, and with a word more.
    bench.write("same.jsonl", &text).unwrap();
    bench.write("upper.jsonl", &of(&str::to_uppercase)).unwrap();
    bench
        .write("near.jsonl", &of(&|question| format!("{question} Explain.")))
        .unwrap();
    bench.write("one.jsonl", &text).unwrap();
    let file = job(
        &bench,
        "twice",
        "[one.jsonl, same.jsonl, upper.jsonl, near.jsonl]",
    );
    let (code, why) = said(&bench, &["run", &file, "--set", "budget.calls=20"]);
    assert_eq!(code, Some(4), "the service knows none of the questions: {why}");
    let dataset = only_run(&bench.folder.path().join("twice")).join("dataset");
    let mut splits: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut real = 0;
    for split in [Split::Train, Split::Validation, Split::Test] {
        for row in rows(&dataset, split) {
            if row.provenance.depth == 0 {
                real += 1;
                let question = row.messages[0].content.to_lowercase();
                let question = question.trim_end_matches(" explain.").to_owned();
                splits.entry(question).or_default().insert(split.to_string());
            }
        }
    }
    assert_eq!(
        (splits.len(), real),
        (40, 120),
        "the same row of two files is one"
    );
    let parted: Vec<_> = splits.iter().filter(|(_, splits)| splits.len() > 1).collect();
    assert!(parted.is_empty(), "{parted:?}");
    // Words around a question set the two too far apart to be drawn together: that is told before anything is spent.
    let around = "Read all of the following with care, take a sheet of paper, write down every number that you find in it with its unit, and \
                  leave out what is not needed, since there may well be some of it. Ask nobody, and take all the time that you want. Then, and \
                  only then, answer this question about it in a few plain sentences, and end with the bare number:";
    bench
        .write("around.jsonl", &of(&|question| format!("{around} {question}")))
        .unwrap();
    let before = bench.sim.bill().total.calls;
    let file = job(&bench, "around", "[one.jsonl, around.jsonl]");
    let why = refused(&bench, &["run", &file]);
    holds(
        &why,
        &[
            "around.yaml: ",
            "hold a held-out one",
            "row ./around.jsonl:",
            "row ./one.jsonl:",
            "leave one of the two out",
        ],
    );
    assert_eq!(bench.sim.bill().total.calls, before);
    assert!(!bench.folder.path().join("around").exists());
}

#[test]
fn a_held_out_question_that_the_teacher_asks_is_no_row() {
    let world = World::new(3, 1);
    let real = world.zipf(0, 8, 6);
    // All that the teacher thinks of is real, and a part of it held out.
    let study = Study::new(&real, &real, 1).unwrap();
    let model = format!(
        "{{base_url: {}, model: t, price: {{input: 0, output: 0}}}}",
        study.bench.url()
    );
    let job = format!(
        "seeds: {{path: seeds.jsonl, fields: {{concept: concept}}}}\nholdout: {{validation: 0.2, test: 0.2}}\nteacher: {model}\njudge: {model}\n\
         embed: {{model: off}}\ngenerate: {{recipes: [./asked.yaml], reasoning: false, pilot: 0, rounds: 1, max_tokens: 64}}\n\
         filter: {{validator: {{kind: text}}}}\nbudget: {{calls: 120}}\n"
    );
    let run = PathBuf::from(study.run("copied", &job).unwrap());
    let manifest: Value =
        serde_json::from_slice(&std::fs::read(run.join("dataset/manifest.json")).unwrap()).unwrap();
    let rejected = manifest["rejected"].as_array().unwrap();
    assert!(
        rejected.iter().any(|loss| loss[0] == "contaminated"),
        "{rejected:?}"
    );
    let dataset = run.join("dataset");
    let asked = |split| -> BTreeSet<String> {
        let rows = rows(&dataset, split).into_iter();
        rows.map(|row| row.messages[0].content.to_lowercase()).collect()
    };
    let held_out = &asked(Split::Validation) | &asked(Split::Test);
    assert!(asked(Split::Train).is_disjoint(&held_out));
}

#[test]
fn nothing_is_trained_on_a_dataset_that_holds_a_held_out_row() {
    let bench = bench();
    let run = run(&bench, "first", &[]);
    let dataset = run.join("dataset");
    let first = |split| rows(&dataset, split).remove(0);
    let (test, validation) = (first(Split::Test), first(Split::Validation));
    // A dataset without a manifest: nothing but its rows tells.
    let mut other_words = test.clone();
    other_words.id = "typed-in".to_owned();
    other_words.provenance = Default::default();
    other_words.messages[0].content = format!("Please: {}", test.messages[0].content.to_uppercase());
    for (name, of, row, kind, held_out, how) in [
        ("test", Split::Train, &test, "anchor row", &test, "the same row"),
        (
            "words",
            Split::Train,
            &other_words,
            "anchor row typed-in",
            &test,
            "shared words cover 100 %",
        ),
        (
            "validation",
            Split::Train,
            &validation,
            "anchor row",
            &validation,
            "the same row",
        ),
        (
            "both",
            Split::Validation,
            &test,
            "validation row",
            &test,
            "the same row",
        ),
    ] {
        let dataset = planted(&bench, &run, name, &[(of, row)]);
        let why = refused(&bench, &train(&dataset, "base", "student"));
        holds(
            &why,
            &[
                name,
                "1 row holds a held-out one",
                kind,
                how,
                &held_out.id,
                "a row serves one purpose",
            ],
        );
        let why = refused(
            &bench,
            &[&train(&dataset, "base", "student")[..], &["--dry-run"]].concat(),
        );
        holds(&why, &["1 row holds a held-out one"]);
    }
    assert!(!bench.folder.path().join("student").exists(), "nothing was begun");
    // The run's own dataset with a file of another one: its manifest tells.
    let name = "train-00000-of-00001.parquet";
    let own = dataset.join("data").join(name);
    let before = std::fs::read(&own).unwrap();
    std::fs::copy(bench.folder.path().join("test/data").join(name), &own).unwrap();
    let at = run.to_str().unwrap();
    let why = refused(&bench, &train(at, "base", "student"));
    holds(
        &why,
        &[
            &format!("`data/{name}` was changed after it was written"),
            "`gristmill assemble RUN`",
        ],
    );
    std::fs::write(&own, before).unwrap();
    let (code, why) = said(&bench, &train(at, "base", "student"));
    assert_eq!(code, Some(0), "{why}");
}

#[test]
fn a_student_is_not_asked_what_it_was_trained_on() {
    let bench = bench();
    let first = run(&bench, "first", &[]);
    let other = run(&bench, "other", &["--set", "holdout.seed=9"]);
    let (first, other) = (first.to_str().unwrap(), other.to_str().unwrap());
    let (code, why) = said(&bench, &train(first, "base", "student"));
    assert_eq!(code, Some(0), "{why}");
    // A second one, trained from a student that knows the rows.
    let full = [&train(other, "base", "whole")[..], &["--set", "method=full"]].concat();
    let (code, why) = said(&bench, &full);
    assert_eq!(code, Some(0), "{why}");
    let (code, why) = said(&bench, &train(first, "whole/model", "grandchild"));
    assert_eq!(code, Some(0), "{why}");
    let test = rows(&Path::new(other).join("dataset"), Split::Test);
    let trained: BTreeSet<String> = rows(&Path::new(first).join("dataset"), Split::Train)
        .into_iter()
        .map(|row| row.id)
        .collect();
    let shared = test.iter().find(|row| trained.contains(&row.id)).unwrap();
    let tells = |why: &str| {
        holds(
            why,
            &[
                "student: ",
                "hold a held-out one",
                "training row ",
                " and test row ",
                ": they ",
                "was trained on a question shows nothing",
            ],
        );
    };
    let why = refused(&bench, &ask(other, &["--student", "student", "--no-base"]));
    tells(&why);
    holds(&why, &[&format!("training row {} ", shared.id)]);
    // The student before it and a base are asked as well.
    let endpoint = bench.url();
    let previous = ["--student", &endpoint, "--model", "sim", "--budget", "200calls"];
    let previous = [&previous[..], &["--previous", "student", "--no-base"]].concat();
    tells(&refused(&bench, &ask(other, &previous)));
    let why = refused(&bench, &ask(first, &["--student", "grandchild", "--no-base"]));
    holds(&why, &["whole: ", "hold a held-out one"]);
    // In a job of one's own.
    let text = format!(
        "seeds: {{path: '{other}/dataset/data/test-*.parquet', fields: {{question: messages.user, answer: messages.assistant}}}}\n\
         embed: {{model: off}}\nfilter: {{validator: {{kind: number}}}}\nbudget: {{calls: 200}}\noutput: {{dir: evaluations}}\n\
         evaluate: {{models: [{{role: student, local: {{name: ./base, adapter: student/adapter}}}}], max_tokens: 4}}\n"
    );
    bench.write("own.yaml", &text).unwrap();
    tells(&refused(&bench, &["run", "own.yaml"]));
    // Its own held-out rows are asked, and weights are chosen by validation rows.
    for more in [&[][..], &["--validation"]] {
        let args = [&["--student", "student", "--no-base"], more].concat();
        let (code, why) = said(&bench, &ask(first, &args));
        assert_eq!(code, Some(0), "{why}");
    }
    // Without the dataset, the rows that its trainer took still tell.
    let hidden = bench.folder.path().join("hidden");
    std::fs::rename(first, &hidden).unwrap();
    tells(&refused(
        &bench,
        &ask(other, &["--student", "student", "--no-base"]),
    ));
    std::fs::remove_file(bench.folder.path().join("student/rows.jsonl")).unwrap();
    let (code, why) = said(&bench, &ask(other, &["--student", "student", "--no-base"]));
    assert_eq!(code, Some(0), "{why}");
    holds(&why, &["whether it is asked one of them is not known"]);
}

#[test]
fn a_gate_fails_a_student_whose_questions_are_in_its_training_set() {
    let bench = bench();
    let first = run(&bench, "first", &[]);
    let other = run(&bench, "other", &["--set", "holdout.seed=9"]);
    let (first, other) = (first.to_str().unwrap(), other.to_str().unwrap());
    let (code, why) = said(&bench, &["generation", "add", "lineage", first, "--embed", "off"]);
    assert_eq!(code, Some(0), "{why}");
    // Of a student at an endpoint, nothing but the lineage tells.
    let url = bench.url();
    let result = |dataset: &str| {
        let student = ["--student", &url, "--model", "sim", "--budget", "200calls"];
        let told = bench
            .json(&[&ask(dataset, &student)[..], &["--progress", "none"]].concat())
            .unwrap();
        told["result"].as_str().unwrap().to_owned()
    };
    let gate = |result: &str| {
        let args = ["gate", result, "--lineage", "lineage", "--embed", "off"];
        let output = bench.gristmill(&args).unwrap();
        (
            output.status.code(),
            String::from_utf8_lossy(&output.stdout).into_owned(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )
    };
    let own = result(first);
    let (_, told, _) = gate(&own);
    holds(&told, &["No held-out item is in the training set"]);
    let (code, told, why) = gate(&result(other));
    assert_eq!(code, Some(7), "{told} {why}");
    holds(
        &why,
        &[
            "hold a held-out one",
            "(generation 1) and test row",
            "they have the same words",
        ],
    );
    // Nor is a job made from errors on test rows.
    let why = refused(&bench, &["mend", &own, "--dataset", first]);
    holds(&why, &["test rows", "would spoil them"]);
}

#[test]
fn a_template_with_more_shared_words_hides_no_leak() {
    let bench = bench();
    let run = run(&bench, "first", &[]);
    let dataset = run.join("dataset");
    let mut like = rows(&dataset, Split::Test).remove(0);
    let mut of = |id: &str, question: &str| {
        like.id = id.to_owned();
        like.provenance = Default::default();
        like.messages[0].content = question.to_owned();
        like.clone()
    };
    let template = of(
        "template",
        "Mia buys 40 red apples at the market on Monday and eats 7 of them. How many apples does she carry home?",
    );
    let held_out = of(
        "held-out",
        "Mia buys 12 red apples at the market on Monday. How many apples does she carry home with her?",
    );
    let leaked = of(
        "leaked",
        "Mia buys 12 red apples at the market on Monday and, being hungry, eats some of them. How many apples does she carry home with her?",
    );
    let dataset = planted(
        &bench,
        &run,
        "hidden",
        &[
            (Split::Test, &template),
            (Split::Test, &held_out),
            (Split::Train, &leaked),
        ],
    );
    let why = refused(
        &bench,
        &["generation", "add", "lineage", &dataset, "--embed", "off"],
    );
    holds(
        &why,
        &[
            "1 row holds a held-out one",
            "anchor row leaked (hidden) and test row held-out",
            "shared words cover",
        ],
    );
}

#[test]
fn a_row_that_asks_what_is_asked_is_not_shown_before_it() {
    let desk = Desk::new(0.5, Faults::default());
    let shown: String = sums(0..20)
        .lines()
        .map(|line| {
            let mut row: Value = serde_json::from_str(line).unwrap();
            let question = row["question"].as_str().unwrap();
            row["question"] =
                format!("This one is easy, and it is solved as the others are: {question}").into();
            format!("{row}\n")
        })
        .collect();
    let more = sums(100..102);
    desk.student.write("shown.jsonl", &(shown + &more)).unwrap();
    desk.job("eval.yaml", BY_NUMBER);
    let with_shots = |shots: u32| {
        let shots = format!("evaluate.models.0.shots={shots}");
        let mut args = vec!["run", "eval.yaml", "--progress", "none"];
        for set in ["evaluate.shots_path=shown.jsonl", &shots] {
            args.extend(["--set", set]);
        }
        desk.said(&args)
    };
    let (code, _, why) = with_shots(3);
    assert_eq!(code, Some(3), "{why}");
    holds(&why, &["of 22 training rows only 2 may be shown"]);
    assert_eq!(desk.billed(), 0);
    let (code, _, why) = with_shots(2);
    assert_eq!(code, Some(0), "{why}");
}
