//! `gristmill gate`: whether a student may be used, as an exit code.

use std::path::Path;

use anyhow::{anyhow, bail};
use gristmill_dataset::Split;
use gristmill_domain::job::{HeldOut, Problem};
use gristmill_domain::near::nearest;
use gristmill_evaluation::gate::{AnchorRows, GateDecision, GatePolicy, GateReport, SLICES, decide};
use gristmill_jobfile::SettingsFile;
use gristmill_lineage::{Lineage, Question};
use gristmill_proto::FormatVersion;
use gristmill_runs::evaluation::{
    EvaluatedStudent, StoredGate, gate_inputs, read_evaluation, read_items, store_gate,
};
use serde_json::json;

use crate::args::{GateArgs, OutputStyle};
use crate::failure::Failure;
use crate::view::View;
use crate::{generation, print};

/// The file of a gate's policy.
const POLICY: SettingsFile = SettingsFile {
    name: "gate file",
    command: "gate",
    option: "--set",
};

/// Names of parts that no set has.
fn unknown_slices(policy: &GatePolicy) -> Vec<Problem> {
    let slices = policy.slices.iter().enumerate();
    let unknown = slices.filter(|(_, slice)| !SLICES.contains(&slice.as_str()));
    unknown
        .map(|(place, slice)| Problem {
            path: format!("slices.{place}"),
            message: format!("a set has no parts by `{slice}`"),
            help: match nearest(slice, SLICES) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("there are {}", SLICES.join(", ")),
            },
        })
        .collect()
}

/// The generation that the student of a result was trained on: the one that the result tells, or else the one that is `named`. `None` where neither
/// is known: then it is taken to be the newest.
///
/// # Errors
/// A student that was trained on something else.
fn trained_on(result: &Path, lineage: &Path, named: Option<u32>) -> anyhow::Result<Option<u32>> {
    let evaluation = read_evaluation(result)?;
    let student = evaluation.student();
    let Some(hash) = student.and_then(|student| student.trained_on.as_ref()) else {
        return Ok(named);
    };
    let opened = Lineage::open(lineage)?;
    let mut generations = opened.file().generations.iter();
    let Some(found) = generations.find(|entry| entry.manifest == *hash) else {
        bail!(
            "the student was trained on a dataset that is no generation of {}\nhelp: name the lineage of its training set, or train it on one of \
             this lineage's generations",
            lineage.display()
        );
    };
    match named {
        Some(named) if named != found.number => bail!(
            "the student was trained on generation {}, and not on generation {named}\nhelp: leave `--generation` out",
            found.number
        ),
        _ => Ok(Some(found.number)),
    }
}

/// The questions of a result.
fn asked(result: &Path) -> anyhow::Result<Vec<Question>> {
    let split = match read_evaluation(result)?.split {
        HeldOut::Test => Split::Test,
        HeldOut::Validation => Split::Validation,
    };
    let items = read_items(result)?.into_iter().map(|item| Question {
        split,
        place: item.place,
        question: item.question,
    });
    Ok(items.collect())
}

pub(crate) async fn gate(args: GateArgs, view: View, output: OutputStyle) -> Result<(), Failure> {
    let policy: GatePolicy =
        gristmill_jobfile::settings(POLICY, args.policy.as_deref(), &args.set, unknown_slices)
            .map_err(|errors| print::job_errors(&errors))?;
    let not_searched = args.lineage.is_none() && (policy.anchor_kept || policy.no_leaks);
    let training_set = match args.lineage {
        None => None,
        Some(lineage) => {
            let trained_on = trained_on(&args.result, &lineage, args.generation).map_err(Failure::Input)?;
            let options = generation::leaks(args.leaks);
            let checked = generation::checked(lineage.clone(), trained_on, &options, view.clone()).await?;
            // The result may have asked other questions than those that the lineage holds out.
            let asked = asked(&args.result).map_err(Failure::Input)?;
            let number = checked.generation;
            let asked = generation::work(view.clone(), move |task| {
                Lineage::open(&lineage)?.asked_leaks(number, &asked, &options, task)
            });
            Some((checked, asked.await?))
        }
    };
    if let Some(fault) = training_set
        .as_ref()
        .and_then(|(checked, _)| checked.faults.first())
    {
        return Err(Failure::Input(anyhow!(
            "the generation is not as it was made: {fault}\nhelp: `gristmill generation check` says more"
        )));
    }
    let searched = training_set.as_ref().map(|(checked, _)| checked.generation);
    for leaks in training_set
        .iter()
        .flat_map(|(checked, asked)| [&checked.leaks, asked])
    {
        if leaks.count > 0 {
            view.warn(&leaks.to_string());
        }
    }
    let decided = tokio::task::spawn_blocking(
        move || -> anyhow::Result<(GateReport, String, Option<anyhow::Error>)> {
            let result = EvaluatedStudent::read(&args.result)?;
            let before = args.before.as_deref().map(EvaluatedStudent::read).transpose()?;
            let mut inputs = gate_inputs(&policy, &result, before.as_ref())?;
            if let Some(asked) = &args.regression {
                let asked = EvaluatedStudent::read(asked)?;
                inputs.regression = Some(asked.regression(&result, policy.confidence)?);
            }
            if let Some((checked, asked)) = training_set {
                inputs.anchor = Some(AnchorRows {
                    expected: checked.anchor_expected,
                    present: checked.anchor_present,
                });
                // Questions that the lineage holds out are counted by both.
                inputs.leaks = Some(checked.leaks.count.max(asked.count));
            }
            let student = result.evaluation().student().map(|model| model.model.clone());
            let gate = StoredGate {
                format: FormatVersion,
                generation: searched,
                report: decide(&policy, &inputs),
                policy,
            };
            // A result that may only be read has a gate all the same.
            let unwritten = store_gate(&args.result, &gate).err();
            Ok((gate.report, student.unwrap_or_default(), unwritten))
        },
    );
    let decided = decided.await.map_err(|error| Failure::Other(anyhow!(error)))?;
    let (report, student, unwritten) = decided.map_err(Failure::Input)?;
    if let Some(error) = unwritten {
        view.warn(&format!(
            "what the gate says is not kept beside the result: {error:#}"
        ));
    }
    let mut told = report.explain();
    if let Some(generation) = searched {
        told.push_str(&format!(" The training set is that of generation {generation}."));
    }
    let json = json!({
        "student": student, "generation": searched, "decision": report.decision, "checks": report.checks, "told": told,
    });
    print::either(output, &json, &told);
    match report.decision {
        GateDecision::Pass => Ok(()),
        GateDecision::Fail { .. } => Err(Failure::NotPassed(
            "the student does not pass the gate".to_owned(),
        )),
        GateDecision::Inconclusive { .. } => {
            let mut why = "the data do not decide whether the student passes the gate".to_owned();
            if not_searched {
                why.push_str(
                    "\nhelp: `--lineage DIR` searches the training set for its real rows and for held-out items",
                );
            }
            Err(Failure::Undecided(why))
        }
    }
}
