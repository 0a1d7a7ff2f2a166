//! `gristmill train`: a student from a dataset.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use gristmill_dataset::dataset_folder;
use gristmill_domain::job::is_model_path;
use gristmill_domain::near::nearest;
use gristmill_domain::training::{Backend, Method, Training};
use gristmill_domain::words::many;
use gristmill_jobfile::SettingsFile;
use gristmill_lineage::check_dataset;
use gristmill_ports::trainer::{self, Event, Trainer};
use gristmill_students as students;
use gristmill_students::{
    BaseModel, Cost, Folder, History, Lock, Recorder, Settings, card, prepare, preview,
};
use gristmill_trainer::{NativeTrainer, Text};
use gristmill_trl::TrlTrainer;
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};

use crate::args::{OutputStyle, TrainArgs};
use crate::drive::signal;
use crate::failure::Failure;
use crate::view::{TrainingView, View};
use crate::{generation, native, print};

/// Events that may wait to be recorded.
const EVENTS: usize = 64;

/// Trains a student.
pub(crate) async fn train(args: TrainArgs, view: View, output: OutputStyle) -> Result<(), Failure> {
    let mut training = gristmill_jobfile::training(SettingsFile::TRAINING, args.recipe.as_deref(), &args.set)
        .map_err(|errors| print::job_errors(&errors))?;
    if let Some(base) = args.base {
        training.base = Some(base);
    }
    let out = args.out.unwrap_or_else(|| PathBuf::from("student"));
    let Some(name) = training.base.clone() else {
        return Err(Failure::Input(anyhow::anyhow!(
            "no base model is named\nhelp: `--base smollm2-135m-instruct`, a `.gguf` file, or a folder in Hugging Face layout"
        )));
    };
    if args.dry_run {
        one_dataset(&args.dataset).map_err(Failure::Input)?;
        let base = base(&name, &view).await?;
        let settings = previewed(args.dataset, training, base, out.clone(), &view).await?;
        told(&settings, &view);
        let left = json!({"student": out, "training": settings});
        print::either(output, &left, &dry_text(&settings));
        return Ok(());
    }
    let (folder, settings, history) = student(args.dataset, training, &name, out, &view).await?;
    print::either(
        output,
        &summary(&folder, &settings, &history),
        &text(&folder, &settings, &history),
    );
    Ok(())
}

/// Trains a student on a dataset, or resumes its training, until it is done.
///
/// # Errors
/// What cannot be trained, and a training that ended before its time: by its budget, or told to stop.
pub(crate) async fn student(
    dataset: PathBuf,
    training: Training,
    name: &str,
    out: PathBuf,
    view: &View,
) -> Result<(Folder, Settings, History), Failure> {
    one_dataset(&dataset).map_err(Failure::Input)?;
    let trainer = trainer(training.backend)?;
    let base = base(name, view).await?;
    let (folder, settings, _lock) = prepared(dataset, training, base, out, view).await?;
    told(&settings, view);
    let before = History::read(&folder).context("the history of the training")?;
    let ended = match before.done {
        Some(_) => End::Done,
        None => carry_out(trainer.as_ref(), &folder, &settings, view).await?,
    };
    let history = History::read(&folder).context("the history of the training")?;
    match ended {
        End::Done => {
            card(&folder, &settings, &history).context("the card of the student")?;
            Ok((folder, settings, history))
        }
        End::Money(step) => Err(Failure::Short(format!(
            "the training reached `max_usd` behind step {step} of {}; the best weights so far are in {}\nhelp: raise `max_usd` and run the same \
             command again to resume it",
            settings.request.steps,
            folder.path().display()
        ))),
        End::Told(step) => Err(Failure::Interrupted(format!(
            "stopped behind step {step} of {}: run the same command again to resume",
            settings.request.steps
        ))),
    }
}

/// Why a training ended.
enum End {
    Done,
    /// It cost as much as it may, behind this step.
    Money(u64),
    /// A signal came.
    Told(u64),
}

/// The files that the trainer takes, written off the async threads. No held-out row is among them.
async fn prepared(
    dataset: PathBuf,
    training: Training,
    base: BaseModel,
    out: PathBuf,
    view: &View,
) -> Result<(Folder, Settings, Lock), Failure> {
    checked(&dataset, view).await?;
    let work = move || -> Result<(Folder, Settings, Lock), Failure> {
        let tokens = Text::open(&base.path).map_err(|error| Failure::Input(error.into()))?;
        let folder = Folder::create(&out).map_err(failure)?;
        let lock = folder.lock().map_err(failure)?;
        let settings = prepare(&dataset, &training, &base, &tokens, &folder).map_err(failure)?;
        Ok((folder, settings, lock))
    };
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| Failure::Other(error.into()))?
}

/// What would be trained; nothing is made where it would be.
async fn previewed(
    dataset: PathBuf,
    training: Training,
    base: BaseModel,
    out: PathBuf,
    view: &View,
) -> Result<Settings, Failure> {
    checked(&dataset, view).await?;
    let work = move || -> Result<Settings, Failure> {
        let tokens = Text::open(&base.path).map_err(|error| Failure::Input(error.into()))?;
        preview(&dataset, &training, &base, &tokens, &out).map_err(failure)
    };
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| Failure::Other(error.into()))?
}

