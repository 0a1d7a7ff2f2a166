//! Numeric answers: the two extractions of the GSM8K graders, and a stricter one of our own that refuses contradictions.
//!
//! [`strict`] and [`flexible`] reproduce lm-evaluation-harness (`gsm8k.yaml`) to the character, for comparable scores.
//! [`extract`] is what the filter uses: it knows JSON, `####`, `\boxed{}` and "the answer is", and names a number only
//! when the final places agree.

mod exact;
mod scan;

pub use exact::Number;

use super::{Unreadable, structured};
use crate::filter::text::ascii_digits;
use scan::{Spot, boxed, first_number, last_number, stated};

const KIND: &str = "number";

/// What follows the first `#### `: `#### (\-?[0-9\.\,]+)`, with `,`, `$` and a final `.` removed.
pub fn strict(text: &str) -> Option<String> {
    text.match_indices("#### ").find_map(|(at, mark)| {
        let rest = &text[at + mark.len()..];
        let sign = usize::from(rest.starts_with('-'));
        let digits = run(&rest[sign..], |b| b.is_ascii_digit() || b == b'.' || b == b',');
        (digits > 0).then(|| clean(&rest[..sign + digits]))
    })
}

/// The last match of `(-?[$0-9.,]{2,})|(-?[0-9]+)`, with `,`, `$` and a final `.` removed.
///
/// It takes any number, and also an ellipsis, for the answer: good enough to compare with published scores, too loose to
/// filter by.
pub fn flexible(text: &str) -> Option<String> {
    let in_class = |b: u8| b.is_ascii_digit() || matches!(b, b'$' | b'.' | b',');
    let bytes = text.as_bytes();
    let (mut at, mut last) = (0, None);
    while at < bytes.len() {
        let sign = usize::from(bytes[at] == b'-');
        let length = bytes[at + sign..].iter().take_while(|&&b| in_class(b)).count();
        let single = length == 1 && bytes[at + sign].is_ascii_digit();
        if length >= 2 || single {
            last = Some((at, at + sign + length));
            at += sign + length;
        } else {
            at += 1;
        }
    }
    last.map(|(start, end)| clean(&text[start..end]))
}

/// The number that a reference answer states: after its `####`, or the whole text.
pub fn reference(text: &str) -> Option<Number> {
    let text = ascii_digits(text);
    match strict(&text) {
        Some(found) => Number::parse(&found),
        None => Number::parse(&text),
    }
}

/// The final number of a completion.
///
/// Looked for in a JSON field (`answer`, `final_answer`, `result`), after `####`, in `\boxed{}`, after the last "answer
/// is" or "answer:", and last of all anywhere. The first kind of place that holds a number decides; two `####` or two boxes
/// with different numbers are a contradiction, not an answer.
///
/// Digits of every script are read, and numbers between characters of scripts without spaces.
pub fn extract(text: &str) -> Result<Number, Unreadable> {
    let text = &*ascii_digits(text);
    if let Some(field) = structured::field(text, &["final_answer", "answer", "result"]) {
        let number = Number::parse(&field).or_else(|| only(&field));
        return number.ok_or(Unreadable::Missing { kind: KIND });
    }
    let marked = text.split("####").skip(1).filter_map(first_number);
    if let Some(number) = unanimous(marked)? {
        return Ok(number);
    }
    if let Some(number) = unanimous(boxed(text))? {
        return Ok(number);
    }
    stated(text)
        .or_else(|| last_number(text).map(|spot: Spot| spot.number))
        .ok_or(Unreadable::Missing { kind: KIND })
}

/// The number of a text that holds exactly one, such as "42 apples".
fn only(text: &str) -> Option<Number> {
    let mut found = scan::numbers(text);
    let first = found.next()?.number;
    found.next().is_none().then_some(first)
}

fn unanimous(found: impl Iterator<Item = Number>) -> Result<Option<Number>, Unreadable> {
    let mut agreed: Option<Number> = None;
    for number in found {
        match &agreed {
            Some(first) if *first != number => {
                return Err(Unreadable::Ambiguous {
                    kind: KIND,
                    first: first.to_string(),
                    second: number.to_string(),
                });
            }
            _ => agreed = Some(number),
        }
    }
    Ok(agreed)
}

/// Length in bytes of the leading run of such bytes.
fn run(text: &str, wanted: impl Fn(u8) -> bool) -> usize {
    text.bytes().take_while(|&b| wanted(b)).count()
}

fn clean(found: &str) -> String {
    let bare: String = found.chars().filter(|c| !matches!(c, ',' | '$')).collect();
    bare.strip_suffix('.').map_or(bare.clone(), str::to_owned)
}

#[cfg(test)]
mod tests;
