//! What a loop does next: how much the next generation may cost, or why there is none.

use std::fmt;

use gristmill_domain::amount::Limit;
use serde::Serialize;

use crate::record::{Generation, Record};

/// How a loop spends its budget, and when it ends.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Policy {
    /// What all of it may cost: rows, training and evaluation.
    pub budget: Limit,
    /// Share of the budget that the rows of the first generation may cost (above 0, at most 1). With 1 there is no further generation: that is
    /// the static plan.
    pub pilot: f64,
    /// The same of each later generation.
    pub share: f64,
    /// A generation is worth it if it gains more points of accuracy than this for each dollar, or for a thousand calls where nothing costs money.
    pub min_gain: f64,
    /// So many generations in a row that are not worth it end the loop.
    pub patience: u32,
    /// Generations at most, the first included.
    pub generations: u32,
}

/// What a loop does next.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Next {
    /// Make a generation, whose rows may cost so much.
    Generate(Limit),
    /// Nothing.
    Stop(Stop),
}

/// Why a loop ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stop {
    /// Less than half a share is left.
    Budget,
    /// The student has every validation question right.
    NothingWrong,
    /// The last run accepted no row.
    NothingAccepted,
    /// The last generations gained too little for what they cost.
    NotWorthIt,
    /// The ceiling on the share of synthetic rows leaves no room for more.
    Ceiling,
    /// There are as many generations as there may be.
    Generations,
}

impl fmt::Display for Stop {
    /// `the budget is spent`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Budget => "what is left of the budget does not pay for another generation",
            Self::NothingWrong => "the student has every validation question right",
            Self::NothingAccepted => "the last run accepted no row",
            Self::NotWorthIt => "the last generations gained too little for what they cost",
            Self::Ceiling => "the ceiling on the share of synthetic rows leaves no room: add seeds, or raise `anchor.max_synthetic_share`",
            Self::Generations => "there are as many generations as there may be",
        })
    }
}

impl Policy {
    /// What is left when all that is done is paid.
    pub fn left(&self, record: &Record) -> Limit {
        record.used().left_of(self.budget)
    }

    /// What to do behind the generations that are done.
    ///
    /// A generation is granted its share of the budget, or what is left beside what training and evaluating the last student cost, if that is
    /// less. What would then be too little for another one is granted with it.
    pub fn next(&self, record: &Record) -> Next {
        let Some(last) = record.generations.last() else {
            return Next::Generate(self.budget.share(self.pilot));
        };
        if let Some(stop) = self.stop(record, last) {
            return Next::Stop(stop);
        }
        let left = last.measuring().left_of(self.left(record));
        let share = self.budget.share(self.share);
        if at_most(left, share, 0.5) {
            return Next::Stop(Stop::Budget);
        }
        // Half a share is too little for the generation after this one.
        match at_most(left, share, 1.5) {
            true => Next::Generate(left),
            false => Next::Generate(share),
        }
    }

    fn stop(&self, record: &Record, last: &Generation) -> Option<Stop> {
        let later = record.generations.get(1..).unwrap_or_default();
        let idle = later
            .iter()
            .rev()
            .take_while(|generation| !self.was_worth_it(generation));
        Some(match () {
            () if last.student.wrong == 0 => Stop::NothingWrong,
            () if last.accepted == 0 => Stop::NothingAccepted,
            () if last.room == 0 => Stop::Ceiling,
            () if record.generations.len() >= self.generations as usize => Stop::Generations,
            () if idle.count() >= self.patience as usize => Stop::NotWorthIt,
            () => return None,
        })
    }

    /// Whether a generation gained more than the least that its cost has to gain. The estimate decides: an interval of a few hundred validation
    /// rows would hardly ever end a loop.
    fn was_worth_it(&self, generation: &Generation) -> bool {
        let gained = generation.change.map_or(0.0, |change| 100.0 * change.change);
        let (units, _) = generation.cost().in_units();
        gained > self.min_gain * units
    }
}

