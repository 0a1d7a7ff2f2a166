//! What must not be shown: a key that stands in a job by mistake.

use std::borrow::Cow;

pub(crate) use gristmill_domain::secret::{is_secret_name, looks_like_key};

/// A line with everything that may be a key replaced by asterisks, character for character, so that places stay right.
pub(crate) fn redact(line: &str) -> Cow<'_, str> {
    if let Some(place) = user_information(line) {
        let hidden = format!(
            "{}{}{}",
            &line[..place.start],
            stars(&line[place.clone()]),
            &line[place.end..]
        );
        return Cow::Owned(redact(&hidden).into_owned());
    }
    let name_end = line.find([':', '=']);
    let named = name_end.filter(|end| {
        let name = line[..*end].trim().trim_start_matches(['-', '{', ' ']);
        is_secret_name(name) || name.contains("headers.")
    });
    if let Some(end) = named {
        let shown = line[end + 1..].len() - line[end + 1..].trim_start().len();
        let at = end + 1 + shown;
        return Cow::Owned(format!("{}{}", &line[..at], stars(&line[at..])));
    }
    let mut out = String::new();
    let mut rest = line;
    let mut hidden = false;
    while !rest.is_empty() {
        let blank =
            |c: char| c.is_whitespace() || matches!(c, ':' | ',' | '{' | '}' | '[' | ']' | '=' | '"' | '\'');
        let gap = rest.find(|c| !blank(c)).unwrap_or(rest.len());
        let word = rest[gap..].find(blank).map_or(rest.len(), |end| gap + end);
        out.push_str(&rest[..gap]);
        if looks_like_key(&rest[gap..word]) || secret_before(&out) {
            hidden = true;
            out.push_str(&stars(&rest[gap..word]));
        } else {
            out.push_str(&rest[gap..word]);
        }
        rest = &rest[word..];
    }
    if hidden {
        Cow::Owned(out)
    } else {
        Cow::Borrowed(line)
    }
}

/// An override (`key.path=value`) as it may be shown: what may be a secret in it is replaced by asterisks.
pub fn redact_override(text: &str) -> Cow<'_, str> {
    redact(text)
}

/// A line below or beside `headers:` with every value hidden: any of them may be a secret. `None` for other lines.
pub(crate) fn redact_header<'l>(text: &str, line: &'l str, line_start: usize) -> Option<Cow<'l, str>> {
    let indent = |line: &str| line.len() - line.trim_start().len();
    let after = |at: usize| {
        let shown = line[at..].len() - line[at..].trim_start().len();
        Some(Cow::Owned(format!(
            "{}{}",
            &line[..at + shown],
            stars(&line[at + shown..])
        )))
    };
    for name in ["headers:", "header_env:"] {
        if let Some(at) = line.find(name).map(|at| at + name.len()) {
            return after(at);
        }
    }
    let own = indent(line);
    let above = text[..line_start].lines().rev();
    let parent = above
        .filter(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#'))
        .find(|line| indent(line) < own)?;
    if parent.trim_start().trim_start_matches("- ").starts_with("header") {
        return after(line.find(':').map_or(own, |colon| colon + 1));
    }
    None
}

/// Where the user name and the password of an address are, if a line has one.
fn user_information(line: &str) -> Option<std::ops::Range<usize>> {
    let start = line.find("://")? + "://".len();
    let authority = line[start..]
        .find(|c: char| c.is_whitespace() || matches!(c, '/' | '?' | '#' | '"' | '\''))
        .map_or(line.len(), |end| start + end);
    let at = line[start..authority].rfind('@')?;
    let place = start..start + at;
    // Hidden before.
    (!line[place.clone()].chars().all(|c| c == '*')).then_some(place)
}

/// True where a secret's name and a colon, or the word `Bearer`, stand right before.
fn secret_before(before: &str) -> bool {
    let before = before.trim_end_matches([' ', '\t', '"', '\'']);
    let name = before.strip_suffix([':', '=']).map(str::trim_end);
    let last = |text: &str| {
        text.rsplit(|c: char| c.is_whitespace() || matches!(c, '{' | ',' | '.' | '?' | '&' | ';'))
            .next()
            .unwrap_or("")
            .to_owned()
    };
    name.is_some_and(|name| is_secret_name(&last(name))) || last(before).eq_ignore_ascii_case("bearer")
}

fn stars(text: &str) -> String {
    text.chars().map(|_| '*').collect()
}
