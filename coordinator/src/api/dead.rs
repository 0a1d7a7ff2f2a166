//! Dead letters: shown, put back, dropped.

use gristmill_ports::register::DeadLetter;
use tonic::Status;

use super::{Api, register_status, told};

impl Api {
    /// The dead letters of these numbers: all of them are there, or nothing is `done` to any.
    async fn dead_letters(&self, numbers: &[u64], done: &str) -> Result<Vec<DeadLetter>, Status> {
        let mut dead_letters = Vec::new();
        for number in numbers {
            let dead_letter = self.services.register.dead_letter(*number).await;
            let dead_letter = dead_letter.map_err(|error| register_status(&error))?;
            dead_letters.push(dead_letter.ok_or_else(|| {
                Status::not_found(format!("there is no dead letter {number}: nothing was {done}"))
            })?);
        }
        Ok(dead_letters)
    }

    /// Publishes dead letters again, to the queues they came from; returns how many.
    pub(super) async fn put_back(&self, numbers: &[u64]) -> Result<u64, Status> {
        let dead_letters = self.dead_letters(numbers, "put back").await?;
        for dead_letter in &dead_letters {
            // Marked first: it may die again before the broker's answer is here, and that takes the mark away.
            let marked = self.services.register.retried(dead_letter.number).await;
            marked.map_err(|error| register_status(&error))?;
            let published = self
                .services
                .queue
                .publish(dead_letter.dead.stage, dead_letter.dead.envelope.clone());
            published
                .await
                .map_err(|error| Status::unavailable(told(&error)))?;
        }
        Ok(dead_letters.len() as u64)
    }

    /// Forgets dead letters; returns how many.
    pub(super) async fn drop_letters(&self, numbers: &[u64]) -> Result<u64, Status> {
        self.dead_letters(numbers, "dropped").await?;
        let dropped = self.services.register.drop_graves(numbers).await;
        dropped.map_err(|error| register_status(&error))
    }
}

/// Their numbers, for the log.
pub(super) fn listed(numbers: &[u64]) -> String {
    let numbers: Vec<String> = numbers.iter().map(u64::to_string).collect();
    format!("dead letters {}", numbers.join(", "))
}
