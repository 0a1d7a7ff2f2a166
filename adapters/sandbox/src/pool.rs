//! The sandbox: a fixed number of slots, each with at most one child.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use gristmill_confine::own_program;
use gristmill_domain::answer::sql::{Cell, Table};
use gristmill_ports::sql::{SqlEngine, SqlError, Variant};
use tempfile::TempDir;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use crate::copies::Copies;
use crate::databases::{self, Prepared, Source, utf8};
use crate::error::Error;
use crate::options::{Limits, Options};
use crate::results::Results;
use crate::wire::{self, LOADING, Order, Query, Reply};
use crate::worker::{Death, Worker};

/// Queries after which a child is replaced, so that nothing it may leak adds up.
const QUERIES_A_CHILD: u32 = 10_000;

/// Runs queries on a set of databases, each in a confined child process. See the crate's head for what confines it.
#[derive(Debug)]
pub struct Sandbox {
    program: PathBuf,
    limits: Limits,
    /// Index of each database's file in the order.
    names: BTreeMap<String, usize>,
    /// Each database's altered copies, in the order of their files.
    copies: Vec<Copies>,
    results: Results,
    order: Vec<u8>,
    slots: Semaphore,
    idle: Mutex<Vec<Worker>>,
    /// Holds databases made from dumps for as long as the sandbox lives.
    _scratch: Option<TempDir>,
    /// Holds the altered copies.
    _shelf: TempDir,
}

impl Sandbox {
    /// Loads dumps that were not loaded before, then opens every database once, so that a broken one is known now.
    ///
    /// Needs a Tokio runtime with its I/O and time drivers.
    pub async fn open(options: Options) -> Result<Self, Error> {
        if options.databases.is_empty() {
            return Err(Error::NoDatabase {
                place: "none was named".into(),
            });
        }
        let program = match options.program {
            Some(program) => program,
            None => own_program().map_err(|error| Error::Child {
                reason: error.to_string(),
            })?,
        };
        let (prepared, scratch) = prepare_all(options.databases.clone(), options.cache).await?;
        let mut names = BTreeMap::new();
        let mut files = Vec::new();
        for (name, prepared) in prepared {
            let source = &options.databases[&name];
            let file = match prepared {
                Prepared::Ready(file) => file,
                Prepared::ToLoad { dump, target } => load(&program, &name, &dump, target).await?,
            };
            files.push(utf8(&file)?);
            tracing::debug!(database = name, source = %source.path().display(), "database ready");
            names.insert(name, files.len() - 1);
        }
        let shelf = temporary()?;
        let mut copies = Vec::with_capacity(files.len());
        for number in 0..names.len() {
            let planned = Copies::planned(&files[number], shelf.path(), files.len())?;
            files.extend(planned.files());
            copies.push(planned);
        }
        let order = Order::Serve {
            limits: options.limits,
            files,
        };
        let sandbox = Self {
            program,
            limits: options.limits,
            names,
            copies,
            results: Results::default(),
            order: wire::frame(&order).map_err(|error| Error::Child {
                reason: error.to_string(),
            })?,
            slots: Semaphore::new(options.slots.get()),
            idle: Mutex::new(vec![]),
            _scratch: scratch,
            _shelf: shelf,
        };
        sandbox.check(&options.databases).await?;
        Ok(sandbox)
    }

    /// The databases' names.
    pub fn databases(&self) -> impl Iterator<Item = &str> {
        self.names.keys().map(String::as_str)
    }

    /// The statements that create a database's tables and views, as its author wrote them, for prompts.
    pub async fn schema(&self, database: &str) -> Result<String, SqlError> {
        let query = "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND type IN ('table', 'view') ORDER BY rowid";
        let table = self.run(database, query).await?;
        let statements = table.rows.into_iter().flatten().filter_map(|cell| match cell {
            Cell::Text(text) => Some(format!("{text};\n")),
            _ => None,
        });
        Ok(statements.collect())
    }

