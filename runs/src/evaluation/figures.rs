//! The figures of an evaluation.

use std::collections::{BTreeMap, BTreeSet};

use gristmill_coordinator::Finished;
use gristmill_domain::amount::Limit;
use gristmill_domain::id::ContentId;
use gristmill_domain::job::{EvaluatedModel, EvaluatedRole, GradedBy, HeldOut, Job};
use gristmill_domain::ledger::Account;
use gristmill_domain::words::many;
use gristmill_evaluation::{
    Confidence, CorrectedShare, Grade, GradedAnswer, GradedSet, JudgeQuality, PairedComparison, Perplexity,
    Proportion, Resolution, Scorecard, Slice, SliceComparison, SliceKey, compare_slices, slices,
};
use gristmill_proto::FormatVersion;
use serde::{Deserialize, Serialize};

use super::grading::{Asked, Graded, GradedModel};
use super::items::StoredItem;

/// Slices that a set is parted into at most: of more, each has too few items to say anything.
const SLICES_MAX: usize = 200;

/// What an evaluation came to; `result/evaluation.json`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Evaluation {
    /// Version of this format.
    pub format: FormatVersion<1>,
    /// The run that asked.
    pub run: String,
    /// The program's version.
    pub gristmill: String,
    /// Where the questions came from: a dataset's run, or the file of the job.
    pub of: String,
    /// Which held-out rows they are.
    pub split: HeldOut,
    /// Hash of the questions' ids: results with another hash are of other questions.
    pub questions_hash: String,
    /// Questions that were asked.
    pub questions: u64,
    /// Formats that each was asked in.
    pub formats: Vec<String>,
    /// How answers were graded.
    pub graded_by: GradedBy,
    /// Hash of all that a grade depends on: the validator, the least F1, the judge's name. Results with another hash are not compared. Empty in
    /// results of versions before it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub grading_hash: String,
    /// Accuracy of the answer that is right most often, where answers are chosen from a list: what a model scores that looks at nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub majority: Option<f64>,
    /// Accuracy of a guess, where answers are chosen from a list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chance: Option<f64>,
    /// The models, in the order of the job.
    pub models: Vec<ModelFigures>,
    /// The student against each other model.
    pub comparisons: Vec<Comparison>,
    /// How often the judge was right where the truth is known, where one graded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub judge: Option<JudgeQuality>,
    /// What a comparison on these questions can show.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolution: Option<Resolution>,
    /// Why it ended, in words.
    pub end: String,
    /// The limit in force at the end.
    pub limit: Limit,
    /// Money and calls by stage and model.
    pub spend: Vec<ModelSpend>,
    /// What a person should know.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// The figures of one model.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ModelFigures {
    /// Its name.
    pub model: String,
    /// What it is to the student.
    pub role: EvaluatedRole,
    /// Hash of its weights, where they lie on the machine that asked it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights: Option<String>,
    /// Hash of the dataset that it was trained on, by which a lineage knows the generation; `None` for a model that is no student's, or whose folder
    /// was not on the machine that asked it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trained_on: Option<String>,
    /// Ids of the real rows that it was shown before each question, in their order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shots: Vec<String>,
    /// Its figures; `None` where it answered nothing.
    pub scorecard: Option<Scorecard>,
    /// Where likelihoods graded, its accuracy by the greatest log-likelihood a character (`acc_norm` of lm-evaluation-harness).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accuracy_normalized: Option<Proportion>,
    /// How well it predicts the real text of the rows; `None` where that is not known.
    #[serde(default)]
    pub perplexity: Option<Perplexity>,
    /// Why its perplexity is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub perplexity_missing: Option<String>,
    /// Its accuracy corrected for the judge's errors, where a judge graded and was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub corrected: Option<CorrectedShare>,
    /// Share of its answers about passages that name a number or a name which their passage does not have, and their number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ungrounded: Option<(f64, u64)>,
    /// The same figures by `format`, `concept`, `tier`, `answer`, `source` and `known`, as far as the questions have them.
    pub slices: BTreeMap<String, Vec<Slice>>,
    /// Questions without an answer: calls that failed for good, or that no money was left for.
    pub failed: u64,
    /// Replies that were cut off at the most tokens allowed.
    pub cut: u64,
}

