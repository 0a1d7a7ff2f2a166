//! Two runs side by side: what they were told, and what they came to.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::Query;
use axum::response::{IntoResponse, Redirect, Response};
use gristmill_domain::amount::{Amount, MicroUsd};
use gristmill_domain::filter::Reason;
use gristmill_domain::words::{figure, thousands};
use gristmill_proto::v1;
use gristmill_runs::Manifest;
use maud::{Markup, html};

use super::bars::{key, pair};
use super::differences::differences;
use super::funnel::{Facts, dated};
use super::parts::{Budget, RowCounts, state_mark};
use crate::app::App;
use crate::link;
use crate::live::{Asked, show};
use crate::measures::Measured;
use crate::page::{Kind, Page, Part};
use crate::source::{Refusal, Who};
use crate::text::{Shown, percent, share};

/// Fields of a query, in their order.
type Pairs = Vec<(String, String)>;

/// Which runs are wanted: `a` and `b`, or the boxes of the page of runs, each of which sends a `run`.
fn wanted(pairs: &Pairs) -> Vec<&str> {
    let all = |name: &'static str| {
        let of_name = pairs.iter().filter(move |(key, _)| key == name);
        of_name.map(|(_, run)| run.as_str())
    };
    match (all("a").next(), all("b").next()) {
        (Some(a), Some(b)) => vec![a, b],
        _ => all("run").collect(),
    }
}

pub(super) async fn compare(asked: Asked, Query(pairs): Query<Pairs>) -> Response {
    let [a, b] = match wanted(&pairs)[..] {
        [a, b] => [a.to_owned(), b.to_owned()],
        ref runs => {
            let text = match runs.len() {
                0 => "No run was chosen. Tick two on the page of runs.".to_owned(),
                1 => "One run was chosen. Tick two on the page of runs.".to_owned(),
                more => format!("{more} runs were chosen. Two are compared: tick two on the page of runs."),
            };
            return asked.refused(&Refusal::bad_request(text));
        }
    };
    // Boxes lead to an address that can be kept and changed.
    if pairs.iter().any(|(key, _)| key == "run") {
        return Redirect::to(&link::compare(&a, &b)).into_response();
    }
    let (app, who) = (Arc::clone(&asked.app), asked.visitor.session.who);
    show(asked, move || page(Arc::clone(&app), who, [a.clone(), b.clone()])).await
}

/// What is known of a run's diversity and coverage.
enum Measures {
    /// Nothing yet: they are measured in the background.
    Measuring,
    /// Nothing, for this reason.
    Failed(String),
    Known(Arc<Measured>),
}

impl Measures {
    fn known(&self) -> Option<&Measured> {
        match self {
            Self::Known(measured) => Some(measured),
            Self::Measuring | Self::Failed(_) => None,
        }
    }

    /// What stands in the place of a figure.
    fn missing(&self) -> &'static str {
        match self {
            Self::Measuring => "measuring…",
            Self::Failed(_) => "cannot be measured",
            Self::Known(_) => "–",
        }
    }
}

/// A run with what is known of it.
struct Side {
    run: v1::Run,
    facts: Facts,
    measured: Measures,
    budget: Budget,
    rows: RowCounts,
}

impl Side {
    async fn of(app: &App, who: Who, run: &str) -> Result<Self, Refusal> {
        let run = app.source.run(who, run).await?;
        if app.evaluations.kind(app.source.as_ref(), who, &run.run).await == Kind::Evaluation {
            return Err(Refusal::bad_request(format!(
                "Run {0} is an evaluation, which has no rows to compare: its page compares its models, and `gristmill gate NEW --before OLD` holds one \
                 evaluation against another.",
                run.run
            )));
        }
        let facts = app.facts.of(&app.source, &run).await;
        let measured = match &facts {
            Ok(Some(counted)) => match app.measures.of(&app.source, &run, counted).await {
                None => Measures::Measuring,
                Some(Err(why)) => Measures::Failed(why),
                Some(Ok(measured)) => Measures::Known(measured),
            },
            // Its rows are counted first.
            Ok(None) => Measures::Measuring,
            Err(why) => Measures::Failed(why.clone()),
        };
        Ok(Self {
            facts,
            measured,
            budget: Budget::of(&run),
            rows: RowCounts::reported(&run),
            run,
        })
    }

    fn manifest(&self) -> Option<&Manifest> {
        let counted = self.facts.as_ref().ok()?.as_ref()?;
        Some(&counted.manifest)
    }

