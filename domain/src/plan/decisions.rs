//! What the planner decides in a dozen situations, as text. A change of the planner shows here as a readable diff; after one that is meant,
//! `UPDATE_EXPECT=1 cargo test -p gristmill-domain --lib decisions -- --test-threads=1` writes the new texts.

use expect_test::{Expect, expect};

use super::*;
use crate::concept::Outlook;
use crate::evidence::Measured;

/// A job over `seeds` anchor seeds under a limit of calls, with candidates of one, two and five calls, each call $0.0002.
struct Situation {
    snapshot: Snapshot,
    policy: Policy,
}

/// One row of what finished rounds brought by a strategy.
struct Brought {
    candidates: u64,
    accepted: u64,
    calls: f64,
}

fn brought(candidates: u64, accepted: u64, calls: f64) -> Brought {
    Brought {
        candidates,
        accepted,
        calls,
    }
}

/// Micro-dollars of one call.
const CALL: f64 = 200.0;

fn estimate(acceptance: f64, calls: f64, fixed_calls: bool) -> Estimate {
    let mut estimate = Estimate {
        acceptance,
        fixed_calls,
        ..Estimate::default()
    };
    estimate.stages[0] = StageCost {
        calls,
        usd_micros: calls * CALL,
        input_tokens: 300.0 * calls,
        output_tokens: 80.0 * calls,
    };
    estimate
}

fn situation(seeds: u64, calls: u64) -> Situation {
    Situation {
        snapshot: Snapshot {
            rounds_done: 0,
            seeds,
            uncovered_share: 0.0,
            limit: Limit {
                usd: None,
                calls: Some(calls),
            },
            used: Amount::ZERO,
            tallies: Default::default(),
            tries: Tries::new(seeds),
            barren: BTreeMap::new(),
            last: None,
            concepts: Vec::new(),
            measured: Measured::default(),
            teacher_checks: Vec::new(),
        },
        policy: Policy {
            strategy: StrategyChoice::Auto,
            rows_max: 20 * seeds,
            rows_max_reason: format!("{seeds} real rows allow {} synthetic ones", 20 * seeds),
            pilot: 0.05,
            rounds: 4,
            rephrasings_per_seed: 4,
            prior: [
                estimate(0.7, 1.0, true),
                estimate(0.6, 2.0, false),
                estimate(0.5, 5.0, false),
            ]
            .into(),
            steering: None,
            calibrates: false,
            evidence: None,
            recipes: Vec::new(),
        },
    }
}

impl Situation {
    fn forced(mut self, strategy: StrategyChoice) -> Self {
        self.policy.strategy = strategy;
        self
    }

    fn rows(mut self, rows: u64) -> Self {
        self.policy.rows_max = rows;
        self.policy.rows_max_reason = format!("the job wants {rows} rows");
        self
    }

    fn money(mut self, micros: u64) -> Self {
        self.snapshot.limit = Limit {
            usd: Some(MicroUsd(micros)),
            calls: None,
        };
        self
    }

    /// Finished rounds, by what each strategy brought in all of them; the last of them brought everything.
    fn after(mut self, rounds: u32, brought: [Brought; 3]) -> Self {
        let mut last = LastRound {
            candidates: 0,
            accepted: 0,
            unfunded: 0,
            limit: Some(self.snapshot.limit),
            mix: Mix::only(Strategy::AnswerAugmentation),
            aimed: 0,
            counted: 0,
        };
        for (strategy, brought) in Strategy::ALL.into_iter().zip(brought) {
            self.snapshot
                .tries
                .spread(strategy, brought.candidates, brought.accepted);
            let tally = &mut self.snapshot.tallies[strategy];
            tally.candidates = brought.candidates;
            tally.accepted = brought.accepted;
            let calls = brought.candidates as f64 * brought.calls;
            tally.stages[0] = StageCost {
                calls,
                usd_micros: calls * CALL,
                input_tokens: 300.0 * calls,
                output_tokens: 80.0 * calls,
            };
            self.snapshot.used += Amount {
                calls: calls as u64,
                usd: MicroUsd((calls * CALL) as u64),
                ..Amount::ZERO
            };
            last.candidates += brought.candidates;
            last.accepted += brought.accepted;
        }
        if last.accepted == 0 {
            self.snapshot.barren = BTreeMap::from([(Reason::Truncated, last.candidates)]);
        }
        self.snapshot.rounds_done = rounds;
        self.snapshot.last = Some(last);
        self
    }

