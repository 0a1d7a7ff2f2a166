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
        "`{url}` needs the feature `object-storage`, and this program was built without it\nhelp: install it with `cargo install --path cli --locked --features object-storage`, or name a folder"
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

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(url: &str) -> String {
        match open(url) {
            Ok(_) => format!("{url} was opened"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn what_names_no_store_is_refused_with_the_way_out() {
        for (url, part) in [
            ("ftp://host/folder", "there are a path or file://"),
            ("http://bucket/folder", "there are a path or file://"),
            ("file://host/folder", "file:///folder"),
            ("s3:///folder", "s3://BUCKET/FOLDER"),
            ("s3://bucket/folder?versionId=1", "s3://BUCKET/FOLDER"),
            ("gs://bucket:80/folder", "gs://BUCKET/FOLDER"),
            ("az://bucket/a%20b", "cannot be used"),
        ] {
            let said = refused(url);
            assert!(said.contains(part), "{url}: {said}");
        }
        let said = refused("s3://user:canary-9d@bucket/folder");
        assert!(said.contains("no password") && !said.contains("canary"), "{said}");
    }

    #[tokio::test]
    async fn a_path_and_a_file_url_are_folders() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_str().unwrap();
        open(path).unwrap().create("a", b"x".to_vec()).await.unwrap();
        let again = open(&format!("file://{path}")).unwrap();
        assert_eq!(again.list("").await.unwrap(), ["a"]);
    }

    #[cfg(feature = "object-storage")]
    #[test]
    fn buckets_open_without_a_word_sent() {
        assert!(open("s3://bucket/some/folder").is_ok());
    }
}
