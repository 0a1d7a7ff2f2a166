//! `gristmill ui`: the dashboard of runs in folders of this machine.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context, anyhow};
use gristmill_dashboard::{Dashboard, Folders};
use gristmill_runs::RunFolder;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::args::UiArgs;
use crate::failure::Failure;
use crate::print;

/// Serves until a signal comes.
pub(crate) async fn serve(args: UiArgs) -> Result<(), Failure> {
    check_address(args.listen).map_err(Failure::Input)?;
    for folder in &args.folders {
        if !folder.is_dir() {
            return Err(Failure::Input(anyhow!(
                "{} is not a folder: name a run's folder, or the `output.dir` of a job",
                folder.display()
            )));
        }
        // One that is a run's, and damaged, is named now and not left out later.
        if let Ok(run) = RunFolder::open(folder) {
            run.start().map_err(Failure::Input)?;
        }
    }
    let stop = CancellationToken::new();
    let listener = TcpListener::bind(args.listen)
        .await
        .with_context(|| {
            format!(
                "{} cannot be listened on: is it taken? choose another with `--listen`",
                args.listen
            )
        })
        .map_err(Failure::Input)?;
    let address = listener
        .local_addr()
        .map_err(|error| Failure::Other(error.into()))?;
    print::plain(&format!("http://{address}/ (Ctrl-C ends it)\n"));
    let dashboard = Dashboard::new(Arc::new(Folders::new(args.folders)), stop.clone());
    let told = stop.clone();
    tokio::spawn(async move {
        crate::launch::signal().await;
        told.cancel();
        crate::launch::signal().await;
        crate::leave(130);
    });
    let sampling = dashboard.clone();
    tokio::spawn(async move { sampling.sample().await });
    axum::serve(listener, dashboard.router())
        .with_graceful_shutdown(stop.cancelled_owned())
        .await
        .context("the dashboard failed")
        .map_err(Failure::Other)
}

/// Nobody signs in to runs of one's own machine, so nobody else may reach them.
fn check_address(address: SocketAddr) -> anyhow::Result<()> {
    anyhow::ensure!(
        address.ip().is_loopback(),
        "everyone who can reach {address} could read these runs: listen on a loopback address, and reach it from elsewhere through `ssh -L {port}:127.0.0.1:{port} HOST`",
        port = address.port()
    );
    Ok(())
}
