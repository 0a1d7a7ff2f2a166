//! Databases that answer read-only queries under limits.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use gristmill_domain::answer::sql::Table;

mod judge;
mod queries;

pub use judge::{Fault, Judged, judge};
pub use queries::Judging;

/// Which copy of a database a query runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Variant {
    /// The number of an altered copy; `None` for the database as it was given.
    pub copy: Option<usize>,
    /// The same content, with the rows of every table stored in another order.
    pub reordered: bool,
}

impl Variant {
    /// The database as it was given.
    pub const ORIGINAL: Self = Self {
        copy: None,
        reordered: false,
    };

    /// Altered copy `number`.
    pub const fn altered(number: usize) -> Self {
        Self {
            copy: Some(number),
            reordered: false,
        }
    }

    /// The same content in another order of rows.
    #[must_use]
    pub const fn reordered(self) -> Self {
        Self {
            reordered: true,
            ..self
        }
    }
}

impl fmt::Display for Variant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.copy {
            Some(number) => write!(f, "altered copy {number}")?,
            None => f.write_str("the original")?,
        }
        if self.reordered {
            f.write_str(", its rows in another order")?;
        }
        Ok(())
    }
}

/// Runs queries that nobody trusts.
#[async_trait]
pub trait SqlEngine: Send + Sync {
    /// Runs one read-only statement on the named database and returns its whole result.
    ///
    /// The database is never changed, and a query that would run on is stopped, not abandoned. The call may be dropped at any
    /// time; the query is then stopped, too. The same query gives the same table every time.
    async fn run(&self, database: &str, query: &str) -> Result<Table, SqlError> {
        self.run_on(database, Variant::ORIGINAL, query).await
    }

    /// Like [`SqlEngine::run`], on a copy of the database. A copy that [`SqlEngine::copies`] does not list, and the original in
    /// another order where it is too large to be stored twice, count as unknown databases.
    async fn run_on(&self, database: &str, variant: Variant, query: &str) -> Result<Table, SqlError>;

    /// How many altered copies of the database there are (see `gristmill_domain::answer::sql::alter`); they are made at the first
    /// call. 0 where none can be made.
    async fn copies(&self, database: &str) -> Result<usize, SqlError>;
}

/// Why a query brought no table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SqlError {
    /// It was not run: no statement, several, one that does more than read, or one whose result would be chance.
    #[error("the query was refused: {reason}")]
    Refused {
        /// What it tried, in words.
        reason: String,
    },
    /// The engine could not compile it or failed on it.
    #[error("the query failed: {message}")]
    Failed {
        /// The engine's message.
        message: String,
    },
    /// It was stopped at its limit of time.
    #[error("the query was stopped after {limit:?}")]
    TimedOut {
        /// The limit on wall and processor time.
        limit: Duration,
    },
    /// It asked for more memory, rows or bytes than a query may have.
    #[error("the query was stopped: {what}")]
    TooLarge {
        /// Which limit, and its size.
        what: String,
    },
    /// No database has this name.
    #[error("there is no database `{name}`; known: {known}")]
    UnknownDatabase {
        /// The name.
        name: String,
        /// The names there are, joined by commas.
        known: String,
    },
    /// The engine itself is broken, which says nothing about the query: neither count it as wrong nor as right.
    #[error("the query engine is unavailable: {reason}")]
    Unavailable {
        /// What happened.
        reason: String,
    },
}

impl SqlError {
    /// The query is at fault, so that it counts as a wrong answer.
    pub fn is_querys_fault(&self) -> bool {
        match self {
            Self::Refused { .. } | Self::Failed { .. } | Self::TimedOut { .. } | Self::TooLarge { .. } => {
                true
            }
            Self::UnknownDatabase { .. } | Self::Unavailable { .. } => false,
        }
    }
}
