//! Whether a run that has ended is taken up again, and with which limit.
//!
//! It is when its job brings more of what it ended for: a larger budget, or, where it ended with less than the job wants, another way to reach its
//! models. It stays the same run, with its rows and its books; the limit stays absolute, so what is spent counts against it.

use gristmill_domain::amount::{Limit, MicroUsd};
use gristmill_domain::plan::End;
use gristmill_ports::blob::Blobs;
use gristmill_proto::SegmentKind;

use crate::events::{Events, RunEvent};
use crate::journal::Journal;
use crate::{Error, Start, specs};

/// The larger of both limits, axis by axis. What is not limited stays so.
pub fn larger(current: Limit, wanted: Limit) -> Limit {
    Limit {
        usd: current.usd.map(|usd| usd.max(wanted.usd.unwrap_or(MicroUsd(0)))),
        calls: current.calls.map(|calls| calls.max(wanted.calls.unwrap_or(0))),
    }
}

/// Whether more money could bring a run further that ended for this.
pub fn more_may_help(end: Option<&End>) -> bool {
    match end {
        Some(End::RowsReached(_) | End::TargetsMet | End::SeedsUsedUp) => false,
        Some(End::BudgetSpent | End::NothingGained | End::GainTooSmall { .. }) => true,
        // Written by a version that did not say.
        None => true,
    }
}

/// The limit with which a run that has ended is taken up again by `now`, the job as it is now; `None` where it stays as it is. `before` is
/// what it was last started with.
pub fn resumption(events: &Events, limit: Limit, before: &Start, now: &Start) -> Option<Limit> {
    let ended = events.ended();
    if ended.is_some_and(|ended| ended.end.is_none()) {
        // It was cancelled, for good.
        return None;
    }
    if !more_may_help(ended.and_then(|ended| ended.end.as_ref())) {
        return None;
    }
    let wanted = larger(limit, now.limit);
    let short = ended.is_some_and(|ended| !ended.progress.short.is_empty());
    let corrected = !specs(&before.job).eq(specs(&now.job));
    (wanted != limit || short && corrected).then_some(wanted)
}

/// Writes down that a run is taken up again. Whoever drives it next reopens its books.
///
/// # Errors
/// [`Error::Blob`].
pub async fn reopen(state: &dyn Blobs, events: &mut Events, limit: Limit) -> Result<(), Error> {
    let planned = Journal::new(state).all_segments(SegmentKind::Plans).await?.len();
    let rounds = u32::try_from(planned).unwrap_or(u32::MAX);
    events.append(state, RunEvent::Reopened { limit, rounds }).await
}
