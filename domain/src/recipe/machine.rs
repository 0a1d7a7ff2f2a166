//! The machine that walks a recipe: `apply(context, state, event) → (state, effects)`, without I/O, clock or chance.
//!
//! | event | where | what follows |
//! |---|---|---|
//! | `Begin` | before the first step | walks |
//! | `Begin`, measuring | before the first step | asks for answers to a seed's own question, so that the teacher can be measured |
//! | `Brought` | an ask for one reply | fields filled, or asked for again, or rejected; then walks |
//! | `Brought` | an ask for several | once all are there: walks; rejected where none is of use |
//! | `Brought` | answers that vote, and their evidence | `ballot`: drawn, verified, judged, accepted or rejected by the round's rule |
//! | `Brought` | a judge | once all are there: passes or is rejected; with samples, their points |
//! | `Passed` | a gate | walks |
//! | `Untagged` | a tag with nothing to choose from | walks |
//! | any | decided | nothing |
//!
//! Walking takes the steps that need no reply, up to one that does, to a gate, or past the last, where the candidate is accepted. It decides
//! only when everything that was asked for is there, so that no decision depends on the order of arrival.

mod ballot;
mod complete;
mod dialogue;
mod kept_facts;
mod lengths;
mod look;
mod samples;

use std::collections::BTreeMap;

use super::{Ask, Does, QUESTION, Recipe, RejectsAs, Samples, Sees};
use crate::evidence::Rule;
use crate::filter::{Reason, Rejection};
use crate::job::Judge;
use crate::seed::Seed;
use ballot::Ballot;

pub use super::call::Call;
use crate::reply::{Answer, Fields, Judgement, Value};

/// What happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// The candidate begins.
    Begin,
    /// A call brought fields, or nothing of use.
    Brought {
        /// The call.
        call: Call,
        /// What it brought.
        outcome: Result<Fields, Unusable>,
    },
    /// The gate that it waited at let it pass.
    Passed,
    /// The tag that it asked for has nothing to choose from.
    Untagged,
}

/// A reply of no use.
#[derive(Debug, Clone, PartialEq)]
pub struct Unusable {
    /// Why.
    pub rejection: Rejection,
    /// What the model said, cut to a readable length.
    pub text: String,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Make a call.
    Call(Call),
    /// Bring the candidate to the gate of this step, in its turn.
    Gate(usize),
    /// It is decided: accepted, or rejected for a reason.
    Decide(Option<Rejection>),
}

/// What a candidate is decided by: nothing of it changes while the candidate is under way.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The recipe.
    pub recipe: &'a Recipe,
    /// How answers that vote are decided on, and how often wrong ones are asked for again.
    pub rule: &'a Rule,
    /// Several answers decide: they can be compared with each other, and with nothing else.
    pub votes: bool,
    /// An answer can be compared with the seed's.
    pub reference: bool,
    /// Token F1 from which two answers in words say the same, where they are compared so.
    pub meaning_f1: Option<f64>,
    /// Answers in words are compared with the seed's by that, since no validator reads them.
    pub measures_meaning: bool,
    /// The job's judge.
    pub judge: Option<&'a Judge>,
    /// The judge takes part where answers vote.
    pub judges_votes: bool,
    /// Verdicts on a question come with an answer that votes.
    pub verdict_answers: bool,
    /// What conditions see besides its fields.
    pub sees: Sees<'a>,
    /// The seed that it starts from.
    pub seed: &'a Seed,
    /// It measures the teacher, and becomes no row.
    pub measures: bool,
    /// Which record it takes of a reply that it shares with others, from 0.
    pub place: u32,
}

/// Where a candidate stands.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct State {
    /// Number of the step that it is at.
    at: usize,
    pass: u16,
    stands: Stands,
    fields: Fields,
    /// A reply brought a question of its own.
    questioned: bool,
    /// Several replies to one step that nothing has chosen from yet.
    samples: Vec<Sample>,
    /// Replies of the step that it is at, by sample.
    replies: BTreeMap<u32, Option<Fields>>,
    pub(super) ballot: Ballot,
    /// Judgements of the answer that was kept.
    judgements: Vec<Judgement>,
    /// Why the last reply was of no use, with its call: of several that were asked for at once the last in their order, not the last to arrive.
    last: Option<(Call, Unusable)>,
}

