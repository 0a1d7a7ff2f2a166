//! Queries over databases of some size: real ones where they are at hand, else those of the system tests.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test says what went wrong by failing"
)]

mod given;

use std::collections::BTreeMap;
use std::time::Instant;

use given::{FOLDER, sandbox};
use gristmill_domain::answer::sql::{Table, extract, fingerprint, ordered, same};
use gristmill_ports::sql::SqlEngine;
use gristmill_tests::questions;

#[tokio::test]
async fn every_accepted_query_runs_and_answers_its_question() {
    let folder = questions::folder().unwrap().join(FOLDER);
    let sandbox = sandbox(&folder).await;
    let questions = given::questions(&folder);
    assert!(questions.len() >= 20, "{} questions", questions.len());
    let mut results: BTreeMap<String, Vec<Table>> = BTreeMap::new();
    for question in &questions {
        for query in &question.queries {
            let table = sandbox.run(&question.database, query).await;
            let table = table.unwrap_or_else(|error| panic!("{}: {query}: {error}", question.id));
            assert_eq!(same(&table, &table, ordered(query)), Ok(()), "{}", question.id);
            // As a model would write it.
            let fenced = format!("Here it is:\n```sql\n{query};\n```\n");
            assert_eq!(
                extract(&fenced).as_deref(),
                Some(query.trim_end_matches([';', ' ', '\n'])),
                "{}",
                question.id
            );
            results.entry(question.database.clone()).or_default().push(table);
        }
    }
    // On real results the fingerprint tells apart exactly what the comparison does.
    let mut pairs = (0, 0);
    for tables in results.values() {
        let prints: Vec<_> = tables.iter().map(fingerprint).collect();
        for (i, a) in tables.iter().enumerate() {
            for (j, b) in tables.iter().enumerate().skip(i) {
                let equal = same(a, b, false).is_ok();
                assert_eq!(equal, prints[i] == prints[j], "{a:?}\n{b:?}");
                pairs = (pairs.0 + 1, pairs.1 + u32::from(equal));
            }
        }
    }
    eprintln!("{} pairs of results, {} the same", pairs.0, pairs.1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn queries_a_second() {
    const ROUNDS: usize = 20;
    let folder = questions::folder().unwrap().join(FOLDER);
    let sandbox = std::sync::Arc::new(sandbox(&folder).await);
    let questions = std::sync::Arc::new(given::questions(&folder));
    let start = Instant::now();
    let lanes: Vec<_> = (0..4)
        .map(|_| {
            let (sandbox, questions) = (sandbox.clone(), questions.clone());
            tokio::spawn(async move {
                let mut done = 0_usize;
                for _ in 0..ROUNDS {
                    for question in questions.iter() {
                        for query in &question.queries {
                            done += usize::from(sandbox.run(&question.database, query).await.is_ok());
                        }
                    }
                }
                done
            })
        })
        .collect();
    let mut done = 0;
    for lane in lanes {
        done += lane.await.unwrap();
    }
    let rate = done as f64 / start.elapsed().as_secs_f64();
    eprintln!("{done} queries, {rate:.0} a second");
    assert_eq!(
        done,
        4 * ROUNDS * questions.iter().map(|q| q.queries.len()).sum::<usize>()
    );
    // A floor that only something broken (a child a query) falls through.
    assert!(rate > 100.0, "{rate:.0} queries a second");
}
