//! Requests that failed, counted where their status is known. The name is that of [`gristmill_ports::metric`].

use gristmill_ports::metric;
use metrics::counter;

/// An answer with a status other than success, or that states one.
pub(crate) fn status(model: &str, status: u16) {
    failed(model, status.to_string());
}

/// No answer came.
pub(crate) fn no_answer(model: &str, error: &reqwest::Error) {
    let code = if error.is_connect() || error.is_builder() {
        "connection"
    } else if error.is_timeout() {
        "timeout"
    } else {
        "broken"
    };
    failed(model, code.to_owned());
}

/// An answer broke off, or was too large.
pub(crate) fn broken(model: &str) {
    failed(model, "broken".to_owned());
}

/// An answer of success that cannot be read.
pub(crate) fn unreadable(model: &str) {
    failed(model, "unreadable".to_owned());
}

fn failed(model: &str, code: String) {
    counter!(metric::CALL_ERRORS, "model" => model.to_owned(), "code" => code).increment(1);
}
