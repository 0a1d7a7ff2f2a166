//! The trainer behind the port: a thread of its own that computes, and tells what happens.

use async_trait::async_trait;
use gristmill_domain::training::{Objective, Precision};
use gristmill_ports::trainer::{self, Event, Request};
use tokio::sync::{mpsc, oneshot, watch};

use crate::training::{Outcome, train};
use crate::{Device, Error};

/// Trains in this process.
#[derive(Debug, Clone)]
pub struct NativeTrainer {
    device: Device,
}

impl NativeTrainer {
    /// On a GPU where this program was built for one and there is one, else on the processor.
    ///
    /// # Errors
    /// [`Error::Compute`] where the GPU cannot be used.
    pub fn new() -> Result<Self, Error> {
        Ok(Self {
            device: Device::cuda_if_available(0)?,
        })
    }
}

#[async_trait]
impl trainer::Trainer for NativeTrainer {
    async fn train(
        &self,
        request: &Request,
        events: mpsc::Sender<Event>,
        stop: watch::Receiver<bool>,
    ) -> Result<(), trainer::Error> {
        if request.format != Request::FORMAT {
            return Err(trainer::Error::Refused(format!(
                "the request has format {}, and this program reads format {}",
                request.format,
                Request::FORMAT
            )));
        }
        if request.objective != Objective::Sft || request.precision != Precision::F32 {
            return Err(trainer::Error::Refused(
                "the native backend learns from answers (`objective: sft`) in 32 bits (`precision: f32`)"
                    .to_owned(),
            ));
        }
        let (done, ended) = oneshot::channel();
        let (request, device) = (request.clone(), self.device.clone());
        let work = move || {
            let mut tell = |event| {
                // Who no longer listens does not hold the training up.
                let _ = events.blocking_send(event);
            };
            let outcome = train(&request, &device, &mut tell, &|| *stop.borrow());
            let _ = done.send(outcome);
        };
        std::thread::Builder::new()
            .name("train".to_owned())
            .spawn(work)
            .map_err(|error| trainer::Error::Failed(format!("cannot start a thread: {error}")))?;
        let outcome = ended
            .await
            .map_err(|_| trainer::Error::Failed("the thread that trains ended without a word".to_owned()))?;
        match outcome {
            Ok(Outcome::Done) => Ok(()),
            Ok(Outcome::Stopped(step)) => Err(trainer::Error::Stopped { step }),
            Err(error) => Err(classed(error)),
        }
    }
}

/// Whether the same request would fail again.
fn classed(error: Error) -> trainer::Error {
    let told = error.to_string();
    match error {
        Error::Model { .. }
        | Error::Row { .. }
        | Error::Unsupported(_)
        | Error::Checkpoint { .. }
        | Error::Diverged { .. } => trainer::Error::Refused(told),
        Error::Io { .. } | Error::Thread(_) | Error::Compute(_) => trainer::Error::Failed(told),
    }
}
