//! Rows back from Arrow columns.

use arrow_array::cast::AsArray;
use arrow_array::types::{ArrowPrimitiveType, Float64Type, UInt8Type, UInt64Type};
use arrow_array::{
    Array, ArrayRef, Float64Array, ListArray, RecordBatch, StringArray, StructArray, UInt8Array, UInt64Array,
};
use gristmill_domain::dialogue::{self, Speaker, Tool, ToolCall, Turn};

use crate::row::{DatasetRow, Origin, Provenance, Rejected, RejectedAnswer, Verdict};

/// A column is missing or has another type: its name and what it should hold.
#[derive(Debug)]
pub(crate) struct Mismatch {
    pub(crate) column: String,
    pub(crate) expected: &'static str,
}

/// What can be read back from a batch.
pub(crate) trait Decode: Sized {
    /// All rows of the batch.
    fn decode(batch: &RecordBatch) -> Result<Vec<Self>, Mismatch>;
}

impl Decode for DatasetRow {
    fn decode(batch: &RecordBatch) -> Result<Vec<Self>, Mismatch> {
        let columns = Columns(&StructArray::from(batch.clone()));
        let ids = columns.texts("id")?;
        let talks = Talks::of(columns)?;
        // Dialogues have none.
        let reasonings = match columns.0.column_by_name("reasoning") {
            Some(_) => Some(columns.texts("reasoning")?),
            None => None,
        };
        let provenance = columns.record("provenance")?;
        let provenance = ProvenanceColumns::of(Columns(provenance))?;
        (0..batch.num_rows())
            .map(|row| {
                Ok(Self {
                    id: ids.value(row).to_owned(),
                    messages: talks.messages(row)?,
                    tools: talks.tools(row)?,
                    rejected: talks.rejected(row)?,
                    reasoning: reasonings.and_then(|reasonings| optional(reasonings, row)),
                    provenance: provenance.value(row)?,
                })
            })
            .collect()
    }
}

impl Decode for Rejected {
    fn decode(batch: &RecordBatch) -> Result<Vec<Self>, Mismatch> {
        let columns = Columns(&StructArray::from(batch.clone()));
        let (ids, reasons, stages) = (
            columns.texts("id")?,
            columns.texts("reason")?,
            columns.texts("stage")?,
        );
        let (questions, answers) = (columns.texts("question")?, columns.texts("answer")?);
        let (details, strategies) = (columns.texts("detail")?, columns.texts("strategy")?);
        let (teachers, seeds) = (columns.texts("teacher")?, columns.texts("seed_id")?);
        let costs: &UInt64Array = columns.numbers::<UInt64Type>("cost_usd_micros")?;
        let calls: &UInt64Array = columns.numbers::<UInt64Type>("calls")?;
        let tasks = columns.lists("task_ids")?;
        let mutators = columns.later_lists("mutators")?;
        (0..batch.num_rows())
            .map(|row| {
                Ok(Self {
                    id: ids.value(row).to_owned(),
                    reason: reasons.value(row).to_owned(),
                    stage: stages.value(row).to_owned(),
                    detail: optional(details, row),
                    question: questions.value(row).to_owned(),
                    answer: answers.value(row).to_owned(),
                    strategy: optional(strategies, row),
                    teacher: optional(teachers, row),
                    seed_id: optional(seeds, row),
                    cost_usd_micros: costs.value(row),
                    calls: calls.value(row),
                    task_ids: texts_at(tasks, row, "task_ids")?,
                    mutators: later_texts_at(mutators, row, "mutators")?,
                })
            })
            .collect()
    }
}

