//! Columns of conversations.

use gristmill_domain::seed::conversation::{exchange, turns};

use super::columns::Columns;

const CONVERSATION: &[&str] = &[
    "messages",
    "conversations",
    "conversation",
    "chat",
    "dialogue",
    "dialog",
    "turns",
];

impl Columns<'_> {
    /// The column of a conversation with a question and an answer.
    pub(super) fn conversation(&self) -> Option<&str> {
        let is_one = |name: &str| {
            let said = self.rows.iter().filter_map(|row| turns(row.get(name)?));
            said.map(|turns| exchange(&turns))
                .any(|said| !said.question.is_empty() && !said.answer.is_empty())
        };
        let by_name = CONVERSATION.iter().find_map(|name| {
            self.all
                .iter()
                .find(|column| column.name.eq_ignore_ascii_case(name))
        });
        by_name
            .into_iter()
            .chain(self.all)
            .map(|column| column.name.as_str())
            .find(|name| is_one(name))
    }

    /// What conversations hold that a seed does not take.
    pub(super) fn note_conversations(&self, question: &str, notes: &mut Vec<String>) {
        let Some(column) = question.strip_suffix(".user") else {
            return;
        };
        let said: Vec<_> = self
            .rows
            .iter()
            .filter_map(|row| Some(exchange(&turns(row.get(column)?)?)))
            .collect();
        let longer = said.iter().filter(|said| said.later > 0).count();
        let framed = said.iter().filter(|said| !said.system.is_empty()).count();
        if longer > 0 {
            notes.push(format!(
                "of {longer} of {} conversations only the first question and its answer are used; later turns are left out",
                said.len()
            ));
        }
        if framed > 0 {
            notes.push(format!(
                "{framed} of {} conversations begin with a system message, which is left out; `input: {column}.system` puts it behind the question",
                said.len()
            ));
        }
    }
}
