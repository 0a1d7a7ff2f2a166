//! What the counts say about the teacher: a discrete posterior over the model's parameters.

use std::cell::RefCell;
use std::collections::HashMap;

use super::likelihood::{DRAWS_MAX, Errors, Moments, Views, moments, pattern, seen_log, views};
use super::measured::{Answers, Measured};
use super::summary::Summary;
use super::terms::Terms;
use crate::stats::rounded;

/// Values over which the other wrong answers scatter, where answers are not chosen from a list: many for numbers, few for queries, which are
/// wrong in one of a few ways.
const SCATTER: [(u32, f64); 3] = [(1, 0.5), (3, 1.0), (WIDE_SCATTER, 2.0)];
/// Many of them.
const WIDE_SCATTER: u32 = 50;
/// Points that stand for the posterior in intervals.
const SAMPLES: usize = 48;
/// Chances that the verifier passes a question that has an answer. Nobody knows which questions have none, but the answers to those do not
/// agree. So this and [`SPECIFICITY`] are learned from the verdicts on questions whose answers agree and on questions whose answers scatter
/// (Dawid & Skene 1979, "Maximum likelihood estimation of observer error-rates using the EM algorithm").
const SENSITIVITY: [(f64, f64); 3] = [(0.92, 1.0), (0.96, 1.5), (0.985, 1.5)];
/// Chances that it fails one that has none.
const SPECIFICITY: [(f64, f64); 3] = [(0.6, 1.0), (0.8, 3.0), (0.9, 1.0)];
/// The same of the judge.
const JUDGE_PRIOR: (f64, f64) = (0.85, 0.75);
/// How far concepts differ in the odds of a right answer: the standard deviation of their logarithms. At 1, a teacher that is right 80 % of the
/// time is so between 60 and 92 % of it on two of three concepts.
const CONCEPTS_DIFFER: f64 = 1.0;
/// Share of the posterior that is left out with its least likely points.
const NEGLIGIBLE: f64 = 1e-3;

/// Chances of a right answer, with their prior weights: teachers are worth their price, or nobody would use them.
pub(super) const RIGHT: [(f64, f64); 17] = [
    (0.2, 0.05),
    (0.3, 0.1),
    (0.4, 0.15),
    (0.5, 0.3),
    (0.55, 0.4),
    (0.6, 0.6),
    (0.64, 0.9),
    (0.68, 1.2),
    (0.72, 1.6),
    (0.76, 2.0),
    (0.8, 2.2),
    (0.84, 2.2),
    (0.88, 2.2),
    (0.92, 2.0),
    (0.95, 1.5),
    (0.975, 1.0),
    (0.99, 0.5),
];
/// Correlations between two answers to one question of being right.
pub(super) const REPEAT: [(f64, f64); 7] = [
    (0.0, 4.0),
    (0.03, 3.0),
    (0.07, 2.0),
    (0.12, 1.2),
    (0.2, 0.8),
    (0.3, 0.6),
    (0.45, 0.3),
];
/// Shares of the wrong answers that are the one mistake a question invites.
const SHARED: [(f64, f64); 5] = [(0.1, 1.0), (0.3, 1.0), (0.5, 1.0), (0.7, 1.0), (0.9, 0.5)];
/// Shares of new questions that have no answer.
pub(super) const UNANSWERABLE: [(f64, f64); 5] =
    [(0.01, 0.7), (0.03, 1.5), (0.06, 2.0), (0.12, 1.0), (0.25, 0.3)];

/// One setting of the parameters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Point {
    /// Mean chance of a right answer.
    pub(super) right: f64,
    /// Intra-class correlation.
    pub(super) repeat: f64,
    /// Share of the wrong answers that is the question's own mistake.
    pub(super) shared: f64,
    /// Values over which the others scatter.
    pub(super) scatter: u32,
    /// Share of new questions without an answer.
    pub(super) unanswerable: f64,
    /// Chance that the verifier passes a question that has an answer.
    pub(super) passes: f64,
    /// Chance that it fails one that has none.
    pub(super) fails: f64,
}

impl Point {
    fn errors(&self) -> Errors {
        Errors {
            shared: self.shared,
            scatter: self.scatter,
        }
    }
}

/// What the counts say about the teacher.
#[derive(Debug, Clone)]
pub struct Fit {
    pub(super) points: Vec<(Point, f64)>,
    /// The points together, by how wrong answers fall together.
    merged: Vec<Merged>,
    /// What was worked out before: the same votes come up with every verdict.
    masses: RefCell<HashMap<Vec<u8>, Mass>>,
    /// Chance that an answerable question is found answerable, and that another is not.
    pub(super) verify: (f64, f64),
    /// Chance that the judge passes a right answer, and fails a wrong one.
    pub(super) judge: (f64, f64),
    /// Share of the answers that can be used.
    pub(super) usable: f64,
    /// Share of the new questions that come to be answered.
    pub(super) reached: f64,
    /// Share of those that come with a usable answer.
    pub(super) answered: f64,
    /// Share of the verifications that bring a usable answer, of those that find the question answerable.
    pub(super) verified_with_answer: f64,
}

