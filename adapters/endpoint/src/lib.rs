//! Chat models behind an endpoint: OpenAI and all that speak like it (vLLM, llama.cpp, Ollama and others), Anthropic, and Google's Gemini API.
//!
//! The crate owns the wire formats and one judgement: what a failed call may have cost. It never sends a request twice, and no key
//! ever appears in an error, a log or a `Debug` output.

mod batch;
mod checks;
mod client;
mod connection;
mod failure;
mod key;
mod meter;
mod options;
mod resolve;
mod span;
mod stated;
mod wait;
mod wire;

pub use batch::BatchEndpoint;
pub use checks::{Asked, CHECKS, checks};
pub use client::Endpoint;
pub use connection::Error;
pub use key::Key;
pub use options::Options;
