//! The sockets: HTTP/1.1 with keep-alive on a thread of its own.

use std::convert::Infallible;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::thread::JoinHandle;

use bytes::Bytes;
use http_body_util::{BodyExt, Either, Full, Limited};
use hyper::body::{Body, Frame, Incoming};
use hyper::header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, oneshot};

use super::batch;
use super::books::{Bill, BillPage, Stats};
use super::config::{self, Config, Faults};
use super::key::{self, AnswerKey};
use super::prompt::Kind;
use super::service::{Outcome, Planned, Service};
use super::speech::Speech;
use super::wire::Refusal;

/// Largest request body taken in, in bytes.
const BODY_MAX: usize = 16 << 20;
/// Largest body of a batch.
const BATCH_MAX: usize = 256 << 20;
/// Most calls on one page of the log.
const PAGE_MAX: usize = 10_000;

/// The service does not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A setting is out of range.
    #[error(transparent)]
    Config(#[from] config::Error),
    /// The answer key does not load.
    #[error(transparent)]
    Key(#[from] key::Error),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}; give a free address such as 127.0.0.1:0")]
    Listen {
        /// The address.
        address: String,
        /// Why.
        source: std::io::Error,
    },
    /// No thread or event loop could be had.
    #[error("cannot start the service's thread")]
    Thread(#[source] std::io::Error),
}

/// A running service; dropped, it stops and closes its connections.
#[derive(Debug)]
pub struct Sim {
    address: SocketAddr,
    service: Arc<Service>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Sim {
    /// Loads the key and starts to listen. Blocks until the socket accepts connections, needs no async runtime.
    ///
    /// # Errors
    /// A bad setting, an unreadable key, an address in use.
    pub fn start(config: Config) -> Result<Self, Error> {
        let key = Arc::new(AnswerKey::load(&config.key)?);
        Self::start_with(config, key)
    }

    /// As [`Sim::start`], with a key loaded before; `config.key` is not read.
    ///
    /// # Errors
    /// A bad setting, an address in use.
    pub fn start_with(config: Config, key: Arc<AnswerKey>) -> Result<Self, Error> {
        config.check()?;
        let listen_error = |source| Error::Listen {
            address: config.listen.clone(),
            source,
        };
        let listener = StdListener::bind(&config.listen).map_err(listen_error)?;
        listener.set_nonblocking(true).map_err(listen_error)?;
        let address = listener.local_addr().map_err(listen_error)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(Error::Thread)?;
        let service = Arc::new(Service::new(config, key));
        let (stop, stopped) = oneshot::channel();
        let shared = Arc::clone(&service);
        let thread = std::thread::Builder::new()
            .name("gristmill-sim".to_owned())
            .spawn(move || {
                runtime.block_on(async {
                    tokio::select! {
                        () = accept(listener, shared) => {}
                        _ = stopped => {}
                    }
                });
                // Open connections end with the runtime.
                runtime.shutdown_background();
            })
            .map_err(Error::Thread)?;
        Ok(Self {
            address,
            service,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// Base URL for both APIs, ending in `/v1`.
    pub fn url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// Address listened on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The truth about every question.
    pub fn key(&self) -> &Arc<AnswerKey> {
        &self.service.key
    }

    /// Everything billed so far.
    pub fn bill(&self) -> Bill {
        self.service.bill()
    }

    /// Billed calls from the offset on, in the order of billing.
    pub fn bill_page(&self, offset: usize, limit: usize) -> BillPage {
        self.service.books().page(offset, limit)
    }

    /// What happened so far.
    pub fn stats(&self) -> Stats {
        self.service.books().stats()
    }

    /// What was said in each billed chat request; empty unless [`Config::keep_prompts`] is set.
    pub fn prompts(&self) -> Vec<(Kind, String)> {
        self.service.books().prompts()
    }

    /// When each request came, refused ones included.
    pub fn arrivals(&self) -> Vec<std::time::Instant> {
        self.service.books().arrivals()
    }

    /// The faults in force.
    pub fn faults(&self) -> Faults {
        self.service.faults()
    }

    /// Replaces the faults from the next request on.
    ///
    /// # Errors
    /// A setting out of range; the faults stay as they were.
    pub fn set_faults(&self, faults: Faults) -> Result<(), config::Error> {
        faults.check()?;
        self.service.set_faults(faults);
        Ok(())
    }

    /// Forgets bill, statistics and attempt counts.
    pub fn reset(&self) {
        self.service.books().reset();
    }
}

impl Drop for Sim {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic of the thread was reported by its hook already.
            let _ = thread.join();
        }
    }
}

async fn accept(listener: StdListener, service: Arc<Service>) {
    let Ok(listener) = TcpListener::from_std(listener) else {
        return;
    };
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                tokio::spawn(connection(stream, Arc::clone(&service)));
            }
            // Out of descriptors: the backlog holds the callers until one is free.
            Err(_) => tokio::time::sleep(std::time::Duration::from_millis(10)).await,
        }
    }
}

async fn connection(stream: TcpStream, service: Arc<Service>) {
    let _ = stream.set_nodelay(true);
    let reset = Arc::new(Notify::new());
    let inner = Arc::clone(&reset);
    let handler = hyper::service::service_fn(move |request| {
        let (service, reset) = (Arc::clone(&service), Arc::clone(&inner));
        async move { Ok::<_, Infallible>(handle(&service, &reset, request).await) }
    });
    let mut connection =
        hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), handler);
    let was_reset = tokio::select! {
        // Errors here are the caller's: it went away, or spoke no HTTP.
        _ = &mut connection => false,
        () = reset.notified() => true,
    };
    if was_reset {
        let stream = connection.into_parts().io.into_inner();
        // With no time to linger, closing sends RST instead of FIN.
        let _ = stream.set_zero_linger();
    }
}

