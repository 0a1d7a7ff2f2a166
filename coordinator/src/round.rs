//! A round: candidates on their way to verdicts, decided so that the verdicts depend on the answers and not on who was faster.
//!
//! Results come in any order. Whatever compares one candidate with another happens in the order of their numbers: the question
//! gate lets a candidate through only after all before it, and a candidate that is like an undecided one before it waits,
//! and goes on if that one is rejected. So a candidate is a duplicate exactly when one before it that it is like is accepted.
//! Rows leave in order too: what is decided waits for all before it.
//!
//! The type does no I/O. It says which tasks it wants ([`Round::next_tasks`]), takes what they brought ([`Round::absorb`]) and gives
//! out decided rows ([`Round::take_rows`]).

mod begin;
mod candidate;
mod content;
mod gates;
mod past;
mod row;
mod shared;
mod steps;
mod tasks;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use gristmill_domain::again::Again;
use gristmill_domain::amount::Amount;
use gristmill_domain::evidence::Rule;
use gristmill_domain::job::EmbedSource;
use gristmill_domain::plan::{Plan, Visit};
use gristmill_domain::row::{Position, Row};
use gristmill_domain::stage::Stage;
use gristmill_domain::work::{Address, StageCall, Task};

use crate::Error;
use crate::corpus::Corpus;
use crate::coverage::Coverage;
use crate::engine::{Brought, Producer};
use crate::forecast;
use crate::progress::Ahead;
use crate::seeds::SeedStore;
use crate::setup::Setup;
use crate::stored_rows::StoredRows;
use candidate::{Candidate, Gate};
use shared::SharedReply;

pub(crate) use past::{Done, Past};
pub(crate) use steps::read;

/// A round under way.
pub(crate) struct Round<'a> {
    plan: &'a Plan,
    setup: &'a Setup,
    seeds: &'a SeedStore,
    corpus: &'a mut Corpus,
    kept: &'a mut StoredRows,
    /// What is counted by concept, where the job has any.
    coverage: Option<&'a mut Coverage>,
    /// What new questions that are aimed at a concept are not to be.
    again: &'a [Again],
    /// How answers without a reference are decided on.
    rule: Rule,
    /// Rules of concepts that have one of their own.
    concept_rules: &'a BTreeMap<String, Rule>,
    visit: Visit,
    /// Candidates that rows are made of.
    total: u64,
    /// Candidates under way, by number; decided ones until all before them are.
    active: BTreeMap<u64, Candidate>,
    started: u64,
    /// All candidates below have a question, or need none.
    asked_to: u64,
    /// All candidates below are past the question gate.
    gated_to: u64,
    /// All candidates below are decided and handed out.
    committed_to: u64,
    /// Rows that may still be handed out as accepted; without a number, all.
    wanted: Option<u64>,
    /// Candidates that are decided and not handed out.
    ahead: Ahead,
    /// Candidates of this round that are accepted, handed out or not.
    accepted: HashSet<u64>,
    /// Which candidate of this round an entry of the corpus is.
    of_key: HashMap<u32, u64>,
    /// Candidates that wait for another to be decided.
    waiting: HashMap<u64, BTreeSet<u64>>,
    /// Candidates to look at again: one that they waited for has moved on.
    woken: BTreeSet<u64>,
    /// Candidates under way by seed, for what compares the rows of one seed.
    of_seed: HashMap<u64, BTreeSet<u64>>,
    /// Members of the embedding batches in flight. A batch is what is left of a block of candidates, so that its members
    /// are the same however the round is interrupted.
    batches: HashMap<u64, Vec<u64>>,
    /// Replies that several candidates share, by the first of these and the step.
    shared: BTreeMap<(u64, StageCall), SharedReply>,
    /// Candidates in a block: they are embedded together, and handed out together.
    block: u64,
    /// Steps to take, the last stages first: what is nearly done is finished before more is begun.
    ready: BTreeSet<(u8, u64, StageCall)>,
    rows: Vec<(Row, Option<Vec<f32>>)>,
}

impl<'a> Round<'a> {
    /// Starts a round, or what is left of it.
    pub(crate) fn new(
        plan: &'a Plan,
        setup: &'a Setup,
        seeds: &'a SeedStore,
        past: Past<'a>,
        done: Done,
    ) -> Self {
        let committed = done.decided;
        let mut visit = Visit::new(plan, seeds.anchors());
        if let Some(skip) = committed.checked_sub(1) {
            visit.nth(skip as usize);
        }
        Self {
            plan,
            setup,
            seeds,
            corpus: past.corpus,
            kept: past.kept,
            coverage: past.coverage,
            again: past.again,
            rule: plan
                .rule
                .clone()
                .unwrap_or_else(|| forecast::rule_of_older_plans(&setup.job)),
            concept_rules: &plan.concept_rules,
            visit,
            total: plan.total(),
            active: BTreeMap::new(),
            started: committed,
            asked_to: committed,
            gated_to: committed,
            committed_to: committed,
            wanted: plan
                .rows_wanted
                .map(|wanted| wanted.saturating_sub(done.accepted)),
            ahead: Ahead::default(),
            accepted: HashSet::new(),
            of_key: HashMap::new(),
            waiting: HashMap::new(),
            woken: BTreeSet::new(),
            of_seed: HashMap::new(),
            batches: HashMap::new(),
            shared: BTreeMap::new(),
            block: u64::from(setup.job.embed.batch.max(1)),
            ready: BTreeSet::new(),
            rows: Vec::new(),
        }
    }

