//! The models of a job: endpoints, files in this process, and what embeds.

use std::path::Path;
use std::sync::Arc;

use gristmill_coordinator::specs;
use gristmill_domain::job::{EmbedSource, Engine, Job, LocalModel, ModelSource, ModelSpec};
use gristmill_domain::words::thousands;
use gristmill_endpoint::{Asked, BatchEndpoint};
use gristmill_model_cache::Cache;
use gristmill_ports::check::{Check, told};

use crate::doctor::section::Pending;
use crate::features;
use crate::workshop::{self, Workshop};

/// What a file in GGUF begins with.
const GGUF: &[u8] = b"GGUF";
/// The files of an embedding model's folder.
const EMBEDDER_FILES: [&str; 3] = ["model.safetensors", "tokenizer.json", "config.json"];

/// Where the keys of a job's models are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KeysAt {
    /// In this process's environment and files.
    Here,
    /// At the workers of a cluster.
    Workers,
}

/// The checks of a model whose job cannot be read.
pub(super) const CHECKS_UNREAD: [&str; 4] = ["price", "endpoint", "key", "model"];
/// The checks of a model whose files are read in this process.
const CHECKS_LOCAL: [&str; 2] = ["feature", "files"];
/// And of one with an adapter.
const CHECKS_ADAPTED: [&str; 3] = ["feature", "files", "adapter"];

/// Whether a clock is asked for: that of an endpoint.
pub(super) fn at_endpoints(job: &Job) -> bool {
    specs(job).any(|spec| matches!(spec.source(), Some(ModelSource::Endpoint { .. })))
}

/// The checks of all models of a job. Without a workshop, it is not known which hosts may be asked.
pub(super) fn models(
    job: &Arc<Job>,
    base: &Path,
    workshop: Option<&Arc<Workshop>>,
    keys: KeysAt,
) -> Vec<Pending> {
    let mut names: Vec<String> = Vec::new();
    let mut pending = Vec::new();
    for spec in specs(job) {
        let name = shown(spec);
        if names.contains(&name) {
            continue;
        }
        pending.push(one(name.clone(), spec, job, base, workshop, keys));
        names.push(name);
    }
    let (name, base) = (job.embed.model.clone(), base.to_owned());
    let checks: &[&str] = match job.embed.source() {
        EmbedSource::Off => &["files"],
        EmbedSource::Local(_) => &CHECKS_LOCAL,
    };
    let job = Arc::clone(job);
    let embeds = async move { embedder(&job, &base).await };
    pending.push(Pending::reads(format!("embedding model {name}"), checks, embeds));
    pending
}

/// The checks of one model.
fn one(
    name: String,
    spec: &ModelSpec,
    job: &Arc<Job>,
    base: &Path,
    workshop: Option<&Arc<Workshop>>,
    keys: KeysAt,
) -> Pending {
    match (spec.source(), workshop) {
        (Some(ModelSource::Local(local)), _) => {
            let (local, base) = (local.clone(), base.to_owned());
            let checks: &[&str] = match &local.adapter {
                None => &CHECKS_LOCAL,
                Some(_) => &CHECKS_ADAPTED,
            };
            Pending::asks(name, checks, async move { of_local(&local, &base).await })
        }
        (Some(ModelSource::Endpoint { .. }), Some(workshop)) => {
            let (spec, job, workshop) = (spec.clone(), Arc::clone(job), Arc::clone(workshop));
            Pending::asks(name, &of_endpoint(&spec), async move {
                endpoint(&spec, &job, &workshop, keys).await
            })
        }
        (Some(ModelSource::Endpoint { .. }), None) => Pending::unseen(
            name,
            &of_endpoint(spec),
            "GRISTMILL_ENDPOINTS cannot be read, so that it is not known which hosts may be asked",
            "correct that variable first",
        ),
        (None, _) => Pending::unseen(
            name,
            &["model"],
            "the job does not say where it runs: the check of the job above has the error",
            "give `base_url` and `model`, or `local`",
        ),
    }
}

/// The checks of a model at an endpoint.
fn of_endpoint(spec: &ModelSpec) -> Vec<&'static str> {
    let batches = spec.batch.is_some().then_some("batches");
    let checks = ["price"].into_iter().chain(gristmill_endpoint::CHECKS);
    checks.chain(batches).collect()
}

