//! A run from its first plan to its last row.

mod books;
mod evaluate;
mod report;
mod teachers;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};

use gristmill_domain::again::Again;
use gristmill_domain::amount::Limit;
use gristmill_domain::chat::Price;
use gristmill_domain::concept::ConceptProgress;
use gristmill_domain::job::EmbedSource;
use gristmill_domain::plan::{self, End, LastRound, Next, PerSeed, Plan, Policy, Snapshot};
use gristmill_domain::seed::Split;
use gristmill_domain::stage::Stage;
use gristmill_domain::strategy::Strategy;
use gristmill_domain::work::Address;
use gristmill_ports::batch::BatchJobs;
use gristmill_ports::blob::Blobs;
use gristmill_ports::ledger::{AccountState, Allocation, Ledger, NewAccount};
use gristmill_ports::queue::Publisher;
use gristmill_ports::upkeep::Upkeep;
use gristmill_proto::SegmentKind;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::assigner::Assigner;
use crate::corpus::Corpus;
use crate::coverage::Coverage;
use crate::engine::{Care, Engine, Options, Producer as _, Site};
use crate::events::{Events, RunEvent};
use crate::existing::{ExistingTexts, Put};
use crate::forecast;
use crate::journal::Journal;
use crate::mend;
use crate::placing::{Known, Placing, Questions};
use crate::prepare::{Preparation, Texts};
use crate::round::{Done, Past, Round};
use crate::seeds::SeedStore;
use crate::setup::{Setup, specs};
use crate::stored_rows::StoredRows;
use crate::{Error, Progress};
use report::{note, remember};

pub use report::{Finished, RoundReport};

/// Coordinates one run.
pub struct Coordinator<'a> {
    /// What is asked.
    pub setup: &'a Setup,
    /// The real rows.
    pub seeds: &'a SeedStore,
    /// The ledger.
    pub ledger: &'a dyn Ledger,
    /// The same ledger, where its store can lose writes.
    pub upkeep: Option<&'a dyn Upkeep>,
    /// The batches that are out, to show them.
    pub batch_jobs: Option<&'a dyn BatchJobs>,
    /// The queues.
    pub queue: &'a dyn Publisher,
    /// Where the journal is stored.
    pub blobs: &'a dyn Blobs,
    /// The account that the run starts with, or goes on with where its ledger has lost it.
    pub account: NewAccount,
    /// This incarnation's name among the run's coordinators.
    pub holder: String,
    /// Prices by model name.
    pub prices: HashMap<String, Price>,
    /// How the loop runs.
    pub options: Options,
    /// Rounds after which it ends, whatever might come next; `None` leaves that to the planner.
    pub rounds: Option<u32>,
    /// Who wants to see the run.
    pub progress: watch::Sender<Progress>,
    /// Tells the run to stop at the next step.
    pub stop: CancellationToken,
}

/// What finished rounds left behind: what later ones are compared with, and what they are planned by.
struct PastRounds {
    corpus: Corpus,
    kept: StoredRows,
    coverage: Option<Coverage>,
    /// Numbers of the concepts by name.
    numbers: HashMap<String, u32>,
    /// Questions that were aimed at each concept in finished rounds, by its number.
    again: Vec<Again>,
    snapshot: Snapshot,
    rounds: Vec<RoundReport>,
}

impl PastRounds {
    /// What a round is compared with and adds to; what the next one is planned by; the numbers of the concepts by name.
    fn parts(&mut self) -> (Past<'_>, &mut Snapshot, &HashMap<String, u32>) {
        let past = Past {
            corpus: &mut self.corpus,
            kept: &mut self.kept,
            coverage: self.coverage.as_mut(),
            again: &self.again,
        };
        (past, &mut self.snapshot, &self.numbers)
    }
}

