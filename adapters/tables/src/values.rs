//! JSON that is not one object a line: a list of objects, as `.json` files hold it; objects over several lines; or an object around such a list
//! (`{"data": [{…}, …]}`).

use std::io::{self, BufRead};

/// Names of a member that holds a file's rows.
pub(crate) const AROUND: [&str; 21] = [
    "data",
    "rows",
    "examples",
    "items",
    "records",
    "instances",
    "samples",
    "questions",
    "train",
    "training",
    "validation",
    "valid",
    "val",
    "dev",
    "eval",
    "evaluation",
    "test",
    "testing",
    "dataset",
    "entries",
    "results",
];
/// Bytes of the beginning by which a file is judged: a line that is longer is taken for one of many.
pub(crate) const HEAD_BYTES: usize = 1 << 20;

/// Whether a text that begins so holds values, not lines. `whole` is set when this is all of it.
pub(crate) fn are_in(head: &[u8], whole: bool) -> bool {
    let text = head.trim_ascii_start();
    if text.starts_with(b"[") {
        return true;
    }
    let mut lines = text.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    let Some(first) = lines.next().filter(|first| first.starts_with(b"{")) else {
        return false;
    };
    let second = lines.find(|line| !line.is_empty());
    match serde_json::from_slice::<serde_json::Value>(first) {
        // A single line may hold all rows.
        Ok(value) => whole && second.is_none() && is_around_rows(&value),
        // An object that goes on in the next line, which is not the beginning of another one: else the first is a broken line.
        Err(error) => {
            error.is_eof() && second.is_some_and(|second| !second.starts_with(b"{") || first.ends_with(b"["))
        }
    }
}

/// Whether an object holds a list of objects under a name that says that they are rows.
fn is_around_rows(value: &serde_json::Value) -> bool {
    let mut lists = AROUND.iter().filter_map(|name| value.get(*name)?.as_array());
    lists.any(|list| list.first().is_some_and(serde_json::Value::is_object))
}

/// The values of a text, one after the other, each bounded in length.
pub(crate) struct Values {
    input: Box<dyn BufRead + Send>,
    bytes_max: usize,
    text: Vec<u8>,
    state: State,
    /// The line of the next byte; the first is 1.
    line: u64,
    /// The line at which the value last returned begins.
    pub(crate) number: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before the first value, or between values that stand by themselves.
    Outside,
    /// In a list of rows that stands by itself; another may follow.
    InList,
    /// In the list of rows that an object holds.
    InMember,
    /// Behind it.
    Over,
}

/// One value.
pub(crate) enum Value<'a> {
    /// Its bytes.
    Text(&'a [u8]),
    /// It was longer than the cap and skipped.
    TooLong,
    /// The text ended inside it.
    Cut,
}

/// What a value's end is.
enum Ended {
    Whole,
    Cut,
    /// It was an object around the list of rows: what follows are these.
    List,
}

impl Values {
    pub(crate) fn new(input: Box<dyn BufRead + Send>, bytes_max: usize) -> Self {
        Self {
            input,
            bytes_max,
            text: Vec::new(),
            state: State::Outside,
            line: 1,
            number: 1,
        }
    }

    /// The next value; `None` at the end.
    pub(crate) fn next(&mut self) -> io::Result<Option<Value<'_>>> {
        loop {
            if self.state == State::Over {
                return Ok(None);
            }
            let Some(byte) = self.peek()? else {
                let cut = matches!(self.state, State::InList | State::InMember);
                self.state = State::Over;
                self.number = self.line;
                return Ok(cut.then_some(Value::Cut));
            };
            match (byte, self.state) {
                (b',' | b' ' | b'\t' | b'\r' | b'\n', _) => self.bump(byte),
                (b'[', State::Outside) => {
                    self.bump(byte);
                    self.state = State::InList;
                }
                (b']', State::InList) => {
                    self.bump(byte);
                    self.state = State::Outside;
                }
                (b']', State::InMember) => {
                    self.bump(byte);
                    self.state = State::Over;
                }
                _ => match self.value()? {
                    Ended::List => {}
                    Ended::Cut => {
                        self.state = State::Over;
                        return Ok(Some(Value::Cut));
                    }
                    Ended::Whole if self.text.len() > self.bytes_max => return Ok(Some(Value::TooLong)),
                    Ended::Whole => return Ok(Some(Value::Text(&self.text))),
                },
            }
        }
    }

    /// Takes one value, byte by byte, to its end.
    fn value(&mut self) -> io::Result<Ended> {
        self.text.clear();
        self.number = self.line;
        let (mut depth, mut quoted, mut escaped) = (0_u32, false, false);
        loop {
            let Some(byte) = self.peek()? else {
                return Ok(Ended::Cut);
            };
            if depth == 0 && !quoted && !self.text.is_empty() && matches!(byte, b',' | b']' | b'}' | b'\n') {
                // A number or a word, which has no mark at its end.
                if matches!(byte, b'}') || (byte == b']' && self.state == State::Outside) {
                    self.bump(byte);
                }
                return Ok(Ended::Whole);
            }
            self.bump(byte);
            if self.text.len() <= self.bytes_max {
                self.text.push(byte);
            }
            if quoted {
                (quoted, escaped) = (escaped || byte != b'"', byte == b'\\' && !escaped);
                if !quoted && depth == 0 {
                    return Ok(Ended::Whole);
                }
                continue;
            }
            match byte {
                b'"' => quoted = true,
                b'{' | b'[' => {
                    depth += 1;
                    if byte == b'[' && depth == 2 && self.state == State::Outside && self.begins_rows()? {
                        self.state = State::InMember;
                        return Ok(Ended::List);
                    }
                }
                b'}' | b']' => {
                    depth = depth.saturating_sub(1);
                    if depth == 0 {
                        return Ok(Ended::Whole);
                    }
                }
                _ => {}
            }
        }
    }

    /// Whether the object taken so far has just begun the list of rows: one of objects, under a name that says so.
    fn begins_rows(&mut self) -> io::Result<bool> {
        let text = String::from_utf8_lossy(&self.text);
        let before = text.trim_end_matches('[').trim_end();
        let named = before.strip_suffix(':').is_some_and(|name| {
            let name = name.trim_end();
            AROUND
                .iter()
                .any(|around| name.ends_with(&format!("\"{around}\"")))
        });
        if !named {
            return Ok(false);
        }
        while let Some(byte) = self.peek()? {
            if !byte.is_ascii_whitespace() {
                return Ok(byte == b'{');
            }
            self.bump(byte);
        }
        Ok(false)
    }

    fn peek(&mut self) -> io::Result<Option<u8>> {
        loop {
            match self.input.fill_buf() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => return Ok(other?.first().copied()),
            }
        }
    }

    fn bump(&mut self, byte: u8) {
        self.line += u64::from(byte == b'\n');
        self.input.consume(1);
    }
}
