//! The text of a query: finding it in a completion, and what its top level says. It is scanned, not parsed: the engine
//! is the parser.

use super::super::structured::{fences, field};

/// The query of a completion: from a JSON field (`sql`, `query`, `answer`), the last fence that holds one, or the first line
/// of prose that begins with one, up to its `;`, a blank line or the end. Without a closing `;`.
///
/// `None` when nothing begins with SELECT, VALUES or WITH … AS: other statements are no answers to a question.
pub fn extract(text: &str) -> Option<String> {
    if let Some(found) = field(text, &["sql", "sql_query", "query", "answer"]) {
        let inner = fences(&found)
            .pop()
            .map(|fence| fence.body.to_owned())
            .unwrap_or(found);
        return statement(&inner);
    }
    let fenced = fences(text)
        .into_iter()
        .rev()
        .find_map(|fence| statement(fence.body));
    fenced.or_else(|| statement(text)).or_else(|| in_prose(text))
}

/// Whether the result's row order is part of the answer: an ORDER BY at the top level, outside subqueries, window clauses,
/// strings, quoted names and comments.
pub fn ordered(query: &str) -> bool {
    let top: Vec<&str> = Scanner::new(query)
        .filter_map(|piece| match piece {
            Piece::Word { text, depth: 0 } => Some(text),
            _ => None,
        })
        .collect();
    top.windows(2)
        .any(|pair| pair[0].eq_ignore_ascii_case("order") && pair[1].eq_ignore_ascii_case("by"))
}

/// The text up to its first top-level `;` or blank line, if it begins like a query.
fn statement(text: &str) -> Option<String> {
    let text = text.trim();
    if !begins_query(text) {
        return None;
    }
    let end = Scanner::new(text)
        .find_map(|piece| match piece {
            Piece::Semicolon { at } => Some(at),
            Piece::BlankLine { at } => Some(at),
            _ => None,
        })
        .unwrap_or(text.len());
    Some(text[..end].trim_end().to_owned())
}

/// SELECT, VALUES, or WITH followed by RECURSIVE or by a name and AS: "With this query" is prose.
fn begins_query(text: &str) -> bool {
    let mut words = Scanner::new(text).filter_map(|piece| match piece {
        Piece::Word { text, depth: 0 } => Some(text.to_ascii_lowercase()),
        _ => None,
    });
    let first_at = text.find(|c: char| c.is_alphabetic());
    // Only comments may stand before the first word; a letter further in is prose that merely contains one.
    if first_at.is_none()
        || !(text.starts_with(char::is_alphabetic) || text.starts_with("--") || text.starts_with("/*"))
    {
        return false;
    }
    match words.next().as_deref() {
        Some("select" | "values") => true,
        Some("with") => match words.next().as_deref() {
            Some("recursive") => true,
            Some(_) => words.next().as_deref() == Some("as"),
            None => false,
        },
        _ => false,
    }
}

fn in_prose(text: &str) -> Option<String> {
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let bare = line.trim_start_matches(|c: char| c.is_whitespace() || matches!(c, '>' | '*' | '-' | '`'));
        let label = ["sqlite:", "sql query:", "query:", "answer:", "sql:"]
            .iter()
            .find(|label| {
                bare.get(..label.len())
                    .is_some_and(|head| head.eq_ignore_ascii_case(label))
            })
            .map_or(0, |label| label.len());
        let skipped = bare[label..].len() - bare[label..].trim_start_matches([' ', '\t', '*', '`']).len();
        let start = at + (line.len() - bare.len()) + label + skipped;
        let quoted = text[..start].ends_with('`');
        // Upper-case words inside a line are taken for a query; lower-case ones are English.
        let inline = ["SELECT ", "WITH "]
            .iter()
            .filter_map(|word| Some(start + text[start..at + line.len()].find(word)?))
            .min();
        for start in [Some(start), inline].into_iter().flatten() {
            let ticked = quoted || text[..start].ends_with('`');
            let tail = &text[start..];
            let tail = if ticked {
                &tail[..tail.find('`').unwrap_or(tail.len())]
            } else {
                tail
            };
            if let Some(found) = statement(tail) {
                return Some(found);
            }
        }
        at += line.len();
    }
    None
}

/// A piece of SQL text that matters here.
#[derive(Debug, PartialEq, Eq)]
enum Piece<'a> {
    /// A bare word outside of quotes and comments, and how many parentheses are open around it.
    Word { text: &'a str, depth: usize },
    /// A `;` outside of everything.
    Semicolon { at: usize },
    /// An empty line outside of quotes and comments.
    BlankLine { at: usize },
}

struct Scanner<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
}

impl<'a> Scanner<'a> {
    fn new(text: &'a str) -> Self {
        Self {
            text,
            at: 0,
            depth: 0,
        }
    }

