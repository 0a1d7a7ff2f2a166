//! Objects that hold more than one list of rows, such as `{"train": […], "test": […]}`: which list is meant, a person must say.

use std::collections::BTreeSet;
use std::io::{self, BufRead};

use crate::values::AROUND;

/// Lists that are told apart at most; the first few name the trouble.
const LISTS_MAX: usize = 16;
/// Bytes of a member's name that are kept.
const NAME_BYTES_MAX: usize = 200;

/// A list of objects that is a member of a text's object.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct List {
    name: Vec<u8>,
    /// Names of the members of its first object.
    members: BTreeSet<Vec<u8>>,
}

impl List {
    fn is_named_as_rows(&self) -> bool {
        AROUND.iter().any(|name| name.as_bytes() == self.name)
    }

    /// Most members of each have the same names.
    fn is_like(&self, other: &Self) -> bool {
        let shared = self.members.intersection(&other.members).count();
        2 * shared > self.members.len().max(other.members.len())
    }
}

/// The names of the lists of rows, where there are at least two: those whose name says that they are rows, and those whose objects are like
/// theirs.
pub(crate) fn lists_of_rows(input: &mut dyn BufRead) -> io::Result<Option<Vec<String>>> {
    let lists = lists(input)?;
    let Some(first) = lists.iter().find(|list| list.is_named_as_rows()) else {
        return Ok(None);
    };
    let names: Vec<String> = lists
        .iter()
        .filter(|list| list.is_named_as_rows() || list.is_like(first))
        .map(|list| String::from_utf8_lossy(&list.name).into_owned())
        .collect();
    Ok((names.len() >= 2).then_some(names))
}

/// The lists of objects directly in the objects of a text, in their order.
fn lists(input: &mut dyn BufRead) -> io::Result<Vec<List>> {
    let (mut found, mut scan) = (Vec::new(), Scan::default());
    loop {
        let bytes = match input.fill_buf() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            bytes => bytes?,
        };
        if bytes.is_empty() || found.len() >= LISTS_MAX {
            return Ok(found);
        }
        for byte in bytes {
            scan.take(*byte, &mut found);
        }
        let taken = bytes.len();
        input.consume(taken);
    }
}

/// Where in the text the next byte is.
#[derive(Default)]
struct Scan {
    depth: u32,
    quoted: bool,
    escaped: bool,
    /// The last text in quotation marks, as far as it is kept.
    text: Vec<u8>,
    /// The member of an outer object that is being read.
    member: Vec<u8>,
    place: ScanState,
}

/// What is being looked at.
#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum ScanState {
    #[default]
    Elsewhere,
    /// Behind the bracket that begins a member's list.
    ListBegins,
    /// In the first object of the list that was found last.
    FirstObject,
}

impl Scan {
    fn take(&mut self, byte: u8, found: &mut Vec<List>) {
        if self.quoted {
            let ends = byte == b'"' && !self.escaped;
            self.escaped = byte == b'\\' && !self.escaped;
            self.quoted = !ends;
            if !ends && self.text.len() < NAME_BYTES_MAX {
                self.text.push(byte);
            }
            return;
        }
        if byte.is_ascii_whitespace() {
            return;
        }
        let place = self.place;
        if place == ScanState::ListBegins {
            self.place = ScanState::Elsewhere;
        }
        match byte {
            b'"' => {
                self.quoted = true;
                self.text.clear();
            }
            b':' if self.depth == 1 => self.member.clone_from(&self.text),
            b':' if self.depth == 3 && place == ScanState::FirstObject => {
                if let Some(list) = found.last_mut() {
                    list.members.insert(self.text.clone());
                }
            }
            b'{' | b'[' => {
                self.depth += 1;
                if byte == b'[' && self.depth == 2 {
                    self.place = ScanState::ListBegins;
                } else if byte == b'{' && self.depth == 3 && place == ScanState::ListBegins {
                    self.place = ScanState::FirstObject;
                    found.push(List {
                        name: self.member.clone(),
                        members: BTreeSet::new(),
                    });
                }
            }
            b'}' | b']' => {
                self.depth = self.depth.saturating_sub(1);
                if self.depth == 2 {
                    self.place = ScanState::Elsewhere;
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_rows_are_named_where_there_are_several() {
        let rows = r#"[{"q": "a [{", "a": "\"}"}, {"q": "b"}]"#;
        for (text, named) in [
            (
                format!(r#"{{"train": {rows}, "test": {rows}}}"#),
                &["train", "test"][..],
            ),
            (
                format!(r#"{{"train": {rows}, "hard": {rows}}}"#),
                &["train", "hard"],
            ),
            (
                format!(r#"{{"dev": {rows},"test":{rows}, "n": 1}}"#),
                &["dev", "test"],
            ),
            (
                format!("{{\"data\":\n{rows}\n}}\n{{\"data\":\n{rows}\n}}"),
                &["data", "data"],
            ),
            // One list of rows, and others that are none.
            (
                format!(r#"{{"licenses": [{{"id": 1, "url": "u"}}], "data": {rows}}}"#),
                &[],
            ),
            (
                format!(r#"{{"train": {rows}, "test": [], "labels": ["a"], "x": {{"test": [1]}}}}"#),
                &[],
            ),
            (r#"{"q": "one", "messages": [{"role": "user"}]}"#.to_owned(), &[]),
            (rows.to_owned(), &[]),
        ] {
            let names = lists_of_rows(&mut text.as_bytes()).unwrap();
            assert_eq!(names.unwrap_or_default(), named, "{text}");
        }
    }
}
