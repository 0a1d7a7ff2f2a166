//! Counts from finished rounds.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::row::Row;
use crate::strategy::Strategy;

/// Share of the new questions that come to be answered, before it is measured: others are duplicates, or unusable.
pub const TYPICAL_REACHED: f64 = 0.7;

/// Answers to one question whose right answer is known.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Known {
    /// Right answers.
    pub right: u8,
    /// Wrong answers by value, the commonest first.
    pub wrong: Vec<u8>,
}

impl Known {
    /// Answers of which so many are right, by the votes that each value has. Right values may have several forms.
    pub(super) fn of(right: u8, votes: &[u8]) -> Self {
        let mut wrong = votes.to_vec();
        wrong.sort_unstable();
        let mut left = right;
        // The commonest that fit; mostly one value has all that are right.
        while let Some(at) = wrong.iter().rposition(|votes| left > 0 && *votes <= left) {
            left -= wrong.remove(at);
        }
        Self { right, wrong }
    }
}

/// What was seen of one question whose right answer is not known.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Seen {
    /// Votes by answer, the most first.
    pub votes: Vec<u8>,
    /// Whether it was found answerable, where that was asked.
    pub verified: Option<bool>,
}

/// Verdicts of a check on cases whose truth is known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// Good cases that it passed.
    pub passed_good: u64,
    /// Good cases.
    pub good: u64,
    /// Bad cases that it failed.
    pub failed_bad: u64,
    /// Bad cases.
    pub bad: u64,
}

impl Check {
    /// Adds a verdict on a case whose truth is known.
    pub fn add(&mut self, good: bool, passed: bool) {
        if good {
            self.good += 1;
            self.passed_good += u64::from(passed);
        } else {
            self.bad += 1;
            self.failed_bad += u64::from(!passed);
        }
    }

    /// Chance that a good case passes: posterior mean under a beta prior of weight 20.
    pub fn sensitivity(&self, prior: f64) -> f64 {
        shrunk(self.passed_good, self.good, prior)
    }

    /// Chance that a bad case fails: posterior mean under a beta prior of weight 20.
    pub fn specificity(&self, prior: f64) -> f64 {
        shrunk(self.failed_bad, self.bad, prior)
    }
}

/// What was answered to questions, by how many of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answers {
    /// Questions with a reference, by what was answered; sorted.
    pub known: Vec<(Known, u64)>,
    /// Questions without one, by what was seen; sorted.
    pub seen: Vec<(Seen, u64)>,
}

impl Answers {
    /// Counts a question with a reference.
    pub fn know(&mut self, mut known: Known) {
        if known.right > 0 || !known.wrong.is_empty() {
            known.wrong.sort_unstable_by(|a, b| b.cmp(a));
            count(&mut self.known, known);
        }
    }

    /// Counts a question without a reference.
    pub fn see(&mut self, mut seen: Seen) {
        if !seen.votes.is_empty() || seen.verified.is_some() {
            seen.votes.sort_unstable_by(|a, b| b.cmp(a));
            count(&mut self.seen, seen);
        }
    }

    /// Questions with a reference.
    pub fn known_questions(&self) -> u64 {
        self.known.iter().map(|(_, questions)| questions).sum()
    }

    /// Questions without a reference that were answered more than once.
    pub fn voted_questions(&self) -> u64 {
        let voted = |seen: &Seen| seen.votes.iter().map(|v| u64::from(*v)).sum::<u64>() > 1;
        let voted = self.seen.iter().filter(|(seen, _)| voted(seen));
        voted.map(|(_, questions)| questions).sum()
    }

    /// Questions without a reference that were verified.
    pub fn verified_questions(&self) -> u64 {
        let verified = self.seen.iter().filter(|(seen, _)| seen.verified.is_some());
        verified.map(|(_, questions)| questions).sum()
    }
}

