//! Opens what a job's validator needs, from the job's own folder or from the files that a cluster sent.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use gristmill_domain::validator::{Checker, Given, Need, Settings};
use gristmill_ports::sql::{Judging, SqlEngine};

use crate::databases::Source;
use crate::options::{Error, Options};
use crate::pool::Sandbox;

/// Where the files are that a validator needs.
#[derive(Debug, Clone, Copy)]
pub enum Files<'a> {
    /// Beside the job: its paths are relative to this folder.
    Job(&'a Path),
    /// In this folder, under the names that they were [sent](shipped) by.
    Sent(&'a Path),
}

/// A validator that is ready, and what was opened for it.
pub struct Opened {
    /// Checks answers.
    pub checker: Arc<dyn Checker>,
    /// The databases, where it runs queries.
    pub databases: Option<Arc<Sandbox>>,
}

/// A file that a validator needs on every machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shipped {
    /// Its name among a run's files, such as `databases/shop.sql`.
    pub name: String,
    /// Where it is here.
    pub path: PathBuf,
}

/// Names of files that validators need begin with one of these, among a run's files.
pub const FOLDERS: [&str; 1] = ["databases/"];

/// Makes a validator ready.
pub async fn open(validator: &Settings, files: Files<'_>) -> Result<Opened, Error> {
    let (given, databases) = match validator.need() {
        None => (Given::Nothing, None),
        Some(Need::Databases {
            folder, timeout_s, ..
        }) => {
            let folder = match files {
                Files::Job(base) => base.join(folder),
                Files::Sent(sent) => sent.join("databases"),
            };
            let mut options = Options::from_folder(&folder)?;
            options.limits.cpu = Duration::from_secs(timeout_s.into());
            options.limits.wall = options.limits.cpu * 4;
            let sandbox = Arc::new(Sandbox::open(options).await?);
            let engine = Arc::clone(&sandbox) as Arc<dyn SqlEngine>;
            (Given::Databases(Arc::new(Judging(engine))), Some(sandbox))
        }
    };
    let checker = validator
        .open(given)
        .map_err(|reason| Error::Validator { reason })?;
    Ok(Opened {
        checker: Arc::from(checker),
        databases,
    })
}

/// The files beside a job that its validator needs on every machine.
pub fn shipped(validator: &Settings, base: &Path) -> Result<Vec<Shipped>, Error> {
    match validator.need() {
        None => Ok(Vec::new()),
        Some(Need::Databases { folder, .. }) => {
            let options = Options::from_folder(&base.join(folder))?;
            let files = options.databases.values().map(Source::path);
            Ok(files
                .map(|path| Shipped {
                    name: format!("databases/{}", file_name(path)),
                    path: path.to_owned(),
                })
                .collect())
        }
    }
}

fn file_name(path: &Path) -> String {
    path.file_name()
        .map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}
