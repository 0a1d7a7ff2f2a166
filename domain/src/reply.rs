//! What a reply holds: named members, each of a type. From them follow the JSON Schema that a model is asked for and how its completion is
//! read, whatever recipe asks.

mod answer;
mod written;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, json};

use crate::chat::OutputSchema;
use crate::dialogue::{self, Tool, Turn};
use crate::filter::{Reason, Rejection};
use crate::job::NO_CONCEPT;

pub use answer::{Answer, Judgement};
pub use written::MemberFile;

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
    /// The messages of a dialogue, in which no tool is called.
    Messages,
    /// The messages of a dialogue whose assistant may call the tools that the recipe has.
    ToolMessages,
    /// Tools that an assistant may call.
    Tools,
    /// Several records of the same members, of which each of the candidates that share the reply takes one (`shared_by`).
    List {
        /// The members of a record, as a list of `name: type`.
        #[serde(with = "pairs")]
        #[schemars(with = "Vec<MemberFile>")]
        of: Vec<Member>,
        /// The fewest records that are of use.
        #[serde(default)]
        at_least: u32,
    },
}

/// Members as recipes write them: `name: type`.
mod pairs {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::{Member, MemberFile};

    pub(super) fn serialize<S: Serializer>(members: &[Member], serializer: S) -> Result<S::Ok, S::Error> {
        let files = members
            .iter()
            .cloned()
            .map(|Member { name, holds }| MemberFile { name, holds });
        files.collect::<Vec<_>>().serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Member>, D::Error> {
        let files = Vec::<MemberFile>::deserialize(deserializer)?;
        Ok(files
            .into_iter()
            .map(|MemberFile { name, holds }| Member { name, holds })
            .collect())
    }
}

impl Holds {
    /// The names of all types.
    pub const NAMES: [&str; 12] = [
        "text",
        "question",
        "answer",
        "reasoning",
        "yes_no",
        "number",
        "texts",
        "one_of",
        "messages",
        "tool_messages",
        "tools",
        "list",
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
            Self::Messages => "messages",
            Self::ToolMessages => "tool_messages",
            Self::Tools => "tools",
            Self::List { .. } => "list",
        }
    }

    /// True for a question, and for a list of records that hold one each.
    pub(crate) fn asks_question(&self) -> bool {
        let of_record = |of: &[Member]| of.iter().any(|member| member.holds == Self::Question);
        *self == Self::Question || self.records().is_some_and(of_record)
    }

    /// The members of a record, where it is a list of records.
    pub fn records(&self) -> Option<&[Member]> {
        match self {
            Self::List { of, .. } => Some(of),
            _ => None,
        }
    }

    /// True of the messages of a dialogue, with tools or without.
    pub const fn is_dialogue(&self) -> bool {
        matches!(self, Self::Messages | Self::ToolMessages)
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
            Self::Messages => dialogue::turns_schema(false),
            Self::ToolMessages => dialogue::turns_schema(true),
            Self::Tools => dialogue::tools_schema(),
            Self::List { of, .. } => json!({"type": "array", "items": object(of)}),
        }
    }
}

