//! One run: what limits it, its stages, its budget, what it brings.

use std::sync::Arc;

use gristmill_domain::amount::MicroUsd;
use gristmill_domain::words::{duration, figure, many, thousands};
use gristmill_proto::v1;
use maud::{Markup, html};

use super::act::possible;
use super::parts::{Budget, RowCounts, attention, goes_on, left, moves, seconds_left, state_mark};
use super::{course, flow, funnel, rounds};
use crate::app::App;
use crate::link;
use crate::page::{Page, Part};
use crate::samples::Pace;
use crate::source::{Refusal, Role, Who};
use crate::text::{Prose, Shown, money, now_ms, rate, time};

/// The page.
pub(super) async fn page(app: Arc<App>, who: Who, run: v1::Run) -> Result<Page, Refusal> {
    let cluster = app.source.is_cluster();
    if goes_on(&run) {
        app.samples.see(&run, now_ms());
    }
    let workers = match cluster && goes_on(&run) {
        true => app.source.workers(who).await?.workers,
        false => Vec::new(),
    };
    let rows = RowCounts::reported(&run);
    let budget = Budget::of(&run);
    let pace = app.samples.pace(&run.run, now_ms()).filter(|_| moves(&run));
    let counted = app.facts.of(&app.source, &run).await;
    let title = format!("Run {}", run.run);
    let samples = app.samples.of(&run.run);
    Ok(Page::new(title, Part::Runs)
        .of_run(&run.run)
        .with("verdict", state(&app, who, &run, &workers))
        .with("headlines", headlines(&run, &rows, &budget, pace.as_ref()))
        .with("alerts", alerts(&run))
        .with("flow", flow::flow(&run, &workers, pace.as_ref(), cluster))
        .with(
            "course",
            course::course(&run, &samples, &budget, &rows, pace.as_ref()),
        )
        .with("funnel", funnel::funnel(&run, &counted))
        .with("rounds", rounds::rounds(&run, &counted))
        .with("facts", about(&run, cluster, "dataset")))
}

/// The state, and in a sentence what limits the run now.
pub(super) fn state(app: &App, who: Who, run: &v1::Run, workers: &[v1::Worker]) -> Markup {
    let cluster = app.source.is_cluster();
    let class = if attention(run, cluster).is_some() {
        "warn"
    } else {
        ""
    };
    html! {
        p class={ "verdict " (class) } { (state_mark(run, cluster)) " " (Prose(&sentence(run, workers, cluster))) }
        (acts(app, who, run))
    }
}

fn sentence(run: &v1::Run, workers: &[v1::Worker], cluster: bool) -> String {
    if let Some(waits) = attention(run, cluster) {
        let (_, _, word) = super::parts::state(run, cluster);
        return waits
            .trim_start_matches(word)
            .trim_start_matches([':', ';', ' '])
            .to_owned();
    }
    let progress = run.progress.clone().unwrap_or_default();
    if !goes_on(run) {
        let end = match progress.end.is_empty() {
            true => String::new(),
            false => format!("ended: {}", progress.end),
        };
        let told = [end, progress.short, run.reason.clone()];
        return told
            .into_iter()
            .filter(|part| !part.is_empty())
            .collect::<Vec<_>>()
            .join("; ");
    }
    let phase = match progress.phase.is_empty() {
        true => String::new(),
        false => format!("{}: ", progress.phase),
    };
    // Of a run of this machine, the reason only names the process that works on it.
    match run.state() == v1::RunState::Running && (run.reason.is_empty() || !cluster) {
        true => format!("{phase}{}", flow::limited_by(run, workers)),
        false => format!("{phase}{}", run.reason),
    }
}

/// What an operator can do with the run as it stands; each leads to a page that asks.
fn acts(app: &App, who: Who, run: &v1::Run) -> Markup {
    if let Some(why) = app.source.read_only() {
        return html! { p.quiet { (Prose(why)) } };
    }
    html! {
        @if who.role < Role::Operator {
            p.quiet { "You are signed in as a viewer: an operator can change this run." }
        } @else {
            div.acts {
                @for (verb, name) in possible(run) {
                    a.button.danger[verb == "cancel"] href=(link::act(&run.run, verb)) { (name) }
                }
            }
        }
    }
}

