//! What protects every answer, and which requests are refused before anything is looked at.

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;

use crate::session::{Session, same};
use crate::source::Refusal;

/// Only this server's own style sheet and script, no frame around it, forms to itself.
pub(crate) const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
                      form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

const HEADERS: [(HeaderName, &str); 6] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    // Not `no-referrer`, which takes the `Origin` from forms as well.
    (header::REFERRER_POLICY, "same-origin"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
];

/// Adds the headers that every answer has. What a session sees is kept by nobody.
pub(crate) async fn headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    response
}

/// Where nobody has to sign in, refuses a request by a name that is not this machine's: a page elsewhere could give its own name this address
/// (DNS rebinding) and read what it likes. An IP address cannot be taken over in that way.
pub(crate) fn check_host(headers: &HeaderMap) -> Result<(), Refusal> {
    let host = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok())
        .unwrap_or_default();
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|digit| digit.is_ascii_digit()) => name,
        Some(_) | None => host,
    };
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    if name.eq_ignore_ascii_case("localhost") || bare.parse::<std::net::IpAddr>().is_ok() {
        return Ok(());
    }
    Err(Refusal::new(
        StatusCode::MISDIRECTED_REQUEST,
        "Without tokens, this dashboard answers by its address or as `localhost` only. To reach it by another name, start it with `--tokens FILE`.",
    ))
}

/// Refuses a form that this session's page did not send: a page elsewhere can send one with the visitor's cookie, and knows neither the form's token
/// nor how to say that it comes from here.
pub(crate) fn check_form(headers: &HeaderMap, session: &Session, token: Option<&str>) -> Result<(), Refusal> {
    check_origin(headers)?;
    match token {
        Some(token) if same(token, &session.form_token) => Ok(()),
        Some(_) | None => Err(Refusal::forbidden(
            "The form is from another session: nothing was done. Go back, load the page again and send it once more.",
        )),
    }
}

/// Refuses what another site sends. Browsers name the site with every POST.
pub(crate) fn check_origin(headers: &HeaderMap) -> Result<(), Refusal> {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let host = text(header::HOST).unwrap_or_default();
    let here = match (
        text(header::ORIGIN),
        text(HeaderName::from_static("sec-fetch-site")),
    ) {
        (Some(origin), _) => origin
            .split_once("://")
            .is_some_and(|(_, origin)| !host.is_empty() && origin.eq_ignore_ascii_case(host)),
        (None, Some(site)) => site == "same-origin",
        (None, None) => {
            return Err(Refusal::forbidden(format!(
                "The form does not say where it comes from, as every browser does: nothing was done. A program sends `Origin: http://{host}`, and a proxy in \
                 front of this server must pass that header on."
            )));
        }
    };
    match here {
        true => Ok(()),
        false => Err(Refusal::forbidden(format!(
            "The form does not come from this server: nothing was done. A proxy in front of it must pass `Host` on as the browser sends it (here it is `{host}`)."
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pairs = pairs
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        pairs.collect()
    }

    #[test]
    fn names_of_others_are_refused() {
        for host in [
            "localhost:7070",
            "127.0.0.1:7070",
            "[::1]:7070",
            "10.0.0.7",
            "LOCALHOST",
        ] {
            assert!(check_host(&with(&[("host", host)])).is_ok(), "{host}");
        }
        for host in [
            "evil.example:7070",
            "localhost.evil.example",
            "127.0.0.1.evil.example:7070",
            "",
        ] {
            assert!(check_host(&with(&[("host", host)])).is_err(), "{host}");
        }
    }

    #[test]
    fn forms_of_other_sites_are_refused() {
        let ok = |pairs: &[(&'static str, &'static str)]| check_origin(&with(pairs)).is_ok();
        assert!(ok(&[("host", "a:7070"), ("origin", "http://a:7070")]));
        assert!(ok(&[("host", "a"), ("origin", "https://a")]));
        assert!(!ok(&[("host", "a:7070"), ("origin", "http://b:7070")]));
        assert!(!ok(&[("host", "a:7070"), ("origin", "http://a:7071")]));
        assert!(!ok(&[("host", "a"), ("origin", "null")]));
        assert!(!ok(&[("host", "a")]));
        let told = check_origin(&with(&[("host", "a:7070")])).unwrap_err().text;
        assert!(told.contains("`Origin: http://a:7070`"), "{told}");
        assert!(ok(&[("host", "a"), ("sec-fetch-site", "same-origin")]));
        assert!(!ok(&[("host", "a"), ("sec-fetch-site", "same-site")]));
    }
}
