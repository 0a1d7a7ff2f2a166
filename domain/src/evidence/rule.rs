//! Decision tables: what a round does in each situation, fixed in its plan.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::fit::Fit;
use super::likelihood::DRAWS_MAX;
use super::measured::{Answers, Measured};
use super::odds::Odds;
use super::situation::{Action, Situation};
use super::solve::{Game, Table};
use super::summary::Summary;
use super::terms::{Costs, JudgeUse, Terms, roots};
use super::walk::Walk;
use crate::stats::rounded;

/// One line of a decision table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Case {
    /// The situation.
    #[serde(flatten)]
    pub at: Situation,
    /// What to do.
    #[serde(rename = "do")]
    pub action: Action,
    /// Chance that the leading answer is right.
    pub right: f64,
}

/// What is expected of questions that come to be answered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Prospect {
    /// Share of the accepted rows that are right, with its central 90 % interval.
    pub accuracy: Summary,
    /// Share of the questions whose row is accepted.
    pub accepted: f64,
    /// Answers drawn for a question, unusable ones included.
    pub answers: f64,
    /// Verifications of a question.
    pub verifications: f64,
    /// Questions whose answer is judged.
    pub judgements: f64,
    /// Calls for one right row, failed questions included; 0 where no row is kept.
    pub calls_per_right_row: f64,
}

/// What is known about the teacher when the rule is made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Basis {
    /// Questions with a reference that were answered.
    pub with_reference: u64,
    /// Questions without one that were answered more than once.
    pub voted: u64,
    /// Share of the answers that are right.
    pub right: Summary,
    /// Correlation between two answers to one question of being right.
    pub repeat: Summary,
    /// Chance that two wrong answers to one question are the same.
    pub agreeing_errors: Summary,
    /// Share of the new questions that have no answer.
    pub unanswerable: Summary,
    /// The judge, where one takes part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub judge: Option<Checker>,
    /// The verifier, where new questions may be verified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verifier: Option<Checker>,
}

/// How far a check is to be believed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Checker {
    /// Its verdicts that this was learned from.
    #[serde(alias = "answers")]
    pub verdicts: u64,
    /// Share of the good cases that it passes.
    pub sensitivity: f64,
    /// Share of the bad cases that it fails.
    pub specificity: f64,
}

/// How a round decides on answers that have no reference, and how often it asks again where there is one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    /// The target that it was made for.
    pub target: f64,
    /// Votes by which an answer must lead, where the job fixes them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lead: Option<u32>,
    /// Whether accepted rows are expected to be right as often as the target says. Where no table within `max_samples` manages
    /// that, this is the most accurate one that is worth its price.
    pub meets_target: bool,
    /// Answers to one question, at most, unusable ones included.
    pub max_samples: u32,
    /// Further answers to a rephrased seed whose answer was wrong.
    pub retries: u32,
    /// What to do in each situation that can come up.
    pub cases: Vec<Case>,
    /// What is expected of it.
    pub expected: Prospect,
    /// From what that is known.
    pub basis: Basis,
}

/// Questions about a concept from which on it may have a rule of its own.
const ENOUGH_QUESTIONS: u64 = 30;
/// Further answers to one rephrasing at most.
const RETRIES_MAX: u32 = 4;

impl Rule {
    /// The cheapest rule for what was measured so far.
    pub fn new(measured: &Measured, terms: &Terms) -> Self {
        Self::of(&Fit::new(measured, terms), measured, terms)
    }

