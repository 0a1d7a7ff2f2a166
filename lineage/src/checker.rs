//! Looks for held-out rows in what is trained on: by where a row came from, by words, and by meaning.

use std::collections::{HashMap, HashSet};

use gristmill_dataset::{DatasetRow, Origin, Split};
use gristmill_datasets::{HeldOutItems, LeakThreshold, Task, TextVectors};
use gristmill_domain::filter::decontaminate::How;
use gristmill_domain::filter::leak;
use gristmill_domain::filter::text::exact_key;
use gristmill_domain::id::ContentId;
use gristmill_domain::seed::RowLocation;

use crate::error::Error;
use crate::generation::LeakCheck;
use crate::identity::{compared, content};
use crate::leaks::{Leak, LeakHow, Leaks};
use crate::source::TakeHeldOut;

/// Rows embedded together.
const BATCH: usize = 256;
/// Pairs that are kept to be shown.
const KEPT: usize = 1_000;

/// How held-out rows are looked for.
#[derive(Debug, Clone, PartialEq)]
pub struct LeakOptions {
    /// Words of a compared sequence.
    pub ngram: u32,
    /// Share of a held-out row that shared sequences must cover, 0 to 1; 0 is any of them.
    pub coverage: f64,
    /// Embedding model: a name of the catalogue, or a folder with its files; `words` hashes words instead. Nothing is compared by meaning
    /// where there is none.
    pub embed: Option<String>,
    /// Cosine from which a row counts as a held-out one in other words. [`LeakThreshold::Auto`] chooses it as a run does, by how close real
    /// training rows are to held-out ones (`gristmill_domain::filter::leak`); of real rows, which cannot be dropped, it is then
    /// [`leak::SAFE`].
    pub cosine: LeakThreshold,
}

impl Default for LeakOptions {
    /// The rule of Tülu 3 (Lambert et al. 2024, arXiv 2411.15124), and no comparison by meaning.
    fn default() -> Self {
        Self {
            ngram: 8,
            coverage: 0.5,
            embed: None,
            cosine: LeakThreshold::Auto,
        }
    }
}

/// A row that holds a held-out one, by its content.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    pub(crate) row: ContentId,
    pub(crate) id: String,
    pub(crate) real: bool,
    pair: Option<Leak>,
}

/// All of what was found, or a part of it.
pub(crate) fn told<'a>(found: impl IntoIterator<Item = &'a Found>) -> Leaks {
    let mut leaks = Leaks::default();
    for found in found {
        leaks.count += 1;
        leaks.pairs.extend(found.pair.clone());
    }
    leaks
}

/// A row to be compared by meaning.
struct Waiting {
    probe: Probe,
    text: String,
    /// The key of its text: of rows that ask what a real row asks, that one decides.
    asks: ContentId,
}

/// A row as it is named.
#[derive(Clone)]
struct Probe {
    row: ContentId,
    id: String,
    kind: &'static str,
    dataset: String,
}

impl Probe {
    /// `hash` is that of its [`content`].
    fn of(split: Split, row: &DatasetRow, hash: ContentId, dataset: &str) -> Self {
        Self {
            row: hash,
            id: row.id.clone(),
            kind: match (split, row.provenance.origin) {
                (Split::Validation, _) => VALIDATION,
                (_, Origin::Human) => ANCHOR,
                (_, Origin::Synthetic) => SYNTHETIC,
            },
            dataset: dataset.to_owned(),
        }
    }

    fn is_real(&self) -> bool {
        self.kind != SYNTHETIC
    }
}

const ANCHOR: &str = "anchor";
const SYNTHETIC: &str = "synthetic";
const VALIDATION: &str = "validation";

/// A row that may be a held-out one in other words; the threshold is not known before the last row.
struct Near {
    probe: Probe,
    asks: ContentId,
    item: u32,
    cosine: f64,
}

