//! Which concepts a job's seeds belong to, before anything is spent: embedding runs in this process and is free.

use std::sync::Arc;

use anyhow::{Context, anyhow};
use gristmill_coordinator::{Assigner, BySeeds, SeedStore, by_seeds, uncovered_share};
use gristmill_domain::concept::Outlook;
use gristmill_domain::job::{Accept, Concepts, EmbedSource, Job};
use gristmill_domain::seed::Split;
use gristmill_domain::words::first_of;
use gristmill_measure::{UnitVectors, Vectors};
use gristmill_ports::model::Embedder;

use crate::failure::Failure;
use crate::prepare::Prepared;
use crate::view::View;
use crate::workshop;

/// Concepts that a message names; the rest are counted.
const NAMED: usize = 8;

/// What is known of a job's seeds.
pub(crate) struct Survey {
    /// Where each concept stands, and the concepts of each anchor seed; empty when the job has none.
    pub(crate) by_seeds: BySeeds,
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

/// The job's embedding model; nothing where nothing is embedded.
pub(crate) async fn embedder(prepared: &Prepared, view: &View) -> anyhow::Result<Option<Arc<dyn Embedder>>> {
    match prepared.start.job.embed.source() {
        EmbedSource::Off => Ok(None),
        EmbedSource::Local(name) => {
            let embedder = workshop::embedder(name, &prepared.start.base, view).await?;
            Ok(Some(embedder))
        }
    }
}

/// Embeds a job's seeds and assigns them.
pub(crate) async fn survey(
    prepared: &Prepared,
    embedder: Option<&dyn Embedder>,
    view: &View,
) -> anyhow::Result<Survey> {
    let job = &prepared.start.job;
    let Some(embedder) = embedder else {
        return counted(prepared, Vec::new(), Vec::new()).await;
    };
    view.say("embedding seeds");
    let vectors = anchor_vectors(&prepared.seeds, job, embedder).await?;
    let mut known = Vec::new();
    if let Some(concepts) = &job.concepts {
        for texts in Assigner::texts(concepts).chunks(job.embed.batch as usize) {
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
) -> anyhow::Result<Vec<Vec<f32>>> {
    let anchors: Vec<u64> = (0..seeds.len())
        .filter(|ordinal| seeds.split(*ordinal) == Split::Anchor)
        .collect();
    let mut vectors = vec![Vec::new(); seeds.len() as usize];
    for batch in anchors.chunks(job.embed.batch as usize) {
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
pub(crate) fn narrow(concepts: &[Outlook], settings: &Concepts) -> Option<String> {
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
        .map(|c| format!("{} {}", c.standing.concept, c.seeds))
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
pub(crate) fn stops_narrow(settings: &Concepts) -> bool {
    settings.found.is_none() && settings.accept != Some(Accept::Narrow)
}

/// Stops a job whose seeds are narrow against a list that was given, unless that is accepted by name.
pub(crate) async fn refuse_narrow(prepared: &Prepared, view: &View) -> Result<(), Failure> {
    let Some(settings) = &prepared.start.job.concepts else {
        return Ok(());
    };
    if !stops_narrow(settings) {
        return Ok(());
    }
    // Labels cost nothing, and what they show is there whatever embedding may add.
    let filter = &prepared.start.job.filter;
    let labelled = by_seeds(Assigner::by_labels(settings), &prepared.seeds, &[], filter)
        .map_err(|error| Failure::Input(error.into()))?;
    if narrow(&labelled.concepts, settings).is_none() {
        return Ok(());
    }
    let embedder = embedder(prepared, view).await.map_err(Failure::Input)?;
    let survey = survey(prepared, embedder.as_deref(), view)
        .await
        .map_err(Failure::Input)?;
    match narrow(&survey.by_seeds.concepts, settings) {
        None => Ok(()),
        Some(why) => Err(Failure::Input(anyhow!(
            "{why}\nhelp: nothing was spent; look at `gristmill audit {}`, add seeds, or accept it by name with \
             `--set concepts.accept=narrow`",
            prepared.start.job_file
        ))),
    }
}
