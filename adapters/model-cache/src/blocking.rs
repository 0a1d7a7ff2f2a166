//! Work that must not hold an async thread.

use std::io;
use std::path::Path;

use crate::{Digest, Error};

/// Hashes a file away from the async threads; `None` when there is none.
pub(crate) async fn digest(path: &Path) -> Result<Option<Digest>, Error> {
    let owned = path.to_owned();
    match blocking(move || Digest::of_file(&owned)).await {
        Ok(digest) => Ok(Some(digest)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::io("read", path)(error)),
    }
}

/// Runs blocking work; a panic in it goes on here.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(value) => value,
        Err(stopped) => match stopped.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime is going down; nothing after this point will run.
            Err(_) => std::future::pending().await,
        },
    }
}
