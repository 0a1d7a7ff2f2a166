//! The journal's answers, graded.

use std::collections::{BTreeMap, HashMap};
use std::io::Write;
use std::path::Path;

use anyhow::Context;
use gristmill_coordinator::{
    AskedQuestion, EvaluationPlan, EvaluationTask, Journal, SeedStore, Start, TaskResult, row_text,
};
use gristmill_domain::answer::choice::pick;
use gristmill_domain::answer::grounding;
use gristmill_domain::answer::label::Labels;
use gristmill_domain::chat::Likelihood;
use gristmill_domain::filter::text::count_words;
use gristmill_domain::held_out::final_answer;
use gristmill_domain::job::{EvaluatedModel, GradedBy, Job, PromptFormat};
use gristmill_domain::reply::Value;
use gristmill_domain::work::{Address, HeldOutAnswer, Output};
use gristmill_evaluation::form::{AnswerForm, FormCheck};
use gristmill_evaluation::grade::{TextRule, abstains, by_judge, by_likelihood, by_text};
use gristmill_evaluation::{Grade, GradedAnswer, GradedSet, JudgeQuality, Perplexity};
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
    /// Where likelihoods graded, how likely each choice is, in the order of the labels; the reply is the likeliest one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<StoredChoice>,
    /// Where likelihoods graded, whether the choice with the greatest log-likelihood a character is right (`acc_norm` of lm-evaluation-harness).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correct_normalized: Option<bool>,
    /// What it cost, its grade included, micro-dollars.
    pub cost_usd_micros: u64,
}

/// A choice as a model scored it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StoredChoice {
    /// The label.
    pub text: String,
    /// How likely it is.
    #[serde(flatten)]
    pub likelihood: Likelihood,
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
    name: String,
    pub(super) set: GradedSet,
    /// Calls that failed for good, or that no money was left for.
    pub(super) failed: u64,
    pub(super) cut: u64,
    /// Answers about passages.
    pub(super) about_passages: u64,
    /// Those of them that name a number or a name that their passage does not have.
    pub(super) ungrounded: u64,
    /// Where likelihoods graded, whether the likeliest choice a character is right, with the item's id and its format.
    pub(super) normalized: BTreeMap<(String, String), bool>,
    /// How likely the rows' texts are to it, each with its bytes.
    pub(super) texts: Vec<(Likelihood, u64)>,
}

impl GradedModel {
    fn of(model: &EvaluatedModel) -> Self {
        Self {
            name: model.name(),
            ..Self::default()
        }
    }

    /// How well it predicts the rows' texts; `None` where it was not asked.
    pub(super) fn perplexity(&self) -> Option<Perplexity> {
        Perplexity::of(self.texts.iter().copied())
    }
}

/// What answers are graded by.
pub(super) struct Asked<'a> {
    pub(super) start: &'a Start,
    pub(super) plan: &'a EvaluationPlan,
    pub(super) items: &'a [StoredItem],
    pub(super) seeds: &'a SeedStore,
}

/// What the journal says besides answers.
#[derive(Default)]
struct Read {
    /// What the judge said of each answer; `None` where that could not be read.
    grades: HashMap<AskedQuestion, Option<Judged>>,
    /// Of the answers that the judge was measured on: whether they are right, and whether it said so.
    trials: Vec<(bool, bool)>,
    /// Tries before the last one, of tasks that were asked again under a larger budget.
    last_tries: HashMap<EvaluationTask, u16>,
}

/// A grade, why, and what it cost in micro-dollars.
type Judged = (Grade, String, u64);

