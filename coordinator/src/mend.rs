//! Looks into a ledger that may have lost writes, before anything is opened in it, and makes its books whole again.
//!
//! What the run's segments hold is spent. Every other task that may have begun is taken to have cost one worst case, together at most what is
//! left of the limit; whoever made the call corrects that when it ends. Those are all that the ledger still knows, and of what the producer asks
//! for as many as may be at risk at once: whatever is not stored counts towards that share until it is. The books are made whole before a round is
//! planned, since a plan is made from them.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use gristmill_domain::amount::Amount;
use gristmill_domain::id::TaskId;
use gristmill_domain::ledger::{Account, Ending, Epoch, NewAccount, Subtotal};
use gristmill_domain::stage::Stage;
use gristmill_domain::work::Task;
use gristmill_ports::upkeep::{Holdings, StoreHealth, StoredLine, Upkeep};
use gristmill_proto::SegmentKind;

use crate::Error;
use crate::engine::{Engine, OPEN_BATCH, Producer, Site};
use crate::journal::Journal;

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
            match care.upkeep.health(run, &epoch, care.stored).await? {
                StoreHealth::Whole => return Ok(fresh),
                StoreHealth::Waiting { wait_ms } => wait(self.site, wait_ms).await?,
                StoreHealth::Broken => {
                    let survivors = care.upkeep.survivors(run, &epoch).await?;
                    let open: HashSet<TaskId> = survivors
                        .iter()
                        .filter(|survivor| !survivor.decided)
                        .map(|survivor| survivor.id)
                        .collect();
                    self.ask_for(producer, &mut fresh, &open).await?;
                    let begun = self.may_have_begun(&fresh, &open);
                    let holdings = self.holdings(&begun, survivors.iter().map(|s| s.id)).await?;
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
                    self.take_early_result(producer, task.address, settled).await?;
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

    /// Of tasks that are not stored, those that may have begun: all that the ledger still holds open, all that are asked in batches, and others in
    /// their order until what may be at risk at once is reached. If others had begun in their place, these have cost as much.
    fn may_have_begun<'t>(&self, fresh: &'t [Task], open: &HashSet<TaskId>) -> Vec<&'t Task> {
        let largest = self.site.care.as_ref().map(|care| care.largest_limit);
        let most = self.site.may_risk(largest.unwrap_or(self.site.limit));
        let reached = |sum: Amount| {
            most.usd.is_some_and(|most| sum.usd >= most) || most.calls.is_some_and(|most| sum.calls >= most)
        };
        let mut at_risk = Amount::ZERO;
        let begun = fresh.iter().filter(|task| {
            let worst = self.worst_of(task);
            let may = open.contains(&task.id) || worst == Amount::ZERO || !reached(at_risk);
            if may {
                at_risk += worst;
            }
            may
        });
        begun.collect()
    }

    async fn holdings(
        &self,
        begun: &[&Task],
        survivors: impl Iterator<Item = TaskId>,
    ) -> Result<Holdings, Error> {
        let Some(care) = &self.site.care else {
            return Err(Error::Interrupted);
        };
        let stored = Stored::read(&self.site.journal).await?;
        let open = begun
            .iter()
            .map(|task| Ok((self.new_task(task)?, self.worst_case(task))))
            .collect::<Result<Vec<_>, Error>>()?;
        Ok(Holdings {
            open,
            last_seq: self.site.cursor,
            ..stored.holdings(care.account.clone(), survivors)
        })
    }
}

