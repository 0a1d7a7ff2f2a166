//! A cluster, through its coordinator's service in this process: the same verbs, checks and roles as over gRPC.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use axum::http::StatusCode;
use gristmill_blob::Prefixed;
use gristmill_coordinator::{self as coordinator, Api};
use gristmill_domain::id::RunId;
use gristmill_ports::blob::{Blobs, Error as BlobError};
use gristmill_proto::v1;
use gristmill_proto::v1::coordinator_server::Coordinator;
use gristmill_runs::evaluation::store_vote;
use gristmill_runs::{DatasetStore, Manifest};
use tonic::{Code, Request, Status};

use crate::intake::Intake;
use crate::source::{Act, Refusal, Role, Source, Who};

/// A cluster.
pub struct Cluster {
    api: Api,
    store: Arc<DatasetStore>,
    intake: Option<Arc<dyn Intake>>,
}

impl Cluster {
    /// The cluster that this service answers for, with the store that its results are in.
    pub fn new(api: Api, store: Arc<DatasetStore>) -> Self {
        Self {
            api,
            store,
            intake: None,
        }
    }

    /// Takes jobs from pages, which this checks.
    #[must_use]
    pub fn taking_jobs(self, intake: Arc<dyn Intake>) -> Self {
        Self {
            intake: Some(intake),
            ..self
        }
    }

    /// A caller with the role that they have now.
    fn known(&self, caller: coordinator::Who) -> Option<Who> {
        let role = match self.api.access().role(&caller)? {
            coordinator::Role::Viewer => Role::Viewer,
            coordinator::Role::Operator => Role::Operator,
        };
        Some(Who {
            role,
            caller: Some(caller),
        })
    }
}

impl From<Status> for Refusal {
    fn from(status: Status) -> Self {
        let code = match status.code() {
            Code::NotFound => StatusCode::NOT_FOUND,
            Code::PermissionDenied => StatusCode::FORBIDDEN,
            Code::Unauthenticated => StatusCode::UNAUTHORIZED,
            Code::InvalidArgument => StatusCode::BAD_REQUEST,
            Code::FailedPrecondition | Code::Aborted | Code::AlreadyExists => StatusCode::CONFLICT,
            Code::Unavailable | Code::DeadlineExceeded | Code::ResourceExhausted => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self::new(code, status.message())
    }
}

/// A request in the name of a session.
fn by<T>(who: Who, message: T) -> Request<T> {
    let mut request = Request::new(message);
    if let Some(caller) = who.caller {
        request.extensions_mut().insert(caller);
    }
    request
}

fn run_id(run: &str) -> Result<RunId, Refusal> {
    run.parse()
        .map_err(|_| Refusal::not_found(format!("there is no run {run}")))
}

#[async_trait]
impl Source for Cluster {
    fn who(&self, token: Option<&str>) -> Option<Who> {
        self.known(self.api.access().who(token)?)
    }

    fn still(&self, who: Who) -> Option<Who> {
        self.known(who.caller?)
    }

    fn read_only(&self) -> Option<&'static str> {
        None
    }

    fn is_cluster(&self) -> bool {
        true
    }

    async fn runs(&self, who: Who, skip: u32, limit: u32) -> Result<Vec<v1::Run>, Refusal> {
        let wanted = v1::ListRunsRequest { skip, limit };
        Ok(self.api.list_runs(by(who, wanted)).await?.into_inner().runs)
    }

    async fn active(&self) -> Result<Vec<v1::Run>, Refusal> {
        let active = self.api.services().register.active().await;
        let mut runs = Vec::new();
        for entry in active.map_err(anyhow::Error::from)? {
            runs.push(self.run(Who::itself(), &entry.run.to_string()).await?);
        }
        Ok(runs)
    }

    async fn run(&self, who: Who, run: &str) -> Result<v1::Run, Refusal> {
        let run = run_id(run)?.to_string();
        Ok(self
            .api
            .get_run(by(who, v1::GetRunRequest { run }))
            .await?
            .into_inner())
    }

    async fn workers(&self, who: Who) -> Result<v1::ListWorkersResponse, Refusal> {
        let workers = self.api.list_workers(by(who, v1::ListWorkersRequest {}));
        Ok(workers.await?.into_inner())
    }

