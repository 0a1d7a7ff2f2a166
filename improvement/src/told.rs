//! A loop in words.

use gristmill_domain::amount::MicroUsd;
use gristmill_domain::words::{first_of, many, signed, thousands};
use gristmill_evaluation::{PairedComparison, PointsPerUnit, Proportion};

use crate::cost::Cost;
use crate::policy::Stop;
use crate::record::{Generation, Headline, Record};

/// Concepts that are named in a line.
const NAMED: usize = 4;

/// One generation, in a few lines.
pub fn generation_text(generation: &Generation) -> String {
    let grant = &generation.grant;
    let mut text = format!(
        "generation {}: {} accepted for {}; {} real and {} synthetic rows\n",
        grant.generation,
        many(generation.accepted, "row"),
        money(generation.costs.rows),
        thousands(generation.real),
        thousands(generation.synthetic),
    );
    if generation.known > 0 {
        text.push_str(&format!(
            "  left out: {} that the student before had right\n",
            many(generation.known, "row")
        ));
    }
    if !grant.aims.is_empty() {
        let aims = grant.aims.iter();
        let aims: Vec<String> = aims
            .map(|aim| format!("{} ({} wrong)", aim.concept, aim.wrong))
            .collect();
        text.push_str(&format!("  aimed at: {}\n", first_of(&aims, NAMED)));
    }
    text.push_str(&format!(
        "  validation: {}",
        accuracy(&generation.student.accuracy)
    ));
    if let Some(change) = &generation.change {
        text.push_str(&format!(", {}", changed(change)));
    }
    text.push('\n');
    text
}

/// The whole loop, and why it ended.
pub fn record_text(record: &Record, end: Stop) -> String {
    let mut text = String::new();
    if let Some(base) = &record.base {
        text.push_str(&format!("base {}: {}\n", base.model, accuracy(&base.accuracy)));
    }
    for generation in &record.generations {
        text.push_str(&generation_text(generation));
    }
    let used = record.used();
    text.push_str(&format!(
        "ended: {end}; {} in {}\n",
        money(used),
        many(record.generations.len() as u64, "generation")
    ));
    if let Some(headline) = &record.headline {
        text.push_str(&headline_text(headline));
    }
    text
}

fn headline_text(headline: &Headline) -> String {
    let rows = match headline.test {
        true => "test",
        false => "validation",
    };
    let mut text = format!(
        "best: generation {}, {} on {rows} rows",
        headline.generation,
        accuracy(&headline.accuracy)
    );
    if let Some(change) = &headline.change {
        text.push_str(&format!(", {} against its base", changed(change)));
    }
    text.push('\n');
    match headline.earned {
        Some(earned) => text.push_str(&format!(
            "{} points a {} ({} to {})\n",
            signed(earned.value),
            headline.unit,
            signed(earned.interval.low),
            signed(earned.interval.high)
        )),
        None if headline.change.is_some() && headline.cost.in_units().0 < PointsPerUnit::UNITS_MIN => {
            text.push_str(&format!(
                "no points a {}: {} is too little to divide by\n",
                headline.unit,
                money(headline.cost)
            ));
        }
        None => {}
    }
    if !headline.test {
        text.push_str(
            "the job holds out no test rows: these are the rows that the loop aimed at, so that the figure is too good\n",
        );
    }
    text
}

/// What something cost: money, or calls where it cost none.
fn money(cost: Cost) -> String {
    match cost.usd {
        MicroUsd(0) => many(cost.calls, "call"),
        usd => usd.to_string(),
    }
}

/// `61.2 % (55.0 to 67.0)`.
fn accuracy(found: &Proportion) -> String {
    format!(
        "{:.1} % ({:.1} to {:.1})",
        100.0 * found.value,
        100.0 * found.interval.low,
        100.0 * found.interval.high
    )
}

/// `+3.1 points (−0.4 to +6.6)`.
fn changed(change: &PairedComparison) -> String {
    format!(
        "{} points ({} to {})",
        signed(100.0 * change.change),
        signed(100.0 * change.interval.low),
        signed(100.0 * change.interval.high)
    )
}
