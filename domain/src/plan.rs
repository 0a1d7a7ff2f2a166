//! Plans: what a round will try, decided from finished rounds alone.
//!
//! [`next`] is a pure function of a [`Snapshot`] and a [`Policy`]; a plan is stored before anything it names is dispatched and
//! leaves whoever carries it out nothing to decide. A run is a pilot (at most 5 % of the budget), then rounds, until the wanted
//! rows are there, the budget is spent, or a round brings nothing any more.

mod aims;
mod choice;
#[cfg(test)]
mod decisions;
mod end;
mod estimate;
mod fill;
mod forecast;
mod ground;
mod per_seed;
mod recipes;
mod saturation;
#[cfg(test)]
mod tests;
mod tries;
mod visit;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::amount::{Amount, Limit, MicroUsd};
use crate::concept::{ConceptProgress, Outlook};
use crate::evidence::{Measured, Rule, Terms};
use crate::filter::Reason;
use crate::job::StrategyChoice;
use crate::self_improvement::TeacherCheck;
use crate::strategy::{ByStrategy, Mix, Strategy};

pub use aims::{Aim, Steering};
use choice::{choose, pilot_mix, size};
pub use end::{End, short};
pub use estimate::{Estimate, StageCost, Tally};
use fill::{Filled, fill_within};
pub use forecast::{Bound, Forecast, Range, forecast, outlook};
use ground::Ground;
pub use per_seed::PerSeed;
pub use recipes::RecipeShare;
pub use tries::Tries;
pub use visit::{Shared, Spec, Start, Visit};

/// What is decided before a run and stays.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Policy {
    /// `auto`, or the strategy that a user forces.
    pub strategy: StrategyChoice,
    /// Synthetic rows that may ever be accepted: what is wanted, or what the ceiling on their share allows.
    pub rows_max: u64,
    /// Why `rows_max` is what it is, in words.
    pub rows_max_reason: String,
    /// Share of the budget for the pilot.
    pub pilot: f64,
    /// Rounds over which the budget is spread, the pilot apart.
    pub rounds: u32,
    /// Rephrasings of one seed that may be kept.
    pub rephrasings_per_seed: u32,
    /// What each strategy is expected to cost and bring before anything is observed.
    pub prior: ByStrategy<Estimate>,
    /// How rounds aim at concepts under their target; `None` when nothing is aimed at.
    #[serde(default)]
    pub steering: Option<Steering>,
    /// Seeds have references by which the teacher can be measured before it answers questions that have none.
    #[serde(default)]
    pub calibrates: bool,
    /// What the rule for answers without a reference must meet; `None` in policies of older versions.
    #[serde(default)]
    pub evidence: Option<Terms>,
    /// The recipes that rows are made by; policies of older versions name none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recipes: Vec<RecipeShare>,
}

impl Policy {
    /// The policy of a run that makes no rows.
    pub fn of_no_rows() -> Self {
        Self {
            strategy: StrategyChoice::Auto,
            rows_max: 0,
            rows_max_reason: String::new(),
            pilot: 0.0,
            rounds: 0,
            rephrasings_per_seed: 0,
            prior: ByStrategy::default(),
            steering: None,
            calibrates: false,
            evidence: None,
            recipes: Vec::new(),
        }
    }
}

/// What a plan may look at: the verdicts and settled costs of finished rounds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Rounds that are finished.
    pub rounds_done: u32,
    /// Anchor seeds to generate from.
    pub seeds: u64,
    /// Share of the concepts that the seeds leave uncovered.
    pub uncovered_share: f64,
    /// The run's limit.
    pub limit: Limit,
    /// What is spent and burned so far.
    pub used: Amount,
    /// What each strategy brought.
    pub tallies: ByStrategy<Tally>,
    /// What was tried with each seed.
    #[serde(default)]
    pub tries: Tries,
    /// Rejected candidates by reason since a row was last accepted, in whole rounds.
    #[serde(default)]
    pub barren: BTreeMap<Reason, u64>,
    /// The last round, if there was one.
    pub last: Option<LastRound>,
    /// Where each concept stands.
    pub concepts: Vec<Outlook>,
    /// What answers showed of the teacher.
    #[serde(default)]
    pub measured: Measured,
    /// How the teachers that are related to the student did on validation rows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub teacher_checks: Vec<TeacherCheck>,
}