/// The conversation in whichever layout the file has.
enum Talks<'a> {
    Messages(&'a ListArray),
    Pair {
        question: &'a StringArray,
        input: Option<&'a StringArray>,
        answer: &'a StringArray,
    },
    Preference {
        prompt: &'a ListArray,
        chosen: &'a ListArray,
        rejected: &'a ListArray,
        margin: &'a Float64Array,
    },
    Text(&'a StringArray),
    ToolUse {
        messages: &'a ListArray,
        tools: &'a StringArray,
    },
}

impl<'a> Talks<'a> {
    fn of(columns: Columns<'a>) -> Result<Self, Mismatch> {
        if columns.0.column_by_name("chosen").is_some() {
            return Ok(Self::Preference {
                prompt: columns.lists("prompt")?,
                chosen: columns.lists("chosen")?,
                rejected: columns.lists("rejected")?,
                margin: columns.numbers::<Float64Type>("margin")?,
            });
        }
        if columns.0.column_by_name("tools").is_some() {
            return Ok(Self::ToolUse {
                messages: columns.lists("messages")?,
                tools: columns.texts("tools")?,
            });
        }
        if columns.0.column_by_name("text").is_some() {
            return columns.texts("text").map(Self::Text);
        }
        if columns.0.column_by_name("prompt").is_some() {
            return Ok(Self::Pair {
                question: columns.texts("prompt")?,
                input: None,
                answer: columns.texts("completion")?,
            });
        }
        if columns.0.column_by_name("instruction").is_some() {
            return Ok(Self::Pair {
                question: columns.texts("instruction")?,
                input: Some(columns.texts("input")?),
                answer: columns.texts("output")?,
            });
        }
        columns.lists("messages").map(Self::Messages)
    }

    fn messages(&self, row: usize) -> Result<Vec<Turn>, Mismatch> {
        match self {
            Self::Messages(lists) => messages_at(lists, row, "messages"),
            Self::ToolUse { messages, .. } => messages_at(messages, row, "messages"),
            Self::Preference { prompt, chosen, .. } => {
                let mut messages = messages_at(prompt, row, "prompt")?;
                messages.extend(messages_at(chosen, row, "chosen")?);
                Ok(messages)
            }
            Self::Text(texts) => Ok(vec![Turn::new(Speaker::Assistant, texts.value(row))]),
            Self::Pair {
                question,
                input,
                answer,
            } => {
                let mut asked = question.value(row).to_owned();
                if let Some(input) = input
                    .map(|input| input.value(row))
                    .filter(|input| !input.is_empty())
                {
                    asked = format!("{asked}\n\n{input}");
                }
                let answer = answer.value(row);
                Ok(vec![
                    Turn::new(Speaker::User, asked),
                    Turn::new(Speaker::Assistant, answer),
                ])
            }
        }
    }
}

impl Talks<'_> {
    /// The tools of a row that has any.
    fn tools(&self, row: usize) -> Result<Vec<Tool>, Mismatch> {
        let Self::ToolUse { tools, .. } = self else {
            return Ok(Vec::new());
        };
        let list = serde_json::from_str(tools.value(row)).ok();
        let read = list.and_then(|list| dialogue::tools(&list).ok());
        read.ok_or_else(|| wrong("tools", "JSON text of tools"))
    }

    /// The answer that is not preferred, of a pair.
    fn rejected(&self, row: usize) -> Result<Option<RejectedAnswer>, Mismatch> {
        let Self::Preference { rejected, margin, .. } = self else {
            return Ok(None);
        };
        let messages = messages_at(rejected, row, "rejected")?;
        let answer = messages.into_iter().next_back();
        let answer = answer.ok_or_else(|| wrong("rejected", "list with an answer"))?;
        Ok(Some(RejectedAnswer {
            content: answer.content,
            margin: margin.is_valid(row).then(|| margin.value(row)),
        }))
    }
}

/// A row's messages in a column of such lists.
fn messages_at(lists: &ListArray, row: usize, column: &str) -> Result<Vec<Turn>, Mismatch> {
    let items = lists.value(row);
    let items = Columns(
        items
            .as_struct_opt()
            .ok_or_else(|| wrong(column, "list of structs"))?,
    );
    let (roles, contents) = (items.texts("role")?, items.texts("content")?);
    let with_tools = match items.0.column_by_name("tool_calls") {
        Some(_) => Some((
            items.lists("tool_calls")?,
            items.texts("tool_call_id")?,
            items.texts("name")?,
        )),
        None => None,
    };
    (0..roles.len())
        .map(|at| {
            let role = Speaker::named(roles.value(at));
            let role = role.ok_or_else(|| wrong("role", "system, user, assistant or tool"))?;
            let mut turn = Turn::new(role, contents.value(at));
            if let Some((calls, ids, names)) = with_tools {
                turn.tool_calls = calls_at(calls, at)?;
                turn.tool_call_id = optional(ids, at);
                turn.name = optional(names, at);
            }
            Ok(turn)
        })
        .collect()
}

/// The tool calls of a message.
fn calls_at(lists: &ListArray, at: usize) -> Result<Vec<ToolCall>, Mismatch> {
    let items = lists.value(at);
    let items = items.as_struct_opt();
    let items = Columns(items.ok_or_else(|| wrong("tool_calls", "list of structs"))?);
    let (ids, functions) = (items.texts("id")?, Columns(items.record("function")?));
    let (names, arguments) = (functions.texts("name")?, functions.texts("arguments")?);
    let call = |at: usize| {
        let read = serde_json::from_str(arguments.value(at));
        Ok(ToolCall {
            id: ids.value(at).to_owned(),
            name: names.value(at).to_owned(),
            arguments: read.map_err(|_| wrong("arguments", "JSON text of an object"))?,
        })
    };
    (0..ids.len()).map(call).collect()
}

