//! The service's verbs.

use std::collections::BTreeSet;
use std::pin::Pin;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use gristmill_domain::id::{RunId, TaskId};
use gristmill_ports::ledger::Error as LedgerError;
use gristmill_ports::register::Ending;
use gristmill_proto::v1;
use gristmill_proto::v1::coordinator_server::Coordinator;
use tokio_stream::Stream;
use tonic::{Request, Response, Status, Streaming};

use super::dead::listed;
use super::method::{Method, Role};
use super::rows::RowStream;
use super::show::Workers;
use super::{Api, ledger_status, register_status, run_status, show, told, unknown_run};
use crate::history::NoTrace;
use crate::{Journal, RunEvent, SeedStore, trace_message};

/// Time between two looks at a watched run.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Entries of a page, asked for and at most.
const PAGE: (u32, u32) = (50, 500);

impl Api {
    async fn workers(&self) -> Result<Workers, Status> {
        let register = &self.services.register;
        let there = register.workers().await.map_err(|e| register_status(&e))?;
        let drained = register.drained().await.map_err(|e| register_status(&e))?;
        Ok(Workers { there, drained })
    }

    /// A run as it stands.
    pub(super) async fn one(&self, run: RunId) -> Result<v1::Run, Status> {
        let entry = self
            .services
            .register
            .get(run)
            .await
            .map_err(|error| register_status(&error))?
            .ok_or_else(|| unknown_run(run))?;
        // Only of a run that goes on is it told what it waits for.
        let workers = match entry.ending {
            None => self.workers().await?,
            Some(_) => Workers::default(),
        };
        let mut shown = self.show(&entry, &workers).await?;
        if entry.ending == Some(Ending::Cancelled) {
            let assembled = self.services.assembled(run).await;
            if assembled.map_err(|error| run_status(&error))? {
                shown.dataset = self.services.dataset(run);
            }
        }
        let over = matches!(entry.ending, Some(Ending::Finished | Ending::Cancelled));
        // While the store does not answer, what the register knows is shown.
        if over && self.folder_deleted(run).await.unwrap_or(false) {
            shown.reason = self.deleted(run);
            shown.dataset.clear();
        }
        Ok(shown)
    }
}

/// Ids that are named where several would do.
const NAMED: usize = 20;

impl Api {
    /// The tasks of a run that are on its books, and whether each is decided.
    async fn tasks(&self, run: RunId) -> Result<Vec<(TaskId, bool)>, Status> {
        let register = self.services.register.get(run).await;
        let known = register.map_err(|error| register_status(&error))?;
        known.ok_or_else(|| unknown_run(run))?;
        let account = match self.services.ledger.account(run).await {
            Ok(account) => account,
            // Not begun, or ended so long ago that its books are archived.
            Err(LedgerError::UnknownRun(_)) => return Ok(Vec::new()),
            Err(error) => return Err(ledger_status(&error)),
        };
        let tasks = self.services.upkeep.survivors(run, &account.epoch).await;
        let tasks = tasks.map_err(|error| ledger_status(&error))?;
        let mut tasks: Vec<_> = tasks.into_iter().map(|task| (task.id, task.decided)).collect();
        tasks.sort();
        Ok(tasks)
    }
}

fn page(limit: u32) -> usize {
    (if limit == 0 { PAGE.0 } else { limit.min(PAGE.1) }) as usize
}

impl Api {
    /// Enters a run, from whoever is in this process as from a connection.
    ///
    /// # Errors
    /// As of the method `Submit`.
    pub async fn submit_parts(
        &self,
        request: Request<impl Stream<Item = Result<v1::SubmitRequest, Status>> + Send + Unpin>,
    ) -> Result<Response<v1::SubmitResponse>, Status> {
        let call = self.audit.admit(&request, Method::Submit)?;
        let submitted = self.take_submission(request.into_inner()).await;
        let run = submitted.as_ref().ok().and_then(|answer| answer.run.as_ref());
        let run = run.map_or_else(String::new, |run| run.run.clone());
        call.about(&run).ended(submitted).map(Response::new)
    }
}

#[tonic::async_trait]
impl Coordinator for Api {
    async fn submit(
        &self,
        request: Request<Streaming<v1::SubmitRequest>>,
    ) -> Result<Response<v1::SubmitResponse>, Status> {
        self.submit_parts(request).await
    }

