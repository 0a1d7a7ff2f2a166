//! `gristmill-sim`: the simulated model service as a program. Prints its URL, serves until it is interrupted, then prints its bill.
#![allow(clippy::print_stdout, reason = "a program's results go to standard output")]

use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, Parser};
use gristmill_tests::sim::{Config, Sim};
use serde::Serialize;
use serde_json::Value;

/// A simulated model service (OpenAI's and Anthropic's APIs) that knows the right answers and keeps its own bill.
#[derive(Debug, Parser, Serialize)]
#[command(name = "gristmill-sim", version)]
struct Flags {
    /// Settings as a JSON file; flags override it
    #[arg(long, value_name = "FILE")]
    #[serde(skip)]
    config: Option<PathBuf>,
    /// Print the settings in force as JSON and stop
    #[arg(long)]
    #[serde(skip)]
    print_config: bool,
    /// Address to listen on; port 0 picks a free one
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    listen: Option<String>,
    /// Fixes every draw
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<u64>,
    /// Model name
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<String>,
    /// Key that requests must carry
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    api_key: Option<String>,
    #[command(flatten)]
    key: KeyFlags,
    #[command(flatten)]
    quality: QualityFlags,
    #[command(flatten)]
    faults: FaultFlags,
    #[command(flatten)]
    price: PriceFlags,
}

#[derive(Debug, Args, Serialize)]
#[command(next_help_heading = "Answer key")]
struct KeyFlags {
    /// {question, answer ending in #### N}, one JSON object a line; repeatable
    #[arg(long, value_name = "FILE")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    gsm8k: Vec<PathBuf>,
    /// {question, long_answer, final_decision, meshes}
    #[arg(long, value_name = "FILE")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pubmedqa: Vec<PathBuf>,
    /// {db, question, accepted_queries}, with DB.sql dumps in the same folder
    #[arg(long, value_name = "FILE")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    sql_questions: Vec<PathBuf>,
    /// Held-back questions of any layout, given out as new questions
    #[arg(long, value_name = "FILE")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    new_from: Vec<PathBuf>,
}

/// Declares optional flags that override one section of the settings.
macro_rules! overrides {
    ($name:ident, $heading:literal, $($(#[$doc:meta])* $field:ident: $type:ty),* $(,)?) => {
        #[derive(Debug, Args, Serialize)]
        #[command(next_help_heading = $heading)]
        struct $name {
            $($(#[$doc])* #[arg(long)] #[serde(skip_serializing_if = "Option::is_none")] $field: Option<$type>,)*
        }
    };
}

overrides!(QualityFlags, "Quality (shares from 0 to 1)",
    /// Right among well-formed answers [default: .8]
    accuracy: f64,
    /// Refused teacher calls [default: .05]
    refusal: f64,
    /// Teacher calls cut in the middle [default: .03]
    truncated: f64,
    /// Teacher calls that miss the asked form [default: .02]
    malformed: f64,
    /// Near-copies among rephrasings and new questions [default: .2]
    near_duplicate: f64,
    /// Answers that reuse a fixed wording [default: 0]
    near_duplicate_answer: f64,
    /// Wrong answers that repeat one plausible error [default: .5]
    repeated_error: f64,
    /// Correlation of being right between two answers to one question [default: 0]
    error_correlation: f64,
    /// New questions that nobody can answer [default: 0]
    unanswerable: f64,
    /// New questions that ignore the wanted concept [default: 0]
    wrong_concept: f64,
    /// New questions taken from --new-from [default: .25]
    held_back: f64,
    /// Right answers the judge accepts [default: .85]
    judge_sensitivity: f64,
    /// Wrong answers the judge rejects [default: .8]
    judge_specificity: f64,
    /// Answerable questions found answerable [default: .97]
    verify_sensitivity: f64,
    /// Unanswerable questions found unanswerable [default: .8]
    verify_specificity: f64,
    /// Judge replies that miss the asked form [default: 0]
    judge_malformed: f64,
);

overrides!(FaultFlags, "Faults (shares from 0 to 1)",
    /// 429 with Retry-After, not billed
    too_many: f64,
    /// 529, not billed
    overloaded: f64,
    /// 500, billed
    server_error: f64,
    /// Billed and never answered
    hang: f64,
    /// Billed, then the connection is reset
    reset: f64,
    /// Billed, then the body is cut
    cut: f64,
    /// Answers that report and bill too many tokens
    over_report: f64,
    /// How many times too many [default: 100]
    over_report_factor: f64,
    /// Answers without usage
    missing_usage: f64,
    /// Wait asked for with a drawn 429 or 529, in milliseconds [default: 1000]
    retry_after_ms: u64,
    /// Real limit of chat requests in any 60 seconds
    requests_per_minute: u32,
    /// Chat calls before the quota is used up
    quota_calls: u64,
    /// Mean time to answer in milliseconds
    latency_ms_mean: f64,
    /// Standard deviation of the time to answer in milliseconds
    latency_ms_spread: f64,
    /// How long a hanging call hangs, in milliseconds
    hang_ms: u64,
    /// Time from a batch's submission to its end, in milliseconds
    batch_ms: u64,
    /// Batches taken in whose confirmation is lost
    batch_lost: f64,
    /// Requests of a batch that fail, not billed
    batch_errored: f64,
    /// Requests of a batch that are not worked on in time, not billed
    batch_expired: f64,
);

#[derive(Debug, Args, Serialize)]
#[command(next_help_heading = "Prices (micro-dollars per million tokens)")]
struct PriceFlags {
    /// Prompt tokens [default: 150000]
    #[arg(long = "input-price", value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    input: Option<u64>,
    /// Completion tokens [default: 600000]
    #[arg(long = "output-price", value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<u64>,
    /// Embedded tokens [default: 20000]
    #[arg(long = "embedding-price", value_name = "N")]
    #[serde(skip_serializing_if = "Option::is_none")]
    embedding: Option<u64>,
}

/// Lays one JSON value over another, object by object.
fn overlay(base: &mut Value, over: Value) {
    match (base, over) {
        (Value::Object(base), Value::Object(over)) => {
            over.into_iter()
                .for_each(|(name, value)| overlay(base.entry(name).or_insert(Value::Null), value));
        }
        (base, over) => *base = over,
    }
}

fn settings(flags: &Flags) -> anyhow::Result<Config> {
    let from_file: Config = match &flags.config {
        Some(path) => {
            let text = std::fs::read(path)
                .with_context(|| format!("cannot read the settings {}", path.display()))?;
            serde_json::from_slice(&text)
                .with_context(|| format!("cannot use the settings {}", path.display()))?
        }
        None => Config::default(),
    };
    let mut value = serde_json::to_value(from_file)?;
    overlay(&mut value, serde_json::to_value(flags)?);
    let config: Config = serde_json::from_value(value)?;
    config.check()?;
    Ok(config)
}

fn main() -> anyhow::Result<()> {
    let flags = Flags::parse();
    let config = settings(&flags)?;
    if flags.print_config {
        println!("{}", serde_json::to_string_pretty(&config)?);
        return Ok(());
    }
    let sim = Sim::start(config)?;
    println!("{}", sim.url());
    if !sim.key().ambiguous().is_empty() {
        println!(
            "{} questions stand in the key twice with different answers; the first counts",
            sim.key().ambiguous().len()
        );
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
        tokio::select! {
            done = tokio::signal::ctrl_c() => done,
            _ = terminate.recv() => Ok(()),
        }
    })?;
    println!("{}", serde_json::to_string(&sim.bill())?);
    Ok(())
}