impl Coordinator<'_> {
    /// Runs to the end, or goes on where an earlier start stopped.
    pub async fn run(self) -> Result<Finished, Error> {
        let ended = self.run_to_end().await;
        if let Err(Error::Paused { .. } | Error::Frozen { .. }) = &ended
            && self.upkeep.is_some()
        {
            self.record_settled().await?;
        }
        ended
    }

    async fn run_to_end(&self) -> Result<Finished, Error> {
        let evaluate = self.setup.job.evaluate.as_ref();
        if self.seeds.anchors() == 0 && evaluate.is_none() {
            return Err(Error::NoAnchor {
                rows: self.seeds.len(),
            });
        }
        let run = self.setup.run;
        let mut events = Events::load(self.blobs).await?;
        let forgotten = self.forgotten().await?;
        let lost = forgotten
            && !Journal::new(self.blobs)
                .all_segments(SegmentKind::Plans)
                .await?
                .is_empty();
        self.ledger.create(self.account.clone()).await?;
        let epoch = self.ledger.take_over(run, &self.holder).await?;
        self.progress.send_modify(|progress| {
            progress.recipes_named = !self.setup.job.generate.recipes.is_empty();
        });
        let resumed = self.resume(&events, &epoch).await?;
        self.restore_settled(&events, &epoch, forgotten).await?;
        // An order that these books did not see.
        if let Some(reason) = events.paused().filter(|_| forgotten || resumed) {
            self.ledger.pause(run, reason).await?;
        }
        let account = self.ledger.account(run).await?;
        if account.state == AccountState::Active && events.settled().is_some() {
            // Before anything begins that a recovery from what is written down would not know of.
            events.append(self.blobs, RunEvent::Resumed).await?;
        }
        self.options.gauges.see(&account, BTreeMap::new());
        self.progress.send_modify(|progress| progress.take_up(&account));
        match &account.state {
            // Before anything is opened in a shaken ledger, its books are made sure of.
            AccountState::Active | AccountState::Closed | AccountState::Frozen { shaken: true, .. } => {}
            // What its calls bring is stored first.
            AccountState::Paused { .. } | AccountState::Frozen { .. }
                if self.upkeep.is_some() && events.settled().is_none() => {}
            AccountState::Paused { reason } => {
                return Err(Error::Paused {
                    reason: reason.clone(),
                });
            }
            AccountState::Frozen { reason, .. } => {
                return Err(Error::Frozen {
                    reason: reason.clone(),
                });
            }
            // What is paid for still makes rows, whether they are kept at once or later.
            AccountState::Cancelled => {}
        }
        let policy = match evaluate {
            None => forecast::policy(self.setup, self.seeds)?,
            Some(_) => Policy::of_no_rows(),
        };
        let mut site = Site {
            run,
            ledger: self.ledger,
            queue: self.queue,
            journal: Journal::new(self.blobs),
            epoch,
            prices: self.prices.clone(),
            batched: specs(&self.setup.job)
                .filter(|spec| spec.batch.is_some())
                .map(gristmill_domain::job::ModelSpec::name)
                .collect(),
            limit: account.limit,
            options: self.options.clone(),
            progress: self.progress.clone(),
            stop: self.stop.clone(),
            cursor: 0,
            early: HashMap::new(),
            care: None,
            batch_jobs: self
                .batch_jobs
                .filter(|_| specs(&self.setup.job).any(|spec| spec.batch.is_some())),
            closed: account.state == AccountState::Closed,
            cancelled: account.state == AccountState::Closed
                && events.ended().is_some_and(|ended| ended.end.is_none()),
        };
        if let Some(upkeep) = self.upkeep {
            site.care = Some(Care {
                upkeep,
                account: self.account.clone(),
                // Rounds that were planned may have begun without a result that is stored.
                stored: site.journal.stored_results().await?.max(u64::from(lost)),
                largest_limit: events.largest_limit(self.account.limit),
            });
        }
        if let Some(evaluate) = evaluate {
            let end = self.evaluate(&mut site, evaluate, &events).await?;
            self.close(&site).await?;
            self.progress.send_modify(|progress| {
                progress.close();
                progress.end = end.to_string();
            });
            return Ok(Finished {
                end,
                rounds: Vec::new(),
                policy,
                concepts: Vec::new(),
                teacher_checks: Vec::new(),
                of_anchor: None,
            });
        }
        let check = self.planned_check(&site).await?;
        let mut finished = self.prepare(&mut site, account.limit).await?;
        let unproven = match check {
            Some(check) => self.check_teachers(&mut site, &mut finished, check).await?,
            None => None,
        };
        let end = loop {
            if let Some(end) = unproven {
                break end;
            }
            let round = finished.snapshot.rounds_done;
            if self.rounds.is_some_and(|rounds| round >= rounds) {
                break End::RowsReached("its rounds are done".into());
            }
            // Whether its next round is planned yet or not: what is planned later is the same.
            books::forgive(&events, &mut finished.snapshot);
            let next = self.planned(&site, &events, &mut finished.snapshot, &policy);
            let plan = match next.await? {
                Ok(plan) => plan,
                Err(end) => break end,
            };
            self.round(&mut site, &mut finished, &policy, plan).await?;
        };
        self.close(&site).await?;
        let outlooks = &finished.snapshot.concepts;
        let concepts: Vec<ConceptProgress> =
            outlooks.iter().map(|outlook| outlook.progress.clone()).collect();
        self.progress.send_modify(|progress| {
            let (job, rows) = (&self.setup.job, self.setup.job.generate.rows);
            let short = plan::short(rows, job.steers(), progress.accepted, &concepts, Some(&end));
            progress.close();
            progress.end = end.to_string();
            progress.short = short.unwrap_or_default();
        });
        Ok(Finished {
            end,
            concepts,
            teacher_checks: finished.snapshot.teacher_checks,
            of_anchor: finished.coverage.as_ref().map(Coverage::of_anchor),
            rounds: finished.rounds,
            policy,
        })
    }

    /// The plan of the next round, which is stored before anything is dispatched; or why there is none.
    async fn planned(
        &self,
        site: &Site<'_>,
        events: &Events,
        snapshot: &mut Snapshot,
        policy: &Policy,
    ) -> Result<Result<Plan, End>, Error> {
        let round = snapshot.rounds_done;
        if let Some(plan) = site.journal.plan(round).await? {
            return Ok(Ok(plan));
        }
        if let Some(ended) = events.ended() {
            return Ok(Err(ended.end.clone().unwrap_or(End::Cancelled)));
        }
        let phase = format!("planning round {round}");
        self.progress.send_modify(|progress| progress.phase = phase);
        mend::between_rounds(site).await?;
        let account = self.ledger.account(site.run).await?;
        match &account.state {
            AccountState::Active | AccountState::Closed => {}
            AccountState::Cancelled => return Err(Error::Cancelled),
            // The round is planned once it goes on, by the limit that it then has.
            AccountState::Paused { reason } => {
                return Err(Error::Paused {
                    reason: reason.clone(),
                });
            }
            AccountState::Frozen { shaken: true, .. } => return Err(Error::Shaken),
            AccountState::Frozen { reason, .. } => {
                return Err(Error::Frozen {
                    reason: reason.clone(),
                });
            }
        }
        snapshot.used = account.total().gone();
        snapshot.limit = account.limit;
        Ok(match next_plan(snapshot, policy).await? {
            Next::End(end) => Err(end),
            // It ended under a version that did not write down why.
            Next::Round(_) if site.closed => Err(End::BudgetSpent),
            Next::Round(plan) => Ok(site.journal.store_plan(*plan).await?),
        })
    }

    /// Embeds the seeds and fills the corpus with them.
    async fn prepare(&self, site: &mut Site<'_>, limit: Limit) -> Result<PastRounds, Error> {
        let embeds = self.setup.job.embed.source() != EmbedSource::Off;
        let (mut vectors, mut known, mut batches) = (Vec::new(), Vec::new(), 0);
        let concepts = self.setup.job.concepts.as_ref();
        if embeds {
            let texts = Questions::of(self.seeds);
            let (questions, after) = self.embed(site, "embedding seeds", texts, 0).await?;
            let texts = Known::by(concepts.map(Assigner::texts).unwrap_or_default());
            let (texts, after) = self.embed(site, "embedding concepts", texts, after).await?;
            (vectors, known, batches) = (questions.vectors, texts.vectors, after);
        }
        let anchor = match self.seeds.existing().is_empty() {
            true => HashMap::new(),
            false => self.seeds.by_id(),
        };
        let mut existing = ExistingTexts::of(self.seeds.existing(), &anchor)?;
        if embeds {
            (existing, batches) = self
                .embed(site, "embedding existing rows", existing, batches)
                .await?;
        }
        let coverage = match concepts {
            Some(concepts) => {
                let model = &self.setup.job.embed.model;
                let assigner = Assigner::of_job(concepts, model, self.seeds, &vectors, known).await?;
                let mut coverage = Coverage::new(assigner, self.seeds, &vectors, &self.setup.job.filter)?;
                let passages = self.seeds.passages();
                if embeds && forecast::places_passages(concepts) && !passages.is_empty() {
                    let placing = Placing::new(passages, coverage.assigner());
                    let (placed, _) = self.embed(site, "embedding passages", placing, batches).await?;
                    let passages = placed.by_concept();
                    coverage.place(passages);
                }
                Some(coverage)
            }
            None => None,
        };
        let filter = &self.setup.job.filter;
        let dimensions = vectors.first().map(Vec::len);
        let mut corpus = Corpus::new(filter, dimensions)?;
        for ordinal in 0..self.seeds.len() {
            if self.seeds.split(ordinal) != Split::Anchor {
                let vector = vectors.get(ordinal as usize).map(Vec::as_slice);
                corpus.add_held_out(&self.seeds.read(ordinal)?.question, vector)?;
            }
        }
        // In the order of the anchor: their numbers in the corpus are their numbers in the anchor.
        for n in 0..self.seeds.anchors() {
            let ordinal = self.seeds.anchor(n);
            let vector = vectors.get_mut(ordinal as usize).map(std::mem::take);
            corpus.add_seed(&self.seeds.read(ordinal)?.question, vector)?;
        }
        let leak_cosine = corpus.choose_leak_cosine();
        tracing::info!(run = %site.run, leak_cosine, "cosine of leaks chosen");
        let mut snapshot = forecast::snapshot_before(self.seeds, limit);
        if let (Some(coverage), Some(concepts)) = (&coverage, concepts) {
            snapshot.concepts = coverage.outlooks();
            self.progress
                .send_modify(|progress| progress.tell(&snapshot.concepts));
            snapshot.uncovered_share = forecast::uncovered_share(&snapshot.concepts, concepts.covered_from);
            tracing::info!(run = %site.run, concepts = snapshot.concepts.len(), seeds = coverage.assigned(), "seeds assigned");
        }
        let numbers = coverage.as_ref().map(|c| c.numbers().clone()).unwrap_or_default();
        let mut kept = StoredRows::default();
        let mut again = vec![Again::default(); snapshot.concepts.len()];
        let put = Put {
            corpus: &mut corpus,
            kept: &mut kept,
            tries: &mut snapshot.tries,
            again: &mut again,
            ordinal: &|seed| self.seeds.anchor(seed.into()),
            shingle_words: filter.near_duplicates.shingle_words,
        };
        existing.put(&anchor, &numbers, put)?;
        Ok(PastRounds {
            corpus,
            kept,
            numbers,
            again,
            coverage,
            snapshot,
            rounds: Vec::new(),
        })
    }

    /// Embeds texts, after so many batches of others; returns them with their vectors, and how many batches there are now.
    async fn embed<T: Texts>(
        &self,
        site: &mut Site<'_>,
        phase: &str,
        texts: T,
        after: u64,
    ) -> Result<(T, u64), Error> {
        let all = texts.len();
        let mut preparation = Preparation::new(self.setup, texts, after, &self.progress);
        if !preparation.finished() {
            self.progress.send_modify(|progress| {
                progress.phase = phase.into();
                progress.embedded = (0, all);
            });
            Engine::new(site, Address::PREPARATION)
                .await?
                .drive(&mut preparation, |_| {})
                .await?;
            self.progress.send_modify(|progress| progress.embedded = (0, 0));
        }
        Ok(preparation.into_texts())
    }

    /// Carries one round out, or what is left of it.
    async fn round(
        &self,
        site: &mut Site<'_>,
        finished: &mut PastRounds,
        policy: &Policy,
        plan: Plan,
    ) -> Result<(), Error> {
        let mut report = RoundReport {
            plan,
            decided: 0,
            accepted: 0,
            unfunded: 0,
            aimed: 0,
            counted: 0,
            rejected: BTreeMap::new(),
        };
        let filter = &self.setup.job.filter;
        // What this round brings is shown to the next.
        let mut brought = finished.again.clone();
        let (mut past, snapshot, numbers) = finished.parts();
        for name in site
            .journal
            .segments(SegmentKind::Rows, report.plan.round)
            .await?
        {
            for record in site.journal.rows(&name).await? {
                past.recall(filter, &record.value, record.vectors.into_iter().next())?;
                self.progress
                    .send_modify(|progress| progress.count_stored(&record.value));
                note(&mut report, snapshot, numbers, &self.progress, &record.value);
                remember(&mut brought, numbers, &record.value);
            }
        }
        let total = report.plan.total();
        let unfinished = report.decided < total && !site.cancelled;
        if !unfinished && report.unfunded > 0 && !site.closed {
            // It was finished before this start, and its results are read for nothing else.
            Engine::new(site, report.plan.round).await?.show_unfunded();
        }
        if unfinished && site.closed {
            return Err(Error::Unfinished {
                round: report.plan.round,
                decided: report.decided,
                planned: total,
            });
        }
        if unfinished && report.plan.recipes.is_empty() {
            return Err(Error::OlderRound {
                round: report.plan.round,
            });
        }
        if unfinished {
            self.announce(&report, finished, policy);
            let limits = Allocation::from([(Stage::Generate, report.plan.generate_limit)]);
            site.ledger.allocate(site.run, &site.epoch, limits).await?;
            let engine = Engine::new(site, report.plan.round).await?;
            let plan = report.plan.clone();
            let (past, snapshot, numbers) = finished.parts();
            let done = Done {
                decided: report.decided,
                accepted: report.accepted,
            };
            let mut round = Round::new(&plan, self.setup, self.seeds, past, done);
            engine
                .drive(&mut round, |row| {
                    self.progress.send_modify(|progress| progress.count(row));
                    note(&mut report, snapshot, numbers, &self.progress, row);
                    remember(&mut brought, numbers, row);
                })
                .await?;
        }
        finished.again = brought;
        finished.snapshot.rounds_done += 1;
        if report.accepted > 0 {
            finished.snapshot.barren.clear();
        } else {
            for (reason, rejected) in &report.rejected {
                *finished.snapshot.barren.entry(*reason).or_default() += rejected;
            }
        }
        let before = finished.snapshot.last.map(|last| last.aimed_so_far());
        let (aimed, counted) = before.unwrap_or_default();
        finished.snapshot.last = Some(LastRound {
            candidates: report.decided,
            accepted: report.accepted,
            unfunded: report.unfunded,
            limit: report.plan.limit,
            mix: report.plan.mix,
            aimed: aimed + report.aimed,
            counted: counted + report.counted,
        });
        plan::give_up(&mut finished.snapshot, policy);
        tracing::info!(
            run = %site.run, round = report.plan.round, decided = report.decided, accepted = report.accepted,
            index_bytes = finished.corpus.bytes(), "round finished"
        );
        // Which seeds were rephrased is in the journal: the report is kept with the dataset, and stays small.
        report.plan.rephrasings = PerSeed::default();
        for aim in &mut report.plan.aims {
            aim.rephrasings = PerSeed::default();
        }
        finished.rounds.push(report);
        Ok(())
    }

    fn announce(&self, report: &RoundReport, finished: &PastRounds, policy: &Policy) {
        let plan = &report.plan;
        let phase = match plan.purpose {
            plan::Purpose::Pilot => "pilot".to_owned(),
            plan::Purpose::Production => format!("round {}", plan.round),
        };
        // Plans of older versions hold none. What is asked for in a round is part of what it was planned with.
        let forecast = plan
            .forecast
            .unwrap_or_else(|| plan::forecast(&finished.snapshot, policy));
        let short = plan
            .rule
            .as_ref()
            .filter(|rule| !rule.meets_target && plan.candidates[Strategy::NewQuestion] > 0);
        // Once is enough: what the rows come to, the card says.
        let said = finished.rounds.iter().any(|round| {
            let before = round.plan.rule.as_ref();
            round.plan.purpose == plan::Purpose::Production && before.is_some_and(|rule| !rule.meets_target)
        });
        if let (Some(rule), plan::Purpose::Production, false) = (short, plan.purpose, said) {
            tracing::warn!(
                run = %self.setup.run, round = plan.round, wanted = rule.target, expected = rule.expected.accuracy.mean,
                calls_per_right_row = rule.expected.calls_per_right_row,
                "rows without a reference are not expected to be right as often as `generate.agreement.accuracy` wants"
            );
        }
        tracing::info!(run = %self.setup.run, phase, candidates = %plan.candidates, reason = plan.reason, change = plan.change, "round planned");
        self.progress.send_modify(|progress| {
            progress.phase = phase;
            progress.expect(&forecast, self.setup.job.generate.rows);
        });
    }
}

/// Plans the next round. Weighing what a teacher may be takes longer than others on this thread may wait.
async fn next_plan(snapshot: &Snapshot, policy: &Policy) -> Result<Next, Error> {
    let (snapshot, policy) = (snapshot.clone(), policy.clone());
    let planning = tokio::task::spawn_blocking(move || plan::next(&snapshot, &policy));
    planning.await.map_err(|_| Error::Interrupted)
}
