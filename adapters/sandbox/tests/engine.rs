//! What an honest query gets, and how a sandbox is opened.
#![allow(clippy::unwrap_used, reason = "a test says what went wrong by failing")]

mod support;

use std::collections::BTreeMap;

use gristmill_domain::answer::sql::Cell;
use gristmill_ports::sql::{SqlEngine, SqlError};
use gristmill_sandbox::{Error, Limits, Options, Sandbox, Source};
use support::{Bed, DUMP, open_error, options};

#[tokio::test]
async fn values_come_back_as_they_are() {
    let bed = Bed::new(1, Limits::default()).await;
    let query =
        "SELECT id, name, age, x'00ff' AS b, 9e999, -0.1 + 0.3 FROM author WHERE id <= 3 ORDER BY id;";
    let table = bed.run(query).await.unwrap();
    assert_eq!(table.columns[..4], ["id", "name", "age", "b"]);
    let row = |id, name: &str, age| {
        let text = Cell::Text(name.into());
        let (infinite, sum) = (Cell::Real(f64::INFINITY), Cell::Real(-0.1 + 0.3));
        vec![
            Cell::Integer(id),
            text,
            age,
            Cell::Blob(vec![0, 255]),
            infinite,
            sum,
        ]
    };
    let rows = [
        row(1, "Ada", Cell::Real(36.5)),
        row(2, "Béla", Cell::Null),
        row(3, "it's; a name", Cell::Real(40.0)),
    ];
    assert_eq!(table.rows, rows);
    assert_eq!(bed.run("SELECT name FROM old").await.unwrap().rows.len(), 2);
    assert_eq!(
        bed.run("SELECT 1 WHERE 0 -- nothing").await.unwrap().rows.len(),
        0
    );
    let schema = bed.sandbox.schema("small").await.unwrap();
    assert!(
        schema.starts_with("CREATE TABLE author (") && schema.contains(");\nCREATE VIEW old"),
        "{schema}"
    );
}

#[tokio::test]
async fn more_queries_than_slots_all_get_answers() {
    let bed = Bed::new(2, Limits::default()).await;
    let queries: Vec<String> = (0..40)
        .map(|i| format!("SELECT {i} + count(*) FROM author"))
        .collect();
    let answers = futures(&bed, &queries).await;
    for (i, answer) in answers.into_iter().enumerate() {
        assert_eq!(answer.unwrap().rows, [[Cell::Integer(10 + i as i64)]]);
    }
}