    fn address(&self, index: u64, step: StageCall) -> Address {
        Address {
            round: self.plan.round,
            index,
            step,
        }
    }

    fn position(&self, index: u64) -> Position {
        Position {
            round: self.plan.round,
            index,
        }
    }

    /// Moves the cursors as far as what is known allows.
    fn advance(&mut self) -> Result<(), Error> {
        loop {
            while self.active.get(&self.asked_to).is_some_and(|c| self.asked(c)) {
                self.asked_to += 1;
                if self.asked_to.is_multiple_of(self.block) || self.asked_to == self.total {
                    self.embed_block((self.asked_to - 1) / self.block);
                }
            }
            while self.gated_to < self.asked_to && self.pass_gate(self.gated_to)? {
                self.gated_to += 1;
            }
            let Some(woken) = self.woken.pop_first() else {
                break;
            };
            self.look_again(woken)?;
        }
        self.commit()
    }

    /// True once a candidate has a question to compare, or will have none.
    fn asked(&self, candidate: &Candidate) -> bool {
        let gate = self.setup.recipe(candidate.recipe).question_gate();
        gate.is_none_or(|gate| candidate.state.reached(gate))
    }

    /// Embeds the questions of a block whose candidates have all been asked for.
    fn embed_block(&mut self, block: u64) {
        let range = block * self.block..(block + 1) * self.block;
        let asked = self
            .active
            .range(range)
            .filter(|(_, c)| c.gate == Gate::BeforeQuestion)
            .map(|(index, _)| *index);
        let members: Vec<u64> = asked.collect();
        if self.embeds() && !members.is_empty() {
            self.batches.insert(block, members);
            self.ready.insert((1, block, StageCall::EMBED));
        }
    }

    /// Brings a candidate to the question gate, in its turn; false while its vector is missing.
    fn pass_gate(&mut self, index: u64) -> Result<bool, Error> {
        let Some(candidate) = self.active.get(&index) else {
            return Ok(true);
        };
        if candidate.gate != Gate::BeforeQuestion {
            return Ok(true);
        }
        if candidate.vector.is_none() && self.embeds() {
            return Ok(false);
        }
        self.enter_question_gate(index)?;
        Ok(true)
    }

    fn embeds(&self) -> bool {
        self.setup.job.embed.source() != EmbedSource::Off
    }

    /// Hands out decided candidates, in order, a block at a time.
    fn commit(&mut self) -> Result<(), Error> {
        loop {
            let end = ((self.committed_to / self.block + 1) * self.block).min(self.total);
            let block = self.committed_to..end;
            let done = |index| {
                self.active
                    .get(&index)
                    .is_some_and(|c| c.decided() && c.outstanding == 0)
            };
            if block.is_empty() || end > self.gated_to || !block.clone().all(done) {
                return Ok(());
            }
            for index in block {
                if let Some(candidate) = self.active.remove(&index) {
                    self.forget(index, &candidate);
                    self.ahead.decided -= 1;
                    self.ahead.accepted -= u64::from(self.accepted.contains(&index));
                    let row = self.row(index, candidate)?;
                    self.rows.push(row);
                }
            }
            self.committed_to = end;
        }
    }

    fn forget(&mut self, index: u64, candidate: &Candidate) {
        if let Some(siblings) = self.of_seed.get_mut(&candidate.seed_ordinal) {
            siblings.remove(&index);
            if siblings.is_empty() {
                self.of_seed.remove(&candidate.seed_ordinal);
            }
        }
    }
}

impl Producer for Round<'_> {
    fn next_tasks(&mut self, room: usize) -> Result<Vec<Task>, Error> {
        let mut tasks = Vec::new();
        while tasks.len() < room {
            let Some(step) = self.ready.pop_first() else {
                if self.start_next()? {
                    continue;
                }
                break;
            };
            tasks.extend(self.task(step.1, step.2)?);
        }
        Ok(tasks)
    }

    fn absorb(&mut self, address: Address, brought: Brought, cost: Amount) -> Result<(), Error> {
        if address.step.stage == Stage::Embed {
            self.absorb_vectors(address.index, brought, cost);
        } else if self.shared.contains_key(&(address.index, address.step)) {
            self.absorb_shared(address, brought, cost)?;
        } else {
            self.absorb_step(address, brought, cost)?;
        }
        self.advance()
    }

    fn take_rows(&mut self) -> Vec<(Row, Option<Vec<f32>>)> {
        std::mem::take(&mut self.rows)
    }

    fn finished(&self) -> bool {
        self.committed_to == self.total
    }

    fn makes_rows(&self) -> bool {
        true
    }

    fn wind_up(&mut self) -> Result<(), Error> {
        let kept = self.accepted.iter().max().map_or(0, |last| last + 1);
        self.total = kept.max(self.committed_to);
        let block = self.total / self.block;
        let cut = !self.total.is_multiple_of(self.block) && self.asked_to == self.total;
        if cut && !self.batches.contains_key(&block) {
            self.embed_block(block);
        }
        self.advance()
    }

    fn ahead(&self) -> Ahead {
        self.ahead
    }
}
