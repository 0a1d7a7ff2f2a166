//! What any run needs of this machine: scratch space, the cache of models, the program itself.

use std::path::Path;

use gristmill_model_cache::Cache;
use gristmill_ports::check::{Check, State, told};

use crate::doctor::JobNamed;
use crate::doctor::section::Pending;
use crate::{features, workshop};

/// The program and its settings.
pub(super) fn program() -> Pending {
    Pending::reads("program", &["version", "endpoints"], async {
        let left_out = features::names_left_out();
        let without = match left_out.is_empty() {
            true => String::new(),
            false => format!(", built without {}", left_out.join(", ")),
        };
        let mut checks = vec![Check::ok(
            "version",
            format!("gristmill {}{without}", env!("CARGO_PKG_VERSION")),
        )];
        checks.push(match workshop::endpoints_here() {
            Ok(_) => Check::ok(
                "endpoints",
                match std::env::var_os("GRISTMILL_ENDPOINTS").is_some_and(|hosts| !hosts.is_empty()) {
                    true => "requests may go to the hosts in GRISTMILL_ENDPOINTS",
                    false => "requests may go to any host but link-local ones",
                },
            ),
            Err(error) => Check::failed(
                "endpoints",
                format!("{error:#}"),
                "correct GRISTMILL_ENDPOINTS: hosts joined by commas, such as `api.example.com,*.example.org`",
            ),
        });
        checks
    })
}

/// The folder that runs go to.
pub(super) fn runs(folder: &Path) -> Pending {
    let shown = folder.display().to_string();
    let names = gristmill_blob::check_names(&shown);
    Pending::reads(format!("runs ({shown})"), names, async move {
        gristmill_blob::checks(&shown, "`output.dir`").await
    })
}

/// The folder for what is written and thrown away: seeds and rows under way, databases, files of validators.
pub(super) fn scratch() -> Pending {
    let shown = std::env::temp_dir().display().to_string();
    Pending::reads(format!("scratch ({shown})"), &["writable", "space"], async move {
        let mut checks = gristmill_blob::checks(&shown, "TMPDIR").await;
        checks.retain(|check| check.name != "conditional create");
        checks
    })
}

/// The folder of fetched models, which a coordinator of a cluster does not use.
pub(super) fn cache(of_cluster: bool) -> Pending {
    Pending::reads("model cache", &["folder", "writable", "space"], async move {
        let mut checks = fetched().await;
        for check in checks
            .iter_mut()
            .filter(|check| of_cluster && check.state == State::Failed)
        {
            check.state = State::Warning;
            check
                .found
                .push_str(" (only a worker that fetches models needs it)");
        }
        checks
    })
}

async fn fetched() -> Vec<Check> {
    match Cache::from_env() {
        Ok(cache) => {
            let mut checks =
                gristmill_blob::checks(&cache.root().display().to_string(), "GRISTMILL_CACHE").await;
            checks.retain(|check| check.name != "conditional create");
            checks.insert(0, Check::ok("folder", cache.root().display().to_string()));
            checks
        }
        Err(error) => vec![Check::failed(
            "folder",
            told(&error),
            "set GRISTMILL_CACHE to a folder, as an absolute path",
        )],
    }
}

/// This machine's clock, where no neighbour is asked whose could be compared with it.
pub(super) fn clock(job: &JobNamed) -> Pending {
    let (why, look) = match job {
        JobNamed::No => (
            "there is nothing to compare it with",
            "name a job with an endpoint, or a server of a cluster: their clocks are compared; `timedatectl` says whether this one is synchronized",
        ),
        JobNamed::Understood => (
            "there is nothing to compare it with: the job has no model at an endpoint",
            "`timedatectl` says whether it is synchronized",
        ),
        JobNamed::NotUnderstood => (
            "endpoints are not known before the job can be read",
            "correct the job; `timedatectl` says whether the clock is synchronized",
        ),
    };
    Pending::unseen("clock", &["clock"], why, look)
}
