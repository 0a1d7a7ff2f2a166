//! What a failed call may have cost.
//!
//! | what came back | cost | reach |
//! |---|---|---|
//! | connection refused, name not found | none | everyone |
//! | 400, 411, 413, 414, 415, 422, 431, 451, and a 403 about what the prompt says | none | this request |
//! | redirects, 401, 403, 404, 405, 406, 410, 421, 426, 501, 505, and a 400 about the key or the account | none | the endpoint |
//! | 402, and any refusal that speaks of a used-up quota or credit, or of a limit by the day | none | the run pauses |
//! | 408, 425, 429, 529, and a 503 from a server that says that no model took the request | none | everyone |
//! | other 5xx | none, where the endpoint is known not to bill them; else unknown | – |
//! | reset, no answer | unknown | – |

use std::time::Duration;

use gristmill_domain::refusal::is_about_one_prompt;
use gristmill_ports::model::{CallError, Scope, answered_with};

/// How providers say that an account has no money or quota left: OpenAI with 429 or 400, Anthropic with 400, 402 or 403.
const EXHAUSTED: &[&str] = &[
    "insufficient_quota",
    "exceeded your current quota",
    "billing_hard_limit_reached",
    "credit balance is too low",
    "billing_error",
    "reached your specified API usage limits",
];

/// How Google names the limits of a day, beside a message that it sends for limits of a minute, too.
const BY_THE_DAY: &str = "PerDay";
/// How Google names the limits of a minute.
const BY_THE_MINUTE: &str = "PerMinute";

/// How Google says with 400 that a key is wrong, or that the account may not use the API: for want of billing, or where it is.
const NOT_ADMITTED: [&str; 2] = ["API_KEY_INVALID", "FAILED_PRECONDITION"];

/// How servers say with 503 that the request reached no model: llama.cpp and Hugging Face while a model is loaded, gateways (Envoy, HAProxy,
/// Kubernetes) that have nowhere to send it, and servers that turn a request away at the door.
const NOT_BEGUN: &[&str] = &[
    "loading model",
    "is currently loading",
    "is loading",
    "no healthy upstream",
    "no server is available",
    "no endpoints available",
    "no available server",
    "no instances available",
    "overloaded_error",
    "engine is currently overloaded",
    // Google, which bills no failure (its "Gemini API billing FAQs").
    "the model is overloaded",
    "model is currently experiencing high demand",
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

/// A refusal over HTTP.
pub(crate) struct Refused<'a> {
    /// A status other than success.
    pub(crate) status: u16,
    /// The wait that it asks for.
    pub(crate) retry_after: Option<Duration>,
    /// The provider's message.
    pub(crate) message: &'a str,
    /// Whether the provider bills a request that it fails (5xx).
    pub(crate) billed_on_error: bool,
}

/// What a refusal means.
pub(crate) fn refused(refused: Refused<'_>, place: &str) -> CallError {
    let Refused {
        status,
        retry_after,
        message,
        billed_on_error,
    } = refused;
    let reason = answered_with(place, status, message);
    let scope = match status {
        402 => Scope::Quota,
        429 if message.contains(BY_THE_DAY) => Scope::Quota,
        429 if message.contains(BY_THE_MINUTE) => Scope::Throttled,
        400 | 403 | 429 if EXHAUSTED.iter().any(|words| message.contains(words)) => Scope::Quota,
        403 if is_about_one_prompt(message) => Scope::Request,
        400 if NOT_ADMITTED.iter().any(|code| message.contains(code)) => Scope::Endpoint,
        400 | 411 | 413 | 414 | 415 | 422 | 431 | 451 => Scope::Request,
        // Redirects are not followed: one would take the key to another host.
        300..=399 | 401 | 403 | 404 | 405 | 406 | 410 | 421 | 426 | 501 | 505 => Scope::Endpoint,
        408 | 425 | 429 | 529 => Scope::Throttled,
        503 if NOT_BEGUN
            .iter()
            .any(|words| message.to_lowercase().contains(words)) =>
        {
            Scope::Throttled
        }
        500..=599 if !billed_on_error => Scope::Failed,
        _ => return CallError::Unknown { reason, retry_after },
    };
    CallError::NotBilled {
        reason,
        retry_after,
        scope,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(status: u16, message: &str, billed_on_error: bool) -> CallError {
        let answer = Refused {
            status,
            retry_after: None,
            message,
            billed_on_error,
        };
        refused(answer, "m")
    }

    #[test]
    fn only_what_provably_cost_nothing_is_not_billed() {
        let scope = |code, message: &str| match of(code, message, true) {
            CallError::NotBilled { scope, .. } => Some(scope),
            CallError::Unknown { .. } | CallError::Unreadable { .. } => None,
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
        assert_eq!(scope(403, "your input was flagged"), Some(Scope::Request));
        assert_eq!(scope(308, ""), Some(Scope::Endpoint));
        let key = "API key not valid. (INVALID_ARGUMENT, API_KEY_INVALID)";
        assert_eq!(scope(400, key), Some(Scope::Endpoint));
        let google = |limit| format!("You exceeded your current quota (RESOURCE_EXHAUSTED, {limit})");
        for (limit, wanted) in [
            ("GenerateContentInputTokensPerModelPerMinute", Scope::Throttled),
            (
                "GenerateRequestsPerDayPerProjectPerModel, GenerateRequestsPerMinutePerProjectPerModel",
                Scope::Quota,
            ),
            ("RATE", Scope::Quota),
        ] {
            assert_eq!(scope(429, &google(limit)), Some(wanted), "{limit}");
        }
        let high = "The model is overloaded. Please try again later. (UNAVAILABLE)";
        assert_eq!(scope(503, high), Some(Scope::Throttled));
        assert_eq!(scope(415, ""), Some(Scope::Request));
        assert_eq!(
            scope(503, "Loading model (unavailable_error)"),
            Some(Scope::Throttled)
        );
        assert_eq!(scope(503, "no healthy upstream"), Some(Scope::Throttled));
        for code in [500, 502, 503, 504, 409] {
            assert_eq!(scope(code, ""), None, "{code} may have been billed");
        }
    }

    #[test]
    fn failures_of_an_endpoint_that_does_not_bill_them_cost_nothing() {
        let free = |code| match of(code, "", false) {
            CallError::NotBilled { scope, .. } => scope == Scope::Failed,
            CallError::Unknown { .. } | CallError::Unreadable { .. } => false,
        };
        assert!([500, 502, 503, 504, 520].into_iter().all(free));
        assert!(!free(409), "only what the server calls its own failure");
    }
}
