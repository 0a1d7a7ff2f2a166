//! What a program tells about itself: logs on standard error, spans over OTLP, metrics for Prometheus.
//!
//! [`init`] sets all of it up once a process. No prompt, completion or key leaves: fields whose names speak of such are
//! withheld in logs and spans alike, and metrics carry the labels of [`gristmill_ports::metric`] and no others. The crate serves no
//! HTTP; [`Metrics::render`] gives the text to whoever does.

mod context;
mod error;
mod exposition;
mod init;
mod lines;
mod metrics;
mod otlp;
mod private;
mod process;
#[cfg(test)]
mod tests;

pub use context::W3c;
pub use error::Error;
pub use init::{Guard, Options, init};
pub use lines::Form;
pub use metrics::Metrics;
