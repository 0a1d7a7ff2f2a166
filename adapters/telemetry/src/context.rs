//! Trace context in message headers.

use std::collections::{BTreeMap, HashMap};

use gristmill_ports::trace::Propagator;
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::TraceContextExt;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// `traceparent` and `tracestate`, as the W3C recommendation "Trace Context" has them.
#[derive(Debug, Clone, Copy, Default)]
pub struct W3c;

impl Propagator for W3c {
    fn inject(&self) -> BTreeMap<String, String> {
        let mut carrier = HashMap::new();
        TraceContextPropagator::new().inject_context(&Span::current().context(), &mut carrier);
        // An empty trace state is no news.
        carrier
            .into_iter()
            .filter(|(_, value)| !value.is_empty())
            .collect()
    }

    fn adopt(&self, span: &Span, carried: &BTreeMap<String, String>) {
        let carrier: HashMap<String, String> = carried
            .iter()
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        let parent = TraceContextPropagator::new().extract(&carrier);
        if parent.span().span_context().is_valid() {
            // It fails only where spans are not traced at all.
            let _ = span.set_parent(parent);
        }
    }
}
