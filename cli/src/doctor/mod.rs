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

use gristmill_jobfile::{Errors, Loaded};

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

/// Whether a job was named.
pub(super) enum JobNamed {
    No,
    /// It is read, as far as models and files go.
    Understood,
    NotUnderstood,
}

/// What is to be checked.
async fn pending(args: &DoctorArgs, view: &View) -> Result<Vec<Pending>, Failure> {
    let servers = cluster::sections(&args.cluster);
    let of_cluster = !servers.is_empty() || args.store.is_some();
    let mut pending = vec![machine::program(), machine::scratch(), machine::cache(of_cluster)];
    let mut compared = of_cluster;
    let mut named = JobNamed::No;
    match &args.job {
        Some(path) => {
            let (loaded, errors) = read(path.clone(), args.set.clone()).await?;
            pending.push(job::file(&path.display().to_string(), errors.as_ref()));
            named = match loaded {
                Some(loaded) => {
                    compared |= models::at_endpoints(&loaded.job);
                    pending.extend(of_job(loaded, view, of_cluster));
                    JobNamed::Understood
                }
                None => {
                    pending.extend(of_unread_job(of_cluster));
                    JobNamed::NotUnderstood
                }
            };
        }
        // A machine of a cluster keeps no runs beside itself.
        None if !of_cluster => pending.push(machine::runs(Path::new(RUNS))),
        None => {}
    }
    if let Some(store) = args.store.clone() {
        let subject = format!("store ({})", shown(&store));
        let names = gristmill_blob::check_names(&store);
        pending.push(Pending::asks(subject, names, async move {
            gristmill_blob::checks(&store, "`--store`").await
        }));
    }
    pending.extend(servers);
    if !compared {
        pending.push(machine::clock(&named));
    }
    Ok(pending)
}

async fn read(path: PathBuf, set: Vec<String>) -> Result<(Option<Loaded>, Option<Errors>), Failure> {
    tokio::task::spawn_blocking(move || gristmill_jobfile::examine(&path, &set, Keys::Elsewhere))
        .await
        .map_err(|error| Failure::Other(error.into()))
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
    // Rules that cannot be read are reported of the program. Without them, nobody knows where keys may go.
    let workshop = endpoints_here().ok().map(|endpoints| {
        let access = JobAccess::Own(base.clone());
        Arc::new(Workshop::new(access, endpoints, view.clone()))
    });
    let keys = if of_cluster { KeysAt::Workers } else { KeysAt::Here };
    pending.extend(models::models(&job, &base, workshop.as_ref(), keys));
    pending
}

/// The checks of a job that could not be read: none, and that is said.
fn of_unread_job(of_cluster: bool) -> Vec<Pending> {
    let runs = (!of_cluster).then_some(("runs", gristmill_blob::check_names("")));
    let subjects = [
        ("job's files", job::CHECKS.as_slice()),
        ("models", models::CHECKS_UNREAD.as_slice()),
    ];
    let unseen = |(subject, names)| {
        Pending::unseen(
            subject,
            names,
            "the job file cannot be read",
            "correct the job first: its errors are above",
        )
    };
    runs.into_iter().chain(subjects).map(unseen).collect()
}
