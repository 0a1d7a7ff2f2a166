//! DOCX: the body of a word processor's document, by its styles.
//!
//! Read are the main part with its formulas, its styles, its numbers and its footnotes. Raised and lowered text is marked. Left out: what
//! was struck out or deleted under tracked changes, hidden text, codes of fields that are no formulas, tables of contents,
//! headers and footers (they are parts of their own).

mod body;
mod numbering;
mod paragraph;
mod run;
mod styles;

use std::io::{BufReader, Read};

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use crate::block::{Block, Content, Kind};
use crate::format::archive::{self, Archive};
use crate::options::Limits;
use crate::skip::Reason;
use body::Body;
use numbering::Numbering;
use styles::Styles;

/// Reads a document.
pub(super) fn read(bytes: Vec<u8>, limits: &Limits) -> Result<Content, Reason> {
    let mut archive = Archive::open(bytes, limits)?;
    let main = main_part(&mut archive, limits)?;
    let folder = main.rsplit_once('/').map_or("", |(folder, _)| folder).to_owned();
    let styles = match archive.part(&format!("{folder}/styles.xml"))? {
        Some(part) => Styles::read(part, limits)?,
        None => Styles::default(),
    };
    let numbering = match archive.part(&format!("{folder}/numbering.xml"))? {
        Some(part) => Numbering::read(part, limits)?,
        None => Numbering::default(),
    };
    let Some(part) = archive.part(&main)? else {
        return Err(Reason::damaged(format!(
            "it has no part `{main}`, so it is no Word document or is cut off"
        )));
    };
    let mut body = Body::new(&styles, &numbering, limits);
    each_event(part, limits, |event| body.event(event))?;
    let mut content = body.finish()?;
    if let Some(part) = archive.part(&format!("{folder}/footnotes.xml"))? {
        let mut notes = Body::new(&styles, &numbering, limits);
        each_event(part, limits, |event| notes.event(event))?;
        append_notes(&mut content, notes.finish()?);
    }
    Ok(content)
}

/// Footnotes come after the text, under a heading of their own.
fn append_notes(content: &mut Content, notes: Content) {
    let after = content.blocks.last().map_or(0, |block| block.last);
    if notes.blocks.is_empty() {
        return;
    }
    content.blocks.push(Block {
        kind: Kind::Heading(1),
        text: "Footnotes".into(),
        first: after,
        last: after,
    });
    content.blocks.extend(notes.blocks.into_iter().map(|block| Block {
        first: block.first + after,
        last: block.last + after,
        ..block
    }));
}

/// The name of the main part, by the package's relationships (ECMA-376 part 2).
fn main_part(archive: &mut Archive, limits: &Limits) -> Result<String, Reason> {
    let usual = "word/document.xml".to_owned();
    let mut found = None;
    if let Some(part) = archive.part("_rels/.rels")? {
        each_event(part, limits, |event| {
            if let Event::Empty(element) | Event::Start(element) = event
                && attribute(element, "Type").is_some_and(|kind| kind.ends_with("/officeDocument"))
            {
                found = found.take().or_else(|| attribute(element, "Target"));
            }
            Ok(())
        })?;
    }
    let found = found
        .map(|target| target.trim_start_matches('/').to_owned())
        .unwrap_or(usual);
    if !found.ends_with(".xml") || found.contains("workbook") || found.contains("presentation") {
        return Err(Reason::damaged(format!(
            "its main part is `{found}`, which is no Word document"
        )));
    }
    Ok(found)
}

/// Goes through a part's events. Depth is bounded; entities are not expanded, and a part that declares some is refused.
fn each_event(
    part: impl Read,
    limits: &Limits,
    mut each: impl FnMut(&Event<'_>) -> Result<(), Reason>,
) -> Result<(), Reason> {
    let mut reader = Reader::from_reader(BufReader::new(part));
    let mut buffer = Vec::new();
    let mut depth = 0_usize;
    loop {
        buffer.clear();
        let event = reader.read_event_into(&mut buffer).map_err(|error| match error {
            quick_xml::Error::Io(error) => archive::reason(&error),
            error => Reason::damaged(format!("its XML at byte {}: {error}", reader.error_position())),
        })?;
        match &event {
            Event::Start(_) => {
                depth += 1;
                if depth > limits.depth_max {
                    let what = format!("more than {} elements inside of each other", limits.depth_max);
                    return Err(Reason::too_large(what));
                }
            }
            Event::End(_) => depth = depth.saturating_sub(1),
            Event::DocType(_) => {
                return Err(Reason::damaged(
                    "it declares entities of its own, which Word documents never do",
                ));
            }
            Event::Eof if depth > 0 => return Err(Reason::damaged("its XML ends in the middle")),
            Event::Eof => return Ok(()),
            _ => {}
        }
        each(&event)?;
    }
}

/// An attribute by its name without prefix.
fn attribute(element: &BytesStart<'_>, name: &str) -> Option<String> {
    element
        .attributes()
        .filter_map(Result::ok)
        .find(|attribute| attribute.key.local_name().as_ref() == name)
        .map(|attribute| attribute.value.into_owned())
}

/// Whether a property that is there is on: `<w:b/>`, but not `<w:b w:val="0"/>`.
fn is_on(element: &BytesStart<'_>) -> bool {
    attribute(element, "val").is_none_or(|value| !matches!(value.as_str(), "0" | "false" | "off" | "none"))
}
