//! Where something stands: the texts that were read, and ranges in them.

use std::ops::Range;

/// One of the texts that were read: an index into [`Sources`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SourceId(pub(crate) usize);

/// The job file is always the first text.
pub(crate) const JOB: SourceId = SourceId(0);

/// The name of a text that stands for a file that nobody named.
pub(crate) const NO_FILE: &str = "the defaults";

/// A place to point at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// A text as a whole.
    Whole(SourceId),
    /// Bytes of a text.
    Range(SourceId, Range<usize>),
}

impl Place {
    /// A range, or the whole text where there is nothing to underline.
    pub(crate) fn at(source: SourceId, span: Range<usize>) -> Self {
        if span.end == 0 {
            Self::Whole(source)
        } else {
            Self::Range(source, span)
        }
    }

    pub(crate) fn source(&self) -> SourceId {
        match self {
            Self::Whole(source) | Self::Range(source, _) => *source,
        }
    }
}

/// What kind of text it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A file, named with line and column.
    File,
    /// An override, named as a whole, and the option that it was given with.
    Override(&'static str),
}

/// One text.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    /// The file's path as the user gave it, or the override.
    pub(crate) name: String,
    pub(crate) text: String,
    pub(crate) kind: Kind,
}

/// Every text that was read, in the order of reading.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sources(Vec<Source>);

impl Sources {
    pub(crate) fn add(&mut self, source: Source) -> SourceId {
        self.0.push(source);
        SourceId(self.0.len() - 1)
    }

    pub(crate) fn get(&self, id: SourceId) -> Option<&Source> {
        self.0.get(id.0)
    }

    /// The text, empty for one that is not there.
    pub(crate) fn text(&self, id: SourceId) -> &str {
        self.get(id).map_or("", |source| source.text.as_str())
    }

    pub(crate) fn set_text(&mut self, id: SourceId, text: String) {
        if let Some(source) = self.0.get_mut(id.0) {
            source.text = text;
        }
    }

    /// Line and column, both from 1, the column in characters; `None` for an override and for a text as a whole.
    pub(crate) fn line_column(&self, place: &Place) -> Option<(usize, usize)> {
        let Place::Range(id, span) = place else {
            return None;
        };
        let source = self.get(*id).filter(|source| source.kind == Kind::File)?;
        let before = source.text.get(..span.start)?;
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Some((
            before.matches('\n').count() + 1,
            before[line_start..].chars().count() + 1,
        ))
    }
}
