//! The Python trainer (`deploy/trainer`) as a child process: its request is a file, its events are lines on its standard output.
//!
//! Owns: starting it, reading its events, asking it to stop, and telling what its end means.
//!
//! Refuses: to install Python packages, to read what it made, to start it again by itself (the caller resumes with the same request).

use std::path::Path;
use std::process::{ExitStatus, Stdio};

use async_trait::async_trait;
use gristmill_ports::trainer::{Error, Event, Request, Trainer};
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, ChildStderr, Command};
use tokio::sync::{mpsc, watch};

/// The variable that names the command which starts the trainer.
pub const VARIABLE: &str = "GRISTMILL_TRAINER";
/// The command where the variable is not set.
const COMMAND: &str = "python3 -m gristmill_trainer";
/// Exit code of a request that can never be trained with.
const REFUSED: i32 = 2;
/// Of a trainer that stopped because it was asked to: 128 and the number of SIGTERM.
const STOPPED: i32 = 143;
/// Bytes of its last words that are kept.
const LAST_WORDS: usize = 4_000;

/// Trains with transformers, PEFT and TRL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrlTrainer {
    /// Program and arguments; the request's file is added behind them.
    command: Vec<String>,
}

impl TrlTrainer {
    /// The command of `GRISTMILL_TRAINER`, split at spaces: `accelerate launch -m gristmill_trainer` on several GPUs. Without it, `python3 -m
    /// gristmill_trainer`.
    pub fn from_env() -> Self {
        let named = std::env::var(VARIABLE)
            .ok()
            .filter(|command| !command.trim().is_empty());
        Self::new(named.as_deref().unwrap_or(COMMAND))
    }

    /// A command, split at spaces.
    pub fn new(command: &str) -> Self {
        Self {
            command: command.split_whitespace().map(str::to_owned).collect(),
        }
    }

    fn start(&self, request: &Path) -> Result<Child, Error> {
        let (program, arguments) = self
            .command
            .split_first()
            .ok_or_else(|| Error::Refused(format!("`{VARIABLE}` is empty")))?;
        let child = Command::new(program)
            .args(arguments)
            .arg(request)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // Ctrl-C in a terminal goes to this program, which then asks the trainer to stop.
            .process_group(0)
            .kill_on_drop(true)
            .spawn();
        child.map_err(|error| {
            Error::Refused(format!(
                "the Python trainer `{}` cannot be started: {error}\nhelp: install it with `pip install deploy/trainer`, or name the command that \
                 starts it in `{VARIABLE}`",
                self.command.join(" ")
            ))
        })
    }
}

#[async_trait]
impl Trainer for TrlTrainer {
    async fn train(
        &self,
        request: &Request,
        events: mpsc::Sender<Event>,
        mut stop: watch::Receiver<bool>,
    ) -> Result<(), Error> {
        // Python keeps a `request.json` of its own in that folder.
        let file = request.out.join("trainer-request.json");
        let text = serde_json::to_vec_pretty(request).map_err(|error| Error::Failed(error.to_string()))?;
        let written = tokio::fs::write(&file, text).await;
        written.map_err(|error| Error::Failed(format!("{}: {error}", file.display())))?;
        let mut child = self.start(&file)?;
        let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
            return Err(Error::Failed("the Python trainer has no output".to_owned()));
        };
        let words = tokio::spawn(last_words(stderr));
        let mut lines = BufReader::new(stdout).lines();
        let (mut step, mut done, mut asked) = (0, false, false);
        loop {
            let line = tokio::select! {
                line = lines.next_line() => line.map_err(|error| Error::Failed(error.to_string()))?,
                () = told(&mut stop), if !asked => {
                    asked = true;
                    terminate(&child);
                    continue;
                }
            };
            let Some(line) = line else { break };
            let event: Event = serde_json::from_str(&line).map_err(|error| {
                Error::Failed(format!(
                    "the Python trainer printed what is not an event ({error}): {line}"
                ))
            })?;
            match &event {
                Event::Checkpoint { step: at } | Event::Start { resumed: at, .. } => step = *at,
                Event::Done { .. } => done = true,
                Event::Step { .. } | Event::Validation { .. } => {}
            }
            // Who no longer listens does not hold it up.
            let _ = events.send(event).await;
        }
        let status = child
            .wait()
            .await
            .map_err(|error| Error::Failed(error.to_string()))?;
        let words = words.await.unwrap_or_default();
        if asked && !done {
            // However it ended: what it did since its last checkpoint is done again.
            return Err(Error::Stopped { step });
        }
        ended(status, done, step, words.trim())
    }
}

/// What the end of the process means.
fn ended(status: ExitStatus, done: bool, step: u64, words: &str) -> Result<(), Error> {
    match status.code() {
        Some(0) if done => Ok(()),
        Some(STOPPED) => Err(Error::Stopped { step }),
        Some(REFUSED) => Err(Error::Refused(words.to_owned())),
        _ => Err(Error::Failed(format!(
            "the Python trainer ended with {status}: {words}"
        ))),
    }
}

