//! What paragraph styles mean: headings, lists, entries of contents.

use std::collections::HashMap;
use std::io::Read;

use quick_xml::events::{BytesStart, Event};

use super::run::Look;
use super::{attribute, each_event};
use crate::options::Limits;
use crate::skip::Reason;

/// What a paragraph is, by its style.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    Title,
    Heading(u8),
    Item,
    Contents,
    Code,
}

#[derive(Debug, Default)]
struct Style {
    name: String,
    based_on: Option<String>,
    level: Option<u8>,
    in_list: bool,
    /// The list that its paragraphs are in, and their level there.
    list: Option<String>,
    list_level: Option<usize>,
    look: Look,
}

/// Styles by their ids.
#[derive(Debug, Default)]
pub(super) struct Styles(HashMap<String, Style>);

/// A style is based on one that is based on one …: longer chains are loops.
const CHAIN_MAX: usize = 16;

impl Styles {
    pub(super) fn read(part: impl Read, limits: &Limits) -> Result<Self, Reason> {
        let mut styles = HashMap::new();
        let mut open: Option<(String, Style)> = None;
        each_event(part, limits, |event| {
            match event {
                Event::Start(element) | Event::Empty(element) => {
                    let value = || attribute(element, "val");
                    match (element.local_name().as_ref(), &mut open) {
                        ("style", open) => {
                            *open = attribute(element, "styleId").map(|id| (id, Style::default()))
                        }
                        ("name", Some((_, style))) => style.name = value().unwrap_or_default().to_lowercase(),
                        ("basedOn", Some((_, style))) => style.based_on = value(),
                        ("outlineLvl", Some((_, style))) => {
                            style.level = value().and_then(|level| level.parse().ok())
                        }
                        ("numPr", Some((_, style))) => style.in_list = true,
                        ("numId", Some((_, style))) => style.list = value(),
                        ("ilvl", Some((_, style))) => {
                            style.list_level = value().and_then(|level| level.parse().ok())
                        }
                        (name, Some((_, style))) => {
                            style.look.set(name, element);
                        }
                        _ => {}
                    }
                }
                Event::End(element) if element.local_name().as_ref() == "style" => styles.extend(open.take()),
                _ => {}
            }
            Ok(())
        })?;
        Ok(Self(styles))
    }

    /// The meaning of a style, its own or that of the one it is based on. A document may lack its styles; then the ids
    /// that Word gives are all there is.
    pub(super) fn meaning(&self, id: &str) -> Option<Meaning> {
        let mut id = id;
        for _ in 0..CHAIN_MAX {
            let Some(style) = self.0.get(id) else {
                return by_name(&spaced(id));
            };
            let own = by_name(&style.name)
                .or(style
                    .level
                    .filter(|level| *level < 9)
                    .map(|level| Meaning::Heading(level + 1)))
                .or((style.in_list && style.list.as_deref() != Some("0")).then_some(Meaning::Item));
            match (own, &style.based_on) {
                (Some(own), _) => return Some(own),
                (None, Some(below)) => id = below,
                (None, None) => return None,
            }
        }
        None
    }
}

impl Styles {
    /// The list that a style's paragraphs are in, and their level there where it is said: its own, or those of the style it is based on.
    pub(super) fn list(&self, id: &str) -> Option<(String, Option<usize>)> {
        let (mut id, mut level) = (id, None);
        for _ in 0..CHAIN_MAX {
            let style = self.0.get(id)?;
            level = level.or(style.list_level);
            if let Some(list) = &style.list {
                return Some((list.clone(), level));
            }
            id = style.based_on.as_ref()?;
        }
        None
    }

    /// How a character style sets its text, by itself or by the one it is based on.
    pub(super) fn look(&self, id: &str) -> Look {
        let (mut id, mut found) = (id, Look::default());
        for _ in 0..CHAIN_MAX {
            let Some(style) = self.0.get(id) else {
                break;
            };
            found = Look {
                shift: found.shift.or(style.look.shift),
                struck: found.struck || style.look.struck,
            };
            match &style.based_on {
                Some(below) => id = below,
                None => break,
            }
        }
        found
    }
}

/// `Heading1` as `heading 1`.
fn spaced(id: &str) -> String {
    let letters = id.trim_end_matches(|c: char| c.is_ascii_digit());
    format!("{} {}", letters.to_lowercase(), &id[letters.len()..])
        .trim_end()
        .to_owned()
}

/// Built-in styles keep their English names in every language of Word.
fn by_name(name: &str) -> Option<Meaning> {
    if let Some(level) = name
        .strip_prefix("heading ")
        .and_then(|level| level.trim().parse().ok())
    {
        return (1..=9).contains(&level).then_some(Meaning::Heading(level));
    }
    match name {
        "title" => Some(Meaning::Title),
        "toc heading" | "table of figures" | "index heading" => Some(Meaning::Contents),
        "html preformatted" | "source code" | "plain text" | "macro text" => Some(Meaning::Code),
        _ if name.starts_with("toc ") || name.starts_with("index ") => Some(Meaning::Contents),
        _ if name.starts_with("list bullet") || name.starts_with("list number") => Some(Meaning::Item),
        _ => None,
    }
}

impl Look {
    /// Takes a property of a run, or the style that it names; false where it is none that counts here.
    pub(super) fn take(&mut self, name: &str, element: &BytesStart<'_>, styles: &Styles) -> bool {
        if name == "rStyle" {
            let style = attribute(element, "val")
                .map(|id| styles.look(&id))
                .unwrap_or_default();
            *self = Self {
                shift: self.shift.or(style.shift),
                struck: self.struck || style.struck,
            };
            return true;
        }
        self.set(name, element)
    }
}