/// One of several replies, and what was found out about it.
#[derive(Debug, Clone, Default, PartialEq)]
struct Sample {
    fields: Fields,
    points: Option<f64>,
    judgements: Vec<Judgement>,
}

/// What it waits for.
#[derive(Debug, Clone, Default, PartialEq)]
enum Stands {
    #[default]
    New,
    /// Replies.
    Asking,
    /// The gate of the step that it is at.
    AtGate,
    Decided(Option<Rejection>),
}

/// Takes an event.
pub fn apply(context: &Context<'_>, mut state: State, event: Event) -> (State, Vec<Effect>) {
    let mut effects = Vec::new();
    if state.decided().is_none() {
        state.take(context, event, &mut effects);
    }
    (state, effects)
}

impl State {
    /// Decides it from outside: at a gate, or since a call for others failed.
    pub fn decide(&mut self, rejection: Option<Rejection>) {
        self.stands = Stands::Decided(rejection);
    }

    /// True when no money was left for one of its calls: nothing more can be found out about it.
    pub(super) fn unfunded(&self) -> bool {
        let last = self.last.as_ref();
        last.is_some_and(|(_, unusable)| unusable.rejection.reason == Reason::Unfunded)
    }

    fn take(&mut self, context: &Context<'_>, event: Event, effects: &mut Vec<Effect>) {
        match (event, &self.stands) {
            (Event::Begin, Stands::New) => {
                let question = Value::text(&context.seed.question);
                self.fields.insert(QUESTION.to_owned(), question);
                self.fields.extend(context.recipe.first_fields());
                if context.measures {
                    self.measure(context, effects);
                } else {
                    self.walk(context, effects);
                }
            }
            (Event::Passed, Stands::AtGate) => self.next(context, effects),
            (Event::Untagged, Stands::Asking) => self.next(context, effects),
            (Event::Brought { call, outcome }, Stands::Asking) => {
                let outcome = self.with_fitting_calls(context.recipe, call, outcome);
                if let Err(unusable) = &outcome {
                    self.remember(call, unusable);
                }
                self.brought(context, call, outcome, effects);
            }
            // Illegal: nothing was asked, or nothing waits.
            (Event::Begin | Event::Passed | Event::Untagged | Event::Brought { .. }, _) => {}
        }
    }

    /// Keeps the last of the replies of no use, in the order of the calls; one that no money was left for before all others.
    fn remember(&mut self, call: Call, unusable: &Unusable) {
        let rank = |call: Call, unusable: &Unusable| (unusable.rejection.reason == Reason::Unfunded, call);
        let before = self.last.as_ref().map(|(call, unusable)| rank(*call, unusable));
        if before <= Some(rank(call, unusable)) {
            self.last = Some((call, unusable.clone()));
        }
    }

    fn brought(
        &mut self,
        context: &Context<'_>,
        call: Call,
        outcome: Result<Fields, Unusable>,
        effects: &mut Vec<Effect>,
    ) {
        let Some(step) = context.recipe.step(call.step) else {
            return;
        };
        match &step.does {
            Does::Ask(_) | Does::Judge(_) if self.ballot.is_open() => {
                self.ballot_brought(context, call, outcome, effects);
            }
            Does::Ask(ask) if ask.samples.are_several() => {
                // Of several replies, those that say something else are none.
                let outcome = outcome.and_then(|fields| match self.altered(context, ask, &fields) {
                    Some(rejection) => Err(Unusable {
                        rejection,
                        text: String::new(),
                    }),
                    None => Ok(fields),
                });
                if let Err(unusable) = &outcome {
                    self.remember(call, unusable);
                }
                self.replies.insert(call.sample, outcome.ok());
                self.all_replies(context, ask, effects);
            }
            Does::Ask(ask) => match outcome {
                Ok(fields) => match ask.reply.taken(fields, context.place) {
                    Ok(fields) => self.filled(context, call.step, ask, fields, effects),
                    // Its own record is of no use; the others' may be.
                    Err(rejection) => self.end(Some(rejection), effects),
                },
                Err(unusable) => self.ask_again(call, ask, unusable, effects),
            },
            Does::Judge(judge) => {
                self.replies.insert(call.sample, outcome.ok());
                self.all_judgements(context, call.step, judge, effects);
            }
            // Whatever is known of what it is about, a row that is good enough is kept.
            Does::TagConcept => {
                self.fields.extend(outcome.unwrap_or_default());
                self.next(context, effects);
            }
            Does::Check(_)
            | Does::Distinct { .. }
            | Does::Choose { .. }
            | Does::Repeat { .. }
            | Does::Again { .. } => {}
        }
    }

