//! One candidate on its way to a verdict.

use std::collections::BTreeMap;
use std::sync::Arc;

use gristmill_domain::amount::Amount;
use gristmill_domain::filter::Rejection;
use gristmill_domain::filter::leak::Trial;
use gristmill_domain::id::{ContentId, TaskId};
use gristmill_domain::job::Concept;
use gristmill_domain::mutation::Mutation;
use gristmill_domain::passage::Passage;
use gristmill_domain::plan::Spec;
use gristmill_domain::recipe::Recipe;
use gristmill_domain::recipe::machine::State;
use gristmill_domain::reply::Value;
use gristmill_domain::row::TakenStep;
use gristmill_domain::seed::Seed;
use gristmill_domain::stage::Stage;
use gristmill_domain::work::StageCall;

use crate::coverage::Heard;
use crate::second::Beside;
use crate::setup::Brief;

/// Where a candidate stands among others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gate {
    /// Not at a gate, or past it.
    None,
    /// Its turn at the question gate has not come: it is embedded, or waits for those before it.
    BeforeQuestion,
    /// In the question gate: like candidates before it that are not decided yet.
    Question,
    /// In the answer gate: like candidates before it that are not decided yet, or not known yet.
    Answer,
}

/// What a candidate is about, and whose seeds are its examples.
#[derive(Debug)]
pub(super) struct About {
    pub(super) topic: Arc<Concept>,
    /// It is aimed at `topic`.
    pub(super) aimed: bool,
    /// The seed lends its form alone.
    pub(super) borrowed: bool,
    pub(super) peers: Arc<[u64]>,
}

/// A candidate.
#[derive(Debug)]
pub(super) struct Candidate {
    pub(super) spec: Spec,
    /// Number of its recipe.
    pub(super) recipe: usize,
    /// The row that it may become.
    pub(super) row: ContentId,
    /// Number of its seed in the anchor, and so in the corpus.
    pub(super) anchor: u64,
    pub(super) seed_ordinal: u64,
    pub(super) seed: Arc<Seed>,
    /// What it is about, where the job has concepts.
    pub(super) about: Option<About>,
    /// The passage of a document that it is asked about, with its number.
    pub(super) passage: Option<(u64, Arc<Passage>)>,
    /// A second passage that its question draws on.
    pub(super) second: Option<Beside>,
    /// What its question is varied by.
    pub(super) mutation: Option<Mutation>,
    /// Questions that were aimed at its concept before it.
    pub(super) again: Vec<String>,
    pub(super) teacher: usize,
    /// Where it stands in its recipe.
    pub(super) state: State,
    pub(super) gate: Gate,
    /// It is counted as decided.
    pub(super) counted: bool,
    pub(super) vector: Option<Vec<f32>>,
    /// Of a rephrasing: whether decontamination would have recognised it.
    pub(super) leak_trial: Option<Trial>,
    /// Its number in the corpus, while it is there.
    pub(super) key: Option<u32>,
    /// Candidates before it in this round that its question is like, and why that would make it a duplicate.
    pub(super) alike: Vec<(u64, Rejection)>,
    /// Shingles of its answer, where answers to one question are compared.
    pub(super) answer_shingles: Box<[u32]>,
    /// Concepts that a model is shown to say what it is about.
    pub(super) choices: Vec<Arc<Concept>>,
    pub(super) teacher_version: String,
    pub(super) prompts: Vec<String>,
    pub(super) tasks: BTreeMap<StageCall, (TaskId, TakenStep)>,
    pub(super) costs: Vec<(Stage, Amount)>,
    /// Tasks in flight.
    pub(super) outstanding: u32,
}

