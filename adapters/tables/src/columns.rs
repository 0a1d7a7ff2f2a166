//! Parquet: rows of typed columns, read in small batches.

use std::fmt::Display;
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Float16Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
    UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_schema::{ArrowError, DataType, TimeUnit};
use base64::Engine;
use parquet::arrow::arrow_reader::{
    ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};
use parquet::file::metadata::ParquetMetaData;
use serde_json::{Map, Number, Value};

use crate::error::Error;
use crate::row::{BadRow, Reason, Record};

/// Aim for a batch's uncompressed size, from the averages in the footer.
const BATCH_BYTES: i64 = 8 * 1024 * 1024;
const BATCH_ROWS_MAX: i64 = 1024;

/// Rows of one Parquet file.
pub(crate) struct Rows {
    file: Arc<Path>,
    batches: ParquetRecordBatchReader,
    batch: Option<RecordBatch>,
    row_in_batch: usize,
    rows: u64,
}

impl Rows {
    /// Opens the file and reads its footer.
    pub(crate) fn open(file: Arc<Path>) -> Result<Self, Error> {
        let fail = |reason: String| Error::Parquet {
            file: file.to_path_buf(),
            reason,
        };
        let handle = File::open(&file).map_err(|e| Error::from_io(&file, e))?;
        check_marks(&handle)
            .map_err(|e| Error::from_io(&file, e))?
            .map_err(|e| fail(e.to_owned()))?;
        let bytes_in_file = handle.metadata().map_err(|e| Error::from_io(&file, e))?.len();
        // The types of the file's own schema: fewer than Arrow has, and no second schema that may disagree with it.
        let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
        let builder = guarded(|| ParquetRecordBatchReaderBuilder::try_new_with_options(handle, options))
            .and_then(|builder| check_chunks(builder.metadata(), bytes_in_file).map(|()| builder))
            .map_err(|error| {
                fail(format!(
                    "its footer is damaged ({error}); copy or write the file again"
                ))
            })?;
        let groups = builder.metadata().row_groups();
        let bytes: i64 = groups
            .iter()
            .map(|group| group.total_byte_size().max(0))
            .fold(0, i64::saturating_add);
        let rows = builder.metadata().file_metadata().num_rows().max(1);
        let batch_rows = (BATCH_BYTES / (bytes / rows).max(1)).clamp(1, BATCH_ROWS_MAX);
        let builder = builder.with_batch_size(usize::try_from(batch_rows).unwrap_or(1));
        let batches = guarded(|| builder.build()).map_err(&fail)?;
        Ok(Self {
            file,
            batches,
            batch: None,
            row_in_batch: 0,
            rows: 0,
        })
    }

    pub(crate) fn next(&mut self) -> Option<Result<Record, BadRow>> {
        loop {
            if let Some(batch) = &self.batch
                && self.row_in_batch < batch.num_rows()
            {
                let value = object(batch, self.row_in_batch);
                self.row_in_batch += 1;
                self.rows += 1;
                let (file, line) = (Arc::clone(&self.file), self.rows);
                return Some(match value {
                    Ok(value) => Ok(Record { file, line, value }),
                    Err(error) => Err(self.bad(line, Reason::Value(error.to_string()))),
                });
            }
            self.row_in_batch = 0;
            match guarded(|| self.batches.next().transpose()).transpose()? {
                Ok(batch) => self.batch = Some(batch),
                Err(error) => {
                    self.batch = None;
                    return Some(Err(self.bad(self.rows + 1, Reason::Unreadable(error))));
                }
            }
        }
    }

    fn bad(&self, line: u64, reason: Reason) -> BadRow {
        BadRow {
            file: Arc::clone(&self.file),
            line,
            column: None,
            reason,
        }
    }
}

