//! A row's whole history, for a person or a program.

use gristmill_coordinator::{History, RealRow, TaskResult, Trace};
use gristmill_domain::passage::Second;
use gristmill_domain::recipe::built_in;
use gristmill_domain::reply::{self, Value};
use gristmill_domain::row::{Checks, Row};
use gristmill_domain::seed::Split;
use gristmill_domain::words::{many, one_line, thousands};
use gristmill_domain::work::Output;

/// For programs.
pub fn json(run: &str, trace: &Trace) -> serde_json::Value {
    match trace {
        Trace::Made(history) => {
            let History { row, seed, tasks } = &**history;
            serde_json::json!({"run": run, "row": row, "seed": seed, "tasks": tasks})
        }
        Trace::Real(real) => {
            let RealRow {
                seed,
                split,
                accepted,
                rejected,
            } = &**real;
            serde_json::json!({
                "run": run, "seed": seed, "split": split, "made": {"accepted": accepted, "rejected": rejected},
            })
        }
    }
}

/// For people.
pub fn text(trace: &Trace) -> String {
    match trace {
        Trace::Made(history) => made(history),
        Trace::Real(real) => read(real),
    }
}

fn read(real: &RealRow) -> String {
    let RealRow {
        seed,
        split,
        accepted,
        rejected,
    } = real;
    let serves = match split {
        Split::Anchor => "to train on and to generate from",
        Split::Validation => "held out, to validate: nothing is made from it",
        Split::Test => "held out, to test: nothing is made from it",
    };
    let mut text = format!("row {} · real · {serves}\nread at    {}\n", seed.id, seed.place);
    if let Some(source) = &seed.source {
        text.push_str(&format!("source     {}\n", one_line(source)));
    }
    if !seed.concepts.is_empty() {
        text.push_str(&format!("labels     {}\n", one_line(&seed.concepts.join(", "))));
    }
    text.push_str(&format!("question   {}\n", one_line(&seed.question)));
    if let Some(context) = &seed.context {
        text.push_str(&format!("passage    {}\n", one_line(context)));
    }
    text.push_str(&format!("answer     {}\n", one_line(&seed.answer)));
    if *split == Split::Anchor {
        let (accepted, rejected) = (thousands(*accepted), thousands(*rejected));
        text.push_str(&format!(
            "made       {accepted} accepted rows, {rejected} rejected\n"
        ));
    }
    text
}

fn made(history: &History) -> String {
    let History { row, seed, tasks } = history;
    let mut text = format!(
        "row {} · {} · round {} candidate {}\n",
        row.id,
        row.made
            .as_ref()
            .map_or_else(|| row.strategy.to_string(), ToString::to_string),
        row.position.round,
        row.position.index
    );
    text.push_str(&match &row.rejection {
        None => "accepted\n".to_owned(),
        Some(rejection) => format!("rejected: {rejection}\n"),
    });
    text.push_str(&format!("seed       {} at {}\n", seed.id, seed.place));
    text.push_str(&format!(
        "  question {}\n  answer   {}\n",
        one_line(&seed.question),
        one_line(&seed.answer)
    ));
    if let Some(context) = seed.context.as_ref().filter(|_| row.passage.is_none()) {
        text.push_str(&format!("passage    {}\n", one_line(context)));
    }
    if let Some(cited) = &row.passage {
        text.push_str(&format!("passage    {cited} ({})\n", cited.id));
    }
    match &row.second {
        Some(Second::Document(cited)) => text.push_str(&format!("           {cited} ({})\n", cited.id)),
        Some(Second::Seed { id, .. }) => text.push_str(&format!("passage    and that of seed {id}\n")),
        None => {}
    }
    if let Some(mutation) = &row.mutation {
        text.push_str(&format!(
            "mutators   {}\n",
            one_line(&mutation.names().join(", "))
        ));
    }
    text.push_str(&said(row));
    text.push_str(&format!(
        "teacher    {} ({})\nprompts    {}\n",
        row.teacher,
        row.teacher_version,
        row.prompts.join(", ")
    ));
    let checks = &row.checks;
    text.push_str(&format!("checks     {}\n", in_words(checks)));
    for detail in checks.details.iter().filter(|detail| !detail.is_empty()) {
        text.push_str(&format!("           {}\n", one_line(detail)));
    }
    text.push_str(&format!(
        "cost       {}, {}\n",
        row.cost().usd,
        many(row.cost().calls, "call")
    ));
    for result in tasks {
        let brought = match &result.brought {
            Ok(report) => output_in_words(&report.output),
            Err(failure) => format!("failed: {failure}"),
        };
        text.push_str(&format!(
            "  task {} {} {} · {} · {} · {}\n",
            result.task,
            step_name(row, result),
            result.model,
            many(result.attempts.into(), "attempt"),
            result.cost.usd,
            one_line(&brought)
        ));
    }
    text
}

