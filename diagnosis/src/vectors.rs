//! Vectors of questions: by a model, or of their words.

use gristmill_measure::hashed;
use gristmill_ports::model::Embedder;
use tokio::runtime::Handle;

use crate::Error;

/// Texts embedded together.
const BATCH: usize = 256;

/// Where vectors come from.
pub(crate) struct Vectors<'a> {
    runtime: &'a Handle,
    embedder: Option<&'a dyn Embedder>,
    dimensions: usize,
}

impl<'a> Vectors<'a> {
    pub(crate) fn new(runtime: &'a Handle, embedder: Option<&'a dyn Embedder>) -> Self {
        Self {
            dimensions: embedder.map_or(hashed::DIMENSIONS, Embedder::dimensions),
            runtime,
            embedder,
        }
    }

    /// Name of the model.
    pub(crate) fn model(&self) -> &str {
        self.embedder.map_or(hashed::NAME, Embedder::model)
    }

    /// Length of a vector.
    pub(crate) fn dimensions(&self) -> usize {
        self.dimensions
    }

    /// The vectors of texts, one after the other.
    pub(crate) fn of(&self, texts: &[String]) -> Result<Vec<f32>, Error> {
        let Some(embedder) = self.embedder else {
            return Ok(texts.iter().flat_map(|text| hashed::of(text)).collect());
        };
        let mut all = Vec::with_capacity(texts.len() * self.dimensions);
        for part in texts.chunks(BATCH) {
            let vectors = self.runtime.block_on(embedder.embed(part))?.vectors;
            let fits =
                vectors.len() == part.len() && vectors.iter().all(|vector| vector.len() == self.dimensions);
            if !fits {
                return Err(Error::Vectors {
                    model: embedder.model().to_owned(),
                });
            }
            all.extend(vectors.into_iter().flatten());
        }
        Ok(all)
    }
}
