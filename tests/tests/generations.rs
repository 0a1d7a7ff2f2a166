//! Lineages: training sets that the real program makes of the datasets of real runs, generation by generation.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking, and says what it saw"
)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use gristmill_dataset::{DatasetRow, Options, Split, Writer, read_rows, split_files};
use gristmill_tests::browser::Browser;
use gristmill_tests::harness::Bench;
use gristmill_tests::questions::{self, sums};
use gristmill_tests::sim::Config;
use gristmill_tests::ui::Ui;
use serde_json::{Value, json};

/// Sums with two red books or more. One is no number: `1 red and 7 blue books` states nothing that `7 red and 19 blue books` does not.
fn shelves(seeds: std::ops::Range<u32>) -> String {
    sums(seeds.start + 2..seeds.end + 2)
}

/// Sums as seeds, a teacher that answers them, and a lineage beside the runs.
struct World {
    bench: Bench,
}

impl World {
    /// A world whose jobs take these sums as seeds.
    fn new(seeds: std::ops::Range<u32>) -> Self {
        Self::of(&shelves(seeds))
    }

    fn of(questions: &str) -> Self {
        let config = Config {
            seed: 5,
            ..Config::default()
        };
        let bench = Bench::with_numbers(questions, config).unwrap();
        Self { bench }
    }

    /// Runs a job on some of the sums; returns the folder of the run.
    fn run(&self, name: &str, seeds: std::ops::Range<u32>, more: &[&str]) -> PathBuf {
        self.run_on(name, &shelves(seeds), more)
    }

