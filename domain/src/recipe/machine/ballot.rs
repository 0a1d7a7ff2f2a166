//! Answers that vote: several answers to one question, a verdict on the question and a judge's word, weighed by the rule of the round; and the
//! one answer of a recipe whose answers do not vote, which a reference may find wrong.
//!
//! A decision is made only when everything that was asked for is there, so that none depends on the order of arrival.

use std::collections::BTreeMap;

use super::{Call, Context, Effect, State, Unusable};
use crate::answer::meaning;
use crate::evidence::{Action, CALIBRATION_ANSWERS, Situation, Weighed, tally};
use crate::filter::{Reason, Rejection};
use crate::recipe::{Ask, Does, JudgeStep, Samples};
use crate::reply::{Answer, Fields, Judgement, Value, judgement};

/// The answers to one question, and what is known of it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Ballot {
    /// Answers are being asked for, or decided on.
    open: bool,
    /// The answer that came with the question, until it joins the others; `None` in it for none of use.
    own: Option<Option<Answer>>,
    /// Answers by sample; `None` for a reply of no use.
    answers: BTreeMap<u32, Option<Answer>>,
    /// Answers asked for.
    asked: u32,
    /// Whether the question can be answered, where that was asked or is known, and why not.
    verified: Option<bool>,
    unanswerable: String,
    /// The answer that was kept, and its votes of those that were asked for.
    chosen: Option<Answer>,
    votes: Option<(u32, u32)>,
    judgements: BTreeMap<u32, Option<Judgement>>,
    /// Judgements asked for, and the first of those that are about the chosen answer.
    asked_judgements: u32,
    judged_from: u32,
    /// The canonical answer that was judged last, and whether it was found right.
    judged: Option<(String, bool)>,
}

impl Ballot {
    pub(super) fn is_open(&self) -> bool {
        self.open
    }

    /// The answer that was kept, or is being judged.
    pub fn chosen(&self) -> Option<&Answer> {
        self.chosen.as_ref()
    }

    /// Votes for the answer that was kept, and answers that were asked for, where answers voted.
    pub fn votes(&self) -> Option<(u32, u32)> {
        self.votes
    }

    /// Every judgement that could be read.
    pub(super) fn judgements(&self) -> impl Iterator<Item = &Judgement> {
        self.judgements.values().flatten()
    }

    pub(super) fn bring(&mut self, answer: Option<Answer>) {
        self.own = Some(answer);
    }

    pub(super) fn verdict(&mut self, answerable: bool, reason: String) {
        self.verified = Some(answerable);
        self.unanswerable = reason;
    }

    fn usable(&self) -> impl Iterator<Item = &Answer> {
        self.answers.values().flatten()
    }

    fn add(&mut self, answer: Option<Answer>) {
        self.answers.insert(self.asked, answer);
        self.asked += 1;
    }

    /// The judgements of the chosen answer that could be read.
    fn of_chosen(&self) -> impl Iterator<Item = &Judgement> {
        self.judgements
            .range(self.judged_from..)
            .filter_map(|(_, judgement)| judgement.as_ref())
    }

    /// Averaged points of five, over the judgements of the chosen answer that could be read; `None` without one.
    fn points(&self) -> Option<f64> {
        let points: Vec<f64> = self.of_chosen().map(|j| f64::from(j.points())).collect();
        (!points.is_empty()).then(|| points.iter().sum::<f64>() / points.len() as f64)
    }

    /// What is known, and the leading answer.
    fn situation(&self) -> (Situation, Option<&Answer>) {
        let votes = tally(self.usable().map(|answer| answer.canonical.as_str()));
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
        let mut usable = self.usable();
        (
            at,
            usable.find(|answer| Some(answer.canonical.as_str()) == leader),
        )
    }

