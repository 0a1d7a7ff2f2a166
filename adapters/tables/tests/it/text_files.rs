//! JSON Lines and CSV, plain and compressed.

use std::io::Write;

use gristmill_tables::{Format, Kind, Options, Reader, Reason, sniff};

use crate::{Folder, show};

#[test]
fn json_lines_keep_their_numbers_past_marks_blank_lines_and_bad_rows() {
    let text = b"\xef\xbb\xbf{\"q\":\"\xc3\xbc\"}\r\n\r\n  \n{\"q\": 1,}\n[1,2]\n{\"q\":\"\xff\"}\n\"x\"\n{\"q\":\n{\"a\":1}{\"b\":2}\n{\"q\":\"\\u0000\"}";
    assert_eq!(
        Folder::with(&[("s.jsonl", text)]).shown("s.jsonl"),
        [
            r#"1: {"q":"ü"}"#,
            "! 4:9: invalid JSON: trailing comma",
            "! 5: an array; each line must be one object such as {\"question\": …}",
            // Counted from the start of the file, the byte order mark included.
            "! 6:7: invalid UTF-8 at byte 42; save the file as UTF-8",
            "! 7: a text; each line must be one object such as {\"question\": …}",
            "! 8:5: invalid JSON: EOF while parsing a value (the line ends in the middle of its object; each line must hold one whole object)",
            "! 9:8: invalid JSON: trailing characters",
            r#"10: {"q":"\u0000"}"#,
        ]
    );
}

#[test]
fn broken_json_is_told_in_words_for_people() {
    let text = b"not json at all\n{\"q\": nothing}\n{q: 1}\n{\"q\" 1}\n{\"q\": \"say \"hi\"\"}\n{\"q\": \"C:\\data\"}\n{\"q\": \"a\tb\"}";
    assert_eq!(
        Folder::with(&[("s.jsonl", text)]).shown("s.jsonl"),
        [
            "! 1:2: invalid JSON: the line is plain text; each line must be one object such as {\"question\": …}",
            "! 2:8: invalid JSON: here a value is missing, or a text stands without double quotes; only numbers, true, false and null go without",
            "! 3:2: invalid JSON: the name of a field must stand in double quotes",
            "! 4:6: invalid JSON: `:` is missing between the name of a field and its value",
            "! 5:13: invalid JSON: a comma or the closing bracket is missing; a double quote within a text is written `\\\"`",
            "! 6:11: invalid JSON: no escape begins like this; a backslash within a text is written `\\\\`",
            "! 7:9: invalid JSON: a line break, a tab or another control character within a text; write it as `\\n` or `\\t`",
        ]
    );
}

#[test]
fn csv_rows_span_lines_and_each_fault_has_its_place() {
    let text = b"\xef\xbb\xbfquestion,answer\r\n\"two\nlines\",1\r\n\r\n   \r\nonly one\r\na,b,c\r\nbad \xff,x\r\n\"say \"\"hi\"\"\",\r\nlast,\"open\nto the end\nof file";
    assert_eq!(
        Folder::with(&[("s.csv", text)]).shown("s.csv"),
        [
            r#"2: {"question":"two\nlines","answer":"1"}"#,
            "! 6: 1 fields where the header names 2",
            "! 7: 3 fields where the header names 2",
            "! 8: invalid UTF-8 at byte 4 of field `question`; save the file as UTF-8",
            r#"9: {"question":"say \"hi\"","answer":""}"#,
            "! 10: a quoted field that begins in this row is never closed; everything behind it was taken for its text",
        ]
    );
}

#[test]
fn numbers_are_read_to_the_last_bit() {
    let rows = Folder::with(&[("s.jsonl", b"{\"n\":1.0325499687442447e245}")]).rows("s.jsonl");
    assert_eq!(
        rows[0].as_ref().unwrap().value["n"].as_f64(),
        Some(1.0325499687442447e245)
    );
}

