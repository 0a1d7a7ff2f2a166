//! The HTTP of servers: `/livez`, `/readyz` and `/metrics`, and a coordinator's dashboard. One request a connection, so that nobody holds one but who
//! is signed in to the dashboard.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use axum::extract::connect_info::Connected;
use axum::extract::{ConnectInfo, Request};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::serve::IncomingStream;
use gristmill_dashboard::{Known, Peer};
use gristmill_telemetry::Metrics;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::connections::{CallerOf, Listener, connections_max};

/// The longest that a connection lasts, from its first byte to the end of its answer. TLS is a part of it.
const CONNECTION_HOLDS: Duration = Duration::from_secs(10);
/// Connections that wait to be accepted. Clients try those that find no room again after a second.
const WAITING_MAX: u32 = 1_024;

/// Why a server is not ready; `None` when it is. Whether it lives never depends on its neighbours: starting it again would not mend them.
pub(crate) type Readiness = watch::Receiver<Option<String>>;

/// A socket for [`serve`], in a process that may open so many files.
pub(crate) fn listener(socket: TcpListener, open_files: u64) -> Listener {
    Listener::new(socket, connections_max(open_files), CONNECTION_HOLDS)
}

/// `/livez`, `/readyz` and `/metrics`.
pub(crate) fn probes(metrics: Metrics, ready: Readiness) -> Router {
    let metrics = Arc::new(metrics);
    Router::new()
        .route("/livez", get(async || "alive\n"))
        .route(
            "/readyz",
            get(async move || match &*ready.borrow() {
                None => (StatusCode::OK, "ready\n".to_owned()),
                Some(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")),
            }),
        )
        .route(
            "/metrics",
            get(async move || {
                (
                    [(header::CONTENT_TYPE, "text/plain; version=0.0.4")],
                    metrics.render(),
                )
            }),
        )
}

/// Serves pages until told to stop.
pub(crate) async fn serve<L>(listener: L, pages: Router, stop: CancellationToken) -> anyhow::Result<()>
where
    L: axum::serve::Listener,
    L::Addr: std::fmt::Debug,
    CallerOf: for<'a> Connected<IncomingStream<'a, L>>,
{
    let app = pages
        .layer(from_fn(no_grpc))
        .layer(from_fn(last_of_its_connection));
    axum::serve(listener, app.into_make_service_with_connect_info::<CallerOf>())
        .with_graceful_shutdown(async move { stop.cancelled().await })
        .await
        .context("the HTTP server failed")
}

/// A browser that is signed in keeps its connections; everybody else's end with the answer.
async fn last_of_its_connection(
    ConnectInfo(CallerOf(caller)): ConnectInfo<CallerOf>,
    mut request: Request,
    next: Next,
) -> Response {
    request.extensions_mut().insert(Peer(caller.address()));
    let mut response = next.run(request).await;
    match response.extensions().get::<Known>() {
        Some(Known) => caller.let_in(),
        None => {
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(header::CONNECTION, close);
        }
    }
    response
}

/// Answers clients of the API, who have the wrong port, without a page: they can say so then.
async fn no_grpc(request: Request, next: Next) -> Response {
    let kind = request.headers().get(header::CONTENT_TYPE);
    if kind.is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc")) {
        return StatusCode::UNSUPPORTED_MEDIA_TYPE.into_response();
    }
    next.run(request).await
}

/// Listens on an address, which an option named.
pub(crate) fn listen(address: SocketAddr, option: &str) -> anyhow::Result<TcpListener> {
    let listening = || {
        let socket = match address {
            SocketAddr::V4(_) => TcpSocket::new_v4(),
            SocketAddr::V6(_) => TcpSocket::new_v6(),
        }?;
        // As `TcpListener::bind` does: a server that starts again need not wait for its old connections to be forgotten.
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(WAITING_MAX)
    };
    listening().with_context(|| {
        format!("{address} cannot be listened on: is it taken? choose another with `{option}`")
    })
}
