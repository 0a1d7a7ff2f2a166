//! Queries that mean harm: each is stopped, named for what it is, and leaves the engine at work.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test says what went wrong by failing"
)]

mod support;

use std::time::{Duration, Instant};

use gristmill_ports::sql::SqlError;
use gristmill_sandbox::Limits;
use support::Bed;

const BOMB: &str = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c)";

/// Small limits, so that tests are quick; wall time stays far above the rest.
fn tight() -> Limits {
    Limits {
        steps_max: 5_000_000,
        memory_bytes_max: 32 << 20,
        rows_max: 1000,
        result_bytes_max: 1 << 20,
        ..Limits::default()
    }
}

#[tokio::test]
async fn writes_and_ways_out_are_refused() {
    let bed = Bed::new(1, Limits::default()).await;
    for (query, reason) in [
        ("INSERT INTO author VALUES (99, 'x', 1)", "writes to author"),
        ("UPDATE author SET age = 1 RETURNING id", "writes to author"),
        ("DELETE FROM author", "writes to author"),
        (
            "WITH x AS (SELECT 1) DELETE FROM author RETURNING id",
            "writes to author",
        ),
        ("DROP TABLE author", ""),
        ("CREATE TABLE t(a)", ""),
        ("CREATE TEMP TABLE t AS SELECT * FROM author", ""),
        ("CREATE VIRTUAL TABLE t USING fts5(a)", ""),
        ("ALTER TABLE author ADD COLUMN x", ""),
        ("ATTACH '/etc/passwd' AS p", "attaches"),
        ("ATTACH ':memory:' AS p", "attaches"),
        ("DETACH main", "attaches"),
        ("PRAGMA table_info(author)", "PRAGMA table_info"),
        ("PRAGMA query_only = 0", "PRAGMA query_only"),
        ("PRAGMA hard_heap_limit = 0", "PRAGMA hard_heap_limit"),
        ("SELECT * FROM pragma_database_list", "PRAGMA database_list"),
        ("VACUUM INTO '/tmp/gristmill-out'", ""),
        ("BEGIN", "transactions"),
        ("SAVEPOINT s", "transactions"),
        ("ANALYZE", ""),
        ("REINDEX", ""),
        ("SELECT load_extension('/tmp/x.so')", "load_extension"),
        ("SELECT name FROM author ORDER BY random() LIMIT 1", "random()"),
        ("SELECT randomblob(1000000000)", "randomblob()"),
        ("EXPLAIN SELECT 1", "explains"),
        ("EXPLAIN QUERY PLAN SELECT 1", "explains"),
        ("SELECT ?", "parameters"),
        ("SELECT :name", "parameters"),
        ("", "no statement"),
        ("-- only a comment", "no statement"),
        (";", "no statement"),
        ("SELECT 1; SELECT 2", "more than one statement"),
        ("SELECT 1; DELETE FROM author", ""),
        ("SELECT 1 \0 SELECT 2", "NUL"),
    ] {
        match bed.run(query).await {
            Err(SqlError::Refused { reason: seen }) => assert!(seen.contains(reason), "{query}: {seen}"),
            other => panic!("{query}: {other:?}"),
        }
    }
    assert!(bed.run("SELECT 1; -- and a comment").await.is_ok());
    let long = format!("SELECT '{}'", "x".repeat(70_000));
    assert!(matches!(bed.run(&long).await, Err(SqlError::Refused { .. })));
    assert!(!std::path::Path::new("/tmp/gristmill-out").exists());
    bed.assert_alive().await;
}

