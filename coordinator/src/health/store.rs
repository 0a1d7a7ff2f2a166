//! The store, watched: what fails in it is counted, and a store that takes no writes is noticed at once and while nothing is written.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use gristmill_ports::blob::{Blobs, Create, Error, Fault};
use gristmill_ports::metric;
use metrics::counter;

use super::{Dependency, Health};
use crate::error::told;

/// The blob that is written to see whether the store takes it, and removed at once.
const PROBE: &str = "write-test";
/// Time without a write after which the store is tried. Object stores charge for each.
const PROBE_EVERY: Duration = Duration::from_secs(60);
/// The largest probe, bytes: more than a segment has.
const PROBE_BYTES_MAX: u64 = 8 << 20;
/// The longest that a probe may take.
const PROBE_WAIT: Duration = Duration::from_secs(20);

/// A store whose writes show whether it can be used.
pub struct WatchedStore {
    inner: Arc<dyn Blobs>,
    health: Arc<Health>,
    /// Bytes of the last write that failed; 0 when none has failed since one of that size was taken. A store with a little room left takes
    /// small writes.
    refused_bytes: AtomicU64,
    written: Mutex<Option<Instant>>,
    probing: Arc<tokio::sync::Mutex<()>>,
}

impl WatchedStore {
    /// Watches a store.
    pub fn new(inner: Arc<dyn Blobs>, health: Arc<Health>) -> Self {
        Self {
            inner,
            health,
            refused_bytes: AtomicU64::new(0),
            written: Mutex::new(None),
            probing: Arc::default(),
        }
    }

    /// Sees whether the store takes a write: as large a one as failed last, or a small one if there was none for a while.
    pub async fn look(self: &Arc<Self>) {
        let refused = self.refused_bytes.load(Ordering::Relaxed);
        let written = *self.written.lock().unwrap_or_else(PoisonError::into_inner);
        if refused == 0 && written.is_some_and(|at| at.elapsed() < PROBE_EVERY) {
            return;
        }
        // One at a time: each that hangs holds a thread.
        let probe = Arc::clone(&self.probing).try_lock_owned().ok().map(|alone| {
            let store = Arc::clone(self);
            tokio::spawn(async move {
                store.probe(refused.max(1)).await;
                drop(alone);
            })
        });
        let answered = match probe {
            Some(probe) => tokio::time::timeout(PROBE_WAIT, probe).await.is_ok(),
            None => false,
        };
        if !answered {
            let seconds = PROBE_WAIT.as_secs();
            let way_out = Fault::Unreachable.way_out();
            self.refused_bytes.fetch_max(1, Ordering::Relaxed);
            self.health.fails(
                Dependency::Store,
                Fault::Unreachable.name(),
                format!("the store has not taken a write within {seconds} seconds: {way_out}"),
            );
        }
    }

    async fn probe(&self, bytes: u64) {
        // Nothing that a file system could store in less.
        let mut noise = vec![0; usize::try_from(bytes).unwrap_or(1)];
        let mut source = blake3::Hasher::new().finalize_xof();
        source.fill(&mut noise);
        // One that is there is another coordinator's, or was left behind: the next look tries again. What fails is noted by both.
        let _noted = self.create(PROBE, noise).await;
        let _noted = self.remove(PROBE).await;
    }

    /// Notes what became of a write of so many bytes.
    fn wrote<T>(&self, bytes: u64, outcome: Result<T, Error>) -> Result<T, Error> {
        let bytes = bytes.clamp(1, PROBE_BYTES_MAX);
        let Err(error) = &outcome else {
            *self.written.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
            let fits = |refused: u64| (refused <= bytes).then_some(0);
            let order = Ordering::Relaxed;
            if self.refused_bytes.fetch_update(order, order, fits).is_ok() {
                self.health.works(Dependency::Store);
            }
            return outcome;
        };
        if let Some(fault) = count(error) {
            self.refused_bytes.store(bytes, Ordering::Relaxed);
            let why = format!(
                "the store cannot be written: {} ({})",
                fault.way_out(),
                told(error)
            );
            self.health.fails(Dependency::Store, fault.name(), why);
        }
        outcome
    }
}

