//! What is said of one row, wherever it is shown: whole, in the pane beside a list, or beside another row.

use gristmill_coordinator::{History, RealRow, TaskResult, Trace};
use gristmill_domain::amount::Amount;
use gristmill_domain::reply::Value;
use gristmill_domain::seed::Split;
use gristmill_domain::words::{many, thousands};
use gristmill_domain::work::Output;
use gristmill_rowindex::{Facet, Listed};
use gristmill_runs::history::{BY_RULES, checks_in_words};
use maud::{Markup, html};

use super::long_text::block;
use super::provenance::{graph, nodes};
use super::rows::{cost, named, row_address, verdict};
use crate::link;
use crate::text::Shown;

/// A row with where it stands.
pub(super) struct OneRow {
    pub(super) run: String,
    pub(super) listed: Listed,
    pub(super) trace: Trace,
    /// The name of each task's step, in the order of the tasks.
    pub(super) steps: Vec<String>,
}

impl OneRow {
    fn address(&self, part: &str) -> String {
        row_address(&self.run, format!("{}/{part}", self.listed.id))
    }

    /// Texts by the name of their part, for files.
    pub(super) fn texts(&self) -> Vec<(String, &'static str, String)> {
        let mut texts = Vec::new();
        let mut add = |part: String, name, text: &str| {
            if !text.is_empty() {
                texts.push((part, name, text.to_owned()));
            }
        };
        match &self.trace {
            Trace::Made(history) => {
                let row = &history.row;
                match row.messages.is_empty() {
                    true => {
                        add("question".into(), "Question", &row.question);
                        add("reasoning".into(), "Reasoning", &row.reasoning);
                        add("answer".into(), "Answer", &row.answer);
                    }
                    false => (0..).zip(&row.messages).for_each(|(number, turn)| {
                        add(format!("message-{number}"), turn.role.name(), &turn.to_string());
                    }),
                }
                if let Some(worse) = &row.worse {
                    add(
                        "worse-reasoning".into(),
                        "Reasoning of the answer not preferred",
                        &worse.reasoning,
                    );
                    add("worse-answer".into(), "Answer not preferred", &worse.answer);
                }
            }
            Trace::Real(real) => {
                add("question".into(), "Question", &real.seed.question);
                add(
                    "context".into(),
                    "Passage",
                    real.seed.context.as_deref().unwrap_or_default(),
                );
                add(
                    "reasoning".into(),
                    "Reasoning",
                    real.seed.reasoning.as_deref().unwrap_or_default(),
                );
                add("answer".into(), "Answer", &real.seed.answer);
            }
        }
        texts
    }
}

/// Verdict and facts.
pub(super) fn head(row: &OneRow) -> Markup {
    let facts = facts(row);
    html! {
        p.verdict { (verdict(&row.listed)) @if !row.listed.detail.is_empty() { ": " (Shown(&detail(row))) } }
        dl.facts {
            @for (name, value, filter) in &facts {
                dt { (name) }
                dd {
                    @match filter {
                        Some((facet, value)) => a href=(link::rows(&row.run, &[(facet.name(), value.as_str())])) { (Shown(&named(*facet, value))) },
                        None => (Shown(value)),
                    }
                }
            }
        }
    }
}

fn detail(row: &OneRow) -> String {
    match &row.trace {
        Trace::Made(history) => history
            .row
            .rejection
            .as_ref()
            .map(|rejection| rejection.detail.clone())
            .unwrap_or_default(),
        Trace::Real(_) => row.listed.detail.clone(),
    }
}

type Fact = (&'static str, String, Option<(Facet, String)>);

/// Facts of a row by name; those that are facets lead to rows that have them too.
pub(super) fn facts(row: &OneRow) -> Vec<Fact> {
    let plain = |name, value: String| (name, value, None);
    let facet = |name, facet: Facet| {
        let values = row.listed.values.get(facet as usize).into_iter().flatten();
        values
            .map(move |value| (name, value.clone(), Some((facet, value.clone()))))
            .collect::<Vec<_>>()
    };
    let mut facts = vec![plain("id", row.listed.id.to_string())];
    match &row.trace {
        Trace::Real(real) => {
            facts.push(plain("serves", serves(real).to_owned()));
            facts.extend(facet("label", Facet::Concept));
            facts.extend(
                real.seed
                    .source
                    .iter()
                    .map(|source| plain("source", source.clone())),
            );
        }
        Trace::Made(history) => {
            let made = &history.row;
            facts.extend(facet("recipe", Facet::Recipe));
            facts.extend(facet("strategy", Facet::Strategy));
            facts.extend(facet("round", Facet::Round));
            facts.push(plain("candidate", made.position.index.to_string()));
            facts.extend(facet("concept", Facet::Concept));
            facts.extend(facet("counts for", Facet::Counted));
            facts.extend(facet("teacher", Facet::Teacher));
            facts.push(plain("model", made.teacher_version.clone()));
            facts.push(plain(
                "cost",
                format!(
                    "{}, {}",
                    cost(&row.listed.spent),
                    many(row.listed.spent.calls, "call")
                ),
            ));
            facts.push(plain("checks", checks(made)));
            facts.extend(
                made.checks
                    .details
                    .iter()
                    .filter(|detail| !detail.is_empty())
                    .map(|detail| plain("", detail.clone())),
            );
            for judgement in &made.checks.judgements {
                let verdict = if judgement.correct { "right" } else { "wrong" };
                facts.push(plain(
                    "judgement",
                    format!(
                        "{} of 5 points, {verdict}: {}",
                        judgement.points(),
                        judgement.reason
                    ),
                ));
            }
        }
    }
    facts.retain(|(_, value, _)| !value.is_empty());
    facts
}

fn serves(real: &RealRow) -> &'static str {
    match real.split {
        Split::Anchor => "to train on and to generate from",
        Split::Validation => "held out, to validate",
        Split::Test => "held out, to test",
    }
}

fn checks(row: &gristmill_domain::row::Row) -> String {
    let parts = checks_in_words(&row.checks);
    match parts.is_empty() {
        true => BY_RULES.to_owned(),
        false => parts.join(", "),
    }
}

/// The row's own texts.
pub(super) fn texts(row: &OneRow) -> Markup {
    let texts = row.texts();
    html! {
        @if texts.is_empty() { p { "Nothing was seen of it." } }
        @for (part, name, text) in &texts { (block(name, text, &row.address(&format!("text/{part}")))) }
    }
}

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
        @if !history.tasks.is_empty() {
            p.quiet { "The journal keeps each reply and the version of its prompt, not the prompt as it was filled in: " code { "gristmill preview" } " shows prompts of the job's recipes with their seeds filled in." }
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
        Output::Vectors(_) => None,
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

/// Where it comes from, as a graph and as a list.
pub(super) fn provenance(row: &OneRow, history: &History) -> Markup {
    let steps: Vec<(String, String)> = history
        .tasks
        .iter()
        .zip(&row.steps)
        .map(|(result, name)| (name.clone(), format!("{} · {}", result.model, result.cost.usd)))
        .collect();
    let columns = nodes(history, &steps);
    let seed = row_address(&row.run, history.seed.id);
    html! {
        div.scroll { (graph(&columns)) }
        ol.trail {
            @for node in columns.iter().flatten() { li { (Shown(&node.title)) ": " (Shown(&node.detail)) } }
        }
        p { "The seed: " a href=(seed) { (Shown(&history.seed.question)) } }
    }
}
