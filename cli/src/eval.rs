//! Evaluations: held-out questions, asked and graded.

mod models;
mod regression;
#[cfg(feature = "trainer")]
mod taught;

use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};
use gristmill_blob::LocalBlobs;
use gristmill_coordinator::{SeedStore, judge_trials, text_calls};
use gristmill_dataset::dataset_folder;
use gristmill_domain::job::{
    Anchor, Embed, Evaluate, EvaluatedRole, Fields, Generate, GradedBy, HeldOut, Job, Judge, Layout,
    PromptFormat,
};
use gristmill_jobfile::{BudgetChoice, Keys, Loaded};
use gristmill_runs::evaluation::{self, Evaluation};
use gristmill_runs::{EndedRun, RunFolder};

use crate::args::{EvalArgs, OutputStyle};
use crate::drive::to_its_end;
use crate::failure::Failure;
use crate::prepare::{Ready, prepare_loaded, this_command};
use crate::view::View;
use crate::{print, resume};
use models::models;
pub(crate) use models::scorer;

/// Calls that a budget allows for each that is needed, where nobody gave one and no call costs anything: some are tried again.
const SPARE: u64 = 2;

/// `gristmill eval`: writes the job of an evaluation from a dataset and a student, and carries it out.
pub(crate) async fn eval(args: EvalArgs, view: View, output: OutputStyle) -> Result<(), Failure> {
    // What is wrong with the regression set is told before anything is asked.
    let regression = match &args.regression {
        Some(file) => {
            let source = Source::open(&args.dataset).await.map_err(Failure::Input)?;
            Some(regression::Regression::of(&args, file, source).map_err(Failure::Input)?)
        }
        None => None,
    };
    let (result, folder) = evaluated(args, EvalInputs::default(), view.clone()).await?;
    let Some(regression) = regression else {
        return tell(&result, &folder, output);
    };
    let name = regression.args.dataset.display().to_string();
    let ready = ready(&regression.args, &regression.job, None).await?;
    let (general, general_folder) = to_its_result(&ready, &name, view).await?;
    let target = general_folder.result();
    let mut json = told_json(&result, &folder);
    if let Some(members) = json.as_object_mut() {
        members.insert("regression".to_owned(), told_json(&general, &general_folder));
    }
    let text = format!(
        "{}result: {}\n\nregression set {name}:\n{}result: {}\n",
        evaluation::told(&result),
        gristmill_runs::shown(&folder.result()),
        evaluation::told(&general),
        gristmill_runs::shown(&target)
    );
    print::either(output, &json, &text);
    answered(&result)?;
    answered(&general)
}

/// What is asked besides what the arguments say.
#[derive(Default)]
pub(crate) struct EvalInputs {
    /// The real rows of the dataset's run, where the dataset does not lie beside them.
    pub(crate) seeds: Option<SeedStore>,
    /// Real rows that the student is shown before each question.
    pub(crate) student_shots: u32,
}

/// Writes the result of an evaluation that has ended again, from its state alone.
pub(crate) async fn again(
    state: &LocalBlobs,
    folder: &RunFolder,
    ended: &EndedRun,
    output: OutputStyle,
) -> Result<(), Failure> {
    let target = folder.result();
    let result = evaluation::evaluation(
        state,
        &target,
        &ended.start,
        &ended.seeds,
        &ended.finished,
        &ended.account,
    );
    tell(&result.await.map_err(Failure::Input)?, folder, output)
}

/// Asks what `eval` was told to ask, or reads what was asked before.
pub(crate) async fn evaluated(
    args: EvalArgs,
    inputs: EvalInputs,
    view: View,
) -> Result<(Evaluation, RunFolder), Failure> {
    let mut source = Source::open(&args.dataset).await.map_err(Failure::Input)?;
    source.seeds = inputs.seeds.or(source.seeds);
    let job = job(&args, &source, inputs.student_shots).map_err(Failure::Input)?;
    let ready = ready(&args, &job, source.seeds).await?;
    to_its_result(&ready, &args.dataset.display().to_string(), view).await
}

/// Asks what `eval` was told to ask, of other rows than held-out ones: `count` JSON lines of a file, with `question` and `answer`. What the student
/// was trained on may be among them.
#[cfg(feature = "trainer")]
pub(crate) async fn evaluated_on(
    args: EvalArgs,
    rows: &Path,
    count: u64,
    view: View,
) -> Result<(Evaluation, RunFolder), Failure> {
    let mut source = Source::open(&args.dataset).await.map_err(Failure::Input)?;
    source.test = count;
    let mut job = job(&args, &source, 0).map_err(Failure::Input)?;
    job.seeds.path = vec![rows.display().to_string()];
    job.seeds.fields = Fields::default();
    // What the validator cannot read in a row is no answer that a student could give.
    job.seeds.max_bad_share = 1.0;
    let ready = ready(&args, &job, None).await?;
    to_a_result(&ready, &args.dataset.display().to_string(), view).await
}

