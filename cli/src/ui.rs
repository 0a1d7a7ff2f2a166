//! `gristmill ui`: the dashboard of runs in folders of this machine.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
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
        check_folder(folder).map_err(Failure::Input)?;
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
        crate::drive::signal().await;
        told.cancel();
        crate::drive::signal().await;
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

/// Refuses what is no folder. One without runs is served: they are shown as they start.
fn check_folder(folder: &Path) -> anyhow::Result<()> {
    let shown = folder.display();
    anyhow::ensure!(
        folder.exists(),
        "{shown} does not exist, so there is no run in it: `gristmill run JOB` makes the `output.dir` of its job when it starts. `mkdir -p {shown}` makes it \
         now, and the dashboard shows runs as they start"
    );
    anyhow::ensure!(
        folder.is_dir(),
        "{shown} is not a folder: name a run's folder, or the `output.dir` of a job"
    );
    Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_without_runs_is_served_and_one_that_is_missing_is_named_with_the_way_out() {
        let folder = tempfile::tempdir().unwrap();
        check_folder(folder.path()).unwrap();
        let missing = folder.path().join("out");
        let refused = check_folder(&missing).unwrap_err().to_string();
        assert!(
            refused.contains(&format!("`mkdir -p {}`", missing.display())),
            "{refused}"
        );
        std::fs::write(&missing, "text").unwrap();
        let refused = check_folder(&missing).unwrap_err().to_string();
        assert!(refused.contains("is not a folder"), "{refused}");
    }
}
