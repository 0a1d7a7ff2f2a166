//! Reads the members of a reply by their types.

use gristmill_domain::chat::{Prompt, Request};
use gristmill_domain::dialogue;
use gristmill_domain::filter::Rejection;
use gristmill_domain::job::{NO_CONCEPT, folded};
use gristmill_domain::json;
use gristmill_domain::prompt::thinking;
use gristmill_domain::reply::{Fields, Holds, Member, Record, Reply, Value};
use gristmill_domain::words::many;
use serde_json::Map;

use super::{Answered, OTHER_LINES, Said, malformed};

/// A JSON object.
type Object = Map<String, serde_json::Value>;

/// What was read from a reply.
#[derive(Debug)]
pub(crate) struct Read {
    /// Its members but the answer.
    pub(crate) fields: Fields,
    /// The answer, where the reply is to hold one.
    pub(crate) answered: Option<Result<Answered, Rejection>>,
}

/// Reads a reply: the members of the object, where one was asked for; else by the conventions of the prompts. A text that is beside a verdict
/// may be missing, and so may the answer that is beside something else.
pub(crate) fn read(request: &Request, said: &Said, reply: &Reply) -> Result<Read, Rejection> {
    let names = reply.names();
    match said.asked_object(request, &names)? {
        Some(object) => from_object(said, reply, &object),
        None => from_text(request, said, reply),
    }
}

fn from_object(said: &Said, reply: &Reply, object: &Object) -> Result<Read, Rejection> {
    let mut fields = Fields::new();
    for member in &reply.members {
        if let Some(value) = of_member(reply, member, object)? {
            fields.insert(member.name.clone(), value);
        }
    }
    let answered = reply.answer().map(|member| {
        let reasoning = reply.first(|holds| *holds == Holds::Reasoning);
        // Some models reason though they are not asked to.
        let reasoning = reasoning.map_or("reasoning", |member| member.name.as_str());
        let parted = parted_member(object, reasoning).unwrap_or_default();
        let parts = [said.thinking.as_str(), parted.thinking.as_str()];
        Ok(Answered {
            thinking: parts.join("\n\n").trim().to_owned(),
            reasoning: parted.said,
            answer: required(object, &member.name)?,
        })
    });
    Ok(Read { fields, answered })
}

/// The value of a member; nothing for the parts of an answer.
fn of_member(reply: &Reply, member: &Member, object: &Object) -> Result<Option<Value>, Rejection> {
    let name = &member.name;
    let missing = || malformed(format!("the reply has no `{name}`"));
    Ok(Some(match &member.holds {
        Holds::Answer | Holds::Reasoning => return Ok(None),
        Holds::Question => Value::Text(required(object, name)?),
        Holds::Text if reply.decides() => Value::Text(text_member(object, name).unwrap_or_default()),
        Holds::Text => Value::Text(required(object, name)?),
        Holds::YesNo => Value::YesNo(
            object
                .get(name)
                .and_then(serde_json::Value::as_bool)
                .ok_or_else(missing)?,
        ),
        Holds::Number { min, max } => {
            let text = text_member(object, name).ok_or_else(missing)?;
            Value::Number(number(name, &text, *min, *max)?)
        }
        Holds::Texts { at_least } => {
            let items = object
                .get(name)
                .and_then(serde_json::Value::as_array)
                .ok_or_else(missing)?;
            let texts = items
                .iter()
                .filter_map(|item| item.as_str().map(|text| thinking::part(text).said));
            Value::Texts(enough(name, texts, *at_least)?)
        }
        Holds::List { of, at_least } => {
            let items = object
                .get(name)
                .and_then(serde_json::Value::as_array)
                .ok_or_else(missing)?;
            Value::Records(records(name, of, items, *at_least)?)
        }
        Holds::OneOf { names, or_none } => match object.get(name) {
            // A name that is left empty is no name.
            Some(serde_json::Value::String(said)) if said.trim().is_empty() && *or_none => {
                Value::Choice(None)
            }
            Some(serde_json::Value::Null) if *or_none => Value::Choice(None),
            Some(serde_json::Value::String(said)) => Value::Choice(choice(said.trim(), names, *or_none)?),
            Some(_) | None => return Err(missing()),
        },
        Holds::Messages | Holds::ToolMessages | Holds::Tools => {
            dialogue_part(&member.holds, name, object.get(name).ok_or_else(missing)?)?
        }
    }))
}

