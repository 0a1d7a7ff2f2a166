//! What an audit has seen: every figure with what it depends on.

use gristmill_measure::dcscore::AtFixedSize;
use gristmill_measure::spread::Spread;
use gristmill_measure::vendi::Vendi;
use gristmill_measure::words::Wording;
use serde::Serialize;

/// What an audit found.
#[derive(Debug, Serialize)]
pub struct Audit {
    pub(super) run: String,
    /// Seeds to generate from; held-out rows are not looked at.
    pub(super) seeds: u64,
    /// Of them, those that belong to a concept.
    pub(super) assigned: u64,
    pub(super) concepts: Vec<ConceptLine>,
    /// How good assigning by embedding is, by the seeds' labels; nothing where labels or vectors do not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) assignment: Option<Assignment>,
    /// Labels that seeds carry where the job names no concepts, the commonest first.
    pub(super) labels: Vec<LabelLine>,
    /// Rows that the targets still want.
    pub(super) missing: u64,
    pub(super) clusters: Vec<ClusterLine>,
    /// Evenness of the clusters: as many even ones would be as even.
    pub(super) clusters_effective: Option<f64>,
    pub(super) near_duplicates: Duplicates,
    pub(super) outliers: Option<Outliers>,
    pub(super) diversity: Option<Diversity>,
    pub(super) wording: Wording,
    pub(super) documents: Option<Documents>,
    pub(super) left_out: Vec<LeftOut>,
    pub(super) warnings: Vec<String>,
    /// The seeds are narrow against the list that was given, and nobody has accepted that: a run would not start.
    pub(super) stops: bool,
    /// For the page alone.
    #[serde(skip)]
    pub(super) marks: Option<Marks>,
}

/// Something that was not looked at.
#[derive(Debug, Serialize)]
pub(super) struct LeftOut {
    pub(super) what: String,
    pub(super) why: String,
}

/// A concept as the seeds leave it.
#[derive(Debug, Serialize)]
pub(super) struct ConceptLine {
    pub(super) concept: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) parent: Option<String>,
    pub(super) seeds: u64,
    pub(super) share: f64,
    pub(super) target: u64,
    pub(super) gap: u64,
    pub(super) covered: bool,
}

/// How good assigning by embedding was on labelled seeds, each assigned by a calibration that had not seen it.
#[derive(Debug, Serialize)]
pub(super) struct Assignment {
    /// Seeds with labels that were looked at.
    pub(super) seeds: u64,
    /// Probability from which a seed was assigned: `concepts.confidence`.
    pub(super) confidence: f64,
    /// Pairs of a seed and a concept that labels name, that embedding finds, and that both do.
    pub(super) labelled: u64,
    pub(super) assigned: u64,
    pub(super) right: u64,
    /// Share of what embedding assigns that labels confirm; nothing where it assigns nothing.
    pub(super) precision: Option<f64>,
    /// Share of what labels name that embedding finds.
    pub(super) recall: Option<f64>,
    /// By concept, where labels name enough seeds.
    pub(super) concepts: Vec<OfConcept>,
}

/// How good assigning by embedding was for one concept.
#[derive(Debug, Serialize)]
pub(super) struct OfConcept {
    pub(super) concept: String,
    pub(super) labelled: u64,
    pub(super) assigned: u64,
    pub(super) right: u64,
    pub(super) precision: Option<f64>,
    pub(super) recall: Option<f64>,
}

/// A label that seeds carry.
#[derive(Debug, Serialize)]
pub(super) struct LabelLine {
    pub(super) label: String,
    pub(super) seeds: u64,
    pub(super) share: f64,
}

/// A cluster of seeds, named by its own words.
#[derive(Debug, Serialize)]
pub(super) struct ClusterLine {
    pub(super) name: String,
    pub(super) seeds: usize,
}

/// Seeds whose questions are nearly the words of an earlier one's.
#[derive(Debug, Serialize)]
pub(super) struct Duplicates {
    pub(super) seeds: u64,
    /// Jaccard similarity from which two are alike, of shingles of so many words.
    pub(super) jaccard: f64,
    pub(super) shingle_words: u32,
    pub(super) shown: Vec<Pair>,
}

/// Two seeds that are alike.
#[derive(Debug, Serialize)]
pub(super) struct Pair {
    pub(super) place: String,
    pub(super) question: String,
    pub(super) like: String,
    pub(super) like_question: String,
    pub(super) jaccard: f64,
}

/// Seeds far from their nearest others.
#[derive(Debug, Serialize)]
pub(super) struct Outliers {
    pub(super) seeds: usize,
    /// Mean Euclidean distance to so many nearest others from which a seed is one.
    pub(super) distance: f64,
    pub(super) neighbors: usize,
    pub(super) n: usize,
    pub(super) model: String,
    /// The farthest of them.
    pub(super) shown: Vec<Outlier>,
}

/// One of them.
#[derive(Debug, Serialize)]
pub(super) struct Outlier {
    pub(super) place: String,
    pub(super) question: String,
    pub(super) distance: f64,
}

/// Figures of diversity, each with what it depends on.
#[derive(Debug, Serialize)]
pub(super) struct Diversity {
    pub(super) dcscore: AtFixedSize,
    pub(super) vendi: Vec<Vendi>,
    pub(super) spread: Spread,
}

/// How much of the documents the seeds touch.
#[derive(Debug, Serialize)]
pub(super) struct Documents {
    /// Documents, and those of which a passage is touched or that a seed names as its source.
    pub(super) documents: u64,
    pub(super) documents_touched: u64,
    /// Passages to ask about; of a large corpus a number is drawn and looked at.
    pub(super) passages: u64,
    pub(super) looked_at: u64,
    /// Of those looked at.
    pub(super) touched: u64,
    pub(super) touched_share: f64,
    /// A seed's question is that near by its vector; nothing was compared where there is no model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) near: Option<Near>,
    /// Each document, the untouched ones first, the largest first.
    pub(super) list: Vec<DocumentLine>,
}

/// By what a passage and a question are near.
#[derive(Debug, Serialize)]
pub(super) struct Near {
    /// Cosine similarity from which they are.
    pub(super) cosine: f64,
    /// Seeds that were compared with.
    pub(super) n: usize,
    pub(super) model: String,
}

/// A document with its passages.
#[derive(Debug, Serialize)]
pub(super) struct DocumentLine {
    pub(super) document: String,
    /// Passages that were looked at.
    pub(super) passages: u64,
    pub(super) touched: u64,
    /// Seeds that name it as their source.
    pub(super) named: u64,
}

impl DocumentLine {
    /// True when a seed touches it.
    pub(super) fn is_touched(&self) -> bool {
        self.touched > 0 || self.named > 0
    }
}

/// Seeds in the plane.
#[derive(Debug)]
pub(super) struct Marks {
    /// What their classes are: concepts or clusters.
    pub(super) by: &'static str,
    pub(super) of: u64,
    pub(super) model: String,
    pub(super) marks: Vec<Mark>,
}

/// A seed in the plane.
#[derive(Debug)]
pub(super) struct Mark {
    pub(super) at: [f32; 2],
    pub(super) question: String,
    pub(super) place: String,
    /// Its concept or cluster.
    pub(super) of: Option<String>,
}
