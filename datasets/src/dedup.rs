//! Of rows that are alike, the first.

use std::cell::LazyCell;
use std::num::NonZeroUsize;

use gristmill_domain::filter::dedup_policy::Facts;
use gristmill_domain::filter::text::exact_key;
use gristmill_domain::filter::{Reason, Rejection};
use gristmill_index::minhash::{Parameters, Scheme};
use gristmill_index::vectors::cosine;
use gristmill_index::{ExactIndex, MinHashIndex, VectorIndex};

use super::batches::each_batch;
use super::keep::{OutOptions, Sorted, Sorter};
use super::scratch::Scratch;
use super::source::{RowsOptions, Source, SourceRow};
use super::task::Task;
use super::vectors::{VectorOptions, Vectorizer};

/// What is deduplicated, and how.
#[derive(Debug, Clone)]
pub struct DedupOptions {
    /// The rows.
    pub rows: RowsOptions,
    /// Where they go.
    pub out: OutOptions,
    /// How texts become vectors.
    pub vectors: VectorOptions,
    /// Jaccard similarity of word shingles from which two rows are one, 0 to 1; words are not compared where there is none.
    pub jaccard: Option<f64>,
    /// Words of a shingle.
    pub shingle_words: u32,
    /// Cosine similarity of vectors from which two rows are one, 0 to 1; nothing is embedded where there is none.
    pub cosine: Option<f64>,
    /// Drops rows that are close even where they differ in a fact.
    pub ignore_facts: bool,
}

/// Drops duplicates of rows before them.
///
/// # Errors
/// Rows that cannot be read, files that cannot be written ([`out::Unwritable`](crate::out::Unwritable)), a model that fails, and
/// [`Interrupted`](crate::Interrupted).
pub fn dedup(args: &DedupOptions, task: &Task) -> anyhow::Result<Sorted> {
    let settings = serde_json::json!({
        "jaccard": args.jaccard, "shingle_words": args.shingle_words, "cosine": args.cosine, "ignore_facts": args.ignore_facts,
    });
    let source = Source::new(&args.rows);
    let mut rows = source.open()?;
    let mut sorter = Sorter::create(&args.out, &source, None)?;
    let mut vectorizer = match args.cosine {
        Some(_) => Some(Vectorizer::open(&args.vectors, task)?),
        None => None,
    };
    let mut kept = Kept::new(args)?;
    each_batch(&mut rows, vectorizer.as_mut(), "rows", task, |batch, vectors| {
        let before = kept.before_batch(vectors.as_deref())?;
        let vectors = vectors.map_or_else(
            || vec![None; batch.len()],
            |all| all.into_iter().map(Some).collect(),
        );
        for (place, (row, vector)) in batch.iter().zip(vectors).enumerate() {
            match kept.decide(row, vector, before.get(place).map(Vec::as_slice))? {
                None => sorter.keep(&row.object)?,
                Some((number, rejection)) => {
                    let like = kept.texts.like(number)?;
                    sorter.drop(&row.place, &row.object, &rejection, Some(like))?;
                }
            }
        }
        Ok(())
    })?;
    let mut said = vec![rows.fields()];
    if let Some(vectorizer) = &vectorizer {
        said.push(format!("vectors by {}", vectorizer.model()));
    }
    said.extend(rows.bad().warning());
    sorter.finish(rows.bad(), settings, said)
}

/// Rows that are kept, by all that later ones are compared with.
struct Kept {
    exact: ExactIndex,
    near: MinHashIndex,
    vectors: Option<VectorIndex>,
    texts: Scratch,
    jaccard: Option<f64>,
    cosine: Option<f64>,
    ignore_facts: bool,
    /// Rows kept of the batch in hand, with their vectors, which the index was not asked about.
    fresh: Vec<(u32, Vec<f32>)>,
}

/// A kept row and the cosine to it.
type Near = (u32, f32);