/// Refuses a dataset whose training rows hold a held-out one, or whose files were changed.
async fn checked(dataset: &Path, view: &View) -> Result<(), Failure> {
    let dataset = dataset.to_owned();
    generation::work(view.clone(), move |task| check_dataset(&dataset, task)).await
}

/// What was given wrongly, apart from what may be better the next time.
fn failure(error: students::Error) -> Failure {
    match error {
        students::Error::Busy(_) | students::Error::Io { .. } => Failure::Other(error.into()),
        students::Error::Dataset(_)
        | students::Error::Unusable { .. }
        | students::Error::Taken { .. }
        | students::Error::Damaged { .. } => Failure::Input(error.into()),
    }
}

/// Says what is trained on, and warns of rows that are not.
fn told(settings: &Settings, view: &View) {
    let source = &settings.source;
    view.say(&format!(
        "{} rows to train on ({} real), {} to validate, {} steps",
        source.rows, source.real, source.validation, settings.request.steps
    ));
    let left_out = source.left_out.to_string();
    if !left_out.is_empty() {
        view.warn(&format!("not trained on: {left_out}"));
    }
    if source.validation == 0 {
        view.warn(
            "the dataset has no validation rows: nothing shows when the student has learned enough, and the weights of the last step are kept",
        );
    }
}

/// Has the trainer work until it ends, money runs out, or a signal comes.
async fn carry_out(
    trainer: &dyn Trainer,
    folder: &Folder,
    settings: &Settings,
    view: &View,
) -> Result<End, Failure> {
    let training = &settings.training;
    let before = History::read(folder)
        .context("the history of the training")?
        .cost();
    let recorder = Recorder::open(folder, training.usd_per_hour).context("the history of the training")?;
    let (stop, stopping) = watch::channel(false);
    let stop = Arc::new(stop);
    let watching = tokio::spawn({
        let stop = Arc::clone(&stop);
        async move {
            signal().await;
            let _ended = stop.send(true);
            // Whoever asks twice means it.
            signal().await;
            crate::leave(130)
        }
    });
    let (events, arriving) = mpsc::channel(EVENTS);
    let watched = Watched {
        recorder,
        shown: view.training(),
        before,
        max_usd: training.max_usd,
        stop,
    };
    let recording = tokio::spawn(watched.until_it_ends(arriving));
    let ended = trainer.train(&settings.request, events, stopping).await;
    watching.abort();
    let recorded = recording.await.map_err(|error| Failure::Other(error.into()))?;
    let out_of_money = recorded.map_err(failure)?;
    view.clear();
    match ended {
        Ok(()) => Ok(End::Done),
        Err(trainer::Error::Stopped { step }) if out_of_money => Ok(End::Money(step)),
        Err(trainer::Error::Stopped { step }) => Ok(End::Told(step)),
        Err(error @ trainer::Error::Refused(_)) => Err(Failure::Input(error.into())),
        Err(error @ trainer::Error::Failed(_)) => Err(Failure::Other(error.into())),
    }
}

/// Who records what happens, and stops the training where it gets too dear.
struct Watched {
    recorder: Recorder,
    shown: TrainingView,
    /// What earlier starts took.
    before: Cost,
    max_usd: Option<f64>,
    stop: Arc<watch::Sender<bool>>,
}

impl Watched {
    /// True where money ended it. What cannot be recorded stops it too: nobody would know what it costs.
    async fn until_it_ends(mut self, mut arriving: mpsc::Receiver<Event>) -> Result<bool, students::Error> {
        let mut out_of_money = false;
        while let Some(event) = arriving.recv().await {
            let recorded = self.recorder.record(event.clone());
            let spent = match recorded {
                Ok(cost) => self.before + cost,
                Err(error) => {
                    let _ended = self.stop.send(true);
                    return Err(error);
                }
            };
            self.shown.take(&event, spent.usd);
            if self.max_usd.is_some_and(|most| spent.usd >= most) {
                out_of_money = true;
                let _ended = self.stop.send(true);
            }
        }
        Ok(out_of_money)
    }
}

/// The base model: of the catalogue, or a file or folder of this machine.
/// Looks whether a model can be trained, before anything is spent on rows for it.
///
/// # Errors
/// A model that is not there and cannot be fetched, one that this machine cannot train, and a trainer that is not there.
pub(crate) async fn can_be_trained(name: &str, backend: Backend, view: &View) -> Result<(), Failure> {
    trainer(backend)?;
    let base = base(name, view).await?;
    let opened = tokio::task::spawn_blocking(move || Text::open(&base.path).map(drop)).await;
    let opened = opened.map_err(|error| Failure::Other(error.into()))?;
    opened.map_err(|error| Failure::Input(error.into()))
}