/// Every pair of chances that a verifier may have, with its prior weight; their means alone, where no verdict tells them apart.
fn verifiers(verdicts: u64) -> Vec<((f64, f64), f64)> {
    let mean = |of: &[(f64, f64)]| {
        let weights: f64 = of.iter().map(|(_, weight)| weight).sum();
        of.iter().map(|(chance, weight)| chance * weight).sum::<f64>() / weights
    };
    if verdicts == 0 {
        return vec![((mean(&SENSITIVITY), mean(&SPECIFICITY)), 1.0)];
    }
    let each = |(passes, of_passes)| {
        let pair = move |(fails, of_fails): (f64, f64)| ((passes, fails), of_passes * of_fails);
        SPECIFICITY.into_iter().map(pair)
    };
    SENSITIVITY.into_iter().flat_map(each).collect()
}

/// Values over which the other wrong answers scatter where answers are chosen from a list: one of the wrong ones is the mistake that the
/// question invites.
fn listed_scatter(wrong_answers: Option<u32>) -> Option<u32> {
    wrong_answers.map(|wrong| wrong.saturating_sub(1))
}

/// The mean of a parameter over weighted points; the weights sum to one.
fn mean(points: &[(Point, f64)], of: fn(&Point) -> f64) -> f64 {
    points.iter().map(|(point, weight)| of(point) * weight).sum()
}

/// Joint likelihoods of a vote, by what the truth is.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Mass {
    /// The first class is right.
    pub(super) leader: f64,
    /// Another class is right, or no answer given so far.
    pub(super) other: f64,
    /// The question has no answer.
    pub(super) unanswerable: f64,
}

impl Fit {
    /// The shares that are counted, before any point is weighed.
    fn of_counts(measured: &Measured) -> Self {
        Self {
            points: Vec::new(),
            merged: Vec::new(),
            masses: RefCell::default(),
            verify: (1.0, 0.0),
            judge: (
                measured.judge.sensitivity(JUDGE_PRIOR.0),
                measured.judge.specificity(JUDGE_PRIOR.1),
            ),
            usable: measured.usable_share(),
            reached: measured.reached_share(),
            answered: 0.0,
            verified_with_answer: 0.0,
        }
    }

    /// The same for a job that asks for answers beside questions or verdicts.
    fn asked_by(self, measured: &Measured, terms: &Terms) -> Self {
        let share = |asked: bool, share: f64| if asked { share } else { 0.0 };
        Self {
            answered: share(terms.answered, measured.answered_share()),
            verified_with_answer: share(terms.verified_with_answer, measured.usable_share()),
            ..self
        }
    }

    /// The posterior after what was counted, for a job.
    pub fn new(measured: &Measured, terms: &Terms) -> Self {
        Self::posterior(measured, terms.wrong_answers).asked_by(measured, terms)
    }

    /// The posterior after what was counted, whatever is asked for with it; `wrong_answers` is how many there can be, where answers are chosen
    /// from a list.
    pub(super) fn posterior(measured: &Measured, wrong_answers: Option<u32>) -> Self {
        let verifiers = verifiers(measured.all.verified_questions());
        let scatter = listed_scatter(wrong_answers).map_or(SCATTER.to_vec(), |values| vec![(values, 1.0)]);
        let mut logs: Vec<(Point, f64)> = Vec::new();
        let falls = SHARED.into_iter().flat_map(|(shared, weight)| {
            let each = scatter.iter();
            each.map(move |(scatter, of_scatter)| (shared, *scatter, weight * of_scatter))
        });
        for (shared, scatter, of_shared) in falls {
            let views = Views::new(&measured.all, Errors { shared, scatter });
            for (right, of_right) in RIGHT {
                for (repeat, of_repeat) in REPEAT {
                    let moments = moments(right, repeat);
                    let known = views.known_log(&moments);
                    let seen = views.seen(&moments);
                    for (unanswerable, of_unanswerable) in UNANSWERABLE {
                        for ((passes, fails), of_verifier) in &verifiers {
                            let prior: f64 = of_right * of_repeat * of_shared * of_unanswerable * of_verifier;
                            let point = Point {
                                right,
                                repeat,
                                shared,
                                scatter,
                                unanswerable,
                                passes: *passes,
                                fails: *fails,
                            };
                            let seen = seen_log(&seen, unanswerable, (*passes, *fails));
                            logs.push((point, prior.ln() + known + seen));
                        }
                    }
                }
            }
        }
        let points = likely(&logs);
        Self {
            merged: merge(&points),
            verify: (
                mean(&points, |point| point.passes),
                mean(&points, |point| point.fails),
            ),
            points,
            ..Self::of_counts(measured)
        }
    }