/// Counts from finished rounds, from which a teacher is estimated.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Measured {
    /// All answers.
    #[serde(flatten)]
    pub all: Answers,
    /// Those to questions that are about a concept, by its name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub concepts: BTreeMap<String, Answers>,
    /// Answers asked for that came back.
    pub answers: u64,
    /// Those of them that could be read and passed the rules.
    pub usable: u64,
    /// New questions asked for that came back.
    pub asked: u64,
    /// Those of them that were answered or verified: well formed, new and clean.
    pub reached: u64,
    /// Those of these whose reply brought a usable answer with the question.
    #[serde(default)]
    pub answered: u64,
    /// The judge's verdicts on answers that are known to be right or wrong.
    pub judge: Check,
}

/// A share, shrunk to a prior one by the weight of 20 cases.
pub(crate) fn shrunk(some: u64, all: u64, prior: f64) -> f64 {
    (some as f64 + 20.0 * prior) / (all as f64 + 20.0)
}

fn count<K: Ord>(list: &mut Vec<(K, u64)>, key: K) {
    match list.binary_search_by(|(other, _)| other.cmp(&key)) {
        Ok(at) => list[at].1 += 1,
        Err(at) => list.insert(at, (key, 1)),
    }
}

impl Measured {
    fn know(&mut self, known: Known, concept: Option<&str>) {
        if let Some(concept) = concept {
            self.about(concept).know(known.clone());
        }
        self.all.know(known);
    }

    fn see(&mut self, seen: Seen, concept: Option<&str>) {
        if let Some(concept) = concept {
            self.about(concept).see(seen.clone());
        }
        self.all.see(seen);
    }

    fn about(&mut self, concept: &str) -> &mut Answers {
        self.concepts.entry(concept.to_owned()).or_default()
    }

    /// Adds what a decided row showed. Rows of which nothing was seen, and rows of older versions, add nothing.
    pub fn note(&mut self, row: &Row) {
        if row.unseen() {
            return;
        }
        let new = row.strategy == Strategy::NewQuestion;
        self.asked += u64::from(new);
        let Some(weighed) = &row.checks.weighed else {
            return;
        };
        self.reached += u64::from(new);
        self.answered += u64::from(weighed.own == Some(true));
        self.answers += u64::from(weighed.asked);
        self.usable += u64::from(weighed.at.drawn());
        let concept = weighed.concept.as_deref();
        match weighed.right {
            Some(right) if row.calibrates() => {
                if let (Some(correct), Some(passed)) = (row.checks.correct, weighed.at.judged) {
                    self.judge.add(correct, passed);
                }
                self.know(Known::of(right, &weighed.at.votes), concept);
            }
            // Answers were drawn until one was right, so only the first says how often one is. What a rephrasing lost in
            // meaning counts as an error here: rather too careful than not.
            Some(right) => {
                let wrong = u32::from(right) < weighed.at.drawn();
                let known = Known {
                    right: u8::from(!wrong),
                    wrong: wrong.then_some(1).into_iter().collect(),
                };
                self.know(known, concept);
            }
            None if new => {
                let seen = Seen {
                    votes: weighed.at.votes.clone(),
                    verified: weighed.at.verified,
                };
                self.see(seen, concept);
            }
            None => {}
        }
    }

    /// Share of the answers that are usable, shrunk to 0.9 by the weight of 20 answers.
    pub fn usable_share(&self) -> f64 {
        shrunk(self.usable, self.answers, 0.9)
    }

    /// Share of the new questions that are answered or verified, shrunk to [`TYPICAL_REACHED`] by the weight of 20 questions.
    pub fn reached_share(&self) -> f64 {
        shrunk(self.reached, self.asked, TYPICAL_REACHED)
    }

    /// Share of the new questions that come with a usable answer, shrunk to 0.9 by the weight of 20 questions.
    pub fn answered_share(&self) -> f64 {
        shrunk(self.answered, self.reached, 0.9)
    }
}
