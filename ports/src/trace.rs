//! Trace context that travels with a message: header names and values of the W3C recommendation "Trace Context".

use std::collections::BTreeMap;

/// Carries the trace of one process into another.
pub trait Propagator: Send + Sync {
    /// The context of the current span; empty where nothing is traced.
    fn inject(&self) -> BTreeMap<String, String>;

    /// Makes a new span the child of the one whose context a message carried. What is no such context is ignored. To be called
    /// before the span is first entered.
    fn adopt(&self, span: &tracing::Span, carried: &BTreeMap<String, String>);
}

/// For programs that trace nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Untraced;

impl Propagator for Untraced {
    fn inject(&self) -> BTreeMap<String, String> {
        BTreeMap::new()
    }

    fn adopt(&self, _: &tracing::Span, _: &BTreeMap<String, String>) {}
}
