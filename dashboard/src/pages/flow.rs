//! The stages of a run as a flow, and which of them limits it.

use gristmill_domain::stage::Stage;
use gristmill_domain::words::{duration, many, thousands};
use gristmill_proto::v1;
use maud::{Markup, html};

use crate::samples::Pace;
use crate::text::{now_ms, rate};

/// Silence after which a worker is not counted, milliseconds; as at the coordinator.
const SILENT_FROM_MS: u64 = 8_000;

/// What a stage has to do.
struct Load {
    stage: Stage,
    ready: u64,
    running: u64,
    counts: v1::TaskCounts,
    /// Tasks that the budget did not cover; the counts have them among the failed ones.
    unfunded: u64,
    /// A cancel gave tasks of the run up; the counts have them among the failed ones.
    given_up: bool,
    /// How long the oldest task that waits does so at least, seconds.
    ready_seconds: Option<u64>,
}

fn loads(run: &v1::Run) -> Vec<Load> {
    let counts = |stage: Stage| {
        let wanted = v1::Stage::from(stage);
        run.account
            .iter()
            .flat_map(|account| &account.counts)
            .find(|counts| counts.stage() == wanted)
    };
    let ready = gristmill_runs::served::ready_seconds(run, now_ms());
    let load = |stage| {
        let counts = *counts(stage)?;
        let unfunded = run
            .progress
            .as_ref()
            .and_then(|progress| progress.unfunded_tasks.get(stage.name()).copied())
            .unwrap_or(0)
            .min(counts.failed);
        (counts.planned > 0).then(|| Load {
            stage,
            ready: counts.open.saturating_sub(counts.running),
            running: counts.running,
            counts,
            unfunded,
            given_up: run
                .progress
                .as_ref()
                .is_some_and(|progress| progress.cancelled_tasks > 0),
            ready_seconds: ready.get(&stage).copied(),
        })
    };
    Stage::ALL.into_iter().filter_map(load).collect()
}

/// Workers that take tasks of a stage now.
pub(super) fn takers(stage: Stage, workers: &[v1::Worker]) -> impl Iterator<Item = &v1::WorkerReport> {
    let wanted = v1::Stage::from(stage);
    let there = workers
        .iter()
        .filter(|worker| !worker.draining && worker.silent_ms < SILENT_FROM_MS);
    there
        .filter_map(|worker| worker.report.as_ref())
        .filter(move |report| !report.stopping && report.stages().any(|stage| stage == wanted))
}

/// What limits a run that goes on, in a sentence.
pub(super) fn limited_by(run: &v1::Run, workers: &[v1::Worker]) -> String {
    let loads = loads(run);
    let batches = run.progress.as_ref().map_or(0, |progress| progress.in_batches);
    let open: u64 = loads.iter().map(|load| load.ready + load.running).sum();
    if open == 0 {
        return "no task is open: it plans, or ends".to_owned();
    }
    if batches * 2 > open {
        return format!("limited by batches: {} wait at providers", many(batches, "task"));
    }
    let Some(most) = loads.iter().max_by_key(|load| (load.ready, load.running)) else {
        return String::new();
    };
    let held_back = run.progress.as_ref().map_or(0, |progress| progress.held_back);
    if most.ready == 0 && held_back > 0 {
        return format!(
            "limited by how much of the budget may be at risk at once (budget.at_risk): {} held back until one of {} ends",
            match held_back {
                1 => "1 task is".to_owned(),
                tasks => format!("{} tasks are", thousands(tasks)),
            },
            many(most.running, "call")
        );
    }
    if most.ready == 0 {
        return format!(
            "limited by how long {} calls take: all {} are in flight",
            most.stage,
            many(most.running, "open task")
        );
    }
    let at = match takers(most.stage, workers).count() as u64 {
        0 => String::new(),
        workers => format!(" at {}", many(workers, "worker")),
    };
    format!(
        "limited by {}: {} while {} are in flight{at}",
        most.stage,
        match most.ready {
            1 => "1 task waits".to_owned(),
            ready => format!("{} tasks wait", thousands(ready)),
        },
        thousands(most.running)
    )
}

