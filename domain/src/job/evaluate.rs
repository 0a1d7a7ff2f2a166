//! An evaluation: held-out questions, the models that answer them, the prompt formats they are asked in, and how answers are graded.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Engine, Job, ModelSource, ModelSpec, Report, model};
use crate::seed::Split;

/// What makes a job an evaluation: its held-out rows are asked, and no rows are made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Evaluate {
    /// The models that answer.
    pub models: Vec<EvaluatedModel>,
    /// Which held-out rows are asked.
    #[serde(default)]
    pub split: HeldOut,
    /// Prompt formats that each question is asked in; `plain`, `labelled` and `instructed` when left out.
    #[serde(default = "PromptFormat::usual")]
    pub formats: Vec<PromptFormat>,
    /// Questions asked at most, drawn evenly over the rows; all when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub questions: Option<u64>,
    /// How answers are graded; left out: by `filter.validator` where it compares with references, else by the judge, else by token F1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grade: Option<GradedBy>,
    /// Of `grade: text`: the token F1 from which an answer is right (0 to 1); 1, an exact match, when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_f1: Option<f64>,
    /// Completion tokens of an answer at most.
    #[serde(default = "Evaluate::default_max_tokens")]
    pub max_tokens: u32,
    /// Files of the real rows that `shots` are drawn from: a file, a glob, or a list of them, with the columns of `seeds.fields`. They are never
    /// asked.
    #[serde(
        default,
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "model::one_or_many"
    )]
    #[schemars(with = "model::OneOrMany<String>")]
    pub shots_path: Vec<String>,
}

/// A model that answers, and what it is to the student.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EvaluatedModel {
    /// The model.
    #[serde(flatten)]
    pub spec: ModelSpec,
    /// What it is in this evaluation.
    pub role: EvaluatedRole,
    /// Hash of its weights, where they lie on this machine: filled in when the evaluation begins, so that a model that was trained again is
    /// evaluated again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights: Option<String>,
    /// Hash of the dataset that it was trained on, where it is a student whose folder is on this machine: filled in like `weights`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trained_on: Option<String>,
    /// Real rows of the anchor that it is shown before each question, as earlier turns of the chat: 0, the default, asks it *zero-shot*.
    #[serde(default, skip_serializing_if = "super::is_zero")]
    pub shots: u32,
}

impl EvaluatedModel {
    /// The name that results tell it by: the model's, and how many rows it is shown, such as `smollm2-135m-instruct 4-shot`.
    pub fn name(&self) -> String {
        match self.shots {
            0 => self.spec.name(),
            shots => format!("{} {shots}-shot", self.spec.name()),
        }
    }
}

/// What a model is in an evaluation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EvaluatedRole {
    /// The model whose figures decide.
    Student,
    /// What the student's training began with.
    Base,
    /// The student that this one is to replace.
    Previous,
    /// The model that made the rows.
    Teacher,
    /// Any other model.
    Other,
}

impl EvaluatedRole {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Student => "student",
            Self::Base => "base",
            Self::Previous => "previous",
            Self::Teacher => "teacher",
            Self::Other => "other",
        }
    }
}

/// Rows that are held out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HeldOut {
    /// Those that a gate decides by, and that nothing else may see.
    #[default]
    Test,
    /// Those by which a training stops, and whose errors are mended.
    Validation,
}

impl HeldOut {
    /// The split of the seeds.
    pub const fn split(self) -> Split {
        match self {
            Self::Test => Split::Test,
            Self::Validation => Split::Validation,
        }
    }
}

/// How a question is put.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PromptFormat {
    /// As the dataset's rows put it, and nothing else.
    Plain,
    /// On lines that begin with `Passage:`, `Question:` and `Answer:`.
    Labelled,
    /// With an instruction that says what the answer must look like.
    Instructed,
    /// With an instruction to reply with a JSON object that has the member `answer`.
    Json,
}

impl PromptFormat {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Plain, Self::Labelled, Self::Instructed, Self::Json];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Labelled => "labelled",
            Self::Instructed => "instructed",
            Self::Json => "json",
        }
    }

    fn usual() -> Vec<Self> {
        vec![Self::Plain, Self::Labelled, Self::Instructed]
    }
}

