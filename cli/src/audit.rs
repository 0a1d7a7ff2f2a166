//! `gristmill audit`: what a job's seeds cover and what they lack, before anything is spent.

use gristmill_domain::job::Concepts;
use gristmill_index::MinHashIndex;
use gristmill_index::minhash::{Parameters, Scheme};
use gristmill_measure::clusters::{self, Clusters};
use gristmill_measure::dcscore::{Draws, Settings, at_fixed_size};
use gristmill_measure::naming::ClusterWords;
use gristmill_measure::neighbors::neighbors;
use gristmill_measure::spread::{Spread, spread};
use gristmill_measure::vendi::vendi;
use gristmill_measure::words::{WordCounts, Wording};
use gristmill_measure::{Kernel, UnitVectors, Vectors};
use serde::Serialize;

use crate::args::{JobArgs, OutputStyle};
use crate::failure::Failure;
use crate::history::one_line;
use crate::prepare::{Keys, Prepared, prepare};
use crate::print;
use crate::survey::{Survey, narrow, survey, threads};
use crate::view::{View, thousands};

/// Near-duplicates and outliers that are shown one by one.
const SHOWN: usize = 10;
/// Neighbours whose mean distance says how far off a seed lies.
const NEIGHBORS: usize = 5;
/// An outlier's mean distance is this many robust deviations over the median (Iglewicz and Hoaglin 1993).
const OUTLIER: f64 = 3.5;
/// Median absolute deviations to a standard deviation of the normal distribution.
const MAD: f64 = 1.4826;
/// Clusters that are looked for where the concepts are not clusters themselves.
const CLUSTERS_MAX: usize = 24;
/// Temperature of the DCScore: about the cosine of .93 counts as half the same.
const TAU: f64 = 0.1;
/// Share of the seeds from which the largest cluster is worth a warning.
const LOPSIDED: f64 = 0.5;

/// What an audit found.
#[derive(Debug, Serialize)]
struct Audit {
    run: String,
    /// Seeds to generate from; held-out rows are not looked at.
    seeds: u64,
    /// Of them, those that belong to a concept.
    assigned: u64,
    concepts: Vec<ConceptLine>,
    /// Rows that the targets still want.
    missing: u64,
    clusters: Vec<ClusterLine>,
    /// Evenness of the clusters: as many even ones would be as even.
    clusters_effective: Option<f64>,
    near_duplicates: Pairs,
    outliers: Vec<Outlier>,
    diversity: Option<Diversity>,
    wording: Wording,
    warnings: Vec<String>,
    /// The seeds are narrow against the list that was given, and nobody has accepted that: a run would not start.
    stops: bool,
}

/// A concept as the seeds leave it.
#[derive(Debug, Serialize)]
struct ConceptLine {
    concept: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent: Option<String>,
    seeds: u64,
    share: f64,
    target: u64,
    gap: u64,
    covered: bool,
}

/// A cluster of seeds, named by its own words.
#[derive(Debug, Serialize)]
struct ClusterLine {
    name: String,
    seeds: usize,
}

/// Seeds whose questions are nearly the words of an earlier one's.
#[derive(Debug, Default, Serialize)]
struct Pairs {
    seeds: u64,
    shown: Vec<Pair>,
}

#[derive(Debug, Serialize)]
struct Pair {
    place: String,
    like: String,
    jaccard: f64,
}

/// A seed far from its nearest others.
#[derive(Debug, Serialize)]
struct Outlier {
    place: String,
    question: String,
    distance: f64,
}

/// Figures of diversity, each with what it depends on.
#[derive(Debug, Serialize)]
struct Diversity {
    dcscore: gristmill_measure::dcscore::AtFixedSize,
    vendi: Vec<gristmill_measure::vendi::Vendi>,
    spread: Spread,
}

/// Shows what a job's seeds cover and what they lack.
pub(crate) async fn audit(args: &JobArgs, view: &View, output: OutputStyle) -> Result<(), Failure> {
    let prepared = prepare(args, Keys::Elsewhere).await?;
    let survey = survey(&prepared, view).await.map_err(Failure::Input)?;
    let audit = tokio::task::spawn_blocking(move || look(&prepared, survey))
        .await
        .map_err(anyhow::Error::from)?
        .map_err(Failure::Input)?;
    let value = serde_json::to_value(&audit).map_err(anyhow::Error::from)?;
    print::either(output, &value, &text(&audit));
    Ok(())
}

