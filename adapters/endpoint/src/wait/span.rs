//! Spans and moments of time, as texts write them: `7m12s`, `PT1M10S`, `00:01:10`, `2026-11-29T01:00:00Z`, `70 Sekunden`, `70 秒`.

use std::time::{Duration, SystemTime};

pub(super) fn seconds(number: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(number).ok()
}

/// A time with units at the beginning of a text, such as `7m12s`, `1.5 seconds`, `1 hour and 3 minutes`.
pub(super) fn duration(text: &str) -> Option<Duration> {
    span(&text.trim().to_lowercase()).map(|(wait, _)| wait)
}

/// The same, of a text in lower case, with what follows it.
pub(super) fn span(text: &str) -> Option<(Duration, &str)> {
    // ISO 8601: `PT1M30S`, `P1DT2H`.
    let date = text.strip_prefix('p');
    let iso = date.filter(|rest| {
        rest.trim_start_matches('t')
            .starts_with(|c: char| c.is_ascii_digit())
    });
    let mut rest = iso.unwrap_or(text);
    let mut total = None;
    loop {
        let mut next = rest.trim_start_matches([' ', ',', '\u{a0}']);
        if iso.is_some() {
            next = next.strip_prefix('t').unwrap_or(next);
        }
        next = ["and ", "und ", "et ", "y "]
            .iter()
            .find_map(|and| next.strip_prefix(and))
            .unwrap_or(next)
            .trim_start();
        let Some((number, after)) = number(next) else {
            break;
        };
        let after = after.trim_start_matches([' ', '-', '\u{a0}']);
        // The letters of ISO 8601 stand beside each other.
        let (word, behind) = match iso {
            Some(_) => after.split_at_checked(1).unwrap_or((after, "")),
            None => (after, ""),
        };
        let Some((unit, after)) =
            unit(word).map(|(unit, left)| (unit, if behind.is_empty() { left } else { behind }))
        else {
            break;
        };
        total = Some(total.unwrap_or(0.0) + number * unit);
        rest = after;
    }
    Some((seconds(total?)?, rest))
}

/// A time without units at the beginning of a text: `00:01:10`, `1:10`. A time of day with its zone is none.
pub(super) fn clock(text: &str) -> Option<Duration> {
    let end = text
        .find(|c: char| !(c.is_ascii_digit() || c == ':' || c == '.'))
        .unwrap_or(text.len());
    let after = text[end..].trim_start();
    if ["utc", "gmt", "am", "pm", "a.m", "p.m", "z", "+", "o'clock", "uhr"]
        .iter()
        .any(|of_day| after.starts_with(of_day))
    {
        return None;
    }
    let parts: Vec<&str> = text[..end].trim_end_matches(['.', ':']).split(':').collect();
    let (last, whole) = parts.split_last()?;
    if !(1..=2).contains(&whole.len()) || !(last.len() == 2 || last.as_bytes().get(2) == Some(&b'.')) {
        return None;
    }
    let last: f64 = last.parse().ok().filter(|seconds| *seconds < 60.0)?;
    let (mut total, mut most) = (0_u32, 1_000);
    for part in whole {
        let number: u32 = part.parse().ok().filter(|number| *number < most)?;
        total = total * 60 + number;
        most = 60;
    }
    seconds(f64::from(total * 60) + last)
}

/// An RFC 3339 time.
pub(super) fn timestamp(text: &str) -> Option<SystemTime> {
    let at: jiff::Timestamp = text.parse().ok()?;
    let micros = u64::try_from(at.as_microsecond()).ok()?;
    Some(SystemTime::UNIX_EPOCH + Duration::from_micros(micros))
}

