//! What a finished run says of itself: the manifest beside its dataset.

use std::collections::BTreeMap;

use gristmill_coordinator::{SeedStore, Start, specs};
use gristmill_domain::by_recipe::{RecipeYield, told};
use gristmill_domain::concept::ConceptProgress;
use gristmill_domain::filter::Reason;
use gristmill_domain::job;
use gristmill_domain::ledger::Account;
use gristmill_domain::plan::{self, End};
use gristmill_domain::self_improvement::TeacherCheck;
use gristmill_domain::words::many;
use gristmill_proto::FormatVersion;
use serde::{Deserialize, Serialize};

use super::counts::{FailedCalls, LeakTrials, Loss, RowCounts, Yield};
use super::tallies::Tallies;
use crate::certainty::Certainty;
use crate::lengths::LengthBias;
use crate::warnings;

/// What a finished run can say of itself.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of this format.
    pub version: FormatVersion<1>,
    /// The run.
    pub run: String,
    /// The program's version.
    pub gristmill: String,
    /// Hash of the effective configuration.
    pub configuration: String,
    /// Why the run ended, in words.
    pub end: String,
    /// What it has, where it ended before what its job wants was there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub short: Option<String>,
    /// Rows by split and origin.
    pub rows: RowCounts,
    /// Candidates that were decided.
    pub candidates: u64,
    /// Rejected candidates by reason, in the order of the funnel.
    pub rejected: Vec<(Reason, Loss)>,
    /// Why calls failed for good, in the providers' words: the most frequent ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failed_calls: Vec<FailedCalls>,
    /// Rows with a reference to check against, and rows without, apart.
    pub by_reference: BTreeMap<String, Yield>,
    /// Where each concept stands: rows wanted, real rows and synthetic ones that count.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub concepts: Vec<ConceptProgress>,
    /// What each strategy brought.
    pub by_strategy: BTreeMap<String, Yield>,
    /// What each recipe brought; manifests of older versions do not say.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub by_recipe: Vec<RecipeYield>,
    /// How preference pairs lean in length, where there are any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub length_bias: Option<LengthBias>,
    /// What each mutator brought, where the job has any; a candidate counts under each of its own.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub by_mutator: BTreeMap<String, Yield>,
    /// What decontamination by meaning would have missed, measured on the run's own rephrasings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leaks: Option<LeakTrials>,
    /// How the teachers that are related to the student did on validation rows, before anything was generated.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub teacher_checks: Vec<TeacherCheck>,
    /// Each time that the run was taken up again after it had ended.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resumed: Vec<Resumed>,
    /// The limit in force at the end.
    pub limit: gristmill_domain::amount::Limit,
    /// Money, calls and tokens by stage and model.
    pub spend: Vec<Spend>,
    /// The plan of each round: mix, reason, what changed and why.
    pub rounds: Vec<gristmill_coordinator::RoundReport>,
    /// Real rows as they were taken in.
    pub seeds: gristmill_coordinator::Summary,
    /// Versions of the prompts.
    pub prompts: Vec<String>,
    /// The effective configuration.
    pub job: job::Job,
    /// What accepted rows without a reference are expected to be worth.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certainty: Option<Certainty>,
    /// Accepted rows that neither a reference nor votes have decided.
    #[serde(default)]
    pub unvoted: u64,
    /// What went otherwise than a user may expect.
    #[serde(default)]
    pub warnings: Vec<String>,
    /// Files with their hashes; this one is not among them.
    pub files: Vec<serde_json::Value>,
}

impl Manifest {
    /// The recipes that are worth telling apart.
    pub(crate) fn told_recipes(&self) -> &[RecipeYield] {
        told(&self.by_recipe, !self.job.generate.recipes.is_empty())
    }
}

/// A run taken up again after it had ended.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Resumed {
    /// Rounds that it had by then.
    pub rounds: u32,
    /// Its limit from then on.
    pub limit: gristmill_domain::amount::Limit,
}

impl std::fmt::Display for Resumed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "after {} with the limit {}",
            many(self.rounds.into(), "round"),
            self.limit
        )
    }
}

/// What one stage spent at one model.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Spend {
    /// The stage.
    pub stage: String,
    /// The model.
    pub model: String,
    /// What was spent, micro-dollars.
    pub spent_usd_micros: u64,
    /// What is booked for calls whose cost nobody knows, micro-dollars.
    pub burned_usd_micros: u64,
    /// What single calls would have cost more, where the model was asked in batches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub saved_usd_micros: Option<u64>,
    /// Calls.
    pub calls: u64,
    /// Prompt tokens.
    pub input_tokens: u64,
    /// Completion tokens.
    pub output_tokens: u64,
}

