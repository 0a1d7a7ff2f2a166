//! Reads what a model said: a JSON object where one was asked for, the conventions of the prompts elsewhere. The model's thinking is taken off
//! before, and inside the object's members.

use gristmill_domain::chat::{Finish, Prompt, Request, Response};
use gristmill_domain::filter::{Reason, Rejection};
use gristmill_domain::job::{NO_CONCEPT, folded};
use gristmill_domain::prompt::{object_with, reply_object, template, thinking};
use gristmill_domain::work::Judgement;
use serde_json::{Map, Value};

/// The parts of a reply that answers a question.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answered {
    /// What the model thought before it spoke.
    pub(crate) thinking: String,
    /// The reasoning that it gave with the answer.
    pub(crate) reasoning: String,
    pub(crate) answer: String,
}

/// A completion, its thinking apart.
#[derive(Debug)]
pub(crate) struct Said {
    /// What the model said; never empty.
    pub(crate) text: String,
    thinking: String,
    object: Option<Map<String, Value>>,
}

impl Said {
    /// Takes a completion apart. One in which nothing is said is rejected, with its cause.
    pub(crate) fn read(request: &Request, response: &Response) -> Result<Self, Rejection> {
        let whole = response.text.trim();
        let asked = request.schema.as_ref();
        // An object is read as it stands, though its texts may hold marks: taken off first, an unclosed one would break it.
        if let Some(object) = starts_as_object(whole)
            .then(|| reply_object(whole, asked))
            .flatten()
        {
            return Ok(Self {
                text: whole.to_owned(),
                thinking: response.thinking.trim().to_owned(),
                object: Some(object),
            });
        }
        let parted = thinking::part(whole);
        let thinking = [response.thinking.trim(), parted.thinking.as_str()]
            .map(str::to_owned)
            .into_iter()
            .filter(|part| !part.is_empty())
            .collect::<Vec<_>>()
            .join("\n\n");
        let mut object = reply_object(&parted.said, asked);
        let mut text = parted.said;
        if text.is_empty() && parted.unclosed && asked.is_some() && thinking.ends_with(['}', '`']) {
            // The model forgot to close its thinking, and yet ended with the object.
            object = reply_object(&thinking, asked);
            text = object.iter().map(|_| thinking.clone()).collect();
        }
        if text.is_empty() {
            return Err(nothing_said(request, response, !thinking.is_empty()));
        }
        Ok(Self {
            text,
            thinking,
            object,
        })
    }

    /// The JSON object of a reply to a request that asked for one, or whose prompt did. These are the members that are wanted.
    fn asked_object(
        &self,
        request: &Request,
        members: &[&str],
    ) -> Result<Option<Map<String, Value>>, Rejection> {
        match (&self.object, &request.schema) {
            (Some(object), Some(_)) => Ok(Some(object.clone())),
            (None, Some(_)) => {
                Err(self.unread("the reply is not the JSON object that was asked for", OTHER_FORM))
            }
            // Prose may hold objects that are no reply.
            (object, None) => Ok(object_with(&self.text, members)
                .or_else(|| object.clone().filter(|_| starts_as_object(&self.text)))),
        }
    }

    /// The rejection of a reply without what was asked for, with what may help: marks of a chat template are the server's fault, whatever
    /// was asked for.
    fn unread(&self, what: &str, help: &str) -> Rejection {
        malformed(match template::mark(&self.text) {
            Some(mark) => format!(
                "{what}, and holds `{mark}` of a chat template: {}",
                template::HELP
            ),
            None => format!("{what}: {help}"),
        })
    }
}

/// What may help where a model does not write the object.
const OTHER_FORM: &str = "set another `structured` of this model, or use a larger one";
/// What may help where a model does not keep to the form that its prompt asks for.
const OTHER_LINES: &str =
    "set another `structured` of this model, such as `json_schema` or `tool`, or use a larger one";
/// What may help where a model only thinks.
const LESS_THINKING: &str = "limit its thinking, or turn it off, through the `body` of this model";

/// Whether the reply begins with an object, in a fence, a list, a text or the marks of a tool's call.
fn starts_as_object(text: &str) -> bool {
    let text = text.strip_prefix("```").map_or(text, |fenced| {
        fenced
            .trim_start_matches(|c: char| c.is_ascii_alphanumeric())
            .trim_start()
    });
    without_tag(text)
        .trim_start_matches(['[', '"', ' ', '\n'])
        .starts_with('{')
}