/// Returns once it is told to stop; never where nobody can tell any more.
async fn told(stop: &mut watch::Receiver<bool>) {
    if stop.wait_for(|told| *told).await.is_err() {
        std::future::pending::<()>().await;
    }
}

fn terminate(child: &Child) {
    let pid = child.id().and_then(|id| Pid::from_raw(id as i32));
    if let Some(pid) = pid {
        // It may have ended by itself.
        let _gone = kill_process(pid, Signal::TERM);
    }
}

/// The end of what the trainer says on standard error.
async fn last_words(mut stderr: ChildStderr) -> String {
    let mut kept = Vec::new();
    let mut part = [0; 4096];
    while let Ok(read) = stderr.read(&mut part).await
        && read > 0
    {
        kept.extend_from_slice(part.get(..read).unwrap_or_default());
        let surplus = kept.len().saturating_sub(LAST_WORDS);
        kept.drain(..surplus);
    }
    String::from_utf8_lossy(&kept).into_owned()
}

#[cfg(test)]
mod tests {
    use gristmill_domain::training::{Lora, Method, Objective, Precision};
    use gristmill_ports::trainer::Schedule;

    use super::*;

    /// Runs a script in place of the trainer.
    async fn run(script: &str, stop: bool) -> (Result<(), Error>, Vec<Event>) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("trainer.sh");
        std::fs::write(&file, script).unwrap();
        let request = Request {
            format: Request::FORMAT,
            objective: Objective::Sft,
            method: Method::Lora,
            base: "base".into(),
            lora: Lora::default(),
            initial_adapter: None,
            dpo: None,
            learning_rate: 1e-4,
            weight_decay: 0.0,
            warmup: 0.0,
            schedule: Schedule::Cosine,
            max_grad_norm: 1.0,
            batch_rows: 1,
            micro_batch_rows: 1,
            max_tokens: 10,
            steps: 1,
            seed: 0,
            precision: Precision::F32,
            rows: "rows.jsonl".into(),
            validation: None,
            validate_every: 1,
            patience: None,
            checkpoint_every: 1,
            keep_checkpoints: 1,
            out: folder.path().to_owned(),
        };
        let trainer = TrlTrainer::new(&format!("sh {}", file.display()));
        let (events, mut arriving) = mpsc::channel(16);
        let (tell, told) = watch::channel(false);
        let ended = tokio::spawn(async move { trainer.train(&request, events, told).await });
        let mut seen = Vec::new();
        while let Some(event) = arriving.recv().await {
            seen.push(event);
            if stop {
                // It may have ended meanwhile.
                let _ended = tell.send(true);
            }
        }
        (ended.await.unwrap(), seen)
    }

    const START: &str = r#"echo '{"event":"start","steps":1,"trainable":5,"tokens":9}'"#;
    const DONE: &str = r#"echo '{"event":"done","best_step":1,"reason":"early_stopping","seconds":1.5,"peak_memory_bytes":7}'"#;

    #[tokio::test]
    async fn events_are_handed_on_and_the_end_is_told() {
        let (ended, events) = run(&format!("test -f \"$1\" || exit 9\n{START}\n{DONE}"), false).await;
        ended.unwrap();
        assert_eq!(events.len(), 2);
        // Without its last event, an end is not an end.
        let (ended, _) = run(START, false).await;
        assert!(matches!(ended, Err(Error::Failed(_))));
    }

    #[tokio::test]
    async fn a_request_that_is_refused_is_told_in_its_words() {
        let (ended, _) = run("echo 'rows.jsonl:3: no prompt' >&2; exit 2", false).await;
        let Err(Error::Refused(told)) = ended else {
            unreachable!("{ended:?}")
        };
        assert_eq!(told, "rows.jsonl:3: no prompt");
        let (ended, _) = run("echo nonsense", false).await;
        let Err(Error::Failed(told)) = ended else {
            unreachable!("{ended:?}")
        };
        assert!(told.contains("nonsense"), "{told}");
    }

    #[tokio::test]
    async fn it_stops_when_told_and_names_the_checkpoint() {
        let script = format!(
            "trap 'echo {{\\\"event\\\":\\\"checkpoint\\\",\\\"step\\\":4}}; exit 143' TERM\n{START}\nwhile :; do sleep 0.05; done"
        );
        let (ended, _) = run(&script, true).await;
        assert!(matches!(ended, Err(Error::Stopped { step: 4 })), "{ended:?}");
    }

    #[tokio::test]
    async fn a_missing_trainer_says_how_to_install_it() {
        let trainer = TrlTrainer::new("/nowhere/python -m gristmill_trainer");
        let told = trainer.start(Path::new("request.json")).unwrap_err().to_string();
        assert!(told.contains("pip install") && told.contains(VARIABLE), "{told}");
    }
}
