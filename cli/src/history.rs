//! A row's whole history, for a person or a program.

use gristmill_coordinator::History;

use crate::args::OutputStyle;
use crate::print::either;

/// Characters of a text that are shown on a line.
const SHOWN: usize = 240;

/// Prints a row's whole history.
pub(crate) fn print(run: &str, history: &History, output: OutputStyle) {
    let History { row, seed, tasks } = history;
    let value = serde_json::json!({"run": run, "row": row, "seed": seed, "tasks": tasks});
    let mut text = format!(
        "row {} · {} · round {} candidate {}\n",
        row.id, row.strategy, row.position.round, row.position.index
    );
    text.push_str(&match &row.rejection {
        None => "accepted\n".to_owned(),
        Some(rejection) => format!("rejected: {rejection}\n"),
    });
    text.push_str(&format!(
        "seed       {} at {}:{}\n",
        seed.id, seed.place.file, seed.place.line
    ));
    text.push_str(&format!(
        "  question {}\n  answer   {}\n",
        one_line(&seed.question),
        one_line(&seed.answer)
    ));
    if let Some(cited) = &row.passage {
        text.push_str(&format!(
            "passage    {}: {} ({})\n",
            cited.source, cited.place, cited.id
        ));
    }
    text.push_str(&format!(
        "question   {}\nanswer     {}\n",
        one_line(&row.question),
        one_line(&row.answer)
    ));
    text.push_str(&format!(
        "teacher    {} ({})\nprompts    {}\n",
        row.teacher,
        row.teacher_version,
        row.prompts.join(", ")
    ));
    let checks = &row.checks;
    text.push_str(&format!(
        "checks     correct {:?}, votes {:?}, judgements {}\n",
        checks.correct,
        checks.votes,
        checks.judgements.len()
    ));
    text.push_str(&format!(
        "cost       {}, {} calls\n",
        row.cost().usd,
        row.cost().calls
    ));
    for result in tasks {
        let brought = match &result.brought {
            Ok(report) => serde_json::to_string(&report.output).unwrap_or_default(),
            Err(reason) => format!("failed: {reason}"),
        };
        text.push_str(&format!(
            "  task {} {:?} {} · {} attempt(s) · {} · {}\n",
            result.task,
            result.address.step,
            result.model,
            result.attempts,
            result.cost.usd,
            one_line(&brought)
        ));
    }
    either(output, &value, &text);
}

pub(crate) fn one_line(text: &str) -> String {
    let line: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    // Control and direction marks could rewrite the terminal's line.
    let clean: String = line
        .chars()
        .filter(|c| !c.is_control() && !matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'))
        .collect();
    if clean.chars().count() > SHOWN {
        format!("{}…", clean.chars().take(SHOWN).collect::<String>())
    } else {
        clean
    }
}