/// The messages of a dialogue, or tools: a list, or the JSON text of one.
fn dialogue_part(holds: &Holds, name: &str, list: &serde_json::Value) -> Result<Value, Rejection> {
    let unread = |fault: String| malformed(format!("`{name}`: {fault}"));
    let parsed = match list {
        serde_json::Value::String(text) => json::parse(text).ok(),
        _ => None,
    };
    let list = parsed.as_ref().unwrap_or(list);
    if *holds == Holds::Tools {
        return dialogue::tools(list).map(Value::Tools).map_err(unread);
    }
    let mut turns = dialogue::turns(list).map_err(unread)?;
    for turn in &mut turns {
        turn.content = thinking::part(&turn.content).said;
    }
    if *holds == Holds::Messages && turns.iter().any(|turn| !turn.tool_calls.is_empty()) {
        return Err(unread("a tool is called, and there are none".to_owned()));
    }
    dialogue::check(&turns).map_err(unread)?;
    Ok(Value::Messages(turns))
}

/// The records of a list, each read by itself: one of no use costs none of the others.
fn records(
    name: &str,
    of: &[Member],
    items: &[serde_json::Value],
    at_least: u32,
) -> Result<Vec<Record>, Rejection> {
    let record = Reply {
        name: name.to_owned(),
        members: of.to_vec(),
    };
    let read = |item: &serde_json::Value| -> Result<Fields, Rejection> {
        let object = item
            .as_object()
            .ok_or_else(|| malformed(format!("`{name}` lists something that is not an object")))?;
        let mut fields = Fields::new();
        for member in of {
            if let Some(value) = of_member(&record, member, object)? {
                fields.insert(member.name.clone(), value);
            }
        }
        Ok(fields)
    };
    let records: Vec<Record> = items
        .iter()
        .map(|item| read(item).map_or_else(Record::Rejected, Record::Fields))
        .collect();
    let of_use = records
        .iter()
        .filter(|record| matches!(record, Record::Fields(_)))
        .count();
    if of_use < at_least.max(1) as usize {
        let detail = format!(
            "`{name}` lists {of_use} records that can be read, where at least {} are wanted",
            at_least.max(1)
        );
        return Err(malformed(detail));
    }
    Ok(records)
}

fn from_text(request: &Request, said: &Said, reply: &Reply) -> Result<Read, Rejection> {
    if reply.answer().is_some() {
        return Ok(Read {
            fields: Fields::new(),
            answered: Some(answer(request, said)),
        });
    }
    let text = said.text.trim();
    let decisions = reply
        .members
        .iter()
        .filter(|member| member.holds == Holds::YesNo)
        .count();
    let raw = matches!(request.prompt, Prompt::Raw(_));
    // Prompts ask for "Yes:" and a reason, or for a line of each member.
    let by_lines = reply
        .verdict()
        .is_some_and(|verdict| text.lines().any(|line| behind(line, &verdict.name).is_some()));
    let yes_first = !by_lines && (decisions == 1 && reply.members.len() == 2 || raw && decisions > 0);
    let fields = match reply.members.as_slice() {
        [only] => vec![(only, alone(text, &only.holds, &only.name)?)],
        // Raw prompts are continued by yes or no, whatever was to be decided.
        all if yes_first => {
            let (yes, reason) = yes_or_no(text)?;
            let value = |member: &Member| match member.holds {
                Holds::YesNo => Value::YesNo(yes),
                _ => Value::Text(reason.clone()),
            };
            all.iter().map(|member| (member, value(member))).collect()
        }
        all => {
            let mut fields = Vec::new();
            for member in all {
                fields.push((member, of_line(text, reply, member)?));
            }
            fields
        }
    };
    let named = fields
        .into_iter()
        .map(|(member, value)| (member.name.clone(), value));
    Ok(Read {
        fields: named.collect(),
        answered: None,
    })
}

