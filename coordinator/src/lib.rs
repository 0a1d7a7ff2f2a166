//! The coordinator: plans a run, opens its tasks, absorbs their results, decides on rows.
//!
//! It owns the order of decisions and the journal. It calls no model and knows no neighbour but through a port; what may be
//! spent is the ledger's to say. Everything it needs after a crash is in the journal and the ledger.

#[cfg(feature = "api")]
mod api;
mod assigner;
mod closed;
mod concept_odds;
mod corpus;
mod coverage;
mod engine;
mod error;
mod evaluation;
mod events;
mod existing;
mod failure;
mod fleet;
mod forecast;
mod gauges;
mod health;
mod history;
mod identity;
mod journal;
mod last_end;
mod mend;
mod message;
mod meter;
mod owner;
mod passages;
mod placing;
mod prepare;
mod preview;
mod progress;
mod refill;
mod reopen;
mod replay;
mod round;
mod run;
mod scratch;
#[cfg(test)]
mod scripted;
mod second;
mod seeds;
mod setup;
mod shots;
mod start;
mod stored_rows;
mod teacher_check;
mod window;
mod wire;

#[cfg(feature = "api")]
pub use api::{Access, AccessError, Api, Caller, Role, Standstill, Who, standstill};
pub use assigner::{Assigner, Belongs, Hits, Trial};
pub use coverage::{BySeeds, by_seeds};
pub use engine::Options;
pub use error::Error;
pub use evaluation::{
    AskedQuestion, EvaluationPlan, EvaluationTask, JudgeTrial, evaluation_plan, judge_trials, text_calls,
};
pub use events::{Ended, Events, RunEvent};
pub use failure::TaskFailure;
pub use fleet::{Assembler, Fleet, FleetOptions, Services, States, bury};
pub use forecast::{policy, snapshot_before, uncovered_share};
pub use gauges::RunGauges;
pub use health::{Dependency, Health, WatchedStore};
pub use history::{History, NoTrace, RealRow, Trace};
pub use identity::run_id;
pub use journal::{Journal, TaskResult};
pub use last_end::is_of_last_end;
pub use message::progress_message;
pub use owner::{Owner, claim, owner};
pub use passages::{Grounds, Passages};
pub use preview::preview;
pub use progress::{Before, Progress};
pub use refill::{FilledPrompt, NotRefilled, prompts};
pub use reopen::{larger, more_may_help, reopen, resumption};
pub use replay::{replay, verify};
pub use run::{Coordinator, Finished, RoundReport};
pub use seeds::{Intake, SeedStore, Summary};
pub use setup::{Setup, StoredRecipe, UsedRecipe, row_text, specs, usual_recipes};
pub use start::{LEASE_MS, REPUBLISH_MS, Start, limit};
pub use teacher_check::{CheckPlan, check_cost, check_plan};
pub use window::Window;
pub use wire::{row_message, start_message, start_of, trace_message, trace_of};