/// A text without the tag that it starts with, such as `<tool_call>`; the marks of thinking are none.
fn without_tag(text: &str) -> &str {
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '|');
    let rest = text
        .strip_prefix('<')
        .and_then(|tag| tag.trim_start_matches(is_name).strip_prefix('>'));
    match rest {
        Some(rest) if !thinking::part(&text[..text.len() - rest.len()]).unclosed => rest.trim_start(),
        Some(_) | None => text,
    }
}

/// Why nothing was said: the tokens were used up by thinking, or the model had nothing to say.
fn nothing_said(request: &Request, response: &Response, thought: bool) -> Rejection {
    let limit = request.max_tokens;
    let hidden = response.usage.reasoning_tokens.unwrap_or(0);
    let used_up = response.finish == Finish::Length
        || response
            .usage
            .output_tokens
            .is_some_and(|tokens| tokens >= u64::from(limit));
    if used_up {
        let counted = match hidden {
            0 => String::new(),
            hidden => format!(" ({hidden} of them counted as reasoning)"),
        };
        Rejection::new(
            Reason::OutOfTokens,
            format!(
                "the model thought until its {limit} tokens were used up{counted}, and said nothing: raise `generate.max_tokens`"
            ),
        )
    } else if thought {
        malformed(format!(
            "the reply holds the model's thinking and nothing else: {LESS_THINKING}"
        ))
    } else {
        malformed("the reply is empty")
    }
}

fn malformed(detail: impl Into<String>) -> Rejection {
    Rejection::new(Reason::Format, detail)
}

/// A member's text without the thinking in it, and that thinking.
fn parted_member(object: &Map<String, Value>, name: &str) -> Option<thinking::Parted> {
    let text = match object.get(name)? {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Bool(truth) => truth.to_string(),
        Value::Null | Value::Array(_) | Value::Object(_) => return None,
    };
    Some(thinking::part(&text))
}

fn text_member(object: &Map<String, Value>, name: &str) -> Option<String> {
    parted_member(object, name).map(|parted| parted.said)
}

fn required(object: &Map<String, Value>, name: &str) -> Result<String, Rejection> {
    text_member(object, name)
        .filter(|text| !text.is_empty())
        .ok_or_else(|| malformed(format!("the reply has no `{name}`")))
}