impl Stored {
    /// Reads all results that are stored.
    async fn read(journal: &Journal<'_>) -> Result<Self, Error> {
        let mut stored = Self::default();
        for name in journal.all_segments(SegmentKind::Results).await? {
            for result in journal.results(&name).await? {
                let ending = if result.brought.is_ok() {
                    Ending::Done
                } else {
                    Ending::Failed
                };
                let stage = result.address.step.stage;
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

    /// What is known of a run of which nothing else can have begun.
    fn holdings(self, account: NewAccount, survivors: impl Iterator<Item = TaskId>) -> Holdings {
        let line = |((stage, model, ending), sum)| StoredLine {
            stage,
            model,
            ending,
            sum,
        };
        Holdings {
            account,
            stored_survivors: survivors.filter(|id| self.ids.contains(id)).collect(),
            stored: self.lines.into_iter().map(line).collect(),
            open: Vec::new(),
            last_seq: 0,
        }
    }
}

/// Makes the books whole before a round is planned from them. A plan is stored before anything that it names is dispatched, so every task of
/// the rounds before is stored, and none of the next has begun: nothing is presumed.
pub(crate) async fn between_rounds(site: &Site<'_>) -> Result<(), Error> {
    let (run, epoch) = (site.run, &site.epoch);
    while let Some(care) = site.care.as_ref().filter(|_| !site.closed) {
        match care.upkeep.health(run, epoch, care.stored).await? {
            StoreHealth::Whole => break,
            StoreHealth::Waiting { wait_ms } => wait(site, wait_ms).await?,
            StoreHealth::Broken => {
                let survivors = care.upkeep.survivors(run, epoch).await?;
                let stored = Stored::read(&site.journal).await?;
                // Of rounds that are decided without them. What they had begun is on the books by itself.
                let stray: Vec<TaskId> = survivors
                    .iter()
                    .filter(|survivor| !survivor.decided && !stored.ids.contains(&survivor.id))
                    .map(|survivor| survivor.id)
                    .collect();
                if !stray.is_empty() {
                    let reason = "its row was decided without it";
                    site.ledger.fail(run, epoch, &stray, reason).await?;
                }
                let ids = survivors.iter().map(|survivor| survivor.id);
                let holdings = stored.holdings(care.account.clone(), ids);
                care.upkeep.rebuild(run, epoch, holdings).await?;
                tracing::error!(%run, "the ledger has lost writes between two rounds: its books are rebuilt from what is stored");
            }
        }
    }
    Ok(())
}

/// What is known of a run that stood still with this account: all that it had spent was written down then, with nothing in flight, so that nothing is
/// presumed. `journaled`: tasks whose results its segments hold; where that is more, what was written down is not the last word, and the books are
/// rebuilt as those of any other run. `None` also where nothing was spent.
pub(crate) fn settled_holdings(account: NewAccount, settled: &Account, journaled: u64) -> Option<Holdings> {
    let stored = settled_lines(settled);
    if stored.is_empty() || tasks_of(&stored) < journaled {
        return None;
    }
    Some(Holdings {
        account,
        stored,
        stored_survivors: Vec::new(),
        open: Vec::new(),
        last_seq: 0,
    })
}

/// Whether a ledger holds nothing of the tasks of a run that it once held.
pub(crate) async fn is_lost(upkeep: &dyn Upkeep, epoch: &Epoch, holdings: &Holdings) -> Result<bool, Error> {
    let run = holdings.account.run;
    let tasks = tasks_of(&holdings.stored).max(1);
    let health = upkeep.health(run, epoch, tasks).await?;
    Ok(health == StoreHealth::Broken && upkeep.survivors(run, epoch).await?.is_empty())
}

fn tasks_of(lines: &[StoredLine]) -> u64 {
    lines.iter().map(|line| line.sum.tasks).sum()
}

/// All that is on the books of a run of which nothing is in flight. What attempts at open tasks came to is in a line without tasks.
fn settled_lines(settled: &Account) -> Vec<StoredLine> {
    let mut lines: BTreeMap<(Stage, String, Ending), Subtotal> = BTreeMap::new();
    for (stage, models) in &settled.archived {
        for (model, endings) in models {
            for (ending, sum) in endings {
                lines.insert((*stage, model.clone(), *ending), *sum);
            }
        }
    }
    for (stage, models) in &settled.books {
        for (model, books) in models {
            let archived = settled.archived.get(stage).and_then(|models| models.get(model));
            let (mut spent, mut burned) = (books.spent, books.burned);
            for sum in archived.into_iter().flat_map(BTreeMap::values) {
                spent = spent.checked_sub(sum.spent).unwrap_or_default();
                burned = burned.checked_sub(sum.burned).unwrap_or_default();
            }
            if spent != Amount::ZERO || burned != Amount::ZERO {
                let line = lines.entry((*stage, model.clone(), Ending::Failed)).or_default();
                line.spent += spent;
                line.burned += burned;
            }
        }
    }
    let line = |((stage, model, ending), sum)| StoredLine {
        stage,
        model,
        ending,
        sum,
    };
    lines.into_iter().map(line).collect()
}

/// Waits until everybody who was told of a write has had the time to show it.
async fn wait(site: &Site<'_>, wait_ms: u64) -> Result<(), Error> {
    tracing::warn!(run = %site.run, wait_ms, "the ledger's store was restarted: nothing begins until it is known that nothing is lost");
    tokio::select! {
        () = site.stop.cancelled() => Err(Error::Interrupted),
        () = tokio::time::sleep(Duration::from_millis(wait_ms)) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::sync::{Arc, Mutex};

    use async_trait::async_trait;
    use gristmill_blob::LocalBlobs;
    use gristmill_domain::amount::Limit;
    use gristmill_domain::id::RunId;
    use gristmill_domain::work::{Address, StageCall};
    use gristmill_ports::contract::ledger::MemoryLedger;
    use gristmill_ports::ledger::{Books, Error as LedgerError, Ledger, NewTask};
    use gristmill_ports::trace::Untraced;
    use gristmill_ports::upkeep::Survivor;
    use tokio::sync::watch;
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::closed::Closed;
    use crate::engine::{Care, Options};
    use crate::failure::TaskFailure;
    use crate::journal::TaskResult;
    use crate::{Progress, RunGauges, Window};

    /// A store that has lost writes until it is rebuilt.
    struct Broken {
        survivors: Vec<Survivor>,
        rebuilt: Mutex<Option<Holdings>>,
    }

    #[async_trait]
    impl Upkeep for Broken {
        async fn health(&self, _: RunId, _: &Epoch, _: u64) -> Result<StoreHealth, LedgerError> {
            Ok(match *self.rebuilt.lock().unwrap() {
                Some(_) => StoreHealth::Whole,
                None => StoreHealth::Broken,
            })
        }

        async fn survivors(&self, _: RunId, _: &Epoch) -> Result<Vec<Survivor>, LedgerError> {
            Ok(self.survivors.clone())
        }

        async fn rebuild(&self, _: RunId, _: &Epoch, holdings: Holdings) -> Result<u64, LedgerError> {
            let presumed = holdings.open.len() as u64;
            *self.rebuilt.lock().unwrap() = Some(holdings);
            Ok(presumed)
        }

        async fn release(&self, _: RunId, _: Duration) -> Result<bool, LedgerError> {
            Ok(true)
        }
    }

    #[test]
    fn all_that_was_on_the_books_of_a_run_that_stood_still_is_known() {
        let new = NewAccount {
            run: RunId::of(&[b"run"]),
            limit: Limit::default(),
            price_hash: "p".to_owned(),
            lease_ms: 1,
            republish_ms: 1,
        };
        let calls = |calls| Amount {
            calls,
            ..Amount::ZERO
        };
        let mut settled = Account::new(new.clone());
        assert_eq!(
            settled_holdings(new.clone(), &settled, 0),
            None,
            "nothing was spent"
        );
        let books = Books {
            spent: calls(6),
            burned: calls(2),
            ..Books::default()
        };
        let models = settled.books.entry(Stage::Generate).or_default();
        models.insert("sim".to_owned(), books);
        let sum = Subtotal {
            tasks: 3,
            attempts: 4,
            spent: calls(5),
            burned: calls(1),
        };
        let models = settled.archived.entry(Stage::Generate).or_default();
        models.insert("sim".to_owned(), [(Ending::Done, sum)].into());
        let known = settled_holdings(new.clone(), &settled, 3).unwrap();
        let lines: Vec<_> = known
            .stored
            .iter()
            .map(|line| {
                (
                    line.ending,
                    line.sum.tasks,
                    line.sum.spent.calls,
                    line.sum.burned.calls,
                )
            })
            .collect();
        // What attempts at tasks came to that are still open is not lost either.
        assert_eq!(lines, [(Ending::Done, 3, 5, 1), (Ending::Failed, 0, 1, 1)]);
        assert_eq!((known.open.len(), known.stored_survivors.len()), (0, 0));
        assert_eq!(settled_holdings(new, &settled, 4), None, "it has gone on since");
    }

    fn result(number: u64, calls: u64) -> TaskResult {
        let address = Address {
            round: 0,
            index: number,
            step: StageCall {
                stage: Stage::Generate,
                ..StageCall::EMBED
            },
        };
        TaskResult {
            task: TaskId::of(&[&number.to_le_bytes()]),
            address,
            model: "teacher".to_owned(),
            brought: Err(TaskFailure::Failed("refused".to_owned())),
            cost: Amount {
                calls,
                ..Amount::ZERO
            },
            attempts: 1,
        }
    }

    #[tokio::test]
    async fn books_are_whole_before_a_round_is_planned_and_nothing_is_presumed() {
        let (run, folder) = (RunId::of(&[b"run"]), tempfile::tempdir().unwrap());
        let account = NewAccount {
            run,
            limit: Limit::default(),
            price_hash: "p".to_owned(),
            lease_ms: 10,
            republish_ms: 10,
        };
        let blobs = LocalBlobs::new(folder.path());
        let journal = Journal::new(&blobs);
        let results: Vec<TaskResult> = (0..3).map(|number| result(number, 2)).collect();
        let (stored, stray) = (results[1].task, result(9, 0).task);
        journal.append_results(0, &mut 0, results).await.unwrap();
        let ledger = MemoryLedger::default();
        ledger.create(account.clone()).await.unwrap();
        let epoch = ledger.take_over(run, "driver").await.unwrap();
        let new = |id| NewTask {
            id,
            stage: Stage::Generate,
            model: "teacher".to_owned(),
            payload: Vec::new(),
            max_attempts: 1,
            max_voids: 1,
        };
        ledger
            .open(run, &epoch, vec![new(stored), new(stray)])
            .await
            .unwrap();
        let survivor = |id| Survivor { id, decided: false };
        let upkeep = Broken {
            survivors: vec![survivor(stored), survivor(stray)],
            rebuilt: Mutex::default(),
        };
        let queue = Closed(Account::new(account.clone()));
        let mut site = Site {
            run,
            ledger: &ledger,
            queue: &queue,
            journal,
            epoch,
            prices: HashMap::new(),
            batched: HashSet::new(),
            limit: Limit::default(),
            options: Options {
                window: Window::new(64),
                max_attempts: 1,
                at_risk: 1.0,
                sweep_every: Duration::from_secs(1),
                propagator: Arc::new(Untraced),
                gauges: RunGauges::default(),
            },
            progress: watch::channel(Progress::default()).0,
            stop: CancellationToken::new(),
            cursor: 0,
            early: HashMap::new(),
            care: Some(Care {
                upkeep: &upkeep,
                account,
                stored: 3,
                largest_limit: Limit::default(),
            }),
            batch_jobs: None,
            closed: false,
            cancelled: false,
        };
        between_rounds(&site).await.unwrap();
        let holdings = upkeep.rebuilt.lock().unwrap().take().expect("rebuilt");
        assert_eq!(
            holdings.open,
            [],
            "no call of a round that is not planned can have begun"
        );
        assert_eq!(holdings.stored_survivors, [stored]);
        let sums: Vec<_> = holdings
            .stored
            .iter()
            .map(|line| (line.sum.tasks, line.sum.spent.calls))
            .collect();
        assert_eq!(sums, [(3, 6)]);
        let counts = ledger.account(run).await.unwrap().counts_total();
        assert_eq!(
            (counts.open, counts.failed),
            (1, 1),
            "what nobody asks for any more is failed"
        );

        // A run whose books are closed is only read.
        site.closed = true;
        between_rounds(&site).await.unwrap();
        assert!(upkeep.rebuilt.lock().unwrap().is_none());
    }
}