/// The job of an evaluation that was written here, made ready.
async fn ready(args: &EvalArgs, job: &Job, seeds: Option<SeedStore>) -> Result<Ready, Failure> {
    let text = serde_json::to_string_pretty(job).context("the job of the evaluation")?;
    let here = std::env::current_dir().context("the current folder cannot be read")?;
    let name = args.dataset.display().to_string();
    let loaded: Loaded = gristmill_jobfile::load_text(&text, &name, &here, &args.set, Keys::Here)
        .map_err(|errors| print::job_errors(&errors))?;
    prepare_loaded(loaded, seeds, this_command()).await
}

/// Carries out a job that is an evaluation.
pub(crate) async fn carry_out(
    ready: &Ready,
    job: &str,
    view: View,
    output: OutputStyle,
) -> Result<(), Failure> {
    let (result, folder) = to_its_result(ready, job, view).await?;
    tell(&result, &folder, output)
}

/// The same as [`to_a_result`], of students that were trained on none of the questions.
async fn to_its_result(ready: &Ready, job: &str, view: View) -> Result<(Evaluation, RunFolder), Failure> {
    #[cfg(feature = "trainer")]
    taught::refuse_taught(&ready.prepared, &view).await?;
    to_a_result(ready, job, view).await
}

/// Asks what a job wants to be asked, or goes on where an earlier start stopped, and writes the result.
async fn to_a_result(ready: &Ready, job: &str, view: View) -> Result<(Evaluation, RunFolder), Failure> {
    let prepared = &ready.prepared;
    let output_dir = prepared.start.base.join(&prepared.start.job.output.dir);
    let folder = RunFolder::of(&output_dir, prepared.start.run);
    let target = folder.result();
    folder.claim(job).await.map_err(Failure::Input)?;
    if target.exists() && !resume::resume(&folder, &prepared.start, &view).await? {
        let there = evaluation::read_evaluation(&target).map_err(Failure::Input)?;
        return Ok((there, folder));
    }
    resume::check_books(&folder).map_err(Failure::Input)?;
    for warning in prepared.warnings().map_err(Failure::Input)? {
        view.warn(&warning);
    }
    let blobs = LocalBlobs::new(folder.state());
    let (finished, account) = to_its_end(ready, &folder, &blobs, &view).await?;
    let result = evaluation::evaluation(
        &blobs,
        &target,
        &prepared.start,
        &prepared.seeds,
        &finished,
        &account,
    )
    .await?;
    Ok((result, folder))
}

fn tell(result: &Evaluation, folder: &RunFolder, output: OutputStyle) -> Result<(), Failure> {
    let target = folder.result();
    let json = told_json(result, folder);
    let text = format!(
        "{}result: {}\n",
        evaluation::told(result),
        gristmill_runs::shown(&target)
    );
    print::either(output, &json, &text);
    answered(result)
}

/// A result for programs, with the folder that it is in.
fn told_json(result: &Evaluation, folder: &RunFolder) -> serde_json::Value {
    let mut json = serde_json::to_value(result).unwrap_or_default();
    if let Some(members) = json.as_object_mut() {
        members.insert("result".to_owned(), folder.result().display().to_string().into());
    }
    json
}

/// An error where nobody answered anything.
fn answered(result: &Evaluation) -> Result<(), Failure> {
    match result.models.iter().all(|model| model.scorecard.is_none()) {
        true => Err(Failure::Other(anyhow!(
            "no question was answered: {}",
            result.end
        ))),
        false => Ok(()),
    }
}

/// Where the questions come from.
struct Source {
    /// What the dataset was made with.
    job: Job,
    /// The dataset's folder.
    dataset: PathBuf,
    /// The run's own rows, where they are there: they know references and databases, which a dataset does not.
    seeds: Option<SeedStore>,
    /// Held-out rows, by purpose.
    test: u64,
    validation: u64,
}

impl Source {
    async fn open(path: &Path) -> anyhow::Result<Self> {
        let dataset = dataset_folder(path);
        if !dataset.join("manifest.json").is_file() {
            bail!(
                "{} is no dataset: it has no `manifest.json`\nhelp: name a run's folder such as out/7f3a01c2d3e4, or the folder of its dataset",
                path.display()
            );
        }
        let text = std::fs::read(dataset.join("manifest.json"))?;
        let manifest: serde_json::Value = serde_json::from_slice(&text)
            .with_context(|| format!("{}/manifest.json is damaged", dataset.display()))?;
        let job = serde_json::from_value(manifest["job"].clone()).with_context(|| {
            format!(
                "{}/manifest.json does not say how the dataset was made",
                dataset.display()
            )
        })?;
        let rows = |split: &str| manifest["rows"][split].as_u64().unwrap_or_default();
        let state = path.join("state");
        let seeds = match state.join("run.json").is_file() {
            true => SeedStore::load(&LocalBlobs::new(state)).await?,
            false => None,
        };
        Ok(Self {
            job,
            dataset: std::path::absolute(dataset)?,
            seeds,
            test: rows("test"),
            validation: rows("validation"),
        })
    }
}