#[test]
fn a_last_row_without_a_line_end_counts_and_bare_quotes_are_text() {
    assert_eq!(
        Folder::with(&[("s.tsv", b"a\tb\n5\" nail\t7")]).shown("s.tsv"),
        [r#"2: {"a":"5\" nail","b":"7"}"#]
    );
}

#[test]
fn a_column_without_a_name_gets_one() {
    assert_eq!(
        Folder::with(&[("s.csv", b", q \n0,x\n")]).shown("s.csv"),
        [r#"2: {"column_1":"0","q":"x"}"#],
        "data frames are exported with such an index"
    );
}

#[test]
fn rows_over_the_limit_are_skipped_and_the_next_is_read() {
    let long = "y".repeat(5_000);
    let folder = Folder::with(&[
        (
            "s.jsonl",
            format!("{{\"q\":\"{long}\"}}\n{{\"q\":2}}\n").as_bytes(),
        ),
        (
            "s.csv",
            format!("q,a\n\"{long}\n{long}\",1\n{long}\n2,3\n").as_bytes(),
        ),
        ("wide.csv", format!("q\n{}\nok\n", ",".repeat(20_000)).as_bytes()),
    ]);
    let options = Options {
        row_bytes_max: 4_096,
        ..folder.options()
    };
    let shown = |name: &str| -> Vec<String> {
        Reader::open_with(&[name], &options)
            .unwrap()
            .map(|row| show(&row))
            .collect()
    };
    let too_long = "longer than the limit of 4096 bytes for a row";
    assert_eq!(
        shown("s.jsonl"),
        [format!("! 1: {too_long}"), r#"2: {"q":2}"#.to_owned()]
    );
    assert_eq!(
        shown("s.csv"),
        [
            format!("! 2: {too_long}"),
            format!("! 4: {too_long}"),
            r#"5: {"q":"2","a":"3"}"#.to_owned()
        ]
    );
    assert_eq!(
        shown("wide.csv"),
        [format!("! 2: {too_long}"), r#"3: {"q":"ok"}"#.to_owned()]
    );
}

#[test]
fn each_kind_of_emptiness_is_told() {
    let folder = Folder::with(&[
        ("none.jsonl", b""),
        ("mark.jsonl", b"\xef\xbb\xbf\n \n"),
        ("none.csv", b""),
        ("header.csv", b"q,a\n"),
    ]);
    assert_eq!(
        folder.shown("none.jsonl"),
        ["!  the file is empty: it has no line with text"]
    );
    assert_eq!(
        folder.shown("mark.jsonl"),
        ["!  the file is empty: it has no line with text"]
    );
    assert_eq!(
        folder.shown("none.csv"),
        ["!  the file is empty: it has neither a header nor rows"]
    );
    assert_eq!(
        folder.shown("header.csv"),
        ["!  the file is empty: it has a header and no rows"]
    );
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn compressed_files_read_like_plain_ones_whatever_their_name() {
    let (first, second) = (b"{\"q\":1}\n{\"q\":".as_slice(), b"2}\n".as_slice());
    let plain = [first, second].concat();
    let folder = Folder::with(&[
        // Two members in a row, as `cat a.gz b.gz` leaves them.
        ("a.jsonl.gz", &[gzip(first), gzip(second)].concat()),
        ("b.jsonl.zst", &zstd::encode_all(plain.as_slice(), 3).unwrap()),
        ("c.jsonl", &gzip(&plain)),
        ("d.jsonl.gz", &plain),
        ("e.csv.gz", &gzip(b"q\n1\n2\n")),
    ]);
    for name in ["a.jsonl.gz", "b.jsonl.zst", "c.jsonl", "d.jsonl.gz"] {
        assert_eq!(folder.shown(name), [r#"1: {"q":1}"#, r#"2: {"q":2}"#], "{name}");
    }
    assert_eq!(folder.shown("e.csv.gz"), [r#"2: {"q":"1"}"#, r#"3: {"q":"2"}"#]);
}

#[test]
fn a_cut_archive_ends_its_file_loudly_and_the_next_file_follows() {
    let mut text: Vec<u8> = Vec::new();
    for row in 0..20_000_u32 {
        writeln!(text, "{{\"q\":{}}}", row.wrapping_mul(2_654_435_761)).unwrap();
    }
    for archive in [gzip(&text), zstd::encode_all(text.as_slice(), 3).unwrap()] {
        let cut = &archive[..archive.len() / 2];
        let folder = Folder::with(&[("a.jsonl", cut), ("b.jsonl", b"{\"last\":true}")]);
        let rows: Vec<_> = folder.open(&["*.jsonl"], Format::Auto).unwrap().collect();
        let ends: Vec<_> = rows.iter().filter_map(|row| row.as_ref().err()).collect();
        let [end] = ends.as_slice() else {
            panic!("one bad row, not {ends:?}")
        };
        assert!(
            end.ends_file() && end.to_string().contains("was cut off"),
            "{end}"
        );
        assert_eq!(
            end.line,
            rows.len() as u64 - 1,
            "the row behind the last good one"
        );
        assert_eq!(show(rows.last().unwrap()), r#"1: {"last":true}"#);
    }
}

#[test]
fn a_file_that_vanishes_after_the_check_is_missed() {
    let folder = Folder::with(&[("a.jsonl", b"{}"), ("b.jsonl", b"{}")]);
    let reader = folder.open(&["*.jsonl"], Format::Auto).unwrap();
    std::fs::remove_file(folder.path("a.jsonl")).unwrap();
    let rows: Vec<_> = reader.collect();
    assert!(
        rows[0]
            .as_ref()
            .is_err_and(|bad| bad.ends_file() && bad.line == 0),
        "{rows:?}"
    );
    assert!(rows[1].is_ok() && rows.len() == 2);
}

#[test]
fn a_profile_names_types_examples_and_gaps() {
    let mut text = String::from("not json\n");
    for row in 0..1_500 {
        let note = if row % 4 == 0 { ",\"note\":\"n\"" } else { "" };
        text += &format!(
            "{{\"q\":\"question {row}\",\"n\":\"{}\",\"tags\":[]{note},\"e\":null}}\n",
            row % 10
        );
    }
    let folder = Folder::with(&[("s.jsonl", text.as_bytes())]);
    let profile = sniff(&["s.jsonl"], &folder.options()).unwrap();
    assert_eq!(
        (profile.rows, profile.complete, profile.bad.len()),
        (999, false, 1)
    );
    assert!(matches!(profile.bad[0].reason, Reason::Json(_)));
    let column = |name: &str| profile.columns.iter().find(|c| c.name == name).unwrap();
    let numbers = column("n");
    assert_eq!(
        (numbers.distinct, numbers.numeric, numbers.kinds[&Kind::Text]),
        (10, 999, 999)
    );
    assert_eq!(numbers.examples, ["0", "1", "2"]);
    assert_eq!(
        (column("q").distinct, column("q").numeric, column("q").chars_max),
        (999, 0, 12)
    );
    assert_eq!(column("note").kinds[&Kind::Null], 749, "absent counts as null");
    assert!((column("note").null_share() - 749.0 / 999.0).abs() < 1e-12);
    assert_eq!((column("e").distinct, column("e").null_share()), (0, 1.0));
    assert_eq!(column("tags").kinds[&Kind::List], 999);
}

#[test]
fn lists_objects_over_lines_and_lists_within_an_object_are_rows() {
    let folder = Folder::with(&[
        (
            "list.json",
            b" [{\"q\": 1, \"t\": \"a ] }\"},\n {\"q\":\n 2},\n 5]\n",
        ),
        (
            "pretty.json",
            b"{\n  \"q\": 1,\n  \"t\": [1, 2]\n}\n{\n  \"q\": 2\n}\n",
        ),
        (
            "data.json",
            b"{\n \"version\": \"1\",\n \"data\": [\n  {\"q\": 1},\n  {\"q\": 2}\n ],\n \"more\": {}\n}",
        ),
        ("line.json", b"{\"data\": [{\"q\": 1}, {\"q\": 2}], \"n\": 2}"),
        (
            "chat.jsonl",
            b"{\"messages\": [{\"role\": \"user\", \"content\": \"x\"}]}",
        ),
        ("cut.json", b"[{\"q\": 1}, {\"q\": "),
        ("none.json", b"[]"),
        ("broken.jsonl", b"{\"q\":\n{\"q\": 2}\n"),
    ]);
    let two = |first: u64, second: u64| [format!("{first}: {{\"q\":1}}"), format!("{second}: {{\"q\":2}}")];
    assert_eq!(
        folder.shown("list.json"),
        [
            r#"1: {"q":1,"t":"a ] }"}"#,
            r#"2: {"q":2}"#,
            "! 4: a number; each line must be one object such as {\"question\": …}"
        ]
    );
    assert_eq!(
        folder.shown("pretty.json"),
        [r#"1: {"q":1,"t":[1,2]}"#, r#"5: {"q":2}"#]
    );
    assert_eq!(folder.shown("data.json"), two(4, 5));
    assert_eq!(folder.shown("line.json"), two(1, 1));
    assert_eq!(folder.shown("chat.jsonl").len(), 1, "a conversation is one row");
    let cut = folder.rows("cut.json");
    assert!(cut[0].is_ok() && cut[1].as_ref().is_err_and(|bad| bad.ends_file()) && cut.len() == 2);
    assert_eq!(
        folder.shown("none.json"),
        ["!  the file is empty: its list has no object"]
    );
    assert!(folder.shown("broken.jsonl")[0].starts_with("! 1:5: invalid JSON"));
}

#[test]
fn pythons_constants_are_null_and_half_an_emoji_is_told_by_its_line() {
    let text = b"{\"q\": \"NaN is not a number\", \"x\": NaN, \"y\": [-Infinity, Infinity]}\n{\"q\": \"half \\ud83d\"}\n{\"q\": \"whole \\ud83d\\ude00\"}\n{\"q\": NaN NaN}";
    let shown = Folder::with(&[("s.jsonl", text)]).shown("s.jsonl");
    assert_eq!(
        shown[0],
        r#"1: {"q":"NaN is not a number","x":null,"y":[null,null]}"#
    );
    assert!(
        shown[1].starts_with("! 2:") && shown[1].contains("half of a surrogate pair"),
        "{}",
        shown[1]
    );
    assert_eq!(shown[2], "3: {\"q\":\"whole 😀\"}");
    assert!(shown[3].starts_with("! 4:") && shown.len() == 4);
}

#[test]
fn spreadsheets_of_every_country_are_read() {
    let wide: Vec<u8> = [0xff, 0xfe]
        .into_iter()
        .chain(
            "Frage\tAntwort\r\nGrößer?\tja\r\n"
                .encode_utf16()
                .flat_map(u16::to_le_bytes),
        )
        .collect();
    let folder = Folder::with(&[
        (
            "semicolons.csv",
            "\u{feff}Frage;Antwort\r\nIst 1,5 viel?;ja\r\n\"a;b\";nein\r\n".as_bytes(),
        ),
        ("said.csv", b"sep=;\r\nFrage;Antwort\r\nx;y\r\n"),
        ("wide.csv", &wide),
    ]);
    assert_eq!(
        folder.shown("semicolons.csv"),
        [
            r#"2: {"Frage":"Ist 1,5 viel?","Antwort":"ja"}"#,
            r#"3: {"Frage":"a;b","Antwort":"nein"}"#
        ]
    );
    assert_eq!(folder.shown("said.csv"), [r#"3: {"Frage":"x","Antwort":"y"}"#]);
    assert_eq!(
        folder.shown("wide.csv"),
        [r#"2: {"Frage":"Größer?","Antwort":"ja"}"#]
    );
}
