//! Lineages: the training sets of a line of students, generation by generation, with what they may hold.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::response::Response;
use gristmill_domain::words::{many, thousands};
use gristmill_lineage::{Generation, Lineage, LineageFile, Settings};
use gristmill_picture::lines::{Chart, Value};
use gristmill_picture::parts::Severity;
use maud::{Markup, PreEscaped, html};

use super::bars::bar;
use super::generation_students::{self, EvaluatedStudent};
use super::result_parts;
use crate::live::Asked;
use crate::page::{Page, Part};
use crate::source::{Evaluated, Refusal};
use crate::text::{Shown, share};

/// Generations that are shown of a lineage, the newest.
const SHOWN_MAX: usize = 100;

pub(super) async fn generations(asked: Asked) -> Response {
    let app = Arc::clone(&asked.app);
    // Files are read on a thread that may block.
    let made =
        tokio::task::spawn_blocking(move || page(&app.source.lineages(), &app.source.evaluated())).await;
    let made = made.unwrap_or_else(|error| Err(anyhow::Error::from(error).into()));
    asked.answer(made)
}

fn page(folders: &[PathBuf], evaluated: &[Evaluated]) -> Result<Page, Refusal> {
    if folders.is_empty() {
        return Err(Refusal::not_found(
            "There is no lineage here: `gristmill generation add LINEAGE DATASET` makes one, and `gristmill ui` shows it where it is given the lineage's \
             folder or the one around it.",
        ));
    }
    let students = generation_students::read(evaluated);
    let all = html! { @for (number, folder) in folders.iter().enumerate() { (section(number, folder, &students)) } };
    Ok(Page::new("Generations", Part::Generations)
        .still()
        .with("lineages", all))
}

/// A lineage. One that cannot be read leaves the others.
fn section(number: usize, folder: &Path, students: &[EvaluatedStudent]) -> Markup {
    let title = format!("lineage-{number}");
    let shown = folder.display().to_string();
    html! {
        section aria-labelledby=(title) {
            h2 id=(title) { (Shown(&shown)) }
            @match read(folder) {
                Err(error) => (result_parts::verdict(Severity::Bad, &format!("{error:#}"))),
                Ok((file, generations)) => {
                    (lineage(number, &file.settings, &generations))
                    (generation_students::students(number, &file.generations, students))
                }
            }
        }
    }
}

/// A lineage's file and its last generations, the oldest first.
fn read(folder: &Path) -> anyhow::Result<(LineageFile, Vec<Generation>)> {
    let lineage = Lineage::open(folder)?;
    let entries = &lineage.file().generations;
    let newest = entries.iter().skip(entries.len().saturating_sub(SHOWN_MAX));
    let generations = newest.map(|entry| lineage.generation(Some(entry.number)));
    let generations = generations.collect::<Result<_, _>>()?;
    Ok((lineage.file().clone(), generations))
}

fn lineage(number: usize, settings: &Settings, generations: &[Generation]) -> Markup {
    let Some(newest) = generations.last() else {
        return html! { p { "It has no generation yet." } };
    };
    html! {
        (verdict(settings, newest))
        @if generations.len() > 1 {
            div.charts { @for chart in charts(generations) {
                figure { figcaption { (chart.title()) } (PreEscaped(chart.inline())) }
            } }
        }
        (table(settings, generations))
        p.quiet {
            "The mark on a bar is the ceiling on the synthetic share that held for the generation. The ceiling of the lineage is "
            (share(settings.max_synthetic_share)) ", and a row has at most " (many(settings.max_depth.into(), "synthetic ancestor")) ", itself included."
        }
        (teachers(number, generations))
        (quarantine(number, newest))
    }
}

/// What the newest generation is, in a sentence.
fn verdict(settings: &Settings, newest: &Generation) -> Markup {
    let below = newest.synthetic.share <= newest.ceiling.max_synthetic_share;
    let fine = below && newest.depth <= settings.max_depth;
    let severity = if fine { Severity::Good } else { Severity::Bad };
    let deep = match newest.synthetic.rows {
        0 => String::new(),
        _ => format!(" Its rows are at most {} deep.", newest.depth),
    };
    let says = format!(
        "Generation {} has {}: {} real, and {} synthetic, which is {} of at most {}.{deep}",
        newest.number,
        many(newest.rows(), "row"),
        thousands(newest.anchor.with_repeats),
        thousands(newest.synthetic.rows),
        share(newest.synthetic.share),
        share(newest.ceiling.max_synthetic_share)
    );
    html! {
        (result_parts::verdict(severity, &says))
        @if !newest.warnings.is_empty() {
            ul.gates { @for warning in &newest.warnings {
                li.warn { span.sign aria-hidden="true" { "!" } span { (Shown(warning)) } }
            } }
        }
    }
}