    /// Asks for a reply again after one of no use, as often as its step says: what is paid for before it is worth another call.
    pub(super) fn ask_again(&mut self, call: Call, ask: &Ask, unusable: Unusable, effects: &mut Vec<Effect>) {
        let futile = matches!(unusable.rejection.reason, Reason::Unfunded | Reason::CallFailed);
        if call.sample < ask.again && !futile {
            self.call(call.step, call.sample + 1, effects);
        } else {
            self.end(Some(unusable.rejection), effects);
        }
    }

    /// Fields of a reply; what must hold of them does, or the candidate is rejected.
    fn filled(
        &mut self,
        context: &Context<'_>,
        step: usize,
        ask: &Ask,
        fields: Fields,
        effects: &mut Vec<Effect>,
    ) {
        let altered = self.altered(context, ask, &fields);
        if let Some(answer) = self.fill(context, ask, fields) {
            self.ballot.bring(answer);
        }
        if altered.is_some() {
            return self.end(altered, effects);
        }
        match self.demanded(context, step, ask) {
            Some(rejection) => self.end(Some(rejection), effects),
            None => self.next(context, effects),
        }
    }

    /// Why the fields are not what the step asks of them, if they are not. Where the step verifies a question, that is entered as its verdict.
    fn demanded(&mut self, context: &Context<'_>, step: usize, ask: &Ask) -> Option<Rejection> {
        let demand = ask.require.as_ref();
        let refused = demand.and_then(|demand| self.refused(context, demand));
        if context.recipe.evidence().0 == Some(step) {
            let reason = refused.as_ref().map(|rejection| rejection.detail.clone());
            self.ballot.verdict(refused.is_none(), reason.unwrap_or_default());
        }
        refused
    }

    /// Takes fields in, and gives back the answer that came along to vote, if the step brings one: `None` in it is one of no use.
    pub(super) fn fill(
        &mut self,
        context: &Context<'_>,
        ask: &Ask,
        mut fields: Fields,
    ) -> Option<Option<Answer>> {
        let votes = context.recipe.ballot().and_then(|step| context.recipe.ask(step));
        let member = votes
            .and_then(|ask| ask.reply.answer())
            .map(|member| member.name.as_str());
        let brought = member.filter(|_| ask.brings).and_then(|name| fields.remove(name));
        self.questioned |= ask.reply.question().is_some();
        self.fields.extend(fields);
        match brought {
            Some(Value::Answer(answer)) => Some(answer),
            Some(_) | None => None,
        }
    }

    pub(super) fn refused(&self, context: &Context<'_>, demand: &super::Demand) -> Option<Rejection> {
        let detail = match (
            demand.condition.evaluate(&self.fields, context.sees),
            &demand.because,
        ) {
            (Ok(true), _) => return None,
            (Ok(false), Some(field)) => self.fields.get(field).map(Value::shown).unwrap_or_default(),
            (Ok(false), None) => format!("`{}` does not hold", demand.condition),
            (Err(why), _) => format!("`{}` cannot be evaluated: {why}", demand.condition),
        };
        Some(Rejection::new(reason(demand.rejects_as), detail))
    }

    pub(super) fn next(&mut self, context: &Context<'_>, effects: &mut Vec<Effect>) {
        self.at += 1;
        self.walk(context, effects);
    }

