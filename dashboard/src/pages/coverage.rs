//! Concepts against their targets, the largest gap first.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Path, Query};
use axum::response::Response;
use gristmill_domain::concept::ConceptProgress;
use gristmill_domain::words::{figure, thousands};
use gristmill_picture::lines::Chart;
use gristmill_proto::v1;
use maud::{Markup, PreEscaped, html};
use serde::Deserialize;

use super::bars::{key, stacked};
use super::funnel::{Facts, dated};
use crate::app::App;
use crate::link;
use crate::live::{Asked, show};
use crate::page::{Page, Part};
use crate::source::{Refusal, Who};
use crate::text::{Shown, percent};

/// Concepts on a page.
const SHOWN_MAX: usize = 200;

#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Wanted {
    /// A part of a concept's name.
    #[serde(default)]
    q: String,
}

pub(super) async fn coverage(
    asked: Asked,
    Path(run): Path<String>,
    Query(wanted): Query<Wanted>,
) -> Response {
    let (app, who) = (Arc::clone(&asked.app), asked.visitor.session.who);
    show(asked, move || {
        page(Arc::clone(&app), who, run.clone(), wanted.clone())
    })
    .await
}

async fn page(app: Arc<App>, who: Who, run: String, wanted: Wanted) -> Result<Page, Refusal> {
    let run = app.source.run(who, &run).await?;
    let facts = app.facts.of(&app.source, &run).await;
    let mut concepts = known(&run, &facts);
    let needle = wanted.q.to_lowercase();
    concepts.retain(|concept| concept.concept.to_lowercase().contains(&needle));
    Ok(Page::new(format!("Coverage of run {}", run.run), Part::Runs)
        .of_run(&run.run)
        .with("met", met(&run, &facts))
        .with("concepts", table(&run, &concepts, &wanted.q))
        .with("measures", by_round(&app, &run, &facts).await))
}

/// All concepts as they are known: of finished blocks by the journal, and those that are furthest from their targets by the run's driver.
fn known(run: &v1::Run, facts: &Facts) -> Vec<ConceptProgress> {
    let mut all: BTreeMap<String, ConceptProgress> = BTreeMap::new();
    let counted = facts
        .iter()
        .flatten()
        .flat_map(|counted| &counted.manifest.concepts);
    let reported = gristmill_runs::served::concepts(run).list;
    for concept in counted.cloned().chain(reported) {
        all.insert(concept.concept.clone(), concept);
    }
    let mut all: Vec<ConceptProgress> = all.into_values().collect();
    all.sort_by_key(|concept| (std::cmp::Reverse(concept.open()), concept.concept.clone()));
    all
}

/// Diversity and coverage of the rows up to each round.
async fn by_round(app: &App, run: &v1::Run, facts: &Facts) -> Markup {
    let Ok(Some(counted)) = facts else {
        return html! {};
    };
    let measured = app.measures.of(&app.source, run, counted).await;
    html! {
        section aria-labelledby="measures-title" {
            h2 #measures-title { "By round" }
            @match measured {
                None => p.quiet { "Diversity and coverage are being measured…" },
                Some(Err(why)) => p.verdict.warn { span.sign aria-hidden="true" { "!" } "They cannot be measured: " (Shown(&why)) },
                Some(Ok(measured)) => {
                    div.charts { @for (number, chart) in measured.charts.iter().enumerate() {
                        figure { figcaption { (chart.title()) } (PreEscaped(chart.inline())) (values(number, chart)) }
                    } }
                    p.quiet { (Shown(&measured.note)) }
                },
            }
        }
    }
}

/// The same as the chart, in words.
fn values(number: usize, chart: &Chart) -> Markup {
    html! {
        details id={ "values-" (number) } { summary { "As a table" }
            table {
                thead { tr { th scope="col" { "round" } th scope="col" { "value" } th scope="col" { "interval" } } }
                tbody { @for value in &chart.values { tr {
                    th scope="row" { (value.step) }
                    td { (figure(value.value)) }
                    td { @match value.between { Some((low, high)) => { (figure(low)) " to " (figure(high)) }, None => "–" } }
                } } }
            }
        }
    }
}

fn met(run: &v1::Run, facts: &Facts) -> Markup {
    let (met, wanted) = run.progress.as_ref().map_or((0, 0), |progress| {
        (progress.concepts_met, progress.concepts_wanted)
    });
    html! {
        (dated(facts))
        @if wanted > 0 {
            p.verdict { (thousands(met)) " of " (thousands(wanted)) " concepts are at their target (" (percent(met, wanted)) ")." }
        }
    }
}

fn table(run: &v1::Run, concepts: &[ConceptProgress], q: &str) -> Markup {
    let most = concepts
        .iter()
        .map(|concept| concept.target.max(concept.real + concept.synthetic))
        .max();
    let most = most.unwrap_or(1).max(1) as f64;
    html! {
        form.find method="get" role="search" {
            label for="q" { "Concept " }
            input #q type="search" name="q" value=(q);
            " " button { "Find" }
        }
        @if concepts.is_empty() {
            @if q.is_empty() { p { "This job names no concepts and asks for none. " code { "concepts:" } " in the job file spreads rows over what they are about." } }
            @else { p { "No concept has that in its name. " a href=(link::of_run(&run.run, "coverage")) { "All concepts" } } }
        } @else {
            ul.legend { (key(0, false, "real rows")) (key(1, false, "accepted synthetic rows")) li { span.tick {} "target" } }
            div.scroll { table.bars {
                thead { tr { th scope="col" { "concept" } th.bar scope="col" { span.hidden { "rows" } } th scope="col" { "real" } th scope="col" { "synthetic" } th scope="col" { "target" } th scope="col" { "short by" } } }
                tbody { @for concept in concepts.iter().take(SHOWN_MAX) { tr {
                    th scope="row" {
                        (Shown(&concept.concept))
                        @if let Some(parent) = &concept.parent { span.quiet { " in " (Shown(parent)) } }
                        @if let Some(tried) = &concept.given_up { span.flag { " given up: " (tried) } }
                    }
                    td.bar { (stacked([(0, concept.real as f64 / most), (1, concept.synthetic as f64 / most)], (concept.target > 0).then(|| concept.target as f64 / most))) }
                    td { (thousands(concept.real)) }
                    td { a href=(link::rows(&run.run, &[("concept", &concept.concept), ("verdict", "accepted")])) { (thousands(concept.synthetic)) } }
                    td { @if concept.target > 0 { (thousands(concept.target)) } @else { "–" } }
                    td { @if concept.open() > 0 { span.flag { (thousands(concept.open())) } } @else { "–" } }
                } } }
            } }
            @if concepts.len() > SHOWN_MAX { p.quiet { "The " (SHOWN_MAX) " that are furthest from their targets, of " (thousands(concepts.len() as u64)) "; find others by name." } }
        }
    }
}
