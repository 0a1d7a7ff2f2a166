//! A GGUF model in this process, through llama.cpp: a chat model that needs no endpoint.
//!
//! Owns: the thread that the model lives on, continuous batching of requests over its slots, stop texts, and the model's own
//! chat template. Refuses: to fetch models (that is the model cache's), to retry, to invent a template for a model that has
//! none, and to let a message's text pass for a role marker.
//!
//! llama.cpp needs cmake, clang and libclang to build, so nothing but the program depends on this crate, behind a feature.
//!
//! **Same request, same answer.** Tokens are drawn from the request's seed alone ([`gristmill_domain::chat::sampler`]). The
//! prompt is read in blocks at fixed positions, alone in its batch, and only whole blocks are kept for the next prompt with the
//! same beginning: what a token's state is never depends on who came before. Generation steps do share a batch with the
//! neighbours; see `tests/smollm2.rs` for what is checked. Other machines, thread counts or builds may differ in the last bits,
//! and so in a near tie.

mod constraint;
mod engine;
mod error;
mod model;
mod options;
mod output;
mod prompt;

pub use error::Error;
pub use model::LocalModel;
pub use options::Options;