    /// What is gone; nothing before the first call, whose books say it.
    fn gone(&self) -> Option<Amount> {
        self.run.account.as_ref().map(|_| self.budget.gone())
    }

    /// The same in micro-dollars, where prices are known.
    fn usd(&self) -> Option<f64> {
        let gone = self.gone().filter(|_| self.budget.priced())?;
        Some(gone.usd.0 as f64)
    }

    fn calls(&self) -> Option<f64> {
        self.gone().map(|gone| gone.calls as f64)
    }

    /// A sum for each accepted row.
    fn each(&self, all: Option<f64>) -> Option<f64> {
        let rows = self.rows.accepted;
        all.filter(|_| rows > 0).map(|all| all / rows as f64)
    }
}

async fn page(app: Arc<App>, who: Who, runs: [String; 2]) -> Result<Page, Refusal> {
    let [a, b] = &runs;
    let sides = [Side::of(&app, who, a).await?, Side::of(&app, who, b).await?];
    let cluster = app.source.is_cluster();
    Ok(Page::new("Two runs", Part::Runs)
        .with("sides", heads(&sides, cluster))
        .with("numbers", numbers(&sides))
        .with("rejects", rejects(&sides))
        .with("measures", measures(&sides))
        .with("configuration", configuration(&sides)))
}

fn heads(sides: &[Side; 2], cluster: bool) -> Markup {
    html! {
        ul.legend {
            @for (number, side) in sides.iter().enumerate() {
                (key(number, false, ["the first", "the second"][number]))
                li {
                    a href=(link::run(&side.run.run)) { (side.run.run) } " " (Shown(&side.run.name)) " " (state_mark(&side.run, cluster))
                }
            }
        }
        @for side in sides { (dated(&side.facts)) }
    }
}

/// One measure of both runs, `None` where it is not known; `text` puts it in words.
fn line(name: &Markup, values: [Option<f64>; 2], text: &dyn Fn(f64) -> String) -> Markup {
    let cells = values.map(|value| value.map_or_else(|| "–".to_owned(), text));
    html! { tr {
        th scope="row" { (name) }
        td.bar { (bars(values)) }
        @for cell in cells { td { (cell) } }
    } }
}

fn bars(values: [Option<f64>; 2]) -> Markup {
    let most = values.iter().flatten().copied().fold(0.0, f64::max);
    let share = |value: Option<f64>| match most > 0.0 {
        true => value.unwrap_or(0.0) / most,
        false => 0.0,
    };
    pair(values.map(share))
}

fn columns(sides: &[Side; 2], what: &str) -> Markup {
    html! { thead { tr {
        th scope="col" { (what) } th.bar scope="col" { span.hidden { "bars" } }
        @for side in sides { th scope="col" { (side.run.run) } }
    } } }
}

fn numbers(sides: &[Side; 2]) -> Markup {
    let of = |value: &dyn Fn(&Side) -> Option<f64>| [value(&sides[0]), value(&sides[1])];
    let known = |side: &Side, count: u64| side.rows.known.then_some(count as f64);
    let usd = |value: f64| MicroUsd(value.round() as u64).to_string();
    let whole = |value: f64| thousands(value.round() as u64);
    let met = |side: &Side| {
        let progress = side.run.progress.as_ref()?;
        (progress.concepts_wanted > 0).then(|| progress.concepts_met as f64 / progress.concepts_wanted as f64)
    };
    let acceptance = |side: &Side| {
        let RowCounts {
            accepted, decided, ..
        } = side.rows;
        (decided > 0).then(|| accepted as f64 / decided as f64)
    };
    html! {
        section aria-labelledby="numbers-title" {
            h2 #numbers-title { "What they came to" }
            div.scroll { table.bars {
                (columns(sides, "measure"))
                tbody {
                    (line(&html! { "accepted rows" }, of(&|side| known(side, side.rows.accepted)), &whole))
                    (line(&html! { "decided candidates" }, of(&|side| known(side, side.rows.decided)), &whole))
                    (line(&html! { "acceptance" }, of(&acceptance), &share))
                    (line(&html! { "spent and burned" }, of(&Side::usd), &usd))
                    (line(&html! { "calls" }, of(&Side::calls), &whole))
                    (line(&html! { "cost of an accepted row" }, of(&|side| side.each(side.usd())), &usd))
                    (line(&html! { "calls an accepted row" }, of(&|side| side.each(side.calls())), &figure))
                    (line(&html! { "concepts at their target" }, of(&met), &share))
                }
            } }
        }
    }
}

