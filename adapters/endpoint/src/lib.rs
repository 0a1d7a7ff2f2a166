//! Chat models behind an OpenAI-compatible endpoint: OpenAI, vLLM, llama.cpp, Ollama and others.
//!
//! The crate owns the wire format and one judgement: what a failed call may have cost. It never sends a request twice, and no key
//! ever appears in an error, a log or a `Debug` output.

mod client;
mod failure;
mod key;
mod wire;

pub use client::{Endpoint, Error, Options};
pub use key::Key;
