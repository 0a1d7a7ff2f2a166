//! The loop against the static plan: what students know for what was spent, with students really trained.
//!
//!     cargo bench -p gristmill-tests --bench improvement [-- FIRST_SEED LAST_SEED [STEPS]]
//!
//! A world of facts (`tests/src/facts.rs`) and a teacher that is always right. Two tasks:
//!
//! - `tail`: questions come with a long tail, from the teacher as from users. A plan buys most rows about what is asked most.
//! - `skewed`: users ask about all places alike, and the teacher thinks of half of them nine times in ten, unless it is told what to ask about.
//!
//! For each, a loop spends its budget of calls in generations, and static plans (`--pilot 1`) spend 40, 60, 80 and 100 % of it at once. Every
//! student begins with the same weights, takes the same number of steps, and is asked the same test rows, in one format. The last column is
//! the share of the budget at which the loop's students reach what the static plan's reaches with all of it, interpolated between generations.
//! The last lines say the same of the means over all seeds, where a seed whose plan happens to end with every row right does not decide.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says what it saw"
)]

use std::time::Instant;

use gristmill_tests::facts::{Asked, World};
use gristmill_tests::study::{Study, asked_for, recipe, training};
use serde_json::Value;

/// A question is asked for by an example, and may be about anything where no concept is named.
const ABOUT: &str = "version: 1\n=== user\nWrite a new question like the example.\n<example>\n{{ seed_question }}\n</example>\n{%- if concept %}\nIt is about this concept: <concept>{{ concept }}</concept>\n{%- endif %}\nReply with a JSON object with the member \"question\" (text: the new question alone).\n";

const PLACES: usize = 24;
/// Calls that a loop, and the largest static plan, may make.
const CALLS: u64 = 2_400;
/// Shares of it that smaller static plans may.
const SHARES: [f64; 4] = [0.4, 0.6, 0.8, 1.0];

/// Who asks about what.
#[derive(Debug, Clone, Copy)]
enum Task {
    Tail,
    Skewed,
}

impl Task {
    fn name(self) -> &'static str {
        match self {
            Self::Tail => "tail",
            Self::Skewed => "skewed",
        }
    }

    /// Real questions, and those that the teacher thinks of.
    fn questions(self, world: &World) -> (Vec<Asked>, Vec<Asked>) {
        match self {
            Self::Tail => (world.zipf(0, 12, 3), world.zipf(12, 60, 6)),
            Self::Skewed => {
                let favoured = |asked: &Asked| asked.fact.rank.is_multiple_of(2);
                let all = world.zipf(4, 0, 36);
                let pool = all
                    .into_iter()
                    .filter(|asked| favoured(asked) || asked.wording < 8);
                (world.zipf(0, 0, 4), pool.collect())
            }
        }
    }
}

struct Spending {
    study: Study,
    steps: u64,
}

impl Spending {
    fn new(task: Task, seed: u64, steps: u64) -> Self {
        let world = World::new(PLACES, seed);
        let (real, pool) = task.questions(&world);
        let study = Study::new(&real, &pool, seed).unwrap();
        let bench = &study.bench;
        let model = format!(
            "{{base_url: {}, model: t, price: {{input: 0, output: 0}}}}",
            bench.url()
        );
        let job = format!(
            "seeds: {{path: seeds.jsonl, fields: {{concept: concept}}}}\nholdout: {{validation: 0.25, test: 0.35}}\nteacher: {model}\njudge: {model}\n\
             embed: {{model: off}}\nconcepts: {{list: [{}], assign: model, choices: {PLACES}, steer: false, accept: narrow}}\n\
             generate: {{recipes: [./tagged.yaml], reasoning: false, pilot: 0, rounds: 4, max_tokens: 64}}\n\
             filter: {{validator: {{kind: text}}}}\nanchor: {{max_synthetic_share: 0.98}}\nbudget: {{calls: {CALLS}}}\n",
            world.places().join(", ")
        );
        bench.write("job.yaml", &job).unwrap();
        // Each row has a concept, so that it counts for what it is aimed at.
        let tagged = recipe("tagged", "judge", "about.txt", "  - tag: concept\n");
        bench.write("tagged.yaml", &tagged).unwrap();
        bench.write("about.txt", ABOUT).unwrap();
        Self { study, steps }
    }

    fn carried_out(&self, out: &str, more: &[&str]) -> Value {
        let training = training(self.steps);
        let mut args = vec!["loop", "job.yaml", "--base", "./base", "--out", out];
        args.extend([
            "--formats",
            "plain",
            "--max-tokens",
            "12",
            "--patience",
            "9",
            "--progress",
            "none",
        ]);
        for setting in &training {
            args.extend(["--train", setting]);
        }
        args.extend(more);
        self.study.bench.json(&args).unwrap()
    }

