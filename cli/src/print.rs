//! Results on standard output, errors on standard error.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "the terminal layer: this is where results are printed"
)]

use std::io::IsTerminal;
use std::time::Duration;

use gristmill_domain::amount::MicroUsd;
use gristmill_domain::plan::Expected;
use gristmill_domain::stage::Stage;

use crate::args::OutputStyle;
use crate::assemble::Manifest;
use crate::failure::Failure;
use crate::folder::RunFolder;
use crate::launch::shown;
use crate::view::{duration, thousands};

/// The errors of a job file, as a failure.
pub(crate) fn job_errors(errors: &gristmill_jobfile::Errors) -> Failure {
    let color = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    Failure::Job(gristmill_jobfile::render(errors, color))
}

/// Prints why the program ends.
pub(crate) fn failure(failure: &Failure, output: OutputStyle) {
    let text = failure.text();
    match (output, failure) {
        (OutputStyle::Json, _) => eprintln!(
            "{}",
            serde_json::json!({"error": failure.name(), "message": text})
        ),
        // Rendered with its own heads.
        (OutputStyle::Text, Failure::Job(_)) => eprint!("{text}"),
        (OutputStyle::Text, _) => eprintln!("error[{}]: {text}", failure.name()),
    }
}

/// Prints a value as one line of JSON, or the text.
pub(crate) fn either(output: OutputStyle, value: &serde_json::Value, text: &str) {
    match output {
        OutputStyle::Json => println!("{value}"),
        OutputStyle::Text => println!("{}", text.trim_end()),
    }
}

/// Prints a text as it is.
pub(crate) fn plain(text: &str) {
    print!("{text}");
}

/// Prints how a run ended.
pub(crate) fn done(manifest: &Manifest, folder: &RunFolder, took: Option<Duration>, output: OutputStyle) {
    let place = shown(folder.root());
    if output == OutputStyle::Json {
        let value = serde_json::json!({
            "run": manifest.run, "folder": place, "end": manifest.end, "rows": manifest.rows, "candidates": manifest.candidates,
            "rejected": manifest.rejected, "spend": manifest.spend, "by_reference": manifest.by_reference,
            "seconds": took.map(|took| took.as_secs_f64()), "finished_before": took.is_none(),
        });
        println!("{value}");
        return;
    }
    let accepted = manifest.rows.train_synthetic;
    match took {
        Some(took) => println!(
            "Done in {}: {} rows   {place}",
            duration(took.as_secs()),
            thousands(accepted)
        ),
        None => println!("This run is finished: {} rows   {place}", thousands(accepted)),
    }
    let usd: u64 = manifest
        .spend
        .iter()
        .map(|part| part.spent_usd_micros + part.burned_usd_micros)
        .sum();
    let calls: u64 = manifest.spend.iter().map(|part| part.calls).sum();
    let acceptance = 100.0 * accepted as f64 / manifest.candidates.max(1) as f64;
    println!(
        "  acceptance {acceptance:.1}% of {} candidates",
        thousands(manifest.candidates)
    );
    let mut spent = Vec::new();
    if let Some(limit) = manifest.limit.usd {
        let a_row = MicroUsd(usd / accepted.max(1));
        let lost: u64 = manifest.rejected.iter().map(|(_, loss)| loss.usd_micros).sum();
        spent.push(format!(
            "{} of {limit}, {a_row}/row, {} on rejects",
            MicroUsd(usd),
            MicroUsd(lost)
        ));
    }
    spent.push(match manifest.limit.calls {
        Some(limit) => format!("{} of {} calls", thousands(calls), thousands(limit)),
        None => format!("{} calls", thousands(calls)),
    });
    println!("  spent      {}", spent.join(", "));
    let mut rejected: Vec<_> = manifest.rejected.iter().collect();
    rejected.sort_by_key(|(_, loss)| std::cmp::Reverse(loss.rows));
    let parts: Vec<String> = rejected
        .iter()
        .map(|(reason, loss)| format!("{reason} {}", thousands(loss.rows)))
        .collect();
    if !parts.is_empty() {
        println!(
            "  rejected   {}: {}",
            thousands(manifest.rows.rejected),
            parts.join(", ")
        );
    }
    println!(
        "  share      {:.0}% synthetic (ceiling {:.0}%), {} real rows; held out {} + {}",
        100.0 * manifest.rows.synthetic_share,
        100.0 * manifest.job.anchor.max_synthetic_share,
        thousands(manifest.rows.train_human),
        thousands(manifest.rows.validation),
        thousands(manifest.rows.test)
    );
    println!("  ended      {}", manifest.end);
    println!("Next: {place}/dataset/README.md, gristmill trace {place} ROW_ID");
}

/// What is expected, as a table.
pub(crate) fn expected(expected: &Expected) -> String {
    let mut text = String::new();
    for (i, stage) in Stage::ALL.into_iter().enumerate() {
        if expected.calls[i] > 0.0 {
            let usd = MicroUsd(expected.usd_micros[i] as u64);
            text.push_str(&format!(
                "  {stage:<9} {:>10} calls  {usd:>10}\n",
                thousands(expected.calls[i].ceil() as u64)
            ));
        }
    }
    text
}
