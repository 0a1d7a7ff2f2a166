//! The connection with the accounts in memory: transactions, savepoints, recovery.

use std::collections::HashMap;

use gristmill_domain::id::RunId;
use gristmill_domain::ledger::{Account, NewAccount};
use gristmill_ports::ledger;
use rusqlite::Connection;

use crate::desk::Desk;
use crate::error::{Failure, Fault};
use crate::ledger::Clock;
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
    /// Reads the accounts and burns what a previous process had started.
    pub(crate) fn load(conn: Connection, clock: Clock) -> Result<Self, Fault> {
        let mut store = Self {
            conn,
            clock,
            accounts: HashMap::new(),
            broken: None,
            stale: true,
        };
        store.begin();
        let runs: Vec<RunId> = store.accounts.keys().copied().collect();
        for run in runs {
            let burned = store.operate(run, |desk| {
                desk.orphan("the process that made the call ended before it settled")
            });
            match burned {
                Ok(0) => {}
                Ok(burned) => tracing::warn!(%run, burned, "attempts in flight at the last stop were burned"),
                Err(Failure::Fault(fault)) => return Err(fault),
                Err(Failure::Refused(_)) => {}
            }
        }
        store.commit()?;
        Ok(store)
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
        for held in self.accounts.values_mut().filter(|held| held.dirty) {
            rows::update_account(&self.conn, held.key, &held.account)?;
            held.dirty = false;
        }
        self.conn.prepare_cached("COMMIT")?.execute([])?;
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
