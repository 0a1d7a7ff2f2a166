//! `gristmill run`: one process, coordinator and worker together.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use gristmill_blob::LocalBlobs;
use gristmill_coordinator::{Coordinator, Error, Finished, Options, Progress, Recipe, SeedStore};
use gristmill_domain::amount::{Limit, MicroUsd};
use gristmill_domain::id::{ContentId, RunId};
use gristmill_domain::job::{EmbedSource, Job, PromptKind, Validator};
use gristmill_domain::ledger::{Account, NewAccount};
use gristmill_domain::plan::End;
use gristmill_domain::stage::Stage;
use gristmill_ledger_sqlite::SqliteLedger;
use gristmill_ports::ledger::Ledger;
use gristmill_queue_memory::Queues;
use gristmill_worker::Worker;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::args::{JobArgs, OutputStyle};
use crate::assemble::{self, Manifest};
use crate::failure::Failure;
use crate::folder::{RunFolder, Start};
use crate::view::{View, duration, thousands};
use crate::{intake, print, workshop};

/// Time an attempt has between two renewals of its lease.
const LEASE_MS: u64 = 30_000;
/// Time after which a task without progress is published again.
const REPUBLISH_MS: u64 = 10_000;
/// Time that requests in flight get after Ctrl-C before they are given up.
const GRACE: Duration = Duration::from_secs(20);

/// A job, read and made ready: all that can be known before anything is spent.
pub(crate) struct Prepared {
    pub(crate) job: Job,
    pub(crate) base: PathBuf,
    pub(crate) job_file: PathBuf,
    pub(crate) seeds: SeedStore,
    pub(crate) bad_rows: intake::BadRows,
    pub(crate) recipe: Recipe,
    pub(crate) sandbox: Option<Arc<gristmill_sandbox::Sandbox>>,
}

/// Reads the job, its seeds, its prompts and its databases.
pub(crate) async fn prepare(args: &JobArgs) -> Result<Prepared, Failure> {
    let loaded =
        gristmill_jobfile::load(&args.job, &args.set).map_err(|errors| print::job_errors(&errors))?;
    let (job, base) = (loaded.job, loaded.base);
    let sandbox = workshop::sandbox(&job, &base).await.map_err(Failure::Input)?;
    let schemas = workshop::schemas(sandbox.as_deref())
        .await
        .map_err(Failure::Input)?;
    let prompts = job
        .generate
        .prompts
        .iter()
        .map(|(kind, path)| {
            let path = base.join(path);
            let text = std::fs::read_to_string(&path)
                .with_context(|| format!("the prompt {} cannot be read", path.display()))?;
            Ok((*kind, text))
        })
        .collect::<anyhow::Result<std::collections::BTreeMap<PromptKind, String>>>()
        .map_err(Failure::Input)?;
    let (seeds, bad_rows) = {
        let (job, base) = (job.clone(), base.clone());
        tokio::task::spawn_blocking(move || intake::read_seeds(&job, &base))
            .await
            .map_err(|e| Failure::Other(anyhow!(e)))?
            .map_err(Failure::Input)?
    };
    // The versions come from the templates, so the recipe is made once to know them, and once with the run's name.
    let unnamed = Recipe::new(RunId::of(&[]), job.clone(), &prompts, schemas.clone());
    let versions = unnamed.map_err(|e| Failure::Input(e.into()))?.prompt_versions();
    let run = run_id(&job, seeds.digest(), &versions);
    let recipe = Recipe::new(run, job.clone(), &prompts, schemas).map_err(|e| Failure::Input(e.into()))?;
    Ok(Prepared {
        job,
        base,
        job_file: args.job.clone(),
        seeds,
        bad_rows,
        recipe,
        sandbox,
    })
}

