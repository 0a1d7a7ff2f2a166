//! The account of a run, as the service shows it.

use std::collections::BTreeMap;

use gristmill_domain::amount::{Amount, Limit, MicroUsd};
use gristmill_domain::ledger::{Account, AccountState, Alert, Books, Counts, Ending, Epoch, Subtotal};
use gristmill_domain::stage::Stage;

use crate::{Error, v1};

const WHAT: &str = "account";

impl From<Amount> for v1::Amount {
    fn from(amount: Amount) -> Self {
        Self {
            usd_micros: amount.usd.0,
            calls: amount.calls,
            input_tokens: amount.input_tokens,
            output_tokens: amount.output_tokens,
        }
    }
}

impl From<v1::Amount> for Amount {
    fn from(amount: v1::Amount) -> Self {
        Self {
            usd: MicroUsd(amount.usd_micros),
            calls: amount.calls,
            input_tokens: amount.input_tokens,
            output_tokens: amount.output_tokens,
        }
    }
}

impl From<Limit> for v1::Limit {
    fn from(limit: Limit) -> Self {
        Self {
            usd_micros: limit.usd.map(|usd| usd.0),
            calls: limit.calls,
        }
    }
}

impl From<v1::Limit> for Limit {
    fn from(limit: v1::Limit) -> Self {
        Self {
            usd: limit.usd_micros.map(MicroUsd),
            calls: limit.calls,
        }
    }
}

impl From<Stage> for v1::Stage {
    fn from(stage: Stage) -> Self {
        match stage {
            Stage::Generate => Self::Generate,
            Stage::Judge => Self::Judge,
            Stage::Embed => Self::Embed,
        }
    }
}

impl From<&Account> for v1::Account {
    fn from(account: &Account) -> Self {
        let stage = |stage: &Stage| v1::Stage::from(*stage).into();
        let books = account.books.iter().flat_map(|(of, models)| {
            models.iter().map(move |(model, books)| v1::ModelBooks {
                stage: stage(of),
                model: model.clone(),
                started: Some(books.started.into()),
                spent: Some(books.spent.into()),
                burned: Some(books.burned.into()),
            })
        });
        let counts = account.counts.iter().map(|(of, counts)| v1::TaskCounts {
            stage: stage(of),
            planned: counts.planned,
            open: counts.open,
            done: counts.done,
            failed: counts.failed,
            archived: counts.archived,
            running: counts.running,
            voided: counts.voided,
            burned: counts.burned,
        });
        let mut archived = Vec::new();
        for (of, models) in &account.archived {
            for (model, endings) in models {
                archived.extend(endings.iter().map(|(ending, part)| v1::ArchivedTasks {
                    stage: stage(of),
                    model: model.clone(),
                    failed: *ending == Ending::Failed,
                    tasks: part.tasks,
                    attempts: part.attempts,
                    spent: Some(part.spent.into()),
                    burned: Some(part.burned.into()),
                }));
            }
        }
        Self {
            run: account.run.to_string(),
            price_hash: account.price_hash.clone(),
            limit: Some(account.limit.into()),
            stage_limits: account
                .stage_limits
                .iter()
                .map(|(of, limit)| v1::StageLimit {
                    stage: stage(of),
                    limit: Some((*limit).into()),
                })
                .collect(),
            state: Some(state_out(&account.state)),
            epoch: account.epoch.number,
            holder: account.epoch.holder.clone(),
            lease_ms: account.lease_ms,
            republish_ms: account.republish_ms,
            books: books.collect(),
            counts: counts.collect(),
            archived,
            clock_ms: account.clock_ms,
            last_seq: account.last_seq,
            alerts: account
                .alerts
                .iter()
                .map(|alert| v1::Alert {
                    at_ms: alert.at_ms,
                    text: alert.text.clone(),
                })
                .collect(),
            alerts_total: account.alerts_total,
            raises: account.raises.clone(),
            audited: account.audited,
        }
    }
}

fn state_out(state: &AccountState) -> v1::AccountState {
    use v1::account_state::{Frozen, Paused, State};
    let state = match state {
        AccountState::Active => State::Active(v1::account_state::Active {}),
        AccountState::Paused { reason } => State::Paused(Paused {
            reason: reason.clone(),
        }),
        AccountState::Frozen {
            reason,
            shaken,
            paused,
        } => State::Frozen(Frozen {
            reason: reason.clone(),
            shaken: *shaken,
            paused: paused.clone(),
        }),
        AccountState::Cancelled => State::Cancelled(v1::account_state::Cancelled {}),
        AccountState::Closed => State::Closed(v1::account_state::Closed {}),
    };
    v1::AccountState { state: Some(state) }
}

fn state_in(state: Option<v1::AccountState>) -> Result<AccountState, Error> {
    use v1::account_state::{Frozen, Paused, State};
    Ok(match state.and_then(|state| state.state) {
        Some(State::Active(_)) => AccountState::Active,
        Some(State::Paused(Paused { reason })) => AccountState::Paused { reason },
        Some(State::Frozen(Frozen {
            reason,
            shaken,
            paused,
        })) => AccountState::Frozen {
            reason,
            shaken,
            paused,
        },
        Some(State::Cancelled(_)) => AccountState::Cancelled,
        Some(State::Closed(_)) => AccountState::Closed,
        None => return Err(damaged("it has no state that this program knows")),
    })
}

fn damaged(detail: &str) -> Error {
    Error::Damaged {
        what: WHAT,
        detail: detail.to_owned(),
    }
}

