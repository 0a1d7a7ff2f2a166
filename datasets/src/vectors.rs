//! Vectors of rows: from a field, from an embedding model, or from their words.

use std::sync::Arc;

use anyhow::{Context, bail};
use gristmill_measure::hashed;
use gristmill_ports::model::Embedder;

use super::fields::{self, Object};
use super::task::Task;

/// Texts embedded together.
pub(crate) const BATCH: usize = 256;

/// How texts become vectors.
#[derive(Debug, Clone)]
pub struct VectorOptions {
    /// Embedding model: a name of the catalogue, or a folder with its files. `words` hashes words instead and needs no model.
    pub embed: String,
    /// Field that holds each row's vector, a list of numbers; nothing is embedded then.
    pub vectors: Option<String>,
    /// Name of the model that made the vectors in that field, for the figures.
    pub vectors_of: Option<String>,
}

/// Where vectors come from.
pub(crate) struct Vectorizer {
    how: How,
    model: String,
    dimensions: Option<usize>,
}

enum How {
    Field(String),
    Model(Arc<dyn Embedder>),
    Words,
}

impl Vectorizer {
    /// What the arguments name; a model is loaded, and fetched where it is not there yet.
    pub(crate) fn open(args: &VectorOptions, task: &Task) -> anyhow::Result<Self> {
        if let Some(field) = &args.vectors {
            return Ok(Self {
                model: args
                    .vectors_of
                    .clone()
                    .unwrap_or_else(|| format!("field `{field}`")),
                how: How::Field(field.clone()),
                dimensions: None,
            });
        }
        if args.embed == "words" {
            return Ok(Self::of_words());
        }
        let loading = task.host.embedder(&args.embed);
        let embedder = task.runtime.block_on(loading).with_context(|| {
            format!(
                "no vectors by `{}`: name another model with `--embed`, or `--embed words`",
                args.embed
            )
        })?;
        Ok(Self {
            model: embedder.model().to_owned(),
            dimensions: Some(embedder.dimensions()),
            how: How::Model(embedder),
        })
    }

    /// Vectors of words.
    pub(crate) fn of_words() -> Self {
        Self {
            how: How::Words,
            model: hashed::NAME.to_owned(),
            dimensions: Some(hashed::DIMENSIONS),
        }
    }

    /// Name of the model, for the figures.
    pub(crate) fn model(&self) -> &str {
        &self.model
    }

    /// What a row brings for its vector, so that the row itself need not be held.
    pub(crate) fn take(&self, row: &Object) -> Result<Option<Vec<f32>>, String> {
        match &self.how {
            How::Field(field) => {
                let vector = fields::vector(row, field)?;
                match unit(vector) {
                    Some(vector) => Ok(Some(vector)),
                    None => Err(format!("the vector in field `{field}` is all zeros or too large")),
                }
            }
            How::Model(_) | How::Words => Ok(None),
        }
    }

    /// A unit vector for each text; `own` holds what [`Self::take`] brought.
    pub(crate) fn vectors(
        &mut self,
        texts: &[String],
        own: Vec<Option<Vec<f32>>>,
        task: &Task,
    ) -> anyhow::Result<Vec<Vec<f32>>> {
        let vectors: Vec<Vec<f32>> = match &self.how {
            How::Field(_) => own.into_iter().flatten().collect(),
            How::Model(embedder) => task.runtime.block_on(embedder.embed(texts))?.vectors,
            How::Words => texts.iter().map(|text| hashed::of(text)).collect(),
        };
        for vector in &vectors {
            let expected = *self.dimensions.get_or_insert(vector.len());
            if vector.len() != expected {
                bail!(
                    "a vector has {} numbers where others have {expected}: all must come from one model",
                    vector.len()
                );
            }
        }
        Ok(vectors)
    }
}

/// Vectors of texts that stand in no table, by a model or by their words.
pub struct TextVectors(Vectorizer);

impl std::fmt::Debug for TextVectors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("TextVectors").field(&self.model()).finish()
    }
}

impl TextVectors {
    /// Loads an embedding model: a name of the catalogue, or a folder with its files. `words` hashes words instead and needs no model.
    ///
    /// # Errors
    /// A model that cannot be fetched or loaded.
    pub fn open(embed: &str, task: &Task) -> anyhow::Result<Self> {
        let options = VectorOptions {
            embed: embed.to_owned(),
            vectors: None,
            vectors_of: None,
        };
        Vectorizer::open(&options, task).map(Self)
    }

    /// Name of the model.
    pub fn model(&self) -> &str {
        self.0.model()
    }

    /// A unit vector for each text.
    ///
    /// # Errors
    /// A model that fails.
    pub fn vectors(&mut self, texts: &[String], task: &Task) -> anyhow::Result<Vec<Vec<f32>>> {
        self.0.vectors(texts, vec![None; texts.len()], task)
    }
}

/// The vector at length 1; `None` where it has no direction.
fn unit(mut vector: Vec<f32>) -> Option<Vec<f32>> {
    let square: f64 = vector.iter().map(|&x| f64::from(x) * f64::from(x)).sum();
    if !(square.is_finite() && square > 0.0) {
        return None;
    }
    let scale = square.sqrt().recip();
    for x in &mut vector {
        *x = (f64::from(*x) * scale) as f32;
    }
    Some(vector)
}
