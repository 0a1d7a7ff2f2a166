//! Where rows are read from.

use std::collections::BTreeSet;

use gristmill_coordinator::{Error, SeedStore, Start, specs};
use gristmill_domain::job::EmbedSource;
use gristmill_ports::blob::Blobs;
use tokio::runtime::Handle;

/// A run's journal, with what the rows in it rest on.
pub struct Source<'a> {
    /// The run's state.
    pub state: &'a dyn Blobs,
    /// What it was started with.
    pub start: &'a Start,
    /// Its real rows.
    pub seeds: &'a SeedStore,
    /// Drives the reads, which are asynchronous, from the blocking thread that the index is called on.
    pub runtime: Handle,
}

impl Source<'_> {
    /// Names that begin so, in order.
    pub(crate) fn list(&self, prefix: &str) -> Result<Vec<String>, Error> {
        Ok(self.runtime.block_on(self.state.list(prefix))?)
    }

    /// Reads a blob.
    pub(crate) fn read(&self, name: &str) -> Result<Vec<u8>, Error> {
        Ok(self.runtime.block_on(self.state.read(name))?)
    }

    /// True where the run embeds texts by a model; elsewhere texts are compared by their words.
    pub(crate) fn embeds(&self) -> bool {
        match self.start.job.embed.source() {
            EmbedSource::Off => false,
            EmbedSource::Local(_) => true,
        }
    }

    /// Models of the job whose price is unknown.
    pub(crate) fn unpriced(&self) -> BTreeSet<String> {
        specs(&self.start.job)
            .filter(|spec| spec.price().is_none())
            .map(|spec| spec.name())
            .collect()
    }
}