async fn futures(
    bed: &Bed,
    queries: &[String],
) -> Vec<Result<gristmill_domain::answer::sql::Table, SqlError>> {
    // Started together, polled in turn: a slot that one holds must come free without the others' help.
    let mut running: Vec<_> = queries.iter().map(|query| bed.run(query)).map(Box::pin).collect();
    let mut answers: Vec<_> = running.iter().map(|_| None).collect();
    std::future::poll_fn(|context| {
        for (future, answer) in running.iter_mut().zip(&mut answers) {
            if answer.is_none()
                && let std::task::Poll::Ready(done) = future.as_mut().poll(context)
            {
                *answer = Some(done);
            }
        }
        if answers.iter().all(Option::is_some) {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
    answers.into_iter().flatten().collect()
}

#[tokio::test]
async fn unknown_names_and_errors_are_explained() {
    let bed = Bed::new(1, Limits::default()).await;
    let unknown = bed.sandbox.run("big", "SELECT 1").await.unwrap_err();
    assert_eq!(unknown.to_string(), "there is no database `big`; known: small");
    assert!(!unknown.is_querys_fault());
    let failed = bed.run("SELECT nme FROM author").await.unwrap_err();
    assert_eq!(
        failed.to_string(),
        "the query failed: no such column: nme at byte 7"
    );
    assert!(failed.is_querys_fault());
    let overflow = bed.run("SELECT abs(-9223372036854775808)").await.unwrap_err();
    assert_eq!(
        overflow,
        SqlError::Failed {
            message: "integer overflow".into()
        }
    );
}

#[tokio::test]
async fn a_dump_is_loaded_once_into_a_read_only_file() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("a").join("cache");
    let with_cache = || Options {
        cache: Some(cache.clone()),
        ..options(folder.path(), 1, Limits::default())
    };
    drop(Sandbox::open(with_cache()).await.unwrap());
    let files = || -> Vec<_> {
        let entries = std::fs::read_dir(&cache).unwrap();
        entries
            .map(|entry| entry.unwrap())
            .map(|e| (e.path(), e.metadata().unwrap()))
            .collect()
    };
    let first = files();
    assert_eq!(first.len(), 1, "no half-made files: {first:?}");
    assert!(first[0].1.permissions().readonly());
    let again = Sandbox::open(with_cache()).await.unwrap();
    assert_eq!(files()[0].1.modified().unwrap(), first[0].1.modified().unwrap());
    assert!(again.run("small", "SELECT 1").await.is_ok());
    // The file it made is a source of its own, under a name that a URI would misread.
    let odd = folder.path().join("50% a?b#c.sqlite");
    std::fs::copy(&first[0].0, &odd).unwrap();
    let source = Source::from_path(&odd).unwrap();
    let options = Options {
        databases: BTreeMap::from([("odd".to_owned(), source)]),
        ..with_cache()
    };
    let sandbox = Sandbox::open(options).await.unwrap();
    assert!(sandbox.run("odd", "SELECT name FROM author").await.is_ok());
}

#[tokio::test]
async fn unusable_sources_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let base = || options(folder.path(), 1, Limits::default());
    let with = |name: &str, text: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        let source = Source::from_path(&path).unwrap();
        Options {
            databases: BTreeMap::from([("x".to_owned(), source)]),
            ..base()
        }
    };
    for (name, text, message) in [
        (
            "syntax.sql",
            &b"CREATE TABLE t(a);\nINSERT INTO t VALUES (1;"[..],
            "statement 2: near \";\": syntax error",
        ),
        (
            "cut.sql",
            b"BEGIN; CREATE TABLE t(a);",
            "ends inside a transaction",
        ),
        ("latin.sql", b"SELECT '\xe9'", "not UTF-8 text (byte 8)"),
        (
            "attach.sql",
            b"ATTACH '/tmp/gristmill-attached' AS x;",
            "statement 1: it reaches for another file",
        ),
        (
            "vacuum.sql",
            b"CREATE TABLE t(a); VACUUM INTO '/tmp/gristmill-vacuumed';",
            "statement 2: it reaches for another file",
        ),
        (
            "text.sqlite",
            b"this is a text file and by no means a database, however long it may be",
            "not a database",
        ),
    ] {
        let error = open_error(with(name, text)).await.to_string();
        assert!(
            error.contains(message) && error.contains(name) && error.contains("`x`"),
            "{name}: {error}"
        );
    }
    assert!(!std::path::Path::new("/tmp/gristmill-attached").exists());
    assert!(!std::path::Path::new("/tmp/gristmill-vacuumed").exists());
    let unmerged = with("busy.db", b"");
    std::fs::write(folder.path().join("busy.db-wal"), b"frames").unwrap();
    assert!(matches!(open_error(unmerged).await, Error::Unmerged { .. }));
    let mut missing = base();
    missing
        .databases
        .insert("m".into(), Source::File("missing.sqlite".into()));
    assert!(matches!(open_error(missing).await, Error::File { .. }));
    assert!(matches!(
        Source::from_path("a.csv".as_ref()),
        Err(Error::Kind { .. })
    ));
    let empty = Options::new(BTreeMap::new());
    assert!(matches!(open_error(empty).await, Error::NoDatabase { .. }));
}

#[tokio::test]
async fn folders_are_read_by_stem() {
    let folder = tempfile::tempdir().unwrap();
    let put = |name: &str| std::fs::write(folder.path().join(name), DUMP).unwrap();
    assert!(matches!(
        Options::from_folder(folder.path()),
        Err(Error::NoDatabase { .. })
    ));
    put("notes.txt");
    put("one.sql");
    put("two.SQL");
    let names: Vec<_> = Options::from_folder(folder.path())
        .unwrap()
        .databases
        .into_keys()
        .collect();
    assert_eq!(names, ["one", "two"]);
    put("one.db");
    assert!(matches!(
        Options::from_folder(folder.path()),
        Err(Error::Twice { .. })
    ));
}

#[tokio::test]
async fn a_program_that_is_no_child_is_told_so() {
    let folder = tempfile::tempdir().unwrap();
    let other = Options {
        program: Some("/bin/true".into()),
        ..options(folder.path(), 1, Limits::default())
    };
    let error = open_error(other).await.to_string();
    assert!(error.contains("did not answer as a sandbox child"), "{error}");
}
