//! YAML into a tree whose every key and value knows its place.
//!
//! The core schema of YAML 1.2: `yes` and `on` are texts. Duplicate keys, tags of other schemas, merge keys and further documents are
//! refused; depth, size and what aliases may expand to are bounded.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;

use saphyr_parser::{Event, Parser, ScalarStyle, Tag};

use crate::error::{Code, Error};
use crate::place::{Place, SourceId};

/// Nesting of a job's deepest setting is 5; what is deeper than this is no job.
const DEPTH_MAX: usize = 64;
/// Values in a tree, those behind aliases counted each time: far above any job, far below what would hurt.
const NODES_MAX: usize = 100_000;

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    pub(crate) source: SourceId,
    pub(crate) span: Range<usize>,
    pub(crate) data: Data,
}

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Data {
    /// Nothing, or `null` where that is written out.
    Null {
        written: bool,
    },
    Bool(bool),
    Int(i128),
    Float(f64),
    Text(String),
    List(Vec<Node>),
    Map(Vec<(Key, Node)>),
}

/// A key and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Key {
    pub(crate) name: String,
    pub(crate) source: SourceId,
    pub(crate) span: Range<usize>,
}

impl Node {
    /// An empty mapping, for a file or a path that has nothing yet.
    pub(crate) fn empty_map(source: SourceId) -> Self {
        Self {
            source,
            span: 0..0,
            data: Data::Map(Vec::new()),
        }
    }

    pub(crate) fn get(&self, name: &str) -> Option<(&Key, &Self)> {
        match &self.data {
            Data::Map(entries) => entries
                .iter()
                .find(|(key, _)| key.name == name)
                .map(|(key, node)| (key, node)),
            _ => None,
        }
    }

    pub(crate) fn place(&self) -> Place {
        Place::at(self.source, self.span.clone())
    }

    /// What it is, in a reader's words, with the value where that helps.
    pub(crate) fn words(&self) -> String {
        match &self.data {
            Data::Null { .. } => "nothing".into(),
            Data::Bool(value) => format!("the truth value `{value}`"),
            Data::Int(value) => format!("the number `{value}`"),
            Data::Float(value) => format!("the number `{value}`"),
            Data::Text(text) => format!("the text {}", crate::error::quoted(text)),
            Data::List(items) => format!("a list of {}", items.len()),
            Data::Map(_) => "a group of keys".into(),
        }
    }
}

impl Key {
    pub(crate) fn place(&self) -> Place {
        Place::at(self.source, self.span.clone())
    }
}

/// Reads one document.
///
/// # Errors
/// The first breach of YAML's syntax or of this reader's limits, with its place. An empty document is [`Data::Null`].
pub(crate) fn parse(source: SourceId, text: &str) -> Result<Node, Error> {
    Builder::new(source, text).run()
}

/// A collection that is still open.
struct Open {
    node: Node,
    /// The key that waits for its value, in a mapping.
    key: Option<Key>,
    anchor: usize,
    nodes_before: usize,
    /// Positions of the keys, so that a long mapping is checked for doubles in linear time.
    seen: HashMap<String, Range<usize>>,
}

struct Builder<'t> {
    source: SourceId,
    text: &'t str,
    /// Byte offset of each character; empty where they are the same.
    offsets: Vec<usize>,
    open: Vec<Open>,
    anchors: HashMap<usize, (Node, usize)>,
    nodes: usize,
    root: Option<Node>,
}

impl<'t> Builder<'t> {
    fn new(source: SourceId, text: &'t str) -> Self {
        let offsets = if text.is_ascii() {
            Vec::new()
        } else {
            text.char_indices().map(|(at, _)| at).collect()
        };
        Self {
            source,
            text,
            offsets,
            open: Vec::new(),
            anchors: HashMap::new(),
            nodes: 0,
            root: None,
        }
    }

    fn run(mut self) -> Result<Node, Error> {
        for event in Parser::new_from_str(self.text) {
            let (event, span) = match event {
                Ok(event) => event,
                Err(error) => return Err(self.syntax(&error)),
            };
            let span =
                self.byte(span.start.index())..self.byte(span.end.index()).max(self.byte(span.start.index()));
            self.event(event, span)?;
        }
        Ok(self.root.unwrap_or(Node {
            source: self.source,
            span: 0..0,
            data: Data::Null { written: false },
        }))
    }

