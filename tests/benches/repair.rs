//! Faults planted in a training set, found by `gristmill trace`, and repaired by what `gristmill mend` writes, with students really trained.
//!
//!     cargo bench -p gristmill-tests --bench repair [-- FIRST_SEED LAST_SEED [STEPS]]
//!
//! A world of facts (`tests/src/facts.rs`) about twenty places. Seeds and teachers leave three of them out. One place is new in the second
//! run, for which the teacher answers in another version, and that version is wrong about the place, always in the same way. Nothing checks
//! the answers. Held-out rows ask about every place alike, in wordings of their own, and come from a dataset of held-out rows alone.
//!
//! run → `generation add` → `train` → `eval --validation` → `trace --eval --all` → `mend` → run the job that it wrote, with a version of the
//! teacher that is right → `generation add --quarantine` → `train` → `eval`; the test rows are asked at the very end.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says what it saw"
)]

use std::collections::BTreeMap;
use std::path::Path;

use gristmill_dataset::{DatasetRow, Options, Origin, Provenance, Split, Writer};
use gristmill_domain::dialogue::{Speaker, Turn};
use gristmill_tests::facts::{Asked, WORDINGS, World, seeds};
use gristmill_tests::sim::{Config, Quality};
use gristmill_tests::study::{Study, asked_for, recipe, teacher};
use serde_json::Value;

const PLACES: usize = 20;
/// Ranks of the places that nobody asks about.
const WITHHELD: [usize; 3] = [4, 9, 14];
/// Rank of the place that the second version is wrong about.
const WRONG: usize = 6;
/// Real wordings of a fact about the most frequent place, and the fewest of any.
const REAL: (usize, usize) = (20, 3);
/// The most frequent place's wordings that teachers ask in begin here, and the held-out ones of all places behind them.
const POOL: (usize, usize) = (20, 40);
/// Held-out wordings of each fact, for validation and for test.
const HELD_OUT: [(Split, usize); 2] = [(Split::Validation, 2), (Split::Test, 3)];
/// Synthetic rows of the two runs.
const ROWS: [u64; 2] = [500, 250];

/// Which fault a place has.
fn group(place: &str, world: &World) -> &'static str {
    let rank = world.places().iter().position(|name| *name == place).unwrap();
    match rank {
        _ if WITHHELD.contains(&rank) => "withheld",
        WRONG => "wrong topic",
        _ => "others",
    }
}

/// What `trace` says of an item of a group, where it finds the cause.
fn expected(group: &str) -> Option<&'static str> {
    match group {
        "withheld" => Some("never_covered"),
        "wrong topic" => Some("covered_wrongly"),
        _ => None,
    }
}

fn ranks(asked: Vec<Asked>, keep: impl Fn(usize) -> bool) -> Vec<Asked> {
    asked.into_iter().filter(|asked| keep(asked.fact.rank)).collect()
}

/// A dataset that holds nothing but held-out rows, the same number about each fact.
fn held_out(folder: &Path, world: &World) {
    let mut writer = Writer::create(folder, Options::default()).unwrap();
    let mut wording = WORDINGS;
    for (split, wordings) in HELD_OUT {
        for _ in 0..wordings {
            wording -= 1;
            for (number, fact) in world.facts().iter().enumerate() {
                let id = format!("{:032x}", (wording + 1) * 1_000_000 + number);
                let row = DatasetRow {
                    id: id.clone(),
                    messages: vec![
                        Turn::new(Speaker::User, fact.question(wording)),
                        Turn::new(Speaker::Assistant, fact.answer()),
                    ],
                    tools: Vec::new(),
                    rejected: None,
                    reasoning: None,
                    provenance: Provenance {
                        origin: Origin::Human,
                        seed_id: Some(id),
                        concepts: vec![fact.place().to_owned()],
                        ..Provenance::default()
                    },
                };
                writer.push(split, row).unwrap();
            }
        }
    }
    writer.finish().unwrap().publish().unwrap();
}

/// Right answers and all, by group.
type Groups = BTreeMap<&'static str, (u64, u64)>;

struct Repair {
    world: World,
    study: Study,
}

