//! Embeds what is known before anything is generated: seeds, what concepts are known by, passages of documents.
//!
//! Each is embedded by tasks like any other, one kind after the other; their places within the preparation follow each other, so that a
//! task names the same texts at every start.

use gristmill_domain::amount::Amount;
use gristmill_domain::row::Row;
use gristmill_domain::work::{Address, Output, Report, StageCall, Task, Work};
use tokio::sync::watch;

use crate::Error;
use crate::engine::{Brought, Producer};
use crate::progress::Progress;
use crate::setup::Setup;

/// Texts by their place, and what becomes of their vectors.
pub(crate) trait Texts: Send {
    /// How many there are.
    fn len(&self) -> u64;

    /// One of them.
    fn text(&self, place: u64) -> Result<String, Error>;

    /// Takes the vector of one; each comes once, in no order.
    fn take(&mut self, place: u64, vector: Vec<f32>);
}

/// Wants every text embedded, in batches in their order.
pub(crate) struct Preparation<'a, T> {
    setup: &'a Setup,
    texts: T,
    batch: u64,
    /// Batches of what was embedded before.
    first: u64,
    next: u64,
    batches: u64,
    missing: u64,
    progress: &'a watch::Sender<Progress>,
}

impl<'a, T: Texts> Preparation<'a, T> {
    /// After so many batches of other texts; each text that has its vector is counted in `progress`.
    pub(crate) fn new(setup: &'a Setup, texts: T, first: u64, progress: &'a watch::Sender<Progress>) -> Self {
        let batch = u64::from(setup.job.embed.batch.max(1));
        let batches = texts.len().div_ceil(batch);
        Self {
            setup,
            texts,
            batch,
            first,
            next: 0,
            batches,
            missing: batches,
            progress,
        }
    }

    /// The texts, and the number of batches that are embedded by now.
    pub(crate) fn into_texts(self) -> (T, u64) {
        (self.texts, self.first + self.batches)
    }

    /// Places of a batch's texts.
    fn members(&self, batch: u64) -> std::ops::Range<u64> {
        batch * self.batch..((batch + 1) * self.batch).min(self.texts.len())
    }
}

impl<T: Texts> Producer for Preparation<'_, T> {
    fn next_tasks(&mut self, room: usize) -> Result<Vec<Task>, Error> {
        let mut tasks = Vec::new();
        while tasks.len() < room && self.next < self.batches {
            let address = Address {
                round: Address::PREPARATION,
                index: self.first + self.next,
                step: StageCall::EMBED,
            };
            let texts = self.members(self.next).map(|place| self.texts.text(place));
            let work = Work::Embed {
                texts: texts.collect::<Result<_, Error>>()?,
            };
            let model = self.setup.job.embed.model.clone();
            tasks.push(Task {
                id: address.task_id(self.setup.run),
                address,
                model,
                needs: Vec::new(),
                work,
            });
            self.next += 1;
        }
        Ok(tasks)
    }

    fn absorb(&mut self, address: Address, brought: Brought, _cost: Amount) -> Result<(), Error> {
        let members = self.members(address.index - self.first);
        match brought {
            Ok(Report {
                output: Output::Vectors(vectors),
                ..
            }) if vectors.len() as u64 == members.end - members.start => {
                self.progress
                    .send_modify(|progress| progress.embedded.0 += members.end - members.start);
                for (place, vector) in members.zip(vectors) {
                    self.texts.take(place, vector);
                }
                self.missing -= 1;
                Ok(())
            }
            Ok(_) => Err(Error::Embedding {
                reason: "a batch did not bring one vector a text".into(),
            }),
            Err(failure) => Err(Error::Embedding {
                reason: failure.to_string(),
            }),
        }
    }

    fn take_rows(&mut self) -> Vec<(Row, Option<Vec<f32>>)> {
        Vec::new()
    }

    fn finished(&self) -> bool {
        self.missing == 0
    }
}
