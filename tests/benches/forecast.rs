//! How far forecasts are off: thirty jobs over the three real domains, planned, run to their end, and compared with what was planned.
//!
//!     cargo bench -p gristmill-tests --bench forecast -- [JOBS] [drawn=SEED]
//!
//! Budgets, strategies, the teacher's accuracy, and whether answers reason before they answer all vary. The jobs are those that forecasts were
//! tuned on; with `drawn`, they are drawn at random, and nobody has seen them before. For rows, calls and money it is
//! counted how often the outcome lies in the interval of `gristmill plan`, which knows nothing yet, and in that of the plan after the pilot.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a benchmark fails by panicking, and says what it saw"
)]

use std::borrow::Cow;
use std::path::Path;

use gristmill_tests::harness::{Bench, data};
use gristmill_tests::sim::{Config, KeyFiles, Quality};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rand_distr::{Distribution, Uniform};
use serde_json::Value;

/// Jobs.
const JOBS: usize = 30;
/// Runs of thirty whose outcome must lie within the interval of 90 %.
const WITHIN: usize = 27;

/// One job.
#[derive(Debug, Clone)]
struct Case {
    domain: &'static str,
    seeds: usize,
    accuracy: f64,
    budget: Cow<'static, str>,
    strategy: &'static str,
    /// More of the `generate` section.
    more: Cow<'static, str>,
}

const fn case(
    domain: &'static str,
    seeds: usize,
    accuracy: f64,
    budget: &'static str,
    strategy: &'static str,
    more: &'static str,
) -> Case {
    Case {
        domain,
        seeds,
        accuracy,
        budget: Cow::Borrowed(budget),
        strategy,
        more: Cow::Borrowed(more),
    }
}

/// Jobs drawn at random, as many of each domain.
fn drawn(seed: u64) -> Vec<Case> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut between = |low: u32, high: u32| Uniform::new(low, high).unwrap().sample(&mut random);
    let mut case = |domain| {
        let strategies = [
            "auto",
            "auto",
            "new_question",
            "rephrasing",
            "answer_augmentation",
        ];
        let strategy = strategies[between(0, 5) as usize];
        let budget = match between(0, 4) {
            0 => format!("usd: {}", f64::from(between(10, 60)) / 100.0),
            _ => format!("calls: {}", between(400, 4_000)),
        };
        let more = match between(0, 6) {
            0 => format!(", rows: {}", between(50, 600)),
            // Bare answers to one question repeat each other.
            1 if strategy != "answer_augmentation" => ", reasoning: false".to_owned(),
            _ => String::new(),
        };
        Case {
            domain,
            seeds: between(30, if domain == "queries" { 90 } else { 350 }) as usize,
            accuracy: f64::from(between(55, 98)) / 100.0,
            budget: budget.into(),
            strategy,
            more: more.into(),
        }
    };
    let domains = ["numbers", "labels", "queries"];
    (0..JOBS).map(|n| case(domains[n % domains.len()])).collect()
}

/// Ten jobs of each domain, in turn, so that the first few are of all three.
const CASES: [Case; JOBS] = [
    case("numbers", 200, 0.8, "calls: 1500", "auto", ""),
    case("labels", 200, 0.8, "calls: 1500", "auto", ""),
    case("queries", 80, 0.8, "calls: 600", "auto", ""),
    case("numbers", 100, 0.6, "calls: 1000", "rephrasing", ""),
    case("labels", 150, 0.6, "calls: 1200", "rephrasing", ""),
    case("queries", 80, 0.6, "calls: 900", "rephrasing", ""),
    case("numbers", 300, 0.9, "calls: 2000", "new_question", ""),
    case("labels", 200, 0.9, "calls: 1500", "new_question", ""),
    case("queries", 80, 0.9, "calls: 1200", "new_question", ""),
    case("numbers", 150, 0.95, "usd: 0.25", "auto", ""),
    case("labels", 150, 0.95, "usd: 0.4", "auto", ""),
    case("queries", 80, 0.95, "usd: 0.3", "auto", ""),
    case("numbers", 60, 0.8, "calls: 4000", "answer_augmentation", ""),
    case("labels", 120, 0.8, "calls: 1500", "answer_augmentation", ""),
    case("queries", 80, 0.8, "calls: 1500", "answer_augmentation", ""),
    case("numbers", 120, 0.7, "calls: 1500", "auto", ", reasoning: false"),
    case("labels", 120, 0.7, "calls: 1500", "auto", ", reasoning: false"),
    case("queries", 80, 0.7, "calls: 1050", "auto", ", reasoning: false"),
    case("numbers", 40, 0.8, "calls: 4000", "rephrasing", ""),
    case("labels", 40, 0.8, "calls: 3000", "rephrasing", ""),
    case("queries", 40, 0.8, "calls: 2500", "rephrasing", ""),
    case("numbers", 200, 0.8, "calls: 3000", "auto", ", rows: 400"),
    case("labels", 200, 0.8, "calls: 3000", "auto", ", rows: 300"),
    case("queries", 80, 0.8, "calls: 3000", "auto", ", rows: 150"),
    case("numbers", 50, 0.85, "calls: 4000", "auto", ""),
    case("labels", 50, 0.85, "calls: 4000", "auto", ""),
    case("queries", 40, 0.85, "calls: 3000", "auto", ""),
    case("numbers", 200, 0.6, "calls: 2500", "new_question", ""),
    case("labels", 200, 0.6, "calls: 2500", "new_question", ""),
    case("queries", 80, 0.6, "calls: 2000", "new_question", ""),
];

