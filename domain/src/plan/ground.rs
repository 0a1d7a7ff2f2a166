//! What a decision rests on: the snapshot and the policy, with what is believed of each strategy after finished rounds.

use super::aims::{self, Aim, Wanted};
use super::saturation::{self, Curve};
use super::{End, Estimate, Expected, Policy, Snapshot};
use crate::evidence::{CALIBRATION_ANSWERS, Measured, Rule, Terms, shrunk};
use crate::job::StrategyChoice;
use crate::stage::Stage;
use crate::strategy::{self, ByStrategy, Strategy};

/// Acceptance under which a strategy gives its share to others: a new question costs several calls.
const fn floor(strategy: Strategy) -> f64 {
    match strategy {
        Strategy::AnswerAugmentation | Strategy::Rephrasing => 0.1,
        Strategy::NewQuestion => 0.3,
    }
}

/// Questions by which a teacher is measured, at most, and the fewest that say something.
const CALIBRATION_QUESTIONS: u64 = 24;
const CALIBRATION_FEW: u64 = 5;
/// Share of what is left that they may cost.
const CALIBRATION_SHARE: f64 = 0.03;
/// The same for the fewest: without any, a teacher that repeats its mistakes passes for a good one.
const CALIBRATION_SHARE_OF_FEW: f64 = 0.1;
/// Questions with several answers from which on the rule says what will become of others.
const ENOUGH_VOTES: u64 = 20;
/// By how much a rule may change what was seen: beyond that, it is not the rule.
const MOST_ADJUSTED: f64 = 2.0;
/// Laps from which on tries count as recent, as a share of all laps.
const RECENT: f64 = 0.7;

/// What is believed of a strategy.
#[derive(Debug, Clone, Copy)]
pub(super) struct Belief {
    /// Acceptance at present and how fast it falls.
    pub(super) curve: Curve,
    /// Relative standard deviation of the mean cost: calls, and micro-dollars.
    pub(super) cost_deviations: [f64; 2],
}

/// The snapshot and the policy, and what follows from both.
#[derive(Debug, Clone)]
pub(super) struct Ground<'a> {
    pub(super) snapshot: &'a Snapshot,
    pub(super) policy: &'a Policy,
    /// What each strategy costs and brings at present.
    pub(super) estimates: ByStrategy<Estimate>,
    /// Whether each strategy is worth sampling.
    pub(super) worth: ByStrategy<bool>,
    /// Rephrasings that may still be kept, and the seeds that have room for them.
    pub(super) room: (u64, u64),
}

impl<'a> Ground<'a> {
    /// By what finished rounds brought, and what the rule of the next one expects.
    pub(super) fn new(
        snapshot: &'a Snapshot,
        policy: &'a Policy,
        rule: Option<&Rule>,
    ) -> (Self, ByStrategy<Belief>) {
        let curves = ByStrategy::of(|strategy| curve(snapshot, policy, strategy));
        let mut estimates = ByStrategy::of(|strategy| Estimate {
            acceptance: curves[strategy].rate(0.0),
            fall: curves[strategy].fall,
            ..policy.prior[strategy].after(&snapshot.tallies[strategy])
        });
        if let Some(rule) = rule {
            follow(rule, snapshot, &mut estimates[Strategy::NewQuestion]);
        }
        let room = snapshot.tries.room(
            policy.rephrasings_per_seed,
            estimates[Strategy::Rephrasing].acceptance,
        );
        let ground = Self {
            snapshot,
            policy,
            worth: worth(snapshot, policy, &estimates, |strategy| {
                worth_seen(snapshot, strategy)
            }),
            estimates,
            room: (room.total(), room.open()),
        };
        let beliefs = ByStrategy::of(|strategy| {
            let mut cost_deviations = snapshot.tallies[strategy].cost_deviations();
            if policy.prior[strategy].fixed_calls {
                cost_deviations[0] = 0.0;
            }
            Belief {
                curve: curves[strategy],
                cost_deviations,
            }
        });
        (ground, beliefs)
    }

    /// The same, were these estimates the truth: a strategy that they do not let pass is given up sooner or later.
    pub(super) fn were(&self, estimates: ByStrategy<Estimate>) -> Self {
        Self {
            worth: worth(self.snapshot, self.policy, &estimates, |strategy| {
                estimates[strategy].acceptance >= floor(strategy)
            }),
            estimates,
            ..self.clone()
        }
    }

