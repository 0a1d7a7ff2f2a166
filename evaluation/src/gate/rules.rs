//! The rules, one by one.

use gristmill_domain::stats::{Interval, holm};
use gristmill_domain::words::{self, many, thousands};

use super::policy::GatePolicy;
use super::{CheckOutcome, GateCheck, GateInputs, GateRule, NotCompared, RegressionFigures};
use crate::collapse::CollapseStage;
use crate::confidence::Confidence;
use crate::fraction::is_fraction;
use crate::judge::{JudgeQuality, true_change};
use crate::paired::PairedComparison;
use crate::proportion::Proportion;
use crate::resolution::z_power;

const UNMEASURED: CheckOutcome = CheckOutcome::Open { items_needed: None };
const POWER: f64 = 0.8;

/// Every rule that the policy has, in its order.
pub(super) fn checks(policy: &GatePolicy, inputs: &GateInputs) -> Vec<GateCheck> {
    let mut checks = Vec::new();
    if let Some(least) = policy.min_accuracy {
        let (outcome, detail) = match is_fraction(least) {
            true => min_accuracy(least, inputs, policy.confidence),
            false => not_a_fraction("least accuracy", least),
        };
        checks.push(check(GateRule::MinAccuracy, outcome, detail));
    }
    if let Some(margin) = policy.margin {
        let (outcome, detail) = match is_fraction(margin) {
            true => not_worse(margin, inputs, policy.confidence),
            false => not_a_fraction("margin", margin),
        };
        checks.push(check(GateRule::NotWorse, outcome, detail));
    }
    if let Some(margin) = policy.slice_margin {
        if is_fraction(margin) {
            checks.extend(not_worse_in_slices(margin, inputs, policy.confidence));
            checks.extend(inputs.not_compared.iter().map(|(key, why)| {
                let rule = GateRule::NotWorseIn(format!("any {key}"));
                check(rule, UNMEASURED, not_compared(key, *why))
            }));
        } else {
            let (outcome, detail) = not_a_fraction("margin of slices", margin);
            checks.push(check(any_slice(), outcome, detail));
        }
    }
    if policy.no_collapse {
        let (outcome, detail) = no_collapse(inputs);
        checks.push(check(GateRule::NoCollapse, outcome, detail));
    }
    if inputs.unanswered > 0 {
        checks
            .iter_mut()
            .for_each(|check| left_open(check, inputs.unanswered));
    }
    if policy.regression_asked || inputs.regression.is_some() {
        let (outcome, detail) = no_regression(policy, inputs.regression.as_ref());
        let mut check = check(GateRule::NoRegression, outcome, detail);
        let unanswered = inputs.regression.as_ref().map_or(0, |asked| asked.unanswered);
        if unanswered > 0 {
            left_open(&mut check, unanswered);
        }
        checks.push(check);
    }
    if policy.anchor_kept {
        let (outcome, detail) = anchor_kept(inputs);
        checks.push(check(GateRule::AnchorKept, outcome, detail));
    }
    if policy.no_leaks {
        let (outcome, detail) = no_leaks(inputs);
        checks.push(check(GateRule::NoLeaks, outcome, detail));
    }
    checks
}

fn check(rule: GateRule, outcome: CheckOutcome, detail: String) -> GateCheck {
    GateCheck {
        rule,
        outcome,
        detail,
    }
}

/// A rule that holds for what was answered is open as long as answers are missing.
fn left_open(check: &mut GateCheck, unanswered: u64) {
    if check.outcome == CheckOutcome::Holds {
        check.outcome = UNMEASURED;
        check.detail.push_str(&format!(
            " {} without an answer or a grade: this decides nothing until all are there.",
            match unanswered {
                1 => "1 question is".to_owned(),
                many => format!("{} questions are", thousands(many)),
            }
        ));
    }
}

fn not_compared(key: &str, why: NotCompared) -> String {
    match why {
        NotCompared::TooMany => {
            format!("The set has too many parts by `{key}` to compare them one by one.")
        }
        NotCompared::NoBase => {
            format!("The parts by `{key}` were not compared: the student's evaluation did not ask its base.")
        }
        NotCompared::BaseItself => format!(
            "The parts by `{key}` were not compared: the base that they are chosen by is what the student is held against."
        ),
    }
}