async fn base(name: &str, view: &View) -> Result<BaseModel, Failure> {
    let path = Path::new(name);
    let path = match path.exists() {
        true => path.to_owned(),
        false if is_model_path(name) => {
            return Err(Failure::Input(anyhow::anyhow!(
                "the base model {name} does not exist"
            )));
        }
        false => {
            known(name).map_err(Failure::Input)?;
            let artifact = crate::workshop::fetch(name, view).await?;
            let main = artifact.main().map(Path::to_owned);
            main.with_context(|| format!("the model {name} has no file"))?
        }
    };
    let hashed = path.clone();
    let hash = tokio::task::spawn_blocking(move || native::hash(&hashed)).await;
    let hash = hash.map_err(|error| Failure::Other(error.into()))?;
    Ok(BaseModel {
        name: name.to_owned(),
        hash: hash.with_context(|| format!("the base model {name}"))?,
        path,
    })
}

/// Refuses a name that no built-in model has which could be trained.
fn known(name: &str) -> anyhow::Result<()> {
    let entries = gristmill_model_cache::catalogue::ENTRIES.iter();
    let bases = entries.filter(|entry| {
        entry
            .members
            .first()
            .is_some_and(|main| main.path.ends_with(".gguf"))
    });
    let names: Vec<&str> = bases.map(|entry| entry.name).collect();
    if names.contains(&name) {
        return Ok(());
    }
    anyhow::bail!(
        "there is no base model `{name}`{}\nhelp: name {}, a `.gguf` file, or a folder in Hugging Face layout",
        nearest(name, names.iter().copied())
            .map_or_else(String::new, |near| format!("; did you mean `{near}`?")),
        names
            .iter()
            .map(|name| format!("`{name}`"))
            .collect::<Vec<_>>()
            .join(" or ")
    )
}

/// Refuses a folder of runs, which is easily named for that of one.
fn one_dataset(named: &Path) -> anyhow::Result<()> {
    if dataset_folder(named).join("data").is_dir() {
        return Ok(());
    }
    let inside = std::fs::read_dir(named).into_iter().flatten().flatten();
    let mut runs: Vec<String> = inside
        .map(|entry| entry.path())
        .filter(|folder| folder.join("dataset/data").is_dir())
        .map(|folder| folder.display().to_string())
        .collect();
    runs.sort();
    match runs.as_slice() {
        [] => anyhow::bail!(
            "{} is no dataset, since it holds no folder `data`\nhelp: name the folder of a run that has ended, of its dataset, or of a generation",
            named.display()
        ),
        [first, ..] => anyhow::bail!(
            "{} is a folder of {}, and not one of them\nhelp: name one, such as {first}",
            named.display(),
            many(runs.len() as u64, "run")
        ),
    }
}

fn trainer(backend: Backend) -> Result<Box<dyn Trainer>, Failure> {
    match backend {
        Backend::Native => {
            let native = NativeTrainer::new();
            Ok(Box::new(native.map_err(|error| Failure::Other(error.into()))?))
        }
        Backend::Trl => Ok(Box::new(TrlTrainer::from_env())),
    }
}

/// What the trained student is, for programs.
fn summary(folder: &Folder, settings: &Settings, history: &History) -> Value {
    let validation = history.validation_change();
    let cost = history.cost();
    json!({
        "student": folder.path(),
        "training": settings.hash(),
        "base": settings.base,
        "rows": settings.source.rows,
        "real_rows": settings.source.real,
        "steps": history.steps.len(),
        "best_step": history.done.map(|done| done.best_step),
        "ended": history.done.map(|done| done.reason),
        "validation_loss_before": validation.map(|(before, _)| before),
        "validation_loss": validation.map(|(_, best)| best),
        "seconds": cost.seconds,
        "peak_memory_bytes": history.done.map(|done| done.peak_memory_bytes),
        "usd": cost.usd,
    })
}

/// And for people.
fn text(folder: &Folder, settings: &Settings, history: &History) -> String {
    let mut text = format!(
        "trained {} on {} rows in {} steps\n",
        settings.base,
        settings.source.rows,
        history.steps.len()
    );
    if let Some((before, best)) = history.validation_change() {
        let at = history.done.map_or(0, |done| done.best_step);
        text.push_str(&format!(
            "validation loss: {before:.4} before, {best:.4} at step {at}, whose weights are kept\n"
        ));
    }
    let made = match settings.training.method {
        Method::Lora => folder.adapter(),
        Method::Full => folder.path().join("model"),
    };
    text.push_str(&format!(
        "student: {}\ncard:    {}\n",
        made.display(),
        folder.path().join("README.md").display()
    ));
    text
}

/// What would be trained.
fn dry_text(settings: &Settings) -> String {
    let request = &settings.request;
    format!(
        "would train {} on {} rows ({} tokens) in {} steps of {} rows, measured every {} steps on {} validation rows\n",
        settings.base,
        settings.source.rows,
        settings.source.tokens,
        request.steps,
        request.batch_rows,
        request.validate_every,
        settings.source.validation
    )
}
