//! What is shown of a recipe: a line in a list, its steps as a text, and as a chart, also with what a run's candidates came to at each.

use std::collections::BTreeMap;

use gristmill_domain::amount::{Amount, MicroUsd};
use gristmill_domain::filter::Reason;
use gristmill_domain::recipe::{Among, Does, JUDGE_PROMPT, Keep, KeepsFacts, Recipe, Samples, Step};
use gristmill_domain::words::{figure, many, thousands};
use gristmill_picture::flow;
use serde_json::{Value, json};

use crate::steps::RecipeSteps;

/// What a list says of a recipe.
pub fn listed(recipe: &Recipe) -> Value {
    let file = recipe.file();
    json!({
        "recipe": recipe.name(), "version": file.version, "form": file.row.form, "counts_as": file.counts_as,
        "about": file.about, "needs": file.needs, "steps": recipe.steps().len(),
    })
}

/// The steps, one a line, with what each drops.
pub fn text(recipe: &Recipe) -> String {
    let file = recipe.file();
    let mut text = format!("{} · version {} · {}\n", recipe.name(), file.version, file.about);
    let mut indent = 0;
    for step in recipe.steps() {
        if let Does::Again { until, at_most, .. } = &step.does {
            indent = 0;
            text.push_str(&format!("    └ again until {until}, at most {at_most} times\n"));
            continue;
        }
        let Shown { title, detail, drops } = shown(recipe, step);
        text.push_str(&format!("  {}│ {title}", " ".repeat(indent)));
        if !detail.is_empty() {
            text.push_str(&format!(" · {detail}"));
        }
        if !drops.is_empty() {
            text.push_str(&format!("   ✕ {drops}"));
        }
        text.push('\n');
        if matches!(step.does, Does::Repeat { .. }) {
            indent = 2;
        }
    }
    let Shown { title, detail, drops } = row(recipe);
    text.push_str(&format!("  └ {title}"));
    if !detail.is_empty() {
        text.push_str(&format!(" · {detail}   ✕ {drops}"));
    }
    text.push('\n');
    text
}

/// The row in words, with what drops it at the end.
fn row(recipe: &Recipe) -> Shown {
    let row = &recipe.file().row;
    let limit = row.max_length_ratio;
    Shown {
        title: format!("a row of the form {}", row.form),
        detail: limit.map_or_else(String::new, |most| {
            format!("the longer answer at most {most} times as long")
        }),
        drops: limit.map_or("", |_| "lengths too unlike").to_owned(),
    }
}

/// The steps as a chart.
pub fn svg(recipe: &Recipe) -> String {
    let (steps, loops) = charted(recipe, flow::Counted::default);
    flow::svg(
        &format!("{} · {}", recipe.name(), recipe.file().about),
        &steps,
        &loops,
    )
}

/// A step of a recipe as a run has taken it.
#[derive(Debug, Clone, PartialEq)]
pub struct CountedStep {
    /// What it does, in a few words.
    pub title: String,
    /// Whom it asks, by which prompt, under which condition; may be empty.
    pub detail: String,
    /// Candidates that came to it.
    pub came: u64,
    /// Candidates that it made calls for; `None` where it makes none, or where rows do not say.
    pub asked: Option<u64>,
    /// Candidates that it dropped, by reason.
    pub dropped: Vec<(Reason, u64)>,
    /// What its calls cost.
    pub cost: Amount,
}

impl CountedStep {
    /// Candidates that it dropped.
    pub fn dropped_all(&self) -> u64 {
        self.dropped.iter().map(|(_, rows)| rows).sum()
    }
}

