//! How answers are weighed: by the plan's rule where nothing is there to compare them with, by the reference where one is.
//!
//! A decision is made only when everything that was asked for is there, so that none depends on the order of arrival.

use gristmill_domain::answer::meaning;
use gristmill_domain::evidence::{Action, CALIBRATION_ANSWERS, Rule, Situation, Weighed};
use gristmill_domain::filter::{Reason, Rejection};
use gristmill_domain::job::{JudgeWhen, Validator};
use gristmill_domain::strategy::Strategy;
use gristmill_domain::work::{Answer, Step};

use super::Round;
use super::candidate::{Candidate, Phase};

impl Round<'_> {
    /// The rule for a candidate: that of the concept that it is asked about, where the concept has one.
    fn rule(&self, candidate: &Candidate) -> &Rule {
        let own = candidate
            .asked_about()
            .and_then(|name| self.concept_rules.get(name));
        own.unwrap_or(&self.rule)
    }

    /// Takes the first step after the question is settled.
    pub(super) fn begin_answers(&mut self, index: u64) {
        let Some(candidate) = self.active.get_mut(&index) else {
            return;
        };
        let strategy = candidate.spec.strategy;
        let new = strategy == Strategy::NewQuestion;
        if let Some(own) = &candidate.own {
            candidate.answers.insert(0, own.clone());
            candidate.asked_answers = 1;
        }
        if candidate.spec.calibrates {
            return self.ask_answers(index, CALIBRATION_ANSWERS);
        }
        if self.recipe.votes(strategy) {
            // A seed's own question is known to have an answer, in whatever words.
            candidate.verified = (!new).then_some(true);
            self.follow_rule(index);
        } else if new && self.recipe.job.generate.verify {
            candidate.phase = Phase::Verifying;
            self.ready.insert((2, index, Step::Verify));
        } else {
            self.ask_answers(index, 1);
        }
    }

    /// Goes on after a question was verified. Where answers cannot be compared, nothing can outweigh the verdict.
    pub(super) fn after_verification(&mut self, index: u64, answer: Option<Answer>) {
        let max_samples = self
            .active
            .get(&index)
            .map(|candidate| self.rule(candidate).max_samples);
        let (Some(candidate), Some(max_samples)) = (self.active.get_mut(&index), max_samples) else {
            return;
        };
        if self.recipe.votes(candidate.spec.strategy) {
            // One that came with the verdict votes like another.
            let brings =
                self.recipe.verifies_with_answer(candidate.teacher) && candidate.verified == Some(true);
            if brings && candidate.asked_answers < max_samples {
                candidate.answers.insert(candidate.asked_answers, answer);
                candidate.asked_answers += 1;
            }
            self.follow_rule(index);
        } else if candidate.verified == Some(true) {
            self.ask_answers(index, 1);
        } else {
            let rejection = Rejection::new(Reason::Unanswerable, candidate.unanswerable.clone());
            self.decide(index, Some(rejection));
        }
    }

    fn ask_answers(&mut self, index: u64, count: u32) {
        let Some(candidate) = self.active.get_mut(&index) else {
            return;
        };
        candidate.phase = Phase::Answering;
        let first = candidate.asked_answers;
        candidate.asked_answers += count;
        for sample in first..first + count {
            self.ready.insert((2, index, Step::Answer(sample)));
        }
    }

    /// Decides on the answers once all that were asked for are there.
    pub(super) fn weigh_answers(&mut self, index: u64) {
        let Some(candidate) = self.active.get(&index) else {
            return;
        };
        if (candidate.answers.len() as u32) < candidate.asked_answers {
            return;
        }
        let strategy = candidate.spec.strategy;
        if candidate.spec.calibrates {
            self.compare_with_seed(index);
            return self.measure_judge(index);
        }
        if self.recipe.votes(strategy) {
            return self.follow_rule(index);
        }
        let usable = || candidate.answers.values().flatten();
        let good = usable().find(|answer| answer.correct != Some(false)).cloned();
        let wrong = usable().last().cloned();
        // The question is paid for: another answer is cheaper than another question.
        let retries = match strategy {
            Strategy::Rephrasing if self.recipe.has_reference(strategy) => self.rule(candidate).retries,
            Strategy::Rephrasing | Strategy::AnswerAugmentation | Strategy::NewQuestion => 0,
        };
        match (good, wrong) {
            (Some(answer), _) => {
                self.choose(index, answer, None);
                if strategy == Strategy::AnswerAugmentation {
                    self.enter_answer_gate(index);
                } else {
                    self.judge_or_accept(index);
                }
            }
            _ if candidate.asked_answers <= retries && !candidate.unfunded() => self.ask_answers(index, 1),
            (None, Some(answer)) => {
                let rejection = Rejection::new(Reason::Wrong, answer.detail.clone());
                self.choose(index, answer, None);
                self.decide(index, Some(rejection));
            }
            (None, None) => self.decide_by_last(index),
        }
    }

    /// Compares open answers to a seed's question, which no validator reads, with the seed's own.
    fn compare_with_seed(&mut self, index: u64) {
        let (Some(candidate), Validator::None) =
            (self.active.get_mut(&index), &self.recipe.job.filter.validator)
        else {
            return;
        };
        let Some(min_f1) = self.recipe.job.meaning_f1() else {
            return;
        };
        for answer in candidate.answers.values_mut().flatten() {
            let mut references = candidate.seed.references.iter();
            answer.correct =
                Some(references.any(|reference| meaning::same(reference, &answer.answer, min_f1)));
        }
        meaning::unite(candidate.answers.values_mut().flatten(), min_f1);
    }

    /// Has the judge look at an answer of a question that was asked to measure the teacher, where there is a judge: at a wrong one
    /// if there is any, since those are fewer.
    fn measure_judge(&mut self, index: u64) {
        let Some(candidate) = self.active.get(&index) else {
            return;
        };
        let answers = || candidate.answers.values().flatten();
        let wrong = answers().find(|answer| answer.correct == Some(false));
        let Some(answer) = wrong.or(answers().next()).cloned() else {
            return self.end_measurement(index);
        };
        let judges = self.recipe.judges_votes() && !candidate.unfunded();
        self.choose(index, answer, None);
        if judges {
            self.ask_judge(index);
        } else {
            self.end_measurement(index);
        }
    }

    /// Ends a question that was asked to measure the teacher and the judge: it is no row, but what was said counts.
    fn end_measurement(&mut self, index: u64) {
        let Some(candidate) = self.active.get(&index) else {
            return;
        };
        let answers = || candidate.answers.values().flatten();
        let right = answers().filter(|answer| answer.correct == Some(true)).count();
        let mut detail = format!("{right} of {} answers are right", answers().count());
        if let (Some((_, passed)), Some(answer)) = (&candidate.judged, &candidate.chosen) {
            let is = if answer.correct == Some(true) {
                "right"
            } else {
                "wrong"
            };
            let verdict = if *passed { "passes" } else { "fails" };
            detail = format!("{detail}; the judge {verdict} one that is {is}");
        }
        self.decide(index, Some(Rejection::new(Reason::Calibration, detail)));
    }

    /// Does what the plan's rule says about the evidence so far.
    fn follow_rule(&mut self, index: u64) {
        if let (Some(candidate), Some(min_f1)) = (self.active.get_mut(&index), self.recipe.job.meaning_f1()) {
            meaning::unite(candidate.answers.values_mut().flatten(), min_f1);
        }
        let Some(candidate) = self.active.get(&index) else {
            return;
        };
        if candidate.unfunded() {
            return self.decide_by_last(index);
        }
        let (at, leader) = candidate.situation();
        let leader = leader.cloned();
        let asked = candidate.asked_answers;
        let rule = self.rule(candidate);
        match (rule.decide(&at, asked), leader) {
            (Action::Draw, _) => {
                let most = rule.max_samples.saturating_sub(asked).max(1);
                let count = rule.sure_draws(&at).min(most);
                self.ask_answers(index, count);
            }
            (Action::Verify, _) => {
                if let Some(candidate) = self.active.get_mut(&index) {
                    candidate.phase = Phase::Verifying;
                }
                self.ready.insert((2, index, Step::Verify));
            }
            (Action::Judge, Some(answer)) => {
                let votes = at.votes.first().map(|votes| (u32::from(*votes), asked));
                self.choose(index, answer, votes);
                self.ask_judge(index);
            }
            (Action::Accept, Some(answer)) => {
                let votes = at.votes.first().map(|votes| (u32::from(*votes), asked));
                let augments = candidate.spec.strategy == Strategy::AnswerAugmentation;
                self.choose(index, answer, votes);
                if augments {
                    self.enter_answer_gate(index);
                } else {
                    self.assign_or_accept(index);
                }
            }
            (Action::Reject | Action::Judge | Action::Accept, _) => self.give_up(index, &at),
        }
    }

    /// Rejects a candidate whose evidence does not suffice.
    fn give_up(&mut self, index: u64, at: &Situation) {
        let Some(candidate) = self.active.get(&index) else {
            return;
        };
        let rule = self.rule(candidate);
        let sure = rule.case(at).map_or(0.0, |case| case.right);
        let sure = format!("{:.1} % sure, {:.1} % wanted", 100.0 * sure, 100.0 * rule.target);
        let given: Vec<&str> = candidate
            .answers
            .values()
            .flatten()
            .map(|answer| answer.canonical.as_str())
            .collect();
        let rejection = match at {
            Situation {
                verified: Some(false),
                ..
            } => Rejection::new(Reason::Unanswerable, candidate.unanswerable.clone()),
            Situation {
                judged: Some(false), ..
            } => {
                let reason = candidate.judgements_of_chosen().next();
                let reason = reason
                    .map(|judgement| judgement.reason.as_str())
                    .unwrap_or_default();
                Rejection::new(Reason::JudgedLow, format!("{sure}: {reason}"))
            }
            _ if given.is_empty() => return self.decide_by_last(index),
            _ => Rejection::new(Reason::Disagreement, format!("{} ({sure})", given.join(" / "))),
        };
        self.decide(index, Some(rejection));
    }

    pub(super) fn decide_by_last(&mut self, index: u64) {
        let last = self.active.get(&index).and_then(|c| c.last_rejection.clone());
        let last = last.map(|(_, rejection)| rejection);
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
        let Some(candidate) = self.active.get(&index) else {
            return;
        };
        // The rule has asked the judge, where that was worth it.
        if self.recipe.votes(candidate.spec.strategy) {
            return self.assign_or_accept(index);
        }
        let verified = candidate.chosen.as_ref().and_then(|answer| answer.correct) == Some(true);
        match &self.recipe.job.judge {
            Some(judge) if judge.when == JudgeWhen::Always || !verified => self.ask_judge(index),
            Some(_) | None => self.assign_or_accept(index),
        }
    }

    fn ask_judge(&mut self, index: u64) {
        let (Some(candidate), Some(judge)) = (self.active.get_mut(&index), &self.recipe.job.judge) else {
            return;
        };
        candidate.phase = Phase::Judging;
        candidate.judged_from = candidate.asked_judgements;
        candidate.asked_judgements += judge.samples;
        for sample in candidate.judged_from..candidate.asked_judgements {
            self.ready.insert((0, index, Step::Judge(sample)));
        }
    }

    /// Decides once all judgements that were asked for are there. Where answers vote, a judge that finds the answer wrong is
    /// evidence among other evidence; one that finds it right but poor decides by itself.
    pub(super) fn weigh_judgements(&mut self, index: u64) {
        let (Some(candidate), Some(judge)) = (self.active.get_mut(&index), &self.recipe.job.judge) else {
            return;
        };
        if (candidate.judgements.len() as u32) < candidate.asked_judgements {
            return;
        }
        let points = candidate.points();
        if candidate.spec.calibrates {
            let chosen = candidate.chosen.as_ref().map(|answer| answer.canonical.clone());
            candidate.judged = chosen.zip(points.map(|points| points >= judge.accept_at));
            return self.end_measurement(index);
        }
        let Some(points) = points else {
            return self.decide_by_last(index);
        };
        let passed = points >= judge.accept_at;
        let (right, all) = candidate
            .judgements_of_chosen()
            .fold((0, 0), |(right, all), judgement| {
                (right + u32::from(judgement.correct), all + 1)
            });
        let found_wrong = 2 * right <= all;
        if self.recipe.votes(candidate.spec.strategy) && (passed || found_wrong) {
            let canonical = candidate.chosen.as_ref().map(|answer| answer.canonical.clone());
            candidate.judged = canonical.map(|canonical| (canonical, passed));
            return self.follow_rule(index);
        }
        if passed {
            return self.assign_or_accept(index);
        }
        let reason = candidate.judgements_of_chosen().next().map(|j| j.reason.clone());
        let detail = format!(
            "{points:.1} of {:.1} points: {}",
            judge.accept_at,
            reason.unwrap_or_default()
        );
        self.decide(index, Some(Rejection::new(Reason::JudgedLow, detail)));
    }

    /// What was drawn for a candidate and what it is worth; `None` where nothing was.
    pub(super) fn weighed(&self, candidate: &Candidate) -> Option<Weighed> {
        let strategy = candidate.spec.strategy;
        let asked_anything = candidate.asked_answers > 0 || candidate.verified.is_some();
        if !asked_anything {
            return None;
        }
        let (mut at, _) = candidate.situation();
        if candidate.spec.calibrates {
            // About the answer that was judged, whether it leads or not.
            at.judged = candidate.judged.as_ref().map(|(_, passed)| *passed);
        }
        let known = self.recipe.has_reference(strategy) || candidate.spec.calibrates;
        let right = known.then(|| {
            let answers = candidate.answers.values().flatten();
            let right = answers.filter(|answer| answer.correct == Some(true)).count();
            u8::try_from(right).unwrap_or(u8::MAX)
        });
        let sure = self
            .recipe
            .votes(strategy)
            .then(|| self.rule(candidate).case(&at).map(|case| case.right));
        Some(Weighed {
            at,
            concept: candidate.asked_about().map(str::to_owned),
            asked: u8::try_from(candidate.asked_answers).unwrap_or(u8::MAX),
            own: candidate.own.as_ref().map(Option::is_some),
            right,
            sure: sure.flatten(),
        })
    }
}
