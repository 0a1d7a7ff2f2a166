//! Workers and what they have in hand; draining them.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Form, Path};
use axum::response::Response;
use gristmill_domain::stage::Stage;
use gristmill_domain::words::{duration, thousands};
use gristmill_ports::register::SILENT_FROM;
use gristmill_proto::v1;
use maud::{Markup, html};

use super::act::{Fields, carried_out, check_role};
use super::flow::takers;
use crate::app::App;
use crate::link;
use crate::live::{Asked, show};
use crate::page::{Page, Part};
use crate::source::{Act, Refusal, Role, Who};
use crate::text::{Prose, Shown, time};

/// Age of a task in hand from which a worker is shown as stuck: longer than a call may take that is not a batch.
const STUCK_FROM: u64 = 600;

pub(super) async fn workers(asked: Asked) -> Response {
    let (app, who) = (Arc::clone(&asked.app), asked.visitor.session.who);
    show(asked, move || page(Arc::clone(&app), who)).await
}

async fn page(app: Arc<App>, who: Who) -> Result<Page, Refusal> {
    if !app.source.is_cluster() {
        return Ok(Page::new("Workers", Part::Workers).with("workers", none_of_a_machine()));
    }
    let found = app.source.workers(who).await?;
    let acts = who.role == Role::Operator && app.source.read_only().is_none();
    Ok(Page::new("Workers", Part::Workers)
        .with("lacking", lacking(&found.workers))
        .with("workers", table(&found.workers, acts))
        .with("drained", drained(&found.drained, acts)))
}

/// What there is instead of workers where runs are a machine's.
fn none_of_a_machine() -> Markup {
    html! {
        p {
            "Runs of this machine have no workers: the process of " code { "gristmill run" } " makes all of its calls itself. The page of "
            "a " a href="/runs" { "run" } " says whether a process works on it."
        }
    }
}

/// Stages that nobody takes tasks of.
fn lacking(workers: &[v1::Worker]) -> Markup {
    let nobody: Vec<&str> = Stage::ALL
        .into_iter()
        .filter(|stage| takers(*stage, workers).next().is_none())
        .map(Stage::name)
        .collect();
    html! {
        @if !nobody.is_empty() && !workers.is_empty() {
            p.verdict.warn { span.sign aria-hidden="true" { "!" } "No worker takes " (nobody.join(" or ")) " tasks. " code { "gristmill worker --stages " (nobody.join(",")) } " starts one." }
        }
    }
}

fn is_silent(worker: &v1::Worker) -> bool {
    Duration::from_millis(worker.silent_ms) >= SILENT_FROM
}

/// State of a worker: a class, a sign, a word.
fn state(worker: &v1::Worker) -> (&'static str, &'static str, &'static str) {
    let report = worker.report.as_ref();
    let oldest = report.and_then(|report| report.oldest_seconds).unwrap_or(0);
    match worker {
        _ if is_silent(worker) => ("bad", "✗", "silent"),
        _ if worker.draining || report.is_some_and(|report| report.stopping) => ("warn", "◌", "draining"),
        _ if oldest >= STUCK_FROM => ("warn", "!", "stuck?"),
        _ if report.is_some_and(|report| !report.refused.is_empty()) => ("warn", "!", "puts tasks off"),
        _ => ("good", "▶", "working"),
    }
}

fn table(workers: &[v1::Worker], acts: bool) -> Markup {
    html! {
        @if workers.is_empty() {
            p { "There is no worker. " code { "gristmill worker" } ", beside the same Redis, RabbitMQ and store, starts one." }
        } @else {
            div.scroll { table.cards.wrap {
                caption.hidden { "Workers" }
                thead { tr { th scope="col" { "Worker" } th scope="col" { "State" } th scope="col" { "Stages" } th scope="col" { "In hand" } th scope="col" { "Oldest" } th scope="col" { "Heard" } th scope="col" { "Since" } th scope="col" { "Version" } @if acts { th scope="col" { span.hidden { "Acts" } } } } }
                tbody { @for worker in workers { (row(worker, acts)) } }
            } }
        }
    }
}