fn any_slice() -> GateRule {
    GateRule::NotWorseIn("any slice".to_owned())
}

/// A rule of a policy that was not read but built, with a number that nothing can be held against.
fn not_a_fraction(what: &str, value: f64) -> (CheckOutcome, String) {
    let detail = format!("The {what} is {value}: it must be a fraction of one, such as 0.02 for 2 points.");
    (UNMEASURED, detail)
}

fn min_accuracy(least: f64, inputs: &GateInputs, confidence: Confidence) -> (CheckOutcome, String) {
    let Some(card) = &inputs.scorecard else {
        return (UNMEASURED, "The accuracy was not measured.".to_owned());
    };
    let seen = &card.accuracy;
    let (value, interval, of_judge) = match &inputs.judge {
        None => (seen.value, seen.interval, 0.0),
        Some(judge) => match judge.correct_share(seen, confidence) {
            Some(found) => (found.value, found.interval, found.standard_error_of_judge),
            None => return (UNMEASURED, BLIND_JUDGE.to_owned()),
        },
    };
    let outcome = if interval.low >= least {
        CheckOutcome::Holds
    } else if interval.high < least {
        CheckOutcome::Broken
    } else {
        let informedness = inputs.judge.and_then(|judge| judge.informedness()).unwrap_or(1.0);
        CheckOutcome::Open {
            items_needed: items_for_share(seen, value, least, (of_judge, informedness), confidence)
                .map(|answers| items_of(answers, seen, card.items)),
        }
    };
    let corrected = if inputs.judge.is_some() {
        ", corrected for the judge's errors"
    } else {
        ""
    };
    let way_out = match outcome {
        CheckOutcome::Open { items_needed: None } if inputs.judge.is_some() => {
            " Measure the judge on more rows."
        }
        _ => "",
    };
    let detail = format!(
        "Accuracy is {} ({}) on {}{corrected}; at least {} is wanted.{way_out}",
        percent(value),
        range(interval),
        many(card.items, "item"),
        percent(least)
    );
    (outcome, detail)
}

const BLIND_JUDGE: &str = "The judge was not measured on rows that are right and rows that are wrong, or does no better than guessing, so \
                           that nothing follows from its grades.";

/// Independent answers that would show a share of `value` to lie on its side of `least`: n = ((z·√(a(1−a)) + z_β·√(p(1−p))) / (p − a))², with
/// what the judge leaves unsure taken from the distance. `None` where no number would.
fn items_for_share(
    seen: &Proportion,
    value: f64,
    least: f64,
    (of_judge, informedness): (f64, f64),
    confidence: Confidence,
) -> Option<f64> {
    let z = confidence.z();
    let left = (value - least).powi(2) - (z * of_judge).powi(2);
    if left <= 1e-12 {
        return None;
    }
    // What the judge sees, where the share is at the limit and where it is what it is.
    let shift = (value - least) * informedness;
    let spread = |share: f64| (share * (1.0 - share)).max(0.0).sqrt();
    let at_limit = spread((seen.value - shift).clamp(0.0, 1.0));
    let root = (z * at_limit + z_power(POWER) * spread(seen.value)) / informedness;
    Some((root * root / left).max(seen.effective + 1.0))
}

/// Items that are worth so many independent answers, in a set like this one.
fn items_of(answers: f64, seen: &Proportion, items: u64) -> u64 {
    let worth = (seen.effective / items as f64).max(1e-9);
    ((answers / worth).ceil() as u64).max(items + 1)
}

fn not_worse(margin: f64, inputs: &GateInputs, confidence: Confidence) -> (CheckOutcome, String) {
    let Some(found) = &inputs.comparison else {
        return (
            UNMEASURED,
            "The student was not compared with the model before it.".to_owned(),
        );
    };
    let Some((value, interval)) = true_change(found, inputs.judge.as_ref(), confidence) else {
        return (UNMEASURED, BLIND_JUDGE.to_owned());
    };
    let outcome = if interval.high < -margin {
        CheckOutcome::Broken
    } else {
        settled(found, interval, margin, inputs.judge.as_ref(), confidence)
    };
    let detail = format!(
        "Against the model before it, {}.",
        change_text(found, value, interval, margin)
    );
    (outcome, detail)
}