fn shown(spec: &ModelSpec) -> String {
    match (spec.source(), &spec.model, &spec.local) {
        (Some(ModelSource::Endpoint { model, .. }), ..) => {
            format!("model {model} ({})", workshop::address_shown(spec))
        }
        (Some(ModelSource::Local(local)), ..) | (None, None, Some(local)) => {
            format!("model {}", local.name())
        }
        (None, Some(model), _) => format!("model {model}"),
        (None, None, None) => "model without a name".to_owned(),
    }
}

async fn endpoint(spec: &ModelSpec, job: &Job, workshop: &Workshop, keys: KeysAt) -> Vec<Check> {
    let mut checks = vec![price(spec, job)];
    let bare = match workshop.endpoint_without_secrets(spec) {
        Ok(bare) => bare,
        Err(error) => {
            checks.push(Check::failed(
                "endpoint",
                format!("{error:#}"),
                "correct `base_url`, or the hosts in GRISTMILL_ENDPOINTS",
            ));
            return checks;
        }
    };
    let (options, lacks_key) = match workshop.endpoint(spec) {
        Ok(options) => (options, None),
        // Where the workers are, other hosts may be reached than from here.
        Err(error) if keys == KeysAt::Workers => {
            checks.push(Check::not_checked(
                "key",
                format!("{error:#}; workers of the cluster have keys of their own"),
                "run the check where a worker runs, with its environment; `gristmill status RUN` says what workers lack",
            ));
            return checks;
        }
        Err(error) => {
            let lacking = Check::failed(
                "key",
                format!("{error:#}"),
                "set the variable (`export NAME=…`) or correct what the job names",
            );
            (bare, Some(lacking))
        }
    };
    let batches = match (&spec.batch, &lacks_key) {
        (None, _) => None,
        (Some(_), Some(lacking)) => Some(Check::waits_for("batches", lacking)),
        (Some(_), None) => Some(batches(options.clone()).await),
    };
    checks.extend(batches);
    let asked = Asked {
        key_from: workshop::key_from(spec),
        lacks_key,
        price: spec.price.map(|price| (price.input, price.output)),
    };
    checks.extend(gristmill_endpoint::checks(options, &asked).await);
    checks
}

/// The price that the job reckons with.
fn price(spec: &ModelSpec, job: &Job) -> Check {
    let Some(price) = spec.price.filter(|_| spec.price().is_some()) else {
        return match job.budget.usd {
            Some(_) => Check::not_checked(
                "price",
                "the job names none that can be used: the check of the job above has the error",
                "give it in dollars a million tokens, `price: {input: …, output: …}`, or name a `budget.price_file`",
            ),
            None => Check::warning(
                "price",
                "the job names no price, so that nobody knows what it spends in dollars; calls alone are limited",
                "give it in dollars a million tokens, `price: {input: …, output: …}`, or name a `budget.price_file`",
            ),
        };
    };
    let from = match &job.budget.price_file {
        Some(file) => format!(" ({} or the job)", file.display()),
        None => String::new(),
    };
    Check::ok(
        "price",
        format!(
            "${} and ${} a million tokens of prompt and completion{from}",
            price.input, price.output
        ),
    )
}

async fn batches(options: gristmill_endpoint::Options) -> Check {
    let probed = match BatchEndpoint::new(options) {
        Ok(batches) => batches.probe().await.map_err(|error| told(&error)),
        Err(error) => Err(told(&error)),
    };
    match probed {
        Ok(()) => Check::ok("batches", "the endpoint has a batch API"),
        Err(why) => Check::failed(
            "batches",
            why,
            "leave `batch` out: the model is then asked call by call",
        ),
    }
}

/// The files of a model in this process, and the part of the program that computes it.
async fn of_local(local: &LocalModel, base: &Path) -> Vec<Check> {
    let feature = match workshop::engine_part(local) {
        (feature, true) => Check::ok("feature", format!("this program was built with `{feature}`")),
        (_, false) => lacking(&workshop::lacks(local), ""),
    };
    let files = match (local.is_path(), local.engine()) {
        (false, _) => catalogued(&local.name).await,
        (true, Engine::LlamaCpp) => gguf(&base.join(&local.name)).await,
        (true, Engine::Native) => native(&base.join(&local.name)).await,
    };
    let mut checks = vec![feature, files];
    if let Some(adapter) = &local.adapter {
        checks.push(placed("adapter", &base.join(adapter), Part::Adapter).await);
    }
    checks
}

/// A model that this program computes itself: a GGUF file, or a folder.
async fn native(path: &Path) -> Check {
    match path.is_dir() {
        false => gguf(path).await,
        true => placed("files", path, Part::Base).await,
    }
}

