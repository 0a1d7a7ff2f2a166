//! The journal's answers, graded.

use std::collections::{BTreeMap, HashMap};
use std::io::Write;
use std::path::Path;

use anyhow::Context;
use gristmill_coordinator::{EvaluationPlan, EvaluationTask, Journal, Start, TaskResult};
use gristmill_domain::answer::grounding;
use gristmill_domain::answer::label::Labels;
use gristmill_domain::held_out::final_answer;
use gristmill_domain::job::{GradedBy, Job, PromptFormat};
use gristmill_domain::reply::Value;
use gristmill_domain::work::{Address, HeldOutAnswer, Output};
use gristmill_evaluation::form::AnswerForm;
use gristmill_evaluation::grade::{TextRule, abstains, by_judge, by_text};
use gristmill_evaluation::{Grade, GradedAnswer, GradedSet, JudgeQuality};
use gristmill_ports::blob::Blobs;
use gristmill_proto::SegmentKind;
use serde::{Deserialize, Serialize};

use super::items::StoredItem;

/// Words of a short answer, at most.
const SHORT_WORDS: usize = 12;

/// An answer to a held-out question, as it is stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StoredAnswer {
    /// Name of the model.
    pub model: String,
    /// Its grade and what it belongs to.
    #[serde(flatten)]
    pub graded: GradedAnswer,
    /// What the model said.
    pub reply: String,
    /// What the validator or the judge has to say of it; empty where that is nothing.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// The reply was cut off at the most tokens allowed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cut: bool,
    /// Numbers and names that the passage does not have, where the question has a passage and the answer says something of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ungrounded: Option<Vec<String>>,
    /// What it cost, its grade included, micro-dollars.
    pub cost_usd_micros: u64,
}

/// What all answers come to.
#[derive(Debug, Default)]
pub(super) struct Graded {
    /// By model, in the order of the job.
    pub(super) models: Vec<GradedModel>,
    /// How often the judge was right where the truth is known; `None` where none grades.
    pub(super) judge: Option<JudgeQuality>,
    /// Grades of the judge that could not be read, or that failed.
    pub(super) unread_grades: u64,
    /// Answers that the judge was never asked about.
    pub(super) not_judged: u64,
}

/// The answers of one model.
#[derive(Debug, Default)]
pub(super) struct GradedModel {
    pub(super) set: GradedSet,
    /// Calls that failed for good, or that no money was left for.
    pub(super) failed: u64,
    pub(super) cut: u64,
    /// Answers about passages.
    pub(super) about_passages: u64,
    /// Those of them that name a number or a name that their passage does not have.
    pub(super) ungrounded: u64,
}

/// Reads grades first, and then answers: a judge's grade may stand in the journal long after what it is of.
pub(super) async fn grade(
    state: &dyn Blobs,
    start: &Start,
    plan: &EvaluationPlan,
    items: &[StoredItem],
    file: &Path,
) -> anyhow::Result<Graded> {
    let journal = Journal::new(state);
    let segments = journal
        .segments(SegmentKind::Results, Address::EVALUATION)
        .await?;
    let (mut grades, mut trials) = (HashMap::new(), Vec::new());
    let mut graded = Graded::default();
    let by = start.job.graded_by();
    if by == GradedBy::Judge {
        for name in &segments {
            for result in journal.results(name).await? {
                match plan.task(result.address) {
                    EvaluationTask::Answer(_) => {}
                    EvaluationTask::Grade(asked) => {
                        grades.insert(
                            asked,
                            grade_of(&result).map(|(grade, why)| (grade, why, result.cost.usd.0)),
                        );
                    }
                    EvaluationTask::Trial(number) => trials.extend(
                        plan.trials
                            .get(number)
                            .zip(grade_of(&result))
                            .map(|(trial, (grade, _))| (trial.right(), grade.is_correct())),
                    ),
                }
            }
        }
    }
    graded.judge = (by == GradedBy::Judge).then(|| JudgeQuality::of(trials));
    let told = || format!("{} cannot be written", file.display());
    let mut out = std::io::BufWriter::new(std::fs::File::create(file).with_context(told)?);
    let models = start.job.evaluate.iter().flat_map(|evaluate| &evaluate.models);
    let names: Vec<String> = models.map(|model| model.spec.name()).collect();
    let forms = Forms::of(&start.job);
    let mut answers: Vec<Vec<GradedAnswer>> = vec![Vec::new(); names.len()];
    graded.models = names.iter().map(|_| GradedModel::default()).collect();
    for name in &segments {
        for result in journal.results(name).await? {
            let EvaluationTask::Answer(asked) = plan.task(result.address) else {
                continue;
            };
            let place = items.get(asked.item).zip(graded.models.get_mut(asked.model));
            let (Some((item, model)), Some(format)) = (place, plan.formats.get(asked.format)) else {
                continue;
            };
            let said = match &result.brought {
                Ok(report) => match &report.output {
                    Output::Fields(fields) => HeldOutAnswer::of(fields),
                    _ => None,
                },
                Err(_) => None,
            };
            let Some(said) = said else {
                model.failed += 1;
                continue;
            };
            let answer = final_answer(&said.answer.answer, format.member());
            let judged = if plan.judges(&answer) {
                match grades.remove(&asked) {
                    Some(Some(judged)) => Some(judged),
                    Some(None) => {
                        graded.unread_grades += 1;
                        continue;
                    }
                    None => {
                        graded.not_judged += 1;
                        continue;
                    }
                }
            } else {
                None
            };
            let (grade, detail, judge_cost) = match judged {
                Some(judged) => judged,
                None => (
                    graded_alone(&start.job, &said, &answer, item),
                    said.answer.detail.clone(),
                    0,
                ),
            };
            let ungrounded = ungrounded(&answer, item);
            model.cut += u64::from(said.cut);
            if let Some(missing) = &ungrounded {
                model.about_passages += 1;
                model.ungrounded += u64::from(!missing.is_empty());
            }
            let stored = StoredAnswer {
                model: names[asked.model].clone(),
                graded: GradedAnswer {
                    item: item.item.clone(),
                    format: format.name().to_owned(),
                    source: item.source.clone(),
                    grade,
                    form: forms.form(*format).check(&said.answer.answer),
                    slices: item.slices.clone(),
                },
                detail,
                cut: said.cut,
                ungrounded,
                cost_usd_micros: result.cost.usd.0 + judge_cost,
                reply: said.answer.answer,
            };
            serde_json::to_writer(&mut out, &stored).with_context(told)?;
            out.write_all(b"\n").with_context(told)?;
            answers[asked.model].push(stored.graded);
        }
    }
    out.flush().with_context(told)?;
    for (model, mut answers) in graded.models.iter_mut().zip(answers) {
        // Results come in whatever order they were paid.
        answers.sort_by(|a, b| (&a.item, &a.format).cmp(&(&b.item, &b.format)));
        model.set = GradedSet::new(answers)?;
    }
    Ok(graded)
}

