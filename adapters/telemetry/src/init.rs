//! Setting it all up, once a process.

use std::time::Duration;

use gristmill_ports::metric::Role;
use opentelemetry::trace::TracerProvider;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::Level;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::writer::BoxMakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry};

use crate::error::Error;
use crate::lines::{Form, Kept, Lines};
use crate::metrics::{Metrics, Upkeep};
use crate::otlp;

/// The variable that says what is logged, such as `info` or `warn,gristmill_worker=debug`.
const LOG: &str = "GRISTMILL_LOG";
/// Never logged, whatever is asked for: the AMQP client shows returned messages whole, and prompts are in them.
const NEVER: &str = "lapin::returned_messages=off";
/// Longest wait for the last spans to go out when the program ends.
const FLUSH: Duration = Duration::from_secs(5);

/// What a program tells about itself.
pub struct Options {
    /// Name of the service in traces: `gristmill-coordinator`, `gristmill-worker`.
    pub service: &'static str,
    /// Whose metrics are exported.
    pub role: Role,
    /// How log lines look.
    pub form: Form,
    /// What is logged where `GRISTMILL_LOG` does not say.
    pub level: &'static str,
    /// Where log lines go; standard error when left out.
    pub writer: Option<BoxMakeWriter>,
    /// The OTLP collector; `OTEL_EXPORTER_OTLP_ENDPOINT` when left out, and no traces without either.
    pub otlp_endpoint: Option<String>,
}

/// Keeps telemetry alive. Dropped, it sends the last spans, for at most five seconds.
#[must_use = "dropped, it ends telemetry"]
pub struct Guard {
    traces: Option<SdkTracerProvider>,
    metrics: Metrics,
    _upkeep: Upkeep,
}

impl Guard {
    /// The metrics, to be rendered.
    pub fn metrics(&self) -> Metrics {
        self.metrics.clone()
    }

    /// True when spans go to a collector.
    pub fn traces(&self) -> bool {
        self.traces.is_some()
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(provider) = &self.traces
            && let Err(error) = provider.shutdown_with_timeout(FLUSH)
        {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "the last spans may be lost"
            );
        }
    }
}

/// Sets up logs, traces and metrics for the whole process. To be called once, inside the async runtime where traces go over gRPC.
pub fn init(options: Options) -> Result<Guard, Error> {
    let metrics = Metrics::new(options.role)?;
    let (subscriber, traces) = subscriber(options)?;
    subscriber.try_init().map_err(|_| Error::Twice)?;
    metrics.install()?;
    Ok(Guard {
        traces,
        _upkeep: Upkeep::start(metrics.clone()).map_err(Error::Thread)?,
        metrics,
    })
}

type Boxed = Box<dyn Layer<Registry> + Send + Sync>;

/// Logs and traces as a subscriber.
fn subscriber(options: Options) -> Result<(tracing::Dispatch, Option<SdkTracerProvider>), Error> {
    let filter = match std::env::var(LOG) {
        Ok(text) if !text.is_empty() => EnvFilter::try_new(text).map_err(Error::Filter)?,
        Ok(_) | Err(_) => EnvFilter::new(options.level),
    };
    let filter = filter.add_directive(NEVER.parse().map_err(Error::Filter)?);
    let provider = otlp::provider(options.otlp_endpoint.as_deref(), options.service)?;
    let writer = options
        .writer
        .unwrap_or_else(|| BoxMakeWriter::new(std::io::stderr));
    let logs = logs(options.form, writer).with_filter(filter).boxed();
    let layers: Vec<Boxed> = std::iter::once(logs)
        .chain(provider.as_ref().map(traces))
        .collect();
    Ok((tracing_subscriber::registry().with(layers).into(), provider))
}

/// Lines without private fields.
pub(crate) fn logs(form: Form, writer: BoxMakeWriter) -> Boxed {
    tracing_subscriber::fmt::layer()
        .fmt_fields(Kept)
        .event_format(Lines(form))
        .with_writer(writer)
        // It would be told to standard error, and end a thread that cannot write there: a log on a full disk loses lines, and nothing else.
        .log_internal_errors(false)
        .boxed()
}

/// Spans of our own only: those of the exporter's HTTP client would make further ones.
pub(crate) fn traces(provider: &SdkTracerProvider) -> Boxed {
    let ours = Targets::new().with_target("gristmill", Level::INFO);
    tracing_opentelemetry::layer()
        .with_tracer(provider.tracer("gristmill"))
        .with_threads(false)
        .with_location(false)
        .with_filter(ours)
        .boxed()
}