/// Which part of a model a folder is named for.
#[derive(Debug, Clone, Copy)]
enum Part {
    Base,
    Adapter,
}

/// That a folder holds what it is named for.
#[cfg(feature = "trainer")]
async fn placed(check: &'static str, path: &Path, part: Part) -> Check {
    let folder = path.to_owned();
    let found = tokio::task::spawn_blocking(move || match part {
        Part::Base => gristmill_trainer::base_at(&folder),
        Part::Adapter => gristmill_trainer::adapter_at(&folder),
    });
    match found.await {
        Ok(Ok(place)) => Check::ok(check, format!("in {}", place.display())),
        Ok(Err(error)) => Check::failed(
            check,
            error.to_string(),
            "correct the path, which starts at the job file's folder",
        ),
        Err(error) => Check::not_checked(check, error.to_string(), "run the check again"),
    }
}

/// The same as far as this program, which does not compute such models, can tell.
#[cfg(not(feature = "trainer"))]
async fn placed(check: &'static str, path: &Path, _part: Part) -> Check {
    match tokio::fs::metadata(path).await {
        Ok(_) => Check::ok(check, format!("{} is there", path.display())),
        Err(error) => unreadable(path, &error),
    }
}

async fn gguf(path: &Path) -> Check {
    match beginning(path).await {
        Ok((start, size)) if start == GGUF => Check::ok(
            "files",
            format!("{}: {} MB of GGUF", path.display(), thousands(size / 1_000_000)),
        ),
        Ok(_) => Check::failed(
            "files",
            format!("{} is not a GGUF file", path.display()),
            "name a model in GGUF form; others can be converted with llama.cpp's `convert_hf_to_gguf.py`",
        ),
        Err(error) => unreadable(path, &error),
    }
}

/// The first bytes of a file, and its size.
async fn beginning(path: &Path) -> std::io::Result<(Vec<u8>, u64)> {
    use tokio::io::AsyncReadExt;
    let mut file = tokio::fs::File::open(path).await?;
    let size = file.metadata().await?.len();
    let mut start = vec![0; GGUF.len().min(usize::try_from(size).unwrap_or(usize::MAX))];
    file.read_exact(&mut start).await?;
    Ok((start, size))
}

async fn embedder(job: &Job, base: &Path) -> Vec<Check> {
    let name = match job.embed.source() {
        EmbedSource::Off => return vec![Check::ok("files", "none: duplicates are found by words alone")],
        EmbedSource::Local(name) => name,
    };
    let what = format!("the embedding model `{name}`");
    let feature = built_in(
        cfg!(feature = "embedder"),
        &what,
        "embedder",
        ", or set `embed.model: off`",
    );
    let files = match name.contains('/') {
        true => embedder_files(&base.join(name)).await,
        false => catalogued(name).await,
    };
    vec![feature, files]
}

async fn embedder_files(folder: &Path) -> Check {
    for file in EMBEDDER_FILES {
        let path = folder.join(file);
        if let Err(error) = beginning(&path).await {
            return unreadable(&path, &error);
        }
    }
    Check::ok(
        "files",
        format!("{}: {}", folder.display(), EMBEDDER_FILES.join(", ")),
    )
}

async fn catalogued(name: &str) -> Check {
    match Cache::from_env() {
        Ok(cache) => gristmill_model_cache::check(&cache, name).await,
        Err(error) => Check::failed(
            "files",
            told(&error),
            "set GRISTMILL_CACHE to a folder, as an absolute path",
        ),
    }
}

fn unreadable(path: &Path, error: &std::io::Error) -> Check {
    Check::failed(
        "files",
        format!("{} cannot be read: {error}", path.display()),
        "correct the path, which starts at the job file's folder, or make it readable for this user",
    )
}

/// Whether this program has the part that something needs, and how to get it.
fn built_in(has: bool, what: &str, feature: &str, otherwise: &str) -> Check {
    if has {
        return Check::ok("feature", format!("this program was built with `{feature}`"));
    }
    lacking(&features::missing(what, feature), otherwise)
}

/// That this program lacks a part.
fn lacking(missing: &anyhow::Error, otherwise: &str) -> Check {
    let text = missing.to_string();
    let (found, fix) = text.split_once("\nhelp: ").unwrap_or((&text, ""));
    Check::failed("feature", found, format!("{fix}{otherwise}"))
}
