//! Whether a reply that says something in other words says the same.

use super::{Context, State};
use crate::filter::dedup_policy::{Difference, Facts};
use crate::filter::{Reason, Rejection};
use crate::recipe::{Ask, KeepsFacts};
use crate::reply::{Answer, Fields, Value};

impl State {
    /// The rejection of a reply that says something else than what its step has it say in other words. Fields are as they were before.
    pub(super) fn altered(&self, context: &Context<'_>, ask: &Ask, fields: &Fields) -> Option<Rejection> {
        let (against, difference) = match ask.keeps_facts.as_ref()? {
            KeepsFacts::OfSeed => {
                let rephrased = fields.get(&ask.reply.question()?.name)?.shown();
                let difference = Facts::of(&context.seed.question).contradict(&Facts::of(&rephrased))?;
                ("seed against rephrasing".to_owned(), difference.to_string())
            }
            KeepsFacts::OfField { field, member } => {
                let difference = match (self.fields.get(field)?, fields.get(member)?) {
                    (Value::Answer(Some(answer)), Value::Answer(Some(reworded))) => {
                        let canonical = context.meaning_f1.is_none() && !context.measures_meaning;
                        answers_differ(answer, reworded, canonical)?
                    }
                    (text, reworded) => statements_differ(&text.shown(), &reworded.shown())?.to_string(),
                };
                (format!("`{field}` against its rewording"), difference)
            }
        };
        Some(Rejection::new(
            Reason::Changed,
            format!("{against}: {difference}"),
        ))
    }

    /// The rejection of a candidate whose next reply would say in other words what is not there, or is wrong: the call would be in vain.
    pub(super) fn nothing_to_keep(&self, ask: &Ask) -> Option<Rejection> {
        let Some(KeepsFacts::OfField { field, .. }) = &ask.keeps_facts else {
            return None;
        };
        match self.fields.get(field) {
            Some(Value::Answer(Some(answer))) if answer.correct == Some(false) => {
                Some(Rejection::new(Reason::Wrong, answer.detail.clone()))
            }
            None | Some(Value::Answer(None)) => {
                let detail =
                    format!("no step that was done has made `{field}`, which is to be said in other words");
                Some(Rejection::new(Reason::Recipe, detail))
            }
            Some(_) => None,
        }
    }
}

/// In what an answer differs from another wording of it. Final answers that have a canonical form (`canonical`) are the same by that
/// form alone, others by their facts; so is the reasoning before them.
fn answers_differ(answer: &Answer, reworded: &Answer, canonical: bool) -> Option<String> {
    if canonical {
        let other = answer.canonical != reworded.canonical;
        let differ = || {
            format!(
                "the final answer `{}` against `{}`",
                answer.canonical, reworded.canonical
            )
        };
        let reasoning = || statements_differ(&answer.reasoning, &reworded.reasoning);
        return other
            .then(differ)
            .or_else(|| reasoning().map(|difference| difference.to_string()));
    }
    // A final answer may not hide behind a figure that its reasoning states.
    let whole = |answer: &Answer| format!("{}\n{}", answer.reasoning, answer.answer);
    let difference = statements_differ(&answer.answer, &reworded.answer);
    let difference = difference.or_else(|| statements_differ(&whole(answer), &whole(reworded)));
    difference.map(|difference| difference.to_string())
}

fn statements_differ(text: &str, reworded: &str) -> Option<Difference> {
    Facts::of(text).altered_in(&Facts::of(reworded))
}