    /// What the answers about one concept say besides: how often the teacher is right there. In everything else it is as elsewhere.
    pub(super) fn about(&self, answers: &Answers) -> Self {
        let odds = |share: f64| (share / (1.0 - share)).ln();
        let elsewhere = odds(self.right().mean.clamp(0.01, 0.99));
        let mut logs: Vec<(Point, f64)> = Vec::new();
        for one in self.samples() {
            let Some((point, _)) = one.points.first() else {
                continue;
            };
            let views = Views::new(answers, point.errors());
            for (right, of_right) in RIGHT {
                let point = Point { right, ..*point };
                let moments = moments(right, point.repeat);
                let seen = views.seen(&moments);
                let seen = seen_log(&seen, point.unanswerable, (point.passes, point.fails));
                let away = (odds(right) - elsewhere) / CONCEPTS_DIFFER;
                let prior = of_right.ln() - 0.5 * away.powi(2);
                logs.push((point, prior + views.known_log(&moments) + seen));
            }
        }
        let points = likely(&logs);
        Self {
            merged: merge(&points),
            points,
            masses: RefCell::default(),
            ..*self
        }
    }

    /// A teacher that is right so often, whose errors repeat a little.
    pub(super) fn assuming(right: f64, terms: &Terms) -> Self {
        let point = Point {
            right,
            repeat: 0.03,
            shared: 0.5,
            scatter: listed_scatter(terms.wrong_answers).unwrap_or(WIDE_SCATTER),
            unanswerable: 0.05,
            passes: 0.96,
            fails: 0.8,
        };
        let unmeasured = Measured::default();
        Self::of_counts(&unmeasured)
            .asked_by(&unmeasured, terms)
            .at(point)
    }

    /// Points that stand for the posterior, each for the same share of it: at evenly spaced places of the summed weights.
    pub(super) fn samples(&self) -> impl Iterator<Item = Self> + '_ {
        let mut points = self.points.iter();
        let (mut sum, mut current) = (0.0, None);
        (0..SAMPLES).filter_map(move |i| {
            let place = (i as f64 + 0.5) / SAMPLES as f64;
            while sum < place {
                let Some((point, weight)) = points.next() else {
                    break;
                };
                (sum, current) = (sum + weight, Some(*point));
            }
            current.map(|point| self.at(point))
        })
    }

    /// A figure whose mean over the posterior is known, with the interval of what it comes to under the points that stand for it.
    pub(super) fn figure(&self, mean: f64, of: impl Fn(&Self) -> f64) -> Summary {
        let each: Vec<f64> = self.samples().map(|one| of(&one)).collect();
        let weight = 1.0 / each.len().max(1) as f64;
        Summary {
            mean: rounded(mean),
            ..Summary::of(each.into_iter().map(|value| (value, weight)).collect())
        }
    }

    /// The same with the mean of each parameter, taken for certain.
    pub(super) fn central(&self) -> Self {
        let mean = |of| mean(&self.points, of);
        let scattered = self.points.iter().any(|(point, _)| point.scatter > 0);
        // The mean chance that two of them are the same.
        let values = 1.0 / mean(|point| 1.0 / f64::from(point.scatter.max(1)));
        self.at(Point {
            right: mean(|point| point.right),
            repeat: mean(|point| point.repeat),
            shared: mean(|point| point.shared),
            scatter: if scattered { values.round() as u32 } else { 0 },
            unanswerable: mean(|point| point.unanswerable),
            passes: mean(|point| point.passes),
            fails: mean(|point| point.fails),
        })
    }

    /// The same with the parameters of one point alone.
    fn at(&self, point: Point) -> Self {
        let points = vec![(point, 1.0)];
        Self {
            merged: merge(&points),
            points,
            masses: RefCell::default(),
            verify: (point.passes, point.fails),
            ..*self
        }
    }

    /// How likely the votes are, by what the truth is; the first class is the leader.
    pub(super) fn mass(&self, votes: &[u8]) -> Mass {
        if let Some(mass) = self.masses.borrow().get(votes) {
            return *mass;
        }
        let mass = self.weigh(votes);
        self.masses.borrow_mut().insert(votes.to_vec(), mass);
        mass
    }

    fn weigh(&self, votes: &[u8]) -> Mass {
        let mut mass = Mass::default();
        for merged in &self.merged {
            for (i, view) in views(votes, merged.errors).into_iter().enumerate() {
                let likelihood = merged.moments[view.right][view.wrong] * view.pattern;
                if i == 0 && !votes.is_empty() {
                    mass.leader += likelihood;
                } else {
                    mass.other += likelihood;
                }
            }
            mass.unanswerable += merged.unanswerable * pattern(votes.iter(), merged.errors);
        }
        mass
    }

    /// Chance that the next answer to an answerable question is right after so many wrong ones and no right one.
    pub(super) fn right_after(&self, wrong: usize) -> f64 {
        let sum = |right: usize| -> f64 { self.merged.iter().map(|m| m.moments[right][wrong]).sum() };
        sum(1) / sum(0)
    }

    fn summary(&self, of: fn(&Point) -> f64) -> Summary {
        Summary::of(
            self.points
                .iter()
                .map(|(point, weight)| (of(point), *weight))
                .collect(),
        )
    }

    /// Share of the answers that are right.
    pub fn right(&self) -> Summary {
        self.summary(|point| point.right)
    }

    /// Correlation between two answers to one question of being right.
    pub fn repeat(&self) -> Summary {
        self.summary(|point| point.repeat)
    }

    /// Chance that two wrong answers to one question are the same.
    pub fn agreeing_errors(&self) -> Summary {
        let same = |point: &Point| match point.scatter {
            0 => 1.0,
            values => point.shared.powi(2) + (1.0 - point.shared).powi(2) / f64::from(values),
        };
        Summary::of(
            self.points
                .iter()
                .map(|(point, weight)| (same(point), *weight))
                .collect(),
        )
    }

    /// Share of the new questions that have no answer.
    pub fn unanswerable(&self) -> Summary {
        self.summary(|point| point.unanswerable)
    }
}

