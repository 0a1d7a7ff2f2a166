//! Why the tasks of a run wait although a coordinator drives it: what its coordinator cannot see, and the workers know.

use std::collections::BTreeMap;
use std::time::Duration;

use gristmill_domain::id::RunId;
use gristmill_domain::ledger::Counts;
use gristmill_domain::stage::Stage;
use gristmill_ports::register::{SILENT_FROM, Worker, WorkerReport};
use gristmill_proto::v1;

use crate::LEASE_MS;

/// Why none of a run's tasks of some stage can be done, although a coordinator drives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standstill {
    /// There is no worker.
    NoWorker,
    /// No worker takes tasks of the stage.
    StageWithoutWorker,
    /// All workers put its tasks off: they lack a key or a model, or its endpoint does not answer.
    PutOff,
}

/// Workers that are named: drained ones where no other is there, and those that say the same.
const NAMED: usize = 3;

/// What keeps tasks waiting.
struct Obstacle {
    /// What it comes to where it keeps all of them waiting.
    standstill: Option<Standstill>,
    reason: String,
    /// Workers that say so, and those that were asked.
    workers: u32,
    of: u32,
    /// Names of workers that say so.
    names: Vec<String>,
}

/// Why a run stands still, by what its workers last said; `None` where its tasks are done.
pub fn standstill(run: RunId, tasks: &BTreeMap<Stage, Counts>, workers: &[Worker]) -> Option<Standstill> {
    let found = find(run, tasks, workers, &[]);
    found.into_iter().find_map(|obstacle| obstacle.standstill)
}

/// What keeps the run's tasks waiting; what most workers say comes first. `drained` are the names of all workers that were drained, whether
/// they are there or not.
pub(super) fn obstacles(
    run: RunId,
    tasks: &BTreeMap<Stage, Counts>,
    workers: &[Worker],
    drained: &[String],
) -> Vec<v1::Obstacle> {
    let found = find(run, tasks, workers, drained).into_iter();
    found
        .map(|obstacle| v1::Obstacle {
            reason: obstacle.reason,
            workers: obstacle.workers,
            of: obstacle.of,
            names: obstacle.names,
        })
        .collect()
}

fn find(
    run: RunId,
    tasks: &BTreeMap<Stage, Counts>,
    workers: &[Worker],
    drained: &[String],
) -> Vec<Obstacle> {
    let (silent, heard): (Vec<&Worker>, Vec<&Worker>) = workers
        .iter()
        .partition(|worker| Duration::from_millis(worker.silent_ms) >= SILENT_FROM);
    let there: Vec<(&str, WorkerReport)> = heard
        .iter()
        .filter(|worker| !worker.draining)
        .filter_map(|worker| {
            Some((
                worker.worker.as_str(),
                serde_json::from_slice(&worker.report).ok()?,
            ))
        })
        .filter(|(_, report): &(&str, WorkerReport)| !report.stopping)
        .collect();
    let of = there.len() as u32;
    let mut found = Vec::new();
    let open = |stage: &Stage| tasks.get(stage).is_some_and(|counts| counts.open > 0);
    let waits: Vec<Stage> = Stage::ALL.into_iter().filter(open).collect();
    if of == 0 && !waits.is_empty() {
        found.push(Obstacle {
            standstill: Some(Standstill::NoWorker),
            reason: no_worker(drained),
            workers: 0,
            of,
            names: Vec::new(),
        });
    }
    for stage in waits.into_iter().filter(|_| of > 0) {
        if !there.iter().any(|(_, report)| report.stages.contains(&stage)) {
            let reason =
                format!("no worker takes {stage} tasks: start one with `gristmill worker --stages {stage}`");
            found.push(Obstacle {
                standstill: Some(Standstill::StageWithoutWorker),
                reason,
                workers: of,
                of,
                names: Vec::new(),
            });
        }
    }
    let mut said: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, report) in &there {
        if let Some(reason) = report.refused.get(&run) {
            said.entry(reason).or_default().push(name);
        }
    }
    let put_off = said.values().map(Vec::len).sum::<usize>() == there.len();
    found.extend(said.into_iter().map(|(reason, names)| Obstacle {
        standstill: put_off.then_some(Standstill::PutOff),
        reason: reason.to_owned(),
        workers: names.len() as u32,
        of,
        names: names.into_iter().take(NAMED).map(str::to_owned).collect(),
    }));
    found.extend(silent.iter().filter_map(|worker| {
        let report: WorkerReport = serde_json::from_slice(&worker.report).ok()?;
        let reason = format!(
            "nothing is heard of worker {}: if it is lost, what it had in hand begins again when its leases end",
            worker.worker
        );
        // Once its leases have ended, others have what it had.
        (!report.in_flight.is_empty() && worker.silent_ms < LEASE_MS).then_some(Obstacle {
            standstill: None,
            reason,
            workers: 0,
            of: 0,
            names: Vec::new(),
        })
    }));
    // Stable: a stage without workers stays before what as many say.
    found.sort_by_key(|obstacle| std::cmp::Reverse(obstacle.workers));
    found
}

