//! How long a provider asks to be left alone, wherever it says so.
//!
//! | where | example |
//! |---|---|
//! | `retry-after-ms`, `retry-after` | `250`, `2`, `Mon, 12 Jan 1970 13:47:00 GMT` |
//! | `x-ratelimit-reset-*` and its relatives, where nothing remains | `7m12s`, `20ms`, `17`, `1741305600000`, `2026-11-29T01:00:00Z` |
//! | members of a JSON body | `"retryDelay": "17s"`, `"retry_after": 20`, `"retry_delay": {"seconds": 17}`, `"estimated_time": 20.5` |
//! | the message's words | `Please try again in 7m12s`, `retry after 3 minutes`, `wait 1.5 seconds`, `Time until reset: 00:01:10`, `resets at 2026-11-29T00:01:10Z` |
//! | those of other languages | `Bitte versuchen Sie es in 70 Sekunden erneut`, `70 秒后重试` |
//!
//! The first place that names a time wins, in this order.

mod span;
mod words;

use std::time::{Duration, SystemTime};

use reqwest::header::HeaderMap;
use serde_json::Value;

use span::{duration, seconds, timestamp};

/// The longest wait that a provider is believed; a longer one is asked for again when it is over.
const WAIT_MAX: Duration = Duration::from_secs(3600);
/// Names of members that hold a wait, in lower case and without `_` and `-`.
const MEMBERS: [&str; 9] = [
    "retryafter",
    "retrydelay",
    "retryafterms",
    "retryafterseconds",
    "retryaftersecs",
    "retryin",
    "retryinseconds",
    "waitseconds",
    "estimatedtime",
];
/// How deep a body is looked through: far deeper than any error is nested.
const DEPTH_MAX: usize = 16;

/// The wait that a refusal names; `None` where it names none.
pub(crate) fn told(headers: &HeaderMap, body: &[u8], now: SystemTime) -> Option<Duration> {
    let json: Option<Value> = serde_json::from_slice(body).ok();
    retry_after(headers, now)
        .or_else(|| json.as_ref().and_then(|json| in_members(json, 0)))
        .or_else(|| {
            let text = json.as_ref().map(words::lines);
            let text = text.unwrap_or_else(|| String::from_utf8_lossy(body).into_owned());
            words::in_words(&text, now)
        })
        .or_else(|| reset(headers, now))
        .map(|wait| wait.min(WAIT_MAX))
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

/// `retry-after-ms`, or `Retry-After` in seconds, as a date, or as a time with units, which no standard knows and some gateways send.
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let millis = text(headers, "retry-after-ms").and_then(|text| text.parse::<f64>().ok());
    if let Some(millis) = millis {
        return seconds(millis / 1e3);
    }
    let text = text(headers, "retry-after")?;
    match text.parse::<f64>() {
        Ok(number) => seconds(number),
        Err(_) => httpdate::parse_http_date(text)
            .ok()
            .map(|at| at.duration_since(now).unwrap_or_default())
            .or_else(|| duration(text)),
    }
}

/// When a used-up limit is full again. Limits with something left say nothing about this refusal; where none says what is left, the
/// shortest time counts: a try too early costs nothing.
fn reset(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let (mut used_up, mut unknown) = (None::<Duration>, None::<Duration>);
    for (name, value) in headers {
        let name = name.as_str();
        if !(name.contains("ratelimit") || name.contains("rate-limit")) || !name.contains("reset") {
            continue;
        }
        let Some(wait) = value.to_str().ok().and_then(|text| moment(text.trim(), now)) else {
            continue;
        };
        let left = text(
            headers,
            &name
                .replace("reset-after", "remaining")
                .replace("reset", "remaining"),
        );
        match left.and_then(|left| left.parse::<f64>().ok()) {
            // The last of several limits decides.
            Some(left) if left < 1.0 => used_up = Some(used_up.map_or(wait, |other| other.max(wait))),
            Some(_) => {}
            None => unknown = Some(unknown.map_or(wait, |other| other.min(wait))),
        }
    }
    used_up.or(unknown)
}

/// A time from now: with units, in seconds, as seconds or milliseconds since 1970, or as a date.
fn moment(text: &str, now: SystemTime) -> Option<Duration> {
    let Ok(number) = text.parse::<f64>() else {
        return duration(text).or_else(|| {
            let at = httpdate::parse_http_date(text).ok().or_else(|| timestamp(text))?;
            Some(at.duration_since(now).unwrap_or_default())
        });
    };
    let since_1970 = now.duration_since(SystemTime::UNIX_EPOCH).ok()?.as_secs_f64();
    // Nobody asks for a wait of three years, and no clock is so far off.
    let at = match number {
        n if n >= 1e11 => n / 1e3,
        n if n >= 1e8 => n,
        n => return seconds(n),
    };
    seconds((at - since_1970).max(0.0))
}