fn charts(generations: &[Generation]) -> [Chart; 3] {
    let chart = |measure: &str, colour, top, value: &dyn Fn(&Generation) -> f64| Chart {
        measure: measure.to_owned(),
        depends: String::new(),
        colour,
        values: generations
            .iter()
            .map(|generation| Value {
                step: generation.number.to_string(),
                value: value(generation),
                between: None,
            })
            .collect(),
        top,
    };
    [
        chart("synthetic share by generation", 1, Some(1.0), &|generation| {
            generation.synthetic.share
        }),
        chart("real rows by generation", 0, None, &|generation| {
            generation.anchor.rows as f64
        }),
        chart("depth by generation", 3, None, &|generation| {
            f64::from(generation.depth)
        }),
    ]
}

fn table(settings: &Settings, generations: &[Generation]) -> Markup {
    html! {
        div.scroll { table.bars {
            caption.hidden { "Generations, the newest first" }
            thead { tr {
                th scope="col" { "generation" } th scope="col" { "made by" } th scope="col" { "real rows" } th scope="col" { "new" } th scope="col" { "carried over" }
                th scope="col" { "synthetic rows" } th.bar scope="col" { span.hidden { "share" } } th scope="col" { "share" } th scope="col" { "ceiling" }
                th scope="col" { "left out" } th scope="col" { "depth" } th scope="col" { "validation · test" } th scope="col" { "hash" }
            } }
            tbody { @for generation in generations.iter().rev() {
                @let (anchor, synthetic, ceiling) = (&generation.anchor, &generation.synthetic, &generation.ceiling);
                tr {
                    th scope="row" { (generation.number) }
                    td { (generation.made) }
                    td { (thousands(anchor.rows)) }
                    td { (thousands(anchor.added)) }
                    td { (thousands(anchor.carried)) }
                    td { (thousands(synthetic.rows)) }
                    td.bar { (bar(1, synthetic.share, 0.0, Some(ceiling.max_synthetic_share))) }
                    td { (share(synthetic.share)) @if synthetic.share > ceiling.max_synthetic_share { " " span.flag { "above" } } }
                    td { (share(ceiling.max_synthetic_share)) }
                    td { (thousands(ceiling.left_out)) }
                    td { (generation.depth) @if generation.depth > settings.max_depth { " " span.flag { "too deep" } } }
                    td { (thousands(generation.validation)) " · " (thousands(generation.test)) }
                    td.id { (generation.hash.chars().take(12).collect::<String>()) }
                }
            } }
        } }
    }
}

/// Who made the synthetic rows: a line a teacher's version, a column a generation.
fn teachers(number: usize, generations: &[Generation]) -> Markup {
    let versions: BTreeSet<(&str, &str)> = generations
        .iter()
        .flat_map(|generation| &generation.synthetic.by_teacher)
        .map(|rows| (rows.teacher.as_str(), rows.version.as_str()))
        .collect();
    let by_generation: Vec<BTreeMap<(&str, &str), u64>> = generations
        .iter()
        .map(|generation| {
            let teachers = generation.synthetic.by_teacher.iter();
            teachers
                .map(|rows| ((rows.teacher.as_str(), rows.version.as_str()), rows.rows))
                .collect()
        })
        .collect();
    html! {
        @if !versions.is_empty() {
            h3 id={ "teachers-" (number) } { "Synthetic rows by teacher" }
            div.scroll { table aria-labelledby={ "teachers-" (number) } {
                thead { tr {
                    th scope="col" { "teacher · version" }
                    @for generation in generations { th scope="col" { "generation " (generation.number) } }
                } }
                tbody { @for version in &versions { tr {
                    th scope="row" { (Shown(version.0)) " · " (Shown(version.1)) }
                    @for rows in &by_generation { td { (thousands(rows.get(version).copied().unwrap_or(0))) } }
                } } }
            } }
            @if let Some(own) = generations.iter().rev().find(|generation| generation.self_improvement) {
                p.quiet { "A teacher of generation " (own.number) " is the student itself, or descends from it." }
            }
        }
    }
}

/// What may not be in the newest generation.
fn quarantine(number: usize, newest: &Generation) -> Markup {
    let checked = match &newest.leak_check.embedder {
        Some(embedder) => format!(
            "by sequences of {} words and by meaning ({embedder})",
            newest.leak_check.ngram
        ),
        None => format!(
            "by sequences of {} words; by meaning they were not compared",
            newest.leak_check.ngram
        ),
    };
    html! {
        @if !newest.quarantine.is_empty() {
            h3 id={ "quarantine-" (number) } { "In quarantine" }
            div.scroll { table.left.wrap aria-labelledby={ "quarantine-" (number) } {
                thead { tr { th scope="col" { "rule" } th scope="col" { "cause" } th scope="col" { "since generation" } th scope="col" { "rows kept out" } } }
                tbody { @for rule in &newest.quarantine { tr {
                    th scope="row" { (Shown(&rule.rule)) }
                    td { (Shown(&rule.cause)) } td { (rule.since) } td { (thousands(rule.rows)) }
                } } }
            } }
        }
        p.quiet { "No training row of generation " (newest.number) " is a held-out row: they were compared " (Shown(&checked)) "." }
    }
}