    fn run_on(&self, name: &str, seeds: &str, more: &[&str]) -> PathBuf {
        self.bench.write(&format!("{name}.jsonl"), seeds).unwrap();
        let job = format!(
            "seeds: {{path: {name}.jsonl}}\nholdout: {{validation: 0.2, test: 0.2}}\n\
             teacher: {{base_url: {}, model: sim}}\nembed: {{model: off}}\n\
             generate: {{strategy: rephrasing, rows: 12, pilot: 0, rounds: 1}}\nfilter: {{validator: {{kind: number}}}}\n\
             budget: {{calls: 300}}\noutput: {{dir: {name}}}\n",
            self.bench.url()
        );
        let file = format!("{name}.yaml");
        self.bench.write(&file, &job).unwrap();
        let more = [&["--progress", "none"], more].concat();
        self.bench.run_job(&file, &more).unwrap();
        let folder = self.path(name);
        let runs: Vec<PathBuf> = std::fs::read_dir(&folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        assert_eq!(runs.len(), 1, "{runs:?}");
        runs[0].clone()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.bench.folder.path().join(name)
    }

    /// `gristmill generation …` with its exit code, what it printed, and what it said.
    fn generation(&self, args: &[&str]) -> (Option<i32>, Value, String) {
        let args = [&["generation"], args, &["--output", "json", "--progress", "none"]].concat();
        let output = self.bench.gristmill(&args).unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let value = serde_json::from_str(text.lines().last().unwrap_or("null")).unwrap();
        (
            output.status.code(),
            value,
            String::from_utf8(output.stderr).unwrap(),
        )
    }

    /// Adds a dataset, without comparing anything by meaning.
    fn add(&self, dataset: &Path, more: &[&str]) -> (Option<i32>, Value, String) {
        let dataset = dataset.to_str().unwrap();
        let args = [&["add", "lineage", dataset], more].concat();
        let args = match more.contains(&"--embed") {
            true => args,
            false => [&args[..], &["--embed", "off"]].concat(),
        };
        self.generation(&args)
    }

    /// Adds a dataset that is taken.
    fn added(&self, dataset: &Path, more: &[&str]) -> Value {
        let (code, value, said) = self.add(dataset, more);
        assert_eq!(code, Some(0), "{said}");
        value
    }

    /// Adds a dataset that is refused; returns why.
    fn refused(&self, dataset: &Path, more: &[&str]) -> String {
        let before = self.listed();
        let (code, _, said) = self.add(dataset, more);
        assert_eq!(code, Some(3), "{said}");
        assert_eq!(self.listed(), before, "nothing was made");
        said
    }

    fn listed(&self) -> usize {
        let (_, value, _) = self.generation(&["list", "lineage"]);
        value["generations"].as_array().map_or(0, Vec::len)
    }

    fn rows(&self, generation: u32, split: &str) -> Vec<Value> {
        let path = self.path(&format!("lineage/generations/{generation}/jsonl/{split}.jsonl"));
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    fn whole(&self) {
        let (code, value, said) = self.generation(&["check", "lineage", "--embed", "off"]);
        assert_eq!(code, Some(0), "{value} {said}");
        assert_eq!(value["whole"], true, "{value}");
    }
}

/// Ids of the rows of an origin.
fn ids(rows: &[Value], origin: &str) -> BTreeSet<String> {
    let of = |row: &&Value| row["provenance"]["origin"] == origin;
    let ids = rows.iter().filter(of).map(|row| row["id"].as_str().unwrap());
    ids.map(str::to_owned).collect()
}

/// A dataset of a run with other rows: what its rows are made into, split by split.
fn planted(
    world: &World,
    run: &Path,
    name: &str,
    plant: impl Fn(Split, &mut Vec<DatasetRow>, &[DatasetRow]),
) -> PathBuf {
    let dataset = run.join("dataset");
    let read = |split: Split| -> Vec<DatasetRow> {
        let files = split_files(&dataset, split).unwrap();
        let rows = files.iter().flat_map(|file| read_rows(file).unwrap());
        rows.map(|row| row.unwrap()).collect()
    };
    let target = world.path(name);
    let mut writer = Writer::create(&target, Options::default()).unwrap();
    let test = read(Split::Test);
    for split in Split::ALL {
        let mut rows = read(split);
        plant(split, &mut rows, &test);
        for row in rows {
            writer.push(split, row).unwrap();
        }
    }
    writer.finish().unwrap().publish().unwrap();
    target
}

#[test]
fn generations_accumulate_and_the_anchor_only_grows() {
    let world = World::new(0..80);
    let first = world.run("first", 0..30, &[]);
    let one = world.added(&first, &[]);
    assert_eq!((&one["number"], &one["made"]), (&json!(1), &json!("first")));
    assert_eq!(one["synthetic"]["rows"], 12, "{one}");
    assert_eq!(one["depth"], 1);
    let second = world.run("second", 40..80, &[]);
    let two = world.added(&second, &[]);
    assert_eq!(
        (&two["made"], &two["parent"]["number"], &two["parent"]["hash"]),
        (&json!("accumulate"), &json!(1), &one["hash"])
    );
    // What the second run does not have is carried over, and all of both is there.
    let (rows_one, rows_two) = (world.rows(1, "train"), world.rows(2, "train"));
    for origin in ["human", "synthetic"] {
        let (one, two) = (ids(&rows_one, origin), ids(&rows_two, origin));
        assert!(one.is_subset(&two) && two.len() > one.len(), "{origin}");
    }
    assert_eq!(two["anchor"]["carried"], one["anchor"]["rows"]);
    assert_eq!(two["synthetic"]["by_generation"], json!({"1": 12, "2": 12}));
    assert_eq!(two["synthetic"]["by_teacher"][0]["teacher"], "sim");
    // Held-out rows are the first generation's.
    for split in ["validation", "test"] {
        let held_out = world.rows(1, split);
        assert!(!held_out.is_empty());
        assert_eq!(world.rows(2, split), held_out);
    }
    let locked = std::fs::read_to_string(world.path("lineage/lineage.json")).unwrap();
    let locked: Value = serde_json::from_str(&locked).unwrap();
    assert_eq!(locked["test"]["rows"], world.rows(1, "test").len());
    let warnings = two["warnings"].to_string();
    assert!(warnings.contains("not held out by the lineage"), "{warnings}");
    // The same rows again are no generation.
    let why = world.refused(&second, &[]);
    assert!(
        why.contains("bring no row that generation 2 does not have"),
        "{why}"
    );
    world.whole();
    // A generation is a dataset for every other command.
    let generation = "lineage/generations/2";
    let measured = world
        .bench
        .gristmill(&["measure", generation, "--embed", "words", "--output", "json"])
        .unwrap();
    assert!(
        measured.status.success(),
        "{}",
        String::from_utf8_lossy(&measured.stderr)
    );
    let (code, shown, _) = world.generation(&["show", "lineage", "1"]);
    assert_eq!((code, &shown["hash"]), (Some(0), &one["hash"]));
    // The dashboard shows the lineage, given its folder or the one around it.
    for folder in [world.path("lineage"), world.path("")] {
        let ui = Ui::start(&world.bench, &folder);
        let mut browser = Browser::open(&ui.address);
        assert!(browser.get("/runs").body.contains("href=\"/generations\""));
        let page = browser.get("/generations").body;
        let rows =
            two["synthetic"]["rows"].as_u64().unwrap() + two["anchor"]["with_repeats"].as_u64().unwrap();
        let share = 100.0 * two["synthetic"]["share"].as_f64().unwrap();
        for wanted in [
            format!("Generation 2 has {rows} rows"),
            format!("{share:.1}\u{a0}%"),
            format!("<td>{}</td>", two["anchor"]["rows"]),
            "sim · ".to_owned(),
        ] {
            assert!(page.contains(&wanted), "{wanted}: {page}");
        }
    }
}

#[test]
fn the_anchor_grows_with_the_seeds_without_a_held_out_row() {
    let questions = questions::folder().unwrap().join("gsm8k/train.jsonl");
    let more = questions::first_lines(&questions, 80).unwrap();
    let world = World::of(&more);
    let first = questions::first_lines(&questions, 40).unwrap();
    world.added(&world.run_on("first", &first, &[]), &[]);
    // All seeds but those that the lineage holds out, as its documentation says.
    world.bench.write("all.jsonl", &more).unwrap();
    let held_out =
        ["validation", "test"].map(|split| format!("lineage/generations/1/data/{split}-*.parquet"));
    let args = [
        "decontaminate",
        "all.jsonl",
        "--against",
        &held_out[0],
        &held_out[1],
    ];
    let args = [&args[..], &["--out", "rest.jsonl", "--cosine", "off"]].concat();
    let sorted = world.bench.gristmill(&args).unwrap();
    assert!(
        sorted.status.success(),
        "{}",
        String::from_utf8_lossy(&sorted.stderr)
    );
    let rest = std::fs::read_to_string(world.path("rest.jsonl")).unwrap();
    let none = ["--set", "holdout.validation=0", "--set", "holdout.test=0"];
    let two = world.added(&world.run_on("second", &rest, &none), &["--embed", "words"]);
    let rows = rest.lines().count();
    assert!((50..=72).contains(&rows), "{rows}");
    // A row that is too close to a held-out one for the new seeds, and that the first generation trains on, stays: the anchor never shrinks.
    let carried = two["anchor"]["carried"].as_u64().unwrap();
    assert!(carried <= 1, "{two}");
    assert_eq!(
        two["anchor"]["rows"].as_u64().unwrap(),
        rows as u64 + carried,
        "{two}"
    );
    world.whole();
}

#[test]
fn a_smaller_anchor_and_replacing_leave_no_real_row_out() {
    let world = World::new(0..60);
    let run = world.run("first", 0..40, &[]);
    let one = world.added(&run, &[]);
    // Half of the real rows are missing from what comes next, and one of them was changed.
    let smaller = planted(&world, &run, "smaller", |split, rows, _| {
        if split == Split::Train {
            let real = rows.iter().filter(|row| row.provenance.depth == 0).count();
            rows.drain(..real / 2);
            rows[0].messages[1].content.push_str(" (checked)");
            for row in rows.iter_mut().filter(|row| row.provenance.depth > 0) {
                row.id.push_str("-again");
                row.messages[1].content.insert_str(0, "Let us see.\n");
            }
        }
    });
    let two = world.added(&smaller, &["--replace"]);
    assert_eq!(two["made"], "replace");
    let (before, after) = (
        ids(&world.rows(1, "train"), "human"),
        ids(&world.rows(2, "train"), "human"),
    );
    assert!(before.is_subset(&after));
    let rows = |value: &Value| value["anchor"]["rows"].as_u64().unwrap();
    assert_eq!(rows(&two), rows(&one) + 1, "the changed row is a new one");
    assert_eq!(two["anchor"]["added"], 1);
    assert_eq!(
        two["synthetic"]["by_generation"],
        json!({"2": 12}),
        "the parent's are replaced"
    );
    let warnings = two["warnings"].to_string();
    let real = 1.0 - two["synthetic"]["share"].as_f64().unwrap();
    let error = format!("about {:.2} times", 1.0 / (real * (2.0 - real)));
    assert!(
        warnings.contains("loses the tails") && warnings.contains(&error),
        "{warnings}"
    );
    assert!(warnings.contains("both are kept"), "{warnings}");
    // Nobody can put a real row into quarantine.
    let row = before.first().unwrap();
    let (code, _, said) = world.generation(&["quarantine", "lineage", "--where", &format!("row={row}")]);
    assert_eq!(code, Some(3), "{said}");
    assert!(
        said.contains("the anchor never shrinks") && said.contains(row.as_str()),
        "{said}"
    );
    world.whole();
}

#[test]
fn the_ceiling_leaves_synthetic_rows_out_and_says_which() {
    let world = World::new(0..40);
    let run = world.run("first", 0..40, &[]);
    let one = world.added(&run, &["--max-synthetic-share", "0.2"]);
    let (real, synthetic) = (
        one["anchor"]["with_repeats"].as_u64().unwrap(),
        one["synthetic"]["rows"].as_u64().unwrap(),
    );
    assert!(synthetic * 5 <= synthetic + real && synthetic > 0, "{one}");
    assert_eq!(one["ceiling"]["left_out"], 12 - synthetic);
    assert_eq!(one["ceiling"]["room"], 0);
    let of_concepts = one["ceiling"]["by_concept"].as_object().unwrap();
    let sum: u64 = of_concepts.values().map(|rows| rows.as_u64().unwrap()).sum();
    assert_eq!(sum, 12 - synthetic);
    let (_, listed, _) = world.generation(&["list", "lineage"]);
    assert_eq!(listed["settings"]["max_synthetic_share"], 0.2);
    world.whole();
}

#[test]
fn leaks_are_refused_wherever_they_are_planted() {
    let questions = questions::folder().unwrap().join("gsm8k/train.jsonl");
    let questions = questions::first_lines(&questions, 40).unwrap();
    let world = World::of(&questions);
    let run = world.run_on("first", &questions, &[]);
    // Before there is a lineage: a row that is validation and test row at once.
    let shared = planted(&world, &run, "shared", |split, rows, test| {
        if split == Split::Validation {
            rows.push(test[0].clone());
        }
    });
    let why = world.refused(&shared, &[]);
    assert!(
        why.contains("validation row") && why.contains("they are the same row"),
        "{why}"
    );
    world.added(&run, &[]);
    let test = world.rows(1, "test");
    let named = |why: &str, kind: &str, how: &str| {
        let held_out = test[0]["id"].as_str().unwrap();
        for words in [kind, how, held_out, "1 row holds a held-out one"] {
            assert!(why.contains(words), "{words}: {why}");
        }
    };
    // A training row like a held-out one, by what it holds.
    let synthetic = |rows: &mut Vec<DatasetRow>, change: &dyn Fn(&mut DatasetRow)| {
        let mut row = rows.pop().unwrap();
        assert_eq!(row.provenance.depth, 1);
        change(&mut row);
        rows.push(row);
    };
    let in_train = |name: &str, change: &dyn Fn(&mut DatasetRow, &DatasetRow)| {
        planted(&world, &run, name, |split, rows, test| {
            if split == Split::Train {
                synthetic(rows, &|row| change(row, &test[0]));
            }
        })
    };
    let verbatim = in_train("verbatim", &|row, test| {
        row.messages[0].content = format!("Tell me: {}", test.messages[0].content);
    });
    named(
        &world.refused(&verbatim, &[]),
        "synthetic row",
        "shared words cover 100 %",
    );
    let same = in_train("same", &|row, test| {
        row.messages[0].content = test.messages[0].content.to_uppercase();
    });
    named(
        &world.refused(&same, &[]),
        "synthetic row",
        "they have the same words",
    );
    let descends = in_train("descends", &|row, test| {
        row.provenance.parents = vec![test.id.clone()];
    });
    named(
        &world.refused(&descends, &[]),
        "synthetic row",
        "it was made from that one",
    );
    let reworded = in_train("reworded", &|row, test| {
        // The same words, of which no eight follow each other as they did.
        let words: Vec<&str> = test.messages[0].content.split_whitespace().collect();
        let turned: Vec<String> = words.chunks(5).rev().map(|part| part.join(" ")).collect();
        row.messages[0].content = turned.join(" ");
    });
    let why = world.refused(&reworded, &["--embed", "words"]);
    named(&why, "synthetic row", "cosine");
    let anchor = planted(&world, &run, "anchor", |split, rows, test| {
        if split == Split::Train {
            rows.insert(0, test[0].clone());
        }
    });
    let why = world.refused(&anchor, &["--quarantine", "leaks"]);
    named(&why, "anchor row", "they are the same row");
    assert!(why.contains("a real row serves one purpose"), "{why}");
    // A second run that draws other held-out rows from the same seeds trains on those of the lineage.
    let other = world.run_on("other", &questions, &["--set", "holdout.seed=9"]);
    let why = world.refused(&other, &[]);
    assert!(
        why.contains("they are the same row") && why.contains("rows hold a held-out one"),
        "{why}"
    );
    // Synthetic rows can be left out, on the record.
    let two = world.added(&verbatim, &["--quarantine", "leaks", "--cause", "copied"]);
    assert_eq!(
        two["quarantine"],
        json!([{"rule": "leaks", "cause": "copied", "since": 2, "rows": 1}])
    );
    world.whole();
}

#[test]
fn a_file_that_was_changed_is_refused_and_named() {
    let world = World::new(0..60);
    let run = world.run("first", 0..30, &[]);
    let table = run.join("dataset/jsonl/train.jsonl");
    let before = std::fs::read_to_string(&table).unwrap();
    std::fs::write(&table, before.replacen("sum", "Sum", 1) + "\n").unwrap();
    let why = world.refused(&run, &[]);
    assert!(
        why.contains("`jsonl/train.jsonl` was changed after it was written"),
        "{why}"
    );
    std::fs::write(&table, &before).unwrap();
    world.added(&run, &[]);
    // Nor is anything built on a generation that was changed, and the check says what differs.
    let stray = world.path("lineage/generations/1/data/train-00001-of-00002.parquet");
    std::fs::copy(
        world.path("lineage/generations/1/data/train-00000-of-00001.parquet"),
        &stray,
    )
    .unwrap();
    let more = world.run("more", 30..60, &[]);
    let why = world.refused(&more, &[]);
    assert!(
        why.contains("train-00001-of-00002.parquet") && why.contains("never changed"),
        "{why}"
    );
    let (code, checked, _) = world.generation(&["check", "lineage", "--embed", "off"]);
    assert_eq!(code, Some(3));
    assert_eq!(checked["whole"], false, "{checked}");
    assert!(
        checked["faults"].to_string().contains("train-00001-of-00002"),
        "{checked}"
    );
    std::fs::remove_file(&stray).unwrap();
    // A locked row that somebody takes out of the lineage's file.
    let file = world.path("lineage/lineage.json");
    let text = std::fs::read_to_string(&file).unwrap();
    let mut lineage: Value = serde_json::from_str(&text).unwrap();
    lineage["test"]["hashes"].as_array_mut().unwrap().pop();
    std::fs::write(&file, lineage.to_string()).unwrap();
    let (code, checked, _) = world.generation(&["check", "lineage", "--embed", "off"]);
    assert_eq!(code, Some(3));
    assert!(
        checked["faults"]
            .to_string()
            .contains("test rows are not those that the lineage locked"),
        "{checked}"
    );
    std::fs::write(&file, text).unwrap();
    world.added(&more, &[]);
    world.whole();
}

#[test]
fn rows_of_a_cause_go_into_quarantine_and_do_not_come_back() {
    let world = World::new(0..60);
    let run = world.run("first", 0..30, &[]);
    world.added(&run, &[]);
    let teacher = &world.rows(1, "train");
    let made = teacher
        .iter()
        .find(|row| row["provenance"]["origin"] == "synthetic")
        .unwrap();
    let id = made["id"].as_str().unwrap().to_owned();
    world.bench.write("bad.txt", &format!("{id}\n")).unwrap();
    let (code, two, said) = world.generation(&[
        "quarantine",
        "lineage",
        "--rows",
        "bad.txt",
        "--cause",
        "read by a person",
    ]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(
        (&two["made"], &two["synthetic"]["rows"], &two["parent"]["number"]),
        (&json!("quarantine"), &json!(11), &json!(1))
    );
    assert!(!ids(&world.rows(2, "train"), "synthetic").contains(&id));
    assert!(
        ids(&world.rows(1, "train"), "synthetic").contains(&id),
        "generation 1 is as it was"
    );
    // Added again, the run brings the row back to nobody.
    let more = world.run("more", 30..60, &[]);
    let (code, three, said) = world.generation(&[
        "add",
        "lineage",
        run.to_str().unwrap(),
        more.to_str().unwrap(),
        "--embed",
        "off",
    ]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(three["synthetic"]["rows"], 23, "{three}");
    assert_eq!(three["quarantine"][0]["cause"], "read by a person");
    // All of one version of a teacher, and of what it makes later.
    let version = made["provenance"]["teacher_version"].as_str().unwrap();
    let rule = format!("teacher=sim@{version}");
    let (code, four, said) = world.generation(&["quarantine", "lineage", "--where", &rule]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(
        (&four["synthetic"]["rows"], &four["depth"]),
        (&json!(0), &json!(0))
    );
    assert_eq!(four["anchor"]["rows"], three["anchor"]["rows"]);
    let why = world.refused(&more, &[]);
    assert!(why.contains("bring no row"), "{why}");
    let (code, _, said) = world.generation(&["quarantine", "lineage", "--where", "techer=sim"]);
    assert_eq!(code, Some(3));
    assert!(said.contains("did you mean `teacher`?"), "{said}");
    let (code, _, said) = world.generation(&["quarantine", "lineage", "--where", "teacher=nobody"]);
    assert_eq!(code, Some(3));
    assert!(said.contains("no synthetic row of generation 4"), "{said}");
    world.whole();
}

#[test]
fn deeper_teachers_are_refused_until_they_are_allowed() {
    let world = World::new(0..60);
    let run = world.run("first", 0..30, &[]);
    world.added(&run, &[]);
    let of_student = ["--set", "teacher.lineage_depth=1"];
    let args = [&["plan", "first.yaml"], &of_student[..]].concat();
    let refused = world.bench.gristmill(&args).unwrap();
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(3), "{said}");
    assert!(said.contains("anchor.max_depth: 2"), "{said}");
    let allowed = [&of_student[..], &["--set", "anchor.max_depth=2"]].concat();
    let deep = world.run("deep", 30..60, &allowed);
    let why = world.refused(&deep, &[]);
    assert!(
        why.contains("12 rows have up to 2 synthetic ancestors") && why.contains("--max-depth 2"),
        "{why}"
    );
    let two = world.added(&deep, &["--max-depth", "2"]);
    assert_eq!(
        (&two["depth"], &two["self_improvement"]),
        (&json!(2), &json!(true))
    );
    assert_eq!(two["ceiling"]["max_synthetic_share"], 0.9);
    world.whole();
}

#[test]
fn whoever_is_killed_leaves_the_lineage_whole() {
    let world = World::new(0..90);
    let run = world.run("first", 0..30, &[]);
    let more = world.run("more", 30..60, &[]);
    world.added(&run, &[]);
    // Killed at all sorts of moments: the lineage has one generation or two, and each is whole.
    for micros in (0..16).map(|step| step * 12_000) {
        let args = [
            "generation",
            "add",
            "lineage",
            more.to_str().unwrap(),
            "--embed",
            "off",
        ];
        let mut child = world.bench.command(&args).unwrap();
        let mut child = child.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_micros(micros) && child.try_wait().unwrap().is_none() {
            std::hint::spin_loop();
        }
        let _gone = child.kill();
        child.wait().unwrap();
        world.whole();
        if world.listed() == 2 {
            break;
        }
    }
    // Killed between the two writes: the folder of the next generation is there, and the lineage does not know it.
    let number = world.listed() + 1;
    let orphan = world.path(&format!("lineage/generations/{number}"));
    let dataset = |name: &Path| {
        std::fs::create_dir_all(name.join("data")).unwrap();
        std::fs::write(name.join("data/train-00000-of-00001.parquet"), "half").unwrap();
    };
    dataset(&orphan);
    dataset(&world.path(&format!("lineage/generations/.{number}.gristmill-new")));
    world.whole();
    let last = match number {
        2 => more,
        _ => world.run("last", 60..90, &[]),
    };
    assert_eq!(world.added(&last, &[])["number"], number);
    world.whole();
    assert_eq!(world.listed(), number);
}