/// Reads grades first, and then answers: a judge's grade may stand in the journal long after what it is of.
pub(super) async fn grade(state: &dyn Blobs, asked: &Asked<'_>, file: &Path) -> anyhow::Result<Graded> {
    let journal = Journal::new(state);
    let segments = journal
        .segments(SegmentKind::Results, Address::EVALUATION)
        .await?;
    let mut read = Read::default();
    for name in &segments {
        for result in journal.results(name).await? {
            read.add(asked.plan, &result);
        }
    }
    let mut graded = Graded {
        judge: (asked.start.job.graded_by() == GradedBy::Judge)
            .then(|| JudgeQuality::of(read.trials.drain(..))),
        ..Graded::default()
    };
    let told = || format!("{} cannot be written", file.display());
    let mut out = std::io::BufWriter::new(std::fs::File::create(file).with_context(told)?);
    let models = asked
        .start
        .job
        .evaluate
        .iter()
        .flat_map(|evaluate| &evaluate.models);
    graded.models = models.map(GradedModel::of).collect();
    let forms = Forms::of(&asked.start.job);
    let mut answers: Vec<Vec<GradedAnswer>> = vec![Vec::new(); graded.models.len()];
    for name in &segments {
        for result in journal.results(name).await? {
            let task = asked.plan.task(result.address);
            let tries = read.last_tries.get(&task).copied().unwrap_or_default();
            if result.address.step.call.pass < tries {
                continue;
            }
            match task {
                EvaluationTask::Answer(question) => {
                    let Some(stored) = graded.answer(asked, &forms, &mut read, question, &result) else {
                        continue;
                    };
                    serde_json::to_writer(&mut out, &stored).with_context(told)?;
                    out.write_all(b"\n").with_context(told)?;
                    answers[question.model].push(stored.graded);
                }
                EvaluationTask::Text { item, model } => graded.text(asked, (item, model), &result)?,
                EvaluationTask::Grade(_) | EvaluationTask::Trial(_) => {}
            }
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

impl Read {
    fn add(&mut self, plan: &EvaluationPlan, result: &TaskResult) {
        let task = plan.task(result.address);
        let tries = result.address.step.call.pass;
        if tries > 0 {
            let last = self.last_tries.entry(task).or_default();
            *last = tries.max(*last);
        }
        match task {
            EvaluationTask::Answer(_) | EvaluationTask::Text { .. } => {}
            // A later try stands later in the journal.
            EvaluationTask::Grade(asked) => {
                let judged = grade_of(result).map(|(grade, why)| (grade, why, result.cost.usd.0));
                self.grades.insert(asked, judged);
            }
            EvaluationTask::Trial(number) => self.trials.extend(
                plan.trials
                    .get(number)
                    .zip(grade_of(result))
                    .map(|(trial, (grade, _))| (trial.right(), grade.is_correct())),
            ),
        }
    }
}

impl Graded {
    /// An answer, graded; `None` where there is none, or no grade of it.
    fn answer(
        &mut self,
        asked: &Asked<'_>,
        forms: &Forms,
        read: &mut Read,
        question: AskedQuestion,
        result: &TaskResult,
    ) -> Option<StoredAnswer> {
        let item = asked.items.get(question.item)?;
        let format = *asked.plan.formats.get(question.format)?;
        let model = self.models.get_mut(question.model)?;
        let output = result.brought.as_ref().ok().map(|report| &report.output);
        let said = match output {
            Some(Output::Fields(fields)) => HeldOutAnswer::of(fields),
            Some(Output::Likelihoods(likelihoods)) => {
                let job = &asked.start.job;
                let stored = chosen(&model.name, job, item, format, likelihoods, result.cost.usd.0);
                match &stored {
                    Some(stored) => {
                        let key = (item.item.clone(), format.name().to_owned());
                        model
                            .normalized
                            .insert(key, stored.correct_normalized == Some(true));
                    }
                    None => model.failed += 1,
                }
                return stored;
            }
            Some(Output::Vectors(_) | Output::Rejected { .. }) | None => None,
        };
        let Some(said) = said else {
            model.failed += 1;
            return None;
        };
        let answer = final_answer(&said.answer.answer, format.member());
        let judged = match asked.plan.judges(&answer) {
            false => None,
            true => match read.grades.remove(&question) {
                Some(Some(judged)) => Some(judged),
                Some(None) => {
                    self.unread_grades += 1;
                    return None;
                }
                None => {
                    self.not_judged += 1;
                    return None;
                }
            },
        };
        let (grade, detail, judge_cost) = judged.unwrap_or_else(|| {
            let grade = graded_alone(&asked.start.job, &said, &answer, item);
            (grade, said.answer.detail.clone(), 0)
        });
        let ungrounded = ungrounded(&answer, item);
        model.cut += u64::from(said.cut);
        if let Some(missing) = &ungrounded {
            model.about_passages += 1;
            model.ungrounded += u64::from(!missing.is_empty());
        }
        let form = forms.form(format).check(&said.answer.answer);
        let form = if said.cut { form.cut_off() } else { form };
        Some(StoredAnswer {
            model: model.name.clone(),
            graded: of_item(item, format, grade, form),
            detail,
            cut: said.cut,
            ungrounded,
            choices: Vec::new(),
            correct_normalized: None,
            cost_usd_micros: result.cost.usd.0 + judge_cost,
            reply: said.answer.answer,
        })
    }

    /// How likely the text of a row is to a model.
    fn text(
        &mut self,
        asked: &Asked<'_>,
        (item, model): (usize, usize),
        result: &TaskResult,
    ) -> anyhow::Result<()> {
        let row = asked.plan.rows.get(item);
        if let (Some(model), Some(row), Ok(report)) = (self.models.get_mut(model), row, &result.brought)
            && let Output::Likelihoods(likelihoods) = &report.output
            && let Some(likelihood) = likelihoods.first()
        {
            let bytes = row_text(&asked.seeds.read(*row)?).len() as u64;
            model.texts.push((*likelihood, bytes));
        }
        Ok(())
    }
}

fn of_item(item: &StoredItem, format: PromptFormat, grade: Grade, form: FormCheck) -> GradedAnswer {
    GradedAnswer {
        item: item.item.clone(),
        format: format.name().to_owned(),
        source: item.source.clone(),
        grade,
        form,
        slices: item.slices.clone(),
    }
}

/// The likeliest label as an answer. Such an answer has its form, since the model did not write it.
fn chosen(
    model: &str,
    job: &Job,
    item: &StoredItem,
    format: PromptFormat,
    likelihoods: &[Likelihood],
    cost_usd_micros: u64,
) -> Option<StoredAnswer> {
    let labels = job.filter.validator.choices();
    let gold = Labels::new(labels).ok()?.right(&item.references, &item.answer)?;
    let sums: Vec<f64> = likelihoods.iter().map(|found| found.log_likelihood).collect();
    let grades = by_likelihood(&sums, labels, gold)?;
    let reply = labels.get(pick(&sums, labels)?.plain)?.clone();
    let choices = labels
        .iter()
        .zip(likelihoods)
        .map(|(text, likelihood)| StoredChoice {
            text: text.clone(),
            likelihood: *likelihood,
        });
    Some(StoredAnswer {
        model: model.to_owned(),
        graded: of_item(
            item,
            format,
            grades.plain,
            FormCheck::kept(count_words(&reply, usize::MAX) as u64),
        ),
        detail: String::new(),
        cut: false,
        ungrounded: None,
        choices: choices.collect(),
        correct_normalized: Some(grades.normalized.is_correct()),
        cost_usd_micros,
        reply,
    })
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
        (GradedBy::Judge | GradedBy::Likelihood, _) => Grade::NOT_ATTEMPTED,
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
