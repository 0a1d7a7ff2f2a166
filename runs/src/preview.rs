//! What a preview shows: each candidate with every prompt, reply and verdict, and what it cost.

use std::collections::HashMap;

use gristmill_coordinator::{History, TaskResult};
use gristmill_domain::chat::{Prompt, Role};
use gristmill_domain::id::TaskId;
use gristmill_domain::reply;
use gristmill_domain::words::{many, printable};
use gristmill_domain::work::{Output, Task, Work};
use serde_json::{Value, json};

use crate::history::step_name;

/// Characters of a line of the page, its margin included.
const WIDTH: usize = 100;

/// The candidates for a program: rows, and tasks with what was sent and what came back.
pub fn json(candidates: &[History], asked: &HashMap<TaskId, Task>) -> Value {
    let each = candidates.iter().map(|History { row, seed, tasks }| {
        let tasks = tasks.iter().map(|result| {
            let task = asked.get(&result.task);
            json!({
                "step": step_name(row, result), "task": result.task, "model": result.model,
                "sent": task.and_then(|task| task.work.request()), "brought": result.brought,
                "attempts": result.attempts, "cost": result.cost,
            })
        });
        json!({"row": row, "seed": seed, "tasks": tasks.collect::<Vec<_>>()})
    });
    json!({"candidates": each.collect::<Vec<_>>()})
}

/// The candidates for a person.
pub fn text(candidates: &[History], asked: &HashMap<TaskId, Task>) -> String {
    let mut text = String::new();
    for (number, history) in (1..).zip(candidates) {
        candidate(&mut text, number, history, asked);
    }
    let kept = candidates.iter().filter(|history| history.row.accepted()).count();
    let calls: u64 = candidates.iter().map(|history| history.row.cost().calls).sum();
    let usd: u64 = candidates.iter().map(|history| history.row.cost().usd.0).sum();
    text.push_str(&format!(
        "{} · {kept} kept · {} · {}\n",
        many(candidates.len() as u64, "candidate"),
        many(calls, "call"),
        gristmill_domain::amount::MicroUsd(usd),
    ));
    text
}

fn candidate(text: &mut String, number: usize, history: &History, asked: &HashMap<TaskId, Task>) {
    let History { row, seed, tasks } = history;
    let made = row.made.as_ref().map(ToString::to_string);
    text.push_str(&format!(
        "━━ {number} · {} · from seed {} ({})\n",
        made.unwrap_or_else(|| row.strategy.to_string()),
        &seed.id.to_string()[..12],
        seed.place,
    ));
    // In the order in which they were asked; embeddings are not shown.
    for result in tasks {
        step(text, &step_name(row, result), result, asked.get(&result.task));
    }
    match &row.rejection {
        None => {
            text.push_str("── kept\n");
            let shown = [
                ("question", &row.question),
                ("reasoning", &row.reasoning),
                ("answer", &row.answer),
            ];
            let single = row.messages.is_empty();
            for (name, value) in shown.into_iter().filter(|(_, value)| single && !value.is_empty()) {
                block(text, name, value);
            }
            for turn in &row.messages {
                block(text, turn.role.name(), &turn.to_string());
            }
            if let Some(worse) = &row.worse {
                block(text, "not preferred", &worse.answer);
            }
        }
        Some(rejection) => text.push_str(&format!(
            "── rejected: {}: {}\n",
            rejection.reason.label(),
            rejection.detail
        )),
    }
    text.push('\n');
}

fn step(text: &mut String, name: &str, result: &TaskResult, task: Option<&Task>) {
    text.push_str(&format!(
        "── {name} · {} · {} · {} in, {} out\n",
        result.model,
        result.cost.usd,
        many(result.cost.input_tokens, "token"),
        many(result.cost.output_tokens, "token"),
    ));
    if let Some(Task {
        work: Work::Chat { request, .. },
        ..
    }) = task
    {
        match &request.prompt {
            Prompt::Raw(prompt) => block(text, "prompt", prompt),
            Prompt::Chat(messages) => {
                for message in messages {
                    let role = match message.role {
                        Role::System => "system",
                        Role::User => "user",
                        Role::Assistant => "assistant",
                    };
                    block(text, role, &message.content);
                }
            }
        }
    }
    match &result.brought {
        Ok(report) => match &report.output {
            Output::Fields(fields) => {
                for (name, value) in fields {
                    let reasoning = match value {
                        reply::Value::Answer(Some(answer)) => answer.reasoning.as_str(),
                        _ => "",
                    };
                    if !reasoning.is_empty() {
                        block(text, "→ reasoning", reasoning);
                    }
                    block(text, &format!("→ {name}"), &value.shown());
                }
            }
            Output::Rejected {
                rejection,
                text: said,
            } => {
                block(text, "→ unusable", &rejection.to_string());
                block(text, "→ the reply", said);
            }
            Output::Vectors(_) | Output::Likelihoods(_) => {}
        },
        Err(failure) => block(text, "failed", &failure.to_string()),
    }
}

/// A text under its name, its lines indented and wrapped at words.
fn block(text: &mut String, name: &str, content: &str) {
    text.push_str(&format!("   {name}\n"));
    for line in content.lines() {
        let mut row = String::from("     ");
        for word in line.split_inclusive(' ') {
            if row.chars().count() + word.chars().count() > WIDTH && row.trim() != "" {
                text.push_str(row.trim_end());
                text.push('\n');
                row = String::from("     ");
            }
            row.push_str(&printable(word));
        }
        text.push_str(row.trim_end());
        text.push('\n');
    }
}
