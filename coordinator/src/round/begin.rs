//! How candidates begin: from which seed, about what, and what their questions are varied by.

use std::sync::Arc;

use gristmill_domain::id::ContentId;
use gristmill_domain::job::Evolution;
use gristmill_domain::passage::Passage;
use gristmill_domain::plan::{Spec, Start};
use gristmill_domain::recipe::Recipe;
use gristmill_domain::recipe::machine::Event;
use gristmill_domain::strategy::Strategy;

use super::Round;
use super::candidate::{About, Candidate};
use crate::Error;
use crate::coverage::Direction;
use crate::second::{self, Beside};
use crate::setup::starts_from_passage;

/// Candidates that may be under way at once: bounds memory while one of them is slow.
const UNDER_WAY_MAX: usize = 8_192;

impl Round<'_> {
    /// Starts the next candidate, if there is one and room for it.
    pub(super) fn start_next(&mut self) -> Result<bool, Error> {
        if self.active.len() >= UNDER_WAY_MAX || self.started >= self.total {
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
        let row = self.position(index).row_id(self.setup.run);
        // Those that share a reply share all that it was asked with.
        let leader = spec.shared.map_or(index, |shared| shared.leader);
        let drawn = self.position(leader).row_id(self.setup.run);
        let teacher = self.setup.teacher(drawn);
        let recipe = self.recipe_of(&spec);
        let mut candidate = Candidate::new(spec, recipe, row, anchor, (seed_ordinal, seed), teacher);
        let recipe = self.setup.recipe(recipe);
        candidate.passage = self.passage(&spec, recipe, direction.as_ref())?;
        candidate.about = direction.and_then(|direction| {
            Some(About {
                topic: direction.topic?,
                aimed: direction.aimed,
                borrowed: direction.borrowed,
                peers: direction.peers,
            })
        });
        if let (Strategy::NewQuestion, Some(concept)) = (recipe.kind(), spec.concept) {
            let asked = self.again.get(concept as usize);
            candidate.again = asked.map(|again| again.shown(spec.turn)).unwrap_or_default();
        }
        self.vary(&mut candidate, drawn)?;
        self.active.insert(index, candidate);
        self.started = index + 1;
        self.of_seed.entry(seed_ordinal).or_default().insert(index);
        self.feed(index, Event::Begin)?;
        self.advance()?;
        Ok(true)
    }

    /// Number of the recipe that a candidate is made by. Plans of older versions name none: the strategy does.
    fn recipe_of(&self, spec: &Spec) -> usize {
        if spec.calibrates {
            return usize::MAX;
        }
        let planned = spec.recipe.and_then(|place| self.plan.recipes.get(place));
        let named = planned.and_then(|planned| {
            let mut recipes = self.setup.recipes().iter();
            recipes.position(|used| used.recipe.name() == planned.recipe)
        });
        let by_strategy = || {
            self.setup
                .recipes_of(spec.strategy)
                .next()
                .map(|(number, _)| number)
        };
        named.or_else(by_strategy).unwrap_or(usize::MAX)
    }

    /// The passage that a new question is asked about: all of them in turn, over all rounds; where it is aimed at a concept, those of the
    /// concept in turn, and none where it has none.
    fn passage(
        &self,
        spec: &Spec,
        recipe: &Recipe,
        direction: Option<&Direction>,
    ) -> Result<Option<(u64, Arc<Passage>)>, Error> {
        let passages = self.seeds.passages();
        if !starts_from_passage(recipe) || passages.is_empty() {
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
            self.setup.mutation(
                row,
                self.setup.recipe(candidate.recipe),
                candidate.teacher,
                second_passage,
            )
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
            None => {
                let recipe = self.setup.recipe(candidate.recipe);
                let peers = candidate.brief(recipe).peers;
                second::of_seeds(self.seeds, &candidate.seed, peers, row)
            }
        }
    }
}
