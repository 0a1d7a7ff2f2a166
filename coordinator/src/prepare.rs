//! Embeds the seeds, and what concepts are known by, before anything is generated from them.

use gristmill_domain::amount::Amount;
use gristmill_domain::row::Row;
use gristmill_domain::work::{Address, Output, Report, Step, Task, Work};

use crate::Error;
use crate::engine::{Brought, Producer};
use crate::recipe::Recipe;
use crate::seeds::SeedStore;

/// Wants every seed's question embedded, in batches in the order of the seeds, then the texts of concepts.
pub(crate) struct Preparation<'a> {
    recipe: &'a Recipe,
    seeds: &'a SeedStore,
    batch: u64,
    next: u64,
    batches: u64,
    /// Batches of seeds come first.
    seed_batches: u64,
    texts: Vec<String>,
    vectors: Vec<Vec<f32>>,
    missing: u64,
}

impl<'a> Preparation<'a> {
    pub(crate) fn new(recipe: &'a Recipe, seeds: &'a SeedStore, texts: Vec<String>) -> Self {
        let batch = u64::from(recipe.job.embed.batch.max(1));
        let seed_batches = seeds.len().div_ceil(batch);
        let batches = seed_batches + (texts.len() as u64).div_ceil(batch);
        Self {
            recipe,
            seeds,
            batch,
            next: 0,
            batches,
            seed_batches,
            vectors: vec![Vec::new(); seeds.len() as usize + texts.len()],
            texts,
            missing: batches,
        }
    }

    /// One vector a seed, in their order, and one a text.
    pub(crate) fn into_vectors(mut self) -> (Vec<Vec<f32>>, Vec<Vec<f32>>) {
        let texts = self.vectors.split_off(self.seeds.len() as usize);
        (self.vectors, texts)
    }

    /// Places of a batch's vectors: seeds by their ordinals, texts behind them.
    fn members(&self, batch: u64) -> std::ops::Range<u64> {
        let seeds = self.seeds.len();
        if batch < self.seed_batches {
            return batch * self.batch..((batch + 1) * self.batch).min(seeds);
        }
        let first = seeds + (batch - self.seed_batches) * self.batch;
        first..(first + self.batch).min(seeds + self.texts.len() as u64)
    }

    fn text(&self, place: u64) -> Result<String, Error> {
        match place.checked_sub(self.seeds.len()) {
            None => Ok(self.seeds.read(place)?.question),
            Some(text) => Ok(self.texts.get(text as usize).cloned().unwrap_or_default()),
        }
    }
}

impl Producer for Preparation<'_> {
    fn next_tasks(&mut self, room: usize) -> Result<Vec<Task>, Error> {
        let mut tasks = Vec::new();
        while tasks.len() < room && self.next < self.batches {
            let address = Address {
                round: Address::PREPARATION,
                index: self.next,
                step: Step::Embed,
            };
            let texts = self.members(self.next).map(|place| self.text(place));
            let work = Work::Embed {
                texts: texts.collect::<Result<_, Error>>()?,
            };
            let model = self.recipe.job.embed.model.clone();
            tasks.push(Task {
                id: address.task_id(self.recipe.run),
                address,
                model,
                work,
            });
            self.next += 1;
        }
        Ok(tasks)
    }

    fn absorb(&mut self, address: Address, brought: Brought, _cost: Amount) -> Result<(), Error> {
        let members = self.members(address.index);
        match brought {
            Ok(Report {
                output: Output::Vectors(vectors),
                ..
            }) if vectors.len() as u64 == members.end - members.start => {
                for (ordinal, vector) in members.zip(vectors) {
                    self.vectors[ordinal as usize] = vector;
                }
                self.missing -= 1;
                Ok(())
            }
            Ok(_) => Err(Error::Embedding {
                reason: "a batch did not bring one vector a text".into(),
            }),
            Err(reason) => Err(Error::Embedding { reason }),
        }
    }

    fn take_rows(&mut self) -> Vec<(Row, Option<Vec<f32>>)> {
        Vec::new()
    }

    fn finished(&self) -> bool {
        self.missing == 0
    }
}
