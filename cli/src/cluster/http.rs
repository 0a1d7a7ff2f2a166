//! `/livez`, `/readyz` and `/metrics` of a server, and a coordinator's dashboard: one request a connection, so that nobody holds one but who is
//! signed in to the dashboard.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use axum::extract::{ConnectInfo, Request};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use gristmill_dashboard::Known;
use gristmill_telemetry::Metrics;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::connections::{CallerOf, Listener, connections_max};

/// The longest that a connection lasts, from its first byte to the end of its answer.
const CONNECTION_HOLDS: Duration = Duration::from_secs(10);
/// Connections that wait to be accepted. Clients try those that find no room again after a second.
const WAITING_MAX: u32 = 1_024;

/// Why a server is not ready; `None` when it is. Whether it lives never depends on its neighbours: starting it again would not mend them.
pub(crate) type Readiness = watch::Receiver<Option<String>>;

/// Serves until told to stop, in a process that may open so many files; `pages` is the dashboard, where there is one.
pub(crate) async fn serve(
    listener: TcpListener,
    open_files: u64,
    metrics: Metrics,
    ready: Readiness,
    pages: Option<Router>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let listener = Listener::new(listener, connections_max(open_files), CONNECTION_HOLDS);
    let metrics = Arc::new(metrics);
    let app = Router::new()
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
        .merge(pages.unwrap_or_default())
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
    request: Request,
    next: Next,
) -> Response {
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

/// Listens on an address.
pub(crate) fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
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
        format!("{address} cannot be listened on: is it taken? choose another with `--http`")
    })
}
