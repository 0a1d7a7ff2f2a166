//! The register of a cluster: which runs there are, who coordinates each, which workers work, and what lies dead.
//!
//! It knows nothing of money and verdicts: what may be spent is the ledger's to say, what was decided lies in the run's segments. What is
//! lost with the register is found again there. Times are milliseconds of the register's own clock; no caller's clock is used, but for when a
//! run was submitted that is entered again.
//! Every operation is safe to send again.
//!
//! A lease is lost the moment that it runs out, whether or not somebody else has taken it: it is claimed again, never renewed. It tells who
//! works on a run, and keeps others from doing it too; it fences nothing. A holder who woke up late is stopped by the ledger's epoch.
//!
//! Nothing in it grows without end: of ended runs, dead letters and submitters' keys it keeps what the constants here say, a report replaces the
//! one before, and a worker that is silent is forgotten. Runs that go on are as many as were submitted.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use gristmill_domain::id::RunId;
use gristmill_domain::stage::Stage;
use serde::{Deserialize, Serialize};

use crate::line::LineReport;

/// The register failed: whether the operation was carried out is unknown. Send the same one again, unless its source is [`TooLarge`].
#[derive(Debug, thiserror::Error)]
#[error("the register failed while it {doing}")]
pub struct Error {
    /// What it was doing.
    pub doing: &'static str,
    /// Why.
    #[source]
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

/// What was to be kept is larger than the register takes; nothing was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{bytes} bytes are more than the {max} that are taken")]
pub struct TooLarge {
    /// Its size, bytes.
    pub bytes: usize,
    /// The largest size, bytes.
    pub max: usize,
}

/// Refuses what is too large, the same way for every register.
///
/// # Errors
/// One whose source is [`TooLarge`].
pub fn check_size(doing: &'static str, bytes: usize, max: usize) -> Result<(), Error> {
    if bytes <= max {
        return Ok(());
    }
    let source = Box::new(TooLarge { bytes, max });
    Err(Error { doing, source })
}

/// A run to enter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRun {
    /// Its id: a hash of all that decides its outcome, so that the same job is the same run.
    pub run: RunId,
    /// What people call it: the job file's name.
    pub name: String,
    /// What it is started with, in the submitter's own format: the job, its prompts, its prices. At most [`SPEC_BYTES_MAX`].
    pub spec: Vec<u8>,
    /// The submitter's key: the same key never enters two runs. It is remembered for [`KEPT`] after it was last sent.
    pub request_id: String,
    /// When it was first submitted, of a run that a register before this one had; `None`: it is entered now.
    pub submitted_ms: Option<u64>,
}

/// The largest spec that is taken, bytes.
pub const SPEC_BYTES_MAX: usize = 1 << 20;
/// The largest report of a coordinator or a worker that is taken, bytes.
pub const REPORT_BYTES_MAX: usize = 1 << 16;
/// Ended runs that are kept; those that ended first go first.
pub const ENDED_RUNS_MAX: usize = 10_000;
/// How long the spec of an ended run and the key of a submitter stay.
pub const KEPT: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Whether a run was entered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Submitted {
    /// It is new.
    Created,
    /// It was there. One that goes on, or had failed and is taken up again, has this name and spec from now on: the same run may be
    /// reached by other ways. One that was finished or cancelled stays as it is.
    Known,
    /// The submitter's key was used for another run.
    KeyTaken(RunId),
}

/// How a run ended; while it goes on, whether it is paused or frozen is the ledger's to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// Its dataset is there.
    Finished,
    /// It was cancelled.
    Cancelled,
    /// It cannot go on until a person acts; submitting it again takes it up.
    Failed {
        /// Why, and the way out.
        reason: String,
    },
}

/// A run as the register knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Its id.
    pub run: RunId,
    /// What people call it.
    pub name: String,
    /// When it was entered.
    pub submitted_ms: u64,
    /// When it ended.
    pub ended_ms: Option<u64>,
    /// How it ended; `None` while it goes on.
    pub ending: Option<Ending>,
    /// Who coordinates it, while a lease holds.
    pub holder: Option<String>,
    /// What its coordinator last reported, in the coordinator's own format; empty before. It stays when the run ends.
    pub report: Vec<u8>,
    /// When that was; 0 before.
    pub reported_ms: u64,
}

/// A worker's word that it is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beat {
    /// Its name: one process, one name.
    pub worker: String,
    /// A [`WorkerReport`] as JSON; a worker of another version may say more or less.
    pub report: Vec<u8>,
}

/// What a worker says of itself with every beat. What it leaves out has its default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct WorkerReport {
    /// The program's version.
    pub version: String,
    /// Stages that it takes tasks of.
    pub stages: Vec<Stage>,
    /// Tasks that it has in hand at once, of each stage but embedding.
    pub slots: u16,
    /// Tasks in hand.
    pub in_flight: BTreeMap<Stage, usize>,
    /// Age of the oldest task in hand, seconds.
    pub oldest_seconds: Option<u64>,
    /// It takes nothing more.
    pub stopping: bool,
    /// Runs whose tasks it puts off, and why: at most [`REFUSED_MAX`], each in a sentence.
    pub refused: BTreeMap<RunId, String>,
    /// Lines that it used lately, at most [`LINES_MAX`](crate::line::LINES_MAX).
    pub lines: Vec<LineReport>,
}

