//! Who asks: found by the session's cookie before a page is made.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};

use crate::app::App;
use crate::guard::check_host;
use crate::layout::refused;
use crate::link::encoded;
use crate::session::Session;

/// The cookie that holds a session's id. Browsers send a host's cookies to all of its ports, so two dashboards of a machine need two names.
fn cookie_name(headers: &HeaderMap) -> String {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let port = host.and_then(|host| host.rsplit_once(':')).map(|(_, port)| port);
    match port.filter(|port| !port.is_empty() && port.bytes().all(|digit| digit.is_ascii_digit())) {
        Some(port) => format!("gristmill_session_{port}"),
        None => "gristmill_session".to_owned(),
    }
}

/// Who asks.
#[derive(Clone)]
pub(crate) struct Visitor {
    pub(crate) session: Session,
    /// The session's id, where a stream looks whether it goes on.
    pub(crate) id: String,
    /// The visitor has signed in, and can sign out.
    pub(crate) signed_in: bool,
}

/// With an answer to somebody who was let in: whoever serves the connection may let it last.
#[derive(Debug, Clone, Copy)]
pub struct Known;

/// The other end of a request's connection, which whoever serves it says with an extension.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub IpAddr);

/// Where a request comes from. A proxy on this machine says for whom it asks; what a proxy elsewhere says is not believed, for anybody may say it.
pub(crate) fn address(peer: Option<Peer>, headers: &HeaderMap) -> IpAddr {
    let Peer(peer) = peer.unwrap_or(Peer(Ipv4Addr::UNSPECIFIED.into()));
    let named = headers.get_all("x-forwarded-for").iter().next_back();
    let named = named.and_then(|names| names.to_str().ok());
    let last = named.and_then(|names| names.rsplit(',').next()?.trim().parse().ok());
    match last {
        Some(address) if peer.is_loopback() => address,
        Some(_) | None => peer,
    }
}

/// Lets in whoever has a session; where everyone is let in, opens one. Others are shown where to sign in.
pub(crate) async fn enter(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    let open = app.source.who(None);
    if open.is_some()
        && let Err(refusal) = check_host(request.headers())
    {
        return refused(&refusal, None);
    }
    let shown = session_id(request.headers());
    let known = shown.and_then(|id| {
        let mut session = app.sessions.get(&id)?;
        session.who = app.source.still(session.who)?;
        Some((session, id))
    });
    let (visitor, fresh) = match (known, open) {
        (Some((session, id)), open) => (
            Visitor {
                session,
                id,
                signed_in: open.is_none(),
            },
            false,
        ),
        (None, Some(who)) => {
            let (id, session) = app.sessions.open(who);
            (
                Visitor {
                    session,
                    id,
                    signed_in: false,
                },
                true,
            )
        }
        (None, None) => return stranger(&request),
    };
    let cookie = fresh.then(|| cookie(&visitor.id, request.headers()));
    request.extensions_mut().insert(visitor);
    let mut response = next.run(request).await;
    response.extensions_mut().insert(Known);
    if let Some(cookie) = cookie {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

/// A page leads to the door and back. A page that is open has its stream say that the session is over, and goes there by itself: a browser does not
/// tell it with which status a stream was refused.
fn stranger(request: &Request) -> Response {
    if request.method() != Method::GET {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let accepts = request
        .headers()
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok());
    if accepts.is_some_and(|accepts| accepts.contains("event-stream")) {
        let over = "event: signed-out\ndata: -\n\n";
        return ([(header::CONTENT_TYPE, "text/event-stream")], over).into_response();
    }
    let wanted = request
        .uri()
        .path_and_query()
        .map_or("/", |wanted| wanted.as_str());
    Redirect::to(&format!("/sign-in?next={}", encoded(wanted))).into_response()
}

fn session_id(headers: &HeaderMap) -> Option<String> {
    let wanted = cookie_name(headers);
    let cookies = headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|line| line.to_str().ok());
    cookies
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, _)| *name == wanted)
        .map(|(_, id)| id.to_owned())
}

/// The cookie of a session. It is sent over TLS only where the visitor came over TLS, which a proxy in front says.
pub(crate) fn cookie(id: &str, headers: &HeaderMap) -> HeaderValue {
    let tls = headers
        .get("x-forwarded-proto")
        .is_some_and(|proto| proto == "https");
    let secure = if tls { "; Secure" } else { "" };
    let text = format!(
        "{}={id}; HttpOnly; SameSite=Strict; Path=/{secure}",
        cookie_name(headers)
    );
    // Hexadecimal digits and what stands above: it is a header's value.
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static(""))
}

/// A cookie that takes the session's away.
pub(crate) fn no_cookie(headers: &HeaderMap) -> HeaderValue {
    let text = format!(
        "{}=; HttpOnly; SameSite=Strict; Path=/; Max-Age=0",
        cookie_name(headers)
    );
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_proxy_on_this_machine_says_for_whom_it_asks() {
        let from = |peer: &str, forwarded: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert("x-forwarded-for", HeaderValue::from_static(forwarded));
            address(Some(Peer(peer.parse().unwrap())), &headers).to_string()
        };
        assert_eq!(
            from("127.0.0.1", "10.0.0.1, 192.0.2.7"),
            "192.0.2.7",
            "what the nearest proxy added"
        );
        assert_eq!(from("127.0.0.1", "nobody"), "127.0.0.1");
        assert_eq!(from("198.51.100.4", "192.0.2.7"), "198.51.100.4");
    }
}
