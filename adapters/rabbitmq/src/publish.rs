//! Publishing tasks.

use std::sync::Arc;

use async_trait::async_trait;
use gristmill_domain::stage::Stage;
use gristmill_ports::queue::{self, Publisher};

use crate::headers;
use crate::outlet::Message;
use crate::shared::Shared;
use crate::topology::Queue;

/// Publishes tasks. Clones share their connection.
#[derive(Clone)]
pub struct RabbitPublisher {
    pub(crate) shared: Arc<Shared>,
}

#[async_trait]
impl Publisher for RabbitPublisher {
    async fn publish(&self, stage: Stage, envelope: Vec<u8>) -> Result<(), queue::Error> {
        self.publish_all(stage, vec![envelope]).await
    }

    async fn publish_all(&self, stage: Stage, envelopes: Vec<Vec<u8>>) -> Result<(), queue::Error> {
        let messages = envelopes
            .into_iter()
            .map(|body| Message {
                properties: headers::of_task(&body),
                body,
            })
            .collect();
        let queue = Queue::Stage(stage);
        self.shared
            .outlet
            .publish(queue, messages)
            .await
            .map_err(|error| error.at(&self.shared.names.of(queue), "may have missed messages"))
    }
}