fn look(prepared: &Prepared, survey: Survey) -> anyhow::Result<Audit> {
    let seeds = &prepared.seeds;
    let job = &prepared.start.job;
    let places: Vec<String> = (0..seeds.anchors())
        .map(|n| {
            seeds
                .read(seeds.anchor(n))
                .map(|seed| format!("{}:{}", seed.place.file, seed.place.line))
        })
        .collect::<Result<_, _>>()?;
    let concepts = lines(&survey, job.concepts.as_ref(), seeds.anchors());
    let mut audit = Audit {
        run: prepared.start.run.to_string(),
        seeds: seeds.anchors(),
        assigned: survey.assigned,
        missing: concepts.iter().map(|concept| concept.gap).sum(),
        concepts,
        clusters: Vec::new(),
        clusters_effective: None,
        near_duplicates: Pairs::default(),
        outliers: Vec::new(),
        diversity: None,
        wording: WordCounts::default().figures(),
        warnings: Vec::new(),
        stops: false,
    };
    words(prepared, &places, &mut audit)?;
    let of_anchor = (0..seeds.anchors()).filter_map(|n| survey.vectors.get(seeds.anchor(n) as usize));
    let vectors: Vec<&[f32]> = of_anchor.map(Vec::as_slice).collect();
    if let Some(dimensions) = vectors.first().map(|vector| vector.len()) {
        let unit = Vectors::new(job.embed.model.as_str(), dimensions, vectors.concat())?.normalized()?;
        if unit.as_vectors().len() > NEIGHBORS {
            meanings(prepared, &unit, &places, &mut audit)?;
        }
    }
    warn(prepared, &survey, &mut audit);
    Ok(audit)
}

fn lines(survey: &Survey, settings: Option<&Concepts>, seeds: u64) -> Vec<ConceptLine> {
    let covered_from = settings.map_or(1, |settings| settings.covered_from);
    let line = |outlook: &gristmill_domain::concept::Outlook| ConceptLine {
        concept: outlook.standing.concept.clone(),
        parent: outlook.standing.parent.clone(),
        seeds: outlook.seeds,
        share: outlook.seeds as f64 / seeds.max(1) as f64,
        target: outlook.standing.target,
        gap: outlook.standing.open(),
        covered: outlook.seeds >= covered_from,
    };
    let mut lines: Vec<ConceptLine> = survey.concepts.iter().map(line).collect();
    lines.sort_by(|a, b| {
        b.gap
            .cmp(&a.gap)
            .then(a.seeds.cmp(&b.seeds))
            .then(a.concept.cmp(&b.concept))
    });
    lines
}

/// What the words alone show.
fn words(prepared: &Prepared, places: &[String], audit: &mut Audit) -> anyhow::Result<()> {
    let near = &prepared.start.job.filter.near_duplicates;
    let parameters = Parameters {
        shingle: near.shingle_words as usize,
        ..Parameters::default()
    };
    let mut index = MinHashIndex::new(Scheme::new(parameters)?);
    let mut counts = WordCounts::default();
    for n in 0..prepared.seeds.anchors() {
        let question = prepared.seeds.read(prepared.seeds.anchor(n))?.question;
        counts.add(&question);
        let sketch = index.scheme().sketch_text(&question);
        let found = index.near(&sketch, near.jaccard)?;
        if let Some(first) = found.iter().max_by(|a, b| a.jaccard.total_cmp(&b.jaccard)) {
            audit.near_duplicates.seeds += 1;
            if audit.near_duplicates.shown.len() < SHOWN {
                audit.near_duplicates.shown.push(Pair {
                    place: places[n as usize].clone(),
                    like: places[first.row as usize].clone(),
                    jaccard: first.jaccard,
                });
            }
        }
        index.insert(n as u32, &sketch)?;
    }
    audit.wording = counts.figures();
    Ok(())
}

