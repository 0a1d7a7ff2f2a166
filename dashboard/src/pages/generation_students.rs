//! The students of a lineage's generations: how good each is, against its base and the student before it, and what its gate said.

use gristmill_domain::job::{EvaluatedRole, HeldOut};
use gristmill_domain::words::many;
use gristmill_lineage::Entry;
use gristmill_picture::parts::Severity;
use gristmill_runs::evaluation::{Evaluation, StoredGate, read_evaluation, read_gate, students_against};
use maud::{Markup, html};

use super::result_parts::intervals;
use crate::link;
use crate::source::Evaluated;
use crate::text::Shown;

/// The result of an evaluation, and what its gate said.
pub(super) struct EvaluatedStudent {
    evaluation: Evaluation,
    gate: Option<StoredGate>,
    /// True where its run has a page.
    listed: bool,
}

/// Reads results. One that cannot be read is left out: its own page says what is wrong with it.
pub(super) fn read(evaluated: &[Evaluated]) -> Vec<EvaluatedStudent> {
    let read = |found: &Evaluated| -> anyhow::Result<EvaluatedStudent> {
        Ok(EvaluatedStudent {
            evaluation: read_evaluation(&found.folder)?,
            gate: read_gate(&found.folder)?,
            listed: found.listed,
        })
    };
    evaluated.iter().filter_map(|found| read(found).ok()).collect()
}

impl EvaluatedStudent {
    /// The generation of a lineage that its student was trained on.
    fn generation(&self, generations: &[Entry]) -> Option<u32> {
        let trained_on = self.evaluation.student()?.trained_on.as_ref()?;
        let trained = generations.iter().find(|entry| entry.manifest == *trained_on);
        trained.map(|entry| entry.number)
    }

    fn name(&self) -> &str {
        let student = self.evaluation.student();
        student.map_or("", |student| student.model.as_str())
    }
}

/// The students of a lineage, those of the newest generation first.
pub(super) fn students(number: usize, generations: &[Entry], all: &[EvaluatedStudent]) -> Markup {
    let mut students: Vec<(u32, &EvaluatedStudent)> = all
        .iter()
        .filter_map(|student| Some((student.generation(generations)?, student)))
        .collect();
    // The newest evaluation of a generation stays first.
    students.sort_by_key(|(generation, _)| std::cmp::Reverse(*generation));
    let title = format!("students-{number}");
    html! {
        @if students.is_empty() {
            p.quiet {
                "No evaluation of a student of this lineage was found here: " code { "gristmill eval" } " asks one, and its result is shown where "
                code { "gristmill ui" } " is given its folder."
            }
        } @else {
            h3 id=(title) { "Students" }
            div.scroll { table.left aria-labelledby=(title) {
                thead { tr {
                    th scope="col" { "generation" } th scope="col" { "student" } th scope="col" { "evaluation" } th scope="col" { "asked" }
                    th scope="col" { "right" } th scope="col" { "gate" }
                } }
                tbody { @for (generation, student) in &students { (line(*generation, student)) } }
            } }
            @for (role, head) in [(EvaluatedRole::Base, "Students minus their base"), (EvaluatedRole::Previous, "Students minus the student before")] {
                @let changes = students_against(role, students.iter().map(|(generation, student)| (named(*generation, student), &student.evaluation)));
                @if !changes.rows.is_empty() {
                    h3 { (head) }
                    (intervals(&changes, head, "student", 0))
                }
            }
            @for (generation, student) in &students {
                @if let Some(gate) = &student.gate { (found(&named(*generation, student), gate)) }
            }
        }
    }
}

/// What tells a student's evaluation from the others in a table.
fn named(generation: u32, student: &EvaluatedStudent) -> String {
    let evaluation = &student.evaluation;
    format!("{generation} · {} · {}", student.name(), asked(evaluation))
}

/// `300 test rows`.
fn asked(evaluation: &Evaluation) -> String {
    many(
        evaluation.questions,
        match evaluation.split {
            HeldOut::Test => "test row",
            HeldOut::Validation => "validation row",
        },
    )
}

fn line(generation: u32, student: &EvaluatedStudent) -> Markup {
    let evaluation = &student.evaluation;
    let formats = many(evaluation.formats.len() as u64, "format");
    html! {
        tr {
            th scope="row" { (generation) }
            td { (Shown(student.name())) }
            td.id {
                @if student.listed { a href=(link::run(&evaluation.run)) { (Shown(&evaluation.run)) } } @else { (Shown(&evaluation.run)) }
            }
            td { (asked(evaluation)) ", " (formats) }
            td { (evaluation.accuracy_told().unwrap_or_else(|| "nothing answered".to_owned())) }
            td {
                @match &student.gate {
                    None => span.quiet { "not asked" },
                    Some(gate) => (gate.decided().1),
                }
            }
        }
    }
}

/// Each rule of a gate, with what it wanted and what it found.
fn found(name: &str, gate: &StoredGate) -> Markup {
    let (severity, word) = gate.decided();
    html! {
        details open[severity == Severity::Bad] {
            summary { "The gate of " (Shown(name)) ": " (word) }
            ul.gates { @for rule in &gate.rules() {
                @let (class, sign) = match rule.severity {
                    Severity::Good => ("good", "✓"),
                    Severity::Warn => ("warn", "!"),
                    Severity::Bad => ("bad", "✗"),
                };
                li class=(class) { span.sign aria-hidden="true" { (sign) } span { (Shown(&rule.text)) } }
            } }
        }
    }
}
