//! The tasks of a run, written down as they are published.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use gristmill_domain::id::TaskId;
use gristmill_domain::stage::Stage;
use gristmill_domain::work::Task;
use gristmill_ports::queue::{Error as QueueError, Publisher};
use gristmill_proto::Envelope;
use gristmill_queue_memory::Queues;

/// The tasks that were published.
#[derive(Debug, Default)]
pub(crate) struct Asked(Mutex<HashMap<TaskId, Task>>);

impl Asked {
    pub(crate) fn into_tasks(self) -> HashMap<TaskId, Task> {
        self.0.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, envelope: &[u8]) {
        if let Ok(Envelope { task, .. }) = Envelope::decode(envelope) {
            self.0
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .insert(task.id, task);
        }
    }
}

/// The queues of a run, whose tasks are written down where somebody wants to see them.
pub(crate) struct Noted<'a> {
    pub(crate) queues: &'a Queues,
    pub(crate) asked: Option<&'a Asked>,
}

#[async_trait]
impl Publisher for Noted<'_> {
    async fn publish(&self, stage: Stage, envelope: Vec<u8>) -> Result<(), QueueError> {
        if let Some(asked) = self.asked {
            asked.note(&envelope);
        }
        self.queues.publish(stage, envelope).await
    }
}
