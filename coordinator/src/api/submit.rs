//! Entering a run: its head, then the files of its state.
//!
//! The head is checked before a file is taken, and the whole against the run's id, which is a hash of job, seeds and prompts, before a
//! file is stored: what is entered is what was meant, or nothing is.

use std::time::{SystemTime, UNIX_EPOCH};

use gristmill_domain::amount::Limit;
use gristmill_domain::id::RunId;
use gristmill_domain::job::{Address, Job};
use gristmill_domain::ledger::{Account, AccountState};
use gristmill_ports::blob::Blobs;
use gristmill_ports::ledger::Error as LedgerError;
use gristmill_ports::register::{Ending, NewRun, Run, SPEC_BYTES_MAX, Submitted};
use gristmill_proto::v1;
use tokio_stream::{Stream, StreamExt};
use tonic::Status;

use super::adopt::{ADOPTER, ADOPTION};
use super::keep::{check_seeds, keep, keep_start};
use super::spool::Spool;
use super::{Api, ledger_status, register_status, run_status, told};
use crate::fleet::AdoptError;
use crate::owner::{self, Owner, START, read};
use crate::reopen::{reopen, resumption};
use crate::{Error, Events, RunEvent, Start, specs, start_of};

/// The largest file of a run's state, bytes.
const FILE_BYTES_MAX: usize = 256 << 20;
/// The most bytes of one submission.
const TOTAL_BYTES_MAX: usize = 8 << 30;
/// The longest name that people may give a run.
const NAME_CHARS_MAX: usize = 200;

/// The parts of a submission, as they come.
pub(super) trait Parts: Stream<Item = Result<v1::SubmitRequest, Status>> + Send + Unpin {}

impl<T: Stream<Item = Result<v1::SubmitRequest, Status>> + Send + Unpin> Parts for T {}

/// What a submission means for its run.
#[derive(Clone, Copy)]
enum Next {
    /// It begins, or goes on.
    Begins,
    /// It has ended, and stays as it is.
    Stays,
    /// It has ended, and is taken up again with this limit.
    Resumes(Limit),
    /// It has ended, and its dataset is missing.
    Assembles,
}

/// What stands at the head of a submission, checked.
struct Head {
    start: Start,
    request_id: String,
}

impl Head {
    /// The run as it is entered. `before` is what it was started with when it was submitted before, `known` when the register says that this
    /// was: it is as old as it was, and has its name unless it is given another.
    fn entry(&mut self, before: Option<&Start>, known: Option<u64>) -> Result<NewRun, Status> {
        let first = before.and_then(|before| before.submitted_ms).or(known);
        self.start.submitted_ms = Some(first.unwrap_or_else(now_ms));
        if let Some(before) = before.filter(|_| self.start.name.is_empty()) {
            self.start.name.clone_from(&before.name);
        }
        let spec = serde_json::to_vec(&self.start)
            .map_err(|error| Status::invalid_argument(format!("`start`: {error}")))?;
        if spec.len() > SPEC_BYTES_MAX {
            return Err(Status::invalid_argument(format!(
                "`start` has {} bytes, more than {SPEC_BYTES_MAX}",
                spec.len()
            )));
        }
        Ok(NewRun {
            request_id: self.request_id.clone(),
            submitted_ms: first,
            ..self.start.entry(spec)
        })
    }
}

