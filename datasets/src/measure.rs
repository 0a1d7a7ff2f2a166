//! How diverse rows are, and how well they cover real ones.

mod agent;
mod figures;
mod shown;

use std::collections::BTreeMap;

use anyhow::{Context, bail};
use gristmill_measure::clusters::Clusters;
use gristmill_measure::concepts::{ConceptCoverage, concept_coverage};
use gristmill_measure::dcscore::{Draws, Settings};
use gristmill_measure::{Kernel, Vectors};

use super::sample::{Draw, Sample};
use super::source::{RowsOptions, Source};
use super::task::Task;
use super::vectors::{VectorOptions, Vectorizer};
pub use agent::AgentOptions;
use agent::Paid;
use figures::{Figures, Reference};
use gristmill_measure::cores;

/// Values of a field that are measured apart, the commonest ones.
const VALUES_MOST: usize = 50;
/// What rows without a value are called.
const WITHOUT: &str = "(none)";
/// Rows that a draw has where nothing else is said.
const AT: usize = 1_000;

/// What is measured, and how.
pub struct MeasureOptions {
    /// The rows.
    pub rows: RowsOptions,
    /// Real rows to hold them against: tables or patterns.
    pub against: Vec<String>,
    /// Fields whose values are measured apart, too.
    pub by: Vec<String>,
    /// How texts become vectors.
    pub vectors: VectorOptions,
    /// What figures depend on.
    pub settings: MeasureSettings,
    /// A model that is paid for looking at rows.
    pub agent: Option<AgentOptions>,
}

/// What figures depend on.
#[derive(Debug, Clone)]
pub struct MeasureSettings {
    /// DCScore's τ: how sharply similarity counts.
    pub tau: Vec<f64>,
    /// Similarity of two rows: `cosine`, `rbf:γ`, `laplacian:γ` or `polynomial:DEGREE`.
    pub kernel: String,
    /// Rows of a draw at which sets are compared; 1,000, or as many as the smallest set has, when there is no number.
    pub at: Option<u32>,
    /// Draws.
    pub draws: u32,
    /// Orders of the Vendi score; infinity is one.
    pub vendi: Vec<f64>,
    /// Real neighbours that set the radius of a real row's ball, for precision, recall, density and coverage.
    pub k: u32,
    /// Clusters fitted on the real rows.
    pub clusters: u32,
    /// Examples that a concept needs to count as covered.
    pub at_least: u32,
    /// Rows that are measured at most.
    pub most: u32,
    /// Seed of all draws.
    pub seed: u64,
}

/// All that was measured.
pub struct Measurements {
    /// What was read, in words.
    head: Vec<String>,
    sets: Vec<Set>,
    concepts: Option<ConceptCoverage>,
    /// What the cluster agent found in all rows, where it was asked.
    agent: Option<Paid>,
    /// Values of fields that were not measured, being too many.
    left: Vec<String>,
}

/// A set of rows with its figures.
struct Set {
    /// The field and its value; `None` for all rows.
    of: Option<(String, String)>,
    figures: Figures,
}

/// A set before it is measured.
struct Part {
    of: Option<(String, String)>,
    rows: Vec<usize>,
}

/// Measures rows.
///
/// # Errors
/// Rows that cannot be read, settings that do not fit them, a model that fails, and [`Interrupted`](crate::Interrupted).
pub fn measure(args: &MeasureOptions, task: &Task) -> anyhow::Result<Measurements> {
    let kernel = kernel(&args.settings.kernel)?;
    let source = Source::new(&args.rows).textless(args.vectors.vectors.is_some());
    let real_source = if args.against.is_empty() {
        source.real()
    } else {
        Some(source.of_files(&args.against))
    };
    for source in real_source.iter().chain([&source]) {
        source.look()?;
    }
    let mut vectorizer = Vectorizer::open(&args.vectors, task)?;
    let draw = Draw {
        most: args.settings.most as usize,
        seed: args.settings.seed,
        by: &args.by,
    };
    let rows = Sample::read(&source, draw, &mut vectorizer, task)?.context("there is no row to measure")?;
    let real = match &real_source {
        Some(source) => Some(
            Sample::read(source, draw, &mut vectorizer, task)?
                .context("there is no real row to hold them against")?,
        ),
        None => None,
    };
    let mut head = vec![format!(
        "{} rows, {}, vectors by {}",
        rows.counted(),
        rows.field,
        vectorizer.model()
    )];
    if let Some(real) = &real {
        head.push(format!("against {} real rows, {}", real.counted(), real.field));
    }
    head.extend(rows.warning.clone());
    head.extend(real.as_ref().and_then(|real| real.warning.clone()));
    let (parts, left) = parts(&rows, &args.by);
    let reference = match &real {
        Some(real) => Some(reference(real, &args.settings)?),
        None => None,
    };
    let settings = settings(&args.settings, kernel, &parts, rows.items.len())?;
    let mut sets = Vec::new();
    let mut counter = task.counting("measuring sets");
    for (done, part) in parts.iter().enumerate() {
        counter.at(done as u64, Some(parts.len() as u64))?;
        let figures = Figures::measure(&rows, &part.rows, reference.as_ref(), &settings)
            .with_context(|| shown::name(part.of.as_ref()))?;
        sets.push(Set {
            of: part.of.clone(),
            figures,
        });
    }
    drop(counter);
    let texts: Vec<&str> = rows.items.iter().map(|item| item.text.as_str()).collect();
    Ok(Measurements {
        head,
        sets,
        agent: agent::score_texts(args.agent.as_ref(), &texts, task).context("the cluster agent")?,
        concepts: real.as_ref().and_then(|real| concepts(&rows, real, args)),
        left,
    })
}