/// How answers are graded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum GradedBy {
    /// By `filter.validator`.
    Validator,
    /// By comparing words with the references (SQuAD).
    Text,
    /// By the judge, who sees the reference.
    Judge,
    /// By the label of `filter.validator` that is the likeliest answer to the model: it is not asked to write one.
    Likelihood,
}

impl Evaluate {
    fn default_max_tokens() -> u32 {
        256
    }
}

impl Job {
    /// How answers of an evaluation are graded.
    pub fn graded_by(&self) -> GradedBy {
        let chosen = self.evaluate.as_ref().and_then(|evaluate| evaluate.grade);
        chosen.unwrap_or(match &self.judge {
            _ if self.filter.validator.compares_references() => GradedBy::Validator,
            Some(_) => GradedBy::Judge,
            None => GradedBy::Text,
        })
    }

    /// Reports what an evaluation contradicts.
    pub(super) fn check_evaluate(&self, evaluate: &Evaluate, report: &mut Report) {
        report.when(
            evaluate.models.is_empty(),
            "evaluate.models",
            "no model is to answer",
            "name one with its `role`, such as `{role: student, local: …}`",
        );
        report.when(
            !self.teacher.is_empty(),
            "teacher",
            "an evaluation makes no rows, so that a teacher does nothing",
            "name it in `evaluate.models` with `role: teacher` to have it answer, or leave it out",
        );
        for (i, model) in evaluate.models.iter().enumerate() {
            // One model may be asked with and without shots: its calls are booked together.
            let twin = evaluate.models[..i].iter().any(|other| {
                other.name() == model.name()
                    || other.spec.name() == model.spec.name() && other.spec != model.spec
            });
            report.when(
                twin,
                format!("evaluate.models.{i}"),
                format!("two models are called `{}`", model.spec.name()),
                "books and results tell models apart by name: give each once, and rename one of two folders of one name",
            );
        }
        report.when(
            !evaluate.shots_path.is_empty() && evaluate.models.iter().all(|model| model.shots == 0),
            "evaluate.shots_path",
            "no model is shown examples, so that it does nothing",
            "set `shots` of a model in `evaluate.models`, or leave it out",
        );
        let students = evaluate
            .models
            .iter()
            .filter(|model| model.role == EvaluatedRole::Student)
            .count();
        report.when(
            students > 1,
            "evaluate.models",
            format!("{students} models have the role `student`"),
            "give the one whose figures decide the role `student`, and the others `previous` or `other`",
        );
        report.when(
            evaluate.formats.is_empty(),
            "evaluate.formats",
            "questions are asked in no format",
            "leave it out for the usual three",
        );
        for (i, format) in evaluate.formats.iter().enumerate() {
            report.when(
                evaluate.formats[..i].contains(format),
                format!("evaluate.formats.{i}"),
                format!("the format `{}` is named twice", format.name()),
                "name it once",
            );
        }
        report.when(
            evaluate.questions == Some(0),
            "evaluate.questions",
            "no question is asked",
            "give at least 1, or leave it out for all",
        );
        report.at_least("evaluate.max_tokens", evaluate.max_tokens.into(), 1);
        let by = self.graded_by();
        report.when(
            by == GradedBy::Validator && !self.filter.validator.compares_references(),
            "evaluate.grade",
            format!(
                "`filter.validator` of the kind `{}` compares nothing with a reference",
                self.filter.validator.name()
            ),
            "set `filter.validator` to one that does, or `evaluate.grade` to `text` or `judge`",
        );
        report.when(
            by == GradedBy::Judge && self.judge.is_none(),
            "evaluate.grade",
            "a judge is to grade, and the job has none",
            "add a `judge`, or set `evaluate.grade` to `validator` or `text`",
        );
        self.check_likelihood(evaluate, report);
        report.when(
            by != GradedBy::Text && evaluate.min_f1.is_some(),
            "evaluate.min_f1",
            "answers are not graded by their words, so that it does nothing",
            "set `evaluate.grade: text`, or leave it out",
        );
        if let Some(min_f1) = evaluate.min_f1 {
            report.share("evaluate.min_f1", min_f1);
        }
        report.when(
            !self.seeds.fields.has_references(),
            "seeds.fields.references",
            "an evaluation needs the right answers",
            "name their column",
        );
    }