    /// Behind the next occurrence of an end mark, or the end of the text.
    fn skip_past(&mut self, from: usize, mark: &str) {
        self.at = self.text[from..]
            .find(mark)
            .map_or(self.text.len(), |found| from + found + mark.len());
    }
}

impl<'a> Iterator for Scanner<'a> {
    type Item = Piece<'a>;

    fn next(&mut self) -> Option<Piece<'a>> {
        loop {
            let rest = &self.text[self.at..];
            let c = rest.chars().next()?;
            match c {
                // A doubled quote ends one literal and begins the next, which comes to the same.
                '\'' => self.skip_past(self.at + 1, "'"),
                '"' => self.skip_past(self.at + 1, "\""),
                '`' => self.skip_past(self.at + 1, "`"),
                '[' => self.skip_past(self.at + 1, "]"),
                '-' if rest.starts_with("--") => self.at += rest.find('\n').unwrap_or(rest.len()),
                '/' if rest.starts_with("/*") => self.skip_past(self.at + 2, "*/"),
                '(' | ')' => {
                    self.depth = if c == '(' {
                        self.depth + 1
                    } else {
                        self.depth.saturating_sub(1)
                    };
                    self.at += 1;
                }
                ';' => {
                    let at = self.at;
                    self.at += 1;
                    return Some(Piece::Semicolon { at });
                }
                '\n' => {
                    let at = self.at;
                    self.at += 1;
                    let line = rest[1..].split('\n').next().unwrap_or("");
                    if line.trim().is_empty() {
                        return Some(Piece::BlankLine { at });
                    }
                }
                c if c.is_alphabetic() || c == '_' => {
                    let length = rest
                        .find(|c: char| !c.is_alphanumeric() && c != '_' && c != '$')
                        .unwrap_or(rest.len());
                    self.at += length;
                    return Some(Piece::Word {
                        text: &rest[..length],
                        depth: self.depth,
                    });
                }
                c => self.at += c.len_utf8(),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_the_top_level_orders() {
        for query in [
            "SELECT a FROM t ORDER BY a",
            "select a from t order\n by a desc limit 3",
            "SELECT a FROM (SELECT a FROM t ORDER BY b) UNION SELECT 1 ORDER /* x */ BY 1",
            "WITH c AS (SELECT 1) SELECT * FROM c ORDER -- why\n BY 1",
            "SELECT 'it''s' FROM t ORDER BY 1;",
        ] {
            assert!(ordered(query), "{query}");
        }
        for query in [
            "SELECT a FROM (SELECT a FROM t ORDER BY a)",
            "SELECT row_number() OVER (PARTITION BY x ORDER BY y) FROM t",
            "SELECT ' ORDER BY 1'",
            "SELECT \"order by\" FROM [order by] WHERE `order by` = 1",
            "SELECT 1 -- ORDER BY 1",
            "SELECT 1 /* ORDER BY 1 */",
            "SELECT group_concat(a ORDER BY a) FROM t",
            "SELECT \"order\" FROM t GROUP BY 1",
            "SELECT 'a;''ORDER BY 1",
        ] {
            assert!(!ordered(query), "{query}");
        }
    }

    #[test]
    fn queries_are_found_where_completions_put_them() {
        for (text, query) in [
            ("SELECT 1;", "SELECT 1"),
            (
                "  with x as (select ';' as a)\nselect a from x ; select 2",
                "with x as (select ';' as a)\nselect a from x",
            ),
            ("{\"sql\": \"SELECT a FROM t;\"}", "SELECT a FROM t"),
            (
                "Here:\n```sql\n-- all\nSELECT *\nFROM t;\n```\nIt lists all.",
                "-- all\nSELECT *\nFROM t",
            ),
            ("First ```SELECT 0``` then\n```\nSELECT 1\n```", "SELECT 1"),
            (
                "With this query you get it:\n\nSELECT a\nFROM t\n\nIt works.",
                "SELECT a\nFROM t",
            ),
            ("SQL: SELECT a FROM t", "SELECT a FROM t"),
            ("Use `SELECT a FROM t` for it.", "SELECT a FROM t"),
            ("**Answer:** `select a from t`", "select a from t"),
        ] {
            assert_eq!(extract(text).as_deref(), Some(query), "{text}");
        }
    }

    #[test]
    fn what_is_no_query_is_not_found() {
        for text in [
            "",
            "I cannot.",
            "With this you can choose.",
            "```python\nprint(1)\n```",
            "DELETE FROM t",
            "{\"sql\": 1}",
        ] {
            assert_eq!(extract(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "(\\PC|\n|SELECT |`|'|;){0,40}") {
            let _ = (extract(&text), ordered(&text));
        }
    }
}