/// `cosine`, `rbf:0.5`, `laplacian:1` or `polynomial:3`.
fn kernel(text: &str) -> anyhow::Result<Kernel> {
    let (name, number) = match text.split_once(':') {
        Some((name, number)) => (name, Some(number)),
        None => (text, None),
    };
    let gamma = || -> anyhow::Result<f64> {
        let number = number.with_context(|| format!("`--kernel {name}` needs its γ: `{name}:0.5`"))?;
        number
            .parse()
            .with_context(|| format!("`{number}` is no γ for `--kernel`"))
    };
    Ok(match name {
        "cosine" if number.is_none() => Kernel::Cosine,
        "rbf" => Kernel::Rbf { gamma: gamma()? },
        "laplacian" => Kernel::Laplacian { gamma: gamma()? },
        "polynomial" => {
            let number = number.context("`--kernel polynomial` needs its degree: `polynomial:3`")?;
            let degree = number
                .parse()
                .with_context(|| format!("`{number}` is no degree for `--kernel`"))?;
            Kernel::Polynomial { degree }
        }
        _ => {
            bail!("there is no kernel `{text}`: name `cosine`, `rbf:γ`, `laplacian:γ` or `polynomial:DEGREE`")
        }
    })
}

/// The whole, and a part for each of the commonest values of each field.
fn parts(rows: &Sample, by: &[String]) -> (Vec<Part>, Vec<String>) {
    let mut parts = vec![Part {
        of: None,
        rows: (0..rows.items.len()).collect(),
    }];
    let mut left = Vec::new();
    for (place, field) in by.iter().enumerate() {
        let mut found: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        let mut without = Vec::new();
        for (number, item) in rows.items.iter().enumerate() {
            let labels = item.labels.get(place).map(Vec::as_slice).unwrap_or_default();
            if labels.is_empty() {
                without.push(number);
            }
            for label in labels {
                found.entry(label).or_default().push(number);
            }
        }
        let mut found: Vec<_> = found.into_iter().collect();
        // The order of equal counts is that of their names.
        found.sort_by_key(|(_, rows)| std::cmp::Reverse(rows.len()));
        if found.len() > VALUES_MOST {
            left.push(format!(
                "{} rarer values of `{field}` are not shown",
                found.len() - VALUES_MOST
            ));
        }
        if found.is_empty() {
            left.push(format!("no row has a `{field}`"));
            continue;
        }
        parts.extend(found.into_iter().take(VALUES_MOST).map(|(value, rows)| Part {
            of: Some((field.clone(), value.to_owned())),
            rows,
        }));
        if !without.is_empty() {
            parts.push(Part {
                of: Some((field.clone(), WITHOUT.to_owned())),
                rows: without,
            });
        }
    }
    (parts, left)
}

/// Real rows, with clusters fitted on them.
fn reference<'a>(real: &'a Sample, settings: &MeasureSettings) -> anyhow::Result<Reference<'a>> {
    let vectors: &Vectors = real.vectors.as_vectors();
    let clusters = (settings.clusters as usize).min(vectors.len());
    Ok(Reference {
        vectors,
        k: settings.k as usize,
        clusters: Clusters::fit(vectors, clusters, settings.seed, cores())?,
    })
}

/// What all figures share. Sets are compared at one size: as asked, or 1,000, or what the smallest set of some size has.
fn settings(
    args: &MeasureSettings,
    kernel: Kernel,
    parts: &[Part],
    rows: usize,
) -> anyhow::Result<figures::Settings> {
    let asked = args.at.map(|at| at as usize);
    if let Some(asked) = asked
        && asked > rows
    {
        bail!("`--at {asked}` asks for more rows than the {rows} that are there");
    }
    let smallest = parts
        .iter()
        .map(|part| part.rows.len())
        .filter(|n| *n >= figures::LEAST)
        .min();
    Ok(figures::Settings {
        dcscore: args
            .tau
            .iter()
            .map(|tau| Settings {
                kernel,
                tau: *tau,
                ..Settings::default()
            })
            .collect(),
        draws: Draws {
            draws: args.draws as usize,
            size: asked.unwrap_or_else(|| AT.min(smallest.unwrap_or(rows)).min(rows)),
            seed: args.seed,
        },
        orders: args.vendi.clone(),
        threads: cores(),
    })
}

/// Which concepts of either set have enough rows.
fn concepts(rows: &Sample, real: &Sample, args: &MeasureOptions) -> Option<ConceptCoverage> {
    let place = args
        .by
        .iter()
        .position(|field| field == "concept" || field == "concepts")?;
    let mut counts: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for item in &real.items {
        for label in &item.labels[place] {
            counts.entry(label).or_default().0 += 1;
        }
    }
    for item in &rows.items {
        for label in &item.labels[place] {
            counts.entry(label).or_default().1 += 1;
        }
    }
    let (real, synthetic): (Vec<usize>, Vec<usize>) = counts.into_values().unzip();
    concept_coverage(&real, &synthetic, args.settings.at_least as usize).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernels_are_named_with_their_number() {
        assert_eq!(kernel("cosine").unwrap(), Kernel::Cosine);
        assert_eq!(kernel("rbf:0.5").unwrap(), Kernel::Rbf { gamma: 0.5 });
        assert_eq!(kernel("polynomial:3").unwrap(), Kernel::Polynomial { degree: 3 });
        for wrong in ["rbf", "rbf:x", "cosine:1", "polynomial:0.5", "gauss:1"] {
            assert!(kernel(wrong).is_err(), "{wrong}");
        }
    }
}
