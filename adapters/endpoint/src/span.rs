//! The span of a model call, as the semantic conventions for generative AI name it (OpenTelemetry semantic conventions 1.37,
//! "Semantic conventions for generative client AI spans"). What was said is never part of it.

use gristmill_domain::chat::{Finish, Prompt, Request, Response};
use gristmill_ports::model::{CallError, Scope};
use tracing::Span;
use tracing::field::Empty;

/// Opens the span of one call. The provider is the one whose API the client speaks, whoever answers behind it.
pub(crate) fn open(provider: &str, model: &str, host: &str, request: &Request) -> Span {
    let operation = match request.prompt {
        Prompt::Chat(_) => "chat",
        Prompt::Raw(_) => "text_completion",
    };
    tracing::info_span!(
        "model_call",
        otel.name = format!("{operation} {model}"),
        otel.kind = "client",
        otel.status_code = Empty,
        gen_ai.operation.name = operation,
        gen_ai.provider.name = provider,
        gen_ai.request.model = model,
        gen_ai.request.max_tokens = request.max_tokens,
        gen_ai.request.temperature = request.temperature,
        gen_ai.response.model = Empty,
        gen_ai.response.finish_reasons = Empty,
        gen_ai.usage.input_tokens = Empty,
        gen_ai.usage.output_tokens = Empty,
        gen_ai.usage.cache_read.input_tokens = Empty,
        "error.type" = Empty,
        server.address = host,
    )
}

/// Records how the call ended.
pub(crate) fn close(span: &Span, result: &Result<Response, CallError>) {
    match result {
        Ok(response) => {
            span.record("gen_ai.response.model", response.model_version.as_str());
            let finish = match response.finish {
                Finish::Stop => "stop",
                Finish::Length => "length",
                Finish::ContentFilter => "content_filter",
                Finish::Other => "other",
            };
            span.record("gen_ai.response.finish_reasons", finish);
            let usage = response.usage;
            for (name, tokens) in [
                ("gen_ai.usage.input_tokens", usage.input_tokens),
                ("gen_ai.usage.output_tokens", usage.output_tokens),
                ("gen_ai.usage.cache_read.input_tokens", usage.cached_input_tokens),
            ] {
                if let Some(tokens) = tokens {
                    span.record(name, tokens);
                }
            }
        }
        Err(error) => {
            let kind = match error {
                CallError::NotBilled { scope, .. } => match scope {
                    Scope::Throttled => "throttled",
                    Scope::Failed => "failed",
                    Scope::Request => "request_refused",
                    Scope::Endpoint => "endpoint_refused",
                    Scope::Quota => "quota",
                },
                CallError::Unknown { .. } => "unknown_outcome",
                CallError::Unreadable { .. } => "unreadable_answer",
            };
            span.record("error.type", kind);
            span.record("otel.status_code", "ERROR");
        }
    }
}
