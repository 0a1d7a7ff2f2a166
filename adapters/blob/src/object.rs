//! Blobs in object storage.
//!
//! Creation is conditional at the provider (`If-None-Match: *`, or its generation's or blob's counterpart), so of many creators one wins. A create
//! is sent once by the client library and repeated here: after a lost reply the provider says "exists" to the very
//! creator, and then the bytes that lie there tell whose they are. Files go up in parts, and appear when the last one is there; what
//! an interrupted upload leaves behind is invisible, and a lifecycle rule of the bucket should abort it after some days.

use std::path::Path as FilePath;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::TryStreamExt;
use gristmill_ports::blob::{Blobs, Create, Error, check_name, check_prefix};
use object_store::aws::AmazonS3Builder;
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutPayload, RetryConfig, WriteMultipart};
use tokio::io::AsyncReadExt;

/// Bytes of a file that go up in one piece; larger ones for files of more than 80 GB.
const PIECE_BYTES: u64 = 8 << 20;
/// Pieces of one file, the least that providers allow.
const PIECES_MAX: u64 = 10_000;
/// Pieces of one file on their way at once: what an upload holds in memory.
const PIECES_OPEN: usize = 4;
/// Times that a create is sent when its outcome stays unknown.
const CREATE_TRIES: u32 = 5;
/// Wait before the second try, doubled before each further one.
const CREATE_WAIT: Duration = Duration::from_millis(200);

/// The same bucket through two clients.
#[derive(Clone)]
pub(crate) struct Stores {
    /// Sends again what failed on the way.
    patient: Arc<dyn ObjectStore>,
    /// Sends everything once.
    once: Arc<dyn ObjectStore>,
}

/// Connects to a bucket with the environment's settings.
pub(crate) fn connect(scheme: &str, bucket: &str) -> object_store::Result<Stores> {
    let once = RetryConfig {
        max_retries: 0,
        ..RetryConfig::default()
    };
    Ok(Stores {
        patient: client(scheme, bucket, RetryConfig::default())?,
        once: client(scheme, bucket, once)?,
    })
}

fn client(scheme: &str, bucket: &str, retry: RetryConfig) -> object_store::Result<Arc<dyn ObjectStore>> {
    Ok(match scheme {
        "gs" => Arc::new(
            GoogleCloudStorageBuilder::from_env()
                .with_bucket_name(bucket)
                .with_retry(retry)
                .build()?,
        ),
        "az" => Arc::new(
            MicrosoftAzureBuilder::from_env()
                .with_container_name(bucket)
                .with_retry(retry)
                .build()?,
        ),
        _ => Arc::new(
            AmazonS3Builder::from_env()
                .with_bucket_name(bucket)
                .with_retry(retry)
                .build()?,
        ),
    })
}

/// Blobs below a folder of a bucket.
#[derive(Clone)]
pub struct ObjectBlobs {
    stores: Stores,
    place: String,
    /// Empty, or with its closing `/`.
    folder: String,
}

impl ObjectBlobs {
    /// Uses a store as it is; `place` names it in errors.
    pub fn new(store: Arc<dyn ObjectStore>, place: impl Into<String>) -> Self {
        let once = Arc::clone(&store);
        Self::over(Stores { patient: store, once }, place.into(), "")
    }

    pub(crate) fn over(stores: Stores, place: String, folder: &str) -> Self {
        let folder = if folder.is_empty() {
            String::new()
        } else {
            format!("{folder}/")
        };
        Self {
            stores,
            place,
            folder,
        }
    }

