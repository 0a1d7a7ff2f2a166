//! What must not be shown: a key that stands in a job by mistake.

use std::borrow::Cow;

/// Names of settings that hold a key's name, or count tokens, and so may be shown.
const HARMLESS: [&str; 7] = [
    "key_env",
    "key_file",
    "max_tokens",
    "token_limit_key",
    "context_tokens",
    "input_tokens_per_minute",
    "output_tokens_per_minute",
];
const SECRET: [&str; 6] = ["key", "token", "secret", "password", "authorization", "bearer"];

/// True for a name under which people write keys: `api_key`, `token`, `Authorization`.
pub(crate) fn is_secret_name(name: &str) -> bool {
    let name = name.trim().trim_matches(['"', '\'']).to_lowercase();
    let last = name.rsplit('.').next().unwrap_or(&name);
    !HARMLESS.contains(&last) && SECRET.iter().any(|word| last.contains(word))
}

/// True for a text that is more likely a key than a word, a file or the name of a variable.
pub(crate) fn looks_like_key(text: &str) -> bool {
    let text = text.trim().trim_matches(['"', '\'']);
    let shape = text
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '+' | '=' | '/'));
    let mixed = text.chars().any(|c| c.is_ascii_lowercase()) && text.chars().any(|c| c.is_ascii_digit());
    let marked = ["sk-", "sk_", "hf_", "gsk_", "xai-", "AIza", "ghp_"]
        .iter()
        .any(|mark| text.starts_with(mark))
        && text.len() >= 8;
    // A model's name or a file's has dots, slashes and hyphens between words; a key has a long run without any.
    let longest_run = text.split(['-', '_', '.', '/']).map(str::len).max().unwrap_or(0);
    shape && (marked || (mixed && longest_run >= 20))
}

/// A line with everything that may be a key replaced by asterisks, character for character, so that places stay right.
pub(crate) fn redact(line: &str) -> Cow<'_, str> {
    let name_end = line.find([':', '=']);
    let named =
        name_end.filter(|end| is_secret_name(line[..*end].trim().trim_start_matches(['-', '{', ' '])));
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

/// True where a secret's name and a colon, or the word `Bearer`, stand right before.
fn secret_before(before: &str) -> bool {
    let before = before.trim_end_matches([' ', '\t', '"', '\'']);
    let name = before.strip_suffix([':', '=']).map(str::trim_end);
    let last = |text: &str| {
        text.rsplit(|c: char| c.is_whitespace() || matches!(c, '{' | ',' | '.'))
            .next()
            .unwrap_or("")
            .to_owned()
    };
    name.is_some_and(|name| is_secret_name(&last(name))) || last(before).eq_ignore_ascii_case("bearer")
}

fn stars(text: &str) -> String {
    text.chars().map(|_| '*').collect()
}