fn row(worker: &v1::Worker, acts: bool) -> Markup {
    let (class, sign, word) = state(worker);
    let report = worker.report.clone().unwrap_or_default();
    let stages: Vec<&str> = Stage::ALL
        .into_iter()
        .filter(|stage| report.stages().any(|taken| taken == v1::Stage::from(*stage)))
        .map(Stage::name)
        .collect();
    let in_hand: u64 = report.in_flight.values().sum();
    html! {
        tr {
            th scope="row" { (Shown(&worker.worker)) }
            td data-head="State" {
                span.state.(class) { span.sign aria-hidden="true" { (sign) } (word) }
                @for (run, why) in &report.refused { div.quiet { a href=(link::run(run)) { (run) } ": " (Prose(why)) } }
            }
            td data-head="Stages" { (stages.join(", ")) }
            td data-head="In hand" { (thousands(in_hand)) " of " (thousands(u64::from(report.slots))) " slots a stage" }
            td data-head="Oldest" { @match report.oldest_seconds { Some(seconds) => (duration(seconds)), None => "–" } }
            td data-head="Heard" { @if is_silent(worker) { (duration(worker.silent_ms / 1_000)) " ago" } @else { "now" } }
            td data-head="Since" { (time(worker.since_ms)) }
            td data-head="Version" { (Shown(&report.version)) }
            @if acts {
                td data-head="" {
                    @if !worker.draining { a.button href={ "/workers/" (link::encoded(&worker.worker)) "/drain" } { "Drain…" } }
                    @else { a.button href={ "/workers/" (link::encoded(&worker.worker)) "/undrain" } { "Undrain…" } }
                }
            }
        }
    }
}

fn drained(names: &[String], acts: bool) -> Markup {
    html! {
        @if !names.is_empty() {
            section aria-labelledby="drained-title" {
                h2 #drained-title { "Drained names" }
                p.quiet { "A worker that is started under such a name takes no task." }
                ul { @for name in names { li {
                    (Shown(name)) " "
                    @if acts { a.button href={ "/workers/" (link::encoded(name)) "/undrain" } { "Undrain…" } }
                } } }
            }
        }
    }
}

pub(super) async fn ask(asked: Asked, Path((worker, verb)): Path<(String, String)>) -> Response {
    if let Err(refusal) = check_role(&asked) {
        return asked.refused(&refusal);
    }
    let (says, button) = match verb.as_str() {
        "drain" => (
            "It finishes what it has and takes nothing more, also when it is started again.",
            "Drain it",
        ),
        "undrain" => (
            "It takes tasks again. One that is ending still ends: start it again.",
            "Let it take tasks",
        ),
        _ => {
            return asked.refused(&Refusal::not_found(
                "There is nothing of that name to do with a worker.",
            ));
        }
    };
    let content = html! {
        p { (says) }
        form.ask method="post" {
            input type="hidden" name="form_token" value=(asked.visitor.session.form_token);
            div.acts { button { (button) } a.button href="/workers" { "Leave it as it is" } }
        }
    };
    let title = format!(
        "{} worker {worker}?",
        if verb == "drain" { "Drain" } else { "Undrain" }
    );
    let page = Page::new(title, Part::Workers).with("ask", content).still();
    asked.answer(Ok(page))
}

pub(super) async fn carry_out(
    asked: Asked,
    Path((worker, verb)): Path<(String, String)>,
    Form(fields): Form<Fields>,
) -> Response {
    let doing = async {
        let act = match verb.as_str() {
            "drain" => Act::Drain { worker },
            "undrain" => Act::Undrain { worker },
            _ => {
                return Err(Refusal::not_found(
                    "There is nothing of that name to do with a worker.",
                ));
            }
        };
        asked.app.source.act(asked.visitor.session.who, act).await
    };
    carried_out(&asked, &fields, "/workers", doing).await
}
