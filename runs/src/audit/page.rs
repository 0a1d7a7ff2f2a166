//! An audit as a page.

mod map;

use gristmill_domain::words::{figure, thousands};
use gristmill_picture::audit::{self as picture, Part};
use gristmill_picture::cut;
use gristmill_picture::parts::{Bar, Bars, Concept, Headline, Severity, Table};

use super::seen::{Audit, ClusterLine, DocumentLine, Documents, OfConcept, Outlier, Pair};
use super::{assignment, text};
use crate::prepared::Prepared;

/// Characters of a question on the map and in tables.
const TOLD: usize = 180;
/// Documents that are listed.
const DOCUMENTS: usize = 200;

/// Labels that are shown.
const LABELS: usize = 40;

/// The page.
pub(super) fn page(prepared: &Prepared, audit: &Audit) -> picture::Audit {
    let (severity, verdict) = verdict(audit);
    let (concepts, concepts_note) = concepts(audit);
    picture::Audit {
        title: title(prepared),
        verdict,
        severity,
        headlines: headlines(audit),
        warnings: audit.warnings.clone(),
        left_out: audit
            .left_out
            .iter()
            .map(|left| format!("{}: {}", left.what, left.why))
            .collect(),
        map: audit.marks.as_ref().map(map::map),
        concepts,
        concepts_note,
        assignment: assigning(audit),
        clusters: clusters(audit),
        duplicates: duplicates(audit),
        outliers: outliers(audit),
        diversity: diversity(audit),
        documents: audit.documents.as_ref().map(documents),
        facts: facts(prepared, audit),
    }
}

fn title(prepared: &Prepared) -> String {
    let job = std::path::Path::new(&prepared.start.job_file).file_name();
    let job = job.map_or_else(String::new, |name| format!(" · {}", name.to_string_lossy()));
    format!("Gristmill audit{job}")
}

fn verdict(audit: &Audit) -> (Severity, String) {
    let seeds = format!("{} seeds to generate from", thousands(audit.seeds));
    if audit.stops {
        return (
            Severity::Bad,
            format!(
                "{seeds}, and they are narrow: a run would stop. Add seeds, or accept it by name with concepts.accept=narrow."
            ),
        );
    }
    match audit.warnings.len() {
        0 => (Severity::Good, format!("{seeds}; nothing to warn of.")),
        1 => (Severity::Warn, format!("{seeds}, and a warning.")),
        some => (Severity::Warn, format!("{seeds}, and {some} warnings.")),
    }
}

fn headlines(audit: &Audit) -> Vec<Headline> {
    let mut all = Vec::new();
    let mut headline = |name: &str, value: String, note: String| {
        all.push(Headline {
            name: name.to_owned(),
            value,
            note,
        });
    };
    headline(
        "seeds",
        thousands(audit.seeds),
        "to generate from; held-out rows are not looked at".to_owned(),
    );
    if !audit.concepts.is_empty() {
        let covered = audit.concepts.iter().filter(|line| line.covered).count();
        headline(
            "concepts covered",
            format!(
                "{} of {}",
                thousands(covered as u64),
                thousands(audit.concepts.len() as u64)
            ),
            format!("{} seeds belong to one", thousands(audit.assigned)),
        );
        headline(
            "rows missing",
            thousands(audit.missing),
            "to the concepts' targets".to_owned(),
        );
    }
    if let Some(effective) = audit.clusters_effective {
        headline(
            "clusters",
            thousands(audit.clusters.len() as u64),
            format!("as even as {}", figure(effective)),
        );
    }
    headline(
        "near-duplicates",
        thousands(audit.near_duplicates.seeds),
        format!("seeds, by Jaccard {}", audit.near_duplicates.jaccard),
    );
    if let Some(outliers) = &audit.outliers {
        headline(
            "outliers",
            thousands(outliers.seeds as u64),
            format!("of {} seeds", thousands(outliers.n as u64)),
        );
    }
    if let Some(diversity) = &audit.diversity {
        headline(
            "diversity (DCScore)",
            figure(diversity.dcscore.mean),
            text::score_depends(&diversity.dcscore),
        );
    }
    if let Some(documents) = &audit.documents {
        headline(
            "passages touched",
            format!("{:.1} %", 100.0 * documents.touched_share),
            format!(
                "{} of {}",
                thousands(documents.touched),
                thousands(documents.looked_at)
            ),
        );
    }
    all
}