    fn concepts(mut self, concepts: &[(&str, u64, u64, u64)]) -> Self {
        self.policy.steering = Some(Steering {
            min_gain: 0.02,
            new_questions: true,
            seedless: true,
            beyond: false,
        });
        let concept = |(name, target, real, seeds): &(&str, u64, u64, u64)| Outlook {
            progress: ConceptProgress {
                concept: (*name).into(),
                target: *target,
                real: *real,
                ..ConceptProgress::default()
            },
            seeds: *seeds,
            ..Outlook::default()
        };
        self.snapshot.concepts = concepts.iter().map(concept).collect();
        self
    }

    #[track_caller]
    fn decides(&self, expected: Expect) {
        expected.assert_eq(&self.text());
    }

    fn text(&self) -> String {
        let outlook = outlook(&self.snapshot, &self.policy);
        let next = match next(&self.snapshot, &self.policy) {
            Next::End(end) => format!("end: {end}\n"),
            Next::Round(plan) => round(&plan),
        };
        format!("{next}in all: {}\n", bill(&outlook))
    }
}

fn round(plan: &Plan) -> String {
    let [answers, rephrased, new] = plan.candidates.into();
    let measuring = match plan.calibration {
        0 => String::new(),
        questions => format!(", and {questions} seeds to measure the teacher by"),
    };
    let mut text = format!(
        "{:?} {}: {answers} answers, {rephrased} rephrasings, {new} new questions{measuring}\n",
        plan.purpose, plan.round
    );
    for aim in &plan.aims {
        let [_, rephrased, new] = aim.candidates.into();
        text.push_str(&format!(
            "  at {}: {rephrased} rephrasings, {new} new questions\n",
            aim.name
        ));
    }
    text.push_str(&format!("expects: {}\n", bill(&plan.expected)));
    let generate = plan.generate_limit;
    text.push_str(&format!("generating may use: {generate}\n"));
    text.push_str(&format!("because: {}\n", plan.reason));
    if !plan.change.is_empty() {
        text.push_str(&format!("since: {}\n", plan.change));
    }
    text
}

fn bill(expected: &Expected) -> String {
    format!(
        "{:.0} rows of {:.0} candidates, {:.0} calls, ${:.3}",
        expected.rows,
        expected.candidates,
        expected.calls.iter().sum::<f64>(),
        expected.usd_micros.iter().sum::<f64>() / 1.0e6
    )
}

const NOTHING: Brought = Brought {
    candidates: 0,
    accepted: 0,
    calls: 0.0,
};

