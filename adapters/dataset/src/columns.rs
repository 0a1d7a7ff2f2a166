//! Rows as Arrow columns: the schema of every file, and batches of it.

use std::sync::Arc;

use arrow_array::{
    ArrayRef, Float64Array, ListArray, RecordBatch, StringArray, StructArray, UInt8Array, UInt64Array,
};
use arrow_buffer::OffsetBuffer;
use arrow_schema::{ArrowError, DataType, Field, FieldRef, Fields, Schema, SchemaRef};
use gristmill_domain::dialogue::Turn;

use crate::error::Error;
use crate::layout::{Cells, Layout, ToolTurn};
use crate::row::{DatasetRow, Provenance, Rejected};

/// What a Parquet file can hold one row of.
pub(crate) trait Columns: Sized {
    /// What the columns depend on beside the type.
    type Shape: Copy;

    /// The rows as columns; of no rows, the columns' types.
    fn batch(shape: Self::Shape, rows: &[Self]) -> Result<RecordBatch, ArrowError>;

    /// Bytes of text in the row.
    fn text_bytes(&self) -> usize;

    /// Refuses a row that [`Columns::batch`] could not take.
    fn check(&self, shape: Self::Shape) -> Result<(), Error>;

    fn schema(shape: Self::Shape) -> Result<SchemaRef, ArrowError> {
        Ok(Self::batch(shape, &[])?.schema())
    }
}

impl Columns for DatasetRow {
    type Shape = Layout;

    fn batch(layout: Layout, rows: &[Self]) -> Result<RecordBatch, ArrowError> {
        let mut columns = Named::default();
        columns.texts("id", rows.iter().map(|row| row.id.as_str()));
        let cells: Result<Vec<Cells<'_>>, ArrowError> = rows
            .iter()
            .map(|row| {
                layout
                    .cells(row)
                    .map_err(|error| ArrowError::InvalidArgumentError(error.to_string()))
            })
            .collect();
        layout_columns(layout, &cells?, &mut columns)?;
        if layout.has_reasoning() {
            columns.optional("reasoning", rows.iter().map(|row| row.reasoning.as_deref()));
        }
        let provenance: Vec<_> = rows.iter().map(|row| &row.provenance).collect();
        columns.push("provenance", Arc::new(provenance_column(&provenance)?), false);
        columns.batch()
    }

    fn text_bytes(&self) -> usize {
        Self::text_bytes(self)
    }

    fn check(&self, layout: Layout) -> Result<(), Error> {
        layout.cells(self).map(drop)
    }
}

impl Columns for Rejected {
    type Shape = ();

    fn batch((): (), rows: &[Self]) -> Result<RecordBatch, ArrowError> {
        let mut columns = Named::default();
        columns.texts("id", rows.iter().map(|row| row.id.as_str()));
        columns.texts("reason", rows.iter().map(|row| row.reason.as_str()));
        columns.texts("stage", rows.iter().map(|row| row.stage.as_str()));
        columns.optional("detail", rows.iter().map(|row| row.detail.as_deref()));
        columns.texts("question", rows.iter().map(|row| row.question.as_str()));
        columns.texts("answer", rows.iter().map(|row| row.answer.as_str()));
        columns.optional("strategy", rows.iter().map(|row| row.strategy.as_deref()));
        columns.optional("teacher", rows.iter().map(|row| row.teacher.as_deref()));
        columns.optional("seed_id", rows.iter().map(|row| row.seed_id.as_deref()));
        columns.counts("cost_usd_micros", rows.iter().map(|row| row.cost_usd_micros));
        columns.counts("calls", rows.iter().map(|row| row.calls));
        columns.lists("task_ids", rows.iter().map(|row| &row.task_ids))?;
        columns.lists("mutators", rows.iter().map(|row| &row.mutators))?;
        columns.batch()
    }

    fn text_bytes(&self) -> usize {
        Self::text_bytes(self)
    }

    fn check(&self, (): ()) -> Result<(), Error> {
        if Self::text_bytes(self) > crate::row::ROW_BYTES_MAX {
            return Err(Error::Row {
                id: self.id.clone(),
                reason: format!("is larger than {} bytes", crate::row::ROW_BYTES_MAX),
            });
        }
        Ok(())
    }
}

