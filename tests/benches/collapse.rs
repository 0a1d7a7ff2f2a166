//! Replace against accumulate: students that are trained from scratch on what the student before them answered, generation by generation.
//!
//!     cargo bench -p gristmill-tests --bench collapse [-- FIRST_SEED LAST_SEED [STEPS]]
//!
//! The world has facts with a long tail (`tests/src/facts.rs`). Student 1 is trained on real rows and on those of a teacher that is always
//! right. From then on student N is the teacher of generation N + 1: new questions are drawn from a pool with the same long tail, student N
//! answers them, and nothing checks the answers. Three lines of students begin with student 1:
//!
//! - `accumulate`: `generation add`, as it is by default.
//! - `newest`: `generation add --replace`, which leaves the parent's synthetic rows out, and never its real ones.
//! - `replace`: nothing but the newest run's synthetic rows. A lineage does not do this; a dataset is written with these rows alone.
//!
//! All students begin with the same weights, see each of their rows at least eight times, and take at least STEPS steps; the same real rows
//! choose the best of these (validation).
//! Depth, ceiling and least accuracy are set as by a user who does not heed them. Each student is asked the test rows of the first run in
//! three formats.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says what it saw"
)]

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use gristmill_dataset::{DatasetRow, Options, Origin, Split, Writer, read_rows, split_files};
use gristmill_tests::facts::World;
use gristmill_tests::study::{Study, asked_for};
use serde_json::Value;

const PLACES: usize = 24;
const GENERATIONS: usize = 5;
/// Real wordings of a fact about the most frequent place, and the fewest of any.
const REAL: (usize, usize) = (40, 10);
/// Wordings of the same that may be asked for synthetic rows.
const POOL: usize = 56;
/// The last ranks of the places that are asked about most, less and least.
const RANKS: [usize; 3] = [4, 14, PLACES];
/// Synthetic rows of a run.
const ROWS: usize = 800;

struct Lines {
    study: Study,
    /// The run whose test rows all students are asked.
    first: String,
    steps: u64,
    seed: u64,
}

impl Lines {
    fn new(seed: u64, steps: u64) -> Self {
        let world = World::new(PLACES, seed);
        let real = world.zipf(0, REAL.0, REAL.1);
        let pool = world.zipf(REAL.0.max(REAL.1), POOL, 1);
        let study = Study::new(&real, &pool, seed).unwrap();
        let mut lines = Self {
            study,
            first: String::new(),
            steps,
            seed,
        };
        lines.first = lines.run("first", None);
        lines
    }

    /// A run whose rows the simulated teacher answers, or else the student of a generation.
    fn run(&self, name: &str, teacher: Option<(&str, usize)>) -> String {
        let url = self.study.bench.url();
        let strong = format!("{{base_url: {url}, model: strong, price: {{input: 0, output: 0}}}}");
        let (teacher, more) = match teacher {
            None => (strong.clone(), String::new()),
            Some((student, depth)) => (
                format!(
                    "{{local: ./{student}, prompt_form: raw, related_to_student: true, lineage_depth: {depth}}}"
                ),
                format!(
                    "student: {{model: tiny, min_accuracy: 0.01, questions: 20}}\nanchor: {{self_improvement: true, max_synthetic_share: 0.9, \
                     max_depth: {}}}\n",
                    depth + 1
                ),
            ),
        };
        let prompts = match more.is_empty() {
            true => "",
            false => ", prompts: {answer: bare.txt}",
        };
        let job = format!(
            "seeds: {{path: seeds.jsonl, fields: {{concept: concept}}}}\nholdout: {{validation: 0.1, test: 0.5}}\nteacher: {teacher}\njudge: {strong}\nembed: {{model: off}}\n\
             generate: {{recipes: [./asked.yaml], reasoning: false, rows: {ROWS}, pilot: 0, rounds: 4, max_tokens: 64, temperature: 1, \
             top_p: 1{prompts}}}\nfilter: {{validator: {{kind: text}}}}\nbudget: {{calls: 20000}}\n{more}"
        );
        self.study.run(name, &job).unwrap()
    }

