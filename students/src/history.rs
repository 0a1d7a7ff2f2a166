//! What happened while a student was trained.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::ops::Add;
use std::time::Instant;

use gristmill_ports::trainer::{End, Event};
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::folder::Folder;

/// The events of all starts of a training, the repeated steps of a resumed one only once.
#[derive(Debug, Default)]
pub struct History {
    /// Steps in their order.
    pub steps: Vec<Step>,
    /// Step and loss of the validation rows.
    pub validation: Vec<(u64, f64)>,
    /// How it ended.
    pub done: Option<Done>,
    /// Seconds and dollars of all starts that have ended, repeated steps included.
    before: Cost,
    /// Those of the last start, as far as it told.
    last: Cost,
}

/// What training took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    /// Seconds by the clock, loading and validation included.
    pub seconds: f64,
    /// Dollars, at the price of the start that took them.
    pub usd: f64,
}

impl Add for Cost {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            seconds: self.seconds + other.seconds,
            usd: self.usd + other.usd,
        }
    }
}

/// An event as it is stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Stored {
    /// What the start had taken by then.
    cost: Cost,
    #[serde(flatten)]
    event: Event,
}

/// One step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    /// From 1.
    pub step: u64,
    /// Of the rows, before its update, in nats a token.
    pub loss: f64,
    /// Its learning rate.
    pub learning_rate: f64,
}

/// How a training ended.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Done {
    /// The step whose weights were kept.
    pub best_step: u64,
    /// Why it ended.
    pub reason: End,
    /// Most memory of the process, in bytes.
    pub peak_memory_bytes: u64,
}

impl History {
    /// Reads a folder's events; an unfinished last line is passed over.
    ///
    /// # Errors
    /// [`Error::Io`], and [`Error::Damaged`] for a line in the middle that is no event.
    pub fn read(folder: &Folder) -> Result<Self, Error> {
        let path = folder.events();
        let mut history = Self::default();
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(history),
            Err(error) => return Err(Error::io(&path)(error)),
        };
        let mut unfinished = None;
        for (number, line) in BufReader::new(file).lines().enumerate() {
            if let Some(reason) = unfinished.take() {
                return Err(Error::Damaged { path, reason });
            }
            let line = line.map_err(Error::io(&path))?;
            match serde_json::from_str::<Stored>(&line) {
                Ok(stored) => {
                    history.take(&stored.event);
                    history.last = stored.cost;
                }
                Err(error) => unfinished = Some(format!("line {}: {error}", number + 1)),
            }
        }
        Ok(history)
    }

    fn take(&mut self, event: &Event) {
        match event {
            Event::Start { resumed, .. } => {
                self.before = self.cost();
                self.last = Cost::default();
                // What was done behind the checkpoint is done again.
                self.steps.retain(|step| step.step <= *resumed);
                self.validation.retain(|(step, _)| step <= resumed);
                if *resumed == 0 {
                    self.validation.clear();
                }
                self.done = None;
            }
            Event::Step {
                step,
                loss,
                learning_rate,
                ..
            } => self.steps.push(Step {
                step: *step,
                loss: *loss,
                learning_rate: *learning_rate,
            }),
            Event::Validation { step, loss, .. } => self.validation.push((*step, *loss)),
            Event::Checkpoint { .. } => {}
            Event::Done {
                best_step,
                reason,
                peak_memory_bytes,
                ..
            } => {
                self.done = Some(Done {
                    best_step: *best_step,
                    reason: *reason,
                    peak_memory_bytes: *peak_memory_bytes,
                });
            }
        }
    }

    /// What all starts took together.
    pub fn cost(&self) -> Cost {
        self.before + self.last
    }

    /// The validation loss before the first step, and the lowest.
    pub fn validation_change(&self) -> Option<(f64, f64)> {
        let first = self.validation.first()?.1;
        let lowest = self
            .validation
            .iter()
            .map(|(_, loss)| *loss)
            .fold(first, f64::min);
        Some((first, lowest))
    }
}