/// Silence from which a worker may be lost: two beats of those that its processes send, and a little.
pub const SILENT_FROM: Duration = Duration::from_secs(7);

/// Runs that a worker names as refused.
pub const REFUSED_MAX: usize = 32;

/// A worker as the register knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Worker {
    /// Its name.
    pub worker: String,
    /// What it last said.
    pub report: Vec<u8>,
    /// When it said so first.
    pub since_ms: u64,
    /// When it said so last.
    pub beat_ms: u64,
    /// How long ago that is.
    pub silent_ms: u64,
    /// It was told to take nothing more.
    pub draining: bool,
}

/// A message that nobody could work on.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Dead {
    /// The queue that it came from.
    pub stage: Stage,
    /// The run, where the message still says so.
    pub run: Option<RunId>,
    /// Why.
    pub reason: String,
    /// The message.
    pub envelope: Vec<u8>,
}

/// A dead letter that was buried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// Its number.
    pub number: u64,
    /// The letter.
    pub dead: Dead,
    /// When it was buried.
    pub buried_ms: u64,
    /// When it was put back into its queue, if it has not died again since.
    pub retried_ms: Option<u64>,
}

/// Dead letters that are kept; the oldest go first.
pub const DEAD_LETTERS_MAX: usize = 10_000;
/// Bytes of dead letters' messages that are kept, together; the oldest go first. The newest stays, however large.
pub const DEAD_LETTERS_BYTES_MAX: usize = 64 << 20;

/// The register; see the module for what holds for every operation.
#[async_trait]
pub trait Register: Send + Sync {
    /// Enters a run.
    async fn submit(&self, new: NewRun) -> Result<Submitted, Error>;

    /// Enters a run as [`Self::submit`] does, and takes one up again that was finished or cancelled: there is more to do for it, by its state.
    async fn reopen(&self, new: NewRun) -> Result<Submitted, Error>;

    /// What a run was started with; `None` when the run is not known, or ended longer than [`KEPT`] ago.
    async fn spec(&self, run: RunId) -> Result<Option<Vec<u8>>, Error>;

    /// A run.
    async fn get(&self, run: RunId) -> Result<Option<Run>, Error>;

    /// Runs, the newest first, at most `limit`, without the first `skip`.
    async fn list(&self, skip: usize, limit: usize) -> Result<Vec<Run>, Error>;

    /// Runs that have not ended, the oldest first.
    async fn active(&self) -> Result<Vec<Run>, Error>;

    /// Takes the lease of a run that has not ended and that nobody else holds; true when `holder` has it now, for `lease` from now on.
    async fn claim(&self, run: RunId, holder: &str, lease: Duration) -> Result<bool, Error>;

    /// Extends the leases that `holder` has, to `lease` from now; returns those it still has.
    async fn renew(&self, holder: &str, runs: &[RunId], lease: Duration) -> Result<Vec<RunId>, Error>;

    /// Gives a lease back, if `holder` has it.
    async fn release(&self, run: RunId, holder: &str) -> Result<(), Error>;

    /// Stores what the coordinator reports, if `holder` has the lease.
    async fn report(&self, run: RunId, holder: &str, report: Vec<u8>) -> Result<(), Error>;

    /// Ends a run, if `holder` has the lease, which ends with it; true when the run has ended so, now or before.
    async fn end(&self, run: RunId, holder: &str, ending: Ending) -> Result<bool, Error>;

    /// Takes a worker's beat, which holds for `ttl`; true when it shall take nothing more.
    async fn beat(&self, beat: Beat, ttl: Duration) -> Result<bool, Error>;

    /// Workers whose beat still holds, by name.
    async fn workers(&self) -> Result<Vec<Worker>, Error>;

    /// Tells a worker to take nothing more, at each of its beats from now on; false when there is none by that name. It is remembered through
    /// silences of up to [`KEPT`].
    async fn drain(&self, worker: &str) -> Result<bool, Error>;

    /// Lets a worker take tasks again that was told to take nothing more; false when it was not. One that has heard it already ends all the
    /// same: it holds for whoever comes under that name.
    async fn undrain(&self, worker: &str) -> Result<bool, Error>;

    /// Names of the workers that were told to take nothing more, whether they are there or not.
    async fn drained(&self) -> Result<Vec<String>, Error>;

    /// Keeps a dead letter and returns its number. One that lies there already, the same in everything, keeps its number; if it had been put back,
    /// it has died again.
    async fn bury(&self, dead: Dead) -> Result<u64, Error>;

    /// Dead letters, the newest first, at most `limit`, those below number `before` (`None`: all).
    async fn dead_letters(&self, before: Option<u64>, limit: usize) -> Result<Vec<DeadLetter>, Error>;

    /// A dead letter.
    async fn dead_letter(&self, number: u64) -> Result<Option<DeadLetter>, Error>;

    /// Marks a dead letter as put back into its queue, if it is there.
    async fn retried(&self, number: u64) -> Result<(), Error>;

    /// Drops dead letters; returns how many of them there were.
    async fn drop_graves(&self, numbers: &[u64]) -> Result<u64, Error>;
}