/// What is to be done where no worker takes tasks.
fn no_worker(drained: &[String]) -> String {
    let start = "start some with `gristmill worker`, beside the same servers and store";
    let way_out = match drained {
        [] => return format!("there is no worker: {start}"),
        [one] => format!(
            "`{one}` was drained, and takes tasks again once it is started after `gristmill undrain {one}`"
        ),
        many => {
            let names: Vec<String> = many.iter().take(NAMED).map(|name| format!("`{name}`")).collect();
            let more = match many.len().saturating_sub(NAMED) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            format!(
                "{}{more} were drained, and each takes tasks again once it is started after `gristmill undrain NAME`",
                names.join(", ")
            )
        }
    };
    format!("there is no worker that takes tasks: {way_out}; or {start}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn worker(stages: &[Stage], refused: &[(RunId, &str)], draining: bool) -> Worker {
        let refused = refused.iter().map(|(run, reason)| (*run, (*reason).to_owned()));
        let report = WorkerReport {
            stages: stages.to_vec(),
            refused: refused.collect(),
            ..WorkerReport::default()
        };
        Worker {
            worker: "w".to_owned(),
            report: serde_json::to_vec(&report).unwrap_or_default(),
            since_ms: 1,
            beat_ms: 2,
            silent_ms: 0,
            draining,
        }
    }

    fn open(stages: &[Stage]) -> BTreeMap<Stage, Counts> {
        let counts = Counts {
            planned: 3,
            open: 3,
            ..Counts::default()
        };
        stages.iter().map(|stage| (*stage, counts)).collect()
    }

    fn words(obstacles: &[v1::Obstacle]) -> Vec<(&str, u32, u32)> {
        obstacles
            .iter()
            .map(|o| (o.reason.as_str(), o.workers, o.of))
            .collect()
    }

    #[test]
    fn a_stage_that_no_worker_takes_is_named_while_it_has_tasks() {
        let (run, tasks) = (RunId::of(&[b"run"]), open(&[Stage::Generate, Stage::Judge]));
        let all = Stage::ALL;
        assert_eq!(obstacles(run, &tasks, &[worker(&all, &[], false)], &[]), []);
        let leaves = worker(&all, &[], true);
        let found = obstacles(
            run,
            &tasks,
            &[worker(&[Stage::Generate], &[], false), leaves],
            &[],
        );
        let reason = "no worker takes judge tasks: start one with `gristmill worker --stages judge`";
        assert_eq!(words(&found), [(reason, 1, 1)]);
        let nobody = obstacles(run, &tasks, &[], &[]);
        assert!(
            nobody.len() == 1 && nobody[0].reason.starts_with("there is no worker"),
            "{nobody:?}"
        );
        assert_eq!(obstacles(run, &open(&[]), &[], &[]), [], "nothing waits");
    }

    #[test]
    fn where_all_workers_were_drained_they_are_named_with_the_way_out() {
        let (run, tasks) = (RunId::of(&[b"run"]), open(&[Stage::Generate]));
        let leaves = worker(&Stage::ALL, &[], true);
        let told = |workers: &[Worker], drained: &[&str]| {
            let drained: Vec<String> = drained.iter().map(|name| (*name).to_owned()).collect();
            let found = obstacles(run, &tasks, workers, &drained);
            found.into_iter().map(|o| o.reason).collect::<Vec<_>>().join("\n")
        };
        for one in [told(&[leaves], &["w"]), told(&[], &["w"])] {
            assert!(
                one.contains("`w` was drained") && one.contains("`gristmill undrain w`"),
                "{one}"
            );
        }
        let several = told(&[], &["a", "b", "c", "d"]);
        assert!(
            several.contains("`a`, `b`, `c` and 1 more were drained"),
            "{several}"
        );
        let there = worker(&Stage::ALL, &[], false);
        assert_eq!(told(&[there], &["w"]), "", "another does the tasks");
    }

    #[test]
    fn a_worker_that_is_silent_takes_nothing_and_is_named_for_what_it_had() {
        let (run, tasks) = (RunId::of(&[b"run"]), open(&[Stage::Judge]));
        let report = WorkerReport {
            stages: Stage::ALL.to_vec(),
            in_flight: [(Stage::Judge, 3)].into(),
            ..WorkerReport::default()
        };
        let lost = Worker {
            report: serde_json::to_vec(&report).unwrap(),
            silent_ms: 9_000,
            ..worker(&[], &[], false)
        };
        let reasons: Vec<String> = obstacles(run, &tasks, &[lost], &[])
            .into_iter()
            .map(|o| o.reason)
            .collect();
        assert!(reasons[0].starts_with("there is no worker"), "{reasons:?}");
        assert!(
            reasons[1].starts_with("nothing is heard of worker w"),
            "{reasons:?}"
        );
    }

    #[test]
    fn what_workers_lack_is_said_once_with_how_many_say_so() {
        let (run, other) = (RunId::of(&[b"run"]), RunId::of(&[b"other"]));
        let key = "this worker gives no job the variable `KEY`";
        let workers = [
            worker(&Stage::ALL, &[(run, "no room")], false),
            worker(&Stage::ALL, &[(run, key), (other, "x")], false),
            worker(&Stage::ALL, &[(run, key)], false),
            worker(&Stage::ALL, &[], false),
        ];
        let open = open(&[Stage::Generate]);
        let found = obstacles(run, &open, &workers, &[]);
        assert_eq!(words(&found), [(key, 2, 4), ("no room", 1, 4)]);
        assert_eq!(found[0].names, ["w", "w"], "people know where to look");
        assert_eq!(standstill(run, &open, &workers), None, "the fourth does them");
        assert_eq!(
            standstill(run, &open, &workers[..3]),
            Some(Standstill::PutOff),
            "each for its own reason"
        );
        assert_eq!(standstill(run, &open, &[]), Some(Standstill::NoWorker));
        let elsewhere = [worker(&[Stage::Judge], &[], false)];
        assert_eq!(
            standstill(run, &open, &elsewhere),
            Some(Standstill::StageWithoutWorker)
        );
    }
}
