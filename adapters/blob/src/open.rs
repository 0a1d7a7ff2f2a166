//! A store by its URL.

use std::sync::Arc;

use gristmill_ports::blob::{self, Blobs};
use url::Url;

use crate::local::LocalBlobs;

/// No store stands behind a URL.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is no URL.
    #[error("`{url}` cannot be read as a URL")]
    Url {
        /// As it was given.
        url: String,
        /// Why.
        #[source]
        source: url::ParseError,
    },
    /// `file://` with a host, or without a path.
    #[error("`{url}` names no folder of this machine: write file:///folder, or the path alone")]
    File {
        /// As it was given.
        url: String,
    },
    /// Nobody knows how to reach such a store.
    #[error(
        "`{scheme}://` is no store for blobs: there are a path or file:// for a folder, s3://, gs:// and az://"
    )]
    Scheme {
        /// The part before `://`.
        scheme: String,
    },
    /// A key stands in the URL, which is stored and shown.
    #[error("a {scheme}:// URL for blobs must hold no password: keys are read from the environment")]
    Password {
        /// The part before `://`.
        scheme: String,
    },
    /// A bucket is missing, or something stands behind the path.
    #[error("`{url}` names no bucket and folder: write {scheme}://BUCKET/FOLDER")]
    Bucket {
        /// As it was given.
        url: String,
        /// The part before `://`.
        scheme: String,
    },
    /// The folder in the bucket has a name that blobs cannot have.
    #[error("the folder in `{url}` cannot be used")]
    Folder {
        /// As it was given.
        url: String,
        /// Why.
        #[source]
        source: blob::Error,
    },
    /// The program was built without object storage.
    #[error(
        "`{url}` cannot be opened: this program was built without object storage; build it with `--features object-storage`"
    )]
    NotBuilt {
        /// As it was given.
        url: String,
    },
    /// The store's client does not start.
    #[cfg(feature = "object-storage")]
    #[error("`{url}` cannot be opened with the settings in the environment")]
    Settings {
        /// As it was given.
        url: String,
        /// Why.
        #[source]
        source: object_store::Error,
    },
}

/// Opens the store behind a URL; nothing is sent yet.
///
/// | URL | store | settings |
/// |---|---|---|
/// | a path, `file:///folder` | a folder | |
/// | `s3://bucket/folder` | S3 and what speaks like it | `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_REGION`, `AWS_ENDPOINT`, `AWS_ALLOW_HTTP` …, or the machine's role |
/// | `gs://bucket/folder` | Google Cloud Storage | `GOOGLE_SERVICE_ACCOUNT`, `GOOGLE_APPLICATION_CREDENTIALS` …, or the machine's account |
/// | `az://container/folder` | Azure Blob Storage | `AZURE_STORAGE_ACCOUNT_NAME`, `AZURE_STORAGE_ACCOUNT_KEY` …, or the machine's identity |
pub fn open(url: &str) -> Result<Arc<dyn Blobs>, Error> {
    let Some((scheme, _)) = url.split_once("://") else {
        return Ok(Arc::new(LocalBlobs::new(url)));
    };
    let parsed = Url::parse(url).map_err(|source| Error::Url {
        url: url.to_owned(),
        source,
    })?;
    let scheme = scheme.to_ascii_lowercase();
    if parsed.password().is_some() {
        return Err(Error::Password { scheme });
    }
    match scheme.as_str() {
        "file" => {
            let folder = parsed
                .to_file_path()
                .map_err(|()| Error::File { url: url.to_owned() })?;
            Ok(Arc::new(LocalBlobs::new(folder)))
        }
        "s3" | "gs" | "az" => {
            let wrong = || Error::Bucket {
                url: url.to_owned(),
                scheme: scheme.clone(),
            };
            let bucket = parsed
                .host_str()
                .filter(|host| !host.is_empty())
                .ok_or_else(wrong)?;
            if parsed.query().is_some()
                || parsed.fragment().is_some()
                || parsed.port().is_some()
                || !parsed.username().is_empty()
            {
                return Err(wrong());
            }
            let folder = parsed.path().trim_matches('/');
            if !folder.is_empty() {
                blob::check_name(folder).map_err(|source| Error::Folder {
                    url: url.to_owned(),
                    source,
                })?;
            }
            object(&scheme, bucket, folder, url)
        }
        _ => Err(Error::Scheme { scheme }),
    }
}

#[cfg(feature = "object-storage")]
fn object(scheme: &str, bucket: &str, folder: &str, url: &str) -> Result<Arc<dyn Blobs>, Error> {
    let place = format!("{scheme}://{bucket}");
    let stores = crate::object::connect(scheme, bucket).map_err(|source| Error::Settings {
        url: url.to_owned(),
        source,
    })?;
    Ok(Arc::new(crate::object::ObjectBlobs::over(stores, place, folder)))
}

#[cfg(not(feature = "object-storage"))]
fn object(_: &str, _: &str, _: &str, url: &str) -> Result<Arc<dyn Blobs>, Error> {
    Err(Error::NotBuilt { url: url.to_owned() })
}
