//! The service's methods, and who may call each.

/// What a caller may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Look.
    Viewer,
    /// Look, and change.
    Operator,
}

impl Role {
    /// As a file of tokens names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
        }
    }
}

/// A method, by its name in `coordinator.proto`; votes come from pages of the dashboard alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    Submit,
    ListRuns,
    GetRun,
    WatchRun,
    PauseRun,
    ResumeRun,
    CancelRun,
    RaiseBudget,
    ReadRows,
    TraceRow,
    ExplainTask,
    ListWorkers,
    DrainWorker,
    UndrainWorker,
    ListDead,
    RetryDead,
    DropDead,
    AdoptRuns,
    Vote,
    GetServer,
}

impl Method {
    /// The least that a caller must be allowed.
    pub(super) fn role(self) -> Role {
        match self {
            Self::ListRuns
            | Self::GetRun
            | Self::WatchRun
            | Self::ReadRows
            | Self::TraceRow
            | Self::ExplainTask
            | Self::ListWorkers
            | Self::ListDead
            | Self::GetServer => Role::Viewer,
            Self::Submit
            | Self::PauseRun
            | Self::ResumeRun
            | Self::CancelRun
            | Self::RaiseBudget
            | Self::DrainWorker
            | Self::UndrainWorker
            | Self::RetryDead
            | Self::DropDead
            | Self::AdoptRuns
            | Self::Vote => Role::Operator,
        }
    }
}