impl Spend {
    /// What is gone in micro-dollars: spent, or burned.
    pub fn usd_micros(&self) -> u64 {
        self.spent_usd_micros + self.burned_usd_micros
    }
}

impl Manifest {
    /// What the whole run came to in micro-dollars.
    pub fn usd_micros(&self) -> u64 {
        self.spend.iter().map(Spend::usd_micros).sum()
    }

    /// Of that, what is booked for calls whose cost nobody knows.
    pub fn burned_usd_micros(&self) -> u64 {
        self.spend.iter().map(|part| part.burned_usd_micros).sum()
    }

    /// What the run has, where it ended before what its job wants was there. Manifests of older versions do not hold it.
    pub fn short(&self) -> Option<String> {
        let job = &self.job;
        let rows = self.rows.train_synthetic;
        let counted = || plan::short(job.generate.rows, job.steers(), rows, &self.concepts, None);
        self.short.clone().or_else(counted)
    }

    /// The calls of the whole run.
    pub fn calls(&self) -> u64 {
        self.spend.iter().map(|part| part.calls).sum()
    }
}

/// How a run went.
pub(crate) struct Course {
    /// Why it ended, in words.
    pub(crate) end: String,
    /// The same for programs; `None` of a run that goes on.
    pub(crate) ended: Option<End>,
    pub(crate) rounds: Vec<gristmill_coordinator::RoundReport>,
    /// Where each concept stands.
    pub(crate) concepts: Vec<ConceptProgress>,
    pub(crate) teacher_checks: Vec<TeacherCheck>,
}

/// What a run can say of itself.
pub(crate) fn manifest(
    start: &Start,
    seeds: &SeedStore,
    course: Course,
    account: &Account,
    tallies: Tallies,
) -> Manifest {
    let mut spend = Vec::new();
    for (stage, models) in &account.books {
        for (model, books) in models {
            let gone = books.gone();
            spend.push(Spend {
                stage: stage.to_string(),
                model: model.clone(),
                spent_usd_micros: books.spent.usd.0,
                burned_usd_micros: books.burned.usd.0,
                saved_usd_micros: specs(&start.job)
                    .find(|spec| spec.name() == *model && spec.batch.is_some())
                    .map(|spec| spec.saved_by_batches(books.spent).0),
                calls: gone.calls,
                input_tokens: gone.input_tokens,
                output_tokens: gone.output_tokens,
            });
        }
    }
    let failed_calls = tallies.failed_calls();
    let unvoted = tallies.sums.unvoted;
    let certainty = tallies.sums.certainty(&course.rounds, &start.job);
    let mut warnings = warnings::of(
        start,
        &course.concepts,
        account,
        tallies.new_questions,
        tallies.asked(),
    );
    warnings.extend(failed_calls.iter().map(|failed| {
        let rows = many(failed.rows, "candidate");
        format!("{rows} lost to calls that failed for good: {}", failed.words)
    }));
    warnings.extend(certainty.as_ref().and_then(warnings::uncertain));
    let length_bias = tallies.lengths.bias();
    warnings.extend(length_bias.as_ref().and_then(LengthBias::warning));
    let by_recipe = tallies.by_recipe.clone();
    Manifest {
        version: FormatVersion,
        run: start.run.to_string(),
        gristmill: start.version.clone(),
        configuration: configuration_hash(&start.job),
        end: course.end,
        short: plan::short(
            start.job.generate.rows,
            start.job.steers(),
            tallies.rows.train_synthetic,
            &course.concepts,
            course.ended.as_ref(),
        ),
        rows: tallies.rows,
        candidates: tallies.candidates,
        rejected: tallies.rejected.into_iter().collect(),
        failed_calls,
        unvoted,
        by_reference: tallies.by_reference,
        by_strategy: tallies.by_strategy,
        by_recipe,
        length_bias,
        by_mutator: match start.job.generate.mutators {
            Some(_) => tallies.by_mutator,
            None => BTreeMap::new(),
        },
        leaks: tallies.leaks,
        certainty,
        warnings,
        concepts: course.concepts,
        teacher_checks: course.teacher_checks,
        resumed: Vec::new(),
        limit: account.limit,
        spend,
        rounds: course.rounds,
        seeds: seeds.summary().clone(),
        prompts: start.prompts.clone(),
        job: start.job.clone(),
        files: Vec::new(),
    }
}

/// Hash of the effective configuration.
fn configuration_hash(job: &job::Job) -> String {
    let text = serde_json::to_vec(job).unwrap_or_default();
    gristmill_domain::id::ContentId::of(&[b"job", &text]).to_string()
}
