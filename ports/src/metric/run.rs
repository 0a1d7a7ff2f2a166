//! Metrics of single runs, each exported by the coordinator that drives the run.
//!
//! The label `run` is its id. Its series are shown by one coordinator at a time, and go away some time after the run has ended.

use super::{Metric, Role, gauge};

/// Runs whose lease this coordinator holds.
pub const DRIVEN: &str = "gristmill_runs_driven";
/// The run's limit on money.
pub const LIMIT_USD: &str = "gristmill_run_limit_usd";
/// The run's limit on calls.
pub const LIMIT_CALLS: &str = "gristmill_run_limit_calls";
/// The limit of one of its stages on money.
pub const STAGE_LIMIT_USD: &str = "gristmill_run_stage_limit_usd";
/// The limit of one of its stages on calls.
pub const STAGE_LIMIT_CALLS: &str = "gristmill_run_stage_limit_calls";
/// Money that counts against the limit: `state` is held, spent or burned.
pub const USED_USD: &str = "gristmill_run_used_usd";
/// Calls that count against the limit, as for money.
pub const USED_CALLS: &str = "gristmill_run_used_calls";
/// Tasks without an outcome.
pub const OPEN_TASKS: &str = "gristmill_run_open_tasks";
/// Tasks with an outcome that the coordinator has not stored yet.
pub const UNABSORBED: &str = "gristmill_run_unabsorbed_results";
/// When the oldest open task of a stage was opened.
pub const OLDEST_TASK: &str = "gristmill_run_oldest_task_timestamp_seconds";
/// When the run last had a result.
pub const LAST_RESULT: &str = "gristmill_run_last_result_timestamp_seconds";
/// Alerts of the run's account.
pub const ALERTS: &str = "gristmill_run_alerts";

pub(super) const METRICS: &[Metric] = &[
    gauge(DRIVEN, "Runs whose lease this coordinator holds.", &[]).of(Role::Coordinator),
    gauge(
        LIMIT_USD,
        "Limit of the run in US dollars; missing where there is none.",
        &["run"],
    )
    .of(Role::Coordinator),
    gauge(
        LIMIT_CALLS,
        "Limit of the run in calls; missing where there is none.",
        &["run"],
    )
    .of(Role::Coordinator),
    gauge(
        STAGE_LIMIT_USD,
        "Limit of a stage of the run in US dollars; missing where there is none.",
        &["run", "stage"],
    )
    .of(Role::Coordinator),
    gauge(
        STAGE_LIMIT_CALLS,
        "Limit of a stage of the run in calls; missing where there is none.",
        &["run", "stage"],
    )
    .of(Role::Coordinator),
    gauge(
        USED_USD,
        "Money that counts against the run's limit in US dollars, by state (held, spent, burned).",
        &["run", "stage", "model", "state"],
    )
    .of(Role::Coordinator),
    gauge(
        USED_CALLS,
        "Calls that count against the run's limit, by state (held, spent, burned).",
        &["run", "stage", "model", "state"],
    )
    .of(Role::Coordinator),
    gauge(OPEN_TASKS, "Tasks of the run without an outcome.", &["run", "stage"]).of(Role::Coordinator),
    gauge(
        UNABSORBED,
        "Tasks of the run with an outcome that is not absorbed yet.",
        &["run"],
    )
    .of(Role::Coordinator),
    gauge(
        OLDEST_TASK,
        "Unix time at which this coordinator opened the oldest open task of the run in seconds; missing where none is open.",
        &["run", "stage"],
    )
    .of(Role::Coordinator),
    gauge(
        LAST_RESULT,
        "Unix time at which this coordinator last took a result of the run in seconds, or took the run up.",
        &["run"],
    )
    .of(Role::Coordinator),
    gauge(ALERTS, "Alerts of the run that a person should look at.", &["run"]).of(Role::Coordinator),
];
