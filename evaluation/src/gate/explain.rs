//! A decision in plain English.

use gristmill_domain::words::many;

use super::{CheckOutcome, GateCheck, GateDecision, GateRule};

/// Slices that hold are listed in full up to here.
const SLICES_MAX: usize = 3;

/// The decision first, then what it rests on, then the rest.
pub(super) fn paragraph(decision: &GateDecision, checks: &[GateCheck]) -> String {
    let holds = holding(checks);
    let is_open = |check: &&GateCheck| matches!(check.outcome, CheckOutcome::Open { .. });
    let open = checks.iter().filter(is_open).count() as u64;
    let mut sentences: Vec<String> = Vec::new();
    match decision {
        GateDecision::Pass => sentences.push("The student passes: every rule is shown to hold.".to_owned()),
        GateDecision::Fail { reasons } => {
            sentences.push("The student fails.".to_owned());
            sentences.extend(reasons.iter().cloned());
            if open > 0 {
                let are = if open == 1 { "is" } else { "are" };
                sentences.push(format!("{} {are} open besides.", many(open, "rule")));
            }
        }
        GateDecision::Inconclusive {
            items_needed,
            reasons,
        } => {
            sentences.push("The student does not pass yet, because the data do not decide.".to_owned());
            sentences.extend(reasons.iter().cloned());
            sentences.push(match items_needed {
                Some(items) => format!(
                    "About {} in all would decide, were the figures to stay as they are.",
                    many(*items, "item")
                ),
                None => "More items alone would not decide it.".to_owned(),
            });
        }
    }
    if !holds.is_empty() {
        if *decision != GateDecision::Pass {
            sentences.push("This much holds:".to_owned());
        }
        sentences.extend(holds);
    }
    sentences.join(" ")
}

/// What is shown to hold, many slices in one sentence.
fn holding(checks: &[GateCheck]) -> Vec<String> {
    let holds = checks.iter().filter(|check| check.outcome == CheckOutcome::Holds);
    let (slices, others): (Vec<&GateCheck>, Vec<&GateCheck>) =
        holds.partition(|check| matches!(check.rule, GateRule::NotWorseIn(_)));
    let mut sentences: Vec<String> = others.iter().map(|check| check.detail.clone()).collect();
    if slices.len() > SLICES_MAX {
        sentences.push(format!(
            "In {} accuracy did not fall by more than it may.",
            many(slices.len() as u64, "slice")
        ));
    } else {
        sentences.extend(slices.iter().map(|check| check.detail.clone()));
    }
    sentences
}
