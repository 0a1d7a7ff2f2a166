//! Which model is loaded, and how it is run.

use std::num::NonZeroU32;
use std::path::PathBuf;

/// Where the model lies and how it is run.
#[derive(Debug, Clone)]
pub struct Options {
    /// The GGUF file.
    pub path: PathBuf,
    /// Name and version that answers go under.
    pub model: String,
    /// Threads that compute.
    pub threads: NonZeroU32,
    /// Requests worked on at once; 8 makes good use of two cores. At most 64.
    pub slots: NonZeroU32,
    /// Tokens of prompt and answer together, a slot. Memory for all of it is taken at the start.
    pub context_tokens: NonZeroU32,
}

impl Options {
    /// Slots unless said otherwise.
    pub const SLOTS: NonZeroU32 = NonZeroU32::MIN.saturating_add(7);
    /// Context a slot unless said otherwise.
    pub const CONTEXT_TOKENS: NonZeroU32 = NonZeroU32::MIN.saturating_add(2047);
}
