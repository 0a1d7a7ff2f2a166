//! The steps of a training.

use std::fs::File;
use std::path::Path;
use std::time::Instant;

use candle_core::Device;
use gristmill_domain::training::{Method, Stopping, Verdict, learning_rate};
use gristmill_ports::trainer::{End, Event, Request};

use crate::Error;
use crate::checkpoint::{self, Progress};
use crate::dropout::Dropout;
use crate::load::{Trained, load};
use crate::model::{Model, Tokens};
use crate::optimizer::{Gradients, Optimizer};
use crate::peft;
use crate::rows::Rows;
use crate::text::Text;
use crate::weights::Base;
use crate::whole;

/// How a training ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Done,
    /// It was told to stop; a checkpoint of this step was written.
    Stopped(u64),
}

/// Where the trained weights of a request go.
const ADAPTER: &str = "adapter";
const MODEL: &str = "model";
const CHECKPOINTS: &str = "checkpoints";

/// A training under way.
struct Training<'a> {
    request: &'a Request,
    stored: serde_json::Value,
    model: Model,
    text: &'a Text,
    optimizer: Optimizer,
    stopping: Stopping,
    /// Steps done.
    step: u64,
    tell: &'a mut dyn FnMut(Event),
}

/// Trains as [`gristmill_ports::trainer::Trainer::train`] says, on this thread.
///
/// # Errors
/// See [`Error`].
pub(crate) fn train(
    request: &Request,
    device: &Device,
    tell: &mut dyn FnMut(Event),
    stop: &dyn Fn() -> bool,
) -> Result<Outcome, Error> {
    let started = Instant::now();
    let base = Base::open(&request.base)?;
    let text = Text::of(&base)?;
    let lora = match &request.initial_adapter {
        None => request.lora,
        Some(folder) => peft::size(folder)?,
    };
    if request.initial_adapter.is_some() && lora != request.lora {
        return Err(Error::Unsupported(
            "`initial_adapter` has another size than `lora`: set the rank, alpha and dropout that it was made with".to_owned(),
        ));
    }
    if text.vocabulary() > base.shape.vocabulary {
        let reason = format!(
            "its vocabulary has {} tokens and its embedding {}",
            text.vocabulary(),
            base.shape.vocabulary
        );
        return Err(Error::model(&base.path, reason));
    }
    if request.method == Method::Full && base.gguf().is_some() && !base.shape.turns_plainly() {
        return Err(Error::Unsupported(
            "a GGUF file does not say how this model's rotary positions were slowed down: train an adapter, or name its folder in Hugging Face \
             layout as the base"
                .to_owned(),
        ));
    }
    let model = load(base, Trained::of(request.method, lora, request.seed), device)?;
    if let Some(folder) = &request.initial_adapter {
        peft::read(&model, folder)?;
    }
    let optimizer = Optimizer::new(model.trained(), request.weight_decay)?;
    let stored = serde_json::to_value(request).map_err(|error| Error::Unsupported(error.to_string()))?;
    let mut training = Training {
        request,
        stored,
        model,
        text: &text,
        optimizer,
        stopping: Stopping::new(request.patience),
        step: 0,
        tell,
    };
    training.run(started, stop)
}

