//! Diagnoses as text for a terminal.

use std::fmt::Write;

use gristmill_dataset::Provenance;
use gristmill_domain::words::{many, one_line};

use crate::finding::{Diagnosis, Findings, Neighbour, Relation};
use crate::stance::Stance;

/// Characters of a question or an answer in a list of rows.
const CHARS: usize = 160;

/// One diagnosis with the rows around it.
pub fn diagnosis_text(diagnosis: &Diagnosis) -> String {
    let mut text = String::new();
    let mut line = |line: String| {
        text.push_str(&line);
        text.push('\n');
    };
    line(format!("item {}: {}", diagnosis.item, diagnosis.verdict.words()));
    line(format!("  because    {}", diagnosis.why));
    line(format!("  question   {}", shortened(&diagnosis.question)));
    line(format!(
        "  reference  {}",
        shortened(&diagnosis.references.join(" or "))
    ));
    for reply in &diagnosis.replies {
        line(format!("  student    {}", shortened(reply)));
    }
    for (concept, rows) in &diagnosis.coverage {
        line(format!(
            "  concept    {concept}: {}, {} synthetic",
            many(rows.real, "real training row"),
            rows.synthetic
        ));
    }
    if diagnosis.coverage.is_empty() {
        line("  concept    not known".to_owned());
    }
    for (origin, rows) in [("real", &diagnosis.real), ("synthetic", &diagnosis.synthetic)] {
        line(match rows.is_empty() {
            true => format!("\nno {origin} row"),
            false => format!("\nnearest {origin} rows"),
        });
        rows.iter().flat_map(neighbour).for_each(&mut line);
    }
    text
}

/// How many wrong answers have each verdict, and each of them in a line.
pub fn findings_text(findings: &Findings) -> String {
    let mut text = String::new();
    let rows = findings.rows;
    let _written = writeln!(
        text,
        "{} held against {} and {} synthetic, by {} (near from cosine {:.2}, the same question from {:.2})\n",
        many(findings.diagnoses.len() as u64, "wrong answer"),
        many(rows.real, "real training row"),
        rows.synthetic,
        findings.vectors,
        findings.near,
        findings.same
    );
    for (verdict, count) in findings.counts() {
        let _written = writeln!(text, "{:<26} {count:>5}", verdict.words());
    }
    for diagnosis in &findings.diagnoses {
        let id: String = diagnosis.item.chars().take(12).collect();
        let _written = write!(
            text,
            "\n{id:<12}  {:<26} {}",
            diagnosis.verdict.words(),
            shortened(&diagnosis.question)
        );
    }
    text.push('\n');
    text
}

fn neighbour(row: &Neighbour) -> Vec<String> {
    let relation = match row.relation {
        Relation::SameQuestion => "the same question",
        Relation::SameConcept => "the same concept",
        Relation::Near => "near",
        Relation::Apart => "about something else",
    };
    let stance = match row.stance {
        Stance::Agrees => ", agrees with the reference",
        Stance::Disagrees => ", disagrees with the reference",
        Stance::Silent => "",
    };
    vec![
        format!("  {:.3}  {}  {relation}{stance}", row.cosine, row.row),
        format!("         {}", shortened(&row.question)),
        format!("         → {}", shortened(&row.answer)),
        format!("         {}", provenance(&row.provenance)),
    ]
}

/// Where a row came from, in a line.
fn provenance(of: &Provenance) -> String {
    let mut parts = Vec::new();
    let mut part = |what: &str, value: Option<String>| {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            parts.push(match what {
                "" => value,
                what => format!("{what} {value}"),
            });
        }
    };
    part("teacher", of.versioned_teacher());
    part("", of.strategy.clone());
    part("recipe", of.recipe.clone());
    part("", Some(of.mutators.join(", ")));
    part("prompts", Some(of.prompt_versions.join(", ")));
    part("at", of.source_place.clone());
    part("seed", of.seed_id.clone());
    part("parents", Some(of.parents.join(", ")));
    part("concepts", Some(of.concepts.join(", ")));
    let verdicts = of.verdicts.iter();
    let verdicts = verdicts.map(|verdict| format!("{} {:.2}", verdict.judge, verdict.score));
    part("checked by", Some(verdicts.collect::<Vec<_>>().join(", ")));
    part("run", of.run.clone());
    if of.depth > 0 {
        part("depth", Some(of.depth.to_string()));
        part("cost", Some(format!("${:.6}", of.cost_usd_micros as f64 / 1e6)));
    }
    parts.join(" · ")
}

fn shortened(text: &str) -> String {
    let line = one_line(text);
    match line.char_indices().nth(CHARS) {
        Some((end, _)) => format!("{}…", line.get(..end).unwrap_or_default()),
        None => line,
    }
}
