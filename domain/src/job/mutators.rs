//! The job's mutators: how the prompts of questions are varied, so that a thousand of them are not asked in one way.
//!
//! Evolutions change what a new question asks for, personas who asks it, styles how it is worded. Each is off until it is named.

use std::collections::HashSet;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::check::Report;
use super::{Job, StrategyChoice, Wrong};

/// Personas that one job may have.
const PERSONAS_MAX: usize = 1_000;
/// Longest persona, in characters: it stands in prompts and in tables.
const PERSONA_CHARS_MAX: usize = 200;

/// How the prompts of questions are varied. A question that is varied has one of each sort named here; a rephrasing has its style alone, so
/// that its answer stays the seed's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Mutators {
    /// What new questions are made to ask for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub evolutions: Vec<Evolution>,
    /// Who asks new questions: a line for each, such as `a nurse on the night shift`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub personas: Vec<String>,
    /// Text file of personas, one a line, in place of a list; relative to the job file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub personas_file: Option<PathBuf>,
    /// How questions are worded, new ones and rephrasings.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub styles: Vec<Style>,
    /// Share of the questions asked for that are varied (above 0, up to 1).
    pub share: f64,
}

impl Default for Mutators {
    fn default() -> Self {
        Self {
            evolutions: Vec::new(),
            personas: Vec::new(),
            personas_file: None,
            styles: Vec::new(),
            share: 0.5,
        }
    }
}

/// What a new question is made to ask for.
///
/// The kinds are those of Evol-Instruct (WizardLM, arXiv 2304.12244; as DEITA uses it, arXiv 2312.15685) and of the question evolutions of
/// RAGAS and DeepEval; the instructions are this project's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Evolution {
    /// One more condition to respect.
    Constraints,
    /// What lies behind a fact.
    Deepening,
    /// A particular case.
    Concretizing,
    /// More steps to the answer.
    Reasoning,
    /// Something rarer of the same field.
    Breadth,
    /// An answer that needs two passages: of one document, or of seeds that share a concept or a source.
    MultiContext,
    /// Two things held against each other.
    Comparative,
    /// What would follow from a supposition.
    Hypothetical,
    /// A mistake to be found and put right.
    ErrorFinding,
}

impl Evolution {
    /// Every evolution.
    pub const ALL: [Self; 9] = [
        Self::Constraints,
        Self::Deepening,
        Self::Concretizing,
        Self::Reasoning,
        Self::Breadth,
        Self::MultiContext,
        Self::Comparative,
        Self::Hypothetical,
        Self::ErrorFinding,
    ];

    /// The stable name, as jobs and rows carry it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Constraints => "constraints",
            Self::Deepening => "deepening",
            Self::Concretizing => "concretizing",
            Self::Reasoning => "reasoning",
            Self::Breadth => "breadth",
            Self::MultiContext => "multi_context",
            Self::Comparative => "comparative",
            Self::Hypothetical => "hypothetical",
            Self::ErrorFinding => "error_finding",
        }
    }
}

/// How a question is worded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Style {
    /// As in an examination.
    Formal,
    /// As to a colleague.
    Casual,
    /// As briefly as can be.
    Concise,
    /// With a scene before the question.
    Detailed,
    /// In everyday words.
    Plain,
    /// In the words of professionals.
    Technical,
    /// As a request.
    Request,
}

impl Style {
    /// Every style.
    pub const ALL: [Self; 7] = [
        Self::Formal,
        Self::Casual,
        Self::Concise,
        Self::Detailed,
        Self::Plain,
        Self::Technical,
        Self::Request,
    ];

    /// The stable name, as jobs and rows carry it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Formal => "formal",
            Self::Casual => "casual",
            Self::Concise => "concise",
            Self::Detailed => "detailed",
            Self::Plain => "plain",
            Self::Technical => "technical",
            Self::Request => "request",
        }
    }
}

/// Everything that is wrong with a list of personas.
pub fn wrong_personas(personas: &[String]) -> Vec<Wrong> {
    let mut found = Vec::new();
    let mut tell = |at, message: String, help| {
        let key = "";
        found.push(Wrong {
            at,
            key,
            message,
            help,
        });
    };
    if personas.len() > PERSONAS_MAX {
        tell(
            PERSONAS_MAX,
            format!("{} personas", personas.len()),
            "give at most 1,000",
        );
        return found;
    }
    let mut seen = HashSet::new();
    for (at, persona) in personas.iter().enumerate() {
        let persona = persona.trim();
        if persona.is_empty() {
            tell(at, "an empty persona".into(), "take it out");
        } else if persona.chars().count() > PERSONA_CHARS_MAX || persona.contains(['\n', '\r']) {
            let help = "a persona is one line of at most 200 characters";
            tell(at, "a persona that is a text".into(), help);
        } else if !seen.insert(persona) {
            tell(at, format!("the persona `{persona}` twice"), "give each once");
        }
    }
    found
}

/// The place in a list of the first item that is there before.
fn repeated<T: Eq + std::hash::Hash>(list: &[T]) -> Option<usize> {
    let mut seen = HashSet::new();
    list.iter().position(|item| !seen.insert(item))
}

