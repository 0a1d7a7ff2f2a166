//! How likely counted answers are under one setting of the model's parameters.

use super::measured::{Answers, Known, Seen};

/// Answers to one question that the model looks at.
pub(super) const DRAWS_MAX: usize = 16;

/// E[θ^right (1 − θ)^wrong] by counts of right and wrong answers.
pub(super) type Moments = Vec<[f64; DRAWS_MAX + 1]>;

/// Moments of the beta distribution with a mean and an intra-class correlation, as products: no gamma function is needed.
pub(super) fn moments(mean: f64, repeat: f64) -> Moments {
    let mut table = vec![[0.0; DRAWS_MAX + 1]; DRAWS_MAX + 1];
    // (mean + i·r) over (1 + n·r), with r = ρ / (1 − ρ): the rising factorials of a beta-binomial, each divided by a + b.
    let step = repeat / (1.0 - repeat);
    let mut all_right = 1.0;
    for (right, row) in table.iter_mut().enumerate() {
        let mut moment = all_right;
        for (wrong, cell) in row.iter_mut().enumerate().take(DRAWS_MAX + 1 - right) {
            *cell = moment;
            moment *= (1.0 - mean + wrong as f64 * step) / (1.0 + (right + wrong) as f64 * step);
        }
        all_right *= (mean + right as f64 * step) / (1.0 + right as f64 * step);
    }
    table
}

/// How wrong answers fall together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Errors {
    /// Share of them that is the mistake which the question invites.
    pub(super) shared: f64,
    /// Values over which the others scatter evenly.
    pub(super) scatter: u32,
}

/// Likelihood that wrong answers fall into classes of these sizes: one of the classes, or none, is the mistake that the question
/// invites, and each of the others one of the values over which the rest scatter.
pub(super) fn pattern<'a>(classes: impl Iterator<Item = &'a u8> + Clone, errors: Errors) -> f64 {
    let values = f64::from(errors.scatter);
    // Where there is nothing to scatter over, every mistake is the same.
    let shared = if errors.scatter == 0 { 1.0 } else { errors.shared };
    let one_value = if errors.scatter == 0 {
        0.0
    } else {
        (1.0 - shared) / values
    };
    // Each scattered class takes a value that no other has.
    let scattered = |invited: Option<usize>| -> f64 {
        let rest = classes.clone().enumerate().filter(|(i, _)| Some(*i) != invited);
        let free = (0..).map(|taken| (values - f64::from(taken)).max(0.0));
        rest.zip(free)
            .map(|((_, size), free)| free * one_value.powi(i32::from(*size)))
            .product()
    };
    let invited = |(i, size): (usize, &u8)| shared.powi(i32::from(*size)) * scattered(Some(i));
    scattered(None) + classes.clone().enumerate().map(invited).sum::<f64>()
}

/// Votes under one supposition about which answer is right.
#[derive(Debug, Clone, Copy)]
pub(super) struct View {
    pub(super) right: usize,
    pub(super) wrong: usize,
    /// Likelihood of how the wrong answers fall together.
    pub(super) pattern: f64,
}

/// Votes under each supposition: each class right in turn, then none of them.
pub(super) fn views(votes: &[u8], errors: Errors) -> Vec<View> {
    let drawn: usize = votes.iter().map(|size| usize::from(*size)).sum();
    if drawn > DRAWS_MAX {
        return Vec::new();
    }
    let each = votes.iter().enumerate().map(|(right, size)| {
        let others = votes.iter().enumerate().filter(move |(i, _)| *i != right);
        View {
            right: usize::from(*size),
            wrong: drawn - usize::from(*size),
            pattern: pattern(others.map(|(_, size)| size), errors),
        }
    });
    let none = View {
        right: 0,
        wrong: drawn,
        pattern: pattern(votes.iter(), errors),
    };
    each.chain([none]).collect()
}

/// All that was counted, under one share of mistakes that a question invites.
pub(super) struct Views<'a> {
    known: Vec<(f64, View)>,
    seen: Vec<(f64, &'a Seen, Vec<View>)>,
}

impl<'a> Views<'a> {
    pub(super) fn new(answers: &'a Answers, errors: Errors) -> Self {
        let known = |known: &Known| View {
            right: usize::from(known.right),
            wrong: known.wrong.iter().map(|size| usize::from(*size)).sum(),
            pattern: pattern(known.wrong.iter(), errors),
        };
        Self {
            known: answers.known.iter().map(|(k, n)| (*n as f64, known(k))).collect(),
            seen: answers
                .seen
                .iter()
                .map(|(seen, n)| (*n as f64, seen, views(&seen.votes, errors)))
                .collect(),
        }
    }

    pub(super) fn known_log(&self, moments: &Moments) -> f64 {
        let readable = self
            .known
            .iter()
            .filter(|(_, view)| view.right + view.wrong <= DRAWS_MAX);
        let logs = readable.map(|(n, view)| n * (moments[view.right][view.wrong] * view.pattern).ln());
        logs.sum()
    }

    /// How often, and how likely each pattern is where the question has an answer and where it has none.
    pub(super) fn seen(&self, moments: &Moments) -> Vec<(f64, Option<bool>, f64, f64)> {
        let readable = self.seen.iter().filter(|(_, _, views)| !views.is_empty());
        let likelihoods = readable.map(|(n, seen, views)| {
            let answerable = views
                .iter()
                .map(|view| moments[view.right][view.wrong] * view.pattern);
            let none = views.last().map_or(1.0, |view| view.pattern);
            (*n, seen.verified, answerable.sum(), none)
        });
        likelihoods.collect()
    }
}

pub(super) fn seen_log(seen: &[(f64, Option<bool>, f64, f64)], unanswerable: f64, verify: (f64, f64)) -> f64 {
    let logs = seen.iter().map(|(n, verified, answerable, none)| {
        let (good, bad) = verdict(*verified, verify);
        let likelihood = (1.0 - unanswerable) * good * answerable + unanswerable * bad * none;
        n * likelihood.max(f64::MIN_POSITIVE).ln()
    });
    logs.sum()
}

/// Likelihood of a check's verdict on a good case and on a bad one, by its sensitivity and specificity.
pub(super) fn verdict(passed: Option<bool>, (sensitivity, specificity): (f64, f64)) -> (f64, f64) {
    match passed {
        None => (1.0, 1.0),
        Some(true) => (sensitivity, 1.0 - specificity),
        Some(false) => (1.0 - sensitivity, specificity),
    }
}
