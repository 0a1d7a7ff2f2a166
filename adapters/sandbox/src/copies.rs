//! Altered copies of a database: where their files are, and having a child make them at the first need.

use std::path::Path;
use std::time::Duration;

use gristmill_domain::answer::sql::alter;
use gristmill_ports::sql::{SqlError, Variant};
use tokio::sync::OnceCell;

use crate::databases::utf8;
use crate::error::Error;
use crate::wire::{self, LOADING, Order, Reply, Targets};
use crate::worker::Worker;

/// The altered copies of one database.
#[derive(Debug)]
pub(crate) struct Copies {
    /// The database's file.
    source: String,
    targets: Targets,
    /// Index of the first target in the order of files.
    first: usize,
    made: OnceCell<Made>,
}

/// What was made of a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Made {
    /// Altered copies, each in two orders of rows.
    pub(crate) altered: usize,
    /// The database itself is there in another order of rows.
    pub(crate) reordered: bool,
}

impl Copies {
    /// Files in `folder` for the copies of a database, the first of which gets index `first` among all files.
    pub(crate) fn planned(source: &str, folder: &Path, first: usize) -> Result<Self, Error> {
        let path = |number: usize| utf8(&folder.join(format!("{}.sqlite", first + number)));
        let pair = |copy: usize| Ok([path(1 + 2 * copy)?, path(2 + 2 * copy)?]);
        Ok(Self {
            source: source.to_owned(),
            targets: Targets {
                reordered: path(0)?,
                altered: (0..alter::COPIES).map(pair).collect::<Result<_, Error>>()?,
            },
            first,
            made: OnceCell::new(),
        })
    }

    /// All files, in the order of their indexes.
    pub(crate) fn files(&self) -> impl Iterator<Item = String> {
        let altered = self.targets.altered.iter().flatten();
        std::iter::once(&self.targets.reordered).chain(altered).cloned()
    }

    /// The index of a variant's file; `None` where it was not made, and for the original.
    pub(crate) fn file(&self, variant: Variant, made: Made) -> Option<usize> {
        match variant.copy {
            None => (variant.reordered && made.reordered).then_some(self.first),
            Some(copy) => {
                let file = self.first + 1 + 2 * copy + usize::from(variant.reordered);
                (copy < made.altered).then_some(file)
            }
        }
    }

    /// Has a child make the copies, once. A database that cannot be copied has none; a child that does not start is the engine's
    /// fault, and tried again.
    pub(crate) async fn made(&self, program: &Path) -> Result<Made, SqlError> {
        self.made.get_or_try_init(|| self.make(program)).await.copied()
    }

    async fn make(&self, program: &Path) -> Result<Made, SqlError> {
        let unavailable = |reason: String| SqlError::Unavailable { reason };
        let order = Order::Alter {
            limits: LOADING,
            source: self.source.clone(),
            targets: self.targets.clone(),
        };
        let order = wire::frame(&order).map_err(|error| unavailable(error.to_string()))?;
        let deadline = Duration::from_secs(4 * LOADING.cpu_seconds);
        match Worker::start(program, &order, deadline).await {
            Ok((_, Reply::Altered { reordered })) => Ok(Made {
                altered: self.targets.altered.len(),
                reordered,
            }),
            Ok((_, Reply::Broken(reason))) => {
                tracing::warn!(
                    database = self.source,
                    reason,
                    "no altered copies can be made: queries are compared on the database alone"
                );
                Ok(Made {
                    altered: 0,
                    reordered: false,
                })
            }
            Ok((_, other)) => Err(unavailable(format!("the child answered {other}"))),
            Err(reason) => Err(unavailable(reason)),
        }
    }
}