/// Turns a panic inside the Parquet library into an error: it has assertions that damaged files reach (a negative chunk
/// length in the footer, for one), and one bad input file must not take a whole run with it. What was half read is dropped.
fn guarded<T, E: Display>(read: impl FnOnce() -> Result<T, E>) -> Result<T, String> {
    match catch_unwind(AssertUnwindSafe(read)) {
        Ok(result) => result.map_err(|error| error.to_string()),
        Err(panic) => {
            let message = panic.downcast_ref::<String>().map(String::as_str);
            let message = message.or_else(|| panic.downcast_ref::<&str>().copied());
            Err(format!(
                "the file is damaged: {}",
                message.unwrap_or("its parts contradict each other")
            ))
        }
    }
}

/// Looks at the marks at both ends: a cut download is the usual damage, and deserves plainer words than a parser's.
fn check_marks(mut file: &File) -> std::io::Result<Result<(), &'static str>> {
    use std::io::{Read, Seek, SeekFrom};
    let bytes = file.metadata()?.len();
    let (mut first, mut last) = ([0; 4], [0; 4]);
    if bytes >= 12 {
        file.read_exact(&mut first)?;
        file.seek(SeekFrom::End(-4))?;
        file.read_exact(&mut last)?;
        file.seek(SeekFrom::Start(0))?;
    }
    Ok(match (&first, &last) {
        _ if bytes == 0 => Err("the file has no bytes at all"),
        _ if bytes < 12 => Err("it is too short to hold a footer"),
        (b"PAR1", b"PAR1") => Ok(()),
        (b"PAR1", b"PARE") | (b"PARE", _) => Err("it is encrypted; write it without encryption"),
        (b"PAR1", _) => Err("it has no footer, so it was cut off; copy or write the file again"),
        _ => {
            Err("it does not begin with the mark of a Parquet file; if it is another, its name should say so")
        }
    })
}

/// Every column chunk lies inside the file: the library asserts it only while reading.
fn check_chunks(footer: &ParquetMetaData, bytes_in_file: u64) -> Result<(), String> {
    for chunk in footer.row_groups().iter().flat_map(|group| group.columns()) {
        let start = chunk
            .dictionary_page_offset()
            .unwrap_or_else(|| chunk.data_page_offset());
        let end = start.checked_add(chunk.compressed_size());
        let inside = start >= 0
            && chunk.compressed_size() >= 0
            && end.is_some_and(|end| u64::try_from(end).is_ok_and(|end| end <= bytes_in_file));
        if !inside {
            return Err(format!("column {} lies outside the file", chunk.column_path()));
        }
    }
    Ok(())
}

fn object(batch: &RecordBatch, row: usize) -> Result<Map<String, Value>, ArrowError> {
    let schema = batch.schema_ref();
    let fields = schema.fields().iter().zip(batch.columns());
    fields
        .map(|(field, column)| Ok((field.name().clone(), value(column.as_ref(), row)?)))
        .collect()
}

