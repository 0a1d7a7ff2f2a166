//! Who is let in to the API, by a file that may change while the coordinator runs.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use gristmill_coordinator::Access;
use tokio_util::sync::CancellationToken;

use crate::args::CoordinatorArgs;

/// Time between two looks at the file.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Who is let in now.
pub(super) fn access(args: &CoordinatorArgs) -> anyhow::Result<Access> {
    let Some(path) = &args.tokens else {
        let open = args.client_ca.is_none() && !args.listen.ip().is_loopback();
        anyhow::ensure!(
            !open,
            "everyone who can reach {} could spend money: pass `--tokens FILE` or `--client-ca FILE`",
            args.listen
        );
        return Ok(Access::everyone());
    };
    let text = std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
    Access::tokens(&text).with_context(|| path.display().to_string())
}

/// Reads the file again and again until told to stop. One that cannot be used changes nothing: who was let in still is.
pub(super) async fn follow(path: PathBuf, access: Access, stop: CancellationToken) -> anyhow::Result<()> {
    let shown = path.display();
    let mut told = None;
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
        let read = tokio::fs::read_to_string(&path)
            .await
            .map_err(anyhow::Error::from);
        let wrong = match read.and_then(|text| Ok(access.replace(&text)?)) {
            Ok(changed) => {
                if changed {
                    tracing::info!(file = %shown, "the tokens have changed: who is let in now is in the file");
                }
                None
            }
            Err(error) => Some(format!("{error:#}")),
        };
        if wrong != told {
            if let Some(wrong) = &wrong {
                tracing::error!(file = %shown, wrong, "the file of tokens cannot be used: the tokens of before still hold");
            }
            told = wrong;
        }
    }
}
