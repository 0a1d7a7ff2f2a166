//! How much of a job's documents its seeds touch: questions will be asked about all of them.
//!
//! A seed touches a passage whose text it rests on (the rule by which passages are held out), or whose vector is near its question's. It
//! touches a document whose passage it touches, and one that it names as its source.

use std::collections::BTreeMap;

use gristmill_coordinator::Grounds;
use gristmill_measure::neighbors::nearest;
use gristmill_measure::{UnitVectors, Vectors};
use gristmill_ports::model::Embedder;

use super::seen::{DocumentLine, Documents, Near};
use crate::prepared::Prepared;
use crate::survey::{CountEmbedded, embed};
use gristmill_measure::cores;
use gristmill_measure::sample::drawn;

/// Passages that are looked at; of more, so many are drawn evenly. Embedding them takes minutes.
const LOOKED_AT: usize = 10_000;
/// Cosine from which a question and a passage are near. Measured with MiniLM on 400 abstracts of PubMedQA and the questions of half of them: it
/// holds for 191 of the 200 abstracts that were asked about, and for 41 of the 200 others of the same field.
const NEAR: f64 = 0.5;

/// The passages that are looked at, by number, with their vectors one after another; none where there is no model.
#[derive(Default)]
pub(super) struct Read {
    numbers: Vec<usize>,
    vectors: Vec<f32>,
}

/// Draws passages and embeds them.
pub(super) async fn read(
    prepared: &Prepared,
    embedder: Option<&dyn Embedder>,
    count: &CountEmbedded,
) -> anyhow::Result<Read> {
    let passages = prepared.seeds.passages();
    let numbers = drawn(passages.len() as usize, LOOKED_AT);
    let mut vectors = Vec::new();
    if let Some(embedder) = embedder
        && !numbers.is_empty()
    {
        let mut done = 0;
        for batch in numbers.chunks(prepared.start.job.embed.batch as usize) {
            count("embedding passages", done, numbers.len() as u64);
            done += batch.len() as u64;
            let texts = batch.iter().map(|number| Ok(passages.read(*number as u64)?.text));
            let texts = texts.collect::<anyhow::Result<Vec<String>>>()?;
            vectors.extend(embed(embedder, &texts).await?.into_iter().flatten());
        }
    }
    Ok(Read { numbers, vectors })
}

/// Counts what the seeds touch; nothing where the job has no documents.
pub(super) fn look(
    prepared: &Prepared,
    read: &Read,
    seeds: Option<&UnitVectors>,
) -> anyhow::Result<Option<Documents>> {
    if read.numbers.is_empty() {
        return Ok(None);
    }
    let mut grounds = Grounds::new();
    for n in 0..prepared.seeds.anchors() {
        grounds.add(&prepared.seeds.read(prepared.seeds.anchor(n))?);
    }
    let cosines = seeds.map(|seeds| cosines(read, seeds)).transpose()?;
    let mut by_document: BTreeMap<String, DocumentLine> = BTreeMap::new();
    for (place, &number) in read.numbers.iter().enumerate() {
        let passage = prepared.seeds.passages().read(number as u64)?;
        let near = cosines
            .as_ref()
            .and_then(|cosines| cosines.get(place))
            .is_some_and(|cosine| *cosine >= NEAR);
        let line = by_document
            .entry(passage.source.file.clone())
            .or_insert_with(|| DocumentLine {
                document: passage.source.file.clone(),
                passages: 0,
                touched: 0,
                named: grounds.naming(&passage),
            });
        line.passages += 1;
        line.touched += u64::from(near || grounds.rests_on(&passage));
    }
    let mut list: Vec<DocumentLine> = by_document.into_values().collect();
    list.sort_by(|a, b| {
        (a.is_touched().cmp(&b.is_touched()))
            .then(b.passages.cmp(&a.passages))
            .then(a.document.cmp(&b.document))
    });
    let touched = list.iter().map(|line| line.touched).sum();
    let looked_at = read.numbers.len() as u64;
    Ok(Some(Documents {
        documents: list.len() as u64,
        documents_touched: list.iter().filter(|line| line.is_touched()).count() as u64,
        passages: prepared.seeds.passages().len(),
        looked_at,
        touched,
        touched_share: touched as f64 / looked_at as f64,
        near: seeds.map(|seeds| Near {
            cosine: NEAR,
            n: seeds.as_vectors().len(),
            model: seeds.as_vectors().model().to_string(),
        }),
        list,
    }))
}

/// The cosine of each passage with the seed nearest to it.
fn cosines(read: &Read, seeds: &UnitVectors) -> anyhow::Result<Vec<f64>> {
    let seeds = seeds.as_vectors();
    let passages = Vectors::new(seeds.model().clone(), seeds.dimensions(), read.vectors.clone())?;
    let found = nearest(passages.normalized()?.as_vectors(), seeds, 1, cores())?;
    // ‖x-y‖² = 2 (1 - x·y) for unit vectors.
    let cosine = |(_, distance): (u32, f32)| 1.0 - f64::from(distance).powi(2) / 2.0;
    Ok((0..found.len())
        .flat_map(|place| found.of(place).map(cosine))
        .collect())
}