#[tokio::test]
async fn bombs_are_stopped_within_their_limits() {
    let bed = Bed::new(1, tight()).await;
    let cross =
        "SELECT count(*) FROM author a, author b, author c, author d, author e, author f, author g, author h";
    let (grow, deep_join) = ("GROUP BY x".to_owned(), "author ".to_owned());
    for query in [
        format!("{BOMB} SELECT count(*) FROM c"),
        format!("{BOMB} SELECT x FROM c"),
        format!("{BOMB} SELECT max(x) FROM c {grow}"),
        "WITH RECURSIVE c(x) AS (SELECT 'a' UNION SELECT x || 'a' FROM c) SELECT length(x) FROM c".into(),
        "WITH RECURSIVE c(x) AS (SELECT zeroblob(100000) UNION ALL SELECT zeroblob(100000) FROM c) SELECT x FROM c ORDER BY x".into(),
        format!("{BOMB} SELECT group_concat(hex(zeroblob(1000))) FROM c"),
        cross.into(),
        format!("{cross} ORDER BY 1"),
        format!("SELECT a.name FROM {deep_join} a, author b, author c, author d"),
        "SELECT zeroblob(1000000000)".into(),
        "SELECT hex(zeroblob(1000000))".into(),
        "SELECT printf('%.*c', 100000000, 'x')".into(),
        "SELECT replace(hex(zeroblob(100000)), '0', hex(zeroblob(1000)))".into(),
        "SELECT json_group_array(a.name) FROM author a, author b, author c, author d, author e, author f, author g".into(),
        "SELECT zeroblob(500000), zeroblob(500000), zeroblob(500000)".into(),
    ] {
        let start = Instant::now();
        let outcome = bed.run(&query).await;
        assert!(
            matches!(outcome, Err(SqlError::TooLarge { .. })),
            "{query}: {outcome:?}"
        );
        assert!(start.elapsed() < Duration::from_secs(20), "{query} took {:?}", start.elapsed());
        bed.assert_alive().await;
    }
}

#[tokio::test]
async fn the_step_limit_falls_at_one_place() {
    let bed = Bed::new(1, tight()).await;
    // Some 10 steps a row: under the limit and over it, whatever the machine's load.
    let count = |n: u32| format!("{BOMB} SELECT count(*) FROM (SELECT x FROM c LIMIT {n})");
    assert!(bed.run(&count(100_000)).await.is_ok());
    assert!(bed.run(&count(1_000_000)).await.is_err());
}

#[tokio::test]
async fn deep_and_wide_texts_fail_cleanly() {
    let bed = Bed::new(1, Limits::default()).await;
    let nested = format!("SELECT {}1{}", "(SELECT ".repeat(2000), ")".repeat(2000));
    let parens = format!("SELECT {}1{}", "(".repeat(20_000), ")".repeat(20_000));
    for query in [
        format!("SELECT 1{}", "+1".repeat(5000)),
        format!("SELECT {}1", "NOT ".repeat(5000)),
        nested,
        parens,
        format!("SELECT 1{}", " UNION ALL SELECT 1".repeat(1000)),
        format!("SELECT 1{}", ",1".repeat(3000)),
        format!("SELECT * FROM author{}", ", author".repeat(80)),
    ] {
        let outcome = bed.run(&query).await;
        assert!(
            matches!(outcome, Err(SqlError::Failed { .. })),
            "{}…: {outcome:?}",
            &query[..40]
        );
        bed.assert_alive().await;
    }
}

#[tokio::test]
async fn one_endless_step_is_cut_by_processor_time_or_the_clock() {
    // Every one of two million places matches all but the last of two million characters: minutes in one step.
    let query = "SELECT instr(hex(zeroblob(2000000)), hex(zeroblob(1000000)) || '1')";
    let by_clock = Limits {
        wall: Duration::from_millis(700),
        ..Limits::default()
    };
    let by_cpu = Limits {
        cpu: Duration::from_millis(100),
        ..Limits::default()
    };
    for (limits, limit) in [(by_clock, by_clock.wall), (by_cpu, by_cpu.cpu)] {
        let bed = Bed::new(1, limits).await;
        assert_eq!(bed.run(query).await, Err(SqlError::TimedOut { limit }));
        bed.assert_alive().await;
    }
}

#[tokio::test]
async fn a_dropped_query_is_stopped_and_its_slot_comes_free() {
    let bed = Bed::new(
        1,
        Limits {
            steps_max: u64::MAX,
            ..Limits::default()
        },
    )
    .await;
    let endless = format!("{BOMB} SELECT count(*) FROM c");
    let dropped = tokio::time::timeout(Duration::from_millis(300), bed.run(&endless)).await;
    assert!(dropped.is_err(), "it was still running");
    let start = Instant::now();
    bed.assert_alive().await;
    assert!(
        start.elapsed() < Duration::from_secs(4),
        "the slot was still held: {:?}",
        start.elapsed()
    );
}
