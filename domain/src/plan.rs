//! Plans: what a round will try, decided from finished rounds alone.
//!
//! [`next`] is a pure function of a [`Snapshot`] and a [`Policy`]; a plan is stored before anything it names is dispatched and
//! leaves whoever carries it out nothing to decide. A run is a pilot (at most 5 % of the budget), then rounds, until the wanted
//! rows are there, the budget is spent, or a round brings nothing any more.

mod aims;
mod choice;
mod end;
mod estimate;
#[cfg(test)]
mod tests;
mod visit;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::amount::{Amount, Limit, MicroUsd};
use crate::concept::{Outlook, Standing};
use crate::evidence::{Measured, Rule, Terms};
use crate::job::StrategyChoice;
use crate::stage::Stage;
use crate::strategy::{Mix, Strategy};

use aims::Wanted;
pub use aims::{Aim, Steering};
use choice::{affordable, cap_rephrasings, certain, choose, pilot_mix};
pub use end::{End, short};
pub use estimate::{Estimate, StageCost, Tally};
pub use visit::{Spec, Start, Visit};

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
    /// What each strategy is expected to cost and bring before anything is observed, in the order of [`Strategy::ALL`].
    pub prior: [Estimate; 3],
    /// How rounds aim at concepts under their target; `None` when nothing is aimed at.
    #[serde(default)]
    pub steering: Option<Steering>,
    /// What the rule for answers without a reference must meet; `None` in policies of older versions.
    #[serde(default)]
    pub evidence: Option<Terms>,
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
    /// What each strategy brought, in the order of [`Strategy::ALL`].
    pub tallies: [Tally; 3],
    /// The last round, if there was one.
    pub last: Option<LastRound>,
    /// Where each concept stands.
    pub concepts: Vec<Outlook>,
    /// What answers showed of the teacher.
    #[serde(default)]
    pub measured: Measured,
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
    /// Candidates by strategy, in the order of [`Strategy::ALL`].
    pub candidates: [u64; 3],
    /// Candidates by strategy that earlier rounds planned and aimed at nothing: where the visit of the seeds goes on.
    pub visited: [u64; 3],
    /// Those of the candidates that are aimed at concepts under their target.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aims: Vec<Aim>,
    /// Where each concept stood when the round was planned.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub concepts: Vec<Standing>,
    /// How answers without a reference are decided on, and how often wrong ones are asked for again; plans of older versions do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<Rule>,
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
    /// Candidates by strategy that are aimed at no concept.
    pub fn free(&self) -> [u64; 3] {
        let aimed = aims::total(&self.aims);
        std::array::from_fn(|i| self.candidates[i].saturating_sub(aimed[i]))
    }
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

/// What comes next.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Next {
    /// Another round.
    Round(Box<Plan>),
    /// The run has reached its end.
    End(End),
}

/// Rounds beyond the planned ones that use up what estimates left over.
const EXTRA_ROUNDS: u32 = 32;
/// Share of what is affordable that a round of uncertain cost plans: the rest is for the next, better informed one.
const CAUTION: f64 = 0.95;
/// Candidates a barren round must have had before it ends the run.
const BARREN_CANDIDATES: u64 = 50;
/// Margin on what judging and embedding are expected to need.
const LATER_STAGES_MARGIN: f64 = 1.5;