/// Two models on the same questions.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Comparison {
    /// The model that the student is compared with.
    pub before: String,
    /// What that is to the student.
    pub role: EvaluatedRole,
    /// The student.
    pub after: String,
    /// On all questions that both answered.
    pub overall: Option<PairedComparison>,
    /// By the parts of the set. Parts by what the base knew are left out of the comparison with the base: what was chosen because it was right
    /// can only fall.
    pub slices: BTreeMap<String, Vec<SliceComparison>>,
}

/// What one stage spent at one model.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ModelSpend {
    /// The stage.
    pub stage: String,
    /// The model.
    pub model: String,
    /// Spent and burned, micro-dollars.
    pub usd_micros: u64,
    /// Calls.
    pub calls: u64,
    /// Prompt tokens.
    pub input_tokens: u64,
    /// Completion tokens.
    pub output_tokens: u64,
}

impl Evaluation {
    /// The student's figures; those of the only model where none has that role.
    pub fn student(&self) -> Option<&ModelFigures> {
        let named = self
            .models
            .iter()
            .find(|model| model.role == EvaluatedRole::Student);
        named.or(match self.models.as_slice() {
            [only] => Some(only),
            _ => None,
        })
    }

    /// The figures of the base as it answers without being shown anything, or of one that is shown rows where there is no other.
    pub fn base(&self) -> Option<&ModelFigures> {
        let bases = || {
            self.models
                .iter()
                .filter(|model| model.role == EvaluatedRole::Base)
        };
        bases()
            .find(|model| model.shots.is_empty())
            .or_else(|| bases().next())
    }

    /// What it cost, micro-dollars.
    pub fn usd_micros(&self) -> u64 {
        self.spend.iter().map(|spend| spend.usd_micros).sum()
    }

    /// Calls.
    pub fn calls(&self) -> u64 {
        self.spend.iter().map(|spend| spend.calls).sum()
    }
}

