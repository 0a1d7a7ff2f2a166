//! The card of a generation, behind its front matter.

use std::fmt::Write;

use gristmill_domain::words::{many, thousands};

use crate::generation::{Generation, Made};

/// The card's Markdown.
pub(crate) fn card(generation: &Generation) -> String {
    let mut text = format!("# Generation {} of a lineage\n\n", generation.number);
    let parent = generation.parent.as_ref();
    text.push_str(&match (generation.made, parent) {
        (Made::First, _) | (_, None) => "The first training set of its lineage.".to_owned(),
        (Made::Accumulate, Some(parent)) => {
            format!("The rows of generation {}, and new ones.", parent.number)
        }
        (Made::Replace, Some(parent)) => format!(
            "The real rows of generation {}, and new synthetic rows in place of its own.",
            parent.number
        ),
        (Made::Quarantine, Some(parent)) => format!(
            "The rows of generation {} without those that were put into quarantine.",
            parent.number
        ),
    });
    text.push_str("\n\n| | |\n|---|---|\n");
    let (anchor, synthetic) = (&generation.anchor, &generation.synthetic);
    let mut row = |name: &str, value: String| {
        // Writing to a text cannot fail.
        let _ = writeln!(text, "| {name} | {} |", value.replace('|', "\\|"));
    };
    row("rows", thousands(generation.rows()));
    row(
        "real",
        format!(
            "{} ({} new, {} that only earlier generations have)",
            thousands(anchor.rows),
            thousands(anchor.added),
            thousands(anchor.carried)
        ),
    );
    row(
        "synthetic",
        format!(
            "{}: {:.1} %, under a ceiling of {:.1} %",
            thousands(synthetic.rows),
            100.0 * synthetic.share,
            100.0 * generation.ceiling.max_synthetic_share
        ),
    );
    for (entered, rows) in &synthetic.by_generation {
        row(&format!("from generation {entered}"), thousands(*rows));
    }
    for made in &synthetic.by_teacher {
        row(
            &format!("by {} ({})", made.teacher, made.version),
            thousands(made.rows),
        );
    }
    row("lineage depth", generation.depth.to_string());
    row("validation", thousands(generation.validation));
    row("test", thousands(generation.test));
    for dataset in &generation.datasets {
        let of = dataset.run.as_deref().unwrap_or("no run");
        let rows = format!(
            "{} real and {} synthetic rows",
            thousands(dataset.real),
            thousands(dataset.synthetic)
        );
        row("made from", format!("{of}: {rows}"));
    }
    for rule in &generation.quarantine {
        let rows = many(rule.rows, "row");
        row(
            &format!("in quarantine since generation {}", rule.since),
            format!("`{}`: {} ({rows})", rule.rule, rule.cause),
        );
    }
    row("generation", generation.hash.clone());
    if !generation.warnings.is_empty() {
        text.push_str("\n## Warnings\n\n");
        for warning in &generation.warnings {
            let _ = writeln!(text, "- {warning}");
        }
    }
    text.push_str(
        "\nValidation and test rows are real, the same in every generation, and no training row is one of them or was made from one. \
         `generation.json` says the same for programs, and `rows.csv` names every training row by its content.\n",
    );
    text
}
