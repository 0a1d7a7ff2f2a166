//! What the votes on an evaluation's answers say.

use std::sync::Arc;

use axum::extract::Path;
use axum::response::Response;
use gristmill_domain::words::many;
use gristmill_picture::parts::Severity;
use gristmill_runs::evaluation::{PairPreference, Preferences};
use maud::{Markup, html};

use super::arena_asked::check_evaluates;
use super::result_parts::{intervals, no_votes, table, verdict};
use crate::app::App;
use crate::link;
use crate::live::{Asked, show};
use crate::page::{Kind, Page, Part};
use crate::results::Found;
use crate::source::{Refusal, Who};
use crate::text::Shown;

/// Damaged lines that are named.
const DAMAGED_MAX: usize = 5;

pub(super) async fn votes(asked: Asked, Path(run): Path<String>) -> Response {
    let (app, who) = (Arc::clone(&asked.app), asked.visitor.session.who);
    show(asked, move || page(Arc::clone(&app), who, run.clone())).await
}

async fn page(app: Arc<App>, who: Who, run: String) -> Result<Page, Refusal> {
    check_evaluates(&app, who, &run).await?;
    let page = Page::new(format!("Votes on the answers of {run}"), Part::Runs).of(&run, Kind::Evaluation);
    let wait = |page: Page| page.with("votes", html! { p.quiet { "The votes are being counted…" } });
    let folder = app.source.run_folder(who, &run).await?;
    let result = match app.results.of(&run, &folder).await? {
        Found::Result(result) => result,
        Found::Reading => return Ok(wait(page)),
        Found::Nothing => {
            let none =
                html! { p { "The evaluation has no result yet: answers are voted on once it has ended." } };
            return Ok(page.with("votes", none));
        }
    };
    Ok(match app.results.preferences(&run, &folder, &result).await? {
        Found::Result(found) => page
            .with("votes", summary(&run, &found))
            .with(
                "pairs",
                html! { @for (number, found) in found.pairs.iter().enumerate() { (pair(number, found)) } },
            )
            .with("how", how(&found)),
        Found::Reading | Found::Nothing => wait(page),
    })
}

fn summary(run: &str, found: &Preferences) -> Markup {
    html! {
        @if found.votes == 0 {
            (no_votes(run))
        } @else {
            p {
                (many(found.votes, "vote")) " by "
                @for (number, (voter, votes)) in found.voters.iter().enumerate() { @if number > 0 { ", " } (Shown(voter)) " (" (votes) ")" }
                ". " a href=(link::of_run(run, "arena")) { "Vote" }
            }
        }
        @if found.revised > 0 || found.outdated > 0 || !found.damaged.is_empty() {
            ul.gates {
                @if found.revised > 0 { (note(&format!("{} changed after the names were shown.", were(found.revised)))) }
                @if found.outdated > 0 { (note(&format!("{} given on other answers than the evaluation has now, and not counted.", were(found.outdated)))) }
                @for damaged in found.damaged.iter().take(DAMAGED_MAX) { (note(&format!("A damaged line does not count: {damaged}"))) }
                @if found.damaged.len() > DAMAGED_MAX { (note(&format!("{} damaged lines in all do not count.", found.damaged.len()))) }
            }
        }
    }
}

/// `1 vote was`, `3 votes were`.
fn were(votes: u64) -> String {
    format!(
        "{} {}",
        many(votes, "vote"),
        if votes == 1 { "was" } else { "were" }
    )
}

fn note(text: &str) -> Markup {
    html! { li.warn { span.sign aria-hidden="true" { "!" } span { (Shown(text)) } } }
}

fn pair(number: usize, found: &PairPreference) -> Markup {
    let [first, second] = &found.models;
    let shown = !found.overall.interval.contains(0.5);
    let severity = if shown { Severity::Good } else { Severity::Warn };
    let whole = found.whole();
    html! {
        section aria-labelledby={ "pair-" (number) } {
            h2 id={ "pair-" (number) } { (Shown(first)) " and " (Shown(second)) }
            (verdict(severity, &found.told()))
            (intervals(&whole.intervals, "All votes", "part", 1))
            @for part in found.by_part() {
                details id={ "pair-" (number) "-" (part.name) } open[part.name == "concept"] {
                    summary { "By " (Shown(&part.name)) }
                    (intervals(&part.intervals, &part.name, "part", 1))
                }
            }
            h3 { "Votes and grades" }
            p { (Shown(&found.agreement_told())) }
            (table(&found.agreement_table(), "Votes by what the grades say", ""))
        }
    }
}

/// How the figures are computed.
fn how(found: &Preferences) -> Markup {
    html! {
        @if found.votes > 0 {
            section aria-labelledby="how-title" {
                h2 #how-title { "How this is counted" }
                p.quiet {
                    "A vote on three answers counts for the best against each of the other two. Of the votes of one person on two answers the last one counts. "
                    "The share is (votes for + ½ · (ties + both bad)) / votes. Its interval is ½ + ½ · Tango's score interval of the difference (Tango 1998, "
                    "Statistics in Medicine 17:891–908), which is Wilson's (1927) where nobody votes for a tie. Votes on one question, and on questions about one document, "
                    "are one cluster: the number of votes is divided by the design effect. p-values are of the exact sign-flip test of the clusters, adjusted for "
                    "the number of parts by Holm's method (1979)."
                }
            }
        }
    }
}