    fn failed(
        &self,
        doing: &'static str,
        name: &str,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Error {
        Error::Store {
            place: format!("{}/{}", self.place, self.folder),
            doing,
            name: name.to_owned(),
            source: source.into(),
        }
    }

    /// Where a checked name lies.
    fn path(&self, name: &str) -> Result<Path, Error> {
        check_name(name)?;
        Path::parse(format!("{}{name}", self.folder)).map_err(|e| self.failed("naming", name, e))
    }

    /// Sends a file larger than one piece.
    async fn send_pieces(&self, path: &Path, file: &mut tokio::fs::File, bytes: u64) -> Result<(), Failure> {
        let piece = PIECE_BYTES.max(bytes.div_ceil(PIECES_MAX - 1)) as usize;
        let upload = self.stores.patient.put_multipart(path).await?;
        let mut upload = WriteMultipart::new_with_chunk_size(upload, piece);
        match fill(&mut upload, file, piece).await {
            Ok(()) => {
                upload.finish().await?;
                Ok(())
            }
            Err(failure) => {
                // What cannot be aborted either is left to the bucket's lifecycle rule.
                let _ = upload.abort().await;
                Err(failure)
            }
        }
    }

    async fn send_file(&self, path: &Path, file: &FilePath) -> Result<(), Failure> {
        let mut file = tokio::fs::File::open(file).await?;
        let bytes = file.metadata().await?.len();
        if bytes > PIECE_BYTES {
            return self.send_pieces(path, &mut file, bytes).await;
        }
        let mut whole = Vec::with_capacity(bytes as usize);
        file.read_to_end(&mut whole).await?;
        self.stores.patient.put(path, PutPayload::from(whole)).await?;
        Ok(())
    }
}

async fn fill(upload: &mut WriteMultipart, file: &mut tokio::fs::File, piece: usize) -> Result<(), Failure> {
    loop {
        upload.wait_for_capacity(PIECES_OPEN).await?;
        let mut bytes = Vec::with_capacity(piece);
        let mut rest = (&mut *file).take(piece as u64);
        if rest.read_to_end(&mut bytes).await? == 0 {
            return Ok(());
        }
        upload.put(bytes.into());
    }
}

/// A file that cannot be read, or a store that does not take it.
type Failure = Box<dyn std::error::Error + Send + Sync>;

#[async_trait]
impl Blobs for ObjectBlobs {
    async fn create(&self, name: &str, bytes: Vec<u8>) -> Result<Create, Error> {
        let path = self.path(name)?;
        let payload = PutPayload::from(bytes.clone());
        let mut wait = CREATE_WAIT;
        let mut unknown = None;
        for attempt in 0..CREATE_TRIES {
            if attempt > 0 {
                tokio::time::sleep(wait).await;
                wait *= 2;
            }
            match self
                .stores
                .once
                .put_opts(&path, payload.clone(), PutMode::Create.into())
                .await
            {
                Ok(_) => return Ok(Create::Created),
                Err(object_store::Error::AlreadyExists { .. }) if unknown.is_none() => {
                    return Ok(Create::Exists);
                }
                Err(object_store::Error::AlreadyExists { .. }) => {
                    let ours = self.read(name).await? == bytes;
                    return Ok(if ours { Create::Created } else { Create::Exists });
                }
                Err(error) if is_final(&error) => return Err(self.failed("writing", name, error)),
                Err(error) => unknown = Some(error),
            }
        }
        Err(match unknown {
            Some(error) => self.failed("writing", name, error),
            None => self.failed("writing", name, "it was never sent"),
        })
    }

    async fn put_file(&self, name: &str, file: &FilePath) -> Result<(), Error> {
        let path = self.path(name)?;
        self.send_file(&path, file)
            .await
            .map_err(|e| self.failed("writing", name, e))
    }

    async fn read(&self, name: &str) -> Result<Vec<u8>, Error> {
        let path = self.path(name)?;
        let bytes = async { self.stores.patient.get(&path).await?.bytes().await }.await;
        match bytes {
            Ok(bytes) => Ok(bytes.into()),
            Err(object_store::Error::NotFound { .. }) => Err(Error::Missing {
                name: name.to_owned(),
                place: format!("{}/{}", self.place, self.folder),
            }),
            Err(error) => Err(self.failed("reading", name, error)),
        }
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>, Error> {
        check_prefix(prefix)?;
        let full = format!("{}{prefix}", self.folder);
        // Stores list whole folders; what is left of the prefix is compared here.
        let folder = full.rsplit_once('/').map(|(folder, _)| Path::from(folder));
        let mut names: Vec<String> = self
            .stores
            .patient
            .list(folder.as_ref())
            .try_filter_map(|object| {
                let location = String::from(object.location);
                let name = location
                    .strip_prefix(&self.folder)
                    .filter(|name| name.starts_with(prefix));
                std::future::ready(Ok(name.map(str::to_owned)))
            })
            .try_collect()
            .await
            .map_err(|e| self.failed("listing", prefix, e))?;
        names.retain(|name| check_name(name).is_ok());
        names.sort();
        Ok(names)
    }

    async fn folders(&self) -> Result<Vec<String>, Error> {
        let folder = self.folder.strip_suffix('/').map(Path::from);
        let listed = self.stores.patient.list_with_delimiter(folder.as_ref()).await;
        let listed = listed.map_err(|e| self.failed("listing", "", e))?;
        let mut names: Vec<String> = listed
            .common_prefixes
            .iter()
            .filter_map(|path| path.filename().map(str::to_owned))
            .filter(|name| check_name(name).is_ok())
            .collect();
        names.sort();
        Ok(names)
    }

    async fn remove(&self, name: &str) -> Result<(), Error> {
        match self.stores.patient.delete(&self.path(name)?).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(self.failed("removing", name, error)),
        }
    }
}

/// Errors that another try does not change.
fn is_final(error: &object_store::Error) -> bool {
    use object_store::Error as E;
    matches!(
        error,
        E::PermissionDenied { .. }
            | E::Unauthenticated { .. }
            | E::NotSupported { .. }
            | E::NotImplemented { .. }
            | E::NotFound { .. }
            | E::InvalidPath { .. }
            | E::UnknownConfigurationKey { .. }
    )
}
