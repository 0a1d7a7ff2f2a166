//! What a job would do and cost, before anything is spent.

use gristmill_coordinator::{check_cost, check_plan, policy, snapshot_before, uncovered_share};
use gristmill_domain::amount::{Amount, MicroUsd};
use gristmill_domain::job::{Job, Mutators};
use gristmill_domain::plan::{End, Expected, Forecast, Next, Plan, Purpose, forecast, next, outlook};
use gristmill_domain::stage::Stage;
use gristmill_domain::strategy::{ByStrategy, Strategy};
use gristmill_domain::words::{many, thousands};

use crate::certainty::{prices, prices_in_words};
use crate::forecast::lines as forecast_lines;
use crate::prepared::Prepared;
use crate::survey::{Survey, narrow, stops_narrow};
use crate::warnings::{Asked, of_job as job_warnings};

/// Calls from which the measuring of the teacher is told apart: of fewer, rounding may be the cause.
const MEASURING_MIN: u64 = 2;

/// What a job would do and cost.
#[derive(Debug)]
pub struct PlanView {
    /// What a person should know before anything is spent, a line each.
    pub warnings: Vec<String>,
    /// For programs.
    pub json: serde_json::Value,
    /// For people.
    pub text: String,
}

/// Looks at what a job would do and cost. `survey` says where its concepts stand, for a job that has any.
///
/// # Errors
/// Seeds that cannot be read, and a job that cannot be planned.
pub fn plan(prepared: &Prepared, survey: Option<Survey>) -> anyhow::Result<PlanView> {
    let mut warnings = prepared.warnings()?;
    let limit = prepared.start.limit;
    let policy = policy(&prepared.setup, &prepared.seeds)?;
    let mut snapshot = snapshot_before(&prepared.seeds, limit);
    let check = check_plan(&prepared.setup, &prepared.seeds, limit)?;
    let check = check
        .map(|check| Ok::<_, anyhow::Error>((check_cost(&prepared.setup, &prepared.seeds, &check)?, check)));
    let check = check.transpose()?;
    if let Some((cost, _)) = &check {
        // It is paid before the first round.
        snapshot.used = *cost;
    }
    if let (Some(concepts), Some(survey)) = (&prepared.start.job.concepts, survey) {
        snapshot.concepts = survey.by_seeds.concepts;
        if stops_narrow(concepts)
            && let Some(why) = narrow(&snapshot.concepts, concepts)
        {
            warnings.push(format!(
                "{why}; a run would stop, unless it is accepted by name with `--set concepts.accept=narrow`"
            ));
        }
        snapshot.uncovered_share = uncovered_share(&snapshot.concepts, concepts.covered_from);
    }
    let outlook = outlook(&snapshot, &policy);
    let forecast = forecast(&snapshot, &policy);
    let first = next(&snapshot, &policy);
    // The pilot's mix measures strategies; the reason and the mix of the whole are those of the round after it.
    let mut whole = snapshot.clone();
    whole.rounds_done = 1;
    let after_pilot = next(&whole, &policy);
    let [pilot, production] = [&first, &after_pilot].map(|next| match next {
        Next::Round(plan) => Some(plan),
        Next::End(_) => None,
    });
    if let Some(plan) = production {
        let pilot = pilot.map_or_else(ByStrategy::default, |pilot| pilot.candidates);
        let asked = Asked {
            rephrasings: plan.candidates[Strategy::Rephrasing] + pilot[Strategy::Rephrasing] > 0,
            new_questions: plan.candidates[Strategy::NewQuestion] + pilot[Strategy::NewQuestion] > 0,
        };
        warnings.extend(job_warnings(&prepared.start.job, asked));
    }
    let rows = outlook.rows.round() as u64;
    if let Some(wanted) = prepared
        .start
        .job
        .generate
        .rows
        .filter(|wanted| 10 * rows < 9 * wanted)
    {
        warnings.push(format!(
            "the run is expected to bring {} of the {} rows that `generate.rows` wants",
            thousands(rows),
            thousands(wanted)
        ));
    }
    let votes = production.or(pilot).is_some_and(|plan| {
        agreement_decides(&prepared.start.job, plan, prepared.setup.new_questions_vote())
    });
    let terms = policy.evidence.filter(|_| votes);
    let prices = terms.as_ref().map(prices);
    let summary = prepared.seeds.summary();
    let json = serde_json::json!({
        "run": prepared.setup.run, "seeds": summary, "bad_rows": prepared.bad_rows.count,
        "synthetic_rows": prepared.synthetic.count, "warnings": warnings,
        "skipped_documents": prepared.skipped.lines(), "left_out_of_documents": prepared.dropped, "limit": limit,
        "first_round": first, "strategy": production.map(|plan| serde_json::json!({
            "mix": plan.mix, "reason": plan.reason, "budget_ratio": plan.budget_ratio,
        })),
        "rows_max": policy.rows_max, "rows_max_reason": policy.rows_max_reason, "expected": outlook, "forecast": forecast, "prior": policy.prior,
        "teacher_check": check.as_ref().map(|(cost, check)| serde_json::json!({
            "teachers": check.teachers.len(), "questions": check.rows.len(), "cost": cost, "min_accuracy": prepared.start.job.min_accuracy(),
        })),
        "agreement": terms.map(|terms| serde_json::json!({ "terms": terms, "prices": prices })),
    });
    let mut text = format!("run {}\n", prepared.setup.run);
    let splits: Vec<String> = summary
        .splits
        .iter()
        .map(|(split, rows)| format!("{rows} {split}"))
        .collect();
    text.push_str(&format!(
        "seeds      {} rows ({}) in {} groups, {} repeated, {} unusable, {} synthetic, {} labels\n",
        thousands(summary.rows),
        splits.join(", "),
        thousands(summary.groups),
        summary.repeated,
        prepared.bad_rows.count,
        prepared.synthetic.count,
        summary.concepts.len()
    ));
    if prepared.start.job.seeds.documents.is_some() {
        text.push_str(&format!(
            "documents  {} of {}, {} left to held-out rows, {} skipped\n",
            many(summary.passages, "passage"),
            many(summary.documents, "document"),
            many(summary.held_out_passages, "passage"),
            many(prepared.skipped.count, "file")
        ));
        for (why, amount) in prepared.dropped.told() {
            text.push_str(&format!("left out   {why}: {amount}\n"));
        }
    }
    if summary.existing > 0 {
        text.push_str(&format!(
            "existing   {} that new ones may not repeat\n",
            many(summary.existing, "row")
        ));
    }
    match (&after_pilot, &first) {
        (Next::Round(plan), _) => {
            let mix: Vec<String> = Strategy::ALL
                .into_iter()
                .map(|strategy| format!("{strategy} {:.0} %", 100.0 * plan.mix.share(strategy)))
                .collect();
            text.push_str(&format!(
                "strategy   {}\n           {}\n",
                mix.join(", "),
                plan.reason
            ));
        }
        (Next::End(_), Next::End(end)) => text.push_str(&format!("strategy   none: {end}\n")),
        (Next::End(end @ End::AccuracyOutOfReach { .. }), Next::Round(_)) => text.push_str(&format!(
            "strategy   none after the pilot, unless the teacher is better than they mostly are: {end}\n"
        )),
        (Next::End(_), Next::Round(_)) => {}
    }
    if !prepared.start.job.generate.recipes.is_empty() {
        let planned = [&after_pilot, &first].into_iter().find_map(|next| match next {
            Next::Round(plan) => Some(plan),
            Next::End(_) => None,
        });
        let recipes = planned.map(|plan| &plan.recipes).into_iter().flatten();
        let each: Vec<String> = recipes
            .map(|planned| format!("{} {}", thousands(planned.candidates), planned.recipe))
            .collect();
        text.push_str(&format!("recipes    of the next round: {}\n", each.join(", ")));
    }
    if let (Some(terms), Some(prices)) = (&terms, &prices) {
        text.push_str(&prices_in_words(terms, prices));
    }
    if let Some(mutators) = &prepared.start.job.generate.mutators {
        text.push_str(&format!("mutators   {}\n", in_words(mutators)));
    }
    if let Some((cost, check)) = &check {
        text.push_str(&format!(
            "teacher    related to the student: asked {} first, {}; the run goes on only if at least {:.0} % right is shown\n",
            many(check.rows.len() as u64, "validation row"),
            cost.in_words(),
            100.0 * prepared.start.job.min_accuracy()
        ));
    }
    if let Next::Round(plan) = &first
        && plan.purpose == Purpose::Pilot
    {
        text.push_str(&format!(
            "pilot      {} candidates, {} calls at most\n",
            thousands(plan.candidates.total()),
            thousands(plan.expected.calls.iter().sum::<f64>().ceil() as u64)
        ));
    }
    text.push_str(&forecast_lines(
        &forecast,
        &prepared.start.job.generate,
        &policy,
        limit,
    ));
    text.push_str(&format!(
        "in all     {} candidates, {} prompt + {} completion tokens\n",
        thousands(outlook.candidates as u64),
        thousands(outlook.input_tokens as u64),
        thousands(outlook.output_tokens as u64)
    ));
    let check = check.as_ref().map(|(cost, _)| *cost);
    text.push_str(&parts(&outlook, &forecast, check.unwrap_or_default()));
    text.push_str("nothing was spent");
    Ok(PlanView { warnings, json, text })
}