/// What a plan looks at in the round before it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LastRound {
    /// Candidates that were decided.
    pub candidates: u64,
    /// Rows that were accepted.
    pub accepted: u64,
    /// Candidates for which no money was left: a call is only begun when its worst case is covered.
    pub unfunded: u64,
    /// The run's limit when it was planned.
    pub limit: Option<Limit>,
    /// Its mix.
    pub mix: Mix,
    /// Candidates that were aimed at a concept, with those of the rounds right before it that were too few to be judged by.
    pub aimed: u64,
    /// Those of them that count towards it.
    pub counted: u64,
}

impl LastRound {
    /// What the next round adds its own aims to: nothing once they are enough to tell whether aiming is worth it.
    pub fn aimed_so_far(&self) -> (u64, u64) {
        if self.aimed < BARREN_CANDIDATES {
            (self.aimed, self.counted)
        } else {
            (0, 0)
        }
    }
}

/// What a round is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// Measures acceptance and cost.
    Pilot,
    /// Makes rows.
    Production,
}

/// One round.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Number of the round, from 0.
    pub round: u32,
    /// What it is for.
    pub purpose: Purpose,
    /// Candidates by strategy.
    pub candidates: ByStrategy<u64>,
    /// Candidates by recipe; those of a strategy sum to its candidates. Plans of older versions name none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recipes: Vec<PlannedRecipe>,
    /// Seeds' own questions that are answered [`evidence::CALIBRATION_ANSWERS`](crate::evidence::CALIBRATION_ANSWERS) times beside the
    /// candidates, to measure the teacher by their references.
    #[serde(default, skip_serializing_if = "crate::job::is_zero")]
    pub calibration: u64,
    /// Candidates by strategy that earlier rounds planned and aimed at nothing: where the visit of the seeds goes on.
    pub visited: ByStrategy<u64>,
    /// How many of the rephrasings that are aimed at nothing start from each seed; in plans of older versions, the visit says.
    #[serde(default, skip_serializing_if = "PerSeed::is_empty")]
    pub rephrasings: PerSeed,
    /// Rows that may still be accepted; what is accepted beyond them is dropped. Plans of older versions have no more candidates than that.
    #[serde(default)]
    pub rows_wanted: Option<u64>,
    /// What the whole run was expected to come to when the round was planned; plans of older versions do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forecast: Option<Forecast>,
    /// Those of the candidates that are aimed at concepts under their target.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aims: Vec<Aim>,
    /// Where each concept stood when the round was planned.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub concepts: Vec<ConceptProgress>,
    /// How answers without a reference are decided on, and how often wrong ones are asked for again; plans of older versions do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<Rule>,
    /// Rules of their own for the concepts about which the teacher is right more often or less often than about the others.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub concept_rules: BTreeMap<String, Rule>,
    /// How the teachers that are related to the student did on validation rows, before the first round.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub teacher_checks: Vec<TeacherCheck>,
    /// The mix that the candidates follow.
    pub mix: Mix,
    /// The run's limit at this time; plans of older versions do not say.
    #[serde(default)]
    pub limit: Option<Limit>,
    /// Samples a seed that the budget affords.
    pub budget_ratio: f64,
    /// Why, in words.
    pub reason: String,
    /// What changed since the last round, and why; empty for the first.
    pub change: String,
    /// What is expected of the round.
    pub expected: Expected,
    /// Limit of the generating stage: what judging and embedding this round's candidates will need is not for it to take.
    pub generate_limit: Limit,
}

impl Plan {
    /// The round from which rows are made, and not only acceptance and cost measured.
    fn first_production(policy: &Policy) -> u32 {
        u32::from(policy.pilot > 0.0)
    }

    /// All that it begins: candidates, and questions that measure the teacher.
    pub fn total(&self) -> u64 {
        self.candidates.total() + self.calibration
    }

    /// Candidates by strategy that are aimed at no concept.
    pub fn free(&self) -> ByStrategy<u64> {
        let aimed = aims::total(&self.aims);
        ByStrategy::of(|strategy| self.candidates[strategy].saturating_sub(aimed[strategy]))
    }
}

/// The candidates that a recipe makes in a round.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedRecipe {
    /// Its name.
    pub recipe: String,
    /// What its rows are compared and counted as.
    pub strategy: Strategy,
    /// How many candidates.
    pub candidates: u64,
    /// Candidates that share the reply to its first step.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub shared_by: u32,
}

pub(crate) const fn one() -> u32 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
pub(crate) fn is_one(number: &u32) -> bool {
    *number == 1
}