type Reply = Response<Either<Full<Bytes>, CutBody>>;

/// A body that breaks off after its first part.
struct CutBody {
    first: Option<Bytes>,
}

impl Body for CutBody {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        Poll::Ready(Some(match self.first.take() {
            Some(first) => Ok(Frame::data(first)),
            None => Err(std::io::ErrorKind::BrokenPipe.into()),
        }))
    }
}

/// Counts a request as open while it lives, also when the caller goes away in the middle.
struct Open<'a>(&'a Service);

impl<'a> Open<'a> {
    fn new(service: &'a Service) -> Self {
        service.books().opened();
        Self(service)
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.books().closed();
    }
}

async fn handle(service: &Service, reset: &Notify, request: Request<Incoming>) -> Reply {
    let (head, body) = request.into_parts();
    let path = head.uri.path();
    let model_call = matches!(path, "/v1/chat/completions" | "/v1/embeddings" | "/v1/messages");
    let _open = model_call.then(|| Open::new(service));
    let speech = if path == "/v1/messages" || path.starts_with("/v1/messages/") {
        Speech::Anthropic
    } else {
        Speech::Openai
    };
    let most = if path == "/v1/files" || path == "/v1/messages/batches" {
        BATCH_MAX
    } else {
        BODY_MAX
    };
    let body = match Limited::new(body, most).collect().await {
        Ok(body) => body.to_bytes(),
        Err(_) => {
            let message = format!("The body is over {most} bytes or broke off.");
            let (status, body) = speech.refusal(&Refusal::new(413, "too_large", message));
            return plain(status, &body);
        }
    };
    let open = path == "/v1/models" && service.config.listing.open;
    if path.starts_with("/v1/")
        && !open
        && let Err(refusal) = admitted(service, speech, path, &head.headers)
    {
        return send(service.refused(speech, refusal), reset).await;
    }
    match (&head.method, path) {
        (&Method::POST, "/v1/chat/completions" | "/v1/messages") => {
            send(service.chat(speech, &body), reset).await
        }
        (&Method::POST, "/v1/embeddings") => send(service.embeddings(&body), reset).await,
        (&Method::GET, "/v1/models") if service.config.listing.there => {
            plain(200, &json!({ "object": "list", "data": [listed(service)] }))
        }
        (&Method::GET, path) if path.strip_prefix("/v1/models/") == Some(&service.config.model) => {
            plain(200, &listed(service))
        }
        (method, path) => {
            let content_type = head.headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok());
            let (query, content_type) = (
                head.uri.query().unwrap_or_default(),
                content_type.unwrap_or_default(),
            );
            match service.batch(method.as_str(), path, query, content_type, &body) {
                Some(batch::Reply::Json(status, body)) => plain(status, &body),
                Some(batch::Reply::Reset) => {
                    reset.notify_one();
                    std::future::pending().await
                }
                Some(batch::Reply::Lines(lines)) => {
                    Response::new(Either::Left(Full::new(Bytes::from(lines))))
                }
                None => control(service, method, path, query, &body),
            }
        }
    }
}

/// The model, as a list of models shows it.
fn listed(service: &Service) -> Value {
    json!({
        "id": service.config.model, "object": "model", "owned_by": "gristmill",
        "shutdown_date": service.config.listing.shutdown_date,
    })
}

