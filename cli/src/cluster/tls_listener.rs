//! A socket whose connections speak TLS. Handshakes run beside each other, so that a slow one holds up nobody; they end with their connection's time.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;

use anyhow::Context;
use axum::extract::connect_info::Connected;
use axum::serve::IncomingStream;
use futures::{Stream, StreamExt};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::connections::{CallerOf, Connection, Listener};
use super::read;

/// A server's certificate and key, read from PEM files, for HTTP/1.1.
pub(crate) fn server_config(certificate: &Path, key: &Path) -> anyhow::Result<ServerConfig> {
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&read(certificate)?)
        .collect::<Result<_, _>>()
        .with_context(|| format!("{} is not a certificate in PEM", certificate.display()))?;
    let secret = PrivateKeyDer::from_pem_slice(&read(key)?)
        .with_context(|| format!("{} is not a key in PEM", key.display()))?;
    let mut config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(chain, secret)
        .with_context(|| format!("{} cannot be used with {}", certificate.display(), key.display()))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// A socket that is listened on with TLS.
pub(crate) struct TlsListener {
    address: SocketAddr,
    incoming: Pin<Box<dyn Stream<Item = io::Result<Connection>> + Send>>,
    acceptor: TlsAcceptor,
    handshakes: JoinSet<io::Result<TlsStream<Connection>>>,
}

impl TlsListener {
    /// Connections of this socket, with TLS.
    pub(crate) fn new(listener: Listener, config: ServerConfig) -> io::Result<Self> {
        Ok(Self {
            address: axum::serve::Listener::local_addr(&listener)?,
            incoming: Box::pin(listener.incoming()),
            acceptor: TlsAcceptor::from(Arc::new(config)),
            handshakes: JoinSet::new(),
        })
    }
}

impl axum::serve::Listener for TlsListener {
    type Io = TlsStream<Connection>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, SocketAddr) {
        loop {
            tokio::select! {
                Some(Ok(connection)) = self.incoming.next() => {
                    self.handshakes.spawn(self.acceptor.accept(connection));
                }
                Some(Ok(ended)) = self.handshakes.join_next() => match ended {
                    Ok(stream) => return (stream, self.address),
                    // Port scanners and browsers that distrust the certificate: nothing that an operator can mend.
                    Err(error) => tracing::debug!(error = &error as &dyn std::error::Error, "a TLS handshake failed"),
                },
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}

/// Each request carries who is at the other end of the connection below TLS.
impl Connected<IncomingStream<'_, TlsListener>> for CallerOf {
    fn connect_info(stream: IncomingStream<'_, TlsListener>) -> Self {
        Self(stream.io().get_ref().0.caller())
    }
}