    /// Takes steps up to one that needs replies, to a gate, or past the last.
    fn walk(&mut self, context: &Context<'_>, effects: &mut Vec<Effect>) {
        while self.decided().is_none() {
            let rejection = self.found_wrong(context.recipe);
            if let Some(rejection) = rejection.or_else(|| self.too_unlike(context.recipe)) {
                return self.end(Some(rejection), effects);
            }
            let Some(step) = context.recipe.step(self.at) else {
                return self.end(self.incomplete(context.recipe), effects);
            };
            // Conditions are looked at only where they decide.
            let skipped = context.votes && self.is_evidence(context);
            let done = skipped
                || step
                    .when
                    .as_ref()
                    .is_none_or(|when| when.holds(&self.fields, context.sees));
            match &step.does {
                Does::Repeat { end } if !done => self.at = end + 1,
                _ if !done || skipped => self.at += 1,
                Does::Repeat { .. } => {
                    self.pass = 0;
                    self.at += 1;
                }
                Does::Again {
                    start,
                    until,
                    at_most,
                } => {
                    self.pass += 1;
                    let ended = self.pass >= *at_most || until.holds(&self.fields, context.sees);
                    self.at = if ended { self.at + 1 } else { start + 1 };
                    if ended {
                        self.pass = 0;
                    }
                }
                Does::Check(demand) => match self.refused(context, demand) {
                    Some(rejection) => return self.end(Some(rejection), effects),
                    None => self.at += 1,
                },
                Does::Distinct { .. } => {
                    self.stands = Stands::AtGate;
                    effects.push(Effect::Gate(self.at));
                    return;
                }
                Does::Choose { keep, margin, .. } => match self.choose(context, *keep, *margin) {
                    Some(rejection) => return self.end(Some(rejection), effects),
                    None => self.at += 1,
                },
                Does::Judge(judge) => {
                    let calls = self.judgements_wanted(context, judge);
                    if calls > 0 {
                        return self.calls(self.at, calls, effects);
                    }
                    self.at += 1;
                }
                Does::TagConcept => return self.calls(self.at, 1, effects),
                Does::Ask(ask) => {
                    if let Some(rejection) = self.nothing_to_keep(ask) {
                        return self.end(Some(rejection), effects);
                    }
                    return match &ask.samples {
                        Samples::One => self.calls(self.at, 1, effects),
                        Samples::Several(number) => self.calls(self.at, *number, effects),
                        Samples::Agreement { .. } => self.open_ballot(context, effects),
                    };
                }
            }
        }
    }

    /// The rejection of a row whose answer its validator found wrong, once no step is left that could mend it.
    fn found_wrong(&self, recipe: &Recipe) -> Option<Rejection> {
        let last = recipe.last_answer()?;
        let row = &recipe.file().row;
        let field = row.answer.as_ref().or(row.chosen.as_ref())?;
        let answer = self.answer(field).filter(|_| self.at > last)?;
        (answer.correct == Some(false)).then(|| Rejection::new(Reason::Wrong, answer.detail.clone()))
    }

    /// True where the step that it is at is only done where the rule for votes asks for it.
    fn is_evidence(&self, context: &Context<'_>) -> bool {
        let (verdict, judge) = context.recipe.evidence();
        [verdict, judge].contains(&Some(self.at))
    }

    pub(super) fn set(&mut self, field: &str, value: Value) {
        self.fields.insert(field.to_owned(), value);
    }

    fn calls(&mut self, step: usize, number: u32, effects: &mut Vec<Effect>) {
        self.replies.clear();
        for sample in 0..number {
            self.call(step, sample, effects);
        }
    }

    pub(super) fn call(&mut self, step: usize, sample: u32, effects: &mut Vec<Effect>) {
        self.stands = Stands::Asking;
        effects.push(Effect::Call(Call {
            step,
            pass: self.pass,
            sample,
        }));
    }

    pub(super) fn end(&mut self, rejection: Option<Rejection>, effects: &mut Vec<Effect>) {
        self.stands = Stands::Decided(rejection.clone());
        effects.push(Effect::Decide(rejection));
    }

    /// Rejects it for what was wrong with its last reply.
    pub(super) fn end_by_last(&mut self, effects: &mut Vec<Effect>) {
        let last = self.last.as_ref().map(|(_, unusable)| unusable.rejection.clone());
        let rejection = last.unwrap_or_else(|| Rejection::new(Reason::Format, "no answer could be read"));
        self.end(Some(rejection), effects);
    }
}

fn reason(rejects_as: RejectsAs) -> Reason {
    match rejects_as {
        RejectsAs::Unanswerable => Reason::Unanswerable,
        RejectsAs::Ungrounded => Reason::Ungrounded,
        RejectsAs::JudgedLow => Reason::JudgedLow,
        RejectsAs::Recipe => Reason::Recipe,
    }
}
