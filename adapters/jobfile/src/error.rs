//! Everything wrong with a job, each with its place and its way out.

use std::fmt;

use crate::place::{Kind, Place, Sources};

/// What sort of error it is: the word in `error[…]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Code {
    /// A setting is unknown, of the wrong type, out of range or contradictory.
    Config,
    /// The text is not YAML.
    Yaml,
    /// A file or folder is missing or cannot be read.
    File,
    /// A price is missing.
    Price,
    /// A key is missing.
    Key,
}

impl Code {
    /// The word itself.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Config => "config",
            Self::Yaml => "yaml",
            Self::File => "file",
            Self::Price => "price",
            Self::Key => "key",
        }
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq)]
pub struct Error {
    pub(crate) code: Code,
    pub(crate) message: String,
    pub(crate) help: String,
    pub(crate) place: Option<Place>,
    pub(crate) other: Option<(Place, String)>,
}

impl Error {
    pub(crate) fn new(code: Code, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            help: help.into(),
            place: None,
            other: None,
        }
    }

    pub(crate) fn at(mut self, place: Place) -> Self {
        self.place = Some(place);
        self
    }

    pub(crate) fn with_other(mut self, place: Place, label: &str) -> Self {
        self.other = Some((place, label.to_owned()));
        self
    }

    /// What sort of error it is.
    pub fn code(&self) -> Code {
        self.code
    }

    /// What is wrong, in one line.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The way out; may be empty.
    pub fn help(&self) -> &str {
        &self.help
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

/// What to do once errors are corrected.
#[derive(Debug, Clone, Copy)]
pub(crate) enum WayOn {
    /// This command checks such a file, which is all that it takes, and spends nothing.
    Check(&'static str),
    /// Call this command again.
    Again(&'static str),
}

/// Everything that is wrong with a job, with the texts it was found in; never empty.
///
/// [`render`](crate::render()) shows it to a person, [`to_json`](Self::to_json) to a program. Neither shows what looks like a key.
#[derive(Debug, Clone)]
pub struct Errors {
    pub(crate) errors: Vec<Error>,
    pub(crate) sources: Sources,
    /// What to do once they are corrected.
    pub(crate) way_on: WayOn,
}

impl Errors {
    /// The errors in the order of the file, those without a line last.
    pub fn iter(&self) -> impl Iterator<Item = &Error> {
        self.errors.iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.errors.len()
    }

    /// Never true: here for those who expect it beside [`len`](Self::len).
    pub fn is_empty(&self) -> bool {
        self.errors.is_empty()
    }

    /// Line and column of an error, both from 1, the column in characters; `None` where it has none.
    pub fn line_column(&self, error: &Error) -> Option<(usize, usize)> {
        self.sources.line_column(error.place.as_ref()?)
    }

    /// `[{code, message, file, line, column, help}]`; an error from an override has `override` in place of the last four but `help`.
    pub fn to_json(&self) -> serde_json::Value {
        let items = self.errors.iter().map(|error| {
            let source = error
                .place
                .as_ref()
                .and_then(|place| self.sources.get(place.source()));
            let (line, column) = self.line_column(error).unzip();
            let mut item = serde_json::json!({
                "code": error.code.as_str(),
                "message": error.message,
                "file": source.filter(|source| source.kind == Kind::File).map(|source| &source.name),
                "line": line,
                "column": column,
                "help": error.help,
            });
            if let (Some(source), Some(members)) = (source, item.as_object_mut())
                && matches!(source.kind, Kind::Override(_))
            {
                members.insert(
                    "override".into(),
                    crate::secret::redact(&source.name).into_owned().into(),
                );
            }
            item
        });
        items.collect()
    }

    pub(crate) fn sort(mut self) -> Self {
        let start = |error: &Error| match &error.place {
            Some(Place::Range(source, span)) => (0, source.0, span.start),
            Some(Place::Whole(source)) => (1, source.0, 0),
            None => (2, 0, 0),
        };
        self.errors.sort_by_key(start);
        self
    }
}

impl fmt::Display for Errors {
    /// The first error, and how many more there are.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(first) = self.errors.first() {
            write!(f, "{first}")?;
        }
        match self.errors.len() {
            0 | 1 => Ok(()),
            n => write!(f, " (and {} more)", n - 1),
        }
    }
}

impl std::error::Error for Errors {}

/// A text in backticks, cut to 40 characters; what looks like a key is not shown.
pub(crate) fn quoted(text: &str) -> String {
    if crate::secret::looks_like_key(text) {
        return "(hidden: it looks like a key)".to_owned();
    }
    let mut short: String = text.chars().take(40).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    format!("`{short}`")
}

/// A path in backticks, whole; hidden where a part of it looks like a key.
pub(crate) fn quoted_path(path: &std::path::Path) -> String {
    if path
        .iter()
        .any(|part| crate::secret::looks_like_key(&part.to_string_lossy()))
    {
        return "(hidden: it looks like a key)".to_owned();
    }
    format!("`{}`", path.display())
}
