//! The machine that walks a recipe: `apply(context, state, event) → (state, effects)`, without I/O, clock or chance.
//!
//! | event | where | what follows |
//! |---|---|---|
//! | `Begin` | before the first step | walks |
//! | `Begin`, measuring | before the first step | asks for answers to a seed's own question, so that the teacher can be measured |
//! | `Brought` | an ask for one reply | fields filled, or asked for again, or rejected; then walks |
//! | `Brought` | an ask for several | once all are there: walks; rejected where none is of use |
//! | `Brought` | answers that vote, and their evidence | [`ballot`](super::ballot): drawn, verified, judged, accepted or rejected by the round's rule |
//! | `Brought` | a judge | once all are there: passes or is rejected; with samples, their points |
//! | `Passed` | a gate | walks |
//! | `Untagged` | a tag with nothing to choose from | walks |
//! | any | decided | nothing |
//!
//! Walking takes the steps that need no reply, up to one that does, to a gate, or past the last, where the candidate is accepted. It decides
//! only when everything that was asked for is there, so that no decision depends on the order of arrival.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::ballot::Ballot;
use super::{Ask, Does, JobSays, JudgeStep, Keep, OwnRubric, Recipe, RejectsAs, Samples};
use crate::evidence::{Rule, tally};
use crate::filter::dedup_policy::Facts;
use crate::filter::{Reason, Rejection};
use crate::job::{Judge, JudgeWhen};
use crate::reply::{Fields, Holds, Value, judgement};
use crate::seed::Seed;
use crate::work::{Answer, Judgement};