impl Job {
    pub(super) fn check_mutators(&self, report: &mut Report) {
        let Some(mutators) = &self.generate.mutators else {
            return;
        };
        let (evolves, styled) = (!mutators.evolutions.is_empty(), !mutators.styles.is_empty());
        let played = !mutators.personas.is_empty() || mutators.personas_file.is_some();
        report.when(
            !(evolves || played || styled),
            "generate.mutators",
            "no mutator is named",
            "name some in `evolutions`, `personas` or `styles`, or leave `generate.mutators` out",
        );
        report.when(
            !(mutators.share > 0.0 && mutators.share <= 1.0),
            "generate.mutators.share",
            format!("a share of {}", mutators.share),
            "give a number above 0, up to 1, or leave `generate.mutators` out",
        );
        report.when(
            !mutators.personas.is_empty() && mutators.personas_file.is_some(),
            "generate.mutators.personas_file",
            "the personas come from one place: a list, or a file",
            "leave one of them out",
        );
        for wrong in wrong_personas(&mutators.personas) {
            let path = format!("generate.mutators.personas.{}", wrong.at);
            report.when(true, path, wrong.message, wrong.help);
        }
        let twice = [
            ("evolutions", repeated(&mutators.evolutions)),
            ("styles", repeated(&mutators.styles)),
        ];
        for (key, at) in twice {
            let path = format!("generate.mutators.{key}.{}", at.unwrap_or_default());
            report.when(at.is_some(), path, "named twice", "name it once");
        }
        self.check_mutated(report, [("evolutions", evolves), ("personas", played)], styled);
        let fields = &self.seeds.fields;
        let related = fields.concept.is_some() || fields.source.is_some() || self.concepts.is_some();
        report.when(
            mutators.evolutions.contains(&Evolution::MultiContext)
                && self.seeds.documents.is_none()
                && !(fields.context.is_some() && related),
            "generate.mutators.evolutions",
            "`multi_context` asks about two passages, and the job has none that belong together",
            "name documents in `seeds.documents`, or the columns of passages and of their concept or source in `seeds.fields`",
        );
    }

    /// Mutators whose questions the strategy never asks for.
    fn check_mutated(&self, report: &mut Report, new: [(&str, bool); 2], styled: bool) {
        let strategy = self.generate.strategy;
        let asks = strategy != StrategyChoice::AnswerAugmentation;
        let asks_new = asks && strategy != StrategyChoice::Rephrasing;
        for (key, set) in new {
            report.when(
                set && !asks_new,
                format!("generate.mutators.{key}"),
                format!("`{key}` do nothing without new questions, and the strategy makes none"),
                "set `generate.strategy` to `auto` or `new_question`, or leave them out",
            );
        }
        report.when(
            styled && !asks,
            "generate.mutators.styles",
            "`styles` do nothing where no question is asked for: the strategy answers those of the seeds",
            "leave them out, or choose another `generate.strategy`",
        );
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Paths of what is wrong with a job that has these mutators, this strategy, and these columns.
    fn paths(mutators: serde_json::Value, strategy: &str, fields: serde_json::Value) -> Vec<String> {
        let job = json!({
            "seeds": {"path": "s.jsonl", "fields": fields},
            "teacher": {"base_url": "http://h/v1", "model": "m"},
            "generate": {"strategy": strategy, "mutators": mutators},
            "filter": {"validator": {"kind": "number"}},
            "budget": {"calls": 10},
        });
        let job: Job = serde_json::from_value(job).unwrap();
        let problems = job.check().into_iter();
        problems
            .map(|problem| problem.path.replace("generate.mutators", "m"))
            .collect()
    }

    #[test]
    fn what_would_do_nothing_is_refused() {
        let auto = |mutators| paths(mutators, "auto", json!({}));
        assert_eq!(auto(json!({})), ["m"]);
        assert_eq!(auto(json!({"share": 1})), ["m"]);
        assert_eq!(auto(json!({"styles": ["plain"]})), [""; 0]);
        assert_eq!(auto(json!({"personas_file": "p.txt"})), [""; 0]);
        for share in [json!(0), json!(-0.5), json!(1.5)] {
            assert_eq!(auto(json!({"styles": ["plain"], "share": share})), ["m.share"]);
        }
        assert_eq!(
            auto(json!({"personas": ["a", "b", "a", " "], "personas_file": "p.txt"})),
            ["m.personas_file", "m.personas.2", "m.personas.3"]
        );
        assert_eq!(
            auto(json!({"styles": ["plain", "plain"], "evolutions": ["breadth", "reasoning", "breadth"]})),
            ["m.evolutions.2", "m.styles.1"]
        );
        let two = json!({"evolutions": ["multi_context"]});
        assert_eq!(auto(two.clone()), ["m.evolutions"]);
        assert_eq!(
            paths(two.clone(), "auto", json!({"context": "p"})),
            ["m.evolutions"]
        );
        assert_eq!(
            paths(two, "auto", json!({"context": "p", "source": "s"})),
            [""; 0]
        );
        let all = json!({"evolutions": ["breadth"], "personas": ["a"], "styles": ["plain"]});
        assert_eq!(
            paths(all.clone(), "rephrasing", json!({})),
            ["m.evolutions", "m.personas"]
        );
        assert_eq!(
            paths(all.clone(), "answer_augmentation", json!({})),
            ["m.evolutions", "m.personas", "m.styles"]
        );
        assert_eq!(paths(all, "new_question", json!({})), [""; 0]);
    }

    #[test]
    fn names_are_those_that_jobs_carry() {
        for evolution in Evolution::ALL {
            assert_eq!(json!(evolution), evolution.as_str());
        }
        for style in Style::ALL {
            assert_eq!(json!(style), style.as_str());
        }
        let mutators = json!({"personas": vec!["x"; 1_001]});
        let mutators: Mutators = serde_json::from_value(mutators).unwrap();
        let wrong = wrong_personas(&mutators.personas);
        assert_eq!(wrong.len(), 1, "a thousand at most: {wrong:?}");
        assert_eq!(wrong_personas(&["a\nb".into(), "y".repeat(201)]).len(), 2);
    }
}
