//! Queries that return the right result on a small database and mean something else.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test says what went wrong by failing"
)]

mod given;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use given::{FOLDER, sandbox};
use gristmill_domain::answer::sql::{ordered, same};
use gristmill_ports::sql::{SqlEngine, Variant, judge};
use gristmill_sandbox::{Options, Sandbox, Source};
use gristmill_tests::questions;

/// Each changes what a query means, by one replacement.
const CHANGES: [(&str, &str, &str); 20] = [
    ("SUM for AVG", "AVG(", "SUM("),
    ("AVG for SUM", "SUM(", "AVG("),
    ("MIN for MAX", "MAX(", "MIN("),
    ("MAX for MIN", "MIN(", "MAX("),
    ("DISTINCT left out", "SELECT DISTINCT ", "SELECT "),
    ("COUNT for COUNT DISTINCT", "COUNT(DISTINCT ", "COUNT("),
    ("<> for =", " = ", " <> "),
    (">= for >", " > ", " >= "),
    ("> for >=", " >= ", " > "),
    ("<= for <", " < ", " <= "),
    ("< for <=", " <= ", " < "),
    ("< for >", " > ", " < "),
    ("OR for AND", " AND ", " OR "),
    ("AND for OR", " OR ", " AND "),
    ("JOIN for LEFT JOIN", " LEFT JOIN ", " JOIN "),
    ("LEFT JOIN for JOIN", " JOIN ", " LEFT JOIN "),
    ("ASC for DESC", " DESC", " ASC"),
    ("NOT IN for IN", " IN (", " NOT IN ("),
    ("IS NULL for IS NOT NULL", " IS NOT NULL", " IS NULL"),
    ("= for LIKE", " LIKE ", " = "),
];

/// Every change at every place, and every condition left out.
fn mutants(query: &str) -> Vec<(&'static str, String)> {
    let mut found = vec![];
    for (name, from, to) in CHANGES {
        for (at, _) in query.match_indices(from) {
            let before = &query[..at];
            if from == " JOIN "
                && ["LEFT", "CROSS", "RIGHT"]
                    .iter()
                    .any(|word| before.ends_with(word))
            {
                continue;
            }
            found.push((name, format!("{before}{to}{}", &query[at + from.len()..])));
        }
    }
    for (at, _) in query.match_indices("COUNT(") {
        let inner = &query[at + 6..];
        if !inner.starts_with("DISTINCT") && !inner.starts_with('*') {
            found.push((
                "COUNT DISTINCT for COUNT",
                format!("{}COUNT(DISTINCT {inner}", &query[..at]),
            ));
        }
    }
    for (at, _) in query.match_indices(" AND ") {
        let end = condition_end(query, at + 5);
        found.push((
            "a condition left out",
            format!("{}{}", &query[..at], &query[end..]),
        ));
    }
    for (at, _) in query.match_indices(" WHERE ") {
        let end = condition_end(query, at + 7);
        let rest = &query[end..];
        let mutant = match rest.strip_prefix(" AND ") {
            Some(rest) => format!("{} WHERE {rest}", &query[..at]),
            None => format!("{}{rest}", &query[..at]),
        };
        found.push(("a condition left out", mutant));
    }
    found
}

fn condition_end(query: &str, from: usize) -> usize {
    let mut depth = 0;
    for (at, c) in query[from..].char_indices() {
        let rest = &query[from + at..];
        let ends = [
            " AND ",
            " OR ",
            " GROUP BY",
            " ORDER BY",
            " LIMIT",
            " HAVING",
            " UNION",
            " THEN",
        ];
        match c {
            '(' => depth += 1,
            ')' if depth == 0 => return from + at,
            ')' => depth -= 1,
            _ if depth == 0 && ends.iter().any(|end| rest.starts_with(end)) => return from + at,
            _ => {}
        }
    }
    query.len()
}

/// One book per shop, so that a sum over a shop is its average; no two books have one price.
const SHOPS: &str = "CREATE TABLE shop (id INTEGER PRIMARY KEY, name TEXT NOT NULL, town TEXT);
INSERT INTO shop VALUES (1,'Inkwell','Bath'),(2,'Folio','Bath'),(3,'Quarto','York'),(4,'Vellum','Leeds');
CREATE TABLE book (id INTEGER PRIMARY KEY, shop_id INTEGER NOT NULL REFERENCES shop(id), title TEXT, price REAL, sold INTEGER);
INSERT INTO book VALUES (1,1,'Tides',12.5,4),(2,2,'Moss',8.0,9),(3,3,'Kites',20.25,2),(4,4,'Salt',15.0,NULL);
CREATE VIEW dear AS SELECT title FROM book WHERE price > 14;";

async fn shops() -> (tempfile::TempDir, Sandbox) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shops.sql");
    std::fs::write(&path, SHOPS).unwrap();
    let sandbox = Sandbox::open(Options {
        program: Some(env!("CARGO_BIN_EXE_gristmill-sandbox-child").into()),
        ..Options::new(BTreeMap::from([("shops".to_owned(), Source::Dump(path))]))
    });
    (folder, sandbox.await.unwrap())
}

