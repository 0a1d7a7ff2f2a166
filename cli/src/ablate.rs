//! `gristmill ablate`: what each part of a run earned, in points of a student for each dollar.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use gristmill_blob::LocalBlobs;
use gristmill_coordinator::SeedStore;
use gristmill_domain::training::Training;
use gristmill_jobfile::SettingsFile;
use gristmill_runs::ablation::{Arm, ArmPlan, arms, compared, planned, told, write_arm};
use gristmill_runs::evaluation::EvaluatedStudent;
use gristmill_runs::{EndedRun, Manifest, RunFolder};

use crate::args::{AblateArgs, EvalArgs, OutputStyle};
use crate::failure::Failure;
use crate::view::View;
use crate::{eval, print, train};

pub(crate) async fn ablate(args: AblateArgs, view: View, output: OutputStyle) -> Result<(), Failure> {
    let file = SettingsFile {
        command: "ablate",
        ..SettingsFile::TRAINING
    };
    let training = gristmill_jobfile::training(file, args.recipe.as_deref(), &args.set)
        .map_err(|errors| print::job_errors(&errors))?;
    let folder = RunFolder::open(&args.run).map_err(Failure::Input)?;
    let start = folder.start().map_err(Failure::Input)?;
    let account = folder.account(&start).await.map_err(Failure::Input)?;
    let blobs = LocalBlobs::new(folder.state());
    let ended = EndedRun::read(&blobs, start, account)
        .await
        .map_err(Failure::Input)?;
    let plans = arms(&blobs, &ended.start, &ended.seeds)
        .await
        .map_err(Failure::Input)?;
    let folders = folders(&plans);
    let plans = chosen(plans, &args.arms).map_err(Failure::Input)?;
    if args.dry_run {
        print::either(output, &serde_json::json!({"arms": plans}), &planned(&plans));
        return Ok(());
    }
    let bench = Bench {
        args: &args,
        training,
        blobs: &blobs,
        ended: &ended,
        folders,
        view: view.clone(),
    };
    let mut students = Vec::new();
    for (number, plan) in plans.iter().enumerate() {
        view.say(&format!("arm {} of {}: {}", number + 1, plans.len(), plan.arm));
        students.push(bench.students(plan).await?);
    }
    let results = compared(&plans, &students).map_err(Failure::Input)?;
    let file = args.out.join("ablation.json");
    let written = serde_json::to_vec_pretty(&results).context("the results of the ablation")?;
    std::fs::write(&file, written).with_context(|| format!("{} cannot be written", file.display()))?;
    let json = serde_json::json!({"arms": results, "file": file});
    print::either(output, &json, &told(&results, &file));
    Ok(())
}

/// The arms that were asked for, with the one that all are compared with.
fn chosen(plans: Vec<ArmPlan>, names: &[String]) -> anyhow::Result<Vec<ArmPlan>> {
    let all: Vec<String> = plans.iter().map(|plan| plan.arm.to_string()).collect();
    if let Some(name) = names
        .iter()
        .find(|name| !all.iter().any(|arm| arm.contains(name.as_str())))
    {
        bail!(
            "no arm of this run is called `{name}`: there are {}",
            all.join(", ")
        );
    }
    let wanted = |plan: &ArmPlan| {
        let arm = plan.arm.to_string();
        names.is_empty() || plan.arm == Arm::Filtered || names.iter().any(|name| arm.contains(name.as_str()))
    };
    Ok(plans.into_iter().filter(wanted).collect())
}

/// The name of each arm's folder: the arm's own, with a number where another has the same.
fn folders(plans: &[ArmPlan]) -> BTreeMap<String, String> {
    let mut taken: BTreeMap<String, u32> = BTreeMap::new();
    let mut folders = BTreeMap::new();
    for plan in plans {
        let arm = plan.arm.to_string();
        let name = arm.replace([' ', '/'], "-");
        let so_many = taken.entry(name.clone()).or_default();
        *so_many += 1;
        folders.insert(
            arm,
            match so_many {
                1 => name,
                number => format!("{name}~{number}"),
            },
        );
    }
    folders
}

/// Where arms are trained and evaluated.
struct Bench<'a> {
    args: &'a AblateArgs,
    training: Training,
    blobs: &'a LocalBlobs,
    ended: &'a EndedRun,
    /// By the names of the arms.
    folders: BTreeMap<String, String>,
    view: View,
}

