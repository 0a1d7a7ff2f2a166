//! `gristmill dead`: messages that nobody could work on.

use std::collections::BTreeSet;

use anyhow::anyhow;
use gristmill_domain::words::many;
use gristmill_proto::{Envelope, v1};

use super::remote::{Remote, connect, refused};
use super::verbs;
use crate::args::{DeadArgs, DeadVerb, OutputStyle};
use crate::failure::Failure;
use crate::print;

/// Bytes of an unreadable message that are shown.
const SHOWN_BYTES: usize = 64;

/// Looks at dead letters, puts them back, or drops them.
pub(crate) async fn dead(args: &DeadArgs, output: OutputStyle) -> Result<(), Failure> {
    match &args.verb {
        DeadVerb::List { limit, server } => list(&mut connect(server).await?, *limit, output).await,
        DeadVerb::Show { number, server } => show(&mut connect(server).await?, *number, output).await,
        DeadVerb::Retry { numbers, server } => {
            let request = v1::RetryDeadRequest {
                numbers: distinct(numbers),
            };
            let answer = connect(server).await?.retry_dead(request).await;
            let retried = answer.map_err(|status| refused(&status))?.into_inner().retried;
            print::either(
                output,
                &serde_json::json!({"retried": retried}),
                &format!("{retried} put back"),
            );
            Ok(())
        }
        DeadVerb::Drop { numbers, count, .. } if *count != distinct(numbers).len() => {
            Err(Failure::Input(anyhow!(
                "`--count {count}`, and {} named: nothing was dropped",
                many(distinct(numbers).len() as u64, "number")
            )))
        }
        DeadVerb::Drop { numbers, server, .. } => {
            let request = v1::DropDeadRequest {
                numbers: distinct(numbers),
            };
            let answer = connect(server).await?.drop_dead(request).await;
            let dropped = answer.map_err(|status| refused(&status))?.into_inner().dropped;
            print::either(
                output,
                &serde_json::json!({"dropped": dropped}),
                &format!("{dropped} dropped"),
            );
            Ok(())
        }
    }
}

/// The numbers, each once.
fn distinct(numbers: &[u64]) -> Vec<u64> {
    let distinct: BTreeSet<u64> = numbers.iter().copied().collect();
    distinct.into_iter().collect()
}

async fn page(remote: &mut Remote, before: u64, limit: u32) -> Result<Vec<v1::DeadLetter>, Failure> {
    let answer = remote.list_dead(v1::ListDeadRequest { before, limit }).await;
    Ok(answer.map_err(|status| refused(&status))?.into_inner().letters)
}

fn stage(letter: &v1::DeadLetter) -> String {
    letter
        .stage()
        .as_str_name()
        .trim_start_matches("STAGE_")
        .to_lowercase()
}

fn value(letter: &v1::DeadLetter) -> serde_json::Value {
    serde_json::json!({
        "number": letter.number, "stage": stage(letter), "run": letter.run, "reason": letter.reason,
        "buried_ms": letter.buried_ms, "retried_ms": letter.retried_ms, "bytes": letter.envelope.len(),
    })
}

/// The first bytes of a message that cannot be read.
fn beginning(envelope: &[u8]) -> String {
    let text: String = envelope
        .iter()
        .take(SHOWN_BYTES)
        .map(|byte| byte.escape_ascii().to_string())
        .collect();
    if envelope.len() > SHOWN_BYTES {
        format!("{text}…")
    } else {
        text
    }
}

fn line(letter: &v1::DeadLetter) -> String {
    let run = if letter.run.is_empty() {
        "unreadable"
    } else {
        &letter.run
    };
    let retried = letter.retried_ms.map_or("", |_| " (put back)");
    format!(
        "{:>6}  {}  {:<9} {run:<12} {}{retried}",
        letter.number,
        verbs::time(letter.buried_ms),
        stage(letter),
        gristmill_domain::words::one_line(&letter.reason)
    )
}

async fn list(remote: &mut Remote, limit: u32, output: OutputStyle) -> Result<(), Failure> {
    let letters = page(remote, 0, limit).await?;
    if letters.is_empty() && output == OutputStyle::Text {
        print::plain("no dead letters\n");
    }
    for letter in &letters {
        print::either(output, &value(letter), &line(letter));
    }
    Ok(())
}

async fn show(remote: &mut Remote, number: u64, output: OutputStyle) -> Result<(), Failure> {
    let found = page(remote, number + 1, 1).await?;
    let letter = found
        .first()
        .filter(|letter| letter.number == number)
        .ok_or_else(|| Failure::Input(anyhow!("there is no dead letter {number}")))?;
    let (id, task, told) = match Envelope::decode(&letter.envelope) {
        Ok(envelope) => (
            Some(envelope.task.id.to_string()),
            serde_json::to_value(&envelope.task).unwrap_or_default(),
            format!(
                "task {} · {}, step {} · {}",
                envelope.task.id,
                envelope.task.address.step.stage,
                envelope.task.address.step.call.step,
                envelope.task.model
            ),
        ),
        Err(error) => (
            None,
            serde_json::Value::Null,
            format!(
                "{} bytes ({}): {error}",
                letter.envelope.len(),
                beginning(&letter.envelope)
            ),
        ),
    };
    let mut value = value(letter);
    if let Some(fields) = value.as_object_mut() {
        fields.insert("task_id".into(), id.into());
        fields.insert("task".into(), task);
    }
    print::either(output, &value, &format!("{}\n{told}", line(letter)));
    Ok(())
}
