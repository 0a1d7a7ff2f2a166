//! What leaves the process, as collectors and log readers see it.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::{Arc, Mutex};

use gristmill_ports::trace::Propagator;
use opentelemetry_otlp::Protocol;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_sdk::trace::SdkTracerProvider;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tracing::Dispatch;
use tracing::field::Empty;
use tracing_subscriber::fmt::writer::BoxMakeWriter;
use tracing_subscriber::layer::SubscriberExt;

use crate::W3c;
use crate::init::{logs, traces};
use crate::lines::Form;
use crate::otlp::provider_to;

const CANARY: &str = "canary-5b1f";

#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        Write::write(&mut *self.0.lock().unwrap(), bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Written {
    fn writer(&self) -> BoxMakeWriter {
        let written = self.clone();
        BoxMakeWriter::new(move || written.clone())
    }

    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

/// A call as the product makes them, and one by somebody who has not read the rules.
fn speak() {
    let span = tracing::info_span!(
        "model_call",
        otel.name = "chat teacher-1",
        otel.kind = "client",
        gen_ai.operation.name = "chat",
        gen_ai.usage.input_tokens = 17_u64,
        prompt = CANARY,
        completion = Empty,
        gen_ai.input.messages = CANARY,
    );
    let _entered = span.enter();
    span.record("completion", CANARY);
    let chain = std::io::Error::other(std::io::Error::other("the disk is full"));
    tracing::warn!(
        authorization = format!("Bearer {CANARY}"),
        api_key = ?CANARY,
        tries = 3,
        error = &chain as &dyn std::error::Error,
        "an attempt\nfailed"
    );
}

#[test]
fn log_lines_hold_fields_and_spans_and_nothing_private() {
    for form in [Form::Text, Form::Json] {
        let written = Written::default();
        let subscriber: Dispatch = tracing_subscriber::registry()
            .with(logs(form, written.writer()))
            .into();
        tracing::dispatcher::with_default(&subscriber, speak);
        let text = written.text();
        assert!(!text.contains(CANARY), "{text}");
        assert_eq!(text.lines().count(), 1, "{text}");
        match form {
            Form::Text => {
                for part in [
                    " WARN model_call{",
                    "gen_ai.usage.input_tokens=17",
                    "}: an attempt failed ",
                    "tries=3",
                    "authorization=[withheld]",
                    "the disk is full",
                ] {
                    assert!(text.contains(part), "{part} in {text}");
                }
            }
            Form::Json => {
                let line: serde_json::Value = serde_json::from_str(&text).unwrap();
                assert_eq!(line["level"], "WARN");
                assert_eq!(line["message"], "an attempt\nfailed");
                assert_eq!(line["fields"]["tries"], 3);
                assert_eq!(line["fields"]["api_key"], "[withheld]");
                assert_eq!(line["spans"][0]["name"], "model_call");
                assert_eq!(line["spans"][0]["completion"], "[withheld]");
            }
        }
    }
}

/// Speaks under a provider, and sends what it has.
async fn speak_to(provider: SdkTracerProvider) {
    let subscriber: Dispatch = tracing_subscriber::registry().with(traces(&provider)).into();
    tracing::dispatcher::with_default(&subscriber, || {
        speak();
        // Others' spans stay here.
        tracing::info_span!(target: "hyper", "strange").in_scope(|| ());
    });
    tokio::task::spawn_blocking(move || provider.shutdown())
        .await
        .unwrap()
        .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn spans_arrive_over_http() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let collector = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = Vec::new();
        loop {
            stream.read_buf(&mut request).await.unwrap();
            let text = String::from_utf8_lossy(&request).to_lowercase();
            let Some((head, _)) = text.split_once("\r\n\r\n") else {
                continue;
            };
            let length: usize = head
                .split("content-length: ")
                .nth(1)
                .unwrap()
                .lines()
                .next()
                .unwrap()
                .parse()
                .unwrap();
            if request.len() >= head.len() + 4 + length {
                break;
            }
        }
        stream
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
            .await
            .unwrap();
        request
    });
    speak_to(provider_to(&endpoint, Protocol::HttpBinary, "gristmill-test").unwrap()).await;
    let request = String::from_utf8_lossy(&collector.await.unwrap()).into_owned();
    assert!(request.starts_with("POST /v1/traces "), "{request}");
    for part in [
        "chat teacher-1",
        "gen_ai.operation.name",
        "gen_ai.usage.input_tokens",
        "gristmill-test",
        "[withheld]",
    ] {
        assert!(request.contains(part), "{part}");
    }
    assert!(!request.contains(CANARY) && !request.contains("strange"));
}

struct Collector(mpsc::Sender<ExportTraceServiceRequest>);

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: tonic::Request<ExportTraceServiceRequest>,
    ) -> Result<tonic::Response<ExportTraceServiceResponse>, tonic::Status> {
        self.0.send(request.into_inner()).await.unwrap();
        Ok(tonic::Response::new(ExportTraceServiceResponse::default()))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn spans_arrive_over_grpc() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let (sender, mut received) = mpsc::channel(4);
    let server = tonic::transport::Server::builder()
        .add_service(TraceServiceServer::new(Collector(sender)))
        .serve_with_incoming(tonic::transport::server::TcpIncoming::from(listener));
    let server = tokio::spawn(server);
    speak_to(provider_to(&endpoint, Protocol::Grpc, "gristmill-test").unwrap()).await;
    let request = received.recv().await.unwrap();
    server.abort();
    let spans: Vec<_> = request
        .resource_spans
        .iter()
        .flat_map(|resource| &resource.scope_spans)
        .flat_map(|scope| &scope.spans)
        .collect();
    assert_eq!(spans.len(), 1, "{spans:?}");
    assert_eq!(spans[0].name, "chat teacher-1");
    assert_eq!(spans[0].kind, 3, "a client's");
    let said = format!("{request:?}");
    assert!(
        said.contains("gen_ai.usage.input_tokens") && !said.contains(CANARY),
        "{said}"
    );
}

#[test]
fn a_trace_goes_on_in_another_process() {
    let provider = SdkTracerProvider::builder().build();
    let subscriber: Dispatch = tracing_subscriber::registry().with(traces(&provider)).into();
    tracing::dispatcher::with_default(&subscriber, || {
        assert_eq!(W3c.inject(), BTreeMap::new(), "no span, no context");
        let carried = tracing::info_span!("dispatch").in_scope(|| W3c.inject());
        let trace = |carried: &BTreeMap<String, String>| {
            let parts: Vec<&str> = carried["traceparent"].split('-').collect();
            assert_eq!(
                (parts.len(), parts[0], parts[1].len(), parts[2].len()),
                (4, "00", 32, 16)
            );
            (parts[1].to_owned(), parts[2].to_owned())
        };
        let attempt = tracing::info_span!("attempt");
        W3c.adopt(&attempt, &carried);
        let inside = attempt.in_scope(|| W3c.inject());
        assert_eq!(trace(&carried).0, trace(&inside).0, "one trace");
        assert_ne!(trace(&carried).1, trace(&inside).1, "two spans");
        let alone = tracing::info_span!("attempt");
        let broken = BTreeMap::from([("traceparent".to_owned(), "00-nonsense".to_owned())]);
        W3c.adopt(&alone, &broken);
        assert_ne!(trace(&alone.in_scope(|| W3c.inject())).0, trace(&carried).0);
    });
    assert_eq!(W3c.inject(), BTreeMap::new(), "without traces");
}
