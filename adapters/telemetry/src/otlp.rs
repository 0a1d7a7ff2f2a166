//! Spans to an OTLP collector.
//!
//! | variable | meaning |
//! |---|---|
//! | `OTEL_EXPORTER_OTLP_ENDPOINT` | the collector, such as `http://127.0.0.1:4318`; nothing is sent without it |
//! | `OTEL_EXPORTER_OTLP_PROTOCOL` | `http/protobuf` (the default) or `grpc` |
//! | `OTEL_EXPORTER_OTLP_HEADERS`, `_TIMEOUT` | as in the OpenTelemetry specification |
//! | `OTEL_TRACES_SAMPLER`, `OTEL_RESOURCE_ATTRIBUTES` | as in the OpenTelemetry specification |

use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry_otlp::{Protocol, SpanExporter as Otlp, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanData, SpanExporter};

use crate::error::Error;
use crate::private::{WITHHELD, is_private};

/// A provider that sends to the collector that the option or the environment names; `None` where neither does.
pub(crate) fn provider(
    endpoint: Option<&str>,
    service: &'static str,
) -> Result<Option<SdkTracerProvider>, Error> {
    let Some(endpoint) = endpoint.map(str::to_owned).or_else(|| variable("ENDPOINT")) else {
        return Ok(None);
    };
    let protocol = match variable("PROTOCOL").as_deref() {
        None | Some("http/protobuf") => Protocol::HttpBinary,
        Some("grpc") => Protocol::Grpc,
        Some(other) => return Err(Error::Protocol(other.to_owned())),
    };
    provider_to(&endpoint, protocol, service).map(Some)
}

/// A provider that sends to a collector.
pub(crate) fn provider_to(
    endpoint: &str,
    protocol: Protocol,
    service: &'static str,
) -> Result<SdkTracerProvider, Error> {
    let exporter = match protocol {
        Protocol::Grpc => {
            if tokio::runtime::Handle::try_current().is_err() {
                return Err(Error::NoRuntime);
            }
            Otlp::builder().with_tonic().with_endpoint(endpoint).build()
        }
        // The only other one that is built in.
        _ => Otlp::builder()
            .with_http()
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(format!("{}/v1/traces", endpoint.trim_end_matches('/')))
            .build(),
    };
    let exporter = exporter.map_err(|source| Error::Collector {
        endpoint: endpoint.to_owned(),
        source,
    })?;
    let resource = Resource::builder()
        .with_service_name(service)
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .build();
    Ok(SdkTracerProvider::builder()
        .with_resource(resource)
        .with_batch_exporter(Scrubbed(exporter))
        .build())
}

fn variable(end: &str) -> Option<String> {
    [
        format!("OTEL_EXPORTER_OTLP_TRACES_{end}"),
        format!("OTEL_EXPORTER_OTLP_{end}"),
    ]
    .iter()
    .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
}

/// Withholds private attributes from what goes out, whoever recorded them.
#[derive(Debug)]
struct Scrubbed<E>(E);

impl<E: SpanExporter> SpanExporter for Scrubbed<E> {
    async fn export(&self, mut batch: Vec<SpanData>) -> OTelSdkResult {
        for span in &mut batch {
            scrub(&mut span.attributes);
            for event in &mut span.events.events {
                scrub(&mut event.attributes);
            }
        }
        self.0.export(batch).await
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.0.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.0.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.0.set_resource(resource);
    }
}

fn scrub(attributes: &mut [KeyValue]) {
    for attribute in attributes
        .iter_mut()
        .filter(|attribute| is_private(attribute.key.as_str()))
    {
        attribute.value = WITHHELD.into();
    }
}
