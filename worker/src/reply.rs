//! Reads what a model said: a JSON object where one was asked for, the conventions of the prompts elsewhere.

use gristmill_domain::chat::{Prompt, Request};
use gristmill_domain::filter::{Reason, Rejection};
use gristmill_domain::job::{NO_CONCEPT, folded};
use gristmill_domain::prompt::reply_object;
use gristmill_domain::work::Judgement;
use serde_json::Value;

/// The parts of a reply that answers a question.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answered {
    pub(crate) reasoning: String,
    pub(crate) answer: String,
}

fn malformed(detail: impl Into<String>) -> Rejection {
    Rejection::new(Reason::Format, detail)
}

fn text_member(object: &serde_json::Map<String, Value>, name: &str) -> Option<String> {
    match object.get(name)? {
        Value::String(text) => Some(text.trim().to_owned()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn required(object: &serde_json::Map<String, Value>, name: &str) -> Result<String, Rejection> {
    text_member(object, name)
        .filter(|text| !text.is_empty())
        .ok_or_else(|| malformed(format!("the reply has no `{name}`")))
}

/// The JSON object of a reply to a request that asked for one.
fn asked_object(request: &Request, text: &str) -> Result<Option<serde_json::Map<String, Value>>, Rejection> {
    match (reply_object(text), &request.schema) {
        (Some(object), _) => Ok(Some(object)),
        (None, Some(_)) => Err(malformed("the reply is not the JSON object that was asked for")),
        (None, None) => Ok(None),
    }
}

/// A question: a member of the object, or the text without quotation marks and label.
pub(crate) fn question(request: &Request, text: &str) -> Result<String, Rejection> {
    if let Some(object) = asked_object(request, text)? {
        return required(&object, "question");
    }
    let text = text.trim();
    let text = text.strip_prefix("Question:").unwrap_or(text).trim();
    let bare = text
        .strip_prefix('"')
        .and_then(|t| t.strip_suffix('"'))
        .unwrap_or(text)
        .trim();
    if bare.is_empty() {
        Err(malformed("the reply is empty"))
    } else {
        Ok(bare.to_owned())
    }
}

/// An answer: members of the object, or what follows the last `Answer:`; raw prompts are continued by the answer itself.
pub(crate) fn answer(request: &Request, text: &str) -> Result<Answered, Rejection> {
    if let Some(object) = asked_object(request, text)? {
        let reasoning = text_member(&object, "reasoning").unwrap_or_default();
        return Ok(Answered {
            reasoning,
            answer: required(&object, "answer")?,
        });
    }
    let text = text.trim();
    let (reasoning, answer) = match (&request.prompt, text.rfind("Answer:")) {
        (_, Some(at)) => (text[..at].trim(), text[at + "Answer:".len()..].trim()),
        (Prompt::Raw(_), None) => ("", text),
        (Prompt::Chat(_), None) => return Err(malformed("the reply has no line that starts with `Answer:`")),
    };
    if answer.is_empty() {
        return Err(malformed("the answer is empty"));
    }
    Ok(Answered {
        reasoning: reasoning.to_owned(),
        answer: answer.to_owned(),
    })
}

/// Whether the question can be answered, and why.
pub(crate) fn verification(request: &Request, text: &str) -> Result<(bool, String), Rejection> {
    if let Some(object) = asked_object(request, text)? {
        let answerable = object.get("answerable").and_then(Value::as_bool);
        let answerable = answerable.ok_or_else(|| malformed("the reply has no `answerable`"))?;
        return Ok((answerable, text_member(&object, "reason").unwrap_or_default()));
    }
    yes_or_no(text)
}

/// A judgement: members of the object, or one `name: true` a line; raw prompts are continued by yes or no.
pub(crate) fn judgement(request: &Request, text: &str) -> Result<Judgement, Rejection> {
    if let Some(object) = asked_object(request, text)? {
        let point = |name: &str| {
            object
                .get(name)
                .and_then(Value::as_bool)
                .ok_or_else(|| malformed(format!("the reply has no `{name}`")))
        };
        return read_points(point, text_member(&object, "reason").unwrap_or_default());
    }
    if let Prompt::Raw(_) = request.prompt {
        let (correct, reason) = yes_or_no(text)?;
        return read_points(|_| Ok(correct), reason);
    }
    let line = |name: &str| {
        text.lines().find_map(|line| {
            line.trim()
                .strip_prefix(name)?
                .trim_start()
                .strip_prefix(':')
                .map(str::trim)
        })
    };
    let point = |name: &str| match line(name).map(str::to_ascii_lowercase).as_deref() {
        Some("true" | "yes") => Ok(true),
        Some("false" | "no") => Ok(false),
        _ => Err(malformed(format!(
            "the reply has no line `{name}: true` or `{name}: false`"
        ))),
    };
    read_points(point, line("reason").unwrap_or_default().to_owned())
}

/// The one of the names that was answered; `None` for none of them. A reply that is neither is no answer.
pub(crate) fn choice(request: &Request, text: &str, names: &[String]) -> Result<Option<String>, Rejection> {
    let said = match asked_object(request, text)? {
        Some(object) => match object.get("concept") {
            // A name that is left empty is no name.
            Some(Value::String(said)) if said.trim().is_empty() => return Ok(None),
            Some(Value::Null) => return Ok(None),
            Some(Value::String(said)) => said.trim().to_owned(),
            Some(_) | None => return Err(malformed("the reply has no `concept`")),
        },
        None => text.trim().to_owned(),
    };
    // Models put names in quotation marks, and a full stop behind them.
    let bare = said.strip_suffix('.').unwrap_or(&said);
    let bare = bare.trim_matches(['"', '\'', '`', '*']);
    let named = |known: &&String| folded(known) == folded(&said) || folded(known) == folded(bare);
    match names.iter().find(named) {
        Some(name) => Ok(Some(name.clone())),
        None if folded(bare) == NO_CONCEPT => Ok(None),
        None => Err(malformed("the reply names none of the concepts")),
    }
}

fn read_points(
    point: impl Fn(&str) -> Result<bool, Rejection>,
    reason: String,
) -> Result<Judgement, Rejection> {
    Ok(Judgement {
        relevant: point("relevant")?,
        substantial: point("substantial")?,
        useful: point("useful")?,
        clear: point("clear")?,
        expert: point("expert")?,
        correct: point("correct")?,
        reason,
    })
}

fn yes_or_no(text: &str) -> Result<(bool, String), Rejection> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_alphabetic()).unwrap_or(text.len());
    let answerable = match text[..end].to_ascii_lowercase().as_str() {
        "yes" => true,
        "no" => false,
        _ => return Err(malformed("the reply is neither yes nor no")),
    };
    Ok((
        answerable,
        text[end..]
            .trim_start_matches([':', ',', '.', ' '])
            .trim()
            .to_owned(),
    ))
}

#[cfg(test)]
mod tests {
    use gristmill_domain::chat::{Message, OutputSchema, Role};

    use super::*;

    fn request(chat: bool, schema: bool) -> Request {
        Request {
            prompt: if chat {
                Prompt::Chat(vec![Message {
                    role: Role::User,
                    content: String::new(),
                }])
            } else {
                Prompt::Raw(String::new())
            },
            max_tokens: 10,
            temperature: 0.0,
            top_p: 1.0,
            seed: 0,
            stop: vec![],
            schema: schema.then(|| OutputSchema {
                name: "x".into(),
                schema: Value::Null,
            }),
        }
    }

    #[test]
    fn answers_are_read_from_objects_lines_and_raw_text() {
        let read =
            |chat, schema, text: &str| answer(&request(chat, schema), text).map(|a| (a.reasoning, a.answer));
        let both = |r: &str, a: &str| Ok((r.to_owned(), a.to_owned()));
        assert_eq!(
            read(true, true, r#"{"reasoning": "2+2", "answer": 4}"#),
            both("2+2", "4")
        );
        assert_eq!(
            read(true, true, "```json\n{\"answer\": \"4\"}\n```"),
            both("", "4")
        );
        assert_eq!(read(true, false, "2+2 is 4.\nAnswer: 4"), both("2+2 is 4.", "4"));
        assert_eq!(read(false, false, " Paris \n"), both("", "Paris"));
        assert!(
            read(true, true, "{\"answer\": \"4").is_err(),
            "an object cut short"
        );
        assert!(read(true, true, r#"{"answer": ""}"#).is_err());
        assert!(read(true, false, "It is 4.").is_err(), "no final answer is named");
    }

    #[test]
    fn a_judgement_needs_every_point() {
        let lines = "relevant: true\nsubstantial: true\nuseful: yes\nclear: false\nexpert: no\ncorrect: true\nreason: fine";
        let read = judgement(&request(true, false), lines).unwrap();
        assert_eq!((read.points(), read.reason.as_str()), (3, "fine"));
        assert!(judgement(&request(true, false), "relevant: true").is_err());
        assert!(judgement(&request(true, true), r#"{"correct": true}"#).is_err());
    }

    #[test]
    fn a_choice_is_one_of_the_names_or_none() {
        let names = ["heart failure".to_owned(), "heart".to_owned(), "a. b.".to_owned()];
        let read = |text: &str| choice(&request(true, false), text, &names);
        let name = |name: &str| Ok(Some(name.to_owned()));
        assert_eq!(read(" Heart failure\n"), name("heart failure"));
        assert_eq!(read("**heart**."), name("heart"));
        assert_eq!(read("A. b."), name("a. b."));
        assert_eq!(read("None."), Ok(None));
        assert!(read("heart failure, I think").is_err());
        assert!(read("").is_err());
        let object = |text: &str| choice(&request(true, true), text, &names);
        assert_eq!(object(r#"{"concept": "heart"}"#), name("heart"));
        for none in [
            r#"{"concept": "none"}"#,
            r#"{"concept": ""}"#,
            r#"{"concept": null}"#,
        ] {
            assert_eq!(object(none), Ok(None), "{none}");
        }
        assert!(object(r#"{"concept": "lung"}"#).is_err());
    }

    #[test]
    fn yes_and_no_are_whole_words() {
        let read = |text: &str| verification(&request(true, false), text);
        assert_eq!(read("Yes: it is complete."), Ok((true, "it is complete.".into())));
        assert_eq!(read("no").map(|(yes, _)| yes), Ok(false));
        assert!(read("Notably, yes").is_err());
    }
}
