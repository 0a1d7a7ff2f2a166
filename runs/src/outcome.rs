//! How a run ended, in a few lines.

use std::time::Duration;

use gristmill_domain::amount::MicroUsd;
use gristmill_domain::words::{counts, duration, figure, many, thousands};

use crate::assemble::{Loss, Manifest};
use crate::coverage::coverage;

/// For programs. `took` is the time from the start of the program to the end of the run; nothing where it had ended before.
pub fn json(manifest: &Manifest, place: &str, took: Option<Duration>) -> serde_json::Value {
    serde_json::json!({
        "run": manifest.run, "folder": place, "end": manifest.end, "rows": manifest.rows, "candidates": manifest.candidates,
        "rejected": manifest.rejected, "concepts": manifest.concepts, "spend": manifest.spend, "by_reference": manifest.by_reference,
        "by_recipe": manifest.by_recipe, "length_bias": manifest.length_bias,
        "teacher_checks": manifest.teacher_checks, "warnings": manifest.warnings, "resumed": manifest.resumed, "seconds": took.map(|took| took.as_secs_f64()), "finished_before": took.is_none(),
    })
}

/// For people: `place` is the run's folder as it is shown.
pub fn text(manifest: &Manifest, place: &str, took: Option<Duration>) -> String {
    let mut text = String::new();
    let mut line = |line: String| {
        text.push_str(&line);
        text.push('\n');
    };
    let accepted = manifest.rows.train_synthetic;
    let wanted = manifest.job.generate.rows;
    let rows = match wanted {
        Some(wanted) => format!("{} of {} rows", thousands(accepted), thousands(wanted)),
        None => format!("{} rows", thousands(accepted)),
    };
    match took {
        Some(took) => line(format!("Done in {}: {rows}   {place}", duration(took.as_secs()))),
        None => line(format!("This run is finished: {rows}   {place}")),
    }
    let unasked = lost(manifest, |loss| loss.unasked);
    let asked = manifest.candidates.saturating_sub(unasked);
    line(format!(
        "  acceptance {:.1}% of {} candidates",
        100.0 * accepted as f64 / asked.max(1) as f64,
        thousands(asked)
    ));
    if let Some(money) = money(manifest) {
        line(format!("  spent      {money}"));
    }
    line(format!("  calls      {}", calls(manifest)));
    let rejected = manifest
        .rejected
        .iter()
        .map(|(reason, loss)| (*reason, loss.rows.saturating_sub(loss.unasked)))
        .filter(|(_, rows)| *rows > 0);
    if manifest.rows.rejected > unasked {
        line(format!(
            "  rejected   {}: {}",
            thousands(manifest.rows.rejected - unasked),
            counts(rejected)
        ));
    }
    if unasked > 0 {
        let candidates = many(unasked, "candidate");
        line(format!("  not asked  {candidates}: the budget ended first"));
    }
    for recipe in manifest.told_recipes() {
        line(format!("  recipe     {}: {}", recipe.made, recipe.in_words()));
    }
    if let Some(coverage) = coverage(&manifest.concepts) {
        line(format!("  coverage   {coverage}"));
    }
    line(format!(
        "  share      {:.0}% synthetic (ceiling {:.0}%), {} real rows; held out {} + {}",
        100.0 * manifest.rows.synthetic_share,
        100.0 * manifest.job.anchor.max_synthetic_share,
        thousands(manifest.rows.train_human),
        thousands(manifest.rows.validation),
        thousands(manifest.rows.test)
    ));
    for check in &manifest.teacher_checks {
        line(format!("  teacher    {check}"));
    }
    line(format!("  ended      {}", manifest.end));
    for resumed in &manifest.resumed {
        line(format!("  resumed    {resumed}"));
    }
    if !manifest.warnings.is_empty() {
        line(format!(
            "  warnings   {}: {}",
            manifest.warnings.len(),
            manifest.warnings.join("; ")
        ));
    }
    line(format!(
        "Next: {place}/report.html, gristmill trace {place} ROW_ID"
    ));
    text
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
        a_row(manifest, |rows| figure(calls as f64 / rows as f64)),
        thousands(lost(manifest, |loss| loss.calls))
    )
}
