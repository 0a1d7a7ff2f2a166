//! What the tasks of a candidate bring, and which step follows.

use gristmill_domain::amount::Amount;
use gristmill_domain::filter::dedup_policy::Facts;
use gristmill_domain::filter::{Reason, Rejection};
use gristmill_domain::strategy::Strategy;
use gristmill_domain::work::{Address, Output, Report, Step};

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
            let unfunded = candidate.unfunded();
            let before = candidate.last_rejection.as_ref().map(|(step, _)| *step);
            if rejection.reason == Reason::Unfunded || !unfunded && before <= Some(step) {
                candidate.last_rejection = Some((step, rejection.clone()));
                candidate.last_text.clone_from(text);
            }
        }
        match (step, output) {
            (Step::Ask, Output::Answered { question, answer }) => {
                candidate.question = question;
                candidate.own = Some(answer);
                candidate.phase = Phase::Asked;
            }
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
            (
                Step::Verify | Step::VerifyAgain,
                Output::Verified {
                    answerable,
                    reason,
                    answer,
                },
            ) => {
                candidate.verified = Some(answerable);
                candidate.unanswerable = reason;
                self.after_verification(index, answer);
            }
            // A question that is paid for is worth another call.
            (Step::Verify, Output::Rejected { rejection, .. })
                if !matches!(rejection.reason, Reason::Unfunded | Reason::CallFailed) =>
            {
                self.ready.insert((2, index, Step::VerifyAgain));
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
            (
                Step::Ask | Step::Verify | Step::VerifyAgain | Step::Embed,
                Output::Rejected { rejection, .. },
            ) => {
                self.decide(index, Some(rejection));
            }
            (Step::Ask | Step::Verify | Step::VerifyAgain | Step::Embed, _) => {
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

    /// A new question that is good enough, where a model assigns those: asks which concept it is about. Anything else is accepted.
    pub(super) fn assign_or_accept(&mut self, index: u64) {
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
}

/// Why a rephrasing asks something else than its seed, if it does: it has other numbers or names, or says the opposite.
fn changed(seed: &str, rephrasing: &str) -> Option<Rejection> {
    let difference = Facts::of(seed).contradict(&Facts::of(rephrasing))?;
    Some(Rejection::new(
        Reason::Changed,
        format!("seed against rephrasing: {difference}"),
    ))
}
