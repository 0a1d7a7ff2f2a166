//! Opens what a job's validator needs, from the job's own folder or from the files that a cluster sent.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use gristmill_domain::validator::{Checker, Command, Given, Need, Settings};
use gristmill_ports::sql::{Judging, SqlEngine};

use crate::databases::{Source, utf8};
use crate::error::Error;
use crate::options::Options;
use crate::pool::Sandbox;
use crate::program::{ProgramLimits, ProgramRunner};

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
pub const FOLDERS: [&str; 2] = ["databases/", "validator/"];

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
        Some(Need::Program(command)) => (Given::Program(Arc::new(program(command, files)?)), None),
    };
    let checker = validator
        .open(given)
        .map_err(|reason| Error::Validator { reason })?;
    Ok(Opened {
        checker: Arc::from(checker),
        databases,
    })
}

/// The program, in the folder of its files. Files that were sent must be those that the run was started with.
fn program(command: &Command, files: Files<'_>) -> Result<ProgramRunner, Error> {
    let folder = match files {
        Files::Job(base) if base.as_os_str().is_empty() => PathBuf::from("."),
        Files::Job(base) => base.to_owned(),
        Files::Sent(sent) => {
            let folder = sent.join("validator");
            check_sent(command, &folder)?;
            folder
        }
    };
    let file_error = |what: &'static str, path: &Path| {
        let path = path.to_owned();
        move |source| Error::File { what, path, source }
    };
    std::fs::create_dir_all(&folder).map_err(file_error("create", &folder))?;
    let folder = std::fs::canonicalize(&folder).map_err(file_error("open", &folder))?;
    let mut run = command.run.clone();
    if let (Some(name), Some(first)) = (command.own_file(), run.first_mut()) {
        *first = utf8(&folder.join(name))?;
    }
    let limits = ProgramLimits {
        cpu: Duration::from_secs(command.timeout_s.into()),
        memory_bytes: u64::from(command.memory_mib) << 20,
        output_bytes_max: command.output_kib as usize * 1024,
    };
    ProgramRunner::new(run, &folder, limits, None)
}

fn check_sent(command: &Command, folder: &Path) -> Result<(), Error> {
    for (name, hash) in &command.pinned {
        let path = folder.join(name);
        let read = std::fs::read(&path).map_err(|source| Error::File {
            what: "read",
            path: path.clone(),
            source,
        });
        if blake3::hash(&read?).to_hex().as_str() != hash {
            let reason = format!(
                "the file `{name}` is not the one that the run was started with: submit the job again"
            );
            return Err(Error::Validator { reason });
        }
    }
    if let Some(name) = command.own_file() {
        let path = folder.join(name);
        // Bytes were sent, and no rights.
        let permissions = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(&path, permissions).map_err(|source| Error::File {
            what: "make executable",
            path,
            source,
        })?;
    }
    Ok(())
}

/// The files beside a job that its validator needs on every machine.
pub fn shipped(validator: &Settings, base: &Path) -> Result<Vec<Shipped>, Error> {
    match validator.need() {
        None => Ok(Vec::new()),
        Some(Need::Program(_)) => {
            let files = validator.files().into_iter();
            Ok(files
                .map(|file| Shipped {
                    path: base.join(&file.name),
                    name: format!("validator/{}", file.name),
                })
                .collect())
        }
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