/// Counts an error if it is the store's.
fn count(error: &Error) -> Option<Fault> {
    match error {
        Error::Missing { .. } | Error::Name { .. } => None,
        Error::Store { .. } => {
            let fault = Fault::of(error);
            counter!(metric::STORE_ERRORS, "kind" => fault.name()).increment(1);
            Some(fault)
        }
    }
}

/// Counts what failed and is no write.
fn counted<T>(outcome: Result<T, Error>) -> Result<T, Error> {
    if let Err(error) = &outcome {
        count(error);
    }
    outcome
}

#[async_trait]
impl Blobs for WatchedStore {
    async fn create(&self, name: &str, bytes: Vec<u8>) -> Result<Create, Error> {
        let size = bytes.len() as u64;
        match self.inner.create(name, bytes).await {
            // Nothing was written.
            Ok(Create::Exists) => Ok(Create::Exists),
            outcome => self.wrote(size, outcome),
        }
    }

    async fn put_file(&self, name: &str, file: &Path) -> Result<(), Error> {
        let size = tokio::fs::metadata(file).await.map_or(0, |about| about.len());
        let outcome = self.inner.put_file(name, file).await;
        self.wrote(size, outcome)
    }

    async fn read(&self, name: &str) -> Result<Vec<u8>, Error> {
        counted(self.inner.read(name).await)
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>, Error> {
        counted(self.inner.list(prefix).await)
    }

    async fn folders(&self) -> Result<Vec<String>, Error> {
        counted(self.inner.folders().await)
    }

    async fn remove(&self, name: &str) -> Result<(), Error> {
        counted(self.inner.remove(name).await)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// A store in a folder that is there or not, and its health.
    fn store(folder: &Path) -> (Arc<WatchedStore>, Arc<Health>) {
        let health = Arc::new(Health::default());
        let blobs = Arc::new(gristmill_blob::LocalBlobs::new(folder));
        (Arc::new(WatchedStore::new(blobs, Arc::clone(&health))), health)
    }

    #[tokio::test]
    async fn a_store_that_is_not_there_is_noticed_and_so_is_its_return() {
        let folder = tempfile::tempdir().unwrap();
        let share = folder.path().join("share");
        // Where no folder can be made.
        std::fs::write(&share, b"").unwrap();
        let (store, health) = store(&share);
        store.look().await;
        let [told] = health.told().try_into().unwrap();
        assert!(
            told.contains("cannot be written") && told.contains("mount it"),
            "{told}"
        );
        std::fs::remove_file(&share).unwrap();
        let elsewhere = folder.path().join("elsewhere");
        std::fs::create_dir(&elsewhere).unwrap();
        symlink(&elsewhere, &share).unwrap();
        store.look().await;
        assert!(health.told().is_empty());
        assert!(store.list("").await.unwrap().is_empty(), "nothing is left behind");
    }

    #[tokio::test]
    async fn a_small_write_does_not_make_up_for_a_large_one() {
        let folder = tempfile::tempdir().unwrap();
        let (store, health) = store(folder.path());
        let full = Error::Store {
            place: "/store".to_owned(),
            doing: "writing",
            name: "results/1".to_owned(),
            source: Box::new(std::io::Error::from(std::io::ErrorKind::StorageFull)),
        };
        assert!(store.wrote::<()>(1_000, Err(full)).is_err());
        store.create("a", vec![0; 999]).await.unwrap();
        assert_eq!(health.told().len(), 1);
        store.create("b", vec![0; 1_000]).await.unwrap();
        assert!(health.told().is_empty());
        let missing = store.read("c").await;
        assert!(matches!(missing, Err(Error::Missing { .. })) && health.told().is_empty());
    }
}
