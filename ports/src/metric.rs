//! The metrics of the product, by name: what is counted, in which unit, under which labels.
//!
//! Crates count through the `metrics` facade under these names; what is not listed here is not exported. Labels are a stage, a model, an
//! outcome or another word of a short list: a question or a key is never one, and an id only that of a run whose series go away
//! after it has ended ([`run`]), so the number of series stays bounded.
//!
//! A process exports what it owns, so that the sum over all processes is the truth. What every coordinator sees alike, such as the
//! depth of a queue, is in [`cluster`]; its names say so, and its sum over processes means nothing.
//!
//! `docs/metrics.md` lists all of them for operators.

pub mod cluster;
pub mod process;
pub mod run;

/// How a metric moves.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// It only grows.
    Counter,
    /// It only grows, is counted in millionths of its unit, and is shown in its unit: counters of the `metrics` facade are integers.
    MicroCounter,
    /// It goes up and down.
    Gauge,
    /// Observations, counted up to each of these bounds.
    Histogram(&'static [f64]),
}

impl Kind {
    /// The type as Prometheus names it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Counter | Self::MicroCounter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram(_) => "histogram",
        }
    }
}

/// Which processes export a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Coordinators.
    Coordinator,
    /// Workers.
    Worker,
    /// Both.
    Any,
}

impl Role {
    /// True when a process of this role exports a metric of that one.
    pub fn exports(self, metric: Self) -> bool {
        metric == Self::Any || metric == self
    }
}

/// One metric.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// How it moves.
    pub kind: Kind,
    /// What it says, in a sentence that names the unit.
    pub help: &'static str,
    /// Names of its labels, all of which are always given.
    pub labels: &'static [&'static str],
    /// Who exports it.
    pub role: Role,
}

impl Metric {
    const fn of(self, role: Role) -> Self {
        Self { role, ..self }
    }
}

/// One value, as it is when somebody looks.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// Name of the metric.
    pub name: &'static str,
    /// Values of its labels, in the order of [`Metric::labels`].
    pub labels: Vec<String>,
    /// The value, in the metric's unit.
    pub value: f64,
}

/// Gives values at the moment at which somebody looks. What it leaves out is not shown: so a series ends, or waits while its value is not known.
pub trait Source: Send + Sync {
    /// All values that are known now.
    fn samples(&self) -> Vec<Sample>;
}

/// Attempts that ended: `outcome` is settled, void or burned.
pub const ATTEMPTS: &str = "gristmill_attempts_total";
/// Seconds from an attempt's begin to its settlement, of single calls.
pub const ATTEMPT_SECONDS: &str = "gristmill_attempt_seconds";
/// Requests that a provider refused as too many or for overload.
pub const THROTTLED: &str = "gristmill_throttled_total";
/// Seconds that an attempt waited for its permit.
pub const LIMITER_WAIT_SECONDS: &str = "gristmill_limiter_wait_seconds";
/// Attempts under way in this process.
pub const IN_FLIGHT: &str = "gristmill_in_flight";
/// Slots of this process.
pub const SLOTS: &str = "gristmill_slots";
/// 1 while a model's circuit breaker keeps calls back.
pub const BREAKER_OPEN: &str = "gristmill_breaker_open";
/// Tokens as providers billed them: `direction` is input or output.
pub const TOKENS: &str = "gristmill_tokens_total";
/// Batches handed in at providers: `outcome` is handed_in, refused, unknown, lost or ended.
pub const BATCHES: &str = "gristmill_batches_total";
/// Tasks in batches that this worker looks after.
pub const BATCH_TASKS: &str = "gristmill_batch_tasks";
/// Requests to endpoints that failed: `code` is the HTTP status, or why there is none.
pub const CALL_ERRORS: &str = "gristmill_call_errors_total";
/// When the register last took a worker's beat.
pub const HEARTBEAT: &str = "gristmill_worker_heartbeat_timestamp_seconds";
/// Operations of the store that failed: `kind` is full, read_only, denied, missing, unreachable or other.
pub const STORE_ERRORS: &str = "gristmill_store_errors_total";
/// Calls of Redis that failed: `kind` is full, unreachable, starting, replica, disk, denied or other.
pub const REDIS_ERRORS: &str = "gristmill_redis_errors_total";
/// 1 while what the program needs cannot be used: `dependency` is store, redis or rabbitmq.
pub const UNHEALTHY: &str = "gristmill_unhealthy";
/// Time in the queue.
pub const QUEUE_WAIT_SECONDS: &str = "gristmill_queue_wait_seconds";
/// Tasks absorbed.
pub const ABSORBED: &str = "gristmill_absorbed_total";
/// Leases that ran out.
pub const LEASE_EXPIRIES: &str = "gristmill_lease_expiries_total";
/// Money of results, counted when they are stored: `booked` is spent or burned.
pub const SPEND_USD: &str = "gristmill_spend_usd_total";
/// Calls of results, as for money.
pub const SPEND_CALLS: &str = "gristmill_spend_calls_total";
/// Rows decided: `verdict` is accepted, rejected or unasked, `reason` the word of the rule.
pub const ROWS: &str = "gristmill_rows_total";
/// Messages that went to the dead letters, by the stage they came from.
pub const DEAD_LETTERS: &str = "gristmill_dead_letters_total";
/// Runs taken up: `how` is new, or again after another coordinator or an interruption.
pub const TAKEN_UP: &str = "gristmill_runs_taken_up_total";
/// Runs that were let go before their end, by cause.
pub const INTERRUPTIONS: &str = "gristmill_run_interruptions_total";
/// Runs that ended, by state.
pub const ENDED: &str = "gristmill_runs_ended_total";
/// Runs that were found in the store when the register knew nothing of them: Redis was lost.
pub const ADOPTED: &str = "gristmill_adopted_runs_total";

