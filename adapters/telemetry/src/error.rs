//! Why telemetry does not start.

use opentelemetry_otlp::ExporterBuildError;

/// Telemetry does not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// `GRISTMILL_LOG` says nothing that is understood.
    #[error(
        "`GRISTMILL_LOG` is no filter: write a level (`info`) or levels by crate (`warn,gristmill_worker=debug`)"
    )]
    Filter(#[source] tracing_subscriber::filter::ParseError),
    /// The collector cannot be spoken to.
    #[error("traces cannot be sent to `{endpoint}`")]
    Collector {
        /// Where.
        endpoint: String,
        /// Why.
        #[source]
        source: ExporterBuildError,
    },
    /// A way to speak OTLP that is not built in.
    #[error("`OTEL_EXPORTER_OTLP_PROTOCOL` is `{0}`: there are http/protobuf and grpc")]
    Protocol(String),
    /// OTLP over gRPC needs an event loop.
    #[error("traces over gRPC need telemetry to be set up inside the async runtime")]
    NoRuntime,
    /// Somebody set a subscriber or a recorder before.
    #[error("telemetry was set up before in this process")]
    Twice,
    /// The catalogue of metrics has a histogram without bounds.
    #[error("the metrics cannot be set up")]
    Metrics(#[source] metrics_exporter_prometheus::BuildError),
    /// No thread could be had.
    #[error("the thread that keeps the metrics tidy does not start")]
    Thread(#[source] std::io::Error),
}