/// Generate, judge, embed: what waits, what is in flight and for how long, how fast it goes and who takes it.
pub(super) fn flow(run: &v1::Run, workers: &[v1::Worker], pace: Option<&Pace>, cluster: bool) -> Markup {
    let loads = loads(run);
    html! {
        section aria-labelledby="flow-title" {
            h2 #flow-title { "Stages" }
            @if loads.is_empty() {
                p.quiet { "No task was planned yet." }
            }
            ol.flow {
                @for load in &loads { (stage(load, workers, pace, cluster && super::parts::goes_on(run))) }
            }
        }
    }
}

fn stage(load: &Load, workers: &[v1::Worker], pace: Option<&Pace>, live: bool) -> Markup {
    let Load {
        stage,
        ready,
        running,
        counts,
        unfunded,
        given_up,
        ready_seconds,
    } = load;
    let taken_by = takers(*stage, workers).count();
    let stuck = live && taken_by == 0 && ready + running > 0;
    // A worker says how old the oldest task in its hands is, and not of which stage.
    let oldest = takers(*stage, workers)
        .filter(|report| report.in_flight.get(stage.name()).is_some_and(|tasks| *tasks > 0))
        .filter_map(|report| report.oldest_seconds)
        .max();
    let place = Stage::ALL.iter().position(|other| other == stage).unwrap_or(0);
    let done = pace
        .map(|pace| rate(pace.done[place]))
        .filter(|text| !text.is_empty());
    html! {
        li.stuck[stuck] {
            h3 { (stage.name()) }
            dl {
                dt { "ready" } dd { (thousands(*ready)) }
                dt { "in flight" } dd { (thousands(*running)) }
                @if live {
                    dt { "oldest ready" } dd { @match ready_seconds { Some(seconds) => { "at least " (duration(*seconds)) }, None => "–" } }
                    dt { "oldest in hand" } dd { @match oldest { Some(seconds) => (duration(seconds)), None => "–" } }
                    dt { "workers" } dd { (taken_by) }
                }
                dt { "rate" } dd { @match done { Some(done) => (done), None => "–" } }
                dt { "done" } dd { (thousands(counts.done)) }
                dt { @if *given_up { "failed or given up" } @else { "failed" } } dd { (thousands(counts.failed - unfunded)) }
                @if *unfunded > 0 { dt { "beyond the budget" } dd { (thousands(*unfunded)) } }
                @if counts.voided + counts.burned > 0 {
                    dt { "attempts void, burned" } dd { (thousands(counts.voided)) ", " (thousands(counts.burned)) }
                }
            }
            @if stuck {
                p.flag { "No worker takes " (stage.name()) " tasks." }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_whose_open_tasks_all_run_is_limited_by_what_may_be_at_risk_where_more_are_held_back() {
        let run = |running, held_back| v1::Run {
            account: Some(v1::Account {
                counts: vec![v1::TaskCounts {
                    stage: v1::Stage::from(Stage::Generate).into(),
                    planned: 9,
                    open: 4,
                    running,
                    ..v1::TaskCounts::default()
                }],
                ..v1::Account::default()
            }),
            progress: Some(v1::Progress {
                held_back,
                ..v1::Progress::default()
            }),
            ..v1::Run::default()
        };
        assert_eq!(
            limited_by(&run(4, 0), &[]),
            "limited by how long generate calls take: all 4 open tasks are in flight"
        );
        assert_eq!(
            limited_by(&run(4, 7), &[]),
            "limited by how much of the budget may be at risk at once (budget.at_risk): 7 tasks are held back until one of 4 calls ends"
        );
        assert_eq!(
            limited_by(&run(3, 7), &[]),
            "limited by generate: 1 task waits while 3 are in flight"
        );
    }
}
