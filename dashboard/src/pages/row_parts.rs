//! What is said of one row, wherever it is shown: whole, in the pane beside a list, or beside another row.

use gristmill_coordinator::{History, RealRow, Trace};
use gristmill_domain::seed::Split;
use gristmill_domain::words::many;
use gristmill_rowindex::{Facet, Listed};
use gristmill_runs::history::{BY_RULES, checks_in_words};
use maud::{Markup, html};

use super::long_text::block;
use super::provenance::{graph, nodes};
use super::row_words::{cost, named, row_address, verdict};
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
    pub(super) fn address(&self, part: &str) -> String {
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
