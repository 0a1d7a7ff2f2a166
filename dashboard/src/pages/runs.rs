//! All runs, what needs attention first.

use std::sync::Arc;

use axum::extract::Query;
use axum::response::Response;
use gristmill_domain::words::thousands;
use gristmill_proto::v1;
use maud::{Markup, html};
use serde::Deserialize;

use super::compare::{chooser, tick};
use super::parts::{
    Budget, RowCounts, attention, budget_bar, evaluates, goes_on, left, moves, seconds_left, state_mark,
};
use crate::app::App;
use crate::link;
use crate::live::{Asked, show};
use crate::page::{Page, Part};
use crate::source::{Looked, Refusal, Role, Who};
use crate::text::{Prose, Shown, now_ms, percent, rate, time};

/// Runs on a page.
const PAGE: u32 = 50;

#[derive(Debug, Clone, Copy, Default, Deserialize)]
pub(super) struct Wanted {
    /// Runs before those that are shown.
    #[serde(default)]
    skip: u32,
}

pub(super) async fn runs(asked: Asked, Query(wanted): Query<Wanted>) -> Response {
    let (app, who) = (Arc::clone(&asked.app), asked.visitor.session.who);
    show(asked, move || page(Arc::clone(&app), who, wanted)).await
}

/// Where a job is submitted, for who may.
fn submit(app: &App, who: Who) -> Markup {
    html! {
        @if app.source.intake().is_some() && who.role == Role::Operator {
            p.acts { a.button href="/submit" { "Submit a job…" } }
        }
    }
}

async fn page(app: Arc<App>, who: Who, wanted: Wanted) -> Result<Page, Refusal> {
    let mut runs = app.source.runs(who, wanted.skip, PAGE + 1).await?;
    let more = runs.len() > PAGE as usize;
    runs.truncate(PAGE as usize);
    let mut lines: Vec<Line> = runs.into_iter().map(|run| Line::of(&app, run)).collect();
    // What waits for a person, then what goes on, then what is over; each the newest first.
    lines.sort_by_key(|line| match (&line.attention, goes_on(&line.run)) {
        (Some(_), _) => 0,
        (None, true) => 1,
        (None, false) => 2,
    });
    let page = Page::new("Runs", Part::Runs);
    if lines.is_empty() {
        let looked = app.source.looked();
        return Ok(page
            .with("submit", submit(&app, who))
            .with("runs", empty(app.source.is_cluster(), wanted.skip, &looked))
            .with("lineages", html! {
                @if !app.source.lineages().is_empty() { p { "There is a lineage: " a href="/generations" { "its generations" } } }
            }));
    }
    Ok(page
        .with("submit", submit(&app, who))
        .with("attention", need_attention(&lines))
        .with("choose", html! { @if lines.len() > 1 { (chooser()) } })
        .with("runs", table(&lines, app.source.is_cluster()))
        .with("paging", paging(wanted.skip, more)))
}

/// A run with what its line shows.
struct Line {
    run: v1::Run,
    rows: RowCounts,
    budget: Budget,
    attention: Option<String>,
    rate: String,
    left: Option<u64>,
}

impl Line {
    fn of(app: &App, run: v1::Run) -> Self {
        let cluster = app.source.is_cluster();
        let rows = RowCounts::reported(&run);
        let budget = Budget::of(&run);
        // What is left of an evaluation is counted in answers, whose pace is not known.
        let paced = moves(&run) && !evaluates(&run);
        let pace = app.samples.pace(&run.run, now_ms()).filter(|_| paced);
        Self {
            rows,
            attention: attention(&run, cluster),
            rate: pace.map(|pace| rate(pace.accepted)).unwrap_or_default(),
            left: pace.and_then(|pace| seconds_left(&rows, &budget, &pace)),
            budget,
            run,
        }
    }
}

fn empty(cluster: bool, skip: u32, looked: &Looked) -> Markup {
    html! {
        @if skip > 0 {
            p { "There are no more runs. " a href="/runs" { "The newest" } }
        } @else if cluster {
            p { "There is no run yet. " code { "gristmill submit job.yaml --server URL" } " enters one." }
        } @else {
            p { "There is no run in, or directly below, " (listed(&looked.folders)) "." }
            @if let [first, ..] = &looked.below[..] {
                p {
                    (if looked.below.len() == 1 { "This folder holds runs: " } else { "These folders hold runs: " }) (listed(&looked.below)) ". "
                    "Ctrl-C ends this dashboard, and " code { "gristmill ui " (Shown(first)) } " shows them."
                }
            }
            p { code { "gristmill run job.yaml" } " makes one in the job's " code { "output.dir" } "; it appears here when it starts, if that is one of these folders." }
        }
    }
}

