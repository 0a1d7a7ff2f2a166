//! Entering a run: its head, then the files of its state.
//!
//! The head is checked before a file is taken, each file before it is stored, and the whole against the run's id, which is a hash of
//! job, seeds and prompts: what is entered is what was meant, or nothing is.

use gristmill_domain::id::RunId;
use gristmill_domain::job::{Address, Job};
use gristmill_ports::blob::{Blobs, Create};
use gristmill_ports::ledger::Error as LedgerError;
use gristmill_ports::register::{NewRun, SPEC_BYTES_MAX, Submitted};
use gristmill_proto::v1;
use tokio_stream::StreamExt;
use tonic::{Status, Streaming};

use super::{Api, ledger_status, register_status, run_status, told};
use crate::owner::{self, Owner, START};
use crate::{Error, SeedStore, Start, specs};

/// The largest file of a run's state, bytes.
const FILE_BYTES_MAX: usize = 256 << 20;
/// The most bytes of one submission.
const TOTAL_BYTES_MAX: usize = 8 << 30;
/// The longest name that people may give a run.
const NAME_CHARS_MAX: usize = 200;

/// What stands at the head of a submission, checked.
struct Head {
    start: Start,
    new: NewRun,
}

impl Api {
    pub(super) async fn take_submission(
        &self,
        mut parts: Streaming<v1::SubmitRequest>,
    ) -> Result<v1::SubmitResponse, Status> {
        let first = parts.next().await.transpose()?.and_then(|request| request.part);
        let Some(v1::submit_request::Part::Head(head)) = first else {
            return Err(Status::invalid_argument("a submission begins with its head"));
        };
        let head = check_head(head)?;
        self.check_egress(&head.start.job)?;
        let run = head.start.run;
        let state = (self.ground.states)(run);
        own(state.as_ref(), run, &self.ground.folder(run)).await?;
        store_files(state.as_ref(), parts).await?;
        check_seeds(state.as_ref(), &head.start).await?;
        // Beside its files, so that the run's folder tells by itself what it is; what counts is the register's.
        let told = state.create(START, head.new.spec.clone()).await;
        told.map_err(|error| Status::unavailable(super::told(&error)))?;
        self.same_prices(&head.start).await?;
        let created = match self
            .ground
            .register
            .submit(head.new)
            .await
            .map_err(|e| register_status(&e))?
        {
            Submitted::Created => true,
            Submitted::Known => false,
            Submitted::KeyTaken(other) => {
                return Err(Status::already_exists(format!(
                    "the request id was used for run {other} before: choose another for run {run}"
                )));
            }
        };
        tracing::info!(%run, created, "submitted");
        Ok(v1::SubmitResponse {
            run: Some(self.one(run).await?),
            created,
        })
    }

    /// Refuses a job whose requests may not go where it says, and one that holds a secret: what is stored of it is for many to see.
    fn check_egress(&self, job: &Job) -> Result<(), Status> {
        if let Some((path, help)) = job.secrets().first() {
            return Err(Status::invalid_argument(format!(
                "`{path}` may hold a secret, which is not sent to a cluster: {help}"
            )));
        }
        for spec in specs(job) {
            let address = spec.base_url.as_ref().map(|url| Address::parse(url, spec.api()));
            if let Some(Ok(address)) = address {
                self.endpoints.check(&address).map_err(Status::invalid_argument)?;
            }
        }
        Ok(())
    }

    /// A run that has an account keeps the prices that it was opened with: its books are in them.
    async fn same_prices(&self, start: &Start) -> Result<(), Status> {
        let account = match self.ground.ledger.account(start.run).await {
            Ok(account) => account,
            Err(LedgerError::UnknownRun(_)) => return Ok(()),
            Err(error) => return Err(ledger_status(&error)),
        };
        if account.price_hash == start.account().price_hash {
            return Ok(());
        }
        Err(Status::failed_precondition(format!(
            "run {} keeps the prices that it began with: submit it with those, or give `generate.seed` another number, which makes another run",
            start.run
        )))
    }
}

/// Makes the run the cluster's, unless a machine that works alone keeps its books.
async fn own(state: &dyn Blobs, run: RunId, folder: &str) -> Result<(), Status> {
    match owner::claim(state, Owner::Cluster).await {
        Ok(()) => Ok(()),
        Err(Error::Owned { owner }) => Err(Status::failed_precondition(format!(
            "{owner} keeps the books of run {run}, in {folder}: resume it there with `gristmill run`, or move that folder out of the \
             store to begin the run anew on the cluster"
        ))),
        Err(error) => Err(run_status(&error)),
    }
}

