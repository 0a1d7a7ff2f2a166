//! The two gates at which a candidate is compared with others.

use gristmill_domain::filter::{Reason, Rejection};
use gristmill_domain::strategy::Strategy;

use super::Round;
use super::candidate::Phase;
use crate::Error;
use crate::kept::{self, similarity};

impl Round<'_> {
    /// The question gate, in the order of numbers: held-out rows, then what is kept, then what is still undecided before it.
    pub(super) fn enter_question_gate(&mut self, index: u64) -> Result<(), Error> {
        let Some(candidate) = self.active.get(&index) else {
            return Ok(());
        };
        if let Some(rejection) = self
            .corpus
            .contaminated(&candidate.question, candidate.vector.as_deref())?
        {
            self.decide(index, Some(rejection));
            return Ok(());
        }
        let probe = self.corpus.probe(&candidate.question, candidate.vector.clone());
        let (family, strategy) = (candidate.family(), candidate.spec.strategy);
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
            candidate.phase = Phase::QuestionWaits;
        }
        self.look_again(index)
    }

    /// Looks at a waiting candidate again; anything else has moved on by itself.
    pub(super) fn look_again(&mut self, index: u64) -> Result<(), Error> {
        match self.active.get(&index).map(|c| &c.phase) {
            Some(Phase::QuestionWaits) => self.leave_question_gate(index),
            Some(Phase::AnswerWaits) => self.leave_answer_gate(index),
            Some(
                Phase::Asking
                | Phase::Asked
                | Phase::Verifying
                | Phase::Answering
                | Phase::Judging
                | Phase::Assigning
                | Phase::Decided(_),
            )
            | None => {}
        }
        Ok(())
    }

    fn leave_question_gate(&mut self, index: u64) {
        let Some(candidate) = self.active.get(&index) else {
            return;
        };
        let strategy = candidate.spec.strategy;
        let duplicate = candidate
            .alike
            .iter()
            .find(|(other, _)| self.accepted.contains(other));
        if let Some((_, rejection)) = duplicate {
            let rejection = rejection.clone();
            self.decide(index, Some(rejection));
            return;
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
                Err(rejection) => return self.decide(index, Some(rejection)),
            }
        }
        if !blockers.is_empty() {
            return self.wait(index, blockers);
        }
        self.begin_answers(index);
    }

    /// Candidates before this one that decide whether its seed has room for another rephrasing; none when it has room anyway.
    fn parent_cap(&self, index: u64) -> Result<Vec<u64>, Rejection> {
        let cap = self.recipe.job.generate.rephrasings_per_seed as usize;
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
                    .is_some_and(|c| c.spec.strategy == Strategy::Rephrasing)
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
                format!("{kept} rephrasings of this seed are kept"),
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
    pub(super) fn enter_answer_gate(&mut self, index: u64) {
        let words = self.recipe.job.filter.near_duplicates.shingle_words;
        if let Some(candidate) = self.active.get_mut(&index) {
            if let Some(answer) = &candidate.chosen {
                candidate.answer_shingles = kept::shingles(&answer.reasoning, &answer.answer, words);
            }
            candidate.phase = Phase::AnswerWaits;
        }
        self.leave_answer_gate(index);
        // Others may have waited to know this answer.
        self.wake(index);
    }

    fn leave_answer_gate(&mut self, index: u64) {
        let Some(candidate) = self.active.get(&index) else {
            return;
        };
        let near = &self.recipe.job.filter.near_duplicates;
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
        let human = kept::shingles(
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
            return self.decide(index, duplicate(closest));
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
            if before.spec.strategy != Strategy::AnswerAugmentation {
                continue;
            }
            let similarity = similarity(mine, &before.answer_shingles);
            match &before.phase {
                // Its answer is not known yet.
                Phase::Asking | Phase::Asked | Phase::QuestionWaits | Phase::Verifying | Phase::Answering => {
                    blockers.push(*other)
                }
                Phase::AnswerWaits | Phase::Judging | Phase::Assigning
                    if similarity >= near.answer_jaccard =>
                {
                    blockers.push(*other)
                }
                Phase::Decided(None) if similarity >= near.answer_jaccard => {
                    return self.decide(index, duplicate(similarity));
                }
                Phase::AnswerWaits | Phase::Judging | Phase::Assigning | Phase::Decided(_) => {}
            }
        }
        if blockers.is_empty() {
            self.judge_or_accept(index)
        } else {
            self.wait(index, blockers)
        }
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
        if !candidate.decided() {
            self.ahead.decided += 1;
            self.ahead.accepted += u64::from(rejection.is_none());
        }
        if rejection.is_none() {
            self.accepted.insert(index);
        } else if let Some(key) = candidate.key.take() {
            self.corpus.withdraw(key);
            self.of_key.remove(&key);
        }
        candidate.phase = Phase::Decided(rejection);
        self.wake(index);
    }
}
