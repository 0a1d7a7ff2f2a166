//! Held-out questions: which answer a reply gives to one.

use std::borrow::Cow;

use serde_json::Value;

use crate::job::PromptFormat;
use crate::prompt::object_with;

/// The member of a JSON reply that holds the answer.
const ANSWER: &str = "answer";

impl PromptFormat {
    /// The member of the JSON object that a reply in this format is; `None` where the whole reply is the answer.
    pub const fn member(self) -> Option<&'static str> {
        match self {
            Self::Json => Some(ANSWER),
            Self::Plain | Self::Labelled | Self::Instructed => None,
        }
    }

    /// The reply in this format that gives an answer.
    pub fn reply(self, answer: &str) -> String {
        match self.member() {
            Some(member) => serde_json::json!({ member: answer }).to_string(),
            None => answer.to_owned(),
        }
    }

    /// The name of the built-in prompt that puts a question in this format; `None` where it is put as the dataset's rows put it.
    pub const fn prompt(self) -> Option<&'static str> {
        match self {
            Self::Plain => None,
            Self::Labelled => Some("held_out_labelled"),
            Self::Instructed => Some("held_out_instructed"),
            Self::Json => Some("held_out_json"),
        }
    }
}

/// The answer that a reply gives: the member of its JSON object where there is one, else the whole reply.
pub fn final_answer<'a>(reply: &'a str, member: Option<&str>) -> Cow<'a, str> {
    let in_object = member.and_then(|member| {
        let object = object_with(reply, &[member])?;
        object.get(member).map(|value| match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        })
    });
    in_object.map_or(Cow::Borrowed(reply), Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_is_a_member_or_all_of_the_reply() {
        let json = PromptFormat::Json.member();
        for (reply, member, answer) in [
            ("It is 7.", None, "It is 7."),
            (r#"{"answer": "7"}"#, None, r#"{"answer": "7"}"#),
            (r#"{"answer": "7"}"#, json, "7"),
            ("```json\n{\"answer\": 7}\n```", json, "7"),
            ("It is 7.", json, "It is 7."),
        ] {
            assert_eq!(final_answer(reply, member), answer, "{reply}");
        }
    }

    #[test]
    fn a_reply_is_read_back_as_its_answer() {
        for format in PromptFormat::ALL {
            let reply = format.reply(r#"a "quoted" yes"#);
            assert_eq!(final_answer(&reply, format.member()), r#"a "quoted" yes"#);
        }
    }
}