/// The run's name: everything that decides what it asks and keeps. Its budget may be raised, and where things lie, how fast they go
/// and with which key they are opened may change from start to start.
fn run_id(job: &Job, seeds: ContentId, prompts: &[String]) -> RunId {
    let mut decisive = job.clone();
    decisive.seeds.path.clear();
    decisive.budget = gristmill_domain::job::Budget {
        usd: None,
        calls: None,
        max_attempts: 1,
        price_file: None,
    };
    decisive.output = gristmill_domain::job::Output::default();
    decisive.generate.prompts.clear();
    if let Validator::Sql { databases, .. } = &mut decisive.filter.validator {
        databases.clear();
    }
    let judge = decisive.judge.iter_mut().map(|judge| &mut judge.spec);
    for spec in decisive
        .teacher
        .iter_mut()
        .map(|teacher| &mut teacher.spec)
        .chain(judge)
    {
        (spec.key_env, spec.key_file) = (None, None);
        (spec.concurrency, spec.requests_per_minute, spec.timeout_s) = (None, None, None);
        spec.base_url = spec.base_url.take().map(|_| String::new());
        if let Some(local) = &mut spec.local {
            (local.slots, local.threads) = (1, None);
        }
    }
    let text = serde_json::to_vec(&decisive).unwrap_or_default();
    RunId::of(&[&text, seeds.as_bytes(), prompts.join("\n").as_bytes()])
}

/// The limit that a job sets.
pub(crate) fn limit(job: &Job) -> Limit {
    Limit {
        usd: job.budget.usd.and_then(MicroUsd::from_usd_ceil),
        calls: job.budget.calls,
    }
}

/// Runs a job to its end, or goes on where an earlier start stopped.
pub(crate) async fn run(args: &JobArgs, view: View, output: OutputStyle) -> Result<(), Failure> {
    let began = Instant::now();
    let prepared = prepare(args).await?;
    let folder = RunFolder::of(&prepared.base.join(&prepared.job.output.dir), prepared.recipe.run);
    if let Some(manifest) = folder.manifest()? {
        let manifest: Manifest =
            serde_json::from_value(manifest).context("the manifest of this run is damaged")?;
        print::done(&manifest, &folder, None, output);
        return Ok(());
    }
    for line in prepared.bad_rows.lines() {
        view.say(&format!("warning: {line}"));
    }
    let start = Start {
        run: prepared.recipe.run,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        job: prepared.job.clone(),
        job_file: prepared.job_file.display().to_string(),
        base: prepared.base.clone(),
        limit: limit(&prepared.job),
        prompts: prepared.recipe.prompt_versions(),
        bad_rows: prepared.bad_rows.count,
    };
    folder.begin(&start)?;
    let blobs = LocalBlobs::new(folder.state());
    prepared
        .seeds
        .publish(&blobs)
        .await
        .map_err(|e| Failure::Other(e.into()))?;
    let opened = {
        let state = folder.state();
        tokio::task::spawn_blocking(move || SqliteLedger::open(&state))
            .await
            .map_err(|e| Failure::Other(anyhow!(e)))?
    };
    let ledger: Arc<dyn Ledger> = Arc::new(opened.map_err(|e| Failure::Input(e.into()))?);
    let stop = CancellationToken::new();
    tokio::spawn(stop_on_signal(stop.clone(), view.clone()));
    let (finished, account) = carry_out(&prepared, &folder, &blobs, Arc::clone(&ledger), view, stop).await?;
    let manifest = assemble::assemble(&folder, &start, &prepared.seeds, &finished, &account).await?;
    print::done(&manifest, &folder, Some(began.elapsed()), output);
    let accepted = manifest.rows.train_synthetic;
    match (&finished.end, prepared.job.generate.rows) {
        (End::BudgetSpent, Some(wanted)) if accepted < wanted => Err(Failure::BudgetExhausted(format!(
            "the budget ended with {} of {} rows; raise it with `gristmill budget {} --raise AMOUNT` and run the job again",
            thousands(accepted),
            thousands(wanted),
            folder.root().display()
        ))),
        _ => Ok(()),
    }
}