/// Looks for held-out rows.
pub(crate) struct Checker<'a> {
    task: &'a Task,
    options: &'a LeakOptions,
    items: HeldOutItems,
    /// What the items are, by their numbers.
    named: Vec<(Split, String)>,
    by_id: HashMap<String, u32>,
    by_content: HashMap<ContentId, u32>,
    vectors: Option<TextVectors>,
    waiting: Vec<Waiting>,
    near: Vec<Near>,
    /// What real rows ask, where meanings are compared.
    asked: HashSet<ContentId>,
    /// Cosines of real rows to their closest held-out row, by which the threshold is chosen.
    closest: Vec<f64>,
    found: Vec<Found>,
}

impl<'a> Checker<'a> {
    /// Reads held-out rows: `each` calls what it is given with each row of a split. Validation rows are compared with test rows.
    pub(crate) fn open(
        options: &'a LeakOptions,
        task: &'a Task,
        each: &mut dyn FnMut(Split, &mut TakeHeldOut<'_>) -> Result<(), Error>,
    ) -> Result<Self, Error> {
        let vectors = match (&options.embed, options.cosine) {
            (None, _) | (_, LeakThreshold::Off) => None,
            (Some(embed), _) => Some(TextVectors::open(embed, task)?),
        };
        let mut checker = Self {
            task,
            options,
            items: HeldOutItems::new(options.ngram as usize, options.coverage)?,
            named: Vec::new(),
            by_id: HashMap::new(),
            by_content: HashMap::new(),
            vectors,
            waiting: Vec::new(),
            near: Vec::new(),
            asked: HashSet::new(),
            closest: Vec::new(),
            found: Vec::new(),
        };
        for split in [Split::Test, Split::Validation] {
            if split == Split::Validation {
                each(split, &mut |row, dataset| {
                    checker.look(split, row, content(split, row), dataset)
                })?;
                checker.flush()?;
                checker.closest.clear();
                checker.asked.clear();
            }
            let mut batch = Vec::new();
            each(split, &mut |row, _| {
                checker.hold(split, row, &mut batch)?;
                if batch.len() >= BATCH {
                    checker.add(&mut batch)?;
                }
                Ok(())
            })?;
            checker.add(&mut batch)?;
        }
        Ok(checker)
    }

    fn hold(&mut self, split: Split, row: &DatasetRow, batch: &mut Vec<String>) -> Result<(), Error> {
        let number = u32::try_from(self.named.len())
            .map_err(|_| anyhow::anyhow!("more than 4,294,967,295 held-out rows are too many"))?;
        self.named.push((split, row.id.clone()));
        self.by_id.entry(row.id.clone()).or_insert(number);
        self.by_content.entry(content(split, row)).or_insert(number);
        batch.push(compared(split, row));
        Ok(())
    }

    fn add(&mut self, batch: &mut Vec<String>) -> Result<(), Error> {
        let vectors = match &mut self.vectors {
            Some(vectors) if !batch.is_empty() => Some(vectors.vectors(batch, self.task)?),
            _ => None,
        };
        for (number, text) in batch.drain(..).enumerate() {
            let place = RowLocation {
                file: String::new(),
                line: number as u64,
            };
            let vector = vectors.as_ref().and_then(|all| all.get(number));
            self.items.add(&place, &text, vector.map(Vec::as_slice))?;
        }
        Ok(())
    }

    /// Compares a row, with the hash of its content, with the held-out ones.
    pub(crate) fn look(
        &mut self,
        split: Split,
        row: &DatasetRow,
        hash: ContentId,
        dataset: &str,
    ) -> Result<(), Error> {
        let text = compared(split, row);
        let probe = Probe::of(split, row, hash, dataset);
        if let Some((item, how, value)) = self.by_origin(&probe, row).or(self.by_words(&text)?) {
            self.note(&probe, item, how, value);
            return Ok(());
        }
        if self.vectors.is_some() {
            let asks = exact_key(&[&text]);
            if probe.is_real() {
                self.asked.insert(asks);
            }
            self.waiting.push(Waiting { probe, text, asks });
            if self.waiting.len() >= BATCH {
                self.flush()?;
            }
        }
        Ok(())
    }

    /// Looks at where a row came from alone: one of the same content was compared already.
    pub(crate) fn look_at_origin(&mut self, split: Split, row: &DatasetRow, hash: ContentId, dataset: &str) {
        let probe = Probe::of(split, row, hash, dataset);
        if let Some((item, how, value)) = self.by_origin(&probe, row) {
            self.note(&probe, item, how, value);
        }
    }

    /// The held-out row that a row is, or was made from.
    fn by_origin(&self, probe: &Probe, row: &DatasetRow) -> Option<(u32, LeakHow, f64)> {
        let of = |id: &String| self.by_id.get(id).copied();
        if let Some(item) = self.by_content.get(&probe.row).copied().or_else(|| of(&row.id)) {
            return Some((item, LeakHow::SameRow, 1.0));
        }
        let parents = row.provenance.seed_id.iter().chain(&row.provenance.parents);
        parents
            .filter_map(of)
            .next()
            .map(|item| (item, LeakHow::Lineage, 1.0))
    }

    /// The held-out row whose words a text holds.
    fn by_words(&mut self, text: &str) -> Result<Option<(u32, LeakHow, f64)>, Error> {
        let found = self.items.asked_by_words(text)?;
        Ok(found.map(|found| match found.how {
            How::Equal => (found.item, LeakHow::SameWords, 1.0),
            How::Ngrams | How::Contained => (found.item, LeakHow::Words, found.coverage),
        }))
    }

    /// Compares what waits by its vectors.
    fn flush(&mut self) -> Result<(), Error> {
        let Some(vectors) = &mut self.vectors else {
            return Ok(());
        };
        if self.waiting.is_empty() || !self.items.has_vectors() {
            self.waiting.clear();
            return Ok(());
        }
        let waiting = std::mem::take(&mut self.waiting);
        let texts: Vec<String> = waiting.iter().map(|row| row.text.clone()).collect();
        let of_rows = vectors.vectors(&texts, self.task)?;
        let at_least = match self.options.cosine {
            LeakThreshold::At(cosine) => cosine,
            LeakThreshold::Auto | LeakThreshold::Off => leak::FLOOR,
        };
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let closest = self.items.closest(&texts, &of_rows, at_least)?;
        for (Waiting { probe, asks, .. }, near) in waiting.into_iter().zip(closest) {
            if probe.kind == ANCHOR {
                self.closest
                    .push(near.map_or(0.0, |(_, cosine)| f64::from(cosine)));
            }
            if let Some((item, cosine)) = near {
                self.near.push(Near {
                    probe,
                    asks,
                    item,
                    cosine: f64::from(cosine),
                });
            }
        }
        Ok(())
    }

    fn note(&mut self, probe: &Probe, item: u32, how: LeakHow, value: f64) {
        let pair = self.named.get(item as usize).map(|(split, held_out)| Leak {
            row: probe.id.clone(),
            kind: probe.kind,
            dataset: probe.dataset.clone(),
            held_out: held_out.clone(),
            split: *split,
            how,
            value,
        });
        self.found.push(Found {
            row: probe.row,
            id: probe.id.clone(),
            real: probe.is_real(),
            pair: pair.filter(|_| self.found.len() < KEPT),
        });
    }

    /// What was found, once all rows were looked at.
    pub(crate) fn finish(mut self) -> Result<(Vec<Found>, LeakCheck), Error> {
        self.flush()?;
        let (cosine, cosine_real) = match self.options.cosine {
            LeakThreshold::At(cosine) => (cosine, cosine),
            LeakThreshold::Auto | LeakThreshold::Off => (leak::threshold(&self.closest), leak::SAFE),
        };
        for near in std::mem::take(&mut self.near) {
            let real = near.probe.is_real() || self.asked.contains(&near.asks);
            let limit = if real { cosine_real } else { cosine };
            if near.cosine >= limit {
                self.note(&near.probe, near.item, LeakHow::Meaning, near.cosine);
            }
        }
        let embedder = self.vectors.as_ref().map(|vectors| vectors.model().to_owned());
        let check = LeakCheck {
            ngram: self.options.ngram,
            coverage: self.options.coverage,
            cosine: embedder.as_ref().map(|_| cosine),
            cosine_real: embedder.as_ref().map(|_| cosine_real),
            embedder,
        };
        Ok((self.found, check))
    }
}