    fn generation(&self, lineage: &str, run: &str, number: usize, more: &[&str]) -> String {
        let depth = number.to_string();
        let args = [
            "generation",
            "add",
            lineage,
            run,
            "--embed",
            "off",
            "--max-depth",
            &depth,
            "--max-synthetic-share",
            "0.9",
        ];
        let added = self.study.bench.json(&[&args, more].concat()).unwrap();
        println!(
            "    {lineage} {number}: {} real rows, {} synthetic, depth {}",
            added["anchor"]["rows"], added["synthetic"]["rows"], added["depth"]
        );
        format!("{lineage}/generations/{number}")
    }

    /// Trains the student of a dataset and asks it the first run's test rows; returns the result's folder.
    fn student(&self, dataset: &str, name: &str) -> String {
        let begun = Instant::now();
        let told = self.study.train(dataset, name, self.steps).unwrap();
        let trained = begun.elapsed();
        let result = self.study.evaluate(&self.first, name, &[]).unwrap();
        println!(
            "    {name}: validation loss {} at step {}, {:.0} s to train, {:.0} s to ask",
            told["validation_loss"],
            told["best_step"],
            trained.as_secs_f64(),
            (begun.elapsed() - trained).as_secs_f64()
        );
        result
    }

    /// A dataset of a run's synthetic rows, with its validation rows.
    fn synthetic_alone(&self, run: &str, name: &str) -> String {
        let rows = |split: Split| -> Vec<DatasetRow> {
            let files = split_files(&Path::new(run).join("dataset"), split).unwrap();
            files
                .iter()
                .flat_map(|file| read_rows(file).unwrap())
                .map(Result::unwrap)
                .collect()
        };
        let mut writer = Writer::create(&self.study.path(name), Options::default()).unwrap();
        let synthetic = rows(Split::Train)
            .into_iter()
            .filter(|row| row.provenance.origin == Origin::Synthetic);
        synthetic.for_each(|row| writer.push(Split::Train, row).unwrap());
        let validation = rows(Split::Validation).into_iter();
        validation.for_each(|row| writer.push(Split::Validation, row).unwrap());
        writer.finish().unwrap().publish().unwrap();
        name.to_owned()
    }

    /// The results of one line of students, generation by generation.
    fn line(&self, arm: Arm, first: &str) -> Vec<String> {
        let arm_name = arm.name();
        let lineage = format!("lineage-{arm_name}");
        if arm != Arm::Replace {
            self.generation(&lineage, &self.first, 1, &[]);
        }
        let mut results = vec![first.to_owned()];
        let mut teacher = "student-1".to_owned();
        for number in 2..=GENERATIONS {
            let name = format!("{arm_name}-{number}");
            let run = self.run(&format!("run-{name}"), Some((&teacher, number - 1)));
            let dataset = match arm {
                Arm::Accumulate => self.generation(&lineage, &run, number, &[]),
                Arm::Newest => self.generation(&lineage, &run, number, &["--replace"]),
                Arm::Replace => self.synthetic_alone(&run, &format!("alone-{number}")),
            };
            teacher = format!("student-{name}");
            results.push(self.student(&dataset, &teacher));
        }
        results
    }

    fn gate(&self, arm: Arm, number: usize, result: &str, before: &str) -> String {
        let lineage = format!("lineage-{}", arm.name());
        let generation = number.to_string();
        let rules = match arm {
            Arm::Replace => vec!["--set", "anchor_kept=false", "--set", "no_leaks=false"],
            _ => vec![
                "--lineage",
                &lineage,
                "--generation",
                &generation,
                "--embed",
                "off",
            ],
        };
        let args = ["gate", result, "--before", before, "--output", "json"];
        let output = self.study.bench.gristmill(&[&args[..], &rules].concat()).unwrap();
        match output.status.code() {
            Some(0) => "passes".to_owned(),
            Some(7) => "fails".to_owned(),
            Some(8) => "undecided".to_owned(),
            _ => panic!("{}", String::from_utf8_lossy(&output.stderr)),
        }
    }