/// Whether one of the axes of a limit is at most so many times that of another.
fn at_most(limit: Limit, of: Limit, times: f64) -> bool {
    let axis = |limit: Option<u64>, of: Option<u64>| {
        limit
            .zip(of)
            .is_some_and(|(limit, of)| limit as f64 <= times * of as f64)
    };
    axis(limit.usd.map(|usd| usd.0), of.usd.map(|usd| usd.0)) || axis(limit.calls, of.calls)
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use gristmill_domain::amount::{Amount, MicroUsd};
    use gristmill_domain::stats::Interval;
    use gristmill_evaluation::PairedComparison;
    use proptest::prelude::*;

    use super::*;
    use crate::cost::Cost;
    use crate::record::tests::{settings, student};
    use crate::record::{Costs, Grant, Student};

    fn usd(micros: u64) -> Limit {
        Limit {
            usd: Some(MicroUsd(micros)),
            calls: None,
        }
    }

    fn policy(budget: Limit) -> Policy {
        Policy {
            budget,
            pilot: 0.4,
            share: 0.2,
            min_gain: 0.0,
            patience: 2,
            generations: 10,
        }
    }

    fn changed(change: f64) -> PairedComparison {
        PairedComparison {
            pairs: 100,
            items: 100,
            clusters: 100,
            formats: 1,
            unpaired: 0,
            effective: 100.0,
            lost: 0,
            gained: 0,
            before: 0.5,
            after: 0.5 + change,
            change,
            standard_error: None,
            interval: Interval {
                low: change - 0.1,
                high: change + 0.1,
            },
            p_value: 1.0,
            score_change: change,
            score_standard_error: None,
            score_interval: Interval { low: -1.0, high: 1.0 },
            form_before: 1.0,
            form_after: 1.0,
            form_p_value: 1.0,
        }
    }

    /// Has a loop make its next generation: the rows cost a share of what they may, and the change is as given.
    fn step(record: &mut Record, limit: Limit, spent: f64, measuring: u64, change: f64, right: u64) {
        let part = |limit: Option<u64>| limit.map_or(0, |limit| (limit as f64 * spent) as u64);
        let rows = Cost {
            usd: MicroUsd(part(limit.usd.map(|usd| usd.0))),
            calls: part(limit.calls),
        };
        let evaluation = Cost {
            usd: MicroUsd(measuring),
            calls: 0,
        };
        let number = record.generations.len() as u32 + 1;
        record.generations.push(Generation {
            grant: Grant {
                generation: number,
                limit,
                aims: Vec::new(),
                documents: Vec::new(),
                without_teachers: Vec::new(),
                quarantine: None,
            },
            run: "runs/1".into(),
            accepted: 10,
            known: 0,
            real: 10,
            synthetic: 10,
            room: 10,
            costs: Costs {
                rows,
                training: Cost::default(),
            },
            student: Student {
                cost: evaluation,
                ..student(right, 100)
            },
            change: Some(changed(change)),
        });
    }

    fn course(policy: &Policy, changes: &[f64]) -> String {
        let mut record = Record::new(settings());
        let mut told = Vec::new();
        for change in changes.iter().copied().chain(std::iter::repeat(0.01)) {
            match policy.next(&record) {
                Next::Generate(limit) => {
                    told.push(limit.to_string());
                    step(&mut record, limit, 1.0, 0, change, 50);
                }
                Next::Stop(stop) => {
                    told.push(stop.to_string());
                    return told.join("\n");
                }
            }
        }
        unreachable!("a loop ends")
    }

    #[test]
    fn the_budget_is_spent_in_shares_and_no_crumb_is_left() {
        let told = course(&policy(usd(1_000_000)), &[]);
        expect![[r#"
            $0.4000
            $0.2000
            $0.2000
            $0.2000
            what is left of the budget does not pay for another generation"#]]
        .assert_eq(&told);
        let uneven = Policy {
            pilot: 0.35,
            ..policy(usd(1_000_000))
        };
        expect![[r#"
            $0.3500
            $0.2000
            $0.2000
            $0.2500
            what is left of the budget does not pay for another generation"#]]
        .assert_eq(&course(&uneven, &[]));
    }

    #[test]
    fn generations_that_gain_nothing_end_it() {
        let policy = Policy {
            pilot: 0.1,
            share: 0.1,
            ..policy(usd(1_000_000))
        };
        let told = |changes: &[f64]| course(&policy, changes).lines().count() - 1;
        assert_eq!(told(&[0.2, 0.0, -0.01]), 3, "two in a row");
        assert_eq!(told(&[-0.2, 0.0, 0.01, 0.0, 0.0]), 5, "the pilot does not count");
        assert_eq!(told(&[0.2, 0.0, 0.1, 0.0]), 10);
        // Ten cents have to gain a point.
        let asking = Policy {
            min_gain: 10.0,
            ..policy
        };
        assert_eq!(
            course(&asking, &[0.2, 0.005, 0.02, 0.009, 0.008]).lines().count() - 1,
            5
        );
    }

    #[test]
    fn a_plan_that_spends_all_at_once_has_one_generation() {
        let still = Policy {
            pilot: 1.0,
            ..policy(usd(1_000_000))
        };
        assert_eq!(course(&still, &[0.1]).lines().count(), 2);
    }

    #[test]
    fn what_would_bring_nothing_ends_it() {
        let policy = policy(usd(1_000_000));
        let mut record = Record::new(settings());
        step(&mut record, usd(400_000), 0.5, 0, 0.1, 100);
        assert_eq!(policy.next(&record), Next::Stop(Stop::NothingWrong));
        record.generations[0].student = student(99, 100);
        record.generations[0].accepted = 0;
        assert_eq!(policy.next(&record), Next::Stop(Stop::NothingAccepted));
        record.generations[0].accepted = 1;
        record.generations[0].room = 0;
        assert_eq!(policy.next(&record), Next::Stop(Stop::Ceiling));
        record.generations[0].room = 1;
        let one = Policy {
            generations: 1,
            ..policy
        };
        assert_eq!(one.next(&record), Next::Stop(Stop::Generations));
    }

    proptest! {
        #[test]
        fn no_course_costs_more_than_the_budget(
            budget in 1_000u64..5_000_000,
            calls in prop::option::of(20u64..10_000),
            pilot in 0.05f64..=1.0,
            share in 0.05f64..=1.0,
            steps in prop::collection::vec((0.0f64..=1.0, 0u64..50_000, -0.1f64..0.1), 1..40),
        ) {
            let budget = Limit { usd: Some(MicroUsd(budget)), calls };
            let policy = Policy { pilot, share, generations: 100, ..policy(budget) };
            let covers = |cost: Cost| budget.covers(Amount { usd: cost.usd, calls: cost.calls, ..Amount::ZERO });
            let mut record = Record::new(settings());
            for (spent, measuring, change) in steps {
                let Next::Generate(limit) = policy.next(&record) else { break };
                // What a generation may cost is there to be spent.
                let granted = Cost { usd: limit.usd.unwrap_or_default(), calls: limit.calls.unwrap_or_default() };
                prop_assert!(covers(record.used() + granted), "{limit} beside {:?}", record.used());
                // Evaluations are limited by what is left.
                let rows = (limit.usd.map_or(0, |usd| usd.0) as f64 * spent) as u64;
                let left = policy.left(&record).usd.map_or(0, |usd| usd.0) - rows;
                step(&mut record, limit, spent, measuring.min(left), change, 50);
                prop_assert!(covers(record.used()));
            }
        }
    }
}
