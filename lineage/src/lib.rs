//! Lineages: the training sets that students of one line are trained on, generation by generation.
//!
//! ```text
//! lineage.json           settings, the locked validation and test rows, the generations with their hashes
//! generations/1/ …       a dataset each, in the layout of a run's: data/, jsonl/, README.md, manifest.json
//!   generation.json      what it was made from and how: parent, anchor, synthetic rows, depth, quarantine, ceiling, leak check
//!   rows.csv             content hash, origin and first generation of each training row
//!   quarantined.jsonl    rows that may not come back, where there are any
//! ```
//!
//! Owns: how a generation follows from its parent and new datasets ([`Lineage::add`]), the ceiling on the synthetic share by a sample
//! that keeps coverage, the leak check against the held-out rows, quarantine ([`Rule`]), and the check of what is there
//! ([`Lineage::checked`]). The same leak check serves what is trained on without a lineage ([`check_dataset`], [`leaks_of`]).
//!
//! Refuses: to change a generation that is there, to drop a real row, to make a generation that holds a held-out row or rows that are
//! deeper than the lineage's limit, to hold rows in memory: of each row, hashes and counts are held, about 250 bytes.
//!
//! All calls block: run them on a thread that may.

mod card;
mod ceiling;
mod check;
mod checker;
mod digest;
mod error;
mod folder;
mod gather;
mod generation;
mod identity;
mod leaks;
mod make;
mod members;
mod record;
mod rule;
mod source;
mod stored;
mod trained;
mod warnings;

pub use check::Checked;
pub use checker::LeakOptions;
pub use error::Error;
pub use folder::Lineage;
pub use generation::{
    Anchor, ByTeacher, Ceiling, DatasetRef, FileDigest, Generation, LeakCheck, Made, Parent, Quarantine,
    Synthetic,
};
pub use leaks::{Leak, LeakHow, Leaks};
pub use make::{Additions, Quarantining};
pub use record::{Entry, LineageFile, Locked, Settings};
pub use rule::Rule;
pub use trained::{Question, check_dataset, leaks_of};