impl Training<'_> {
    fn run(&mut self, started: Instant, stop: &dyn Fn() -> bool) -> Result<Outcome, Error> {
        let device = self.model.device.clone();
        let checkpoints = self.request.out.join(CHECKPOINTS);
        let found = checkpoint::resume(&checkpoints, &self.stored, &mut self.optimizer, &device)?;
        if let Some(progress) = found {
            (self.step, self.stopping) = (progress.step, progress.stopping);
        }
        let trainable = self
            .optimizer
            .trained
            .iter()
            .map(|(_, var)| var.elem_count() as u64);
        (self.tell)(Event::Start {
            steps: self.request.steps,
            resumed: self.step,
            trainable: trainable.sum(),
            tokens: 0,
        });
        let mut ended = self.stopping.is_over().then_some(End::EarlyStopping);
        if self.step == 0 {
            self.validate()?;
        }
        let mut rows = Rows::open(&self.request.rows, self.text, self.request.max_tokens)?;
        rows.skip(self.step * u64::from(self.request.batch_rows))?;
        while self.step < self.request.steps && ended.is_none() {
            let batch = rows.take(self.request.batch_rows)?;
            self.advance(&batch)?;
            let last = self.step == self.request.steps;
            if (last || self.step.is_multiple_of(self.request.validate_every.max(1)))
                && self.validate()? == Some(Verdict::Stop)
            {
                ended = Some(End::EarlyStopping);
            }
            let asked = stop();
            if last
                || asked
                || ended.is_some()
                || self.step.is_multiple_of(self.request.checkpoint_every.max(1))
            {
                self.checkpoint(&checkpoints)?;
            }
            if asked && !last && ended.is_none() {
                self.keep()?;
                return Ok(Outcome::Stopped(self.step));
            }
        }
        let best = self.keep()?;
        (self.tell)(Event::Done {
            best_step: best,
            reason: ended.unwrap_or(End::Steps),
            seconds: started.elapsed().as_secs_f64(),
            peak_memory_bytes: peak_memory_bytes(),
        });
        Ok(Outcome::Done)
    }

    /// One step: the gradients of the batch, part by part, and one update.
    fn advance(&mut self, batch: &[Tokens]) -> Result<(), Error> {
        let begun = Instant::now();
        let step = self.step + 1;
        let tokens: u64 = batch.iter().map(|row| row.completion() as u64).sum();
        if tokens == 0 {
            let reason = format!(
                "it ends before step {step}: it must hold {} rows",
                self.request.steps * u64::from(self.request.batch_rows)
            );
            return Err(Error::model(&self.request.rows, reason));
        }
        let mut gradients = Gradients::default();
        let mut loss = 0.0;
        for (part, rows) in batch
            .chunks(self.request.micro_batch_rows.max(1) as usize)
            .enumerate()
        {
            let rows: Vec<&Tokens> = rows.iter().collect();
            let mut dropout = Dropout::new(self.request.lora.dropout, self.request.seed, step, part as u64);
            // The mean over the step's tokens, not of the parts' means: a short answer counts no more than a long one's words.
            let sum = (self.model.losses(&rows, Some(&mut dropout))?.sum_all()? / tokens as f64)?;
            loss += f64::from(sum.to_scalar::<f32>()?);
            gradients.add(&self.optimizer.trained, &sum.backward()?)?;
        }
        let norm = gradients.norm()?;
        if !loss.is_finite() || !norm.is_finite() {
            return Err(Error::Diverged { step });
        }
        let rate = learning_rate(
            self.request.learning_rate,
            self.request.warmup,
            step,
            self.request.steps,
        );
        let scale = (self.request.max_grad_norm / (norm + 1e-6)).min(1.0);
        self.optimizer.update(gradients, scale, rate)?;
        self.step = step;
        (self.tell)(Event::Step {
            step,
            loss,
            learning_rate: rate,
            grad_norm: norm,
            tokens,
            seconds: begun.elapsed().as_secs_f64(),
        });
        Ok(())
    }

    /// Measures the validation rows; `None` without any. The best weights so far are kept at once.
    fn validate(&mut self) -> Result<Option<Verdict>, Error> {
        let Some(file) = &self.request.validation else {
            return Ok(None);
        };
        let mut rows = Rows::open(file, self.text, self.request.max_tokens)?;
        let (mut sum, mut tokens) = (0.0, 0u64);
        loop {
            let part = rows.take(self.request.micro_batch_rows)?;
            if part.is_empty() {
                break;
            }
            let part: Vec<&Tokens> = part.iter().collect();
            sum += f64::from(self.model.losses(&part, None)?.sum_all()?.to_scalar::<f32>()?);
            tokens += part.iter().map(|row| row.completion() as u64).sum::<u64>();
        }
        if tokens == 0 {
            return Ok(None);
        }
        let loss = sum / tokens as f64;
        if !loss.is_finite() {
            return Err(Error::Diverged { step: self.step });
        }
        (self.tell)(Event::Validation {
            step: self.step,
            loss,
            tokens,
        });
        let verdict = self.stopping.measured(self.step, loss);
        if verdict == Verdict::Best {
            self.write_weights()?;
        }
        Ok(Some(verdict))
    }

    fn checkpoint(&mut self, checkpoints: &Path) -> Result<(), Error> {
        let progress = Progress {
            step: self.step,
            stopping: self.stopping,
            request: self.stored.clone(),
        };
        checkpoint::write(
            checkpoints,
            &progress,
            &self.optimizer,
            self.request.keep_checkpoints,
        )?;
        (self.tell)(Event::Checkpoint { step: self.step });
        Ok(())
    }

    /// Has the best weights in place; returns their step.
    fn keep(&mut self) -> Result<u64, Error> {
        match self.stopping.best() {
            Some((step, _)) => Ok(step),
            None => {
                self.write_weights()?;
                Ok(self.step)
            }
        }
    }

    fn write_weights(&self) -> Result<(), Error> {
        let request = self.request;
        match request.method {
            Method::Lora => place(&request.out.join(ADAPTER), |folder| {
                peft::write(&self.model, &request.lora, &request.base, folder)
            }),
            Method::Full => place(&request.out.join(MODEL), |folder| {
                whole::write(&self.model, self.text, &request.base, folder)
            }),
        }
    }
}

/// Has a folder written beside its place, and on the disk before it takes that. What a power cut leaves there is whole or missing; a training that
/// resumes from a checkpoint before it writes it again.
fn place(folder: &Path, write: impl FnOnce(&Path) -> Result<(), Error>) -> Result<(), Error> {
    let part = folder.with_extension("part");
    if part.exists() {
        std::fs::remove_dir_all(&part).map_err(Error::io(&part))?;
    }
    write(&part)?;
    for entry in std::fs::read_dir(&part).map_err(Error::io(&part))? {
        let file = entry.map_err(Error::io(&part))?.path();
        let synced = File::open(&file).and_then(|file| file.sync_all());
        synced.map_err(Error::io(&file))?;
    }
    if folder.exists() {
        std::fs::remove_dir_all(folder).map_err(Error::io(folder))?;
    }
    std::fs::rename(&part, folder).map_err(Error::io(folder))?;
    let parent = folder.parent().unwrap_or(folder);
    let synced = File::open(parent).and_then(|folder| folder.sync_all());
    synced.map_err(Error::io(parent))
}

/// Most memory that this process has held, in bytes; 0 where the system does not say.
fn peak_memory_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok());
    kib.unwrap_or_default() * 1024
}