/// The figures of graded answers.
pub(super) fn of(
    asked: &Asked<'_>,
    graded: Graded,
    finished: &Finished,
    account: &Account,
) -> anyhow::Result<Evaluation> {
    let Asked {
        start, plan, items, ..
    } = asked;
    let job = &start.job;
    let confidence = Confidence::default();
    let evaluated: Vec<_> = job
        .evaluate
        .iter()
        .flat_map(|evaluate| &evaluate.models)
        .collect();
    let place = |role| evaluated.iter().position(|model| model.role == role);
    // What the base knew, without being shown anything, parts the questions of all models.
    let alone = |model: &&EvaluatedModel| model.role == EvaluatedRole::Base && model.shots == 0;
    let base = evaluated
        .iter()
        .position(alone)
        .or_else(|| place(EvaluatedRole::Base))
        .and_then(|place| graded.models.get(place))
        .map(|model| model.set.clone());
    let sets: Vec<GradedSet> = graded
        .models
        .iter()
        .map(|model| match &base {
            Some(base) => model.set.parted_by_known(base),
            None => model.set.clone(),
        })
        .collect();
    let mut warnings = Vec::new();
    let mut models = Vec::new();
    for (number, ((model, figures), set)) in evaluated.iter().zip(&graded.models).zip(&sets).enumerate() {
        let scorecard = Scorecard::of(set, confidence);
        let name = model.name();
        if figures.failed > 0 {
            warnings.push(format!(
                "`{name}` left {} without an answer",
                many(figures.failed, "question")
            ));
        }
        if figures.cut > 0 {
            let replies = match figures.cut {
                1 => "1 reply".to_owned(),
                cut => format!("{cut} replies"),
            };
            warnings.push(format!(
                "`{name}`: {replies} cut off: raise `evaluate.max_tokens`, which is `--max-tokens` of `gristmill eval`"
            ));
        }
        let (missing, about) = (figures.ungrounded, figures.about_passages);
        // Rows that are shown change nothing about how likely a text is by itself.
        let scored = plan.scored.iter().find(|place| {
            evaluated
                .get(**place)
                .is_some_and(|other| other.spec == model.spec)
        });
        let perplexity = scored.and_then(|place| graded.models.get(*place)?.perplexity());
        models.push(ModelFigures {
            shots: shown(asked, number)?,
            accuracy_normalized: normalized(figures, set, confidence),
            perplexity_missing: perplexity.is_none().then(|| {
                match scored {
                    None => "the model tells no likelihoods: one of this process with `engine: native` does",
                    Some(_) => "no likelihood of the rows' texts is stored",
                }
                .to_owned()
            }),
            perplexity,
            role: model.role,
            weights: model.weights.clone(),
            trained_on: model.trained_on.clone(),
            corrected: graded
                .judge
                .zip(scorecard.as_ref())
                .and_then(|(judge, card)| judge.correct_share(&card.accuracy, confidence)),
            ungrounded: (about > 0).then(|| (missing as f64 / about as f64, about)),
            slices: keys(set)
                .into_iter()
                .map(|(name, key)| (name, slices(set, &key, confidence)))
                .collect(),
            failed: figures.failed,
            cut: figures.cut,
            scorecard,
            model: name,
        });
    }
    if graded.unread_grades > 0 {
        warnings.push(format!(
            "the judge's grades of {} failed or could not be read: these answers count for nothing",
            many(graded.unread_grades, "answer")
        ));
    }
    if graded.not_judged > 0 {
        warnings.push(format!(
            "the judge was not asked about {} before the end: these answers count for nothing",
            many(graded.not_judged, "answer")
        ));
    }
    let student = place(EvaluatedRole::Student);
    let comparisons = student.map_or_else(Vec::new, |student| {
        let others = (0..sets.len()).filter(|other| *other != student);
        others
            .map(|other| compare(&models, &sets, (other, student), confidence))
            .collect()
    });
    let resolution = student
        .and_then(|place| models.get(place))
        .or(models.first())
        .and_then(|model| model.scorecard.as_ref())
        .map(Scorecard::resolution);
    let choices = job.filter.validator.choices();
    Ok(Evaluation {
        format: FormatVersion,
        run: start.run.to_string(),
        gristmill: start.version.clone(),
        of: start.job_file.clone(),
        split: job
            .evaluate
            .as_ref()
            .map(|evaluate| evaluate.split)
            .unwrap_or_default(),
        questions_hash: questions_hash(items),
        questions: items.len() as u64,
        formats: plan
            .formats
            .iter()
            .map(|format| format.name().to_owned())
            .collect(),
        graded_by: job.graded_by(),
        grading_hash: grading_hash(job),
        majority: (!choices.is_empty()).then(|| majority(items)),
        chance: (!choices.is_empty()).then(|| 1.0 / choices.len() as f64),
        models,
        comparisons,
        judge: graded.judge,
        resolution,
        end: finished.end.to_string(),
        limit: account.limit,
        spend: spend(account),
        warnings,
    })
}

/// Ids of the rows that a model is shown.
fn shown(asked: &Asked<'_>, model: usize) -> anyhow::Result<Vec<String>> {
    let rows = asked.plan.shots.get(model).into_iter().flatten();
    rows.map(|row| Ok(asked.seeds.read(*row)?.id.to_string()))
        .collect()
}

/// The share of questions to which the likeliest choice a character is right; `None` where likelihoods did not grade.
fn normalized(model: &GradedModel, set: &GradedSet, confidence: Confidence) -> Option<Proportion> {
    let answers = set.answers().iter().map(|answer| {
        let key = (answer.item.clone(), answer.format.clone());
        Some(GradedAnswer {
            grade: Grade::of(*model.normalized.get(&key)?),
            ..answer.clone()
        })
    });
    let set = GradedSet::new(answers.collect::<Option<_>>()?).ok()?;
    Scorecard::of(&set, confidence).map(|card| card.accuracy)
}