/// Decides what comes next.
pub fn next(snapshot: &Snapshot, policy: &Policy) -> Next {
    let accepted: u64 = snapshot.tallies.iter().map(|tally| tally.accepted).sum();
    let wanted = policy.rows_max.saturating_sub(accepted);
    if wanted == 0 {
        return Next::End(End::RowsReached(policy.rows_max_reason.clone()));
    }
    if let Some(last) = &snapshot.last {
        // A call costs less than its worst case, so that little is left over which expected costs still find affordable.
        // Should the limit be raised, it pays for more.
        if 2 * last.unfunded > last.candidates && last.limit.is_none_or(|limit| limit == snapshot.limit) {
            return Next::End(End::BudgetSpent);
        }
        if last.candidates >= BARREN_CANDIDATES && last.accepted == 0 {
            return Next::End(End::NothingGained);
        }
    }
    let estimates = current(snapshot, policy);
    let beyond = policy.steering.is_none_or(|steering| steering.beyond);
    let aims = match aims::wanted(snapshot, policy, &estimates) {
        Wanted::Aims(aims) => aims,
        Wanted::Met if !beyond => return Next::End(End::TargetsMet),
        Wanted::OutOfReach { aimed, counted } if !beyond => {
            return Next::End(End::GainTooSmall { aimed, counted });
        }
        Wanted::Nothing | Wanted::Met | Wanted::OutOfReach { .. } => Vec::new(),
    };
    let (free_mix, budget_ratio, reason) = choose(snapshot, policy, &estimates);
    let first_production = u32::from(policy.pilot > 0.0);
    let purpose = if snapshot.rounds_done < first_production {
        Purpose::Pilot
    } else {
        Purpose::Production
    };
    let aims = match purpose {
        Purpose::Pilot => aims::explored(aims, policy),
        Purpose::Production => aims,
    };
    let mix = if !aims.is_empty() {
        aims::mix(&aims)
    } else if purpose == Purpose::Pilot {
        pilot_mix(policy, &free_mix, budget_ratio, snapshot, &estimates)
    } else {
        free_mix
    };
    let affordable = affordable(snapshot, &estimates, &mix);
    let size = match purpose {
        Purpose::Pilot => (affordable * policy.pilot).floor().max(1.0).min(affordable),
        Purpose::Production => {
            let done = snapshot.rounds_done - first_production;
            let left = policy.rounds.saturating_sub(done).max(1);
            let cautious =
                if left == 1 && !certain(snapshot, policy, &mix) && done < policy.rounds + EXTRA_ROUNDS {
                    (affordable * CAUTION).max(affordable.min(1.0))
                } else {
                    affordable
                };
            (cautious / f64::from(left)).ceil().min(affordable)
        }
    };
    let size = (size.floor().max(0.0) as u64).min(wanted);
    if size == 0 {
        return Next::End(End::BudgetSpent);
    }
    let reason = if aims.is_empty() {
        reason
    } else {
        aims::reason(snapshot, &aims)
    };
    let steered = !aims.is_empty();
    let aims = aims::limited(aims, size);
    let aimed = aims::total(&aims);
    let free = match size - aimed.iter().sum::<u64>() {
        // What filling the gaps leaves of the round goes on only where more rows are wanted.
        _ if steered && !beyond => [0; 3],
        rest if steered => cap_rephrasings(snapshot, policy, &estimates, free_mix.split(rest)),
        rest => cap_rephrasings(snapshot, policy, &estimates, mix.split(rest)),
    };
    let candidates: [u64; 3] = std::array::from_fn(|i| aimed[i] + free[i]);
    if candidates.iter().sum::<u64>() == 0 {
        return Next::End(End::SeedsUsedUp);
    }
    let rule = policy.evidence.map(|terms| Rule::new(&snapshot.measured, &terms));
    if let (Some(rule), Some(terms), Purpose::Production) = (&rule, &policy.evidence, purpose)
        && terms.required
        && !rule.meets_target
        && candidates[2] > 0
    {
        return Next::End(End::AccuracyOutOfReach {
            target: rule.target,
            best: rule.expected.accuracy.mean,
        });
    }
    let expected = expect(&estimates, candidates);
    Next::Round(Box::new(Plan {
        round: snapshot.rounds_done,
        purpose,
        candidates,
        visited: std::array::from_fn(|i| {
            let aimed = snapshot
                .concepts
                .iter()
                .map(|concept| concept.yields[i].tally.candidates);
            snapshot.tallies[i].candidates.saturating_sub(aimed.sum())
        }),
        concepts: snapshot
            .concepts
            .iter()
            .map(|concept| concept.standing.clone())
            .collect(),
        aims,
        rule,
        mix,
        limit: Some(snapshot.limit),
        budget_ratio,
        reason,
        change: describe_change(snapshot, policy, &estimates, &mix),
        generate_limit: generate_limit(snapshot, &expected),
        expected,
    }))
}

