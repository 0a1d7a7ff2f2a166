//! OpenAI's batches (its API reference, "Batch": up to 50,000 requests in a file of 200 MB, within 24 hours, at half the price).

use std::fmt::Write;

use async_trait::async_trait;
use futures::stream::{self, StreamExt};
use gristmill_ports::batch::{BatchId, BatchLimits, BatchRequest, BatchResult, BatchState};
use gristmill_ports::model::{CallError, Scope};
use reqwest::header::CONTENT_TYPE;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{BatchEndpoint, BatchProtocol, LOOK, Named, Results, SUBMIT, lines};
use crate::failure::{self, Refused};

/// The metadata that holds the caller's name for a batch.
const TAG: &str = "gristmill_batch";
/// Pages of batches that are looked through for one: 2,000 of them.
const PAGES_MAX: usize = 20;
/// Ends the parts of the form. Lines of JSON start with `{`, so none can be taken for it.
const BOUNDARY: &str = "gristmill-batch-part";

/// OpenAI's batches.
#[derive(Debug)]
pub(crate) struct OpenaiBatches;

#[async_trait]
impl BatchProtocol for OpenaiBatches {
    fn limits(&self) -> BatchLimits {
        BatchLimits {
            requests: 50_000,
            bytes: 200_000_000,
        }
    }

    fn newest(&self) -> &'static str {
        "/batches?limit=1"
    }

    fn cancel(&self, id: &str) -> String {
        format!("/batches/{id}/cancel")
    }

    async fn submit(
        &self,
        endpoint: &BatchEndpoint,
        tag: &str,
        requests: &[BatchRequest],
    ) -> Result<BatchId, CallError> {
        let named = submit(endpoint, tag, requests).await?;
        Ok(BatchId(named.id))
    }

    async fn find(&self, endpoint: &BatchEndpoint, tag: &str) -> Result<Option<BatchId>, CallError> {
        find(endpoint, tag).await
    }

    async fn poll(&self, endpoint: &BatchEndpoint, id: &str) -> Result<BatchState, CallError> {
        Ok(look(endpoint, id).await?.state())
    }

    /// Answers first, then errors: they lie in two files, each of which may be missing.
    async fn results(&self, endpoint: &BatchEndpoint, id: &str) -> Result<Results, CallError> {
        let batch = look(endpoint, id).await?;
        let mut streams = Vec::new();
        for file in [batch.output_file_id, batch.error_file_id].into_iter().flatten() {
            let path = format!("/files/{}/content", endpoint.id(&file)?);
            let answer = endpoint.connection.send(endpoint.connection.get(&path)).await?;
            streams.push(lines::results(endpoint, answer, read));
        }
        Ok(stream::iter(streams).flatten().boxed())
    }
}

/// Uploads the requests as a file, then makes a batch of it.
async fn submit(endpoint: &BatchEndpoint, tag: &str, requests: &[BatchRequest]) -> Result<Named, CallError> {
    let mut form = format!(
        "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\nbatch\r\n\
         --{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"batch.jsonl\"\r\n\
         Content-Type: application/jsonl\r\n\r\n"
    );
    let mut route = None;
    for BatchRequest { custom_id, request } in requests {
        let (path, body) = endpoint.wire.request(request, &endpoint.connection.place)?;
        if route.get_or_insert_with(|| path.clone()) != &path {
            let what = "a batch holds either conversations or raw texts";
            return Err(endpoint.refused(Scope::Request, what));
        }
        let line =
            json!({"custom_id": custom_id, "method": "POST", "url": format!("/v1{path}"), "body": body});
        // Writing to a text cannot fail.
        let _ = writeln!(form, "{line}");
        endpoint.check_bytes(form.len())?;
    }
    let _ = write!(form, "\r\n--{BOUNDARY}--\r\n");
    let upload = endpoint
        .connection
        .post("/files")
        .header(CONTENT_TYPE, format!("multipart/form-data; boundary={BOUNDARY}"))
        .timeout(SUBMIT)
        .body(form);
    // A file costs nothing, whatever became of it.
    let file: Named = endpoint.json(upload).await.map_err(free)?;
    let batch = json!({
        "input_file_id": file.id,
        "endpoint": format!("/v1{}", route.unwrap_or_default()),
        "completion_window": "24h",
        "metadata": { TAG: tag },
    });
    endpoint
        .json(endpoint.connection.post("/batches").timeout(SUBMIT).json(&batch))
        .await
}

#[derive(Deserialize)]
struct Page {
    data: Vec<Listed>,
    #[serde(default)]
    has_more: bool,
}