impl Kept {
    fn new(args: &DedupOptions) -> anyhow::Result<Self> {
        let parameters = Parameters {
            shingle: args.shingle_words as usize,
            ..Parameters::default()
        };
        Ok(Self {
            exact: ExactIndex::new(),
            near: MinHashIndex::new(Scheme::new(parameters)?),
            vectors: None,
            texts: Scratch::new()?,
            jaccard: args.jaccard,
            cosine: args.cosine,
            ignore_facts: args.ignore_facts,
            fresh: Vec::new(),
        })
    }

    /// Rows kept before a batch that its rows are near, asked for all at once: several times faster than one by one.
    fn before_batch(&mut self, batch: Option<&[Vec<f32>]>) -> anyhow::Result<Vec<Vec<Near>>> {
        self.fresh.clear();
        let (Some(at_least), Some(index), Some(batch)) = (self.cosine, &self.vectors, batch) else {
            return Ok(Vec::new());
        };
        let found = index.within_many(batch, at_least as f32)?;
        let pairs = |near: Vec<gristmill_index::vectors::Neighbor>| {
            near.into_iter().map(|near| (near.row, near.cosine)).collect()
        };
        Ok(found.into_iter().map(pairs).collect())
    }

    /// Keeps a row, or names the kept one that it is like. The cheapest test comes first.
    fn decide(
        &mut self,
        row: &SourceRow,
        vector: Option<Vec<f32>>,
        before: Option<&[Near]>,
    ) -> anyhow::Result<Option<(u32, Rejection)>> {
        let key = *exact_key(&[&row.text]).as_bytes();
        let facts = LazyCell::new(|| Facts::of(&row.text));
        // Equal but for case: `CO` and `Co`, 5 mW and 5 MW.
        if let Some(number) = self.exact.get(&key)
            && (self.texts.text(number)? == row.text || self.same(&facts, number)?)
        {
            let rejection = Rejection::new(Reason::ExactDuplicate, "the same words");
            return Ok(Some((number, rejection)));
        }
        let sketch = self.near.scheme().sketch_text(&row.text);
        if let Some(at_least) = self.jaccard {
            for found in self.near.near(&sketch, at_least)? {
                if self.same(&facts, found.row)? {
                    let detail = format!("Jaccard {:.2}", found.jaccard);
                    return Ok(Some((found.row, Rejection::new(Reason::NearDuplicate, detail))));
                }
            }
        }
        if let (Some(at_least), Some(vector)) = (self.cosine, &vector) {
            let fresh = self
                .fresh
                .iter()
                .map(|(number, other)| (*number, cosine(vector, other)));
            let mut near: Vec<Near> = fresh.filter(|(_, close)| *close >= at_least as f32).collect();
            near.extend(before.unwrap_or_default());
            near.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
            for (number, close) in near {
                if self.same(&facts, number)? {
                    let detail = format!("cosine {close:.3}");
                    return Ok(Some((number, Rejection::new(Reason::SemanticDuplicate, detail))));
                }
            }
        }
        let number = self.texts.push(&row.place, &row.text)?;
        self.exact.insert(number, key)?;
        if self.jaccard.is_some() {
            self.near.insert(number, &sketch)?;
        }
        if let Some(vector) = vector {
            let dimensions = NonZeroUsize::new(vector.len()).unwrap_or(NonZeroUsize::MIN);
            let index = self.vectors.get_or_insert_with(|| VectorIndex::new(dimensions));
            index.insert(number, &vector)?;
            self.fresh.push((number, vector));
        }
        Ok(None)
    }

    /// False where the rows differ in a fact, which makes two of what is close.
    fn same(&mut self, facts: &Facts, number: u32) -> anyhow::Result<bool> {
        if self.ignore_facts {
            return Ok(true);
        }
        let text = self.texts.text(number)?;
        Ok(facts.differ(&Facts::of(&text)).is_none())
    }
}