/// A question: a member of the object, or the text without quotation marks and label.
pub(crate) fn question(request: &Request, said: &Said) -> Result<String, Rejection> {
    if let Some(object) = said.asked_object(request, &["question"])? {
        return required(&object, "question");
    }
    let text = said.text.trim();
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
pub(crate) fn answer(request: &Request, said: &Said) -> Result<Answered, Rejection> {
    if let Some(object) = said.asked_object(request, &["reasoning", "answer"])? {
        let parted = parted_member(&object, "reasoning").unwrap_or_default();
        let parts = [said.thinking.as_str(), parted.thinking.as_str()];
        return Ok(Answered {
            thinking: parts.join("\n\n").trim().to_owned(),
            reasoning: parted.said,
            answer: required(&object, "answer")?,
        });
    }
    let text = said.text.trim();
    let (reasoning, answer) = match (&request.prompt, text.rfind("Answer:")) {
        (_, Some(at)) => (text[..at].trim(), text[at + "Answer:".len()..].trim()),
        (Prompt::Raw(_), None) => ("", text),
        (Prompt::Chat(_), None) => {
            return Err(said.unread("the reply has no line that starts with `Answer:`", OTHER_LINES));
        }
    };
    if answer.is_empty() {
        return Err(malformed("the answer is empty"));
    }
    Ok(Answered {
        thinking: said.thinking.clone(),
        reasoning: reasoning.to_owned(),
        answer: answer.to_owned(),
    })
}

/// Whether the question can be answered, and why.
pub(crate) fn verification(request: &Request, said: &Said) -> Result<(bool, String), Rejection> {
    if let Some(object) = said.asked_object(request, &["answerable", "reason"])? {
        let answerable = object.get("answerable").and_then(Value::as_bool);
        let answerable = answerable.ok_or_else(|| malformed("the reply has no `answerable`"))?;
        return Ok((answerable, text_member(&object, "reason").unwrap_or_default()));
    }
    yes_or_no(&said.text)
}

/// A judgement: members of the object, or one `name: true` a line; raw prompts are continued by yes or no.
pub(crate) fn judgement(request: &Request, said: &Said) -> Result<Judgement, Rejection> {
    let text = said.text.as_str();
    if let Some(object) = said.asked_object(
        request,
        &[
            "relevant",
            "substantial",
            "useful",
            "clear",
            "expert",
            "correct",
            "reason",
        ],
    )? {
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
pub(crate) fn choice(request: &Request, said: &Said, names: &[String]) -> Result<Option<String>, Rejection> {
    let said = match said.asked_object(request, &["concept"])? {
        Some(object) => match object.get("concept") {
            // A name that is left empty is no name.
            Some(Value::String(said)) if said.trim().is_empty() => return Ok(None),
            Some(Value::Null) => return Ok(None),
            Some(Value::String(said)) => said.trim().to_owned(),
            Some(_) | None => return Err(malformed("the reply has no `concept`")),
        },
        None => said.text.trim().to_owned(),
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
    use gristmill_domain::chat::{Message, OutputSchema, Reported, Role};
    use gristmill_domain::job::PromptKind;
    use gristmill_domain::prompt::reply_schema;

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

    fn response(text: &str) -> Response {
        Response {
            text: text.to_owned(),
            thinking: String::new(),
            finish: Finish::Stop,
            usage: Reported::default(),
            model_version: String::new(),
        }
    }

    fn said(request: &Request, text: &str) -> Result<Said, Rejection> {
        Said::read(request, &response(text))
    }

    #[test]
    fn thinking_is_kept_apart_wherever_it_stands() {
        let read = |schema, text: &str| {
            let request = request(true, schema);
            let said = said(&request, text).unwrap();
            answer(&request, &said).map(|a| [a.thinking, a.reasoning, a.answer])
        };
        let parts = |parts: [&str; 3]| Ok(parts.map(str::to_owned));
        for (schema, text, wanted) in [
            (
                false,
                "<think>\nI should say Answer: 5 first? No.\n</think>\n\nAdding both.\nAnswer: 1446",
                ["I should say Answer: 5 first? No.", "Adding both.", "1446"],
            ),
            (
                true,
                "<think>The set {1, 2} {\"answer\": \"5\"}</think>{\"reasoning\": \"sum\", \"answer\": \"1446\"}",
                ["The set {1, 2} {\"answer\": \"5\"}", "sum", "1446"],
            ),
            (
                true,
                r#"{"reasoning": "<think>Hm</think> sum", "answer": "1446 <think>"}"#,
                ["Hm", "sum", "1446"],
            ),
            (
                true,
                "<think>It is so. {\"reasoning\": \"sum\", \"answer\": \"1446\"}",
                [
                    "It is so. {\"reasoning\": \"sum\", \"answer\": \"1446\"}",
                    "sum",
                    "1446",
                ],
            ),
        ] {
            assert_eq!(read(schema, text), parts(wanted), "{text}");
        }
        let raw = r#"{"reasoning": "We take $\frac{1446}{1} \times 1$ with \theta", "answer": "1446"}"#;
        assert_eq!(
            read(true, raw),
            parts(["", r"We take $\frac{1446}{1} \times 1$ with \theta", "1446"])
        );
    }

    #[test]
    fn a_reply_that_says_nothing_names_its_cause() {
        let empty = |text: &str, finish, reasoning_tokens| {
            let response = Response {
                finish,
                usage: Reported {
                    reasoning_tokens,
                    ..Reported::default()
                },
                ..response(text)
            };
            let Rejection { reason, detail } = Said::read(&request(true, true), &response).unwrap_err();
            (reason, detail)
        };
        let (reason, detail) = empty("", Finish::Length, Some(10));
        assert_eq!(reason, Reason::OutOfTokens);
        assert!(
            detail.contains("10 tokens were used up (10 of them counted as reasoning)")
                && detail.contains("generate.max_tokens"),
            "{detail}"
        );
        assert_eq!(
            empty("<think>on and on", Finish::Length, None).0,
            Reason::OutOfTokens
        );
        let (reason, detail) = empty("<think>on and on", Finish::Stop, None);
        assert_eq!(reason, Reason::Format);
        assert!(
            detail.starts_with("the reply holds the model's thinking and nothing else: limit its thinking"),
            "{detail}"
        );
        assert_eq!(empty(" ", Finish::Stop, None).1, "the reply is empty");
    }

    #[test]
    fn answers_are_read_from_objects_lines_and_raw_text() {
        let read = |chat, schema, text: &str| {
            let request = request(chat, schema);
            let said = said(&request, text)?;
            answer(&request, &said).map(|a| (a.reasoning, a.answer))
        };
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
        assert_eq!(
            read(true, false, "It is {\"a\": 1}.\nAnswer: 4"),
            both("It is {\"a\": 1}.", "4"),
            "another object is part of the text"
        );
        assert!(
            read(true, true, "{\"answer\": \"4").is_err(),
            "an object cut short"
        );
        assert!(read(true, true, r#"{"answer": ""}"#).is_err());
        assert!(read(true, false, "It is 4.").is_err(), "no final answer is named");
    }

    #[test]
    fn advice_fits_what_is_wrong_with_the_reply() {
        let detail = |schema, text: &str| {
            let request = request(true, schema);
            let said = said(&request, text).unwrap();
            answer(&request, &said).unwrap_err().detail
        };
        for (schema, text, help, wrong) in [
            (true, "It is 4.", "another `structured`", "template"),
            (
                true,
                "It is 4.<|im_end|>",
                "template and the end marks",
                "structured",
            ),
            (false, "It is 4.", "such as `json_schema` or `tool`", "none"),
            (
                false,
                "It is 4.<|im_end|>",
                "template and the end marks",
                "structured",
            ),
        ] {
            let detail = detail(schema, text);
            assert!(
                detail.contains(help) && !detail.contains(wrong),
                "{text}: {detail}"
            );
        }
    }

    #[test]
    fn wrapped_objects_are_read_though_they_hold_marks_of_thinking() {
        let request = Request {
            schema: Some(reply_schema(PromptKind::Answer, true, false, &[])),
            ..request(true, true)
        };
        let object = r#"{"reasoning": "<think>Hm", "answer": "4"}"#;
        for text in [
            format!(r#"{{"response": {object}}}"#),
            format!(r#"<tool_call>{{"name": "answer", "arguments": {object}}}</tool_call>"#),
            format!("[{object}]"),
            Value::from(object).to_string(),
        ] {
            let said = said(&request, &text).unwrap();
            let read = answer(&request, &said).map(|a| [a.thinking, a.reasoning, a.answer]);
            assert_eq!(read, Ok(["Hm", "", "4"].map(str::to_owned)), "{text}");
            // With `structured: json_object` only the prompt names the members.
            let by_prompt = answer(&self::request(true, false), &said).map(|a| a.answer);
            assert_eq!(by_prompt.as_deref(), Ok("4"), "{text}");
        }
        let thought = format!("<think>{object}</think> I do not know.");
        let said = said(&request, &thought).unwrap();
        assert!(answer(&request, &said).is_err(), "what was thought is no answer");
    }

    #[test]
    fn a_judgement_needs_every_point() {
        let lines = "relevant: true\nsubstantial: true\nuseful: yes\nclear: false\nexpert: no\ncorrect: true\nreason: fine";
        let judged = |schema, text: &str| {
            let request = request(true, schema);
            judgement(&request, &said(&request, text).unwrap())
        };
        let read = judged(false, lines).unwrap();
        assert_eq!((read.points(), read.reason.as_str()), (3, "fine"));
        assert!(judged(false, "relevant: true").is_err());
        assert!(judged(true, r#"{"correct": true}"#).is_err());
    }

    #[test]
    fn a_choice_is_one_of_the_names_or_none() {
        let names = ["heart failure".to_owned(), "heart".to_owned(), "a. b.".to_owned()];
        let chosen = |schema, text: &str| {
            let request = request(true, schema);
            choice(&request, &said(&request, text)?, &names)
        };
        let read = |text: &str| chosen(false, text);
        let name = |name: &str| Ok(Some(name.to_owned()));
        assert_eq!(read(" Heart failure\n"), name("heart failure"));
        assert_eq!(read("**heart**."), name("heart"));
        assert_eq!(read("A. b."), name("a. b."));
        assert_eq!(read("None."), Ok(None));
        assert!(read("heart failure, I think").is_err());
        assert!(read("").is_err());
        let object = |text: &str| chosen(true, text);
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
        let read = |text: &str| {
            let request = request(true, false);
            verification(&request, &said(&request, text)?)
        };
        assert_eq!(read("Yes: it is complete."), Ok((true, "it is complete.".into())));
        assert_eq!(read("no").map(|(yes, _)| yes), Ok(false));
        assert!(read("Notably, yes").is_err());
    }
}