/// True where a plan asks for rows that only the agreement of several answers decides.
fn agreement_decides(job: &Job, plan: &Plan, new_vote: bool) -> bool {
    let voted = plan.candidates[Strategy::NewQuestion] > 0 && new_vote || !job.seeds.fields.has_references();
    voted && job.answers_vote()
}

/// `2 evolutions, 1 persona, 0 styles; half of the questions asked for`.
fn in_words(mutators: &Mutators) -> String {
    let names = |names: Vec<&str>| {
        if names.is_empty() {
            "none".to_owned()
        } else {
            names.join(", ")
        }
    };
    let personas = match &mutators.personas_file {
        Some(file) => format!("{} and those in {}", mutators.personas.len(), file.display()),
        None => mutators.personas.len().to_string(),
    };
    format!(
        "evolutions {}; styles {}; personas {personas}; for {:.0} % of the questions",
        names(
            mutators
                .evolutions
                .iter()
                .map(|evolution| evolution.as_str())
                .collect()
        ),
        names(mutators.styles.iter().map(|style| style.as_str()).collect()),
        100.0 * mutators.share
    )
}

/// What the expected costs consist of, as a table whose lines add up to them: `check` is what asking a related teacher first costs.
fn parts(rows: &Expected, whole: &Forecast, check: Amount) -> String {
    let mut text = String::new();
    let mut line = |name: &str, calls: u64, usd: u64, what: &str| {
        if calls > 0 {
            let (calls, usd) = (thousands(calls), MicroUsd(usd).to_string());
            let what = if what.is_empty() {
                String::new()
            } else {
                format!("  {what}")
            };
            text.push_str(&format!("  {name:<9} {calls:>10} calls  {usd:>10}{what}\n"));
        }
    };
    let (mut calls, mut usd) = (check.calls, check.usd.0);
    line(
        "check",
        check.calls,
        check.usd.0,
        "of the teacher, on validation rows",
    );
    for (i, stage) in Stage::ALL.into_iter().enumerate() {
        let of_stage = (rows.calls[i].round() as u64, rows.usd_micros[i].round() as u64);
        calls += of_stage.0;
        usd += of_stage.1;
        line(stage.name(), of_stage.0, of_stage.1, "");
    }
    let left = |whole: f64, listed: u64| (whole.round() as u64).saturating_sub(listed);
    let (calls, usd) = (
        left(whole.calls.expected, calls),
        left(whole.usd_micros.expected, usd),
    );
    // Below it is what rounding leaves.
    if calls >= MEASURING_MIN {
        let what = "seeds asked anew to see how often the teacher is right; no rows come of it";
        line("measuring", calls, usd, what);
    }
    text
}

#[cfg(test)]
mod tests {
    use gristmill_domain::plan::Range;

    use super::*;

    #[test]
    fn the_parts_add_up_to_what_the_run_costs() {
        let rows = Expected {
            calls: [21_368.0, 0.0, 0.0],
            usd_micros: [2_620_000.0, 0.0, 0.0],
            ..Expected::default()
        };
        let range = |expected| Range {
            expected,
            ..Range::default()
        };
        let whole = Forecast {
            calls: range(21_500.0),
            usd_micros: range(2_650_000.0),
            ..Forecast::default()
        };
        let check = Amount {
            calls: 36,
            usd: MicroUsd(10_000),
            ..Amount::ZERO
        };
        let told = parts(&rows, &whole, check);
        let lines: Vec<&str> = told.lines().collect();
        assert_eq!(lines.len(), 3, "{told}");
        assert!(
            lines[0].starts_with("  check             36 calls     $0.0100  "),
            "{told}"
        );
        assert_eq!(lines[1], "  generate      21,368 calls       $2.62");
        assert!(
            lines[2].starts_with("  measuring         96 calls     $0.0200  "),
            "{told}"
        );
    }
}