    /// Rules of their own for the concepts about which the teacher is clearly right more often or less often than about the others. Where
    /// questions differ that much, one rule would ask too often about the easy ones and not often enough about the hard ones.
    pub fn of_concepts(measured: &Measured, terms: &Terms) -> BTreeMap<String, Self> {
        let enough = |(_, answers): &(&String, &Answers)| {
            answers.known_questions() + answers.voted_questions() >= ENOUGH_QUESTIONS
        };
        let concepts: Vec<_> = measured.concepts.iter().filter(enough).collect();
        if terms.lead.is_some() || concepts.len() < 2 {
            return BTreeMap::new();
        }
        let whole = Fit::new(measured, terms);
        let mean = whole.right().mean;
        let own = concepts.into_iter().filter_map(|(name, answers)| {
            let fit = whole.about(answers);
            let right = fit.right();
            let differs = right.high < mean || right.low > mean;
            let alone = || Measured {
                all: answers.clone(),
                concepts: BTreeMap::new(),
                ..measured.clone()
            };
            differs.then(|| (name.clone(), Self::of(&fit, &alone(), terms)))
        });
        own.collect()
    }

    /// The rule for a teacher as they mostly are: what a forecast is made with before anything is measured. A rule that knows as
    /// little is more careful than the ones that will follow.
    pub fn typical(terms: &Terms) -> Self {
        Self::assuming(0.8, terms)
    }

    /// The rule for a teacher that is known to be right so often, and is otherwise as they mostly are.
    pub fn assuming(right: f64, terms: &Terms) -> Self {
        Self::of(&Fit::assuming(right, terms), &Measured::default(), terms)
    }

    fn of(fit: &Fit, measured: &Measured, terms: &Terms) -> Self {
        let terms = Terms {
            max_samples: terms.max_samples.clamp(1, DRAWS_MAX as u32),
            ..*terms
        };
        let table = match terms.lead {
            Some(lead) => fixed(&terms, lead),
            None => Game::new(&fit.central(), &terms).solve(fit),
        };
        let cases = table.into_iter().map(|(at, action)| Case {
            right: rounded(Odds::of(fit, &at).right()),
            at,
            action,
        });
        let mut rule = Self {
            target: terms.target,
            lead: terms.lead,
            meets_target: false,
            max_samples: terms.max_samples,
            retries: retries(fit, &terms.costs),
            cases: cases.collect(),
            expected: Prospect::default(),
            basis: basis(fit, measured, (terms.judge.is_some(), terms.verify)),
        };
        rule.expected = rule.prospect(fit);
        rule.meets_target = rule.expected.accuracy.mean >= rule.target;
        rule
    }

    /// The case of a situation.
    pub fn case(&self, situation: &Situation) -> Option<&Case> {
        self.cases.iter().find(|case| case.at == *situation)
    }

    /// What to do in a situation after so many answers were asked for, unusable ones included: when no more may be drawn, the
    /// leader is kept only where it is by itself as sure as the target.
    pub fn decide(&self, situation: &Situation, asked: u32) -> Action {
        match self.case(situation) {
            Some(case) if case.action == Action::Draw && asked >= self.max_samples => {
                if case.right >= self.target {
                    Action::Accept
                } else {
                    Action::Reject
                }
            }
            Some(case) => case.action,
            None => Action::Reject,
        }
    }

    /// Answers that will be needed whatever they say, so that they can be drawn at once; at least one.
    pub fn sure_draws(&self, situation: &Situation) -> u32 {
        let draws = |at: &Situation| self.case(at).is_some_and(|case| case.action == Action::Draw);
        let mut frontier = vec![situation.clone()];
        let mut sure = 0;
        while !frontier.is_empty() && frontier.iter().all(draws) && sure < self.max_samples {
            sure += 1;
            let grown = frontier.iter().flat_map(grow);
            let mut next: Vec<Situation> = grown.collect();
            next.sort();
            next.dedup();
            frontier = next;
        }
        sure.max(1)
    }