/// The value of a reply's only member.
fn alone(text: &str, holds: &Holds, name: &str) -> Result<Value, Rejection> {
    Ok(match holds {
        Holds::Question => Value::Text(question(text)?),
        Holds::Text | Holds::Reasoning | Holds::Answer => Value::text(text),
        Holds::YesNo => Value::YesNo(yes_or_no(text)?.0),
        Holds::Number { min, max } => Value::Number(number(name, text, *min, *max)?),
        Holds::Texts { at_least } => Value::Texts(enough(name, items(text), *at_least)?),
        Holds::OneOf { names, or_none } => Value::Choice(choice(text, names, *or_none)?),
        Holds::Messages | Holds::ToolMessages | Holds::Tools => {
            let list = text.find('[').zip(text.rfind(']'));
            let list = list
                .and_then(|(open, close)| text.get(open..=close))
                .unwrap_or(text);
            dialogue_part(holds, name, &serde_json::Value::from(list))?
        }
        Holds::List { .. } => {
            return Err(malformed(format!(
                "`{name}` is a list of records, which only a JSON object can hold: {OTHER_LINES}"
            )));
        }
    })
}

/// The value of a member among several, each of which begins with a line `name: …`.
fn of_line(text: &str, reply: &Reply, member: &Member) -> Result<Value, Rejection> {
    let mut lines = text
        .lines()
        .skip_while(|line| behind(line, &member.name).is_none());
    let first = lines.next().and_then(|line| behind(line, &member.name));
    let rest = lines.take_while(|line| {
        reply
            .members
            .iter()
            .all(|other| behind(line, &other.name).is_none())
    });
    let whole = first.map(|first| {
        [first]
            .into_iter()
            .chain(rest.map(str::to_owned))
            .collect::<Vec<_>>()
            .join("\n")
    });
    let name = &member.name;
    match (whole.as_deref().map(str::trim), &member.holds) {
        (text, Holds::YesNo) => match text.map(str::to_ascii_lowercase).as_deref() {
            Some("true" | "yes") => Ok(Value::YesNo(true)),
            Some("false" | "no") => Ok(Value::YesNo(false)),
            _ => Err(malformed(format!(
                "the reply has no line `{name}: true` or `{name}: false`"
            ))),
        },
        (None, Holds::Text) if reply.decides() => Ok(Value::text("")),
        (None, _) => Err(malformed(format!(
            "the reply has no line that starts with `{name}:`"
        ))),
        (Some(text), holds) => alone(text, holds, name),
    }
}

/// What stands behind `name:` in a line that begins with it.
fn behind(line: &str, name: &str) -> Option<String> {
    let rest = line.trim().strip_prefix(name)?.trim_start().strip_prefix(':')?;
    Some(rest.trim().to_owned())
}

/// A question without quotation marks and label.
fn question(text: &str) -> Result<String, Rejection> {
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

/// What follows the last `Answer:`; raw prompts are continued by the answer itself.
fn answer(request: &Request, said: &Said) -> Result<Answered, Rejection> {
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

/// The one of the words that was said; `None` for none of them. A reply that is neither is no answer.
fn choice(said: &str, names: &[String], or_none: bool) -> Result<Option<String>, Rejection> {
    // Models put words in quotation marks, and a full stop behind them.
    let bare = said.strip_suffix('.').unwrap_or(said);
    let bare = bare.trim_matches(['"', '\'', '`', '*']);
    let named = |known: &&String| folded(known) == folded(said) || folded(known) == folded(bare);
    match names.iter().find(named) {
        Some(name) => Ok(Some(name.clone())),
        None if or_none && folded(bare) == NO_CONCEPT => Ok(None),
        None => Err(malformed(
            "the reply names none of the words that it is to choose from",
        )),
    }
}

fn number(name: &str, text: &str, min: f64, max: f64) -> Result<f64, Rejection> {
    let value = text.trim().trim_end_matches('.').parse::<f64>().ok();
    value
        .filter(|value| (min..=max).contains(value))
        .ok_or_else(|| malformed(format!("`{name}` is not a number from {min} to {max}")))
}

/// Lines of a list, without their marks.
fn items(text: &str) -> impl Iterator<Item = String> {
    let mark = |c: char| c.is_ascii_digit() || matches!(c, '-' | '*' | '•' | '.' | ')' | ' ');
    text.lines()
        .map(move |line| line.trim().trim_start_matches(mark).trim().to_owned())
}

/// The texts that are not empty, if they are enough.
fn enough(name: &str, texts: impl Iterator<Item = String>, at_least: u32) -> Result<Vec<String>, Rejection> {
    let texts: Vec<String> = texts.filter(|text| !text.is_empty()).collect();
    if texts.is_empty() || texts.len() < at_least as usize {
        let detail = format!(
            "`{name}` holds {}, where at least {} are wanted",
            many(texts.len() as u64, "text"),
            at_least.max(1)
        );
        return Err(malformed(detail));
    }
    Ok(texts)
}

fn yes_or_no(text: &str) -> Result<(bool, String), Rejection> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_alphabetic()).unwrap_or(text.len());
    let yes = match text[..end].to_ascii_lowercase().as_str() {
        "yes" => true,
        "no" => false,
        _ => return Err(malformed("the reply is neither yes nor no")),
    };
    let reason = text[end..].trim_start_matches([':', ',', '.', ' ']).trim();
    Ok((yes, reason.to_owned()))
}