    /// Labels are scored by models that tell likelihoods.
    fn check_likelihood(&self, evaluate: &Evaluate, report: &mut Report) {
        if self.graded_by() != GradedBy::Likelihood {
            return;
        }
        report.when(
            self.filter.validator.choices().is_empty(),
            "evaluate.grade",
            "no list says which answers there are to choose from by their likelihood",
            "set `filter.validator: {kind: label, labels: […]}`, or grade in another way",
        );
        for (i, model) in evaluate.models.iter().enumerate() {
            report.when(
                !model.spec.tells_likelihoods(),
                format!("evaluate.models.{i}"),
                format!(
                    "`{}` tells no likelihoods, by which `evaluate.grade: likelihood` grades",
                    model.spec.name()
                ),
                "name a model of this process with `engine: native`, or set `evaluate.grade: validator`",
            );
        }
    }
}

impl ModelSpec {
    /// Whether the model tells how likely given texts are. Endpoints do not, nor does llama.cpp here.
    pub fn tells_likelihoods(&self) -> bool {
        matches!(self.source(), Some(ModelSource::Local(local)) if local.engine() == Engine::Native)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// What is wrong with an evaluation by these models, each as `path: message`.
    fn problems(models: Value, more: Value) -> Vec<String> {
        let mut evaluate = json!({ "models": models });
        if let (Some(evaluate), Value::Object(more)) = (evaluate.as_object_mut(), more) {
            evaluate.extend(more);
        }
        let job: Job = serde_json::from_value(json!({
            "seeds": {"path": "s.jsonl"}, "budget": {"calls": 10}, "evaluate": evaluate,
            "filter": {"validator": {"kind": "label", "labels": ["yes", "no"]}},
        }))
        .unwrap();
        let problems = job.check().into_iter();
        let of_it = problems.filter(|problem| problem.path.starts_with("evaluate"));
        of_it
            .map(|problem| format!("{}: {}", problem.path, problem.message))
            .collect()
    }

    fn base(more: Value) -> Value {
        let mut model = json!({"role": "base", "local": {"name": "m.gguf", "engine": "native"}});
        if let (Some(model), Value::Object(more)) = (model.as_object_mut(), more) {
            model.extend(more);
        }
        model
    }

    #[test]
    fn one_model_is_asked_with_and_without_shots_under_names_of_their_own() {
        let none = || json!({});
        let both = json!([base(none()), base(json!({"shots": 4}))]);
        assert_eq!(problems(both, none()), [""; 0]);
        let twice = problems(
            json!([base(json!({"shots": 4})), base(json!({"shots": 4}))]),
            none(),
        );
        assert!(twice[0].contains("two models are called `m`"), "{twice:?}");
        let other =
            json!({"role": "other", "local": {"name": "elsewhere/m.gguf", "engine": "native"}, "shots": 4});
        let namesakes = problems(json!([base(none()), other]), none());
        assert!(namesakes[0].contains("two models are called"), "{namesakes:?}");
        let idle = problems(json!([base(none())]), json!({"shots_path": "rows.jsonl"}));
        assert!(idle[0].starts_with("evaluate.shots_path: "), "{idle:?}");
        let model: EvaluatedModel = serde_json::from_value(base(json!({"shots": 4}))).unwrap();
        assert_eq!(model.name(), "m 4-shot");
    }

    #[test]
    fn only_models_that_tell_likelihoods_are_graded_by_them() {
        let grade = || json!({"grade": "likelihood"});
        assert_eq!(problems(json!([base(json!({}))]), grade()), [""; 0]);
        let endpoint = json!({"role": "student", "base_url": "http://h/v1", "model": "far", "price": {"input": 0, "output": 0}});
        let llama = json!({"role": "other", "local": "other.gguf"});
        let told = problems(json!([base(json!({})), endpoint, llama]), grade());
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(
            told[0].starts_with("evaluate.models.1: `far` tells no likelihoods"),
            "{told:?}"
        );
        assert!(
            told[1].starts_with("evaluate.models.2: `other` tells no likelihoods"),
            "{told:?}"
        );
    }
}
