//! One child process, from the parent's side.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use gristmill_confine::{End, own_program};
use gristmill_domain::passage::Media;

use crate::child::ROLE;
use crate::options::Limits;
use crate::skip::Reason;
use crate::wire::{self, Document, Order, Reply};

/// How long a child may take to start: far more than it needs, for machines that are busy.
const START: Duration = Duration::from_secs(30);
/// What of a dying child's last words is read.
const LAST_WORDS_BYTES: u64 = 4096;

/// A file on its way into a child.
struct Job {
    document: Document,
    file: File,
}

/// Why there is no reply.
enum Trouble {
    /// The file, not the child.
    File(io::Error),
    Pipe(io::Error),
}

/// How a child ended in the middle of a document.
#[derive(Debug)]
pub(crate) enum Death {
    /// It says something about the document.
    Document(Reason),
    /// It says something about the child: another one may well read the document.
    Child(String),
}

/// A child that is confined and waits for documents. Dropped, it is killed.
pub(crate) struct Worker {
    child: Child,
    jobs: SyncSender<Job>,
    replies: Receiver<Result<Reply, Trouble>>,
    /// Documents given to it.
    pub(crate) served: u32,
}

impl Worker {
    /// Starts a child and waits until it is confined.
    pub(crate) fn start(program: Option<&Path>, limits: &Limits) -> Result<Self, String> {
        let program = match program {
            Some(program) => program.to_owned(),
            None => own_program().map_err(|error| error.to_string())?,
        };
        let not_one = |reason: String| {
            format!(
                "{} did not answer as one that reads documents ({reason}); its `main` must call `gristmill_documents::child_main` first",
                program.display()
            )
        };
        let mut child = gristmill_confine::command(&program, ROLE)
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("cannot run {}: {error}", program.display()))?;
        let (Some(to), Some(from)) = (child.stdin.take(), child.stdout.take()) else {
            return Err("its pipes are missing".into());
        };
        let order = wire::frame(&Order { limits: *limits }).map_err(|error| error.to_string())?;
        let (jobs, to_do) = sync_channel(1);
        let (done, replies) = sync_channel(1);
        let reply_bytes_max = wire::reply_bytes_max(limits);
        // A thread of its own writes and reads, so that waiting for it can end.
        thread::spawn(move || talk(to, from, &order, &to_do, &done, reply_bytes_max));
        let mut worker = Self {
            child,
            jobs,
            replies,
            served: 0,
        };
        match worker.replies.recv_timeout(START) {
            Ok(Ok(Reply::Ready)) => Ok(worker),
            Ok(Ok(Reply::Broken(reason))) => Err(reason),
            Ok(Ok(other)) => Err(not_one(format!("it began by answering {other}"))),
            Ok(Err(Trouble::File(error) | Trouble::Pipe(error))) => {
                worker.kill();
                Err(not_one(error.to_string()))
            }
            Err(error) => {
                worker.kill();
                Err(not_one(error.to_string()))
            }
        }
    }

    /// Has a document read; unless there is a reply, the child is dead afterwards.
    pub(crate) fn read(
        &mut self,
        media: Media,
        file: File,
        bytes: u64,
        limits: &Limits,
    ) -> Result<Reply, Death> {
        self.served += 1;
        let job = Job {
            document: Document { media, bytes },
            file,
        };
        if self.jobs.send(job).is_err() {
            return Err(self.cause("its pipe is closed".into(), limits));
        }
        match self.replies.recv_timeout(limits.wall) {
            Ok(Ok(reply)) => Ok(reply),
            Ok(Err(Trouble::File(error))) => {
                self.kill();
                Err(Death::Document(Reason::of_io(&error)))
            }
            Ok(Err(Trouble::Pipe(error))) => Err(self.cause(error.to_string(), limits)),
            Err(RecvTimeoutError::Disconnected) => Err(self.cause("its pipe is closed".into(), limits)),
            Err(RecvTimeoutError::Timeout) => {
                self.kill();
                Err(Death::Document(Reason::TooSlow {
                    seconds: limits.wall.as_secs(),
                }))
            }
        }
    }

    /// Why the pipe broke. One that is dying has its status already, which killing it does not change; one that lives on
    /// must not.
    fn cause(&mut self, reason: String, limits: &Limits) -> Death {
        // It fails only when it has ended already.
        let _killed = self.child.kill();
        let status = match self.child.wait() {
            Ok(status) => status,
            Err(error) => return Death::Child(error.to_string()),
        };
        let mut words = Vec::new();
        if let Some(stderr) = self.child.stderr.take() {
            let _partial = stderr.take(LAST_WORDS_BYTES).read_to_end(&mut words);
        }
        death(status, &String::from_utf8_lossy(&words), reason, limits)
    }

    fn kill(&mut self) {
        // Both fail only when it has ended already.
        if self.child.kill().is_ok() {
            let _ended = self.child.wait();
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.kill();
    }
}

fn death(status: ExitStatus, words: &str, reason: String, limits: &Limits) -> Death {
    let document = match End::of(status, Some(words)) {
        End::Other(how) => return Death::Child(format!("{reason}; {how}")),
        End::Cpu => Reason::TooSlow {
            seconds: limits.cpu.as_secs(),
        },
        End::Memory => Reason::TooMuchMemory {
            mib: limits.memory_bytes_max >> 20,
        },
        End::Stack => Reason::Crashed {
            how: "what it holds is nested too deeply".into(),
        },
        End::Crash(signal) => Reason::Crashed {
            how: format!("signal {signal}"),
        },
    };
    Death::Document(document)
}

/// Speaks with the child until either side is gone.
fn talk(
    mut to: ChildStdin,
    mut from: ChildStdout,
    order: &[u8],
    jobs: &Receiver<Job>,
    replies: &SyncSender<Result<Reply, Trouble>>,
    reply_bytes_max: usize,
) {
    let mut hear = |sent: Result<(), Trouble>| {
        sent.and_then(|()| {
            wire::read::<Reply>(&mut from, reply_bytes_max)
                .map_err(Trouble::Pipe)?
                .ok_or_else(|| Trouble::Pipe(io::ErrorKind::UnexpectedEof.into()))
        })
    };
    let first = to
        .write_all(order)
        .and_then(|()| to.flush())
        .map_err(Trouble::Pipe);
    if replies.send(hear(first)).is_err() {
        return;
    }
    while let Ok(job) = jobs.recv() {
        let sent = send(&mut to, job);
        if replies.send(hear(sent)).is_err() {
            return;
        }
    }
}

/// Sends exactly as many bytes as were announced.
fn send(to: &mut ChildStdin, job: Job) -> Result<(), Trouble> {
    wire::write(to, &job.document).map_err(Trouble::Pipe)?;
    let mut left = job.document.bytes;
    let mut file = job.file;
    let mut buffer = vec![0; 64 << 10];
    while left > 0 {
        let most = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let count = match file.read(&mut buffer[..most]) {
            Ok(0) => {
                return Err(Trouble::File(io::Error::other(
                    "it became shorter while it was read",
                )));
            }
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(Trouble::File(error)),
        };
        to.write_all(&buffer[..count]).map_err(Trouble::Pipe)?;
        left -= count as u64;
    }
    to.flush().map_err(Trouble::Pipe)
}
