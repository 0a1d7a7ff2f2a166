//! Search by words.

use rusqlite::Connection;

use crate::bits::Bits;
use crate::error::Error;

/// A text whose scripts without spaces between words have one between characters, so that parts of it are found: what is searched
/// for is spaced alike, and stands in quotes.
pub(crate) fn spaced(text: &str) -> String {
    let mut spaced = String::with_capacity(text.len());
    for c in text.chars() {
        if unspaced(c) {
            spaced.extend([' ', c, ' ']);
        } else {
            spaced.push(c);
        }
    }
    spaced
}

/// Thai to Khmer, kana, and Chinese characters.
fn unspaced(c: char) -> bool {
    matches!(c, '\u{0e00}'..='\u{0eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}' | '\u{3040}'..='\u{30ff}'
        | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}

/// What FTS5 is asked for. Words must all be there, in any order; words in quotes in their order; `word*` finds what begins so; `-word`
/// must not be there.
fn expression(asked: &str) -> Result<String, Error> {
    let nothing = || Error::Search(asked.trim().to_owned());
    let (mut wanted, mut unwanted) = (Vec::new(), Vec::new());
    let mut rest = asked.trim_start();
    while !rest.is_empty() {
        let (without, after) = match rest.strip_prefix('-') {
            Some(after) => (true, after),
            None => (false, rest),
        };
        let (term, after) = match after.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
            None => after.split_once(char::is_whitespace).unwrap_or((after, "")),
        };
        let (term, prefix, after) = match (term.strip_suffix('*'), after.strip_prefix('*')) {
            (Some(term), _) => (term, "*", after),
            (None, Some(after)) => (term, "*", after),
            (None, None) => (term, "", after),
        };
        if term.chars().any(char::is_alphanumeric) {
            let quoted = format!("\"{}\"{prefix}", spaced(term).replace(['"', '\0'], " "));
            if without {
                unwanted.push(quoted)
            } else {
                wanted.push(quoted)
            }
        }
        rest = after.trim_start();
    }
    if wanted.is_empty() {
        return Err(nothing());
    }
    let mut expression = wanted.join(" AND ");
    if !unwanted.is_empty() {
        expression = format!("({expression}) NOT ({})", unwanted.join(" OR "));
    }
    Ok(expression)
}

/// The words of a text, each once, in their order.
pub(crate) fn words(text: &str) -> Vec<String> {
    let spaced = spaced(text).to_lowercase();
    let mut seen = std::collections::HashSet::new();
    let words = spaced.split(|c: char| !c.is_alphanumeric());
    words
        .filter(|word| !word.is_empty() && seen.insert(*word))
        .map(str::to_owned)
        .collect()
}

/// Rows that hold a word; `None` where more than `most` do.
pub(crate) fn having(connection: &Connection, word: &str, most: u64) -> Result<Option<Vec<u64>>, Error> {
    let mut statement = connection.prepare_cached("SELECT rowid FROM words WHERE words MATCH ?1")?;
    let mut rows = statement.query([expression(word)?])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(row.get::<_, i64>(0)? as u64);
        if found.len() as u64 > most {
            return Ok(None);
        }
    }
    Ok(Some(found))
}

/// Rows that hold the words.
pub(crate) fn matches(connection: &Connection, asked: &str) -> Result<Bits, Error> {
    let expression = expression(asked)?;
    let mut found = Bits::default();
    let mut statement = connection.prepare_cached("SELECT rowid FROM words WHERE words MATCH ?1")?;
    let mut rows = statement.query([expression])?;
    while let Some(row) = rows.next()? {
        found.insert(row.get::<_, i64>(0)? as u64);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_is_never_a_language_of_its_own() {
        let of = |asked| expression(asked).unwrap();
        assert_eq!(of("two words"), r#""two" AND "words""#);
        assert_eq!(of(r#""two words" more"#), r#""two words" AND "more""#);
        assert_eq!(of("begin* -not"), r#"("begin"*) NOT ("not")"#);
        assert_eq!(
            of("a OR text:b NEAR(c)"),
            r#""a" AND "OR" AND "text:b" AND "NEAR(c)""#
        );
        assert_eq!(of("日本"), "\" 日  本 \"");
        for nothing in ["", "  ", "-", "\"\"", "-not", "*", "?!"] {
            assert!(
                matches!(expression(nothing), Err(Error::Search(_))),
                "{nothing:?}"
            );
        }
    }
}
