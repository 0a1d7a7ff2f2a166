//! A regression set: questions beside the task, asked of the student and its base.

use std::path::{Path, PathBuf};

use anyhow::bail;
use gristmill_domain::job::{EvaluatedRole, Filter, Job};
use gristmill_jobfile::{Check, Sample};
use serde_json::json;

use super::{Source, job};
use crate::args::EvalArgs;

/// Its job, and the arguments that it follows from.
pub(super) struct Regression {
    pub(super) args: EvalArgs,
    pub(super) job: Job,
}

impl Regression {
    /// Reads the first rows of the table: which columns hold question and answer, and how answers are graded, is told as `init` tells it.
    pub(super) fn of(args: &EvalArgs, file: &Path, mut source: Source) -> anyhow::Result<Self> {
        let path = file.display().to_string();
        let named = args.regression_fields.iter().cloned().collect();
        let sample = Sample::read(&path, Path::new("."), &named)?;
        let args = EvalArgs {
            dataset: PathBuf::from(&path),
            previous: None,
            shots: None,
            teacher: false,
            validation: false,
            regression: None,
            regression_fields: Vec::new(),
            // Those that were looked at, of more: a set that is asked before every release does not have to be large.
            asking: crate::args::AskingArgs {
                questions: (!sample.complete).then_some(sample.rows),
                ..args.asking.clone()
            },
            // Overrides are meant for the job of the task.
            set: Vec::new(),
            ..args.clone()
        };
        source.seeds = None;
        source.test = sample.rows;
        source.job.judge = None;
        source.job.filter = Filter {
            validator: serde_json::from_value(validator(&sample.check, &path)?)?,
            ..Filter::default()
        };
        source.job.generate.agreement = Default::default();
        // The dataset's own subject is not that of other questions.
        source.job.generate.subject = String::new();
        source.job.seeds.fields = sample.fields.clone();
        let mut job = job(&args, &source, 0)?;
        let roles: Vec<EvaluatedRole> = job
            .evaluate
            .iter()
            .flat_map(|evaluate| &evaluate.models)
            .map(|model| model.role)
            .collect();
        for (role, missing, way) in [
            (
                EvaluatedRole::Student,
                "no student is named",
                "name it with `--student`",
            ),
            (
                EvaluatedRole::Base,
                "nothing says which model the student began with",
                "name it with `--base`",
            ),
        ] {
            if !roles.contains(&role) {
                bail!("`--regression` holds the student against its base, and {missing}\nhelp: {way}");
            }
        }
        job.seeds.path = vec![path];
        job.seeds.format = None;
        job.seeds.fields = sample.fields;
        Ok(Self { args, job })
    }
}

/// What grades the answers: numbers exactly, labels by name, all else by its words.
fn validator(check: &Check, path: &str) -> anyhow::Result<serde_json::Value> {
    Ok(match check {
        Check::Number => json!({"kind": "number"}),
        Check::Label(labels) => json!({"kind": "label", "labels": labels}),
        Check::Text => json!({"kind": "text"}),
        Check::Open => json!({"kind": "none"}),
        Check::Sql(_) => bail!(
            "the answers of {path} are queries, which a regression set cannot run\nhelp: ask them in a job with the section `evaluate`"
        ),
    })
}
