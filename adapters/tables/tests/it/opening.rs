//! Which files patterns name, and the errors when they name none that can be read.

use gristmill_tables::{Error, Format, Reader, sniff};

use crate::{Folder, name};

#[test]
fn patterns_name_files_in_order_once_and_without_hidden_ones() {
    let row = b"{}".as_slice();
    let folder = Folder::with(&[
        ("b.jsonl", row),
        ("a.jsonl", row),
        (".hidden.jsonl", row),
        ("deep/er/c.jsonl", row),
        ("odd[1]*.jsonl", row),
        ("z.txt", b"no table"),
    ]);
    let files = |patterns: &[&str]| -> Vec<String> {
        folder
            .open(patterns, Format::Auto)
            .unwrap()
            .files()
            .map(name)
            .collect()
    };
    assert_eq!(
        files(&["b.jsonl", "*.jsonl"]),
        ["b.jsonl", "a.jsonl", "odd[1]*.jsonl"]
    );
    assert_eq!(files(&["**/[c-d].jsonl"]), ["c.jsonl"]);
    assert_eq!(
        files(&["odd[1]*.jsonl"]),
        ["odd[1]*.jsonl"],
        "an existing name is no pattern"
    );
    let base = folder.path("odd[1]*.jsonl").parent().unwrap().join("deep");
    let absolute = format!("{}/**/*.jsonl", base.display());
    assert_eq!(
        files(&[&absolute]),
        ["c.jsonl"],
        "absolute patterns leave the base alone"
    );
}

#[test]
fn a_base_folder_with_pattern_characters_is_taken_by_its_letters() {
    let folder = Folder::with(&[("run [1]/a.jsonl", b"{}"), ("run 1/b.jsonl", b"{}")]);
    let options = gristmill_tables::Options {
        base: Some(folder.path("run [1]")),
        ..folder.options()
    };
    let reader = Reader::open_with(&["*.jsonl"], &options).unwrap();
    assert_eq!(reader.files().map(name).collect::<Vec<_>>(), ["a.jsonl"]);
}

/// What opening says, with the folder's own path left out.
fn refusal(folder: &Folder, pattern: &str, format: Format) -> String {
    let error = folder
        .open(&[pattern], format)
        .err()
        .unwrap_or_else(|| panic!("{pattern} opened"));
    let shown = error.to_string();
    assert!(
        shown.contains(pattern.trim_end_matches('/')),
        "names the file: {shown}"
    );
    let base = folder.path("");
    shown
        .replace(base.to_str().unwrap(), "")
        .replace(base.to_str().unwrap().trim_end_matches('/'), "BASE")
}

