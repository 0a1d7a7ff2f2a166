//! Passages: pieces of the user's documents that questions are grounded in.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::id::ContentId;

/// A piece of a document, of a size that fits into a prompt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Passage {
    /// Hash of the text alone: a renamed file, or another copy of it, has the same passages.
    pub id: ContentId,
    /// What stands there, cleaned: no control characters, no characters that change the direction of others.
    pub text: String,
    /// Headings above it, the outermost first; the document's title is the first of them where it has one.
    pub headings: Vec<String>,
    /// The document.
    pub source: Source,
    /// Where in the document.
    pub place: PassageLocation,
}

impl Passage {
    /// Identity by content.
    pub fn content_id(text: &str) -> ContentId {
        ContentId::of(&[b"passage", text.as_bytes()])
    }
}

/// A passage as a row names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cited {
    /// The passage, by its content.
    pub id: ContentId,
    /// Its number among the run's passages.
    pub number: u64,
    /// The document: its file.
    pub source: String,
    /// Where in the document, in words.
    pub place: String,
}

impl fmt::Display for Cited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.source, self.place)
    }
}

/// A second passage that a question draws on, as a row names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Second {
    /// One of a document.
    Document(Cited),
    /// That of another seed.
    Seed {
        /// The seed's ordinal.
        ordinal: u64,
        /// The seed.
        id: ContentId,
    },
}

/// The passages that a candidate rests on: none, one, or two.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RestsOn<'a> {
    /// The first; without it there is no second.
    pub first: Option<&'a str>,
    /// The second.
    pub second: Option<&'a str>,
}

impl<'a> RestsOn<'a> {
    /// Them as one text: what a question about them is asked, answered, verified and judged with. Empty where there is none.
    pub fn text(self) -> Cow<'a, str> {
        match (self.first, self.second) {
            (None, _) => Cow::Borrowed(""),
            (Some(first), None) => Cow::Borrowed(first),
            (Some(first), Some(second)) => Cow::Owned(format!("{first}\n\n* * *\n\n{second}")),
        }
    }
}

/// The document that a passage is from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Source {
    /// The file, as it was found.
    pub file: String,
    /// What it was read as.
    pub media: Media,
}

/// Kinds of documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Media {
    /// CommonMark with the usual extensions.
    Markdown,
    /// HTML and XHTML.
    Html,
    /// Portable Document Format.
    Pdf,
    /// Office Open XML, as word processors write it.
    Docx,
    /// Text without markup.
    Text,
}

impl Media {
    /// Its name for people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Markdown => "Markdown",
            Self::Html => "HTML",
            Self::Pdf => "PDF",
            Self::Docx => "DOCX",
            Self::Text => "text",
        }
    }
}

/// Where in a document a passage stands, in what that kind of document counts by. All count from 1, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PassageLocation {
    /// Lines of a Markdown or text file.
    Lines {
        /// The first.
        first: u32,
        /// The last.
        last: u32,
    },
    /// Pages of a PDF, by position in the file and not by the number printed on them.
    Pages {
        /// The first.
        first: u32,
        /// The last.
        last: u32,
    },
    /// Paragraphs of an HTML or DOCX file: headings, paragraphs, list items and table rows, dropped ones too.
    Paragraphs {
        /// The first.
        first: u32,
        /// The last.
        last: u32,
    },
}

impl PassageLocation {
    /// A range in the unit of a kind of document.
    pub const fn of(media: Media, first: u32, last: u32) -> Self {
        match media {
            Media::Markdown | Media::Text => Self::Lines { first, last },
            Media::Pdf => Self::Pages { first, last },
            Media::Html | Media::Docx => Self::Paragraphs { first, last },
        }
    }
}

impl fmt::Display for PassageLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (one, many, first, last) = match *self {
            Self::Lines { first, last } => ("line", "lines", first, last),
            Self::Pages { first, last } => ("page", "pages", first, last),
            Self::Paragraphs { first, last } => ("paragraph", "paragraphs", first, last),
        };
        if first == last {
            write!(f, "{one} {first}")
        } else {
            write!(f, "{many} {first}–{last}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_reads_as_people_say_it() {
        assert_eq!(PassageLocation::of(Media::Pdf, 3, 3).to_string(), "page 3");
        assert_eq!(PassageLocation::of(Media::Text, 3, 12).to_string(), "lines 3–12");
        assert_eq!(
            PassageLocation::of(Media::Docx, 1, 2).to_string(),
            "paragraphs 1–2"
        );
    }

    #[test]
    fn identity_is_the_text_and_no_other_content_has_it() {
        assert_eq!(Passage::content_id("a"), Passage::content_id("a"));
        assert_ne!(Passage::content_id("a"), ContentId::of(&[b"a"]));
    }
}
