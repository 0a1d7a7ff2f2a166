//! A run's recipes as graphs: how many candidates came to each step, what it dropped and what it cost.

use std::sync::Arc;

use axum::extract::Path;
use axum::response::Response;
use gristmill_domain::amount::{Amount, MicroUsd};
use gristmill_domain::filter::Reason;
use gristmill_domain::words::{figure, many, thousands};
use gristmill_runs::RecipeSteps;
use gristmill_runs::recipe::{CountedStep, counted, inline};
use maud::{Markup, PreEscaped, html};

use super::parts::Budget;
use crate::app::App;
use crate::link;
use crate::live::{Asked, show};
use crate::page::{Page, Part};
use crate::source::{Refusal, Who};
use crate::step_counts::StepFacts;
use crate::text::{Shown, clock, money, percent};

pub(super) async fn recipes(asked: Asked, Path(run): Path<String>) -> Response {
    let (app, who) = (Arc::clone(&asked.app), asked.visitor.session.who);
    show(asked, move || page(Arc::clone(&app), who, run.clone())).await
}

async fn page(app: Arc<App>, who: Who, run: String) -> Result<Page, Refusal> {
    let run = app.source.run(who, &run).await?;
    let facts = app.steps.of(&app.source, &run).await;
    let priced = Budget::of(&run).priced();
    let graphs = html! {
        @if let Ok(Some(steps)) = &facts {
            @if steps.recipes.is_empty() { p.quiet { "No candidate is decided yet." } }
            @for (number, recipe) in steps.recipes.iter().enumerate() { (graph(&run.run, number, recipe, priced)) }
        }
    };
    Ok(Page::new(format!("Recipes of run {}", run.run), Part::Runs)
        .of_run(&run.run)
        .with("counted", dated(&facts))
        .with("recipes", graphs))
}

/// Says of when the numbers are, or why there are none.
pub(super) fn dated(facts: &StepFacts) -> Markup {
    html! {
        @match facts {
            Ok(Some(steps)) if steps.last => {}
            Ok(Some(steps)) => p.quiet { "Rows of finished blocks, and calls that are stored, counted at " (clock(steps.at_ms)) " UTC." },
            Ok(None) => p.quiet { "The journal is being counted…" },
            Err(why) => p.verdict.warn { span.sign aria-hidden="true" { "!" } "The journal cannot be counted: " (Shown(why)) },
        }
    }
}

/// Where the candidates of a recipe are that were dropped for these reasons.
fn rejects(run: &str, recipe: &str, reasons: &[(Reason, u64)]) -> String {
    let mut filter = vec![("recipe", recipe)];
    filter.extend(reasons.iter().map(|(reason, _)| ("reason", reason.as_str())));
    link::rows(run, &filter)
}

fn graph(run: &str, number: usize, recipe: &RecipeSteps, priced: bool) -> Markup {
    let made = &recipe.made;
    let cost = recipe.cost();
    let drawn = inline(recipe, priced, |reasons| rejects(run, &made.recipe, reasons));
    html! {
        section aria-labelledby={ "recipe-" (number) } {
            h2 #{ "recipe-" (number) } { (Shown(&made.recipe)) " " span.quiet { "version " (made.version) } }
            p { (Shown(&recipe.recipe.file().about)) }
            p {
                a href=(link::rows(run, &[("recipe", &made.recipe)])) { (many(recipe.candidates, "candidate")) } ", "
                a href=(link::rows(run, &[("recipe", &made.recipe), ("verdict", "accepted")])) { (thousands(recipe.accepted)) " accepted" }
                " (" (percent(recipe.accepted, recipe.candidates)) "), " (in_words(cost, priced)) " by its steps"
                @if recipe.accepted > 0 { ", " (each(cost, recipe.accepted, priced)) " an accepted row" }
                "."
            }
            div.scroll { (PreEscaped(drawn)) }
            details #{ "recipe-table-" (number) } {
                summary { "As a table" }
                (table(run, recipe, priced))
                @if !recipe.calls_known { p.quiet { "Rows of this version of the program do not say which calls were made for them: where they were dropped is known by the reason alone." } }
                p.quiet {
                    "A step is said to have dropped a row by the row's calls and its reason. A link leads to all rows of the recipe that were dropped for the reason, at whichever step. "
                    "Cost is that of stored calls for decided candidates; embedding is not among the steps."
                }
            }
        }
    }
}

fn in_words(cost: Amount, priced: bool) -> String {
    match priced {
        true => format!("{}, {}", cost.usd, many(cost.calls, "call")),
        false => many(cost.calls, "call"),
    }
}

fn each(cost: Amount, rows: u64, priced: bool) -> String {
    match priced {
        true => MicroUsd(cost.usd.0 / rows).to_string(),
        false => format!("{} calls", figure(cost.calls as f64 / rows as f64)),
    }
}

fn table(run: &str, recipe: &RecipeSteps, priced: bool) -> Markup {
    let line = |step: &CountedStep| {
        html! { tr {
            th scope="row" { (Shown(&step.title)) @if !step.detail.is_empty() { div.quiet { (Shown(&step.detail)) } } }
            td { (thousands(step.came)) }
            td { @match step.asked { Some(asked) => (thousands(asked)), None => "–" } }
            td {
                @if step.dropped.is_empty() { "0" }
                @for (reason, rows) in &step.dropped {
                    div { (reason.label()) " " a href=(rejects(run, &recipe.made.recipe, &[(*reason, *rows)])) { (thousands(*rows)) } }
                }
            }
            td { (thousands(step.came.saturating_sub(step.dropped_all()))) }
            @if step.cost.calls == 0 { td { "–" } td { "–" } td { "–" } }
            @else {
                td { (thousands(step.cost.calls)) }
                td { (money(step.cost.usd, priced)) }
                td { @if recipe.accepted > 0 { (each(step.cost, recipe.accepted, priced)) } @else { "–" } }
            }
        } }
    };
    html! {
        div.scroll { table.wrap {
            thead { tr {
                th scope="col" { "step" } th scope="col" { "came to it" } th scope="col" { "asked for" } th scope="col" { "dropped" } th scope="col" { "went on" }
                th scope="col" { "calls" } th scope="col" { "cost" } th scope="col" { "an accepted row" }
            } }
            tbody { @for step in counted(recipe) { (line(&step)) } }
        } }
    }
}
