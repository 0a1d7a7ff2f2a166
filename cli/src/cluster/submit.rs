//! `gristmill submit`: reads a job as `run` does, and hands it to a cluster with its seeds and databases.

use std::path::Path;

use anyhow::Context;
use gristmill_blob::LocalBlobs;
use gristmill_coordinator::{Start, start_message};
use gristmill_domain::amount::Limit;
use gristmill_ports::blob::Blobs;
use gristmill_proto::v1;
use gristmill_proto::v1::submit_request::Part;
use gristmill_runs::{Prepared, served};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::remote::{self, refused};
use super::watch;
use crate::args::{OutputStyle, SubmitArgs};
use crate::failure::Failure;
use crate::prepare::{Keys, Ready, prepare};
use crate::view::View;
use crate::{print, splits, survey};

/// Bytes of a file that are sent at once.
const PIECE_BYTES: usize = 1 << 20;
/// Pieces that wait to be sent.
const PIECES: usize = 4;

/// Submits a job.
pub(crate) async fn submit(args: &SubmitArgs, view: View, output: OutputStyle) -> Result<(), Failure> {
    let ready = prepare(&args.job, Keys::Elsewhere).await?;
    let prepared = &ready.prepared;
    refuse_secrets(&ready)?;
    for warning in prepared.warnings().map_err(Failure::Input)? {
        view.warn(&warning);
    }
    splits::refuse_shared(prepared, &view).await?;
    survey::refuse_narrow(prepared, &view).await?;
    let mut remote = remote::connect(&args.server).await?;
    let (start, mut head) = head(prepared, args.request_id.clone())?;
    if let Some(name) = &args.name {
        head.name.clone_from(name);
    }
    let (sender, receiver) = mpsc::channel(PIECES);
    let sending = send_all(sender, head, prepared);
    let asking = remote.submit(ReceiverStream::new(receiver));
    let (sent, answer) = tokio::join!(sending, asking);
    // The server's word says more than a broken stream does.
    let answer = answer.map_err(|status| refused(&status))?.into_inner();
    sent.map_err(Failure::Input)?;
    let run = start.run.to_string();
    let there = answer.run.unwrap_or_default();
    let word = match (answer.resumed, answer.assembling) {
        (true, _) => format!(
            "it had ended, and resumes with the limit {}",
            served::limit(&there)
        ),
        (_, true) => "it had ended, and its missing dataset is written again".to_owned(),
        (false, false) => became(&there, answer.created, start.limit),
    };
    if args.watch {
        view.say(&format!("run {run} · {word}"));
        return watch::follow(&mut remote, &run, view, output).await;
    }
    let value = serde_json::json!({
        "run": run, "created": answer.created, "resumed": answer.resumed, "assembling": answer.assembling, "state": served::state(&there).word, "limit": there.limit.map_or(start.limit, |_| served::limit(&there)),
    });
    let verb = match there.state() {
        v1::RunState::Paused => "resume",
        v1::RunState::Frozen | v1::RunState::Finished | v1::RunState::Cancelled => "status",
        v1::RunState::Unspecified
        | v1::RunState::Waiting
        | v1::RunState::Running
        | v1::RunState::Assembling
        | v1::RunState::Failed => "watch",
    };
    let server = &args.server.server;
    print::either(
        output,
        &value,
        &format!("run {run} · {word}\nNext: gristmill {verb} {run} --server {server}"),
    );
    Ok(())
}

/// Refuses a job that holds a secret: what is stored of it is for many to see.
fn refuse_secrets(ready: &Ready) -> Result<(), Failure> {
    match ready.live.secrets().first() {
        None => Ok(()),
        Some((path, help)) => Err(Failure::Input(anyhow::anyhow!(
            "`{path}` may hold a secret, which is not sent to a cluster\nhelp: {help}, and start the workers with `--keys VARIABLE@HOST`"
        ))),
    }
}

/// What a run is started with at a cluster, and the head of its submission.
fn head(prepared: &Prepared, request_id: Option<String>) -> Result<(Start, v1::SubmitHead), Failure> {
    let start = Start {
        // Paths of this machine mean nothing there.
        base: Path::new("").to_owned(),
        job_file: file_name(&prepared.start.job_file),
        ..prepared.start.clone()
    };
    let head = v1::SubmitHead {
        run: start.run.to_string(),
        request_id: request_id.unwrap_or_else(|| start.run.to_string()),
        name: start.job_file.clone(),
        start: Some(start_message(&start).map_err(anyhow::Error::from)?),
    };
    Ok((start, head))
}

