//! A run's endpoints as its workers see them: how fast they answer, what fails, how much of the limits is used, and whether calls are kept back.

use std::collections::BTreeMap;
use std::time::Duration;

use gristmill_domain::job::ModelSpec;
use gristmill_domain::words::{duration, thousands};
use gristmill_ports::line::{LineFailure, LineState, latency_quantile};
use gristmill_ports::register::SILENT_FROM;
use gristmill_proto::v1;
use maud::{Markup, html};

use crate::text::{Shown, percent};

/// What all workers say of one model of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Fleet {
    workers: u64,
    in_flight: u64,
    requests: u64,
    input_tokens: u64,
    output_tokens: u64,
    latencies: Vec<u32>,
    errors: BTreeMap<String, u64>,
    /// The same by what was answered.
    failures: BTreeMap<String, LineFailure>,
    /// Workers by how the line stands at them.
    states: BTreeMap<LineState, u64>,
    /// The longest time for which one of them makes no calls, milliseconds.
    wait_ms: u64,
}

impl Fleet {
    /// Adds up what workers say that are there; by the model's name.
    fn of(run: &str, workers: &[v1::Worker]) -> BTreeMap<String, Self> {
        let mut all: BTreeMap<String, Self> = BTreeMap::new();
        let there = workers
            .iter()
            .filter(|worker| Duration::from_millis(worker.silent_ms) < SILENT_FROM);
        for worker in there {
            let lines = worker.report.iter().flat_map(|report| &report.lines);
            for line in lines.filter(|line| line.runs.iter().any(|used| used == run)) {
                let fleet = all.entry(line.model.clone()).or_default();
                fleet.add(line, worker.silent_ms);
            }
        }
        all
    }

    fn add(&mut self, line: &v1::LineReport, silent_ms: u64) {
        self.workers += 1;
        self.in_flight += u64::from(line.in_flight);
        self.requests += line.requests;
        self.input_tokens += line.input_tokens;
        self.output_tokens += line.output_tokens;
        if self.latencies.len() < line.latencies.len() {
            self.latencies.resize(line.latencies.len(), 0);
        }
        for (sum, calls) in self.latencies.iter_mut().zip(&line.latencies) {
            *sum = sum.saturating_add(*calls);
        }
        for (class, errors) in &line.errors {
            *self.errors.entry(class.clone()).or_default() += errors;
        }
        for told in &line.failures {
            let sum = self
                .failures
                .entry(told.kind.clone())
                .or_insert_with(|| LineFailure {
                    kind: told.kind.clone(),
                    ..LineFailure::default()
                });
            sum.add(LineFailure {
                kind: told.kind.clone(),
                calls: told.calls,
                burned: told.burned,
                ago_ms: told.ago_ms.saturating_add(silent_ms),
                reason: told.reason.clone(),
            });
        }
        *self.states.entry(LineState::of_name(&line.state)).or_default() += 1;
        let wait = line.wait_ms.map_or(0, |wait| wait.saturating_sub(silent_ms));
        self.wait_ms = self.wait_ms.max(wait);
    }

    fn answered(&self) -> u64 {
        self.latencies.iter().map(|calls| u64::from(*calls)).sum()
    }
}

/// The table; `specs` are the run's models.
pub(super) fn lines(
    run: &str,
    goes_on: bool,
    specs: &[&ModelSpec],
    workers: Option<&[v1::Worker]>,
) -> Markup {
    html! {
        section aria-labelledby="lines-title" {
            h2 #lines-title { "As workers see them" }
            @match workers {
                None => p.quiet { "Latencies, errors by class, use of the limits and pauses are known to the process that runs the job while it runs, and are not written down. What became of calls is on this page." },
                Some(_) if !goes_on => p.quiet { "The run has ended: workers report the lines that they used in the last ten minutes." },
                Some(workers) => (table(run, specs, workers)),
            }
        }
    }
}

fn table(run: &str, specs: &[&ModelSpec], workers: &[v1::Worker]) -> Markup {
    let all = Fleet::of(run, workers);
    html! {
        @if all.is_empty() { p { "No worker has asked a model of this run in the last ten minutes." } }
        @else {
            div.scroll { table.cards.wrap {
                caption.hidden { "Endpoints as workers see them" }
                thead { tr {
                    th scope="col" { "Model" } th scope="col" { "State" } th scope="col" { "p50" } th scope="col" { "p95" } th scope="col" { "In flight" }
                    th scope="col" { "Requests, last minute" } th scope="col" { "Prompt tokens, last minute" } th scope="col" { "Completion tokens, last minute" } th scope="col" { "No answer, ten minutes" } th scope="col" { "Workers" }
                } }
                tbody { @for (model, fleet) in &all { (row(model, fleet, specs)) } }
            } }
            p.quiet {
                "Latencies and errors are of the last ten minutes, latencies to within their class (100 to 200 ms, 1 to 1.5 s). "
                "Workers report every three seconds; a model that is asked in batches has no latency here."
            }
        }
    }
}

fn row(model: &str, fleet: &Fleet, specs: &[&ModelSpec]) -> Markup {
    let spec = specs.iter().find(|spec| spec.name() == model);
    let limit = |of: fn(&ModelSpec) -> Option<u64>| spec.and_then(|spec| of(spec));
    html! { tr {
        th scope="row" { (Shown(model)) }
        td data-head="State" { (state(fleet)) }
        td data-head="p50" { (latency(fleet, 0.5)) }
        td data-head="p95" { (latency(fleet, 0.95)) }
        td data-head="In flight" { (thousands(fleet.in_flight)) }
        td.metered data-head="Requests, last minute" { (meter(fleet.requests, limit(|spec| spec.requests_per_minute.map(u64::from)), "requests")) }
        td.metered data-head="Prompt tokens, last minute" { (meter(fleet.input_tokens, limit(|spec| spec.input_tokens_per_minute), "prompt tokens")) }
        td.metered data-head="Completion tokens, last minute" { (meter(fleet.output_tokens, limit(|spec| spec.output_tokens_per_minute), "completion tokens")) }
        td data-head="No answer, ten minutes" { (errors(fleet)) }
        td data-head="Workers" { (thousands(fleet.workers)) }
    } }
}

