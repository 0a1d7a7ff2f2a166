//! JSON that is almost JSON: what servers and models send, read as they meant it.
//!
//! | found | read as |
//! |---|---|
//! | half of a surrogate pair (`\ud83d` alone) | U+FFFD |
//! | `NaN`, `Infinity`, `-Infinity` | `null` |
//! | a raw line end or control character in a text | its escape |
//! | a comma before a closing bracket | nothing |
//! | `\s`, `\(` and other escapes that JSON does not have | a backslash and the character |
//! | in a model's reply only: `\frac`, `\times`, `\nu` … | the LaTeX command ([`latex`]) |
//!
//! Valid JSON is read as it is, but for the last line: a model that forgets to double a backslash writes valid JSON with another text.

mod latex;

use serde_json::{Map, Value};

use latex::{Evidence, LatexState};

/// Objects and lists within each other at most. Deeper ones are nobody's answer, and would make the search slow.
const DEPTH_MAX: usize = 96;
/// Characters looked at, at most, for each byte of a reply that is searched for objects.
const FUEL_A_BYTE: usize = 64;

/// Reads a provider's or a person's JSON.
///
/// # Errors
/// Those of the strict reader, about the text as it stands.
pub fn parse(text: &str) -> Result<Value, serde_json::Error> {
    let text = text.trim_start_matches('\u{feff}').trim();
    serde_json::from_str(text).or_else(|error| {
        let mended = mended(text).and_then(|mended| serde_json::from_str(&mended).ok());
        mended.ok_or(error)
    })
}

/// The text as strict JSON, where it is one object or list that [`parse`] can read.
fn mended(text: &str) -> Option<String> {
    let mut fuel = usize::MAX;
    let (end, mended) = Copy::of(text, None, &mut fuel)?;
    text[end..].trim().is_empty().then_some(mended)
}

/// Every JSON object in a model's reply that does not lie within another one, in their order, with the place where it ends.
///
/// Whatever stands around them (prose, fences, formulas and sets in braces) is passed over. The search takes time in proportion to the text,
/// whatever the text is: one made to be slow may hide an object.
pub fn objects(text: &str) -> impl Iterator<Item = (usize, Map<String, Value>)> + '_ {
    let mut from = 0;
    let mut fuel = text.len().saturating_mul(FUEL_A_BYTE);
    std::iter::from_fn(move || {
        while let Some(found) = text[from..].find('{') {
            let start = from + found;
            if let Some((length, object)) = object_at(&text[start..], &mut fuel) {
                from = start + length;
                return Some((from, object));
            }
            from = start + 1;
        }
        None
    })
}

/// Every JSON text in a model's reply that itself holds an object from its start on, or from that of a code fence: `"{\"a\": 1}"`, read as
/// the model meant it.
pub fn quoted_objects(text: &str) -> impl Iterator<Item = String> + '_ {
    let mut from = 0;
    let mut fuel = text.len().saturating_mul(FUEL_A_BYTE);
    std::iter::from_fn(move || {
        while let Some(found) = text[from..].find('"') {
            let start = from + found;
            from = start + 1;
            if let Some((length, quoted)) = opens_object(&text[from..])
                .then(|| text_at(&text[start..], &mut fuel))
                .flatten()
            {
                from = start + length;
                return Some(quoted);
            }
        }
        None
    })
}

/// Whether what follows a quotation mark is an object's start, escaped for a text.
fn opens_object(text: &str) -> bool {
    let text = without_space(text);
    let text = text.strip_prefix("```").map_or(text, |fenced| {
        without_space(fenced.trim_start_matches(|c: char| c.is_ascii_alphabetic()))
    });
    // A text within that text has its quotation marks escaped twice and more.
    let text = match text.trim_start_matches('\\').strip_prefix('"') {
        Some(inner) if text.starts_with('\\') => without_space(inner),
        _ => text,
    };
    text.strip_prefix('{')
        .is_some_and(|inside| without_space(inside).starts_with('\\'))
}

