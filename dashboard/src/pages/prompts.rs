//! The prompts of a row, filled in again as its calls were asked with.

use std::sync::Arc;

use gristmill_coordinator::{FilledPrompt, Trace, prompts as refilled};
use gristmill_domain::chat::{Prompt, Role};
use maud::{Markup, html};

use super::row_parts::OneRow;
use crate::indexes::Indexed;
use crate::text::Shown;

/// Characters of a message that are shown.
const SHOWN_CHARS: usize = 8_000;

/// The section; nothing for a real row, which nobody was asked for.
pub(super) async fn prompts(indexed: &Arc<Indexed>, row: &OneRow) -> Markup {
    let Trace::Made(history) = &row.trace else {
        return html! {};
    };
    let (indexed, made) = (Arc::clone(indexed), history.clone());
    // Seeds and the round's plan are read from files.
    let filled = tokio::task::spawn_blocking(move || {
        let journal = indexed.journal();
        let refilled = refilled(
            journal.start,
            journal.seeds,
            journal.state,
            &made.row,
            &made.tasks,
        );
        let filled = journal.runtime.block_on(refilled).map_err(anyhow::Error::from)?;
        filled.map_err(anyhow::Error::from)
    });
    let filled = filled
        .await
        .map_err(anyhow::Error::from)
        .and_then(|filled| filled);
    html! {
        section aria-labelledby="prompts-title" {
            h2 #prompts-title { "Prompts" }
            @match filled {
                Ok(filled) if filled.is_empty() => p { "Nothing was asked for it." },
                Ok(filled) => {
                    p.quiet { "Filled in again from the row, its seed and the replies, as they were asked." }
                    @for prompt in &filled { (one(row, history, prompt)) }
                },
                Err(why) => p.quiet { "They are not shown: " (Shown(&format!("{why:#}"))) "." },
            }
        }
    }
}

fn one(row: &OneRow, history: &gristmill_coordinator::History, filled: &FilledPrompt) -> Markup {
    let place = history.tasks.iter().position(|result| result.task == filled.task);
    let step = place
        .and_then(|place| row.steps.get(place))
        .map_or("", String::as_str);
    html! {
        details id={ "prompt-" (filled.task) } {
            summary { (Shown(step)) }
            @match &filled.prompt {
                Prompt::Chat(messages) => @for message in messages {
                    h4 { (speaker(message.role)) }
                    (text(&message.content))
                },
                Prompt::Raw(raw) => (text(raw)),
            }
        }
    }
}

fn speaker(role: Role) -> &'static str {
    match role {
        Role::System => "system",
        Role::User => "user",
        Role::Assistant => "assistant",
    }
}

fn text(whole: &str) -> Markup {
    match whole.char_indices().nth(SHOWN_CHARS) {
        Some((end, _)) => {
            html! { pre { (Shown(&whole[..end])) "…" } p.quiet { "The first 8,000 characters." } }
        }
        None => html! { pre { (Shown(whole)) } },
    }
}
