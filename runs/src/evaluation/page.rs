//! An evaluation as a page.

use gristmill_domain::amount::MicroUsd;
use gristmill_domain::job::GradedBy;
use gristmill_domain::stats::Interval;
use gristmill_domain::words::{many, thousands};
use gristmill_evaluation::grade::Correctness;
use gristmill_evaluation::{PairedComparison, Scorecard};
use gristmill_picture::cut;
use gristmill_picture::evaluation::{EvaluationPage, Part};
use gristmill_picture::parts::{Headline, IntervalRow, Intervals, Severity, Table};

use super::changes::{Change, changes};
use super::figures::{Comparison, Evaluation};
use super::grading::StoredAnswer;
use super::items::StoredItem;
use super::words::{by, form_kept, percent, perplexity, points, range, signed, signed_range};

/// Wrong answers that are shown.
const WRONG: usize = 40;
/// Characters of a text in a table.
const TOLD: usize = 220;

/// The first wrong answers of the student.
pub(super) fn some_wrong(
    evaluation: &Evaluation,
    answers: impl Iterator<Item = anyhow::Result<StoredAnswer>>,
) -> anyhow::Result<Vec<StoredAnswer>> {
    let student = evaluation.student().map(|student| student.model.as_str());
    let is_wrong = |answer: &StoredAnswer| {
        Some(answer.model.as_str()) == student && answer.graded.grade.correctness() == Correctness::Incorrect
    };
    let wrong = answers.filter(|answer| answer.as_ref().map_or(true, is_wrong));
    wrong.take(WRONG).collect()
}

/// The page, with some wrong answers of the student.
pub(super) fn page(evaluation: &Evaluation, items: &[StoredItem], wrong: &[StoredAnswer]) -> EvaluationPage {
    let (severity, verdict) = verdict(evaluation);
    EvaluationPage {
        title: format!("Gristmill evaluation {}", evaluation.run),
        verdict,
        severity,
        headlines: headlines(evaluation),
        warnings: evaluation.warnings.clone(),
        models: models(evaluation),
        fluency: fluency(evaluation),
        comparisons: evaluation.comparisons.iter().flat_map(comparisons).collect(),
        slices: slices(evaluation),
        wrong: told_wrong(items, wrong),
        facts: facts(evaluation),
    }
}

fn verdict(evaluation: &Evaluation) -> (Severity, String) {
    let Some((student, card)) = evaluation
        .student()
        .and_then(|student| Some((student, student.scorecard.as_ref()?)))
    else {
        return (Severity::Warn, "No model has the role of the student.".to_owned());
    };
    let accuracy = format!(
        "{} is right in {} ({})",
        student.model,
        percent(card.accuracy.value),
        range(card.accuracy.interval)
    );
    let against = evaluation.comparisons.iter().find_map(|comparison| {
        use gristmill_domain::job::EvaluatedRole::{Base, Previous};
        matches!(comparison.role, Previous | Base).then_some((comparison, comparison.overall?))
    });
    match against {
        None => (Severity::Good, format!("{accuracy}.")),
        Some((comparison, found)) => {
            let (severity, word) = if found.interval.low > 0.0 {
                (Severity::Good, "better than")
            } else if found.interval.high < 0.0 {
                (Severity::Bad, "worse than")
            } else {
                (Severity::Warn, "not shown to differ from")
            };
            (
                severity,
                format!("{accuracy}, {word} {}: {}.", comparison.before, change(&found)),
            )
        }
    }
}

fn change(found: &PairedComparison) -> String {
    format!(
        "{} points ({})",
        signed(found.change),
        signed_range(found.interval)
    )
}