/// A text from its first character that is no white space, be that escaped.
fn without_space(text: &str) -> &str {
    let mut text = text.trim_start();
    while let Some(rest) = ["\\n", "\\r", "\\t"]
        .iter()
        .find_map(|space| text.strip_prefix(space))
    {
        text = rest.trim_start();
    }
    text
}

/// The text in quotation marks that a text starts with, and its length with the marks.
fn text_at(text: &str, fuel: &mut usize) -> Option<(usize, String)> {
    let mut read = |text, latex| {
        let mut copy = Copy::new(text, latex);
        copy.text_in_quotes(fuel).map(|()| (copy.at, copy.out))
    };
    let (length, _) = read(text, None)?;
    let text = &text[..length];
    let (_, mended) = read(text, Some(Evidence::of(text)))?;
    Some((length, serde_json::from_str(&mended).ok()?))
}

/// The object that the text starts with, and its length.
fn object_at(text: &str, fuel: &mut usize) -> Option<(usize, Map<String, Value>)> {
    // An object starts with a name or is empty: sets, formulas and code in braces are told at once.
    let first = text[1..].trim_start().chars().next()?;
    if !matches!(first, '"' | '}') {
        return None;
    }
    // Most are strict JSON, and without a backslash there is nothing in them to be mended.
    let mut strict = serde_json::Deserializer::from_str(text).into_iter();
    if let Some(Ok(object)) = strict.next() {
        let length = strict.byte_offset();
        if !text[..length].contains('\\') {
            return Some((length, object));
        }
    }
    let (length, _) = Copy::of(text, None, fuel)?;
    let text = &text[..length];
    let (_, mended) = Copy::of(text, Some(Evidence::of(text)), fuel)?;
    Some((length, serde_json::from_str(&mended).ok()?))
}

/// Copies an object or list as strict JSON.
struct Copy<'a> {
    text: &'a str,
    /// The next character to be copied.
    at: usize,
    out: String,
    /// How LaTeX is told from escapes; without it, none is looked for.
    latex: Option<Evidence>,
}

impl<'a> Copy<'a> {
    /// The object or list that the text starts with, and its length there; `None` where it never ends. Each character takes one of `fuel`.
    fn of(text: &'a str, latex: Option<Evidence>, fuel: &mut usize) -> Option<(usize, String)> {
        let mut copy = Self::new(text, latex);
        copy.value(fuel).map(|()| (copy.at, copy.out))
    }