fn no_regression(policy: &GatePolicy, asked: Option<&RegressionFigures>) -> (CheckOutcome, String) {
    let Some(asked) = asked else {
        return (UNMEASURED, "No regression set was asked.".to_owned());
    };
    let Some(margin) = policy.regression_margin else {
        let detail =
            "A regression set was asked, and the policy has no `regression_margin` to hold it against.";
        return (UNMEASURED, detail.to_owned());
    };
    if !is_fraction(margin) {
        return not_a_fraction("margin of the regression set", margin);
    }
    let Some(found) = &asked.comparison else {
        let detail = "On the regression set, no question was answered by both the student and its base.";
        return (UNMEASURED, detail.to_owned());
    };
    let judge = asked.judge.as_ref();
    let Some((value, interval)) = true_change(found, judge, policy.confidence) else {
        return (UNMEASURED, BLIND_JUDGE.to_owned());
    };
    let outcome = if interval.high < -margin {
        CheckOutcome::Broken
    } else {
        settled(found, interval, margin, judge, policy.confidence)
    };
    let needed = match outcome {
        CheckOutcome::Open {
            items_needed: Some(items),
        } => format!(" About {} of that set would decide.", many(items, "question")),
        _ => String::new(),
    };
    let detail = format!(
        "On the regression set, against the base, {}.{needed}",
        change_text(found, value, interval, margin)
    );
    (outcome, detail)
}

/// Holds, or open: for a comparison that is not shown to break the rule.
fn settled(
    found: &PairedComparison,
    interval: Interval,
    margin: f64,
    judge: Option<&JudgeQuality>,
    confidence: Confidence,
) -> CheckOutcome {
    if found.unpaired > 0 {
        return UNMEASURED;
    }
    if interval.low > -margin {
        return CheckOutcome::Holds;
    }
    let informedness = judge.and_then(JudgeQuality::informedness).unwrap_or(1.0);
    CheckOutcome::Open {
        items_needed: found.items_to_settle(margin * informedness, confidence),
    }
}

fn change_text(found: &PairedComparison, value: f64, interval: Interval, margin: f64) -> String {
    let unpaired = match found.unpaired {
        0 => String::new(),
        some => format!("; {} given by one of the two only", many(some, "answer")),
    };
    format!(
        "accuracy changed by {} ({} to {}) on {}, and may fall by at most {}{unpaired}",
        points(value),
        signed(interval.low),
        signed(interval.high),
        many(found.items, "item"),
        plain_points(margin)
    )
}

/// Each slice is shown to hold by itself, so that no correction is needed to claim that all do. That one is broken is claimed with p-values
/// that are adjusted for all slices (Holm 1979).
fn not_worse_in_slices(margin: f64, inputs: &GateInputs, confidence: Confidence) -> Vec<GateCheck> {
    if inputs.slices.is_empty() {
        return vec![check(
            any_slice(),
            UNMEASURED,
            "No slices were compared.".to_owned(),
        )];
    }
    let judge = inputs.judge.as_ref();
    let items = inputs.comparison.map_or(0, |whole| whole.items);
    let seen_margin = margin * judge.and_then(JudgeQuality::informedness).unwrap_or(1.0);
    let p_values: Vec<f64> = inputs
        .slices
        .iter()
        .map(|slice| {
            let found = slice.comparison.as_ref();
            found.map_or(1.0, |found| found.p_of_at_most(seen_margin))
        })
        .collect();
    let compared = inputs.slices.iter().zip(holm(&p_values));
    compared
        .map(|(slice, p_value)| {
            let rule = GateRule::NotWorseIn(slice.name.clone());
            let Some(found) = &slice.comparison else {
                let detail = format!("In `{}`, no question was answered by both models.", slice.name);
                return check(rule, UNMEASURED, detail);
            };
            let Some((value, interval)) = true_change(found, judge, confidence) else {
                return check(rule, UNMEASURED, BLIND_JUDGE.to_owned());
            };
            let outcome = if p_value < confidence.alpha() / 2.0 && interval.high < -margin {
                CheckOutcome::Broken
            } else {
                of_whole(
                    settled(found, interval, margin, judge, confidence),
                    found.items,
                    items,
                )
            };
            let detail = format!(
                "In `{}`, {}.",
                slice.name,
                change_text(found, value, interval, margin)
            );
            check(rule, outcome, detail)
        })
        .collect()
}

