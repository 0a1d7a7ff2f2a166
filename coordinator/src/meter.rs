//! What a coordinator counts. The names are those of [`gristmill_ports::metric`]; a label is a stage or a word of a short list.

use gristmill_domain::row::Row;
use gristmill_domain::stage::Stage;
use gristmill_ports::metric;
use metrics::counter;

/// Results that were stored, so that the ledger could forget them.
pub(crate) fn absorbed(tasks: usize) {
    counter!(metric::ABSORBED).increment(tasks as u64);
}

/// A row's verdict.
pub(crate) fn decided(row: &Row) {
    let (verdict, reason) = match &row.rejection {
        None => ("accepted", "none"),
        Some(rejection) => ("rejected", rejection.reason.as_str()),
    };
    counter!(metric::ROWS, "verdict" => verdict, "reason" => reason).increment(1);
}

/// Leases that ran out.
pub(crate) fn expired(attempts: u64) {
    counter!(metric::LEASE_EXPIRIES).increment(attempts);
}

/// A run of which only the store knew.
pub(crate) fn adopted() {
    counter!(metric::ADOPTED).increment(1);
}

/// A message that nobody could work on.
pub(crate) fn dead_letter(stage: Stage) {
    counter!(metric::DEAD_LETTERS, "stage" => stage.name()).increment(1);
}