struct ProvenanceColumns<'a> {
    origin: &'a StringArray,
    seed_id: &'a StringArray,
    seed_source: &'a StringArray,
    source_place: &'a StringArray,
    strategy: &'a StringArray,
    recipe: Option<&'a StringArray>,
    mutators: Option<&'a ListArray>,
    prompt_versions: &'a ListArray,
    teacher: &'a StringArray,
    teacher_version: &'a StringArray,
    run: &'a StringArray,
    task_ids: &'a ListArray,
    parents: &'a ListArray,
    concepts: &'a ListArray,
    verdicts: &'a ListArray,
    cost: &'a UInt64Array,
    depth: &'a UInt8Array,
    passage_chars: Option<&'a UInt64Array>,
}

impl<'a> ProvenanceColumns<'a> {
    fn of(columns: Columns<'a>) -> Result<Self, Mismatch> {
        Ok(Self {
            origin: columns.texts("origin")?,
            seed_id: columns.texts("seed_id")?,
            seed_source: columns.texts("seed_source")?,
            source_place: columns.texts("source_place")?,
            strategy: columns.texts("strategy")?,
            recipe: match columns.0.column_by_name("recipe") {
                Some(_) => Some(columns.texts("recipe")?),
                None => None,
            },
            mutators: columns.later_lists("mutators")?,
            prompt_versions: columns.lists("prompt_versions")?,
            teacher: columns.texts("teacher")?,
            teacher_version: columns.texts("teacher_version")?,
            run: columns.texts("run")?,
            task_ids: columns.lists("task_ids")?,
            parents: columns.lists("parents")?,
            concepts: columns.lists("concepts")?,
            verdicts: columns.lists("verdicts")?,
            cost: columns.numbers::<UInt64Type>("cost_usd_micros")?,
            depth: columns.numbers::<UInt8Type>("depth")?,
            passage_chars: match columns.0.column_by_name("passage_chars") {
                Some(_) => Some(columns.numbers::<UInt64Type>("passage_chars")?),
                None => None,
            },
        })
    }

    fn value(&self, row: usize) -> Result<Provenance, Mismatch> {
        Ok(Provenance {
            origin: match self.origin.value(row) {
                "human" => Origin::Human,
                "synthetic" => Origin::Synthetic,
                _ => return Err(wrong("origin", "human or synthetic")),
            },
            seed_id: optional(self.seed_id, row),
            seed_source: optional(self.seed_source, row),
            source_place: optional(self.source_place, row),
            strategy: optional(self.strategy, row),
            recipe: self.recipe.and_then(|recipes| optional(recipes, row)),
            mutators: later_texts_at(self.mutators, row, "mutators")?,
            prompt_versions: texts_at(self.prompt_versions, row, "prompt_versions")?,
            teacher: optional(self.teacher, row),
            teacher_version: optional(self.teacher_version, row),
            run: optional(self.run, row),
            task_ids: texts_at(self.task_ids, row, "task_ids")?,
            parents: texts_at(self.parents, row, "parents")?,
            concepts: texts_at(self.concepts, row, "concepts")?,
            verdicts: verdicts_at(self.verdicts, row)?,
            cost_usd_micros: self.cost.value(row),
            depth: self.depth.value(row),
            passage_chars: self.passage_chars.map_or(0, |chars| chars.value(row)),
        })
    }
}

fn verdicts_at(lists: &ListArray, row: usize) -> Result<Vec<Verdict>, Mismatch> {
    let items = lists.value(row);
    let items = Columns(
        items
            .as_struct_opt()
            .ok_or_else(|| wrong("verdicts", "list of structs"))?,
    );
    let (judges, reasons) = (items.texts("judge")?, items.texts("reason")?);
    let scores: &Float64Array = items.numbers::<Float64Type>("score")?;
    let verdict = |at| Verdict {
        judge: judges.value(at).to_owned(),
        score: scores.value(at),
        reason: reasons.value(at).to_owned(),
    };
    Ok((0..items.0.len()).map(verdict).collect())
}

/// Columns by name and type.
#[derive(Clone, Copy)]
struct Columns<'a>(&'a StructArray);

