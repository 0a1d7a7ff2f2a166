//! What the arms came to.

use std::path::Path;

use anyhow::Context;
use gristmill_domain::amount::MicroUsd;
use gristmill_domain::stats::{Interval, holm};
use gristmill_domain::words::{self, thousands};
use gristmill_evaluation::{Confidence, PairedComparison, PointsPerUnit, Proportion, RepeatedComparison};
use serde::Serialize;

use super::{Arm, ArmPlan};
use crate::evaluation::EvaluatedStudent;
use crate::evaluation::words::{percent, signed, signed_range};

/// The p-value under which a part is called useful or harmful.
const CLEAR: f64 = 0.05;

/// An arm, trained and evaluated.
#[derive(Debug, Clone, Serialize)]
pub struct ArmResult {
    /// The arm.
    #[serde(flatten)]
    pub plan: ArmPlan,
    /// Its students, one for each training; of the base, the base alone.
    pub students: Vec<ArmStudent>,
    /// The arm against the run's own dataset; `None` for that itself.
    pub change: Option<ArmChange>,
    /// Of an arm that leaves a part out: what the part earned, in points of accuracy for each dollar that it cost.
    pub points_per_usd: Option<PointsPerUnit>,
    /// What is known of the part that it leaves out.
    pub verdict: Option<Verdict>,
}

/// A student of an arm.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct ArmStudent {
    /// Its accuracy.
    pub accuracy: Option<Proportion>,
    /// Against the student of the run's own dataset that was trained with the same seed.
    pub change: Option<PairedComparison>,
}

/// An arm against the run's own dataset.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ArmChange {
    /// Accuracy of the arm less that of the whole, −1 to 1; the mean over trainings.
    pub change: f64,
    /// Where it lies. Of one training, it carries the doubt about the questions alone.
    pub interval: Interval,
    /// Two-sided p-value of no change.
    pub p_value: f64,
    /// The part of its standard error that the training brings; `None` of one training.
    pub of_trainings: Option<f64>,
}

impl ArmChange {
    /// Of the comparisons of each training; `None` without any.
    fn of(trainings: &[PairedComparison], confidence: Confidence) -> Option<Self> {
        match RepeatedComparison::of(trainings, confidence) {
            Some(found) => Some(Self {
                change: found.change,
                interval: found.interval,
                p_value: found.p_value,
                of_trainings: Some(found.of_trainings),
            }),
            None => trainings.first().map(|found| Self {
                change: found.change,
                interval: found.interval,
                p_value: found.p_value,
                of_trainings: None,
            }),
        }
    }
}

impl ArmResult {
    /// Mean accuracy of its students.
    fn accuracy(&self) -> Option<f64> {
        let known: Vec<f64> = self
            .students
            .iter()
            .filter_map(|one| Some(one.accuracy?.value))
            .collect();
        (!known.is_empty()).then(|| known.iter().sum::<f64>() / known.len() as f64)
    }
}

/// What is known of a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Without it the student is worse.
    Useful,
    /// Without it the student is better.
    Harmful,
    /// The data do not show that it matters.
    NotShown,
}

/// Compares the students of all arms with those of the run's own dataset, on the same questions. An arm has as many students as it was trained
/// times; one that is not trained has one, which is compared with each of the others.
///
/// # Errors
/// Results without a student, or of other questions; no arm with the run's own dataset.
pub fn compared(plans: &[ArmPlan], students: &[Vec<EvaluatedStudent>]) -> anyhow::Result<Vec<ArmResult>> {
    let confidence = Confidence::default();
    let whole = plans.iter().position(|plan| plan.arm == Arm::Filtered);
    let whole = whole
        .and_then(|place| students.get(place))
        .context("the run's own dataset is no arm")?;
    let result = |(plan, students): (&ArmPlan, &Vec<EvaluatedStudent>)| -> anyhow::Result<ArmResult> {
        let against = |student: &EvaluatedStudent, whole: &EvaluatedStudent| match plan.arm {
            Arm::Filtered => Ok(None),
            _ => student.change_from(whole, confidence),
        };
        let pairs = students
            .iter()
            .cycle()
            .zip(whole)
            .take(match students.is_empty() {
                true => 0,
                false => whole.len(),
            });
        let changes = pairs.map(|(student, whole)| against(student, whole));
        let changes = changes.collect::<anyhow::Result<Vec<_>>>()?;
        let told = students.iter().zip(&changes).map(|(student, change)| {
            let model = student.evaluation().student();
            let card = model.and_then(|model| model.scorecard.as_ref());
            ArmStudent {
                accuracy: card.map(|card| card.accuracy),
                change: *change,
            }
        });
        let compared: Vec<PairedComparison> = changes.iter().flatten().copied().collect();
        let change = ArmChange::of(&compared, confidence);
        let left_out = change.as_ref().filter(|_| plan.arm.leaves_one_out());
        let usd = plan.cost.as_usd();
        Ok(ArmResult {
            points_per_usd: left_out.and_then(|found| PointsPerUnit::of(-found.change, earned(found), usd)),
            verdict: None,
            plan: plan.clone(),
            students: told.collect(),
            change,
        })
    };
    let results = plans.iter().zip(students).map(result);
    let mut results = results.collect::<anyhow::Result<Vec<_>>>()?;
    judge(&mut results);
    results.splice(0..0, majority_class(whole, confidence)?);
    Ok(results)
}

