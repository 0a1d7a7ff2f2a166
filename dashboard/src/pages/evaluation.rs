//! An evaluation: how far it is, and once it has ended, how good its models are, with what the votes on their answers say.

use std::path::Path;
use std::sync::Arc;

use gristmill_domain::words::{many, thousands};
use gristmill_picture::evaluation::{EvaluationPage, Part as ResultPart};
use gristmill_picture::parts::Table;
use gristmill_proto::v1;
use maud::{Markup, html};

use super::parts::{Budget, RowCounts, goes_on, moves};
use super::result_parts::{headlines, intervals, no_votes, table, verdict};
use super::run::{about, alerts, state};
use super::{course, flow};
use crate::app::App;
use crate::link;
use crate::page::{Kind, Page, Part};
use crate::results::{EvaluationResult, Found};
use crate::source::{Refusal, Who};
use crate::text::{Prose, Shown, money, now_ms, percent};

/// The page.
pub(super) async fn page(app: Arc<App>, who: Who, run: v1::Run) -> Result<Page, Refusal> {
    let cluster = app.source.is_cluster();
    let on = goes_on(&run);
    if on {
        app.samples.see(&run, now_ms());
    }
    let workers = match cluster && on {
        true => app.source.workers(who).await?.workers,
        false => Vec::new(),
    };
    let (budget, rows) = (Budget::of(&run), RowCounts::reported(&run));
    let pace = app.samples.pace(&run.run, now_ms()).filter(|_| moves(&run));
    let page = Page::new(format!("Evaluation {}", run.run), Part::Runs)
        .of(&run.run, Kind::Evaluation)
        .with("verdict", state(&app, who, &run, &workers))
        .with("alerts", alerts(&run));
    // One panel that fails leaves the rest.
    let found = async {
        let folder = app.source.run_folder(who, &run.run).await?;
        let found = app.results.of(&run.run, &folder).await?;
        Ok::<_, Refusal>((folder, found))
    };
    let page = match found.await {
        Ok((folder, Found::Result(result))) => {
            let votes = votes(&app, &run.run, &folder, &result).await;
            page.with("result", told(&result.page))
                .with("votes", votes)
                .with("parts", parts(&result.page))
        }
        Ok((_, Found::Reading)) => page.with("result", html! { p.quiet { "The result is being read…" } }),
        Ok((_, Found::Nothing)) => page
            .with("headlines", so_far(&rows, &budget, on, cluster))
            .with("result", not_there(&run, on)),
        Err(refusal) => page.with("headlines", so_far(&rows, &budget, on, cluster)).with(
            "result",
            html! { p.verdict.warn { span.sign aria-hidden="true" { "!" } (Prose(&refusal.text)) } },
        ),
    };
    let page = match on {
        true => page
            .with("flow", flow::flow(&run, &workers, pace.as_ref(), cluster))
            .with(
                "course",
                // No forecast: what is left is counted in answers.
                course::course(
                    &run,
                    &app.samples.of(&run.run),
                    &budget,
                    &RowCounts::default(),
                    None,
                ),
            ),
        false => page,
    };
    Ok(page.with("facts", about(&run, cluster, "result")))
}

/// Why there is no result.
fn not_there(run: &v1::Run, on: bool) -> Markup {
    html! {
        @if on {
            p { "Figures, comparisons and wrong answers are shown here once the evaluation has ended." }
        } @else if run.state() == v1::RunState::Cancelled {
            p { "It was cancelled before its answers were graded, so that there is no result." }
        } @else {
            p { "There is no result yet. " code { "gristmill assemble" } " with the run's folder writes it from what is stored." }
        }
    }
}