/// A stage from its number on the wire.
///
/// # Errors
/// [`Error::Damaged`] for one that this program does not know.
pub fn stage_of(number: i32) -> Result<Stage, Error> {
    match v1::Stage::try_from(number) {
        Ok(v1::Stage::Generate) => Ok(Stage::Generate),
        Ok(v1::Stage::Judge) => Ok(Stage::Judge),
        Ok(v1::Stage::Embed) => Ok(Stage::Embed),
        Ok(v1::Stage::Unspecified) | Err(_) => Err(damaged("it names an unknown stage")),
    }
}

impl TryFrom<v1::Account> for Account {
    type Error = Error;

    fn try_from(account: v1::Account) -> Result<Self, Error> {
        let amount = |amount: Option<v1::Amount>| Amount::from(amount.unwrap_or_default());
        let mut books: BTreeMap<Stage, BTreeMap<String, Books>> = BTreeMap::new();
        for part in account.books {
            let models = books.entry(stage_of(part.stage)?).or_default();
            models.insert(
                part.model,
                Books {
                    started: amount(part.started),
                    spent: amount(part.spent),
                    burned: amount(part.burned),
                },
            );
        }
        let mut counts = BTreeMap::new();
        for part in account.counts {
            counts.insert(
                stage_of(part.stage)?,
                Counts {
                    planned: part.planned,
                    open: part.open,
                    done: part.done,
                    failed: part.failed,
                    archived: part.archived,
                    running: part.running,
                    voided: part.voided,
                    burned: part.burned,
                },
            );
        }
        let mut archived: BTreeMap<Stage, BTreeMap<String, BTreeMap<Ending, Subtotal>>> = BTreeMap::new();
        for part in account.archived {
            let models = archived.entry(stage_of(part.stage)?).or_default();
            let ending = if part.failed { Ending::Failed } else { Ending::Done };
            models.entry(part.model).or_default().insert(
                ending,
                Subtotal {
                    tasks: part.tasks,
                    attempts: part.attempts,
                    spent: amount(part.spent),
                    burned: amount(part.burned),
                },
            );
        }
        let mut stage_limits = BTreeMap::new();
        for part in account.stage_limits {
            stage_limits.insert(stage_of(part.stage)?, part.limit.unwrap_or_default().into());
        }
        Ok(Self {
            run: account.run.parse().map_err(|_| damaged("the run's id is none"))?,
            price_hash: account.price_hash,
            limit: account.limit.unwrap_or_default().into(),
            stage_limits,
            state: state_in(account.state)?,
            epoch: Epoch {
                number: account.epoch,
                holder: account.holder,
            },
            lease_ms: account.lease_ms,
            republish_ms: account.republish_ms,
            books,
            counts,
            archived,
            clock_ms: account.clock_ms,
            last_seq: account.last_seq,
            alerts: account
                .alerts
                .into_iter()
                .map(|alert| Alert {
                    at_ms: alert.at_ms,
                    text: alert.text,
                })
                .collect(),
            alerts_total: account.alerts_total,
            raises: account.raises,
            audited: account.audited,
        })
    }
}

#[cfg(test)]
mod tests {
    use gristmill_domain::id::RunId;

    use super::*;

    fn amount(calls: u64) -> Amount {
        Amount {
            usd: MicroUsd(10 * calls),
            calls,
            input_tokens: 100 * calls,
            output_tokens: 1_000 * calls,
        }
    }

    fn account(state: AccountState) -> Account {
        let limit = |calls| Limit {
            usd: Some(MicroUsd(5)),
            calls,
        };
        let books = Books {
            started: amount(1),
            spent: amount(2),
            burned: amount(3),
        };
        let subtotal = |tasks| Subtotal {
            tasks,
            attempts: tasks + 1,
            spent: amount(4),
            burned: amount(5),
        };
        let counts = Counts {
            planned: 1,
            open: 2,
            done: 3,
            failed: 4,
            archived: 5,
            running: 6,
            voided: 7,
            burned: 8,
        };
        Account {
            run: RunId::of(&[b"run"]),
            price_hash: "hash".to_owned(),
            limit: limit(None),
            stage_limits: [(Stage::Judge, limit(Some(9)))].into(),
            state,
            epoch: Epoch {
                number: 3,
                holder: "holder".to_owned(),
            },
            lease_ms: 10,
            republish_ms: 11,
            books: [(
                Stage::Generate,
                [("a".to_owned(), books), ("b".to_owned(), Books::default())].into(),
            )]
            .into(),
            counts: [(Stage::Embed, counts)].into(),
            archived: [(
                Stage::Judge,
                [(
                    "a".to_owned(),
                    [(Ending::Done, subtotal(1)), (Ending::Failed, subtotal(2))].into(),
                )]
                .into(),
            )]
            .into(),
            clock_ms: 12,
            last_seq: 13,
            alerts: vec![Alert {
                at_ms: 14,
                text: "alert".to_owned(),
            }],
            alerts_total: 15,
            raises: vec!["request".to_owned()],
            audited: 16,
        }
    }

    #[test]
    fn an_account_comes_back_as_it_was() {
        let frozen = AccountState::Frozen {
            reason: "why".to_owned(),
            shaken: true,
            paused: Some("before".to_owned()),
        };
        let paused = AccountState::Paused {
            reason: "why".to_owned(),
        };
        for state in [
            AccountState::Active,
            paused,
            frozen,
            AccountState::Cancelled,
            AccountState::Closed,
        ] {
            let account = account(state);
            assert_eq!(Account::try_from(v1::Account::from(&account)).unwrap(), account);
        }
    }

    #[test]
    fn what_a_newer_server_says_of_stages_and_states_is_not_guessed() {
        let mut unknown = v1::Account::from(&account(AccountState::Active));
        unknown.counts[0].stage = 99;
        assert!(Account::try_from(unknown).is_err());
        let mut stateless = v1::Account::from(&account(AccountState::Active));
        stateless.state = None;
        assert!(Account::try_from(stateless).is_err());
    }
}
