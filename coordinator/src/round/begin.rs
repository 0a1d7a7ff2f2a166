//! How candidates begin: from which seed, about what, and what their questions are varied by.

use std::sync::Arc;

use gristmill_domain::id::ContentId;
use gristmill_domain::job::Evolution;
use gristmill_domain::passage::Passage;
use gristmill_domain::plan::{Spec, Start};
use gristmill_domain::strategy::Strategy;
use gristmill_domain::work::Step;

use super::Round;
use super::candidate::{About, Candidate, Phase};
use crate::Error;
use crate::coverage::Direction;
use crate::second::{self, Beside};

/// Candidates that may be under way at once: bounds memory while one of them is slow.
const UNDER_WAY_MAX: usize = 8_192;

impl Round<'_> {
    /// Starts the next candidate, if there is one and room for it.
    pub(super) fn start_next(&mut self) -> Result<bool, Error> {
        if self.active.len() >= UNDER_WAY_MAX {
            return Ok(false);
        }
        let Some(spec) = self.visit.next() else {
            return Ok(false);
        };
        let index = spec.index;
        let direction = self.coverage.as_ref().map(|coverage| coverage.direction(&spec));
        let (Start::Anchor(place) | Start::Own(place)) = spec.start;
        let anchor = direction.as_ref().map_or(place, |direction| direction.anchor);
        let seed_ordinal = self.seeds.anchor(anchor);
        let seed = Arc::new(self.seeds.read(seed_ordinal)?);
        let row = self.position(index).row_id(self.recipe.run);
        let teacher = self.recipe.teacher(row);
        let asks = spec.strategy != Strategy::AnswerAugmentation;
        let phase = if asks { Phase::Asking } else { Phase::Answering };
        let mut candidate = Candidate::new(spec, anchor, seed_ordinal, seed, teacher, phase);
        candidate.passage = self.passage(&spec, direction.as_ref())?;
        candidate.about = direction.and_then(|direction| {
            Some(About {
                topic: direction.topic?,
                aimed: direction.aimed,
                borrowed: direction.borrowed,
                peers: direction.peers,
            })
        });
        if let (Strategy::NewQuestion, Some(concept)) = (spec.strategy, spec.concept) {
            let asked = self.again.get(concept as usize);
            candidate.again = asked.map(|again| again.shown(spec.turn)).unwrap_or_default();
        }
        self.vary(&mut candidate, row)?;
        self.active.insert(index, candidate);
        self.started = index + 1;
        if asks {
            self.ready.insert((3, index, Step::Ask));
        } else {
            self.begin_answers(index);
        }
        self.of_seed.entry(seed_ordinal).or_default().insert(index);
        self.advance()?;
        Ok(true)
    }

    /// The passage that a new question is asked about: all of them in turn, over all rounds; where it is aimed at a concept, those of the
    /// concept in turn, and none where it has none.
    fn passage(
        &self,
        spec: &Spec,
        direction: Option<&Direction>,
    ) -> Result<Option<(u64, Arc<Passage>)>, Error> {
        let passages = self.seeds.passages();
        if spec.strategy != Strategy::NewQuestion || passages.is_empty() {
            return Ok(None);
        }
        let number = match spec.concept {
            None => spec.turn % passages.len(),
            Some(_) => {
                let own = direction.map_or(&[][..], |direction| &direction.passages);
                let Some(turn) = spec.turn.checked_rem(own.len() as u64) else {
                    return Ok(None);
                };
                own[turn as usize]
            }
        };
        Ok(Some((number, Arc::new(passages.read(number)?))))
    }

    /// Varies a candidate's question, if its row is drawn.
    fn vary(&self, candidate: &mut Candidate, row: ContentId) -> Result<(), Error> {
        let drawn = |second_passage| {
            self.recipe
                .mutation(row, candidate.spec.strategy, candidate.teacher, second_passage)
        };
        let mut mutation = drawn(true);
        let mut second = None;
        if mutation.as_ref().and_then(|mutation| mutation.evolution) == Some(Evolution::MultiContext) {
            second = self.second(candidate, row)?;
            if second.is_none() {
                mutation = drawn(false);
            }
        }
        (candidate.mutation, candidate.second) = (mutation, second);
        Ok(())
    }

    /// The second passage of a question that draws on two, where there is one.
    fn second(&self, candidate: &Candidate, row: ContentId) -> Result<Option<Beside>, Error> {
        match &candidate.passage {
            Some((number, _)) => second::in_document(self.seeds, *number, row),
            None if candidate.borrowed() => Ok(None),
            None => second::of_seeds(self.seeds, &candidate.seed, candidate.brief().peers, row),
        }
    }
}
