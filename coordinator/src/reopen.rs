//! Whether a run that has ended is taken up again, and with which limit.
//!
//! It is when its job brings more of what it ended for: a larger budget, or, where it ended with less than the job wants, another way to reach its
//! models. It stays the same run, with its rows and its books; the limit stays absolute, so what is spent counts against it.

use gristmill_domain::amount::Limit;
use gristmill_domain::plan::End;
use gristmill_ports::blob::Blobs;
use gristmill_proto::SegmentKind;

use crate::events::{Events, RunEvent};
use crate::journal::Journal;
use crate::{Error, Start, specs};

/// The limit of a run with this one whose job brings another, axis by axis: the larger of both. What was not limited is from now on, where the
/// job says so: money that nobody limited must not be spent beyond what somebody has just named.
pub fn larger(current: Limit, wanted: Limit) -> Limit {
    Limit {
        usd: current.usd.max(wanted.usd),
        calls: current.calls.max(wanted.calls),
    }
}

/// True where a limit allows more than another on some axis that the other limits.
fn allows_more(limit: Limit, than: Limit) -> bool {
    let usd = than.usd.zip(limit.usd).is_some_and(|(than, limit)| limit > than);
    usd || than
        .calls
        .zip(limit.calls)
        .is_some_and(|(than, limit)| limit > than)
}

/// Whether more money could bring a run further that ended for this.
pub fn more_may_help(end: Option<&End>) -> bool {
    match end {
        Some(
            End::RowsReached(_)
            | End::TargetsMet
            | End::SeedsUsedUp
            | End::TeacherNotProven(_)
            | End::QuestionsAsked
            | End::Cancelled,
        ) => false,
        Some(
            End::BudgetSpent
            | End::NothingGained
            | End::OneCause { .. }
            | End::GainTooSmall { .. }
            | End::AccuracyOutOfReach { .. },
        ) => true,
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
    (allows_more(wanted, limit) || short && corrected).then_some(wanted)
}

/// Writes down that a run is taken up again. Whoever drives it next reopens its books.
///
/// # Errors
/// [`Error::NotReopened`] where more is used already than the limit allows, and [`Error::Blob`].
pub async fn reopen(state: &dyn Blobs, events: &mut Events, limit: Limit) -> Result<(), Error> {
    let used = events.account().map(|account| account.total().used());
    if let Some(used) = used.filter(|used| !limit.covers(*used)) {
        let reason = format!("{} are used already", used.in_words());
        return Err(Error::NotReopened { limit, reason });
    }
    let planned = Journal::new(state).all_segments(SegmentKind::Plans).await?.len();
    let rounds = u32::try_from(planned).unwrap_or(u32::MAX);
    events.append(state, RunEvent::Reopened { limit, rounds }).await
}

#[cfg(test)]
mod tests {
    use gristmill_blob::LocalBlobs;
    use gristmill_domain::amount::MicroUsd;
    use gristmill_domain::id::RunId;
    use gristmill_domain::ledger::Account;

    use super::*;
    use crate::{Ended, Progress};

    fn start(calls: u64, url: &str) -> Start {
        serde_json::from_value(serde_json::json!({
            "run": RunId::of(&[b"run"]), "version": "0.1.0", "job_file": "job.yaml", "base": "",
            "job": {"seeds": {"path": "s"}, "teacher": {"base_url": url, "model": "m"}, "budget": {"calls": calls}},
            "limit": {"usd": null, "calls": calls}, "prompts": [], "bad_rows": 0,
        }))
        .unwrap()
    }

    fn calls(calls: u64) -> Limit {
        Limit {
            usd: None,
            calls: Some(calls),
        }
    }

    async fn ended(end: Option<End>, short: &str) -> Events {
        let folder = tempfile::tempdir().unwrap();
        let state = LocalBlobs::new(folder.path());
        let ended = Ended {
            end,
            account: Account::new(start(100, "http://a/v1").account()),
            progress: Progress {
                short: short.to_owned(),
                ..Progress::default()
            },
        };
        Events::record_end(&state, ended).await.unwrap();
        Events::load(&state).await.unwrap()
    }

    #[tokio::test]
    async fn more_budget_or_a_corrected_job_takes_an_ended_run_up_and_nothing_else_does() {
        let (same, dearer) = (start(100, "http://a/v1"), start(150, "http://a/v1"));
        let (cheaper, corrected) = (start(60, "http://a/v1"), start(100, "http://b/v1"));
        let by = |events: &Events, now: &Start| resumption(events, calls(100), &same, now);
        let spent = ended(Some(End::BudgetSpent), "").await;
        assert_eq!(by(&spent, &same), None);
        assert_eq!(by(&spent, &cheaper), None, "a limit is not lowered");
        assert_eq!(by(&spent, &dearer), Some(calls(150)));
        assert_eq!(by(&spent, &corrected), None, "it has what its job wants");
        let nothing = ended(Some(End::NothingGained), "no new row").await;
        assert_eq!(by(&nothing, &same), None);
        assert_eq!(by(&nothing, &corrected), Some(calls(100)));
        for whole in [
            End::RowsReached("10 rows".to_owned()),
            End::TargetsMet,
            End::SeedsUsedUp,
        ] {
            assert_eq!(by(&ended(Some(whole), "").await, &dearer), None);
        }
        assert_eq!(by(&ended(None, "").await, &dearer), None, "cancelled for good");
        assert_eq!(
            by(&Events::default(), &dearer),
            Some(calls(150)),
            "of a version that did not say why"
        );
    }

    #[tokio::test]
    async fn money_that_is_limited_for_the_first_time_is_limited_and_is_no_reason_to_go_on() {
        let with_usd = |calls| Start {
            limit: Limit {
                usd: Some(MicroUsd(4_000)),
                calls: Some(calls),
            },
            ..start(calls, "http://a/v1")
        };
        let spent = ended(Some(End::BudgetSpent), "").await;
        let by = |now: &Start| resumption(&spent, calls(100), &start(100, "http://a/v1"), now);
        assert_eq!(by(&with_usd(100)), None);
        assert_eq!(by(&with_usd(150)), Some(with_usd(150).limit));
    }

    #[test]
    fn a_limit_is_never_lowered_and_what_the_job_limits_is_limited() {
        let both = Limit {
            usd: Some(MicroUsd(5)),
            calls: Some(10),
        };
        assert_eq!(larger(calls(10), both), both);
        assert_eq!(
            larger(both, calls(20)),
            Limit {
                calls: Some(20),
                ..both
            }
        );
        assert_eq!(larger(both, calls(3)), both);
    }
}
