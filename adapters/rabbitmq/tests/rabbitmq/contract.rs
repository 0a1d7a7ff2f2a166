//! The suite every implementation of the queues must pass.

use std::sync::Arc;

use async_trait::async_trait;
use gristmill_domain::stage::Stage;
use gristmill_ports::contract::queue::{Harness, Rig};
use gristmill_ports::queue::{Consumer, DeadLetters, Depths, Publisher};

use crate::stand::Stand;

struct Rabbit;

#[async_trait]
impl Harness for Rabbit {
    async fn start(&self) -> Box<dyn Rig> {
        Box::new(RabbitRig(Stand::new().await))
    }
}

struct RabbitRig(Stand);

#[async_trait]
impl Rig for RabbitRig {
    fn publisher(&self) -> Arc<dyn Publisher> {
        Arc::new(self.0.broker.publisher())
    }

    async fn consumer(&self, stage: Stage, prefetch: u16) -> Box<dyn Consumer> {
        Box::new(self.0.broker.consumer(stage, prefetch.into()).await.unwrap())
    }

    async fn dead(&self) -> Box<dyn DeadLetters> {
        Box::new(self.0.broker.dead())
    }

    fn depths(&self) -> Arc<dyn Depths> {
        Arc::new(self.0.broker.clone())
    }
}

gristmill_ports::queue_contract!(Rabbit);