/// One cell as JSON; see [`Record::value`] for what has no counterpart.
fn value(array: &dyn Array, row: usize) -> Result<Value, ArrowError> {
    if array.is_null(row) {
        return Ok(Value::Null);
    }
    Ok(match array.data_type() {
        DataType::Boolean => array.as_boolean().value(row).into(),
        DataType::Int8 => cell::<Int8Type>(array, row).into(),
        DataType::Int16 => cell::<Int16Type>(array, row).into(),
        DataType::Int32 => cell::<Int32Type>(array, row).into(),
        DataType::Int64 => cell::<Int64Type>(array, row).into(),
        DataType::UInt8 => cell::<UInt8Type>(array, row).into(),
        DataType::UInt16 => cell::<UInt16Type>(array, row).into(),
        DataType::UInt32 => cell::<UInt32Type>(array, row).into(),
        DataType::UInt64 => cell::<UInt64Type>(array, row).into(),
        DataType::Float16 => short_float(cell::<Float16Type>(array, row).to_f32()),
        DataType::Float32 => short_float(cell::<Float32Type>(array, row)),
        DataType::Float64 => Number::from_f64(cell::<Float64Type>(array, row)).into(),
        DataType::Utf8 => array.as_string::<i32>().value(row).into(),
        DataType::LargeUtf8 => array.as_string::<i64>().value(row).into(),
        DataType::Utf8View => array.as_string_view().value(row).into(),
        DataType::Binary => bytes(array.as_binary::<i32>().value(row)),
        DataType::LargeBinary => bytes(array.as_binary::<i64>().value(row)),
        DataType::BinaryView => bytes(array.as_binary_view().value(row)),
        DataType::FixedSizeBinary(_) => bytes(array.as_fixed_size_binary().value(row)),
        DataType::List(_) => list(array.as_list::<i32>().value(row).as_ref())?,
        DataType::LargeList(_) => list(array.as_list::<i64>().value(row).as_ref())?,
        DataType::FixedSizeList(..) => list(array.as_fixed_size_list().value(row).as_ref())?,
        DataType::Struct(fields) => {
            let columns = array.as_struct().columns();
            let members = fields.iter().zip(columns);
            let members: Result<Map<_, _>, ArrowError> = members
                .map(|(field, column)| Ok((field.name().clone(), value(column.as_ref(), row)?)))
                .collect();
            members?.into()
        }
        DataType::Map(..) => {
            let entries = array.as_map().value(row);
            let (keys, values) = (entries.column(0).as_ref(), entries.column(1).as_ref());
            let members: Result<Map<_, _>, ArrowError> = (0..entries.len())
                .map(|at| Ok((key(value(keys, at)?), value(values, at)?)))
                .collect();
            members?.into()
        }
        DataType::Timestamp(unit, Some(_)) => shown(in_utc(array, *unit).as_ref(), row)?,
        // Dates, times, decimals: exact as text, and not as a float.
        _ => shown(array, row)?,
    })
}

fn shown(array: &dyn Array, row: usize) -> Result<Value, ArrowError> {
    let text = ArrayFormatter::try_new(array, &FormatOptions::default())?
        .value(row)
        .try_to_string()?;
    Ok(text.into())
}

/// Moments are stored in UTC, which is all that is known of them: named zones would need a table of zones.
fn in_utc(array: &dyn Array, unit: TimeUnit) -> ArrayRef {
    const UTC: &str = "+00:00";
    match unit {
        TimeUnit::Second => Arc::new(
            array
                .as_primitive::<TimestampSecondType>()
                .clone()
                .with_timezone(UTC),
        ),
        TimeUnit::Millisecond => Arc::new(
            array
                .as_primitive::<TimestampMillisecondType>()
                .clone()
                .with_timezone(UTC),
        ),
        TimeUnit::Microsecond => Arc::new(
            array
                .as_primitive::<TimestampMicrosecondType>()
                .clone()
                .with_timezone(UTC),
        ),
        TimeUnit::Nanosecond => Arc::new(
            array
                .as_primitive::<TimestampNanosecondType>()
                .clone()
                .with_timezone(UTC),
        ),
    }
}

fn cell<T: ArrowPrimitiveType>(array: &dyn Array, row: usize) -> T::Native {
    array.as_primitive::<T>().value(row)
}

fn list(items: &dyn Array) -> Result<Value, ArrowError> {
    let items: Result<Vec<_>, _> = (0..items.len()).map(|at| value(items, at)).collect();
    items.map(Value::from)
}

fn key(value: Value) -> String {
    match value {
        Value::String(text) => text,
        other => other.to_string(),
    }
}

/// Through the shortest text, so that 0.1 stays 0.1 and does not become 0.10000000149011612.
fn short_float(float: f32) -> Value {
    float.to_string().parse().ok().and_then(Number::from_f64).into()
}

/// Text where it is text (old writers mark it as bytes), base64 otherwise.
fn bytes(bytes: &[u8]) -> Value {
    std::str::from_utf8(bytes)
        .map_or_else(
            |_| base64::engine::general_purpose::STANDARD.encode(bytes),
            str::to_owned,
        )
        .into()
}
