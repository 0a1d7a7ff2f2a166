//! Near-duplicate search over what a run has kept.
//!
//! Owns the normal form of a text for matching ([`text`]), and three indexes that grow with the rows kept: whole texts
//! ([`exact`]), word overlap ([`minhash`]) and meaning ([`vectors`]). The indexes are cheap to rebuild from the rows, so
//! nothing here is ever written to disk.
//!
//! Rules that hold for all three:
//! - A row is a `u32` that the caller chooses. Dropped rows are not inserted, so a new row is compared with what was
//!   *kept* and never with what was dropped (comparing with both makes chains that delete too much).
//! - A row may be inserted while it is still pending, and withdrawn by `remove`; its memory is used again.
//! - Answers are sorted (closest first, then by row) and depend on the rows held, not on the order of insertion, on the
//!   number of threads or on the machine's vector width.
//! - Queries take `&self`: any number of threads may ask at once.
//!
//! Refuses: I/O, clocks, randomness (a seed is passed in), threads of its own, and to decide what a duplicate *means*.
//! Thresholds and exemptions are the caller's.

mod error;
pub mod exact;
mod memory;
pub mod minhash;
mod slots;
pub mod text;
pub mod vectors;

pub use error::Error;
pub use exact::ExactIndex;
pub use minhash::MinHashIndex;
pub use vectors::VectorIndex;
