//! `gristmill doctor`: checks what a run depends on, and says how to mend each thing. Nothing is spent, and no secret is shown.
//!
//! What is asked of a server or an endpoint is in its adapter; here is what is asked of whom, and how it is shown.

mod job;
mod machine;
mod models;
mod section;

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use gristmill_jobfile::Loaded;

use crate::args::{DoctorArgs, OutputStyle};
use crate::cluster;
use crate::failure::Failure;
use crate::prepare::Keys;
use crate::print;
use crate::view::View;
use crate::workshop::{JobAccess, Workshop, endpoints_here};
use models::KeysAt;
pub(crate) use section::{Pending, shown};
use section::{Totals, carry_out};

/// Where runs go when no job says.
const RUNS: &str = "out";

/// Checks everything that was named, at once.
pub(crate) async fn doctor(args: DoctorArgs, view: View, output: OutputStyle) -> Result<(), Failure> {
    let within = Duration::from_secs(args.timeout);
    let sections = carry_out(pending(&args, &view).await?, within).await;
    let totals = Totals::of(&sections);
    match output {
        OutputStyle::Json => {
            for value in section::json(&sections) {
                print::plain(&format!("{value}\n"));
            }
        }
        OutputStyle::Text => {
            let colours = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
            print::plain(&section::text(&sections, colours));
        }
    }
    match (totals.failed, output) {
        (0, OutputStyle::Json) => Ok(()),
        (0, OutputStyle::Text) => {
            print::plain(&format!("{}\n", totals.text()));
            Ok(())
        }
        _ => Err(Failure::Unhealthy(totals.text())),
    }
}

/// What is to be checked.
async fn pending(args: &DoctorArgs, view: &View) -> Result<Vec<Pending>, Failure> {
    let servers = cluster::sections(&args.cluster);
    let of_cluster = !servers.is_empty() || args.store.is_some();
    let mut pending = vec![machine::program(), machine::scratch(), machine::cache(of_cluster)];
    let mut compared = of_cluster;
    match &args.job {
        Some(path) => {
            let (path, set) = (path.clone(), args.set.clone());
            let (loaded, errors) =
                tokio::task::spawn_blocking(move || gristmill_jobfile::examine(&path, &set, Keys::Elsewhere))
                    .await
                    .map_err(|error| Failure::Other(error.into()))?;
            let shown = args
                .job
                .as_deref()
                .map_or_else(String::new, |path| path.display().to_string());
            pending.push(job::file(&shown, errors.as_ref()));
            if let Some(loaded) = loaded {
                compared |= loaded
                    .job
                    .teacher
                    .iter()
                    .any(|teacher| teacher.spec.base_url.is_some());
                pending.extend(of_job(loaded, view, of_cluster));
            }
        }
        // A machine of a cluster keeps no runs beside itself.
        None if !of_cluster => pending.push(machine::runs(Path::new(RUNS))),
        None => {}
    }
    if let Some(store) = args.store.clone() {
        let subject = format!("store ({})", shown(&store));
        pending.push(Pending::asks(subject, async move {
            gristmill_blob::checks(&store, "`--store`").await
        }));
    }
    pending.extend(servers);
    if !compared {
        pending.push(machine::clock());
    }
    Ok(pending)
}

/// The checks of a job that could be read.
fn of_job(loaded: Loaded, view: &View, of_cluster: bool) -> Vec<Pending> {
    let Loaded { job, base, .. } = loaded;
    let mut pending = Vec::new();
    if !of_cluster {
        let folder: PathBuf = base.join(&job.output.dir);
        pending.push(machine::runs(&folder));
    }
    let job = Arc::new(job);
    pending.push(job::files(&job, &base));
    // Rules that cannot be read are told of the program. Without them, nobody knows where keys may go.
    let Ok(endpoints) = endpoints_here() else {
        return pending;
    };
    let workshop = Workshop::new(JobAccess::Own(base.clone()), endpoints, view.clone());
    let keys = if of_cluster { KeysAt::Workers } else { KeysAt::Here };
    pending.extend(models::models(&job, &base, &Arc::new(workshop), keys));
    pending
}
