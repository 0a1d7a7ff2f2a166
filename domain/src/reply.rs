//! What a reply holds: named members, each of a type. From them follow the JSON Schema that a model is asked for and how its completion is
//! read, whatever recipe asks.

mod answer;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, json};

use crate::chat::OutputSchema;
use crate::job::NO_CONCEPT;

pub use answer::{Answer, Judgement};

/// What a reply holds, in the order in which a model is to write it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Reply {
    /// What it is a reply to: the name of its step.
    pub name: String,
    /// Its members; never two of one name.
    pub members: Vec<Member>,
}

/// A named part of a reply.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Member {
    /// Its name: the member of the JSON object, and the field that it fills.
    pub name: String,
    /// What it holds.
    pub holds: Holds,
}

impl Member {
    /// A member of this name and type.
    pub fn new(name: impl Into<String>, holds: Holds) -> Self {
        Self {
            name: name.into(),
            holds,
        }
    }
}

/// The type of a member.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Holds {
    /// A text.
    Text,
    /// A question, held to the rules for questions.
    Question,
    /// An answer, held to the job's rules, to its passage, and to its validator.
    Answer,
    /// The reasoning that leads to the answer; left out where the job wants none.
    Reasoning,
    /// Yes or no.
    YesNo,
    /// A number.
    Number {
        /// The least that it may be.
        min: f64,
        /// The most.
        max: f64,
    },
    /// Several texts.
    Texts {
        /// The fewest that are of use.
        #[serde(default)]
        at_least: u32,
    },
    /// One of several words.
    OneOf {
        /// The words.
        names: Vec<String>,
        /// None of them may be said as well.
        #[serde(default)]
        or_none: bool,
    },
}

impl Holds {
    /// The names of all types.
    pub const NAMES: [&str; 8] = [
        "text",
        "question",
        "answer",
        "reasoning",
        "yes_no",
        "number",
        "texts",
        "one_of",
    ];

    /// The name of the type, as recipes write it.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Question => "question",
            Self::Answer => "answer",
            Self::Reasoning => "reasoning",
            Self::YesNo => "yes_no",
            Self::Number { .. } => "number",
            Self::Texts { .. } => "texts",
            Self::OneOf { .. } => "one_of",
        }
    }

    /// The type in JSON Schema.
    fn schema(&self) -> serde_json::Value {
        match self {
            Self::Text | Self::Question | Self::Answer | Self::Reasoning => json!({"type": "string"}),
            Self::YesNo => json!({"type": "boolean"}),
            Self::Number { .. } => json!({"type": "number"}),
            Self::Texts { .. } => json!({"type": "array", "items": {"type": "string"}}),
            Self::OneOf { names, or_none } => {
                let none = or_none.then_some(NO_CONCEPT);
                let all: Vec<&str> = names.iter().map(String::as_str).chain(none).collect();
                json!({"type": "string", "enum": all})
            }
        }
    }
}

impl Reply {
    /// The points of the built-in rubric, one each (FACTS of the field: additive points agree with people in 65.1 % of pairs, a plain scale
    /// in 26.6 %).
    const POINTS: [&str; 6] = ["relevant", "substantial", "useful", "clear", "expert", "correct"];

    /// The judgement of the built-in rubric.
    pub fn judgement(name: &str) -> Self {
        let points = Self::POINTS.map(|point| Member::new(point, Holds::YesNo));
        Self {
            name: name.to_owned(),
            members: points
                .into_iter()
                .chain([Member::new("reason", Holds::Text)])
                .collect(),
        }
    }

    /// The names of its members.
    pub fn names(&self) -> Vec<&str> {
        self.members.iter().map(|member| member.name.as_str()).collect()
    }

    /// The first member of a type.
    pub fn first(&self, is: impl Fn(&Holds) -> bool) -> Option<&Member> {
        self.members.iter().find(|member| is(&member.holds))
    }

    /// The member that holds the question, where one is asked for.
    pub fn question(&self) -> Option<&Member> {
        self.first(|holds| *holds == Holds::Question)
    }

    /// The member that holds the answer, where one is asked for.
    pub fn answer(&self) -> Option<&Member> {
        self.first(|holds| *holds == Holds::Answer)
    }

    /// The verdict that the reply is about, where it decides on something.
    pub fn verdict(&self) -> Option<&Member> {
        self.first(|holds| *holds == Holds::YesNo)
    }

    /// True where it decides, scores or chooses: the texts beside that are remarks, and may be missing.
    pub fn decides(&self) -> bool {
        self.first(|holds| matches!(holds, Holds::YesNo | Holds::Number { .. } | Holds::OneOf { .. }))
            .is_some()
    }

    /// The same with an answer that votes. A verdict follows from the reasoning and comes after it.
    pub fn with_answer(mut self, reasoning: bool) -> Self {
        let thought = reasoning.then(|| Member::new("reasoning", Holds::Reasoning));
        if self.verdict().is_some() {
            self.members.splice(0..0, thought);
        } else {
            self.members.extend(thought);
        }
        self.members.push(Member::new("answer", Holds::Answer));
        self
    }

    /// The same without reasoning, for a job that wants none.
    pub fn without_reasoning(mut self) -> Self {
        self.members.retain(|member| member.holds != Holds::Reasoning);
        self
    }

