//! The suite against the ledger it ships with.
#![cfg(feature = "contract")]

use std::sync::Arc;

use async_trait::async_trait;
use gristmill_ports::contract::ledger::{Harness, MemoryLedger, Rig};
use gristmill_ports::ledger::Ledger;

struct Memory;

#[async_trait]
impl Harness for Memory {
    async fn start(&self) -> Box<dyn Rig> {
        Box::new(MemoryRig(Arc::new(MemoryLedger::default())))
    }
}

struct MemoryRig(Arc<MemoryLedger>);

#[async_trait]
impl Rig for MemoryRig {
    fn ledger(&self) -> Arc<dyn Ledger> {
        Arc::clone(&self.0) as Arc<dyn Ledger>
    }

    fn set_clock(&self, now_ms: u64) {
        self.0.set_clock(now_ms);
    }

    async fn restart(&mut self) {}

    fn restart_burns(&self) -> bool {
        false
    }
}

gristmill_ports::ledger_contract!(Memory);
