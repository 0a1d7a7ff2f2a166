//! Blobs in a folder of the local disk, or in object storage.
//!
//! [`open`] takes a URL: a path or `file://` for a folder, `s3://`, `gs://` or `az://` for object storage (feature
//! `object-storage`). Keys are read from the environment or the machine's identity and are never part of a URL.

mod checks;
mod local;
#[cfg(feature = "object-storage")]
mod object;
mod open;
mod prefixed;
mod space;

pub use checks::{check_names, checks};
pub use local::LocalBlobs;
#[cfg(feature = "object-storage")]
pub use object::ObjectBlobs;
pub use open::{Error, open};
pub use prefixed::Prefixed;
pub use space::{Space, space};