/// All parts of a submission, in memory: for one that is small.
pub(super) async fn parts(
    ready: &Ready,
    request_id: Option<String>,
) -> Result<Vec<v1::SubmitRequest>, Failure> {
    refuse_secrets(ready)?;
    let (_, head) = head(&ready.prepared, request_id)?;
    let (sender, mut receiver) = mpsc::channel(PIECES);
    let collecting = async {
        let mut parts = Vec::new();
        while let Some(part) = receiver.recv().await {
            parts.push(part);
        }
        parts
    };
    let (sent, parts) = tokio::join!(send_all(sender, head, &ready.prepared), collecting);
    sent.map_err(Failure::Input)?;
    Ok(parts)
}

/// What became of a submission with this limit.
fn became(run: &v1::Run, created: bool, limit: Limit) -> String {
    let word = served::state(run).word;
    if created {
        return "submitted".to_owned();
    }
    if served::is_over(run) && !run.reason.is_empty() {
        return format!(
            "known there and {word}: nothing was begun: {}; another number as `generate.seed` makes another run of this job",
            run.reason
        );
    }
    if served::is_over(run) {
        return format!(
            "known there and {word}: nothing was begun; a larger `budget` resumes a run that its budget ended, and another number as \
             `generate.seed` makes another run of this job"
        );
    }
    let mut text = match run.state() {
        v1::RunState::Paused | v1::RunState::Frozen => format!(
            "known there, and it stays {}; then it goes on by this job's addresses, keys and limits a minute",
            served::state(run)
        ),
        _ => format!("known there and {word}: it goes on by this job's addresses, keys and limits a minute"),
    };
    let kept = served::limit(run);
    if run.limit.is_some() && kept != limit {
        text.push_str(&format!(
            "; its budget stays {kept}, not {limit}: `gristmill budget {} --raise …` sets it",
            run.run
        ));
    }
    text
}

fn file_name(path: &str) -> String {
    Path::new(path)
        .file_name()
        .map_or_else(|| path.to_owned(), |name| name.to_string_lossy().into_owned())
}

/// Sends head, seeds and the validator's files, a piece at a time.
async fn send_all(
    sender: mpsc::Sender<v1::SubmitRequest>,
    head: v1::SubmitHead,
    prepared: &Prepared,
) -> anyhow::Result<()> {
    let send = async |part| sender.send(v1::SubmitRequest { part: Some(part) }).await;
    // A closed channel means that the server has answered already: its answer says why.
    if send(Part::Head(head)).await.is_err() {
        return Ok(());
    }
    let folder = tempfile::tempdir().context("a temporary folder cannot be made")?;
    let staged = LocalBlobs::new(folder.path());
    prepared.seeds.publish(&staged).await?;
    for name in staged.list("seeds/").await? {
        let bytes = staged.read(&name).await?;
        if !send_file(&sender, &name, bytes).await {
            return Ok(());
        }
    }
    let Start { job, base, .. } = &prepared.start;
    for file in gristmill_sandbox::shipped(&job.filter.validator, base)? {
        let bytes = tokio::fs::read(&file.path)
            .await
            .with_context(|| format!("{} cannot be read", file.path.display()))?;
        if !send_file(&sender, &file.name, bytes).await {
            return Ok(());
        }
    }
    Ok(())
}

/// Sends one file; false once nobody listens any more.
async fn send_file(sender: &mpsc::Sender<v1::SubmitRequest>, name: &str, bytes: Vec<u8>) -> bool {
    let pieces = bytes.chunks(PIECE_BYTES).count();
    for (i, piece) in bytes.chunks(PIECE_BYTES).enumerate() {
        let part = Part::File(v1::FilePiece {
            name: name.to_owned(),
            bytes: piece.to_vec(),
            last: i + 1 == pieces,
        });
        if sender.send(v1::SubmitRequest { part: Some(part) }).await.is_err() {
            return false;
        }
    }
    true
}
