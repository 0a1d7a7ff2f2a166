//! A read model of a run's rows: what pages of rows, counts, search, neighbours and maps are answered from.
//!
//! The journal says everything and answers only in its own order. This crate reads it once, segment by segment, into one SQLite file in a
//! scratch folder, and follows it while the run is going. The file holds nothing that the journal does not: it is thrown away and
//! built again when it is of another format, of another run, or damaged.
//!
//! **What is in the file.** Rows are numbered in the order in which they are read: real rows of the anchor first, then decided rows.
//!
//! | table | holds |
//! |---|---|
//! | `columns` | facts of rows in columns of 32-bit numbers, 4,096 rows a block: verdict, reason, recipe and so on by code, cost, calls |
//! | `names` | what the codes mean |
//! | `rows` | identity, place in the journal, and the beginning of question and answer |
//! | `words` | the texts' words (FTS5, without the texts) |
//! | `costs` | what the rows of a block cost at least and at most |
//! | `vectors`, `places` | vectors of questions in 8-bit numbers, as many as fit on a page of the file together, and their places on the map |
//! | `segments`, `tasks` | what was read of the journal, and which tasks each segment of results holds |
//!
//! **Why columns.** A filter, a count or a sort over 1,000,000 rows reads the few columns that it names, 4 MB each, in a few
//! milliseconds, whatever is combined. So all counts are exact, and no index has to be chosen, maintained or missed.
//!
//! **Why all vectors.** The nearest rows are found by comparing all of them: 1,000,000 vectors of 384 8-bit numbers are read and multiplied in
//! 0.14 s of a processor, on as many threads as there are cores. So no neighbour is missed and there is no graph to keep up; the nearest by 8-bit numbers are
//! those by 32-bit ones for 95 in 100 rows and more, which a test checks.
//!
//! **What it refuses to do.** It decides nothing, writes nothing but its own file, and never holds all rows: pages are found from a
//! key on, exports come a segment at a time.
//!
//! Everything blocks: call it on threads that may. `rusqlite` is what the ledger uses already; FTS5 comes with its bundled SQLite.

mod amounts;
mod bits;
mod columns;
mod entry;
mod error;
mod export;
mod facet;
mod facets;
mod filter;
mod history;
mod index;
mod located;
mod map;
mod names;
mod neighbours;
mod order;
mod page;
mod pieces;
mod places;
mod points;
mod readers;
mod schema;
mod search;
mod selection;
mod similar;
mod source;
mod tasks;
mod update;
mod vector_writer;
mod vectors;
mod walk;

pub use amounts::Spent;
pub use error::Error;
pub use export::{Export, Form};
pub use facet::Facet;
pub use facets::{Counts, FacetCounts, ValueCount};
pub use filter::Filter;
pub use index::RowIndex;
pub use located::Located;
pub use map::Placing;
pub use neighbours::Neighbour;
pub use order::{Cursor, Sort};
pub use page::{Listed, Page};
pub use points::{Point, Points};
pub use source::Source;
pub use update::Progress;
