//! What pages are put together from: headlines, conditions, tables, bars.

use serde::Serialize;

use crate::text::thousands;

/// How well something stands, always told by a word as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// As it should be.
    Good,
    /// Worth a look.
    Warn,
    /// Not as it should be.
    Bad,
}

/// A condition that something is held to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Gate {
    /// Whether it holds.
    pub severity: Severity,
    /// The condition with its numbers.
    pub text: String,
}

/// A number that stands for the whole.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Headline {
    /// What it is.
    pub name: String,
    /// The number.
    pub value: String,
    /// What it depends on.
    pub note: String,
}

/// A plain table.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Table {
    /// Heads; the first column holds names.
    pub heads: Vec<String>,
    /// Cells by row.
    pub rows: Vec<Vec<String>>,
}

/// A table with a bar a row.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Bars {
    /// What the bars are of.
    pub of: String,
    /// Heads of the columns behind the bar.
    pub heads: Vec<String>,
    /// Its rows.
    pub rows: Vec<Bar>,
}

/// A row of [`Bars`].
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Bar {
    /// What it is for.
    pub name: String,
    /// Share of the largest, from 0 to 1.
    pub full: f64,
    /// Share behind it that is drawn faintly.
    pub faint: f64,
    /// Texts of the other columns.
    pub cells: Vec<String>,
}

/// A table with an interval a row.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Intervals {
    /// What the intervals are of.
    pub of: String,
    /// Heads of the columns behind the interval.
    pub heads: Vec<String>,
    /// Where the scale's zero is, from 0 to 1.
    pub zero: f64,
    /// Its rows.
    pub rows: Vec<IntervalRow>,
}

/// A row of [`Intervals`]: places on the scale, from 0 to 1.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct IntervalRow {
    /// What it is for.
    pub name: String,
    /// The interval's lower end.
    pub low: f64,
    /// The figure.
    pub value: f64,
    /// The interval's upper end.
    pub high: f64,
    /// Texts of the other columns.
    pub cells: Vec<String>,
}

/// A concept with its rows.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Concept {
    /// Its name.
    pub name: String,
    /// Real rows.
    pub real: u64,
    /// Synthetic rows.
    pub synthetic: u64,
    /// Rows wanted, real and synthetic together, where that is said.
    pub target: Option<u64>,
}

/// With targets, which count both sorts, concepts' bars stand behind each other; without, below each other.
pub(crate) fn has_targets(concepts: &[Concept]) -> bool {
    concepts.iter().any(|concept| concept.target.is_some())
}

/// The largest number of a concept's rows, which a full bar stands for.
pub(crate) fn most(concepts: &[Concept]) -> f64 {
    let stacked = has_targets(concepts);
    let largest = |concept: &Concept| {
        let both = if stacked {
            concept.real + concept.synthetic
        } else {
            concept.real.max(concept.synthetic)
        };
        both.max(concept.target.unwrap_or(0))
    };
    concepts.iter().map(largest).max().unwrap_or(1).max(1) as f64
}

/// Concepts as a template draws them.
#[derive(Debug, Serialize)]
pub(crate) struct ConceptBars<'a> {
    rows: Vec<ConceptBar<'a>>,
    note: &'a str,
    has_targets: bool,
    has_synthetic: bool,
}

/// A concept with its bars' widths, of a hundred.
#[derive(Debug, Serialize)]
struct ConceptBar<'a> {
    #[serde(flatten)]
    concept: &'a Concept,
    real_width: f64,
    synthetic_width: f64,
    target_at: Option<f64>,
    real_text: String,
    synthetic_text: String,
    target_text: String,
    short: bool,
}

impl<'a> ConceptBars<'a> {
    /// Concepts with what is to be said of them; `synthetic` where rows were made at all.
    pub(crate) fn new(concepts: &'a [Concept], note: &'a str, synthetic: bool) -> Self {
        let most = most(concepts);
        let width = |count: u64| (count as f64 / most * 1000.0).round() / 10.0;
        let row = |concept: &'a Concept| ConceptBar {
            real_width: width(concept.real),
            synthetic_width: width(concept.synthetic),
            target_at: concept.target.map(width),
            real_text: thousands(concept.real),
            synthetic_text: thousands(concept.synthetic),
            target_text: concept.target.map_or_else(String::new, thousands),
            short: concept
                .target
                .is_some_and(|target| concept.real + concept.synthetic < target),
            concept,
        };
        Self {
            rows: concepts.iter().map(row).collect(),
            note,
            has_targets: has_targets(concepts),
            has_synthetic: synthetic,
        }
    }
}