fn check_head(head: v1::SubmitHead) -> Result<Head, Status> {
    let bad = |what: String| Status::invalid_argument(what);
    if head.start.len() > SPEC_BYTES_MAX {
        return Err(bad(format!(
            "`start` has {} bytes, more than {SPEC_BYTES_MAX}",
            head.start.len()
        )));
    }
    let start: Start =
        serde_json::from_slice(&head.start).map_err(|error| bad(format!("`start`: {error}")))?;
    let run: RunId = super::run_id(&head.run)?;
    if run != start.run {
        return Err(bad(format!("`run` is {run}, and `start` says {}", start.run)));
    }
    if head.request_id.is_empty() || head.request_id.len() > NAME_CHARS_MAX {
        return Err(bad(format!("`request_id` has 1 to {NAME_CHARS_MAX} characters")));
    }
    let problems = start.job.check();
    if let Some(problem) = problems.first() {
        return Err(bad(format!(
            "`start.job.{}`: {}: {}",
            problem.path, problem.message, problem.help
        )));
    }
    let versions = start
        .recipe()
        .map_err(|error| bad(told(&error)))?
        .prompt_versions();
    if versions != start.prompts {
        return Err(bad(
            "the prompts are not those of this server: both sides must be of the same version".into(),
        ));
    }
    let name: String = head
        .name
        .chars()
        .filter(|c| !c.is_control())
        .take(NAME_CHARS_MAX)
        .collect();
    let new = NewRun {
        run,
        name,
        spec: head.start,
        request_id: head.request_id,
    };
    Ok(Head { start, new })
}

/// Stores files as they come. One that is there already must be the same.
async fn store_files(state: &dyn Blobs, mut parts: Streaming<v1::SubmitRequest>) -> Result<(), Status> {
    let mut open: Option<(String, Vec<u8>)> = None;
    let mut total = 0usize;
    while let Some(request) = parts.next().await.transpose()? {
        let Some(v1::submit_request::Part::File(piece)) = request.part else {
            return Err(Status::invalid_argument("only the first part is a head"));
        };
        let (name, bytes) = open.get_or_insert_with(|| (piece.name.clone(), Vec::new()));
        if *name != piece.name {
            return Err(Status::invalid_argument(format!(
                "`{name}` was not whole when `{}` began",
                piece.name
            )));
        }
        if !(name.starts_with("seeds/") || name.starts_with("databases/")) {
            return Err(Status::invalid_argument(format!(
                "`{name}` is no file of a submission: they are `seeds/…` and `databases/…`"
            )));
        }
        total += piece.bytes.len();
        bytes.extend_from_slice(&piece.bytes);
        if bytes.len() > FILE_BYTES_MAX || total > TOTAL_BYTES_MAX {
            return Err(Status::resource_exhausted(format!(
                "`{name}` is over what a submission may hold: {FILE_BYTES_MAX} bytes a file, {TOTAL_BYTES_MAX} in all"
            )));
        }
        if piece.last
            && let Some((name, bytes)) = open.take()
        {
            store(state, &name, bytes).await?;
        }
    }
    match open {
        None => Ok(()),
        Some((name, _)) => Err(Status::invalid_argument(format!(
            "`{name}` ended before it was whole"
        ))),
    }
}

async fn store(state: &dyn Blobs, name: &str, bytes: Vec<u8>) -> Result<(), Status> {
    use gristmill_ports::blob::Error;
    let status = |error: Error| match error {
        Error::Name { .. } => Status::invalid_argument(told(&error)),
        Error::Missing { .. } | Error::Store { .. } => Status::unavailable(told(&error)),
    };
    match state.create(name, bytes.clone()).await.map_err(status)? {
        Create::Created => Ok(()),
        Create::Exists if state.read(name).await.map_err(status)? == bytes => Ok(()),
        Create::Exists => Err(Status::already_exists(format!(
            "`{name}` of this run is stored with other contents"
        ))),
    }
}

async fn check_seeds(state: &dyn Blobs, start: &Start) -> Result<(), Status> {
    let seeds = SeedStore::load(state)
        .await
        .map_err(|error| run_status(&error))?
        .ok_or_else(|| Status::invalid_argument("the submission holds no seeds"))?;
    let meant = crate::run_id(&start.job, seeds.digest(), &start.prompts);
    if meant == start.run {
        Ok(())
    } else {
        Err(Status::invalid_argument(format!(
            "job, seeds and prompts make up run {meant}, not {}",
            start.run
        )))
    }
}