/// What a judge said, and why.
fn grade_of(result: &TaskResult) -> Option<(Grade, String)> {
    let Ok(report) = &result.brought else { return None };
    let Output::Fields(fields) = &report.output else {
        return None;
    };
    let Some(Value::Choice(Some(grade))) = fields.get("grade") else {
        return None;
    };
    let reason = fields.get("reason").map(Value::shown).unwrap_or_default();
    Some((by_judge(grade).ok()?, reason))
}

/// The grade of an answer that no judge graded.
fn graded_alone(job: &Job, said: &HeldOutAnswer, answer: &str, item: &StoredItem) -> Grade {
    match (job.graded_by(), said.answer.correct) {
        (GradedBy::Validator, Some(true)) => Grade::CORRECT,
        (GradedBy::Validator, _) if abstains(answer) => Grade::NOT_ATTEMPTED,
        (GradedBy::Validator, _) => Grade::INCORRECT,
        // A judge is not asked about an answer that is empty.
        (GradedBy::Judge, _) => Grade::NOT_ATTEMPTED,
        (GradedBy::Text, _) => {
            let min = job.evaluate.as_ref().and_then(|evaluate| evaluate.min_f1);
            let rule = TextRule::F1 {
                min: min.unwrap_or(1.0),
            };
            by_text(answer, &item.references, rule)
        }
    }
}

/// Numbers and names of an answer that its passage does not have; `None` where there is nothing to look for.
fn ungrounded(answer: &str, item: &StoredItem) -> Option<Vec<String>> {
    let passage = item.context.as_ref()?;
    if grounding::is_verdict(answer) {
        return None;
    }
    // What the question itself says may be said again.
    let found = grounding::check(answer, &format!("{passage}\n{}", item.question));
    (found.checked > 0).then(|| [found.missing_numbers, found.missing_names].concat())
}

/// The form that each format asks for.
struct Forms(BTreeMap<PromptFormat, AnswerForm>);

impl Forms {
    fn of(job: &Job) -> Self {
        let validator = &job.filter.validator;
        let labels: Vec<&str> = validator.choices().iter().map(String::as_str).collect();
        let instructed = match (validator.name(), Labels::new(&labels)) {
            ("label", Ok(labels)) => AnswerForm::Label(labels),
            ("number", _) if job.generate.reasoning => AnswerForm::MarkedNumber,
            ("number", _) => AnswerForm::Number,
            ("text", _) => AnswerForm::Short {
                words_max: SHORT_WORDS,
            },
            _ => AnswerForm::Free,
        };
        let member = PromptFormat::Json.member().unwrap_or_default();
        let json = AnswerForm::Json {
            members: vec![member.to_owned()],
        };
        let form = |format: PromptFormat| match format {
            // They ask for no form.
            PromptFormat::Plain | PromptFormat::Labelled => AnswerForm::Free,
            PromptFormat::Instructed => instructed.clone(),
            PromptFormat::Json => json.clone(),
        };
        Self(
            PromptFormat::ALL
                .into_iter()
                .map(|format| (format, form(format)))
                .collect(),
        )
    }

    fn form(&self, format: PromptFormat) -> &AnswerForm {
        self.0.get(&format).unwrap_or(&AnswerForm::Free)
    }
}
