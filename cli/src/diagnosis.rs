//! `trace --eval` and `mend`: why a student's answers are wrong, and what would mend them.

mod mended;
mod wrong;

#[cfg(feature = "trainer")]
pub(crate) use mended::write_rows;

use std::path::Path;
use std::sync::Arc;

use anyhow::anyhow;
use gristmill_datasets::{Interrupted, Task};
use gristmill_diagnosis as diagnosis;
use gristmill_diagnosis::{Findings, Means, Options, Question, diagnosis_text, findings_text};
use gristmill_domain::concept::Catalogue;
use gristmill_domain::job::Job;
use gristmill_domain::validator::Settings;
use gristmill_ports::model::Embedder;
use tokio::runtime::Handle;

use crate::args::{MendArgs, OutputStyle, TraceArgs, TrainedArgs};
use crate::data::carry_out;
use crate::failure::Failure;
use crate::view::View;
use crate::{print, workshop};
use wrong::{Trained, WrongAnswers};

/// Why one answer is wrong, or all of them.
pub(crate) async fn trace(args: TraceArgs, view: View, output: OutputStyle) -> Result<(), Failure> {
    let Some(result) = &args.eval else {
        return Err(Failure::Input(anyhow!("name a result: `--eval out/RUN`")));
    };
    let answers = WrongAnswers::read(result, args.trained.model.as_deref()).map_err(Failure::Input)?;
    warn_of_cut(&answers, &view);
    let questions = match &args.run {
        Some(item) => vec![answers.one(&item.to_string_lossy()).map_err(Failure::Input)?],
        None => answers.all(),
    };
    let trained = Trained::find(args.trained.dataset.as_deref(), &answers).map_err(Failure::Input)?;
    let shown = if args.all { 0 } else { usize::from(args.k) };
    let found = diagnose(
        &args.trained,
        shown,
        &trained,
        trained.judged_by(),
        questions,
        &view,
    )
    .await?;
    let by = serde_json::json!({
        "model": answers.model, "dataset": trained.folder, "vectors": found.vectors, "near": found.near,
        "same": found.same, "rows": found.rows,
    });
    match (args.all, found.diagnoses.first()) {
        (false, Some(one)) => {
            let mut value = serde_json::to_value(one).map_err(|error| Failure::Other(error.into()))?;
            if let (Some(members), serde_json::Value::Object(by)) = (value.as_object_mut(), by) {
                members.extend(by);
            }
            print::either(output, &value, &diagnosis_text(one));
        }
        _ => {
            let counts = found.counts().into_iter();
            let counts: Vec<serde_json::Value> = counts
                .map(|(verdict, count)| serde_json::json!({"verdict": verdict, "items": count}))
                .collect();
            let causes = diagnosis::shown_causes(&found.speaking);
            let value = serde_json::json!({
                "by": by, "asked": answers.asked, "verdicts": counts, "causes": causes, "items": found.diagnoses,
            });
            let mut text = findings_text(&found);
            for shown in causes {
                text.push_str(&format!("\ncause {}: {}\n", shown.cause, shown.why()));
            }
            print::either(output, &value, &text);
        }
    }
    Ok(())
}

/// Writes what mends the wrong answers.
pub(crate) async fn mend(args: MendArgs, view: View, output: OutputStyle) -> Result<(), Failure> {
    let answers = WrongAnswers::read(&args.result, args.trained.model.as_deref()).map_err(Failure::Input)?;
    answers.refuse_test().map_err(Failure::Input)?;
    warn_of_cut(&answers, &view);
    let trained = Trained::find(args.trained.dataset.as_deref(), &answers).map_err(Failure::Input)?;
    let begun = mended::begin(&args, &trained).map_err(|error| match error {
        mended::Begin::Job(errors) => print::job_errors(&errors),
        mended::Begin::Other(error) => Failure::Input(error),
    })?;
    let found = diagnose(&args.trained, 0, &trained, Some(&begun.job), answers.all(), &view).await?;
    let work = move || mended::write(&args, &answers, &trained, &begun, &found);
    let written = tokio::task::spawn_blocking(work).await;
    let written = written.map_err(|error| Failure::Other(error.into()))?;
    let written = written.map_err(Failure::Input)?;
    print::either(output, &written.json, &written.text);
    Ok(())
}

