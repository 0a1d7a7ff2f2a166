//! Whole runs whose models are asked in batches: the rows of single calls at half the price, and nothing paid twice, whoever dies.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says what it saw"
)]

use std::fmt::Write;
use std::time::{Duration, Instant};

use gristmill_tests::cluster::rows;
use gristmill_tests::harness::Bench;
use gristmill_tests::sim::{Config, Faults, Quality};
use serde_json::{Value, json};

/// Longest wait for something to happen.
const PATIENCE: Duration = Duration::from_secs(120);
const BUDGET: u64 = 2_000;

fn seeds() -> String {
    (3..40).fold(String::new(), |mut lines, number| {
        let question = format!("Nora has {number} pens and buys as many again. How many pens does she have?");
        let answer = format!("She has {number} and {number}.\n#### {}", 2 * number);
        writeln!(lines, "{}", json!({ "question": question, "answer": answer })).unwrap();
        lines
    })
}

/// A service and a job; `model` is what teacher and judge have besides their endpoint.
fn bench(api: &str, model: &str, faults: Faults) -> Bench {
    // Anthropic's API knows no seed: the service tells equal requests apart by their order. Few rows of a perfect teacher ask none twice.
    let (quality, rows) = match api {
        "anthropic" => (Quality::perfect(), 10),
        _ => (Quality::default(), 30),
    };
    let config = Config {
        seed: 7,
        quality,
        faults,
        ..Config::default()
    };
    let bench = Bench::with_numbers(&seeds(), config).unwrap();
    let url = bench.url();
    let job = format!(
        "seeds: {{path: seeds.jsonl}}\n\
         teacher: {{base_url: {url}, api: {api}, model: sim, price: {{input: 0.15, output: 0.60}}{model}}}\n\
         judge: {{base_url: {url}, api: {api}, model: sim-judge, when: always, price: {{input: 0.15, output: 0.60}}{model}}}\n\
         embed: {{model: off}}\ngenerate: {{strategy: rephrasing, pilot: 0, rows: {rows}}}\n\
         filter: {{validator: {{kind: number}}}}\nbudget: {{calls: {BUDGET}}}\n"
    );
    bench.write("job.yaml", &job).unwrap();
    bench
}

const BATCH: &str = ", batch: {poll_s: 1}";

/// What a verb says of the one run; null before there is one.
fn told(bench: &Bench, verb: &str) -> Value {
    let Ok(run) = bench.run_folder() else {
        return Value::Null;
    };
    let output = bench
        .gristmill(&[verb, run.to_str().unwrap(), "--output", "json"])
        .unwrap();
    serde_json::from_slice(&output.stdout).unwrap_or(Value::Null)
}

fn budget(bench: &Bench) -> Value {
    told(bench, "budget")
}

fn status(bench: &Bench) -> Value {
    told(bench, "status")
}

fn sum(budget: &Value, states: &[&str], unit: &str) -> u64 {
    let of = |state: &&str| budget["total"][*state][unit].as_u64().unwrap_or(0);
    states.iter().map(of).sum()
}

/// B and L at the end of a run, and that nothing is held.
fn balanced(bench: &Bench) -> Value {
    let billed = bench.sim.bill();
    let budget = budget(bench);
    let gone = sum(&budget, &["spent", "burned"], "calls");
    assert!(
        billed.total.calls <= gone && gone <= BUDGET,
        "B: {billed:?}, {budget}"
    );
    assert_eq!(
        sum(&budget, &["started"], "calls"),
        0,
        "nothing is held at the end"
    );
    for (stage, counts) in budget["counts"].as_object().unwrap() {
        let of = |name: &str| counts[name].as_u64().unwrap();
        assert_eq!(of("open"), 0, "L: {stage}");
        assert_eq!(of("planned"), of("done") + of("failed"), "L: {stage}");
    }
    assert!(
        billed.repeated_calls <= sum(&budget, &["burned"], "calls"),
        "{billed:?}, {budget}"
    );
    budget
}

#[test]
fn batches_bring_the_rows_of_single_calls_at_half_the_price() {
    for api in ["openai", "anthropic"] {
        let faults = Faults {
            batch_ms: 300,
            ..Faults::default()
        };
        let (single, batched) = (bench(api, "", Faults::default()), bench(api, BATCH, faults));
        single.run_job("job.yaml", &[]).unwrap();
        let summary = batched.run_job("job.yaml", &[]).unwrap();
        let dataset = |bench: &Bench| bench.run_folder().unwrap().join("dataset");
        let expected = rows(&dataset(&single), "train").unwrap();
        assert!(expected.len() > 40, "{} rows", expected.len());
        assert_eq!(rows(&dataset(&batched), "train").unwrap(), expected, "{api}");
        let (full, half) = (single.sim.bill().total, batched.sim.bill().total);
        assert_eq!(half.calls, full.calls);
        let spread = full.micro_usd.abs_diff(2 * half.micro_usd);
        assert!(spread <= 2 * half.calls, "{full:?} and {half:?}");
        let budget = balanced(&batched);
        assert_eq!(sum(&budget, &["spent"], "usd_micros"), half.micro_usd, "{budget}");
        assert_eq!(sum(&budget, &["burned"], "calls"), 0, "{budget}");
        let saved: u64 = summary["spend"]
            .as_array()
            .unwrap()
            .iter()
            .map(|part| part["saved_usd_micros"].as_u64().unwrap())
            .sum();
        assert!(saved.abs_diff(half.micro_usd) <= half.calls, "{summary}");
        let taken = batched.sim.stats().count("batch.taken");
        println!(
            "{api}: {} calls in {taken} batches, {} micro-dollars instead of {}",
            half.calls, half.micro_usd, full.micro_usd
        );
    }
}