/// Concepts by the order of the text: the largest gap first. Without any, the labels that seeds carry.
fn concepts(audit: &Audit) -> (Vec<Concept>, String) {
    if audit.concepts.is_empty() {
        let list = audit.labels.iter().take(LABELS).map(|line| Concept {
            name: line.label.clone(),
            real: line.seeds,
            synthetic: 0,
            target: None,
        });
        let note = match audit.labels.len() {
            0 => String::new(),
            all => format!(
                "The commonest of {} labels that seeds carry; named in `concepts`, they count against targets.",
                thousands(all as u64)
            ),
        };
        return (list.collect(), note);
    }
    let list = audit.concepts.iter().map(|line| Concept {
        name: line.concept.clone(),
        real: line.seeds,
        synthetic: 0,
        target: (line.target > 0).then_some(line.target),
    });
    (list.collect(), format!("{}.", text::belonging(audit)))
}

/// How good assigning by embedding is, and for which concepts.
fn assigning(audit: &Audit) -> Part {
    let Some(found) = &audit.assignment else {
        return Part::default();
    };
    let percent =
        |share: Option<f64>| share.map_or_else(|| "–".to_owned(), |share| format!("{:.0} %", 100.0 * share));
    let row = |concept: &OfConcept| {
        vec![
            concept.concept.clone(),
            assignment::told_of(concept),
            percent(concept.precision),
            percent(concept.recall),
        ]
    };
    Part {
        note: format!(
            "{}. Rows whose own label names a concept belong to it whatever the embedding says.",
            assignment::told(found)
        ),
        table: table(
            &["concept", "seeds", "precision", "recall"],
            found.concepts.iter().map(row).collect(),
        ),
    }
}

fn share_of(part: u64, whole: u64) -> f64 {
    part as f64 / whole.max(1) as f64
}

fn clusters(audit: &Audit) -> Bars {
    let sizes = || audit.clusters.iter().map(|line| line.seeds as u64);
    let largest = sizes().max().unwrap_or(0);
    let row = |(line, seeds): (&ClusterLine, u64)| Bar {
        name: line.name.clone(),
        full: share_of(seeds, largest),
        faint: 0.0,
        cells: vec![
            thousands(seeds),
            format!("{:.1} %", 100.0 * share_of(seeds, audit.seeds)),
        ],
    };
    let effective = audit.clusters_effective.unwrap_or_default();
    Bars {
        of: format!(
            "Found in the seeds' vectors, and named by the words that set each apart. As even as {effective:.1} clusters of one size would be."
        ),
        heads: ["seeds", "share"].map(str::to_owned).to_vec(),
        rows: audit.clusters.iter().zip(sizes()).map(row).collect(),
    }
}

fn table(heads: &[&str], rows: Vec<Vec<String>>) -> Table {
    Table {
        heads: heads.iter().map(|head| (*head).to_owned()).collect(),
        rows,
    }
}

fn duplicates(audit: &Audit) -> Part {
    let near = &audit.near_duplicates;
    let row = |pair: &Pair| {
        vec![
            cut(&pair.question, TOLD),
            cut(&pair.like_question, TOLD),
            format!("{} · {}", pair.place, pair.like),
            format!("{:.2}", pair.jaccard),
        ]
    };
    Part {
        note: format!(
            "{} of {} seeds are nearly an earlier one: Jaccard similarity of runs of {} words from {} on.{}",
            thousands(near.seeds),
            thousands(audit.seeds),
            near.shingle_words,
            near.jaccard,
            shown(near.shown.len(), near.seeds)
        ),
        table: table(
            &["seed", "like", "places", "Jaccard"],
            near.shown.iter().map(row).collect(),
        ),
    }
}

