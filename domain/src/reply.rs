//! What a reply holds: named members, each of a type. From them follow the JSON Schema that a model is asked for and how its completion is
//! read, whatever recipe asks.

mod answer;
mod value;
mod written;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::chat::{OutputSchema, strict_object};
use crate::dialogue::{self, Speaker, Turn};
use crate::filter::{Reason, Rejection};
use crate::job::NO_CONCEPT;

pub use answer::{Answer, Judgement};
pub(crate) use value::latest_answer;
pub use value::{Fields, Record, Value, judgement};
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

    /// A value of this type, as far as it fills a field, made of a question and an answer to it: for what has to be known before there is any.
    pub(crate) fn example(&self, question: &str, answer: &Answer) -> Option<Value> {
        Some(match self {
            Self::Text => Value::text(&answer.answer),
            Self::Question => Value::text(question),
            Self::Answer => Value::Answer(Some(answer.clone())),
            // Records stand for the list that they are taken from.
            Self::Reasoning | Self::List { .. } => return None,
            Self::YesNo => Value::YesNo(true),
            Self::Number { max, .. } => Value::Number(*max),
            Self::Texts { at_least } => {
                Value::Texts(vec![answer.answer.clone(); (*at_least).max(3) as usize])
            }
            Self::OneOf { names, .. } => Value::Choice(names.first().cloned()),
            Self::Messages | Self::ToolMessages => Value::Messages(vec![
                Turn::new(Speaker::User, question),
                Turn::new(Speaker::Assistant, &answer.answer),
            ]),
            Self::Tools => Value::Tools(Vec::new()),
        })
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

/// An object with these members.
fn object(members: &[Member]) -> serde_json::Value {
    let properties = members
        .iter()
        .map(|member| (member.name.clone(), member.holds.schema()));
    strict_object(properties.collect())
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
