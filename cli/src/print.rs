//! Results on standard output, errors on standard error.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "the terminal layer: this is where results are printed"
)]

use std::io::IsTerminal;
use std::time::Duration;

use gristmill_domain::amount::MicroUsd;
use gristmill_domain::concept::Standing;
use gristmill_domain::plan::Expected;
use gristmill_domain::stage::Stage;

use crate::args::OutputStyle;
use crate::assemble::{Loss, Manifest};
use crate::failure::Failure;
use crate::folder::RunFolder;
use crate::history::one_line;
use crate::launch::shown;
use crate::view::{counts, duration, thousands};

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
            "rejected": manifest.rejected, "concepts": manifest.concepts, "spend": manifest.spend, "by_reference": manifest.by_reference,
            "warnings": manifest.warnings, "seconds": took.map(|took| took.as_secs_f64()), "finished_before": took.is_none(),
        });
        println!("{value}");
        return;
    }
    let accepted = manifest.rows.train_synthetic;
    let wanted = manifest.job.generate.rows;
    let rows = match wanted {
        Some(wanted) => format!("{} of {} rows", thousands(accepted), thousands(wanted)),
        None => format!("{} rows", thousands(accepted)),
    };
    match took {
        Some(took) => println!("Done in {}: {rows}   {place}", duration(took.as_secs())),
        None => println!("This run is finished: {rows}   {place}"),
    }
    println!(
        "  acceptance {:.1}% of {} candidates",
        100.0 * accepted as f64 / manifest.candidates.max(1) as f64,
        thousands(manifest.candidates)
    );
    if let Some(money) = money(manifest) {
        println!("  spent      {money}");
    }
    println!("  calls      {}", calls(manifest));
    let rejected = manifest
        .rejected
        .iter()
        .map(|(reason, loss)| (*reason, loss.rows));
    if manifest.rows.rejected > 0 {
        println!(
            "  rejected   {}: {}",
            thousands(manifest.rows.rejected),
            counts(rejected)
        );
    }
    if let Some(coverage) = coverage(&manifest.concepts) {
        println!("  coverage   {coverage}");
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
    if !manifest.warnings.is_empty() {
        println!(
            "  warnings   {}: {}",
            manifest.warnings.len(),
            manifest.warnings.join("; ")
        );
    }
    println!("Next: {place}/report.html, gristmill trace {place} ROW_ID");
}

/// `231/240 concepts at target; furthest: "renal dosing" 12/40`; nothing where no concept has a target.
pub(crate) fn coverage(concepts: &[Standing]) -> Option<String> {
    let wanted: Vec<&Standing> = concepts.iter().filter(|concept| concept.target > 0).collect();
    let met = wanted.iter().filter(|concept| concept.open() == 0).count();
    let furthest = wanted
        .iter()
        .copied()
        .reduce(|a, b| if b.open() > a.open() { b } else { a })?;
    let mut text = format!("{met}/{} concepts at target", wanted.len());
    if furthest.open() > 0 {
        let there = furthest.real + furthest.synthetic;
        text.push_str(&format!(
            "; furthest: \"{}\" {there}/{}",
            one_line(&furthest.concept),
            furthest.target
        ));
    }
    Some(text)
}

fn lost(manifest: &Manifest, of: fn(&Loss) -> u64) -> u64 {
    manifest.rejected.iter().map(|(_, loss)| of(loss)).sum()
}

/// Money against its limit, with what a row and the rejected ones cost; nothing where nothing costs money.
fn money(manifest: &Manifest) -> Option<String> {
    let usd = manifest.usd_micros();
    let limit = manifest.limit.usd;
    (usd > 0 || limit.is_some()).then(|| {
        format!(
            "{}{}, {}/row, {} on rejects",
            MicroUsd(usd),
            limit.map_or_else(String::new, |limit| format!(" of {limit}")),
            MicroUsd(usd / manifest.rows.train_synthetic.max(1)),
            MicroUsd(lost(manifest, |loss| loss.usd_micros))
        )
    })
}

fn calls(manifest: &Manifest) -> String {
    let calls = manifest.calls();
    let limit = manifest.limit.calls;
    format!(
        "{}{}, {:.1}/row, {} on rejects",
        thousands(calls),
        limit.map_or_else(String::new, |limit| format!(" of {}", thousands(limit))),
        calls as f64 / manifest.rows.train_synthetic.max(1) as f64,
        thousands(lost(manifest, |loss| loss.calls))
    )
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