/// What the vectors show: clusters, outliers, diversity.
fn meanings(
    prepared: &Prepared,
    unit: &UnitVectors,
    places: &[String],
    audit: &mut Audit,
) -> anyhow::Result<()> {
    let rows = unit.as_vectors();
    let question = |n: usize| {
        prepared
            .seeds
            .read(prepared.seeds.anchor(n as u64))
            .map(|seed| seed.question)
    };
    let wanted = prepared
        .start
        .job
        .concepts
        .as_ref()
        .and_then(|concepts| concepts.found);
    let k = wanted.map_or_else(
        || ((rows.len() as f64 / 2.0).sqrt() as usize).min(CLUSTERS_MAX),
        |k| k as usize,
    );
    let k = k.clamp(1, rows.len());
    let fitted = Clusters::fit(rows, k, 0, threads())?;
    let of = fitted.assign(rows, threads())?;
    let mut named = ClusterWords::new(k);
    let mut sizes = vec![0usize; k];
    for (n, &cluster) in of.iter().enumerate() {
        named.add(cluster as usize, &question(n)?);
        sizes[cluster as usize] += 1;
    }
    audit.clusters_effective = Some(clusters::entropy(&sizes, rows.model())?.effective);
    let line = |(name, seeds)| ClusterLine { name, seeds };
    audit.clusters = named.names().into_iter().zip(sizes).map(line).collect();
    audit
        .clusters
        .sort_by(|a, b| b.seeds.cmp(&a.seeds).then(a.name.cmp(&b.name)));

    let near = neighbors(rows, NEIGHBORS, threads())?;
    let distance =
        |n: usize| near.of(n).map(|(_, distance)| f64::from(distance)).sum::<f64>() / NEIGHBORS as f64;
    let distances: Vec<f64> = (0..rows.len()).map(distance).collect();
    let middle = median(distances.clone());
    let spread_of = MAD
        * median(
            distances
                .iter()
                .map(|distance| (distance - middle).abs())
                .collect(),
        );
    let mut far: Vec<usize> = (0..rows.len())
        .filter(|n| distances[*n] > middle + OUTLIER * spread_of && spread_of > 0.0)
        .collect();
    far.sort_by(|a, b| distances[*b].total_cmp(&distances[*a]).then(a.cmp(b)));
    for n in far.into_iter().take(SHOWN) {
        audit.outliers.push(Outlier {
            place: places[n].clone(),
            question: question(n)?,
            distance: distances[n],
        });
    }

    let draws = Draws {
        size: Draws::default().size.min(rows.len()),
        ..Draws::default()
    };
    let settings = Settings {
        tau: TAU,
        ..Settings::default()
    };
    audit.diversity = Some(Diversity {
        dcscore: at_fixed_size(unit, settings, draws, threads())?,
        vendi: vendi(unit, Kernel::Cosine, &[1.0, 2.0], threads())?,
        spread: spread(unit, threads())?,
    });
    Ok(())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

fn warn(prepared: &Prepared, survey: &Survey, audit: &mut Audit) {
    let mut warnings = Vec::new();
    if let Some(settings) = &prepared.start.job.concepts {
        if settings.found.is_none()
            && let Some(why) = narrow(&survey.concepts, settings)
        {
            audit.stops = settings.accept.is_none();
            warnings.push(why);
        }
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
        let ceiling = (share / (1.0 - share) * repeated as f64) as u64;
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
    audit.warnings = warnings;
}

fn text(audit: &Audit) -> String {
    let mut text = format!(
        "run {} · {} seeds to generate from\n",
        audit.run,
        thousands(audit.seeds)
    );
    if !audit.concepts.is_empty() {
        let covered = audit.concepts.iter().filter(|concept| concept.covered).count();
        text.push_str(&format!(
            "concepts   {covered} of {} covered, {} seeds belong to one, {} rows missing\n",
            audit.concepts.len(),
            thousands(audit.assigned),
            thousands(audit.missing)
        ));
        let width = audit
            .concepts
            .iter()
            .map(|c| c.concept.chars().count())
            .max()
            .unwrap_or(0)
            .clamp(8, 40);
        text.push_str(&format!(
            "  {:<width$} {:>7} {:>7} {:>7} {:>7}\n",
            "concept", "seeds", "share", "target", "gap"
        ));
        for line in &audit.concepts {
            text.push_str(&format!(
                "  {:<width$} {:>7} {:>6.1}% {:>7} {:>7}\n",
                one_line(&line.concept),
                thousands(line.seeds),
                100.0 * line.share,
                thousands(line.target),
                thousands(line.gap)
            ));
        }
    }
    if let Some(effective) = audit.clusters_effective {
        text.push_str(&format!(
            "clusters   {}, as even as {effective:.1}\n",
            audit.clusters.len()
        ));
        for cluster in &audit.clusters {
            text.push_str(&format!(
                "  {:>7} {}\n",
                thousands(cluster.seeds as u64),
                one_line(&cluster.name)
            ));
        }
    }
    text.push_str(&format!(
        "duplicates {} seeds are nearly an earlier one\n",
        audit.near_duplicates.seeds
    ));
    for pair in &audit.near_duplicates.shown {
        text.push_str(&format!(
            "  {} is like {} (Jaccard {:.2})\n",
            pair.place, pair.like, pair.jaccard
        ));
    }
    if audit.diversity.is_some() {
        text.push_str(&format!("outliers   {} shown\n", audit.outliers.len()));
    }
    for outlier in &audit.outliers {
        text.push_str(&format!(
            "  {:.3} {} {}\n",
            outlier.distance,
            outlier.place,
            one_line(&outlier.question)
        ));
    }
    if let Some(diversity) = &audit.diversity {
        let score = &diversity.dcscore;
        text.push_str(&format!(
            "diversity  DCScore {:.1} of {} (τ {}, {}), Vendi {}, cosine distance {:.3} on average, {:.3} to the nearest\n",
            score.mean,
            score.draws.size,
            score.settings.tau,
            score.model,
            diversity.vendi.iter().map(|v| format!("{:.1} (q {})", v.value, v.order)).collect::<Vec<_>>().join(", "),
            diversity.spread.mean,
            diversity.spread.nearest_mean
        ));
    }
    let [one, two, three] = audit.wording.distinct;
    text.push_str(&format!(
        "wording    distinct-1 {one:.3}, -2 {two:.3}, -3 {three:.3} over {} questions\n",
        audit.wording.n
    ));
    for warning in &audit.warnings {
        text.push_str(&format!("warning    {}\n", one_line_whole(warning)));
    }
    if audit.stops {
        text.push_str(
            "a run would stop here: add seeds, or accept it by name with `--set concepts.accept=narrow`\n",
        );
    }
    text.push_str("nothing was spent");
    text
}

/// A warning names concepts, which are a user's own texts: on one line, whole.
fn one_line_whole(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
