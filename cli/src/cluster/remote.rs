//! Speaking to a coordinator.

use std::time::Duration;

use anyhow::{Chain, Context, anyhow, bail};
use gristmill_proto::v1::coordinator_client::CoordinatorClient;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use tonic::{Code, Request, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use super::{plaintext, read};
use crate::args::ServerArgs;
use crate::failure::Failure;

/// Time to reach the server.
const CONNECT: Duration = Duration::from_secs(10);
/// The largest answer that is taken, bytes: a row's history holds every completion.
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// How the client library says that an answer of HTTP is none of gRPC.
const NO_GRPC: &str = "grpc-status header missing";

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
    if !["http://", "https://"]
        .iter()
        .any(|scheme| server.starts_with(scheme))
    {
        let address = server
            .split_once("://")
            .map_or(server.as_str(), |(_, address)| address);
        bail!(
            "`{server}` is not the address of a coordinator: write `http://{address}`, or `https://{address}` where it has a certificate"
        );
    }
    plaintext::check(
        "the coordinator (`--server`)",
        server,
        "https",
        args.access.plaintext,
    )?;
    let mut endpoint = Endpoint::from_shared(server.clone())
        .with_context(|| format!("`{server}` is not the address of a coordinator: write `http://HOST:PORT`"))?
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
    let channel = endpoint
        .connect()
        .await
        .with_context(|| format!("the coordinator at {server} cannot be reached"))?;
    is_api(&channel, server).await?;
    Ok(channel)
}

/// Makes sure that it is a coordinator's API that answers: the address may be that of its metrics, or of something else.
async fn is_api(channel: &Channel, server: &str) -> anyhow::Result<()> {
    let mut health = HealthClient::new(channel.clone());
    let Err(status) = health.check(HealthCheckRequest::default()).await else {
        return Ok(());
    };
    let cause = match cause(&status) {
        // With TLS, the server may have refused a certificate: the request itself says so.
        Some(cause) if server.starts_with("http://") => cause,
        None if status.message().contains(NO_GRPC) => "it speaks HTTP alone".to_owned(),
        Some(_) | None => return Ok(()),
    };
    bail!(
        "what answers at {server} is not the API of a coordinator ({cause}): its port is that of `--listen`, 7071 unless set; the one of \
         `--http`, 7070 unless set, is for metrics"
    )
}

/// Why a connection broke; `None` for what the server itself has said.
fn cause(status: &Status) -> Option<String> {
    let source = std::error::Error::source(status)?;
    Chain::new(source).last().map(ToString::to_string)
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
    if let Some(cause) = cause(status) {
        return Failure::Other(anyhow!("the connection to the coordinator broke: {cause}"));
    }
    match status.code() {
        Code::Unauthenticated => Failure::Input(anyhow!(
            "{}\nhelp: pass `--token-file FILE`, or set GRISTMILL_TOKEN",
            status.message()
        )),
        Code::InvalidArgument
        | Code::NotFound
        | Code::AlreadyExists
        | Code::FailedPrecondition
        | Code::Aborted
        | Code::PermissionDenied
        | Code::ResourceExhausted => Failure::Input(error),
        // Its message says what cannot be used, and the way out.
        Code::Unavailable if !status.message().is_empty() => Failure::Other(error),
        code => Failure::Other(error.context(format!("the coordinator answered: {code}"))),
    }
}
