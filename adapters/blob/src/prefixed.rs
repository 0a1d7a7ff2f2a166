//! A part of a store that looks like a whole one.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use gristmill_domain::id::RunId;
use gristmill_ports::blob::{Blobs, Create, Error, check_name, check_prefix};

/// The blobs below a folder of another store: one run's, in the store of all.
#[derive(Clone)]
pub struct Prefixed {
    inner: Arc<dyn Blobs>,
    /// With its closing `/`.
    folder: String,
}

impl Prefixed {
    /// The state of a run in a store of many, laid out as in the folder of a run that works alone.
    pub fn state(store: Arc<dyn Blobs>, run: RunId) -> Self {
        Self {
            inner: store,
            folder: format!("{run}/state/"),
        }
    }

    /// The blobs whose names in `inner` start with `folder/`.
    pub fn new(inner: Arc<dyn Blobs>, folder: &str) -> Result<Self, Error> {
        check_name(folder)?;
        Ok(Self {
            inner,
            folder: format!("{folder}/"),
        })
    }

    fn full(&self, name: &str) -> Result<String, Error> {
        check_name(name)?;
        Ok(format!("{}{name}", self.folder))
    }
}

#[async_trait]
impl Blobs for Prefixed {
    async fn create(&self, name: &str, bytes: Vec<u8>) -> Result<Create, Error> {
        self.inner.create(&self.full(name)?, bytes).await
    }

    async fn put_file(&self, name: &str, file: &Path) -> Result<(), Error> {
        self.inner.put_file(&self.full(name)?, file).await
    }

    async fn read(&self, name: &str) -> Result<Vec<u8>, Error> {
        self.inner.read(&self.full(name)?).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>, Error> {
        check_prefix(prefix)?;
        let names = self.inner.list(&format!("{}{prefix}", self.folder)).await?;
        Ok(names
            .into_iter()
            .filter_map(|name| name.strip_prefix(&self.folder).map(str::to_owned))
            .collect())
    }

    async fn folders(&self) -> Result<Vec<String>, Error> {
        let names = self.list("").await?;
        let mut folders: Vec<String> = names
            .iter()
            .filter_map(|name| Some(name.split_once('/')?.0.to_owned()))
            .collect();
        folders.dedup();
        Ok(folders)
    }

    async fn remove(&self, name: &str) -> Result<(), Error> {
        self.inner.remove(&self.full(name)?).await
    }
}