/// A number at the beginning of a text, in digits or as the word for one.
fn number(text: &str) -> Option<(f64, &str)> {
    let ones = [
        "an ", "a ", "one ", "eine ", "einer ", "einem ", "einen ", "une ", "un ", "una ",
    ];
    if let Some(rest) = ones.iter().find_map(|one| text.strip_prefix(one)) {
        return Some((1.0, rest));
    }
    let digits = |text: &str| text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let whole = digits(text);
    // Three digits after a comma could be thousands.
    let decimals = match text[whole..].chars().next() {
        Some('.') => digits(&text[whole + 1..]),
        Some(',') => Some(digits(&text[whole + 1..]))
            .filter(|count| *count < 3)
            .unwrap_or(0),
        _ => 0,
    };
    let end = if decimals > 0 { whole + 1 + decimals } else { whole };
    let number = text[..end].replace(',', ".").parse().ok()?;
    Some((number, &text[end..]))
}

/// Seconds in the unit of time that a text begins with, and what follows it.
fn unit(text: &str) -> Option<(f64, &str)> {
    let letters = text
        .find(|c: char| !c.is_alphabetic() || is_cjk(c))
        .unwrap_or(text.len());
    if letters == 0 {
        return cjk_unit(text);
    }
    let unit = match &text[..letters] {
        "ms" | "msec" | "msecs" | "millis" | "millisecond" | "milliseconds" | "millisekunden"
        | "millisecondes" | "milisegundos" => 1e-3,
        "s" | "sec" | "secs" | "second" | "seconds" | "sek" | "sekunde" | "sekunden" | "seconde"
        | "secondes" | "seg" | "segundo" | "segundos" => 1.0,
        "m" | "min" | "mins" | "minute" | "minutes" | "minuten" | "minuto" | "minutos" => 60.0,
        "h" | "hr" | "hrs" | "hour" | "hours" | "std" | "stunde" | "stunden" | "heure" | "heures"
        | "hora" | "horas" => 3_600.0,
        "d" | "day" | "days" | "tag" | "tage" | "tagen" | "jour" | "jours" | "día" | "días" | "dia"
        | "dias" => 86_400.0,
        _ => return None,
    };
    Some((unit, &text[letters..]))
}

/// The same in Chinese and Japanese, which put no space behind it.
fn cjk_unit(text: &str) -> Option<(f64, &str)> {
    let units = [
        ("毫秒", 1e-3),
        ("秒钟", 1.0),
        ("秒鐘", 1.0),
        ("秒", 1.0),
        ("分钟", 60.0),
        ("分鐘", 60.0),
        ("分", 60.0),
        ("小时", 3_600.0),
        ("小時", 3_600.0),
        ("時間", 3_600.0),
        ("天", 86_400.0),
    ];
    units
        .iter()
        .find_map(|(word, unit)| text.strip_prefix(word).map(|rest| (*unit, rest)))
}

fn is_cjk(c: char) -> bool {
    ('\u{3040}'..='\u{9fff}').contains(&c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_are_spans_only_in_their_form() {
        let read = |text: &str| clock(text).map(|wait| wait.as_secs_f64());
        for (text, wait) in [
            ("00:01:10", Some(70.0)),
            ("1:10.", Some(70.0)),
            ("00:00:01.5, please", Some(1.5)),
            ("100:00:00", Some(360_000.0)),
            ("0:75", None),
            ("1:2", None),
            ("00:61:00", None),
            ("1:2:3:04", None),
            ("60", None),
            ("14:05:00 utc", None),
            ("12:30pm", None),
        ] {
            assert_eq!(read(text), wait, "{text}");
        }
    }

    #[test]
    fn spans_are_read_in_several_languages() {
        let read = |text: &str| duration(text).map(|wait| wait.as_secs_f64());
        for (text, wait) in [
            ("7m12s", Some(432.0)),
            ("PT1M10S", Some(70.0)),
            ("P1DT2H", Some(93_600.0)),
            ("1 Minute und 10 Sekunden", Some(70.0)),
            ("1,5 secondes", Some(1.5)),
            ("1,500 seconds", None),
            ("una hora y 10 segundos", Some(3_610.0)),
            ("1 分钟 10 秒后", Some(70.0)),
            ("pt", None),
            ("60 requests", None),
        ] {
            assert_eq!(read(text), wait, "{text}");
        }
    }
}