/// The steps of a recipe with what a run's candidates came to at each, the finished row as the last. The ends of loops are left out.
pub fn counted(of: &RecipeSteps) -> Vec<CountedStep> {
    let in_order =
        |dropped: &BTreeMap<Reason, u64>| dropped.iter().map(|(reason, rows)| (*reason, *rows)).collect();
    let taken = of.recipe.steps().iter().zip(&of.steps).enumerate();
    let mut all: Vec<CountedStep> = taken
        .filter(|(_, (step, _))| !matches!(step.does, Does::Repeat { .. } | Does::Again { .. }))
        .map(|(number, (step, counts))| {
            let Shown { title, detail, .. } = shown(&of.recipe, step);
            let calls = matches!(step.does, Does::Ask(_) | Does::Judge(_) | Does::TagConcept);
            CountedStep {
                title,
                detail,
                came: of.came_to(number),
                asked: (calls && of.calls_known).then_some(counts.asked),
                dropped: in_order(&counts.dropped),
                cost: counts.cost,
            }
        })
        .collect();
    let Shown { title, detail, .. } = row(&of.recipe);
    all.push(CountedStep {
        title,
        detail,
        came: of.came_to(of.steps.len()),
        asked: None,
        dropped: in_order(&of.dropped_last),
        cost: Amount::ZERO,
    });
    all
}

/// The same as a chart inside a page. `link` says where candidates are shown that were dropped for these reasons.
pub fn inline(of: &RecipeSteps, priced: bool, link: impl Fn(&[(Reason, u64)]) -> String) -> String {
    let steps = counted(of);
    let mut left = steps.iter();
    let (mut charted, loops) = charted(&of.recipe, || {
        let step = left.next();
        step.map(|step| counts(of, step, priced, &link))
            .unwrap_or_default()
    });
    if let Some(row) = charted.last_mut() {
        row.counted.cost = format!("{} accepted", thousands(of.accepted));
    }
    for (drawn, step) in charted.iter_mut().zip(&steps) {
        drawn.drops = match step.dropped_all() {
            0 => String::new(),
            rows => format!("{} dropped", thousands(rows)),
        };
    }
    let title = format!(
        "{}: what became of {}",
        of.made.recipe,
        many(of.candidates, "candidate")
    );
    let description = format!(
        "Steps from top to bottom, with the candidates that went on from each, those that it dropped and what it cost; {} accepted.",
        thousands(of.accepted)
    );
    flow::inline(&title, &description, &charted, &loops)
}

fn counts(
    of: &RecipeSteps,
    step: &CountedStep,
    priced: bool,
    link: &impl Fn(&[(Reason, u64)]) -> String,
) -> flow::Counted {
    let dropped = step.dropped_all();
    let money = |usd: u64| match priced {
        true => MicroUsd(usd).to_string(),
        false => String::new(),
    };
    let calls = step.cost.calls;
    let cost = match (calls, priced) {
        (0, _) => String::new(),
        (calls, true) => format!("{} · {}", money(step.cost.usd.0), many(calls, "call")),
        (calls, false) => many(calls, "call"),
    };
    let each = match (calls, of.accepted, priced) {
        (0, ..) | (_, 0, _) => String::new(),
        (_, accepted, true) => format!("{} a row", money(step.cost.usd.0 / accepted)),
        (calls, accepted, false) => format!("{} a row", figure(calls as f64 / accepted as f64)),
    };
    let mut reasons = step.dropped.clone();
    reasons.sort_by_key(|(_, rows)| std::cmp::Reverse(*rows));
    let named = reasons
        .iter()
        .map(|(reason, rows)| format!("{} {}", reason.label(), thousands(*rows)));
    flow::Counted {
        on: format!("{} go on", thousands(step.came.saturating_sub(dropped))),
        cost,
        each,
        reasons: named.collect::<Vec<_>>().join(", "),
        link: (dropped > 0).then(|| link(&step.dropped)),
    }
}

/// Steps and loops of a chart, the finished row as the last step.
fn charted(
    recipe: &Recipe,
    mut counts: impl FnMut() -> flow::Counted,
) -> (Vec<flow::FlowStep>, Vec<flow::Loop>) {
    let mut steps = Vec::new();
    let mut loops = Vec::new();
    // Loops are drawn beside the steps that they hold.
    let mut first = 0;
    for step in recipe.steps() {
        match &step.does {
            Does::Repeat { .. } => first = steps.len(),
            Does::Again { until, at_most, .. } => loops.push(flow::Loop {
                first,
                last: steps.len().saturating_sub(1),
                until: format!("until {until} (≤ {at_most})"),
            }),
            does => {
                let Shown { title, detail, drops } = shown(recipe, step);
                let counted = counts();
                steps.push(flow::FlowStep {
                    title,
                    detail,
                    drops,
                    colour: colour(does),
                    counted,
                });
            }
        }
    }
    let Shown { title, detail, drops } = row(recipe);
    let counted = counts();
    steps.push(flow::FlowStep {
        title,
        detail,
        drops,
        counted,
        ..flow::FlowStep::default()
    });
    (steps, loops)
}

