//! The program as a part of a cluster: its coordinator, its workers, and those who speak to them.

pub(crate) mod coordinator;
pub(crate) mod dead;
mod http;
mod remote;
mod run_contexts;
mod servers;
pub(crate) mod submit;
pub(crate) mod verbs;
pub(crate) mod watch;
mod watchman;
pub(crate) mod worker;

use std::io::IsTerminal;
use std::path::Path;

use anyhow::Context;
use gristmill_telemetry::{Form, Guard};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::failure::Failure;

/// Sets up what a server tells about itself: lines for people on a terminal, JSON for collectors elsewhere.
fn telemetry(service: &'static str) -> Result<Guard, Failure> {
    let form = if std::io::stderr().is_terminal() {
        Form::Text
    } else {
        Form::Json
    };
    gristmill_telemetry::init(gristmill_telemetry::Options {
        service,
        form,
        level: "info",
        writer: None,
        otlp_endpoint: None,
    })
    .map_err(|error| Failure::Input(error.into()))
}

/// A file of a certificate, a key or a token.
fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("{} cannot be read", path.display()))
}

/// A name for this process that no other had or will have.
fn name(kind: &str) -> String {
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    format!("{kind}-{host}-{:012x}", rand::random::<u64>() >> 16)
}

/// Cancelled by Ctrl-C or SIGTERM; a second one ends the process at once.
fn stop_on_signal() -> CancellationToken {
    let stop = CancellationToken::new();
    let told = stop.clone();
    tokio::spawn(async move {
        crate::launch::signal().await;
        tracing::info!("stopping");
        told.cancel();
        crate::launch::signal().await;
        crate::leave(130);
    });
    stop
}

/// Waits for all tasks. One that fails, or ends before it was told to, stops the others.
async fn until_one_ends(
    mut tasks: JoinSet<anyhow::Result<()>>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let mut result = Ok(());
    while let Some(ended) = tasks.join_next().await {
        let ended = ended.unwrap_or_else(|error| Err(error.into()));
        stop.cancel();
        if result.is_ok() {
            result = ended;
        }
    }
    result
}