/// What is expected of a round, or of all that is left of a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Expected {
    /// Candidates.
    pub candidates: f64,
    /// Accepted rows.
    pub rows: f64,
    /// Calls by stage, in the order of [`Stage::ALL`].
    pub calls: [f64; 3],
    /// Prompt tokens.
    pub input_tokens: f64,
    /// Completion tokens.
    pub output_tokens: f64,
    /// Micro-dollars by stage, in the order of [`Stage::ALL`].
    pub usd_micros: [f64; 3],
}

impl Expected {
    /// Adds what so many candidates cost.
    fn spend(&mut self, estimate: &Estimate, candidates: f64) {
        for (stage, cost) in estimate.stages.iter().enumerate() {
            self.calls[stage] += candidates * cost.calls;
            self.usd_micros[stage] += candidates * cost.usd_micros;
            self.input_tokens += candidates * cost.input_tokens;
            self.output_tokens += candidates * cost.output_tokens;
        }
    }
}

/// What comes next.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Next {
    /// Another round.
    Round(Box<Plan>),
    /// The run has reached its end.
    End(End),
}

/// Candidates a barren round must have had before it ends the run.
const BARREN_CANDIDATES: u64 = 50;
/// Candidates under which what is left over after the planned rounds is not worth another.
const HANDFUL: u64 = 8;
/// Margin on what judging and embedding are expected to need.
const LATER_STAGES_MARGIN: f64 = 1.5;

/// Decides what comes next.
pub fn next(snapshot: &Snapshot, policy: &Policy) -> Next {
    if let Some(end) = end::reached(snapshot, policy) {
        return Next::End(end);
    }
    let rule = next_rule(snapshot, policy);
    let (ground, _) = Ground::new(snapshot, policy, rule.as_ref());
    let aims = match ground.aims() {
        Ok(aims) => aims,
        Err(end) => return Next::End(end),
    };
    let (free_mix, budget_ratio, reason) = choose(&ground);
    let purpose = purpose(snapshot, policy);
    let aims = match purpose {
        Purpose::Pilot => aims::explored(aims, policy),
        Purpose::Production => aims,
    };
    let mix = if !aims.is_empty() {
        aims::mix(&aims)
    } else if purpose == Purpose::Pilot {
        pilot_mix(&ground, &free_mix, budget_ratio)
    } else {
        free_mix
    };
    let size = size(&ground, purpose, &mix);
    if size == 0 {
        return Next::End(End::BudgetSpent);
    }
    let reason = if aims.is_empty() {
        reason
    } else {
        aims::reason(snapshot, &aims)
    };
    let beside = if aims.is_empty() { mix } else { free_mix };
    let Some(filled) = fill_within(&ground, &aims, size, &beside) else {
        return Next::End(End::BudgetSpent);
    };
    let Filled {
        aims,
        candidates,
        rephrasings,
    } = filled;
    let all = candidates.total();
    // A rest of the budget, or of the room that seeds have, is not worth the wait for round after round. The last rows that are wanted are.
    let rest =
        all < HANDFUL && all < ground.wanted() && aims.is_empty() && after_planned_rounds(snapshot, policy);
    if rest && size < HANDFUL {
        return Next::End(End::BudgetSpent);
    }
    if rest || all == 0 {
        return Next::End(End::SeedsUsedUp);
    }
    let new = candidates[Strategy::NewQuestion];
    if let (Some(rule), Some(terms), Purpose::Production) = (&rule, &policy.evidence, purpose)
        && !rule.meets_target
        // Where no row would be kept, there is nothing to ask for.
        && (terms.required && new > 0 || rule.expected.accepted == 0.0 && new == all)
    {
        return Next::End(End::AccuracyOutOfReach {
            target: rule.target,
            best: rule.expected.accuracy.mean,
        });
    }
    let calibration = match purpose {
        Purpose::Pilot if candidates[Strategy::NewQuestion] > 0 => ground.calibration(),
        Purpose::Pilot | Purpose::Production => 0,
    };
    let mut expected = ground.expect(candidates);
    expected.spend(
        &ground.estimates[Strategy::AnswerAugmentation],
        ground.answers_to_measure(calibration),
    );
    Next::Round(Box::new(Plan {
        round: snapshot.rounds_done,
        purpose,
        recipes: policy.planned(&mix, candidates),
        candidates,
        calibration,
        rephrasings,
        rows_wanted: Some(ground.wanted()),
        forecast: Some(forecast::by_rule(snapshot, policy, rule.as_ref())),
        visited: ByStrategy::of(|strategy| {
            let aimed = snapshot
                .concepts
                .iter()
                .map(|concept| concept.yields[strategy].tally.candidates);
            snapshot.tallies[strategy].candidates.saturating_sub(aimed.sum())
        }),
        concepts: snapshot
            .concepts
            .iter()
            .map(|concept| concept.progress.clone())
            .collect(),
        aims,
        concept_rules: policy
            .evidence
            .as_ref()
            .map(|terms| Rule::of_concepts(&snapshot.measured, terms))
            .unwrap_or_default(),
        rule,
        teacher_checks: snapshot.teacher_checks.clone(),
        mix,
        limit: Some(snapshot.limit),
        budget_ratio,
        reason,
        change: describe_change(snapshot, policy, &ground.estimates, &mix),
        generate_limit: generate_limit(snapshot, &expected),
        expected,
    }))
}