/// ` The first 10 are shown.`, where not all are.
fn shown(shown: usize, all: u64) -> String {
    if (shown as u64) < all {
        format!(" {shown} are shown.")
    } else {
        String::new()
    }
}

fn outliers(audit: &Audit) -> Part {
    let Some(outliers) = &audit.outliers else {
        return Part::default();
    };
    let row = |outlier: &Outlier| {
        vec![
            cut(&outlier.question, TOLD),
            outlier.place.clone(),
            format!("{:.3}", outlier.distance),
        ]
    };
    Part {
        note: format!(
            "{} of {} seeds lie over {:.3} from their {} nearest others on average, the farthest first: 3.5 robust deviations over the median, {}.{}",
            thousands(outliers.seeds as u64),
            thousands(outliers.n as u64),
            outliers.distance,
            outliers.neighbors,
            outliers.model,
            shown(outliers.shown.len(), outliers.seeds as u64)
        ),
        table: table(
            &["seed", "place", "distance"],
            outliers.shown.iter().map(row).collect(),
        ),
    }
}

fn diversity(audit: &Audit) -> Part {
    let Some(diversity) = &audit.diversity else {
        return Part::default();
    };
    let mut rows: Vec<Vec<String>> = text::figures(diversity)
        .into_iter()
        .map(|(name, value, depends)| vec![name, value, depends])
        .collect();
    for (length, distinct) in (1..).zip(audit.wording.distinct) {
        rows.push(vec![
            format!("distinct runs of {length} words"),
            figure(distinct),
            format!("n = {} questions", thousands(audit.wording.n as u64)),
        ]);
    }
    Part {
        note: "Scores count distinct rows, and mean nothing without their τ, n and model. In brackets: the middle 95 % of the draws."
            .to_owned(),
        table: table(&["figure", "value", "of"], rows),
    }
}

fn documents(found: &Documents) -> Bars {
    let largest = found.list.iter().map(|line| line.passages).max().unwrap_or(0);
    let row = |line: &DocumentLine| Bar {
        name: line.document.clone(),
        full: share_of(line.touched, largest),
        faint: share_of(line.passages - line.touched, largest),
        cells: vec![
            thousands(line.touched),
            thousands(line.passages),
            thousands(line.named),
        ],
    };
    let more = match found.list.len().saturating_sub(DOCUMENTS) {
        0 => String::new(),
        more => format!(" {} documents more are not listed.", thousands(more as u64)),
    };
    Bars {
        of: format!(
            "{}. A seed also touches a passage that it rests on, and a document that it names. Faint: untouched; untouched documents come first.{more}",
            text::touched(found)
        ),
        heads: ["touched", "passages", "named by seeds"]
            .map(str::to_owned)
            .to_vec(),
        rows: found.list.iter().take(DOCUMENTS).map(row).collect(),
    }
}

fn facts(prepared: &Prepared, audit: &Audit) -> Table {
    let job = &prepared.start.job;
    let pair = |name: &str, value: String| vec![name.to_owned(), value];
    let summary = prepared.seeds.summary();
    let mut rows = vec![
        pair("run", audit.run.clone()),
        pair("gristmill", prepared.start.version.clone()),
        pair(
            "real rows",
            format!(
                "{} in {} groups, {} repeated ones left out, {} to generate from",
                thousands(summary.rows),
                thousands(summary.groups),
                thousands(summary.repeated),
                thousands(audit.seeds)
            ),
        ),
        pair("embedding", job.embed.model.clone()),
    ];
    if let Some(concepts) = &job.concepts {
        rows.push(pair(
            "concepts",
            format!(
                "a concept is covered from {} real rows on; {:.0} % may be uncovered; a row belongs to one from a confidence of {}",
                concepts.covered_from,
                100.0 * concepts.max_uncovered,
                concepts.confidence
            ),
        ));
    }
    Table {
        heads: Vec::new(),
        rows,
    }
}
