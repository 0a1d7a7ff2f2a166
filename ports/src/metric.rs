//! The metrics of the product, by name: what is counted, in which unit, under which labels.
//!
//! Crates count through the `metrics` facade under these names; what is not listed here is not exported. Labels are a stage, a model, an
//! outcome or another word of a short list: an id, a question or a key is never one, so the number of series stays bounded.

/// How a metric moves.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// It only grows.
    Counter,
    /// It goes up and down.
    Gauge,
    /// Observations, counted up to each of these bounds.
    Histogram(&'static [f64]),
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
/// Messages that wait in a queue.
pub const QUEUE_READY: &str = "gristmill_queue_ready";
/// Workers that listen to a queue.
pub const QUEUE_CONSUMERS: &str = "gristmill_queue_consumers";
/// Time in the queue.
pub const QUEUE_WAIT_SECONDS: &str = "gristmill_queue_wait_seconds";
/// Tasks opened and not yet absorbed.
pub const OPEN_TASKS: &str = "gristmill_open_tasks";
/// Tasks absorbed.
pub const ABSORBED: &str = "gristmill_absorbed_total";
/// Leases that ran out.
pub const LEASE_EXPIRIES: &str = "gristmill_lease_expiries_total";
/// Money by state, over the runs that this coordinator owns: limit, started, spent or burned.
pub const BUDGET_MICRO_USD: &str = "gristmill_budget_micro_usd";
/// Calls by state, as for money.
pub const BUDGET_CALLS: &str = "gristmill_budget_calls";
/// Rows decided: `verdict` is accepted or rejected, `reason` the word of the rule.
pub const ROWS: &str = "gristmill_rows_total";
/// Messages in the dead-letter queue, by the stage they came from.
pub const DEAD_LETTERS: &str = "gristmill_dead_letters_total";
/// Runs by state.
pub const RUNS: &str = "gristmill_runs";
/// Runs that were found in the store when the register knew nothing of them: Redis was lost.
pub const ADOPTED: &str = "gristmill_adopted_runs_total";

const CALL_BOUNDS: &[f64] = &[
    0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 320.0,
];
const WAIT_BOUNDS: &[f64] = &[0.001, 0.01, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0];

/// Every metric.
pub const ALL: &[Metric] = &[
    counter(
        ATTEMPTS,
        "Attempts that ended, by outcome (settled, void, burned).",
        &["stage", "model", "outcome"],
    ),
    histogram(
        ATTEMPT_SECONDS,
        CALL_BOUNDS,
        "Time from an attempt's begin to its settlement in seconds.",
        &["stage", "model"],
    ),
    counter(
        THROTTLED,
        "Requests that a provider refused as too many or for overload.",
        &["model"],
    ),
    histogram(
        LIMITER_WAIT_SECONDS,
        WAIT_BOUNDS,
        "Time that an attempt waited for its permit in seconds.",
        &["model"],
    ),
    gauge(IN_FLIGHT, "Attempts under way in this process.", &["stage"]),
    gauge(
        SLOTS,
        "Attempts that this process may have open at once.",
        &["stage"],
    ),
    gauge(
        BREAKER_OPEN,
        "1 while the circuit breaker keeps calls to the model back.",
        &["model"],
    ),
    counter(
        TOKENS,
        "Tokens as providers billed them, by direction (input, output).",
        &["model", "direction"],
    ),
    counter(
        BATCHES,
        "Batches at providers, by outcome (handed_in, refused, unknown, lost, ended).",
        &["model", "outcome"],
    ),
    gauge(
        BATCH_TASKS,
        "Tasks in batches at providers that this worker looks after.",
        &["model"],
    ),
    gauge(QUEUE_READY, "Messages that wait in the queue.", &["stage"]),
    gauge(QUEUE_CONSUMERS, "Workers that listen to the queue.", &["stage"]),
    histogram(
        QUEUE_WAIT_SECONDS,
        WAIT_BOUNDS,
        "Time from a message's publishing to its delivery in seconds: queues are first in, first out, so the age of the oldest.",
        &["stage"],
    ),
    gauge(OPEN_TASKS, "Tasks opened and not yet absorbed.", &[]),
    counter(ABSORBED, "Tasks whose result was absorbed.", &[]),
    counter(
        LEASE_EXPIRIES,
        "Leases that ran out, so that their attempts burned.",
        &[],
    ),
    gauge(
        BUDGET_MICRO_USD,
        "Money of the runs owned here in micro-dollars, by state (held, spent, burned).",
        &["state"],
    ),
    gauge(
        BUDGET_CALLS,
        "Calls of the runs owned here, by state (held, spent, burned).",
        &["state"],
    ),
    counter(
        ROWS,
        "Rows decided, by verdict (accepted, rejected) and reason.",
        &["verdict", "reason"],
    ),
    counter(
        DEAD_LETTERS,
        "Messages that went to the dead letters, by the stage they came from.",
        &["stage"],
    ),
    gauge(RUNS, "Runs, by state.", &["state"]),
    counter(
        ADOPTED,
        "Runs found in the store when the register knew nothing of them: Redis was lost.",
        &[],
    ),
];

const fn counter(name: &'static str, help: &'static str, labels: &'static [&'static str]) -> Metric {
    Metric {
        name,
        kind: Kind::Counter,
        help,
        labels,
    }
}

const fn gauge(name: &'static str, help: &'static str, labels: &'static [&'static str]) -> Metric {
    Metric {
        name,
        kind: Kind::Gauge,
        help,
        labels,
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
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_label_is_an_id_and_names_say_the_kind() {
        let words = [
            "stage",
            "model",
            "outcome",
            "direction",
            "state",
            "verdict",
            "reason",
        ];
        let mut names = std::collections::BTreeSet::new();
        for metric in ALL {
            assert!(names.insert(metric.name), "{} stands twice", metric.name);
            assert!(
                metric.labels.iter().all(|label| words.contains(label)),
                "{metric:?}"
            );
            assert_eq!(
                metric.name.ends_with("_total"),
                metric.kind == Kind::Counter,
                "{}",
                metric.name
            );
            assert!(
                metric.help.ends_with('.') && metric.name.starts_with("gristmill_"),
                "{metric:?}"
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
