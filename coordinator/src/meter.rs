//! What a coordinator counts. The names are those of [`gristmill_ports::metric`]; a label is a stage, a model's name or a word of a short
//! list.
//!
//! Whatever is counted of a run is counted by one coordinator, once: rows and money when their segment is stored, which only one can do.

use std::collections::BTreeMap;

use gristmill_domain::amount::Amount;
use gristmill_domain::ledger::{Account, Books, Settled, Subtotal};
use gristmill_domain::plan::End;
use gristmill_domain::row::Row;
use gristmill_domain::stage::Stage;
use gristmill_ports::metric;
use metrics::counter;

/// Causes for which a run is let go before its end.
const CAUSES: [&str; 13] = [
    LEASE_LOST,
    PANIC,
    "ledger_restarted",
    "reopened",
    "paused",
    "frozen",
    "ledger",
    "queue",
    "store",
    "scratch",
    "register",
    "assembly",
    "calls_in_flight",
];
/// Another coordinator has the run.
pub(crate) const LEASE_LOST: &str = "lease_lost";
/// The driver panicked.
pub(crate) const PANIC: &str = "panic";
/// States in which a run ends.
const STATES: [&str; 6] = ["completed", "budget", "no_gain", "accuracy", CANCELLED, FAILED];
/// A person ended the run.
pub(crate) const CANCELLED: &str = "cancelled";
/// A person must act.
pub(crate) const FAILED: &str = "failed";

/// Shows the counters whose labels are known beforehand, so that their first rise is seen.
pub(crate) fn start() {
    for stage in Stage::ALL {
        counter!(metric::DEAD_LETTERS, "stage" => stage.name()).increment(0);
    }
    for how in ["new", "again"] {
        counter!(metric::TAKEN_UP, "how" => how).increment(0);
    }
    for cause in CAUSES {
        counter!(metric::INTERRUPTIONS, "cause" => cause).increment(0);
    }
    for state in STATES {
        counter!(metric::ENDED, "state" => state).increment(0);
    }
    for verdict in ["accepted", "unasked"] {
        counter!(metric::ROWS, "verdict" => verdict, "reason" => "none").increment(0);
    }
}

/// Results that were stored, so that the ledger could forget them.
pub(crate) fn absorbed(tasks: usize) {
    counter!(metric::ABSORBED).increment(tasks as u64);
}

/// A row's verdict.
pub(crate) fn decided(row: &Row) {
    let (verdict, reason) = match &row.rejection {
        None => ("accepted", "none"),
        // Nobody was asked for it, and so nothing was rejected.
        Some(_) if row.unasked() => ("unasked", "none"),
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

/// A run was taken up, which had been driven before or not.
pub(crate) fn taken_up(again: bool) {
    let how = if again { "again" } else { "new" };
    counter!(metric::TAKEN_UP, "how" => how).increment(1);
}

/// A run was let go before its end.
pub(crate) fn interrupted(cause: &'static str) {
    counter!(metric::INTERRUPTIONS, "cause" => cause).increment(1);
}

/// A run has ended.
pub(crate) fn ended(state: &'static str) {
    counter!(metric::ENDED, "state" => state).increment(1);
}

/// The state in which a run has ended whose rounds came to this end.
pub(crate) fn state_of(end: &End) -> &'static str {
    match end {
        End::RowsReached(_) | End::SeedsUsedUp | End::TargetsMet | End::QuestionsAsked => "completed",
        End::BudgetSpent => "budget",
        End::NothingGained | End::OneCause { .. } | End::GainTooSmall { .. } => "no_gain",
        End::AccuracyOutOfReach { .. } | End::TeacherNotProven(_) => "accuracy",
        End::Cancelled => CANCELLED,
    }
}

/// What results came to, by stage and model, until it is counted: once they are stored.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Spending(BTreeMap<(Stage, String), Books>);

impl Spending {
    /// What a closed account holds besides the results that were absorbed: calls of a cancelled run whose results nobody took.
    pub(crate) fn unabsorbed(account: &Account) -> Self {
        let mut spending = Self::default();
        for (stage, models) in &account.books {
            for (model, books) in models {
                let endings = account.archived.get(stage).and_then(|models| models.get(model));
                let archived = |of: fn(&Subtotal) -> Amount| -> Amount {
                    endings.into_iter().flat_map(BTreeMap::values).map(of).sum()
                };
                let left = |all: Amount, archived: Amount| all.checked_sub(archived).unwrap_or_default();
                let line = Books {
                    started: Amount::ZERO,
                    spent: left(books.spent, archived(|sum| sum.spent)),
                    burned: left(books.burned, archived(|sum| sum.burned)),
                };
                spending.0.insert((*stage, model.clone()), line);
            }
        }
        spending
    }

    /// Adds what a result came to.
    pub(crate) fn add(&mut self, settled: &Settled) {
        let line = self.0.entry((settled.stage, settled.model.clone())).or_default();
        for attempt in &settled.attempts {
            line.spent += attempt.spent();
            line.burned += attempt.burned();
        }
    }

    /// Counts it.
    pub(crate) fn count(self) {
        for ((stage, model), books) in self.0 {
            for (booked, amount) in [("spent", books.spent), ("burned", books.burned)] {
                let labels = [
                    ("stage", stage.name().to_owned()),
                    ("model", model.clone()),
                    ("booked", booked.to_owned()),
                ];
                counter!(metric::SPEND_USD, &labels).increment(amount.usd.0);
                counter!(metric::SPEND_CALLS, &labels).increment(amount.calls);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use gristmill_domain::amount::{Limit, MicroUsd};
    use gristmill_domain::id::RunId;
    use gristmill_domain::ledger::{Ending, NewAccount};

    use super::*;

    fn amount(usd: u64, calls: u64) -> Amount {
        Amount {
            usd: MicroUsd(usd),
            calls,
            ..Amount::ZERO
        }
    }

    #[test]
    fn what_a_cancelled_run_left_is_what_was_not_absorbed() {
        let mut account = Account::new(NewAccount {
            run: RunId::of(&[b"run"]),
            limit: Limit::default(),
            price_hash: String::new(),
            lease_ms: 1,
            republish_ms: 1,
        });
        let books = Books {
            started: Amount::ZERO,
            spent: amount(90, 9),
            burned: amount(30, 3),
        };
        let of_models = |books| BTreeMap::from([("m".to_owned(), books)]);
        account.books.insert(Stage::Judge, of_models(books));
        let sum = |tasks, spent, burned| Subtotal {
            tasks,
            attempts: tasks,
            spent,
            burned,
        };
        let endings = BTreeMap::from([
            (Ending::Done, sum(7, amount(70, 7), amount(10, 1))),
            (Ending::Failed, sum(1, Amount::ZERO, amount(20, 2))),
        ]);
        account
            .archived
            .insert(Stage::Judge, BTreeMap::from([("m".to_owned(), endings)]));
        let left = Spending::unabsorbed(&account);
        let expected = Books {
            spent: amount(20, 2),
            ..Books::default()
        };
        let line = ((Stage::Judge, "m".to_owned()), expected);
        assert_eq!(left, Spending(BTreeMap::from([line])));
    }
}
