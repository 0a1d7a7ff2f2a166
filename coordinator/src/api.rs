//! The service that people and programs speak to: `gristmill.v1.Coordinator`.
//!
//! Any coordinator answers for all runs: what it says comes from the register, the ledger and the store. It owns no state of its own.

mod adopt;
mod audit;
mod auth;
mod budget;
mod change;
mod dead;
mod deleted;
mod keep;
mod method;
mod named;
mod obstacles;
mod rows;
mod show;
mod spool;
mod submit;
mod verbs;

use gristmill_domain::egress::Endpoints;
use gristmill_domain::id::RunId;
use gristmill_domain::words::one_line;
use gristmill_ports::ledger::Error as LedgerError;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Request, Status};

use crate::error::told;
use crate::fleet::Services;

use audit::Audit;
use method::Method;

pub use auth::{Access, AccessError, Caller, Who};
pub use method::Role;
pub use obstacles::{Standstill, standstill};

/// The service.
#[derive(Clone)]
pub struct Api {
    services: Services,
    audit: Audit,
    endpoints: Endpoints,
    stop: CancellationToken,
}

impl Api {
    /// A service on these services, for whom `access` lets in. Who watches a run is sent away by `stop`.
    pub fn new(services: Services, access: Access, stop: CancellationToken) -> Self {
        Self {
            services,
            audit: Audit::new(access),
            endpoints: Endpoints::default(),
            stop,
        }
    }

    /// Who is let in.
    pub fn access(&self) -> &Access {
        self.audit.access()
    }

    /// What the coordinators of the cluster share.
    pub fn services(&self) -> &Services {
        &self.services
    }

    /// Stores a vote on answers of an evaluation, if the caller may vote, and writes that down as any call that changes something.
    ///
    /// # Errors
    /// What the caller's role may not do, and what `storing` comes to.
    pub async fn vote(
        &self,
        request: &Request<()>,
        run: &str,
        storing: impl Future<Output = Result<(), Status>>,
    ) -> Result<(), Status> {
        let call = self.audit.admit(request, Method::Vote)?;
        call.about(run).ended(storing.await)
    }

    /// Refuses jobs that name other endpoints than these.
    #[must_use]
    pub fn only(self, endpoints: Endpoints) -> Self {
        Self { endpoints, ..self }
    }
}

/// An id in a request. A text that cannot be one is that of no run.
fn run_id(text: &str) -> Result<RunId, Status> {
    text.parse()
        .map_err(|_| unknown_run(format_args!("`{}`", one_line(text))))
}

fn unknown_run(run: impl std::fmt::Display) -> Status {
    Status::not_found(format!(
        "there is no run {run}: `gristmill runs` lists those there are"
    ))
}

/// The right code for what the ledger says: whether trying again is of use is told apart by it.
fn ledger_status(error: &LedgerError) -> Status {
    let code = match error {
        LedgerError::UnknownRun(_) => Code::NotFound,
        LedgerError::StaleEpoch { .. } => Code::Aborted,
        LedgerError::PricesChanged { .. } => Code::FailedPrecondition,
        LedgerError::Invalid(_) => Code::InvalidArgument,
        LedgerError::Store { .. } => return without_redis(error),
    };
    Status::new(code, told(error))
}

fn register_status(error: &gristmill_ports::register::Error) -> Status {
    without_redis(error)
}

/// The answer where the register or the ledger failed, which are both in Redis.
fn without_redis(error: &dyn std::error::Error) -> Status {
    Status::unavailable(format!(
        "Redis cannot be reached or used now, and without it no coordinator can say how runs stand: {}\nhelp: no run is lost: nothing is begun meanwhile, and \
         runs go on by themselves once Redis answers again. `gristmill doctor` says what is wrong with it, and \
         docs/runbooks.md, \"Dependency unusable\", what to do",
        told(error)
    ))
}

fn run_status(error: &crate::Error) -> Status {
    match error {
        crate::Error::Ledger(error) => ledger_status(error),
        crate::Error::Blob(_) => Status::unavailable(told(error)),
        other => Status::internal(told(other)),
    }
}
