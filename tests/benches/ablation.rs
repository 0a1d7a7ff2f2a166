//! Whether `gristmill ablate` tells a filter that matters from one that does not, with students really trained.
//!
//!     cargo bench -p gristmill-tests --bench ablation [-- FIRST_SEED LAST_SEED [STEPS]]
//!
//! A world of facts (`tests/src/facts.rs`). The teacher answers nearly half of its questions wrongly, and a judge that errs in one of twenty
//! answers rejects them: without it, a student learns what is wrong. A condition of the recipe then drops one of twenty that the judge let
//! pass, by the length of the question, which says nothing of the answer: the student is neither better nor worse for it. Each arm is trained five times.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says what it saw"
)]

use std::time::Instant;

use gristmill_tests::facts::{World, seeds};
use gristmill_tests::sim::{Config, Quality};
use gristmill_tests::study::{Study, asked_for, recipe, teacher, training};
use serde_json::Value;

const PLACES: usize = 10;
/// Synthetic rows.
const ROWS: u64 = 400;
/// Trainings of each arm.
const TRAININGS: &str = "5";
const FILTERS: [&str; 2] = ["judge", "recipe"];
/// What follows the teacher's answer.
const FILTERED: &str = "  - judge: grade\n  - check: (question | length) % 20 > 0\n";

/// A run with both filters; returns its folder.
fn run(study: &Study, world: &World) -> String {
    let bench = &study.bench;
    let real = world.zipf(0, 0, 6);
    bench.write("seeds.jsonl", &seeds(&real)).unwrap();
    bench
        .write("graded.yaml", &recipe("graded", "judge", "ask.txt", FILTERED))
        .unwrap();
    let model = format!(
        "base_url: {}, model: t, price: {{input: 0.15, output: 0.6}}",
        bench.url()
    );
    let job = format!(
        "seeds: {{path: seeds.jsonl, fields: {{concept: concept}}}}\nholdout: {{validation: 0.7, test: 0}}\nteacher: {{{model}}}\n\
         judge: {{{model}, when: always}}\nembed: {{model: off}}\n\
         generate: {{recipes: [./graded.yaml], reasoning: false, rows: {ROWS}, pilot: 0, rounds: 4, max_tokens: 64}}\n\
         filter: {{validator: {{kind: text}}}}\nanchor: {{max_synthetic_share: 0.98}}\nbudget: {{usd: 5}}\n"
    );
    study.run("filtered", &job).unwrap()
}

/// Points that a filter earned, its p-value and what is said of it.
fn told(result: &Value) -> String {
    let change = &result["change"];
    format!(
        "{:+.1} points ({:+.1} to {:+.1}, p = {:.3}), {}",
        -100.0 * change["change"].as_f64().unwrap(),
        -100.0 * change["interval"]["high"].as_f64().unwrap(),
        -100.0 * change["interval"]["low"].as_f64().unwrap(),
        change["p_value"].as_f64().unwrap(),
        result["verdict"].as_str().unwrap()
    )
}

fn main() {
    let (seeds, steps) = asked_for().unwrap();
    let (mut found, mut all) = ([0, 0], 0);
    for seed in seeds {
        let begun = Instant::now();
        let world = World::new(PLACES, seed);
        let (known, pool) = (world.zipf(0, 0, 6), world.zipf(6, 0, 40));
        let config = Config {
            seed,
            quality: Quality {
                accuracy: 0.55,
                judge_sensitivity: 0.95,
                judge_specificity: 0.95,
                ..Quality::perfect()
            },
            ..Config::default()
        };
        let study = Study::of(teacher(&known, &pool, &[], config).unwrap(), seed).unwrap();
        let run = run(&study, &world);
        let mut args = vec!["ablate", &run, "--base", "./base", "--trainings", TRAININGS];
        args.extend(["--arms", "filter judge,filter recipe", "--formats", "plain"]);
        args.extend(["--max-tokens", "12", "--progress", "none"]);
        let training = training(steps);
        for setting in &training {
            args.extend(["--set", setting]);
        }
        let results = study.bench.json(&args).unwrap();
        let arms = results["arms"].as_array().unwrap();
        let of = |filter: &str| {
            let is_of = |arm: &&Value| arm["arm"]["without_filter"] == filter;
            arms.iter().find(is_of).unwrap_or_else(|| panic!("{arms:#?}"))
        };
        let [judge, condition] = FILTERS.map(of);
        all += 1;
        found[0] += u32::from(judge["verdict"] == "useful");
        found[1] += u32::from(condition["verdict"] == "not_shown");
        println!(
            "seed {seed}: judge {}; condition {} ({:.0} s)",
            told(judge),
            told(condition),
            begun.elapsed().as_secs_f64()
        );
    }
    println!(
        "of {all}: the judge useful in {}, the condition not shown to matter in {}",
        found[0], found[1]
    );
}