#[derive(Deserialize)]
struct Listed {
    id: String,
    #[serde(default)]
    metadata: Value,
}

/// Looks through the batches, the newest first.
async fn find(endpoint: &BatchEndpoint, tag: &str) -> Result<Option<BatchId>, CallError> {
    let mut path = "/batches?limit=100".to_owned();
    for _ in 0..PAGES_MAX {
        let page: Page = endpoint
            .json(endpoint.connection.get(&path).timeout(LOOK))
            .await?;
        let last = page.data.last().map(|batch| batch.id.clone());
        if let Some(found) = page.data.into_iter().find(|batch| batch.metadata[TAG] == tag) {
            return Ok(Some(BatchId(found.id)));
        }
        match last {
            Some(last) if page.has_more => path = format!("/batches?limit=100&after={}", endpoint.id(&last)?),
            _ => break,
        }
    }
    Ok(None)
}

/// The same failure, of a call that is not billed.
fn free(error: CallError) -> CallError {
    match error {
        CallError::Unknown { reason, retry_after } => CallError::NotBilled {
            reason,
            retry_after,
            scope: Scope::Throttled,
        },
        CallError::Unreadable { reason } => CallError::NotBilled {
            reason,
            retry_after: None,
            scope: Scope::Throttled,
        },
        billed @ CallError::NotBilled { .. } => billed,
    }
}

#[derive(Deserialize)]
struct Batch {
    status: String,
    #[serde(default)]
    output_file_id: Option<String>,
    #[serde(default)]
    error_file_id: Option<String>,
    #[serde(default)]
    request_counts: Counts,
    #[serde(default)]
    errors: Option<Errors>,
}

#[derive(Default, Deserialize)]
struct Counts {
    #[serde(default)]
    total: u64,
    #[serde(default)]
    completed: u64,
    #[serde(default)]
    failed: u64,
}

#[derive(Deserialize)]
struct Errors {
    #[serde(default)]
    data: Vec<Problem>,
}

#[derive(Deserialize)]
struct Problem {
    #[serde(default)]
    message: String,
}

impl Batch {
    fn state(self) -> BatchState {
        let Counts {
            total,
            completed,
            failed,
        } = self.request_counts;
        match self.status.as_str() {
            "completed" | "expired" | "cancelled" => BatchState::Ended {
                answered: completed,
                total,
            },
            "failed" => {
                let problems = self.errors.map(|errors| errors.data).unwrap_or_default();
                let first = problems.into_iter().map(|problem| problem.message).next();
                BatchState::Refused {
                    reason: first.unwrap_or_else(|| "the provider did not say why".to_owned()),
                }
            }
            // Validating, in progress, finalizing, cancelling, and what may come.
            _ => BatchState::Working {
                ended: completed + failed,
                total,
            },
        }
    }
}

async fn look(endpoint: &BatchEndpoint, id: &str) -> Result<Batch, CallError> {
    let path = format!("/batches/{id}");
    endpoint.json(endpoint.connection.get(&path).timeout(LOOK)).await
}

#[derive(Deserialize)]
struct Line {
    custom_id: String,
    #[serde(default)]
    response: Option<Answer>,
    #[serde(default)]
    error: Option<LineError>,
}

#[derive(Deserialize)]
struct Answer {
    status_code: u16,
    #[serde(default)]
    body: Value,
}

#[derive(Deserialize)]
struct LineError {
    #[serde(default)]
    code: String,
    #[serde(default)]
    message: String,
}

fn read(endpoint: &BatchEndpoint, line: &[u8]) -> Result<BatchResult, String> {
    let line: Line = lines::parse(line)?;
    let result = match (line.response, line.error) {
        (
            Some(Answer {
                status_code: 200,
                body,
            }),
            _,
        ) => endpoint.read(&body),
        (Some(Answer { status_code, body }), _) => {
            let message = body["error"]["message"].as_str().unwrap_or_default();
            let refused = Refused {
                status: status_code,
                retry_after: None,
                message,
                billed_on_error: true,
            };
            let error = failure::refused(refused, &endpoint.connection.place);
            // What is not answered in a batch is not billed.
            Err(free(error))
        }
        (None, Some(LineError { code, message })) => {
            Err(endpoint.refused(Scope::Throttled, format_args!("{message} ({code})")))
        }
        (None, None) => return Err("it has neither a response nor an error".into()),
    };
    Ok(BatchResult {
        custom_id: line.custom_id,
        result,
    })
}
