//! What a failed call may have cost.
//!
//! | what came back | cost | reach |
//! |---|---|---|
//! | connection refused, name not found | none | everyone |
//! | 400, 413, 422 | none | this request |
//! | 401, 403, 404, 405 | none | the endpoint |
//! | 402, and any refusal that speaks of a used-up quota or credit | none | the run pauses |
//! | 429, 529 | none | everyone |
//! | other 5xx, reset, no answer | unknown | – |

use std::time::{Duration, SystemTime};

use gristmill_ports::model::{CallError, Scope};
use reqwest::header::HeaderMap;

/// Longest pause that a provider is believed.
const PAUSE_MAX: Duration = Duration::from_secs(3600);

/// How providers say that an account has no money or quota left: OpenAI with 429 or 400, Anthropic with 400, 402 or 403.
const EXHAUSTED: &[&str] = &[
    "insufficient_quota",
    "exceeded your current quota",
    "billing_hard_limit_reached",
    "credit balance is too low",
    "billing_error",
    "reached your specified API usage limits",
];

/// A call that brought no HTTP answer.
pub(crate) fn transport(error: &reqwest::Error, place: &str) -> CallError {
    let reason = format!("{place}: {}", chain(error));
    if error.is_connect() || error.is_builder() {
        CallError::NotBilled {
            reason,
            retry_after: None,
            scope: Scope::Throttled,
        }
    } else {
        CallError::Unknown {
            reason,
            retry_after: None,
        }
    }
}

/// The errors behind an error, without the URL that reqwest repeats.
fn chain(error: &reqwest::Error) -> String {
    let mut parts = Vec::new();
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        parts.push(error.to_string());
        source = error.source();
    }
    parts.pop().unwrap_or_else(|| {
        if error.is_timeout() {
            "no answer in time".into()
        } else {
            "the connection broke".into()
        }
    })
}

/// An HTTP status other than success, with the provider's message.
pub(crate) fn status(status: u16, headers: &HeaderMap, message: &str, place: &str) -> CallError {
    let reason = format!("{place} answered {status}: {message}");
    let retry_after = pause(headers, SystemTime::now());
    let scope = match status {
        402 => Scope::Quota,
        400 | 403 | 429 if EXHAUSTED.iter().any(|words| message.contains(words)) => Scope::Quota,
        400 | 413 | 422 => Scope::Request,
        401 | 403 | 404 | 405 => Scope::Endpoint,
        429 | 529 => Scope::Throttled,
        _ => return CallError::Unknown { reason, retry_after },
    };
    CallError::NotBilled {
        reason,
        retry_after,
        scope,
    }
}

/// `Retry-After` in seconds or as a date, or `retry-after-ms`.
fn pause(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = |name: &str| headers.get(name)?.to_str().ok();
    let millis = text("retry-after-ms")
        .and_then(|t| t.parse::<f64>().ok())
        .map(|ms| ms / 1e3);
    let seconds = millis.or_else(|| text("retry-after")?.parse::<f64>().ok());
    let pause = match seconds {
        Some(seconds) => Duration::try_from_secs_f64(seconds).ok()?,
        None => httpdate::parse_http_date(text("retry-after")?)
            .ok()?
            .duration_since(now)
            .ok()?,
    };
    Some(pause.min(PAUSE_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: &'static str, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(
            reqwest::header::HeaderName::from_static(name),
            value.parse().unwrap(),
        )])
    }

    #[test]
    fn pauses_are_read_in_every_form_and_bounded() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        let read = |name, value: &str| pause(&headers(name, value), now);
        assert_eq!(read("retry-after", "2"), Some(Duration::from_secs(2)));
        assert_eq!(read("retry-after-ms", "250"), Some(Duration::from_millis(250)));
        assert_eq!(
            read("retry-after", "Mon, 12 Jan 1970 13:47:00 GMT"),
            Some(Duration::from_secs(20))
        );
        assert_eq!(read("retry-after", "1e9"), Some(PAUSE_MAX));
        assert_eq!(read("retry-after", "soon"), None);
        assert_eq!(read("retry-after", "-1"), None);
    }

    #[test]
    fn only_what_provably_cost_nothing_is_not_billed() {
        let scope = |code, message: &str| match status(code, &HeaderMap::new(), message, "m") {
            CallError::NotBilled { scope, .. } => Some(scope),
            CallError::Unknown { .. } => None,
        };
        assert_eq!(scope(400, ""), Some(Scope::Request));
        assert_eq!(scope(401, ""), Some(Scope::Endpoint));
        assert_eq!(scope(429, "slow down"), Some(Scope::Throttled));
        assert_eq!(scope(429, "insufficient_quota"), Some(Scope::Quota));
        assert_eq!(
            scope(529, "Overloaded (overloaded_error)"),
            Some(Scope::Throttled)
        );
        assert_eq!(scope(402, "pay (billing_error)"), Some(Scope::Quota));
        let credit = "Your credit balance is too low to access the API. (invalid_request_error)";
        assert_eq!(scope(400, credit), Some(Scope::Quota));
        assert_eq!(
            scope(403, "not for you (permission_error)"),
            Some(Scope::Endpoint)
        );
        for code in [500, 502, 503, 504] {
            assert_eq!(scope(code, ""), None, "{code} may have been billed");
        }
    }
}