    /// What was drawn and what it is worth; `None` where nothing was. `concept` is what the question was asked about.
    pub fn weighed(&self, context: &Context<'_>, concept: Option<&str>) -> Option<Weighed> {
        if self.asked == 0 && self.verified.is_none() {
            return None;
        }
        let (mut at, _) = self.situation();
        if context.measures {
            // About the answer that was judged, whether it leads or not.
            at.judged = self.judged.as_ref().map(|(_, passed)| *passed);
        }
        let known = context.reference || context.measures;
        let right = known.then(|| {
            let right = self
                .usable()
                .filter(|answer| answer.correct == Some(true))
                .count();
            u8::try_from(right).unwrap_or(u8::MAX)
        });
        let sure = context
            .votes
            .then(|| context.rule.case(&at).map(|case| case.right));
        Some(Weighed {
            at,
            concept: concept.map(str::to_owned),
            asked: u8::try_from(self.asked).unwrap_or(u8::MAX),
            own: self.own.as_ref().map(Option::is_some),
            right,
            sure: sure.flatten(),
        })
    }
}

impl State {
    /// Takes the first step once the question is settled.
    pub(super) fn open_ballot(&mut self, context: &Context<'_>, effects: &mut Vec<Effect>) {
        self.ballot.open = true;
        if let Some(own) = self.ballot.own.clone() {
            self.ballot.add(own);
        }
        if context.votes {
            // A seed's own question is known to have an answer, in whatever words.
            let of_seed = !context.recipe.asks_question() || context.recipe.rewords();
            if of_seed {
                self.ballot.verified = Some(true);
            }
            self.follow_rule(context, effects);
        } else {
            self.draw(context, 1, effects);
        }
    }

    /// Asks for answers to a seed's own question, so that the teacher can be measured.
    pub(super) fn measure(&mut self, context: &Context<'_>, effects: &mut Vec<Effect>) {
        self.ballot.open = true;
        self.draw(context, CALIBRATION_ANSWERS, effects);
    }

    fn draw(&mut self, context: &Context<'_>, count: u32, effects: &mut Vec<Effect>) {
        let Some(step) = context.recipe.ballot() else {
            return;
        };
        let first = self.ballot.asked;
        self.ballot.asked += count;
        for sample in first..first + count {
            self.call(step, sample, effects);
        }
    }

    /// Takes what an answer, a verdict or a judgement brought.
    pub(super) fn ballot_brought(
        &mut self,
        context: &Context<'_>,
        call: Call,
        outcome: Result<Fields, Unusable>,
        effects: &mut Vec<Effect>,
    ) {
        match context.recipe.step(call.step).map(|step| &step.does) {
            Some(Does::Ask(ask)) if matches!(ask.samples, Samples::Agreement { .. }) => {
                let answer = outcome.ok().and_then(|fields| answer_of(ask, fields));
                self.ballot.answers.insert(call.sample, answer);
                self.weigh(context, effects);
            }
            Some(Does::Ask(ask)) => self.verdict_brought(context, call, ask, outcome, effects),
            Some(Does::Judge(JudgeStep { .. })) => {
                let said = outcome.ok().and_then(|fields| judgement(&fields));
                self.ballot.judgements.insert(call.sample, said);
                self.weigh_judgements(context, effects);
            }
            Some(_) | None => {}
        }
    }

    fn verdict_brought(
        &mut self,
        context: &Context<'_>,
        call: Call,
        ask: &Ask,
        outcome: Result<Fields, Unusable>,
        effects: &mut Vec<Effect>,
    ) {
        match outcome {
            Ok(fields) => {
                let answer = self.fill(context, ask, fields).flatten();
                let answerable = self.demanded(context, call.step, ask).is_none();
                // One that came with the verdict votes like another.
                let room = self.ballot.asked < context.rule.max_samples;
                if context.verdict_answers && answerable && room {
                    self.ballot.add(answer);
                }
                self.follow_rule(context, effects);
            }
            Err(unusable) => self.ask_again(call, ask, unusable, effects),
        }
    }

