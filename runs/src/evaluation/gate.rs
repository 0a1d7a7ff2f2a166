//! What a gate looks at: a result, and the one that it is held against.

use std::path::Path;

use anyhow::{Context, bail};
use gristmill_domain::job::EvaluatedRole;
use gristmill_evaluation::collapse::{CollapseSettings, GenerationReport, detect};
use gristmill_evaluation::gate::{GateInputs, GatePolicy};
use gristmill_evaluation::{
    Confidence, GradedAnswer, GradedSet, PairedComparison, Scorecard, SliceKey, compare_slices,
};

use super::figures::{Evaluation, ModelFigures, keys};
use super::grading::StoredAnswer;

/// A result with its answers.
#[derive(Debug)]
pub struct EvaluatedStudent {
    evaluation: Evaluation,
    answers: Vec<StoredAnswer>,
}

impl EvaluatedStudent {
    /// Reads a result.
    ///
    /// # Errors
    /// What is missing or damaged.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        Ok(Self {
            evaluation: super::read_evaluation(path)?,
            answers: super::read_answers(path)?,
        })
    }

    /// The figures.
    pub fn evaluation(&self) -> &Evaluation {
        &self.evaluation
    }

    /// The change from another student to this one, on the same questions; `None` where no question was answered by both.
    ///
    /// # Errors
    /// Results without a student, of other questions or graded in another way.
    pub fn change_from(
        &self,
        before: &Self,
        confidence: Confidence,
    ) -> anyhow::Result<Option<PairedComparison>> {
        comparable(&self.evaluation, &before.evaluation)?;
        let [before, after] = [before, self].map(|one| one.set(&one.student()?.model));
        Ok(PairedComparison::of(&before?, &after?, confidence))
    }

    fn student(&self) -> anyhow::Result<&ModelFigures> {
        self.evaluation.student().with_context(|| {
            format!(
                "the result of run {} has no model with the role `student`, so that there is none to let through",
                self.evaluation.run
            )
        })
    }

    fn set(&self, model: &str) -> anyhow::Result<GradedSet> {
        let of_model = self.answers.iter().filter(|answer| answer.model == model);
        let answers: Vec<GradedAnswer> = of_model.map(|answer| answer.graded.clone()).collect();
        GradedSet::new(answers).with_context(|| format!("the answers of `{model}`"))
    }

    /// The model that the student is held against, of this result alone: the one that it is to replace, or else its base.
    fn before(&self) -> Option<&ModelFigures> {
        let of_role = |role| self.evaluation.models.iter().find(|model| model.role == role);
        of_role(EvaluatedRole::Previous).or_else(|| of_role(EvaluatedRole::Base))
    }
}

/// What a gate looks at. The student is held against that of another result, or, without one, against the model that this result names as
/// the one before it.
///
/// # Errors
/// Results without a student, of other questions or graded in another way.
pub fn gate_inputs(
    policy: &GatePolicy,
    result: &EvaluatedStudent,
    before: Option<&EvaluatedStudent>,
) -> anyhow::Result<GateInputs> {
    let student = result.set(&result.student()?.model)?;
    let baseline = match before {
        None => result
            .before()
            .map(|model| result.set(&model.model))
            .transpose()?,
        Some(before) => {
            comparable(result.evaluation(), before.evaluation())?;
            Some(before.set(&before.student()?.model)?)
        }
    };
    let mut inputs = GateInputs {
        scorecard: Scorecard::of(&student, policy.confidence),
        judge: result.evaluation.judge,
        ..GateInputs::default()
    };
    let Some(baseline) = baseline else {
        return Ok(inputs);
    };
    inputs.comparison = PairedComparison::of(&baseline, &student, policy.confidence);
    for (name, key) in keys(&student) {
        if policy.slices.contains(&name) {
            let mut slices = compare_slices(&baseline, &student, &key, policy.confidence);
            // Two keys may have slices of one name.
            slices
                .iter_mut()
                .for_each(|slice| slice.name = format!("{name} {}", slice.name));
            inputs.slices.append(&mut slices);
        }
    }
    let settings = CollapseSettings {
        confidence: policy.confidence,
        ..settings(result.evaluation())
    };
    let reports = detect(&baseline, &[("student", &student)], Some(&tier()), &settings);
    inputs.collapse = reports.into_iter().next();
    Ok(inputs)
}

fn settings(evaluation: &Evaluation) -> CollapseSettings {
    CollapseSettings {
        chance: evaluation.chance.unwrap_or_default(),
        judge: evaluation.judge,
        ..CollapseSettings::default()
    }
}

/// Rare knowledge goes first.
fn tier() -> SliceKey {
    SliceKey::Named("tier".to_owned())
}

/// The stage of knowledge collapse of each generation, held against a baseline; all of them are one family, so that the tenth is not called
/// collapsed because so many were looked at.
///
/// # Errors
/// Results without a student, of other questions or graded in another way.
pub fn stages(
    baseline: &EvaluatedStudent,
    generations: &[(String, EvaluatedStudent)],
) -> anyhow::Result<Vec<GenerationReport>> {
    let before = baseline.set(&baseline.student()?.model)?;
    let mut sets = Vec::new();
    for (name, generation) in generations {
        comparable(generation.evaluation(), baseline.evaluation())
            .with_context(|| format!("the generation {name}"))?;
        sets.push((name.as_str(), generation.set(&generation.student()?.model)?));
    }
    let named: Vec<(&str, &GradedSet)> = sets.iter().map(|(name, set)| (*name, set)).collect();
    Ok(detect(
        &before,
        &named,
        Some(&tier()),
        &settings(baseline.evaluation()),
    ))
}

/// Refuses to compare what was asked or graded otherwise.
fn comparable(now: &Evaluation, before: &Evaluation) -> anyhow::Result<()> {
    let differs = [
        (
            now.questions_hash != before.questions_hash,
            "asks other questions",
        ),
        (now.formats != before.formats, "asks in other formats"),
        (now.graded_by != before.graded_by, "grades in another way"),
    ];
    match differs.iter().find(|(differs, _)| *differs) {
        None => Ok(()),
        Some((_, how)) => bail!(
            "the result before (run {}) {how}: evaluate both students alike, or in one evaluation with `--previous`",
            before.run
        ),
    }
}