    fn new(text: &'a str, latex: Option<Evidence>) -> Self {
        Self {
            text,
            at: 0,
            out: String::with_capacity(text.len().min(4_096)),
            latex,
        }
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    /// Copies as many bytes as they are.
    fn take(&mut self, bytes: usize) {
        self.out.push_str(&self.text[self.at..self.at + bytes]);
        self.at += bytes;
    }

    /// Writes this in the place of so many bytes.
    fn put(&mut self, written: &str, bytes: usize) {
        self.out.push_str(written);
        self.at += bytes;
    }

    fn value(&mut self, fuel: &mut usize) -> Option<()> {
        let mut open = Vec::new();
        loop {
            *fuel = fuel.checked_sub(1)?;
            let c = self.rest().chars().next()?;
            match c {
                '"' => {
                    self.text_in_quotes(fuel)?;
                    continue;
                }
                '{' | '[' if open.len() < DEPTH_MAX => open.push(if c == '{' { '}' } else { ']' }),
                '{' | '[' => return None,
                '}' | ']' => {
                    if open.pop() != Some(c) {
                        return None;
                    }
                    let ended = self.out.trim_end().len();
                    if self.out[..ended].ends_with(',') {
                        self.out.truncate(ended - 1);
                    }
                }
                _ => {}
            }
            let words = ["-Infinity", "Infinity", "NaN"];
            match words.iter().find(|word| self.rest().starts_with(**word)) {
                Some(word) => self.put("null", word.len()),
                None => self.take(c.len_utf8()),
            }
            if open.is_empty() {
                return matches!(c, '}' | ']').then_some(());
            }
        }
    }

    fn text_in_quotes(&mut self, fuel: &mut usize) -> Option<()> {
        self.take(1);
        let mut place = LatexState::default();
        loop {
            *fuel = fuel.checked_sub(1)?;
            place.pass(self.rest());
            match self.rest().chars().next()? {
                '"' => {
                    self.take(1);
                    return Some(());
                }
                '\\' => self.escape(&place)?,
                c if u32::from(c) < 0x20 => self.put(&format!("\\u{:04x}", u32::from(c)), 1),
                c => self.take(c.len_utf8()),
            }
        }
    }

    /// Copies an escape.
    fn escape(&mut self, place: &LatexState) -> Option<()> {
        let rest = &self.rest()[1..];
        match rest.chars().next()? {
            '\\' if self
                .latex
                .is_some_and(|evidence| evidence.is_row_break(place, &rest[1..])) =>
            {
                self.put("\\\\\\\\", 2);
            }
            '"' | '\\' | '/' => self.take(2),
            'u' => self.unicode(rest),
            'b' | 'f' | 'n' | 'r' | 't' => {
                if self
                    .latex
                    .is_some_and(|evidence| evidence.is_command(place, rest))
                {
                    self.put("\\\\", 1);
                } else {
                    self.take(2);
                }
            }
            // JavaScript's and Python's escape of a quotation mark that needs none here.
            '\'' => self.put("'", 2),
            _ => self.put("\\\\", 1),
        }
        Some(())
    }

    /// Copies an escape by code unit; `rest` is what follows its backslash.
    fn unicode(&mut self, rest: &str) {
        let is_low = |unit: u32| (0xdc00..0xe000).contains(&unit);
        match unit(rest) {
            None => self.put("\\\\", 1),
            Some(high) if (0xd800..0xdc00).contains(&high) => {
                let low = rest[5..].strip_prefix('\\').and_then(unit);
                if low.is_some_and(is_low) {
                    self.take(12);
                } else {
                    self.put("\\ufffd", 6);
                }
            }
            Some(low) if is_low(low) => self.put("\\ufffd", 6),
            Some(_) => self.take(6),
        }
    }
}

/// The code unit of `uXXXX` at the start of a text.
fn unit(text: &str) -> Option<u32> {
    let digits = text.strip_prefix('u')?.get(..4)?;
    digits
        .bytes()
        .all(|byte| byte.is_ascii_hexdigit())
        .then(|| u32::from_str_radix(digits, 16).ok())?
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn first(text: &str) -> Option<Value> {
        objects(text).next().map(|(_, object)| Value::Object(object))
    }

    #[test]
    fn what_servers_write_is_read() {
        let read = |text: &str| parse(text).unwrap();
        assert_eq!(read("\u{feff} {\"a\": 1}\n"), json!({"a": 1}));
        assert_eq!(read(r#"{"a": "x \ud83d y"}"#), json!({"a": "x \u{fffd} y"}));
        assert_eq!(read(r#"{"a": "\udc00\ud83d\ude00"}"#), json!({"a": "\u{fffd}😀"}));
        assert_eq!(
            read(r#"{"a": "\\ud83d", "b": "\ud83d"}"#),
            json!({"a": "\\ud83d", "b": "\u{fffd}"}),
            "a doubled backslash is no escape"
        );
        assert_eq!(
            read(r#"{"a": [NaN, -Infinity, Infinity, "NaN"], }"#),
            json!({"a": [null, null, null, "NaN"]})
        );
        assert_eq!(read("{\"a\": \"one\ntwo\"}"), json!({"a": "one\ntwo"}));
        assert_eq!(read("[1, 2,]"), json!([1, 2]));
        for broken in ["", "{", "{\"a\": 1} and more", "{]", "<html>", "{'a': 1}"] {
            assert!(parse(broken).is_err(), "{broken}");
        }
        let strict = parse("{\"a\": 1,, \"b\": NaN}").unwrap_err().to_string();
        assert!(strict.contains("column"), "{strict}");
        assert_eq!(
            read(r#"{"a": "c:\temp\new"}"#),
            json!({"a": "c:\temp\new"}),
            "no LaTeX is looked for here"
        );
    }

    #[test]
    fn objects_are_found_between_sets_formulas_and_notes() {
        let answer = json!({"answer": "1446"});
        for text in [
            r#"{"answer": "1446"}"#,
            r#"The set {1, 2} and {x | x > 0}: {"answer": "1446"}"#,
            "```json\n{\"answer\": \"1446\"}\n```\nNote: {braces} in {\"quotes} stay.",
            r#"An open { and then {"answer": "1446"}}"#,
            r#"\frac{1}{2} {"answer": "1446",}"#,
            r#"Unfinished {"answer": " and then {"answer": "1446"}"#,
        ] {
            assert_eq!(first(text), Some(answer.clone()), "{text}");
        }
        let all: Vec<_> = objects(r#"{"a": {"b": 1}} or {"c": 2}"#)
            .map(|(_, object)| Value::Object(object))
            .collect();
        assert_eq!(all, [json!({"a": {"b": 1}}), json!({"c": 2})]);
        assert_eq!(first("{} {broken"), Some(json!({})));
        assert_eq!(first("none { here"), None);
    }

    #[test]
    fn objects_in_texts_are_found() {
        let all = |text: &str| quoted_objects(text).collect::<Vec<_>>();
        assert_eq!(all(r#"so: "{\"a\": \"b\"}" or "c""#), [r#"{"a": "b"}"#]);
        assert_eq!(all("\"\\n{\\n \\\"a\\\": 1}\""), ["\n{\n \"a\": 1}"]);
        assert_eq!(
            all(r#"{"a": "{\"b\": 1}", "c": "{\"d\": 2}"}"#),
            [r#"{"b": 1}"#, r#"{"d": 2}"#]
        );
        assert_eq!(all(r#""see {\"a\": 1}" "{x}" "{\"a\": 1"#), Vec::<String>::new());
    }

    #[test]
    fn hostile_depth_ends_soon() {
        for part in ["{\"a\":", "{\"a\":[", "{\"a\":1,{\"b\" 1},", "{\"", "{\"a\":\"{"] {
            assert_eq!(first(&part.repeat(3_000)), None, "{part}");
        }
    }

    fn text() -> impl Strategy<Value = String> {
        // A line end before letters may be read as LaTeX, and so may a tab: both are tested by themselves.
        "([ -~äß漢🦀]|\n ){0,24}"
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            text().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map(text(), inner, 0..4)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn any_object_in_any_prose_is_found(
            members in prop::collection::btree_map(text(), value(), 0..4),
            before in "[ -!#-z|~\n漢]{0,40}", after in "[ -~\n{}\"]{0,40}", pretty: bool,
        ) {
            let object: Map<String, Value> = members.into_iter().collect();
            let written = if pretty {
                serde_json::to_string_pretty(&object).unwrap()
            } else {
                serde_json::to_string(&object).unwrap()
            };
            let found = objects(&format!("{before}{written}{after}")).next();
            prop_assert_eq!(found.map(|(_, object)| object), Some(object));
        }

        #[test]
        fn valid_json_is_read_as_it_is(value in value()) {
            prop_assert_eq!(parse(&value.to_string()).unwrap(), value);
        }

        #[test]
        fn no_text_makes_it_panic(text in "[{}\\[\\]\":,\\\\untbf0-9a-fd8 \n\u{1}é-]{0,80}") {
            let _ = parse(&text);
            for (end, _) in objects(&text) {
                prop_assert!(text.is_char_boundary(end));
            }
        }
    }
}