/// Marks the concepts that no round will aim at any more, with what was tried; to be called when a round has ended.
pub fn give_up(snapshot: &mut Snapshot, policy: &Policy) {
    let estimates = current(snapshot, policy);
    aims::give_up(snapshot, policy, &estimates);
}

/// What all that is left of the budget is expected to bring, by the mix in force.
pub fn outlook(snapshot: &Snapshot, policy: &Policy) -> Expected {
    let estimates = current(snapshot, policy);
    let accepted: u64 = snapshot.tallies.iter().map(|tally| tally.accepted).sum();
    let wanted = policy.rows_max.saturating_sub(accepted) as f64;
    let rows = |candidates: [u64; 3]| expect(&estimates, candidates).rows;
    let beyond = policy.steering.is_none_or(|steering| steering.beyond);
    let aims = match aims::wanted(snapshot, policy, &estimates) {
        Wanted::Aims(aims) => aims,
        Wanted::Met | Wanted::OutOfReach { .. } if !beyond => return Expected::default(),
        Wanted::Nothing | Wanted::Met | Wanted::OutOfReach { .. } => Vec::new(),
    };
    let mut aimed = [0; 3];
    if !aims.is_empty() {
        let affordable = affordable(snapshot, &estimates, &aims::mix(&aims));
        aimed = aims::total(&aims::limited(aims, affordable as u64));
        if !beyond {
            return expect(&estimates, aimed);
        }
    }
    let (mix, _, _) = choose(snapshot, policy, &estimates);
    let acceptance: f64 = mix
        .shares()
        .iter()
        .zip(&estimates)
        .map(|(share, e)| share * e.acceptance)
        .sum();
    let still = (wanted - rows(aimed)).max(0.0) / acceptance.max(0.01);
    let all = affordable(snapshot, &estimates, &mix) - aimed.iter().sum::<u64>() as f64;
    let free = cap_rephrasings(
        snapshot,
        policy,
        &estimates,
        mix.split(all.min(still).max(0.0) as u64),
    );
    expect(&estimates, std::array::from_fn(|i| aimed[i] + free[i]))
}

fn current(snapshot: &Snapshot, policy: &Policy) -> [Estimate; 3] {
    std::array::from_fn(|i| policy.prior[i].after(&snapshot.tallies[i]))
}

fn expect(estimates: &[Estimate; 3], candidates: [u64; 3]) -> Expected {
    let mut expected = Expected::default();
    for (estimate, count) in estimates.iter().zip(candidates) {
        let count = count as f64;
        expected.candidates += count;
        expected.rows += count * estimate.acceptance;
        for (stage, cost) in estimate.stages.iter().enumerate() {
            expected.calls[stage] += count * cost.calls;
            expected.usd_micros[stage] += count * cost.usd_micros;
            expected.input_tokens += count * cost.input_tokens;
            expected.output_tokens += count * cost.output_tokens;
        }
    }
    expected
}

/// What generating may use of the run's limit: all but what the later stages have used and will need.
fn generate_limit(snapshot: &Snapshot, expected: &Expected) -> Limit {
    let later = |of: &dyn Fn(&StageCost) -> f64| -> f64 {
        snapshot
            .tallies
            .iter()
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

fn describe_change(snapshot: &Snapshot, policy: &Policy, estimates: &[Estimate; 3], mix: &Mix) -> String {
    let Some(before) = snapshot.last.map(|last| last.mix) else {
        return String::new();
    };
    let mut words: Vec<String> = Vec::new();
    for (i, strategy) in Strategy::ALL.into_iter().enumerate() {
        let tally = &snapshot.tallies[i];
        if tally.candidates > 0 {
            words.push(format!(
                "{strategy}: {} of {} accepted so far, so {:.0} % expected ({:.0} % before the first round), at {:.1} calls a candidate",
                tally.accepted,
                tally.candidates,
                100.0 * estimates[i].acceptance,
                100.0 * policy.prior[i].acceptance,
                estimates[i].calls(),
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

/// Costs by stage as a map, for reports.
pub fn by_stage(values: &[f64; 3]) -> BTreeMap<Stage, f64> {
    Stage::ALL.into_iter().zip(values.iter().copied()).collect()
}
