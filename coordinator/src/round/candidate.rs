//! One candidate on its way to a verdict.

use std::collections::BTreeMap;
use std::sync::Arc;

use gristmill_domain::amount::Amount;
use gristmill_domain::evidence::{Situation, tally};
use gristmill_domain::filter::leak::Trial;
use gristmill_domain::filter::{Reason, Rejection};
use gristmill_domain::id::TaskId;
use gristmill_domain::job::Concept;
use gristmill_domain::mutation::Mutation;
use gristmill_domain::passage::Passage;
use gristmill_domain::plan::Spec;
use gristmill_domain::seed::Seed;
use gristmill_domain::stage::Stage;
use gristmill_domain::work::{Answer, Judgement, Step};

use crate::coverage::Heard;
use crate::recipe::Brief;
use crate::second::Beside;

/// Where a candidate stands.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Phase {
    /// Its question is asked for.
    Asking,
    /// Its question is there; it is embedded, or waits for its turn at the question gate.
    Asked,
    /// At the question gate: like candidates before it that are not decided yet.
    QuestionWaits,
    /// Its question is being verified.
    Verifying,
    /// Answers are asked for.
    Answering,
    /// At the answer gate: like candidates before it that are not decided yet, or not known yet.
    AnswerWaits,
    /// Judgements are asked for.
    Judging,
    /// Good enough; a model is asked which concept it is about.
    Assigning,
    /// Accepted, or rejected for a reason.
    Decided(Option<Rejection>),
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

/// The concept that a model said, or none of those that it was shown.
#[derive(Debug)]
pub(super) struct Said(pub(super) Option<String>);

/// A candidate.
#[derive(Debug)]
pub(super) struct Candidate {
    pub(super) spec: Spec,
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
    pub(super) phase: Phase,
    pub(super) question: String,
    pub(super) vector: Option<Vec<f32>>,
    /// Of a rephrasing: whether decontamination would have recognised it.
    pub(super) leak_trial: Option<Trial>,
    /// Its number in the corpus, while it is there.
    pub(super) key: Option<u32>,
    /// Candidates before it in this round that its question is like, and why that would make it a duplicate.
    pub(super) alike: Vec<(u64, Rejection)>,
    /// Whether it can be answered, where that was asked or is known, and why not.
    pub(super) verified: Option<bool>,
    pub(super) unanswerable: String,
    /// The answer that came with its question, until it joins the others; `None` in it for none of use.
    pub(super) own: Option<Option<Answer>>,
    /// Answers by sample; `None` for a completion of no use.
    pub(super) answers: BTreeMap<u32, Option<Answer>>,
    /// Answers asked for.
    pub(super) asked_answers: u32,
    /// The answer that was kept, with its shingles where answers to one question are compared.
    pub(super) chosen: Option<Answer>,
    pub(super) answer_shingles: Box<[u32]>,
    pub(super) votes: Option<(u32, u32)>,
    pub(super) judgements: BTreeMap<u32, Option<Judgement>>,
    /// Judgements asked for, and the first of those that are about the chosen answer.
    pub(super) asked_judgements: u32,
    pub(super) judged_from: u32,
    /// The canonical answer that was judged last, and whether it was found right.
    pub(super) judged: Option<(String, bool)>,
    /// Concepts that a model is shown to say what it is about.
    pub(super) choices: Vec<Arc<Concept>>,
    /// What the model said: one of them, or none; nothing where it was not asked or said nothing of use.
    pub(super) said: Option<Said>,
    /// The last useless completion, for the rejected row.
    pub(super) last_text: String,
    /// Why, with the step: of several that were asked for at once the last in their order, not the last to arrive.
    pub(super) last_rejection: Option<(Step, Rejection)>,
    pub(super) teacher_version: String,
    pub(super) prompts: Vec<String>,
    pub(super) tasks: BTreeMap<Step, TaskId>,
    pub(super) costs: Vec<(Stage, Amount)>,
    /// Tasks in flight.
    pub(super) outstanding: u32,
}

impl Candidate {
    pub(super) fn new(
        spec: Spec,
        anchor: u64,
        seed_ordinal: u64,
        seed: Arc<Seed>,
        teacher: usize,
        phase: Phase,
    ) -> Self {
        // Further answers are answers to the seed's own question.
        let question = if phase == Phase::Answering {
            seed.question.clone()
        } else {
            String::new()
        };
        Self {
            spec,
            anchor,
            seed_ordinal,
            seed,
            about: None,
            passage: None,
            second: None,
            mutation: None,
            again: Vec::new(),
            teacher,
            phase,
            question,
            vector: None,
            leak_trial: None,
            key: None,
            alike: Vec::new(),
            verified: None,
            unanswerable: String::new(),
            own: None,
            answers: BTreeMap::new(),
            asked_answers: 0,
            chosen: None,
            answer_shingles: Box::default(),
            votes: None,
            judgements: BTreeMap::new(),
            asked_judgements: 0,
            judged_from: 0,
            judged: None,
            choices: Vec::new(),
            said: None,
            last_text: String::new(),
            last_rejection: None,
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
        let Said(concept) = self.said.as_ref()?;
        Some(Heard {
            concept: concept.as_deref(),
            shown: &self.choices,
        })
    }

    pub(super) fn brief(&self) -> Brief<'_> {
        Brief {
            strategy: self.spec.strategy,
            seed: &self.seed,
            teacher: self.teacher,
            question: &self.question,
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
            blind: self.spec.calibrates,
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

    pub(super) fn decided(&self) -> bool {
        matches!(self.phase, Phase::Decided(_))
    }

    /// True when no money was left for one of its calls: nothing more can be found out about it.
    pub(super) fn unfunded(&self) -> bool {
        let last = self.last_rejection.as_ref();
        last.is_some_and(|(_, rejection)| rejection.reason == Reason::Unfunded)
    }

    /// What is known about its answers, and the leading one.
    pub(super) fn situation(&self) -> (Situation, Option<&Answer>) {
        let usable = || self.answers.values().flatten();
        let votes = tally(usable().map(|answer| answer.canonical.as_str()));
        let leader = votes.first().map(|(canonical, _)| *canonical);
        let judged = self
            .judged
            .as_ref()
            .filter(|(canonical, _)| Some(canonical.as_str()) == leader);
        let at = Situation {
            votes: votes.iter().map(|(_, votes)| *votes).collect(),
            verified: self.verified,
            judged: judged.map(|(_, passed)| *passed),
        };
        (
            at,
            usable().find(|answer| Some(answer.canonical.as_str()) == leader),
        )
    }

    /// The judgements of the chosen answer that could be read.
    pub(super) fn judgements_of_chosen(&self) -> impl Iterator<Item = &Judgement> {
        self.judgements
            .range(self.judged_from..)
            .filter_map(|(_, judgement)| judgement.as_ref())
    }

    /// Averaged points of five, over the judgements of the chosen answer that could be read; `None` without one.
    pub(super) fn points(&self) -> Option<f64> {
        let points: Vec<f64> = self
            .judgements_of_chosen()
            .map(|j| f64::from(j.points()))
            .collect();
        (!points.is_empty()).then(|| points.iter().sum::<f64>() / points.len() as f64)
    }
}