impl Repair {
    fn job(&self, name: &str, url: &str, asked: &[Asked], rows: u64) -> String {
        self.study
            .bench
            .write(&format!("{name}.jsonl"), &seeds(asked))
            .unwrap();
        let mut places: Vec<&str> = asked.iter().map(|asked| asked.fact.place()).collect();
        places.dedup();
        format!(
            "seeds: {{path: {name}.jsonl, fields: {{concept: concept}}}}\nholdout: {{validation: 0, test: 0}}\n\
             teacher: {{base_url: {url}, model: t, price: {{input: 0.15, output: 0.6}}}}\nembed: {{model: off}}\n\
             concepts: {{list: [{}], assign: model, choices: {}, steer: false, accept: narrow}}\n\
             generate: {{recipes: [./told.yaml], reasoning: false, rows: {rows}, pilot: 0, rounds: 4, max_tokens: 64}}\n\
             filter: {{validator: {{kind: text}}}}\nanchor: {{max_synthetic_share: 0.95}}\nbudget: {{usd: 5}}\n",
            places.join(", "),
            places.len()
        )
    }

    fn lines(&self, result: &str, file: &str) -> Vec<Value> {
        self.study.lines(&format!("{result}/{file}")).unwrap()
    }

    /// The group of each item of a result.
    fn items(&self, result: &str) -> BTreeMap<String, &'static str> {
        let items = self.lines(result, "items.jsonl").into_iter();
        let of = |item: Value| {
            let concept = item["concepts"][0].as_str().unwrap().to_owned();
            (
                item["item"].as_str().unwrap().to_owned(),
                group(&concept, &self.world),
            )
        };
        items.map(of).collect()
    }

    /// Right answers of a model, by group.
    fn groups(&self, result: &str, role: &str) -> Groups {
        let items = self.items(result);
        let told = self.study.figures(result).unwrap();
        let models = told["models"].as_array().unwrap().iter();
        let model = models.clone().find(|model| model["role"] == role).unwrap()["model"].clone();
        let mut groups = Groups::new();
        for answer in self.lines(result, "answers.jsonl") {
            if answer["model"] == model {
                let (right, all) = groups.entry(items[answer["item"].as_str().unwrap()]).or_default();
                *right += u64::from(answer["grade"]["result"] == "correct");
                *all += 1;
            }
        }
        groups
    }

    /// What `trace` finds behind the wrong answers of a result, by group and verdict.
    fn traced(&self, result: &str, dataset: &str) -> Value {
        let args = [
            "trace",
            "--eval",
            result,
            "--all",
            "--dataset",
            dataset,
            "--embed",
            "words",
        ];
        let told = self.study.bench.json(&args).unwrap();
        let items = self.items(result);
        let mut found: BTreeMap<(&str, String), u64> = BTreeMap::new();
        for item in told["items"].as_array().unwrap() {
            let group = items[item["item"].as_str().unwrap()];
            *found
                .entry((group, item["verdict"].as_str().unwrap().to_owned()))
                .or_default() += 1;
        }
        for ((group, verdict), count) in &found {
            let of: u64 = found
                .iter()
                .filter(|((other, _), _)| other == group)
                .map(|(_, n)| n)
                .sum();
            let wanted = match expected(group) {
                Some(wanted) if wanted == verdict => "  <- planted",
                _ => "",
            };
            println!("    {group:<12} {verdict:<26} {count:>4} of {of} wrong items{wanted}");
        }
        for cause in told["causes"].as_array().unwrap() {
            println!(
                "    cause {}: {} wrong rows, {} right; p = {}",
                cause["cause"],
                cause["wrong"].as_array().map_or(0, Vec::len),
                cause["right"],
                cause["p"]
            );
        }
        told
    }

    fn compared(&self, result: &str, what: &str) {
        let (before, after) = (self.groups(result, "previous"), self.groups(result, "student"));
        for (group, (right, all)) in &after {
            let (was, of) = before[group];
            println!(
                "    {what:<11} {group:<12} {:>5.1} % -> {:>5.1} %  ({of} answers)",
                100.0 * was as f64 / of as f64,
                100.0 * *right as f64 / *all as f64
            );
        }
        let told = self.study.figures(result).unwrap();
        let comparisons = told["comparisons"].as_array().unwrap();
        let overall = &comparisons.iter().find(|one| one["role"] == "previous").unwrap()["overall"];
        let percent = |value: &Value| 100.0 * value.as_f64().unwrap();
        println!(
            "    {what:<11} all          {:>5.1} % -> {:>5.1} %, change {:+.1} points ({:+.1} to {:+.1}), p = {:.2e}",
            percent(&overall["before"]),
            percent(&overall["after"]),
            percent(&overall["change"]),
            percent(&overall["interval"]["low"]),
            percent(&overall["interval"]["high"]),
            overall["p_value"].as_f64().unwrap()
        );
    }

    fn spent(&self, run: &str) -> f64 {
        let told = self.study.bench.json(&["budget", run]).unwrap();
        told["total"]["spent"]["usd_micros"].as_f64().unwrap() / 1e6
    }
}

