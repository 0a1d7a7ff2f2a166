//! Parquet: types, codecs, damage.

use std::sync::Arc;

use arrow_array::types::Int32Type;
use arrow_array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float32Array, Float64Array,
    Int64Array, ListArray, RecordBatch, StringArray, StructArray, TimestampMillisecondArray, UInt8Array,
};
use arrow_schema::{DataType, Field, Fields};
use gristmill_tables::Format;
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;

use crate::Folder;

fn written(batch: &RecordBatch, codec: Compression) -> Vec<u8> {
    let properties = WriterProperties::builder().set_compression(codec).build();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties)).unwrap();
    writer.write(batch).unwrap();
    writer.into_inner().unwrap()
}

fn sample() -> RecordBatch {
    let messages = StructArray::new(
        Fields::from(vec![
            Field::new("role", DataType::Utf8, false),
            Field::new("tokens", DataType::UInt8, true),
        ]),
        vec![
            Arc::new(StringArray::from(vec!["user", "assistant"])),
            Arc::new(UInt8Array::from(vec![Some(7), None])),
        ],
        None,
    );
    let lists = ListArray::from_iter_primitive::<Int32Type, _, _>(vec![Some(vec![Some(1), None]), None]);
    let columns: Vec<(&str, ArrayRef)> = vec![
        (
            "text",
            Arc::new(StringArray::from(vec![Some("a\0\u{202e}😀"), None])),
        ),
        ("long", Arc::new(Int64Array::from(vec![i64::MIN, i64::MAX]))),
        ("short_float", Arc::new(Float32Array::from(vec![0.1, f32::NAN]))),
        ("double", Arc::new(Float64Array::from(vec![1e300, f64::INFINITY]))),
        ("flag", Arc::new(BooleanArray::from(vec![true, false]))),
        (
            "bytes",
            Arc::new(BinaryArray::from(vec![b"text".as_slice(), b"\xff\x00"])),
        ),
        ("day", Arc::new(Date32Array::from(vec![0, 20_000]))),
        (
            "time",
            Arc::new(TimestampMillisecondArray::from(vec![0, 1_500]).with_timezone("UTC")),
        ),
        (
            "money",
            Arc::new(
                Decimal128Array::from(vec![12_345, -1])
                    .with_precision_and_scale(10, 2)
                    .unwrap(),
            ),
        ),
        ("list", Arc::new(lists)),
        ("message", Arc::new(messages)),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true)))
        .unwrap()
}

#[test]
fn every_type_becomes_its_json_value() {
    let folder = Folder::with(&[("t.parquet", &written(&sample(), Compression::SNAPPY))]);
    let rows: Vec<_> = folder.rows("t.parquet").into_iter().map(Result::unwrap).collect();
    assert_eq!(rows.iter().map(|row| row.line).collect::<Vec<_>>(), [1, 2]);
    let expected = [
        serde_json::json!({
            "text": "a\0\u{202e}😀", "long": i64::MIN, "short_float": 0.1, "double": 1e300, "flag": true, "bytes": "text",
            "day": "1970-01-01", "time": "1970-01-01T00:00:00Z", "money": "123.45", "list": [1, null],
            "message": {"role": "user", "tokens": 7},
        }),
        serde_json::json!({
            "text": null, "long": i64::MAX, "short_float": null, "double": null, "flag": false, "bytes": "/wA=",
            "day": "2024-10-04", "time": "1970-01-01T00:00:01.500Z", "money": "-0.01", "list": null,
            "message": {"role": "assistant", "tokens": null},
        }),
    ];
    for (row, expected) in rows.into_iter().zip(expected) {
        assert_eq!(serde_json::Value::from(row.value), expected);
    }
}

#[test]
fn every_usual_codec_is_read() {
    let codecs = [
        Compression::UNCOMPRESSED,
        Compression::SNAPPY,
        Compression::GZIP(Default::default()),
        Compression::BROTLI(Default::default()),
        Compression::LZ4_RAW,
        Compression::ZSTD(Default::default()),
    ];
    for codec in codecs {
        let folder = Folder::with(&[("t", &written(&sample(), codec))]);
        let rows: Vec<_> = folder.open(&["t"], Format::Parquet).unwrap().collect();
        assert!(
            rows.len() == 2 && rows.iter().all(Result::is_ok),
            "{codec}: {rows:?}"
        );
    }
}

#[test]
fn a_table_without_rows_says_so() {
    let folder = Folder::with(&[("t.parquet", &written(&sample().slice(0, 0), Compression::SNAPPY))]);
    assert_eq!(
        folder.shown("t.parquet"),
        ["!  the file is empty: it has columns and no rows"]
    );
}

/// Flips one byte in three in turn. Damage may pass unseen (the format has no checksum by default), but nothing may panic or hang.
#[test]
fn damage_anywhere_is_an_error_and_never_a_crash() {
    let whole = written(&sample(), Compression::ZSTD(Default::default()));
    let mut noticed = 0;
    let places = (0..whole.len()).step_by(3);
    let flips = places.len();
    for at in places {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x55;
        let folder = Folder::with(&[("t.parquet", &damaged)]);
        noticed += match folder.open(&["t.parquet"], Format::Auto) {
            Err(_) => 1,
            Ok(reader) => usize::from(reader.take(10).any(|row| row.is_err())),
        };
    }
    assert!(noticed * 4 > flips, "only {noticed} of {flips} noticed");
}
