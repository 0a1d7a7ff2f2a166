//! The connection with the accounts in memory: transactions, savepoints, recovery.

use std::collections::HashMap;

use gristmill_domain::amount::Amount;
use gristmill_domain::id::RunId;
use gristmill_domain::ledger::{Account, AccountState, NewAccount};
use gristmill_ports::ledger;
use rusqlite::Connection;

use crate::clock::Clock;
use crate::desk::Desk;
use crate::error::{Failure, Fault};
use crate::rows;

struct Held {
    key: i64,
    account: Account,
    /// Differs from the stored row: written with the next commit.
    dirty: bool,
    /// Newest position of the stream that readers were told about.
    announced: u64,
}

/// What the writer thread owns.
pub(crate) struct Store {
    conn: Connection,
    clock: Clock,
    accounts: HashMap<RunId, Held>,
    /// Set when the group's transaction is lost: nothing more is carried out in it.
    broken: Option<Fault>,
    /// The accounts in memory may be ahead of the file.
    stale: bool,
}

impl Store {
    /// Reads the accounts and burns what a previous process had started: by run, it is the second of what is returned.
    pub(crate) fn load(conn: Connection, clock: Clock) -> Result<(Self, HashMap<RunId, Amount>), Fault> {
        let mut store = Self {
            conn,
            clock,
            accounts: HashMap::new(),
            broken: None,
            stale: true,
        };
        let mut burned_by_run = HashMap::new();
        store.begin();
        let runs: Vec<RunId> = store.accounts.keys().copied().collect();
        for run in runs {
            let burned = store.operate(run, |desk| {
                let before = desk.account.total().burned;
                desk.orphan("the process that made the call ended before it settled")?;
                let burned = desk.account.total().burned;
                Ok(burned.checked_sub(before).unwrap_or_default())
            });
            match burned {
                Ok(Amount::ZERO) => {}
                Ok(burned) => {
                    tracing::info!(%run, calls = burned.calls, usd = %burned.usd, "calls in flight at the last stop count at their worst case");
                    burned_by_run.insert(run, burned);
                }
                Err(Failure::Fault(fault)) => return Err(fault),
                Err(Failure::Refused(_)) => {}
            }
        }
        store.commit()?;
        Ok((store, burned_by_run))
    }

    /// Starts a group's transaction. A failure is answered to every operation of the group.
    pub(crate) fn begin(&mut self) {
        self.broken = self.try_begin().err();
    }

    fn try_begin(&mut self) -> Result<(), Fault> {
        if !self.conn.is_autocommit() {
            // The last group could not even be rolled back; it was answered as failed.
            self.conn.execute_batch("ROLLBACK")?;
            self.stale = true;
        }
        if self.stale {
            self.accounts = rows::accounts(&self.conn)?
                .into_iter()
                .map(|(key, account)| {
                    let held = Held {
                        key,
                        announced: 0,
                        account,
                        dirty: false,
                    };
                    (held.account.run, held)
                })
                .collect();
            self.stale = false;
        }
        self.conn.prepare_cached("BEGIN")?.execute([])?;
        Ok(())
    }

    /// Ends a group's transaction. Returns the streams that have grown, by run and newest position.
    pub(crate) fn commit(&mut self) -> Result<Vec<(RunId, u64)>, Fault> {
        if let Err(fault) = self.try_commit() {
            // What was in memory is not what is stored; the next group reads it again.
            self.stale = true;
            if !self.conn.is_autocommit() {
                self.conn.execute_batch("ROLLBACK")?;
            }
            return Err(fault);
        }
        let mut grown = Vec::new();
        for (run, held) in &mut self.accounts {
            if held.account.last_seq > held.announced {
                held.announced = held.account.last_seq;
                grown.push((*run, held.announced));
            }
        }
        Ok(grown)
    }

    fn try_commit(&mut self) -> Result<(), Fault> {
        if let Some(fault) = self.broken.take() {
            return Err(fault);
        }
        let mut closed = false;
        for held in self.accounts.values_mut().filter(|held| held.dirty) {
            rows::update_account(&self.conn, held.key, &held.account)?;
            held.dirty = false;
            closed |= held.account.state == AccountState::Closed;
        }
        self.conn.prepare_cached("COMMIT")?.execute([])?;
        if closed {
            // A finished run's log would lie beside it for ever. Where a reader is in the way, it does.
            let _busy = self
                .conn
                .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        }
        Ok(())
    }

    /// Creates an account, or checks that the existing one is the same.
    pub(crate) fn create(&mut self, new: NewAccount) -> Result<(), Failure> {
        self.check()?;
        if let Some(held) = self.accounts.get(&new.run) {
            if held.account.price_hash != new.price_hash {
                return Err(Failure::Refused(ledger::Error::PricesChanged {
                    run: new.run,
                    frozen: held.account.price_hash.clone(),
                    given: new.price_hash,
                }));
            }
            return Ok(());
        }
        let account = Account::new(new);
        let key = rows::insert_account(&self.conn, &account)
            .inspect_err(|fault| self.broken = Some(fault.clone()))?;
        let held = Held {
            key,
            announced: 0,
            account,
            dirty: false,
        };
        self.accounts.insert(held.account.run, held);
        Ok(())
    }

