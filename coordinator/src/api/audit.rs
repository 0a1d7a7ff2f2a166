//! Who did what: a line of the log for each call that changes something, and for each that was refused.
//!
//! The lines have a target of their own, so that they can be kept whatever else is logged. They hold no token, no job and no text of a row.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tonic::{Request, Status};

use super::auth::{Access, Caller, Who};
use super::method::Method;

/// The target of these lines.
const TARGET: &str = "gristmill_audit";

/// Lines of refused calls that are written in a second at most: whoever floods the server does not flood its log.
const REFUSED_A_SECOND: u32 = 10;
const SECOND: Duration = Duration::from_secs(1);

/// Lets calls in and writes down what they did.
#[derive(Debug, Clone)]
pub(super) struct Audit {
    access: Access,
    refused: Arc<Mutex<Refused>>,
}

/// How many refusals were written down in this second, and how many were not.
#[derive(Debug)]
struct Refused {
    since: Instant,
    written: u32,
    left_out: u64,
}

/// The most of a subject or an outcome that is written, in characters: both may hold what the caller sent.
const TEXT_CHARS_MAX: usize = 200;

/// A call that was let in and may change something. It is written down when it ends, however it ends.
#[must_use = "what came of the call is written down by `ended`"]
#[derive(Debug)]
pub(super) struct Call {
    /// By name.
    who: String,
    /// The same; `None` where everyone is let in.
    caller: Option<String>,
    method: Method,
    from: Option<IpAddr>,
    subject: String,
    ended: bool,
}

impl Audit {
    pub(super) fn new(access: Access) -> Self {
        Self {
            access,
            refused: Arc::new(Mutex::new(Refused {
                since: Instant::now(),
                written: 0,
                left_out: 0,
            })),
        }
    }

    /// Lets a request through that changes nothing, if its caller may call the method.
    pub(super) fn look<T>(&self, request: &Request<T>, method: Method) -> Result<Who, Status> {
        let answer = self.access.check(request, method);
        if let Err(status) = &answer {
            self.refuse(method, from(request), status);
        }
        answer
    }

    /// Lets a request through that may change something, if its caller may call the method.
    pub(super) fn admit<T>(&self, request: &Request<T>, method: Method) -> Result<Call, Status> {
        let who = self.look(request, method)?;
        Ok(Call {
            who: self.access.name(&who),
            caller: self.access.known(&who),
            method,
            from: from(request),
            subject: String::new(),
            ended: false,
        })
    }

    /// Who is let in.
    pub(super) fn access(&self) -> &Access {
        &self.access
    }

    fn refuse(&self, method: Method, from: Option<IpAddr>, status: &Status) {
        // Counts: a panic elsewhere leaves them whole.
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        if refused.since.elapsed() >= SECOND {
            *refused = Refused {
                since: Instant::now(),
                written: 0,
                left_out: refused.left_out,
            };
        }
        if refused.written == REFUSED_A_SECOND {
            refused.left_out += 1;
            return;
        }
        refused.written += 1;
        let left_out = std::mem::take(&mut refused.left_out);
        drop(refused);
        let from = from.map(tracing::field::display);
        tracing::warn!(target: TARGET, ?method, from, code = ?status.code(), left_out, "refused");
    }
}

fn from<T>(request: &Request<T>) -> Option<IpAddr> {
    request.extensions().get().map(Caller::address)
}

fn short(text: &str) -> String {
    text.chars().take(TEXT_CHARS_MAX).collect()
}

impl Call {
    /// Who calls, by name; `None` where everyone is let in and nobody is told apart.
    pub(super) fn caller(&self) -> Option<&str> {
        self.caller.as_deref()
    }

    /// Says what the call is about: a run, a worker, dead letters.
    pub(super) fn about(mut self, subject: &str) -> Self {
        self.subject = short(subject);
        self
    }

    /// Writes down how the call ended, and hands that on.
    pub(super) fn ended<T>(mut self, outcome: Result<T, Status>) -> Result<T, Status> {
        self.ended = true;
        match &outcome {
            Ok(_) => self.write("done"),
            Err(status) => self.write(&short(&format!("failed: {}", status.message()))),
        }
        outcome
    }

    fn write(&self, outcome: &str) {
        let (method, from) = (self.method, self.from.map(tracing::field::display));
        tracing::info!(target: TARGET, who = self.who, ?method, subject = self.subject, from, outcome, "called");
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if !self.ended {
            self.write("unknown: the caller went away before the answer");
        }
    }
}