/// An outcome that counts items of a part, in items of the whole.
fn of_whole(outcome: CheckOutcome, part: u64, whole: u64) -> CheckOutcome {
    match outcome {
        CheckOutcome::Open { items_needed } => CheckOutcome::Open {
            items_needed: items_needed.map(|needed| in_all(needed, part, whole)),
        },
        CheckOutcome::Holds | CheckOutcome::Broken => outcome,
    }
}

/// Items of a set in which a part has so many, where now it has `part` of `whole`.
fn in_all(needed: u64, part: u64, whole: u64) -> u64 {
    let times = (whole.max(part) as f64 / part.max(1) as f64).max(1.0);
    (needed as f64 * times).ceil() as u64
}

fn no_collapse(inputs: &GateInputs) -> (CheckOutcome, String) {
    let Some(report) = &inputs.collapse else {
        return (UNMEASURED, "Collapse was not looked for.".to_owned());
    };
    let text = |(part, stage): &(Option<&str>, &CollapseStage)| match part {
        None => format!("over all items, {stage}"),
        Some(part) => format!("in `{part}`, {stage}"),
    };
    let collapsed: Vec<String> = report
        .stages()
        .filter(|(_, stage)| stage.is_collapse())
        .map(|found| text(&found))
        .collect();
    if !collapsed.is_empty() {
        return (
            CheckOutcome::Broken,
            format!("Knowledge is lost: {}.", collapsed.join("; ")),
        );
    }
    let Some(whole) = &report.whole else {
        let detail = "Collapse could not be looked for: no question was answered by both models.";
        return (UNMEASURED, detail.to_owned());
    };
    let open: Vec<(Option<&str>, &CollapseStage)> = report
        .stages()
        .filter(|(_, stage)| **stage != CollapseStage::Kept)
        .collect();
    if open.is_empty() {
        return (CheckOutcome::Holds, "Knowledge is kept (stage A).".to_owned());
    }
    let items = whole.comparison.items;
    let needed: Option<Vec<u64>> = open
        .iter()
        .map(|(name, stage)| {
            let part = name.and_then(|name| report.parts.get(name)).unwrap_or(whole);
            let needed = stage.items_needed()?;
            Some(in_all(needed, part.comparison.items, items))
        })
        .collect();
    let outcome = CheckOutcome::Open {
        items_needed: needed.and_then(|needed| needed.into_iter().max()),
    };
    let texts: Vec<String> = open.iter().map(text).collect();
    (
        outcome,
        format!("Whether knowledge is kept is not known: {}.", texts.join("; ")),
    )
}

fn anchor_kept(inputs: &GateInputs) -> (CheckOutcome, String) {
    let Some(anchor) = inputs.anchor else {
        return (
            UNMEASURED,
            "The training set was not searched for its real rows.".to_owned(),
        );
    };
    let rows = many(anchor.expected, "real row");
    if anchor.expected == 0 {
        (UNMEASURED, "There are no real rows to be kept.".to_owned())
    } else if anchor.present >= anchor.expected {
        (
            CheckOutcome::Holds,
            format!("The training set holds all of its {rows}."),
        )
    } else {
        let detail = format!(
            "The training set holds {} of its {rows}.",
            thousands(anchor.present)
        );
        (CheckOutcome::Broken, detail)
    }
}

fn no_leaks(inputs: &GateInputs) -> (CheckOutcome, String) {
    match inputs.leaks {
        None => (
            UNMEASURED,
            "The training set was not searched for held-out items.".to_owned(),
        ),
        Some(0) => (
            CheckOutcome::Holds,
            "No held-out item is in the training set.".to_owned(),
        ),
        Some(leaks) => {
            let verb = if leaks == 1 { "is" } else { "are" };
            (
                CheckOutcome::Broken,
                format!("{} {verb} in the training set.", many(leaks, "held-out item")),
            )
        }
    }
}

fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

fn range(interval: Interval) -> String {
    format!("{} to {}", percent(interval.low), percent(interval.high))
}

fn signed(change: f64) -> String {
    let rounded = (1_000.0 * change).round() / 10.0;
    if rounded == 0.0 {
        return "0.0".to_owned();
    }
    words::signed(rounded)
}

fn points(change: f64) -> String {
    format!("{} points", signed(change))
}

fn plain_points(change: f64) -> String {
    format!("{:.1} points", 100.0 * change)
}
