//! Which concepts a job's seeds belong to, before anything is spent: embedding runs in this process and is free.

use anyhow::Context;
use gristmill_coordinator::{Assigner, BySeeds, SeedStore, by_seeds, uncovered_share};
use gristmill_domain::concept::Outlook;
use gristmill_domain::job::{Accept, Concepts, Job};
use gristmill_domain::seed::Split;
use gristmill_domain::words::first_of;
use gristmill_measure::{UnitVectors, Vectors};
use gristmill_ports::model::Embedder;

use crate::prepared::Prepared;

/// Concepts that a message names; the rest are counted.
const NAMED: usize = 8;

/// What is known of a job's seeds.
pub struct Survey {
    /// Where each concept stands, and the concepts of each anchor seed; empty when the job has none.
    pub by_seeds: BySeeds,
    /// Vectors of the anchor seeds by ordinal, empty ones for held-out rows; none where nothing is embedded.
    vectors: Vec<Vec<f32>>,
}

impl Survey {
    /// Vectors of the anchor seeds in their order; nothing where nothing is embedded.
    pub(crate) fn unit(&self, prepared: &Prepared) -> anyhow::Result<Option<UnitVectors>> {
        let seeds = &prepared.seeds;
        let of_anchor = (0..seeds.anchors()).filter_map(|n| self.vectors.get(seeds.anchor(n) as usize));
        let vectors: Vec<&[f32]> = of_anchor.map(Vec::as_slice).collect();
        let Some(dimensions) = vectors.first().map(|vector| vector.len()) else {
            return Ok(None);
        };
        let model = prepared.start.job.embed.model.as_str();
        let unit = Vectors::new(model, dimensions, vectors.concat())?.normalized()?;
        Ok(Some(unit))
    }
}

/// Is told what is embedded, how many texts of it have their vectors, and how many there are.
pub type CountEmbedded = dyn Fn(&str, u64, u64) + Sync;

/// Embeds a job's seeds and assigns them; without an embedder, by their labels alone.
///
/// # Errors
/// Seeds that cannot be read or embedded.
pub async fn survey(
    prepared: &Prepared,
    embedder: Option<&dyn Embedder>,
    count: &CountEmbedded,
) -> anyhow::Result<Survey> {
    let job = &prepared.start.job;
    let Some(embedder) = embedder else {
        return counted(prepared, Vec::new(), Vec::new()).await;
    };
    let vectors = anchor_vectors(&prepared.seeds, job, embedder, count).await?;
    let mut known = Vec::new();
    if let Some(concepts) = &job.concepts {
        let all = Assigner::texts(concepts);
        for texts in all.chunks(job.embed.batch as usize) {
            count("embedding concepts", known.len() as u64, all.len() as u64);
            known.extend(embed(embedder, texts).await?);
        }
    }
    counted(prepared, vectors, known).await
}

async fn counted(
    prepared: &Prepared,
    vectors: Vec<Vec<f32>>,
    known: Vec<Vec<f32>>,
) -> anyhow::Result<Survey> {
    let mut found = BySeeds::default();
    if let Some(settings) = &prepared.start.job.concepts {
        let model = &prepared.start.job.embed.model;
        let assigner = Assigner::of_job(settings, model, &prepared.seeds, &vectors, known).await?;
        found = by_seeds(assigner, &prepared.seeds, &vectors, &prepared.start.job.filter)?;
    }
    Ok(Survey {
        by_seeds: found,
        vectors,
    })
}

async fn anchor_vectors(
    seeds: &SeedStore,
    job: &Job,
    embedder: &dyn Embedder,
    count: &CountEmbedded,
) -> anyhow::Result<Vec<Vec<f32>>> {
    let anchors = seeds.ordinals(Split::Anchor);
    let mut done = 0;
    let mut vectors = vec![Vec::new(); seeds.len() as usize];
    for batch in anchors.chunks(job.embed.batch as usize) {
        count("embedding seeds", done, anchors.len() as u64);
        done += batch.len() as u64;
        let questions = batch.iter().map(|ordinal| Ok(seeds.read(*ordinal)?.question));
        let questions = questions.collect::<anyhow::Result<Vec<String>>>()?;
        for (ordinal, vector) in batch.iter().zip(embed(embedder, &questions).await?) {
            vectors[*ordinal as usize] = vector;
        }
    }
    Ok(vectors)
}

/// Vectors of texts, one each.
pub(crate) async fn embed(embedder: &dyn Embedder, texts: &[String]) -> anyhow::Result<Vec<Vec<f32>>> {
    let embedded = embedder.embed(texts).await.context("texts cannot be embedded")?;
    Ok(embedded.vectors)
}

/// Why seeds are narrow, if they are: against a list that was given, more of its concepts than the job allows have hardly a seed.
pub fn narrow(concepts: &[Outlook], settings: &Concepts) -> Option<String> {
    let share = uncovered_share(concepts, settings.covered_from);
    if concepts.is_empty() || share <= settings.max_uncovered {
        return None;
    }
    let mut short: Vec<&Outlook> = concepts
        .iter()
        .filter(|concept| concept.seeds < settings.covered_from)
        .collect();
    short.sort_by_key(|concept| concept.seeds);
    let named: Vec<String> = short
        .iter()
        .map(|c| format!("{} {}", c.progress.concept, c.seeds))
        .collect();
    Some(format!(
        "the seeds are narrow: {} of {} concepts have fewer than {} real rows to generate from, and `concepts.max_uncovered` allows {:.0} %: {}",
        short.len(),
        concepts.len(),
        settings.covered_from,
        100.0 * settings.max_uncovered,
        first_of(&named, NAMED)
    ))
}

/// True where narrow seeds stop a run: against a list that was given, and unless that is accepted.
pub fn stops_narrow(settings: &Concepts) -> bool {
    settings.found.is_none() && settings.accept != Some(Accept::Narrow)
}

/// True where labels alone, which cost nothing, show that seeds are not narrow. What they show is there whatever embedding may add.
///
/// # Errors
/// Seeds that cannot be read.
pub fn labels_cover(prepared: &Prepared, settings: &Concepts) -> anyhow::Result<bool> {
    let filter = &prepared.start.job.filter;
    let labelled = by_seeds(Assigner::by_labels(settings), &prepared.seeds, &[], filter)?;
    Ok(narrow(&labelled.concepts, settings).is_none())
}