/// Rejects by reason, as shares of the candidates of each run: runs of different sizes are comparable.
fn rejects(sides: &[Side; 2]) -> Markup {
    let manifests = [sides[0].manifest(), sides[1].manifest()];
    let [Some(a), Some(b)] = manifests else {
        return html! {};
    };
    let reasons: BTreeSet<Reason> = [a, b]
        .into_iter()
        .flat_map(|manifest| &manifest.rejected)
        .map(|(reason, _)| *reason)
        .collect();
    let rows = |manifest: &Manifest, wanted: Reason| {
        let loss = manifest.rejected.iter().find(|(reason, _)| *reason == wanted);
        loss.map_or(0, |(_, loss)| loss.rows)
    };
    let shares = |reason: Reason| {
        [a, b].map(|manifest| {
            (manifest.candidates > 0).then(|| rows(manifest, reason) as f64 / manifest.candidates as f64)
        })
    };
    let most = reasons
        .iter()
        .flat_map(|reason| shares(*reason))
        .flatten()
        .fold(0.0, f64::max)
        .max(1e-9);
    html! {
        section aria-labelledby="rejects-title" {
            h2 #rejects-title { "Why candidates were rejected" }
            @if reasons.is_empty() { p { "Neither rejected any." } }
            @else { div.scroll { table.bars {
                (columns(sides, "reason"))
                tbody { @for reason in reasons { tr {
                    th scope="row" { (reason.label()) }
                    td.bar { (pair(shares(reason).map(|share| share.unwrap_or(0.0) / most))) }
                    @for (side, manifest) in sides.iter().zip([a, b]) { td {
                        a href=(link::rows(&side.run.run, &[("reason", reason.as_str())])) { (thousands(rows(manifest, reason))) }
                        " (" (percent(rows(manifest, reason), manifest.candidates)) ")"
                    } }
                } } }
            } } }
        }
    }
}

/// A measure after the last round, and what it depends on.
type Last<'a> = (f64, &'a str);

/// Diversity and coverage after the last round of each, as its report measures them.
fn measures(sides: &[Side; 2]) -> Markup {
    let known = sides.each_ref().map(|side| side.measured.known());
    let mut names: Vec<&str> = Vec::new();
    let charts = known.iter().flatten().flat_map(|measured| &measured.charts);
    // What each round brought by itself says nothing of the whole.
    for chart in charts.filter(|chart| !chart.depends.is_empty()) {
        if !names.contains(&chart.measure.as_str()) {
            names.push(&chart.measure);
        }
    }
    html! {
        section aria-labelledby="measured-title" {
            h2 #measured-title { "Diversity and coverage" }
            @for side in sides { @match &side.measured {
                Measures::Known(_) => {},
                Measures::Measuring => p.quiet { (side.run.run) " is being measured in the background: its figures appear here." },
                Measures::Failed(why) => p.verdict.warn { span.sign aria-hidden="true" { "!" } (side.run.run) " cannot be measured: " (Shown(why)) },
            } }
            @if !names.is_empty() {
                div.scroll { table.bars {
                    (columns(sides, "after the last round"))
                    tbody { @for name in names {
                        (measure(name, known.map(|measured| last(measured?, name)), sides))
                    } }
                } }
                p.quiet { "Figures depend on the model that embeds the rows, and on what stands beside them: τ, the number of rows n that are drawn, and the neighbours k." }
            }
        }
    }
}

fn last<'a>(measured: &'a Measured, name: &str) -> Option<Last<'a>> {
    let chart = measured.charts.iter().find(|chart| chart.measure == name)?;
    let value = chart.values.iter().rfind(|value| value.value.is_finite())?;
    Some((value.value, &chart.depends))
}