/// Looks until it is so.
fn until(what: &str, mut so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !so() {
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn killed_while_a_batch_is_out_a_run_goes_on_and_pays_nothing_twice() {
    for api in ["openai", "anthropic"] {
        let endless = Faults {
            batch_ms: 3_600_000,
            ..Faults::default()
        };
        let bench = bench(api, BATCH, endless.clone());
        let seen = |name: &str| bench.sim.stats().count(name);
        let mut kills = 0;
        for kill in 1..=3 {
            let (taken, looked) = (seen("batch.taken"), seen("batch.looked"));
            let mut child = bench.start_job("job.yaml").unwrap();
            if kill > 1 {
                // What the process before left behind ends, and leads to the next batch.
                until("the batch left behind is looked at", || {
                    seen("batch.looked") > looked
                });
                bench.sim.set_faults(Faults::default()).unwrap();
                let mut ended = false;
                until("another batch is handed in, or the run ends", || {
                    ended = child.try_wait().unwrap().is_some();
                    ended || seen("batch.taken") > taken
                });
                bench.sim.set_faults(endless.clone()).unwrap();
                if ended {
                    break;
                }
            }
            // The batch that was handed in before faults were set may have been the last.
            let mut ended = false;
            until("every open task is in a batch, or the run ends", || {
                ended = child.try_wait().unwrap().is_some();
                let status = status(&bench);
                let waiting = status["in_batches"].as_u64().unwrap_or(0);
                ended || waiting > 0 && status["tasks"]["open"] == waiting
            });
            if ended {
                break;
            }
            // Once it is looked at, its name is written down.
            let looked = seen("batch.looked");
            until("the batch is looked at", || seen("batch.looked") > looked + 1);
            child.kill().unwrap();
            child.wait().unwrap();
            kills += 1;
        }
        assert!(kills >= 2, "{kills} kills while a batch was out");
        bench.sim.set_faults(Faults::default()).unwrap();
        bench.run_job("job.yaml", &[]).unwrap();
        let budget = balanced(&bench);
        assert_eq!(sum(&budget, &["burned"], "calls"), 0, "{api}: {budget}");
        assert_eq!(bench.sim.bill().repeated_calls, 0, "{api}: nothing is paid twice");
        assert_eq!(
            sum(&budget, &["spent"], "usd_micros"),
            bench.sim.bill().total.micro_usd
        );
    }
}

#[test]
fn requests_that_ran_out_of_time_are_asked_again() {
    let faults = Faults {
        batch_expired: 0.1,
        batch_errored: 0.05,
        ..Faults::default()
    };
    let (single, batched) = (
        bench("openai", "", Faults::default()),
        bench("openai", BATCH, faults),
    );
    single.run_job("job.yaml", &[]).unwrap();
    batched.run_job("job.yaml", &[]).unwrap();
    let train = |bench: &Bench| rows(&bench.run_folder().unwrap().join("dataset"), "train").unwrap();
    assert_eq!(train(&batched), train(&single));
    let budget = balanced(&batched);
    assert!(
        budget["counts"]["generate"]["voided"].as_u64().unwrap() > 0,
        "{budget}"
    );
    assert_eq!(sum(&budget, &["burned"], "calls"), 0, "{budget}");
    assert_eq!(batched.sim.bill().total.calls, single.sim.bill().total.calls);
}

#[test]
fn a_batch_whose_receipt_was_lost_is_found_or_burned() {
    for (api, found) in [("openai", true), ("anthropic", false)] {
        let faults = Faults {
            batch_lost: 1.0,
            ..Faults::default()
        };
        let bench = bench(api, BATCH, faults);
        let child = bench.start_job("job.yaml").unwrap();
        until("a receipt is lost", || bench.sim.stats().count("batch.lost") > 0);
        bench.sim.set_faults(Faults::default()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success());
        let budget = balanced(&bench);
        let burned = sum(&budget, &["burned"], "calls");
        let bill = bench.sim.bill();
        if found {
            assert_eq!((burned, bill.repeated_calls), (0, 0), "{budget}");
        } else {
            // Without a name it cannot be read, and was worked on all the same: the books say so.
            assert!(burned > 0, "{budget}");
            let gone = burned + sum(&budget, &["spent"], "calls");
            assert_eq!(bill.total.calls, gone, "{budget}");
        }
        println!("{api}: {burned} burned of {} calls billed", bill.total.calls);
    }
}

#[test]
fn an_endpoint_without_batches_is_told_before_anything_is_spent() {
    let bench = Bench::new(Config {
        batches: false,
        ..Config::default()
    })
    .unwrap();
    bench.write("seeds.jsonl", &seeds()).unwrap();
    let job = format!(
        "seeds: {{path: seeds.jsonl}}\nteacher: {{base_url: {}, model: sim, batch: true}}\nembed: {{model: off}}\n\
         filter: {{validator: {{kind: number}}}}\nbudget: {{calls: 50}}\n",
        bench.url()
    );
    bench.write("job.yaml", &job).unwrap();
    let output = bench.gristmill(&["run", "job.yaml"]).unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(
        said.contains("batch API") && said.contains("nothing was spent"),
        "{said}"
    );
    assert_eq!(bench.sim.bill().total.calls, 0);
}
