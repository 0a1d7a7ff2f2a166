//! The workers of a cluster, as people see them: who is there, and who shall take no more tasks.

use std::time::Duration;

use gristmill_domain::words::duration;
use gristmill_ports::line::{LineFailure, LineReport, LineState};
use gristmill_ports::register::{SILENT_FROM, WorkerReport};
use gristmill_proto::{stage_of, v1};

use super::remote::{connect, refused};
use crate::args::{DrainArgs, OutputStyle, ServerArgs};
use crate::failure::Failure;
use crate::print;

/// Lists workers.
pub(crate) async fn workers(server: &ServerArgs, output: OutputStyle) -> Result<(), Failure> {
    let answer = connect(server)
        .await?
        .list_workers(v1::ListWorkersRequest {})
        .await;
    let answer = answer.map_err(|status| refused(&status))?.into_inner();
    let v1::ListWorkersResponse { workers, drained } = answer;
    if workers.is_empty() && output == OutputStyle::Text {
        print::plain("no workers: start some with `gristmill worker`\n");
    }
    for worker in workers {
        let report = report_of(worker.report.clone().unwrap_or_default());
        let value = serde_json::json!({
            "worker": worker.worker, "present": true, "since_ms": worker.since_ms, "beat_ms": worker.beat_ms,
            "silent_ms": worker.silent_ms, "draining": worker.draining, "report": report,
        });
        let mut text = format!("{:<32} {}", worker.worker, in_words(&report, &worker));
        for (run, reason) in &report.refused {
            text.push_str(&format!(
                "\n  puts off run {run}: {}",
                gristmill_domain::words::one_line(reason)
            ));
        }
        print::either(output, &value, &text);
    }
    for worker in drained {
        let value = serde_json::json!({"worker": worker, "present": false, "draining": true});
        let text = format!(
            "{worker:<32} drained   not there, and takes no task when it is started: `gristmill undrain {worker}` lets it"
        );
        print::either(output, &value, &text);
    }
    Ok(())
}

/// What a worker says of itself; stages and runs that this program does not know are left out.
fn report_of(report: v1::WorkerReport) -> WorkerReport {
    WorkerReport {
        version: report.version,
        stages: report
            .stages
            .into_iter()
            .filter_map(|stage| stage_of(stage).ok())
            .collect(),
        slots: report.slots.try_into().unwrap_or(u16::MAX),
        in_flight: report
            .in_flight
            .into_iter()
            .filter_map(|(stage, tasks)| Some((stage.parse().ok()?, usize::try_from(tasks).ok()?)))
            .collect(),
        oldest_seconds: report.oldest_seconds,
        stopping: report.stopping,
        refused: report
            .refused
            .into_iter()
            .filter_map(|(run, reason)| Some((run.parse().ok()?, reason)))
            .collect(),
        lines: report.lines.into_iter().map(line_of).collect(),
    }
}

fn line_of(line: v1::LineReport) -> LineReport {
    LineReport {
        model: line.model,
        runs: line.runs.iter().filter_map(|run| run.parse().ok()).collect(),
        state: LineState::of_name(&line.state),
        wait_ms: line.wait_ms,
        in_flight: line.in_flight,
        requests: line.requests,
        input_tokens: line.input_tokens,
        output_tokens: line.output_tokens,
        latencies: line.latencies,
        errors: line.errors.into_iter().collect(),
        failures: line.failures.into_iter().map(failure_of).collect(),
    }
}

fn failure_of(failure: v1::LineFailure) -> LineFailure {
    LineFailure {
        kind: failure.kind,
        calls: failure.calls,
        burned: failure.burned,
        ago_ms: failure.ago_ms,
        reason: failure.reason,
    }
}

/// `working   generate 12, judge 3 in hand of 64 · generate, judge, embed · 0.1.0`.
fn in_words(report: &WorkerReport, worker: &v1::Worker) -> String {
    let state = if worker.draining || report.stopping {
        "draining"
    } else {
        "working"
    };
    let hands: Vec<String> = report
        .in_flight
        .iter()
        .map(|(stage, count)| format!("{stage} {count}"))
        .collect();
    let hands = match hands.is_empty() {
        true => "nothing in hand".to_owned(),
        false => format!("{} in hand", hands.join(", ")),
    };
    let silent = Duration::from_millis(worker.silent_ms);
    if silent >= SILENT_FROM {
        let lost = "if it is lost, that begins again when its leases end";
        return format!(
            "silent    for {} with {hands}; {lost}",
            duration(silent.as_secs())
        );
    }
    let oldest = report
        .oldest_seconds
        .map_or_else(String::new, |age| format!(", the oldest for {}", duration(age)));
    let stages: Vec<String> = report.stages.iter().map(ToString::to_string).collect();
    format!(
        "{state:<9} {hands}{oldest} · takes {} · {} slots · {}",
        stages.join(", "),
        report.slots,
        report.version
    )
}

/// Has a worker finish what it has.
pub(crate) async fn drain(args: &DrainArgs, output: OutputStyle) -> Result<(), Failure> {
    let worker = args.worker.clone();
    let request = v1::DrainWorkerRequest {
        worker: worker.clone(),
    };
    let answer = connect(&args.server).await?.drain_worker(request).await;
    answer.map_err(|status| refused(&status))?;
    print::either(
        output,
        &serde_json::json!({"worker": worker, "draining": true}),
        &format!(
            "{worker} finishes what it has and takes nothing more, also when it is started again; `gristmill undrain {worker}` lets it"
        ),
    );
    Ok(())
}

/// Lets a drained worker take tasks again.
pub(crate) async fn undrain(args: &DrainArgs, output: OutputStyle) -> Result<(), Failure> {
    let worker = args.worker.clone();
    let request = v1::UndrainWorkerRequest {
        worker: worker.clone(),
    };
    let answer = connect(&args.server).await?.undrain_worker(request).await;
    answer.map_err(|status| refused(&status))?;
    print::either(
        output,
        &serde_json::json!({"worker": worker, "draining": false}),
        &format!("{worker} may take tasks again, once it is started; one that is finishing ends first"),
    );
    Ok(())
}
