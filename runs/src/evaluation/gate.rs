//! What a gate looks at: a result, and the one that it is held against.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, bail};
use gristmill_domain::job::EvaluatedRole;
use gristmill_evaluation::collapse::{CollapseSettings, GenerationReport, detect};
use gristmill_evaluation::gate::{GateInputs, GatePolicy, NotCompared, RegressionFigures};
use gristmill_evaluation::{
    Confidence, Grade, GradedAnswer, GradedSet, PairedComparison, Scorecard, SliceKey, compare_slices,
};

use super::figures::{Evaluation, KNOWN, ModelFigures, Parting, partings};
use super::grading::StoredAnswer;
use super::items::ANSWER;

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

    /// What always saying the most frequent label comes to on the questions that the student answered, and its change from the student; `None` where
    /// answers are no labels.
    ///
    /// # Errors
    /// Results without a student.
    pub fn majority_class(
        &self,
        confidence: Confidence,
    ) -> anyhow::Result<Option<(Scorecard, Option<PairedComparison>)>> {
        let student = self.set(&self.student()?.model)?;
        let label = |answer: &GradedAnswer| answer.slices.get(ANSWER).cloned();
        // Each question counts once, in however many formats it was asked.
        let items: BTreeMap<&str, String> = student
            .answers()
            .iter()
            .filter_map(|answer| Some((answer.item.as_str(), label(answer)?)))
            .collect();
        let mut counts: BTreeMap<&String, u64> = BTreeMap::new();
        items
            .values()
            .for_each(|label| *counts.entry(label).or_default() += 1);
        let most = counts
            .into_iter()
            .max_by_key(|(name, count)| (*count, Reverse(*name)));
        let Some((most, _)) = most else {
            return Ok(None);
        };
        let said = student.answers().iter().map(|answer| GradedAnswer {
            grade: Grade::of(label(answer).as_ref() == Some(most)),
            ..answer.clone()
        });
        let said = GradedSet::new(said.collect())?;
        let change = PairedComparison::of(&student, &said, confidence);
        Ok(Scorecard::of(&said, confidence).map(|card| (card, change)))
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
    /// A result of one model alone has none: that model is the student.
    fn before(&self) -> Option<&ModelFigures> {
        let student = self.evaluation.student().map(|model| &model.model);
        let mut models = self.evaluation.models.iter();
        let previous = models.find(|model| model.role == EvaluatedRole::Previous);
        let held_against = [previous, self.evaluation.base()];
        let mut others = held_against.into_iter().flatten();
        others.find(|model| Some(&model.model) != student)
    }

    /// What this result of a regression set says of the student of another result: the change from its base.
    ///
    /// # Errors
    /// A result that asked another student, or no base.
    pub fn regression(&self, of: &Self, confidence: Confidence) -> anyhow::Result<RegressionFigures> {
        let (student, expected) = (self.student()?, of.student()?);
        let other_weights =
            || student.weights.is_some() && expected.weights.is_some() && student.weights != expected.weights;
        if student.model != expected.model || other_weights() {
            bail!(
                "the regression set (run {}) was asked of `{}`, and the result (run {}) is of `{}`{}\nhelp: ask both of one student, with \
                 `gristmill eval … --regression FILE`",
                self.evaluation.run,
                student.model,
                of.evaluation.run,
                expected.model,
                if other_weights() {
                    ", with other weights"
                } else {
                    ""
                }
            );
        }
        let base = self.evaluation.base().filter(|base| base.model != student.model);
        let base = base.with_context(|| {
            format!(
                "the base was not asked the regression set (run {}), so that nothing says what the student has unlearned\nhelp: name the base \
                 with `--base`, and leave `--no-base` out",
                self.evaluation.run
            )
        })?;
        let (before, after) = (self.set(&base.model)?, self.set(&student.model)?);
        Ok(RegressionFigures {
            comparison: PairedComparison::of(&before, &after, confidence),
            judge: self.evaluation.judge,
            unanswered: self.unanswered(&before) + self.unanswered(&after),
        })
    }

    /// Questions of a model that have no answer, or none that was graded.
    fn unanswered(&self, set: &GradedSet) -> u64 {
        let asked = self.evaluation.questions * self.evaluation.formats.len() as u64;
        asked.saturating_sub(set.answers().len() as u64)
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
    let (asked, of_before) = match before {
        None => (result, result.before()),
        Some(before) => {
            comparable(result.evaluation(), before.evaluation())?;
            (before, Some(before.student()?))
        }
    };
    let baseline = of_before.map(|model| asked.set(&model.model)).transpose()?;
    let missing_before = baseline.as_ref().map_or(0, |set| asked.unanswered(set));
    let mut inputs = GateInputs {
        scorecard: Scorecard::of(&student, policy.confidence),
        judge: result.evaluation.judge,
        unanswered: result.unanswered(&student) + missing_before,
        ..GateInputs::default()
    };
    let Some(baseline) = baseline else {
        return Ok(inputs);
    };
    inputs.comparison = PairedComparison::of(&baseline, &student, policy.confidence);
    let base = result.evaluation.base();
    let known = match (base, of_before) {
        (None, _) => Err(NotCompared::NoBase),
        (Some(base), Some(before)) if std::ptr::eq(base, before) => Err(NotCompared::BaseItself),
        (Some(base), _) => Ok(result.set(&base.model)?),
    };
    let [parted_before, parted] = [&baseline, &student].map(|set| match &known {
        Ok(base) => set.parted_by_known(base),
        Err(_) => set.clone(),
    });
    if let Err(why) = known
        && policy.slices.iter().any(|slice| slice == KNOWN)
    {
        inputs.not_compared.push((KNOWN.to_owned(), why));
    }
    let wanted = partings(&parted)
        .into_iter()
        .filter(|parting| policy.slices.contains(&parting.name));
    for Parting { name, key, too_many } in wanted {
        if too_many {
            inputs.not_compared.push((name, NotCompared::TooMany));
            continue;
        }
        let mut slices = compare_slices(&parted_before, &parted, &key, policy.confidence);
        // Two keys may have slices of one name.
        slices
            .iter_mut()
            .for_each(|slice| slice.name = format!("{name} {}", slice.name));
        inputs.slices.append(&mut slices);
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
    let hashes = [&now.grading_hash, &before.grading_hash];
    let graded_otherwise = now.graded_by != before.graded_by
        || (hashes[0] != hashes[1] && hashes.iter().all(|hash| !hash.is_empty()));
    let differs = [
        (
            now.questions_hash != before.questions_hash,
            "asks other questions",
        ),
        (now.formats != before.formats, "asks in other formats"),
        (graded_otherwise, "grades in another way"),
    ];
    match differs.iter().find(|(differs, _)| *differs) {
        None => Ok(()),
        Some((_, how)) => bail!(
            "the result before (run {}) {how}: evaluate both students alike, or in one evaluation with `--previous`",
            before.run
        ),
    }
}