fn colour(does: &Does) -> usize {
    match does {
        Does::Ask(_) => 0,
        Does::Judge(_) => 1,
        Does::Distinct { .. } => 2,
        Does::Check(_) | Does::Choose { .. } => 3,
        Does::TagConcept | Does::Repeat { .. } | Does::Again { .. } => 4,
    }
}

/// A step in words.
struct Shown {
    title: String,
    detail: String,
    drops: String,
}

fn shown(recipe: &Recipe, step: &Step) -> Shown {
    let when = step.when.as_ref().map(|when| format!("when {when}"));
    let (title, mut detail, drops) = match &step.does {
        Does::Ask(ask) => {
            let mut drops = Vec::new();
            drops.extend(ask.keeps_facts.as_ref().map(|_| "changed facts".to_owned()));
            drops.extend(
                ask.require
                    .as_ref()
                    .map(|demand| format!("unless {}", demand.condition)),
            );
            let (verdict, judge) = recipe.evidence();
            let samples = match ask.samples {
                Samples::One if ask.shared_by > 1 => {
                    format!("one call for {} candidates, a record each", ask.shared_by)
                }
                Samples::One => String::new(),
                Samples::Several(number) => format!("{number} times"),
                Samples::Agreement { .. } => {
                    drops.push("disagreement".to_owned());
                    let steps = [verdict, judge].into_iter().flatten();
                    let names: Vec<&str> = steps
                        .filter_map(|n| recipe.step(n))
                        .map(|step| step.name.as_str())
                        .collect();
                    match names.is_empty() {
                        true => "until they agree".to_owned(),
                        false => format!("until they agree, with {} where worth it", names.join(" and ")),
                    }
                }
            };
            let brings = if ask.brings {
                "brings an answer where answers vote"
            } else {
                ""
            };
            let keeps = match &ask.keeps_facts {
                Some(KeepsFacts::OfSeed) => "with the facts of the seed's question".to_owned(),
                Some(KeepsFacts::OfField { field, .. }) => format!("with the facts of `{field}`"),
                None => String::new(),
            };
            let detail = [
                format!("{} by {}", ask.role, ask.prompts.join(", ")),
                samples,
                brings.to_owned(),
                keeps,
            ];
            (format!("ask {}", step.name), detail.to_vec(), drops.join(", "))
        }
        Does::Judge(judge) => {
            let prompt = judge.own.as_ref().map_or(JUDGE_PROMPT, |own| &own.prompt);
            (
                format!("judge {}", step.name),
                vec![format!("{} by {prompt}", judge.role)],
                "low grades".to_owned(),
            )
        }
        Does::Check(demand) => (
            format!("check {}", demand.condition),
            Vec::new(),
            "the others".to_owned(),
        ),
        Does::Distinct { field, among } => {
            let among = match among {
                Among::Questions => "among seeds, rows and held-out rows",
                Among::Answers => "among answers to the same question",
            };
            (
                format!("distinct {field}"),
                vec![among.to_owned()],
                "duplicates".to_owned(),
            )
        }
        Does::Choose { of, keep, margin } => {
            let name = recipe.step(*of).map(|step| step.name.clone()).unwrap_or_default();
            let kept = match keep {
                Keep::Best => "the best".to_owned(),
                Keep::BestAndWorst => format!("the best and the worst, {margin} points apart"),
            };
            (
                format!("choose among {name}"),
                vec![kept],
                "none good enough".to_owned(),
            )
        }
        Does::TagConcept => (
            "tag concept".to_owned(),
            vec!["where a model assigns concepts".to_owned()],
            String::new(),
        ),
        Does::Repeat { .. } => ("repeat".to_owned(), Vec::new(), String::new()),
        Does::Again { .. } => ("again".to_owned(), Vec::new(), String::new()),
    };
    detail.extend(when);
    detail.retain(|part| !part.is_empty());
    Shown {
        title,
        detail: detail.join(" · "),
        drops,
    }
}
