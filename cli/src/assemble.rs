//! Assembles the dataset of a finished run from its journal: the real anchor and the accepted rows under the ceiling, the held-out
//! splits, the rejected rows, the manifest and the card.

pub(crate) mod again;
mod rows;

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, bail};
use gristmill_coordinator::{
    Events, Finished, Journal, SeedStore, Start, specs, synthetic_ceiling, synthetic_share,
};
use gristmill_dataset::{About, Layout, Options, Rejected, Split, Writer};
use gristmill_domain::concept::Standing;
use gristmill_domain::filter::Reason;
use gristmill_domain::job;
use gristmill_domain::ledger::Account;
use gristmill_domain::refusal;
use gristmill_domain::row::Row;
use gristmill_domain::seed;
use gristmill_domain::strategy::Strategy;
use gristmill_ports::blob::Blobs;
use gristmill_proto::SegmentKind;
use serde::{Deserialize, Serialize};

use crate::certainty::{Certainty, Sums};
use crate::view::many;
use crate::warnings::Asked;
use crate::{card, mutators, warnings};

pub(crate) use again::{Resumed, refuse_worse};

/// Rows handed to the writing thread at once.
const QUEUE: usize = 256;

/// What a finished run can say of itself.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Manifest {
    /// Version of this format.
    pub(crate) version: u32,
    /// The run.
    pub(crate) run: String,
    /// The program's version.
    pub(crate) gristmill: String,
    /// Hash of the effective configuration.
    pub(crate) configuration: String,
    /// Why the run ended, in words.
    pub(crate) end: String,
    /// Rows by split and origin.
    pub(crate) rows: RowCounts,
    /// Candidates that were decided.
    pub(crate) candidates: u64,
    /// Rejected candidates by reason, in the order of the funnel.
    pub(crate) rejected: Vec<(Reason, Loss)>,
    /// Why calls failed for good, in the providers' words: the most frequent ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) failed_calls: Vec<FailedCalls>,
    /// Rows with a reference to check against, and rows without, apart.
    pub(crate) by_reference: BTreeMap<String, Yield>,
    /// Where each concept stands: rows wanted, real rows and synthetic ones that count.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) concepts: Vec<Standing>,
    /// What each strategy brought.
    pub(crate) by_strategy: BTreeMap<String, Yield>,
    /// What each mutator brought, where the job has any; a candidate counts under each of its own.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) by_mutator: BTreeMap<String, Yield>,
    /// What decontamination by meaning would have missed, measured on the run's own rephrasings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) leaks: Option<LeakTrials>,
    /// Each time that the run was taken up again after it had ended.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) resumed: Vec<Resumed>,
    /// The limit in force at the end.
    pub(crate) limit: gristmill_domain::amount::Limit,
    /// Money, calls and tokens by stage and model.
    pub(crate) spend: Vec<Spend>,
    /// The plan of each round: mix, reason, what changed and why.
    pub(crate) rounds: Vec<gristmill_coordinator::RoundReport>,
    /// Real rows as they were taken in.
    pub(crate) seeds: gristmill_coordinator::Summary,
    /// Versions of the prompts.
    pub(crate) prompts: Vec<String>,
    /// The effective configuration.
    pub(crate) job: job::Job,
    /// What accepted rows without a reference are expected to be worth.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) certainty: Option<Certainty>,
    /// What went otherwise than a user may expect.
    #[serde(default)]
    pub(crate) warnings: Vec<String>,
    /// Files with their hashes; this one is not among them.
    pub(crate) files: Vec<serde_json::Value>,
}

/// Rows of the dataset.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct RowCounts {
    pub(crate) train: u64,
    pub(crate) train_human: u64,
    pub(crate) train_synthetic: u64,
    pub(crate) validation: u64,
    pub(crate) test: u64,
    pub(crate) rejected: u64,
    pub(crate) synthetic_share: f64,
}

/// Candidates whose calls failed for good alike.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct FailedCalls {
    /// The provider's words for the first of them.
    pub(crate) words: String,
    /// How many there are.
    pub(crate) rows: u64,
}

/// Rephrasings that were tried against the seeds that they were made from, as if those had been held out.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct LeakTrials {
    /// Cosine from which a question counts as a held-out one.
    pub(crate) cosine: f64,
    pub(crate) rephrasings: u64,
    /// Those of them that would not have been recognised.
    pub(crate) missed: u64,
}

