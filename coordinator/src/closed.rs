//! The neighbours of a run that has ended, while it is gone through once more: the ledger is the account as it was closed, and nothing can be
//! begun or published. What a run that has ended rests on is all in its state.

use std::time::Duration;

use async_trait::async_trait;
use gristmill_domain::amount::{Amount, Limit};
use gristmill_domain::id::{RunId, TaskId};
use gristmill_domain::stage::Stage;
use gristmill_ports::ledger::{
    Absorbed, Account, Allocation, Attempt, Begin, Close, Epoch, Error, Fence, Ledger, NewAccount, NewTask,
    Nonce, Open, OpenTask, Outcome, Raise, Reopen, Settle, Settled, VoidProof,
};
use gristmill_ports::queue::{self, Publisher};

/// A closed account, which stays as it is.
pub(crate) struct Closed(pub(crate) Account);

#[async_trait]
impl Publisher for Closed {
    async fn publish(&self, _: Stage, _: Vec<u8>) -> Result<(), queue::Error> {
        Ok(())
    }
}

#[async_trait]
impl Ledger for Closed {
    async fn create(&self, _: NewAccount) -> Result<(), Error> {
        Ok(())
    }

    async fn take_over(&self, _: RunId, _: &str) -> Result<Epoch, Error> {
        Ok(self.0.epoch.clone())
    }

    async fn open(&self, _: RunId, _: &Epoch, _: Vec<NewTask>) -> Result<Open, Error> {
        Ok(Open::Closed)
    }

    async fn begin(&self, _: RunId, _: TaskId, _: Nonce, _: Amount) -> Result<Begin, Error> {
        Ok(Begin::Closed)
    }

    async fn renew(&self, _: RunId, _: &[Fence]) -> Result<Vec<Fence>, Error> {
        Ok(Vec::new())
    }

    async fn lend(&self, _: RunId, _: &[Fence], _: u64) -> Result<Vec<Fence>, Error> {
        Ok(Vec::new())
    }

    async fn settle(&self, _: RunId, _: Fence, _: Amount, _: Outcome) -> Result<Settle, Error> {
        Ok(Settle::Closed)
    }

    async fn void(&self, _: RunId, _: Fence, _: VoidProof, _: u64) -> Result<Settle, Error> {
        Ok(Settle::Closed)
    }

    async fn burn(&self, _: RunId, _: Fence, _: &str, _: u64) -> Result<Settle, Error> {
        Ok(Settle::Closed)
    }

    async fn defer(&self, _: RunId, _: TaskId, _: u64) -> Result<(), Error> {
        Ok(())
    }

    async fn expire(&self, _: RunId, _: &Epoch) -> Result<u64, Error> {
        Ok(0)
    }

    async fn due(&self, _: RunId, _: &Epoch, _: usize) -> Result<Vec<OpenTask>, Error> {
        Ok(Vec::new())
    }

    async fn fail(&self, _: RunId, _: &Epoch, _: &[TaskId], _: &str) -> Result<u64, Error> {
        Ok(0)
    }

    async fn results(&self, _: RunId, _: u64, _: usize, _: Duration) -> Result<Vec<Settled>, Error> {
        Ok(Vec::new())
    }

    async fn absorb(&self, _: RunId, _: &Epoch, _: &[TaskId]) -> Result<Absorbed, Error> {
        Ok(Absorbed::default())
    }

    async fn allocate(&self, _: RunId, _: &Epoch, _: Allocation) -> Result<(), Error> {
        Ok(())
    }

    async fn raise(&self, _: RunId, _: &str, _: Limit, _: Limit) -> Result<Raise, Error> {
        Ok(Raise::Closed)
    }

    async fn reopen(&self, _: RunId, _: &Epoch, _: &str, _: Limit, _: Limit) -> Result<Reopen, Error> {
        Err(Error::Invalid(
            "a run that is only read is not reopened".to_owned(),
        ))
    }

    async fn pause(&self, _: RunId, _: &str) -> Result<(), Error> {
        Ok(())
    }

    async fn resume(&self, _: RunId) -> Result<(), Error> {
        Ok(())
    }

    async fn cancel(&self, _: RunId) -> Result<(), Error> {
        Ok(())
    }

    async fn freeze(&self, _: RunId, _: &str) -> Result<(), Error> {
        Ok(())
    }

    async fn unfreeze(&self, _: RunId) -> Result<(), Error> {
        Ok(())
    }

    async fn close(&self, _: RunId, _: &Epoch) -> Result<Close, Error> {
        Ok(Close::Closed)
    }

    async fn account(&self, _: RunId) -> Result<Account, Error> {
        Ok(self.0.clone())
    }

    async fn attempts(&self, _: RunId, _: TaskId) -> Result<Vec<Attempt>, Error> {
        Ok(Vec::new())
    }
}