fn layout_columns(layout: Layout, cells: &[Cells<'_>], columns: &mut Named) -> Result<(), ArrowError> {
    // Every cell was made for this layout, so the closures' other arms see none.
    match layout {
        Layout::Messages | Layout::Dialogue => {
            let messages = cells.iter().map(|cells| match cells {
                Cells::Messages { messages } => *messages,
                _ => &[],
            });
            columns.messages("messages", messages)?;
        }
        Layout::Preference => {
            type Part<'a> = fn(&'a Cells<'a>) -> &'a [Turn];
            let parts: [(&str, Part<'_>); 3] = [
                ("prompt", |cells| match cells {
                    Cells::Preference { prompt, .. } => prompt,
                    _ => &[],
                }),
                ("chosen", |cells| match cells {
                    Cells::Preference { chosen, .. } => chosen,
                    _ => &[],
                }),
                ("rejected", |cells| match cells {
                    Cells::Preference { rejected, .. } => rejected,
                    _ => &[],
                }),
            ];
            for (name, part) in parts {
                columns.messages(name, cells.iter().map(part))?;
            }
            let margins = cells.iter().map(|cells| match cells {
                Cells::Preference { margin, .. } => *margin,
                _ => None,
            });
            columns.push("margin", Arc::new(margins.collect::<Float64Array>()), true);
        }
        Layout::Text => {
            let texts = cells.iter().filter_map(|cells| match cells {
                Cells::Text { text } => Some(*text),
                _ => None,
            });
            columns.texts("text", texts);
        }
        Layout::ToolUse => {
            let rows = || {
                cells.iter().filter_map(|cells| match cells {
                    Cells::ToolUse { messages, tools } => Some((messages.as_slice(), tools.as_str())),
                    _ => None,
                })
            };
            columns.tool_messages("messages", rows().map(|(messages, _)| messages))?;
            columns.texts("tools", rows().map(|(_, tools)| tools));
        }
        Layout::PromptCompletion => {
            let texts = || {
                cells.iter().filter_map(|cells| match cells {
                    Cells::PromptCompletion { prompt, completion } => Some((prompt.as_ref(), *completion)),
                    _ => None,
                })
            };
            columns.texts("prompt", texts().map(|(prompt, _)| prompt));
            columns.texts("completion", texts().map(|(_, completion)| completion));
        }
        Layout::Alpaca => {
            let texts = || {
                cells.iter().filter_map(|cells| match cells {
                    Cells::Alpaca {
                        instruction,
                        input,
                        output,
                    } => Some((instruction.as_ref(), *input, *output)),
                    _ => None,
                })
            };
            columns.texts("instruction", texts().map(|(instruction, _, _)| instruction));
            columns.texts("input", texts().map(|(_, input, _)| input));
            columns.texts("output", texts().map(|(_, _, output)| output));
        }
    }
    Ok(())
}

fn provenance_column(rows: &[&Provenance]) -> Result<StructArray, ArrowError> {
    let mut columns = Named::default();
    columns.texts("origin", rows.iter().map(|p| p.origin.name()));
    columns.optional("seed_id", rows.iter().map(|p| p.seed_id.as_deref()));
    columns.optional("seed_source", rows.iter().map(|p| p.seed_source.as_deref()));
    columns.optional("source_place", rows.iter().map(|p| p.source_place.as_deref()));
    columns.optional("strategy", rows.iter().map(|p| p.strategy.as_deref()));
    columns.optional("recipe", rows.iter().map(|p| p.recipe.as_deref()));
    columns.lists("mutators", rows.iter().map(|p| &p.mutators))?;
    columns.lists("prompt_versions", rows.iter().map(|p| &p.prompt_versions))?;
    columns.optional("teacher", rows.iter().map(|p| p.teacher.as_deref()));
    columns.optional(
        "teacher_version",
        rows.iter().map(|p| p.teacher_version.as_deref()),
    );
    columns.optional("run", rows.iter().map(|p| p.run.as_deref()));
    columns.lists("task_ids", rows.iter().map(|p| &p.task_ids))?;
    columns.lists("parents", rows.iter().map(|p| &p.parents))?;
    columns.lists("concepts", rows.iter().map(|p| &p.concepts))?;
    let verdicts = || rows.iter().flat_map(|p| &p.verdicts);
    let mut members = Named::default();
    members.texts("judge", verdicts().map(|v| v.judge.as_str()));
    members.push(
        "score",
        Arc::new(verdicts().map(|v| Some(v.score)).collect::<Float64Array>()),
        false,
    );
    members.texts("reason", verdicts().map(|v| v.reason.as_str()));
    let list = list(rows.iter().map(|p| p.verdicts.len()), Arc::new(members.record()?))?;
    columns.push("verdicts", Arc::new(list), false);
    columns.counts("cost_usd_micros", rows.iter().map(|p| p.cost_usd_micros));
    let depths: UInt8Array = rows.iter().map(|p| Some(p.depth)).collect();
    columns.push("depth", Arc::new(depths), false);
    columns.counts("passage_chars", rows.iter().map(|p| p.passage_chars));
    columns.record()
}

/// Columns with their names, in order.
#[derive(Default)]
struct Named {
    fields: Vec<FieldRef>,
    arrays: Vec<ArrayRef>,
}

impl Named {
    fn push(&mut self, name: &str, array: ArrayRef, nullable: bool) {
        self.fields
            .push(Arc::new(Field::new(name, array.data_type().clone(), nullable)));
        self.arrays.push(array);
    }

    fn texts<'a>(&mut self, name: &str, values: impl Iterator<Item = &'a str>) {
        self.push(name, Arc::new(values.map(Some).collect::<StringArray>()), false);
    }

    fn optional<'a>(&mut self, name: &str, values: impl Iterator<Item = Option<&'a str>>) {
        self.push(name, Arc::new(values.collect::<StringArray>()), true);
    }

    fn counts(&mut self, name: &str, values: impl Iterator<Item = u64>) {
        self.push(name, Arc::new(values.map(Some).collect::<UInt64Array>()), false);
    }

    fn lists<'a>(
        &mut self,
        name: &str,
        values: impl Iterator<Item = &'a Vec<String>> + Clone,
    ) -> Result<(), ArrowError> {
        let texts: StringArray = values.clone().flatten().map(Some).collect();
        let list = list(values.map(Vec::len), Arc::new(texts))?;
        self.push(name, Arc::new(list), false);
        Ok(())
    }

    /// A list of messages a row.
    fn messages<'a>(
        &mut self,
        name: &str,
        values: impl Iterator<Item = &'a [Turn]> + Clone,
    ) -> Result<(), ArrowError> {
        let mut members = Self::default();
        members.texts("role", values.clone().flatten().map(|turn| turn.role.name()));
        members.texts(
            "content",
            values.clone().flatten().map(|message| message.content.as_str()),
        );
        let list = list(values.map(<[_]>::len), Arc::new(members.record()?))?;
        self.push(name, Arc::new(list), false);
        Ok(())
    }

    /// A list of messages with their tool calls a row.
    fn tool_messages<'a>(
        &mut self,
        name: &str,
        values: impl Iterator<Item = &'a [ToolTurn<'a>]> + Clone,
    ) -> Result<(), ArrowError> {
        let turns = || values.clone().flatten();
        let calls = || turns().flat_map(|turn| &turn.tool_calls);
        let mut function = Self::default();
        function.texts("name", calls().map(|call| call.function.name));
        function.texts("arguments", calls().map(|call| call.function.arguments.as_str()));
        let mut call = Self::default();
        call.texts("id", calls().map(|call| call.id));
        call.texts("type", calls().map(|call| call.r#type));
        call.push("function", Arc::new(function.record()?), false);
        let mut members = Self::default();
        members.texts("role", turns().map(|turn| turn.role.name()));
        members.texts("content", turns().map(|turn| turn.content));
        let calls = list(
            turns().map(|turn| turn.tool_calls.len()),
            Arc::new(call.record()?),
        )?;
        members.push("tool_calls", Arc::new(calls), false);
        members.optional("tool_call_id", turns().map(|turn| turn.tool_call_id));
        members.optional("name", turns().map(|turn| turn.name));
        let list = list(values.clone().map(<[_]>::len), Arc::new(members.record()?))?;
        self.push(name, Arc::new(list), false);
        Ok(())
    }

    fn record(self) -> Result<StructArray, ArrowError> {
        let rows = self.arrays.first().map_or(0, |array| array.len());
        StructArray::try_new_with_length(Fields::from(self.fields), self.arrays, None, rows)
    }

    fn batch(self) -> Result<RecordBatch, ArrowError> {
        RecordBatch::try_new(Arc::new(Schema::new(self.fields)), self.arrays)
    }
}

/// Cuts the items of all rows into one list a row. Items are named as the Parquet format recommends.
fn list(lengths: impl Iterator<Item = usize>, items: ArrayRef) -> Result<ListArray, ArrowError> {
    let item: DataType = items.data_type().clone();
    let field = Arc::new(Field::new("element", item, false));
    ListArray::try_new(field, OffsetBuffer::from_lengths(lengths), items, None)
}