const CALL_BOUNDS: &[f64] = &[
    0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 320.0,
];
const WAIT_BOUNDS: &[f64] = &[
    0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1_800.0,
];

/// Every metric.
pub fn all() -> impl Iterator<Item = &'static Metric> {
    [COUNTED, run::METRICS, cluster::METRICS, process::METRICS]
        .into_iter()
        .flatten()
}

/// What processes count as it happens.
const COUNTED: &[Metric] = &[
    counter(
        ATTEMPTS,
        "Attempts that ended, by outcome (settled, void, burned).",
        &["stage", "model", "outcome"],
    )
    .of(Role::Worker),
    histogram(
        ATTEMPT_SECONDS,
        CALL_BOUNDS,
        "Time from an attempt's begin to its settlement in seconds.",
        &["stage", "model"],
    )
    .of(Role::Worker),
    counter(
        CALL_ERRORS,
        "Requests to endpoints that failed, by HTTP status (429, 500 and so on), or connection, broken, timeout or unreadable.",
        &["model", "code"],
    )
    .of(Role::Worker),
    counter(
        THROTTLED,
        "Requests that a provider refused as too many or for overload.",
        &["model"],
    )
    .of(Role::Worker),
    histogram(
        LIMITER_WAIT_SECONDS,
        WAIT_BOUNDS,
        "Time that an attempt waited for its permit in seconds.",
        &["model"],
    )
    .of(Role::Worker),
    gauge(IN_FLIGHT, "Attempts under way in this process.", &["stage"]).of(Role::Worker),
    gauge(
        SLOTS,
        "Attempts that this process may have open at once.",
        &["stage"],
    )
    .of(Role::Worker),
    gauge(
        BREAKER_OPEN,
        "1 while the circuit breaker keeps calls to the model back.",
        &["model"],
    )
    .of(Role::Worker),
    counter(
        TOKENS,
        "Tokens as providers billed them, by direction (input, output).",
        &["model", "direction"],
    )
    .of(Role::Worker),
    counter(
        BATCHES,
        "Batches at providers, by outcome (handed_in, refused, unknown, lost, ended).",
        &["model", "outcome"],
    )
    .of(Role::Worker),
    gauge(
        BATCH_TASKS,
        "Tasks in batches at providers that this worker looks after.",
        &["model"],
    )
    .of(Role::Worker),
    gauge(
        HEARTBEAT,
        "Unix time at which the register last took this worker's heartbeat in seconds.",
        &[],
    )
    .of(Role::Worker),
    counter(
        STORE_ERRORS,
        "Operations of the store that failed, by kind (full, read_only, denied, missing, unreachable, other).",
        &["kind"],
    ),
    counter(
        REDIS_ERRORS,
        "Calls of Redis that failed, by kind (full, unreachable, starting, replica, disk, denied, other).",
        &["kind"],
    ),
    gauge(
        UNHEALTHY,
        "1 while what the program needs cannot be used, by dependency (store, redis, rabbitmq).",
        &["dependency"],
    ),
    histogram(
        QUEUE_WAIT_SECONDS,
        WAIT_BOUNDS,
        "Time from a message's publishing to its delivery in seconds, to the millisecond.",
        &["stage"],
    )
    .of(Role::Worker),
    counter(ABSORBED, "Tasks whose result was absorbed.", &[]).of(Role::Coordinator),
    counter(
        LEASE_EXPIRIES,
        "Leases that ran out, so that their attempts burned.",
        &[],
    )
    .of(Role::Coordinator),
    Metric {
        kind: Kind::MicroCounter,
        ..counter(
            SPEND_USD,
            "Money of results that this coordinator stored in US dollars, by how it was booked (spent, burned).",
            &["stage", "model", "booked"],
        )
        .of(Role::Coordinator)
    },
    counter(
        SPEND_CALLS,
        "Calls of results that this coordinator stored, by how they were booked (spent, burned).",
        &["stage", "model", "booked"],
    )
    .of(Role::Coordinator),
    counter(
        ROWS,
        "Rows decided, by verdict (accepted, rejected, unasked) and reason.",
        &["verdict", "reason"],
    )
    .of(Role::Coordinator),
    counter(
        DEAD_LETTERS,
        "Messages that went to the dead letters, by the stage they came from.",
        &["stage"],
    )
    .of(Role::Coordinator),
    counter(
        TAKEN_UP,
        "Runs that this coordinator took up, by whether they were driven before (new, again).",
        &["how"],
    )
    .of(Role::Coordinator),
    counter(
        INTERRUPTIONS,
        "Runs that this coordinator let go before their end, by cause.",
        &["cause"],
    )
    .of(Role::Coordinator),
    counter(
        ENDED,
        "Runs that this coordinator ended, by state (completed, budget, no_gain, accuracy, cancelled, failed).",
        &["state"],
    )
    .of(Role::Coordinator),
    counter(
        ADOPTED,
        "Runs found in the store when the register knew nothing of them: Redis was lost.",
        &[],
    )
    .of(Role::Coordinator),
];