/// True once the rounds are made that the budget was spread over.
fn after_planned_rounds(snapshot: &Snapshot, policy: &Policy) -> bool {
    snapshot.rounds_done >= Plan::first_production(policy) + policy.rounds
}

/// Marks the concepts that no round will aim at any more, with what was tried; to be called when a round has ended.
pub fn give_up(snapshot: &mut Snapshot, policy: &Policy) {
    let (Ground { estimates, .. }, _) = Ground::new(snapshot, policy, None);
    aims::give_up(snapshot, policy, &estimates);
}

/// What the next round is for.
fn purpose(snapshot: &Snapshot, policy: &Policy) -> Purpose {
    if snapshot.rounds_done < Plan::first_production(policy) {
        Purpose::Pilot
    } else {
        Purpose::Production
    }
}

/// The rule that the next round decides by; `None` in policies of older versions. It follows from what was measured. A pilot, which knows
/// nothing, is careful. A production round that knows nothing, since the job has no pilot, takes the teacher for a typical one: a careful
/// rule would throw away most of what it buys.
fn next_rule(snapshot: &Snapshot, policy: &Policy) -> Option<Rule> {
    let (terms, measured) = (policy.evidence.as_ref()?, &snapshot.measured);
    let unmeasured = purpose(snapshot, policy) == Purpose::Production && *measured == Measured::default();
    Some(if unmeasured {
        Rule::typical(terms)
    } else {
        Rule::new(measured, terms)
    })
}

/// What generating may use of the run's limit: all but what the later stages have used and will need.
fn generate_limit(snapshot: &Snapshot, expected: &Expected) -> Limit {
    let later = |of: &dyn Fn(&StageCost) -> f64| -> f64 {
        snapshot
            .tallies
            .values()
            .flat_map(|tally| &tally.stages[1..])
            .map(of)
            .sum()
    };
    let needed = |values: &[f64; 3]| (values[1..].iter().sum::<f64>() * LATER_STAGES_MARGIN).ceil();
    let calls = later(&|cost| cost.calls) + needed(&expected.calls);
    let usd = later(&|cost| cost.usd_micros) + needed(&expected.usd_micros);
    Limit {
        usd: snapshot
            .limit
            .usd
            .map(|limit| MicroUsd(limit.0.saturating_sub(usd as u64))),
        calls: snapshot
            .limit
            .calls
            .map(|limit| limit.saturating_sub(calls as u64)),
    }
}

fn describe_change(
    snapshot: &Snapshot,
    policy: &Policy,
    estimates: &ByStrategy<Estimate>,
    mix: &Mix,
) -> String {
    let Some(before) = snapshot.last.map(|last| last.mix) else {
        return String::new();
    };
    let mut words: Vec<String> = Vec::new();
    for (strategy, tally) in snapshot.tallies.iter() {
        // Those of which nothing was seen say nothing of the next ones.
        let seen = tally.candidates.saturating_sub(tally.undecided);
        if seen > 0 {
            words.push(format!(
                "{strategy}: {} of {} accepted so far ({:.0} %), {:.0} % expected of the next ones ({:.0} % assumed before the first round), \
                 at {:.1} calls a candidate",
                tally.accepted,
                seen,
                100.0 * tally.accepted as f64 / seen as f64,
                100.0 * estimates[strategy].acceptance,
                100.0 * policy.prior[strategy].acceptance,
                estimates[strategy].calls(),
            ));
        }
        let (from, to) = (100.0 * before.share(strategy), 100.0 * mix.share(strategy));
        if (from - to).abs() >= 0.5 {
            words.push(format!(
                "{strategy} goes from {from:.0} % to {to:.0} % of the samples"
            ));
        }
    }
    words.join("; ")
}
