//! Dead letters: kept for people, and their tasks closed where trying again is of no use.
//!
//! A message that was delivered again and again may be what kills those who take it: its task fails at once. One that a worker refused
//! may only have met the wrong worker: its task stays open, and the sweep publishes it again, a few times.

use std::collections::HashMap;

use gristmill_domain::id::TaskId;
use gristmill_domain::stage::Stage;
use gristmill_ports::queue::{Cause, DeadLetter, DeadLetters};
use gristmill_ports::register::Dead;
use gristmill_proto::Envelope;
use tokio_util::sync::CancellationToken;

use super::Services;
use crate::meter;

/// Refusals after which a task is closed.
const REFUSALS: u32 = 3;
/// Tasks whose refusals are counted; beyond, counting starts anew, which only means more tries.
const COUNTED_MAX: usize = 10_000;

/// Takes dead letters until told to stop, or until their queue has gone.
pub async fn bury(services: Services, mut letters: Box<dyn DeadLetters>, stop: CancellationToken) {
    let mut refusals: HashMap<TaskId, u32> = HashMap::new();
    loop {
        let next = tokio::select! {
            () = stop.cancelled() => return,
            next = letters.next() => next,
        };
        match next {
            Ok(Some(letter)) => bury_one(&services, letter, &mut refusals).await,
            Ok(None) => return,
            Err(error) => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "dead letters can no longer be taken"
                );
                return;
            }
        }
    }
}

async fn bury_one(services: &Services, letter: DeadLetter, refusals: &mut HashMap<TaskId, u32>) {
    let envelope = Envelope::decode(&letter.envelope).ok();
    let reason = letter.cause.to_string();
    tracing::warn!(
        reason,
        stage = letter.origin.map(display),
        run = envelope.as_ref().map(|envelope| display(envelope.run)),
        "a dead letter"
    );
    let stage = letter.origin.unwrap_or(Stage::Generate);
    let dead = Dead {
        stage,
        run: envelope.as_ref().map(|envelope| envelope.run),
        reason: reason.clone(),
        envelope: letter.envelope,
    };
    // Not acknowledged, it comes again: nothing is lost while the register or the ledger is away.
    if let Err(error) = services.register.bury(dead).await {
        tracing::warn!(
            error = &error as &dyn std::error::Error,
            "a dead letter could not be kept"
        );
        return;
    }
    meter::dead_letter(stage);
    if let Some(envelope) = envelope {
        let hopeless = match letter.cause {
            Cause::DeliveredTooOften => true,
            Cause::Refused(_) | Cause::Server(_) => {
                if refusals.len() >= COUNTED_MAX {
                    refusals.clear();
                }
                let seen = refusals.entry(envelope.task.id).or_default();
                *seen += 1;
                *seen >= REFUSALS
            }
        };
        if hopeless && let Err(error) = close(services, &envelope, &reason).await {
            tracing::warn!(task = %envelope.task.id, error = &error as &dyn std::error::Error, "the task of a dead letter could not be closed");
            return;
        }
    }
    if let Err(error) = letter.receipt.ack().await {
        tracing::debug!(
            error = &error as &dyn std::error::Error,
            "a dead letter comes again"
        );
    }
}

/// Fails the task, in the name of whoever coordinates its run: a failure is the first outcome or none, whoever says it.
async fn close(
    services: &Services,
    envelope: &Envelope,
    reason: &str,
) -> Result<(), gristmill_ports::ledger::Error> {
    use gristmill_ports::ledger::Error;
    let account = match services.ledger.account(envelope.run).await {
        Ok(account) => account,
        Err(Error::UnknownRun(_)) => return Ok(()),
        Err(error) => return Err(error),
    };
    let reason = format!("dead letter: {reason}");
    match services
        .ledger
        .fail(envelope.run, &account.epoch, &[envelope.task.id], &reason)
        .await
    {
        // Taken over in between: the letter comes again.
        Ok(_) => Ok(()),
        Err(error) => Err(error),
    }
}
