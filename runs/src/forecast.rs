//! What a run is expected to come to, in words: one figure with its interval, what ends the run, and what to do with a budget that is not used.

use gristmill_domain::amount::{Limit, MicroUsd};
use gristmill_domain::job::{Generate, StrategyChoice};
use gristmill_domain::plan::{Bound, Forecast, Policy, Range};
use gristmill_domain::words::thousands;

/// Share of the budget from which what is left of it is worth a word.
const WORTH_A_WORD: f64 = 0.05;

/// The lines of a plan that say what the run comes to.
pub(crate) fn lines(forecast: &Forecast, generate: &Generate, policy: &Policy, limit: Limit) -> String {
    let mut text = format!(
        "expected   {} rows; nine times in ten, {} to {}\n",
        count(forecast.rows.expected),
        count(forecast.rows.low),
        count(forecast.rows.high)
    );
    text.push_str(&format!(
        "costs      {} calls ({} to {}), {} ({} to {})\n",
        count(forecast.calls.expected),
        count(forecast.calls.low),
        count(forecast.calls.high),
        usd(forecast.usd_micros.expected),
        usd(forecast.usd_micros.low),
        usd(forecast.usd_micros.high)
    ));
    text.push_str(&format!("ends by    {}\n", ends_by(forecast.bound, policy)));
    if let Some(unused) = unused(forecast, limit) {
        text.push_str(&format!(
            "unused     {unused}. {}\n",
            way_out(forecast, generate, limit)
        ));
    }
    text
}

fn ends_by(bound: Bound, policy: &Policy) -> String {
    match bound {
        Bound::Budget => format!(
            "the budget; {} rows would be the most, since {}",
            thousands(policy.rows_max),
            policy.rows_max_reason
        ),
        Bound::Rows => policy.rows_max_reason.clone(),
        Bound::Seeds => {
            "the seeds: they have no room for further rephrasings, or bring nothing new any more".to_owned()
        }
        Bound::Targets => "the targets: every concept has the rows that are wanted of it".to_owned(),
    }
}

/// `$0.44 of $1.00`: what is left of the budget where something else ends the run. Of two limits, that of which less is left.
fn unused(forecast: &Forecast, limit: Limit) -> Option<String> {
    let left = |limit: Option<u64>, used: f64| limit.map(|limit| (limit as f64 - used).max(0.0));
    let usd_left = left(limit.usd.map(|usd| usd.0), forecast.usd_micros.expected);
    let calls_left = left(limit.calls, forecast.calls.expected);
    let share = |left: Option<f64>, limit: Option<u64>| {
        left.zip(limit).map(|(left, limit)| left / limit.max(1) as f64)
    };
    let shares = [
        share(usd_left, limit.usd.map(|usd| usd.0)),
        share(calls_left, limit.calls),
    ];
    let least = shares.iter().flatten().copied().fold(f64::INFINITY, f64::min);
    if forecast.bound == Bound::Budget || !least.is_finite() || least < WORTH_A_WORD {
        return None;
    }
    let money = usd_left
        .zip(limit.usd)
        .map(|(left, limit)| format!("{} of {limit}", usd(left)));
    let calls = calls_left
        .zip(limit.calls)
        .map(|(left, limit)| format!("{} of {} calls", count(left), thousands(limit)));
    Some(money.into_iter().chain(calls).collect::<Vec<_>>().join(" and "))
}