fn repair(seed: u64, steps: u64) {
    let world = World::new(PLACES, seed);
    let real = world.zipf(0, REAL.0, REAL.1);
    let pool = world.zipf(POOL.0, POOL.1, 6);
    let wrong = world.places()[WRONG];
    let known = |rank: usize| !WITHHELD.contains(&rank);
    // The first version never met the wrong topic; the second run has it, and some of the other places.
    let first = |rank: usize| known(rank) && rank != WRONG;
    let second = |rank: usize| rank == WRONG || known(rank) && rank > 10 && rank % 2 == 1;
    let version = |name: &str, pool: &[Asked], known: &[Asked], wrong_about: &[&str], seed| {
        let config = Config {
            seed,
            model: name.to_owned(),
            quality: Quality::perfect(),
            ..Config::default()
        };
        teacher(known, pool, wrong_about, config).unwrap()
    };
    let old = version(
        "t-2026-01",
        &ranks(pool.clone(), first),
        &ranks(real.clone(), first),
        &[],
        seed,
    );
    let new = version(
        "t-2026-02",
        &ranks(pool.clone(), second),
        &real,
        &[wrong],
        seed + 100,
    );
    let mended = version("t-2026-03", &pool, &real, &[], seed + 200);
    let study = Study::of(old, seed).unwrap();
    let told = recipe("told", "teacher", "new_question", "  - tag: concept\n");
    study.bench.write("told.yaml", &told).unwrap();
    held_out(&study.path("held-out"), &world);
    let repair = Repair { world, study };
    let url = repair.study.bench.url();
    let runs = [
        ("one", url, ranks(real.clone(), first), ROWS[0]),
        ("two", new.url(), ranks(real, second), ROWS[1]),
    ];
    let runs = runs.map(|(name, url, asked, rows)| {
        let run = repair
            .study
            .run(name, &repair.job(name, &url, &asked, rows))
            .unwrap();
        println!(
            "    run {name}: {} seeds, ${:.4}",
            asked.len(),
            repair.spent(&run)
        );
        run
    });
    let add = |more: &[&str]| {
        let added = repair
            .study
            .bench
            .json(&[&["generation", "add", "lineage"], more, &["--embed", "off"]].concat());
        let added = added.unwrap();
        println!(
            "    generation {}: {} real rows, {} synthetic",
            added["number"], added["anchor"]["rows"], added["synthetic"]["rows"]
        );
    };
    add(&["held-out", &runs[0], &runs[1]]);
    let dataset = ["lineage/generations/1", "lineage/generations/2"];
    repair.study.train(dataset[0], "student-1", steps).unwrap();
    let result = repair
        .study
        .evaluate(dataset[0], "student-1", &["--validation"])
        .unwrap();
    repair.traced(&result, dataset[0]);
    let mend = [
        "mend",
        &result,
        "--dataset",
        dataset[0],
        "--embed",
        "words",
        "--budget",
        "1usd",
    ];
    let written = repair.study.bench.json(&mend).unwrap();
    println!(
        "    mend: {} rows wanted of {} concepts, {} rows in quarantine",
        written["rows"],
        written["gaps"].as_array().unwrap().len(),
        written["quarantined"]
    );
    // The same teacher at another address, in a version that is right.
    let job = std::fs::read_to_string(repair.study.path("mend/job.yaml")).unwrap();
    repair
        .study
        .bench
        .write("mend/job.yaml", &job.replace(&new.url(), &mended.url()))
        .unwrap();
    let run = repair.study.run_file("mended", "mend/job.yaml").unwrap();
    println!("    the job that mends: ${:.4}", repair.spent(&run));
    match written["quarantined"].as_u64() {
        Some(0) => add(&[&run]),
        _ => add(&[&run, "--quarantine", "rows=mend/quarantine.jsonl"]),
    }
    repair.study.train(dataset[1], "student-2", steps).unwrap();
    for (what, more) in [("validation", &["--validation"][..]), ("test", &[])] {
        let more = [more, &["--previous", "student-1"]].concat();
        let result = repair.study.evaluate(dataset[1], "student-2", &more).unwrap();
        repair.compared(&result, what);
    }
}

fn main() {
    let (seeds, steps) = asked_for().unwrap();
    for seed in seeds {
        println!("seed {seed}");
        repair(seed, steps);
    }
}
