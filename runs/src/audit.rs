//! What a job's seeds cover and what they lack, before anything is spent.
//!
//! What is seen ([`seen`]) is one value; it is told as text, as JSON and as a page.

mod assignment;
mod documents;
mod meanings;
mod page;
mod seen;
mod text;
mod words;

use std::collections::HashSet;
use std::sync::Arc;

use anyhow::Context;
use gristmill_domain::concept::Outlook;
use gristmill_domain::job::{Concepts, EmbedSource, folded};
use gristmill_domain::share::synthetic_ceiling;
use gristmill_domain::words::{first_of, thousands};
use gristmill_ports::model::Embedder;

use crate::prepared::Prepared;
use crate::survey::{CountEmbedded, Survey, narrow, survey};
pub use seen::Audit;
use seen::{ConceptLine, LabelLine, LeftOut};

/// Seeds that are shown one by one, of each sort.
const SHOWN: usize = 10;
/// Share of the seeds from which the largest cluster is worth a warning.
const LOPSIDED: f64 = 0.5;

/// Looks at what a job's seeds cover and what they lack. Seeds and passages are embedded by `embedder`, where there is one; `count` is told
/// how far that is. `with_map`: also where each seed lies in the plane, for a page.
///
/// # Errors
/// Seeds or passages that cannot be read or embedded.
pub async fn audit(
    prepared: Arc<Prepared>,
    embedder: Option<&dyn Embedder>,
    with_map: bool,
    count: &CountEmbedded,
) -> anyhow::Result<Audit> {
    let survey = survey(&prepared, embedder, count).await?;
    let passages = documents::read(&prepared, embedder, count).await?;
    count("comparing seeds", 0, prepared.seeds.anchors());
    let looked = tokio::task::spawn_blocking(move || look(&prepared, &survey, &passages, with_map));
    looked.await.context("the audit's thread ended early")?
}

impl Audit {
    /// For people, a line a finding.
    pub fn text(&self) -> String {
        text::text(self)
    }

    /// As a page, with the job that it is of.
    pub fn page(&self, prepared: &Prepared) -> gristmill_picture::audit::Audit {
        page::page(prepared, self)
    }
}

fn look(
    prepared: &Prepared,
    survey: &Survey,
    passages: &documents::Read,
    with_map: bool,
) -> anyhow::Result<Audit> {
    let seeds = &prepared.seeds;
    let job = &prepared.start.job;
    let concepts = lines(survey, job.concepts.as_ref(), seeds.anchors());
    let wording = words::look(prepared)?;
    let mut audit = Audit {
        run: prepared.start.run.to_string(),
        seeds: seeds.anchors(),
        assigned: survey.by_seeds.assigned(),
        missing: concepts.iter().map(|concept| concept.gap).sum(),
        assignment: assignment::look(survey),
        concepts,
        labels: labels(prepared),
        clusters: Vec::new(),
        clusters_effective: None,
        near_duplicates: wording.duplicates,
        outliers: None,
        diversity: None,
        wording: wording.figures,
        documents: None,
        left_out: Vec::new(),
        warnings: Vec::new(),
        stops: false,
        marks: None,
    };
    let unit = survey.unit(prepared);
    let usable = unit.is_ok();
    let unit = meanings::part("all that rests on vectors", unit, &mut audit).flatten();
    let touched = documents::look(prepared, passages, unit.as_ref());
    audit.documents = meanings::part("the documents", touched, &mut audit).flatten();
    match &unit {
        Some(unit) if unit.as_vectors().len() > meanings::NEIGHBORS => {
            meanings::look(prepared, survey, unit, with_map, &mut audit);
        }
        _ if usable => leave_out(job.embed.source(), with_map, &mut audit),
        _ => {}
    }
    audit
        .left_out
        .extend(prepared.dropped.told().into_iter().map(|(why, amount)| LeftOut {
            what: format!("{why} in documents"),
            why: amount,
        }));
    audit.warnings = prepared.warnings()?;
    warn(prepared, survey, &mut audit);
    Ok(audit)
}

/// Says what needs vectors and is not there.
fn leave_out(embed: EmbedSource<'_>, with_map: bool, audit: &mut Audit) {
    let why = match embed {
        EmbedSource::Off => "`embed.model` is `off`, and they need vectors".to_owned(),
        EmbedSource::Local(_) => format!(
            "they need more than {} seeds, and there are {}",
            meanings::NEIGHBORS,
            thousands(audit.seeds)
        ),
    };
    let parts = ["clusters", "outliers", "diversity of the meanings", "map"];
    for part in &parts[..if with_map { 4 } else { 3 }] {
        audit.left_out.push(LeftOut {
            what: (*part).to_owned(),
            why: why.clone(),
        });
    }
    if embed == EmbedSource::Off {
        if audit.documents.is_some() {
            audit.left_out.push(LeftOut {
                what: "passages that seeds touch by their meaning".to_owned(),
                why: why.clone(),
            });
        }
        if !audit.concepts.is_empty() && audit.assigned < audit.seeds {
            audit.left_out.push(LeftOut {
                what: "concepts of seeds without a label".to_owned(),
                why,
            });
        }
    }
}

