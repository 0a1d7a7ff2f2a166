//! The two gates at which a candidate is compared with others.

use std::borrow::Cow;

use gristmill_domain::filter::{Reason, Rejection};
use gristmill_domain::recipe::machine::Event;
use gristmill_domain::strategy::Strategy;
use gristmill_domain::words::many;

use super::Round;
use super::candidate::{Candidate, Gate};
use crate::Error;
use crate::stored_rows::{self, similarity};

impl Round<'_> {
    /// The question gate, in the order of numbers: held-out rows, then what is kept, then what is still undecided before it.
    pub(super) fn enter_question_gate(&mut self, index: u64) -> Result<(), Error> {
        let Some(candidate) = self.active.get(&index) else {
            return Ok(());
        };
        let text = &self.compared(candidate).into_owned();
        if let Some(rejection) = self.corpus.contaminated(text, candidate.vector.as_deref())? {
            self.decide(index, Some(rejection));
            return Ok(());
        }
        let probe = self.corpus.probe(text, candidate.vector.clone());
        let (family, strategy) = (candidate.family(), self.kind(candidate));
        if strategy == Strategy::Rephrasing {
            let trial = self.corpus.leak_trial(&probe, family);
            if let Some(candidate) = self.active.get_mut(&index) {
                candidate.leak_trial = trial;
            }
        }
        let mut alike = Vec::new();
        for hit in self.corpus.alike(&probe, strategy, family)? {
            match self.of_key.get(&hit.key) {
                Some(other) => alike.push((*other, hit.rejection)),
                // A seed, or a row that was stored before.
                None => {
                    self.decide(index, Some(hit.rejection));
                    return Ok(());
                }
            }
        }
        let key = self.corpus.insert(&probe, family)?;
        self.of_key.insert(key, index);
        if let Some(candidate) = self.active.get_mut(&index) {
            candidate.key = Some(key);
            candidate.alike = alike;
            candidate.gate = Gate::Question;
        }
        self.look_again(index)
    }

    /// Looks at a waiting candidate again; anything else has moved on by itself.
    pub(super) fn look_again(&mut self, index: u64) -> Result<(), Error> {
        match self.active.get(&index).map(|c| c.gate) {
            Some(Gate::Question) => self.leave_question_gate(index),
            Some(Gate::Answer) => self.leave_answer_gate(index),
            Some(Gate::None | Gate::BeforeQuestion) | None => Ok(()),
        }
    }

    /// The text of a candidate that is compared with others.
    pub(super) fn compared<'c>(&self, candidate: &'c Candidate) -> Cow<'c, str> {
        let recipe = self.setup.recipe(candidate.recipe);
        let field = recipe.question_gate().and_then(|gate| recipe.gate_field(gate));
        candidate.state.compared(field.unwrap_or_default())
    }

    /// What a candidate is compared as.
    pub(super) fn kind(&self, candidate: &Candidate) -> Strategy {
        self.setup.recipe(candidate.recipe).kind()
    }

    /// Lets a candidate through the gate that it is at.
    fn pass(&mut self, index: u64) -> Result<(), Error> {
        if let Some(candidate) = self.active.get_mut(&index) {
            candidate.gate = Gate::None;
        }
        self.feed(index, Event::Passed)
    }

    fn leave_question_gate(&mut self, index: u64) -> Result<(), Error> {
        let Some(candidate) = self.active.get(&index) else {
            return Ok(());
        };
        let strategy = self.kind(candidate);
        let duplicate = candidate
            .alike
            .iter()
            .find(|(other, _)| self.accepted.contains(other));
        if let Some((_, rejection)) = duplicate {
            let rejection = rejection.clone();
            self.decide(index, Some(rejection));
            return Ok(());
        }
        let undecided = |other: &u64| self.active.get(other).is_some_and(|c| !c.decided());
        let mut blockers: Vec<u64> = candidate
            .alike
            .iter()
            .map(|(other, _)| *other)
            .filter(undecided)
            .collect();
        if strategy == Strategy::Rephrasing {
            match self.parent_cap(index) {
                Ok(pending) => blockers.extend(pending),
                Err(rejection) => {
                    self.decide(index, Some(rejection));
                    return Ok(());
                }
            }
        }
        if !blockers.is_empty() {
            self.wait(index, blockers);
            return Ok(());
        }
        self.pass(index)
    }

    /// Candidates before this one that decide whether its seed has room for another rephrasing; none when it has room anyway.
    fn parent_cap(&self, index: u64) -> Result<Vec<u64>, Rejection> {
        let cap = self.setup.job.generate.rephrasings_per_seed as usize;
        let Some(candidate) = self.active.get(&index) else {
            return Ok(Vec::new());
        };
        let siblings = self.of_seed.get(&candidate.seed_ordinal);
        let before: Vec<u64> = siblings
            .into_iter()
            .flat_map(|siblings| siblings.range(..index))
            .copied()
            .filter(|other| {
                self.active
                    .get(other)
                    .is_some_and(|c| self.kind(c) == Strategy::Rephrasing)
            })
            .collect();
        let accepted = before
            .iter()
            .filter(|other| self.accepted.contains(other))
            .count();
        let kept = self.kept.rephrasings(candidate.seed_ordinal) + accepted;
        if kept >= cap {
            return Err(Rejection::new(
                Reason::ParentCap,
                format!("{} of this seed kept", many(kept as u64, "rephrasing")),
            ));
        }
        let pending: Vec<u64> = before
            .into_iter()
            .filter(|other| self.active.get(other).is_some_and(|c| !c.decided()))
            .collect();
        Ok(if kept + pending.len() >= cap {
            pending
        } else {
            Vec::new()
        })
    }

    /// The answer gate of further answers to one question: compared with what is kept, and with those before it.
    pub(super) fn enter_answer_gate(&mut self, index: u64) -> Result<(), Error> {
        let words = self.setup.job.filter.near_duplicates.shingle_words;
        if let Some(candidate) = self.active.get_mut(&index) {
            let recipe = self.setup.recipe(candidate.recipe);
            let field = recipe.answer_gate().and_then(|gate| recipe.gate_field(gate));
            if let Some(answer) = candidate.state.answer(field.unwrap_or_default()) {
                candidate.answer_shingles = stored_rows::shingles(&answer.reasoning, &answer.answer, words);
            }
        }
        self.leave_answer_gate(index)?;
        // Others may have waited to know this answer.
        self.wake(index);
        Ok(())
    }

    fn leave_answer_gate(&mut self, index: u64) -> Result<(), Error> {
        let Some(candidate) = self.active.get(&index) else {
            return Ok(());
        };
        let near = &self.setup.job.filter.near_duplicates;
        let duplicate = |similarity: f64| {
            let reason = if similarity >= 1.0 {
                Reason::ExactDuplicate
            } else {
                Reason::NearDuplicate
            };
            Some(Rejection::new(
                reason,
                format!("Jaccard {similarity:.2} with another answer to its question"),
            ))
        };
        let mine = &candidate.answer_shingles;
        let seed = &candidate.seed;
        let human = stored_rows::shingles(
            seed.reasoning.as_deref().unwrap_or_default(),
            &seed.answer,
            near.shingle_words,
        );
        let stored = self
            .kept
            .answers(candidate.seed_ordinal)
            .map(|other| similarity(mine, other));
        let closest = stored.chain([similarity(mine, &human)]).fold(0.0, f64::max);
        if closest >= near.answer_jaccard {
            self.decide(index, duplicate(closest));
            return Ok(());
        }
        let mut blockers = Vec::new();
        for other in self
            .of_seed
            .get(&candidate.seed_ordinal)
            .into_iter()
            .flat_map(|s| s.range(..index))
        {
            let Some(before) = self.active.get(other) else {
                continue;
            };
            let gate = self.setup.recipe(before.recipe).answer_gate();
            let Some(gate) = gate.filter(|_| self.kind(before) == Strategy::AnswerAugmentation) else {
                continue;
            };
            let similarity = similarity(mine, &before.answer_shingles);
            match before.state.decided() {
                Some(None) if similarity >= near.answer_jaccard => {
                    self.decide(index, duplicate(similarity));
                    return Ok(());
                }
                Some(_) => {}
                // Its answer is not known yet, or like this one.
                None if !before.state.reached(gate) || similarity >= near.answer_jaccard => {
                    blockers.push(*other)
                }
                None => {}
            }
        }
        if !blockers.is_empty() {
            self.wait(index, blockers);
            return Ok(());
        }
        self.pass(index)
    }

    fn wait(&mut self, index: u64, blockers: Vec<u64>) {
        for blocker in blockers {
            self.waiting.entry(blocker).or_default().insert(index);
        }
    }

    /// Has those who waited for a candidate looked at again.
    pub(super) fn wake(&mut self, index: u64) {
        self.woken.extend(self.waiting.remove(&index).unwrap_or_default());
    }

    /// Decides a candidate. A rejected one is withdrawn from the corpus, so that nothing is dropped for being like it.
    pub(super) fn decide(&mut self, index: u64, rejection: Option<Rejection>) {
        let Some(candidate) = self.active.get_mut(&index) else {
            return;
        };
        if !candidate.counted {
            candidate.counted = true;
            self.ahead.decided += 1;
            self.ahead.accepted += u64::from(rejection.is_none());
        }
        if rejection.is_none() {
            self.accepted.insert(index);
        } else if let Some(key) = candidate.key.take() {
            self.corpus.withdraw(key);
            self.of_key.remove(&key);
        }
        candidate.gate = Gate::None;
        candidate.state.decide(rejection);
        self.wake(index);
    }
}