const fn counter(name: &'static str, help: &'static str, labels: &'static [&'static str]) -> Metric {
    Metric {
        name,
        kind: Kind::Counter,
        help,
        labels,
        role: Role::Any,
    }
}

const fn gauge(name: &'static str, help: &'static str, labels: &'static [&'static str]) -> Metric {
    Metric {
        name,
        kind: Kind::Gauge,
        help,
        labels,
        role: Role::Any,
    }
}

const fn histogram(
    name: &'static str,
    bounds: &'static [f64],
    help: &'static str,
    labels: &'static [&'static str],
) -> Metric {
    Metric {
        name,
        kind: Kind::Histogram(bounds),
        help,
        labels,
        role: Role::Any,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_label_is_an_id_and_names_say_the_kind() {
        let words = [
            "dependency",
            "kind",
            "stage",
            "model",
            "outcome",
            "direction",
            "state",
            "verdict",
            "reason",
            "booked",
            "cause",
            "code",
            "how",
            "version",
        ];
        let mut names = std::collections::BTreeSet::new();
        for metric in all() {
            assert!(names.insert(metric.name), "{} stands twice", metric.name);
            let of_a_run = metric.name.starts_with("gristmill_run_") && metric.kind == Kind::Gauge;
            assert_eq!(metric.labels.contains(&"run"), of_a_run, "{metric:?}");
            assert!(
                metric
                    .labels
                    .iter()
                    .all(|label| words.contains(label) || *label == "run"),
                "{metric:?}"
            );
            assert_eq!(
                metric.name.ends_with("_total"),
                metric.kind.word() == "counter",
                "{}",
                metric.name
            );
            assert!(
                metric.help.ends_with('.') && metric.name.starts_with("gristmill_")
                    || metric.name.starts_with("process_"),
                "{metric:?}"
            );
            assert!(
                !metric.name.contains("micro") && !metric.name.contains("_ms"),
                "base units: {metric:?}"
            );
            if let Kind::Histogram(bounds) = metric.kind {
                assert!(
                    bounds.is_sorted() && metric.name.ends_with("_seconds"),
                    "{metric:?}"
                );
            }
        }
    }
}
