//! What the tasks of a candidate bring, and which step follows.

use gristmill_domain::amount::Amount;
use gristmill_domain::answer::agreement::{self, Step as Agreement};
use gristmill_domain::filter::dedup_policy::Facts;
use gristmill_domain::filter::{Reason, Rejection};
use gristmill_domain::job::{JudgeWhen, Validator};
use gristmill_domain::strategy::Strategy;
use gristmill_domain::work::{Address, Answer, Output, Report, Step};

use super::candidate::{Phase, Said};
use super::{Round, call_failed};
use crate::Error;
use crate::engine::Brought;

impl Round<'_> {
    /// Takes what a candidate's task brought.
    pub(super) fn absorb_step(
        &mut self,
        address: Address,
        brought: Brought,
        cost: Amount,
    ) -> Result<(), Error> {
        let Address { index, step, .. } = address;
        let Some(candidate) = self.active.get_mut(&index) else {
            return Ok(());
        };
        candidate.costs.push((step.stage(), cost));
        candidate.outstanding = candidate.outstanding.saturating_sub(1);
        if candidate.decided() {
            return Ok(());
        }
        let output = match brought {
            Ok(Report {
                output,
                model_version,
            }) => {
                if !matches!(step, Step::Judge(_) | Step::Assign) {
                    candidate.teacher_version = model_version;
                }
                output
            }
            Err(reason) => Output::Rejected {
                rejection: call_failed(&reason),
                text: String::new(),
            },
        };
        if let Output::Rejected { rejection, text } = &output {
            candidate.last_rejection = Some(rejection.clone());
            candidate.last_text.clone_from(text);
        }
        match (step, output) {
            (Step::Ask, Output::Question(question)) => {
                let rephrases = candidate.spec.strategy == Strategy::Rephrasing;
                let changed = rephrases
                    .then(|| changed(&candidate.seed.question, &question))
                    .flatten();
                candidate.question = question;
                candidate.phase = Phase::Asked;
                if changed.is_some() {
                    self.decide(index, changed);
                }
            }
            (Step::Verify, Output::Verified { answerable: true, .. }) => {
                candidate.phase = Phase::Answering;
                self.ask_first_answers(index);
            }
            (
                Step::Verify,
                Output::Verified {
                    answerable: false,
                    reason,
                },
            ) => {
                self.decide(index, Some(Rejection::new(Reason::Unanswerable, reason)));
            }
            (Step::Answer(sample), Output::Answer(answer)) => {
                candidate.answers.insert(sample, Some(answer));
                self.weigh_answers(index);
            }
            (Step::Answer(sample), _) => {
                candidate.answers.insert(sample, None);
                self.weigh_answers(index);
            }
            (Step::Judge(sample), Output::Judged(judgement)) => {
                candidate.judgements.insert(sample, Some(judgement));
                self.weigh_judgements(index);
            }
            (Step::Judge(sample), _) => {
                candidate.judgements.insert(sample, None);
                self.weigh_judgements(index);
            }
            // A row that is good enough is kept, whatever is known of what it is about.
            (Step::Assign, output) => {
                if let Output::Assigned(concept) = output {
                    candidate.said = Some(Said(concept));
                }
                self.decide(index, None);
            }
            (Step::Ask | Step::Verify | Step::Embed, Output::Rejected { rejection, .. }) => {
                self.decide(index, Some(rejection));
            }
            (Step::Ask | Step::Verify | Step::Embed, _) => {
                self.decide(
                    index,
                    Some(Rejection::new(
                        Reason::Format,
                        "the task brought something else than was asked for",
                    )),
                );
            }
        }
        Ok(())
    }

    /// True when several answers decide: nothing to compare with, but a canonical form to compare by.
    fn votes(&self, strategy: Strategy) -> bool {
        !self.recipe.has_reference(strategy) && !matches!(self.recipe.job.filter.validator, Validator::None)
    }

    /// Asks for as many answers as the quickest decision needs.
    pub(super) fn ask_first_answers(&mut self, index: u64) {
        let Some(candidate) = self.active.get(&index) else {
            return;
        };
        let wanted = if self.votes(candidate.spec.strategy) {
            self.rule.lead()
        } else {
            1
        };
        self.ask_answers(index, wanted);
    }

    fn ask_answers(&mut self, index: u64, count: u32) {
        let Some(candidate) = self.active.get_mut(&index) else {
            return;
        };
        let first = candidate.asked_answers;
        candidate.asked_answers += count;
        for sample in first..first + count {
            self.ready.insert((2, index, Step::Answer(sample)));
        }
    }

    /// Decides on the answers once all that were asked for are there, so that no decision depends on their order of arrival.
    fn weigh_answers(&mut self, index: u64) {
        let Some(candidate) = self.active.get(&index) else {
            return;
        };
        if (candidate.answers.len() as u32) < candidate.asked_answers {
            return;
        }
        let strategy = candidate.spec.strategy;
        if self.votes(strategy) {
            return self.count_votes(index);
        }
        match candidate.answers.get(&0).cloned().flatten() {
            Some(answer) if answer.correct == Some(false) => {
                let rejection = Rejection::new(Reason::Wrong, answer.detail.clone());
                self.choose(index, answer, None);
                self.decide(index, Some(rejection));
            }
            Some(answer) => {
                self.choose(index, answer, None);
                if strategy == Strategy::AnswerAugmentation {
                    self.enter_answer_gate(index);
                } else {
                    self.judge_or_accept(index);
                }
            }
            None => self.decide_by_last(index),
        }
    }

    fn count_votes(&mut self, index: u64) {
        let Some(candidate) = self.active.get(&index) else {
            return;
        };
        let canonical: Vec<Option<&str>> = candidate
            .answers
            .values()
            .map(|answer| answer.as_ref().map(|a| a.canonical.as_str()))
            .collect();
        match agreement::step(&self.rule, &canonical) {
            Agreement::Agreed { canonical, votes, of } => {
                let winner = candidate
                    .answers
                    .values()
                    .flatten()
                    .find(|answer| answer.canonical == canonical)
                    .cloned();
                if let Some(answer) = winner {
                    self.choose(index, answer, Some((votes, of)));
                    self.judge_or_accept(index);
                }
            }
            Agreement::NeedMore => {
                let most = self.rule.max() - candidate.asked_answers;
                let missing = missing_votes(&canonical, self.rule.lead()).clamp(1, most.max(1));
                self.ask_answers(index, missing);
            }
            Agreement::Split if canonical.iter().all(Option::is_none) => self.decide_by_last(index),
            Agreement::Split => {
                let given = candidate
                    .answers
                    .values()
                    .flatten()
                    .map(|a| a.canonical.clone())
                    .collect::<Vec<_>>();
                self.decide(
                    index,
                    Some(Rejection::new(Reason::Disagreement, given.join(" / "))),
                );
            }
        }
    }

    fn decide_by_last(&mut self, index: u64) {
        let last = self.active.get(&index).and_then(|c| c.last_rejection.clone());
        self.decide(
            index,
            Some(last.unwrap_or_else(|| Rejection::new(Reason::Format, "no answer could be read"))),
        );
    }

    fn choose(&mut self, index: u64, answer: Answer, votes: Option<(u32, u32)>) {
        if let Some(candidate) = self.active.get_mut(&index) {
            candidate.chosen = Some(answer);
            candidate.votes = votes;
        }
    }

    /// The judge comes last, and only for what nothing cheaper has settled, unless the job wants every row judged.
    pub(super) fn judge_or_accept(&mut self, index: u64) {
        let Some(candidate) = self.active.get_mut(&index) else {
            return;
        };
        let verified =
            candidate.votes.is_some() || candidate.chosen.as_ref().and_then(|a| a.correct) == Some(true);
        match &self.recipe.job.judge {
            Some(judge) if judge.when == JudgeWhen::Always || !verified => {
                candidate.phase = Phase::Judging;
                for sample in 0..judge.samples {
                    self.ready.insert((0, index, Step::Judge(sample)));
                }
            }
            Some(_) | None => self.assign_or_accept(index),
        }
    }

    /// A new question that is good enough, where a model assigns those: asks which concept it is about. Anything else is accepted.
    fn assign_or_accept(&mut self, index: u64) {
        if let (Some(candidate), Some(coverage)) = (self.active.get_mut(&index), &self.coverage)
            && candidate.spec.strategy == Strategy::NewQuestion
        {
            candidate.choices = coverage.choices(
                candidate.vector.as_deref(),
                candidate.topic().map(|topic| topic.name.as_str()),
            );
            if !candidate.choices.is_empty() {
                candidate.phase = Phase::Assigning;
                self.ready.insert((0, index, Step::Assign));
                return;
            }
        }
        self.decide(index, None);
    }

    fn weigh_judgements(&mut self, index: u64) {
        let (Some(candidate), Some(judge)) = (self.active.get(&index), &self.recipe.job.judge) else {
            return;
        };
        if (candidate.judgements.len() as u32) < judge.samples {
            return;
        }
        match candidate.points() {
            Some(points) if points >= judge.accept_at => self.assign_or_accept(index),
            Some(points) => {
                let reason = candidate
                    .judgements
                    .values()
                    .flatten()
                    .next()
                    .map(|j| j.reason.clone())
                    .unwrap_or_default();
                let detail = format!("{points:.1} of {:.1} points: {reason}", judge.accept_at);
                self.decide(index, Some(Rejection::new(Reason::JudgedLow, detail)));
            }
            None => self.decide_by_last(index),
        }
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

/// Votes that the leading answer still needs, should it win all that follow.
fn missing_votes(canonical: &[Option<&str>], lead: u32) -> u32 {
    let mut votes = std::collections::BTreeMap::new();
    for answer in canonical.iter().flatten() {
        *votes.entry(answer).or_insert(0u32) += 1;
    }
    let mut counts: Vec<u32> = votes.into_values().collect();
    counts.sort_unstable_by(|a, b| b.cmp(a));
    let first = counts.first().copied().unwrap_or(0);
    let second = counts.get(1).copied().unwrap_or(0);
    lead.saturating_sub(first - second)
}
