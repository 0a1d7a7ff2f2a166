//! What became of candidates: accepted, or rejected for a reason, with what it cost; and what each recipe, strategy and teacher brought.

use std::sync::Arc;

use gristmill_domain::amount::MicroUsd;
use gristmill_domain::filter::Reason;
use gristmill_domain::words::{figure, thousands};
use gristmill_proto::v1;
use maud::{Markup, html};

use super::bars::bar;
use crate::journal_facts::Counted;
use crate::link;
use crate::text::{Shown, clock, money, percent};

/// The last count of a run, or why there is none.
pub(super) type Facts = Result<Option<Arc<Counted>>, String>;

/// Says of when the numbers of a section are, or why they are not there.
pub(super) fn dated(facts: &Facts) -> Markup {
    html! {
        @match facts {
            Ok(Some(counted)) if counted.last => {}
            Ok(Some(counted)) => p.quiet { "Rows of finished blocks, counted at " (clock(counted.at_ms)) " UTC." },
            Ok(None) => p.quiet { "The journal is being counted…" },
            Err(why) => p.verdict.warn { span.sign aria-hidden="true" { "!" } "The journal cannot be counted: " (Shown(why)) },
        }
    }
}

/// The funnel.
pub(super) fn funnel(run: &v1::Run, facts: &Facts) -> Markup {
    html! {
        section aria-labelledby="funnel-title" {
            h2 #funnel-title { "What became of candidates" }
            (dated(facts))
            @if let Ok(Some(counted)) = facts {
                @if counted.manifest.candidates == 0 { p.quiet { "No candidate is decided yet." } }
                @else { (losses(run, counted)) (yields(run, counted)) }
            }
        }
    }
}

fn losses(run: &v1::Run, counted: &Counted) -> Markup {
    let manifest = &counted.manifest;
    let all = manifest.candidates;
    let share = |rows: u64| rows as f64 / all.max(1) as f64;
    let priced = manifest.usd_micros() > 0 || manifest.limit.usd.is_some();
    let mut left = all;
    let mut steps: Vec<(Reason, u64, u64, u64, u64)> = Vec::new();
    for (reason, loss) in &manifest.rejected {
        left = left.saturating_sub(loss.rows);
        steps.push((*reason, loss.rows, left, loss.calls, loss.usd_micros));
    }
    html! {
        div.scroll { table.bars {
            thead { tr {
                th scope="col" { "candidates" } th.bar scope="col" { span.hidden { "share left" } } th scope="col" { "rows" }
                th scope="col" { "share" } th scope="col" { "calls" } th scope="col" { "cost" }
            } }
            tbody {
                tr { th scope="row" { "all" } td.bar { (bar(1, 1.0, 0.0, None)) } td { a href=(link::rows(&run.run, &[])) { (thousands(all)) } } td { (percent(all, all)) } td {} td {} }
                @for (reason, rows, left, calls, usd) in steps {
                    tr {
                        th scope="row" { "− " (reason.label()) }
                        td.bar { (bar(1, share(left), share(rows), None)) }
                        td { a href=(link::rows(&run.run, &[("reason", reason.as_str())])) { (thousands(rows)) } }
                        td { (percent(rows, all)) }
                        td { (thousands(calls)) }
                        td { (money(MicroUsd(usd), priced)) }
                    }
                }
                tr {
                    @let accepted = manifest.rows.train_synthetic;
                    th scope="row" { "accepted" }
                    td.bar { (bar(1, share(accepted), 0.0, None)) }
                    td { a href=(link::rows(&run.run, &[("verdict", "accepted")])) { (thousands(accepted)) } }
                    td { (percent(accepted, all)) }
                    td {} td {}
                }
            }
        } }
    }
}

/// A line of the table of yields: its name, where its rows are, and what it brought.
struct Line {
    name: String,
    rows: Option<String>,
    candidates: u64,
    accepted: u64,
    calls: u64,
    usd: u64,
}

fn yields(run: &v1::Run, counted: &Counted) -> Markup {
    let manifest = &counted.manifest;
    let priced = manifest.usd_micros() > 0 || manifest.limit.usd.is_some();
    let recipes = manifest.by_recipe.iter().map(|recipe| Line {
        name: recipe.made.to_string(),
        rows: Some(link::rows(&run.run, &[("recipe", &recipe.made.recipe)])),
        candidates: recipe.brought.candidates,
        accepted: recipe.brought.accepted,
        calls: recipe.brought.calls,
        usd: recipe.brought.usd_micros,
    });
    let others = manifest
        .by_strategy
        .iter()
        .chain(&manifest.by_reference)
        .chain(&manifest.by_mutator);
    let others = others.map(|(name, brought)| Line {
        name: name.replace('_', " "),
        rows: None,
        candidates: brought.candidates,
        accepted: brought.accepted,
        calls: brought.calls,
        usd: brought.usd_micros,
    });
    html! {
        details #yields open {
            summary { "By recipe, strategy and reference" }
            div.scroll { table {
                thead { tr { th scope="col" { "made by" } th scope="col" { "candidates" } th scope="col" { "accepted" } th scope="col" { "share" } th scope="col" { "calls a row" } th scope="col" { "cost a row" } } }
                tbody { @for line in recipes.chain(others) { tr {
                    th scope="row" { (Shown(&line.name)) }
                    td { @match &line.rows { Some(rows) => a href=(rows) { (thousands(line.candidates)) }, None => (thousands(line.candidates)) } }
                    td { (thousands(line.accepted)) }
                    td { (percent(line.accepted, line.candidates)) }
                    @if line.accepted == 0 { td { "–" } td { "–" } }
                    @else {
                        td { (figure(line.calls as f64 / line.accepted as f64)) }
                        td { (money(MicroUsd(line.usd / line.accepted), priced)) }
                    }
                } } }
            } }
        }
    }
}
