//! What all requests share.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::checked_jobs::CheckedJobs;
use crate::evaluations::Evaluations;
use crate::indexes::Indexes;
use crate::journal_facts::JournalFacts;
use crate::measures::Measures;
use crate::results::Results;
use crate::samples::Samples;
use crate::session::Sessions;
use crate::sign_in_limit::SignInLimit;
use crate::source::Source;
use crate::step_counts::StepCounts;

/// The dashboard's state.
pub(crate) struct App {
    pub(crate) source: Arc<dyn Source>,
    pub(crate) sessions: Sessions,
    /// How often somebody may try to sign in.
    pub(crate) sign_ins: SignInLimit,
    /// Jobs that wait to be confirmed.
    pub(crate) checked: CheckedJobs,
    /// How fast runs go, since this process has looked at them.
    pub(crate) samples: Samples,
    /// What the journals of runs add up to.
    pub(crate) facts: JournalFacts,
    /// How diverse runs are, and how well they cover real rows.
    pub(crate) measures: Measures,
    /// What their steps, models and teachers came to.
    pub(crate) steps: StepCounts,
    /// Their rows.
    pub(crate) indexes: Indexes,
    /// Which runs are evaluations.
    pub(crate) evaluations: Evaluations,
    /// What evaluations and the votes on their answers came to.
    pub(crate) results: Results,
    /// Ends streams: a server that stops does not wait for open tabs.
    pub(crate) stop: CancellationToken,
}
