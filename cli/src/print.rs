//! Results on standard output, errors on standard error.

use std::fmt::Arguments;
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::time::Duration;

use gristmill_domain::amount::MicroUsd;
use gristmill_domain::plan::Expected;
use gristmill_domain::stage::Stage;
use gristmill_domain::words::{counts, duration, thousands};
use gristmill_runs::{Loss, Manifest, RunFolder, coverage};

use crate::args::OutputStyle;
use crate::failure::Failure;
use crate::launch::shown;

/// Writes a line to standard output.
macro_rules! out {
    ($($text:tt)*) => { put(format_args!("{}\n", format_args!($($text)*))) };
}

/// Writes to standard output. A reader who has gone away (`| head`) has seen enough; a disk that is full ends the program with an error.
fn put(text: Arguments<'_>) {
    let mut stdout = io::stdout().lock();
    match stdout.write_fmt(text).and_then(|()| stdout.flush()) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::BrokenPipe => {}
        Err(error) => {
            tell(format_args!(
                "error[output]: standard output cannot be written: {error}\n"
            ));
            crate::leave(1);
        }
    }
}

/// Writes to standard error; where nobody listens, nobody is told.
fn tell(text: Arguments<'_>) {
    let _gone = io::stderr().lock().write_fmt(text);
}

/// The errors of a job file, as a failure.
pub(crate) fn job_errors(errors: &gristmill_jobfile::Errors) -> Failure {
    let color = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    Failure::Job(gristmill_jobfile::render(errors, color))
}

/// Prints why the program ends.
pub(crate) fn failure(failure: &Failure, output: OutputStyle) {
    let text = failure.text();
    match (output, failure) {
        (OutputStyle::Json, _) => {
            let value = serde_json::json!({"error": failure.name(), "message": text});
            tell(format_args!("{value}\n"));
        }
        // Rendered with its own heads.
        (OutputStyle::Text, Failure::Job(_)) => tell(format_args!("{text}")),
        (OutputStyle::Text, _) => tell(format_args!("error[{}]: {text}\n", failure.name())),
    }
}

/// Prints a value as one line of JSON, or the text.
pub(crate) fn either(output: OutputStyle, value: &serde_json::Value, text: &str) {
    match output {
        OutputStyle::Json => out!("{value}"),
        OutputStyle::Text => out!("{}", text.trim_end()),
    }
}

/// Prints a text as it is.
pub(crate) fn plain(text: &str) {
    put(format_args!("{text}"));
}

/// Prints how a run ended.
pub(crate) fn done(manifest: &Manifest, folder: &RunFolder, took: Option<Duration>, output: OutputStyle) {
    let place = shown(folder.root());
    if output == OutputStyle::Json {
        let value = serde_json::json!({
            "run": manifest.run, "folder": place, "end": manifest.end, "rows": manifest.rows, "candidates": manifest.candidates,
            "rejected": manifest.rejected, "concepts": manifest.concepts, "spend": manifest.spend, "by_reference": manifest.by_reference,
            "warnings": manifest.warnings, "resumed": manifest.resumed, "seconds": took.map(|took| took.as_secs_f64()), "finished_before": took.is_none(),
        });
        out!("{value}");
        return;
    }
    let accepted = manifest.rows.train_synthetic;
    let wanted = manifest.job.generate.rows;
    let rows = match wanted {
        Some(wanted) => format!("{} of {} rows", thousands(accepted), thousands(wanted)),
        None => format!("{} rows", thousands(accepted)),
    };
    match took {
        Some(took) => out!("Done in {}: {rows}   {place}", duration(took.as_secs())),
        None => out!("This run is finished: {rows}   {place}"),
    }
    out!(
        "  acceptance {:.1}% of {} candidates",
        100.0 * accepted as f64 / manifest.candidates.max(1) as f64,
        thousands(manifest.candidates)
    );
    if let Some(money) = money(manifest) {
        out!("  spent      {money}");
    }
    out!("  calls      {}", calls(manifest));
    let rejected = manifest
        .rejected
        .iter()
        .map(|(reason, loss)| (*reason, loss.rows));
    if manifest.rows.rejected > 0 {
        out!(
            "  rejected   {}: {}",
            thousands(manifest.rows.rejected),
            counts(rejected)
        );
    }
    if let Some(coverage) = coverage(&manifest.concepts) {
        out!("  coverage   {coverage}");
    }
    out!(
        "  share      {:.0}% synthetic (ceiling {:.0}%), {} real rows; held out {} + {}",
        100.0 * manifest.rows.synthetic_share,
        100.0 * manifest.job.anchor.max_synthetic_share,
        thousands(manifest.rows.train_human),
        thousands(manifest.rows.validation),
        thousands(manifest.rows.test)
    );
    out!("  ended      {}", manifest.end);
    for resumed in &manifest.resumed {
        out!("  resumed    {resumed}");
    }
    if !manifest.warnings.is_empty() {
        out!(
            "  warnings   {}: {}",
            manifest.warnings.len(),
            manifest.warnings.join("; ")
        );
    }
    out!("Next: {place}/report.html, gristmill trace {place} ROW_ID");
}

fn lost(manifest: &Manifest, of: fn(&Loss) -> u64) -> u64 {
    manifest.rejected.iter().map(|(_, loss)| of(loss)).sum()
}

/// `, 4.8/row`; nothing without a row.
fn a_row<T: std::fmt::Display>(manifest: &Manifest, part: impl Fn(u64) -> T) -> String {
    match manifest.rows.train_synthetic {
        0 => String::new(),
        rows => format!(", {}/row", part(rows)),
    }
}

/// Money against its limit, with what a row and the rejected ones cost; nothing where nothing costs money.
fn money(manifest: &Manifest) -> Option<String> {
    let usd = manifest.usd_micros();
    let limit = manifest.limit.usd;
    (usd > 0 || limit.is_some()).then(|| {
        format!(
            "{}{}{}, {} on rejects",
            MicroUsd(usd),
            limit.map_or_else(String::new, |limit| format!(" of {limit}")),
            a_row(manifest, |rows| MicroUsd(usd / rows)),
            MicroUsd(lost(manifest, |loss| loss.usd_micros))
        )
    })
}

fn calls(manifest: &Manifest) -> String {
    let calls = manifest.calls();
    let limit = manifest.limit.calls;
    format!(
        "{}{}{}, {} on rejects",
        thousands(calls),
        limit.map_or_else(String::new, |limit| format!(" of {}", thousands(limit))),
        a_row(manifest, |rows| format!("{:.1}", calls as f64 / rows as f64)),
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