/// Which call of a candidate it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Call {
    /// Number of the step in its recipe.
    pub step: usize,
    /// Pass of the loop that the step stands in, from 0.
    pub pass: u16,
    /// Which of the replies to the step, from 0.
    pub sample: u32,
}

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
    /// What conditions see of the job.
    pub job: JobSays,
    /// The seed that it starts from.
    pub seed: &'a Seed,
    /// It measures the teacher, and becomes no row.
    pub measures: bool,
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
    /// A candidate whose fields are filled as its seed's are: for what prompts are expected to cost.
    pub fn imagined(recipe: &Recipe, seed: &Seed) -> Self {
        let answer = Answer {
            reasoning: seed.reasoning.clone().unwrap_or_default(),
            answer: seed.answer.clone(),
            canonical: String::new(),
            correct: None,
            detail: String::new(),
        };
        let mut fields = Fields::from([("question".into(), Value::text(&seed.question))]);
        for step in recipe.steps() {
            let reply = match &step.does {
                Does::Ask(ask) => &ask.reply,
                Does::Judge(JudgeStep { own: Some(own), .. }) => &own.reply,
                _ => continue,
            };
            for member in &reply.members {
                let value = match &member.holds {
                    Holds::Text => Value::text(&seed.answer),
                    Holds::Question => Value::text(&seed.question),
                    Holds::Answer => Value::Answer(Some(answer.clone())),
                    Holds::Reasoning => continue,
                    Holds::YesNo => Value::YesNo(true),
                    Holds::Number { max, .. } => Value::Number(*max),
                    Holds::Texts { at_least } => {
                        Value::Texts(vec![seed.answer.clone(); (*at_least).max(3) as usize])
                    }
                    Holds::OneOf { names, .. } => Value::Choice(names.first().cloned()),
                };
                fields.insert(member.name.clone(), value);
            }
        }
        fields.insert("answer".into(), Value::Answer(Some(answer)));
        Self {
            fields,
            questioned: true,
            ..Self::default()
        }
    }

    /// The verdict, once it is decided: accepted, or why not.
    pub fn decided(&self) -> Option<Option<&Rejection>> {
        match &self.stands {
            Stands::Decided(rejection) => Some(rejection.as_ref()),
            Stands::New | Stands::Asking | Stands::AtGate => None,
        }
    }

    /// True while it waits at the gate of a step.
    pub fn waits_at(&self, gate: usize) -> bool {
        self.stands == Stands::AtGate && self.at == gate
    }

    /// True once it has come to the gate of a step, or can come there no more.
    pub fn reached(&self, gate: usize) -> bool {
        self.decided().is_some() || self.at > gate || self.waits_at(gate)
    }

    /// Decides it from outside: at a gate, or since a call for others failed.
    pub fn decide(&mut self, rejection: Option<Rejection>) {
        self.stands = Stands::Decided(rejection);
    }

    /// What its replies filled.
    pub fn fields(&self) -> &Fields {
        &self.fields
    }

    /// The text of a field; empty where it is not there.
    pub fn text(&self, field: &str) -> &str {
        match self.fields.get(field) {
            Some(Value::Text(text)) => text,
            Some(Value::Answer(Some(answer))) => &answer.answer,
            _ => "",
        }
    }

    /// The question of the row; empty while it is not there, and for rows without one.
    pub fn question(&self, recipe: &Recipe) -> &str {
        match &recipe.file().row.question {
            Some(_) if recipe.asks_question() && !self.questioned => "",
            Some(field) => self.text(field),
            None => "",
        }
    }

    /// The answer in a field.
    pub fn answer(&self, field: &str) -> Option<&Answer> {
        match self.fields.get(field) {
            Some(Value::Answer(answer)) => answer.as_ref(),
            _ => None,
        }
    }

    /// The answer that a call is about: the one that votes lead to, a sample, or the one that is there.
    pub fn judged_answer(&self, recipe: &Recipe, judge: Option<&Judge>, call: Call) -> Option<&Answer> {
        if self.ballot.is_open() {
            return self.ballot.chosen();
        }
        if self.samples.is_empty() {
            return latest_answer(&self.fields);
        }
        let each = judge_samples(recipe, judge, call.step);
        let sample = self.samples.get((call.sample / each) as usize)?;
        latest_answer(&sample.fields)
    }

    /// What was drawn where answers voted, or one was asked for.
    pub fn ballot(&self) -> &Ballot {
        &self.ballot
    }

    /// Judgements of the answer that was kept.
    pub fn judgements(&self) -> Vec<Judgement> {
        let voted = self.ballot.judgements().cloned();
        voted.chain(self.judgements.iter().cloned()).collect()
    }

    /// What the last reply of no use said.
    pub fn last_text(&self) -> &str {
        self.last
            .as_ref()
            .map_or("", |(_, unusable)| unusable.text.as_str())
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
                self.fields.insert("question".into(), question);
                if context.measures {
                    self.measure(context, effects);
                } else {
                    self.walk(context, effects);
                }
            }
            (Event::Passed, Stands::AtGate) => self.next(context, effects),
            (Event::Untagged, Stands::Asking) => self.next(context, effects),
            (Event::Brought { call, outcome }, Stands::Asking) => {
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
                self.replies.insert(call.sample, outcome.ok());
                self.all_replies(context, ask, effects);
            }
            Does::Ask(ask) => match outcome {
                Ok(fields) => self.filled(context, call.step, ask, fields, effects),
                // What is paid for before it is worth another call.
                Err(unusable)
                    if call.sample < ask.again
                        && !matches!(unusable.rejection.reason, Reason::Unfunded | Reason::CallFailed) =>
                {
                    self.call(call.step, call.sample + 1, effects);
                }
                Err(unusable) => self.end(Some(unusable.rejection), effects),
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

    /// Fields of a reply; what must hold of them does, or the candidate is rejected.
    fn filled(
        &mut self,
        context: &Context<'_>,
        step: usize,
        ask: &Ask,
        fields: Fields,
        effects: &mut Vec<Effect>,
    ) {
        self.fill(context, ask, fields);
        if ask.keeps_facts
            && let Some(member) = ask.reply.question()
            && let Some(rejection) = changed(&context.seed.question, self.text(&member.name))
        {
            return self.end(Some(rejection), effects);
        }
        let refused = ask
            .require
            .as_ref()
            .and_then(|demand| self.refused(context, demand));
        if context.recipe.evidence().0 == Some(step) {
            let reason = refused.as_ref().map(|rejection| rejection.detail.clone());
            self.ballot.verdict(refused.is_none(), reason.unwrap_or_default());
        }
        match refused {
            Some(rejection) => self.end(Some(rejection), effects),
            None => self.next(context, effects),
        }
    }

    /// Takes fields in. An answer that came along joins those that vote.
    pub(super) fn fill(&mut self, context: &Context<'_>, ask: &Ask, mut fields: Fields) {
        let votes = context.recipe.ballot().and_then(|step| context.recipe.ask(step));
        let member = votes
            .and_then(|ask| ask.reply.answer())
            .map(|member| member.name.as_str());
        if let Some(name) = member.filter(|_| ask.brings)
            && let Some(Value::Answer(answer)) = fields.remove(name)
        {
            self.ballot.bring(answer);
        }
        self.questioned |= ask.reply.question().is_some();
        self.fields.extend(fields);
    }

    pub(super) fn refused(&self, context: &Context<'_>, demand: &super::Demand) -> Option<Rejection> {
        if demand.condition.holds(&self.fields, context.job) {
            return None;
        }
        let detail = match &demand.because {
            Some(field) => self.fields.get(field).map(Value::shown).unwrap_or_default(),
            None => format!("`{}` does not hold", demand.condition),
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
            if let Some(rejection) = self.found_wrong(context.recipe) {
                return self.end(Some(rejection), effects);
            }
            let Some(step) = context.recipe.step(self.at) else {
                return self.end(None, effects);
            };
            // Conditions are looked at only where they decide.
            let skipped = context.votes && self.is_evidence(context);
            let done = skipped
                || step
                    .when
                    .as_ref()
                    .is_none_or(|when| when.holds(&self.fields, context.job));
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
                    let ended = self.pass >= *at_most || until.holds(&self.fields, context.job);
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
                Does::Ask(Ask { samples, .. }) => {
                    return match samples {
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

    fn all_replies(&mut self, context: &Context<'_>, ask: &Ask, effects: &mut Vec<Effect>) {
        let Samples::Several(number) = ask.samples else {
            return;
        };
        if (self.replies.len() as u32) < number {
            return;
        }
        let replies = std::mem::take(&mut self.replies);
        self.samples = replies
            .into_values()
            .flatten()
            .map(|fields| Sample {
                fields,
                ..Sample::default()
            })
            .collect();
        if self.samples.is_empty() {
            self.end_by_last(effects);
        } else {
            self.next(context, effects);
        }
    }

    /// Judgements that are to be asked for at the step that it is at.
    fn judgements_wanted(&self, context: &Context<'_>, judge: &JudgeStep) -> u32 {
        let each = judge_samples(context.recipe, context.judge, self.at);
        let number = self.samples.len().max(1) as u32;
        if judge.own.is_some() {
            return number;
        }
        let settled =
            |fields: &Fields| latest_answer(fields).is_some_and(|answer| answer.correct == Some(true));
        let all_settled = match self.samples.is_empty() {
            true => settled(&self.fields),
            // Which of several right ones is best is for a judge to say.
            false => false,
        };
        match context.judge {
            Some(of_job) if of_job.when == JudgeWhen::Always || !all_settled => each * number,
            Some(_) | None => 0,
        }
    }

    fn all_judgements(
        &mut self,
        context: &Context<'_>,
        step: usize,
        judge: &JudgeStep,
        effects: &mut Vec<Effect>,
    ) {
        let wanted = self.judgements_wanted(context, judge);
        if (self.replies.len() as u32) < wanted {
            return;
        }
        let each = judge_samples(context.recipe, context.judge, step);
        let replies = std::mem::take(&mut self.replies);
        let of = |sample: u32| {
            let range = replies.range(sample * each..(sample + 1) * each);
            range.filter_map(|(_, fields)| fields.as_ref())
        };
        if self.samples.is_empty() {
            let fields: Vec<&Fields> = of(0).collect();
            self.judgements = fields.iter().filter_map(|fields| judgement(fields)).collect();
            let verdict = match (&judge.own, points(&fields)) {
                (_, None) => return self.end_by_last(effects),
                (Some(own), Some(points)) => {
                    self.fields
                        .extend(fields.into_iter().cloned().next_back().unwrap_or_default());
                    self.passes(context, own, points)
                }
                (None, Some(points)) => passes(context, points, &self.judgements),
            };
            return match verdict {
                None => self.next(context, effects),
                rejection => self.end(rejection, effects),
            };
        }
        for (sample, place) in (0..).zip(&mut self.samples) {
            let fields: Vec<&Fields> = of(sample).collect();
            place.judgements = fields.iter().filter_map(|fields| judgement(fields)).collect();
            place.points = points(&fields);
            if judge.own.is_some() {
                place
                    .fields
                    .extend(fields.into_iter().cloned().next_back().unwrap_or_default());
            }
        }
        self.next(context, effects);
    }

    /// Why an answer does not pass a recipe's own rubric.
    fn passes(&self, context: &Context<'_>, own: &OwnRubric, points: f64) -> Option<Rejection> {
        let accept = own.accept.as_ref()?;
        if accept.holds(&self.fields, context.job) {
            return None;
        }
        let said = own
            .reply
            .members
            .iter()
            .find(|member| member.holds == Holds::Text);
        let said = said.map(|member| self.text(&member.name)).unwrap_or_default();
        Some(Rejection::new(
            Reason::JudgedLow,
            format!("a score of {points}, where `{accept}` is wanted: {said}"),
        ))
    }

    /// Keeps the best of several samples, or the best and the worst; why not, where that cannot be.
    fn choose(&mut self, context: &Context<'_>, keep: Keep, margin: f64) -> Option<Rejection> {
        let samples = std::mem::take(&mut self.samples);
        let canonicals = || samples.iter().filter_map(|sample| latest_answer(&sample.fields));
        let votes: BTreeMap<String, u8> = tally(canonicals().map(|answer| answer.canonical.as_str()))
            .into_iter()
            .map(|(canonical, votes)| (canonical.to_owned(), votes))
            .collect();
        let rank = |sample: &Sample| {
            let answer = latest_answer(&sample.fields);
            let wrong = answer.is_some_and(|answer| answer.correct == Some(false));
            let agree = answer
                .and_then(|answer| votes.get(&answer.canonical))
                .copied()
                .unwrap_or(0);
            (
                if wrong { 0.0 } else { sample.points.unwrap_or(0.0) },
                !wrong,
                agree,
            )
        };
        let better = |a: &Sample, b: &Sample| {
            let (a, b) = (rank(a), rank(b));
            a.1.cmp(&b.1).then(a.0.total_cmp(&b.0)).then(a.2.cmp(&b.2))
        };
        // Of equals the first.
        let best = samples.iter().rev().max_by(|a, b| better(a, b))?;
        if let Some(answer) = latest_answer(&best.fields).filter(|answer| answer.correct == Some(false)) {
            return Some(Rejection::new(Reason::Wrong, answer.detail.clone()));
        }
        self.judgements.clone_from(&best.judgements);
        let low = best
            .points
            .and_then(|points| passes(context, points, &best.judgements));
        if low.is_some() {
            return low;
        }
        if keep == Keep::BestAndWorst {
            let worst = samples.iter().min_by(|a, b| better(a, b))?;
            let lead = rank(best).0 - rank(worst).0;
            let told_apart = rank(best).1 != rank(worst).1;
            let pair = [best, worst].map(|sample| latest_answer(&sample.fields).cloned());
            let [Some(chosen), Some(rejected)] = pair else {
                return Some(Rejection::new(Reason::Recipe, "the samples hold no answers"));
            };
            if chosen.canonical == rejected.canonical || !told_apart && (lead <= 0.0 || lead < margin) {
                let detail = format!(
                    "the best answer leads the worst by {lead:.1} points, where {margin:.1} are wanted"
                );
                return Some(Rejection::new(Reason::Recipe, detail));
            }
            self.fields.insert("chosen".into(), Value::Answer(Some(chosen)));
            self.fields
                .insert("rejected".into(), Value::Answer(Some(rejected)));
            if best.points.is_some() {
                self.fields.insert("margin".into(), Value::Number(lead));
            }
        }
        self.fields.extend(best.fields.clone());
        None
    }
}

/// Judgements of one answer at a judge's step.
fn judge_samples(recipe: &Recipe, judge: Option<&Judge>, step: usize) -> u32 {
    let own = matches!(
        recipe.step(step).map(|step| &step.does),
        Some(Does::Judge(JudgeStep { own: Some(_), .. }))
    );
    match judge {
        Some(judge) if !own => judge.samples.max(1),
        Some(_) | None => 1,
    }
}

/// The points of judgements, averaged over those that could be read: of five by the built-in rubric, else their scores.
fn points(fields: &[&Fields]) -> Option<f64> {
    let each = fields.iter().filter_map(|fields| match fields.get("score") {
        Some(Value::Number(score)) => Some(*score),
        _ => judgement(fields).map(|judgement| f64::from(judgement.points())),
    });
    let each: Vec<f64> = each.collect();
    (!each.is_empty()).then(|| each.iter().sum::<f64>() / each.len() as f64)
}

/// Why an answer does not pass the built-in rubric.
fn passes(context: &Context<'_>, points: f64, judgements: &[Judgement]) -> Option<Rejection> {
    let accept_at = context.judge?.accept_at;
    if points >= accept_at {
        return None;
    }
    let reason = judgements
        .first()
        .map(|judgement| judgement.reason.as_str())
        .unwrap_or_default();
    Some(Rejection::new(
        Reason::JudgedLow,
        format!("{points:.1} of {accept_at:.1} points: {reason}"),
    ))
}

/// The answer among fields: the one under `answer`, or the only one.
fn latest_answer(fields: &Fields) -> Option<&Answer> {
    let answer = |value: &'_ Value| matches!(value, Value::Answer(Some(_)));
    let found = fields.get("answer").filter(|value| answer(value));
    match found.or_else(|| fields.values().find(|value| answer(value))) {
        Some(Value::Answer(found)) => found.as_ref(),
        _ => None,
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

/// Why a rephrasing asks something else than its seed, if it does: it has other numbers or names, or says the opposite.
fn changed(seed: &str, rephrasing: &str) -> Option<Rejection> {
    let difference = Facts::of(seed).contradict(&Facts::of(rephrasing))?;
    Some(Rejection::new(
        Reason::Changed,
        format!("seed against rephrasing: {difference}"),
    ))
}
