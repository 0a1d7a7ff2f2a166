//! An audit as text.

use gristmill_domain::words::{figure, many, one_line, thousands};
use gristmill_measure::dcscore::AtFixedSize;

use super::assignment;
use super::seen::{Audit, Diversity, Documents};

/// Documents without a touched passage that are named.
const DOCUMENTS: usize = 10;
/// Labels that are named.
const LABELS: usize = 20;

/// The audit, a line a finding.
pub(super) fn text(audit: &Audit) -> String {
    let mut lines = vec![format!(
        "run {} · {} seeds to generate from",
        audit.run,
        thousands(audit.seeds)
    )];
    concepts(audit, &mut lines);
    assignment(audit, &mut lines);
    labels(audit, &mut lines);
    if let Some(effective) = audit.clusters_effective {
        lines.push(format!(
            "clusters   {}, as even as {} of one size would be",
            audit.clusters.len(),
            figure(effective)
        ));
        for cluster in &audit.clusters {
            lines.push(format!(
                "  {:>7} {}",
                thousands(cluster.seeds as u64),
                one_line(&cluster.name)
            ));
        }
    }
    let near = &audit.near_duplicates;
    lines.push(format!(
        "duplicates {} seeds are nearly an earlier one (Jaccard {} of {} words)",
        thousands(near.seeds),
        near.jaccard,
        near.shingle_words
    ));
    for pair in &near.shown {
        lines.push(format!(
            "  {} is like {} (Jaccard {:.2})",
            pair.place, pair.like, pair.jaccard
        ));
    }
    if let Some(outliers) = &audit.outliers {
        lines.push(format!(
            "outliers   {} of {} seeds lie over {:.3} from their nearest {} ({})",
            thousands(outliers.seeds as u64),
            thousands(outliers.n as u64),
            outliers.distance,
            outliers.neighbors,
            outliers.model
        ));
        for outlier in &outliers.shown {
            lines.push(format!(
                "  {:.3} {} {}",
                outlier.distance,
                outlier.place,
                one_line(&outlier.question)
            ));
        }
    }
    if let Some(diversity) = &audit.diversity {
        for (name, value, depends) in figures(diversity) {
            lines.push(format!("diversity  {name} {value} ({depends})"));
        }
    }
    let [one, two, three] = audit.wording.distinct.map(figure);
    lines.push(format!(
        "wording    distinct-1 {one}, -2 {two}, -3 {three} over {} questions",
        thousands(audit.wording.n as u64)
    ));
    if let Some(found) = &audit.documents {
        documents(found, &mut lines);
    }
    for left in &audit.left_out {
        lines.push(format!("left out   {}: {}", left.what, left.why));
    }
    for warning in &audit.warnings {
        lines.push(format!("warning    {}", one_line_whole(warning)));
    }
    if audit.stops {
        lines.push(
            "a run would stop here: add seeds, or accept it by name with `--set concepts.accept=narrow`"
                .to_owned(),
        );
    }
    lines.push("nothing was spent".to_owned());
    lines.join("\n")
}

fn concepts(audit: &Audit, lines: &mut Vec<String>) {
    if audit.concepts.is_empty() {
        return;
    }
    lines.push(format!("concepts   {}", belonging(audit)));
    let names = audit.concepts.iter().map(|line| line.concept.chars().count());
    let width = names.max().unwrap_or(0).clamp(8, 40);
    lines.push(format!(
        "  {:<width$} {:>7} {:>7} {:>7} {:>7}",
        "concept", "seeds", "share", "target", "gap"
    ));
    for line in &audit.concepts {
        lines.push(format!(
            "  {:<width$} {:>7} {:>6.1}% {:>7} {:>7}",
            one_line(&line.concept),
            thousands(line.seeds),
            100.0 * line.share,
            thousands(line.target),
            thousands(line.gap)
        ));
    }
}

/// How good assigning by embedding is.
fn assignment(audit: &Audit, lines: &mut Vec<String>) {
    let Some(found) = &audit.assignment else {
        return;
    };
    lines.push(format!("assignment {}", assignment::told(found)));
    for concept in &found.concepts {
        let told = assignment::told_of(concept);
        lines.push(format!("  {}: {told}", one_line(&concept.concept)));
    }
}

