//! Assembles the dataset of a finished run from its journal: the real anchor and the accepted rows under the ceiling, the held-out
//! splits, the rejected rows, the manifest and the card.

mod again;
mod counts;
mod manifest;
mod rows;
mod tallies;

use std::path::Path;

use anyhow::{Context, bail};
use gristmill_coordinator::{Events, Finished, Journal, SeedStore, Start};
use gristmill_dataset::{About, Layout, Options, Rejected, Split, Writer};
use gristmill_domain::job;
use gristmill_domain::ledger::Account;
use gristmill_domain::row::Row;
use gristmill_domain::seed;
use gristmill_domain::share::{synthetic_ceiling, synthetic_share};
use gristmill_domain::strategy::Strategy;
use gristmill_ports::blob::Blobs;
use gristmill_proto::SegmentKind;

use crate::card;

pub use again::EndedRun;
pub(crate) use again::refuse_worse;
pub use counts::{FailedCalls, LeakTrials, Loss, RowCounts, Yield};
pub(crate) use manifest::{Course, manifest};
pub use manifest::{Manifest, Resumed, Spend};
pub(crate) use tallies::Tallies;

/// Rows handed to the writing thread at once.
const QUEUE: usize = 256;

/// One thing to write.
enum Item {
    Row(Split, Box<gristmill_dataset::DatasetRow>),
    Rejected(Box<Rejected>),
}

/// Writes the dataset and returns its manifest. What was there before stays until the new one is whole, and for good where it holds more of
/// the run's rows.
///
/// # Errors
/// State that cannot be read, a dataset that cannot be written or would be over the ceiling on synthetic rows, and one with fewer rows
/// than the one that is there.
pub async fn assemble(
    state: &dyn Blobs,
    target: &Path,
    start: &Start,
    seeds: &SeedStore,
    finished: &Finished,
    account: &Account,
) -> anyhow::Result<Manifest> {
    assemble_chosen(state, target, start, seeds, finished, account, None).await
}

/// Which of a run's rows make a dataset that is not the run's own, real rows apart.
pub(crate) type Chosen<'a> = &'a (dyn Fn(&Row) -> bool + Send + Sync);

/// As [`assemble`]; where rows are chosen, exactly these are in the training set, whatever became of them in the run, and no others are written.
pub(crate) async fn assemble_chosen(
    state: &dyn Blobs,
    target: &Path,
    start: &Start,
    seeds: &SeedStore,
    finished: &Finished,
    account: &Account,
    chosen: Option<Chosen<'_>>,
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
    let fed = feed(start, seeds, &journal, finished, chosen, &sender).await;
    drop(sender);
    let mut written = writing.await.context("the writing thread ended early")??;
    let mut tallies = fed?;
    tallies.rows.synthetic_share = synthetic_share(tallies.rows.train_synthetic, tallies.rows.train_human);
    if chosen.is_none() && tallies.rows.synthetic_share > start.job.anchor.max_synthetic_share {
        bail!(
            "{:.1} % of the rows are synthetic, over the ceiling: nothing was written",
            100.0 * tallies.rows.synthetic_share
        );
    }
    let course = Course {
        end: finished.end.to_string(),
        ended: Some(finished.end.clone()),
        rounds: finished.rounds.clone(),
        concepts: finished.concepts.clone(),
        teacher_checks: finished.teacher_checks.clone(),
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
///
/// # Errors
/// Files that cannot be written.
pub fn label(written: &mut gristmill_dataset::Finished, manifest: &mut Manifest) -> anyhow::Result<()> {
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
    chosen: Option<Chosen<'_>>,
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
            seed.concepts = names.map(|progress| progress.concept.clone()).collect();
        }
        let (split, times) = match seeds.split(ordinal) {
            seed::Split::Anchor => {
                tallies.rows.train += repeats;
                tallies.rows.train_human += repeats;
                (Split::Train, repeats)
            }
            seed::Split::Validation => {
                tallies.rows.validation += 1;
                (Split::Validation, 1)
            }
            seed::Split::Test => {
                tallies.rows.test += 1;
                (Split::Test, 1)
            }
        };
        let row = rows::human(start, seed);
        for _ in 0..times {
            send(Item::Row(split, Box::new(row.clone()))).await?;
        }
    }
    for name in journal.all_segments(SegmentKind::Rows).await? {
        for record in journal.rows(&name).await? {
            let mut row = record.value;
            if let Some(chosen) = chosen {
                if !chosen(&row) {
                    continue;
                }
                row.rejection = None;
            }
            tallies.see(&row, has_reference(start, &row));
            let item = if row.accepted() {
                Item::Row(
                    rows::split_of(row.form),
                    Box::new(rows::synthetic(start, row, seeds)?),
                )
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
    let checked = start.job.filter.validator.compares_references() && start.job.seeds.fields.has_references();
    checked && row.strategy != Strategy::NewQuestion
}

fn layout(layout: job::Layout) -> Layout {
    match layout {
        job::Layout::Messages => Layout::Messages,
        job::Layout::PromptCompletion => Layout::PromptCompletion,
        job::Layout::Alpaca => Layout::Alpaca,
    }
}