#[test]
fn a_small_budget_buys_further_answers() {
    situation(100, 600).decides(expect![[r#"
        Pilot 0: 30 answers, 0 rephrasings, 0 new questions
        expects: 21 rows of 30 candidates, 30 calls, $0.006
        generating may use: 600 calls
        because: The budget affords 6.0 samples a seed over 100 seeds; up to 27.0 for this many seeds, further answers to the seeds' own questions teach most per call. So 100 % answer augmentation, 0 % rephrasing, 0 % new questions.
        in all: 420 rows of 600 candidates, 600 calls, $0.120
    "#]]);
}

#[test]
fn a_large_budget_buys_new_questions() {
    situation(100, 40_000).decides(expect![[r#"
        Pilot 0: 250 answers, 250 rephrasings, 250 new questions
        expects: 450 rows of 750 candidates, 2000 calls, $0.400
        generating may use: 40000 calls
        because: The budget affords 80.0 samples a seed over 100 seeds, at or above 51.0, from where new questions teach more than further answers. So 0 % answer augmentation, 0 % rephrasing, 100 % new questions.
        in all: 2000 rows of 4000 candidates, 20000 calls, $4.000
    "#]]);
}

#[test]
fn a_pilot_measures_the_teacher_where_new_questions_follow_and_it_is_cheap() {
    let calibrated = |seeds, calls| {
        let mut situation = situation(seeds, calls).forced(StrategyChoice::NewQuestion);
        situation.policy.calibrates = true;
        situation
    };
    let asked = |situation: &Situation| match next(&situation.snapshot, &situation.policy) {
        Next::Round(plan) => (plan.calibration, plan.total() - plan.candidates.total()),
        Next::End(end) => panic!("{end}"),
    };
    calibrated(400, 20_000).decides(expect![[r#"
        Pilot 0: 0 answers, 0 rephrasings, 200 new questions, and 24 seeds to measure the teacher by
        expects: 100 rows of 200 candidates, 1096 calls, $0.219
        generating may use: 20000 calls
        because: The job forces new_question; the budget affords 10.0 samples a seed over 400 seeds.
        in all: 1990 rows of 3980 candidates, 19900 calls, $3.980
    "#]]);
    // At most 3 % of the budget, four answers each; five for up to a tenth of it; fewer say too little; never more than there are seeds.
    assert_eq!(asked(&calibrated(400, 1_200)), (9, 9));
    assert_eq!(asked(&calibrated(400, 600)), (5, 5));
    assert_eq!(asked(&calibrated(400, 199)), (0, 0));
    assert_eq!(asked(&calibrated(8, 20_000)), (8, 8));
    // Not again after the pilot, and not where no new question is asked.
    let after = calibrated(400, 20_000).after(1, [NOTHING, NOTHING, brought(120, 62, 5.4)]);
    assert_eq!(asked(&after), (0, 0));
    assert_eq!(
        asked(&calibrated(400, 20_000).forced(StrategyChoice::Rephrasing)),
        (0, 0)
    );
}

#[test]
fn between_them_a_pilot_measures_all_three() {
    situation(400, 20_000).decides(expect![[r#"
        Pilot 0: 125 answers, 125 rephrasings, 125 new questions
        expects: 225 rows of 375 candidates, 1000 calls, $0.200
        generating may use: 20000 calls
        because: The budget affords 28.1 samples a seed over 400 seeds, between 18.0 (further answers are best) and 30.9 (new questions are best). So 22 % answer augmentation, 78 % rephrasing, 0 % new questions.
        in all: 7591 rows of 11226 candidates, 13893 calls, $2.779
    "#]]);
    situation(400, 20_000)
        .after(1, [brought(120, 90, 1.0), brought(120, 70, 2.0), brought(120, 62, 5.4)])
        .decides(expect![[r#"
            Production 1: 1136 answers, 1530 rephrasings, 0 new questions
            expects: 1743 rows of 2666 candidates, 4196 calls, $0.839
            generating may use: 20000 calls
            because: The budget affords 28.1 samples a seed over 400 seeds, between 18.0 (further answers are best) and 30.9 (new questions are best). So 22 % answer augmentation, 78 % rephrasing, 0 % new questions.
            since: answer_augmentation: 90 of 120 accepted so far (75 %), 75 % expected of the next ones (70 % assumed before the first round), at 1.0 calls a candidate; answer_augmentation goes from 100 % to 22 % of the samples; rephrasing: 70 of 120 accepted so far (58 %), 58 % expected of the next ones (60 % assumed before the first round), at 2.0 calls a candidate; rephrasing goes from 0 % to 78 % of the samples; new_question: 62 of 120 accepted so far (52 %), 52 % expected of the next ones (50 % assumed before the first round), at 5.4 calls a candidate
            in all: 7541 rows of 10660 candidates, 13280 calls, $2.656
        "#]]);
}

#[test]
fn money_counts_as_calls_do() {
    situation(400, 0).money(4_000_000).decides(expect![[r#"
        Pilot 0: 125 answers, 125 rephrasings, 125 new questions
        expects: 225 rows of 375 candidates, 1000 calls, $0.200
        generating may use: $4.00
        because: The budget affords 28.1 samples a seed over 400 seeds, between 18.0 (further answers are best) and 30.9 (new questions are best). So 22 % answer augmentation, 78 % rephrasing, 0 % new questions.
        in all: 7591 rows of 11226 candidates, 13893 calls, $2.779
    "#]]);
}

#[test]
fn a_weak_teacher_asks_no_new_questions() {
    situation(100, 40_000)
        .after(1, [brought(250, 120, 1.0), brought(250, 100, 2.0), brought(250, 30, 6.0)])
        .decides(expect![[r#"
            Production 1: 3355 answers, 300 rephrasings, 0 new questions
            expects: 1749 rows of 3655 candidates, 3955 calls, $0.791
            generating may use: 40000 calls
            because: The budget affords 200.0 samples a seed over 100 seeds, at or above 51.0, from where new questions teach more than further answers. But the teacher is too weak for new questions. So 0 % answer augmentation, 100 % rephrasing, 0 % new questions.
            since: answer_augmentation: 120 of 250 accepted so far (48 %), 49 % expected of the next ones (70 % assumed before the first round), at 1.0 calls a candidate; answer_augmentation goes from 100 % to 0 % of the samples; rephrasing: 100 of 250 accepted so far (40 %), 40 % expected of the next ones (60 % assumed before the first round), at 2.0 calls a candidate; rephrasing goes from 0 % to 100 % of the samples; new_question: 30 of 250 accepted so far (12 %), 13 % expected of the next ones (50 % assumed before the first round), at 6.0 calls a candidate
            in all: 1750 rows of 3731 candidates, 4473 calls, $0.895
        "#]]);
}

#[test]
fn answers_that_can_only_repeat_are_never_asked_for() {
    let mut situation = situation(100, 600);
    situation.policy.prior[Strategy::AnswerAugmentation].acceptance = 0.0;
    situation.decides(expect![[r#"
        Pilot 0: 0 answers, 15 rephrasings, 0 new questions
        expects: 9 rows of 15 candidates, 30 calls, $0.006
        generating may use: 600 calls
        because: The budget affords 3.0 samples a seed over 100 seeds; up to 27.0 for this many seeds, further answers to the seeds' own questions teach most per call. But further answers are hardly ever kept. So 0 % answer augmentation, 100 % rephrasing, 0 % new questions.
        in all: 180 rows of 300 candidates, 600 calls, $0.120
    "#]]);
}

#[test]
fn forced_rephrasings_end_where_seeds_are_full() {
    situation(50, 10_000)
        .forced(StrategyChoice::Rephrasing)
        .after(1, [NOTHING, brought(200, 110, 2.0), NOTHING])
        .decides(expect![[r#"
            Production 1: 0 answers, 90 rephrasings, 0 new questions
            expects: 50 rows of 90 candidates, 180 calls, $0.036
            generating may use: 10000 calls
            because: The job forces rephrasing; the budget affords 100.0 samples a seed over 50 seeds.
            since: answer_augmentation goes from 100 % to 0 % of the samples; rephrasing: 110 of 200 accepted so far (55 %), 55 % expected of the next ones (60 % assumed before the first round), at 2.0 calls a candidate; rephrasing goes from 0 % to 100 % of the samples
            in all: 90 rows of 164 candidates, 328 calls, $0.066
        "#]]);
    situation(50, 10_000)
        .forced(StrategyChoice::Rephrasing)
        .after(3, [NOTHING, brought(380, 196, 2.0), NOTHING])
        .decides(expect![[r#"
            Production 3: 0 answers, 13 rephrasings, 0 new questions
            expects: 7 rows of 13 candidates, 26 calls, $0.005
            generating may use: 10000 calls
            because: The job forces rephrasing; the budget affords 100.0 samples a seed over 50 seeds.
            since: answer_augmentation goes from 100 % to 0 % of the samples; rephrasing: 196 of 380 accepted so far (52 %), 52 % expected of the next ones (60 % assumed before the first round), at 2.0 calls a candidate; rephrasing goes from 0 % to 100 % of the samples
            in all: 13 rows of 26 candidates, 52 calls, $0.010
        "#]]);
    situation(50, 10_000)
        .forced(StrategyChoice::Rephrasing)
        .after(3, [NOTHING, brought(400, 200, 2.0), NOTHING])
        .decides(expect![[r#"
            end: every rephrasing that may be kept is there
            in all: 0 rows of 0 candidates, 0 calls, $0.000
        "#]]);
}

#[test]
fn rows_that_are_nearly_there_need_few_candidates() {
    situation(400, 20_000)
        .rows(1_000)
        .after(2, [brought(1_300, 994, 1.0), NOTHING, NOTHING])
        .decides(expect![[r#"
            Production 2: 3 answers, 12 rephrasings, 0 new questions
            expects: 9 rows of 15 candidates, 27 calls, $0.005
            generating may use: 20000 calls
            because: The budget affords 28.1 samples a seed over 400 seeds, between 18.0 (further answers are best) and 30.9 (new questions are best). So 22 % answer augmentation, 78 % rephrasing, 0 % new questions.
            since: answer_augmentation: 994 of 1300 accepted so far (76 %), 76 % expected of the next ones (70 % assumed before the first round), at 1.0 calls a candidate; answer_augmentation goes from 100 % to 22 % of the samples; rephrasing goes from 0 % to 78 % of the samples
            in all: 6 rows of 10 candidates, 18 calls, $0.004
        "#]]);
}

#[test]
fn a_ceiling_stops_a_budget_that_could_pay_for_more() {
    situation(40, 20_000).rows(760).decides(expect![[r#"
        Pilot 0: 125 answers, 125 rephrasings, 125 new questions
        expects: 225 rows of 375 candidates, 1000 calls, $0.200
        generating may use: 20000 calls
        because: The budget affords 100.0 samples a seed over 40 seeds, at or above 51.0, from where new questions teach more than further answers. So 0 % answer augmentation, 0 % rephrasing, 100 % new questions.
        in all: 760 rows of 1520 candidates, 7600 calls, $1.520
    "#]]);
    situation(40, 20_000)
        .rows(760)
        .after(
            4,
            [
                brought(500, 400, 1.0),
                brought(300, 160, 2.0),
                brought(400, 200, 5.0),
            ],
        )
        .decides(expect![[r#"
            end: all rows are there: the job wants 760 rows
            in all: 0 rows of 0 candidates, 0 calls, $0.000
        "#]]);
}

#[test]
fn open_concepts_are_aimed_at() {
    let concepts = [
        ("renal dosing", 30, 4, 4),
        ("sepsis", 30, 40, 40),
        ("triage", 30, 0, 0),
        ("asthma", 30, 22, 22),
    ];
    situation(66, 4_000).concepts(&concepts).decides(expect![[r#"
        Pilot 0: 0 answers, 15 rephrasings, 27 new questions
          at asthma: 7 rephrasings, 1 new questions
          at renal dosing: 8 rephrasings, 10 new questions
          at triage: 0 rephrasings, 16 new questions
        expects: 22 rows of 42 candidates, 165 calls, $0.033
        generating may use: 4000 calls
        because: 1 of 4 concepts are at their target, 64 rows are missing; furthest: "triage" 0/30. The round aims at 3 of them, with 15 rephrasings and 148 new questions in all that fill them.
        in all: 84 rows of 163 candidates, 725 calls, $0.145
    "#]]);
    situation(66, 4_000)
        .concepts(&concepts)
        .after(1, [NOTHING, brought(40, 24, 2.0), brought(40, 20, 5.0)])
        .decides(expect![[r#"
            Production 1: 0 answers, 30 rephrasings, 133 new questions
              at asthma: 14 rephrasings, 0 new questions
              at renal dosing: 16 rephrasings, 47 new questions
              at triage: 0 rephrasings, 86 new questions
            expects: 84 rows of 163 candidates, 725 calls, $0.145
            generating may use: 4000 calls
            because: 1 of 4 concepts are at their target, 64 rows are missing; furthest: "triage" 0/30. The round aims at 3 of them, with 30 rephrasings and 133 new questions in all that fill them.
            since: answer_augmentation goes from 100 % to 0 % of the samples; rephrasing: 24 of 40 accepted so far (60 %), 60 % expected of the next ones (60 % assumed before the first round), at 2.0 calls a candidate; rephrasing goes from 0 % to 18 % of the samples; new_question: 20 of 40 accepted so far (50 %), 50 % expected of the next ones (50 % assumed before the first round), at 5.0 calls a candidate; new_question goes from 0 % to 82 % of the samples
            in all: 84 rows of 163 candidates, 725 calls, $0.145
        "#]]);
}

#[test]
fn the_last_calls_of_a_budget_are_used_up() {
    situation(400, 6_000)
        .after(5, [brought(5_960, 4_100, 1.0), NOTHING, NOTHING])
        .decides(expect![[r#"
            Production 5: 40 answers, 0 rephrasings, 0 new questions
            expects: 28 rows of 40 candidates, 40 calls, $0.008
            generating may use: 6000 calls
            because: The budget affords 15.0 samples a seed over 400 seeds; up to 18.0 for this many seeds, further answers to the seeds' own questions teach most per call. So 100 % answer augmentation, 0 % rephrasing, 0 % new questions.
            since: answer_augmentation: 4100 of 5960 accepted so far (69 %), 69 % expected of the next ones (70 % assumed before the first round), at 1.0 calls a candidate
            in all: 28 rows of 40 candidates, 40 calls, $0.008
        "#]]);
}

#[test]
fn a_round_that_brought_nothing_ends_the_run() {
    situation(400, 6_000)
        .after(2, [brought(600, 0, 1.0), NOTHING, NOTHING])
        .decides(expect![[r#"
            end: no row was accepted, and 600 of 600 candidates were rejected for one reason, `truncated` (cut off): replies end before their answer does: raise `generate.max_tokens`. A model that reasons first spends most of it on that; its reasoning may be limited through the `body` of the `teacher`
            in all: 1606 rows of 2680 candidates, 5399 calls, $1.080
        "#]]);
    situation(400, 6_000)
        .after(1, [brought(41, 0, 1.0), NOTHING, NOTHING])
        .decides(expect![[r#"
            end: no row was accepted, and 41 of 41 candidates were rejected for one reason, `truncated` (cut off): replies end before their answer does: raise `generate.max_tokens`. A model that reasons first spends most of it on that; its reasoning may be limited through the `body` of the `teacher`
            in all: 1662 rows of 2791 candidates, 5954 calls, $1.191
        "#]]);
}
