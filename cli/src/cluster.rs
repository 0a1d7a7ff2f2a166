//! The program as a part of a cluster: its coordinator, its workers, and those who speak to them.

mod checks;
mod connections;
mod coordinator;
mod dashboard;
mod dead;
mod desk;
mod health;
mod http;
mod looks;
mod open_files;
mod overview;
mod plaintext;
mod remote;
mod run_contexts;
mod servers;
mod submit;
mod tls_listener;
mod tokens;
mod verbs;
mod watch;
mod watchman;
mod worker;
mod workers;

use std::io::IsTerminal;
use std::path::Path;

use anyhow::Context;
use gristmill_ports::metric::Role;
use gristmill_telemetry::{Form, Guard};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub(crate) use checks::sections;
pub(crate) use verbs::{budget, status, trace};

use crate::args::{ClusterCommand, OutputStyle};
use crate::failure::Failure;
use crate::view::View;

/// Does what is asked of a cluster, or becomes a part of one.
pub(crate) async fn carry_out(
    command: ClusterCommand,
    view: View,
    output: OutputStyle,
) -> Result<(), Failure> {
    match command {
        ClusterCommand::Submit(args) => submit::submit(&args, view, output).await,
        ClusterCommand::Runs(server) => verbs::runs(&server, output).await,
        ClusterCommand::Watch(args) => watch::watch(&args, view, output).await,
        ClusterCommand::Pause(args) => verbs::pause(&args, output).await,
        ClusterCommand::Resume(args) => verbs::resume(&args, output).await,
        ClusterCommand::Cancel(args) => verbs::cancel(&args, output).await,
        ClusterCommand::Adopt(args) => verbs::adopt(&args, output).await,
        ClusterCommand::Explain(args) => verbs::explain(&args, output).await,
        ClusterCommand::Workers(server) => workers::workers(&server, output).await,
        ClusterCommand::Drain(args) => workers::drain(&args, output).await,
        ClusterCommand::Undrain(args) => workers::undrain(&args, output).await,
        ClusterCommand::Dead(args) => dead::dead(&args, output).await,
        ClusterCommand::Coordinator(args) => coordinator::serve(&args).await,
        ClusterCommand::Worker(args) => worker::work(&args).await,
        ClusterCommand::Broker(args) => coordinator::broker(&args, output).await,
        ClusterCommand::Health(args) => health::health(&args, output).await,
    }
}

/// Sets up what a server tells about itself: lines for people on a terminal, JSON for collectors elsewhere.
fn telemetry(service: &'static str, role: Role) -> Result<Guard, Failure> {
    let form = if std::io::stderr().is_terminal() {
        Form::Text
    } else {
        Form::Json
    };
    gristmill_telemetry::init(gristmill_telemetry::Options {
        service,
        role,
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
        crate::drive::signal().await;
        tracing::info!("stopping");
        told.cancel();
        crate::drive::signal().await;
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
