//! The wait that a message names in its words.

use std::time::{Duration, SystemTime};

use serde_json::Value;

use super::span::{clock, span, timestamp};

/// Words right before the time that a client should wait, the longest first.
const WAITING_WORDS: [&str; 28] = [
    "try again in",
    "try again after",
    "try your request again in",
    "try your request again after",
    "try again at",
    "try again",
    "retry your request after",
    "retry your request in",
    "retry again in",
    "retry again after",
    "retry after",
    "retry in",
    "retry",
    "retry-after:",
    "come back in",
    "come back after",
    "available in",
    "available again in",
    "until reset",
    "until the reset",
    "time to reset",
    "resets in",
    "reset in",
    "resets after",
    "reset after",
    "resets",
    "reset",
    "wait",
];
/// Words that may stand between those and the time.
const FILLERS: [&str; 13] = [
    "for",
    "about",
    "at",
    "on",
    "is",
    "least",
    "another",
    "approximately",
    "around",
    "in",
    "after",
    "until",
    "time",
];
/// Words of waiting before which or behind which other languages name the time, by their beginnings.
const STEMS: [&str; 24] = [
    // German
    "versuch",
    "erneut",
    "wieder",
    "wart",
    "nochmal",
    "zurückgesetzt",
    "verfügbar",
    // French
    "réessay",
    "reessay",
    "nouveau",
    "nouvel",
    "prochain",
    "attend",
    "patient",
    "réinitialis",
    "disponible",
    // Spanish
    "intent",
    "intént",
    "reintent",
    "nuevo",
    "nuevamente",
    "esper",
    "vuelv",
    "restablec",
];
/// Those that the time follows without a preposition.
const WAIT_STEMS: [&str; 4] = ["wart", "attend", "patient", "esper"];
/// Words right before a time in other languages.
const PREPOSITIONS: [&str; 8] = ["in", "nach", "dans", "après", "apres", "d'ici", "en", "tras"];
/// The same of two words, the second of which is `de`.
const BEFORE_DE: [&str; 4] = ["dentro", "después", "despues", "bout"];
/// Words that may stand between those and the time, and polite ones before.
const OTHER_FILLERS: [&str; 17] = [
    "etwa",
    "ungefähr",
    "ca",
    "circa",
    "noch",
    "mindestens",
    "sie",
    "bitte",
    "environ",
    "au",
    "moins",
    "unos",
    "aproximadamente",
    "al",
    "menos",
    "por",
    "favor",
];
/// What a moment without a preposition may follow in a sentence.
const NEAR: [&str; 15] = [
    "reset",
    "retry",
    "try again",
    "available",
    "renew",
    "refresh",
    "wait",
    "erneut",
    "wieder",
    "réessay",
    "réinitialis",
    "intent",
    "disponible",
    "重置",
    "重试",
];
/// Characters between such a word and the moment, at most.
const NEAR_CHARS: usize = 60;

/// The wait that a body's words name.
pub(super) fn in_words(text: &str, now: SystemTime) -> Option<Duration> {
    let text = text.to_lowercase().replace('_', " ");
    behind_waiting_words(&text)
        .or_else(|| in_chinese(&text))
        .or_else(|| in_other_languages(&text))
        .or_else(|| by_iso(&text, now))
}

/// The texts of a JSON body, one a line, behind their members' names in words: `time until reset: 00:01:10`.
pub(super) fn lines(json: &Value) -> String {
    let mut out = String::new();
    write_lines(json, "", &mut out);
    out
}

