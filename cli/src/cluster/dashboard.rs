//! Where a coordinator's dashboard is served: at an address of its own with TLS, or beside `/metrics`.

use std::net::SocketAddr;

use anyhow::ensure;
use axum::Router;
use axum::extract::Request;
use axum::http::HeaderValue;
use axum::middleware::{Next, from_fn};
use axum::response::Response;

use super::http;
use super::tls_listener::{self, TlsListener};
use crate::args::CoordinatorArgs;

/// Where the dashboard is.
pub(crate) enum Place {
    /// At an address of its own.
    Alone(TlsListener),
    /// At the address of `/metrics`.
    BesideProbes,
    /// It is not served, and the log says why.
    Nowhere,
}

impl Place {
    /// The place that the arguments name, where the tokens or the address say who may see it: the certificates of the API's clients are not asked for.
    pub(crate) fn of(args: &CoordinatorArgs, open_files: u64) -> anyhow::Result<Self> {
        let Some(address) = args.dashboard else {
            return Ok(beside_probes(args));
        };
        ensure!(
            args.tokens.is_some() || own_machine(args, address),
            "everyone who can reach {address} could use the dashboard: pass `--tokens FILE`, or a loopback address as `--dashboard`"
        );
        // Clap has seen that both are there.
        let (Some(certificate), Some(key)) = (&args.tls_cert, &args.tls_key) else {
            return Ok(Self::Nowhere);
        };
        let config = tls_listener::server_config(certificate, key)?;
        let socket = http::listener(http::listen(address, "--dashboard")?, open_files);
        tracing::info!("dashboard at https://{address}/");
        Ok(Self::Alone(TlsListener::new(socket, config)?))
    }
}

fn own_machine(args: &CoordinatorArgs, address: SocketAddr) -> bool {
    address.ip().is_loopback() && args.client_ca.is_none()
}

fn beside_probes(args: &CoordinatorArgs) -> Place {
    if args.tokens.is_none() && !own_machine(args, args.http) {
        tracing::info!(
            "no dashboard: with `--tokens FILE`, one would be served at {}",
            args.http
        );
        return Place::Nowhere;
    }
    if !args.http.ip().is_loopback() && !args.cluster.plaintext.plaintext {
        tracing::info!(
            "no dashboard: tokens would cross the network in the clear, since {} has no TLS; serve it with TLS by `--dashboard ADDRESS`, or pass \
             `--plaintext` where a proxy in front does",
            args.http
        );
        return Place::Nowhere;
    }
    tracing::info!("dashboard at http://{}/", args.http);
    Place::BesideProbes
}

/// The pages for an address with TLS: cookies are for TLS only, as behind a proxy that says so.
pub(crate) fn over_tls(pages: Router) -> Router {
    pages.layer(from_fn(async |mut request: Request, next: Next| -> Response {
        let https = HeaderValue::from_static("https");
        request.headers_mut().insert("x-forwarded-proto", https);
        next.run(request).await
    }))
}