/// The job of an evaluation.
fn job(args: &EvalArgs, source: &Source, student_shots: u32) -> anyhow::Result<Job> {
    let of = &source.job;
    if !of.seeds.fields.has_references() {
        bail!(
            "the run's job says `seeds.fields.references: none`: nothing says which answers to the held-out rows are right\nhelp: make a dataset \
             whose seeds have references, or name the rows to ask in a job with a section `evaluate`"
        );
    }
    let mut models = models(args, of)?;
    let student = models
        .iter_mut()
        .find(|model| model.role == EvaluatedRole::Student);
    if let Some(student) = student {
        student.shots = student_shots;
    }
    let shows = models.iter().any(|model| model.shots > 0);
    let split = match args.validation {
        true => HeldOut::Validation,
        false => HeldOut::Test,
    };
    let there = match split {
        HeldOut::Test => source.test,
        HeldOut::Validation => source.validation,
    };
    let questions = args.asking.questions.map_or(there, |most| most.min(there));
    let mut evaluate = Evaluate {
        models,
        split,
        formats: match args.asking.formats.as_slice() {
            [] => vec![
                PromptFormat::Plain,
                PromptFormat::Labelled,
                PromptFormat::Instructed,
            ],
            named => named.iter().map(|format| (*format).into()).collect(),
        },
        questions: args.asking.questions,
        grade: None,
        min_f1: None,
        max_tokens: args.asking.max_tokens,
        // A run's own rows hold its anchor; of a dataset alone, the training rows that people wrote are.
        shots_path: match shows && source.seeds.is_none() {
            true => vec![format!("{}/data/train-*.parquet", source.dataset.display())],
            false => Vec::new(),
        },
    };
    let compares = of.filter.validator.compares_references();
    if !compares && of.judge.is_none() {
        // As the run itself compared open answers.
        evaluate.grade = Some(GradedBy::Text);
        evaluate.min_f1 = of.meaning_f1();
    }
    let judge = judge(of).cloned();
    let asked = (evaluate.models.len() * evaluate.formats.len()) as u64 * questions;
    // A judge grades each answer, and is measured first.
    let graded = match judge {
        Some(_) => 2 * asked + judge_trials(questions),
        None => asked,
    };
    let calls = graded + text_calls(&evaluate, questions);
    let free = evaluate.models.iter().all(|model| model.spec.local.is_some()) && judge.is_none();
    let mut budget = of.budget.clone();
    (budget.usd, budget.calls, budget.price_file) = match &args.budget {
        Some(text) => {
            let BudgetChoice { usd, calls } = text.parse().map_err(|error| anyhow!("--budget: {error}"))?;
            (usd, calls, None)
        }
        None if free => (None, Some(SPARE * calls.max(1)), None),
        None => bail!(
            "asking {questions} questions of {} models in {} formats takes up to {calls} calls, some of which cost money\nhelp: give a \
             `--budget`, such as `--budget 2usd`, `--budget {calls}calls`, or both joined by a comma",
            evaluate.models.len(),
            evaluate.formats.len()
        ),
    };
    let mut job = of.clone();
    job.seeds.path = vec![format!(
        "{}/data/{}-*.parquet",
        source.dataset.display(),
        split.split()
    )];
    job.seeds.format = None;
    job.seeds.documents = None;
    job.seeds.fields = fields(of.output.layout);
    if source.seeds.is_some() {
        job.seeds.fields.database.clone_from(&of.seeds.fields.database);
    }
    job.teacher.clear();
    job.judge = judge;
    job.student = None;
    job.concepts = None;
    job.embed = Embed {
        model: "off".to_owned(),
        ..Embed::default()
    };
    job.generate = Generate {
        subject: of.generate.subject.clone(),
        reasoning: of.generate.reasoning,
        max_tokens: of.generate.max_tokens,
        ..Generate::default()
    };
    job.filter.grounding = None;
    job.filter.existing = None;
    job.anchor = Anchor::default();
    job.budget = budget;
    job.output.dir.clone_from(&args.out);
    job.evaluate = Some(evaluate);
    Ok(job)
}

/// The judge that grades answers to a dataset's rows: none where its validator compares them with references.
pub(crate) fn judge(of: &Job) -> Option<&Judge> {
    let judge = of.judge.as_ref();
    judge.filter(|_| !of.filter.validator.compares_references())
}

/// The columns of a dataset.
fn fields(layout: Layout) -> Fields {
    let (question, answer) = match layout {
        Layout::Messages => ("messages.user", "messages.assistant"),
        Layout::PromptCompletion => ("prompt", "completion"),
        Layout::Alpaca => ("instruction", "output"),
    };
    Fields {
        question: question.to_owned(),
        answer: answer.to_owned(),
        reasoning: Some("reasoning".to_owned()),
        concept: Some("provenance.concepts".to_owned()),
        source: Some("provenance.seed_source".to_owned()),
        ..Fields::default()
    }
}