    fn event(&mut self, event: Event<'_>, span: Range<usize>) -> Result<(), Error> {
        match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Ok(()),
            Event::DocumentStart(_) if self.root.is_some() => Err(self.fail(
                "a second document begins here",
                span,
                "one file is one document: take the line `---` out",
            )),
            Event::DocumentStart(_) => Ok(()),
            Event::Scalar(text, style, anchor, tag) => {
                let data = self.scalar(text, style, tag.as_deref(), &span)?;
                let node = Node {
                    source: self.source,
                    span,
                    data,
                };
                self.count(1, &node.span)?;
                if anchor > 0 {
                    self.anchors.insert(anchor, (node.clone(), 1));
                }
                self.put(node)
            }
            Event::SequenceStart(anchor, tag) => {
                self.begin(Data::List(Vec::new()), anchor, tag.as_deref(), "seq", span)
            }
            Event::MappingStart(anchor, tag) => {
                self.begin(Data::Map(Vec::new()), anchor, tag.as_deref(), "map", span)
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(&span),
            Event::Alias(anchor) => self.alias(anchor, span),
        }
    }

    fn begin(
        &mut self,
        data: Data,
        anchor: usize,
        tag: Option<&Tag>,
        plain: &str,
        span: Range<usize>,
    ) -> Result<(), Error> {
        if tag.is_some_and(|tag| !(tag.is_yaml_core_schema() && tag.suffix == plain)) {
            return Err(self.fail(
                "a tag means nothing here",
                span,
                "take the word that begins with `!` out",
            ));
        }
        if self.open.len() >= DEPTH_MAX {
            return Err(self.fail(
                format!("nested deeper than {DEPTH_MAX} levels"),
                span,
                "no setting is that deep: check the brackets and the indentation",
            ));
        }
        self.count(1, &span)?;
        let node = Node {
            source: self.source,
            span,
            data,
        };
        self.open.push(Open {
            node,
            key: None,
            anchor,
            nodes_before: self.nodes,
            seen: HashMap::new(),
        });
        Ok(())
    }

    fn end(&mut self, span: &Range<usize>) -> Result<(), Error> {
        let Some(mut open) = self.open.pop() else {
            return Ok(());
        };
        open.node.span.end = span.end.max(open.node.span.start);
        if open.anchor > 0 {
            self.anchors.insert(
                open.anchor,
                (open.node.clone(), self.nodes - open.nodes_before + 1),
            );
        }
        self.put(open.node)
    }

    fn alias(&mut self, anchor: usize, span: Range<usize>) -> Result<(), Error> {
        let Some(size) = self.anchors.get(&anchor).map(|(_, size)| *size) else {
            return Err(self.fail(
                "an alias inside the value it stands for",
                span,
                "write the value out",
            ));
        };
        // Counted before it is copied: a bomb ends here, not in memory.
        self.count(size, &span)?;
        match self.anchors.get(&anchor) {
            Some((node, _)) => {
                let node = Node { span, ..node.clone() };
                self.put(node)
            }
            None => Ok(()),
        }
    }

    fn count(&mut self, more: usize, span: &Range<usize>) -> Result<(), Error> {
        self.nodes = self.nodes.saturating_add(more);
        if self.nodes > NODES_MAX {
            return Err(self.fail(
                format!("more than {NODES_MAX} values, aliases written out"),
                span.clone(),
                "no job is that long: take the aliases out",
            ));
        }
        Ok(())
    }

    fn put(&mut self, node: Node) -> Result<(), Error> {
        let Some(open) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        match (&mut open.node.data, open.key.take()) {
            (Data::List(items), _) => items.push(node),
            (Data::Map(entries), Some(key)) => entries.push((key, node)),
            (_, _) => {
                let key = self.key(node)?;
                if let Some(open) = self.open.last_mut() {
                    open.key = Some(key);
                }
            }
        }
        Ok(())
    }

    fn key(&mut self, node: Node) -> Result<Key, Error> {
        let span = node.span;
        let name = match node.data {
            Data::Text(name) => name,
            // A word such as `null` or `1` is a name where a name belongs.
            Data::Null { .. } | Data::Bool(_) | Data::Int(_) | Data::Float(_) => {
                self.slice(&span).trim_matches(['"', '\'']).to_owned()
            }
            Data::List(_) | Data::Map(_) => {
                return Err(self.fail(
                    "a list or a group of keys stands where a key belongs",
                    span,
                    "write `key: value`",
                ));
            }
        };
        if name == "<<" {
            return Err(self.fail(
                "merge keys (`<<`) are not part of YAML 1.2",
                span,
                "write the keys out, or give an alias as a whole value",
            ));
        }
        let earlier = self
            .open
            .last_mut()
            .and_then(|open| open.seen.insert(name.clone(), span.clone()));
        match earlier {
            Some(first) => {
                let error = self.fail(format!("`{name}` is given twice"), span, "keep one of the two");
                Err(error.with_other(Place::at(self.source, first), "first given here"))
            }
            None => Ok(Key {
                name,
                source: self.source,
                span,
            }),
        }
    }