    /// Right answers in percent about the places asked about most, less and least, by their rank in the world. The product's `tail` is not
    /// that: of places with as many real rows, it takes those whose names come first.
    fn by_rank(&self, result: &str) -> [f64; 3] {
        let lines = |file: &str| self.study.lines(&format!("{result}/{file}")).unwrap();
        let places = World::new(PLACES, self.seed).places();
        let part = |item: &Value| {
            let place = item["concepts"][0].as_str().unwrap();
            let rank = places.iter().position(|name| *name == place).unwrap();
            RANKS.iter().position(|most| rank < *most).unwrap()
        };
        let items: BTreeMap<String, usize> = lines("items.jsonl")
            .iter()
            .map(|item| (item["item"].as_str().unwrap().to_owned(), part(item)))
            .collect();
        let mut counts = [(0_u32, 0_u32); 3];
        for answer in lines("answers.jsonl") {
            let (right, all) = &mut counts[items[answer["item"].as_str().unwrap()]];
            *right += u32::from(answer["grade"]["result"] == "correct");
            *all += 1;
        }
        counts.map(|(right, all)| 100.0 * f64::from(right) / f64::from(all))
    }

    /// Prints what became of a line.
    fn table(&self, arm: Arm, results: &[String]) {
        let args: Vec<&str> = ["collapse"]
            .into_iter()
            .chain(results.iter().map(String::as_str))
            .collect();
        let args = [&args[..], &["--output", "json"]].concat();
        let output = self.study.bench.gristmill(&args).unwrap();
        assert!(
            matches!(output.status.code(), Some(0 | 7)),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let told: Value = serde_json::from_slice(&output.stdout).unwrap();
        for (place, report) in told["generations"].as_array().unwrap().iter().enumerate() {
            let number = place + 2;
            println!(
                "{:>4} {:<10} {number:>3} right by rank 1-4, 5-14, 15-24: {:.1?}",
                self.seed,
                arm.name(),
                self.by_rank(&results[place + 1])
            );
            let gate = self.gate(arm, number, &results[place + 1], &results[0]);
            for part in ["all", "head", "tail"] {
                let of = match part {
                    "all" => &report["whole"],
                    part => &report["parts"][part],
                };
                let found = &of["comparison"];
                let percent = |name: &str| 100.0 * found[name].as_f64().unwrap();
                let interval = |end: &str| 100.0 * found["interval"][end].as_f64().unwrap();
                println!(
                    "{:>4} {:<10} {number:>3} {part:<4} {:>5} {:>6.1} {:>6.1} {:>6.1} ({:+.1} to {:+.1}) {:>6.1} {:>6.1}  {:<28} {}",
                    self.seed,
                    arm.name(),
                    found["items"],
                    percent("before"),
                    percent("after"),
                    percent("change"),
                    interval("low"),
                    interval("high"),
                    percent("form_before"),
                    percent("form_after"),
                    stage(&of["stage"]),
                    if part == "all" { gate.as_str() } else { "" },
                );
            }
        }
    }
}

fn stage(told: &Value) -> String {
    match told.as_str() {
        Some("kept") => "A".to_owned(),
        Some("confidently_wrong") => "B".to_owned(),
        Some("incoherent") => "C".to_owned(),
        Some(other) => other.to_owned(),
        None => match told["inconclusive"]["items_needed"].as_u64() {
            Some(items) => format!("inconclusive, {items} items"),
            None => format!("inconclusive, {}", told["inconclusive"]["because"]),
        },
    }
}

/// How a line of students is trained.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Arm {
    Accumulate,
    Newest,
    Replace,
}

impl Arm {
    fn name(self) -> &'static str {
        match self {
            Self::Accumulate => "accumulate",
            Self::Newest => "newest",
            Self::Replace => "replace",
        }
    }
}

fn main() {
    let (seeds, steps) = asked_for().unwrap();
    println!(
        "{:>4} {:<10} {:>3} {:<4} {:>5} {:>6} {:>6} change (95 %)             form   after  stage                        gate",
        "seed", "arm", "gen", "part", "items", "first", "after"
    );
    for seed in seeds {
        let lines = Lines::new(seed, steps);
        let dataset = lines.generation("lineage-first", &lines.first.clone(), 1, &[]);
        let first = lines.student(&dataset, "student-1");
        for arm in [Arm::Replace, Arm::Accumulate, Arm::Newest] {
            let results = lines.line(arm, &first);
            lines.table(arm, &results);
        }
    }
}