    /// What is expected of questions under a fit, with the interval that the fit's uncertainty leaves.
    fn prospect(&self, fit: &Fit) -> Prospect {
        let all = self.walk(fit);
        let calls = 1.0 / fit.reached + all.answers / fit.usable + all.verifications + all.judgements;
        Prospect {
            accuracy: fit.figure(all.accuracy(), |one| self.walk(one).accuracy()),
            accepted: rounded(all.right + all.wrong),
            answers: rounded(all.answers / fit.usable),
            verifications: rounded(all.verifications),
            judgements: rounded(all.judgements),
            calls_per_right_row: if all.right > 0.0 {
                rounded(calls / all.right)
            } else {
                0.0
            },
        }
    }

    fn walk(&self, fit: &Fit) -> Walk {
        Walk::of(fit, self.max_samples, |at| self.case(at).map(|case| case.action))
    }
}

/// The table of a fixed lead: every check has a veto, and answers are drawn until one leads by so many votes.
fn fixed(terms: &Terms, lead: u32) -> Table {
    let act = |at: &Situation| {
        let first = at.votes.first().copied().map_or(0, u32::from);
        let second = at.votes.get(1).copied().map_or(0, u32::from);
        let left = terms.max_samples.saturating_sub(at.drawn());
        match (at.verified, at.judged) {
            (None, _) if terms.verify => Action::Verify,
            (Some(false), _) | (_, Some(false)) => Action::Reject,
            (_, None) if first - second >= lead && terms.judge == Some(JudgeUse::Always) => Action::Judge,
            _ if first - second >= lead => Action::Accept,
            // Even if the leader got every vote that is left.
            _ if first + left - second < lead => Action::Reject,
            _ => Action::Draw,
        }
    };
    let mut table = Table::new();
    let mut open = roots(terms);
    let mut met = BTreeSet::new();
    while let Some(at) = open.pop() {
        if !met.insert(at.clone()) {
            continue;
        }
        let action = act(&at);
        match action {
            Action::Draw => open.extend(grow(&at)),
            Action::Verify => {
                let [passed, failed] = [true, false].map(|passed| at.verdict(Action::Verify, passed));
                if terms.verified_with_answer {
                    open.extend(grow(&passed));
                }
                open.extend([passed, failed]);
            }
            Action::Judge => open.extend([true, false].map(|passed| at.verdict(Action::Judge, passed))),
            Action::Accept | Action::Reject => {}
        }
        table.push((at, action));
    }
    table.sort_by(|a, b| (a.0.drawn(), &a.0).cmp(&(b.0.drawn(), &b.0)));
    table
}

/// Everything that one more usable answer can lead to.
fn grow(at: &Situation) -> Vec<Situation> {
    (0..=at.votes.len()).map(|class| at.joined(class)).collect()
}

/// What is known of a teacher, and of a judge and a verifier, where there are such.
pub(super) fn basis(fit: &Fit, measured: &Measured, (judge, verifier): (bool, bool)) -> Basis {
    let judged = measured.judge.good + measured.judge.bad;
    Basis {
        with_reference: measured.all.known_questions(),
        voted: measured.all.voted_questions(),
        right: fit.right(),
        repeat: fit.repeat(),
        agreeing_errors: fit.agreeing_errors(),
        unanswerable: fit.unanswerable(),
        judge: judge.then(|| checker(judged, fit.judge)),
        verifier: verifier.then(|| checker(measured.all.verified_questions(), fit.verify)),
    }
}

fn checker(verdicts: u64, (sensitivity, specificity): (f64, f64)) -> Checker {
    Checker {
        verdicts,
        sensitivity: rounded(sensitivity),
        specificity: rounded(specificity),
    }
}

/// Further answers to a rephrasing that are cheaper for the right row they may bring than another rephrasing: errors that repeat
/// make each less likely to help than the one before.
fn retries(fit: &Fit, costs: &Costs) -> u32 {
    let answer = costs.answer / fit.usable;
    let fresh = (costs.ask / fit.reached + answer) / fit.right_after(0);
    let worth = |wrong: &u32| answer / fit.right_after(*wrong as usize) < fresh;
    (1..=RETRIES_MAX).take_while(worth).count() as u32
}