impl Bench<'_> {
    /// Trains an arm as often as is wanted and evaluates its students, or what is left of that.
    async fn students(&self, plan: &ArmPlan) -> Result<Vec<EvaluatedStudent>, Failure> {
        let arm = plan.arm.to_string();
        let folder = self.args.out.join(self.folders.get(&arm).unwrap_or(&arm));
        std::fs::create_dir_all(&folder)
            .with_context(|| format!("the folder {} cannot be made", folder.display()))?;
        let dataset = folder.join("dataset");
        if !self.is_written(&dataset).map_err(Failure::Input)? {
            let EndedRun {
                start,
                seeds,
                finished,
                account,
            } = self.ended;
            write_arm(self.blobs, &dataset, start, seeds, finished, account, &plan.arm)
                .await
                .with_context(|| format!("the dataset of the arm {}", plan.arm))
                .map_err(Failure::Input)?;
        }
        let trained = match plan.arm {
            Arm::Base | Arm::FewShotBase => {
                return Ok(vec![self.evaluated(plan, &folder, self.args.base.clone()).await?]);
            }
            _ => 0..self.args.trainings,
        };
        let mut students = Vec::new();
        for number in trained {
            let student = self.train(&dataset, &folder, number).await?;
            students.push(self.evaluated(plan, &folder, student).await?);
        }
        Ok(students)
    }

    /// Asks a student of an arm the held-out questions.
    async fn evaluated(
        &self,
        plan: &ArmPlan,
        folder: &Path,
        student: String,
    ) -> Result<EvaluatedStudent, Failure> {
        // The run's own rows know references and databases, which the dataset of an arm does not.
        let seeds = SeedStore::load(self.blobs)
            .await
            .context("the run's seeds")
            .map_err(Failure::Input)?;
        let questions = self.questions(folder.join("dataset"), student, folder);
        let inputs = eval::EvalInputs {
            seeds,
            student_shots: match plan.arm {
                Arm::FewShotBase => self.args.shots,
                _ => 0,
            },
        };
        let (_, evaluation) = eval::evaluated(questions, inputs, self.view.clone()).await?;
        EvaluatedStudent::read(evaluation.root()).map_err(Failure::Input)
    }

    /// Whether the arm's dataset is there, of this run as it ended.
    fn is_written(&self, dataset: &Path) -> anyhow::Result<bool> {
        let file = dataset.join("manifest.json");
        if !file.is_file() {
            return Ok(false);
        }
        let text = std::fs::read(&file).with_context(|| format!("{} cannot be read", file.display()))?;
        let there: Manifest =
            serde_json::from_slice(&text).with_context(|| format!("{} is damaged", file.display()))?;
        let run = self.ended.start.run.to_string();
        if there.run != run || there.limit != self.ended.account.limit {
            bail!(
                "{} was made from run {} with a budget of {}, and this is run {run} with one of {}\nhelp: name another folder with `--out`",
                dataset.display(),
                there.run,
                there.limit,
                self.ended.account.limit
            );
        }
        Ok(true)
    }

    /// Trains a student of an arm, with the seed of the training that it is: all arms see theirs in the same order.
    async fn train(&self, dataset: &Path, folder: &Path, number: u32) -> Result<String, Failure> {
        let mut training = self.training.clone();
        training.base = Some(self.args.base.clone());
        training.seed = training.seed.wrapping_add(number);
        let out = folder.join(match number {
            0 => "student".to_owned(),
            number => format!("student-{}", number + 1),
        });
        let trained = train::student(dataset.to_owned(), training, &self.args.base, out, &self.view);
        let (folder, ..) = trained.await?;
        Ok(folder.path().display().to_string())
    }

    fn questions(&self, dataset: PathBuf, student: String, folder: &Path) -> EvalArgs {
        let (asking, out) = (self.args.asking.clone(), folder.join("evaluations"));
        EvalArgs {
            validation: !self.args.test,
            budget: self.args.budget.clone(),
            ..EvalArgs::of(dataset, student, asking, out)
        }
    }
}

#[cfg(test)]
mod tests {
    use gristmill_domain::amount::MicroUsd;

    use super::*;

    #[test]
    fn arms_of_names_that_look_alike_have_folders_of_their_own() {
        let plan = |source: &str| ArmPlan {
            arm: Arm::WithoutSource(source.to_owned()),
            synthetic: 0,
            cost: MicroUsd(0),
        };
        let folders = folders(&[plan("a/b"), plan("a-b"), plan("c d")]);
        let names: std::collections::BTreeSet<_> = folders.values().collect();
        assert_eq!(names.len(), 3, "{folders:?}");
        assert!(names.iter().all(|name| !name.contains('/')), "{folders:?}");
    }

    #[test]
    fn arms_are_chosen_by_their_names_and_the_whole_is_always_there() {
        let plan = |arm: Arm| ArmPlan {
            arm,
            synthetic: 0,
            cost: MicroUsd(0),
        };
        let plans = || {
            vec![
                plan(Arm::Base),
                plan(Arm::Anchor),
                plan(Arm::Filtered),
                plan(Arm::WithoutTeacher("small".to_owned())),
            ]
        };
        let names = |wanted: &[&str]| -> anyhow::Result<Vec<String>> {
            let wanted: Vec<String> = wanted.iter().map(|name| (*name).to_owned()).collect();
            Ok(chosen(plans(), &wanted)?
                .iter()
                .map(|plan| plan.arm.to_string())
                .collect())
        };
        assert_eq!(names(&[]).unwrap().len(), 4);
        assert_eq!(
            names(&["teacher"]).unwrap(),
            ["filtered", "without teacher small"]
        );
        let error = names(&["judge"]).unwrap_err().to_string();
        assert!(
            error.contains("no arm of this run is called `judge`") && error.contains("anchor"),
            "{error}"
        );
    }
}
