//! One child process, from the parent's side.

use std::fmt;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::ExitStatus;
use std::time::Duration;

use gristmill_confine::End;
use tokio::io::BufReader;
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

use crate::child::ROLE;
use crate::wire::{self, Reply};

/// How long a child may take to start: far more than it needs, for machines that are busy.
const START: Duration = Duration::from_secs(30);
/// How long a killed child may take to end.
const END: Duration = Duration::from_secs(5);

/// How a child ended in the middle of an exchange.
#[derive(Debug)]
pub(crate) enum Death {
    /// It was still at it at the deadline, and was killed.
    Deadline,
    /// The kernel's processor limit.
    Cpu,
    /// It could not get memory.
    Memory,
    /// SQLite or the child crashed on the query.
    Crash(i32),
    /// Something that says nothing about the query.
    Other(String),
}

impl fmt::Display for Death {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Deadline => f.write_str("it did not answer in time"),
            Self::Cpu => f.write_str("it used up its processor time"),
            Self::Memory => f.write_str("it got no memory"),
            Self::Crash(signal) => write!(f, "it crashed (signal {signal})"),
            Self::Other(reason) => f.write_str(reason),
        }
    }
}

/// A child that has confirmed its order. Dropped, it is killed.
#[derive(Debug)]
pub(crate) struct Worker {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    /// Queries answered.
    pub(crate) served: u32,
}

impl Worker {
    /// Starts a child with an order and returns its first reply, which may take until `deadline` after the start.
    pub(crate) async fn start(
        program: &Path,
        order: &[u8],
        deadline: Duration,
    ) -> Result<(Self, Reply), String> {
        let mut command = Command::from(gristmill_confine::command(program, ROLE));
        command.kill_on_drop(true);
        let mut child = command
            .spawn()
            .map_err(|error| format!("cannot run {}: {error}", program.display()))?;
        let (Some(to), Some(from)) = (child.stdin.take(), child.stdout.take()) else {
            return Err("its pipes are missing".into());
        };
        let mut worker = Self {
            child,
            to,
            from: BufReader::new(from),
            served: 0,
        };
        match worker.exchange(order, 64 << 10, START + deadline).await {
            Ok(reply) => Ok((worker, reply)),
            Err(Death::Other(reason)) => Err(format!(
                "{} did not answer as a sandbox child ({reason}); its `main` must call `gristmill_sandbox::child_main` first",
                program.display()
            )),
            Err(death) => Err(format!("it ended at its start: {death}")),
        }
    }

    /// Sends a frame and waits for the reply; whatever goes wrong, the child is dead afterwards.
    pub(crate) async fn exchange(
        &mut self,
        framed: &[u8],
        reply_bytes_max: usize,
        deadline: Duration,
    ) -> Result<Reply, Death> {
        let talk = wire::exchange(&mut self.to, &mut self.from, framed, reply_bytes_max);
        match timeout(deadline, talk).await {
            Ok(Ok(reply)) => {
                self.served += 1;
                Ok(reply)
            }
            Ok(Err(error)) => Err(self.cause(&error).await),
            Err(_) => {
                self.kill().await;
                Err(Death::Deadline)
            }
        }
    }

    /// Why the pipe broke.
    async fn cause(&mut self, error: &io::Error) -> Death {
        if error.kind() == io::ErrorKind::InvalidData {
            self.kill().await;
            return Death::Other(error.to_string());
        }
        // The pipe closes as the child ends; its status is there a moment later.
        match timeout(END, self.child.wait()).await {
            Ok(Ok(status)) => death(status),
            _ => {
                self.kill().await;
                Death::Other(error.to_string())
            }
        }
    }

    async fn kill(&mut self) {
        // Both fail only when it has ended already; dropping the handle makes sure once more.
        if self.child.start_kill().is_ok() {
            let _ended = timeout(END, self.child.wait()).await;
        }
    }
}

fn death(status: ExitStatus) -> Death {
    match End::of(status, None) {
        End::Cpu => Death::Cpu,
        // SQLite itself copes and says so.
        End::Memory => Death::Memory,
        End::Stack => Death::Crash(status.signal().unwrap_or_default()),
        End::Crash(signal) => Death::Crash(signal),
        End::Other(how) => Death::Other(how),
    }
}
