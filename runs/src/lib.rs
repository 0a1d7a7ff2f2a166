//! What a run says of itself: the audit of its seeds, its plan, its folder, where it stands, its dataset with manifest and card, its
//! warnings, its report, and the history of each row.
//!
//! The program, the coordinator's process and a dashboard use the same functions. Everything is made from what is stored, so that it can
//! be made again at any time. The crate prints nothing and reads no command line: its functions return typed values or texts. Models are
//! loaded by the caller.
//!
//! It reads a run's journal through the coordinator's crate, which owns that format. Of the adapters it uses those whose formats are
//! fixed: tables and documents for seeds, Parquet for datasets, blobs for a run's state, and SQLite for the ledger in a run's folder.

pub mod ablation;
mod assemble;
mod audit;
mod by_recipe;
mod card;
mod certainty;
mod coverage;
mod dropped;
pub mod evaluation;
mod existing;
mod folder;
mod forecast;
pub mod history;
mod intake;
mod lengths;
mod mutators;
pub mod outcome;
mod plan;
mod prepared;
pub mod preview;
pub mod recipe;
mod report;
pub mod served;
mod status;
mod steps;
mod store;
mod survey;
mod tally;
mod tongues;
mod warnings;

pub use assemble::{
    EndedRun, FailedCalls, LeakTrials, Loss, Manifest, Resumed, RowCounts, Spend, Yield, assemble, label,
};
pub use audit::{Audit, audit};
pub use certainty::Certainty;
pub use dropped::DroppedText;
pub use folder::{RunFolder, shown};
pub use intake::{BadRows, DocumentsRead, SeedsRead, SyntheticRows, read_seeds};
pub use lengths::LengthBias;
pub use plan::{PlanView, plan};
pub use prepared::{Given, Prepared};
pub use report::{REPORT_FILE, SoFar, manifest_so_far, report};
pub use status::{CallFailure, ConceptsReached, RunState, RunStatus};
pub use steps::{ModelCost, RecipeSteps, StepCount, StepTally, TeacherCount};
pub use store::DatasetStore;
pub use survey::{CountEmbedded, Survey, labels_cover, narrow, stops_narrow, survey};
pub use tally::RowTally;