impl<'a> Columns<'a> {
    fn named<T: ?Sized>(
        self,
        name: &str,
        expected: &'static str,
        cast: impl FnOnce(&'a ArrayRef) -> Option<&'a T>,
    ) -> Result<&'a T, Mismatch> {
        let column = self.0.column_by_name(name);
        column.and_then(cast).ok_or_else(|| wrong(name, expected))
    }

    fn texts(self, name: &str) -> Result<&'a StringArray, Mismatch> {
        self.named(name, "text", |column| column.as_string_opt::<i32>())
    }

    fn lists(self, name: &str) -> Result<&'a ListArray, Mismatch> {
        self.named(name, "list", |column| column.as_list_opt::<i32>())
    }

    /// Lists of a column that older files do not have.
    fn later_lists(self, name: &str) -> Result<Option<&'a ListArray>, Mismatch> {
        match self.0.column_by_name(name) {
            Some(_) => self.lists(name).map(Some),
            None => Ok(None),
        }
    }

    fn record(self, name: &str) -> Result<&'a StructArray, Mismatch> {
        self.named(name, "struct", |column| column.as_struct_opt())
    }

    fn numbers<T: ArrowPrimitiveType>(
        self,
        name: &str,
    ) -> Result<&'a arrow_array::PrimitiveArray<T>, Mismatch> {
        self.named(name, "number", |column| column.as_primitive_opt::<T>())
    }
}

fn wrong(column: &str, expected: &'static str) -> Mismatch {
    Mismatch {
        column: column.to_owned(),
        expected,
    }
}

fn optional(texts: &StringArray, row: usize) -> Option<String> {
    texts.is_valid(row).then(|| texts.value(row).to_owned())
}

fn texts_at(lists: &ListArray, row: usize, column: &str) -> Result<Vec<String>, Mismatch> {
    let items = lists.value(row);
    let texts = items
        .as_string_opt::<i32>()
        .ok_or_else(|| wrong(column, "list of texts"))?;
    Ok(texts
        .iter()
        .map(|text| text.unwrap_or_default().to_owned())
        .collect())
}

fn later_texts_at(lists: Option<&ListArray>, row: usize, column: &str) -> Result<Vec<String>, Mismatch> {
    lists.map_or_else(|| Ok(Vec::new()), |lists| texts_at(lists, row, column))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_schema::{Field, Schema};

    use super::*;
    use crate::columns::Columns as _;
    use crate::layout::Layout;

    /// A struct without one of its members.
    fn without(record: &StructArray, name: &str) -> StructArray {
        let (fields, arrays, nulls) = record.clone().into_parts();
        let kept = fields
            .iter()
            .zip(arrays)
            .filter(|(field, _)| field.name() != name);
        let (fields, arrays): (Vec<_>, Vec<_>) =
            kept.map(|(field, array)| (Arc::clone(field), array)).unzip();
        StructArray::new(fields.into(), arrays, nulls)
    }

    #[test]
    fn files_from_before_mutators_are_read() {
        let row = DatasetRow {
            id: "r".into(),
            messages: vec![Turn::new(Speaker::User, "q"), Turn::new(Speaker::Assistant, "a")],
            tools: Vec::new(),
            rejected: None,
            reasoning: None,
            provenance: Provenance {
                mutators: vec!["style:plain".into()],
                strategy: Some("rephrasing".into()),
                ..Provenance::default()
            },
        };
        let batch = DatasetRow::batch(Layout::Messages, std::slice::from_ref(&row)).unwrap();
        assert_eq!(DatasetRow::decode(&batch).unwrap(), std::slice::from_ref(&row));
        let whole = StructArray::from(batch);
        let at = whole.column_by_name("provenance").unwrap();
        let old = without(at.as_struct(), "mutators");
        let rest = without(&whole, "provenance");
        let mut fields: Vec<_> = rest.fields().iter().map(Arc::clone).collect();
        fields.push(Arc::new(Field::new("provenance", old.data_type().clone(), false)));
        let mut arrays = rest.columns().to_vec();
        arrays.push(Arc::new(old));
        let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).unwrap();
        let mut expected = row;
        expected.provenance.mutators.clear();
        assert_eq!(DatasetRow::decode(&batch).unwrap(), [expected]);
        let rejected = Rejected {
            id: "x".into(),
            mutators: vec!["style:plain".into()],
            ..Rejected::default()
        };
        let batch = Rejected::batch((), std::slice::from_ref(&rejected)).unwrap();
        assert_eq!(Rejected::decode(&batch).unwrap(), [rejected]);
        let old = RecordBatch::from(without(&StructArray::from(batch), "mutators"));
        assert!(Rejected::decode(&old).unwrap()[0].mutators.is_empty());
    }
}