fn lines(survey: &Survey, settings: Option<&Concepts>, seeds: u64) -> Vec<ConceptLine> {
    let covered_from = settings.map_or(1, |settings| settings.covered_from);
    let line = |outlook: &Outlook| ConceptLine {
        concept: outlook.progress.concept.clone(),
        parent: outlook.progress.parent.clone(),
        seeds: outlook.seeds,
        share: outlook.seeds as f64 / seeds.max(1) as f64,
        target: outlook.progress.target,
        gap: outlook.progress.open(),
        covered: outlook.seeds >= covered_from,
    };
    let mut lines: Vec<ConceptLine> = survey.by_seeds.concepts.iter().map(line).collect();
    lines.sort_by(|a, b| {
        b.gap
            .cmp(&a.gap)
            .then(a.seeds.cmp(&b.seeds))
            .then(a.concept.cmp(&b.concept))
    });
    lines
}

/// Labels of the seeds, where nothing says which of them are wanted.
fn labels(prepared: &Prepared) -> Vec<LabelLine> {
    if prepared.start.job.concepts.is_some() {
        return Vec::new();
    }
    let seeds = &prepared.seeds;
    let line = |(label, count): (&String, &u64)| LabelLine {
        label: label.clone(),
        seeds: *count,
        share: *count as f64 / seeds.anchors().max(1) as f64,
    };
    let mut lines: Vec<LabelLine> = seeds.summary().concepts.iter().map(line).collect();
    // The order of equal counts is that of their names.
    lines.sort_by_key(|line| std::cmp::Reverse(line.seeds));
    lines
}

/// Labels of concepts that no seed to generate from carries: a wrong word, or a wrong separator.
fn unknown_labels(prepared: &Prepared, settings: &Concepts) -> Option<String> {
    let carried: HashSet<String> = prepared
        .seeds
        .summary()
        .concepts
        .keys()
        .map(|label| folded(label))
        .collect();
    if carried.is_empty() {
        return None;
    }
    let unknown: Vec<String> = settings
        .leaves()
        .flat_map(|concept| concept.labels.iter().map(|label| (&concept.name, label)))
        .filter(|(_, label)| !carried.contains(&folded(label)))
        .map(|(name, label)| format!("`{label}` of {name}"))
        .collect();
    (!unknown.is_empty()).then(|| {
        format!(
            "no seed to generate from carries these labels of concepts: {}; in CSV, labels are separated by `|`",
            first_of(&unknown, SHOWN)
        )
    })
}

fn warn(prepared: &Prepared, survey: &Survey, audit: &mut Audit) {
    let mut warnings = Vec::new();
    if let Some(settings) = &prepared.start.job.concepts {
        if settings.found.is_none()
            && let Some(why) = narrow(&survey.by_seeds.concepts, settings)
        {
            audit.stops = settings.accept.is_none();
            warnings.push(why);
        }
        warnings.extend(unknown_labels(prepared, settings));
        warnings.extend(audit.assignment.as_ref().and_then(assignment::poor));
        let rows = prepared.start.job.generate.rows;
        if let Some(rows) = rows.filter(|rows| *rows < audit.missing) {
            let missing = thousands(audit.missing);
            warnings.push(format!(
                "the targets want {missing} more rows, and `generate.rows` allows {}",
                thousands(rows)
            ));
        }
        let (share, real) = (prepared.start.job.anchor.max_synthetic_share, audit.seeds);
        let repeated = real * u64::from(prepared.start.job.anchor.max_repeats);
        let ceiling = synthetic_ceiling(share, repeated);
        if audit.missing > ceiling {
            warnings.push(format!(
                "the targets want {} more rows, and {} real ones allow {} under the ceiling of {:.0} %",
                thousands(audit.missing),
                thousands(real),
                thousands(ceiling),
                100.0 * share
            ));
        }
    }
    if let Some(largest) = audit.clusters.first()
        && audit.clusters.len() > 1
        && largest.seeds as f64 > LOPSIDED * audit.seeds as f64
    {
        warnings.push(format!(
            "the largest cluster, \"{}\", holds {} of {} seeds",
            largest.name,
            thousands(largest.seeds as u64),
            thousands(audit.seeds)
        ));
    }
    audit.warnings.extend(warnings);
}
