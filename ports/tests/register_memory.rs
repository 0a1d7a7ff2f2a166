//! The suite against the register it ships with.
#![cfg(feature = "contract")]

use std::sync::Arc;

use async_trait::async_trait;
use gristmill_ports::contract::register::{Harness, MemoryRegister, Rig};

struct Memory;

#[async_trait]
impl Harness for Memory {
    async fn start(&self) -> Rig {
        Rig {
            register: Arc::new(MemoryRegister::default()),
            keep: Box::new(()),
        }
    }
}

gristmill_ports::register_contract!(Memory);