/// Candidates lost for one reason, and what they cost.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(crate) struct Loss {
    pub(crate) rows: u64,
    pub(crate) calls: u64,
    pub(crate) usd_micros: u64,
}

/// What became of candidates of one sort.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(crate) struct Yield {
    pub(crate) candidates: u64,
    pub(crate) accepted: u64,
    pub(crate) calls: u64,
    pub(crate) usd_micros: u64,
}

impl Yield {
    /// Counts a decided row.
    pub(crate) fn add(&mut self, row: &Row) {
        let cost = row.cost();
        self.candidates += 1;
        self.accepted += u64::from(row.accepted());
        self.calls += cost.calls;
        self.usd_micros += cost.usd.0;
    }
}

/// What one stage spent at one model.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Spend {
    pub(crate) stage: String,
    pub(crate) model: String,
    pub(crate) spent_usd_micros: u64,
    pub(crate) burned_usd_micros: u64,
    /// What single calls would have cost more, where the model was asked in batches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) saved_usd_micros: Option<u64>,
    pub(crate) calls: u64,
    pub(crate) input_tokens: u64,
    pub(crate) output_tokens: u64,
}

impl Spend {
    /// What is gone in micro-dollars: spent, or burned.
    pub(crate) fn usd_micros(&self) -> u64 {
        self.spent_usd_micros + self.burned_usd_micros
    }
}

impl Manifest {
    /// What the whole run came to in micro-dollars.
    pub(crate) fn usd_micros(&self) -> u64 {
        self.spend.iter().map(Spend::usd_micros).sum()
    }

    /// Of that, what is booked for calls whose cost nobody knows.
    pub(crate) fn burned_usd_micros(&self) -> u64 {
        self.spend.iter().map(|part| part.burned_usd_micros).sum()
    }

    /// The calls of the whole run.
    pub(crate) fn calls(&self) -> u64 {
        self.spend.iter().map(|part| part.calls).sum()
    }
}

/// One thing to write.
enum Item {
    Row(Split, Box<gristmill_dataset::Row>),
    Rejected(Box<Rejected>),
}

/// What is counted while rows go by.
#[derive(Default)]
pub(crate) struct Tallies {
    pub(crate) rows: RowCounts,
    candidates: u64,
    rejected: BTreeMap<Reason, Loss>,
    /// Failed calls by the form of the provider's words.
    failed_calls: BTreeMap<String, FailedCalls>,
    by_reference: BTreeMap<String, Yield>,
    by_strategy: BTreeMap<String, Yield>,
    by_mutator: BTreeMap<String, Yield>,
    /// Accepted new questions, and those of them that belong to no concept.
    new_questions: (u64, u64),
    leaks: Option<LeakTrials>,
    /// How sure rows without a reference are.
    pub(crate) sums: Sums,
}

impl Tallies {
    fn asked(&self) -> Asked {
        let any = |strategy: Strategy| self.by_strategy.contains_key(strategy.as_str());
        Asked {
            rephrasings: any(Strategy::Rephrasing),
            new_questions: any(Strategy::NewQuestion),
        }
    }

    fn see_failed_call(&mut self, words: &str) {
        /// Forms that are told apart: a provider that answers each call with other words is not let fill the memory.
        const FORMS_MAX: usize = 256;
        let form = refusal::alike(words);
        if self.failed_calls.len() >= FORMS_MAX && !self.failed_calls.contains_key(&form) {
            return;
        }
        let seen = self.failed_calls.entry(form).or_insert_with(|| FailedCalls {
            words: refusal::with_advice(words),
            rows: 0,
        });
        seen.rows += 1;
    }

    /// The most frequent words of failed calls, the first first.
    fn failed_calls(&self) -> Vec<FailedCalls> {
        /// Enough to see what went wrong.
        const SHOWN: usize = 3;
        let mut all: Vec<FailedCalls> = self.failed_calls.values().cloned().collect();
        all.sort_by_key(|failed| std::cmp::Reverse(failed.rows));
        all.truncate(SHOWN);
        all
    }