fn warn_of_cut(answers: &WrongAnswers, view: &View) {
    if let Some(warning) = answers.cut() {
        view.warn(&warning);
    }
}

/// What the wrong answers of a result call for.
#[cfg(feature = "trainer")]
pub(crate) struct CalledFor {
    /// Concepts to make rows for, with their numbers of rows.
    pub(crate) gaps: diagnosis::Gaps,
    /// Documents that these rows are made from; empty for all of the job.
    pub(crate) documents: Vec<String>,
    /// Teachers that are shown to be behind wrong rows.
    pub(crate) blamed: Vec<String>,
    /// Rows of shown causes that contradict right answers.
    pub(crate) quarantined: Vec<diagnosis::QuarantinedRow>,
}

/// Holds the wrong answers of a result on validation rows against what the student was trained on, and spreads so many rows over them.
///
/// `job` is the one whose rows are made, and `base` is where its relative paths start.
///
/// # Errors
/// A result or a dataset that cannot be read.
#[cfg(feature = "trainer")]
pub(crate) async fn called_for(
    result: &Path,
    trained_on: &TrainedArgs,
    (job, base): (&Job, &Path),
    rows: u64,
    view: &View,
) -> Result<CalledFor, Failure> {
    let answers = WrongAnswers::read(result, None).map_err(Failure::Input)?;
    answers.refuse_test().map_err(Failure::Input)?;
    warn_of_cut(&answers, view);
    let trained = Trained::find(trained_on.dataset.as_deref(), &answers).map_err(Failure::Input)?;
    let found = diagnose(trained_on, 0, &trained, Some(job), answers.all(), view).await?;
    let causes = diagnosis::shown_causes(&found.speaking);
    let quarantined = diagnosis::quarantine(&causes, &found.speaking);
    let gaps = diagnosis::aims(&found, &quarantined, rows);
    Ok(CalledFor {
        documents: mended::documents(job, base, &found, &gaps.aimed),
        blamed: diagnosis::blamed_teachers(job, &causes),
        gaps,
        quarantined,
    })
}

/// Questions of a result that its student has wrong.
///
/// # Errors
/// A result that cannot be read.
#[cfg(feature = "trainer")]
pub(crate) fn wrong(result: &Path) -> anyhow::Result<u64> {
    let questions = WrongAnswers::read(result, None)?.all();
    Ok(questions.iter().filter(|question| question.wrong).count() as u64)
}

/// Holds wrong answers against a dataset, on a thread of its own, until it is done or a signal comes.
async fn diagnose(
    args: &TrainedArgs,
    shown: usize,
    trained: &Trained,
    job: Option<&Job>,
    questions: Vec<Question>,
    view: &View,
) -> Result<Findings, Failure> {
    let embedder: Option<Arc<dyn Embedder>> = match args.embed.as_str() {
        // What jobs call it.
        "words" | "off" => None,
        name => {
            let loading = workshop::embedder(name, Path::new("."), view).await;
            let loaded = loading.map_err(|error| {
                Failure::Input(error.context(format!(
                    "no vectors by `{name}`: name another model with `--embed`, or `--embed words`"
                )))
            })?;
            Some(loaded)
        }
    };
    let concepts = job.and_then(|job| job.concepts.as_ref());
    let means = Means {
        runtime: Handle::current(),
        embedder,
        validator: job.map_or_else(Settings::default, |job| job.filter.validator.clone()),
        concepts: concepts.map_or_else(Catalogue::default, Catalogue::new),
    };
    let options = Options {
        shown,
        minimum: args.min_rows,
    };
    let dataset = trained.folder.clone();
    let work = move |task: &Task| {
        let mut counting = task.counting("training rows");
        let mut progress = |read: u64| {
            let counted = counting.at(read, None);
            counted.map_err(|_stopped| diagnosis::Error::Interrupted)
        };
        let found = diagnosis::diagnose(&dataset, &questions, &means, &options, &mut progress);
        found.map_err(|error| match error {
            diagnosis::Error::Interrupted => Interrupted.into(),
            other => other.into(),
        })
    };
    carry_out(view.clone(), work).await
}
