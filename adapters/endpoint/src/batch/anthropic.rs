//! Anthropic's Message Batches (its documentation, "Batch processing": up to 100,000 requests or 256 MB, within 24 hours, at half the price;
//! errored, cancelled and expired requests are not billed; results are kept for 29 days).

use async_trait::async_trait;
use gristmill_ports::batch::{BatchId, BatchLimits, BatchRequest, BatchResult, BatchState};
use gristmill_ports::model::{CallError, Scope};
use reqwest::header::CONTENT_TYPE;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{BatchEndpoint, BatchProtocol, LOOK, Named, Results, SUBMIT, lines};

/// Anthropic's Message Batches.
#[derive(Debug)]
pub(crate) struct AnthropicBatches;

#[async_trait]
impl BatchProtocol for AnthropicBatches {
    fn limits(&self) -> BatchLimits {
        BatchLimits {
            requests: 100_000,
            bytes: 256_000_000,
        }
    }

    fn newest(&self) -> &'static str {
        "/messages/batches?limit=1"
    }

    fn cancel(&self, id: &str) -> String {
        format!("/messages/batches/{id}/cancel")
    }

    async fn submit(
        &self,
        endpoint: &BatchEndpoint,
        _tag: &str,
        requests: &[BatchRequest],
    ) -> Result<BatchId, CallError> {
        submit(endpoint, requests).await.map(|named| BatchId(named.id))
    }

    async fn find(&self, _: &BatchEndpoint, _tag: &str) -> Result<Option<BatchId>, CallError> {
        // Its batches carry no name of the caller's.
        Ok(None)
    }

    async fn poll(&self, endpoint: &BatchEndpoint, id: &str) -> Result<BatchState, CallError> {
        let path = format!("/messages/batches/{id}");
        let batch: Batch = endpoint
            .json(endpoint.connection.get(&path).timeout(LOOK))
            .await?;
        Ok(batch.state())
    }

    async fn results(&self, endpoint: &BatchEndpoint, id: &str) -> Result<Results, CallError> {
        // The address that the batch names for its results is not followed: the key goes to the job's endpoint and nowhere else.
        let path = format!("/messages/batches/{id}/results");
        let answer = endpoint.connection.send(endpoint.connection.get(&path)).await?;
        Ok(lines::results(endpoint, answer, read))
    }
}

async fn submit(endpoint: &BatchEndpoint, requests: &[BatchRequest]) -> Result<Named, CallError> {
    let mut body = String::from("{\"requests\":[");
    for (at, BatchRequest { custom_id, request }) in requests.iter().enumerate() {
        let (_, params) = endpoint.wire.request(request, &endpoint.connection.place)?;
        if at > 0 {
            body.push(',');
        }
        body.push_str(&json!({"custom_id": custom_id, "params": params}).to_string());
        endpoint.check_bytes(body.len())?;
    }
    body.push_str("]}");
    let request = endpoint
        .connection
        .post("/messages/batches")
        .header(CONTENT_TYPE, "application/json")
        .timeout(SUBMIT)
        .body(body);
    endpoint.json(request).await
}

#[derive(Deserialize)]
struct Batch {
    processing_status: String,
    request_counts: Counts,
}

#[derive(Deserialize)]
struct Counts {
    processing: u64,
    succeeded: u64,
    errored: u64,
    canceled: u64,
    expired: u64,
}

impl Batch {
    fn state(self) -> BatchState {
        let counts = self.request_counts;
        let ended = counts.succeeded + counts.errored + counts.canceled + counts.expired;
        let total = counts.processing + ended;
        match self.processing_status.as_str() {
            "ended" => BatchState::Ended {
                answered: counts.succeeded,
                total,
            },
            // In progress, canceling, and what may come.
            _ => BatchState::Working { ended, total },
        }
    }
}

#[derive(Deserialize)]
struct Line {
    custom_id: String,
    result: Outcome,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Outcome {
    Succeeded { message: Value },
    Errored { error: Value },
    Canceled,
    Expired,
}

fn read(endpoint: &BatchEndpoint, line: &[u8]) -> Result<BatchResult, String> {
    let line: Line = lines::parse(line)?;
    let result = match line.result {
        Outcome::Succeeded { message } => endpoint.read(&message),
        Outcome::Errored { error } => {
            // The error stands inside an answer of type `error`.
            let error = error.get("error").unwrap_or(&error);
            let member = |name: &str| error[name].as_str().unwrap_or_default().to_owned();
            let kind = member("type");
            let scope = match kind.as_str() {
                "invalid_request_error" | "request_too_large" => Scope::Request,
                "authentication_error" | "permission_error" | "not_found_error" => Scope::Endpoint,
                "billing_error" => Scope::Quota,
                _ => Scope::Throttled,
            };
            Err(endpoint.refused(scope, format_args!("{} ({kind})", member("message"))))
        }
        Outcome::Canceled => {
            Err(endpoint.refused(Scope::Throttled, "the batch was cancelled before its turn"))
        }
        Outcome::Expired => {
            Err(endpoint.refused(Scope::Throttled, "the batch ran out of time before its turn"))
        }
    };
    Ok(BatchResult {
        custom_id: line.custom_id,
        result,
    })
}
