//! Whether a stored dataset, or the result of an evaluation, is of the end that its run came to last.
//!
//! A run that is taken up again keeps what it had made until it ends once more, also where that end is a cancel, which makes a dataset only if a
//! person asks for it.

use gristmill_domain::amount::Limit;
use serde_json::Value;

use crate::events::Events;

/// True where a manifest, or the head of an evaluation's result, was written for the run's last end; false for one from before the run was
/// last taken up again.
pub fn is_of_last_end(made: &Value, events: &Events) -> bool {
    let reopened = events.reopenings().count();
    if reopened == 0 {
        return true;
    }
    let Some(ended) = events.ended() else {
        return false;
    };
    // The result of an evaluation does not list how often the run was taken up.
    let resumed = made.get("resumed").and_then(Value::as_array);
    if made.get("rows").is_some() && resumed.map_or(0, Vec::len) < reopened {
        return false;
    }
    // Those that were taken up again while their dataset was being written are listed there too: the rest tells which end it is of.
    let limit = made
        .get("limit")
        .and_then(|limit| serde_json::from_value::<Limit>(limit.clone()).ok());
    let end = made.get("end").and_then(Value::as_str);
    limit == Some(ended.account.limit) && end == Some(ended.last_seen().end.as_str())
}

#[cfg(test)]
mod tests {
    use gristmill_blob::LocalBlobs;
    use gristmill_domain::id::RunId;
    use gristmill_domain::ledger::Account;
    use gristmill_domain::plan::End;
    use gristmill_ports::ledger::NewAccount;
    use serde_json::json;

    use super::*;
    use crate::{Ended, Progress, RunEvent};

    fn calls(calls: u64) -> Limit {
        Limit {
            usd: None,
            calls: Some(calls),
        }
    }

    fn ended(limit: u64, end: Option<End>) -> RunEvent {
        let account = Account::new(NewAccount {
            run: RunId::of(&[b"run"]),
            limit: calls(limit),
            price_hash: "p".to_owned(),
            lease_ms: 1,
            republish_ms: 1,
        });
        RunEvent::Ended(Box::new(Ended {
            end,
            account,
            progress: Progress::default(),
        }))
    }

    /// A manifest of a run that was taken up again so often.
    fn manifest(limit: u64, end: &str, resumed: usize) -> Value {
        let resumed = vec![json!({"rounds": 1, "limit": calls(limit)}); resumed];
        json!({"rows": {"train_synthetic": 1}, "limit": calls(limit), "end": end, "resumed": resumed})
    }

    #[tokio::test]
    async fn a_dataset_is_of_the_end_that_it_was_written_for() {
        let folder = tempfile::tempdir().unwrap();
        let state = LocalBlobs::new(folder.path());
        let mut events = Events::default();
        events
            .append(&state, ended(5, Some(End::BudgetSpent)))
            .await
            .unwrap();
        let spent = End::BudgetSpent.to_string();
        let first = manifest(5, &spent, 0);
        assert!(is_of_last_end(&first, &events));
        assert!(
            is_of_last_end(&manifest(5, "in the words of an older version", 0), &events),
            "it has ended once"
        );
        let reopened = RunEvent::Reopened {
            limit: calls(9),
            rounds: 1,
        };
        events.append(&state, reopened).await.unwrap();
        assert!(!is_of_last_end(&first, &events), "it goes on");
        events.append(&state, ended(9, None)).await.unwrap();
        // What was being written while it was taken up again knows of that, and holds the rows of before.
        for earlier in [&first, &manifest(5, &spent, 1), &manifest(9, &spent, 1)] {
            assert!(!is_of_last_end(earlier, &events), "{earlier}");
        }
        let cancelled = End::Cancelled.to_string();
        assert!(is_of_last_end(&manifest(9, &cancelled, 1), &events));
        let result = |limit, end: &str| json!({"limit": calls(limit), "end": end, "models": []});
        assert!(is_of_last_end(&result(9, &cancelled), &events));
        assert!(!is_of_last_end(&result(5, &spent), &events));
    }
}
