//! Programs of users, each run under limits in a process of its own.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use async_trait::async_trait;
use gristmill_confine::{End, own_program};
use gristmill_domain::validator::{Program, ProgramFault};
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::child::{PROGRAM_ROLE, ProgramOrder};
use crate::error::Error;

/// The clock's limit, as a multiple of that on processor time: machines are busy.
const WALL_FACTOR: u32 = 4;
/// Bytes of what a program says on stderr that are kept.
const STDERR_BYTES_MAX: u64 = 4096;
/// How a shell ends whose command was ended by the limit on processor time.
const SHELL_CPU: i32 = 128 + 24;

/// What a program may use for one input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProgramLimits {
    /// Processor time; four times as long by the clock.
    pub cpu: Duration,
    /// Address space.
    pub memory_bytes: u64,
    /// Bytes that it may write to stdout.
    pub output_bytes_max: usize,
}

/// Runs a program once for each input. It is no protection from a program that means harm: see [`gristmill_confine`].
#[derive(Debug)]
pub struct ProgramRunner {
    /// What is started to become the program.
    child: PathBuf,
    order: String,
    limits: ProgramLimits,
    slots: Semaphore,
}

impl ProgramRunner {
    /// A program with its arguments, started in a folder; `child` is what becomes it, `None` for this program.
    pub fn new(
        run: Vec<String>,
        folder: &Path,
        limits: ProgramLimits,
        child: Option<PathBuf>,
    ) -> Result<Self, Error> {
        let unusable = |reason: String| Error::Child { reason };
        let order = ProgramOrder {
            run,
            folder: folder.to_owned(),
            path: std::env::var("PATH").unwrap_or_else(|_| "/usr/local/bin:/usr/bin:/bin".to_owned()),
            memory_bytes: limits.memory_bytes,
            cpu_seconds: limits.cpu.as_secs(),
        };
        let slots = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        Ok(Self {
            child: child
                .map_or_else(own_program, Ok)
                .map_err(|error| unusable(error.to_string()))?,
            order: serde_json::to_string(&order).map_err(|error| unusable(error.to_string()))?,
            limits,
            slots: Semaphore::new(slots.get()),
        })
    }

    /// Gives the input, and takes what the program writes to stdout and stderr.
    async fn talk(&self, child: &mut Child, input: &[u8]) -> Result<(Vec<u8>, String), ProgramFault> {
        let (Some(mut to), Some(from), Some(errors)) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            return Err(ProgramFault::Broken("its pipes are missing".to_owned()));
        };
        let give = async move {
            // A program need not read what it does not want to know.
            let _unread = to.write_all(input).await;
            Ok(())
        };
        let most = self.limits.output_bytes_max;
        let take = async move {
            let mut output = Vec::new();
            let read = from.take(most as u64 + 1).read_to_end(&mut output).await;
            read.map_err(|error| ProgramFault::Broken(error.to_string()))?;
            match output.len() > most {
                // The rest of it is not waited for.
                true => Err(ProgramFault::Limit(format!("it wrote more than {most} bytes"))),
                false => Ok(output),
            }
        };
        let ((), output, words) = tokio::try_join!(give, take, async { Ok(last_words(errors).await) })?;
        Ok((output, words))
    }

    fn verdict(&self, status: ExitStatus, output: Vec<u8>, words: &str) -> Result<Vec<u8>, ProgramFault> {
        let seconds = self.limits.cpu.as_secs();
        let slow = || ProgramFault::Limit(format!("it took more than {seconds} s of processor time"));
        if status.success() {
            return Ok(output);
        }
        if status.code() == Some(SHELL_CPU) {
            return Err(slow());
        }
        let last = words.lines().rev().map(str::trim).find(|line| !line.is_empty());
        let said = last.map_or_else(String::new, |line| format!(": {line}"));
        Err(match End::of(status, Some(words)) {
            End::Cpu => slow(),
            End::Memory | End::Stack | End::Crash(_) | End::Other(_) => {
                ProgramFault::Broken(format!("it ended with {status}{said}"))
            }
        })
    }
}

/// The end of what is said; it is read to its end, so that nobody waits for a full pipe.
async fn last_words(mut errors: impl AsyncRead + Unpin) -> String {
    let mut kept = Vec::new();
    let mut piece = [0; STDERR_BYTES_MAX as usize];
    while let Ok(count) = errors.read(&mut piece).await {
        if count == 0 {
            break;
        }
        kept.extend_from_slice(&piece[..count]);
        let superfluous = kept.len().saturating_sub(STDERR_BYTES_MAX as usize);
        kept.drain(..superfluous);
    }
    String::from_utf8_lossy(&kept).into_owned()
}

/// A program and all that it started. Dropped, they are killed.
struct Group(Option<Pid>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // It fails only where nobody is left.
            let _gone = kill_process_group(group, Signal::KILL);
        }
    }
}

#[async_trait]
impl Program for ProgramRunner {
    async fn run(&self, input: Vec<u8>) -> Result<Vec<u8>, ProgramFault> {
        let broken = |reason: String| ProgramFault::Broken(reason);
        // Waiting for a slot is not the program's time.
        let _slot = self
            .slots
            .acquire()
            .await
            .map_err(|error| broken(error.to_string()))?;
        let mut command = Command::from(gristmill_confine::command(&self.child, PROGRAM_ROLE));
        command.arg(&self.order).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command
            .spawn()
            .map_err(|error| broken(format!("it cannot be started: {error}")))?;
        let group = child.id().and_then(|id| Pid::from_raw(id.try_into().ok()?));
        let group = Group(group);
        let wall = self.limits.cpu * WALL_FACTOR;
        let talked = timeout(wall, async {
            let (output, words) = self.talk(&mut child, &input).await?;
            let status = child.wait().await.map_err(|error| broken(error.to_string()))?;
            self.verdict(status, output, &words)
        });
        let ended = talked.await;
        drop(group);
        ended.unwrap_or_else(|_| {
            let seconds = wall.as_secs();
            Err(ProgramFault::Limit(format!("it took more than {seconds} s")))
        })
    }
}
