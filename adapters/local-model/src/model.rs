//! The model behind the port: a handle that hands requests to the model's thread.

use std::fs::File;
use std::io::Read;
use std::sync::OnceLock;
use std::sync::mpsc as blocking;

use async_trait::async_trait;
use gristmill_domain::chat::{Request, Response};
use gristmill_ports::model::{CallError, ChatModel, Scope};
use llama_cpp_2::LogOptions;
use llama_cpp_2::llama_backend::LlamaBackend;
use tokio::sync::{mpsc, oneshot};

use crate::engine::{self, Job};
use crate::{Error, Options};

/// A model in this process. Dropping it ends its thread; dropping a call frees the call's slot at the next step.
#[derive(Debug)]
pub struct LocalModel {
    model: String,
    jobs: mpsc::Sender<Job>,
}

impl LocalModel {
    /// Loads the model on a thread of its own. Blocks until it is ready: call it off the async threads.
    ///
    /// Errors when the file is no GGUF that llama.cpp knows, or the settings do not fit it.
    pub fn load(options: Options) -> Result<Self, Error> {
        check(&options)?;
        let backend = backend().map_err(|reason| settings(&options, reason))?;
        let model = options.model.clone();
        // As many may wait as are worked on: whoever comes then waits in his own `send`.
        let (jobs, queue) = mpsc::channel(options.slots.get() as usize);
        let (ready, outcome) = blocking::sync_channel(1);
        let path = options.path.clone();
        std::thread::Builder::new()
            .name("local-model".to_owned())
            .spawn(move || engine::run(backend, &options, queue, &ready))
            .map_err(Error::Thread)?;
        match outcome.recv() {
            Ok(Ok(())) => Ok(Self { model, jobs }),
            Ok(Err(error)) => Err(error),
            Err(blocking::RecvError) => Err(Error::Format {
                path,
                reason: "its thread ended while loading it".to_owned(),
            }),
        }
    }

    fn ended(&self) -> CallError {
        CallError::NotBilled {
            reason: format!("the thread of local model {} has ended", self.model),
            retry_after: None,
            scope: Scope::Endpoint,
        }
    }
}

#[async_trait]
impl ChatModel for LocalModel {
    async fn complete(&self, request: &Request) -> Result<Response, CallError> {
        let (reply, answer) = oneshot::channel();
        let job = Job {
            request: request.clone(),
            reply,
        };
        self.jobs.send(job).await.map_err(|_| self.ended())?;
        answer.await.map_err(|_| self.ended())?
    }
}

fn settings(options: &Options, reason: impl Into<String>) -> Error {
    Error::Settings {
        path: options.path.clone(),
        reason: reason.into(),
    }
}

/// Refuses what llama.cpp would meet with a message on its log, or with an abort of the whole process.
fn check(options: &Options) -> Result<(), Error> {
    const SLOTS_MAX: u32 = 64;
    let mut magic = [0; 4];
    let read = File::open(&options.path).and_then(|mut file| file.read_exact(&mut magic));
    match read {
        Ok(()) if &magic == b"GGUF" => {}
        Err(source) if source.kind() != std::io::ErrorKind::UnexpectedEof => {
            return Err(Error::Io {
                path: options.path.clone(),
                source,
            });
        }
        _ => {
            return Err(Error::Format {
                path: options.path.clone(),
                reason: "it does not begin as a GGUF file does; convert the model to GGUF".to_owned(),
            });
        }
    }
    if options.slots.get() > SLOTS_MAX {
        return Err(settings(
            options,
            format!("{} slots are more than {SLOTS_MAX}", options.slots),
        ));
    }
    Ok(())
}

/// llama.cpp's process-wide state: set up once, kept for the life of the process.
fn backend() -> Result<&'static LlamaBackend, &'static str> {
    static BACKEND: OnceLock<Result<LlamaBackend, String>> = OnceLock::new();
    let initialized = BACKEND.get_or_init(|| {
        // Its chatter would go to the terminal. What matters comes back as an error here.
        llama_cpp_2::send_logs_to_tracing(LogOptions::default().with_logs_enabled(false));
        LlamaBackend::init().map_err(|error| error.to_string())
    });
    initialized.as_ref().map_err(String::as_str)
}
