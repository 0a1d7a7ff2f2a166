//! What is told of a fetch while it lasts.

/// Told about a fetch: bytes there, and bytes in all where known (it may grow as further files are met).
pub type Progress<'a> = dyn FnMut(u64, Option<u64>) + Send + 'a;