    async fn list_runs(
        &self,
        request: Request<v1::ListRunsRequest>,
    ) -> Result<Response<v1::ListRunsResponse>, Status> {
        self.audit.look(&request, Method::ListRuns)?;
        let wanted = request.into_inner();
        let entries = self
            .services
            .register
            .list(wanted.skip as usize, page(wanted.limit))
            .await
            .map_err(|error| register_status(&error))?;
        let workers = self.workers().await?;
        let mut runs = Vec::with_capacity(entries.len());
        for entry in &entries {
            let mut run = self.show(entry, &workers).await?;
            // Those of five hundred runs would not fit a message.
            if let Some(progress) = &mut run.progress {
                progress.concepts.clear();
                progress.recipes.clear();
            }
            run.failures.clear();
            runs.push(run);
        }
        Ok(Response::new(v1::ListRunsResponse { runs }))
    }

    async fn get_run(&self, request: Request<v1::GetRunRequest>) -> Result<Response<v1::Run>, Status> {
        self.audit.look(&request, Method::GetRun)?;
        self.one(self.id_of(&request.get_ref().run).await?)
            .await
            .map(Response::new)
    }

    type WatchRunStream = Pin<Box<dyn Stream<Item = Result<v1::Run, Status>> + Send>>;

    async fn watch_run(
        &self,
        request: Request<v1::WatchRunRequest>,
    ) -> Result<Response<Self::WatchRunStream>, Status> {
        let who = self.audit.look(&request, Method::WatchRun)?;
        let run = self.id_of(&request.get_ref().run).await?;
        let first = v1::Run {
            failures: Vec::new(),
            ..self.one(run).await?
        };
        // A slow reader skips states; it never makes this side hold them.
        let (sender, receiver) = tokio::sync::mpsc::channel(1);
        let looking = self.clone();
        tokio::spawn(async move {
            let mut last = first.clone();
            let mut now = Ok(first);
            loop {
                let ended = now.as_ref().map_or(true, |run: &v1::Run| run.ended_ms.is_some());
                if sender.send(now).await.is_err() || ended {
                    return;
                }
                now = loop {
                    tokio::select! {
                        () = sender.closed() => return,
                        () = looking.stop.cancelled() => break Err(Status::unavailable(
                            "this coordinator stops: watch again, and another one answers",
                        )),
                        () = tokio::time::sleep(LOOK_EVERY) => {}
                    }
                    if looking.audit.access().role(&who).is_none() {
                        break Err(Status::unauthenticated("the token is not known here any more"));
                    }
                    // How long ago a call failed is news at every look.
                    let seen = looking.one(run).await.map(|run| v1::Run {
                        failures: Vec::new(),
                        ..run
                    });
                    match seen {
                        Ok(run) if run == last => {}
                        Ok(run) => {
                            last = run.clone();
                            break Ok(run);
                        }
                        Err(status) => break Err(status),
                    }
                };
            }
        });
        Ok(Response::new(Box::pin(
            tokio_stream::wrappers::ReceiverStream::new(receiver),
        )))
    }

    async fn pause_run(&self, request: Request<v1::PauseRunRequest>) -> Result<Response<v1::Run>, Status> {
        let call = self.audit.admit(&request, Method::PauseRun)?;
        let v1::PauseRunRequest { run, reason } = request.into_inner();
        let reason = match (reason.is_empty(), call.caller()) {
            (true, caller) => format!("by {}", caller.unwrap_or("an operator")),
            (false, Some(caller)) => format!("{reason} (by {caller})"),
            (false, None) => reason,
        };
        let paused = self.change(&run, async |run| {
            self.services.ledger.pause(run, &reason).await?;
            Ok(Some(RunEvent::Paused {
                reason: reason.clone(),
            }))
        });
        call.about(&run).ended(paused.await)
    }

    async fn resume_run(&self, request: Request<v1::ResumeRunRequest>) -> Result<Response<v1::Run>, Status> {
        let call = self.audit.admit(&request, Method::ResumeRun)?;
        let run = request.into_inner().run;
        let call = call.about(&run);
        call.ended(self.lift_pause(&run).await)
    }

    async fn cancel_run(&self, request: Request<v1::CancelRunRequest>) -> Result<Response<v1::Run>, Status> {
        let call = self.audit.admit(&request, Method::CancelRun)?;
        let v1::CancelRunRequest { run, keep } = request.into_inner();
        let call = call.about(&run);
        if keep {
            return call.ended(self.cancel_and_keep(&run).await);
        }
        let cancelled = self.change(&run, async |run| {
            self.services.ledger.cancel(run).await?;
            Ok(None)
        });
        call.ended(cancelled.await)
    }