    /// Decides on the answers once all that were asked for are there.
    fn weigh(&mut self, context: &Context<'_>, effects: &mut Vec<Effect>) {
        if (self.ballot.answers.len() as u32) < self.ballot.asked {
            return;
        }
        if context.measures {
            self.compare_with_seed(context);
            return self.measure_judge(context, effects);
        }
        if context.votes {
            return self.follow_rule(context, effects);
        }
        let good = self
            .ballot
            .usable()
            .find(|answer| answer.correct != Some(false))
            .cloned();
        let wrong = self.ballot.usable().last().cloned();
        // The question is paid for: another answer is cheaper than another question.
        let retries = if context.recipe.rewords() && context.reference {
            context.rule.retries
        } else {
            0
        };
        match (good, wrong) {
            (Some(answer), _) => {
                self.ballot.chosen = Some(answer);
                self.close_ballot(context, effects);
            }
            _ if self.ballot.asked <= retries && !self.unfunded() => self.draw(context, 1, effects),
            (None, Some(answer)) => {
                let rejection = Rejection::new(Reason::Wrong, answer.detail.clone());
                self.ballot.chosen = Some(answer);
                self.end(Some(rejection), effects);
            }
            (None, None) => self.end_by_last(effects),
        }
    }

    /// Goes on with the answer that was chosen.
    fn close_ballot(&mut self, context: &Context<'_>, effects: &mut Vec<Effect>) {
        self.ballot.open = false;
        let step = context.recipe.ballot().and_then(|step| context.recipe.ask(step));
        let member = step.and_then(|ask| ask.reply.answer());
        if let Some(member) = member {
            let answer = Value::Answer(self.ballot.chosen.clone());
            self.set(&member.name, answer);
        }
        self.next(context, effects);
    }

    /// Compares open answers to a seed's question, which no validator reads, with the seed's own.
    fn compare_with_seed(&mut self, context: &Context<'_>) {
        let Some(min_f1) = context.meaning_f1.filter(|_| context.measures_meaning) else {
            return;
        };
        for answer in self.ballot.answers.values_mut().flatten() {
            let mut references = context.seed.references.iter();
            answer.correct =
                Some(references.any(|reference| meaning::same(reference, &answer.answer, min_f1)));
        }
        meaning::unite(self.ballot.answers.values_mut().flatten(), min_f1);
    }

    /// Has the judge look at an answer of a question that was asked to measure the teacher, where there is a judge: at a wrong one
    /// if there is any, since those are fewer.
    fn measure_judge(&mut self, context: &Context<'_>, effects: &mut Vec<Effect>) {
        let wrong = self.ballot.usable().find(|answer| answer.correct == Some(false));
        let answer = wrong.or_else(|| self.ballot.usable().next()).cloned();
        let judges = answer.is_some() && context.judges_votes && !self.unfunded();
        self.ballot.chosen = answer;
        if judges {
            self.ask_judge(context, effects);
        } else {
            self.end_measurement(effects);
        }
    }

    /// Ends a question that was asked to measure the teacher and the judge: it is no row, but what was said counts.
    fn end_measurement(&mut self, effects: &mut Vec<Effect>) {
        let answers = || self.ballot.usable();
        let right = answers().filter(|answer| answer.correct == Some(true)).count();
        let mut detail = format!("{right} of {} answers are right", answers().count());
        if let (Some((_, passed)), Some(answer)) = (&self.ballot.judged, &self.ballot.chosen) {
            let is = if answer.correct == Some(true) {
                "right"
            } else {
                "wrong"
            };
            let verdict = if *passed { "passes" } else { "fails" };
            detail = format!("{detail}; the judge {verdict} one that is {is}");
        }
        self.end(Some(Rejection::new(Reason::Calibration, detail)), effects);
    }

    /// Does what the rule says about the evidence so far.
    fn follow_rule(&mut self, context: &Context<'_>, effects: &mut Vec<Effect>) {
        if let Some(min_f1) = context.meaning_f1 {
            meaning::unite(self.ballot.answers.values_mut().flatten(), min_f1);
        }
        if self.unfunded() {
            return self.end_by_last(effects);
        }
        let (at, leader) = self.ballot.situation();
        let leader = leader.cloned();
        let (asked, rule) = (self.ballot.asked, context.rule);
        let votes = at.votes.first().map(|votes| (u32::from(*votes), asked));
        match (rule.decide(&at, asked), leader) {
            (Action::Draw, _) => {
                let most = rule.max_samples.saturating_sub(asked).max(1);
                self.draw(context, rule.sure_draws(&at).min(most), effects);
            }
            (Action::Verify, _) => match context.recipe.evidence().0 {
                Some(step) => self.call(step, 0, effects),
                None => self.give_up(context, &at, effects),
            },
            (Action::Judge, Some(answer)) => {
                (self.ballot.chosen, self.ballot.votes) = (Some(answer), votes);
                self.ask_judge(context, effects);
            }
            (Action::Accept, Some(answer)) => {
                (self.ballot.chosen, self.ballot.votes) = (Some(answer), votes);
                self.close_ballot(context, effects);
            }
            (Action::Reject | Action::Judge | Action::Accept, _) => self.give_up(context, &at, effects),
        }
    }

