//! Held-out rows, asked of a loop's students.

use std::path::{Path, PathBuf};

use anyhow::Context;
use gristmill_domain::amount::{Limit, MicroUsd};
use gristmill_domain::job::EvaluatedRole;
use gristmill_evaluation::{PairedComparison, Proportion};
use gristmill_improvement::{Cost, Student};
use gristmill_runs::RunFolder;
use gristmill_runs::evaluation::Evaluation;

use crate::args::{AskingArgs, EvalArgs};
use crate::failure::Failure;
use crate::view::View;
use crate::{diagnosis, eval};

/// How rows are asked, and where the answers go.
pub(super) struct Questions<'a> {
    pub(super) asking: &'a AskingArgs,
    /// Whether a judge grades, who costs money; students and validators cost none.
    pub(super) judged: bool,
    pub(super) out: PathBuf,
    pub(super) view: View,
}

/// A student on rows that decided nothing before.
pub(super) struct Tested {
    pub(super) evaluation: PathBuf,
    /// False where the job holds out no test rows, and validation rows were asked.
    pub(super) test: bool,
    pub(super) accuracy: Proportion,
    /// Against its base.
    pub(super) change: Option<PairedComparison>,
    pub(super) cost: Cost,
}

impl Questions<'_> {
    /// Asks a student, or the base, the validation rows of a run, for so much at most.
    pub(super) async fn validation(
        &self,
        run: &Path,
        student: &str,
        left: Limit,
    ) -> Result<Student, Failure> {
        let args = EvalArgs {
            validation: true,
            no_base: true,
            ..self.args(run, student, left)
        };
        let (evaluation, folder) = eval::evaluated(args, None, self.view.clone()).await?;
        Ok(Student {
            model: student.to_owned(),
            accuracy: accuracy(&evaluation, &folder)?,
            wrong: diagnosis::wrong(folder.root()).map_err(Failure::Input)?,
            cost: self.cost(&evaluation),
            evaluation: folder.root().to_owned(),
        })
    }

    /// Asks a student and its base the test rows of a run; the validation rows where it has none.
    pub(super) async fn test(&self, run: &Path, student: &Student, left: Limit) -> Result<Tested, Failure> {
        let manifest = RunFolder::open(run).and_then(|folder| folder.manifest());
        let manifest = manifest.map_err(Failure::Input)?.unwrap_or_default();
        let test = manifest["rows"]["test"].as_u64().is_some_and(|rows| rows > 0);
        let args = EvalArgs {
            validation: !test,
            ..self.args(run, &student.model, left)
        };
        let (evaluation, folder) = eval::evaluated(args, None, self.view.clone()).await?;
        let of_base = evaluation
            .comparisons
            .iter()
            .find(|comparison| comparison.role == EvaluatedRole::Base);
        Ok(Tested {
            test,
            accuracy: accuracy(&evaluation, &folder)?,
            change: of_base.and_then(|comparison| comparison.overall),
            cost: self.cost(&evaluation),
            evaluation: folder.root().to_owned(),
        })
    }

    fn args(&self, run: &Path, student: &str, left: Limit) -> EvalArgs {
        EvalArgs {
            dataset: run.to_owned(),
            student: Some(student.to_owned()),
            previous: None,
            base: None,
            no_base: false,
            teacher: false,
            model: None,
            key_env: None,
            price: None,
            validation: false,
            asking: self.asking.clone(),
            budget: self.judged.then(|| budget(left)),
            out: self.out.clone(),
            set: Vec::new(),
        }
    }

    /// What asking cost. Where no judge grades, all that answers is on this machine, and counts against no budget.
    fn cost(&self, evaluation: &Evaluation) -> Cost {
        match self.judged {
            false => Cost::default(),
            true => Cost {
                usd: MicroUsd(evaluation.spend.iter().map(|part| part.usd_micros).sum()),
                calls: evaluation.spend.iter().map(|part| part.calls).sum(),
            },
        }
    }
}

/// A limit as `gristmill eval` takes it.
fn budget(limit: Limit) -> String {
    let usd = limit.usd.map(|usd| format!("{}usd", usd.as_usd()));
    let calls = limit.calls.map(|calls| format!("{calls}calls"));
    [usd, calls].into_iter().flatten().collect::<Vec<_>>().join(",")
}

fn accuracy(evaluation: &Evaluation, folder: &RunFolder) -> anyhow::Result<Proportion> {
    let student = evaluation.student().and_then(|model| model.scorecard.as_ref());
    let card = student.with_context(|| format!("no question was answered in {}", folder.root().display()))?;
    Ok(card.accuracy)
}
