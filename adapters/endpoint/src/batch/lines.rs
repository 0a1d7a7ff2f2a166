//! A body of lines, read as it comes.

use futures::stream::{self, BoxStream, StreamExt};
use gristmill_domain::json;
use gristmill_ports::batch::BatchResult;
use gristmill_ports::model::CallError;
use serde::de::DeserializeOwned;

use super::BatchEndpoint;

/// Bytes of one line at most.
const LINE_BYTES_MAX: usize = 32 << 20;

/// A line's JSON, read as leniently as an answer's.
pub(super) fn parse<T: DeserializeOwned>(line: &[u8]) -> Result<T, String> {
    let value = json::parse(&String::from_utf8_lossy(line)).map_err(|e| e.to_string())?;
    serde_json::from_value(value).map_err(|e| e.to_string())
}

/// What one line says; the error is what is wrong with it.
pub(super) type Read = fn(&BatchEndpoint, &[u8]) -> Result<BatchResult, String>;

struct Lines {
    endpoint: BatchEndpoint,
    answer: reqwest::Response,
    read: Read,
    /// What came and was not handed out.
    rest: Vec<u8>,
    /// Bytes of the rest that are known to hold no line end.
    seen: usize,
    ended: bool,
}

impl Lines {
    /// The next line that is not blank.
    async fn next(&mut self) -> Result<Option<Vec<u8>>, CallError> {
        loop {
            if let Some(at) = self.rest[self.seen..].iter().position(|byte| *byte == b'\n') {
                let tail = self.rest.split_off(self.seen + at + 1);
                let line = std::mem::replace(&mut self.rest, tail);
                self.seen = 0;
                if !line.trim_ascii().is_empty() {
                    return Ok(Some(line));
                }
                continue;
            }
            self.seen = self.rest.len();
            if self.seen > LINE_BYTES_MAX {
                return Err(self
                    .endpoint
                    .connection
                    .unknown("a line of its results is too long"));
            }
            match self.answer.chunk().await {
                Ok(Some(chunk)) => self.rest.extend_from_slice(&chunk),
                Ok(None) => {
                    self.seen = 0;
                    let line = std::mem::take(&mut self.rest);
                    return Ok(Some(line).filter(|line| !line.trim_ascii().is_empty()));
                }
                Err(_) => return Err(self.endpoint.connection.unknown("its results broke off")),
            }
        }
    }

    async fn step(mut self) -> Option<(Result<BatchResult, CallError>, Self)> {
        if self.ended {
            return None;
        }
        loop {
            let result = match self.next().await {
                Ok(None) => return None,
                Ok(Some(line)) => match (self.read)(&self.endpoint, &line) {
                    Ok(result) => Ok(result),
                    Err(what) => {
                        // Its request is one that no result names, which burns; the lines behind it are other requests' answers.
                        tracing::warn!(what, "a line of a batch's results cannot be read");
                        continue;
                    }
                },
                Err(error) => Err(error),
            };
            self.ended = result.is_err();
            return Some((result, self));
        }
    }
}

/// The results in a body, one a line.
pub(super) fn results(
    endpoint: &BatchEndpoint,
    answer: reqwest::Response,
    read: Read,
) -> BoxStream<'static, Result<BatchResult, CallError>> {
    let lines = Lines {
        endpoint: endpoint.clone(),
        answer,
        read,
        rest: Vec::new(),
        seen: 0,
        ended: false,
    };
    stream::unfold(lines, Lines::step).boxed()
}