impl Candidate {
    pub(super) fn new(
        spec: Spec,
        recipe: usize,
        row: ContentId,
        anchor: u64,
        (seed_ordinal, seed): (u64, Arc<Seed>),
        teacher: usize,
    ) -> Self {
        Self {
            spec,
            recipe,
            row,
            anchor,
            seed_ordinal,
            seed,
            about: None,
            passage: None,
            second: None,
            mutation: None,
            again: Vec::new(),
            teacher,
            state: State::default(),
            gate: Gate::None,
            counted: false,
            vector: None,
            leak_trial: None,
            key: None,
            alike: Vec::new(),
            answer_shingles: Box::default(),
            choices: Vec::new(),
            teacher_version: String::new(),
            prompts: Vec::new(),
            tasks: BTreeMap::new(),
            costs: Vec::new(),
            outstanding: 0,
        }
    }

    /// What the row is about, by its seed: nothing where a passage decides that.
    pub(super) fn concept(&self) -> Option<String> {
        match self.passage {
            Some(_) => None,
            None => self.seed.concepts.first().cloned(),
        }
    }

    /// The concept that its prompts name.
    pub(super) fn topic(&self) -> Option<&Concept> {
        self.about
            .as_ref()
            // A passage that is next in turn says itself what it is about.
            .filter(|about| about.aimed || self.passage.is_none())
            .map(|about| about.topic.as_ref())
    }

    /// The concept that it is asked about, as far as that is known before it is answered.
    pub(super) fn asked_about(&self) -> Option<&str> {
        let of_seed = || self.seed.concepts.first().filter(|_| self.passage.is_none());
        let topic = self.topic().map(|topic| topic.name.as_str());
        topic.or_else(|| of_seed().filter(|_| !self.borrowed()).map(String::as_str))
    }

    /// True when it is asked about its seed's own passage.
    pub(super) fn of_passage(&self) -> bool {
        self.seed.context.is_some() && self.passage.is_none() && !self.borrowed()
    }

    /// What a model said that it is about.
    pub(super) fn heard(&self) -> Option<Heard<'_>> {
        match self.state.fields().get("concept") {
            Some(Value::Choice(concept)) => Some(Heard {
                concept: concept.as_deref(),
                shown: &self.choices,
            }),
            _ => None,
        }
    }

    pub(super) fn brief<'a>(&'a self, recipe: &'a Recipe) -> Brief<'a> {
        Brief {
            recipe,
            row: self.row,
            state: &self.state,
            seed: &self.seed,
            teacher: self.teacher,
            topic: self.topic(),
            borrowed: self.borrowed(),
            // Queries need examples over their own database.
            peers: match &self.about {
                Some(about) if self.seed.database.is_none() && !about.peers.is_empty() => Some(&about.peers),
                Some(_) | None => None,
            },
            passage: self.passage.as_ref().map(|(_, passage)| passage.text.as_str()),
            choices: &self.choices,
            second: self.second.as_ref().map(|second| second.text.as_str()),
            again: &self.again,
            mutation: self.mutation.as_ref(),
            measures: self.spec.calibrates,
            shows_reference: false,
            siblings: self.spec.shared.map_or(1, |shared| shared.of),
        }
    }

    /// Number of its seed in the anchor, and so in the corpus.
    pub(super) fn family(&self) -> u32 {
        u32::try_from(self.anchor).unwrap_or(u32::MAX)
    }

    /// True when its seed lends its form alone.
    pub(super) fn borrowed(&self) -> bool {
        self.about.as_ref().is_some_and(|about| about.borrowed)
    }

    /// Notes a task that is done for it, with the versions of the prompts that it was asked by.
    pub(super) fn take(&mut self, step: StageCall, task: (TaskId, TakenStep), prompts: Vec<String>) {
        for version in prompts {
            if !self.prompts.contains(&version) {
                self.prompts.push(version);
            }
        }
        self.tasks.insert(step, task);
    }

    /// The candidate at whose place a call of its recipe is made: the first of those that share the reply.
    pub(super) fn asks_as(&self, recipe: &Recipe, step: usize) -> u64 {
        let shared = self.spec.shared.filter(|_| recipe.is_shared(step));
        shared.map_or(self.spec.index, |shared| shared.leader)
    }

    pub(super) fn decided(&self) -> bool {
        self.state.decided().is_some()
    }
}