fn bench_of(case: &Case, number: usize, data: &Path) -> Bench {
    let sql = data.join("text2sql");
    let (seeds, fields, validator) = match case.domain {
        "numbers" => (data.join("gsm8k/train.jsonl"), "{}", "{kind: number}".to_owned()),
        "labels" => (
            data.join("pubmedqa/train.jsonl"),
            "{answer: long_answer, references: final_decision, context: contexts, source: pmid}",
            "{kind: label, labels: [yes, no, maybe]}".to_owned(),
        ),
        _ => (
            sql.join("questions.jsonl"),
            "{answer: accepted_queries, references: accepted_queries, database: db}",
            format!("{{kind: sql, databases: {}}}", sql.display()),
        ),
    };
    let mut key = KeyFiles::default();
    match case.domain {
        "numbers" => key.gsm8k.push(seeds.clone()),
        "labels" => key.pubmedqa.push(seeds.clone()),
        _ => key.sql_questions.push(seeds.clone()),
    }
    let bench = Bench::new(Config {
        key,
        seed: 700 + number as u64,
        quality: Quality {
            accuracy: case.accuracy,
            ..Quality::default()
        },
        ..Config::default()
    })
    .unwrap();
    let text = std::fs::read_to_string(&seeds).unwrap();
    let lines: String = text
        .lines()
        .take(case.seeds)
        .map(|line| format!("{line}\n"))
        .collect();
    bench.write("seeds.jsonl", &lines).unwrap();
    let job = format!(
        "seeds: {{path: seeds.jsonl, fields: {fields}}}\n\
         teacher: {{base_url: {}, model: sim, price: {{input: 0.5, output: 1.5}}}}\nembed: {{model: off}}\n\
         generate: {{strategy: {}{}}}\nfilter: {{validator: {validator}}}\nbudget: {{{}}}\noutput: {{context: false}}\n",
        bench.url(),
        case.strategy,
        case.more,
        case.budget
    );
    bench.write("job.yaml", &job).unwrap();
    bench
}

/// An interval with its point.
#[derive(Debug, Clone, Copy)]
struct Range {
    low: f64,
    expected: f64,
    high: f64,
}

impl Range {
    fn of(forecast: &Value, figure: &str) -> Self {
        let number = |name: &str| forecast[figure][name].as_f64().unwrap();
        Self {
            low: number("low"),
            expected: number("expected"),
            high: number("high"),
        }
    }

    /// Figures are counts: half of one more or less is the same.
    fn holds(&self, value: f64) -> bool {
        self.low - 0.5 <= value && value <= self.high + 0.5
    }
}

/// What is counted over all jobs: outcomes that lie within, and the widths of the intervals relative to their points.
#[derive(Debug, Default)]
struct Count {
    within: usize,
    all: usize,
    half_widths: Vec<f64>,
}

impl Count {
    fn see(&mut self, range: &Range, value: f64) -> &'static str {
        self.all += 1;
        self.half_widths
            .push((range.high - range.low) / 2.0 / range.expected.max(1.0));
        let within = range.holds(value);
        self.within += usize::from(within);
        if within { " " } else { "!" }
    }

    fn show(&mut self, name: &str) {
        self.half_widths.sort_by(f64::total_cmp);
        let median = self
            .half_widths
            .get(self.half_widths.len() / 2)
            .copied()
            .unwrap_or(0.0);
        println!(
            "{name}: {} of {} within; half of the intervals are ± {:.0} % or narrower",
            self.within,
            self.all,
            100.0 * median
        );
    }
}

