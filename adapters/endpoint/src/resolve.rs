//! Host names that stand for link-local addresses are not resolved: clouds serve a machine's own credentials there.

use std::net::SocketAddr;

use gristmill_domain::egress::is_link_local;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// A name has none but link-local addresses.
#[derive(Debug, thiserror::Error)]
#[error(
    "`{0}` stands for a link-local address, to which no request is sent unless `--endpoints` (GRISTMILL_ENDPOINTS) names the host"
)]
struct LinkLocal(String);

/// The system's resolver, without link-local addresses.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NoLinkLocal;

impl Resolve for NoLinkLocal {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            // The port is put in later, by whoever connects.
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let allowed: Vec<SocketAddr> = found.filter(|address| !is_link_local(address.ip())).collect();
            if allowed.is_empty() {
                return Err(Box::new(LinkLocal(name.as_str().to_owned())) as _);
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}