fn headlines(run: &v1::Run, rows: &RowCounts, budget: &Budget, pace: Option<&Pace>) -> Markup {
    let gone = budget.gone();
    let each = match (rows.accepted, budget.priced()) {
        (0, _) => "no accepted row yet",
        (_, true) => "an accepted row",
        (_, false) => "calls an accepted row",
    };
    let speed = pace
        .map(|pace| rate(pace.accepted))
        .filter(|text| !text.is_empty());
    html! {
        dl.headlines {
            div { dt { "accepted rows" } dd {
                strong { a href=(link::rows(&run.run, &[("verdict", "accepted")])) { (rows.shown(rows.accepted)) } }
                span.quiet { @if rows.expected > 0 && goes_on(run) { "of " (thousands(rows.expected)) " expected" } }
            } }
            div { dt { "acceptance" } dd {
                strong { (rows.acceptance()) }
                span.quiet { "of " a href=(link::rows(&run.run, &[])) { (rows.shown(rows.decided)) " decided" } }
            } }
            div { dt { @if !budget.priced() { "calls" } @else if budget.burned.usd.0 > 0 { "spent and burned" } @else { "spent" } } dd {
                strong { @if budget.priced() { (money(gone.usd, true)) } @else { (thousands(gone.calls)) } }
                span.quiet { a href=(link::of_run(&run.run, "budget")) { (budget.in_words()) } }
            } }
            div { dt { "cost" } dd { strong { (cost_word(rows, budget)) } span.quiet { (each) } } }
            @if moves(run) {
                div { dt { "rate" } dd {
                    strong { @match &speed { Some(speed) => (speed), None => "–" } }
                    span.quiet { @match pace {
                        Some(pace) if speed.is_some() => { "accepted, over the last " (duration(pace.over_seconds)) },
                        _ => "not watched for long enough",
                    } }
                } }
                div { dt { "left" } dd {
                    strong { (left(pace.and_then(|pace| seconds_left(rows, budget, pace)))) }
                    span.quiet { "at this rate" }
                } }
            }
        }
    }
}

fn cost_word(rows: &RowCounts, budget: &Budget) -> String {
    let gone = budget.gone();
    match rows.accepted {
        0 => "–".to_owned(),
        accepted if budget.priced() => MicroUsd(gone.usd.0 / accepted).to_string(),
        accepted => figure(gone.calls as f64 / accepted as f64),
    }
}

/// What a person should know: notices of the run, and alerts of its account.
pub(super) fn alerts(run: &v1::Run) -> Markup {
    let notices = gristmill_runs::served::notices(run);
    let alerts: Vec<&v1::Alert> = run.account.iter().flat_map(|account| &account.alerts).collect();
    let all = run.account.as_ref().map_or(0, |account| account.alerts_total);
    let obstacles = run.obstacles.iter().map(gristmill_runs::served::obstacle);
    let failures = gristmill_runs::served::status(run).failures;
    html! {
        @if !notices.is_empty() || !alerts.is_empty() || run.obstacles.len() > 1 || !failures.is_empty() {
            section aria-labelledby="alerts-title" {
                h2 #alerts-title { "Alerts" }
                ul.gates {
                    @for failure in &failures { li.warn { span.sign aria-hidden="true" { "!" } span { (Prose(&failure.to_string())) } } }
                    @for text in obstacles { li.warn { span.sign aria-hidden="true" { "!" } span { (Prose(&text)) } } }
                    @for text in &notices { li.warn { span.sign aria-hidden="true" { "!" } span { (Shown(text)) } } }
                    @for alert in &alerts {
                        li.bad { span.sign aria-hidden="true" { "✗" } span { (time(alert.at_ms)) ": " (Shown(&alert.text)) } }
                    }
                }
                @if all > alerts.len() as u64 { p.quiet { "The first " (alerts.len()) " of " (thousands(all)) " alerts." } }
            }
        }
    }
}

/// What a run is, and where what it made is; `made` is what that is called.
pub(super) fn about(run: &v1::Run, cluster: bool, made: &str) -> Markup {
    html! {
        section aria-labelledby="facts-title" {
            h2 #facts-title { "About" }
            div.scroll { table.said { tbody {
                tr { th scope="row" { "run" } td.id { (run.run) } }
                tr { th scope="row" { "job" } td { (Shown(&run.name)) } }
                tr { th scope="row" { "started" } td { (time(run.submitted_ms)) } }
                @if let Some(ended) = run.ended_ms { tr { th scope="row" { "ended" } td { (time(ended)) } } }
                @if cluster && !run.coordinator.is_empty() { tr { th scope="row" { "driven by" } td { (Shown(&run.coordinator)) } } }
                @if !run.dataset.is_empty() { tr { th scope="row" { (made) } td { (Shown(&run.dataset)) } } }
                @if let Some(account) = &run.account {
                    // The first is the start.
                    @if account.epoch > 1 { tr { th scope="row" { "taken over" } td { (many(account.epoch - 1, "time")) } } }
                }
            } } }
        }
    }
}