/// What to do with what is left of the budget.
fn way_out(forecast: &Forecast, generate: &Generate, limit: Limit) -> String {
    let more = match forecast.bound {
        Bound::Budget => "To make more rows, give a larger budget",
        Bound::Rows
            if generate
                .rows
                .is_some_and(|rows| forecast.rows.expected + 0.5 >= rows as f64) =>
        {
            "To make more rows of it, raise `generate.rows`"
        }
        Bound::Rows => "To make more rows of it, add seeds or raise `anchor.max_synthetic_share`",
        Bound::Seeds if generate.strategy != StrategyChoice::Auto => {
            "To make more rows of it, add seeds, set `generate.strategy: auto`, or raise `generate.rephrasings_per_seed`"
        }
        Bound::Seeds => "To make more rows of it, add seeds or raise `generate.rephrasings_per_seed`",
        Bound::Targets => {
            "To make more rows of it, raise the concepts' targets, or set `generate.rows` for rows beyond them"
        }
    };
    // Where all of the budget may yet be needed, none is too much.
    let spare = |high: f64, limit: u64| high < (1.0 - WORTH_A_WORD) * limit as f64;
    let enough = match (limit.usd, limit.calls) {
        (Some(most), _) if spare(forecast.usd_micros.high, most.0) => usd(forecast.usd_micros.high),
        (None, Some(most)) if spare(forecast.calls.high, most) => {
            format!("{} calls", count(forecast.calls.high))
        }
        _ => return format!("{more}."),
    };
    format!("{more}; as it is, a budget of {enough} is enough.")
}

fn count(figure: f64) -> String {
    thousands(figure.round() as u64)
}

fn usd(micros: f64) -> String {
    MicroUsd(micros.round() as u64).to_string()
}

/// `1,204 [1,050, 1,380]`.
pub(crate) fn interval(range: &Range) -> String {
    format!(
        "{} [{}, {}]",
        count(range.expected),
        count(range.low),
        count(range.high)
    )
}

/// The same of micro-dollars.
pub(crate) fn interval_usd(range: &Range) -> String {
    format!(
        "{} [{}, {}]",
        usd(range.expected),
        usd(range.low),
        usd(range.high)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(low: f64, expected: f64, high: f64) -> Range {
        Range { low, expected, high }
    }

    fn policy(rows_max: u64) -> Policy {
        let prior = gristmill_domain::strategy::ByStrategy::default();
        Policy {
            strategy: StrategyChoice::Auto,
            rows_max,
            rows_max_reason: format!(
                "96 real rows allow {rows_max} synthetic ones under the ceiling of 95 %"
            ),
            pilot: 0.05,
            rounds: 4,
            rephrasings_per_seed: 4,
            prior,
            steering: None,
            calibrates: false,
            evidence: None,
            recipes: Vec::new(),
        }
    }

    #[test]
    fn a_run_that_its_ceiling_ends_says_so_once_and_what_the_rest_is_good_for() {
        let forecast = Forecast {
            rows: range(1_790.0, 1_824.0, 1_824.0),
            calls: range(2_600.0, 3_100.0, 4_200.0),
            usd_micros: range(410_000.0, 560_000.0, 800_000.0),
            bound: Bound::Rows,
        };
        let limit = Limit {
            usd: Some(MicroUsd(1_000_000)),
            calls: None,
        };
        let text = lines(&forecast, &Generate::default(), &policy(1_824), limit);
        assert_eq!(
            text,
            "expected   1,824 rows; nine times in ten, 1,790 to 1,824\n\
             costs      3,100 calls (2,600 to 4,200), $0.5600 ($0.4100 to $0.8000)\n\
             ends by    96 real rows allow 1824 synthetic ones under the ceiling of 95 %\n\
             unused     $0.4400 of $1.00. To make more rows of it, add seeds or raise `anchor.max_synthetic_share`; as it is, a budget of $0.8000 is \
             enough.\n"
        );
    }

    #[test]
    fn a_budget_that_is_used_up_leaves_nothing_to_say() {
        let forecast = Forecast {
            rows: range(300.0, 400.0, 500.0),
            calls: range(1_900.0, 2_000.0, 2_000.0),
            usd_micros: range(0.0, 0.0, 0.0),
            bound: Bound::Budget,
        };
        let limit = Limit {
            usd: None,
            calls: Some(2_000),
        };
        let text = lines(&forecast, &Generate::default(), &policy(9_000), limit);
        assert!(
            text.contains("ends by    the budget; 9,000 rows would be the most"),
            "{text}"
        );
        assert!(!text.contains("unused"), "{text}");
    }
}