async fn carry_out(
    prepared: &Prepared,
    folder: &RunFolder,
    blobs: &LocalBlobs,
    ledger: Arc<dyn Ledger>,
    view: View,
    stop: CancellationToken,
) -> Result<(Finished, Account), Failure> {
    let Prepared {
        job,
        base,
        seeds,
        recipe,
        ..
    } = prepared;
    let run = recipe.run;
    let kit = workshop::kit(run, job, base, prepared.sandbox.clone(), &view)
        .await
        .map_err(Failure::Input)?;
    let limiter = Arc::new(workshop::limiter(job));
    let (generate, judge) = workshop::slots(job);
    // Twice the slots keep workers fed while results are stored.
    let window = 2 * (generate + judge) + 256;
    let queues = Queues::new(window);
    let embed = if job.embed.source() == EmbedSource::Off {
        0
    } else {
        4
    };
    let consumers = [
        (Stage::Generate, generate),
        (Stage::Judge, judge),
        (Stage::Embed, embed),
    ]
    .into_iter()
    .filter(|(_, slots)| *slots > 0)
    .filter_map(|(stage, slots)| Some((queues.consumer(stage)?, slots)))
    .collect();
    let worker_options = gristmill_worker::Options {
        renew_every: Duration::from_millis(LEASE_MS / 4),
        grace: GRACE,
    };
    let worker = Worker::new(kit, Arc::clone(&ledger), limiter, worker_options);
    let worker_stop = CancellationToken::new();
    let working = tokio::spawn(worker.run(consumers, worker_stop.clone()));
    let (progress, seen) = watch::channel(Progress::default());
    let watching = tokio::spawn(view.watch(format!("run={run}"), seen));
    let coordinator = Coordinator {
        recipe,
        seeds,
        ledger: ledger.as_ref(),
        queue: &queues,
        blobs,
        account: NewAccount {
            run,
            limit: limit(job),
            price_hash: price_hash(job),
            lease_ms: LEASE_MS,
            republish_ms: REPUBLISH_MS,
        },
        holder: format!("embedded-{:016x}", rand::random::<u64>()),
        prices: workshop::prices(job),
        options: Options {
            window,
            max_attempts: job.budget.max_attempts,
            sweep_every: Duration::from_millis(500),
        },
        progress,
        stop,
    };
    let result = coordinator.run().await;
    worker_stop.cancel();
    // Neither task panics by itself; what they were cut off from burns when its lease ends.
    let _ended = working.await;
    let _ended = watching.await;
    let finished = result.map_err(|error| stopped(error, prepared, folder))?;
    let account = ledger.account(run).await.context("the ledger cannot be read")?;
    Ok((finished, account))
}

/// Hash of the price table, frozen with the run.
fn price_hash(job: &Job) -> String {
    let mut prices: Vec<_> = workshop::prices(job).into_iter().collect();
    prices.sort_by(|a, b| a.0.cmp(&b.0));
    let text = serde_json::to_vec(&prices).unwrap_or_default();
    ContentId::of(&[b"prices", &text]).to_string()
}

fn stopped(error: Error, prepared: &Prepared, folder: &RunFolder) -> Failure {
    let resume = format!("go on with `gristmill run {}`", prepared.job_file.display());
    let folder = folder.root().display();
    match error {
        Error::Interrupted => Failure::Interrupted(format!(
            "interrupted; nothing that was paid for is lost\nhelp: {resume}"
        )),
        Error::Paused { reason } => Failure::Stopped(format!(
            "the run is paused: {reason}\nhelp: mend that, then {resume}"
        )),
        Error::Frozen { reason } => Failure::Stopped(format!(
            "the account is frozen: {reason}\nhelp: look at `gristmill budget {folder}`, then raise or keep the limit with `--raise`, and {resume}"
        )),
        Error::Cancelled => Failure::Stopped("the run was cancelled for good".into()),
        other => Failure::Other(other.into()),
    }
}

/// The first signal lets requests in flight finish; the second ends at once.
async fn stop_on_signal(stop: CancellationToken, view: View) {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        return;
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
    view.say(&format!(
        "stopping: requests in flight get {} to finish; press Ctrl-C again to end at once",
        duration(GRACE.as_secs())
    ));
    stop.cancel();
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
    std::process::exit(130);
}

/// Paths relative to the working folder read better.
pub(crate) fn shown(path: &Path) -> String {
    let here = std::env::current_dir().ok();
    here.and_then(|here| path.strip_prefix(here).ok())
        .unwrap_or(path)
        .display()
        .to_string()
}