/// What a row says: its question and answer, or its messages.
fn said(row: &Row) -> String {
    if row.messages.is_empty() {
        let (question, answer) = (one_line(&row.question), one_line(&row.answer));
        return format!("question   {question}\nanswer     {answer}\n");
    }
    let names: Vec<&str> = row.tools.iter().map(|tool| tool.name.as_str()).collect();
    let mut text = match names.is_empty() {
        true => String::new(),
        false => format!("tools      {}\n", one_line(&names.join(", "))),
    };
    text.push_str("messages\n");
    for turn in &row.messages {
        text.push_str(&format!("  {}\n", one_line(&turn.to_string())));
    }
    text
}

/// What a task was for. Rows of versions before recipes do not say: their tasks were those of `new_question`, by number.
pub fn step_name(row: &Row, result: &TaskResult) -> String {
    let place = row.tasks.iter().position(|task| *task == result.task);
    let taken = place.and_then(|place| row.steps.get(place));
    let of_recipe = || built_in("new_question").map(|recipe| recipe.call_name(result.address.step.call));
    taken
        .map(|taken| taken.step.clone())
        .or_else(of_recipe)
        .unwrap_or_default()
}

/// What a task brought, without the form it came in.
fn output_in_words(output: &Output) -> String {
    match output {
        Output::Fields(fields) => {
            if let Some(judgement) = reply::judgement(fields) {
                let verdict = if judgement.correct { "right" } else { "wrong" };
                return format!(
                    "{} of 5 points, {verdict}: {}",
                    judgement.points(),
                    judgement.reason
                );
            }
            let said = fields.iter().map(|(name, value)| match value {
                Value::Answer(Some(answer)) if !answer.reasoning.is_empty() => {
                    format!("{name}: {} (reasoning: {})", answer.answer, answer.reasoning)
                }
                Value::Answer(None) => format!("{name}: none of use"),
                value => format!("{name}: {}", value.shown()),
            });
            said.collect::<Vec<_>>().join("; ")
        }
        Output::Vectors(vectors) => format!("{} vectors", vectors.len()),
        Output::Likelihoods(likelihoods) => format!("{} likelihoods", likelihoods.len()),
        Output::Rejected { rejection, text } => format!("rejected: {rejection}: {text}"),
    }
}

/// `equals the reference, 3 of 4 votes, 1 judgement`.
fn in_words(checks: &Checks) -> String {
    let mut parts = checks_in_words(checks);
    match checks.judgements.len() {
        0 => {}
        1 => parts.push("1 judgement".to_owned()),
        several => parts.push(format!("{several} judgements")),
    }
    match parts.is_empty() {
        true => BY_RULES.to_owned(),
        false => parts.join(", "),
    }
}

/// How a row is said to be checked of which [`checks_in_words`] says nothing.
pub const BY_RULES: &str = "by rules alone";

/// What a row's checks say, less its judgements: `equals the reference`, `3 of 4 votes`, `98.5 % sure`.
pub fn checks_in_words(checks: &Checks) -> Vec<String> {
    let mut parts = Vec::new();
    parts.extend(checks.correct.map(|correct| match correct {
        true => "equals the reference".to_owned(),
        false => "differs from the reference".to_owned(),
    }));
    parts.extend(checks.votes.map(|(votes, of)| format!("{votes} of {of} votes")));
    let sure = checks.weighed.as_ref().and_then(|weighed| weighed.sure);
    parts.extend(sure.map(|sure| format!("{:.1} % sure", 100.0 * sure)));
    parts
}