    /// Seeds' own questions by which a pilot measures the teacher: as many as are worth it, for a small share of what is left.
    pub(super) fn calibration(&self) -> u64 {
        let (snapshot, prior) = (self.snapshot, &self.policy.prior[Strategy::AnswerAugmentation]);
        if !self.policy.calibrates {
            return 0;
        }
        let pays_for = |limit: Option<u64>, used: u64, cost: f64| {
            let left = limit.map_or(f64::INFINITY, |limit| limit.saturating_sub(used) as f64);
            left / (self.answers_to_measure(1) * cost)
        };
        let all = pays_for(snapshot.limit.calls, snapshot.used.calls, prior.calls()).min(pays_for(
            snapshot.limit.usd.map(|usd| usd.0),
            snapshot.used.usd.0,
            prior.usd_micros(),
        ));
        let within = |share: f64, most: u64| {
            let questions = (share * all).min(most as f64) as u64;
            Some(questions.min(snapshot.seeds)).filter(|questions| *questions >= CALIBRATION_FEW)
        };
        within(CALIBRATION_SHARE, CALIBRATION_QUESTIONS)
            .or_else(|| within(CALIBRATION_SHARE_OF_FEW, CALIBRATION_FEW))
            .unwrap_or_default()
    }

    /// What the questions by which a teacher is measured cost, in further answers: with the judge's look at one answer, where there is a judge.
    pub(super) fn answers_to_measure(&self, questions: u64) -> f64 {
        let judged = |terms: &Terms| {
            terms
                .judge
                .map_or(0.0, |_| terms.costs.judge / terms.costs.answer)
        };
        let judge = self.policy.evidence.as_ref().map_or(0.0, judged);
        questions as f64 * (f64::from(CALIBRATION_ANSWERS) + judge)
    }

    /// Rows that are accepted.
    pub(super) fn accepted(&self) -> u64 {
        self.snapshot.tallies.values().map(|tally| tally.accepted).sum()
    }

    /// Rows that may still be accepted.
    pub(super) fn wanted(&self) -> u64 {
        self.policy.rows_max.saturating_sub(self.accepted())
    }

    /// The job wants rows beyond its targets, or has none.
    pub(super) fn beyond(&self) -> bool {
        self.policy.steering.is_none_or(|steering| steering.beyond)
    }

    /// What rounds aim at; the end where a run that only aims has nothing left to aim at.
    pub(super) fn aims(&self) -> Result<Vec<Aim>, End> {
        match aims::wanted(self.snapshot, self.policy, &self.estimates) {
            Wanted::Aims(aims) => Ok(aims),
            Wanted::Met if !self.beyond() => Err(End::TargetsMet),
            Wanted::OutOfReach { aimed, counted } if !self.beyond() => {
                Err(End::GainTooSmall { aimed, counted })
            }
            Wanted::Nothing | Wanted::Met | Wanted::OutOfReach { .. } => Ok(Vec::new()),
        }
    }

    /// Seeds that candidates of a strategy are spread over.
    fn spread(&self, strategy: Strategy) -> f64 {
        let open = match strategy {
            Strategy::Rephrasing => self.room.1,
            Strategy::AnswerAugmentation | Strategy::NewQuestion => self.snapshot.seeds,
        };
        open.max(1) as f64
    }

    /// Candidates of each strategy that a whole run can use: rephrasings until all seeds are full, others until so few are kept that the
    /// strategy is given up. A strategy that the job forces is never given up.
    pub(super) fn usable(&self) -> ByStrategy<u64> {
        ByStrategy::of(|strategy| {
            let Estimate { acceptance, fall, .. } = self.estimates[strategy];
            let forced = self.policy.strategy != StrategyChoice::Auto;
            let worth_it = if forced || fall <= 0.0 {
                f64::INFINITY
            } else {
                (acceptance / floor(strategy)).ln().max(0.0) / fall
            };
            let filling = if strategy == Strategy::Rephrasing {
                let room = self.room.0 as f64 / self.spread(strategy);
                saturation::laps_for(acceptance, fall, room)
            } else {
                f64::INFINITY
            };
            (worth_it.min(filling) * self.spread(strategy)).ceil() as u64
        })
    }

    /// The share of what is expected of a round that is wanted and can be paid for; 1 where all of it is.
    pub(super) fn fitting_share(&self, expected: &Expected) -> f64 {
        let limit = self.snapshot.limit;
        let left = |limit: Option<u64>, used: u64| {
            limit.map_or(f64::INFINITY, |limit| limit.saturating_sub(used) as f64)
        };
        let fits = [
            // The last rows are asked for by whole candidates.
            (expected.rows, last_rows(self.wanted() as f64) + 1.0),
            (
                expected.calls.iter().sum(),
                left(limit.calls, self.snapshot.used.calls),
            ),
            (
                expected.usd_micros.iter().sum(),
                left(limit.usd.map(|usd| usd.0), self.snapshot.used.usd.0),
            ),
        ];
        fits.into_iter()
            .filter(|(expected, most)| *expected > most * (1.0 + 1.0e-9))
            .map(|(expected, most)| most / expected)
            .fold(1.0, f64::min)
    }