    /// Carries out one operation in its savepoint: whole, or not at all.
    pub(crate) fn operate<T>(
        &mut self,
        run: RunId,
        operation: impl FnOnce(&mut Desk<'_>) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        self.check()?;
        let held = self
            .accounts
            .get_mut(&run)
            .ok_or(Failure::Refused(ledger::Error::UnknownRun(run)))?;
        // The clock is remembered by every operation, but is not by itself worth a write.
        let now_ms = held.account.tick((self.clock)());
        let before = held.account.clone();
        self.conn.prepare_cached("SAVEPOINT operation")?.execute([])?;
        let outcome = operation(&mut Desk {
            conn: &self.conn,
            key: held.key,
            account: &mut held.account,
            now_ms,
        });
        let ended = if outcome.is_ok() {
            held.dirty |= held.account != before;
            self.release()
        } else {
            held.account = before;
            self.undo()
        };
        if let Err(fault) = ended {
            self.broken = Some(fault.clone());
            return Err(Failure::Fault(fault));
        }
        outcome
    }

    /// Carries out one statement or two that touch no account; says what time it is.
    pub(crate) fn look<T>(
        &mut self,
        operation: impl FnOnce(&Connection, u64) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        if let Some(fault) = &self.broken {
            return Err(fault.clone());
        }
        // Half of it must not be committed with the others' work.
        operation(&self.conn, (self.clock)()).inspect_err(|fault| self.broken = Some(fault.clone()))
    }

    fn check(&self) -> Result<(), Failure> {
        self.broken
            .clone()
            .map_or(Ok(()), |fault| Err(Failure::Fault(fault)))
    }

    fn release(&self) -> Result<(), Fault> {
        self.conn.prepare_cached("RELEASE operation")?.execute([])?;
        Ok(())
    }

    /// SQLite may have rolled the whole transaction back by itself (disk full, I/O error): then this fails, and so does the group.
    fn undo(&self) -> Result<(), Fault> {
        self.conn.prepare_cached("ROLLBACK TO operation")?.execute([])?;
        self.release()
    }
}

#[cfg(test)]
mod tests {
    use gristmill_domain::amount::{Amount, Limit};
    use gristmill_domain::id::TaskId;
    use gristmill_domain::ledger::{Begin, NewTask, Nonce, Open};
    use gristmill_domain::stage::Stage;

    use super::*;
    use crate::schema;

    fn run() -> RunId {
        RunId::of(&[b"run"])
    }

    fn task(number: u32, payload_bytes: usize) -> NewTask {
        NewTask {
            id: TaskId::of(&[&number.to_le_bytes()]),
            stage: Stage::Generate,
            model: "m".to_owned(),
            payload: vec![0; payload_bytes],
            max_attempts: 1,
            max_voids: 1,
        }
    }

    fn store(folder: &std::path::Path) -> Store {
        let conn = schema::open_writer(folder).expect("opens");
        let (mut store, _) = Store::load(conn, std::sync::Arc::new(|| 1_000)).expect("loads");
        store.begin();
        let account = NewAccount {
            run: run(),
            limit: Limit::default(),
            price_hash: "p".to_owned(),
            lease_ms: 10,
            republish_ms: 10,
        };
        store.create(account).expect("creates");
        store.commit().expect("commits");
        store
    }

    fn open(store: &mut Store, tasks: &[NewTask]) -> Result<Open, Failure> {
        store.operate(run(), |desk| desk.open(tasks))
    }

    fn planned(store: &Store) -> u64 {
        store.accounts[&run()].account.counts_total().planned
    }

    #[test]
    fn an_operation_that_fails_half_way_leaves_nothing_and_takes_no_other_with_it() {
        let folder = tempfile::tempdir().expect("folder");
        let mut store = store(folder.path());
        store.begin();
        open(&mut store, &[task(0, 10)]).expect("opens");
        let failed: Result<(), Failure> = store.operate(run(), |desk| {
            desk.open(&[task(1, 10), task(2, 10)])?;
            Err(Failure::Fault(Fault::Ended))
        });
        assert!(failed.is_err());
        open(&mut store, &[task(3, 10)]).expect("opens");
        store.commit().expect("commits");
        assert_eq!(planned(&store), 2);
        drop(store);
        let store = self::store(folder.path());
        assert_eq!(planned(&store), 2, "what is stored is what was in memory");
    }

    #[test]
    fn a_full_disk_fails_what_needs_room_and_nothing_is_half_written() {
        let folder = tempfile::tempdir().expect("folder");
        let mut store = store(folder.path());
        let pages: i64 = store
            .conn
            .query_row("PRAGMA page_count", [], |row| row.get(0))
            .expect("count");
        store
            .conn
            .pragma_update(None, "max_page_count", pages + 16)
            .expect("limit");
        let mut opened = 0;
        let mut refused = 0;
        for number in 0..40 {
            store.begin();
            let outcome = open(&mut store, &[task(number, 3_000)]);
            match (outcome, store.commit()) {
                (Ok(Open::Opened { fresh: 1 }), Ok(_)) => opened += 1,
                _ => refused += 1,
            }
        }
        assert!(opened > 0 && refused > 0, "{opened} opened, {refused} refused");
        store
            .conn
            .pragma_update(None, "max_page_count", 1_000_000)
            .expect("room again");
        store.begin();
        let worst = Amount {
            calls: 1,
            ..Amount::ZERO
        };
        let begun = store.operate(run(), |desk| desk.begin(task(0, 0).id, Nonce(1), worst));
        store.commit().expect("commits");
        assert!(matches!(begun, Ok(Begin::Granted { .. })), "{begun:?}");
        assert_eq!(planned(&store), opened);
        drop(store);
        let store = self::store(folder.path());
        assert_eq!(planned(&store), opened, "after a restart too");
        let rows: i64 = store
            .conn
            .query_row("SELECT count(*) FROM task", [], |row| row.get(0))
            .expect("count");
        assert_eq!(rows.cast_unsigned(), opened);
    }
}
