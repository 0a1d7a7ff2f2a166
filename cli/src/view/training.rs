//! A training on the screen.

use gristmill_domain::words::{duration, thousands};
use gristmill_ports::trainer::Event;
use tokio::time::Instant;

use super::{LOOK_EVERY, PLAIN_EVERY, View};
use crate::args::ProgressStyle;

/// What is shown of a training while it goes on.
pub(crate) struct TrainingView {
    view: View,
    /// What it has cost, earlier starts included.
    usd: f64,
    steps: u64,
    step: u64,
    /// Seconds of the steps of this start, and how many.
    seconds: f64,
    done: u64,
    loss: Option<f64>,
    validation: Option<f64>,
    learning_rate: f64,
    said: Option<Instant>,
}

impl View {
    /// Shows a training.
    pub(crate) fn training(&self) -> TrainingView {
        TrainingView {
            view: self.clone(),
            usd: 0.0,
            steps: 0,
            step: 0,
            seconds: 0.0,
            done: 0,
            loss: None,
            validation: None,
            learning_rate: 0.0,
            said: None,
        }
    }
}

impl TrainingView {
    /// Takes in what happened and what the training has cost by then, and shows it where it is due.
    pub(crate) fn take(&mut self, event: &Event, usd: f64) {
        self.usd = usd;
        match event {
            Event::Start {
                steps,
                resumed,
                trainable,
                ..
            } => {
                (self.steps, self.step) = (*steps, *resumed);
                if *resumed > 0 {
                    self.view
                        .say(&format!("resuming behind step {resumed} of {steps}"));
                }
                self.view
                    .say(&format!("training {} parameters", thousands(*trainable)));
            }
            Event::Step {
                step,
                loss,
                learning_rate,
                seconds,
                ..
            } => {
                self.step = *step;
                self.done += 1;
                self.seconds += seconds;
                self.learning_rate = *learning_rate;
                // One step's loss jumps with its rows: the mean of about the last ten is shown.
                self.loss = Some(self.loss.map_or(*loss, |mean| mean + (loss - mean) * 0.1));
                self.show(false);
            }
            Event::Validation { step, loss, .. } => {
                self.validation = Some(*loss);
                self.step = *step;
                self.show(true);
            }
            Event::Checkpoint { .. } => {}
            Event::Done { .. } => self.view.clear(),
        }
    }

    fn show(&mut self, always: bool) {
        let (bar, every) = match self.view.style {
            ProgressStyle::None => return,
            ProgressStyle::Bar => (true, LOOK_EVERY),
            ProgressStyle::Plain | ProgressStyle::Auto => (false, PLAIN_EVERY),
        };
        if !always && self.said.is_some_and(|said| said.elapsed() < every) {
            return;
        }
        self.said = Some(Instant::now());
        let mut line = format!("step={}/{}", self.step, self.steps);
        let mut add = |name: &str, value: String| line.push_str(&format!(" {name}={value}"));
        if let Some(loss) = self.loss {
            add("loss", format!("{loss:.4}"));
        }
        if let Some(loss) = self.validation {
            add("validation_loss", format!("{loss:.4}"));
        }
        if self.done > 0 {
            let each = self.seconds / self.done as f64;
            add("learning_rate", format!("{:.1e}", self.learning_rate));
            add("rate", format!("{:.1}/min", 60.0 / each.max(1e-6)));
            if self.usd > 0.0 {
                add("spent", format!("${:.2}", self.usd));
            }
            let left = each * self.steps.saturating_sub(self.step) as f64;
            add("eta", duration(left as u64));
        }
        match bar {
            true => self.view.screen.draw(format!("training {line}")),
            false => {
                let time = jiff::Timestamp::now().strftime("%H:%M:%SZ");
                self.view.say(&format!("{time} progress work=training {line}"));
            }
        }
    }
}