/// Writes events behind those of earlier starts.
#[derive(Debug)]
pub struct Recorder {
    file: File,
    folder: Folder,
    began: Instant,
    usd_per_hour: f64,
}

impl Recorder {
    /// Opens a folder's events, from now on at this price of an hour. An unfinished last line of a start that was killed is taken off.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn open(folder: &Folder, usd_per_hour: f64) -> Result<Self, Error> {
        let path = folder.events();
        if let Ok(text) = std::fs::read(&path)
            && let whole = text
                .iter()
                .rposition(|byte| *byte == b'\n')
                .map_or(0, |at| at + 1)
            && whole < text.len()
        {
            let cut = OpenOptions::new().write(true).open(&path);
            cut.and_then(|file| file.set_len(whole as u64))
                .map_err(Error::io(&path))?;
        }
        let file = OpenOptions::new().create(true).append(true).open(&path);
        Ok(Self {
            file: file.map_err(Error::io(&path))?,
            folder: folder.clone(),
            began: Instant::now(),
            usd_per_hour,
        })
    }

    /// Writes an event; returns what this start has taken so far.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn record(&mut self, event: Event) -> Result<Cost, Error> {
        let path = self.folder.events();
        let seconds = self.began.elapsed().as_secs_f64();
        let cost = Cost {
            seconds,
            usd: seconds / 3600.0 * self.usd_per_hour,
        };
        let stored = Stored { cost, event };
        let mut line = serde_json::to_vec(&stored).map_err(|error| Error::io(&path)(error.into()))?;
        line.push(b'\n');
        self.file.write_all(&line).map_err(Error::io(&path))?;
        Ok(cost)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(step: u64, loss: f64) -> Event {
        Event::Step {
            step,
            loss,
            learning_rate: 1e-4,
            grad_norm: 1.0,
            tokens: 10,
            seconds: 2.0,
        }
    }

    fn start(resumed: u64) -> Event {
        Event::Start {
            steps: 4,
            resumed,
            trainable: 5,
            tokens: 0,
        }
    }

    #[test]
    fn steps_that_a_resumed_start_repeats_count_once_and_a_cut_line_is_taken_off() {
        let folder = tempfile::tempdir().unwrap();
        let folder = Folder::create(folder.path()).unwrap();
        let mut spent = Vec::new();
        let mut recorder = Recorder::open(&folder, 3600.0).unwrap();
        let validation = |step, loss| Event::Validation {
            step,
            loss,
            tokens: 9,
        };
        for event in [
            start(0),
            validation(0, 3.0),
            step(1, 2.0),
            step(2, 1.9),
            validation(2, 2.5),
            step(3, 1.8),
        ] {
            spent.push(recorder.record(event).unwrap().usd);
        }
        drop(recorder);
        let mut file = OpenOptions::new().append(true).open(folder.events()).unwrap();
        file.write_all(b"{\"event\":\"st").unwrap();
        assert_eq!(History::read(&folder).unwrap().steps.len(), 3);
        let mut recorder = Recorder::open(&folder, 3600.0).unwrap();
        for event in [start(2), step(3, 1.8), step(4, 1.7)] {
            spent.push(recorder.record(event).unwrap().usd);
        }
        let history = History::read(&folder).unwrap();
        let told = spent[5] + spent[8];
        assert!(
            told > 0.0 && (history.cost().usd - told).abs() < 1e-9,
            "both starts count, repeated steps included"
        );
        let steps: Vec<u64> = history.steps.iter().map(|step| step.step).collect();
        assert_eq!(steps, [1, 2, 3, 4]);
        assert_eq!(history.validation_change(), Some((3.0, 2.5)));
    }

    #[test]
    fn a_damaged_line_in_the_middle_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let folder = Folder::create(folder.path()).unwrap();
        std::fs::write(folder.events(), "nonsense\n{}\n").unwrap();
        let told = History::read(&folder).unwrap_err().to_string();
        assert!(told.contains("events.jsonl") && told.contains("line 1"), "{told}");
    }
}
