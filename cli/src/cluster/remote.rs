//! Speaking to a coordinator.

use std::time::Duration;

use anyhow::{Chain, Context, anyhow};
use gristmill_proto::v1::coordinator_client::CoordinatorClient;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use tonic::{Code, Request, Status};

use super::read;
use crate::args::ServerArgs;
use crate::failure::Failure;

/// Time to reach the server.
const CONNECT: Duration = Duration::from_secs(10);
/// The largest answer that is taken, bytes: a row's history holds every completion.
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// A coordinator at the other end.
pub(crate) type Remote = CoordinatorClient<InterceptedService<Channel, Token>>;

/// Shows the token with every call.
#[derive(Clone)]
pub(crate) struct Token(Option<MetadataValue<Ascii>>);

impl Interceptor for Token {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(token) = &self.0 {
            request.metadata_mut().insert("authorization", token.clone());
        }
        Ok(request)
    }
}

/// Connects to the coordinator.
pub(crate) async fn connect(args: &ServerArgs) -> Result<Remote, Failure> {
    let channel = channel(args).await.map_err(Failure::Input)?;
    let token = token(args).map_err(Failure::Input)?;
    Ok(CoordinatorClient::with_interceptor(channel, token).max_decoding_message_size(ANSWER_BYTES_MAX))
}

async fn channel(args: &ServerArgs) -> anyhow::Result<Channel> {
    let server = &args.server;
    let mut endpoint = Endpoint::from_shared(server.clone())
        .with_context(|| format!("`{server}` is no address: write http://HOST:PORT"))?
        .connect_timeout(CONNECT);
    if server.starts_with("https://") {
        let mut tls = ClientTlsConfig::new().with_native_roots();
        if let Some(ca) = &args.access.ca {
            tls = tls.ca_certificate(Certificate::from_pem(read(ca)?));
        }
        if let (Some(cert), Some(key)) = (&args.access.client_cert, &args.access.client_key) {
            tls = tls.identity(Identity::from_pem(read(cert)?, read(key)?));
        }
        endpoint = endpoint.tls_config(tls)?;
    }
    endpoint
        .connect()
        .await
        .with_context(|| format!("the coordinator at {server} cannot be reached"))
}

fn token(args: &ServerArgs) -> anyhow::Result<Token> {
    let text = match &args.access.token_file {
        Some(file) => Some(String::from_utf8(read(file)?).context("the token is no text")?),
        None => std::env::var("GRISTMILL_TOKEN").ok(),
    };
    let Some(text) = text else {
        return Ok(Token(None));
    };
    let mut value: MetadataValue<Ascii> = format!("Bearer {}", text.trim())
        .parse()
        .map_err(|_| anyhow!("the token holds characters that no token has"))?;
    value.set_sensitive(true);
    Ok(Token(Some(value)))
}

/// What the server refused, as the way this program ends.
pub(crate) fn refused(status: &Status) -> Failure {
    let error = anyhow!("{}", status.message().to_owned());
    // Not the coordinator's word: a server that refuses a certificate ends the connection, which shows with the first request.
    if let Some(cause) = std::error::Error::source(status).and_then(|error| Chain::new(error).last()) {
        return Failure::Other(anyhow!("the connection to the coordinator broke: {cause}"));
    }
    match status.code() {
        Code::InvalidArgument
        | Code::NotFound
        | Code::AlreadyExists
        | Code::FailedPrecondition
        | Code::Aborted
        | Code::PermissionDenied
        | Code::Unauthenticated
        | Code::ResourceExhausted => Failure::Input(error),
        code => Failure::Other(error.context(format!("the coordinator answered: {code}"))),
    }
}
