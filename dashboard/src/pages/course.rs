//! The course of a run's budget, and where it leads.

use gristmill_domain::amount::{Amount, MicroUsd};
use gristmill_domain::words::{duration, many, thousands};
use gristmill_picture::burn::{BudgetCourse, Used};
use gristmill_proto::v1;
use maud::{Markup, PreEscaped, html};

use super::bars::key;
use super::parts::{Budget, RowCounts, goes_on};
use crate::samples::{Pace, Sample};
use crate::text::{clock, second, time};

/// Rows of the table that says the same as the chart.
const TABLE_ROWS: usize = 12;

/// What the chart is measured in: money where it is limited or known, else calls.
#[derive(Clone, Copy)]
struct Unit {
    money: bool,
}

impl Unit {
    fn of(self, amount: Amount) -> f64 {
        match self.money {
            true => amount.usd.0 as f64,
            false => amount.calls as f64,
        }
    }

    fn text(self, value: f64) -> String {
        let whole = value.max(0.0).round() as u64;
        match self.money {
            true => MicroUsd(whole).to_string(),
            false => thousands(whole),
        }
    }
}

/// The chart with a forecast in a sentence; of a run that this process has not watched, it says so.
pub(super) fn course(
    run: &v1::Run,
    samples: &[Sample],
    budget: &Budget,
    rows: &RowCounts,
    pace: Option<&Pace>,
) -> Markup {
    let unit = Unit {
        money: budget.bar().map_or_else(|| budget.priced(), |(money, ..)| money),
    };
    let limit = budget.bar().map(|(_, _, _, limit)| limit as f64);
    let forecast = pace.and_then(|pace| forecast(unit, budget, limit?, pace, samples.last()?));
    html! {
        section aria-labelledby="course-title" {
            h2 #course-title { "Budget over time" }
            @if samples.len() < 2 {
                p.quiet {
                    @if goes_on(run) { "Drawn once this process has watched the run for some seconds." }
                    @else { "This process has not watched the run. " }
                    " What it came to is in its " a href=(crate::link::of_run(&run.run, "budget")) { "books" } "."
                }
            } @else {
                ul.legend {
                    (key(6, false, "spent")) (key(5, false, "burned: cost unknown, booked at the worst case")) (key(6, true, "held by calls in flight"))
                    @if limit.is_some() { li { "dashed: the limit" } }
                }
                (PreEscaped(chart(unit, samples, limit, forecast).inline()))
                @if let Some(text) = forecast.and_then(|(at, _)| told(at, rows, pace?)) { p { (text) } }
                p.quiet { "Watched since " (time(samples[0].at_ms)) ", when this process first saw the run." }
                details #course-table { summary { "As a table" } (table(unit, samples)) }
            }
        }
    }
}

/// When the limit is reached at the pace of the last minutes: milliseconds, and what is used then.
fn forecast(unit: Unit, budget: &Budget, limit: f64, pace: &Pace, last: &Sample) -> Option<(f64, f64)> {
    let a_second = if unit.money { pace.usd } else { pace.calls };
    let left = limit - unit.of(budget.gone());
    (a_second > 0.0 && left > 0.0).then(|| (last.at_ms as f64 + 1_000.0 * left / a_second, limit))
}

/// `At this pace the budget is used up at 14:20 UTC, 312 rows short of 10,000.`
fn told(at_ms: f64, rows: &RowCounts, pace: &Pace) -> Option<String> {
    let now = crate::text::now_ms() as f64;
    let over = duration(pace.over_seconds);
    let more = pace.accepted * (at_ms - now).max(0.0) / 1_000.0;
    let then = rows.accepted + more.round() as u64;
    // Beyond what is expected, the run ends before its budget does.
    if rows.expected > 0 && then >= rows.expected {
        return Some(format!(
            "At the pace of the last {over}, the {} that are expected are there before the budget is used up.",
            many(rows.expected, "row")
        ));
    }
    let short = match rows.expected.saturating_sub(then) {
        0 => String::new(),
        short => format!(", {} short of {}", many(short, "row"), thousands(rows.expected)),
    };
    Some(format!(
        "At the pace of the last {over}, the budget is used up at {} UTC{short}.",
        clock(at_ms as u64)
    ))
}

/// The chart. A forecast far away would press what has been into a corner: it is drawn as far as three times the time that was watched.
fn chart(unit: Unit, samples: &[Sample], limit: Option<f64>, forecast: Option<(f64, f64)>) -> BudgetCourse {
    let used: Vec<Used> = samples
        .iter()
        .map(|sample| Used {
            at: sample.at_ms as f64,
            spent: unit.of(sample.spent),
            burned: unit.of(sample.burned),
            held: unit.of(sample.held),
        })
        .collect();
    let (first, last) = (used[0], used[used.len() - 1]);
    let forecast = forecast.map(|(at, value)| {
        let far = last.at + 2.0 * (last.at - first.at);
        let part = ((far - last.at) / (at - last.at).max(1.0)).min(1.0);
        let gone = last.spent + last.burned;
        (last.at + part * (at - last.at), gone + part * (value - gone))
    });
    let top = limit.unwrap_or(last.spent + last.burned + last.held);
    let end = forecast.map_or(last.at, |(at, _)| at);
    BudgetCourse {
        title: "What was spent, burned and held over time".to_owned(),
        used,
        limit,
        forecast,
        scale: [0.0, 0.5, 1.0]
            .map(|share| (share * top, unit.text(share * top)))
            .to_vec(),
        times: [first.at, end]
            .map(|at| (at, format!("{} UTC", clock(at as u64))))
            .to_vec(),
    }
}

fn table(unit: Unit, samples: &[Sample]) -> Markup {
    let every = samples.len().div_ceil(TABLE_ROWS);
    let chosen = samples.iter().rev().step_by(every);
    html! {
        p.quiet { "What the run had come to at each time, the newest first." }
        div.scroll { table {
            thead { tr { th scope="col" { "time" } th scope="col" { "spent" } th scope="col" { "burned" } th scope="col" { "held" } th scope="col" { "accepted rows" } } }
            tbody { @for sample in chosen { tr {
                th scope="row" { (second(sample.at_ms)) }
                td { (unit.text(unit.of(sample.spent))) }
                td { (unit.text(unit.of(sample.burned))) }
                td { (unit.text(unit.of(sample.held))) }
                td { (thousands(sample.accepted)) }
            } } }
        } }
    }
}
