//! Round by round: what was planned and why, what it brought.

use gristmill_coordinator::RoundReport;
use gristmill_domain::concept::at_target;
use gristmill_domain::words::thousands;
use gristmill_picture::lines::{Chart, Value};
use gristmill_proto::v1;
use maud::{Markup, PreEscaped, html};

use super::funnel::Facts;
use crate::link;
use crate::text::{Shown, percent};

/// Charts and a table of the rounds.
pub(super) fn rounds(run: &v1::Run, facts: &Facts) -> Markup {
    let Ok(Some(counted)) = facts else {
        return html! {};
    };
    let rounds = &counted.manifest.rounds;
    html! {
        @if !rounds.is_empty() {
            section aria-labelledby="rounds-title" {
                h2 #rounds-title { "Rounds" }
                @if rounds.len() > 1 {
                    div.charts { @for chart in charts(rounds) {
                        figure { figcaption { (chart.title()) } (PreEscaped(chart.inline())) }
                    } }
                }
                (table(run, rounds))
                @if rounds.iter().any(|round| !round.plan.change.is_empty()) {
                    p.quiet {
                        "Share is what was accepted of the round's own candidates. What is expected of the next ones follows from all rounds before, "
                        "without candidates that nobody was asked for, and from what was assumed before the first, and is less where the same seeds "
                        "are tried again."
                    }
                }
            }
        }
    }
}

fn charts(rounds: &[RoundReport]) -> Vec<Chart> {
    let chart = |title: &str, colour, top, value: &dyn Fn(&RoundReport) -> f64| Chart {
        measure: title.to_owned(),
        depends: String::new(),
        colour,
        values: rounds
            .iter()
            .map(|round| Value {
                step: round.plan.round.to_string(),
                value: value(round),
                between: None,
            })
            .collect(),
        top,
    };
    let mut charts = vec![
        chart("accepted rows by round", 1, None, &|round| round.accepted as f64),
        chart(
            "share accepted by round",
            6,
            Some(1.0),
            &|round| match round.decided {
                // A round that has decided nothing yet has no share.
                0 => f64::NAN,
                decided => round.accepted as f64 / decided as f64,
            },
        ),
    ];
    if rounds.iter().any(|round| at_target(&round.plan.concepts).1 > 0) {
        charts.push(chart(
            "concepts at their target when each round was planned",
            0,
            None,
            &|round| at_target(&round.plan.concepts).0 as f64,
        ));
    }
    charts
}

fn table(run: &v1::Run, rounds: &[RoundReport]) -> Markup {
    html! {
        div.scroll.tall { table.cards.wrap {
            thead { tr { th scope="col" { "Round" } th scope="col" { "Why" } th scope="col" { "Planned" } th scope="col" { "Decided" } th scope="col" { "Accepted" } th scope="col" { "Share" } } }
            tbody { @for round in rounds.iter().rev() { tr {
                @let number = round.plan.round.to_string();
                th scope="row" { (number) }
                td data-head="Why" { (Shown(&why(round))) }
                td data-head="Planned" { (thousands(round.plan.candidates.total())) }
                td data-head="Decided" { a href=(link::rows(&run.run, &[("round", &number)])) { (thousands(round.decided)) } }
                td data-head="Accepted" { a href=(link::rows(&run.run, &[("round", &number), ("verdict", "accepted")])) { (thousands(round.accepted)) } }
                td data-head="Share" { (percent(round.accepted, round.decided)) }
            } } }
        } }
    }
}

fn why(round: &RoundReport) -> String {
    match round.plan.change.is_empty() {
        true => round.plan.reason.clone(),
        false => round.plan.change.clone(),
    }
}