fn main() {
    let jobs: usize = std::env::args()
        .skip(1)
        .find_map(|argument| argument.parse().ok())
        .unwrap_or(JOBS);
    let draw = std::env::args().find_map(|argument| argument.strip_prefix("drawn=").map(str::to_owned));
    let cases = match draw {
        Some(seed) => drawn(seed.parse().expect("`drawn=` takes a number")),
        None => CASES.to_vec(),
    };
    let data = data().expect("the benchmark reads real seeds from ../shared/data, or GRISTMILL_DATA");
    let (mut rows, mut calls, mut after) = (Count::default(), Count::default(), Count::default());
    println!(
        "rows: forecast [interval] → outcome, after the pilot; calls or micro-dollars: forecast [interval] → outcome"
    );
    for (number, case) in cases.iter().enumerate().take(jobs) {
        let bench = bench_of(case, number, &data);
        let planned = bench
            .gristmill(&["plan", "job.yaml", "--output", "json"])
            .unwrap();
        if !planned.status.success() {
            println!(
                "{:<8} {:<20} refused: {}",
                case.domain,
                case.strategy,
                String::from_utf8_lossy(&planned.stderr).trim()
            );
            continue;
        }
        let planned: Value = serde_json::from_slice(&planned.stdout).unwrap();
        let run = bench
            .gristmill(&["run", "job.yaml", "--progress", "none", "--output", "json"])
            .unwrap();
        // A run that ends short of its rows is an outcome too.
        let summary: Value = serde_json::from_slice(&run.stdout)
            .unwrap_or_else(|_| panic!("{case:?}: {}", String::from_utf8_lossy(&run.stderr)));
        let made = summary["rows"]["train_synthetic"].as_f64().unwrap();
        let spend = summary["spend"].as_array().unwrap();
        let in_money = case.budget.starts_with("usd");
        let (figure, used): (&str, f64) = if in_money {
            (
                "usd_micros",
                total(spend, &["spent_usd_micros", "burned_usd_micros"]),
            )
        } else {
            ("calls", total(spend, &["calls"]))
        };
        let manifest = std::fs::read(bench.run_folder().unwrap().join("dataset/manifest.json")).unwrap();
        let manifest: Value = serde_json::from_slice(&manifest).unwrap();
        let rounds = manifest["rounds"].as_array().unwrap();
        let before = Range::of(&planned["forecast"], "rows");
        let cost = Range::of(&planned["forecast"], figure);
        let mark = rows.see(&before, made);
        let mark_cost = calls.see(&cost, used);
        let then = rounds
            .get(1)
            .map(|round| Range::of(&round["plan"]["forecast"], "rows"));
        let (then, mark_then) = match then {
            Some(then) => {
                let mark = after.see(&then, made);
                (
                    format!("{:.0} [{:.0}, {:.0}]", then.expected, then.low, then.high),
                    mark,
                )
            }
            None => ("one round".to_owned(), " "),
        };
        println!(
            "{:<8} {:<20} {:>4} {:<12}{:<18} rows {:>5.0} [{:>5.0}, {:>5.0}] → {made:>5.0}{mark} then {then}{mark_then}  {figure} {:>7.0} [{:.0}, {:.0}] → {used:.0}{mark_cost}  {} rounds, {}",
            case.domain,
            case.strategy,
            case.accuracy,
            case.budget,
            case.more,
            before.expected,
            before.low,
            before.high,
            cost.expected,
            cost.low,
            cost.high,
            rounds.len(),
            summary["end"].as_str().unwrap_or_default()
        );
    }
    rows.show("rows, before the run");
    after.show("rows, after the pilot");
    calls.show("cost, before the run");
    assert!(
        rows.within * JOBS >= WITHIN * rows.all,
        "fewer outcomes than {WITHIN} of {} lie within their intervals",
        JOBS
    );
}

fn total(spend: &[Value], names: &[&str]) -> f64 {
    let of = |part: &Value, name: &&str| part[*name].as_f64().unwrap_or(0.0);
    spend
        .iter()
        .map(|part| names.iter().map(|name| of(part, name)).sum::<f64>())
        .sum()
}
