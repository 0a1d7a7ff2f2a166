//! Where the dashboard's facts come from, and who carries out its acts.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use axum::http::StatusCode;
use gristmill_domain::amount::Limit;
use gristmill_ports::blob::Blobs;
use gristmill_proto::v1;
use gristmill_runs::Manifest;
use gristmill_runs::evaluation::Vote;

use crate::intake::Intake;

/// What a visitor may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Look.
    Viewer,
    /// Look, and change.
    Operator,
}

/// A visitor, as a source knows them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Who {
    /// What they may do, as it was last looked up.
    pub role: Role,
    /// Who they are to the coordinator's service; nothing where there is none.
    pub(crate) caller: Option<gristmill_coordinator::Who>,
}

impl Who {
    /// Somebody with this role, whom no service has to know.
    pub fn new(role: Role) -> Self {
        Self { role, caller: None }
    }

    /// This process itself, which may look.
    pub fn itself() -> Self {
        Self {
            role: Role::Viewer,
            caller: Some(gristmill_coordinator::Who::itself()),
        }
    }
}

/// Why something is not shown or not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// As HTTP says it.
    pub status: StatusCode,
    /// Why, with the way out.
    pub text: String,
}

impl Refusal {
    /// What is not there.
    pub fn not_found(text: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, text)
    }

    /// What was asked for in a way that cannot be understood.
    pub fn bad_request(text: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, text)
    }

    /// What is not the visitor's to do.
    pub fn forbidden(text: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, text)
    }

    /// With a status.
    pub fn new(status: StatusCode, text: impl Into<String>) -> Self {
        Self {
            status,
            text: text.into(),
        }
    }
}

impl From<anyhow::Error> for Refusal {
    /// What cannot be read now; the whole chain, for it names the file.
    fn from(error: anyhow::Error) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, format!("{error:#}"))
    }
}

/// An evaluation that has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evaluated {
    /// Its run.
    pub run: String,
    /// The folder of its run.
    pub folder: PathBuf,
    /// True where the run is among those that are listed, so that it has a page.
    pub listed: bool,
}

/// Something that an operator does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// Begin nothing more.
    Pause {
        /// The run.
        run: String,
        /// Why, for those who find it paused.
        reason: String,
    },
    /// Let a paused run go on.
    Resume {
        /// The run.
        run: String,
    },
    /// End a run for good.
    Cancel {
        /// The run.
        run: String,
        /// Make a dataset of its accepted rows.
        keep: bool,
    },
    /// Set a run's limit, absolute.
    Raise {
        /// The run.
        run: String,
        /// Makes the act safe to send again.
        request_id: String,
        /// The limit that the operator saw.
        expected: Limit,
        /// The new one.
        limit: Limit,
    },
    /// Have a worker finish what it has and take nothing more.
    Drain {
        /// The worker's name.
        worker: String,
    },
    /// Let a drained worker take tasks again.
    Undrain {
        /// The worker's name.
        worker: String,
    },
    /// Put dead letters back into their queues.
    RetryDead {
        /// Their numbers.
        numbers: Vec<u64>,
    },
    /// Drop dead letters.
    DropDead {
        /// Their numbers.
        numbers: Vec<u64>,
    },
    /// Say which answer to a question of an evaluation is the best.
    Vote {
        /// The evaluation's run.
        run: String,
        /// What is said.
        vote: Box<Vote>,
    },
}

/// Where runs were looked for, for whoever sees none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Looked {
    /// Folders in which, and directly below which, runs are looked for.
    pub folders: Vec<String>,
    /// Folders further below that hold runs, at most five.
    pub below: Vec<String>,
}

/// Folders with runs that are named to whoever looked in another one.
pub(crate) const BELOW_MAX: usize = 5;