/// What is known before there is a result.
fn so_far(rows: &RowCounts, budget: &Budget, on: bool, cluster: bool) -> Markup {
    // A run in a folder does not say how many are right until it has ended.
    let graded = cluster || !on;
    html! {
        dl.headlines {
            div { dt { "answers" } dd {
                strong { (rows.shown(rows.decided)) }
                span.quiet { @if on && rows.expected > 0 { "of " (thousands(rows.expected)) } }
            } }
            @if graded {
                div { dt { "right so far" } dd {
                    strong { (percent(rows.accepted, rows.decided)) }
                    span.quiet { "of all models' answers" }
                } }
            }
            div { dt { @if budget.priced() { "spent" } @else { "calls" } } dd {
                strong { @if budget.priced() { (money(budget.gone().usd, true)) } @else { (thousands(budget.gone().calls)) } }
                span.quiet { (budget.in_words()) }
            } }
        }
    }
}

/// The result in short.
fn told(page: &EvaluationPage) -> Markup {
    html! {
        section aria-labelledby="result-title" {
            h2 #result-title { "Result" }
            (verdict(page.severity, &page.verdict))
            (headlines(&page.headlines))
            @if !page.warnings.is_empty() {
                ul.gates { @for warning in &page.warnings {
                    li.warn { span.sign aria-hidden="true" { "!" } span { (Prose(warning)) } }
                } }
            }
            h3 { "Models" }
            (intervals(&page.models, "Accuracy by model", "model", 0))
        }
    }
}

/// Comparisons, parts of the set, wrong answers, settings.
fn parts(page: &EvaluationPage) -> Markup {
    html! {
        (each("comparisons", "The student against others", "part", 1, &page.comparisons))
        (each("slices", "The student by parts of the set", "part", 0, &page.slices))
        @if !page.wrong.rows.is_empty() {
            section aria-labelledby="wrong-title" {
                h2 #wrong-title { "Wrong answers of the student" }
                p.quiet { "The first of them. " code { "gristmill trace --eval" } " says why a student answers wrongly." }
                (wrong(&page.wrong))
            }
        }
        section aria-labelledby="settings-title" {
            h2 #settings-title { "Settings" }
            (table(&page.facts, "Settings", "said"))
        }
    }
}

/// Wrong answers: cards on a phone.
fn wrong(table: &Table) -> Markup {
    let head = |number: usize| table.heads.get(number).map_or("", String::as_str);
    html! {
        div.scroll { table.cards.left.wrap.wrongs {
            caption.hidden { "Wrong answers" }
            thead { tr { @for head in &table.heads { th scope="col" { (Shown(head)) } } } }
            tbody { @for row in &table.rows { tr {
                @for (number, cell) in row.iter().enumerate() {
                    @if number == 0 { th scope="row" { (Shown(cell)) } } @else { td data-head=(head(number)) { (Shown(cell)) } }
                }
            } } }
        } }
    }
}

/// Parts under one heading; the first is open.
fn each(id: &str, title: &str, head: &str, colour: usize, parts: &[ResultPart]) -> Markup {
    html! {
        @if !parts.is_empty() {
            section aria-labelledby={ (id) "-title" } {
                h2 id={ (id) "-title" } { (title) }
                @for (number, part) in parts.iter().enumerate() {
                    details id={ (id) "-" (number) } open[number == 0] {
                        summary { (Shown(&part.name)) }
                        (intervals(&part.intervals, &part.name, head, colour))
                    }
                }
            }
        }
    }
}

/// What the votes say, and where to vote.
async fn votes(app: &App, run: &str, folder: &Path, result: &EvaluationResult) -> Markup {
    let found = app.results.preferences(run, folder, result).await;
    html! {
        @if result.arena.models().len() > 1 {
            section aria-labelledby="votes-title" {
                h2 #votes-title { "Votes" }
                @match &found {
                    Err(refusal) => p.verdict.warn { span.sign aria-hidden="true" { "!" } (Prose(&refusal.text)) },
                    Ok(Found::Result(found)) if found.votes > 0 => {
                        ul { @for pair in &found.pairs { li { (Shown(&pair.told())) } } }
                        p { a href=(link::of_run(run, "arena/votes")) { (many(found.votes, "vote")) } " in the blind arena. " a href=(link::of_run(run, "arena")) { "Vote" } }
                    }
                    Ok(Found::Reading) => p.quiet { "The votes are being counted…" },
                    Ok(_) => (no_votes(run)),
                }
            }
        }
    }
}
