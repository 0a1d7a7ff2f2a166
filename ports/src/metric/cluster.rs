//! Metrics of the whole cluster, the same at each coordinator.
//!
//! Each coordinator looks for itself, so that none of them is missed when it ends. Whoever reads them takes one coordinator's word, as
//! with `max without (instance)`; a sum over coordinators means nothing. What a coordinator cannot see, it leaves out.

use super::{Metric, Role, gauge};

/// Messages that wait in a queue.
pub const QUEUE_READY: &str = "gristmill_cluster_queue_ready";
/// Workers that listen to a queue.
pub const QUEUE_CONSUMERS: &str = "gristmill_cluster_queue_consumers";
/// Runs that have not ended, by state.
pub const RUNS: &str = "gristmill_cluster_runs";
/// Runs that have not ended and do not move, by cause.
pub const STUCK_RUNS: &str = "gristmill_cluster_stuck_runs";
/// Workers by state.
pub const WORKERS: &str = "gristmill_cluster_workers";
/// Bytes that the store's file system has left.
pub const STORE_AVAILABLE: &str = "gristmill_cluster_store_available_bytes";
/// Size of the store's file system.
pub const STORE_SIZE: &str = "gristmill_cluster_store_size_bytes";

pub(super) const METRICS: &[Metric] = &[
    gauge(
        QUEUE_READY,
        "Messages that wait in the queue (a stage, or dead for the dead letters).",
        &["stage"],
    )
    .of(Role::Coordinator),
    gauge(
        QUEUE_CONSUMERS,
        "Consumers of the queue (a stage, or dead for the dead letters).",
        &["stage"],
    )
    .of(Role::Coordinator),
    gauge(
        RUNS,
        "Runs that have not ended, by state (waiting, running, paused, frozen).",
        &["state"],
    )
    .of(Role::Coordinator),
    gauge(
        STUCK_RUNS,
        "Runs that have not ended and do not move, by cause.",
        &["cause"],
    )
    .of(Role::Coordinator),
    gauge(
        WORKERS,
        "Workers that the register knows, by state (working, draining, silent).",
        &["state"],
    )
    .of(Role::Coordinator),
    gauge(
        STORE_AVAILABLE,
        "Bytes that the file system of the store has left for this process; missing for object storage.",
        &[],
    )
    .of(Role::Coordinator),
    gauge(
        STORE_SIZE,
        "Size of the file system of the store in bytes; missing for object storage.",
        &[],
    )
    .of(Role::Coordinator),
];