/// The first member of a body, however deep, whose name says that it holds a wait.
fn in_members(value: &Value, depth: usize) -> Option<Duration> {
    if depth > DEPTH_MAX {
        return None;
    }
    match value {
        Value::Object(members) => members
            .iter()
            .find_map(|(name, value)| {
                let name = name.to_lowercase().replace(['_', '-'], "");
                MEMBERS.contains(&name.as_str()).then(|| member(&name, value))?
            })
            .or_else(|| members.values().find_map(|value| in_members(value, depth + 1))),
        Value::Array(items) => items.iter().find_map(|item| in_members(item, depth + 1)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

fn member(name: &str, value: &Value) -> Option<Duration> {
    let unit = if name.ends_with("ms") { 1e-3 } else { 1.0 };
    match value {
        Value::Number(number) => seconds(number.as_f64()? * unit),
        Value::String(text) => match text.trim().parse::<f64>() {
            Ok(number) => seconds(number * unit),
            Err(_) => duration(text),
        },
        // Google's `Duration` as an object.
        Value::Object(parts) => {
            let part = |name: &str| parts.get(name).and_then(Value::as_f64).unwrap_or(0.0);
            seconds(part("seconds") + part("nanos") * 1e-9)
        }
        Value::Null | Value::Bool(_) | Value::Array(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderName;

    use super::*;

    /// 29 November 2026, 00:00:00 UTC.
    const NOW: u64 = 1_795_910_400;

    fn read(headers: &[(&'static str, &str)], body: &str) -> Option<f64> {
        let headers = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()))
            .collect();
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(NOW);
        told(&headers, body.as_bytes(), now).map(|wait| wait.as_secs_f64())
    }

    #[test]
    fn retry_after_is_read_in_every_form_and_bounded() {
        for (name, value, wait) in [
            ("retry-after", "2", Some(2.0)),
            ("retry-after", "0.5", Some(0.5)),
            ("retry-after", " 3 ", Some(3.0)),
            ("retry-after", "17s", Some(17.0)),
            ("retry-after-ms", "250", Some(0.25)),
            ("retry-after", "Sun, 29 Nov 2026 00:00:20 GMT", Some(20.0)),
            ("retry-after", "Sat, 28 Nov 2026 00:00:20 GMT", Some(0.0)),
            ("retry-after", "1e9", Some(3600.0)),
            ("retry-after", "soon", None),
            ("retry-after", "-1", None),
        ] {
            assert_eq!(read(&[(name, value)], ""), wait, "{name}: {value}");
        }
    }

    #[test]
    fn the_message_s_words_are_read() {
        for (message, wait) in [
            (
                "Rate limit reached for m on requests per day: Limit 200, Used 200. Please try again in 7m12s.",
                Some(432.0),
            ),
            ("Please try again in 20s. Visit https://h/rate-limits", Some(20.0)),
            ("try again in 1.5 seconds", Some(1.5)),
            ("Please retry after 3 minutes.", Some(180.0)),
            ("Please retry after 6 seconds.", Some(6.0)),
            ("Try again in 6ms", Some(0.006)),
            ("Please try again in 1h2m3.5s", Some(3600.0)),
            ("try again in 2m3.5s, or upgrade", Some(123.5)),
            (
                "You must wait at least 1 minute and 30 seconds before the next request",
                Some(90.0),
            ),
            ("Please wait for about 45 sec", Some(45.0)),
            ("Wait a minute and try again", Some(60.0)),
            ("retry-after: 12 s", Some(12.0)),
            ("Your quota resets in 12 mins.", Some(720.0)),
            ("The model will be available again in 30 seconds", Some(30.0)),
            ("Please try again in PT1M30S", Some(90.0)),
            ("Time until reset: 00:01:10", Some(70.0)),
            ("Please try again in 1:10.", Some(70.0)),
            ("Retry after 00:01:10", Some(70.0)),
            ("Retry after 14:05:00 UTC", None),
            ("Resets at 14:05:00", None),
            ("Try again at 12:30", None),
            ("Wait until 00:10:00", None),
            ("Wait time: 00:01:10", Some(70.0)),
            ("Reset time: 14:05:00", None),
            ("The time until the reset is 0:45", Some(45.0)),
            ("Time until reset: PT1M10S", Some(70.0)),
            (
                "The rate limit of this model will reset at the time 2026-11-29T00:01:10Z.",
                Some(70.0),
            ),
            ("Limit resets 2026-11-29T01:01:10+01:00", Some(70.0)),
            (
                "Quota available again from 2026-11-29 00:01:10 UTC on",
                Some(70.0),
            ),
            ("Please try again. Period: PT1M10S", None),
            ("Retry later (it was sent at 2026-11-28T23:59:00Z)", None),
            ("Sent at 2026-11-29T00:01:10Z", None),
            ("Bitte versuchen Sie es in 70 Sekunden erneut.", Some(70.0)),
            (
                "Fehler 429: Bitte warten Sie etwa 1 Minute und 10 Sekunden",
                Some(70.0),
            ),
            (
                "Höchstens 60 Anfragen in 60 Sekunden, erneut versuchen in 70 Sekunden",
                Some(70.0),
            ),
            (
                "Sie haben das Limit von 60 Anfragen in 60 Sekunden erreicht und können es in 70 Sekunden erneut versuchen",
                Some(70.0),
            ),
            ("Erneut versuchen: höchstens 60 Anfragen in 60 Sekunden", None),
            (
                "Trop de requêtes. Veuillez réessayer dans 70 secondes.",
                Some(70.0),
            ),
            ("Veuillez patienter 70 secondes", Some(70.0)),
            ("Nouvel essai dans 70 secondes", Some(70.0)),
            ("Réessayez plus tard : 60 requêtes par 60 secondes", None),
            ("Inténtelo de nuevo en 70 segundos", Some(70.0)),
            ("Espere 70 segundos, por favor", Some(70.0)),
            ("Vuelva a intentarlo dentro de un minuto", Some(60.0)),
            ("El límite es de 60 solicitudes en 60 segundos", None),
            ("请求过于频繁，请在 70 秒后重试", Some(70.0)),
            ("每60秒最多60次，请1分钟10秒之后再试", Some(70.0)),
            ("请等待70秒", Some(70.0)),
            ("每60秒最多60次，请稍后重试", None),
            ("60 requests per minute: try again later", None),
            ("Limit resets every 60 seconds", None),
            ("You have 3 minutes of audio left", None),
            ("Too many requests: wait and try again later", None),
            ("Please try again in 5", None),
            ("limit 60 s", None),
        ] {
            assert_eq!(read(&[], message), wait, "{message}");
            let inside = serde_json::json!({"error": {"message": message, "code": "rate_limit_exceeded"}});
            assert_eq!(read(&[], &inside.to_string()), wait, "{inside}");
        }
    }

    #[test]
    fn members_of_a_body_are_read() {
        for (body, wait) in [
            (
                r#"{"error":{"code":429,"details":[{"@type":"type.googleapis.com/google.rpc.Help"},{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"17s"}]}}"#,
                17.0,
            ),
            (r#"{"retry_delay":{"seconds":3,"nanos":500000000}}"#, 3.5),
            (r#"{"message":"slow down","retry_after":20}"#, 20.0),
            (r#"{"error":{"metadata":{"Retry-After":"8"}}}"#, 8.0),
            (r#"{"retry_after_ms":1500}"#, 1.5),
            (
                r#"{"error":"Model m is currently loading","estimated_time":20.5}"#,
                20.5,
            ),
            (r#"[{"error":{"details":[{"retryDelay":"0.25s"}]}}]"#, 0.25),
            (r#"{"error":{"timeUntilReset":"00:01:10"}}"#, 70.0),
            (r#"{"limit":{"reset_at":"2026-11-29T00:01:10Z"}}"#, 70.0),
            (r#"{"message":"\u8bf7\u572870\u79d2\u540e\u91cd\u8bd5"}"#, 70.0),
        ] {
            assert_eq!(read(&[], body), Some(wait), "{body}");
        }
        assert_eq!(read(&[], r#"{"retry_after":null}"#), None);
    }

    #[test]
    fn a_used_up_limit_s_reset_is_read_and_another_s_is_not() {
        assert_eq!(read(&[("x-ratelimit-reset-requests", "6m0s")], ""), Some(360.0));
        let both = [
            ("x-ratelimit-remaining-requests", "4999"),
            ("x-ratelimit-reset-requests", "12ms"),
            ("x-ratelimit-remaining-tokens", "0"),
            ("x-ratelimit-reset-tokens", "7.66s"),
        ];
        assert_eq!(read(&both, ""), Some(7.66));
        assert_eq!(
            read(
                &[
                    ("x-ratelimit-remaining-requests", "10"),
                    ("x-ratelimit-reset-requests", "60")
                ],
                ""
            ),
            None
        );
        assert_eq!(
            read(&[("x-ratelimit-reset", "1795910430")], ""),
            Some(30.0),
            "seconds since 1970"
        );
        assert_eq!(
            read(&[("x-ratelimit-reset", "1795910430000")], ""),
            Some(30.0),
            "milliseconds"
        );
        assert_eq!(read(&[("ratelimit-reset", "45")], ""), Some(45.0));
        let anthropic = [
            ("anthropic-ratelimit-requests-remaining", "0"),
            ("anthropic-ratelimit-requests-reset", "2026-11-29T00:00:50Z"),
        ];
        assert_eq!(read(&anthropic, ""), Some(50.0));
    }

    #[test]
    fn what_is_said_of_this_refusal_beats_what_is_said_of_limits() {
        let headers = [("retry-after", "5"), ("x-ratelimit-reset-tokens", "60s")];
        assert_eq!(read(&headers, "try again in 90s"), Some(5.0));
        assert_eq!(read(&headers[1..], "try again in 90s"), Some(90.0));
    }
}