fn headlines(evaluation: &Evaluation) -> Vec<Headline> {
    let mut all = Vec::new();
    let mut add = |name: &str, value: String, note: String| {
        all.push(Headline {
            name: name.to_owned(),
            value,
            note,
        });
    };
    if let Some((student, card)) = evaluation
        .student()
        .and_then(|s| Some((s, s.scorecard.as_ref()?)))
    {
        add(
            "accuracy",
            percent(card.accuracy.value),
            range(card.accuracy.interval),
        );
        add(
            "confidently wrong",
            percent(card.incorrect.value),
            "of the answers; those that decline are not among them".to_owned(),
        );
        add(
            "form kept",
            form_kept(evaluation, card),
            format!("{:.0} words on average", card.words),
        );
        if let Ok([per_token, bits]) = perplexity(student) {
            add(
                "perplexity",
                per_token,
                format!("{bits} bits a byte of the rows' text"),
            );
        }
        if let Some((share, of)) = student.ungrounded {
            add(
                "ungrounded",
                percent(share),
                format!(
                    "of {} answers name what their passage does not have",
                    thousands(of)
                ),
            );
        }
    }
    add(
        "questions",
        thousands(evaluation.questions),
        format!("in {}", many(evaluation.formats.len() as u64, "format")),
    );
    if let Some(change) = evaluation
        .resolution
        .and_then(|resolution| resolution.smallest_change())
    {
        add(
            "smallest change shown",
            format!("{} points", points(change)),
            "with a power of 80 %".to_owned(),
        );
    }
    add(
        "spent",
        MicroUsd(evaluation.usd_micros()).to_string(),
        many(evaluation.calls(), "call"),
    );
    all
}

fn card_row(evaluation: &Evaluation, name: String, card: &Scorecard) -> IntervalRow {
    let Interval { low, high } = card.accuracy.interval;
    IntervalRow {
        name,
        low,
        value: card.accuracy.value,
        high,
        cells: vec![
            percent(card.accuracy.value),
            range(card.accuracy.interval),
            percent(card.incorrect.value),
            percent(card.not_attempted.value),
            form_kept(evaluation, card),
            thousands(card.items),
        ],
    }
}

const CARD_HEADS: [&str; 6] = [
    "accuracy",
    "95 % interval",
    "incorrect",
    "not attempted",
    "form kept",
    "questions",
];

fn card_table(of: String, rows: Vec<IntervalRow>) -> Intervals {
    Intervals {
        of,
        heads: CARD_HEADS.map(str::to_owned).into(),
        zero: 0.0,
        rows,
    }
}

fn models(evaluation: &Evaluation) -> Intervals {
    let rows = evaluation.models.iter().filter_map(|model| {
        Some(card_row(
            evaluation,
            format!("{} ({})", model.model, model.role.name()),
            model.scorecard.as_ref()?,
        ))
    });
    let guess = match (evaluation.chance, evaluation.majority) {
        (Some(chance), Some(majority)) => format!(
            " A guess is right in {}, the most frequent answer in {}.",
            percent(chance),
            percent(majority)
        ),
        _ => String::new(),
    };
    card_table(
        format!(
            "Accuracy from 0 to 100 %, graded by {}, with 95 % intervals.{guess}",
            by(evaluation)
        ),
        rows.collect(),
    )
}

/// How fluent the models are, beside the facts.
fn fluency(evaluation: &Evaluation) -> Table {
    let by_likelihood = evaluation.graded_by == GradedBy::Likelihood;
    let rows = evaluation.models.iter().map(|model| {
        let [per_token, bits, note] = match perplexity(model) {
            Ok([per_token, bits]) => [per_token, bits, String::new()],
            Err(why) => ["–".to_owned(), "–".to_owned(), why],
        };
        let card = model.scorecard.as_ref();
        let words = card.map_or_else(|| "–".to_owned(), |card| format!("{:.1}", card.words));
        let form = card.map_or_else(|| "–".to_owned(), |card| form_kept(evaluation, card));
        let mut cells = vec![model.model.clone(), per_token, bits, form, words];
        if by_likelihood {
            let share = model.accuracy_normalized.as_ref();
            cells.push(share.map_or_else(|| "–".to_owned(), |share| percent(share.value)));
        }
        cells.push(note);
        cells
    });
    let mut heads = vec![
        "model",
        "perplexity",
        "bits a byte",
        "form kept",
        "words an answer",
    ];
    if by_likelihood {
        heads.push("accuracy a character");
    }
    heads.push("");
    Table {
        heads: heads.into_iter().map(str::to_owned).collect(),
        rows: rows.collect(),
    }
}