/// Where the change lies that a part made: what is lost without it is what it earned.
fn earned(without: &ArmChange) -> Interval {
    Interval {
        low: -without.interval.high,
        high: -without.interval.low,
    }
}

/// What always saying the most frequent answer comes to, held against the run's own dataset; `None` where answers are no labels.
fn majority_class(whole: &[EvaluatedStudent], confidence: Confidence) -> anyhow::Result<Option<ArmResult>> {
    let found = whole.iter().map(|student| student.majority_class(confidence));
    let found = found.collect::<anyhow::Result<Option<Vec<_>>>>()?;
    let Some((majority, _)) = found.as_ref().and_then(|found| found.first()) else {
        return Ok(None);
    };
    let changes: Vec<PairedComparison> = found.iter().flatten().filter_map(|(_, change)| *change).collect();
    Ok(Some(ArmResult {
        plan: ArmPlan {
            arm: Arm::MajorityClass,
            synthetic: 0,
            cost: MicroUsd(0),
        },
        students: vec![ArmStudent {
            accuracy: Some(majority.accuracy),
            change: changes.first().copied(),
        }],
        change: ArmChange::of(&changes, confidence),
        points_per_usd: None,
        verdict: None,
    }))
}

/// Says of each part that is left out whether it mattered. Of many parts, one seems to by chance: p-values are adjusted for their number (Holm 1979).
fn judge(results: &mut [ArmResult]) {
    let mut judged: Vec<(&mut Option<Verdict>, ArmChange)> = results
        .iter_mut()
        .filter(|result| result.plan.arm.leaves_one_out())
        .filter_map(|result| Some((&mut result.verdict, result.change?)))
        .collect();
    let p_values: Vec<f64> = judged.iter().map(|(_, found)| found.p_value).collect();
    for ((verdict, found), p) in judged.iter_mut().zip(holm(&p_values)) {
        **verdict = Some(match p < CLEAR {
            true if found.change < 0.0 => Verdict::Useful,
            true if found.change > 0.0 => Verdict::Harmful,
            _ => Verdict::NotShown,
        });
    }
}

/// The arms before anything is trained.
pub fn planned(plans: &[ArmPlan]) -> String {
    let mut text = format!("{:<40} {:>14} {:>12}\n", "arm", "synthetic rows", "cost");
    for plan in plans {
        text.push_str(&format!(
            "{:<40} {:>14} {:>12}\n",
            plan.arm.to_string(),
            thousands(plan.synthetic),
            plan.cost.to_string()
        ));
    }
    text
}

/// What the arms came to, in words.
pub fn told(results: &[ArmResult], file: &Path) -> String {
    let mut text = format!(
        "{:<36} {:>9} {:>9}  {:<16} {:>22}\n",
        "arm", "synthetic", "accuracy", "95 % interval", "against filtered"
    );
    for result in results {
        let accuracy = result.accuracy().map_or_else(|| "-".to_owned(), percent);
        let single = match result.students.as_slice() {
            [one] => one.accuracy,
            _ => None,
        };
        let interval = single.map_or_else(String::new, |found| {
            format!(
                "{:.1} to {:.1}",
                100.0 * found.interval.low,
                100.0 * found.interval.high
            )
        });
        let change = result.change.as_ref().map_or_else(String::new, |found| {
            format!("{} ({})", signed(found.change), signed_range(found.interval))
        });
        text.push_str(&format!(
            "{:<36} {:>9} {:>9}  {:<16} {:>22}\n",
            result.plan.arm.to_string(),
            thousands(result.plan.synthetic),
            accuracy,
            interval,
            change
        ));
    }
    let trainings = results.iter().map(|result| result.students.len()).max();
    if let Some(trainings) = trainings.filter(|trainings| *trainings > 1) {
        text.push_str(&format!(
            "means over {trainings} trainings; intervals of changes carry the doubt about the questions and about the training\n"
        ));
    }
    text.push('\n');
    for result in results {
        if let (Some(verdict), Some(found)) = (result.verdict, &result.change) {
            text.push_str(&format!("{}\n", sentence(result, verdict, found)));
        }
    }
    text.push_str(&format!("results: {}\n", file.display()));
    text
}

/// `filter judge cost $41.00 and earned 0.2 points (−0.4 to +0.8): not shown to matter`.
fn sentence(result: &ArmResult, verdict: Verdict, without: &ArmChange) -> String {
    let part = result.plan.arm.to_string();
    let part = part.strip_prefix("without ").unwrap_or(&part);
    let cost = match result.plan.cost {
        MicroUsd(0) => "asked nobody".to_owned(),
        cost => format!("cost {cost}"),
    };
    let per_usd = result.points_per_usd.map_or_else(String::new, |earned| {
        format!(", {} points a dollar", words::signed(earned.value))
    });
    let judged = match verdict {
        Verdict::Useful => "useful",
        Verdict::Harmful => "harmful",
        Verdict::NotShown => "not shown to matter",
    };
    format!(
        "{part} {cost} and earned {} points ({}){per_usd}: {judged}",
        signed(-without.change),
        signed_range(earned(without))
    )
}
