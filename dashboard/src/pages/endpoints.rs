//! Endpoints of a run: their limits as the job gives them, what they were asked and what it came to, and what keeps them from being asked.

use std::sync::Arc;

use axum::extract::Path;
use axum::response::Response;
use gristmill_coordinator::{Start, specs};
use gristmill_domain::job::ModelSpec;
use gristmill_domain::ledger::{Account, Books};
use gristmill_domain::words::{many, thousands};
use gristmill_proto::v1;
use gristmill_runs::served::status;
use maud::{Markup, html};

use super::funnel::{Facts, dated};
use super::lines::lines;
use super::parts::{Budget, goes_on};
use super::teachers::teachers;
use crate::app::App;
use crate::live::{Asked, show};
use crate::page::{Kind, Page, Part};
use crate::source::{Refusal, Who};
use crate::text::{Prose, Shown, money};

pub(super) async fn endpoints(asked: Asked, Path(run): Path<String>) -> Response {
    let (app, who) = (Arc::clone(&asked.app), asked.visitor.session.who);
    show(asked, move || page(Arc::clone(&app), who, run.clone())).await
}

async fn page(app: Arc<App>, who: Who, run: String) -> Result<Page, Refusal> {
    let run = app.source.run(who, &run).await?;
    let state = app.source.state(who, &run.run).await?;
    let start = state.read("run.json").await.map_err(anyhow::Error::from)?;
    let start: Start = serde_json::from_slice(&start).map_err(anyhow::Error::from)?;
    let account = run
        .account
        .clone()
        .and_then(|account| Account::try_from(account).ok());
    let workers = match app.source.is_cluster() {
        true => Some(app.source.workers(who).await?.workers),
        false => None,
    };
    let kind = app.evaluations.kind(app.source.as_ref(), who, &run.run).await;
    let budget = Budget::of(&run);
    let page = Page::new(format!("Endpoints of run {}", run.run), Part::Runs)
        .of(&run.run, kind)
        .with("waits", waits(&run))
        .with("endpoints", table(&start, account.as_ref(), &budget))
        .with(
            "lines",
            lines(&run.run, goes_on(&run), &models(&start), workers.as_deref()),
        );
    if kind == Kind::Evaluation {
        return Ok(page);
    }
    let steps = app.steps.of(&app.source, &run).await;
    let facts = app.facts.of(&app.source, &run).await;
    Ok(page
        .with("teachers", teachers(&run.run, budget.priced(), &steps))
        .with("errors", errors(&facts, status(&run).failed_tasks())))
}

/// What workers say that keeps them from asking.
fn waits(run: &v1::Run) -> Markup {
    html! {
        @for obstacle in &run.obstacles {
            p.verdict.warn { span.sign aria-hidden="true" { "!" } (Prose(&gristmill_runs::served::obstacle(obstacle))) }
        }
    }
}

fn limit<T: Into<u64>>(limit: Option<T>) -> String {
    limit.map_or_else(|| "–".to_owned(), |limit| thousands(limit.into()))
}

/// What a model was asked in all stages.
fn books(account: Option<&Account>, model: &str) -> Books {
    let all = account
        .iter()
        .flat_map(|account| account.books.values())
        .filter_map(|models| models.get(model));
    all.fold(Books::default(), |sum, books| sum.plus(*books))
}

fn place(spec: &ModelSpec) -> String {
    match (&spec.base_url, &spec.local) {
        (Some(url), _) => url.clone(),
        (None, Some(_)) => "in the worker's process".to_owned(),
        (None, None) => String::new(),
    }
}

/// The models of a run, each once.
fn models(start: &Start) -> Vec<&ModelSpec> {
    let mut seen = std::collections::BTreeSet::new();
    specs(&start.job)
        .filter(|spec| seen.insert(spec.name()))
        .collect()
}

fn table(start: &Start, account: Option<&Account>, budget: &Budget) -> Markup {
    html! {
        div.scroll { table.cards.wrap {
            caption.hidden { "Endpoints" }
            thead { tr { th scope="col" { "Model" } th scope="col" { "Asked at" } th scope="col" { "Calls" } th scope="col" { "In flight" } th scope="col" { "Cost unknown" } th scope="col" { "Spent" } th scope="col" { "Requests a minute" } th scope="col" { "Tokens a minute, in · out" } th scope="col" { "At once" } } }
            tbody { @for spec in models(start) { tr {
                @let books = books(account, &spec.name());
                th scope="row" { (Shown(&spec.name())) @if spec.batch.is_some() { span.quiet { " in batches" } } }
                td data-head="Asked at" { (Shown(&place(spec))) }
                td data-head="Calls" { (thousands(books.gone().calls)) }
                td data-head="In flight" { (thousands(books.started.calls)) }
                td data-head="Cost unknown" { (thousands(books.burned.calls)) }
                td data-head="Spent" { (money(books.gone().usd, budget.priced())) }
                td data-head="Requests a minute" { (limit(spec.requests_per_minute)) }
                td data-head="Tokens a minute" { (limit(spec.input_tokens_per_minute)) " · " (limit(spec.output_tokens_per_minute)) }
                td data-head="At once" { (limit(spec.concurrency)) }
            } } }
        } }
        p.quiet { "Limits are those of the job; a dash is none." }
    }
}

/// Why calls failed for good, in the providers' words. `tasks` are those that failed, by the run's books.
fn errors(facts: &Facts, tasks: u64) -> Markup {
    html! {
        section aria-labelledby="errors-title" {
            h2 #errors-title { "Calls that failed for good" }
            (dated(facts))
            @if let Ok(Some(counted)) = facts {
                @if counted.manifest.failed_calls.is_empty() {
                    @if tasks == 0 { p { "None." } }
                    @else { p { (many(tasks, "task")) " failed, and no candidate was lost: each was decided without that answer, or is not decided yet." } }
                }
                @else { div.scroll { table.wrap.left {
                    thead { tr { th scope="col" { "what was answered" } th scope="col" { "candidates lost" } } }
                    tbody { @for failed in &counted.manifest.failed_calls { tr { th scope="row" { (Shown(&failed.words)) } td { (thousands(failed.rows)) } } } }
                } } }
            }
        }
    }
}