/// Labels that no concept asks for.
fn labels(audit: &Audit, lines: &mut Vec<String>) {
    if audit.labels.is_empty() {
        return;
    }
    lines.push(format!(
        "labels     {} that seeds carry; name them in `concepts` to count gaps against targets",
        thousands(audit.labels.len() as u64)
    ));
    for line in audit.labels.iter().take(LABELS) {
        lines.push(format!(
            "  {:>7} {:>6.1}% {}",
            thousands(line.seeds),
            100.0 * line.share,
            one_line(&line.label)
        ));
    }
    if audit.labels.len() > LABELS {
        lines.push(format!(
            "  and {} more",
            thousands((audit.labels.len() - LABELS) as u64)
        ));
    }
}

/// `3 of 30 covered, 41 seeds belong to one, 540 rows missing`.
pub(super) fn belonging(audit: &Audit) -> String {
    let covered = audit.concepts.iter().filter(|concept| concept.covered).count();
    format!(
        "{covered} of {} covered, {} seeds belong to one, {} rows missing",
        audit.concepts.len(),
        thousands(audit.assigned),
        thousands(audit.missing)
    )
}

fn documents(found: &Documents, lines: &mut Vec<String>) {
    lines.push(format!("documents  {}", touched(found)));
    let untouched: Vec<_> = found.list.iter().filter(|line| !line.is_touched()).collect();
    for line in untouched.iter().take(DOCUMENTS) {
        lines.push(format!(
            "  untouched {:>16} {}",
            many(line.passages, "passage"),
            one_line(&line.document)
        ));
    }
    if untouched.len() > DOCUMENTS {
        lines.push(format!(
            "  and {} more",
            thousands((untouched.len() - DOCUMENTS) as u64)
        ));
    }
}

/// What the seeds touch, and by which rule.
pub(super) fn touched(found: &Documents) -> String {
    let drawn = if found.looked_at < found.passages {
        format!(", drawn from {}", thousands(found.passages))
    } else {
        String::new()
    };
    let near = found.near.as_ref().map_or_else(String::new, |near| {
        format!(
            "; near is a cosine of {} with one of {} questions, by {}",
            near.cosine,
            thousands(near.n as u64),
            near.model
        )
    });
    format!(
        "{} of {} passages ({:.1}%{drawn}) and {} of {} documents are touched by a seed{near}",
        thousands(found.touched),
        thousands(found.looked_at),
        100.0 * found.touched_share,
        thousands(found.documents_touched),
        thousands(found.documents)
    )
}

/// Figures of diversity: name, value, what it depends on.
pub(super) fn figures(diversity: &Diversity) -> Vec<(String, String, String)> {
    let score = &diversity.dcscore;
    let mut figures = vec![("DCScore".to_owned(), interval(score), score_depends(score))];
    for score in &diversity.vendi {
        figures.push((
            format!("Vendi, order {}", score.order),
            figure(score.value),
            format!("n = {}, {}", thousands(score.n as u64), score.model),
        ));
    }
    let spread = &diversity.spread;
    let depends = format!("n = {}, {}", thousands(spread.n as u64), spread.model);
    for (name, value) in [
        ("cosine distance, mean", spread.mean),
        ("cosine distance to the nearest, mean", spread.nearest_mean),
        ("cosine distance to the nearest, median", spread.nearest_median),
    ] {
        figures.push((name.to_owned(), figure(value), depends.clone()));
    }
    figures
}

/// `τ = 0.1, n = 1,000 …`: a score means nothing without.
pub(super) fn score_depends(score: &AtFixedSize) -> String {
    format!(
        "τ = {}, n = {}, {} draws, {}",
        score.settings.tau,
        thousands(score.draws.size as u64),
        score.draws.draws,
        score.model
    )
}

/// `72.4 [68.1, 76.0]`.
fn interval(score: &AtFixedSize) -> String {
    let [mean, low, high] = [score.mean, score.low, score.high].map(figure);
    format!("{mean} [{low}, {high}]")
}

/// A warning names concepts, which are a user's own texts: on one line, whole.
fn one_line_whole(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