/// Whether a call carries the key, in the header of its API; both are good where the two APIs share a path.
fn admitted(
    service: &Service,
    speech: Speech,
    path: &str,
    headers: &hyper::HeaderMap,
) -> Result<(), Refusal> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let bearer = header("authorization").and_then(|value| value.strip_prefix("Bearer "));
    let keys = match speech {
        Speech::Anthropic => [header("x-api-key"), None],
        Speech::Openai if path == "/v1/models" => [bearer, header("x-api-key")],
        Speech::Openai => [bearer, None],
    };
    let wanted = service.config.api_key.as_deref();
    if wanted.is_some_and(|wanted| !keys.contains(&Some(wanted))) {
        return Err(Refusal::new(
            401,
            "invalid_api_key",
            "Incorrect API key provided.",
        ));
    }
    if speech == Speech::Anthropic && header("anthropic-version").is_none() {
        let message = "anthropic-version: header is required";
        return Err(Refusal::new(400, "invalid_request", message));
    }
    Ok(())
}

/// The routes by which harnesses look and steer.
fn control(service: &Service, method: &Method, path: &str, query: &str, body: &[u8]) -> Reply {
    match (method, path) {
        (&Method::GET, "/sim/bill") => plain(200, &json!(service.bill())),
        (&Method::GET, "/sim/bill/calls") => {
            let number = |name: &str, default: usize| {
                let pair = query
                    .split('&')
                    .filter_map(|pair| pair.split_once('='))
                    .find(|(n, _)| *n == name);
                pair.and_then(|(_, value)| value.parse().ok()).unwrap_or(default)
            };
            let page = service
                .books()
                .page(number("offset", 0), number("limit", 1000).min(PAGE_MAX));
            plain(200, &json!(page))
        }
        (&Method::GET, "/sim/stats") => plain(200, &json!(service.books().stats())),
        (&Method::GET, "/sim/faults") => plain(200, &json!(service.faults())),
        (&Method::POST, "/sim/faults") => match merged(&service.faults(), body) {
            Ok(faults) => {
                service.set_faults(faults.clone());
                plain(200, &json!(faults))
            }
            Err(message) => plain(400, &Refusal::new(400, "invalid_faults", message).body()),
        },
        (&Method::POST, "/sim/reset") => {
            service.books().reset();
            plain(200, &json!({ "reset": true }))
        }
        (method, path) => {
            let message = format!(
                "No {method} {path}. There are POST /v1/chat/completions, POST /v1/messages, POST /v1/embeddings, GET /v1/models, both APIs' batches, GET /sim/bill, \
                 GET /sim/bill/calls?offset=0&limit=1000, GET /sim/stats, GET and POST /sim/faults, POST /sim/reset."
            );
            plain(404, &Refusal::new(404, "not_found", message).body())
        }
    }
}

/// The faults with those fields replaced that the body names.
fn merged(faults: &Faults, body: &[u8]) -> Result<Faults, String> {
    let changes: serde_json::Map<String, Value> =
        serde_json::from_slice(body).map_err(|e| format!("the body must be a JSON object of faults: {e}"))?;
    let mut value = json!(faults);
    for (name, change) in changes {
        value[name] = change;
    }
    let faults: Faults = serde_json::from_value(value).map_err(|e| e.to_string())?;
    faults.check().map_err(|e| e.to_string())?;
    Ok(faults)
}

/// Waits and replies as planned.
async fn send(planned: Planned, reset: &Notify) -> Reply {
    if !planned.delay.is_zero() {
        tokio::time::sleep(planned.delay).await;
    }
    match planned.outcome {
        Outcome::Json {
            status,
            body,
            retry_after_ms: None,
        } => plain(status, &body),
        Outcome::Json {
            status,
            body,
            retry_after_ms: Some(ms),
        } => {
            let mut reply = plain(status, &body);
            reply.headers_mut().insert(RETRY_AFTER, ms.div_ceil(1000).into());
            reply.headers_mut().insert("retry-after-ms", ms.into());
            reply
        }
        Outcome::Cut(body) => {
            let whole = Bytes::from(body.to_string());
            let mut reply = Response::new(Either::Right(CutBody {
                first: Some(whole.slice(..whole.len() / 2)),
            }));
            reply.headers_mut().insert(CONTENT_LENGTH, whole.len().into());
            reply
        }
        Outcome::Reset => {
            reset.notify_one();
            // The connection ends here; this future goes with it.
            std::future::pending().await
        }
        Outcome::Hang => {
            let mut reply = plain(
                504,
                &Refusal::new(504, "timeout", "The upstream timed out.").body(),
            );
            reply
                .headers_mut()
                .insert(CONNECTION, hyper::header::HeaderValue::from_static("close"));
            reply
        }
    }
}

fn plain(status: u16, body: &Value) -> Reply {
    let mut reply = Response::new(Either::Left(Full::new(Bytes::from(body.to_string()))));
    *reply.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    reply.headers_mut().insert(
        CONTENT_TYPE,
        hyper::header::HeaderValue::from_static("application/json"),
    );
    reply
}
