//! A body of lines, read as it comes.

use futures::stream::{self, BoxStream, StreamExt};
use gristmill_ports::batch::BatchResult;
use gristmill_ports::model::CallError;

use super::BatchEndpoint;

/// Bytes of one line at most.
const LINE_BYTES_MAX: usize = 32 << 20;

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
        let result = match self.next().await {
            Ok(None) => return None,
            Ok(Some(line)) => (self.read)(&self.endpoint, &line).map_err(|what| {
                self.endpoint
                    .connection
                    .unknown(format_args!("a line of its results cannot be read: {what}"))
            }),
            Err(error) => Err(error),
        };
        self.ended = result.is_err();
        Some((result, self))
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