fn write_lines(value: &Value, name: &str, out: &mut String) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                write_lines(value, &in_separate_words(name), out);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| write_lines(item, name, out)),
        Value::String(text) => {
            for part in [name, ": ", text, "\n"] {
                out.push_str(part);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// `timeUntil_reset` as `time until reset`.
fn in_separate_words(name: &str) -> String {
    let mut words = String::with_capacity(name.len() + 4);
    let mut was_small = false;
    for c in name.chars() {
        match c {
            '_' | '-' | '.' => words.push(' '),
            c if c.is_uppercase() && was_small => words.extend([' ', c]),
            c => words.push(c),
        }
        was_small = c.is_lowercase();
    }
    words
}

/// The time that follows a word for waiting.
fn behind_waiting_words(text: &str) -> Option<Duration> {
    let mut places: Vec<(usize, usize)> = WAITING_WORDS
        .iter()
        .flat_map(|words| text.match_indices(words).map(|(at, _)| (at + words.len(), at)))
        .collect();
    places.sort_unstable();
    places.into_iter().find_map(|(at, start)| {
        let mut rest = text[at..].trim_start_matches([' ', ':', '=', '"', '~', '\u{a0}']);
        while let Some(shorter) = FILLERS
            .iter()
            .find_map(|word| rest.strip_prefix(word)?.strip_prefix([' ', ':']))
        {
            rest = shorter.trim_start();
        }
        let between = &text[start..text.len() - rest.len()];
        span(rest)
            .map(|(wait, _)| wait)
            .or_else(|| precedes_span(between, rest).then(|| clock(rest))?)
    })
}

/// Whether these words precede a span rather than a time of day.
fn precedes_span(words: &str, time: &str) -> bool {
    let words: Vec<&str> = words
        .split(|c: char| !c.is_alphabetic())
        .filter(|word| !word.is_empty())
        .collect();
    let has = |word| words.contains(&word);
    let is_moment = words
        .last()
        .is_some_and(|last| matches!(*last, "at" | "on" | "until"));
    // `after 14:05:00` is a time of day.
    let is_after = has("after") && (time.starts_with("0:") || time.starts_with("00:"));
    let is_left = (has("until") || has("to")) && has("reset");
    !is_moment && (has("in") || has("wait") || has("for") || is_after || is_left)
}

/// `70 秒后`, `请等待 70 秒`.
fn in_chinese(text: &str) -> Option<Duration> {
    number_starts(text).find_map(|at| {
        let (wait, after) = span(&text[at..])?;
        let before = text[..at].trim_end().trim_end_matches(['约', '約']).trim_end();
        let after = after.trim_start();
        let is_after = ["后", "後", "之后", "之後", "以后", "以後"]
            .iter()
            .any(|word| after.starts_with(word));
        let is_wait = ["等待", "等候", "请等", "稍等"]
            .iter()
            .any(|word| before.ends_with(word));
        (!before.ends_with('每') && (is_after || is_wait)).then_some(wait)
    })
}

/// Where numbers start.
fn number_starts(text: &str) -> impl Iterator<Item = usize> + '_ {
    let ends_in_number = |before: &str| {
        let before = before.strip_suffix(['.', ',', ':']).unwrap_or(before);
        before.ends_with(|c: char| c.is_ascii_digit())
    };
    text.char_indices()
        .filter(move |(at, c)| c.is_ascii_digit() && !ends_in_number(&text[..*at]))
        .map(|(at, _)| at)
}

/// The time in a part of a sentence that speaks of waiting: `Bitte versuchen Sie es in 70 Sekunden erneut`. Of several, the one nearest to
/// the word for it. What limits are counted by is none: `60 Anfragen in 60 Sekunden`.
fn in_other_languages(text: &str) -> Option<Duration> {
    let ends = ['\n', ';', '!', '?', '(', ')', '"'];
    let clauses = text
        .split(ends)
        .flat_map(|part| part.split(". "))
        .flat_map(|part| part.split(", "));
    clauses.into_iter().find_map(in_clause)
}

fn in_clause(clause: &str) -> Option<Duration> {
    let words: Vec<&str> = clause
        .split(|c: char| c.is_whitespace() || c == ':' || c == '~' || c == '≈')
        .filter(|word| !word.is_empty())
        .collect();
    let starts_with = |word: &str, stems: &[&str]| stems.iter().any(|stem| word.starts_with(stem));
    let stems: Vec<usize> = (0..words.len())
        .filter(|at| starts_with(words[*at], &STEMS))
        .collect();
    let distance = |at: usize| stems.iter().map(|stem| stem.abs_diff(at)).min();
    let found = (0..words.len()).filter_map(|at| {
        let (wait, _) = span(&words[at..].join(" "))?;
        precedes_wait(&words[..at]).then_some((distance(at)?, wait))
    });
    found.min_by_key(|(distance, _)| *distance).map(|(_, wait)| wait)
}

/// Whether words end as those before a wait do.
fn precedes_wait(words: &[&str]) -> bool {
    let is_filler = |word: &&&str| OTHER_FILLERS.contains(&word.trim_end_matches(['.', ',']));
    let fillers = words.iter().rev().take_while(is_filler).count();
    let mut before = words[..words.len() - fillers].iter().rev().copied();
    let starts_with = |word: &str, stems: &[&str]| stems.iter().any(|stem| word.starts_with(stem));
    let Some(last) = before.next() else {
        return false;
    };
    if starts_with(last, &WAIT_STEMS) {
        return true;
    }
    let is_preposition = PREPOSITIONS.contains(&last)
        || (last == "de" && before.next().is_some_and(|word| BEFORE_DE.contains(&word)));
    let is_number = |word: &str| word.starts_with(|c: char| c.is_ascii_digit());
    let (first, second) = (before.next(), before.next());
    let is_limit = first.is_some_and(is_number)
        || (second.is_some_and(is_number)
            && !first.is_some_and(|word| starts_with(word, &STEMS) || OTHER_FILLERS.contains(&word)));
    is_preposition && !is_limit
}

/// A moment or a span as ISO 8601 writes them, soon behind a word for waiting and in its sentence.
fn by_iso(text: &str, now: SystemTime) -> Option<Duration> {
    let spans = text.match_indices("pt").filter_map(|(at, _)| {
        let alone = !text[..at].ends_with(char::is_alphanumeric);
        let (wait, _) = alone.then(|| span(&text[at..]))??;
        Some((at, wait))
    });
    let moments = number_starts(text).filter_map(|at| {
        let wait = moment_at(&text[at..])?.duration_since(now).ok()?;
        Some((at, wait))
    });
    let (_, wait) = spans.chain(moments).find(|(at, _)| is_near(&text[..*at]))?;
    Some(wait)
}

/// The moment that a text in lower case starts with: `2026-11-29t00:01:10z`, `2026-11-29 00:01:10 utc`.
fn moment_at(text: &str) -> Option<SystemTime> {
    let end = text
        .find(|c: char| !(c.is_ascii_digit() || c == '-'))
        .filter(|end| *end == 10)?;
    let (date, rest) = text.split_at(end);
    let rest = rest.strip_prefix(['t', ' '])?;
    let end = rest
        .find(|c: char| !(c.is_ascii_digit() || matches!(c, ':' | '.' | '+' | '-' | 'z')))
        .unwrap_or(rest.len());
    let time = rest[..end].trim_end_matches(['.', ':', '-']);
    let after = rest[end..].trim_start();
    let zone = if after.starts_with("utc") || after.starts_with("gmt") {
        "Z"
    } else {
        ""
    };
    timestamp(&format!("{date}T{time}{zone}").to_uppercase())
}

fn is_near(before: &str) -> bool {
    let ends = ["\n", ". ", "! ", "? ", "; ", "\",", "。", "；"];
    let sentence = ends
        .iter()
        .filter_map(|end| before.rfind(end).map(|at| at + end.len()))
        .max()
        .unwrap_or(0);
    let sentence = &before[sentence..];
    let start = sentence
        .char_indices()
        .rev()
        .take(NEAR_CHARS)
        .last()
        .map_or(0, |(at, _)| at);
    NEAR.iter().any(|word| sentence[start..].contains(word))
}
