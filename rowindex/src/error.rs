//! What can go wrong.

use std::path::PathBuf;

use crate::facet::Facet;

/// Why something of the index could not be had.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The scratch folder cannot be used.
    #[error("the scratch folder {path} cannot be used: check that it may be written", path = path.display())]
    Folder {
        /// The folder or file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// SQLite failed.
    #[error("the index of rows failed; it is built again when it is next opened")]
    Sql(#[from] rusqlite::Error),
    /// Something in the file is not what this program wrote.
    #[error("the index of rows is damaged ({0}); it is built again when it is next opened")]
    Damaged(&'static str),
    /// The journal cannot be read.
    #[error("the run's journal cannot be read")]
    Journal(#[from] gristmill_coordinator::Error),
    /// A segment of the journal cannot be read.
    #[error("segment {name} of the run's journal cannot be read")]
    Segment {
        /// Its name.
        name: String,
        /// Why.
        #[source]
        source: gristmill_proto::Error,
    },
    /// The store of the journal failed.
    #[error("the run's journal cannot be read")]
    Blobs(#[from] gristmill_ports::blob::Error),
    /// No row has such a value.
    #[error("no row of this run has the {facet} `{value}`{nearest}", facet = .facet.label(), nearest = hint(.nearest.as_deref()))]
    Unknown {
        /// What was filtered by.
        facet: Facet,
        /// The value.
        value: String,
        /// The known value that is most like it.
        nearest: Option<String>,
    },
    /// A parameter that is not one of the filter's.
    #[error("`{name}` is not a filter{nearest}", nearest = hint(.nearest.as_deref()))]
    Parameter {
        /// The parameter.
        name: String,
        /// The parameter that is most like it.
        nearest: Option<String>,
    },
    /// A search that holds no word.
    #[error(
        "`{0}` holds no word to search for: give a word, or several in quotes to find them in that order"
    )]
    Search(String),
    /// A cursor, a sort or an outline that cannot be read.
    #[error("`{text}` is not {what}: {help}")]
    Text {
        /// The text.
        text: String,
        /// What it should be.
        what: &'static str,
        /// The way out.
        help: &'static str,
    },
    /// What places rows on the map failed.
    #[error("the map cannot be made")]
    Measure(#[from] gristmill_measure::Error),
    /// A row cannot be written as JSON.
    #[error("a row cannot be written as JSON")]
    Json(#[from] serde_json::Error),
}

fn hint(nearest: Option<&str>) -> String {
    nearest.map_or_else(String::new, |name| format!("; did you mean `{name}`?"))
}

impl Error {
    /// True where the file itself is at fault, and building it again helps.
    pub(crate) fn of_file(&self) -> bool {
        match self {
            Self::Damaged(_) => true,
            Self::Sql(rusqlite::Error::SqliteFailure(failure, _)) => matches!(
                failure.code,
                rusqlite::ErrorCode::DatabaseCorrupt | rusqlite::ErrorCode::NotADatabase
            ),
            Self::Sql(
                rusqlite::Error::FromSqlConversionFailure(..)
                | rusqlite::Error::IntegralValueOutOfRange(..)
                | rusqlite::Error::InvalidColumnType(..)
                | rusqlite::Error::QueryReturnedNoRows,
            ) => true,
            Self::Sql(_)
            | Self::Folder { .. }
            | Self::Journal(_)
            | Self::Segment { .. }
            | Self::Blobs(_)
            | Self::Unknown { .. }
            | Self::Parameter { .. }
            | Self::Search(_)
            | Self::Text { .. }
            | Self::Measure(_)
            | Self::Json(_) => false,
        }
    }
}
