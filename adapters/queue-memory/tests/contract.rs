//! The suite every implementation of the queues must pass.

use std::sync::Arc;

use async_trait::async_trait;
use gristmill_domain::stage::Stage;
use gristmill_ports::contract::queue::{Harness, Rig};
use gristmill_ports::queue::{Consumer, DeadLetters, Depths, Publisher};
use gristmill_queue_memory::Queues;

struct Memory;

#[async_trait]
impl Harness for Memory {
    async fn start(&self) -> Box<dyn Rig> {
        Box::new(MemoryRig(Arc::new(Queues::new(500))))
    }
}

struct MemoryRig(Arc<Queues>);

#[async_trait]
impl Rig for MemoryRig {
    fn publisher(&self) -> Arc<dyn Publisher> {
        Arc::clone(&self.0) as Arc<dyn Publisher>
    }

    async fn consumer(&self, stage: Stage, prefetch: u16) -> Box<dyn Consumer> {
        self.0.consumer_with(stage, usize::from(prefetch))
    }

    async fn dead(&self) -> Box<dyn DeadLetters> {
        self.0.dead()
    }

    fn depths(&self) -> Arc<dyn Depths> {
        Arc::clone(&self.0) as Arc<dyn Depths>
    }
}

gristmill_ports::queue_contract!(Memory);
