//! Looks into a ledger that may have lost writes, before anything is opened in it, and makes its books whole again.
//!
//! What the run's segments hold is spent. Every other task that may have begun, the first window of what the producer asks for and all
//! that the ledger still knows, is taken to have cost one worst case; whoever made the call corrects that when it ends.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use gristmill_domain::id::TaskId;
use gristmill_domain::ledger::{Ending, NewAccount, Subtotal};
use gristmill_domain::stage::Stage;
use gristmill_domain::work::Task;
use gristmill_ports::upkeep::{Holdings, Standing, StoredLine, Upkeep};
use gristmill_proto::SegmentKind;

use crate::Error;
use crate::engine::{Engine, OPEN_BATCH, Producer};

/// A ledger that may lose writes, and what its books are rebuilt from.
pub(crate) struct Care<'a> {
    pub(crate) upkeep: &'a dyn Upkeep,
    pub(crate) account: NewAccount,
    /// Tasks whose results are stored, in all rounds.
    pub(crate) stored: u64,
}

/// Stored tasks, summed, and their ids.
#[derive(Default)]
struct Stored {
    lines: BTreeMap<(Stage, String, Ending), Subtotal>,
    ids: HashSet<TaskId>,
}

impl Engine<'_, '_> {
    /// Returns the tasks that are to be opened, `fresh` first, once the ledger's books are whole.
    pub(crate) async fn mend(
        &mut self,
        producer: &mut dyn Producer,
        mut fresh: Vec<Task>,
    ) -> Result<Vec<Task>, Error> {
        loop {
            let Some(care) = &self.site.care else {
                return Ok(fresh);
            };
            let (run, epoch) = (self.site.run, self.site.epoch.clone());
            match care.upkeep.standing(run, &epoch, care.stored).await? {
                Standing::Whole => return Ok(fresh),
                Standing::Waiting { wait_ms } => {
                    tracing::warn!(%run, wait_ms, "the ledger's store was restarted: nothing begins until it is known that nothing is lost");
                    tokio::select! {
                        () = self.site.stop.cancelled() => return Err(Error::Interrupted),
                        () = tokio::time::sleep(Duration::from_millis(wait_ms)) => {}
                    }
                }
                Standing::Broken => {
                    let survivors = care.upkeep.survivors(run, &epoch).await?;
                    let open: HashSet<TaskId> = survivors
                        .iter()
                        .filter(|survivor| !survivor.decided)
                        .map(|survivor| survivor.id)
                        .collect();
                    self.ask_for(producer, &mut fresh, &open).await?;
                    let holdings = self.holdings(&fresh, survivors.iter().map(|s| s.id)).await?;
                    let Some(care) = &self.site.care else {
                        return Ok(fresh);
                    };
                    let presumed = care.upkeep.rebuild(run, &epoch, holdings).await?;
                    tracing::error!(%run, presumed, "the ledger has lost writes: its books are rebuilt from what is stored");
                }
            }
        }
    }

    /// Has the producer ask for all that may have begun: a window of tasks, and those that the ledger still holds open.
    async fn ask_for(
        &mut self,
        producer: &mut dyn Producer,
        fresh: &mut Vec<Task>,
        open: &HashSet<TaskId>,
    ) -> Result<(), Error> {
        loop {
            // What is settled and not stored may be what the next task follows from.
            let results = self
                .site
                .ledger
                .results(self.site.run, self.site.cursor, 512, Duration::ZERO)
                .await?;
            let mut came = !results.is_empty();
            for result in results {
                self.site.cursor = self.site.cursor.max(result.seq);
                self.site.early.insert(result.task, result);
            }
            let (known, still): (Vec<Task>, Vec<Task>) = fresh
                .drain(..)
                .partition(|task| self.site.early.contains_key(&task.id));
            *fresh = still;
            for task in known {
                if let Some(settled) = self.site.early.remove(&task.id) {
                    self.take(producer, task.address, settled).await?;
                }
            }
            let missing = open.iter().any(|id| !fresh.iter().any(|task| task.id == *id));
            if missing || fresh.len() < self.site.options.window.tasks() {
                let (tasks, more) = self.ask(producer, OPEN_BATCH).await?;
                came |= more || !tasks.is_empty();
                fresh.extend(tasks);
            }
            if !came {
                return Ok(());
            }
        }
    }

    async fn holdings(
        &self,
        fresh: &[Task],
        survivors: impl Iterator<Item = TaskId>,
    ) -> Result<Holdings, Error> {
        let stored = self.stored_tasks().await?;
        let open = fresh
            .iter()
            .map(|task| Ok((self.new_task(task)?, self.worst_case(task))))
            .collect::<Result<Vec<_>, Error>>()?;
        let account = match &self.site.care {
            Some(care) => care.account.clone(),
            None => return Err(Error::Interrupted),
        };
        Ok(Holdings {
            account,
            stored_survivors: survivors.filter(|id| stored.ids.contains(id)).collect(),
            stored: stored
                .lines
                .into_iter()
                .map(|((stage, model, ending), sum)| StoredLine {
                    stage,
                    model,
                    ending,
                    sum,
                })
                .collect(),
            open,
            last_seq: self.site.cursor,
        })
    }

    /// Reads all results that are stored.
    async fn stored_tasks(&self) -> Result<Stored, Error> {
        let mut stored = Stored::default();
        for name in self.site.journal.all_segments(SegmentKind::Results).await? {
            for result in self.site.journal.results(&name).await? {
                let ending = if result.brought.is_ok() {
                    Ending::Done
                } else {
                    Ending::Failed
                };
                let stage = result.address.step.stage();
                let line = stored.lines.entry((stage, result.model, ending)).or_default();
                line.tasks += 1;
                line.attempts += u64::from(result.attempts);
                // Whether a part of it was burned is not told apart any more: it is gone either way.
                line.spent += result.cost;
                stored.ids.insert(result.task);
            }
        }
        Ok(stored)
    }
}