fn listed(folders: &[String]) -> Markup {
    html! {
        @for (number, folder) in folders.iter().enumerate() {
            @if number > 0 { ", " }
            code { (Shown(folder)) }
        }
    }
}

fn need_attention(lines: &[Line]) -> Markup {
    let waiting: Vec<_> = lines.iter().filter(|line| line.attention.is_some()).collect();
    html! {
        @if !waiting.is_empty() {
            section.attention aria-labelledby="attention-title" {
                h2 #attention-title { "Needs attention" }
                ul.gates {
                    @for line in waiting {
                        li.warn {
                            span.sign aria-hidden="true" { "!" }
                            span {
                                a href=(link::run(&line.run.run)) { (line.run.run) }
                                " is " (Prose(line.attention.as_deref().unwrap_or_default()))
                            }
                        }
                    }
                }
            }
        }
    }
}

fn table(lines: &[Line], cluster: bool) -> Markup {
    html! {
        div.scroll {
            table.cards {
                caption.hidden { "Runs" }
                thead { tr {
                    th scope="col" { "Run" } th scope="col" { "State" } th scope="col" { "Rows" } th scope="col" { "Budget" }
                    th scope="col" { "Accepted" } th scope="col" { "Rate" } th scope="col" { "Left" } th scope="col" { "Started" } th scope="col" { "Compare" }
                } }
                tbody { @for line in lines { (row(line, cluster)) } }
            }
        }
    }
}

fn row(line: &Line, cluster: bool) -> Markup {
    let Line {
        run, rows, budget, ..
    } = line;
    let (goal, on) = (rows.expected.max(rows.accepted), goes_on(run));
    html! {
        tr {
            th scope="row" { a href=(link::run(&run.run)) { (run.run) } " " span.quiet { (Shown(&run.name)) } }
            td data-head="State" { (state_mark(run, cluster)) }
            @if evaluates(run) { (answers(run, rows, on)) } @else { td.metered data-head="Rows" {
                span {
                    a href=(link::rows(&run.run, &[("verdict", "accepted")])) { (rows.shown(rows.accepted)) }
                    @if rows.expected > 0 && on { " of " (thousands(rows.expected)) }
                }
                @if goal > 0 && on {
                    progress max=(goal) value=(rows.accepted) aria-label={ "accepted rows of " (run.run) } {}
                }
            } }
            td.metered data-head="Budget" {
                a href=(link::of_run(&run.run, "budget")) { (budget.in_words()) }
                (budget_bar(budget, "budget"))
            }
            td data-head="Accepted" { @if evaluates(run) { (right(rows, on, cluster)) } @else { (rows.acceptance()) } }
            td data-head="Rate" { @if line.rate.is_empty() { "–" } @else { (line.rate) } }
            td data-head="Left" { (left(line.left)) }
            td data-head="Started" { (time(run.submitted_ms)) }
            td data-head="Compare" { @if evaluates(run) { "–" } @else { (tick(&run.run)) } }
        }
    }
}

/// How many answers an evaluation has.
fn answers(run: &v1::Run, rows: &RowCounts, on: bool) -> Markup {
    html! {
        td.metered data-head="Answers" {
            span {
                a href=(link::run(&run.run)) { (rows.shown(rows.decided)) " answers" }
                @if rows.expected > 0 && on { " of " (thousands(rows.expected)) }
            }
            @if rows.expected > 0 && on {
                progress max=(rows.expected) value=(rows.decided.min(rows.expected)) aria-label={ "answers of " (run.run) } {}
            }
        }
    }
}

/// The share of an evaluation's answers that are right. A run in a folder does not say it until it has ended.
fn right(rows: &RowCounts, on: bool, cluster: bool) -> String {
    match on && !cluster {
        true => "–".to_owned(),
        false => format!("{} right", percent(rows.accepted, rows.decided)),
    }
}

fn paging(skip: u32, more: bool) -> Markup {
    html! {
        @if skip > 0 || more {
            nav.paging aria-label="Pages" {
                @if skip > 0 { a rel="prev" href={ "/runs?skip=" (skip.saturating_sub(PAGE)) } { "Newer" } }
                @if more { a rel="next" href={ "/runs?skip=" (skip + PAGE) } { "Older" } }
            }
        }
    }
}