/// Points under which wrong answers fall together alike.
#[derive(Debug, Clone)]
struct Merged {
    errors: Errors,
    /// Weighted by the posterior and the share of questions that have an answer.
    moments: Moments,
    /// Posterior weight times the share of questions that have none.
    unanswerable: f64,
}

/// The likeliest points, without the [`NEGLIGIBLE`] rest, from the logarithms of their likelihoods; their weights sum to one.
fn likely(logs: &[(Point, f64)]) -> Vec<(Point, f64)> {
    let best = logs.iter().map(|(_, log)| *log).fold(f64::NEG_INFINITY, f64::max);
    let weights = logs.iter().map(|(point, log)| (*point, (log - best).exp()));
    let mut sorted: Vec<f64> = weights.clone().map(|(_, weight)| weight).collect();
    sorted.sort_by(|a, b| b.total_cmp(a));
    let enough = (1.0 - NEGLIGIBLE) * sorted.iter().sum::<f64>();
    let mut sum = 0.0;
    let fills = |weight: &&f64| {
        sum += **weight;
        sum >= enough
    };
    let least = sorted.iter().find(fills).copied().unwrap_or_default();
    let mut likely: Vec<(Point, f64)> = weights.filter(|(_, weight)| *weight >= least).collect();
    let kept: f64 = likely.iter().map(|(_, weight)| weight).sum();
    for (_, weight) in &mut likely {
        *weight /= kept;
    }
    likely
}

fn merge(points: &[(Point, f64)]) -> Vec<Merged> {
    let mut merged: Vec<Merged> = Vec::new();
    // Points that differ in nothing else stand beside each other.
    let alike = |a: &(Point, f64), b: &(Point, f64)| {
        let key = |point: &Point| (point.shared, point.scatter, point.right, point.repeat);
        key(&a.0) == key(&b.0)
    };
    for group in points.chunk_by(alike) {
        let Some((point, _)) = group.first() else {
            continue;
        };
        let errors = point.errors();
        let at = merged.iter().position(|m| m.errors == errors);
        let at = at.unwrap_or_else(|| {
            merged.push(Merged {
                errors,
                moments: vec![[0.0; DRAWS_MAX + 1]; DRAWS_MAX + 1],
                unanswerable: 0.0,
            });
            merged.len() - 1
        });
        let all: f64 = group.iter().map(|(_, weight)| weight).sum();
        let unanswerable: f64 = group
            .iter()
            .map(|(point, weight)| point.unanswerable * weight)
            .sum();
        let answerable = all - unanswerable;
        merged[at].unanswerable += unanswerable;
        let moments = moments(point.right, point.repeat);
        for (sum, row) in merged[at].moments.iter_mut().zip(&moments) {
            for (sum, moment) in sum.iter_mut().zip(row) {
                *sum += answerable * moment;
            }
        }
    }
    merged
}