#[tokio::test]
async fn a_query_that_means_something_else_is_wrong() {
    let (_folder, sandbox) = shops().await;
    for (gold, other) in [
        (
            "SELECT shop_id, AVG(price) FROM book GROUP BY shop_id",
            "SELECT shop_id, SUM(price) FROM book GROUP BY shop_id",
        ),
        (
            "SELECT name FROM shop JOIN book ON shop.id = shop_id",
            "SELECT name FROM shop LEFT JOIN book ON shop.id = shop_id",
        ),
        (
            "SELECT DISTINCT name FROM shop JOIN book ON shop.id = shop_id",
            "SELECT name FROM shop JOIN book ON shop.id = shop_id",
        ),
        (
            "SELECT COUNT(*) FROM book",
            "SELECT COUNT(DISTINCT shop_id) FROM book",
        ),
        ("SELECT COUNT(*) FROM book", "SELECT COUNT(*) FROM shop"),
        (
            "SELECT title FROM book WHERE sold IS NOT NULL",
            "SELECT title FROM book WHERE title <> 'Salt'",
        ),
        (
            "SELECT title FROM dear",
            "SELECT title FROM book WHERE price > 12.5",
        ),
    ] {
        let on_one = sandbox.run("shops", gold).await.unwrap();
        let result = sandbox.run("shops", other).await.unwrap();
        assert_eq!(same(&on_one, &result, false), Ok(()), "{other}");
        let judged = judge(&sandbox, "shops", other, &[gold.to_owned()]).await.unwrap();
        assert_eq!(judged.correct, Some(false), "{other}");
        assert!(
            judged.detail.contains("not on an altered copy"),
            "{}",
            judged.detail
        );
        let right = judge(&sandbox, "shops", gold, &[]).await.unwrap();
        let alone = judge(&sandbox, "shops", other, &[]).await.unwrap();
        assert_ne!(
            right.fingerprint, alone.fingerprint,
            "{other}: as votes they disagree"
        );
    }
}

#[tokio::test]
async fn another_way_to_say_the_same_is_right() {
    let (_folder, sandbox) = shops().await;
    for (gold, other) in [
        (
            "SELECT title FROM book ORDER BY price DESC LIMIT 1",
            "SELECT title FROM book WHERE price = (SELECT MAX(price) FROM book)",
        ),
        (
            "SELECT name FROM shop JOIN book ON shop.id = shop_id GROUP BY name ORDER BY COUNT(*) DESC, name",
            "SELECT name FROM shop JOIN book ON shop.id = shop_id GROUP BY shop.id ORDER BY COUNT(book.id) DESC, 1",
        ),
        // Which of several towns with as many shops comes first is left open, on the database and on copies.
        (
            "SELECT town FROM shop GROUP BY town ORDER BY COUNT(*) DESC LIMIT 1",
            "SELECT town FROM shop GROUP BY town HAVING COUNT(*) >= ALL_COUNTS",
        ),
        ("SELECT COUNT(*) FROM book", "SELECT COUNT(title) FROM book"),
        (
            "SELECT name FROM shop WHERE id IN (SELECT shop_id FROM book WHERE price > 14)",
            "SELECT DISTINCT shop.name FROM shop JOIN book ON book.shop_id = shop.id WHERE NOT price <= 14",
        ),
        (
            "SELECT title FROM dear",
            "SELECT title FROM book WHERE price > 14",
        ),
    ] {
        let other = other.replace(
            "ALL_COUNTS",
            "(SELECT MAX(n) FROM (SELECT COUNT(*) AS n FROM shop GROUP BY town))",
        );
        let judged = judge(&sandbox, "shops", &other, &[gold.to_owned()])
            .await
            .unwrap();
        assert_eq!(judged.correct, Some(true), "{other}: {}", judged.detail);
    }
    let open = "SELECT town, COUNT(*) FROM shop GROUP BY town ORDER BY COUNT(*) DESC";
    let other = "SELECT town, COUNT(*) FROM shop GROUP BY town ORDER BY COUNT(*) DESC, town DESC";
    let judged = judge(&sandbox, "shops", other, &[open.to_owned()]).await.unwrap();
    assert_eq!(
        judged.correct,
        Some(true),
        "two towns have one shop each: {}",
        judged.detail
    );
}