    async fn raise_budget(
        &self,
        request: Request<v1::RaiseBudgetRequest>,
    ) -> Result<Response<v1::Run>, Status> {
        let call = self.audit.admit(&request, Method::RaiseBudget)?;
        let wanted = request.into_inner();
        let call = call.about(&wanted.run);
        call.ended(self.set_limit(wanted).await)
    }

    type ReadRowsStream = RowStream;

    async fn read_rows(
        &self,
        request: Request<v1::ReadRowsRequest>,
    ) -> Result<Response<Self::ReadRowsStream>, Status> {
        let who = self.audit.look(&request, Method::ReadRows)?;
        self.stream_rows(who, request.into_inner())
            .await
            .map(Response::new)
    }

    async fn trace_row(
        &self,
        request: Request<v1::TraceRowRequest>,
    ) -> Result<Response<v1::TraceRowResponse>, Status> {
        self.audit.look(&request, Method::TraceRow)?;
        let v1::TraceRowRequest { run, row } = request.into_inner();
        let run = self.id_of(&run).await?;
        let state = (self.services.states)(run);
        let seeds = SeedStore::load(state.as_ref())
            .await
            .map_err(|error| run_status(&error))?
            .ok_or_else(|| unknown_run(run))?;
        let found = Journal::new(state.as_ref()).trace(&row, &seeds).await;
        match found.map_err(|error| run_status(&error))? {
            Ok(trace) => Ok(Response::new(v1::TraceRowResponse {
                trace: Some(trace_message(&trace).map_err(|error| Status::internal(told(&error)))?),
            })),
            Err(none @ NoTrace::Unknown(_)) => Err(Status::not_found(none.to_string())),
            Err(several @ NoTrace::Several(_)) => Err(Status::failed_precondition(several.to_string())),
        }
    }

    async fn explain_task(
        &self,
        request: Request<v1::ExplainTaskRequest>,
    ) -> Result<Response<v1::ExplainTaskResponse>, Status> {
        self.audit.look(&request, Method::ExplainTask)?;
        let wanted = request.into_inner();
        let run = self.id_of(&wanted.run).await?;
        let tasks = self.tasks(run).await?;
        if wanted.task.is_empty() {
            let open = || tasks.iter().filter(|(_, decided)| !decided).map(|(id, _)| id);
            return Ok(Response::new(v1::ExplainTaskResponse {
                open: open().take(NAMED).map(TaskId::to_string).collect(),
                open_all: open().count() as u64,
                ..v1::ExplainTaskResponse::default()
            }));
        }
        let like = |(id, _): &&(TaskId, bool)| id.to_string().starts_with(&wanted.task);
        let found: Vec<TaskId> = tasks.iter().filter(like).map(|(id, _)| *id).collect();
        // An absorbed task is off the books, but for what it burned.
        let named = wanted.task.parse().ok();
        let task = match found.as_slice() {
            [one] => Some(*one),
            [] => named,
            several => {
                let some: Vec<String> = several.iter().take(NAMED).map(TaskId::to_string).collect();
                return Err(Status::failed_precondition(format!(
                    "{} tasks begin with `{}`: give more digits of {}",
                    several.len(),
                    wanted.task,
                    some.join(", ")
                )));
            }
        };
        let attempts = match task {
            Some(task) => self.services.ledger.attempts(run, task).await,
            None => Ok(Vec::new()),
        };
        let attempts = match attempts {
            Ok(attempts) => attempts,
            Err(LedgerError::UnknownRun(_)) => Vec::new(),
            Err(error) => return Err(ledger_status(&error)),
        };
        match task {
            Some(task) if !found.is_empty() || !attempts.is_empty() => {
                Ok(Response::new(v1::ExplainTaskResponse {
                    attempts: attempts.iter().map(show::attempt).collect(),
                    task: task.to_string(),
                    ..v1::ExplainTaskResponse::default()
                }))
            }
            Some(_) | None => Err(Status::not_found(format!(
                "no task whose id begins with `{}` is on the books of run {run}: it is unknown, or its row is decided; `gristmill trace` tells of rows and their tasks",
                wanted.task
            ))),
        }
    }