/// The student against another model.
fn compare(
    models: &[ModelFigures],
    sets: &[GradedSet],
    (other, student): (usize, usize),
    confidence: Confidence,
) -> Comparison {
    let (before, after) = (&sets[other], &sets[student]);
    let of_base = models[other].role == EvaluatedRole::Base;
    let compared = keys(after)
        .into_iter()
        .filter(|(name, _)| !(of_base && name == KNOWN));
    Comparison {
        before: models[other].model.clone(),
        role: models[other].role,
        after: models[student].model.clone(),
        overall: PairedComparison::of(before, after, confidence),
        slices: compared
            .map(|(name, key)| (name, compare_slices(before, after, &key, confidence)))
            .collect(),
    }
}

/// What parts a set into what the base knew and the rest.
pub(super) const KNOWN: &str = "known";

/// What a set can be parted by: what gives more than one part, and not more than can be told apart.
pub(super) fn keys(set: &GradedSet) -> Vec<(String, SliceKey)> {
    let fine = partings(set).into_iter().filter(|parting| !parting.too_many);
    fine.map(|parting| (parting.name, parting.key)).collect()
}

/// What parts a set into two parts or more.
pub(super) struct Parting {
    pub(super) name: String,
    pub(super) key: SliceKey,
    /// More parts than can be told apart.
    pub(super) too_many: bool,
}

pub(super) fn partings(set: &GradedSet) -> Vec<Parting> {
    let mut keys = vec![
        ("format".to_owned(), SliceKey::Format),
        ("source".to_owned(), SliceKey::Source),
    ];
    let named: BTreeSet<&String> = set
        .answers()
        .iter()
        .flat_map(|answer| answer.slices.keys())
        .collect();
    keys.extend(
        named
            .into_iter()
            .map(|name| (name.clone(), SliceKey::Named(name.clone()))),
    );
    let parted = keys.into_iter().filter_map(|(name, key)| {
        let parts: BTreeSet<&str> = set.answers().iter().filter_map(|answer| key.of(answer)).collect();
        (parts.len() > 1).then_some(Parting {
            name,
            key,
            too_many: parts.len() > SLICES_MAX,
        })
    });
    parted.collect()
}

/// The share of the questions that the most frequent answer is right to.
fn majority(items: &[StoredItem]) -> f64 {
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for item in items {
        *counts
            .entry(item.references.first().unwrap_or(&item.answer))
            .or_default() += 1;
    }
    let most = counts.values().max().copied().unwrap_or_default();
    most as f64 / items.len().max(1) as f64
}

fn questions_hash(items: &[StoredItem]) -> String {
    let mut ids: Vec<&str> = items.iter().map(|item| item.item.as_str()).collect();
    ids.sort_unstable();
    ContentId::of(&[b"questions", ids.join("\n").as_bytes()]).to_string()
}

fn grading_hash(job: &Job) -> String {
    let min_f1 = job.evaluate.as_ref().and_then(|evaluate| evaluate.min_f1);
    let judge = job.judge.as_ref().map(|judge| judge.spec.name());
    let of = serde_json::json!([job.graded_by(), min_f1, job.filter.validator, judge]);
    ContentId::of(&[b"grading", of.to_string().as_bytes()]).to_string()
}

fn spend(account: &Account) -> Vec<ModelSpend> {
    let mut spend = Vec::new();
    for (stage, models) in &account.books {
        for (model, books) in models {
            let gone = books.gone();
            spend.push(ModelSpend {
                stage: stage.to_string(),
                model: model.clone(),
                usd_micros: gone.usd.0,
                calls: gone.calls,
                input_tokens: gone.input_tokens,
                output_tokens: gone.output_tokens,
            });
        }
    }
    spend
}