    async fn dead_letters(&self, who: Who, before: u64, limit: u32) -> Result<Vec<v1::DeadLetter>, Refusal> {
        let wanted = v1::ListDeadRequest { before, limit };
        Ok(self.api.list_dead(by(who, wanted)).await?.into_inner().letters)
    }

    fn intake(&self) -> Option<Arc<dyn Intake>> {
        self.intake.clone()
    }

    async fn submit(&self, who: Who, parts: Vec<v1::SubmitRequest>) -> Result<String, Refusal> {
        let parts = futures::stream::iter(parts.into_iter().map(Ok));
        let answer = self.api.submit_parts(by(who, parts)).await?.into_inner();
        Ok(answer.run.unwrap_or_default().run)
    }

    async fn run_folder(&self, who: Who, run: &str) -> Result<PathBuf, Refusal> {
        // The register knows it, or this refuses.
        self.run(who, run).await?;
        let run = run_id(run)?;
        self.store.run_folder(run).ok_or_else(|| {
            let place = self.store.run_place(run);
            Refusal::not_found(format!(
                "The result is in object storage, and this coordinator has no folder of it. Copy `{place}` to a disk, and look at it there: `gristmill ui {run}`."
            ))
        })
    }

    fn voter(&self, who: Who) -> Option<String> {
        // Where nobody has to show a token, nobody is known.
        match self.who(None) {
            Some(_) => None,
            None => Some(self.api.access().name(&who.caller?)),
        }
    }

    async fn act(&self, who: Who, act: Act) -> Result<(), Refusal> {
        let api = &self.api;
        match act {
            Act::Pause { run, reason } => {
                api.pause_run(by(who, v1::PauseRunRequest { run, reason }))
                    .await?;
            }
            Act::Resume { run } => {
                api.resume_run(by(who, v1::ResumeRunRequest { run })).await?;
            }
            Act::Cancel { run, keep } => {
                api.cancel_run(by(who, v1::CancelRunRequest { run, keep }))
                    .await?;
            }
            Act::Raise {
                run,
                request_id,
                expected,
                limit,
            } => {
                let raise = v1::RaiseBudgetRequest {
                    run,
                    request_id,
                    expected: Some(expected.into()),
                    limit: Some(limit.into()),
                };
                api.raise_budget(by(who, raise)).await?;
            }
            Act::Drain { worker } => {
                api.drain_worker(by(who, v1::DrainWorkerRequest { worker }))
                    .await?;
            }
            Act::Undrain { worker } => {
                api.undrain_worker(by(who, v1::UndrainWorkerRequest { worker }))
                    .await?;
            }
            Act::RetryDead { numbers } => {
                api.retry_dead(by(who, v1::RetryDeadRequest { numbers })).await?;
            }
            Act::DropDead { numbers } => {
                api.drop_dead(by(who, v1::DropDeadRequest { numbers })).await?;
            }
            Act::Vote { run, vote } => {
                let folder = self.run_folder(who, &run).await?;
                let storing = async move {
                    let stored = tokio::task::spawn_blocking(move || store_vote(&folder, &vote));
                    match stored.await {
                        Ok(Ok(())) => Ok(()),
                        Ok(Err(error)) => Err(Status::unavailable(format!("{error:#}"))),
                        Err(error) => Err(Status::internal(error.to_string())),
                    }
                };
                api.vote(&by(who, ()), &run, storing).await?;
            }
        }
        Ok(())
    }

    async fn state(&self, who: Who, run: &str) -> Result<Arc<dyn Blobs>, Refusal> {
        // The register knows it, or this refuses.
        self.run(who, run).await?;
        let root = Arc::clone(&self.api.services().root);
        Ok(Arc::new(Prefixed::state(root, run_id(run)?)))
    }

    async fn manifest(&self, who: Who, run: &str) -> Result<Option<Manifest>, Refusal> {
        let shown = self.run(who, run).await?;
        // What is there may be from before the run was last taken up again.
        if shown.dataset.is_empty() {
            return Ok(None);
        }
        let name = format!("{}/dataset/manifest.json", shown.run);
        match self.api.services().root.read(&name).await {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map(Some)
                .map_err(|error| anyhow::anyhow!("{name} is damaged: {error}").into()),
            Err(BlobError::Missing { .. }) => Ok(None),
            Err(error) => Err(anyhow::Error::from(error).into()),
        }
    }
}