    /// The JSON Schema, strict as endpoints want it: every member required, none beside them.
    pub fn schema(&self) -> OutputSchema {
        let properties: Map<_, _> = self
            .members
            .iter()
            .map(|member| (member.name.clone(), member.holds.schema()))
            .collect();
        OutputSchema {
            name: self.name.clone(),
            schema: json!({
                "type": "object", "properties": properties, "required": self.names(), "additionalProperties": false,
            }),
        }
    }
}

/// What was read from a reply, by member.
pub type Fields = BTreeMap<String, Value>;

/// What a field holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Value {
    /// A text, or a question.
    Text(String),
    /// Several texts.
    Texts(Vec<String>),
    /// Yes or no.
    YesNo(bool),
    /// A number.
    Number(f64),
    /// A word that was chosen; nothing where none of them was.
    Choice(Option<String>),
    /// An answer; nothing where one that came beside something else is of no use.
    Answer(Option<Answer>),
}

impl Value {
    /// A text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// What a person or a prompt is shown.
    pub fn shown(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Texts(texts) => texts.join("\n"),
            Self::YesNo(yes) => if *yes { "yes" } else { "no" }.to_owned(),
            Self::Number(number) => number.to_string(),
            Self::Choice(word) => word.clone().unwrap_or_else(|| NO_CONCEPT.to_owned()),
            Self::Answer(answer) => answer
                .as_ref()
                .map(|answer| answer.answer.clone())
                .unwrap_or_default(),
        }
    }

    /// The value in a prompt, its texts made harmless.
    pub(crate) fn in_prompts(&self, harmless: impl Fn(&str) -> String) -> minijinja::Value {
        match self {
            Self::Texts(texts) => texts.iter().map(|text| harmless(text)).collect(),
            Self::YesNo(yes) => minijinja::Value::from(*yes),
            Self::Number(number) => minijinja::Value::from(*number),
            Self::Text(_) | Self::Choice(_) | Self::Answer(_) => {
                minijinja::Value::from(harmless(&self.shown()))
            }
        }
    }

    /// The value in the conditions of a recipe: an answer is its text.
    pub(crate) fn in_conditions(&self) -> minijinja::Value {
        match self {
            Self::YesNo(yes) => minijinja::Value::from(*yes),
            Self::Number(number) => minijinja::Value::from(*number),
            Self::Texts(texts) => texts.iter().map(String::as_str).collect(),
            Self::Text(_) | Self::Choice(_) | Self::Answer(_) => minijinja::Value::from(self.shown()),
        }
    }
}

/// The judgement that the fields of the built-in rubric make; `None` where one is missing.
pub fn judgement(fields: &Fields) -> Option<Judgement> {
    let point = |name: &str| match fields.get(name) {
        Some(Value::YesNo(yes)) => Some(*yes),
        _ => None,
    };
    Some(Judgement {
        relevant: point("relevant")?,
        substantial: point("substantial")?,
        useful: point("useful")?,
        clear: point("clear")?,
        expert: point("expert")?,
        correct: point("correct")?,
        reason: fields.get("reason").map(Value::shown).unwrap_or_default(),
    })
}

impl From<Judgement> for Fields {
    fn from(judgement: Judgement) -> Self {
        let Judgement {
            relevant,
            substantial,
            useful,
            clear,
            expert,
            correct,
            reason,
        } = judgement;
        let points = [relevant, substantial, useful, clear, expert, correct];
        let points = Reply::POINTS.into_iter().zip(points);
        points
            .map(|(name, point)| (name.to_owned(), Value::YesNo(point)))
            .chain([("reason".to_owned(), Value::Text(reason))])
            .collect()
    }
}

/// The answer among fields: the one under `answer`, or the only one.
pub(crate) fn latest_answer(fields: &Fields) -> Option<&Answer> {
    let answer = |value: &'_ Value| matches!(value, Value::Answer(Some(_)));
    let found = fields.get("answer").filter(|value| answer(value));
    match found.or_else(|| fields.values().find(|value| answer(value))) {
        Some(Value::Answer(found)) => found.as_ref(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_follows_from_reasoning_and_a_question_comes_first() {
        let question = Reply {
            name: "question".into(),
            members: vec![Member::new("question", Holds::Question)],
        };
        assert_eq!(
            question.with_answer(true).names(),
            ["question", "reasoning", "answer"]
        );
        let verdict = Reply {
            name: "answerable".into(),
            members: vec![
                Member::new("answerable", Holds::YesNo),
                Member::new("reason", Holds::Text),
            ],
        };
        let whole = verdict.clone().with_answer(true);
        assert_eq!(whole.names(), ["reasoning", "answerable", "reason", "answer"]);
        assert_eq!(whole.schema().schema["required"], json!(whole.names()));
        assert_eq!(
            verdict.with_answer(false).names(),
            ["answerable", "reason", "answer"]
        );
    }

    #[test]
    fn a_judgement_is_read_from_its_points_and_told_as_them() {
        let judgement_of = |correct| Judgement {
            relevant: true,
            substantial: true,
            useful: false,
            clear: true,
            expert: false,
            correct,
            reason: "by the numbers".into(),
        };
        let fields = Fields::from(judgement_of(true));
        assert_eq!(judgement(&fields), Some(judgement_of(true)));
        let names = Reply::judgement("grade");
        assert_eq!(names.names().len(), fields.len());
        assert_eq!(judgement(&Fields::new()), None);
    }
}