/// One line: with bars where both were measured alike.
fn measure(name: &str, last: [Option<Last<'_>>; 2], sides: &[Side; 2]) -> Markup {
    let alike = match last {
        [Some((_, a)), Some((_, b))] => a == b,
        _ => true,
    };
    html! { tr {
        th scope="row" { (Shown(name)) }
        td.bar {
            @if alike { (bars(last.map(|last| last.map(|(value, _)| value)))) }
            @else { span.flag { "not comparable: measured differently" } }
        }
        @for (last, side) in last.iter().zip(sides) { td {
            @match last {
                Some((value, depends)) => { (figure(*value)) " " span.quiet { "(" (Shown(depends)) ")" } },
                None => span.quiet { (side.measured.missing()) },
            }
        } }
    } }
}

fn configuration(sides: &[Side; 2]) -> Markup {
    let [Some(a), Some(b)] = [sides[0].manifest(), sides[1].manifest()] else {
        return html! {};
    };
    let differ = differences([a, b]);
    html! {
        section aria-labelledby="configuration-title" {
            h2 #configuration-title { "What they were told" }
            @if differ.is_empty() { p { "Both have the same configuration, seeds and program." } }
            @else {
                p.quiet { "Only what differs. Keys are those of the job file; one that it leaves out has its default." }
                div.scroll { table.wrap.left {
                    thead { tr { th scope="col" { "key" } @for side in sides { th scope="col" { (side.run.run) } } } }
                    tbody { @for difference in &differ { tr {
                        th scope="row" { code { (Shown(&difference.key)) } }
                        @for value in &difference.values { td { @match value { Some(value) => (Shown(value)), None => span.quiet { "not set" } } } }
                    } } }
                } }
            }
        }
    }
}

/// The form that sends the ticked runs here, above their table.
pub(super) fn chooser() -> Markup {
    html! {
        form #compare.find method="get" action="/compare" {
            button { "Compare two" }
            span.quiet { " runs that are ticked in the last column" }
        }
    }
}

/// The box of a run in the table of runs.
pub(super) fn tick(run: &str) -> Markup {
    html! { input type="checkbox" name="run" value=(run) form="compare" aria-label={ "compare run " (run) }; }
}

#[cfg(test)]
mod tests {
    use gristmill_picture::lines::{Chart, Value};

    use super::*;

    fn side(run: &str, measured: Measures) -> Side {
        let run = v1::Run {
            run: run.to_owned(),
            ..v1::Run::default()
        };
        Side {
            facts: Ok(None),
            measured,
            budget: Budget::of(&run),
            rows: RowCounts::reported(&run),
            run,
        }
    }

    fn known(depends: &str, values: &[f64]) -> Measures {
        let value = |value: &f64| Value {
            step: "0".to_owned(),
            value: *value,
            between: None,
        };
        let chart = Chart {
            measure: "DCScore".to_owned(),
            depends: depends.to_owned(),
            colour: 2,
            values: values.iter().map(value).collect(),
            top: None,
        };
        Measures::Known(Arc::new(Measured {
            charts: vec![chart],
            note: String::new(),
        }))
    }

    #[test]
    fn what_was_measured_differently_is_not_set_against_each_other() {
        let shown = |a, b| measures(&[side("a", a), side("b", b)]).into_string();
        let at_200 = || known("n = 200", &[30.0, 72.0]);
        let alike = shown(at_200(), known("n = 200", &[80.5, f64::NAN]));
        assert!(
            !alike.contains("not comparable") && alike.matches("<svg").count() > 0,
            "{alike}"
        );
        assert!(
            alike.contains(">72 <") && alike.contains(">80.5 <"),
            "the last of each: {alike}"
        );
        let unlike = shown(at_200(), known("n = 1,000", &[80.5]));
        assert!(
            unlike.contains("not comparable") && !unlike.contains("<svg"),
            "{unlike}"
        );
        assert!(
            unlike.contains("(n = 200)") && unlike.contains("(n = 1,000)"),
            "{unlike}"
        );
        let waits = shown(at_200(), Measures::Measuring);
        assert!(
            waits.contains(">measuring…<") && waits.contains("b is being measured"),
            "{waits}"
        );
        let failed = shown(Measures::Failed("<why>".to_owned()), at_200());
        assert!(failed.contains("a cannot be measured: &lt;why&gt;"), "{failed}");
        assert!(failed.contains(">cannot be measured<"), "{failed}");
    }

    #[test]
    fn two_boxes_or_two_names_are_two_runs() {
        let asked = |pairs: &[(&str, &str)]| -> Pairs {
            let owned = pairs
                .iter()
                .map(|(key, run)| ((*key).to_owned(), (*run).to_owned()));
            owned.collect()
        };
        assert_eq!(wanted(&asked(&[("a", "1"), ("b", "2")])), ["1", "2"]);
        assert_eq!(wanted(&asked(&[("run", "1"), ("run", "2")])), ["1", "2"]);
        assert_eq!(wanted(&asked(&[("a", "1"), ("run", "2")])), ["2"]);
        assert_eq!(
            wanted(&asked(&[("run", "1"), ("run", "2"), ("run", "3")])).len(),
            3
        );
        assert!(wanted(&Pairs::new()).is_empty());
    }
}
