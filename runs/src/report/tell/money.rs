//! What candidates became, and what they cost.

use gristmill_domain::amount::MicroUsd;
use gristmill_domain::words::{figure, thousands};
use gristmill_picture::parts::{Bar, Bars, Table};
use gristmill_picture::report::FunnelStep;

use super::{percent, share_of};
use crate::assemble::{Manifest, Spend, Yield};
use crate::mutators;
use crate::report::gather::Gathered;

/// `$11.02 of $25.00, 812 of 1,000 calls`.
pub(super) fn spent_of(manifest: &Manifest) -> String {
    let (usd, calls) = (manifest.usd_micros(), manifest.calls());
    let mut parts = Vec::new();
    if usd > 0 || manifest.limit.usd.is_some() {
        parts.push(match manifest.limit.usd {
            Some(limit) => format!("{} of {limit}", MicroUsd(usd)),
            None => MicroUsd(usd).to_string(),
        });
        let burned = manifest.burned_usd_micros();
        if burned > 0 {
            parts.push(format!("{} of it burned", MicroUsd(burned)));
        }
    }
    parts.push(match manifest.limit.calls {
        Some(limit) => format!("{} of {} calls", thousands(calls), thousands(limit)),
        None => format!("{} calls", thousands(calls)),
    });
    parts.join(", ")
}

pub(super) fn funnel(manifest: &Manifest) -> Vec<FunnelStep> {
    let all = manifest.candidates;
    let mut left = all;
    let mut steps = vec![FunnelStep {
        name: "candidates".to_owned(),
        rows: thousands(all),
        left: 1.0,
        lost: 0.0,
        calls: String::new(),
        cost: String::new(),
    }];
    for (reason, loss) in &manifest.rejected {
        left = left.saturating_sub(loss.rows);
        steps.push(FunnelStep {
            name: format!("− {}", reason.label()),
            rows: thousands(loss.rows),
            left: share_of(left, all),
            lost: share_of(loss.rows, all),
            calls: thousands(loss.calls),
            cost: MicroUsd(loss.usd_micros).to_string(),
        });
    }
    steps.push(FunnelStep {
        name: "accepted".to_owned(),
        rows: thousands(manifest.rows.train_synthetic),
        left: share_of(manifest.rows.train_synthetic, all),
        lost: 0.0,
        calls: String::new(),
        cost: String::new(),
    });
    steps
}

pub(super) fn spending(manifest: &Manifest) -> Bars {
    let has_money = manifest.usd_micros() > 0;
    let size = |part: &Spend| if has_money { part.usd_micros() } else { part.calls };
    let largest = manifest.spend.iter().map(size).max().unwrap_or(0);
    let parts = manifest.spend.iter().map(|part| {
        let burned = if has_money { part.burned_usd_micros } else { 0 };
        Bar {
            name: format!("{} · {}", part.stage, part.model),
            full: share_of(size(part) - burned, largest),
            faint: share_of(burned, largest),
            cells: vec![
                MicroUsd(part.spent_usd_micros).to_string(),
                MicroUsd(part.burned_usd_micros).to_string(),
                thousands(part.calls),
                thousands(part.input_tokens),
                thousands(part.output_tokens),
            ],
        }
    });
    let heads = ["spent", "burned", "calls", "prompt tokens", "completion tokens"];
    Bars {
        of: format!(
            "Bars are {}: {}",
            if has_money { "money" } else { "calls" },
            spent_of(manifest)
        ),
        heads: heads.map(str::to_owned).to_vec(),
        rows: parts.collect(),
    }
}

pub(super) fn yields(manifest: &Manifest, gathered: &Gathered) -> Table {
    let line = |(name, part): (&String, &Yield)| {
        let a_row = |told: fn(&Yield) -> String| match part.accepted {
            0 => "–".to_owned(),
            _ => told(part),
        };
        vec![
            name.replace('_', " "),
            thousands(part.candidates),
            thousands(part.accepted),
            percent(share_of(part.accepted, part.candidates)),
            a_row(|part| figure(part.calls as f64 / part.accepted as f64)),
            a_row(|part| MicroUsd(part.usd_micros / part.accepted).to_string()),
        ]
    };
    let (mutated, _) = mutators::shown(&manifest.by_mutator);
    let heads = [
        if mutated.is_empty() {
            "recipe, strategy, reference, teacher"
        } else {
            "recipe, strategy, reference, mutator, teacher"
        },
        "candidates",
        "accepted",
        "share",
        "calls a row",
        "cost a row",
    ];
    let all = manifest
        .by_strategy
        .iter()
        .chain(&manifest.by_reference)
        .chain(mutated)
        .chain(&gathered.by_teacher);
    let recipes = manifest.told_recipes();
    let recipes = recipes
        .iter()
        .map(|recipe| (recipe.made.to_string(), &recipe.brought));
    Table {
        heads: heads.map(str::to_owned).to_vec(),
        rows: recipes
            .map(|(name, part)| line((&name, part)))
            .chain(all.map(line))
            .collect(),
    }
}