    async fn check(&self, sources: &BTreeMap<String, Source>) -> Result<(), Error> {
        for (name, source) in sources {
            let reason = match self.look(name).await {
                Ok(Reply::Broken(reason)) => reason,
                Ok(reply) => match self.verdict(reply) {
                    Ok(_) => continue,
                    Err(refused) => refused.to_string(),
                },
                Err(SqlError::Unavailable { reason }) => return Err(Error::Child { reason }),
                Err(other) => other.to_string(),
            };
            return Err(Error::Database {
                name: name.clone(),
                path: source.path().to_owned(),
                reason,
            });
        }
        Ok(())
    }

    /// Has a child open a database and read what is in it.
    async fn look(&self, database: &str) -> Result<Reply, SqlError> {
        let file = self.file(database, Variant::ORIGINAL).await?;
        self.ask(file, "SELECT count(*) FROM sqlite_schema").await
    }

    fn number(&self, database: &str) -> Result<usize, SqlError> {
        self.names
            .get(database)
            .copied()
            .ok_or_else(|| SqlError::UnknownDatabase {
                name: database.to_owned(),
                known: self.databases().collect::<Vec<_>>().join(", "),
            })
    }

    /// The index of a variant's file in the order.
    async fn file(&self, database: &str, variant: Variant) -> Result<usize, SqlError> {
        let number = self.number(database)?;
        if variant == Variant::ORIGINAL {
            return Ok(number);
        }
        let copies = &self.copies[number];
        let made = copies.made(&self.program).await?;
        copies
            .file(variant, made)
            .ok_or_else(|| SqlError::UnknownDatabase {
                name: format!("{database} ({variant})"),
                known: format!("{} altered copies of {database}", made.altered),
            })
    }

    /// Has a child run a query on a file.
    async fn ask(&self, file: usize, query: &str) -> Result<Reply, SqlError> {
        let unfit = if query.len() > self.limits.query_bytes_max {
            Some(format!(
                "its text has more than {} bytes",
                self.limits.query_bytes_max
            ))
        } else {
            // SQLite would silently stop reading there.
            query
                .contains('\0')
                .then(|| "it contains a NUL character".to_owned())
        };
        if let Some(reason) = unfit {
            return Err(SqlError::Refused { reason });
        }
        let text = query.to_owned();
        let unavailable = |reason: String| SqlError::Unavailable { reason };
        let framed = wire::frame(&Query { file, text }).map_err(|error| unavailable(error.to_string()))?;
        let reply_bytes_max = 2 * self.limits.result_bytes_max + (64 << 10);
        // Waiting for a slot is not the query's time.
        let _slot = self
            .slots
            .acquire()
            .await
            .map_err(|error| unavailable(error.to_string()))?;
        loop {
            let mut worker = self.worker().await?;
            let used = worker.served > 1;
            match worker.exchange(&framed, reply_bytes_max, self.limits.wall).await {
                Ok(reply) => {
                    self.keep(worker);
                    return Ok(reply);
                }
                // An idle child may have been killed from outside; a new one decides.
                Err(Death::Other(reason)) if used => {
                    tracing::warn!(reason, "a sandbox child had ended; starting another");
                }
                Err(death) => return Err(self.blame(death)),
            }
        }
    }

    /// An idle child, or a new one.
    async fn worker(&self) -> Result<Worker, SqlError> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        if let Some(worker) = idle {
            return Ok(worker);
        }
        let started = Worker::start(&self.program, &self.order, Duration::ZERO).await;
        match started {
            Ok((worker, Reply::Ready)) => Ok(worker),
            Ok((_, Reply::Broken(reason))) => Err(SqlError::Unavailable { reason }),
            Ok((_, other)) => Err(SqlError::Unavailable {
                reason: format!("the child began by answering {other}"),
            }),
            Err(reason) => Err(SqlError::Unavailable { reason }),
        }
    }

    fn keep(&self, worker: Worker) {
        if worker.served < QUERIES_A_CHILD {
            self.idle
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(worker);
        }
    }

    /// What a death in the middle of a query means for the query.
    fn blame(&self, death: Death) -> SqlError {
        match death {
            Death::Deadline => SqlError::TimedOut {
                limit: self.limits.wall,
            },
            Death::Cpu => SqlError::TimedOut {
                limit: self.limits.cpu,
            },
            Death::Memory => SqlError::TooLarge {
                what: format!(
                    "it needed more than {} MiB of memory",
                    self.limits.memory_bytes_max >> 20
                ),
            },
            Death::Crash(signal) => SqlError::Failed {
                message: format!("it crashed the engine (signal {signal})"),
            },
            Death::Other(reason) => SqlError::Unavailable { reason },
        }
    }

    fn verdict(&self, reply: Reply) -> Result<Table, SqlError> {
        match reply {
            Reply::Table(table) => Ok(table),
            Reply::Refused(reason) => Err(SqlError::Refused { reason }),
            Reply::Failed(message) => Err(SqlError::Failed { message }),
            Reply::TimedOut => Err(SqlError::TimedOut {
                limit: self.limits.cpu,
            }),
            Reply::TooLarge(what) => Err(SqlError::TooLarge { what }),
            Reply::Broken(reason) => Err(SqlError::Unavailable {
                reason: format!("database: {reason}"),
            }),
            other @ (Reply::Ready | Reply::Loaded | Reply::Altered { .. }) => Err(SqlError::Unavailable {
                reason: format!("the child answered {other} to a query"),
            }),
        }
    }
}

