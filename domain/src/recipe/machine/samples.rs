//! Several replies to one step, and judges: what is graded, what passes, and which of several is kept.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use super::lengths::ratio;
use super::{Context, Effect, Sample, State};
use crate::evidence::tally;
use crate::filter::{Reason, Rejection};
use crate::job::{Judge, JudgeWhen};
use crate::recipe::{Ask, Does, JudgeStep, Keep, OwnRubric, Recipe, Samples};
use crate::reply::{Fields, Holds, Judgement, Value, judgement, latest_answer};

impl State {
    pub(super) fn all_replies(&mut self, context: &Context<'_>, ask: &Ask, effects: &mut Vec<Effect>) {
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
    pub(super) fn judgements_wanted(&self, context: &Context<'_>, judge: &JudgeStep) -> u32 {
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

    pub(super) fn all_judgements(
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
                    self.passes_own(context, own, points)
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
    pub(super) fn passes_own(
        &self,
        context: &Context<'_>,
        own: &OwnRubric,
        points: f64,
    ) -> Option<Rejection> {
        let accept = own.accept.as_ref()?;
        if accept.holds(&self.fields, context.sees) {
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
    pub(super) fn choose(&mut self, context: &Context<'_>, keep: Keep, margin: f64) -> Option<Rejection> {
        let samples = std::mem::take(&mut self.samples);
        let canonicals = || samples.iter().filter_map(|sample| latest_answer(&sample.fields));
        let votes: BTreeMap<String, u8> = tally(canonicals().map(|answer| answer.canonical.as_str()))
            .into_iter()
            .map(|(canonical, votes)| (canonical.to_owned(), votes))
            .collect();
        let ranked: Vec<(Rank, &Sample)> = samples
            .iter()
            .map(|sample| (Rank::of(sample, &votes), sample))
            .collect();
        // Of equals the first.
        let (rank, best) = ranked.iter().rev().max_by(|(a, _), (b, _)| a.compare(b))?;
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
            let most = context.recipe.file().row.max_length_ratio;
            if let Err(rejection) = self.keep_pair(&ranked, (*rank, best), margin, most) {
                return Some(rejection);
            }
        }
        self.fields.extend(best.fields.clone());
        None
    }

    /// Fills the fields of a pair: the best, and the worst of those whose length is like the best's. Why not, where they are not told apart.
    fn keep_pair(
        &mut self,
        ranked: &[(Rank, &Sample)],
        (rank, best): (Rank, &Sample),
        margin: f64,
        max_length_ratio: Option<f64>,
    ) -> Result<(), Rejection> {
        let refused = |detail: String| Err(Rejection::new(Reason::Recipe, detail));
        let no_answers = || Rejection::new(Reason::Recipe, "the samples hold no answers");
        let chosen = latest_answer(&best.fields).ok_or_else(no_answers)?;
        let like_the_best =
            |(_, sample): &&(Rank, &Sample)| match (max_length_ratio, latest_answer(&sample.fields)) {
                (Some(most), Some(answer)) => ratio(chosen, answer) <= most,
                _ => true,
            };
        let alike: Vec<&(Rank, &Sample)> = ranked.iter().filter(like_the_best).collect();
        if let (Some(most), true) = (max_length_ratio, alike.len() < 2) {
            return refused(format!(
                "no other answer is within {most} times the length of the best (`max_length_ratio`)"
            ));
        }
        let worst = alike.into_iter().min_by(|(a, _), (b, _)| a.compare(b));
        let (other, worst) = worst.ok_or_else(no_answers)?;
        let rejected = latest_answer(&worst.fields).ok_or_else(no_answers)?;
        let lead = rank.points - other.points;
        let told_apart = rank.not_wrong != other.not_wrong;
        if chosen.canonical == rejected.canonical || !told_apart && (lead <= 0.0 || lead < margin) {
            return refused(format!(
                "the best answer leads the worst by {lead:.1} points, where {margin:.1} are wanted"
            ));
        }
        self.set("chosen", Value::Answer(Some(chosen.clone())));
        self.set("rejected", Value::Answer(Some(rejected.clone())));
        if best.points.is_some() {
            self.set("margin", Value::Number(lead));
        }
        Ok(())
    }
}

/// What several samples are ranked by.
#[derive(Clone, Copy)]
struct Rank {
    not_wrong: bool,
    points: f64,
    /// Samples with the same answer.
    agree: u8,
}

impl Rank {
    fn of(sample: &Sample, votes: &BTreeMap<String, u8>) -> Self {
        let answer = latest_answer(&sample.fields);
        let wrong = answer.is_some_and(|answer| answer.correct == Some(false));
        let agree = answer.and_then(|answer| votes.get(&answer.canonical));
        Self {
            not_wrong: !wrong,
            points: if wrong { 0.0 } else { sample.points.unwrap_or(0.0) },
            agree: agree.copied().unwrap_or(0),
        }
    }

    fn compare(&self, other: &Self) -> Ordering {
        let by_verdict = self.not_wrong.cmp(&other.not_wrong);
        by_verdict
            .then(self.points.total_cmp(&other.points))
            .then(self.agree.cmp(&other.agree))
    }
}

/// Judgements of one answer at a judge's step.
pub(super) fn judge_samples(recipe: &Recipe, judge: Option<&Judge>, step: usize) -> u32 {
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