    async fn list_workers(
        &self,
        request: Request<v1::ListWorkersRequest>,
    ) -> Result<Response<v1::ListWorkersResponse>, Status> {
        self.audit.look(&request, Method::ListWorkers)?;
        let register = &self.services.register;
        let Workers {
            there: workers,
            mut drained,
        } = self.workers().await?;
        drained.retain(|name| workers.iter().all(|worker| worker.worker != *name));
        let active = register.active().await.map_err(|e| register_status(&e))?;
        let goes_on: BTreeSet<RunId> = active.iter().map(|run| run.run).collect();
        Ok(Response::new(v1::ListWorkersResponse {
            workers: workers
                .into_iter()
                .map(|worker| show::worker(worker, &goes_on))
                .collect(),
            drained,
        }))
    }

    async fn drain_worker(
        &self,
        request: Request<v1::DrainWorkerRequest>,
    ) -> Result<Response<v1::DrainWorkerResponse>, Status> {
        let call = self.audit.admit(&request, Method::DrainWorker)?;
        let worker = request.into_inner().worker;
        call.about(&worker)
            .ended(match self.services.register.drain(&worker).await {
                Ok(true) => Ok(Response::new(v1::DrainWorkerResponse {})),
                Ok(false) => Err(Status::not_found(format!(
                    "there is no worker `{worker}`: `gristmill workers` lists those there are"
                ))),
                Err(error) => Err(register_status(&error)),
            })
    }

    async fn undrain_worker(
        &self,
        request: Request<v1::UndrainWorkerRequest>,
    ) -> Result<Response<v1::UndrainWorkerResponse>, Status> {
        let call = self.audit.admit(&request, Method::UndrainWorker)?;
        let worker = request.into_inner().worker;
        call.about(&worker)
            .ended(match self.services.register.undrain(&worker).await {
                Ok(true) => Ok(Response::new(v1::UndrainWorkerResponse {})),
                Ok(false) => Err(Status::not_found(format!(
                    "no worker `{worker}` was drained: `gristmill workers` lists those that were"
                ))),
                Err(error) => Err(register_status(&error)),
            })
    }

    async fn list_dead(
        &self,
        request: Request<v1::ListDeadRequest>,
    ) -> Result<Response<v1::ListDeadResponse>, Status> {
        self.audit.look(&request, Method::ListDead)?;
        let wanted = request.into_inner();
        let before = (wanted.before > 0).then_some(wanted.before);
        let dead_letters = self
            .services
            .register
            .dead_letters(before, page(wanted.limit))
            .await
            .map_err(|error| register_status(&error))?;
        Ok(Response::new(v1::ListDeadResponse {
            letters: dead_letters.into_iter().map(show::letter).collect(),
        }))
    }

    async fn retry_dead(
        &self,
        request: Request<v1::RetryDeadRequest>,
    ) -> Result<Response<v1::RetryDeadResponse>, Status> {
        let call = self.audit.admit(&request, Method::RetryDead)?;
        let numbers = request.into_inner().numbers;
        let retried = self.put_back(&numbers).await;
        let retried = call.about(&listed(&numbers)).ended(retried)?;
        Ok(Response::new(v1::RetryDeadResponse { retried }))
    }

    async fn drop_dead(
        &self,
        request: Request<v1::DropDeadRequest>,
    ) -> Result<Response<v1::DropDeadResponse>, Status> {
        let call = self.audit.admit(&request, Method::DropDead)?;
        let numbers = request.into_inner().numbers;
        let dropped = self.drop_letters(&numbers).await;
        let dropped = call.about(&listed(&numbers)).ended(dropped)?;
        Ok(Response::new(v1::DropDeadResponse { dropped }))
    }

    async fn adopt_runs(
        &self,
        request: Request<v1::AdoptRunsRequest>,
    ) -> Result<Response<v1::AdoptRunsResponse>, Status> {
        let call = self.audit.admit(&request, Method::AdoptRuns)?;
        let wanted = request.into_inner().run;
        let adopted = self.adopt_wanted(&wanted).await;
        let runs = call.about(&wanted).ended(adopted)?;
        Ok(Response::new(v1::AdoptRunsResponse { runs }))
    }

    async fn get_server(
        &self,
        request: Request<v1::GetServerRequest>,
    ) -> Result<Response<v1::GetServerResponse>, Status> {
        let who = self.audit.look(&request, Method::GetServer)?;
        let access = self.audit.access();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(Response::new(v1::GetServerResponse {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            role: access.role(&who).map_or("", Role::name).to_owned(),
            caller: access.name(&who),
            unusable: self.services.health.told(),
            now_ms: u64::try_from(now.as_millis()).unwrap_or(u64::MAX),
        }))
    }
}