    /// Counts a decided row.
    pub(crate) fn see(&mut self, row: &Row, referenced: bool) {
        let cost = row.cost();
        self.candidates += 1;
        if let Some(trial) = row.checks.leak_trial {
            let leaks = self.leaks.get_or_insert(LeakTrials {
                cosine: trial.cosine,
                rephrasings: 0,
                missed: 0,
            });
            leaks.rephrasings += 1;
            leaks.missed += u64::from(!trial.found);
        }
        if let Some(rejection) = &row.rejection {
            let loss = self.rejected.entry(rejection.reason).or_default();
            loss.rows += 1;
            loss.calls += cost.calls;
            loss.usd_micros += cost.usd.0;
            self.rows.rejected += 1;
            if rejection.reason == Reason::CallFailed {
                self.see_failed_call(&rejection.detail);
            }
        } else {
            self.rows.train += 1;
            self.rows.train_synthetic += 1;
            if row.strategy == Strategy::NewQuestion {
                self.new_questions.0 += 1;
                self.new_questions.1 += u64::from(row.assigned.is_empty());
            }
        }
        let sort = if referenced {
            "with_reference"
        } else {
            "without_reference"
        };
        for part in [
            self.by_reference.entry(sort.to_owned()).or_default(),
            self.by_strategy.entry(row.strategy.to_string()).or_default(),
        ] {
            part.add(row);
        }
        self.sums.see(row);
        mutators::see(&mut self.by_mutator, row);
    }
}

/// Writes the dataset and returns its manifest. What was there before stays until the new one is whole, and for good where it holds more of
/// the run's rows.
pub(crate) async fn assemble(
    state: &dyn Blobs,
    target: &Path,
    start: &Start,
    seeds: &SeedStore,
    finished: &Finished,
    account: &Account,
) -> anyhow::Result<Manifest> {
    let journal = Journal::new(state);
    let options = Options {
        layout: layout(start.job.output.layout),
        shard_rows: start.job.output.shard_rows,
        jsonl: start.job.output.jsonl,
        ..Options::default()
    };
    let target = target.to_owned();
    let written_to = target.clone();
    let (sender, mut receiver) = tokio::sync::mpsc::channel::<Item>(QUEUE);
    let writing = tokio::task::spawn_blocking(move || -> anyhow::Result<gristmill_dataset::Finished> {
        let mut writer = Writer::create(&written_to, options)?;
        while let Some(item) = receiver.blocking_recv() {
            match item {
                Item::Row(split, row) => writer.push(split, *row)?,
                Item::Rejected(row) => writer.reject(*row)?,
            }
        }
        Ok(writer.finish()?)
    });
    let fed = feed(start, seeds, &journal, finished, &sender).await;
    drop(sender);
    let mut written = writing.await.context("the writing thread ended early")??;
    let mut tallies = fed?;
    tallies.rows.synthetic_share = synthetic_share(tallies.rows.train_synthetic, tallies.rows.train_human);
    if tallies.rows.synthetic_share > start.job.anchor.max_synthetic_share {
        bail!(
            "{:.1} % of the rows are synthetic, over the ceiling: nothing was written",
            100.0 * tallies.rows.synthetic_share
        );
    }
    let course = Course {
        end: finished.end.to_string(),
        rounds: finished.rounds.clone(),
        concepts: finished.concepts.clone(),
    };
    let mut manifest = manifest(start, seeds, course, account, tallies);
    let events = Events::load(state).await?;
    manifest.resumed = events
        .reopenings()
        .map(|(rounds, limit)| Resumed { rounds, limit })
        .collect();
    let place = target.display().to_string();
    refuse_worse(before(&target).as_ref(), &manifest, &place)?;
    label(&mut written, &mut manifest)?;
    tokio::task::spawn_blocking(move || written.publish())
        .await
        .context("the publishing thread ended early")??;
    Ok(manifest)
}

/// The manifest of the dataset that is there; `None` where there is none that can be read.
fn before(target: &Path) -> Option<Manifest> {
    let bytes = std::fs::read(target.join("manifest.json")).ok()?;
    serde_json::from_slice(&bytes).ok()
}

/// Adds card and manifest to a dataset that is written, and names its files in the manifest.
pub(crate) fn label(
    written: &mut gristmill_dataset::Finished,
    manifest: &mut Manifest,
) -> anyhow::Result<()> {
    let about = About {
        pretty_name: Some(format!("Gristmill run {}", manifest.run)),
        languages: Vec::new(),
        ..About::default()
    };
    let text = format!("{}{}", written.front_matter(&about), card::card(manifest));
    written.add("README.md", text.as_bytes())?;
    manifest.files = written
        .files()
        .iter()
        .map(serde_json::to_value)
        .collect::<Result<_, _>>()?;
    written.add("manifest.json", &serde_json::to_vec_pretty(manifest)?)?;
    Ok(())
}

