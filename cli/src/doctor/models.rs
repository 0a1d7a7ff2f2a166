//! The models of a job: endpoints, files in this process, and what embeds.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use gristmill_coordinator::specs;
use gristmill_domain::job::{EmbedSource, Job, LocalModel, ModelSource, ModelSpec};
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

/// The checks of all models of a job.
pub(super) fn models(job: &Arc<Job>, base: &Path, workshop: &Arc<Workshop>, keys: KeysAt) -> Vec<Pending> {
    let mut names: Vec<String> = Vec::new();
    let mut pending = Vec::new();
    for spec in specs(job) {
        let name = shown(spec);
        if names.contains(&name) {
            continue;
        }
        let (spec, job, base) = (spec.clone(), Arc::clone(job), base.to_owned());
        let workshop = Arc::clone(workshop);
        let checks = async move {
            match spec.source() {
                Some(ModelSource::Local(local)) => vec![of_local(local, &base).await],
                Some(ModelSource::Endpoint { .. }) => endpoint(&spec, &job, &workshop, keys).await,
                None => Vec::new(),
            }
        };
        pending.push(Pending::asks(name.clone(), checks));
        names.push(name);
    }
    let (name, base) = (job.embed.model.clone(), base.to_owned());
    let job = Arc::clone(job);
    let embeds = async move { vec![embedder(&job, &base).await] };
    pending.push(Pending::reads(format!("embedding model {name}"), embeds));
    pending
}

fn shown(spec: &ModelSpec) -> String {
    match &spec.base_url {
        Some(_) => format!("model {} ({})", spec.name(), workshop::address_shown(spec)),
        None => format!("model {}", spec.name()),
    }
}

async fn endpoint(spec: &ModelSpec, job: &Job, workshop: &Workshop, keys: KeysAt) -> Vec<Check> {
    let mut checks: Vec<Check> = price(spec, job).into_iter().collect();
    let options = match workshop.endpoint(spec) {
        Ok(options) => options,
        Err(error) if keys == KeysAt::Workers => {
            checks.push(Check::not_checked(
                "key",
                format!("{error:#}; workers of the cluster have keys of their own"),
                "run the check where a worker runs, with its environment; `gristmill status RUN` says what workers lack",
            ));
            return checks;
        }
        Err(error) => {
            checks.push(Check::failed(
                "key",
                format!("{error:#}"),
                "set the variable (`export NAME=…`) or correct what the job names",
            ));
            return checks;
        }
    };
    let asked = Asked {
        key_from: workshop::key_from(spec),
        price: spec.price.map(|price| (price.input, price.output)),
    };
    if spec.batch.is_some() {
        checks.push(batches(options.clone()).await);
    }
    checks.extend(gristmill_endpoint::checks(options, &asked).await);
    checks
}

/// The price that the job reckons with; `None` where the job file's own check says that it lacks one.
fn price(spec: &ModelSpec, job: &Job) -> Option<Check> {
    let Some(price) = spec.price.filter(|_| spec.price().is_some()) else {
        return job.budget.usd.is_none().then(|| {
            Check::warning(
                "price",
                "the job names no price, so that nobody knows what it spends in dollars; calls alone are limited",
                "give it in dollars a million tokens, `price: {input: …, output: …}`, or name a `budget.price_file`",
            )
        });
    };
    let from = match &job.budget.price_file {
        Some(file) => format!(" ({} or the job)", file.display()),
        None => String::new(),
    };
    Some(Check::ok(
        "price",
        format!(
            "${} and ${} a million tokens of prompt and completion{from}",
            price.input, price.output
        ),
    ))
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

/// A GGUF file, or one of the catalogue.
async fn of_local(local: &LocalModel, base: &Path) -> Check {
    if !cfg!(feature = "local-model") {
        return lacking(features::missing(
            &format!("the local model `{}`", local.name),
            "local-model",
        ));
    }
    if !local.is_path() {
        return catalogued(&local.name).await;
    }
    let path = base.join(&local.name);
    match beginning(&path).await {
        Ok((start, size)) if start == GGUF => Check::ok(
            "files",
            format!("{}: {} MB of GGUF", path.display(), size / 1_000_000),
        ),
        Ok(_) => Check::failed(
            "files",
            format!("{} is not a GGUF file", path.display()),
            "name a model in GGUF form; others can be converted with llama.cpp's `convert_hf_to_gguf.py`",
        ),
        Err(error) => unreadable(&path, &error),
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

async fn embedder(job: &Job, base: &Path) -> Check {
    let name = match job.embed.source() {
        EmbedSource::Off => return Check::ok("files", "none: duplicates are found by words alone"),
        EmbedSource::Local(name) => name,
    };
    if !cfg!(feature = "embedder") {
        let missing = features::missing(&format!("the embedding model `{name}`"), "embedder");
        return lacking(anyhow::anyhow!("{missing}, or set `embed.model: off`"));
    }
    if !name.contains('/') {
        return catalogued(name).await;
    }
    let folder: PathBuf = base.join(name);
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

/// The program lacks a part: what, and how to get it.
fn lacking(missing: anyhow::Error) -> Check {
    let text = missing.to_string();
    let (found, fix) = text.split_once("\nhelp: ").unwrap_or((&text, ""));
    Check::failed("files", found, fix)
}