#[async_trait]
impl SqlEngine for Sandbox {
    async fn run_on(&self, database: &str, variant: Variant, query: &str) -> Result<Table, SqlError> {
        let file = self.file(database, variant).await?;
        if let Some(known) = self.results.get(file, query) {
            return known;
        }
        let result = self.ask(file, query).await.and_then(|reply| self.verdict(reply));
        self.results.keep(file, query, &result);
        result
    }

    async fn copies(&self, database: &str) -> Result<usize, SqlError> {
        let number = self.number(database)?;
        Ok(self.copies[number].made(&self.program).await?.altered)
    }
}

fn temporary() -> Result<TempDir, Error> {
    tempfile::tempdir().map_err(|source| Error::File {
        what: "create a folder in",
        path: std::env::temp_dir(),
        source,
    })
}

type Preparing = (Vec<(String, Prepared)>, Option<TempDir>);

async fn prepare_all(sources: BTreeMap<String, Source>, cache: Option<PathBuf>) -> Result<Preparing, Error> {
    let work = move || {
        let (folder, scratch) = match cache {
            Some(cache) => (databases::cache_folder(&cache)?, None),
            None => {
                let scratch = temporary()?;
                (databases::cache_folder(scratch.path())?, Some(scratch))
            }
        };
        let prepared = sources
            .into_iter()
            .map(|(name, source)| {
                databases::prepare(&name, &source, &folder).map(|prepared| (name, prepared))
            })
            .collect::<Result<Vec<_>, Error>>()?;
        Ok((prepared, scratch))
    };
    spawn_blocking(work).await.map_err(|error| Error::Child {
        reason: error.to_string(),
    })?
}

/// Makes a database from a dump in a child of its own and puts it in its place.
async fn load(program: &Path, name: &str, dump: &Path, target: PathBuf) -> Result<PathBuf, Error> {
    let broken = |reason: String| Error::Database {
        name: name.to_owned(),
        path: dump.to_owned(),
        reason,
    };
    // Its own name: two programs may fill one cache.
    let making = tempfile::Builder::new()
        .prefix("loading-")
        .suffix(".sqlite")
        .tempfile_in(target.parent().unwrap_or(Path::new(".")))
        .map_err(|source| Error::File {
            what: "create a file beside",
            path: target.clone(),
            source,
        })?
        .into_temp_path();
    let order = Order::Load {
        limits: LOADING,
        dump: utf8(dump)?,
        target: utf8(&making)?,
    };
    let order = wire::frame(&order).map_err(|error| broken(error.to_string()))?;
    let deadline = Duration::from_secs(4 * LOADING.cpu_seconds);
    match Worker::start(program, &order, deadline).await {
        Ok((_, Reply::Loaded)) => {}
        Ok((_, Reply::Broken(reason))) => return Err(broken(reason)),
        Ok((_, other)) => return Err(broken(format!("the child answered {other}"))),
        Err(reason) => return Err(Error::Child { reason }),
    }
    let made = target.clone();
    spawn_blocking(move || databases::publish(&making, &made))
        .await
        .map_err(|error| broken(error.to_string()))??;
    Ok(target)
}
