//! The figures of one set of rows.

use std::num::NonZeroUsize;

use gristmill_measure::clusters::{ClusterEntropy, Clusters};
use gristmill_measure::coverage::{Coverage, coverage};
use gristmill_measure::dcscore::{self, AtFixedSize, Draws, at_fixed_size, blocked};
use gristmill_measure::novelsum::{self, NovelSum};
use gristmill_measure::spread::{Spread, spread};
use gristmill_measure::vendi::{Vendi, vendi};
use gristmill_measure::words::{WordCounts, Wording};
use gristmill_measure::{Error, Vectors};
use serde::Serialize;

use crate::sample::Sample;

/// Rows under which a set is only counted: it has nothing to compare.
pub(super) const LEAST: usize = 10;

/// What figures depend on.
pub(super) struct Settings {
    pub(super) dcscore: Vec<dcscore::Settings>,
    pub(super) draws: Draws,
    pub(super) orders: Vec<f64>,
    pub(super) threads: NonZeroUsize,
}

/// Real rows, with clusters fitted on them.
pub(super) struct Reference<'a> {
    pub(super) vectors: &'a Vectors,
    pub(super) k: usize,
    pub(super) clusters: Clusters,
}

/// All figures of a set; each says what it depends on.
#[derive(Debug, Serialize)]
pub(super) struct Figures {
    pub(super) n: usize,
    pub(super) dcscore: Vec<Score>,
    pub(super) dcscore_at_fixed_n: Vec<AtFixedSize>,
    pub(super) novelsum: Option<NovelSum>,
    pub(super) vendi: Vec<Vendi>,
    pub(super) spread: Option<Spread>,
    pub(super) words: Option<Wording>,
    pub(super) against_real: Option<Against>,
}

/// A DCScore without its share for every row.
#[derive(Debug, Serialize)]
pub(super) struct Score {
    pub(super) value: f64,
    pub(super) n: usize,
    #[serde(flatten)]
    pub(super) settings: dcscore::Settings,
    pub(super) model: String,
}

/// A set beside the real rows.
#[derive(Debug, Serialize)]
pub(super) struct Against {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) coverage: Option<Coverage>,
    pub(super) clusters: ClusterEntropy,
}

impl Figures {
    /// Measures the rows named; a figure that needs more rows than there are is left out.
    pub(super) fn measure(
        sample: &Sample,
        rows: &[usize],
        reference: Option<&Reference<'_>>,
        settings: &Settings,
    ) -> Result<Self, Error> {
        let mut words = WordCounts::default();
        for &row in rows {
            words.add(&sample.items[row].text);
        }
        let mut figures = Self {
            n: rows.len(),
            dcscore: Vec::new(),
            dcscore_at_fixed_n: Vec::new(),
            novelsum: None,
            vendi: Vec::new(),
            spread: None,
            words: sample.worded.then(|| words.figures()),
            against_real: None,
        };
        if rows.len() < LEAST.min(sample.items.len()) {
            return Ok(figures);
        }
        let vectors = sample.vectors.select(rows)?;
        for score in &settings.dcscore {
            let found = blocked(&vectors, *score, settings.threads)?;
            figures.dcscore.push(Score {
                value: found.value,
                n: found.n,
                settings: found.settings,
                model: found.model,
            });
            if rows.len() >= settings.draws.size {
                let found = at_fixed_size(&vectors, *score, settings.draws, settings.threads)?;
                figures.dcscore_at_fixed_n.push(found);
            }
        }
        let by_novelty = novelsum::Settings::default();
        let real = reference.map(|reference| reference.vectors);
        let among = real.map_or(rows.len().saturating_sub(1), Vectors::len);
        if rows.len() >= settings.draws.size && settings.draws.size >= 2 && among >= by_novelty.neighbors {
            figures.novelsum = Some(novelsum::at_fixed_size(
                &vectors,
                real,
                by_novelty,
                settings.draws,
                settings.threads,
            )?);
        }
        let kernel = settings
            .dcscore
            .first()
            .map(|score| score.kernel)
            .unwrap_or_default();
        figures.vendi = match vendi(&vectors, kernel, &settings.orders, settings.threads) {
            Ok(found) => found,
            // With other kernels than cosine it needs all pairs at once.
            Err(Error::TooMany { .. }) => Vec::new(),
            Err(error) => return Err(error),
        };
        if rows.len() >= 2 {
            figures.spread = Some(spread(&vectors, settings.threads)?);
        }
        if let Some(reference) = reference {
            let enough = rows.len().min(reference.vectors.len()) > reference.k;
            figures.against_real = Some(Against {
                coverage: if enough {
                    Some(coverage(
                        reference.vectors,
                        vectors.as_vectors(),
                        reference.k,
                        settings.threads,
                    )?)
                } else {
                    None
                },
                clusters: reference
                    .clusters
                    .entropy(vectors.as_vectors(), settings.threads)?,
            });
        }
        Ok(figures)
    }
}