impl Api {
    pub(super) async fn take_submission(&self, mut parts: impl Parts) -> Result<v1::SubmitResponse, Status> {
        let first = parts.next().await.transpose()?.and_then(|request| request.part);
        let Some(v1::submit_request::Part::Head(head)) = first else {
            return Err(Status::invalid_argument("a submission begins with its head"));
        };
        let mut head = check_head(head)?;
        self.check_egress(&head.start.job)?;
        let run = head.start.run;
        let state = (self.services.states)(run);
        let spool = receive(parts).await?;
        self.adopt_forgotten().await?;
        // Before anything is stored: what is not what it says blocks no run.
        check_seeds(&spool, &head.start).await?;
        let before = started_before(state.as_ref()).await?;
        let known = self.services.register.get(run).await;
        let known = known.map_err(|error| register_status(&error))?;
        let new = head.entry(before.as_ref(), known.as_ref().map(|run| run.submitted_ms))?;
        let folder = self.services.folder(run);
        let mut events = Events::load(state.as_ref()).await.map_err(|e| run_status(&e))?;
        let stays = known.is_some_and(|known| stays(&known, &events));
        if !stays {
            own(state.as_ref(), run, &folder).await?;
        }
        let account = self.same_prices(&head.start, &events).await?;
        let cancelled = account
            .as_ref()
            .is_some_and(|account| account.state == AccountState::Cancelled);
        let next = match stays || cancelled {
            true => Next::Stays,
            false => self.next(before.as_ref(), &head.start, &events).await?,
        };
        if !matches!(next, Next::Stays) {
            keep(state.as_ref(), &spool, &head.start, &folder).await?;
            // Beside its files, so that the run's folder says by itself what it is; what counts is the register's.
            keep_start(state.as_ref(), &new.spec).await?;
        }
        let written = match (next, account) {
            (Next::Resumes(limit), _) => reopen(state.as_ref(), &mut events, limit).await,
            // A run keeps the limit that it has: what it is started with now names another.
            (Next::Begins, Some(Account { limit, .. }))
                if limit != head.start.limit && events.limit() != Some(limit) =>
            {
                events.append(state.as_ref(), RunEvent::LimitSet { limit }).await
            }
            _ => Ok(()),
        };
        written.map_err(|error| run_status(&error))?;
        let entered = match next {
            // Also one that was reopened while its driver was about to register it as finished.
            Next::Resumes(_) | Next::Assembles => self.services.register.reopen(new).await,
            _ if events.reopened().is_some() => self.services.register.reopen(new).await,
            Next::Begins | Next::Stays => self.services.register.submit(new).await,
        };
        let created = match entered.map_err(|e| register_status(&e))? {
            Submitted::Created => matches!(next, Next::Begins),
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
            resumed: matches!(next, Next::Resumes(_)),
            assembling: matches!(next, Next::Assembles),
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

    /// Enters the other runs of the store first where the register has lost them all: with this one in it, it would no longer look lost.
    async fn adopt_forgotten(&self) -> Result<(), Status> {
        match self.services.adopt_forgotten(ADOPTER, ADOPTION, false).await {
            Ok(_) => Ok(()),
            Err(AdoptError::Register(error)) => Err(register_status(&error)),
            Err(AdoptError::State(error)) => Err(run_status(&error)),
        }
    }

    /// What a submission means for a run, by what its store says of it.
    async fn next(&self, before: Option<&Start>, start: &Start, events: &Events) -> Result<Next, Status> {
        let Some(account) = events.account() else {
            return Ok(Next::Begins);
        };
        let limit = resumption(events, account.limit, before.unwrap_or(start), start);
        if let Some(limit) = limit {
            return Ok(Next::Resumes(limit));
        }
        let cancelled = events.ended().is_some_and(|ended| ended.end.is_none());
        let assembled = self
            .services
            .assembled(start.run)
            .await
            .map_err(|e| run_status(&e))?;
        Ok(if cancelled || assembled {
            Next::Stays
        } else {
            Next::Assembles
        })
    }

    /// A run that has an account keeps the prices that it was opened with: its books are in them. Returns the account in the ledger.
    async fn same_prices(&self, start: &Start, events: &Events) -> Result<Option<Account>, Status> {
        let account = match self.services.ledger.account(start.run).await {
            Ok(account) => Some(account),
            Err(LedgerError::UnknownRun(_)) => None,
            Err(error) => return Err(ledger_status(&error)),
        };
        let known = account.as_ref().or(events.last_account());
        if known.is_none_or(|known| known.price_hash == start.account().price_hash) {
            return Ok(account);
        }
        Err(Status::failed_precondition(format!(
            "run {} keeps the prices that it began with: submit it with those, or give `generate.seed` another number, which makes another run",
            start.run
        )))
    }
}

/// Whether a run stays as it is by what the register knows of it: it was cancelled, or it is finished and its folder was deleted, with how it
/// ended. Its files would make another run of it, which is paid for once more.
fn stays(known: &Run, events: &Events) -> bool {
    match known.ending {
        Some(Ending::Cancelled) => true,
        Some(Ending::Finished) => !events.has_ended(),
        Some(Ending::Failed { .. }) | None => false,
    }
}

/// What a run was started with when it was submitted before; `None` also where that cannot be read, which a submission replaces.
async fn started_before(state: &dyn Blobs) -> Result<Option<Start>, Status> {
    let before = read(state, START).await.map_err(|error| run_status(&error))?;
    Ok(before.and_then(|before| serde_json::from_slice(&before).ok()))
}

fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
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
    let message = head.start.ok_or_else(|| {
        bad("`start` is missing: the program that submits must be of the coordinator's version".into())
    })?;
    let mut start = start_of(&message).map_err(|error| bad(format!("`start`: {}", told(&error))))?;
    let run: RunId =
        super::run_id(&head.run).map_err(|_| bad(format!("`run` is not the id of a run: {:?}", head.run)))?;
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
        .setup()
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
    if name != start.job_file {
        start.name = name;
    }
    let request_id = head.request_id;
    Ok(Head { start, request_id })
}

/// Takes files as they come.
async fn receive(mut parts: impl Parts) -> Result<Spool, Status> {
    let scratch = |error: std::io::Error| Status::unavailable(format!("no room for the submission: {error}"));
    let mut spool = Spool::new().map_err(scratch)?;
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
        if !["seeds/", "databases/", "validator/"]
            .iter()
            .any(|folder| name.starts_with(folder))
        {
            return Err(Status::invalid_argument(format!(
                "`{name}` is not a file of a submission: they are `seeds/…`, `databases/…` and `validator/…`"
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
            spool.add(&name, bytes).await.map_err(|error| match error {
                gristmill_ports::blob::Error::Name { .. } => Status::invalid_argument(told(&error)),
                _ => Status::unavailable(told(&error)),
            })?;
        }
    }
    match open {
        None => Ok(spool),
        Some((name, _)) => Err(Status::invalid_argument(format!(
            "`{name}` ended before it was whole"
        ))),
    }
}
