//! What a row of each form must say, and the tools that a recipe has from the start.

use super::{Check, TOOLS};
use crate::recipe::Step;
use crate::recipe::file::{File, Form, RowFile};
use crate::reply::{Holds, Member, Reply};

impl Check {
    /// The tools that a recipe has from the start.
    pub(super) fn tools(&mut self, file: &File) {
        for (i, tool) in file.tools.iter().enumerate() {
            if let Some((member, fault)) = tool.fault() {
                self.tell(&format!("tools.{i}.{member}"), fault, "correct it");
            }
            if file.tools[..i].iter().any(|other| other.name == tool.name) {
                let message = format!("two tools are named `{}`", tool.name);
                self.tell(&format!("tools.{i}.name"), message, "give each a name of its own");
            }
        }
        if !file.tools.is_empty() {
            self.fill(&[Member::new(TOOLS, Holds::Tools)]);
        }
    }

    pub(super) fn row(&mut self, row: &RowFile) {
        let given = [
            ("question", &row.question),
            ("answer", &row.answer),
            ("chosen", &row.chosen),
            ("rejected", &row.rejected),
            ("text", &row.text),
            ("messages", &row.messages),
            ("tools", &row.tools),
        ];
        let wanted: &[&str] = match row.form {
            Form::Instruction => &["question", "answer"],
            Form::Preference => &["question", "chosen", "rejected"],
            Form::Text => &["text"],
            Form::Dialogue => &["messages"],
            Form::ToolUse => &["messages", "tools"],
        };
        if let Some(ratio) = row.max_length_ratio {
            let path = "row.max_length_ratio";
            if row.form != Form::Preference {
                let message = format!(
                    "a row of the form `{}` has no two answers to compare in length",
                    row.form
                );
                self.tell(path, message, "leave it out");
            } else if !(ratio >= 1.0 && ratio.is_finite()) {
                let message = format!("the longer of two answers cannot be {ratio} times as long");
                self.tell(path, message, "give 1 or more, such as 1.5");
            }
        }
        for (key, field) in given {
            let path = format!("row.{key}");
            match field {
                None if wanted.contains(&key) => {
                    let message = format!("a row of the form `{}` needs `{key}`", row.form);
                    self.tell(
                        "row",
                        message,
                        format!("name the field that holds it, such as `{key}: {key}`"),
                    );
                }
                Some(_) if !wanted.contains(&key) => {
                    let message = format!("a row of the form `{}` has no `{key}`", row.form);
                    self.tell(&path, message, "leave it out");
                }
                Some(field) => self.part(&path, key, field, row.form),
                None => {}
            }
        }
    }

    /// Refuses the seed's question as the row's where the recipe asks for another one, which would be paid for and dropped.
    fn keeps_asked_question(&mut self, path: &str, field: &str) {
        let replies = self.steps.iter().filter_map(Step::reply);
        let asked: Vec<String> = replies
            .flat_map(Reply::filled)
            .filter(|member| member.holds == Holds::Question)
            .map(|member| member.name.clone())
            .collect();
        if let Some(last) = asked.last()
            && !asked.iter().any(|name| name == field)
        {
            self.tell(
                path,
                format!("`{field}` is the seed's question, and the recipe asks for another"),
                format!("write `question: {last}`"),
            );
        }
    }

    /// Whether a field can be this part of a row.
    fn part(&mut self, path: &str, key: &str, field: &str, form: Form) {
        let (fits, kind) = match (key, self.holds(field)) {
            (_, None) => {
                let known: Vec<String> = self.fields.iter().map(|(name, _)| format!("`{name}`")).collect();
                let help = format!("fields: {}", known.join(", "));
                return self.tell(path, format!("no step makes the field `{field}`"), help);
            }
            ("question", Some(Holds::Question)) => return self.keeps_asked_question(path, field),
            ("question", Some(_)) => (false, "a `question`"),
            ("text", Some(holds)) => (*holds == Holds::Text, "a `text`"),
            ("messages", Some(holds)) if form == Form::ToolUse => {
                (*holds == Holds::ToolMessages, "`tool_messages`")
            }
            ("messages", Some(holds)) => (*holds == Holds::Messages, "`messages`"),
            ("tools", Some(holds)) => (*holds == Holds::Tools, "`tools`"),
            (_, Some(holds)) => (*holds == Holds::Answer, "an `answer`"),
        };
        if !fits {
            self.tell(
                path,
                format!("`{field}` does not hold {kind}"),
                "change its type in `reply`",
            );
        }
    }
}
