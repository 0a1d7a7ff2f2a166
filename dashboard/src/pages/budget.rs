//! A run's books: what is spent, held, burned and free, by stage and model, and what rows and rejects cost.

use std::sync::Arc;

use axum::extract::Path;
use axum::response::Response;
use gristmill_domain::amount::{Amount, MicroUsd};
use gristmill_domain::ledger::Account;
use gristmill_domain::words::{figure, thousands};
use gristmill_proto::v1;
use maud::{Markup, html};

use super::bars::key;
use super::books::{books, books_of_answers};
use super::course;
use super::funnel::{Facts, dated};
use super::parts::{Budget, RowCounts, moves};
use crate::app::App;
use crate::live::{Asked, show};
use crate::page::{Kind, Page, Part};
use crate::source::{Refusal, Who};
use crate::text::{money, now_ms, percent};

pub(super) async fn budget(asked: Asked, Path(run): Path<String>) -> Response {
    let (app, who) = (Arc::clone(&asked.app), asked.visitor.session.who);
    show(asked, move || page(Arc::clone(&app), who, run.clone())).await
}

async fn page(app: Arc<App>, who: Who, run: String) -> Result<Page, Refusal> {
    let run = app.source.run(who, &run).await?;
    let budget = Budget::of(&run);
    let rows = RowCounts::reported(&run);
    let account = run
        .account
        .clone()
        .and_then(|account| Account::try_from(account).ok());
    let pace = app.samples.pace(&run.run, now_ms()).filter(|_| moves(&run));
    let samples = app.samples.of(&run.run);
    let kind = app.evaluations.kind(app.source.as_ref(), who, &run.run).await;
    let page = Page::new(format!("Budget of run {}", run.run), Part::Runs)
        .of(&run.run, kind)
        .with("total", total(&budget));
    if kind == Kind::Evaluation {
        // No forecast: what is left is counted in answers.
        let course = course::course(&run, &samples, &budget, &RowCounts::default(), None);
        return Ok(page
            .with("course", course)
            .with("books", books_of_answers(account.as_ref(), &budget)));
    }
    let facts = app.facts.of(&app.source, &run).await;
    let steps = app.steps.of(&app.source, &run).await;
    Ok(page
        .with(
            "course",
            course::course(&run, &samples, &budget, &rows, pace.as_ref()),
        )
        .with("books", books(account.as_ref(), &budget, &rows, &steps))
        .with("each", each(&run, &rows, &budget, &facts)))
}

/// Spent, burned, held and free of the limit, as a bar and as a table.
fn total(budget: &Budget) -> Markup {
    let used = budget.gone() + budget.held;
    let line = |name: &str, amount: Amount| {
        html! { tr {
            th scope="row" { (name) }
            td { (money(amount.usd, budget.priced())) }
            td { (thousands(amount.calls)) }
            td { (thousands(amount.input_tokens)) }
            td { (thousands(amount.output_tokens)) }
        } }
    };
    let free_usd = budget
        .limit
        .usd
        .map(|limit| MicroUsd(limit.0.saturating_sub(used.usd.0)));
    let free_calls = budget.limit.calls.map(|limit| limit.saturating_sub(used.calls));
    html! {
        section aria-labelledby="total-title" {
            h2 #total-title { (budget.in_words()) }
            (super::parts::budget_bar(budget, "used of the limit"))
            ul.legend { (key(6, false, "spent and burned")) (key(6, true, "held by calls in flight")) }
            div.scroll { table {
                thead { tr { th scope="col" { "" } th scope="col" { "money" } th scope="col" { "calls" } th scope="col" { "prompt tokens" } th scope="col" { "completion tokens" } } }
                tbody {
                    (line("spent", budget.spent))
                    (line("burned", budget.burned))
                    (line("held", budget.held))
                    tr {
                        th scope="row" { "free" }
                        td { @match free_usd { Some(free) => (free), None => "no limit" } }
                        td { @match free_calls { Some(free) => (thousands(free)), None => "no limit" } }
                        td {} td {}
                    }
                    tr {
                        th scope="row" { "limit" }
                        td { @match budget.limit.usd { Some(limit) => (limit), None => "–" } }
                        td { @match budget.limit.calls { Some(limit) => (thousands(limit)), None => "–" } }
                        td {} td {}
                    }
                }
            } }
            @if !budget.priced() {
                p.quiet { "No price is known for the models of this run, so its money is not known: it is limited by calls." }
            }
            @if budget.burned.calls > 0 {
                p.quiet {
                    "Burned calls are booked at the worst case, since nobody knows what they cost. If the provider does not bill its failures, set "
                    code { "billed_on_error: false" } " at the model."
                }
            }
        }
    }
}

/// What a row costs, and what rejects cost.
fn each(run: &v1::Run, rows: &RowCounts, budget: &Budget, facts: &Facts) -> Markup {
    let gone = budget.gone();
    html! {
        section aria-labelledby="each-title" {
            h2 #each-title { "What rows and rejects cost" }
            (dated(facts))
            div.scroll { table.said { tbody {
                tr { th scope="row" { "an accepted row" } td {
                    @match rows.accepted {
                        0 => "no row is accepted yet",
                        accepted => {
                            @if budget.priced() { (MicroUsd(gone.usd.0 / accepted)) ", " }
                            (figure(gone.calls as f64 / accepted as f64)) " calls"
                        }
                    }
                } }
                @if let Ok(Some(counted)) = facts {
                    @let lost = counted.manifest.rejected.iter().map(|(_, loss)| loss.usd_micros).sum::<u64>();
                    @let calls = counted.manifest.rejected.iter().map(|(_, loss)| loss.calls).sum::<u64>();
                    tr { th scope="row" { "rejects" } td {
                        a href=(crate::link::rows(&run.run, &[("verdict", "rejected")])) { (thousands(counted.manifest.rows.rejected)) " rows" } ": "
                        @if budget.priced() { (MicroUsd(lost)) " (" (percent(lost, counted.manifest.usd_micros())) "), " }
                        (thousands(calls)) " calls (" (percent(calls, counted.manifest.calls())) ")"
                    } }
                    @let saved = counted.manifest.spend.iter().filter_map(|part| part.saved_usd_micros).sum::<u64>();
                    @if saved > 0 { tr { th scope="row" { "saved by batches" } td { (MicroUsd(saved)) } } }
                }
            } } }
        }
    }
}