/// An object with these members, strict as endpoints want it: every member required, none beside them.
fn object(members: &[Member]) -> serde_json::Value {
    let properties: Map<_, _> = members
        .iter()
        .map(|member| (member.name.clone(), member.holds.schema()))
        .collect();
    let names: Vec<&str> = members.iter().map(|member| member.name.as_str()).collect();
    json!({"type": "object", "properties": properties, "required": names, "additionalProperties": false})
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

    /// The members that a candidate's fields are filled by: those of a record in place of the list that it is taken from.
    pub fn filled(&self) -> impl Iterator<Item = &Member> {
        self.members
            .iter()
            .flat_map(|member| member.holds.records().unwrap_or(std::slice::from_ref(member)))
    }

    /// The list of records that it holds, if it holds one: its name, and the members of a record.
    pub fn list(&self) -> Option<(&str, &[Member])> {
        self.members
            .iter()
            .find_map(|member| Some((member.name.as_str(), member.holds.records()?)))
    }

    /// The member that holds the question, where one is asked for; that of a record, where several are.
    pub fn question(&self) -> Option<&Member> {
        self.filled().find(|member| member.holds == Holds::Question)
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
        OutputSchema {
            name: self.name.clone(),
            schema: object(&self.members),
        }
    }

    /// The same for so many candidates that share it: no list has to be longer than they are many.
    #[must_use]
    pub fn shared_by(mut self, candidates: u32) -> Self {
        for member in &mut self.members {
            if let Holds::List { at_least, .. } = &mut member.holds {
                *at_least = (*at_least).min(candidates);
            }
        }
        self
    }

    /// What one of the candidates that share a reply takes of it: the record at its place, instead of the list. `place` counts from 0.
    ///
    /// # Errors
    /// The list ends before, or the record at this place was of no use.
    pub fn taken(&self, mut fields: Fields, place: u32) -> Result<Fields, Rejection> {
        let Some((name, _)) = self.list() else {
            return Ok(fields);
        };
        let records = match fields.remove(name) {
            Some(Value::Records(records)) => records,
            Some(_) | None => Vec::new(),
        };
        let listed = records.len();
        match records.into_iter().nth(place as usize) {
            Some(Record::Fields(record)) => {
                fields.extend(record);
                Ok(fields)
            }
            Some(Record::Rejected(rejection)) => Err(rejection),
            None => Err(Rejection::new(
                Reason::Format,
                format!(
                    "`{name}` lists {listed}, and this candidate takes number {}",
                    place + 1
                ),
            )),
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
    /// The messages of a dialogue.
    Messages(Vec<Turn>),
    /// Tools that an assistant may call.
    Tools(Vec<Tool>),
    /// Several records, in the order in which they were listed.
    Records(Vec<Record>),
}

/// One record of a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Record {
    /// Its members.
    Fields(Fields),
    /// It is of no use, for a reason of its own.
    Rejected(Rejection),
}

impl Record {
    fn shown(&self) -> String {
        match self {
            Self::Fields(fields) => {
                let members = fields
                    .iter()
                    .map(|(name, value)| format!("{name}: {}", value.shown()));
                members.collect::<Vec<_>>().join(", ")
            }
            Self::Rejected(rejection) => format!("({rejection})"),
        }
    }
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
            Self::Messages(turns) => json!(turns).to_string(),
            Self::Tools(tools) => json!(tools).to_string(),
            Self::Records(records) => {
                let lines: Vec<String> = records.iter().map(Record::shown).collect();
                lines.join("\n")
            }
        }
    }

    /// The value in a prompt, its texts made harmless.
    pub(crate) fn in_prompts(&self, harmless: impl Fn(&str) -> String) -> minijinja::Value {
        match self {
            Self::Texts(texts) => texts.iter().map(|text| harmless(text)).collect(),
            Self::YesNo(yes) => minijinja::Value::from(*yes),
            Self::Number(number) => minijinja::Value::from(*number),
            Self::Text(_)
            | Self::Choice(_)
            | Self::Answer(_)
            | Self::Messages(_)
            | Self::Tools(_)
            | Self::Records(_) => minijinja::Value::from(harmless(&self.shown())),
        }
    }

    /// The value in the conditions of a recipe: an answer is its text, messages and tools are lists.
    pub(crate) fn in_conditions(&self) -> minijinja::Value {
        match self {
            Self::YesNo(yes) => minijinja::Value::from(*yes),
            Self::Number(number) => minijinja::Value::from(*number),
            Self::Texts(texts) => texts.iter().map(String::as_str).collect(),
            Self::Messages(turns) => of_json(&json!(turns)),
            Self::Tools(tools) => of_json(&json!(tools)),
            Self::Text(_) | Self::Choice(_) | Self::Answer(_) | Self::Records(_) => {
                minijinja::Value::from(self.shown())
            }
        }
    }
}

/// A JSON value as conditions see it.
fn of_json(value: &serde_json::Value) -> minijinja::Value {
    match value {
        serde_json::Value::Null => minijinja::Value::from(()),
        serde_json::Value::Bool(truth) => minijinja::Value::from(*truth),
        serde_json::Value::Number(number) => match number.as_i64() {
            Some(whole) => minijinja::Value::from(whole),
            None => minijinja::Value::from(number.as_f64()),
        },
        serde_json::Value::String(text) => minijinja::Value::from(text.as_str()),
        serde_json::Value::Array(items) => items.iter().map(of_json).collect(),
        serde_json::Value::Object(members) => minijinja::Value::from_pairs(
            members
                .iter()
                .map(|(name, value)| (name.as_str(), of_json(value))),
        ),
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
        let schema = whole.schema().schema;
        assert_eq!(schema["required"], json!(whole.names()));
        let properties = schema["properties"].as_object().unwrap();
        assert_eq!(
            properties.keys().collect::<Vec<_>>(),
            ["reasoning", "answerable", "reason", "answer"]
        );
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