fn comparisons(comparison: &Comparison) -> Option<Part> {
    let overall = comparison.overall.as_ref()?;
    let mut all = vec![Change::of("all questions".to_owned(), overall)];
    for (key, slices) in &comparison.slices {
        let parts = slices.iter().filter_map(|slice| {
            Some(Change {
                name: format!("{key}: {}", slice.name),
                found: slice.comparison?,
                p_value: slice.p_adjusted,
            })
        });
        let mut parts: Vec<_> = parts.collect();
        // Where it is surest that something was lost comes first.
        parts.sort_by(|a, b| a.found.interval.high.total_cmp(&b.found.interval.high));
        all.append(&mut parts);
    }
    Some(Part {
        name: format!("against {} ({})", comparison.before, comparison.role.name()),
        intervals: changes(all, "; p-values of parts are adjusted for their number"),
    })
}

fn slices(evaluation: &Evaluation) -> Vec<Part> {
    let Some(student) = evaluation.student() else {
        return Vec::new();
    };
    student
        .slices
        .iter()
        .map(|(key, slices)| {
            let mut slices: Vec<_> = slices.iter().collect();
            // A part of one question may be anything: those that are surely weak come first.
            slices.sort_by(|a, b| {
                a.scorecard
                    .accuracy
                    .interval
                    .high
                    .total_cmp(&b.scorecard.accuracy.interval.high)
            });
            let rows = slices
                .iter()
                .map(|slice| card_row(evaluation, slice.name.clone(), &slice.scorecard));
            Part {
                name: key.clone(),
                intervals: card_table(
                    "Accuracy from 0 to 100 %; what is surely weak comes first.".to_owned(),
                    rows.collect(),
                ),
            }
        })
        .collect()
}

fn told_wrong(items: &[StoredItem], wrong: &[StoredAnswer]) -> Table {
    let row = |answer: &StoredAnswer| {
        let item = items.iter().find(|item| item.item == answer.graded.item)?;
        Some(vec![
            cut(&item.question, TOLD),
            cut(&item.references.join(" or "), TOLD),
            cut(&answer.reply, TOLD),
            answer.graded.format.clone(),
            item.item.chars().take(12).collect(),
        ])
    };
    Table {
        heads: ["question", "right answer", "reply", "format", "item"]
            .map(str::to_owned)
            .into(),
        rows: wrong.iter().filter_map(row).collect(),
    }
}

fn facts(evaluation: &Evaluation) -> Table {
    let mut rows = vec![
        vec!["questions of".to_owned(), evaluation.of.clone()],
        vec!["held-out rows".to_owned(), evaluation.split.split().to_string()],
        vec!["formats".to_owned(), evaluation.formats.join(", ")],
        vec!["graded by".to_owned(), by(evaluation).to_owned()],
        vec!["questions' hash".to_owned(), evaluation.questions_hash.clone()],
        vec!["ended".to_owned(), evaluation.end.clone()],
    ];
    if let Some(judge) = &evaluation.judge {
        rows.push(vec![
            "judge".to_owned(),
            format!(
                "called {} of {} right answers right, and {} of {} wrong ones wrong",
                judge.right_called_right, judge.right, judge.wrong_called_wrong, judge.wrong
            ),
        ]);
    }
    for spend in &evaluation.spend {
        rows.push(vec![
            format!("{} by {}", spend.stage, spend.model),
            format!("{}, {}", MicroUsd(spend.usd_micros), many(spend.calls, "call")),
        ]);
    }
    Table {
        heads: Vec::new(),
        rows,
    }
}