/// How often each real row stands in the training set: as often as the ceiling on the synthetic share asks for, as far as the job allows.
fn repeats(start: &Start, seeds: &SeedStore, finished: &Finished) -> u64 {
    let accepted: u64 = finished.rounds.iter().map(|round| round.accepted).sum();
    let share = start.job.anchor.max_synthetic_share;
    let most = u64::from(start.job.anchor.max_repeats.max(1));
    let holds = |times: &u64| synthetic_ceiling(share, times * seeds.anchors()) >= accepted;
    (1..=most).find(holds).unwrap_or(most)
}

/// Streams real rows, then decided ones, to the writer.
async fn feed(
    start: &Start,
    seeds: &SeedStore,
    journal: &Journal<'_>,
    finished: &Finished,
    sender: &tokio::sync::mpsc::Sender<Item>,
) -> anyhow::Result<Tallies> {
    // A closed channel means that the writer failed; its own error says why.
    let send = async |item: Item| {
        sender
            .send(item)
            .await
            .map_err(|_| anyhow::anyhow!("the dataset could not be written"))
    };
    let repeats = repeats(start, seeds, finished);
    let mut of_anchor = finished.of_anchor.iter().flatten();
    let mut tallies = Tallies::default();
    for ordinal in 0..seeds.len() {
        let mut seed = seeds.read(ordinal)?;
        // The job's own concepts take the place of the labels that the seeds came with.
        if seeds.split(ordinal) == seed::Split::Anchor
            && let Some(numbers) = of_anchor.next()
        {
            let names = numbers
                .iter()
                .filter_map(|number| finished.concepts.get(*number as usize));
            seed.concepts = names.map(|standing| standing.concept.clone()).collect();
        }
        let split = match seeds.split(ordinal) {
            seed::Split::Anchor => Split::Train,
            seed::Split::Validation => Split::Validation,
            seed::Split::Test => Split::Test,
        };
        let times = match split {
            Split::Train => {
                tallies.rows.train += repeats;
                tallies.rows.train_human += repeats;
                repeats
            }
            Split::Validation => {
                tallies.rows.validation += 1;
                1
            }
            Split::Test => {
                tallies.rows.test += 1;
                1
            }
        };
        let row = rows::human(start, seed);
        for _ in 0..times {
            send(Item::Row(split, Box::new(row.clone()))).await?;
        }
    }
    for name in journal.all_segments(SegmentKind::Rows).await? {
        for record in journal.rows(&name).await? {
            let row = record.value;
            tallies.see(&row, has_reference(start, &row));
            let item = if row.accepted() {
                Item::Row(Split::Train, Box::new(rows::synthetic(start, row, seeds)?))
            } else {
                Item::Rejected(Box::new(rows::rejected(row)))
            };
            send(item).await?;
        }
    }
    Ok(tallies)
}

/// Whether a row's answer could be compared with a reference.
pub(crate) fn has_reference(start: &Start, row: &Row) -> bool {
    let checked =
        start.job.filter.validator != job::Validator::None && start.job.seeds.fields.has_references();
    checked && row.strategy != Strategy::NewQuestion
}

fn layout(layout: job::Layout) -> Layout {
    match layout {
        job::Layout::Messages => Layout::Messages,
        job::Layout::PromptCompletion => Layout::PromptCompletion,
        job::Layout::Alpaca => Layout::Alpaca,
    }
}

/// How a run went.
pub(crate) struct Course {
    /// Why it ended, in words.
    pub(crate) end: String,
    pub(crate) rounds: Vec<gristmill_coordinator::RoundReport>,
    /// Where each concept stands.
    pub(crate) concepts: Vec<Standing>,
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
    let certainty = tallies.sums.certainty(&course.rounds);
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
    Manifest {
        version: 1,
        run: start.run.to_string(),
        gristmill: start.version.clone(),
        configuration: configuration_hash(&start.job),
        end: course.end,
        rows: tallies.rows,
        candidates: tallies.candidates,
        rejected: tallies.rejected.into_iter().collect(),
        failed_calls,
        by_reference: tallies.by_reference,
        by_strategy: tallies.by_strategy,
        by_mutator: match start.job.generate.mutators {
            Some(_) => tallies.by_mutator,
            None => BTreeMap::new(),
        },
        leaks: tallies.leaks,
        certainty,
        warnings,
        concepts: course.concepts,
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
pub(crate) fn configuration_hash(job: &job::Job) -> String {
    let text = serde_json::to_vec(job).unwrap_or_default();
    gristmill_domain::id::ContentId::of(&[b"job", &text]).to_string()
}
