//! What `keeps_facts` may name: the seed's question, or a text that an earlier reply brought.

use super::Check;
use crate::recipe::file::{KeepsFactsFile, StepFile};
use crate::recipe::{KeepsFacts, QUESTION, Samples, Step};
use crate::reply::{Holds, Member, Reply};

impl Check {
    /// Whose facts the reply of a step keeps. Called before its reply fills fields: a reply may take the place of what it is held against.
    pub(super) fn keeps_facts(
        &mut self,
        path: &str,
        reply: &Reply,
        samples: Samples,
        step: &StepFile,
    ) -> Option<KeepsFacts> {
        let path = format!("{path}.keeps_facts");
        let kept = match &step.keeps_facts {
            KeepsFactsFile::OfSeed(false) => return None,
            KeepsFactsFile::OfSeed(true) if reply.question().is_none() => {
                let help = "leave it out, or name the field whose text the reply says in other words, such as `keeps_facts: answer`";
                self.tell(&path, "only a question can keep the facts of the seed's", help);
                return None;
            }
            KeepsFactsFile::OfSeed(true) => KeepsFacts::OfSeed,
            KeepsFactsFile::OfField(field) => self.keeps_facts_of(&path, field, reply)?,
        };
        if matches!(samples, Samples::Agreement { .. }) {
            let help = "leave it out here, and say the answer in other words in a step after this one";
            self.tell(
                &path,
                "answers that vote are compared with each other, and not with a text",
                help,
            );
        }
        Some(kept)
    }

    fn keeps_facts_of(&mut self, path: &str, field: &str, reply: &Reply) -> Option<KeepsFacts> {
        let filled = self
            .steps
            .iter()
            .filter_map(Step::reply)
            .flat_map(Reply::filled)
            .any(|member| member.name == field);
        if field == QUESTION && !filled {
            self.tell(
                path,
                "`question` is the seed's question",
                "write `keeps_facts: true`",
            );
            return None;
        }
        let Some(holds) = self.holds(field).cloned() else {
            let known: Vec<String> = self.fields.iter().map(|(name, _)| format!("`{name}`")).collect();
            let help = format!("fields so far: {}", known.join(", "));
            self.tell(path, format!("no step before it makes the field `{field}`"), help);
            return None;
        };
        if !matches!(holds, Holds::Question | Holds::Answer | Holds::Text) {
            let message = format!(
                "`{field}`, of the type `{}`, has no text whose facts could be kept",
                holds.name()
            );
            self.tell(path, message, "name a question, an answer or a text");
            return None;
        }
        let members: Vec<&Member> = reply
            .members
            .iter()
            .filter(|member| member.holds == holds)
            .collect();
        match members.as_slice() {
            [member] => Some(KeepsFacts::OfField {
                field: field.to_owned(),
                member: member.name.clone(),
            }),
            members => {
                let message = format!(
                    "`{field}` is of the type `{}`, and the reply holds {} of that type",
                    holds.name(),
                    match members.len() {
                        0 => "nothing".to_owned(),
                        several => several.to_string(),
                    }
                );
                self.tell(
                    path,
                    message,
                    format!("ask for one member of the type `{}`", holds.name()),
                );
                None
            }
        }
    }
}