#[tokio::test]
async fn copies_are_the_same_in_every_process_and_unknown_ones_are_refused() {
    let ((_one, first), (_other, second)) = (shops().await, shops().await);
    let copies = first.copies("shops").await.unwrap();
    assert_eq!(copies, second.copies("shops").await.unwrap());
    assert!(copies > 2);
    let all = "SELECT * FROM book ORDER BY id";
    let original = first.run("shops", all).await.unwrap();
    for copy in 0..copies {
        let variant = Variant::altered(copy);
        let table = first.run_on("shops", variant, all).await.unwrap();
        assert_ne!(table, original);
        assert_eq!(table, second.run_on("shops", variant, all).await.unwrap());
        assert_eq!(
            table,
            first.run_on("shops", variant.reordered(), all).await.unwrap()
        );
    }
    assert!(
        first
            .run_on("shops", Variant::altered(copies), all)
            .await
            .is_err()
    );
    assert!(first.copies("books").await.is_err());
}

#[tokio::test]
async fn accepted_queries_of_a_question_agree_on_altered_copies() {
    let folder = questions::folder().unwrap().join(FOLDER);
    let sandbox = sandbox(&folder).await;
    let (mut pairs, mut refused, mut apart) = (0, vec![], 0);
    // Accepted queries of a question name its rows in several ways, by name and by number: then they have as many rows.
    let counted = |query: &String| format!("SELECT COUNT(*) FROM ({query})");
    for question in given::questions(&folder) {
        for query in &question.queries {
            // Held against all of them, an accepted query is right.
            let judged = judge(&sandbox, &question.database, query, &question.queries)
                .await
                .unwrap();
            assert_eq!(
                judged.correct,
                Some(true),
                "{}: {query}: {}",
                question.id,
                judged.detail
            );
            for other in question.queries.iter().filter(|other| *other != query) {
                for (query, other) in [(query.clone(), other.clone()), (counted(query), counted(other))] {
                    let gold = sandbox.run(&question.database, &other).await.unwrap();
                    let got = sandbox.run(&question.database, &query).await.unwrap();
                    if same(&gold, &got, ordered(&other)).is_err() {
                        continue;
                    }
                    pairs += 1;
                    let only = [other.clone()];
                    let by_one = judge(&sandbox, &question.database, &query, &only).await.unwrap();
                    if by_one.correct != Some(true) {
                        refused.push(format!("{}: {query} / {other}: {}", question.id, by_one.detail));
                    }
                    let twin = judge(&sandbox, &question.database, &other, &only).await.unwrap();
                    apart += usize::from(twin.fingerprint != by_one.fingerprint);
                }
            }
        }
    }
    eprintln!(
        "{pairs} pairs of accepted queries agree on the database; copies refuse {}, and {apart} have two fingerprints",
        refused.len()
    );
    for pair in &refused {
        eprintln!("{pair}");
    }
    assert!(pairs > 2 * given::questions(&folder).len(), "{pairs}");
    assert!(refused.len() * 20 <= pairs, "copies refuse right queries");
}

#[tokio::test]
async fn altered_copies_tell_queries_apart_that_mean_something_else() {
    let Some(data) = questions::real_only().unwrap() else {
        return;
    };
    let folder = data.join(FOLDER);
    let sandbox = sandbox(&folder).await;
    // By change: mutants that run, those that the database lets pass, those that pass the copies, too.
    let mut counts: BTreeMap<&str, [usize; 3]> = BTreeMap::new();
    let verbose = std::env::var_os("GRISTMILL_SHOW_MUTANTS").is_some();
    let (mut before, mut after, mut checks) = (Duration::ZERO, Duration::ZERO, 0_u32);
    for question in given::questions(&folder) {
        for query in &question.queries {
            for (name, mutant) in mutants(query) {
                let gold = sandbox.run(&question.database, query).await.unwrap();
                let start = Instant::now();
                let Ok(got) = sandbox.run(&question.database, &mutant).await else {
                    continue;
                };
                let passes = same(&gold, &got, ordered(query)).is_ok();
                before += start.elapsed();
                let start = Instant::now();
                let only = [query.clone()];
                let judged = judge(&sandbox, &question.database, &mutant, &only).await.unwrap();
                after += start.elapsed();
                checks += 1;
                let count = counts.entry(name).or_default();
                count[0] += 1;
                count[1] += usize::from(passes);
                count[2] += usize::from(judged.correct == Some(true));
                if verbose && judged.correct == Some(true) {
                    eprintln!("{} {name}:\n  {query}\n  {mutant}", question.id);
                }
            }
        }
    }
    let mut total = [0; 3];
    for (name, [all, passed, passed_copies]) in &counts {
        eprintln!("{name:26} {all:5} run, {passed:4} pass the database, {passed_copies:4} pass the copies");
        total = [total[0] + all, total[1] + passed, total[2] + passed_copies];
    }
    eprintln!(
        "{total:?}; {:?} a check on the database, {:?} more with copies",
        before / checks,
        after / checks
    );
    // Most that are left mean the same: a LEFT JOIN to a row that is always there, a DISTINCT over keys.
    assert!(total[0] > 500, "{total:?}");
    assert!(
        total[2] * 100 < total[1] * 85,
        "copies tell too little: {total:?}"
    );
    let equal = counts["<> for ="];
    assert!(equal[2] * 3 < equal[1], "{equal:?}");
}
