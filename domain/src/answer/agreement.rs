//! Agreement of several sampled answers to one question (self-consistency, Wang et al. 2022, arXiv 2203.11171), drawn one
//! after another so that easy questions cost few calls.
//!
//! Sampling stops as soon as one answer leads the runner-up by `lead` votes. When answers are independent, the right one
//! has probability *p* and the commonest wrong one *q*, then by Bayes' rule, with even odds before, a lead of *d* votes
//! leaves odds of (p/q)^d that the leader is the right one of the two: [`posterior`]. A lead of 2 at p = .8, q = .1 means
//! 64 : 1, at p = .5, q = .3 only 2.8 : 1. It is the sequential test of "A over B"; answers that share an error (the same
//! model, a leading question) are not independent, and the true odds are then lower.

use std::collections::BTreeMap;

/// A rule was unusable.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum Error {
    /// No lead can be reached.
    #[error("agreement needs 1 <= lead <= max, but lead is {lead} and max is {max}")]
    Lead {
        /// Votes ahead.
        lead: u32,
        /// Samples at most.
        max: u32,
    },
    /// A share of half or less names no majority.
    #[error("agreement needs a share above 0.5 and at most 1, but it is {share}")]
    Share {
        /// Share of all samples.
        share: f64,
    },
}

/// When to stop drawing answers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rule {
    lead: u32,
    max: u32,
    share: f64,
}

impl Rule {
    /// Stop at a lead of `lead` votes; after `max` samples settle for a majority of at least `share` of them.
    pub fn new(lead: u32, max: u32, share: f64) -> Result<Self, Error> {
        if lead == 0 || lead > max {
            return Err(Error::Lead { lead, max });
        }
        if !(share > 0.5 && share <= 1.0) {
            return Err(Error::Share { share });
        }
        Ok(Self { lead, max, share })
    }

    /// Votes ahead at which sampling stops.
    pub fn lead(&self) -> u32 {
        self.lead
    }

    /// Samples at most.
    pub fn max(&self) -> u32 {
        self.max
    }
}

/// What the answers drawn so far mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Undecided: draw another.
    NeedMore,
    /// Enough agree.
    Agreed {
        /// The canonical answer that won.
        canonical: String,
        /// Its votes.
        votes: u32,
        /// Samples it took, unusable ones included.
        of: u32,
    },
    /// Nothing that is still allowed to be drawn can bring an agreement.
    Split,
}

/// Looks at the canonical answers in the order of their sample index; `None` is a sample without a usable answer: it
/// counts as drawn and votes for nothing.
///
/// Only the shortest deciding prefix matters: answers that were drawn at once and came in surplus change nothing, so the
/// step is the same whether samples were drawn one by one or together.
pub fn step<S: AsRef<str>>(rule: &Rule, answers: &[Option<S>]) -> Step {
    let mut votes: BTreeMap<&str, u32> = BTreeMap::new();
    for (drawn, answer) in (1..=rule.max).zip(answers) {
        if let Some(answer) = answer {
            *votes.entry(answer.as_ref()).or_default() += 1;
        }
        let decided = decide(rule, &votes, drawn);
        if decided != Step::NeedMore {
            return decided;
        }
    }
    Step::NeedMore
}

fn decide(rule: &Rule, votes: &BTreeMap<&str, u32>, drawn: u32) -> Step {
    let left = rule.max - drawn;
    let enough = |votes: u32| f64::from(votes) >= rule.share * f64::from(rule.max);
    let mut leader = ("", 0);
    let mut runner_up = 0;
    for (&answer, &count) in votes {
        if count > leader.1 {
            runner_up = leader.1;
            leader = (answer, count);
        } else {
            runner_up = runner_up.max(count);
        }
    }
    let (canonical, votes) = leader;
    // A majority of all samples that may still be drawn cannot be lost any more.
    if votes > 0 && (votes - runner_up >= rule.lead || enough(votes)) {
        return Step::Agreed {
            canonical: canonical.to_owned(),
            votes,
            of: drawn,
        };
    }
    // The leader's best case is every remaining vote; a new or trailing answer's is no better.
    if votes + left - runner_up.min(votes + left) < rule.lead && !enough(votes + left) {
        return Step::Split;
    }
    if left == 0 { Step::Split } else { Step::NeedMore }
}