    /// Rejects a candidate whose evidence does not suffice.
    fn give_up(&mut self, context: &Context<'_>, at: &Situation, effects: &mut Vec<Effect>) {
        let (rule, ballot) = (context.rule, &self.ballot);
        let sure = rule.case(at).map_or(0.0, |case| case.right);
        let sure = format!("{:.1} % sure, {:.1} % wanted", 100.0 * sure, 100.0 * rule.target);
        let given: Vec<&str> = ballot.usable().map(|answer| answer.canonical.as_str()).collect();
        let rejection = match at {
            Situation {
                verified: Some(false),
                ..
            } => Rejection::new(Reason::Unanswerable, ballot.unanswerable.clone()),
            Situation {
                judged: Some(false), ..
            } => {
                let reason = ballot.of_chosen().next();
                let reason = reason
                    .map(|judgement| judgement.reason.as_str())
                    .unwrap_or_default();
                Rejection::new(Reason::JudgedLow, format!("{sure}: {reason}"))
            }
            _ if given.is_empty() => return self.end_by_last(effects),
            _ => Rejection::new(Reason::Disagreement, format!("{} ({sure})", given.join(" / "))),
        };
        self.end(Some(rejection), effects);
    }

    fn ask_judge(&mut self, context: &Context<'_>, effects: &mut Vec<Effect>) {
        let (Some(judge), Some(step)) = (context.judge, context.recipe.evidence().1) else {
            return self.end_by_last(effects);
        };
        let ballot = &mut self.ballot;
        ballot.judged_from = ballot.asked_judgements;
        ballot.asked_judgements += judge.samples;
        for sample in ballot.judged_from..ballot.asked_judgements {
            self.call(step, sample, effects);
        }
    }

    /// Decides once all judgements that were asked for are there. A judge that finds the answer wrong is evidence among other evidence; one
    /// that finds it right but poor decides by itself.
    fn weigh_judgements(&mut self, context: &Context<'_>, effects: &mut Vec<Effect>) {
        let Some(judge) = context.judge else {
            return;
        };
        let ballot = &mut self.ballot;
        if (ballot.judgements.len() as u32) < ballot.asked_judgements {
            return;
        }
        let points = ballot.points();
        let canonical = ballot.chosen.as_ref().map(|answer| answer.canonical.clone());
        if context.measures {
            ballot.judged = canonical.zip(points.map(|points| points >= judge.accept_at));
            return self.end_measurement(effects);
        }
        let Some(points) = points else {
            return self.end_by_last(effects);
        };
        let passed = points >= judge.accept_at;
        let (right, all) = ballot.of_chosen().fold((0, 0), |(right, all), judgement| {
            (right + u32::from(judgement.correct), all + 1)
        });
        if passed || 2 * right <= all {
            ballot.judged = canonical.map(|canonical| (canonical, passed));
            return self.follow_rule(context, effects);
        }
        let reason = ballot
            .of_chosen()
            .next()
            .map(|judgement| judgement.reason.clone());
        let detail = format!(
            "{points:.1} of {:.1} points: {}",
            judge.accept_at,
            reason.unwrap_or_default()
        );
        self.end(Some(Rejection::new(Reason::JudgedLow, detail)), effects);
    }
}

/// The answer among the fields of a reply.
fn answer_of(ask: &Ask, mut fields: Fields) -> Option<Answer> {
    match fields.remove(&ask.reply.answer()?.name)? {
        Value::Answer(answer) => answer,
        _ => None,
    }
}