    fn scalar(
        &self,
        text: Cow<'_, str>,
        style: ScalarStyle,
        tag: Option<&Tag>,
        span: &Range<usize>,
    ) -> Result<Data, Error> {
        let core = tag
            .filter(|tag| tag.is_yaml_core_schema())
            .map(|tag| tag.suffix.as_str());
        match (tag, core) {
            (None, _) if style == ScalarStyle::Plain => Ok(plain(&text)),
            (None, _) | (_, Some("str")) => Ok(Data::Text(text.into_owned())),
            (_, Some("int" | "float" | "bool" | "null")) => Ok(plain(&text)),
            (Some(tag), _) if tag.handle.is_empty() && tag.suffix == "!" => Ok(Data::Text(text.into_owned())),
            (Some(_), _) => Err(self.fail(
                "a tag means nothing here",
                span.clone(),
                "take the word that begins with `!` out; quote a text that begins with it",
            )),
        }
    }

    fn syntax(&self, error: &saphyr_parser::ScanError) -> Error {
        let at = self.byte(error.marker().index());
        let line_start = self.text[..at].rfind('\n').map_or(0, |newline| newline + 1);
        let line = self.text[line_start..].lines().next().unwrap_or("");
        let indent = &line[..line.len() - line.trim_start().len()];
        if let Some(tab) = indent.find('\t') {
            let tab = line_start + tab;
            return self.fail(
                "a tab in the indentation",
                tab..tab + 1,
                "YAML is indented with spaces only",
            );
        }
        let (message, help) = crate::syntax::words(error.info(), line);
        let end = self.text[at..]
            .chars()
            .next()
            .filter(|c| *c != '\n')
            .map_or(at, |c| at + c.len_utf8());
        self.fail(message, at..end, help)
    }

    fn fail(&self, message: impl Into<String>, span: Range<usize>, help: impl Into<String>) -> Error {
        Error::new(Code::Yaml, message, help).at(Place::at(self.source, span))
    }

    /// Byte offset of a character, at most the text's end.
    fn byte(&self, index: usize) -> usize {
        if self.offsets.is_empty() {
            index.min(self.text.len())
        } else {
            self.offsets.get(index).copied().unwrap_or(self.text.len())
        }
    }

    fn slice(&self, span: &Range<usize>) -> &str {
        self.text.get(span.clone()).unwrap_or("").trim()
    }
}

/// A word without quotes, by YAML's core schema.
fn plain(text: &str) -> Data {
    match text {
        "" => Data::Null { written: false },
        "~" | "null" | "Null" | "NULL" => Data::Null { written: true },
        "true" | "True" | "TRUE" => Data::Bool(true),
        "false" | "False" | "FALSE" => Data::Bool(false),
        ".nan" | ".NaN" | ".NAN" => Data::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => Data::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => Data::Float(f64::NEG_INFINITY),
        _ => number(text).unwrap_or_else(|| Data::Text(text.to_owned())),
    }
}

fn number(text: &str) -> Option<Data> {
    for (prefix, radix) in [("0x", 16), ("0o", 8)] {
        if let Some(digits) = text.strip_prefix(prefix) {
            let digits = Some(digits).filter(|digits| digits.chars().all(|c| c.is_digit(radix)))?;
            return i128::from_str_radix(digits, radix).ok().map(Data::Int);
        }
    }
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    // Rust's own parser would take `inf` and `nan`, which are words here.
    if !unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.') || unsigned == "." {
        return None;
    }
    if unsigned.bytes().all(|b| b.is_ascii_digit()) {
        return text
            .parse()
            .ok()
            .map(Data::Int)
            .or_else(|| text.parse().ok().map(Data::Float));
    }
    text.parse().ok().map(Data::Float)
}

/// True where a word without quotes is a text to every reader.
pub(crate) fn is_plain_text(text: &str) -> bool {
    // Truths and falsehoods to readers of YAML 1.1, which this program is not.
    let old_word = ["y", "n", "yes", "no", "on", "off"].contains(&text.to_lowercase().as_str());
    !old_word && matches!(plain(text), Data::Text(_))
}
