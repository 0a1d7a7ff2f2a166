//! What the seeds' vectors show: clusters, outliers, diversity, and where each lies in the plane.

use gristmill_domain::seed::Seed;
use gristmill_measure::clusters::{self, Clusters};
use gristmill_measure::dcscore::{Draws, Settings, at_fixed_size};
use gristmill_measure::map::{MapSettings, map};
use gristmill_measure::naming::ClusterWords;
use gristmill_measure::neighbors::neighbors;
use gristmill_measure::spread::spread;
use gristmill_measure::vendi::{ORDERS, vendi};
use gristmill_measure::{Kernel, UnitVectors};

use super::SHOWN;
use super::seen::{Audit, ClusterLine, Diversity, LeftOut, Mark, Marks, Outlier, Outliers};
use crate::prepared::Prepared;
use crate::survey::Survey;
use gristmill_measure::cores;
use gristmill_measure::sample::drawn;

/// Neighbours whose mean distance says how far off a seed lies. With no more seeds than that, vectors say nothing.
pub(super) const NEIGHBORS: usize = 5;
/// An outlier's mean distance is this many robust deviations over the median (Iglewicz and Hoaglin 1993).
const OUTLIER: f64 = 3.5;
/// Median absolute deviations to a standard deviation of the normal distribution.
const MAD: f64 = 1.4826;
/// Clusters that are looked for where the concepts are not clusters themselves.
const CLUSTERS_MAX: usize = 24;
/// Temperature of the DCScore: about the cosine of .93 counts as half the same.
const TAU: f64 = 0.1;
/// Seeds that are marked on the map.
const MARKS: usize = 1_500;

/// Looks at the vectors of all seeds to generate from, in their order. What cannot be seen in them is named with its reason, and
/// takes nothing else with it.
pub(super) fn look(
    prepared: &Prepared,
    survey: &Survey,
    unit: &UnitVectors,
    with_map: bool,
    audit: &mut Audit,
) {
    let names = clustered(prepared, unit, audit);
    let names = part("clusters", names, audit).unwrap_or_default();
    audit.outliers = part("outliers", outliers(prepared, unit), audit);
    audit.diversity = part("diversity", diversity(unit), audit);
    if with_map {
        audit.marks = part("the map", marks(prepared, survey, unit, names), audit);
    }
}

/// What was found, or `None` and a line that says why it was not.
pub(super) fn part<T>(what: &str, found: anyhow::Result<T>, audit: &mut Audit) -> Option<T> {
    found
        .map_err(|error| {
            audit.left_out.push(LeftOut {
                what: what.to_owned(),
                why: format!("{error:#}"),
            });
        })
        .ok()
}

fn seed(prepared: &Prepared, n: usize) -> anyhow::Result<Seed> {
    Ok(prepared.seeds.read(prepared.seeds.anchor(n as u64))?)
}

/// Finds clusters; the name of each seed's is returned.
fn clustered(prepared: &Prepared, unit: &UnitVectors, audit: &mut Audit) -> anyhow::Result<Vec<String>> {
    let rows = unit.as_vectors();
    let concepts = prepared.start.job.concepts.as_ref();
    let k = concepts.and_then(|concepts| concepts.found).map_or_else(
        || ((rows.len() as f64 / 2.0).sqrt() as usize).min(CLUSTERS_MAX),
        |k| k as usize,
    );
    let k = k.clamp(1, rows.len());
    let of = Clusters::fit(rows, k, 0, cores())?.assign(rows, cores())?;
    let mut words = ClusterWords::new(k);
    let mut sizes = vec![0usize; k];
    for (n, &cluster) in of.iter().enumerate() {
        words.add(cluster as usize, &seed(prepared, n)?.question);
        sizes[cluster as usize] += 1;
    }
    audit.clusters_effective = Some(clusters::entropy(&sizes, rows.model())?.effective);
    let names = words.names();
    let line = |(name, seeds): (&String, usize)| ClusterLine {
        name: name.clone(),
        seeds,
    };
    audit.clusters = names.iter().zip(sizes).map(line).collect();
    audit
        .clusters
        .sort_by(|a, b| b.seeds.cmp(&a.seeds).then(a.name.cmp(&b.name)));
    Ok(of
        .into_iter()
        .map(|cluster| names.get(cluster as usize).cloned().unwrap_or_default())
        .collect())
}

fn outliers(prepared: &Prepared, unit: &UnitVectors) -> anyhow::Result<Outliers> {
    let rows = unit.as_vectors();
    let near = neighbors(rows, NEIGHBORS, cores())?;
    let distance =
        |n: usize| near.of(n).map(|(_, distance)| f64::from(distance)).sum::<f64>() / NEIGHBORS as f64;
    let distances: Vec<f64> = (0..rows.len()).map(distance).collect();
    let middle = median(distances.clone());
    let deviation = median(
        distances
            .iter()
            .map(|distance| (distance - middle).abs())
            .collect(),
    );
    let from = middle + OUTLIER * MAD * deviation;
    let mut far: Vec<usize> = (0..rows.len())
        .filter(|n| distances[*n] > from && deviation > 0.0)
        .collect();
    far.sort_by(|a, b| distances[*b].total_cmp(&distances[*a]).then(a.cmp(b)));
    let shown = far.iter().take(SHOWN).map(|&n| {
        let seed = seed(prepared, n)?;
        Ok(Outlier {
            place: seed.place.to_string(),
            question: seed.question,
            distance: distances[n],
        })
    });
    Ok(Outliers {
        shown: shown.collect::<anyhow::Result<_>>()?,
        seeds: far.len(),
        distance: from,
        neighbors: NEIGHBORS,
        n: rows.len(),
        model: rows.model().to_string(),
    })
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

fn diversity(unit: &UnitVectors) -> anyhow::Result<Diversity> {
    let draws = Draws {
        size: Draws::default().size.min(unit.as_vectors().len()),
        ..Draws::default()
    };
    let settings = Settings {
        tau: TAU,
        ..Settings::default()
    };
    Ok(Diversity {
        dcscore: at_fixed_size(unit, settings, draws, cores())?,
        vendi: vendi(unit, Kernel::Cosine, &ORDERS, cores())?,
        spread: spread(unit, cores())?,
    })
}

/// Lays seeds out in the plane, with the first concept of each, or its cluster where the job has no concepts.
fn marks(
    prepared: &Prepared,
    survey: &Survey,
    unit: &UnitVectors,
    clusters: Vec<String>,
) -> anyhow::Result<Marks> {
    let rows = unit.as_vectors();
    let numbers = drawn(rows.len(), MARKS);
    let found = map(&rows.select(&numbers)?, MapSettings::default(), cores())?;
    let by_concept = !survey.by_seeds.concepts.is_empty();
    let of = |n: usize| {
        if !by_concept {
            return clusters.get(n).cloned();
        }
        let first = survey.by_seeds.of_anchor.get(n)?.first()?;
        let concept = survey.by_seeds.concepts.get(first.concept as usize)?;
        Some(concept.progress.concept.clone())
    };
    let mark = |(&n, &at): (&usize, &[f32; 2])| {
        let seed = seed(prepared, n)?;
        Ok(Mark {
            at,
            place: seed.place.to_string(),
            question: seed.question,
            of: of(n),
        })
    };
    Ok(Marks {
        by: if by_concept { "concept" } else { "cluster" },
        of: rows.len() as u64,
        model: rows.model().to_string(),
        marks: numbers
            .iter()
            .zip(&found.points)
            .map(mark)
            .collect::<anyhow::Result<_>>()?,
    })
}
