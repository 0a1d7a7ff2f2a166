//! Errors as a person reads them: the line, what is under the caret, and the way out.

use std::borrow::Cow;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};

use crate::error::{Code, Error, Errors, WayOn};
use crate::place::{Kind, Place, Source, Sources};
use crate::secret::{redact, redact_header};

/// Errors written out in full: a broken generator of jobs must not fill a terminal.
const SHOWN_MAX: usize = 50;
/// Characters of a line shown on each side of what is underlined.
const AROUND_CHARS: usize = 100;

/// The errors as text for a terminal, with a line at the end that says how to go on; `color` adds ANSI styles.
///
/// What looks like a key is shown as asterisks.
pub fn render(errors: &Errors, color: bool) -> String {
    let renderer = if color {
        Renderer::styled()
    } else {
        Renderer::plain()
    };
    let shown: Vec<String> = errors
        .errors
        .iter()
        .take(SHOWN_MAX)
        .map(|error| without_bare_gutters(&renderer.render(&[group(error, &errors.sources)])))
        .collect();
    let mut text = shown.join("\n\n");
    if errors.errors.len() > SHOWN_MAX {
        text.push_str(&format!(
            "\n\nand {} more errors",
            errors.errors.len() - SHOWN_MAX
        ));
    }
    let source = errors.sources.get(crate::place::JOB);
    let job = source.map_or("job.yaml", |source| source.name.as_str());
    // Nothing can be checked of a job file that could not be read.
    let unread = source.is_some_and(|source| source.text.is_empty())
        && errors.errors.iter().any(|error| error.code == Code::File);
    let way_on = if unread {
        "nothing was spent".to_owned()
    } else {
        match errors.way_on {
            WayOn::Check(command) => format!("nothing was spent; check with `gristmill {command} {job}`"),
            WayOn::Again(command) => {
                format!("nothing was spent; correct it and call `gristmill {command}` again")
            }
        }
    };
    text.push_str(if errors.errors.len() > 1 { "\n\n" } else { "\n" });
    text.push_str(&renderer.render(&[Group::with_title(Level::HELP.secondary_title(way_on))]));
    text.push('\n');
    text
}

fn group<'a>(error: &'a Error, sources: &'a Sources) -> Group<'a> {
    let title = Level::ERROR
        .primary_title(error.message.as_str())
        .id(error.code.as_str());
    let mut group = Group::with_title(title);
    let located = error
        .place
        .as_ref()
        .and_then(|place| Some((place, sources.get(place.source())?)));
    match located {
        Some((Place::Range(_, span), source)) if source.kind == Kind::File => {
            group = group.element(snippet(source, span, &error.help, true));
            if let Some((Place::Range(id, span), label)) = &error.other
                && let Some(source) = sources.get(*id)
            {
                group = group.element(snippet(source, span, label, false));
            }
            return group;
        }
        Some((_, source)) => {
            group = match source.kind {
                Kind::Override(option) => {
                    group.element(Level::NOTE.message(format!("from `{option} {}`", redact(&source.name))))
                }
                Kind::File => group.element(Origin::path(source.name.as_str())),
            };
        }
        None => {}
    }
    if !error.help.is_empty() {
        group = group.element(Level::HELP.message(error.help.as_str()));
    }
    group
}

/// The first line of the range, so that a whole section is not underlined, with keys hidden and its ends cut.
fn snippet<'a>(
    source: &'a Source,
    span: &Range<usize>,
    label: &'a str,
    primary: bool,
) -> Snippet<'a, annotate_snippets::Annotation<'a>> {
    let text = source.text.as_str();
    let (start, end) = (floor(text, span.start), floor(text, span.end));
    let line_start = text[..start].rfind('\n').map_or(0, |newline| newline + 1);
    let line_end = text[start..]
        .find('\n')
        .map_or(text.len(), |newline| start + newline);
    let line = text[line_start..line_end].trim_end_matches('\r');
    let marked = start.min(line_start + line.len()) - line_start
        ..end
            .min(line_start + line.len())
            .max(start.min(line_start + line.len()))
            - line_start;
    let marked = marked.start..marked.start + line[marked.clone()].trim_end().len();
    let redacted = redact_header(text, line, line_start).unwrap_or_else(|| redact(line));
    // Asterisks are one byte each; a line that lost longer characters is underlined by its characters' count.
    let marked = if redacted.len() == line.len() {
        marked
    } else {
        by_chars(line, &redacted, &marked)
    };
    let (cut, marked) = cut(redacted, marked);
    let kind = if primary {
        AnnotationKind::Primary
    } else {
        AnnotationKind::Context
    };
    let annotation = kind.span(marked);
    let annotation = if label.is_empty() {
        annotation
    } else {
        annotation.label(label)
    };
    Snippet::source(cut)
        .path(source.name.as_str())
        .line_start(text[..line_start].matches('\n').count() + 1)
        .annotation(annotation)
}

fn floor(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

fn by_chars(line: &str, redacted: &str, marked: &Range<usize>) -> Range<usize> {
    let at = |byte: usize| {
        let chars = line[..byte].chars().count();
        redacted
            .char_indices()
            .nth(chars)
            .map_or(redacted.len(), |(byte, _)| byte)
    };
    at(marked.start)..at(marked.end)
}

/// Cuts the end of a long line; its beginning stays, since the column is counted from there.
fn cut(line: Cow<'_, str>, marked: Range<usize>) -> (Cow<'_, str>, Range<usize>) {
    let end = floor(&line, marked.start.saturating_add(4 * AROUND_CHARS));
    if end >= line.len() {
        return (line, marked);
    }
    let marked = marked.start..marked.end.min(end);
    (Cow::Owned(line[..end].to_owned()), marked)
}

/// Takes out the lines that hold nothing but the bar of the margin: an error is then four lines.
fn without_bare_gutters(text: &str) -> String {
    let lines: Vec<&str> = text.lines().filter(|line| bare(line) != "|").collect();
    lines.join("\n")
}

/// A line without ANSI styles and outer spaces.
fn bare(line: &str) -> String {
    let mut out = String::new();
    let mut rest = line;
    while let Some(escape) = rest.find('\u{1b}') {
        out.push_str(&rest[..escape]);
        rest = rest[escape..]
            .find('m')
            .map_or("", |end| &rest[escape + end + 1..]);
    }
    out.push_str(rest);
    out.trim().to_owned()
}