/// What can be shown and done. Each call says for whom, and refuses what that role may not do.
#[async_trait]
pub trait Source: Send + Sync + 'static {
    /// Who the holder of a token is, or whoever shows none; `None` for who is not let in.
    fn who(&self, token: Option<&str>) -> Option<Who>;

    /// A visitor as they are now: their role may have changed, and `None` is for one who is not let in any more.
    fn still(&self, who: Who) -> Option<Who>;

    /// `None` where acts can be carried out; else why they cannot, and where they can.
    fn read_only(&self) -> Option<&'static str>;

    /// Whether there are workers, queues and dead letters.
    fn is_cluster(&self) -> bool;

    /// Where runs were looked for; nothing where they are not in folders. It may read folders: it is for a page without runs.
    fn looked(&self) -> Looked {
        Looked::default()
    }

    /// The folders of lineages that are beside the runs, in the order of their names. It may read folders.
    fn lineages(&self) -> Vec<PathBuf> {
        Vec::new()
    }

    /// The evaluations that have ended and lie beside the lineages, the newest first. It may read folders.
    fn evaluated(&self) -> Vec<Evaluated> {
        Vec::new()
    }

    /// Runs, the newest first, at most 500.
    ///
    /// # Errors
    /// Facts that cannot be read now.
    async fn runs(&self, who: Who, skip: u32, limit: u32) -> Result<Vec<v1::Run>, Refusal>;

    /// Runs that have not ended, for this process itself, which looks every few seconds. A source that cannot tell them apart without reading each
    /// gives ended ones too.
    ///
    /// # Errors
    /// Facts that cannot be read now.
    async fn active(&self) -> Result<Vec<v1::Run>, Refusal>;

    /// A run.
    ///
    /// # Errors
    /// An unknown run, facts that cannot be read now.
    async fn run(&self, who: Who, run: &str) -> Result<v1::Run, Refusal>;

    /// Workers, and names that are drained.
    ///
    /// # Errors
    /// Facts that cannot be read now.
    async fn workers(&self, who: Who) -> Result<v1::ListWorkersResponse, Refusal>;

    /// Dead letters below a number (0: all), the newest first, at most 500.
    ///
    /// # Errors
    /// Facts that cannot be read now.
    async fn dead_letters(&self, who: Who, before: u64, limit: u32) -> Result<Vec<v1::DeadLetter>, Refusal>;

    /// Who checks jobs that come from a page; `None` where none are taken.
    fn intake(&self) -> Option<Arc<dyn Intake>> {
        None
    }

    /// Enters a run: the parts of a submission, as [`Intake::check`] made them. Returns the run's id.
    ///
    /// # Errors
    /// What the role may not do, what the coordinator refuses.
    async fn submit(&self, _who: Who, _parts: Vec<v1::SubmitRequest>) -> Result<String, Refusal> {
        Err(Refusal::forbidden("No jobs are taken here."))
    }

    /// The folder of an evaluation's run on this machine, in which its result and the votes on its answers are.
    ///
    /// # Errors
    /// An unknown run; results that are elsewhere, with how to look at them.
    async fn run_folder(&self, _who: Who, _run: &str) -> Result<PathBuf, Refusal> {
        Err(Refusal::not_found(
            "The results of evaluations are not at hand here.",
        ))
    }

    /// The name under which a visitor votes; `None` where visitors are not known by name and say themselves who they are.
    fn voter(&self, _who: Who) -> Option<String> {
        None
    }

    /// Refuses who may not vote.
    ///
    /// # Errors
    /// What the role may not do.
    fn check_voter(&self, who: Who) -> Result<(), Refusal> {
        match who.role < Role::Operator {
            true => Err(Refusal::forbidden(
                "A viewer may look, and change nothing: sign in with an operator's token to vote.",
            )),
            false => Ok(()),
        }
    }

    /// Carries out an act.
    ///
    /// # Errors
    /// What the role may not do, what cannot be done as things stand, what failed.
    async fn act(&self, who: Who, act: Act) -> Result<(), Refusal>;

    /// A run's state: journal, seeds and what it was started with, by names such as `rows/00000000-00000000.seg`.
    ///
    /// # Errors
    /// An unknown run.
    async fn state(&self, who: Who, run: &str) -> Result<Arc<dyn Blobs>, Refusal>;

    /// The manifest of the dataset that a run's last end brought; `None` until it is there.
    ///
    /// # Errors
    /// A manifest that is damaged or cannot be read.
    async fn manifest(&self, who: Who, run: &str) -> Result<Option<Manifest>, Refusal>;
}