#[test]
fn what_cannot_be_opened_is_named_with_the_way_out() {
    let folder = Folder::with(&[
        ("seeds.jsonl", b"{}"),
        ("other.csv", b"a\n1\n"),
        ("notes.txt", b"x"),
        ("plain", b"x"),
        ("only.gz", b"x"),
        ("book.csv", b"PK\x03\x04rest"),
        ("table.jsonl", b"PAR1rest of it"),
        ("twice.csv", b"q,a,q\n1,2,3\n"),
        ("latin.csv", b"fr\xe5ge,a\n1,2\n"),
        ("open.csv", b"\"q,a\n1,2\n"),
        ("empty.parquet", b""),
        ("short.parquet", b"PAR1"),
        ("cut.parquet", b"PAR1 and then it was cut off"),
        ("text.parquet", b"{\"question\": 1} {\"question\": 2}"),
        (
            "broken.parquet",
            b"PAR1\x01\x02\x03\x04\x05\x06\x07\x08\x08\0\0\0PAR1",
        ),
        (
            "far.parquet",
            b"PAR1\x01\x02\x03\x04\x05\x06\x07\x08\xff\xff\xff\x7fPAR1",
        ),
        ("sub/x.jsonl", b"{}"),
    ]);
    std::fs::create_dir(folder.path("bare")).unwrap();
    let cases = [
        (
            "seed.jsonl",
            "seed.jsonl: no such file; the nearest name in its folder is `seeds.jsonl`",
        ),
        ("bare/x.csv", "bare/x.csv: no such file; its folder is empty"),
        ("no/such/x.csv", "no/such/x.csv: the folder no does not exist"),
        (
            "*.ndjson",
            "no file matches `*.ndjson`; patterns are matched from the folder BASE",
        ),
        (
            "a[.jsonl",
            "`a[.jsonl` is no valid file pattern: invalid range pattern at character 2",
        ),
        (
            "sub",
            "sub: is a folder; name the files in it, for example `sub/*.jsonl`",
        ),
        (
            "book.csv",
            "book.csv: read as CSV, but this is a zip archive or a spreadsheet; export it as CSV in UTF-8",
        ),
        (
            "table.jsonl",
            "table.jsonl: read as JSON Lines, but this is a Parquet file; name its format `parquet`",
        ),
        (
            "twice.csv",
            "twice.csv: unusable header line: it names `q` twice; rename one of them",
        ),
        (
            "latin.csv",
            "latin.csv: unusable header line: name 1 is not valid UTF-8; save the file as UTF-8",
        ),
        (
            "open.csv",
            "open.csv: unusable header line: a quote in it is never closed",
        ),
        (
            "empty.parquet",
            "empty.parquet: unreadable Parquet file: the file has no bytes at all",
        ),
        (
            "short.parquet",
            "short.parquet: unreadable Parquet file: it is too short to hold a footer",
        ),
        (
            "cut.parquet",
            "cut.parquet: unreadable Parquet file: it has no footer, so it was cut off; copy or write the file again",
        ),
        (
            "text.parquet",
            "text.parquet: unreadable Parquet file: it does not begin with the mark of a Parquet file; if it is another, its name should say so",
        ),
    ];
    for (pattern, expected) in cases {
        let shown = refusal(&folder, pattern, Format::Auto);
        assert!(
            shown.starts_with(expected),
            "{pattern}\n   shown: {shown}\nexpected: {expected}"
        );
    }
    for damaged in ["broken.parquet", "far.parquet"] {
        assert!(refusal(&folder, damaged, Format::Auto).contains("its footer is damaged"));
    }
    for (file, extension) in [
        ("notes.txt", "`.txt`"),
        ("plain", "a name without extension"),
        ("only.gz", "`.gz`"),
    ] {
        let shown = refusal(&folder, file, Format::Auto);
        assert!(
            shown.contains(&format!("cannot tell the format from {extension}; use one of")),
            "{shown}"
        );
    }
    assert!(
        folder.open(&["notes.txt"], Format::Csv).is_ok(),
        "a named format needs no extension"
    );
    assert!(matches!(folder.open(&[], Format::Auto), Err(Error::Nothing)));
    assert!(sniff(&["seed.jsonl"], &folder.options()).is_err());
}

#[cfg(unix)]
#[test]
fn a_socket_is_refused_instead_of_waited_for() {
    let folder = Folder::with(&[]);
    let _socket = std::os::unix::net::UnixListener::bind(folder.path("s.jsonl")).unwrap();
    assert!(refusal(&folder, "s.jsonl", Format::Auto).contains("is no regular file"));
}

/// Reading the first of several lists would leave the rows of the others out without a word.
#[test]
fn a_file_with_several_lists_of_rows_is_refused_by_their_names() {
    let rows = r#"[{"q": 1, "a": 2}, {"q": 3, "a": 4}]"#;
    let file = |text: String| text.into_bytes();
    let (splits, pretty) = (
        file(format!(r#"{{"train": {rows}, "test": {rows}}}"#)),
        file(format!(
            "{{\n  \"version\": 1,\n  \"dev\":\n {rows},\n \"extra\": {rows}\n}}\n"
        )),
    );
    let (one, lists) = (
        file(format!(r#"{{"licenses": [{{"id": 1}}], "dev": {rows}}}"#)),
        file(format!("{rows}\n{rows}\n")),
    );
    let folder = Folder::with(&[
        ("splits.json", splits.as_slice()),
        ("pretty.json", pretty.as_slice()),
        ("one.json", one.as_slice()),
        ("lists.json", lists.as_slice()),
    ]);
    let told = refusal(&folder, "splits.json", Format::Auto);
    assert!(told.contains("2 lists of rows, `train`, `test`"), "{told}");
    assert!(told.contains("jq '.\"train\"'"), "{told}");
    let told = refusal(&folder, "pretty.json", Format::Auto);
    assert!(told.contains("`dev`, `extra`"), "{told}");
    assert_eq!(folder.shown("one.json").len(), 2);
    assert_eq!(
        folder.shown("lists.json").len(),
        4,
        "lists one after the other are all read"
    );
}