/// Probability that the leader is right, and not the commonest wrong answer, at a lead of so many votes:
/// 1 / (1 + (q/p)^lead), for independent answers that are right with probability `right` and take the commonest wrong value
/// with probability `wrong`.
pub fn posterior(right: f64, wrong: f64, lead: u32) -> f64 {
    1.0 / (1.0 + (wrong / right).powf(f64::from(lead)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rule(lead: u32, max: u32, share: f64) -> Rule {
        Rule::new(lead, max, share).unwrap()
    }

    fn look(rule: &Rule, answers: &str) -> Step {
        let answers: Vec<Option<String>> = answers
            .chars()
            .map(|c| (c != '-').then(|| c.to_string()))
            .collect();
        step(rule, &answers)
    }

    fn agreed(canonical: &str, votes: u32, of: u32) -> Step {
        Step::Agreed {
            canonical: canonical.into(),
            votes,
            of,
        }
    }

    #[test]
    fn a_lead_stops_sampling() {
        let rule = rule(2, 7, 0.6);
        assert_eq!(look(&rule, ""), Step::NeedMore);
        assert_eq!(look(&rule, "a"), Step::NeedMore);
        assert_eq!(look(&rule, "aa"), agreed("a", 2, 2));
        assert_eq!(look(&rule, "aab"), agreed("a", 2, 2), "surplus changes nothing");
        assert_eq!(look(&rule, "abb"), Step::NeedMore);
        assert_eq!(look(&rule, "abbb"), agreed("b", 3, 4));
        assert_eq!(
            look(&rule, "a-a"),
            agreed("a", 2, 3),
            "unusable answers are drawn, too"
        );
        assert_eq!(look(&rule, "-------"), Step::Split);
    }

    #[test]
    fn the_last_sample_settles_by_majority_or_splits() {
        assert_eq!(look(&rule(3, 5, 0.6), "ababa"), agreed("a", 3, 5));
        assert_eq!(
            look(&rule(3, 5, 0.8), "abab"),
            Step::Split,
            "no draw can help: the fifth call is saved"
        );
        assert_eq!(look(&rule(2, 3, 1.0), "abc"), Step::Split);
    }

    #[test]
    fn unusable_rules_are_refused() {
        assert!(Rule::new(0, 3, 0.6).is_err());
        assert!(Rule::new(4, 3, 0.6).is_err());
        assert!(Rule::new(1, 3, 0.5).is_err());
        assert!(Rule::new(1, 3, f64::NAN).is_err());
    }

    #[test]
    fn odds_multiply_with_the_lead() {
        assert!((posterior(0.8, 0.1, 2) - 64.0 / 65.0).abs() < 1e-12);
        assert!((posterior(0.5, 0.5, 9) - 0.5).abs() < 1e-12);
        assert!((posterior(0.8, 0.0, 1) - 1.0).abs() < 1e-12);
    }

    /// What the plain rule says: a lead, or at the last sample a majority.
    fn plain(rule: &Rule, answers: &[Option<String>]) -> Option<String> {
        let mut votes: BTreeMap<&String, u32> = BTreeMap::new();
        for answer in answers.iter().take(rule.max as usize) {
            if let Some(answer) = answer {
                *votes.entry(answer).or_default() += 1;
            }
            let mut counts: Vec<_> = votes.iter().map(|(a, n)| (*n, *a)).collect();
            counts.sort();
            let leader = counts.pop();
            let second = counts.pop().map_or(0, |(n, _)| n);
            if let Some((n, answer)) = leader.filter(|(n, _)| n - second >= rule.lead) {
                return Some(answer.clone()).filter(|_| n > 0);
            }
        }
        let needed = rule.share * f64::from(rule.max);
        votes
            .into_iter()
            .find(|(_, n)| f64::from(*n) >= needed)
            .map(|(answer, _)| answer.clone())
    }

    proptest! {
        #[test]
        fn early_stops_agree_with_the_plain_rule(
            lead in 1_u32..4, more in 0_u32..6, share in 0.51_f64..1.0,
            answers in proptest::collection::vec(proptest::option::weighted(0.9, "[abc]"), 9),
        ) {
            let rule = rule(lead, lead + more, share);
            let answers = &answers[..rule.max as usize];
            let seen = match step(&rule, answers) {
                Step::Agreed { canonical, .. } => Some(canonical),
                Step::Split => None,
                Step::NeedMore => return Err(TestCaseError::fail("undecided after the last sample")),
            };
            prop_assert_eq!(seen, plain(&rule, answers));
            // Once decided, decided: longer prefixes say the same.
            let mut decided: Option<Step> = None;
            for length in 0..=answers.len() {
                let now = step(&rule, &answers[..length]);
                if let Some(before) = &decided {
                    prop_assert_eq!(before, &now);
                } else if now != Step::NeedMore {
                    decided = Some(now);
                }
            }
        }
    }
}