/// How calls go at most workers, and the worst that one of them says.
fn state(fleet: &Fleet) -> Markup {
    let of = |state: LineState| fleet.states.get(&state).copied().unwrap_or(0);
    let at = |workers: u64| format!(" at {} of {}", thousands(workers), thousands(fleet.workers));
    let until = match fleet.wait_ms {
        0 => String::new(),
        wait => format!(", for another {}", duration(wait.div_ceil(1_000))),
    };
    let (class, sign, text) = match (
        of(LineState::LeftAlone),
        of(LineState::Trying),
        of(LineState::CoolingDown),
    ) {
        (0, 0, 0) => ("good", "▶", "calls are made".to_owned()),
        (0, 0, cooling) => ("warn", "◌", format!("cooling down{}{until}", at(cooling))),
        (0, trying, _) => ("warn", "?", format!("tried with one call{}", at(trying))),
        (alone, _, _) => (
            "bad",
            "✗",
            format!(
                "left alone since half of its last calls failed{}{until}",
                at(alone)
            ),
        ),
    };
    html! { span.state.wide.(class) { span.sign aria-hidden="true" { (sign) } (text) } }
}

fn latency(fleet: &Fleet, share: f64) -> String {
    match latency_quantile(&fleet.latencies, share) {
        None => "–".to_owned(),
        Some(ms) if ms < 1_000 => format!("{ms}\u{a0}ms"),
        Some(ms) => format!("{:.1}\u{a0}s", ms as f64 / 1_000.0),
    }
}

/// A number against its limit, as a bar where there is one.
fn meter(used: u64, limit: Option<u64>, what: &str) -> Markup {
    html! {
        (thousands(used))
        @match limit {
            Some(limit) => {
                " of " (thousands(limit))
                progress max=(limit.max(1)) value=(used.min(limit)) aria-label={ (what) " of the last minute against the limit" } {}
            },
            None => span.quiet { ", no limit" },
        }
    }
}

fn errors(fleet: &Fleet) -> Markup {
    let all: u64 = fleet.errors.values().sum();
    html! {
        @if all == 0 { "0" }
        @else {
            (thousands(all)) " (" (percent(all, all + fleet.answered())) ")"
            @for failure in statuses(fleet) { div.quiet { "HTTP " (Shown(&failure.kind)) " " (thousands(failure.calls)) @if failure.burned > 0 { ", " (thousands(failure.burned)) " burned" } } }
            @for (class, errors) in &fleet.errors { div.quiet { (class_in_words(class)) " " (thousands(*errors)) } }
        }
    }
}

/// Failures that an HTTP status was answered with: what happens now and costs most comes first.
fn statuses(fleet: &Fleet) -> Vec<&LineFailure> {
    let answered = |failure: &&LineFailure| failure.kind.bytes().all(|byte| byte.is_ascii_digit());
    let mut statuses: Vec<&LineFailure> = fleet.failures.values().filter(answered).collect();
    statuses.sort_by_cached_key(|failure| failure.order());
    statuses
}

fn class_in_words(class: &str) -> &str {
    match class {
        "refused" => "the request was refused",
        "throttled" => "turned away (429, overload)",
        "timeout" => "timed out",
        "failed" => "server or connection failed",
        "unreadable" => "could not be read",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_workers_say_is_added_up_for_the_runs_that_used_a_line() {
        let line = |model: &str, run: &str, state: &str, wait_ms| v1::LineReport {
            model: model.to_owned(),
            runs: vec![run.to_owned()],
            state: state.to_owned(),
            wait_ms,
            in_flight: 2,
            requests: 30,
            latencies: vec![1, 2],
            errors: [("timeout".to_owned(), 1)].into(),
            failures: vec![v1::LineFailure {
                kind: "500".to_owned(),
                calls: 4,
                burned: 3,
                ..v1::LineFailure::default()
            }],
            ..v1::LineReport::default()
        };
        let worker = |silent_ms, lines| v1::Worker {
            silent_ms,
            report: Some(v1::WorkerReport {
                lines,
                ..v1::WorkerReport::default()
            }),
            ..v1::Worker::default()
        };
        let workers = [
            worker(
                0,
                vec![line("m", "a", "open", None), line("m", "b", "open", None)],
            ),
            worker(1_000, vec![line("m", "a", "left_alone", Some(5_000))]),
            worker(60_000, vec![line("m", "a", "open", None)]),
        ];
        let fleet = &Fleet::of("a", &workers)["m"];
        assert_eq!(
            (fleet.workers, fleet.requests, fleet.in_flight),
            (2, 60, 4),
            "not of silent ones, not of others' runs"
        );
        assert_eq!((fleet.latencies.as_slice(), fleet.answered()), (&[2, 4][..], 6));
        assert_eq!((fleet.errors["timeout"], fleet.wait_ms), (2, 4_000));
        assert_eq!(
            fleet.states,
            [(LineState::Open, 1), (LineState::LeftAlone, 1)].into()
        );
        let failed = errors(fleet).into_string();
        assert!(failed.contains("HTTP 500 8, 6 burned"), "{failed}");
        let shown = state(fleet).into_string();
        assert!(
            shown.contains("left alone") && shown.contains("at 1 of 2, for another 4s"),
            "{shown}"
        );
    }
}
