//! What rounds brought: charts, and the same as tables.

use gristmill_coordinator::RoundReport;
use gristmill_domain::plan::Purpose;
use gristmill_domain::words::{figure, many, thousands};
use gristmill_measure::coverage::Coverage;
use gristmill_picture::lines::{Chart, Value};
use gristmill_picture::parts::Table;

use super::pair;
use crate::assemble::Manifest;
use crate::report::gather::Gathered;
use crate::report::measured::{Measured, UpTo};

/// `model` embedded the rows that the measures are of.
pub(super) fn charts(manifest: &Manifest, measured: &Measured, model: &str) -> Vec<Chart> {
    let value = |up_to: &UpTo, value: f64, between: Option<(f64, f64)>| Value {
        step: up_to.round.to_string(),
        value,
        between,
    };
    let mut charts = vec![Chart {
        measure: "accepted rows by round".to_owned(),
        depends: String::new(),
        colour: 1,
        values: manifest
            .rounds
            .iter()
            .map(|round| Value {
                step: round.plan.round.to_string(),
                value: round.accepted as f64,
                between: None,
            })
            .collect(),
        top: None,
    }];
    let diversity: Vec<Value> = measured
        .rounds
        .iter()
        .filter_map(|up_to| {
            let found = up_to.diversity.as_ref()?;
            Some(value(up_to, found.mean, Some((found.low, found.high))))
        })
        .collect();
    if let Some(found) = measured.rounds.iter().find_map(|up_to| up_to.diversity.as_ref()) {
        charts.push(Chart {
            measure: "DCScore up to each round".to_owned(),
            depends: format!(
                "τ = {}, n = {}, {model}",
                found.settings.tau,
                thousands(found.draws.size as u64)
            ),
            colour: 2,
            values: diversity,
            top: None,
        });
    }
    let novelty: Vec<Value> = measured
        .rounds
        .iter()
        .filter_map(|up_to| {
            let found = up_to.novelty.as_ref()?;
            Some(value(up_to, found.mean, Some((found.low, found.high))))
        })
        .collect();
    if let Some(found) = measured.rounds.iter().find_map(|up_to| up_to.novelty.as_ref()) {
        charts.push(Chart {
            measure: "NovelSum up to each round".to_owned(),
            depends: format!(
                "α = {}, β = {}, n = {}, densities by {} neighbours among {} real rows, {model}",
                found.settings.alpha,
                found.settings.beta,
                thousands(found.draws.size as u64),
                found.settings.neighbors,
                thousands(found.reference as u64)
            ),
            colour: 3,
            values: novelty,
            top: None,
        });
    }
    let covered: Vec<Value> = measured
        .rounds
        .iter()
        .filter_map(|up_to| Some(value(up_to, up_to.coverage.as_ref()?.coverage, None)))
        .collect();
    let last = measured
        .rounds
        .iter()
        .rev()
        .find_map(|up_to| up_to.coverage.as_ref());
    if let Some(found) = last {
        charts.push(Chart {
            measure: "real rows covered up to each round".to_owned(),
            depends: format!(
                "k = {}, {} real and {} synthetic rows at last, {model}",
                found.k,
                thousands(found.real as u64),
                thousands(found.n as u64)
            ),
            colour: 0,
            values: covered,
            top: Some(1.0),
        });
    }
    charts
}

pub(super) fn note(gathered: &Gathered, measured: &Measured) -> String {
    let drawn = if (gathered.made.len() as u64) < gathered.made_of {
        format!(
            "{} of {} accepted rows, drawn evenly; ",
            thousands(gathered.made.len() as u64),
            thousands(gathered.made_of)
        )
    } else {
        String::new()
    };
    let fixed = measured.rounds.iter().find_map(|up_to| up_to.diversity.as_ref());
    let draws = fixed.map_or_else(String::new, |found| {
        let real = measured.real.as_ref().map_or_else(String::new, |real| {
            format!(", where real rows have {}", figure(real.mean))
        });
        format!(
            " DCScore counts distinct rows among {} (mean of {} draws with their middle 95 %{real}).",
            thousands(found.draws.size as u64),
            found.draws.draws
        )
    });
    format!(
        "Of all rows accepted up to a round: {drawn}vectors of {} by {}.{draws}",
        gathered.vectors_of(),
        gathered.model()
    )
}

pub(super) fn table(manifest: &Manifest, measured: &Measured) -> Table {
    let heads = [
        "round",
        "candidates",
        "accepted",
        "DCScore",
        "NovelSum",
        "coverage",
        "density",
        "precision",
        "recall",
    ];
    let rows = manifest.rounds.iter().map(|round| {
        let figures = measured
            .rounds
            .iter()
            .find(|up_to| up_to.round == round.plan.round);
        let diversity = figures.and_then(|figures| figures.diversity.as_ref());
        let novelty = figures.and_then(|figures| figures.novelty.as_ref());
        let covered = figures.and_then(|figures| figures.coverage.as_ref());
        let dash = || "–".to_owned();
        let mut cells = vec![
            format!(
                "{}{}",
                round.plan.round,
                if round.plan.purpose == Purpose::Pilot {
                    " (pilot)"
                } else {
                    ""
                }
            ),
            thousands(round.decided),
            thousands(round.accepted),
            diversity.map_or_else(dash, |found| {
                let [mean, low, high] = [found.mean, found.low, found.high].map(figure);
                format!("{mean} [{low}, {high}]")
            }),
            novelty.map_or_else(dash, |found| {
                let [mean, low, high] = [found.mean, found.low, found.high].map(figure);
                format!("{mean} [{low}, {high}]")
            }),
        ];
        let figure = |of: fn(&Coverage) -> f64| covered.map_or_else(dash, |found| figure(of(found)));
        cells.extend([
            figure(|found| found.coverage),
            figure(|found| found.density),
            figure(|found| found.precision),
            figure(|found| found.recall),
        ]);
        cells
    });
    Table {
        heads: heads.map(str::to_owned).to_vec(),
        rows: rows.collect(),
    }
}

/// What a round was to do, and why.
pub(super) fn plan(round: &RoundReport) -> Vec<String> {
    let [answers, rephrased, new] = round.plan.candidates.into();
    let mut text = format!(
        "{}, {}, {}: {}",
        many(answers, "further answer"),
        many(rephrased, "rephrasing"),
        many(new, "new question"),
        round.plan.reason
    );
    if !round.plan.change.is_empty() {
        text.push_str(&format!(" Since the last round: {}.", round.plan.change));
    }
    pair(&format!("round {}", round.plan.round), text)
}