    /// What candidates are expected to bring and to cost.
    pub(super) fn expect(&self, candidates: ByStrategy<u64>) -> Expected {
        let mut expected = Expected::default();
        for (strategy, estimate) in self.estimates.iter() {
            let count = candidates[strategy] as f64;
            expected.candidates += count;
            let spread = self.spread(strategy);
            let mut rows = spread * saturation::rows(estimate.acceptance, estimate.fall, count / spread);
            if strategy == Strategy::Rephrasing {
                rows = rows.min(self.room.0 as f64);
            }
            expected.rows += rows;
            expected.spend(estimate, count);
        }
        expected
    }
}

/// Whether enough was measured for the rule to say what will become of new questions.
pub(super) fn follows(measured: &Measured) -> bool {
    measured.all.voted_questions() >= ENOUGH_VOTES
}

/// Adjusts what is believed of new questions to the rule that the next of them will follow. Rounds before it knew less of the teacher, and
/// decided by other rules: what those kept and cost says how the questions are, and the rule says what becomes of them.
fn follow(rule: &Rule, snapshot: &Snapshot, estimate: &mut Estimate) {
    let measured = &snapshot.measured;
    if !follows(measured) {
        return;
    }
    let expected = &rule.expected;
    let kept = snapshot.tallies[Strategy::NewQuestion].accepted;
    let kept = shrunk(kept, measured.reached, expected.accepted);
    let within = |ratio: f64| ratio.clamp(1.0 / MOST_ADJUSTED, MOST_ADJUSTED);
    let more = within(expected.accepted / kept.max(f64::MIN_POSITIVE));
    estimate.acceptance = (estimate.acceptance * more).clamp(0.0, 1.0);
    let generate = &mut estimate.stages[Stage::Generate as usize];
    let calls = 1.0 + measured.reached_share() * (expected.answers + expected.verifications);
    *generate = generate.times(within(calls / generate.calls.max(f64::MIN_POSITIVE)));
}

/// The share of a strategy's tries that are accepted, from the present lap on.
fn curve(snapshot: &Snapshot, policy: &Policy, strategy: Strategy) -> Curve {
    let prior = policy.prior[strategy].curve();
    let curve = prior.after(snapshot.tries.laps(strategy));
    let lap = snapshot.tries.lap(strategy);
    // The tries of each seed are counted from 0, and those of all seeds continuously: half way through its first lap a seed is at its first.
    let begins = match strategy {
        Strategy::AnswerAugmentation | Strategy::Rephrasing => lap - 0.5,
        Strategy::NewQuestion => lap,
    };
    Curve {
        first: curve.rate(begins).clamp(0.0, 1.0),
        ..curve
    }
}

/// Whether what came of a strategy of late lets it pass: what was accepted of first tries says little once a stock runs out.
fn worth_seen(snapshot: &Snapshot, strategy: Strategy) -> bool {
    let lap = snapshot.tries.lap(strategy);
    let (samples, accepted) = snapshot.tries.laps(strategy).since((RECENT * lap).floor());
    let observed = strategy::Observed {
        samples,
        accepted,
        spent: 0.0,
    };
    strategy::worth_sampling(&observed, floor(strategy))
}

/// Whether each strategy is worth sampling: something may come of it by what is known before, and it passes.
fn worth(
    snapshot: &Snapshot,
    policy: &Policy,
    estimates: &ByStrategy<Estimate>,
    passes: impl Fn(Strategy) -> bool,
) -> ByStrategy<bool> {
    let possible = |strategy| policy.prior[strategy].acceptance > 0.0;
    let worth = ByStrategy::of(|strategy| possible(strategy) && passes(strategy));
    if !worth.is_none() {
        return worth;
    }
    // Something must be tried: what is kept most often of what may be kept at all.
    let full = |strategy| {
        strategy == Strategy::Rephrasing && snapshot.tries.room(policy.rephrasings_per_seed, 0.0).total() == 0
    };
    let best = Strategy::ALL
        .into_iter()
        .filter(|strategy| possible(*strategy) && !full(*strategy))
        .max_by(|a, b| estimates[*a].acceptance.total_cmp(&estimates[*b].acceptance));
    ByStrategy::of(|strategy| best == Some(strategy))
}

/// Candidates under which a round is too small for its wait: with a provider's batch API, one can take hours. What would be smaller is done
/// together with what comes next, unless nothing else is left.
pub(super) const SMALL: f64 = 64.0;

/// Rows that a round may be expected to bring where so many are wanted: of the last, more by what chance may take of them (one side of a
/// normal interval of 90 %).
pub(super) fn last_rows(wanted: f64) -> f64 {
    if wanted <= SMALL {
        wanted + 1.28 * wanted.sqrt()
    } else {
        wanted
    }
}
