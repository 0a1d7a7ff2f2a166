//! Rows that hold nothing of a test set.

use gristmill_domain::filter::decontaminate::How;
use gristmill_domain::filter::leak;
use gristmill_domain::filter::{Reason, Rejection};
use gristmill_domain::words::thousands;

use super::batches::each_batch;
use super::held_out::HeldOutItems;
use super::keep::{OutOptions, Sorted, Sorter};
use super::source::{RowsOptions, Source, SourceRow};
use super::task::Task;
use super::vectors::{VectorOptions, Vectorizer};

/// From which cosine a row counts as a held-out item.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum LeakThreshold {
    /// Vectors are not compared, and nothing is embedded.
    Off,
    /// Chosen by how alike distinct held-out items are.
    Auto,
    /// This one, 0 to 1.
    At(f64),
}

/// What is decontaminated, and how.
#[derive(Debug, Clone)]
pub struct DecontaminateOptions {
    /// The rows.
    pub rows: RowsOptions,
    /// Held-out items: tables or patterns.
    pub against: Vec<String>,
    /// Fields with a held-out item's text; found as for the rows when there is none.
    pub against_field: Vec<String>,
    /// Where rows go.
    pub out: OutOptions,
    /// How texts become vectors.
    pub vectors: VectorOptions,
    /// Words of a compared sequence.
    pub ngram: u32,
    /// Share of a held-out item that shared sequences must cover; 0 is any of them.
    pub coverage: f64,
    /// Cosine similarity of vectors to a held-out item from which a row goes, unless each states facts that the other does not.
    pub cosine: LeakThreshold,
}

/// Drops rows that are too close to held-out items.
///
/// # Errors
/// Rows or held-out items that cannot be read, files that cannot be written ([`out::Unwritable`](crate::out::Unwritable)), a model that
/// fails, and [`Interrupted`](crate::Interrupted).
pub fn decontaminate(args: &DecontaminateOptions, task: &Task) -> anyhow::Result<Sorted> {
    let source = Source::new(&args.rows);
    let mut rows = source.open()?;
    let held_out_source = source
        .of_files(&args.against)
        .with_fields(args.against_field.clone());
    held_out_source.look()?;
    let mut vectorizer = match args.cosine {
        LeakThreshold::Off => None,
        LeakThreshold::Auto | LeakThreshold::At(_) => Some(Vectorizer::open(&args.vectors, task)?),
    };
    let mut sorter = Sorter::create(&args.out, &source, Some(&held_out_source))?;
    let mut items = Items::read(args, &held_out_source, vectorizer.as_mut(), task)?;
    // Without held-out vectors there is nothing to compare with.
    let embeds = vectorizer.as_mut().filter(|_| items.held_out.has_vectors());
    each_batch(&mut rows, embeds, "rows", task, |batch, vectors| {
        let near = items.near(batch, vectors.as_deref())?;
        for (row, near) in batch.iter().zip(near) {
            match items.leak(row, near) {
                Some((item, rejection)) => {
                    let like = items.held_out.like(item)?;
                    sorter.drop(&row.place, &row.object, &rejection, Some(like))?;
                }
                None => sorter.keep(&row.object)?,
            }
        }
        Ok(())
    })?;
    let mut said = vec![format!(
        "{}; {} held-out items, {}",
        rows.fields(),
        thousands(items.held_out.len() as u64),
        items.field
    )];
    if let Some(vectorizer) = &vectorizer {
        said.push(format!("vectors by {}", vectorizer.model()));
    }
    if args.cosine == LeakThreshold::Auto {
        let chosen = items.cosine;
        said.push(format!(
            "cosine {chosen:.3}, chosen by how alike distinct held-out items are"
        ));
    }
    said.extend(rows.bad().warning());
    let cosine = vectorizer.is_some().then_some(items.cosine);
    let settings = serde_json::json!({
        "ngram": args.ngram, "coverage": args.coverage, "against": args.against, "cosine": cosine,
    });
    sorter.finish(rows.bad(), settings, said)
}

/// Held-out items, and from which cosine a row counts as one.
struct Items {
    held_out: HeldOutItems,
    cosine: f64,
    field: String,
}

impl Items {
    fn read(
        args: &DecontaminateOptions,
        source: &Source,
        vectorizer: Option<&mut Vectorizer>,
        task: &Task,
    ) -> anyhow::Result<Self> {
        let mut rows = source.open()?;
        let mut held_out = HeldOutItems::new(args.ngram as usize, args.coverage)?;
        each_batch(&mut rows, vectorizer, "held-out items", task, |batch, vectors| {
            for (place, row) in batch.iter().enumerate() {
                let vector = vectors.as_ref().and_then(|all| all.get(place));
                held_out.add(&row.place, &row.text, vector.map(Vec::as_slice))?;
            }
            Ok(())
        })?;
        let cosine = match args.cosine {
            LeakThreshold::At(cosine) => cosine,
            LeakThreshold::Auto => held_out.chosen_cosine()?,
            LeakThreshold::Off => leak::SAFE,
        };
        Ok(Self {
            held_out,
            cosine,
            field: rows.fields(),
        })
    }

    /// The held-out item that a row is too close to, and why the row goes: by words, or else as what is near it by its vector.
    fn leak(&self, row: &SourceRow, near: Option<(u32, f32)>) -> Option<(u32, Rejection)> {
        let (item, detail) = match self.held_out.by_words(&row.text) {
            Some(found) => {
                let detail = match found.how {
                    How::Ngrams => {
                        format!(
                            "shared word sequences cover {:.0} % of it",
                            100.0 * found.coverage
                        )
                    }
                    How::Contained => "the whole of it stands in the row".to_owned(),
                    How::Equal => "the same words".to_owned(),
                };
                (found.item, detail)
            }
            None => near.map(|(item, cosine)| (item, format!("cosine {cosine:.3}")))?,
        };
        Some((item, Rejection::new(Reason::Contaminated, detail)))
    }

    /// The held-out item closest to each row that it may be in other words, where one is close enough.
    fn near(
        &mut self,
        batch: &[SourceRow],
        vectors: Option<&[Vec<f32>]>,
    ) -> anyhow::Result<Vec<Option<(u32, f32)>>> {
        let Some(vectors) = vectors else {
            return Ok(vec![None; batch.len()]);
        };
        let texts: Vec<&str> = batch.iter().map(|row| row.text.as_str()).collect();
        self.held_out.closest(&texts, vectors, self.cosine)
    }
}
