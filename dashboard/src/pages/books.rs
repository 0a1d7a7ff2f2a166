//! A run's books by teacher and stage: what each spent, what of it went into rejects, and what it comes to for an accepted row.
//!
//! Money and calls are the ledger's, so that the sum is what `gristmill status` and the report say. What became of the candidates that calls were made
//! for is counted from the journal.

use std::collections::{BTreeMap, BTreeSet};

use gristmill_domain::amount::{Amount, MicroUsd};
use gristmill_domain::ledger::{Account, Books};
use gristmill_domain::stage::Stage;
use gristmill_domain::words::{figure, thousands};
use gristmill_runs::ModelCost;
use maud::{Markup, html};

use super::bars::bar;
use super::parts::{Budget, RowCounts};
use super::recipes::dated;
use crate::step_counts::StepFacts;
use crate::text::{Shown, money, percent};

/// The tables; without a call, a sentence.
pub(super) fn books(
    account: Option<&Account>,
    budget: &Budget,
    rows: &RowCounts,
    steps: &StepFacts,
) -> Markup {
    let all = by_model(account);
    html! {
        section aria-labelledby="books-title" {
            h2 #books-title { "By teacher and stage" }
            @if all.is_empty() { p.quiet { "No call has begun yet." } }
            @else {
                (matrix(&all, budget))
                h3 { "What each came to" }
                p.quiet { "Bars are " (if budget.priced() { "money" } else { "calls" }) ": spent and burned, and faintly what is held." }
                (dated(steps))
                (lines(&all, budget, rows, steps))
                p.quiet {
                    "\u{201c}On rejects\u{201d} is what stored calls for rejected candidates cost, \u{201c}an accepted row\u{201d} is all that was spent and burned, divided by the accepted rows. "
                    "A call that several candidates share counts for each of them in equal parts."
                }
            }
        }
    }
}

/// The same of an evaluation, which makes no rows.
pub(super) fn books_of_answers(account: Option<&Account>, budget: &Budget) -> Markup {
    let all = by_model(account);
    html! {
        section aria-labelledby="books-title" {
            h2 #books-title { "By model and stage" }
            @if all.is_empty() { p.quiet { "No call has begun yet." } }
            @else {
                p.quiet { "Models answer in the stage " code { "generate" } ", and a judge grades in the stage " code { "judge" } "." }
                (matrix(&all, budget))
            }
        }
    }
}

/// The books of each model in each stage.
fn by_model(account: Option<&Account>) -> Vec<(Stage, &str, Books)> {
    let stages = account.iter().flat_map(|account| &account.books);
    let all = stages.flat_map(|(stage, models)| {
        models
            .iter()
            .map(move |(model, books)| (*stage, model.as_str(), *books))
    });
    all.collect()
}

/// Spent and burned, a line a model and a column a stage.
fn matrix(all: &[(Stage, &str, Books)], budget: &Budget) -> Markup {
    let models: BTreeSet<&str> = all.iter().map(|(_, model, _)| *model).collect();
    let stages: BTreeSet<Stage> = all.iter().map(|(stage, ..)| *stage).collect();
    let gone = |is: &dyn Fn(Stage, &str) -> bool| -> Amount {
        let of = all.iter().filter(|(stage, model, _)| is(*stage, model));
        of.map(|(_, _, books)| books.gone()).sum()
    };
    let shown = |amount: Amount| match budget.priced() {
        true => money(amount.usd, true),
        false => thousands(amount.calls),
    };
    html! {
        div.scroll { table {
            caption { (if budget.priced() { "Spent and burned" } else { "Calls" }) " by model and stage" }
            thead { tr { th scope="col" { "model" } @for stage in &stages { th scope="col" { (stage) } } th scope="col" { "all" } } }
            tbody { @for model in &models { tr {
                th scope="row" { (Shown(model)) }
                @for stage in &stages { td { (shown(gone(&|of, name| of == *stage && name == *model))) } }
                td { (shown(gone(&|_, name| name == *model))) }
            } } }
            tfoot { tr {
                th scope="row" { "all" }
                @for stage in &stages { td { (shown(gone(&|of, _| of == *stage))) } }
                td { strong { (shown(gone(&|_, _| true))) } }
            } }
        } }
    }
}

fn lines(all: &[(Stage, &str, Books)], budget: &Budget, rows: &RowCounts, steps: &StepFacts) -> Markup {
    let priced = budget.priced();
    let size = |amount: Amount| if priced { amount.usd.0 } else { amount.calls };
    let most = all.iter().map(|(_, _, books)| size(books.used())).max();
    let most = most.unwrap_or(0).max(1) as f64;
    let counted: Option<&BTreeMap<(Stage, String), ModelCost>> = steps
        .as_ref()
        .ok()
        .and_then(|steps| steps.as_ref())
        .map(|steps| &steps.models);
    let rejects = |stage: Stage, model: &str| {
        let cost = counted?.get(&(stage, model.to_owned()));
        Some(cost.copied().unwrap_or_default())
    };
    let total = all
        .iter()
        .fold(Books::default(), |sum, (_, _, books)| sum.plus(*books));
    let lost = counted.map(|models| {
        models.values().fold(ModelCost::default(), |sum, cost| ModelCost {
            rejected: sum.rejected + cost.rejected,
            accepted: sum.accepted + cost.accepted,
            open: sum.open + cost.open,
            others: sum.others + cost.others,
        })
    });
    html! {
        div.scroll { table.bars {
            thead { tr {
                th scope="col" { "stage · model" } th.bar scope="col" { span.hidden { "share" } } th scope="col" { "spent" } th scope="col" { "burned" } th scope="col" { "held" }
                th scope="col" { "calls" } th scope="col" { "prompt tokens" } th scope="col" { "completion tokens" }
                th scope="col" { "on rejects" } th scope="col" { "an accepted row" }
            } }
            tbody { @for (stage, model, books) in all { tr {
                th scope="row" { (stage) " · " (Shown(model)) }
                td.bar { (bar(6, size(books.gone()) as f64 / most, size(books.started) as f64 / most, None)) }
                (cells(books, priced, rows, rejects(*stage, model)))
            } } }
            tfoot { tr { th scope="row" { "all" } td.bar {} (cells(&total, priced, rows, lost)) } }
        } }
    }
}

fn cells(books: &Books, priced: bool, rows: &RowCounts, counted: Option<ModelCost>) -> Markup {
    let gone = books.gone();
    html! {
        td { (money(books.spent.usd, priced)) }
        td { (money(books.burned.usd, priced)) }
        td { (money(books.started.usd, priced)) }
        td { (thousands(gone.calls)) }
        td { (thousands(gone.input_tokens)) }
        td { (thousands(gone.output_tokens)) }
        td { @match counted {
            None => "–",
            Some(cost) if priced => { (money(cost.rejected.usd, true)) " (" (percent(cost.rejected.usd.0, gone.usd.0)) ")" },
            Some(cost) => { (thousands(cost.rejected.calls)) " calls (" (percent(cost.rejected.calls, gone.calls)) ")" },
        } }
        td { @match rows.accepted {
            0 => "–",
            accepted if priced => (MicroUsd(gone.usd.0 / accepted)),
            accepted => { (figure(gone.calls as f64 / accepted as f64)) " calls" },
        } }
    }
}
