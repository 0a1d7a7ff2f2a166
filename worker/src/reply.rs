//! Reads what a model said: a JSON object where one was asked for, the conventions of the prompts elsewhere. The model's thinking is taken off
//! before, and inside the object's members.

mod members;

use gristmill_domain::chat::{Finish, Request, Response};
use gristmill_domain::filter::{Reason, Rejection};
use gristmill_domain::prompt::{object_with, reply_object, template, thinking};
use serde_json::{Map, Value};

pub(crate) use members::{Read, read};

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

#[cfg(test)]
mod tests {
    use gristmill_domain::chat::{Message, OutputSchema, Prompt, Reported, Role};
    use gristmill_domain::reply::{self, Fields, Holds, Member, Record, Reply};

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

    fn asked(name: &str, members: &[(&str, Holds)]) -> Reply {
        Reply {
            name: name.into(),
            members: members
                .iter()
                .map(|(name, holds)| Member::new(*name, holds.clone()))
                .collect(),
        }
    }

    fn answer(request: &Request, said: &Said) -> Result<Answered, Rejection> {
        let reply = Reply::default().with_answer(true);
        read(request, said, &reply)?.answered.unwrap()
    }

    fn fields(request: &Request, text: &str, reply: &Reply) -> Result<Fields, Rejection> {
        Ok(read(request, &said(request, text)?, reply)?.fields)
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
            schema: Some(Reply::default().with_answer(true).schema()),
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
            fields(&request, text, &Reply::judgement("grade"))
        };
        let read = reply::judgement(&judged(false, lines).unwrap()).unwrap();
        assert_eq!((read.points(), read.reason.as_str()), (3, "fine"));
        assert!(judged(false, "relevant: true").is_err());
        assert!(judged(true, r#"{"correct": true}"#).is_err());
    }

    #[test]
    fn a_choice_is_one_of_the_names_or_none() {
        let names = ["heart failure".to_owned(), "heart".to_owned(), "a. b.".to_owned()];
        let chosen = |schema, text: &str| {
            let request = request(true, schema);
            let holds = Holds::OneOf {
                names: names.to_vec(),
                or_none: true,
            };
            let fields = fields(&request, text, &asked("concept", &[("concept", holds)]))?;
            Ok(fields["concept"].clone())
        };
        let read = |text: &str| chosen(false, text);
        let none = || Ok::<_, Rejection>(reply::Value::Choice(None));
        let name = |name: &str| Ok(reply::Value::Choice(Some(name.to_owned())));
        assert_eq!(read(" Heart failure\n"), name("heart failure"));
        assert_eq!(read("**heart**."), name("heart"));
        assert_eq!(read("A. b."), name("a. b."));
        assert_eq!(read("None."), none());
        assert!(read("heart failure, I think").is_err());
        assert!(read("").is_err());
        let object = |text: &str| chosen(true, text);
        assert_eq!(object(r#"{"concept": "heart"}"#), name("heart"));
        for text in [
            r#"{"concept": "none"}"#,
            r#"{"concept": ""}"#,
            r#"{"concept": null}"#,
        ] {
            assert_eq!(object(text), none(), "{text}");
        }
        assert!(object(r#"{"concept": "lung"}"#).is_err());
    }

    #[test]
    fn yes_and_no_are_whole_words() {
        let read = |text: &str| {
            let request = request(true, false);
            let members = [("answerable", Holds::YesNo), ("reason", Holds::Text)];
            let fields = fields(&request, text, &asked("answerable", &members))?;
            Ok::<_, Rejection>((
                fields["answerable"] == reply::Value::YesNo(true),
                fields["reason"].shown(),
            ))
        };
        assert_eq!(read("Yes: it is complete."), Ok((true, "it is complete.".into())));
        assert_eq!(read("no").map(|(yes, _)| yes), Ok(false));
        assert!(read("Notably, yes").is_err());
    }

    #[test]
    fn records_of_a_list_are_read_each_by_itself() {
        let list = Holds::List {
            of: vec![
                Member::new("question", Holds::Question),
                Member::new("probability", Holds::Number { min: 0.0, max: 1.0 }),
            ],
            at_least: 2,
        };
        let reply = asked("question", &[("questions", list)]);
        let read = |text: &str| fields(&request(true, true), text, &reply);
        let text = r#"{"questions": [{"question": "Why?", "probability": 0.04}, {"question": "", "probability": 0.04}, "How?",
            {"question": "When?", "probability": "7"}, {"question": "Where?", "probability": "0.02"}]}"#;
        let whole = read(text).unwrap();
        let reply::Value::Records(records) = &whole["questions"] else {
            panic!("{whole:?}");
        };
        let said: Vec<Result<(String, String), String>> = records
            .iter()
            .map(|record| match record {
                Record::Fields(fields) => Ok((fields["question"].shown(), fields["probability"].shown())),
                Record::Rejected(rejection) => Err(rejection.detail.clone()),
            })
            .collect();
        let good = |question: &str, probability: &str| Ok((question.to_owned(), probability.to_owned()));
        let bad = |why: &str| Err(why.to_owned());
        assert_eq!(
            said,
            [
                good("Why?", "0.04"),
                bad("`question` of the reply is empty"),
                bad("`questions` lists something that is not an object"),
                bad("`probability` is not a number from 0 to 1"),
                good("Where?", "0.02"),
            ]
        );
        let too_few = read(r#"{"questions": [{"question": "Why?", "probability": 0.04}]}"#).unwrap_err();
        assert!(
            too_few
                .detail
                .contains("lists 1 records that can be read, where at least 2"),
            "{too_few}"
        );
        let prose = fields(&request(true, false), "1. Why?\n2. Where?", &reply).unwrap_err();
        assert!(prose.detail.contains("only a JSON object can hold"), "{prose}");
    }

    #[test]
    fn a_verdict_in_a_line_of_its_own_is_read_from_there() {
        // As the built-in prompts of critiques ask for it.
        let members = [("critique", Holds::Text), ("acceptable", Holds::YesNo)];
        let reply = asked("critique", &members);
        let read = |text: &str| fields(&request(true, false), text, &reply);
        let wanted = |critique: &str, acceptable: bool| {
            Ok(Fields::from([
                ("critique".into(), reply::Value::text(critique)),
                ("acceptable".into(), reply::Value::YesNo(acceptable)),
            ]))
        };
        let lines = "critique: No unit is named.\nIt should be 5 mg.\nacceptable: false";
        assert_eq!(
            read(lines),
            wanted("No unit is named.\nIt should be 5 mg.", false)
        );
        assert_eq!(read("acceptable: true"), wanted("", true));
        assert_eq!(
            read("No: the unit is missing."),
            wanted("the unit is missing.", false)
        );
        assert!(read("critique: fine\nacceptable: perhaps").is_err());
    }

    #[test]
    fn members_of_every_type_are_read_from_objects_and_from_lines() {
        let members = [
            ("facts", Holds::Texts { at_least: 2 }),
            ("score", Holds::Number { min: 1.0, max: 5.0 }),
            (
                "kind",
                Holds::OneOf {
                    names: vec!["cause".into(), "cure".into()],
                    or_none: false,
                },
            ),
            ("reason", Holds::Text),
        ];
        let reply = asked("facts", &members);
        let object = r#"{"facts": ["a", "b"], "score": 4.5, "kind": "cure", "reason": "so"}"#;
        let lines = "facts:\n- a\n2. b\nscore: 4.5\nkind: cure\nreason: so";
        let wanted = Fields::from([
            ("facts".into(), reply::Value::Texts(vec!["a".into(), "b".into()])),
            ("score".into(), reply::Value::Number(4.5)),
            ("kind".into(), reply::Value::Choice(Some("cure".into()))),
            ("reason".into(), reply::Value::text("so")),
        ]);
        assert_eq!(fields(&request(true, true), object, &reply), Ok(wanted.clone()));
        assert_eq!(fields(&request(true, false), lines, &reply), Ok(wanted));
        for (wrong, why) in [
            (
                r#"{"facts": ["a"], "score": 4, "kind": "cure"}"#,
                "`facts` holds 1 text,",
            ),
            (
                r#"{"facts": ["a", "b"], "score": 6, "kind": "cure"}"#,
                "`score` is not a number from 1 to 5",
            ),
            (
                r#"{"facts": ["a", "b"], "score": 4, "kind": "none"}"#,
                "names none of the words",
            ),
            (r#"{"facts": ["a", "b"], "score": 4}"#, "no `kind`"),
        ] {
            let detail = fields(&request(true, true), wrong, &reply).unwrap_err().detail;
            assert!(detail.contains(why), "{wrong}: {detail}");
        }
    }
}