    /// Accuracy of a student on the test rows of a run, in percent.
    fn accuracy(&self, run: &Value, student: &Value) -> f64 {
        let (run, student) = (run.as_str().unwrap(), student.as_str().unwrap());
        let result = self
            .study
            .evaluate(run, student, &["--formats", "plain", "--progress", "none"])
            .unwrap();
        100.0
            * self.study.figures(&result).unwrap()["models"][0]["scorecard"]["accuracy"]["value"]
                .as_f64()
                .unwrap()
    }

    /// What each generation of a loop had spent (in shares of [`CALLS`]), and what its student knows.
    fn course(&self, told: &Value) -> Vec<(f64, f64)> {
        let generations = told["record"]["generations"].as_array().unwrap();
        let mut spent = 0;
        generations
            .iter()
            .map(|generation| {
                spent += generation["costs"]["rows"]["calls"].as_u64().unwrap();
                let of_first = &generations[0]["run"];
                (
                    spent as f64 / CALLS as f64,
                    self.accuracy(of_first, &generation["student"]["model"]),
                )
            })
            .collect()
    }
}

/// Where a course reaches a height, interpolated between its points; `None` where it does not.
fn reached(course: &[(f64, f64)], height: f64) -> Option<f64> {
    let mut before: Option<(f64, f64)> = None;
    for (spent, score) in course {
        if *score >= height {
            return Some(match before {
                Some((from, low)) => from + (spent - from) * (height - low) / (score - low),
                None => *spent,
            });
        }
        before = Some((*spent, *score));
    }
    None
}

/// What a course has reached at a share of the budget, interpolated between its points: before the first nothing is known, and after the last
/// it stays.
fn height(course: &[(f64, f64)], at: f64) -> f64 {
    let after = course.iter().position(|(spent, _)| *spent >= at);
    match after {
        Some(0) => course[0].1,
        None => course.last().map_or(0.0, |(_, score)| *score),
        Some(next) => {
            let ((from, low), (to, high)) = (course[next - 1], course[next]);
            low + (high - low) * (at - from) / (to - from)
        }
    }
}

/// The mean of courses over all seeds, at each percent of the budget from where all of them have begun.
fn mean(courses: &[Vec<(f64, f64)>]) -> Vec<(f64, f64)> {
    let begun = courses.iter().map(|course| course[0].0).fold(0.0, f64::max);
    let percents = (0..=100).map(|percent| f64::from(percent) / 100.0);
    percents
        .filter(|at| *at >= begun)
        .map(|at| {
            let sum: f64 = courses.iter().map(|course| height(course, at)).sum();
            (at, sum / courses.len() as f64)
        })
        .collect()
}

fn shown(course: &[(f64, f64)]) -> String {
    let point = |(spent, score): &(f64, f64)| format!("{score:.1} at {:.0}", 100.0 * spent);
    course.iter().map(point).collect::<Vec<_>>().join(", ")
}

fn main() {
    let (seeds, steps) = asked_for().unwrap();
    println!("accuracy on test rows in percent, at percent of the budget");
    let mut all = [Task::Tail, Task::Skewed].map(|task| (task, Vec::new(), Vec::new()));
    for seed in seeds {
        for (task, loops, plans) in &mut all {
            let begun = Instant::now();
            let spending = Spending::new(*task, seed, steps);
            let shares = ["--pilot", "0.3", "--share", "0.175"];
            let looped = spending.course(&spending.carried_out("loop", &shares));
            let mut still = Vec::new();
            for share in SHARES {
                let out = format!("static-{:.0}", 100.0 * share);
                let calls = format!("budget.calls={:.0}", share * CALLS as f64);
                let told = spending.carried_out(&out, &["--pilot", "1", "--set", &calls]);
                still.extend(spending.course(&told));
            }
            let equal = still.last().and_then(|(_, height)| reached(&looped, *height));
            println!(
                "{} seed {seed}: loop {}; static {}; equal at {} ({:.0} s)",
                task.name(),
                shown(&looped),
                shown(&still),
                equal.map_or("-".to_owned(), |share| format!("{:.0} %", 100.0 * share)),
                begun.elapsed().as_secs_f64()
            );
            loops.push(looped);
            plans.push(still);
        }
    }
    for (task, loops, plans) in &all {
        let (looped, still) = (mean(loops), mean(plans));
        let equal = still.last().and_then(|(_, height)| reached(&looped, *height));
        let tenths = |course: &[(f64, f64)]| -> Vec<(f64, f64)> {
            let tenth = |(at, _): &(f64, f64)| ((100.0 * at).round() as u64).is_multiple_of(10);
            course.iter().copied().filter(tenth).collect()
        };
        println!(
            "{} over {} seeds: loop {}; static {}; equal at {}",
            task.name(),
            loops.len(),
            shown(&tenths(&looped)),
            shown(&tenths(&still)),
            equal.map_or("-".to_owned(), |share| format!("{:.0} %", 100.0 * share))
        );
    }
}