/// A member's text without the thinking in it, and that thinking.
fn parted_member(object: &Object, name: &str) -> Option<thinking::Parted> {
    let text = match object.get(name)? {
        serde_json::Value::String(text) => text.clone(),
        serde_json::Value::Number(number) => number.to_string(),
        serde_json::Value::Bool(truth) => truth.to_string(),
        serde_json::Value::Null | serde_json::Value::Array(_) | serde_json::Value::Object(_) => return None,
    };
    Some(thinking::part(&text))
}

fn text_member(object: &Object, name: &str) -> Option<String> {
    parted_member(object, name).map(|parted| parted.said)
}

fn required(object: &Object, name: &str) -> Result<String, Rejection> {
    match text_member(object, name) {
        Some(text) if !text.is_empty() => Ok(text),
        Some(_) => Err(malformed(format!("`{name}` of the reply is empty"))),
        None => Err(malformed(format!("the reply has no `{name}`"))),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(holds: Holds, list: serde_json::Value) -> Result<Value, String> {
        dialogue_part(&holds, "messages", &list).map_err(|rejection| rejection.detail)
    }

    #[test]
    fn messages_are_read_as_a_list_or_its_text_and_without_thinking() {
        let list = json!([{"role": "user", "content": "Why?"}, {"role": "assistant", "content": "<think>Hm.</think>So."}]);
        let Value::Messages(turns) = read(Holds::Messages, list.clone()).unwrap() else {
            panic!("messages");
        };
        assert_eq!(dialogue::answered(&turns), "So.");
        assert_eq!(
            read(Holds::Messages, list.to_string().into()),
            Ok(Value::Messages(turns.clone()))
        );
        let fenced = format!("Here:\n```json\n{list}\n```");
        assert_eq!(
            alone(&fenced, &Holds::Messages, "messages").ok(),
            Some(Value::Messages(turns))
        );
    }

    #[test]
    fn messages_that_make_no_dialogue_are_of_no_use() {
        let one = json!([{"role": "user", "content": "Why?"}]);
        assert_eq!(
            read(Holds::Messages, one).unwrap_err(),
            "`messages`: the last message is not the assistant's"
        );
        let called = json!([{"role": "user", "content": "Why?"},
            {"role": "assistant", "content": "", "tool_calls": [{"id": "a", "name": "f", "arguments": "{}"}]},
            {"role": "tool", "content": "so", "tool_call_id": "a"}, {"role": "assistant", "content": "So."}]);
        assert!(read(Holds::ToolMessages, called.clone()).is_ok());
        assert_eq!(
            read(Holds::Messages, called).unwrap_err(),
            "`messages`: a tool is called, and there are none"
        );
        assert_eq!(
            read(Holds::Tools, json!([])).unwrap_err(),
            "`messages`: there are no tools"
        );
    }
}
