//! The steps that were taken for a row: what was asked, what came back, and what it cost.

use gristmill_coordinator::{History, TaskResult};
use gristmill_domain::amount::Amount;
use gristmill_domain::reply::Value;
use gristmill_domain::words::{many, thousands};
use gristmill_domain::work::Output;
use maud::{Markup, html};

use super::long_text::block;
use super::row_parts::OneRow;
use crate::text::Shown;

/// Every step with its reply, verdict and cost.
pub(super) fn steps(row: &OneRow, history: &History) -> Markup {
    html! {
        @if history.tasks.is_empty() { p { "No call was made for it." } }
        ol.steps {
            @for (result, name) in history.tasks.iter().zip(&row.steps) {
                li {
                    h3 { (Shown(name)) }
                    p.quiet { (Shown(&asked(history, result))) }
                    (reply(row, result))
                }
            }
        }
    }
}

fn prompt<'h>(history: &'h History, result: &TaskResult) -> &'h str {
    let place = history.row.tasks.iter().position(|task| *task == result.task);
    let step = place.and_then(|place| history.row.steps.get(place));
    step.map_or("", |step| step.prompt.as_str())
}

fn asked(history: &History, result: &TaskResult) -> String {
    let Amount {
        usd,
        input_tokens,
        output_tokens,
        ..
    } = result.cost;
    let mut parts = vec![result.model.clone()];
    let prompt = prompt(history, result);
    if !prompt.is_empty() {
        parts.push(format!("prompt {prompt}"));
    }
    parts.push(usd.to_string());
    parts.push(format!(
        "{} in, {} out",
        many(input_tokens, "token"),
        thousands(output_tokens)
    ));
    parts.push(many(result.attempts.into(), "attempt"));
    parts.push(format!("task {}", result.task));
    parts.join(" · ")
}

fn reply(row: &OneRow, result: &TaskResult) -> Markup {
    let whole = |part: &str| row.address(&format!("reply/{}/{part}", result.task));
    html! {
        @match &result.brought {
            Err(failure) => p.verdict { span.sign aria-hidden="true" { "✗" } "failed: " (Shown(&failure.to_string())) },
            Ok(report) => @match &report.output {
                Output::Vectors(vectors) => p { (many(vectors.len() as u64, "vector")) },
                Output::Likelihoods(likelihoods) => p { (many(likelihoods.len() as u64, "likelihood")) },
                Output::Rejected { rejection, text } => {
                    p.verdict { span.sign aria-hidden="true" { "✗" } "unusable: " (Shown(&rejection.to_string())) }
                    (block("The reply", text, &whole("reply")))
                }
                Output::Fields(fields) => @for (name, value) in fields {
                    @if let Value::Answer(Some(answer)) = value {
                        @if !answer.reasoning.is_empty() { (block("reasoning", &answer.reasoning, &whole("reasoning"))) }
                    }
                    (block(name, &value.shown(), &whole(name)))
                },
            },
        }
    }
}

/// A text of a reply, by the name of its part.
pub(super) fn reply_text(history: &History, task: &str, part: &str) -> Option<String> {
    let result = history
        .tasks
        .iter()
        .find(|result| result.task.to_string() == task)?;
    match &result.brought.as_ref().ok()?.output {
        Output::Vectors(_) | Output::Likelihoods(_) => None,
        Output::Rejected { text, .. } => (part == "reply").then(|| text.clone()),
        Output::Fields(fields) => match fields.get(part) {
            Some(value) => Some(value.shown().to_string()),
            None => fields.iter().find_map(|(_, value)| match value {
                Value::Answer(Some(answer)) if part == "reasoning" => Some(answer.reasoning.clone()),
                _ => None,
            }),
        },
    }
}
